/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arm: what its relocations look like, and how far they reach.
 */
#define TLS ".section .tbss, \"awT\", %nobits\n.space 32\nx: .space 16\n.text\nnop\n"
#define THUMB ".syntax unified\n.thumb\n"
/* Functions for both: a; t and u, one of which is not at a multiple of four. */
#define FUNCTIONS                                                                                  \
	".section .other, \"ax\"\n.arm\n.type a, %function\na: nop\n"                              \
	".thumb\n.type t, %function\n.thumb_func\nt: nop\n.type u, %function\n.thumb_func\nu: nop\n"

static const struct shape arm_shapes[] = {
	SHAPE("R_ARM_ABS32", ".data\n.word x, x + 8, here\nhere: .word 0, a, t, t + 4\n" FUNCTIONS),
	SHAPE("R_ARM_REL32", ".data\n.word x - ., x + 4 - ., t - .\n" FUNCTIONS),
	SHAPE_AT("R_ARM_ABS16", 0x1234, ".data\n.hword x, x + 4\n"),
	SHAPE_AT("R_ARM_ABS8", 100, ".data\n.byte x, x + 4\n"),
	SHAPE("R_ARM_PC24",
	      ".text\nb . + 8\n.reloc 0, R_ARM_PC24, x\nblne . + 8\n.reloc 4, R_ARM_PC24, a\n" FUNCTIONS),
	SHAPE("R_ARM_PLT32",
	      ".text\nbl . + 8\n.reloc 0, R_ARM_PLT32, x\nblne . + 8\n.reloc 4, R_ARM_PLT32, a\n" FUNCTIONS),
	SHAPE("R_ARM_CALL",
	      ".text\nbl x\nbl x + 4\nblx x\nbl a\nbl t\nblx t\nblx a\nbl u\nnop\nblx u\n" FUNCTIONS),
	SHAPE("R_ARM_JUMP24", ".text\nb x\nbne x\nb a\nblne a\nb a + 4\n" FUNCTIONS),
	SHAPE("R_ARM_THM_CALL", THUMB
	      "bl x\nbl a\nbl t\nnop\nbl a\nblx a\nblx t\nblx u\nbl u\n.balign 4\nbl other\nblx other\n" FUNCTIONS
	      "nop\nother: nop\n"),
	SHAPE_AT("R_ARM_THM_JUMP24", BASE + 0x200001,
		 THUMB "b.w x\nb.w t\nnop\nb.w t\nb.w u\n" FUNCTIONS),
	SHAPE_AT("R_ARM_THM_JUMP19", BASE + 0x20001,
		 THUMB "bne.w x\nbcs.w t\nnop\nbeq.w u\n" FUNCTIONS),
	SHAPE_AT("R_ARM_THM_JUMP8", BASE + 0x51, THUMB "bne.n x\nnop\nbeq.n x\n"),
	SHAPE_AT("R_ARM_THM_JUMP11", BASE + 0x351, THUMB "b.n x\nnop\nb.n x\n"),
	SHAPE("R_ARM_GOTOFF32",
	      ".data\n.word here(GOTOFF), t(GOTOFF)\nhere: .word here(GOTOFF) + 4\n" FUNCTIONS),
	SHAPE("R_ARM_GOT_BREL", ".data\n.word x(GOT), y(GOT)\n.word x(GOT) + 4\n"),
	SHAPE("R_ARM_BASE_PREL",
	      ".text\n.word 0, _GLOBAL_OFFSET_TABLE_ - .\n.word _GLOBAL_OFFSET_TABLE_ - (. + 8)\n"),
	SHAPE("R_ARM_GOT_PREL",
	      ".text\n.word x(GOT_PREL), y(GOT_PREL) + 4\n.word 7, x(GOT_PREL) - 8\n"),
	SHAPE("R_ARM_TARGET1", ".data\n.word x(target1), t(target1)\n" FUNCTIONS),
	SHAPE("R_ARM_TARGET2", ".data\n.word x(target2), y(target2)\n"),
	SHAPE("R_ARM_PREL31",
	      ".data\n.word 0, 0x80000000, 4, 0x7ffffff8\n.reloc 0, R_ARM_PREL31, x\n.reloc 4, R_ARM_PREL31, t\n.reloc 8, R_ARM_PREL31, a\n.reloc 12, R_ARM_PREL31, x\n" FUNCTIONS),
	SHAPE("R_ARM_MOVW_ABS_NC",
	      "movw r3, #:lower16:x\nmovw r7, #:lower16:t\nmovw r9, #:lower16:x + 0x4567\nmovw r9, #:lower16:x - 0x4567\n" FUNCTIONS),
	SHAPE("R_ARM_MOVT_ABS",
	      "movt r3, #:upper16:x\nmovt r7, #:upper16:t\nmovt r9, #:upper16:x + 0x4567\nmovt r9, #:upper16:x - 0x4567\n" FUNCTIONS),
	SHAPE("R_ARM_MOVW_PREL_NC",
	      "movw r3, #:lower16:(x - .)\nmovw r7, #:lower16:(t - .)\nmovw r9, #:lower16:(x - 0x4567 - .)\n" FUNCTIONS),
	SHAPE("R_ARM_MOVT_PREL",
	      "movt r3, #:upper16:(x - .)\nmovt r7, #:upper16:(t - .)\nmovt r9, #:upper16:(x - 0x4567 - .)\n" FUNCTIONS),
	SHAPE("R_ARM_THM_MOVW_ABS_NC", THUMB
	      "movw r3, #:lower16:x\nmovw r7, #:lower16:t\nmovw r9, #:lower16:x + 0x4567\nmovw r9, #:lower16:x - 0x4567\n" FUNCTIONS),
	SHAPE("R_ARM_THM_MOVT_ABS", THUMB
	      "movt r3, #:upper16:x\nmovt r7, #:upper16:t\nmovt r9, #:upper16:x + 0x4567\nmovt r9, #:upper16:x - 0x4567\n" FUNCTIONS),
	SHAPE("R_ARM_THM_MOVW_PREL_NC", THUMB
	      "movw r3, #:lower16:(x - .)\nmovw r7, #:lower16:(t - .)\nmovw r9, #:lower16:(x - 0x4567 - .)\n" FUNCTIONS),
	SHAPE("R_ARM_THM_MOVT_PREL", THUMB
	      "movt r3, #:upper16:(x - .)\nmovt r7, #:upper16:(t - .)\nmovt r9, #:upper16:(x - 0x4567 - .)\n" FUNCTIONS),
	SHAPE_AT(
		"R_ARM_THM_PC8", BASE + 0x80,
		THUMB
		"ldr r3, [pc, #0x3fc]\nldr r3, [pc, #0x3fc]\nnop\nldr r2, [pc, #8]\n.reloc 0, R_ARM_THM_PC8, x\n.reloc 2, R_ARM_THM_PC8, x\n.reloc 6, R_ARM_THM_PC8, x\n"),
	SHAPE_AT(
		"R_ARM_THM_PC12", BASE + 0x100,
		THUMB
		"ldr.w r3, [pc, #-4]\nldr.w r4, [pc, #-0x21]\nnop\nldr.w r4, [pc, #12]\n.reloc 0, R_ARM_THM_PC12, x\n.reloc 4, R_ARM_THM_PC12, x\n.reloc 10, R_ARM_THM_PC12, x\n"),
	SHAPE_AT(
		"R_ARM_THM_ALU_PREL_11_0", BASE + 0x100,
		THUMB
		"addw r3, pc, #4\nsubw r4, pc, #0x210\nnop\naddw r4, pc, #0xe00\n.reloc 0, R_ARM_THM_ALU_PREL_11_0, x\n.reloc 4, R_ARM_THM_ALU_PREL_11_0, x\n.reloc 10, R_ARM_THM_ALU_PREL_11_0, x\n"),
	SHAPE("R_ARM_ABS32_NOI",
	      ".data\n.word 0, 4\n.reloc 0, R_ARM_ABS32_NOI, x\n.reloc 4, R_ARM_ABS32_NOI, t\n" FUNCTIONS),
	SHAPE("R_ARM_REL32_NOI",
	      ".data\n.word 0, 4\n.reloc 0, R_ARM_REL32_NOI, x\n.reloc 4, R_ARM_REL32_NOI, t\n" FUNCTIONS),
	SHAPE("R_ARM_ALU_PC_G0_NC",
	      ".text\nadd r0, pc, #:pc_g0_nc:(x)\nadd r0, r0, #:pc_g0_nc:(x - 8)\n"),
	SHAPE_AT("R_ARM_ALU_PC_G0", BASE + 0x100,
		 ".text\nadd r0, pc, #:pc_g0:(x)\nadd r0, r0, #:pc_g0:(x - 8)\n"),
	SHAPE("R_ARM_ALU_PC_G1_NC",
	      ".text\nadd r0, pc, #:pc_g1_nc:(x)\nadd r0, r0, #:pc_g1_nc:(x - 8)\n"),
	SHAPE_AT("R_ARM_ALU_PC_G1", BASE + 0x5508,
		 ".text\nadd r0, pc, #:pc_g1:(x)\nadd r0, r0, #:pc_g1:(x - 8)\n"),
	SHAPE_AT("R_ARM_ALU_PC_G2", BASE + 0x345678,
		 ".text\nadd r0, pc, #:pc_g2:(x)\nadd r0, r0, #:pc_g2:(x - 8)\n"),
	SHAPE_AT("R_ARM_LDR_PC_G0", BASE + 0x500,
		 ".text\nldr r0, [pc, #:pc_g0:(x)]\nstrb r0, [pc, #:pc_g0:(x - 0x604)]\n"),
	SHAPE_AT(
		"R_ARM_LDRS_PC_G0", BASE + 0x80,
		".text\nldrh r0, [pc, #:pc_g0:(x)]\nldrd r0, [pc, #:pc_g0:(x - 4)]\nldrsb r0, [pc, #:pc_g0:(x - 0xe0)]\n"),
	SHAPE_AT("R_ARM_LDC_PC_G0", BASE + 0x180,
		 ".text\nldc p5, c4, [pc, #:pc_g0:(x)]\nldc p5, c4, [pc, #:pc_g0:(x - 0x204)]\n"),
	SHAPE_AT("R_ARM_LDR_PC_G1", BASE + 0x50500,
		 ".text\nldr r0, [pc, #:pc_g1:(x)]\nstrb r0, [pc, #:pc_g1:(x - 0x604)]\n"),
	SHAPE_AT(
		"R_ARM_LDRS_PC_G1", BASE + 0x8080,
		".text\nldrh r0, [pc, #:pc_g1:(x)]\nldrd r0, [pc, #:pc_g1:(x - 4)]\nldrsb r0, [pc, #:pc_g1:(x - 0xe0)]\n"),
	SHAPE_AT("R_ARM_LDC_PC_G1", BASE + 0x8280,
		 ".text\nldc p5, c4, [pc, #:pc_g1:(x)]\nldc p5, c4, [pc, #:pc_g1:(x - 0x204)]\n"),
	SHAPE("R_ARM_LDR_PC_G2",
	      ".text\nldr r0, [pc, #:pc_g2:(x)]\nstrb r0, [pc, #:pc_g2:(x - 0x604)]\n"),
	SHAPE_AT(
		"R_ARM_LDRS_PC_G2", BASE + 0x808080,
		".text\nldrh r0, [pc, #:pc_g2:(x)]\nldrd r0, [pc, #:pc_g2:(x - 4)]\nldrsb r0, [pc, #:pc_g2:(x - 0xe0)]\n"),
	SHAPE_AT("R_ARM_LDC_PC_G2", BASE + 0x808080,
		 ".text\nldc p5, c4, [pc, #:pc_g2:(x)]\nldc p5, c4, [pc, #:pc_g2:(x - 0x204)]\n"),
	SHAPE("R_ARM_THM_ALU_ABS_G0_NC",
	      ".syntax unified\n.arch armv6s-m\n.thumb\nmovs r3, #:lower0_7:#x\nadds r4, #:lower0_7:#t\n.arch armv7-a\n" FUNCTIONS),
	SHAPE("R_ARM_THM_ALU_ABS_G1_NC",
	      ".syntax unified\n.arch armv6s-m\n.thumb\nmovs r3, #:lower8_15:#x\nadds r4, #:lower8_15:#t\n.arch armv7-a\n" FUNCTIONS),
	SHAPE("R_ARM_THM_ALU_ABS_G2_NC",
	      ".syntax unified\n.arch armv6s-m\n.thumb\nmovs r3, #:upper0_7:#x\nadds r4, #:upper0_7:#t\n.arch armv7-a\n" FUNCTIONS),
	SHAPE("R_ARM_THM_ALU_ABS_G3",
	      ".syntax unified\n.arch armv6s-m\n.thumb\nmovs r3, #:upper8_15:#x\nadds r4, #:upper8_15:#t\n.arch armv7-a\n" FUNCTIONS),
	SHAPE_TLS("R_ARM_TLS_GD32", TLS ".word x(tlsgd), x(tlsgd) + 4\n"),
	SHAPE_TLS("R_ARM_TLS_LDM32", TLS ".word x(tlsldm), x(tlsldm) + 4\n"),
	SHAPE_TLS("R_ARM_TLS_LDO32", TLS ".word x(tlsldo), x(tlsldo) + 4\n"),
	SHAPE_TLS("R_ARM_TLS_IE32", TLS ".word x(gottpoff), x(gottpoff) + 4\n"),
	SHAPE("R_ARM_TLS_LE32", TLS ".word x(tpoff), x(tpoff) + 4\n"),
};

