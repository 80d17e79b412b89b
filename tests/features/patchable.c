/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Room for patches at each function's beginning, and a table of such places.
 * matrix: flags -fpatchable-function-entry=4,2
 */
#include <stdio.h>

__attribute__((noinline)) static int work(int value)
{
	return value * 2;
}

void patchable(void)
{
	printf("%d\n", work(21));
}
