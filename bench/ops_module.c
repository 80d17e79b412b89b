/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The operations as a module has them: compiled with PERMOD_MODULE, where a variable's address is
 * its cookie and no word of the image is looked at.
 */
#define PERMOD_MODULE
#include <permod/percpu.h>
#include "bench/ops.h"

void add_as_module(long *variables, long count)
{
	FOR_EACH_IN_TURN(count, i, this_cpu_add(variables[i], 1))
}

void add_return_as_module(long *variables, long count)
{
	FOR_EACH_IN_TURN(count, i, (void)this_cpu_add_return(variables[i], 1))
}

void cmpxchg_as_module(long *variables, long count)
{
	FOR_EACH_IN_TURN(count, i, (void)this_cpu_cmpxchg(variables[i], -1, 0))
}
