/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Is what the dynamic linker found a function?
 *
 * Only code can be one, but constants can lie among code, so it is the symbol's type that tells.  The
 * dynamic linker does not: dladdr1() looks through all symbols of a library for one at an address,
 * which takes longer than all else that is done for a symbol.  The name is known, so here it is looked
 * up in the library that has the address, by that library's own table of hashes (DT_GNU_HASH):
 *
 *     | buckets, symbols below which are not in the table, words, shift | words of a filter
 *     | for each bucket its first symbol | for each symbol its hash, the lowest bit ends the bucket |
 *
 * The dynamic linker has used these tables, so they are believed.  What has no such table, or a name
 * of another kind than was asked for, is left to dladdr1().
 */
#define _GNU_SOURCE
#include "internal.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

struct search {
	const char *name;
	size_t length; /* of the name without its version */
	uintptr_t address;
	bool executable; /* what is found: the address lies in code, */
	int type;	 /* and the symbol is of this type; -1: unknown */
};

/* Tables of a library in memory. */
struct tables {
	const uint32_t *hashes;
	const ElfW(Sym) * symbols;
	const char *strings;
};

/* The dynamic linker may have added the base already. */
static const void *pointer_of(const struct dl_phdr_info *image, const ElfW(Dyn) * entry)
{
	uintptr_t address = entry->d_un.d_ptr;

	return (const void *)(address < image->dlpi_addr ? image->dlpi_addr + address : address);
}

static bool find_tables(const struct dl_phdr_info *image, struct tables *tables)
{
	const ElfW(Dyn) *entry = NULL;

	*tables = (struct tables){ 0 };
	for (unsigned int i = 0; i < image->dlpi_phnum; i++) {
		if (image->dlpi_phdr[i].p_type == PT_DYNAMIC)
			entry = (const void *)(image->dlpi_addr + image->dlpi_phdr[i].p_vaddr);
	}
	for (; entry && entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag == DT_GNU_HASH)
			tables->hashes = pointer_of(image, entry);
		else if (entry->d_tag == DT_SYMTAB)
			tables->symbols = pointer_of(image, entry);
		else if (entry->d_tag == DT_STRTAB)
			tables->strings = pointer_of(image, entry);
	}
	return tables->hashes && tables->symbols && tables->strings;
}

static uint32_t hash_for_library(const struct search *search)
{
	uint32_t hash = 5381;

	for (size_t i = 0; i < search->length; i++)
		hash = hash * 33 + (unsigned char)search->name[i];
	return hash;
}

static bool has_name(const struct search *search, const char *name)
{
	return !strncmp(name, search->name, search->length) && !name[search->length];
}

/* A name can be there several times, with versions of its own. */
static int type_in_library(const struct search *search, const struct dl_phdr_info *image,
			   const struct tables *tables)
{
	uint32_t buckets = tables->hashes[0], first = tables->hashes[1], words = tables->hashes[2];
	const ElfW(Addr) *filter = (const void *)(tables->hashes + 4);
	const uint32_t *bucket = (const void *)(filter + words), *chain = bucket + buckets;
	uint32_t hash = hash_for_library(search), index;

	if (!buckets)
		return -1;
	index = bucket[hash % buckets];
	for (; index >= first && index; index++) {
		const ElfW(Sym) *symbol = &tables->symbols[index];
		uint32_t other = chain[index - first];
		int type = symbol->st_info & 0xf;

		/* What an IFUNC's resolver chose is a function. */
		if ((hash | 1) == (other | 1) && symbol->st_shndx != SHN_UNDEF &&
		    has_name(search, tables->strings + symbol->st_name) &&
		    (type == STT_GNU_IFUNC ||
		     image->dlpi_addr + symbol->st_value == search->address))
			return type;
		if (other & 1)
			break;
	}
	return -1;
}

static int look_into_image(struct dl_phdr_info *image, size_t size, void *arg)
{
	struct search *search = arg;
	struct tables tables;

	(void)size;
	for (unsigned int i = 0; i < image->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &image->dlpi_phdr[i];

		if (segment->p_type != PT_LOAD ||
		    search->address - (image->dlpi_addr + segment->p_vaddr) >= segment->p_memsz)
			continue;
		search->executable = segment->p_flags & PF_X;
		if (search->executable && find_tables(image, &tables))
			search->type = type_in_library(search, image, &tables);
		return 1;
	}
	return 0;
}

static int ask_type(uintptr_t address)
{
	const ElfW(Sym) *symbol = NULL;
	Dl_info info;

	if (!dladdr1((void *)address, &info, (void **)&symbol, RTLD_DL_SYMENT) || !symbol ||
	    (uintptr_t)info.dli_saddr != address)
		return STT_FUNC;
	return symbol->st_info & 0xf;
}

bool names_function(const char *name, uintptr_t address)
{
	struct search search = {
		.name = name, .length = strcspn(name, "@"), .address = address, .type = -1
	};

	each_image(look_into_image, &search);
	if (!search.executable)
		return false;
	if (search.type < 0)
		search.type = ask_type(address);
	return search.type == STT_FUNC || search.type == STT_GNU_IFUNC;
}
