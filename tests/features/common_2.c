/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other file.
 * matrix: flags -fcommon
 */
int common_small;
char common_grows[5000];
int common_initialised = 5;
__attribute__((aligned(64))) short common_aligned;

long common_fill(void)
{
	long sum = 0;

	for (int i = 0; i < 5000; i++)
		sum += common_grows[i]++;
	for (int i = 0; i < 5000; i++)
		sum += common_grows[i];
	common_small += 7;
	common_aligned -= 3;
	return sum;
}
