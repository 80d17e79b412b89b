/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sparc, of 32 and of 64 bits: relocations and stubs.
 *
 * An address is put together: sethi has bits 10 and up, the next instruction the low ten; for 64 bits
 * there are more parts.  Calls reach all of 32 bits.  Code finds the GOT by its distance; slots by
 * ten and 22 bits from there.
 *
 *     sethi %hi(foo), %g1      22 bits of foo >> 10        or %g1, %lo(foo), %g1     10 bits
 *     sethi %hix(foo), %g1     of ~foo >> 10               xor %g1, %lox(foo), %g1   10 bits and 0x1c00
 *
 * Loads of slots by GOTDATA_OP can be done without: then the distance from the GOT to the thing itself is in
 * the first two, and the load an addition.  All three of them decide it alike, by that distance.
 *
 * In sparc64 a relocation's number has 24 bits of data over it, for R_SPARC_OLO10.  ("SPARC Compliance
 * Definition 2.4.1", "Oracle Solaris Linkers and Libraries Guide", the TLS and GOTDATA parts.)
 */
#include "elf/internal.h"

#define ENTRY(number, ...) [R_SPARC_##number] = { "R_SPARC_" #number, __VA_ARGS__ }
#define REFUSED(number, why) ENTRY(number, .reason = (why))
#define IGNORED(number) ENTRY(number, .kind = LINK_IGNORED)
#define DATA(number, kind, bytes, fit) ENTRY(number, kind, bytes, fit, .reason = NULL)
/* `count` bits of an instruction, the low ones. */
#define CODE(number, kind, fit, count, right, origin)                                              \
	ENTRY(number, kind, 4, fit, .bits = (count), .shift = (right), .from = (origin))
#define FORMED(number, kind, fit, count, right, how, origin)                                       \
	ENTRY(number, kind, 4, fit, .bits = (count), .shift = (right), .form = (how),              \
	      .from = (origin))
#define SPECIAL(number, count, what)                                                               \
	ENTRY(number, LINK_SPECIAL, 4, LINK_FIT_ALL, .bits = (count), .wants = (what))

#define DYNAMIC "only in linked files"
#define OF_PLT "it counts from a procedure linkage table"

/* Those that older <elf.h> does not have. */
#ifndef R_SPARC_WDISP10
#define R_SPARC_WDISP10 88
#endif

enum form {
	FORM_PLAIN,
	FORM_HIX,     /* inverted */
	FORM_LOX,     /* with ones above */
	FORM_WDISP16, /* 14 bits, two more at 20 */
	FORM_WDISP10, /* eight bits at 5, two more at 19 */
};

