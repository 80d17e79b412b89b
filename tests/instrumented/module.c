/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Errors that sanitizers find, and a branch that coverage counts. */
#include <permod/module.h>

#include <stdlib.h>

void fine(void), beyond_global(void), beyond_heap(void), beyond_stack(void), overflow(void);

static int table[10];
static volatile int count = 10, big = 0x7fffffff;
static int calls;

void fine(void)
{
	int *number = malloc(sizeof(*number));

	*number = table[count - 1]++;
	if (calls++ < 3)
		count += 0; /* the first three calls */
	free(number);
}

void beyond_global(void)
{
	table[count]++;
}

void beyond_heap(void)
{
	int *numbers = malloc(10 * sizeof(*numbers));

	/* Or the compiler would see that nobody reads it. */
	__asm__ volatile("" : : "r"(numbers) : "memory");
	numbers[count]++;
	__asm__ volatile("" : : "r"(numbers) : "memory");
	free(numbers);
}

void beyond_stack(void)
{
	int numbers[10] = { 0 };

	__asm__ volatile("" : : "r"(numbers) : "memory");
	numbers[count]++;
	__asm__ volatile("" : : "r"(numbers) : "memory");
}

void overflow(void)
{
	big++;
}

static int __init module_begin(void)
{
	return 0;
}
module_init(module_begin);

static void __exit module_end(void)
{
	calls = 0; /* exit */
}
module_exit(module_end);

MODULE_LICENSE("GPL");
