/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * percpu_ref: changes of mode, and counting in atomic mode.
 *
 * The count of references is the sum of `count` and, in per-CPU mode, of the slots, each of which may
 * be negative.  Two tricks:
 *
 *     Bias.  In per-CPU mode `count` has a large number more.  A thread that looked while the mode
 *     was atomic changes `count` afterwards, and can't take it to zero; nor can those who see the
 *     atomic mode before the slots have been added and the bias has been taken off, in one step.
 *
 *     Dead bit.  `count` has twice the references, and its lowest bit says whether the count is dead.
 *     So "one more unless it is dead" is one atomic step, and fails for certain once it is set.
 *
 * From per-CPU to atomic mode: set the mode, fence, add up the slots.  From then on nobody changes
 * slots, so that on the way back they are just set to zero first.
 */
#define _GNU_SOURCE
#include "structures.h"

#include <permod/percpu_ref.h>

#define FLAGS                                                                                      \
	(PERCPU_REF_INIT_ATOMIC | PERCPU_REF_INIT_DEAD | PERCPU_REF_ALLOW_REINIT |                 \
	 PERCPU_REF_INIT_LAZY)
/* When so many references were taken, a lazy count goes to per-CPU mode. */
#define OFTEN 64U
#define DEAD 1UL
#define ONE 2UL
#define BIAS (~0UL / 2 + 1)

static unsigned long __percpu *slots_of(const struct percpu_ref *ref)
{
	uintptr_t mode = __atomic_load_n(&ref->mode, __ATOMIC_RELAXED);

	return (unsigned long __percpu *)(mode & ~(uintptr_t)(PCPU_REF_ATOMIC | PCPU_REF_DEAD));
}

static bool has_mode(const struct percpu_ref *ref, unsigned int bits)
{
	return (__atomic_load_n(&ref->mode, __ATOMIC_RELAXED) & bits) != 0;
}

/* ---- Changing the mode: under pcpu_fence_lock() --------------------------------------------- */

/* In atomic mode only. */
static void free_slots(struct percpu_ref *ref)
{
	unsigned long __percpu *slots = slots_of(ref);

	__atomic_fetch_sub(&ref->mode, (uintptr_t)slots, __ATOMIC_RELAXED);
	free_percpu(slots);
}

/* To atomic mode, and dead if `bits` says so. */
static void leave_percpu(struct percpu_ref *ref, unsigned int bits)
{
	uintptr_t before = __atomic_fetch_or(&ref->mode, bits | PCPU_REF_ATOMIC, __ATOMIC_SEQ_CST);
	unsigned long sum = 0, left;
	unsigned int cpu;

	if (before & PCPU_REF_ATOMIC)
		return;
	pcpu_fence();
	for_each_possible_cpu(cpu)
		sum += __atomic_load_n(per_cpu_ptr(slots_of(ref), cpu), __ATOMIC_RELAXED);
	left = __atomic_add_fetch(&ref->count, ONE * sum - BIAS, __ATOMIC_ACQ_REL);
	/* The initial reference, at least, is still there. */
	if (left < ONE || left >= BIAS)
		pcpu_die("percpu_ref %p: %ld references while the initial one is held: more were "
			 "put than got",
			 (void *)ref, (long)(left & ~DEAD) / (long)ONE);
	if (!(ref->flags & PERCPU_REF_ALLOW_REINIT))
		free_slots(ref);
}

/* To per-CPU mode, if that may be. */
static void enter_percpu(struct percpu_ref *ref)
{
	unsigned int cpu;

	if (!pcpu_fences || !has_mode(ref, PCPU_REF_ATOMIC) || has_mode(ref, PCPU_REF_DEAD) ||
	    (ref->flags & PERCPU_REF_INIT_ATOMIC))
		return;
	for_each_possible_cpu(cpu) {
		unsigned long *slot = per_cpu_ptr(slots_of(ref), cpu);

		/* A CPU that was never used has no memory there, and shall get none. */
		if (__atomic_load_n(slot, __ATOMIC_RELAXED))
			__atomic_store_n(slot, 0, __ATOMIC_RELAXED);
	}
	__atomic_fetch_add(&ref->count, BIAS, __ATOMIC_RELAXED);
	__atomic_fetch_and(&ref->mode, ~(uintptr_t)PCPU_REF_ATOMIC, __ATOMIC_RELEASE);
}

