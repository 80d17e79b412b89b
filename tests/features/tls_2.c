/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other file.
 */
__thread int tls_elsewhere = 11;
extern __thread long tls_global;
static __thread int own = 100;

int tls_bump(int value)
{
	tls_elsewhere += value;
	return (int)tls_global + ++own;
}
