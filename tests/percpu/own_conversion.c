/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program with a conversion of its own from addresses to cookies and back, as a port would have that
 * keeps variables elsewhere: every macro uses it, and none the header's.
 */
#include <stdint.h>

static uintptr_t to_cookie(const volatile void *address);
static uintptr_t to_address(uintptr_t cookie);
#define __addr_to_pcpu_ptr(address) to_cookie(address)
#define __pcpu_ptr_to_addr(cookie) to_address(cookie)
#include <permod/percpu.h>

static DEFINE_PER_CPU(long, plain) = 3;
static DEFINE_PER_CPU(long[100], array) = { 1, [99] = 4 };
static long conversions;

/* By the library, and not by the words in the image. */
static uintptr_t to_cookie(const volatile void *address)
{
	conversions++;
	return pcpu_image_cookie(address);
}

static uintptr_t to_address(uintptr_t cookie)
{
	return cookie - pcpu_image_cookie(__per_cpu_start) + (uintptr_t)__per_cpu_start;
}

int main(void)
{
	long __percpu *dynamic = alloc_percpu(long);
	long before, sum = 0;
	unsigned int cpu;

	this_cpu_add(plain, 4);
	if (conversions != 1)
		return 1;
	this_cpu_inc(*dynamic);
	this_cpu_write(array[50], this_cpu_read(array[99]) + this_cpu_xchg(array[0], 2));
	if (conversions != 5)
		return 2;
	for_each_possible_cpu(cpu)
		sum += per_cpu(plain, cpu) - 3 + *per_cpu_ptr(dynamic, cpu) +
		       per_cpu(array, cpu)[50];
	if (sum != 4 + 1 + 5 || conversions != 5 + 3 * (long)num_possible_cpus())
		return 3;
	before = conversions;
	if (__pcpu_ptr_to_addr((uintptr_t)pcpu_ptr(&array[7])) != (uintptr_t)&array[7])
		return 4;
	return conversions == before + 1 ? 0 : 5;
}
