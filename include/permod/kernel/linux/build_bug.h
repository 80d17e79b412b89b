/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Conditions that are checked by the compiler. */
#ifndef PERMOD_KERNEL_BUILD_BUG_H
#define PERMOD_KERNEL_BUILD_BUG_H

#include <linux/compiler.h>

#define static_assert(condition, ...) PERMOD_STATIC_ASSERT(condition, ##__VA_ARGS__, #condition)
#define PERMOD_STATIC_ASSERT(condition, text, ...) _Static_assert(condition, text)

/** BUILD_BUG_ON_ZERO() - 0, in any expression, unless the constant condition holds. */
#define BUILD_BUG_ON_ZERO(condition) ((int)sizeof(struct { int : (-!!(condition)); }))

/** BUILD_BUG_ON_MSG() - for conditions that are constant only once the compiler has optimised. */
#define BUILD_BUG_ON_MSG(condition, text)                                                          \
	PERMOD_BUILD_BUG(condition, text, PERMOD_KERNEL_JOIN(__build_bug_, __COUNTER__))
#define PERMOD_BUILD_BUG(condition, text, function)                                                \
	do {                                                                                       \
		extern void function(void) __attribute__((error(text)));                           \
		if (condition)                                                                     \
			function();                                                                \
	} while (0)
#define BUILD_BUG_ON(condition) BUILD_BUG_ON_MSG(condition, "BUILD_BUG_ON: " #condition)

#endif
