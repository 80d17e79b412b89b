/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What bench/load.c loads, as a module and (-DSHARED_OBJECT) as a shared object: a per-CPU counter.
 * samples/counter.c without what only modules have, so that it is the same code for both.
 */
#ifdef SHARED_OBJECT
#include <permod/percpu.h>
#else
#include <permod/module.h>
#endif

static DEFINE_PER_CPU(unsigned long, hits);

void tick(void);

void tick(void)
{
	this_cpu_inc(hits);
}
