/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other file.
 * matrix: flags -ffunction-sections -fdata-sections
 */
int every_function_plus(int);

int every_function_other(int value)
{
	return every_function_plus(value) * 2;
}

int every_function_unneeded_too(int value)
{
	return every_function_other(value);
}
