/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ways to crash. */
#include <permod/module.h>

#include <stdlib.h>

void bad_access(void), bad_access_by_program(void), die(void), divide(void), trap(void);
void direct_access(void), nothing(void), overflow(void), call_nowhere(void);

static volatile int *volatile nowhere;
static volatile int zero;
static DEFINE_PER_CPU(long, hits);

static __attribute__((noinline)) void inner(void)
{
	*nowhere = 1;
	zero++;
}

void bad_access(void)
{
	inner();
	zero++;
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b + *nowhere;
}

void bad_access_by_program(void)
{
	int numbers[3] = { 3, 2, zero };

	qsort(numbers, 3, sizeof(numbers[0]), compare);
	zero += numbers[0];
}

void die(void)
{
	abort();
}

void divide(void)
{
	zero = (zero + 1) / zero;
}

void trap(void)
{
	__builtin_trap();
}

/* A cookie is no address. */
void direct_access(void)
{
	(*(volatile long *)(uintptr_t)&hits)++;
}

static __attribute__((noinline)) int deeper(volatile int *above)
{
	volatile int here[8] = { *above + 1 };

	return deeper(here) + here[0];
}

void overflow(void)
{
	zero = deeper(&zero);
}

void call_nowhere(void)
{
	((void (*)(void))(uintptr_t)nowhere)();
	zero++;
}

void nothing(void)
{
	this_cpu_inc(hits);
}

MODULE_LICENSE("GPL");
