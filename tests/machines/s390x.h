/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * s390x: what its relocations look like, and how far they reach.
 */
static const struct shape s390x_shapes[] = {
	SHAPE_AT("R_390_8", 100, ".data\n.byte x, x - 1\n"),
	SHAPE_AT("R_390_12", 0x800, ".text\nl %r1, x(%r2)\n"),
	SHAPE_AT("R_390_16", 0x1234, ".data\n.short x, x - 1\n"),
	SHAPE("R_390_32", ".data\n.long x, x - 1\n"),
	SHAPE("R_390_64", ".data\n.quad x, x + 8, here\n.long 0\nhere: .quad 0\n"),
	SHAPE_AT("R_390_20", 0x12345, ".text\nlg %r1, x(%r2)\n"),
	SHAPE("R_390_PC32", ".data\n.long 0, x - ., x + 4 - .\n"),
	SHAPE("R_390_PC64", ".data\n.quad 0, x - ., x + 4 - .\n"),
	SHAPE_AT("R_390_PC16", BASE + 1000, ".data\n.reloc 0, R_390_PC16, x\n.short 0\n"),
	SHAPE_AT("R_390_PC16DBL", BASE + 1000, ".text\nbras %r14, x\nbrc 8, x\n"),
	SHAPE_AT("R_390_PLT16DBL", BASE + 1000, ".text\nbras %r14, x@PLT\n"),
	SHAPE("R_390_PC32DBL", ".text\nlarl %r1, x\nlarl %r2, x + 6\n"),
	SHAPE("R_390_PLT32DBL", ".text\nbrasl %r14, x@PLT\n"),
	SHAPE("R_390_PLT32", ".data\n.long 0, x@PLT - .\n"),
	SHAPE("R_390_PLT64", ".data\n.quad 0, x@PLT - .\n"),
	SHAPE("R_390_GOTPC", ".data\n.quad _GLOBAL_OFFSET_TABLE_ - .\n"),
	SHAPE("R_390_GOTPCDBL", ".text\nlarl %r12, _GLOBAL_OFFSET_TABLE_\n"),
	SHAPE("R_390_GOT12", ".text\nlg %r1, x@GOT(%r12)\nl %r1, y@GOT(%r12)\n"),
	SHAPE("R_390_GOT16", ".data\n.short x@GOT\n"),
	SHAPE("R_390_GOT32", ".data\n.long x@GOT\n"),
	SHAPE("R_390_GOT64", ".data\n.quad x@GOT, y@GOT\n"),
	SHAPE("R_390_GOT20", ".text\nlg %r1, x@GOT(%r12)\n"),
	SHAPE("R_390_GOTENT", ".text\nlgrl %r1, x@GOTENT\nlarl %r2, y@GOTENT\n"),
	SHAPE("R_390_GOTOFF16", ".data\n.short here@GOTOFF\nhere: .short 0\n"),
	SHAPE("R_390_GOTOFF64", ".data\n.quad here@GOTOFF\nhere: .short 0\n"),
	SHAPE("R_390_GOTPLT12", ".text\n.reloc 2, R_390_GOTPLT12, x\nlg %r1, 0(%r2)\n"),
	SHAPE("R_390_GOTPLT16", ".data\n.reloc 0, R_390_GOTPLT16, x\n.short 0\n"),
	SHAPE("R_390_GOTPLT20", ".text\n.reloc 2, R_390_GOTPLT20, x\nlg %r1, 0(%r2)\n"),
	SHAPE("R_390_GOTPLTENT", ".text\n.reloc 2, R_390_GOTPLTENT, x + 2\nlgrl %r1, 0\n"),
	SHAPE_AT("R_390_PC12DBL", BASE + 0x100,
		 ".text\n.reloc 0, R_390_PC12DBL, x\n.quad 0x5555\n"),
	SHAPE_AT("R_390_PLT12DBL", BASE + 0x100, ".text\n.reloc 0, R_390_PLT12DBL, x\n.quad 0\n"),
	SHAPE("R_390_PC24DBL", ".text\n.reloc 3, R_390_PC24DBL, x + 3\n.quad 0\n"),
	SHAPE("R_390_PLT24DBL", ".text\n.reloc 3, R_390_PLT24DBL, x + 3\n.quad 0\n"),
	SHAPE("R_390_GOTPLT64", ".data\n.quad x@GOTPLT\n"),
};

static const struct limit s390x_limits[] = {
	LAX_LIMIT("R_390_8", ".data\n.byte x\n", -0x80, 0xff, 1),
	LAX_LIMIT("R_390_12", ".text\nl %r1, x(%r2)\n", 0, 0xfff, 1),
	LAX_LIMIT("R_390_16", ".data\n.short x\n", -0x8000, 0xffff, 1),
	LAX_LIMIT("R_390_32", ".data\n.long x\n", -0x80000000LL, 0xffffffff, 1),
	LAX_LIMIT("R_390_20", ".text\nlg %r1, x(%r2)\n", -0x80000, 0x7ffff, 1),
	LAX_DISTANCE("R_390_PC16DBL", ".text\nbras %r14, x\n", -0x10000, 0xfffe, 2),
	LAX_DISTANCE("R_390_PC32DBL", ".text\nlarl %r14, x\n", -0x100000000LL, 0xfffffffe, 2),
	LAX_DISTANCE("R_390_PLT32DBL", ".text\nbrasl %r14, x@PLT\n", -0x100000000LL, 0xfffffffe, 2),
};

static const char *const s390x_variants[] = { "-O2",
					      "-O2 -fPIC",
					      "-O0",
					      "-Os -fPIC",
					      "-O2 -fno-pie",
					      "-O2 -march=z900 -fpic",
					      "-O2 -march=z14",
					      NULL };

static const struct machine s390x = {
	.name = "s390x",
	.prefix = "s390x-linux-gnu-",
	.assemble = "-m64",
	.compile = "",
	.variants = s390x_variants,
	.link = "",
	.high = true,
	.counts_from_plt = true,
	.shapes = s390x_shapes,
	.num_shapes = COUNT(s390x_shapes),
	.limits = s390x_limits,
	.num_limits = COUNT(s390x_limits),
	.not_compared = "R_390_PLTOFF16: ld fails an assertion of its own\n"
			"R_390_PLTOFF32: likewise\n"
			"R_390_PLTOFF64: likewise\n"
			"R_390_TLS_GD64: ld changes it in static programs\n"
			"R_390_TLS_LDM64: likewise\n"
			"R_390_TLS_IE64: likewise\n"
			"R_390_TLS_IEENT: likewise\n"
			"R_390_TLS_GOTIE12: likewise\n"
			"R_390_TLS_GOTIE20: likewise\n"
			"R_390_TLS_GOTIE64: likewise\n"
			"R_390_TLS_LE64: what the C library decides\n"
			"R_390_TLS_LDO64: likewise\n"
			"R_390_TLS_DTPMOD: likewise\n"
			"R_390_TLS_DTPOFF: likewise\n"
			"R_390_TLS_TPOFF: likewise\n",
};
