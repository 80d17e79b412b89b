/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aarch64: relocations and stubs.
 *
 * An address is made of a page and an offset in it: adrp gives the page of 4096 bytes, +-4 GiB from that
 * of the instruction, and an add, or the load itself, has the low twelve bits, as a multiple of the
 * size it loads.  Branches reach +-128 MiB.  ("ELF for the Arm 64-bit Architecture", Relocation.)
 */
#include "elf/internal.h"

#define ENTRY(number, ...) [R_AARCH64_##number] = { "R_AARCH64_" #number, __VA_ARGS__ }
#define REFUSED(number, why) ENTRY(number, .reason = (why))
#define DATA(number, kind, bytes, fit) ENTRY(number, kind, bytes, fit, .reason = NULL)
/* `count` bits from bit 5 or 0 of an instruction, in units of 4 bytes. */
#define WORDS(number, kind, count, at)                                                             \
	ENTRY(number, kind, 4, LINK_FIT_SIGNED, .bits = (count), .shift = 2, .low = (at),          \
	      .exact = true)
/* The low twelve bits of what `kind` makes, in units of 2^right bytes; LINK_FIT_UNSIGNED: it has no more. */
#define LOW(number, kind, right, fit)                                                              \
	ENTRY(number, kind, 4, fit, .bits = 12 - (right), .shift = (right), .low = 10,             \
	      .exact = true, .from = LINK_FROM_ZERO)
/* The twelve bits above them. */
#define HIGH(number, kind)                                                                         \
	ENTRY(number, kind, 4, LINK_FIT_UNSIGNED, .bits = 12, .shift = 12, .low = 10)
#define PAGE(number, kind, fit)                                                                    \
	ENTRY(number, kind, 4, fit, .bits = 21, .shift = 12, .form = FORM_ADR,                     \
	      .from = LINK_FROM_PAGE)
#define ADR(number, kind) ENTRY(number, kind, 4, LINK_FIT_SIGNED, .bits = 21, .form = FORM_ADR)
/* Sixteen bits of a value, those from 16 * group on: of an instruction that moves them as they are, or of
 * one that becomes MOVZ or, for a value below zero, MOVN. */
#define MOVE(number, kind, fit, group)                                                             \
	ENTRY(number, kind, 4, fit, .bits = 16, .shift = 16 * (group), .low = 5)
#define SIGNED_MOVE(number, kind, group)                                                           \
	ENTRY(number, kind, 4, LINK_FIT_SIGNED, .bits = 17, .shift = 16 * (group),                 \
	      .form = FORM_SIGNED_MOVE)
#define GOT_MOVE(number, kind, group)                                                              \
	ENTRY(number, kind, 4, LINK_FIT_ALL, .bits = 16, .shift = 16 * (group), .low = 5,          \
	      .from = LINK_FROM_GOT)

/* Fifteen bits, in units of slots. */
#define GOT_LOW(number, kind, want)                                                                \
	ENTRY(number, kind, 4, LINK_FIT_UNSIGNED, .bits = 12, .shift = 3, .low = 10,               \
	      .exact = true, .wants = (want))

#define FORM_ADR 1	   /* two bits at 29, the others at 5 */
#define FORM_SIGNED_MOVE 2 /* the sign in the opcode, 16 bits at 5 */

#define DYNAMIC "only in linked files"
#define ILP32 "only in objects for ILP32; compile with -mabi=lp64"
#define UNMADE "no compiler makes it, and ld does not know it"

