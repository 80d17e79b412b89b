/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening and closing shared objects, by one thread at a time and not while the process forks.
 *
 * In the child of a fork only one thread goes on.  If another was in dlopen() or dlclose(), it leaves
 * there libc's list of objects half changed, in it an object that is not relocated, or the cache of
 * their names unmapped but still noted: the child's next dlopen() unmaps it once more, with whatever
 * lies there by then.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <dlfcn.h>
#include <pthread.h>
#include <time.h>

/* Held over forks; by tls.c, so that its stack is in the same order as libc's. */
static pthread_mutex_t dl_lock = PTHREAD_MUTEX_INITIALIZER;

/* What is opened may load a module in a constructor, or fork there. */
static __thread bool is_mine __attribute__((tls_model("initial-exec")));

/* But not waited for without end: who waits in a constructor of something that is being opened has
 * libc's lock, which the owner of this one needs.  To open something without it may cost room, no
 * more; to fork without it may cost the child, so on a busy machine that must have time. */
#define WAIT_TO_OPEN_MS 100
#define WAIT_TO_FORK_MS 5000

static bool lock_for(long most_ms)
{
	struct timespec until;

	if (is_mine)
		return false;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += most_ms / 1000;
	until.tv_nsec += most_ms % 1000 * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	is_mine = pthread_mutex_timedlock(&dl_lock, &until) == 0;
	return is_mine;
}

bool lock_dl(void)
{
	return lock_for(WAIT_TO_OPEN_MS);
}

bool lock_dl_for_fork(void)
{
	return lock_for(WAIT_TO_FORK_MS);
}

void unlock_dl(bool locked)
{
	if (!locked)
		return;
	is_mine = false;
	pthread_mutex_unlock(&dl_lock);
}

void forget_dl_threads(void)
{
	pthread_mutex_init(&dl_lock, NULL);
	if (is_mine)
		pthread_mutex_lock(&dl_lock);
}

void *dl_open(const char *name, int flags)
{
	bool locked = lock_dl();
	void *object = dlopen(name, flags);

	unlock_dl(locked);
	return object;
}

void dl_close(void *object)
{
	bool locked = lock_dl();

	dlclose(object);
	unlock_dl(locked);
}
