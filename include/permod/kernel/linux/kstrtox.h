/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From texts to numbers: lib/kstrtox.c and lib/vsprintf.c of the kernel. */
#ifndef PERMOD_KERNEL_KSTRTOX_H
#define PERMOD_KERNEL_KSTRTOX_H

#include <linux/compiler.h>
#include <linux/types.h>

/* 0, or -EINVAL if the text is not a number and at most one newline, or -ERANGE. */
int __must_check kstrtoull(const char *text, unsigned int base, unsigned long long *number);
int __must_check kstrtoll(const char *text, unsigned int base, long long *number);
int __must_check _kstrtoul(const char *text, unsigned int base, unsigned long *number);
int __must_check _kstrtol(const char *text, unsigned int base, long *number);
int __must_check kstrtouint(const char *text, unsigned int base, unsigned int *number);
int __must_check kstrtoint(const char *text, unsigned int base, int *number);
int __must_check kstrtou16(const char *text, unsigned int base, u16 *number);
int __must_check kstrtos16(const char *text, unsigned int base, s16 *number);
int __must_check kstrtou8(const char *text, unsigned int base, u8 *number);
int __must_check kstrtos8(const char *text, unsigned int base, s8 *number);
int __must_check kstrtobool(const char *text, bool *value);

static inline int __must_check kstrtoul(const char *text, unsigned int base, unsigned long *number)
{
	return _kstrtoul(text, base, number);
}

static inline int __must_check kstrtol(const char *text, unsigned int base, long *number)
{
	return _kstrtol(text, base, number);
}

#define kstrtou64 kstrtoull
#define kstrtos64 kstrtoll
#define kstrtou32 kstrtouint
#define kstrtos32 kstrtoint

/* As far as the text is a number; *@end is where it is not. */
unsigned long simple_strtoul(const char *text, char **end, unsigned int base);
long simple_strtol(const char *text, char **end, unsigned int base);
unsigned long long simple_strtoull(const char *text, char **end, unsigned int base);
long long simple_strtoll(const char *text, char **end, unsigned int base);

#endif
