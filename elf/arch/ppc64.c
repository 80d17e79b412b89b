/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * powerpc of 64 bits: ppc64le with the ABI called ELFv2, and ppc64, big-endian, with ELFv1.
 *
 * Register r2 has the TOC's address, 0x8000 behind the GOT, whose first slot is the TOC's own, and code
 * reaches slots, and parts of objects that are called .toc, by their distance from there.  Addresses come in parts of 16 bits, as
 * on powerpc of 32 bits; some instructions keep the lowest two bits of theirs for something else.
 *
 * A function of another TOC changes r2, so the stub saves it and the instruction behind the call, which
 * is a nop in the object, restores it.  Where there is none, such a call can't be made.
 *
 *     ELFv2  a function has a global entry, which finds its TOC by r12, and a local one, some
 *            instructions later (three bits of st_other tell how many), for those that share it
 *     ELFv1  a function's symbol is at a descriptor in .opd: entry, TOC, environment, 8 bytes each
 *
 * ("64-Bit ELF V2 ABI Specification: Power Architecture"; "64-bit PowerPC ELF ABI Supplement 1.9".)
 */
#include "elf/internal.h"

#define ENTRY(number, ...) [R_PPC64_##number] = { "R_PPC64_" #number, __VA_ARGS__ }
#define REFUSED(number, why) ENTRY(number, .reason = (why))
#define IGNORED(number) ENTRY(number, .kind = LINK_IGNORED)
#define DATA(number, kind, bytes, fit) ENTRY(number, kind, bytes, fit, .reason = NULL)
#define CODE(number, kind, count)                                                                  \
	ENTRY(number, kind, 4, LINK_FIT_SIGNED, .bits = (count), .shift = 2, .low = 2,             \
	      .exact = true)
#define HINTED(number, counted)                                                                    \
	ENTRY(number, LINK_SPECIAL, 4, LINK_FIT_SIGNED, .bits = 14, .shift = 2, .low = 2,          \
	      .exact = true, .from = (counted), .wants = LINK_WANTS_ADDRESS)
#define HALF(number, kind, fit, right, carries, origin)                                            \
	ENTRY(number, kind, 2, fit, .bits = 16, .shift = (right), .carry = (carries) ? 15 : 0,     \
	      .from = (origin))
/* Without the lowest two bits. */
#define SHORT(number, kind, fit, origin)                                                           \
	ENTRY(number, kind, 2, fit, .bits = 14, .shift = 2, .low = 2, .exact = true,               \
	      .from = (origin))