static const struct link_relocation_type types[] = {
	IGNORED(NONE),
	DATA(8, LINK_ABSOLUTE, 1, LINK_FIT_EITHER),
	DATA(16, LINK_ABSOLUTE, 2, LINK_FIT_EITHER),
	DATA(32, LINK_ABSOLUTE, 4, LINK_FIT_EITHER),
	DATA(DISP8, LINK_RELATIVE, 1, LINK_FIT_SIGNED),
	DATA(DISP16, LINK_RELATIVE, 2, LINK_FIT_SIGNED),
	DATA(DISP32, LINK_RELATIVE, 4, LINK_FIT_SIGNED),
	CODE(WDISP30, LINK_BRANCH, LINK_FIT_SIGNED, 30, 2, LINK_FROM_PLACE),
	CODE(WDISP22, LINK_BRANCH, LINK_FIT_SIGNED, 22, 2, LINK_FROM_PLACE),
	CODE(HI22, LINK_ABSOLUTE, LINK_FIT_UNSIGNED, 22, 10, LINK_FROM_ZERO),
	CODE(22, LINK_ABSOLUTE, LINK_FIT_EITHER, 22, 0, LINK_FROM_ZERO),
	CODE(13, LINK_ABSOLUTE, LINK_FIT_EITHER, 13, 0, LINK_FROM_ZERO),
	CODE(LO10, LINK_ABSOLUTE, LINK_FIT_ALL, 10, 0, LINK_FROM_ZERO),
	CODE(GOT10, LINK_GOT_SLOT, LINK_FIT_ALL, 10, 0, LINK_FROM_GOT),
	CODE(GOT13, LINK_GOT_SLOT, LINK_FIT_SIGNED, 13, 0, LINK_FROM_GOT),
	CODE(GOT22, LINK_GOT_SLOT, LINK_FIT_ALL, 22, 10, LINK_FROM_GOT),
	CODE(PC10, LINK_RELATIVE, LINK_FIT_ALL, 10, 0, LINK_FROM_PLACE),
	CODE(PC22, LINK_RELATIVE, LINK_FIT_EITHER, 22, 10, LINK_FROM_PLACE),
	CODE(WPLT30, LINK_BRANCH, LINK_FIT_SIGNED, 30, 2, LINK_FROM_PLACE),
	REFUSED(COPY, DYNAMIC),
	REFUSED(GLOB_DAT, DYNAMIC),
	REFUSED(JMP_SLOT, DYNAMIC),
	REFUSED(RELATIVE, DYNAMIC),
	DATA(UA32, LINK_ABSOLUTE, 4, LINK_FIT_EITHER),
	DATA(PLT32, LINK_ABSOLUTE, 4, LINK_FIT_EITHER),
	REFUSED(HIPLT22, OF_PLT),
	REFUSED(LOPLT10, OF_PLT),
	REFUSED(PCPLT32, OF_PLT),
	REFUSED(PCPLT22, OF_PLT),
	REFUSED(PCPLT10, OF_PLT),
	CODE(10, LINK_ABSOLUTE, LINK_FIT_EITHER, 10, 0, LINK_FROM_ZERO),
	CODE(11, LINK_ABSOLUTE, LINK_FIT_EITHER, 11, 0, LINK_FROM_ZERO),
	DATA(64, LINK_ABSOLUTE, 8, LINK_FIT_ALL),
	SPECIAL(OLO10, 13, LINK_WANTS_ADDRESS),
	CODE(HH22, LINK_ABSOLUTE, LINK_FIT_ALL, 22, 42, LINK_FROM_ZERO),
	CODE(HM10, LINK_ABSOLUTE, LINK_FIT_ALL, 10, 32, LINK_FROM_ZERO),
	CODE(LM22, LINK_ABSOLUTE, LINK_FIT_ALL, 22, 10, LINK_FROM_ZERO),
	CODE(PC_HH22, LINK_RELATIVE, LINK_FIT_ALL, 22, 42, LINK_FROM_PLACE),
	CODE(PC_HM10, LINK_RELATIVE, LINK_FIT_ALL, 10, 32, LINK_FROM_PLACE),
	CODE(PC_LM22, LINK_RELATIVE, LINK_FIT_ALL, 22, 10, LINK_FROM_PLACE),
	FORMED(WDISP16, LINK_RELATIVE, LINK_FIT_SIGNED, 16, 2, FORM_WDISP16, LINK_FROM_PLACE),
	CODE(WDISP19, LINK_BRANCH, LINK_FIT_SIGNED, 19, 2, LINK_FROM_PLACE),
	REFUSED(GLOB_JMP, DYNAMIC),
	CODE(7, LINK_ABSOLUTE, LINK_FIT_EITHER, 7, 0, LINK_FROM_ZERO),
	CODE(5, LINK_ABSOLUTE, LINK_FIT_EITHER, 5, 0, LINK_FROM_ZERO),
	CODE(6, LINK_ABSOLUTE, LINK_FIT_EITHER, 6, 0, LINK_FROM_ZERO),
	DATA(DISP64, LINK_RELATIVE, 8, LINK_FIT_ALL),
	DATA(PLT64, LINK_ABSOLUTE, 8, LINK_FIT_ALL),
	FORMED(HIX22, LINK_ABSOLUTE, LINK_FIT_ALL, 22, 10, FORM_HIX, LINK_FROM_ZERO),
	FORMED(LOX10, LINK_ABSOLUTE, LINK_FIT_ALL, 10, 0, FORM_LOX, LINK_FROM_ZERO),
	CODE(H44, LINK_ABSOLUTE, LINK_FIT_UNSIGNED, 22, 22, LINK_FROM_ZERO),
	CODE(M44, LINK_ABSOLUTE, LINK_FIT_ALL, 10, 12, LINK_FROM_ZERO),
	CODE(L44, LINK_ABSOLUTE, LINK_FIT_ALL, 12, 0, LINK_FROM_ZERO),
	REFUSED(REGISTER, "it is about a global register, and programs agree on those"),
	DATA(UA64, LINK_ABSOLUTE, 8, LINK_FIT_ALL),
	DATA(UA16, LINK_ABSOLUTE, 2, LINK_FIT_EITHER),
	CODE(TLS_GD_HI22, LINK_TLS_GENERAL, LINK_FIT_ALL, 22, 10, LINK_FROM_GOT),
	CODE(TLS_GD_LO10, LINK_TLS_GENERAL, LINK_FIT_ALL, 10, 0, LINK_FROM_GOT),
	IGNORED(TLS_GD_ADD),
	SPECIAL(TLS_GD_CALL, 30, 0),
	CODE(TLS_LDM_HI22, LINK_TLS_LOCAL, LINK_FIT_ALL, 22, 10, LINK_FROM_GOT),
	CODE(TLS_LDM_LO10, LINK_TLS_LOCAL, LINK_FIT_ALL, 10, 0, LINK_FROM_GOT),
	IGNORED(TLS_LDM_ADD),
	SPECIAL(TLS_LDM_CALL, 30, 0),
	CODE(TLS_LDO_HIX22, LINK_TLS_OFFSET, LINK_FIT_ALL, 22, 10, LINK_FROM_ZERO),
	CODE(TLS_LDO_LOX10, LINK_TLS_OFFSET, LINK_FIT_ALL, 10, 0, LINK_FROM_ZERO),
	IGNORED(TLS_LDO_ADD),
	CODE(TLS_IE_HI22, LINK_TLS_INITIAL, LINK_FIT_ALL, 22, 10, LINK_FROM_GOT),
	CODE(TLS_IE_LO10, LINK_TLS_INITIAL, LINK_FIT_ALL, 10, 0, LINK_FROM_GOT),
	IGNORED(TLS_IE_LD),
	IGNORED(TLS_IE_LDX),
	IGNORED(TLS_IE_ADD),
	FORMED(TLS_LE_HIX22, LINK_TLS_DISTANCE, LINK_FIT_ALL, 22, 10, FORM_HIX, LINK_FROM_ZERO),
	FORMED(TLS_LE_LOX10, LINK_TLS_DISTANCE, LINK_FIT_ALL, 10, 0, FORM_LOX, LINK_FROM_ZERO),
	REFUSED(TLS_DTPMOD32, DYNAMIC),
	REFUSED(TLS_DTPMOD64, DYNAMIC),
	DATA(TLS_DTPOFF32, LINK_TLS_OFFSET, 4, LINK_FIT_ALL),
	DATA(TLS_DTPOFF64, LINK_TLS_OFFSET, 8, LINK_FIT_ALL),
	REFUSED(TLS_TPOFF32, DYNAMIC),
	REFUSED(TLS_TPOFF64, DYNAMIC),
	SPECIAL(GOTDATA_HIX22, 22, LINK_WANTS_GOT | LINK_WANTS_ADDRESS),
	SPECIAL(GOTDATA_LOX10, 13, LINK_WANTS_GOT | LINK_WANTS_ADDRESS),
	SPECIAL(GOTDATA_OP_HIX22, 22, LINK_WANTS_SLOT | LINK_WANTS_GOT),
	SPECIAL(GOTDATA_OP_LOX10, 13, LINK_WANTS_SLOT | LINK_WANTS_GOT),
	SPECIAL(GOTDATA_OP, 0, LINK_WANTS_SLOT | LINK_WANTS_GOT),
	CODE(H34, LINK_ABSOLUTE, LINK_FIT_UNSIGNED, 22, 12, LINK_FROM_ZERO),
	DATA(SIZE32, LINK_SIZE, 4, LINK_FIT_UNSIGNED),
	DATA(SIZE64, LINK_SIZE, 8, LINK_FIT_ALL),
	FORMED(WDISP10, LINK_RELATIVE, LINK_FIT_SIGNED, 10, 2, FORM_WDISP10, LINK_FROM_PLACE),
	REFUSED(JMP_IREL, DYNAMIC),
	REFUSED(IRELATIVE, DYNAMIC),
	IGNORED(GNU_VTINHERIT),
	IGNORED(GNU_VTENTRY),
	REFUSED(REV32, "the other order of bytes is for data of other machines"),
};

