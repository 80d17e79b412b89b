/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arm: relocations and stubs; code for ARM and for Thumb, little-endian, EABI version 5.
 *
 * A function for Thumb has bit 0 set in its address, wherever that is stored: so S has it too, here and
 * in what others tell.  Branches leave it out, and must get their caller's state right instead: a call
 * becomes BL or BLX, as it needs, and what has no such form (B, a condition) goes to a stub.  Of a
 * symbol that is no function nobody knows the state: it is taken for what the caller says.
 *
 * Addends are in the fields: MOVW and MOVT have 16 bits with a sign each, neither is a part of the other's.
 * An immediate of ADD or SUB is eight bits at an even place; what needs more is cut into groups, each
 * the eight bits from the highest one on of what is left.  ("ELF for the Arm Architecture", AAELF32,
 * "Relocation".)  Where that leaves a choice (TARGET1, TARGET2) it is Linux' one.
 */
#include "elf/internal.h"

/* What <elf.h> has by older names, or not at all. */
#define R_ARM_LDR_PC_G0 4
#define R_ARM_THM_CALL 10
#define R_ARM_BREL_ADJ 12
#define R_ARM_GOTOFF32 24
#define R_ARM_BASE_PREL 25
#define R_ARM_GOT_BREL 26
#define R_ARM_THM_JUMP11 102
#define R_ARM_THM_JUMP8 103
#define R_ARM_THM_ALU_ABS_G0_NC 132
#define R_ARM_THM_ALU_ABS_G1_NC 133
#define R_ARM_THM_ALU_ABS_G2_NC 134
#define R_ARM_THM_ALU_ABS_G3 135
#define R_ARM_THM_BF16 136
#define R_ARM_THM_BF12 137
#define R_ARM_THM_BF18 138
#define R_ARM_GOTFUNCDESC 161
#define R_ARM_GOTOFFFUNCDESC 162
#define R_ARM_FUNCDESC 163
#define R_ARM_FUNCDESC_VALUE 164
#define R_ARM_TLS_GD32_FDPIC 165
#define R_ARM_TLS_LDM32_FDPIC 166
#define R_ARM_TLS_IE32_FDPIC 167

#define ENTRY(number, ...) [R_ARM_##number] = { "R_ARM_" #number, __VA_ARGS__ }
#define REFUSED(number, why) ENTRY(number, .reason = (why))
#define DATA(number, kind, bytes, fit) ENTRY(number, kind, bytes, fit, .reason = NULL)
#define BITS(number, kind, count) ENTRY(number, kind, 4, LINK_FIT_SIGNED, .bits = (count))
/* A branch in `count` bits, or others that lie apart. */
#define BRANCH(number, bytes, fit, count, right, form_of)                                          \
	ENTRY(number, LINK_BRANCH, bytes, fit, .bits = (count), .shift = (right), .exact = true,   \
	      .form = (form_of))
/* Sixteen bits, from `right` on. */
#define MOVE(number, kind, right, form_of)                                                         \
	ENTRY(number, kind, 4, LINK_FIT_ALL, .bits = 16, .shift = (right), .form = (form_of))
/* A byte of an address, from `right` on. */
#define BYTE(number, right)                                                                        \
	ENTRY(number, LINK_ABSOLUTE, 2, LINK_FIT_ALL, .bits = 8, .shift = (right))
/* What apply() does; for a group, `low` is its number, and `exact`: nothing may be left. */
#define OWN(number, bytes, form_of, group, all)                                                    \
	ENTRY(number, LINK_SPECIAL, bytes, LINK_FIT_ALL, .form = (form_of), .low = (group),        \
	      .exact = (all), .wants = LINK_WANTS_ADDRESS)

