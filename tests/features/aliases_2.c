/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other file.
 */
int aliases_overridden(void)
{
	return -1;
}
