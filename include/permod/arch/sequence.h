/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * this_cpu operations as restartable sequences, whatever the architecture.  Included by the headers
 * of architectures, each of which is a page of facts: how to load and store, where the thread
 * pointer is, which signature the C library registers.  x86-64 has sequences of its own (x86_64.h,
 * where the idea is explained); do not include either.
 *
 * Every sequence is
 *
 *             jump 0          over the signature, which must precede the abort address
 *             .long SIGNATURE
 *        0:   rseq_cs = &descriptor          the abort address: an aborted sequence starts again
 *        1:   t = index of the unit          the CPU number, which is right until the commit
 *             if (t < 0) goto 2              no sequences in this thread: the library must do it
 *             t = offset[t] + cookie
 *             load, compute, store           the store is the last instruction: it commits
 *        2:   rseq_cs = 0                    on every way out; the kernel does it on an abort
 *
 * and `t` tells afterwards which way was taken: a negative index stands where no address does.
 * Nothing that goes in is changed before label 2, as all may have to be done again.
 *
 * What an architecture's header defines, before it includes this one:
 *
 *	PCPU_RSEQ_SIGNATURE	the number that the C library registers
 *	__pcpu_thread_pointer()	where struct rseq is an offset from
 *	PCPU_ASM_JUMP		to label 0
 *	PCPU_ASM_NAME		rseq_cs = address of label 3; must not need a global pointer
 *	PCPU_ASM_ENTER		t = index; if it is negative go to 2; t = offset[t] + cookie
 *	PCPU_ASM_LEAVE		rseq_cs = 0; may use `tmp`
 *	PCPU_LOAD_n PCPU_STORE_n	for n = 1, 2, 4 (and 8): instructions; loads fill up with zeros
 *	PCPU_ASM_LOAD(n)	old = *t
 *	PCPU_ASM_STORE(n, what)	*t = `value`, or `tmp`: one instruction, that stores all at once
 *	PCPU_ASM_COMPUTE(insn)	tmp = old op value
 *	PCPU_ASM_ADD _AND _OR _XOR	the instructions for it
 *	PCPU_ASM_UNLESS_EQUAL	if (old != tmp) go to 2; cmpxchg has what it expects in `tmp`
 *	PCPU_ASM_CLOBBERS	what these change besides
 *	PCPU_ADDRESS		constraint for registers that can hold an address
 *	PCPU_SEQUENCE_BYTES	the most bytes that one instruction stores at once
 *
 * One whose instructions change memory in place defines the bodies of operations instead, below,
 * and PCPU_OUTPUTS and PCPU_INPUTS to do with fewer registers (i386).
 */
#ifndef PERMOD_ARCH_SEQUENCE_H
#define PERMOD_ARCH_SEQUENCE_H

#define PCPU_HAVE_SEQUENCES 1

/* Where a thread's area is, from the thread pointer; the library's own sequences look elsewhere. */
#ifndef PCPU_RSEQ_AREA
#define PCPU_RSEQ_AREA pcpu_layout.rseq
#endif

/* Where in struct rseq the index of the unit is (bytes): cpu_id. */
#ifndef PCPU_RSEQ_INDEX
#define PCPU_RSEQ_INDEX 4
#endif

#define PCPU_TEXT_OF(number) #number
#define PCPU_TEXT(number) PCPU_TEXT_OF(number)
#define PCPU_ASM_INDEX PCPU_TEXT(PCPU_RSEQ_INDEX)

/* rseq_cs has 8 bytes everywhere; 32-bit code stores the half that counts. */
#if UINTPTR_MAX > 0xffffffffU
#define PCPU_ASM_WORD(value) "	.quad " value "\n"
#define PCPU_ASM_RSEQ_CS "8"
#elif __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define PCPU_ASM_WORD(value) "	.long " value ", 0\n"
#define PCPU_ASM_RSEQ_CS "8"
#else
#define PCPU_ASM_WORD(value) "	.long 0, " value "\n"
#define PCPU_ASM_RSEQ_CS "12"
#endif

/* Label 3 is the descriptor, struct rseq_cs; in a section of its own, as x86_64.h says.  A line of assembly
 * is a line here. */
