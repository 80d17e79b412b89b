/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sequences of several instructions on x86-64.  Included by <permod/arch/structures.h>, which says
 * what each does; do not include it.
 *
 * They are made as those in x86_64.h: read the CPU number, prepare, commit by the last instruction,
 * clear the descriptor's address on every way out.  What is read inside is right at the commit
 * unless another CPU writes it; who does that fences afterwards (membarrier(2) with
 * MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ), which makes every sequence in flight start again.
 *
 * They hand memory over between threads, so the compiler must keep other accesses in their places:
 * hence the "memory".
 *
 * Of the frame: `t` is the offset of this CPU's unit; label 2 is the ordinary way out, 5 the way to the
 * library; %[cookie] is the argument of that name.
 */
#ifndef PERMOD_ARCH_X86_64_STRUCTURES_H
#define PERMOD_ARCH_X86_64_STRUCTURES_H

/* There are sequences for structures: the library has the same ones. */
#define PCPU_STRUCTURE_SEQUENCES 1

#define PCPU_COUNTER_ADD                                                                           \
	"	addq %[cookie], %[t]\n"                                                                  \
	"	movq (%[t]), %[sum]\n"                                                                   \
	"	addq %[amount], %[sum]\n"                                                                \
	"	movq %[sum], (%[t])\n"

static inline __attribute__((always_inline)) intptr_t
__pcpu_counter_add(uintptr_t cookie, int64_t amount, int64_t *total)
{
	intptr_t t;
	int64_t sum;

	__asm__ volatile(PCPU_RSEQ_ENTER("%[t]") PCPU_COUNTER_ADD PCPU_RSEQ_LEAVE("6f")
			 : [t] "=&r"(t), [sum] "=&r"(sum), "+m"(*(int64_t *)cookie)
			 : PCPU_RSEQ_INPUTS(cookie), [amount] "er"(amount)
			 : "cc");
	*total = sum;
	return t;
}

#define PCPU_REF_ADD                                                                               \
	"	movq (%[cookie]), %%rdx\n"                                                               \
	"	testb $3, %%dl\n"                                                                        \
	"	jnz 5f\n"                                                                                \
	"	addq %[amount], (%%rax, %%rdx)\n"

static inline __attribute__((always_inline)) bool __pcpu_ref_add(const uintptr_t *cookie,
								 unsigned long amount)
{
	__asm__ volatile goto(PCPU_RSEQ_ENTER("%%rax") PCPU_REF_ADD PCPU_RSEQ_LEAVE("%l[slow]")
			      :
			      : PCPU_RSEQ_INPUTS(cookie), [amount] "er"(amount)
			      : "rax", "rdx", "cc", "memory"
			      : slow);
	return true;
slow:
	return false;
}

#define PCPU_LIST_PUSH                                                                             \
	"	addq %[cookie], %%rax\n"                                                                 \
	"	cmpq $0, 8(%%rax)\n"                                                                     \
	"	jne 5f\n"                                                                                \
	"	movq (%%rax), %%rdx\n"                                                                   \
	"	movq %%rdx, (%[node])\n"                                                                 \
	"	movq %[node], (%%rax)\n"

static inline __attribute__((always_inline)) bool __pcpu_list_push(uintptr_t cookie, void *node)
{
	__asm__ volatile goto(PCPU_RSEQ_ENTER("%%rax") PCPU_LIST_PUSH PCPU_RSEQ_LEAVE("%l[slow]")
			      :
			      : PCPU_RSEQ_INPUTS(cookie), [node] "r"(node)
			      : "rax", "rdx", "cc", "memory"
			      : slow);
	return true;
slow:
	return false;
}

/*
 * The node that is looked into may belong to somebody else already if the sequence is not going to
 * commit, but then it does not get to that instruction: to take a node off this CPU's list another
 * thread must run on this CPU, which interrupts the sequence, or fence before it looks at the list.
 */
#define PCPU_LIST_POP                                                                              \
	"	addq %[cookie], %[t]\n"                                                                  \
	"	movq $-1, %[node]\n"                                                                     \
	"	cmpq $0, 8(%[t])\n"                                                                      \
	"	jne 5f\n"                                                                                \
	"	movq (%[t]), %[node]\n"                                                                  \
	"	testq %[node], %[node]\n"                                                                \
	"	jz 2f\n"                                                                                 \
	"	movq (%[node]), %[next]\n"                                                               \
	"	movq %[next], (%[t])\n"

static inline __attribute__((always_inline)) void *__pcpu_list_pop(uintptr_t cookie)
{
	void *node = PCPU_LIST_SLOW;
	intptr_t t, next;

	__asm__ volatile(PCPU_RSEQ_ENTER("%[t]") PCPU_LIST_POP PCPU_RSEQ_LEAVE("6f")
			 : [t] "=&r"(t), [node] "+&r"(node), [next] "=&r"(next)
			 : PCPU_RSEQ_INPUTS(cookie)
			 : "cc", "memory");
	return node;
}

#define PCPU_LIST_POP_ALL                                                                          \
	"	addq %[cookie], %[t]\n"                                                                  \
	"	movq $-1, %[node]\n"                                                                     \
	"	cmpq $0, 8(%[t])\n"                                                                      \
	"	jne 5f\n"                                                                                \
	"	movq (%[t]), %[node]\n"                                                                  \
	"	movq $0, (%[t])\n"

static inline __attribute__((always_inline)) void *__pcpu_list_pop_all(uintptr_t cookie)
{
	void *node = PCPU_LIST_SLOW;
	intptr_t t;

	__asm__ volatile(PCPU_RSEQ_ENTER("%[t]") PCPU_LIST_POP_ALL PCPU_RSEQ_LEAVE("6f")
			 : [t] "=&r"(t), [node] "+&r"(node)
			 : PCPU_RSEQ_INPUTS(cookie)
			 : "cc", "memory");
	return node;
}

#endif
