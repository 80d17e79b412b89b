/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tables of other classes and byte orders.
 *
 * All of elf/ works on Elf64_* of this machine's order of bytes.  What a file has otherwise is put in
 * order by libelf, and what it has in 32 bits is made wider; a table that is right as it is stays
 * where it is.  Relocations that keep their addends in the fields (SHT_REL) get them from there, so that
 * nobody else need know.
 */
#include "elf/internal.h"

#include <libelf.h>

/* A header of 64 or 32 bits, entries of either, and what libelf calls them. */
static const struct {
	uint8_t wide, narrow; /* bytes */
	Elf_Type type;
} entries[] = {
	[LINK_HEADER] = { sizeof(Elf64_Shdr), sizeof(Elf32_Shdr), ELF_T_SHDR },
	[LINK_WORD] = { sizeof(Elf64_Word), sizeof(Elf32_Word), ELF_T_WORD },
	[LINK_SYMBOL] = { sizeof(Elf64_Sym), sizeof(Elf32_Sym), ELF_T_SYM },
	[LINK_RELA] = { sizeof(Elf64_Rela), sizeof(Elf32_Rela), ELF_T_RELA },
	[LINK_REL] = { sizeof(Elf64_Rel), sizeof(Elf32_Rel), ELF_T_REL },
};

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define HOST_ENCODING ELFDATA2LSB
#else
#define HOST_ENCODING ELFDATA2MSB
#endif

static bool is_wide(const struct link *link)
{
	return link->arch->class == ELFCLASS64;
}

size_t link_entry_size(const struct link *link, enum link_entry kind)
{
	return is_wide(link) ? entries[kind].wide : entries[kind].narrow;
}

/* Put what lies in `memory` in this machine's order. */
static void reorder(const struct link *link, Elf_Type type, void *memory, size_t size)
{
	Elf_Data data = {
		.d_buf = memory,
		.d_size = size,
		.d_type = type,
		.d_version = EV_CURRENT,
	};

	/* It can only fail for sizes and types that are wrong. */
	if (is_wide(link))
		elf64_xlatetom(&data, &data, link->arch->encoding);
	else
		elf32_xlatetom(&data, &data, link->arch->encoding);
}

/* ---- Wider ---------------------------------------------------------------------------------- */

void link_convert_header(const struct link_object *object, Elf64_Ehdr *header)
{
	Elf32_Ehdr narrow;

	if (is_wide(object->link)) {
		memcpy(header, object->data, sizeof(*header));
		reorder(object->link, ELF_T_EHDR, header, sizeof(*header));
		return;
	}
	memcpy(&narrow, object->data, sizeof(narrow));
	reorder(object->link, ELF_T_EHDR, &narrow, sizeof(narrow));
	*header = (Elf64_Ehdr){
		.e_type = narrow.e_type,
		.e_machine = narrow.e_machine,
		.e_version = narrow.e_version,
		.e_shoff = narrow.e_shoff,
		.e_flags = narrow.e_flags,
		.e_shentsize = narrow.e_shentsize,
		.e_shnum = narrow.e_shnum,
		.e_shstrndx = narrow.e_shstrndx,
	};
	memcpy(header->e_ident, narrow.e_ident, EI_NIDENT);
}

static void widen_header(const void *bytes, void *wide)
{
	const Elf32_Shdr *narrow = bytes;

	*(Elf64_Shdr *)wide = (Elf64_Shdr){
		.sh_name = narrow->sh_name,
		.sh_type = narrow->sh_type,
		.sh_flags = narrow->sh_flags,
		.sh_addr = narrow->sh_addr,
		.sh_offset = narrow->sh_offset,
		.sh_size = narrow->sh_size,
		.sh_link = narrow->sh_link,
		.sh_info = narrow->sh_info,
		.sh_addralign = narrow->sh_addralign,
		.sh_entsize = narrow->sh_entsize,
	};
}

static void widen_symbol(const void *bytes, void *wide)
{
	const Elf32_Sym *narrow = bytes;

	*(Elf64_Sym *)wide = (Elf64_Sym){
		.st_name = narrow->st_name,
		.st_info = narrow->st_info,
		.st_other = narrow->st_other,
		.st_shndx = narrow->st_shndx,
		.st_value = narrow->st_value,
		.st_size = narrow->st_size,
	};
}

static void widen_rela(const void *bytes, void *wide)
{
	const Elf32_Rela *narrow = bytes;

	*(Elf64_Rela *)wide = (Elf64_Rela){
		.r_offset = narrow->r_offset,
		.r_info = ELF64_R_INFO((uint64_t)ELF32_R_SYM(narrow->r_info),
				       ELF32_R_TYPE(narrow->r_info)),
		.r_addend = narrow->r_addend,
	};
}

static void widen_rel(const void *bytes, void *wide)
{
	const Elf32_Rel *narrow = bytes;

	*(Elf64_Rela *)wide = (Elf64_Rela){
		.r_offset = narrow->r_offset,
		.r_info = ELF64_R_INFO((uint64_t)ELF32_R_SYM(narrow->r_info),
				       ELF32_R_TYPE(narrow->r_info)),
	};
}

