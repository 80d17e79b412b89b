/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What arm has besides relocations: two instruction sets, stubs for both, an index of unwind
 * information, mapping symbols, and objects that don't fit together.
 *
 * Code that goes through stubs is run where there is a qemu-arm.
 */
#include "tests/machines/cross.h"

#include "tests/machines/arm.h"

static void write_text(const char *name, const char *text)
{
	write_file(name, text, strlen(text));
}

static void assemble_as(const char *name, const char *options, const char *text)
{
	char source[64];

	snprintf(source, sizeof(source), "%s.s", name);
	write_text(source, text);
	run("%sas -march=armv7-a %s -o %s.o %s", arm.prefix, options, name, source);
}

/* Link the objects named, up to link_layout(). */
static void lay_out_arm(struct trial *trial, const char *const *names)
{
	cross_start(trial, &arm);
	for (; *names; names++)
		check_ok(trial, add_file(trial, *names, NULL));
	check_ok(trial, link_layout(trial->link));
}

static uint32_t word_at(const struct trial *trial, uint64_t address)
{
	for (size_t i = 0; i < LINK_PERCPU; i++) {
		const struct link_part *part = &trial->link->part[i];
		uint64_t begin = trial->link->base + part->offset;

		if (address >= begin && address + 4 <= begin + part->size)
			return (uint32_t)link_get(trial->link->arch,
						  part->buffer + (address - begin), 4);
	}
	ck_abort_msg("0x%llx is not in the block", (unsigned long long)address);
}

/* ---- Branches ------------------------------------------------------------------------------- */

/* b, bl: where it goes. */
static uint64_t arm_target(const struct trial *trial, uint64_t at)
{
	return at + 8 + (uint64_t)((int64_t)(int32_t)(word_at(trial, at) << 8) >> 6);
}

/* b.w, bl: 24 bits of a distance, two of which are exclusive-ored with the sign. */
static uint64_t thumb_target(const struct trial *trial, uint64_t at)
{
	uint32_t code = word_at(trial, at), sign = code >> 10 & 1;
	uint32_t i1 = !((code >> 29 & 1) ^ sign), i2 = !((code >> 27 & 1) ^ sign);
	uint32_t distance =
		sign << 24 | i1 << 23 | i2 << 22 | (code & 0x3ff) << 12 | (code >> 16 & 0x7ff) << 1;

	return at + 4 + (uint64_t)((int64_t)(int32_t)(distance << 7) >> 7);
}

/* What the stub at an address jumps to, entered in ARM state. */
static uint32_t stub_target(const struct trial *trial, uint64_t stub)
{
	ck_assert_uint_eq(stub % 4, 0);
	ck_assert_uint_eq(word_at(trial, stub), 0xe59fc008);	 /* ldr ip, [pc, #8] */
	ck_assert_uint_eq(word_at(trial, stub + 4), 0xe59cf000); /* ldr pc, [ip] */
	return word_at(trial, word_at(trial, stub + 16));
}

/* The same, in Thumb state. */
static uint32_t thumb_stub_target(const struct trial *trial, uint64_t entry)
{
	ck_assert_uint_eq(entry % 4, 0);
	ck_assert_uint_eq(word_at(trial, entry), 0x46c04778);	  /* bx pc; mov r8, r8 */
	ck_assert_uint_eq(word_at(trial, entry + 4) >> 24, 0xea); /* b */
	return stub_target(trial, arm_target(trial, entry + 4));
}

