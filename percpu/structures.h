/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What counter.c, ref.c and list.c share.  Each has the same division of labour:
 *
 *     inline code, in the public header   one sequence, in threads that libc registered
 *     the library                         the same sequence on the area that the kernel knows, after
 *                                         registering the thread; otherwise atomic instructions on
 *                                         words that sequences of this process never change
 *
 * So the inline functions of <permod/percpu_*.h> that begin a sequence must not be called here: in a
 * process without sequences there is no area for them.
 */
#ifndef PERCPU_STRUCTURES_H
#define PERCPU_STRUCTURES_H

/* For the sequences of the file that includes this: the area that the kernel knows. */
#define PCPU_RSEQ_AREA pcpu_area
extern char *pcpu_area;
#include "internal.h"

#include <permod/arch/structures.h>

#include <errno.h>

#ifndef PCPU_STRUCTURE_SEQUENCES
#define PCPU_STRUCTURE_SEQUENCES 0
#endif

/* As any operation does, and errno survives it. */
static inline void pcpu_prepare_thread_quietly(void)
{
	int saved = errno;

	pcpu_prepare_thread();
	errno = saved;
}

/* fence.c: once before the others; then whether there are fences in this process, constant. */
void pcpu_fence_setup(void);
extern bool pcpu_fences;
void pcpu_fence_lock(void);
bool pcpu_fence_trylock(void);
void pcpu_fence_unlock(void);

#endif
