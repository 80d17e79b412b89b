/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The system's error numbers, which are the kernel's, and one that user space never sees. */
#ifndef PERMOD_KERNEL_ERRNO_H
#define PERMOD_KERNEL_ERRNO_H

#include_next <linux/errno.h>

#define ENOTSUPP 524

#endif
