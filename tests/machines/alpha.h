/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * alpha: what its relocations look like, and how far they reach.
 */
#define ALPHA_FUNCTION(prologue)                                                                   \
	".ent f\n.globl f\nf: ldah $29, 0($27) !gpdisp!9\nlda $29, 0($29) !gpdisp!9\n" prologue    \
	"\nret $31, ($26)\n.end f\n"
#define ALPHA_TLS(variable) ".section .tbss, \"awT\", @nobits\n.skip 8\n" variable ": .skip 8\n"

static const struct shape alpha_shapes[] = {
	SHAPE("R_ALPHA_REFLONG", ".data\n.long x, x + 8, here\nhere: .long 0\n"),
	SHAPE("R_ALPHA_REFQUAD", ".data\n.quad x, x - 8, here\nhere: .long 0\n"),
	SHAPE("R_ALPHA_GPREL32", ".data\n.gprel32 here\nhere: .gprel32 here + 0x12345\n"),
	SHAPE("R_ALPHA_LITERAL", ".text\nldq $1, x($29) !literal\nldq $2, y($29) !literal\n"
				 "ldq $3, x + 8($29) !literal\nldq $4, here($29) !literal\n"
				 "ldq $5, x + 8($29) !literal\n.data\n.skip 24\nhere: .quad 0\n"),
	SHAPE("R_ALPHA_GPDISP", ".text\n.skip 0x124\n" ALPHA_FUNCTION(".prologue 1")),
	SHAPE("R_ALPHA_GPDISP", ".text\nldah $29, 3($26) !gpdisp!1\nnop\n"
				"lda $29, -4($29) !gpdisp!1\n"),
	SHAPE_AT("R_ALPHA_BRADDR", BASE + 1000, ".text\nbr $31, x\nbeq $1, x\nbsr $26, x + 8\n"),
	SHAPE_AT("R_ALPHA_HINT", BASE + 1000,
		 ".text\nldq $27, x($29) !literal!1\njsr $26, ($27), x !lituse_jsr!1\n"),
	SHAPE("R_ALPHA_HINT", ".text\njmp $31, ($27), x\njsr $26, ($27), y\n"),
	SHAPE_AT("R_ALPHA_SREL16", BASE + 1000, ".text\n.short x - ., x + 2 - .\n"),
	SHAPE("R_ALPHA_SREL32", ".data\n.long x - ., x + 4 - .\n"),
	SHAPE("R_ALPHA_SREL64", ".data\n.quad x - ., x + 4 - .\n"),
	SHAPE("R_ALPHA_GPRELHIGH", ".text\nldah $1, here($29) !gprelhigh\n"
				   "lda $1, here($1) !gprellow\n"
				   ".data\n.skip 0x9124\nhere: .quad 0\n"),
	SHAPE("R_ALPHA_GPRELLOW", ".text\nldah $1, here + 0x12345($29) !gprelhigh\n"
				  "ldq $1, here + 0x12345($1) !gprellow\n"
				  ".data\n.skip 24\nhere: .skip 0x20000\n"),
	SHAPE("R_ALPHA_GPREL16", ".text\nlda $1, here($29) !gprel\n.data\nhere: .quad 0\n"),
	SHAPE("R_ALPHA_BRSGP", ".text\nnop\nbsr $26, f !samegp\n" ALPHA_FUNCTION(".prologue 1")),
	SHAPE("R_ALPHA_BRSGP", ".text\nbsr $26, f !samegp\n.ent f\n.globl f\nf: .prologue 0\n"
			       "ret $31, ($26)\n.end f\n"),
	SHAPE_TLS("R_ALPHA_TLSGD", ".text\nlda $16, x($29) !tlsgd\n" ALPHA_TLS("x")),
	SHAPE_TLS("R_ALPHA_TLSLDM", ".text\nlda $16, x($29) !tlsldm\n" ALPHA_TLS("x")),
	SHAPE("R_ALPHA_DTPRELHI",
	      ".text\nldah $1, x($0) !dtprelhi\nlda $1, x($1) !dtprello\n" ALPHA_TLS("x")),
	SHAPE("R_ALPHA_DTPRELLO", ".text\nldah $1, x + 0x19000($0) !dtprelhi\n"
				  "lda $1, x + 0x19000($1) !dtprello\n" ALPHA_TLS("x")),
	SHAPE("R_ALPHA_DTPREL16", ".text\nlda $1, x + 4($0) !dtprel\n" ALPHA_TLS("x")),
	SHAPE_TLS("R_ALPHA_GOTTPREL", ".text\nldq $1, x($29) !gottprel\n" ALPHA_TLS("x")),
	SHAPE("R_ALPHA_TPRELHI",
	      ".text\nldah $1, x($0) !tprelhi\nlda $1, x($1) !tprello\n" ALPHA_TLS("x")),
	SHAPE("R_ALPHA_TPRELLO", ".text\nldah $1, x + 0x19000($0) !tprelhi\n"
				 "lda $1, x + 0x19000($1) !tprello\n" ALPHA_TLS("x")),
	SHAPE("R_ALPHA_TPREL16", ".text\nlda $1, x + 4($0) !tprel\n" ALPHA_TLS("x")),
};

