/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sparc and sparc64: what their relocations look like, and how far they reach.
 */
#define SPARC_BOTH                                                                                 \
	SHAPE_AT("R_SPARC_8", 100, ".data\n.byte x, x - 2\n"),                                     \
		SHAPE_AT("R_SPARC_16", 0x1234, ".data\n.half x, x - 2\n"),                         \
		SHAPE("R_SPARC_32", ".data\n.word x, x + 8, here\nhere: .word 0\n"),               \
		SHAPE_AT("R_SPARC_DISP8", BASE + 100, ".text\n.byte x - .\n"),                     \
		SHAPE_AT("R_SPARC_DISP16", BASE + 1000, ".text\n.half x - .\n"),                   \
		SHAPE("R_SPARC_DISP32", ".text\n.word x - ., x + 4 - .\n"),                        \
		SHAPE("R_SPARC_WDISP30", ".text\nnop\ncall x\nnop\n"),                             \
		SHAPE("R_SPARC_WDISP22", ".text\nnop\nba x\nbne x + 8\nnop\n"),                    \
		SHAPE("R_SPARC_HI22", ".text\nsethi %hi(x + 0x7ff), %g1\n"),                       \
		SHAPE("R_SPARC_LO10", ".text\nor %g1, %lo(x + 0x7ff), %g1\n"),                     \
		SHAPE_AT("R_SPARC_22", 0x123456,                                                   \
			 ".text\n.reloc 0, R_SPARC_22, x\nsethi 0, %g1\n"),                        \
		SHAPE_AT("R_SPARC_13", 0x123, ".text\nadd %g1, x, %g1\n"),                         \
		SHAPE("R_SPARC_GOT10", ".text\n.reloc 0, R_SPARC_GOT10, x\nor %g1, 0, %g1\n"),     \
		SHAPE("R_SPARC_GOT13", ".text\n.reloc 0, R_SPARC_GOT13, x\nld [%l7], %g1\n"),      \
		SHAPE("R_SPARC_GOT22", ".text\n.reloc 0, R_SPARC_GOT22, x\nsethi 0, %g1\n"),       \
		SHAPE("R_SPARC_PC10", ".text\nadd %l7, %pc10(x + 4), %l7\n"),                      \
		SHAPE("R_SPARC_PC22", ".text\nsethi %pc22(x), %l7\nadd %l7, %pc10(x), %l7\n"),     \
		SHAPE("R_SPARC_WPLT30", ".text\n.reloc 0, R_SPARC_WPLT30, x\ncall 0\nnop\n"),      \
		SHAPE("R_SPARC_UA32", ".data\n.byte 0\n.uaword x\n"),                              \
		SHAPE_AT("R_SPARC_UA16", 0x1234,                                                   \
			 ".data\n.reloc 1, R_SPARC_UA16, x\n.word 0, 0\n"),                        \
		SHAPE("R_SPARC_PLT32", ".data\n.word %r_plt32(x)\n"),                              \
		SHAPE_AT("R_SPARC_10", 100,                                                        \
			 ".text\n.reloc 0, R_SPARC_10, x\nmovre %g1, 0, %g2\n"),                   \
		SHAPE_AT("R_SPARC_11", 100,                                                        \
			 ".text\n.reloc 0, R_SPARC_11, x\nmove %icc, 0, %g2\n"),                   \
		SHAPE_AT("R_SPARC_7", 100, ".text\n.reloc 0, R_SPARC_7, x\nta 0\n"),               \
		SHAPE_AT("R_SPARC_6", 50, ".text\n.reloc 0, R_SPARC_6, x\nsllx %g1, 0, %g1\n"),    \
		SHAPE_AT("R_SPARC_5", 20, ".text\n.reloc 0, R_SPARC_5, x\nsll %g1, 0, %g1\n"),     \
		SHAPE_AT("R_SPARC_WDISP19", BASE + 1000, ".text\nnop\nbe %icc, x\nnop\n"),         \
		SHAPE_AT("R_SPARC_WDISP16", BASE + 1000,                                           \
			 ".text\nnop\nbrz %g1, x\nnop\nbrz %g1, x - 996\n"),                       \
		SHAPE_AT("R_SPARC_WDISP10", BASE + 100, ".text\nnop\ncwbe %g1, %g2, x\n"),         \
		SHAPE("R_SPARC_HIX22", ".text\nsethi %hix(x), %g1\n"),                             \
		SHAPE("R_SPARC_LOX10", ".text\nxor %g1, %lox(x + 0x123), %g1\n"),                  \
		SHAPE("R_SPARC_GOTDATA_HIX22",                                                     \
		      ".text\nsethi %gdop_hix22(x), %g1\nsethi %gdop_hix22(here), %g1\n"           \
		      "here: nop\n.reloc 0, R_SPARC_GOTDATA_HIX22, here\n"),                       \
		SHAPE("R_SPARC_GOTDATA_LOX10", ".text\n.reloc 0, R_SPARC_GOTDATA_LOX10, here\n"    \
					       "here: xor %g1, 0, %g1\n"),                         \
		SHAPE("R_SPARC_GOTDATA_OP_HIX22", ".text\nsethi %gdop_hix22(x), %g1\n"),           \
		SHAPE("R_SPARC_GOTDATA_OP_LOX10", ".text\nxor %g1, %gdop_lox10(x), %g1\n"),        \
		SHAPE("R_SPARC_GOTDATA_OP",                                                        \
		      ".text\nsethi %gdop_hix22(x), %g1\nxor %g1, %gdop_lox10(x), %g1\nld [%l7 + %g1], %g1, %gdop(x)\n")

