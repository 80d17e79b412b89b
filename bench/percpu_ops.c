/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What do operations on per-CPU variables cost, against the same on `__thread` variables, atomic
 * instructions on a private cache line, and sched_getcpu() with an atomic instruction? With one thread
 * and with two, each bound to a CPU of its own if there are two. And what does it cost to read the sum
 * over all CPUs, against a sum over an array of cache lines: for 2, 64 and 256 CPUs, in processes that
 * believe in so many?
 *
 * The aims: addition at most 1.10 of `__thread`, the others at most 1.3. In this loop they can't be
 * reached: an addition to a `__thread` variable is one instruction and one store, one a cycle; ours
 * has three stores (the sequence's name, the variable, the name cleared) and eight instructions.
 *
 * Settings: BENCH_ROUNDS, BENCH_COUNT (operations of a thread in a round), BENCH_MODULE (the module,
 * if it isn't bench/percpu_ops_module.ko). PERCPU_OPS=atomic shows what processes without restartable
 * sequences pay, PERCPU_INDEX=mm_cid what concurrency ids do.
 */
#define _GNU_SOURCE
#include <permod/permod.h>
#include "bench/percpu_ops.h"
#include "bench/threads.h"

#include <sys/wait.h>
#include <unistd.h>

#define MOST_CPUS 1024
#define COUNT_OF(array) (int)(sizeof(array) / sizeof((array)[0]))

struct lines {
	long v[VARIABLES];
} __attribute__((aligned(64)));

static long count = 5000000;
static __thread struct lines thread_variables;
static DEFINE_PER_CPU_ALIGNED(struct lines, static_variables);
static struct lines __percpu *dynamic_variables;
static struct lines private_lines[BENCH_MOST_THREADS], cpu_lines[MOST_CPUS];

#define DEFINE(name, operation)                                                                    \
	static void name(int thread)                                                               \
	{                                                                                          \
		(void)thread;                                                                      \
		FOR_EACH_IN_TURN(count, i, operation)                                              \
	}

/* A pointer that was read from memory once, as from an object that is worked on. */
#define DEFINE_DYNAMIC(name, operation)                                                            \
	static void name(int thread)                                                               \
	{                                                                                          \
		struct lines __percpu *variables = dynamic_variables;                              \
                                                                                                   \
		(void)thread;                                                                      \
		FOR_EACH_IN_TURN(count, i, operation)                                              \
	}

/* Functions of bench/percpu_ops_module.c, once it is loaded. */
#define DEFINE_MODULE(name)                                                                        \
	static void (*name)(long count);                                                           \
	static void run_##name(int thread)                                                         \
	{                                                                                          \
		(void)thread;                                                                      \
		name(count);                                                                       \
	}

DEFINE_MODULE(module_add)
DEFINE_MODULE(module_add_return)
DEFINE_MODULE(module_xchg)
DEFINE_MODULE(module_cmpxchg)
DEFINE_MODULE(module_read)

static struct lines __percpu *module_variables;

DEFINE(thread_add, thread_variables.v[i]++)
DEFINE(thread_add_return, USE(++thread_variables.v[i]))
DEFINE(thread_xchg, USE(thread_variables.v[i]); thread_variables.v[i] = (long)i)
DEFINE(thread_cmpxchg, long old = thread_variables.v[i];
       if (old == (long)i) thread_variables.v[i] = (long)i; USE(old))
DEFINE(thread_read, USE(thread_variables.v[i]))

DEFINE(static_add, this_cpu_add(static_variables.v[i], 1))
DEFINE(static_add_return, USE(this_cpu_add_return(static_variables.v[i], 1)))
DEFINE(static_xchg, USE(this_cpu_xchg(static_variables.v[i], (long)i)))
DEFINE(static_cmpxchg, USE(this_cpu_cmpxchg(static_variables.v[i], (long)i, (long)i)))
DEFINE(static_read, USE(this_cpu_read(static_variables.v[i])))

DEFINE_DYNAMIC(dynamic_add, this_cpu_add(variables->v[i], 1))
DEFINE_DYNAMIC(dynamic_add_return, USE(this_cpu_add_return(variables->v[i], 1)))

#define RELAXED __ATOMIC_RELAXED
DEFINE(atomic_add, __atomic_fetch_add(&private_lines[thread].v[i], 1, RELAXED))
DEFINE(atomic_add_return, USE(__atomic_add_fetch(&private_lines[thread].v[i], 1, RELAXED)))
DEFINE(atomic_xchg, USE(__atomic_exchange_n(&private_lines[thread].v[i], (long)i, RELAXED)))
DEFINE(atomic_cmpxchg, long old = (long)i;
       __atomic_compare_exchange_n(&private_lines[thread].v[i], &old, (long)i, 0, RELAXED, RELAXED);
       USE(old))
DEFINE(getcpu_add, __atomic_fetch_add(&cpu_lines[sched_getcpu() % MOST_CPUS].v[i], 1, RELAXED))

/* ---- Threads -------------------------------------------------------------------------------- */

static int threads;

static void do_job(void *body, int thread)
{
	(*(void (**)(int))body)(thread);
}

/* Nanoseconds an operation, the mean of all threads. */
static double measure(void *body)
{
	return bench_threads(threads, do_job, body) / (double)count;
}

/* ---- Candidates ----------------------------------------------------------------------------- */

struct kind {
	const char *name;
	void (*body)(int thread);
};

/* Each group against its first. */
static const struct group {
	const char *name;
	struct kind kind[7];
} groups[] = {
	{ "add",
	  { { "__thread variable ++", thread_add },
	    { "this_cpu_add, module", run_module_add },
	    { "this_cpu_add, program, static array", static_add },
	    { "this_cpu_add, program, dynamic", dynamic_add },
	    { "atomic add, private cache line", atomic_add },
	    { "sched_getcpu() and atomic add", getcpu_add } } },
	{ "add_return",
	  { { "++ __thread variable", thread_add_return },
	    { "this_cpu_add_return, module", run_module_add_return },
	    { "this_cpu_add_return, program, static", static_add_return },
	    { "this_cpu_add_return, program, dynamic", dynamic_add_return },
	    { "atomic, private cache line", atomic_add_return } } },
	{ "xchg",
	  { { "__thread variable", thread_xchg },
	    { "this_cpu_xchg, module", run_module_xchg },
	    { "this_cpu_xchg, program, static", static_xchg },
	    { "atomic, private cache line", atomic_xchg } } },
	{ "cmpxchg",
	  { { "if on a __thread variable", thread_cmpxchg },
	    { "this_cpu_cmpxchg, module", run_module_cmpxchg },
	    { "this_cpu_cmpxchg, program, static", static_cmpxchg },
	    { "atomic, private cache line", atomic_cmpxchg } } },
	{ "read",
	  { { "__thread variable", thread_read },
	    { "this_cpu_read, module", run_module_read },
	    { "this_cpu_read, program, static", static_read } } },
};

static void run_group(const struct group *group, int rounds)
{
	struct bench_candidate candidates[COUNT_OF(group->kind)] = { { .name = NULL } };
	char title[80];
	int n = 0;

	for (; n < COUNT_OF(group->kind) && group->kind[n].name; n++)
		candidates[n] = (struct bench_candidate){
			.name = group->kind[n].name,
			.measure = measure,
			.argument = (void *)(uintptr_t)&group->kind[n].body,
		};
	bench_run(candidates, n, rounds);
	snprintf(title, sizeof(title), "%s: %d thread%s, %d variables in turn", group->name,
		 threads, threads == 1 ? "" : "s", VARIABLES);
	bench_report(title, candidates, n, rounds);
}

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
	/* Additions, and additions with a result, on each of the three. */
	return sum == 6 * per_kind;
}

static int load_module(struct permod *pm)
{
	const char *path =
		getenv("BENCH_MODULE") ? getenv("BENCH_MODULE") : "bench/percpu_ops_module.ko";
	struct permod_module *module;

	if (permod_load(pm, path, NULL, 0, &module)) {
		puts(permod_error(pm));
		return 0;
	}
	module_add = permod_symbol(module, "module_add");
	module_add_return = permod_symbol(module, "module_add_return");
	module_xchg = permod_symbol(module, "module_xchg");
	module_cmpxchg = permod_symbol(module, "module_cmpxchg");
	module_read = permod_symbol(module, "module_read");
	module_variables = permod_symbol(module, "module_variables");
	return module_add && module_add_return && module_xchg && module_cmpxchg && module_read &&
	       module_variables;
}

/* ---- The sum over all CPUs ------------------------------------------------------------------ */

#define SUMS 20000

static double measure_sum(void *unused)
{
	double begin = bench_now();

	(void)unused;
	for (int times = 0; times < SUMS; times++) {
		unsigned int cpu;
		long sum = 0;

		for_each_possible_cpu(cpu)
			sum += *per_cpu_ptr(&dynamic_variables->v[times % VARIABLES], cpu);
		USE(sum);
	}
	return (bench_now() - begin) / SUMS;
}

static double measure_array(void *unused)
{
	double begin = bench_now();

	(void)unused;
	for (int times = 0; times < SUMS; times++) {
		long sum = 0;

		for (unsigned int cpu = 0; cpu < nr_cpu_ids && cpu < MOST_CPUS; cpu++)
			sum += __atomic_load_n(&cpu_lines[cpu].v[times % VARIABLES], RELAXED);
		USE(sum);
	}
	return (bench_now() - begin) / SUMS;
}

static int run_sums(int rounds)
{
	struct bench_candidate candidates[] = {
		{ .name = "array of cache lines", .measure = measure_array },
		{ .name = "for_each_possible_cpu", .measure = measure_sum },
	};
	char title[80];

	dynamic_variables = alloc_percpu(struct lines);
	if (!dynamic_variables)
		return EXIT_FAILURE;
	bench_run(candidates, COUNT_OF(candidates), rounds);
	snprintf(title, sizeof(title), "one sum over %u CPUs", num_possible_cpus());
	bench_report(title, candidates, COUNT_OF(candidates), rounds);
	return EXIT_SUCCESS;
}

/* The number of CPUs is found once in a process. */
static int run_sums_for(const char *program, const char *cpus)
{
	int status = -1;
	pid_t child = fork();

	if (!child) {
		setenv("PERCPU_CPUS", cpus, 1);
		execl("/proc/self/exe", program, "sum", (char *)NULL);
		_exit(127);
	}
	return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

int main(int argc, char **argv)
{
	int rounds = bench_rounds(11), measured = 0;
	struct permod *pm;

	if (argc > 1 && !strcmp(argv[1], "sum"))
		return run_sums(rounds);
	if (getenv("BENCH_COUNT"))
		count = atol(getenv("BENCH_COUNT"));
	dynamic_variables = alloc_percpu(struct lines);
	if (!dynamic_variables || count <= 0 || permod_new(&pm, NULL) || !load_module(pm))
		return EXIT_FAILURE;
	printf("%u possible CPUs, operations: %s by %s\n", num_possible_cpus(), pcpu_ops_name(),
	       pcpu_index_name());
	/* The first two groups add; the others write other values. */
	for (threads = 1; threads <= BENCH_MOST_THREADS; threads++) {
		run_group(&groups[0], rounds);
		run_group(&groups[1], rounds);
		measured += (rounds + 1) * threads;
	}
	if (!sums_are_right(measured)) {
		puts("the sums are wrong");
		return EXIT_FAILURE;
	}
	for (threads = 1; threads <= BENCH_MOST_THREADS; threads++) {
		for (int i = 2; i < COUNT_OF(groups); i++)
			run_group(&groups[i], rounds);
	}
	permod_free(pm);
	free_percpu(dynamic_variables);
	return run_sums_for(argv[0], "2") || run_sums_for(argv[0], "64") ||
	       run_sums_for(argv[0], "256");
}
