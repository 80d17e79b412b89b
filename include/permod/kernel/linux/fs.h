/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Declarations for functions of lib/ that deal with open files: see <linux/device.h>. */
#ifndef PERMOD_KERNEL_FS_H
#define PERMOD_KERNEL_FS_H

struct file;

char *file_path(struct file *file, char *buffer, int size);

#endif