/* What is above the number is data. */
static const struct link_relocation_type *find_relocation(uint32_t type)
{
	type &= 0xff;
	return type < sizeof(types) / sizeof(types[0]) && types[type].name ? &types[type] : NULL;
}

/* Registers have more bits than distances here, and so need these to have a sign: see apply_counted(). */
static const struct link_relocation_type *find_relocation64(uint32_t type)
{
	static const struct link_relocation_type pc22 = {
		"R_SPARC_PC22", LINK_SPECIAL, 4,
		LINK_FIT_ALL,	.bits = 22,   .wants = LINK_WANTS_ADDRESS
	};
	static const struct link_relocation_type pc10 = {
		"R_SPARC_PC10", LINK_SPECIAL, 4,
		LINK_FIT_ALL,	.bits = 10,   .wants = LINK_WANTS_ADDRESS
	};

	switch (type & 0xff) {
	case R_SPARC_PC22:
		return &pc22;
	case R_SPARC_PC10:
		return &pc10;
	default:
		return find_relocation(type);
	}
}

static int64_t data_of(uint32_t type)
{
	return (int64_t)(type >> 8 ^ 0x800000) - 0x800000;
}

/* ---- Fields --------------------------------------------------------------------------------- */

/* Instructions have one order of bytes on both. */
static uint32_t get_code(const unsigned char *field)
{
	return (uint32_t)link_get(&link_arch_sparc, field, 4);
}

