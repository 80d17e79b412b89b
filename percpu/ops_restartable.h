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

static uint64_t operate(unsigned int code, uintptr_t cookie, uint64_t a, uint64_t b)
{
	size_t size = code % 16;

	switch (code / 16) {
	case PCPU_READ:
		return __pcpu_read(cookie, size);
	case PCPU_WRITE:
		__pcpu_write(cookie, size, a);
		return 0;
	case PCPU_ADD:
		__pcpu_add(cookie, size, a);
		return 0;
	case PCPU_AND:
		__pcpu_and(cookie, size, a);
		return 0;
	case PCPU_OR:
		__pcpu_or(cookie, size, a);
		return 0;
	case PCPU_XOR:
		__pcpu_xor(cookie, size, a);
		return 0;
	case PCPU_XADD:
		return __pcpu_xadd(cookie, size, a);
	case PCPU_XCHG:
		return __pcpu_xchg(cookie, size, a);
	default:
		return __pcpu_cmpxchg(cookie, size, a, b);
	}
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
