/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * this_cpu operations on x86-64, as restartable sequences (rseq(2)).  Included by
 * <permod/percpu.h>; do not include it.
 *
 * A sequence stores the address of its descriptor in the thread's rseq area, reads the CPU number,
 * and ends with one instruction that changes that CPU's copy.  If the thread is
 * preempted, moved or gets a signal before that instruction, the kernel sends it to the abort
 * address, and it starts again.  So the CPU number is right when the work is done, and an
 * instruction without a lock prefix is enough.
 *
 * On every way out the descriptor's address is cleared again.  The kernel may look at a
 * descriptor that is still named long after the thread has left the sequence, and kills the
 * thread if the memory is gone; this is what makes modules with sequences safe to unload.
 *
 * The descriptors have a section of their own, which tells them from those of other headers that
 * do not clear.  A negative CPU number means that this thread has no restartable sequences: the
 * library does the work.  That must not change between the store and the read, or the sequence would
 * go on although the kernel does not know of it; so the library never registers an area that inline
 * code looks at, which a signal handler might make it do just then.
 *
 *     offset in struct rseq (include/uapi/linux/rseq.h):  4 cpu_id   8 rseq_cs
 */
#ifndef PERMOD_ARCH_X86_64_H
#define PERMOD_ARCH_X86_64_H

/* What the library must know: there are sequences, for all sizes, and what an area is registered
 * with, which is also the word before every abort address. */
#define PCPU_HAVE_SEQUENCES 1
#define PCPU_SEQUENCE_BYTES 8
#define PCPU_RSEQ_SIGNATURE 0x53053053

/* Where a thread's area is, and the number in it that selects the unit.  The library's own sequences
 * look elsewhere. */
#ifndef PCPU_RSEQ_AREA
#define PCPU_RSEQ_AREA pcpu_layout.rseq
#endif
#ifndef PCPU_RSEQ_INDEX
#define PCPU_RSEQ_INDEX 4
#endif

#define PCPU_TEXT_OF(number) #number
#define PCPU_TEXT(number) PCPU_TEXT_OF(number)

/*
 * Labels: 0 start, 1 first instruction inside, 2 behind the commit, 3 descriptor, 4 abort, 5 no
 * sequences, 6 end.  `t` is a scratch register: the CPU number, then its offset.
 */
#define PCPU_RSEQ_ENTER(t)                                                                         \
	".pushsection __pcpu_rseq_cs, \"aw?\", @progbits\n"                                        \
	".balign 32\n"                                                                             \
	"3:	.long 0, 0\n"                                                                          \
	"	.quad 1f, 2f - 1f, 4f\n"                                                                 \
	".popsection\n"                                                                            \
	"0:	leaq 3b(%%rip), " t "\n"                                                           \
	"	movq " t ", %%fs:8(%[rseq])\n"                                                     \
	"1:	movslq %%fs:" PCPU_TEXT(PCPU_RSEQ_INDEX) "(%[rseq]), " t "\n"                      \
							 "	testq " t ", " t "\n"              \
							 "	js 5f\n"                                \
							 "	movq (%[offset], " t ", 8), " t    \
							 "\n"

/*
 * What leads up to the abort address decodes as one undefined instruction (ud1).  The section is
 * not the compiler's own .text.unlikely: this must neither land in the middle of a cold function
 * nor before its first instruction, from which tables of exceptions count.
 */
#define PCPU_RSEQ_LEAVE(without)                                                                   \
	"2:	movq $0, %%fs:8(%[rseq])\n"                                                            \
	".pushsection .text.pcpu_unlikely, \"ax?\", @progbits\n"                                   \
	"	.byte 0x0f, 0xb9, 0x3d\n"                                                                \
	"	.long " PCPU_TEXT(PCPU_RSEQ_SIGNATURE) "\n"                                        \
						       "4:	jmp 0b\n"                               \
						       "5:	movq $0, %%fs:8(%[rseq])\n"             \
						       "	jmp " without "\n"                 \
						       ".popsection\n"                             \
						       "6:\n"

/* Operands that every sequence has.  The variable stands for all its copies: naming it as written
 * keeps other accesses to them in order, without making the compiler forget all of memory. */
