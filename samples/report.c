/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A module that needs another: adds up the buckets that histogram keeps for every CPU, and prints
 * what is usual and what is rare.  By itself it does so when it is unloaded:
 *
 *     permod run --module-dir samples --call histogram_bench --count 100 report
 */
#include "histogram.h"

#include <stdio.h>

/* A duration that @percent of all do not exceed, to an eighth: the start of its bucket (ns). */
static unsigned long long percentile(const uint64_t *sum, uint64_t count, unsigned int percent)
{
	uint64_t rank = (count * percent + 99) / 100, seen = 0;
	unsigned int bucket = 0;

	for (; bucket < HISTOGRAM_BUCKETS - 1; bucket++) {
		seen += sum[bucket];
		if (seen >= rank)
			break;
	}
	return histogram_start_of(bucket);
}

static uint64_t add_up(uint64_t *sum)
{
	uint64_t count = 0;
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		const uint64_t *buckets = *per_cpu_ptr(&histogram_buckets, cpu);

		for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
			uint64_t here = __atomic_load_n(&buckets[i], __ATOMIC_RELAXED);

			sum[i] += here;
			count += here;
		}
	}
	return count;
}

void report(void)
{
	static const unsigned int percents[] = { 50, 90, 99 };
	uint64_t sum[HISTOGRAM_BUCKETS] = { 0 };
	uint64_t count = add_up(sum);

	printf("count %llu\n", (unsigned long long)count);
	if (count == 0)
		return;
	for (unsigned int i = 0; i < sizeof(percents) / sizeof(percents[0]); i++)
		printf("p%u   %llu ns\n", percents[i], percentile(sum, count, percents[i]));
	printf("max   %llu ns\n", percentile(sum, count, 100));
}
EXPORT_SYMBOL(report);

static void __exit report_exit(void)
{
	report();
}
module_exit(report_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("the permod authors");
MODULE_DESCRIPTION("Prints what the module histogram has counted");
