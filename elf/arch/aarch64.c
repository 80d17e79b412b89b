/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aarch64: relocations and stubs.
 *
 * An address is made of a page and an offset in it: adrp gives the page of 4096 bytes, +-4 GiB from that
 * of the instruction, and an add, or the load itself, has the low twelve bits, as a multiple of the
 * size it loads.  Branches reach +-128 MiB.  ("ELF for the Arm 64-bit Architecture", Relocation.)
 */
#include "elf/internal.h"

#define NAMED(number) [R_AARCH64_##number] = { "R_AARCH64_" #number
#define REFUSED(number, why)                                                                       \
	NAMED(number), .reason = (why)                                                             \
	}
#define DATA(number, kind, bytes, fit)                                                             \
	NAMED(number), kind, bytes, fit                                                            \
	}
/* `count` bits from bit `at` of an instruction. */
#define CODE(number, kind, fit, count, right, at)                                                  \
	NAMED(number), kind, 4, fit, .bits = (count), .shift = (right), .low = (at),               \
				     .exact = (fit) != LINK_FIT_ALL                                \
	}
/* The low twelve bits of what `kind` makes, in units of 2^right bytes. */
#define LOW(number, kind, right)                                                                   \
	NAMED(number), kind, 4, LINK_FIT_ALL, .bits = 12 - (right), .shift = (right), .low = 10,   \
					      .from = LINK_FROM_ZERO                               \
	}
#define PAGE(number, kind, fit)                                                                    \
	NAMED(number), kind, 4, fit, .bits = 21, .shift = 12, .form = FORM_ADR,                    \
				     .from = LINK_FROM_PAGE                                        \
	}

#define FORM_ADR 1 /* two bits at 29, the others at 5 */

static const struct link_relocation_type types[] = {
	DATA(NONE, LINK_IGNORED, 0, LINK_FIT_ALL),
	DATA(ABS64, LINK_ABSOLUTE, 8, LINK_FIT_ALL),
	DATA(ABS32, LINK_ABSOLUTE, 4, LINK_FIT_EITHER),
	DATA(ABS16, LINK_ABSOLUTE, 2, LINK_FIT_EITHER),
	DATA(PREL64, LINK_RELATIVE, 8, LINK_FIT_ALL),
	DATA(PREL32, LINK_RELATIVE, 4, LINK_FIT_EITHER),
	DATA(PREL16, LINK_RELATIVE, 2, LINK_FIT_EITHER),
	CODE(LD_PREL_LO19, LINK_RELATIVE, LINK_FIT_SIGNED, 19, 2, 5),
	PAGE(ADR_PREL_PG_HI21, LINK_RELATIVE, LINK_FIT_SIGNED),
	PAGE(ADR_PREL_PG_HI21_NC, LINK_RELATIVE, LINK_FIT_ALL),
	LOW(ADD_ABS_LO12_NC, LINK_ABSOLUTE, 0),
	LOW(LDST8_ABS_LO12_NC, LINK_ABSOLUTE, 0),
	LOW(LDST16_ABS_LO12_NC, LINK_ABSOLUTE, 1),
	LOW(LDST32_ABS_LO12_NC, LINK_ABSOLUTE, 2),
	LOW(LDST64_ABS_LO12_NC, LINK_ABSOLUTE, 3),
	LOW(LDST128_ABS_LO12_NC, LINK_ABSOLUTE, 4),
	CODE(TSTBR14, LINK_RELATIVE, LINK_FIT_SIGNED, 14, 2, 5),
	CODE(CONDBR19, LINK_RELATIVE, LINK_FIT_SIGNED, 19, 2, 5),
	CODE(JUMP26, LINK_BRANCH, LINK_FIT_SIGNED, 26, 2, 0),
	CODE(CALL26, LINK_BRANCH, LINK_FIT_SIGNED, 26, 2, 0),
	PAGE(ADR_GOT_PAGE, LINK_GOT_RELATIVE, LINK_FIT_SIGNED),
	LOW(LD64_GOT_LO12_NC, LINK_GOT_RELATIVE, 3),
	PAGE(TLSIE_ADR_GOTTPREL_PAGE21, LINK_TLS_INITIAL, LINK_FIT_SIGNED),
	LOW(TLSIE_LD64_GOTTPREL_LO12_NC, LINK_TLS_INITIAL, 3),
	PAGE(TLSDESC_ADR_PAGE21, LINK_TLS_DESCRIPTOR, LINK_FIT_SIGNED),
	LOW(TLSDESC_LD64_LO12, LINK_TLS_DESCRIPTOR, 3),
	LOW(TLSDESC_ADD_LO12, LINK_TLS_DESCRIPTOR, 0),
	DATA(TLSDESC_CALL, LINK_TLS_CALL, 0, LINK_FIT_ALL),
};

static const struct link_relocation_type *find_relocation(uint32_t type)
{
	return type < sizeof(types) / sizeof(types[0]) && types[type].name ? &types[type] : NULL;
}

/* ---- Fields --------------------------------------------------------------------------------- */

#define ADR_MASK ((uint64_t)0x60ffffe0)

static void insert(const struct link_relocation_type *type, unsigned char *field, uint64_t bits)
{
	uint64_t code = link_get(&link_arch_aarch64, field, type->bytes) & ~ADR_MASK;

	link_put(&link_arch_aarch64, field, type->bytes,
		 code | (bits & 3) << 29 | (bits >> 2 & 0x7ffff) << 5);
}

static uint64_t extract(const struct link_relocation_type *type, const unsigned char *field)
{
	uint64_t code = link_get(&link_arch_aarch64, field, type->bytes);

	return (code >> 29 & 3) | (code >> 5 & 0x7ffff) << 2;
}

/* ---- Stubs ---------------------------------------------------------------------------------- */

#define STUB_BYTES 16

/*
 *     bti  c   (else nothing)       adrp x16, slot       ldr x17, [x16, #offset]       br x17
 */
static bool write_stub(unsigned char *buffer, uint64_t at, uint64_t slot, bool marked)
{
	static const struct link_relocation_type page = { .bytes = 4, .form = FORM_ADR };
	int64_t pages = (int64_t)((slot & ~LINK_PAGE_MASK) - (at & ~LINK_PAGE_MASK)) >> 12;

	(void)marked;
	if (pages < -((int64_t)1 << 20) || pages >= (int64_t)1 << 20)
		return false;
	link_put(&link_arch_aarch64, buffer, 4, 0x90000010);
	insert(&page, buffer, (uint64_t)pages);
	link_put(&link_arch_aarch64, buffer + 4, 4,
		 0xf9400211 | (slot & LINK_PAGE_MASK) >> 3 << 10);
	link_put(&link_arch_aarch64, buffer + 8, 4, 0xd61f0220);
	link_put(&link_arch_aarch64, buffer + 12, 4, 0xd503201f); /* nop */
	return true;
}

const struct link_arch link_arch_aarch64 = {
	.machine = EM_AARCH64,
	.class = ELFCLASS64,
	.encoding = ELFDATA2LSB,
	.name = "aarch64",
	.page_size = 65536,
	.got_bytes = 8,
	.stub_bytes = STUB_BYTES,
	.stub_align = 16,
	.marked_stub_bytes = STUB_BYTES,
	.relocation = find_relocation,
	.write_stub = write_stub,
	.insert = insert,
	.extract = extract,
};
