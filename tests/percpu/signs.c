/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Signs and widths: operations on a per-CPU variable of each integer type, with operands of each type,
 * do what the compiler's own += and the like do to an ordinary variable of that type. The traps: minus
 * one as an unsigned int, added to or subtracted from something wider; the negation that makes a
 * subtraction of an addition; operands narrower than the variable; what the result of a signed char is
 * in a wider expression. C and C++.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <permod/percpu.h>

#include <sched.h>
#include <stdio.h>

static int failures, checks;

/* Operands that the compiler can't know. */
static volatile unsigned int ui_one = 1;
static volatile int si_one = 1;
static volatile signed char sc_least = -128;
static volatile unsigned short us_most = 65535;
static volatile long long sl_least = -9223372036854775807LL - 1;

/* All bits of what was got and what was right, as a wider expression sees them. */
static void compare(const char *what, const char *type, const char *operand, long long got,
		    long long right)
{
	checks++;
	if (got == right)
		return;
	failures++;
	printf("%s of %s: %s: %#llx, not %#llx\n", what, type, operand, (unsigned long long)got,
	       (unsigned long long)right);
}

#define COMPARE(what, type, operand, got, right)                                                   \
	compare(what, #type, #operand, (long long)(got), (long long)(right))

/* Unsigned arithmetic wraps, and 64 bits hold what any narrower sum is made of. */
#define TRY_CHANGE(type, name, start, operand, operation, native)                                  \
	do {                                                                                       \
		type x = (type)(start);                                                            \
		this_cpu_write(variable_##name, x);                                                \
		this_cpu_##operation(variable_##name, operand);                                    \
		x = (type)((unsigned long long)x native(unsigned long long)(type)(operand));       \
		COMPARE(#operation, type, operand, this_cpu_read(variable_##name), x);             \
	} while (0)

#define TRY_RETURN(type, name, start, operand, operation, native)                                  \
	do {                                                                                       \
		type x = (type)(start);                                                            \
		long long wide;                                                                    \
		this_cpu_write(variable_##name, x);                                                \
		wide = (long long)this_cpu_##operation(variable_##name, operand);                  \
		x = (type)((unsigned long long)x native(unsigned long long)(type)(operand));       \
		COMPARE(#operation, type, operand, wide, x);                                       \
		COMPARE(#operation, type, operand, this_cpu_read(variable_##name), x);             \
	} while (0)

#define TRY_EXCHANGE(type, name, start, operand)                                                   \
	do {                                                                                       \
		type x = (type)(start), right = (type)(operand);                                   \
		this_cpu_write(variable_##name, start);                                            \
		COMPARE("cmpxchg", type, operand,                                                  \
			this_cpu_cmpxchg(variable_##name, start, operand), x);                     \
		COMPARE("xchg", type, operand, this_cpu_xchg(variable_##name, start), right);      \
		COMPARE("xchg", type, operand, this_cpu_read(variable_##name), x);                 \
	} while (0)

/* A function for each operand: compilers take long over large ones. */
#define DEFINE_OPERAND(type, name, number, operand)                                                \
	static void try_##name##_##number(type start)                                              \
	{                                                                                          \
		TRY_CHANGE(type, name, start, operand, add, +);                                    \
		TRY_CHANGE(type, name, start, operand, sub, -);                                    \
		TRY_CHANGE(type, name, start, operand, and, &);                                    \
		TRY_CHANGE(type, name, start, operand, or, |);                                     \
		TRY_CHANGE(type, name, start, operand, xor, ^);                                    \
		TRY_RETURN(type, name, start, operand, add_return, +);                             \
		TRY_RETURN(type, name, start, operand, sub_return, -);                             \
		TRY_EXCHANGE(type, name, start, operand);                                          \
	}

static const unsigned long long starts[] = { 0, -1ULL, 0x5a5a5a5a, 0x8080808080808080ULL };

#define DEFINE_TYPE(type, name)                                                                    \
	static DEFINE_PER_CPU(type, variable_##name);                                              \
	DEFINE_OPERAND(type, name, 1, ui_one)                                                      \
	DEFINE_OPERAND(type, name, 2, -ui_one)                                                     \
	DEFINE_OPERAND(type, name, 3, -si_one)                                                     \
	DEFINE_OPERAND(type, name, 4, sc_least)                                                    \
	DEFINE_OPERAND(type, name, 5, us_most)                                                     \
	DEFINE_OPERAND(type, name, 6, sl_least)                                                    \
	DEFINE_OPERAND(type, name, 7, -1)                                                          \
	DEFINE_OPERAND(type, name, 8, -1U)                                                         \
	DEFINE_OPERAND(type, name, 9, (signed char)-1)                                             \
	static void try_steps_##name(void)                                                         \
	{                                                                                          \
		this_cpu_write(variable_##name, 0);                                                \
		this_cpu_dec(variable_##name);                                                     \
		COMPARE("dec", type, 0, this_cpu_read(variable_##name), (type)-1);                 \
		COMPARE("inc_return", type, 0, this_cpu_inc_return(variable_##name), 0);           \
		COMPARE("dec_return", type, 0, this_cpu_dec_return(variable_##name), (type)-1);    \
		COMPARE("size of a result", type, 0, sizeof(this_cpu_read(variable_##name)),       \
			sizeof(type));                                                             \
	}                                                                                          \
	static void try_##name(void)                                                               \
	{                                                                                          \
		for (unsigned int i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {            \
			type start = (type)starts[i];                                              \
			try_##name##_1(start);                                                     \
			try_##name##_2(start);                                                     \
			try_##name##_3(start);                                                     \
			try_##name##_4(start);                                                     \
			try_##name##_5(start);                                                     \
			try_##name##_6(start);                                                     \
			try_##name##_7(start);                                                     \
			try_##name##_8(start);                                                     \
			try_##name##_9(start);                                                     \
		}                                                                                  \
		try_steps_##name();                                                                \
	}

DEFINE_TYPE(signed char, schar)
DEFINE_TYPE(unsigned char, uchar)
DEFINE_TYPE(short, sshort)
DEFINE_TYPE(unsigned int, uint)
DEFINE_TYPE(long, slong)
DEFINE_TYPE(unsigned long, ulong)

static void stay_here(void)
{
	unsigned long set[128] = { 0 };
	unsigned int cpu = smp_processor_id();

	set[cpu / (8 * sizeof(long))] = 1UL << cpu % (8 * sizeof(long));
	if (sched_setaffinity(0, sizeof(set), (cpu_set_t *)set))
		perror("sched_setaffinity");
}

/*
 * A copy that is looked at by its address before and after an operation, whatever its type: the compiler
 * must not take the operation for one on something else.
 */
static DEFINE_PER_CPU(long long, wide);
static DEFINE_PER_CPU(const char *, pointer);
#ifdef PCPU_HAVE_CMPXCHG_DOUBLE
struct pair {
	const char *pointer;
	long long count;
} __attribute__((aligned(16)));
static DEFINE_PER_CPU(struct pair, both);
#endif

__attribute__((noinline)) static void try_addresses(unsigned int cpu, const char *text)
{
	long long *count = per_cpu_ptr(&wide, cpu), before = *count;
	const char **name = per_cpu_ptr(&pointer, cpu), *first = *name;
#ifdef PCPU_HAVE_CMPXCHG_DOUBLE
	struct pair *pair = per_cpu_ptr(&both, cpu);
	long long counted = pair->count;
	const char *named = pair->pointer;

	this_cpu_cmpxchg_double(both.pointer, both.count, named, counted, text, counted + 1);
	COMPARE("cmpxchg_double", pair, count, pair->count - counted, 1);
	COMPARE("cmpxchg_double", pair, pointer, pair->pointer != named, 1);
#endif
	this_cpu_inc(wide);
	COMPARE("inc", long long, address, *count - before, 1);
	this_cpu_xchg(wide, 70);
	COMPARE("xchg", long long, address, *count, 70);
	this_cpu_write(pointer, text);
	COMPARE("write", pointer, address, *name != first && *name == text, 1);
	while (*count < 80)
		this_cpu_add_return(wide, 1);
	COMPARE("add_return", long long, address, *count, 80);
}

int main(void)
{
	stay_here();
	try_addresses(smp_processor_id(), "text");
	try_schar();
	try_uchar();
	try_sshort();
	try_uint();
	try_slong();
	try_ulong();
	printf("%d checks, %d failures\n", checks, failures);
	return failures != 0 || checks < 1000;
}
