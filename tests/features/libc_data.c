/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Variables of the C library.
 * matrix: refused ^(?!.*large|clang.*medium).*-fno-pie => compile with -fPIC
 */
#include <stdio.h>
#include <unistd.h>

extern char **environ;

void libc_data(void)
{
	fprintf(stdout, "%d %d\n", environ != NULL, fileno(stdout));
	fflush(stdout);
}
