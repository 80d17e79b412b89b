/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mips, o32 and n64: what their relocations look like, and how far they reach.
 */
#define MIPS_BOTH                                                                                                          \
	SHAPE("R_MIPS_32", ".data\n.word x, x + 8, here\nhere: .word 0\n"),                                                \
		SHAPE_AT("R_MIPS_16", 0x1234, ".data\n.reloc 0, R_MIPS_16, x\n.half 0, 0\n"),                              \
		SHAPE("R_MIPS_26",                                                                                         \
		      ".text\n.option pic0\n.set noreorder\njal x\nnop\nj x + 8\nnop\njal here\nnop\n.text\nhere: nop\n"), \
		SHAPE("R_MIPS_HI16",                                                                                       \
		      ".text\nlui $2, %hi(x + 0x8123)\naddiu $2, $2, %lo(x + 0x8123)\n"                                    \
		      "lui $2, %hi(here)\nlw $3, %lo(here)($2)\n.data\n.skip 0x9124\nhere: .word 0\n"),                    \
		SHAPE("R_MIPS_LO16",                                                                                       \
		      ".text\nlui $2, %hi(x)\naddiu $3, $2, %lo(x)\nsw $4, %lo(x + 4)($2)\n"),                             \
		SHAPE("R_MIPS_GOT16",                                                                                      \
		      ".text\nlw $2, %got(x)($28)\nlw $2, %got(here)($28)\n"                                               \
		      "addiu $2, $2, %lo(here)\n.data\n.skip 0x9124\nhere: .word 0\n"),                                    \
		SHAPE("R_MIPS_CALL16",                                                                                     \
		      ".text\nlw $25, %call16(x)($28)\nlw $25, %call16(y)($28)\n"),                                        \
		SHAPE("R_MIPS_GPREL32", ".text\n.skip 0x1238\nhere: nop\n.data\n.gpword here\n"),                          \
		SHAPE_AT("R_MIPS_PC16", BASE + 1000,                                                                       \
			 ".text\n.set noreorder\n.reloc 0, R_MIPS_PC16, x - 4\nb .\nnop\n"),                               \
		SHAPE("R_MIPS_GOT_HI16", ".text\nlui $2, %got_hi(x)\nlw $2, %got_lo(x)($2)\n"),                            \
		SHAPE("R_MIPS_GOT_LO16", ".text\nlui $2, %got_hi(y)\nlw $2, %got_lo(y)($2)\n"),                            \
		SHAPE("R_MIPS_CALL_HI16", ".text\nlui $2, %call_hi(x)\nlw $2, %call_lo(x)($2)\n"),                         \
		SHAPE("R_MIPS_CALL_LO16", ".text\nlui $2, %call_hi(x)\nlw $2, %call_lo(x)($2)\n"),                         \
		SHAPE_AT("R_MIPS_JALR", BASE + 0x10000,                                                                    \
			 ".text\n.set noreorder\n.reloc 0, R_MIPS_JALR, x\njalr $25\nnop\n"                                \
			 ".reloc 8, R_MIPS_JALR, x\njr $25\nnop\n"),                                                       \
		SHAPE("R_MIPS_PC32", ".data\n.word x - ., x + 4 - .\n")

static const struct shape mips_shapes[] = { MIPS_BOTH };
static const struct shape mips64_shapes[] = {
	MIPS_BOTH,
	SHAPE("R_MIPS_64", ".data\n.dword x, x + 8, here\nhere: .word 0\n"),
	SHAPE("R_MIPS_GOT_DISP", ".text\nld $2, %got_disp(x)($28)\nld $2, %got_disp(here)($28)\n"
				 ".data\n.skip 24\nhere: .word 0\n"),
	SHAPE("R_MIPS_GOT_PAGE",
	      ".text\nld $2, %got_page(here + 0x12340)($28)\n"
	      "daddiu $2, $2, %got_ofst(here + 0x12340)\n.data\n.skip 24\nhere: .skip 0x20000\n"),
	SHAPE("R_MIPS_GOT_OFST",
	      ".text\nld $2, %got_page(here)($28)\n"
	      "daddiu $2, $2, %got_ofst(here)\n.data\n.skip 24\nhere: .skip 0x20000\n"),
	SHAPE_AT("R_MIPS_HIGHER", 0x7fff89ab9234fedc, ".text\ndaddiu $2, $2, %higher(x)\n"),
	SHAPE_AT("R_MIPS_HIGHEST", 0x7fff89ab9234fedc, ".text\nlui $2, %highest(x)\n"),
	SHAPE("R_MIPS_GPREL16/SUB/HI16",
	      ".text\n.globl here\nhere: lui $28, %hi(%neg(%gp_rel(here)))\n"
	      "daddiu $28, $28, %lo(%neg(%gp_rel(here)))\nld $2, %got_disp(x)($28)\n"),
	SHAPE("R_MIPS_GPREL16/SUB/LO16",
	      ".text\n.globl here\nnop\nhere: lui $28, %hi(%neg(%gp_rel(here)))\n"
	      "daddiu $28, $28, %lo(%neg(%gp_rel(here)))\nld $2, %got_disp(x)($28)\n"),
	SHAPE("R_MIPS_GPREL32/64", ".text\n.skip 0x1238\nhere: nop\n.data\n.gpdword here\n"),
};

