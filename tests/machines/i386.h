/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * i386: what its relocations look like, and how far they reach.
 */
static const struct shape i386_shapes[] = {
	SHAPE("R_386_32",
	      ".data\n.long x, x + 8, here\nhere: .long 0\n.text\nmovl $x, %eax\nmovl x + 4, %edx\n"),
	SHAPE("R_386_PC32",
	      ".text\ncall x\n.data\n.long x - ., here - .\n.section .other, \"aw\"\nhere: .long 0\n"),
	SHAPE("R_386_PLT32", ".text\ncall x@PLT\njmp x@PLT\n"),
	SHAPE("R_386_GOTPC", ".text\naddl $_GLOBAL_OFFSET_TABLE_, %ebx\n"),
	SHAPE("R_386_GOTOFF",
	      ".text\nleal here@GOTOFF(%ebx), %eax\n.data\n.long 0\nhere: .long 0\n"),
	SHAPE("R_386_GOT32", ".text\nnop\nnop\naddl x@GOT(%ebx), %eax\nmovl y@GOT(%ecx), %edx\n"),
	SHAPE("R_386_GOT32X", ".text\ncmpl %eax, x@GOT(%ebx)\n"),
	SHAPE_AT("R_386_16", 0x1234, ".data\n.value x, x - 3\n"),
	SHAPE_AT("R_386_8", 100, ".data\n.byte x\n"),
	SHAPE_AT("R_386_PC16", BASE + 1000, ".data\n.value x - .\n"),
	SHAPE_AT("R_386_PC8", BASE + 100, ".text\njecxz x\n"),
};

static const char *const i386_variants[] = { "-O2",	  "-O2 -fPIC",	  "-O0",
					     "-Os -fPIC", "-O2 -fno-pie", NULL };

static const struct machine i386 = {
	.name = "i386",
	.prefix = "i686-linux-gnu-",
	.assemble = "-mrelax-relocations=no",
	.compile = "-Wa,-mrelax-relocations=no",
	.variants = i386_variants,
	.link = "",
	.counts_from_plt = true,
	.shapes = i386_shapes,
	.num_shapes = COUNT(i386_shapes),
};
