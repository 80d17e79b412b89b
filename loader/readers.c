/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waiting for readers; see readers.h.
 */
#define _GNU_SOURCE
#include "loader/readers.h"

#include <pthread.h>
#include <sched.h>

long readers_of_hooks[2], turn_of_hooks;

#ifdef HAVE_URCU

void wait_for_readers_of_hooks(void)
{
	urcu_bp_synchronize_rcu();
	PCPU_TSAN_ACQUIRE(&turn_of_hooks);
}

void hold_readers_of_hooks(void)
{
	urcu_bp_before_fork();
}

void release_readers_of_hooks(void)
{
	urcu_bp_after_fork_parent();
}

void forget_readers_of_hooks(void)
{
	urcu_bp_after_fork_child();
}

#else

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for those who wait */

void wait_for_readers_of_hooks(void)
{
	pthread_mutex_lock(&lock);
	for (int i = 0; i < 2; i++) {
		long old = turn_of_hooks;

		__atomic_store_n(&turn_of_hooks, !old, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(&readers_of_hooks[old], __ATOMIC_SEQ_CST))
			sched_yield();
	}
	pthread_mutex_unlock(&lock);
}

void hold_readers_of_hooks(void)
{
	pthread_mutex_lock(&lock);
}

void release_readers_of_hooks(void)
{
	pthread_mutex_unlock(&lock);
}

void forget_readers_of_hooks(void)
{
	readers_of_hooks[0] = readers_of_hooks[1] = 0;
	pthread_mutex_unlock(&lock);
}

#endif
