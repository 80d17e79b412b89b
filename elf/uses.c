/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who reaches what, and how: relocations as people look at them.
 *
 * This works after a failure too, when some relocations are not even of a known type: those are left
 * out.  Which way was taken is not kept when relocating, but can be seen in what was written.
 */
#include "elf/internal.h"

/* Whether the field has what a relocation to `target` would write. */
static bool leads_to(const struct link *link, const struct link_relocation *relocation,
		     uint64_t target)
{
	const struct link_relocation_type *type = relocation->type;
	uint64_t place = link_section_address(link, relocation->section) + relocation->offset;
	uint64_t value;

	/* These bytes were the C library's to copy, and are gone. */
	if (relocation->section->region == LINK_TLS)
		return false;
	if (type->kind == LINK_BRANCH && link->arch->enter) {
		unsigned char field[sizeof(uint64_t)];

		memcpy(field, link_section_buffer(link, relocation->section) + relocation->offset,
		       type->bytes);
		link->arch->enter(relocation, field, place, true, &target);
	}
	value = target + (uint64_t)relocation->addend;
	if (type->kind != LINK_ABSOLUTE)
		value -= place;
	value = link_shift(type, (int64_t)value);
	if (!type->bits && type->bytes < sizeof(value))
		value &= ((uint64_t)1 << 8 * type->bytes) - 1;
	return link_get_field(link->arch, type,
			      link_section_buffer(link, relocation->section) +
				      relocation->offset) == value;
}

static bool is_call(const struct link_relocation *relocation)
{
	return relocation->type->kind == LINK_BRANCH || (relocation->type->kind == LINK_SPECIAL &&
							 relocation->type->wants & LINK_WANTS_STUB);
}

static enum link_way stub_or_direct(const struct link *link,
				    const struct link_relocation *relocation)
{
	const struct link_symbol *symbol = relocation->symbol;

	return symbol->stub_used && leads_to(link, relocation, link_stub_address(link, symbol))
		       ? LINK_WAY_STUB
		       : LINK_WAY_DIRECT;
}

static enum link_way way_of(const struct link *link, const struct link_relocation *relocation)
{
	const struct link_symbol *symbol = relocation->symbol;

	if (!link->private->relocated)
		return LINK_WAY_NONE;
	switch (relocation->type->kind) {
	case LINK_GOT_RELATIVE:
	case LINK_GOT_SLOT:
		return LINK_WAY_SLOT;
	case LINK_GOT_RELAXABLE:
		return symbol->got_used &&
				       leads_to(link, relocation, link_got_address(link, symbol))
			       ? LINK_WAY_SLOT
			       : LINK_WAY_RELAXED;
	case LINK_ABSOLUTE:
	case LINK_RELATIVE:
	case LINK_BRANCH:
		return stub_or_direct(link, relocation);
	case LINK_SPECIAL:
		return is_call(relocation) ? stub_or_direct(link, relocation) : LINK_WAY_DIRECT;
	case LINK_TLS_GENERAL:
		return LINK_WAY_TLS_MODULE;
	case LINK_TLS_LOCAL:
		return LINK_WAY_TLS_OWN_MODULE;
	case LINK_TLS_INITIAL:
		return LINK_WAY_TLS_OFFSET;
	case LINK_TLS_DESCRIPTOR:
		return LINK_WAY_TLS_DESCRIPTOR;
	default:
		return LINK_WAY_DIRECT;
	}
}

/* False if scanning found fault with it. */
static bool read_relocation(struct link *link, const struct link_table *table, size_t index,
			    struct link_relocation *relocation)
{
	struct link_object *object = table->section->object;
	Elf64_Rela entry;

	link_get_entry(table, index, &entry);
	if (ELF64_R_SYM(entry.r_info) >= object->symbol_count)
		return false;
	*relocation = (struct link_relocation){
		.number = (uint32_t)ELF64_R_TYPE(entry.r_info),
		.object = object,
		.section = table->section,
		.symbol = object->symbols[ELF64_R_SYM(entry.r_info)],
		.offset = entry.r_offset,
		.addend = entry.r_addend,
	};
	relocation->type = link->arch->relocation(relocation->number);
	return relocation->type && relocation->type->kind != LINK_IGNORED;
}

void link_each_use(struct link *link, void (*visit)(void *arg, const struct link_use *use),
		   void *arg)
{
	for (struct link_object *object = link->objects; object; object = object->next) {
		for (size_t i = 0; i < object->table_count; i++) {
			const struct link_table *table = &object->tables[i];
			struct link_relocation relocation;

			for (size_t j = 0; j < table->count; j++) {
				struct link_use use;

				if (!read_relocation(link, table, j, &relocation))
					continue;
				use = (struct link_use){
					.symbol = relocation.symbol,
					.section = relocation.section,
					.offset = relocation.offset,
					.type = relocation.type->name,
					.way = way_of(link, &relocation),
					.call = is_call(&relocation),
				};
				visit(arg, &use);
			}
		}
	}
}
