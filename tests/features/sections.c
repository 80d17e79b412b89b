/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Code and data in sections with names that compilers and people give.
 */
#include <stdio.h>

__attribute__((section(".text.own"))) int sections_own(int value)
{
	return value + 1;
}

__attribute__((cold, noinline)) static int cold(int value)
{
	return value * 3;
}

__attribute__((hot, noinline)) static int hot(int value)
{
	return value - 4;
}

static int data __attribute__((section(".data.own"))) = 10;
static const int constant __attribute__((section(".rodata.own"))) = 20;
static int zero __attribute__((section(".bss.own")));
static int *const pointer __attribute__((section(".data.rel.ro.own"), used)) = &data;
static int odd __attribute__((section("odd-section.1"))) = 40;

__attribute__((constructor, section(".text.startup"))) static void start(void)
{
	zero += 30;
}

void sections(void)
{
	printf("%d %d %d\n", sections_own(1), cold(data), hot(constant));
	printf("%d %d %d\n", zero, *pointer, odd++);
	if (__builtin_expect(odd == 0, 0))
		puts("never");
}
