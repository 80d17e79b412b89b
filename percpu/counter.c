/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * percpu_counter.  A CPU's slot has two words, which different parties change:
 *
 *     total      what was added on this CPU, ever; changed by sequences (or atomically by all, in a
 *                process without), and never set back, so that a sum never misses anything that is on
 *                its way from a slot to the common count
 *     published  as much of it as is in the common count; changed atomically, by any thread, which
 *                may have been moved to another CPU since its addition
 *
 *     exact value = base + totals          count -> base + published parts
 *
 * All arithmetic is without sign, as it may wrap around.  Where the CPU has no atomic instructions for
 * words of 8 bytes, each step takes the lock of ops_emulated.c, which signal handlers can take as well.
 */
#define _GNU_SOURCE
#include "structures.h"

#include <permod/percpu_counter.h>

#include <unistd.h>

#define LEAST_BATCH 32

/* What the kernel has; asked for once, as it means reading files. */
static int32_t default_batch(void)
{
	static int32_t batch;
	int32_t known = __atomic_load_n(&batch, __ATOMIC_RELAXED);

	if (!known) {
		long online = sysconf(_SC_NPROCESSORS_ONLN);

		known = online > LEAST_BATCH / 2 ? (int32_t)(2 * online) : LEAST_BATCH;
		__atomic_store_n(&batch, known, __ATOMIC_RELAXED);
	}
	return known;
}

int percpu_counter_init(struct percpu_counter *counter, int64_t amount)
{
	int saved = errno;

	*counter = (struct percpu_counter){ .base = amount, .count = amount };
	counter->slots = alloc_percpu(struct percpu_counter_slot);
	counter->batch = default_batch();
	errno = saved;
	return counter->slots ? 0 : -ENOMEM;
}

void percpu_counter_destroy(struct percpu_counter *counter)
{
	free_percpu(counter->slots);
	counter->slots = NULL;
}

#if PCPU_ATOMIC_8
static uint64_t load(const int64_t *word)
{
	return (uint64_t)__atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static uint64_t add(int64_t *word, uint64_t amount)
{
	return __atomic_add_fetch((uint64_t *)word, amount, __ATOMIC_RELAXED);
}

/* Otherwise *expected becomes what was found. */
static bool replace(int64_t *word, uint64_t *expected, uint64_t value)
{
	return __atomic_compare_exchange_n((uint64_t *)word, expected, value, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}
#else
static uint64_t load(const int64_t *word)
{
	return pcpu_atomic_8(PCPU_READ, (void *)(uintptr_t)word, 0, 0);
}

static uint64_t add(int64_t *word, uint64_t amount)
{
	return pcpu_atomic_8(PCPU_ADD, word, amount, 0) + amount;
}

static bool replace(int64_t *word, uint64_t *expected, uint64_t value)
{
	uint64_t found = pcpu_atomic_8(PCPU_CMPXCHG, word, *expected, value);
	bool done = found == *expected;

	*expected = found;
	return done;
}
#endif

int64_t pcpu_counter_word(const int64_t *word)
{
	return (int64_t)load(word);
}

static struct percpu_counter_slot *add_atomically(struct percpu_counter *counter, int64_t amount,
						  int64_t *total)
{
	struct percpu_counter_slot *slot = per_cpu_ptr(counter->slots, pcpu_cpu_number());

	*total = (int64_t)add(&slot->total, (uint64_t)amount);
	return slot;
}

static struct percpu_counter_slot *add_restartably(struct percpu_counter *counter, int64_t amount,
						   int64_t *total)
{
	uintptr_t cookie = (uintptr_t)counter->slots;
	intptr_t address = __pcpu_counter_add(cookie, amount, total);

	while (address < 0) {
		pcpu_prepare_thread_quietly();
		address = __pcpu_counter_add(cookie, amount, total);
	}
	return (struct percpu_counter_slot *)address;
}

static bool reaches(int64_t held, int32_t batch)
{
	return held >= batch || held <= -(int64_t)batch;
}

void pcpu_counter_add_slow(struct percpu_counter *counter, int64_t amount, int32_t batch)
{
	struct percpu_counter_slot *slot;
	int64_t total;

	if (PCPU_STRUCTURE_SEQUENCES && pcpu_restartable)
		slot = add_restartably(counter, amount, &total);
	else
		slot = add_atomically(counter, amount, &total);
	if (reaches(__pcpu_counter_held(total, slot), batch))
		pcpu_counter_publish(counter, slot, batch);
}

/* If somebody else publishes meanwhile, look whether that was enough. */
void pcpu_counter_publish(struct percpu_counter *counter, struct percpu_counter_slot *slot,
			  int32_t batch)
{
	uint64_t published = load(&slot->published);

	for (;;) {
		uint64_t total = load(&slot->total), held = total - published;

		if (!held || !reaches((int64_t)held, batch))
			return;
		if (replace(&slot->published, &published, total)) {
			add(&counter->count, held);
			/* Somebody may have taken it for published before, and gone. */
			published = total;
		}
	}
}

static uint64_t sum_totals(const struct percpu_counter *counter)
{
	uint64_t sum = 0;
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		sum += load(&per_cpu_ptr(counter->slots, cpu)->total);
	return sum;
}

int64_t percpu_counter_sum(const struct percpu_counter *counter)
{
	uint64_t base = load(&counter->base);

	return (int64_t)(base + sum_totals(counter));
}

void percpu_counter_sync(struct percpu_counter *counter)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		pcpu_counter_publish(counter, per_cpu_ptr(counter->slots, cpu), 1);
}

/* Of two at the same time the second begins again, and sees what the first has done. */
void percpu_counter_set(struct percpu_counter *counter, int64_t amount)
{
	uint64_t base = load(&counter->base), change;

	percpu_counter_sync(counter);
	do {
		change = (uint64_t)amount - base - sum_totals(counter);
	} while (!replace(&counter->base, &base, base + change));
	add(&counter->count, change);
}

static int compare(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

int __percpu_counter_compare(const struct percpu_counter *counter, int64_t amount, int32_t batch)
{
	int64_t count = percpu_counter_read(counter);
	uint64_t distance = count > amount ? (uint64_t)count - (uint64_t)amount
					   : (uint64_t)amount - (uint64_t)count;

	if (batch >= 0 && distance > (uint64_t)batch * num_possible_cpus())
		return compare(count, amount);
	return compare(percpu_counter_sum(counter), amount);
}
