/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hppa: PA-RISC of 32 bits.
 *
 * An address comes in a left part of 21 bits, which ldil and addil have, and a right one of 11, which the
 * next instruction adds with a sign of its own.  So that one left part serves all fields of a structure, the
 * addend is first rounded to a multiple of 8 KiB, which goes to the left, and the rest of it to the right:
 *
 *     left part   of S + rounded addend
 *     right part  of S + rounded addend, and what the addend is more or less than rounded
 *
 * Only distances from the place have the usual left and right parts of the sum; they count from two
 * instructions behind, as branches do.  The bits of most fields lie apart, the sign often lowest.
 *
 * The GOT's address is also the one that data is counted from ($global$, in r27), and the linkage table
 * pointer of position-independent code (r19).  Who calls such code from elsewhere sets it: a pointer to a
 * function is the address of its code, or 2 more than that of a descriptor: entry, and what r19 shall be.
 * Functions of a hosted link have descriptors if pointers are made of them, or they can be looked up by
 * name; in other links pointers lead to the code, as in programs by ld.  r27 is set by a program's start,
 * and the same in all of the process: code for programs counts its data from there, far though it may be.
 * As that does not keep r19, calls of other objects' functions go through stubs, which set it.
 *
 * A stub does as compilers' own calls by pointers do, and changes r1 and r19 only, which are free at
 * calls, and for millicode, which has no descriptors, only r1.
 *
 * ("PA-RISC 1.1 Architecture and Instruction Set", "Processor-Specific ELF Supplement for PA-RISC".)
 */
#include "elf/internal.h"

#define ENTRY(number, ...) [R_PARISC_##number] = { "R_PARISC_" #number, __VA_ARGS__ }
#define REFUSED(number, why) ENTRY(number, .reason = (why))
#define IGNORED(number) ENTRY(number, .kind = LINK_IGNORED)
#define DATA(number, kind) ENTRY(number, kind, 4, LINK_FIT_ALL, .reason = NULL)
#define LEFT(number, kind, origin)                                                                 \
	ENTRY(number, kind, 4, LINK_FIT_ALL, .bits = 21, .shift = 11, .form = FORM_21,             \
	      .from = (origin))
/* A right part always fits. */
#define RIGHT(number, kind, origin)                                                                \
	ENTRY(number, kind, 4, LINK_FIT_ALL, .bits = 14, .form = FORM_RIGHT_14, .from = (origin))
#define RIGHT_JUMP(number, kind, origin)                                                           \
	ENTRY(number, kind, 4, LINK_FIT_SIGNED, .bits = 17, .shift = 2, .exact = true,             \
	      .form = FORM_RIGHT_17, .from = (origin))
/* All of a value. */
#define SHORT(number, kind, origin)                                                                \
	ENTRY(number, kind, 4, LINK_FIT_SIGNED, .bits = 14, .form = FORM_14, .from = (origin))
