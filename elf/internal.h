/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Private to elf/: read it after link.h.
 *
 *     link.c     memory, errors, looking at it      header.c   what kind of file is it?
 *     object.c   reading one object                tables.c   its relocations, groups
 *     archive.c  which members are taken           symbols.c  global names: who defines them
 *     layout.c   sections to regions               scan.c     what relocations need; refusals
 *     interval.c bases in reach                    relocate.c values, and writing them
 *     uses.c     who reaches what, and how
 *     arch/      one file per machine
 *
 * An object is first READ, which checks what is in it and touches nothing else, and then ENTERED,
 * which makes its symbols known to the link.  Members of an archive may be read and never entered.
 *
 * Memory is taken from the link in pieces and freed with it as a whole.  What is read from a file
 * is not copied: names, contents and tables point into the caller's data, or into libelf's copy if
 * that had to convert; they may lie at any address, so entries are fetched by memcpy().
 */
#ifndef ELF_INTERNAL_H
#define ELF_INTERNAL_H

#include "elf/link.h"

#include <elf.h>
#include <errno.h>
#include <libelf.h>
#include <gelf.h>
#include <string.h>

/* The block, and the per-CPU region, are smaller than this: so everything in one is in reach of
 * signed 32-bit fields in it. */
#define LINK_MOST ((uint64_t)1 << 31)

/* A name of a table; most are global symbols of the link. */
struct link_name {
	struct link_symbol symbol;   /* first: the public face */
	struct link_name *following; /* in the order in which they were added */
	struct link_name *upgraded;  /* see link_names.upgraded */
	uint32_t hash;
};

/* Names by hash.  Zeroed, it is empty.  It must stay where it is: see hash_name(). */
struct link_names {
	struct link_symbol **bucket; /* `size` of them, a power of two, or NULL */
	size_t size, count;
	struct link_name *first, *last;
	/* Symbols that were undefined and weak, and then undefined and strong: a stack. */
	struct link_name *upgraded;
};

/* The relocations of one section that is loaded. */
struct link_table {
	struct link_section *section; /* that they change */
	const unsigned char *bytes;
	size_t count;
};

struct link_object {
	struct link *link;
	const char *name;
	const unsigned char *data;   /* the file */
	size_t size;		     /* bytes */
	Elf *elf;		     /* owns converted tables */
	struct link_object *next;    /* in the link, in the order of linking */
	struct link_object *created; /* the object that was read before this one, entered or not */

	struct link_section *sections; /* by index; [0] is the null section */
	size_t section_count;
	size_t symbol_section;		   /* index of the symbol table's, 0: there is none */
	const unsigned char *symbol_bytes; /* Elf64_Sym each */
	const unsigned char *index_bytes;  /* SHT_SYMTAB_SHNDX: uint32_t each, or NULL */
	const char *strings;		   /* of the symbol table */
	size_t strings_size;
	size_t symbol_count, local_count; /* local ones come first */
	size_t names_left;		  /* bytes; see link_count_name() */
	struct link_symbol **symbols; /* by index, [0] is an undefined local one; when entered */
	struct link_symbol **defined; /* what link_object_symbol() shows; when laid out */
	size_t defined_count;
	struct link_table *tables; /* when entered */
	size_t table_count;
};

/* What link_add_cell() was asked for. */
struct link_cell {
	struct link_cell *next;
	const char *name;
	uint64_t size;
	struct link_symbol *symbol; /* NULL: nobody refers to it */
};

struct link_memory; /* link.c */

struct link_private {
	struct link_memory *memory;
	struct link_object *last, *created;
	struct link_names globals;
	struct link_names groups; /* signatures of COMDAT groups; symbol.object has the group */
	struct link_cell *cells;
	struct link_section
		common;		  /* COMMON symbols; `value` is an alignment until link_layout() */
	struct link_section cell; /* all cells */
	struct link_section **placed; /* what is loaded, by region and then by offset */
	size_t placed_count;
	size_t lines;	/* that were reported */
	bool relocated; /* without an error */
	uint32_t got_count, stub_count;
	uint64_t got_offset;  /* in LINK_RODATA */
	uint64_t stub_offset; /* in LINK_TEXT */
};

/* A relocation with all that it refers to. */
struct link_relocation {
	const struct link_relocation_type *type;
	uint32_t number; /* of the type */
	struct link_object *object;
	struct link_section *section;
	struct link_symbol *symbol;
	uint64_t offset; /* in the section */
	int64_t addend;
};

/* ---- link.c --------------------------------------------------------------------------------- */

