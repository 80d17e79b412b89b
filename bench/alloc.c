/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What does a per-CPU variable of 64 bytes cost to allocate and to free, in time and in memory,
 * against calloc() of an array with an element for each CPU?  The program starts itself again for
 * machines of 2, 64, 256 and 1024 CPUs (setting PERCPU_CPUS), of which only this machine's run.
 *
 *     pair	allocate, write this CPU's copy, free; with one thread and with two
 *     many	100 000 of them at once, freed in order and at random
 *     mixed	areas of 1 to 4096 bytes, small ones mostly, that replace each other at random: how
 *		much memory that takes; against malloc() of one copy, as one CPU writes
 *
 * Settings: BENCH_ROUNDS; BENCH_CPUS=N for machines of N CPUs alone; PERCPU_OPS=atomic and
 * PERCPU_CHECK=1 as in any program.
 */
#define _GNU_SOURCE
#include <permod/percpu.h>
#include "bench/threads.h"

#include <malloc.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 64
#define PAIRS 100000 /* of a thread in a round */
#define ITEMS 100000
/* An array for each of 100 000 items would fill the machine: fewer are measured, up to this. */
#define MOST_OF_CALLOC ((size_t)256 << 20)
#define LIVE 5000
#define OPERATIONS 1000000
#define MIB 1048576.0

/* What the parent compares among the machines; it comes through a pipe. */
struct result {
	unsigned int cpus;
	double pair, two_threads; /* ns */
	double item;		  /* ns: allocation and free of one of many; the worse order */
	double peak, rest;	  /* bytes that were resident more than at the start; the most */
};

static uint64_t random_state = 88172645463325252;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Resident bytes of the process: by its page tables, since counters lag behind. */
static double resident(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "re");
	double kilobytes = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Rss: %lf", &kilobytes) == 1)
			break;
	}
	if (file)
		fclose(file);
	return kilobytes * 1024;
}

/* ---- The two ways --------------------------------------------------------------------------- */

static void *take_percpu(void)
{
	return __alloc_percpu(SIZE, SIZE);
}

static void write_percpu(void *item)
{
	*(volatile long *)this_cpu_ptr((char __percpu *)item) = 1;
}

static void give_percpu(void *item)
{
	free_percpu(item);
}

static void *take_array(void)
{
	return calloc(nr_cpu_ids, SIZE);
}

static void write_array(void *item)
{
	*(volatile long *)((char *)item + smp_processor_id() * (size_t)SIZE) = 1;
}

static void give_array(void *item)
{
	free(item);
}

static const struct way {
	const char *name;
	void *(*take)(void);
	void (*write)(void *item);
	void (*give)(void *item);
} ways[] = {
	{ "alloc_percpu and free_percpu", take_percpu, write_percpu, give_percpu },
	{ "calloc of an array, and free", take_array, write_array, give_array },
};

#define WAYS (int)(sizeof(ways) / sizeof(ways[0]))

/* ---- One at a time, by one thread and by two ------------------------------------------------ */

static int threads;

static void do_pairs(void *argument, int thread)
{
	const struct way *way = argument;

	(void)thread;
	for (int i = 0; i < PAIRS; i++) {
		void *item = way->take();

		if (!item)
			abort();
		way->write(item);
		way->give(item);
	}
}

/* Nanoseconds a pair, the mean of all threads. */
static double measure_pairs(void *way)
{
	return bench_threads(threads, do_pairs, way) / PAIRS;
}

static double bench_pairs(int thread_count, int rounds)
{
	struct bench_candidate candidates[WAYS];
	char title[80];

	threads = thread_count;
	memset(candidates, 0, sizeof(candidates));
	for (int i = 0; i < WAYS; i++) {
		candidates[i].name = ways[i].name;
		candidates[i].measure = measure_pairs;
		candidates[i].argument = (void *)(uintptr_t)&ways[i];
	}
	bench_run(candidates, WAYS, rounds);
	snprintf(title, sizeof(title), "pair, %d thread%s", threads, threads == 1 ? "" : "s");
	bench_report(title, candidates, WAYS, rounds);
	return candidates[0].ns[rounds / 2];
}

