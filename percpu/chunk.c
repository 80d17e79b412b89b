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
 * A search goes from gap to gap, and `longest`, the hints and the last failure spare most of it: in
 * a chunk with thousands of small gaps, a search for more than these hold begins where one may be.
 */
#include "internal.h"

#define WORD_BITS ((size_t)64)
/* How far to look for the ends of a gap: longer ones are all alike, being of the highest order. */
#define FAR (PCPU_CHUNK / PCPU_GRAIN)

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

/* The first bit from `begin` on that has `value`; `end` if none before it has.  Behind the first word
 * long ranges are gone through without shifting. */
static size_t find_bit(const uint64_t *map, size_t begin, size_t end, bool value)
{
	uint64_t flip = value ? 0 : ~(uint64_t)0, bits;
	size_t word = begin / WORD_BITS, last;

	if (begin >= end)
		return end;
	bits = (map[word] ^ flip) & ~(uint64_t)0 << (begin % WORD_BITS);
	last = (end - 1) / WORD_BITS;
	while (!bits && word < last)
		bits = map[++word] ^ flip;
	if (!bits)
		return end;
	begin = word * WORD_BITS + (size_t)__builtin_ctzll(bits);
	return begin < end ? begin : end;
}

/* Behind the last set bit before `end`; `begin` if none from there on is set. */
static size_t find_set_before(const uint64_t *map, size_t begin, size_t end)
{
	size_t word, first = begin / WORD_BITS;
	uint64_t bits;

	if (end <= begin)
		return begin;
	word = (end - 1) / WORD_BITS;
	bits = map[word] & ~(uint64_t)0 >> (WORD_BITS - 1 - (end - 1) % WORD_BITS);
	while (!bits && word > first)
		bits = map[--word];
	if (!bits)
		return begin;
	end = (word + 1) * WORD_BITS - (size_t)__builtin_clzll(bits);
	return end > begin ? end : begin;
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
		.live = true,
	};
	for (unsigned int k = 0; k < PCPU_ORDERS; k++)
		chunk->hint[k] = (uint32_t)begin;
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

/* The highest order of which a gap of this size is: four to a power of two. */
static unsigned int order_of(size_t size)
{
	unsigned int power, order;

	if (size < 8)
		return (unsigned int)size - 1;
	power = (unsigned int)(8 * sizeof(long) - 1) - (unsigned int)__builtin_clzl(size);
	order = 7 + (power - 3) * 4 + (unsigned int)(size >> (power - 2) & 3);
	return order < PCPU_ORDERS ? order : PCPU_ORDERS - 1;
}

/* The least size of an order. */
static size_t least_of(unsigned int order)
{
	return order < 7 ? order + 1 : (size_t)(4 + (order - 7) % 4) << ((order - 7) / 4 + 1);
}

/* All gaps before a position are shorter than `size`. */
static void raise_hints(struct pcpu_chunk *chunk, size_t size, size_t position)
{
	for (unsigned int k = PCPU_ORDERS; k-- > 0 && least_of(k) >= size;) {
		if (chunk->hint[k] < position)
			chunk->hint[k] = (uint32_t)position;
	}
}

/* There is a gap of `size` at a position. */
static void lower_hints(struct pcpu_chunk *chunk, size_t size, size_t position)
{
	for (unsigned int k = 0; k <= order_of(size); k++) {
		if (chunk->hint[k] > position)
			chunk->hint[k] = (uint32_t)position;
	}
}

static bool failed_before(const struct pcpu_chunk *chunk, size_t size, size_t align)
{
	return size > chunk->longest ||
	       (chunk->failed_size && size >= chunk->failed_size && align >= chunk->failed_align);
}

/* A gap of this size has a word without any bit in it, which is found faster. */
#define LONG_GAP (2 * WORD_BITS - 1)

