/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Per-CPU variables of modules: initial values on every possible CPU, alignment, cookies that are
 * the same for the module, for others and for the host, and what unloading leaves.
 *
 * This program uses stderr itself, so there is a copy of that variable in its data (see the design).
 * With many CPUs, or other settings, the same is played as a scene in a new process.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <sched.h>
#include <sys/auxv.h>

/* ---- What this program has ------------------------------------------------------------------ */

DEFINE_PER_CPU(long, before_host_counter) = 1;
DEFINE_PER_CPU(long, host_counter) = 500;
EXPORT_PER_CPU_SYMBOL(host_counter);
static DEFINE_PER_CPU(long, given_counter) = 600;

/* Over all CPUs: it doesn't matter where this thread runs. */
static long sum_of(const long __percpu *counter)
{
	unsigned int cpu;
	long sum = 0;

	for_each_possible_cpu(cpu)
		sum += *per_cpu_ptr(counter, cpu);
	return sum;
}

static long all(long value)
{
	return value * (long)num_possible_cpus();
}

/* ---- Initial values ------------------------------------------------------------------------- */

/* As load_percpu's source says; the module's init has looked already. */
static void expect_initial_values(struct permod_module *m)
{
	int (*wrong)(void) = symbol(m, "percpu_wrong");
	long *counter = symbol(m, "percpu_counter");
	int(*array)[5] = symbol(m, "percpu_array");
	char(*page)[4097] = symbol(m, "percpu_page");
	unsigned int cpu;

	ck_assert_int_eq(wrong(), 0);
	for_each_possible_cpu(cpu) {
		static const int numbers[5] = { 1, -2, 3 };

		ck_assert_int_eq(*per_cpu_ptr(counter, cpu), 1000);
		ck_assert_mem_eq(per_cpu_ptr(array, cpu), numbers, sizeof(numbers));
		ck_assert_str_eq(*per_cpu_ptr(page, cpu), "page");
		ck_assert_uint_eq((uintptr_t)per_cpu_ptr(page, cpu) % 4096, 0);
		ck_assert_uint_eq((uintptr_t)per_cpu_ptr((int *)symbol(m, "percpu_line"), cpu) % 64,
				  0);
	}
}

START_TEST(initial_values_are_there_on_every_cpu_and_after_a_reload)
{
	struct permod *pm = new_context();
	struct permod_module *m;
	struct pcpu_map before, after;

	pcpu_get_map(&before);
	for (int i = 0; i < 3; i++) {
		void (*spoil)(void);

		m = load(pm, "percpu");
		expect_initial_values(m);
		spoil = symbol(m, "percpu_spoil");
		spoil();
		must(pm, permod_unload(m, 0));
	}
	pcpu_get_map(&after);
	ck_assert_uint_eq(before.areas, after.areas);
	ck_assert_uint_eq(before.reserved_used, after.reserved_used);
	permod_free(pm);
	printf("%u CPUs, %s: good\n", num_possible_cpus(), pcpu_ops_name());
}
END_TEST

/* Settings, and what the scene then says. */
static const struct {
	const char *settings[3];
	const char *said;
} scenes_to_play[] = {
	{ { "PERCPU_CPUS=64" }, "64 CPUs" },
	{ { "PERCPU_CPUS=1000", "PERCPU_UNIT=64M" }, "1000 CPUs" },
	{ { "PERCPU_OPS=atomic" }, "atomic: good" },
	{ { "PERCPU_RESERVED=1M", "PERCPU_UNIT=8M" }, "good" },
};

START_TEST(values_are_right_with_other_settings)
{
	struct outcome outcome;

	/* 32 bits have no room for so much. */
	if (sizeof(void *) == 4 && scenes_to_play[_i].settings[1] && _i == 1)
		return;
	outcome = play("values", scenes_to_play[_i].settings, 0);

	ck_assert_msg(ended_well(&outcome) && strstr(outcome.text, scenes_to_play[_i].said),
		      "status %d: %s", outcome.status, outcome.text);
}
END_TEST

/* ---- Cookies -------------------------------------------------------------------------------- */

