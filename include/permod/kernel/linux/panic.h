/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taints that code gives the kernel: nobody keeps these here.  (That a module is a test, the loader knows
 * by itself, from MODULE_INFO(test, "Y").) */
#ifndef PERMOD_KERNEL_PANIC_H
#define PERMOD_KERNEL_PANIC_H

#define add_taint(flag, lockdep) ((void)0)

#endif
