/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that is written at once from end to end: files as they are read, large modules.
 *
 * To touch a new page costs more than to fill it, so what is large is taken in large pages as far as
 * it fills them, if the system has any for those who ask, and the rest in one call instead of a fault
 * for each page.  Small buffers come from malloc(), which has pages already, and whose users
 * checkers watch.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* A page for less would take longer to be zeroed than the small ones. */
#define LEAST_OF_LARGE_PAGE (LARGE_PAGE / 2)
#define LEAST_MAPPED ((size_t)128 << 10) /* bytes; smaller buffers are malloc()'s */

size_t in_large_pages(size_t size)
{
	size_t large = size & ~(LARGE_PAGE - 1);

	return size - large >= LEAST_OF_LARGE_PAGE ? large + LARGE_PAGE : large;
}

void populate(uintptr_t address, size_t size, size_t mapped)
{
	size_t large = in_large_pages(size);

	if (address % LARGE_PAGE == 0 && large && large <= mapped) {
		madvise((void *)address, large, MADV_HUGEPAGE);
		if (size < large)
			size = large;
	}
	/* Older systems than Linux 5.14 can't, and do it page by page. */
	madvise((void *)address, size, MADV_POPULATE_WRITE);
}

static size_t mapped_size(size_t size)
{
	size_t pages = round_up(size, (size_t)sysconf(_SC_PAGESIZE)), large = in_large_pages(size);

	return large > pages ? large : pages;
}

/* `size` bytes of address space from a multiple of a large page on. */
static char *map_aligned(size_t size)
{
	size_t slack = LARGE_PAGE - (size_t)sysconf(_SC_PAGESIZE), before;
	char *base = mmap(NULL, size + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	if (base == MAP_FAILED)
		return MAP_FAILED;
	before = -(uintptr_t)base & (LARGE_PAGE - 1);
	if (before)
		munmap(base, before);
	if (before < slack)
		munmap(base + before + size, slack - before);
	return base + before;
}

void *take_buffer(size_t size)
{
	size_t mapped;
	char *buffer;

	if (size < LEAST_MAPPED || size > SIZE_MAX / 2)
		return malloc(size);
	mapped = mapped_size(size);
	if (in_large_pages(size))
		buffer = map_aligned(mapped);
	else
		buffer = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			      0);
	if (buffer == MAP_FAILED)
		return NULL;
	populate((uintptr_t)buffer, size, mapped);
	return buffer;
}

void *take_large(size_t size)
{
	char *room = map_aligned(size);

	if (room == MAP_FAILED)
		return NULL;
	madvise(room, size, MADV_HUGEPAGE);
	return room;
}

void give_buffer(void *buffer, size_t size)
{
	if (!buffer || size < LEAST_MAPPED)
		free(buffer);
	else
		munmap(buffer, mapped_size(size));
}
