/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Linking of objects: the bytes against GNU ld's, reach, layout, symbols, archives, messages, and
 * files that mean harm.
 *
 * Objects are assembled or compiled when a test runs.  GNU ld links the same objects for the same
 * addresses by a script that puts every section where ours lies; then all sections must be equal.
 * PERMOD_LONG=1 in the environment makes the rounds with damaged files many more.
 */
#include "tests/elf/helper.h"
#include "tests/elf/damage.h"
#include "tests/elf/harm.h"

#define BASE ((uint64_t)0x10000000)
#define HIGH_BASE ((uint64_t)0x7f1200000000)
#define PERCPU ((uint64_t)0x30000000)
#define FAR_FUNCTION ((uint64_t)0x123456789000)

/* ---- The bytes are GNU ld's ----------------------------------------------------------------- */

static const char all_kinds[] =
	"	.text\n"
	"	.globl start\n"
	"	.type start, @function\n"
	"start:	call near_external\n" /* PLT32 */
	"	jmp near_external\n"
	"	jne near_external\n"
	"	call other\n"
	"	leaq data(%rip), %rax\n" /* PC32 */
	"	leaq near_external(%rip), %rax\n"
	"	cmpl $7, data(%rip)\n"
	"	cmpb $7, near_external+3(%rip)\n"
	"	movl $data, %eax\n"	       /* 32 */
	"	movq $data, %rbx\n"	       /* 32S */
	"	movabsq $far_external, %rcx\n" /* 64 */
	"	movq weak_undefined, %rdx\n"
	"	.size start, . - start\n"
	"	.section .text.other, \"ax\"\n"
	"other:	call start\n"
	"	movl variable(%rip), %eax\n"
	"	ret\n"
	"	.data\n"
	"	.globl data\n"
	"	.type data, @object\n"
	"data:	.quad start, other, data + 8, near_external - 3, far_external, weak_undefined\n"
	"	.long data, near_external, other + 1\n"
	"	.long start - .\n"
	"	.long near_external - . + 100\n"
	"	.long other - . - 4\n"
	"	.quad start - .\n" /* PC64 */
	"	.quad far_external - .\n"
	"	.quad variable\n"
	"	.word small\n"	      /* 16 */
	"	.byte tiny\n"	      /* 8 */
	"	.word constant - .\n" /* PC16 */
	"	.byte nearest - .\n"  /* PC8 */
	"	.long start@SIZE, data@SIZE\n"
	"	.quad data@SIZE, start@SIZE + 2\n"
	"	.reloc ., R_X86_64_PLT32, near_external\n"
	"	.long 0\n"
	"	.reloc ., R_X86_64_NONE, start\n"
	"	.size data, . - data\n"
	"	.section .rodata\n"
	"	.byte 1\n"
	"constant: .quad constant, variable + 1\n"
	"	.weak weak_undefined\n"
	"	.section .data.percpu, \"aw\"\n"
	"	.quad 5\n"
	"variable: .quad variable, start\n"
	"	.long near_external - .\n"
	"	.bss\n"
	"	.skip 100\n"
	"	.comm shared, 24, 16\n";

START_TEST(every_relocation_is_as_ld_makes_it)
{
	struct external externals[] = {
		{ "near_external", 0x20000123, true },
		{ "far_external", FAR_FUNCTION, false },
		{ "small", 0x8123, false },
		{ "tiny", 0x85, false },
		{ "nearest", 0, false },
		{ NULL, 0, false },
	};
	struct trial trial;
	const struct link_section *data;

	assemble("a", all_kinds);
	lay_out_files(&trial, "a.o");
	trial.link->base = BASE;
	data = section_of(&trial, ".data");
	externals[4].address = link_section_address(trial.link, data) + data->size;
	define_all(&trial, externals);
	check_ok(&trial, relocate_at(&trial, BASE, PERCPU));
	check_against_ld(&trial, externals, "--no-relax");
	end_trial(&trial);
}
END_TEST

/* A shift by one byte makes all tables in the file misaligned. */
START_TEST(misaligned_file_gives_the_same_bytes)
{
	static const struct external externals[] = {
		{ "near_external", 0x20000123, true },
		{ "far_external", FAR_FUNCTION, false },
		{ "small", 1, false },
		{ "tiny", 1, false },
		{ "nearest", BASE + 0x2080, false },
		{ NULL, 0, false },
	};
	struct trial trial, shifted;
	struct file file;
	size_t size;
	unsigned char *bytes;

	assemble("a", all_kinds);
	lay_out_files(&trial, "a.o");
	define_all(&trial, externals);
	check_ok(&trial, relocate_at(&trial, BASE, PERCPU));
	bytes = read_bytes("a.o", &size);
	bytes = realloc(bytes, size + 1);
	memmove(bytes + 1, bytes, size);
	file = guard(bytes, size + 1);
	start_trial(&shifted);
	check_ok(&shifted, link_add_memory(shifted.link, "a.o", file.data + 1, size, NULL));
	check_ok(&shifted, link_layout(shifted.link));
	define_all(&shifted, externals);
	check_ok(&shifted, relocate_at(&shifted, BASE, PERCPU));
	for (size_t i = 0; i < LINK_REGIONS; i++) {
		ck_assert_uint_eq(trial.link->part[i].size, shifted.link->part[i].size);
		if (trial.link->part[i].size)
			ck_assert_mem_eq(trial.link->part[i].buffer, shifted.link->part[i].buffer,
					 trial.link->part[i].size);
	}
	end_trial(&shifted);
	end_trial(&trial);
	release(&file);
	free(bytes);
}
END_TEST

/* No string literals, since ld merges those. */
static const char first_source[] =
	"extern int other(int), (*table[])(int), weak(void) __attribute__((weak));\n"
	"extern int counter __attribute__((visibility(\"hidden\")));\n"
	"extern int elsewhere(const char *), data_elsewhere;\n"
	"static int own[100]; int zeroed[10], initialised = 4;\n"
	"static int helper(int x) { return x * own[x] + counter; }\n"
	"const char a[] = \"a\", b[] = \"bc\", t[] = \"text\";\n"
	"const char *const names[] = { a, b, t };\n"
	"int main_function(int x) {\n"
	"	switch (x) { case 0: return other(1); case 1: return helper(2);\n"
	"	case 2: return table[x](x); case 3: return elsewhere(names[x % 3]);\n"
	"	case 4: return weak ? weak() : 3; case 5: return data_elsewhere++;\n"
	"	case 6: return initialised += zeroed[3]; case 7: return own[9]++; }\n"
	"	own[x & 31] = x; return elsewhere(t) + (int)(long)&counter; }\n";
static const char second_source[] =
	"extern int main_function(int), elsewhere(const char *);\n"
	"int counter; extern int zeroed[10]; int other(int x) { return main_function(x + counter); }\n"
	"int (*table[])(int) = { other, main_function, 0 };\n"
	"void *pointers[] = { &counter, table, elsewhere, other };\n"
	"void *get(void) { return elsewhere; }\n";

static const struct {
	const char *flags;
	uint64_t base, elsewhere;
} compiled[] = {
	{ "-fPIE", BASE, 0x20000000 },
	{ "-fPIC", BASE, 0x20000000 },
	{ "-fno-pic -no-pie", BASE, 0x20000000 },
	{ "-fPIE", HIGH_BASE, HIGH_BASE + 0x20000000 },
	{ "-fPIC -O0", BASE, 0x20000000 },
	{ "-fPIE -ffunction-sections -fdata-sections", BASE, 0x20000000 },
	{ "-fPIC -fno-plt", BASE, 0x20000000 },
	{ "-fPIC -fno-plt -O0", BASE, 0x20000000 },
};

START_TEST(compiled_code_is_as_ld_makes_it)
{
	struct external externals[] = {
		{ "elsewhere", compiled[_i].elsewhere, true },
		{ "data_elsewhere", compiled[_i].elsewhere + 0x100, false },
		/* Left undefined, it would be out of reach for ld, which makes no stubs. */
		{ compiled[_i].base == BASE ? NULL : "weak", compiled[_i].elsewhere + 0x200, true },
		{ NULL, 0, false },
	};
	struct trial trial;
	char flags[256];

	snprintf(flags, sizeof(flags),
		 "-fno-common -fno-merge-constants -fno-asynchronous-unwind-tables %s",
		 compiled[_i].flags);
	compile("a", flags, first_source);
	compile("b", flags, second_source);
	lay_out_files(&trial, "a.o", "b.o");
	define_all(&trial, externals);
	check_ok(&trial, relocate_at(&trial, compiled[_i].base, 0));
	check_against_ld(&trial, externals,
			 compiled[_i].base == BASE ? "" : "-pie --no-dynamic-linker");
	end_trial(&trial);
}
END_TEST

/* One symbol each, since ld numbers the slots in an order of its own. */
static const char *const slot_users[] = {
	"movq target@GOTPCREL(%rip), %rax",   "movl target@GOTPCREL(%rip), %ecx",
	"movq target@GOTPCREL(%rip), %r11",   "call *target@GOTPCREL(%rip)",
	"jmp *target@GOTPCREL(%rip)",	      "testq %rdx, target@GOTPCREL(%rip)",
	"addq target@GOTPCREL(%rip), %r9",    "cmpl target@GOTPCREL(%rip), %esi",
	"pushq target@GOTPCREL(%rip)",	      ".long target@GOTPCREL",
	"cmpq $3, target@GOTPCREL(%rip)",     ".long target@GOTPCREL - 4",
	"movq target@GOTPCREL+4(%rip), %rax",
};

START_TEST(slot_is_used_where_the_symbol_is_out_of_reach)
{
	static const struct external externals[] = { { "target", FAR_FUNCTION, false },
						     { NULL, 0, false } };
	const struct link_symbol *symbol;
	struct trial trial;
	char text[256];
	uint64_t slot;

	snprintf(text, sizeof(text), ".text\nnop; nop; nop\n%s\n.data\n.quad 1\n", slot_users[_i]);
	assemble("a", text);
	lay_out_files(&trial, "a.o");
	define_all(&trial, externals);
	check_ok(&trial, relocate_at(&trial, BASE, 0));
	check_against_ld(&trial, externals, "--no-relax");
	symbol = symbol_of(&trial, "target");
	ck_assert(symbol->got_used);
	memcpy(&slot,
	       trial.link->part[LINK_RODATA].buffer + (link_got_address(trial.link, symbol) - BASE -
						       trial.link->part[LINK_RODATA].offset),
	       sizeof(slot));
	ck_assert_uint_eq(slot, FAR_FUNCTION);
	end_trial(&trial);
}
END_TEST

