/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hashes of names, which the kernel has beside its file systems (<linux/stringhash.h> declares them).
 * The numbers are FNV-1a's, not the kernel's, which differ from machine to machine as well.
 */
#include <linux/types.h>

unsigned int full_name_hash(const void *salt, const char *name, unsigned int length);
u64 hashlen_string(const void *salt, const char *name);

static u32 begin(const void *salt)
{
	return 2166136261U ^ (u32)((uintptr_t)salt >> 3);
}

static u32 add(u32 hash, char c)
{
	return (hash ^ (unsigned char)c) * 16777619U;
}

unsigned int full_name_hash(const void *salt, const char *name, unsigned int length)
{
	u32 hash = begin(salt);

	while (length--)
		hash = add(hash, *name++);
	return hash;
}

/* The length in the upper half. */
u64 hashlen_string(const void *salt, const char *name)
{
	u32 hash = begin(salt);
	u64 length = 0;

	for (; name[length]; length++)
		hash = add(hash, name[length]);
	return length << 32 | hash;
}
