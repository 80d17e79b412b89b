/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * In tree.c's place where configure found no libkmod: no module is known by name.
 */
#include "tree.h"

#include <errno.h>

int find_steps(struct permod *pm, const char *name, unsigned int flags, struct permod_steps *steps)
{
	(void)flags, (void)steps;
	return fail(pm, -ENOSYS,
		    "%s: permod was built without libkmod, so it knows no module trees; load "
		    "modules by their paths, or build it with libkmod",
		    name);
}
