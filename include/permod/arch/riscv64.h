/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * riscv64: the facts of which sequence.h makes this_cpu operations.  Included by
 * <permod/percpu.h>; do not include it.
 */
#ifndef PERMOD_ARCH_RISCV64_H
#define PERMOD_ARCH_RISCV64_H

#define PCPU_RSEQ_SIGNATURE 0xf1401073 /* csrw mhartid, x0 */
#define PCPU_SEQUENCE_BYTES 8

static inline __attribute__((always_inline)) char *__pcpu_thread_pointer(void)
{
	char *pointer;

	__asm__("mv %0, tp" : "=r"(pointer));
	return pointer;
}

#define PCPU_ASM_JUMP "	j 0f\n"
#define PCPU_ASM_NAME                                                                              \
	"	lla %[t], 3b\n"                                                                          \
	"	sd %[t], " PCPU_ASM_RSEQ_CS "(%[area])\n"
#define PCPU_ASM_ENTER                                                                             \
	"	lw %[t], " PCPU_ASM_INDEX "(%[area])\n"                                            \
	"	bltz %[t], 2f\n"                                                                         \
	"	slli %[t], %[t], 3\n"                                                                    \
	"	add %[t], %[t], %[offset]\n"                                                             \
	"	ld %[t], 0(%[t])\n"                                                                      \
	"	add %[t], %[t], %[cookie]\n"
#define PCPU_ASM_LEAVE "	sd zero, " PCPU_ASM_RSEQ_CS "(%[area])\n"

#define PCPU_LOAD_1 "lbu"
#define PCPU_LOAD_2 "lhu"
#define PCPU_LOAD_4 "lwu"
#define PCPU_LOAD_8 "ld"
#define PCPU_STORE_1 "sb"
#define PCPU_STORE_2 "sh"
#define PCPU_STORE_4 "sw"
#define PCPU_STORE_8 "sd"
#define PCPU_ASM_LOAD(n) "	" PCPU_LOAD_##n " %[old], 0(%[t])\n"
#define PCPU_ASM_STORE(n, what) "	" PCPU_STORE_##n " %[" what "], 0(%[t])\n"

#define PCPU_ASM_COMPUTE(insn) "	" insn " %[tmp], %[old], %[value]\n"
#define PCPU_ASM_ADD "add"
#define PCPU_ASM_AND "and"
#define PCPU_ASM_OR "or"
#define PCPU_ASM_XOR "xor"
#define PCPU_ASM_UNLESS_EQUAL "	bne %[old], %[tmp], 2f\n"
#define PCPU_ASM_CLOBBERS "cc"
#define PCPU_ADDRESS "r"

#include <permod/arch/sequence.h>

#endif
