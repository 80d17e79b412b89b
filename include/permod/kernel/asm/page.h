/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The smallest page that the architecture has, in whose bounds reads are always good. */
#ifndef PERMOD_KERNEL_PAGE_H
#define PERMOD_KERNEL_PAGE_H

#include <linux/init.h>

#define PAGE_SIZE (PCPU_PAGE + 0UL)

#endif
