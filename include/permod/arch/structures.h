/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The restartable sequences under percpu_counter, percpu_ref and percpu_list.  Included by their
 * headers; do not include it.
 *
 * Each function below does one step of a structure on the slot of the CPU that it commits on, exactly
 * once, or says that the library must do it: because this thread or process has no sequences, or
 * because the structure is just not to be changed in this way.  Here are those of architectures
 * without sequences, which always say so.
 */
#ifndef PERMOD_ARCH_STRUCTURES_H
#define PERMOD_ARCH_STRUCTURES_H

#include <permod/percpu.h>

#include <stdbool.h>

/*
 * ThreadSanitizer does not see what sequences order, so it is told: what was before a release of an
 * address is before what comes after an acquisition of it.
 */
#ifdef __SANITIZE_THREAD__
#define PCPU_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PCPU_TSAN 1
#endif
#endif

#ifdef PCPU_TSAN
#ifdef __cplusplus
extern "C" {
#endif
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#ifdef __cplusplus
}
#endif
#define PCPU_TSAN_ACQUIRE(address) __tsan_acquire(address)
#define PCPU_TSAN_RELEASE(address) __tsan_release(address)
#else
#define PCPU_TSAN_ACQUIRE(address) ((void)(address))
#define PCPU_TSAN_RELEASE(address) ((void)(address))
#endif

/* What __pcpu_list_pop() and _pop_all() return for "the library must do it"; NULL is an empty list. */
#define PCPU_LIST_SLOW ((void *)(intptr_t)-1)

#ifdef PERMOD_ARCH_X86_64_H
#include <permod/arch/x86_64_structures.h>
#else

/* Add to the first word of this CPU's slot.  Returns the slot's address, and the word's new value, or
 * something negative, as no address is. */
static inline intptr_t __pcpu_counter_add(uintptr_t cookie, int64_t amount, int64_t *total)
{
	(void)cookie, (void)amount;
	*total = 0;
	return -1;
}

/* Add to this CPU's word; false if the library must do it, as it must if one of the two lowest bits of
 * *cookie is set. */
static inline bool __pcpu_ref_add(const uintptr_t *cookie, unsigned long amount)
{
	(void)cookie, (void)amount;
	return false;
}

/*
 * A slot is the head of a list, and a word that is not 0 if the library must do it.  A node begins
 * with the pointer to the next one.
 */
static inline bool __pcpu_list_push(uintptr_t cookie, void *node)
{
	(void)cookie, (void)node;
	return false;
}

static inline void *__pcpu_list_pop(uintptr_t cookie)
{
	(void)cookie;
	return PCPU_LIST_SLOW;
}

static inline void *__pcpu_list_pop_all(uintptr_t cookie)
{
	(void)cookie;
	return PCPU_LIST_SLOW;
}

#endif
#endif
