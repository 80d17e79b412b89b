/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * x86-64: relocations, stubs, and loads of GOT slots that can be done without.
 *
 * In code for the large model, and in that for the medium one when it is position-independent, a
 * register has the GOT's address, and everything is so many bytes from there; its calls need no stub.
 *
 * A relaxable relocation stands at the displacement of an instruction that uses a slot, with an
 * addend of -4 as the instruction ends behind it.  The psABI, "Optimize GOTPCRELX Relocations",
 * lists what an instruction may become:
 *
 *     call *foo@GOTPCREL(%rip)          67 e8       addr32 call foo
 *     jmp  *foo@GOTPCREL(%rip)          e9 .. 90    jmp foo; nop
 *     mov   foo@GOTPCREL(%rip), %reg    c7 /0       mov $foo, %reg
 *                                       8d          lea foo(%rip), %reg
 *     test  %reg, foo@GOTPCREL(%rip)    f7 /0       test $foo, %reg
 *     op    foo@GOTPCREL(%rip), %reg    81 /op      op $foo, %reg
 *
 * The call of __tls_get_addr has prefixes, which make a sequence of a fixed size: 66 48 ff 15.  It stays
 * as it is: behind another prefix the 48 does not count, and then the 66 makes the call one of 16 bits.
 */
#include "elf/internal.h"

#ifndef SHN_X86_64_LCOMMON
#define SHN_X86_64_LCOMMON 0xff02
#endif