static void need_reinit(const struct percpu_ref *ref, const char *function)
{
	if (!(ref->flags & PERCPU_REF_ALLOW_REINIT))
		pcpu_die("%s(%p): the count was made without PERCPU_REF_ALLOW_REINIT", function,
			 (const void *)ref);
}

/* ---- Life ----------------------------------------------------------------------------------- */

int percpu_ref_init(struct percpu_ref *ref, percpu_ref_func_t *release, unsigned int flags)
{
	unsigned long __percpu *slots = NULL;
	int saved = errno;

	if (!release || (flags & ~(unsigned int)FLAGS))
		return -EINVAL;
	pcpu_fence_setup();
	if (pcpu_fences) {
		slots = alloc_percpu(unsigned long);
		errno = saved;
		if (!slots)
			return -ENOMEM;
	}
	/* From here on PERCPU_REF_INIT_ATOMIC means: percpu_ref_switch_to_atomic() was the last word. */
	if (flags & (PERCPU_REF_INIT_ATOMIC | PERCPU_REF_INIT_DEAD | PERCPU_REF_INIT_LAZY))
		flags |= PERCPU_REF_ALLOW_REINIT;
	*ref = (struct percpu_ref){
		.mode = (uintptr_t)slots | PCPU_REF_ATOMIC,
		.count = ONE,
		.release = release,
		.flags = flags,
		.lazy = pcpu_fences && (flags & PERCPU_REF_INIT_LAZY) ? OFTEN : 0,
	};
	if (flags & PERCPU_REF_INIT_DEAD) {
		ref->mode |= PCPU_REF_DEAD;
		ref->count = DEAD;
	}
	if (!ref->lazy)
		enter_percpu(ref);
	return 0;
}

void percpu_ref_exit(struct percpu_ref *ref)
{
	pcpu_fence_lock();
	__atomic_fetch_or(&ref->mode, PCPU_REF_ATOMIC | PCPU_REF_DEAD, __ATOMIC_RELAXED);
	free_slots(ref);
	pcpu_fence_unlock();
}

void percpu_ref_kill_and_confirm(struct percpu_ref *ref, percpu_ref_func_t *confirm)
{
	pcpu_fence_lock();
	if (has_mode(ref, PCPU_REF_DEAD))
		pcpu_die("percpu_ref_kill(%p): the count is dead already", (void *)ref);
	__atomic_fetch_or(&ref->count, DEAD, __ATOMIC_SEQ_CST);
	leave_percpu(ref, PCPU_REF_DEAD);
	pcpu_fence_unlock();
	if (confirm)
		confirm(ref);
	pcpu_ref_put_slow(ref, 1);
}

unsigned long percpu_ref_kill_unused(struct percpu_ref *ref)
{
	unsigned long count = ONE;

	pcpu_fence_lock();
	if (has_mode(ref, PCPU_REF_DEAD))
		pcpu_die("percpu_ref_kill_unused(%p): the count is dead already", (void *)ref);
	need_reinit(ref, "percpu_ref_kill_unused");
	leave_percpu(ref, 0);
	if (__atomic_compare_exchange_n(&ref->count, &count, DEAD, false, __ATOMIC_SEQ_CST,
					__ATOMIC_ACQUIRE)) {
		__atomic_fetch_or(&ref->mode, PCPU_REF_DEAD, __ATOMIC_SEQ_CST);
		count = ONE;
	} else {
		enter_percpu(ref);
	}
	pcpu_fence_unlock();
	PCPU_TSAN_ACQUIRE(ref);
	return count / ONE - 1;
}

void percpu_ref_resurrect(struct percpu_ref *ref)
{
	pcpu_fence_lock();
	if (!has_mode(ref, PCPU_REF_DEAD))
		pcpu_die("percpu_ref_resurrect(%p): the count is not dead", (void *)ref);
	need_reinit(ref, "percpu_ref_resurrect");
	/* One reference more, and alive, in one step. */
	__atomic_fetch_add(&ref->count, ONE - DEAD, __ATOMIC_SEQ_CST);
	__atomic_fetch_and(&ref->mode, ~(uintptr_t)PCPU_REF_DEAD, __ATOMIC_SEQ_CST);
	enter_percpu(ref);
	pcpu_fence_unlock();
}

