/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * permod check --just-symbols: what a program, say the firmware that a file will be loaded into, has of
 * symbols, and where.  Nothing else of it counts, as for ld's option of this name.
 */
#define _GNU_SOURCE
#include "foreign.h"

#include "elf/arch.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>

/* Those that others may refer to. */
static bool is_offered(const GElf_Sym *symbol)
{
	unsigned char type = GELF_ST_TYPE(symbol->st_info), bind = GELF_ST_BIND(symbol->st_info);

	return symbol->st_shndx != SHN_UNDEF && symbol->st_shndx != SHN_COMMON && symbol->st_name &&
	       bind != STB_LOCAL && (type == STT_NOTYPE || type == STT_OBJECT || type == STT_FUNC);
}

static void add_symbol(struct foreign_symbols *symbols, const char *path, const char *name,
		       const GElf_Sym *found)
{
	symbols->list = reallocate(symbols->list, symbols->count + 1, sizeof(*symbols->list));
	symbols->list[symbols->count++] = (struct foreign_symbol){
		.name = format_text("%s", name),
		.address = found->st_value,
		.provider = path,
		.function = GELF_ST_TYPE(found->st_info) == STT_FUNC,
	};
}

static void read_table(Elf *elf, Elf_Scn *section, size_t strings, const char *path,
		       struct foreign_symbols *symbols)
{
	Elf_Data *data = elf_getdata(section, NULL);
	GElf_Sym symbol;

	for (int i = 1; data && gelf_getsym(data, i, &symbol); i++) {
		const char *name = elf_strptr(elf, strings, symbol.st_name);

		if (name && is_offered(&symbol))
			add_symbol(symbols, path, name, &symbol);
	}
}

/* A stripped program has those of its dynamic table. */
static bool read_tables(Elf *elf, GElf_Word type, const char *path, struct foreign_symbols *symbols)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	bool found = false;

	while ((section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &header) || header.sh_type != type)
			continue;
		found = true;
		read_table(elf, section, header.sh_link, path, symbols);
	}
	return found;
}

static char *read_elf(const struct link_arch *arch, const char *path, Elf *elf,
		      struct foreign_symbols *symbols)
{
	GElf_Ehdr header;

	if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header))
		return format_text("%s: not an ELF file", path);
	if ((header.e_machine != arch->machine &&
	     (!arch->other_machine || header.e_machine != arch->other_machine)) ||
	    header.e_ident[EI_CLASS] != arch->class || header.e_ident[EI_DATA] != arch->encoding)
		return format_text("%s: not for %s (found machine %u of %s bits, need %u)", path,
				   arch->name, header.e_machine,
				   header.e_ident[EI_CLASS] == ELFCLASS64 ? "64" : "32",
				   arch->machine);
	if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
		return format_text("%s: not a program, whose symbols have addresses (found ELF "
				   "type %u); add it by --with",
				   path, header.e_type);
	if (!read_tables(elf, SHT_SYMTAB, path, symbols) &&
	    !read_tables(elf, SHT_DYNSYM, path, symbols))
		return format_text("%s: it has no symbols", path);
	return NULL;
}

char *read_just_symbols(const struct link_arch *arch, const char *path, const void *data,
			size_t size, struct foreign_symbols *symbols)
{
	char *copy = allocate(size + 1, 1), *wrong;
	Elf *elf;

	/* libelf wants memory that it might write to. */
	memcpy(copy, data, size);
	elf_version(EV_CURRENT);
	elf = elf_memory(copy, size);
	wrong = read_elf(arch, path, elf, symbols);
	elf_end(elf);
	free(copy);
	return wrong;
}
