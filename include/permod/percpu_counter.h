/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <permod/percpu_counter.h> - counters that many threads change and few read.
 *
 * Each CPU has a slot with the total of what was added on it, and additions are plain instructions
 * on this CPU's slot.  When the part of a total that is not published yet reaches a BATCH, it is
 * added to a common count.  So there are two ways to read, as in the Linux kernel
 * (include/linux/percpu_counter.h, lib/percpu_counter.c), whose names these are:
 *
 *     percpu_counter_read()	the common count: one load (a call on 32-bit CPUs), APPROXIMATE
 *     percpu_counter_sum()	the totals of all possible CPUs: EXACT, time in proportion to CPUs
 *
 * How far the approximate value can be off: each possible CPU may hold back less than a batch, so it
 * differs from the exact one by at most (batch - 1) * num_possible_cpus(), where batch is the largest
 * that was used with this counter; and each thread that is inside an addition just then can hold back
 * another batch and the amount that it adds.
 *
 * What "exact" means: a sum has every addition that ended before it began, none that began after it
 * ended, and each of the others either as a whole or not at all.  No addition is lost or counted
 * twice by migrations, preemption and signals.  Counts are 64 bits with sign, and wrap around.
 *
 * Any number of threads and signal handlers may use a counter.  Additions and reads are
 * async-signal-safe and never wait; percpu_counter_init() and percpu_counter_destroy() are not
 * async-signal-safe.  Nothing here orders other memory accesses.  Where operations are atomic
 * (pcpu_ops_name()) all is the same, but slower; and where the CPU has no atomic instructions for 8
 * bytes, each step takes a lock, with signals blocked, for a few instructions.
 */
#ifndef PERMOD_PERCPU_COUNTER_H
#define PERMOD_PERCPU_COUNTER_H

#include <permod/arch/structures.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct percpu_counter_slot - what a CPU has of a counter.
 * @total:	all that was added on this CPU, ever
 * @published:	as much of it as is in the common count
 */
struct percpu_counter_slot {
	int64_t total;
	int64_t published;
} __attribute__((aligned(16)));

/**
 * struct percpu_counter - a counter; the caller's memory, initialised by percpu_counter_init().
 * @slots:	of the library
 * @batch:	how much a CPU may hold back before percpu_counter_add() publishes it: set by
 *		percpu_counter_init() as in the kernel, to max(32, 2 * CPUs online); may be changed
 * @apart:	keeps the rarely and the often written parts on different cache lines
 * @base:	added to the slots' totals: the exact count
 * @count:	the common count
 */
struct percpu_counter {
	struct percpu_counter_slot __percpu *slots;
	int32_t batch;
	char apart[PCPU_CACHE_LINE - sizeof(void *)];
	int64_t base;
	int64_t count;
};

/**
 * percpu_counter_init() - make a counter.
 * @counter:	memory of the caller's; must stay where it is until percpu_counter_destroy()
 * @amount:	the value to begin with
 *
 * Returns 0 or -ENOMEM.
 */
int percpu_counter_init(struct percpu_counter *counter, int64_t amount);

/**
 * percpu_counter_destroy() - free what percpu_counter_init() took.  Nobody may use the counter any
 * more.  A counter that is all zero bytes, or was destroyed before, is left alone.
 */
void percpu_counter_destroy(struct percpu_counter *counter);

/** percpu_counter_initialized() - whether the counter is between initialisation and destruction. */
static inline bool percpu_counter_initialized(const struct percpu_counter *counter)
{
	return counter->slots != NULL;
}

/* For inline code: an addition that it can't do, and publishing what a slot holds back. */
void pcpu_counter_add_slow(struct percpu_counter *counter, int64_t amount, int32_t batch);
void pcpu_counter_publish(struct percpu_counter *counter, struct percpu_counter_slot *slot,
			  int32_t batch);

/* A word of a counter at once, which no instruction of many 32-bit CPUs can load. */
int64_t pcpu_counter_word(const int64_t *word);

static inline int64_t __pcpu_counter_word(const int64_t *word)
{
#if __SIZEOF_LONG__ == 8
	return __atomic_load_n(word, __ATOMIC_RELAXED);
#else
	return pcpu_counter_word(word);
#endif
}

