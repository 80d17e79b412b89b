/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Weak symbols: that nobody defines, that another file defines, that stay, that are overridden.
 */
#include <stdio.h>

extern int weak_nowhere_data __attribute__((weak));
int weak_nowhere(void) __attribute__((weak));
extern int weak_elsewhere_data __attribute__((weak));
int weak_elsewhere(void) __attribute__((weak));
int (*weak_pointers[])(void) = { weak_nowhere, weak_elsewhere };
int *weak_data[] = { &weak_nowhere_data, &weak_elsewhere_data };

__attribute__((weak)) int weak_stays(void)
{
	return 1;
}

__attribute__((weak, noinline)) int weak_is_overridden(void)
{
	return 2;
}

__attribute__((weak)) int weak_value = 3;
__attribute__((weak)) int weak_twice = 4;

void weak(void)
{
	printf("%d %d\n", weak_nowhere ? weak_nowhere() : -1,
	       &weak_nowhere_data ? weak_nowhere_data : -1);
	printf("%d %d\n", weak_elsewhere ? weak_elsewhere() : -1,
	       &weak_elsewhere_data ? weak_elsewhere_data : -1);
	printf("%d %d %d %d\n", !weak_pointers[0], !weak_pointers[1], !weak_data[0], !weak_data[1]);
	printf("%d %d %d %d\n", weak_stays(), weak_is_overridden(), weak_value, weak_twice);
}