#define PCPU_RSEQ_INPUTS(cookie)                                                                   \
	[rseq] "r"(PCPU_RSEQ_AREA), [offset] "r"(pcpu_layout.offset), [cookie] "r"(cookie)

/* Variables as memory, whatever their types: an operation on a pointer or a long long changes it too. */
typedef uint8_t __attribute__((may_alias)) __pcpu_memory_1;
typedef uint16_t __attribute__((may_alias)) __pcpu_memory_2;
typedef uint32_t __attribute__((may_alias)) __pcpu_memory_4;
typedef uint64_t __attribute__((may_alias)) __pcpu_memory_8;

/*
 * Where a thread has no sequences, operations leave for the slow path by a jump.  Compilers that can't
 * have both a jump and an output operand are told that all of memory changes; and let the library do
 * what has a result.
 */
#if defined(__clang__) || __GNUC__ >= 11
#define PCPU_GOTO_OUTPUTS 1
#define PCPU_GOTO_WRITES(bytes, cookie) "+m"(*(__pcpu_memory_##bytes *)(cookie))
#define PCPU_GOTO_CLOBBERS "rax", "cc"
#else
#define PCPU_GOTO_OUTPUTS 0
#define PCPU_GOTO_WRITES(bytes, cookie)
#define PCPU_GOTO_CLOBBERS "rax", "cc", "memory"
#endif

#define PCPU_RSEQ_VOID(name, insn, code, type, bytes, mod, imm)                                    \
	static inline                                                                              \
		__attribute__((always_inline)) void __pcpu_##name##_##bytes(uintptr_t cookie,      \
									    type value)            \
	{                                                                                          \
		__asm__ volatile goto(PCPU_RSEQ_ENTER("%%rax") insn                                \
				      " %" mod                                                     \
				      "[value], (%%rax, %[cookie])\n" PCPU_RSEQ_LEAVE("%l[slow]")  \
				      : PCPU_GOTO_WRITES(bytes, cookie)                            \
				      : PCPU_RSEQ_INPUTS(cookie), [value] imm(value)               \
				      : PCPU_GOTO_CLOBBERS                                         \
				      : slow);                                                     \
		return;                                                                            \
slow:                                                                                              \
		pcpu_slow_operation(PCPU_CODE(code, bytes), cookie, value, 0);                     \
	}

/* `result` is made of what the sequence has left in `r`. */
#if PCPU_GOTO_OUTPUTS
#define PCPU_RSEQ_VALUE(name, body, result, code, type, bytes, imm)                                \
	static inline __attribute__((always_inline))                                               \
	type __pcpu_##name##_##bytes(uintptr_t cookie, type value, type expected)                  \
	{                                                                                          \
		type r;                                                                            \
                                                                                                   \
		__asm__ volatile goto(                                                             \
			PCPU_RSEQ_ENTER("%%rax") body PCPU_RSEQ_LEAVE("%l[slow]")                  \
			: [r] "=&q"(r), PCPU_GOTO_WRITES(bytes, cookie)                            \
			: PCPU_RSEQ_INPUTS(cookie), [value] imm(value), [expected] imm(expected)   \
			: PCPU_GOTO_CLOBBERS                                                       \
			: slow);                                                                   \
		return (type)(result);                                                             \
slow:                                                                                              \
		return (type)pcpu_slow_operation(PCPU_CODE(code, bytes), cookie,                   \
						 (code) == PCPU_CMPXCHG ? expected : value,        \
						 value);                                           \
	}
#else
#define PCPU_RSEQ_VALUE(name, body, result, code, type, bytes, imm)                                \
	static inline type __pcpu_##name##_##bytes(uintptr_t cookie, type value, type expected)    \
	{                                                                                          \
		return (type)pcpu_slow_operation(PCPU_CODE(code, bytes), cookie,                   \
						 (code) == PCPU_CMPXCHG ? expected : value,        \
						 value);                                           \
	}
#endif

/*
 * One operation for each size.  `s` and `m` are the suffix of an instruction and the modifier of an
 * operand, `load` fills the whole register.  The commit is a plain store as a rule: xadd and cmpxchg
 * take longer than the instructions they stand for.
 */
