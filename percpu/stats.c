/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Statistics: what is allocated, free and in memory, for each chunk and in all.
 *
 * All is found out when somebody asks, from the bits and states of grains and from the kernel, so
 * that nothing is counted on the fast way; what can't be found out later, the most there ever was, is
 * kept where the lock is held anyhow.
 *
 * Areas in a list of some CPU, or on their way, are taken in the bits, but their states tell that
 * nobody uses them.  Those states may change while they are read here, not so the bits.
 *
 * Pages are counted along with the areas of a chunk, in rising order: what lies between two areas in
 * use is empty.  On how many CPUs a page is there, is asked for a window of many pages at a time.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* Pages that are asked for at a time. */
#define WINDOW ((size_t)4096)

void pcpu_note_size(struct pcpu_space *space, size_t size)
{
	uint32_t grains = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
	uint32_t least = __atomic_load_n(&space->smallest, __ATOMIC_RELAXED);
	uint32_t most = __atomic_load_n(&space->largest, __ATOMIC_RELAXED);

	while ((!least || grains < least) &&
	       !__atomic_compare_exchange_n(&space->smallest, &least, grains, true,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	while (grains > most && !__atomic_compare_exchange_n(&space->largest, &most, grains, true,
							     __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* ---- Pages ---------------------------------------------------------------------------------- */

/* Questions to the kernel must not be where a thread is cancelled, nor change errno. */
struct question {
	int pagemap, errno_before, cancel_state;
};

static struct question begin_questions(void)
{
	struct question question = { .errno_before = errno };

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &question.cancel_state);
	question.pagemap = pcpu_open_pagemap();
	return question;
}

static void end_questions(const struct question *question)
{
	if (question->pagemap >= 0)
		close(question->pagemap);
	pthread_setcancelstate(question->cancel_state, NULL);
	errno = question->errno_before;
}

int pcpu_resident(unsigned int cpu, size_t offset, size_t size, unsigned char *pages)
{
	uint64_t there[WINDOW / 64];
	struct question question;
	size_t count;

	pcpu_setup();
	if (cpu >= pcpu_core.nr_cpus || !pcpu_is_possible(&pcpu_core, cpu) ||
	    offset % pcpu_core.page || offset > pcpu_core.unit_size ||
	    size > pcpu_core.unit_size - offset)
		return -EINVAL;
	count = (size + pcpu_core.page - 1) / pcpu_core.page;
	question = begin_questions();
	for (size_t i = 0; i < count; i++) {
		size_t rest = count - i < WINDOW ? count - i : WINDOW;

		if (i % WINDOW == 0)
			pcpu_find_pages(question.pagemap,
					(uintptr_t)pcpu_unit_address(&pcpu_core, cpu,
								     offset + i * pcpu_core.page),
					rest, pcpu_core.page, there);
		pages[i] = there[i % WINDOW / 64] >> (i % 64) & 1;
	}
	end_questions(&question);
	return 0;
}

/* A walk through the pages of units, all units at once. */
struct walk {
	struct pcpu_space *space;
	int pagemap;
	size_t page;	       /* the next one to be counted */
	size_t begin, end;     /* pages of the window */
	uint16_t cpus[WINDOW]; /* on how many CPUs each of these is there */
};

static void move_window(struct walk *walk)
{
	const struct pcpu_space *space = walk->space;
	size_t rest = space->unit_size / space->page - walk->page;
	size_t count = rest < WINDOW ? rest : WINDOW;
	uint64_t there[WINDOW / 64];

	walk->begin = walk->page;
	walk->end = walk->page + count;
	memset(walk->cpus, 0, sizeof(walk->cpus));
	for (unsigned int cpu = 0; cpu < space->nr_cpus; cpu++) {
		uintptr_t address =
			(uintptr_t)pcpu_unit_address(space, cpu, walk->page * space->page);

		if (!pcpu_is_possible(space, cpu))
			continue;
		pcpu_find_pages(walk->pagemap, address, count, space->page, there);
		for (size_t word = 0; word < (count + 63) / 64; word++) {
			for (uint64_t bits = there[word]; bits; bits &= bits - 1)
				walk->cpus[word * 64 + (size_t)__builtin_ctzll(bits)]++;
		}
	}
}

/* Go on to before a page; returns on how many CPUs there are pages on the way. */
static size_t count_pages(struct walk *walk, size_t end)
{
	size_t sum = 0;

	for (; walk->page < end; walk->page++) {
		if (walk->page >= walk->end)
			move_window(walk);
		sum += walk->cpus[walk->page - walk->begin];
	}
	return sum;
}

/* ---- Areas ---------------------------------------------------------------------------------- */

/* Call a function with each area in use of a range without free grains. */
static void for_each_area(const struct pcpu_space *space, size_t begin, size_t end,
			  void (*visit)(void *data, size_t position, size_t size), void *data)
{
	for (size_t position = begin, size; position < end; position += size) {
		unsigned int state = pcpu_state(space, position);

		/* By this one look: the state may change at any time, but not between small and large. */
		size = state & ~PCPU_FREED;
		if (size > PCPU_SMALL)
			size = state == PCPU_CLEAN ? 0 : pcpu_area_size(space, position);
		/* An area in a list has a size that nobody notes, or one that was noted just now. */
		if (size == 0 || size > end - position)
			size = 1;
		else if (!(state & PCPU_FREED))
			visit(data, position, size);
	}
}

static void for_each_area_of_chunk(const struct pcpu_space *space, const struct pcpu_chunk *chunk,
				   void (*visit)(void *data, size_t position, size_t size),
				   void *data)
{
	size_t begin, end;

	for (size_t from = chunk->begin; from < chunk->end; from = end) {
		if (!pcpu_chunk_next_free(space, chunk, from, &begin, &end))
			begin = end = chunk->end;
		for_each_area(space, from, begin, visit, data);
	}
}

struct count {
	struct walk *walk;
	struct pcpu_chunk_stats *stats;
};

static void count_area(void *data, size_t position, size_t size)
{
	struct count *count = data;
	struct pcpu_chunk_stats *stats = count->stats;
	size_t page = count->walk->space->page, offset = position * PCPU_GRAIN, empty;

	size *= PCPU_GRAIN;
	stats->areas++;
	stats->used += size;
	if (!stats->smallest || size < stats->smallest)
		stats->smallest = size;
	if (size > stats->largest)
		stats->largest = size;
	empty = count_pages(count->walk, offset / page);
	stats->empty += empty;
	stats->resident += empty + count_pages(count->walk, (offset + size - 1) / page + 1);
}

/* How many areas are no larger than a size. */
struct rank {
	size_t size, count;
};

static void count_if_small(void *data, size_t position, size_t size)
{
	struct rank *rank = data;

	(void)position;
	rank->count += size * PCPU_GRAIN <= rank->size;
}

/* By bisection: there is no memory for a list of all sizes. */
static size_t find_median(const struct pcpu_space *space, const struct pcpu_chunk *chunk,
			  const struct pcpu_chunk_stats *stats)
{
	size_t low = stats->smallest, high = stats->largest;

	while (low < high) {
		size_t middle = low + (high - low) / 2 / PCPU_GRAIN * PCPU_GRAIN;
		struct rank rank = { .size = middle };

		for_each_area_of_chunk(space, chunk, count_if_small, &rank);
		if (rank.count >= (stats->areas + 1) / 2)
			high = middle;
		else
			low = middle + PCPU_GRAIN;
	}
	return low;
}

static void measure_gaps(const struct pcpu_space *space, const struct pcpu_chunk *chunk,
			 struct pcpu_chunk_stats *stats)
{
	size_t begin, end;

	for (size_t from = chunk->begin; pcpu_chunk_next_free(space, chunk, from, &begin, &end);
	     from = end) {
		size_t size = (end - begin) * PCPU_GRAIN;

		stats->fragments++;
		if (end < chunk->end)
			stats->fragmented += size;
		if (size > stats->largest_free)
			stats->largest_free = size;
	}
}

/* ---- Chunks --------------------------------------------------------------------------------- */

static void look_at_chunk(struct walk *walk, const struct pcpu_chunk *chunk,
			  struct pcpu_chunk_stats *stats)
{
	struct pcpu_space *space = walk->space;
	struct count count = { .walk = walk, .stats = stats };
	size_t page = space->page, begin = chunk->begin * PCPU_GRAIN, end = chunk->end * PCPU_GRAIN;
	size_t empty;

	*stats = (struct pcpu_chunk_stats){
		.kind = chunk == &space->reserved ? PCPU_RESERVED : PCPU_DYNAMIC,
		.offset = begin,
		.size = end - begin,
		.free = chunk->free * PCPU_GRAIN,
	};
	/* A page in which two regions meet is the first one's. */
	walk->page = (begin + page - 1) / page;
	for_each_area_of_chunk(space, chunk, count_area, &count);
	empty = count_pages(walk, end / page);
	stats->empty += empty;
	stats->resident += empty + count_pages(walk, (end + page - 1) / page);
	stats->idle = stats->size - stats->free - stats->used;
	measure_gaps(space, chunk, stats);
	stats->median = find_median(space, chunk, stats);
}

static void add_up(struct pcpu_totals *sum, const struct pcpu_chunk_stats *stats)
{
	sum->areas += stats->areas;
	sum->used += stats->used;
	sum->idle += stats->idle;
	sum->free += stats->free;
	sum->fragments += stats->fragments;
	sum->fragmented += stats->fragmented;
	sum->resident += stats->resident;
	sum->empty += stats->empty;
	if (stats->areas && (!sum->smallest || stats->smallest < sum->smallest))
		sum->smallest = stats->smallest;
	if (stats->largest > sum->largest)
		sum->largest = stats->largest;
}

static size_t look_at_chunks(struct walk *walk, struct pcpu_totals *stats,
			     struct pcpu_chunk_stats *chunks, size_t count)
{
	struct pcpu_space *space = walk->space;
	struct pcpu_chunk *chunk = &space->reserved;
	struct pcpu_chunk_stats one;
	size_t seen = 0;

	for (size_t i = 0; i <= space->top; chunk = &space->chunk[i++]) {
		if (!chunk->live)
			continue;
		look_at_chunk(walk, chunk, &one);
		add_up(stats, &one);
		if (seen < count)
			chunks[seen] = one;
		seen++;
	}
	return seen;
}

/* Under the lock. */
static size_t look(struct pcpu_space *space, int pagemap, struct pcpu_totals *stats,
		   struct pcpu_chunk_stats *chunks, size_t count)
{
	struct walk walk = { .space = space, .pagemap = pagemap };

	*stats = (struct pcpu_totals){
		.most_areas = space->most_areas,
		.smallest =
			__atomic_load_n(&space->smallest, __ATOMIC_RELAXED) * (size_t)PCPU_GRAIN,
		.largest = __atomic_load_n(&space->largest, __ATOMIC_RELAXED) * (size_t)PCPU_GRAIN,
		.chunks = space->added + 1,
		.most_chunks = space->most_added + 1,
		.page = space->page,
		.static_resident =
			count_pages(&walk, (space->static_size + space->page - 1) / space->page),
	};
	return look_at_chunks(&walk, stats, chunks, count);
}

size_t pcpu_stats(struct pcpu_totals *stats, struct pcpu_chunk_stats *chunks, size_t count)
{
	struct question question;
	size_t seen;

	pcpu_setup();
	question = begin_questions();
	pcpu_lock();
	seen = look(&pcpu_core, question.pagemap, stats, chunks, count);
	pcpu_unlock();
	end_questions(&question);
	return seen;
}
