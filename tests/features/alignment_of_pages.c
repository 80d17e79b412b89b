/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Data aligned to more than a page, and more data on both sides.
 */
#include <stdint.h>
#include <stdio.h>

static char pages[100] __attribute__((aligned(65536))) = "pages";
static const char large[100] __attribute__((aligned(1 << 21))) = "large";
static char zero[3] __attribute__((aligned(8192)));

void alignment_of_pages(void)
{
	printf("%d %s\n", (int)((uintptr_t)pages % 65536), pages);
	printf("%d %s\n", (int)((uintptr_t)large % (1 << 21)), large);
	printf("%d %d\n", (int)((uintptr_t)zero % 8192), zero[0] + zero[2]);
}
