/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * x86-64: what its relocations look like, and how far they reach.
 */
#define TLS ".section .tbss, \"awT\", %nobits\n.space 32\nx: .space 16\n.text\nnop\nnop\nnop\n"

static const struct shape x86_64_shapes[] = {
	SHAPE("R_X86_64_64", ".data\n.quad x, x + 8, here\nhere: .quad 0\n"),
	SHAPE("R_X86_64_PC32",
	      ".text\nleaq x + 5(%rip), %rax\n.data\n.long x - ., here - .\n.section .other, \"aw\"\nhere: .long 0\n"),
	SHAPE("R_X86_64_GOT32", ".text\nmovq x@GOT(%rbx), %rax\npushq y@GOT(%rbx)\n"),
	SHAPE("R_X86_64_PLT32", ".text\ncall x@PLT\njmp x@PLT\njne x\n"),
	SHAPE("R_X86_64_GOTPCREL",
	      ".text\npushq x@GOTPCREL(%rip)\n.long y@GOTPCREL, x@GOTPCREL + 4\n"),
	SHAPE("R_X86_64_32", ".data\n.long x, x - 8, here\nhere: .long 0\n"),
	SHAPE("R_X86_64_32S",
	      ".text\nmovq $x, %rax\nmovq x + 4, %rdx\nleaq here(,%rax,8), %rdi\nhere:\n"),
	SHAPE_AT("R_X86_64_16", 0x1234, ".data\n.value x, x - 3\n"),
	SHAPE_AT("R_X86_64_PC16", BASE + 1000, ".text\n.value x - .\n"),
	SHAPE_AT("R_X86_64_8", 100, ".data\n.byte x\n"),
	SHAPE_AT("R_X86_64_PC8", BASE + 100, ".text\njecxz x\n"),
	SHAPE("R_X86_64_PC64",
	      ".data\n.quad x - ., here - .\n.section .other, \"aw\"\nhere: .long 0\n"),
	SHAPE("R_X86_64_GOTOFF64",
	      ".text\nmovabsq $here@GOTOFF, %rax\n.data\n.long 0\nhere: .long 0\n"),
	SHAPE("R_X86_64_GOTPC32", ".text\nleaq _GLOBAL_OFFSET_TABLE_(%rip), %rbx\n"),
	SHAPE("R_X86_64_GOT64", ".text\nmovabsq $x@GOT, %rax\n"),
	SHAPE("R_X86_64_GOTPCREL64", ".text\n.quad x@GOTPCREL, y@GOTPCREL + 8\n"),
	SHAPE("R_X86_64_GOTPC64", ".text\nmovabsq $_GLOBAL_OFFSET_TABLE_, %rax\n"),
	SHAPE("R_X86_64_PLTOFF64", ".text\nmovabsq $here@PLTOFF, %rax\nhere: nop\n"),
	SHAPE("R_X86_64_SIZE32",
	      ".data\n.long 0\nhere: .skip 12\n.globl here\n.size here, 12\n.long here@SIZE, here@SIZE + 5\n"),
	SHAPE("R_X86_64_SIZE64",
	      ".data\n.long 0\nhere: .skip 12\n.globl here\n.size here, 12\n.quad here@SIZE, here@SIZE + 5\n"),
	SHAPE_TLS("R_X86_64_TLSGD", TLS "leaq x@TLSGD(%rip), %rdi\n"),
	SHAPE_TLS("R_X86_64_TLSLD", TLS "leaq x@TLSLD(%rip), %rdi\n"),
	SHAPE_TLS("R_X86_64_DTPOFF32", TLS "leaq x@DTPOFF(%rax), %rcx\n"),
	SHAPE_TLS("R_X86_64_DTPOFF64", TLS ".data\n.quad x@DTPOFF\n"),
	SHAPE_TLS("R_X86_64_GOTTPOFF",
		  TLS "movq x@GOTTPOFF(%rip), %rax\naddq x@GOTTPOFF(%rip), %rcx\n"),
	SHAPE("R_X86_64_TPOFF32", TLS "movq %fs:x@TPOFF, %rax\nleaq x@TPOFF(%rax), %rcx\n"),
	SHAPE("R_X86_64_TPOFF64", TLS "movabsq $x@TPOFF, %rcx\n"),
	SHAPE_TLS("R_X86_64_GOTPC32_TLSDESC", TLS "leaq x@TLSDESC(%rip), %rax\n"),
	SHAPE_TLS("R_X86_64_TLSDESC_CALL", TLS "call *x@TLSCALL(%rax)\n"),
};

