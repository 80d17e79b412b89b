/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What only some code needs of a linker: the GOT's beginning, as the medium and the large code model
 * use it; functions that are chosen at load time; names with versions; how far things reach exactly
 * where something else than a plain field depends on it; and unwind tables of all shapes.
 *
 * As in test_elf.c, GNU ld links the same objects for the same addresses.
 */
#include "tests/elf/helper.h"

#define BASE ((uint64_t)0x10000000)
#define HIGH_BASE ((uint64_t)0x7f1200000000)
#define FAR ((uint64_t)0x123456789000)
#define GOT_OVERLAPS " --no-check-sections"

static uint64_t field_at(const struct trial *trial, const struct link_section *section,
			 uint64_t offset, size_t size)
{
	uint64_t value = 0;

	ck_assert_uint_le(offset + size, section->size);
	memcpy(&value, link_section_buffer(trial->link, section) + offset, size);
	return value;
}

static uint64_t signed32(uint64_t value)
{
	return (uint64_t)(int64_t)(int32_t)(uint32_t)value;
}

/* ---- Code that counts from the GOT ---------------------------------------------------------- */

/* One symbol with a slot, since ld numbers them in an order of its own. */
static const char got_kinds[] =
	"	.text\n"
	"	.globl start\n"
	"start:	movabsq $target@GOT, %rax\n" /* GOT64 */
	"	movabsq $target@GOT + 8, %rax\n"
	"	movabsq $target@GOTPLT, %rax\n" /* GOTPLT64 */
	"	movabsq $target@GOTOFF, %rax\n" /* GOTOFF64 */
	"	movabsq $start@GOTOFF, %rax\n"
	"	movabsq $data@GOTOFF + 5, %rax\n"
	"	movabsq $near@PLTOFF, %rax\n" /* PLTOFF64 */
	"	movabsq $start@PLTOFF, %rax\n"
	"	leaq _GLOBAL_OFFSET_TABLE_(%rip), %rbx\n"	/* GOTPC32 */
	"	movabsq $_GLOBAL_OFFSET_TABLE_ - start, %rcx\n" /* GOTPC64 */
	"	movl target@GOT, %eax\n"			/* GOT32 */
	"	.quad target@GOTPCREL\n"			/* GOTPCREL64 */
	"	.quad target@GOTPCREL - 3\n"
	"	.reloc ., R_X86_64_PC32_BND, start - 4\n"
	"	.long 0\n"
	"	.reloc ., R_X86_64_PLT32_BND, near - 4\n"
	"	.long 0\n"
	"	.data\n"
	"data:	.quad _GLOBAL_OFFSET_TABLE_ - .\n"
	"	.long _GLOBAL_OFFSET_TABLE_ - . + 12\n"
	"	.quad target@GOTOFF\n"
	"	.reloc ., R_X86_64_64, _GLOBAL_OFFSET_TABLE_\n"
	"	.quad 0\n"
	"	.section .lrodata, \"al\"\n"
	"	.byte 1\n"
	"	.section .ldata, \"awl\"\n"
	"	.quad start, big + 4, data@GOTOFF\n"
	"	.section .ltext, \"axl\"\n"
	"	movabsq $big@GOTOFF, %rax\n"
	"	.section .lbss, \"awl\", @nobits\n"
	"	.skip 10\n"
	"	.largecomm big, 100, 32\n";

START_TEST(got_relocations_are_as_ld_makes_them)
{
	static const struct external externals[] = { { "target", FAR, false },
						     { "near", 0x20000123, true },
						     { NULL, 0, false } };
	struct trial trial;

	assemble("a", got_kinds);
	lay_out_files(&trial, "a.o");
	define_all(&trial, externals);
	check_ok(&trial, relocate_at(&trial, BASE, 0));
	check_against_ld(&trial, externals, "--no-relax" GOT_OVERLAPS);
	ck_assert_uint_eq(link_symbol_address(trial.link, symbol_of(&trial, "big")) % 32, 0);
	end_trial(&trial);
}
END_TEST

/* Everything is as far from the GOT as before, wherever the block is. */
START_TEST(offsets_from_the_got_do_not_depend_on_the_place)
{
	struct trial trial;
	struct link_interval interval;
	unsigned char *low;

	assemble("a", ".text\nleaq _GLOBAL_OFFSET_TABLE_(%rip), %rbx\nmovabsq $here@GOT, %rax\n"
		      "movabsq $here@GOTOFF, %rax\n.data\n.globl here\nhere: .byte 1\n");
	lay_out_files(&trial, "a.o");
	check_ok(&trial, link_interval(trial.link, &interval));
	ck_assert_ptr_null(interval.low.symbol);
	ck_assert_ptr_null(interval.high.symbol);
	check_ok(&trial, relocate_at(&trial, BASE, 0));
	low = malloc(trial.link->part[LINK_TEXT].size);
	ck_assert_ptr_nonnull(low);
	memcpy(low, trial.link->part[LINK_TEXT].buffer, trial.link->part[LINK_TEXT].size);
	check_ok(&trial, relocate_at(&trial, HIGH_BASE, 0));
	ck_assert_mem_eq(low, trial.link->part[LINK_TEXT].buffer, trial.link->part[LINK_TEXT].size);
	free(low);
	end_trial(&trial);
}
END_TEST

