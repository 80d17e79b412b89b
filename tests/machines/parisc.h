/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hppa: what its relocations look like, and how far they reach.
 *
 * In programs ld makes position-independent code count from r27 instead of r19, so the shapes say r27.
 */
#define HPPA_TLS ".section .tbss, \"awT\", @nobits\n.space 20\n.globl x\nx: .space 8\n"

static const struct shape hppa_shapes[] = {
	SHAPE("R_PARISC_DIR32", ".data\n.word x, x + 4, here\nhere: .word 0\n"),
	SHAPE("R_PARISC_DIR21L", ".text\nldil LR'x, %r1\nldil LR'x + 0xfff, %r1\n"
				 "ldil LR'x + 0x1000, %r1\nldil LR'x - 0x1001, %r1\n"),
	SHAPE("R_PARISC_DIR14R", ".text\nldw RR'x(%r1), %r2\nldo RR'x + 0xfff(%r1), %r2\n"
				 "stw %r2, RR'x + 0x1000(%r1)\nldo RR'x - 0x1001(%r1), %r2\n"),
	SHAPE("R_PARISC_DIR17R", ".text\nbe RR'x(%sr4, %r1)\nble RR'x + 0xffc(%sr4, %r1)\n"
				 "ble RR'x + 0x1004(%sr4, %r1)\n"),
	SHAPE_AT("R_PARISC_DIR17F", 0xfff0,
		 ".text\n.reloc 0, R_PARISC_DIR17F, x\nbe 0(%sr4, %r0)\n"),
	SHAPE_AT("R_PARISC_DIR14F", 0x1234,
		 ".text\n.reloc 0, R_PARISC_DIR14F, x\nldw 0(%r0), %r1\n"
		 ".reloc 4, R_PARISC_DIR14F, x - 0x2000\nldw 0(%r0), %r1\n"),
	SHAPE_AT("R_PARISC_PCREL12F", BASE + 0x800, ".text\nnop\ncomb,= %r1, %r2, x\nnop\n"),
	SHAPE("R_PARISC_PCREL32", ".text\n.reloc 0, R_PARISC_PCREL32, x\n.word 0\n"
				  ".reloc 4, R_PARISC_PCREL32, x + 0x1234\n.word 0\n"),
	SHAPE("R_PARISC_PCREL21L", ".text\n.reloc ., R_PARISC_PCREL21L, x\naddil 0, %r1\n"
				   ".reloc ., R_PARISC_PCREL21L, x + 0x1234\naddil 0, %r1\n"),
	SHAPE("R_PARISC_PCREL17R", ".text\n.reloc ., R_PARISC_PCREL17R, x\nbe 0(%sr4, %r1)\n"
				   ".reloc ., R_PARISC_PCREL17R, x + 0x1234\nbe 0(%sr4, %r1)\n"),
	SHAPE("R_PARISC_PCREL14R", ".text\n.reloc ., R_PARISC_PCREL14R, x\nldo 0(%r1), %r1\n"
				   ".reloc ., R_PARISC_PCREL14R, x + 0x1235\nldo 0(%r1), %r1\n"),
	SHAPE_AT("R_PARISC_PCREL14F", BASE + 0x800,
		 ".text\nnop\n.reloc ., R_PARISC_PCREL14F, x\nldo 0(%r1), %r1\n"),
	SHAPE_AT("R_PARISC_PCREL17F", BASE + 0x20000,
		 ".text\nnop\nbl x, %r2\nb x\nnop\nb here\nhere: nop\n"),
	SHAPE_AT("R_PARISC_PCREL17C", BASE + 0x20000,
		 ".text\nnop\n.reloc ., R_PARISC_PCREL17C, x\nbl 0, %r2\nnop\n"),
	SHAPE("R_PARISC_PCREL22F", ".level 2.0\n.text\nnop\nb,l x, %r2\nnop\n"),
	SHAPE("R_PARISC_DPREL21L",
	      ".text\naddil LR'x - $global$, %r27\n"
	      "addil LR'x - $global$ + 0x1234, %r27\naddil LR'here - $global$, %r27\n"
	      ".data\nhere: .word 0\n"),
	SHAPE("R_PARISC_DPREL14R", ".text\nldo RR'x - $global$(%r1), %r2\n"
				   "ldw RR'x - $global$ + 0x1234(%r1), %r2\n"),
	SHAPE_AT("R_PARISC_DPREL14F", BASE + 0x10400,
		 ".text\n.reloc 0, R_PARISC_DPREL14F, x\nldw 0(%r27), %r2\n"),
	SHAPE("R_PARISC_DLTIND21L", ".text\naddil LT'x, %r27\naddil LT'y, %r27\n"),
	SHAPE("R_PARISC_DLTIND14R", ".text\nldw RT'x(%r1), %r2\nldw RT'y(%r1), %r2\n"),
	SHAPE("R_PARISC_DLTIND14F", ".text\n.reloc 0, R_PARISC_DLTIND14F, x\nldw 0(%r27), %r2\n"),
	SHAPE("R_PARISC_SEGREL32",
	      ".text\nnop\nhere: nop\n.data\n.reloc 0, R_PARISC_SEGREL32, here\n.word 0\n"
	      ".reloc 4, R_PARISC_SEGREL32, here + 4\n.word 0\n"),
	SHAPE("R_PARISC_PLABEL32", ".data\n.word P%x, P%y, P%here\n.text\nnop\nhere: nop\n"),
	SHAPE("R_PARISC_PLABEL21L", ".text\nldil LP'x, %r1\n"),
	SHAPE("R_PARISC_PLABEL14R", ".text\nldo RP'x(%r1), %r1\n"),
	SHAPE("R_PARISC_TPREL21L", HPPA_TLS ".text\naddil LR'x - $tls_leoff$ + 0x1234, %r1\n"),
	SHAPE("R_PARISC_TPREL14R", HPPA_TLS ".text\nldo RR'x - $tls_leoff$ + 0x1234(%r1), %r1\n"),
	SHAPE_TLS("R_PARISC_LTOFF_TP21L", HPPA_TLS ".text\naddil LT'x - $tls_ieoff$, %r19\n"),
	SHAPE_TLS("R_PARISC_LTOFF_TP14R", HPPA_TLS ".text\nldw RT'x - $tls_ieoff$(%r1), %r1\n"),
	SHAPE_TLS("R_PARISC_TLS_GD21L", HPPA_TLS ".text\naddil LT'x - $tls_gdidx$, %r19\n"),
	SHAPE_TLS("R_PARISC_TLS_GD14R", HPPA_TLS ".text\nldo RT'x - $tls_gdidx$(%r1), %r1\n"),
	SHAPE_TLS("R_PARISC_TLS_LDM21L", HPPA_TLS ".text\naddil LT'x - $tls_ldidx$, %r19\n"),
	SHAPE_TLS("R_PARISC_TLS_LDM14R", HPPA_TLS ".text\nldo RT'x - $tls_ldidx$(%r1), %r1\n"),
	SHAPE("R_PARISC_TLS_LDO21L", HPPA_TLS ".text\naddil LR'x - $tls_dtpoff$ + 0x1234, %r1\n"),
	SHAPE("R_PARISC_TLS_LDO14R",
	      HPPA_TLS ".text\nldo RR'x - $tls_dtpoff$ + 0x1234(%r1), %r1\n"),
};