START_TEST(cookie_is_the_same_for_everybody)
{
	struct permod *pm = new_context();
	struct permod_module *m = load(pm, "percpu"), *user = load(pm, "percpu_user");
	long *counter = symbol(m, "percpu_counter");
	const void *(*cookie)(void) = symbol(m, "percpu_cookie");
	const void *(*user_cookie)(void) = symbol(user, "user_cookie");
	long *const *pointer = symbol(m, "percpu_pointer");
	uintptr_t found;
	unsigned int cpu;
	int of_cpu;

	ck_assert_ptr_eq(cookie(), counter);
	ck_assert_ptr_eq(user_cookie(), counter);
	ck_assert_ptr_eq(*pointer, counter);
	ck_assert_ptr_eq(pcpu_ptr(counter), counter);
	ck_assert_int_eq(pcpu_classify(counter, &of_cpu, &found), PCPU_RESERVED);
	ck_assert_int_eq(of_cpu, -1);
	ck_assert_uint_eq(found, (uintptr_t)counter);
	for_each_possible_cpu(cpu) {
		ck_assert_int_eq(pcpu_classify(per_cpu_ptr(counter, cpu), &of_cpu, &found),
				 PCPU_RESERVED);
		ck_assert_int_eq(of_cpu, (int)cpu);
		ck_assert_uint_eq(found, (uintptr_t)counter);
	}
	permod_free(pm);
}
END_TEST

START_TEST(variables_are_listed_with_cookie_and_size)
{
	static const struct {
		const char *name;
		size_t size;
	} expected[] = {
		{ "percpu_counter", sizeof(long) },
		{ "percpu_array", 5 * sizeof(int) },
		{ "percpu_struct", sizeof(struct {
			  char tag[3];
			  double number;
			  const char *words;
		  }) },
		{ "percpu_byte", 1 },
		{ "percpu_zeros", 2000 * sizeof(long) },
		{ "percpu_line", 4 },
		{ "percpu_page", 4097 },
		{ "percpu_mostly", 2 },
		{ "percpu_static", 4 },
	};
	struct permod *pm = new_context();
	struct permod_module *m = load(pm, "percpu");
	struct permod_variable variable;
	unsigned int count = 0;
	bool found[COUNT(expected)] = { false };

	for (; permod_variable(m, count, &variable) == 0; count++) {
		size_t i = 0;

		while (i < COUNT(expected) && strcmp(expected[i].name, variable.name) != 0)
			i++;
		ck_assert_msg(i < COUNT(expected), "unknown: %s", variable.name);
		ck_assert_uint_eq(variable.size, expected[i].size);
		ck_assert_int_eq(pcpu_classify((void *)variable.cookie, NULL, NULL), PCPU_RESERVED);
		if (strcmp(variable.name, "percpu_static") != 0)
			ck_assert_ptr_eq((void *)variable.cookie, symbol(m, variable.name));
		found[i] = true;
	}
	ck_assert_uint_eq(count, COUNT(expected));
	for (size_t i = 0; i < COUNT(found); i++)
		ck_assert_msg(found[i], "missing: %s", expected[i].name);
	ck_assert_int_eq(permod_variable(m, count, &variable), -ENOENT);
	m = load(pm, "plain");
	ck_assert_int_eq(permod_variable(m, 0, &variable), -ENOENT);
	permod_free(pm);
}
END_TEST

/* ---- Operations ----------------------------------------------------------------------------- */

START_TEST(module_user_and_host_count_in_the_same_variable)
{
	struct permod *pm = new_context();
	struct permod_module *m = load(pm, "percpu"), *user = load(pm, "percpu_user");
	long *counter = symbol(m, "percpu_counter");
	void (*add)(long) = symbol(m, "percpu_add"), (*user_add)(long) = symbol(user, "user_add");
	long (*user_sum)(void) = symbol(user, "user_sum");

	add(1);
	ck_assert_int_eq(sum_of(counter), all(1000) + 2);
	user_add(10);
	ck_assert_int_eq(sum_of(counter), all(1000) + 2 + 30);
	this_cpu_add(*counter, 100);
	ck_assert_int_eq(user_sum(), all(1000) + 2 + 30 + 100);
	expect_error(pm, permod_unload(m, 0), -EBUSY, "load_percpu_user");
	permod_free(pm);
}
END_TEST

START_TEST(operation_of_a_module_works_on_the_cpu_it_runs_on)
{
	struct permod *pm = new_context();
	struct permod_module *m = load(pm, "percpu");
	long *counter = symbol(m, "percpu_counter");
	void (*add)(long) = symbol(m, "percpu_add");
	cpu_set_t allowed, one;
	unsigned int cpu, other;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	for_each_possible_cpu(cpu) {
		if (cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &allowed))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (under_valgrind() || sched_setaffinity(0, sizeof(one), &one))
			continue;
		add(50);
		for_each_possible_cpu(other)
			ck_assert_int_eq(*per_cpu_ptr(counter, other), other == cpu ? 1100 : 1000);
		*per_cpu_ptr(counter, cpu) = 1000;
	}
	permod_free(pm);
}
END_TEST