/* Code that names the GOT and needs no slot finds nothing there, but something in reach. */
START_TEST(got_is_there_for_code_that_only_names_it)
{
	const struct link_symbol *symbol = NULL;
	const struct link_part *rodata;
	struct trial trial;
	uint64_t got;

	assemble("a", ".text\nleaq _GLOBAL_OFFSET_TABLE_(%rip), %rbx\n");
	lay_out_files(&trial, "a.o");
	ck_assert_ptr_null(link_next_undefined(trial.link, NULL));
	ck_assert_ptr_null(link_next_defined(trial.link, NULL));
	check_ok(&trial, relocate_at(&trial, HIGH_BASE, 0));
	symbol = symbol_of(&trial, "_GLOBAL_OFFSET_TABLE_");
	got = link_symbol_address(trial.link, symbol);
	rodata = &trial.link->part[LINK_RODATA];
	ck_assert_uint_eq(got, HIGH_BASE + rodata->offset + rodata->size);
	ck_assert_uint_eq(signed32(field_at(&trial, section_of(&trial, ".text"), 3, 4)),
			  got - (HIGH_BASE + 7));
	end_trial(&trial);
}
END_TEST

/* Those of instructions with longer prefixes, which no assembler here knows, use the slot. */
START_TEST(slots_are_used_by_relocations_for_longer_prefixes)
{
	static const struct {
		uint32_t number;
		const char *name;
	} types[] = { { 43, "CODE_4" }, { 46, "CODE_5" }, { 49, "CODE_6" } };
	const struct link_symbol *symbol;
	struct trial trial;
	unsigned char *bytes;
	size_t size;

	assemble("a", ".text\nnop\nnop\nnop\n.reloc ., R_X86_64_GOTPCREL, target - 4\n.long 0\n"
		      ".data\n.globl target\ntarget: .quad 1\n");
	bytes = read_bytes("a.o", &size);
	for (size_t i = 0; i + 24 <= size; i += 8) {
		Elf64_Rela entry;

		memcpy(&entry, bytes + i, sizeof(entry));
		if (ELF64_R_TYPE(entry.r_info) != R_X86_64_GOTPCREL || entry.r_addend != -4)
			continue;
		entry.r_info = ELF64_R_INFO(ELF64_R_SYM(entry.r_info), types[_i].number);
		memcpy(bytes + i, &entry, sizeof(entry));
	}
	write_file("b.o", bytes, size);
	free(bytes);
	lay_out_files(&trial, "b.o");
	ck_assert_ptr_nonnull(
		strstr(link_arch_x86_64.relocation(types[_i].number)->name, types[_i].name));
	check_ok(&trial, relocate_at(&trial, HIGH_BASE, 0));
	symbol = symbol_of(&trial, "target");
	ck_assert(symbol->got_used);
	ck_assert_uint_eq(signed32(field_at(&trial, section_of(&trial, ".text"), 3, 4)),
			  link_got_address(trial.link, symbol) - (HIGH_BASE + 7));
	end_trial(&trial);
}
END_TEST

/* ---- How far ------------------------------------------------------------------------------- */

