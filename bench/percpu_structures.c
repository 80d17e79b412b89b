/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What do the structures over per-CPU memory cost, against what one would write otherwise: a counter,
 * against an atomic one; a reference count, against an atomic one; a free-list, against one under a
 * mutex? With one thread and with two, each bound to a CPU of its own if there are two. Then what the
 * other side pays: exact sums, changes of mode, draining.
 *
 * Settings: BENCH_ROUNDS, BENCH_COUNT (operations of a thread in a round). PERCPU_OPS=atomic shows what
 * processes without restartable sequences pay, PERCPU_CPUS=N what more CPUs mean.
 */
#define _GNU_SOURCE
#include <permod/percpu_counter.h>
#include <permod/percpu_list.h>
#include <permod/percpu_ref.h>
#include "bench/percpu_ops.h"
#include "bench/threads.h"

#include <pthread.h>
#include <stdbool.h>

#define NODES 64

static long count = 5000000;

/* What threads share without per-CPU memory is shared by all of them: each on a cache line. */
static struct {
	long value __attribute__((aligned(128)));
} atomic_counter, atomic_references;

static struct {
	pthread_mutex_t lock;
	struct percpu_list_node *head;
} locked_list __attribute__((aligned(128))) = { PTHREAD_MUTEX_INITIALIZER, NULL };

/* Many counters in turn as well: on a single one every operation waits for the one before. */
static long atomic_counters[VARIABLES] __attribute__((aligned(128)));
static struct percpu_counter counters[VARIABLES] __attribute__((aligned(128)));

static struct percpu_counter counter __attribute__((aligned(128)));
static struct percpu_ref reference __attribute__((aligned(128)));
static struct percpu_ref atomic_reference __attribute__((aligned(128)));
static struct percpu_list list __attribute__((aligned(128)));
static struct percpu_list_node nodes[2][NODES];

/* ---- Bodies: `count` operations ------------------------------------------------------------- */

static void count_atomically(void)
{
	for (long i = 0; i < count; i++)
		__atomic_fetch_add(&atomic_counter.value, 1, __ATOMIC_RELAXED);
}

static void count_per_cpu(void)
{
	for (long i = 0; i < count; i++)
		percpu_counter_inc(&counter);
}

static void count_in_turn_atomically(void)
{
	FOR_EACH_IN_TURN(count, i, __atomic_fetch_add(&atomic_counters[i], 1, __ATOMIC_RELAXED))
}

static void count_in_turn_per_cpu(void)
{
	FOR_EACH_IN_TURN(count, i, percpu_counter_inc(&counters[i]))
}

static bool wrongly_zero;

static void get_and_put_atomically(void)
{
	for (long i = 0; i < count; i++) {
		__atomic_fetch_add(&atomic_references.value, 1, __ATOMIC_RELAXED);
		if (__atomic_sub_fetch(&atomic_references.value, 1, __ATOMIC_ACQ_REL) == 0)
			wrongly_zero = true;
	}
}

static void get_and_put_per_cpu(void)
{
	for (long i = 0; i < count; i++) {
		percpu_ref_get(&reference);
		percpu_ref_put(&reference);
	}
}

static void get_and_put_in_atomic_mode(void)
{
	for (long i = 0; i < count; i++) {
		percpu_ref_get(&atomic_reference);
		percpu_ref_put(&atomic_reference);
	}
}

static void pop_and_push_locked(void)
{
	for (long i = 0; i < count; i++) {
		struct percpu_list_node *node;

		pthread_mutex_lock(&locked_list.lock);
		node = locked_list.head;
		locked_list.head = node->next;
		pthread_mutex_unlock(&locked_list.lock);
		pthread_mutex_lock(&locked_list.lock);
		node->next = locked_list.head;
		locked_list.head = node;
		pthread_mutex_unlock(&locked_list.lock);
	}
}

static void pop_and_push_per_cpu(void)
{
	for (long i = 0; i < count; i++) {
		struct percpu_list_node *node = percpu_list_pop_any(&list);

		for (; node && i < count; i++) {
			percpu_list_push(&list, node);
			node = percpu_list_pop(&list);
		}
		if (node)
			percpu_list_push(&list, node);
	}
}

/* ---- Threads -------------------------------------------------------------------------------- */

static int threads;

static void do_job(void *body, int thread)
{
	(void)thread;
	(*(void (**)(void))body)();
}

/* Nanoseconds an operation, the mean of all threads. */
static double measure(void *body)
{
	return bench_threads(threads, do_job, body) / (double)count;
}

/* ---- The other side ------------------------------------------------------------------------- */

static volatile int64_t result;

static void read_counter(void)
{
	for (long i = 0; i < count; i++)
		result = percpu_counter_read(&counter);
}

static void sum_counter(void)
{
	for (long i = 0; i < count; i++)
		result = percpu_counter_sum(&counter);
}

static void switch_reference(void)
{
	for (long i = 0; i < count; i++) {
		percpu_ref_switch_to_atomic_sync(&reference);
		percpu_ref_switch_to_percpu(&reference);
	}
}

