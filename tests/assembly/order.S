/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions that run at the beginning and at the end, in tables of all kinds and priorities, in this
 * file and in a second one (-DSECOND) that has the same. Each prints its name; as a program the
 * order is the linker's.
 */

#ifdef SECOND
#define FILE_NAME "second "
#else
#define FILE_NAME "first "
#endif

	.macro entry section, text, flags
	.section .rodata
9:	.ascii	FILE_NAME
	.asciz	"\text"
	.text
8:	leaq	9b(%rip), %rdi
	subq	$8, %rsp
	call	puts@PLT
	addq	$8, %rsp
	ret
	.section \section, "aw", \flags
	.balign	8
	.quad	8b
	.endm

	entry	.init_array, "init", %init_array
	entry	.init_array.65534, "init.65534", %init_array
	entry	.init_array.00101, "init.101", %init_array
	entry	.init_array.2000, "init.2000", %init_array
	entry	.init_array.00300, "init.300", %init_array
	entry	.ctors.65135, "ctors.65135 (400)", %progbits
	entry	.ctors.65335, "ctors.65335 (200)", %progbits
	entry	.fini_array, "fini", %fini_array
	entry	.fini_array.00101, "fini.101", %fini_array
	entry	.fini_array.2000, "fini.2000", %fini_array
	entry	.fini_array.00300, "fini.300", %fini_array
	entry	.dtors.65135, "dtors.65135 (400)", %progbits
	entry	.init_array.00101, "init.101 again", %init_array

#if defined(PROGRAM) && !defined(SECOND)
	.text
	.globl	main
main:	xorl	%eax, %eax
	ret
#endif
	.section .note.GNU-stack, "", %progbits
