/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Binding a thread to the CPU it is on, which is what user space can do of preempt_disable().
 *
 * The outermost preempt_disable() remembers the CPUs that the thread may use, and the outermost
 * preempt_enable() gives them back: what others made of these meanwhile is lost.
 */
#define _GNU_SOURCE
#include <linux/preempt.h>

#include <linux/kernel.h>

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

/* The kernel's largest configuration has 8192 CPUs; a mask must have room for all there can be. */
#define MASK_CPUS 8192
#define MASK_BYTES CPU_ALLOC_SIZE(MASK_CPUS)

static __thread unsigned int depth;
static __thread cpu_set_t *allowed;

/* The CPU on which we are may go, or we may be moved, before the thread is bound to it: then EINVAL. */
static int bind_to_this_cpu(void)
{
	cpu_set_t *mask = CPU_ALLOC(MASK_CPUS);
	int cpu, error;

	if (!mask)
		return ENOMEM;
	do {
		cpu = sched_getcpu();
		CPU_ZERO_S(MASK_BYTES, mask);
		if (cpu >= 0)
			CPU_SET_S((size_t)cpu, MASK_BYTES, mask);
		error = cpu < 0 || sched_setaffinity(0, MASK_BYTES, mask) ? errno : 0;
	} while (cpu >= 0 && error == EINVAL);
	CPU_FREE(mask);
	return error;
}

void preempt_disable(void)
{
	if (depth++)
		return;
	allowed = CPU_ALLOC(MASK_CPUS);
	BUG_ON(!allowed || sched_getaffinity(0, MASK_BYTES, allowed) || bind_to_this_cpu());
}

void preempt_enable(void)
{
	BUG_ON(depth == 0);
	if (--depth)
		return;
	WARN_ON(sched_setaffinity(0, MASK_BYTES, allowed));
	CPU_FREE(allowed);
	allowed = NULL;
}