/* An entry of 64 bits that has no addend. */
static void add_addend(const void *bytes, void *wide)
{
	const Elf64_Rel *rel = bytes;

	*(Elf64_Rela *)wide = (Elf64_Rela){ .r_offset = rel->r_offset, .r_info = rel->r_info };
}

static void copy_word(const void *bytes, void *wide)
{
	memcpy(wide, bytes, sizeof(uint32_t));
}

static void (*const widen[])(const void *bytes, void *wide) = {
	[LINK_HEADER] = widen_header, [LINK_WORD] = copy_word, [LINK_SYMBOL] = widen_symbol,
	[LINK_RELA] = widen_rela,     [LINK_REL] = widen_rel,
};

/* ---- Tables --------------------------------------------------------------------------------- */

static bool is_as_wanted(const struct link *link, enum link_entry kind)
{
	return link->arch->encoding == HOST_ENCODING && kind != LINK_REL &&
	       (is_wide(link) || kind == LINK_WORD) &&
	       !(kind == LINK_RELA && link->arch->decode_info);
}

static void decode(const struct link *link, unsigned char *relocations, size_t count)
{
	Elf64_Rela *entry = (Elf64_Rela *)(void *)relocations;

	for (size_t i = 0; i < count; i++)
		entry[i].r_info = link->arch->decode_info(entry[i].r_info);
}

const unsigned char *link_convert(struct link *link, enum link_entry kind,
				  const unsigned char *bytes, size_t count)
{
	size_t from = link_entry_size(link, kind);
	size_t to = entries[kind == LINK_REL ? LINK_RELA : kind].wide;
	void (*convert)(const void *, void *) = widen[kind];
	unsigned char *table, *ordered;

	if (is_as_wanted(link, kind) || !count)
		return bytes;
	table = link_allocate_array(link, count, to);
	if (!table)
		return NULL;
	/* Entries grow: they start at the table's end, and each moves before another needs its place. */
	ordered = table + count * (to - from);
	memcpy(ordered, bytes, count * from);
	reorder(link, entries[kind].type, ordered, count * from);
	if (kind == LINK_REL && is_wide(link))
		convert = add_addend;
	for (size_t i = 0; i < count && from < to; i++) {
		_Alignas(uint64_t) unsigned char entry[sizeof(Elf64_Shdr)];

		memcpy(entry, ordered + i * from, from);
		convert(entry, table + i * to);
	}
	if (link->arch->decode_info && (kind == LINK_RELA || kind == LINK_REL))
		decode(link, table, count);
	return table;
}

/* ---- Addends -------------------------------------------------------------------------------- */

/* What the field has is the value of the addend, as far as it goes. */
static int64_t addend_in(const struct link *link, const struct link_relocation_type *type,
			 const unsigned char *field)
{
	unsigned int bits = type->bits ? type->bits : 8U * type->bytes;
	uint64_t value = link_get_field(link->arch, type, field);

	if (bits && bits < 64 && type->fit != LINK_FIT_UNSIGNED)
		value = (value ^ (uint64_t)1 << (bits - 1)) - ((uint64_t)1 << (bits - 1));
	return (int64_t)(value << type->shift);
}

static int read_addends(struct link *link, const struct link_section *target,
			const unsigned char *data, Elf64_Rela *table, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct link_relocation_type *type =
			link->arch->relocation((uint32_t)ELF64_R_TYPE(table[i].r_info));

		/* Scanning will tell what is wrong with the others. */
		if (type && type->kind > LINK_IGNORED && table[i].r_offset <= target->size &&
		    target->size - table[i].r_offset >= type->bytes)
			table[i].r_addend = addend_in(link, type, data + table[i].r_offset);
	}
	return link->arch->read_addends ? link->arch->read_addends(target, data, table, count) : 0;
}

/* What is in the fields as well as in the entries. */
static void add_fields(const struct link *link, const struct link_section *target,
		       const unsigned char *data, Elf64_Rela *table, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct link_relocation_type *type =
			link->arch->relocation((uint32_t)ELF64_R_TYPE(table[i].r_info));

		if (type && type->kind > LINK_IGNORED && type->bytes == sizeof(uint32_t) &&
		    table[i].r_offset <= target->size &&
		    target->size - table[i].r_offset >= type->bytes)
			table[i].r_addend =
				(int32_t)((uint64_t)table[i].r_addend +
					  (uint64_t)addend_in(link, type,
							      data + table[i].r_offset));
	}
}

const unsigned char *link_read_relocations(struct link_object *object, size_t index,
					   const struct link_section *target,
					   const unsigned char *data, size_t *count)
{
	bool rel = object->sections[index].type == SHT_REL;
	const unsigned char *table =
		link_read_entries(object, index, rel ? LINK_REL : LINK_RELA, count);

	/* It is memory of the link. */
	if (table && rel && *count &&
	    read_addends(object->link, target, data, (Elf64_Rela *)(void *)table, *count))
		return NULL;
	if (table && !rel && object->link->arch->adds_fields)
		add_fields(object->link, target, data, (Elf64_Rela *)(void *)table, *count);
	return table;
}
