/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Linking relocatable objects for a place in memory.  The header of this folder: read it first.
 *
 * A `struct link` takes objects (or archives of them), finds out who defines and who needs which
 * symbol, lays the sections out, tells from which addresses everything that they refer to is in
 * reach, and then writes the relocated bytes into buffers.  Buffer and target address are two
 * things: what is linked need not run on this machine, and this folder knows nothing of modules.
 *
 *     link_new -> link_add_input ... -> link_choose -> link_layout -> link_define (each undefined symbol)
 *              -> set percpu_address -> link_interval -> set base and buffers
 *              -> link_relocate_tls, fill in what link->tls wants -> link_relocate
 *
 * All regions but those of per-CPU and of thread-local variables form one block; each begins on a
 * page of its own, unless the caller puts them elsewhere after link_interval():
 *
 *     base +----------+----------+------------------+--------+-----------+-------------+-----------+
 *          | text r-x | rodata r | ro after init rw | data rw| init text | init rodata | init data |
 *          +----------+----------+------------------+--------+-----------+-------------+-----------+
 *            stubs      GOT slots                               these three go when init has run
 *
 * Input is untrusted.  What the functions here hand out has been checked: indices are in range,
 * strings end, contents lie in the file, alignments are powers of two, relocations lie in their
 * sections.
 *
 * Errors: a negative errno (-ENOEXEC for anything wrong with a file, -ENOMEM, -ERANGE out of
 * reach, -EEXIST symbol defined twice), after the line was handed to `report`.
 */
#ifndef ELF_LINK_H
#define ELF_LINK_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link;
struct link_object;
struct link_arch; /* elf/arch.h */

/* Where a section goes, by its flags and name. */
enum link_region {
	LINK_TEXT,
	LINK_RODATA,
	LINK_RO_AFTER_INIT,
	LINK_DATA,
	LINK_INIT_TEXT,
	LINK_INIT_RODATA,
	LINK_INIT_DATA,
	LINK_PERCPU, /* .data.percpu*, .data..percpu*, pcpu_data; not in the block */
	LINK_TLS,    /* SHF_TLS: what each thread has a copy of; not in the block */
	LINK_RSEQ,   /* __rseq_cs: descriptors of restartable sequences; not in the block */
	LINK_REGIONS,
	LINK_NONE, /* not loaded: debug information, notes, groups, and what has no SHF_ALLOC */
};

/* A section of an object; owned by the object. */
struct link_section {
	struct link_object *object;
	const char *name;
	unsigned int index;	   /* in the object's section table */
	uint32_t type;		   /* SHT_* */
	uint64_t flags;		   /* SHF_* */
	uint64_t size;		   /* bytes */
	uint64_t align;		   /* bytes, a power of two, at least 1 */
	const unsigned char *data; /* the file's bytes; NULL for SHT_NOBITS */
	enum link_region region;
	uint64_t offset; /* from the start of its region, bytes; after link_layout() */
	bool discarded;	 /* another object brought it first, or nobody needs it */
	uint32_t table;	 /* number of the table of its relocations + 1, or 0 */
};

/* A symbol.  Local ones and definitions belong to an object; a global name has one such structure
 * for the whole link, whoever refers to it. */
struct link_symbol {
	const char *name;
	struct link_object *object;   /* that defines it, or the first that refers to it */
	struct link_section *section; /* NULL: undefined, absolute or external */
	uint64_t value; /* offset in the section, or the absolute or external address */
	uint64_t size;	/* bytes, as the symbol table says */
	uint8_t type, bind, visibility; /* STT_*, STB_*, STV_* */
	uint8_t other;			/* st_other of the definition: machines have bits there */
	bool defined;			/* in the link, or by link_define() */
	bool external;			/* by link_define() */
	bool narrow;			/* an absolute relocation of few bits refers to it */
	bool function;			/* external and a function: may be reached through a stub */
	bool needed;			/* a relocation refers to it */
	bool direct;		  /* one uses its address itself: neither a branch nor a GOT slot */
	uint32_t told;		  /* type + 1 of the last relocation against it that was reported */
	uint32_t note;		  /* the caller's */
	uint32_t got;		  /* slot number + 1, or 0 */
	uint32_t stub;		  /* stub number + 1, or 0 */
	uint32_t resolved;	  /* of an IFUNC: number + 1 of the slot that its stub uses; or 0 */
	bool got_used, stub_used; /* by link_relocate() */
	struct link_tls *tls;	  /* how code reaches it as a thread-local variable, or NULL */
	void *owner;		  /* the caller's, for external symbols */
};

