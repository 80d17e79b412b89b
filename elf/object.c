/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading an object file, which nobody vouches for.
 *
 * Headers and tables are used where they lie in the file, if it is one of this machine; every number
 * in them is checked here before anything uses it.  When link_read_object() returns 0:
 *
 *     - sections with contents lie in the file, have a name, and are aligned to a power of two
 *     - contents of sections do not overlap, and names not too often, so that work is limited by the
 *       file's size
 *     - the symbol table, if there is one, has a string table that ends with a NUL; symbols' names
 *       lie in it, their sections exist, and those of loaded sections lie in them, but for anchors
 *
 * Relocations and groups are read when the object is entered: see tables.c.
 */
#include "elf/internal.h"

/* How many bytes of names a byte of a string table may give, and a byte of the file: equal names of
 * local symbols are one string, but each symbol takes 24 bytes. */
#define NAMES_FOR_STRINGS ((size_t)32)
#define NAMES_FOR_FILE ((size_t)4)

/* ---- Sections ------------------------------------------------------------------------------- */

int link_read_section_header(struct link_object *object, size_t index, Elf64_Shdr *header)
{
	memcpy(header, object->headers + index * sizeof(*header), sizeof(*header));
	if (header->sh_type == SHT_NULL || header->sh_type == SHT_NOBITS)
		return 0;
	if (header->sh_offset > object->size || object->size - header->sh_offset < header->sh_size)
		return link_fail(
			object->link, -ENOEXEC,
			"%s: section %zu: lies outside the file (found %llu bytes at offset "
			"%llu, at most %zu in all); the file is truncated or damaged",
			object->name, index, (unsigned long long)header->sh_size,
			(unsigned long long)header->sh_offset, object->size);
	return 0;
}

/* A string table's bytes; all strings in it end. */
static int read_strings(struct link_object *object, size_t index, const char **strings,
			size_t *size)
{
	Elf64_Shdr header;
	int error = link_read_section_header(object, index, &header);

	if (error)
		return error;
	if (header.sh_type != SHT_STRTAB)
		return link_fail(object->link, -ENOEXEC,
				 "%s: section %zu: no string table (found type %u, need %u)",
				 object->name, index, header.sh_type, SHT_STRTAB);
	*strings = (const char *)object->data + header.sh_offset;
	*size = (size_t)header.sh_size;
	if (!*size || (*strings)[*size - 1])
		return link_fail(
			object->link, -ENOEXEC,
			"%s: section %zu: the string table (%zu bytes) does not end with a NUL",
			object->name, index, *size);
	return 0;
}

static int fill_section(struct link_object *object, size_t index, const Elf64_Shdr *header,
			const char *names, size_t names_size)
{
	struct link_section *section = &object->sections[index];

	if (header->sh_name >= names_size)
		return link_fail(
			object->link, -ENOEXEC,
			"%s: section %zu: its name lies outside the string table (found offset "
			"%u, at most %zu)",
			object->name, index, header->sh_name, names_size - 1);
	section->name = names + header->sh_name;
	if (link_count_name(object, section->name))
		return -ENOEXEC;
	section->type = header->sh_type;
	section->flags = header->sh_flags;
	section->size = header->sh_size;
	section->align = header->sh_addralign ? header->sh_addralign : 1;
	if (section->align & (section->align - 1))
		return link_fail(object->link, -ENOEXEC,
				 "%s: section %s: the alignment is not a power of two (found %llu)",
				 object->name, section->name, (unsigned long long)section->align);
	if (section->type != SHT_NOBITS)
		section->data = object->data + header->sh_offset;
	return link_choose_region(section);
}

/* Tables of strings may be one. */
static bool has_own_bytes(const struct link_section *section)
{
	return section->type != SHT_NULL && section->type != SHT_NOBITS &&
	       section->type != SHT_STRTAB;
}