void percpu_ref_reinit(struct percpu_ref *ref)
{
	unsigned long count = __atomic_load_n(&ref->count, __ATOMIC_ACQUIRE);

	if (!percpu_ref_is_zero(ref))
		pcpu_die("percpu_ref_reinit(%p): the count is not zero (%s)", (void *)ref,
			 count & DEAD ? "references are still held" : "it is alive");
	percpu_ref_resurrect(ref);
}

void percpu_ref_switch_to_atomic(struct percpu_ref *ref, percpu_ref_func_t *confirm)
{
	pcpu_fence_lock();
	ref->flags |= PERCPU_REF_INIT_ATOMIC;
	leave_percpu(ref, 0);
	pcpu_fence_unlock();
	if (confirm)
		confirm(ref);
}

void percpu_ref_switch_to_percpu(struct percpu_ref *ref)
{
	pcpu_fence_lock();
	need_reinit(ref, "percpu_ref_switch_to_percpu");
	ref->flags &= ~(unsigned int)PERCPU_REF_INIT_ATOMIC;
	enter_percpu(ref);
	pcpu_fence_unlock();
}

/* ---- Counting ------------------------------------------------------------------------------- */

/* By a sequence of the library's; false in atomic mode. */
static bool add_restartably(struct percpu_ref *ref, unsigned long amount)
{
	while (pcpu_fences && !has_mode(ref, PCPU_REF_ATOMIC)) {
		if (__pcpu_ref_add(&ref->mode, amount))
			return true;
		if (!has_mode(ref, PCPU_REF_ATOMIC))
			pcpu_prepare_thread_quietly();
	}
	return false;
}

/* A reference was taken in atomic mode, and is held.  That may be in a signal's handler, so the lock is
 * not waited for; then the next one tries. */
static void count_lazily(struct percpu_ref *ref)
{
	unsigned int left = __atomic_load_n(&ref->lazy, __ATOMIC_RELAXED);

	if (!left)
		return;
	/* If two see the same number, it takes one more. */
	if (left > 1) {
		__atomic_store_n(&ref->lazy, left - 1, __ATOMIC_RELAXED);
		return;
	}
	if (!pcpu_fence_trylock())
		return;
	enter_percpu(ref);
	__atomic_store_n(&ref->lazy, 0, __ATOMIC_RELAXED);
	pcpu_fence_unlock();
}

void pcpu_ref_get_slow(struct percpu_ref *ref, unsigned long count)
{
	if (add_restartably(ref, count))
		return;
	__atomic_fetch_add(&ref->count, ONE * count, __ATOMIC_RELAXED);
	count_lazily(ref);
}

/* Add to `count`, unless it has no reference or one of the bits in `unless`. */
static bool add_unless(struct percpu_ref *ref, unsigned long count, unsigned long unless)
{
	unsigned long old = __atomic_load_n(&ref->count, __ATOMIC_RELAXED);

	do {
		if (old < ONE || (old & unless))
			return false;
	} while (!__atomic_compare_exchange_n(&ref->count, &old, old + ONE * count, true,
					      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	return true;
}

static bool tryget_slowly(struct percpu_ref *ref, unsigned long count, unsigned long unless)
{
	if (add_restartably(ref, count))
		return true;
	if (!add_unless(ref, count, unless))
		return false;
	count_lazily(ref);
	return true;
}

bool pcpu_ref_tryget_slow(struct percpu_ref *ref, unsigned long count)
{
	return tryget_slowly(ref, count, 0);
}

bool pcpu_ref_tryget_live_slow(struct percpu_ref *ref, unsigned long count)
{
	return tryget_slowly(ref, count, DEAD);
}

/* Once the reference is put the memory may be gone, unless it was the last. */
void pcpu_ref_put_slow(struct percpu_ref *ref, unsigned long count)
{
	if (add_restartably(ref, 0 - count))
		return;
	if (__atomic_sub_fetch(&ref->count, ONE * count, __ATOMIC_ACQ_REL) >= ONE)
		return;
	PCPU_TSAN_ACQUIRE(ref);
	ref->release(ref);
}
