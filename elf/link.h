/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Linking relocatable objects for a place in memory.  The header of this folder: read it first.
 *
 * A `struct link` takes objects (or archives of them), finds out who defines and who needs which
 * symbol, lays the sections out, tells from which addresses everything that they refer to is in
 * reach, and then writes the relocated bytes into buffers.  Buffer and target address are two
 * things: what is linked need not run on this machine, and this folder knows nothing of modules.
 *
 *     link_new -> link_add_memory ... -> link_layout -> link_define (each undefined symbol)
 *              -> set percpu_address -> link_interval -> set base and buffers -> link_relocate
 *
 * All regions but that of per-CPU variables form one block; each begins on a page of its own:
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
	bool discarded;	 /* a COMDAT group that another object brought first */
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
	bool defined;			/* in the link, or by link_define() */
	bool external;			/* by link_define() */
	bool function;			/* external and a function: may be reached through a stub */
	bool needed;			/* a relocation refers to it */
	bool direct;		  /* one uses its address itself: neither a branch nor a GOT slot */
	uint32_t told;		  /* type + 1 of the last relocation against it that was reported */
	uint32_t note;		  /* the caller's */
	uint32_t got;		  /* slot number + 1, or 0 */
	uint32_t stub;		  /* stub number + 1, or 0 */
	bool got_used, stub_used; /* by link_relocate() */
	void *owner;		  /* the caller's, for external symbols */
	struct link_symbol *next; /* of the same hash */
};

/* A part of the block; see the drawing.  Region LINK_PERCPU has no offset. */
struct link_part {
	uint64_t offset;       /* from the block's base; bytes, a multiple of the page */
	uint64_t size;	       /* bytes */
	uint64_t align;	       /* bytes */
	unsigned char *buffer; /* the caller's, `size` bytes; filled by link_relocate() */
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

/* The state of one link.  Fields up to the blank line are the caller's to set. */
struct link {
	void (*report)(void *arg, const char *format, va_list args); /* one line, no newline */
	void *report_arg;
	/* After an error that leaves the rest sound report it and go on, up to link_layout(), which then
	 * returns 0: so all that is wrong with the files comes to light.  `flaw` tells. */
	bool keep_going;
	uint64_t page_size;	 /* bytes; 4096 if 0 */
	uint64_t base;		 /* address of the block */
	uint64_t percpu_address; /* of the per-CPU region: a cookie */

	int flaw; /* the first error that was passed over, and why nothing can be relocated; or 0 */
	const struct link_arch *arch;
	struct link_part part[LINK_REGIONS];
	uint64_t block_size;  /* bytes, whole pages, without LINK_PERCPU */
	uint64_t init_offset; /* where the init regions begin in the block; block_size if none */
	struct link_object *objects; /* list, in the order of linking */
	/* private to elf/ from here: hash table, slots, stubs, cells, memory */
	struct link_private *private;
};

/* Make an empty link for the machine that this program runs on.  NULL: no memory. */
struct link *link_new(void (*report)(void *arg, const char *format, va_list args),
		      void *report_arg);

/* Free it with everything that it handed out. */
void link_free(struct link *link);

/*
 * Add an object, or an archive.  `data` stays the caller's and must live as long as the link.
 * `name` (copied) is for messages; a member of an archive is called "name(member)".
 *
 * Of an archive, all members that are objects for this machine are taken if `root` is NULL;
 * otherwise those that define `root`, or what the link lacks so far, and so on.  Then a `root` that
 * no member defines is an error (-ENOENT).
 */
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

/* The global symbols that relocations need and nobody has defined: the first for NULL, then the
 * next; NULL at the end. */
struct link_symbol *link_next_undefined(struct link *link, struct link_symbol *previous);

/* All global symbols that are defined in the link's sections (or absolute), in no order. */
struct link_symbol *link_next_defined(struct link *link, struct link_symbol *previous);

/* Say where an undefined symbol is. */
void link_define(struct link_symbol *symbol, uint64_t address, bool function);

/* A global symbol by name, defined or not; NULL if there is none. */
struct link_symbol *link_find(struct link *link, const char *name);

/* Local and global symbols of an object that are defined in it; `index` from 0, NULL at the end. */
struct link_symbol *link_object_symbol(struct link_object *object, unsigned int index);

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

/* Where a symbol or section is in the target; base and percpu_address must be set. */
uint64_t link_symbol_address(const struct link *link, const struct link_symbol *symbol);
uint64_t link_section_address(const struct link *link, const struct link_section *section);

/* A section's bytes in the caller's buffer; NULL if its region has none. */
unsigned char *link_section_buffer(const struct link *link, const struct link_section *section);

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
};

