/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers at any address. */
#ifndef PERMOD_KERNEL_UNALIGNED_H
#define PERMOD_KERNEL_UNALIGNED_H

#include <asm/byteorder.h>
#include <linux/types.h>

#define PERMOD_UNALIGNED(type)                                                                     \
	struct __attribute__((packed, may_alias)) {                                                \
		type value;                                                                        \
	}
#define get_unaligned(from) (((const PERMOD_UNALIGNED(__typeof__(*(from))) *)(from))->value)
#define put_unaligned(number, to)                                                                  \
	((void)(((PERMOD_UNALIGNED(__typeof__(*(to))) *)(to))->value = (number)))

static inline u16 get_unaligned_le16(const void *from)
{
	return le16_to_cpu(get_unaligned((const u16 *)from));
}

static inline u32 get_unaligned_le32(const void *from)
{
	return le32_to_cpu(get_unaligned((const u32 *)from));
}

static inline u64 get_unaligned_le64(const void *from)
{
	return le64_to_cpu(get_unaligned((const u64 *)from));
}

#endif
