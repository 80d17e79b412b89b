/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For every machine: pointers in data, calls of what is elsewhere and of itself, a per-CPU variable.
 */
extern int board_read(unsigned int reg);
extern int board_limit;

static int hits;
static unsigned int last;

int table[4] = { 1, 2, 3, 4 };
int *const cell = &table[2];
int *limits[2] = { &board_limit, &hits };
unsigned long events __attribute__((section(".data..percpu"))) = 5;

__attribute__((noinline)) int count(unsigned int n)
{
	last = n;
	return hits += table[n & 3];
}

int (*entry)(unsigned int n) = count;

int poll_board(unsigned int n)
{
	return count((unsigned int)board_read(n)) + board_read(last);
}
