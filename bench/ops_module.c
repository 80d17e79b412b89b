/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The operations in a module, which bench/ops.c loads: on per-CPU variables of its own, as modules
 * have them.
 */
#include <permod/module.h>
#include "ops.h"

DEFINE_PER_CPU_ALIGNED(long[VARIABLES], module_variables);

void add_in_module(long count);
void add_return_in_module(long count);
void cmpxchg_in_module(long count);

void add_in_module(long count)
{
	FOR_EACH_IN_TURN(count, i, this_cpu_add(module_variables[i], 1))
}

void add_return_in_module(long count)
{
	FOR_EACH_IN_TURN(count, i, (void)this_cpu_add_return(module_variables[i], 1))
}

void cmpxchg_in_module(long count)
{
	FOR_EACH_IN_TURN(count, i, (void)this_cpu_cmpxchg(module_variables[i], -1, 0))
}
