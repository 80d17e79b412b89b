/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Does a module fit: the interface that it was built for, the host that it is for, namespaces of
 * exports, and licences.  What is refused for a reason that force overrules loads by force, and taints.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <permod/vermagic.h>

#include <stddef.h>

#define HEAD "#include <permod/module.h>\n"
#define GPL HEAD "MODULE_LICENSE(\"GPL\");\n"
#define FOREIGN_VERMAGIC(text)                                                                     \
	"#define PERMOD_NO_VERMAGIC\n" GPL "MODULE_INFO(vermagic, \"" text "\");\n"
#define REFUSED -ENOEXEC

/* ---- What this program exports -------------------------------------------------------------- */

int fit_plain;
EXPORT_SYMBOL_NS(fit_plain, FIT_TEST);
int fit_gpl;
EXPORT_SYMBOL_NS_GPL(fit_gpl, FIT_TEST);
int fit_open_gpl;
EXPORT_SYMBOL_GPL(fit_open_gpl);

static struct permod *context_with(const struct permod_options *options)
{
	struct permod *pm = NULL;

	must(NULL, permod_new(&pm, options));
	return pm;
}

/* A module that uses a variable, with some lines of its own. */
static const char *user_of(const char *variable, const char *lines)
{
	static unsigned int number;

	return compile(text("user_%u.ko", number++), "",
		       text("%sextern int %s;\nint *get(void) { return &%s; }\n%s", HEAD, variable,
			    variable, lines));
}

/* ---- The interface -------------------------------------------------------------------------- */

START_TEST(module_says_what_it_was_built_for)
{
	struct permod *pm = new_context();
	struct permod_file *file;
	const char *info;
	unsigned int found = 0;

	must(pm, permod_file_open(pm, compile("says.ko", "", GPL), &file));
	for (unsigned int i = 0; (info = permod_file_info(file, i)); i++)
		found += strcmp(info, "vermagic=" PERMOD_VERMAGIC) == 0;
	ck_assert_uint_eq(found, 1);
	permod_file_close(file);
	permod_free(pm);
}
END_TEST

START_TEST(other_interface_is_refused_unless_forced)
{
	static const char other[] = "permod-0 x86_64 percpu-1";
	struct permod *pm = new_context();
	const char *path = compile("other.ko", "", FOREIGN_VERMAGIC("permod-0 x86_64 percpu-1"));
	struct permod_module *m;

	expect_error(pm, permod_load(pm, path, NULL, 0, NULL), REFUSED, "other.ko: ", other,
		     PERMOD_VERMAGIC, "another permod");
	ck_assert_uint_eq(permod_taint(pm), 0);
	must(pm, permod_load(pm, path, NULL, PERMOD_LOAD_FORCE, &m));
	ck_assert_uint_eq(permod_module_taint(m), PERMOD_TAINT_FORCED_LOAD);
	ck_assert(strstr(permod_taint_reason(pm, m, PERMOD_TAINT_FORCED_LOAD), other));
	permod_free(pm);
}
END_TEST

START_TEST(module_of_linux_is_told_from_ours)
{
	struct permod *pm = new_context();
	const char *path =
		compile("linux.ko", "", FOREIGN_VERMAGIC("6.1.0 SMP preempt mod_unload "));

	expect_error(pm, permod_load(pm, path, NULL, 0, NULL), REFUSED, "6.1.0 SMP",
		     "not for permod");
	permod_free(pm);
}
END_TEST

/* Force that nothing needs doesn't taint. */
START_TEST(object_without_macros_fits)
{
	struct permod *pm = new_context();
	struct permod_module *m;

	must(pm,
	     permod_load(pm, compile("bare.ko", "", "int number;\n"), NULL, PERMOD_LOAD_FORCE, &m));
	ck_assert_uint_eq(permod_module_taint(m) & PERMOD_TAINT_FORCED_LOAD, 0);
	permod_free(pm);
}
END_TEST

#ifdef __arm__

/* Of an object that says nothing of permod: its attributes do. */
START_TEST(other_registers_for_numbers_are_refused)
{
#ifdef __ARM_PCS_VFP
	const int other = 0;
#else
	const int other = 1;
#endif
	struct permod *pm = new_context();
	const char *source = text("__asm__(\".eabi_attribute 23, 3\\n.eabi_attribute 28, %d\");\n"
				  "int number;\n",
				  other);

	expect_error(pm, permod_load(pm, compile("numbers.ko", "", source), NULL, 0, NULL),
		     -ENOEXEC,
		     "numbers.ko: functions get floating-point numbers in other registers",
		     "than those of this program", "-mfloat-abi");
	permod_free(pm);
}
END_TEST

