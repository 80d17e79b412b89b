/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tables of an object about its sections: relocations, and groups of which one copy is enough.
 *
 * A COMDAT group is a list of sections with a name, its signature.  The first object that brings
 * the signature keeps its sections, those of all others are discarded; the same goes for sections
 * called .gnu.linkonce.* by their names.  What is about a discarded section (SHF_LINK_ORDER) goes with
 * it.  This happens before the object's symbols are entered, since definitions in discarded sections
 * count as references.
 */
#include "elf/internal.h"

#ifndef SHT_CREL
#define SHT_CREL 0x40000014
#endif

/* ---- Groups --------------------------------------------------------------------------------- */

static int fail_group(const struct link_object *object, size_t section, const char *what,
		      uint64_t found, uint64_t bound)
{
	return link_fail(object->link, -ENOEXEC,
			 "%s: section %s: the group has a bad %s (found %llu, at most %llu)",
			 object->name, object->sections[section].name, what,
			 (unsigned long long)found, (unsigned long long)bound);
}

/* The name of the symbol that the header tells of; a section's own symbol has none. */
static int read_signature(const struct link_object *object, size_t section,
			  const Elf64_Shdr *header, const char **signature)
{
	Elf64_Sym symbol;
	uint32_t number;

	if (header->sh_link != object->symbol_section || !object->symbol_section)
		return fail_group(object, section, "symbol table", header->sh_link,
				  object->symbol_section);
	if (!header->sh_info || header->sh_info >= object->symbol_count)
		return fail_group(object, section, "signature symbol", header->sh_info,
				  object->symbol_count - 1);
	link_get_symbol(object, header->sh_info, &symbol, &number);
	*signature = object->strings + symbol.st_name;
	if (ELF64_ST_TYPE(symbol.st_info) == STT_SECTION && number < object->section_count)
		*signature = object->sections[number].name;
	return 0;
}

static int enter_group(struct link_object *object, size_t section)
{
	struct link *link = object->link;
	const unsigned char *bytes;
	const char *signature = "";
	struct link_name *group;
	Elf64_Shdr header;
	uint32_t word;
	size_t count;
	bool added;
	int error;

	bytes = link_read_entries(object, section, LINK_WORD, &count);
	if (!bytes)
		return -ENOEXEC;
	if (!count)
		return fail_group(object, section, "size", 0, 0);
	memcpy(&word, bytes, sizeof(word));
	if (!(word & GRP_COMDAT))
		return 0;
	error = link_read_section_header(object, section, &header);
	if (!error)
		error = read_signature(object, section, &header, &signature);
	if (error)
		return error;
	if (link_count_name(object, signature))
		return -ENOEXEC;
	group = link_intern(link, &link->private->groups, signature, &added);
	if (!group)
		return -ENOMEM;
	if (added)
		group->symbol.object = object;
	for (size_t i = 1; i < count; i++) {
		memcpy(&word, bytes + i * sizeof(word), sizeof(word));
		if (!word || word >= object->section_count)
			return fail_group(object, section, "member", word,
					  object->section_count - 1);
		if (!added)
			object->sections[word].discarded = true;
	}
	return 0;
}

/* The older way: a section of this name is enough, whatever object it is in. */
static int enter_linkonce(struct link_object *object, struct link_section *section)
{
	static const char prefix[] = ".gnu.linkonce.";
	struct link *link = object->link;
	struct link_name *once;
	bool added;

	if (section->discarded || strncmp(section->name, prefix, sizeof(prefix) - 1) != 0)
		return 0;
	if (link_count_name(object, section->name))
		return -ENOEXEC;
	once = link_intern(link, &link->private->linkonce, section->name, &added);
	if (!once)
		return -ENOMEM;
	if (added)
		once->symbol.object = object;
	section->discarded = once->symbol.object != object;
	return 0;
}

struct link_section *link_subject(const struct link_section *section)
{
	struct link_object *object = section->object;
	Elf64_Shdr header;

