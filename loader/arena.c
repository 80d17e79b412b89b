/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Address space for modules.
 *
 * libpercpu reserves an arena next to the C library and to the cookies; all modules whose code
 * reaches what it needs from there are placed in it, in whole pages, one bit each, or in pages that
 * small ones share (pack.c).  The others need a place of their own, near the program or below 2 GiB:
 * then the gaps between the process's mappings are searched.
 *
 * A module should not lie across a border that its code can't jump across; if there is no other place,
 * it does, as it may be large for its data alone.
 *
 * What is free in the arena is inaccessible, and one mapping with its neighbours: giving a block
 * back leaves no trace.
 */
#define _GNU_SOURCE
#include "internal.h"

#include "loader/arch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define WORD_BITS 64
/* No mapping is made below this: the system's limit for the first mapping, as a rule. */
#define LOWEST ((uintptr_t)1 << 16)
/* How often another thread may be faster in taking a gap. */
#define MOST_TRIES 16

/* It never moves, and to ask for the whole map takes a lock. */
static struct arena the_arena;
static size_t page, pages;

/* Under the shared lock; mappings are changed without it, by whoever has the pages. */
static uint64_t *used; /* NULL until the first is taken */
static size_t lowest;  /* no page before this one is free */

static void find_arena(void)
{
	struct pcpu_map map;

	pcpu_get_map(&map);
	the_arena = (struct arena){ map.arena, map.arena_size };
	page = (size_t)sysconf(_SC_PAGESIZE);
	pages = map.arena_size / page;
}

const struct arena *arena(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, find_arena);
	return &the_arena;
}

/* What is looked for: base addresses, bytes, and bytes between borders that may not be inside, or 0. */
struct wanted {
	uintptr_t low, high;
	size_t size, span;
};

/* What is larger than between two borders has one inside wherever it is. */
static size_t span_of(size_t size)
{
	return size <= CODE_SPAN ? CODE_SPAN : 0;
}

/* The border inside of the block; 0 if there is none. */
static uintptr_t border_in(const struct wanted *wanted, uintptr_t base)
{
	uintptr_t border = (base + wanted->size - 1) & ~(uintptr_t)(wanted->span - 1);

	return wanted->span && border > base ? border : 0;
}

bool arena_is_in_one_span(void)
{
	return ((arena()->begin ^ (arena()->begin + arena()->size - 1)) &
		~(uintptr_t)(CODE_SPAN - 1)) == 0;
}

/* ---- In the arena --------------------------------------------------------------------------- */

static bool is_used(size_t number)
{
	return (used[number / WORD_BITS] >> (number % WORD_BITS)) & 1;
}

static void mark(size_t first, size_t count, bool value)
{
	for (size_t number = first; number < first + count; number++) {
		uint64_t bit = (uint64_t)1 << (number % WORD_BITS);

		if (value)
			used[number / WORD_BITS] |= bit;
		else
			used[number / WORD_BITS] &= ~bit;
	}
	if (!value && first < lowest)
		lowest = first;
	if (value && first == lowest)
		lowest = first + count;
}

/* The first run of free pages that begins at first..last; SIZE_MAX if there is none. */
static size_t find_run(const struct wanted *wanted, size_t first, size_t last)
{
	size_t count = wanted->size / page, length = 0;

	if (first < lowest)
		first = lowest;
	for (size_t number = first; number < pages && number - length <= last;) {
		if (number % WORD_BITS == 0 && used[number / WORD_BITS] == UINT64_MAX) {
			length = 0;
			number += WORD_BITS;
			continue;
		}
		length = is_used(number) ? 0 : length + 1;
		number++;
		if (length < count)
			continue;
		if (!border_in(wanted, the_arena.begin + (number - count) * page))
			return number - count;
		length--;
	}
	return SIZE_MAX;
}

/* Take one.  Only what makes modules is an inhabitant: the table is not freed. */
static int take_run(const struct wanted *wanted, size_t first, size_t last, size_t *run)
{
	int error = -ERANGE;

	lock_shared();
	if (!used)
		used = calloc(pages / WORD_BITS + 1, sizeof(*used));
	*run = used ? find_run(wanted, first, last) : SIZE_MAX;
	if (*run != SIZE_MAX) {
		mark(*run, wanted->size / page, true);
		error = 0;
	}
	if (!used)
		error = -ENOMEM;
	unlock_shared();
	return error;
}

static void give_run(size_t first, size_t count)
{
	lock_shared();
	mark(first, count, false);
	unlock_shared();
}

static int reserve(const struct wanted *wanted, uintptr_t *base)
{
	uintptr_t begin = arena()->begin;
	size_t count = wanted->size / page, first = 0, last, run;
	int error;

	if (count > pages || wanted->high < begin)
		return -ERANGE;
	last = pages - count;
	if (wanted->low > begin)
		first = (wanted->low - begin + page - 1) / page;
	if ((wanted->high - begin) / page < last)
		last = (wanted->high - begin) / page;
	if (first > last)
		return -ERANGE;
	error = take_run(wanted, first, last, &run);
	if (!error)
		*base = begin + run * page;
	return error;
}

int reserve_range(uintptr_t low, uintptr_t high, size_t size, uintptr_t *base)
{
	const struct wanted wanted = { low, high, size, 0 };

	return reserve(&wanted, base);
}

