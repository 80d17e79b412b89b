/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Per-CPU variables of every shape that permod run shows in a way of its own, with values that are
 * known beforehand.
 */
#include <permod/module.h>

struct pair {
	long first, second;
};

DEFINE_PER_CPU(signed char, small) = -3;
DEFINE_PER_CPU(short, middle) = -300;
DEFINE_PER_CPU(int, normal) = -70000;
DEFINE_PER_CPU(uint64_t, huge) = 1ULL << 63;
DEFINE_PER_CPU(struct pair, couple) = { 11, -12 };
DEFINE_PER_CPU(int[3], words) = { 1, 2, 3 };
DEFINE_PER_CPU(char[6], bytes) = "hello";
DEFINE_PER_CPU(uint64_t[100], large);

static char *text = "\"quoted\\\" \t";
module_param(text, charp, 0444);

/* Makes three elements of the large array differ from zero, on this CPU. */
void fill(void)
{
	this_cpu_write(large[7], 7);
	this_cpu_write(large[50], 50);
	this_cpu_write(large[99], 99);
}
EXPORT_SYMBOL(fill);

MODULE_LICENSE("GPL");