/* ---- Many at once --------------------------------------------------------------------------- */

static void *item[ITEMS];
static int order[ITEMS]; /* in which they are freed */

static void choose_order(int count, bool random)
{
	for (int i = 0; i < count; i++)
		order[i] = i;
	for (int i = count - 1; random && i > 0; i--) {
		int other = (int)(next_random() % (uint64_t)(i + 1)), kept = order[i];

		order[i] = order[other];
		order[other] = kept;
	}
}

enum phase { TAKE, WRITE, GIVE, TAKE_AND_GIVE, PHASES };
static const char *const phases[] = { "allocate", "write", "free", "allocate and free" };

struct memory {
	double peak, rest; /* bytes; the most of all rounds */
};

/* One round: ns of an item in each phase. */
static void measure_many(const struct way *way, int count, double ns[PHASES], struct memory *memory)
{
	double start = resident(), time[4], peak, rest;

	time[0] = bench_now();
	for (int i = 0; i < count; i++) {
		item[i] = way->take();
		if (!item[i])
			abort();
	}
	time[1] = bench_now();
	for (int i = 0; i < count; i++)
		way->write(item[i]);
	time[2] = bench_now();
	peak = resident() - start;
	time[3] = bench_now();
	for (int i = 0; i < count; i++)
		way->give(item[order[i]]);
	ns[GIVE] = (bench_now() - time[3]) / count;
	ns[TAKE] = (time[1] - time[0]) / count;
	ns[WRITE] = (time[2] - time[1]) / count;
	ns[TAKE_AND_GIVE] = ns[TAKE] + ns[GIVE];
	rest = resident() - start;
	memory->peak = peak > memory->peak ? peak : memory->peak;
	memory->rest = rest > memory->rest ? rest : memory->rest;
}

static void bench_many(bool random, int rounds, struct result *result)
{
	static struct bench_candidate candidates[PHASES][WAYS];
	struct memory memory[WAYS] = { { 0, 0 }, { 0, 0 } };
	int count[WAYS] = { ITEMS, ITEMS };
	size_t fitting = MOST_OF_CALLOC / ((size_t)nr_cpu_ids * SIZE);
	double ns[PHASES];
	char title[120];

	if (fitting < ITEMS)
		count[1] = (int)fitting;
	/* The first round, in which memory comes from the system, counts as well. */
	for (int round = 0; round < rounds; round++) {
		for (int way = 0; way < WAYS; way++) {
			choose_order(count[way], random);
			measure_many(&ways[way], count[way], ns, &memory[way]);
			for (int phase = 0; phase < PHASES; phase++)
				candidates[phase][way].ns[round] = ns[phase];
		}
	}
	printf("many at once, freed %s: %d of ours, %d arrays\n", random ? "at random" : "in order",
	       count[0], count[1]);
	for (int phase = 0; phase < PHASES; phase++) {
		for (int way = 0; way < WAYS; way++)
			candidates[phase][way].name = ways[way].name;
		snprintf(title, sizeof(title), " %s", phases[phase]);
		bench_report(title, candidates[phase], WAYS, rounds);
	}
	for (int way = 0; way < WAYS; way++)
		printf("  %-40s %8.2f MiB resident at the peak (%.0f bytes an item), %.2f MiB after\n",
		       ways[way].name, memory[way].peak / MIB, memory[way].peak / count[way],
		       memory[way].rest / MIB);
	if (result->item < candidates[TAKE_AND_GIVE][0].ns[rounds / 2])
		result->item = candidates[TAKE_AND_GIVE][0].ns[rounds / 2];
	result->peak = memory[0].peak > result->peak ? memory[0].peak : result->peak;
	result->rest = memory[0].rest > result->rest ? memory[0].rest : result->rest;
}

