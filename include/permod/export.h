/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * EXPORT_SYMBOL() for modules and for programs.  Included by <permod/module.h> and
 * <permod/permod.h>; do not include it.
 *
 * In a module an export is an entry of the section __ksymtab (or __ksymtab_gpl) and a name in
 * __ksymtab_strings, as in the kernel, so that nm, modinfo and depmod see it.  In a program it is
 * a node that a constructor hangs into the library's list.
 */
#ifndef PERMOD_EXPORT_H
#define PERMOD_EXPORT_H

#include <stddef.h>

#ifdef __cplusplus
/* Functions here have the names of structures, as is usual in C. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#endif

/**
 * struct permod_export - a symbol that modules may use.
 * @name:	the symbol's name; must stay valid as long as it is exported
 * @address:	of the function or variable; of a per-CPU variable either `&var` or its cookie
 * @flags:	PERMOD_EXPORT_*
 */
struct permod_export {
	const char *name;
	const void *address;
	unsigned long flags;
};

/** PERMOD_EXPORT_GPL - only for modules whose licence is compatible with the GPL. */
#define PERMOD_EXPORT_GPL 1UL
/** PERMOD_EXPORT_THREAD - a module's thread-local variable, known by its name; @address is a function
 * that refers to it, so that linkers keep it. */
#define PERMOD_EXPORT_THREAD 2UL
/** PERMOD_EXPORT_NAMESPACE - only for modules that import a namespace; its name follows the NUL of @name:
 * "symbol\0NAMESPACE". */
#define PERMOD_EXPORT_NAMESPACE 4UL

/* As text, after macros in it were expanded. */
#define PERMOD_TEXT_OF_(...) #__VA_ARGS__
#define PERMOD_TEXT_OF(...) PERMOD_TEXT_OF_(__VA_ARGS__)

#if defined(PERMOD_MODULE) || defined(PERMOD_SHARED)

/* The name in __ksymtab_strings is for tools, which take all in there for symbols. */
#define PERMOD_EXPORT_AS(sym, section_name, string, export_flags)                                  \
	extern __typeof__(sym) sym;                                                                \
	static const char __kstrtab_##sym[]                                                        \
		__attribute__((section("__ksymtab_strings"), used, aligned(1))) = #sym;            \
	static const struct permod_export __ksymtab_##sym                                          \
		__attribute__((section(section_name), used,                                        \
			       aligned(__alignof__(struct permod_export)))) = {                    \
			string, (const void *)&sym, export_flags                                   \
		}
