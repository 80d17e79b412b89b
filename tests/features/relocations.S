/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every relocation that the assembler makes for what can be linked to a program: values are in a
 * table, which relocations_2.c prints.
 */
	.globl	relocations_number
	.set	relocations_number, 0x42
	.globl	relocations_values
	.section .data.relocations, "aw"
	.balign	8
relocations_values:
	.quad	target - relocations_values	/* PC64 */
	.quad	0
	.reloc	. - 8, R_X86_64_SIZE64, sized
	.long	target - .			/* PC32 */
	.long	0
	.reloc	. - 4, R_X86_64_SIZE32, sized + 1
	.word	near - .			/* within the section */
	.byte	near - .
	.byte	0
	.reloc	. - 1, R_X86_64_NONE, sized
	.long	function@PLT			/* PLT32 */
	.quad	target				/* 64 */
near:
	.quad	sized + 4

	.section .rodata.relocations, "a"
	.balign	8
target:	.long	0x1234
	.type	sized, @object
	.globl	sized
	.hidden	sized
sized:	.long	1, 2, 3
	.size	sized, . - sized

	.section .text.relocations, "ax"
	.globl	function
	.hidden	function
	.type	function, @function
function:
	movl	sized+8(%rip), %eax		/* PC32, an addend beyond the end */
	addl	target@GOTPCREL(%rip), %ecx	/* REX-less GOTPCRELX */
	movq	sized@GOTPCREL(%rip), %rdx	/* REX_GOTPCRELX */
	addl	(%rdx), %eax
	pushq	sized@GOTPCREL(%rip)		/* GOTPCREL */
	popq	%rdx
	addl	4(%rdx), %eax
	ret
	.size	function, . - function

	.globl	relocations_call
	.type	relocations_call, @function
relocations_call:
	subq	$8, %rsp
	call	function			/* PLT32 */
	movl	%eax, %r8d
	call	*function@GOTPCREL(%rip)	/* GOTPCRELX */
	addl	%r8d, %eax
	addq	$8, %rsp
	ret
	.size	relocations_call, . - relocations_call
	.section .note.GNU-stack, "", @progbits
