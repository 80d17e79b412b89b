/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Caches, the fast part: how they are laid out, and one area from or to a list of the current CPU.
 * See cache.c.
 */
#ifndef PERCPU_CACHE_H
#define PERCPU_CACHE_H

#include "internal.h"

#ifdef PERMOD_ARCH_X86_64_H
#include "arch/x86_64.h"
#else
#include "arch/generic.h"
#endif

enum pcpu_list { PCPU_CLEAN_LIST, PCPU_DIRTY_LIST };

/* For each size.  The sequences know that the limit is behind the lengths, in this order. */
struct pcpu_cache_header {
	uint32_t clean, dirty, limit;
	uint32_t refilled; /* how many were taken from the pool the last time */
};

/* Bytes: of the headers, of an array, and of a cache. */
#define PCPU_CACHE_HEADERS ((size_t)4096)
#define PCPU_CACHE_ARRAY (PCPU_BATCH * sizeof(uint32_t))
#define PCPU_CACHE_SIZE (PCPU_CACHE_HEADERS + PCPU_SMALL * 2 * PCPU_CACHE_ARRAY)

/* The table that sequences read, of the CPUs' caches; NULL: there are none. */
extern uintptr_t *pcpu_caches;

/* Where things of a size are in a cache: bytes. */
static inline size_t pcpu_cache_length_at(size_t size, enum pcpu_list list)
{
	return (size - 1) * sizeof(struct pcpu_cache_header) +
	       (list == PCPU_CLEAN_LIST ? offsetof(struct pcpu_cache_header, clean)
					: offsetof(struct pcpu_cache_header, dirty));
}

static inline size_t pcpu_cache_array_at(size_t size, enum pcpu_list list)
{
	return PCPU_CACHE_HEADERS + ((size - 1) * 2 + list) * PCPU_CACHE_ARRAY;
}

/* Whether there are caches, for a thread that the kernel knows: pcpu_prepare_thread(). */
static inline bool pcpu_cache_is_usable(void)
{
	return __builtin_expect(pcpu_caches && pcpu_thread_is_known(), 1);
}

/* Take a clean area; -1 if there is none.  Async-signal-safe, as the next. */
static inline int64_t pcpu_cache_pop(size_t size)
{
	return pcpu_sequence_pop(pcpu_caches, pcpu_cache_length_at(size, PCPU_CLEAN_LIST),
				 pcpu_cache_array_at(size, PCPU_CLEAN_LIST));
}

/* Leave a freed area; false if the list is full. */
static inline bool pcpu_cache_push(size_t size, uint32_t position)
{
	return pcpu_sequence_push(pcpu_caches, pcpu_cache_length_at(size, PCPU_DIRTY_LIST),
				  pcpu_cache_array_at(size, PCPU_DIRTY_LIST), position);
}

void pcpu_cache_init(const struct pcpu_space *space);
/* Take all freed areas of the current CPU. */
void pcpu_cache_take(size_t size, struct pcpu_batch *batch);
/* Leave clean areas; false if there is no room. */
bool pcpu_cache_put(size_t size, const uint32_t *positions, size_t count);
/* How many the current CPU has and may have.  Soon outdated. */
size_t pcpu_cache_count(size_t size, enum pcpu_list list);
size_t pcpu_cache_limit(size_t size);
void pcpu_cache_set_limit(size_t size, size_t limit);
size_t pcpu_cache_refilled(size_t size);
void pcpu_cache_set_refilled(size_t size, size_t count);
/* Between these two all caches look empty and full to everybody, and can be drained. */
void pcpu_cache_stop(void);
void pcpu_cache_start(void);
void pcpu_cache_drain(struct pcpu_batch *batch, void (*give)(struct pcpu_batch *, enum pcpu_list));
/* Add up how many areas and grains are in caches. */
void pcpu_cache_sum(size_t *areas, size_t *grains);

#endif
