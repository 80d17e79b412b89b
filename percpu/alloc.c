/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Allocation: the entries.
 *
 * The fast way, for areas of up to PCPU_SMALL grains: one sequence on the current CPU's cache and
 * one byte of state, each for allocating and for freeing.  The slow way, once for some hundreds of
 * these: what was freed is cleaned and goes into the list that is allocated from, or back into the
 * pool; if there is nothing, a number of areas is taken from the pool at once.
 *
 * How many a list may hold is learned when one is cleaned: twice as many as before, if what was freed
 * lies close together, and half as many if it is scattered, since each area of a list keeps a page
 * from being given back.  A small part of all areas may be in a list anyhow.  A thread that moves on
 * leaves its lists behind, and nobody looks at them: so each time when half of the areas have gone
 * back to the pool, and lists have most of the others, these go too.
 *
 * Larger areas, and all where there are no caches, are taken from the pool one by one, and wait in
 * `waiting` when they are freed.
 */
#define _GNU_SOURCE
#include "cache.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

/* The alignment of areas from caches: their size's own, up to this (bytes). */
#define LINE ((size_t)64)
/* How many areas a list may hold: at first, of all areas anyhow, and at most in grains: for one or
 * two CPUs that write, and with more of them so much together. */
#define LEAST_LIMIT ((size_t)16)
#define ANYHOW(areas) ((areas) / 256)
#define MOST_GRAINS ((size_t)(128 << 10) / PCPU_GRAIN)
#define TOGETHER ((size_t)(128 << 10) / PCPU_GRAIN)
/* Freed areas of all sizes wait until they are so many, or fill so much on the CPUs that write, or may
 * keep so much there if each has pages of its own (bytes); but a few may in any case. */
#define WAITING_AREAS ((size_t)64)
#define WAITING_LEAST ((size_t)4)
#define WAITING_SCATTERED ((size_t)1 << 20)
#define WAITING_GRAINS ((size_t)(256 << 10) / PCPU_GRAIN)
/* With fewer areas than this, lists are not looked through. */
#define FEW_AREAS ((size_t)32)
/* In the checked mode, to find more. */
#define WAITING_CHECKED ((size_t)(16 << 20) / PCPU_GRAIN)

/* For those who can't wait: at least so many areas, of each power of two from this size on. */
#define RESERVE ((size_t)8)
#define RESERVE_LEAST ((size_t)16 / PCPU_GRAIN)

/* See internal.h: one of these is held by whoever has areas in hand, and all of them by whoever must
 * be sure that nobody has. */
#define BUSY 16
static pthread_mutex_t busy[BUSY] = { [0 ... BUSY - 1] = PTHREAD_MUTEX_INITIALIZER };

/* Under the lock. */
static struct pcpu_batch waiting;
static size_t waiting_grains;
static size_t most_areas = FEW_AREAS; /* since lists were looked through, or that many */
/* Atomic: the areas have become half of that. */
static bool halved;
/* Atomic: what a list may hold if it is scattered. */
static size_t scattered_limit = LEAST_LIMIT;

/* One for each CPU, as a rule, so that nobody waits. */
static pthread_mutex_t *enter(void)
{
	pthread_mutex_t *mine = &busy[pcpu_current_cpu() % BUSY];

	pthread_mutex_lock(mine);
	return mine;
}

static void leave(pthread_mutex_t *mine)
{
	pthread_mutex_unlock(mine);
}

static void shut_out(void)
{
	for (unsigned int i = 0; i < BUSY; i++)
		pthread_mutex_lock(&busy[i]);
}

static void let_in(void)
{
	for (unsigned int i = 0; i < BUSY; i++)
		pthread_mutex_unlock(&busy[i]);
}

/* ---- The pool, for batches ------------------------------------------------------------------ */

/* What a list may hold in any case: its areas may each keep a page on every CPU that writes. */
static size_t least_limit(void)
{
	size_t touched = pcpu_count_touched(&pcpu_core);
	size_t limit = touched > 2 ? 2 * LEAST_LIMIT / touched : LEAST_LIMIT;

	return limit > 2 ? limit : 2;
}

/* Under the lock, when areas have been taken or given. */
static void adapt(void)
{
	size_t limit = ANYHOW(pcpu_core.areas), least = least_limit();

	__atomic_store_n(&scattered_limit, limit > least ? limit : least, __ATOMIC_RELAXED);
	if (most_areas < pcpu_core.areas)
		most_areas = pcpu_core.areas;
	if (pcpu_core.areas < most_areas / 2)
		__atomic_store_n(&halved, true, __ATOMIC_RELAXED);
}