/* What becomes of an instruction that refers to something so far from its end. */
static const struct {
	const char *instruction;
	uint64_t
		distance; /* from the end of the instruction; or the address itself if `absolute` */
	bool absolute;
	const char *bytes; /* what it begins with if it uses the symbol itself */
	size_t bytes_size; /* 0: it uses the slot, or the stub */
} limits[] = {
	{ "call target", 0x7fffffff, false, "\xe8", 1 },
	{ "call target", 0x80000000, false, "\xe8", 0 },
	{ "call target", (uint64_t)-0x80000000LL, false, "\xe8", 1 },
	{ "call target", (uint64_t)-0x80000001LL, false, "\xe8", 0 },
	{ "jmp target", 0x7fffffff, false, "\xe9", 1 },
	{ "jmp target", 0x80000000, false, "\xe9", 0 },
	{ "call *target@GOTPCREL(%rip)", 0x7fffffff, false, "\x67\xe8", 2 },
	{ "call *target@GOTPCREL(%rip)", 0x80000000, false, "\xff\x15", 0 },
	{ "call *target@GOTPCREL(%rip)", (uint64_t)-0x80000000LL, false, "\x67\xe8", 2 },
	{ "call *target@GOTPCREL(%rip)", (uint64_t)-0x80000001LL, false, "\xff\x15", 0 },
	/* The jump is a byte shorter than what it replaces. */
	{ "jmp *target@GOTPCREL(%rip)", 0x7ffffffe, false, "\xe9", 1 },
	{ "jmp *target@GOTPCREL(%rip)", 0x7fffffff, false, "\xff\x25", 0 },
	{ "jmp *target@GOTPCREL(%rip)", (uint64_t)-0x80000001LL, false, "\xe9", 1 },
	{ "jmp *target@GOTPCREL(%rip)", (uint64_t)-0x80000002LL, false, "\xff\x25", 0 },
	{ "movq target@GOTPCREL(%rip), %rax", 0x7fffffff, false, "\x48\x8d\x05", 3 },
	{ "movq target@GOTPCREL(%rip), %rax", 0x80000000, false, "\x48\x8b\x05", 0 },
	{ "movq target@GOTPCREL(%rip), %rax", (uint64_t)-0x80000000LL, false, "\x48\x8d\x05", 3 },
	{ "movq target@GOTPCREL(%rip), %rax", (uint64_t)-0x80000001LL, false, "\x48\x8b\x05", 0 },
	{ "movq target@GOTPCREL(%rip), %rax", 0x7fffffff, true, "\x48\xc7\xc0", 3 },
	{ "movq target@GOTPCREL(%rip), %rax", 0x80000000, true, "\x48\x8b\x05", 0 },
	{ "movq target@GOTPCREL(%rip), %rax", 0xffffffff80000000, true, "\x48\xc7\xc0", 3 },
	{ "movq target@GOTPCREL(%rip), %rax", 0xffffffff7fffffff, true, "\x48\x8b\x05", 0 },
	{ "movl target@GOTPCREL(%rip), %eax", 0xffffffff, true, "\xc7\xc0", 2 },
	{ "movl target@GOTPCREL(%rip), %eax", 0x100000000, true, "\x8b\x05", 0 },
	{ "addq target@GOTPCREL(%rip), %rcx", 0x7fffffff, true, "\x48\x81\xc1", 3 },
	{ "addq target@GOTPCREL(%rip), %rcx", 0x80000000, true, "\x48\x03\x0d", 0 },
	{ "testl %ecx, target@GOTPCREL(%rip)", 0xffffffff, true, "\xf7\xc1", 2 },
	{ "testl %ecx, target@GOTPCREL(%rip)", 0x100000000, true, "\x85\x0d", 0 },
};

/* The value in the field, and where the field ends; branches that were shortened end sooner. */
static void check_limit(const struct trial *trial, const struct link_section *text, int i,
			uint64_t target)
{
	const struct link_symbol *symbol = link_find(trial->link, "target");
	uint64_t size = limits[i].bytes_size ? limits[i].bytes_size : strlen(limits[i].bytes);
	uint64_t value = field_at(trial, text, size, 4);
	uint64_t end = link_section_address(trial->link, text) + size + 4;

	ck_assert_mem_eq(link_section_buffer(trial->link, text), limits[i].bytes, size);
	if (limits[i].bytes_size) {
		ck_assert(!symbol->got_used && !symbol->stub_used);
		ck_assert_uint_eq(limits[i].absolute ? value : end + signed32(value),
				  limits[i].absolute ? target & 0xffffffff : target);
		return;
	}
	ck_assert(symbol->got_used);
	ck_assert_int_eq(symbol->stub_used, !strchr(limits[i].instruction, '@'));
	ck_assert_uint_eq(end + signed32(value), symbol->stub_used
							 ? link_stub_address(trial->link, symbol)
							 : link_got_address(trial->link, symbol));
}

START_TEST(symbol_is_used_itself_up_to_its_reach_and_not_beyond)
{
	const uint64_t base = limits[_i].absolute ? (uint64_t)1 << 45 : HIGH_BASE;
	uint64_t target = limits[_i].distance;
	const struct link_section *text;
	struct trial trial;
	char source[256];

	snprintf(source, sizeof(source), ".text\n%s\n.data\n.byte 1\n", limits[_i].instruction);
	assemble("a", source);
	lay_out_files(&trial, "a.o");
	trial.link->base = base;
	text = section_of(&trial, ".text");
	if (!limits[_i].absolute)
		target += link_section_address(trial.link, text) + text->size;
	link_define(symbol_of(&trial, "target"), target, true);
	check_ok(&trial, relocate_at(&trial, base, 0));
	check_limit(&trial, text, _i, target);
	end_trial(&trial);
}
END_TEST

/* Sizes of absolute symbols may be anything. */
static const struct {
	const char *field, *size;
	bool accepted;
} sizes[] = {
	{ "R_X86_64_SIZE32, it", "0xffffffff", true },
	{ "R_X86_64_SIZE32, it", "0x100000000", false },
	{ "R_X86_64_SIZE32, it + 1", "0xffffffff", false },
	{ "R_X86_64_SIZE32, it - 1", "0x100000000", true },
	{ "R_X86_64_SIZE32, it - 2", "1", false },
	{ "R_X86_64_SIZE64, it", "0xffffffffffffffff", true },
	{ "R_X86_64_SIZE64, it - 2", "1", true },
};

