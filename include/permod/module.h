/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <permod/module.h> - for modules: relocatable objects that permod loads into a running program.
 *
 * A module is what `cc -O2 -c` makes of a source file.  Nothing in it is needed: an object without
 * any of these macros loads too.  The names, the sections and their contents follow the kernel's
 * include/linux/module.h, moduleparam.h, init.h and export.h, so that modinfo, depmod and nm read
 * permod modules.
 *
 *     #include <permod/module.h>
 *
 *     static DEFINE_PER_CPU(unsigned long, hits);
 *     static int step = 1;
 *     module_param(step, int, 0444);
 *
 *     void tick(void) { this_cpu_add(hits, step); }
 *
 *     static int __init counter_init(void) { return step > 0 ? 0 : -EINVAL; }
 *     module_init(counter_init);
 *     MODULE_LICENSE("GPL");
 */
#ifndef PERMOD_MODULE_H
#define PERMOD_MODULE_H

/*
 * PERMOD_SHARED - to be defined in all files of a shared object that is to be a module:
 *
 *     cc -O2 -fPIC -shared -DPERMOD_SHARED -o counter.so counter.c
 *
 * Its per-CPU variables are placed as those of programs are.
 */
#if defined(PERMOD_PERCPU_H) && !defined(PERMOD_MODULE) && !defined(PERMOD_SHARED)
#error "include <permod/module.h> before <permod/percpu.h>"
#endif
#if !defined(PERMOD_MODULE) && !defined(PERMOD_SHARED)
#define PERMOD_MODULE 1
#endif

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <permod/export.h>
#include <permod/percpu.h>
#include <permod/vermagic.h>

