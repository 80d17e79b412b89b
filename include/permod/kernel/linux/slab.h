/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory, from the C library's malloc().  All of it may wait, so the flags say only whether it is zeroed
 * (__GFP_ZERO), and whether the process ends rather than NULL be returned (__GFP_NOFAIL).  It is aligned
 * as malloc()'s is, no matter how large; what krealloc() adds is never zeroed.
 */
#ifndef PERMOD_KERNEL_SLAB_H
#define PERMOD_KERNEL_SLAB_H

#include <linux/bug.h>
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/types.h>
#include <stdlib.h>

static inline void *kmalloc_array(size_t count, size_t size, gfp_t flags)
{
	void *memory = NULL;
	size_t bytes;

	if (!__builtin_mul_overflow(count, size, &bytes))
		memory = flags & __GFP_ZERO ? calloc(1, bytes) : malloc(bytes);
	BUG_ON(!memory && flags & __GFP_NOFAIL);
	return memory;
}

static inline void *kmalloc(size_t size, gfp_t flags)
{
	return kmalloc_array(1, size, flags);
}

static inline void *kzalloc(size_t size, gfp_t flags)
{
	return kmalloc(size, flags | __GFP_ZERO);
}

static inline void *kcalloc(size_t count, size_t size, gfp_t flags)
{
	return kmalloc_array(count, size, flags | __GFP_ZERO);
}

static inline void *krealloc(const void *memory, size_t size, gfp_t flags)
{
	(void)flags;
	return realloc((void *)memory, size);
}

static inline void kfree(const void *memory)
{
	free((void *)memory);
}

#endif
