/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The time since the system was started, which no one sets. */
#ifndef PERMOD_KERNEL_KTIME_H
#define PERMOD_KERNEL_KTIME_H

#include <linux/time64.h>

static inline void ktime_get_ts64(struct timespec64 *now)
{
	clock_gettime(CLOCK_MONOTONIC, now);
}

static inline u64 ktime_get_ns(void)
{
	struct timespec64 now;

	ktime_get_ts64(&now);
	return (u64)timespec64_to_ns(&now);
}

#endif
