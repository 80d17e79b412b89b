/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions that are chosen at load time (IFUNC): the module's own code chooses, by functions called
 * resolvers.  These run before anything else of the module does: its constructors, and operations of
 * its parameters, may call what they choose.  A resolver can call what is outside the module, but of
 * the module's IFUNCs only those that come before it.
 *
 * (Those of shared libraries the dynamic linker has resolved: dlsym() gives what was chosen.)
 */
#define _GNU_SOURCE
#include "internal.h"

#include "loader/arch.h"

#include <sys/auxv.h>

/* What the dynamic linker tells resolvers of the machine, where it does: the first word alone, and all. */
struct abilities {
	unsigned long size, hwcap, hwcap2;
};

static int call_resolver(struct link *link, struct link_symbol *symbol, void *arg)
{
	const struct abilities abilities = { sizeof(abilities), getauxval(AT_HWCAP),
					     getauxval(AT_HWCAP2) };
	uintptr_t (*resolver)(unsigned long, const struct abilities *) =
		(uintptr_t(*)(unsigned long, const struct abilities *))(
			uintptr_t)link_resolver_address(link, symbol);

	(void)arg;
	link_set_resolved(link, symbol, resolver(abilities.hwcap | RESOLVER_MARK, &abilities));
	return 0;
}

int resolve_indirect(struct load *load)
{
	return link_each_indirect(load->link, call_resolver, NULL);
}
