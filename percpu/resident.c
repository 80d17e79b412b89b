/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which pages are there, as the kernel knows it: those that somebody wrote, in memory or swapped
 * out.  Three ways to ask:
 *
 *   - PAGEMAP_SCAN (Linux 6.7) finds ranges of them, and steps over what is not there, so that
 *     address space costs next to nothing.  The system's common page of zeros, which is mapped where
 *     memory was only read, is left out.
 *   - /proc/self/pagemap has an entry for each page, in which the page of zeros looks like others.
 *   - mincore(2), where there is no /proc, does not count what is swapped out either: good enough for
 *     looking, but not for cleaning.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Ranges that are asked for at a time. */
#define FOUND 32

/* The kernel's interface (include/uapi/linux/fs.h), not in older headers. */
struct request {
	uint64_t size, flags, start, end, walk_end, found, found_length, most_pages;
	uint64_t inverted, all_of, any_of, reported;
};
#define SCAN _IOWR('f', 16, struct request)
#define IS_PRESENT ((uint64_t)1 << 3)
#define IS_SWAPPED ((uint64_t)1 << 4)
#define IS_ZERO_PAGE ((uint64_t)1 << 5)

/* An entry of /proc/self/pagemap: present, or swapped out. */
#define ENTRY_IS_THERE ((uint64_t)3 << 62)

int pcpu_scan_pages(int pagemap, uintptr_t *from, uintptr_t end, struct pcpu_pages *found,
		    size_t most)
{
	struct request request = {
		.size = sizeof(request),
		.start = *from,
		.end = end,
		.found = (uintptr_t)found,
		.found_length = most,
		.inverted = IS_ZERO_PAGE,
		.all_of = IS_ZERO_PAGE,
		.any_of = IS_PRESENT | IS_SWAPPED,
	};
	int count = ioctl(pagemap, SCAN, &request);

	if (count >= 0)
		*from = (uintptr_t)request.walk_end;
	return count;
}

static void set_bits(uint64_t *map, size_t begin, size_t end)
{
	for (; begin < end; begin++)
		map[begin / 64] |= (uint64_t)1 << (begin % 64);
}

/* Before Linux 6.7; all pages if it can't be told. */
static void read_entries(int pagemap, uintptr_t begin, size_t count, size_t page, uint64_t *there)
{
	uint64_t entry[64];

	for (size_t i = 0; i < count; i++) {
		off_t at = (off_t)((begin / page + i) * sizeof(*entry));

		/* What is not read counts as there. */
		if (i % 64 == 0) {
			memset(entry, 0xff, sizeof(entry));
			if (pread(pagemap, entry, sizeof(entry), at) < 0)
				memset(entry, 0xff, sizeof(entry));
		}
		if (entry[i % 64] & ENTRY_IS_THERE)
			set_bits(there, i, i + 1);
	}
}

/* Without /proc. */
static void ask_core(uintptr_t begin, size_t count, size_t page, uint64_t *there)
{
	unsigned char core[512];

	for (size_t i = 0; i < count; i++) {
		size_t rest = count - i < sizeof(core) ? count - i : sizeof(core);

		if (i % sizeof(core) == 0 &&
		    mincore((char *)begin + i * page, rest * page, core)) /* unmapped */
			memset(core, 0, sizeof(core));
		if (core[i % sizeof(core)] & 1)
			set_bits(there, i, i + 1);
	}
}

void pcpu_find_pages(int pagemap, uintptr_t begin, size_t count, size_t page, uint64_t *there)
{
	uintptr_t from = begin, end = begin + count * page;
	struct pcpu_pages found[FOUND] = { 0 }; /* valgrind does not know the ioctl */

	memset(there, 0, (count + 63) / 64 * sizeof(*there));
	if (pagemap < 0) {
		ask_core(begin, count, page, there);
		return;
	}
	while (from < end) {
		int ranges = pcpu_scan_pages(pagemap, &from, end, found, FOUND);

		if (ranges < 0) {
			read_entries(pagemap, begin, count, page, there);
			return;
		}
		for (int i = 0; i < ranges; i++)
			set_bits(there, (size_t)(found[i].start - begin) / page,
				 (size_t)(found[i].end - begin) / page);
	}
}

/* Pages of which every second one is written, and their entries. */
#define PROBED 64

static bool entries_are_right(const char *pages, size_t page, int pagemap)
{
	uint64_t entry[PROBED];

	if (pread(pagemap, entry, sizeof(entry), (off_t)((uintptr_t)pages / page * 8)) !=
	    (ssize_t)sizeof(entry))
		return false;
	for (size_t i = 0; i < PROBED; i++) {
		if (entry[i] >> 62 != (i % 2 ? 2 : 0))
			return false;
	}
	return true;
}

/* An emulator may pass a file on that tells of its own addresses, in its own byte order and pages. */
static bool tells_of_us(int pagemap)
{
	size_t page = pcpu_core.page, size = PROBED * page;
	char *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool right;

	if (pages == MAP_FAILED)
		return false;
	madvise(pages, size, MADV_NOHUGEPAGE);
	for (size_t i = 1; i < PROBED; i += 2)
		*(volatile char *)(pages + i * page) = 1;
	right = entries_are_right(pages, page, pagemap);
	munmap(pages, size);
	return right;
}

int pcpu_open_pagemap(void)
{
	static int told; /* 0: not known yet */
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (pagemap < 0)
		return -1;
	if (!__atomic_load_n(&told, __ATOMIC_RELAXED))
		__atomic_store_n(&told, tells_of_us(pagemap) ? 1 : -1, __ATOMIC_RELAXED);
	if (__atomic_load_n(&told, __ATOMIC_RELAXED) > 0)
		return pagemap;
	close(pagemap);
	return -1;
}
