/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Operations by atomic instructions on the copy of the CPU that the thread has just been on.  It may
 * be on another one by then, and two CPUs work on one copy: hence atomic.  Needs nothing of the
 * thread, so that it works in threads that nobody has prepared.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <sched.h>

/* sched_getcpu() may ask the thread's rseq area, which getcpu() does not. */
static int read_cpu(unsigned int *cpu)
{
#ifdef HAVE_GETCPU
	return getcpu(cpu, NULL);
#else
	int current = sched_getcpu();

	*cpu = (unsigned int)current;
	return current < 0 ? -1 : 0;
#endif
}

unsigned int pcpu_current_cpu(void)
{
	unsigned int cpu = 0;
	int saved = errno;

	if (read_cpu(&cpu)) {
		cpu = 0;
		errno = saved;
	}
	/* An emulator may tell the number of a CPU that it does not list. */
	return cpu < pcpu_core.nr_cpus ? cpu : cpu % pcpu_core.nr_cpus;
}

#define ATOMIC_OPERATIONS(type, bytes)                                                             \
	static uint64_t atomic_##bytes(unsigned int operation, void *copy, uint64_t a, uint64_t b) \
	{                                                                                          \
		type *p = copy, expected = (type)a;                                                \
                                                                                                   \
		switch (operation) {                                                               \
		case PCPU_READ:                                                                    \
			return __atomic_load_n(p, __ATOMIC_RELAXED);                               \
		case PCPU_WRITE:                                                                   \
			__atomic_store_n(p, (type)a, __ATOMIC_RELAXED);                            \
			return 0;                                                                  \
		case PCPU_AND:                                                                     \
			return __atomic_fetch_and(p, (type)a, __ATOMIC_RELAXED);                   \
		case PCPU_OR:                                                                      \
			return __atomic_fetch_or(p, (type)a, __ATOMIC_RELAXED);                    \
		case PCPU_XOR:                                                                     \
			return __atomic_fetch_xor(p, (type)a, __ATOMIC_RELAXED);                   \
		case PCPU_ADD:                                                                     \
		case PCPU_XADD:                                                                    \
			return __atomic_fetch_add(p, (type)a, __ATOMIC_RELAXED);                   \
		case PCPU_XCHG:                                                                    \
			return __atomic_exchange_n(p, (type)a, __ATOMIC_RELAXED);                  \
		default:                                                                           \
			__atomic_compare_exchange_n(p, &expected, (type)b, false,                  \
						    __ATOMIC_RELAXED, __ATOMIC_RELAXED);           \
			return expected;                                                           \
		}                                                                                  \
	}

#if PCPU_ATOMIC_NARROW
ATOMIC_OPERATIONS(uint8_t, 1)
ATOMIC_OPERATIONS(uint16_t, 2)
#else
#define atomic_1(operation, copy, a, b) pcpu_atomic_narrow(operation, copy, 1, a, b)
#define atomic_2(operation, copy, a, b) pcpu_atomic_narrow(operation, copy, 2, a, b)
#endif
ATOMIC_OPERATIONS(uint32_t, 4)
#if PCPU_ATOMIC_8
ATOMIC_OPERATIONS(uint64_t, 8)
#else
#define atomic_8 pcpu_atomic_8
#endif

static void *this_copy(uintptr_t cookie)
{
	return (void *)__pcpu_copy_at(cookie, per_cpu_offset(pcpu_current_cpu()));
}

static uint64_t operate(unsigned int code, uintptr_t cookie, uint64_t a, uint64_t b)
{
	void *copy = this_copy(cookie);

	switch (code % 16) {
	case 1:
		return atomic_1(code / 16, copy, a, b);
	case 2:
		return atomic_2(code / 16, copy, a, b);
	case 4:
		return atomic_4(code / 16, copy, a, b);
	default:
		return atomic_8(code / 16, copy, a, b);
	}
}

#ifdef PCPU_HAVE_CMPXCHG_DOUBLE
static int cmpxchg_double(uintptr_t cookie, uint64_t o1, uint64_t o2, uint64_t n1, uint64_t n2)
{
	return __pcpu_atomic_cmpxchg_double(this_copy(cookie), o1, o2, n1, n2);
}
#endif

const struct pcpu_way pcpu_way_atomic = {
	.operate = operate,
#ifdef PCPU_HAVE_CMPXCHG_DOUBLE
	.cmpxchg_double = cmpxchg_double,
#endif
	.unit_number = pcpu_current_cpu,
};
