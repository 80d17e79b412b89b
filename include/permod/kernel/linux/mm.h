/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Declarations for functions of lib/ that deal with processes: see <linux/device.h>.  And pages. */
#ifndef PERMOD_KERNEL_MM_H
#define PERMOD_KERNEL_MM_H

#include <asm/page.h>

struct task_struct;

int get_cmdline(struct task_struct *task, char *buffer, int size);

#endif
