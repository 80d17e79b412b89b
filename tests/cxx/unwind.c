/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * C that is unwound: backtrace() through a module and back into the program, a thread that is
 * cancelled in the midst of it, and the unwinder called directly.  Each that goes well counts.
 */
#define _GNU_SOURCE
#include <permod/module.h>

#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>
#include <unwind.h>

static DEFINE_PER_CPU(unsigned long, backtraces);
static DEFINE_PER_CPU(unsigned long, cancelled);
static DEFINE_PER_CPU(unsigned long, walks);

#define MOST 64

static void *frames[MOST];
static int depth;
static int cleanups;
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;

void work(void);

static int compare(const void *a, const void *b)
{
	depth = backtrace(frames, MOST);
	return *(const int *)a - *(const int *)b;
}

static _Unwind_Reason_Code count_frame(struct _Unwind_Context *context, void *arg)
{
	int *count = arg;

	(void)_Unwind_GetIP(context);
	++*count;
	return _URC_NO_REASON;
}

/* This function is in no file: those above it in the stack are, in libc and in the program. */
__attribute__((noinline)) static void trace(void)
{
	int numbers[] = { 2, 1 }, own = 0, beyond = 0, count = 0;
	Dl_info info;

	qsort(numbers, 2, sizeof(numbers[0]), compare);
	for (int i = 0; i < depth; i++) {
		char *frame = frames[i];

		if (frame >= (char *)trace && frame < (char *)trace + 4096)
			own = i;
		else if (own && dladdr(frame, &info))
			beyond++;
	}
	/* compare() and libc's sorting come before, work() after. */
	if (own >= 2 && beyond >= 2)
		this_cpu_inc(backtraces);
	_Unwind_Backtrace(count_frame, &count);
	if (count >= depth - own)
		this_cpu_inc(walks);
}

static void clean(int *number)
{
	cleanups += *number;
}

static void *wait(void *arg)
{
	int number __attribute__((cleanup(clean), unused)) = 3;

	sem_post(arg);
	for (;;)
		pause();
	return NULL;
}

static void *wait_deeper(void *arg)
{
	int number __attribute__((cleanup(clean), unused)) = 4;

	return wait(arg);
}

static void cancel(void)
{
	pthread_t thread;
	sem_t waiting;
	void *result;

	cleanups = 0;
	if (sem_init(&waiting, 0, 0) || pthread_create(&thread, NULL, wait_deeper, &waiting))
		return;
	sem_wait(&waiting);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	if (result == PTHREAD_CANCELED && cleanups == 7)
		this_cpu_inc(cancelled);
}

void work(void)
{
	pthread_mutex_lock(&one);
	trace();
	cancel();
	pthread_mutex_unlock(&one);
}
