/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Several names for one thing.
 */
#include <stdio.h>

int aliases_value = 4;
extern int aliases_other_value __attribute__((alias("aliases_value")));
extern int aliases_weak_value __attribute__((weak, alias("aliases_value")));

int aliases_function(void)
{
	return ++aliases_value;
}

int aliases_other(void) __attribute__((alias("aliases_function")));
int aliases_weak(void) __attribute__((weak, alias("aliases_function")));
static int aliases_static(void) __attribute__((alias("aliases_function")));
int aliases_overridden(void) __attribute__((weak, alias("aliases_function")));
int aliases_renamed(void) __asm__("aliases_other_name");

int aliases_renamed(void)
{
	return 42;
}

void aliases(void)
{
	printf("%d %d %d\n", aliases_other(), aliases_weak(), aliases_static());
	aliases_other_value += 10;
	aliases_weak_value += 100;
	printf("%d %d\n", aliases_value, aliases_overridden());
	printf("%d %d\n", &aliases_value == &aliases_other_value,
	       aliases_other == aliases_function);
	printf("%d\n", aliases_renamed());
}
