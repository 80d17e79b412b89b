/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random numbers: the system's, and the sequence splitmix64, which any seed is good for. */
#include <linux/random.h>

#include <linux/kernel.h>

#include <errno.h>
#include <sys/random.h>

void get_random_bytes(void *to, size_t size)
{
	while (size) {
		ssize_t got = getrandom(to, size, 0);

		BUG_ON(got < 0 && errno != EINTR);
		if (got > 0) {
			to = (char *)to + got;
			size -= (size_t)got;
		}
	}
}

u8 get_random_u8(void)
{
	u8 number;

	get_random_bytes(&number, sizeof(number));
	return number;
}

u32 get_random_u32(void)
{
	u32 number;

	get_random_bytes(&number, sizeof(number));
	return number;
}

void prandom_seed_state(struct rnd_state *sequence, u64 seed)
{
	sequence->state = seed;
}

u32 prandom_u32_state(struct rnd_state *sequence)
{
	u64 mixed = sequence->state += 0x9e3779b97f4a7c15;

	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
	return (u32)(mixed >> 32 ^ mixed >> 63);
}

/* Each thread's own sequence, from a seed of the system's. */
u32 prandom_u32_max(u32 limit)
{
	static __thread struct rnd_state sequence;
	static __thread bool seeded;

	if (!seeded) {
		get_random_bytes(&sequence.state, sizeof(sequence.state));
		seeded = true;
	}
	return (u32)((u64)prandom_u32_state(&sequence) * limit >> 32);
}
