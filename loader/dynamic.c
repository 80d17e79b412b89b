/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Symbols of the images that the dynamic linker has in memory, by their own tables.
 *
 * Is what was found a function?  Only code can be one, but constants can lie among code, so it is the
 * symbol's type that tells.  The dynamic linker does not: glibc's dladdr1() looks through all symbols of
 * a library for one at an address, which takes longer than all else that is done for a symbol, and others
 * have no such thing.  The name is known, so here it is looked up in the library that has the address, by
 * that library's own table of hashes (DT_GNU_HASH):
 *
 *     | buckets, symbols below which are not in the table, words, shift | words of a filter
 *     | for each bucket its first symbol | for each symbol its hash, the lowest bit ends the bucket |
 *
 * The dynamic linker has used these tables, so they are believed.  What has no such table (for MIPS, where
 * symbols have another order, it is DT_MIPS_XHASH), or a name of another kind than was asked for, is looked
 * for at its address.
 */
#define _GNU_SOURCE
#include "internal.h"

#include "loader/arch.h"

#include <link.h>
#include <string.h>

struct search {
	const char *name;
	size_t length; /* of the name without its version */
	uintptr_t address;
	bool code_only;		  /* what is not code is of no interest */
	bool executable;	  /* what is found: the address lies in code, */
	bool writable;		  /* or in data, which may be executable too, */
	const ElfW(Sym) * symbol; /* and this is there, or NULL */
};

/* ---- Tables --------------------------------------------------------------------------------- */

/* Some dynamic linkers have added the base already, but to those of the vdso. */
static const void *pointer_of(const struct dl_phdr_info *image, const ElfW(Dyn) * entry)
{
	uintptr_t address = entry->d_un.d_ptr;

	return (const void *)(address < image->dlpi_addr ? image->dlpi_addr + address : address);
}

uint32_t count_image_symbols(const struct image_tables *tables)
{
	const uint32_t *hashes = tables->hashes;
	const size_t words_of_mask = sizeof(ElfW(Addr)) / sizeof(uint32_t);
	uint32_t buckets, first, highest = 0;
	const uint32_t *bucket, *chain;

	if (!hashes)
		return tables->old_hashes ? (uint32_t)tables->old_hashes[1] : tables->count;
	/* Here is no count: it is the highest that the table leads to. */
	buckets = hashes[0];
	first = hashes[1];
	bucket = hashes + 4 + hashes[2] * words_of_mask;
	chain = bucket + buckets;
	for (uint32_t i = 0; i < buckets; i++)
		highest = bucket[i] > highest ? bucket[i] : highest;
	if (highest < first)
		return 0;
	/* The last of a chain has its lowest bit set. */
	while (!(chain[highest - first] & 1))
		highest++;
	return highest + 1;
}

bool find_image_tables(const struct dl_phdr_info *image, struct image_tables *tables)
{
	const ElfW(Dyn) *entry = NULL;

	*tables = (struct image_tables){ 0 };
	for (unsigned int i = 0; i < image->dlpi_phnum; i++) {
		if (image->dlpi_phdr[i].p_type == PT_DYNAMIC)
			entry = (const void *)(image->dlpi_addr + image->dlpi_phdr[i].p_vaddr);
	}
	for (; entry && entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag == DT_GNU_HASH)
			tables->hashes = pointer_of(image, entry);
		else if (entry->d_tag == DT_HASH)
			tables->old_hashes = pointer_of(image, entry);
		else if (entry->d_tag == SYMBOL_COUNT)
			tables->count = (uint32_t)entry->d_un.d_val;
		else if (entry->d_tag == DT_SYMTAB)
			tables->symbols = pointer_of(image, entry);
		else if (entry->d_tag == DT_STRTAB)
			tables->strings = pointer_of(image, entry);
	}
	return (tables->hashes || tables->old_hashes || tables->count) && tables->symbols &&
	       tables->strings;
}

