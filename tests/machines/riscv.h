/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * riscv64: what its relocations look like, and how far they reach.
 */
static const struct shape riscv_shapes[] = {
	SHAPE("R_RISCV_64", ".data\n.dword x, x + 8, here\nhere: .dword 0\n"),
	SHAPE("R_RISCV_32", ".data\n.word x, x + 8\n"),
	SHAPE_AT("R_RISCV_BRANCH", BASE + 1000,
		 ".text\nnop\n.reloc ., R_RISCV_BRANCH, x\nbeq a0, a1, .\n"
		 ".reloc ., R_RISCV_BRANCH, x - 1500\nbne a0, a1, .\n"),
	SHAPE_AT("R_RISCV_JAL", BASE + 0x54320, ".text\nnop\njal x\nj x - 0x60000\n"),
	SHAPE("R_RISCV_CALL", ".text\n.reloc ., R_RISCV_CALL, x\nauipc ra, 0\njalr ra, ra, 0\n"),
	SHAPE("R_RISCV_CALL_PLT", ".text\ncall x\ntail x\ncall x + 0x7fe\n"),
	SHAPE("R_RISCV_GOT_HI20",
	      ".text\n1: auipc a0, %got_pcrel_hi(x)\nld a0, %pcrel_lo(1b)(a0)\n"),
	SHAPE("R_RISCV_PCREL_HI20", ".text\n1: auipc a0, %pcrel_hi(x + 0x900)\n"
				    "addi a0, a0, %pcrel_lo(1b)\nsd a1, %pcrel_lo(1b)(a0)\n"),
	SHAPE("R_RISCV_PCREL_LO12_I", ".text\nnop\n1: auipc a0, %pcrel_hi(x + 0x7ff)\n"
				      "nop\naddi a0, a0, %pcrel_lo(1b)\n"),
	SHAPE("R_RISCV_PCREL_LO12_S",
	      ".text\nnop\n1: auipc a0, %pcrel_hi(here)\n"
	      "nop\nsb a0, %pcrel_lo(1b)(a0)\n.data\n.skip 0x888\nhere: .dword 0\n"),
	SHAPE("R_RISCV_HI20", ".text\nlui a0, %hi(x + 0x7ff)\nlui a0, %hi(x + 0x800)\n"),
	SHAPE("R_RISCV_LO12_I", ".text\naddi a0, a0, %lo(x + 0x7ff)\nld a0, %lo(x + 0x800)(a0)\n"),
	SHAPE("R_RISCV_LO12_S", ".text\nsd a1, %lo(x + 0x7ff)(a0)\nsb a1, %lo(x + 0x801)(a0)\n"),
	SHAPE("R_RISCV_ADD8", ".data\n.byte 3\n.reloc 0, R_RISCV_ADD8, x + 5\n"),
	SHAPE("R_RISCV_ADD16", ".data\n.half 3\n.reloc 0, R_RISCV_ADD16, x + 5\n"),
	SHAPE("R_RISCV_ADD32", ".text\n1: call x\n2: .data\n.word 2b - 1b\n.dword 2b - 1b\n"),
	SHAPE("R_RISCV_ADD64", ".data\n.dword x - y\n"),
	SHAPE("R_RISCV_SUB8", ".data\n.byte 3\n.reloc 0, R_RISCV_SUB8, x\n"),
	SHAPE("R_RISCV_SUB16", ".data\n.half 3\n.reloc 0, R_RISCV_SUB16, x\n"),
	SHAPE("R_RISCV_SUB32", ".data\n.word x - y, y - x\n"),
	SHAPE("R_RISCV_SUB64", ".data\n.dword y - x\n"),
	SHAPE("R_RISCV_SUB6", ".data\n.byte 0xc3\n.reloc 0, R_RISCV_SUB6, x\n"),
	SHAPE("R_RISCV_SET6", ".data\n.byte 0xc3\n.reloc 0, R_RISCV_SET6, x + 5\n"),
	SHAPE("R_RISCV_SET8", ".data\n.byte 0xc3\n.reloc 0, R_RISCV_SET8, x + 5\n"),
	SHAPE("R_RISCV_SET16", ".data\n.half 0xc3\n.reloc 0, R_RISCV_SET16, x + 5\n"),
	SHAPE("R_RISCV_SET32", ".data\n.word 0xc3\n.reloc 0, R_RISCV_SET32, x + 5\n"),
	SHAPE_AT("R_RISCV_RVC_BRANCH", BASE + 100,
		 ".text\nnop\n.reloc ., R_RISCV_RVC_BRANCH, x\nc.beqz a0, .\n"
		 ".reloc ., R_RISCV_RVC_BRANCH, x - 96\nc.bnez a1, .\n"),
	SHAPE_AT(
		"R_RISCV_RVC_JUMP", BASE + 1000,
		".text\nnop\n.reloc ., R_RISCV_RVC_JUMP, x\nc.j .\n.reloc ., R_RISCV_RVC_JUMP, x - 1500\nc.j .\n"),
	SHAPE("R_RISCV_32_PCREL", ".data\n.word x - .\n.reloc 4, R_RISCV_32_PCREL, x\n.word 0\n"),
	/* An anchor behind its section. */
	SHAPE("R_RISCV_PCREL_HI20",
	      ".data\n.set .LANCHOR1, . + 4096\nhere: .dword 1\n.text\n"
	      "1: auipc a0, %pcrel_hi(.LANCHOR1)\nld a0, %pcrel_lo(1b)(a0)\n"),
	/* What is to be aligned, with too many nops before it, and what is behind. */
	SHAPE("R_RISCV_CALL_PLT",
	      ".text\ncall x\nc.nop\n.balign 16\n1: c.nop\n.balign 8\n2: tail x\n.balign 32\n"
	      "3: beqz a0, 1b\n.data\n.dword 1b, 2b, 3b, 3b - 1b\n"),
};