START_TEST(branch_that_cant_change_the_state_goes_to_a_stub)
{
	static const struct external elsewhere[] = { { "far", 0x70000001, false },
						     { "near", BASE + 0x100000, false },
						     { 0 } };
	struct trial trial;
	uint32_t a, t;

	assemble_as("a", "",
		    ".syntax unified\n.arm\nb t\nblne t\nbl far\nb near\n.thumb\nb.w a\nbne.w a\n"
		    "bl far\nb.w near\n"
		    ".section .other, \"ax\"\n.arm\n.globl a\n.type a, %function\na: nop\n.thumb\n"
		    ".globl t\n.type t, %function\n.thumb_func\nt: nop\n");
	lay_out_arm(&trial, (const char *const[]){ "a.o", NULL });
	define_all(&trial, elsewhere);
	check_ok(&trial, cross_relocate(&trial, BASE, BASE + 0x100000));
	a = (uint32_t)link_symbol_address(trial.link, symbol_of(&trial, "a"));
	t = (uint32_t)link_symbol_address(trial.link, symbol_of(&trial, "t"));
	ck_assert_uint_eq(a % 2, 0);
	ck_assert_uint_eq(t % 2, 1);
	ck_assert_uint_eq(stub_target(&trial, arm_target(&trial, BASE)), t);
	ck_assert_uint_eq(stub_target(&trial, arm_target(&trial, BASE + 4)), t);
	ck_assert_uint_eq(stub_target(&trial, arm_target(&trial, BASE + 8)), 0x70000001);
	ck_assert_uint_eq(arm_target(&trial, BASE + 12), BASE + 0x100000);
	ck_assert_uint_eq(thumb_stub_target(&trial, thumb_target(&trial, BASE + 16)), a);
	ck_assert_uint_eq(thumb_stub_target(&trial, thumb_target(&trial, BASE + 24)), 0x70000001);
	ck_assert_uint_eq(thumb_stub_target(&trial, thumb_target(&trial, BASE + 28)),
			  BASE + 0x100000);
	end_trial(&trial);
}
END_TEST

/* "image": a program of what was linked, as it lies there. */
static void write_program(const struct trial *trial, const char *entry)
{
	FILE *source = fopen("image.s", "w"), *script = fopen("image.script", "w");

	check_that(source && script);
	fprintf(script, "ENTRY(%s)\n%s = 0x%llx;\nSECTIONS\n{\n", entry, entry,
		(unsigned long long)link_symbol_address(trial->link,
							link_find(trial->link, entry)));
	for (size_t i = 0; i < LINK_PERCPU; i++) {
		const struct link_part *part = &trial->link->part[i];
		char name[16];

		if (!part->size)
			continue;
		snprintf(name, sizeof(name), "part%zu", i);
		write_file(name, part->buffer, part->size);
		fprintf(source, ".section .%s, \"awx\"\n.incbin \"%s\"\n", name, name);
		fprintf(script, ".%s 0x%llx : { *(.%s) }\n", name,
			(unsigned long long)(trial->link->base + part->offset), name);
	}
	fprintf(script, "/DISCARD/ : { *(.ARM.attributes) }\n}\n");
	fclose(source);
	fclose(script);
	run("%sas -o image.o image.s && %sld -T image.script -o image image.o", arm.prefix,
	    arm.prefix);
}

/* Each function doubles r0 and adds one, and gets on in another way; the bits tell who was there. */
START_TEST(stubs_run_in_both_states)
{
	struct trial trial;
	int status;

	assemble_as("a", "",
		    ".syntax unified\n.arm\n.globl begin\n.type begin, %function\n"
		    "begin: mov r0, #0\nmovs r4, #1\nbl first\nblne first\nbl both\n"
		    "mov r7, #1\nswi #0\n"
		    ".section .b, \"ax\"\n.thumb\n.type first, %function\n.thumb_func\n"
		    "first: adds r0, r0, r0\nadds r0, #1\nb.w second\n"
		    ".type both, %function\n.thumb_func\n"
		    "both: push {r4, lr}\nbl second\nblx second\nmovs r3, #0\nbeq.w third\n"
		    ".section .c, \"ax\"\n.arm\n.type second, %function\n"
		    "second: add r0, r0, r0\nbx lr\n.type third, %function\n"
		    "third: add r0, r0, #100\npop {r4, pc}\n");
	lay_out_arm(&trial, (const char *const[]){ "a.o", NULL });
	check_ok(&trial, cross_relocate(&trial, BASE, BASE + 0x100000));
	write_program(&trial, "begin");
	if (succeeds("command -v qemu-arm")) {
		/* ((0*2+1)*2)*2+1)*2 = 10; *2*2 + 100 */
		status = system("timeout 20 qemu-arm ./image");
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 140, "status 0x%x",
			      status);
	} else {
		printf("no qemu-arm here: stubs are not run\n");
	}
	end_trial(&trial);
}
END_TEST

