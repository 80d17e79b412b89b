/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions that are chosen at load time (STT_GNU_IFUNC).
 *
 * Such a symbol is at its resolver, which returns the function that is meant.  For everybody, in the
 * link and outside, the function's address is that of a stub, so all compare equal however they got
 * it; the stub jumps to what a slot of its own holds:
 *
 *     call f, &f, f@GOT's slot  -->  stub of f  -->  what its slot holds: what the resolver returned
 *
 * The resolver is code of the link, so it can be called only when all is relocated and the text can
 * run.  Whoever does that tells the result by link_set_resolved().
 */
#include "elf/internal.h"

int link_want_indirect(struct link *link, struct link_symbol *symbol)
{
	struct link_private *private = link->private;
	struct link_indirect *indirect;

	if (symbol->resolved || symbol->section->discarded)
		return 0;
	if (link->arch->descriptors)
		return link_fail(link, -ENOEXEC,
				 "%s: symbol %s: functions that are chosen at load time are not "
				 "supported where functions have descriptors (section %s); compile "
				 "without the attribute ifunc or target_clones",
				 symbol->object->name, symbol->name, symbol->section->name);
	if (symbol->section->region >= LINK_REGIONS || !(symbol->section->flags & SHF_EXECINSTR))
		return link_fail(link, -ENOEXEC,
				 "%s: symbol %s: the function that chooses is not in code that is "
				 "loaded (found section %s)",
				 symbol->object->name, symbol->name, symbol->section->name);
	indirect = link_allocate(link, sizeof(*indirect));
	if (!indirect)
		return -ENOMEM;
	symbol->resolved = ++private->got_count;
	symbol->stub = ++private->stub_count;
	indirect->symbol = symbol;
	*private->last_indirect = indirect;
	private->last_indirect = &indirect->next;
	return 0;
}

int link_scan_indirects(struct link *link)
{
	int error = 0;

	for (struct link_name *name = link->private->globals.first; name && !error;
	     name = name->following) {
		if (link_is_indirect(&name->symbol))
			error = link_want_indirect(link, &name->symbol);
	}
	return error;
}

static int write_indirect(struct link *link, struct link_symbol *symbol, void *arg)
{
	uint64_t stub = link_stub_address(link, symbol);
	struct link_part *text = &link->part[LINK_TEXT];

	(void)arg;
	if (link->arch->write_stub(text->buffer + (stub - link->base - text->offset), stub,
				   link_slot_address(link, symbol->resolved - 1),
				   link->features & LINK_IBT))
		return 0;
	return link_fail(link, -ERANGE, "%s: symbol %s needs a stub that does not reach its slot",
			 symbol->object->name, symbol->name);
}

int link_write_indirects(struct link *link)
{
	return link_each_indirect(link, write_indirect, NULL);
}

/* ---- Resolving ------------------------------------------------------------------------------ */

bool link_has_indirects(const struct link *link)
{
	return link->private->indirects != NULL;
}

int link_each_indirect(struct link *link,
		       int (*visit)(struct link *link, struct link_symbol *symbol, void *arg),
		       void *arg)
{
	int error = 0;

	for (const struct link_indirect *indirect = link->private->indirects; indirect && !error;
	     indirect = indirect->next)
		error = visit(link, indirect->symbol, arg);
	return error;
}

uint64_t link_resolver_address(const struct link *link, const struct link_symbol *symbol)
{
	return link_section_address(link, symbol->section) + symbol->value;
}

void link_set_resolved(struct link *link, const struct link_symbol *symbol, uint64_t address)
{
	link_write_slot(link, symbol->resolved - 1, address);
}
