/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Data aligned up to a page, and code to 64 bytes.
 */
#include <stdint.h>
#include <stdio.h>

static char one, page[10] __attribute__((aligned(4096))) = "page", two;
static int line __attribute__((aligned(256))) = 1;
static const char constant[3] __attribute__((aligned(512))) = "ab";
static char zero[5000] __attribute__((aligned(2048)));

__attribute__((aligned(64), noinline)) static int code(int value)
{
	return value + one++;
}

static int remainder_of(const void *address, unsigned int size)
{
	return (int)((uintptr_t)address % size);
}

void alignment(void)
{
	printf("%d %d %d %d\n", remainder_of(page, 4096), remainder_of(&line, 256),
	       remainder_of(constant, 512), remainder_of(zero, 2048));
	printf("%d\n", remainder_of((void *)(uintptr_t)code, 64));
	printf("%d %d %s %s %d %d\n", code(3), code(3), page, constant, line, two);
}
