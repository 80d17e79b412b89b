/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's integer types, and those small structures that it declares beside them.
 *
 * u64 is unsigned long long, as in the kernel, so that its formats (%llu) fit.  uint64_t is the same
 * type there, so it is here too, where the C library's is unsigned long.  And bool is no macro: names
 * of types are pasted to others.
 */
#ifndef PERMOD_KERNEL_TYPES_H
#define PERMOD_KERNEL_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <asm/bitsperlong.h>
#include <linux/compiler.h>
#include <linux/stddef.h>

#include_next <linux/types.h> /* the system's: __u8, __le16 and so on */

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s8 s8;
typedef __s16 s16;
typedef __s32 s32;
typedef __s64 s64;

#define uint64_t u64
#define int64_t s64
#undef bool
typedef _Bool bool;

/* glibc's is in <sys/types.h>, musl's a macro of <fcntl.h>. */
#if !defined(__GLIBC__) && !defined(loff_t)
typedef __kernel_loff_t loff_t;
#endif

typedef unsigned int gfp_t; /* GFP_*: how memory is to be allocated */

/** DECLARE_BITMAP() - an array of words that has room for so many bits. */
#define DECLARE_BITMAP(name, bits) unsigned long name[((bits) + BITS_PER_LONG - 1) / BITS_PER_LONG]

/* How two elements compare, and how they change places; the _r forms have an argument of the caller's. */
typedef int (*cmp_func_t)(const void *a, const void *b);
typedef int (*cmp_r_func_t)(const void *a, const void *b, const void *arg);
typedef void (*swap_func_t)(void *a, void *b, int size);
typedef void (*swap_r_func_t)(void *a, void *b, int size, const void *arg);

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	s64 counter;
} atomic64_t;

struct list_head {
	struct list_head *next, *prev;
};

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

#endif