static void put_code(unsigned char *field, uint64_t code)
{
	link_put(&link_arch_sparc, field, 4, code);
}

static void insert(const struct link_relocation_type *type, unsigned char *field, uint64_t bits)
{
	uint32_t code = get_code(field), value = (uint32_t)bits;

	switch (type->form) {
	case FORM_HIX:
		code = (code & ~0x3fffffU) | (~value & 0x3fffff);
		break;
	case FORM_LOX:
		code = (code & ~0x1fffU) | value | 0x1c00;
		break;
	case FORM_WDISP16:
		code = (code & ~0x303fffU) | (value & 0x3fff) | (value >> 14 & 3) << 20;
		break;
	default:
		code = (code & ~0x181fe0U) | (value & 0xff) << 5 | (value >> 8 & 3) << 19;
	}
	put_code(field, code);
}

static uint64_t extract(const struct link_relocation_type *type, const unsigned char *field)
{
	uint32_t code = get_code(field);

	switch (type->form) {
	case FORM_HIX:
		return ~code & 0x3fffff;
	case FORM_LOX:
		return code & 0x3ff;
	case FORM_WDISP16:
		return (code & 0x3fff) | (code >> 20 & 3) << 14;
	default:
		return (code >> 5 & 0xff) | (code >> 19 & 3) << 8;
	}
}

static void put_low(unsigned char *field, unsigned int bits, uint64_t value)
{
	uint32_t mask = (1U << bits) - 1;

	put_code(field, (get_code(field) & ~mask) | (value & mask));
}

/* ---- Thread-local variables, and slots ------------------------------------------------------- */

#define TLS_FUNCTION "__tls_get_addr"

