/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Debug information as a debugger gets it: compilers make it, GNU ld is the judge of what it should
 * be when everything has its address.  And files that nobody vouches for.
 */
#include "tests/elf/helper.h"

#include <errno.h>

#define BASE ((uint64_t)0x20000000)
#define PERCPU ((uint64_t)0x30000000)

static const char first_source[] =
	"static int number = 3; int shared_number; extern int other(int);\n"
	"static __attribute__((noinline)) int inner(int n) { return number += n; }\n"
	"struct pair { int a; long b; } pairs[4];\n"
	"int first(int n) { int i, sum = 0;\n"
	"	for (i = 0; i < n; i++) { int part = inner(i); sum += part * pairs[i & 3].a; }\n"
	"	return sum + other(n); }\n";
static const char second_source[] =
	"static int number = 5; extern int shared_number;\n"
	"__attribute__((section(\".text.apart\"))) int apart(int n) { return n + shared_number; }\n"
	"static double half(double n) { return n / 2; }\n"
	"int other(int n) { return number + apart(n) + (int)half(n); }\n";

/* ld merges equal strings unless they are no strings to it. */
static void compile_plainly(const char *name, const char *flags, const char *source)
{
	compile(name, flags, source);
	run("objcopy --set-section-flags .debug_str=readonly,debug --set-section-flags "
	    ".debug_line_str=readonly,debug %s.o",
	    name);
}

static unsigned char *relocated(const struct trial *trial, const struct link_debug *part,
				bool init_gone)
{
	unsigned char *buffer = malloc(part->size);

	check_that(buffer);
	memset(buffer, 0xa5, part->size);
	ck_assert_int_eq(link_relocate_debug(trial->link, part, buffer, init_gone), 0);
	return buffer;
}

static const struct link_debug *part_of(const struct trial *trial, const char *name)
{
	const struct link_debug *part = NULL;

	while ((part = link_next_debug(trial->link, part))) {
		if (!strcmp(part->name, name))
			return part;
	}
	ck_abort_msg("no %s", name);
}

static const char *const flags[] = {
	"-g",
	"-gdwarf-4",
	"-g -O0 -fPIC",
	"-gdwarf-4 -ffunction-sections -fno-pie",
};

START_TEST(debug_information_is_as_ld_makes_it)
{
	const struct link_debug *part = NULL;
	unsigned char *output;
	struct trial trial;
	unsigned int parts = 0;
	size_t size;

	compile_plainly("a", flags[_i], first_source);
	compile_plainly("b", flags[_i], second_source);
	lay_out_files(&trial, "a.o", "b.o");
	check_ok(&trial, relocate_at(&trial, BASE, PERCPU));
	check_ok(&trial, link_read_debug(trial.link));
	ck_assert(ld_links(&trial, NULL, ""));
	output = read_bytes("linked", &size);
	while ((part = link_next_debug(trial.link, part))) {
		unsigned char *ours = relocated(&trial, part, false);
		const unsigned char *theirs = output_section(output, part->name, &size);

		ck_assert_uint_eq(size, part->size);
		for (size_t at = 0; at < size; at++)
			ck_assert_msg(ours[at] == theirs[at], "%s+0x%zx: %02x, ld: %02x",
				      part->name, at, ours[at], theirs[at]);
		free(ours);
		parts++;
	}
	/* At least .debug_info, _abbrev, _aranges, _line, _str. */
	ck_assert_uint_ge(parts, 5);
	free(output);
	end_trial(&trial);
}
END_TEST

START_TEST(compressed_is_the_same)
{
	static const struct external externals[] = { { "other", BASE, true }, { NULL, 0, false } };
	const struct link_debug *part = NULL;
	struct trial plain, compressed;

	compile("a", "-g -gz=none", first_source);
	lay_out_files(&plain, "a.o");
	define_all(&plain, externals);
	check_ok(&plain, relocate_at(&plain, BASE, PERCPU));
	check_ok(&plain, link_read_debug(plain.link));
	run("objcopy --compress-debug-sections=zlib a.o");
	run("readelf -St a.o | grep -q COMPRESSED");
	lay_out_files(&compressed, "a.o");
	define_all(&compressed, externals);
	check_ok(&compressed, relocate_at(&compressed, BASE, PERCPU));
	check_ok(&compressed, link_read_debug(compressed.link));
	while ((part = link_next_debug(plain.link, part))) {
		const struct link_debug *other = part_of(&compressed, part->name);
		unsigned char *bytes = relocated(&plain, part, false);
		unsigned char *same = relocated(&compressed, other, false);

		ck_assert_uint_eq(part->size, other->size);
		ck_assert_mem_eq(bytes, same, part->size);
		free(bytes);
		free(same);
	}
	end_trial(&compressed);
	end_trial(&plain);
}
END_TEST

