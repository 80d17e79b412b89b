/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module that is the same as a relocatable object and (-DPERMOD_SHARED) as a shared object. */
#include <permod/module.h>

#include <stdio.h>

MODULE_LICENSE("GPL");

DEFINE_PER_CPU(unsigned long, hits) = 5;
EXPORT_PER_CPU_SYMBOL(hits);
DEFINE_PER_CPU(unsigned long, steps);

static int step = 1;
module_param(step, int, 0444);
static char *word = "nothing";
module_param(word, charp, 0444);

void add_hits(unsigned long number);
void work(void);
int hold(int wanted);
int started;

void add_hits(unsigned long number)
{
	this_cpu_add(hits, number);
}
EXPORT_SYMBOL(add_hits);

void work(void)
{
	add_hits(1);
	this_cpu_add(steps, step);
}

/* Hold the module, or let it go. */
int hold(int wanted)
{
	if (wanted)
		return try_module_get(THIS_MODULE);
	module_put(THIS_MODULE);
	return 0;
}

static int __init begin(void)
{
	printf("begins with %d %s, started %d times\n", step, word, started++);
	fflush(stdout);
	return step > 0 ? 0 : -EINVAL;
}
module_init(begin);

static void __exit end(void)
{
	printf("ends\n");
	fflush(stdout);
}
module_exit(end);
