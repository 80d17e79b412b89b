/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The checked mode: mistakes with allocated memory are found while they are made, or when the
 * memory is freed or used again.  Each dynamic area has a guard gap behind it:
 *
 *     | asked for (bytes) | up to 3 bytes | guard, GUARD grains: zero on all CPUs |
 *                                                             the last grain's state: how many of the 3
 *
 * A write beyond the end leaves something in the gap, which is found when the area is freed.  A
 * freed area is filled with POISON on every possible CPU and waits; what has changed when it is
 * cleaned was written after it was freed.  AddressSanitizer and valgrind are told what may be
 * touched, and find the access itself; valgrind takes a cookie for a block of the heap, so that it
 * finds areas to which no pointer is left.
 *
 * It costs time and memory in proportion to the possible CPUs.
 */
#include "internal.h"

#include <string.h>
#include <sys/mman.h>
#ifdef HAVE_VALGRIND_MEMCHECK_H
#include <valgrind/memcheck.h>
#else
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_MAKE_MEM_NOACCESS(address, size) ((void)(address), (void)(size))
#define VALGRIND_MAKE_MEM_DEFINED(address, size) ((void)(address), (void)(size))
#define VALGRIND_MALLOCLIKE_BLOCK(address, size, redzone, zeroed) ((void)0)
#define VALGRIND_FREELIKE_BLOCK(address, redzone) ((void)0)
#endif

#define GUARD (PCPU_GUARD / PCPU_GRAIN)
#define POISON 0x6b
/* The mark of a state that is no beginning's. */
#define SLACK_MARK 0x50U

/* AddressSanitizer's, in a program that has it. */
#pragma GCC visibility push(default)
extern void __asan_poison_memory_region(const volatile void *address, size_t size)
	__attribute__((weak));
extern void __asan_unpoison_memory_region(const volatile void *address, size_t size)
	__attribute__((weak));
#pragma GCC visibility pop

bool pcpu_checked;

bool pcpu_runs_on_valgrind(void)
{
	return RUNNING_ON_VALGRIND;
}

/*
 * Let valgrind find areas that were lost.  It looks for pointers to them wherever memory may be used,
 * but only for such as point to what can be read: so cookies can be read here, by valgrind alone.
 */
static void prepare_valgrind(const struct pcpu_space *space)
{
	mprotect((void *)space->cookies, space->unit_size, PROT_READ);
	VALGRIND_MAKE_MEM_NOACCESS(space->cookies, space->unit_size);
	for (unsigned int cpu = 0; cpu < space->nr_cpus; cpu++)
		VALGRIND_MAKE_MEM_NOACCESS(pcpu_unit_address(space, cpu,
							     space->reserved.end * PCPU_GRAIN),
					   space->unit_size - space->reserved.end * PCPU_GRAIN);
}

/* By the setting; if there is none, where a tool looks on. */
void pcpu_choose_check(const struct pcpu_space *space)
{
	bool watched = RUNNING_ON_VALGRIND || __asan_poison_memory_region;

	pcpu_checked = pcpu_flag("PERCPU_CHECK", watched);
	if (pcpu_checked && RUNNING_ON_VALGRIND)
		prepare_valgrind(space);
}

/* Let tools know that a range of offsets may be used, or may not, on every CPU. */
static void allow(const struct pcpu_space *space, size_t offset, size_t size, bool allowed)
{
	for (unsigned int cpu = 0; cpu < space->nr_cpus; cpu++) {
		char *address = pcpu_unit_address(space, cpu, offset);

		if (!pcpu_is_possible(space, cpu))
			continue;
		if (allowed) {
			VALGRIND_MAKE_MEM_DEFINED(address, size);
			if (__asan_unpoison_memory_region)
				__asan_unpoison_memory_region(address, size);
		} else {
			VALGRIND_MAKE_MEM_NOACCESS(address, size);
			if (__asan_poison_memory_region)
				__asan_poison_memory_region(address, size);
		}
	}
}

