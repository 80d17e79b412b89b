/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a module runs when it is loaded and unloaded: constructors, init, exit, destructors and
 * handlers of atexit(), in which order, what an init that fails undoes, and calls from there into
 * the module's own context.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

/* ---- Constructors and destructors ----------------------------------------------------------- */

/* The same source as a program tells the order. */
static void get_order(const char *compiler, char *order, size_t size)
{
	FILE *output;

	command(text("%s -O2 -I'%s/include' -DPROGRAM -o '%s' '%s'", compiler,
		     setting("top_srcdir", "."), work_file("order"), module_source("order")));
	output = popen(text("%s '%s'", emulator() ? emulator() : "", work_file("order")), "r");
	check_that(output && fgets(order, (int)size, output));
	check_that(pclose(output) == 0);
}

static void expect_order(const char *compiler, const char *flags)
{
	struct permod *pm = new_context();
	struct permod_module *m;
	const char *at_load;
	char order[1000];

	get_order(compiler, order, sizeof(order));
	m = load_file(pm, compile_file("order.ko", compiler, flags, module_source("order")), NULL);
	at_load = noted();
	ck_assert_ptr_nonnull(strstr(at_load, "order_init"));
	must(pm, permod_unload(m, 0));
	ck_assert_str_eq(text("%s %s", at_load, noted()), order);
	permod_free(pm);
}

START_TEST(constructors_and_destructors_run_in_the_order_of_a_program)
{
	expect_order(setting("CC", "gcc"), "");
	expect_order(setting("CC", "gcc"), "-fPIC -ffunction-sections");
}
END_TEST

/* As a linker's command line has them. */
START_TEST(constructors_of_several_objects_run_in_the_order_of_linking)
{
	static const char source[] = "#define TEXT(name) #name\n"
				     "#define SHOW(name) TEXT(name)\n"
				     "void note(const char *);\n"
				     "int NAME;\n"
				     "__attribute__((constructor)) static void begin(void)\n"
				     "{ note(SHOW(NAME)); }\n"
				     "__attribute__((destructor)) static void end(void)\n"
				     "{ note(SHOW(NAME)); }\n";
	static const char *const names[] = { "one", "two", "three" };
	struct permod *pm = new_context();
	const char *path = work_file("ordered.a");
	struct permod_module *m;

	command(text("rm -f '%s'", path));
	for (size_t i = 0; i < COUNT(names); i++)
		command(text("ar rcs '%s' '%s'", path,
			     compile(text("%s.o", names[i]), text("-DNAME=%s", names[i]), source)));
	m = load_file(pm, path, NULL);
	ck_assert_str_eq(noted(), "one two three");
	must(pm, permod_unload(m, 0));
	ck_assert_str_eq(noted(), "three two one");
	permod_free(pm);
}
END_TEST

START_TEST(clang_names_priorities_differently)
{
	if (*setting("CLANG", ""))
		expect_order(setting("CLANG", ""), "");
}
END_TEST

/* ---- Init and exit -------------------------------------------------------------------------- */

START_TEST(init_that_fails_undoes_the_load)
{
	struct permod *pm = new_context();
	static struct state before, after;
	struct permod_module *m = (void *)pm, *basic = load(pm, "basic");

	noted();
	look(&before);
	expect_error(pm, permod_load(pm, module_file("failing"), "error=-75 words=x", 0, &m), -75,
		     "load_failing", "init", strerror(75));
	ck_assert_str_eq(noted(), "constructor init destructor");
	look(&after);
	expect_same(&before, &after, "failing init");
	ck_assert_ptr_null(permod_find(pm, "load_failing"));
	/* What it used isn't held, and what it exported isn't taken. */
	must(pm, permod_unload(basic, 0));
	noted();
	m = load_file(pm, module_file("failing"), "error=0");
	ck_assert_ptr_nonnull(permod_symbol(m, "failing_numbers"));
	must(pm, permod_unload(m, 0));
	ck_assert_str_eq(noted(), "constructor init exit destructor");
	permod_free(pm);
}
END_TEST

START_TEST(init_module_and_cleanup_module_do_without_macros)
{
	struct permod *pm = new_context();
	struct permod_module *m =
		load_file(pm,
			  compile("classic.ko", "",
				  "void note(const char *);\n"
				  "int init_module(void) { note(\"in\"); return 0; }\n"
				  "void cleanup_module(void) { note(\"out\"); }\n"),
			  NULL);

	ck_assert_str_eq(noted(), "in");
	must(pm, permod_unload(m, 0));
	ck_assert_str_eq(noted(), "out");
	permod_free(pm);
}
END_TEST

START_TEST(module_with_init_but_no_exit_is_permanent)
{
	struct permod *pm = new_context();
	const char *source = "#include <permod/module.h>\n"
			     "int number = 5;\n"
			     "int *get(void) { return &number; }\n"
			     "static int __init stay(void) { return 0; }\n"
			     "module_init(stay);\n";
	struct permod_module *m = load_file(pm, compile("staying.ko", "", source), NULL);
	int *(*get)(void) = symbol(m, "get");

	expect_error(pm, permod_unload(m, 0), -EBUSY, "staying", "exit");
	ck_assert_ptr_eq(permod_find(pm, "staying"), m);
	/* It stays in memory even longer than the context. */
	permod_free(pm);
	ck_assert_int_eq(*get(), 5);
}
END_TEST