static const struct limit alpha_limits[] = {
	LAX_LIMIT("R_ALPHA_REFLONG", ".data\n.long x\n", -0x80000000LL, 0xffffffffLL, 1),
	DISTANCE("R_ALPHA_SREL32", ".text\n.long x - .\n", -0x80000000LL, 0x7fffffffLL, 1),
	DISTANCE("R_ALPHA_SREL16", ".text\n.short x - .\n", -0x8000, 0x7fff, 1),
	DISTANCE("R_ALPHA_BRADDR", ".text\nbeq $1, x\n", -0x3ffffc, 0x400000, 4),
};

static const char *const alpha_variants[] = { "-O2",
					      "-O2 -fPIC",
					      "-O2 -fpic",
					      "-O0",
					      "-Os -fPIC",
					      "-O2 -fno-pie",
					      "-O2 -mlarge-text -mcpu=ev67",
					      "-O2 -fno-pie -msmall-text",
					      NULL };

/* br $27, 0; ldah $27, high($27); ldq $27, low($27); jmp $31, ($27) */
static uint64_t alpha_slot_of_stub(const unsigned char *stub, uint64_t at)
{
	uint32_t code[4];

	for (size_t i = 0; i < COUNT(code); i++)
		code[i] = (uint32_t)stub[4 * i] | (uint32_t)stub[4 * i + 1] << 8 |
			  (uint32_t)stub[4 * i + 2] << 16 | (uint32_t)stub[4 * i + 3] << 24;
	ck_assert_uint_eq(code[0], 0xc3600000);
	ck_assert_uint_eq(code[1] >> 16, 0x277b);
	ck_assert_uint_eq(code[2] >> 16, 0xa77b);
	ck_assert_uint_eq(code[3], 0x6bfb0000);
	return at + 4 + (uint64_t)((int16_t)code[1] * (int64_t)0x10000 + (int16_t)code[2]);
}

static const struct machine alpha = {
	.name = "alpha",
	.prefix = "alpha-linux-gnu-",
	.assemble = "",
	.compile = "",
	.variants = alpha_variants,
	.link = "--no-relax",
	.high = true,
	.tls_bias = 16,
	.shapes = alpha_shapes,
	.num_shapes = COUNT(alpha_shapes),
	.limits = alpha_limits,
	.num_limits = COUNT(alpha_limits),
	.crowd = ".text\ni = 0\n.rept 8192 + more\nldq $1, x + 8 + 8 * i($29) !literal\n"
		 "i = i + 1\n.endr\n",
	.crowd_is_told = "has a GOT slot that is out of reach (found 32768, at least -32768 and at "
			 "most 32767; there are 8193 slots); link fewer objects as one, as $gp "
			 "reaches 8192 slots",
	.needs_others = "is a call of what is in another module or library, where $gp is another",
	.slot_of_stub = alpha_slot_of_stub,
	.not_compared = "R_ALPHA_DTPMOD64: gas has no way to make it\n"
			"R_ALPHA_DTPREL64: likewise\n"
			"R_ALPHA_TPREL64: likewise\n",
};
