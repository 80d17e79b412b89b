/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which version of a symbol modules get, of those that libraries of the host have: the default one, as
 * a linker would have chosen, unless the object asks for another by name.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <dlfcn.h>
#include <glob.h>
#include <pthread.h>
#include <regex.h>
#include <spawn.h>

/* ---- A library with versions ---------------------------------------------------------------- */

/* it() has three versions; gone() is there only for programs that were linked long ago. */
static void *open_library(void)
{
	static const char source[] =
		"int it_old(void) { return 1; } int it_middle(void) { return 2; }\n"
		"int it_new(void) { return 3; } int gone_old(void) { return 4; }\n"
		"__asm__(\".symver it_old, it@OLD\"); __asm__(\".symver it_middle, it@MIDDLE\");\n"
		"__asm__(\".symver it_new, it@@NEW\"); __asm__(\".symver gone_old, gone@OLD\");\n";
	static const char map[] = "OLD { global: it; gone; local: it_*; gone_*; };\n"
				  "MIDDLE { global: it; } OLD; NEW { global: it; } MIDDLE;\n";
	void *library;

	write_file(work_file("library.c"), source, strlen(source));
	write_file(work_file("library.map"), map, strlen(map));
	command(text("%s -shared -fPIC -o '%s' '%s' -Wl,--version-script,'%s'",
		     setting("CC", "gcc"), work_file("library.so"), work_file("library.c"),
		     work_file("library.map")));
	library = dlopen(work_file("library.so"), RTLD_NOW | RTLD_GLOBAL);
	ck_assert_msg(library, "%s", dlerror());
	return library;
}

/* What a module returns that calls a function by this name. */
static int result_of(struct permod *pm, const char *name, const char *flags)
{
	struct permod_module *m;
	int (*run)(void), result;

	m = load_file(pm,
		      compile("calls.ko", flags,
			      text("int called(void); __asm__(\".symver called, %s\");\n"
				   "int run(void) { return called(); }\n",
				   name)),
		      NULL);
	run = (int (*)(void))symbol(m, "run");
	result = run();
	must(pm, permod_unload(m, 0));
	return result;
}

START_TEST(version_that_is_asked_for_is_taken)
{
	static const char *const kinds[] = { "", "-fPIC", "-fno-pie -fno-pic",
					     "-fPIC -mcmodel=large" };
	struct permod *pm;

	if (!knows_flags(kinds[_i]))
		return;
	pm = new_context();
	open_library();
	ck_assert_int_eq(result_of(pm, "it@OLD", kinds[_i]), 1);
	ck_assert_int_eq(result_of(pm, "it@MIDDLE", kinds[_i]), 2);
	ck_assert_int_eq(result_of(pm, "it@NEW", kinds[_i]), 3);
	ck_assert_int_eq(result_of(pm, "it@@@NEW", kinds[_i]), 3);
	ck_assert_int_eq(result_of(pm, "gone@OLD", kinds[_i]), 4);
	permod_free(pm);
}
END_TEST

START_TEST(default_version_is_taken_otherwise)
{
	struct permod *pm = new_context();
	struct permod_module *m;
	int (*run)(void);

	open_library();
	m = load_file(pm, compile("plain.ko", "", "int it(void); int run(void) { return it(); }\n"),
		      NULL);
	run = (int (*)(void))symbol(m, "run");
	ck_assert_int_eq(run(), 3);
	/* A linker finds no default version either. */
	expect_error(pm,
		     permod_load(pm,
				 compile("gone.ko", "",
					 "int gone(void); int run(void) { return gone(); }\n"),
				 NULL, 0, NULL),
		     -ENOENT, "gone.ko", "undefined symbol: gone");
	permod_free(pm);
}
END_TEST

