/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Data aligned to more than a page.
 * matrix: refused . => is aligned to more than a page
 */
#include <stdint.h>
#include <stdio.h>

static char pages[100] __attribute__((aligned(65536))) = "pages";

void alignment_of_pages(void)
{
	printf("%d %s\n", (int)((uintptr_t)pages % 65536), pages);
}