/* The host's variables: one by EXPORT_PER_CPU_SYMBOL(), the others as address and as cookie. */
static const char host_source[] = "#include <permod/module.h>\n"
				  "DECLARE_PER_CPU(long, host_counter);\n"
				  "DECLARE_PER_CPU(long, by_address);\n"
				  "DECLARE_PER_CPU(long, by_cookie);\n"
				  "void add(void);\n"
				  "void add(void)\n"
				  "{\n"
				  "	this_cpu_add(host_counter, 3);\n"
				  "	this_cpu_add(by_address, 40);\n"
				  "	this_cpu_add(by_cookie, 500);\n"
				  "}\n"
				  "long *const pointer = &host_counter;\n";

START_TEST(variables_of_the_host_are_used_by_modules)
{
	static const char *const flags[] = { "", "-fPIC", "-O0" };

	for (size_t i = 0; i < COUNT(flags); i++) {
		struct permod *pm = new_context();
		const struct permod_export exports[] = {
			{ "by_address", &given_counter, 0 },
			{ "by_cookie", pcpu_ptr(&given_counter), 0 },
		};
		struct permod_module *m;
		long host = sum_of(&host_counter), given = sum_of(&given_counter);

		must(pm, permod_export(pm, exports, 2));
		m = load_file(pm, compile("host.ko", flags[i], host_source), NULL);
		((void (*)(void))symbol(m, "add"))();
		ck_assert_int_eq(sum_of(&host_counter), host + 3);
		ck_assert_int_eq(sum_of(&given_counter), given + 540);
		ck_assert_ptr_eq(*(long **)symbol(m, "pointer"), pcpu_ptr(&host_counter));
		must(pm, permod_unload(m, 0));
		permod_free(pm);
	}
	ck_assert_int_eq(sum_of(&before_host_counter), all(1));
}
END_TEST

/* ---- Code of every kind --------------------------------------------------------------------- */

static void say(void *function)
{
	if (((int (*)(void))function)() < 0)
		_exit(1);
}

static const char *const ways[] = {
	"",
	"-O0",
	"-O3",
	"-Os",
	"-fPIC",
	"-fPIE",
	"-fno-plt",
	"-fPIC -O0",
	"-g",
	"-fPIE -fdata-sections",
	"-fcf-protection=full",
};

static void expect_percpu(const char *compiler, const char *flags)
{
	struct permod *pm = new_context();
	struct permod_module *m =
		load_file(pm, compile_file("percpu.ko", compiler, flags, module_source("percpu")),
			  NULL);
	void (*add)(long) = symbol(m, "percpu_add");
	struct outcome outcome;

	expect_initial_values(m);
	add(5);
	ck_assert_int_eq(sum_of(symbol(m, "percpu_counter")), all(1000) + 10);
	outcome = run_in_child(say, symbol(m, "percpu_say"));
	ck_assert_str_eq(outcome.text, "said on a CPU with 1\n");
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}

START_TEST(percpu_variables_and_stderr_in_code_of_every_kind)
{
	if (!knows_flags(ways[_i]))
		return;
	fflush(stderr);
	expect_percpu(NULL, ways[_i]);
	if (*setting("CLANG", ""))
		expect_percpu(setting("CLANG", ""), ways[_i]);
}
END_TEST

/* Code for newer CPUs than the libraries were compiled for has sequences inline where they have none. */
#ifdef __arm__
static const char *const newer[] = { "-march=armv7-a+fp", "-march=armv7-a+fp -mthumb" };

START_TEST(code_for_newer_cpus_counts_in_the_same_variables)
{
	struct permod *pm = new_context();
	struct permod_module *m;
	int (*wrong)(void);
	long host = sum_of(&host_counter);

	expect_percpu(NULL, newer[_i]);
	m = load_file(pm, compile_file("s.ko", NULL, newer[_i], module_source("structures")), NULL);
	wrong = symbol(m, "structures_wrong");
	ck_assert_int_eq(wrong(), 0);
	must(pm, permod_unload(m, 0));
	m = load_file(
		pm,
		compile("newer.ko", newer[_i],
			"#include <permod/module.h>\n"
			"DECLARE_PER_CPU(long, host_counter);\n"
			"int add(void);\n"
			"int add(void) { this_cpu_add(host_counter, 3); return __ARM_ARCH; }\n"),
		NULL);
	ck_assert_int_eq(((int (*)(void))symbol(m, "add"))(), 7);
	this_cpu_add(host_counter, 40);
	ck_assert_int_eq(sum_of(&host_counter), host + 43);
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}
END_TEST