/*
 * How code reaches a thread-local variable, and where the caller says that it is.  All forms of one
 * variable may occur; each has slots of its own among those of the GOT.
 */
#define LINK_TLS_BY_MODULE 1U /* module and offset: arguments of __tls_get_addr() */
#define LINK_TLS_BY_OFFSET 2U /* the distance from the thread pointer, the same in all threads */
#define LINK_TLS_BY_DESCRIPTOR 4U /* a function that is called with its descriptor */

struct link_tls {
	struct link_tls *next;
	struct link_symbol *symbol; /* NULL: the link's own block, for local dynamic */
	unsigned int wanted;	    /* LINK_TLS_BY_* */
	uint32_t module_slot, offset_slot, descriptor_slot; /* number + 1, or 0; see got */
	/* The caller's to fill in before link_relocate(), as far as it is wanted. */
	uint64_t module;	/* its number */
	uint64_t offset;	/* in the module's block, bytes */
	uint64_t thread_offset; /* from the thread pointer, bytes */
	uint64_t descriptor[2];
};

/* What code can be fit for, as notes tell (elf/property.c). */
#define LINK_IBT 1U   /* targets of indirect branches are marked */
#define LINK_SHSTK 2U /* a shadow stack knows where functions return to */

/* A part of the block; see the drawing.  Regions from LINK_PERCPU on have no offset.  Of LINK_TLS,
 * `size` is what each thread has, and the buffer has tls_initial_size bytes. */
struct link_part {
	uint64_t offset; /* from the block's base, bytes: whole pages, or as the caller puts it */
	uint64_t size;	 /* bytes */
	uint64_t filled; /* bytes, to the end of the last section with contents */
	uint64_t align;	 /* bytes; what its sections need */
	unsigned char *buffer; /* the caller's, `size` bytes; filled by link_relocate() */
	bool zeroed;	       /* by the caller: what is zero is not written, and costs no memory */
};

/* One end of the interval: the relocation that sets it.  symbol is NULL if nothing does. */
struct link_bound {
	uint64_t base; /* lowest or highest base that is good (inclusive) */
	const struct link_symbol *symbol;
	const struct link_section *section; /* of the relocation */
	uint64_t offset;		    /* in that section */
	uint64_t target;  /* what is referred to, as far as one can tell: bytes behind the symbol */
	const char *type; /* "R_X86_64_PC32" */
};

struct link_interval {
	struct link_bound low, high; /* empty if low.base > high.base */
};

/* Sections that tell unwinders of functions, and the bytes for the marks that end two tables. */
#define LINK_FRAMES ".eh_frame"
#define LINK_FRAMES_ROOM 8
/* What belongs to the result though nobody refers to it: a symbol of this name, or all sections
 * whose names begin so. */
struct link_root {
	const char *name;
	bool section;
	bool entry; /* what others use is here: other global symbols are no roots of gc_sections */
};

