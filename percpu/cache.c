/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Caches: for each CPU, and each size from 1 to PCPU_SMALL grains, a list of clean areas and one of
 * freed areas that wait to be cleaned.  A list is an array used as a stack, and its length.
 *
 *     caches[cpu] --> | headers: lengths and limit of each size | arrays of each size: clean, dirty |
 *
 * The operations are restartable sequences that end by storing the length, on the CPU they run on,
 * so that no other thread is ever between two of their instructions.  A process without them has
 * no caches.
 *
 * Emptying the caches of other CPUs: every sequence looks its cache up in the table.  With all
 * entries of the table pointing to an empty cache with limit 0, and after a fence (fence.c) has
 * restarted the sequences that had looked before, the real ones are nobody's but ours.
 */
#define _GNU_SOURCE
#include "cache.h"

#include <string.h>
#include <sys/mman.h>

/* ThreadSanitizer's, in a program that has it. */
#pragma GCC visibility push(default)
extern void __tsan_acquire(void *address) __attribute__((weak));
#pragma GCC visibility pop

uintptr_t *pcpu_caches;
static uintptr_t *caches;     /* the same, before anybody uses it */
static uintptr_t first_cache; /* address of CPU 0's; the others follow */
static unsigned int cpus;
static unsigned long used[PCPU_MAX_CPUS / PCPU_LONG_BITS]; /* which hold or held anything */
static const struct pcpu_cache_header nothing[PCPU_SMALL];

void pcpu_cache_init(const struct pcpu_space *space)
{
	size_t table = (space->nr_cpus * sizeof(uintptr_t) + space->page - 1) & ~(space->page - 1);
	char *memory;

	/* What can't be stopped for a fork() can't be had; nor what ThreadSanitizer can't see: that an
	 * area's old owner has done before its new one begins. */
	if (!PCPU_HAS_CACHES || pcpu_checked || __tsan_acquire || !pcpu_fence_register())
		return;
	memory = mmap(NULL, table + space->nr_cpus * PCPU_CACHE_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return;
	madvise(memory, table + space->nr_cpus * PCPU_CACHE_SIZE, MADV_NOHUGEPAGE);
	first_cache = (uintptr_t)memory + table;
	cpus = space->nr_cpus;
	caches = (uintptr_t *)memory;
	pcpu_cache_start();
	__atomic_store_n(&pcpu_caches, caches, __ATOMIC_RELEASE);
}

/* ---- One list of the current CPU ------------------------------------------------------------ */

void pcpu_cache_take(size_t size, struct pcpu_batch *batch)
{
	batch->size = size;
	batch->count =
		pcpu_sequence_take(pcpu_caches, pcpu_cache_length_at(size, PCPU_DIRTY_LIST),
				   pcpu_cache_array_at(size, PCPU_DIRTY_LIST), batch->position);
}

bool pcpu_cache_put(size_t size, const uint32_t *positions, size_t count)
{
	return pcpu_sequence_put(pcpu_caches, pcpu_cache_length_at(size, PCPU_CLEAN_LIST),
				 pcpu_cache_array_at(size, PCPU_CLEAN_LIST), positions, count);
}

/* For looking at a cache: what is there may have changed as soon as it is known. */
static struct pcpu_cache_header *header_at(unsigned int cpu, size_t size)
{
	return (struct pcpu_cache_header *)(first_cache + cpu * PCPU_CACHE_SIZE) + (size - 1);
}

size_t pcpu_cache_count(size_t size, enum pcpu_list list)
{
	const struct pcpu_cache_header *header;

	header = header_at(pcpu_current_cpu(), size);
	return __atomic_load_n(list == PCPU_CLEAN_LIST ? &header->clean : &header->dirty,
			       __ATOMIC_RELAXED);
}

size_t pcpu_cache_limit(size_t size)
{
	return __atomic_load_n(&header_at(pcpu_current_cpu(), size)->limit, __ATOMIC_RELAXED);
}

void pcpu_cache_set_limit(size_t size, size_t limit)
{
	unsigned int cpu = pcpu_current_cpu();

	pcpu_set_add(used, cpu);
	__atomic_store_n(&header_at(cpu, size)->limit, (uint32_t)limit, __ATOMIC_RELAXED);
}

size_t pcpu_cache_refilled(size_t size)
{
	return __atomic_load_n(&header_at(pcpu_current_cpu(), size)->refilled, __ATOMIC_RELAXED);
}

void pcpu_cache_set_refilled(size_t size, size_t count)
{
	__atomic_store_n(&header_at(pcpu_current_cpu(), size)->refilled, (uint32_t)count,
			 __ATOMIC_RELAXED);
}

/* ---- All CPUs' ------------------------------------------------------------------------------ */

void pcpu_cache_start(void)
{
	for (unsigned int cpu = 0; cpu < cpus; cpu++)
		__atomic_store_n(&caches[cpu], first_cache + cpu * PCPU_CACHE_SIZE,
				 __ATOMIC_RELEASE);
}

void pcpu_cache_stop(void)
{
	for (unsigned int cpu = 0; cpu < cpus; cpu++)
		__atomic_store_n(&caches[cpu], (uintptr_t)nothing, __ATOMIC_RELAXED);
	if (cpus)
		pcpu_fence();
}

static void drain_list(unsigned int cpu, size_t size, enum pcpu_list list, struct pcpu_batch *batch,
		       void (*give)(struct pcpu_batch *, enum pcpu_list))
{
	struct pcpu_cache_header *header = header_at(cpu, size);
	uint32_t *length = list == PCPU_CLEAN_LIST ? &header->clean : &header->dirty;
	const void *array = (const void *)(first_cache + cpu * PCPU_CACHE_SIZE +
					   pcpu_cache_array_at(size, list));

	if (!*length)
		return;
	batch->size = size;
	batch->count = *length;
	memcpy(batch->position, array, *length * sizeof(*batch->position));
	*length = 0;
	give(batch, list);
}

void pcpu_cache_drain(struct pcpu_batch *batch, void (*give)(struct pcpu_batch *, enum pcpu_list))
{
	for (unsigned int cpu = 0; cpu < cpus; cpu++) {
		for (size_t size = 1; pcpu_set_has(used, cpu) && size <= PCPU_SMALL; size++) {
			drain_list(cpu, size, PCPU_CLEAN_LIST, batch, give);
			drain_list(cpu, size, PCPU_DIRTY_LIST, batch, give);
		}
	}
}

void pcpu_cache_sum(size_t *areas, size_t *grains)
{
	for (unsigned int cpu = 0; cpu < cpus; cpu++) {
		for (size_t size = 1; pcpu_set_has(used, cpu) && size <= PCPU_SMALL; size++) {
			const struct pcpu_cache_header *header = header_at(cpu, size);
			size_t count = __atomic_load_n(&header->clean, __ATOMIC_RELAXED) +
				       __atomic_load_n(&header->dirty, __ATOMIC_RELAXED);

			*areas += count;
			*grains += count * size;
		}
	}
}
