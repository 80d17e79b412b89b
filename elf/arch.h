/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an architecture is: a table of relocations and a few hooks.  A file in elf/arch/ has one, or
 * several that are alike.
 *
 * A relocation's type says how its value is made, from where it counts, how much of it the field
 * holds, and where in the field.  All that most machines have is this, in one line of a table;
 * what nobody else does, an architecture's file does in apply().
 *
 * Whatever the file's class and order of bytes: entries of tables are Elf64_* of this machine's
 * order here (foreign.c makes them so), and fields are the file's.
 */
#ifndef ELF_ARCH_H
#define ELF_ARCH_H

#include "elf/link.h"

#include <elf.h>

struct link_relocation; /* elf/internal.h */

/* How a relocation's value is made: S symbol, A addend, P place, G its GOT slot, Z its size,
 * GOT what code takes for the GOT's address: the first slot, or arch->got_bias behind it. */
enum link_kind {
	LINK_REFUSED,	    /* known by name, not supported */
	LINK_IGNORED,	    /* nothing to do */
	LINK_ABSOLUTE,	    /* S + A */
	LINK_RELATIVE,	    /* S + A - P */
	LINK_BRANCH,	    /* S + A - P, or to a stub */
	LINK_GOT_RELATIVE,  /* G + A - P */
	LINK_GOT_RELAXABLE, /* the same, or the instruction is changed to use S itself */
	LINK_GOT_SLOT,	    /* G + A - GOT: where in the GOT the slot is */
	LINK_GOT_BASE,	    /* GOT + A - P */
	LINK_GOT_OFFSET,    /* S + A - GOT */
	LINK_SIZE,	    /* Z + A */
	LINK_SUM,	    /* what the field has + S + A; this and the next come in pairs */
	LINK_DIFFERENCE,    /* what the field has - (S + A) */
	/* Thread-local variables: G is a slot that link_tls.wanted tells of. */
	LINK_TLS_GENERAL,    /* G + A - P: module and offset */
	LINK_TLS_LOCAL,	     /* G + A - P: the link's own module, and 0 */
	LINK_TLS_INITIAL,    /* G + A - P: distance from the thread pointer */
	LINK_TLS_DESCRIPTOR, /* G + A - P: descriptor */
	LINK_TLS_CALL,	     /* nothing to do; a call by descriptor */
	LINK_TLS_OFFSET,     /* offset in the link's own block + A */
	LINK_TLS_DISTANCE,   /* distance from the thread pointer + A */
	LINK_TLS_MODULE,     /* the module's number */
	LINK_SPECIAL,	     /* arch->apply() does it all; see link_relocation_type.wants */
};

/* What a value counts from, if it is not what its kind says. */
enum link_from {
	LINK_FROM_KIND,
	LINK_FROM_ZERO,
	LINK_FROM_PLACE,
	LINK_FROM_PAGE, /* that of the place, to that of the target; 4096 bytes */
	LINK_FROM_GOT,
};

/* Which values fit in the field. */
enum link_fit {
	LINK_FIT_ALL,	   /* as wide as an address */
	LINK_FIT_SIGNED,   /* -2^(n-1) .. 2^(n-1)-1 */
	LINK_FIT_UNSIGNED, /* 0 .. 2^n-1 */
	LINK_FIT_EITHER,   /* -2^(n-1) .. 2^n-1 */
};

/* What a relocation of kind LINK_SPECIAL wants of its symbol. */
#define LINK_WANTS_SLOT 1U
#define LINK_WANTS_STUB 2U /* if the symbol is elsewhere, or link_enters_by_address() */
#define LINK_WANTS_GOT 4U  /* that there is a GOT */
#define LINK_WANTS_ADDRESS 8U
/* A slot that has the page of 64 KiB, by link_write_distance(); with LINK_WANTS_SLOT that is for what is local. */
#define LINK_WANTS_PAGE 16U
#define LINK_WANTS_POINTER 64U /* of what is not elsewhere: a stub, which stands for its address */
#define LINK_WANTS_SPAN 128U   /* that the code is not across a border: see link->spanned */
#define LINK_WANTS_VALUE 32U   /* a slot for what is an addend away, likewise */

