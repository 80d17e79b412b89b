/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What modules get from the loader, whatever dlsym() finds: per-CPU memory, the types of
 * parameters, what compilers call without being asked, and functions that the C library links into
 * each image instead of exporting them.
 */
#define _GNU_SOURCE
#include "internal.h"

#define PERMOD_MODULE
#include <permod/module.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The C library's; declared by no header.  (The Itanium C++ ABI has the first two.) */
int __cxa_atexit(void (*function)(void *), void *arg, void *dso_handle);
int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
		      void *dso_handle);
void __stack_chk_fail(void);

/* ---- Modules by address --------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct permod_module *registered;

void register_module(struct permod_module *module)
{
	pthread_mutex_lock(&lock);
	module->next_registered = registered;
	module->registered = true;
	registered = module;
	pthread_mutex_unlock(&lock);
}

void unregister_module(struct permod_module *module)
{
	struct permod_module **link = &registered;

	pthread_mutex_lock(&lock);
	while (*link != module)
		link = &(*link)->next_registered;
	*link = module->next_registered;
	module->registered = false;
	pthread_mutex_unlock(&lock);
}

/* The handle of the module that has a function in its code; NULL if there is none. */
static void *handle_of(void (*function)(void))
{
	void *handle = NULL;

	pthread_mutex_lock(&lock);
	for (const struct permod_module *module = registered; module && !handle;
	     module = module->next_registered) {
		const struct module_part *text = &module->part[LINK_TEXT];

		if ((uintptr_t)function - text->address < text->size)
			handle = module->dso_handle;
	}
	pthread_mutex_unlock(&lock);
	return handle;
}

/* ---- Functions that belong to the image that calls them ------------------------------------- */

/* Handlers run when the module is unloaded, or the process ends. */
static int module_atexit(void (*function)(void))
{
	return __cxa_atexit((void (*)(void *))(uintptr_t)function, NULL, handle_of(function));
}

static int module_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
	void *handle = prepare ? handle_of(prepare) : NULL;

	if (!handle && parent)
		handle = handle_of(parent);
	if (!handle && child)
		handle = handle_of(child);
	return __register_atfork(prepare, parent, child, handle);
}

bool try_module_get(struct module *module)
{
	return !module || permod_get(module->module) == 0;
}

void module_put(struct module *module)
{
	if (module)
		permod_put(module->module);
}

/* What tables of virtual functions have for pure ones: C++ without its library loads too. */
static void pure_virtual(void)
{
	abort();
}

/* ---- The table ------------------------------------------------------------------------------ */

#define FUNCTION(name)                                                                             \
	{                                                                                          \
#name, (const void *)name, true                                                    \
	}
#define VARIABLE(name)                                                                             \
	{                                                                                          \
#name, &name, false                                                                \
	}

static const struct builtin builtins[] = {
	FUNCTION(__alloc_percpu),
	{ "__cxa_pure_virtual", (const void *)pure_virtual, true },
	FUNCTION(__stack_chk_fail),
	{ "atexit", (const void *)module_atexit, true },
	FUNCTION(free_percpu),
	FUNCTION(memcmp),
	FUNCTION(memcpy),
	FUNCTION(memmove),
	FUNCTION(memset),
	FUNCTION(module_put),
	VARIABLE(param_array_ops),
	VARIABLE(param_ops_bool),
	VARIABLE(param_ops_byte),
	VARIABLE(param_ops_charp),
	VARIABLE(param_ops_hexint),
	VARIABLE(param_ops_int),
	VARIABLE(param_ops_invbool),
	VARIABLE(param_ops_long),
	VARIABLE(param_ops_short),
	VARIABLE(param_ops_string),
	VARIABLE(param_ops_uint),
	VARIABLE(param_ops_ullong),
	VARIABLE(param_ops_ulong),
	VARIABLE(param_ops_ushort),
	FUNCTION(pcpu_classify),
	FUNCTION(pcpu_max_size),
	FUNCTION(pcpu_ops_name),
	FUNCTION(pcpu_slow_cpu),
	FUNCTION(pcpu_slow_operation),
	{ "pthread_atfork", (const void *)module_atfork, true },
	FUNCTION(try_module_get),
};

#define BUILTINS (sizeof(builtins) / sizeof(builtins[0]))

/* The table is in order, so the place of a name is found by halves. */
const struct builtin *find_builtin(const char *name)
{
	size_t low = 0, high = BUILTINS;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(name, builtins[middle].name);

		if (order == 0)
			return &builtins[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct builtin *next_builtin(const struct builtin *builtin)
{
	const struct builtin *next = builtin ? builtin + 1 : builtins;

	return next < builtins + BUILTINS ? next : NULL;
}
