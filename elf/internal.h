/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Private to elf/: read it after link.h.
 *
 *     link.c     memory, errors, looking at it      header.c   what kind of file is it?
 *     object.c   reading one object                tables.c   its relocations, groups
 *     foreign.c  tables of other classes and byte orders
 *     archive.c  archives and their members        choose.c   which members are taken
 *     symbols.c  global names: who defines them    tls.c      thread-local variables
 *     layout.c   sections to regions               scan.c     what relocations need; refusals
 *     interval.c bases in reach                    relocate.c values, and writing them
 *     uses.c     who reaches what, and how         property.c what notes say that code is fit for
 *     indirect.c functions chosen at load time     version.c  names with "@" in them
 *     attributes.c how objects were made
 *     bounds.c   __start_NAME and __stop_NAME      debug.c    debug information
 *     exidx.c    arm's unwind information     saves.c    functions that save registers
 *     gc.c       dropping what nothing needs       script.c   scripts that name files
 *     arch/      the machines, see arch.h          machines.c all of them, by name
 *
 * An object is first READ, which checks what is in it and touches nothing else, and then ENTERED,
 * which makes its symbols known to the link.  Members of an archive may be read and never entered.
 *
 * Memory is taken from the link in pieces and freed with it as a whole.  What is read from a file
 * is not copied: names, contents and tables point into the caller's data; they may lie at any address,
 * so entries are fetched by memcpy().  Only tables that are not Elf64_* in this machine's order of
 * bytes are made so first (foreign.c), once.
 */
#ifndef ELF_INTERNAL_H
#define ELF_INTERNAL_H

#include "elf/arch.h"

#include <errno.h>
#include <string.h>

/* Which musl's <elf.h> has no names for. */
#ifndef R_AARCH64_IRELATIVE
#define R_AARCH64_IRELATIVE 1032
#endif
#ifndef R_390_IRELATIVE
#define R_390_IRELATIVE 61
#endif
#ifndef R_RISCV_IRELATIVE
#define R_RISCV_IRELATIVE 58
#endif
#ifndef EF_RISCV_RVE
#define EF_RISCV_RVE 0x0008
#endif
#ifndef R_SPARC_JMP_IREL
#define R_SPARC_JMP_IREL 248
#define R_SPARC_IRELATIVE 249
#endif

/* The block, and the per-CPU region, are smaller than this: so everything in one is in reach of
 * signed 32-bit fields in it. */
#define LINK_MOST ((uint64_t)1 << 31)
/* Of an address, what LINK_FROM_PAGE leaves out. */
#define LINK_PAGE_MASK ((uint64_t)4095)
/* The greatest alignment in the block: bytes. */
#define LINK_MOST_ALIGN ((uint64_t)1 << 21)

/* A name of a table; most are global symbols of the link. */
struct link_name {
	struct link_symbol symbol;   /* first: the public face */
	struct link_name *following; /* in the order in which they were added */
	struct link_name *upgraded;  /* see link_names.upgraded */
	bool live;		     /* COMMON, and something needs it: see gc.c */
};

struct link_slot {
	struct link_name *name; /* NULL: it is free */
	uint64_t hash;
};

/* Names by hash: a name is in the slot of its hash, or in one of those that follow without a gap.
 * Zeroed, it is empty.  It must stay where it is: see hash_name(). */
struct link_names {
	struct link_slot *slots; /* `size` of them, a power of two, or NULL; half are free */
	size_t size, count;
	struct link_name *first, *last;
	/* Symbols that were undefined and weak, and then strong or COMMON: a stack. */
	struct link_name *upgraded;
};

/* The relocations of one section that is loaded. */
struct link_table {
	struct link_section *section; /* that they change */
	const unsigned char *bytes;
	size_t count;
	bool bound; /* one may depend on where the block is; when scanned */
};

