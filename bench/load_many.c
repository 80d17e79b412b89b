/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many modules: is the ten-thousandth loaded as fast as the first, what memory do they take, and how
 * much faster are two threads, each on a CPU of its own, than one?  The module is a counter
 * (bench/load_percpu.c), from memory.  The aims: at most 1.3, at most 8 KiB each, at least 1.7 times.
 *
 * Settings: BENCH_ROUNDS, BENCH_COUNT (modules at once), BENCH_DIR (where the module is; bench/).
 */
#define _GNU_SOURCE
#include <permod/permod.h>
#include "bench/threads.h"

#include <unistd.h>

#define GROUP 500 /* modules that are timed together */

static long count = 10000;
static unsigned char *image;
static size_t image_size;
static double most_memory; /* bytes a module */

static void stop(struct permod *pm)
{
	fprintf(stderr, "%s\n", permod_error(pm));
	exit(EXIT_FAILURE);
}

static struct permod *new_context(void)
{
	struct permod *pm;

	if (permod_new(&pm, NULL))
		stop(NULL);
	return pm;
}

static void load_group(struct permod *pm, long first)
{
	for (long i = first; i < first + GROUP; i++) {
		char name[32];

		snprintf(name, sizeof(name), "many_%ld", i);
		if (permod_load_memory(pm, name, image, image_size, NULL, 0, NULL))
			stop(pm);
	}
}

static double timed_group(struct permod *pm, long first)
{
	double begin = bench_now();

	load_group(pm, first);
	return (bench_now() - begin) / GROUP;
}

/* Resident bytes of the process. */
static double resident(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	double pages = 0;

	if (!file || fscanf(file, "%*f %lf", &pages) != 1)
		exit(EXIT_FAILURE);
	fclose(file);
	return pages * (double)sysconf(_SC_PAGESIZE);
}

/* ---- First and last ------------------------------------------------------------------------- */

static void compare_places(void)
{
	struct bench_candidate candidates[] = { { .name = "the first 500" },
						{ .name = "the last 500" } };
	int rounds = bench_rounds(7);

	for (int round = 0; round < rounds; round++) {
		struct permod *pm = new_context();
		double before = resident(), memory;

		candidates[0].ns[round] = timed_group(pm, 0);
		for (long i = GROUP; i < count - GROUP; i += GROUP)
			load_group(pm, i);
		candidates[1].ns[round] = timed_group(pm, count - GROUP);
		memory = (resident() - before) / (double)count;
		/* Later rounds reuse what the first one took. */
		if (memory > most_memory)
			most_memory = memory;
		permod_free(pm);
	}
	bench_report("loading one of many", candidates, 2, rounds);
	printf("  %.0f bytes of resident memory a module, of %ld\n", most_memory, count);
}

/* ---- Threads -------------------------------------------------------------------------------- */

/* Each in a context of its own, or all in the first one. */
struct setting {
	int threads, contexts;
	struct permod *pm[BENCH_MOST_THREADS];
};

static void load_and_unload(void *what, int thread)
{
	const struct setting *setting = what;
	struct permod *pm = setting->pm[thread % setting->contexts];
	char name[32];

	snprintf(name, sizeof(name), "module_%d", thread);
	for (long i = 0; i < count / 2; i++) {
		struct permod_module *module = NULL;

		if (permod_load_memory(pm, name, image, image_size, NULL, 0, &module) ||
		    permod_unload(module, 0))
			stop(pm);
	}
}

/* Nanoseconds a module, of all threads together. */
static double measure_threads(void *what)
{
	struct setting *setting = what;
	double ns;

	for (int i = 0; i < setting->contexts; i++)
		setting->pm[i] = new_context();
	ns = bench_threads(setting->threads, load_and_unload, setting);
	for (int i = 0; i < setting->contexts; i++)
		permod_free(setting->pm[i]);
	return ns / (double)(setting->threads * (count / 2));
}

static void compare_threads(void)
{
	struct setting one = { 1, 1, { NULL } }, two = { 2, 2, { NULL } },
		       same = { 2, 1, { NULL } };
	struct bench_candidate candidates[] = {
		{ .name = "one thread", .measure = measure_threads, .argument = &one },
		{ .name = "two threads, two contexts",
		  .measure = measure_threads,
		  .argument = &two },
		{ .name = "two threads, one context",
		  .measure = measure_threads,
		  .argument = &same },
	};
	int rounds = bench_rounds(7);

	bench_run(candidates, 3, rounds);
	bench_report("load and unload, of all threads together", candidates, 3, rounds);
	printf("  two threads load %.2f times as many, in one context %.2f\n",
	       candidates[0].ns[rounds / 2] / candidates[1].ns[rounds / 2],
	       candidates[0].ns[rounds / 2] / candidates[2].ns[rounds / 2]);
}

static void read_image(void)
{
	const char *folder = getenv("BENCH_DIR") ? getenv("BENCH_DIR") : "bench";
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/load_percpu.ko", folder);
	file = fopen(path, "r");
	image = malloc(1 << 20);
	if (file && image)
		image_size = fread(image, 1, 1 << 20, file);
	if (!image_size) {
		fprintf(stderr, "%s can't be read\n", path);
		exit(EXIT_FAILURE);
	}
	fclose(file);
}

int main(void)
{
	if (getenv("BENCH_COUNT"))
		count = atol(getenv("BENCH_COUNT"));
	count -= count % GROUP;
	if (count < 2 * GROUP)
		return EXIT_FAILURE;
	read_image();
	compare_places();
	compare_threads();
	free(image);
	return EXIT_SUCCESS;
}
