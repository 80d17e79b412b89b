/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a module is: permod's own header has the kernel's names.  And what the kernel's header of this
 * name includes, which modules rely on. */
#ifndef PERMOD_KERNEL_MODULE_H
#define PERMOD_KERNEL_MODULE_H

#include <linux/kernel.h>
#include <linux/percpu.h>
#include <linux/string.h>
#include <linux/export.h>

#endif
