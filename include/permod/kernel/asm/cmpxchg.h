/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Exchange, and compare and exchange, of variables of any type that the CPU does this with. */
#ifndef PERMOD_KERNEL_CMPXCHG_H
#define PERMOD_KERNEL_CMPXCHG_H

#include <linux/compiler.h>

#define arch_xchg(pointer, value) __atomic_exchange_n(pointer, value, __ATOMIC_SEQ_CST)

/** arch_cmpxchg() - write @value if the variable is @old; what it was is the value. */
#define arch_cmpxchg(pointer, old, value)                                                          \
	({                                                                                         \
		__typeof__(*(pointer)) permod_old = (old);                                         \
		__atomic_compare_exchange_n(pointer, &permod_old, value, false, __ATOMIC_SEQ_CST,  \
					    __ATOMIC_SEQ_CST);                                     \
		permod_old;                                                                        \
	})
#define arch_cmpxchg64 arch_cmpxchg

#endif
