/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a shared object's file says, without loading it: strings of .modinfo, exports, needs.
 *
 * The tables of exports are empty in the file, as the dynamic linker fills them in: the local symbols
 * tell that name their entries, unless the file is stripped of them.
 */
#include "internal.h"

#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <string.h>

#define ENTRY_PREFIX "__ksymtab_"

/* libelf writes to nothing that is only read. */
struct Elf *open_shared_file(struct permod *pm, const char *path, const void *data, size_t size)
{
	size_t names;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_memory((char *)data, size);
	if (elf && !elf_getshdrstrndx(elf, &names))
		return elf;
	fail(pm, -ENOEXEC, "%s: its sections can't be read: %s", path, elf_errmsg(-1));
	elf_end(elf);
	return NULL;
}

/* What does not end is no string. */
static int read_info(const struct shared_reader *reader, const char *text, size_t size)
{
	int error = 0;

	while (size && !error) {
		size_t length = strnlen(text, size);

		if (length == size)
			break;
		if (length)
			error = reader->info(reader->arg, text);
		text += length + 1;
		size -= length + 1;
	}
	return error;
}

static int read_section(const struct shared_reader *reader, Elf_Scn *section, const char *name)
{
	int error = reader->section ? reader->section(reader->arg, name) : 0;
	Elf_Data *data;

	if (error || !reader->info || strcmp(name, ".modinfo") != 0)
		return error;
	data = elf_rawdata(section, NULL);
	return data && data->d_buf ? read_info(reader, data->d_buf, data->d_size) : 0;
}

static const char *section_name(Elf *elf, size_t index)
{
	size_t names;
	GElf_Shdr header;
	Elf_Scn *section = elf_getscn(elf, index);
	const char *name = NULL;

	if (section && gelf_getshdr(section, &header) && !elf_getshdrstrndx(elf, &names))
		name = elf_strptr(elf, names, header.sh_name);
	return name ? name : "";
}

static int read_symbol(Elf *elf, const struct shared_reader *reader, const GElf_Sym *symbol,
		       const char *name, bool dynamic)
{
	const size_t length = strlen(ENTRY_PREFIX);
	const char *table;

	if (symbol->st_shndx == SHN_UNDEF) {
		if (dynamic && reader->needed && *name)
			return reader->needed(reader->arg, name);
		return 0;
	}
	if (dynamic || !reader->exported || symbol->st_shndx >= SHN_LORESERVE ||
	    strncmp(name, ENTRY_PREFIX, length) != 0)
		return 0;
	table = section_name(elf, symbol->st_shndx);
	if (strcmp(table, "__ksymtab") != 0 && strcmp(table, "__ksymtab_gpl") != 0)
		return 0;
	return reader->exported(reader->arg, name + length, strcmp(table, "__ksymtab_gpl") == 0);
}

static int read_symbols(Elf *elf, const struct shared_reader *reader, Elf_Scn *section,
			const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	GElf_Sym symbol;
	int error = 0;

	for (int i = 1; data && !error && gelf_getsym(data, i, &symbol); i++) {
		const char *name = elf_strptr(elf, header->sh_link, symbol.st_name);

		if (name)
			error = read_symbol(elf, reader, &symbol, name,
					    header->sh_type == SHT_DYNSYM);
	}
	return error;
}

int read_shared_file(struct Elf *elf, const struct shared_reader *reader)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	int error = 0;

	while (!error && (section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &header))
			continue;
		if ((header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM) &&
		    (reader->needed || reader->exported))
			error = read_symbols(elf, reader, section, &header);
		else if (header.sh_flags & SHF_ALLOC && header.sh_type != SHT_NOBITS)
			error = read_section(reader, section,
					     section_name(elf, elf_ndxscn(section)));
	}
	return error;
}
