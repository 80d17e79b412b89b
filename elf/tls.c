/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Thread-local variables, as code refers to them.
 *
 * A module's block of them exists once in each thread; initial values come from LINK_TLS.  Code knows
 * a variable by its module's number and its offset in the block, which are the arguments of
 * __tls_get_addr(); by its distance from the thread pointer, if the block lies in the memory that
 * every thread begins with; or by a descriptor, a function with an argument.  Where the block is only
 * the caller can know: here is noted what code wants, in link->tls, and put where it wants it.
 *
 *     general dynamic    slots: module, offset      initial exec    slot: distance
 *     local dynamic      slots: module, 0           local exec      distance, in the code
 *      + offset, in the code                        descriptor      slots: function, argument
 */
#include "elf/internal.h"

/* What tells compilers' own block from a variable when they use descriptors. */
#define BLOCK_SYMBOL "_TLS_MODULE_BASE_"

void link_define_tls_begin(struct link *link)
{
	struct link_symbol *symbol = link_find(link, BLOCK_SYMBOL);

	if (!symbol || symbol->defined)
		return;
	link->private->tls_begin.object = link->objects;
	symbol->section = &link->private->tls_begin;
	symbol->value = 0;
	symbol->type = STT_TLS;
	symbol->visibility = STV_HIDDEN;
	symbol->defined = true;
}

/* ---- Checks --------------------------------------------------------------------------------- */

/* Initial values are the same for all threads, and copied to where nobody knows yet. */
static int check_initial_value(struct link *link, const struct link_relocation *relocation)
{
	if (relocation->type->kind == LINK_ABSOLUTE || relocation->type->kind == LINK_SIZE)
		return 0;
	return link_fail_relocation(
		link, -ENOEXEC, relocation,
		"is in a thread-local variable, whose initial value can only be "
		"a number or an address");
}

static int check_external(struct link *link, const struct link_relocation *relocation)
{
	switch (relocation->type->kind) {
	case LINK_TLS_LOCAL:
	case LINK_TLS_OFFSET:
		return link_fail_relocation(
			link, -ENOEXEC, relocation,
			"is for a thread-local variable of the module's own, and "
			"it has none of this name");
	default:
		return 0;
	}
}

int link_check_tls(struct link *link, const struct link_relocation *relocation)
{
	const struct link_symbol *symbol = relocation->symbol;
	enum link_kind kind = relocation->type->kind;

	if (relocation->section->region == LINK_TLS && check_initial_value(link, relocation))
		return -ENOEXEC;
	/* What wants nothing of the variable: sparc's call of the function that has its address, and hints. */
	if (kind == LINK_SPECIAL && !relocation->type->wants)
		return 0;
	if (!link_is_tls_kind(kind)) {
		if (link_is_tls_symbol(symbol) && kind != LINK_SIZE)
			return link_fail_relocation(link, -ENOEXEC, relocation,
						    "uses a thread-local variable as if it were "
						    "none; include the header that declares it");
		return 0;
	}
	/* Undefined ones of any type: who has them will say. */
	if (symbol->defined && (!symbol->section || !link_is_tls_symbol(symbol)))
		return link_fail_relocation(link, -ENOEXEC, relocation,
					    "uses as a thread-local variable what is none");
	return symbol->defined ? 0 : check_external(link, relocation);
}

/* ---- What is wanted ------------------------------------------------------------------------- */

static struct link_tls *new_tls(struct link *link, struct link_symbol *symbol)
{
	struct link_tls *tls = link_allocate(link, sizeof(*tls));

	if (!tls)
		return NULL;
	tls->symbol = symbol;
	tls->next = link->tls;
	link->tls = tls;
	return tls;
}

static void want_slots(struct link *link, uint32_t *slot, uint32_t count)
{
	if (*slot)
		return;
	*slot = link->private->got_count + 1;
	link->private->got_count += count;
}

static void want(struct link *link, struct link_tls *tls, enum link_kind kind)
{
	switch (kind) {
	case LINK_TLS_GENERAL:
	case LINK_TLS_LOCAL:
		want_slots(link, &tls->module_slot, 2);
		tls->wanted |= LINK_TLS_BY_MODULE;
		break;
	case LINK_TLS_MODULE:
		tls->wanted |= LINK_TLS_BY_MODULE;
		break;
	case LINK_TLS_INITIAL:
		want_slots(link, &tls->offset_slot, 1);
		tls->wanted |= LINK_TLS_BY_OFFSET;
		break;
	case LINK_TLS_DISTANCE:
		tls->wanted |= LINK_TLS_BY_OFFSET;
		break;
	case LINK_TLS_DESCRIPTOR:
		want_slots(link, &tls->descriptor_slot, 2);
		tls->wanted |= LINK_TLS_BY_DESCRIPTOR;
		break;
	default:
		break;
	}
}

int link_want_tls(struct link *link, const struct link_relocation *relocation)
{
	enum link_kind kind = relocation->type->kind;
	struct link_tls **tls =
		kind == LINK_TLS_LOCAL ? &link->private->tls_block : &relocation->symbol->tls;

	if (!*tls)
		*tls = new_tls(link, kind == LINK_TLS_LOCAL ? NULL : relocation->symbol);
	if (!*tls)
		return -ENOMEM;
	want(link, *tls, kind);
	return 0;
}

/* ---- Values --------------------------------------------------------------------------------- */

static uint64_t fill_slots(struct link *link, uint32_t slot, uint64_t first, uint64_t second)
{
	link_write_slot(link, slot - 1, first);
	link_write_slot(link, slot, second);
	return link_slot_address(link, slot - 1);
}

uint64_t link_tls_target(struct link *link, const struct link_relocation *relocation)
{
	const struct link_tls *tls = relocation->symbol->tls;

	switch (relocation->type->kind) {
	case LINK_TLS_LOCAL:
		tls = link->private->tls_block;
		return fill_slots(link, tls->module_slot, tls->module, 0);
	case LINK_TLS_GENERAL:
		return fill_slots(link, tls->module_slot, tls->module,
				  tls->offset - link->arch->tls_bias);
	case LINK_TLS_DESCRIPTOR:
		return fill_slots(link, tls->descriptor_slot, tls->descriptor[0],
				  tls->descriptor[1]);
	case LINK_TLS_INITIAL:
		link_write_slot(link, tls->offset_slot - 1, tls->thread_offset);
		return link_slot_address(link, tls->offset_slot - 1);
	case LINK_TLS_DISTANCE:
		return tls->thread_offset;
	case LINK_TLS_MODULE:
		return tls->module;
	default: /* LINK_TLS_OFFSET; a call has no field */
		return link_symbol_address(link, relocation->symbol) - link->arch->tls_bias;
	}
}
