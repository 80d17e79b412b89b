/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other file.
 */
int pointers_there[4] = { 100, 200, 300, 400 };

int pointers_twice(int value)
{
	return 2 * value;
}
