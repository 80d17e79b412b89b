/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * m68k: what its relocations look like, and how far they reach.
 */
static const struct shape m68k_shapes[] = {
	SHAPE("R_68K_32", ".data\n.long x, x + 8, here\nhere: .long 0\n"),
	SHAPE_AT("R_68K_16", 0x1234, ".data\n.short x, x - 2\n"),
	SHAPE_AT("R_68K_8", 100, ".data\n.byte x, x - 2\n"),
	SHAPE("R_68K_PC32", ".text\nbsr.l x\nlea (x,%pc), %a0\n"),
	SHAPE_AT("R_68K_PC16", BASE + 1000, ".text\nbsr.w x\nbra.w x\n"),
	SHAPE_AT("R_68K_PC8", BASE + 100, ".text\nbra.b x\n"),
	SHAPE("R_68K_GOT32", ".text\n.reloc 0, R_68K_GOT32, x\n.long 0\n"),
	SHAPE("R_68K_GOT16", ".text\n.reloc 0, R_68K_GOT16, x\n.short 0\n"),
	SHAPE("R_68K_GOT32O", ".text\nmove.l (x@GOT,%a5), %d0\nmove.l (y@GOT.l,%a5), %d0\n"),
	SHAPE("R_68K_GOT16O", ".text\nmove.l (x@GOT.w,%a5), %d0\nmove.l (y@GOT.w,%a5), %d0\n"),
	SHAPE("R_68K_GOT8O", ".text\n.reloc 0, R_68K_GOT8O, x\n.byte 0\n"),
	SHAPE("R_68K_GOT32",
	      ".text\nlea (%pc, _GLOBAL_OFFSET_TABLE_@GOTPC), %a5\nmove.l (x@GOT,%a5), %d0\n"),
	SHAPE("R_68K_PLT32", ".text\nbsr.l x@PLTPC\n"),
	SHAPE_AT("R_68K_PLT16", BASE + 1000, ".text\n.reloc 0, R_68K_PLT16, x\n.short 0\n"),
	SHAPE_AT("R_68K_PLT8", BASE + 100, ".text\n.reloc 0, R_68K_PLT8, x\n.byte 0\n"),
};

static const struct limit m68k_limits[] = {
	LAX_LIMIT("R_68K_16", ".data\n.short x\n", -0x8000, 0xffff, 1),
	LAX_LIMIT("R_68K_8", ".data\n.byte x\n", -0x80, 0xff, 1),
	DISTANCE("R_68K_PC16", ".text\n.short x - .\n", -0x8000, 0x7fff, 1),
	DISTANCE("R_68K_PC8", ".text\n.byte x - .\n", -0x80, 0x7f, 1),
};

static const char *const m68k_variants[] = { "-O2",	     "-O2 -fPIC",   "-O0", "-Os -fpic",
					     "-O2 -fno-pie", "-O2 -m68060", NULL };

static const struct machine m68k = {
	.name = "m68k",
	.prefix = "m68k-linux-gnu-",
	.assemble = "",
	.compile = "",
	.variants = m68k_variants,
	.link = "",
	.counts_from_plt = true,
	.shapes = m68k_shapes,
	.num_shapes = COUNT(m68k_shapes),
	.limits = m68k_limits,
	.num_limits = COUNT(m68k_limits),
	.not_compared = "R_68K_GOT8: no slot is so near\n"
			"R_68K_PLT32O: ld counts from a table of its own\n"
			"R_68K_PLT16O: likewise\n"
			"R_68K_PLT8O: likewise\n"
			"R_68K_TLS_GD32: what the C library decides\n"
			"R_68K_TLS_GD16: what the C library decides\n"
			"R_68K_TLS_GD8: what the C library decides\n"
			"R_68K_TLS_LDM32: what the C library decides\n"
			"R_68K_TLS_LDM16: what the C library decides\n"
			"R_68K_TLS_LDM8: what the C library decides\n"
			"R_68K_TLS_LDO32: what the C library decides\n"
			"R_68K_TLS_LDO16: what the C library decides\n"
			"R_68K_TLS_LDO8: what the C library decides\n"
			"R_68K_TLS_IE32: what the C library decides\n"
			"R_68K_TLS_IE16: what the C library decides\n"
			"R_68K_TLS_IE8: what the C library decides\n"
			"R_68K_TLS_LE32: what the C library decides\n"
			"R_68K_TLS_LE16: what the C library decides\n"
			"R_68K_TLS_LE8: what the C library decides\n",
};
