/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What values.c and other.c have from each other. */
#ifndef TESTS_MODELS_H
#define TESTS_MODELS_H

#include <stdio.h>

extern int initialised, common;
extern long large_initialised[];
extern int hidden_variable __attribute__((visibility("hidden")));
int multiply(int a, int b);

extern int other_variable, other_array[];
extern long other_large[];
int other_divide(int a, int b);
int other_call(int x);
int (*other_address(void))(int, int);
int (*other_multiply(void))(int, int);
int other_back(int (*function)(int, int));
int other_common(void);
int other_hidden(void) __attribute__((visibility("hidden")));
double other_third(void);
const char *other_word(void);
FILE **other_stdout(void);

#endif
