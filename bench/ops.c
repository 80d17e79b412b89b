/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What does this_cpu_add() cost, against `__thread` ++, an atomic addition on a private cache line,
 * and sched_getcpu() with an atomic addition? With one thread and with two, each bound to a CPU of
 * its own if there are two. The aim: at most 1.15 of `__thread`.
 *
 * Settings: BENCH_ROUNDS, BENCH_COUNT (operations of a thread in a round), BENCH_MODULE (the module,
 * if it isn't bench/ops_module.ko). PERCPU_OPS=atomic shows what processes without restartable
 * sequences pay.
 */
#define _GNU_SOURCE
#include <permod/permod.h>
#include "bench/bench.h"
#include "bench/ops.h"

#include <pthread.h>
#include <sched.h>

#define MOST_THREADS 2
#define MOST_CPUS 1024

struct lines {
	long v[VARIABLES];
} __attribute__((aligned(64)));

static long count = 20000000;
static __thread struct lines thread_variables;
static DEFINE_PER_CPU_ALIGNED(struct lines, static_variables);
static struct lines __percpu *dynamic_variables;
static struct lines private_lines[MOST_THREADS], cpu_lines[MOST_CPUS];

/* Of bench/ops_module.c, once it is loaded. */
static void (*module_add)(long count), (*module_add_return)(long count),
	(*module_cmpxchg)(long count);
static struct lines __percpu *module_variables;

static void add_to_thread_variables(int thread)
{
	(void)thread;
	FOR_EACH_IN_TURN(count, i, thread_variables.v[i]++)
}

static void add_in_module(int thread)
{
	(void)thread;
	module_add(count);
}

static void add_to_static(int thread)
{
	(void)thread;
	FOR_EACH_IN_TURN(count, i, this_cpu_add(static_variables.v[i], 1))
}

static void add_to_dynamic(int thread)
{
	(void)thread;
	FOR_EACH_IN_TURN(count, i, this_cpu_add(dynamic_variables->v[i], 1))
}

static void add_return_in_module(int thread)
{
	(void)thread;
	module_add_return(count);
}

static void cmpxchg_in_module(int thread)
{
	(void)thread;
	module_cmpxchg(count);
}

static void add_atomically(int thread)
{
	FOR_EACH_IN_TURN(count, i,
			 __atomic_fetch_add(&private_lines[thread].v[i], 1, __ATOMIC_RELAXED))
}

static void add_by_cpu_number(int thread)
{
	(void)thread;
	FOR_EACH_IN_TURN(count, i,
			 __atomic_fetch_add(&cpu_lines[sched_getcpu() % MOST_CPUS].v[i], 1,
					    __ATOMIC_RELAXED))
}

/* ---- Threads -------------------------------------------------------------------------------- */

struct job {
	void (*body)(int thread);
	int thread;
	pthread_barrier_t *start;
	double ns;
};

static int threads;

/* The thread's place among the CPUs that we may use. */
static void bind_thread(int thread)
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

static void *do_job(void *argument)
{
	struct job *job = argument;
	double begin;

	bind_thread(job->thread);
	pthread_barrier_wait(job->start);
	begin = bench_now();
	job->body(job->thread);
	job->ns = (bench_now() - begin) / (double)count;
	return NULL;
}

/* Nanoseconds an operation, the mean of all threads. */
static double measure(void *argument)
{
	pthread_t id[MOST_THREADS];
	struct job job[MOST_THREADS];
	pthread_barrier_t start;
	double sum = 0;

	pthread_barrier_init(&start, NULL, (unsigned int)threads);
	for (int i = 0; i < threads; i++) {
		job[i] = (struct job){ *(void (**)(int))argument, i, &start, 0 };
		pthread_create(&id[i], NULL, do_job, &job[i]);
	}
	for (int i = 0; i < threads; i++) {
		pthread_join(id[i], NULL);
		sum += job[i].ns;
	}
	pthread_barrier_destroy(&start);
	return sum / threads;
}

/* ---- Candidates ----------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*body)(int thread);
} kinds[] = {
	{ "__thread variable ++", add_to_thread_variables },
	{ "this_cpu_add, in a module", add_in_module },
	{ "this_cpu_add, program, static variable", add_to_static },
	{ "this_cpu_add, program, dynamic variable", add_to_dynamic },
	{ "this_cpu_add_return, in a module", add_return_in_module },
	{ "this_cpu_cmpxchg, in a module", cmpxchg_in_module },
	{ "atomic add, private cache line", add_atomically },
	{ "sched_getcpu() and atomic add", add_by_cpu_number },
};

#define KINDS (int)(sizeof(kinds) / sizeof(kinds[0]))

/* All additions of all rounds are there: none was lost, none was optimised away. */
static int sums_are_right(int measured)
{
	long per_kind = (count + VARIABLES - 1) / VARIABLES * VARIABLES * measured, sum = 0;
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		for (int i = 0; i < VARIABLES; i++)
			sum += per_cpu(static_variables, cpu).v[i] +
			       per_cpu_ptr(dynamic_variables, cpu)->v[i] +
			       per_cpu_ptr(module_variables, cpu)->v[i];
	}
	/* One kind on the static variables, one on the dynamic ones, two on the module's. */
	return sum == 4 * per_kind;
}

static int load_module(struct permod *pm)
{
	const char *path = getenv("BENCH_MODULE") ? getenv("BENCH_MODULE") : "bench/ops_module.ko";
	struct permod_module *module;

	if (permod_load(pm, path, NULL, 0, &module)) {
		puts(permod_error(pm));
		return 0;
	}
	module_add = permod_symbol(module, "add_in_module");
	module_add_return = permod_symbol(module, "add_return_in_module");
	module_cmpxchg = permod_symbol(module, "cmpxchg_in_module");
	module_variables = permod_symbol(module, "module_variables");
	return module_add && module_add_return && module_cmpxchg && module_variables;
}

int main(void)
{
	static struct bench_candidate candidates[sizeof(kinds) / sizeof(kinds[0])];
	int rounds = bench_rounds(11), measured = 0;
	struct permod *pm;
	char title[80];

	if (getenv("BENCH_COUNT"))
		count = atol(getenv("BENCH_COUNT"));
	dynamic_variables = alloc_percpu(struct lines);
	if (!dynamic_variables || count <= 0 || permod_new(&pm, NULL) || !load_module(pm))
		return EXIT_FAILURE;
	printf("%u possible CPUs, operations: %s\n", num_possible_cpus(), pcpu_ops_name());
	for (int i = 0; i < KINDS; i++)
		candidates[i] = (struct bench_candidate){
			.name = kinds[i].name,
			.measure = measure,
			.argument = (void *)&kinds[i].body,
		};
	for (threads = 1; threads <= MOST_THREADS; threads++) {
		bench_run(candidates, KINDS, rounds);
		measured += (rounds + 1) * threads;
		snprintf(title, sizeof(title), "%d thread%s, %d variables in turn", threads,
			 threads == 1 ? "" : "s", VARIABLES);
		bench_report(title, candidates, KINDS, rounds);
	}
	if (!sums_are_right(measured)) {
		puts("the sums are wrong");
		return EXIT_FAILURE;
	}
	permod_free(pm);
	free_percpu(dynamic_variables);
	return EXIT_SUCCESS;
}
