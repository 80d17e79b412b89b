/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pool of chunks: which chunk serves a request, when chunks come and go, and when pages go back
 * to the system.
 *
 * What is free is zero on every CPU.  Pages that hold nothing but free memory are given back, with
 * hysteresis: some may stay for the next who needs them.  When they become too many, a chunk's are
 * given back once as much was freed in it as is in use, or if it has very many itself.  One empty
 * chunk is kept, so that one area at the edge does not make and drop a chunk each time.
 */
#include "internal.h"

#include <errno.h>
#include <sys/mman.h>

/* Empty chunks behind the first that are kept. */
#define KEEP_EMPTY 1U
/* Free pages that may stay, on all touched CPUs together: bytes. */
#define KEEP_BYTES ((size_t)256 << 10)

/* ---- Pages ---------------------------------------------------------------------------------- */

unsigned int pcpu_count_touched(const struct pcpu_space *space)
{
	unsigned int count = 0;

	if (space->nr_cpus <= PCPU_FEW_CPUS)
		return space->nr_cpus;
	for (unsigned int cpu = 0; cpu < space->nr_cpus; cpu += PCPU_LONG_BITS)
		count += (unsigned int)__builtin_popcountl(pcpu_set_from(space->touched, cpu));
	return count;
}

/* Give whole pages back to the system; errno is the caller's. */
static void give_back(void *begin, size_t size)
{
	int saved = errno;

	madvise(begin, size, MADV_DONTNEED);
	errno = saved;
}

/* Give pages of a range of offsets back to the system on all touched CPUs: others have none, as far
 * as the areas here are concerned.  Locked pages (mlock(2)) stay, and those that the program
 * provided; they are zero, which is what counts. */
static void drop_pages(const struct pcpu_space *space, size_t begin, size_t end)
{
	if (space->provided && begin < space->first_size)
		return;
	for (unsigned int cpu = 0; begin < end && cpu < space->nr_cpus; cpu++) {
		if (space->nr_cpus <= PCPU_FEW_CPUS || pcpu_set_has(space->touched, cpu))
			give_back(pcpu_unit_address(space, cpu, begin), end - begin);
	}
}

/* The offset where a chunk's first page begins, and the bytes of one of its 64 parts. */
static size_t first_page(const struct pcpu_space *space, const struct pcpu_chunk *chunk)
{
	return chunk->begin * PCPU_GRAIN & ~(space->page - 1);
}

static size_t part_size(const struct pcpu_space *space, const struct pcpu_chunk *chunk)
{
	size_t bytes = chunk->end * PCPU_GRAIN - first_page(space, chunk);

	return ((bytes + 63) / 64 + space->page - 1) & ~(space->page - 1);
}

/* The parts of a chunk that a range of offsets touches. */
static uint64_t parts_of(const struct pcpu_space *space, const struct pcpu_chunk *chunk,
			 size_t begin, size_t end)
{
	size_t part = part_size(space, chunk), base = first_page(space, chunk);
	size_t low = (begin - base) / part, high = (end - 1 - base) / part;

	return (~(uint64_t)0 >> (63 - (high - low))) << low;
}

/* Whether the loose parts of a chunk are pages, as in all but long ones. */
static bool is_known_by_page(const struct pcpu_space *space, const struct pcpu_chunk *chunk)
{
	return part_size(space, chunk) == space->page;
}

/* Of long chunks it's not known: what was freed is the measure there. */
static size_t loose_pages(const struct pcpu_space *space, const struct pcpu_chunk *chunk)
{
	return is_known_by_page(space, chunk) ? (size_t)__builtin_popcountll(chunk->loose) : 0;
}

static void set_loose(struct pcpu_space *space, struct pcpu_chunk *chunk, uint64_t parts)
{
	space->loose -= loose_pages(space, chunk);
	chunk->loose = parts;
	space->loose += loose_pages(space, chunk);
}

