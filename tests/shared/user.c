/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A relocatable object that uses what module.c exports. */
#include <permod/module.h>

MODULE_LICENSE("GPL");

void add_hits(unsigned long number);
DECLARE_PER_CPU(unsigned long, hits);
static DEFINE_PER_CPU(unsigned long, uses);
void work_too(void);

void work_too(void)
{
	add_hits(10);
	this_cpu_add(hits, 100);
	this_cpu_inc(uses);
}