#undef TLS

static const struct limit x86_64_limits[] = {
	LIMIT("R_X86_64_32", ".data\n.long x\n", 0, 0xffffffff, 1),
	LIMIT("R_X86_64_32S", ".text\nmovq $x, %rax\n", -0x80000000LL, 0x7fffffff, 1),
	LAX_LIMIT("R_X86_64_16", ".data\n.value x\n", -0x8000, 0xffff, 1),
	LAX_LIMIT("R_X86_64_8", ".data\n.byte x\n", -0x80, 0xff, 1),
	DISTANCE("R_X86_64_PC32", ".text\n.long x - .\n", -0x80000000LL, 0x7fffffff, 1),
	DISTANCE("R_X86_64_PLT32", ".text\n.long x@PLT\n", -0x80000000LL, 0x7fffffff, 1),
	LAX_DISTANCE("R_X86_64_PC16", ".text\n.value x - .\n", -0x8000, 0x7fff, 1),
	DISTANCE("R_X86_64_PC8", ".text\n.byte x - .\n", -0x80, 0x7f, 1),
};

static const char *const x86_64_variants[] = { "-O2",
					       "-O2 -fPIC",
					       "-O0",
					       "-Os -fPIC",
					       "-O2 -fno-pie",
					       "-O2 -fPIC -fno-plt",
					       "-O2 -mcmodel=large -fno-pie",
					       "-O2 -mcmodel=medium -fno-pie",
					       "-O2 -fPIC -mcmodel=medium",
					       NULL };

static const struct machine x86_64 = {
	.name = "x86-64",
	.prefix = "x86_64-linux-gnu-",
	.assemble = "-mrelax-relocations=yes",
	.compile = "-Wa,-mrelax-relocations=no",
	.variants = x86_64_variants,
	.link = "--no-relax --no-ld-generated-unwind-info",
	.high = true,
	.counts_from_plt = true,
	.tls_below = true,
	.shapes = x86_64_shapes,
	.num_shapes = COUNT(x86_64_shapes),
	.limits = x86_64_limits,
	.num_limits = COUNT(x86_64_limits),
	.not_compared = "R_X86_64_GOTPCRELX: test_elf does it, for each instruction\n"
			"R_X86_64_REX_GOTPCRELX: test_elf does it, for each instruction\n"
			"R_X86_64_DTPMOD64: the dynamic linker's, in ld's view\n"
			"R_X86_64_GOTPLT64: as no longer makes it\n"
			"R_X86_64_PC32_BND: as no longer makes it\n"
			"R_X86_64_PLT32_BND: as no longer makes it\n"
			"R_X86_64_CODE_4_GOTPCRELX: binutils before 2.41 do not know it\n"
			"R_X86_64_CODE_4_GOTTPOFF: binutils before 2.41 do not know it\n"
			"R_X86_64_CODE_4_GOTPC32_TLSDESC: binutils before 2.41 do not know it\n"
			"R_X86_64_CODE_5_GOTPCRELX: binutils before 2.41 do not know it\n"
			"R_X86_64_CODE_5_GOTTPOFF: binutils before 2.41 do not know it\n"
			"R_X86_64_CODE_5_GOTPC32_TLSDESC: binutils before 2.41 do not know it\n"
			"R_X86_64_CODE_6_GOTPCRELX: binutils before 2.41 do not know it\n"
			"R_X86_64_CODE_6_GOTTPOFF: binutils before 2.41 do not know it\n"
			"R_X86_64_CODE_6_GOTPC32_TLSDESC: binutils before 2.41 do not know it\n",
};