void release_range(uintptr_t base, size_t size)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	int fixed = MAP_FIXED;
	void *at;

	/* valgrind forgets the names of code only with this call.  Should another thread then be
	 * faster, or have the system no memory even for giving some back, the place stays taken. */
	if (runs_on_valgrind() && !munmap((void *)base, size))
		fixed = MAP_FIXED_NOREPLACE;
	at = mmap((void *)base, size, PROT_NONE, flags | fixed, -1, 0);
	if (at == (void *)base)
		give_run((base - arena()->begin) / page, size / page);
	else if (at != MAP_FAILED)
		munmap(at, size);
}

/* Returns 0, -ERANGE if there is no room within the limits, or -ENOMEM. */
static int take_from_arena(const struct wanted *wanted, uintptr_t *base)
{
	int error = reserve(wanted, base);

	if (error)
		return error;
	if (mmap((void *)*base, wanted->size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
		return 0;
	give_run((*base - arena()->begin) / page, wanted->size / page);
	return -ENOMEM;
}

/* ---- Elsewhere ------------------------------------------------------------------------------ */

/* The highest base in a free range that is within the limits; 0 if there is none. */
static uintptr_t fit_gap(const struct wanted *wanted, uintptr_t from, uintptr_t to)
{
	uintptr_t base;

	if (from < wanted->low)
		from = wanted->low;
	if (to < from || to - from < wanted->size)
		return 0;
	base = to - wanted->size < wanted->high ? to - wanted->size : wanted->high;
	base &= ~(uintptr_t)(page - 1);
	if (border_in(wanted, base))
		base = border_in(wanted, base) - wanted->size;
	return base >= from ? base : 0;
}

/* Where the first thread's stack may yet grow to, which is no gap; the guard is the kernel's (stack_guard_gap). */
#define STACK_GUARD ((uintptr_t)1 << 20)
#define MOST_STACK ((uintptr_t)64 << 20)
static uintptr_t end_of_gap(const char *line, uintptr_t from, uintptr_t to)
{
	struct rlimit limit;
	uintptr_t room = MOST_STACK;

	if (!strstr(line, "[stack]"))
		return from;
	if (!getrlimit(RLIMIT_STACK, &limit) && limit.rlim_cur < room)
		room = (uintptr_t)limit.rlim_cur;
	room += STACK_GUARD;
	if (room > to)
		return 0;
	return to - room < from ? to - room : from;
}

/*
 * A free place in the lowest gap that will do: that one is below the program as a rule, so that its
 * heap can go on growing.  0 if there is none.
 */
static uintptr_t find_gap(const struct wanted *wanted)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uintptr_t previous = LOWEST, found = 0;
	char line[512] = "";
	bool whole = true;

	if (!maps)
		return 0;
	while (!found && fgets(line, sizeof(line), maps)) {
		unsigned long from, to;

		if (whole && sscanf(line, "%lx-%lx ", &from, &to) == 2) {
			found = fit_gap(wanted, previous, end_of_gap(line, from, to));
			previous = to > previous ? to : previous;
		}
		/* A long path comes in pieces. */
		whole = line[sizeof(line) - 2] == '\0' || line[sizeof(line) - 2] == '\n';
		line[sizeof(line) - 2] = '\0';
	}
	fclose(maps);
	return found;
}

static int take_elsewhere(const struct wanted *wanted, uintptr_t *base)
{
	for (int i = 0; i < MOST_TRIES; i++) {
		uintptr_t place = find_gap(wanted);
		void *at;

		if (!place)
			return -ERANGE;
		at = mmap((void *)place, wanted->size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if ((uintptr_t)at == place) {
			*base = place;
			return 0;
		}
		/* Kernels before 4.17 take the address for a hint. */
		if (at != MAP_FAILED)
			munmap(at, wanted->size);
		else if (errno != EEXIST)
			return -ENOMEM;
	}
	return -ENOMEM;
}

/* --------------------------------------------------------------------------------------------- */

static int take(const struct wanted *wanted, uintptr_t *base)
{
	int error = take_from_arena(wanted, base);

	if (error != -ERANGE)
		return error;
	/* Threads that looked for gaps at the same time would find the same ones. */
	lock_shared();
	error = take_elsewhere(wanted, base);
	unlock_shared();
	return error;
}

void give_block(uintptr_t address, size_t size)
{
	if (!size)
		return;
	if (address - arena()->begin >= arena()->size)
		munmap((void *)address, size);
	else
		release_range(address, size);
}

/* With an alignment of more than a page take more, and give back what is too much at both ends. */
int take_block(uintptr_t low, uintptr_t high, size_t size, size_t align, bool jumps,
	       uintptr_t *base)
{
	size_t slack = align - (size_t)sysconf(_SC_PAGESIZE), before;
	struct wanted wanted = { low, high - slack, size + slack,
				 jumps ? span_of(size + slack) : 0 };
	int error;

	if (high < slack || high - slack < low)
		return -ERANGE;
	error = take(&wanted, base);
	if (error == -ERANGE && wanted.span) {
		wanted.span = 0;
		error = take(&wanted, base);
	}
	if (error)
		return error;
	before = -*base & (align - 1);
	give_block(*base + before + size, slack - before);
	give_block(*base, before);
	*base += before;
	return 0;
}
