/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * this_cpu operations: each one at each size, on static and dynamic variables, array elements and
 * structure members, and exactly once each among threads that are moved, preempted and interrupted
 * by signals whose handlers do the same.
 *
 * The program runs in each way a process can do the operations: restartable sequences registered by
 * libc, the same registered by libpercpu, the same by concurrency ids, and atomic instructions.
 * Expected values are computed in 64-bit unsigned arithmetic.
 */
#define _GNU_SOURCE
#include <permod/percpu.h>
#include "tests/percpu/helper.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>

#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* tests/test_percpu_compile.sh builds this file in many ways, and wants each to be quick. */
#ifdef QUICK
#define ROUNDS 100000
#else
#define ROUNDS (SANITIZED ? 100000 : 500000)
#endif

extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

/* How this run is to do the operations: the environment variable that run_modes() sets. */
static const char *mode(void)
{
	const char *name = getenv("PERCPU_TEST_MODE");

	return name ? name : "libc";
}

static bool kernel_has_rseq(void)
{
	return syscall(SYS_rseq, NULL, 0, 0, 0) < 0 && errno != ENOSYS;
}

static void stay_on(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		ck_abort_msg("can't move to CPU %u", cpu);
}

static cpu_set_t allowed;

__attribute__((constructor)) static void find_allowed(void)
{
	sched_getaffinity(0, sizeof(allowed), &allowed);
}

#define for_each_allowed_cpu(cpu)                                                                  \
	for_each_possible_cpu(cpu)                                                                 \
		if (CPU_ISSET(cpu, &allowed))

/* The pointer to this thread's sequence, which must be clear between operations. */
static uint64_t rseq_cs(void)
{
#ifdef PCPU_HAVE_SEQUENCES
	return *(uint64_t *)(__pcpu_thread_pointer() + (intptr_t)pcpu_layout.rseq + 8);
#else
	return 0;
#endif
}

/* ---- Each operation, one at a time ---------------------------------------------------------- */

