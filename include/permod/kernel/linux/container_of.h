/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a member to what it is a member of. */
#ifndef PERMOD_KERNEL_CONTAINER_OF_H
#define PERMOD_KERNEL_CONTAINER_OF_H

#include <linux/compiler.h>
#include <linux/stddef.h>

/** container_of() - the structure of a type in which a pointer points to this member. */
#define container_of(pointer, type, member)                                                        \
	({                                                                                         \
		_Static_assert(__same_type(*(pointer), ((type *)NULL)->member) ||                  \
				       __same_type(*(pointer), void),                              \
			       "container_of(): the pointer is of another type");                  \
		(type *)((char *)(pointer)-offsetof(type, member));                                \
	})

#endif
