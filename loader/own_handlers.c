/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Handlers that modules register for the end of the process and for forks, where the C library takes none
 * back (as musl): it gets functions of the loader instead, which call those of modules that are there.
 *
 * An entry stays when its module goes, as what the C library has of it does, and has nothing to call then.
 * So lists only grow, by one store at their head or end: the child of a fork finds them in order whatever
 * other threads were about.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

/* Declared by no header.  (The Itanium C++ ABI.) */
int __cxa_atexit(void (*function)(void *), void *arg, void *dso_handle);

/* ---- The end of the process ----------------------------------------------------------------- */

struct exit_entry {
	struct exit_entry *earlier;
	void (*function)(void *); /* NULL: it was called; under the shared lock */
	void *arg, *handle;
};

static struct exit_entry *latest_exit; /* under the shared lock */

/* Without the lock, as the handler may do anything. */
static void call_once(struct exit_entry *entry)
{
	void (*function)(void *);

	lock_shared();
	function = entry->function;
	entry->function = NULL;
	unlock_shared();
	if (function)
		function(entry->arg);
}

static void call_entry(void *entry)
{
	call_once(entry);
}

/* The C library has it before anybody can find it in the list. */
int add_exit_handler(void (*function)(void *), void *arg, void *handle)
{
	struct exit_entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return -1;
	entry->arg = arg;
	entry->handle = handle;
	if (__cxa_atexit(call_entry, entry, NULL)) {
		free(entry);
		return -1;
	}
	lock_shared();
	entry->function = function;
	entry->earlier = latest_exit;
	latest_exit = entry;
	unlock_shared();
	return 0;
}

/* The one to be called next of those that were registered with a handle. */
static struct exit_entry *next_exit(const void *handle)
{
	struct exit_entry *entry;

	lock_shared();
	for (entry = latest_exit; entry; entry = entry->earlier) {
		if (entry->handle == handle && entry->function)
			break;
	}
	unlock_shared();
	return entry;
}

/* ---- Forks ---------------------------------------------------------------------------------- */

struct fork_entry {
	struct fork_entry *earlier, *later;
	struct fork_handlers handlers; /* none: its module is gone; under the lock */
	void *handle;
};

/* Held while handlers run, so that their module is there: they may register others meanwhile.  Not held
 * over the fork itself, before which the loader takes locks of its own. */
static pthread_mutex_t fork_lock; /* recursive */
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static int fork_error;
static struct fork_entry *first_fork, *latest_fork; /* the first is read without the lock, too */
/* Which was the latest when the fork began, of this thread. */
static __thread struct fork_entry *latest_before;

static void make_lock(void)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&fork_lock, &attributes);
	pthread_mutexattr_destroy(&attributes);
}

/* The last that was registered is the first. */
static void prepare_for_fork(void)
{
	pthread_mutex_lock(&fork_lock);
	latest_before = latest_fork;
	for (struct fork_entry *entry = latest_before; entry; entry = entry->earlier) {
		if (entry->handlers.prepare)
			entry->handlers.prepare();
	}
	pthread_mutex_unlock(&fork_lock);
}

/* Those that were there when it began. */
static void finish_fork(bool is_child)
{
	struct fork_entry *entry = latest_before ? first_fork : NULL;

	while (entry) {
		void (*function)(void) = is_child ? entry->handlers.child : entry->handlers.parent;

		if (function)
			function();
		entry = entry == latest_before ? NULL : entry->later;
	}
}

static void parent_after_fork(void)
{
	pthread_mutex_lock(&fork_lock);
	finish_fork(false);
	pthread_mutex_unlock(&fork_lock);
}

/* Alone; who had the lock is not there. */
static void child_after_fork(void)
{
	make_lock();
	pthread_mutex_lock(&fork_lock);
	finish_fork(true);
	pthread_mutex_unlock(&fork_lock);
}

static void watch(void)
{
	make_lock();
	fork_error = pthread_atfork(prepare_for_fork, parent_after_fork, child_after_fork);
}

int add_fork_handlers(const struct fork_handlers *handlers, void *handle)
{
	struct fork_entry *entry;

	pthread_once(&fork_once, watch);
	if (fork_error)
		return fork_error;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return ENOMEM;
	entry->handlers = *handlers;
	entry->handle = handle;
	pthread_mutex_lock(&fork_lock);
	entry->earlier = latest_fork;
	__atomic_store_n(latest_fork ? &latest_fork->later : &first_fork, entry, __ATOMIC_RELEASE);
	latest_fork = entry;
	pthread_mutex_unlock(&fork_lock);
	return 0;
}

/* --------------------------------------------------------------------------------------------- */

void finish_handlers(void *handle)
{
	struct exit_entry *exit;

	while ((exit = next_exit(handle)))
		call_once(exit);
	if (!__atomic_load_n(&first_fork, __ATOMIC_ACQUIRE))
		return;
	pthread_mutex_lock(&fork_lock);
	for (struct fork_entry *entry = first_fork; entry; entry = entry->later) {
		if (entry->handle == handle)
			entry->handlers = (struct fork_handlers){ NULL, NULL, NULL };
	}
	pthread_mutex_unlock(&fork_lock);
}
