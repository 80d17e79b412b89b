/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Places and sizes of members; more than <stddef.h> has. */
#ifndef PERMOD_KERNEL_STDDEF_H
#define PERMOD_KERNEL_STDDEF_H

#include <stddef.h>

#define sizeof_field(type, member) sizeof(((type *)NULL)->member)
#define offsetofend(type, member) (offsetof(type, member) + sizeof_field(type, member))

#endif
