/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * alpha: relocations and stubs.
 *
 * $gp is 0x8000 behind the GOT, so that loads with 16 bits of distance reach 8192 slots.  Code finds
 * what is not near there by a slot: ldq $1, x+8($29) !literal takes that of x + 8.  A function that uses
 * $gp makes it from its own address, which callers leave in $27, and makes it again behind each call:
 *
 *     ldah $29, high($27)      R_ALPHA_GPDISP, whose addend is the distance to the second
 *     lda  $29, low($29)
 *
 * Those who call it with the same $gp skip that: st_other tells.  What R_ALPHA_LITUSE and the like say
 * is for linkers that change instructions, and a jump's hint only for the processor's guess.
 *
 * ("Tru64 UNIX Object File and Symbol Table Format"; "ELF Handling For Thread-Local Storage".)
 */
#include "elf/internal.h"

#define ENTRY(number, ...) [R_ALPHA_##number] = { "R_ALPHA_" #number, __VA_ARGS__ }
#define REFUSED(number, why) ENTRY(number, .reason = (why))
#define IGNORED(number) ENTRY(number, LINK_IGNORED, .reason = NULL)
#define DATA(number, kind, bytes, fit) ENTRY(number, kind, bytes, fit, .reason = NULL)
/* The low 16 bits of an instruction. */
#define HALF(number, kind, fit, right)                                                             \
	ENTRY(number, kind, 4, fit, .bits = 16, .shift = (right), .carry = (right) ? 15 : 0,       \
	      .from = LINK_FROM_KIND)
#define SLOT(number, kind)                                                                         \
	ENTRY(number, kind, 4, LINK_FIT_SIGNED, .bits = 16, .from = LINK_FROM_GOT)
#define SPECIAL(number, count, right, what)                                                        \
	ENTRY(number, LINK_SPECIAL, 4, LINK_FIT_SIGNED, .bits = (count), .shift = (right),         \
	      .exact = true, .wants = (what))

#define DYNAMIC "only in linked files"
#define OLD "it is for ECOFF files"

/* Those that <elf.h> does not have, or by another name. */
#define R_ALPHA_OP_PUSH 12
#define R_ALPHA_OP_STORE 13
#define R_ALPHA_OP_PSUB 14
#define R_ALPHA_OP_PRSHIFT 15
#define R_ALPHA_GPVALUE 16
#define R_ALPHA_BRSGP 28
#define R_ALPHA_TLSLDM 30

static const struct link_relocation_type types[] = {
	IGNORED(NONE),
	DATA(REFLONG, LINK_ABSOLUTE, 4, LINK_FIT_EITHER),
	DATA(REFQUAD, LINK_ABSOLUTE, 8, LINK_FIT_ALL),
	DATA(GPREL32, LINK_GOT_OFFSET, 4, LINK_FIT_SIGNED),
	SPECIAL(LITERAL, 16, 0, LINK_WANTS_SLOT | LINK_WANTS_GOT | LINK_WANTS_VALUE),
	IGNORED(LITUSE),
	SPECIAL(GPDISP, 16, 0, LINK_WANTS_GOT),
	SPECIAL(BRADDR, 21, 2, LINK_WANTS_STUB),
	SPECIAL(HINT, 14, 2, 0),
	DATA(SREL16, LINK_RELATIVE, 2, LINK_FIT_SIGNED),
	DATA(SREL32, LINK_RELATIVE, 4, LINK_FIT_SIGNED),
	DATA(SREL64, LINK_RELATIVE, 8, LINK_FIT_ALL),
	REFUSED(OP_PUSH, OLD),
	REFUSED(OP_STORE, OLD),
	REFUSED(OP_PSUB, OLD),
	REFUSED(OP_PRSHIFT, OLD),
	REFUSED(GPVALUE, OLD),
	HALF(GPRELHIGH, LINK_GOT_OFFSET, LINK_FIT_SIGNED, 16),
	HALF(GPRELLOW, LINK_GOT_OFFSET, LINK_FIT_ALL, 0),
	HALF(GPREL16, LINK_GOT_OFFSET, LINK_FIT_SIGNED, 0),
	REFUSED(COPY, DYNAMIC),
	REFUSED(GLOB_DAT, DYNAMIC),
	REFUSED(JMP_SLOT, DYNAMIC),
	REFUSED(RELATIVE, DYNAMIC),
	SPECIAL(BRSGP, 21, 2, LINK_WANTS_ADDRESS),
	SLOT(TLSGD, LINK_TLS_GENERAL),
	SLOT(TLSLDM, LINK_TLS_LOCAL),
	DATA(DTPMOD64, LINK_TLS_MODULE, 8, LINK_FIT_ALL),
	REFUSED(GOTDTPREL, "compile with -mtls-size=32"),
	DATA(DTPREL64, LINK_TLS_OFFSET, 8, LINK_FIT_ALL),
	HALF(DTPRELHI, LINK_TLS_OFFSET, LINK_FIT_SIGNED, 16),
	HALF(DTPRELLO, LINK_TLS_OFFSET, LINK_FIT_ALL, 0),
	HALF(DTPREL16, LINK_TLS_OFFSET, LINK_FIT_SIGNED, 0),
	SLOT(GOTTPREL, LINK_TLS_INITIAL),
	DATA(TPREL64, LINK_TLS_DISTANCE, 8, LINK_FIT_ALL),
	HALF(TPRELHI, LINK_TLS_DISTANCE, LINK_FIT_SIGNED, 16),
	HALF(TPRELLO, LINK_TLS_DISTANCE, LINK_FIT_ALL, 0),
	HALF(TPREL16, LINK_TLS_DISTANCE, LINK_FIT_SIGNED, 0),
};