struct link_object {
	struct link *link;
	const char *name;
	const unsigned char *data;    /* the file */
	size_t size;		      /* bytes */
	const unsigned char *headers; /* of sections: Elf64_Shdr each */
	struct link_object *next;     /* in the link, in the order of linking */

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
	bool member;	 /* of an archive */
	bool data_based; /* its code counts from link->data_pointer what others' counts from the GOT */
	bool wants_address; /* its functions find their data by a register that has their address */
	bool sets_no_pointer; /* its code takes the GOT's address from a register that a program's start sets */
	uint64_t counted_from; /* the address that local distances from the GOT count from */
	const struct link_section *own_got; /* powerpc's .got2, or NULL */
	bool names_got;			    /* on powerpc: it refers to the link's GOT */
	struct link_mark *marks;	    /* by section; gc.c */
};

/* What link_add_cell() was asked for. */
struct link_cell {
	struct link_cell *next;
	const char *name;
	uint64_t size;
	struct link_symbol *symbol; /* NULL: nobody refers to it */
};

/* A member of an archive. */
struct link_member {
	size_t header;		   /* offset of its header in the archive */
	const unsigned char *data; /* NULL: in a file of its own, which nobody has read yet */
	size_t size;
	const char *name; /* not terminated */
	size_t name_size;
	size_t origin; /* in the archive that is called `name`: offset of its header; or 0 */
	struct link_object *object; /* when read, if it is one */
	struct link_names *real;    /* what it defines, not as COMMON; see choose.c */
	bool entered;
};

/* A line of an archive's index: a member defines a name. */
struct link_offer {
	struct link_archive *archive;
	struct link_offer *other; /* of the same name */
	size_t member;
	const struct link_symbol *symbol; /* of the link, when it was wanted */
	bool queued;
};

/* Numbers of offers, the lowest first. */
struct link_queue {
	size_t *heap; /* room for all offers */
	size_t count;
};

struct link_archive {
	struct link *link;
	const char *name;
	const unsigned char *data;
	size_t size;
	bool thin;
	bool first;		     /* no object and no other archive was given before it */
	bool used;		     /* a member was taken */
	struct link_member *members; /* by offset */
	size_t count;
	struct link_member special[3]; /* the index, its 64-bit form, and the long names */
	struct link_offer *offers;     /* in the order of the index */
	size_t offer_count;
	struct link_queue now, later; /* offers of what is wanted: see choose.c */
	size_t next;		      /* the offer behind the one that is looked at; 0: none is */
	struct link_archive *following;
};

struct link_memory; /* link.c */

/* A function that is chosen at load time (STT_GNU_IFUNC), defined in the link. */
struct link_indirect {
	struct link_indirect *next;
	struct link_symbol *symbol;
};

struct link_private {
	struct link_memory *memory;
	struct link_object *last;
	struct link_names globals;
	struct link_names bounded;  /* names of sections whose ends are asked for: see bounds.c */
	struct link_names groups;   /* signatures of COMDAT groups; symbol.object has the group */
	struct link_names linkonce; /* names of .gnu.linkonce.* sections, likewise */
	struct link_archive *archives, *last_archive; /* in the order in which they were given */
	struct link_names offered; /* what members of archives define; symbol.owner: the offers */
	struct link_names files;   /* that others name; symbol.owner: the data, symbol.size */
	unsigned int script_depth; /* of linker scripts that are being read */
	struct link_name *noticed; /* the last global name that choose.c has looked at */
	const struct link_symbol *root; /* of link_choose(), or NULL */
	struct link_cell *cells;
	struct link_section
		common; /* COMMON symbols; `value` is an alignment until link_layout() */
	struct link_section tls_common; /* those that are thread-local */
	struct link_section tls_begin;	/* has the symbol that stands for the link's own block */
	struct link_section cell;	/* all cells */
	struct link_section got;	/* of _GLOBAL_OFFSET_TABLE_: begins with the first slot */
	struct link_section **placed;	/* what is loaded, by region and then by offset */
	size_t placed_count;
	size_t lines;					  /* that were reported */
	bool relocated;					  /* without an error */
	struct link_indirect *indirects, **last_indirect; /* in the order in which they were met */
	struct link_tls *tls_block;			  /* that of link->tls without a symbol */
	uint32_t got_count, stub_count;
	bool paged;	      /* LINK_WANTS_PAGE */
	uint32_t value_count; /* relocations whose values may be anywhere, as of LINK_WANTS_VALUE */
	struct link_value *values; /* slots by what they have, which follow the others */
	uint64_t values_base;	   /* the link's base when they were used */
	uint32_t value_slots;	   /* places in `values`, a power of two */
	uint32_t value_most;	   /* slots that there are for them */
	uint32_t values_used;
	struct link_debug *debug; /* parts of debug information, a list */
	struct link_gap *gaps;	  /* in the index of unwind information: see exidx.c */
	size_t gap_count;
	bool got_based;	      /* something counts from the GOT's beginning */
	uint64_t got_offset;  /* in LINK_RODATA */
	uint64_t stub_offset; /* in LINK_TEXT */
};

