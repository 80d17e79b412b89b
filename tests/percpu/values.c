/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The library on another architecture: operations by the way that it chooses there, which must be the
 * one named on the command line; static variables; many threads at once.
 *
 *     values atomic|rseq ROUNDS [signals]
 *
 * With "signals" the threads are moved from CPU to CPU and get signals meanwhile, whose handler does
 * operations on the same variables.
 */
#define _GNU_SOURCE
#include <permod/percpu.h>

#include "operations.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Values --------------------------------------------------------------------------------- */

static struct place __percpu *place;
static const struct operation choice = { "pcpu_ops_name", 0, 0, NULL };
static const struct operation static_variables = { "static variables", 0, 8, NULL };

static void fill_copies(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		for (unsigned int i = 0; i < sizeof(place->byte); i++)
			per_cpu_ptr(place, cpu)->byte[i] = (unsigned char)(0xf1 - 11 * i);
}

/* All copies are alike before; one of them must be what it should be, and all others as they were. */
static void try_operation(const struct operation *op, uint64_t value, uint64_t expected)
{
	unsigned int cpu, changed = 0, wrong = 0;
	struct place before, after;
	uint64_t result, right;

	fill_copies();
	cpu = smp_processor_id();
	before = after = *per_cpu_ptr(place, cpu);
	result = op->run((uintptr_t)&place->byte[op->size], value, expected);
	right = expect(op, &after.byte[op->size], value, expected);
	check_that(result == right, op, "the result is wrong");
	for_each_possible_cpu(cpu) {
		const struct place *copy = per_cpu_ptr(place, cpu);

		if (!memcmp(copy, &before, sizeof(before)))
			continue;
		changed++;
		wrong += memcmp(copy, &after, sizeof(after)) != 0;
	}
	check_that(changed == (memcmp(&before, &after, sizeof(after)) != 0) && !wrong, op,
		   "memory is not what it should be");
}

static void try_values(void)
{
	static const uint64_t values[] = { 0x9182736455463728, 1, UINT64_MAX };

	place = alloc_percpu(struct place);
	for (unsigned int i = 0; i < COUNT(operations); i++) {
		const struct operation *op = &operations[i];
		uint64_t is;

		fill_copies();
		is = load(&per_cpu_ptr(place, smp_processor_id())->byte[op->size], op->size);
		for (unsigned int j = 0; j < COUNT(values); j++) {
			try_operation(op, values[j], is);
			try_operation(op, values[j], is ^ (uint64_t)1 << (8 * op->size - 1));
		}
	}
	free_percpu(place);
}

/* Constants here: conversions and signs are the language's. */
static DEFINE_PER_CPU(int8_t, s8) = -100;
static DEFINE_PER_CPU(int16_t, s16) = -1;
static DEFINE_PER_CPU(int32_t, s32) = 7;
static DEFINE_PER_CPU(int64_t, s64) = -5;
static DEFINE_PER_CPU(void *, pointer);

static void try_static_variables(void)
{
	const struct operation *op = &static_variables;
	cpu_set_t one;
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		check_that(per_cpu(s8, cpu) == -100 && per_cpu(s64, cpu) == -5, op,
			   "an initial value is wrong");
	/* From here on the copy is always the same. */
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	this_cpu_sub(s8, 100);
	check_that(this_cpu_read(s8) == 56, op, "int8_t wraps around");
	check_that(this_cpu_add_return(s8, -57) == -1, op, "int8_t gets negative");
	check_that(this_cpu_add_return(s16, 1U) == 0, op, "int16_t from -1 to 0");
	check_that(this_cpu_sub_return(s16, 1U) == -1, op, "int16_t from 0 to -1");
	this_cpu_add(s32, (uint8_t)-1);
	check_that(this_cpu_read(s32) == 262, op, "int32_t and an unsigned byte");
	check_that(this_cpu_xchg(s32, -3) == 262 && this_cpu_read(s32) == -3, op, "int32_t -3");
	this_cpu_sub(s64, 1U);
	check_that(this_cpu_read(s64) == -6, op, "int64_t and an unsigned operand");
	check_that(this_cpu_cmpxchg(s64, -6, INT64_MIN) == -6 && this_cpu_read(s64) == INT64_MIN,
		   op, "int64_t is exchanged");
	this_cpu_write(pointer, (void *)&one);
	check_that(this_cpu_read(pointer) == (void *)&one, op, "a pointer");
}

/* ---- Many at once --------------------------------------------------------------------------- */

enum { THREADS = 4 };

static struct shared {
	uint8_t u8[3];
	uint16_t u16[3];
	uint32_t added, returned, exchanged;
	uint64_t u64, exchanged64;
#ifdef PCPU_HAVE_CMPXCHG_DOUBLE
	_Alignas(16) uint64_t first;
	uint64_t second;
#endif
} __percpu *shared;

static unsigned int rounds;
static cpu_set_t allowed;
static bool finished;
/* On m68k the C library's type is too little aligned for what it is. */
static _Alignas(8) pthread_barrier_t all_done;
static unsigned int handled; /* how often the handler ran */

