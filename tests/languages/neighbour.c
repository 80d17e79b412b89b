/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two modules, of which the second names data of the first.  The first writes to stderr too, the
 * second has a per-CPU variable; compiled without options, each reaches everything only if both lie
 * near libc.
 */
#include <permod/module.h>

#include <stdio.h>

#ifdef FIRST
int shared_data = 4;
EXPORT_SYMBOL(shared_data);

static int begin(void)
{
	fputs("first begins\n", stderr);
	return 0;
}
module_init(begin);

static void end(void)
{
	fprintf(stderr, "first ends with %d\n", shared_data);
}
module_exit(end);
#else
extern int shared_data;
static DEFINE_PER_CPU(long, hits);

void work(void)
{
	this_cpu_add(hits, __atomic_fetch_add(&shared_data, 0, __ATOMIC_RELAXED));
}
#endif