static const char *const relaxable[] = {
	"movq target@GOTPCREL(%rip), %rax",  "movq target@GOTPCREL(%rip), %r15",
	"movl target@GOTPCREL(%rip), %ecx",  "movl target@GOTPCREL(%rip), %r9d",
	"call *target@GOTPCREL(%rip)",	     "jmp *target@GOTPCREL(%rip)",
	"testq %rdx, target@GOTPCREL(%rip)", "testq %r12, target@GOTPCREL(%rip)",
	"testl %edx, target@GOTPCREL(%rip)", "addq target@GOTPCREL(%rip), %r9",
	"adcq target@GOTPCREL(%rip), %rax",  "andq target@GOTPCREL(%rip), %rbx",
	"cmpq target@GOTPCREL(%rip), %rcx",  "orq target@GOTPCREL(%rip), %r10",
	"sbbq target@GOTPCREL(%rip), %rsi",  "subq target@GOTPCREL(%rip), %rdi",
	"xorq target@GOTPCREL(%rip), %rbp",  "xorl target@GOTPCREL(%rip), %r14d",
	"addl target@GOTPCREL(%rip), %eax",
};

static void check_relaxed(const char *instruction, uint64_t base, const char *options)
{
	struct trial trial;
	char text[512];

	snprintf(text, sizeof(text),
		 ".text\nnop; nop; nop\n%s\nnop\n"
		 ".data\n.globl target\n.hidden target\ntarget: .quad 1\n",
		 instruction);
	assemble("a", text);
	lay_out_files(&trial, "a.o");
	check_ok(&trial, relocate_at(&trial, base, 0));
	check_against_ld(&trial, NULL, options);
	ck_assert_msg(!symbol_of(&trial, "target")->got_used, "%s", instruction);
	end_trial(&trial);
}

START_TEST(slot_is_done_without_as_ld_does_it)
{
	check_relaxed(relaxable[_i], BASE, "");
}
END_TEST

START_TEST(slot_is_done_without_far_up)
{
	if (strncmp(relaxable[_i], "mov", 3) && !strstr(relaxable[_i], "*"))
		return;
	check_relaxed(relaxable[_i], HIGH_BASE, "-pie --no-dynamic-linker");
}
END_TEST

/* ---- Overflow ------------------------------------------------------------------------------- */

/* The field is the first thing in .data; addresses are relative to it where the kind is. */
static const struct {
	const char *field;
	bool relative;
	uint64_t address;
	bool accepted;
	bool ld_is_laxer; /* it takes 16- and 8-bit fields for signed and unsigned at once, and more */
} bounds[] = {
	{ ".reloc ., R_X86_64_32, ext\n.long 0", false, 0xffffffff, true, false },
	{ ".reloc ., R_X86_64_32, ext\n.long 0", false, 0x100000000, false, false },
	{ ".reloc ., R_X86_64_32, ext\n.long 0", false, 0, true, false },
	{ ".reloc ., R_X86_64_32, ext\n.long 0", false, (uint64_t)-1, false, false },
	{ ".reloc ., R_X86_64_32S, ext\n.long 0", false, 0x7fffffff, true, false },
	{ ".reloc ., R_X86_64_32S, ext\n.long 0", false, 0x80000000, false, false },
	{ ".reloc ., R_X86_64_32S, ext\n.long 0", false, 0xffffffff80000000, true, false },
	{ ".reloc ., R_X86_64_32S, ext\n.long 0", false, 0xffffffff7fffffff, false, false },
	{ ".reloc ., R_X86_64_32S, ext - 1\n.long 0", false, 0x80000000, true, false },
	{ ".reloc ., R_X86_64_PC32, ext\n.long 0", true, 0x7fffffff, true, false },
	{ ".reloc ., R_X86_64_PC32, ext\n.long 0", true, 0x80000000, false, false },
	{ ".reloc ., R_X86_64_PC32, ext\n.long 0", true, (uint64_t)-0x80000000LL, true, false },
	{ ".reloc ., R_X86_64_PC32, ext\n.long 0", true, (uint64_t)-0x80000001LL, false, false },
	{ ".reloc ., R_X86_64_PC32, ext - 4\n.long 0", true, 0x80000003, true, false },
	{ ".reloc ., R_X86_64_PC32, ext - 4\n.long 0", true, 0x80000004, false, false },
	{ ".reloc ., R_X86_64_16, ext\n.word 0", false, 0xffff, true, false },
	{ ".reloc ., R_X86_64_16, ext\n.word 0", false, 0x10000, false, false },
	{ ".reloc ., R_X86_64_16, ext\n.word 0", false, (uint64_t)-0x8000LL, true, false },
	{ ".reloc ., R_X86_64_16, ext\n.word 0", false, (uint64_t)-0x8001LL, false, true },
	{ ".reloc ., R_X86_64_8, ext\n.byte 0", false, 0xff, true, false },
	{ ".reloc ., R_X86_64_8, ext\n.byte 0", false, 0x100, false, false },
	{ ".reloc ., R_X86_64_8, ext\n.byte 0", false, (uint64_t)-0x80LL, true, false },
	{ ".reloc ., R_X86_64_8, ext\n.byte 0", false, (uint64_t)-0x81LL, false, true },
	{ ".reloc ., R_X86_64_PC16, ext\n.word 0", true, 0x7fff, true, false },
	{ ".reloc ., R_X86_64_PC16, ext\n.word 0", true, 0x8000, false, true },
	{ ".reloc ., R_X86_64_PC16, ext\n.word 0", true, (uint64_t)-0x8000LL, true, false },
	{ ".reloc ., R_X86_64_PC16, ext\n.word 0", true, (uint64_t)-0x8001LL, false, true },
	{ ".reloc ., R_X86_64_PC8, ext\n.byte 0", true, 0x7f, true, false },
	{ ".reloc ., R_X86_64_PC8, ext\n.byte 0", true, 0x80, false, false },
	{ ".reloc ., R_X86_64_PC8, ext\n.byte 0", true, (uint64_t)-0x80LL, true, false },
	{ ".reloc ., R_X86_64_PC8, ext\n.byte 0", true, (uint64_t)-0x81LL, false, false },
	{ ".reloc ., R_X86_64_64, ext\n.quad 0", false, (uint64_t)-1, true, false },
	{ ".reloc ., R_X86_64_PC64, ext\n.quad 0", true, 0x7fffffffffffffff, true, false },
};

START_TEST(value_fits_up_to_its_bound_and_not_beyond)
{
	struct external externals[] = { { "ext", bounds[_i].address, false }, { NULL, 0, false } };
	struct trial trial;
	char text[256];
	int error;

	snprintf(text, sizeof(text), ".data\n%s\n.text\nnop\n", bounds[_i].field);
	assemble("a", text);
	lay_out_files(&trial, "a.o");
	trial.link->base = HIGH_BASE;
	if (bounds[_i].relative)
		externals[0].address +=
			link_section_address(trial.link, section_of(&trial, ".data"));
	define_all(&trial, externals);
	error = relocate_at(&trial, HIGH_BASE, 0);
	ck_assert_int_eq(error, bounds[_i].accepted ? 0 : -ERANGE);
	if (bounds[_i].accepted) {
		check_against_ld(&trial, externals, "");
	} else {
		ck_assert_int_eq(ld_links(&trial, externals, ""), bounds[_i].ld_is_laxer);
		ck_assert_ptr_nonnull(strstr(trial.message, "a.o: section .data+0x0: relocation "
							    "R_X86_64_"));
		ck_assert_ptr_nonnull(strstr(trial.message, "against symbol ext is out of reach "
							    "(found "));
	}
	end_trial(&trial);
}
END_TEST

/* ---- Reach ---------------------------------------------------------------------------------- */

/* At both ends of the interval everything fits, and a page beyond it doesn't. */
static const struct {
	const char *text;
	uint64_t external;
	const char *low, *high; /* the symbols that set the ends, or NULL */
} reaches[] = {
	{ ".text\nleaq ext(%rip), %rax\n", 0x7f0000000010, "ext", "ext" },
	{ ".text\n.skip 5000\nleaq ext+20(%rip), %rax\n.data\n.skip 10000\n", 0x7f0000000010, "ext",
	  "ext" },
	{ ".text\nleaq ext(%rip), %rax\n", 0x1000000, NULL, "ext" },
	{ ".text\nmovl $here, %eax\n.data\nhere:\n.quad 0\n", 0, NULL, ".data" },
	{ ".text\nmovq $here, %rax\n.data\n.skip 70\nhere:\n.quad 0\n", 0, NULL, ".data" },
	{ ".data\n.quad ext\n.quad ext - .\n", 0x7f0000000010, NULL, NULL },
	{ ".text\ncall ext\nmovq ext@GOTPCREL(%rip), %rax\n", 0x7f0000000010, NULL, NULL },
	{ ".text\ncall ext+16\n", 0x7f0000000010, "ext", "ext" },
	{ ".text\ncall ext\n.byte 0xe8\n.reloc ., R_X86_64_PLT32, ext - 4\n.long 0\n",
	  0x7f0000000010, NULL, NULL },
	{ ".text\nleaq var(%rip), %rax\n.section .data.percpu, \"aw\"\nvar: .quad 0\n", 0, NULL,
	  ".data.percpu" },
	{ ".section .data.percpu, \"aw\"\n.long here - .\n.text\nnop\nhere: nop\n", 0, NULL,
	  ".text" },
	{ ".section .data.percpu, \"aw\"\n.quad 0\n.long ext - .\n", PERCPU + 0x1000, NULL, NULL },
	{ ".text\nleaq ext(%rip), %rax\nmovl $here, %eax\nhere: nop\n", 0xd0000000, "ext",
	  ".text" },
};

static void check_bound(const struct link_bound *bound, const char *symbol)
{
	if (!symbol) {
		ck_assert_ptr_null(bound->symbol);
		return;
	}
	ck_assert_ptr_nonnull(bound->symbol);
	ck_assert_str_eq(bound->symbol->name, symbol);
	ck_assert_ptr_nonnull(bound->section);
	ck_assert_int_eq(strncmp(bound->type, "R_X86_64_", 9), 0);
}

