/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Threads that call hooks: which entries' functions are they in?
 *
 * Each thread has a record with two slots for each call of a hook that it is in: one for the entry that it
 * is in, and one for the next.  It writes them by ordinary stores: note an entry, then look whether it is
 * in its list still.  Who takes an entry out does the reverse, with a fence (membarrier(2)) between: take
 * it out, fence, look at all slots.  So either the thread sees that the entry is out, or the other one
 * that it is noted.  (Hazard pointers, whose fence is paid by those who free.)  Where the system has no
 * such fence, entries are noted by readers (readers.h), and leaving has a fence of its own.
 *
 *     record   waited | wakes | number | below | slots: entry next | entry next | ...
 *
 * A thread with more calls within each other than one record has room for takes another one.  Records are
 * never unmapped; one goes to another thread when its own has ended.  That is found out when none is
 * left, by asking the system for the threads' numbers: a function that runs when a thread ends would have
 * to be registered, which a signal's handler may not do.
 */
#ifndef LOADER_CALLERS_H
#define LOADER_CALLERS_H

#ifndef PERMOD_NO_PATCHING
#define PERMOD_NO_PATCHING
#endif
#include <permod/hook.h>

/* The calling thread's, the last one taken; or NULL. */
extern __thread struct permod_hook_record *record_of_caller
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Before the first entry is registered. */
void prepare_callers(void);

/* A record with room for one more call.  Signal-safe; without memory the process ends. */
struct permod_hook_record *make_record(void);

/* The thread has left a call: a record that was taken for depth goes with the first one in it. */
void leave_record(struct permod_hook_record *record);

/* The record that it was taken on top of, or NULL. */
static inline struct permod_hook_record *below_of(const struct permod_hook_record *record)
{
	return __atomic_load_n(&record->below, __ATOMIC_RELAXED);
}

static inline bool are_used(const struct permod_hook_slots *slots)
{
	return __atomic_load_n(&slots->held[0], __ATOMIC_RELAXED) ||
	       __atomic_load_n(&slots->held[1], __ATOMIC_RELAXED);
}

/* Calls are left in reverse order, also those in handlers: what is behind unused slots is unused. */
static inline struct permod_hook_slots *unused_slots(struct permod_hook_record *record)
{
	struct permod_hook_slots *slots = record->slots;

	while (__builtin_expect(are_used(slots), 0)) {
		if (++slots == record->slots + PERMOD_HOOK_DEPTH)
			return NULL;
	}
	return slots;
}

/* Constant once there is an entry: the system has the fence. */
extern bool callers_fenced __attribute__((visibility("hidden")));

/* What permod_hook_clear() does, where the system has no fence too. */
void clear_slowly(uintptr_t slot);

/* Until no thread has noted an entry, which is out of its list. */
void wait_for_callers(const struct permod_hook_entry *entry);

/* Held over a fork; the child has only the records of the thread that forked. */
void hold_callers(void);
void release_callers(void);
void forget_callers(void);

#endif