enum form {
	FORM_PLAIN,
	FORM_MOVE,	   /* four bits at 16, twelve at 0 */
	FORM_THUMB_MOVE,   /* four bits, one, three, eight */
	FORM_THUMB_BRANCH, /* sign, two that are combined with it, ten, eleven */
	FORM_THUMB_JUMP19, /* sign, two in the other order, six, eleven */
	/* Distances and numbers with the sign in another bit; for apply(). */
	FORM_ALU,	/* ADD or SUB: eight bits and where they are; in groups */
	FORM_LDR,	/* twelve bits */
	FORM_LDRS,	/* eight bits, apart */
	FORM_LDC,	/* eight bits, in units of four bytes */
	FORM_THUMB_LDR, /* twelve bits */
	FORM_THUMB_ADR, /* twelve bits, apart: one, three, eight */
	FORM_THUMB_PC8, /* eight bits, in units of four bytes, no sign */
	FORM_NUMBER,	/* data: an address without the bit of Thumb */
};

#define DYNAMIC "only in linked files"
#define OBSOLETE "obsolete"
#define BASED "for a static base, which Linux has none of"
#define DESCRIPTOR "a TLS descriptor; compile with -mtls-dialect=gnu"
#define FDPIC "for FDPIC, which has no memory management"
#define M_PROFILE "for machines without an operating system"
#define UNMADE "no compiler makes it"

