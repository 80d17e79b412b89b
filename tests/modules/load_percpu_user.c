/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Uses the per-CPU variable that load_percpu exports. */
#include <permod/module.h>

DECLARE_PER_CPU(long, percpu_counter);
void percpu_add(long number);

const void *user_cookie(void);
const void *user_cookie(void)
{
	return &percpu_counter;
}

void user_add(long number);
void user_add(long number)
{
	this_cpu_add(percpu_counter, number);
	percpu_add(number);
}

/* The sum over all CPUs. */
long user_sum(void);
long user_sum(void)
{
	unsigned int cpu;
	long sum = 0;

	for_each_possible_cpu(cpu)
		sum += per_cpu(percpu_counter, cpu);
	return sum;
}

MODULE_LICENSE("GPL");
