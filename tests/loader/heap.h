/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many bytes of the heap are in use: as a sanitizer or the C library counts them, or, where it does
 * not (musl), counted by an allocator before its own.
 */
#ifndef TESTS_LOADER_HEAP_H
#define TESTS_LOADER_HEAP_H

#include "tests/percpu/helper.h"

/* Whether small blocks come from mappings that come and go, as musl's do. */
#if SANITIZED || defined(HAVE_MALLINFO2)
#define HEAP_IS_MAPPED 0
#else
#define HEAP_IS_MAPPED 1
#endif

#if SANITIZED
size_t __sanitizer_get_current_allocated_bytes(void);

static inline size_t heap_used(void)
{
	return __sanitizer_get_current_allocated_bytes();
}
#elif defined(HAVE_MALLINFO2)
#include <malloc.h>

/* glibc counts what waits in a thread's cache, too. */
static inline size_t heap_used(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}
#else
#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>

static size_t heap_bytes; /* atomic */

static inline size_t heap_used(void)
{
	return __atomic_load_n(&heap_bytes, __ATOMIC_RELAXED);
}

/* Their own calls of each other are not to be counted. */
static __thread unsigned int heap_depth;

/* Calls the C library's own of a function that is defined here. */
#define NEXT(result, function, ...)                                                                \
	do {                                                                                       \
		static __typeof__(function) *next;                                                 \
                                                                                                   \
		if (!next)                                                                         \
			next = (__typeof__(function) *)dlsym(RTLD_NEXT, #function);                \
		heap_depth++;                                                                      \
		result next(__VA_ARGS__);                                                          \
		heap_depth--;                                                                      \
	} while (0)

static void *count_block(void *block)
{
	if (block && !heap_depth)
		__atomic_add_fetch(&heap_bytes, malloc_usable_size(block), __ATOMIC_RELAXED);
	return block;
}

static size_t uncount_block(void *block)
{
	size_t size = block && !heap_depth ? malloc_usable_size(block) : 0;

	__atomic_sub_fetch(&heap_bytes, size, __ATOMIC_RELAXED);
	return size;
}

void *malloc(size_t size)
{
	void *block;

	NEXT(block =, malloc, size);
	return count_block(block);
}

void *calloc(size_t count, size_t size)
{
	void *block;

	NEXT(block =, calloc, count, size);
	return count_block(block);
}

void *realloc(void *block, size_t size)
{
	size_t old = uncount_block(block);
	void *moved;

	NEXT(moved =, realloc, block, size);
	if (!moved)
		__atomic_add_fetch(&heap_bytes, old, __ATOMIC_RELAXED);
	return count_block(moved);
}

void *aligned_alloc(size_t align, size_t size)
{
	void *block;

	NEXT(block =, aligned_alloc, align, size);
	return count_block(block);
}

void free(void *block)
{
	uncount_block(block);
	NEXT(, free, block);
}
#undef NEXT
#endif

#endif