static const struct link_relocation_type types[] = {
	DATA(NONE, LINK_IGNORED, 0, LINK_FIT_ALL),
	BRANCH(PC24, 4, LINK_FIT_SIGNED, 24, 2, FORM_PLAIN),
	/* ld takes no negative numbers in less than a word. */
	DATA(ABS32, LINK_ABSOLUTE, 4, LINK_FIT_ALL),
	DATA(REL32, LINK_RELATIVE, 4, LINK_FIT_ALL),
	OWN(LDR_PC_G0, 4, FORM_LDR, 0, true),
	DATA(ABS16, LINK_ABSOLUTE, 2, LINK_FIT_UNSIGNED),
	REFUSED(ABS12, UNMADE),
	REFUSED(THM_ABS5, UNMADE),
	DATA(ABS8, LINK_ABSOLUTE, 1, LINK_FIT_UNSIGNED),
	REFUSED(SBREL32, BASED),
	BRANCH(THM_CALL, 4, LINK_FIT_SIGNED, 24, 1, FORM_THUMB_BRANCH),
	OWN(THM_PC8, 2, FORM_THUMB_PC8, 0, true),
	REFUSED(BREL_ADJ, DYNAMIC),
	REFUSED(TLS_DESC, DYNAMIC),
	REFUSED(THM_SWI8, OBSOLETE),
	REFUSED(XPC25, OBSOLETE),
	REFUSED(THM_XPC22, OBSOLETE),
	REFUSED(TLS_DTPMOD32, DYNAMIC),
	REFUSED(TLS_DTPOFF32, DYNAMIC),
	REFUSED(TLS_TPOFF32, DYNAMIC),
	REFUSED(COPY, DYNAMIC),
	REFUSED(GLOB_DAT, DYNAMIC),
	REFUSED(JUMP_SLOT, DYNAMIC),
	REFUSED(RELATIVE, DYNAMIC),
	DATA(GOTOFF32, LINK_GOT_OFFSET, 4, LINK_FIT_ALL),
	DATA(BASE_PREL, LINK_GOT_BASE, 4, LINK_FIT_ALL),
	DATA(GOT_BREL, LINK_GOT_SLOT, 4, LINK_FIT_ALL),
	BRANCH(PLT32, 4, LINK_FIT_SIGNED, 24, 2, FORM_PLAIN),
	BRANCH(CALL, 4, LINK_FIT_SIGNED, 24, 2, FORM_PLAIN),
	BRANCH(JUMP24, 4, LINK_FIT_SIGNED, 24, 2, FORM_PLAIN),
	BRANCH(THM_JUMP24, 4, LINK_FIT_SIGNED, 24, 1, FORM_THUMB_BRANCH),
	REFUSED(BASE_ABS, BASED),
	REFUSED(ALU_PCREL_7_0, OBSOLETE),
	REFUSED(ALU_PCREL_15_8, OBSOLETE),
	REFUSED(ALU_PCREL_23_15, OBSOLETE),
	REFUSED(LDR_SBREL_11_0, BASED),
	REFUSED(ALU_SBREL_19_12, BASED),
	REFUSED(ALU_SBREL_27_20, BASED),
	DATA(TARGET1, LINK_ABSOLUTE, 4, LINK_FIT_ALL),
	REFUSED(SBREL31, BASED),
	DATA(V4BX, LINK_IGNORED, 0, LINK_FIT_ALL), /* marks BX for machines that lack it */
	DATA(TARGET2, LINK_GOT_RELATIVE, 4, LINK_FIT_ALL),
	BITS(PREL31, LINK_RELATIVE, 31),
	MOVE(MOVW_ABS_NC, LINK_ABSOLUTE, 0, FORM_MOVE),
	MOVE(MOVT_ABS, LINK_ABSOLUTE, 16, FORM_MOVE),
	MOVE(MOVW_PREL_NC, LINK_RELATIVE, 0, FORM_MOVE),
	MOVE(MOVT_PREL, LINK_RELATIVE, 16, FORM_MOVE),
	MOVE(THM_MOVW_ABS_NC, LINK_ABSOLUTE, 0, FORM_THUMB_MOVE),
	MOVE(THM_MOVT_ABS, LINK_ABSOLUTE, 16, FORM_THUMB_MOVE),
	MOVE(THM_MOVW_PREL_NC, LINK_RELATIVE, 0, FORM_THUMB_MOVE),
	MOVE(THM_MOVT_PREL, LINK_RELATIVE, 16, FORM_THUMB_MOVE),
	BRANCH(THM_JUMP19, 4, LINK_FIT_SIGNED, 20, 1, FORM_THUMB_JUMP19),
	REFUSED(THM_JUMP6, UNMADE),
	OWN(THM_ALU_PREL_11_0, 4, FORM_THUMB_ADR, 0, true),
	OWN(THM_PC12, 4, FORM_THUMB_LDR, 0, true),
	OWN(ABS32_NOI, 4, FORM_NUMBER, 0, true),
	OWN(REL32_NOI, 4, FORM_NUMBER, 0, true),
	OWN(ALU_PC_G0_NC, 4, FORM_ALU, 0, false),
	OWN(ALU_PC_G0, 4, FORM_ALU, 0, true),
	OWN(ALU_PC_G1_NC, 4, FORM_ALU, 1, false),
	OWN(ALU_PC_G1, 4, FORM_ALU, 1, true),
	OWN(ALU_PC_G2, 4, FORM_ALU, 2, true),
	OWN(LDR_PC_G1, 4, FORM_LDR, 1, true),
	OWN(LDR_PC_G2, 4, FORM_LDR, 2, true),
	OWN(LDRS_PC_G0, 4, FORM_LDRS, 0, true),
	OWN(LDRS_PC_G1, 4, FORM_LDRS, 1, true),
	OWN(LDRS_PC_G2, 4, FORM_LDRS, 2, true),
	OWN(LDC_PC_G0, 4, FORM_LDC, 0, true),
	OWN(LDC_PC_G1, 4, FORM_LDC, 1, true),
	OWN(LDC_PC_G2, 4, FORM_LDC, 2, true),
	REFUSED(ALU_SB_G0_NC, BASED),
	REFUSED(ALU_SB_G0, BASED),
	REFUSED(ALU_SB_G1_NC, BASED),
	REFUSED(ALU_SB_G1, BASED),
	REFUSED(ALU_SB_G2, BASED),
	REFUSED(LDR_SB_G0, BASED),
	REFUSED(LDR_SB_G1, BASED),
	REFUSED(LDR_SB_G2, BASED),
	REFUSED(LDRS_SB_G0, BASED),
	REFUSED(LDRS_SB_G1, BASED),
	REFUSED(LDRS_SB_G2, BASED),
	REFUSED(LDC_SB_G0, BASED),
	REFUSED(LDC_SB_G1, BASED),
	REFUSED(LDC_SB_G2, BASED),
	REFUSED(MOVW_BREL_NC, BASED),
	REFUSED(MOVT_BREL, BASED),
	REFUSED(MOVW_BREL, BASED),
	REFUSED(THM_MOVW_BREL_NC, BASED),
	REFUSED(THM_MOVT_BREL, BASED),
	REFUSED(THM_MOVW_BREL, BASED),
	REFUSED(TLS_GOTDESC, DESCRIPTOR),
	REFUSED(TLS_CALL, DESCRIPTOR),
	REFUSED(TLS_DESCSEQ, DESCRIPTOR),
	REFUSED(THM_TLS_CALL, DESCRIPTOR),
	REFUSED(PLT32_ABS, UNMADE),
	REFUSED(GOT_ABS, UNMADE),
	DATA(GOT_PREL, LINK_GOT_RELATIVE, 4, LINK_FIT_ALL),
	REFUSED(GOT_BREL12, UNMADE),
	REFUSED(GOTOFF12, UNMADE),
	REFUSED(GOTRELAX, UNMADE),
	DATA(GNU_VTENTRY, LINK_IGNORED, 0, LINK_FIT_ALL),
	DATA(GNU_VTINHERIT, LINK_IGNORED, 0, LINK_FIT_ALL),
	BRANCH(THM_JUMP11, 2, LINK_FIT_SIGNED, 11, 1, FORM_PLAIN),
	BRANCH(THM_JUMP8, 2, LINK_FIT_SIGNED, 8, 1, FORM_PLAIN),
	DATA(TLS_GD32, LINK_TLS_GENERAL, 4, LINK_FIT_ALL),
	DATA(TLS_LDM32, LINK_TLS_LOCAL, 4, LINK_FIT_ALL),
	DATA(TLS_LDO32, LINK_TLS_OFFSET, 4, LINK_FIT_ALL),
	DATA(TLS_IE32, LINK_TLS_INITIAL, 4, LINK_FIT_ALL),
	DATA(TLS_LE32, LINK_TLS_DISTANCE, 4, LINK_FIT_ALL),
	REFUSED(TLS_LDO12, UNMADE),
	REFUSED(TLS_LE12, UNMADE),
	REFUSED(TLS_IE12GP, UNMADE),
	REFUSED(ME_TOO, OBSOLETE),
	REFUSED(THM_TLS_DESCSEQ16, DESCRIPTOR),
	REFUSED(THM_TLS_DESCSEQ32, DESCRIPTOR),
	REFUSED(THM_GOT_BREL12, UNMADE),
	BYTE(THM_ALU_ABS_G0_NC, 0),
	BYTE(THM_ALU_ABS_G1_NC, 8),
	BYTE(THM_ALU_ABS_G2_NC, 16),
	BYTE(THM_ALU_ABS_G3, 24),
	REFUSED(THM_BF16, M_PROFILE),
	REFUSED(THM_BF12, M_PROFILE),
	REFUSED(THM_BF18, M_PROFILE),
	REFUSED(IRELATIVE, DYNAMIC),
	REFUSED(GOTFUNCDESC, FDPIC),
	REFUSED(GOTOFFFUNCDESC, FDPIC),
	REFUSED(FUNCDESC, FDPIC),
	REFUSED(FUNCDESC_VALUE, FDPIC),
	REFUSED(TLS_GD32_FDPIC, FDPIC),
	REFUSED(TLS_LDM32_FDPIC, FDPIC),
	REFUSED(TLS_IE32_FDPIC, FDPIC),
	REFUSED(RXPC25, OBSOLETE),
	REFUSED(RSBREL32, OBSOLETE),
	REFUSED(THM_RPC22, OBSOLETE),
	REFUSED(RREL32, OBSOLETE),
	REFUSED(RABS22, OBSOLETE),
	REFUSED(RPC24, OBSOLETE),
	REFUSED(RBASE, OBSOLETE),
};

