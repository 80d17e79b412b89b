/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions that are chosen at load time (IFUNC) in modules that run: however they are called or
 * named, in every kind of code, and what their resolvers may do.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <dlfcn.h>

/* ---- Called and named ----------------------------------------------------------------------- */

/* Each bit of run()'s result is something that is right. */
static const char source[] =
	"void note(const char *);\n"
	"static int one(int x) { return x + 1; }\n"
	"static int two(int x) { return x + 2; }\n"
	"static int (*choose_one(void))(int) { note(\"one\"); return one; }\n"
	"static int (*choose_two(void))(int) { note(\"two\"); return two; }\n"
	"int global(int) __attribute__((ifunc(\"choose_one\")));\n"
	"__attribute__((visibility(\"hidden\"))) int hidden(int)\n"
	"	__attribute__((ifunc(\"choose_two\")));\n"
	"static int local(int) __attribute__((ifunc(\"choose_two\")));\n"
	"int (*pointers[])(int) = { global, hidden, local };\n"
	"static int (*const constant)(int) = global;\n"
	"int (*volatile read)(int);\n"
	"__attribute__((constructor)) static void early(void) {\n"
	"	note(global(4) == 5 && local(4) == 6 ? \"constructor\" : \"wrong\"); }\n"
	"extern int (*other_address(void))(int), other_call(int);\n"
	"int run(void) {\n"
	"	int right = 0; read = global;\n"
	"	right |= (global(1) == 2) << 0; right |= (hidden(1) == 3) << 1;\n"
	"	right |= (local(1) == 3) << 2; right |= (pointers[0](5) == 6) << 3;\n"
	"	right |= (pointers[1](5) == 7) << 4; right |= (pointers[2](5) == 7) << 5;\n"
	"	right |= (pointers[0] == read) << 6; right |= (read(2) == 3) << 7;\n"
	"	right |= (constant == read) << 8; right |= (other_call(1) == 2) << 9;\n"
	"	right |= (other_address() == read) << 10; read = local;\n"
	"	right |= (read == pointers[2] && read(0) == 2) << 11; return right; }\n";
static const char other_source[] = "extern int global(int);\n"
				   "int (*other_address(void))(int) { return global; }\n"
				   "int other_call(int x) { return global(x); }\n";

static const char *const flags[] = {
	"",
	"-fPIC",
	"-fno-pie -fno-pic",
	"-O0",
	"-O0 -fPIC",
	"-O0 -fno-pie -fno-pic",
	"-fPIC -fno-plt",
	"-fPIE -fno-plt",
	"-fPIC -mcmodel=large",
	"-fno-pie -fno-pic -mcmodel=large",
	"-fPIC -mcmodel=medium",
	"-fno-pie -fno-pic -mcmodel=kernel",
	"-fPIC -mno-direct-extern-access",
};

static bool accepts(const char *options)
{
	return system(text("echo 'int x;' | %s -Werror %s -x c -c -o /dev/null - 2>/dev/null",
			   setting("CC", "gcc"), options)) == 0;
}

static const char *make_archive(const char *options)
{
	const char *archive = work_file("chosen.a");

	compile("chosen.o", options, source);
	compile("other.o", options, other_source);
	command(text("rm -f '%s' && ar rcs '%s' '%s' '%s'", archive, archive, work_file("chosen.o"),
		     work_file("other.o")));
	return archive;
}

START_TEST(function_that_is_chosen_is_the_same_for_all)
{
	struct permod *pm = new_context();
	struct permod_module *m;
	int (*run)(void), (*global)(int);

	if (!accepts(flags[_i]))
		return;
	m = load_file(pm, make_archive(flags[_i]), NULL);
	ck_assert_str_eq(noted(), "one two two constructor");
	run = (int (*)(void))symbol(m, "run");
	ck_assert_int_eq(run(), 0xfff);
	global = (int (*)(int))symbol(m, "global");
	ck_assert_int_eq(global(10), 11);
	ck_assert_ptr_eq((void *)global, *(void **)symbol(m, "pointers"));
	ck_assert_str_eq(noted(), "");
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}
END_TEST

