/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sh4, little-endian: relocations and stubs.
 *
 * Instructions have 16 bits and reach little, so code has its addresses and distances as numbers of 32
 * bits between functions: an addend from where such a number is used may be part of the distance, as in
 * x@PLT - (label - .).  Branches reach +-4 KiB; the four bytes that the processor is ahead are in the
 * addend, except in what is made for short branches and loads.
 *
 * Entries have addends, and yet assemblers leave numbers of 32 bits in the fields: both count.  What
 * is there for linkers that shorten code is ignored.
 *
 * (Renesas "SH-4 Software Manual"; "ELF Handling For Thread-Local Storage".)
 */
#include "elf/internal.h"

#define ENTRY(number, ...) [R_SH_##number] = { "R_SH_" #number, __VA_ARGS__ }
#define REFUSED(number, why) ENTRY(number, .reason = (why))
#define IGNORED(number) ENTRY(number, LINK_IGNORED, .reason = NULL)
#define WORD(number, kind) ENTRY(number, kind, 4, LINK_FIT_ALL, .reason = NULL)
/* A slot's distance from the GOT. */
#define SLOT(number, kind) ENTRY(number, kind, 4, LINK_FIT_ALL, .from = LINK_FROM_GOT)
#define SHORT(number, fits, right)                                                                 \
	ENTRY(number, LINK_SPECIAL, 2, fits, .bits = 8, .shift = (right), .exact = true,           \
	      .wants = LINK_WANTS_ADDRESS)
#define PART(number, bytes) ENTRY(number, LINK_ABSOLUTE, bytes, LINK_FIT_EITHER, .reason = NULL)
#define BRANCH(number, count)                                                                      \
	ENTRY(number, LINK_BRANCH, 2, LINK_FIT_SIGNED, .bits = (count), .shift = 1, .exact = true)

#define DYNAMIC "only in linked files"
#define UNUSED_TYPE "compilers do not make it"
#define DSP "it is for processors with a DSP"
#define FDPIC "it is for systems without an MMU; compile with -mno-fdpic"

/* As binutils number them; some are otherwise in <elf.h>, or missing. */
#undef R_SH_SWITCH8
#undef R_SH_GNU_VTINHERIT
#undef R_SH_GNU_VTENTRY
#undef R_SH_GOT20
#undef R_SH_GOTOFF20
#undef R_SH_GOTFUNCDESC
#undef R_SH_GOTOFFFUNCDESC
#undef R_SH_FUNCDESC
#undef R_SH_FUNCDESC_VALUE
#define R_SH_LOOP_START 10
#define R_SH_LOOP_END 11
#define R_SH_GNU_VTINHERIT 22
#define R_SH_GNU_VTENTRY 23
#define R_SH_SWITCH8 24
#define R_SH_DIR16 33
#define R_SH_DIR8 34
#define R_SH_DIR8UL 35
#define R_SH_DIR8UW 36
#define R_SH_DIR8U 37
#define R_SH_DIR8SW 38
#define R_SH_DIR8S 39
#define R_SH_DIR4UL 40
#define R_SH_DIR4UW 41
#define R_SH_DIR4U 42
#define R_SH_PSHA 43
#define R_SH_PSHL 44
#define R_SH_DIR16S 53
#define R_SH_GOTPLT32 168
#define R_SH_GOT20 201
#define R_SH_GOTOFF20 202
#define R_SH_GOTFUNCDESC 203
#define R_SH_GOTFUNCDESC20 204
#define R_SH_GOTOFFFUNCDESC 205
#define R_SH_GOTOFFFUNCDESC20 206
#define R_SH_FUNCDESC 207
#define R_SH_FUNCDESC_VALUE 208

