/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * i386, from i486 on: the facts of which sequence.h makes this_cpu operations.  Included by
 * <permod/percpu.h>; do not include it.
 *
 * There are six registers at worst, and the instructions change memory in place: so the bodies of
 * operations are here, and `old` is %eax, which brings what cmpxchg expects.
 */
#ifndef PERMOD_ARCH_I386_H
#define PERMOD_ARCH_I386_H

#define PCPU_RSEQ_SIGNATURE 0x53053053
#define PCPU_SEQUENCE_BYTES 4

static inline __attribute__((always_inline)) char *__pcpu_thread_pointer(void)
{
	char *pointer;

	__asm__("movl %%gs:0, %0" : "=r"(pointer));
	return pointer;
}

/* Position-independent code counts the descriptor's address from here, on the stack. */
#define PCPU_ASM_JUMP "	jmp 0f\n"
#ifdef __PIC__
#define PCPU_ASM_NAME                                                                              \
	"	call 9f\n"                                                                               \
	"9:	addl $3b - 9b, (%%esp)\n"                                                              \
	"	popl %%gs:" PCPU_ASM_RSEQ_CS "(%[area])\n"
#else
#define PCPU_ASM_NAME "	movl $3b, %%gs:" PCPU_ASM_RSEQ_CS "(%[area])\n"
#endif
#define PCPU_ASM_ENTER                                                                             \
	"	movl %%gs:" PCPU_ASM_INDEX "(%[area]), %[t]\n"                                     \
	"	testl %[t], %[t]\n"                                                                      \
	"	js 2f\n"                                                                                 \
	"	movl (%[offset], %[t], 4), %[t]\n"                                                       \
	"	addl %[cookie], %[t]\n"
#define PCPU_ASM_LEAVE "	movl $0, %%gs:" PCPU_ASM_RSEQ_CS "(%[area])\n"

/* Each with the letter that names a register's part. */
#define PCPU_SUFFIX_1 "b"
#define PCPU_SUFFIX_2 "w"
#define PCPU_SUFFIX_4 "l"
#define PCPU_PART_1 "%b"
#define PCPU_PART_2 "%w"
#define PCPU_PART_4 "%k"
#define PCPU_ASM_TO_MEMORY(insn, n, what)                                                          \
	"	" insn PCPU_SUFFIX_##n " " PCPU_PART_##n "[" what "], (%[t])\n"
#define PCPU_ASM_LOAD(n) "	mov" PCPU_SUFFIX_##n " (%[t]), " PCPU_PART_##n "[old]\n"

#define PCPU_BODY_READ(n) PCPU_ASM_LOAD(n)
#define PCPU_BODY_WRITE(n) PCPU_ASM_TO_MEMORY("mov", n, "value")
#define PCPU_BODY_XCHG(n) PCPU_ASM_LOAD(n) PCPU_ASM_TO_MEMORY("mov", n, "value")
#define PCPU_BODY_CMPXCHG(n) PCPU_ASM_TO_MEMORY("cmpxchg", n, "value")
#define PCPU_BODY_ADD(n) "	movl %[value], %[old]\n" PCPU_ASM_TO_MEMORY("xadd", n, "old")
#define PCPU_BODY_AND(n) PCPU_ASM_TO_MEMORY("and", n, "value")
#define PCPU_BODY_OR(n) PCPU_ASM_TO_MEMORY("or", n, "value")
#define PCPU_BODY_XOR(n) PCPU_ASM_TO_MEMORY("xor", n, "value")

#define PCPU_OUTPUTS(type) [t] "=&r"(t), [old] "=&a"(old)
#define PCPU_INPUTS                                                                                \
	[area] "r"(PCPU_RSEQ_AREA), [offset] "r"(pcpu_layout.offset), [cookie] "r"(cookie),        \
		[value] "q"(value), "[old]"(expected)
#define PCPU_ASM_CLOBBERS "cc", "memory"

#include <permod/arch/sequence.h>

#endif