/* What permod_plan() says needs no code to run. */
START_TEST(plan_calls_no_resolver)
{
	struct permod *pm = new_context();
	struct permod_plan *plan;

	must(pm, permod_plan(pm, make_archive(""), &plan));
	ck_assert_ptr_null(permod_plan_problem(plan, 0));
	ck_assert_str_eq(noted(), "");
	permod_plan_free(plan);
	permod_free(pm);
}
END_TEST

/* Nor does a load for tools run any code. */
START_TEST(no_resolver_runs_if_init_does_not)
{
	struct permod *pm = new_context();
	struct permod_module *m = NULL;

	must(pm, permod_load(pm, make_archive(""), NULL, PERMOD_LOAD_NO_INIT, &m));
	ck_assert_ptr_nonnull(symbol(m, "global"));
	must(pm, permod_unload(m, 0));
	ck_assert_str_eq(noted(), "");
	permod_free(pm);
}
END_TEST

/* ---- Between modules, and the host ---------------------------------------------------------- */

START_TEST(function_that_is_chosen_can_be_exported)
{
	struct permod *pm = new_context();
	struct permod_module *first, *second;
	int (*call)(int), (*(*address)(void))(int);

	first = load_file(pm,
			  compile("giver.ko", "",
				  "#include <permod/module.h>\n"
				  "static int one(int x) { return x + 1; }\n"
				  "static int (*choose(void))(int) { return one; }\n"
				  "int chosen(int) __attribute__((ifunc(\"choose\")));\n"
				  "EXPORT_SYMBOL(chosen);\n"),
			  NULL);
	second = load_file(pm,
			   compile("taker.ko", "",
				   "int chosen(int); int call(int x) { return chosen(x) * 10; }\n"
				   "int (*address(void))(int) { return chosen; }\n"),
			   NULL);
	call = (int (*)(int))symbol(second, "call");
	address = (int (*(*)(void))(int))symbol(second, "address");
	ck_assert_int_eq(call(3), 40);
	ck_assert_ptr_eq((void *)address(), symbol(first, "chosen"));
	expect_error(pm, permod_unload(first, 0), -EBUSY, "giver", "taker");
	must(pm, permod_unload(second, 0));
	must(pm, permod_unload(first, 0));
	permod_free(pm);
}
END_TEST

/* memcpy() and strlen() of most C libraries are such functions. */
START_TEST(functions_that_libraries_choose_are_those_that_dlsym_finds)
{
	struct permod *pm = new_context();
	struct permod_module *m = load_file(
		pm,
		compile("libc.ko", _i ? "-fPIC -fno-builtin" : "-fno-builtin",
			"#include <string.h>\n"
			"void *one = (void *)strlen, *two = (void *)strcasecmp;\n"
			"size_t run(const char *s) { return strlen(s) + !strcasecmp(s, \"ABC\"); }\n"),
		NULL);
	size_t (*run)(const char *) = (size_t(*)(const char *))symbol(m, "run");

	ck_assert_uint_eq(run("abc"), 4);
	ck_assert_ptr_eq(*(void **)symbol(m, "one"), dlsym(RTLD_DEFAULT, "strlen"));
	ck_assert_ptr_eq(*(void **)symbol(m, "two"), dlsym(RTLD_DEFAULT, "strcasecmp"));
	permod_free(pm);
}
END_TEST

/* ---- What resolvers may do ------------------------------------------------------------------ */

static char code_access[8], table_access[8];

