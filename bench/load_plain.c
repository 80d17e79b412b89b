/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What bench/load.c loads, as a module and as a shared object: a counter, and libc's stderr. */
#include <stdio.h>

static unsigned long hits;

void tick(void);

void tick(void)
{
	hits++;
	if (ferror(stderr))
		fputs("stderr is closed\n", stderr);
}
