/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sh4: what its relocations look like, and how far they reach.
 */
#define SH_TLS "\n.section .tbss, \"awT\", @nobits\n.skip 8\nx: .skip 8\n"

static const struct shape sh4_shapes[] = {
	SHAPE("R_SH_DIR32", ".data\n.long x, x + 8, here, here + 4\nhere: .long 0\n"
			    ".reloc 20, R_SH_DIR32, x\n.long 23\n"),
	SHAPE("R_SH_REL32", ".data\n.long x - ., x + 0x12345 - .\n"),
	SHAPE_AT("R_SH_IND12W", BASE + 1000,
		 ".text\n.reloc 0, R_SH_IND12W, x - 4\n.short 0xb000\nnop\n"
		 ".reloc 4, R_SH_IND12W, x\n.short 0xa000\nnop\n"),
	SHAPE_AT("R_SH_DIR8WPN", BASE + 100,
		 ".text\nnop\n.reloc 2, R_SH_DIR8WPN, x\n.short 0x8900\nnop\n"),
	SHAPE_AT("R_SH_DIR8WPL", BASE + 100,
		 ".text\nnop\nnop\n.reloc 4, R_SH_DIR8WPL, x\n.short 0xd000\nnop\n"),
	SHAPE_AT("R_SH_DIR8WPZ", BASE + 100,
		 ".text\nnop\n.reloc 2, R_SH_DIR8WPZ, x\n.short 0x9000\nnop\n"),
	SHAPE_AT("R_SH_DIR16", 0x1234, ".data\n.reloc 0, R_SH_DIR16, x + 2\n.short 0, 0\n"),
	SHAPE_AT("R_SH_DIR8", 100, ".data\n.reloc 0, R_SH_DIR8, x + 2\n.byte 0, 0\n"),
	SHAPE("R_SH_GOT32", ".text\n.long x@GOT, y@GOT\n"),
	SHAPE("R_SH_GOTPLT32", ".text\n.long x@GOTPLT, y@GOTPLT\n"),
	/* Without anything of a GOT ld crashes. */
	SHAPE("R_SH_PLT32", ".text\nf: nop\nnop\n.long x@PLT, x@PLT - (f + 2 - .), y@GOT\n"),
	SHAPE("R_SH_GOTOFF", ".text\n.long x@GOT, here@GOTOFF\n.data\n.skip 24\nhere: .long 0\n"),
	SHAPE("R_SH_GOTPC", ".text\n.long _GLOBAL_OFFSET_TABLE_, x@GOT\n"),
	SHAPE_TLS("R_SH_TLS_GD_32", ".text\n.long x@TLSGD" SH_TLS),
	SHAPE_TLS("R_SH_TLS_LD_32", ".text\n.long x@TLSLDM" SH_TLS),
	SHAPE_TLS("R_SH_TLS_LDO_32", ".text\n.long x@DTPOFF, x@DTPOFF + 4" SH_TLS),
	SHAPE_TLS("R_SH_TLS_IE_32", ".text\n.long x@GOTTPOFF" SH_TLS),
	SHAPE("R_SH_TLS_LE_32", ".text\n.long x@TPOFF, x@TPOFF + 4" SH_TLS),
};

static const struct limit sh4_limits[] = {
	DISTANCE("R_SH_IND12W", ".text\n.reloc 0, R_SH_IND12W, x\n.short 0xb000\nnop\n", -0x1000,
		 0xffe, 2),
	DISTANCE("R_SH_DIR8WPN", ".text\n.reloc 0, R_SH_DIR8WPN, x\n.short 0x8900\nnop\n",
		 -0x100 + 4, 0xfe + 4, 2),
	/* ld leaves alone what leads to the section's beginning. */
	LAX_DISTANCE("R_SH_DIR8WPL", ".text\n.reloc 0, R_SH_DIR8WPL, x\n.short 0xd000\nnop\n", 4,
		     0x3fc + 4, 4),
	DISTANCE("R_SH_DIR8WPZ", ".text\n.reloc 0, R_SH_DIR8WPZ, x\n.short 0x9000\nnop\n", 4,
		 0x1fe + 4, 2),
	LAX_LIMIT("R_SH_DIR16", ".data\n.reloc 0, R_SH_DIR16, x\n.short 0\n", -0x8000, 0xffff, 1),
	LAX_LIMIT("R_SH_DIR8", ".data\n.reloc 0, R_SH_DIR8, x\n.byte 0\n", -0x80, 0xff, 1),
};

static const char *const sh4_variants[] = { "-O2",	 "-O2 -fPIC",	 "-O2 -fpic",	"-O0",
					    "-Os -fPIC", "-O2 -fno-pie", "-O2 -mrelax", NULL };

/* mov.l number, r1; mov.l @r1, r1; jmp @r1; nop; number: .long slot */
static uint64_t sh4_slot_of_stub(const unsigned char *stub, uint64_t at)
{
	static const unsigned char codes[] = { 0x01, 0xd1, 0x12, 0x61, 0x2b, 0x41, 0x09, 0x00 };
	size_t number = 4 * stub[0] + 4; /* from where the processor is */

	ck_assert_uint_eq(at % 4, 0);
	ck_assert_mem_eq(stub, codes, sizeof(codes));
	return (uint64_t)stub[number] | (uint64_t)stub[number + 1] << 8 |
	       (uint64_t)stub[number + 2] << 16 | (uint64_t)stub[number + 3] << 24;
}

static const struct machine sh4 = {
	.name = "sh4",
	.prefix = "sh4-linux-gnu-",
	.assemble = "",
	.compile = "",
	.variants = sh4_variants,
	.link = "",
	.not_joined = true, /* ld -r can't join what -mrelax makes */
	.counts_from_plt = true,
	.tls_bias = 8,
	.shapes = sh4_shapes,
	.num_shapes = COUNT(sh4_shapes),
	.limits = sh4_limits,
	.num_limits = COUNT(sh4_limits),
	.slot_of_stub = sh4_slot_of_stub,
};