static const struct limit hppa_limits[] = {
	LAX_LIMIT("R_PARISC_DIR14F", ".text\n.reloc 0, R_PARISC_DIR14F, x\nldw 0(%r0), %r1\n",
		  -0x2000, 0x1fff, 1),
	LAX_DISTANCE("R_PARISC_PCREL12F", ".text\ncomb,= %r1, %r2, x\nnop\n", -0x2000 + 8,
		     0x1ffc + 8, 4),
	LAX_DISTANCE("R_PARISC_PCREL17F", ".text\nbl x, %r2\nnop\n", -0x40000 + 8, 0x3fffc + 8, 4),
	LAX_DISTANCE("R_PARISC_PCREL22F", ".level 2.0\n.text\nb,l x, %r2\nnop\n", -0x800000 + 8,
		     0x7ffffc + 8, 4),
};

static const char *const hppa_variants[] = { "-O2",
					     "-O2 -fPIC",
					     "-O0",
					     "-Os -fpic",
					     "-O2 -fno-pie",
					     "-O2 -mlong-calls",
					     "-O2 -fPIC -mlong-calls",
					     "-O2 -march=2.0",
					     "-O2 -fPIC -march=2.0",
					     NULL };

/* Code counts from r19, where programs have r27 do. */
static bool hppa_counts_from_r19(uint64_t ours, uint64_t theirs)
{
	return ours >> 21 == (0x0a << 5 | 19) && ours + (8 << 21) == theirs;
}

