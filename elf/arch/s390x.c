/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * s390x: relocations and stubs.
 *
 * Instructions are of two, four or six bytes; what they say of places counts in halfwords from their
 * own beginning, +-4 GiB with 32 bits ("ELF Application Binary Interface s390x Supplement"):
 *
 *     larl  %r1, place       c0 r0  32 bits        lgrl  %r1, slot      c4 r8  32 bits
 *     brasl %r14, place      c0 e5  32 bits
 *
 * A displacement of 20 bits is stored with its low twelve first.
 */
#include "elf/internal.h"

#define ENTRY(number, ...) [R_390_##number] = { "R_390_" #number, __VA_ARGS__ }
#define REFUSED(number, why) ENTRY(number, .reason = (why))
#define IGNORED(number) ENTRY(number, .kind = LINK_IGNORED)
#define DATA(number, kind, bytes, fit) ENTRY(number, kind, bytes, fit, .reason = NULL)
#define COUNTED(number, kind, bytes, fit, origin) ENTRY(number, kind, bytes, fit, .from = (origin))
/* The low `count` bits of `bytes`. */
#define CODE(number, kind, bytes, fit, count) ENTRY(number, kind, bytes, fit, .bits = (count))
#define LONG(number, kind, origin)                                                                 \
	ENTRY(number, kind, 4, LINK_FIT_SIGNED, .bits = 20, .form = FORM_LONG, .from = (origin))
/* Halfwords. */
#define HALF(number, kind, bytes, count)                                                           \
	ENTRY(number, kind, bytes, LINK_FIT_SIGNED, .bits = (count), .shift = 1, .exact = true)

#define DYNAMIC "only in linked files"
#define NARROW "it is for programs of 31 bits"

/* Those that older <elf.h> does not have. */
#define R_390_PC12DBL 62
#define R_390_PLT12DBL 63
#define R_390_PC24DBL 64
#define R_390_PLT24DBL 65

#define FORM_LONG 1

static const struct link_relocation_type types[] = {
	IGNORED(NONE),
	DATA(8, LINK_ABSOLUTE, 1, LINK_FIT_EITHER),
	CODE(12, LINK_ABSOLUTE, 2, LINK_FIT_UNSIGNED, 12),
	DATA(16, LINK_ABSOLUTE, 2, LINK_FIT_EITHER),
	DATA(32, LINK_ABSOLUTE, 4, LINK_FIT_EITHER),
	DATA(PC32, LINK_RELATIVE, 4, LINK_FIT_EITHER),
	CODE(GOT12, LINK_GOT_SLOT, 2, LINK_FIT_UNSIGNED, 12),
	DATA(GOT32, LINK_GOT_SLOT, 4, LINK_FIT_EITHER),
	DATA(PLT32, LINK_BRANCH, 4, LINK_FIT_EITHER),
	REFUSED(COPY, DYNAMIC),
	REFUSED(GLOB_DAT, DYNAMIC),
	REFUSED(JMP_SLOT, DYNAMIC),
	REFUSED(RELATIVE, DYNAMIC),
	REFUSED(GOTOFF32, NARROW),
	DATA(GOTPC, LINK_GOT_BASE, 8, LINK_FIT_ALL),
	DATA(GOT16, LINK_GOT_SLOT, 2, LINK_FIT_EITHER),
	DATA(PC16, LINK_RELATIVE, 2, LINK_FIT_EITHER),
	HALF(PC16DBL, LINK_RELATIVE, 2, 16),
	HALF(PLT16DBL, LINK_BRANCH, 2, 16),
	HALF(PC32DBL, LINK_RELATIVE, 4, 32),
	HALF(PLT32DBL, LINK_BRANCH, 4, 32),
	HALF(GOTPCDBL, LINK_GOT_BASE, 4, 32),
	DATA(64, LINK_ABSOLUTE, 8, LINK_FIT_ALL),
	DATA(PC64, LINK_RELATIVE, 8, LINK_FIT_ALL),
	DATA(GOT64, LINK_GOT_SLOT, 8, LINK_FIT_ALL),
	DATA(PLT64, LINK_BRANCH, 8, LINK_FIT_ALL),
	HALF(GOTENT, LINK_GOT_RELATIVE, 4, 32),
	DATA(GOTOFF16, LINK_GOT_OFFSET, 2, LINK_FIT_EITHER),
	DATA(GOTOFF64, LINK_GOT_OFFSET, 8, LINK_FIT_ALL),
	CODE(GOTPLT12, LINK_GOT_SLOT, 2, LINK_FIT_UNSIGNED, 12),
	DATA(GOTPLT16, LINK_GOT_SLOT, 2, LINK_FIT_EITHER),
	REFUSED(GOTPLT32, NARROW),
	DATA(GOTPLT64, LINK_GOT_SLOT, 8, LINK_FIT_ALL),
	HALF(GOTPLTENT, LINK_GOT_RELATIVE, 4, 32),
	DATA(PLTOFF16, LINK_GOT_OFFSET, 2, LINK_FIT_EITHER),
	DATA(PLTOFF32, LINK_GOT_OFFSET, 4, LINK_FIT_EITHER),
	DATA(PLTOFF64, LINK_GOT_OFFSET, 8, LINK_FIT_ALL),
	IGNORED(TLS_LOAD),
	IGNORED(TLS_GDCALL),
	IGNORED(TLS_LDCALL),
	REFUSED(TLS_GD32, NARROW),
	COUNTED(TLS_GD64, LINK_TLS_GENERAL, 8, LINK_FIT_ALL, LINK_FROM_GOT),
	ENTRY(TLS_GOTIE12, LINK_TLS_INITIAL, 2, LINK_FIT_UNSIGNED, .bits = 12,
	      .from = LINK_FROM_GOT),
	REFUSED(TLS_GOTIE32, NARROW),
	COUNTED(TLS_GOTIE64, LINK_TLS_INITIAL, 8, LINK_FIT_ALL, LINK_FROM_GOT),
	REFUSED(TLS_LDM32, NARROW),
	COUNTED(TLS_LDM64, LINK_TLS_LOCAL, 8, LINK_FIT_ALL, LINK_FROM_GOT),
	REFUSED(TLS_IE32, NARROW),
	COUNTED(TLS_IE64, LINK_TLS_INITIAL, 8, LINK_FIT_ALL, LINK_FROM_ZERO),
	HALF(TLS_IEENT, LINK_TLS_INITIAL, 4, 32),
	REFUSED(TLS_LE32, NARROW),
	DATA(TLS_LE64, LINK_TLS_DISTANCE, 8, LINK_FIT_ALL),
	REFUSED(TLS_LDO32, NARROW),
	DATA(TLS_LDO64, LINK_TLS_OFFSET, 8, LINK_FIT_ALL),
	DATA(TLS_DTPMOD, LINK_TLS_MODULE, 8, LINK_FIT_ALL),
	DATA(TLS_DTPOFF, LINK_TLS_OFFSET, 8, LINK_FIT_ALL),
	DATA(TLS_TPOFF, LINK_TLS_DISTANCE, 8, LINK_FIT_ALL),
	LONG(20, LINK_ABSOLUTE, LINK_FROM_ZERO),
	LONG(GOT20, LINK_GOT_SLOT, LINK_FROM_GOT),
	LONG(GOTPLT20, LINK_GOT_SLOT, LINK_FROM_GOT),
	LONG(TLS_GOTIE20, LINK_TLS_INITIAL, LINK_FROM_GOT),
	REFUSED(IRELATIVE, DYNAMIC),
	HALF(PC12DBL, LINK_RELATIVE, 2, 12),
	HALF(PLT12DBL, LINK_BRANCH, 2, 12),
	HALF(PC24DBL, LINK_RELATIVE, 3, 24),
	HALF(PLT24DBL, LINK_BRANCH, 3, 24),
};

