/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an architecture gives to the kernel's <linux/atomic.h>: operations on whole counters, by the
 * compiler's, fully ordered.  The kernel makes the others of these: those with less order, with
 * conditions, and atomic_long_t.
 */
#ifndef PERMOD_KERNEL_ATOMIC_H
#define PERMOD_KERNEL_ATOMIC_H

#include <asm/cmpxchg.h>
#include <linux/types.h>

#define ATOMIC_INIT(number)                                                                        \
	{                                                                                          \
		(number)                                                                           \
	}
#define ATOMIC64_INIT(number) ATOMIC_INIT(number)

/* A function and a macro of its name, by which the kernel sees that it is there. */
#define PERMOD_ATOMIC_OP(prefix, type, value, name, builtin)                                       \
	static __always_inline void arch_##prefix##_##name(value number, type *counter)            \
	{                                                                                          \
		__atomic_fetch_##builtin(&counter->counter, number, __ATOMIC_RELAXED);             \
	}                                                                                          \
	static __always_inline value arch_##prefix##_fetch_##name(value number, type *counter)     \
	{                                                                                          \
		return __atomic_fetch_##builtin(&counter->counter, number, __ATOMIC_SEQ_CST);      \
	}
#define PERMOD_ATOMIC_RETURN(prefix, type, value, name)                                            \
	static __always_inline value arch_##prefix##_##name##_return(value number, type *counter)  \
	{                                                                                          \
		return __atomic_##name##_fetch(&counter->counter, number, __ATOMIC_SEQ_CST);       \
	}
#define PERMOD_ATOMIC(prefix, type, value)                                                         \
	static __always_inline value arch_##prefix##_read(const type *counter)                     \
	{                                                                                          \
		return READ_ONCE(counter->counter);                                                \
	}                                                                                          \
	static __always_inline void arch_##prefix##_set(type *counter, value number)               \
	{                                                                                          \
		WRITE_ONCE(counter->counter, number);                                              \
	}                                                                                          \
	PERMOD_ATOMIC_OP(prefix, type, value, add, add)                                            \
	PERMOD_ATOMIC_OP(prefix, type, value, sub, sub)                                            \
	PERMOD_ATOMIC_OP(prefix, type, value, and, and)                                            \
	PERMOD_ATOMIC_OP(prefix, type, value, or, or)                                              \
	PERMOD_ATOMIC_OP(prefix, type, value, xor, xor)                                            \
	PERMOD_ATOMIC_RETURN(prefix, type, value, add)                                             \
	PERMOD_ATOMIC_RETURN(prefix, type, value, sub)                                             \
	static __always_inline value arch_##prefix##_xchg(type *counter, value number)             \
	{                                                                                          \
		return arch_xchg(&counter->counter, number);                                       \
	}                                                                                          \
	static __always_inline value arch_##prefix##_cmpxchg(type *counter, value old,             \
							     value number)                         \
	{                                                                                          \
		return arch_cmpxchg(&counter->counter, old, number);                               \
	}

PERMOD_ATOMIC(atomic, atomic_t, int)
PERMOD_ATOMIC(atomic64, atomic64_t, s64)

#define arch_atomic_add_return arch_atomic_add_return
#define arch_atomic_sub_return arch_atomic_sub_return
#define arch_atomic_fetch_add arch_atomic_fetch_add
#define arch_atomic_fetch_sub arch_atomic_fetch_sub
#define arch_atomic_fetch_and arch_atomic_fetch_and
#define arch_atomic_fetch_or arch_atomic_fetch_or
#define arch_atomic_fetch_xor arch_atomic_fetch_xor
#define arch_atomic_xchg arch_atomic_xchg
#define arch_atomic_cmpxchg arch_atomic_cmpxchg
#define arch_atomic64_add_return arch_atomic64_add_return
#define arch_atomic64_sub_return arch_atomic64_sub_return
#define arch_atomic64_fetch_add arch_atomic64_fetch_add
#define arch_atomic64_fetch_sub arch_atomic64_fetch_sub
#define arch_atomic64_fetch_and arch_atomic64_fetch_and
#define arch_atomic64_fetch_or arch_atomic64_fetch_or
#define arch_atomic64_fetch_xor arch_atomic64_fetch_xor
#define arch_atomic64_xchg arch_atomic64_xchg
#define arch_atomic64_cmpxchg arch_atomic64_cmpxchg

#endif