/* The state of one link.  Fields up to the blank line are the caller's to set. */
struct link {
	void (*report)(void *arg, const char *format, va_list args); /* one line, no newline */
	void *report_arg;
	/* After an error that leaves the rest sound report it and go on, up to link_layout(), which then
	 * returns 0: so all that is wrong with the files comes to light.  `flaw` tells. */
	bool keep_going;
	/* Read a file that the input called `by`, a thin archive or a linker script, names; reports
	 * its errors.  The data must live as long as the link.  NULL: such inputs are refused. */
	int (*read_file)(void *arg, const char *by, const char *path, const void **data,
			 size_t *size);
	void *read_file_arg;
	const struct link_root *roots;
	size_t num_roots;
	bool whole_archives;	 /* take all members */
	bool gc_sections;	 /* drop sections that nothing needs: see gc.c */
	uint64_t page_size;	 /* bytes; 4096 if 0 */
	uint64_t large_page;	 /* of text that fills half of one, or more; bytes, 0: none */
	uint64_t base;		 /* address of the block */
	uint64_t percpu_address; /* of the per-CPU region: a cookie */
	uint64_t rseq_address;	 /* of region LINK_RSEQ; 0: not known yet, and bounds nothing */
	/* This process is to run it, in which compilers for programs take a register to have this address;
	 * functions get what link_pointer() tells. */
	bool hosted;
	uint64_t data_pointer;

	int flaw; /* the first error that was passed over, and why nothing can be relocated; or 0 */
	const struct link_arch *arch;
	struct link_part part[LINK_REGIONS];
	uint64_t block_size;  /* bytes, whole pages, without LINK_PERCPU */
	uint64_t block_align; /* bytes; at least a page */
	bool spanned; /* code jumps by the low bits of addresses: its parts may not lie across what those count */
	bool close; /* code reaches data from the GOT by few bits: its parts may not lie apart */
	uint64_t init_offset; /* where the init regions begin in the block; block_size if none */
	/* The unwind information, from the first to the last of the sections called LINK_FRAMES, in
	 * LINK_RODATA; LINK_FRAMES_ROOM bytes of zero follow. */
	uint64_t frames_offset, frames_size;
	/* The index of unwind information that is a table in the order of addresses (arm's .ARM.exidx), in
	 * LINK_RODATA. */
	uint64_t index_offset, index_size;
	uint64_t tls_initial_size; /* bytes of LINK_TLS with contents; they come first */
	struct link_tls *tls;	 /* thread-local variables that code refers to, own and external */
	uint64_t tls_debug_base; /* what debug information has for offset 0 of the module's block */
	uint32_t features;	 /* LINK_IBT, LINK_SHSTK: what all objects are fit for; laid out */
	struct link_object *objects; /* list, in the order of linking */
	bool unasked;		     /* members of archives were taken that nobody needed */
	/* private to elf/ from here: hash table, slots, stubs, cells, memory */
	struct link_private *private;
};

/* Make an empty link for the machine that this program runs on.  NULL: no memory. */
struct link *link_new(void (*report)(void *arg, const char *format, va_list args),
		      void *report_arg);

/* The same for any machine: see elf/machines.h. */
struct link *link_new_for(const struct link_arch *arch,
			  void (*report)(void *arg, const char *format, va_list args),
			  void *report_arg);

/* Free it with everything that it handed out. */
void link_free(struct link *link);

/* Let the link use memory of the caller's first: zeroed, aligned as malloc()'s, and there as long as the
 * link. */
void link_lend_memory(struct link *link, void *memory, size_t size);

/* Zeroed memory that lives as long as the link; NULL, and -ENOMEM is reported. */
void *link_allocate(struct link *link, size_t size);

/*
 * Add an object, or an archive, of which link_choose() takes what is wanted, or a linker script that
 * only names such files, as Debian's libm.a does.  `data` stays the caller's and must live as long
 * as the link.  `name` (copied) is for messages; a member of an archive is called "name(member)".
 * Of a thin archive or a script, `name` must be the path.
 */
int link_add_input(struct link *link, const char *name, const void *data, size_t size);