/* All 16 bits, and the three parts of 32. */
#define UPPER(number, kind, origin)                                                                \
	HALF(number##_HI, kind, LINK_FIT_SIGNED, 16, false, origin),                               \
		HALF(number##_HA, kind, LINK_FIT_SIGNED, 16, true, origin)
#define HALVES(number, kind, whole, origin)                                                        \
	HALF(number, kind, whole, 0, false, origin),                                               \
		HALF(number##_LO, kind, LINK_FIT_ALL, 0, false, origin),                           \
		UPPER(number, kind, origin)
#define SHORTS(number, kind, origin)                                                               \
	SHORT(number##_DS, kind, LINK_FIT_SIGNED, origin),                                         \
		SHORT(number##_LO_DS, kind, LINK_FIT_ALL, origin)
/* The parts above 32 bits, and those of 32 that need not fit. */
#define HIGHER(number, kind)                                                                       \
	HALF(number##_HIGH, kind, LINK_FIT_ALL, 16, false, LINK_FROM_ZERO),                        \
		HALF(number##_HIGHA, kind, LINK_FIT_ALL, 16, true, LINK_FROM_ZERO),                \
		HALF(number##_HIGHER, kind, LINK_FIT_ALL, 32, false, LINK_FROM_ZERO),              \
		HALF(number##_HIGHERA, kind, LINK_FIT_ALL, 32, true, LINK_FROM_ZERO),              \
		HALF(number##_HIGHEST, kind, LINK_FIT_ALL, 48, false, LINK_FROM_ZERO),             \
		HALF(number##_HIGHESTA, kind, LINK_FIT_ALL, 48, true, LINK_FROM_ZERO)

#define DYNAMIC "only in linked files"
#define OF_PLT "it names a procedure linkage table; compile without -mlongcall and -fno-plt"
#define OF_SECTION "it counts from a section of the linked file"
#define PREFIXED                                                                                   \
	"it is for instructions of Power10 that count from their place; compile with -mno-pcrel"

/* Those that older <elf.h> does not have. */
#define R_PPC64_REL24_NOTOC 116
#define R_PPC64_ADDR64_LOCAL 117
#define R_PPC64_ENTRY 118
#define R_PPC64_PLTSEQ 119
#define R_PPC64_PLTCALL 120
#define R_PPC64_PLTSEQ_NOTOC 121
#define R_PPC64_PLTCALL_NOTOC 122
#define R_PPC64_PCREL_OPT 123
#define R_PPC64_D34 128
#define R_PPC64_D34_LO 129
#define R_PPC64_D34_HI30 130
#define R_PPC64_D34_HA30 131
#define R_PPC64_PCREL34 132
#define R_PPC64_GOT_PCREL34 133
#define R_PPC64_PLT_PCREL34 134
#define R_PPC64_PLT_PCREL34_NOTOC 135
#define R_PPC64_ADDR16_HIGHER34 136
#define R_PPC64_ADDR16_HIGHERA34 137
#define R_PPC64_ADDR16_HIGHEST34 138
#define R_PPC64_ADDR16_HIGHESTA34 139
#define R_PPC64_REL16_HIGHER34 140
#define R_PPC64_REL16_HIGHERA34 141
#define R_PPC64_REL16_HIGHEST34 142
#define R_PPC64_REL16_HIGHESTA34 143
#define R_PPC64_D28 144
#define R_PPC64_PCREL28 145
#define R_PPC64_TPREL34 146
#define R_PPC64_DTPREL34 147
#define R_PPC64_GOT_TLSGD_PCREL34 148
#define R_PPC64_GOT_TLSLD_PCREL34 149
#define R_PPC64_GOT_TPREL_PCREL34 150
#define R_PPC64_GOT_DTPREL_PCREL34 151
#define R_PPC64_REL16_HIGH 240
#define R_PPC64_REL16_HIGHA 241
#define R_PPC64_REL16_HIGHER 242
#define R_PPC64_REL16_HIGHERA 243
#define R_PPC64_REL16_HIGHEST 244
#define R_PPC64_REL16_HIGHESTA 245
#define R_PPC64_REL16DX_HA 246

static const struct link_relocation_type types[] = {
	IGNORED(NONE),
	DATA(ADDR32, LINK_ABSOLUTE, 4, LINK_FIT_EITHER),
	CODE(ADDR24, LINK_ABSOLUTE, 24),
	HALVES(ADDR16, LINK_ABSOLUTE, LINK_FIT_EITHER, LINK_FROM_ZERO),
	CODE(ADDR14, LINK_ABSOLUTE, 14),
	HINTED(ADDR14_BRTAKEN, LINK_FROM_ZERO),
	HINTED(ADDR14_BRNTAKEN, LINK_FROM_ZERO),
	ENTRY(REL24, LINK_SPECIAL, 4, LINK_FIT_SIGNED, .bits = 24, .shift = 2, .low = 2,
	      .exact = true, .wants = LINK_WANTS_STUB),
	CODE(REL14, LINK_RELATIVE, 14),
	HINTED(REL14_BRTAKEN, LINK_FROM_PLACE),
	HINTED(REL14_BRNTAKEN, LINK_FROM_PLACE),
	HALVES(GOT16, LINK_GOT_SLOT, LINK_FIT_SIGNED, LINK_FROM_GOT),
	REFUSED(COPY, DYNAMIC),
	REFUSED(GLOB_DAT, DYNAMIC),
	REFUSED(JMP_SLOT, DYNAMIC),
	REFUSED(RELATIVE, DYNAMIC),
	DATA(UADDR32, LINK_ABSOLUTE, 4, LINK_FIT_EITHER),
	DATA(UADDR16, LINK_ABSOLUTE, 2, LINK_FIT_EITHER),
	DATA(REL32, LINK_RELATIVE, 4, LINK_FIT_SIGNED),
	REFUSED(PLT32, OF_PLT),
	REFUSED(PLTREL32, OF_PLT),
	HALF(PLT16_LO, LINK_GOT_SLOT, LINK_FIT_ALL, 0, false, LINK_FROM_GOT),
	HALF(PLT16_HI, LINK_GOT_SLOT, LINK_FIT_SIGNED, 16, false, LINK_FROM_GOT),
	HALF(PLT16_HA, LINK_GOT_SLOT, LINK_FIT_SIGNED, 16, true, LINK_FROM_GOT),
	REFUSED(SECTOFF, OF_SECTION),
	REFUSED(SECTOFF_LO, OF_SECTION),
	REFUSED(SECTOFF_HI, OF_SECTION),
	REFUSED(SECTOFF_HA, OF_SECTION),
	REFUSED(ADDR30, "compilers do not make it"),
	DATA(ADDR64, LINK_ABSOLUTE, 8, LINK_FIT_ALL),
	HIGHER(ADDR16, LINK_ABSOLUTE),
	DATA(UADDR64, LINK_ABSOLUTE, 8, LINK_FIT_ALL),
	DATA(REL64, LINK_RELATIVE, 8, LINK_FIT_ALL),
	REFUSED(PLT64, OF_PLT),
	REFUSED(PLTREL64, OF_PLT),
	HALVES(TOC16, LINK_GOT_OFFSET, LINK_FIT_SIGNED, LINK_FROM_GOT),
	ENTRY(TOC, LINK_GOT_BASE, 8, LINK_FIT_ALL, .from = LINK_FROM_ZERO),
	REFUSED(PLTGOT16, OF_PLT),
	REFUSED(PLTGOT16_LO, OF_PLT),
	REFUSED(PLTGOT16_HI, OF_PLT),
	REFUSED(PLTGOT16_HA, OF_PLT),
	SHORTS(ADDR16, LINK_ABSOLUTE, LINK_FROM_ZERO),
	SHORTS(GOT16, LINK_GOT_SLOT, LINK_FROM_GOT),
	SHORT(PLT16_LO_DS, LINK_GOT_SLOT, LINK_FIT_ALL, LINK_FROM_GOT),
	REFUSED(SECTOFF_DS, OF_SECTION),
	REFUSED(SECTOFF_LO_DS, OF_SECTION),
	SHORTS(TOC16, LINK_GOT_OFFSET, LINK_FROM_GOT),
	REFUSED(PLTGOT16_DS, OF_PLT),
	REFUSED(PLTGOT16_LO_DS, OF_PLT),
	IGNORED(TLS),
	DATA(DTPMOD64, LINK_TLS_MODULE, 8, LINK_FIT_ALL),
	HALVES(TPREL16, LINK_TLS_DISTANCE, LINK_FIT_SIGNED, LINK_FROM_ZERO),
	DATA(TPREL64, LINK_TLS_DISTANCE, 8, LINK_FIT_ALL),
	HALVES(DTPREL16, LINK_TLS_OFFSET, LINK_FIT_SIGNED, LINK_FROM_ZERO),
	DATA(DTPREL64, LINK_TLS_OFFSET, 8, LINK_FIT_ALL),
	HALVES(GOT_TLSGD16, LINK_TLS_GENERAL, LINK_FIT_SIGNED, LINK_FROM_GOT),
	HALVES(GOT_TLSLD16, LINK_TLS_LOCAL, LINK_FIT_SIGNED, LINK_FROM_GOT),
	SHORTS(GOT_TPREL16, LINK_TLS_INITIAL, LINK_FROM_GOT),
	UPPER(GOT_TPREL16, LINK_TLS_INITIAL, LINK_FROM_GOT),
	REFUSED(GOT_DTPREL16_DS, "compilers do not make it"),
	REFUSED(GOT_DTPREL16_LO_DS, "compilers do not make it"),
	REFUSED(GOT_DTPREL16_HI, "compilers do not make it"),
	REFUSED(GOT_DTPREL16_HA, "compilers do not make it"),
	SHORTS(TPREL16, LINK_TLS_DISTANCE, LINK_FROM_ZERO),
	HIGHER(TPREL16, LINK_TLS_DISTANCE),
	SHORTS(DTPREL16, LINK_TLS_OFFSET, LINK_FROM_ZERO),
	HIGHER(DTPREL16, LINK_TLS_OFFSET),
	IGNORED(TLSGD),
	IGNORED(TLSLD),
	IGNORED(TOCSAVE),
	REFUSED(REL24_NOTOC, PREFIXED),
	REFUSED(ADDR64_LOCAL, "compilers do not make it"),
	IGNORED(ENTRY),
	IGNORED(PLTSEQ),
	IGNORED(PLTCALL),
	REFUSED(PLTSEQ_NOTOC, OF_PLT),
	REFUSED(PLTCALL_NOTOC, OF_PLT),
	REFUSED(PCREL_OPT, PREFIXED),
	REFUSED(D34, PREFIXED),
	REFUSED(D34_LO, PREFIXED),
	REFUSED(D34_HI30, PREFIXED),
	REFUSED(D34_HA30, PREFIXED),
	REFUSED(PCREL34, PREFIXED),
	REFUSED(GOT_PCREL34, PREFIXED),
	REFUSED(PLT_PCREL34, PREFIXED),
	REFUSED(PLT_PCREL34_NOTOC, PREFIXED),
	REFUSED(ADDR16_HIGHER34, PREFIXED),
	REFUSED(ADDR16_HIGHERA34, PREFIXED),
	REFUSED(ADDR16_HIGHEST34, PREFIXED),
	REFUSED(ADDR16_HIGHESTA34, PREFIXED),
	REFUSED(REL16_HIGHER34, PREFIXED),
	REFUSED(REL16_HIGHERA34, PREFIXED),
	REFUSED(REL16_HIGHEST34, PREFIXED),
	REFUSED(REL16_HIGHESTA34, PREFIXED),
	REFUSED(D28, PREFIXED),
	REFUSED(PCREL28, PREFIXED),
	REFUSED(TPREL34, PREFIXED),
	REFUSED(DTPREL34, PREFIXED),
	REFUSED(GOT_TLSGD_PCREL34, PREFIXED),
	REFUSED(GOT_TLSLD_PCREL34, PREFIXED),
	REFUSED(GOT_TPREL_PCREL34, PREFIXED),
	REFUSED(GOT_DTPREL_PCREL34, PREFIXED),
	REFUSED(REL16_HIGH, "compilers do not make it"),
	REFUSED(REL16_HIGHA, "compilers do not make it"),
	REFUSED(REL16_HIGHER, "compilers do not make it"),
	REFUSED(REL16_HIGHERA, "compilers do not make it"),
	REFUSED(REL16_HIGHEST, "compilers do not make it"),
	REFUSED(REL16_HIGHESTA, "compilers do not make it"),
	REFUSED(REL16DX_HA, "compilers do not make it"),
	REFUSED(JMP_IREL, DYNAMIC),
	REFUSED(IRELATIVE, DYNAMIC),
	HALVES(REL16, LINK_RELATIVE, LINK_FIT_SIGNED, LINK_FROM_PLACE),
};

static const struct link_relocation_type *find_relocation(uint32_t type)
{
	return type < sizeof(types) / sizeof(types[0]) && types[type].name ? &types[type] : NULL;
}

/* Slots of a procedure linkage table have whole descriptors there. */
static const struct link_relocation_type *find_relocation_v1(uint32_t type)
{
	static const struct link_relocation_type refused[] = {
		REFUSED(PLT16_LO, OF_PLT),
		REFUSED(PLT16_HI, OF_PLT),
		REFUSED(PLT16_HA, OF_PLT),
		REFUSED(PLT16_LO_DS, OF_PLT),
	};

	return type < sizeof(refused) / sizeof(refused[0]) && refused[type].name
		       ? &refused[type]
		       : find_relocation(type);
}

static bool has_descriptors(const struct link *link)
{
	return link->arch->descriptors != NULL;
}

/* ---- What is called ------------------------------------------------------------------------- */

#define NOP 0x60000000U
#define RESTORE_V1 0xe8410028U /* ld %r2, 40(%r1) */
#define RESTORE_V2 0xe8410018U /* ld %r2, 24(%r1) */

/* From the global entry to the local one. */
static uint64_t local_entry(const struct link_symbol *symbol)
{
	return ((uint64_t)1 << (symbol->other >> 5 & 7)) >> 2 << 2;
}

/* What the first word of a descriptor refers to; false: to no code that is loaded. */
static bool find_target(const struct link_object *object, const Elf64_Rela *entry,
			const struct link_section **code, uint64_t *offset)
{
	const struct link_symbol *symbol;

	if (ELF64_R_TYPE(entry->r_info) != R_PPC64_ADDR64 ||
	    ELF64_R_SYM(entry->r_info) >= object->symbol_count)
		return false;
	symbol = object->symbols[ELF64_R_SYM(entry->r_info)];
	*code = symbol->section;
	*offset = symbol->value + (uint64_t)entry->r_addend;
	return *code && !(*code)->discarded && (*code)->region < LINK_PERCPU &&
	       *offset <= (*code)->size;
}

/* The code that a descriptor in .opd tells of.  Entries of the table are in order, as assemblers make
 * them; false: there is none. */
static bool read_descriptor(const struct link_section *section, uint64_t offset,
			    const struct link_section **code, uint64_t *code_offset)
{
	const struct link_table *table = link_table_of(section);
	size_t low = 0, high = table ? table->count : 0;
	Elf64_Rela found;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		link_get_entry(table, middle, &found);
		if (found.r_offset == offset)
			return find_target(section->object, &found, code, code_offset);
		if (found.r_offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static bool is_descriptor(const struct link_symbol *symbol)
{
	return symbol->section && link_has_descriptors(symbol->section);
}

static bool find_code(const struct link_symbol *symbol, const struct link_section **section,
		      uint64_t *offset)
{
	return is_descriptor(symbol) &&
	       read_descriptor(symbol->section, symbol->value, section, offset);
}

/* Behind a call, where a nop is for that; false: there is none. */
static bool restore_toc(const struct link *link, const struct link_relocation *relocation,
			unsigned char *field)
{
	if (relocation->section->size - relocation->offset < 8 ||
	    link_get(link->arch, field + 4, 4) != NOP)
		return false;
	link_put(link->arch, field + 4, 4, has_descriptors(link) ? RESTORE_V1 : RESTORE_V2);
	return true;
}

/* A call out of the link, where the TOC is another. */
static int call_stub(struct link *link, const struct link_relocation *relocation,
		     unsigned char *field, uint64_t at)
{
	uint64_t stub;
	int error = link_use_stub(link, relocation, &stub);

	if (error)
		return error;
	if (link_get(link->arch, field, 4) & 1) {
		if (!restore_toc(link, relocation, field))
			return link_fail_relocation(link, -ENOEXEC, relocation,
						    "is a call without a nop behind it, where r2 "
						    "would be restored");
	} else
		return link_fail_relocation(link, -ENOEXEC, relocation,
					    "is a jump to another module or library, which can't "
					    "restore r2; compile with -fno-optimize-sibling-calls");
	return link_write_value(link, relocation, field, (int64_t)(stub - at));
}

static int apply_call(struct link *link, const struct link_relocation *relocation,
		      unsigned char *field, uint64_t at)
{
	const struct link_symbol *symbol = relocation->symbol;
	const struct link_section *code;
	uint64_t value;

	/* A branch to what is weak and not there does nothing. */
	if (!symbol->defined) {
		link_put(link->arch, field, 4, NOP);
		return 0;
	}
	if (!symbol->section && symbol->external && symbol->stub &&
	    (symbol->function || link->hosted))
		return call_stub(link, relocation, field, at);
	value = link_symbol_address(link, symbol) + (uint64_t)relocation->addend;
	if (is_descriptor(symbol)) {
		if (!read_descriptor(symbol->section, symbol->value + (uint64_t)relocation->addend,
				     &code, &value))
			return link_fail_relocation(link, -ENOEXEC, relocation,
						    "calls what is no function's descriptor");
		value += link_section_address(link, code);
	}
	if (symbol->resolved)
		restore_toc(link, relocation, field);
	else if (!has_descriptors(link))
		value += local_entry(symbol);
	return link_write_value(link, relocation, field, (int64_t)(value - at));
}

/* ---- Branches with hints, and parts with a carry ---------------------------------------------- */

/* The two bits in BO that say what to expect. */
static int apply_hinted(struct link *link, const struct link_relocation *relocation,
			unsigned char *field, uint64_t at)
{
	bool taken = relocation->number == R_PPC64_ADDR14_BRTAKEN ||
		     relocation->number == R_PPC64_REL14_BRTAKEN;
	uint64_t code = link_get(link->arch, field, 4) & ~((uint64_t)1 << 21);
	uint64_t value =
		link_symbol_address(link, relocation->symbol) + (uint64_t)relocation->addend;

	code |= (uint64_t)taken << 21;
	if ((code & (0x14U << 21)) == 0x04U << 21) /* depends on a condition bit alone */
		code |= 0x02U << 21;
	else if ((code & (0x14U << 21)) == 0x10U << 21) /* on the counter alone */
		code |= 0x08U << 21;
	link_put(link->arch, field, 4, code);
	if (relocation->type->from == LINK_FROM_PLACE)
		value -= at;
	return link_write_value(link, relocation, field, (int64_t)value);
}

static int apply(struct link *link, const struct link_relocation *relocation, unsigned char *field,
		 uint64_t at)
{
	if (relocation->number == R_PPC64_REL24)
		return apply_call(link, relocation, field, at);
	return apply_hinted(link, relocation, field, at);
}

/* ---- Stubs ---------------------------------------------------------------------------------- */

#define STUB_BYTES 48

static void put_codes(const struct link_arch *arch, unsigned char *buffer, const uint64_t *codes,
		      size_t count)
{
	for (size_t i = 0; i < count; i++)
		link_put(arch, buffer + 4 * i, 4, codes[i]);
}

/* Save r2, load r12 from the slot: lis, ori, sldi, oris, ld. */
#define LOAD_SLOT(save, slot)                                                                      \
	(save), 0x3d800000 | ((slot) >> 48 & 0xffff), 0x618c0000 | ((slot) >> 32 & 0xffff),        \
		0x798c07c6, 0x658c0000 | ((slot) >> 16 & 0xffff), 0x618c0000 | ((slot)&0xffff),    \
		0xe98c0000

static bool write_stub_v2(unsigned char *buffer, uint64_t at, uint64_t slot, bool marked)
{
	const uint64_t codes[] = {
		LOAD_SLOT(0xf8410018, slot), /* std %r2, 24(%r1) */
		0x7d8903a6,		     /* mtctr %r12 */
		0x4e800420,		     /* bctr */
		NOP,
		NOP,
		NOP,
	};

	(void)at;
	(void)marked;
	put_codes(&link_arch_ppc64le, buffer, codes, sizeof(codes) / sizeof(codes[0]));
	return true;
}

static bool write_stub_v1(unsigned char *buffer, uint64_t at, uint64_t slot, bool marked)
{
	const uint64_t codes[] = {
		LOAD_SLOT(0xf8410028, slot), /* std %r2, 40(%r1) */
		0xe80c0000,		     /* ld %r0, 0(%r12) */
		0x7c0903a6,		     /* mtctr %r0 */
		0xe84c0008,		     /* ld %r2, 8(%r12) */
		0xe96c0010,		     /* ld %r11, 16(%r12) */
		0x4e800420,		     /* bctr */
	};

	(void)at;
	(void)marked;
	put_codes(&link_arch_ppc64, buffer, codes, sizeof(codes) / sizeof(codes[0]));
	return true;
}

/* ---- Functions that save and restore registers ------------------------------------------------ */

#define NEXT_REGISTER 0x200000U
#define RETURN 0x4e800020U			      /* blr */
#define SAVE_LINK 0xf8010010U, RETURN		      /* std %r0, 16(%r1) */
#define RESTORE_LINK 0xe8010010U, 0x7c0803a6U, RETURN /* ld %r0, 16(%r1); mtlr %r0 */
#define GENERAL(name, code, ...)                                                                   \
	{                                                                                          \
		name, "", 14, 0, 0, code, NEXT_REGISTER + 8,                                       \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}
/* By their distance from %r0: li %r12, -16 */
#define VECTOR(name, code)                                                                         \
	{                                                                                          \
		name, "", 20, 0x3980fff0U, 16, code, NEXT_REGISTER,                                \
		{                                                                                  \
			RETURN                                                                     \
		}                                                                                  \
	}

/* (2.3.3 of ELFv2, and the same for ELFv1.) */
static const struct link_saves saves[] = {
	GENERAL("_savegpr0_", 0xfbe1fff8U, SAVE_LINK),	  /* std %r31, -8(%r1) */
	GENERAL("_restgpr0_", 0xebe1fff8U, RESTORE_LINK), /* ld %r31, -8(%r1) */
	GENERAL("_savegpr1_", 0xfbecfff8U, RETURN),	  /* std %r31, -8(%r12) */
	GENERAL("_restgpr1_", 0xebecfff8U, RETURN),	  /* ld %r31, -8(%r12) */
	GENERAL("_savefpr_", 0xdbe1fff8U, SAVE_LINK),	  /* stfd %f31, -8(%r1) */
	GENERAL("_restfpr_", 0xcbe1fff8U, RESTORE_LINK),  /* lfd %f31, -8(%r1) */
	VECTOR("_savevr_", 0x7fec01ceU),		  /* stvx %v31, %r12, %r0 */
	VECTOR("_restvr_", 0x7fec00ceU),		  /* lvx %v31, %r12, %r0 */
	{ NULL, NULL, 0, 0, 0, 0, 0, { 0 } },
};

/* ---- Which ABI ------------------------------------------------------------------------------ */

static int check_flags(struct link_object *object, uint32_t flags)
{
	uint32_t abi = flags & 3, wanted = has_descriptors(object->link) ? 1 : 2;

	if (!abi || abi == wanted)
		return 0;
	return link_fail(object->link, -ENOEXEC,
			 "%s: compiled for another ABI (found ELFv%u, need ELFv%u for %s); compile "
			 "with -mabi=elfv%u",
			 object->name, abi, wanted, object->link->arch->name, wanted);
}

const struct link_arch link_arch_ppc64 = {
	.machine = EM_PPC64,
	.class = ELFCLASS64,
	.encoding = ELFDATA2MSB,
	.name = "ppc64",
	.page_size = 65536,
	.got_bytes = 8,
	.stub_bytes = STUB_BYTES,
	.stub_align = 16,
	.marked_stub_bytes = STUB_BYTES,
	.tls_bias = 0x8000,
	.got_reserved = 1,
	.got_align = 256,
	.got_bias = 0x8000,
	.got_symbols = { ".TOC." },
	.relocation = find_relocation_v1,
	.write_stub = write_stub_v1,
	.check_flags = check_flags,
	.saves = saves,
	.descriptors = ".opd",
	.find_code = find_code,
	.apply = apply,
};

const struct link_arch link_arch_ppc64le = {
	.machine = EM_PPC64,
	.class = ELFCLASS64,
	.encoding = ELFDATA2LSB,
	.name = "ppc64le",
	.page_size = 65536,
	.got_bytes = 8,
	.stub_bytes = STUB_BYTES,
	.stub_align = 16,
	.marked_stub_bytes = STUB_BYTES,
	.tls_bias = 0x8000,
	.got_reserved = 1,
	.got_align = 256,
	.got_bias = 0x8000,
	.got_symbols = { ".TOC." },
	.relocation = find_relocation,
	.write_stub = write_stub_v2,
	.check_flags = check_flags,
	.saves = saves,
	.apply = apply,
};