/* Give back the loose pages between two offsets, of which everything is free. */
static void drop_loose(struct pcpu_space *space, struct pcpu_chunk *chunk, size_t begin, size_t end)
{
	size_t part = part_size(space, chunk), base = first_page(space, chunk);

	begin = (begin + space->page - 1) & ~(space->page - 1);
	end &= ~(space->page - 1);
	while (begin < end) {
		uint64_t rest = chunk->loose >> ((begin - base) / part);
		size_t stop;

		if (!rest)
			return;
		if (!(rest & 1)) {
			begin = base +
				((begin - base) / part + (size_t)__builtin_ctzll(rest)) * part;
			continue;
		}
		stop = ~rest ? base + ((begin - base) / part + (size_t)__builtin_ctzll(~rest)) *
					       part
			     : end;
		stop = stop < end ? stop : end;
		drop_pages(space, begin, stop);
		begin = stop;
	}
}

/* Give back the pages that lie wholly between two bytes of the tables, which are zero. */
static void drop_table(const struct pcpu_space *space, uintptr_t begin, uintptr_t end)
{
	begin = (begin + space->page - 1) & ~(space->page - 1);
	end &= ~(space->page - 1);
	if (begin < end)
		give_back((void *)begin, end - begin);
}

/* Give back the pages of a chunk in which nothing is taken. */
static void drop_free_pages(struct pcpu_space *space, struct pcpu_chunk *chunk)
{
	size_t begin, end;

	for (size_t from = chunk->begin; pcpu_chunk_next_free(space, chunk, from, &begin, &end);
	     from = end) {
		drop_loose(space, chunk, begin * PCPU_GRAIN, end * PCPU_GRAIN);
		drop_table(space, (uintptr_t)space->state + begin, (uintptr_t)space->state + end);
	}
	chunk->freed = 0;
	set_loose(space, chunk, 0);
}

static void drop_all_free_pages(struct pcpu_space *space, struct pcpu_chunk *chunk)
{
	set_loose(space, chunk, ~(uint64_t)0);
	drop_free_pages(space, chunk);
}

/* ---- Chunks --------------------------------------------------------------------------------- */

/* The first run of free slots that is `count` long; 0 if there is none. */
static size_t find_slots(const struct pcpu_space *space, size_t count)
{
	size_t run = 0;

	for (size_t slot = 1; slot <= space->slots; slot++) {
		const struct pcpu_chunk *chunk = &space->chunk[slot];

		if (chunk->live) {
			run = 0;
			/* A large chunk covers the slots behind its own. */
			slot += (chunk->end - chunk->begin) * PCPU_GRAIN / PCPU_CHUNK - 1;
		} else if (++run == count) {
			return slot - count + 1;
		}
	}
	return 0;
}

static struct pcpu_chunk *add_chunk(struct pcpu_space *space, size_t grains)
{
	size_t count = (grains * PCPU_GRAIN + PCPU_CHUNK - 1) / PCPU_CHUNK;
	size_t slot = find_slots(space, count);
	size_t base = (space->first_size + PCPU_CHUNK - 1) / PCPU_CHUNK;
	size_t begin;

	if (!slot)
		return NULL;
	begin = (base + slot - 1) * PCPU_CHUNK / PCPU_GRAIN;
	pcpu_chunk_open(&space->chunk[slot], begin, begin + count * PCPU_CHUNK / PCPU_GRAIN);
	if (space->open > slot)
		space->open = slot;
	if (space->top < slot + 1)
		space->top = slot + 1;
	space->empty++;
	if (++space->added > space->most_added)
		space->most_added = space->added;
	return &space->chunk[slot];
}

/* With its pages go those of its bits and states, which are zero now. */
static void drop_chunk(struct pcpu_space *space, struct pcpu_chunk *chunk)
{
	drop_free_pages(space, chunk);
	drop_table(space, (uintptr_t)space->allocated + chunk->begin / 8,
		   (uintptr_t)space->allocated + chunk->end / 8);
	chunk->live = false;
	space->empty--;
	space->added--;
	while (space->top > 1 && !space->chunk[space->top - 1].live)
		space->top--;
}

static bool is_empty(const struct pcpu_chunk *chunk)
{
	return chunk->free == chunk->end - chunk->begin;
}

/* Whether a chunk is one of those that come and go. */
static bool is_added(const struct pcpu_space *space, const struct pcpu_chunk *chunk)
{
	return chunk != &space->reserved && chunk != space->chunk;
}

