/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Symbols that are hidden, internal and protected, across files.
 */
#include <stdio.h>

extern int visibility_hidden __attribute__((visibility("hidden")));
extern int visibility_internal __attribute__((visibility("internal")));
extern int visibility_protected;
int visibility_hidden_function(int) __attribute__((visibility("hidden")));
int visibility_protected_function(int);
__attribute__((visibility("hidden"))) int visibility_here = 5;
__attribute__((visibility("protected"))) int visibility_own = 6;
static int *pointers[] = { &visibility_hidden, &visibility_internal, &visibility_protected };
static int (*functions[])(int) = { visibility_hidden_function, visibility_protected_function };

void visibility(void)
{
	for (int i = 0; i < 3; i++)
		printf("%d\n", *pointers[i]);
	for (int i = 0; i < 2; i++)
		printf("%d\n", functions[i](i));
	printf("%d %d %d\n", visibility_hidden, visibility_internal, visibility_protected);
	printf("%d %d\n", visibility_hidden_function(3), visibility_protected_function(4));
	printf("%d\n", visibility_own++);
}
