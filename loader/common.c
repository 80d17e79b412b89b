/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What C++ has once in a process, and compilers define wherever it is used: type information, static
 * variables of inline functions and of templates, inline variables.  A module uses what the program
 * or its libraries have of these, and its own otherwise; its own are never used by others, so they go
 * with it.  (Shared objects in which the dynamic linker has found such a variable first can never be
 * unloaded.)
 *
 * Code that expects them near has to do with its own if the others are out of its reach.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <dlfcn.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

/* What the module has itself. */
struct own_symbol {
	struct link_symbol *symbol;
	struct link_section *section;
	uint64_t value;
};

/* Tables of virtual functions are not looked at by their addresses. */
static bool is_common(const struct link_symbol *symbol)
{
	if (symbol->type != STT_OBJECT || symbol->visibility != STV_DEFAULT || !symbol->section ||
	    symbol->section->region >= LINK_PERCPU || strncmp(symbol->name, "_Z", 2) != 0)
		return false;
	if (symbol->bind == STB_GNU_UNIQUE)
		return true;
	return symbol->bind == STB_WEAK && strncmp(symbol->name, "_ZTV", 4) != 0 &&
	       strncmp(symbol->name, "_ZTT", 4) != 0 && strncmp(symbol->name, "_ZTC", 4) != 0;
}

static int use_others(struct load *load, struct link_symbol *symbol, void *address)
{
	struct own_symbol *own = grow(&load->owns, &load->num_owns, sizeof(*own));
	struct link_symbol **external;

	if (!own)
		return fail_memory(load->pm);
	*own = (struct own_symbol){ symbol, symbol->section, symbol->value };
	external = grow(&load->externals, &load->num_externals, sizeof(*external));
	if (!external)
		return fail_memory(load->pm);
	*external = symbol;
	link_define(symbol, (uintptr_t)address, false);
	symbol->owner = &provider_libdl;
	return 0;
}

int find_common_symbols(struct load *load)
{
	struct link_symbol *symbol = NULL;
	int error = 0;

	if (load->pm->flags & PERMOD_NO_LIBDL)
		return 0;
	while (!error && (symbol = link_next_defined(load->link, symbol))) {
		void *address;

		if (is_common(symbol) && ask_libdl(RTLD_DEFAULT, symbol->name, &address) && address)
			error = use_others(load, symbol, address);
	}
	return error;
}

bool use_own_symbols(struct load *load)
{
	bool changed = load->num_owns > 0;

	/* They are the last of the externals. */
	load->num_externals -= load->num_owns;
	while (load->num_owns > 0) {
		const struct own_symbol *own = &load->owns[--load->num_owns];

		own->symbol->section = own->section;
		own->symbol->value = own->value;
		own->symbol->external = false;
		own->symbol->owner = NULL;
	}
	return changed;
}
