/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taint: which flags a module and its context get, why, and how they are written.  Bits and letters are
 * those of the kernel's Documentation/admin-guide/tainted-kernels.rst.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#define GPL "#include <permod/module.h>\nMODULE_LICENSE(\"GPL\");\n"

static struct permod_module *load_source(struct permod *pm, const char *name, const char *source)
{
	return load_file(pm, compile(text("%s.ko", name), "", source), NULL);
}

START_TEST(bits_and_letters_are_the_kernels)
{
	char letters[PERMOD_TAINT_TEXT];

	ck_assert_uint_eq(PERMOD_TAINT_PROPRIETARY, 1);
	ck_assert_uint_eq(PERMOD_TAINT_FORCED_LOAD, 2);
	ck_assert_uint_eq(PERMOD_TAINT_FORCED_UNLOAD, 8);
	ck_assert_uint_eq(PERMOD_TAINT_UNSIGNED, 8192);
	ck_assert_uint_eq(PERMOD_TAINT_TEST, 262144);
	ck_assert_str_eq(permod_taint_text(0, letters), "");
	ck_assert_str_eq(permod_taint_text(8 | 1, letters), "PR");
	ck_assert_str_eq(permod_taint_text(1 | 2 | 8 | 8192 | 262144, letters), "PFREN");
}
END_TEST

START_TEST(free_module_taints_nothing)
{
	struct permod *pm = new_context();
	struct permod_module *m = load_source(pm, "free", GPL);

	ck_assert_uint_eq(permod_module_taint(m), 0);
	ck_assert_uint_eq(permod_taint(pm), 0);
	ck_assert_ptr_null(permod_taint_reason(pm, NULL, PERMOD_TAINT_PROPRIETARY));
	ck_assert_ptr_null(permod_taint_reason(pm, m, PERMOD_TAINT_TEST));
	permod_free(pm);
}
END_TEST

START_TEST(licence_taints_module_and_context)
{
	struct permod *pm = new_context();
	struct permod_module *good = load_source(pm, "good", GPL), *none, *other;

	none = load_source(pm, "none", "int number;\n");
	other = load_source(pm, "other",
			    "#include <permod/module.h>\nMODULE_LICENSE(\"Secret\");\n");
	ck_assert_uint_eq(permod_module_taint(good), 0);
	ck_assert_uint_eq(permod_module_taint(none), PERMOD_TAINT_PROPRIETARY);
	ck_assert_uint_eq(permod_module_taint(other), PERMOD_TAINT_PROPRIETARY);
	ck_assert(strstr(permod_taint_reason(pm, other, PERMOD_TAINT_PROPRIETARY), "\"Secret\""));
	/* The first one's, also when that is gone. */
	must(pm, permod_unload(none, 0));
	ck_assert_uint_eq(permod_taint(pm), PERMOD_TAINT_PROPRIETARY);
	ck_assert(strstr(permod_taint_reason(pm, NULL, PERMOD_TAINT_PROPRIETARY), "none.ko: "));
	permod_free(pm);
}
END_TEST

START_TEST(test_module_taints)
{
	struct permod *pm = new_context();
	struct permod_module *m = load_source(pm, "test", GPL "MODULE_INFO(test, \"Y\");\n");

	ck_assert_uint_eq(permod_module_taint(m), PERMOD_TAINT_TEST);
	ck_assert_uint_eq(permod_taint(pm), PERMOD_TAINT_TEST);
	ck_assert(strstr(permod_taint_reason(pm, m, PERMOD_TAINT_TEST), "test.ko: "));
	permod_free(pm);
}
END_TEST

/* Nothing of what is refused has run. */
START_TEST(refused_module_taints_nothing)
{
	struct permod *pm = new_context();

	ck_assert_int_eq(permod_load(pm,
				     compile("refused.ko", "",
					     "extern int nobody_has_it;\n"
					     "int *get(void) { return &nobody_has_it; }\n"),
				     NULL, 0, NULL),
			 -ENOENT);
	ck_assert_uint_eq(permod_taint(pm), 0);
	permod_free(pm);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("taint");
	TCase *tests = tcase_create("taint");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, bits_and_letters_are_the_kernels);
	tcase_add_test(tests, free_module_taints_nothing);
	tcase_add_test(tests, licence_taints_module_and_context);
	tcase_add_test(tests, test_module_taints);
	tcase_add_test(tests, refused_module_taints_nothing);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
