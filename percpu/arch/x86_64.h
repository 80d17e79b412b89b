/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The caches' restartable sequences on x86-64; cache.c says what they do and how a cache is laid
 * out.  `caches` is the table of the CPUs' caches, which a sequence reads for the CPU that it runs
 * on; `header` and `array` are distances in bytes from a cache.  Of each sequence only the last
 * store counts: it sets a list's length.
 */
#ifndef PERCPU_ARCH_X86_64_H
#define PERCPU_ARCH_X86_64_H

#define PCPU_HAS_CACHES 1

#define PCPU_CACHE_INPUTS(caches, header, array)                                                   \
	[rseq] "r"(pcpu_area), [offset] "r"(caches), [header] "r"(header), [array] "r"(array)

/* Whether the kernel restarts this thread's sequences. */
static inline bool pcpu_thread_is_known(void)
{
	int cpu;

	__asm__ volatile("movl %%fs:4(%1), %0" : "=r"(cpu) : "r"(pcpu_area));
	return cpu >= 0;
}

/* Take the last entry of a list; -1 if there is none. */
static inline int64_t pcpu_sequence_pop(const uintptr_t *caches, size_t header, size_t array)
{
	int64_t result = -1;
	size_t cache, count;

	__asm__ volatile(
		PCPU_RSEQ_ENTER(
			"%[cache]") "	movq $-1, %[result]\n"
				    "	movl (%[cache], %[header]), %k[count]\n"
				    "	subl $1, %k[count]\n"
				    "	jc 2f\n"
				    "	leaq (%[cache], %[array]), %[result]\n"
				    "	movl (%[result], %[count], 4), %k[result]\n"
				    "	movl %k[count], (%[cache], %[header])\n" PCPU_RSEQ_LEAVE(
					    "6f")
		: [cache] "=&r"(cache), [count] "=&r"(count), [result] "+&r"(result)
		: PCPU_CACHE_INPUTS(caches, header, array)
		: "cc", "memory");
	return result;
}

/* Add an entry to a list whose limit is the word behind its length; false if it is full. */
static inline bool pcpu_sequence_push(const uintptr_t *caches, size_t header, size_t array,
				      uint32_t entry)
{
	size_t cache, count, at;
	unsigned int done = 0;

	__asm__ volatile(
		PCPU_RSEQ_ENTER(
			"%[cache]") "	xorl %[done], %[done]\n"
				    "	movl (%[cache], %[header]), %k[count]\n"
				    "	cmpl 4(%[cache], %[header]), %k[count]\n"
				    "	jae 2f\n"
				    "	leaq (%[cache], %[array]), %[at]\n"
				    "	movl %[entry], (%[at], %[count], 4)\n"
				    "	addl $1, %k[count]\n"
				    "	movl $1, %[done]\n"
				    "	movl %k[count], (%[cache], %[header])\n" PCPU_RSEQ_LEAVE(
					    "6f")
		: [cache] "=&r"(cache), [count] "=&r"(count), [at] "=&r"(at), [done] "+&r"(done)
		: PCPU_CACHE_INPUTS(caches, header, array), [entry] "r"(entry)
		: "cc", "memory");
	return done;
}

/* Take all entries of a list; returns how many. */
static inline size_t pcpu_sequence_take(const uintptr_t *caches, size_t header, size_t array,
					uint32_t *entries)
{
	size_t cache, count = 0;

	__asm__ volatile(PCPU_RSEQ_ENTER(
				 "%[cache]") "	movl (%[cache], %[header]), %k[count]\n"
					     "	movl %k[count], %%ecx\n"
					     "	leaq (%[cache], %[array]), %%rsi\n"
					     "	movq %[entries], %%rdi\n"
					     "	rep movsl\n"
					     "	movl $0, (%[cache], %[header])\n" PCPU_RSEQ_LEAVE(
						     "6f")
			 : [cache] "=&r"(cache), [count] "+&r"(count)
			 : PCPU_CACHE_INPUTS(caches, header, array), [entries] "r"(entries)
			 : "rcx", "rsi", "rdi", "cc", "memory");
	return count;
}

/* Add entries to a list whose limit is two words behind its length; false if there is no room. */
static inline bool pcpu_sequence_put(const uintptr_t *caches, size_t header, size_t array,
				     const uint32_t *entries, size_t more)
{
	size_t cache, count;
	unsigned int done = 0;

	__asm__ volatile(
		PCPU_RSEQ_ENTER(
			"%[cache]") "	xorl %[done], %[done]\n"
				    "	movl (%[cache], %[header]), %%ecx\n"
				    "	leaq (%%rcx, %[more]), %[count]\n"
				    "	cmpl 8(%[cache], %[header]), %k[count]\n"
				    "	ja 2f\n"
				    "	leaq (%[cache], %[array]), %%rdi\n"
				    "	leaq (%%rdi, %%rcx, 4), %%rdi\n"
				    "	movq %[entries], %%rsi\n"
				    "	movq %[more], %%rcx\n"
				    "	rep movsl\n"
				    "	movl $1, %[done]\n"
				    "	movl %k[count], (%[cache], %[header])\n" PCPU_RSEQ_LEAVE(
					    "6f")
		: [cache] "=&r"(cache), [count] "=&r"(count), [done] "+&r"(done)
		: PCPU_CACHE_INPUTS(caches, header, array), [entries] "r"(entries), [more] "r"(more)
		: "rcx", "rsi", "rdi", "cc", "memory");
	return done;
}

#endif
