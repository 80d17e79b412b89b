/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What mips has besides relocations: small data, which code without -mabicalls finds by $28 as the start
 * of a program has set it, once for all of its code.  A module in a live process has no start.
 */
#include "tests/machines/cross.h"

#include "tests/machines/mips.h"

static const struct machine *const both[] = { &mipsel, &mips64el };

/* Link an object of assembly; `options` are as's. */
static int link_object(struct trial *trial, const struct machine *machine, const char *options,
		       const char *text, bool hosted)
{
	write_file("a.s", text, strlen(text));
	run("%sas %s %s -o a.o a.s", machine->prefix, machine->high ? machine->compile : "",
	    options);
	cross_start(trial, machine);
	trial->link->hosted = hosted;
	check_ok(trial, add_file(trial, "a.o", NULL));
	return link_layout(trial->link);
}

#define SMALL_LOAD ".text\nlw $2, %gp_rel(here)($28)\n.section .sdata, \"aw\"\nhere: .word 0\n"
#define LITERAL_LOAD                                                                               \
	".text\n.reloc 0, R_MIPS_LITERAL, here\nlw $2, 0($28)\n.section .sdata, \"aw\"\n"          \
	"here: .word 0\n"

static void check_refused(const struct machine *machine, const char *text, const char *type)
{
	struct trial trial;

	ck_assert_int_eq(link_object(&trial, machine, "", text, true), -ENOEXEC);
	ck_assert_msg(strstr(trial.message, type) &&
			      strstr(trial.message, "compile with -G0, or with -mabicalls"),
		      "%s", trial.message);
	end_trial(&trial);
}

START_TEST(small_data_of_programs_is_refused_by_live_ones)
{
	check_refused(both[_i], SMALL_LOAD, "R_MIPS_GPREL16");
	check_refused(both[_i], LITERAL_LOAD, "R_MIPS_LITERAL");
}
END_TEST

/* Such an image is started like a program. */
START_TEST(small_data_is_linked_where_nothing_is_live)
{
	struct trial trial;

	ck_assert_int_eq(link_object(&trial, both[_i], "", SMALL_LOAD, false), 0);
	end_trial(&trial);
}
END_TEST

/* It sets $28 itself. */
START_TEST(small_data_of_abicalls_is_linked)
{
	struct trial trial;

	ck_assert_int_eq(link_object(&trial, both[_i], "-KPIC", SMALL_LOAD, true), 0);
	end_trial(&trial);
}
END_TEST

START_TEST(code_without_small_data_is_linked)
{
	struct trial trial;

	ck_assert_int_eq(link_object(&trial, both[_i], "",
				     ".text\nlui $2, %hi(here)\nlw $2, %lo(here)($2)\n"
				     ".data\nhere: .word 0\n",
				     true),
			 0);
	end_trial(&trial);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("mips");
	TCase *tests = tcase_create("mips");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, make_directory, remove_directory);
	tcase_add_loop_test(tests, small_data_of_programs_is_refused_by_live_ones, 0, COUNT(both));
	tcase_add_loop_test(tests, small_data_is_linked_where_nothing_is_live, 0, COUNT(both));
	tcase_add_loop_test(tests, small_data_of_abicalls_is_linked, 0, COUNT(both));
	tcase_add_loop_test(tests, code_without_small_data_is_linked, 0, COUNT(both));
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	if (system("command -v mipsel-linux-gnu-as >/dev/null && "
		   "command -v mips64el-linux-gnuabi64-as >/dev/null")) {
		printf("no binutils for mipsel and mips64el here: not tested\n");
		return 77;
	}
	return run_suite(make_suite());
}
