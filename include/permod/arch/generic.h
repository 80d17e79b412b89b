/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * this_cpu operations for architectures without sequences of their own: each is a call into the
 * library, which uses atomic instructions.  Included by <permod/percpu.h>; do not include it.
 */
#ifndef PERMOD_ARCH_GENERIC_H
#define PERMOD_ARCH_GENERIC_H

/* The largest size for which operations of different sizes on the same bytes exclude each other: where
 * words have 4 bytes, those of 8 may be done under a lock. */
#if UINTPTR_MAX > 0xffffffffU
#define PCPU_SEQUENCE_BYTES 8
#else
#define PCPU_SEQUENCE_BYTES 4
#endif

#define PCPU_SLOW_VOID(name, code)                                                                 \
	static inline void __pcpu_##name(uintptr_t cookie, size_t size, uint64_t value)            \
	{                                                                                          \
		pcpu_slow_operation(PCPU_CODE(code, size), cookie, value, 0);                      \
	}

#define PCPU_SLOW_VALUE(name, code)                                                                \
	static inline uint64_t __pcpu_##name(uintptr_t cookie, size_t size, uint64_t value)        \
	{                                                                                          \
		return pcpu_slow_operation(PCPU_CODE(code, size), cookie, value, 0);               \
	}

PCPU_SLOW_VOID(write, PCPU_WRITE)
PCPU_SLOW_VOID(add, PCPU_ADD)
PCPU_SLOW_VOID(and, PCPU_AND)
PCPU_SLOW_VOID(or, PCPU_OR)
PCPU_SLOW_VOID(xor, PCPU_XOR)
PCPU_SLOW_VALUE(xadd, PCPU_XADD)
PCPU_SLOW_VALUE(xchg, PCPU_XCHG)

static inline uint64_t __pcpu_read(uintptr_t cookie, size_t size)
{
	return pcpu_slow_operation(PCPU_CODE(PCPU_READ, size), cookie, 0, 0);
}

static inline uint64_t __pcpu_cmpxchg(uintptr_t cookie, size_t size, uint64_t expected,
				      uint64_t value)
{
	return pcpu_slow_operation(PCPU_CODE(PCPU_CMPXCHG, size), cookie, expected, value);
}

static inline unsigned int __pcpu_cpu(void)
{
	return pcpu_slow_cpu();
}

#undef PCPU_SLOW_VOID
#undef PCPU_SLOW_VALUE

#endif