START_TEST(version_that_nobody_has_is_named)
{
	struct permod *pm = new_context();
	struct permod_module *m;
	int (*run)(void);

	open_library();
	expect_error(
		pm,
		permod_load(pm,
			    compile("other.ko", "",
				    "int called(void); __asm__(\".symver called, it@OTHER\");\n"
				    "int run(void) { return called(); }\n"),
			    NULL, 0, NULL),
		-ENOENT, "other.ko", "undefined symbol: it@OTHER");
	m = load_file(pm,
		      compile("weak.ko", "-fPIC",
			      "int called(void) __attribute__((weak));\n"
			      "__asm__(\".symver called, it@OTHER\");\n"
			      "int run(void) { return called ? called() : 77; }\n"),
		      NULL);
	run = (int (*)(void))symbol(m, "run");
	ck_assert_int_eq(run(), 77);
	permod_free(pm);
}
END_TEST

/* ---- Versions of the C library -------------------------------------------------------------- */

/* This program's linker chose; some of these have an older version with other structures. */
#define CHOSEN(name)                                                                               \
	{                                                                                          \
#name, (void *)name                                                                \
	}
static const struct {
	const char *name;
	void *chosen;
} library[] = {
	CHOSEN(memcpy),
	CHOSEN(pthread_cond_wait),
	CHOSEN(pthread_cond_init),
	CHOSEN(pthread_cond_signal),
	CHOSEN(regexec),
	CHOSEN(realpath),
	CHOSEN(posix_spawn),
	CHOSEN(glob),
	CHOSEN(fclose),
};

START_TEST(version_of_a_function_of_libc_is_that_of_this_program)
{
	struct permod *pm = new_context();
	struct permod_module *m;

	m = load_file(pm,
		      compile("address.ko", _i % 2 ? "-fPIC" : "",
			      text("extern char it[] __asm__(\"%s\"); const void *address = it;\n",
				   library[_i].name)),
		      NULL);
	/* Descriptors of a function can be several. */
	ck_assert_ptr_eq(code_at(*(void **)symbol(m, "address")), code_at(library[_i].chosen));
	permod_free(pm);
}
END_TEST

/* ---- Versions that a module has itself ------------------------------------------------------ */

START_TEST(versions_of_a_module_meet_in_an_archive)
{
	struct permod *pm = new_context();
	struct permod_module *m;
	const char *archive = work_file("versions.a");
	int (*run)(void), (*it)(void);

	open_library();
	compile("has.o", "",
		"int it_old(void) { return 10; } int it_new(void) { return 30; }\n"
		"__asm__(\".symver it_old, it@OLD\"); __asm__(\".symver it_new, it@@NEW\");\n");
	compile("uses.o", "",
		"int it(void), it_old(void), it_middle(void);\n"
		"__asm__(\".symver it_old, it@OLD\"); __asm__(\".symver it_middle, it@MIDDLE\");\n"
		"int run(void) { return it_old() * 10000 + it_middle() * 100 + it(); }\n");
	command(text("rm -f '%s' && ar rcs '%s' '%s' '%s'", archive, archive, work_file("has.o"),
		     work_file("uses.o")));
	m = load_file(pm, archive, NULL);
	run = (int (*)(void))symbol(m, "run");
	/* The one in the middle is the library's. */
	ck_assert_int_eq(run(), 100230);
	it = (int (*)(void))symbol(m, "it");
	ck_assert_int_eq(it(), 30);
	permod_free(pm);
}
END_TEST

/* --------------------------------------------------------------------------------------------- */

#define NO_VERSIONS "the C library gives the default version only (no dlvsym())"

int main(void)
{
	Suite *suite = suite_create("versions");
	TCase *tests = tcase_create("versions");

	tcase_set_timeout(tests, 120);
#ifdef HAVE_DLVSYM
	tcase_add_loop_test(tests, version_that_is_asked_for_is_taken, 0, 4);
	tcase_add_test(tests, version_that_nobody_has_is_named);
	tcase_add_test(tests, versions_of_a_module_meet_in_an_archive);
#else
	LEAVE_OUT(version_that_is_asked_for_is_taken, NO_VERSIONS);
	LEAVE_OUT(version_that_nobody_has_is_named, NO_VERSIONS);
	LEAVE_OUT(versions_of_a_module_meet_in_an_archive, NO_VERSIONS);
#endif
	tcase_add_test(tests, default_version_is_taken_otherwise);
	tcase_add_loop_test(tests, version_of_a_function_of_libc_is_that_of_this_program, 0,
			    COUNT(library));
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
