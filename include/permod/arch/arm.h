/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arm, little-endian, from ARMv7 on, A32 and Thumb: the facts of which sequence.h makes this_cpu
 * operations.  Included by <permod/percpu.h>; do not include it.
 */
#ifndef PERMOD_ARCH_ARM_H
#define PERMOD_ARCH_ARM_H

#define PCPU_RSEQ_SIGNATURE 0xe7f5def3 /* udf #24035 */
/* strd is one store to interrupts, but not on all of these CPUs. */
#define PCPU_SEQUENCE_BYTES 4

static inline __attribute__((always_inline)) char *__pcpu_thread_pointer(void)
{
	char *pointer;

	__asm__("mrc p15, 0, %0, c13, c0, 3" : "=r"(pointer));
	return pointer;
}

/* How far ahead of an instruction the program counter is that it sees. */
#ifdef __thumb__
#define PCPU_ASM_AHEAD "4"
#else
#define PCPU_ASM_AHEAD "8"
#endif

#define PCPU_ASM_JUMP "	b 0f\n"
#define PCPU_ASM_NAME                                                                              \
	"	movw %[t], #:lower16:(3b - (9f + " PCPU_ASM_AHEAD "))\n"                           \
	"	movt %[t], #:upper16:(3b - (9f + " PCPU_ASM_AHEAD "))\n"                           \
	"9:	add %[t], %[t], pc\n"                                                                  \
	"	str %[t], [%[area], #" PCPU_ASM_RSEQ_CS "]\n"
#define PCPU_ASM_ENTER                                                                             \
	"	ldr %[t], [%[area], #" PCPU_ASM_INDEX "]\n"                                        \
	"	cmp %[t], #0\n"                                                                          \
	"	bmi 2f\n"                                                                                \
	"	ldr %[t], [%[offset], %[t], lsl #2]\n"                                                   \
	"	add %[t], %[t], %[cookie]\n"
#define PCPU_ASM_LEAVE                                                                             \
	"	mov %[tmp], #0\n"                                                                        \
	"	str %[tmp], [%[area], #" PCPU_ASM_RSEQ_CS "]\n"

#define PCPU_LOAD_1 "ldrb"
#define PCPU_LOAD_2 "ldrh"
#define PCPU_LOAD_4 "ldr"
#define PCPU_STORE_1 "strb"
#define PCPU_STORE_2 "strh"
#define PCPU_STORE_4 "str"
#define PCPU_ASM_LOAD(n) "	" PCPU_LOAD_##n " %[old], [%[t]]\n"
#define PCPU_ASM_STORE(n, what) "	" PCPU_STORE_##n " %[" what "], [%[t]]\n"

#define PCPU_ASM_COMPUTE(insn) "	" insn " %[tmp], %[old], %[value]\n"
#define PCPU_ASM_ADD "add"
#define PCPU_ASM_AND "and"
#define PCPU_ASM_OR "orr"
#define PCPU_ASM_XOR "eor"
#define PCPU_ASM_UNLESS_EQUAL                                                                      \
	"	cmp %[old], %[tmp]\n"                                                                    \
	"	bne 2f\n"
#define PCPU_ASM_CLOBBERS "cc"
#define PCPU_ADDRESS "r"

#include <permod/arch/sequence.h>

#endif