static const struct link_relocation_type types[] = {
	DATA(NONE, LINK_IGNORED, 0, LINK_FIT_ALL),
	REFUSED(P32_ABS32, ILP32),
	REFUSED(P32_COPY, ILP32),
	REFUSED(P32_GLOB_DAT, ILP32),
	REFUSED(P32_JUMP_SLOT, ILP32),
	REFUSED(P32_RELATIVE, ILP32),
	REFUSED(P32_TLS_DTPMOD, ILP32),
	REFUSED(P32_TLS_DTPREL, ILP32),
	REFUSED(P32_TLS_TPREL, ILP32),
	REFUSED(P32_TLSDESC, ILP32),
	REFUSED(P32_IRELATIVE, ILP32),
	[256] = { "R_AARCH64_NULL", LINK_IGNORED, 0, LINK_FIT_ALL, .reason = NULL },

	/* ld takes no negative numbers where the ABI does. */
	DATA(ABS64, LINK_ABSOLUTE, 8, LINK_FIT_ALL),
	DATA(ABS32, LINK_ABSOLUTE, 4, LINK_FIT_UNSIGNED),
	DATA(ABS16, LINK_ABSOLUTE, 2, LINK_FIT_UNSIGNED),
	DATA(PREL64, LINK_RELATIVE, 8, LINK_FIT_ALL),
	DATA(PREL32, LINK_RELATIVE, 4, LINK_FIT_SIGNED),
	DATA(PREL16, LINK_RELATIVE, 2, LINK_FIT_SIGNED),

	MOVE(MOVW_UABS_G0, LINK_ABSOLUTE, LINK_FIT_UNSIGNED, 0),
	MOVE(MOVW_UABS_G0_NC, LINK_ABSOLUTE, LINK_FIT_ALL, 0),
	MOVE(MOVW_UABS_G1, LINK_ABSOLUTE, LINK_FIT_UNSIGNED, 1),
	MOVE(MOVW_UABS_G1_NC, LINK_ABSOLUTE, LINK_FIT_ALL, 1),
	MOVE(MOVW_UABS_G2, LINK_ABSOLUTE, LINK_FIT_UNSIGNED, 2),
	MOVE(MOVW_UABS_G2_NC, LINK_ABSOLUTE, LINK_FIT_ALL, 2),
	MOVE(MOVW_UABS_G3, LINK_ABSOLUTE, LINK_FIT_ALL, 3),
	SIGNED_MOVE(MOVW_SABS_G0, LINK_ABSOLUTE, 0),
	SIGNED_MOVE(MOVW_SABS_G1, LINK_ABSOLUTE, 1),
	SIGNED_MOVE(MOVW_SABS_G2, LINK_ABSOLUTE, 2),
	SIGNED_MOVE(MOVW_PREL_G0, LINK_RELATIVE, 0),
	MOVE(MOVW_PREL_G0_NC, LINK_RELATIVE, LINK_FIT_ALL, 0),
	SIGNED_MOVE(MOVW_PREL_G1, LINK_RELATIVE, 1),
	MOVE(MOVW_PREL_G1_NC, LINK_RELATIVE, LINK_FIT_ALL, 1),
	SIGNED_MOVE(MOVW_PREL_G2, LINK_RELATIVE, 2),
	MOVE(MOVW_PREL_G2_NC, LINK_RELATIVE, LINK_FIT_ALL, 2),
	SIGNED_MOVE(MOVW_PREL_G3, LINK_RELATIVE, 3),

	WORDS(LD_PREL_LO19, LINK_RELATIVE, 19, 5),
	ADR(ADR_PREL_LO21, LINK_RELATIVE),
	PAGE(ADR_PREL_PG_HI21, LINK_RELATIVE, LINK_FIT_SIGNED),
	PAGE(ADR_PREL_PG_HI21_NC, LINK_RELATIVE, LINK_FIT_ALL),
	LOW(ADD_ABS_LO12_NC, LINK_ABSOLUTE, 0, LINK_FIT_ALL),
	LOW(LDST8_ABS_LO12_NC, LINK_ABSOLUTE, 0, LINK_FIT_ALL),
	LOW(LDST16_ABS_LO12_NC, LINK_ABSOLUTE, 1, LINK_FIT_ALL),
	LOW(LDST32_ABS_LO12_NC, LINK_ABSOLUTE, 2, LINK_FIT_ALL),
	LOW(LDST64_ABS_LO12_NC, LINK_ABSOLUTE, 3, LINK_FIT_ALL),
	LOW(LDST128_ABS_LO12_NC, LINK_ABSOLUTE, 4, LINK_FIT_ALL),
	WORDS(TSTBR14, LINK_RELATIVE, 14, 5),
	WORDS(CONDBR19, LINK_RELATIVE, 19, 5),
	WORDS(JUMP26, LINK_BRANCH, 26, 0),
	WORDS(CALL26, LINK_BRANCH, 26, 0),

	REFUSED(MOVW_GOTOFF_G0, UNMADE),
	GOT_MOVE(MOVW_GOTOFF_G0_NC, LINK_GOT_SLOT, 0),
	GOT_MOVE(MOVW_GOTOFF_G1, LINK_GOT_SLOT, 1),
	REFUSED(MOVW_GOTOFF_G1_NC, UNMADE),
	REFUSED(MOVW_GOTOFF_G2, UNMADE),
	REFUSED(MOVW_GOTOFF_G2_NC, UNMADE),
	REFUSED(MOVW_GOTOFF_G3, UNMADE),
	REFUSED(GOTREL64, UNMADE),
	REFUSED(GOTREL32, UNMADE),
	WORDS(GOT_LD_PREL19, LINK_GOT_RELATIVE, 19, 5),
	GOT_LOW(LD64_GOTOFF_LO15, LINK_GOT_SLOT, 0),
	PAGE(ADR_GOT_PAGE, LINK_GOT_RELATIVE, LINK_FIT_SIGNED),
	LOW(LD64_GOT_LO12_NC, LINK_GOT_RELATIVE, 3, LINK_FIT_ALL),
	GOT_LOW(LD64_GOTPAGE_LO15, LINK_SPECIAL, LINK_WANTS_SLOT | LINK_WANTS_GOT),
	[314] = { "R_AARCH64_PLT32", LINK_RELATIVE, 4, LINK_FIT_SIGNED, .reason = NULL },
	[315] = { "R_AARCH64_GOTPCREL32", LINK_GOT_RELATIVE, 4, LINK_FIT_SIGNED, .reason = NULL },

	ADR(TLSGD_ADR_PREL21, LINK_TLS_GENERAL),
	PAGE(TLSGD_ADR_PAGE21, LINK_TLS_GENERAL, LINK_FIT_SIGNED),
	LOW(TLSGD_ADD_LO12_NC, LINK_TLS_GENERAL, 0, LINK_FIT_ALL),
	GOT_MOVE(TLSGD_MOVW_G1, LINK_TLS_GENERAL, 1),
	GOT_MOVE(TLSGD_MOVW_G0_NC, LINK_TLS_GENERAL, 0),
	ADR(TLSLD_ADR_PREL21, LINK_TLS_LOCAL),
	PAGE(TLSLD_ADR_PAGE21, LINK_TLS_LOCAL, LINK_FIT_SIGNED),
	LOW(TLSLD_ADD_LO12_NC, LINK_TLS_LOCAL, 0, LINK_FIT_ALL),
	REFUSED(TLSLD_MOVW_G1, UNMADE),
	REFUSED(TLSLD_MOVW_G0_NC, UNMADE),
	REFUSED(TLSLD_LD_PREL19, UNMADE),
	SIGNED_MOVE(TLSLD_MOVW_DTPREL_G2, LINK_TLS_OFFSET, 2),
	SIGNED_MOVE(TLSLD_MOVW_DTPREL_G1, LINK_TLS_OFFSET, 1),
	MOVE(TLSLD_MOVW_DTPREL_G1_NC, LINK_TLS_OFFSET, LINK_FIT_ALL, 1),
	SIGNED_MOVE(TLSLD_MOVW_DTPREL_G0, LINK_TLS_OFFSET, 0),
	MOVE(TLSLD_MOVW_DTPREL_G0_NC, LINK_TLS_OFFSET, LINK_FIT_ALL, 0),
	HIGH(TLSLD_ADD_DTPREL_HI12, LINK_TLS_OFFSET),
	LOW(TLSLD_ADD_DTPREL_LO12, LINK_TLS_OFFSET, 0, LINK_FIT_UNSIGNED),
	LOW(TLSLD_ADD_DTPREL_LO12_NC, LINK_TLS_OFFSET, 0, LINK_FIT_ALL),
	LOW(TLSLD_LDST8_DTPREL_LO12, LINK_TLS_OFFSET, 0, LINK_FIT_UNSIGNED),
	LOW(TLSLD_LDST8_DTPREL_LO12_NC, LINK_TLS_OFFSET, 0, LINK_FIT_ALL),
	LOW(TLSLD_LDST16_DTPREL_LO12, LINK_TLS_OFFSET, 1, LINK_FIT_UNSIGNED),
	LOW(TLSLD_LDST16_DTPREL_LO12_NC, LINK_TLS_OFFSET, 1, LINK_FIT_ALL),
	LOW(TLSLD_LDST32_DTPREL_LO12, LINK_TLS_OFFSET, 2, LINK_FIT_UNSIGNED),
	LOW(TLSLD_LDST32_DTPREL_LO12_NC, LINK_TLS_OFFSET, 2, LINK_FIT_ALL),
	LOW(TLSLD_LDST64_DTPREL_LO12, LINK_TLS_OFFSET, 3, LINK_FIT_UNSIGNED),
	LOW(TLSLD_LDST64_DTPREL_LO12_NC, LINK_TLS_OFFSET, 3, LINK_FIT_ALL),
	LOW(TLSLD_LDST128_DTPREL_LO12, LINK_TLS_OFFSET, 4, LINK_FIT_UNSIGNED),
	LOW(TLSLD_LDST128_DTPREL_LO12_NC, LINK_TLS_OFFSET, 4, LINK_FIT_ALL),
	GOT_MOVE(TLSIE_MOVW_GOTTPREL_G1, LINK_TLS_INITIAL, 1),
	GOT_MOVE(TLSIE_MOVW_GOTTPREL_G0_NC, LINK_TLS_INITIAL, 0),
	PAGE(TLSIE_ADR_GOTTPREL_PAGE21, LINK_TLS_INITIAL, LINK_FIT_SIGNED),
	LOW(TLSIE_LD64_GOTTPREL_LO12_NC, LINK_TLS_INITIAL, 3, LINK_FIT_ALL),
	WORDS(TLSIE_LD_GOTTPREL_PREL19, LINK_TLS_INITIAL, 19, 5),
	SIGNED_MOVE(TLSLE_MOVW_TPREL_G2, LINK_TLS_DISTANCE, 2),
	SIGNED_MOVE(TLSLE_MOVW_TPREL_G1, LINK_TLS_DISTANCE, 1),
	MOVE(TLSLE_MOVW_TPREL_G1_NC, LINK_TLS_DISTANCE, LINK_FIT_ALL, 1),
	SIGNED_MOVE(TLSLE_MOVW_TPREL_G0, LINK_TLS_DISTANCE, 0),
	MOVE(TLSLE_MOVW_TPREL_G0_NC, LINK_TLS_DISTANCE, LINK_FIT_ALL, 0),
	HIGH(TLSLE_ADD_TPREL_HI12, LINK_TLS_DISTANCE),
	LOW(TLSLE_ADD_TPREL_LO12, LINK_TLS_DISTANCE, 0, LINK_FIT_UNSIGNED),
	LOW(TLSLE_ADD_TPREL_LO12_NC, LINK_TLS_DISTANCE, 0, LINK_FIT_ALL),
	LOW(TLSLE_LDST8_TPREL_LO12, LINK_TLS_DISTANCE, 0, LINK_FIT_UNSIGNED),
	LOW(TLSLE_LDST8_TPREL_LO12_NC, LINK_TLS_DISTANCE, 0, LINK_FIT_ALL),
	LOW(TLSLE_LDST16_TPREL_LO12, LINK_TLS_DISTANCE, 1, LINK_FIT_UNSIGNED),
	LOW(TLSLE_LDST16_TPREL_LO12_NC, LINK_TLS_DISTANCE, 1, LINK_FIT_ALL),
	LOW(TLSLE_LDST32_TPREL_LO12, LINK_TLS_DISTANCE, 2, LINK_FIT_UNSIGNED),
	LOW(TLSLE_LDST32_TPREL_LO12_NC, LINK_TLS_DISTANCE, 2, LINK_FIT_ALL),
	LOW(TLSLE_LDST64_TPREL_LO12, LINK_TLS_DISTANCE, 3, LINK_FIT_UNSIGNED),
	LOW(TLSLE_LDST64_TPREL_LO12_NC, LINK_TLS_DISTANCE, 3, LINK_FIT_ALL),
	LOW(TLSLE_LDST128_TPREL_LO12, LINK_TLS_DISTANCE, 4, LINK_FIT_UNSIGNED),
	LOW(TLSLE_LDST128_TPREL_LO12_NC, LINK_TLS_DISTANCE, 4, LINK_FIT_ALL),
	WORDS(TLSDESC_LD_PREL19, LINK_TLS_DESCRIPTOR, 19, 5),
	ADR(TLSDESC_ADR_PREL21, LINK_TLS_DESCRIPTOR),
	PAGE(TLSDESC_ADR_PAGE21, LINK_TLS_DESCRIPTOR, LINK_FIT_SIGNED),
	LOW(TLSDESC_LD64_LO12, LINK_TLS_DESCRIPTOR, 3, LINK_FIT_ALL),
	LOW(TLSDESC_ADD_LO12, LINK_TLS_DESCRIPTOR, 0, LINK_FIT_ALL),
	GOT_MOVE(TLSDESC_OFF_G1, LINK_TLS_DESCRIPTOR, 1),
	GOT_MOVE(TLSDESC_OFF_G0_NC, LINK_TLS_DESCRIPTOR, 0),
	DATA(TLSDESC_LDR, LINK_TLS_CALL, 0, LINK_FIT_ALL),
	DATA(TLSDESC_ADD, LINK_TLS_CALL, 0, LINK_FIT_ALL),
	DATA(TLSDESC_CALL, LINK_TLS_CALL, 0, LINK_FIT_ALL),

	REFUSED(COPY, DYNAMIC),
	REFUSED(GLOB_DAT, DYNAMIC),
	REFUSED(JUMP_SLOT, DYNAMIC),
	REFUSED(RELATIVE, DYNAMIC),
	REFUSED(TLS_DTPMOD, DYNAMIC),
	REFUSED(TLS_DTPREL, DYNAMIC),
	REFUSED(TLS_TPREL, DYNAMIC),
	REFUSED(TLSDESC, DYNAMIC),
	REFUSED(IRELATIVE, DYNAMIC),
};

