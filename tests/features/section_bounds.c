/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sections of one's own: their beginning and end, which the linker tells, in two files.
 */
#include <stdio.h>

struct section_bounds {
	const char *name;
	int value;
};

#define ENTRY(word, number)                                                                        \
	static const struct section_bounds word                                                    \
		__attribute__((section("section_bounds_set"), used, aligned(8))) = { #word,        \
										     number }

ENTRY(first, 1);
ENTRY(second, 20);

static int counter __attribute__((section("section_bounds_data"))) = 5;
static int more __attribute__((section("section_bounds_data"))) = 6;

extern const struct section_bounds __start_section_bounds_set[], __stop_section_bounds_set[];
extern int __start_section_bounds_data[], __stop_section_bounds_data[];

void section_bounds(void)
{
	const struct section_bounds *entry = __start_section_bounds_set;
	int sum = 0;

	for (; entry != __stop_section_bounds_set; entry++)
		printf("%s %d\n", entry->name, entry->value);
	counter++;
	more += 2;
	for (int *value = __start_section_bounds_data; value < __stop_section_bounds_data; value++)
		sum += *value;
	printf("%d\n", sum);
}
