/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the benchmarks share: candidates are timed in turn, several rounds, in one process, so that
 * a change of the machine's speed hits all of them; then the median and the spread are printed, and
 * the ratio of each median to the first candidate's.
 *
 * A candidate is a function that does `count` operations and returns; what it measures against is
 * its own affair. For another kind of measurement fill `ns` of the candidates yourself.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BENCH_MOST_ROUNDS 101

struct bench_candidate {
	const char *name;
	/* Returns nanoseconds an operation of one round. */
	double (*measure)(void *argument);
	void *argument;
	double ns[BENCH_MOST_ROUNDS]; /* a result for each round; sorted by bench_report() */
};

static inline double bench_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* How many rounds: the setting BENCH_ROUNDS, or `otherwise`; 7 at least. */
static inline int bench_rounds(int otherwise)
{
	const char *setting = getenv("BENCH_ROUNDS");
	int rounds = setting ? atoi(setting) : otherwise;

	if (rounds < 7)
		return 7;
	return rounds < BENCH_MOST_ROUNDS ? rounds : BENCH_MOST_ROUNDS;
}

/* One round to warm up, then the rounds that count, the candidates in turn. */
static inline void bench_run(struct bench_candidate *candidates, int count, int rounds)
{
	for (int i = 0; i < count; i++)
		candidates[i].measure(candidates[i].argument);
	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < count; i++)
			candidates[i].ns[round] = candidates[i].measure(candidates[i].argument);
	}
}

static inline int bench_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* A line for each: median, least and most, ratio of the medians. */
static inline void bench_report(const char *title, struct bench_candidate *candidates, int count,
				int rounds)
{
	printf("%s (ns an operation, median of %d rounds, least..most)\n", title, rounds);
	for (int i = 0; i < count; i++) {
		qsort(candidates[i].ns, (size_t)rounds, sizeof(double), bench_compare);
		printf("  %-40s %8.3f  %8.3f ..%8.3f   %6.2f of the first\n", candidates[i].name,
		       candidates[i].ns[rounds / 2], candidates[i].ns[0],
		       candidates[i].ns[rounds - 1],
		       candidates[i].ns[rounds / 2] / candidates[0].ns[rounds / 2]);
	}
	fflush(stdout);
}

#endif