static const struct shape sparc_shapes[] = { SPARC_BOTH };

static const struct shape sparc64_shapes[] = {
	SPARC_BOTH,
	SHAPE("R_SPARC_64", ".data\n.xword x, x + 8, here\nhere: .word 0\n"),
	SHAPE("R_SPARC_UA64", ".data\n.byte 0\n.uaxword x\n"),
	SHAPE("R_SPARC_DISP64", ".data\n.xword x - .\n"),
	SHAPE("R_SPARC_PLT64", ".data\n.xword %r_plt64(x)\n"),
	SHAPE("R_SPARC_OLO10", ".text\nldx [%g1 + %lo(x + 0x123) + 8], %g1\n"
			       "ldx [%g1 + %lo(x) - 8], %g1\n"),
	SHAPE_AT("R_SPARC_HH22", 0x123456789abcdef0,
		 ".text\nsethi %hh(x), %g1\nor %g1, %hm(x), %g1\nsethi %lm(x), %g2\n"),
	SHAPE_AT("R_SPARC_HM10", 0x923456789abcdef0, ".text\nor %g1, %hm(x), %g1\n"),
	SHAPE_AT("R_SPARC_LM22", 0x923456789abcdef0, ".text\nsethi %lm(x), %g2\n"),
	SHAPE("R_SPARC_PC_HH22", ".text\n.reloc 0, R_SPARC_PC_HH22, x\nsethi 0, %g2\n"),
	SHAPE("R_SPARC_PC_HM10", ".text\n.reloc 0, R_SPARC_PC_HM10, x\nor %g2, 0, %g2\n"),
	SHAPE("R_SPARC_PC_LM22", ".text\n.reloc 0, R_SPARC_PC_LM22, x\nsethi 0, %g2\n"),
	SHAPE_AT("R_SPARC_H44", 0x89abcdef012,
		 ".text\nsethi %h44(x), %g1\nor %g1, %m44(x), %g1\nldub [%g1 + %l44(x)], %g2\n"),
	SHAPE_AT("R_SPARC_M44", 0x89abcdef012, ".text\nor %g1, %m44(x), %g1\n"),
	SHAPE_AT("R_SPARC_L44", 0x89abcdef012, ".text\nor %g1, %l44(x), %g1\n"),
	SHAPE_AT("R_SPARC_H34", 0x289abcdef, ".text\nsethi %h34(x), %g1\n"),
};

