/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For the long runs: a call that takes a while, one that never ends, and one that tells on which
 * CPUs its thread may run.
 */
#define _GNU_SOURCE
#include <permod/module.h>

#include <sched.h>
#include <unistd.h>

static DEFINE_PER_CPU(unsigned long, naps);
static DEFINE_PER_CPU(unsigned long, strays);

/* A nap of a millisecond, which a signal must not cut short. */
void nap(void)
{
	if (usleep(1000) == 0)
		this_cpu_inc(naps);
}
EXPORT_SYMBOL(nap);

void hang(void)
{
	for (;;)
		pause();
}
EXPORT_SYMBOL(hang);

/* Counts calls in threads that are not bound to the one CPU they are on. */
void stray(void)
{
	cpu_set_t mask;

	CPU_ZERO(&mask);
	if (sched_getaffinity(0, sizeof(mask), &mask) || CPU_COUNT(&mask) != 1 ||
	    !CPU_ISSET(smp_processor_id(), &mask))
		this_cpu_inc(strays);
	this_cpu_inc(naps);
}
EXPORT_SYMBOL(stray);

MODULE_LICENSE("GPL");
