/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compiled twice, as FIRST or not: of what both have, one copy stays, with its unwind information. */
#include "types.h"

#include <permod/module.h>

#ifdef FIRST
DEFINE_PER_CPU(unsigned long, caught);
#else
DECLARE_PER_CPU(unsigned long, caught);
#endif

extern "C" void work(void);
extern "C" void work_too(void);

static int ends;

/* Of these the second object's are dropped. */
template <int number> __attribute__((noinline)) int risky(int value)
{
	guard here(&ends);

	if (value > number)
		throw trouble(value);
	return value;
}

static void try_it(int value)
{
	try {
		risky<1>(value);
		risky<5>(value);
	} catch (const trouble &error) {
		this_cpu_add(caught, error.value);
	}
}

#ifdef FIRST
void work(void)
{
	try_it(2);
	work_too();
}
#else
void work_too(void)
{
	try_it(1);
	try_it(20);
}
#endif
