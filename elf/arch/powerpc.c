/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * powerpc of 32 bits, big-endian: relocations and stubs.
 *
 * Addresses come in halves: @l has the low 16 bits, @h the high ones, and @ha those that are right when
 * the low half is added as a number with a sign.  Branches reach +-32 MiB, conditional ones +-32 KiB.
 * ("System V ABI, PowerPC Processor Supplement", and that for thread-local storage.)
 *
 * The addend of R_PPC_PLTREL24 is no part of what is called: it tells linkage tables of a function's own
 * GOT register, and the stubs here need none.
 */
#include "elf/internal.h"

#define ENTRY(number, ...) [R_PPC_##number] = { "R_PPC_" #number, __VA_ARGS__ }
#define REFUSED(number, why) ENTRY(number, .reason = (why))
#define IGNORED(number) ENTRY(number, .kind = LINK_IGNORED)
#define DATA(number, kind, bytes, fit) ENTRY(number, kind, bytes, fit, .reason = NULL)
/* A branch: `count` bits over the lowest two. */
#define CODE(number, kind, count)                                                                  \
	ENTRY(number, kind, 4, LINK_FIT_SIGNED, .bits = (count), .shift = 2, .low = 2,             \
	      .exact = true)
#define HINTED(number, counted)                                                                    \
	ENTRY(number, LINK_SPECIAL, 4, LINK_FIT_SIGNED, .bits = 14, .shift = 2, .low = 2,          \
	      .exact = true, .from = (counted), .wants = LINK_WANTS_ADDRESS)
#define HALF(number, kind, fit, right, carries, origin)                                            \
	ENTRY(number, kind, 2, fit, .bits = 16, .shift = (right), .carry = (carries) ? 15 : 0,     \
	      .from = (origin))
