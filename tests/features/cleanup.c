/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Variables with a cleanup, also when the thread is cancelled.
 * matrix: flags -fexceptions
 * matrix: glibc the unwinder that gcc brings along is made for it
 */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static int ready[2];

static void done(int *value)
{
	printf("done with %d\n", *value);
}

__attribute__((noinline)) static int work(int value)
{
	__attribute__((cleanup(done))) int outer = value;

	for (int i = 0; i < 2; i++) {
		__attribute__((cleanup(done))) int inner = value * 10 + i;

		if (inner == 21)
			return inner;
	}
	return outer;
}

static void *wait_for_ever(void *unused)
{
	__attribute__((cleanup(done))) int value = 77;

	if (write(ready[1], "x", 1) == 1)
		for (;;)
			pause();
	return unused;
}

void cleanup(void)
{
	pthread_t thread;
	void *result;
	char byte;

	printf("%d\n", work(1));
	printf("%d\n", work(2));
	if (pipe(ready) || pthread_create(&thread, NULL, wait_for_ever, NULL))
		return;
	if (read(ready[0], &byte, 1) != 1)
		return;
	pthread_cancel(thread);
	pthread_join(thread, &result);
	printf("%d\n", result == PTHREAD_CANCELED);
}
