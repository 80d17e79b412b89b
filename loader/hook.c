/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hooks: calling their functions, and taking functions out under threads that call them.
 *
 *     hook --first--> entry --next--> entry --next--> NULL     by priority, then by number
 *
 * A call holds no lock and is no reader while a function runs, so functions may block: it has noted the
 * entry in a slot of its thread (callers.h).  To go on it notes the next entry, and looks whether its
 * own is in the list still and that one behind it; then it clears the first slot.  That is inline code,
 * in <permod/hook.h>.
 *
 * If its own entry was taken out meanwhile, the entry's `next` is of the past: then the next one is
 * the first in the list that comes behind it by priority and number.  It is looked for, and noted, as
 * a reader (readers.h).
 *
 * An entry is taken out in steps:
 *
 *     LINKED --unlink--> LEFT --> ENDING: wait for readers --> no call can come to it any more
 *                                         wait until it is noted nowhere --> IDLE
 *
 * A thread that is in a function must not wait for others that may be waiting for it, so there an entry
 * stays LEFT, in a list, until somebody outside ends it: who registers it again, or unloads the module.
 *
 * One lock for all hooks' lists; it is held over a fork, and never while anybody waits, or while a lock of
 * libpercpu is taken.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <permod/hook.h>

#include "loader/callers.h"
#include "loader/key.h"
#include "loader/readers.h"

#include <errno.h>
#include <string.h>

enum entry_state {
	IDLE,			     /* not registered; what memory of zeros is */
	LINKED = PERMOD_HOOK_LINKED, /* in its hook's list */
	LEFT,			     /* taken out; threads may be in it */
	ENDING,			     /* somebody waits for them */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static struct permod_hook *hooks;      /* that have entries */
static struct permod_hook_entry *left; /* LEFT and ENDING */
static unsigned long long last_number;

bool permod_in_hook(void)
{
	const struct permod_hook_record *record = record_of_caller;

	return record && (are_used(record->slots) || below_of(record));
}

/* ---- Calling -------------------------------------------------------------------------------- */

static struct permod_hook_entry *load_entry(struct permod_hook_entry *const *link)
{
	return __atomic_load_n(link, __ATOMIC_ACQUIRE);
}

static bool comes_before(const struct permod_hook_entry *one, const struct permod_hook_entry *other)
{
	if (one->priority != other->priority)
		return one->priority > other->priority;
	return one->number < other->number;
}

/* As a reader: the entry behind one that the call is in. */
static struct permod_hook_entry *following(const struct permod_hook_entry *entry)
{
	struct permod_hook_entry *next;

	if (__atomic_load_n(&entry->state, __ATOMIC_ACQUIRE) == LINKED)
		return load_entry(&entry->next);
	for (next = load_entry(&entry->hook->first); next && !comes_before(entry, next);)
		next = load_entry(&next->next);
	return next;
}

static __attribute__((noinline)) struct permod_hook_call begin_slowly(struct permod_hook *hook)
{
	struct permod_hook_record *record = make_record();
	struct permod_hook_slots *slots = unused_slots(record);
	struct permod_hook_call call = { NULL, (uintptr_t)slots };
	unsigned int reading = begin_reading_hooks();

	call.entry = load_entry(&hook->first);
	permod_hook_note(call.slot, call.entry);
	end_reading_hooks(reading);
	/* Leaving needs a fence, or the record goes too. */
	if (!callers_fenced || (below_of(record) && slots == record->slots))
		call.slot |= PERMOD_HOOK_SLOW;
	if (!call.entry)
		permod_hook_leave(call);
	return call;
}

/* The list changes: what was noted may be out of it. */
static __attribute__((noinline)) struct permod_hook_call begin_again(struct permod_hook *hook,
								     uintptr_t slot)
{
	permod_hook_clear(slot);
	return begin_slowly(hook);
}

struct permod_hook_call permod_hook_begin(struct permod_hook *hook)
{
	struct permod_hook_record *record = record_of_caller;
	struct permod_hook_entry *entry = load_entry(&hook->first);
	struct permod_hook_slots *slots;