/* What of a total is not published yet; they may have wrapped around. */
static inline int64_t __pcpu_counter_held(int64_t total, const struct percpu_counter_slot *slot)
{
	return (int64_t)((uint64_t)total - (uint64_t)__pcpu_counter_word(&slot->published));
}

/**
 * percpu_counter_add_batch() - add @amount, and publish once a CPU holds back @batch or more.
 *
 * For counters that need a batch of their own: a large one is published rarely, one of 1 always.
 */
static inline __attribute__((always_inline)) void
percpu_counter_add_batch(struct percpu_counter *counter, int64_t amount, int32_t batch)
{
	int64_t total, held;
	intptr_t address = __pcpu_counter_add((uintptr_t)counter->slots, amount, &total);
	struct percpu_counter_slot *slot = (struct percpu_counter_slot *)address;

	if (__builtin_expect(address < 0, 0)) {
		pcpu_counter_add_slow(counter, amount, batch);
		return;
	}
	held = __pcpu_counter_held(total, slot);
	if (__builtin_expect(held >= batch || held <= -(int64_t)batch, 0))
		pcpu_counter_publish(counter, slot, batch);
}

/** percpu_counter_add() - add @amount, which may be negative. */
static inline __attribute__((always_inline)) void percpu_counter_add(struct percpu_counter *counter,
								     int64_t amount)
{
	percpu_counter_add_batch(counter, amount, counter->batch);
}

/** percpu_counter_sub() - subtract @amount. */
static inline void percpu_counter_sub(struct percpu_counter *counter, int64_t amount)
{
	percpu_counter_add(counter, (int64_t)(0 - (uint64_t)amount));
}

/** percpu_counter_inc() - add 1. */
static inline void percpu_counter_inc(struct percpu_counter *counter)
{
	percpu_counter_add(counter, 1);
}

/** percpu_counter_dec() - subtract 1. */
static inline void percpu_counter_dec(struct percpu_counter *counter)
{
	percpu_counter_add(counter, -1);
}

/** percpu_counter_read() - the approximate value (see above for how far it can be off). */
static inline int64_t percpu_counter_read(const struct percpu_counter *counter)
{
	return __pcpu_counter_word(&counter->count);
}

/**
 * percpu_counter_read_positive() - the same, or 0 if that is negative: for counters that never are,
 * but whose approximate value can be.
 */
static inline int64_t percpu_counter_read_positive(const struct percpu_counter *counter)
{
	int64_t count = percpu_counter_read(counter);

	return count < 0 ? 0 : count;
}

/** percpu_counter_sum() - the exact value (see above for what that means). */
int64_t percpu_counter_sum(const struct percpu_counter *counter);

/** percpu_counter_sum_positive() - the same, or 0 if that is negative. */
static inline int64_t percpu_counter_sum_positive(const struct percpu_counter *counter)
{
	int64_t sum = percpu_counter_sum(counter);

	return sum < 0 ? 0 : sum;
}

/**
 * percpu_counter_set() - make the value @amount, exactly.  An addition at the same time counts as
 * before it or after it.  (The kernel's may lose such additions.)
 */
void percpu_counter_set(struct percpu_counter *counter, int64_t amount);

/** percpu_counter_sync() - publish what all CPUs hold back.  (The kernel's: this CPU.) */
void percpu_counter_sync(struct percpu_counter *counter);

/**
 * percpu_counter_compare() - -1, 0 or 1: the value is less than, equal to, greater than @amount.
 *
 * The approximate value decides if it is farther away than it can be off, otherwise the exact one.
 * __percpu_counter_compare() is for counters that are changed by percpu_counter_add_batch(), and
 * takes the largest batch.
 */
int __percpu_counter_compare(const struct percpu_counter *counter, int64_t amount, int32_t batch);

static inline int percpu_counter_compare(const struct percpu_counter *counter, int64_t amount)
{
	return __percpu_counter_compare(counter, amount, counter->batch);
}

#ifdef __cplusplus
}
#endif

#endif
