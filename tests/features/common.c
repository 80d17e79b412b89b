/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Variables that several files may define: the largest size and alignment counts.
 * matrix: flags -fcommon
 */
#include <stdio.h>
#include <stdint.h>

int common_small;
char common_grows[3];
int common_initialised;
short common_aligned;
long common_fill(void);

void common(void)
{
	long sum = common_fill();

	printf("%d %d %ld\n", common_small, common_initialised, sum);
	printf("%d %d %d\n", common_grows[0], common_grows[2], common_aligned);
	printf("%d\n", (int)((uintptr_t)&common_aligned % 64));
}
