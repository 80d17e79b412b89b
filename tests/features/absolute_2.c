/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where they are defined.
 */
__asm__(".globl absolute_small\n\t.set absolute_small, 0x1234\n\t"
	".globl absolute_large\n\t.set absolute_large, 0x123456789abcdef0\n\t"
	".globl absolute_negative\n\t.set absolute_negative, -2");
