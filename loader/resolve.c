/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who has a symbol.  Asked in this order: modules of the context and what the host exports, the
 * loader itself (what per-CPU operations, parameters and compilers need), and, unless the host forbids
 * it, whatever the dynamic linker knows, and libraries that are opened for it (library.c).  All that nobody has are told in one line.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_GNU_LIB_NAMES_H
#include <gnu/lib-names.h>
#else
#define LIBC_SO "libc.so"
#endif

struct permod_module provider_host, provider_permod, provider_libdl;

bool is_module(const struct permod_module *provider)
{
	return provider && provider != &provider_host && provider != &provider_permod &&
	       provider != &provider_libdl;
}

/* An address, and who has it. */
struct found {
	uintptr_t address;
	struct permod_module *provider;
	unsigned long flags; /* PERMOD_EXPORT_* */
	const char *space;   /* the namespace that it is exported in, or NULL */
	uint64_t tls_module; /* of a thread-local variable; then the address is the offset */
	const struct builtin *builtin;
	struct known *known; /* no thread-local variable */
	bool is_default;     /* what libdl finds for everybody */
};

/* ---- Looking for one ------------------------------------------------------------------------ */

static bool ask_version(void *library, const char *name, const char *version, void **address)
{
	dlerror();
#ifdef HAVE_DLVSYM
	*address = version ? dlvsym(library, name, version) : dlsym(library, name);
#else
	(void)version;
	*address = dlsym(library, name);
#endif
	/* A symbol's value may be NULL; then there is no message. */
	return *address || !dlerror();
}

/* Without a version the default one is meant, and dlsym() passes by those that only old programs see;
 * "name@VERSION" is just that one. */
bool ask_libdl(void *library, const char *name, void **address)
{
	const char *at = strchr(name, '@');
	char *base = at ? strndup(name, (size_t)(at - name)) : NULL;
	bool known;

	if (!at)
		return ask_version(library, name, NULL, address);
	known = base && ask_version(library, base, at + strspn(at, "@"), address);
	free(base);
	return known;
}

static bool find_symbol(const struct load *load, const struct link_symbol *symbol,
			struct found *found)
{
	const struct permod *pm = load->pm;
	const char *name = symbol->name;
	const struct export *export = find_export(&pm->exports, name);
	const struct builtin *builtin;
	struct permod_export program;
	void *address;

	*found = (struct found){ 0 };
	if (export) {
		found->address = export->address;
		found->provider = export->owner ? export->owner : &provider_host;
		found->flags = export->flags;
		found->space = export->space;
		return true;
	}
	if (find_program_export(name, &program)) {
		found->address = pcpu_image_cookie(program.address);
		found->provider = &provider_host;
		found->flags = program.flags;
		found->space = export_space(&program);
		return true;
	}
	builtin = find_builtin(name);
	if (builtin) {
		found->address = (uintptr_t)builtin->address;
		found->provider = &provider_permod;
		found->builtin = builtin;
		return true;
	}
	if (pm->flags & PERMOD_NO_LIBDL)
		return false;
	found->provider = &provider_libdl;
	found->known = find_known(&pm->known, name);
	if (found->known) {
		found->address = found->known->address;
		return true;
	}
	found->is_default = ask_libdl(RTLD_DEFAULT, name, &address);
	if (!found->is_default && !find_in_libraries(load, symbol, &address))
		return false;
	found->address = pcpu_image_cookie(address);
	return true;
}

/* ---- Is it a function? ---------------------------------------------------------------------- */

static bool is_function(const char *name, const struct found *found)
{
	if (is_module(found->provider))
		return found->address - found->provider->part[LINK_TEXT].address <
		       found->provider->part[LINK_TEXT].size;
	if (found->builtin)
		return found->builtin->function;
	if (!found->known)
		return names_function(name, found->address);
	if (found->known->function < 0)
		found->known->function = (signed char)names_function(name, found->address);
	return found->known->function;
}

/* ---- Is it thread-local? -------------------------------------------------------------------- */

static int look_into_threads_copy(struct dl_phdr_info *image, size_t size, void *arg)
{
	struct found *found = arg;
	uintptr_t begin = (uintptr_t)image->dlpi_tls_data;

	(void)size;
	for (unsigned int i = 0; begin && i < image->dlpi_phnum; i++) {
		if (image->dlpi_phdr[i].p_type != PT_TLS ||
		    found->address - begin >= image->dlpi_phdr[i].p_memsz)
			continue;
		found->tls_module = image->dlpi_tls_modid;
		found->address -= begin;
		return 1;
	}
	return 0;
}

