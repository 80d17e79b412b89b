/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Byte orders under the names that the kernel has without underscores. */
#ifndef PERMOD_KERNEL_BYTEORDER_H
#define PERMOD_KERNEL_BYTEORDER_H

#include_next <asm/byteorder.h>
#include <linux/types.h>

#define cpu_to_le16 __cpu_to_le16
#define cpu_to_le32 __cpu_to_le32
#define cpu_to_le64 __cpu_to_le64
#define le16_to_cpu __le16_to_cpu
#define le32_to_cpu __le32_to_cpu
#define le64_to_cpu __le64_to_cpu
#define cpu_to_be16 __cpu_to_be16
#define cpu_to_be32 __cpu_to_be32
#define cpu_to_be64 __cpu_to_be64
#define be16_to_cpu __be16_to_cpu
#define be32_to_cpu __be32_to_cpu
#define be64_to_cpu __be64_to_cpu
#define le16_to_cpup __le16_to_cpup
#define le32_to_cpup __le32_to_cpup
#define le64_to_cpup __le64_to_cpup

#endif