/*
 * Take members of the archives: those that define what the link lacks, and so on, as ld does it
 * with a group of archives; the order of archives counts, not that of archives and objects.  This
 * begins with `root`, if it is not NULL, and with the objects.  Where an archive is the first input
 * and `root` is NULL, it begins with those of its members that have one of `roots`, or all if none
 * has.  -ENOENT if nobody defines `root`.
 */
int link_choose(struct link *link, const char *root);

/* link_add_input() and link_choose(). */
int link_add_memory(struct link *link, const char *name, const void *data, size_t size,
		    const char *root);

/* Let undefined references to `name` find `size` bytes in LINK_RODATA that the caller fills in by
 * link_cell() before link_relocate(); before link_layout().  Nothing is reserved if nobody refers
 * to the name, or an object defines it. */
int link_add_cell(struct link *link, const char *name, size_t size);

/* The target address of a cell, 0 if it is not there; *bytes its place in the buffer. */
uint64_t link_cell(struct link *link, const char *name, unsigned char **bytes);

/* Settle the symbols between the objects, drop duplicate COMDAT groups, give every section its
 * region and offset, and count GOT slots and stubs.  Unknown relocations are refused here. */
int link_layout(struct link *link);

/* What a part takes of the block: bytes.  If its alignment is more than a page, it is of its address. */
uint64_t link_part_extent(const struct link *link, enum link_region region);

/* The global symbols that relocations need and nobody has defined: the first for NULL, then the
 * next; NULL at the end. */
struct link_symbol *link_next_undefined(struct link *link, struct link_symbol *previous);

/* All global symbols that are defined in the link's sections (or absolute), in no order. */
struct link_symbol *link_next_defined(struct link *link, struct link_symbol *previous);

/* Say where an undefined symbol is; of a thread-local variable the address is its offset in its block,
 * and the rest of symbol->tls is to be filled in. */
void link_define(struct link_symbol *symbol, uint64_t address, bool function);

/* A global symbol by name, defined or not; NULL if there is none. */
struct link_symbol *link_find(struct link *link, const char *name);

/* Local and global symbols of an object that are defined in it; `index` from 0, NULL at the end. */
struct link_symbol *link_object_symbol(struct link_object *object, unsigned int index);

/* How many these are. */
size_t link_object_symbols(const struct link_object *object);

/* Where an object has the names of its symbols, `size` bytes; most symbols that it defines have theirs
 * there. */
const char *link_object_strings(const struct link_object *object, size_t *size);

/* What is loaded, by region and then by offset; after link_layout(). */
struct link_section *const *link_placed_sections(const struct link *link, size_t *count);

/* An object's sections from index 0 of its table; NULL at the end. */
struct link_section *link_object_section(struct link_object *object, unsigned int index);

/* Names come from files that nobody has looked at: make a message with some one harmless line.  Lines
 * that are handed to `report` are so already. */
void link_keep_one_line(char *text);

const char *link_object_name(const struct link_object *object);
struct link_object *link_object_next(const struct link_object *object);

/* The first section of this name that is loaded or not, in any object after `previous`. */
struct link_section *link_next_section(struct link *link, const char *name,
				       struct link_section *previous);

/* From which bases is everything in reach?  Calls and GOT loads never narrow it, nor do relocations
 * to functions: those can go through stubs and slots.  Returns 0 also for an empty interval. */
int link_interval(struct link *link, struct link_interval *interval);

/* Where a symbol or section is in the target; base and percpu_address must be set.  What is in
 * LINK_TLS has an offset there instead.  An IFUNC is where its stub is, whoever asks: that jumps to
 * what the resolver chose. */
uint64_t link_symbol_address(const struct link *link, const struct link_symbol *symbol);
uint64_t link_section_address(const struct link *link, const struct link_section *section);

/* What a pointer to a symbol is: its address, or that of a function's descriptor.  Global functions of a
 * hosted link have such, others if a relocation asks for it. */
uint64_t link_pointer(const struct link *link, const struct link_symbol *symbol);