/* clang-format off */
#define PCPU_SEQUENCE(body)                                                                        \
	".pushsection __pcpu_rseq_cs, \"aw?\"\n"                                                   \
	"	.balign 32\n"                                                                      \
	"3:	.long 0, 0\n"                                                                      \
		PCPU_ASM_WORD("1f")                                                                \
		PCPU_ASM_WORD("2f - 1f")                                                           \
		PCPU_ASM_WORD("0f")                                                                \
	".popsection\n"                                                                            \
		PCPU_ASM_JUMP                                                                      \
	"	.balign 4\n"                                                                       \
	"	.long " PCPU_TEXT(PCPU_RSEQ_SIGNATURE) "\n"                                        \
	"0:\n"	PCPU_ASM_NAME                                                                      \
	"1:\n"	PCPU_ASM_ENTER                                                                     \
		body                                                                               \
	"2:\n"	PCPU_ASM_LEAVE
/* clang-format on */

/* ---- What stands between entering and leaving ----------------------------------------------- */

#ifndef PCPU_BODY_READ
#define PCPU_BODY_READ(n) PCPU_ASM_LOAD(n)
#define PCPU_BODY_WRITE(n) PCPU_ASM_STORE(n, "value")
#define PCPU_BODY_XCHG(n) PCPU_ASM_LOAD(n) PCPU_ASM_STORE(n, "value")
#define PCPU_BODY_CMPXCHG(n) PCPU_ASM_LOAD(n) PCPU_ASM_UNLESS_EQUAL PCPU_ASM_STORE(n, "value")
#define PCPU_BODY_CHANGE(n, insn) PCPU_ASM_LOAD(n) PCPU_ASM_COMPUTE(insn) PCPU_ASM_STORE(n, "tmp")
#define PCPU_BODY_ADD(n) PCPU_BODY_CHANGE(n, PCPU_ASM_ADD)
#define PCPU_BODY_AND(n) PCPU_BODY_CHANGE(n, PCPU_ASM_AND)
#define PCPU_BODY_OR(n) PCPU_BODY_CHANGE(n, PCPU_ASM_OR)
#define PCPU_BODY_XOR(n) PCPU_BODY_CHANGE(n, PCPU_ASM_XOR)
#endif

/* The variable stands for all its copies: naming it keeps other accesses to them in order, without
 * making the compiler forget all of memory. */
#ifndef PCPU_OUTPUTS
#define PCPU_OUTPUTS(type)                                                                         \
	[t] "=&" PCPU_ADDRESS(t), [old] "=&r"(old), [tmp] "+&r"(expected), "+m"(*(type *)cookie)
#define PCPU_INPUTS                                                                                \
	[area] PCPU_ADDRESS(__pcpu_thread_pointer() + (intptr_t)PCPU_RSEQ_AREA),                   \
		[offset] PCPU_ADDRESS(pcpu_layout.offset), [cookie] PCPU_ADDRESS(cookie),          \
		[value] "r"(value)
#endif

typedef uint8_t __attribute__((may_alias)) __pcpu_uint8;
typedef uint16_t __attribute__((may_alias)) __pcpu_uint16;
typedef uint32_t __attribute__((may_alias)) __pcpu_uint32;
typedef uint64_t __attribute__((may_alias)) __pcpu_uint64;

/* ---- Operations ----------------------------------------------------------------------------- */

/* Whether a sequence ended without an address in `t`. */
#define PCPU_TURNED_AWAY(t) __builtin_expect((t) >= (uintptr_t)-4096, 0)

#define PCPU_SEQUENCE_OPERATION(name, code, type, n, body)                                         \
	static inline __attribute__((always_inline))                                               \
	uint64_t __pcpu_##name##_##n(uintptr_t cookie, uintptr_t value, uintptr_t expected)        \
	{                                                                                          \
		const uintptr_t a = (code) == PCPU_CMPXCHG ? expected : value;                     \
		uintptr_t t, old;                                                                  \
                                                                                                   \
		__asm__ volatile(PCPU_SEQUENCE(body)                                               \
				 : PCPU_OUTPUTS(type)                                              \
				 : PCPU_INPUTS                                                     \
				 : PCPU_ASM_CLOBBERS);                                             \
		if (PCPU_TURNED_AWAY(t))                                                           \
			return pcpu_slow_operation(PCPU_CODE(code, n), cookie, a, value);          \
		return old;                                                                        \
	}

#if UINTPTR_MAX > 0xffffffffU
#define PCPU_SEQUENCE_8(name, code, body)                                                          \
	PCPU_SEQUENCE_OPERATION(name, code, __pcpu_uint64, 8, body(8))
