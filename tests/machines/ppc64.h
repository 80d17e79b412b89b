/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ppc64 and ppc64le: what their relocations look like, and how far they reach.
 */
#define PPC64_PARTS(type, operator)                                                                \
	SHAPE(type "_LO", ".text\naddi 3, 3, (x + 0x1234)" operator"@l\n"),                        \
		SHAPE(type "_HI", ".text\nlis 3, (x + 0x9234)" operator"@h\n"),                    \
		SHAPE(type "_HA", ".text\nlis 3, (x + 0x9234)" operator"@ha\n"                     \
								       "lis 3, (x + 0x1234)"       \
								       operator"@ha\n")
#define PPC64_FAR(part)                                                                            \
	SHAPE_AT("R_PPC64_ADDR16_" part, 0x7fff89ab9234fedc,                                       \
		 ".text\n.reloc 0, R_PPC64_ADDR16_" part ", x\n"                                   \
		 ".short 0, 0\n")

static const struct shape ppc64_shapes[] = {
	SHAPE("R_PPC64_ADDR64", ".data\n.quad x, x + 8, here\nhere: .long 0\n"),
	SHAPE("R_PPC64_ADDR32", ".data\n.long x, x + 8, here\nhere: .long 0\n"),
	SHAPE_AT("R_PPC64_ADDR24", 0x123450, ".text\nba x\nbla x + 8\n"),
	SHAPE_AT("R_PPC64_ADDR16", 0x1234, ".text\naddi 3, 3, x\nlwz 3, x + 4(0)\n"),
	PPC64_PARTS("R_PPC64_ADDR16", ""),
	PPC64_FAR("HIGH"),
	PPC64_FAR("HIGHA"),
	PPC64_FAR("HIGHER"),
	PPC64_FAR("HIGHERA"),
	PPC64_FAR("HIGHEST"),
	PPC64_FAR("HIGHESTA"),
	SHAPE_AT("R_PPC64_ADDR16_DS", 0x1234, ".text\nld 3, x(0)\n"),
	SHAPE("R_PPC64_ADDR16_LO_DS", ".text\nld 3, x@l(4)\nldu 3, x@l(4)\n"),
	SHAPE_AT("R_PPC64_ADDR14", 0x1230, ".text\nbeqa x\n"),
	SHAPE_AT("R_PPC64_ADDR14_BRTAKEN", 0x1230,
		 ".text\n.reloc 0, R_PPC64_ADDR14_BRTAKEN, x\nbeqa 0\n"),
	SHAPE_AT("R_PPC64_ADDR14_BRNTAKEN", 0x1230,
		 ".text\n.reloc 0, R_PPC64_ADDR14_BRNTAKEN, x\nbdnza 0\n"),
	SHAPE("R_PPC64_REL24", ".text\nnop\nbl x\nnop\nbl x + 8\nnop\n"),
	SHAPE_AT("R_PPC64_REL14", BASE + 1000, ".text\nnop\nbeq x\n"),
	SHAPE("R_PPC64_GOT16", ".text\n.reloc 0, R_PPC64_GOT16, x\n.short 0, 0\n"),
	SHAPE("R_PPC64_GOT16_LO", ".text\n.reloc 0, R_PPC64_GOT16_LO, x\n.short 0, 0\n"),
	SHAPE("R_PPC64_GOT16_HI", ".text\nlis 3, x@got@h\n"),
	SHAPE("R_PPC64_GOT16_HA", ".text\naddis 3, 2, x@got@ha\naddis 3, 2, y@got@ha\n"),
	SHAPE("R_PPC64_GOT16_DS", ".text\nld 3, x@got(2)\n"),
	SHAPE("R_PPC64_GOT16_LO_DS", ".text\naddis 3, 2, x@got@ha\nld 3, x@got@l(3)\n"),
	SHAPE("R_PPC64_UADDR64", ".data\n.byte 0\n.reloc 1, R_PPC64_UADDR64, x\n.quad 0\n"),
	SHAPE("R_PPC64_UADDR32", ".data\n.byte 0\n.reloc 1, R_PPC64_UADDR32, x\n.long 0\n"),
	SHAPE_AT("R_PPC64_UADDR16", 0x1234,
		 ".data\n.byte 0\n.reloc 1, R_PPC64_UADDR16, x\n.long 0\n"),
	SHAPE("R_PPC64_REL32", ".data\n.long x - ., x + 4 - .\n"),
	SHAPE("R_PPC64_REL64", ".data\n.quad x - ., x + 4 - .\n"),
	SHAPE("R_PPC64_TOC", ".data\n.quad .TOC.@tocbase\n.text\nld 3, x@got(2)\n"),
	SHAPE_AT("R_PPC64_TOC16", BASE + 0x18008, ".text\naddi 3, 2, x@toc\nld 3, x@got(2)\n"),
	SHAPE("R_PPC64_TOC16_LO", ".text\naddi 3, 3, x@toc@l\nld 3, x@got(2)\n"),
	SHAPE("R_PPC64_TOC16_HI", ".text\naddis 3, 2, x@toc@h\nld 3, x@got(2)\n"),
	SHAPE("R_PPC64_TOC16_HA", ".text\naddis 3, 2, x@toc@ha\nld 3, x@got(2)\n"),
	SHAPE_AT("R_PPC64_TOC16_DS", BASE + 0x18008, ".text\nld 3, x@toc(2)\nld 3, x@got(2)\n"),
	SHAPE("R_PPC64_TOC16_LO_DS", ".text\nld 3, x@toc@l(3)\nld 3, x@got(2)\n"),
	SHAPE_AT("R_PPC64_REL16", BASE + 1000, ".text\n1: addi 3, 3, x - 1b\n"),
	SHAPE("R_PPC64_REL16_LO", ".text\n1: addi 3, 3, x - 1b@l\n"),
	SHAPE("R_PPC64_REL16_HI", ".text\n1: lis 3, x - 1b@h\n"),
	SHAPE("R_PPC64_REL16_HA", ".text\n1: addis 3, 3, x - 1b@ha\n"),
};

