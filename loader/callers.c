/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The records of threads that call hooks; see callers.h.
 */
#define _GNU_SOURCE
#include "loader/callers.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Records come in blocks, each as large as all before it. */
struct block {
	struct block *next;
	size_t count;
	struct permod_hook_record record[];
};

#define FIRST_RECORDS 15U /* with the block's head a page */

__thread struct permod_hook_record *record_of_caller;
bool callers_fenced;

static int fences;					 /* atomic: without membarrier(2) */
static struct block *blocks;				 /* atomic; the largest first */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of who looks for threads that ended */

static __attribute__((noreturn)) void die(const char *line, size_t length)
{
	if (write(STDERR_FILENO, line, length) < 0)
		abort();
	abort();
}

#define DIE(line) die("permod: " line "\n", sizeof("permod: " line "\n") - 1)

static int membarrier(int command)
{
	return (int)syscall(SYS_membarrier, command, 0, 0);
}

static void set_up(void)
{
	callers_fenced = !membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

void prepare_callers(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int saved = errno;

	pthread_once(&once, set_up);
	errno = saved;
}

/* What other threads have stored before is seen behind it, and what this one has, by them. */
static void fence(void)
{
	if (!callers_fenced)
		__atomic_fetch_add(&fences, 1, __ATOMIC_ACQ_REL);
	else if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		DIE("membarrier(2) worked and does no more: can't know what threads are in");
}

/* ---- Records for threads -------------------------------------------------------------------- */

static struct block *first_block(void)
{
	return __atomic_load_n(&blocks, __ATOMIC_ACQUIRE);
}

static bool claim(struct permod_hook_record *record, int number)
{
	int nobody = 0;

	return __atomic_load_n(&record->number, __ATOMIC_RELAXED) == 0 &&
	       __atomic_compare_exchange_n(&record->number, &nobody, number, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static struct permod_hook_record *find_free(int number)
{
	for (struct block *block = first_block(); block; block = block->next) {
		for (size_t i = 0; i < block->count; i++) {
			if (claim(&block->record[i], number))
				return &block->record[i];
		}
	}
	return NULL;
}

/* Others look at it, too. */
static void set_below(struct permod_hook_record *record, struct permod_hook_record *below)
{
	__atomic_store_n(&record->below, below, __ATOMIC_RELAXED);
}

/* No thread has that number; with EPERM a process that this one may not ask has. */
static bool has_ended(int number)
{
	return syscall(SYS_tkill, number, 0) && errno == ESRCH;
}

/*
 * Free the records of threads that have ended, and count.  Only one thread does that at a time, so that
 * a number that was found to be nobody's is not a new thread's by the time its record is freed: that one
 * has another.
 */
static void reclaim(size_t *freed, size_t *all)
{
	*freed = *all = 0;
	for (struct block *block = first_block(); block; block = block->next) {
		*all += block->count;
		for (size_t i = 0; i < block->count; i++) {
			struct permod_hook_record *record = &block->record[i];
			int number = __atomic_load_n(&record->number, __ATOMIC_RELAXED);

			/* One that ended within a function is in it for ever. */
			if (!number || are_used(record->slots) || below_of(record) ||
			    !has_ended(number))
				continue;
			__atomic_store_n(&record->number, 0, __ATOMIC_RELEASE);
			++*freed;
		}
	}
}

static bool add_block(size_t records)
{
	struct block *block;
	size_t size;

	records = records < FIRST_RECORDS ? FIRST_RECORDS : records;
	size = offsetof(struct block, record) + records * sizeof(block->record[0]);
	block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (block == MAP_FAILED)
		return false;
	block->count = records;
	block->next = first_block();
	while (!__atomic_compare_exchange_n(&blocks, &block->next, block, true, __ATOMIC_RELEASE,
					    __ATOMIC_ACQUIRE))
		;
	return true;
}

/* As long as a good part of the records come back there are enough. */
static bool make_room(void)
{
	size_t freed = 0, all = 0;

	if (pthread_mutex_trylock(&lock) == 0) {
		reclaim(&freed, &all);
		pthread_mutex_unlock(&lock);
	}
	return (freed && freed >= all / 4) || add_block(all) || freed;
}

static struct permod_hook_record *take_record(void)
{
	int number = (int)syscall(SYS_gettid), saved = errno;
	struct permod_hook_record *record;

	while (!(record = find_free(number))) {
		if (!make_room())
			DIE("no memory to note what functions of hooks a thread is in");
	}
	errno = saved;
	return record;
}

static void give_record(struct permod_hook_record *record)
{
	set_below(record, NULL);
	__atomic_store_n(&record->number, 0, __ATOMIC_RELEASE);
}

struct permod_hook_record *make_record(void)
{
	struct permod_hook_record *record, *below = record_of_caller;

	if (below && unused_slots(below))
		return below;
	record = take_record();
	set_below(record, below);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	/* A handler may have come in between, and left one. */
	if (record_of_caller != below) {
		give_record(record);
		return record_of_caller;
	}
	record_of_caller = record;
	return record;
}

void leave_record(struct permod_hook_record *record)
{
	if (!below_of(record) || are_used(record->slots))
		return;
	record_of_caller = below_of(record);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	give_record(record);
}

/* ---- Waiting -------------------------------------------------------------------------------- */

static uint32_t bit_of(const struct permod_hook_record *record,
		       const struct permod_hook_slots *slots)
{
	return 1U << (slots - record->slots);
}

void permod_hook_wake(uintptr_t slot)
{
	struct permod_hook_record *record = permod_hook_record_of(slot);
	const uintptr_t slots = slot & ~(uintptr_t)(sizeof(struct permod_hook_slots) - 1);
	uint32_t bit = bit_of(record, (const struct permod_hook_slots *)slots);
	int saved = errno;

	if (!(__atomic_fetch_and(&record->waited, ~bit, __ATOMIC_RELEASE) & bit))
		return;
	__atomic_fetch_add(&record->wakes, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &record->wakes, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	errno = saved;
}

void clear_slowly(uintptr_t slot)
{
	permod_hook_note(slot, NULL);
	if (!callers_fenced)
		fence();
	permod_hook_clear(slot);
}

static bool has_noted(struct permod_hook_slots *slots, const struct permod_hook_entry *entry)
{
	return __atomic_load_n(&slots->held[0], __ATOMIC_ACQUIRE) == entry ||
	       __atomic_load_n(&slots->held[1], __ATOMIC_ACQUIRE) == entry;
}

/*
 * The thread looks for the bit once it has changed a slot; the fence orders that as it does the rest.
 * Others may set the bit again when it was taken away, so those who sleep go by a count.
 */
static void wait_for_slots(struct permod_hook_record *record, struct permod_hook_slots *slots,
			   const struct permod_hook_entry *entry)
{
	while (has_noted(slots, entry)) {
		uint32_t wakes = __atomic_load_n(&record->wakes, __ATOMIC_ACQUIRE);

		__atomic_fetch_or(&record->waited, bit_of(record, slots), __ATOMIC_SEQ_CST);
		fence();
		if (has_noted(slots, entry))
			syscall(SYS_futex, &record->wakes, FUTEX_WAIT_PRIVATE, wakes, NULL, NULL,
				0);
	}
}

void wait_for_callers(const struct permod_hook_entry *entry)
{
	fence();
	for (struct block *block = first_block(); block; block = block->next) {
		for (size_t i = 0; i < block->count; i++) {
			struct permod_hook_record *record = &block->record[i];

			for (size_t j = 0; j < PERMOD_HOOK_DEPTH; j++)
				wait_for_slots(record, &record->slots[j], entry);
		}
	}
}

/* ---- Forks ---------------------------------------------------------------------------------- */

void hold_callers(void)
{
	pthread_mutex_lock(&lock);
}

void release_callers(void)
{
	pthread_mutex_unlock(&lock);
}

/* The number of the one thread that is there has changed. */
void forget_callers(void)
{
	int before = record_of_caller ? record_of_caller->number : 0;
	int now = (int)syscall(SYS_gettid);

	for (struct block *block = first_block(); block; block = block->next) {
		for (size_t i = 0; i < block->count; i++) {
			struct permod_hook_record *record = &block->record[i];

			record->waited = 0;
			if (record->number && record->number == before) {
				record->number = now;
				continue;
			}
			memset(record->slots, 0, sizeof(record->slots));
			give_record(record);
		}
	}
	pthread_mutex_unlock(&lock);
}
