/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Atomic operations of the sizes for which the CPU has no instructions and the compiler would call a
 * library of its own.  On all other architectures nothing is left of this file.
 *
 *     1 and 2 bytes, as on riscv64:      by compare-and-exchange of the word of 4 bytes around them
 *     8 bytes, as on 32-bit mips, m68k:  under a lock, with signals blocked
 *
 * Either is async-signal-safe, and fit for all operations of a size together: a variable is not used by
 * operations of several sizes.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#if !PCPU_ATOMIC_NARROW || !PCPU_ATOMIC_8
/* What the variable becomes; the operations know no signs. */
static uint64_t next_value(unsigned int operation, uint64_t old, uint64_t a, uint64_t b)
{
	switch (operation) {
	case PCPU_READ:
		return old;
	case PCPU_AND:
		return old & a;
	case PCPU_OR:
		return old | a;
	case PCPU_XOR:
		return old ^ a;
	case PCPU_ADD:
	case PCPU_XADD:
		return old + a;
	case PCPU_CMPXCHG:
		return old == a ? b : old;
	default: /* PCPU_WRITE, PCPU_XCHG */
		return a;
	}
}
#endif

#if !PCPU_ATOMIC_NARROW
uint64_t pcpu_atomic_narrow(unsigned int operation, void *copy, unsigned int bytes, uint64_t a,
			    uint64_t b)
{
	uint32_t *word = (uint32_t *)((uintptr_t)copy & ~(uintptr_t)3);
	unsigned int at = (unsigned int)((uintptr_t)copy & 3), shift;
	uint32_t mask = bytes == 1 ? 0xff : 0xffff, old, part, next;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	at = 4 - bytes - at;
#endif
	shift = 8 * at;
	old = __atomic_load_n(word, __ATOMIC_RELAXED);
	do {
		part = old >> shift & mask;
		next = (uint32_t)next_value(operation, part, a & mask, b) & mask;
		next = (old & ~(mask << shift)) | next << shift;
	} while (!__atomic_compare_exchange_n(word, &old, next, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return part;
}
#endif

#if !PCPU_ATOMIC_8
static unsigned int lock;
static sigset_t at_fork;

/* No signal comes while it is held, so that no handler waits for what it has interrupted. */
static void take_lock(sigset_t *before)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, before);
	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void release_lock(const sigset_t *before)
{
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

uint64_t pcpu_atomic_8(unsigned int operation, void *copy, uint64_t a, uint64_t b)
{
	uint64_t *variable = copy, old;
	sigset_t before;

	take_lock(&before);
	old = *variable;
	/* Reading gives no memory to a CPU that was never used. */
	if (operation != PCPU_READ)
		*variable = next_value(operation, old, a, b);
	release_lock(&before);
	return old;
}

/* The child of a fork must not find it held by a thread that it doesn't have. */
static void before_fork(void)
{
	sigset_t before;

	take_lock(&before);
	at_fork = before;
}

static void after_fork(void)
{
	sigset_t before = at_fork;

	release_lock(&before);
}

__attribute__((constructor(101))) static void watch_forks(void)
{
	pthread_atfork(before_fork, after_fork, after_fork);
}
#endif
