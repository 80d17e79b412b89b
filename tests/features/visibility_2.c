/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other file.
 */
extern int visibility_here __attribute__((visibility("hidden")));

__attribute__((visibility("hidden"))) int visibility_hidden = 1;
__attribute__((visibility("internal"))) int visibility_internal = 2;
__attribute__((visibility("protected"))) int visibility_protected = 3;

__attribute__((visibility("hidden"))) int visibility_hidden_function(int value)
{
	return value + visibility_here++;
}

__attribute__((visibility("protected"))) int visibility_protected_function(int value)
{
	return value * visibility_here++;
}
