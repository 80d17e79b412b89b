/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Destructors of thread-local variables: a module can't go before the threads that will run them.
 *
 * C++ and Rust ask the C library to call a destructor when the thread ends that has made the
 * variable.  That keeps a shared object in memory until then; of modules the C library knows nothing,
 * so these are asked of us, and listed with the module.  Where the C library knows nothing of such
 * destructors (musl), a key's runs those of its thread.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* The C library's, from glibc 2.18; declared by no header. */
int __cxa_thread_atexit_impl(void (*destructor)(void *), void *object, void *dso_handle)
	__attribute__((weak));

/* A destructor that a thread will run; all under the shared lock but what never changes. */
struct thread_exit {
	struct thread_exit *previous, *next; /* of the same module */
	struct permod_module *module;	     /* NULL: gone, there is nothing to do any more */
	void (*destructor)(void *);
	void *object;
	pthread_t thread;
	struct thread_exit *earlier, *later; /* of all */
};

static struct thread_exit *latest;

static void list_exit(struct thread_exit *exit, struct permod_module *module)
{
	__atomic_store_n(&module->had_thread_exits, true, __ATOMIC_RELEASE);
	exit->module = module;
	exit->next = module->thread_exits;
	if (exit->next)
		exit->next->previous = exit;
	module->thread_exits = exit;
	exit->earlier = latest;
	if (latest)
		latest->later = exit;
	latest = exit;
}

/* As a rule not, and then the lock is not needed. */
static bool may_have_exits(const struct permod_module *module)
{
	return __atomic_load_n(&module->had_thread_exits, __ATOMIC_ACQUIRE);
}

static void unlist_exit(struct thread_exit *exit)
{
	*(exit->previous ? &exit->previous->next : &exit->module->thread_exits) = exit->next;
	if (exit->next)
		exit->next->previous = exit->previous;
	exit->module = NULL;
}

static void free_exit(struct thread_exit *exit)
{
	if (exit->module)
		unlist_exit(exit);
	*(exit->later ? &exit->later->earlier : &latest) = exit->earlier;
	if (exit->earlier)
		exit->earlier->later = exit->later;
	free(exit);
}

/* At the end of the thread.  The module is there until its list has lost this entry. */
static void run_exit(void *arg)
{
	struct thread_exit *exit = arg;
	struct permod_module *module;

	lock_shared();
	module = exit->module;
	unlock_shared();
	if (module)
		exit->destructor(exit->object);
	lock_shared();
	free_exit(exit);
	unlock_shared();
}

/* ---- Without the C library ------------------------------------------------------------------ */

static pthread_key_t thread_key;
static pthread_once_t thread_once = PTHREAD_ONCE_INIT;
static bool has_key;

/* The last that the calling thread has to run, of any module. */
static struct thread_exit *latest_of_thread(void)
{
	struct thread_exit *exit;

	lock_shared();
	exit = latest;
	while (exit && !pthread_equal(exit->thread, pthread_self()))
		exit = exit->earlier;
	unlock_shared();
	return exit;
}

static void run_exits(void *arg)
{
	struct thread_exit *exit;

	(void)arg;
	while ((exit = latest_of_thread()))
		run_exit(exit);
}

/* A thread that ends the process runs its own, too. */
static void run_exits_of_last(void)
{
	run_exits(NULL);
}

static void make_key(void)
{
	has_key = !pthread_key_create(&thread_key, run_exits) && !atexit(run_exits_of_last);
}

/* ---- With or without it --------------------------------------------------------------------- */

static int ask_for_exit(struct thread_exit *exit)
{
	/* This library stays in memory as long. */
	if (__cxa_thread_atexit_impl)
		return __cxa_thread_atexit_impl(run_exit, exit, (void *)(uintptr_t)run_exit);
	pthread_once(&thread_once, make_key);
	return has_key ? pthread_setspecific(thread_key, &thread_key) : -1;
}

int module_thread_atexit(void (*destructor)(void *), void *object, void *dso_handle)
{
	struct permod_module *module = module_of_handle(dso_handle);
	struct thread_exit *exit;

	if (!module)
		return __cxa_thread_atexit_impl
			       ? __cxa_thread_atexit_impl(destructor, object, dso_handle)
			       : -1;
	exit = calloc(1, sizeof(*exit));
	if (!exit)
		return -1;
	exit->destructor = destructor;
	exit->object = object;
	exit->thread = pthread_self();
	if (ask_for_exit(exit)) {
		free(exit);
		return -1;
	}
	lock_shared();
	list_exit(exit, module);
	unlock_shared();
	return 0;
}

void forget_exits_of_others(void)
{
	for (struct thread_exit *exit = latest, *earlier; exit; exit = earlier) {
		earlier = exit->earlier;
		if (!pthread_equal(exit->thread, pthread_self()))
			free_exit(exit);
	}
}

/* Whether an entry before this one is of the same thread. */
static bool is_counted(const struct permod_module *module, const struct thread_exit *exit)
{
	const struct thread_exit *other = module->thread_exits;

	while (other != exit && !pthread_equal(other->thread, exit->thread))
		other = other->next;
	return other != exit;
}

unsigned int count_thread_exits(const struct permod_module *module, unsigned int *threads)
{
	unsigned int count = 0;

	*threads = 0;
	if (!may_have_exits(module))
		return 0;
	lock_shared();
	for (const struct thread_exit *exit = module->thread_exits; exit; exit = exit->next) {
		count++;
		*threads += !is_counted(module, exit);
	}
	unlock_shared();
	return count;
}

/* The last that the calling thread would run, taken off the list. */
static struct thread_exit *take_own_exit(struct permod_module *module)
{
	struct thread_exit *exit;

	lock_shared();
	exit = module->thread_exits;
	while (exit && !pthread_equal(exit->thread, pthread_self()))
		exit = exit->next;
	if (exit)
		unlist_exit(exit);
	unlock_shared();
	return exit;
}

void drop_thread_exits(struct permod_module *module)
{
	struct thread_exit *exit;

	if (!may_have_exits(module))
		return;
	while ((exit = take_own_exit(module)))
		exit->destructor(exit->object);
	lock_shared();
	while (module->thread_exits)
		unlist_exit(module->thread_exits);
	unlock_shared();
}