/* Zeroed memory that lives as long as the link; NULL, and -ENOMEM is reported. */
void *link_allocate(struct link *link, size_t size);
void *link_allocate_array(struct link *link, size_t count, size_t size);
/* A copy of `size` bytes with a NUL behind them. */
char *link_copy_string(struct link *link, const char *string, size_t size);

/* Report a line, in which nothing is unprintable; returns `error`. */
__attribute__((cold, format(printf, 3, 4))) int link_fail(struct link *link, int error,
							  const char *format, ...);

/* After an error that leaves the rest sound: 0 if the caller wants to know what else there is. */
int link_pass(struct link *link, int error);

static inline uint64_t link_page_size(const struct link *link)
{
	return link->page_size ? link->page_size : 4096;
}

/* Round up; 2^64 and more becomes 0, so check sizes before. */
static inline uint64_t link_align(uint64_t value, uint64_t align)
{
	return (value + align - 1) & ~(align - 1);
}

/* ---- header.c, object.c --------------------------------------------------------------------- */

/* Whether the file is a relocatable object for the link's machine; says nothing about the rest. */
bool link_is_object(const struct link *link, const unsigned char *data, size_t size);
/* Whether it is LLVM bitcode. */
bool link_is_bitcode(const unsigned char *data, size_t size);
/* Refuse what is no relocatable object for the link's machine; *names is the section of the
 * sections' names. */
int link_check_header(struct link_object *object, size_t *names);

int link_read_object(struct link *link, const char *name, const unsigned char *data, size_t size,
		     struct link_object **result);
/* libelf's header of a section whose contents, if it has any, lie in the file. */
int link_read_section_header(struct link_object *object, size_t index, GElf_Shdr *header);
/* A symbol of the table as it is in the file; *section is its section's index or SHN_*. */
void link_get_symbol(const struct link_object *object, size_t index, Elf64_Sym *symbol,
		     uint32_t *section);
/* Names may overlap, and then a small file can have enormously many long ones: before one is looked
 * up or handed out, count it against a limit that no honest file comes near. */
int link_count_name(struct link_object *object, const char *name);
/* Entries of a section as libelf hands them out, `entry` bytes each; NULL after an error. */
const unsigned char *link_read_entries(struct link_object *object, size_t section, size_t entry,
				       size_t *count);

/* ---- tables.c ------------------------------------------------------------------------------- */

/* Mark members of COMDAT groups that the link has already. */
int link_enter_groups(struct link_object *object);
/* List the relocations of sections that are loaded. */
int link_read_tables(struct link_object *object);

static inline void link_get_entry(const struct link_table *table, size_t index, Elf64_Rela *entry)
{
	memcpy(entry, table->bytes + index * sizeof(*entry), sizeof(*entry));
}

/* ---- archive.c ------------------------------------------------------------------------------ */

bool link_is_archive(const unsigned char *data, size_t size);
int link_add_archive(struct link *link, const char *name, const unsigned char *data, size_t size,
		     const char *root);

/* ---- symbols.c ------------------------------------------------------------------------------ */

/* Find a name, or add it: *added says which.  NULL: no memory, and reported. */
struct link_name *link_intern(struct link *link, struct link_names *names, const char *name,
			      bool *added);
struct link_symbol *link_find_name(const struct link_names *names, const char *name);
int link_enter_object(struct link_object *object);
/* "section" for a symbol that has its name from a section, otherwise "symbol". */
const char *link_symbol_word(const struct link_symbol *symbol);

/* ---- layout.c ------------------------------------------------------------------------------- */

/* Set section->region by name and flags. */
int link_choose_region(struct link_section *section);

/* ---- scan.c --------------------------------------------------------------------------------- */

/* Check all relocations and find out which symbols need what. */
int link_scan(struct link *link);

/* ---- relocate.c ----------------------------------------------------------------------------- */

/* Visit every relocation of loaded sections that has something to do, until one is not 0. */
int link_each_relocation(struct link *link,
			 int (*visit)(struct link *link, const struct link_relocation *relocation,
				      void *arg),
			 void *arg);
/* The least and greatest value of a field; false: everything fits. */
bool link_fit_range(const struct link_relocation_type *type, int64_t *least, int64_t *greatest);
/* Report "FILE: section NAME+0x12: relocation TYPE against symbol NAME" and what follows. */
__attribute__((cold, format(printf, 4, 5))) int
link_fail_relocation(struct link *link, int error, const struct link_relocation *relocation,
		     const char *format, ...);

/* Whether the symbol's stub serves as well as the symbol. */
bool link_may_use_stub(const struct link_relocation *relocation);

#endif