#define PCPU_RSEQ_SIZES(kind, ...)                                                                 \
	kind(uint8_t, 1, "b", "b", "movzbl (%%rax, %[cookie]), %k[r]\n", "iq", __VA_ARGS__)        \
		kind(uint16_t, 2, "w", "w", "movzwl (%%rax, %[cookie]), %k[r]\n", "ir",            \
		     __VA_ARGS__) kind(uint32_t, 4, "l", "k", "movl (%%rax, %[cookie]), %k[r]\n",  \
				       "ir", __VA_ARGS__)                                          \
			kind(uint64_t, 8, "q", "q", "movq (%%rax, %[cookie]), %q[r]\n", "er",      \
			     __VA_ARGS__)

#define PCPU_RSEQ_CHANGE(type, bytes, s, m, load, imm, name, insn, code)                           \
	PCPU_RSEQ_VOID(name, insn s, code, type, bytes, m, imm)
#define PCPU_RSEQ_READ(type, bytes, s, m, load, imm, code)                                         \
	PCPU_RSEQ_VALUE(read, load, r, code, type, bytes, imm)
#define PCPU_RSEQ_XADD(type, bytes, s, m, load, imm, code)                                         \
	PCPU_RSEQ_VALUE(xadd,                                                                      \
			load "	add" s " %" m "[value], %" m "[r]\n"                               \
			     "	mov" s " %" m "[r], (%%rax, %[cookie])\n",                         \
			r - value, code, type, bytes, imm)
#define PCPU_RSEQ_XCHG(type, bytes, s, m, load, imm, code)                                         \
	PCPU_RSEQ_VALUE(xchg, load "	mov" s " %" m "[value], (%%rax, %[cookie])\n", r, code,    \
			type, bytes, imm)
#define PCPU_RSEQ_CMPXCHG(type, bytes, s, m, load, imm, code)                                      \
	PCPU_RSEQ_VALUE(cmpxchg,                                                                   \
			load "	cmp" s " %" m "[expected], %" m "[r]\n"                            \
			     "	jne 2f\n"                                                           \
			     "	mov" s " %" m "[value], (%%rax, %[cookie])\n",                     \
			r, code, type, bytes, imm)

PCPU_RSEQ_SIZES(PCPU_RSEQ_CHANGE, write, "mov", PCPU_WRITE)
PCPU_RSEQ_SIZES(PCPU_RSEQ_CHANGE, add, "add", PCPU_ADD)
PCPU_RSEQ_SIZES(PCPU_RSEQ_CHANGE, and, "and", PCPU_AND)
PCPU_RSEQ_SIZES(PCPU_RSEQ_CHANGE, or, "or", PCPU_OR)
PCPU_RSEQ_SIZES(PCPU_RSEQ_CHANGE, xor, "xor", PCPU_XOR)
PCPU_RSEQ_SIZES(PCPU_RSEQ_READ, PCPU_READ)
PCPU_RSEQ_SIZES(PCPU_RSEQ_XADD, PCPU_XADD)
PCPU_RSEQ_SIZES(PCPU_RSEQ_XCHG, PCPU_XCHG)
PCPU_RSEQ_SIZES(PCPU_RSEQ_CMPXCHG, PCPU_CMPXCHG)

/* Two words at once: every x86-64 CPU has it but some of the first, of before 2006. */
#define PCPU_HAVE_CMPXCHG_DOUBLE 1

static inline __attribute__((always_inline)) int
__pcpu_cmpxchg_double(uintptr_t cookie, uint64_t o1, uint64_t o2, uint64_t n1, uint64_t n2)
{
	uint64_t a = o1, d = o2;
	intptr_t t;
	int equal;

	__asm__ volatile(PCPU_RSEQ_ENTER("%[t]") "	addq %[cookie], %[t]\n"
						 "	cmpxchg16b (%[t])\n" PCPU_RSEQ_LEAVE("6f")
			 : [t] "=&r"(t), "+a"(a), "+d"(d), "=@ccz"(equal),
			   "+m"(((__pcpu_memory_8 *)cookie)[0]),
			   "+m"(((__pcpu_memory_8 *)cookie)[1])
			 : PCPU_RSEQ_INPUTS(cookie), "b"(n1), "c"(n2));
	if (__builtin_expect(t < 0, 0))
		return pcpu_slow_cmpxchg_double(cookie, o1, o2, n1, n2);
	return equal;
}

