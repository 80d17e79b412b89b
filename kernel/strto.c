/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers at the beginning of a text.  Other than strtoul() these take no spaces and no "+", and "-" only
 * where the result has a sign; what is too large wraps around.
 */
#include <linux/kernel.h>

static unsigned int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'z' ? (unsigned int)(c - 'a') + 10 : ~0U;
}

/* "0x" and "0" tell the base if it is 0; the first is skipped only before a digit, if it is 16 too. */
static unsigned int skip_prefix(const char **text, unsigned int base)
{
	const char *s = *text;
	bool hexadecimal = s[0] == '0' && (s[1] | 0x20) == 'x' && digit_of(s[2]) < 16;

	if (hexadecimal && (base == 0 || base == 16)) {
		*text += 2;
		return 16;
	}
	return base ? base : s[0] == '0' ? 8 : 10;
}

unsigned long long simple_strtoull(const char *text, char **end, unsigned int base)
{
	unsigned long long number = 0;

	base = skip_prefix(&text, base);
	for (; digit_of(*text) < base; text++)
		number = number * base + digit_of(*text);
	if (end)
		*end = (char *)text;
	return number;
}

long long simple_strtoll(const char *text, char **end, unsigned int base)
{
	if (*text == '-')
		return (long long)-simple_strtoull(text + 1, end, base);
	return (long long)simple_strtoull(text, end, base);
}

unsigned long simple_strtoul(const char *text, char **end, unsigned int base)
{
	return (unsigned long)simple_strtoull(text, end, base);
}

long simple_strtol(const char *text, char **end, unsigned int base)
{
	return (long)simple_strtoll(text, end, base);
}
