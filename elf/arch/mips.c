/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mips: o32 and n64, of both orders of bytes: relocations and stubs.
 *
 * $gp is 0x7ff0 behind the GOT, and code finds there what is not local by a slot of its own.  What is
 * local is found by its page of 64 KiB, of which a slot has the address, and its low 16 bits:
 *
 *     lw $2, %got(local)($gp)      slot of (S + A + 0x8000) & ~0xffff
 *     addiu $2, $2, %lo(local)     low 16 bits of S + A, with a sign
 *
 * A high part is right for a low part that has a sign.  In o32 addends are in the fields, and that of a
 * high part (or of such a slot) has its low 16 bits in the field of the low part that follows.  In n64 an
 * entry has up to three types, each made of what the one before it made:
 *
 *     %hi(%neg(%gp_rel(f)))      R_MIPS_GPREL16, R_MIPS_SUB, R_MIPS_HI16
 *
 * Here the second is the number's bits from 8 on, and the third those from 16 on.  _gp_disp in o32 is the
 * distance from the instruction to $gp.  Where a symbol is local, a distance from $gp that stands in the
 * object counts from an address that the object tells: 0, or what ld -r has chosen.  ("System V ABI, MIPS
 * RISC Processor Supplement"; "64-bit ELF Object File Specification".)
 */
#include "elf/internal.h"

#define ENTRY(number, ...) [R_MIPS_##number] = { "R_MIPS_" #number, __VA_ARGS__ }
#define REFUSED(number, why) ENTRY(number, .reason = (why))
#define IGNORED(number) ENTRY(number, .kind = LINK_IGNORED)
#define DATA(number, kind, bytes, fit) ENTRY(number, kind, bytes, fit, .reason = NULL)
/* The low 16 bits of an instruction. */
#define HALF(number, kind, fit, right, carries, origin)                                            \
	ENTRY(number, kind, 4, fit, .bits = 16, .shift = (right), .carry = (carries),              \
	      .from = (origin))
#define SPECIAL(number, right, what)                                                               \
	ENTRY(number, LINK_SPECIAL, 4, LINK_FIT_SIGNED, .bits = 16, .shift = (right),              \
	      .wants = (what))
#define SMALL_DATA(number)                                                                         \
	ENTRY(number, LINK_GOT_OFFSET, 4, LINK_FIT_SIGNED, .bits = 16, .from = LINK_FROM_GOT,      \
	      .reason = SMALL)
#define BRANCH(number, count, right)                                                               \
	ENTRY(number, LINK_RELATIVE, 4, LINK_FIT_SIGNED, .bits = (count), .shift = (right),        \
	      .exact = true)

#define DYNAMIC "only in linked files"
#define UNUSED_TYPE "compilers do not make it"
#define SMALL "nothing sets $28 to this module's small data; compile with -G0, or with -mabicalls"
#define COMPACT "it is for MIPS16 or microMIPS; compile with -mno-mips16 -mno-micromips"

/* Those that older <elf.h> does not have. */
#define R_MIPS_PC21_S2 60
#define R_MIPS_PC26_S2 61
#define R_MIPS_PC18_S3 62
#define R_MIPS_PC19_S2 63
#define R_MIPS_PCHI16 64
#define R_MIPS_PCLO16 65
#define R_MIPS_PC32 248
#define R_MIPS_EH 249
#define R_MIPS_GNU_REL16_S2 250
#define R_MIPS_GNU_VTINHERIT 253
#define R_MIPS_GNU_VTENTRY 254

#define LOCAL_SLOT (LINK_WANTS_SLOT | LINK_WANTS_GOT | LINK_WANTS_PAGE)

static const struct link_relocation_type types[] = {
	IGNORED(NONE),
	HALF(16, LINK_ABSOLUTE, LINK_FIT_SIGNED, 0, 0, LINK_FROM_ZERO),
	DATA(32, LINK_ABSOLUTE, 4, LINK_FIT_ALL),
	DATA(REL32, LINK_RELATIVE, 4, LINK_FIT_ALL),
	ENTRY(26, LINK_SPECIAL, 4, LINK_FIT_ALL, .bits = 26, .shift = 2, .exact = true,
	      .wants = LINK_WANTS_STUB | LINK_WANTS_SPAN),
	SPECIAL(HI16, 16, LINK_WANTS_ADDRESS),
	SPECIAL(LO16, 0, LINK_WANTS_ADDRESS),
	SMALL_DATA(GPREL16),
	SMALL_DATA(LITERAL),
	SPECIAL(GOT16, 0, LOCAL_SLOT),
	BRANCH(PC16, 16, 2),
	SPECIAL(CALL16, 0, LINK_WANTS_SLOT | LINK_WANTS_GOT),
	DATA(GPREL32, LINK_GOT_OFFSET, 4, LINK_FIT_ALL),
	REFUSED(SHIFT5, UNUSED_TYPE),
	REFUSED(SHIFT6, UNUSED_TYPE),
	DATA(64, LINK_ABSOLUTE, 8, LINK_FIT_ALL),
	SPECIAL(GOT_DISP, 0, LINK_WANTS_SLOT | LINK_WANTS_GOT | LINK_WANTS_VALUE),
	SPECIAL(GOT_PAGE, 0, LINK_WANTS_GOT | LINK_WANTS_PAGE),
	SPECIAL(GOT_OFST, 0, LINK_WANTS_ADDRESS),
	HALF(GOT_HI16, LINK_GOT_SLOT, LINK_FIT_SIGNED, 16, 15, LINK_FROM_GOT),
	HALF(GOT_LO16, LINK_GOT_SLOT, LINK_FIT_ALL, 0, 0, LINK_FROM_GOT),
	REFUSED(SUB, "alone"),
	REFUSED(INSERT_A, UNUSED_TYPE),
	REFUSED(INSERT_B, UNUSED_TYPE),
	REFUSED(DELETE, UNUSED_TYPE),
	SPECIAL(HIGHER, 32, LINK_WANTS_ADDRESS),
	SPECIAL(HIGHEST, 48, LINK_WANTS_ADDRESS),
	HALF(CALL_HI16, LINK_GOT_SLOT, LINK_FIT_SIGNED, 16, 15, LINK_FROM_GOT),
	HALF(CALL_LO16, LINK_GOT_SLOT, LINK_FIT_ALL, 0, 0, LINK_FROM_GOT),
	REFUSED(SCN_DISP, UNUSED_TYPE),
	REFUSED(REL16, UNUSED_TYPE),
	REFUSED(ADD_IMMEDIATE, UNUSED_TYPE),
	REFUSED(PJUMP, UNUSED_TYPE),
	REFUSED(RELGOT, UNUSED_TYPE),
	ENTRY(JALR, LINK_SPECIAL, 4, LINK_FIT_ALL, .wants = LINK_WANTS_ADDRESS),
	REFUSED(TLS_DTPMOD32, DYNAMIC),
	DATA(TLS_DTPREL32, LINK_TLS_OFFSET, 4, LINK_FIT_ALL),
	REFUSED(TLS_DTPMOD64, DYNAMIC),
	DATA(TLS_DTPREL64, LINK_TLS_OFFSET, 8, LINK_FIT_ALL),
	HALF(TLS_GD, LINK_TLS_GENERAL, LINK_FIT_SIGNED, 0, 0, LINK_FROM_GOT),
	HALF(TLS_LDM, LINK_TLS_LOCAL, LINK_FIT_SIGNED, 0, 0, LINK_FROM_GOT),
	HALF(TLS_DTPREL_HI16, LINK_TLS_OFFSET, LINK_FIT_SIGNED, 16, 15, LINK_FROM_ZERO),
	HALF(TLS_DTPREL_LO16, LINK_TLS_OFFSET, LINK_FIT_ALL, 0, 0, LINK_FROM_ZERO),
	HALF(TLS_GOTTPREL, LINK_TLS_INITIAL, LINK_FIT_SIGNED, 0, 0, LINK_FROM_GOT),
	DATA(TLS_TPREL32, LINK_TLS_DISTANCE, 4, LINK_FIT_ALL),
	DATA(TLS_TPREL64, LINK_TLS_DISTANCE, 8, LINK_FIT_ALL),
	HALF(TLS_TPREL_HI16, LINK_TLS_DISTANCE, LINK_FIT_SIGNED, 16, 15, LINK_FROM_ZERO),
	HALF(TLS_TPREL_LO16, LINK_TLS_DISTANCE, LINK_FIT_ALL, 0, 0, LINK_FROM_ZERO),
	REFUSED(GLOB_DAT, DYNAMIC),
	BRANCH(PC21_S2, 21, 2),
	BRANCH(PC26_S2, 26, 2),
	BRANCH(PC18_S3, 18, 3),
	BRANCH(PC19_S2, 19, 2),
	HALF(PCHI16, LINK_RELATIVE, LINK_FIT_SIGNED, 16, 15, LINK_FROM_PLACE),
	HALF(PCLO16, LINK_RELATIVE, LINK_FIT_ALL, 0, 0, LINK_FROM_PLACE),
	REFUSED(COPY, DYNAMIC),
	REFUSED(JUMP_SLOT, DYNAMIC),
	DATA(PC32, LINK_RELATIVE, 4, LINK_FIT_SIGNED),
	REFUSED(EH, UNUSED_TYPE),
	BRANCH(GNU_REL16_S2, 16, 2),
	IGNORED(GNU_VTINHERIT),
	IGNORED(GNU_VTENTRY),
};

/* What n64 makes of several. */
#define NEGATED_HI (R_MIPS_GPREL16 | R_MIPS_SUB << 8 | R_MIPS_HI16 << 16)
#define NEGATED_LO (R_MIPS_GPREL16 | R_MIPS_SUB << 8 | R_MIPS_LO16 << 16)
#define GPREL_64 (R_MIPS_GPREL32 | R_MIPS_64 << 8)

static const struct {
	uint32_t number;
	struct link_relocation_type type;
} composed[] = {
	{ NEGATED_HI,
	  { "R_MIPS_GPREL16/SUB/HI16", LINK_SPECIAL, 4, LINK_FIT_SIGNED, .bits = 16, .shift = 16,
	    .carry = 15, .wants = LINK_WANTS_GOT | LINK_WANTS_ADDRESS } },
	{ NEGATED_LO,
	  { "R_MIPS_GPREL16/SUB/LO16", LINK_SPECIAL, 4, LINK_FIT_ALL, .bits = 16,
	    .wants = LINK_WANTS_GOT | LINK_WANTS_ADDRESS } },
	{ GPREL_64, { "R_MIPS_GPREL32/64", LINK_GOT_OFFSET, 8, LINK_FIT_ALL, .reason = NULL } },
};

static const struct link_relocation_type compact = { "R_MIPS16 or R_MICROMIPS", .reason = COMPACT };

static const struct link_relocation_type *find_relocation(uint32_t type)
{
	for (size_t i = 0; type > 0xff && i < sizeof(composed) / sizeof(composed[0]); i++) {
		if (composed[i].number == type)
			return &composed[i].type;
	}
	if ((type >= 100 && type < 126) || (type >= 130 && type < 180))
		return &compact;
	return type < sizeof(types) / sizeof(types[0]) && types[type].name ? &types[type] : NULL;
}

/* ---- Entries of n64 --------------------------------------------------------------------------- */

/* | 32: symbol | 8: another one's kind | 8: third type | 8: second type | 8: first type | */
static uint64_t keep_types(uint64_t info)
{
	return info & ~(uint64_t)0xff000000;
}

/* The same bytes, read in the other order. */
static uint64_t reverse_types(uint64_t info)
{
	uint64_t types_of = __builtin_bswap32((uint32_t)(info >> 32));

	return info << 32 | (types_of & 0xffffff);
}

/* ---- Fields --------------------------------------------------------------------------------- */

/* Above 32 bits each part is right for all parts below it that have signs; the two forms. */
static uint64_t carried(const struct link_relocation_type *type, uint64_t value)
{
	return type->shift == 32 ? (value + 0x80008000) >> 32 : (value + 0x800080008000) >> 48;
}

static int apply_carried(struct link *link, const struct link_relocation *relocation,
			 unsigned char *field)
{
	uint64_t value =
		link_symbol_address(link, relocation->symbol) + (uint64_t)relocation->addend;

	link_put(link->arch, field, 4,
		 (link_get(link->arch, field, 4) & 0xffff0000) |
			 (carried(relocation->type, value) & 0xffff));
	return 0;
}

/* ---- Addends in fields ------------------------------------------------------------------------ */

static bool has_low_part(const struct link_object *object, const Elf64_Rela *entry)
{
	switch (ELF64_R_TYPE(entry->r_info)) {
	case R_MIPS_HI16:
	case R_MIPS_PCHI16:
		return true;
	case R_MIPS_GOT16:
		return ELF64_R_SYM(entry->r_info) < object->local_count;
	default:
		return false;
	}
}

/* From the end, so that each finds the low part that follows it. */
static int read_addends(const struct link_section *section, const unsigned char *data,
			Elf64_Rela *entries, size_t count)
{
	const struct link_object *object = section->object;
	size_t *low = link_allocate_array(object->link, object->symbol_count + 1, sizeof(*low));

	(void)data;
	if (!low)
		return -ENOMEM;
	for (size_t i = count; i-- > 0;) {
		uint64_t symbol = ELF64_R_SYM(entries[i].r_info);
		uint32_t type = (uint32_t)ELF64_R_TYPE(entries[i].r_info);

		if (symbol >= object->symbol_count)
			continue;
		if (type == R_MIPS_JALR) /* its field has none */
			entries[i].r_addend = 0;
		else if (type == R_MIPS_LO16 || type == R_MIPS_PCLO16)
			low[symbol] = i + 1;
		else if (has_low_part(object, &entries[i])) {
			if (type == R_MIPS_GOT16)
				entries[i].r_addend *= 0x10000;
			if (low[symbol])
				entries[i].r_addend += entries[low[symbol] - 1].r_addend;
			entries[i].r_addend = (int32_t)entries[i].r_addend;
		}
	}
	return 0;
}

/* ---- Values --------------------------------------------------------------------------------- */

static bool is_local(const struct link_symbol *symbol)
{
	return symbol->bind == STB_LOCAL;
}

static uint64_t counted_from(const struct link_relocation *relocation)
{
	return is_local(relocation->symbol) ? relocation->object->counted_from : 0;
}

static int64_t select_value(const struct link_relocation *relocation, uint64_t value)
{
	if (relocation->type->kind == LINK_GOT_OFFSET)
		value += counted_from(relocation);
	return (int64_t)(value + (uint64_t)relocation->addend);
}

/* Whether the function called wants its address in $25, which a stub leaves there. */
static bool wants_stub(const struct link *link, const struct link_relocation *relocation)
{
	return link->hosted && !relocation->addend &&
	       (!relocation->symbol->section || link_enters_by_address(relocation));
}

/* Within the 256 MiB that the next instruction is in; o32 keeps the low 28 bits of the addend. */
static int apply_jump(struct link *link, const struct link_relocation *relocation,
		      unsigned char *field, uint64_t at)
{
	const struct link_symbol *symbol = relocation->symbol;
	uint64_t region = (at + 4) & ~(uint64_t)0xfffffff;
	uint64_t value = link_symbol_address(link, symbol) + (uint64_t)relocation->addend;
	bool reached = (value & ~(uint64_t)0xfffffff) == region;

	if (symbol->stub && ((!reached && !symbol->section) || wants_stub(link, relocation))) {
		int error = link_use_stub(link, relocation, &value);

		if (error)
			return error;
	}
	if ((value & ~(uint64_t)0xfffffff) != region)
		return link_fail_relocation(
			link, -ERANGE, relocation,
			"is out of reach (found 0x%llx, to be in the 256 MiB at "
			"0x%llx); compile with -mlong-calls or -fPIC",
			(unsigned long long)value, (unsigned long long)region);
	return link_write_value(link, relocation, field, (int64_t)value);
}

static bool is_gp_distance(const struct link *link, const struct link_symbol *symbol)
{
	return symbol->section == &link->private->got && !strcmp(symbol->name, "_gp_disp");
}

/* The instruction of the low part is the next one. */
static void apply_part(struct link *link, const struct link_relocation *relocation,
		       unsigned char *field, uint64_t at)
{
	bool high = relocation->number == R_MIPS_HI16;
	uint64_t value = link_symbol_address(link, relocation->symbol);

	if (is_gp_distance(link, relocation->symbol))
		value = link_got_pointer(link) - at + (high ? 0 : 4);
	value += (uint64_t)relocation->addend;
	link_put_field(link->arch, relocation->type, field,
		       (int64_t)(high ? value + 0x8000 : value));
}

/* A call by $25, which has the function's address: it may go there itself, if that is near. */
static void apply_hint(const struct link *link, uint64_t value, unsigned char *field, uint64_t at)
{
	int64_t distance = (int64_t)(value - (at + 4));
	uint64_t code = link_get(link->arch, field, 4);

	if (link->arch->class == ELFCLASS32)
		distance = (int32_t)distance;
	if (distance < -0x20000 || distance > 0x1ffff || distance & 3)
		return;
	if (code == 0x0320f809) /* jalr $25: bal */
		code = 0x04110000;
	else if (code == 0x03200008) /* jr $25: b */
		code = 0x10000000;
	else
		return;
	link_put(link->arch, field, 4, code | ((uint64_t)distance >> 2 & 0xffff));
}

/* By the slot of what is not local, or has a slot of its own; of a page; or of a place. */
static int apply_slot(struct link *link, const struct link_relocation *relocation,
		      unsigned char *field)
{
	const struct link_symbol *symbol = relocation->symbol;
	uint64_t value = link_symbol_address(link, symbol) + (uint64_t)relocation->addend;
	uint64_t page = (value + 0x8000) & ~(uint64_t)0xffff;
	const uint64_t *held = NULL;

	if (relocation->number == R_MIPS_GOT_PAGE ||
	    (relocation->number == R_MIPS_GOT16 && is_local(symbol)))
		held = &page;
	else if (relocation->number == R_MIPS_GOT_DISP && relocation->addend)
		held = &value;
	return link_write_distance(link, relocation, field, held);
}

static int apply(struct link *link, const struct link_relocation *relocation, unsigned char *field,
		 uint64_t at)
{
	uint64_t value =
		link_symbol_address(link, relocation->symbol) + (uint64_t)relocation->addend;

	switch (relocation->number) {
	case R_MIPS_26:
		return apply_jump(link, relocation, field, at);
	case R_MIPS_JALR:
		apply_hint(link, value, field, at);
		return 0;
	case R_MIPS_HI16:
	case R_MIPS_LO16:
		apply_part(link, relocation, field, at);
		return 0;
	case NEGATED_HI:
	case NEGATED_LO:
		value += counted_from(relocation);
		return link_write_value(link, relocation, field,
					(int64_t)(link_got_pointer(link) - value));
	case R_MIPS_GOT_OFST:
		value -= (value + 0x8000) & ~(uint64_t)0xffff;
		return link_write_value(link, relocation, field, (int64_t)value);
	case R_MIPS_HIGHER:
	case R_MIPS_HIGHEST:
		return apply_carried(link, relocation, field);
	default:
		return apply_slot(link, relocation, field);
	}
}

/* ---- Stubs ---------------------------------------------------------------------------------- */

#define STUB_BYTES 16
#define STUB64_BYTES 32

/* lui $25, %hi(slot); lw $25, %lo(slot)($25); jr $25; nop */
static bool put_stub(const struct link_arch *arch, unsigned char *buffer, uint64_t slot)
{
	link_put(arch, buffer, 4, 0x3c190000 | ((slot + 0x8000) >> 16 & 0xffff));
	link_put(arch, buffer + 4, 4, 0x8f390000 | (slot & 0xffff));
	link_put(arch, buffer + 8, 4, 0x03200008);
	link_put(arch, buffer + 12, 4, 0);
	return true;
}

/* lui, daddiu, dsll, daddiu, dsll, ld; jr $25; nop */
static bool put_stub64(const struct link_arch *arch, unsigned char *buffer, uint64_t slot)
{
	const uint64_t codes[] = {
		0x3c190000 | ((slot + 0x800080008000) >> 48 & 0xffff),
		0x67390000 | ((slot + 0x80008000) >> 32 & 0xffff),
		0x0019cc38,
		0x67390000 | ((slot + 0x8000) >> 16 & 0xffff),
		0x0019cc38,
		0xdf390000 | (slot & 0xffff),
		0x03200008,
		0,
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		link_put(arch, buffer + 4 * i, 4, codes[i]);
	return true;
}

#define STUB_OF(name, put)                                                                         \
	static bool write_stub_##name(unsigned char *buffer, uint64_t at, uint64_t slot,           \
				      bool marked)                                                 \
	{                                                                                          \
		(void)at;                                                                          \
		(void)marked;                                                                      \
		return put(&link_arch_##name, buffer, slot);                                       \
	}

STUB_OF(mips, put_stub)
STUB_OF(mipsel, put_stub)
STUB_OF(mips64, put_stub64)
STUB_OF(mips64el, put_stub64)

/* ---- Objects that fit together ---------------------------------------------------------------- */

/* Of e_flags, what <elf.h> has no names for. */
#define ABI_FLAGS 0xf000
#define ABI_O32 0x1000
#define MICROMIPS_FLAG 0x02000000
#define MIPS16_FLAG 0x04000000

static int fail_abi(const struct link_object *object, const char *found, const char *option)
{
	return link_fail(object->link, -ENOEXEC, "%s: compiled for %s; compile with %s",
			 object->name, found, option);
}

static int check_flags(struct link_object *object, uint32_t flags)
{
	bool wide = object->link->arch->class == ELFCLASS64;

	if (flags & EF_MIPS_ABI2 && !wide)
		return fail_abi(object, "another ABI (n32)", "-mabi=32");
	if (!wide && flags & ABI_FLAGS && (flags & ABI_FLAGS) != ABI_O32)
		return fail_abi(object, "another ABI (not o32)", "-mabi=32");
	if (flags & MICROMIPS_FLAG)
		return fail_abi(object, "microMIPS", "-mno-micromips");
	if (flags & MIPS16_FLAG)
		return fail_abi(object, "MIPS16", "-mno-mips16");
	object->wants_address = flags & EF_MIPS_PIC;
	object->sets_no_pointer = !(flags & (EF_MIPS_PIC | EF_MIPS_CPIC));
	return 0;
}

/* ---- The address that objects count from ------------------------------------------------------- */

/* Its offset in the description of registers: that of o32, and of n64 with its header. */
#define REGINFO_POINTER 20
#define OPTION_POINTER 32

static uint64_t get_pointer(const struct link_section *section, uint64_t offset, uint8_t bytes)
{
	if (section->size < offset || section->size - offset < bytes)
		return 0;
	return link_get(section->object->link->arch, section->data + offset, bytes);
}

/* The first description; they are all alike in this. */
static uint64_t find_in_options(const struct link_section *section)
{
	const unsigned char *data = section->data;

	for (uint64_t at = 0; at + 2 <= section->size && data[at + 1]; at += data[at + 1]) {
		if (data[at] == ODK_REGINFO)
			return get_pointer(section, at + OPTION_POINTER, 8);
	}
	return 0;
}

static void find_pointer(struct link_object *object)
{
	for (size_t i = 1; i < object->section_count; i++) {
		const struct link_section *section = &object->sections[i];

		if (!section->data)
			continue;
		if (section->type == SHT_MIPS_REGINFO)
			object->counted_from = get_pointer(section, REGINFO_POINTER, 4);
		else if (section->type == SHT_MIPS_OPTIONS)
			object->counted_from = find_in_options(section);
	}
}

static int prepare(struct link *link)
{
	for (struct link_object *object = link->objects; object; object = object->next)
		find_pointer(object);
	return 0;
}

#define O32(order, title)                                                                          \
	.machine = EM_MIPS, .class = ELFCLASS32, .encoding = (order), .name = #title,              \
	.has_rel = true, .stacks_run = true, .page_size = 65536, .got_bytes = 4,                   \
	.got_reserved = 2, .stub_bytes = STUB_BYTES, .stub_align = 16,                             \
	.marked_stub_bytes = STUB_BYTES, .large_common = SHN_MIPS_SCOMMON, .tls_bias = 0x8000,     \
	.got_bias = 0x7ff0, .got_align = 16,                                                       \
	.got_symbols = { "_gp", "_gp_disp", "__gnu_local_gp" }, .relocation = find_relocation,     \
	.write_stub = write_stub_##title, .check_flags = check_flags,                              \
	.read_addends = read_addends, .select = select_value, .apply = apply, .prepare = prepare
#define N64(order, title, decode)                                                                  \
	.machine = EM_MIPS, .class = ELFCLASS64, .encoding = (order), .name = #title,              \
	.stacks_run = true, .page_size = 65536, .got_bytes = 8, .got_reserved = 2,                 \
	.stub_bytes = STUB64_BYTES, .stub_align = 32, .marked_stub_bytes = STUB64_BYTES,           \
	.large_common = SHN_MIPS_SCOMMON, .tls_bias = 0x8000, .got_bias = 0x7ff0, .got_align = 16, \
	.got_symbols = { "_gp", "__gnu_local_gp" }, .relocation = find_relocation,                 \
	.write_stub = write_stub_##title, .check_flags = check_flags, .decode_info = (decode),     \
	.select = select_value, .apply = apply, .prepare = prepare

const struct link_arch link_arch_mips = { O32(ELFDATA2MSB, mips) };
const struct link_arch link_arch_mipsel = { O32(ELFDATA2LSB, mipsel) };
const struct link_arch link_arch_mips64 = { N64(ELFDATA2MSB, mips64, keep_types) };
const struct link_arch link_arch_mips64el = { N64(ELFDATA2LSB, mips64el, reverse_types) };
