/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nearly all the time goes to spin(). */
#include <permod/module.h>

void tick(void);

static volatile unsigned long calls;

static __attribute__((noinline)) unsigned long spin(unsigned long number)
{
	for (int i = 0; i < 100000; i++) {
		number = number * 25214903917 + 11;
		/* Not to be computed at once. */
		__asm__ volatile("" : "+r"(number));
	}
	return number;
}

void tick(void)
{
	calls = spin(calls);
}

MODULE_LICENSE("GPL");
