/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mips from MIPS32 on, o32 and n64, either byte order, not microMIPS nor MIPS16: the facts of which sequence.h
 * makes this_cpu operations.  Included by <permod/percpu.h>; do not include it.
 */
#ifndef PERMOD_ARCH_MIPS_H
#define PERMOD_ARCH_MIPS_H

#define PCPU_RSEQ_SIGNATURE 0x0350000d /* break 0x350 */

/* Instructions for a word as wide as an address. */
#if UINTPTR_MAX > 0xffffffffU
#define PCPU_SEQUENCE_BYTES 8
#define PCPU_WORD_LOAD "ld"
#define PCPU_WORD_STORE "sd"
#define PCPU_WORD_ADD "daddu"
#define PCPU_WORD_SHIFT "dsll %[t], %[t], 3"
#define PCPU_LOAD_4 "lwu"
#else
#define PCPU_SEQUENCE_BYTES 4
#define PCPU_WORD_LOAD "lw"
#define PCPU_WORD_STORE "sw"
#define PCPU_WORD_ADD "addu"
#define PCPU_WORD_SHIFT "sll %[t], %[t], 2"
#define PCPU_LOAD_4 "lw"
#endif

static inline __attribute__((always_inline)) char *__pcpu_thread_pointer(void)
{
	/* In this register the kernel is quick where the CPU does not know the instruction. */
	register char *pointer __asm__("$3");

	__asm__(".set push\n"
		"	.set mips32r2\n"
		"	rdhwr %0, $29\n"
		"	.set pop\n"
		: "=r"(pointer));
	return pointer;
}

/* The assembler must not fill delay slots: what stands last before a label has to stay there.  The
 * descriptor's address is counted from here, as there need not be a global pointer. */
#define PCPU_ASM_JUMP                                                                              \
	"	.set push\n"                                                                             \
	"	.set noreorder\n"                                                                        \
	"	.set noat\n"                                                                             \
	"	b 0f\n"                                                                                  \
	"	nop\n"
#define PCPU_ASM_NAME                                                                              \
	"	bal 9f\n"                                                                                \
	"	nop\n"                                                                                   \
	"8:	.long 3b - 8b\n"                                                                       \
	"9:	lw %[t], 0($31)\n"                                                                     \
	"	" PCPU_WORD_ADD " %[t], %[t], $31\n"                                               \
	"	" PCPU_WORD_STORE " %[t], " PCPU_ASM_RSEQ_CS "(%[area])\n"
#define PCPU_ASM_ENTER                                                                             \
	"	lw %[t], " PCPU_ASM_INDEX "(%[area])\n"                                            \
	"	bltz %[t], 2f\n"                                                                         \
	"	nop\n"                                                                                   \
	"	" PCPU_WORD_SHIFT "\n"                                                             \
	"	" PCPU_WORD_ADD " %[t], %[t], %[offset]\n"                                         \
	"	" PCPU_WORD_LOAD " %[t], 0(%[t])\n"                                                \
	"	" PCPU_WORD_ADD " %[t], %[t], %[cookie]\n"
#define PCPU_ASM_LEAVE                                                                             \
	"	" PCPU_WORD_STORE " $0, " PCPU_ASM_RSEQ_CS "(%[area])\n"                           \
	"	.set pop\n"

#define PCPU_LOAD_1 "lbu"
#define PCPU_LOAD_2 "lhu"
#define PCPU_LOAD_8 "ld"
#define PCPU_STORE_1 "sb"
#define PCPU_STORE_2 "sh"
#define PCPU_STORE_4 "sw"
#define PCPU_STORE_8 "sd"
#define PCPU_ASM_LOAD(n) "	" PCPU_LOAD_##n " %[old], 0(%[t])\n"
#define PCPU_ASM_STORE(n, what) "	" PCPU_STORE_##n " %[" what "], 0(%[t])\n"

#define PCPU_ASM_COMPUTE(insn) "	" insn " %[tmp], %[old], %[value]\n"
#define PCPU_ASM_ADD PCPU_WORD_ADD
#define PCPU_ASM_AND "and"
#define PCPU_ASM_OR "or"
#define PCPU_ASM_XOR "xor"
#define PCPU_ASM_UNLESS_EQUAL                                                                      \
	"	bne %[old], %[tmp], 2f\n"                                                                \
	"	nop\n"
#define PCPU_ASM_CLOBBERS "$31"
#define PCPU_ADDRESS "r"

#include <permod/arch/sequence.h>

#endif
