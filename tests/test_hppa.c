/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Code of hppa is linked here and run by qemu: position-independent code has its GOT's address from
 * the descriptors that pointers to functions lead to, which comparing with ld, whose programs do without
 * them, can't tell of.
 */
#include "tests/machines/cross.h"
#include "tests/machines/parisc.h"

#include <inttypes.h>

#define OUTSIDE ((uint64_t)0x0fff0002) /* as shapes/program.c has it, and 2 for a descriptor */

static const char *const variants[] = { "-O2", "-O0", "-O2 -march=2.0", "-O2 -mlong-calls -DFAR" };

static void write_image(const struct trial *trial)
{
	FILE *file = fopen("image", "w");

	ck_assert_ptr_nonnull(file);
	for (size_t i = 0; i < LINK_REGIONS; i++) {
		const struct link_part *part = &trial->link->part[i];

		ck_assert_int_eq(fseek(file, (long)part->offset, SEEK_SET), 0);
		ck_assert_uint_eq(fwrite(part->buffer, 1, part->size, file), part->size);
	}
	ck_assert_int_eq(fclose(file), 0);
}

static uint64_t address_of(struct trial *trial, const char *name)
{
	return link_symbol_address(trial->link, symbol_of(trial, name));
}

static void link_image(struct trial *trial)
{
	static const struct external list[] = { { "outside", OUTSIDE, true }, { 0 } };

	cross_start(trial, &hppa);
	check_ok(trial, add_file(trial, "pointers.o", NULL));
	check_ok(trial, add_file(trial, "libgcc.a", NULL));
	trial->link->hosted = true;
	check_ok(trial, link_layout(trial->link));
	define_all(trial, list);
	check_ok(trial, cross_relocate(trial, BASE, 0));
	write_image(trial);
}

/* (24 + 1000) / 4, what r19 is outside; 2 + 40, and 40; and 5 + 40. */
START_TEST(code_and_pointers_have_their_own_got)
{
	const char *top = getenv("top_srcdir");
	struct trial trial;

	run("%sgcc -fPIC %s -c -o pointers.o %s/tests/machines/shapes/pointers.c", hppa.prefix,
	    variants[_i], top);
	run("%sgcc -O2 -static -o program %s/tests/machines/shapes/program.c", hppa.prefix, top);
	run("cp $(%sgcc -print-libgcc-file-name) libgcc.a", hppa.prefix);
	link_image(&trial);
	run("qemu-hppa ./program %" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIx64 " > result",
	    address_of(&trial, "start"), address_of(&trial, "give"), link_got_pointer(trial.link),
	    trial.link->part[LINK_TEXT].size);
	run("echo 338 45 | cmp - result");
	end_trial(&trial);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("hppa");
	TCase *tests = tcase_create("hppa");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, make_directory, remove_directory);
	tcase_add_loop_test(tests, code_and_pointers_have_their_own_got, 0, COUNT(variants));
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	if (system("command -v hppa-linux-gnu-gcc >/dev/null && command -v qemu-hppa >/dev/null")) {
		printf("hppa: no compiler or no qemu-hppa here: not tested\n");
		return EXIT_SUCCESS;
	}
	return run_suite(make_suite()) ? EXIT_FAILURE : EXIT_SUCCESS;
}