static const struct link_relocation_type *find_relocation(uint32_t type)
{
	return type < sizeof(types) / sizeof(types[0]) && types[type].name ? &types[type] : NULL;
}

static uint32_t get(const unsigned char *field, size_t bytes)
{
	return (uint32_t)link_get(&link_arch_arm, field, bytes);
}

static void put(unsigned char *field, size_t bytes, uint32_t value)
{
	link_put(&link_arch_arm, field, bytes, value);
}

/* ---- Fields --------------------------------------------------------------------------------- */

/* Of a wide instruction of Thumb the first half is the low one here. */

static uint32_t insert_branch(uint32_t code, uint32_t bits)
{
	uint32_t sign = bits >> 23 & 1, j1 = ~(bits >> 22 ^ sign) & 1,
		 j2 = ~(bits >> 21 ^ sign) & 1;

	return (code & 0xd000f800) | sign << 10 | (bits >> 11 & 0x3ff) | j1 << 29 | j2 << 27 |
	       (bits & 0x7ff) << 16;
}

static uint32_t extract_branch(uint32_t code)
{
	uint32_t sign = code >> 10 & 1, i1 = ~(code >> 29 ^ sign) & 1,
		 i2 = ~(code >> 27 ^ sign) & 1;

	return sign << 23 | i1 << 22 | i2 << 21 | (code & 0x3ff) << 11 | (code >> 16 & 0x7ff);
}