START_TEST(size_of_a_symbol_fits_up_to_its_bound_and_not_beyond)
{
	struct trial trial;
	char source[256];
	int error;

	snprintf(source, sizeof(source),
		 ".data\n.reloc ., %s\n.quad 0\n.globl it\n.set it, 77\n.size it, %s\n",
		 sizes[_i].field, sizes[_i].size);
	assemble("a", source);
	lay_out_files(&trial, "a.o");
	error = relocate_at(&trial, BASE, 0);
	ck_assert_int_eq(error, sizes[_i].accepted ? 0 : -ERANGE);
	if (sizes[_i].accepted)
		check_against_ld(&trial, NULL, "");
	else
		ck_assert(!ld_links(&trial, NULL, ""));
	end_trial(&trial);
}
END_TEST

/* ---- Nobody defines it ---------------------------------------------------------------------- */

/* A weak symbol that nobody defines is 0 for all that ask. */
static const char weak_forms[] = "	.weak it\n"
				 "	.text\n"
				 "	call it\n"
				 "	jmp it\n"
				 "	je it\n"
				 "	leaq it(%rip), %rax\n"
				 "	cmpl $0, it(%rip)\n"
				 "	movl $it, %eax\n"
				 "	movq $it, %rax\n"
				 "	movabsq $it, %rax\n"
				 "	movq it@GOTPCREL(%rip), %rax\n"
				 "	cmpq it@GOTPCREL(%rip), %rax\n"
				 "	.data\n"
				 "	.quad it, it + 3\n"
				 "	.long it, it - .\n"
				 "	.quad it - .\n"
				 "	.long it@SIZE\n"
				 "	.word it\n"
				 "	.byte it\n";

START_TEST(weak_symbol_that_nobody_defines_is_zero_as_in_ld)
{
	struct trial trial;

	assemble("a", weak_forms);
	lay_out_files(&trial, "a.o");
	check_ok(&trial, relocate_at(&trial, BASE, 0));
	check_against_ld(&trial, NULL, "");
	end_trial(&trial);
}
END_TEST

/* Where a direct reference can't be zero, ld refuses; a place is asked for where it can be. */
START_TEST(weak_symbol_that_nobody_defines_asks_for_a_place_in_its_reach)
{
	struct link_interval interval;
	struct trial trial;

	assemble("a", ".weak it\n.text\nleaq it(%rip), %rax\n");
	lay_out_files(&trial, "a.o");
	check_ok(&trial, link_interval(trial.link, &interval));
	ck_assert_uint_le(interval.high.base, 0x80000000);
	check_ok(&trial, relocate_at(&trial, interval.high.base, 0));
	ck_assert_int_eq(relocate_at(&trial, HIGH_BASE, 0), -ERANGE);
	ck_assert(!ld_links(&trial, NULL, ""));
	end_trial(&trial);
}
END_TEST

START_TEST(weak_symbol_that_nobody_defines_is_zero_from_the_got)
{
	const struct link_section *text;
	struct trial trial;
	uint64_t got;

	assemble("a", ".weak it\n.text\nmovabsq $it@GOT, %rax\nmovabsq $it@GOTOFF, %rax\n"
		      "pushq it@GOTPCREL(%rip)\n");
	lay_out_files(&trial, "a.o");
	check_ok(&trial, relocate_at(&trial, HIGH_BASE, 0));
	text = section_of(&trial, ".text");
	got = link_slot_address(trial.link, 0);
	ck_assert_uint_eq(field_at(&trial, text, 12, 8), -got);
	got += field_at(&trial, text, 2, 8);
	ck_assert_uint_eq(got, link_got_address(trial.link, symbol_of(&trial, "it")));
	memcpy(&got,
	       trial.link->part[LINK_RODATA].buffer +
		       (got - HIGH_BASE - trial.link->part[LINK_RODATA].offset),
	       sizeof(got));
	ck_assert_uint_eq(got, 0);
	end_trial(&trial);
}
END_TEST

/* ---- Chosen at load time -------------------------------------------------------------------- */

static const char chosen_twice[] = "	.text\n"
				   "	nop\n"
				   "	.globl chosen\n"
				   "	.type chosen, @gnu_indirect_function\n"
				   "chosen: ret\n"
				   "	.type inside, @gnu_indirect_function\n"
				   "inside: ret\n"
				   "	.globl code\n"
				   "code:	call chosen\n"		    /* + 1 */
				   "	jmp inside\n"			    /* + 6 */
				   "	leaq chosen(%rip), %rax\n"	    /* + 13 */
				   "	movq chosen@GOTPCREL(%rip), %rax\n" /* + 20 */
				   "	pushq chosen@GOTPCREL(%rip)\n"	    /* + 26 */
				   "	movabsq $chosen@GOTOFF, %rax\n"	    /* + 32 */
				   "	movabsq $chosen@PLTOFF, %rax\n"	    /* + 42 */
				   "	.data\n"
				   "	.quad chosen, inside, chosen - .\n";

static int count_indirect(struct link *link, struct link_symbol *symbol, void *arg)
{
	link_set_resolved(link, symbol, FAR + link_resolver_address(link, symbol));
	++*(unsigned int *)arg;
	return 0;
}

