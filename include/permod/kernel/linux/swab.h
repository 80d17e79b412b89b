/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes in reverse order, under the names that the kernel has without underscores. */
#ifndef PERMOD_KERNEL_SWAB_H
#define PERMOD_KERNEL_SWAB_H

#include <unistd.h> /* declares a function swab() */

#include_next <linux/swab.h>

#define swab __swab

#endif