/* The chunks that are kept empty may lie where a larger one wants to be. */
static void drop_empty_chunks(struct pcpu_space *space)
{
	for (size_t i = space->top - 1; i > 0 && space->empty; i--) {
		if (space->chunk[i].live && is_empty(&space->chunk[i]))
			drop_chunk(space, &space->chunk[i]);
	}
}

/* Bytes of so many pages, on all CPUs that have them. */
static size_t bytes_of(const struct pcpu_space *space, size_t pages)
{
	return pages * space->page * pcpu_count_touched(space);
}

/* Whether so much of a chunk is free but in memory that it is worth a walk through its gaps. */
static bool has_many_loose(const struct pcpu_space *space, const struct pcpu_chunk *chunk,
			   size_t used)
{
	if (!is_known_by_page(space, chunk))
		return chunk->freed >= used &&
		       bytes_of(space, chunk->freed * PCPU_GRAIN / space->page) > KEEP_BYTES;
	if (bytes_of(space, space->loose) <= KEEP_BYTES)
		return false;
	return chunk->freed >= used || bytes_of(space, loose_pages(space, chunk)) > 2 * KEEP_BYTES;
}

/* After something was given back to a chunk. */
static void settle(struct pcpu_space *space, struct pcpu_chunk *chunk)
{
	size_t used = chunk->end - chunk->begin - chunk->free;

	/* A long one is not kept for small areas. */
	if (!used && is_added(space, chunk) &&
	    (++space->empty > KEEP_EMPTY || !is_known_by_page(space, chunk)))
		drop_chunk(space, chunk);
	else if (has_many_loose(space, chunk, used))
		drop_free_pages(space, chunk);
}

struct pcpu_chunk *pcpu_find_chunk(struct pcpu_space *space, size_t position)
{
	size_t base = (space->first_size + PCPU_CHUNK - 1) / PCPU_CHUNK;
	size_t slot = 0;

	if (position >= space->reserved.begin && position < space->reserved.end)
		return &space->reserved;
	if (position >= base * PCPU_CHUNK / PCPU_GRAIN)
		slot = position * PCPU_GRAIN / PCPU_CHUNK - base + 1;
	if (slot > space->slots)
		return NULL;
	/* A large chunk covers the slots behind its own. */
	while (slot > 0 && !space->chunk[slot].live)
		slot--;
	if (space->chunk[slot].live && position >= space->chunk[slot].begin &&
	    position < space->chunk[slot].end)
		return &space->chunk[slot];
	return NULL;
}

void pcpu_pool_trim(struct pcpu_space *space)
{
	drop_empty_chunks(space);
	for (size_t i = 0; i < space->top; i++) {
		if (space->chunk[i].live)
			drop_all_free_pages(space, &space->chunk[i]);
	}
	drop_all_free_pages(space, &space->reserved);
}

/* ---- Taking and giving ---------------------------------------------------------------------- */

static size_t take_from(struct pcpu_space *space, struct pcpu_chunk *chunk, size_t size,
			size_t align, uint32_t *positions, size_t count)
{
	bool was_empty = is_added(space, chunk) && is_empty(chunk);
	size_t taken = pcpu_chunk_take(space, chunk, size, align, positions, count);
	uint64_t used = 0;

	/* Where a part is several pages, others of it may stay loose. */
	bool by_page = is_known_by_page(space, chunk);

	for (size_t i = 0, begin; by_page && i < taken && chunk->loose; i++) {
		begin = positions[i];
		while (i + 1 < taken && positions[i + 1] == positions[i] + size)
			i++;
		used |= parts_of(space, chunk, begin * PCPU_GRAIN,
				 (positions[i] + size) * PCPU_GRAIN);
	}
	set_loose(space, chunk, chunk->loose & ~used);
	if (taken && was_empty)
		space->empty--;
	space->areas += taken;
	if (space->areas > space->most_areas)
		space->most_areas = space->areas;
	return taken;
}