static const struct link_relocation_type *find_relocation(uint32_t type)
{
	return type < sizeof(types) / sizeof(types[0]) && types[type].name ? &types[type] : NULL;
}

/* ---- Fields --------------------------------------------------------------------------------- */

/* | 4: register | 12: low bits | 8: high bits | 8: rest of the opcode | */
static void insert(const struct link_relocation_type *type, unsigned char *field, uint64_t bits)
{
	uint64_t code = link_get(&link_arch_s390x, field, type->bytes) & 0xf00000ff;

	link_put(&link_arch_s390x, field, type->bytes,
		 code | (bits & 0xfff) << 16 | (bits >> 12 & 0xff) << 8);
}

static uint64_t extract(const struct link_relocation_type *type, const unsigned char *field)
{
	uint64_t code = link_get(&link_arch_s390x, field, type->bytes);

	return (code >> 16 & 0xfff) | (code >> 8 & 0xff) << 12;
}

/* ---- Stubs ---------------------------------------------------------------------------------- */

#define STUB_BYTES 8

/* lgrl %r1, slot; br %r1 */
static bool write_stub(unsigned char *buffer, uint64_t at, uint64_t slot, bool marked)
{
	int64_t distance = (int64_t)(slot - at) / 2;

	(void)marked;
	if (distance != (int32_t)distance)
		return false;
	link_put(&link_arch_s390x, buffer, 2, 0xc418);
	link_put(&link_arch_s390x, buffer + 2, 4, (uint64_t)distance);
	link_put(&link_arch_s390x, buffer + 6, 2, 0x07f1);
	return true;
}

const struct link_arch link_arch_s390x = {
	.machine = EM_S390,
	.class = ELFCLASS64,
	.encoding = ELFDATA2MSB,
	.name = "s390x",
	.page_size = 4096,
	.got_bytes = 8,
	.stub_bytes = STUB_BYTES,
	.stub_align = 8,
	.marked_stub_bytes = STUB_BYTES,
	.code_addend = 3,
	.relocation = find_relocation,
	.write_stub = write_stub,
	.insert = insert,
	.extract = extract,
};
