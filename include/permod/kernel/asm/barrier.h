/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of memory accesses, as C11 has it. */
#ifndef PERMOD_KERNEL_BARRIER_H
#define PERMOD_KERNEL_BARRIER_H

#include <linux/compiler.h>

#define smp_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#define smp_load_acquire(from) __atomic_load_n(from, __ATOMIC_ACQUIRE)
#define smp_store_release(to, value) __atomic_store_n(to, value, __ATOMIC_RELEASE)

#define smp_mb__before_atomic() smp_mb()
#define smp_mb__after_atomic() smp_mb()

#endif