/* The address that a stub's jump takes from its slot: jmp *slot(%rip). */
static uint64_t behind_stub(const struct trial *trial, uint64_t stub)
{
	const struct link_part *text = &trial->link->part[LINK_TEXT],
			       *rodata = &trial->link->part[LINK_RODATA];
	const unsigned char *code = text->buffer + (stub - trial->link->base - text->offset);
	uint64_t slot, value;
	uint32_t displacement;

	ck_assert_mem_eq(code, "\xff\x25", 2);
	memcpy(&displacement, code + 2, sizeof(displacement));
	slot = stub + 6 + signed32(displacement);
	memcpy(&value, rodata->buffer + (slot - trial->link->base - rodata->offset), sizeof(value));
	return value;
}

START_TEST(function_that_is_chosen_has_one_address)
{
	const struct link_section *text, *data;
	struct trial trial;
	unsigned int count = 0;
	uint64_t stub, code, got;

	assemble("a", chosen_twice);
	lay_out_files(&trial, "a.o");
	check_ok(&trial, relocate_at(&trial, HIGH_BASE, 0));
	text = section_of(&trial, ".text");
	data = section_of(&trial, ".data");
	stub = link_symbol_address(trial.link, symbol_of(&trial, "chosen"));
	code = HIGH_BASE + 3;
	got = link_slot_address(trial.link, 0);
	ck_assert_uint_eq(code + 5 + signed32(field_at(&trial, text, 3 + 1, 4)), stub);
	ck_assert_uint_eq(code + 17 + signed32(field_at(&trial, text, 3 + 13, 4)), stub);
	/* lea, and a slot that has the stub's address. */
	ck_assert_mem_eq(link_section_buffer(trial.link, text) + 3 + 17, "\x48\x8d\x05", 3);
	ck_assert_uint_eq(code + 24 + signed32(field_at(&trial, text, 3 + 20, 4)), stub);
	ck_assert_uint_eq(got + field_at(&trial, text, 3 + 32, 8), stub);
	ck_assert_uint_eq(got + field_at(&trial, text, 3 + 42, 8), stub);
	ck_assert_uint_eq(field_at(&trial, data, 0, 8), stub);
	ck_assert_uint_eq(link_section_address(trial.link, data) + 16 +
				  field_at(&trial, data, 16, 8),
			  stub);
	ck_assert_uint_eq(code + 10 + signed32(field_at(&trial, text, 3 + 6, 4)),
			  field_at(&trial, data, 8, 8));
	ck_assert_int_eq(link_each_indirect(trial.link, count_indirect, &count), 0);
	ck_assert_uint_eq(count, 2);
	ck_assert_uint_eq(behind_stub(&trial, stub), FAR + HIGH_BASE + 1);
	ck_assert_uint_eq(behind_stub(&trial, field_at(&trial, data, 8, 8)), FAR + HIGH_BASE + 2);
	end_trial(&trial);
}
END_TEST

/* Somebody may look it up by name. */
START_TEST(function_that_is_chosen_has_its_stub_though_nobody_refers_to_it)
{
	struct trial trial;
	unsigned int count = 0;

	assemble("a", ".text\nnop\n.globl it\n.type it, @gnu_indirect_function\nit: ret\n"
		      ".type unused, @gnu_indirect_function\nunused: ret\n");
	lay_out_files(&trial, "a.o");
	check_ok(&trial, relocate_at(&trial, BASE, 0));
	ck_assert_int_eq(link_each_indirect(trial.link, count_indirect, &count), 0);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(behind_stub(&trial,
				      link_symbol_address(trial.link, symbol_of(&trial, "it"))),
			  FAR + BASE + 1);
	end_trial(&trial);
}
END_TEST

START_TEST(plain_function_replaces_a_weak_one_that_is_chosen)
{
	struct trial trial;
	unsigned int count = 0;

	assemble("a", ".text\ncall it\n.weak it\n.type it, @gnu_indirect_function\nit: ret\n");
	assemble("b", ".text\n.globl it\n.type it, @function\nit: ret\n");
	lay_out_files(&trial, "a.o", "b.o");
	check_ok(&trial, relocate_at(&trial, BASE, 0));
	ck_assert_int_eq(link_each_indirect(trial.link, count_indirect, &count), 0);
	ck_assert_uint_eq(count, 0);
	check_against_ld(&trial, NULL, "");
	end_trial(&trial);
}
END_TEST

/* ---- Names with versions -------------------------------------------------------------------- */

static const char versions_defined[] = "	.text\n"
				       "	.globl first, second\n"
				       "first:	nop\n"
				       "second: nop\n"
				       "	.symver first, it@OLD\n"
				       "	.symver second, it@@NEW\n";
static const char versions_used[] = "	.symver old, it@OLD\n"
				    "	.symver new, it@NEW\n"
				    "	.symver newest, it@@@NEW\n"
				    "	.data\n"
				    "	.quad old, new, newest, it\n";