static const struct link_relocation_type *find_relocation(uint32_t type)
{
	return type < sizeof(types) / sizeof(types[0]) && types[type].name ? &types[type] : NULL;
}

/* ---- $gp ------------------------------------------------------------------------------------ */

#define OPCODE_LDA 0x08U
#define OPCODE_LDAH 0x09U

static bool is_opcode(const struct link *link, const unsigned char *field, uint64_t opcode)
{
	return link_get(link->arch, field, 4) >> 26 == opcode;
}

static int16_t get_low(const struct link *link, const unsigned char *field)
{
	return (int16_t)link_get(link->arch, field, 2);
}

/* The distance from the place to $gp, over what the two instructions add already. */
static int apply_distance(struct link *link, const struct link_relocation *relocation,
			  unsigned char *field, uint64_t at)
{
	uint64_t second = relocation->offset + (uint64_t)relocation->addend;
	unsigned char *low = NULL;
	uint64_t size = relocation->section->size;
	int64_t value;

	if (second <= size && size - second >= 4)
		low = field + relocation->addend;
	if (!low || !is_opcode(link, field, OPCODE_LDAH) || !is_opcode(link, low, OPCODE_LDA))
		return link_fail_relocation(link, -ENOEXEC, relocation,
					    "is not at ldah and lda (the second at 0x%llx); the "
					    "file is damaged",
					    (unsigned long long)second);
	value = get_low(link, field) * (int64_t)0x10000 + get_low(link, low) +
		(int64_t)(link_got_pointer(link) - at);
	if (value < -0x80008000LL || value > 0x7fff7fffLL)
		return link_fail_relocation(
			link, -ERANGE, relocation,
			"is out of reach from $gp (found %lld, at least %lld and at most %lld)",
			(long long)value, -0x80008000LL, 0x7fff7fffLL);
	link_put(link->arch, field, 2, (uint64_t)(value + 0x8000) >> 16);
	link_put(link->arch, low, 2, (uint64_t)value);
	return 0;
}

/* ---- Slots ---------------------------------------------------------------------------------- */

static int apply_literal(struct link *link, const struct link_relocation *relocation,
			 unsigned char *field)
{
	uint64_t value =
		link_symbol_address(link, relocation->symbol) + (uint64_t)relocation->addend;

	return link_write_distance(link, relocation, field, relocation->addend ? &value : NULL);
}

/* ---- Branches ------------------------------------------------------------------------------- */

/* Of st_other: what is at the function's beginning. */
#define GPLOAD_MASK 0x88U
#define NO_GPLOAD 0x80U
#define STANDARD_GPLOAD 0x88U
#define GPLOAD_BYTES 8