START_TEST(call_of_what_is_weak_and_not_there_does_nothing)
{
	struct trial trial;

	assemble_as("a", "", ".syntax unified\n.weak w\n.arm\nbl w\nblne w\n.thumb\nbl w\nb.w w\n");
	lay_out_arm(&trial, (const char *const[]){ "a.o", NULL });
	check_ok(&trial, cross_relocate(&trial, BASE, BASE + 0x100000));
	ck_assert_uint_eq(word_at(&trial, BASE), 0xe1a00000);
	ck_assert_uint_eq(word_at(&trial, BASE + 4), 0x11a00000);
	ck_assert_uint_eq(word_at(&trial, BASE + 8), 0x46c0e000);
	ck_assert_uint_eq(word_at(&trial, BASE + 12), 0x46c0e000);
	end_trial(&trial);
}
END_TEST

/* ---- The index ------------------------------------------------------------------------------ */

#define CLEANUP                                                                                    \
	"void clean(int *i);\nvoid outside(int);\nint shared(int i);\n"                            \
	"#define BODY { __attribute__((cleanup(clean))) int a = i; outside(a); return shared(i); }\n"
#define ONE_COPY                                                                                   \
	".section .text.shared, \"axG\", %progbits, shared, comdat\n.arm\n.weak shared\n"          \
	".type shared, %function\nshared: .fnstart\n.save {r4, lr}\npush {r4, lr}\npop {r4, pc}\n" \
	".fnend\n"

/* The entry of an address: by the last that is not behind it. */
static uint32_t entry_of(const struct trial *trial, uint32_t address)
{
	const struct link *link = trial->link;
	uint64_t base = link->base + link->part[LINK_RODATA].offset + link->index_offset;
	uint32_t found = 0;

	for (uint64_t at = base; at < base + link->index_size; at += 8) {
		uint32_t word = word_at(trial, at);

		ck_assert_uint_eq(word >> 31, 0);
		if ((((uint32_t)at + (word | (word & 0x40000000) << 1)) & 0x7fffffff) <= address)
			found = (uint32_t)at;
	}
	return found;
}

static uint32_t function_in(const struct trial *trial, uint32_t entry)
{
	return (entry + word_at(trial, entry)) & 0x7fffffff;
}

START_TEST(index_is_one_table_in_order)
{
	const struct link *link;
	struct world world = { 0 };
	struct trial trial;
	uint64_t first, last = 0;
	uint32_t bare, function;

	write_text("a.c", CLEANUP "int one(int i) BODY\n__attribute__((section(\".init.text\"))) "
				  "int early(int i) BODY\nint two(int i) BODY\n");
	write_text("c.c", CLEANUP "int three(int i) BODY\n");
	run("for i in a c; do %sgcc -O1 -fexceptions -c -ffunction-sections $i.c; done",
	    arm.prefix);
	assemble_as("b", "", ".arm\n.globl bare\n.type bare, %function\nbare: bx lr\n" ONE_COPY);
	assemble_as("d", "", ONE_COPY);
	lay_out_arm(&trial, (const char *const[]){ "a.o", "b.o", "c.o", "d.o", NULL });
	find_externals(&trial, &arm, &world, BASE + 0x200000);
	check_ok(&trial, cross_relocate(&trial, BASE, BASE + 0x100000));
	link = trial.link;
	first = link->base + link->part[LINK_RODATA].offset + link->index_offset;
	ck_assert_uint_eq(link->index_size % 8, 0);
	/* one, two, three, shared, early; bare, what is behind three, what is behind early */
	ck_assert_uint_eq(link->index_size, 8 * 8);
	for (uint64_t at = first; at < first + link->index_size; at += 8) {
		ck_assert_uint_gt(function_in(&trial, (uint32_t)at), last);
		last = function_in(&trial, (uint32_t)at);
	}
	ck_assert_uint_eq(word_at(&trial, first + link->index_size - 4), 1);
	bare = (uint32_t)link_symbol_address(link, symbol_of(&trial, "bare"));
	ck_assert_uint_eq(function_in(&trial, entry_of(&trial, bare)), bare);
	ck_assert_uint_eq(word_at(&trial, entry_of(&trial, bare) + 4), 1);
	function = (uint32_t)link_symbol_address(link, symbol_of(&trial, "three")) & ~1U;
	ck_assert_uint_eq(function_in(&trial, entry_of(&trial, function + 2)), function);
	ck_assert_uint_ne(word_at(&trial, entry_of(&trial, function) + 4), 1);
	end_trial(&trial);
}
END_TEST

/* ---- Symbols -------------------------------------------------------------------------------- */

