/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The system's error numbers, which are the kernel's. */
#include_next <linux/errno.h>
