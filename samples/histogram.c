/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A histogram of durations.  Every CPU counts in its own buckets, without atomic instructions and
 * without sharing a cache line; whoever wants the whole adds them up (see report.c).
 */
#include "histogram.h"

#include <time.h>

#define LOOPS 1000

DEFINE_PER_CPU(uint64_t[HISTOGRAM_BUCKETS], histogram_buckets);
EXPORT_PER_CPU_SYMBOL(histogram_buckets);

void histogram_add(uint64_t ns)
{
	this_cpu_inc(histogram_buckets[histogram_bucket_of(ns)]);
}
EXPORT_SYMBOL(histogram_add);

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* What is timed: a division, which the compiler can't leave out. */
static void operation(void)
{
	static volatile uint64_t divisor = 3;

	(void)(UINT64_MAX / divisor);
}

void histogram_bench(void)
{
	uint64_t before = now();

	for (int i = 0; i < LOOPS; i++) {
		uint64_t after;

		operation();
		after = now();
		histogram_add(after - before);
		before = after;
	}
}
EXPORT_SYMBOL(histogram_bench);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("the permod authors");
MODULE_DESCRIPTION("A per-CPU histogram of durations");
