/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A C file with one of everything that makes a compiler write relocations: per-CPU variables of
 * several kinds, data of this file and of another, tables of addresses, a switch, strings, constants
 * of floating point, calls near and far, a weak function that nobody has, libc's variables.  It is
 * compiled in every way that compilers have; what it adds up stays the same.
 *
 * second.c is the other file.
 */
#include <permod/module.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static DEFINE_PER_CPU(long, hits);
DEFINE_PER_CPU(short, small) = 5;
DEFINE_PER_CPU_SHARED_ALIGNED(unsigned int, aligned);
DEFINE_PER_CPU_PAGE_ALIGNED(long, paged);
DEFINE_PER_CPU_READ_MOSTLY(long, read_mostly) = 100;
DEFINE_PER_CPU(long, wrong);
DECLARE_PER_CPU(long, second_hits);

extern int second_data[4];
int second_sum(int (*function)(int), int count);
void nobody_has_this(void) __attribute__((weak));

static int counted = 3;
static char zeroed[10000];
int common_data;

static int twice(int x)
{
	return 2 * x;
}

static int square(int x)
{
	return x * x;
}

static int (*const functions[])(int) = { twice, square, abs };
static const char *const words[] = { "per", "CPU", "variables" };

/* Distinct results, so that compilers make a table of jumps. */
__attribute__((noinline)) static int chosen(int which)
{
	switch (which) {
	case 0:
		return square(counted);
	case 1:
		return twice(counted) + 1;
	case 2:
		return (int)strlen(words[2]);
	case 3:
		return second_data[3];
	case 4:
		return zeroed[5000] + 20;
	case 5:
		return common_data - 1;
	default:
		return -100;
	}
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void expect(bool right)
{
	if (!right)
		this_cpu_inc(wrong);
}

static void check_library(void)
{
	int numbers[] = { 4, 1, 3, 2 };
	volatile double two = 2;
	char text[32];

	qsort(numbers, 4, sizeof(numbers[0]), compare);
	expect(numbers[0] == 1 && numbers[3] == 4);
	snprintf(text, sizeof(text), "%s-%s %.3f", words[0], words[1], sqrt(two) * 1.5);
	expect(strcmp(text, "per-CPU 2.121") == 0);
	expect(!nobody_has_this);
	/* Code for fixed programs reaches the program's data only. */
#ifdef __PIC__
	expect(fileno(stderr) == 2 && stdout != stderr);
#endif
}

void work(void)
{
	int sum = 0;

	/* 9 + 7 + 9 + 40 + 20 - 1 - 100 = -16; 8 + 16 + 4 = 28 */
	for (int i = 0; i < 7; i++)
		sum += chosen(i);
	for (int i = 0; i < 3; i++)
		sum += functions[i](4);
	expect(sum == 12);
	this_cpu_add(hits, sum);
	this_cpu_add(small, -1);
	expect(this_cpu_add_return(aligned, 2) != 0);
	this_cpu_write(paged, this_cpu_read(paged) + 7);
	this_cpu_xchg(read_mostly, this_cpu_read(read_mostly) + 1);
	/* 0 + 1 + 4 + 9 + 16 = 30 */
	this_cpu_add(second_hits, second_sum(square, 5));
	check_library();
}
