/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cleaning: zero what was freed, on the CPUs where anybody wrote.
 *
 * Nobody tells us of writes: any thread may write any CPU's copy through per_cpu_ptr().  But memory
 * that was never written has no page, and the kernel knows which pages are there.  The question is
 * asked for a whole batch of freed areas, which nobody writes any more:
 *
 *   - `touched` are the CPUs whose units have been seen to have pages.  Runs of the others are
 *     looked through by one PAGEMAP_SCAN each (Linux 6.7), which steps over what is not there; so
 *     a thousand possible CPUs on a machine with two cost little more than the two.
 *   - On a touched CPU a copy is read, and written if it is not zero.  (Reading memory that has
 *     no page maps the system's common page of zeros.)  If there are many, it is asked first which
 *     pages of the batch are there.
 *
 * mincore(2) does not do: for the kernel a page that is swapped out is not in core, but it is not
 * zero.  Where pages can't be asked for, all possible CPUs are touched.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A batch is compact if it spans no more pages than this, or than twice what it fills. */
#define COMPACT ((size_t)64)
/* Pages of a batch that are asked for on each CPU. */
#define WINDOW ((size_t)512)
/* Ranges of pages that are asked for at a time. */
#define FOUND 32
/* So many pages on few CPUs are read in any case: asking takes longer. */
#define FEW_PAGES ((size_t)2)
/* Longer ranges are given back to the system rather than zeroed. */
#define LONG_RANGE ((size_t)64 << 10)

/* ---- Which pages are there ------------------------------------------------------------------ */

/* The pages that a batch spans, on one CPU. */
struct window {
	struct pcpu_space *space;
	size_t begin, size; /* offset of the first page; bytes */
	unsigned int cpu;
	bool asked;		     /* which pages are there; else any may be */
	uint64_t there[WINDOW / 64]; /* bitmap of pages */
};

static uintptr_t window_address(const struct window *window)
{
	return (uintptr_t)pcpu_unit_address(window->space, window->cpu, window->begin);
}

/* The first CPU from `cpu` on that is touched, or is not; nr_cpus if there is none. */
static unsigned int next_cpu(const struct pcpu_space *space, unsigned int cpu, bool touched)
{
	while (cpu < space->nr_cpus) {
		unsigned int last = cpu % PCPU_LONG_BITS;
		unsigned long word = pcpu_set_from(space->touched, cpu);

		if (!touched)
			word = ~word & ~0UL >> last;
		if (word) {
			cpu += (unsigned int)__builtin_ctzl(word);
			return cpu < space->nr_cpus ? cpu : space->nr_cpus;
		}
		cpu += PCPU_LONG_BITS - last;
	}
	return space->nr_cpus;
}

/* Mark CPUs that have pages in a range behind their static variables. */
static void touch_range(struct pcpu_space *space, uintptr_t begin, uintptr_t end)
{
	size_t first = (begin - space->units) / space->unit_size;
	size_t last = (end - 1 - space->units) / space->unit_size;

	for (size_t unit = first; unit <= last; unit++) {
		if (unit < last ||
		    end > space->units + unit * space->unit_size + space->static_size)
			pcpu_set_add(space->touched, (unsigned int)unit);
	}
}

static bool look_through(struct pcpu_space *space, int pagemap, uintptr_t from, uintptr_t to)
{
	struct pcpu_pages found[FOUND] = { 0 }; /* valgrind does not know the ioctl */

	while (from < to) {
		int count = pcpu_scan_pages(pagemap, &from, to, found, FOUND);

		if (count < 0)
			return false;
		for (int i = 0; i < count; i++)
			touch_range(space, (uintptr_t)found[i].start, (uintptr_t)found[i].end);
	}
	return true;
}

/* Look through the units from one CPU's to before another's; where these are few, only for pages
 * of the window. */
static bool look_at_units(struct window *window, int pagemap, unsigned int begin, unsigned int end)
{
	struct pcpu_space *space = window->space;

	if (end - begin > PCPU_FEW_CPUS)
		return look_through(space, pagemap, (uintptr_t)pcpu_unit_address(space, begin, 0),
				    (uintptr_t)pcpu_unit_address(space, end, 0));
	for (window->cpu = begin; window->cpu < end; window->cpu++) {
		uintptr_t from = window_address(window);

		if (!look_through(space, pagemap, from, from + window->size))
			return false;
	}
	return true;
}

static void touch_all(struct pcpu_space *space)
{
	for (unsigned int cpu = 0; cpu < space->nr_cpus; cpu++) {
		if (pcpu_is_possible(space, cpu))
			pcpu_set_add(space->touched, cpu);
	}
}

/* Find out which other CPUs have been written by now; all possible ones, if it can't be told. */
static void find_touched(struct window *window, int pagemap)
{
	struct pcpu_space *space = window->space;

	for (unsigned int cpu = 0, end; cpu < space->nr_cpus; cpu = end) {
		cpu = next_cpu(space, cpu, false);
		end = next_cpu(space, cpu, true);
		if (look_at_units(window, pagemap, cpu, end))
			continue;
		touch_all(space);
		return;
	}
}

static bool has_many_touched(const struct pcpu_space *space)
{
	unsigned int count = 0;

	for (unsigned int cpu = next_cpu(space, 0, true);
	     cpu < space->nr_cpus && count <= PCPU_FEW_CPUS; cpu = next_cpu(space, cpu + 1, true))
		count++;
	return count > PCPU_FEW_CPUS;
}

static bool has_pages(const struct window *window)
{
	for (size_t i = 0; i < WINDOW / 64; i++) {
		if (window->there[i])
			return true;
	}
	return false;
}

/* ---- Zeroing -------------------------------------------------------------------------------- */

size_t pcpu_next_run(const struct pcpu_space *space, const struct pcpu_batch *batch, size_t i,
		     size_t *begin, size_t *end)
{
	size_t size = batch->size;

	*begin = *end = batch->position[i];
	for (; i < batch->count; i++) {
		size_t position = batch->position[i];

		if (!batch->size)
			size = pcpu_area_size(space, position);
		if (position == *end)
			*end += size;
		else if (position + size == *begin)
			*begin = position;
		else
			break;
	}
	return i;
}

static bool is_zero(const unsigned char *bytes, size_t size)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* Zero a range of offsets, page by page, so that pages which hold nothing else get none. */
static void zero(const struct window *window, size_t begin, size_t end)
{
	size_t page = window->space->page, next;

	for (; begin < end; begin = next) {
		size_t index = (begin - window->begin) / page;
		unsigned char *bytes;

		next = (begin | (page - 1)) + 1;
		if (next > end)
			next = end;
		if (window->asked && !(window->there[index / 64] >> (index % 64) & 1))
			continue;
		bytes = (unsigned char *)pcpu_unit_address(window->space, window->cpu, begin);
		if (!is_zero(bytes, next - begin))
			memset(bytes, 0, next - begin);
	}
}

/* Whether these pages were given back, and are zero from now on.  QEMU 7.2 says so and keeps them as they
 * were, if their protection was changed before: hence the first time is looked at. */
static bool give_back(volatile char *pages, size_t size)
{
	static int believed; /* 0: not known yet */
	int before = __atomic_load_n(&believed, __ATOMIC_RELAXED);
	bool done;

	if (before < 0)
		return false;
	if (!before)
		*pages = 1;
	done = !madvise((char *)(uintptr_t)pages, size, MADV_DONTNEED);
	if (before)
		return done;
	if (done)
		__atomic_store_n(&believed, *pages ? -1 : 1, __ATOMIC_RELAXED);
	if (!done || *pages)
		*pages = done = 0;
	return done;
}

/* Zero a long range by giving its pages back.  (Not those of the first chunk, if the program has
 * provided them; nor locked ones, mlock(2), which the system keeps.) */
static void drop(const struct window *window, size_t begin, size_t end)
{
	const struct pcpu_space *space = window->space;
	size_t first = (begin + space->page - 1) & ~(space->page - 1);
	size_t last = end & ~(space->page - 1);

	if (!(space->provided && begin < space->first_size) &&
	    give_back(pcpu_unit_address(space, window->cpu, first), last - first)) {
		zero(window, begin, first);
		begin = last;
	}
	zero(window, begin, end);
}

/* Areas from caches will soon be used again; of others, long ones are given back. */
static void clean_cpu(const struct window *window, const struct pcpu_batch *batch)
{
	size_t begin, end;

	for (size_t i = 0; i < batch->count;) {
		i = pcpu_next_run(window->space, batch, i, &begin, &end);
		begin *= PCPU_GRAIN;
		end *= PCPU_GRAIN;
		if (!batch->size && end - begin >= LONG_RANGE)
			drop(window, begin, end);
		else
			zero(window, begin, end);
	}
}

/* ---- A batch -------------------------------------------------------------------------------- */

/* Set the window to the pages from the first to the last area; returns how many these would fill. */
static size_t measure(struct window *window, const struct pcpu_batch *batch)
{
	size_t mask = window->space->page - 1, low = SIZE_MAX, high = 0, sum = 0;

	for (size_t i = 0; i < batch->count; i++) {
		size_t begin = batch->position[i], size = batch->size;

		if (!size)
			size = pcpu_area_size(window->space, begin);
		low = begin < low ? begin : low;
		high = begin + size > high ? begin + size : high;
		sum += size;
	}
	window->begin = low * PCPU_GRAIN & ~mask;
	window->size = ((high * PCPU_GRAIN + mask) & ~mask) - window->begin;
	return sum * PCPU_GRAIN / window->space->page;
}

/* Clean the areas of a window on the CPUs that are touched; on all, where nobody knows. */
static void clean_touched(struct window *window, int pagemap, const struct pcpu_batch *batch)
{
	struct pcpu_space *space = window->space;

	window->asked = window->size / space->page <= WINDOW && has_many_touched(space);
	for (window->cpu = next_cpu(space, 0, true); window->cpu < space->nr_cpus;
	     window->cpu = next_cpu(space, window->cpu + 1, true)) {
		if (window->asked)
			pcpu_find_pages(pagemap, window_address(window), window->size / space->page,
					space->page, window->there);
		if (!window->asked || has_pages(window))
			clean_cpu(window, batch);
	}
}

static void clean_all(struct window *window, const struct pcpu_batch *batch)
{
	for (window->cpu = 0; window->cpu < window->space->nr_cpus; window->cpu++) {
		if (pcpu_is_possible(window->space, window->cpu))
			clean_cpu(window, batch);
	}
}

/* With questions to the kernel, which must not be where a thread is cancelled. */
static void clean_where_written(struct window *window, const struct pcpu_batch *batch)
{
	int state, pagemap;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pagemap = pcpu_open_pagemap();
	if (pagemap >= 0) {
		find_touched(window, pagemap);
		clean_touched(window, pagemap, batch);
		close(pagemap);
	} else {
		touch_all(window->space);
		clean_all(window, batch);
	}
	pthread_setcancelstate(state, NULL);
}

bool pcpu_clean(struct pcpu_space *space, const struct pcpu_batch *batch)
{
	struct window window = { .space = space };
	size_t filled, pages;
	int saved = errno;

	if (!batch->count)
		return true;
	filled = measure(&window, batch);
	pages = window.size / space->page;
	/* What is in memory that is shared or a file's can't be told from its pages. */
	if (space->provided && window.begin < space->first_size) {
		touch_all(space);
		clean_all(&window, batch);
	} else if (space->nr_cpus <= PCPU_FEW_CPUS &&
		   (pages <= FEW_PAGES || next_cpu(space, 0, false) == space->nr_cpus)) {
		clean_all(&window, batch);
	} else {
		clean_where_written(&window, batch);
	}
	errno = saved;
	return pages <= COMPACT || pages <= 2 * filled;
}
