/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The second object, or second module: it has a static variable of the same name. */
#include <permod/module.h>

int other(int number);

static int total = 100;

int other(int number)
{
	total += number; /* other begins */
	return total & 1;
}
EXPORT_SYMBOL(other);

MODULE_LICENSE("GPL");
