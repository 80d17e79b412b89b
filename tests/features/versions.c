/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A symbol in an older version than the one that a program gets by default.
 * matrix: glibc musl has no versions of names
 */
#include <stdio.h>
#include <string.h>

__asm__(".symver old_memcpy, memcpy@GLIBC_2.2.5");
void *old_memcpy(void *, const void *, size_t);

void versions(void)
{
	char text[10];

	puts(old_memcpy(text, "version", 8));
}
