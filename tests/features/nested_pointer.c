/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pointers to functions inside functions, for which compilers write code to the stack.
 * matrix: only gcc
 * matrix: refused . => executable stack
 */
#include <stdio.h>

__attribute__((noinline)) static void each(void (*call)(int))
{
	for (int i = 0; i < 5; i++)
		call(i);
}

void nested_pointer(void)
{
	int sum = 0;

	void add(int value)
	{
		sum += value;
	}

	each(add);
	printf("%d\n", sum);
}