static void add_tests_of_newer_cpus(TCase *tests)
{
	if (getauxval(AT_HWCAP) & HWCAP_ARM_VFPv3)
		tcase_add_loop_test(tests, code_for_newer_cpus_counts_in_the_same_variables, 0,
				    COUNT(newer));
	else
		LEAVE_OUT(code_for_newer_cpus_counts_in_the_same_variables, "this CPU is none");
}
#else
static void add_tests_of_newer_cpus(TCase *tests)
{
	(void)tests;
}
#endif

/* Code for programs at fixed addresses has 32 bits for a variable's address. */
/* riscv64's model by default is for addresses below 2 GiB, where no program with a heap has room for cookies. */
#ifdef __riscv
#define MODEL "-mcmodel=medany"
#else
#define MODEL ""
#endif

START_TEST(percpu_variables_in_code_without_pie)
{
	static const char source[] =
		"#include <permod/module.h>\n"
		"DEFINE_PER_CPU(long, hits) = 3;\n"
		"DEFINE_PER_CPU(int[4], numbers) = { 1, 2, 3, 4 };\n"
		"EXPORT_PER_CPU_SYMBOL(numbers);\n"
		"long *at(void);\n"
		"long *at(void) { return pcpu_ptr(&hits); }\n"
		"void tick(int i);\n"
		"void tick(int i) { this_cpu_add(hits, 2); this_cpu_inc(numbers[i]); }\n"
		"int wrong(void);\n"
		"int wrong(void)\n"
		"{\n"
		"	unsigned int cpu; int sum = 0;\n"
		"	for_each_possible_cpu(cpu)\n"
		"		sum += per_cpu(numbers, cpu)[2] != 3 || per_cpu(hits, cpu) != 3;\n"
		"	return sum;\n"
		"}\n";
	struct permod *pm = new_context();
	struct permod_module *m =
		load_file(pm, compile("fixed.ko", "-fno-pie -fno-pic " MODEL, source), NULL);
	const char *numbers = symbol(m, "numbers");
	struct permod_module *user;

	ck_assert_int_eq(((int (*)(void))symbol(m, "wrong"))(), 0);
	((void (*)(int))symbol(m, "tick"))(1);
	ck_assert_int_eq(((int (*)(void))symbol(m, "wrong"))(), 1);
	ck_assert_int_eq(pcpu_classify(numbers, NULL, NULL), PCPU_RESERVED);
	/* What it exports is a cookie for others. */
	user = load_file(pm,
			 compile("near.ko", "-fPIE",
				 "#include <permod/module.h>\n"
				 "DECLARE_PER_CPU(int[4], numbers);\n"
				 "const void *cookie(void);\n"
				 "const void *cookie(void) { return &numbers; }\n"),
			 NULL);
	ck_assert_ptr_eq(((const void *(*)(void))symbol(user, "cookie"))(), numbers);
	ck_assert_ptr_eq(((const void *(*)(void))symbol(m, "at"))(), symbol(m, "hits"));
	must(pm, permod_unload(user, 0));
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}
END_TEST

START_TEST(all_names_of_the_section_are_percpu)
{
	static const char source[] =
		"__attribute__((section(\".data.percpu\"))) int one = 1;\n"
		"__attribute__((section(\".data..percpu\"))) int two = 2;\n"
		"__attribute__((section(\".data..percpu..page_aligned\"), aligned(4096))) int three = 3;\n"
		"__attribute__((section(\".data.percpu..read_mostly\"))) int four = 4;\n"
		"int data = 5;\n";
	static const char *const names[] = { "one", "two", "three", "four" };
	struct permod *pm = new_context();
	struct permod_module *m = load_file(pm, compile("named.ko", "", source), NULL);
	unsigned int cpu;

	for (int i = 0; i < 4; i++) {
		int *variable = symbol(m, names[i]);

		ck_assert_int_eq(pcpu_classify(variable, NULL, NULL), PCPU_RESERVED);
		for_each_possible_cpu(cpu)
			ck_assert_int_eq(*per_cpu_ptr(variable, cpu), i + 1);
	}
	ck_assert_int_eq(pcpu_classify(symbol(m, "data"), NULL, NULL), PCPU_NONE);
	permod_free(pm);
}
END_TEST

