/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The smallest module: a counter of which every CPU has its own, and a parameter. */
#include <permod/module.h>

static DEFINE_PER_CPU(unsigned long, hits);
static int step = 1;
module_param(step, int, 0444);
MODULE_PARM_DESC(step, "what each tick adds");

void tick(void)
{
	this_cpu_add(hits, step);
}
EXPORT_SYMBOL(tick);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("the permod authors");
MODULE_DESCRIPTION("Counts calls, on each CPU apart");