/* A relocation, for those who want to look at it. */
struct link_use {
	struct link_symbol *symbol;
	const struct link_section *section;
	uint64_t offset;  /* in the section */
	const char *type; /* "R_X86_64_PC32" */
	enum link_way way;
};

/* Visit all relocations of what is loaded, after link_layout(). */
void link_each_use(struct link *link, void (*visit)(void *arg, const struct link_use *use),
		   void *arg);

/* Where a symbol's GOT slot and stub are; base must be set, and the symbol has one. */
uint64_t link_got_address(const struct link *link, const struct link_symbol *symbol);
uint64_t link_stub_address(const struct link *link, const struct link_symbol *symbol);

/*
 * What an architecture is.  One file in elf/arch/ each: a table of its relocations and a few
 * hooks.
 */

/* How a relocation's value is made: S symbol, A addend, P place, G its GOT slot, Z its size. */
enum link_kind {
	LINK_REFUSED,	    /* known by name, not supported */
	LINK_IGNORED,	    /* nothing to do */
	LINK_ABSOLUTE,	    /* S + A */
	LINK_RELATIVE,	    /* S + A - P */
	LINK_BRANCH,	    /* S + A - P, or to a stub */
	LINK_GOT_RELATIVE,  /* G + A - P */
	LINK_GOT_RELAXABLE, /* the same, or the instruction is changed to use S itself */
	LINK_SIZE,	    /* Z + A */
};

/* Which values fit in the field. */
enum link_fit {
	LINK_FIT_ALL,	   /* as wide as an address */
	LINK_FIT_SIGNED,   /* -2^(n-1) .. 2^(n-1)-1 */
	LINK_FIT_UNSIGNED, /* 0 .. 2^n-1 */
	LINK_FIT_EITHER,   /* -2^(n-1) .. 2^n-1 */
};

struct link_relocation_type {
	const char *name;
	enum link_kind kind;
	uint8_t bytes; /* of the field */
	enum link_fit fit;
	const char *reason; /* why it is LINK_REFUSED, in a few words, or NULL */
};

struct link_arch {
	uint16_t machine; /* EM_* */
	uint8_t class;	  /* ELFCLASS* */
	uint8_t encoding; /* ELFDATA* */
	const char *name;
	uint8_t got_bytes;  /* of a slot */
	uint8_t stub_bytes; /* of a stub */
	uint8_t stub_align;
	const struct link_relocation_type *(*relocation)(uint32_t type); /* NULL: unknown */
	/* Write a stub at `buffer` for address `at`, which jumps to what the slot holds.  false: the
	 * slot is out of the stub's reach. */
	bool (*write_stub)(unsigned char *buffer, uint64_t at, uint64_t slot);
	/* Change the instruction that a relaxable GOT relocation at `field` (address `at`) belongs to,
	 * `before` bytes of which precede it in the section, so that it uses `value` (S, not S + A)
	 * directly.  false: left alone, use the slot. */
	bool (*relax)(uint32_t type, unsigned char *field, uint64_t before, uint64_t at,
		      uint64_t value, int64_t addend);
};

extern const struct link_arch link_arch_x86_64;

#endif