#endif

START_TEST(plan_tells_misfit)
{
	struct permod *pm = new_context();
	struct permod_plan *plan;

	expect_error(pm,
		     permod_plan(pm, compile("planned.ko", "", FOREIGN_VERMAGIC("permod-0 x y")),
				 &plan),
		     REFUSED, "permod-0 x y");
	ck_assert_ptr_nonnull(strstr(permod_plan_problem(plan, 0), "permod-0 x y"));
	permod_plan_free(plan);
	permod_free(pm);
}
END_TEST

/* ---- The host ------------------------------------------------------------------------------- */

START_TEST(host_takes_modules_that_are_for_it)
{
	const struct permod_options options = { .size = sizeof(options),
						.host = "nginx-1.24-abi3" };
	struct permod *pm = context_with(&options);
	struct permod_module *m;

	expect_error(pm, permod_load(pm, compile("none.ko", "", "int number;\n"), NULL, 0, NULL),
		     REFUSED, "none.ko: ", "MODULE_HOST(\"nginx-1.24-abi3\")");
	expect_error(pm,
		     permod_load(pm,
				 compile("old.ko", "", GPL "MODULE_HOST(\"nginx-1.22-abi2\");\n"),
				 NULL, 0, NULL),
		     REFUSED, "\"nginx-1.22-abi2\"", "\"nginx-1.24-abi3\"");
	must(pm, permod_load(pm,
			     compile("both.ko", "",
				     GPL "MODULE_HOST(\"nginx-1.24-abi3\");\n"
					 "MODULE_HOST(\"nginx-1.22-abi2\");\n"),
			     NULL, 0, &m));
	ck_assert_uint_eq(permod_module_taint(m), 0);
	must(pm, permod_load(pm, work_file("old.ko"), NULL, PERMOD_LOAD_FORCE, &m));
	ck_assert_uint_eq(permod_module_taint(m), PERMOD_TAINT_FORCED_LOAD);
	permod_free(pm);
}
END_TEST

/* What a program was compiled with may have fewer fields, or more that it has not set. */
START_TEST(options_of_other_versions_are_read)
{
	struct {
		struct permod_options known;
		void *more;
	} later = { { .size = sizeof(later), .host = "h" }, NULL };
	struct permod_options first = { .size = offsetof(struct permod_options, licences),
					.host = "not looked at" };
	struct permod *pm = context_with(&first);

	must(pm, permod_load(pm, compile("any.ko", "", GPL), NULL, 0, NULL));
	permod_free(pm);
	pm = context_with(&later.known);
	expect_error(pm, permod_load(pm, work_file("any.ko"), NULL, 0, NULL), REFUSED, "\"h\"");
	permod_free(pm);
	later.more = &later;
	ck_assert_int_eq(permod_new(&pm, &later.known), -EINVAL);
	first.size = sizeof(size_t);
	ck_assert_int_eq(permod_new(&pm, &first), -EINVAL);
}
END_TEST

/* ---- Namespaces ----------------------------------------------------------------------------- */

/* As kernels since 6.13 write them, on either side. */
START_TEST(namespaces_are_the_same_with_quotes)
{
	static const char *const written[] = { "SPACE", "\"SPACE\"" };
	char export[256], import[128];

	for (size_t i = 0; i < 4; i++) {
		struct permod *pm = new_context();
		const char *other = written[i / 2];

		snprintf(export, sizeof(export), GPL "int in_it;\nEXPORT_SYMBOL_NS(in_it, %s);\n",
			 written[i % 2]);
		snprintf(import, sizeof(import), "MODULE_IMPORT_NS(%s);\n", other);
		must(pm, permod_load(pm, compile("quoted.ko", "", export), NULL, 0, NULL));
		must(pm, permod_load(pm, user_of("in_it", import), NULL, 0, NULL));
		permod_free(pm);
		pm = new_context();
		snprintf(import, sizeof(import), "MODULE_IMPORT_NS(%s);\n",
			 i / 2 ? "\"SPAC\"" : "SPACES");
		must(pm, permod_load(pm, work_file("quoted.ko"), NULL, 0, NULL));
		expect_error(pm, permod_load(pm, user_of("in_it", import), NULL, 0, NULL), -EINVAL,
			     "in_it", "SPACE");
		permod_free(pm);
	}
}
END_TEST