#define REFUSED(number, why) [R_X86_64_##number] = { "R_X86_64_" #number, .reason = (why) }
#define SUPPORTED(number, kind, bytes, fit)                                                        \
	[R_X86_64_##number] = { "R_X86_64_" #number, kind, bytes, fit, .reason = NULL }
/* Those that older <elf.h> does not have. */
#define NUMBERED(value, number, why) [value] = { "R_X86_64_" #number, .reason = (why) }
#define NUMBERED_SUPPORTED(value, number, kind, bytes, fit)                                        \
	[value] = { "R_X86_64_" #number, kind, bytes, fit, .reason = NULL }

#define DYNAMIC "only in linked files"

static const struct link_relocation_type types[] = {
	SUPPORTED(NONE, LINK_IGNORED, 0, LINK_FIT_ALL),
	SUPPORTED(64, LINK_ABSOLUTE, 8, LINK_FIT_ALL),
	SUPPORTED(PC32, LINK_RELATIVE, 4, LINK_FIT_SIGNED),
	SUPPORTED(GOT32, LINK_GOT_SLOT, 4, LINK_FIT_SIGNED),
	SUPPORTED(PLT32, LINK_BRANCH, 4, LINK_FIT_SIGNED),
	REFUSED(COPY, DYNAMIC),
	REFUSED(GLOB_DAT, DYNAMIC),
	REFUSED(JUMP_SLOT, DYNAMIC),
	REFUSED(RELATIVE, DYNAMIC),
	SUPPORTED(GOTPCREL, LINK_GOT_RELATIVE, 4, LINK_FIT_SIGNED),
	SUPPORTED(32, LINK_ABSOLUTE, 4, LINK_FIT_UNSIGNED),
	SUPPORTED(32S, LINK_ABSOLUTE, 4, LINK_FIT_SIGNED),
	SUPPORTED(16, LINK_ABSOLUTE, 2, LINK_FIT_EITHER),
	SUPPORTED(PC16, LINK_RELATIVE, 2, LINK_FIT_SIGNED),
	SUPPORTED(8, LINK_ABSOLUTE, 1, LINK_FIT_EITHER),
	SUPPORTED(PC8, LINK_RELATIVE, 1, LINK_FIT_SIGNED),
	SUPPORTED(DTPMOD64, LINK_TLS_MODULE, 8, LINK_FIT_ALL),
	SUPPORTED(DTPOFF64, LINK_TLS_OFFSET, 8, LINK_FIT_ALL),
	SUPPORTED(TPOFF64, LINK_TLS_DISTANCE, 8, LINK_FIT_ALL),
	SUPPORTED(TLSGD, LINK_TLS_GENERAL, 4, LINK_FIT_SIGNED),
	SUPPORTED(TLSLD, LINK_TLS_LOCAL, 4, LINK_FIT_SIGNED),
	SUPPORTED(DTPOFF32, LINK_TLS_OFFSET, 4, LINK_FIT_SIGNED),
	SUPPORTED(GOTTPOFF, LINK_TLS_INITIAL, 4, LINK_FIT_SIGNED),
	SUPPORTED(TPOFF32, LINK_TLS_DISTANCE, 4, LINK_FIT_SIGNED),
	SUPPORTED(PC64, LINK_RELATIVE, 8, LINK_FIT_ALL),
	SUPPORTED(GOTOFF64, LINK_GOT_OFFSET, 8, LINK_FIT_ALL),
	SUPPORTED(GOTPC32, LINK_GOT_BASE, 4, LINK_FIT_SIGNED),
	SUPPORTED(GOT64, LINK_GOT_SLOT, 8, LINK_FIT_ALL),
	SUPPORTED(GOTPCREL64, LINK_GOT_RELATIVE, 8, LINK_FIT_ALL),
	SUPPORTED(GOTPC64, LINK_GOT_BASE, 8, LINK_FIT_ALL),
	SUPPORTED(GOTPLT64, LINK_GOT_SLOT, 8, LINK_FIT_ALL),
	SUPPORTED(PLTOFF64, LINK_GOT_OFFSET, 8, LINK_FIT_ALL),
	SUPPORTED(SIZE32, LINK_SIZE, 4, LINK_FIT_UNSIGNED),
	SUPPORTED(SIZE64, LINK_SIZE, 8, LINK_FIT_ALL),
	SUPPORTED(GOTPC32_TLSDESC, LINK_TLS_DESCRIPTOR, 4, LINK_FIT_SIGNED),
	SUPPORTED(TLSDESC_CALL, LINK_TLS_CALL, 0, LINK_FIT_ALL),
	REFUSED(TLSDESC, DYNAMIC),
	REFUSED(IRELATIVE, DYNAMIC),
	REFUSED(RELATIVE64, DYNAMIC),
	NUMBERED_SUPPORTED(39, PC32_BND, LINK_RELATIVE, 4, LINK_FIT_SIGNED),
	NUMBERED_SUPPORTED(40, PLT32_BND, LINK_BRANCH, 4, LINK_FIT_SIGNED),
	SUPPORTED(GOTPCRELX, LINK_GOT_RELAXABLE, 4, LINK_FIT_SIGNED),
	SUPPORTED(REX_GOTPCRELX, LINK_GOT_RELAXABLE, 4, LINK_FIT_SIGNED),
	NUMBERED_SUPPORTED(43, CODE_4_GOTPCRELX, LINK_GOT_RELATIVE, 4, LINK_FIT_SIGNED),
	NUMBERED_SUPPORTED(44, CODE_4_GOTTPOFF, LINK_TLS_INITIAL, 4, LINK_FIT_SIGNED),
	NUMBERED_SUPPORTED(45, CODE_4_GOTPC32_TLSDESC, LINK_TLS_DESCRIPTOR, 4, LINK_FIT_SIGNED),
	NUMBERED_SUPPORTED(46, CODE_5_GOTPCRELX, LINK_GOT_RELATIVE, 4, LINK_FIT_SIGNED),
	NUMBERED_SUPPORTED(47, CODE_5_GOTTPOFF, LINK_TLS_INITIAL, 4, LINK_FIT_SIGNED),
	NUMBERED_SUPPORTED(48, CODE_5_GOTPC32_TLSDESC, LINK_TLS_DESCRIPTOR, 4, LINK_FIT_SIGNED),
	NUMBERED_SUPPORTED(49, CODE_6_GOTPCRELX, LINK_GOT_RELATIVE, 4, LINK_FIT_SIGNED),
	NUMBERED_SUPPORTED(50, CODE_6_GOTTPOFF, LINK_TLS_INITIAL, 4, LINK_FIT_SIGNED),
	NUMBERED_SUPPORTED(51, CODE_6_GOTPC32_TLSDESC, LINK_TLS_DESCRIPTOR, 4, LINK_FIT_SIGNED),
};

static const struct link_relocation_type *find_relocation(uint32_t type)
{
	return type < sizeof(types) / sizeof(types[0]) && types[type].name ? &types[type] : NULL;
}

static void put32(unsigned char *field, uint64_t value)
{
	for (int i = 0; i < 4; i++)
		field[i] = (unsigned char)(value >> 8 * i);
}

static bool fits_signed32(uint64_t value)
{
	return value + 0x80000000U <= 0xffffffffU;
}

/* ---- Stubs ---------------------------------------------------------------------------------- */

#define STUB_BYTES 8
#define MARKED_STUB_BYTES 16

/* endbr64 if wanted; jmp *slot(%rip); what is left traps. */
static bool write_stub(unsigned char *buffer, uint64_t at, uint64_t slot, bool marked)
{
	static const unsigned char mark[] = { 0xf3, 0x0f, 0x1e, 0xfa }, jump[] = { 0xff, 0x25 };
	size_t begin = marked ? sizeof(mark) : 0, field = begin + sizeof(jump);
	uint64_t displacement = slot - (at + field + 4);

	if (!fits_signed32(displacement))
		return false;
	memset(buffer, 0xcc, marked ? MARKED_STUB_BYTES : STUB_BYTES);
	memcpy(buffer, mark, begin);
	memcpy(buffer + begin, jump, sizeof(jump));
	put32(buffer + field, displacement);
	return true;
}

/* ---- Relaxing ------------------------------------------------------------------------------- */

#define REX_W 0x08 /* 64-bit operand */
#define REX_R 0x04 /* extends ModRM.reg */
#define REX_B 0x01 /* extends ModRM.rm */

/* An instruction that uses a slot; the bytes before the displacement. */
struct instruction {
	unsigned char *rex; /* NULL: there is none */
	unsigned char *opcode;
	unsigned char *modrm;
	unsigned char *field; /* the displacement */
};

/* Make it an instruction with an immediate operand in place of the slot: `extension` goes with the
 * opcode, and the register to where the slot's address was. */
static bool use_immediate(const struct instruction *instruction, unsigned char opcode,
			  unsigned char extension, uint64_t value)
{
	bool wide = instruction->rex && *instruction->rex & REX_W;
	unsigned char reg = *instruction->modrm >> 3 & 7;

	if (wide ? !fits_signed32(value) : value > 0xffffffffU)
		return false;
	if (instruction->rex && *instruction->rex & REX_R)
		*instruction->rex = (unsigned char)((*instruction->rex & ~REX_R) | REX_B);
	*instruction->opcode = opcode;
	*instruction->modrm = (unsigned char)(0xc0 | extension << 3 | reg);
	put32(instruction->field, value);
	return true;
}

/* `relative` is the value as it would be for a displacement in the same place. */
static bool relax_branch(const struct instruction *instruction, uint64_t relative)
{
	switch (*instruction->modrm) {
	case 0x15: /* call *slot(%rip) */
		if (!fits_signed32(relative))
			return false;
		*instruction->opcode = 0x67;
		*instruction->modrm = 0xe8;
		put32(instruction->field, relative);
		return true;
	case 0x25: /* jmp *slot(%rip): the displacement moves forward by one byte */
		if (!fits_signed32(relative + 1))
			return false;
		*instruction->opcode = 0xe9;
		put32(instruction->modrm, relative + 1);
		instruction->field[3] = 0x90;
		return true;
	}
	return false;
}

/* ld's choice too; an immediate operand needs no address. */
static bool relax_move(const struct instruction *instruction, uint64_t value, uint64_t relative)
{
	if (use_immediate(instruction, 0xc7, 0, value))
		return true;
	if (!fits_signed32(relative))
		return false;
	*instruction->opcode = 0x8d;
	put32(instruction->field, relative);
	return true;
}

static bool has_prefixes(const unsigned char *field, uint64_t before)
{
	return before >= 4 && field[-4] == 0x66 && field[-3] == 0x48;
}

static bool relax(uint32_t type, unsigned char *field, uint64_t before, uint64_t at, uint64_t value,
		  int64_t addend)
{
	bool has_rex = type == R_X86_64_REX_GOTPCRELX;
	uint64_t relative = value + (uint64_t)addend - at;
	struct instruction instruction;

	if (addend != -4 || before < (has_rex ? 3 : 2))
		return false;
	instruction = (struct instruction){
		.rex = has_rex ? field - 3 : NULL,
		.opcode = field - 2,
		.modrm = field - 1,
		.field = field,
	};
	if (has_rex && (*instruction.rex & 0xf0) != 0x40)
		return false;
	if (*instruction.opcode == 0xff)
		return !has_rex && !has_prefixes(field, before) &&
		       relax_branch(&instruction, relative);
	if ((*instruction.modrm & 0xc7) != 0x05) /* %rip and a displacement */
		return false;
	if (*instruction.opcode == 0x8b)
		return relax_move(&instruction, value, relative);
	if (*instruction.opcode == 0x85)
		return use_immediate(&instruction, 0xf7, 0, value);
	if ((*instruction.opcode & 0xc7) == 0x03) /* add, or, adc, sbb, and, sub, xor, cmp */
		return use_immediate(&instruction, 0x81, *instruction.opcode >> 3 & 7, value);
	return false;
}

const struct link_arch link_arch_x86_64 = {
	.machine = EM_X86_64,
	.class = ELFCLASS64,
	.encoding = ELFDATA2LSB,
	.name = "x86-64",
	.page_size = 4096,
	.got_bytes = 8,
	.stub_bytes = STUB_BYTES,
	.stub_align = 8,
	.marked_stub_bytes = MARKED_STUB_BYTES,
	.large_common = SHN_X86_64_LCOMMON,
	.relocation = find_relocation,
	.write_stub = write_stub,
	.relax = relax,
};