static void change_everything(void)
{
	uint32_t old;
	uint64_t old64;

	this_cpu_inc(shared->u8[0]);
	this_cpu_inc(shared->u8[1]);
	this_cpu_dec(shared->u8[2]);
	this_cpu_add(shared->u16[0], 3);
	this_cpu_add(shared->u16[1], 5);
	this_cpu_sub(shared->u16[2], 7);
	this_cpu_inc(shared->added);
	this_cpu_add_return(shared->returned, 5);
	this_cpu_add(shared->u64, 0x100000001);
	do {
		old = this_cpu_read(shared->exchanged);
	} while (this_cpu_cmpxchg(shared->exchanged, old, old + 1) != old);
	do {
		old64 = this_cpu_read(shared->exchanged64);
	} while (this_cpu_cmpxchg(shared->exchanged64, old64, old64 + 0x200000001) != old64);
#ifdef PCPU_HAVE_CMPXCHG_DOUBLE
	for (;;) {
		uint64_t first = this_cpu_read(shared->first);
		uint64_t second = this_cpu_read(shared->second);

		if (this_cpu_cmpxchg_double(shared->first, shared->second, first, second, first + 1,
					    second - 1))
			break;
	}
#endif
}

static void handle(int signal_number)
{
	(void)signal_number;
	change_everything();
	__atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED);
}

static void *work(void *unused)
{
	for (unsigned int i = 0; i < rounds; i++)
		change_everything();
	pthread_barrier_wait(&all_done);
	return unused;
}

/* Sends signals to the threads, and moves them. */
static void *harass(void *argument)
{
	const pthread_t *thread = argument;
	size_t cpu = 0;

	while (!__atomic_load_n(&finished, __ATOMIC_ACQUIRE)) {
		for (int i = 0; i < THREADS; i++) {
			cpu_set_t set;

			do {
				cpu = (cpu + 1) % CPU_SETSIZE;
			} while (!CPU_ISSET(cpu, &allowed));
			CPU_ZERO(&set);
			CPU_SET(cpu, &set);
			pthread_setaffinity_np(thread[i], sizeof(set), &set);
			pthread_kill(thread[i], SIGUSR1);
		}
		usleep(50);
	}
	return NULL;
}

#define SUM(member)                                                                                \
	({                                                                                         \
		uint64_t sum = 0;                                                                  \
		unsigned int cpu;                                                                  \
		for_each_possible_cpu(cpu)                                                         \
			sum += per_cpu_ptr(shared, cpu)->member;                                   \
		sum;                                                                               \
	})

static void check_sums(const char *when)
{
	const struct operation op = { when, 0, 8, NULL };
	const uint64_t times = (uint64_t)THREADS * rounds + handled;

	check_that((uint8_t)SUM(u8[0]) == (uint8_t)times, &op, "sum of bytes");
	check_that((uint8_t)SUM(u8[1]) == (uint8_t)times, &op, "sum of the bytes beside");
	check_that((uint8_t)SUM(u8[2]) == (uint8_t)-times, &op, "sum of the bytes behind");
	check_that((uint16_t)SUM(u16[0]) == (uint16_t)(3 * times), &op, "sum of 2 bytes");
	check_that((uint16_t)SUM(u16[1]) == (uint16_t)(5 * times), &op, "sum of 2 bytes beside");
	check_that((uint16_t)SUM(u16[2]) == (uint16_t)(-7 * times), &op, "sum of 2 bytes behind");
	check_that((uint32_t)SUM(added) == (uint32_t)times, &op, "sum of 4 bytes");
	check_that((uint32_t)SUM(returned) == (uint32_t)(5 * times), &op, "sum of add_return");
	check_that((uint32_t)SUM(exchanged) == (uint32_t)times, &op, "sum of cmpxchg");
	check_that(SUM(u64) == times * 0x100000001, &op, "sum of 8 bytes");
	check_that(SUM(exchanged64) == times * 0x200000001, &op, "sum of cmpxchg, 8 bytes");
#ifdef PCPU_HAVE_CMPXCHG_DOUBLE
	check_that(SUM(first) == times && SUM(second) == -times, &op, "sum of pairs");
#endif
}

/* The child of a fork goes on by itself, whatever other threads were at. */
static void try_forks(void)
{
	static const struct operation op = { "fork", 0, 8, NULL };

	for (int i = 0; i < 5; i++) {
		int status = -1;
		pid_t child = fork();

		if (!child) {
			alarm(20);
			change_everything();
			_exit(0);
		}
		check_that(child > 0 && waitpid(child, &status, 0) == child && status == 0, &op,
			   "the child failed");
	}
}

static void try_threads(bool signals)
{
	pthread_t thread[THREADS], other;

	shared = alloc_percpu(struct shared);
	signal(SIGUSR1, handle);
	sched_setaffinity(0, sizeof(allowed), &allowed);
	pthread_barrier_init(&all_done, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, work, NULL))
			abort();
	if (signals && pthread_create(&other, NULL, harass, thread))
		abort();
	try_forks();
	pthread_barrier_wait(&all_done);
	__atomic_store_n(&finished, true, __ATOMIC_RELEASE);
	if (signals)
		pthread_join(other, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	check_sums("threads");
	if (signals)
		check_that(handled > 0, &choice, "no signal came");
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	rounds = (unsigned int)strtoul(argv[2], NULL, 0);
	sched_getaffinity(0, sizeof(allowed), &allowed);
	check_that(!strcmp(pcpu_ops_name(), argv[1]), &choice, pcpu_ops_name());
	try_values();
	try_static_variables();
	try_threads(argc > 3);
	return report(argv[1]);
}