static const struct link_relocation_type types[] = {
	IGNORED(NONE),
	WORD(DIR32, LINK_ABSOLUTE),
	WORD(REL32, LINK_RELATIVE),
	SHORT(DIR8WPN, LINK_FIT_SIGNED, 1),
	BRANCH(IND12W, 12),
	SHORT(DIR8WPL, LINK_FIT_UNSIGNED, 2),
	SHORT(DIR8WPZ, LINK_FIT_UNSIGNED, 1),
	REFUSED(DIR8BP, UNUSED_TYPE),
	REFUSED(DIR8W, UNUSED_TYPE),
	REFUSED(DIR8L, UNUSED_TYPE),
	REFUSED(LOOP_START, DSP),
	REFUSED(LOOP_END, DSP),
	IGNORED(GNU_VTINHERIT),
	IGNORED(GNU_VTENTRY),
	IGNORED(SWITCH8),
	IGNORED(SWITCH16),
	IGNORED(SWITCH32),
	IGNORED(USES),
	IGNORED(COUNT),
	IGNORED(ALIGN),
	IGNORED(CODE),
	IGNORED(DATA),
	IGNORED(LABEL),
	PART(DIR16, 2),
	PART(DIR8, 1),
	REFUSED(DIR8UL, UNUSED_TYPE),
	REFUSED(DIR8UW, UNUSED_TYPE),
	REFUSED(DIR8U, UNUSED_TYPE),
	REFUSED(DIR8SW, UNUSED_TYPE),
	REFUSED(DIR8S, UNUSED_TYPE),
	REFUSED(DIR4UL, UNUSED_TYPE),
	REFUSED(DIR4UW, UNUSED_TYPE),
	REFUSED(DIR4U, UNUSED_TYPE),
	REFUSED(PSHA, DSP),
	REFUSED(PSHL, DSP),
	REFUSED(DIR16S, UNUSED_TYPE),
	SLOT(TLS_GD_32, LINK_TLS_GENERAL),
	SLOT(TLS_LD_32, LINK_TLS_LOCAL),
	WORD(TLS_LDO_32, LINK_TLS_OFFSET),
	SLOT(TLS_IE_32, LINK_TLS_INITIAL),
	WORD(TLS_LE_32, LINK_TLS_DISTANCE),
	REFUSED(TLS_DTPMOD32, DYNAMIC),
	REFUSED(TLS_DTPOFF32, DYNAMIC),
	REFUSED(TLS_TPOFF32, DYNAMIC),
	WORD(GOT32, LINK_GOT_SLOT),
	WORD(PLT32, LINK_RELATIVE),
	REFUSED(COPY, DYNAMIC),
	REFUSED(GLOB_DAT, DYNAMIC),
	REFUSED(JMP_SLOT, DYNAMIC),
	REFUSED(RELATIVE, DYNAMIC),
	WORD(GOTOFF, LINK_GOT_OFFSET),
	WORD(GOTPC, LINK_GOT_BASE),
	WORD(GOTPLT32, LINK_GOT_SLOT),
	REFUSED(GOT20, FDPIC),
	REFUSED(GOTOFF20, FDPIC),
	REFUSED(GOTFUNCDESC, FDPIC),
	REFUSED(GOTFUNCDESC20, FDPIC),
	REFUSED(GOTOFFFUNCDESC, FDPIC),
	REFUSED(GOTOFFFUNCDESC20, FDPIC),
	REFUSED(FUNCDESC, FDPIC),
	REFUSED(FUNCDESC_VALUE, FDPIC),
};

static const struct link_relocation_type *find_relocation(uint32_t type)
{
	return type < sizeof(types) / sizeof(types[0]) && types[type].name ? &types[type] : NULL;
}

/* ---- Short branches and loads ----------------------------------------------------------------- */

/* From where the processor is; against its own section the assembler has done it already. */
static int apply(struct link *link, const struct link_relocation *relocation, unsigned char *field,
		 uint64_t at)
{
	const struct link_symbol *symbol = relocation->symbol;
	uint64_t value = link_symbol_address(link, symbol);

	if (symbol->section == relocation->section && !symbol->value)
		return 0;
	value += (uint64_t)relocation->addend - at - 4;
	return link_write_value(link, relocation, field, (int64_t)value);
}

/* ---- Stubs ---------------------------------------------------------------------------------- */

#define STUB_BYTES 12

/* mov.l number, r1; mov.l @r1, r1; jmp @r1; nop; number: .long slot */
static bool write_stub(unsigned char *buffer, uint64_t at, uint64_t slot, bool marked)
{
	static const uint16_t codes[] = { 0xd101, 0x6112, 0x412b, 0x0009 };

	(void)at;
	(void)marked;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		link_put(&link_arch_sh4, buffer + 2 * i, 2, codes[i]);
	link_put(&link_arch_sh4, buffer + 8, 4, slot);
	return true;
}

/* ---- Objects that fit together ---------------------------------------------------------------- */

#define FDPIC_FLAG 0x8000U /* of e_flags */

static int check_flags(struct link_object *object, uint32_t flags)
{
	if (flags & FDPIC_FLAG)
		return link_fail(object->link, -ENOEXEC,
				 "%s: compiled for another ABI (FDPIC); compile with -mno-fdpic",
				 object->name);
	return 0;
}

const struct link_arch link_arch_sh4 = {
	.machine = EM_SH,
	.class = ELFCLASS32,
	.encoding = ELFDATA2LSB,
	.name = "sh4",
	.adds_fields = true,
	.page_size = 65536,
	.got_bytes = 4,
	.got_reserved = 3,
	.stub_bytes = STUB_BYTES,
	.stub_align = 4,
	.marked_stub_bytes = STUB_BYTES,
	.relocation = find_relocation,
	.write_stub = write_stub,
	.check_flags = check_flags,
	.apply = apply,
};