#else
/* Not one store; the library uses atomic instructions for these, whatever it does for others. */
#define PCPU_SEQUENCE_8(name, code, body)                                                          \
	static inline uint64_t __pcpu_##name##_8(uintptr_t cookie, uint64_t value,                 \
						 uint64_t expected)                                \
	{                                                                                          \
		return pcpu_slow_operation(PCPU_CODE(code, 8), cookie,                             \
					   (code) == PCPU_CMPXCHG ? expected : value, value);      \
	}
#endif

/* For all sizes; the size is a constant, one case remains.  Loads fill up with zeros, so that what
 * they are compared with has to. */
#define PCPU_SEQUENCE_OPERATIONS(name, code, body)                                                 \
	PCPU_SEQUENCE_OPERATION(name, code, __pcpu_uint8, 1, body(1))                              \
	PCPU_SEQUENCE_OPERATION(name, code, __pcpu_uint16, 2, body(2))                             \
	PCPU_SEQUENCE_OPERATION(name, code, __pcpu_uint32, 4, body(4))                             \
	PCPU_SEQUENCE_8(name, code, body)                                                          \
	static inline __attribute__((always_inline))                                               \
	uint64_t __pcpu_any_##name(uintptr_t cookie, size_t size, uint64_t value,                  \
				   uint64_t expected)                                              \
	{                                                                                          \
		switch (size) {                                                                    \
		case 1:                                                                            \
			return __pcpu_##name##_1(cookie, (uint8_t)value, (uint8_t)expected);       \
		case 2:                                                                            \
			return __pcpu_##name##_2(cookie, (uint16_t)value, (uint16_t)expected);     \
		case 4:                                                                            \
			return __pcpu_##name##_4(cookie, (uint32_t)value, (uint32_t)expected);     \
		default:                                                                           \
			return __pcpu_##name##_8(cookie, value, expected);                         \
		}                                                                                  \
	}

PCPU_SEQUENCE_OPERATIONS(read, PCPU_READ, PCPU_BODY_READ)
PCPU_SEQUENCE_OPERATIONS(write, PCPU_WRITE, PCPU_BODY_WRITE)
PCPU_SEQUENCE_OPERATIONS(xadd, PCPU_XADD, PCPU_BODY_ADD)
PCPU_SEQUENCE_OPERATIONS(and, PCPU_AND, PCPU_BODY_AND)
PCPU_SEQUENCE_OPERATIONS(or, PCPU_OR, PCPU_BODY_OR)
PCPU_SEQUENCE_OPERATIONS(xor, PCPU_XOR, PCPU_BODY_XOR)
PCPU_SEQUENCE_OPERATIONS(xchg, PCPU_XCHG, PCPU_BODY_XCHG)
PCPU_SEQUENCE_OPERATIONS(cmpxchg, PCPU_CMPXCHG, PCPU_BODY_CMPXCHG)

/* The faces that <permod/percpu.h> uses. */
#define __pcpu_read(cookie, size) __pcpu_any_read(cookie, size, 0, 0)
#define __pcpu_write(cookie, size, v) ((void)__pcpu_any_write(cookie, size, v, 0))
#define __pcpu_add(cookie, size, v) ((void)__pcpu_any_xadd(cookie, size, v, 0))
#define __pcpu_and(cookie, size, v) ((void)__pcpu_any_and(cookie, size, v, 0))
#define __pcpu_or(cookie, size, v) ((void)__pcpu_any_or(cookie, size, v, 0))
#define __pcpu_xor(cookie, size, v) ((void)__pcpu_any_xor(cookie, size, v, 0))
#define __pcpu_xadd(cookie, size, v) __pcpu_any_xadd(cookie, size, v, 0)
#define __pcpu_xchg(cookie, size, v) __pcpu_any_xchg(cookie, size, v, 0)
#define __pcpu_cmpxchg(cookie, size, expected, v) __pcpu_any_cmpxchg(cookie, size, v, expected)

static inline __attribute__((always_inline)) unsigned int __pcpu_cpu(void)
{
	const char *area = __pcpu_thread_pointer() + (intptr_t)PCPU_RSEQ_AREA;
	int cpu = *(const volatile int32_t *)(area + PCPU_RSEQ_INDEX);

	if (__builtin_expect(cpu < 0, 0))
		return pcpu_slow_cpu();
	return (unsigned int)cpu;
}

#endif
