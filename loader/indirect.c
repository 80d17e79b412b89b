/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions that are chosen at load time (IFUNC): the module's own code chooses, by functions called
 * resolvers.  These run before anything else of the module does: its constructors, and operations of
 * its parameters, may call what they choose.  A resolver can call what is outside the module, but of
 * the module's IFUNCs only those that come before it.
 *
 * (Those of shared libraries the dynamic linker has resolved: dlsym() gives what was chosen.)
 */
#include "internal.h"

static int call_resolver(struct link *link, struct link_symbol *symbol, void *arg)
{
	uintptr_t (*resolver)(void) = (uintptr_t(*)(void))link_resolver_address(link, symbol);

	(void)arg;
	link_set_resolved(link, symbol, resolver());
	return 0;
}

int resolve_indirect(struct load *load)
{
	return link_each_indirect(load->link, call_resolver, NULL);
}