static void insert(const struct link_relocation_type *type, unsigned char *field, uint64_t value)
{
	uint32_t code = get(field, type->bytes), bits = (uint32_t)value;

	switch (type->form) {
	case FORM_MOVE:
		code = (code & 0xfff0f000) | (bits & 0xf000) << 4 | (bits & 0xfff);
		break;
	case FORM_THUMB_MOVE:
		code = (code & 0x8f00fbf0) | bits >> 12 | (bits & 0x800) >> 1 |
		       (bits & 0x700) << 20 | (bits & 0xff) << 16;
		break;
	case FORM_THUMB_BRANCH:
		code = insert_branch(code, bits);
		break;
	case FORM_THUMB_JUMP19:
		code = (code & 0xd000fbc0) | (bits >> 19 & 1) << 10 | (bits >> 18 & 1) << 27 |
		       (bits >> 17 & 1) << 29 | (bits >> 11 & 0x3f) | (bits & 0x7ff) << 16;
		break;
	default:
		break;
	}
	put(field, type->bytes, code);
}

static uint64_t extract(const struct link_relocation_type *type, const unsigned char *field)
{
	uint32_t code = get(field, type->bytes);

	switch (type->form) {
	case FORM_MOVE:
		return (code >> 4 & 0xf000) | (code & 0xfff);
	case FORM_THUMB_MOVE:
		return (code & 0xf) << 12 | (code & 0x400) << 1 | (code >> 20 & 0x700) |
		       (code >> 16 & 0xff);
	case FORM_THUMB_BRANCH:
		return extract_branch(code);
	case FORM_THUMB_JUMP19:
		return (code >> 10 & 1) << 19 | (code >> 27 & 1) << 18 | (code >> 29 & 1) << 17 |
		       (code & 0x3f) << 11 | (code >> 16 & 0x7ff);
	default:
		return code;
	}
}

/* ---- Addends -------------------------------------------------------------------------------- */

#define ALU_SUB ((uint32_t)1 << 22)
#define ALU_ADD ((uint32_t)1 << 23)
#define UP ((uint32_t)1 << 23)	    /* of loads and stores: the sign is + */
#define THUMB_UP ((uint32_t)1 << 7) /* the same, in the first half */
#define THUMB_SUB ((uint32_t)0xa0)  /* the instruction is SUB, not ADD */

static int64_t with_sign(uint32_t magnitude, bool up)
{
	return up ? (int64_t)magnitude : -(int64_t)magnitude;
}

static uint32_t rotate_right(uint32_t value, unsigned int by)
{
	return by ? value >> by | value << (32 - by) : value;
}

/* The addend of a form that apply() knows. */
static int64_t own_addend(enum form form, uint32_t code)
{
	switch (form) {
	case FORM_ALU:
		return with_sign(rotate_right(code & 0xff, code >> 7 & 0x1e), !(code & ALU_SUB));
	case FORM_LDR:
		return with_sign(code & 0xfff, code & UP);
	case FORM_LDRS:
		return with_sign((code >> 4 & 0xf0) | (code & 0xf), code & UP);
	case FORM_LDC:
		return with_sign((code & 0xff) << 2, code & UP);
	case FORM_THUMB_LDR:
		return with_sign(code >> 16 & 0xfff, code & THUMB_UP);
	case FORM_THUMB_ADR:
		return with_sign((code & 0x400) << 1 | (code >> 20 & 0x700) | (code >> 16 & 0xff),
				 !(code & THUMB_SUB));
	case FORM_THUMB_PC8: /* -4 is all ones: there is no sign */
		return (int64_t)((((code & 0xff) << 2) + 4) & 0x3ff) - 4;
	default:
		return (int32_t)code;
	}
}

