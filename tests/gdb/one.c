/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a debugger is asked about. Lines are found by their comments. */
#include <permod/module.h>

void tick(void);
int other(int number);

struct point {
	int x, y;
};

static DEFINE_PER_CPU(long, hits) = 7;
static DEFINE_PER_CPU(int, ones) = 1;
static volatile int four = 4;
static int total = 3;
static volatile struct point here = { 11, 22 };

static __attribute__((noinline)) int inner(int number)
{
	int doubled = number * 2; /* inner begins */

	total += doubled; /* inner goes on */
	here.x += total;
	return doubled;
}

void tick(void)
{
	int result;

	this_cpu_add(hits, 5);
	this_cpu_add(ones, 0);
	result = inner(four); /* tick calls inner */
	total += result;
	total += other(total); /* tick calls other */
}

static int __init one_init(void)
{
	total += 2; /* init */
	return 0;
}
module_init(one_init);

static void __exit one_exit(void)
{
	total = 0; /* exit */
}
module_exit(one_exit);

MODULE_LICENSE("GPL");
