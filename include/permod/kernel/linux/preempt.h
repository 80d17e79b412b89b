/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Staying on a CPU.
 *
 * No user-space thread can keep the scheduler from running another one in its place.  What can be
 * had is that it is not moved: between preempt_disable() and preempt_enable() this thread is bound
 * to the CPU it is on, so that all its per-CPU accesses are to one copy.  Another thread may still
 * run on that CPU meanwhile, and change that copy between two operations; each operation is whole
 * all the same.  Pairs nest.  The outermost two take a system call or two each; where the
 * system refuses these, the process ends.
 */
#ifndef PERMOD_KERNEL_PREEMPT_H
#define PERMOD_KERNEL_PREEMPT_H

void preempt_disable(void);
void preempt_enable(void);

/** local_irq_save() - nothing holds interrupts off; for measuring, the thread stays on its CPU. */
#define local_irq_save(flags) ((flags) = 0, preempt_disable())
#define local_irq_restore(flags) ((void)(flags), preempt_enable())

#define get_cpu() (preempt_disable(), smp_processor_id())
#define put_cpu() preempt_enable()

#endif
