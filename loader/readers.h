/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Readers of lists that others change: a reader may look at what was in the list at any time since it
 * began, and wait_for_readers_of_hooks() returns once all have ended that had begun before.
 *
 * With liburcu: its flavour "bp", in which threads need no registration, and a reader may be a signal's
 * handler.  Without: two counters that take turns, as address.c explains; right, but all readers
 * write to one line of memory.
 */
#ifndef LOADER_READERS_H
#define LOADER_READERS_H

#include <permod/percpu_ref.h>

#ifdef HAVE_URCU
/* Inline, but for UBSan: in liburcu 0.13 readers are less aligned than their type says. */
#ifndef SANITIZE_UNDEFINED
#define _LGPL_SOURCE
#endif
#include <urcu/urcu-bp.h>

#ifdef _LGPL_SOURCE
/* Its variable is reached by the thread pointer, not by a call for each use.  (8 bytes of what libc
 * keeps for libraries that are loaded later.) */
extern __thread struct urcu_bp_reader *urcu_bp_reader __attribute__((tls_model("initial-exec")));
#endif
#endif

extern long readers_of_hooks[2], turn_of_hooks;

static inline unsigned int begin_reading_hooks(void)
{
#ifdef HAVE_URCU
	urcu_bp_read_lock();
	return 0;
#else
	unsigned int mine = (unsigned int)__atomic_load_n(&turn_of_hooks, __ATOMIC_SEQ_CST);

	__atomic_fetch_add(&readers_of_hooks[mine], 1, __ATOMIC_SEQ_CST);
	return mine;
#endif
}

static inline void end_reading_hooks(unsigned int mine)
{
#ifdef HAVE_URCU
	(void)mine;
	/* ThreadSanitizer does not know what orders them. */
	PCPU_TSAN_RELEASE(&turn_of_hooks);
	urcu_bp_read_unlock();
#else
	__atomic_fetch_sub(&readers_of_hooks[mine], 1, __ATOMIC_SEQ_CST);
#endif
}

void wait_for_readers_of_hooks(void);

/* A fork: what readers need is held over it, and the child forgets those that it doesn't have. */
void hold_readers_of_hooks(void);
void release_readers_of_hooks(void);
void forget_readers_of_hooks(void);

#endif
