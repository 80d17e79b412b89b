/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the module histogram offers to others: per-CPU buckets, and which durations fall into each.
 *
 * Up to 7 ns every duration has a bucket of its own.  From there on each power of two is cut into
 * 8 buckets of the same width, so a bucket tells a duration to an eighth, however long it was:
 *
 *     bucket    0 1 ... 7   8 9 ... 15   16  17 ... 23      24  25 ...
 *     from ns   0 1 ... 7   8 9 ... 15   16  18 ... 30      32  36 ...
 */
#ifndef SAMPLES_HISTOGRAM_H
#define SAMPLES_HISTOGRAM_H

#include <permod/module.h>

#define HISTOGRAM_BITS 3 /* 8 buckets for each power of two */
#define HISTOGRAM_STEPS (1 << HISTOGRAM_BITS)
#define HISTOGRAM_BUCKETS ((64 - HISTOGRAM_BITS + 1) * HISTOGRAM_STEPS)

DECLARE_PER_CPU(uint64_t[HISTOGRAM_BUCKETS], histogram_buckets);

/* Count a duration on this CPU. */
void histogram_add(uint64_t ns);

/* Time a small operation a thousand times, and count how long each took. */
void histogram_bench(void);

static inline unsigned int histogram_bucket_of(uint64_t ns)
{
	unsigned int power;

	if (ns < HISTOGRAM_STEPS)
		return (unsigned int)ns;
	power = 63U - (unsigned int)__builtin_clzll(ns);
	return (power - HISTOGRAM_BITS + 1) * HISTOGRAM_STEPS +
	       (unsigned int)(ns >> (power - HISTOGRAM_BITS)) % HISTOGRAM_STEPS;
}

/* The least duration that falls into a bucket (ns). */
static inline uint64_t histogram_start_of(unsigned int bucket)
{
	unsigned int row = bucket / HISTOGRAM_STEPS, step = bucket % HISTOGRAM_STEPS;

	return row ? (uint64_t)(HISTOGRAM_STEPS + step) << (row - 1) : step;
}

#endif
