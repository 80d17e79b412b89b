/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rounding and dividing. */
#ifndef PERMOD_KERNEL_MATH_H
#define PERMOD_KERNEL_MATH_H

#include <asm/div64.h>
#include <linux/types.h>
#include <stdlib.h> /* declares abs() */

/** round_up(), round_down() - to a multiple of a power of two; roundup(), rounddown() - of anything. */
#define round_up(x, power) ((((x)-1) | ((__typeof__(x))((power)-1))) + 1)
#define round_down(x, power) ((x) & ~(__typeof__(x))((power)-1))
#define roundup(x, y) ((((x) + ((y)-1)) / (y)) * (y))
#define rounddown(x, y) ((x) - (x) % (y))

#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))

/** abs() - of a signed integer of any width. */
#undef abs
#define abs(x)                                                                                     \
	({                                                                                         \
		__typeof__(x) permod_x = (x);                                                      \
		permod_x < 0 ? -permod_x : permod_x;                                               \
	})

#endif