static const struct limit sparc_limits[] = {
	LAX_LIMIT("R_SPARC_8", ".data\n.byte x\n", -0x80, 0xff, 1),
	LAX_LIMIT("R_SPARC_16", ".data\n.half x\n", -0x8000, 0xffff, 1),
	LAX_LIMIT("R_SPARC_13", ".text\nadd %g1, x, %g1\n", -0x1000, 0x1fff, 1),
	DISTANCE("R_SPARC_WDISP22", ".text\nba x\nnop\n", -0x800000, 0x7ffffc, 4),
	DISTANCE("R_SPARC_WDISP19", ".text\nbe %icc, x\nnop\n", -0x100000, 0xffffc, 4),
	DISTANCE("R_SPARC_WDISP16", ".text\nbrz %g1, x\nnop\n", -0x20000, 0x1fffc, 4),
};

static const char *const sparc_variants[] = { "-O2",	      "-O2 -fPIC",    "-O0", "-Os -fpic",
					      "-O2 -fno-pie", "-O2 -mcpu=v9", NULL };
static const char *const sparc64_variants[] = { "-O2",
						"-O2 -fPIC",
						"-O0",
						"-Os -fpic",
						"-O2 -fno-pie",
						"-O2 -fno-pie -mcmodel=medlow",
						"-O2 -fno-pie -mcmodel=medmid",
						"-O2 -fno-pie -mcmodel=medany",
						NULL };

#define SPARC_NOT_COMPARED                                                                         \
	"R_SPARC_SIZE32: ld writes an address\n"                                                   \
	"R_SPARC_SIZE64: likewise\n"                                                               \
	"R_SPARC_TLS_GD_HI22: ld changes it in static programs\n"                                  \
	"R_SPARC_TLS_GD_LO10: likewise\n"                                                          \
	"R_SPARC_TLS_GD_CALL: likewise\n"                                                          \
	"R_SPARC_TLS_LDM_HI22: likewise\n"                                                         \
	"R_SPARC_TLS_LDM_LO10: likewise\n"                                                         \
	"R_SPARC_TLS_LDM_CALL: likewise\n"                                                         \
	"R_SPARC_TLS_LDO_HIX22: likewise\n"                                                        \
	"R_SPARC_TLS_LDO_LOX10: likewise\n"                                                        \
	"R_SPARC_TLS_IE_HI22: likewise\n"                                                          \
	"R_SPARC_TLS_IE_LO10: likewise\n"                                                          \
	"R_SPARC_TLS_LE_HIX22: what the C library decides\n"                                       \
	"R_SPARC_TLS_LE_LOX10: likewise\n"                                                         \
	"R_SPARC_TLS_DTPOFF32: likewise\n"                                                         \
	"R_SPARC_TLS_DTPOFF64: likewise\n"

static const struct machine sparc = {
	.name = "sparc",
	.prefix = "sparc64-linux-gnu-",
	.assemble = "-32 -Av9m",
	.compile = "-m32",
	.variants = sparc_variants,
	.link = "-m elf32_sparc",
	.shapes = sparc_shapes,
	.num_shapes = COUNT(sparc_shapes),
	.limits = sparc_limits,
	.num_limits = COUNT(sparc_limits),
	.not_compared = SPARC_NOT_COMPARED "R_SPARC_64: for addresses of 64 bits\n"
					   "R_SPARC_UA64: likewise\n"
					   "R_SPARC_DISP64: likewise\n"
					   "R_SPARC_PLT64: likewise\n"
					   "R_SPARC_OLO10: likewise\n"
					   "R_SPARC_HH22: likewise\n"
					   "R_SPARC_HM10: likewise\n"
					   "R_SPARC_LM22: likewise\n"
					   "R_SPARC_PC_HH22: likewise\n"
					   "R_SPARC_PC_HM10: likewise\n"
					   "R_SPARC_PC_LM22: likewise\n"
					   "R_SPARC_H44: likewise\n"
					   "R_SPARC_M44: likewise\n"
					   "R_SPARC_L44: likewise\n"
					   "R_SPARC_H34: likewise\n"
					   "R_SPARC_SIZE64: likewise\n",
};

static const struct machine sparc64 = {
	.name = "sparc64",
	.prefix = "sparc64-linux-gnu-",
	.assemble = "-64 -Av9m",
	.compile = "",
	.variants = sparc64_variants,
	.link = "",
	.high = true,
	.shapes = sparc64_shapes,
	.num_shapes = COUNT(sparc64_shapes),
	.limits = sparc_limits,
	.num_limits = COUNT(sparc_limits),
	.not_compared = SPARC_NOT_COMPARED,
};
