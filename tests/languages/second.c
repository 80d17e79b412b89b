/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The second file of a module: variables and a function that work.c uses. */
#include <permod/module.h>

DEFINE_PER_CPU(long, second_hits);

int second_data[4] = { 10, 20, 30, 40 };

int second_sum(int (*function)(int), int count);

int second_sum(int (*function)(int), int count)
{
	int sum = 0;

	for (int i = 0; i < count; i++)
		sum += function(i);
	return sum;
}
