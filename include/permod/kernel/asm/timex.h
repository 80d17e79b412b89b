/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A counter for measuring: the CPU's where the compiler reads it, or else nanoseconds. */
#ifndef PERMOD_KERNEL_TIMEX_H
#define PERMOD_KERNEL_TIMEX_H

#include <time.h>

typedef unsigned long long cycles_t;

static inline cycles_t get_cycles(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (cycles_t)now.tv_sec * 1000000000ULL + (cycles_t)now.tv_nsec;
#endif
}

#endif
