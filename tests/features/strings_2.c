/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other file.
 */
const char *strings_other(int number)
{
	static const char *const table[] = { "the same", "not the same", "of the other" };

	return table[number];
}
