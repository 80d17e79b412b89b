/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Does a module fit: what it was built for, and whom.
 *
 * Objects that include <permod/module.h> say what it was in "vermagic=..."; those that don't need
 * nothing of the loader that could change.  A host can have an interface of its own, with a name;
 * then modules must say that they are for it: "host=...".  Force overrules both, and taints.
 */
#include "internal.h"

#include <permod/vermagic.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The value, if the string is of this tag. */
static const char *value_of(const char *info, const char *tag)
{
	size_t length = strlen(tag);

	return strncmp(info, tag, length) == 0 && info[length] == '=' ? info + length + 1 : NULL;
}

/* What was said last stands against loading; unless it is by force. */
int refuse_misfit(struct load *load, int error)
{
	if (!(load->flags & PERMOD_LOAD_FORCE))
		return error;
	if (!load->plan)
		taint(load->pm, load->module, PERMOD_TAINT_FORCED_LOAD, "%s",
		      permod_error(load->pm));
	return 0;
}

static int check_vermagic(struct load *load, const char *vermagic)
{
	if (strcmp(vermagic, PERMOD_VERMAGIC) == 0)
		return 0;
	if (strncmp(vermagic, "permod-", 7) != 0)
		fail(load->pm, -ENOEXEC,
		     "%s: it was built for \"%s\", not for permod (this is \"%s\"); compile it with "
		     "permod's <permod/module.h>",
		     load->path, vermagic, PERMOD_VERMAGIC);
	else
		fail(load->pm, -ENOEXEC,
		     "%s: it was built against another permod: \"%s\", and this is \"%s\"; rebuild "
		     "it",
		     load->path, vermagic, PERMOD_VERMAGIC);
	return refuse_misfit(load, -ENOEXEC);
}

void note_info(const struct permod *pm, struct fit *fit, const char *info)
{
	const char *host = value_of(info, "host"), *licence = value_of(info, "license");

	fit->described |= !value_of(info, "vermagic");
	fit->test |= value_of(info, "test") != NULL;
	if (host) {
		fit->host = host;
		fit->for_host |= pm->demand && strcmp(host, pm->demand) == 0;
	}
	if (licence && !fit->incompatible) {
		fit->licence = licence;
		fit->incompatible = !is_compatible_licence(pm, licence);
	}
}

int check_info(struct load *load, struct fit *fit, const char *info)
{
	const char *vermagic = value_of(info, "vermagic");

	note_info(load->pm, fit, info);
	return vermagic ? check_vermagic(load, vermagic) : 0;
}

int check_host(struct load *load, const struct fit *fit)
{
	const char *demand = load->pm->demand;

	if (!demand || fit->for_host)
		return 0;
	if (fit->host)
		fail(load->pm, -ENOEXEC,
		     "%s: it was built for host \"%s\", and this is host \"%s\"; rebuild it with the "
		     "headers of this one",
		     load->path, fit->host, demand);
	else
		fail(load->pm, -ENOEXEC,
		     "%s: it does not say which host it is for, and this is host \"%s\"; add "
		     "MODULE_HOST(\"%s\"), or include the host's header that has it",
		     load->path, demand, demand);
	return refuse_misfit(load, -ENOEXEC);
}

int check_fit(struct load *load)
{
	struct info_cursor cursor = { NULL, 0 };
	struct fit fit = { 0 };
	const char *info;
	int error = 0;

	while (!error && (info = next_info(load->link, &cursor)))
		error = check_info(load, &fit, info);
	return error ? error : check_host(load, &fit);
}

/* ---- Namespaces ----------------------------------------------------------------------------- */

/* MODULE_IMPORT_NS("NAME") is how kernels write it since 6.13; then the quotes are in the text. */
static bool is_same_namespace(const char *one, const char *other)
{
	size_t length = strlen(one += *one == '"');
	size_t other_length = strlen(other += *other == '"');

	length -= length && one[length - 1] == '"';
	other_length -= other_length && other[other_length - 1] == '"';
	return length == other_length && memcmp(one, other, length) == 0;
}

static bool imports_namespace(struct link *link, const char *name)
{
	struct info_cursor cursor = { NULL, 0 };
	const char *info;

	while ((info = next_info(link, &cursor))) {
		const char *imported = value_of(info, "import_ns");

		if (imported && is_same_namespace(imported, name))
			return true;
	}
	return false;
}

int check_namespace(struct load *load, const char *symbol, const char *name)
{
	if (imports_namespace(load->link, name))
		return 0;
	return fail(load->pm, -EINVAL,
		    "%s: %s is exported in the namespace %s, which it does not import; add "
		    "MODULE_IMPORT_NS(%s);",
		    load->path, symbol, name, name);
}

/* ---- Licences ------------------------------------------------------------------------------- */

bool is_compatible_licence(const struct permod *pm, const char *licence)
{
	/* As the kernel has them. */
	static const char *const usual[] = {
		"GPL",		"GPL v2",	"GPL and additional rights",
		"Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL",
		NULL,
	};
	const char *const *list = pm->licences ? (const char *const *)pm->licences : usual;

	for (; *list; list++) {
		if (strcmp(*list, licence) == 0)
			return true;
	}
	return false;
}

bool has_compatible_licence(struct load *load, const char **licence)
{
	struct info_cursor cursor = { NULL, 0 };
	struct fit fit = { 0 };
	const char *info;

	while ((info = next_info(load->link, &cursor)))
		note_info(load->pm, &fit, info);
	*licence = fit.licence;
	return fit.licence && !fit.incompatible;
}
