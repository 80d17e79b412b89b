/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Needs what nobody has, so it can't be loaded. */
#include <permod/module.h>

void nobody_has_this(void);

void run(void);
void run(void)
{
	nobody_has_this();
}

MODULE_LICENSE("GPL");
