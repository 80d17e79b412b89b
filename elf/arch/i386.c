/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * i386: relocations and stubs.
 *
 * Addends are in the fields.  Code that is position-independent has the GOT's address in a register; code
 * that is not has whole addresses, of slots too: R_386_GOT32 without a base register is one.  What it is
 * shows in the instruction's ModRM byte, before the field (i386 psABI, "Relocation Types").
 *
 * R_386_GOT32X is for instructions that use a slot and can do without: all addresses are in reach, so they
 * always do, as ld makes them in programs.
 *
 *     call *foo@GOT(%reg)       67 e8       addr16 call foo
 *     jmp  *foo@GOT(%reg)       e9 .. 90    jmp foo; nop
 *     mov   foo@GOT(%reg), %r   c7 /0       mov $foo, %r
 *     test  %r, foo@GOT(%reg)   f7 /0       test $foo, %r
 *     op    foo@GOT(%reg), %r   81 /op      op $foo, %r
 */
#include "elf/internal.h"

#define REFUSED(number, why) [R_386_##number] = { "R_386_" #number, .reason = (why) }
#define SUPPORTED(number, kind, bytes, fit)                                                        \
	[R_386_##number] = { "R_386_" #number, kind, bytes, fit, .reason = NULL }
#define COUNTED(number, kind, origin)                                                              \
	[R_386_##number] = { "R_386_" #number, kind, 4, LINK_FIT_ALL, .from = (origin) }
#define SLOT(number)                                                                               \
	[R_386_##number] = { "R_386_" #number, LINK_SPECIAL, 4, LINK_FIT_ALL,                      \
			     .wants = LINK_WANTS_SLOT | LINK_WANTS_GOT }
#define DYNAMIC "only in linked files"
#define OF_SUN "only Sun's compilers make it"

static const struct link_relocation_type types[] = {
	SUPPORTED(NONE, LINK_IGNORED, 0, LINK_FIT_ALL),
	SUPPORTED(32, LINK_ABSOLUTE, 4, LINK_FIT_ALL),
	SUPPORTED(PC32, LINK_RELATIVE, 4, LINK_FIT_ALL),
	SLOT(GOT32),
	SUPPORTED(PLT32, LINK_BRANCH, 4, LINK_FIT_ALL),
	REFUSED(COPY, DYNAMIC),
	REFUSED(GLOB_DAT, DYNAMIC),
	REFUSED(JMP_SLOT, DYNAMIC),
	REFUSED(RELATIVE, DYNAMIC),
	SUPPORTED(GOTOFF, LINK_GOT_OFFSET, 4, LINK_FIT_ALL),
	SUPPORTED(GOTPC, LINK_GOT_BASE, 4, LINK_FIT_ALL),
	REFUSED(TLS_TPOFF, DYNAMIC),
	COUNTED(TLS_IE, LINK_TLS_INITIAL, LINK_FROM_ZERO),
	COUNTED(TLS_GOTIE, LINK_TLS_INITIAL, LINK_FROM_GOT),
	COUNTED(TLS_LE, LINK_TLS_DISTANCE, LINK_FROM_ZERO),
	COUNTED(TLS_GD, LINK_TLS_GENERAL, LINK_FROM_GOT),
	COUNTED(TLS_LDM, LINK_TLS_LOCAL, LINK_FROM_GOT),
	SUPPORTED(16, LINK_ABSOLUTE, 2, LINK_FIT_EITHER),
	SUPPORTED(PC16, LINK_RELATIVE, 2, LINK_FIT_EITHER),
	SUPPORTED(8, LINK_ABSOLUTE, 1, LINK_FIT_EITHER),
	SUPPORTED(PC8, LINK_RELATIVE, 1, LINK_FIT_SIGNED),
	REFUSED(32PLT, DYNAMIC),
	REFUSED(TLS_GD_32, OF_SUN),
	REFUSED(TLS_GD_PUSH, OF_SUN),
	REFUSED(TLS_GD_CALL, OF_SUN),
	REFUSED(TLS_GD_POP, OF_SUN),
	REFUSED(TLS_LDM_32, OF_SUN),
	REFUSED(TLS_LDM_PUSH, OF_SUN),
	REFUSED(TLS_LDM_CALL, OF_SUN),
	REFUSED(TLS_LDM_POP, OF_SUN),
	COUNTED(TLS_LDO_32, LINK_TLS_OFFSET, LINK_FROM_ZERO),
	REFUSED(TLS_IE_32, OF_SUN),
	REFUSED(TLS_LE_32, OF_SUN),
	SUPPORTED(TLS_DTPMOD32, LINK_TLS_MODULE, 4, LINK_FIT_ALL),
	SUPPORTED(TLS_DTPOFF32, LINK_TLS_OFFSET, 4, LINK_FIT_ALL),
	REFUSED(TLS_TPOFF32, DYNAMIC),
	SUPPORTED(SIZE32, LINK_SIZE, 4, LINK_FIT_ALL),
	COUNTED(TLS_GOTDESC, LINK_TLS_DESCRIPTOR, LINK_FROM_GOT),
	SUPPORTED(TLS_DESC_CALL, LINK_TLS_CALL, 0, LINK_FIT_ALL),
	REFUSED(TLS_DESC, DYNAMIC),
	REFUSED(IRELATIVE, DYNAMIC),
	SLOT(GOT32X),
	[250] = { "R_386_GNU_VTINHERIT", LINK_IGNORED, 0, LINK_FIT_ALL, .reason = NULL },
	[251] = { "R_386_GNU_VTENTRY", LINK_IGNORED, 0, LINK_FIT_ALL, .reason = NULL },
};

static const struct link_relocation_type *find_relocation(uint32_t type)
{
	return type < sizeof(types) / sizeof(types[0]) && types[type].name ? &types[type] : NULL;
}

/* ---- Slots ---------------------------------------------------------------------------------- */

static void put(unsigned char *field, uint64_t value)
{
	link_put(&link_arch_i386, field, 4, value);
}

/* `field` is the displacement; it ends the instruction. */
static bool relax_branch(unsigned char *field, uint64_t at, uint64_t value)
{
	switch (field[-1] & 0x38) {
	case 0x10: /* call */
		field[-2] = 0x67;
		field[-1] = 0xe8;
		put(field, value - (at + 4));
		return true;
	case 0x20: /* jmp: the displacement moves forward by one byte */
		field[-2] = 0xe9;
		put(field - 1, value - (at + 3));
		field[3] = 0x90;
		return true;
	}
	return false;
}

/* Use `value` directly, which is the symbol's. */
static bool relax(unsigned char *field, uint64_t at, uint64_t value)
{
	unsigned char opcode = field[-2], extension = opcode >> 3 & 7;

	if ((field[-1] & 0x07) == 0x04) /* another byte tells of registers */
		return false;
	if (opcode == 0xff)
		return relax_branch(field, at, value);
	if (opcode == 0x8b || opcode == 0x85)
		extension = 0;
	else if ((opcode & 0xc7) != 0x03) /* add, or, adc, sbb, and, sub, xor, cmp */
		return false;
	field[-2] = opcode == 0x8b ? 0xc7 : opcode == 0x85 ? 0xf7 : 0x81;
	field[-1] = (unsigned char)(0xc0 | extension << 3 | (field[-1] >> 3 & 7));
	put(field, value);
	return true;
}

/* Where a slot is: from the GOT, or wholly, if no register has the GOT's address. */
static int apply(struct link *link, const struct link_relocation *relocation, unsigned char *field,
		 uint64_t at)
{
	bool based = !relocation->offset || (field[-1] & 0xc7) != 0x05; /* ModRM: a number alone */
	uint64_t value;

	if (relocation->number == R_386_GOT32X && relocation->offset >= 2 && !relocation->addend &&
	    relax(field, at, link_symbol_address(link, relocation->symbol)))
		return 0;
	value = link_use_slot(link, relocation->symbol) + (uint64_t)relocation->addend;
	if (based)
		value -= link_got_pointer(link);
	return link_write_value(link, relocation, field, (int64_t)value);
}

/* ---- Stubs ---------------------------------------------------------------------------------- */

#define STUB_BYTES 8
#define MARKED_STUB_BYTES 16

/* endbr32 if wanted; jmp *slot; what is left traps. */
static bool write_stub(unsigned char *buffer, uint64_t at, uint64_t slot, bool marked)
{
	static const unsigned char mark[] = { 0xf3, 0x0f, 0x1e, 0xfb }, jump[] = { 0xff, 0x25 };
	size_t begin = marked ? sizeof(mark) : 0;

	(void)at;
	memset(buffer, 0xcc, marked ? MARKED_STUB_BYTES : STUB_BYTES);
	memcpy(buffer, mark, begin);
	memcpy(buffer + begin, jump, sizeof(jump));
	link_put(&link_arch_i386, buffer + begin + sizeof(jump), 4, slot);
	return true;
}

const struct link_arch link_arch_i386 = {
	.machine = EM_386,
	.class = ELFCLASS32,
	.encoding = ELFDATA2LSB,
	.name = "i386",
	.has_rel = true,
	.page_size = 4096,
	.got_bytes = 4,
	.stub_bytes = STUB_BYTES,
	.stub_align = 8,
	.marked_stub_bytes = MARKED_STUB_BYTES,
	.relocation = find_relocation,
	.write_stub = write_stub,
	.apply = apply,
};
