/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * i386: what its relocations look like, and how far they reach.
 */
#define TLS ".section .tbss, \"awT\", %nobits\n.space 32\nx: .space 16\n.text\nnop\nnop\n"

static const struct shape i386_shapes[] = {
	SHAPE("R_386_32",
	      ".data\n.long x, x + 8, here\nhere: .long 0\n.text\nmovl $x, %eax\nmovl x + 4, %edx\n"),
	SHAPE("R_386_PC32",
	      ".text\ncall x\n.data\n.long x - ., here - .\n.section .other, \"aw\"\nhere: .long 0\n"),
	SHAPE("R_386_PLT32", ".text\ncall x@PLT\njmp x@PLT\n"),
	SHAPE("R_386_GOTPC", ".text\naddl $_GLOBAL_OFFSET_TABLE_, %ebx\n"),
	SHAPE("R_386_GOTOFF",
	      ".text\nleal here@GOTOFF(%ebx), %eax\n.data\n.long 0\nhere: .long 0\n"),
	SHAPE("R_386_GOT32",
	      ".text\npushl x@GOT(%ebx)\nimull y@GOT(%ecx), %edx\npushl y@GOT\n.long x@GOT\n"),
	SHAPE("R_386_GOT32X",
	      ".text\ncmpl x@GOT(%ebx), %eax\nmovl x@GOT(%ecx), %edi\nmovl y@GOT, %ecx\ncall *x@GOT(%ebx)\njmp *y@GOT(%ebx)\ntestl %esi, x@GOT(%edx)\ncall *x@GOT\naddl x@GOT(%ebx), %ecx\nsbbl y@GOT(%ebx), %ebp\nxorl y@GOT(%ebx), %esp\n"),
	SHAPE_AT("R_386_16", 0x1234, ".data\n.value x, x - 3\n"),
	SHAPE_AT("R_386_8", 100, ".data\n.byte x\n"),
	SHAPE_AT("R_386_PC16", BASE + 1000, ".text\n.value x - .\n"),
	SHAPE_AT("R_386_PC8", BASE + 100, ".text\njecxz x\n"),
	SHAPE("R_386_SIZE32",
	      ".data\n.long 0\nhere: .skip 12\n.globl here\n.size here, 12\n.long here@SIZE, here@SIZE + 5\n"),
	SHAPE_TLS("R_386_TLS_GD", TLS "leal x@TLSGD(,%ebx,1), %eax\n"),
	SHAPE_TLS("R_386_TLS_LDM", TLS "leal x@TLSLDM(%ebx), %eax\n"),
	SHAPE_TLS("R_386_TLS_LDO_32", TLS "leal x@DTPOFF(%eax), %ecx\n"),
	SHAPE_TLS("R_386_TLS_IE", TLS "movl x@INDNTPOFF, %eax\naddl x@INDNTPOFF, %ecx\n"),
	SHAPE_TLS("R_386_TLS_GOTIE",
		  TLS "movl x@GOTNTPOFF(%ebx), %eax\naddl x@GOTNTPOFF(%ebx), %ecx\n"),
	SHAPE("R_386_TLS_LE", TLS "movl %gs:x@NTPOFF, %eax\nleal x@NTPOFF(%eax), %ecx\n"),
	SHAPE_TLS("R_386_TLS_GOTDESC", TLS "leal x@TLSDESC(%ebx), %eax\n"),
	SHAPE_TLS("R_386_TLS_DESC_CALL", TLS "call *x@TLSCALL(%eax)\n"),
};

#undef TLS

static const struct limit i386_limits[] = {
	LAX_LIMIT("R_386_16", ".data\n.value x\n", -0x8000, 0xffff, 1),
	LAX_LIMIT("R_386_8", ".data\n.byte x\n", -0x80, 0xff, 1),
	LAX_DISTANCE("R_386_PC16", ".text\n.value x - .\n", -0x8000, 0xffff, 1),
	DISTANCE("R_386_PC8", ".text\n.byte x - .\n", -0x80, 0x7f, 1),
};

static const char *const i386_variants[] = { "-O2",
					     "-O2 -fPIC",
					     "-O0",
					     "-Os -fPIC",
					     "-O2 -fno-pie",
					     "-O2 -fPIC -fno-plt",
					     "-O2 -fPIC -fcf-protection -mmanual-endbr",
					     "-O2 -Wa,-mrelax-relocations=no",
					     NULL };

static const struct machine i386 = {
	.name = "i386",
	.prefix = "i686-linux-gnu-",
	.assemble = "-mrelax-relocations=yes",
	.compile = "",
	.variants = i386_variants,
	.link = "",
	.counts_from_plt = true,
	.tls_below = true,
	.shapes = i386_shapes,
	.num_shapes = COUNT(i386_shapes),
	.limits = i386_limits,
	.num_limits = COUNT(i386_limits),
	.not_compared = "R_386_TLS_DTPMOD32: the dynamic linker's, in ld's view\n"
			"R_386_TLS_DTPOFF32: the dynamic linker's, in ld's view\n",
};
