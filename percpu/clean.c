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
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* A batch is compact if it spans no more pages than this, or than twice what it fills. */
#define COMPACT ((size_t)64)
/* Pages of a batch that are asked for on each CPU. */
#define WINDOW ((size_t)512)
/* With more touched CPUs than this, ask for pages rather than read all copies. */
#define FEW_CPUS 4U
/* Longer ranges are given back to the system rather than zeroed. */
#define LONG_RANGE ((size_t)64 << 10)

/* ---- Which pages are there ------------------------------------------------------------------ */

/* The kernel's interface to look for pages (include/uapi/linux/fs.h), not in older headers. */
struct found {
	uint64_t start, end, categories;
};
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

/* Find ranges with pages from *from on; returns how many, and where it stopped in *from. */
static int scan(int pagemap, uintptr_t *from, uintptr_t end, struct found *found, size_t most)
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

static bool is_touched(const struct pcpu_space *space, unsigned int cpu)
{
	return (__atomic_load_n(&space->touched[cpu / 64], __ATOMIC_RELAXED) >> (cpu % 64)) & 1;
}

static void touch(struct pcpu_space *space, unsigned int cpu)
{
	__atomic_fetch_or(&space->touched[cpu / 64], (uint64_t)1 << (cpu % 64), __ATOMIC_RELAXED);
}

/* Mark CPUs that have pages in a range behind their static variables. */
static void touch_range(struct pcpu_space *space, uintptr_t begin, uintptr_t end)
{
	size_t first = (begin - space->units) / space->unit_size;
	size_t last = (end - 1 - space->units) / space->unit_size;

	for (size_t unit = first; unit <= last; unit++) {
		if ((unit < last || end > space->units + unit * space->unit_size +
						  space->static_size) &&
		    unit < space->nr_cpus)
			touch(space, (unsigned int)unit);
	}
}

/* Look through the units from one CPU's to before another's. */
static bool look_through(struct pcpu_space *space, int pagemap, unsigned int begin,
			 unsigned int end)
{
	uintptr_t from = space->units + begin * space->unit_size;
	uintptr_t to = space->units + end * space->unit_size;
	struct found found[64];

	while (from < to) {
		int count = scan(pagemap, &from, to, found, 64);

		if (count < 0)
			return false;
		for (int i = 0; i < count; i++)
			touch_range(space, (uintptr_t)found[i].start, (uintptr_t)found[i].end);
	}
	return true;
}

/* Find out which other CPUs have been written by now; returns how many are touched. */
static unsigned int find_touched(struct pcpu_space *space, int pagemap)
{
	unsigned int count = 0;
	bool ok = true;

	for (unsigned int cpu = 0, end; cpu < space->nr_cpus && ok; cpu = end) {
		end = cpu + 1;
		if (is_touched(space, cpu))
			continue;
		while (end < space->nr_cpus && !is_touched(space, end))
			end++;
		ok = look_through(space, pagemap, cpu, end);
	}
	for (unsigned int cpu = 0; cpu < space->nr_cpus; cpu++) {
		if (!ok && pcpu_is_possible(space, cpu))
			touch(space, cpu);
		count += is_touched(space, cpu);
	}
	return count;
}

/* The pages of a window that are there on a CPU, before Linux 6.7; all if it can't be told. */
static void read_pages(int pagemap, uintptr_t base, size_t page, size_t pages, uint64_t *there)
{
	uint64_t entry[64];

	for (size_t i = 0; i < pages; i++) {
		off_t at = (off_t)((base / page + i) * sizeof(*entry));

		if (i % 64 == 0 && pread(pagemap, entry, sizeof(entry), at) <= 0)
			memset(entry, 0xff, sizeof(entry));
		if (entry[i % 64] & ENTRY_IS_THERE)
			set_bits(there, i, i + 1);
	}
}