/* Calls of it are relocations against the variable that it is called for. */
static int prepare(struct link *link)
{
	for (struct link_object *object = link->objects; object; object = object->next) {
		for (size_t i = 0; i < object->table_count; i++) {
			for (size_t j = 0; j < object->tables[i].count; j++) {
				Elf64_Rela entry;
				uint32_t type;

				link_get_entry(&object->tables[i], j, &entry);
				type = ELF64_R_TYPE(entry.r_info) & 0xff;
				if (type == R_SPARC_TLS_GD_CALL || type == R_SPARC_TLS_LDM_CALL)
					return link_want_function(link, object, TLS_FUNCTION);
			}
		}
	}
	return 0;
}

/* wdisp30 to the function. */
static int apply_call(struct link *link, const struct link_relocation *relocation,
		      unsigned char *field, uint64_t at)
{
	static const struct link_relocation_type call = {
		"R_SPARC_WDISP30", LINK_BRANCH, 4, LINK_FIT_SIGNED, .bits = 30, .shift = 2
	};
	struct link_relocation copy = *relocation;

	copy.type = &call;
	copy.symbol = link_find(link, TLS_FUNCTION);
	copy.addend = 0;
	return link_apply(link, &copy, field, at);
}

/* The load becomes: add %base, %distance, %destination. */
static void make_addition(unsigned char *field)
{
	put_code(field, 0x80000000 | (get_code(field) & 0x3e07c01f));
}

/* What a distance of the GOT's code is, put together by sethi and xor. */
static void put_distance(unsigned char *field, bool high, int64_t distance)
{
	uint64_t value = (uint64_t)distance;

	if (high)
		put_low(field, 22, (distance < 0 ? ~value : value) >> 10);
	else
		put_low(field, 13, (value & 0x3ff) | (distance < 0 ? 0x1c00 : 0));
}

static int apply_distance(struct link *link, const struct link_relocation *relocation,
			  unsigned char *field)
{
	struct link_symbol *symbol = relocation->symbol;
	uint64_t got = link_got_pointer(link);
	int64_t distance =
		(int64_t)(link_symbol_address(link, symbol) + (uint64_t)relocation->addend - got);
	bool near, high = false;

	if (link->arch->class == ELFCLASS32)
		distance = (int32_t)distance;
	near = distance == (int32_t)distance;
	switch (relocation->number & 0xff) {
	case R_SPARC_GOTDATA_HIX22:
	case R_SPARC_GOTDATA_LOX10:
		if (!near)
			return link_fail_relocation(link, -ERANGE, relocation,
						    "is out of reach from the GOT; compile with "
						    "-fPIC");
		high = (relocation->number & 0xff) == R_SPARC_GOTDATA_HIX22;
		break;
	case R_SPARC_GOTDATA_OP:
		if (near)
			make_addition(field);
		return 0;
	case R_SPARC_GOTDATA_OP_HIX22:
		high = true;
		__attribute__((fallthrough));
	default:
		if (!near)
			distance = (int64_t)(link_use_slot(link, symbol) - got);
	}
	put_distance(field, high, distance);
	return 0;
}

/* add or or, with 13 bits of the instruction, becomes xor. */
static bool make_xor(unsigned char *field)
{
	uint32_t code = get_code(field), operation = code & 0xc1f82000;

	if (operation != 0x80002000 && operation != 0x80102000)
		return false;
	put_code(field, code | 0x00180000);
	return true;
}

/*
 * sethi makes 32 bits without a sign, with which nothing is reached that lies before the code.  Linkers
 * have the GOT behind all code; here that of init is behind the GOT, and so the distance is put together
 * like those that have a sign.
 */
static int apply_counted(struct link *link, const struct link_relocation *relocation,
			 unsigned char *field, uint64_t at)
{
	bool high = (relocation->number & 0xff) == R_SPARC_PC22;
	struct link_relocation copy = *relocation;
	int64_t distance = (int64_t)(link_symbol_address(link, relocation->symbol) +
				     (uint64_t)relocation->addend - at);

	if (distance >= 0 || distance < INT32_MIN) {
		copy.type = find_relocation(relocation->number);
		return link_apply(link, &copy, field, at);
	}
	if (!high && !make_xor(field))
		return link_fail_relocation(link, -ENOEXEC, relocation,
					    "is about what lies before it, and not in an addition; "
					    "compile with -fPIC");
	put_distance(field, high, distance);
	return 0;
}

