/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Symbols that are numbers, not places.
 */
#include <stdio.h>

extern char absolute_small[], absolute_large[], absolute_negative[];

char *const volatile absolute_table[] = { absolute_small, absolute_large, absolute_negative,
					  absolute_small + 4 };

void absolute(void)
{
	for (int i = 0; i < 4; i++)
		printf("%#lx\n", (unsigned long)absolute_table[i]);
}