/* ---- Looking for one ------------------------------------------------------------------------ */

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
static const ElfW(Sym) * find_by_name(const struct search *search, const struct dl_phdr_info *image,
				      const struct image_tables *tables)
{
	uint32_t buckets = tables->hashes[0], first = tables->hashes[1], words = tables->hashes[2];
	const ElfW(Addr) *filter = (const void *)(tables->hashes + 4);
	const uint32_t *bucket = (const void *)(filter + words), *chain = bucket + buckets;
	uint32_t hash = hash_for_library(search), index;

	if (!buckets)
		return NULL;
	index = bucket[hash % buckets];
	for (; index >= first && index; index++) {
		const ElfW(Sym) *symbol = &tables->symbols[index];
		uint32_t other = chain[index - first];

		/* What an IFUNC's resolver chose is a function. */
		if ((hash | 1) == (other | 1) && symbol->st_shndx != SHN_UNDEF &&
		    has_name(search, tables->strings + symbol->st_name) &&
		    ((symbol->st_info & 0xf) == STT_GNU_IFUNC ||
		     image->dlpi_addr + symbol->st_value == search->address))
			return symbol;
		if (other & 1)
			break;
	}
	return NULL;
}

/* The first that has the very address: thread-local variables and section symbols have none. */
static const ElfW(Sym) * find_by_address(const struct search *search,
					 const struct dl_phdr_info *image,
					 const struct image_tables *tables)
{
	uint32_t count = count_image_symbols(tables);

	for (uint32_t i = 1; i < count; i++) {
		const ElfW(Sym) *symbol = &tables->symbols[i];
		int type = symbol->st_info & 0xf;

		if (symbol->st_shndx != SHN_UNDEF && type != STT_TLS && type != STT_SECTION &&
		    image->dlpi_addr + symbol->st_value == search->address)
			return symbol;
	}
	return NULL;
}

static int look_into_image(struct dl_phdr_info *image, size_t size, void *arg)
{
	struct search *search = arg;
	struct image_tables tables;

	(void)size;
	for (unsigned int i = 0; i < image->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &image->dlpi_phdr[i];

		if (segment->p_type != PT_LOAD ||
		    search->address - (image->dlpi_addr + segment->p_vaddr) >= segment->p_memsz)
			continue;
		search->executable = segment->p_flags & PF_X;
		search->writable = segment->p_flags & PF_W;
		if ((search->code_only && !search->executable) ||
		    !find_image_tables(image, &tables))
			return 1;
		if (tables.hashes)
			search->symbol = find_by_name(search, image, &tables);
		if (!search->symbol)
			search->symbol = find_by_address(search, image, &tables);
		return 1;
	}
	return 0;
}

static struct search look_for(const char *name, uintptr_t address, bool code_only)
{
	struct search search = { .name = name,
				 .length = strcspn(name, "@"),
				 .address = address,
				 .code_only = code_only };

	each_image(look_into_image, &search);
	return search;
}

const ElfW(Sym) * find_image_symbol(const char *name, uintptr_t address)
{
	return look_for(name, address, false).symbol;
}

/* Where functions have descriptors, their symbols are at these: in data, and not where their code is. */
#ifdef DESCRIPTORS
#define FUNCTIONS_ARE_CODE false
#else
#define FUNCTIONS_ARE_CODE true
#endif

bool names_function(const char *name, uintptr_t address)
{
	struct search search = look_for(name, address, FUNCTIONS_ARE_CODE);
	bool data = !FUNCTIONS_ARE_CODE || (DATA_RUNS && search.writable);
	int unnamed = data ? STT_OBJECT : STT_FUNC;
	int type = search.symbol ? search.symbol->st_info & 0xf : unnamed;

	return (search.executable || !FUNCTIONS_ARE_CODE) &&
	       (type == STT_FUNC || type == STT_GNU_IFUNC);
}
