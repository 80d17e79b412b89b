/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The same work in several threads at once, each on a CPU of its own as far as there are enough.
 */
#ifndef BENCH_THREADS_H
#define BENCH_THREADS_H

#include "bench/bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define BENCH_MOST_THREADS 2

struct bench_job {
	void (*body)(void *what, int thread);
	void *what;
	int thread;
	pthread_barrier_t *start;
	double ns;
};

/* The thread's place among the CPUs that we may use. */
static void bench_bind(int thread)
{
	cpu_set_t allowed, one;
	int nth = 0;

	sched_getaffinity(0, sizeof(allowed), &allowed);
	thread %= CPU_COUNT(&allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || nth++ != thread)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
	}
}

static void *bench_do_job(void *argument)
{
	struct bench_job *job = argument;
	double begin;

	bench_bind(job->thread);
	pthread_barrier_wait(job->start);
	begin = bench_now();
	job->body(job->what, job->thread);
	job->ns = bench_now() - begin;
	return NULL;
}

/* Nanoseconds that the body takes, the mean of all threads. */
static double bench_threads(int threads, void (*body)(void *what, int thread), void *what)
{
	pthread_t id[BENCH_MOST_THREADS];
	struct bench_job job[BENCH_MOST_THREADS];
	pthread_barrier_t start;
	double sum = 0;

	pthread_barrier_init(&start, NULL, (unsigned int)threads);
	for (int i = 0; i < threads; i++) {
		job[i] = (struct bench_job){ body, what, i, &start, 0 };
		if (pthread_create(&id[i], NULL, bench_do_job, &job[i]))
			abort();
	}
	for (int i = 0; i < threads; i++) {
		pthread_join(id[i], NULL);
		sum += job[i].ns;
	}
	pthread_barrier_destroy(&start);
	return sum / threads;
}

#endif
