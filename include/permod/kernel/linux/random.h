/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random numbers: the system's, and a sequence that a seed determines. */
#ifndef PERMOD_KERNEL_RANDOM_H
#define PERMOD_KERNEL_RANDOM_H

#include <linux/types.h>

/** get_random_bytes() - fill memory from getrandom(2); so do the two after it. */
void get_random_bytes(void *to, size_t size);
u8 get_random_u8(void);
u32 get_random_u32(void);

/** prandom_u32_max() - below @limit, all as likely but for a bias of at most @limit / 2^32. */
u32 prandom_u32_max(u32 limit);

/** struct rnd_state - of a sequence; its numbers are others than the kernel's for the same seed. */
struct rnd_state {
	u64 state;
};

void prandom_seed_state(struct rnd_state *sequence, u64 seed);
u32 prandom_u32_state(struct rnd_state *sequence);

#endif