START_TEST(interval_ends_where_reach_ends)
{
	struct link_interval interval;
	struct trial trial;

	assemble("a", reaches[_i].text);
	lay_out_files(&trial, "a.o");
	if (link_find(trial.link, "ext"))
		link_define(symbol_of(&trial, "ext"), reaches[_i].external, false);
	trial.link->percpu_address = PERCPU;
	check_ok(&trial, link_interval(trial.link, &interval));
	check_bound(&interval.low, reaches[_i].low);
	check_bound(&interval.high, reaches[_i].high);
	ck_assert_uint_eq(interval.low.base % PAGE, 0);
	ck_assert_uint_eq(interval.high.base % PAGE, 0);
	check_ok(&trial, relocate_at(&trial, interval.low.base, PERCPU));
	check_ok(&trial, relocate_at(&trial, interval.high.base, PERCPU));
	if (reaches[_i].low)
		ck_assert_int_eq(relocate_at(&trial, interval.low.base - PAGE, PERCPU), -ERANGE);
	else
		ck_assert_uint_eq(interval.low.base, PAGE);
	if (reaches[_i].high)
		ck_assert_int_eq(relocate_at(&trial, interval.high.base + PAGE, PERCPU), -ERANGE);
	else
		ck_assert_uint_gt(interval.high.base, HIGH_BASE * 16);
	end_trial(&trial);
}
END_TEST

START_TEST(interval_is_empty_between_symbols_too_far_apart)
{
	struct link_interval interval;
	struct trial trial;

	assemble("a", ".text\nleaq one(%rip), %rax\nleaq two(%rip), %rax\n");
	lay_out_files(&trial, "a.o");
	link_define(symbol_of(&trial, "one"), 0x550000000000, false);
	link_define(symbol_of(&trial, "two"), 0x7f0000000000, false);
	check_ok(&trial, link_interval(trial.link, &interval));
	ck_assert_uint_gt(interval.low.base, interval.high.base);
	ck_assert_str_eq(interval.low.symbol->name, "two");
	ck_assert_str_eq(interval.high.symbol->name, "one");
	ck_assert_str_eq(interval.high.section->name, ".text");
	ck_assert_uint_eq(interval.high.offset, 3);
	ck_assert_str_eq(interval.high.type, "R_X86_64_PC32");
	end_trial(&trial);
}
END_TEST

START_TEST(functions_do_not_narrow_the_interval)
{
	struct link_interval interval;
	struct trial trial;

	assemble("a", ".text\nleaq one(%rip), %rax\nleaq two(%rip), %rax\ncall three\n");
	lay_out_files(&trial, "a.o");
	link_define(symbol_of(&trial, "one"), 0x550000000000, true);
	link_define(symbol_of(&trial, "two"), 0x7f0000000000, true);
	link_define(symbol_of(&trial, "three"), 0x660000000000, true);
	check_ok(&trial, link_interval(trial.link, &interval));
	ck_assert_ptr_null(interval.low.symbol);
	ck_assert_ptr_null(interval.high.symbol);
	check_ok(&trial, relocate_at(&trial, HIGH_BASE, 0));
	ck_assert(symbol_of(&trial, "one")->stub_used);
	ck_assert(symbol_of(&trial, "three")->stub_used);
	end_trial(&trial);
}
END_TEST

START_TEST(absolute_reference_to_a_function_is_to_its_stub)
{
	struct link_interval interval;
	struct trial trial;
	uint32_t field;

	assemble("a", ".text\nmovl $one, %eax\n");
	lay_out_files(&trial, "a.o");
	link_define(symbol_of(&trial, "one"), FAR_FUNCTION, true);
	check_ok(&trial, link_interval(trial.link, &interval));
	ck_assert_uint_lt(interval.high.base, 0x100000000);
	check_ok(&trial, relocate_at(&trial, interval.high.base, 0));
	memcpy(&field, trial.link->part[LINK_TEXT].buffer + 1, sizeof(field));
	ck_assert_uint_eq(field, link_stub_address(trial.link, symbol_of(&trial, "one")));
	ck_assert_int_eq(relocate_at(&trial, interval.high.base + PAGE, 0), -ERANGE);
	end_trial(&trial);
}
END_TEST

/* A stub is for the first instruction; what lies elsewhere in a function must be in reach. */
START_TEST(no_stub_stands_for_the_middle_of_a_function)
{
	struct link_interval interval;
	struct trial trial;

	assemble("a", ".text\nleaq one+64(%rip), %rax\n");
	lay_out_files(&trial, "a.o");
	link_define(symbol_of(&trial, "one"), FAR_FUNCTION, true);
	check_ok(&trial, link_interval(trial.link, &interval));
	ck_assert_str_eq(interval.low.symbol->name, "one");
	ck_assert_int_eq(relocate_at(&trial, HIGH_BASE, 0), -ERANGE);
	end_trial(&trial);
}
END_TEST

static int answer(void)
{
	return 42;
}

