/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aarch64: what its relocations look like, and how far they reach.
 */
static const struct shape aarch64_shapes[] = {
	SHAPE("R_AARCH64_ABS64", ".data\n.xword x, x + 8, here\nhere: .xword 0\n"),
	SHAPE("R_AARCH64_ABS32", ".data\n.word x, x - 4\n"),
	SHAPE("R_AARCH64_PREL64", ".data\n.xword x - ., x + 4 - .\n"),
	SHAPE("R_AARCH64_PREL32", ".data\n.word x - ., x + 4 - .\n"),
	SHAPE("R_AARCH64_ADR_PREL_PG_HI21",
	      ".text\nadrp x0, x\nadrp x3, x + 4096\nadrp x30, here\nhere: nop\n"),
	SHAPE("R_AARCH64_ADD_ABS_LO12_NC",
	      ".text\nadd x1, x2, :lo12:x\nadd x1, x2, :lo12:x + 12\n"),
	SHAPE("R_AARCH64_LDST64_ABS_LO12_NC",
	      ".text\nldr x1, [x2, :lo12:x]\nstr x1, [x2, :lo12:x + 8]\n"),
	SHAPE("R_AARCH64_CALL26", ".text\nnop\nbl x\nbl x + 4\n"),
	SHAPE("R_AARCH64_JUMP26", ".text\nb x\nnop\nb x - 4\n"),
	SHAPE("R_AARCH64_ADR_GOT_PAGE", ".text\nadrp x0, :got:x\nadrp x1, :got:y\n"),
	SHAPE("R_AARCH64_LD64_GOT_LO12_NC",
	      ".text\nadrp x0, :got:y\nldr x0, [x0, :got_lo12:y]\nldr x1, [x0, :got_lo12:x]\n"),
};

static const struct limit aarch64_limits[] = {
	DISTANCE("R_AARCH64_CALL26", ".text\nbl x\n", -0x8000000, 0x7fffffc, 4),
	LIMIT("R_AARCH64_ABS16", ".data\n.hword x\n", -0x8000, 0xffff, 1),
};

static const char *const aarch64_variants[] = { "-O2",	     "-O2 -fPIC",    "-O0",
						"-Os -fPIC", "-O2 -fno-pie", NULL };

static const struct machine aarch64 = {
	.name = "aarch64",
	.prefix = "aarch64-linux-gnu-",
	.assemble = "",
	.compile = "",
	.variants = aarch64_variants,
	.link = "--no-relax",
	.high = true,
	.shapes = aarch64_shapes,
	.num_shapes = COUNT(aarch64_shapes),
	.limits = aarch64_limits,
	.num_limits = COUNT(aarch64_limits),
	.not_compared = "",
};
