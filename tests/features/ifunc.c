/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions that choose their own code when they are linked.
 * matrix: unless -mcmodel=large -fPIC
 * matrix: glibc other dynamic linkers call no such resolvers
 */
#include <stdio.h>

static int slow(int value)
{
	return value + 1;
}

static int fast(int value)
{
	return value + 2;
}

static int (*choose(void))(int)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("sse2") ? fast : slow;
}

static int (*choose_slow(void))(int)
{
	return slow;
}

int ifunc_global(int) __attribute__((ifunc("choose")));
static int ifunc_local(int) __attribute__((ifunc("choose_slow")));
int ifunc_elsewhere(int);

int (*ifunc_pointers[])(int) = { ifunc_global, ifunc_local, ifunc_elsewhere };

__attribute__((constructor)) static void early(void)
{
	ifunc_pointers[0](1);
	ifunc_global(1);
}

void ifunc(void)
{
	printf("%d %d %d\n", ifunc_global(10), ifunc_local(20), ifunc_elsewhere(30));
	for (int i = 0; i < 3; i++)
		printf("%d\n", ifunc_pointers[i](100));
}
