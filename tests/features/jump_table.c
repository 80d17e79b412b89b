/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A switch that becomes a table of jumps, and one that becomes a table of values.
 */
#include <stdio.h>

static volatile int step = 1;

__attribute__((noinline)) static int work(int what, int value)
{
	switch (what) {
	case 0:
		return value + 1;
	case 1:
		return value * 3;
	case 2:
		return value - step;
	case 3:
		return value ^ 0x55;
	case 4:
		return value << step;
	case 5:
		return value % 7;
	case 6:
		return value / 3;
	case 8:
		return -value;
	case 9:
		return ~value;
	default:
		return 1000;
	}
}

__attribute__((noinline)) static const char *name(int what)
{
	switch (what) {
	case 0:
		return "zero";
	case 1:
		return "one";
	case 2:
		return "two";
	case 3:
		return "three";
	case 4:
		return "four";
	case 5:
		return "five";
	case 6:
		return "six";
	default:
		return "many";
	}
}

void jump_table(void)
{
	for (int what = -1; what < 11; what++)
		printf("%d %d %s\n", what, work(what, 100), name(what));
}