static void drain_list(void)
{
	for (long i = 0; i < count; i++) {
		struct percpu_list_node *node = percpu_list_drain(&list), *next;

		for (; node; node = next) {
			next = node->next;
			percpu_list_push(&list, node);
		}
	}
}

/* ---- Candidates ----------------------------------------------------------------------------- */

struct kind {
	const char *name;
	void (*body)(void);
};

#define KINDS(table) table, (int)(sizeof(table) / sizeof(table[0]))

static const struct kind single_counters[] = {
	{ "atomic counter, add", count_atomically },
	{ "percpu_counter, add", count_per_cpu },
};

static const struct kind many_counters[] = {
	{ "atomic counters, add", count_in_turn_atomically },
	{ "percpu_counters, add", count_in_turn_per_cpu },
};

static const struct kind references[] = {
	{ "atomic reference count, get and put", get_and_put_atomically },
	{ "percpu_ref, get and put", get_and_put_per_cpu },
	{ "percpu_ref in atomic mode, get and put", get_and_put_in_atomic_mode },
};

static const struct kind lists[] = {
	{ "list under a mutex, pop and push", pop_and_push_locked },
	{ "percpu_list, pop and push", pop_and_push_per_cpu },
};

static const struct kind others[] = {
	{ "percpu_counter_read", read_counter },
	{ "percpu_counter_sum", sum_counter },
	{ "percpu_ref to atomic mode and back", switch_reference },
	{ "percpu_list_drain, 64 nodes pushed again", drain_list },
};

static void compare(const char *title, const struct kind *kinds, int number, int rounds)
{
	static struct bench_candidate candidates[8];
	char line[80];

	for (int i = 0; i < number; i++)
		candidates[i] = (struct bench_candidate){
			.name = kinds[i].name,
			.measure = measure,
			.argument = (void *)&kinds[i].body,
		};
	bench_run(candidates, number, rounds);
	snprintf(line, sizeof(line), "%s, %d thread%s", title, threads, threads == 1 ? "" : "s");
	bench_report(line, candidates, number, rounds);
}

static void ignore(struct percpu_ref *ref)
{
	(void)ref;
}

static bool set_up(void)
{
	atomic_references.value = 1;
	if (percpu_counter_init(&counter, 0) || percpu_list_init(&list) ||
	    percpu_ref_init(&reference, ignore, PERCPU_REF_ALLOW_REINIT) ||
	    percpu_ref_init(&atomic_reference, ignore, PERCPU_REF_INIT_ATOMIC))
		return false;
	for (int i = 0; i < VARIABLES; i++) {
		if (percpu_counter_init(&counters[i], 0))
			return false;
	}
	for (int i = 0; i < NODES; i++) {
		percpu_list_push(&list, &nodes[0][i]);
		nodes[1][i].next = locked_list.head;
		locked_list.head = &nodes[1][i];
	}
	return true;
}

/* Nothing was lost, and nothing was optimised away. */
static bool all_is_there(long additions)
{
	int64_t in_turn = 0, in_turn_atomically = 0;
	int left = 0;

	for (int i = 0; i < VARIABLES; i++) {
		in_turn += percpu_counter_sum(&counters[i]);
		in_turn_atomically += atomic_counters[i];
	}
	percpu_ref_kill(&reference);
	percpu_ref_kill(&atomic_reference);
	for (struct percpu_list_node *node = percpu_list_drain(&list); node; node = node->next)
		left++;
	return percpu_counter_sum(&counter) == additions && atomic_counter.value == additions &&
	       percpu_ref_is_zero(&reference) && percpu_ref_is_zero(&atomic_reference) &&
	       in_turn == in_turn_atomically && in_turn >= additions && !wrongly_zero &&
	       left == NODES;
}

int main(void)
{
	int rounds = bench_rounds(11);
	long additions = 0;

	if (getenv("BENCH_COUNT"))
		count = atol(getenv("BENCH_COUNT"));
	if (count <= 0 || !set_up())
		return EXIT_FAILURE;
	printf("%u possible CPUs, operations: %s\n", num_possible_cpus(), pcpu_ops_name());
	for (threads = 1; threads <= BENCH_MOST_THREADS; threads++) {
		compare("one counter", KINDS(single_counters), rounds);
		compare("64 counters in turn", KINDS(many_counters), rounds);
		compare("reference counts", KINDS(references), rounds);
		compare("free-lists", KINDS(lists), rounds);
		additions += (rounds + 1) * threads * count;
	}
	threads = 1;
	count = count / 1000 + 1;
	compare("what the others pay", KINDS(others), rounds);
	if (!all_is_there(additions)) {
		puts("something was lost");
		return EXIT_FAILURE;
	}
	percpu_ref_exit(&reference);
	percpu_ref_exit(&atomic_reference);
	percpu_counter_destroy(&counter);
	for (int i = 0; i < VARIABLES; i++)
		percpu_counter_destroy(&counters[i]);
	percpu_list_destroy(&list);
	return EXIT_SUCCESS;
}
