/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Allocation: which chunk serves a request, when chunks come and go, and how memory is zero.
 *
 * Memory fresh from the system is zero.  Recycled memory is cleared when it is handed out again,
 * on every possible CPU: it is read first and written only where it is not zero, so that a CPU
 * whose pages nobody has written gets none.  (Reading a page that was never written maps the
 * system's common page of zeros.)
 */
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* Empty chunks behind the first that are kept, so that one allocation at the edge does not make
 * and drop a chunk each time. */
#define KEEP_EMPTY 1U

static bool is_zero(const unsigned char *bytes, size_t size)
{
	return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static void clear_copy(const struct pcpu_space *space, unsigned int cpu, size_t offset, size_t size)
{
	unsigned char *bytes = (unsigned char *)pcpu_unit_address(space, cpu, offset);

	if (!is_zero(bytes, size))
		memset(bytes, 0, size);
}

/* Clear `size` bytes at an offset on all CPUs. */
static void clear_area(const struct pcpu_space *space, size_t offset, size_t size)
{
	for (unsigned int cpu = 0; cpu < space->nr_cpus; cpu++)
		clear_copy(space, cpu, offset, size);
}

/* Give pages back to the system, on all CPUs.  Locked ones (mlock(2)) it does not take; what
 * counts then is that they are zero. */
static void drop_pages(const struct pcpu_space *space, size_t begin, size_t end)
{
	for (unsigned int cpu = 0; begin < end && cpu < space->nr_cpus; cpu++) {
		if (madvise(pcpu_unit_address(space, cpu, begin), end - begin, MADV_DONTNEED))
			clear_copy(space, cpu, begin, end - begin);
	}
}

/*
 * Give back the pages that a freed area fills.  Behind the last area there is nothing but zeros,
 * so its last page goes as a whole, and from its first page on the chunk is as good as new.
 */
static void drop_area(const struct pcpu_space *space, struct pcpu_chunk *chunk, size_t offset,
		      size_t size)
{
	size_t mask = space->page - 1;
	size_t begin = (offset + mask) & ~mask, end = (offset + size) & ~mask;

	if ((offset + size) / PCPU_GRAIN == chunk->dirty &&
	    ((offset + size + mask) & ~mask) <= chunk->end * PCPU_GRAIN) {
		end = (offset + size + mask) & ~mask;
		if (begin < end)
			chunk->dirty = begin / PCPU_GRAIN;
	}
	drop_pages(space, begin, end);
}

/* Take from one chunk; returns an offset in bytes with zeroed memory, or SIZE_MAX. */
static size_t take_from(struct pcpu_space *space, struct pcpu_chunk *chunk, size_t grains,
			size_t align)
{
	size_t dirty = chunk->dirty;
	size_t position = pcpu_chunk_take(space, chunk, grains, align);

	if (position == SIZE_MAX)
		return SIZE_MAX;
	if (position < dirty) {
		size_t recycled = dirty - position < grains ? dirty - position : grains;

		clear_area(space, position * PCPU_GRAIN, recycled * PCPU_GRAIN);
	}
	space->areas++;
	return position * PCPU_GRAIN;
}

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
	return &space->chunk[slot];
}

static void drop_chunk(struct pcpu_space *space, struct pcpu_chunk *chunk)
{
	drop_pages(space, chunk->begin * PCPU_GRAIN, chunk->end * PCPU_GRAIN);
	chunk->live = false;
	space->empty--;
	while (space->top > 1 && !space->chunk[space->top - 1].live)
		space->top--;
}

static bool is_empty(const struct pcpu_chunk *chunk)
{
	return chunk->free == chunk->end - chunk->begin;
}

/* The chunks that are kept empty may lie where a larger one wants to be. */
static void drop_empty_chunks(struct pcpu_space *space)
{
	for (size_t i = space->top - 1; i > 0 && space->empty; i--) {
		if (space->chunk[i].live && is_empty(&space->chunk[i]))
			drop_chunk(space, &space->chunk[i]);
	}
}

static size_t take_dynamic(struct pcpu_space *space, size_t grains, size_t align)
{
	struct pcpu_chunk *chunk;
	size_t offset;

	while (space->open < space->top &&
	       (!space->chunk[space->open].live || !space->chunk[space->open].free))
		space->open++;
	for (size_t i = space->open; i < space->top; i++) {
		bool was_empty;

		chunk = &space->chunk[i];
		if (!chunk->live)
			continue;
		was_empty = i > 0 && is_empty(chunk);
		offset = take_from(space, chunk, grains, align);
		if (offset != SIZE_MAX) {
			space->empty -= was_empty;
			return offset;
		}
	}
	chunk = add_chunk(space, grains);
	if (!chunk && space->empty) {
		drop_empty_chunks(space);
		chunk = add_chunk(space, grains);
	}
	if (!chunk)
		return SIZE_MAX;
	space->empty--;
	return take_from(space, chunk, grains, align);
}

size_t pcpu_take(struct pcpu_space *space, size_t size, size_t align, bool reserved)
{
	size_t grains = (size + PCPU_GRAIN - 1) / PCPU_GRAIN;
	size_t align_grains = align > PCPU_GRAIN ? align / PCPU_GRAIN : 1;

	if (reserved)
		return take_from(space, &space->reserved, grains, align_grains);
	return take_dynamic(space, grains, align_grains);
}

/* The chunk that a grain belongs to; NULL for static variables and what is no chunk's. */
static struct pcpu_chunk *find_chunk(struct pcpu_space *space, size_t position)
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

const char *pcpu_give(struct pcpu_space *space, size_t offset)
{
	size_t position = offset / PCPU_GRAIN, size, index;
	struct pcpu_chunk *chunk;

	if (offset >= space->unit_size)
		return "is not a per-CPU pointer";
	chunk = find_chunk(space, position);
	if (!chunk)
		return offset < space->static_size ? "is a static variable" : "was never allocated";
	if (offset % PCPU_GRAIN || !pcpu_chunk_begins_area(space, position))
		return "is not allocated: freed twice, or not the start of an allocation";

	size = pcpu_chunk_give(space, chunk, position);
	drop_area(space, chunk, offset, size * PCPU_GRAIN);
	space->areas--;
	if (chunk == &space->reserved)
		return NULL;
	index = (size_t)(chunk - space->chunk);
	if (index < space->open)
		space->open = index;
	if (index > 0 && is_empty(chunk) && ++space->empty > KEEP_EMPTY)
		drop_chunk(space, chunk);
	return NULL;
}

size_t pcpu_max_size(void)
{
	size_t chunks;

	pcpu_setup();
	chunks = pcpu_core.slots * PCPU_CHUNK;
	return chunks > pcpu_core.dynamic_size ? chunks : pcpu_core.dynamic_size;
}

static void __percpu *allocate(size_t size, size_t align, bool reserved)
{
	size_t offset;

	pcpu_setup();
	if (size == 0 || size > (reserved ? pcpu_core.unit_size : pcpu_max_size()) || align == 0 ||
	    (align & (align - 1)) || align > pcpu_core.page) {
		errno = EINVAL;
		return NULL;
	}
	pcpu_lock();
	offset = pcpu_take(&pcpu_core, size, align, reserved);
	pcpu_unlock();
	if (offset == SIZE_MAX) {
		errno = ENOMEM;
		return NULL;
	}
	return (void __percpu *)(pcpu_core.cookies + offset);
}

void __percpu *__alloc_percpu(size_t size, size_t align)
{
	return allocate(size, align, false);
}

void __percpu *__alloc_reserved_percpu(size_t size, size_t align)
{
	return allocate(size, align, true);
}

void free_percpu(void __percpu *ptr)
{
	const char *wrong;

	if (!ptr)
		return;
	pcpu_setup();
	pcpu_lock();
	wrong = pcpu_give(&pcpu_core, (uintptr_t)ptr - pcpu_core.cookies);
	pcpu_unlock();
	if (wrong)
		pcpu_die("free_percpu(%p): the pointer %s", (void *)ptr, wrong);
}