static const struct limit mips_limits[] = {
	DISTANCE("R_MIPS_PC16",
		 ".text\n.set noreorder\n.reloc 0, R_MIPS_PC16, x\n.word 0x10000000\nnop\n",
		 -0x20000, 0x1fffc, 4),
	LIMIT("R_MIPS_16", ".data\n.reloc 0, R_MIPS_16, x\n.half 0, 0\n", -0x8000, 0x7fff, 1),
};

static const char *const mips_variants[] = { "-O2",
					     "-O2 -fPIC",
					     "-O0",
					     "-Os -fPIC",
					     "-O2 -fno-pie",
					     "-O2 -fno-pie -mno-abicalls -G0",
					     "-O2 -fPIC -mxgot",
					     NULL };

#define MIPS_NOT_COMPARED                                                                          \
	"R_MIPS_REL32: only in linked files, and gas knows it by another meaning\n"                \
	"R_MIPS_GPREL16: for small data\n"                                                         \
	"R_MIPS_LITERAL: likewise\n"                                                               \
	"R_MIPS_PC21_S2: for release 6\n"                                                          \
	"R_MIPS_PC26_S2: likewise\n"                                                               \
	"R_MIPS_PC18_S3: likewise\n"                                                               \
	"R_MIPS_PC19_S2: likewise\n"                                                               \
	"R_MIPS_PCHI16: likewise\n"                                                                \
	"R_MIPS_PCLO16: likewise\n"                                                                \
	"R_MIPS_GNU_REL16_S2: gas makes R_MIPS_PC16\n"                                             \
	"R_MIPS_TLS_DTPREL32: what the C library decides\n"                                        \
	"R_MIPS_TLS_DTPREL64: likewise\n"                                                          \
	"R_MIPS_TLS_GD: likewise\n"                                                                \
	"R_MIPS_TLS_LDM: likewise\n"                                                               \
	"R_MIPS_TLS_DTPREL_HI16: likewise\n"                                                       \
	"R_MIPS_TLS_DTPREL_LO16: likewise\n"                                                       \
	"R_MIPS_TLS_GOTTPREL: likewise\n"                                                          \
	"R_MIPS_TLS_TPREL32: likewise\n"                                                           \
	"R_MIPS_TLS_TPREL64: likewise\n"                                                           \
	"R_MIPS_TLS_TPREL_HI16: likewise\n"                                                        \
	"R_MIPS_TLS_TPREL_LO16: likewise\n"
#define MIPS32_NOT_COMPARED                                                                        \
	MIPS_NOT_COMPARED "R_MIPS_64: for addresses of 64 bits\n"                                  \
			  "R_MIPS_GPREL16/SUB/HI16: likewise\n"                                    \
			  "R_MIPS_GPREL16/SUB/LO16: likewise\n"                                    \
			  "R_MIPS_GPREL32/64: likewise\n"                                          \
			  "R_MIPS_GOT_DISP: likewise\n"                                            \
			  "R_MIPS_GOT_PAGE: likewise\n"                                            \
			  "R_MIPS_GOT_OFST: likewise\n"                                            \
			  "R_MIPS_HIGHER: likewise\n"                                              \
			  "R_MIPS_HIGHEST: likewise\n"

#define MIPS32(title, tools, kind)                                                                 \
	static const struct machine title = {                                                      \
		.name = #title,                                                                    \
		.prefix = tools,                                                                   \
		.assemble = "-mno-shared -KPIC",                                                   \
		.compile = "",                                                                     \
		.variants = mips_variants,                                                         \
		.sets_gp = true,                                                                   \
		.link = "-m " kind,                                                                \
		.shapes = mips_shapes,                                                             \
		.num_shapes = COUNT(mips_shapes),                                                  \
		.limits = mips_limits,                                                             \
		.num_limits = COUNT(mips_limits),                                                  \
		.not_compared = MIPS32_NOT_COMPARED,                                               \
	}
#define MIPS64(title, tools, kind, options)                                                        \
	static const struct machine title = {                                                      \
		.name = #title,                                                                    \
		.prefix = tools,                                                                   \
		.assemble = options " -KPIC",                                                      \
		.compile = options,                                                                \
		.variants = mips_variants,                                                         \
		.sets_gp = true,                                                                   \
		.link = "-m " kind,                                                                \
		.high = true,                                                                      \
		.shapes = mips64_shapes,                                                           \
		.num_shapes = COUNT(mips64_shapes),                                                \
		.limits = mips_limits,                                                             \
		.num_limits = COUNT(mips_limits),                                                  \
		.not_compared = MIPS_NOT_COMPARED,                                                 \
	}

MIPS32(mips, "mips-linux-gnu-", "elf32btsmip");
MIPS32(mipsel, "mipsel-linux-gnu-", "elf32ltsmip");
MIPS64(mips64, "mips64el-linux-gnuabi64-", "elf64btsmip", "-mabi=64 -EB");
MIPS64(mips64el, "mips64el-linux-gnuabi64-", "elf64ltsmip", "-mabi=64 -EL");
