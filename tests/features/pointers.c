/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Addresses in data: of functions, of parts of arrays, of what another file defines.
 */
#include <stdio.h>

extern int pointers_there[];
int pointers_twice(int);

static int pointers_thrice(int value)
{
	return 3 * value;
}

int pointers_here[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
static int own[4] = { 10, 20, 30, 40 };
static int zero[4];

static int (*const constant_functions[])(int) = { pointers_twice, pointers_thrice };
static int (*functions[])(int) = { pointers_thrice, pointers_twice };
int *pointers_middle[] = { pointers_here + 3, pointers_there + 2, own + 1, zero + 3 };
static int *const *const indirect[] = { &pointers_middle[1], &pointers_middle[2] };
static int *before = own - 0x10000;

void pointers(void)
{
	for (int i = 0; i < 2; i++)
		printf("%d %d\n", constant_functions[i](i + 5), functions[i](i + 5));
	zero[3] = 77;
	for (int i = 0; i < 4; i++)
		printf("%d\n", *pointers_middle[i]);
	printf("%d %d %d\n", **indirect[0], **indirect[1], before[0x10002]);
}