size_t pcpu_checked_take(struct pcpu_space *space, size_t bytes, size_t align)
{
	size_t grains = (bytes + PCPU_GRAIN - 1) / PCPU_GRAIN, offset;

	if (bytes > space->unit_size)
		return SIZE_MAX;
	offset = pcpu_take(space, (grains + GUARD) * PCPU_GRAIN, align, false);
	if (offset == SIZE_MAX)
		return SIZE_MAX;
	pcpu_set_state(space, offset / PCPU_GRAIN + grains + GUARD - 1,
		       SLACK_MARK | (unsigned int)(grains * PCPU_GRAIN - bytes));
	allow(space, offset, bytes, true);
	allow(space, offset + bytes, (grains + GUARD) * PCPU_GRAIN - bytes, false);
	VALGRIND_MALLOCLIKE_BLOCK(space->cookies + offset, bytes, 0, 1);
	VALGRIND_MAKE_MEM_NOACCESS(space->cookies + offset, bytes);
	return offset;
}

/* How many bytes were asked for; *size is how many the area has. */
static size_t asked_bytes(const struct pcpu_space *space, size_t position, size_t *size)
{
	size_t grains = pcpu_area_size(space, position);
	unsigned int slack = pcpu_state(space, position + grains - 1) & 3;

	*size = grains * PCPU_GRAIN;
	return (grains - GUARD) * PCPU_GRAIN - slack;
}

/* The first byte that has not the value; `size` if all have. */
static size_t find_other(const char *bytes, size_t size, char value)
{
	size_t i = 0;

	while (i < size && bytes[i] == value)
		i++;
	return i;
}

static void check_guard(const struct pcpu_space *space, size_t offset, size_t bytes, size_t size)
{
	for (unsigned int cpu = 0; cpu < space->nr_cpus; cpu++) {
		size_t at = bytes;

		if (pcpu_is_possible(space, cpu))
			at += find_other(pcpu_unit_address(space, cpu, offset + bytes),
					 size - bytes, 0);
		if (pcpu_is_possible(space, cpu) && at < size)
			pcpu_die("free_percpu(%p): CPU %u's copy was written behind its end: byte "
				 "%zu of an area of %zu bytes (offset %#zx)",
				 (void *)(space->cookies + offset), cpu, at, bytes, offset);
	}
}

void pcpu_checked_free(struct pcpu_space *space, size_t position)
{
	size_t offset = position * PCPU_GRAIN, size;
	size_t bytes = asked_bytes(space, position, &size);

	VALGRIND_FREELIKE_BLOCK(space->cookies + offset, 0);
	allow(space, offset, size, true);
	check_guard(space, offset, bytes, size);
	for (unsigned int cpu = 0; cpu < space->nr_cpus; cpu++) {
		if (pcpu_is_possible(space, cpu))
			memset(pcpu_unit_address(space, cpu, offset), POISON, bytes);
	}
	allow(space, offset, size, false);
}

void pcpu_checked_clean(struct pcpu_space *space, const struct pcpu_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		size_t offset = (size_t)batch->position[i] * PCPU_GRAIN, size;
		size_t bytes = asked_bytes(space, batch->position[i], &size);

		allow(space, offset, size, true);
		for (unsigned int cpu = 0; cpu < space->nr_cpus; cpu++) {
			size_t at = bytes;

			if (pcpu_is_possible(space, cpu))
				at = find_other(pcpu_unit_address(space, cpu, offset), bytes,
						POISON);
			if (at < bytes)
				pcpu_die(
					"CPU %u's copy of the per-CPU area %p was written after it "
					"was freed: byte %zu of %zu (offset %#zx)",
					cpu, (void *)(space->cookies + offset), at, bytes, offset);
		}
		pcpu_set_state(space, batch->position[i] + size / PCPU_GRAIN - 1, 0);
	}
	pcpu_clean(space, batch);
	for (size_t i = 0; i < batch->count; i++)
		allow(space, (size_t)batch->position[i] * PCPU_GRAIN,
		      pcpu_area_size(space, batch->position[i]) * PCPU_GRAIN, false);
}
