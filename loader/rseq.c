/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptors of restartable sequences that modules bring from headers other than ours (librseq's, say): the
 * section __rseq_cs.
 *
 * A thread's rseq area may point at such a descriptor long after the thread has left the sequence: the
 * kernel reads it when the thread next returns to user space after it was preempted or has slept, and
 * up to 6.18 also the signature before its abort address.  If it can't, it kills the thread.  So the
 * descriptors lie in slots that are never unmapped.  When a module goes each becomes a tombstone, which is a
 * valid descriptor of a sequence of no length, whose abort address has a signature before it.  Its slot is
 * used again: for who still points at it, another sequence is one that it is not in.
 *
 *     chunk | signature | slot | slot | ...          some pages near the modules that use it
 *
 * The kernel may look at any time, so each step leaves a descriptor that it accepts: to bury one its
 * length goes first, then the abort address, then the begin; it is published the other way round, when its
 * code is in place.  (Ours, in __pcpu_rseq_cs, need none of this: they are never left behind.)
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <linux/rseq.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef PCPU_RSEQ_SIGNATURE
#define SIGNATURE PCPU_RSEQ_SIGNATURE
#else
#define SIGNATURE 0 /* nobody has sequences on this machine */
#endif

#define SLOT sizeof(struct rseq_cs)
/* How far a chunk may be from what uses it: code reaches 2 GiB. */
#define REACH ((uintptr_t)1 << 30)

/* Slots in a row that a module has. */
struct rseq_slots {
	struct rseq_chunk *chunk;
	struct rseq_cs *first;
	size_t count;
};

struct rseq_chunk {
	struct rseq_chunk *next;
	uintptr_t base;
	size_t count;	      /* of slots; the first is the signature's */
	unsigned char used[]; /* a byte for each */
};

static struct rseq_chunk *chunks; /* under the shared lock; never freed */

/* ---- Slots ---------------------------------------------------------------------------------- */

static struct rseq_cs *slot_of(const struct rseq_chunk *chunk, size_t number)
{
	return (struct rseq_cs *)(chunk->base + number * SLOT);
}

/* At once for the kernel: where an address is half of a field, the other half is always zero. */
static void store(__u64 *field, uint64_t value)
{
	typedef uintptr_t word __attribute__((may_alias));
	word *low = (word *)field;

	if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		low += sizeof(*field) / sizeof(word) - 1;
	__atomic_store_n(low, (word)value, __ATOMIC_SEQ_CST);
}

static void bury(const struct rseq_chunk *chunk, struct rseq_cs *descriptor)
{
	uint64_t stub = chunk->base + SLOT;

	store(&descriptor->post_commit_offset, 0);
	store(&descriptor->abort_ip, stub);
	store(&descriptor->start_ip, 0);
}

static struct rseq_chunk *add_chunk(uintptr_t low, uintptr_t high, size_t count)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = round_up((count + 1) * SLOT, page);
	struct rseq_chunk *chunk = calloc(1, sizeof(*chunk) + size / SLOT);
	const uint32_t signature = SIGNATURE;

	if (!chunk)
		return NULL;
	if (take_block(low, high, size, page, false, &chunk->base)) {
		free(chunk);
		return NULL;
	}
	chunk->count = size / SLOT;
	chunk->used[0] = 1;
	memcpy((char *)chunk->base + SLOT - sizeof(signature), &signature, sizeof(signature));
	for (size_t i = 1; i < chunk->count; i++)
		bury(chunk, slot_of(chunk, i));
	lock_shared();
	chunk->next = chunks;
	chunks = chunk;
	unlock_shared();
	return chunk;
}

/* The first of `count` free slots in a row, a multiple of `align`; 0 if there are none. */
static size_t find_slots(const struct rseq_chunk *chunk, size_t count, size_t align)
{
	for (size_t first = align; first + count <= chunk->count; first += align) {
		if (!memchr(chunk->used + first, 1, count))
			return first;
	}
	return 0;
}

/* In a chunk at low..high. */
static bool take_slots(struct rseq_slots *slots, uintptr_t low, uintptr_t high, size_t align)
{
	size_t first = 0;

	lock_shared();
	for (struct rseq_chunk *chunk = chunks; chunk && !first; chunk = chunk->next) {
		if (chunk->base >= low && chunk->base <= high)
			first = find_slots(chunk, slots->count, align);
		if (!first)
			continue;
		memset(chunk->used + first, 1, slots->count);
		slots->chunk = chunk;
		slots->first = slot_of(chunk, first);
	}
	unlock_shared();
	return first != 0;
}

