/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taint: what somebody who looks for a fault should know of the modules first.
 *
 * A flag is set once, for a module and for its context, with the reason of the first time.  A module's
 * go with it; the context's stay.  Numbers and letters are those of the kernel's
 * Documentation/admin-guide/tainted-kernels.rst.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct taint_kind {
	unsigned int flag;
	char letter;
} kinds[TAINT_KINDS] = {
	{ PERMOD_TAINT_PROPRIETARY, 'P' },   { PERMOD_TAINT_FORCED_LOAD, 'F' },
	{ PERMOD_TAINT_FORCED_UNLOAD, 'R' }, { PERMOD_TAINT_UNSIGNED, 'E' },
	{ PERMOD_TAINT_TEST, 'N' },
};

/* A reason that there was no memory for is empty. */
static void set_taint(struct taint *taint, unsigned int flag, const char *reason)
{
	if (taint->flags & flag)
		return;
	taint->flags |= flag;
	for (size_t i = 0; i < TAINT_KINDS; i++) {
		if (kinds[i].flag == flag && reason)
			taint->reason[i] = strdup(reason);
	}
}

void taint(struct permod *pm, struct permod_module *module, unsigned int flag, const char *format,
	   ...)
{
	char *reason;
	va_list args;

	va_start(args, format);
	if (vasprintf(&reason, format, args) < 0)
		reason = NULL;
	va_end(args);
	if (reason)
		link_keep_one_line(reason);
	lock_context(pm);
	set_taint(&pm->taint, flag, reason);
	if (module)
		set_taint(&module->taint, flag, reason);
	unlock_context(pm);
	free(reason);
}

void forget_taint(struct taint *taint)
{
	for (size_t i = 0; i < TAINT_KINDS; i++)
		free(taint->reason[i]);
}

/* ---- What modules say of themselves --------------------------------------------------------- */

void taint_by_fit(struct load *load, const struct fit *fit)
{
	if (fit->incompatible)
		taint(load->pm, load->module, PERMOD_TAINT_PROPRIETARY,
		      "%s: its licence \"%s\" is not compatible", load->path, fit->licence);
	else if (!fit->licence)
		taint(load->pm, load->module, PERMOD_TAINT_PROPRIETARY,
		      "%s: it names no licence (MODULE_LICENSE)", load->path);
	if (fit->test)
		taint(load->pm, load->module, PERMOD_TAINT_TEST,
		      "%s: it is a test module (MODULE_INFO(test, \"Y\"))", load->path);
}

/* A step of loading, before any code of the module runs. */
int taint_by_info(struct load *load)
{
	struct info_cursor cursor = { NULL, 0 };
	struct fit fit = { 0 };
	const char *info;

	while ((info = next_info(load->link, &cursor)))
		note_info(load->pm, &fit, info);
	taint_by_fit(load, &fit);
	return 0;
}

/* ---- Public --------------------------------------------------------------------------------- */

unsigned int permod_taint(struct permod *pm)
{
	unsigned int flags;

	lock_context(pm);
	flags = pm->taint.flags;
	unlock_context(pm);
	return flags;
}

unsigned int permod_module_taint(const struct permod_module *m)
{
	unsigned int flags;

	/* It stayed when its context was freed: nobody changes it any more. */
	if (!m->pm)
		return m->taint.flags;
	lock_context(m->pm);
	flags = m->taint.flags;
	unlock_context(m->pm);
	return flags;
}

const char *permod_taint_reason(struct permod *pm, const struct permod_module *m, unsigned int flag)
{
	const struct taint *taint = m ? &m->taint : &pm->taint;
	const char *reason = NULL;

	lock_context(pm);
	for (size_t i = 0; i < TAINT_KINDS && taint->flags & flag; i++) {
		if (kinds[i].flag == flag)
			reason = taint->reason[i] ? taint->reason[i] : "";
	}
	unlock_context(pm);
	return reason;
}

char *permod_taint_text(unsigned int taint, char *text)
{
	char *end = text;

	for (size_t i = 0; i < TAINT_KINDS; i++) {
		if (taint & kinds[i].flag)
			*end++ = kinds[i].letter;
	}
	*end = '\0';
	return text;
}
