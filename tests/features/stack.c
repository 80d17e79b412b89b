/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Arrays of variable length, alloca, variable arguments, deep recursion.
 */
#include <alloca.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((noinline)) static double sum(int count, ...)
{
	double total = 0;
	va_list list, copy;

	va_start(list, count);
	va_copy(copy, list);
	for (int i = 0; i < count; i++)
		total += i % 2 ? va_arg(list, double) : va_arg(list, int);
	total += va_arg(copy, int);
	va_end(copy);
	va_end(list);
	return total;
}

__attribute__((noinline)) static int fill(int size)
{
	int array[size], total = 0;
	char *text = alloca((size_t)size + 1);

	memset(text, 'x', (size_t)size);
	text[size] = 0;
	for (int i = 0; i < size; i++)
		array[i] = i;
	for (int i = 0; i < size; i++)
		total += array[i];
	return total + (int)strlen(text);
}

__attribute__((noinline)) static int recurse(int depth)
{
	volatile char local[100];

	local[depth % 100] = 1;
	return depth ? recurse(depth - 1) + local[depth % 100] : 0;
}

void stack(void)
{
	printf("%g %d %d\n", sum(6, 1, 2.5, 3, 4.5, 5, 6.5), fill(100), recurse(10000));
}