/* What may be done with code and with read-only data, while a resolver runs. */
int look_at(const void *code, const void *table);
int look_at(const void *code, const void *table)
{
	static char maps[1 << 17];

	code_access[0] = table_access[0] = '\0';
	check_that(read_whole("/proc/self/maps", maps, sizeof(maps)) + 1 < sizeof(maps));
	for (char *line = maps; *line; line = strchr(line, '\n') + 1) {
		unsigned long begin, end;
		char access[8];

		check_that(sscanf(line, "%lx-%lx %7s", &begin, &end, access) == 3);
		/* Valgrind has some of its own. */
		check_that(under_valgrind() || !(access[1] == 'w' && access[2] == 'x'));
		if ((uintptr_t)code - begin < end - begin)
			strcpy(code_access, access);
		if ((uintptr_t)table - begin < end - begin)
			strcpy(table_access, access);
	}
	return 1;
}
EXPORT_SYMBOL(look_at);

START_TEST(nothing_is_writable_and_executable_while_resolvers_run)
{
	static const char looks[] =
		"int look_at(const void *, const void *);\n"
		"extern int (*const table[])(void);\n"
		"static int one(void) { return 1; }\n"
		"static int (*choose(void))(void) { return look_at(one, table) ? one : 0; }\n"
		"int chosen(void) __attribute__((ifunc(\"choose\")));\n"
		"int (*const table[])(void) = { chosen };\n";
	struct permod *pm = new_context();
	struct permod_module *m = load_file(pm, compile("looks.ko", "", looks), NULL);
	const void *const table = symbol(m, "table");

	ck_assert_str_eq(code_access, "r-xp");
	ck_assert_str_eq(table_access, "rw-p");
	look_at(symbol(m, "chosen"), table);
	ck_assert_str_eq(code_access, "r-xp");
	ck_assert_str_eq(table_access, "r--p");
	ck_assert_int_eq((*(int (*const *)(void))table)(), 1);
	permod_free(pm);
}
END_TEST

/* Functions of the C library, tables, relocated data, and what was chosen before. */
START_TEST(resolver_may_use_what_is_relocated)
{
	struct permod *pm = new_context();
	struct permod_module *m = load_file(
		pm,
		compile("uses.ko", _i ? "-fPIC" : "",
			"#include <stdlib.h>\n#include <string.h>\n"
			"static int one(void) { return 1; }\nstatic int two(void) { return 2; }\n"
			"static int (*const table[])(void) = { one, two };\n"
			"static const char *const names[] = { \"one\", \"two\" };\n"
			"int before(void) __attribute__((ifunc(\"first\")));\n"
			"int after(void) __attribute__((ifunc(\"second\")));\n"
			"static int (*first(void))(void) {\n"
			"	const char *wanted = getenv(\"PERMOD_TEST_CHOICE\");\n"
			"	return table[wanted && !strcmp(wanted, names[1])]; }\n"
			"static int (*second(void))(void) { return before() == 2 ? one : two; }\n"
			"int run(void) { return before() * 10 + after(); }\n"),
		NULL);
	int (*run)(void) = (int (*)(void))symbol(m, "run");

	ck_assert_int_eq(run(), 12);
	must(pm, permod_unload(m, 0));
	setenv("PERMOD_TEST_CHOICE", "two", 1);
	m = load_file(pm, work_file("uses.ko"), NULL);
	unsetenv("PERMOD_TEST_CHOICE");
	run = (int (*)(void))symbol(m, "run");
	ck_assert_int_eq(run(), 21);
	permod_free(pm);
}
END_TEST

#if defined(__x86_64__) || defined(__i386__)
/* Compilers choose by what libgcc finds out about the CPU. */
static const char features[] =
	"int sse2, avx2, bmi2, vbmi2;\n"
	"__attribute__((constructor)) static void look(void) {\n"
	"	__builtin_cpu_init(); sse2 = __builtin_cpu_supports(\"sse2\");\n"
	"	avx2 = __builtin_cpu_supports(\"avx2\"); bmi2 = __builtin_cpu_supports(\"bmi2\");\n"
	"	vbmi2 = __builtin_cpu_supports(\"avx512vbmi2\"); }\n";

