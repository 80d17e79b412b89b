/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For tests of architectures: every operation in every size as a table of functions, and what each
 * must do, in plain C.  Without Check, as cross compilers have libc alone.
 */
#ifndef TESTS_PERCPU_OPERATIONS_H
#define TESTS_PERCPU_OPERATIONS_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* A variable and what is around it, which nothing may change. */
struct place {
	_Alignas(16) unsigned char byte[32];
};

/* The operand, what cmpxchg expects, and what came back: the low bytes count. */
typedef uint64_t operation(uintptr_t cookie, uint64_t value, uint64_t expected);

struct operation {
	const char *name;
	unsigned int code, size;
	operation *run;
};

/* What does not give anything back gives 0. */
#define DEFINE_OPERATIONS(type, n)                                                                 \
	static uint64_t read_##n(uintptr_t c, uint64_t v, uint64_t e)                              \
	{                                                                                          \
		(void)v, (void)e;                                                                  \
		return this_cpu_read(*(type *)c);                                                  \
	}                                                                                          \
	static uint64_t write_##n(uintptr_t c, uint64_t v, uint64_t e)                             \
	{                                                                                          \
		(void)e;                                                                           \
		this_cpu_write(*(type *)c, v);                                                     \
		return 0;                                                                          \
	}                                                                                          \
	static uint64_t add_##n(uintptr_t c, uint64_t v, uint64_t e)                               \
	{                                                                                          \
		(void)e;                                                                           \
		this_cpu_add(*(type *)c, v);                                                       \
		return 0;                                                                          \
	}                                                                                          \
	static uint64_t and_##n(uintptr_t c, uint64_t v, uint64_t e)                               \
	{                                                                                          \
		(void)e;                                                                           \
		this_cpu_and(*(type *)c, v);                                                       \
		return 0;                                                                          \
	}                                                                                          \
	static uint64_t or_##n(uintptr_t c, uint64_t v, uint64_t e)                                \
	{                                                                                          \
		(void)e;                                                                           \
		this_cpu_or(*(type *)c, v);                                                        \
		return 0;                                                                          \
	}                                                                                          \
	static uint64_t xor_##n(uintptr_t c, uint64_t v, uint64_t e)                               \
	{                                                                                          \
		(void)e;                                                                           \
		this_cpu_xor(*(type *)c, v);                                                       \
		return 0;                                                                          \
	}                                                                                          \
	static uint64_t add_return_##n(uintptr_t c, uint64_t v, uint64_t e)                        \
	{                                                                                          \
		(void)e;                                                                           \
		return this_cpu_add_return(*(type *)c, v);                                         \
	}                                                                                          \
	static uint64_t xchg_##n(uintptr_t c, uint64_t v, uint64_t e)                              \
	{                                                                                          \
		(void)e;                                                                           \
		return this_cpu_xchg(*(type *)c, v);                                               \
	}                                                                                          \
	static uint64_t cmpxchg_##n(uintptr_t c, uint64_t v, uint64_t e)                           \
	{                                                                                          \
		return this_cpu_cmpxchg(*(type *)c, e, v);                                         \
	}

DEFINE_OPERATIONS(uint8_t, 1)
DEFINE_OPERATIONS(uint16_t, 2)
DEFINE_OPERATIONS(uint32_t, 4)
DEFINE_OPERATIONS(uint64_t, 8)

#define OPERATIONS(n)                                                                              \
	{ "read", PCPU_READ, n, read_##n }, { "write", PCPU_WRITE, n, write_##n },                 \
		{ "add", PCPU_ADD, n, add_##n }, { "and", PCPU_AND, n, and_##n },                  \
		{ "or", PCPU_OR, n, or_##n }, { "xor", PCPU_XOR, n, xor_##n },                     \
		{ "add_return", PCPU_XADD, n, add_return_##n },                                    \
		{ "xchg", PCPU_XCHG, n, xchg_##n },                                                \
	{                                                                                          \
		"cmpxchg", PCPU_CMPXCHG, n, cmpxchg_##n                                            \
	}

static const struct operation operations[] = { OPERATIONS(1), OPERATIONS(2), OPERATIONS(4),
					       OPERATIONS(8) };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t low_bytes(uint64_t value, unsigned int size)
{
	return size < 8 ? value & (((uint64_t)1 << 8 * size) - 1) : value;
}

static uint64_t load(const void *from, unsigned int size)
{
	uint8_t v1;
	uint16_t v2;
	uint32_t v4;
	uint64_t v8;

	switch (size) {
	case 1:
		memcpy(&v1, from, 1);
		return v1;
	case 2:
		memcpy(&v2, from, 2);
		return v2;
	case 4:
		memcpy(&v4, from, 4);
		return v4;
	default:
		memcpy(&v8, from, 8);
		return v8;
	}
}

static void store(void *to, uint64_t value, unsigned int size)
{
	uint8_t v1 = (uint8_t)value;
	uint16_t v2 = (uint16_t)value;
	uint32_t v4 = (uint32_t)value;

	switch (size) {
	case 1:
		memcpy(to, &v1, 1);
		break;
	case 2:
		memcpy(to, &v2, 2);
		break;
	case 4:
		memcpy(to, &v4, 4);
		break;
	default:
		memcpy(to, &value, 8);
		break;
	}
}

/* What the operation does to the variable at `at`; returns what it gives back. */
static uint64_t expect(const struct operation *op, void *at, uint64_t value, uint64_t expected)
{
	uint64_t old = load(at, op->size);

	switch (op->code) {
	case PCPU_READ:
		return old;
	case PCPU_WRITE:
		store(at, value, op->size);
		return 0;
	case PCPU_ADD:
		store(at, old + value, op->size);
		return 0;
	case PCPU_AND:
		store(at, old & value, op->size);
		return 0;
	case PCPU_OR:
		store(at, old | value, op->size);
		return 0;
	case PCPU_XOR:
		store(at, old ^ value, op->size);
		return 0;
	case PCPU_XADD:
		store(at, old + value, op->size);
		return low_bytes(old + value, op->size);
	case PCPU_XCHG:
		store(at, value, op->size);
		return old;
	default:
		if (old == low_bytes(expected, op->size))
			store(at, value, op->size);
		return old;
	}
}

static unsigned int checks, failures;

/* One thing that must be; says what of which operation was not. */
static void check_that(bool condition, const struct operation *op, const char *what)
{
	checks++;
	if (condition)
		return;
	failures++;
	printf("not ok %s, %u bytes: %s\n", op->name, op->size, what);
}

static int report(const char *title)
{
	printf("%s: %u checks, %u failed\n", title, checks, failures);
	return failures || !checks;
}

#endif
