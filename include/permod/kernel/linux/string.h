/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The C library's <string.h>, and what else the kernel has: a module that uses that is linked with
 * the kernel's lib/string.c, which leaves to the architecture what __HAVE_ARCH_* says.
 */
#ifndef PERMOD_KERNEL_STRING_H
#define PERMOD_KERNEL_STRING_H

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <string.h>

/* The C library has these, and compilers call them. */
#define __HAVE_ARCH_MEMCPY
#define __HAVE_ARCH_MEMMOVE
#define __HAVE_ARCH_MEMSET
#define __HAVE_ARCH_MEMCMP

ssize_t strscpy(char *to, const char *from, size_t size);
ssize_t strscpy_pad(char *to, const char *from, size_t size);
char *strnchr(const char *text, size_t size, int c);
char *strnstr(const char *text, const char *part, size_t size);
char *strim(char *text);
char *skip_spaces(const char *text);
char *strreplace(char *text, char from, char to);
bool sysfs_streq(const char *a, const char *b);
int match_string(const char *const *list, size_t count, const char *text);
void *memset16(uint16_t *to, uint16_t value, size_t count);
void *memset32(uint32_t *to, uint32_t value, size_t count);
void *memset64(uint64_t *to, uint64_t value, size_t count);
void *memchr_inv(const void *from, int c, size_t size);

char *kstrdup(const char *text, gfp_t flags);
void *memdup_user_nul(const void __user *from, size_t size);

/** memset_after(), memset_startat() - fill a structure behind a member, or from it on. */
#define memset_after(object, value, member)                                                        \
	memset((char *)(object) + offsetofend(__typeof__(*(object)), member), value,               \
	       sizeof(*(object)) - offsetofend(__typeof__(*(object)), member))
#define memset_startat(object, value, member)                                                      \
	memset((char *)(object) + offsetof(__typeof__(*(object)), member), value,                  \
	       sizeof(*(object)) - offsetof(__typeof__(*(object)), member))

/** strtomem(), strtomem_pad() - copy a string to an array without its NUL, as far as it fits; and fill
 * what is left of the array. */
#define strtomem(to, text)                                                                         \
	({                                                                                         \
		size_t permod_length = strnlen(text, sizeof(to));                                  \
		memcpy(to, text, permod_length);                                                   \
		permod_length;                                                                     \
	})
#define strtomem_pad(to, text, value)                                                              \
	({                                                                                         \
		size_t permod_used = strtomem(to, text);                                           \
		memset(&(to)[permod_used], value, sizeof(to) - permod_used);                       \
	})

/** memcat_p() - of two arrays of pointers that end with NULL a new one, to be freed by kfree(). */
void **__memcat_p(void **a, void **b);
#define memcat_p(a, b)                                                                             \
	({                                                                                         \
		_Static_assert(__same_type(*(a), *(b)), "memcat_p(): arrays of different types");  \
		(__typeof__(*(a)) *)__memcat_p((void **)(a), (void **)(b));                        \
	})

#endif
