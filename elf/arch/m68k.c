/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * m68k: relocations and stubs.
 *
 * Numbers of 8, 16 or 32 bits, in data and in instructions alike: no field is a part of a number.  A
 * GOT register has the GOT's address; the forms with an O count slots from there, those without from the
 * place.
 */
#include "elf/internal.h"

#define ENTRY(number, ...) [R_68K_##number] = { "R_68K_" #number, __VA_ARGS__ }
#define REFUSED(number, why) ENTRY(number, .reason = (why))
/* Of 32, 16 and 8 bits. */
#define THREE(number, kind, from_where)                                                            \
	ENTRY(number##32, kind, 4, LINK_FIT_ALL, .from = (from_where)),                            \
		ENTRY(number##16, kind, 2, LINK_FIT_SIGNED, .from = (from_where)),                 \
		ENTRY(number##8, kind, 1, LINK_FIT_SIGNED, .from = (from_where))
#define COUNTED(number, kind)                                                                      \
	ENTRY(number##32O, kind, 4, LINK_FIT_ALL, .from = LINK_FROM_GOT),                          \
		ENTRY(number##16O, kind, 2, LINK_FIT_SIGNED, .from = LINK_FROM_GOT),               \
		ENTRY(number##8O, kind, 1, LINK_FIT_SIGNED, .from = LINK_FROM_GOT)
#define IGNORED(number) ENTRY(number, .kind = LINK_IGNORED)
#define DATA(number, bytes, fit) ENTRY(number, LINK_ABSOLUTE, bytes, fit, .reason = NULL)
#define SLOT(number, bytes, fit)                                                                   \
	ENTRY(GOT##number, LINK_SPECIAL, bytes, fit, .wants = LINK_WANTS_SLOT)

#define DYNAMIC "only in linked files"

/* Those that older <elf.h> does not have. */
#define R_68K_GNU_VTINHERIT 23
#define R_68K_GNU_VTENTRY 24

static const struct link_relocation_type types[] = {
	IGNORED(NONE),
	DATA(32, 4, LINK_FIT_ALL),
	DATA(16, 2, LINK_FIT_EITHER),
	DATA(8, 1, LINK_FIT_EITHER),
	THREE(PC, LINK_RELATIVE, LINK_FROM_PLACE),
	SLOT(32, 4, LINK_FIT_ALL),
	SLOT(16, 2, LINK_FIT_SIGNED),
	SLOT(8, 1, LINK_FIT_SIGNED),
	COUNTED(GOT, LINK_GOT_SLOT),
	THREE(PLT, LINK_BRANCH, LINK_FROM_PLACE),
	COUNTED(PLT, LINK_GOT_OFFSET),
	REFUSED(COPY, DYNAMIC),
	REFUSED(GLOB_DAT, DYNAMIC),
	REFUSED(JMP_SLOT, DYNAMIC),
	REFUSED(RELATIVE, DYNAMIC),
	IGNORED(GNU_VTINHERIT),
	IGNORED(GNU_VTENTRY),
	THREE(TLS_GD, LINK_TLS_GENERAL, LINK_FROM_GOT),
	THREE(TLS_LDM, LINK_TLS_LOCAL, LINK_FROM_GOT),
	THREE(TLS_LDO, LINK_TLS_OFFSET, LINK_FROM_ZERO),
	THREE(TLS_IE, LINK_TLS_INITIAL, LINK_FROM_GOT),
	THREE(TLS_LE, LINK_TLS_DISTANCE, LINK_FROM_ZERO),
	REFUSED(TLS_DTPMOD32, DYNAMIC),
	REFUSED(TLS_DTPREL32, DYNAMIC),
	REFUSED(TLS_TPREL32, DYNAMIC),
};

static const struct link_relocation_type *find_relocation(uint32_t type)
{
	return type < sizeof(types) / sizeof(types[0]) && types[type].name ? &types[type] : NULL;
}

/* ---- Slots ---------------------------------------------------------------------------------- */

/* The distance of a slot, or of the GOT itself: that is how code finds it. */
static int apply(struct link *link, const struct link_relocation *relocation, unsigned char *field,
		 uint64_t at)
{
	struct link_symbol *symbol = relocation->symbol;
	uint64_t target = symbol->section == &link->private->got ? link_got_pointer(link)
								 : link_use_slot(link, symbol);

	return link_write_value(link, relocation, field,
				(int64_t)(target + (uint64_t)relocation->addend - at));
}

/* ---- Stubs ---------------------------------------------------------------------------------- */

#define STUB_BYTES 12

/* movea.l slot, %a0; jmp (%a0); what is left traps.  %a0 is where no argument is, nor the GOT. */
static bool write_stub(unsigned char *buffer, uint64_t at, uint64_t slot, bool marked)
{
	(void)at;
	(void)marked;
	link_put(&link_arch_m68k, buffer, 2, 0x2079);
	link_put(&link_arch_m68k, buffer + 2, 4, slot);
	link_put(&link_arch_m68k, buffer + 6, 2, 0x4ed0);
	link_put(&link_arch_m68k, buffer + 8, 4, 0x4afc4afc);
	return true;
}

const struct link_arch link_arch_m68k = {
	.machine = EM_68K,
	.class = ELFCLASS32,
	.encoding = ELFDATA2MSB,
	.name = "m68k",
	.page_size = 8192,
	.got_bytes = 4,
	.stub_bytes = STUB_BYTES,
	.stub_align = 4,
	.marked_stub_bytes = STUB_BYTES,
	.tls_bias = 0x8000,
	.relocation = find_relocation,
	.write_stub = write_stub,
	.apply = apply,
};
