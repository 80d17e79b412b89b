/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Walking the stack, through the module's frames to who called it.
 * matrix: glibc the unwinder that gcc brings along is made for it
 */
#include <stdio.h>
#include <unwind.h>

struct walk {
	int frames, own;
};

static void deep(struct walk *walk, int depth);

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *arg)
{
	struct walk *walk = arg;
	unsigned long start = _Unwind_GetRegionStart(context);

	walk->frames++;
	walk->own += start == (unsigned long)deep;
	return _URC_NO_REASON;
}

__attribute__((noinline)) static void deep(struct walk *walk, int depth)
{
	if (depth)
		deep(walk, depth - 1);
	else
		_Unwind_Backtrace(step, walk);
	__asm__ volatile("");
}

void unwinding(void)
{
	struct walk walk = { 0, 0 };

	deep(&walk, 5);
	printf("%d %d\n", walk.own, walk.frames > walk.own + 2);
}