static const struct link_relocation_type *find_relocation(uint32_t type)
{
	return type < sizeof(types) / sizeof(types[0]) && types[type].name ? &types[type] : NULL;
}

/* ---- Fields --------------------------------------------------------------------------------- */

#define ADR_MASK ((uint64_t)0x60ffffe0)
#define MOVE_MASK ((uint64_t)0x401fffe0)
#define MOVE_ZERO ((uint64_t)1 << 30) /* MOVZ, not MOVN */

static uint64_t move(uint64_t bits)
{
	return bits >> 16 & 1 ? (~bits & 0xffff) << 5 : MOVE_ZERO | (bits & 0xffff) << 5;
}

static void insert(const struct link_relocation_type *type, unsigned char *field, uint64_t bits)
{
	uint64_t code = link_get(&link_arch_aarch64, field, 4);

	if (type->form == FORM_ADR)
		code = (code & ~ADR_MASK) | (bits & 3) << 29 | (bits >> 2 & 0x7ffff) << 5;
	else
		code = (code & ~MOVE_MASK) | move(bits);
	link_put(&link_arch_aarch64, field, 4, code);
}

static uint64_t extract(const struct link_relocation_type *type, const unsigned char *field)
{
	uint64_t code = link_get(&link_arch_aarch64, field, 4);

	if (type->form == FORM_ADR)
		return (code >> 29 & 3) | (code >> 5 & 0x7ffff) << 2;
	return code & MOVE_ZERO ? code >> 5 & 0xffff : (~(code >> 5) & 0xffff) | 0x10000;
}

