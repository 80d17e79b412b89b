/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ppc64le, from POWER8 on: the facts of which sequence.h makes this_cpu operations.  Included by
 * <permod/percpu.h>; do not include it.
 *
 * stqcx. stores two words of 8 bytes at once, but under the emulators that tests have (QEMU 7.2) it
 * never does: so there is no __pcpu_cmpxchg_double(), as nobody would have tried it.
 */
#ifndef PERMOD_ARCH_PPC64LE_H
#define PERMOD_ARCH_PPC64LE_H

#define PCPU_RSEQ_SIGNATURE 0x0fe5000b /* twui r5, 11 */
#define PCPU_SEQUENCE_BYTES 8

static inline __attribute__((always_inline)) char *__pcpu_thread_pointer(void)
{
	char *pointer;

	__asm__("mr %0, 13" : "=r"(pointer));
	return pointer;
}

/* The descriptor's address is counted from here, as a function need not have a TOC pointer; this
 * form of bcl is the one that predictors of returns know. */
#define PCPU_ASM_JUMP "	b 0f\n"
#define PCPU_ASM_NAME                                                                              \
	"	bcl 20, 31, 9f\n"                                                                        \
	"9:	mflr %[t]\n"                                                                           \
	"	addis %[t], %[t], (3b - 9b)@ha\n"                                                        \
	"	addi %[t], %[t], (3b - 9b)@l\n"                                                          \
	"	std %[t], " PCPU_ASM_RSEQ_CS "(%[area])\n"
#define PCPU_ASM_ENTER                                                                             \
	"	lwa %[t], " PCPU_ASM_INDEX "(%[area])\n"                                           \
	"	cmpdi 0, %[t], 0\n"                                                                      \
	"	blt 0, 2f\n"                                                                             \
	"	sldi %[t], %[t], 3\n"                                                                    \
	"	ldx %[t], %[t], %[offset]\n"                                                             \
	"	add %[t], %[t], %[cookie]\n"
#define PCPU_ASM_LEAVE                                                                             \
	"	li %[tmp], 0\n"                                                                          \
	"	std %[tmp], " PCPU_ASM_RSEQ_CS "(%[area])\n"

#define PCPU_LOAD_1 "lbz"
#define PCPU_LOAD_2 "lhz"
#define PCPU_LOAD_4 "lwz"
#define PCPU_LOAD_8 "ld"
#define PCPU_STORE_1 "stb"
#define PCPU_STORE_2 "sth"
#define PCPU_STORE_4 "stw"
#define PCPU_STORE_8 "std"
#define PCPU_ASM_LOAD(n) "	" PCPU_LOAD_##n " %[old], 0(%[t])\n"
#define PCPU_ASM_STORE(n, what) "	" PCPU_STORE_##n " %[" what "], 0(%[t])\n"

#define PCPU_ASM_COMPUTE(insn) "	" insn " %[tmp], %[old], %[value]\n"
#define PCPU_ASM_ADD "add"
#define PCPU_ASM_AND "and"
#define PCPU_ASM_OR "or"
#define PCPU_ASM_XOR "xor"
#define PCPU_ASM_UNLESS_EQUAL                                                                      \
	"	cmpd 0, %[old], %[tmp]\n"                                                                \
	"	bne 0, 2f\n"
#define PCPU_ASM_CLOBBERS "cr0", "lr"
#define PCPU_ADDRESS "b"

#include <permod/arch/sequence.h>

#endif