START_TEST(namespace_of_the_host_must_be_imported)
{
	struct permod *pm = new_context();
	struct permod_module *m;

	expect_error(pm, permod_load(pm, user_of("fit_plain", ""), NULL, 0, NULL), -EINVAL,
		     "fit_plain", "FIT_TEST", "MODULE_IMPORT_NS(FIT_TEST);");
	/* A licence does not help. */
	expect_error(pm,
		     permod_load(pm, user_of("fit_plain", "MODULE_LICENSE(\"GPL\");\n"), NULL, 0,
				 NULL),
		     -EINVAL, "fit_plain");
	expect_error(pm,
		     permod_load(pm, user_of("fit_plain", "MODULE_IMPORT_NS(FIT_TES);\n"), NULL, 0,
				 NULL),
		     -EINVAL, "fit_plain");
	must(pm, permod_load(pm,
			     user_of("fit_plain",
				     "MODULE_IMPORT_NS(OTHER);\nMODULE_IMPORT_NS(FIT_TEST);\n"),
			     NULL, 0, &m));
	ck_assert_ptr_eq(((int *(*)(void))symbol(m, "get"))(), &fit_plain);
	/* Nor does the namespace help without the licence. */
	expect_error(pm,
		     permod_load(pm, user_of("fit_gpl", "MODULE_IMPORT_NS(FIT_TEST);\n"), NULL, 0,
				 NULL),
		     -EPERM, "fit_gpl");
	must(pm, permod_load(pm,
			     user_of("fit_gpl", "MODULE_IMPORT_NS(FIT_TEST);\n"
						"MODULE_LICENSE(\"GPL\");\n"),
			     NULL, 0, NULL));
	permod_free(pm);
}
END_TEST

START_TEST(namespace_of_a_module_must_be_imported)
{
	struct permod *pm = new_context();

	load_file(pm,
		  compile("exports.ko", "",
			  GPL "int in_space;\nEXPORT_SYMBOL_NS(in_space, SPACE_ONE);\n"
			      "int in_none;\nEXPORT_SYMBOL(in_none);\n"),
		  NULL);
	load_file(pm,
		  compile("default.ko", "-DDEFAULT_SYMBOL_NAMESPACE=SPACE_TWO",
			  GPL "int by_default;\nEXPORT_SYMBOL_GPL(by_default);\n"),
		  NULL);
	expect_error(pm, permod_load(pm, user_of("in_space", ""), NULL, 0, NULL), -EINVAL,
		     "in_space", "MODULE_IMPORT_NS(SPACE_ONE);");
	expect_error(pm,
		     permod_load(pm, user_of("by_default", "MODULE_LICENSE(\"GPL\");\n"), NULL, 0,
				 NULL),
		     -EINVAL, "by_default", "MODULE_IMPORT_NS(SPACE_TWO);");
	must(pm, permod_load(pm, user_of("in_none", ""), NULL, 0, NULL));
	must(pm,
	     permod_load(pm, user_of("in_space", "MODULE_IMPORT_NS(SPACE_ONE);\n"), NULL, 0, NULL));
	must(pm, permod_load(pm,
			     user_of("by_default", "MODULE_IMPORT_NS(SPACE_TWO);\n"
						   "MODULE_LICENSE(\"GPL\");\n"),
			     NULL, 0, NULL));
	permod_free(pm);
}
END_TEST

START_TEST(host_gives_namespaces_by_call)
{
	static int number;
	const struct permod_export export = { "by_call\0CALLED", &number, PERMOD_EXPORT_NAMESPACE };
	struct permod *pm = new_context();

	must(pm, permod_export(pm, &export, 1));
	expect_error(pm, permod_load(pm, user_of("by_call", ""), NULL, 0, NULL), -EINVAL,
		     "MODULE_IMPORT_NS(CALLED);");
	must(pm, permod_load(pm, user_of("by_call", "MODULE_IMPORT_NS(CALLED);\n"), NULL, 0, NULL));
	permod_free(pm);
}
END_TEST