/* ---- Mixed sizes ---------------------------------------------------------------------------- */

static struct {
	void *area;
	size_t size;
} live[LIVE];

/* 1 to 4096 bytes: as many from 1 to 2 as from 2 to 4, and so on, so that small ones are frequent. */
static size_t random_size(void)
{
	unsigned int bits = (unsigned int)(next_random() % 12);

	return ((size_t)1 << bits) + (size_t)(next_random() % (((size_t)1 << bits) + (bits == 11)));
}

static void *take_mixed_percpu(size_t size)
{
	char __percpu *area = __alloc_percpu(size, size >= 8 ? 8 : 1);

	if (area)
		memset(this_cpu_ptr(area), 1, size);
	return area;
}

static void *take_mixed_malloc(size_t size)
{
	void *area = malloc(size);

	if (area)
		memset(area, 1, size);
	return area;
}

static const struct mixed_way {
	const char *name;
	void *(*take)(size_t size);
	void (*give)(void *area);
} mixed_ways[] = {
	{ "alloc_percpu and free_percpu", take_mixed_percpu, give_percpu },
	{ "malloc of one copy, and free", take_mixed_malloc, give_array },
};

static size_t asked_for(void)
{
	size_t sum = 0;

	for (int i = 0; i < LIVE; i++)
		sum += live[i].size;
	return sum;
}

static void replace_at_random(const struct mixed_way *way, int operations)
{
	for (int i = 0; i < operations; i++) {
		size_t at = (size_t)(next_random() % LIVE);

		if (live[at].area)
			way->give(live[at].area);
		live[at].size = random_size();
		live[at].area = way->take(live[at].size);
		if (!live[at].area)
			abort();
	}
}

/* What one way took, while its areas are still there. */
static void report_memory(const struct mixed_way *way, size_t chunks_before, size_t used_before,
			  double start)
{
	double asked = (double)asked_for(), taken = resident() - start;
	struct pcpu_map map;

	printf("  %-40s %8.2f MiB asked for, resident %.2f MiB: %.2f of it\n", way->name,
	       asked / MIB, taken / MIB, taken / asked);
	if (way != mixed_ways)
		return;
	pcpu_get_map(&map);
	printf("    in use %.2f of it, address space of chunks %.2f of it\n",
	       (double)(map.dynamic_used - used_before) / asked,
	       (double)((map.chunks - chunks_before) * map.chunk_size) / asked);
}

static void bench_mixed(int rounds)
{
	static struct bench_candidate candidates[2];
	struct pcpu_map before;

	for (int way = 0; way < 2; way++) {
		double start, begin;
		int each = OPERATIONS / rounds;

		pcpu_trim();
		malloc_trim(0);
		pcpu_get_map(&before);
		memset(live, 0, sizeof(live));
		start = resident();
		candidates[way].name = mixed_ways[way].name;
		for (int round = 0; round < rounds; round++) {
			begin = bench_now();
			replace_at_random(&mixed_ways[way], each);
			candidates[way].ns[round] = (bench_now() - begin) / each;
		}
		if (way == 0)
			printf("mixed: %d operations, %d areas of 1 to 4096 bytes, each written on this CPU\n",
			       each * rounds, LIVE);
		report_memory(&mixed_ways[way], before.chunks, before.dynamic_used, start);
		for (int i = 0; i < LIVE; i++)
			mixed_ways[way].give(live[i].area);
		printf("    after all were freed %.2f MiB\n", (resident() - start) / MIB);
	}
	bench_report(" free, allocate, write", candidates, 2, rounds);
}

/* ---- All machines --------------------------------------------------------------------------- */