START_TEST(mapping_symbols_are_no_names)
{
	struct trial trial;
	const struct link_symbol *symbol;
	unsigned int count = 0;

	assemble_as("a", "",
		    ".syntax unified\n.thumb\n.type f, %function\n.thumb_func\nf: nop\nnop\n"
		    ".size f, 4\n.arm\nnop\n.word 3\n$x: nop\n.section .e, \"ax\"\n.thumb\n"
		    ".type empty, %function\n.thumb_func\nempty:\n.size empty, 0\n");
	lay_out_arm(&trial, (const char *const[]){ "a.o", NULL });
	while ((symbol = link_object_symbol(trial.link->objects, count))) {
		ck_assert_msg(symbol->name[0] != '$' || !strcmp(symbol->name, "$x"), "%s",
			      symbol->name);
		if (!strcmp(symbol->name, "f"))
			ck_assert_uint_eq(symbol->size, 4);
		count++;
	}
	ck_assert_uint_eq(count, 3);
	end_trial(&trial);
}
END_TEST

/* ---- What does not fit ---------------------------------------------------------------------- */

static void check_refused(const char *const *names, const char *message)
{
	struct trial trial;
	int error = 0;

	cross_start(&trial, &arm);
	for (; *names && !error; names++)
		error = add_file(&trial, *names, NULL);
	if (!error)
		error = link_layout(trial.link);
	ck_assert_int_eq(error, -ENOEXEC);
	ck_assert_msg(strstr(trial.message, message), "%s", trial.message);
	end_trial(&trial);
}

START_TEST(objects_of_other_kinds_are_refused)
{
	static const char hard[] = ".eabi_attribute 23, 3\n.eabi_attribute 28, 1\n";
	static const char soft[] = ".eabi_attribute 23, 3\n.eabi_attribute 28, 0\n";
	static const char none[] = ".eabi_attribute 67, \"2.09\"\n.eabi_attribute 28, 1\n";
	struct trial trial;

	assemble_as("big", "-EB", "nop\n");
	check_refused((const char *const[]){ "big.o", NULL },
		      "big.o: wrong byte order (found encoding 2, need 1 for arm)");
	assemble_as("old", "-meabi=4", "nop\n");
	check_refused((const char *const[]){ "old.o", NULL }, "found EABI version 4, need 5");
	assemble_as("hard", "", hard);
	assemble_as("soft", "", soft);
	assemble_as("none", "", none);
	check_refused((const char *const[]){ "none.o", "hard.o", "soft.o", NULL },
		      "soft.o: functions get floating-point numbers in other registers than those "
		      "of hard.o (found soft or softfp, need hard)");
	check_refused((const char *const[]){ "soft.o", "hard.o", NULL },
		      "(found hard, need soft or softfp)");
	lay_out_arm(&trial, (const char *const[]){ "hard.o", "none.o", NULL });
	end_trial(&trial);
}
END_TEST

START_TEST(text_beyond_reach_is_refused_in_words)
{
	struct trial trial;

	assemble_as("a", "",
		    ".thumb\nbl t\n.space 0x1000100\n.section .t, \"ax\"\n.thumb\n"
		    ".type t, %function\n.thumb_func\nt: nop\n");
	lay_out_arm(&trial, (const char *const[]){ "a.o", NULL });
	ck_assert_int_eq(cross_relocate(&trial, BASE, BASE + 0x100000), -ERANGE);
	ck_assert_msg(strstr(trial.message,
			     "R_ARM_THM_CALL against symbol t is out of reach (found") &&
			      strstr(trial.message, "compile with -mlong-calls"),
		      "%s", trial.message);
	end_trial(&trial);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("arm");
	TCase *tests = tcase_create("arm");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, make_directory, remove_directory);
	tcase_add_test(tests, branch_that_cant_change_the_state_goes_to_a_stub);
	tcase_add_test(tests, stubs_run_in_both_states);
	tcase_add_test(tests, call_of_what_is_weak_and_not_there_does_nothing);
	tcase_add_test(tests, index_is_one_table_in_order);
	tcase_add_test(tests, mapping_symbols_are_no_names);
	tcase_add_test(tests, objects_of_other_kinds_are_refused);
	tcase_add_test(tests, text_beyond_reach_is_refused_in_words);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	if (system("command -v arm-linux-gnueabihf-gcc >/dev/null") != 0) {
		printf("no arm-linux-gnueabihf-gcc here: not tested\n");
		return 77;
	}
	return run_suite(make_suite());
}