/* A variable between two that must not change. */
#define DEFINE_SLOT(name, type)                                                                    \
	struct slot_##name {                                                                       \
		type before, value, after;                                                         \
	};                                                                                         \
	static DEFINE_PER_CPU(struct slot_##name, alone_##name);                                   \
	static DEFINE_PER_CPU(struct slot_##name[5], array_##name);

/* All copies of a slot to the same known values. */
#define SET_SLOT(slot, start)                                                                      \
	do {                                                                                       \
		unsigned int set_cpu;                                                              \
		for_each_possible_cpu(set_cpu) {                                                   \
			memset(per_cpu_ptr(slot, set_cpu), 0x5c, sizeof(*(slot)));                 \
			per_cpu_ptr(slot, set_cpu)->value = start;                                 \
		}                                                                                  \
	} while (0)

/* This CPU's value, and nothing else, is as expected, and no sequence is left named. */
#define CHECK_SLOT(slot, type, on, start, expected)                                                \
	do {                                                                                       \
		unsigned int check_cpu;                                                            \
		type fill;                                                                         \
		memset(&fill, 0x5c, sizeof(fill));                                                 \
		check_that(rseq_cs() == 0);                                                        \
		for_each_possible_cpu(check_cpu) {                                                 \
			__typeof__(slot) copy = per_cpu_ptr(slot, check_cpu);                      \
			check_that(copy->value == (check_cpu == (on) ? (expected) : (start)));     \
			check_that(copy->before == fill && copy->after == fill);                   \
		}                                                                                  \
	} while (0)

#define TRY_VOID(slot, type, on, start, expected, operation)                                       \
	do {                                                                                       \
		SET_SLOT(slot, start);                                                             \
		operation;                                                                         \
		CHECK_SLOT(slot, type, on, start, (type)(expected));                               \
	} while (0)

#define TRY_VALUE(slot, type, on, start, expected, result, operation)                              \
	do {                                                                                       \
		type got;                                                                          \
		SET_SLOT(slot, start);                                                             \
		got = operation;                                                                   \
		check_that(got == (type)(result));                                                 \
		CHECK_SLOT(slot, type, on, start, (type)(expected));                               \
	} while (0)

/* Operations that all scalar types have; a: the value before, b: the operand. */
#define DEFINE_MOVES(name, type)                                                                   \
	static type try_cmpxchg_##name(struct slot_##name __percpu *s, type old, type v,           \
				       bool done)                                                  \
	{                                                                                          \
		check_that(this_cpu_try_cmpxchg(s->value, &old, v) == done);                       \
		return old;                                                                        \
	}                                                                                          \
	static void try_moves_##name(struct slot_##name __percpu *s, unsigned int on, type a,      \
				     type b)                                                       \
	{                                                                                          \
		type none = a == b ? a : b;                                                        \
		TRY_VALUE(s, type, on, a, a, a, this_cpu_read(s->value));                          \
		TRY_VOID(s, type, on, a, b, this_cpu_write(s->value, b));                          \
		TRY_VALUE(s, type, on, a, b, a, this_cpu_xchg(s->value, b));                       \
		TRY_VALUE(s, type, on, a, b, a, this_cpu_cmpxchg(s->value, a, b));                 \
		TRY_VALUE(s, type, on, a, a, a, this_cpu_cmpxchg(s->value, none, a));              \
		TRY_VALUE(s, type, on, a, b, a, try_cmpxchg_##name(s, a, b, true));                \
		TRY_VALUE(s, type, on, a, a, a, try_cmpxchg_##name(s, none, a, none == a));        \
	}

/* Operations of integers; A and B are the same in 64 bits without sign. */
#define DEFINE_SUMS(name, type)                                                                    \
	static void try_sums_##name(struct slot_##name __percpu *s, unsigned int on, type a,       \
				    type b)                                                        \
	{                                                                                          \
		uint64_t A = (uint64_t)a, B = (uint64_t)b;                                         \
		TRY_VOID(s, type, on, a, A + B, this_cpu_add(s->value, b));                        \
		TRY_VOID(s, type, on, a, A - B, this_cpu_sub(s->value, b));                        \
		TRY_VOID(s, type, on, a, A + 1, this_cpu_inc(s->value));                           \
		TRY_VOID(s, type, on, a, A - 1, this_cpu_dec(s->value));                           \
		TRY_VOID(s, type, on, a, A &B, this_cpu_and(s->value, b));                         \
		TRY_VOID(s, type, on, a, A | B, this_cpu_or(s->value, b));                         \
		TRY_VOID(s, type, on, a, A ^ B, this_cpu_xor(s->value, b));                        \
		TRY_VALUE(s, type, on, a, A + B, A + B, this_cpu_add_return(s->value, b));         \
		TRY_VALUE(s, type, on, a, A - B, A - B, this_cpu_sub_return(s->value, b));         \
		TRY_VALUE(s, type, on, a, A + 1, A + 1, this_cpu_inc_return(s->value));            \
		TRY_VALUE(s, type, on, a, A - 1, A - 1, this_cpu_dec_return(s->value));            \
	}

/* Operands that are constants, which may become part of the instruction. */
#define DEFINE_CONSTANTS(name, type)                                                               \
	static void try_constants_##name(struct slot_##name __percpu *s, unsigned int on, type a)  \
	{                                                                                          \
		uint64_t A = (uint64_t)a;                                                          \
		TRY_VOID(s, type, on, a, A + 127, this_cpu_add(s->value, 127));                    \
		TRY_VOID(s, type, on, a, A + 128, this_cpu_add(s->value, (type)128));              \
		TRY_VOID(s, type, on, a, A - 128, this_cpu_sub(s->value, (type)128));              \
		TRY_VOID(s, type, on, a, A - 1, this_cpu_add(s->value, -1));                       \
		TRY_VOID(s, type, on, a, A | 0x80, this_cpu_or(s->value, (type)0x80));             \
		TRY_VOID(s, type, on, a, A & ~(uint64_t)1, this_cpu_and(s->value, (type)-2));      \
		TRY_VOID(s, type, on, a, -1, this_cpu_write(s->value, (type)-1));                  \
		TRY_VOID(s, type, on, a, 0, this_cpu_write(s->value, 0));                          \
		TRY_VOID(s, type, on, a, A + 0x7fffffff,                                           \
			 this_cpu_add(s->value, (type)0x7fffffff));                                \
		TRY_VOID(s, type, on, a, A + 0x80000000,                                           \
			 this_cpu_add(s->value, (type)0x80000000));                                \
		TRY_VOID(s, type, on, a, 0x80000000, this_cpu_write(s->value, (type)0x80000000));  \
		TRY_VOID(s, type, on, a, A & 0xffffffff,                                           \
			 this_cpu_and(s->value, (type)0xffffffff));                                \
		TRY_VOID(s, type, on, a, A + 0x123456789abcdef0,                                   \
			 this_cpu_add(s->value, (type)0x123456789abcdef0));                        \
		TRY_VALUE(s, type, on, a, A + 5, A + 5, this_cpu_add_return(s->value, 5));         \
		TRY_VALUE(s, type, on, a, -2, a, this_cpu_xchg(s->value, (type)-2));               \
	}

static const uint64_t edges[] = {
	0,
	1,
	2,
	0x55,
	0x7f,
	0x80,
	0xff,
	0x100,
	0x7fff,
	0x8000,
	0xffff,
	0x10000,
	0x7fffffff,
	0x80000000,
	0xffffffff,
	0x10000000,
	0x7fffffffffffffff,
	0x8000000000000000,
	UINT64_MAX,
	UINT64_MAX - 1,
};

/* On static variables, one alone and one of an array, and on a dynamic one, on every CPU. */
#define DEFINE_INTEGER(name, type)                                                                 \
	DEFINE_SLOT(name, type)                                                                    \
	DEFINE_MOVES(name, type)                                                                   \
	DEFINE_SUMS(name, type)                                                                    \
	DEFINE_CONSTANTS(name, type)                                                               \
	static void try_all_##name(struct slot_##name __percpu *s, unsigned int on)                \
	{                                                                                          \
		for (size_t i = 0; i < COUNT(edges); i++) {                                        \
			try_constants_##name(s, on, (type)edges[i]);                               \
			for (size_t k = 0; k < COUNT(edges); k++) {                                \
				try_moves_##name(s, on, (type)edges[i], (type)edges[k]);           \
				try_sums_##name(s, on, (type)edges[i], (type)edges[k]);            \
			}                                                                          \
		}                                                                                  \
	}                                                                                          \
	START_TEST(every_operation_on_##name)                                                      \
	{                                                                                          \
		struct slot_##name __percpu *dynamic = alloc_percpu(struct slot_##name);           \
		unsigned int cpu;                                                                  \
		for_each_allowed_cpu(cpu)                                                          \
		{                                                                                  \
			stay_on(cpu);                                                              \
			try_all_##name(&alone_##name, cpu);                                        \
			try_all_##name(&array_##name[3], cpu);                                     \
			try_all_##name(dynamic, cpu);                                              \
		}                                                                                  \
		free_percpu(dynamic);                                                              \
	}                                                                                          \
	END_TEST

DEFINE_INTEGER(int8, int8_t)
DEFINE_INTEGER(uint16, uint16_t)
DEFINE_INTEGER(int32, int32_t)
DEFINE_INTEGER(uint64, uint64_t)
#ifndef QUICK
DEFINE_INTEGER(uint8, uint8_t)
DEFINE_INTEGER(int16, int16_t)
DEFINE_INTEGER(uint32, uint32_t)
DEFINE_INTEGER(int64, int64_t)
DEFINE_INTEGER(char, char)
DEFINE_INTEGER(long_long, long long)
#endif

enum colour { RED, GREEN = 100000, BLUE = -5 };
typedef char *pointer;

DEFINE_SLOT(pointer, pointer)
DEFINE_MOVES(pointer, pointer)
DEFINE_SLOT(colour, enum colour)
DEFINE_MOVES(colour, enum colour)

START_TEST(pointers_and_enumerations_are_moved)
{
	static char text[2];
	unsigned int cpu;

	for_each_allowed_cpu(cpu)
	{
		stay_on(cpu);
		try_moves_pointer(&alone_pointer, cpu, text, NULL);
		try_moves_pointer(&array_pointer[4], cpu, NULL, text + 1);
		try_moves_pointer(&alone_pointer, cpu, text, text);
		try_moves_colour(&alone_colour, cpu, RED, GREEN);
		try_moves_colour(&array_colour[0], cpu, BLUE, RED);
	}
}
END_TEST

/* ---- What the macros promise of their arguments --------------------------------------------- */

static DEFINE_PER_CPU(int, counter) = 7;
static DEFINE_PER_CPU(volatile long, volatile_counter);
static DEFINE_PER_CPU(double, real);
static DEFINE_PER_CPU(int[8], row);
static DEFINE_PER_CPU(
	struct {
		_Alignas(8) short first;
		short second;
	},
	couple);
static const volatile int __percpu *read_only = row;

START_TEST(arguments_are_evaluated_once)
{
	int __percpu *next = row, value = 1, calls = 0;

	stay_on((unsigned int)sched_getcpu());
	this_cpu_write(*next++, value++);
	this_cpu_add(*next++, value++);
	this_cpu_or(row[calls++], 0);
	ck_assert_int_eq(this_cpu_add_return(*next++, value++), 3);
	ck_assert_int_eq(this_cpu_xchg(*next++, value++), 0);
	ck_assert_int_eq(this_cpu_cmpxchg(*next++, value++ * 0, 5), 0);
	ck_assert_int_eq(this_cpu_read(*next++), 0);
	ck_assert_ptr_eq(next, row + 6);
	ck_assert_int_eq(value, 6);
	ck_assert_int_eq(calls, 1);
	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(this_cpu_read(row[i]), i < 5 ? i + 1 : 0);
}
END_TEST

START_TEST(operations_nest)
{
	stay_on((unsigned int)sched_getcpu());
	this_cpu_write(counter, 3);
	this_cpu_write(row[this_cpu_read(counter)], 10);
	this_cpu_add(row[3], this_cpu_add_return(counter, this_cpu_xchg(row[3], 20)));
	ck_assert_int_eq(this_cpu_read(counter), 13);
	ck_assert_int_eq(this_cpu_read(row[3]), 33);
	ck_assert_int_eq(this_cpu_cmpxchg(row[3],
					  this_cpu_add_return(row[3], this_cpu_read(row[3])),
					  this_cpu_sub_return(counter, this_cpu_read(row[0]))),
			 66);
	ck_assert_int_eq(this_cpu_read(row[3]), 13);
	ck_assert_int_eq(this_cpu_read(read_only[3]), 13);
}
END_TEST

/* A pair is written if both words are as expected, of one size: this one, and no other byte. */
#define TRY_PAIR(type, a, b)                                                                       \
	do {                                                                                       \
		struct {                                                                           \
			type before[2], first, second, after[2];                                   \
		} __attribute__((aligned(16))) __percpu *p = alloc_percpu(*p);                     \
		type most = (type)-1;                                                              \
		this_cpu_write(p->first, (type)(a));                                               \
		this_cpu_write(p->second, (type)(b));                                              \
		check_that(!this_cpu_cmpxchg_double(p->first, p->second, (type) ~(a), (type)(b),   \
						    1, 1));                                        \
		check_that(!this_cpu_cmpxchg_double(p->first, p->second, (type)(a), (type) ~(b),   \
						    1, 1));                                        \
		check_that(this_cpu_read(p->first) == (type)(a));                                  \
		check_that(this_cpu_read(p->second) == (type)(b));                                 \
		check_that(this_cpu_cmpxchg_double(p->first, p->second, a, b, most, 77) == 1);     \
		check_that(this_cpu_read(p->first) == most && this_cpu_read(p->second) == 77);     \
		check_that(!this_cpu_read(p->before[1]) && !this_cpu_read(p->after[0]));           \
		check_that(rseq_cs() == 0);                                                        \
		free_percpu(p);                                                                    \
	} while (0)

START_TEST(pairs_are_compared_and_written_together)
{
	unsigned int cpu;

	for_each_allowed_cpu(cpu)
	{
		stay_on(cpu);
		TRY_PAIR(int8_t, -1, 0x55);
		TRY_PAIR(uint16_t, 0xffff, 0x5555);
#if PCPU_LARGEST_PAIR >= 8
		TRY_PAIR(int32_t, -2, 0x55555555);
		TRY_PAIR(uint32_t, 0x80000000, 0);
#endif
#ifdef PCPU_HAVE_CMPXCHG_DOUBLE
		TRY_PAIR(int64_t, -3, 0x5555555555555555);
		TRY_PAIR(uint64_t, 0x8000000000000000, 0xffffffff);
#endif
	}
}
END_TEST

static DEFINE_PER_CPU(short[3], short_row);

static void try_pair_apart(void *unused UNUSED)
{
	this_cpu_cmpxchg_double(short_row[0], short_row[2], 0, 0, 1, 1);
}

static void try_pair_askew(void *unused UNUSED)
{
	short __percpu *p = __alloc_percpu(4 * sizeof(short), 8);

	this_cpu_cmpxchg_double(p[1], p[2], 0, 0, 1, 1);
}

START_TEST(pairs_that_are_none_are_refused)
{
	struct outcome outcome = run_in_child(try_pair_apart, NULL);

	ck_assert(died_by(&outcome, SIGABRT));
	ck_assert_ptr_nonnull(strstr(outcome.text, "2-byte words that are 4 bytes apart"));
	outcome = run_in_child(try_pair_askew, NULL);
	ck_assert(died_by(&outcome, SIGABRT));
	ck_assert_ptr_nonnull(strstr(outcome.text, "must be a multiple of 4"));
}
END_TEST

/* The kernel's other names for the same. */
START_TEST(other_names_do_the_same)
{
	int old = 30;

	stay_on((unsigned int)sched_getcpu());
	__this_cpu_write(counter, 6);
	__this_cpu_add(counter, 10);
	__this_cpu_sub(counter, 3);
	__this_cpu_inc(counter);
	__this_cpu_inc(counter);
	__this_cpu_dec(counter);
	ck_assert_int_eq(__this_cpu_read(counter), 14);
	__this_cpu_and(counter, 10);
	__this_cpu_or(counter, 1);
	ck_assert_int_eq(__this_cpu_add_return(counter, 20), 31);
	ck_assert_int_eq(__this_cpu_xchg(counter, 40), 31);
	ck_assert_int_eq(__this_cpu_cmpxchg(counter, 40, 50), 40);
	raw_cpu_add(counter, 7);
	raw_cpu_inc(counter);
	raw_cpu_inc(counter);
	raw_cpu_dec(counter);
	ck_assert_int_eq(raw_cpu_read(counter), 58);
	raw_cpu_write(counter, 3);
	ck_assert_int_eq(per_cpu(counter, sched_getcpu()), 3);
	__this_cpu_xor(counter, 5);
	ck_assert_int_eq(__this_cpu_sub_return(counter, 2), 4);
	ck_assert_int_eq(__this_cpu_inc_return(counter), 5);
	ck_assert_int_eq(__this_cpu_dec_return(counter), 4);
	raw_cpu_sub(counter, 1);
	raw_cpu_or(counter, 12);
	raw_cpu_and(counter, 13);
	raw_cpu_xor(counter, 1);
	ck_assert_int_eq(raw_cpu_add_return(counter, 3), 15);
	ck_assert_int_eq(raw_cpu_sub_return(counter, 5), 10);
	ck_assert_int_eq(raw_cpu_inc_return(counter), 11);
	ck_assert_int_eq(raw_cpu_dec_return(counter), 10);
	ck_assert_int_eq(raw_cpu_xchg(counter, 20), 10);
	ck_assert_int_eq(raw_cpu_cmpxchg(counter, 20, 30), 20);
	ck_assert(raw_cpu_try_cmpxchg(counter, &old, 40));
	ck_assert(!__this_cpu_try_cmpxchg(counter, &old, 50));
	ck_assert_int_eq(old, 40);
	ck_assert(raw_cpu_cmpxchg_double(couple.first, couple.second, 0, 0, 1, 2));
	ck_assert(!__this_cpu_cmpxchg_double(couple.first, couple.second, 1, 1, 3, 4));
	ck_assert_int_eq(this_cpu_read(couple.second), 2);
}
END_TEST

START_TEST(operand_is_converted_to_the_variables_type)
{
	uint8_t __percpu *byte = alloc_percpu(uint8_t);
	int64_t __percpu *wide = alloc_percpu(int64_t);

	stay_on((unsigned int)sched_getcpu());
	this_cpu_write(*byte, 0x1ff);
	ck_assert_int_eq(this_cpu_read(*byte), 0xff);
	this_cpu_add(*byte, 1000);
	ck_assert_int_eq(this_cpu_read(*byte), (0xff + 1000) % 256);
	ck_assert_int_eq(this_cpu_cmpxchg(*byte, 0x100 + (0xff + 1000) % 256, 1),
			 (0xff + 1000) % 256);
	ck_assert_int_eq(this_cpu_read(*byte), 1);
	/* int to 64 bits keeps the sign, unsigned int has none. */
	this_cpu_write(*wide, -1);
	this_cpu_add(*wide, -1);
	ck_assert(this_cpu_read(*wide) == -2);
	this_cpu_sub(*wide, 1U);
	ck_assert(this_cpu_read(*wide) == -3);
	this_cpu_write(*wide, 0xffffffffU);
	ck_assert(this_cpu_read(*wide) == 0xffffffffLL);
	ck_assert(this_cpu_read(*byte) - 2 < 0);
	free_percpu(byte);
	free_percpu(wide);
}
END_TEST

/* The compiler must see that an operation changes what a pointer to the copy shows. */
START_TEST(copy_read_through_a_pointer_is_up_to_date)
{
	unsigned int cpu = (unsigned int)sched_getcpu();
	int *copy = per_cpu_ptr(&counter, cpu);
	double *real_copy = per_cpu_ptr(&real, cpu);
	volatile long *volatile_copy = per_cpu_ptr(&volatile_counter, cpu);
	long long __percpu *wide = alloc_percpu(long long);
	long long *wide_copy = per_cpu_ptr(wide, cpu);

	stay_on(cpu);
	*copy = 5;
	this_cpu_add(counter, 1);
	ck_assert_int_eq(*copy, 6);
	*real_copy = 1.5;
	this_cpu_write(real, 2.5);
	ck_assert(*real_copy == 2.5);
	*real_copy = 3.5;
	ck_assert(this_cpu_read(real) == 3.5);
	*wide_copy = 5;
	this_cpu_inc(*wide);
	ck_assert(*wide_copy == 6);
	*wide_copy = 8;
	ck_assert(this_cpu_cmpxchg(*wide, 8, 9) == 8);
	ck_assert(*wide_copy == 9);
	*volatile_copy = 1;
	this_cpu_add(volatile_counter, 4);
	ck_assert_int_eq(*volatile_copy, 5);
	free_percpu(wide);
}
END_TEST

START_TEST(accessors_find_the_copy)
{
	long __percpu *dynamic = alloc_percpu(long);
	unsigned int cpu, count = 0;

	for_each_possible_cpu(cpu) {
		ck_assert_int_eq(per_cpu(counter, cpu), 7);
		per_cpu(counter, cpu) = (int)cpu + 10;
		*per_cpu_ptr(dynamic, cpu) = cpu + 20;
		ck_assert(cpu_possible(cpu));
		count++;
	}
	ck_assert_uint_eq(count, num_possible_cpus());
	ck_assert(!cpu_possible(nr_cpu_ids) && !cpu_possible(-1));
	for_each_allowed_cpu(cpu)
	{
		stay_on(cpu);
		ck_assert_uint_eq(smp_processor_id(), cpu);
		ck_assert_uint_eq(raw_smp_processor_id(), cpu);
		ck_assert_ptr_eq(this_cpu_ptr(&counter), &per_cpu(counter, cpu));
		ck_assert_ptr_eq(raw_cpu_ptr(dynamic), per_cpu_ptr(dynamic, cpu));
		ck_assert_int_eq(*this_cpu_ptr(&counter), (int)cpu + 10);
		ck_assert_int_eq(this_cpu_read(*dynamic), (long)cpu + 20);
		/* The cookie that is handed to others works as the variable does. */
		ck_assert_int_eq(this_cpu_read(*pcpu_ptr(&counter)), (int)cpu + 10);
		ck_assert_ptr_eq(pcpu_ptr(pcpu_ptr(&counter)), pcpu_ptr(&counter));
	}
	ck_assert_uint_eq(pcpu_image_cookie(&counter), (uintptr_t)pcpu_ptr(&counter));
	ck_assert_uint_eq(pcpu_image_cookie(dynamic), (uintptr_t)dynamic);
	ck_assert_int_eq(pcpu_classify(pcpu_ptr(&counter), NULL, NULL), PCPU_STATIC);
	free_percpu(dynamic);
}
END_TEST

START_TEST(mode_is_the_one_asked_for)
{
	bool atomic = !strcmp(mode(), "atomic") || !kernel_has_rseq();

#ifdef PCPU_HAVE_SEQUENCES
	ck_assert_str_eq(pcpu_ops_name(), atomic ? "atomic" : "rseq");
#else
	/* Compiled without them, but for a library that may have them. */
	ck_assert(!atomic || !strcmp(pcpu_ops_name(), "atomic"));
#endif
	if (!strcmp(mode(), "own"))
		ck_assert(!&__rseq_size || !__rseq_size);
}
END_TEST

/* Code that the compiler puts aside as unlikely: the operations' own unlikely parts must not get
 * into its way. */
__attribute__((cold, noinline)) static int change_in_cold_code(int __percpu *variable)
{
	this_cpu_inc(*variable);
	this_cpu_add(*variable, 10);
	return this_cpu_add_return(*variable, 100);
}

START_TEST(operations_work_in_cold_code)
{
	stay_on((unsigned int)sched_getcpu());
	ck_assert_int_eq(change_in_cold_code(&counter), 7 + 111);
}
END_TEST

/* ---- New threads, handlers, children -------------------------------------------------------- */

static DEFINE_PER_CPU(unsigned long, arrivals);

static unsigned long sum_arrivals(void)
{
	unsigned long sum = 0;
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu(arrivals, cpu);
	return sum;
}

/* errno survives the first operation of a thread, which may register the thread. */
static void *arrive(void *unused UNUSED)
{
	errno = 77;
	this_cpu_inc(arrivals);
	return (void *)(uintptr_t)(errno != 77 || rseq_cs() != 0);
}

START_TEST(each_new_thread_counts)
{
	for (unsigned long i = 1; i <= 500; i++) {
		pthread_t thread;
		void *wrong;

		check_that(!pthread_create(&thread, NULL, arrive, NULL));
		pthread_join(thread, &wrong);
		check_that(!wrong);
		check_that(sum_arrivals() == i);
	}
}
END_TEST

static void arrive_by_signal(int signal_number UNUSED)
{
	arrive(NULL);
}

/* A thread whose first operation is a signal handler's. */
static void *arrive_in_handler(void *unused UNUSED)
{
	raise(SIGUSR1);
	this_cpu_inc(arrivals);
	return NULL;
}

START_TEST(first_operation_of_a_thread_may_be_in_a_handler)
{
	signal(SIGUSR1, arrive_by_signal);
	for (unsigned long i = 1; i <= 100; i++) {
		pthread_t thread;

		check_that(!pthread_create(&thread, NULL, arrive_in_handler, NULL));
		pthread_join(thread, NULL);
		check_that(sum_arrivals() == 2 * i);
	}
}
END_TEST

#ifdef PERMOD_ARCH_X86_64_H
/* As the kernel sees a sequence (struct rseq_cs). */
struct sequence {
	uint32_t version, flags;
	uint64_t start, length, abort_address;
} __attribute__((aligned(32)));

extern const struct sequence __start___pcpu_rseq_cs[], __stop___pcpu_rseq_cs[];

#define STEPS 40 /* more instructions than there are up to the end of the first sequence */
#define TRAP_FLAG 0x100

static __thread int step, last_step;
static __thread bool found_inside;

static void *arrive_step_by_step(void *argument);

/* A sequence of this file that will find no CPU number, whatever the kernel knows by now. */
static bool is_turned_away(uint64_t at)
{
	const char *area = __pcpu_thread_pointer() + (intptr_t)pcpu_layout.rseq;

	return at - (uintptr_t)arrive_step_by_step < 1024 && *(const int32_t *)(area + 4) < 0;
}

/* Comes at each instruction.  At one of them it does an operation, which registers the thread; at
 * the next it looks where the thread is: the kernel must have brought it out of a sequence that would
 * work. */
static void handle_step(int signal_number UNUSED, siginfo_t *info UNUSED, void *state)
{
	greg_t *registers = ((ucontext_t *)state)->uc_mcontext.gregs;
	uint64_t at = (uint64_t)registers[REG_RIP];

	if (++step == last_step) {
		this_cpu_inc(arrivals);
	} else if (step > last_step) {
		registers[REG_EFL] &= ~(greg_t)TRAP_FLAG;
		for (const struct sequence *s = __start___pcpu_rseq_cs; s < __stop___pcpu_rseq_cs;
		     s++)
			found_inside |=
				at > s->start && at < s->start + s->length && !is_turned_away(at);
	}
}

static void *arrive_step_by_step(void *argument)
{
	last_step = (int)(intptr_t)argument;
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
	this_cpu_inc(arrivals);
	__asm__ volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "memory", "cc");
	return (void *)(uintptr_t)found_inside;
}

/* Otherwise the sequence would go on without protection. */
START_TEST(handler_that_registers_the_thread_finds_it_outside_of_a_sequence)
{
	struct sigaction action = { .sa_sigaction = handle_step, .sa_flags = SA_SIGINFO };

	if (!strcmp(mode(), "atomic") || SANITIZED || is_emulated())
		return;
	sigaction(SIGTRAP, &action, NULL);
	for (intptr_t i = 1; i <= STEPS; i++) {
		pthread_t thread;
		void *wrong;

		check_that(!pthread_create(&thread, NULL, arrive_step_by_step, (void *)i));
		pthread_join(thread, &wrong);
		ck_assert_msg(!wrong, "inside after step %d", (int)i);
	}
	ck_assert_uint_ge(sum_arrivals(), STEPS);
}
END_TEST
#endif

START_TEST(child_of_fork_has_copies_of_its_own)
{
	int status;
	pid_t child;

	this_cpu_inc(arrivals);
	child = fork();
	if (!child) {
		for (int i = 0; i < 1000; i++)
			this_cpu_inc(arrivals);
		_exit(sum_arrivals() == 1001 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(sum_arrivals(), 1);
}
END_TEST

/* ---- Exactly once, whatever happens --------------------------------------------------------- */

enum { WORKERS = 4, WORDS = ROUNDS / 40 };

/* What all workers and their handlers change: each operation in each size. */
#define SHARED(bytes, type)                                                                        \
	struct shared_##bytes {                                                                    \
		type added, returned, subtracted, exchanged, toggled, written, token;              \
		struct {                                                                           \
			type first, second;                                                        \
		} __attribute__((aligned(2 * bytes))) pair;                                        \
	};                                                                                         \
                                                                                                   \
	static DEFINE_PER_CPU(struct shared_##bytes, shared_##bytes);                              \
                                                                                                   \
	static void change_##bytes(void)                                                           \
	{                                                                                          \
		type old, second;                                                                  \
                                                                                                   \
		this_cpu_add(shared_##bytes.added, 3);                                             \
		this_cpu_add_return(shared_##bytes.returned, 5);                                   \
		this_cpu_sub(shared_##bytes.subtracted, 7);                                        \
		this_cpu_xor(shared_##bytes.toggled, (type)0x5a);                                  \
		this_cpu_write(shared_##bytes.written, (type)0xa5);                                \
		old = this_cpu_read(shared_##bytes.exchanged);                                     \
		while (!this_cpu_try_cmpxchg(shared_##bytes.exchanged, &old, (type)(old + 1)))     \
			continue;                                                                  \
		CHANGE_PAIR(bytes, type)                                                           \
	}                                                                                          \
                                                                                                   \
	static void check_sums_##bytes(uint64_t times)                                             \
	{                                                                                          \
		struct shared_##bytes sum = { 0 };                                                 \
		unsigned int cpu;                                                                  \
                                                                                                   \
		for_each_possible_cpu(cpu) {                                                       \
			const struct shared_##bytes *copy = per_cpu_ptr(&shared_##bytes, cpu);     \
                                                                                                   \
			sum.added = (type)(sum.added + copy->added);                               \
			sum.returned = (type)(sum.returned + copy->returned);                      \
			sum.subtracted = (type)(sum.subtracted + copy->subtracted);                \
			sum.exchanged = (type)(sum.exchanged + copy->exchanged);                   \
			sum.toggled = (type)(sum.toggled ^ copy->toggled);                         \
			sum.pair.first = (type)(sum.pair.first + copy->pair.first);                \
			sum.pair.second = (type)(sum.pair.second + copy->pair.second);             \
			check_that(copy->written == 0 || copy->written == (type)0xa5);             \
			check_that(copy->pair.second == (type)(2 * copy->pair.first));             \
		}                                                                                  \
		ck_assert_uint_eq(sum.added, (type)(3 * times));                                   \
		ck_assert_uint_eq(sum.returned, (type)(5 * times));                                \
		ck_assert_uint_eq(sum.subtracted, (type)(-7 * times));                             \
		ck_assert_uint_eq(sum.exchanged, (type)times);                                     \
		ck_assert_uint_eq(sum.toggled, times % 2 ? 0x5a : 0);                              \
		ck_assert_uint_eq(sum.pair.first,                                                  \
				  2 * bytes <= PCPU_LARGEST_PAIR ? (type)times : 0);               \
	}

/* One more in the first word, two more in the second. */
#define CHANGE_PAIR(bytes, type)                                                                   \
	do {                                                                                       \
		old = this_cpu_read(shared_##bytes.pair.first);                                    \
		second = this_cpu_read(shared_##bytes.pair.second);                                \
	} while (!TRY_PAIR_##bytes(                                                                \
		this_cpu_cmpxchg_double(shared_##bytes.pair.first, shared_##bytes.pair.second,     \
					old, second, (type)(old + 1), (type)(second + 2))));

#define TRY_PAIR_1(operation) operation
#define TRY_PAIR_2(operation) operation
#if PCPU_LARGEST_PAIR >= 8
#define TRY_PAIR_4(operation) operation
#else
#define TRY_PAIR_4(operation) (second == old)
#endif
#ifdef PCPU_HAVE_CMPXCHG_DOUBLE
#define TRY_PAIR_8(operation) operation
#else
#define TRY_PAIR_8(operation) (second == old)
#endif

SHARED(1, uint8_t)
SHARED(2, uint16_t)
SHARED(4, uint32_t)
SHARED(8, uint64_t)

/* What a worker did: in its loop and in its handler. A token for each size. */
struct tokens {
	uint8_t t1;
	uint16_t t2;
	uint32_t t4;
	uint64_t t8;
};

static struct worker {
	pthread_t thread;
	pid_t id;
	uint64_t rounds;
	struct tokens tokens, handlers_tokens;
	volatile uint64_t handled;
	bool left_named;
} worker[WORKERS];

static __thread struct worker *self;
static __thread volatile sig_atomic_t handling;
static bool finished;

static void change_everything(void)
{
	change_1();
	change_2();
	change_4();
	change_8();
}

static void exchange_tokens(struct tokens *tokens)
{
	tokens->t1 = this_cpu_xchg(shared_1.token, tokens->t1);
	tokens->t2 = this_cpu_xchg(shared_2.token, tokens->t2);
	tokens->t4 = this_cpu_xchg(shared_4.token, tokens->t4);
	tokens->t8 = this_cpu_xchg(shared_8.token, tokens->t8);
}

static void handle(int signal_number UNUSED)
{
	int saved = errno;

	/* A token is one handler's at a time. Not by sa_mask: QEMU lets some signals come in spite of it. */
	if (self && !handling) {
		handling = 1;
		change_everything();
		self->handled++;
		exchange_tokens(&self->handlers_tokens);
		self->left_named |= rseq_cs() != 0;
		handling = 0;
	}
	errno = saved;
}

static void *work(void *argument)
{
	struct worker *me = argument;
	int rounds = is_emulated() ? ROUNDS / 100 : ROUNDS;

	self = me;
	__atomic_store_n(&me->id, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	for (int i = 0; i < rounds; i++) {
		change_everything();
		me->rounds++;
		exchange_tokens(&me->tokens);
		/* ThreadSanitizer holds signals back until a call that may block. */
		if (i % 1024 == 0)
			usleep(1);
	}
	self = NULL;
	return NULL;
}

/* Move the workers from CPU to CPU and send them signals. */
static void *harass(void *unused UNUSED)
{
	unsigned int cpu = 0;

	while (!__atomic_load_n(&finished, __ATOMIC_ACQUIRE)) {
		for (int i = 0; i < WORKERS; i++) {
			pid_t id = __atomic_load_n(&worker[i].id, __ATOMIC_ACQUIRE);
			cpu_set_t set;

			do {
				cpu = (cpu + 1) % CPU_SETSIZE;
			} while (!CPU_ISSET(cpu, &allowed));
			CPU_ZERO(&set);
			CPU_SET(cpu, &set);
			if (id) {
				sched_setaffinity(id, sizeof(set), &set);
				syscall(SYS_tgkill, getpid(), id, SIGUSR2);
			}
		}
		usleep((useconds_t)pause_between_signals() / 2);
		cpu++;
	}
	return NULL;
}

static void run_workers(void *(*body)(void *))
{
	struct itimerval often = { { 0, pause_between_signals() }, { 0, pause_between_signals() } };
	struct itimerval never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };
	pthread_t harasser;

	finished = false;
	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	check_that(!pthread_create(&harasser, NULL, harass, NULL));
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < WORKERS; i++)
		check_that(!pthread_create(&worker[i].thread, NULL, body, &worker[i]));
	for (int i = 0; i < WORKERS; i++)
		pthread_join(worker[i].thread, NULL);
	setitimer(ITIMER_REAL, &never, NULL);
	__atomic_store_n(&finished, true, __ATOMIC_RELEASE);
	pthread_join(harasser, NULL);
}

/* Each worker and each handler came with a token of its own and exchanged it all the time: each
 * token is still there once. */
#define CHECK_TOKENS(bytes)                                                                        \
	do {                                                                                       \
		unsigned int seen[2 * WORKERS + 1] = { 0 }, cpu;                                   \
                                                                                                   \
		for (int i = 0; i < WORKERS; i++) {                                                \
			seen[worker[i].tokens.t##bytes]++;                                         \
			seen[worker[i].handlers_tokens.t##bytes]++;                                \
		}                                                                                  \
		for_each_possible_cpu(cpu)                                                         \
			seen[per_cpu(shared_##bytes.token, cpu)]++;                                \
		for (int i = 1; i <= 2 * WORKERS; i++)                                             \
			ck_assert_uint_eq(seen[i], 1);                                             \
	} while (0)

START_TEST(every_operation_happens_exactly_once)
{
	uint64_t times = 0, handled = 0;

	for (int i = 0; i < WORKERS; i++) {
		uint8_t one = (uint8_t)(2 * i + 1), other = (uint8_t)(2 * i + 2);

		worker[i].tokens = (struct tokens){ one, one, one, one };
		worker[i].handlers_tokens = (struct tokens){ other, other, other, other };
	}
	run_workers(work);
	for (int i = 0; i < WORKERS; i++) {
		times += worker[i].rounds + worker[i].handled;
		handled += worker[i].handled;
		ck_assert(!worker[i].left_named);
	}
	ck_assert_uint_gt(handled, 0);
	check_sums_1(times);
	check_sums_2(times);
	check_sums_4(times);
	check_sums_8(times);
	CHECK_TOKENS(1);
	CHECK_TOKENS(2);
	CHECK_TOKENS(4);
	CHECK_TOKENS(8);
}
END_TEST

/*
 * Setting and clearing bits: every bit belongs to one worker, which sets (clears) it once on the
 * CPU that it is on.  If no update is lost, it is set (clear) on some CPU in the end.
 */
#define DEFINE_BITS(size, type)                                                                    \
	static type __percpu *bits##size;                                                          \
                                                                                                   \
	static void change_bits##size(unsigned int who, bool set)                                  \
	{                                                                                          \
		for (int i = 0; i < WORDS; i++) {                                                  \
			for (unsigned int bit = who; bit < size; bit += WORKERS) {                 \
				if (set)                                                           \
					this_cpu_or(bits##size[i], (type)((type)1 << bit));        \
				else                                                               \
					this_cpu_and(bits##size[i], (type) ~((type)1 << bit));     \
			}                                                                          \
		}                                                                                  \
	}                                                                                          \
                                                                                                   \
	static void check_bits##size(bool set)                                                     \
	{                                                                                          \
		unsigned int cpu;                                                                  \
                                                                                                   \
		for (int i = 0; i < WORDS; i++) {                                                  \
			type any = 0, all = (type)-1;                                              \
                                                                                                   \
			for_each_possible_cpu(cpu) {                                               \
				any = (type)(any | *per_cpu_ptr(&bits##size[i], cpu));             \
				all = (type)(all & *per_cpu_ptr(&bits##size[i], cpu));             \
			}                                                                          \
			check_that(set ? any == (type)-1 : all == 0);                              \
		}                                                                                  \
	}

DEFINE_BITS(8, uint8_t)
DEFINE_BITS(16, uint16_t)
DEFINE_BITS(32, uint32_t)
DEFINE_BITS(64, uint64_t)

static bool setting;

static void *change_bits(void *argument)
{
	struct worker *me = argument;
	unsigned int who = (unsigned int)(me - worker);

	__atomic_store_n(&me->id, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	change_bits8(who, setting);
	change_bits16(who, setting);
	change_bits32(who, setting);
	change_bits64(who, setting);
	return NULL;
}

START_TEST(no_bit_is_lost)
{
	bits8 = __alloc_percpu(WORDS, 1);
	bits16 = __alloc_percpu(WORDS * sizeof(uint16_t), 2);
	bits32 = __alloc_percpu(WORDS * sizeof(uint32_t), 4);
	bits64 = __alloc_percpu(WORDS * sizeof(uint64_t), 8);
	setting = _i == 0;
	if (!setting) {
		unsigned int cpu;

		for_each_possible_cpu(cpu) {
			memset(per_cpu_ptr(bits8, cpu), 0xff, WORDS);
			memset(per_cpu_ptr(bits16, cpu), 0xff, WORDS * sizeof(uint16_t));
			memset(per_cpu_ptr(bits32, cpu), 0xff, WORDS * sizeof(uint32_t));
			memset(per_cpu_ptr(bits64, cpu), 0xff, WORDS * sizeof(uint64_t));
		}
	}
	run_workers(change_bits);
	check_bits8(setting);
	check_bits16(setting);
	check_bits32(setting);
	check_bits64(setting);
}
END_TEST

/* ---- The three modes ------------------------------------------------------------------------ */

static void add_tests_by_cpu(TCase *tests)
{
	tcase_add_test(tests, every_operation_on_int8);
	tcase_add_test(tests, every_operation_on_uint16);
	tcase_add_test(tests, every_operation_on_int32);
	tcase_add_test(tests, every_operation_on_uint64);
#ifndef QUICK
	tcase_add_test(tests, every_operation_on_uint8);
	tcase_add_test(tests, every_operation_on_int16);
	tcase_add_test(tests, every_operation_on_uint32);
	tcase_add_test(tests, every_operation_on_int64);
	tcase_add_test(tests, every_operation_on_char);
	tcase_add_test(tests, every_operation_on_long_long);
#endif
	tcase_add_test(tests, pointers_and_enumerations_are_moved);
	tcase_add_test(tests, arguments_are_evaluated_once);
	tcase_add_test(tests, operations_nest);
	tcase_add_test(tests, other_names_do_the_same);
	tcase_add_test(tests, pairs_are_compared_and_written_together);
	tcase_add_test(tests, pairs_that_are_none_are_refused);
	tcase_add_test(tests, operand_is_converted_to_the_variables_type);
	tcase_add_test(tests, copy_read_through_a_pointer_is_up_to_date);
	tcase_add_test(tests, operations_work_in_cold_code);
	tcase_add_test(tests, accessors_find_the_copy);
#ifdef PERMOD_ARCH_X86_64_H
	tcase_add_test(tests, handler_that_registers_the_thread_finds_it_outside_of_a_sequence);
#endif
}

static int run_suite(void)
{
	static char name[64];
	Suite *suite;
	TCase *tests = tcase_create("ops");
	SRunner *runner;
	int failed;

	snprintf(name, sizeof(name), "percpu_ops, mode %s", mode());
	suite = suite_create(name);
	tcase_set_timeout(tests, 300);
	tcase_add_test(tests, mode_is_the_one_asked_for);
	tcase_add_test(tests, each_new_thread_counts);
	tcase_add_test(tests, first_operation_of_a_thread_may_be_in_a_handler);
	tcase_add_test(tests, child_of_fork_has_copies_of_its_own);
	tcase_add_test(tests, every_operation_happens_exactly_once);
	tcase_add_loop_test(tests, no_bit_is_lost, 0, 2);
	/* The others bind themselves to a CPU, and look at the copy of that number. */
	if (strcmp(mode(), "mm_cid") != 0)
		add_tests_by_cpu(tests);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(void)
{
	int failed = 0;

	if (!getenv("PERCPU_TEST_MODE")) {
		failed |= run_mode("atomic", "PERCPU_OPS", "atomic");
		failed |= run_mode("own", "GLIBC_TUNABLES", "glibc.pthread.rseq=0");
		if (getauxval(AT_RSEQ_FEATURE_SIZE) >= 28 && !strcmp(pcpu_ops_name(), "rseq"))
			failed |= run_mode("mm_cid", "PERCPU_INDEX", "mm_cid");
	}
	return failed | run_suite();
}
