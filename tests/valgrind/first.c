/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module with mistakes that valgrind finds: in init, in a function, and about a variable. */
#include <permod/module.h>

#include <stdlib.h>

int first_variable[3];
volatile int seen;

static int __init first_init(void)
{
	volatile int *area = calloc(4, sizeof(*area));

	for (int i = 0; i < 5; i++) {
		int value = area[i]; /* in init */

		seen += value;
	}
	free((void *)area);
	return 0;
}

static void first_exit(void)
{
}

module_init(first_init);
module_exit(first_exit);

__attribute__((noinline)) void first_function(const volatile int *area, int count);
__attribute__((noinline)) void first_function(const volatile int *area, int count)
{
	for (int i = 0; i < count; i++) {
		int value = area[i]; /* in first */

		seen += value;
	}
}

void go(void);
void go(void)
{
	int *area = calloc(4, sizeof(*area));
	void *volatile no_area = first_variable;

	first_function(area, 5); /* first calls */
	free(area);
#ifndef RIGHT
	free(no_area);
#endif
}
