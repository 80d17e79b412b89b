/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Division of 64 bits by 32, which machines of 64 bits just have. */
#ifndef PERMOD_KERNEL_DIV64_H
#define PERMOD_KERNEL_DIV64_H

#include <linux/types.h>

/** do_div() - divide the variable; the remainder is the value. */
#define do_div(n, base)                                                                            \
	({                                                                                         \
		u32 permod_base = (base);                                                          \
		u32 permod_rest = (u32)((u64)(n) % permod_base);                                   \
		(n) = (u64)(n) / permod_base;                                                      \
		permod_rest;                                                                       \
	})

#endif
