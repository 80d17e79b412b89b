/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions that run at load and at unload, in the order of their priorities.
 * matrix: glibc musl runs no .preinit_array of programs
 */
#include <stdio.h>

static char order[20];
static int count, ran;

#define CONSTRUCTOR(letter, ...)                                                                   \
	__attribute__((constructor __VA_ARGS__)) static void construct_##letter(void)              \
	{                                                                                          \
		order[count++] = #letter[0];                                                       \
	}
#define DESTRUCTOR(letter, ...)                                                                    \
	__attribute__((destructor __VA_ARGS__)) static void destruct_##letter(void)                \
	{                                                                                          \
		if (ran)                                                                           \
			puts("destructor " #letter);                                               \
	}

static void construct_first(void)
{
	order[count++] = 'p';
}
__attribute__((section(".preinit_array"), used)) static void (*const first)(void) = construct_first;

CONSTRUCTOR(d, (65000))
CONSTRUCTOR(b, (200))
CONSTRUCTOR(e)
CONSTRUCTOR(a, (101))
CONSTRUCTOR(c, (1000))
DESTRUCTOR(c, (1000))
DESTRUCTOR(a, (101))
DESTRUCTOR(e)
DESTRUCTOR(b, (200))

void constructors(void)
{
	ran = 1;
	printf("%s\n", order);
}