/* The next gap from a position on that may hold `size`; no more than `most` of it. */
static bool next_gap(const struct pcpu_space *space, const struct pcpu_chunk *chunk, size_t size,
		     size_t most, size_t from, size_t *begin, size_t *end)
{
	if (size >= LONG_GAP) {
		size_t word = (from + WORD_BITS - 1) / WORD_BITS, last = chunk->end / WORD_BITS;

		while (word < last && space->allocated[word])
			word++;
		if (word >= last)
			return false;
		from = find_set_before(space->allocated, from, word * WORD_BITS);
	}
	*begin = find_bit(space->allocated, from, chunk->end, false);
	if (*begin == chunk->end)
		return false;
	*end = chunk->end - *begin > most ? *begin + most : chunk->end;
	*end = find_bit(space->allocated, *begin, *end, true);
	return true;
}

/* The last search went to the end: no gap that it has seen is longer than `longest`. */
static void remember_failure(struct pcpu_chunk *chunk, size_t size, size_t align, size_t longest)
{
	size_t unseen = size >= LONG_GAP ? LONG_GAP - 1 : 0;

	if (unseen < least_of(order_of(size)) - 1)
		unseen = least_of(order_of(size)) - 1;
	chunk->longest = longest > unseen ? longest : unseen;
	if (chunk->longest > chunk->free)
		chunk->longest = chunk->free;
	/* Of two failures, keep the one that says more. */
	if (chunk->failed_size && chunk->failed_size < size)
		return;
	chunk->failed_size = size;
	chunk->failed_align = align;
}

/* `size` must be a multiple of `align` if more than one is wanted. */
size_t pcpu_chunk_take(struct pcpu_space *space, struct pcpu_chunk *chunk, size_t size,
		       size_t align, uint32_t *positions, size_t count)
{
	size_t begin, end = chunk->hint[order_of(size)], taken = 0, longest = 0;
	size_t most = count * size + align;
	bool passed = false;

	if (failed_before(chunk, size, align))
		return 0;
	while (taken < count && next_gap(space, chunk, size, most, end, &begin, &end)) {
		size_t at = (begin + align - 1) & ~(align - 1), behind = at;

		if (!passed && end - begin >= size) {
			raise_hints(chunk, size, begin);
			passed = true;
		}
		for (; taken < count && behind <= end && end - behind >= size; behind += size)
			positions[taken++] = (uint32_t)behind;
		if (behind == at) {
			longest = longest > end - begin ? longest : end - begin;
			continue;
		}
		fill_bits(space->allocated, at, behind, true);
		chunk->free -= behind - at;
		longest = longest > at - begin ? longest : at - begin;
		end = behind;
	}
	if (!passed)
		raise_hints(chunk, size, chunk->end);
	if (taken < count)
		remember_failure(chunk, size, align, longest);
	else if (chunk->longest > chunk->free)
		chunk->longest = chunk->free;
	return taken;
}

void pcpu_chunk_give(struct pcpu_space *space, struct pcpu_chunk *chunk, size_t begin, size_t end)
{
	size_t low, high, length;

	fill_bits(space->allocated, begin, end, false);
	chunk->free += end - begin;
	chunk->freed += end - begin;
	/* The gap that it is now part of. */
	low = begin - chunk->begin > FAR ? begin - FAR : chunk->begin;
	high = chunk->end - end > FAR ? end + FAR : chunk->end;
	begin = find_set_before(space->allocated, low, begin);
	end = find_bit(space->allocated, end, high, true);
	if ((begin == low && low != chunk->begin) || (end == high && high != chunk->end))
		length = chunk->free;
	else
		length = end - begin;
	if (length >= chunk->failed_size)
		chunk->failed_size = 0;
	lower_hints(chunk, length, begin);
	if (chunk->longest < length)
		chunk->longest = length;
}

/* ---- States --------------------------------------------------------------------------------- */

/* The size of a long area: its low four bits first, each state with a mark that no beginning has. */
#define SIZE_MARK 0x50U
#define SIZE_STATES (2 * sizeof(uint32_t))

size_t pcpu_area_size(const struct pcpu_space *space, size_t position)
{
	unsigned int state = pcpu_state(space, position) & ~PCPU_FREED;
	size_t size = 0;

	if (state <= PCPU_SMALL)
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
