/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The module's functions, called by the C library.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int total, started;

static void start(void)
{
	started++;
}

static void *add(void *number)
{
	pthread_once(&once, start);
	for (int i = 0; i < 1000; i++) {
		pthread_mutex_lock(&mutex);
		total += *(int *)number;
		pthread_mutex_unlock(&mutex);
	}
	return number;
}

void callbacks(void)
{
	int numbers[] = { 5, 3, 9, 1 };
	pthread_t threads[4];

	qsort(numbers, 4, sizeof(int), compare);
	for (int i = 0; i < 4; i++) {
		if (pthread_create(&threads[i], NULL, add, &numbers[i]))
			return;
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 4; i++)
		printf("%d ", numbers[i]);
	printf("%d %d\n", total, started);
}
