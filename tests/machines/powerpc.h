/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * powerpc: what its relocations look like, and how far they reach.
 */
#define POWERPC_PARTS(type, operator)                                                              \
	SHAPE(type "_LO", ".text\naddi 3, 3, (x + 0x1234)" operator"@l\n"),                        \
		SHAPE(type "_HI", ".text\nlis 3, (x + 0x9234)" operator"@h\n"),                    \
		SHAPE(type "_HA", ".text\nlis 3, (x + 0x9234)" operator"@ha\n"                     \
								       "lis 3, (x + 0x1234)"       \
								       operator"@ha\n")

static const struct shape powerpc_shapes[] = {
	SHAPE("R_PPC_ADDR32", ".data\n.long x, x + 8, here\nhere: .long 0\n"),
	SHAPE_AT("R_PPC_ADDR24", 0x123450, ".text\nba x\nbla x + 8\n"),
	SHAPE_AT("R_PPC_ADDR16", 0x1234, ".text\naddi 3, 3, x\nlwz 3, x + 4(0)\n"),
	POWERPC_PARTS("R_PPC_ADDR16", ""),
	SHAPE_AT("R_PPC_ADDR14", 0x1230, ".text\nbeqa x\n"),
	SHAPE_AT("R_PPC_ADDR14_BRTAKEN", 0x1230,
		 ".text\n.reloc 0, R_PPC_ADDR14_BRTAKEN, x\nbeqa 0\n"),
	SHAPE_AT("R_PPC_ADDR14_BRNTAKEN", 0x1230,
		 ".text\n.reloc 0, R_PPC_ADDR14_BRNTAKEN, x\nbeqa 0\n"),
	SHAPE("R_PPC_REL24", ".text\nnop\nbl x\nb x + 8\n"),
	SHAPE_AT("R_PPC_REL14", BASE + 1000, ".text\nnop\nbeq x\n"),
	SHAPE_AT("R_PPC_REL14_BRTAKEN", BASE + 1000,
		 ".text\nnop\n.reloc 4, R_PPC_REL14_BRTAKEN, x\nbeq .\n"
		 ".reloc 8, R_PPC_REL14_BRTAKEN, x - 1200\nbeq .\n"),
	SHAPE_AT("R_PPC_REL14_BRNTAKEN", BASE + 1000,
		 ".text\nnop\n.reloc 4, R_PPC_REL14_BRNTAKEN, x\nbeq .\n"
		 ".reloc 8, R_PPC_REL14_BRNTAKEN, x - 1200\nbeq .\n"),
	SHAPE("R_PPC_GOT16", ".text\nlwz 3, x@got(30)\nlwz 3, y@got(30)\n"),
	SHAPE("R_PPC_GOT16_LO", ".text\nlwz 3, x@got@l(30)\n"),
	SHAPE("R_PPC_GOT16_HI", ".text\nlis 3, x@got@h\n"),
	SHAPE("R_PPC_GOT16_HA", ".text\nlis 3, x@got@ha\n"),
	SHAPE("R_PPC_PLTREL24", ".text\nbl x@plt\nbl y@plt\n"),
	SHAPE("R_PPC_LOCAL24PC", ".text\nbl x@local\n"),
	SHAPE("R_PPC_UADDR32", ".data\n.byte 0\n.reloc 1, R_PPC_UADDR32, x\n.long 0\n"),
	SHAPE_AT("R_PPC_UADDR16", 0x1234, ".data\n.byte 0\n.reloc 1, R_PPC_UADDR16, x\n.long 0\n"),
	SHAPE("R_PPC_REL32", ".data\n.long x - ., x + 4 - .\n"),
	SHAPE_AT("R_PPC_REL16", BASE + 1000, ".text\n1: addi 3, 3, x - 1b\n"),
	SHAPE("R_PPC_REL16_LO", ".text\n1: addi 3, 3, x - 1b@l\n"),
	SHAPE("R_PPC_REL16_HI", ".text\n1: lis 3, x - 1b@h\n"),
	SHAPE("R_PPC_REL16_HA", ".text\n1: addis 3, 3, _GLOBAL_OFFSET_TABLE_ - 1b@ha\n"),
};

static const struct limit powerpc_limits[] = {
	LAX_LIMIT("R_PPC_ADDR16", ".data\n.short x\n", -0x8000, 0xffff, 1),
	DISTANCE("R_PPC_REL24", ".text\nbl x\n", -0x2000000, 0x1fffffc, 4),
	DISTANCE("R_PPC_REL14", ".text\nbeq x\n", -0x8000, 0x7ffc, 4),
	DISTANCE("R_PPC_REL16", ".text\n.reloc 0, R_PPC_REL16, x\n.short 0\n", -0x8000, 0x7fff, 1),
};

static const char *const powerpc_variants[] = { "-O2",		"-O2 -fPIC", "-O0", "-Os -fpic",
						"-O2 -fno-pie", "-O2 -fpie", NULL };

static const struct machine powerpc = {
	.name = "powerpc",
	.prefix = "powerpc-linux-gnu-",
	.assemble = "",
	.compile = "",
	.variants = powerpc_variants,
	.link = "",
	.moves_got = true,
	.shapes = powerpc_shapes,
	.num_shapes = COUNT(powerpc_shapes),
	.limits = powerpc_limits,
	.num_limits = COUNT(powerpc_limits),
	.not_compared = "R_PPC_PLT16_LO: ld has a table of its own for them\n"
			"R_PPC_PLT16_HI: likewise\n"
			"R_PPC_PLT16_HA: likewise\n"
			"R_PPC_GOT_TLSGD16: ld changes it in static programs\n"
			"R_PPC_GOT_TLSGD16_LO: ld changes it in static programs\n"
			"R_PPC_GOT_TLSGD16_HI: ld changes it in static programs\n"
			"R_PPC_GOT_TLSGD16_HA: ld changes it in static programs\n"
			"R_PPC_GOT_TLSLD16: ld changes it in static programs\n"
			"R_PPC_GOT_TLSLD16_LO: ld changes it in static programs\n"
			"R_PPC_GOT_TLSLD16_HI: ld changes it in static programs\n"
			"R_PPC_GOT_TLSLD16_HA: ld changes it in static programs\n"
			"R_PPC_GOT_TPREL16: ld changes it in static programs\n"
			"R_PPC_GOT_TPREL16_LO: ld changes it in static programs\n"
			"R_PPC_GOT_TPREL16_HI: ld changes it in static programs\n"
			"R_PPC_GOT_TPREL16_HA: ld changes it in static programs\n"
			"R_PPC_TPREL16: what the C library decides\n"
			"R_PPC_TPREL16_LO: what the C library decides\n"
			"R_PPC_TPREL16_HI: what the C library decides\n"
			"R_PPC_TPREL16_HA: what the C library decides\n"
			"R_PPC_DTPREL16: what the C library decides\n"
			"R_PPC_DTPREL16_LO: what the C library decides\n"
			"R_PPC_DTPREL16_HI: what the C library decides\n"
			"R_PPC_DTPREL16_HA: what the C library decides\n"
			"R_PPC_TPREL32: likewise\n"
			"R_PPC_DTPREL32: likewise\n",
};
