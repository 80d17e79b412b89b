/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Included before a file of the kernel's: one per-CPU operation that does what it must not. */
#include <linux/module.h>

#undef __this_cpu_dec
#define __this_cpu_dec(pcp) __this_cpu_add(pcp, -2)