static const struct limit arm_limits[] = {
	LIMIT("R_ARM_ABS16", ".data\n.hword x\n", 0, 0xffff, 1),
	LIMIT("R_ARM_ABS8", ".data\n.byte x\n", 0, 0xff, 1),
	DISTANCE("R_ARM_PREL31", ".text\n.word 0\n.reloc 0, R_ARM_PREL31, x\n", -0x40000000,
		 0x3fffffff, 1),
	DISTANCE("R_ARM_CALL", ".text\nbl x\n", -0x2000000 + 8, 0x1fffffc + 8, 4),
	DISTANCE("R_ARM_JUMP24", ".text\nbeq x\n", -0x2000000 + 8, 0x1fffffc + 8, 4),
	/* ld has stubs for the last place in reach of these three. */
	DISTANCE("R_ARM_THM_CALL", THUMB "bl x\n", -0x1000000 + 5, 0xfffffc + 5, 4),
	DISTANCE("R_ARM_THM_JUMP24", THUMB "b.w x\n", -0x1000000 + 5, 0xfffffc + 5, 4),
	DISTANCE("R_ARM_THM_JUMP19", THUMB "bne.w x\n", -0x100000 + 5, 0xffffc + 5, 4),
	DISTANCE("R_ARM_THM_JUMP11", THUMB "b.n x\n", -0x800 + 5, 0x7fe + 5, 2),
	DISTANCE("R_ARM_THM_JUMP8", THUMB "bne.n x\n", -0x100 + 5, 0xfe + 5, 2),
	DISTANCE("R_ARM_LDR_PC_G0", ".text\nldr r0, [pc, #:pc_g0:(x)]\n", -0xfff, 0xfff, 1),
	DISTANCE("R_ARM_LDRS_PC_G0", ".text\nldrh r0, [pc, #:pc_g0:(x)]\n", -0xff, 0xff, 1),
	DISTANCE("R_ARM_LDC_PC_G0", ".text\nldc p5, c4, [pc, #:pc_g0:(x)]\n", -0x3fc, 0x3fc, 4),
	DISTANCE("R_ARM_ALU_PC_G0", ".text\nadd r0, pc, #:pc_g0:(x)\n", -0xff, 0xff, 2),
	DISTANCE("R_ARM_ALU_PC_G1", ".text\nadd r0, pc, #:pc_g1:(x)\n", -0xffff, 0xffff, 0x102),
	DISTANCE("R_ARM_THM_ALU_PREL_11_0",
		 THUMB "subw r3, pc, #4\n.reloc 0, R_ARM_THM_ALU_PREL_11_0, x\n", -0xfff + 4,
		 0xfff + 4, 1),
};

