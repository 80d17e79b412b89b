/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How memory is to be allocated: see <linux/slab.h>. */
#ifndef PERMOD_KERNEL_GFP_H
#define PERMOD_KERNEL_GFP_H

#define GFP_KERNEL 0U
#define GFP_ATOMIC 0U
#define __GFP_ZERO 1U
#define __GFP_NOFAIL 2U

#endif