/* Up to `count` dynamic areas of `size` grains; returns how many. */
size_t pcpu_pool_take(struct pcpu_space *space, size_t size, size_t align, uint32_t *positions,
		      size_t count)
{
	struct pcpu_chunk *chunk;
	size_t taken = 0;

	if (!count)
		return 0;
	while (space->open < space->top &&
	       (!space->chunk[space->open].live || !space->chunk[space->open].free))
		space->open++;
	for (size_t i = space->open; i < space->top && taken < count; i++) {
		if (space->chunk[i].live)
			taken += take_from(space, &space->chunk[i], size, align, positions + taken,
					   count - taken);
	}
	if (taken)
		return taken;
	chunk = add_chunk(space, size);
	if (!chunk && space->empty) {
		drop_empty_chunks(space);
		chunk = add_chunk(space, size);
	}
	return chunk ? take_from(space, chunk, size, align, positions, count) : 0;
}

/* Give a range back, which may go from one chunk into the next. */
static void give_range(struct pcpu_space *space, size_t begin, size_t end)
{
	while (begin < end) {
		struct pcpu_chunk *chunk = pcpu_find_chunk(space, begin);
		size_t behind = end < chunk->end ? end : chunk->end;

		pcpu_chunk_give(space, chunk, begin, behind);
		set_loose(space, chunk,
			  chunk->loose |
				  parts_of(space, chunk, begin * PCPU_GRAIN, behind * PCPU_GRAIN));
		if (chunk != &space->reserved && (size_t)(chunk - space->chunk) < space->open)
			space->open = (size_t)(chunk - space->chunk);
		settle(space, chunk);
		begin = behind;
	}
}

/* Give clean areas back. */
void pcpu_pool_give(struct pcpu_space *space, const struct pcpu_batch *batch)
{
	for (size_t i = 0, begin, end; i < batch->count;) {
		size_t behind = pcpu_next_run(space, batch, i, &begin, &end);

		space->areas -= behind - i;
		for (; i < behind; i++)
			pcpu_area_end(space, batch->position[i]);
		give_range(space, begin, end);
	}
}

/* ---- One area ------------------------------------------------------------------------------- */

size_t pcpu_take(struct pcpu_space *space, size_t size, size_t align, bool reserved)
{
	size_t grains = (size + PCPU_GRAIN - 1) / PCPU_GRAIN;
	size_t align_grains = align > PCPU_GRAIN ? align / PCPU_GRAIN : 1;
	uint32_t position;
	size_t taken =
		reserved ? take_from(space, &space->reserved, grains, align_grains, &position, 1)
			 : pcpu_pool_take(space, grains, align_grains, &position, 1);

	if (!taken)
		return SIZE_MAX;
	pcpu_area_begin(space, position, grains);
	pcpu_note_size(space, grains);
	return (size_t)position * PCPU_GRAIN;
}

const char *pcpu_why_not_free(struct pcpu_space *space, size_t offset)
{
	static const char not_allocated[] =
		"is not allocated: it was freed already, or never allocated";
	size_t position = offset / PCPU_GRAIN;
	struct pcpu_chunk *chunk;
	unsigned int state;

	if (offset >= space->unit_size)
		return "is not a per-CPU pointer";
	chunk = pcpu_find_chunk(space, position);
	if (!chunk)
		return offset < space->static_size ? "is a static variable" : not_allocated;
	state = pcpu_state(space, position);
	if (state == PCPU_PLACE)
		return "is a static variable of a shared object";
	if (state & PCPU_FREED)
		return "was freed already";
	if (!pcpu_is_taken(space, position))
		return not_allocated;
	if (offset % PCPU_GRAIN || state == 0 || state > PCPU_LARGE)
		return "is not the start of an allocation, but lies within one";
	return NULL;
}

const char *pcpu_give(struct pcpu_space *space, size_t offset)
{
	const char *wrong = pcpu_why_not_free(space, offset);
	struct pcpu_batch batch;

	if (wrong)
		return wrong;
	batch.size = 0;
	batch.count = 1;
	batch.position[0] = (uint32_t)(offset / PCPU_GRAIN);
	pcpu_clean(space, &batch);
	pcpu_pool_give(space, &batch);
	return NULL;
}
