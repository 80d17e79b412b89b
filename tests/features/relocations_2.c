/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What relocations.S has. Distances are between sections, so only some are the same everywhere.
 */
#include <stdint.h>
#include <stdio.h>

extern struct {
	int64_t far, size;
	int32_t near, size_and_one;
	int16_t word;
	int8_t byte, none;
	int32_t call;
	const int *target, *sized;
} relocations_values;
int relocations_call(void);

void relocations(void)
{
	const char *begin = (const char *)&relocations_values;

	printf("%#x %#x\n", *(const int *)(begin + relocations_values.far),
	       *(const int *)((const char *)&relocations_values.near + relocations_values.near));
	printf("%d %d\n", (int)relocations_values.size, relocations_values.size_and_one);
	printf("%d %d %d\n", relocations_values.word, relocations_values.byte,
	       relocations_values.none);
	printf("%#x %d\n", *relocations_values.target, *relocations_values.sized);
	printf("%d\n", relocations_call());
	printf("%d\n", ((int (*)(void))((const char *)&relocations_values.call +
					relocations_values.call))());
}
