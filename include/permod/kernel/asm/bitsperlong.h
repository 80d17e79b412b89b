/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The width of a word.  The system's <asm/types.h> includes this file, so it includes none of ours. */
#ifndef PERMOD_KERNEL_BITSPERLONG_H
#define PERMOD_KERNEL_BITSPERLONG_H

#include_next <asm/bitsperlong.h>

#define BITS_PER_LONG __BITS_PER_LONG
#define BITS_PER_LONG_LONG 64

/** small_const_nbits() - whether a bitmap is known to fit in a word. */
#define small_const_nbits(bits)                                                                    \
	(__builtin_constant_p(bits) && (bits) > 0 && (bits) <= BITS_PER_LONG)

#endif
