/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other file.
 */
#include <setjmp.h>

extern jmp_buf jumps_place;

void jumps_back(int value)
{
	longjmp(jumps_place, value);
}
