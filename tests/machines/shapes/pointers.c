/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions that are reached by pointers, calls and names, each of which needs its own GOT: this one's
 * are called from elsewhere, and call elsewhere.
 */
extern int outside(int value);
extern int missing(int value) __attribute__((weak));

static int own = 40;

static int add(int value)
{
	return value + own;
}

int (*chosen)(int value) = add;

int start(int value, int by)
{
#ifndef FAR /* such calls go to address 0 */
	missing(value);
#endif
	return outside(value) / by + chosen(2) + own;
}

int (*give(void))(int value)
{
	return chosen;
}
