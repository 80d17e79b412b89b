/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The loop that every candidate of bench/percpu_ops.c runs: one operation on each of 64 variables in turn.
 * On a single counter the forwarding from store to load makes figures jump. The empty instruction
 * keeps the compiler from joining operations, and costs nothing.
 *
 * The loop begins a cache line. Otherwise it is chance whether a short one lies across two lines, and
 * then it takes twice as long: 0.31 or 0.56 ns for the addition to a `__thread` variable.
 */
#ifndef BENCH_PERCPU_OPS_H
#define BENCH_PERCPU_OPS_H

#define VARIABLES 64

#define FOR_EACH_IN_TURN(count, i, operation)                                                      \
	for (long left = (count); left > 0; left -= VARIABLES) {                                   \
		unsigned long i = 0;                                                               \
                                                                                                   \
		__asm__ volatile(".p2align 6" : "+r"(i));                                          \
		do {                                                                               \
			operation;                                                                 \
			__asm__ volatile("" : "+r"(i));                                            \
		} while (++i < VARIABLES);                                                         \
	}

/* The compiler may not leave a result out because nobody uses it. */
#define USE(result)                                                                                \
	do {                                                                                       \
		__typeof__(result) used = (result);                                                \
                                                                                                   \
		__asm__ volatile("" : : "r"(used));                                                \
	} while (0)

#endif