/* Code that is not there has address 0; where zeros end a list, 1. */
START_TEST(code_that_is_gone_has_no_address)
{
	struct trial trial;
	unsigned char *info, *ranges;

	assemble("a", ".section .init.text, \"ax\", @progbits\nf: ret\n"
		      ".text\ng: ret\n"
		      ".section .debug_info\n.quad f, g, f + 1\n"
		      ".section .debug_ranges\n.quad f, f + 1, 0, 0, g\n");
	lay_out_files(&trial, "a.o");
	check_ok(&trial, relocate_at(&trial, BASE, PERCPU));
	check_ok(&trial, link_read_debug(trial.link));
	for (int gone = 0; gone < 2; gone++) {
		uint64_t f = link_section_address(trial.link, section_of(&trial, ".init.text"));
		uint64_t g = link_section_address(trial.link, section_of(&trial, ".text"));

		info = relocated(&trial, part_of(&trial, ".debug_info"), gone);
		ranges = relocated(&trial, part_of(&trial, ".debug_ranges"), gone);
		ck_assert_mem_eq(info, ((uint64_t[]){ gone ? 0 : f, g, gone ? 0 : f + 1 }), 24);
		ck_assert_mem_eq(ranges, ((uint64_t[]){ gone ? 1 : f, gone ? 1 : f + 1, 0, 0, g }),
				 40);
		free(info);
		free(ranges);
	}
	end_trial(&trial);
}
END_TEST

/* ---- Damage --------------------------------------------------------------------------------- */

static void read_and_relocate(struct trial *trial)
{
	const struct link_debug *part = NULL;
	unsigned int before = trial->messages;
	int error = link_read_debug(trial->link);

	/* Silent, and then there is none. */
	ck_assert(error == 0 || error == -ENOEXEC);
	check_that(trial->messages == before);
	check_that(!error || !link_next_debug(trial->link, NULL));
	while ((part = link_next_debug(trial->link, part))) {
		unsigned char *buffer;

		check_that(part->size < LINK_MOST * 2);
		/* An alignment may make it large; the bytes are touched all the same. */
		buffer = malloc(part->size ? part->size : 1);
		if (!buffer)
			continue;
		error = link_relocate_debug(trial->link, part, buffer, false);
		check_that(error == 0 || error == -ENOEXEC);
		free(buffer);
	}
}

/* Each byte in turn, or each of some. */
START_TEST(flipped_bytes_never_crash)
{
	struct file file;
	unsigned char *bytes;
	size_t size, step;

	compile("a", _i ? "-g -gz" : "-g", second_source);
	bytes = read_bytes("a.o", &size);
	step = getenv("PERMOD_LONG") ? 1 : 13;
	for (size_t at = 64; at < size; at += step) {
		struct trial trial;

		bytes[at] ^= (unsigned char)(1U << at % 8 | 0x80);
		file = guard(bytes, size);
		start_trial(&trial);
		if (!link_add_memory(trial.link, "a.o", file.data, size, NULL) &&
		    !link_layout(trial.link)) {
			trial.link->base = BASE;
			trial.link->percpu_address = PERCPU;
			read_and_relocate(&trial);
		}
		end_trial(&trial);
		release(&file);
		bytes[at] ^= (unsigned char)(1U << at % 8 | 0x80);
	}
	free(bytes);
}
END_TEST

/* A type of relocation that there is not: no assembler writes one. */
static void spoil_type(Elf64_Rela *entry)
{
	entry->r_info = ELF64_R_INFO(ELF64_R_SYM(entry->r_info), 250);
}

static void spoil_symbol(Elf64_Rela *entry)
{
	entry->r_info = ELF64_R_INFO(1000, R_X86_64_64);
}

static void spoil_offset(Elf64_Rela *entry)
{
	entry->r_offset = 1;
}

static void (*const spoilers[])(Elf64_Rela *) = { spoil_type, spoil_symbol, spoil_offset };

START_TEST(nonsense_is_no_reason_to_refuse)
{
	const struct link_debug *part;
	unsigned char *bytes, buffer[8];
	struct trial trial;
	Elf64_Shdr *section;
	size_t size;

	assemble("a", ".text\nf: ret\n.section .debug_info\n.quad f\n");
	bytes = read_bytes("a.o", &size);
	section = (Elf64_Shdr *)(bytes + ((Elf64_Ehdr *)bytes)->e_shoff);
	while (section->sh_type != SHT_RELA)
		section++;
	spoilers[_i]((Elf64_Rela *)(bytes + section->sh_offset));
	write_file("a.o", bytes, size);
	free(bytes);
	lay_out_files(&trial, "a.o");
	check_ok(&trial, relocate_at(&trial, BASE, PERCPU));
	ck_assert_int_eq(link_read_debug(trial.link), 0);
	part = part_of(&trial, ".debug_info");
	ck_assert_uint_eq(part->size, sizeof(buffer));
	ck_assert_int_eq(link_relocate_debug(trial.link, part, buffer, false), -ENOEXEC);
	ck_assert_uint_eq(trial.messages, 0);
	end_trial(&trial);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("debug");
	TCase *tests = tcase_create("debug");

	tcase_add_loop_test(tests, debug_information_is_as_ld_makes_it, 0, COUNT(flags));
	tcase_add_test(tests, compressed_is_the_same);
	tcase_add_test(tests, code_that_is_gone_has_no_address);
	tcase_add_loop_test(tests, flipped_bytes_never_crash, 0, 2);
	tcase_add_loop_test(tests, nonsense_is_no_reason_to_refuse, 0, COUNT(spoilers));
	tcase_add_checked_fixture(tests, make_directory, remove_directory);
	tcase_set_timeout(tests, getenv("PERMOD_LONG") ? 600 : 60);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
