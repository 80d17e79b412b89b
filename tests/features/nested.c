/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions inside functions, called where they are.
 * matrix: only gcc
 */
#include <stdio.h>

void nested(void)
{
	int sum = 0;

	void add(int value)
	{
		sum += value;
	}

	for (int i = 0; i < 5; i++)
		add(i);
	printf("%d\n", sum);
}