static int64_t addend_of(const struct link_relocation_type *type, const unsigned char *field,
			 int64_t found)
{
	if (type->kind == LINK_SPECIAL)
		return own_addend((enum form)type->form, get(field, type->bytes));
	if (type->form == FORM_MOVE || type->form == FORM_THUMB_MOVE)
		return (int16_t)extract(type, field);
	if (type->fit == LINK_FIT_ALL && type->bits == 8)
		return field[0];
	return found;
}

static int read_addends(const struct link_section *section, const unsigned char *data,
			Elf64_Rela *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct link_relocation_type *type =
			find_relocation((uint32_t)ELF64_R_TYPE(entries[i].r_info));
		uint64_t offset = entries[i].r_offset;

		if (type && type->bytes && offset <= section->size &&
		    section->size - offset >= type->bytes)
			entries[i].r_addend = addend_of(type, data + offset, entries[i].r_addend);
	}
	return 0;
}

/* ---- Signs and groups ----------------------------------------------------------------------- */

/* The eight bits at an even place that begin with the highest one. */
static unsigned int group_shift(uint32_t value)
{
	unsigned int highest = value ? 31U - (unsigned int)__builtin_clz(value) : 0;

	return highest > 6 ? (highest & ~1U) - 6 : 0;
}

static uint32_t group(uint32_t value)
{
	return value & (uint32_t)0xff << group_shift(value);
}

/* What is left for a group, when those before it have theirs. */
static uint32_t left_for(const struct link_relocation_type *type, uint32_t magnitude)
{
	for (unsigned int i = 0; i < type->low; i++)
		magnitude &= ~group(magnitude);
	return magnitude;
}

/* Put a magnitude and its sign into an instruction; the greatest magnitude that it takes. */
static uint32_t encode(enum form form, uint32_t *code, uint32_t magnitude, bool up)
{
	uint32_t sign = up ? UP : 0, shift = group_shift(magnitude);

	switch (form) {
	case FORM_ALU:
		*code = (*code & 0xff3ff000) | (up ? ALU_ADD : ALU_SUB) |
			((32 - shift) / 2 & 0xf) << 8 | (group(magnitude) >> shift);
		return group(magnitude);
	case FORM_LDR:
		*code = (*code & 0xff7ff000) | sign | (magnitude & 0xfff);
		return 0xfff;
	case FORM_LDRS:
		*code = (*code & 0xff7ff0f0) | sign | (magnitude & 0xf0) << 4 | (magnitude & 0xf);
		return 0xff;
	case FORM_LDC:
		*code = (*code & 0xff7fff00) | sign | (magnitude >> 2 & 0xff);
		return 0x3fc;
	case FORM_THUMB_LDR:
		*code = (*code & 0xf000ff7f) | (up ? THUMB_UP : 0) | (magnitude & 0xfff) << 16;
		return 0xfff;
	case FORM_THUMB_ADR:
		*code = (*code & 0x8f00fb5f) | (up ? 0 : THUMB_SUB) | (magnitude & 0x800) >> 1 |
			(magnitude & 0x700) << 20 | (magnitude & 0xff) << 16;
		return 0xfff;
	case FORM_THUMB_PC8:
		*code = (*code & 0xff00) | (magnitude >> 2 & 0xff);
		return up ? 0x3fc : 0;
	default:
		*code = up ? magnitude : -magnitude;
		return UINT32_MAX;
	}
}

/* S + A, or its distance from the place. */
static uint32_t own_value(const struct link *link, const struct link_relocation *relocation,
			  uint64_t at)
{
	uint64_t value = link_symbol_address(link, relocation->symbol);

	if (relocation->type->form == FORM_NUMBER && relocation->symbol->type == STT_FUNC)
		value &= ~(uint64_t)1;
	value += (uint64_t)relocation->addend;
	if (relocation->number == R_ARM_ABS32_NOI)
		return (uint32_t)value;
	if (relocation->type->form >= FORM_THUMB_LDR && relocation->type->form <= FORM_THUMB_PC8)
		at &= ~(uint64_t)3;
	return (uint32_t)(value - at);
}