static void give(const struct pcpu_batch *batch)
{
	pcpu_lock();
	pcpu_pool_give(&pcpu_core, batch);
	adapt();
	pcpu_unlock();
}

/* Clean freed areas of one size.  Their states find what was freed twice at the same time. */
static bool clean(struct pcpu_batch *batch)
{
	bool compact = pcpu_clean(&pcpu_core, batch);

	for (size_t i = 0; i < batch->count; i++) {
		size_t position = batch->position[i];

		if (pcpu_state(&pcpu_core, position) != (batch->size | PCPU_FREED))
			pcpu_die("free_percpu(%p): the area was freed twice, by threads at the "
				 "same time",
				 (void *)(pcpu_core.cookies + position * PCPU_GRAIN));
		pcpu_set_state(&pcpu_core, position, PCPU_CLEAN);
	}
	return compact;
}

/* Clean all that waits and give it back. */
static void clean_waiting(void)
{
	struct pcpu_batch batch;

	pcpu_lock();
	batch.size = 0;
	batch.count = waiting.count;
	memcpy(batch.position, waiting.position, waiting.count * sizeof(*batch.position));
	waiting.count = 0;
	waiting_grains = 0;
	pcpu_unlock();
	if (pcpu_checked)
		pcpu_checked_clean(&pcpu_core, &batch);
	else
		pcpu_clean(&pcpu_core, &batch);
	give(&batch);
}

/* For draining caches. */
static void give_list(struct pcpu_batch *batch, enum pcpu_list list)
{
	if (list == PCPU_DIRTY_LIST)
		clean(batch);
	give(batch);
}

/* All that waits or is in a cache goes back to the pool. */
static void drain(void)
{
	static struct pcpu_batch batch; /* with everybody else shut out; stacks can be small */

	shut_out();
	pcpu_cache_stop();
	pcpu_cache_drain(&batch, give_list);
	pcpu_cache_start();
	clean_waiting();
	let_in();
}

void pcpu_trim(void)
{
	pcpu_setup();
	drain();
	pcpu_lock();
	pcpu_pool_trim(&pcpu_core);
	pcpu_unlock();
}

/* With no lock held: see the top. */
static void empty_lists(void)
{
	size_t areas = 0, grains = 0;
	bool most;

	pcpu_lock();
	__atomic_store_n(&halved, false, __ATOMIC_RELAXED);
	most_areas = pcpu_core.areas > FEW_AREAS ? pcpu_core.areas : FEW_AREAS;
	pcpu_cache_sum(&areas, &grains);
	most = areas > pcpu_core.areas / 2;
	pcpu_unlock();
	if (most)
		pcpu_trim();
}

/* After the slow way. */
static void finish(pthread_mutex_t *mine)
{
	leave(mine);
	if (__builtin_expect(__atomic_load_n(&halved, __ATOMIC_RELAXED), 0))
		empty_lists();
}

/* ---- Small areas ---------------------------------------------------------------------------- */

static size_t round_up(size_t bytes)
{
	return (bytes + PCPU_GRAIN - 1) / PCPU_GRAIN;
}

/* The alignment that all small areas of a size have: bytes. */
static size_t natural_align(size_t grains)
{
	size_t bytes = (grains & -grains) * PCPU_GRAIN;

	return bytes < LINE ? bytes : LINE;
}

/* A limit as near to what is wanted as it may be. */
static void set_limit(size_t size, size_t wanted)
{
	size_t touched = pcpu_count_touched(&pcpu_core);
	size_t most = touched > 2 ? TOGETHER / touched : MOST_GRAINS;
	size_t least = __atomic_load_n(&scattered_limit, __ATOMIC_RELAXED);

	if (wanted < least)
		wanted = least;
	if (wanted > most / size)
		wanted = most / size;
	if (wanted > PCPU_BATCH)
		wanted = PCPU_BATCH;
	if (wanted < least_limit())
		wanted = least_limit();
	/* The reserve has room in any case. */
	if (wanted < RESERVE && size >= RESERVE_LEAST && !(size & (size - 1)))
		wanted = RESERVE;
	pcpu_cache_set_limit(size, wanted);
}

/* Put clean areas where they are allocated from, as many as there is room for. */
static void store(struct pcpu_batch *batch)
{
	size_t count = pcpu_cache_count(batch->size, PCPU_CLEAN_LIST);
	size_t limit = pcpu_cache_limit(batch->size);
	size_t room = limit > count ? limit - count : 0;

	if (room > batch->count)
		room = batch->count;
	if (pcpu_cache_put(batch->size, batch->position + batch->count - room, room))
		batch->count -= room;
	if (batch->count)
		give(batch);
}

