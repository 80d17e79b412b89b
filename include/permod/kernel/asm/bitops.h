/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an architecture gives to the kernel's <linux/bitops.h>: bits in arrays of words, atomically or
 * not, and finding the first and last in a word, by what the compiler has for it.
 */
#ifndef PERMOD_KERNEL_BITOPS_H
#define PERMOD_KERNEL_BITOPS_H

#include <linux/types.h>
#include <strings.h> /* ffs() */

#define PERMOD_WORD(bit, words) (&(words)[(unsigned long)(bit) / BITS_PER_LONG])
#define PERMOD_MASK(bit) (1UL << (unsigned long)(bit) % BITS_PER_LONG)

static inline void set_bit(long bit, volatile unsigned long *words)
{
	__atomic_fetch_or(PERMOD_WORD(bit, words), PERMOD_MASK(bit), __ATOMIC_RELAXED);
}

static inline void clear_bit(long bit, volatile unsigned long *words)
{
	__atomic_fetch_and(PERMOD_WORD(bit, words), ~PERMOD_MASK(bit), __ATOMIC_RELAXED);
}

static inline void change_bit(long bit, volatile unsigned long *words)
{
	__atomic_fetch_xor(PERMOD_WORD(bit, words), PERMOD_MASK(bit), __ATOMIC_RELAXED);
}

static inline bool test_and_set_bit(long bit, volatile unsigned long *words)
{
	return __atomic_fetch_or(PERMOD_WORD(bit, words), PERMOD_MASK(bit), __ATOMIC_SEQ_CST) &
	       PERMOD_MASK(bit);
}

static inline bool test_and_clear_bit(long bit, volatile unsigned long *words)
{
	return __atomic_fetch_and(PERMOD_WORD(bit, words), ~PERMOD_MASK(bit), __ATOMIC_SEQ_CST) &
	       PERMOD_MASK(bit);
}

/* The number of the lowest and of the highest bit that is set, of a word that has one; and of the
 * lowest that is not. */
static inline unsigned long __ffs(unsigned long word)
{
	return (unsigned long)__builtin_ctzl(word);
}

static inline unsigned long __fls(unsigned long word)
{
	return (unsigned long)(BITS_PER_LONG - 1 - __builtin_clzl(word));
}

static inline unsigned long ffz(unsigned long word)
{
	return __ffs(~word);
}

/* The same from 1 on, and 0 if none is set. */
static inline int fls(unsigned int word)
{
	return word ? 32 - __builtin_clz(word) : 0;
}

static inline int fls64(u64 word)
{
	return word ? 64 - __builtin_clzll(word) : 0;
}

#define hweight8(word) ((unsigned int)__builtin_popcount((u8)(word)))
#define hweight16(word) ((unsigned int)__builtin_popcount((u16)(word)))
#define hweight32(word) ((unsigned int)__builtin_popcount((u32)(word)))
#define hweight64(word) ((unsigned long)__builtin_popcountll((u64)(word)))

/* Those that are not atomic, which the kernel wraps. */
#include <asm-generic/bitops/non-atomic.h>

#endif