START_TEST(features_of_the_cpu_are_those_that_the_host_sees)
{
	static const char *const kinds[] = { "", "-fPIC", "-fno-pie -fno-pic" };
	struct permod *pm = new_context();
	struct permod_module *m = load_file(pm, compile("cpu.ko", kinds[_i], features), NULL);

	__builtin_cpu_init();
	ck_assert_int_eq(!*(int *)symbol(m, "sse2"), !__builtin_cpu_supports("sse2"));
	ck_assert_int_eq(!*(int *)symbol(m, "avx2"), !__builtin_cpu_supports("avx2"));
	ck_assert_int_eq(!*(int *)symbol(m, "bmi2"), !__builtin_cpu_supports("bmi2"));
	ck_assert_int_eq(!*(int *)symbol(m, "vbmi2"), !__builtin_cpu_supports("avx512vbmi2"));
	permod_free(pm);
}
END_TEST

START_TEST(clones_for_several_targets_run)
{
	static const char *const kinds[] = { "", "-fPIC", "-fno-pie -fno-pic" };
	static const char clones[] =
		"__attribute__((target_clones(\"avx2\", \"sse4.2\", \"default\")))\n"
		"int sum(const int *a, int n) { int s = 0;\n"
		"	for (int i = 0; i < n; i++) s += a[i]; return s; }\n"
		"static int a[1000]; int run(void) {\n"
		"	for (int i = 0; i < 1000; i++) a[i] = i; return sum(a, 1000); }\n";
	struct permod *pm = new_context();
	struct permod_module *m;
	int (*run)(void);

	m = load_file(pm, compile("clones.ko", text("-O3 %s", kinds[_i]), clones), NULL);
	run = (int (*)(void))symbol(m, "run");
	ck_assert_int_eq(run(), 499500);
	permod_free(pm);
}
END_TEST

#endif

/* --------------------------------------------------------------------------------------------- */

/* Functions whose symbols are at descriptors can't be chosen. */
#if defined(__powerpc64__) && _CALL_ELF != 2
#define CAN_CHOOSE 0
#else
#define CAN_CHOOSE 1
#endif

START_TEST(choice_between_descriptors_is_refused)
{
	struct permod *pm = new_context();
	const char *file = compile("refused.ko", "",
				   "int one(void) { return 1; }\n"
				   "static int (*choose(void))(void) { return one; }\n"
				   "int chosen(void) __attribute__((ifunc(\"choose\")));\n");

	expect_error(pm, permod_load(pm, file, NULL, 0, NULL), -ENOEXEC, "symbol chosen",
		     "descriptors", "without the attribute ifunc");
	permod_free(pm);
}
END_TEST

static void add_tests_of_resolvers(TCase *tests)
{
	if (!CAN_CHOOSE) {
		puts("skipped: what resolvers choose: functions have descriptors here");
		tcase_add_test(tests, choice_between_descriptors_is_refused);
		return;
	}
	tcase_add_loop_test(tests, function_that_is_chosen_is_the_same_for_all, 0, COUNT(flags));
	tcase_add_test(tests, plan_calls_no_resolver);
	tcase_add_test(tests, no_resolver_runs_if_init_does_not);
	tcase_add_test(tests, function_that_is_chosen_can_be_exported);
	add_test_of_maps(tests, nothing_is_writable_and_executable_while_resolvers_run);
	tcase_add_loop_test(tests, resolver_may_use_what_is_relocated, 0, 2);
}

int main(void)
{
	Suite *suite = suite_create("indirect");
	TCase *tests = tcase_create("indirect");

	tcase_set_timeout(tests, 120);
	tcase_add_loop_test(tests, functions_that_libraries_choose_are_those_that_dlsym_finds, 0,
			    2);
	if (has_indirect_functions())
		add_tests_of_resolvers(tests);
	else
		printf("skipped: modules' own IFUNCs: the compiler has none for this machine\n");
#if defined(__x86_64__) || defined(__i386__)
	tcase_add_loop_test(tests, features_of_the_cpu_are_those_that_the_host_sees, 0, 3);
	tcase_add_loop_test(tests, clones_for_several_targets_run, 0, 3);
#else
	printf("skipped: features of x86 CPUs\n");
#endif
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