START_TEST(names_with_versions_meet_as_in_ld)
{
	static const char *const orders[][2] = { { "a.o", "b.o" }, { "b.o", "a.o" } };
	struct link_section *data;
	struct trial trial;
	uint64_t first;

	assemble("a", versions_defined);
	assemble("b", versions_used);
	lay_out_files(&trial, orders[_i][0], orders[_i][1]);
	ck_assert_ptr_null(link_next_undefined(trial.link, NULL));
	check_ok(&trial, relocate_at(&trial, BASE, 0));
	check_against_ld(&trial, NULL, "");
	data = section_of(&trial, ".data");
	/* The other object has an empty one. */
	if (!data->size)
		data = link_next_section(trial.link, ".data", data);
	first = link_symbol_address(trial.link, symbol_of(&trial, "first"));
	ck_assert_uint_eq(field_at(&trial, data, 0, 8), first);
	ck_assert_uint_eq(field_at(&trial, data, 24, 8), first + 1);
	end_trial(&trial);
}
END_TEST

START_TEST(name_with_another_version_stays_undefined)
{
	struct trial trial;

	assemble("a", versions_defined);
	assemble("b", ".symver other, it@OTHER\n.data\n.quad other\n");
	assemble("c", ".text\n.globl it\nit: nop\n");
	lay_out_files(&trial, "a.o", "b.o");
	ck_assert_str_eq(link_next_undefined(trial.link, NULL)->name, "it@OTHER");
	end_trial(&trial);
	lay_out_files(&trial, "b.o", "c.o");
	ck_assert_str_eq(link_next_undefined(trial.link, NULL)->name, "it@OTHER");
	end_trial(&trial);
	ck_assert(!succeeds("ld -e 0 -o linked a.o b.o"));
	ck_assert(!succeeds("ld -e 0 -o linked b.o c.o"));
}
END_TEST

START_TEST(default_version_meets_a_plain_definition)
{
	struct trial trial;

	assemble("a", versions_defined);
	assemble("b", ".text\nnop\nnop\n.globl it\nit: nop\n");
	start_trial(&trial);
	check_ok(&trial, add_file(&trial, "a.o", NULL));
	ck_assert_int_eq(add_file(&trial, "b.o", NULL), -EEXIST);
	ck_assert_str_eq(trial.message, "b.o: symbol it: defined already in a.o; rename "
					"one of them or make it static");
	end_trial(&trial);
	ck_assert(!succeeds("ld -e 0 -o linked a.o b.o"));
	assemble("b", ".text\nnop\nnop\n.weak it\nit: nop\n.data\n.quad it\n");
	lay_out_files(&trial, "a.o", "b.o");
	check_ok(&trial, relocate_at(&trial, BASE, 0));
	check_against_ld(&trial, NULL, "");
	end_trial(&trial);
}
END_TEST

/* The members that ld takes; the second one has what the first needs only under a longer name. */
START_TEST(archive_gives_default_versions)
{
	struct trial trial;

	assemble("main", ".text\n.globl main\nmain: call it\n.symver old, older@OLD\ncall old\n");
	assemble("a", versions_defined);
	assemble("b", ".text\n.globl older_one\nolder_one: nop\n.symver older_one, older@@OLD\n");
	assemble("c", ".text\n.globl it\nit: nop\n");
	run("rm -f lib.a; ar rcs lib.a c.o a.o b.o");
	lay_out_files(&trial, "main.o", "lib.a");
	ck_assert_ptr_null(link_next_undefined(trial.link, NULL));
	ck_assert_str_eq(link_object_name(symbol_of(&trial, "it")->object), "lib.a(c.o)");
	end_trial(&trial);
	run("ar d lib.a c.o; ld -e main -o linked main.o lib.a");
	lay_out_files(&trial, "main.o", "lib.a");
	ck_assert_ptr_null(link_next_undefined(trial.link, NULL));
	ck_assert_str_eq(link_object_name(symbol_of(&trial, "it")->object), "lib.a(a.o)");
	ck_assert_str_eq(link_object_name(symbol_of(&trial, "older@OLD")->object), "lib.a(b.o)");
	end_trial(&trial);
}
END_TEST

/* ---- Where sections begin and end ----------------------------------------------------------- */

