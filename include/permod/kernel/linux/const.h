/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Constants for C and for the assembler. */
#ifndef PERMOD_KERNEL_CONST_H
#define PERMOD_KERNEL_CONST_H

#include_next <linux/const.h> /* the system's: _UL() and so on */

#define UL(number) _UL(number)
#define ULL(number) _ULL(number)

/** __is_constexpr() - whether C takes it for a constant expression: only then a product with 0 makes
 * a null pointer, whose companion's type the condition then has. */
#define __is_constexpr(value)                                                                      \
	_Generic(8 ? (void *)((long)(value)*0L) : (int *)8, int * : 1, void * : 0)

#endif
