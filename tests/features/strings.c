/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * String literals, which are in sections that linkers may merge; the same ones in two files.
 */
#include <stdio.h>
#include <stdint.h>
#include <wchar.h>

const char *strings_other(int);

static const char *const table[] = { "the same", "another", "" };
static const char *tail = "yet another" + 4;
static const wchar_t wide[] = L"wide";
static const wchar_t *const wide_table[] = { L"first", L"second" };

void strings(void)
{
	for (int i = 0; i < 3; i++)
		printf("<%s> <%s>\n", table[i], strings_other(i));
	printf("%s %d %ls %ls\n", tail, (int)wcslen(wide), wide_table[0], wide_table[1]);
	printf("%s\n", __func__);
}