static int read_sections(struct link_object *object, size_t names_section)
{
	uint64_t sum = 0;
	const char *names;
	size_t names_size;
	int error = read_strings(object, names_section, &names, &names_size);

	if (error)
		return error;
	object->names_left = NAMES_FOR_STRINGS * names_size + NAMES_FOR_FILE * object->size;
	object->sections =
		link_allocate_array(object->link, object->section_count, sizeof(*object->sections));
	if (!object->sections)
		return -ENOMEM;
	for (size_t i = 0; i < object->section_count; i++) {
		struct link_section *section = &object->sections[i];
		Elf64_Shdr header;

		section->object = object;
		section->index = (unsigned int)i;
		section->name = "";
		section->align = 1;
		section->region = LINK_NONE;
		error = link_read_section_header(object, i, &header);
		if (!error && i && header.sh_type != SHT_NULL)
			error = fill_section(object, i, &header, names, names_size);
		if (error)
			return error;
		/* Both are at most the file's size, so this can't overflow. */
		sum += has_own_bytes(section) ? section->size : 0;
		if (sum > object->size)
			return link_fail(
				object->link, -ENOEXEC,
				"%s: section %s: overlaps another section (found %llu bytes in "
				"all, at most %zu); the file is damaged",
				object->name, section->name, (unsigned long long)sum, object->size);
		if (section->type != SHT_SYMTAB)
			continue;
		if (object->symbol_section)
			return link_fail(
				object->link, -ENOEXEC,
				"%s: section %s: a second symbol table (found at %zu, the first is "
				"%zu)",
				object->name, section->name, i, object->symbol_section);
		object->symbol_section = i;
	}
	return 0;
}

int link_count_name(struct link_object *object, const char *name)
{
	size_t size = strlen(name) + 1;

	if (size > object->names_left)
		return link_fail(object->link, -ENOEXEC,
				 "%s: names overlap too often; the file is damaged", object->name);
	object->names_left -= size;
	return 0;
}

const unsigned char *link_read_entries(struct link_object *object, size_t index,
				       enum link_entry kind, size_t *count)
{
	const struct link_section *section = &object->sections[index];
	size_t entry = link_entry_size(object->link, kind);

	*count = (size_t)section->size / entry;
	if (section->size % entry) {
		link_fail(
			object->link, -ENOEXEC,
			"%s: section %s: the size is no multiple of that of an entry (found %llu, "
			"entries of %zu)",
			object->name, section->name, (unsigned long long)section->size, entry);
		return NULL;
	}
	if (!*count)
		return (const unsigned char *)"";
	return link_convert(object->link, kind, section->data, *count);
}

/* ---- Symbols -------------------------------------------------------------------------------- */

static int fail_symbol(const struct link_object *object, size_t index, const char *what,
		       uint64_t found, uint64_t bound)
{
	return link_fail(
		object->link, -ENOEXEC,
		"%s: section %s: symbol %zu has a bad %s (found %llu, at most %llu); the symbol "
		"table is damaged",
		object->name, object->sections[object->symbol_section].name, index, what,
		(unsigned long long)found, (unsigned long long)bound);
}

/* Compilers count from labels of their own that may lie behind all that they count for. */
static bool is_anchor(const struct link_object *object, const Elf64_Sym *symbol)
{
	return ELF64_ST_BIND(symbol->st_info) == STB_LOCAL && !symbol->st_size &&
	       symbol->st_value < LINK_MOST && !strncmp(object->strings + symbol->st_name, ".L", 2);
}

static int check_symbol(const struct link_object *object, size_t index)
{
	const struct link_section *section;
	Elf64_Sym symbol;
	uint32_t number;

	link_get_symbol(object, index, &symbol, &number);
	if (symbol.st_name >= object->strings_size)
		return fail_symbol(object, index, "name", symbol.st_name, object->strings_size - 1);
	if ((ELF64_ST_BIND(symbol.st_info) == STB_LOCAL) != (index < object->local_count))
		return fail_symbol(object, index, "place: local ones come first", index,
				   object->local_count);
	switch (ELF64_ST_BIND(symbol.st_info)) {
	case STB_LOCAL:
	case STB_GLOBAL:
	case STB_WEAK:
	case STB_GNU_UNIQUE:
		break;
	default:
		return fail_symbol(object, index, "binding", ELF64_ST_BIND(symbol.st_info),
				   STB_GNU_UNIQUE);
	}
	if (symbol.st_shndx == SHN_XINDEX && !object->index_bytes)
		return fail_symbol(object, index, "section: no table of extended indices", number,
				   object->section_count - 1);
	if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS)
		return 0;
	if (link_is_common(object->link, symbol.st_shndx)) {
		uint64_t most = ELF64_ST_TYPE(symbol.st_info) == STT_TLS
					? link_page_size(object->link)
					: LINK_MOST_ALIGN;

		/* Nobody gives a local one a place, as none can be merged with it. */
		if (index < object->local_count)
			return fail_symbol(object, index, "section: COMMON is for global symbols",
					   symbol.st_shndx, object->section_count - 1);
		if (!symbol.st_value || symbol.st_value & (symbol.st_value - 1) ||
		    symbol.st_value > most)
			return fail_symbol(object, index, "alignment, to be a power of two",
					   symbol.st_value, most);
		if (symbol.st_size >= LINK_MOST)
			return fail_symbol(object, index, "size", symbol.st_size, LINK_MOST - 1);
		return 0;
	}
	if (!number || number >= object->section_count ||
	    (symbol.st_shndx >= SHN_LORESERVE && symbol.st_shndx != SHN_XINDEX))
		return fail_symbol(object, index, "section", number, object->section_count - 1);
	section = &object->sections[number];
	if (section->region == LINK_NONE)
		return 0;
	if (link_code_value(object->link, ELF64_ST_TYPE(symbol.st_info), symbol.st_value) >
		    section->size &&
	    !is_anchor(object, &symbol))
		return fail_symbol(object, index, "value, outside its section", symbol.st_value,
				   section->size);
	return 0;
}

