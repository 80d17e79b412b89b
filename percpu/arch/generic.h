/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Architectures without sequences for caches: they have none, and every allocation and freeing goes
 * through the lock.
 */
#ifndef PERCPU_ARCH_GENERIC_H
#define PERCPU_ARCH_GENERIC_H

#define PCPU_HAS_CACHES 0

static inline bool pcpu_thread_is_known(void)
{
	return true;
}

static inline int64_t pcpu_sequence_pop(const uintptr_t *caches, size_t header, size_t array)
{
	(void)caches, (void)header, (void)array;
	return -1;
}

static inline bool pcpu_sequence_push(const uintptr_t *caches, size_t header, size_t array,
				      uint32_t entry)
{
	(void)caches, (void)header, (void)array, (void)entry;
	return false;
}

static inline size_t pcpu_sequence_take(const uintptr_t *caches, size_t header, size_t array,
					uint32_t *entries)
{
	(void)caches, (void)header, (void)array, (void)entries;
	return 0;
}

static inline bool pcpu_sequence_put(const uintptr_t *caches, size_t header, size_t array,
				     const uint32_t *entries, size_t more)
{
	(void)caches, (void)header, (void)array, (void)entries, (void)more;
	return false;
}

#endif