/* ---- Loading -------------------------------------------------------------------------------- */

/* Where code in the interval reaches them: in the arena, if that meets it. */
static void find_place(const struct load *load, uintptr_t *low, uintptr_t *high)
{
	struct pcpu_map map;

	pcpu_get_map(&map);
	*low = load->interval.low.base;
	*high = load->interval.high.base;
	if (*low < map.arena + map.arena_size && *high >= map.arena) {
		*low = map.arena;
		*high = map.arena + map.arena_size;
	} else if (*high - *low > REACH) {
		*high = *low + REACH;
	}
}

int place_descriptors(struct load *load)
{
	const struct link_part *part = &load->link->part[LINK_RSEQ];
	size_t align = part->align > SLOT ? part->align / SLOT : 1;
	struct rseq_slots *slots;
	uintptr_t low, high;

	if (!part->size)
		return 0;
	if (part->size % SLOT || part->align % SLOT)
		return fail(load->pm, -ENOEXEC,
			    "%s: section __rseq_cs: is no array of descriptors (found %llu bytes "
			    "aligned to %llu; each has %zu, and is aligned to them)",
			    load->path, (unsigned long long)part->size,
			    (unsigned long long)part->align, SLOT);
	slots = calloc(1, sizeof(*slots));
	if (!slots)
		return fail_memory(load->pm);
	slots->count = part->size / SLOT;
	find_place(load, &low, &high);
	if (!take_slots(slots, low, high, align) &&
	    (!add_chunk(low, high, slots->count + align) || !take_slots(slots, low, high, align))) {
		free(slots);
		return fail(load->pm, -ENOMEM,
			    "%s: no room for descriptors of restartable sequences (__rseq_cs) at "
			    "0x%llx..0x%llx",
			    load->path, (unsigned long long)low, (unsigned long long)high);
	}
	load->module->descriptors = slots;
	load->link->rseq_address = (uintptr_t)slots->first;
	return 0;
}

int open_descriptors(struct load *load)
{
	struct link_part *part = &load->link->part[LINK_RSEQ];

	if (!part->size)
		return 0;
	load->descriptors = malloc(part->size);
	part->buffer = load->descriptors;
	return part->buffer ? 0 : fail_memory(load->pm);
}

/* What the kernel accepts, and what is the module's own: whatever else is there stays a tombstone. */
static bool is_valid(const struct permod_module *module, const struct rseq_cs *descriptor)
{
	return !descriptor->version && !descriptor->flags && descriptor->post_commit_offset &&
	       has_address(module, descriptor->start_ip) &&
	       has_address(module, descriptor->start_ip + descriptor->post_commit_offset - 1) &&
	       has_address(module, descriptor->abort_ip - sizeof(uint32_t)) &&
	       has_address(module, descriptor->abort_ip) &&
	       descriptor->abort_ip - descriptor->start_ip >= descriptor->post_commit_offset;
}

int publish_descriptors(struct load *load)
{
	const struct rseq_slots *slots = load->module->descriptors;

	for (size_t i = 0; slots && i < slots->count; i++) {
		struct rseq_cs descriptor, *slot = &slots->first[i];

		memcpy(&descriptor, load->descriptors + i * SLOT, SLOT);
		if (!is_valid(load->module, &descriptor))
			continue;
		store(&slot->start_ip, descriptor.start_ip);
		store(&slot->abort_ip, descriptor.abort_ip);
		store(&slot->post_commit_offset, descriptor.post_commit_offset);
	}
	return 0;
}

/* ---- The end -------------------------------------------------------------------------------- */

void bury_descriptors(struct permod_module *module, has_function *goes)
{
	const struct rseq_slots *slots = module->descriptors;

	for (size_t i = 0; slots && i < slots->count; i++) {
		struct rseq_cs *slot = &slots->first[i];

		if (goes(module, slot->start_ip) || goes(module, slot->abort_ip))
			bury(slots->chunk, slot);
	}
}

void give_descriptors(struct permod_module *module)
{
	struct rseq_slots *slots = module->descriptors;

	if (!slots)
		return;
	lock_shared();
	memset(slots->chunk->used + (slots->first - slot_of(slots->chunk, 0)), 0, slots->count);
	unlock_shared();
	free(slots);
	module->descriptors = NULL;
}