/* ---- Licences ------------------------------------------------------------------------------- */

START_TEST(host_chooses_licences)
{
	static const char *const licences[] = { "Apache-2.0", "MIT", NULL };
	const struct permod_options options = { .size = sizeof(options), .licences = licences };
	struct permod *pm = context_with(&options);
	struct permod_module *m;

	must(pm,
	     permod_load(pm, user_of("fit_open_gpl", "MODULE_LICENSE(\"MIT\");\n"), NULL, 0, &m));
	ck_assert_uint_eq(permod_module_taint(m), 0);
	expect_error(pm,
		     permod_load(pm, user_of("fit_open_gpl", "MODULE_LICENSE(\"GPL\");\n"), NULL, 0,
				 NULL),
		     -EPERM, "fit_open_gpl", "\"GPL\"");
	must(pm, permod_load(pm, compile("gpl.ko", "", GPL), NULL, 0, &m));
	ck_assert_uint_eq(permod_module_taint(m), PERMOD_TAINT_PROPRIETARY);
	permod_free(pm);
}
END_TEST

/* ---- Recorded types ------------------------------------------------------------------------- */

#define TYPES(lines)                                                                               \
	"__asm__(\".pushsection .permod.types\\n.ascii \\\"" lines "\\\"\\n.popsection\");\n"
#define LINE "\\\\n"

/* Lines of members that something parts from their structure are nobody's, on either side. */
START_TEST(members_stand_behind_their_structure)
{
	static const char whole[] = TYPES("permod-types 1" LINE "import pair 00000001 struct s" LINE
					  "struct s 8" LINE " m 0 i32" LINE " n 4 i32" LINE);
	static const char parted[] =
		TYPES("permod-types 1" LINE "import pair 00000001 struct s" LINE "struct s 8" LINE
		      " m 0 i32" LINE "import other 00000002 i32" LINE " n 4 i32" LINE);
	const char *provider =
		compile("pair.ko", "",
			GPL "int pair[2];\nEXPORT_SYMBOL(pair);\n" TYPES(
				"permod-types 1" LINE "export pair 00000003 struct s" LINE
				"struct s 8" LINE " m 0 i32" LINE " n 4 i32" LINE));
	const char *broken =
		compile("broken.ko", "",
			GPL "int pair[2];\nEXPORT_SYMBOL(pair);\n" TYPES(
				"permod-types 1" LINE "export pair 00000003 struct s" LINE
				"struct s 8" LINE " m 0 i32" LINE "export q 00000004 i32" LINE
				" n 4 i32" LINE));
	struct permod *pm = new_context();
	struct permod_module *m;

	must(pm, permod_load(pm, provider, NULL, 0, &m));
	must(pm, permod_load(pm, user_of("pair", whole), NULL, 0, NULL));
	expect_error(pm, permod_load(pm, user_of("pair", parted), NULL, 0, NULL), REFUSED,
		     "pair: struct s: member n", "is new");
	permod_free(pm);
	pm = new_context();
	must(pm, permod_load(pm, broken, NULL, 0, &m));
	expect_error(pm, permod_load(pm, user_of("pair", whole), NULL, 0, NULL), REFUSED,
		     "pair: struct s: member n", "is gone");
	permod_free(pm);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fit");
	TCase *tests = tcase_create("fit");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, module_says_what_it_was_built_for);
	tcase_add_test(tests, other_interface_is_refused_unless_forced);
	tcase_add_test(tests, module_of_linux_is_told_from_ours);
	tcase_add_test(tests, object_without_macros_fits);
#ifdef __arm__
	tcase_add_test(tests, other_registers_for_numbers_are_refused);
#endif
	tcase_add_test(tests, plan_tells_misfit);
	tcase_add_test(tests, host_takes_modules_that_are_for_it);
	tcase_add_test(tests, options_of_other_versions_are_read);
	tcase_add_test(tests, namespace_of_the_host_must_be_imported);
	tcase_add_test(tests, namespaces_are_the_same_with_quotes);
	tcase_add_test(tests, namespace_of_a_module_must_be_imported);
	tcase_add_test(tests, host_gives_namespaces_by_call);
	tcase_add_test(tests, host_chooses_licences);
	tcase_add_test(tests, members_stand_behind_their_structure);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