/* A pointer to a function leads to its code and our GOT, where programs have the code's address. */
static bool hppa_is_descriptor(const struct link *link, uint64_t ours, uint64_t theirs)
{
	const struct link_part *text = &link->part[LINK_TEXT];
	uint64_t at = ours - 2 - link->base - text->offset;

	return !(at & 3) && at + 8 <= text->size &&
	       link_get(link->arch, text->buffer + at, 4) == theirs &&
	       link_get(link->arch, text->buffer + at + 4, 4) == link_got_pointer(link);
}

static bool hppa_is_as_good(const struct trial *trial, const unsigned char *ours,
			    const unsigned char *theirs)
{
	const struct link *link = trial->link;
	uint64_t word = link_get(link->arch, ours, 4), other = link_get(link->arch, theirs, 4);

	return hppa_counts_from_r19(word, other) || hppa_is_descriptor(link, word, other);
}

/* What ldil and ldw load from; the rest is as assemblers make it of the instructions. */
static uint64_t hppa_slot_of_stub(const unsigned char *stub, uint64_t at UNUSED)
{
	static const uint32_t rest[] = { 0xc7c1c012, 0xd4201c1e, 0x0c281093, 0x0c201081,
					 0xe820c002 };
	const struct link_arch *arch = link_find_machine("hppa");
	uint64_t left = link_get(arch, stub, 4), right = link_get(arch, stub + 4, 4);

	ck_assert_uint_eq(left >> 21, 0x08 << 5 | 1);
	ck_assert_uint_eq(right >> 14, 0x12 << 12 | 1 << 7 | 1 << 2);
	for (size_t i = 0; i < COUNT(rest); i++)
		ck_assert_uint_eq(link_get(arch, stub + 8 + 4 * i, 4), rest[i]);
	ck_assert_uint_eq(right & 1, 0); /* the sign */
	left = (left & 1) << 20 | (left >> 1 & 0x7ff) << 9 | (left >> 14 & 3) << 7 |
	       (left >> 16 & 0x1f) << 2 | (left >> 12 & 3);
	return (left << 11) + (right >> 1 & 0x1fff);
}

static const struct machine hppa = {
	.name = "hppa",
	.prefix = "hppa-linux-gnu-",
	.assemble = "",
	.compile = "",
	.variants = hppa_variants,
	.link = "",
	.sets_gp = true,
	.elsewhere = 0x30000,
	.is_as_good = hppa_is_as_good,
	.slot_of_stub = hppa_slot_of_stub,
	.not_joined =
		true, /* ld -r leaves several sections of one name, which its scripts can't tell apart */
	.tls_bias = 8,
	.shapes = hppa_shapes,
	.num_shapes = COUNT(hppa_shapes),
	.limits = hppa_limits,
	.num_limits = COUNT(hppa_limits),
	.not_compared = "R_PARISC_PCREL22C: ld does not know it\n"
			"R_PARISC_LTOFF_TP14F: likewise\n"
			"R_PARISC_TLS_DTPOFF32: ld writes an address\n"
			"R_PARISC_TPREL32: likewise\n",
};
