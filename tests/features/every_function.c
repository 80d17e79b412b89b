/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A section for each function and each variable; some of them nobody needs.
 * matrix: flags -ffunction-sections -fdata-sections
 */
#include <stdio.h>

int every_function_one = 1, every_function_two = 2, every_function_unused = 3;
int every_function_other(int);

int every_function_unneeded(void)
{
	return every_function_unused;
}

__attribute__((noinline)) int every_function_plus(int value)
{
	return value + every_function_one;
}

void every_function(void)
{
	printf("%d %d\n", every_function_plus(10), every_function_other(every_function_two));
}