/*
 * A value is shifted right, checked, and put in the field:
 *
 *     bytes at the place:   | others | `bits` of (value + carry) >> shift | `low` others |
 *
 * and what is beyond `bits` must be the sign, or zero, as `fit` says; with LINK_FIT_ALL it is cut off.
 */
struct link_relocation_type {
	const char *name;
	enum link_kind kind;
	uint8_t bytes; /* that are changed at once */
	enum link_fit fit;
	/* Why it is LINK_REFUSED, in a few words, or NULL; of others why it is in a hosted link if the object's
	 * code sets_no_pointer, or NULL. */
	const char *reason;
	/* Fields that are only a part of their bytes, as those of instructions are. */
	uint8_t bits;  /* 0: all, and no shift */
	uint8_t shift; /* how many low bits of the value are left out */
	uint8_t low;   /* bits of the bytes below the field */
	bool exact;    /* the bits that are left out must be zero */
	uint8_t carry; /* not 0: 1 << carry is added first, as the part below has a sign */
	uint8_t form;  /* not 0: bits lie apart; a number for arch->insert() and extract() */
	enum link_from from;
	uint8_t wants; /* LINK_WANTS_*, of LINK_SPECIAL */
};

struct link_arch {
	uint16_t machine;	/* EM_* */
	uint16_t other_machine; /* another EM_* that is as good; or 0 */
	uint8_t class;		/* ELFCLASS* */
	uint8_t encoding;	/* ELFDATA* */
	const char *name;
	const char *
		wrong_class; /* what objects of the other class are; NULL: compile with -m32, -m64 */
	bool has_rel;	     /* relocations have their addends in the fields: SHT_REL */
	bool stacks_run; /* libc's own objects ask for executable stacks, and so programs have them anyway */
	bool adds_fields;     /* SHT_REL or not, fields of 4 bytes that have a number count too */
	uint32_t page_size;   /* the largest that systems use: bytes */
	uint8_t got_bytes;    /* of a slot */
	uint8_t got_reserved; /* slots before the first: how many */
	uint16_t got_align;   /* bytes; 0: as a slot */
	uint8_t stub_bytes;   /* of a stub */
	uint8_t stub_align;
	uint8_t marked_stub_bytes; /* of one that begins with the mark of LINK_IBT */
	uint32_t index_type;	   /* SHT_* of the index of unwind information: see exidx.c; or 0 */
	uint8_t code_addend; /* code counts from its instruction, and so has up to this for the field: bytes */
	uint8_t code_bit; /* bits of a function's address that tell of its code, not where it is; or 0 */
	const char *
		mapping_symbols; /* local "$x", "$x.1", "$xrv64i" say what code follows, and are no names; or NULL */
	const char *far_calls; /* the compiler's option for calls out of reach; or NULL */
	const char *far_slots; /* what to do if the GOT has more slots than are in reach; or NULL */
	uint64_t near_flag;    /* SHF_* of sections that have to be near the GOT; or 0 */
	const char *far_data;  /* the compiler's option for data that is not near it; or NULL */
	uint16_t large_common; /* another SHN_* of COMMON symbols, of large or small ones; or 0 */
	uint32_t tls_bias; /* what code and slots have for an offset in a block is less by this */
	uint8_t not_a_symbol; /* STT_* of global symbols that name something else, say registers; or 0 */
	uint32_t got_bias; /* see link_kind */
	/* How far behind their stubs pointers to functions of a hosted link lead; 0: to the code. */
	uint8_t pointer_offset;
	/* Names of the address got_bias behind the first slot, which is _GLOBAL_OFFSET_TABLE_'s. */
	const char *got_symbols[3];
	const struct link_relocation_type *(*relocation)(uint32_t type); /* NULL: unknown */
	/* Write a stub at `buffer` for address `at`, which jumps to what the slot holds, marked or not.
	 * false: the slot is out of the stub's reach. */
	bool (*write_stub)(unsigned char *buffer, uint64_t at, uint64_t slot, bool marked);
	/* Change the instruction that a relaxable GOT relocation at `field` (address `at`) belongs to,
	 * `before` bytes of which precede it in the section, so that it uses `value` (S, not S + A)
	 * directly.  false: left alone, use the slot. */
	bool (*relax)(uint32_t type, unsigned char *field, uint64_t before, uint64_t at,
		      uint64_t value, int64_t addend);