static int run_linked(const char *flags)
{
	struct link_interval interval;
	struct trial trial;
	size_t size;
	unsigned char *memory;
	int (*function)(void);
	int result;

	compile("a", flags,
		"int elsewhere(void); int missing(void) __attribute__((weak));\n"
		"int (*pointer)(void) = elsewhere; static int zero[1000];\n"
		"int go(void) { return elsewhere() + pointer() + zero[7] + (missing ? 1 : 0); }\n");
	lay_out_files(&trial, "a.o");
	link_define(symbol_of(&trial, "elsewhere"), (uintptr_t)answer, true);
	check_ok(&trial, link_interval(trial.link, &interval));
	size = trial.link->block_size;
	memory = mmap((void *)0x660000000000, size, PROT_READ | PROT_WRITE | PROT_EXEC,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(memory != MAP_FAILED);
	trial.link->base = (uintptr_t)memory;
	for (size_t i = 0; i < LINK_PERCPU; i++)
		trial.link->part[i].buffer = memory + trial.link->part[i].offset;
	check_ok(&trial, link_relocate(trial.link));
	function = (int (*)(void))link_symbol_address(trial.link, symbol_of(&trial, "go"));
	result = function();
	for (size_t i = 0; i < LINK_REGIONS; i++)
		trial.link->part[i].buffer = NULL;
	munmap(memory, size);
	end_trial(&trial);
	return result;
}

START_TEST(linked_code_runs)
{
	ck_assert_int_eq(run_linked("-fPIE"), 84);
	ck_assert_int_eq(run_linked("-fPIC"), 84);
	ck_assert_int_eq(run_linked("-fPIC -fno-plt"), 84);
	ck_assert_int_eq(run_linked("-fPIE -fno-plt -O0"), 84);
}
END_TEST

/* ---- Layout --------------------------------------------------------------------------------- */

static const struct {
	const char *name, *flags;
	enum link_region region;
} regions[] = {
	{ ".text", "ax", LINK_TEXT },
	{ ".text.hot", "ax", LINK_TEXT },
	{ ".exit.text", "ax", LINK_TEXT },
	{ ".rodata", "a", LINK_RODATA },
	{ ".rodata.str", "a", LINK_RODATA },
	{ ".data", "aw", LINK_DATA },
	{ ".data.foo", "aw", LINK_DATA },
	{ ".data.percpu_not", "aw", LINK_DATA },
	{ ".bss", "aw", LINK_DATA },
	{ "anything", "a", LINK_RODATA },
	{ "anything.w", "aw", LINK_DATA },
	{ "anything.x", "ax", LINK_TEXT },
	{ ".data..ro_after_init", "aw", LINK_RO_AFTER_INIT },
	{ ".init.text", "ax", LINK_INIT_TEXT },
	{ ".init.text.foo", "ax", LINK_INIT_TEXT },
	{ ".init.textual", "ax", LINK_TEXT },
	{ ".init.data", "aw", LINK_INIT_DATA },
	{ ".init.rodata", "a", LINK_INIT_RODATA },
	{ ".init.rodata.cst", "aw", LINK_INIT_RODATA },
	{ ".data.percpu", "aw", LINK_PERCPU },
	{ ".data.percpu.page_aligned", "aw", LINK_PERCPU },
	{ ".data..percpu", "aw", LINK_PERCPU },
	{ ".data..percpu..read_mostly", "aw", LINK_PERCPU },
	{ "pcpu_data", "aw", LINK_PERCPU },
	{ ".data.rel.ro", "aw", LINK_RODATA },
	{ ".data.rel.ro.local", "aw", LINK_RODATA },
	{ ".data.rel", "aw", LINK_DATA },
	{ "__ksymtab", "a", LINK_RODATA },
	{ "__ksymtab_gpl", "aw", LINK_RODATA },
	{ "__ksymtab_strings", "a", LINK_RODATA },
	{ "__param", "aw", LINK_RODATA },
	{ ".init_array", "aw", LINK_RODATA },
	{ ".init_array.00100", "aw", LINK_RODATA },
	{ ".fini_array", "aw", LINK_RODATA },
	{ ".ctors.65535", "aw", LINK_RODATA },
	{ ".dtors", "aw", LINK_RODATA },
	{ ".preinit_array", "aw", LINK_RODATA },
	{ "__pcpu_rseq_cs", "aw", LINK_RODATA },
	{ "__rseq_cs", "aw", LINK_RSEQ },
	{ ".modinfo", "a", LINK_RODATA },
	{ ".comment", "", LINK_NONE },
	{ ".debug_info", "", LINK_NONE },
	{ ".tdata", "awT", LINK_TLS },
	{ ".tdata.variable", "awT", LINK_TLS },
	{ ".data.percpu.tls", "awT", LINK_TLS },
	{ ".excluded", "ae", LINK_NONE },
};

START_TEST(section_goes_where_its_name_and_flags_say)
{
	char text[8192] = "";
	struct trial trial;

	for (size_t i = 0; i < COUNT(regions); i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 ".section %s, \"%s\"\n.skip 1\n", regions[i].name, regions[i].flags);
	assemble("a", text);
	lay_out_files(&trial, "a.o");
	for (size_t i = 0; i < COUNT(regions); i++)
		ck_assert_msg(section_of(&trial, regions[i].name)->region == regions[i].region,
			      "%s: %d", regions[i].name,
			      section_of(&trial, regions[i].name)->region);
	end_trial(&trial);
}
END_TEST

static void check_apart(const struct link_section *one, const struct link_section *other)
{
	if (one->region != other->region || !one->size || !other->size)
		return;
	check_that(one->offset + one->size <= other->offset ||
		   other->offset + other->size <= one->offset);
}

START_TEST(sections_lie_apart_and_aligned)
{
	struct trial trial;
	struct link_section *one, *other;
	char text[8192] = "";

	for (unsigned int i = 0; i < 60; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 ".section .%s.%u, \"aw\", @%s\n.balign %u\n.skip %u\n",
			 i % 3 ? "data" : "data.percpu", i, i % 4 ? "progbits" : "nobits",
			 1U << i % 13, i * 37 % 101);
	assemble("a", text);
	lay_out_files(&trial, "a.o");
	for (unsigned int i = 1; (one = link_object_section(trial.link->objects, i)); i++) {
		if (one->region == LINK_NONE)
			continue;
		check_that(one->offset % one->align == 0);
		check_that(one->offset + one->size <= trial.link->part[one->region].size);
		check_that(one->align <= trial.link->part[one->region].align);
		for (unsigned int j = 1; j < i; j++) {
			other = link_object_section(trial.link->objects, j);
			check_apart(one, other);
			/* What has no contents comes after all that has. */
			if (one->region == LINK_DATA && other->region == LINK_DATA &&
			    one->type != other->type)
				check_that((one->type == SHT_NOBITS) ==
					   (one->offset >= other->offset));
		}
	}
	end_trial(&trial);
}
END_TEST

START_TEST(regions_begin_on_pages_and_init_is_last)
{
	struct trial trial;
	const struct link *link;
	uint64_t end = 0;

	assemble("a", ".text\n.skip 4097\n.section .rodata\n.byte 1\n.data\n.skip 9000\n"
		      ".section .init.text, \"ax\"\nnop\n.section .init.data, \"aw\"\n.byte 1\n"
		      ".section .data.percpu, \"aw\"\n.skip 100000\n");
	lay_out_files(&trial, "a.o");
	link = trial.link;
	for (size_t i = 0; i < LINK_PERCPU; i++) {
		ck_assert_uint_eq(link->part[i].offset, end);
		end += link_align(link->part[i].size, PAGE);
	}
	ck_assert_uint_eq(link->block_size, end);
	ck_assert_uint_eq(link->block_size, 8 * PAGE);
	ck_assert_uint_eq(link->init_offset, 6 * PAGE);
	end_trial(&trial);
	assemble("b", ".text\nnop\n");
	lay_out_files(&trial, "b.o");
	ck_assert_uint_eq(trial.link->init_offset, trial.link->block_size);
	end_trial(&trial);
}
END_TEST

START_TEST(percpu_variables_lie_close)
{
	struct trial trial;
	const struct link_section *section;
	uint64_t previous = 0;
	static const char *const order[] = { ".data.percpu.page_aligned", ".data.percpu",
					     ".data.percpu.read_mostly",
					     ".data.percpu.shared_aligned" };

	assemble("a", ".section .data.percpu.shared_aligned, \"aw\"\n.balign 64\n.skip 64\n"
		      ".section .data.percpu, \"aw\"\n.balign 8\n.skip 24\n"
		      ".section .data.percpu.read_mostly, \"aw\"\n.skip 4\n"
		      ".section .data.percpu.page_aligned, \"aw\"\n.balign 4096\n.skip 4096\n");
	lay_out_files(&trial, "a.o");
	for (size_t i = 0; i < COUNT(order); i++) {
		section = section_of(&trial, order[i]);
		ck_assert_uint_ge(section->offset, previous);
		previous = section->offset + section->size;
	}
	ck_assert_uint_eq(trial.link->part[LINK_PERCPU].size, 4096 + 64 + 64);
	ck_assert_uint_eq(trial.link->part[LINK_PERCPU].align, 4096);
	ck_assert_uint_eq(trial.link->block_size, 0);
	end_trial(&trial);
}
END_TEST

/* Slots and fields as the psABI has them, for made-up answers. */
static const char tls_source[] =
	".text\nleaq other@tlsgd(%rip), %rdi\n" /* fields at 3, 10, 17, 24, 32, 39 */
	"leaq own@tlsld(%rip), %rdi\n"
	"movq own@gottpoff(%rip), %rax\n"
	"leaq own@tlsdesc(%rip), %rax\n"
	"movl %fs:own@tpoff+4, %eax\n"
	"leaq own@dtpoff+8(%rax), %rax\n"
	"call *own@tlscall(%rax)\n"
	".data\n.quad zero@dtpoff, common@dtpoff\n.reloc ., R_X86_64_DTPMOD64, own\n.quad 0\n"
	".section .tbss, \"awT\", @nobits\n.globl zero\nzero: .skip 24\n"
	".section .tdata, \"awT\"\n.balign 16\n.quad data, 7\nown: .quad 8\n"
	".tls_common common, 8, 64\n.data\ndata: .byte 1\n";

static const unsigned char *slots_of(struct trial *trial, size_t field)
{
	const struct link *link = trial->link;
	int32_t distance;

	memcpy(&distance, link->part[LINK_TEXT].buffer + field, sizeof(distance));
	return link->part[LINK_RODATA].buffer +
	       (link->base + link->part[LINK_TEXT].offset + field + 4 + (uint64_t)distance -
		(link->base + link->part[LINK_RODATA].offset));
}

static void check_bytes(const unsigned char *bytes, uint64_t first, uint64_t second)
{
	const uint64_t expected[2] = { first, second };

	ck_assert_mem_eq(bytes, expected, second ? sizeof(expected) : sizeof(*expected));
}

START_TEST(thread_local_variables_are_where_the_caller_says)
{
	struct trial trial;
	const unsigned char *text, *data;

	assemble("a", tls_source);
	lay_out_files(&trial, "a.o");
	ck_assert_uint_eq(trial.link->part[LINK_TLS].align, 64);
	ck_assert_uint_eq(trial.link->part[LINK_TLS].size, 64 + 8);
	ck_assert_uint_eq(trial.link->tls_initial_size, 24);
	for (struct link_tls *tls = trial.link->tls; tls; tls = tls->next) {
		bool other = tls->symbol && !strcmp(tls->symbol->name, "other");

		tls->module = other ? 111 : 222;
		tls->offset = other ? 333 : 16;
		tls->thread_offset = (uint64_t)-96;
		tls->descriptor[0] = 444;
		tls->descriptor[1] = 555;
	}
	link_define(symbol_of(&trial, "other"), 333, false);
	check_ok(&trial, relocate_at(&trial, BASE, 0));
	check_bytes(slots_of(&trial, 3), 111, 333);
	check_bytes(slots_of(&trial, 10), 222, 0);
	check_bytes(slots_of(&trial, 10) + 8, 0, 0);
	check_bytes(slots_of(&trial, 17), (uint64_t)-96, 0);
	check_bytes(slots_of(&trial, 24), 444, 555);
	text = trial.link->part[LINK_TEXT].buffer;
	ck_assert_int_eq((int8_t)text[32], -96 + 4);
	ck_assert_mem_eq(text + 33, "\xff\xff\xff", 3);
	ck_assert_mem_eq(text + 39, "\x18\0\0\0", 4);
	ck_assert_mem_eq(text + 43, "\xff\x10", 2);
	data = trial.link->part[LINK_DATA].buffer;
	check_bytes(data, 24, 64);
	check_bytes(data + 16, 222, 0);
	data = trial.link->part[LINK_TLS].buffer;
	check_bytes(data, BASE + trial.link->part[LINK_DATA].offset + 24, 7);
	check_bytes(data + 16, 8, 0);
	end_trial(&trial);
}
END_TEST

START_TEST(gaps_and_bss_are_zero)
{
	struct trial trial;
	const unsigned char *data;

	assemble("a", ".data\n.byte 1\n.section .data.more, \"aw\"\n.balign 64\n.byte 2\n"
		      ".bss\n.skip 50\n.comm shared, 100, 32\n");
	lay_out_files(&trial, "a.o");
	check_ok(&trial, relocate_at(&trial, BASE, 0));
	data = trial.link->part[LINK_DATA].buffer;
	for (size_t i = 0; i < trial.link->part[LINK_DATA].size; i++)
		ck_assert_uint_eq(data[i], i == 0 ? 1 : i == 64 ? 2 : 0);
	ck_assert_uint_eq(link_symbol_address(trial.link, symbol_of(&trial, "shared")) % 32, 0);
	end_trial(&trial);
}
END_TEST

START_TEST(cells_are_there_for_those_who_refer_to_them)
{
	struct trial trial;
	unsigned char *bytes, *other;
	uint64_t address, quad;
	struct link_symbol *symbol;

	assemble("a", ".text\nleaq wanted(%rip), %rax\n.data\n.quad wanted, wanted_too\n"
		      ".hidden wanted_too\n.globl own\nown: .quad own\n.weak mentioned\n");
	start_trial(&trial);
	check_ok(&trial, link_add_cell(trial.link, "wanted", 24));
	check_ok(&trial, link_add_cell(trial.link, "unwanted", 24));
	check_ok(&trial, link_add_cell(trial.link, "own", 24));
	check_ok(&trial, link_add_cell(trial.link, "mentioned", 24));
	check_ok(&trial, link_add_cell(trial.link, "wanted_too", 5));
	check_ok(&trial, add_file(&trial, "a.o", NULL));
	check_ok(&trial, link_layout(trial.link));
	ck_assert_ptr_null(link_next_undefined(trial.link, NULL));
	trial.link->base = BASE;
	give_buffers(&trial);
	ck_assert_uint_eq(link_cell(trial.link, "unwanted", &other), 0);
	ck_assert_ptr_null(other);
	ck_assert_uint_eq(link_cell(trial.link, "own", &other), 0);
	ck_assert_uint_eq(link_cell(trial.link, "mentioned", &other), 0);
	ck_assert_uint_ne(link_cell(trial.link, "wanted_too", &other), 0);
	memset(other, 0x22, 5);
	address = link_cell(trial.link, "wanted", &bytes);
	memset(bytes, 0x11, 24);
	check_ok(&trial, link_relocate(trial.link));
	ck_assert_uint_eq(bytes[0] | bytes[23], 0x11);
	ck_assert_uint_eq(other[0] | other[4], 0x22);
	ck_assert_uint_eq(address - BASE - trial.link->part[LINK_RODATA].offset,
			  (uint64_t)(bytes - trial.link->part[LINK_RODATA].buffer));
	memcpy(&quad, trial.link->part[LINK_DATA].buffer, sizeof(quad));
	ck_assert_uint_eq(quad, address);
	for (symbol = NULL; (symbol = link_next_defined(trial.link, symbol));)
		ck_assert_str_eq(symbol->name, "own");
	end_trial(&trial);
}
END_TEST

/* More sections than a symbol's own field can tell. */
START_TEST(objects_have_more_than_65280_sections)
{
	struct trial trial;
	uint64_t quad;

	assemble("a", ".altmacro\n.macro one n\n.section .data.n\\n, \"aw\"\n.globl v\\n\n"
		      "v\\n: .quad v\\n\n.endm\n"
		      ".set i, 0\n.rept 66000\none %i\n.set i, i + 1\n.endr\n");
	lay_out_files(&trial, "a.o");
	check_ok(&trial, relocate_at(&trial, BASE, 0));
	for (unsigned int i = 0; i < 66000; i += 1111) {
		char name[16];
		const struct link_symbol *symbol;

		snprintf(name, sizeof(name), "v%u", i);
		symbol = symbol_of(&trial, name);
		snprintf(name, sizeof(name), ".data.n%u", i);
		ck_assert_str_eq(symbol->section->name, name);
		memcpy(&quad, link_section_buffer(trial.link, symbol->section), sizeof(quad));
		ck_assert_uint_eq(quad, link_symbol_address(trial.link, symbol));
	}
	end_trial(&trial);
}
END_TEST

/* ---- Symbols -------------------------------------------------------------------------------- */

/* What the address of "it" is, when these definitions meet. */
static const struct {
	const char *first, *second;
	const char *winner; /* "a.o", "b.o" or NULL: an error */
	uint64_t size;
} meetings[] = {
	{ ".globl it\nit: .quad 1\n.size it, 8\n", ".quad it\n", "a.o", 8 },
	{ ".quad it\n", ".globl it\nit: .quad 1\n.size it, 8\n", "b.o", 8 },
	{ ".weak it\nit: .quad 1\n.size it, 8\n", ".globl it\nit: .byte 1\n.size it, 1\n", "b.o",
	  1 },
	{ ".globl it\nit: .byte 1\n.size it, 1\n", ".weak it\nit: .quad 1\n.size it, 8\n", "a.o",
	  1 },
	{ ".weak it\nit: .quad 1\n.size it, 8\n", ".weak it\nit: .byte 1\n.size it, 1\n", "a.o",
	  8 },
	{ ".comm it, 16, 8\n", ".comm it, 32, 4\n", "a.o", 32 },
	{ ".comm it, 16, 8\n", ".comm it, 32, 8\n", "a.o", 32 },
	{ ".comm it, 16, 8\n", ".comm it, 16, 64\n", "a.o", 16 },
	{ ".comm it, 16, 8\n", ".globl it\nit: .quad 1\n.size it, 8\n", "b.o", 8 },
	{ ".globl it\nit: .quad 1\n.size it, 8\n", ".comm it, 16, 8\n", "a.o", 8 },
	{ ".weak it\nit: .quad 1\n.size it, 8\n", ".comm it, 16, 8\n", "b.o", 16 },
	{ ".comm it, 16, 8\n", ".weak it\nit: .quad 1\n.size it, 8\n", "a.o", 16 },
	{ ".globl it\nit: .quad 1\n", ".globl it\nit: .quad 1\n", NULL, 0 },
	{ ".globl it\n.set it, 5\n", ".globl it\nit: .quad 1\n", NULL, 0 },
};

START_TEST(definitions_meet_as_in_ld)
{
	const struct link_symbol *symbol;
	struct trial trial;
	char text[256];

	snprintf(text, sizeof(text), ".data\n.quad it\n%s", meetings[_i].first);
	assemble("a", text);
	snprintf(text, sizeof(text), ".data\n.quad 0, it\n%s", meetings[_i].second);
	assemble("b", text);
	start_trial(&trial);
	check_ok(&trial, add_file(&trial, "a.o", NULL));
	if (!meetings[_i].winner) {
		ck_assert_int_eq(add_file(&trial, "b.o", NULL), -EEXIST);
		ck_assert_str_eq(trial.message,
				 "b.o: symbol it: defined already in a.o; rename one "
				 "of them or make it static");
		end_trial(&trial);
		return;
	}
	check_ok(&trial, add_file(&trial, "b.o", NULL));
	check_ok(&trial, link_layout(trial.link));
	symbol = symbol_of(&trial, "it");
	ck_assert(symbol->defined && symbol->needed && !symbol->external);
	ck_assert_str_eq(link_object_name(symbol->object), meetings[_i].winner);
	ck_assert_uint_eq(symbol->size, meetings[_i].size);
	check_ok(&trial, relocate_at(&trial, BASE, 0));
	check_against_ld(&trial, NULL, "");
	end_trial(&trial);
}
END_TEST

START_TEST(most_constraining_visibility_wins)
{
	struct trial trial;

	assemble("a",
		 ".data\n.quad p, h, i, d, u\n.protected p\n.hidden h\n.internal i\n.hidden u\n");
	assemble("b", ".data\n.globl p, h, i, d\n.hidden p\n.protected i\np: h: i: d: .quad u\n");
	lay_out_files(&trial, "a.o", "b.o");
	ck_assert_uint_eq(symbol_of(&trial, "p")->visibility, STV_HIDDEN);
	ck_assert_uint_eq(symbol_of(&trial, "h")->visibility, STV_HIDDEN);
	ck_assert_uint_eq(symbol_of(&trial, "i")->visibility, STV_INTERNAL);
	ck_assert_uint_eq(symbol_of(&trial, "d")->visibility, STV_DEFAULT);
	ck_assert_ptr_eq(link_next_undefined(trial.link, NULL), symbol_of(&trial, "u"));
	ck_assert_uint_eq(symbol_of(&trial, "u")->visibility, STV_HIDDEN);
	ck_assert_int_eq(relocate_at(&trial, BASE, 0), -ENOEXEC);
	ck_assert_str_eq(trial.message, "a.o: section .data+0x20: relocation R_X86_64_64 against "
					"symbol u that nobody defines");
	end_trial(&trial);
}
END_TEST

START_TEST(symbols_know_how_they_are_needed)
{
	struct trial trial;
	const struct link_symbol *symbol;
	unsigned int count = 0;

	assemble("a",
		 ".text\ncall called\nmovq loaded@GOTPCREL(%rip), %rax\nleaq used(%rip), %rax\n"
		 ".globl mentioned\n.section .debug_x\n.quad only_debug\n"
		 ".section .tdata, \"awT\"\n.quad only_tls\n.text\nmovq %fs:tls@tpoff, %rax\n");
	lay_out_files(&trial, "a.o");
	ck_assert(symbol_of(&trial, "called")->needed && !symbol_of(&trial, "called")->direct);
	ck_assert(symbol_of(&trial, "loaded")->needed && !symbol_of(&trial, "loaded")->direct);
	ck_assert(symbol_of(&trial, "used")->needed && symbol_of(&trial, "used")->direct);
	ck_assert(!symbol_of(&trial, "only_debug")->needed);
	ck_assert(symbol_of(&trial, "only_tls")->needed && symbol_of(&trial, "only_tls")->direct);
	ck_assert(symbol_of(&trial, "tls")->needed && !symbol_of(&trial, "tls")->direct);
	for (symbol = NULL;
	     (symbol = link_next_undefined(trial.link, (struct link_symbol *)(uintptr_t)symbol));)
		count++;
	ck_assert_uint_eq(count, 5);
	end_trial(&trial);
}
END_TEST

START_TEST(weak_symbol_that_nobody_defines_is_zero)
{
	struct trial trial;
	const struct link_symbol *symbol;
	uint64_t quad[2];
	int32_t branch;
	const unsigned char *text;

	assemble("a", ".weak it\n.text\ncall it\nmovq it@GOTPCREL(%rip), %rax\n"
		      "call *it@GOTPCREL(%rip)\n.data\n.quad it\n");
	lay_out_files(&trial, "a.o");
	check_ok(&trial, relocate_at(&trial, HIGH_BASE, 0));
	symbol = symbol_of(&trial, "it");
	ck_assert(symbol->stub_used && symbol->got_used && !symbol->defined);
	text = trial.link->part[LINK_TEXT].buffer;
	memcpy(&branch, text + 1, sizeof(branch));
	ck_assert_uint_eq(HIGH_BASE + 5 + (uint64_t)(int64_t)branch,
			  link_stub_address(trial.link, symbol));
	/* mov $0, %rax; the indirect call keeps its slot. */
	ck_assert_mem_eq(text + 5, "\x48\xc7\xc0\0\0\0\0\xff\x15", 9);
	memcpy(&quad[0], trial.link->part[LINK_DATA].buffer, 8);
	memcpy(&quad[1],
	       trial.link->part[LINK_RODATA].buffer + trial.link->private->got_offset +
		       (symbol->got - 1) * 8,
	       8);
	ck_assert_uint_eq(quad[0] | quad[1], 0);
	end_trial(&trial);
}
END_TEST

START_TEST(second_copy_of_a_group_is_discarded)
{
	static const char group[] = ".section .text.f, \"axG\", @progbits, f, comdat\n.weak f\n"
				    "f: .cfi_startproc\nret\n.cfi_endproc\nlocal: nop\n%s"
				    ".section .data.f, \"awG\", @progbits, f, comdat\n.quad f\n"
				    ".text\n.cfi_startproc\ncall f\n.cfi_endproc\n";
	struct trial trial;
	struct link_section *section;
	char text[512];
	unsigned int copies = 0;

	snprintf(text, sizeof(text), group, "nop\n");
	assemble("a", text);
	snprintf(text, sizeof(text), group, "nop\nnop\n");
	assemble("b", text);
	lay_out_files(&trial, "a.o", "b.o");
	for (section = NULL; (section = link_next_section(trial.link, ".text.f", section));) {
		ck_assert_str_eq(link_object_name(section->object), "a.o");
		copies++;
	}
	ck_assert_uint_eq(copies, 1);
	ck_assert_str_eq(link_object_name(symbol_of(&trial, "f")->object), "a.o");
	check_ok(&trial, relocate_at(&trial, BASE, 0));
	/* Unwinders skip an entry whose address is 0. */
	section = link_next_section(trial.link, ".eh_frame", section_of(&trial, ".eh_frame"));
	ck_assert_mem_eq(link_section_buffer(trial.link, section) + 32, "\0\0\0\0", 4);
	end_trial(&trial);
}
END_TEST

START_TEST(reference_into_a_discarded_group_is_refused)
{
	static const char text[] = ".section .text.f, \"axG\", @progbits, f, comdat\n.weak f\n"
				   "f: ret\nlocal: nop\n.data\n.quad local\n";
	struct trial trial;

	assemble("a", text);
	assemble("b", text);
	start_trial(&trial);
	check_ok(&trial, add_file(&trial, "a.o", NULL));
	check_ok(&trial, add_file(&trial, "b.o", NULL));
	ck_assert_int_eq(link_layout(trial.link), -ENOEXEC);
	ck_assert_ptr_nonnull(
		strstr(trial.message, "b.o: section .data+0x0: relocation R_X86_64_64"));
	ck_assert_ptr_nonnull(strstr(trial.message, "refers to section .text.f, of which another "
						    "object brought a copy"));
	end_trial(&trial);
}
END_TEST

START_TEST(symbols_of_an_object_are_those_that_it_defines)
{
	static const char *const expected[] = { "local", "global", "weak", "absolute", "shared" };
	struct trial trial;
	const struct link_symbol *symbol;
	unsigned int count = 0;

	assemble("a", ".file \"name.c\"\n.data\n.globl global\n.weak weak\nlocal: .quad 1\n"
		      "global: .quad undefined\nweak: .quad local, unknown\n.globl absolute\n"
		      ".set absolute, 77\n.comm shared, 8, 8\n");
	lay_out_files(&trial, "a.o");
	for (; (symbol = link_object_symbol(trial.link->objects, count)); count++) {
		bool found = false;

		for (size_t i = 0; i < COUNT(expected); i++)
			found |= !strcmp(symbol->name, expected[i]);
		ck_assert_msg(found, "%s", symbol->name);
	}
	ck_assert_uint_eq(count, COUNT(expected));
	trial.link->base = BASE;
	ck_assert_uint_eq(link_symbol_address(trial.link, symbol_of(&trial, "absolute")), 77);
	ck_assert_uint_eq(link_symbol_address(trial.link, symbol_of(&trial, "global")),
			  link_section_address(trial.link, section_of(&trial, ".data")) + 8);
	end_trial(&trial);
}
END_TEST

/* ---- Archives ------------------------------------------------------------------------------- */

/* Which members are taken, in their order, as "a b c". */
static const char *taken(struct trial *trial)
{
	static char names[256];

	names[0] = '\0';
	for (struct link_object *object = trial->link->objects; object;
	     object = link_object_next(object)) {
		const char *member = strchr(link_object_name(object), '(');

		ck_assert_ptr_nonnull(member);
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%.*s",
			 *names ? " " : "", (int)strcspn(member + 1, ".)"), member + 1);
	}
	return names;
}