START_TEST(sections_whose_ends_are_asked_for_lie_together)
{
	static const char members[] = ".section set, \"%s\"\n.balign %u\n%s: .skip %u, %u\n"
				      ".section other, \"aw\"\n.skip 100\n";
	const struct link_symbol *start, *stop;
	const unsigned char *bytes;
	struct trial trial;
	char source[512];
	uint64_t table[3];

	snprintf(source, sizeof(source), members, "a", 1, "a", 3, 0x11);
	assemble("a", source);
	snprintf(source, sizeof(source), members, "aw", 8, "b", 5, 0x22);
	assemble("b", source);
	snprintf(source, sizeof(source), members, "a", 1, "c", 2, 0x33);
	strcat(source, ".section table, \"aw\"\n.quad __start_set, __stop_set, __start_none\n"
		       ".weak __start_none, __stop_other\n");
	assemble("c", source);
	lay_out_files(&trial, "a.o", "b.o", "c.o");
	start = symbol_of(&trial, "__start_set");
	stop = symbol_of(&trial, "__stop_set");
	check_ok(&trial, relocate_at(&trial, BASE, 0));
	ck_assert(!symbol_of(&trial, "__start_none")->defined);
	ck_assert_int_eq(start->section->region, LINK_DATA);
	ck_assert_uint_eq(link_symbol_address(trial.link, stop) -
				  link_symbol_address(trial.link, start),
			  15);
	bytes = link_section_buffer(trial.link, start->section);
	ck_assert_mem_eq(bytes, "\x11\x11\x11\0\0\0\0\0\x22\x22\x22\x22\x22\x33\x33", 15);
	bytes = link_section_buffer(trial.link, section_of(&trial, "table"));
	memcpy(&table, bytes, sizeof(table));
	ck_assert_uint_eq(table[0], link_symbol_address(trial.link, start));
	ck_assert_uint_eq(table[1], table[0] + 15);
	ck_assert_uint_eq(table[2], 0);
	end_trial(&trial);
}
END_TEST

/* ---- Groups, debug information -------------------------------------------------------------- */

/* Three objects bring the same group, with different contents, and one that only it has. */
START_TEST(first_of_three_groups_is_kept_as_in_ld)
{
	static const char source[] = ".section .text.f, \"axG\", @progbits, f, comdat\n"
				     ".weak f\nf: .skip %u, 0x90\nret\n"
				     ".section .rodata.f, \"aG\", @progbits, f, comdat\n"
				     ".weak table\ntable: .quad f, %u\n"
				     ".section .text.own%u, \"axG\", @progbits, own%u, comdat\n"
				     ".globl own%u\nown%u: call f\nret\n"
				     ".text\ncall f\ncall own%u\n.data\n.quad table, f, own%u\n";
	struct trial trial;
	char text[1024];

	for (unsigned int i = 0; i < 3; i++) {
		const char name[] = { (char)('a' + i), '\0' };

		snprintf(text, sizeof(text), source, i + 1, i, i, i, i, i, i, i);
		assemble(name, text);
	}
	lay_out_files(&trial, "a.o", "b.o", "c.o");
	ck_assert_str_eq(link_object_name(symbol_of(&trial, "f")->object), "a.o");
	ck_assert_str_eq(link_object_name(symbol_of(&trial, "own2")->object), "c.o");
	check_ok(&trial, relocate_at(&trial, BASE, 0));
	check_against_ld(&trial, NULL, "");
	end_trial(&trial);
}
END_TEST

/* What is loaded is the same, byte for byte. */
START_TEST(debug_information_changes_nothing)
{
	static const char *const strips[] = { "strip -g a.o -o b.o",
					      "objcopy --compress-debug-sections a.o b.o",
					      "objcopy --strip-unneeded a.o b.o" };
	struct trial kept, stripped;

	compile("a", "-g3 -fPIE",
		"extern int x(int); static int y[3] = { 1, 2, 3 };\n"
		"int *p = y; int f(int i) { return x(y[i]) + y[0]; }\n");
	run("%s", strips[_i]);
	lay_out_files(&kept, "a.o");
	lay_out_files(&stripped, "b.o");
	link_define(symbol_of(&kept, "x"), FAR, true);
	link_define(symbol_of(&stripped, "x"), FAR, true);
	check_ok(&kept, relocate_at(&kept, HIGH_BASE, 0));
	check_ok(&stripped, relocate_at(&stripped, HIGH_BASE, 0));
	ck_assert_ptr_nonnull(link_next_section(kept.link, ".debug_info", NULL));
	for (size_t i = 0; i < LINK_REGIONS; i++) {
		ck_assert_uint_eq(kept.link->part[i].size, stripped.link->part[i].size);
		if (kept.link->part[i].size)
			ck_assert_mem_eq(kept.link->part[i].buffer, stripped.link->part[i].buffer,
					 kept.link->part[i].size);
	}
	end_trial(&stripped);
	end_trial(&kept);
}
END_TEST

/* ---- Unwind tables -------------------------------------------------------------------------- */

#define CIE(id)                                                                                    \
	"cie" id ": .long ciee" id " - cieb" id "\ncieb" id ": .long 0\n.byte 1\n.asciz \"zR\"\n"  \
	".uleb128 1\n.sleb128 -8\n.uleb128 16\n.uleb128 1\n.byte 0x1b\n.byte 0xc, 7, 8, 0x90, 1\n" \
	".balign 8\nciee" id ":\n"
#define FDE(id, cie, function)                                                                     \
	"fde" id ": .long fdee" id " - fdeb" id "\nfdeb" id ": .long . - cie" cie                  \
	"\n.long " function " - .\n.long 1\n.uleb128 0\n.balign 8\nfdee" id ":\n"
#define UNWIND ".section .eh_frame, \"a\", @unwind\n"
#define FUNCTIONS ".text\nf: ret\ng: ret\nh: ret\n"