static int measure_machine(int result_pipe)
{
	int rounds = bench_rounds(9);
	struct result result;
	cpu_set_t allowed;

	memset(&result, 0, sizeof(result));
	memset(item, 1, sizeof(item));
	choose_order(ITEMS, false);
	memset(live, 1, sizeof(live));
	result.cpus = num_possible_cpus();
	sched_getaffinity(0, sizeof(allowed), &allowed);
	printf("\n---- %u possible CPUs, operations: %s\n", result.cpus, pcpu_ops_name());
	result.pair = bench_pairs(1, rounds);
	if (CPU_COUNT(&allowed) > 1)
		result.two_threads = bench_pairs(2, rounds);
	else
		puts("pair, 2 threads: left out, there is one CPU");
	bench_bind(0);
	pcpu_trim();
	bench_many(false, rounds, &result);
	bench_many(true, rounds, &result);
	bench_mixed(rounds);
	return write(result_pipe, &result, sizeof(result)) == sizeof(result) ? 0 : 1;
}

static bool start_machine(const char *self, unsigned int cpus, struct result *result)
{
	char number[16], fd[16];
	int ends[2], status = -1;
	bool complete;
	pid_t child;

	fflush(NULL);
	if (pipe(ends))
		return false;
	child = fork();
	if (child == 0) {
		snprintf(number, sizeof(number), "%u", cpus);
		snprintf(fd, sizeof(fd), "%d", ends[1]);
		setenv("PERCPU_CPUS", number, 1);
		execl(self, self, fd, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	complete = read(ends[0], result, sizeof(*result)) == sizeof(*result);
	close(ends[0]);
	return child > 0 && waitpid(child, &status, 0) == child && status == 0 && complete;
}

static void report_aim(const char *what, double found, double aim, const char *unit)
{
	printf("  %-56s %8.2f  aim %8.2f %-6s %s\n", what, found, aim, unit,
	       found <= aim ? "met" : "MISSED");
}

static void report_aims(const struct result *results, int count)
{
	const struct result *first = &results[0];
	char what[120];

	puts("\n---- aims");
	report_aim("pair at the fewest CPUs", first->pair, 15, "ns");
	for (int i = 0; i < count; i++) {
		const struct result *r = &results[i];

		if (i == count - 1 && i > 0) {
			snprintf(what, sizeof(what), "pair at %u CPUs to that at %u", r->cpus,
				 first->cpus);
			report_aim(what, r->pair / first->pair, 2, "times");
		}
		if (r->two_threads > 0) {
			snprintf(what, sizeof(what), "%u CPUs: pair with two threads to one",
				 r->cpus);
			report_aim(what, r->two_threads / r->pair, 1.3, "times");
		}
		snprintf(what, sizeof(what), "%u CPUs: 100 000 items, each", r->cpus);
		report_aim(what, r->item, 100, "ns");
		snprintf(what, sizeof(what), "%u CPUs: 100 000 items, resident", r->cpus);
		report_aim(what, r->peak / 1e6, 25, "MB");
		snprintf(what, sizeof(what), "%u CPUs: after all were freed, resident", r->cpus);
		report_aim(what, r->rest / 1e6, 1, "MB");
	}
}

int main(int argc, char **argv)
{
	unsigned int machines[] = { 2, 64, 256, 1024 };
	int count = sizeof(machines) / sizeof(machines[0]);
	const char *only = getenv("BENCH_CPUS");
	struct result results[sizeof(machines) / sizeof(machines[0])];

	if (argc == 2)
		return measure_machine(atoi(argv[1]));
	if (only) {
		machines[0] = (unsigned int)atoi(only);
		count = 1;
	}
	for (int i = 0; i < count; i++) {
		if (!start_machine("/proc/self/exe", machines[i], &results[i])) {
			printf("the run for %u CPUs failed\n", machines[i]);
			return EXIT_FAILURE;
		}
	}
	report_aims(results, count);
	puts("librseq's pool is absent here: it is not in Debian 12, and configure does not look for it");
	return EXIT_SUCCESS;
}