static void make_members(void)
{
	assemble("root", ".globl root\n.data\nroot: .quad one, strong_later\n.weak maybe\n"
			 ".quad maybe\n.weak strong_later\n");
	assemble("one", ".globl one\n.data\none: .quad two, shared\n.comm shared, 8\n");
	assemble("two", ".globl two\n.data\ntwo: .quad root\n.byte 1\n");
	assemble("maybe", ".globl maybe\n.data\nmaybe: .quad 1\n");
	assemble("later", ".globl strong_later\n.data\nstrong_later: .quad 1\n");
	assemble("needs", ".globl needs\n.data\nneeds: .quad strong_later, root\n");
	assemble("unused_with_a_long_name", ".globl unused\n.data\nunused: .quad root\n");
	write_file("notes.txt", "just text", 9);
}

#define MEMBERS "root.o one.o two.o maybe.o later.o needs.o unused_with_a_long_name.o notes.txt"

static const struct {
	const char *make, *root, *members;
} archives[] = {
	{ "ar rcs lib.a " MEMBERS, "root", "root one two" },
	{ "ar rcS lib.a " MEMBERS, "root", "root one two" },
	{ "ar rcs lib.a " MEMBERS, "two", "two root one" },
	{ "ar rcs lib.a " MEMBERS, "needs", "needs root one two later" },
	{ "ar rcS lib.a " MEMBERS, "needs", "needs root one two later" },
	{ "ar rcs lib.a " MEMBERS, "maybe", "maybe" },
	{ "ar rcs lib.a " MEMBERS, NULL, "root one two maybe later needs unused_with_a_long_name" },
	{ "ar rcS lib.a " MEMBERS, NULL, "root one two maybe later needs unused_with_a_long_name" },
};

