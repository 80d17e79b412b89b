/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kinds of characters, as the C library has them. */
#ifndef PERMOD_KERNEL_CTYPE_H
#define PERMOD_KERNEL_CTYPE_H

#include <ctype.h>
#include <linux/compiler.h>

/* Of letters of ASCII alone. */
#undef _tolower
#define _tolower(c) ((char)((c) | 0x20))

static inline int isodigit(char c)
{
	return c >= '0' && c <= '7';
}

#endif
