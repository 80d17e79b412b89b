/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * s390x: the facts of which sequence.h makes this_cpu operations.  Included by <permod/percpu.h>;
 * do not include it.
 */
#ifndef PERMOD_ARCH_S390X_H
#define PERMOD_ARCH_S390X_H

#define PCPU_RSEQ_SIGNATURE 0xb2ff0fff /* trap4 4095(%r0) */
#define PCPU_SEQUENCE_BYTES 8

static inline __attribute__((always_inline)) char *__pcpu_thread_pointer(void)
{
	char *pointer;

	__asm__("ear %0, %%a0\n"
		"	sllg %0, %0, 32\n"
		"	ear %0, %%a1\n"
		: "=r"(pointer));
	return pointer;
}

#define PCPU_ASM_JUMP "	j 0f\n"
#define PCPU_ASM_NAME                                                                              \
	"	larl %[t], 3b\n"                                                                         \
	"	stg %[t], " PCPU_ASM_RSEQ_CS "(%[area])\n"
#define PCPU_ASM_ENTER                                                                             \
	"	lgf %[t], " PCPU_ASM_INDEX "(%[area])\n"                                           \
	"	ltgr %[t], %[t]\n"                                                                       \
	"	jm 2f\n"                                                                                 \
	"	sllg %[t], %[t], 3\n"                                                                    \
	"	lg %[t], 0(%[t], %[offset])\n"                                                           \
	"	agr %[t], %[cookie]\n"
#define PCPU_ASM_LEAVE                                                                             \
	"	lghi %[tmp], 0\n"                                                                        \
	"	stg %[tmp], " PCPU_ASM_RSEQ_CS "(%[area])\n"

#define PCPU_LOAD_1 "llgc"
#define PCPU_LOAD_2 "llgh"
#define PCPU_LOAD_4 "llgf"
#define PCPU_LOAD_8 "lg"
#define PCPU_STORE_1 "stc"
#define PCPU_STORE_2 "sth"
#define PCPU_STORE_4 "st"
#define PCPU_STORE_8 "stg"
#define PCPU_ASM_LOAD(n) "	" PCPU_LOAD_##n " %[old], 0(%[t])\n"
#define PCPU_ASM_STORE(n, what) "	" PCPU_STORE_##n " %[" what "], 0(%[t])\n"

#define PCPU_ASM_COMPUTE(insn)                                                                     \
	"	lgr %[tmp], %[old]\n"                                                                    \
	"	" insn " %[tmp], %[value]\n"
#define PCPU_ASM_ADD "agr"
#define PCPU_ASM_AND "ngr"
#define PCPU_ASM_OR "ogr"
#define PCPU_ASM_XOR "xgr"
#define PCPU_ASM_UNLESS_EQUAL                                                                      \
	"	cgr %[old], %[tmp]\n"                                                                    \
	"	jne 2f\n"
#define PCPU_ASM_CLOBBERS "cc"
#define PCPU_ADDRESS "a"

#include <permod/arch/sequence.h>

/* Two words of 8 bytes, a pair of registers: the first is the upper half. */
#define PCPU_HAVE_CMPXCHG_DOUBLE 1
__extension__ typedef unsigned __int128 __pcpu_uint128;

static inline __attribute__((always_inline)) int
__pcpu_cmpxchg_double(uintptr_t cookie, uint64_t o1, uint64_t o2, uint64_t n1, uint64_t n2)
{
	const __pcpu_uint128 expected = (__pcpu_uint128)o1 << 64 | o2;
	__pcpu_uint128 is = expected, pair = (__pcpu_uint128)n1 << 64 | n2;
	uint64_t t, tmp;

	__asm__ volatile(PCPU_SEQUENCE("	cdsg %[is], %[pair], 0(%[t])\n")
			 : [t] "=&a"(t), [is] "+&d"(is), [tmp] "=&d"(tmp)
			 : [area] "a"(__pcpu_thread_pointer() + (intptr_t)PCPU_RSEQ_AREA),
			   [offset] "a"(pcpu_layout.offset), [cookie] "a"(cookie), [pair] "d"(pair)
			 : "cc", "memory");
	if (PCPU_TURNED_AWAY(t))
		return pcpu_slow_cmpxchg_double(cookie, o1, o2, n1, n2);
	return is == expected;
}

/* The same on one copy, with other CPUs about; for the library. */
static inline int __pcpu_atomic_cmpxchg_double(void *copy, uint64_t o1, uint64_t o2, uint64_t n1,
					       uint64_t n2)
{
	const __pcpu_uint128 expected = (__pcpu_uint128)o1 << 64 | o2;
	__pcpu_uint128 is = expected, pair = (__pcpu_uint128)n1 << 64 | n2;

	__asm__ volatile("cdsg %0, %1, 0(%2)" : "+&d"(is) : "d"(pair), "a"(copy) : "cc", "memory");
	return is == expected;
}

#endif
