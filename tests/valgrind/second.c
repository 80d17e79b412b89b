/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Another one, which has the first one's place when that has gone. */
#include <stdlib.h>

volatile int taken;

__attribute__((noinline)) void second_function(const volatile int *area, int count);
__attribute__((noinline)) void second_function(const volatile int *area, int count)
{
	/* This one is on other lines, and is found where first_function was. */
	for (int i = count; i-- > 0;) {
		int value = area[i]; /* in second */

		taken += value;
	}
}

void go(void);
void go(void)
{
	int *area = calloc(4, sizeof(*area));

	second_function(area, 5); /* second calls */
	free(area);
}
