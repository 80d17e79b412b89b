/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other file.
 */
static int chosen(int value)
{
	return value + 3;
}

static int (*choose(void))(int)
{
	return chosen;
}

int ifunc_elsewhere(int) __attribute__((ifunc("choose")));
