/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other file.
 */
int weak_elsewhere_data = 10;
int weak_value = 33;
__attribute__((weak)) int weak_twice = 44;

int weak_elsewhere(void)
{
	return 11;
}

int weak_is_overridden(void)
{
	return 22;
}