START_TEST(modules_variables_do_not_overlap)
{
	enum { MANY = 60 };
	static const char source[] = "#include <permod/module.h>\n"
				     "DEFINE_PER_CPU(char[777], bytes) = \"initial\";\n"
				     "DEFINE_PER_CPU(long, number) = 5;\n";
	struct permod *pm = new_context();
	char(*bytes[MANY])[777];
	size_t size;
	unsigned char *data = read_file(compile("bytes.ko", "", source), &size);
	unsigned int cpu;

	/* Every third leaves a hole that later ones may fill. */
	for (int i = 0; i < MANY; i++) {
		struct permod_module *m = NULL;

		must(pm, permod_load_memory(pm, text("m%d", i), data, size, NULL, 0, &m));
		bytes[i] = symbol(m, "bytes");
		for_each_possible_cpu(cpu) {
			ck_assert_int_eq(*per_cpu_ptr((long *)symbol(m, "number"), cpu), 5);
			ck_assert_str_eq(*per_cpu_ptr(bytes[i], cpu), "initial");
			memset(per_cpu_ptr(bytes[i], cpu), i + 1, 777);
		}
		if (i % 3 == 2)
			must(pm, permod_unload(permod_find(pm, text("m%d", i - 1)), 0));
	}
	for (int i = 0; i < MANY; i++) {
		for_each_possible_cpu(cpu) {
			const char *here = *per_cpu_ptr(bytes[i], cpu);

			for (int k = 0; k < 777; k++)
				check_that(i % 3 == 1 || here[k] == i + 1);
		}
	}
	free(data);
	permod_free(pm);
}
END_TEST

/* ---- Dynamic variables of modules ----------------------------------------------------------- */

START_TEST(module_allocates_and_frees_dynamic_variables)
{
	static const char source[] = "#include <permod/module.h>\n"
				     "long __percpu *counter;\n"
				     "static int __init begin(void)\n"
				     "{\n"
				     "	counter = alloc_percpu(long);\n"
				     "	if (!counter)\n"
				     "		return -ENOMEM;\n"
				     "	this_cpu_add(*counter, 12);\n"
				     "	return 0;\n"
				     "}\n"
				     "module_init(begin);\n"
				     "static void __exit end(void) { free_percpu(counter); }\n"
				     "module_exit(end);\n";
	struct permod *pm = new_context();
	struct permod_module *m = load_file(pm, compile("dynamic.ko", "", source), NULL);
	long *counter = *(long **)symbol(m, "counter");
	struct pcpu_map map;

	ck_assert_int_eq(pcpu_classify(counter, NULL, NULL), PCPU_DYNAMIC);
	ck_assert_int_eq(sum_of(counter), 12);
	must(pm, permod_unload(m, 0));
	pcpu_get_map(&map);
	ck_assert_uint_eq(map.areas, 0);
	permod_free(pm);
}
END_TEST

/* A module with the structures over per-CPU memory: that of <permod/percpu_*.h>. */
START_TEST(module_uses_structures)
{
	struct permod *pm = new_context();
	struct permod_module *m = load(pm, "structures");
	int (*wrong)(void) = symbol(m, "structures_wrong");
	struct pcpu_map map;

	/* What it returns is a line of its source. */
	ck_assert_int_eq(wrong(), 0);
	ck_assert_int_eq(wrong(), 0);
	must(pm, permod_unload(m, 0));
	pcpu_get_map(&map);
	ck_assert_uint_eq(map.areas, 0);
	permod_free(pm);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("module_percpu");
	TCase *tests = tcase_create("percpu");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, initial_values_are_there_on_every_cpu_and_after_a_reload);
	tcase_add_loop_test(tests, values_are_right_with_other_settings, 0, COUNT(scenes_to_play));
	tcase_add_test(tests, cookie_is_the_same_for_everybody);
	tcase_add_test(tests, variables_are_listed_with_cookie_and_size);
	tcase_add_test(tests, module_user_and_host_count_in_the_same_variable);
	tcase_add_test(tests, operation_of_a_module_works_on_the_cpu_it_runs_on);
	tcase_add_test(tests, variables_of_the_host_are_used_by_modules);
	tcase_add_loop_test(tests, percpu_variables_and_stderr_in_code_of_every_kind, 0,
			    under_valgrind() ? 3 : COUNT(ways));
	tcase_add_test(tests, percpu_variables_in_code_without_pie);
	tcase_add_test(tests, all_names_of_the_section_are_percpu);
	tcase_add_test(tests, modules_variables_do_not_overlap);
	tcase_add_test(tests, module_allocates_and_frees_dynamic_variables);
	tcase_add_test(tests, module_uses_structures);
	add_tests_of_newer_cpus(tests);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(int argc, char **argv)
{
	const struct test_scene scenes[] = {
		{ "values", initial_values_are_there_on_every_cpu_and_after_a_reload },
	};

	if (argc == 2)
		return run_scene(scenes, COUNT(scenes), argv[1]);
	return run_suite(make_suite());
}
