/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Large arrays, which the medium and large models put elsewhere.
 */
#include <stdio.h>

static int zero[100000];
int large_data_values[70000] = { 1, 2, 3, [69999] = 4 };
static const int constants[70000] = { 5, [69999] = 6 };
static int *pointers[] = { zero + 99999, large_data_values + 69999 };
extern int large_data_other[];

void large_data(void)
{
	zero[99999] = 7;
	printf("%d %d\n", *pointers[0], *pointers[1]);
	for (int i = 0; i < 3; i++)
		printf("%d %d %d\n", large_data_values[i], constants[i * 34999 + i / 2],
		       large_data_other[i * 40000]);
}