/* A slot, from the page that the GOT begins in. */
static int apply(struct link *link, const struct link_relocation *relocation, unsigned char *field,
		 uint64_t at)
{
	uint64_t value = link_use_slot(link, relocation->symbol) + (uint64_t)relocation->addend;

	(void)at;
	return link_write_value(link, relocation, field,
				(int64_t)(value - (link_got_pointer(link) & ~LINK_PAGE_MASK)));
}

/* ---- Stubs ---------------------------------------------------------------------------------- */

#define STUB_BYTES 16

/*
 *     bti  c          adrp x16, slot          ldr x17, [x16, #offset]          br x17
 *
 * Where nobody looks at marks, the first does nothing.
 */
static bool write_stub(unsigned char *buffer, uint64_t at, uint64_t slot, bool marked)
{
	static const struct link_relocation_type page = { .bytes = 4, .form = FORM_ADR };
	int64_t pages = (int64_t)((slot & ~LINK_PAGE_MASK) - ((at + 4) & ~LINK_PAGE_MASK)) >> 12;

	(void)marked;
	if (pages < -((int64_t)1 << 20) || pages >= (int64_t)1 << 20)
		return false;
	link_put(&link_arch_aarch64, buffer, 4, 0xd503245f);
	link_put(&link_arch_aarch64, buffer + 4, 4, 0x90000010);
	insert(&page, buffer + 4, (uint64_t)pages);
	link_put(&link_arch_aarch64, buffer + 8, 4,
		 0xf9400211 | (slot & LINK_PAGE_MASK) >> 3 << 10);
	link_put(&link_arch_aarch64, buffer + 12, 4, 0xd61f0220);
	return true;
}

/* nop */
static void skip(const struct link_relocation *relocation, unsigned char *field)
{
	link_put(&link_arch_aarch64, field, relocation->type->bytes, 0xd503201f);
}

const struct link_arch link_arch_aarch64 = {
	.machine = EM_AARCH64,
	.class = ELFCLASS64,
	.encoding = ELFDATA2LSB,
	.name = "aarch64",
	.wrong_class = "it is for ILP32; compile with -mabi=lp64",
	.page_size = 65536,
	.got_bytes = 8,
	.stub_bytes = STUB_BYTES,
	.stub_align = 16,
	.marked_stub_bytes = STUB_BYTES,
	.mapping_symbols = "xd",
	.relocation = find_relocation,
	.write_stub = write_stub,
	.insert = insert,
	.extract = extract,
	.apply = apply,
	.skip = skip,
};