	if (!(section->flags & SHF_LINK_ORDER) ||
	    link_read_section_header(object, section->index, &header) || !header.sh_link ||
	    header.sh_link >= object->section_count)
		return NULL;
	return &object->sections[header.sh_link];
}

static void discard_followers(struct link_object *object)
{
	for (size_t i = 1; i < object->section_count; i++) {
		const struct link_section *subject = link_subject(&object->sections[i]);

		if (subject && subject->discarded)
			object->sections[i].discarded = true;
	}
}

int link_enter_groups(struct link_object *object)
{
	for (size_t i = 1; i < object->section_count; i++) {
		struct link_section *section = &object->sections[i];
		int error = section->type == SHT_GROUP ? enter_group(object, i)
						       : enter_linkonce(object, section);

		if (error)
			return error;
	}
	discard_followers(object);
	return 0;
}

/* ---- Relocations ---------------------------------------------------------------------------- */

static bool has_relocations(const struct link_section *section)
{
	return section->type == SHT_RELA || section->type == SHT_REL || section->type == SHT_CREL;
}

static int read_table(struct link_object *object, size_t index)
{
	const struct link_section *section = &object->sections[index];
	const struct link_arch *arch = object->link->arch;
	struct link_table *table = &object->tables[object->table_count];
	struct link_section *target;
	size_t entry_size;
	Elf64_Shdr header;
	int error = link_read_section_header(object, index, &header);

	if (error)
		return error;
	if (header.sh_info >= object->section_count)
		return link_fail(
			object->link, -ENOEXEC,
			"%s: section %s: relocations for a section that is not there (found %u, at "
			"most %zu)",
			object->name, section->name, header.sh_info, object->section_count - 1);
	target = &object->sections[header.sh_info];
	if (target->region == LINK_NONE || target->discarded || !section->size)
		return 0;
	if (section->type != SHT_RELA && !(section->type == SHT_REL && arch->has_rel))
		return link_fail(
			object->link, -ENOEXEC,
			"%s: section %s: relocations of a kind that %s does not use (found type "
			"%u, need %u)",
			object->name, section->name, arch->name, section->type,
			arch->has_rel ? SHT_REL : SHT_RELA);
	if (header.sh_link != object->symbol_section)
		return link_fail(
			object->link, -ENOEXEC,
			"%s: section %s: relocations for another symbol table (found %u, need %zu)",
			object->name, section->name, header.sh_link, object->symbol_section);
	entry_size = link_entry_size(object->link, section->type == SHT_REL ? LINK_REL : LINK_RELA);
	if (header.sh_entsize != entry_size)
		return link_fail(
			object->link, -ENOEXEC,
			"%s: section %s: relocations have a wrong size (found %llu, need %zu)",
			object->name, section->name, (unsigned long long)header.sh_entsize,
			entry_size);
	if (target->type == SHT_NOBITS)
		return link_fail(
			object->link, -ENOEXEC,
			"%s: section %s: relocations for section %s, which has no contents",
			object->name, section->name, target->name);
	table->section = target;
	table->bytes = link_read_relocations(object, index, target, target->data, &table->count);
	if (!table->bytes)
		return -ENOEXEC;
	object->table_count++;
	if (!target->table)
		target->table = (uint32_t)object->table_count;
	return 0;
}

int link_read_tables(struct link_object *object)
{
	size_t most = 0;

	for (size_t i = 1; i < object->section_count; i++)
		most += has_relocations(&object->sections[i]);
	object->tables = link_allocate_array(object->link, most, sizeof(*object->tables));
	if (!object->tables)
		return -ENOMEM;
	for (size_t i = 1; i < object->section_count; i++) {
		int error = has_relocations(&object->sections[i])
				    ? link_pass(object->link, read_table(object, i))
				    : 0;

		if (error)
			return error;
	}
	return 0;
}