/* All 16 bits, and the three parts. */
#define HALVES(number, kind, whole, origin)                                                        \
	HALF(number, kind, whole, 0, false, origin),                                               \
		HALF(number##_LO, kind, LINK_FIT_ALL, 0, false, origin),                           \
		HALF(number##_HI, kind, LINK_FIT_ALL, 16, false, origin),                          \
		HALF(number##_HA, kind, LINK_FIT_ALL, 16, true, origin)

#define DYNAMIC "only in linked files"
#define SMALL "it counts from a small data area; compile with -msdata=none"
#define OF_PLT "it names a procedure linkage table"
/* Of a slot's address. */
#define PLT(number, right, carries)                                                                \
	ENTRY(number, LINK_SPECIAL, 2, LINK_FIT_ALL, .bits = 16, .shift = (right),                 \
	      .carry = (carries) ? 15 : 0, .wants = LINK_WANTS_SLOT | LINK_WANTS_GOT)
#define EMBEDDED "it is for embedded systems; compile with -msdata=none"

/* Those that older <elf.h> does not have. */
#define R_PPC_PLTSEQ 119
#define R_PPC_PLTCALL 120

static const struct link_relocation_type types[] = {
	IGNORED(NONE),
	DATA(ADDR32, LINK_ABSOLUTE, 4, LINK_FIT_ALL),
	CODE(ADDR24, LINK_ABSOLUTE, 24),
	HALVES(ADDR16, LINK_ABSOLUTE, LINK_FIT_EITHER, LINK_FROM_ZERO),
	CODE(ADDR14, LINK_ABSOLUTE, 14),
	HINTED(ADDR14_BRTAKEN, LINK_FROM_ZERO),
	HINTED(ADDR14_BRNTAKEN, LINK_FROM_ZERO),
	CODE(REL24, LINK_BRANCH, 24),
	CODE(REL14, LINK_RELATIVE, 14),
	HINTED(REL14_BRTAKEN, LINK_FROM_PLACE),
	HINTED(REL14_BRNTAKEN, LINK_FROM_PLACE),
	HALVES(GOT16, LINK_GOT_SLOT, LINK_FIT_SIGNED, LINK_FROM_GOT),
	ENTRY(PLTREL24, LINK_SPECIAL, 4, LINK_FIT_SIGNED, .bits = 24, .shift = 2, .low = 2,
	      .exact = true, .wants = LINK_WANTS_STUB),
	REFUSED(COPY, DYNAMIC),
	REFUSED(GLOB_DAT, DYNAMIC),
	REFUSED(JMP_SLOT, DYNAMIC),
	REFUSED(RELATIVE, DYNAMIC),
	CODE(LOCAL24PC, LINK_BRANCH, 24),
	DATA(UADDR32, LINK_ABSOLUTE, 4, LINK_FIT_ALL),
	DATA(UADDR16, LINK_ABSOLUTE, 2, LINK_FIT_EITHER),
	DATA(REL32, LINK_RELATIVE, 4, LINK_FIT_ALL),
	REFUSED(PLT32, OF_PLT),
	REFUSED(PLTREL32, OF_PLT),
	PLT(PLT16_LO, 0, false),
	PLT(PLT16_HI, 16, false),
	PLT(PLT16_HA, 16, true),
	REFUSED(SDAREL16, SMALL),
	REFUSED(SECTOFF, SMALL),
	REFUSED(SECTOFF_LO, SMALL),
	REFUSED(SECTOFF_HI, SMALL),
	REFUSED(SECTOFF_HA, SMALL),
	IGNORED(TLS),
	REFUSED(DTPMOD32, DYNAMIC),
	HALVES(TPREL16, LINK_TLS_DISTANCE, LINK_FIT_SIGNED, LINK_FROM_ZERO),
	DATA(TPREL32, LINK_TLS_DISTANCE, 4, LINK_FIT_ALL),
	HALVES(DTPREL16, LINK_TLS_OFFSET, LINK_FIT_SIGNED, LINK_FROM_ZERO),
	DATA(DTPREL32, LINK_TLS_OFFSET, 4, LINK_FIT_ALL),
	HALVES(GOT_TLSGD16, LINK_TLS_GENERAL, LINK_FIT_SIGNED, LINK_FROM_GOT),
	HALVES(GOT_TLSLD16, LINK_TLS_LOCAL, LINK_FIT_SIGNED, LINK_FROM_GOT),
	HALVES(GOT_TPREL16, LINK_TLS_INITIAL, LINK_FIT_SIGNED, LINK_FROM_GOT),
	REFUSED(GOT_DTPREL16, "compilers do not make it"),
	REFUSED(GOT_DTPREL16_LO, "compilers do not make it"),
	REFUSED(GOT_DTPREL16_HI, "compilers do not make it"),
	REFUSED(GOT_DTPREL16_HA, "compilers do not make it"),
	IGNORED(TLSGD),
	IGNORED(TLSLD),
	IGNORED(PLTSEQ),
	IGNORED(PLTCALL),
	REFUSED(EMB_NADDR32, EMBEDDED),
	REFUSED(EMB_NADDR16, EMBEDDED),
	REFUSED(EMB_NADDR16_LO, EMBEDDED),
	REFUSED(EMB_NADDR16_HI, EMBEDDED),
	REFUSED(EMB_NADDR16_HA, EMBEDDED),
	REFUSED(EMB_SDAI16, EMBEDDED),
	REFUSED(EMB_SDA2I16, EMBEDDED),
	REFUSED(EMB_SDA2REL, EMBEDDED),
	REFUSED(EMB_SDA21, EMBEDDED),
	REFUSED(EMB_MRKREF, EMBEDDED),
	REFUSED(EMB_RELSEC16, EMBEDDED),
	REFUSED(EMB_RELST_LO, EMBEDDED),
	REFUSED(EMB_RELST_HI, EMBEDDED),
	REFUSED(EMB_RELST_HA, EMBEDDED),
	REFUSED(EMB_BIT_FLD, EMBEDDED),
	REFUSED(EMB_RELSDA, EMBEDDED),
	REFUSED(DIAB_SDA21_LO, EMBEDDED),
	REFUSED(DIAB_SDA21_HI, EMBEDDED),
	REFUSED(DIAB_SDA21_HA, EMBEDDED),
	REFUSED(DIAB_RELSDA_LO, EMBEDDED),
	REFUSED(DIAB_RELSDA_HI, EMBEDDED),
	REFUSED(DIAB_RELSDA_HA, EMBEDDED),
	REFUSED(IRELATIVE, DYNAMIC),
	HALVES(REL16, LINK_RELATIVE, LINK_FIT_SIGNED, LINK_FROM_PLACE),
	REFUSED(TOC16, "it counts from a table of contents, which only 64 bits have"),
};

static const struct link_relocation_type *find_relocation(uint32_t type)
{
	return type < sizeof(types) / sizeof(types[0]) && types[type].name ? &types[type] : NULL;
}

/* ---- Branches ------------------------------------------------------------------------------- */

#define PREDICT_BIT (1U << 21)

/* Whether the processor is to expect it: backward branches it expects by itself. */
static int apply_hinted(struct link *link, const struct link_relocation *relocation,
			unsigned char *field, uint64_t at)
{
	bool taken = relocation->number == R_PPC_ADDR14_BRTAKEN ||
		     relocation->number == R_PPC_REL14_BRTAKEN;
	uint64_t value =
		link_symbol_address(link, relocation->symbol) + (uint64_t)relocation->addend;
	bool backward = (int64_t)(value - at) < 0;
	uint64_t code = link_get(link->arch, field, 4) & ~(uint64_t)PREDICT_BIT;

	link_put(link->arch, field, 4, code | (taken != backward ? PREDICT_BIT : 0));
	if (relocation->type->from == LINK_FROM_PLACE)
		value -= at;
	return link_write_value(link, relocation, field, (int64_t)value);
}

/* ---- Calls by slots (-fno-plt, -mlongcall) ----------------------------------------------------- */

#define GOT2_BIAS                                                                                  \
	0x8000 /* -fPIC: behind the object's .got2; with less, code counts from the GOT, or from 0 */

/* What code of each object counts from. */
static int prepare(struct link *link)
{
	const struct link_symbol *got = link_find(link, "_GLOBAL_OFFSET_TABLE_");

	for (struct link_object *object = link->objects; object; object = object->next) {
		for (size_t i = 1; i < object->section_count; i++) {
			if (object->sections[i].region < LINK_REGIONS &&
			    !strcmp(object->sections[i].name, ".got2"))
				object->own_got = &object->sections[i];
		}
		for (size_t i = object->local_count; i < object->symbol_count && got; i++)
			object->names_got |= object->symbols[i] == got;
	}
	return 0;
}

static int apply_slot(struct link *link, const struct link_relocation *relocation,
		      unsigned char *field)
{
	const struct link_object *object = relocation->object;
	uint64_t value = link_use_slot(link, relocation->symbol);

	if (relocation->addend >= GOT2_BIAS) {
		if (!object->own_got)
			return link_fail_relocation(link, -ENOEXEC, relocation,
						    "counts from a section .got2, which the "
						    "object has not");
		value -= link_section_address(link, object->own_got) + (uint64_t)relocation->addend;
	} else if (object->names_got)
		value -= link_got_pointer(link);
	return link_write_value(link, relocation, field, (int64_t)value);
}

static int apply(struct link *link, const struct link_relocation *relocation, unsigned char *field,
		 uint64_t at)
{
	struct link_relocation call = *relocation;

	if (relocation->type->wants & LINK_WANTS_SLOT)
		return apply_slot(link, relocation, field);
	if (relocation->number != R_PPC_PLTREL24)
		return apply_hinted(link, relocation, field, at);
	call.type = &types[R_PPC_REL24];
	call.addend = 0;
	return link_apply(link, &call, field, at);
}

/* ---- Stubs ---------------------------------------------------------------------------------- */

#define STUB_BYTES 16

/* lis %r12, slot@ha; lwz %r12, slot@l(%r12); mtctr %r12; bctr */
static bool write_stub(unsigned char *buffer, uint64_t at, uint64_t slot, bool marked)
{
	(void)at;
	(void)marked;
	link_put(&link_arch_powerpc, buffer, 4, 0x3d800000 | ((slot + 0x8000) >> 16 & 0xffff));
	link_put(&link_arch_powerpc, buffer + 4, 4, 0x818c0000 | (slot & 0xffff));
	link_put(&link_arch_powerpc, buffer + 8, 4, 0x7d8903a6);
	link_put(&link_arch_powerpc, buffer + 12, 4, 0x4e800420);
	return true;
}

/* ---- Functions that save and restore registers ------------------------------------------------ */

#define NEXT_REGISTER 0x200000U
#define RETURN 0x4e800020U /* blr */
/* lwz %r0, 4(%r11); mtlr %r0; mr %r1, %r11 */
#define LEAVE 0x800b0004U, 0x7c0803a6U, 0x7d615b78U, RETURN
#define GENERAL(name, end, code, bytes, ...)                                                       \
	{                                                                                          \
		name, end, 14, 0, 0, code, NEXT_REGISTER + (bytes),                                \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}
/* By their distance from %r0: li %r11, -16 */
#define VECTOR(name, code)                                                                         \
	{                                                                                          \
		name, "", 20, 0x3960fff0U, 16, code, NEXT_REGISTER,                                \
		{                                                                                  \
			RETURN                                                                     \
		}                                                                                  \
	}

/* Those with _x return for the function that they end. */
static const struct link_saves saves[] = {
	GENERAL("_savegpr_", "", 0x93ebfffcU, 4, RETURN), /* stw %r31, -4(%r11) */
	GENERAL("_restgpr_", "", 0x83ebfffcU, 4, RETURN), /* lwz %r31, -4(%r11) */
	GENERAL("_restgpr_", "_x", 0x83ebfffcU, 4, LEAVE),
	GENERAL("_savefpr_", "", 0xdbebfff8U, 8, RETURN), /* stfd %f31, -8(%r11) */
	GENERAL("_restfpr_", "", 0xcbebfff8U, 8, RETURN), /* lfd %f31, -8(%r11) */
	GENERAL("_restfpr_", "_x", 0xcbebfff8U, 8, LEAVE),
	VECTOR("_savevr_", 0x7feb01ceU), /* stvx %v31, %r11, %r0 */
	VECTOR("_restvr_", 0x7feb00ceU), /* lvx %v31, %r11, %r0 */
	{ NULL, NULL, 0, 0, 0, 0, 0, { 0 } },
};

const struct link_arch link_arch_powerpc = {
	.machine = EM_PPC,
	.class = ELFCLASS32,
	.encoding = ELFDATA2MSB,
	.name = "powerpc",
	.page_size = 65536,
	.got_bytes = 4,
	.stub_bytes = STUB_BYTES,
	.stub_align = 16,
	.marked_stub_bytes = STUB_BYTES,
	.tls_bias = 0x8000,
	.relocation = find_relocation,
	.write_stub = write_stub,
	.saves = saves,
	.apply = apply,
	.prepare = prepare,
};
