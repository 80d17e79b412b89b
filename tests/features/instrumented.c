/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions that tell when they begin and end.
 * matrix: flags -finstrument-functions
 */
#include <stdio.h>

#define QUIET __attribute__((no_instrument_function))

static int depth, deepest, calls;

void __cyg_profile_func_enter(void *function, void *caller) QUIET;
void __cyg_profile_func_exit(void *function, void *caller) QUIET;

void __cyg_profile_func_enter(void *function, void *caller)
{
	calls += function && caller;
	if (++depth > deepest)
		deepest = depth;
}

void __cyg_profile_func_exit(void *function, void *caller)
{
	depth -= function && caller;
}

__attribute__((noinline)) static int inner(int value)
{
	return value > 0 ? inner(value - 1) + 1 : 0;
}

QUIET void instrumented(void)
{
	int result = inner(5);

	printf("%d %d %d %d\n", result, depth, deepest, calls);
}