	/* Write what a pointer to a function leads to; NULL if there is no pointer_offset. */
	void (*write_pointer)(struct link *link, const struct link_symbol *symbol);

	/* What follows may be NULL. */

	/* Refuse objects that don't fit the machine's others, by the header's e_flags. */
	int (*check_flags)(struct link_object *object, uint32_t flags);
	/* Make r_info what ELF64_R_SYM() and ELF64_R_TYPE() understand. */
	uint64_t (*decode_info)(uint64_t info);
	/* Put a value's bits, which are shifted and checked, where they lie in a field, and get them. */
	void (*insert)(const struct link_relocation_type *type, unsigned char *field,
		       uint64_t bits);
	uint64_t (*extract)(const struct link_relocation_type *type, const unsigned char *field);
	/* The section of functions' descriptors, at which their symbols are; functions have none in sections
	 * if it is NULL. */
	const char *descriptors;
	/* Where the code is that a function's descriptor leads to; false: the symbol is at none.  NULL: functions
	 * have none in sections. */
	bool (*find_code)(const struct link_symbol *symbol, const struct link_section **section,
			  uint64_t *offset);
	/* Find the addends of SHT_REL entries for `section`, which has `data`, where a field alone does not
	 * tell.  The others have theirs already; nobody has checked yet that fields lie in the section. */
	int (*read_addends)(const struct link_section *section, const unsigned char *data,
			    Elf64_Rela *entries, size_t count);
	/* What of a value, which has no addend in it, and the addend is a field's; NULL: their sum. */
	int64_t (*select)(const struct link_relocation *relocation, uint64_t value);
	/* Do what a relocation of kind LINK_SPECIAL is about; `at` is the field's address. */
	int (*apply)(struct link *link, const struct link_relocation *relocation,
		     unsigned char *field, uint64_t at);
	/* Where a LINK_BRANCH, whose field is at `at`, has to go so that it gets to *target, or to what the
	 * symbol's stub there leads to; the instruction may change.  false: it can only be a stub. */
	bool (*enter)(const struct link_relocation *relocation, unsigned char *field, uint64_t at,
		      bool stub, uint64_t *target);
	/* Make a branch to what is weak and not there do nothing; NULL: it goes to address 0. */
	void (*skip)(const struct link_relocation *relocation, unsigned char *field);
	/* Functions that compilers call to save and restore registers; `prefix` is NULL behind the last. */
	const struct link_saves *saves;
	/* Before relocations are looked at. */
	int (*prepare)(struct link *link);
};

/* A family of functions, by the name of each of which stands the first register that it saves, or
 * restores: see saves.c. */
#define LINK_SAVES_END 4
struct link_saves {
	const char *prefix, *suffix; /* of names; between them is the register's number */
	unsigned int first;	     /* register that has one; the last is 31 */
	/* The instruction of register 31, and how much less that of the register before is; and of one that
	 * comes before that, or 0. */
	uint32_t before, before_step, code, step;
	uint32_t end[LINK_SAVES_END]; /* what follows once; 0: no more */
};

/* Those of elf/arch/: of machines that are alike in one file. */
extern const struct link_arch link_arch_aarch64, link_arch_alpha, link_arch_arm, link_arch_hppa,
	link_arch_i386, link_arch_m68k, link_arch_mips, link_arch_mips64, link_arch_mips64el,
	link_arch_mipsel, link_arch_powerpc, link_arch_ppc64, link_arch_ppc64le, link_arch_riscv,
	link_arch_s390x, link_arch_sh4, link_arch_sparc, link_arch_sparc64, link_arch_x86_64;

#endif
