/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Chunks: which grains of a range are free, and what begins at a grain.
 *
 * A bit for each grain says whether it is taken.  Neighbouring free areas are one because nothing
 * lies between their bits.  A byte for each grain, its state, says what begins there, so that a
 * pointer into the middle of an area is known for what it is, and an area's size is found without a
 * search.  Bytes, not bits: the owner of an area changes its state without a lock or an atomic
 * instruction, while others change the states of their areas next to it.
 *
 * `first`, `longest` and `free` spare most searches that would find nothing.
 */
#include "internal.h"

#define WORD_BITS ((size_t)64)
/* How far to look around a freed area for its neighbours, in grains. */
#define NEIGHBOURHOOD ((size_t)64 * WORD_BITS)

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
		.live = true,
	};
}

/* The first place from `position` on for `size` grains; SIZE_MAX if there is none. */
static size_t find_free(const struct pcpu_space *space, const struct pcpu_chunk *chunk,
			size_t position, size_t size, size_t align)
{
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

/* As many areas as fit in the first gap for one; returns how many, their place in *position. */
static size_t take_run(struct pcpu_space *space, struct pcpu_chunk *chunk, size_t *position,
		       size_t size, size_t align, size_t count)
{
	size_t begin = find_free(space, chunk, *position, size, align), end, limit;

	if (begin == SIZE_MAX)
		return 0;
	limit = count * size < chunk->end - begin ? begin + count * size : chunk->end;
	end = find_bit(space->allocated, begin + size, limit, true);
	count = (end - begin) / size;
	end = begin + count * size;
	fill_bits(space->allocated, begin, end, true);
	chunk->free -= end - begin;
	if (begin == chunk->first)
		chunk->first = end;
	*position = begin;
	return count;
}

/* `size` must be a multiple of `align` if more than one is wanted. */
size_t pcpu_chunk_take(struct pcpu_space *space, struct pcpu_chunk *chunk, size_t size,
		       size_t align, uint32_t *positions, size_t count)
{
	size_t position = chunk->first, taken = 0;

	if (size > chunk->longest)
		return 0;
	while (taken < count) {
		size_t run = take_run(space, chunk, &position, size, align, count - taken);

		if (!run) {
			/* Any free area of this many grains would have held one, wherever it began. */
			if (chunk->longest > size + align - 2)
				chunk->longest = size + align - 2;
			break;
		}
		for (; run; run--, position += size)
			positions[taken++] = (uint32_t)position;
	}
	if (chunk->longest > chunk->free)
		chunk->longest = chunk->free;
	return taken;
}

/* How long is a free range with its neighbours?  Look a bounded way; farther away, assume the most. */
static size_t merged(const struct pcpu_space *space, const struct pcpu_chunk *chunk, size_t begin,
		     size_t end)
{
	size_t low = chunk->begin, high = chunk->end;

	if (begin - low > NEIGHBOURHOOD)
		low = begin - NEIGHBOURHOOD;
	if (high - end > NEIGHBOURHOOD)
		high = end + NEIGHBOURHOOD;
	begin = find_set_before(space->allocated, low, begin);
	end = find_bit(space->allocated, end, high, true);
	if ((begin == low && low != chunk->begin) || (end == high && high != chunk->end))
		return chunk->free;
	return end - begin;
}

void pcpu_chunk_give(struct pcpu_space *space, struct pcpu_chunk *chunk, size_t begin, size_t end)
{
	size_t length;

	fill_bits(space->allocated, begin, end, false);
	chunk->free += end - begin;
	chunk->freed += end - begin;
	if (begin < chunk->first)
		chunk->first = begin;
	length = merged(space, chunk, begin, end);
	if (chunk->longest < length)
		chunk->longest = length;
}

bool pcpu_chunk_next_free(const struct pcpu_space *space, const struct pcpu_chunk *chunk,
			  size_t from, size_t *begin, size_t *end)
{
	*begin = find_bit(space->allocated, from, chunk->end, false);
	if (*begin == chunk->end)
		return false;
	*end = find_bit(space->allocated, *begin, chunk->end, true);
	return true;
}

/* ---- States --------------------------------------------------------------------------------- */

/* The size of a long area: its low four bits first, each state with a mark that no beginning has. */
#define SIZE_MARK 0x50U
#define SIZE_STATES (2 * sizeof(uint32_t))

size_t pcpu_area_size(const struct pcpu_space *space, size_t position)
{
	unsigned int state = pcpu_state(space, position) & ~PCPU_FREED;
	size_t size = 0;

	if (state != PCPU_LARGE)
		return state;
	for (size_t i = SIZE_STATES; i > 0; i--)
		size = size << 4 | (pcpu_state(space, position + i) & 15);
	return size;
}

/* Mark an area as one in use. */
void pcpu_area_begin(struct pcpu_space *space, size_t position, size_t size)
{
	if (size <= PCPU_SMALL) {
		pcpu_set_state(space, position, (unsigned int)size);
		return;
	}
	for (size_t i = 1; i <= SIZE_STATES; i++, size >>= 4)
		pcpu_set_state(space, position + i, SIZE_MARK | (size & 15));
	pcpu_set_state(space, position, PCPU_LARGE);
}

/* Mark as free what was an area, in use or not. */
void pcpu_area_end(struct pcpu_space *space, size_t position)
{
	unsigned int state = pcpu_state(space, position);

	if (state == PCPU_LARGE || state == (PCPU_LARGE | PCPU_FREED)) {
		for (size_t i = 1; i <= SIZE_STATES; i++)
			pcpu_set_state(space, position + i, 0);
	}
	pcpu_set_state(space, position, 0);
}
