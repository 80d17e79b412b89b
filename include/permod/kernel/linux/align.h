/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rounding to powers of two, of numbers and of pointers. */
#ifndef PERMOD_KERNEL_ALIGN_H
#define PERMOD_KERNEL_ALIGN_H

#include <linux/math.h>

#define ALIGN(x, power) round_up(x, power)
#define ALIGN_DOWN(x, power) round_down(x, power)
#define IS_ALIGNED(x, power) (((x) & ((__typeof__(x))(power)-1)) == 0)
#define PTR_ALIGN(pointer, power) ((__typeof__(pointer))ALIGN((unsigned long)(pointer), power))

#endif
