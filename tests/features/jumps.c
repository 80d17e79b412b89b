/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * setjmp and longjmp, across functions and files; signals.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>

jmp_buf jumps_place;
void jumps_back(int);
static sigjmp_buf signal_place;
static volatile sig_atomic_t signals;

static void handle(int number)
{
	signals++;
	siglongjmp(signal_place, number);
}

void jumps(void)
{
	volatile int count = 0;
	int value = setjmp(jumps_place);

	count++;
	if (value < 3)
		jumps_back(value + 1);
	printf("%d %d\n", value, count);
	signal(SIGUSR1, handle);
	value = sigsetjmp(signal_place, 1);
	if (!value)
		raise(SIGUSR1);
	signal(SIGUSR1, SIG_DFL);
	printf("%d %d\n", value == SIGUSR1, (int)signals);
}
