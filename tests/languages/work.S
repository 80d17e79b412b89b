/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A module in assembler, for the compiler's preprocessor and for `as` alone: per-CPU variables, a
 * table of jumps made of differences, a table of addresses, loads from the GOT, calls through it and
 * without it.
 *
 * An addition to a per-CPU variable is a call of pcpu_slow_operation(40, cookie, value, 0); 40 is
 * PCPU_CODE(PCPU_ADD, 8).
 */
	.section .data.percpu, "aw", @progbits
	.balign	8
	.type	hits, @object
	.size	hits, 8
hits:
	.quad	0
	.globl	tables
	.type	tables, @object
	.size	tables, 8
	.balign	8
tables:
	.quad	1000

	.section .rodata
	.balign	8
addresses:
	.quad	three, numbers + 8
jumps:
	.long	case_0 - jumps, case_1 - jumps

	.data
	.balign	8
numbers:
	.quad	7, 11

	.text
	.globl	work
	.type	work, @function
work:
	pushq	%rbx
	movl	$40, %edi
	leaq	hits(%rip), %rsi
	movl	$3, %edx
	xorl	%ecx, %ecx
	call	pcpu_slow_operation@PLT

	/* 11 by address, 3 by a call through the table, 7 by its name, 100 from case 1: 121 */
	leaq	addresses(%rip), %rbx
	movq	8(%rbx), %rax
	movq	(%rax), %rbx
	leaq	addresses(%rip), %rax
	call	*(%rax)
	addq	%rax, %rbx
	addq	numbers(%rip), %rbx
	movl	$1, %ecx
	leaq	jumps(%rip), %rdx
	movslq	(%rdx, %rcx, 4), %rax
	addq	%rdx, %rax
	jmp	*%rax
case_0:
	movq	$-1, %rbx
case_1:
	addq	$100, %rbx

	movl	$40, %edi
	movq	tables@GOTPCREL(%rip), %rsi
	movq	%rbx, %rdx
	xorl	%ecx, %ecx
	call	*pcpu_slow_operation@GOTPCREL(%rip)
	popq	%rbx
	ret
	.size	work, . - work

	.type	three, @function
three:
	movl	$3, %eax
	ret
	.size	three, . - three

	.section .note.GNU-stack, "", @progbits
