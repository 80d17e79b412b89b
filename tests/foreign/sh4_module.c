/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A module that is linked for sh4 on this machine: it calls its host, and has pointers to functions, a table,
 * and a variable that keeps its value.  Compiled for this machine, with a host of its own, it tells what is right.
 */
int host_scale(int value);
int run(int rounds);

static int count;
int table[4] = { 1, 20, 300, 4000 };

static int add(int n)
{
	return n + table[0];
}

static int twice(int n)
{
	return n * 2 + table[1];
}

int (*const choices[2])(int) = { add, twice };

int run(int rounds)
{
	for (int i = 0; i < rounds; i++)
		count += choices[i & 1](i) + host_scale(table[i & 3]);
	return count;
}