/* The same for processes that use atomic instructions: on one copy. */
static inline int __pcpu_atomic_cmpxchg_double(void *copy, uint64_t o1, uint64_t o2, uint64_t n1,
					       uint64_t n2)
{
	int equal;

	__asm__ volatile("lock; cmpxchg16b %[words]"
			 : "+a"(o1), "+d"(o2),
			   "=@ccz"(equal), [words] "+m"(((__pcpu_memory_8 *)copy)[0]),
			   "+m"(((__pcpu_memory_8 *)copy)[1])
			 : "b"(n1), "c"(n2));
	return equal;
}

/* The faces that <permod/percpu.h> uses: the size is a constant, one case remains. */
#define PCPU_DISPATCH_VOID(name)                                                                   \
	static inline __attribute__((always_inline)) void __pcpu_##name(uintptr_t cookie,          \
									size_t size, uint64_t v)   \
	{                                                                                          \
		switch (size) {                                                                    \
		case 1:                                                                            \
			__pcpu_##name##_1(cookie, (uint8_t)v);                                     \
			break;                                                                     \
		case 2:                                                                            \
			__pcpu_##name##_2(cookie, (uint16_t)v);                                    \
			break;                                                                     \
		case 4:                                                                            \
			__pcpu_##name##_4(cookie, (uint32_t)v);                                    \
			break;                                                                     \
		default:                                                                           \
			__pcpu_##name##_8(cookie, v);                                              \
			break;                                                                     \
		}                                                                                  \
	}

#define PCPU_DISPATCH_VALUE(name)                                                                  \
	static inline __attribute__((always_inline))                                               \
	uint64_t __pcpu_any_##name(uintptr_t cookie, size_t size, uint64_t v, uint64_t expected)   \
	{                                                                                          \
		switch (size) {                                                                    \
		case 1:                                                                            \
			return __pcpu_##name##_1(cookie, (uint8_t)v, (uint8_t)expected);           \
		case 2:                                                                            \
			return __pcpu_##name##_2(cookie, (uint16_t)v, (uint16_t)expected);         \
		case 4:                                                                            \
			return __pcpu_##name##_4(cookie, (uint32_t)v, (uint32_t)expected);         \
		default:                                                                           \
			return __pcpu_##name##_8(cookie, v, expected);                             \
		}                                                                                  \
	}

PCPU_DISPATCH_VOID(write)
PCPU_DISPATCH_VOID(add)
PCPU_DISPATCH_VOID(and)
PCPU_DISPATCH_VOID(or)
PCPU_DISPATCH_VOID(xor)
PCPU_DISPATCH_VALUE(read)
PCPU_DISPATCH_VALUE(xadd)
PCPU_DISPATCH_VALUE(xchg)
PCPU_DISPATCH_VALUE(cmpxchg)

#define __pcpu_read(cookie, size) __pcpu_any_read(cookie, size, 0, 0)
/* The register that goes in with the operand comes out with the old value. */
#define __pcpu_xadd(cookie, size, v) __pcpu_any_xadd(cookie, size, v, v)
#define __pcpu_xchg(cookie, size, v) __pcpu_any_xchg(cookie, size, v, 0)
#define __pcpu_cmpxchg(cookie, size, expected, v) __pcpu_any_cmpxchg(cookie, size, v, expected)

static inline char *__pcpu_thread_pointer(void)
{
	char *pointer;

	__asm__("movq %%fs:0, %0" : "=r"(pointer));
	return pointer;
}

static inline __attribute__((always_inline)) unsigned int __pcpu_cpu(void)
{
	int cpu;

	__asm__ volatile("movl %%fs:" PCPU_TEXT(PCPU_RSEQ_INDEX) "(%1), %0"
			 : "=r"(cpu)
			 : "r"(PCPU_RSEQ_AREA));
	if (__builtin_expect(cpu < 0, 0))
		return pcpu_slow_cpu();
	return (unsigned int)cpu;
}

#endif