	if (__builtin_expect(!record || !callers_fenced, 0))
		return begin_slowly(hook);
	slots = unused_slots(record);
	if (__builtin_expect(!slots, 0))
		return begin_slowly(hook);
	permod_hook_note((uintptr_t)slots, entry);
	if (__builtin_expect(load_entry(&hook->first) != entry, 0))
		return begin_again(hook, (uintptr_t)slots);
	return (struct permod_hook_call){ entry, (uintptr_t)slots };
}

/* The list has changed, or a note needs a reader. */
struct permod_hook_call permod_hook_next_slow(struct permod_hook_call call)
{
	const uintptr_t slow = call.slot & PERMOD_HOOK_SLOW, slot = call.slot - slow;
	const uintptr_t other = slot ^ sizeof(call.entry);
	unsigned int reading = begin_reading_hooks();
	struct permod_hook_entry *next = following(call.entry);

	permod_hook_note(other, next);
	end_reading_hooks(reading);
	if (next) {
		clear_slowly(slot);
		call.slot = other | slow;
	} else {
		permod_hook_leave(call);
	}
	call.entry = next;
	return call;
}

void permod_hook_leave_slow(struct permod_hook_call call)
{
	uintptr_t slot = call.slot - PERMOD_HOOK_SLOW;

	clear_slowly(slot);
	leave_record(permod_hook_record_of(slot));
}

/* ---- Registering ---------------------------------------------------------------------------- */

/* Under the lock: 0, or why the hook can't be used. */
static int link_entry(struct permod_hook_entry *entry)
{
	struct permod_hook *hook = entry->hook;
	struct permod_hook_entry **link = &hook->first;
	bool first = !hook->first;
	int error = first ? begin_enabling(&hook->first) : 0;

	if (error)
		return error;
	if (first) {
		hook->next = hooks;
		hooks = hook;
	}
	entry->number = ++last_number;
	while (*link && comes_before(*link, entry))
		link = &(*link)->next;
	entry->next = *link;
	__atomic_store_n(&entry->state, LINKED, __ATOMIC_RELAXED);
	__atomic_store_n(link, entry, __ATOMIC_RELEASE);
	if (first)
		end_enabling();
	return 0;
}

/* Under the lock; from `next` readers go on. */
static void unlink_entry(struct permod_hook_entry *entry, enum entry_state state)
{
	struct permod_hook_entry **link = &entry->hook->first;

	__atomic_store_n(&entry->state, state, __ATOMIC_RELEASE);
	while (*link != entry)
		link = &(*link)->next;
	__atomic_store_n(link, entry->next, __ATOMIC_RELEASE);
	if (!entry->hook->first) {
		struct permod_hook **hook = &hooks;

		while (*hook != entry->hook)
			hook = &(*hook)->next;
		*hook = entry->hook->next;
		key_is_disabled(&entry->hook->first);
	}
	entry->left = left;
	left = entry;
}

/* An entry that is ENDING, by this thread. */
static void end_entry(struct permod_hook_entry *entry)
{
	struct permod_hook_entry **link = &left;

	wait_for_readers_of_hooks();
	wait_for_callers(entry);
	pthread_mutex_lock(&lock);
	while (*link != entry)
		link = &(*link)->left;
	*link = entry->left;
	__atomic_store_n(&entry->state, IDLE, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&ended);
	pthread_mutex_unlock(&lock);
}

/* Whether an entry is free to be registered: 0, or the error. */
static int prepare_entry(struct permod_hook_entry *entry)
{
	int state;

	pthread_mutex_lock(&lock);
	while (!permod_in_hook() && entry->state == ENDING)
		pthread_cond_wait(&ended, &lock);
	state = entry->state;
	if (state == LEFT && !permod_in_hook())
		__atomic_store_n(&entry->state, ENDING, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&lock);
	if (state == IDLE)
		return 0;
	if (state == LINKED)
		return -EEXIST;
	if (permod_in_hook())
		return -EBUSY;
	end_entry(entry);
	return 0;
}

int permod_hook_register(struct permod_hook *hook, struct permod_hook_entry *entry,
			 void (*function)(void), void *context, int priority)
{
	int error = function ? prepare_entry(entry) : -EINVAL;

	watch_forks();
	prepare_callers();
	if (error)
		return error;
	entry->hook = hook;
	entry->function = function;
	entry->context = context;
	entry->priority = priority;
	pthread_mutex_lock(&lock);
	error = link_entry(entry);
	pthread_mutex_unlock(&lock);
	return error;
}

int permod_hook_unregister(struct permod_hook_entry *entry)
{
	bool linked;

	pthread_mutex_lock(&lock);
	linked = entry->state == LINKED;
	if (linked)
		unlink_entry(entry, permod_in_hook() ? LEFT : ENDING);
	pthread_mutex_unlock(&lock);
	if (!linked)
		return -ENOENT;
	if (permod_in_hook())
		return -EINPROGRESS;
	end_entry(entry);
	return 0;
}

void finish_entry(struct permod_hook_entry *entry)
{
	int state;

	pthread_mutex_lock(&lock);
	while (entry->state == ENDING)
		pthread_cond_wait(&ended, &lock);
	state = entry->state;
	if (state == LINKED)
		unlink_entry(entry, ENDING);
	else if (state == LEFT)
		__atomic_store_n(&entry->state, ENDING, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&lock);
	if (state != IDLE)
		end_entry(entry);
}

/* ---- Modules that go ------------------------------------------------------------------------ */

static bool belongs_to(const struct permod_hook_entry *entry, const struct permod_module *module,
		       has_function *has)
{
	return has(module, (uintptr_t)entry->function) || has(module, (uintptr_t)entry) ||
	       has(module, (uintptr_t)entry->hook);
}

/* Under the lock: one that is to be ended, in its last state; or NULL. */
static struct permod_hook_entry *take_one(const struct permod_module *module, has_function *has,
					  int *state)
{
	struct permod_hook_entry *entry;

	for (struct permod_hook *hook = hooks; hook; hook = hook->next) {
		for (entry = hook->first; entry; entry = entry->next) {
			if (!belongs_to(entry, module, has))
				continue;
			*state = LINKED;
			unlink_entry(entry, ENDING);
			return entry;
		}
	}
	for (entry = left; entry; entry = entry->left) {
		if (!belongs_to(entry, module, has))
			continue;
		*state = entry->state;
		__atomic_store_n(&entry->state, ENDING, __ATOMIC_RELEASE);
		return entry;
	}
	return NULL;
}

unsigned int drop_from_hooks(const struct permod_module *module, has_function *has)
{
	struct permod_hook_entry *entry;
	unsigned int dropped = 0;
	int state;

	pthread_mutex_lock(&lock);
	while ((entry = take_one(module, has, &state))) {
		/* Another thread ends it already. */
		if (state == ENDING) {
			pthread_cond_wait(&ended, &lock);
			continue;
		}
		dropped += state == LINKED;
		pthread_mutex_unlock(&lock);
		end_entry(entry);
		pthread_mutex_lock(&lock);
	}
	pthread_mutex_unlock(&lock);
	return dropped;
}

/* ---- Forks ---------------------------------------------------------------------------------- */

/* A handler in this thread must not need what is held. */
void lock_hooks(void)
{
	make_record();
	pthread_mutex_lock(&lock);
	lock_keys();
	hold_callers();
	hold_readers_of_hooks();
}

void unlock_hooks(void)
{
	release_readers_of_hooks();
	release_callers();
	unlock_keys();
	pthread_mutex_unlock(&lock);
}

void forget_calls_of_others(void)
{
	forget_readers_of_hooks();
	forget_callers();
	unlock_keys();
	/* Who waited is not here. */
	for (struct permod_hook_entry *entry = left; entry; entry = entry->left)
		entry->state = LEFT;
	pthread_cond_init(&ended, NULL);
	pthread_mutex_unlock(&lock);
}