/* All count from the next instruction. */
static int apply_branch(struct link *link, const struct link_relocation *relocation,
			unsigned char *field, uint64_t at)
{
	static const struct link_relocation_type branch = {
		"R_ALPHA_BRADDR", LINK_BRANCH,	4, LINK_FIT_SIGNED, .bits = 21,
		.shift = 2,	  .exact = true
	};
	struct link_relocation next = *relocation;

	next.type = &branch;
	next.addend = (int64_t)((uint64_t)next.addend - 4);
	return link_apply(link, &next, field, at);
}

/* Both have the same $gp, so its beginning is skipped, if it makes it. */
static int apply_near(struct link *link, const struct link_relocation *relocation,
		      unsigned char *field, uint64_t at)
{
	const struct link_symbol *symbol = relocation->symbol;
	uint64_t value = link_symbol_address(link, symbol) + (uint64_t)relocation->addend;

	if (symbol->defined && !symbol->section)
		return link_fail_relocation(link, -ENOEXEC, relocation,
					    "is a call of what is in another module or library, "
					    "where $gp is another; declare it without hidden "
					    "visibility");
	if ((symbol->other & GPLOAD_MASK) == STANDARD_GPLOAD)
		value += GPLOAD_BYTES;
	else if ((symbol->other & GPLOAD_MASK) != NO_GPLOAD)
		return link_fail_relocation(link, -ENOEXEC, relocation,
					    "is a call of what does not tell whether it makes $gp; "
					    "give it a .prologue");
	return link_write_value(link, relocation, field, (int64_t)(value - at - 4));
}

static int apply(struct link *link, const struct link_relocation *relocation, unsigned char *field,
		 uint64_t at)
{
	uint64_t value;

	switch (relocation->number) {
	case R_ALPHA_LITERAL:
		return apply_literal(link, relocation, field);
	case R_ALPHA_GPDISP:
		return apply_distance(link, relocation, field, at);
	case R_ALPHA_BRADDR:
		return apply_branch(link, relocation, field, at);
	case R_ALPHA_BRSGP:
		return apply_near(link, relocation, field, at);
	default: /* R_ALPHA_HINT, right or not */
		value = link_symbol_address(link, relocation->symbol) +
			(uint64_t)relocation->addend - at - 4;
		link_put_field(link->arch, relocation->type, field, (int64_t)value);
		return 0;
	}
}

/* ---- Stubs ---------------------------------------------------------------------------------- */

#define STUB_BYTES 16

/* br $27, next; next: ldah $27, high($27); ldq $27, low($27); jmp $31, ($27) */
static bool write_stub(unsigned char *buffer, uint64_t at, uint64_t slot, bool marked)
{
	int64_t distance = (int64_t)(slot - at - 4);

	(void)marked;
	if (distance < -0x80008000LL || distance > 0x7fff7fffLL)
		return false;
	link_put(&link_arch_alpha, buffer, 4, 0xc3600000);
	link_put(&link_arch_alpha, buffer + 4, 4,
		 0x277b0000 | ((uint64_t)(distance + 0x8000) >> 16 & 0xffff));
	link_put(&link_arch_alpha, buffer + 8, 4, 0xa77b0000 | ((uint64_t)distance & 0xffff));
	link_put(&link_arch_alpha, buffer + 12, 4, 0x6bfb0000);
	return true;
}

const struct link_arch link_arch_alpha = {
	.machine = EM_ALPHA,
	.class = ELFCLASS64,
	.encoding = ELFDATA2LSB,
	.name = "alpha",
	.page_size = 8192,
	.got_bytes = 8,
	.stub_bytes = STUB_BYTES,
	.stub_align = 16,
	.marked_stub_bytes = STUB_BYTES,
	.got_bias = 0x8000,
	.near_flag = SHF_ALPHA_GPREL,
	.far_data = "-mlarge-data",
	.far_slots = "link fewer objects as one, as $gp reaches 8192 slots",
	.relocation = find_relocation,
	.write_stub = write_stub,
	.apply = apply,
};