static int apply(struct link *link, const struct link_relocation *relocation, unsigned char *field,
		 uint64_t at)
{
	const struct link_relocation_type *type = relocation->type;
	uint32_t value = own_value(link, relocation, at), code = get(field, type->bytes);
	bool up = !(value >> 31);
	uint32_t magnitude = left_for(type, up ? value : -value), most;

	most = encode((enum form)type->form, &code, magnitude, up);
	if (magnitude > most && type->exact)
		return link_fail_relocation(link, -ERANGE, relocation,
					    "is out of reach (found %d, of which 0x%x is left; at "
					    "most 0x%x); compile with -fPIC",
					    (int32_t)value, magnitude, most);
	if ((type->form == FORM_LDC || type->form == FORM_THUMB_PC8) && magnitude & 3)
		return link_fail_relocation(link, -ENOEXEC, relocation,
					    "leads to what is not aligned (found 0x%x, need a "
					    "multiple of 4)",
					    magnitude);
	put(field, type->bytes, code);
	return 0;
}

/* ---- Branches ------------------------------------------------------------------------------- */

#define BLX ((uint32_t)0xfa000000)
#define BLX_MASK ((uint32_t)0xfe000000)
#define BL ((uint32_t)0xeb000000)
#define BL_MASK ((uint32_t)0xff000000)
#define THUMB_BL ((uint32_t)1 << 28) /* in the second half; otherwise it is BLX */
#define STUB_BYTES 20
#define STUB_FOR_THUMB 8 /* where it is entered */

static bool is_for_thumb(const struct link_relocation_type *type)
{
	return type->shift == 1;
}

static bool is_thumb_call(const struct link_relocation_type *type)
{
	return type == &types[R_ARM_THM_CALL];
}

/* What is elsewhere has an address as others store it, whatever the reference's type. */
static bool tells_state(const struct link_symbol *symbol)
{
	return symbol->type == STT_FUNC || symbol->type == STT_GNU_IFUNC || symbol->external;
}

/* ARM goes to where `thumb` is the state: BL and BLX become each other. */
static bool enter_from_arm(unsigned char *field, bool thumb, uint64_t *target)
{
	uint32_t code = get(field, 4);
	bool blx = (code & BLX_MASK) == BLX;

	if (!thumb) {
		if (blx)
			put(field, 4, BL | (code & ~BL_MASK));
		return true;
	}
	if (!blx && (code & BL_MASK) != BL)
		return false;
	put(field, 4, BLX | (uint32_t)(*target & 2) << 23 | (code & ~BL_MASK));
	*target &= ~(uint64_t)3;
	return true;
}

/* BLX counts from the place's word. */
static bool enter_from_thumb(const struct link_relocation_type *type, unsigned char *field,
			     uint64_t at, bool thumb, uint64_t *target)
{
	uint32_t code;

	if (!is_thumb_call(type)) {
		*target &= ~(uint64_t)1;
		return thumb;
	}
	code = get(field, 4);
	put(field, 4, thumb ? code | THUMB_BL : code & ~THUMB_BL);
	*target = thumb ? *target & ~(uint64_t)1 : *target + (at & 2);
	return true;
}

static bool enter(const struct link_relocation *relocation, unsigned char *field, uint64_t at,
		  bool stub, uint64_t *target)
{
	const struct link_relocation_type *type = relocation->type;
	bool from_thumb = is_for_thumb(type);
	bool thumb = from_thumb;

	if (tells_state(relocation->symbol))
		thumb = *target & 1;
	else if (is_thumb_call(type))
		thumb = get(field, 4) & THUMB_BL;
	if (stub) {
		thumb = from_thumb;
		*target += from_thumb ? STUB_FOR_THUMB : 0;
	}
	return from_thumb ? enter_from_thumb(type, field, at, thumb, target)
			  : enter_from_arm(field, thumb, target);
}

