/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log of kernel modules in user space: lines on standard error, and the reports of WARN() and
 * BUG() in it.
 *
 * A message is put together first and written at once, so that lines of several threads do not mix;
 * one of more than a kilobyte is cut.
 */
#define _GNU_SOURCE
#include <linux/bug.h>
#include <linux/kernel.h>

#include <stdlib.h>
#include <unistd.h>

#define LONGEST 1024

/* Whether the last message left its line open: the next one that is no KERN_CONT ends it. */
static bool open_line;

__printf(2, 0) static int print(bool continues, const char *format, va_list args)
{
	char text[LONGEST + 2];
	bool ended, was_open;
	int length;
	ssize_t written;

	length = vsnprintf(text + 1, LONGEST, format, args);
	if (length <= 0)
		return length;
	length = min(length, LONGEST - 1);
	ended = text[length] == '\n';
	was_open = __atomic_exchange_n(&open_line, !ended, __ATOMIC_RELAXED);
	text[0] = '\n';
	if (was_open && !continues)
		written = write(STDERR_FILENO, text, (size_t)length + 1);
	else
		written = write(STDERR_FILENO, text + 1, (size_t)length);
	(void)written; /* there is nobody to tell */
	return length;
}

int _printk(const char *format, ...)
{
	char level = '\0';
	va_list args;
	int length;

	if (format[0] == KERN_SOH[0] && format[1]) {
		level = format[1];
		format += 2;
	}
	if (level == KERN_DEBUG[1])
		return 0;
	va_start(args, format);
	length = print(level == KERN_CONT[1], format, args);
	va_end(args);
	return length;
}

void permod_warn(const char *file, int line, const char *function, const char *format, ...)
{
	va_list args;

	_printk("WARNING: at %s:%d %s()\n", file, line, function);
	if (!format)
		return;
	va_start(args, format);
	print(false, format, args);
	va_end(args);
}

void permod_bug(const char *file, int line, const char *function)
{
	_printk("BUG: at %s:%d %s()\n", file, line, function);
	abort();
}

int scnprintf(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(buffer, size, format, args);
	va_end(args);
	if (length > 0 && (size_t)length >= size)
		length = size ? (int)size - 1 : 0;
	return length;
}

char *kasprintf(gfp_t flags, const char *format, ...)
{
	char *text;
	va_list args;
	int length;

	(void)flags;
	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	return length < 0 ? NULL : text;
}