/* Of such a variable dlsym() finds the calling thread's. */
static bool is_thread_local(struct found *found)
{
	if (is_module(found->provider) && found->flags & PERMOD_EXPORT_THREAD)
		found->tls_module = tls_module(found->provider->tls);
	else if (found->provider == &provider_libdl && !found->known)
		each_image(look_into_threads_copy, found);
	return found->tls_module != 0;
}

static bool is_used_as_thread_local(const struct link_symbol *symbol)
{
	return symbol->tls || symbol->type == STT_TLS;
}

static int check_thread_local(struct load *load, const struct link_symbol *symbol,
			      struct found *found)
{
	bool is = is_thread_local(found), used = is_used_as_thread_local(symbol);

	if (is && (!used || symbol->direct || symbol->got))
		return fail(load->pm, -ENOEXEC,
			    "%s: %s is a thread-local variable, and used as if it were not; "
			    "include the header that declares it",
			    load->path, symbol->name);
	if (!is && used)
		return fail(load->pm, -ENOEXEC,
			    "%s: %s is used as a thread-local variable, and is none; include the "
			    "header that declares it",
			    load->path, symbol->name);
	return 0;
}

/* ---- All that a link needs ------------------------------------------------------------------ */

int use_module(struct permod_module *user, struct permod_module *used)
{
	struct permod_module **entry;

	if (uses_module(user, used))
		return 0;
	entry = grow(&user->uses, &user->num_uses, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	*entry = used;
	used->num_users++;
	return 0;
}

/* So many names are in the message: what lacks a whole library would not be a line to be read. */
#define MOST_WANTING 20

/* Names that were found wanting, as one text. */
struct wanting {
	char *text;
	size_t size;
	FILE *stream;
	unsigned int count;
};

static void add_wanting(struct load *load, struct wanting *wanting,
			const struct link_symbol *symbol)
{
	const char *object = link_object_name(symbol->object), *library;
	char nearest[NEAREST_TEXT];

	if (!wanting->count++)
		wanting->stream = open_memstream(&wanting->text, &wanting->size);
	if (!wanting->stream || wanting->count > MOST_WANTING)
		return;
	fprintf(wanting->stream, "%s%s", wanting->count > 1 ? ", " : "", symbol->name);
	if (strcmp(object, load->path) != 0)
		fprintf(wanting->stream, " in %s", object);
	library = runtime_library(load, symbol->name);
	if (library)
		fprintf(wanting->stream, " (should be in %s)", library);
	else if (find_nearest(load->pm, symbol->name, nearest))
		fprintf(wanting->stream, " (did you mean %s?)", nearest);
}

/* An archive can have members that nobody needs here. */
static const char *hint_for_archive(const struct load *load)
{
	if (!load->link->unasked)
		return "";
	return "; with a root symbol only the members that it needs are taken";
}

static int fail_wanting(struct load *load, struct wanting *wanting)
{
	if (wanting->stream && wanting->count > MOST_WANTING)
		fprintf(wanting->stream, ", and %u more", wanting->count - MOST_WANTING);
	if (!wanting->stream || fclose(wanting->stream)) {
		free(wanting->text);
		return fail_memory(load->pm);
	}
	fail(load->pm, -ENOENT, "%s: undefined symbol%s: %s; %s%s%s", load->path,
	     wanting->count > 1 ? "s" : "", wanting->text,
	     load->pm->flags & PERMOD_NO_LIBDL ? "the host or another module must export that"
					       : "found in no module, no export of the host and no "
						 "library that the host has loaded",
	     hint_for_archive(load), load->refused ? load->refused : "");
	free(wanting->text);
	return -ENOENT;
}

/* A symbol that somebody has: may this module use it? */
static int accept_symbol(struct load *load, struct link_symbol *symbol, struct found *found)
{
	struct permod_module *provider = found->provider;
	const char *licence;
	int error;

	if ((found->flags & PERMOD_EXPORT_GPL) && !has_compatible_licence(load, &licence)) {
		/* It can do without. */
		if (symbol->bind == STB_WEAK)
			return 0;
		return fail(load->pm, -EPERM,
			    "%s: %s is exported to modules with a %s licence only "
			    "(found MODULE_LICENSE \"%s\")",
			    load->path, symbol->name,
			    load->pm->licences ? "host-approved" : "GPL-compatible",
			    licence ? licence : "");
	}
	error = found->space ? check_namespace(load, symbol->name, found->space) : 0;
	if (error)
		return error;
	error = check_thread_local(load, symbol, found);
	if (error)
		return error;
	if (is_module(provider)) {
		note_early(load, provider);
		if (provider->state != PERMOD_LIVE)
			return fail(
				load->pm, -EBUSY,
				"%s: %s is exported by module %s, which is not live: its %s has "
				"not returned",
				load->path, symbol->name, provider->name,
				provider->state == PERMOD_COMING ? "init" : "exit");
		if (use_module(load->module, provider))
			return fail_memory(load->pm);
	}
	symbol->owner = provider;
	if (symbol->tls) {
		symbol->tls->module = found->tls_module;
		symbol->tls->offset = found->address;
	}
	if (found->is_default && !found->tls_module)
		found->known = remember(&load->pm->known, symbol->name, found->address);
	link_define(symbol, found->address, symbol->direct && is_function(symbol->name, found));
	return 0;
}

/* Hidden symbols can't come from outside, but for what others get from linkers. */
static int resolve_symbol(struct load *load, struct link_symbol *symbol, struct wanting *wanting)
{
	struct found found;

	if ((symbol->visibility == STV_DEFAULT || is_in_each_image(symbol->name)) &&
	    find_symbol(load, symbol, &found))
		return accept_symbol(load, symbol, &found);
	if (symbol->visibility == STV_DEFAULT && symbol->bind != STB_WEAK &&
	    request_symbol(load, symbol->name) && find_symbol(load, symbol, &found))
		return accept_symbol(load, symbol, &found);
	/* A plan has a line for each: see note_undefined().  There is no address that says that a
	 * thread-local variable isn't there. */
	if (!load->plan && (symbol->bind != STB_WEAK || symbol->tls))
		add_wanting(load, wanting, symbol);
	return 0;
}

static int list_externals(struct load *load)
{
	struct link_symbol *symbol = NULL, **entry;

	while ((symbol = link_next_undefined(load->link, symbol))) {
		entry = grow(&load->externals, &load->num_externals, sizeof(*entry));
		if (!entry)
			return fail_memory(load->pm);
		*entry = symbol;
	}
	return 0;
}

int resolve_symbols(struct load *load)
{
	struct wanting wanting = { NULL, 0, NULL, 0 };
	int error = list_externals(load);

	if (!error)
		error = open_libraries(load);
	check_known(&load->pm->known);
	for (size_t i = 0; i < load->num_externals && !error; i++) {
		error = resolve_symbol(load, load->externals[i], &wanting);
		/* A plan wants to know of all problems. */
		if (error && load->plan) {
			note_problem(load->plan, load->pm, error);
			error = 0;
		}
	}
	if (!error && wanting.count)
		return fail_wanting(load, &wanting);
	if (!error)
		error = find_common_symbols(load);
	if (wanting.stream)
		fclose(wanting.stream);
	free(wanting.text);
	return error;
}

/* ---- Copies of libc's variables ------------------------------------------------------------- */

/* Variables of libc that nobody may assign: a copy that says the same is as good as the original. */
static bool may_be_copied(const char *name)
{
	return strcmp(name, "stdin") == 0 || strcmp(name, "stdout") == 0 ||
	       strcmp(name, "stderr") == 0;
}

static void *open_libc(void)
{
	return dl_open(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD);
}

bool use_originals(struct load *load, bool originals)
{
	void *libc = open_libc();
	bool changed = false;

	for (size_t i = 0; libc && i < load->num_externals; i++) {
		struct link_symbol *symbol = load->externals[i];
		void **variable;

		if (symbol->owner != &provider_libdl || !may_be_copied(symbol->name))
			continue;
		variable = dlsym(originals ? libc : RTLD_DEFAULT, symbol->name);
		if (!variable || (uintptr_t)variable == symbol->value ||
		    *variable != *(void **)(uintptr_t)symbol->value)
			continue;
		link_define(symbol, (uintptr_t)variable, false);
		changed = true;
	}
	if (libc)
		dl_close(libc);
	return changed;
}