/* ARM: mov r0, r0 on the same condition; Thumb: b to behind it, mov r8, r8. */
static void skip(const struct link_relocation *relocation, unsigned char *field)
{
	uint32_t condition = get(field, relocation->type->bytes) & 0xf0000000;

	if (is_for_thumb(relocation->type))
		put(field, relocation->type->bytes,
		    relocation->type->bytes == 2 ? 0x46c0 : 0x46c0e000);
	else
		put(field, 4, (condition == 0xf0000000 ? 0xe0000000 : condition) | 0x01a00000);
}

/*
 *     ldr ip, [pc, #8]     ldr pc, [ip]     Thumb: bx pc, mov r8, r8     b to the first     slot
 */
static bool write_stub(unsigned char *buffer, uint64_t at, uint64_t slot, bool marked)
{
	static const uint32_t code[] = { 0xe59fc008, 0xe59cf000, 0x46c04778, 0xeafffffb };

	(void)at;
	(void)marked;
	for (size_t i = 0; i < sizeof(code) / sizeof(code[0]); i++)
		put(buffer + 4 * i, 4, code[i]);
	put(buffer + sizeof(code), 4, (uint32_t)slot);
	return true;
}

/* ---- Objects that fit together -------------------------------------------------------------- */

static int check_flags(struct link_object *object, uint32_t flags)
{
	unsigned int version = EF_ARM_EABI_VERSION(flags) >> 24;

	if (version == 5 && !(flags & EF_ARM_BE8))
		return 0;
	return link_fail(object->link, -ENOEXEC,
			 "%s: compiled for another ABI (found EABI version %u, need 5); compile "
			 "for arm-linux-gnueabi or arm-linux-gnueabihf",
			 object->name, version);
}

/* Attributes of the ABI's ("Addenda to, and Errata in, the ABI for the Arm Architecture"). */
#define NUMBER_MODEL 23 /* 0: it uses no floating-point numbers */
#define VFP_ARGUMENTS 28
#define VFP_EITHER 3 /* no such arguments */

/* In which registers functions get floating-point numbers; VFP_EITHER: not told, or it does not matter. */
static uint64_t float_arguments(const struct link_object *object)
{
	if (!link_attribute(object, SHT_ARM_ATTRIBUTES, "aeabi", NUMBER_MODEL, 0))
		return VFP_EITHER;
	return link_attribute(object, SHT_ARM_ATTRIBUTES, "aeabi", VFP_ARGUMENTS, 0);
}

static const char *float_name(uint64_t arguments)
{
	return arguments ? "hard" : "soft or softfp";
}

/* This program's, if it is for this machine. */
#ifdef __ARM_PCS_VFP
#define OWN_ARGUMENTS 1
#else
#define OWN_ARGUMENTS 0
#endif

static int prepare(struct link *link)
{
	const char *first = link->hosted ? "this program" : NULL;
	uint64_t known = OWN_ARGUMENTS;

	for (struct link_object *object = link->objects; object; object = object->next) {
		uint64_t arguments = float_arguments(object);
		int error = 0;

		if (arguments == VFP_EITHER)
			continue;
		if (first && !arguments != !known)
			error = link_pass(
				link,
				link_fail(link, -ENOEXEC,
					  "%s: functions get floating-point numbers in other "
					  "registers than those of %s (found %s, need %s); compile "
					  "both with the same -mfloat-abi",
					  object->name, first, float_name(arguments),
					  float_name(known)));
		if (error)
			return error;
		if (!first) {
			first = object->name;
			known = arguments;
		}
	}
	return 0;
}

const struct link_arch link_arch_arm = {
	.machine = EM_ARM,
	.class = ELFCLASS32,
	.encoding = ELFDATA2LSB,
	.name = "arm",
	.has_rel = true,
	.page_size = 65536,
	.got_bytes = 4,
	.stub_bytes = STUB_BYTES,
	.stub_align = 4,
	.marked_stub_bytes = STUB_BYTES,
	.mapping_symbols = "atd",
	.index_type = SHT_ARM_EXIDX,
	.code_bit = 1,
	.far_calls = "-mlong-calls",
	.relocation = find_relocation,
	.write_stub = write_stub,
	.check_flags = check_flags,
	.insert = insert,
	.extract = extract,
	.read_addends = read_addends,
	.apply = apply,
	.enter = enter,
	.skip = skip,
	.prepare = prepare,
};