/* Clean what was freed, and keep it if it lies close together; and learn from that. */
static void recycle(struct pcpu_batch *batch)
{
	size_t limit = pcpu_cache_limit(batch->size);
	bool compact = clean(batch);

	set_limit(batch->size, compact ? limit * 2 : limit / 2);
	if (compact)
		store(batch);
	else
		give(batch);
}

/* Take a number of areas from the pool: the lowest is last, and handed out first. */
static void refill(struct pcpu_batch *batch, size_t size, size_t count)
{
	batch->size = size;
	pcpu_lock();
	batch->count = pcpu_pool_take(&pcpu_core, size, natural_align(size) / PCPU_GRAIN,
				      batch->position, count);
	adapt();
	pcpu_unlock();
	for (size_t i = 0; i < batch->count; i++)
		pcpu_set_state(&pcpu_core, batch->position[i], PCPU_CLEAN);
	for (size_t i = 0, j = batch->count; i + 1 < j; i++) {
		uint32_t position = batch->position[i];

		batch->position[i] = batch->position[--j];
		batch->position[j] = position;
	}
}

/* Sizes of which some areas are always at hand, for those who can't wait. */
static void top_up_reserve(struct pcpu_batch *batch)
{
	for (size_t size = RESERVE_LEAST; size <= PCPU_SMALL; size *= 2) {
		size_t count = pcpu_cache_count(size, PCPU_CLEAN_LIST);

		if (count >= RESERVE)
			continue;
		if (pcpu_cache_limit(size) < RESERVE)
			set_limit(size, LEAST_LIMIT);
		refill(batch, size, RESERVE - count);
		store(batch);
	}
}

/*
 * How many areas to take from the pool: as many as have been freed meanwhile, since so many come and
 * go; where none were, twice as many as the last time, up to a part of all that there are.
 */
static size_t refill_count(size_t size)
{
	size_t freed = pcpu_cache_count(size, PCPU_DIRTY_LIST);
	size_t most = __atomic_load_n(&scattered_limit, __ATOMIC_RELAXED) * 16;
	size_t count = freed ? freed : 2 * pcpu_cache_refilled(size);

	if (count > most)
		count = most;
	if (count < least_limit())
		count = least_limit();
	if (!freed && count > pcpu_cache_limit(size))
		set_limit(size, count);
	if (count > pcpu_cache_limit(size))
		count = pcpu_cache_limit(size);
	count = count ? count : 1;
	pcpu_cache_set_refilled(size, count);
	return count;
}

/* The cache is empty: a position, or -1. */
__attribute__((noinline)) static int64_t take_slowly(size_t size)
{
	pthread_mutex_t *mine = enter();
	size_t limit = pcpu_cache_limit(size);
	struct pcpu_batch batch;
	int64_t position;

	if (!limit)
		set_limit(size, LEAST_LIMIT);
	if (limit && pcpu_cache_count(size, PCPU_DIRTY_LIST) >= limit / 2) {
		pcpu_cache_take(size, &batch);
		recycle(&batch);
	}
	position = pcpu_cache_pop(size);
	if (position < 0) {
		refill(&batch, size, refill_count(size));
		if (batch.count)
			position = batch.position[--batch.count];
		store(&batch);
	}
	top_up_reserve(&batch);
	leave(mine);
	return position;
}

/* The list of freed areas is full, or has no limit yet. */
__attribute__((noinline)) static void leave_slowly(size_t size, uint32_t position)
{
	struct pcpu_batch batch;
	pthread_mutex_t *mine = enter();

	if (!pcpu_cache_limit(size))
		set_limit(size, LEAST_LIMIT);
	if (!pcpu_cache_push(size, position)) {
		pcpu_cache_take(size, &batch);
		batch.position[batch.count++] = position;
		recycle(&batch);
	}
	finish(mine);
}

/* Without waiting: of this size, or a larger one of those in reserve.  Returns a position, or -1,
 * and in *size what it is. */
static int64_t take_at_once(size_t *size, size_t align)
{
	int64_t position = pcpu_cache_pop(*size);

	for (size_t larger = RESERVE_LEAST; position < 0 && larger <= PCPU_SMALL; larger *= 2) {
		if (larger < *size || natural_align(larger) < align)
			continue;
		position = pcpu_cache_pop(larger);
		if (position >= 0)
			*size = larger;
	}
	return position;
}

/* ---- Any area ------------------------------------------------------------------------------- */

static void __percpu *cookie_of(size_t position)
{
	return (void __percpu *)(pcpu_core.cookies + position * PCPU_GRAIN);
}

