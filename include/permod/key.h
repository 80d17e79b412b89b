/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <permod/key.h> - static keys: conditions that are false nearly always, and take no branch then.
 *
 * In a header, in one source file, and where it is asked:
 *
 *     PERMOD_DECLARE_KEY(tracing);
 *     PERMOD_DEFINE_KEY(tracing);
 *     if (PERMOD_KEY_ENABLED(tracing))
 *             trace(...);
 *
 *     permod_key_enable(&permod_key_tracing);
 *
 * Each place where a key is asked is a comparison and a branch.  That is right always.  When a program
 * has called permod_patch_keys(), both are no-operations as long as the key is disabled: so nothing is
 * loaded, and there is no branch to predict.  Hooks (<permod/hook.h>) are such keys.
 *
 * How code is changed: the page is copied, changed in the copy, and the copy, in a file in memory, is put
 * in its place at once; what is executable is never writable, under no address.  An instruction and its
 * no-operation are of one size and within a cache line, and threads may run either at any moment; when
 * permod_key_enable() returns all run the new one (membarrier(2)).  Places that can't be changed stay as
 * they are.
 *
 * On other architectures than x86-64, or with PERMOD_NO_PATCHING defined, it is a load and a branch.
 */
#ifndef PERMOD_KEY_H
#define PERMOD_KEY_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct permod_key - a key; made by PERMOD_DEFINE_KEY().
 * @enabled:	atomic; the library's
 */
struct permod_key {
	uintptr_t enabled;
};

/**
 * permod_key_enable(), permod_key_disable() - from its return on, all threads see it so.
 *
 * Takes a lock; any thread may call them, but no signal handler.  Both return 0; enabling a key whose
 * places were patched may fail with the error of mmap(2), memfd_create(2) and the like, or with -EBUSY (a
 * debugger has a breakpoint there), and then the key is as it was.
 */
int permod_key_enable(struct permod_key *key);
int permod_key_disable(struct permod_key *key);

/**
 * permod_patch_keys() - from now on, let keys that are disabled be no-operations, and hooks without functions.
 *
 * Returns 0, or why code can't be changed: -EOPNOTSUPP (another architecture, no membarrier(2) that
 * synchronizes code, or valgrind), or an error of memfd_create(2), mmap(2) or mremap(2), as where a policy
 * forbids to map such files for execution.  Then keys work as before.  Takes two mappings and a page
 * for each page of code that has a place.  Takes a lock; no signal handler may call it.
 */
int permod_patch_keys(void);

/* ---- For inline code ------------------------------------------------------------------------ */

/* A place: distances from each field to the comparison and to a pointer to the key's word; how long the
 * comparison and the branch behind it are, bytes. */
struct permod_key_place {
	int32_t code, key;
	uint8_t comparison, branch, unused[2];
};

void permod_keys_come(const struct permod_key_place *begin, const struct permod_key_place *end);
void permod_keys_go(const struct permod_key_place *begin, const struct permod_key_place *end);

#if defined(__x86_64__) && !defined(PERMOD_NO_PATCHING)
/* `pointer` is a constant pointer to the word, of this file's own; `check` a label, where the word is to
 * be looked at: a thread may come to the branch from what was there before the comparison. */
#define PERMOD_KEY_BRANCH(word, pointer, check)                                                    \
	__asm__ goto("1:	cmpq $0, %0\n"                                                            \
		     "2:	.byte 0x0f, 0x85\n"                                                       \
		     "	.long %l[" #check "] - 3f\n"                                               \
		     "3:\n"                                                                        \
		     ".pushsection permod_keys, \"a?\", @progbits\n"                               \
		     "	.balign 4\n"                                                                \
		     "	.long 1b - ., %c1 - .\n"                                                    \
		     "	.byte 2b - 1b, 3b - 2b, 0, 0\n"                                             \
		     ".popsection\n"                                                               \
		     :                                                                             \
		     : "m"(word), "i"(&pointer)                                                    \
		     : "cc"                                                                        \
		     : check)

/* Each file of a program or shared object tells of all places of it; of modules the loader knows. */
#if !defined(PERMOD_MODULE)
extern const struct permod_key_place __start_permod_keys[]
	__attribute__((weak, visibility("hidden")));
extern const struct permod_key_place __stop_permod_keys[]
	__attribute__((weak, visibility("hidden")));

__attribute__((constructor(102), used)) static void permod_keys_begin(void)
{
	permod_keys_come(__start_permod_keys, __stop_permod_keys);
}

__attribute__((destructor(102), used)) static void permod_keys_end(void)
{
	permod_keys_go(__start_permod_keys, __stop_permod_keys);
}
#endif
#else
#define PERMOD_KEY_BRANCH(word, pointer, check)                                                    \
	do {                                                                                       \
		(void)(pointer);                                                                   \
		goto check;                                                                        \
	} while (0)
#endif

/* A function `name` that tells whether `word` is not 0. */
#define PERMOD_KEY_FUNCTION(name, word)                                                            \
	static const volatile void *const name##_word __attribute__((unused)) = &(word);           \
	static inline __attribute__((always_inline, unused)) bool name(void)                       \
	{                                                                                          \
		PERMOD_KEY_BRANCH(word, name##_word, check);                                       \
		return false;                                                                      \
check:                                                                                             \
		return __builtin_expect(!!__atomic_load_n(&(word), __ATOMIC_RELAXED), 0);          \
	}

/* ---- Keys ----------------------------------------------------------------------------------- */

/** PERMOD_DECLARE_KEY(name) - declare a key, permod_key_NAME; outside of functions. */
#define PERMOD_DECLARE_KEY(name)                                                                   \
	extern struct permod_key permod_key_##name;                                                \
	PERMOD_KEY_FUNCTION(permod_key_enabled_##name, permod_key_##name.enabled)                  \
	extern struct permod_key permod_key_##name

/** PERMOD_DEFINE_KEY(name) - define it, disabled: once, outside of functions, where it is declared. */
#define PERMOD_DEFINE_KEY(name) struct permod_key permod_key_##name = { 0 }

/** PERMOD_KEY_ENABLED(name) - whether it is enabled; a bool. */
#define PERMOD_KEY_ENABLED(name) permod_key_enabled_##name()

#ifdef __cplusplus
}
#endif

#endif
