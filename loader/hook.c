/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hooks: calling their functions, and taking functions out under threads that call them.
 *
 *     hook --first--> entry --next--> entry --next--> NULL     by priority, then by number
 *                       calls: one reference for each thread that is in the function
 *
 * A call holds no lock and is no reader while a function runs, so functions may block: what it holds
 * is a reference to the entry.  Between two functions it is a reader (readers.h) for some
 * nanoseconds, in which it finds the next entry and takes a reference to that.  If its own entry was
 * taken out meanwhile, the entry's `next` is of the past: then the next one is the first in the list
 * that comes behind it by priority and number.
 *
 * An entry is taken out in steps:
 *
 *     LINKED --unlink--> LEFT --> ENDING: wait for readers --> nobody can take a reference any more
 *                                         kill `calls`, wait until it is zero --> IDLE
 *
 * A thread that is in a function must not wait for others that may be waiting for it, so there an entry
 * stays LEFT, in a list, until somebody outside ends it: who registers it again, or unloads the module.
 * What a thread is in is a chain of calls on its stack.
 *
 * One lock for all hooks' lists; it is held over a fork, and never while anybody waits, or while a lock of
 * libpercpu is taken.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <permod/hook.h>

#include "loader/readers.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum entry_state {
	IDLE,	/* not registered; what memory of zeros is */
	LINKED, /* in its hook's list */
	LEFT,	/* taken out; threads may be in it */
	ENDING, /* somebody waits for them */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static struct permod_hook *hooks;      /* that have entries */
static struct permod_hook_entry *left; /* LEFT and ENDING */
static unsigned long long last_number;

/* The innermost call of the thread.  In a signal's handler, too: no memory may be allocated for it. */
static __thread struct permod_hook_call *current __attribute__((tls_model("initial-exec")));