#define JUMP(number, kind, count)                                                                  \
	ENTRY(number, kind, 4, LINK_FIT_SIGNED, .bits = (count), .shift = 2, .exact = true,        \
	      .form = FORM_##count)
/* To a function. */
#define POINTER(number, count, how, right)                                                         \
	ENTRY(number, LINK_SPECIAL, 4, LINK_FIT_ALL, .bits = (count), .shift = (right),            \
	      .form = (how), .from = LINK_FROM_ZERO,                                               \
	      .wants = LINK_WANTS_GOT | LINK_WANTS_ADDRESS | LINK_WANTS_POINTER)
#define PARTS(number, kind, origin)                                                                \
	LEFT(number##21L, kind, origin), RIGHT(number##14R, kind, origin)

#define DYNAMIC "only in linked files"
#define OF_64_BITS "for addresses of 64 bits"
#define OF_HP_UX "compilers for Linux do not make it"

/* Those that <elf.h> does not have, or has by another name. */
#define R_PARISC_DIR14F 7
#define R_PARISC_PCREL12F 8
#define R_PARISC_PCREL17C 13
#define R_PARISC_PCREL14F 15
#define R_PARISC_DPREL14WR 19
#define R_PARISC_DPREL14DR 20
#define R_PARISC_DPREL14F 23
#define R_PARISC_DLTREL21L 26
#define R_PARISC_DLTREL14R 30
#define R_PARISC_DLTREL14F 31
#define R_PARISC_DLTIND21L 34
#define R_PARISC_DLTIND14R 38
#define R_PARISC_DLTIND14F 39
#define R_PARISC_SETBASE 40
#define R_PARISC_BASEREL21L 42
#define R_PARISC_BASEREL17R 43
#define R_PARISC_BASEREL17F 44
#define R_PARISC_BASEREL14R 46
#define R_PARISC_BASEREL14F 47
#define R_PARISC_PLTOFF14F 55
#define R_PARISC_PCREL22C 73
#define R_PARISC_DLTREL14WR 91
#define R_PARISC_DLTREL14DR 92
#define R_PARISC_DLTIND14WR 99
#define R_PARISC_DLTIND14DR 100

enum form {
	FORM_PLAIN,
	FORM_12,
	FORM_14,
	FORM_17,
	FORM_21,
	FORM_22,
	FORM_RIGHT_14, /* as 14 and 17: a right part */
	FORM_RIGHT_17,
};

static const struct link_relocation_type types[] = {
	IGNORED(NONE),
	DATA(DIR32, LINK_ABSOLUTE),
	PARTS(DIR, LINK_ABSOLUTE, LINK_FROM_ZERO),
	RIGHT_JUMP(DIR17R, LINK_ABSOLUTE, LINK_FROM_ZERO),
	JUMP(DIR17F, LINK_ABSOLUTE, 17),
	SHORT(DIR14F, LINK_ABSOLUTE, LINK_FROM_ZERO),
	JUMP(PCREL12F, LINK_BRANCH, 12),
	DATA(PCREL32, LINK_RELATIVE),
	PARTS(PCREL, LINK_RELATIVE, LINK_FROM_PLACE),
	RIGHT_JUMP(PCREL17R, LINK_RELATIVE, LINK_FROM_PLACE),
	JUMP(PCREL17F, LINK_BRANCH, 17),
	JUMP(PCREL17C, LINK_BRANCH, 17),
	SHORT(PCREL14F, LINK_RELATIVE, LINK_FROM_PLACE),
	JUMP(PCREL22F, LINK_BRANCH, 22),
	JUMP(PCREL22C, LINK_BRANCH, 22),
	PARTS(DPREL, LINK_GOT_OFFSET, LINK_FROM_GOT),
	SHORT(DPREL14F, LINK_GOT_OFFSET, LINK_FROM_GOT),
	REFUSED(DPREL14WR, OF_64_BITS),
	REFUSED(DPREL14DR, OF_64_BITS),
	REFUSED(DLTREL21L, OF_HP_UX),
	REFUSED(DLTREL14R, OF_HP_UX),
	REFUSED(DLTREL14F, OF_HP_UX),
	PARTS(DLTIND, LINK_GOT_SLOT, LINK_FROM_GOT),
	SHORT(DLTIND14F, LINK_GOT_SLOT, LINK_FROM_GOT),
	REFUSED(SETBASE, OF_HP_UX),
	REFUSED(SECREL32, OF_HP_UX),
	REFUSED(BASEREL21L, OF_HP_UX),
	REFUSED(BASEREL17R, OF_HP_UX),
	REFUSED(BASEREL17F, OF_HP_UX),
	REFUSED(BASEREL14R, OF_HP_UX),
	REFUSED(BASEREL14F, OF_HP_UX),
	REFUSED(SEGBASE, OF_HP_UX),
	ENTRY(SEGREL32, LINK_SPECIAL, 4, LINK_FIT_ALL, .wants = LINK_WANTS_ADDRESS),
	REFUSED(PLTOFF21L, OF_HP_UX),
	REFUSED(PLTOFF14R, OF_HP_UX),
	REFUSED(PLTOFF14F, OF_HP_UX),
	REFUSED(LTOFF_FPTR32, OF_HP_UX),
	REFUSED(LTOFF_FPTR21L, OF_HP_UX),
	REFUSED(LTOFF_FPTR14R, OF_HP_UX),
	REFUSED(FPTR64, OF_64_BITS),
	POINTER(PLABEL32, 0, FORM_PLAIN, 0),
	POINTER(PLABEL21L, 21, FORM_21, 11),
	POINTER(PLABEL14R, 14, FORM_RIGHT_14, 0),
	REFUSED(PCREL64, OF_64_BITS),
	REFUSED(PCREL14WR, OF_64_BITS),
	REFUSED(PCREL14DR, OF_64_BITS),
	REFUSED(PCREL16F, OF_64_BITS),
	REFUSED(PCREL16WF, OF_64_BITS),
	REFUSED(PCREL16DF, OF_64_BITS),
	REFUSED(DIR64, OF_64_BITS),
	REFUSED(DIR14WR, OF_64_BITS),
	REFUSED(DIR14DR, OF_64_BITS),
	REFUSED(DIR16F, OF_64_BITS),
	REFUSED(DIR16WF, OF_64_BITS),
	REFUSED(DIR16DF, OF_64_BITS),
	REFUSED(GPREL64, OF_64_BITS),
	REFUSED(DLTREL14WR, OF_64_BITS),
	REFUSED(DLTREL14DR, OF_64_BITS),
	REFUSED(GPREL16F, OF_64_BITS),
	REFUSED(GPREL16WF, OF_64_BITS),
	REFUSED(GPREL16DF, OF_64_BITS),
	REFUSED(LTOFF64, OF_64_BITS),
	REFUSED(DLTIND14WR, OF_64_BITS),
	REFUSED(DLTIND14DR, OF_64_BITS),
	REFUSED(LTOFF16F, OF_64_BITS),
	REFUSED(LTOFF16WF, OF_64_BITS),
	REFUSED(LTOFF16DF, OF_64_BITS),
	REFUSED(SECREL64, OF_64_BITS),
	REFUSED(SEGREL64, OF_64_BITS),
	REFUSED(PLTOFF14WR, OF_64_BITS),
	REFUSED(PLTOFF14DR, OF_64_BITS),
	REFUSED(PLTOFF16F, OF_64_BITS),
	REFUSED(PLTOFF16WF, OF_64_BITS),
	REFUSED(PLTOFF16DF, OF_64_BITS),
	REFUSED(LTOFF_FPTR64, OF_64_BITS),
	REFUSED(LTOFF_FPTR14WR, OF_64_BITS),
	REFUSED(LTOFF_FPTR14DR, OF_64_BITS),
	REFUSED(LTOFF_FPTR16F, OF_64_BITS),
	REFUSED(LTOFF_FPTR16WF, OF_64_BITS),
	REFUSED(LTOFF_FPTR16DF, OF_64_BITS),
	REFUSED(COPY, DYNAMIC),
	REFUSED(IPLT, DYNAMIC),
	REFUSED(EPLT, DYNAMIC),
	DATA(TPREL32, LINK_TLS_DISTANCE),
	PARTS(TPREL, LINK_TLS_DISTANCE, LINK_FROM_ZERO),
	PARTS(LTOFF_TP, LINK_TLS_INITIAL, LINK_FROM_GOT),
	SHORT(LTOFF_TP14F, LINK_TLS_INITIAL, LINK_FROM_GOT),
	REFUSED(TPREL64, OF_64_BITS),
	REFUSED(TPREL14WR, OF_64_BITS),
	REFUSED(TPREL14DR, OF_64_BITS),
	REFUSED(TPREL16F, OF_64_BITS),
	REFUSED(TPREL16WF, OF_64_BITS),
	REFUSED(TPREL16DF, OF_64_BITS),
	REFUSED(LTOFF_TP64, OF_64_BITS),
	REFUSED(LTOFF_TP14WR, OF_64_BITS),
	REFUSED(LTOFF_TP14DR, OF_64_BITS),
	REFUSED(LTOFF_TP16F, OF_64_BITS),
	REFUSED(LTOFF_TP16WF, OF_64_BITS),
	REFUSED(LTOFF_TP16DF, OF_64_BITS),
	IGNORED(GNU_VTENTRY),
	IGNORED(GNU_VTINHERIT),
	PARTS(TLS_GD, LINK_TLS_GENERAL, LINK_FROM_GOT),
	IGNORED(TLS_GDCALL),
	PARTS(TLS_LDM, LINK_TLS_LOCAL, LINK_FROM_GOT),
	IGNORED(TLS_LDMCALL),
	PARTS(TLS_LDO, LINK_TLS_OFFSET, LINK_FROM_ZERO),
	REFUSED(TLS_DTPMOD32, DYNAMIC),
	REFUSED(TLS_DTPMOD64, OF_64_BITS),
	DATA(TLS_DTPOFF32, LINK_TLS_OFFSET),
	REFUSED(TLS_DTPOFF64, OF_64_BITS),
};

static const struct link_relocation_type *find_relocation(uint32_t type)
{
	return type < sizeof(types) / sizeof(types[0]) && types[type].name ? &types[type] : NULL;
}

/* ---- Fields --------------------------------------------------------------------------------- */

/* A run of a value's bits, and where it lies in an instruction. */
struct run {
	uint8_t from, count, to;
};

static const struct run fields[][6] = {
	[FORM_12] = { { 0, 10, 3 }, { 10, 1, 2 }, { 11, 1, 0 } },
	[FORM_14] = { { 0, 13, 1 }, { 13, 1, 0 } },
	[FORM_17] = { { 0, 10, 3 }, { 10, 1, 2 }, { 11, 5, 16 }, { 16, 1, 0 } },
	[FORM_21] = { { 0, 2, 12 }, { 2, 5, 16 }, { 7, 2, 14 }, { 9, 11, 1 }, { 20, 1, 0 } },
	[FORM_22] = { { 0, 10, 3 }, { 10, 1, 2 }, { 11, 5, 16 }, { 16, 5, 21 }, { 21, 1, 0 } },
};

static const struct run *runs_of(const struct link_relocation_type *type)
{
	switch (type->form) {
	case FORM_RIGHT_14:
		return fields[FORM_14];
	case FORM_RIGHT_17:
		return fields[FORM_17];
	default:
		return fields[type->form];
	}
}

static uint64_t mask_of(const struct run *run)
{
	return ((uint64_t)1 << run->count) - 1;
}

static void insert(const struct link_relocation_type *type, unsigned char *field, uint64_t bits)
{
	uint64_t code = link_get(&link_arch_hppa, field, 4);

	for (const struct run *run = runs_of(type); run->count; run++) {
		code &= ~(mask_of(run) << run->to);
		code |= (bits >> run->from & mask_of(run)) << run->to;
	}
	link_put(&link_arch_hppa, field, 4, code);
}

static uint64_t extract(const struct link_relocation_type *type, const unsigned char *field)
{
	uint64_t code = link_get(&link_arch_hppa, field, 4), bits = 0;

	for (const struct run *run = runs_of(type); run->count; run++)
		bits |= (code >> run->to & mask_of(run)) << run->from;
	return bits;
}

/* ---- Values --------------------------------------------------------------------------------- */

#define RIGHT_MASK ((uint64_t)0x7ff)
#define BEHIND 8 /* bytes: where distances count from */

static uint64_t round_addend(uint64_t addend)
{
	return (addend + 0x1000) & ~(uint64_t)0x1fff;
}

static int64_t select_part(const struct link_relocation *relocation, uint64_t value)
{
	const struct link_relocation_type *type = relocation->type;
	uint64_t addend = (uint64_t)relocation->addend, whole = 0;

	if (link_counts_from(type) == LINK_FROM_PLACE)
		whole = addend - BEHIND;
	else if (type->form == FORM_21 || type->form >= FORM_RIGHT_14)
		whole = round_addend(addend);
	else
		whole = addend;
	value += whole;
	if (type->form < FORM_RIGHT_14)
		return (int64_t)value;
	value &= RIGHT_MASK;
	if (link_counts_from(type) != LINK_FROM_PLACE)
		value += addend - whole;
	return (int64_t)value;
}

/* ---- Branches ------------------------------------------------------------------------------- */

#define DESCRIPTOR 2 /* in a pointer to a function */

/* What is elsewhere may have a descriptor. */
static bool enter(const struct link_relocation *relocation, unsigned char *field, uint64_t at,
		  bool stub, uint64_t *target)
{
	const struct link_symbol *symbol = relocation->symbol;

	(void)field;
	(void)at;
	if (stub || symbol->type == STT_PARISC_MILLICODE)
		return true;
	if (!symbol->section)
		return !(*target & DESCRIPTOR);
	return !relocation->object->link->hosted || symbol->object == relocation->object;
}

/* Go on behind it. */
static void skip(const struct link_relocation *relocation, unsigned char *field)
{
	link_put_field(&link_arch_hppa, relocation->type, field, 0);
}

/* ---- Stubs and descriptors ------------------------------------------------------------------ */

/* A stub's code, and behind it the function's descriptor; each is written if it is used. */
#define STUB_CODES 7
#define STUB_DESCRIPTOR 32 /* bytes before it */
#define STUB_BYTES 48

static bool write_stub(unsigned char *buffer, uint64_t at, uint64_t slot, bool marked)
{
	static const uint32_t codes[STUB_CODES] = {
		0x20200000, /* ldil L'slot, %r1 */
		0x48210000, /* ldw R'slot(%r1), %r1 */
		0xc7c1c012, /* bb,>=,n %r1, 30, the bv below */
		0xd4201c1e, /* depi 0, 31, 2, %r1 */
		0x0c281093, /* ldw 4(%r1), %r19 */
		0x0c201081, /* ldw 0(%r1), %r1 */
		0xe820c002, /* bv,n %r0(%r1) */
	};

	(void)at;
	(void)marked;
	for (size_t i = 0; i < STUB_CODES; i++)
		link_put(&link_arch_hppa, buffer + 4 * i, 4, codes[i]);
	link_put_field(&link_arch_hppa, &types[R_PARISC_DIR21L], buffer, (int64_t)slot);
	link_put_field(&link_arch_hppa, &types[R_PARISC_DIR14R], buffer + 4,
		       (int64_t)(slot & RIGHT_MASK));
	return true;
}

static void write_descriptor(struct link *link, const struct link_symbol *symbol)
{
	const struct link_part *text = &link->part[LINK_TEXT];
	uint64_t at = link_stub_address(link, symbol) + STUB_DESCRIPTOR;
	unsigned char *descriptor = text->buffer + (at - link->base - text->offset);

	link_put(link->arch, descriptor, 4, link_symbol_address(link, symbol));
	link_put(link->arch, descriptor + 4, 4, link_got_pointer(link));
}

static int apply(struct link *link, const struct link_relocation *relocation, unsigned char *field,
		 uint64_t at)
{
	struct link_symbol *symbol = relocation->symbol;
	uint64_t value = link_symbol_address(link, symbol);

	(void)at;
	/* Unwinders' tables count from the beginning of what is loaded. */
	if (relocation->number == R_PARISC_SEGREL32)
		return link_write_value(link, relocation, field,
					(int64_t)(value + (uint64_t)relocation->addend -
						  link->base));
	if (relocation->addend && link->hosted)
		return link_fail_relocation(link, -ENOEXEC, relocation,
					    "is a pointer into a function (found addend %lld, "
					    "need 0)",
					    (long long)relocation->addend);
	return link_write_value(link, relocation, field,
				select_part(relocation, link_use_pointer(link, symbol)));
}

/* ---- Code for programs ---------------------------------------------------------------------- */

#define DATA_REGISTER 27

/* Whether an instruction that has a distance from what code counts from adds it to r27. */
static bool is_data_based(const struct link_section *section, const Elf64_Rela *entry)
{
	switch (ELF64_R_TYPE(entry->r_info)) {
	case R_PARISC_DPREL21L:
	case R_PARISC_DPREL14F:
		return true;
	case R_PARISC_DLTIND21L:
	case R_PARISC_DLTIND14F:
	case R_PARISC_LTOFF_TP21L:
	case R_PARISC_LTOFF_TP14F:
	case R_PARISC_TLS_GD21L:
	case R_PARISC_TLS_LDM21L:
		return section->data && entry->r_offset < section->size &&
		       section->size - entry->r_offset >= 4 &&
		       (link_get(&link_arch_hppa, section->data + entry->r_offset, 4) >> 21 & 31) ==
			       DATA_REGISTER;
	default:
		return false;
	}
}

/* Right parts of distances don't tell the register: a compiler makes code of one kind only. */
static int prepare(struct link *link)
{
	for (struct link_object *object = link->objects; link->hosted && object;
	     object = object->next) {
		for (size_t i = 0; i < object->table_count; i++) {
			const struct link_table *table = &object->tables[i];
			Elf64_Rela entry;

			for (size_t j = 0; j < table->count && !object->data_based; j++) {
				link_get_entry(table, j, &entry);
				object->data_based = is_data_based(table->section, &entry);
			}
		}
	}
	return 0;
}

const struct link_arch link_arch_hppa = {
	.machine = EM_PARISC,
	.class = ELFCLASS32,
	.encoding = ELFDATA2MSB,
	.name = "hppa",
	.page_size = 65536,
	.got_bytes = 4,
	.stub_bytes = STUB_BYTES,
	.stub_align = 16,
	.marked_stub_bytes = STUB_BYTES,
	.far_calls = "-mlong-calls",
	.large_common = SHN_PARISC_ANSI_COMMON,
	.got_symbols = { "$global$" },
	.pointer_offset = STUB_DESCRIPTOR | DESCRIPTOR,
	.write_pointer = write_descriptor,
	.relocation = find_relocation,
	.write_stub = write_stub,
	.insert = insert,
	.extract = extract,
	.select = select_part,
	.apply = apply,
	.enter = enter,
	.skip = skip,
	.prepare = prepare,
};
