/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Symbols that are numbers, not places.
 */
#include <stdio.h>

extern char absolute_small[], absolute_large[], absolute_negative[];

char *const absolute_table[] = { absolute_small, absolute_large, absolute_negative,
				 absolute_small + 4 };

void absolute(void)
{
	unsigned int word;
	long sign;

	__asm__("movl $absolute_small, %0\n\tmovq $absolute_negative, %1" : "=r"(word), "=r"(sign));
	printf("%#x %ld\n", word, sign);
	for (int i = 0; i < 4; i++)
		printf("%#lx\n", (unsigned long)absolute_table[i]);
}