/* Where the code is of a function whose symbol is at its descriptor; false: the symbol is at none.  And
 * where that is in the target: for others the symbol's address. */
bool link_find_code(const struct link *link, const struct link_symbol *symbol,
		    const struct link_section **section, uint64_t *offset);
uint64_t link_code_address(const struct link *link, const struct link_symbol *symbol);

/* A section's bytes in the caller's buffer; NULL if its region has none. */
unsigned char *link_section_buffer(const struct link *link, const struct link_section *section);

/* The same as link_relocate() for LINK_TLS alone, which needs nothing of link->tls. */
int link_relocate_tls(struct link *link);

/* Copy all sections into the buffers (which need not be zero), fill slots, stubs and relocations
 * for the target addresses.  -ERANGE names section, symbol, value and bound. */
int link_relocate(struct link *link);

/* How code reaches what a relocation names. */
enum link_way {
	LINK_WAY_NONE,	  /* nothing is relocated as yet */
	LINK_WAY_DIRECT,  /* the value is in the code or data itself */
	LINK_WAY_RELAXED, /* the same, where the object's code loads it from a slot */
	LINK_WAY_SLOT,
	LINK_WAY_STUB,
	LINK_WAY_TLS_MODULE,	 /* by slots; see link_tls.wanted */
	LINK_WAY_TLS_OWN_MODULE, /* by those of the link's own block, whatever the symbol */
	LINK_WAY_TLS_OFFSET,
	LINK_WAY_TLS_DESCRIPTOR,
	LINK_WAYS,
};

/* A relocation, for those who want to look at it. */
struct link_use {
	struct link_symbol *symbol;
	const struct link_section *section;
	uint64_t offset;  /* in the section */
	const char *type; /* "R_X86_64_PC32" */
	enum link_way way;
	bool call; /* a branch, which a stub would serve too */
};

/* Visit all relocations of what is loaded, after link_layout(). */
void link_each_use(struct link *link, void (*visit)(void *arg, const struct link_use *use),
		   void *arg);

/* Where slots and stubs are; base must be set.  Slots are counted from 0; the symbol has one. */
uint64_t link_slot_address(const struct link *link, uint32_t number);
uint64_t link_got_address(const struct link *link, const struct link_symbol *symbol);
uint64_t link_stub_address(const struct link *link, const struct link_symbol *symbol);

/* Whether the link has functions that are chosen at load time. */
bool link_has_indirects(const struct link *link);

/* Visit the IFUNCs of the link, until one is not 0, and call the resolver of each, when the buffers are
 * relocated and the text can run; tell what it returned before LINK_RODATA is made read-only. */
int link_each_indirect(struct link *link,
		       int (*visit)(struct link *link, struct link_symbol *symbol, void *arg),
		       void *arg);
uint64_t link_resolver_address(const struct link *link, const struct link_symbol *symbol);
void link_set_resolved(struct link *link, const struct link_symbol *symbol, uint64_t address);

/*
 * Debug information, for whoever shows it to a debugger.  All sections of one name form a part.
 */
struct link_debug {
	const char *name; /* ".debug_info" */
	uint64_t size;	  /* bytes, not compressed */
	uint64_t align;	  /* bytes */
	struct link_debug *next;
	struct link_debug_piece *first, **last; /* private to elf/ */
};

/* Find it; after link_layout().  0 also if there is none; -ENOMEM, or -ENOEXEC without a line if it
 * can't be understood: then there is none. */
int link_read_debug(struct link *link);

/* The first part for NULL, then the next; NULL at the end. */
const struct link_debug *link_next_debug(const struct link *link,
					 const struct link_debug *previous);

/* Write a part, `size` bytes, for the target addresses; `init_gone`: what init alone needed is no
 * more.  0, or -ENOEXEC without a line. */
int link_relocate_debug(const struct link *link, const struct link_debug *part,
			unsigned char *buffer, bool init_gone);

#endif