static const char *const unwind_tables[] = {
	/* several CIEs, used in turn */
	FUNCTIONS UNWIND CIE("1") FDE("1", "1", "f") CIE("2") FDE("2", "2", "g") FDE("3", "1", "h"),
	/* nothing, and the end's mark alone */
	FUNCTIONS UNWIND,
	FUNCTIONS UNWIND ".long 0\n",
	/* a mark in the middle */
	FUNCTIONS UNWIND CIE("1") FDE("1", "1", "f") ".long 0\n",
	/* lengths of 64 bits */
	FUNCTIONS UNWIND
	"cie1: .long 0xffffffff\n.quad ciee - cieb\ncieb: .quad 0\n.byte 1\n.asciz \"zR\"\n"
	".uleb128 1\n.sleb128 -8\n.uleb128 16\n.uleb128 1\n.byte 0x1c\n.byte 0xc, 7, 8, 0x90, 1\n"
	".balign 8\nciee:\n"
	".long 0xffffffff\n.quad fdee - fdeb\nfdeb: .quad . - cie1\n.quad f - .\n.quad 1\n"
	".uleb128 0\n.balign 8\nfdee:\n",
	/* a CIE nobody uses, and one with a personality and a table */
	FUNCTIONS UNWIND CIE(
		"1") "cie2: .long c2e - c2b\nc2b: .long 0\n.byte 1\n.asciz \"zPLR\"\n.uleb128 1\n.sleb128 -8\n"
		     ".uleb128 16\n.uleb128 7\n.byte 0x1b\n.long g - .\n.byte 0x1b\n.byte 0x1b\n"
		     ".byte 0xc, 7, 8, 0x90, 1\n.balign 8\nc2e:\n"
		     ".long f2e - f2b\nf2b: .long . - cie2\n.long f - .\n.long 1\n.uleb128 4\n.long table - .\n"
		     ".balign 8\nf2e:\n.section .gcc_except_table, \"a\"\n.byte 1\ntable: .byte 0xff\n",
	/* many */
	FUNCTIONS UNWIND CIE(
		"1") ".rept 20000\n.long 20\n.long . - cie1\n.long g - .\n.long 1\n.quad 0\n.endr\n",
	/* two sections, one of the old type */
	FUNCTIONS UNWIND CIE("1")
		FDE("1", "1", "f") "\n.section .eh_frame, \"a\", @unwind\n" FDE("2", "1", "g"),
};

/* ld would leave out what nobody needs; as it says, traditional it leaves all as it is. */
START_TEST(unwind_table_is_as_ld_makes_it)
{
	struct trial trial;

	assemble("a", unwind_tables[_i]);
	lay_out_files(&trial, "a.o");
	check_ok(&trial, relocate_at(&trial, BASE, 0));
	check_against_ld(&trial, NULL, "--traditional-format");
	end_trial(&trial);
}
END_TEST

/* --------------------------------------------------------------------------------------------- */

static Suite *make_suite(void)
{
	Suite *suite = suite_create("relocations");
	TCase *tests = tcase_create("relocations");

	tcase_set_timeout(tests, 300);
	tcase_add_checked_fixture(tests, make_directory, remove_directory);
	tcase_add_test(tests, got_relocations_are_as_ld_makes_them);
	tcase_add_test(tests, offsets_from_the_got_do_not_depend_on_the_place);
	tcase_add_test(tests, got_is_there_for_code_that_only_names_it);
	tcase_add_loop_test(tests, slots_are_used_by_relocations_for_longer_prefixes, 0, 3);
	tcase_add_loop_test(tests, symbol_is_used_itself_up_to_its_reach_and_not_beyond, 0,
			    COUNT(limits));
	tcase_add_loop_test(tests, size_of_a_symbol_fits_up_to_its_bound_and_not_beyond, 0,
			    COUNT(sizes));
	tcase_add_test(tests, weak_symbol_that_nobody_defines_is_zero_as_in_ld);
	tcase_add_test(tests, weak_symbol_that_nobody_defines_asks_for_a_place_in_its_reach);
	tcase_add_test(tests, weak_symbol_that_nobody_defines_is_zero_from_the_got);
	tcase_add_test(tests, function_that_is_chosen_has_one_address);
	tcase_add_test(tests, function_that_is_chosen_has_its_stub_though_nobody_refers_to_it);
	tcase_add_test(tests, plain_function_replaces_a_weak_one_that_is_chosen);
	tcase_add_loop_test(tests, names_with_versions_meet_as_in_ld, 0, 2);
	tcase_add_test(tests, name_with_another_version_stays_undefined);
	tcase_add_test(tests, default_version_meets_a_plain_definition);
	tcase_add_test(tests, archive_gives_default_versions);
	tcase_add_test(tests, sections_whose_ends_are_asked_for_lie_together);
	tcase_add_test(tests, first_of_three_groups_is_kept_as_in_ld);
	tcase_add_loop_test(tests, debug_information_changes_nothing, 0, 3);
	tcase_add_loop_test(tests, unwind_table_is_as_ld_makes_it, 0, COUNT(unwind_tables));
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return run_suite(make_suite());
}
