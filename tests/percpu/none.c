/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program without static per-CPU variables: it includes the header, or, with -DNO_HEADER, does
 * not even do that and declares what it calls. Dynamic variables work.
 */
#ifndef NO_HEADER
#include <permod/percpu.h>
#else
#include <stddef.h>
void *__alloc_percpu(size_t size, size_t align);
void free_percpu(void *ptr);
size_t pcpu_static_size(void);
#endif

int main(void)
{
	long *counter = __alloc_percpu(sizeof(long), sizeof(long));

	if (!counter || pcpu_static_size())
		return 1;
#ifndef NO_HEADER
	this_cpu_add(*counter, 5);
	for (int i = 0; i < 4; i++)
		this_cpu_sub(*counter, 1);
	long sum = 0;
	unsigned int cpu;
	for_each_possible_cpu(cpu)
		sum += *per_cpu_ptr(counter, cpu);
	if (sum != 1)
		return 2;
#endif
	free_percpu(counter);
	return 0;
}
