/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What bench/calls runs, in a module, in a shared object and as a part of itself.
 */
long bench_step(long value);
/* A small function of libc that no compiler knows: 0 for 0. */
unsigned int gnu_dev_major(unsigned long device);

long bench_call_program(long count);
long bench_call_program(long count)
{
	long value = 0;

	for (long i = 0; i < count; i++)
		value = bench_step(value);
	return value;
}

long bench_call_libc(long count);
long bench_call_libc(long count)
{
	long value = 0;

	for (long i = 0; i < count; i++)
		value += 1 + gnu_dev_major(0);
	return value;
}
