/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What does a hook cost without functions, with one, and with eight, against the same code without a
 * hook and against calls through pointers? What a place without functions costs before and after code was
 * patched, of eight places in a row, as of one it can hardly be seen. What registering costs
 * before and after that. And what holding a module costs, against an atomic count.
 *
 * The code around is a chain of a few operations, each of which needs the last one's result: some 2 ns.
 *
 * Settings: BENCH_ROUNDS, BENCH_COUNT (operations a round), BENCH_DIR.
 */
#include <permod/hook.h>
#include <permod/permod.h>
#include "bench/bench.h"

#include <pthread.h>

PERMOD_DECLARE_HOOK(bench, (void *context, unsigned long value), (context, value));
PERMOD_DEFINE_HOOK(bench);

static long count = 1000000;

static void add(void *context, unsigned long value)
{
	*(unsigned long *)context += value;
}

static void (*volatile pointer[8])(void *,
				   unsigned long) = { add, add, add, add, add, add, add, add };
static struct permod_hook_entry entry[8];
static unsigned long sum;
static volatile unsigned long result;

static inline unsigned long work(unsigned long value)
{
	value ^= value << 13;
	value ^= value >> 7;
	return value ^ value << 17;
}

#define MEASURE(name, before, each)                                                                \
	static double name(void *argument)                                                         \
	{                                                                                          \
		unsigned long value = 2463534242UL; /* fits in 32 bits */                          \
		double begin, end;                                                                 \
                                                                                                   \
		(void)argument;                                                                    \
		before;                                                                            \
		begin = bench_now();                                                               \
		for (long i = 0; i < count; i++) {                                                 \
			value = work(value);                                                       \
			each;                                                                      \
		}                                                                                  \
		end = bench_now();                                                                 \
		result = value;                                                                    \
		have(0);                                                                           \
		return (end - begin) / (double)count;                                              \
	}

static void have(int functions)
{
	for (int i = 0; i < 8; i++) {
		if (i < functions)
			permod_register_bench(&entry[i], add, &sum, 0);
		else
			permod_unregister_bench(&entry[i]);
	}
}

MEASURE(nothing, (void)0, (void)0)
MEASURE(no_function, have(0), PERMOD_CALL_HOOK(bench, value))
MEASURE(one_function, have(1), PERMOD_CALL_HOOK(bench, value))
MEASURE(eight_functions, have(8), PERMOD_CALL_HOOK(bench, value))
MEASURE(one_pointer, (void)0, pointer[0](&sum, value))
MEASURE(eight_pointers, (void)0, for (int p = 0; p < 8; p++) pointer[p](&sum, value))

#define EIGHT(place)                                                                               \
	place;                                                                                     \
	place;                                                                                     \
	place;                                                                                     \
	place;                                                                                     \
	place;                                                                                     \
	place;                                                                                     \
	place;                                                                                     \
	place

#define LOAD_AND_BRANCH                                                                            \
	if (permod_hook_used(&permod_hook_bench))                                                  \
	permod_call_bench(NULL, value)

/* Unlike places, they are one unless each is a new look. */
#define BARRIER __asm__ volatile("" : "+r"(value))

MEASURE(eight_barriers, have(0), EIGHT(BARRIER))
MEASURE(eight_branches, have(0), EIGHT(BARRIER; LOAD_AND_BRANCH))
MEASURE(eight_places, have(0), EIGHT(BARRIER; PERMOD_CALL_HOOK(bench, value)))

static void measure_places(const char *title, int rounds)
{
	struct bench_candidate places[] = {
		{ .name = "no hook", .measure = eight_barriers },
		{ .name = "loads and branches", .measure = eight_branches },
		{ .name = "places of a hook", .measure = eight_places },
	};

	bench_run(places, 3, rounds);
	bench_report(title, places, 3, rounds);
}

/* A hook's first function comes, and its last one goes: with patching, code is changed twice. */
static double come_and_go(void *argument)
{
	const long rounds = count / 1000 + 1;
	double begin = bench_now();

	(void)argument;
	for (long i = 0; i < rounds; i++)
		have(i % 2 ? 0 : 1);
	have(0);
	return 2 * (bench_now() - begin) / (double)rounds;
}

static void measure_coming(const char *title, int rounds)
{
	struct bench_candidate coming[] = {
		{ .name = "registering and unregistering", .measure = come_and_go },
	};

	bench_run(coming, 1, rounds);
	bench_report(title, coming, 1, rounds);
}

/* ---- Holding a module ----------------------------------------------------------------------- */

static struct permod_module *module;
static long atomic_count;

static void *hold(void *arg)
{
	for (long i = 0; i < count; i++) {
		if (!permod_get(module))
			permod_put(module);
	}
	return arg;
}

static __attribute__((noinline)) void count_atomically(long step)
{
	__atomic_add_fetch(&atomic_count, step, __ATOMIC_ACQ_REL);
}

static void *hold_atomically(void *arg)
{
	for (long i = 0; i < count; i++) {
		count_atomically(1);
		count_atomically(-1);
	}
	return arg;
}

/* In one thread, or with `argument` in two. */
static double measure_threads(void *(*body)(void *), void *argument)
{
	double begin = bench_now();
	pthread_t thread;
	bool two = argument && !pthread_create(&thread, NULL, body, NULL);

	body(NULL);
	if (two)
		pthread_join(thread, NULL);
	return (bench_now() - begin) / (double)count;
}

static double get_and_put(void *argument)
{
	return measure_threads(hold, argument);
}

static double atomic_get_and_put(void *argument)
{
	return measure_threads(hold_atomically, argument);
}

int main(void)
{
	struct bench_candidate calls[] = {
		{ .name = "no hook", .measure = nothing },
		{ .name = "a hook without functions", .measure = no_function },
		{ .name = "a call through a pointer", .measure = one_pointer },
		{ .name = "a hook with one function", .measure = one_function },
		{ .name = "eight calls through pointers", .measure = eight_pointers },
		{ .name = "a hook with eight functions", .measure = eight_functions },
	};
	struct bench_candidate held[] = {
		{ .name = "permod_get() and permod_put()", .measure = get_and_put },
		{ .name = "an atomic count", .measure = atomic_get_and_put },
		{ .name = "the first in two threads", .measure = get_and_put, .argument = held },
		{ .name = "the second in two threads",
		  .measure = atomic_get_and_put,
		  .argument = held },
	};
	const char *folder = getenv("BENCH_DIR") ? getenv("BENCH_DIR") : "bench";
	int rounds = bench_rounds(31);
	struct permod *pm = NULL;
	char path[4096];

	if (getenv("BENCH_COUNT"))
		count = atol(getenv("BENCH_COUNT"));
	snprintf(path, sizeof(path), "%s/load_plain.ko", folder);
	if (count <= 0 || permod_new(&pm, NULL) || permod_load(pm, path, NULL, 0, &module)) {
		fprintf(stderr, "%s\n", permod_error(pm));
		return EXIT_FAILURE;
	}
	bench_run(calls, 6, rounds);
	bench_report("a pass through a hook, and the code around", calls, 6, rounds);
	measure_places("eight places without functions, as they are", rounds);
	measure_coming("a hook's only function, as places are", rounds);
	if (permod_patch_keys()) {
		printf("code can't be patched here\n");
	} else {
		measure_places("eight places without functions, patched", rounds);
		measure_coming("a hook's only function, patched", rounds);
	}
	bench_run(held, 4, rounds);
	bench_report("holding a module", held, 4, rounds);
	permod_free(pm);
	return EXIT_SUCCESS;
}
