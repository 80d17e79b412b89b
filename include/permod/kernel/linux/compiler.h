/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel's code says to its compiler: attributes, hints, and accesses that happen once.
 * Marks of pointers that only sparse reads (__user, __rcu, ...) mean nothing here.
 */
#ifndef PERMOD_KERNEL_COMPILER_H
#define PERMOD_KERNEL_COMPILER_H

#if __has_include(<sys/cdefs.h>)
#include <sys/cdefs.h> /* defines __always_inline and some others of its own */
#endif

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)
#define unreachable() __builtin_unreachable()
#define fallthrough __attribute__((fallthrough))

#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define noinline __attribute__((noinline))
#define __pure __attribute__((pure))
#define __must_check __attribute__((warn_unused_result))
#define __maybe_unused __attribute__((unused))
#define __always_unused __attribute__((unused))
#define __used __attribute__((used))
#define __packed __attribute__((packed))
#define __aligned(bytes) __attribute__((aligned(bytes)))
#if __has_attribute(nonstring)
#define __nonstring __attribute__((nonstring))
#else
#define __nonstring
#endif
#define __weak __attribute__((weak))
#define __alias(function) __attribute__((alias(#function)))
#define ____cacheline_aligned __aligned(64)
#define __printf(text, first) __attribute__((format(printf, text, first)))
#undef __attribute_const__
#define __attribute_const__ __attribute__((const))

#define __compiletime_error(text) __attribute__((error(text)))
#define __compiletime_warning(text) __attribute__((warning(text)))
/* Sections that the kernel's build checks. */
#define __ref
#define __refdata
#define __refconst

#define __user
#define __kernel
#define __force
#define __rcu

#define barrier() __asm__ volatile("" ::: "memory")

/** READ_ONCE(), WRITE_ONCE() - one access of the whole variable, which the compiler leaves alone. */
#define READ_ONCE(variable) (*(const volatile __typeof__(variable) *)&(variable))
#define WRITE_ONCE(variable, value) (*(volatile __typeof__(variable) *)&(variable) = (value))

/** read_word_at_a_time() - a word that lies in one page with a string's first byte, but may end behind it. */
__attribute__((no_sanitize("address"), unused)) static inline unsigned long
read_word_at_a_time(const void *from)
{
	typedef unsigned long __attribute__((may_alias)) word;

	return *(const volatile word *)from;
}

/** __native_word() - whether a type is one that the CPU reads and writes at once. */
#define __native_word(type)                                                                        \
	(sizeof(type) == 1 || sizeof(type) == 2 || sizeof(type) == 4 || sizeof(type) == 8)

#define __same_type(a, b) __builtin_types_compatible_p(__typeof__(a), __typeof__(b))

/** is_signed_type() - whether an integer type, or a pointer's, has negative values. */
#define is_signed_type(type) ((type)(-1) < (type)1)

#define PERMOD_KERNEL_JOIN2(a, b) a##b
#define PERMOD_KERNEL_JOIN(a, b) PERMOD_KERNEL_JOIN2(a, b)
#define __UNIQUE_ID(prefix) PERMOD_KERNEL_JOIN(__unique_##prefix##_, __COUNTER__)

#endif
