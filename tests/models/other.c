/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The second file of values.c. */
#include "models.h"

int other_variable = 21, other_array[10] = { 0, 1, 2, 22 };
long other_large[100000];
int common;

int overridden(void);
int overridden(void)
{
	return 23;
}

int other_divide(int a, int b)
{
	return a / b;
}

int other_call(int x)
{
	return multiply(x, initialised) + (int)large_initialised[1];
}

int (*other_address(void))(int, int)
{
	return other_divide;
}

int (*other_multiply(void))(int, int)
{
	return multiply;
}

int other_back(int (*function)(int, int))
{
	return function(6, 7);
}

int other_common(void)
{
	return common;
}

int other_hidden(void)
{
	return hidden_variable + 1;
}

double other_third(void)
{
	return 1.0 / 4;
}

const char *other_word(void)
{
	return "other";
}

#ifdef LIBRARY_DATA
FILE **other_stdout(void)
{
	return &stdout;
}
#endif
