/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Libraries that a module needs and the program does not have.
 *
 * Compilers call libraries without being asked, and without asking: a linker gets these from g++ or
 * gfortran, with the objects.  As an object says nothing of it, they are known here by the names of
 * what is undefined, and opened when a module wants something of that kind that nobody has.  They
 * stay open, for all modules.  Others a module can name: MODULE_LIBRARY("libm.so.6").
 *
 * They are opened for modules alone; what the program finds by dlsym() stays as it was.
 */
#define _GNU_SOURCE
#include "internal.h"
#include "loader/arch.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- What compilers call -------------------------------------------------------------------- */

enum runtime { LIBGCC, LIBSTDCXX, LIBCXX, LIBGFORTRAN, LIBGOMP, LIBOMP, RUNTIMES };

static const char *const runtime_names[RUNTIMES] = {
	[LIBGCC] = LIBGCC_S_SO,	    [LIBSTDCXX] = "libstdc++.so.6",
	[LIBCXX] = "libc++.so.1",   [LIBGFORTRAN] = "libgfortran.so.5",
	[LIBGOMP] = "libgomp.so.1", [LIBOMP] = "libomp.so.5",
};

/* By how a symbol's name begins.  In C++ that is a namespace, or an operator. */
static const struct {
	const char *begin;
	enum runtime runtime;
} beginnings[] = {
	{ "_Unwind_", LIBGCC },
	{ "__gcc_personality_", LIBGCC },
	{ "__gxx_", LIBSTDCXX },
	{ "__cxa_", LIBSTDCXX },
	{ "__dynamic_cast", LIBSTDCXX },
	{ "_ZS", LIBSTDCXX },
	{ "_ZNS", LIBSTDCXX },
	{ "_ZNKS", LIBSTDCXX },
	{ "_ZTIS", LIBSTDCXX },
	{ "_ZTVS", LIBSTDCXX },
	{ "_ZTTS", LIBSTDCXX },
	{ "_ZGVNS", LIBSTDCXX },
	{ "_ZTVN10__cxxabiv1", LIBSTDCXX },
	{ "_ZN10__cxxabiv1", LIBSTDCXX },
	{ "_ZN9__gnu_cxx", LIBSTDCXX },
	{ "_ZNK9__gnu_cxx", LIBSTDCXX },
	{ "_Zna", LIBSTDCXX },
	{ "_Znw", LIBSTDCXX },
	{ "_Zda", LIBSTDCXX },
	{ "_Zdl", LIBSTDCXX },
	{ "_gfortran_", LIBGFORTRAN },
	{ "GOMP_", LIBGOMP },
	{ "omp_", LIBGOMP },
	{ "__kmpc_", LIBOMP },
};

/* Types that the language has: "_ZTIi", "_ZTIPKc". */
static bool is_type_of_language(const char *name)
{
	if (strncmp(name, "_ZTI", 4) != 0)
		return false;
	name += 4;
	while (*name == 'P' || *name == 'K')
		name++;
	return *name >= 'a' && *name <= 'z' && !name[1];
}

/* LLVM's C++ library has a namespace of its own in std. */
static bool is_of_libcxx(const char *name)
{
	return strncmp(name, "_Z", 2) == 0 && strstr(name, "St3__1");
}

static enum runtime runtime_of(const char *name)
{
	if (is_of_libcxx(name))
		return LIBCXX;
	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
		if (strncmp(name, beginnings[i].begin, strlen(beginnings[i].begin)) == 0)
			return beginnings[i].runtime;
	}
	return is_type_of_language(name) ? LIBSTDCXX : RUNTIMES;
}

/* What is common to both C++ libraries comes from the one that the module uses. */
static enum runtime runtime_for(const struct load *load, const char *name)
{
	enum runtime runtime = runtime_of(name);

	return runtime == LIBSTDCXX && load->libcxx ? LIBCXX : runtime;
}

const char *runtime_library(const struct load *load, const char *name)
{
	enum runtime runtime = runtime_for(load, name);

	return runtime == RUNTIMES ? NULL : runtime_names[runtime];
}

/* ---- Looking for a symbol -------------------------------------------------------------------- */

static bool find_in_runtime(const struct load *load, const char *name, void **address)
{
	static void *opened[RUNTIMES];
	enum runtime runtime = runtime_for(load, name);
	void *library;

	if (runtime == RUNTIMES)
		return false;
	library = __atomic_load_n(&opened[runtime], __ATOMIC_ACQUIRE);
	if (!library) {
		library = dl_open(runtime_names[runtime], RTLD_LAZY | RTLD_LOCAL);
		if (!library)
			return false;
		__atomic_store_n(&opened[runtime], library, __ATOMIC_RELEASE);
	}
	return ask_libdl(library, name, address);
}

bool find_in_libraries(const struct load *load, const struct link_symbol *symbol, void **address)
{
	const struct permod_module *module = load->module;

	for (size_t i = 0; i < module->num_libraries; i++) {
		if (ask_libdl(module->libraries[i], symbol->name, address))
			return true;
	}
	/* What may be missing is no reason to open anything. */
	return symbol->bind != STB_WEAK && find_in_runtime(load, symbol->name, address);
}

/* ---- What a module names --------------------------------------------------------------------- */

static int open_library(struct load *load, const char *name)
{
	struct permod_module *module = load->module;
	void *library, **entry;

	if (load->pm->flags & PERMOD_NO_LIBDL)
		return fail(load->pm, -EPERM,
			    "%s: needs the library %s, and the host gives its modules nothing but "
			    "what is exported to them",
			    load->path, name);
	/* Who looks at a module by permod_plan() does not want to run a file of its choice. */
	if (!*name || strchr(name, '/'))
		return fail(load->pm, -ENOEXEC,
			    "%s: MODULE_LIBRARY(\"%s\"): not the name of a library, such as "
			    "libm.so.6",
			    load->path, name);
	library = dl_open(name, RTLD_LAZY | RTLD_LOCAL);
	if (!library)
		return fail(load->pm, -ENOENT, "%s: a library that it needs can't be opened: %s",
			    load->path, dlerror());
	entry = grow(&module->libraries, &module->num_libraries, sizeof(*entry));
	if (!entry) {
		dl_close(library);
		return fail_memory(load->pm);
	}
	*entry = library;
	return 0;
}

int open_libraries(struct load *load)
{
	static const char tag[] = "library=";
	struct info_cursor cursor = { NULL, 0 };
	const char *info;
	int error = 0;

	for (size_t i = 0; i < load->num_externals && !load->libcxx; i++)
		load->libcxx = is_of_libcxx(load->externals[i]->name);
	while (!error && (info = next_info(load->link, &cursor))) {
		if (strncmp(info, tag, sizeof(tag) - 1) == 0)
			error = open_library(load, info + sizeof(tag) - 1);
	}
	return error;
}

void close_libraries(struct permod_module *module)
{
	while (module->num_libraries > 0)
		dl_close(module->libraries[--module->num_libraries]);
	free(module->libraries);
}
