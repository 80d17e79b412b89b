/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The operations in a module, which bench/percpu_ops.c loads: on per-CPU variables of its own, as
 * modules have them.
 */
#include <permod/module.h>
#include "percpu_ops.h"

DEFINE_PER_CPU_ALIGNED(long[VARIABLES], module_variables);

#define DEFINE(name, operation)                                                                    \
	void name(long count);                                                                     \
	void name(long count)                                                                      \
	{                                                                                          \
		FOR_EACH_IN_TURN(count, i, operation)                                              \
	}

DEFINE(module_add, this_cpu_add(module_variables[i], 1))
DEFINE(module_add_return, USE(this_cpu_add_return(module_variables[i], 1)))
DEFINE(module_xchg, USE(this_cpu_xchg(module_variables[i], (long)i)))
DEFINE(module_cmpxchg, USE(this_cpu_cmpxchg(module_variables[i], (long)i, (long)i)))
DEFINE(module_read, USE(this_cpu_read(module_variables[i])))
