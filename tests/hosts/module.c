/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A module that uses as much of its host as the macros say:
 *
 *     -DPERCPU   a per-CPU variable of its own       -DSTDERR    libc's variable stderr
 *     -DCALL     the host's function                 -DENVIRON   libc's variable environ
 *     -DVALUE    the host's variable                 -DHITS      the host's per-CPU variable
 */
#include <permod/module.h>

#include <stdio.h>
#include <string.h>

long host_function(long x);
extern long host_value;
extern char **environ;
DECLARE_PER_CPU(long, host_hits);

static DEFINE_PER_CPU(long, hits);

#ifdef ENVIRON
static bool host_has_set_it(void)
{
	for (char **variable = environ; *variable; variable++) {
		if (strncmp(*variable, "PERMOD_TEST=", 12) == 0)
			return true;
	}
	return false;
}
#endif

void work(void)
{
	long step = 1;

#ifdef CALL
	step = host_function(step);
#endif
#ifdef ENVIRON
	step += host_has_set_it() ? 100 : -1000;
#endif
#ifdef PERCPU
	this_cpu_add(hits, step);
#endif
#ifdef HITS
	this_cpu_add(host_hits, step);
#endif
#ifdef STDERR
	fputs("written by the module\n", stderr);
#endif
#ifdef VALUE
	__atomic_fetch_add(&host_value, step, __ATOMIC_RELAXED);
#endif
}
