/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fence: one thread changes a word that restartable sequences of all threads read, and goes on
 * when each of them has either committed by the old word, or starts again and sees the new one.
 *
 * It is membarrier(2), which interrupts the CPUs that run threads of this process; threads that don't
 * run were interrupted already.  A process must register for it before; the child of a fork inherits
 * that.
 *
 * One lock for all who fence.  It is held across a fork, so that a child never finds a structure half
 * way, changed by a thread that it doesn't have.  pcpu_lock() may be taken inside.
 */
#define _GNU_SOURCE
#include "structures.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

bool pcpu_fences;

/* As a rule nobody fences who has it: to sleep until it is free would take longer. */
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
static pthread_mutex_t lock = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
#else
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
#endif
static pthread_once_t once = PTHREAD_ONCE_INIT;

void pcpu_fence_lock(void)
{
	pthread_mutex_lock(&lock);
}

bool pcpu_fence_trylock(void)
{
	return pthread_mutex_trylock(&lock) == 0;
}

void pcpu_fence_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

static int membarrier(int command)
{
	return (int)syscall(SYS_membarrier, command, 0, 0);
}

bool pcpu_fence_register(void)
{
	return pcpu_restartable && !membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ);
}

static void set_up(void)
{
	pcpu_setup();
	pcpu_fences = PCPU_STRUCTURE_SEQUENCES && pcpu_fence_register();
	/* After the handlers of pcpu_lock(), which means: the lock is taken before it. */
	pthread_atfork(pcpu_fence_lock, pcpu_fence_unlock, pcpu_fence_unlock);
}

void pcpu_fence_setup(void)
{
	int saved = errno;

	pthread_once(&once, set_up);
	errno = saved;
}

void pcpu_fence(void)
{
	if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ))
		pcpu_die("membarrier(2) worked and does no more: %s", strerror(errno));
}
