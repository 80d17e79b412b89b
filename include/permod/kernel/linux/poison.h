/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is left in the pointers of an entry that was taken out of a list: no address of anything. */
#ifndef PERMOD_KERNEL_POISON_H
#define PERMOD_KERNEL_POISON_H

#define LIST_POISON1 ((void *)0x100)
#define LIST_POISON2 ((void *)0x122)

#endif