/* ld takes the same members, in the same order, if the root is undefined. */
static void check_members_of_ld(const char *root, const char *members)
{
	char expected[64];
	size_t size, lines = 0, count = 0;
	char *trace, *next;

	run("ld -u %s -e 0 --unresolved-symbols=ignore-all -t -t -o linked lib.a", root);
	trace = (char *)read_bytes("said", &size);
	trace[size] = '\0';
	for (const char *c = trace; *c; c++)
		lines += *c == '\n';
	for (next = trace; *members; count++) {
		size_t length = strcspn(members, " ");

		snprintf(expected, sizeof(expected), "(lib.a)%.*s.o\n", (int)length, members);
		next = strstr(next, expected);
		ck_assert_msg(next, "ld does not take %s next", expected);
		members += length + (members[length] == ' ');
	}
	ck_assert_uint_eq(lines, count + 1); /* and the archive itself */
	free(trace);
}

START_TEST(archive_gives_the_members_that_ld_takes)
{
	struct trial trial;

	make_members();
	run("%s", archives[_i].make);
	start_trial(&trial);
	check_ok(&trial, add_file(&trial, "lib.a", archives[_i].root));
	ck_assert_str_eq(taken(&trial), archives[_i].members);
	check_ok(&trial, link_layout(trial.link));
	end_trial(&trial);
	if (archives[_i].root && strstr(archives[_i].make, "rcs"))
		check_members_of_ld(archives[_i].root, archives[_i].members);
}
END_TEST

/* A name that was weak at first pulls its member in when somebody really needs it. */
START_TEST(name_that_stops_being_weak_pulls_in)
{
	struct trial trial;

	assemble("root", ".globl root\n.weak it\n.data\nroot: .quad it, other\n");
	assemble("other", ".globl other\n.data\nother: .quad it\n");
	assemble("it", ".globl it\n.data\nit: .quad more\n");
	assemble("more", ".globl more\n.data\nmore: .quad 1\n");
	run("ar rcs lib.a it.o more.o root.o other.o");
	start_trial(&trial);
	check_ok(&trial, add_file(&trial, "lib.a", "root"));
	ck_assert_str_eq(taken(&trial), "root other it more");
	end_trial(&trial);
}
END_TEST

/* It is used before any other, it is not given back, and what is too small is left alone. */
START_TEST(lent_memory_is_the_callers)
{
	enum { LENT = 1 << 20, PIECE = 1 << 10, SMALL = 4096 };
	static _Alignas(max_align_t) unsigned char lent[LENT], small[SMALL];
	struct trial trial;
	unsigned char *last = lent, *piece;
	size_t inside = 0;

	start_trial(&trial);
	link_lend_memory(trial.link, lent, LENT);
	link_lend_memory(trial.link, small, SMALL);
	for (size_t i = 0; i < 2 * LENT / PIECE; i++) {
		piece = link_allocate(trial.link, PIECE - i % 7);
		check_that(piece && (uintptr_t)piece % _Alignof(max_align_t) == 0);
		check_that(piece < small || piece >= small + SMALL);
		for (size_t at = 0; at < PIECE - 7; at++)
			check_that(!piece[at]);
		memset(piece, 0xff, PIECE - i % 7);
		if (piece < lent || piece >= lent + LENT)
			continue;
		check_that(piece >= last && piece + PIECE <= lent + LENT && inside++ == i);
		last = piece + PIECE - i % 7;
	}
	ck_assert_uint_ge(inside, LENT / PIECE - 2);
	/* What would not fit any more has a block of its own. */
	piece = link_allocate(trial.link, LENT);
	ck_assert(piece < lent || piece >= lent + LENT);
	assemble("main", ".data\n.quad 1\n");
	check_ok(&trial, add_file(&trial, "main.o", NULL));
	end_trial(&trial);
	for (size_t at = 0; at < SMALL; at++)
		check_that(!small[at]);
}
END_TEST

START_TEST(archive_serves_objects_added_before)
{
	struct trial trial;

	assemble("main", ".data\n.quad one\n.globl root\nroot: .quad 0\n");
	make_members();
	run("ar rcs lib.a " MEMBERS);
	start_trial(&trial);
	check_ok(&trial, add_file(&trial, "main.o", NULL));
	check_ok(&trial, add_file(&trial, "lib.a", "root"));
	ck_assert_ptr_nonnull(symbol_of(&trial, "two")->section);
	ck_assert_str_eq(link_object_name(symbol_of(&trial, "root")->object), "main.o");
	ck_assert_str_eq(link_object_name(symbol_of(&trial, "two")->object), "lib.a(two.o)");
	end_trial(&trial);
}
END_TEST

/* Archives beyond 4 GiB have numbers of 64 bits in the index. */
START_TEST(index_of_wide_numbers_serves_as_well)
{
	enum { HEADER = 60, INDEX = 8 + 8 + 4 };
	struct trial trial;
	unsigned char *object;
	size_t size;
	FILE *archive;

	assemble("one", ".globl one\n.data\none: .quad 1\n");
	object = read_bytes("one.o", &size);
	archive = fopen("lib.a", "w");
	ck_assert_ptr_nonnull(archive);
	fprintf(archive, "!<arch>\n%-48s%-10d`\n", "/SYM64/", INDEX);
	fwrite("\0\0\0\0\0\0\0\1", 1, 8, archive);
	fprintf(archive, "%c%c%c%c%c%c%c%cone%c", 0, 0, 0, 0, 0, 0, 0, 8 + HEADER + INDEX, 0);
	fprintf(archive, "%-48s%-10zu`\n", "one.o/", size);
	fwrite(object, 1, size, archive);
	ck_assert_int_eq(fclose(archive), 0);
	free(object);
	start_trial(&trial);
	check_ok(&trial, add_file(&trial, "lib.a", "one"));
	ck_assert_str_eq(taken(&trial), "one");
	end_trial(&trial);
}
END_TEST