#ifdef __cplusplus
extern "C" {
#endif

/** __init, __initdata - code and data that are freed when the module's init has returned. */
#define __init __attribute__((section(".init.text"), cold))
#define __initdata __attribute__((section(".init.data")))
#define __initconst __attribute__((section(".init.rodata")))

/** __exit - code that only unloading uses. */
#define __exit __attribute__((section(".exit.text"), cold))

/** __ro_after_init - data that init may write; read-only from then on. */
#define __ro_after_init __attribute__((section(".data..ro_after_init")))

#if defined(__has_attribute)
#if __has_attribute(copy)
#define PERMOD_COPY(function) __attribute__((copy(function)))
#endif
#endif
#ifndef PERMOD_COPY
#define PERMOD_COPY(function)
#endif

/**
 * module_init(function), module_exit(function) - run at loading and at unloading.
 *
 * int init(void) returns 0, or a negative errno, upon which the load is undone and fails with it.
 * A module that has an init but no exit can't be unloaded.  Functions that are themselves called
 * init_module() and cleanup_module() do as well.
 */
#ifdef __cplusplus
/* The names of C++ functions are not known here, so there can be no alias. */
#define module_init(function)                                                                      \
	extern "C" int init_module(void)                                                           \
	{                                                                                          \
		return function();                                                                 \
	}                                                                                          \
	extern "C" int init_module(void)
#define module_exit(function)                                                                      \
	extern "C" void cleanup_module(void)                                                       \
	{                                                                                          \
		function();                                                                        \
	}                                                                                          \
	extern "C" void cleanup_module(void)
#else
#define module_init(function)                                                                      \
	int init_module(void) PERMOD_COPY(function) __attribute__((alias(#function)))
#define module_exit(function)                                                                      \
	void cleanup_module(void) PERMOD_COPY(function) __attribute__((alias(#function)))
#endif
int init_module(void);
void cleanup_module(void);

/** THIS_MODULE - this module, to be held while somebody has a pointer into it; opaque. */
struct module;
#ifdef PERMOD_SHARED
struct module {
	void *permod_module; /* the loader's */
};
extern struct module __this_module;
__attribute__((weak, visibility("hidden"),
	       section("__permod_module"))) struct module __this_module = { NULL };
#else
extern struct module __this_module;
#endif
#define THIS_MODULE (&__this_module)

/**
 * try_module_get() - hold a module: it can't be unloaded until module_put() was called as often.
 *
 * Returns false if it is being unloaded.  NULL is nothing, and can always be held.  Any thread may
 * call both; they are async-signal-safe.
 */
bool try_module_get(struct module *module);
void module_put(struct module *module);

/* ---- What a module says of itself: strings "tag=value" in .modinfo -------------------------- */

#define PERMOD_PASTE2(a, b) a##b
#define PERMOD_PASTE(a, b) PERMOD_PASTE2(a, b)

#define MODULE_INFO(tag, value) PERMOD_MODINFO(#tag "=" value)
#define PERMOD_MODINFO(string)                                                                     \
	static const char PERMOD_PASTE(__modinfo_, __COUNTER__)[]                                  \
		__attribute__((section(".modinfo"), used, aligned(1))) = string

#define MODULE_LICENSE(text) MODULE_INFO(license, text)
#define MODULE_DESCRIPTION(text) MODULE_INFO(description, text)
#define MODULE_AUTHOR(text) MODULE_INFO(author, text)
#define MODULE_ALIAS(text) MODULE_INFO(alias, text)
#define MODULE_VERSION(text) MODULE_INFO(version, text)
#define MODULE_SOFTDEP(text) MODULE_INFO(softdep, text)
/** MODULE_LIBRARY(text) - a shared library that the module needs, such as "libm.so.6"; no path. */
#define MODULE_LIBRARY(text) MODULE_INFO(library, text)
/** MODULE_IMPORT_NS(ns) - use symbols that EXPORT_SYMBOL_NS() exports in this namespace.  With quotes around
 * its name, as in kernels since 6.13, or without, here and there, it is the same one. */
#define MODULE_IMPORT_NS(ns) MODULE_INFO(import_ns, PERMOD_TEXT_OF(ns))
/** MODULE_HOST(text) - the interface of a host that the module is for; see struct permod_options.  A
 * module that suits several hosts has a line for each. */
#define MODULE_HOST(text) MODULE_INFO(host, text)
#define MODULE_PARM_DESC(name, text) PERMOD_MODINFO("parm=" #name ":" text)

#ifndef PERMOD_NO_VERMAGIC
MODULE_INFO(vermagic, PERMOD_VERMAGIC);
#endif

/* ---- Parameters: "name=value" when the module is loaded ------------------------------------- */

struct kernel_param;

/**
 * struct kernel_param_ops - how parameters of a type are set and shown.
 * @flags:	KERNEL_PARAM_OPS_FL_NOARG if a name without "=value" is good (bool)
 * @set:	parse @value (NULL if there is none) into @param's variable; 0 or negative errno
 * @get:	write the value as text, without a newline, into @buffer of PERMOD_PARAM_TEXT bytes;
 *		returns its length, or negative errno
 * @free:	give back what @set allocated, when the module goes; may be NULL
 */
struct kernel_param_ops {
	unsigned int flags;
	int (*set)(const char *value, const struct kernel_param *param);
	int (*get)(char *buffer, const struct kernel_param *param);
	void (*free)(void *arg);
};

#define KERNEL_PARAM_OPS_FL_NOARG 1U

/** PERMOD_PARAM_TEXT - bytes that a parameter's text can take, with its NUL. */
#define PERMOD_PARAM_TEXT 4096

/** struct kparam_string - a char array that is set by copying: @maxlen bytes with the NUL. */
struct kparam_string {
	unsigned int maxlen;
	char *string;
};

/** struct kparam_array - @max elements of @elemsize bytes; *@num (or NULL) is how many were given. */
struct kparam_array {
	unsigned int max;
	unsigned int elemsize;
	unsigned int *num;
	const struct kernel_param_ops *ops;
	void *elem;
};

/** struct kernel_param - an entry of the section __param. */
struct kernel_param {
	const char *name;
	const struct kernel_param_ops *ops;
	union {
		void *arg;
		const struct kparam_string *str;
		const struct kparam_array *arr;
	};
	unsigned int perm; /* as in the kernel: mode of its file there; 0 hides it from listings */
	unsigned int reserved;
};

extern const struct kernel_param_ops param_ops_byte, param_ops_short, param_ops_ushort,
	param_ops_int, param_ops_uint, param_ops_long, param_ops_ulong, param_ops_ullong,
	param_ops_hexint, param_ops_charp, param_ops_bool, param_ops_invbool, param_ops_string,
	param_array_ops;

#define PERMOD_PARAM(name, operations, arg, perm)                                                  \
	static const struct kernel_param __param_##name                                            \
		__attribute__((section("__param"), used,                                           \
			       aligned(__alignof__(struct kernel_param)))) = {                     \
			#name, operations, { arg }, perm, 0                                        \
		}

/**
 * module_param(name, type, perm) - a variable that "name=value" sets before init runs.
 *
 * @type: byte, short, ushort, int, uint, long, ulong, ullong, hexint, charp, bool, invbool.  A
 * charp points to memory of the loader, which lives as long as the module.
 */
#define module_param(name, type, perm)                                                             \
	PERMOD_PARAM_CHECKED(name, name, PERMOD_CHECK_##type, &param_ops_##type, #type, perm)

/** module_param_named() - the same, for a variable of another name. */
#define module_param_named(name, variable, type, perm)                                             \
	PERMOD_PARAM_CHECKED(name, variable, PERMOD_CHECK_##type, &param_ops_##type, #type, perm)

/* `type` is pasted and quoted above, once, as <stdbool.h> makes bool a macro. */
#define PERMOD_PARAM_CHECKED(name, variable, check, operations, type_name, perm)                   \
	check(name, variable);                                                                     \
	module_param_cb(name, operations, (void *)&(variable), perm);                              \
	PERMOD_MODINFO("parmtype=" #name ":" type_name)

/** module_param_cb() - with operations of one's own. */
#define module_param_cb(name, operations, arg, perm) PERMOD_PARAM(name, operations, arg, perm)

/** module_param_string() - "name=text" is copied into the array @string of @length bytes. */
#define module_param_string(name, string, length, perm)                                            \
	static const struct kparam_string __param_string_##name = { length, string };              \
	PERMOD_PARAM(name, &param_ops_string, (void *)&__param_string_##name, perm);               \
	PERMOD_MODINFO("parmtype=" #name ":string")

/** module_param_array() - "name=1,2,3"; *@count, if not NULL, becomes how many there were. */
#define module_param_array(name, type, count, perm)                                                \
	PERMOD_PARAM_ARRAY(name, name, PERMOD_CHECK_##type, &param_ops_##type, #type, count, perm)
#define module_param_array_named(name, array, type, count, perm)                                   \
	PERMOD_PARAM_ARRAY(name, array, PERMOD_CHECK_##type, &param_ops_##type, #type, count, perm)

#define PERMOD_PARAM_ARRAY(name, array, check, operations, type_name, count, perm)                 \
	check(name, (array)[0]);                                                                   \
	static const struct kparam_array __param_array_##name = { sizeof(array) /                  \
									  sizeof((array)[0]),      \
								  sizeof((array)[0]), count,       \
								  operations, (void *)(array) };   \
	PERMOD_PARAM(name, &param_array_ops, (void *)&__param_array_##name, perm);                 \
	PERMOD_MODINFO("parmtype=" #name ":array of " type_name)

/* A variable of another type than the parameter's is a compile-time error. */
#define PERMOD_CHECK_TYPE(name, variable, type)                                                    \
	static inline __attribute__((unused)) __typeof__(type) *__check_##name(void)               \
	{                                                                                          \
		return &(variable);                                                                \
	}                                                                                          \
	extern int init_module(void)
#define PERMOD_CHECK_byte(name, variable) PERMOD_CHECK_TYPE(name, variable, unsigned char)
#define PERMOD_CHECK_short(name, variable) PERMOD_CHECK_TYPE(name, variable, short)
#define PERMOD_CHECK_ushort(name, variable) PERMOD_CHECK_TYPE(name, variable, unsigned short)
#define PERMOD_CHECK_int(name, variable) PERMOD_CHECK_TYPE(name, variable, int)
#define PERMOD_CHECK_uint(name, variable) PERMOD_CHECK_TYPE(name, variable, unsigned int)
#define PERMOD_CHECK_long(name, variable) PERMOD_CHECK_TYPE(name, variable, long)
#define PERMOD_CHECK_ulong(name, variable) PERMOD_CHECK_TYPE(name, variable, unsigned long)
#define PERMOD_CHECK_ullong(name, variable) PERMOD_CHECK_TYPE(name, variable, unsigned long long)
#define PERMOD_CHECK_hexint(name, variable) PERMOD_CHECK_TYPE(name, variable, unsigned int)
#define PERMOD_CHECK_charp(name, variable) PERMOD_CHECK_TYPE(name, variable, char *)
#define PERMOD_CHECK_bool(name, variable) PERMOD_CHECK_TYPE(name, variable, bool)
#define PERMOD_CHECK_invbool(name, variable) PERMOD_CHECK_TYPE(name, variable, bool)

#ifdef __cplusplus
}
#endif

#endif
