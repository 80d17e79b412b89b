/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Operations by sequences of the library's own, on the area that the kernel knows (inline code looks
 * at another one then; see ops.c).  A file for each number that can select the unit includes this,
 * and defines before:
 *
 *     PCPU_RSEQ_INDEX	where that number is in struct rseq (bytes)
 *     RESTARTABLE_WAY	the name of the way
 *
 * Nothing is left of it where the architecture has no sequences.
 */
#define PCPU_RSEQ_AREA pcpu_area
extern char *pcpu_area;
#include "internal.h"

#ifdef PCPU_HAVE_SEQUENCES

/* One jump leads to the operation and its size. */
#define SIZES(operation, expression)                                                               \
	SIZE(operation, expression, 1)                                                             \
	SIZE(operation, expression, 2)                                                             \
	SIZE(operation, expression, 4)                                                             \
	SIZE(operation, expression, 8)
#define SIZE(operation, expression, bytes)                                                         \
	case PCPU_CODE(operation, bytes): {                                                        \
		const size_t size = bytes;                                                         \
                                                                                                   \
		return (expression);                                                               \
	}

static uint64_t operate(unsigned int code, uintptr_t cookie, uint64_t a, uint64_t b)
{
	switch (code) {
		SIZES(PCPU_READ, __pcpu_read(cookie, size))
		SIZES(PCPU_WRITE, (__pcpu_write(cookie, size, a), 0))
		SIZES(PCPU_ADD, (__pcpu_add(cookie, size, a), 0))
		SIZES(PCPU_AND, (__pcpu_and(cookie, size, a), 0))
		SIZES(PCPU_OR, (__pcpu_or(cookie, size, a), 0))
		SIZES(PCPU_XOR, (__pcpu_xor(cookie, size, a), 0))
		SIZES(PCPU_XADD, __pcpu_xadd(cookie, size, a))
		SIZES(PCPU_XCHG, __pcpu_xchg(cookie, size, a))
		SIZES(PCPU_CMPXCHG, __pcpu_cmpxchg(cookie, size, a, b))
	}
	return 0;
}

static unsigned int unit_number(void)
{
	return __pcpu_cpu();
}

const struct pcpu_way RESTARTABLE_WAY = {
	.operate = operate,
#ifdef PCPU_HAVE_CMPXCHG_DOUBLE
	.cmpxchg_double = __pcpu_cmpxchg_double,
#endif
	.unit_number = unit_number,
};

#endif