#define PERMOD_EXPORT(sym, section_name, export_flags)                                             \
	PERMOD_EXPORT_AS(sym, section_name, __kstrtab_##sym, export_flags)
#define PERMOD_EXPORT_NS(sym, section_name, ns, export_flags)                                      \
	static const char __kstrtabns_##sym[] = #sym "\0" ns;                                      \
	PERMOD_EXPORT_AS(sym, section_name, __kstrtabns_##sym,                                     \
			 (export_flags) | PERMOD_EXPORT_NAMESPACE)

/** EXPORT_SYMBOL_NS(sym, ns) - let modules that say MODULE_IMPORT_NS(ns) use @sym. */
#define EXPORT_SYMBOL_NS(sym, ns) PERMOD_EXPORT_NS(sym, "__ksymtab", PERMOD_TEXT_OF(ns), 0)
#define EXPORT_SYMBOL_NS_GPL(sym, ns)                                                              \
	PERMOD_EXPORT_NS(sym, "__ksymtab_gpl", PERMOD_TEXT_OF(ns), PERMOD_EXPORT_GPL)

/**
 * EXPORT_SYMBOL(sym) - let other modules use @sym; EXPORT_SYMBOL_GPL() only GPL-compatible ones.
 *
 * DEFAULT_SYMBOL_NAMESPACE, if it is defined before this header is included, is the namespace of both.
 */
#ifdef DEFAULT_SYMBOL_NAMESPACE
#define EXPORT_SYMBOL(sym)                                                                         \
	PERMOD_EXPORT_NS(sym, "__ksymtab", PERMOD_TEXT_OF(DEFAULT_SYMBOL_NAMESPACE), 0)
#define EXPORT_SYMBOL_GPL(sym)                                                                     \
	PERMOD_EXPORT_NS(sym, "__ksymtab_gpl", PERMOD_TEXT_OF(DEFAULT_SYMBOL_NAMESPACE),           \
			 PERMOD_EXPORT_GPL)
#else
#define EXPORT_SYMBOL(sym) PERMOD_EXPORT(sym, "__ksymtab", 0)
#define EXPORT_SYMBOL_GPL(sym) PERMOD_EXPORT(sym, "__ksymtab_gpl", PERMOD_EXPORT_GPL)
#endif

#define PERMOD_EXPORT_VARIABLE_OF_THREAD(var, section_name, export_flags)                          \
	static const volatile void *__kthread_##var(void)                                          \
	{                                                                                          \
		return &var;                                                                       \
	}                                                                                          \
	static const char __kstrtab_##var[]                                                        \
		__attribute__((section("__ksymtab_strings"), used, aligned(1))) = #var;            \
	static const struct permod_export __ksymtab_##var                                          \
		__attribute__((section(section_name), used,                                        \
			       aligned(__alignof__(struct permod_export)))) = {                    \
			__kstrtab_##var, (const void *)__kthread_##var,                            \
			(export_flags) | PERMOD_EXPORT_THREAD                                      \
		}

/** EXPORT_THREAD_SYMBOL(var) - the same for a variable that is `__thread` or `thread_local`, global,
 * and in C++ extern "C".  (A program's variables of this kind need no export: the dynamic linker has
 * those that the program is linked with -rdynamic for.) */
#define EXPORT_THREAD_SYMBOL(var) PERMOD_EXPORT_VARIABLE_OF_THREAD(var, "__ksymtab", 0)
#define EXPORT_THREAD_SYMBOL_GPL(var)                                                              \
	PERMOD_EXPORT_VARIABLE_OF_THREAD(var, "__ksymtab_gpl", PERMOD_EXPORT_GPL)

#else

/** struct permod_host_export - an export of the program, in the list of all. */
struct permod_host_export {
	struct permod_export symbol;
	struct permod_host_export *next;
};

/** permod_host_export() and permod_host_unexport() - called by what EXPORT_SYMBOL() defines. */
void permod_host_export(struct permod_host_export *node);
void permod_host_unexport(struct permod_host_export *node);

#define PERMOD_EXPORT_AS(sym, string, export_flags)                                                \
	static struct permod_host_export __permod_export_##sym = {                                 \
		{ string, (const void *)&sym, export_flags }, NULL                                 \
	};                                                                                         \
	__attribute__((constructor(102), used)) static void __permod_export_begin_##sym(void)      \
	{                                                                                          \
		permod_host_export(&__permod_export_##sym);                                        \
	}                                                                                          \
	__attribute__((destructor(102), used)) static void __permod_export_end_##sym(void)         \
	{                                                                                          \
		permod_host_unexport(&__permod_export_##sym);                                      \
	}                                                                                          \
	extern __typeof__(sym) sym
#define PERMOD_EXPORT(sym, export_flags) PERMOD_EXPORT_AS(sym, #sym, export_flags)
#define PERMOD_EXPORT_NS(sym, ns, export_flags)                                                    \
	PERMOD_EXPORT_AS(sym, #sym "\0" ns, (export_flags) | PERMOD_EXPORT_NAMESPACE)

#define EXPORT_SYMBOL_NS(sym, ns) PERMOD_EXPORT_NS(sym, PERMOD_TEXT_OF(ns), 0)
#define EXPORT_SYMBOL_NS_GPL(sym, ns) PERMOD_EXPORT_NS(sym, PERMOD_TEXT_OF(ns), PERMOD_EXPORT_GPL)

#ifdef DEFAULT_SYMBOL_NAMESPACE
#define EXPORT_SYMBOL(sym) PERMOD_EXPORT_NS(sym, PERMOD_TEXT_OF(DEFAULT_SYMBOL_NAMESPACE), 0)
#define EXPORT_SYMBOL_GPL(sym)                                                                     \
	PERMOD_EXPORT_NS(sym, PERMOD_TEXT_OF(DEFAULT_SYMBOL_NAMESPACE), PERMOD_EXPORT_GPL)
#else
#define EXPORT_SYMBOL(sym) PERMOD_EXPORT(sym, 0)
#define EXPORT_SYMBOL_GPL(sym) PERMOD_EXPORT(sym, PERMOD_EXPORT_GPL)
#endif

#endif

/**
 * IMPORT_SYMBOL(sym) - let `permod stamp` know the type of a symbol that comes from elsewhere, where the
 * compiler does not tell of it: clang of no variables, and without optimization of no functions.
 */
#define IMPORT_SYMBOL(sym) static __typeof__(sym) *__permod_type_##sym __attribute__((used))

/** EXPORT_PER_CPU_SYMBOL(var) - the same for per-CPU variables. */
#if defined(__CHECKER__) || defined(PCPU_STRICT_TYPES)
/* A checker of types has no such address for a table, which nobody would read. */
#define EXPORT_PER_CPU_SYMBOL(var) _Static_assert(sizeof(var) > 0, "exported")
#define EXPORT_PER_CPU_SYMBOL_GPL(var) EXPORT_PER_CPU_SYMBOL(var)
#else
#define EXPORT_PER_CPU_SYMBOL(var) EXPORT_SYMBOL(var)
#define EXPORT_PER_CPU_SYMBOL_GPL(var) EXPORT_SYMBOL_GPL(var)
#endif

#ifdef __cplusplus
}
#pragma GCC diagnostic pop
#endif

#endif
