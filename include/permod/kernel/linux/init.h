/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Init and exit: those of <permod/module.h>, for files that write module_init() without a semicolon, as
 * the kernel's may. */
#ifndef PERMOD_KERNEL_INIT_H
#define PERMOD_KERNEL_INIT_H

#include <permod/module.h>

#undef module_init
#define module_init(function)                                                                      \
	int init_module(void) PERMOD_COPY(function) __attribute__((alias(#function)));
#undef module_exit
#define module_exit(function)                                                                      \
	void cleanup_module(void) PERMOD_COPY(function) __attribute__((alias(#function)));

#endif
