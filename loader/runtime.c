/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What modules get from the loader, whatever dlsym() finds: per-CPU memory, the types of
 * parameters, what compilers call without being asked, and functions that the C library links into
 * each image instead of exporting them.
 */
#define _GNU_SOURCE
#include "internal.h"

#include "loader/arch.h"

#define PERMOD_MODULE
#include <permod/module.h>
#include <permod/percpu_counter.h>
#include <permod/percpu_list.h>
#include <permod/percpu_ref.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The C library's; declared by no header. */
void __stack_chk_fail(void);

/* The handle of the module that has a function in its code, which will be registered with that; NULL
 * if there is none. */
static void *handle_of(void (*function)(void))
{
	struct permod_module *module;
	void *handle = NULL;

	lock_shared();
	module = module_at((uintptr_t)function);
	if (module) {
		handle = module->dso_handle;
		module->handlers = true;
	}
	unlock_shared();
	return handle;
}

/* ---- Functions that belong to the image that calls them ------------------------------------- */

/* Handlers run when the module is unloaded, or the process ends. */
static int module_atexit(void (*function)(void))
{
	return add_exit_handler((void (*)(void *))(uintptr_t)function, NULL, handle_of(function));
}

static int module_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
	const struct fork_handlers handlers = { prepare, parent, child };
	void *handle = prepare ? handle_of(prepare) : NULL;

	if (!handle && parent)
		handle = handle_of(parent);
	if (!handle && child)
		handle = handle_of(child);
	return add_fork_handlers(&handlers, handle);
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

/* Position-independent code calls it so where calls between images take a register. */
#define LOCAL_STACK_CHECK "__stack_chk_fail_local"

/* What tables of virtual functions have for pure ones: C++ without its library loads too. */
static void pure_virtual(void)
{
	abort();
}

/* ---- The compiler's own library ------------------------------------------------------------- */

/*
 * What compilers call where the machine has no instruction: division of 128-bit integers, counting
 * of bits, complex multiplication, ...  A linker would take them from libgcc; each image has its own,
 * and none exports them.  Which those are is different on each machine: helpers.awk lists them.
 *
 * They have other names in C: the compiler has an opinion of what types these have.
 */
#define X(name) extern void helper##name(void) __asm__(#name) __attribute__((visibility("hidden")));
#define MILLICODE(name)                                                                            \
	extern const char helper##name[] __asm__(#name) __attribute__((visibility("hidden")));
#include "loader/helpers.h"
#undef X
#undef MILLICODE

/* ---- The tables ----------------------------------------------------------------------------- */

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
	{ "__cxa_atexit", (const void *)add_exit_handler, true },
	{ "__cxa_pure_virtual", (const void *)pure_virtual, true },
	{ "__cxa_thread_atexit", (const void *)module_thread_atexit, true },
	{ "__cxa_thread_atexit_impl", (const void *)module_thread_atexit, true },
	FUNCTION(__percpu_counter_compare),
	FUNCTION(__stack_chk_fail),
	{ LOCAL_STACK_CHECK, (const void *)__stack_chk_fail, true },
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
	FUNCTION(pcpu_bad_pair),
	FUNCTION(pcpu_classify),
	FUNCTION(pcpu_counter_add_slow),
	FUNCTION(pcpu_counter_publish),
	FUNCTION(pcpu_counter_word),
	FUNCTION(pcpu_index_name),
	FUNCTION(pcpu_list_pop_slow),
	FUNCTION(pcpu_list_push_slow),
	FUNCTION(pcpu_max_size),
	FUNCTION(pcpu_ops_name),
	FUNCTION(pcpu_ref_get_slow),
	FUNCTION(pcpu_ref_put_slow),
	FUNCTION(pcpu_ref_tryget_live_slow),
	FUNCTION(pcpu_ref_tryget_slow),
	FUNCTION(pcpu_register_thread),
	FUNCTION(pcpu_slow_cmpxchg_double),
	FUNCTION(pcpu_slow_cpu),
	FUNCTION(pcpu_slow_operation),
	FUNCTION(percpu_counter_destroy),
	FUNCTION(percpu_counter_init),
	FUNCTION(percpu_counter_set),
	FUNCTION(percpu_counter_sum),
	FUNCTION(percpu_counter_sync),
	FUNCTION(percpu_list_destroy),
	FUNCTION(percpu_list_drain),
	FUNCTION(percpu_list_init),
	FUNCTION(percpu_list_pop_all),
	FUNCTION(percpu_list_pop_any),
	FUNCTION(percpu_list_steal),
	FUNCTION(percpu_ref_exit),
	FUNCTION(percpu_ref_init),
	FUNCTION(percpu_ref_kill_and_confirm),
	FUNCTION(percpu_ref_kill_unused),
	FUNCTION(percpu_ref_reinit),
	FUNCTION(percpu_ref_resurrect),
	FUNCTION(percpu_ref_switch_to_atomic),
	FUNCTION(percpu_ref_switch_to_percpu),
	FUNCTION(permod_hook_begin),
	FUNCTION(permod_hook_leave_slow),
	FUNCTION(permod_hook_next_slow),
	FUNCTION(permod_hook_register),
	FUNCTION(permod_hook_unregister),
	FUNCTION(permod_hook_wake),
	FUNCTION(permod_in_hook),
	FUNCTION(permod_key_disable),
	FUNCTION(permod_key_enable),
	{ "pthread_atfork", (const void *)module_atfork, true },
	FUNCTION(try_module_get),
};