static size_t take_one(size_t size, size_t align, bool reserved, unsigned int flags)
{
	size_t offset;

	if (!(flags & PCPU_NOWAIT))
		pcpu_lock();
	else if (!pcpu_trylock())
		return SIZE_MAX;
	if (pcpu_checked && !reserved)
		offset = pcpu_checked_take(&pcpu_core, size, align);
	else
		offset = pcpu_take(&pcpu_core, size, align, reserved);
	pcpu_unlock();
	return offset;
}

/* Whether an area from a cache does: its size, and an alignment that all of that size have. */
static inline bool is_small(size_t size, size_t align)
{
	return size - 1 < PCPU_SMALL && align - 1 < LINE && !(align & (align - 1)) &&
	       !(size * PCPU_GRAIN & (align - 1));
}

/* For a thread's first time, and while the library is not set up. */
static bool get_usable(void)
{
	if (!pcpu_caches)
		return false;
	if (!pcpu_thread_is_known())
		pcpu_prepare_thread();
	return true;
}

__attribute__((noinline, cold)) static void __percpu *
allocate_slowly(size_t bytes, size_t align, bool reserved, unsigned int flags)
{
	size_t size = round_up(bytes), offset;
	int64_t position = -1;

	pcpu_setup();
	if (bytes == 0 || bytes > (reserved ? pcpu_core.unit_size : pcpu_max_size()) ||
	    align == 0 || (align & (align - 1)) || align > pcpu_core.page ||
	    (flags & ~PCPU_NOWAIT)) {
		errno = EINVAL;
		return NULL;
	}
	if (!reserved && is_small(size, align) && get_usable())
		position = flags & PCPU_NOWAIT ? take_at_once(&size, align) : take_slowly(size);
	if (position >= 0) {
		pcpu_set_state(&pcpu_core, (size_t)position, (unsigned int)size);
		pcpu_note_size(&pcpu_core, round_up(bytes));
		return cookie_of((size_t)position);
	}
	/* When it is freed it comes into a list, where all have this alignment. */
	if (!reserved && size <= PCPU_SMALL && align < natural_align(size))
		align = natural_align(size);
	offset = take_one(bytes, align, reserved, flags);
	if (offset == SIZE_MAX && !(flags & PCPU_NOWAIT) && !reserved) {
		drain();
		offset = take_one(bytes, align, reserved, flags);
	}
	if (offset == SIZE_MAX) {
		errno = flags & PCPU_NOWAIT ? EAGAIN : ENOMEM;
		return NULL;
	}
	return cookie_of(offset / PCPU_GRAIN);
}

static inline void __percpu *allocate(size_t bytes, size_t align, unsigned int flags)
{
	size_t size = round_up(bytes);
	int64_t position;

	if (__builtin_expect(is_small(size, align) && flags <= PCPU_NOWAIT &&
				     pcpu_cache_is_usable(),
			     1)) {
		position = pcpu_cache_pop(size);
		if (__builtin_expect(position >= 0, 1)) {
			pcpu_set_state(&pcpu_core, (size_t)position, (unsigned int)size);
			return cookie_of((size_t)position);
		}
	}
	return allocate_slowly(bytes, align, false, flags);
}

void __percpu *__alloc_percpu_gfp(size_t size, size_t align, unsigned int flags)
{
	return allocate(size, align, flags);
}

void __percpu *__alloc_percpu(size_t size, size_t align)
{
	return allocate(size, align, 0);
}

void __percpu *__alloc_reserved_percpu(size_t size, size_t align)
{
	return allocate_slowly(size, align, true, 0);
}

size_t pcpu_max_size(void)
{
	size_t chunks;

	pcpu_setup();
	chunks = pcpu_core.slots * PCPU_CHUNK;
	if (chunks < pcpu_core.dynamic_size)
		chunks = pcpu_core.dynamic_size;
	return chunks - (pcpu_checked && chunks >= PCPU_GUARD ? PCPU_GUARD : 0);
}

/* ---- Freeing -------------------------------------------------------------------------------- */

