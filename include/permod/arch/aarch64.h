/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aarch64, little-endian: the facts of which sequence.h makes this_cpu operations.  Included by
 * <permod/percpu.h>; do not include it.
 */
#ifndef PERMOD_ARCH_AARCH64_H
#define PERMOD_ARCH_AARCH64_H

#define PCPU_RSEQ_SIGNATURE 0xd428bc00 /* brk #0x45e0 */
#define PCPU_SEQUENCE_BYTES 8

static inline __attribute__((always_inline)) char *__pcpu_thread_pointer(void)
{
	char *pointer;

	__asm__("mrs %0, tpidr_el0" : "=r"(pointer));
	return pointer;
}

#define PCPU_ASM_JUMP "	b 0f\n"
#define PCPU_ASM_NAME                                                                              \
	"	adrp %[t], 3b\n"                                                                         \
	"	add %[t], %[t], :lo12:3b\n"                                                              \
	"	str %[t], [%[area], " PCPU_ASM_RSEQ_CS "]\n"
#define PCPU_ASM_ENTER                                                                             \
	"	ldrsw %[t], [%[area], " PCPU_ASM_INDEX "]\n"                                       \
	"	tbnz %[t], 63, 2f\n"                                                                     \
	"	ldr %[t], [%[offset], %[t], lsl 3]\n"                                                    \
	"	add %[t], %[t], %[cookie]\n"
#define PCPU_ASM_LEAVE "	str xzr, [%[area], " PCPU_ASM_RSEQ_CS "]\n"

/* Each with the letter that names the register's width. */
#define PCPU_LOAD_1 "ldrb %w"
#define PCPU_LOAD_2 "ldrh %w"
#define PCPU_LOAD_4 "ldr %w"
#define PCPU_LOAD_8 "ldr %x"
#define PCPU_STORE_1 "strb %w"
#define PCPU_STORE_2 "strh %w"
#define PCPU_STORE_4 "str %w"
#define PCPU_STORE_8 "str %x"
#define PCPU_ASM_LOAD(n) "	" PCPU_LOAD_##n "[old], [%[t]]\n"
#define PCPU_ASM_STORE(n, what) "	" PCPU_STORE_##n "[" what "], [%[t]]\n"

#define PCPU_ASM_COMPUTE(insn) "	" insn " %[tmp], %[old], %[value]\n"
#define PCPU_ASM_ADD "add"
#define PCPU_ASM_AND "and"
#define PCPU_ASM_OR "orr"
#define PCPU_ASM_XOR "eor"
#define PCPU_ASM_UNLESS_EQUAL                                                                      \
	"	cmp %[old], %[tmp]\n"                                                                    \
	"	b.ne 2f\n"
#define PCPU_ASM_CLOBBERS "cc"
#define PCPU_ADDRESS "r"

#include <permod/arch/sequence.h>

/*
 * Two words of 8 bytes.  The store commits, or stores nothing and says so: then all is done again,
 * from behind the sequence.
 */
#define PCPU_HAVE_CMPXCHG_DOUBLE 1
#define PCPU_ASM_DOUBLE                                                                            \
	"	ldxp %[is1], %[is2], [%[t]]\n"                                                           \
	"	mov %w[failed], 0\n"                                                                     \
	"	cmp %[is1], %[o1]\n"                                                                     \
	"	ccmp %[is2], %[o2], 0, eq\n"                                                             \
	"	b.ne 2f\n"                                                                               \
	"	stxp %w[failed], %[n1], %[n2], [%[t]]\n"

static inline __attribute__((always_inline)) int
__pcpu_cmpxchg_double(uintptr_t cookie, uint64_t o1, uint64_t o2, uint64_t n1, uint64_t n2)
{
	uint64_t t, is1, is2;
	uint32_t failed = 0;

	__asm__ volatile(PCPU_SEQUENCE(PCPU_ASM_DOUBLE) "	cbnz %w[failed], 0b\n"
			 : [t] "=&r"(t), [is1] "=&r"(is1), [is2] "=&r"(is2), [failed] "+&r"(failed)
			 : [area] "r"(__pcpu_thread_pointer() + (intptr_t)PCPU_RSEQ_AREA),
			   [offset] "r"(pcpu_layout.offset), [cookie] "r"(cookie), [o1] "r"(o1),
			   [o2] "r"(o2), [n1] "r"(n1), [n2] "r"(n2)
			 : "cc", "memory");
	if (PCPU_TURNED_AWAY(t))
		return pcpu_slow_cmpxchg_double(cookie, o1, o2, n1, n2);
	return is1 == o1 && is2 == o2;
}

/* The same on one copy, with other CPUs about; for the library. */
static inline int __pcpu_atomic_cmpxchg_double(void *copy, uint64_t o1, uint64_t o2, uint64_t n1,
					       uint64_t n2)
{
	uint64_t is1, is2;
	uint32_t failed;

	__asm__ volatile("1:\n" PCPU_ASM_DOUBLE "	cbnz %w[failed], 1b\n"
			 "2:\n"
			 : [is1] "=&r"(is1), [is2] "=&r"(is2), [failed] "=&r"(failed)
			 : [t] "r"(copy), [o1] "r"(o1), [o2] "r"(o2), [n1] "r"(n1), [n2] "r"(n2)
			 : "cc", "memory");
	return is1 == o1 && is2 == o2;
}

#endif
