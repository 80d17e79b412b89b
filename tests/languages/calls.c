/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Adds what a function in another language returns: SUM is its name. */
#include <permod/module.h>

static DEFINE_PER_CPU(unsigned long, sums);

unsigned long SUM(void);
void work(void);

void work(void)
{
	this_cpu_add(sums, SUM());
}
