/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mutexes: those of POSIX threads. */
#ifndef PERMOD_KERNEL_MUTEX_H
#define PERMOD_KERNEL_MUTEX_H

#include <linux/bug.h>
#include <pthread.h>

struct mutex {
	pthread_mutex_t lock;
};

#define DEFINE_MUTEX(name) struct mutex name = { PTHREAD_MUTEX_INITIALIZER }

static inline void mutex_lock(struct mutex *mutex)
{
	BUG_ON(pthread_mutex_lock(&mutex->lock));
}

static inline void mutex_unlock(struct mutex *mutex)
{
	BUG_ON(pthread_mutex_unlock(&mutex->lock));
}

#endif