static const struct {
	const char *make, *root;
	int error;
	const char *message;
} bad_archives[] = {
	{ "ar rcs lib.a root.o", "nothing", -ENOENT,
	  "lib.a: no member of the archive defines nothing" },
	{ "ar rcsT lib.a root.o", NULL, -ENOEXEC,
	  "lib.a: a thin archive, which only names its members' files; load it from its file, or make a "
	  "normal one, by ar without T" },
	{ "ar rcs lib.a notes.txt", NULL, -ENOEXEC,
	  "lib.a: none of the 1 members is a relocatable object for x86-64" },
	{ "cp one.o same.o; ar rcs lib.a one.o same.o", NULL, -EEXIST,
	  "lib.a(same.o): symbol one: defined already in lib.a(one.o); rename one of them or make it "
	  "static" },
	{ "ar rcs whole.a root.o; head -c 200 whole.a >lib.a", NULL, -ENOEXEC,
	  "lib.a: truncated in the member at offset " },
	{ "ar rcs whole.a root.o; head -c 100 whole.a >lib.a", NULL, -ENOEXEC,
	  "lib.a: truncated in the header of a member at offset " },
	{ "ar rcs lib.a root.o; printf 'garbage%080d' 0 >>lib.a", NULL, -ENOEXEC,
	  "lib.a: no header of a member at offset " },
	{ "ar rcs lib.a one.o; sed -i '0,/one/s//uno/' lib.a", "uno", -ENOENT,
	  "lib.a: no member of the archive defines uno" },
	{ "ar rcs lib.a root.o; printf '\\377' | dd of=lib.a bs=1 seek=68 conv=notrunc", "root",
	  -ENOEXEC, "lib.a: the index is damaged (" },
	{ "ar rcs lib.a root.o; printf '\\377' | dd of=lib.a bs=1 seek=72 conv=notrunc", "root",
	  -ENOEXEC, "lib.a: the index is damaged (" },
	{ "head -c 300 root.o >cut.o; ar rcS lib.a cut.o", NULL, -ENOEXEC,
	  "lib.a(cut.o): truncated: " },
};

START_TEST(bad_archive_is_refused_in_one_line)
{
	struct trial trial;
	int error;

	make_members();
	run("%s", bad_archives[_i].make);
	start_trial(&trial);
	error = add_file(&trial, "lib.a", bad_archives[_i].root);
	ck_assert_msg(!strncmp(trial.message, bad_archives[_i].message,
			       strlen(bad_archives[_i].message)),
		      "%s", trial.message);
	ck_assert_int_eq(error, bad_archives[_i].error);
	ck_assert_uint_eq(trial.messages, 1);
	end_trial(&trial);
}
END_TEST

/* ---- Messages ------------------------------------------------------------------------------- */

/* Sources that are refused; assembled, or compiled with flags. */
static const struct {
	const char *flags; /* NULL: assembly */
	const char *text, *message;
} refused[] = {
	{ NULL,
	  ".text\n.skip 4\n.reloc ., R_X86_64_TPOFF32, it\n.long 0\n.data\n.globl it\nit: .quad 1\n",
	  "a.o: section .text+0x4: relocation R_X86_64_TPOFF32 against symbol it uses as a "
	  "thread-local variable what is none" },
	{ NULL, ".text\n.reloc ., R_X86_64_TLSGD, it\n.long 0\n.globl it\nit = 5\n",
	  "a.o: section .text+0x0: relocation R_X86_64_TLSGD against symbol it uses as a "
	  "thread-local variable what is none" },
	{ NULL, ".data\n.quad it@DTPOFF\n",
	  "a.o: section .data+0x0: relocation R_X86_64_DTPOFF64 against symbol it is for a "
	  "thread-local variable of the module's own, and it has none of this name" },
	{ NULL, ".text\nleaq it@tlsld(%rip), %rdi\n",
	  "a.o: section .text+0x3: relocation R_X86_64_TLSLD against symbol it is for a "
	  "thread-local variable of the module's own, and it has none of this name" },
	{ NULL, ".section .tdata, \"awT\"\n.long it - .\n",
	  "a.o: section .tdata+0x0: relocation R_X86_64_PC32 against symbol it is in a thread-local "
	  "variable, whose initial value can only be a number or an address" },
	{ NULL,
	  ".data\n.quad it\n.section .tdata, \"awT\"\n.globl it\n.type it, @tls_object\nit: .quad 1\n",
	  "a.o: section .data+0x0: relocation R_X86_64_64 against symbol it uses a thread-local "
	  "variable as if it were none; include the header that declares it" },
	{ NULL, ".text\nleaq it@tlsgd(%rip), %rdi\nmovq it(%rip), %rax\n",
	  "a.o: section .text+0xa: relocation R_X86_64_PC32 against symbol it uses a thread-local "
	  "variable as if it were none; include the header that declares it" },
	{ NULL,
	  ".section .tbss, \"awT\", @nobits\n.skip 0x7fffffff\n.section .tbss.two, \"awT\", @nobits\n"
	  ".skip 1000\n",
	  "a.o: too large to load (at most 2147483647 bytes in all)" },
	{ NULL, ".section .tbss, \"awT\", @nobits\n.balign 8192\n.byte 0\n",
	  "a.o: section .tbss: is aligned to more than is possible (found 8192, at most 4096 bytes); use a smaller "
	  "alignment" },
	{ NULL, ".text\n.skip 16\n.reloc ., R_X86_64_COPY, it\n.quad 0\n",
	  "a.o: section .text+0x10: relocation R_X86_64_COPY against symbol it is not supported (only in "
	  "linked files)" },
	{ NULL, ".type it, @gnu_indirect_function\n.globl it\n.data\nit: .quad 1\n",
	  "a.o: symbol it: the function that chooses is not in code that is loaded (found section "
	  ".data)" },
	{ NULL, ".type it, @gnu_indirect_function\n.data\nit: .quad 1\n.quad it\n",
	  "a.o: symbol it: the function that chooses is not in code that is loaded (found section "
	  ".data)" },
	{ NULL, ".section .bad, \"awx\"\n.byte 1\n",
	  "a.o: section .bad: is writable and executable; permod never maps such memory" },
	{ NULL, ".data\n.balign 4194304\n.byte 1\n",
	  "a.o: section .data: is aligned to more than is possible (found 4194304, at most 2097152 "
	  "bytes); use a smaller alignment" },
	{ NULL, ".section .data.percpu, \"aw\"\n.balign 16384\n.byte 1\n",
	  "a.o: section .data.percpu: is aligned to more than is possible (found 16384, at most 4096 bytes); use a "
	  "smaller alignment" },
	{ NULL, ".text\ncall it\n.section .data.percpu, \"aw\"\n.globl it\nit: .quad 1\n",
	  "a.o: section .text+0x1: relocation R_X86_64_PLT32 against symbol it is a branch to a per-CPU "
	  "variable" },
	{ NULL, ".data\n.quad it\n.section .debug_it\nit: .quad 1\n",
	  "a.o: section .data+0x0: relocation R_X86_64_64 against section .debug_it refers to section "
	  ".debug_it, which is not loaded" },
	{ NULL, ".bss\n.skip 0x7fffffff\n.section .bss.two, \"aw\", @nobits\n.skip 1000\n",
	  "a.o: too large to load (at most 2147483647 bytes in all)" },
	{ NULL, ".bss\n.skip 0x80000000\n",
	  "a.o: section .bss: is too large (found 2147483648 bytes, at most 2147483647)" },
	{ "-flto -fno-fat-lto-objects", "int f(void) { return 1; }", NULL },
	{ "-m32", "int x;", NULL },
};

START_TEST(source_is_refused_in_one_line)
{
	struct trial trial;
	int error;

	if (refused[_i].flags && !strstr(compiler(), "gcc") && strcmp(compiler(), "cc"))
		return;
	if (refused[_i].flags)
		compile("a", refused[_i].flags, refused[_i].text);
	else
		assemble("a", refused[_i].text);
	start_trial(&trial);
	error = add_file(&trial, "a.o", NULL);
	if (!error)
		error = link_layout(trial.link);
	if (refused[_i].message)
		ck_assert_str_eq(trial.message, refused[_i].message);
	else if (strstr(refused[_i].flags, "lto"))
		ck_assert_str_eq(
			trial.message,
			"a.o: there is no machine code in it, only what GCC needs to optimise at "
			"link time; compile without -flto or with -ffat-lto-objects, or link it "
			"first, by gcc -flto -r -flinker-output=nolto-rel");
	else if (strstr(refused[_i].flags, "m32"))
		ck_assert_str_eq(trial.message,
				 "a.o: compiled for i386 (found machine 3, need 62); "
				 "compile for x86-64");
	ck_assert_int_eq(error, -ENOEXEC);
	ck_assert_uint_eq(trial.messages, 1);
	end_trial(&trial);
}
END_TEST

START_TEST(damage_is_named_in_one_line)
{
	struct victim victim;
	struct trial trial;
	struct file file;
	int error;

	make_victim(&victim);
	damages[_i].damage(&victim);
	file = guard(victim.data, victim.size);
	start_trial(&trial);
	error = link_add_memory(trial.link, "a.o", file.data, file.size, NULL);
	if (!error)
		error = link_layout(trial.link);
	ck_assert_int_eq(error, -ENOEXEC);
	ck_assert_uint_eq(trial.messages, 1);
	ck_assert_msg(!strncmp(trial.message, damages[_i].message, strlen(damages[_i].message)),
		      "%s", trial.message);
	end_trial(&trial);
	release(&file);
	free(victim.data);
}
END_TEST