/* Which pages of a window are there on a CPU: a bit for each. */
static void find_pages(const struct pcpu_space *space, int pagemap, unsigned int cpu, size_t begin,
		       size_t pages, uint64_t *there)
{
	uintptr_t base = (uintptr_t)pcpu_unit_address(space, cpu, begin), from = base;
	uintptr_t end = base + pages * space->page;
	struct found found[64];

	memset(there, 0, WINDOW / 8);
	while (from < end) {
		int count = scan(pagemap, &from, end, found, 64);

		if (count < 0) {
			read_pages(pagemap, base, space->page, pages, there);
			return;
		}
		for (int i = 0; i < count; i++)
			set_bits(there, (size_t)(found[i].start - base) / space->page,
				 (size_t)(found[i].end - base) / space->page);
	}
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

/* What is to be cleaned on one CPU. */
struct window {
	const struct pcpu_space *space;
	unsigned int cpu;
	size_t begin;		/* offset of the first page */
	const uint64_t *there;	/* pages that are there; NULL: any may be */
};

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
		if (window->there && !(window->there[index / 64] >> (index % 64) & 1))
			continue;
		bytes = (unsigned char *)pcpu_unit_address(window->space, window->cpu, begin);
		if (!is_zero(bytes, next - begin))
			memset(bytes, 0, next - begin);
	}
}

/* Zero a range, or give its pages back, which makes them zero too.  (Not those of the first chunk,
 * whose pages a program may have provided; nor locked ones, mlock(2), which the system keeps.) */
static void clear(const struct window *window, size_t begin, size_t end)
{
	const struct pcpu_space *space = window->space;
	size_t first = (begin + space->page - 1) & ~(space->page - 1);
	size_t last = end & ~(space->page - 1);

	if (end - begin >= LONG_RANGE && begin >= space->first_size &&
	    !madvise(pcpu_unit_address(space, window->cpu, first), last - first, MADV_DONTNEED)) {
		zero(window, begin, first);
		begin = last;
	}
	zero(window, begin, end);
}

static void clean_cpu(const struct window *window, const struct pcpu_batch *batch)
{
	size_t begin, end;

	for (size_t i = 0; i < batch->count;) {
		i = pcpu_next_run(window->space, batch, i, &begin, &end);
		clear(window, begin * PCPU_GRAIN, end * PCPU_GRAIN);
	}
}

/* ---- A batch -------------------------------------------------------------------------------- */

/* From the first to behind the last page: bytes.  Returns how many pages the areas would fill. */
static size_t measure(const struct pcpu_space *space, const struct pcpu_batch *batch,
		      size_t *first, size_t *last)
{
	size_t low = SIZE_MAX, high = 0, sum = 0;

	for (size_t i = 0; i < batch->count; i++) {
		size_t begin = batch->position[i];
		size_t size = batch->size ? batch->size : pcpu_area_size(space, begin);

		low = begin < low ? begin : low;
		high = begin + size > high ? begin + size : high;
		sum += size;
	}
	*first = low * PCPU_GRAIN & ~(space->page - 1);
	*last = (high * PCPU_GRAIN + space->page - 1) & ~(space->page - 1);
	return sum * PCPU_GRAIN / space->page;
}

/* Whether there are no more CPUs than can be looked at one by one, all of them touched. */
static bool is_small_machine(const struct pcpu_space *space)
{
	for (unsigned int cpu = 0; cpu < space->nr_cpus; cpu++) {
		if (cpu >= FEW_CPUS || (pcpu_is_possible(space, cpu) && !is_touched(space, cpu)))
			return false;
	}
	return true;
}

bool pcpu_clean(struct pcpu_space *space, const struct pcpu_batch *batch)
{
	size_t first, last, filled, pages;
	uint64_t there[WINDOW / 64];
	bool known = is_small_machine(space), ask = false;
	int saved = errno, pagemap = -1;

	if (!batch->count)
		return true;
	filled = measure(space, batch, &first, &last);
	pages = (last - first) / space->page;
	if (!known)
		pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (pagemap >= 0) {
		known = true;
		ask = find_touched(space, pagemap) > FEW_CPUS && pages <= WINDOW;
	}
	for (unsigned int cpu = 0; cpu < space->nr_cpus; cpu++) {
		struct window window = { space, cpu, first, ask ? there : NULL };

		if (known ? !is_touched(space, cpu) : !pcpu_is_possible(space, cpu))
			continue;
		if (ask)
			find_pages(space, pagemap, cpu, first, pages, there);
		clean_cpu(&window, batch);
	}
	if (pagemap >= 0)
		close(pagemap);
	errno = saved;
	return pages <= COMPACT || pages <= 2 * filled;
}