/* What tables have. */
enum link_entry { LINK_HEADER, LINK_WORD, LINK_SYMBOL, LINK_RELA, LINK_REL };

/* A slot that is no symbol's: what it has. */
struct link_value {
	uint64_t value;
	uint32_t number; /* of the slot, from 0 */
	bool used;
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

void *link_allocate_array(struct link *link, size_t count, size_t size);
/* A copy of `size` bytes with a NUL behind them. */
char *link_copy_string(struct link *link, const char *string, size_t size);

/* Report a line, in which nothing is unprintable; returns `error`. */
__attribute__((cold, format(printf, 3, 4))) int link_fail(struct link *link, int error,
							  const char *format, ...);

/* Whether a line would be handed on: there are only so many of one link. */
bool link_is_heard(const struct link *link);

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
/* The header of a section whose contents, if it has any, lie in the file. */
int link_read_section_header(struct link_object *object, size_t index, Elf64_Shdr *header);
static inline bool link_is_common(const struct link *link, uint16_t index)
{
	return index == SHN_COMMON ||
	       (link->arch->large_common && index == link->arch->large_common);
}

/* A symbol of the table as it is in the file; *section is its section's index or SHN_*. */
static inline void link_get_symbol(const struct link_object *object, size_t index,
				   Elf64_Sym *symbol, uint32_t *section)
{
	memcpy(symbol, object->symbol_bytes + index * sizeof(*symbol), sizeof(*symbol));
	*section = symbol->st_shndx;
	if (symbol->st_shndx == SHN_XINDEX && object->index_bytes)
		memcpy(section, object->index_bytes + index * sizeof(*section), sizeof(*section));
}

/* Names may overlap, and then a small file can have enormously many long ones: before one is looked
 * up or handed out, count it against a limit that no honest file comes near. */
int link_count_name(struct link_object *object, const char *name);
/* Entries of a section that has contents; NULL after an error. */
const unsigned char *link_read_entries(struct link_object *object, size_t section,
				       enum link_entry kind, size_t *count);

/* ---- foreign.c ------------------------------------------------------------------------------ */

/* Bytes of an entry in the link's files. */
size_t link_entry_size(const struct link *link, enum link_entry kind);
/* The header of a file that is at least link_entry_size() bytes. */
void link_convert_header(const struct link_object *object, Elf64_Ehdr *header);
/* `count` entries as Elf64_Shdr, Elf64_Sym, Elf64_Rela or uint32_t of this machine: the bytes themselves
 * if they are so, and otherwise memory of the link; NULL without memory, which is reported. */
const unsigned char *link_convert(struct link *link, enum link_entry kind,
				  const unsigned char *bytes, size_t count);
/* Relocations of section `index` for section `target`, with addends wherever those are. */
const unsigned char *link_read_relocations(struct link_object *object, size_t index,
					   const struct link_section *target,
					   const unsigned char *data, size_t *count);

/* ---- tables.c ------------------------------------------------------------------------------- */

/* Mark members of COMDAT groups, and link-once sections, that the link has already. */
int link_enter_groups(struct link_object *object);
/* The section that this one is about, if it says so by SHF_LINK_ORDER; or NULL. */
struct link_section *link_subject(const struct link_section *section);
/* List the relocations of sections that are loaded. */
int link_read_tables(struct link_object *object);

static inline void link_get_entry(const struct link_table *table, size_t index, Elf64_Rela *entry)
{
	memcpy(entry, table->bytes + index * sizeof(*entry), sizeof(*entry));
}

/* The first table of a section's relocations; NULL: it has none. */
static inline const struct link_table *link_table_of(const struct link_section *section)
{
	return section->table ? &section->object->tables[section->table - 1] : NULL;
}

/* Whether a section is that of functions' descriptors. */
static inline bool link_has_descriptors(const struct link_section *section)
{
	const char *name = section->object ? section->object->link->arch->descriptors : NULL;

	return name && !strcmp(section->name, name);
}

/* ---- archive.c ------------------------------------------------------------------------------ */

bool link_is_archive(const unsigned char *data, size_t size);
int link_read_archive(struct link *link, const char *name, const unsigned char *data, size_t size,
		      struct link_archive **result);
/* Read a member, if it is an object at all: archives may hold anything. */
int link_read_member(const struct link_archive *archive, struct link_member *member);
/* List what the members define. */
int link_read_offers(struct link_archive *archive);
/* A file that the file `beside` names, `size` bytes of a path; it is read once.  The result has its
 * path, and as `owner` and `size` what is in it. */
int link_read_named(struct link *link, const char *beside, const char *name, size_t size,
		    struct link_symbol **file);

/* ---- script.c ------------------------------------------------------------------------------- */

bool link_is_script(const unsigned char *data, size_t size);
int link_add_script(struct link *link, const char *name, const unsigned char *data, size_t size);

/* ---- choose.c ------------------------------------------------------------------------------- */

/* Whether link.roots has the name of the symbol, or of the section. */
const struct link_root *link_root_symbol(const struct link *link, const char *name);
const struct link_root *link_root_section(const struct link_section *section);

/* ---- gc.c ----------------------------------------------------------------------------------- */

/* Discard the sections that nothing needs. */
int link_collect(struct link *link);

/* ---- symbols.c ------------------------------------------------------------------------------ */

/* Find a name, or add it: *added says which.  NULL: no memory, and reported. */
struct link_name *link_intern(struct link *link, struct link_names *names, const char *name,
			      bool *added);
struct link_symbol *link_find_name(const struct link_names *names, const char *name);
int link_enter_object(struct link_object *object);
/* Make it the last of the link's. */
void link_append_object(struct link_object *object);
/* How many symbols an object has at most. */
size_t link_most_symbols(const struct link *link);
/* What an object says of a global name; *known is the symbol that has the name in the link. */
int link_enter_name(struct link *link, const struct link_symbol *said, struct link_symbol **known);
bool link_is_common_symbol(const struct link_symbol *symbol);
/* Refuse what has no code, only what GCC keeps to optimise at link time. */
int link_fail_slim(struct link *link, const char *name);
/* "section" for a symbol that has its name from a section, otherwise "symbol". */
const char *link_symbol_word(const struct link_symbol *symbol);

/* ---- saves.c -------------------------------------------------------------------------------- */

/* Define functions of link_arch.saves that are asked for. */
int link_add_saves(struct link *link);

/* ---- property.c ----------------------------------------------------------------------------- */

/* Set link->features; when it is known which objects there are. */
void link_read_properties(struct link *link);

/* ---- attributes.c --------------------------------------------------------------------------- */

/* A number that the object's section of this type, of a machine's attributes, has for the whole file;
 * `none` if it does not tell. */
uint64_t link_attribute(const struct link_object *object, uint32_t type, const char *vendor,
			uint64_t number, uint64_t none);

/* Bytes of a stub. */
static inline uint64_t link_stub_size(const struct link *link)
{
	return link->features & LINK_IBT ? link->arch->marked_stub_bytes : link->arch->stub_bytes;
}

/* Where in its section a function's code begins: see link_arch.code_bit. */
static inline uint64_t link_code_value(const struct link *link, uint8_t type, uint64_t value)
{
	return type == STT_FUNC || type == STT_GNU_IFUNC ? value & ~(uint64_t)link->arch->code_bit
							 : value;
}

/* ---- layout.c ------------------------------------------------------------------------------- */

/* Set section->region by name and flags. */
int link_choose_region(struct link_section *section);

/* Append `size` bytes to a region; *offset is where. */
int link_append(struct link *link, enum link_region region, uint64_t size, uint64_t align,
		uint64_t *offset);

/* ---- exidx.c -------------------------------------------------------------------------------- */

/* Whether it is a part of the index of unwind information, and has its region. */
bool link_is_index(const struct link_section *section);
/* How many follow each other in what is placed, from `first` on. */
size_t link_count_index(const struct link *link, size_t first);
/* Bring them into the order of what they are about. */
int link_order_index(struct link *link);
/* Place all of them; sections of LINK_TEXT have their places, others are in order. */
int link_place_index(struct link *link, struct link_section **sections, size_t count);
/* Write the entries that no object has. */
void link_write_index(struct link *link);

/* ---- version.c ------------------------------------------------------------------------------ */

/* What a name with "@@" in it stands for besides itself; NULL for other names. */
int link_version_names(struct link *link, const char *name, const char *names[2]);
/* Let a definition serve those who ask for one of them. */
int link_enter_versions(struct link *link, const struct link_symbol *definition);

/* ---- indirect.c ----------------------------------------------------------------------------- */

/* Whether a symbol lies at a constant distance from the block's base, and nothing is special about it:
 * most do. */
static inline bool link_is_plain(const struct link_symbol *symbol)
{
	const struct link_section *section = symbol->section;

	return section && section->region <= LINK_INIT_DATA && !section->discarded &&
	       symbol->type <= STT_COMMON;
}

static inline bool link_is_indirect(const struct link_symbol *symbol)
{
	return symbol->type == STT_GNU_IFUNC && symbol->section;
}

/* Give an IFUNC its stub, and that a slot of its own; again is nothing. */
int link_want_indirect(struct link *link, struct link_symbol *symbol);
/* The same for all global ones, which others can look up. */
int link_scan_indirects(struct link *link);
/* Write the stubs. */
int link_write_indirects(struct link *link);

/* ---- bounds.c ------------------------------------------------------------------------------- */

/* The section whose beginning or end an undefined symbol asks for; NULL for others. */
const char *link_bounded_name(const struct link_symbol *symbol);
/* Which sections' ends are asked for; before they are ordered. */
int link_list_bounds(struct link *link);
/* Bring them together in the order, and define the symbols. */
int link_gather_bounds(struct link *link);

/* ---- scan.c --------------------------------------------------------------------------------- */

/* Check all relocations and find out which symbols need what. */
int link_scan(struct link *link);
/* A function that code of `object` calls though no relocation names it. */
int link_want_function(struct link *link, struct link_object *object, const char *name);

/* ---- tls.c ---------------------------------------------------------------------------------- */

static inline bool link_is_tls_symbol(const struct link_symbol *symbol)
{
	return symbol->section ? symbol->section->flags & SHF_TLS : symbol->type == STT_TLS;
}

static inline bool link_is_tls_kind(enum link_kind kind)
{
	return kind >= LINK_TLS_GENERAL && kind <= LINK_TLS_MODULE;
}

/* Define what stands for the link's own block, if code names it. */
void link_define_tls_begin(struct link *link);
/* Refuse what mixes thread-local variables with others. */
int link_check_tls(struct link *link, const struct link_relocation *relocation);
/* Note what a relocation of these kinds wants. */
int link_want_tls(struct link *link, const struct link_relocation *relocation);
/* What its value is made of in place of S or G, after the slot was written. */
uint64_t link_tls_target(struct link *link, const struct link_relocation *relocation);

/* ---- relocate.c ----------------------------------------------------------------------------- */

typedef int link_visitor(struct link *link, const struct link_relocation *relocation, void *arg);

/* Visit every relocation of a table that has something to do, until one is not 0. */
int link_each_of_table(struct link_object *object, const struct link_table *table,
		       link_visitor *visit, void *arg);
/* Numbers in the order of bytes that the machine has. */
uint64_t link_get(const struct link_arch *arch, const unsigned char *field, size_t bytes);
void link_put(const struct link_arch *arch, unsigned char *field, size_t bytes, uint64_t value);
/* What a field holds, and what it will of a value; see link_relocation_type. */
uint64_t link_get_field(const struct link_arch *arch, const struct link_relocation_type *type,
			const unsigned char *field);
uint64_t link_shift(const struct link_relocation_type *type, int64_t value);
/* Nothing is checked. */
void link_put_field(const struct link_arch *arch, const struct link_relocation_type *type,
		    unsigned char *field, int64_t value);
/* The same, but what does not fit is refused. */
int link_write_value(struct link *link, const struct link_relocation *relocation,
		     unsigned char *field, int64_t value);
/* Do what a relocation that is not LINK_SPECIAL says, for architectures that make one. */
int link_apply(struct link *link, const struct link_relocation *relocation, unsigned char *field,
	       uint64_t at);
/* The value of one, which nobody has checked for its field. */
int64_t link_value(struct link *link, const struct link_relocation *relocation,
		   unsigned char *field, uint64_t at);
/* What becomes of S + A, if what the field has counts too. */
uint64_t link_combine(const struct link_arch *arch, const struct link_relocation_type *type,
		      const unsigned char *field, uint64_t value);
/* Never LINK_FROM_KIND. */
enum link_from link_counts_from(const struct link_relocation_type *type);
/* What code takes for the GOT's address. */
uint64_t link_got_pointer(const struct link *link);
/* link_pointer(), and write what it leads to. */
uint64_t link_use_pointer(struct link *link, const struct link_symbol *symbol);
/* Fill in the symbol's slot, and tell its address; likewise its stub, which uses the slot. */
uint64_t link_use_slot(struct link *link, struct link_symbol *symbol);
int link_use_stub(struct link *link, const struct link_relocation *relocation, uint64_t *address);
/* Write the distance of a slot from the GOT's pointer: of one that has the value, see LINK_WANTS_PAGE, or of
 * the symbol's (NULL). */
int link_write_distance(struct link *link, const struct link_relocation *relocation,
			unsigned char *field, const uint64_t *value);
/* The least and greatest value of a field; false: everything fits. */
bool link_fit_range(const struct link_relocation_type *type, int64_t *least, int64_t *greatest);
/* Report "FILE: section NAME+0x12: relocation TYPE against symbol NAME" and what follows. */
__attribute__((cold, format(printf, 4, 5))) int
link_fail_relocation(struct link *link, int error, const struct link_relocation *relocation,
		     const char *format, ...);

/* Whether one field has an address or a distance, not parts of it that belong together. */
bool link_is_whole(const struct link_relocation_type *type);
/* Whether the symbol's stub serves as well as the symbol. */
bool link_may_use_stub(const struct link_relocation *relocation);
/* Whether it goes to a function of another object of the link which wants its address in a register; code
 * of its own object knows better. */
bool link_enters_by_address(const struct link_relocation *relocation);
/* Slots by number, the first is 0. */
void link_write_slot(struct link *link, uint32_t number, uint64_t value);

#endif