static int apply(struct link *link, const struct link_relocation *relocation, unsigned char *field,
		 uint64_t at)
{
	uint64_t value;

	switch (relocation->number & 0xff) {
	case R_SPARC_PC22:
	case R_SPARC_PC10:
		return apply_counted(link, relocation, field, at);
	case R_SPARC_TLS_GD_CALL:
	case R_SPARC_TLS_LDM_CALL:
		return apply_call(link, relocation, field, at);
	case R_SPARC_OLO10:
		value = link_symbol_address(link, relocation->symbol) +
			(uint64_t)relocation->addend;
		put_low(field, 13, (value & 0x3ff) + (uint64_t)data_of(relocation->number));
		return 0;
	default:
		return apply_distance(link, relocation, field);
	}
}

/* ---- Stubs ---------------------------------------------------------------------------------- */

#define STUB_BYTES 16
#define STUB64_BYTES 32

/* sethi %hi(slot), %g1; ld [%g1 + %lo(slot)], %g1; jmp %g1; nop */
static bool write_stub(unsigned char *buffer, uint64_t at, uint64_t slot, bool marked)
{
	(void)at;
	(void)marked;
	put_code(buffer, 0x03000000 | (slot >> 10 & 0x3fffff));
	put_code(buffer + 4, 0xc2006000 | (slot & 0x3ff));
	put_code(buffer + 8, 0x81c04000);
	put_code(buffer + 12, 0x01000000);
	return true;
}

/*
 * The slot by its distance from the stub, for which %o7 must be kept:
 *
 *     rd %pc, %g1; sethi %hi(distance), %g5; xor or or, %lo; ldx [%g1 + %g5], %g1; jmp %g1; nop
 */
static bool write_stub64(unsigned char *buffer, uint64_t at, uint64_t slot, bool marked)
{
	int64_t distance = (int64_t)(slot - at);

	(void)marked;
	if (distance != (int32_t)distance)
		return false;
	put_code(buffer, 0x83414000);	  /* rd %pc, %g1 */
	put_code(buffer + 4, 0x0b000000); /* sethi 0, %g5 */
	put_code(buffer + 8, 0x8a196000); /* xor %g5, 0, %g5 */
	put_distance(buffer + 4, true, distance);
	put_distance(buffer + 8, false, distance);
	put_code(buffer + 12, 0xc2584005); /* ldx [%g1 + %g5], %g1 */
	put_code(buffer + 16, 0x81c04000); /* jmp %g1 */
	for (size_t i = 20; i < STUB64_BYTES; i += 4)
		put_code(buffer + i, 0x01000000);
	return true;
}

const struct link_arch link_arch_sparc = {
	.machine = EM_SPARC,
	.other_machine = EM_SPARC32PLUS,
	.class = ELFCLASS32,
	.encoding = ELFDATA2MSB,
	.name = "sparc",
	.page_size = 8192,
	.got_bytes = 4,
	.stub_bytes = STUB_BYTES,
	.stub_align = 4,
	.marked_stub_bytes = STUB_BYTES,
	.relocation = find_relocation,
	.write_stub = write_stub,
	.insert = insert,
	.extract = extract,
	.apply = apply,
	.prepare = prepare,
};

const struct link_arch link_arch_sparc64 = {
	.machine = EM_SPARCV9,
	.not_a_symbol = STT_SPARC_REGISTER,
	.class = ELFCLASS64,
	.encoding = ELFDATA2MSB,
	.name = "sparc64",
	.page_size = 8192,
	.got_bytes = 8,
	.stub_bytes = STUB64_BYTES,
	.stub_align = 32,
	.marked_stub_bytes = STUB64_BYTES,
	.relocation = find_relocation64,
	.write_stub = write_stub64,
	.insert = insert,
	.extract = extract,
	.apply = apply,
	.prepare = prepare,
};
