/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory of "user space", which is the module's own: copying always succeeds. */
#ifndef PERMOD_KERNEL_UACCESS_H
#define PERMOD_KERNEL_UACCESS_H

#include <linux/kernel.h>
#include <linux/string.h>

/** copy_from_user() - returns how many bytes could not be copied. */
static inline unsigned long copy_from_user(void *to, const void __user *from, unsigned long size)
{
	memcpy(to, (const void *)from, size);
	return 0;
}

#endif