bool permod_in_hook(void)
{
	return current != NULL;
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

/* As a reader: the entry behind one that the caller has a reference to. */
static struct permod_hook_entry *following(const struct permod_hook_entry *entry)
{
	struct permod_hook_entry *next;

	if (__builtin_expect(__atomic_load_n(&entry->state, __ATOMIC_ACQUIRE) == LINKED, 1))
		return load_entry(&entry->next);
	for (next = load_entry(&entry->hook->first); next && !comes_before(entry, next);)
		next = load_entry(&next->next);
	return next;
}

static inline __attribute__((always_inline)) struct permod_hook_entry *
take_first(struct permod_hook_entry *entry)
{
	while (entry && !percpu_ref_tryget_live(&entry->calls))
		entry = load_entry(&entry->next);
	return entry;
}

struct permod_hook_entry *permod_hook_begin(struct permod_hook *hook, struct permod_hook_call *call)
{
	unsigned int reading = begin_reading_hooks();

	call->entry = take_first(load_entry(&hook->first));
	end_reading_hooks(reading);
	if (call->entry) {
		call->hook = hook;
		call->outer = current;
		current = call;
	}
	return call->entry;
}

struct permod_hook_entry *permod_hook_next(struct permod_hook_call *call)
{
	struct permod_hook_entry *entry = call->entry;

	/* The last one, as a rule: then there is nothing that could vanish. */
	if (__atomic_load_n(&entry->state, __ATOMIC_ACQUIRE) == LINKED &&
	    !__atomic_load_n(&entry->next, __ATOMIC_RELAXED)) {
		call->entry = NULL;
	} else {
		unsigned int reading = begin_reading_hooks();

		call->entry = take_first(following(entry));
		end_reading_hooks(reading);
	}
	if (!call->entry)
		current = call->outer;
	percpu_ref_put(&entry->calls);
	return call->entry;
}

void permod_hook_leave(struct permod_hook_call *call)
{
	struct permod_hook_entry *entry = call->entry;

	call->entry = NULL;
	current = call->outer;
	percpu_ref_put(&entry->calls);
}

/* ---- Registering ---------------------------------------------------------------------------- */

static struct permod_hook_entry *entry_of(struct percpu_ref *calls)
{
	return (struct permod_hook_entry *)((char *)calls -
					    offsetof(struct permod_hook_entry, calls));
}

/* By the last thread that was in the function: perhaps in a signal's handler.  Whoever waits may have
 * freed the memory by the time of the call; then it wakes nobody. */
static void drained(struct percpu_ref *calls)
{
	int *word = &entry_of(calls)->drained;

	__atomic_store_n(word, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static void wait_until_drained(int *word)
{
	while (!__atomic_load_n(word, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

/* Under the lock. */
static void link_entry(struct permod_hook_entry *entry)
{
	struct permod_hook *hook = entry->hook;
	struct permod_hook_entry **link = &hook->first;

	if (!hook->first) {
		hook->next = hooks;
		hooks = hook;
	}
	entry->number = ++last_number;
	while (*link && comes_before(*link, entry))
		link = &(*link)->next;
	entry->next = *link;
	__atomic_store_n(&entry->state, LINKED, __ATOMIC_RELAXED);
	__atomic_store_n(link, entry, __ATOMIC_RELEASE);
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
	}
	entry->left = left;
	left = entry;
}

/* An entry that is ENDING, by this thread. */
static void end_entry(struct permod_hook_entry *entry)
{
	struct permod_hook_entry **link = &left;

	wait_for_readers_of_hooks();
	percpu_ref_kill(&entry->calls);
	wait_until_drained(&entry->drained);
	percpu_ref_exit(&entry->calls);
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
	while (!current && entry->state == ENDING)
		pthread_cond_wait(&ended, &lock);
	state = entry->state;
	if (state == LEFT && !current)
		__atomic_store_n(&entry->state, ENDING, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&lock);
	if (state == IDLE)
		return 0;
	if (state == LINKED)
		return -EEXIST;
	if (current)
		return -EBUSY;
	end_entry(entry);
	return 0;
}

int permod_hook_register(struct permod_hook *hook, struct permod_hook_entry *entry,
			 void (*function)(void), void *context, int priority)
{
	int error = function ? prepare_entry(entry) : -EINVAL;

	watch_forks();
	if (!error)
		error = percpu_ref_init(&entry->calls, drained, 0);
	if (error)
		return error;
	entry->hook = hook;
	entry->function = function;
	entry->context = context;
	entry->priority = priority;
	entry->drained = 0;
	pthread_mutex_lock(&lock);
	link_entry(entry);
	pthread_mutex_unlock(&lock);
	return 0;
}

int permod_hook_unregister(struct permod_hook_entry *entry)
{
	bool linked;

	pthread_mutex_lock(&lock);
	linked = entry->state == LINKED;
	if (linked)
		unlink_entry(entry, current ? LEFT : ENDING);
	pthread_mutex_unlock(&lock);
	if (!linked)
		return -ENOENT;
	if (current)
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

void lock_hooks(void)
{
	pthread_mutex_lock(&lock);
	hold_readers_of_hooks();
}

void unlock_hooks(void)
{
	release_readers_of_hooks();
	pthread_mutex_unlock(&lock);
}

/* Only what this thread is in is counted. */
static void count_again(struct permod_hook_entry *entry)
{
	percpu_ref_exit(&entry->calls);
	if (percpu_ref_init(&entry->calls, drained, 0))
		return;
	for (const struct permod_hook_call *call = current; call; call = call->outer) {
		if (call->entry == entry)
			percpu_ref_get(&entry->calls);
	}
}

void forget_calls_of_others(void)
{
	forget_readers_of_hooks();
	for (struct permod_hook *hook = hooks; hook; hook = hook->next) {
		for (struct permod_hook_entry *entry = hook->first; entry; entry = entry->next)
			count_again(entry);
	}
	for (struct permod_hook_entry *entry = left; entry; entry = entry->left) {
		/* Who waited is not here. */
		entry->state = LEFT;
		entry->drained = 0;
		count_again(entry);
	}
	pthread_cond_init(&ended, NULL);
	pthread_mutex_unlock(&lock);
}