static const struct limit riscv_limits[] = {
	LIMIT("R_RISCV_HI20", ".text\nlui a0, %hi(x)\n", -0x80000800LL, 0x7ffff7ff, 1),
	DISTANCE("R_RISCV_BRANCH", ".text\n.reloc 0, R_RISCV_BRANCH, x\nbeq a0, a1, .\n", -0x1000,
		 0xffe, 2),
	DISTANCE("R_RISCV_JAL", ".text\njal x\n", -0x100000, 0xffffe, 2),
	DISTANCE("R_RISCV_RVC_BRANCH", ".text\n.reloc 0, R_RISCV_RVC_BRANCH, x\nc.beqz a0, .\n",
		 -0x100, 0xfe, 2),
	DISTANCE("R_RISCV_RVC_JUMP", ".text\n.reloc 0, R_RISCV_RVC_JUMP, x\nc.j .\n", -0x800, 0x7fe,
		 2),
	LAX_DISTANCE("R_RISCV_CALL_PLT", ".text\ncall x\n", -0x80000800LL, 0x7ffff7fe, 2),
	LAX_DISTANCE("R_RISCV_PCREL_HI20", ".text\nauipc a0, %pcrel_hi(x)\n", -0x80000800LL,
		     0x7ffff7ff, 1),
};

static const char *const riscv_variants[] = { "-O2",
					      "-O2 -fPIC",
					      "-O0",
					      "-Os -fPIC",
					      "-O2 -fno-pie",
					      "-O2 -fno-pie -mcmodel=medlow",
					      "-O2 -mno-relax",
					      NULL };

static const struct machine riscv64 = {
	.name = "riscv64",
	.prefix = "riscv64-linux-gnu-",
	.assemble = "-march=rv64gc",
	.compile = "",
	.variants = riscv_variants,
	.link = "--no-relax",
	.high = true,
	.shapes = riscv_shapes,
	.num_shapes = COUNT(riscv_shapes),
	.limits = riscv_limits,
	.num_limits = COUNT(riscv_limits),
	.not_compared = "R_RISCV_TLS_DTPREL32: what the C library decides\n"
			"R_RISCV_TLS_DTPREL64: what the C library decides\n"
			"R_RISCV_TLS_GOT_HI20: what the C library decides\n"
			"R_RISCV_TLS_GD_HI20: what the C library decides\n"
			"R_RISCV_TPREL_HI20: what the C library decides\n"
			"R_RISCV_TPREL_LO12_I: what the C library decides\n"
			"R_RISCV_TPREL_LO12_S: what the C library decides\n"
			"R_RISCV_PLT32: this as and ld do not know it\n"
			"R_RISCV_SET_ULEB128: likewise\n"
			"R_RISCV_SUB_ULEB128: likewise\n",
};
