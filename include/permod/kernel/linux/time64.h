/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Seconds and nanoseconds: the C library's struct timespec, which has 64 bits too. */
#ifndef PERMOD_KERNEL_TIME64_H
#define PERMOD_KERNEL_TIME64_H

#include <linux/types.h>
#include <time.h>

#define NSEC_PER_SEC 1000000000L
#define timespec64 timespec

static inline s64 timespec64_to_ns(const struct timespec64 *time)
{
	return (s64)time->tv_sec * NSEC_PER_SEC + time->tv_nsec;
}

/** timespec64_sub() - @later less @earlier, with nanoseconds from 0 on. */
static inline struct timespec64 timespec64_sub(struct timespec64 later, struct timespec64 earlier)
{
	struct timespec64 difference = { later.tv_sec - earlier.tv_sec,
					 later.tv_nsec - earlier.tv_nsec };

	if (difference.tv_nsec < 0) {
		difference.tv_sec--;
		difference.tv_nsec += NSEC_PER_SEC;
	}
	return difference;
}

#endif