#define BUILTINS (sizeof(builtins) / sizeof(builtins[0]))

/* The last entry is behind the end, and lets there be no others. */
static const struct builtin helpers[] = {
#define X(name) { #name, (const void *)helper##name, true },
#define MILLICODE(name) { #name, helper##name, true },
#include "loader/helpers.h"
#undef X
#undef MILLICODE
	{ NULL, NULL, false },
};

#define NUM_HELPERS (sizeof(helpers) / sizeof(helpers[0]) - 1)

/* Tables are in order, so the place of a name is found by halves. */
static const struct builtin *find_in(const struct builtin *table, size_t count, const char *name)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(name, table[middle].name);

		if (order == 0)
			return &table[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

#ifdef TLS_READER
extern void own_tls_reader(void) __asm__(TLS_READER);
#endif

/* The dynamic linker's, but for our own; as of others, what is not there has no address. */
static struct builtin tls_functions[] = {
	{ .name = TLS_GETTER, .function = true },
#ifdef TLS_FUNCTION
	{ .name = TLS_FUNCTION, .function = true },
#endif
#ifdef TLS_READER
	{ TLS_READER, (const void *)own_tls_reader, true },
#endif
};
#define TLS_FUNCTIONS (sizeof(tls_functions) / sizeof(tls_functions[0]))

static void find_tls_functions(void)
{
	for (size_t i = 0; i < TLS_FUNCTIONS; i++) {
		if (!tls_functions[i].address)
			tls_functions[i].address = dlsym(RTLD_DEFAULT, tls_functions[i].name);
	}
}

static const struct builtin *find_tls_function(const char *name)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	size_t i = 0;

	while (i < TLS_FUNCTIONS && strcmp(name, tls_functions[i].name) != 0)
		i++;
	if (i == TLS_FUNCTIONS)
		return NULL;
	pthread_once(&once, find_tls_functions);
	return &tls_functions[i];
}

const struct builtin *find_builtin(const char *name)
{
	const struct builtin *found = find_tls_function(name);

	if (!found)
		found = find_in(builtins, BUILTINS, name);
	if (!found)
		found = find_in(helpers, NUM_HELPERS, name);
	return found && found->address ? found : NULL;
}

bool is_in_each_image(const char *name)
{
	return find_in(helpers, NUM_HELPERS, name) || !strcmp(name, LOCAL_STACK_CHECK);
}

/* Nobody misspells a helper. */
const struct builtin *next_builtin(const struct builtin *builtin)
{
	const struct builtin *next = builtin ? builtin + 1 : builtins;

	return next < builtins + BUILTINS ? next : NULL;
}
