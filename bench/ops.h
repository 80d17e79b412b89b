/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The loop that every candidate of bench/ops.c runs: one operation on each of 64 variables in turn.
 * On a single counter the forwarding from store to load makes figures jump. The empty instruction
 * keeps the compiler from joining operations, and costs nothing.
 */
#ifndef BENCH_OPS_H
#define BENCH_OPS_H

#define VARIABLES 64

#define FOR_EACH_IN_TURN(count, i, operation)                                                      \
	for (long left = (count); left > 0; left -= VARIABLES) {                                   \
		for (unsigned long i = 0; i < VARIABLES; i++) {                                    \
			operation;                                                                 \
			__asm__ volatile("" : "+r"(i));                                            \
		}                                                                                  \
	}

#endif