static int check_symbols(const struct link_object *object)
{
	for (size_t i = 1; i < object->symbol_count; i++) {
		int error = check_symbol(object, i);

		if (error)
			return error;
	}
	return 0;
}

/* The table of section indices that are too large for a symbol, if there is one for these. */
static int read_symbol_indices(struct link_object *object)
{
	for (size_t i = 1; i < object->section_count; i++) {
		Elf64_Shdr header;
		size_t count;
		int error;

		if (object->sections[i].type != SHT_SYMTAB_SHNDX)
			continue;
		error = link_read_section_header(object, i, &header);
		if (error)
			return error;
		if (header.sh_link != object->symbol_section)
			continue;
		object->index_bytes = link_read_entries(object, i, LINK_WORD, &count);
		if (!object->index_bytes)
			return -ENOEXEC;
		if (count < object->symbol_count)
			return link_fail(
				object->link, -ENOEXEC,
				"%s: section %s: too few indices for the symbols (found %zu, at "
				"least %zu)",
				object->name, object->sections[i].name, count,
				object->symbol_count);
		return 0;
	}
	return 0;
}

static int read_symbols(struct link_object *object)
{
	const struct link_section *section = &object->sections[object->symbol_section];
	const size_t entry_size = link_entry_size(object->link, LINK_SYMBOL);
	Elf64_Shdr header;
	int error;

	if (!object->symbol_section)
		return 0;
	error = link_read_section_header(object, object->symbol_section, &header);
	if (error)
		return error;
	if (header.sh_entsize != entry_size)
		return link_fail(object->link, -ENOEXEC,
				 "%s: section %s: symbols have a wrong size (found %llu, need %zu)",
				 object->name, section->name, (unsigned long long)header.sh_entsize,
				 entry_size);
	object->symbol_bytes = link_read_entries(object, object->symbol_section, LINK_SYMBOL,
						 &object->symbol_count);
	if (!object->symbol_bytes)
		return -ENOEXEC;
	if (!object->symbol_count)
		return 0;
	if (!header.sh_link || header.sh_link >= object->section_count)
		return link_fail(
			object->link, -ENOEXEC,
			"%s: section %s: bad index of its string table (found %u, at most %zu)",
			object->name, section->name, header.sh_link, object->section_count - 1);
	error = read_strings(object, header.sh_link, &object->strings, &object->strings_size);
	if (error)
		return error;
	object->names_left += NAMES_FOR_STRINGS * object->strings_size;
	if (!header.sh_info || header.sh_info > object->symbol_count)
		return link_fail(
			object->link, -ENOEXEC,
			"%s: section %s: bad number of local symbols (found %u, at most %zu)",
			object->name, section->name, header.sh_info, object->symbol_count);
	object->local_count = header.sh_info;
	error = read_symbol_indices(object);
	return error ? error : check_symbols(object);
}

/* ---- The whole ------------------------------------------------------------------------------ */

int link_read_object(struct link *link, const char *name, const unsigned char *data, size_t size,
		     struct link_object **result)
{
	struct link_object *object = link_allocate(link, sizeof(*object));
	size_t names = 0;
	int error;

	if (!object)
		return -ENOMEM;
	object->link = link;
	object->name = name;
	object->data = data;
	object->size = size;
	error = link_check_header(object, &names);
	if (error)
		return error;
	error = read_sections(object, names);
	if (!error)
		error = read_symbols(object);
	*result = object;
	return error;
}