static const struct limit ppc64_limits[] = {
	LAX_LIMIT("R_PPC64_ADDR16", ".data\n.short x\n", -0x8000, 0xffff, 1),
	LAX_DISTANCE("R_PPC64_REL24", ".text\nbl x\nnop\n", -0x2000000, 0x1fffffc, 4),
	LAX_DISTANCE("R_PPC64_REL14", ".text\nbeq x\n", -0x8000, 0x7ffc, 4),
	DISTANCE("R_PPC64_REL16", ".text\n.reloc 0, R_PPC64_REL16, x\n.short 0\n", -0x8000, 0x7fff,
		 1),
	LIMIT("R_PPC64_ADDR16_HA", ".text\nlis 3, x@ha\n", -0x80008000LL, 0x7fff7fff, 1),
	LIMIT("R_PPC64_ADDR16_HI", ".text\nlis 3, x@h\n", -0x80000000LL, 0x7fffffff, 1),
	DISTANCE("R_PPC64_REL32", ".text\n.long x - .\n", -0x80000000LL, 0x7fffffff, 1),
};

static const char *const ppc64_variants[] = { "-O2",
					      "-O2 -fPIC",
					      "-O0",
					      "-Os -fpic",
					      "-O2 -fno-pie",
					      "-O2 -mcmodel=small",
					      "-O2 -mcmodel=large",
					      NULL };
/* For the large model ld makes beginnings of functions shorter (R_PPC64_ENTRY). */
static const char *const ppc64le_variants[] = { "-O2",	     "-O2 -fPIC",    "-O0",
						"-Os -fpic", "-O2 -fno-pie", "-O2 -mcmodel=small",
						NULL };

#define PPC64_REST(type, why)                                                                      \
	type ": " why "\n" type "_LO: likewise\n" type "_HI: likewise\n" type "_HA: likewise\n"
#define PPC64_HIGHER(type, why)                                                                    \
	type "_HIGH: " why "\n" type "_HIGHA: likewise\n" type "_HIGHER: likewise\n" type          \
	     "_HIGHERA: likewise\n" type "_HIGHEST: likewise\n" type "_HIGHESTA: likewise\n" type  \
	     "_DS: likewise\n" type "_LO_DS: likewise\n"
#define PPC64_NOT_COMPARED                                                                         \
	PPC64_REST("R_PPC64_GOT_TLSGD16", "ld changes it in static programs")                      \
	PPC64_REST("R_PPC64_GOT_TLSLD16", "ld changes it in static programs")                      \
	PPC64_REST("R_PPC64_TPREL16", "what the C library decides")                                \
	PPC64_REST("R_PPC64_DTPREL16", "what the C library decides")                               \
	PPC64_HIGHER("R_PPC64_TPREL16", "what the C library decides")                              \
	PPC64_HIGHER("R_PPC64_DTPREL16", "what the C library decides")                             \
	"R_PPC64_GOT_TPREL16_DS: ld changes it in static programs\n"                               \
	"R_PPC64_GOT_TPREL16_LO_DS: likewise\n"                                                    \
	"R_PPC64_GOT_TPREL16_HI: likewise\n"                                                       \
	"R_PPC64_GOT_TPREL16_HA: likewise\n"                                                       \
	"R_PPC64_REL14_BRTAKEN: an assertion of ld fails\n"                                        \
	"R_PPC64_REL14_BRNTAKEN: likewise\n"                                                       \
	"R_PPC64_DTPMOD64: what the C library decides\n"                                           \
	"R_PPC64_DTPREL64: likewise\n"                                                             \
	"R_PPC64_TPREL64: likewise\n"

static const struct machine ppc64 = {
	.name = "ppc64",
	.prefix = "powerpc64-linux-gnu-",
	.assemble = "",
	.compile = "",
	.variants = ppc64_variants,
	.link = "--no-toc-optimize --no-opd-optimize --no-multi-toc --no-inline-optimize",
	.high = true,
	.calls_directly = true,
	/* Without a GOT ld counts from something else. */
	.extra = ".text\nld 3, x@got(2)\n",
	.shapes = ppc64_shapes,
	.num_shapes = COUNT(ppc64_shapes),
	.limits = ppc64_limits,
	.num_limits = COUNT(ppc64_limits),
	.not_compared = PPC64_NOT_COMPARED,
};

#define PPC64LE_NOT_COMPARED                                                                       \
	"R_PPC64_PLT16_LO: ld has a table of its own for them\n"                                   \
	"R_PPC64_PLT16_HI: likewise\n"                                                             \
	"R_PPC64_PLT16_HA: likewise\n"                                                             \
	"R_PPC64_PLT16_LO_DS: likewise\n"

static const struct machine ppc64le = {
	.name = "ppc64le",
	.prefix = "powerpc64le-linux-gnu-",
	.assemble = "",
	.compile = "",
	.variants = ppc64le_variants,
	.link = "--no-toc-optimize --no-multi-toc --no-inline-optimize",
	.high = true,
	.calls_directly = true,
	/* Without a GOT ld counts from something else. */
	.extra = ".text\nld 3, x@got(2)\n",
	.shapes = ppc64_shapes,
	.num_shapes = COUNT(ppc64_shapes),
	.limits = ppc64_limits,
	.num_limits = COUNT(ppc64_limits),
	.not_compared = PPC64_NOT_COMPARED PPC64LE_NOT_COMPARED,
};
