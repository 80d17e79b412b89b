/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taints of the kernel as a whole: nobody keeps these here. */
#ifndef PERMOD_KERNEL_PANIC_H
#define PERMOD_KERNEL_PANIC_H

#define add_taint(flag, lockdep) ((void)0)

#endif
