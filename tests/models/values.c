/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All ways in which C names code and data: its own and that of the other file (other.c), near and
 * large, constant and not, defined and not. say() prints what was found, a line each; linked as a
 * program it must be the same.
 *
 * Variables of the C library are named only with -DLIBRARY_DATA: small code that is not
 * position-independent can't reach them, as a linker would have to copy them.
 */
#ifdef PROGRAM
static void begin(void);
int main(void)
{
	begin();
	return 0;
}
#else
#include <permod/module.h>
static int start(void);
module_init(start);
static void stop(void)
{
}
module_exit(stop);
#endif

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models.h"

#define LARGE 100000 /* above what -mlarge-data-threshold leaves near */

int initialised = 11, zeroed;
static int own_initialised = 12, own_zeroed;
int common; /* with -fcommon, so in both files */
long large_initialised[LARGE] = { 1, 2, 3 };
static long own_large_zeroed[LARGE];
const long large_constant[LARGE] = { 4, 5, [LARGE - 1] = 6 };
const char text[] = "text";
static const char *const words[] = { "none", "one", "two", text };
static const double halves[] = { 0.5, 1.5, 2.5 };
__attribute__((visibility("hidden"))) int hidden_variable = 13;
__attribute__((visibility("protected"))) int protected_variable = 14;
extern int missing_variable __attribute__((weak));
extern int missing_function(void) __attribute__((weak));
int overridden(void) __attribute__((weak));
int overridden(void)
{
	return -1;
}

static int add(int a, int b)
{
	return a + b;
}

static int subtract(int a, int b)
{
	return a - b;
}

int multiply(int a, int b)
{
	return a * b;
}

static int (*const operations[])(int, int) = { add, subtract, multiply, other_divide };
int (*changeable[])(int, int) = { other_divide, add };
int *const addresses[] = { &initialised, &own_zeroed, &other_variable, &other_array[3] };
long *middle = &large_initialised[LARGE / 2];

__attribute__((noinline)) static int by_switch(int which)
{
	switch (which) {
	case 0:
		return add(1, initialised);
	case 1:
		return multiply(own_initialised, 2);
	case 2:
		return other_call(3);
	case 3:
		return (int)strlen(words[3]);
	case 4:
		return zeroed++;
	case 5:
		return other_variable;
	case 6:
		return overridden();
	default:
		return which;
	}
}

__attribute__((noinline)) static int by_label(int which)
{
	static const void *const labels[] = { &&first, &&second, &&third };

	goto *labels[which];
first:
	return 1;
second:
	return 2;
third:
	return 3;
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void say_code(void)
{
	int numbers[] = { 5, 3, 4, 1, 2 };

	for (int i = 0; i < 8; i++)
		printf("switch %d: %d\n", i, by_switch(i));
	for (int i = 0; i < 3; i++)
		printf("label %d: %d\n", i, by_label(i));
	for (int i = 0; i < 4; i++)
		printf("operation %d: %d\n", i, operations[i](12, 4));
	changeable[1] = multiply;
	printf("changed: %d %d\n", changeable[0](9, 3), changeable[1](9, 3));
	printf("same: %d %d\n", other_address() == other_divide, changeable[1] == other_multiply());
	qsort(numbers, 5, sizeof(int), compare);
	printf("sorted: %d %d\n", numbers[0], numbers[4]);
	printf("back: %d\n", other_back(multiply));
}

static void say_data(void)
{
	own_zeroed += 3;
	common += 5;
	large_initialised[LARGE - 1] = 7;
	own_large_zeroed[LARGE - 2] = large_initialised[2];
	other_large[LARGE - 3] = 8;
	for (int i = 0; i < 4; i++)
		printf("address %d: %d\n", i, *addresses[i]);
	printf("large: %ld %ld %ld %ld %ld\n", large_initialised[LARGE - 1],
	       own_large_zeroed[LARGE - 2], large_constant[LARGE - 1], other_large[LARGE - 3],
	       *middle);
	printf("common: %d %d\n", common, other_common());
	printf("seen: %d %d %d\n", hidden_variable, protected_variable, other_hidden());
	printf("halves: %g %g %g\n", halves[1], other_third(), sqrt(halves[0] * halves[0]));
	printf("words: %s %s %s %s\n", words[1], words[3], other_word(), text + 2);
	printf("missing: %d %d %d\n", &missing_variable == NULL, missing_function == NULL,
	       missing_function ? missing_function() : 77);
#ifdef LIBRARY_DATA
	fprintf(stdout, "library: %d %d\n", stdout != stderr, &stdout == other_stdout());
#endif
}

#ifdef PROGRAM
static void begin(void)
{
	say_code();
	say_data();
}
#else
static int start(void)
{
	say_code();
	say_data();
	return 0;
}
#endif
