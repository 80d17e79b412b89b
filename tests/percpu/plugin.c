/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A shared object with static per-CPU variables: initial values, use in its constructor and
 * destructor, two files (the other with -DSECOND_FILE). Compiled with -DSIZE=N it has an array of
 * N longs as well; with -DNAME=x its functions are called x_count() and so on.
 */
#include <permod/percpu.h>

#ifndef NAME
#define NAME plugin
#endif
#ifndef SIZE
#define SIZE 10
#endif
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define FUNCTION(suffix) JOIN(NAME, suffix)

#define HIDDEN __attribute__((visibility("hidden")))

HIDDEN DECLARE_PER_CPU(long, other);

#ifdef SECOND_FILE
DEFINE_PER_CPU(long, other) = 40;
#else
static DEFINE_PER_CPU(long, counter) = 2;
static DEFINE_PER_CPU(long[SIZE], many) = { 1, [SIZE - 1] = 9 };
static DEFINE_PER_CPU_SHARED_ALIGNED(int, aligned) = 3;

void FUNCTION(_count)(void);
long FUNCTION(_sum)(void);
void *FUNCTION(_cookie)(void);
int FUNCTION(_is_fresh)(void);

__attribute__((constructor)) static void begin(void)
{
	this_cpu_add(counter, 100);
}

__attribute__((destructor)) static void end(void)
{
	this_cpu_inc(counter);
}

void FUNCTION(_count)(void)
{
	this_cpu_inc(counter);
	this_cpu_inc(other);
	this_cpu_inc(many[SIZE - 1]);
}

/* The sum over all CPUs, less the initial values: 100 by the constructor, 2 by each count. */
long FUNCTION(_sum)(void)
{
	long sum = 0;
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu(counter, cpu) - 2 + per_cpu(other, cpu) - 40;
	return sum;
}

void *FUNCTION(_cookie)(void)
{
	return pcpu_ptr(&counter);
}

/* Whether the variables that only counting changes have their initial values on all CPUs. */
int FUNCTION(_is_fresh)(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		long *copy = per_cpu(many, cpu);

		if (per_cpu(aligned, cpu) != 3 || (uintptr_t)&per_cpu(aligned, cpu) % 64)
			return 0;
		for (long i = 1; i < SIZE - 1; i++) {
			if (copy[i])
				return 0;
		}
		if (copy[0] != 1 || copy[SIZE - 1] != 9)
			return 0;
		copy[SIZE / 2] = 5;
	}
	return 1;
}
#endif
