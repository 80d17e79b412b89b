/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Chunks: which grains of a range are free.
 *
 * Two bits for each grain.  `allocated` says that it is; `bound` is set where an allocated area
 * begins and behind its last grain, so that an area's size need not be stored and a pointer into
 * its middle is known for what it is.  Neighbouring free areas are one because they have no bits
 * between them that anybody looks at: stale `bound` bits in free memory are cleared when an area
 * is laid over them.
 *
 * `first`, `longest` and `free` spare most searches that would find nothing.
 */
#include "internal.h"

#define WORD_BITS ((size_t)64)
/* How far to look around a freed area for its neighbours, in grains. */
#define NEIGHBOURHOOD ((size_t)64 * WORD_BITS)

static bool test_bit(const uint64_t *map, size_t bit)
{
	return (map[bit / WORD_BITS] >> (bit % WORD_BITS)) & 1;
}

static void set_bit(uint64_t *map, size_t bit)
{
	map[bit / WORD_BITS] |= (uint64_t)1 << (bit % WORD_BITS);
}

/* Set or clear the bits from `begin` to before `end`. */
static void fill_bits(uint64_t *map, size_t begin, size_t end, bool value)
{
	while (begin < end) {
		size_t shift = begin % WORD_BITS;
		size_t count = WORD_BITS - shift;
		uint64_t mask;

		if (count > end - begin)
			count = end - begin;
		mask = (count == WORD_BITS ? ~(uint64_t)0 : ((uint64_t)1 << count) - 1) << shift;
		if (value)
			map[begin / WORD_BITS] |= mask;
		else
			map[begin / WORD_BITS] &= ~mask;
		begin += count;
	}
}

/* The first bit from `begin` on that has `value`; `end` if none before it has. */
static size_t find_bit(const uint64_t *map, size_t begin, size_t end, bool value)
{
	uint64_t flip = value ? 0 : ~(uint64_t)0;

	while (begin < end) {
		uint64_t word = (map[begin / WORD_BITS] ^ flip) >> (begin % WORD_BITS);

		if (word) {
			begin += (size_t)__builtin_ctzll(word);
			return begin < end ? begin : end;
		}
		begin = (begin / WORD_BITS + 1) * WORD_BITS;
	}
	return end;
}

/* Behind the last set bit before `end`; `begin` if none from there on is set. */
static size_t find_set_before(const uint64_t *map, size_t begin, size_t end)
{
	while (end > begin) {
		size_t last = end - 1;
		uint64_t word = map[last / WORD_BITS] << (WORD_BITS - 1 - last % WORD_BITS);

		if (word) {
			end -= (size_t)__builtin_clzll(word);
			return end > begin ? end : begin;
		}
		end = last / WORD_BITS * WORD_BITS;
	}
	return begin;
}

/* The bits of a range that is opened are those of fresh tables, or of a chunk that became empty:
 * either way nothing is marked as allocated. */
void pcpu_chunk_open(struct pcpu_chunk *chunk, size_t begin, size_t end)
{
	*chunk = (struct pcpu_chunk){
		.begin = begin,
		.end = end,
		.free = end - begin,
		.longest = end - begin,
		.first = begin,
		.dirty = begin,
		.live = true,
	};
}

static size_t find_free(const struct pcpu_space *space, const struct pcpu_chunk *chunk, size_t size,
			size_t align)
{
	size_t position = chunk->first;

	for (;;) {
		size_t used;

		position = find_bit(space->allocated, position, chunk->end, false);
		position = (position + align - 1) & ~(align - 1);
		if (position >= chunk->end || chunk->end - position < size)
			return SIZE_MAX;
		used = find_bit(space->allocated, position, position + size, true);
		if (used == position + size)
			return position;
		position = used + 1;
	}
}

size_t pcpu_chunk_take(struct pcpu_space *space, struct pcpu_chunk *chunk, size_t size,
		       size_t align)
{
	size_t position, end;

	if (size > chunk->longest)
		return SIZE_MAX;
	position = find_free(space, chunk, size, align);
	if (position == SIZE_MAX) {
		/* Any free area of this many grains would have held it, wherever it began. */
		if (chunk->longest > size + align - 2)
			chunk->longest = size + align - 2;
		return SIZE_MAX;
	}
	end = position + size;
	fill_bits(space->allocated, position, end, true);
	fill_bits(space->bound, position, end, false);
	set_bit(space->bound, position);
	if (end < chunk->end)
		set_bit(space->bound, end);
	chunk->free -= size;
	if (chunk->longest > chunk->free)
		chunk->longest = chunk->free;
	if (position == chunk->first)
		chunk->first = end;
	if (chunk->dirty < end)
		chunk->dirty = end;
	return position;
}

bool pcpu_chunk_begins_area(const struct pcpu_space *space, size_t position)
{
	return test_bit(space->allocated, position) && test_bit(space->bound, position);
}

/* Free the area at `position`, which must begin one; returns its size. */
size_t pcpu_chunk_give(struct pcpu_space *space, struct pcpu_chunk *chunk, size_t position)
{
	size_t end = find_bit(space->bound, position + 1, chunk->end, true);
	size_t size = end - position;
	size_t low = chunk->begin, high = chunk->end, run_begin, run_end;

	fill_bits(space->allocated, position, end, false);
	chunk->free += size;
	if (position < chunk->first)
		chunk->first = position;

	/* How long is the free area now?  Look a bounded way; farther away, assume the most. */
	if (position - low > NEIGHBOURHOOD)
		low = position - NEIGHBOURHOOD;
	if (high - end > NEIGHBOURHOOD)
		high = end + NEIGHBOURHOOD;
	run_begin = find_set_before(space->allocated, low, position);
	run_end = find_bit(space->allocated, end, high, true);
	if ((run_begin == low && low != chunk->begin) || (run_end == high && high != chunk->end))
		chunk->longest = chunk->free;
	else if (chunk->longest < run_end - run_begin)
		chunk->longest = run_end - run_begin;
	return size;
}