START_TEST(names_in_messages_are_made_harmless)
{
	struct trial trial;

	assemble("a", ".text\nleaq \"bad\\033[2J\\nname\"@tlsld(%rip), %rdi\n");
	start_trial(&trial);
	check_ok(&trial, add_file(&trial, "a.o", NULL));
	ck_assert_int_eq(link_layout(trial.link), -ENOEXEC);
	for (const char *c = trial.message; *c; c++)
		ck_assert_int_ge(*c, ' ');
	end_trial(&trial);
}
END_TEST

/* ---- Files that mean harm ------------------------------------------------------------------- */

static int resolve_to_itself(struct link *link, struct link_symbol *symbol, void *arg)
{
	(void)arg;
	link_set_resolved(link, symbol, link_resolver_address(link, symbol));
	return 0;
}

/* Take a file through the whole pipeline, as far as it goes; all it must do is end. */
static void survive(const unsigned char *data, size_t size, const char *root)
{
	const uint64_t most = 1 << 20;
	struct link_interval interval;
	struct file file = guard(data, size);
	struct trial trial;
	int error;

	start_trial(&trial);
	trial.link->percpu_address = PERCPU;
	link_add_cell(trial.link, "elsewhere", 16);
	error = lay_out_harm(&trial, &file, root, FAR_FUNCTION, BASE + 0x100000, &interval);
	if (!error && trial.link->block_size < most && trial.link->part[LINK_PERCPU].size < most)
		error = relocate_at(&trial, random_number() % 2 ? BASE : interval.high.base,
				    PERCPU);
	check_that(!error == !trial.messages);
	if (!error && trial.link->part[LINK_TEXT].buffer)
		link_each_indirect(trial.link, resolve_to_itself, NULL);
	end_trial(&trial);
	release(&file);
}

static const char *const harmless[] = { "kinds.o",  "code.o", "victim.o",
					"chosen.o", "lib.a",  "plain.a" };

/* The GOT's beginning, functions that are chosen, and names with versions. */
static const char chosen_source[] =
	".text\n.globl start, chosen\n.type chosen, @gnu_indirect_function\nchosen: ret\n"
	".type inside, @gnu_indirect_function\ninside: ret\n"
	"start: call chosen\nleaq inside(%rip), %rax\npushq chosen@GOTPCREL(%rip)\n"
	"leaq _GLOBAL_OFFSET_TABLE_(%rip), %rbx\nmovabsq $data@GOT, %rax\n"
	"movabsq $start@GOTOFF, %rax\nmovabsq $elsewhere@PLTOFF, %rax\n"
	".data\n.globl data\ndata: .quad chosen, new, old, other\n.largecomm big, 100, 16\n"
	".quad __start_set, __stop_set, __start_none\n.section set, \"aw\"\n.quad 1\n"
	".section set, \"a\", @progbits, unique, 1\n.quad 2\n"
	".symver start, it@@NEW\n.symver data, it@OLD\n"
	".symver new, it@NEW\n.symver old, it@OLD\n.symver other, it@OTHER\n";

static unsigned char *make_harmless(unsigned int which, size_t *size)
{
	assemble("kinds", all_kinds);
	compile("code", "-fcommon -fPIC", first_source);
	assemble("victim", victim_source);
	assemble("chosen", chosen_source);
	run("ar rcs lib.a code.o victim.o; ar rcS plain.a victim.o kinds.o");
	return read_bytes(harmless[which], size);
}

START_TEST(damaged_files_do_no_harm)
{
	size_t size;
	unsigned char *bytes = make_harmless((unsigned int)_i, &size);
	unsigned char *copy = malloc(size);

	ck_assert_ptr_nonnull(copy);
	random_state = 0x9e3779b97f4a7c15 + (uint64_t)_i;
	survive(bytes, size, NULL);
	for (unsigned int i = rounds(4000); i; i--) {
		memcpy(copy, bytes, size);
		damage(copy, size);
		survive(copy, size, i % 2 ? NULL : "start");
	}
	free(copy);
	free(bytes);
}
END_TEST

START_TEST(truncated_files_do_no_harm)
{
	size_t size;
	unsigned char *bytes = make_harmless((unsigned int)_i, &size);

	random_state = 1;
	for (size_t cut = 0; cut < size; cut++)
		survive(bytes, cut, cut % 2 ? NULL : "start");
	free(bytes);
}
END_TEST

/* The greatest number of a type is one like others. */
START_TEST(whoever_goes_on_after_an_error_is_told_of_it)
{
	struct victim victim;
	struct trial trial;
	struct file file;

	make_victim(&victim);
	victim.entry[0].r_info = ELF64_R_INFO(1, UINT32_MAX);
	file = guard(victim.data, victim.size);
	free(victim.data);
	start_trial(&trial);
	trial.link->keep_going = true;
	check_ok(&trial, link_add_memory(trial.link, "a.o", file.data, file.size, NULL));
	check_ok(&trial, link_layout(trial.link));
	ck_assert_int_eq(trial.link->flaw, -ENOEXEC);
	ck_assert_uint_eq(trial.messages, 1);
	ck_assert_ptr_nonnull(strstr(trial.message, "relocation number 4294967295 against "));
	end_trial(&trial);
	release(&file);
}
END_TEST

/* A string table without NULs in it: each name goes on to its end. */
#define MANY(text)                                                                                 \
	".altmacro\n.macro one n\n" text "\n.endm\n"                                               \
	".data\n.set i, 0\n.rept 20000\none %i\n.set i, i + 1\n.endr\n"
static const char *const overlapping[] = {
	MANY(".globl symbol\\n\n.quad symbol\\n"),
	MANY("symbol\\n: .byte 0"),
	MANY(".section section\\n, \"a\"\n.byte 0"),
};

START_TEST(overlapping_names_are_refused_soon)
{
	struct trial trial;
	struct file file;
	size_t size, count;
	unsigned char *data;
	const Elf64_Ehdr *header;
	Elf64_Shdr *section;

	assemble("a", overlapping[_i]);
	data = read_bytes("a.o", &size);
	header = (const Elf64_Ehdr *)data;
	section = (Elf64_Shdr *)(data + header->e_shoff);
	for (count = 0; section[count].sh_type != SHT_SYMTAB;)
		count++;
	section = &section[_i == 2 ? header->e_shstrndx : section[count].sh_link];
	for (size_t i = 1; i + 1 < section->sh_size; i++) {
		if (!data[section->sh_offset + i])
			data[section->sh_offset + i] = 'x';
	}
	file = guard(data, size);
	start_trial(&trial);
	ck_assert_int_eq(link_add_memory(trial.link, "a.o", file.data, file.size, NULL), -ENOEXEC);
	ck_assert_str_eq(trial.message, "a.o: names overlap too often; the file is damaged");
	end_trial(&trial);
	release(&file);
	free(data);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("elf");
	TCase *tests = tcase_create("elf");

	tcase_set_timeout(tests, 1200);
	tcase_add_checked_fixture(tests, make_directory, remove_directory);
	tcase_add_test(tests, every_relocation_is_as_ld_makes_it);
	tcase_add_test(tests, misaligned_file_gives_the_same_bytes);
	tcase_add_loop_test(tests, compiled_code_is_as_ld_makes_it, 0, COUNT(compiled));
	tcase_add_loop_test(tests, slot_is_used_where_the_symbol_is_out_of_reach, 0,
			    COUNT(slot_users));
	tcase_add_loop_test(tests, slot_is_done_without_as_ld_does_it, 0, COUNT(relaxable));
	tcase_add_loop_test(tests, slot_is_done_without_far_up, 0, COUNT(relaxable));
	tcase_add_loop_test(tests, value_fits_up_to_its_bound_and_not_beyond, 0, COUNT(bounds));
	tcase_add_loop_test(tests, interval_ends_where_reach_ends, 0, COUNT(reaches));
	tcase_add_test(tests, interval_is_empty_between_symbols_too_far_apart);
	tcase_add_test(tests, functions_do_not_narrow_the_interval);
	tcase_add_test(tests, absolute_reference_to_a_function_is_to_its_stub);
	tcase_add_test(tests, no_stub_stands_for_the_middle_of_a_function);
	tcase_add_test(tests, linked_code_runs);
	tcase_add_test(tests, section_goes_where_its_name_and_flags_say);
	tcase_add_test(tests, sections_lie_apart_and_aligned);
	tcase_add_test(tests, regions_begin_on_pages_and_init_is_last);
	tcase_add_test(tests, percpu_variables_lie_close);
	tcase_add_test(tests, gaps_and_bss_are_zero);
	tcase_add_test(tests, thread_local_variables_are_where_the_caller_says);
	tcase_add_test(tests, cells_are_there_for_those_who_refer_to_them);
	tcase_add_test(tests, objects_have_more_than_65280_sections);
	tcase_add_loop_test(tests, definitions_meet_as_in_ld, 0, COUNT(meetings));
	tcase_add_test(tests, most_constraining_visibility_wins);
	tcase_add_test(tests, symbols_know_how_they_are_needed);
	tcase_add_test(tests, weak_symbol_that_nobody_defines_is_zero);
	tcase_add_test(tests, second_copy_of_a_group_is_discarded);
	tcase_add_test(tests, reference_into_a_discarded_group_is_refused);
	tcase_add_test(tests, symbols_of_an_object_are_those_that_it_defines);
	tcase_add_loop_test(tests, archive_gives_the_members_that_ld_takes, 0, COUNT(archives));
	tcase_add_test(tests, name_that_stops_being_weak_pulls_in);
	tcase_add_test(tests, index_of_wide_numbers_serves_as_well);
	tcase_add_test(tests, lent_memory_is_the_callers);
	tcase_add_test(tests, archive_serves_objects_added_before);
	tcase_add_loop_test(tests, bad_archive_is_refused_in_one_line, 0, COUNT(bad_archives));
	tcase_add_loop_test(tests, source_is_refused_in_one_line, 0, COUNT(refused));
	tcase_add_loop_test(tests, damage_is_named_in_one_line, 0, COUNT(damages));
	tcase_add_test(tests, names_in_messages_are_made_harmless);
	tcase_add_test(tests, whoever_goes_on_after_an_error_is_told_of_it);
	tcase_add_loop_test(tests, overlapping_names_are_refused_soon, 0, COUNT(overlapping));
	tcase_add_loop_test(tests, damaged_files_do_no_harm, 0, COUNT(harmless));
	tcase_add_loop_test(tests, truncated_files_do_no_harm, 0, COUNT(harmless));
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return run_suite(make_suite());
}
