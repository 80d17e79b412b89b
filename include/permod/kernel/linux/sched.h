/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Giving way. */
#ifndef PERMOD_KERNEL_SCHED_H
#define PERMOD_KERNEL_SCHED_H

/** cond_resched() - nothing is needed: the scheduler takes the CPU whenever it wants. */
#define cond_resched() ((void)0)

#endif
