/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What nearly all of the kernel's code includes: sizes, rounding, texts to numbers and back.
 *
 * Functions that are declared here and defined nowhere in permod are those of the kernel's lib/
 * (hexdump.c, kstrtox.c, cmdline.c): a module that uses them is linked with these files.
 */
#ifndef PERMOD_KERNEL_KERNEL_H
#define PERMOD_KERNEL_KERNEL_H

#include <asm/byteorder.h>
#include <linux/align.h>
#include <linux/build_bug.h>
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/const.h>
#include <linux/container_of.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/kconfig.h>
#include <linux/limits.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/printk.h>
#include <linux/stddef.h>
#include <linux/types.h>

#include <stdarg.h>
#include <stdio.h>

#define ARRAY_SIZE(array)                                                                          \
	(sizeof(array) / sizeof((array)[0]) + BUILD_BUG_ON_ZERO(__same_type(array, &(array)[0])))

/** REPEAT_BYTE() - a word each byte of which is this one. */
#define REPEAT_BYTE(byte) (~0UL / 0xff * (byte))

#define upper_32_bits(n) ((u32)((n) >> 16 >> 16))
#define lower_32_bits(n) ((u32)(n))

#define might_sleep() ((void)0)

/** scnprintf() - as snprintf(), but returns how many bytes were written, without the NUL. */
int scnprintf(char *buffer, size_t size, const char *format, ...) __printf(3, 4);

/** kasprintf() - print into memory of the right size, to be freed by kfree(). */
char *kasprintf(gfp_t flags, const char *format, ...) __printf(2, 3);

/* ---- lib/hexdump.c -------------------------------------------------------------------------- */

enum {
	DUMP_PREFIX_NONE,
	DUMP_PREFIX_ADDRESS,
	DUMP_PREFIX_OFFSET,
};

extern const char hex_asc[], hex_asc_upper[];

#define hex_asc_lo(byte) hex_asc[(byte)&0x0f]
#define hex_asc_hi(byte) hex_asc[((byte)&0xf0) >> 4]
#define hex_asc_upper_lo(byte) hex_asc_upper[(byte)&0x0f]
#define hex_asc_upper_hi(byte) hex_asc_upper[((byte)&0xf0) >> 4]

static inline char *hex_byte_pack(char *buffer, u8 byte)
{
	*buffer++ = hex_asc_hi(byte);
	*buffer++ = hex_asc_lo(byte);
	return buffer;
}

int hex_to_bin(unsigned char digit);
int hex2bin(u8 *to, const char *text, size_t count);
char *bin2hex(char *to, const void *from, size_t count);
int hex_dump_to_buffer(const void *from, size_t count, int row, int group, char *to, size_t size,
		       bool ascii);
void print_hex_dump(const char *level, const char *prefix, int prefix_type, int row, int group,
		    const void *from, size_t count, bool ascii);

/* ---- lib/kstrtox.c and lib/cmdline.c -------------------------------------------------------- */

#include <linux/kstrtox.h>

int get_option(char **text, int *value);
char *get_options(const char *text, int size, int *values);
unsigned long long memparse(const char *text, char **end);
bool parse_option_str(const char *text, const char *option);
char *next_arg(char *args, char **name, char **value);

/* ---- Headers of the kernel that need nothing changed ---------------------------------------- */

/*
 * The kernel's own header of this name includes these, and code relies on it.  They are no part of
 * permod: they come from the kernel's sources, if the include path leads there.
 */
#if __has_include(<linux/bitmap.h>)
#include <linux/bitmap.h>
#endif
#if __has_include(<linux/log2.h>)
#include <linux/log2.h>
#endif
#if __has_include(<linux/math64.h>)
#include <linux/math64.h>
#endif

#endif