START_TEST(permanent_module_keeps_what_it_uses)
{
	const char *source = "#include <permod/module.h>\n"
			     "int basic_add(int);\n"
			     "int get(void) { return basic_add(2); }\n"
			     "static int __init stay(void) { return 0; }\n"
			     "module_init(stay);\n";
	struct permod *pm = new_context();
	struct permod_module *m;
	int (*get)(void);

	load(pm, "basic");
	m = load_file(pm, compile("keeping.ko", "", source), NULL);
	get = symbol(m, "get");
	permod_free(pm);
	ck_assert_int_eq(get(), 42);
	ck_assert_str_eq(noted(), "basic_init");
}
END_TEST

static void fork_and_wait(void)
{
	pid_t child = fork();

	/* Not just _exit(), where valgrind would look for leaks. */
	if (child == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
}

/* By functions that glibc links into every image instead of exporting them. */
START_TEST(atexit_handlers_run_when_the_module_goes)
{
	const char *source = "#include <permod/module.h>\n"
			     "#include <pthread.h>\n"
			     "#include <stdlib.h>\n"
			     "void note(const char *);\n"
			     "static void first(void) { note(\"first\"); }\n"
			     "static void second(void) { note(\"second\"); }\n"
			     "static void before(void) { note(\"fork\"); }\n"
			     "static int begin(void)\n"
			     "{ return atexit(first) || atexit(second) ||\n"
			     "  pthread_atfork(before, 0, 0) ? -1 : 0; }\n"
			     "module_init(begin);\n"
			     "static void end(void) { note(\"exit\"); }\n"
			     "module_exit(end);\n";
	struct permod *pm = new_context();
	struct permod_module *m = load_file(pm, compile("atexit.ko", "", source), NULL);

	fork_and_wait();
	ck_assert_str_eq(noted(), "fork");
	must(pm, permod_unload(m, 0));
	/* The last registered is the first called. */
	ck_assert_str_eq(noted(), "exit second first");
	fork_and_wait();
	ck_assert_str_eq(noted(), "");
	/* The one that is gone is not asked whose functions the next one's are. */
	m = load_file(pm, work_file("atexit.ko"), NULL);
	must(pm, permod_unload(m, 0));
	ck_assert_str_eq(noted(), "exit second first");
	permod_free(pm);
}
END_TEST

/* As crtbegin.o defines it, and C++ that does without that. */
START_TEST(handlers_are_found_by_a_handle_of_the_modules_own)
{
	static const char source[] =
		"void note(const char *);\n"
		"int __cxa_atexit(void (*)(void *), void *, void *);\n"
		"__attribute__((visibility(\"hidden\"))) void *__dso_handle;\n"
		"static void handler(void *word) { note(word); }\n"
		"int init_module(void)\n"
		"{ return __cxa_atexit(handler, \"handler\", &__dso_handle); }\n"
		"void cleanup_module(void) { note(\"exit\"); }\n";
	struct permod *pm = new_context();
	struct permod_module *m = load_file(pm, compile("handle.ko", "", source), NULL);

	must(pm, permod_unload(m, 0));
	ck_assert_str_eq(noted(), "exit handler");
	permod_free(pm);
}
END_TEST

START_TEST(module_with_neither_init_nor_exit_can_go)
{
	struct permod *pm = new_context();

	must(pm, permod_unload(load(pm, "plain"), 0));
	permod_free(pm);
}
END_TEST

/* ---- Calling back --------------------------------------------------------------------------- */

static struct permod *current;
static struct permod_module *helper_module;

int call_back(const char *when);
int call_back(const char *when)
{
	note(when);
	if (strcmp(when, "init") == 0) {
		helper_module = load(current, "basic");
		/* It isn't there yet: it can be found by nobody, or else not be unloaded. */
		if (permod_find(current, "calling"))
			expect_error(current, permod_unload(permod_find(current, "calling"), 0),
				     -EBUSY, "calling");
	} else {
		must(current, permod_unload(helper_module, 0));
	}
	return 0;
}
EXPORT_SYMBOL(call_back);

START_TEST(init_and_exit_call_back_into_their_context)
{
	const char *source = "#include <permod/module.h>\n"
			     "int call_back(const char *);\n"
			     "static int __init begin(void) { return call_back(\"init\"); }\n"
			     "module_init(begin);\n"
			     "static void __exit end(void) { call_back(\"exit\"); }\n"
			     "module_exit(end);\n";
	struct permod_module *m;

	current = new_context();
	m = load_file(current, compile("calling.ko", "", source), NULL);
	ck_assert_str_eq(noted(), "init basic_init");
	ck_assert_ptr_eq(permod_find(current, "load_basic"), helper_module);
	must(current, permod_unload(m, 0));
	ck_assert_str_eq(noted(), "exit basic_exit");
	ck_assert_ptr_null(permod_next(current, NULL));
	permod_free(current);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("init");
	TCase *tests = tcase_create("init");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, constructors_and_destructors_run_in_the_order_of_a_program);
	tcase_add_test(tests, constructors_of_several_objects_run_in_the_order_of_linking);
	tcase_add_test(tests, clang_names_priorities_differently);
	tcase_add_test(tests, init_that_fails_undoes_the_load);
	tcase_add_test(tests, init_module_and_cleanup_module_do_without_macros);
	tcase_add_test(tests, module_with_init_but_no_exit_is_permanent);
	tcase_add_test(tests, permanent_module_keeps_what_it_uses);
	tcase_add_test(tests, atexit_handlers_run_when_the_module_goes);
	tcase_add_test(tests, handlers_are_found_by_a_handle_of_the_modules_own);
	tcase_add_test(tests, module_with_neither_init_nor_exit_can_go);
	tcase_add_test(tests, init_and_exit_call_back_into_their_context);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return run_suite(make_suite());
}
