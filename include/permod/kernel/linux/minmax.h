/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The smaller and the larger: constant expressions if both operands are. */
#ifndef PERMOD_KERNEL_MINMAX_H
#define PERMOD_KERNEL_MINMAX_H

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/const.h>

#define PERMOD_CHOOSE(x, op, y) ((x)op(y) ? (x) : (y))
/* Each operand is evaluated once. */
#define PERMOD_CHOOSE_ONCE(x, op, y, a, b)                                                         \
	({                                                                                         \
		__typeof__(x) a = (x);                                                             \
		__typeof__(y) b = (y);                                                             \
		PERMOD_CHOOSE(a, op, b);                                                           \
	})
#define PERMOD_MINMAX(x, op, y)                                                                    \
	__builtin_choose_expr(__is_constexpr(x) && __is_constexpr(y), PERMOD_CHOOSE(x, op, y),     \
			      PERMOD_CHOOSE_ONCE(x, op, y, __UNIQUE_ID(a), __UNIQUE_ID(b)))

#undef min
#undef max
#define min(x, y) PERMOD_MINMAX(x, <, y)
#define max(x, y) PERMOD_MINMAX(x, >, y)
#define min3(x, y, z) min(min(x, y), z)
#define max3(x, y, z) max(max(x, y), z)

/** min_t(), max_t() - of two values of different types, as values of the one that is named. */
#define min_t(type, x, y) min((type)(x), (type)(y))
#define max_t(type, x, y) max((type)(x), (type)(y))

#define clamp(value, low, high) min(max(value, low), high)
#define clamp_t(type, value, low, high) clamp((type)(value), (type)(low), (type)(high))
#define clamp_val(value, low, high) clamp_t(__typeof__(value), value, low, high)

#define swap(a, b)                                                                                 \
	do {                                                                                       \
		__typeof__(a) permod_swap = (a);                                                   \
		(a) = (b);                                                                         \
		(b) = permod_swap;                                                                 \
	} while (0)

#endif