#undef TLS
#undef THUMB
#undef FUNCTIONS

static const char *const arm_variants[] = { "-O2",
					    "-O2 -fPIC",
					    "-O0",
					    "-Os -fPIC",
					    "-O2 -fno-pie",
					    "-O2 -marm",
					    "-O2 -fPIC -marm",
					    "-Os -marm -fno-pie",
					    "-O2 -mlong-calls",
					    "-O2 -marm -march=armv5te -mfloat-abi=soft",
					    "-O2 -fno-section-anchors -mword-relocations",
					    "-O2 -funwind-tables -ffunction-sections",
					    "-Os -marm -fexceptions",
					    NULL };

static const struct machine arm = {
	.name = "arm",
	.prefix = "arm-linux-gnueabihf-",
	.assemble = "-march=armv7-a",
	.compile = "",
	.variants = arm_variants,
	/* ld works around a fault of Cortex-A8 (657417) by branches that it adds; we don't. */
	.link = "--no-fix-cortex-a8 --no-merge-exidx-entries --defsym=__aeabi_unwind_cpp_pr0=0 "
		"--defsym=__aeabi_unwind_cpp_pr1=0 --defsym=__aeabi_unwind_cpp_pr2=0",
	.tls_bias = 8,
	.not_joined = true, /* ld drops the second table of one object, if it says nothing new */
	.has_types = true,
	.shapes = arm_shapes,
	.num_shapes = COUNT(arm_shapes),
	.limits = arm_limits,
	.num_limits = COUNT(arm_limits),
	.not_compared = "",
};