/* Say what is wrong with a pointer, and where it points. */
__attribute__((noreturn)) static void refuse(void __percpu *ptr, const char *wrong)
{
	size_t offset = (uintptr_t)ptr - pcpu_core.cookies;
	const struct pcpu_chunk *chunk = NULL;
	int cpu = -1;

	if (offset < pcpu_core.unit_size)
		chunk = pcpu_find_chunk(&pcpu_core, offset / PCPU_GRAIN);
	if (pcpu_classify((void *)ptr, &cpu, NULL) != PCPU_NONE && cpu >= 0)
		pcpu_die("free_percpu(%p): the pointer %s: it is an address in the unit of CPU %d",
			 (void *)ptr, wrong, cpu);
	if (!chunk && offset / PCPU_GRAIN >= pcpu_core.reserved.end && offset < pcpu_core.unit_size)
		pcpu_die(
			"free_percpu(%p): the pointer %s; offset %#zx, in the dynamic region, where "
			"there is no chunk now",
			(void *)ptr, wrong, offset);
	if (!chunk)
		pcpu_die("free_percpu(%p): the pointer %s", (void *)ptr, wrong);
	if (chunk == &pcpu_core.reserved)
		pcpu_die("free_percpu(%p): the pointer %s; offset %#zx, in the reserved region",
			 (void *)ptr, wrong, offset);
	pcpu_die("free_percpu(%p): the pointer %s; offset %#zx, in the dynamic region, chunk %zu",
		 (void *)ptr, wrong, offset, (size_t)(chunk - pcpu_core.chunk));
}

/* Let an area wait for being cleaned; true if that's enough of them.  Under the lock. */
static bool let_wait(size_t position)
{
	size_t size = pcpu_area_size(&pcpu_core, position);
	size_t touched = pcpu_count_touched(&pcpu_core) + 1;

	if (pcpu_checked)
		pcpu_checked_free(&pcpu_core, position);
	pcpu_set_state(&pcpu_core, position, pcpu_state(&pcpu_core, position) | PCPU_FREED);
	waiting.position[waiting.count++] = (uint32_t)position;
	waiting_grains += size;
	if (pcpu_checked)
		return waiting.count >= PCPU_BATCH / 2 || waiting_grains >= WAITING_CHECKED;
	return waiting.count >= WAITING_AREAS || waiting_grains * touched >= WAITING_GRAINS ||
	       (waiting.count >= WAITING_LEAST &&
		waiting.count * touched * pcpu_core.page >= WAITING_SCATTERED);
}

__attribute__((noinline, cold)) static void free_slowly(void __percpu *ptr)
{
	size_t offset = (uintptr_t)ptr - pcpu_core.cookies;
	size_t position = offset / PCPU_GRAIN;
	bool enough = false;
	pthread_mutex_t *mine;
	const char *wrong;

	if (!ptr)
		return;
	pcpu_setup();
	/* A thread's first time: from now on it can do it the fast way. */
	get_usable();
	mine = enter();
	pcpu_lock();
	while (waiting.count >= PCPU_BATCH) {
		pcpu_unlock();
		clean_waiting();
		pcpu_lock();
	}
	if (position >= pcpu_core.reserved.begin && position < pcpu_core.reserved.end) {
		wrong = pcpu_give(&pcpu_core, offset);
	} else {
		wrong = pcpu_why_not_free(&pcpu_core, offset);
		enough = !wrong && let_wait(position);
	}
	pcpu_unlock();
	if (wrong)
		refuse(ptr, wrong);
	if (enough)
		clean_waiting();
	finish(mine);
}

void free_percpu(void __percpu *ptr)
{
	size_t offset = (uintptr_t)ptr - pcpu_core.cookies;
	size_t position = offset / PCPU_GRAIN;
	unsigned int size = 0;

	if (__builtin_expect(offset < pcpu_core.unit_size && offset % PCPU_GRAIN == 0 &&
				     position >= pcpu_core.reserved.end && pcpu_cache_is_usable(),
			     1))
		size = pcpu_state(&pcpu_core, position);
	if (__builtin_expect(size - 1 >= PCPU_SMALL, 0)) {
		free_slowly(ptr);
		return;
	}
	pcpu_set_state(&pcpu_core, position, size | PCPU_FREED);
	if (__builtin_expect(!pcpu_cache_push(size, (uint32_t)position), 0))
		leave_slowly(size, (uint32_t)position);
}

/* ---- fork() and looking --------------------------------------------------------------------- */

/* With all these locks held and the caches stopped, no list and no chunk is between two states.  (A
 * thread that has just taken an area, or not yet left it, loses that one in the child.) */
void pcpu_alloc_before_fork(void)
{
	shut_out();
	pcpu_lock();
	pcpu_cache_stop();
}

void pcpu_alloc_behind_fork(void)
{
	pcpu_cache_start();
	pcpu_unlock();
	let_in();
}

void pcpu_idle_sum(size_t *areas, size_t *grains)
{
	*areas = waiting.count;
	*grains = waiting_grains;
	pcpu_cache_sum(areas, grains);
}
