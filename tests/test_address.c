/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * permod_addr(): what an address is in.  Modules tell where their functions and variables are as the
 * compiler sees it; addresses of many modules, and of those that come and go meanwhile in other
 * threads and under a signal's handler.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

/* ---- What modules call ---------------------------------------------------------------------- */

static struct permod_address seen; /* by the last call of look_around() */
static const void *seen_address;
static int seen_result = 1;

void look_around(const void *address);
void look_around(const void *address)
{
	seen_address = address;
	seen_result = permod_addr(address, &seen);
}
EXPORT_SYMBOL(look_around);

/* ---- One module ----------------------------------------------------------------------------- */

/* As in load_address.c. */
struct place {
	const char *name, *section;
	const void *address;
	unsigned long size;
};

static struct permod_address find(const void *address)
{
	struct permod_address found;

	memset(&found, '#', sizeof(found));
	ck_assert_msg(permod_addr(address, &found) == 0, "%p is in no module", address);
	return found;
}

static void expect_none(const void *address)
{
	struct permod_address found;

	ck_assert_int_eq(permod_addr(address, &found), -ENOENT);
}

/* Small variables, constant or not, are in sections of their own on some machines. */
static bool is_small(const char *section)
{
	return !strcmp(section, ".sdata") || !strcmp(section, ".sbss");
}

/* Those that the compiler puts elsewhere under some flags are asked for by name alone. */
static void expect_place(const struct place *place, const char *module, bool sections)
{
	size_t last = place->size ? place->size - 1 : 1;
	/* Of a function it is what a pointer to it is. */
	const char *address = place->size ? place->address : code_at((void *)place->address);
	struct permod_address found = find(address);

	ck_assert_str_eq(found.module, module);
	ck_assert_str_eq(found.symbol, place->name);
	ck_assert_uint_eq(found.offset, 0);
	ck_assert_int_eq(found.cpu, -1);
	if (sections && !is_small(found.section))
		ck_assert_str_eq(found.section, place->section);
	if (place->size)
		ck_assert_uint_eq(found.size, place->size);
	else
		ck_assert_uint_gt(found.size, 1);
	found = find(address + last);
	ck_assert_str_eq(found.symbol, place->name);
	ck_assert_uint_eq(found.offset, last);
	/* Zero sizes, too, end somewhere. */
	if (permod_addr(address + found.size, &found) == 0)
		ck_assert_str_ne(found.symbol, place->name);
}

/* riscv64's model by default is for addresses below 2 GiB, where modules need not be; and small variables
 * are in sections of their own. */
#ifdef __riscv
#define MODEL "-mcmodel=medany -msmall-data-limit=0"
#else
#define MODEL ""
#endif

static const struct {
	const char *flags;
	bool sections;
} builds[] = {
	{ "", true },
	{ "-O0 -g", true },
	{ "-fPIC", true },
	{ "-fno-pie " MODEL, true },
	{ "-Wa,-L", true }, /* with the compiler's labels */
	{ "-ffunction-sections -fdata-sections", false },
};

START_TEST(every_function_and_variable_is_found)
{
	struct permod *pm = new_context();
	const char *file =
		compile_file("places.ko", NULL, builds[_i].flags, module_source("address"));
	struct permod_module *m = load_file(pm, file, NULL);
	const struct place *places = symbol(m, "places");
	const void *first = places[0].address;
	size_t count = 0;

	for (; places[count].name; count++)
		expect_place(&places[count], "places", builds[_i].sections);
	ck_assert_uint_eq(count, 10);
	must(pm, permod_unload(m, 0));
	expect_none(first);
	permod_free(pm);
}
END_TEST

START_TEST(regions_are_named)
{
	struct permod *pm = new_context();
	struct permod_module *m = load(pm, "address");
	struct permod_region region;

	for (unsigned int i = 0; permod_region(m, i, &region) == 0; i++) {
		const char *begin = (const char *)region.address;

		ck_assert_str_eq(find(begin).region, region.name);
		ck_assert_str_eq(find(begin + region.size - 1).region, region.name);
	}
	ck_assert_str_eq(find(symbol(m, "visible_counter")).region, "percpu");
	permod_free(pm);
}
END_TEST

START_TEST(copies_of_a_variable_tell_their_cpu)
{
	struct permod *pm = new_context();
	struct permod_module *m = load(pm, "address");
	int *cookie = symbol(m, "visible_counter");
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct permod_address found = find(per_cpu_ptr(cookie, cpu));

		ck_assert_str_eq(found.symbol, "visible_counter");
		ck_assert_int_eq(found.cpu, (int)cpu);
		ck_assert_uint_eq(found.offset, 0);
	}
	permod_free(pm);
}
END_TEST

START_TEST(init_is_found_while_it_runs_and_gone_afterwards)
{
	struct permod *pm = new_context();

	load(pm, "address");
	ck_assert_int_eq(seen_result, 0);
	ck_assert_str_eq(seen.module, "load_address");
	/* module_init() gives it another name, which is global. */
	ck_assert_str_eq(seen.symbol, "init_module");
	ck_assert_str_eq(seen.section, ".init.text");
	ck_assert_str_eq(seen.region, "init.text");
	expect_none(seen_address);
	permod_free(pm);
}
END_TEST

START_TEST(other_addresses_are_in_no_module)
{
	static int variable;
	struct permod *pm = new_context();
	struct permod_region region;
	void *dynamic;
	int local;

	expect_none(&variable);
	load(pm, "address");
	dynamic = alloc_percpu(long);
	expect_none(NULL);
	expect_none((void *)UINTPTR_MAX);
	expect_none(&variable);
	expect_none(&local);
	expect_none((const void *)(uintptr_t)permod_addr);
	expect_none((const void *)(uintptr_t)strlen);
	expect_none(dynamic);
	for (unsigned int i = 0; permod_region(permod_find(pm, "load_address"), i, &region) == 0;
	     i++) {
		struct permod_address found;

		if (permod_addr((void *)(region.address + region.size), &found) == 0)
			ck_assert_str_ne(found.region, region.name);
	}
	free_percpu(dynamic);
	permod_free(pm);
}
END_TEST

START_TEST(long_names_are_cut)
{
	struct permod *pm = new_context();
	struct permod_module *m = NULL;
	static char module[100], name[400], source[1200];
	struct permod_address found;
	size_t size;
	unsigned char *data;

	memset(module, 'm', sizeof(module) - 1);
	memset(name, 'f', sizeof(name) - 1);
	snprintf(source, sizeof(source), "int %s(void); int %s(void) { return 4; }\n", name, name);
	data = read_file(compile("long.ko", "", source), &size);
	must(pm, permod_load_memory(pm, module, data, size, NULL, 0, &m));
	found = find(symbol(m, name));
	module[sizeof(found.module) - 1] = '\0';
	ck_assert_str_eq(found.module, module);
	name[sizeof(found.symbol) - 1] = '\0';
	ck_assert_str_eq(found.symbol, name);
	free(data);
	permod_free(pm);
}
END_TEST

/* Labels stand for what follows; a label within a function does not end it. */
START_TEST(labels_of_assembler_code)
{
	struct permod *pm = new_context();
	struct permod_module *m;
	const char *path = work_file("labels.S"), *begin;
	static const char source[] = ".text\n"
				     ".globl begin\n"
				     "begin: .fill 16, 1, 0x90\n"
				     "label: .fill 16, 1, 0x90\n"
				     ".type whole, %function\n"
				     "whole: .fill 8, 1, 0x90\n"
				     ".type part, %function\n"
				     "part: .fill 8, 1, 0x90\n"
				     ".size part, 4\n"
				     ".fill 8, 1, 0x90\n"
				     ".size whole, . - whole\n"
				     ".fill 8, 1, 0x90\n"
				     ".section .note.GNU-stack,\"\",%progbits\n";
	static const struct {
		size_t at;
		const char *name;
		size_t offset;
	} expected[] = {
		{ 0, "begin", 0 },   { 15, "begin", 15 }, { 16, "label", 0 },  { 31, "label", 15 },
		{ 32, "whole", 0 },  { 39, "whole", 7 },  { 40, "part", 0 },   { 43, "part", 3 },
		{ 44, "whole", 12 }, { 55, "whole", 23 }, { 56, "label", 40 },
	};

	write_file(path, source, sizeof(source) - 1);
	m = load_file(pm, compile_file("labels.ko", NULL, "", path), NULL);
	begin = symbol(m, "begin");
	for (size_t i = 0; i < COUNT(expected); i++) {
		struct permod_address found = find(begin + expected[i].at);

		ck_assert_str_eq(found.symbol, expected[i].name);
		ck_assert_uint_eq(found.offset, expected[i].offset);
	}
	permod_free(pm);
}
END_TEST

/* As many symbols as make sorting take its other way, and the sections of an archive's members. */
START_TEST(thousands_of_symbols)
{
	struct permod *pm = new_context();
	const char *source = work_file("thousands.c");
	FILE *file = fopen(source, "we");
	struct permod_module *m;
	const void *const *addresses;

	for (int i = 0; i < 3000; i++)
		fprintf(file, "static int number_%d = %d;\n", i * 7919 % 3000, i);
	fputs("const void *const addresses[] = {\n", file);
	for (int i = 0; i < 3000; i++)
		fprintf(file, "&number_%d,\n", i);
	fputs("};\n", file);
	check_that(fclose(file) == 0);
	m = load_file(pm, compile_file("thousands.ko", NULL, "", source), NULL);
	addresses = symbol(m, "addresses");
	for (int i = 0; i < 3000; i++)
		ck_assert_str_eq(find(addresses[i]).symbol, text("number_%d", i));
	permod_free(pm);
}
END_TEST

/* ---- Many modules --------------------------------------------------------------------------- */

static size_t many(void)
{
	return getenv("PERMOD_LONG") ? 10000 : under_valgrind() ? 100 : 1000;
}

START_TEST(each_of_many_modules_is_found)
{
	struct permod *pm = new_context();
	size_t count = many(), size;
	struct permod_module **m = calloc(count, sizeof(struct permod_module *));
	void **work = calloc(count, sizeof(void *));
	unsigned char *data = read_file(compile("many.ko", "",
						"static int number = 1;\n"
						"int work(int n); int work(int n)\n"
						"{ return n * 2 + number++; }\n"),
					&size);

	for (size_t i = 0; i < count; i++) {
		must(pm, permod_load_memory(pm, text("many_%zu", i), data, size, NULL, 0, &m[i]));
		work[i] = symbol(m[i], "work");
	}
	for (size_t i = 0; i < count; i += 2)
		must(pm, permod_unload(m[i], 0));
	for (size_t i = 0; i < count; i++) {
		struct permod_address found;

		if (i % 2 == 0) {
			ck_assert_int_eq(permod_addr(work[i], &found), -ENOENT);
			continue;
		}
		found = find(code_at(work[i]) + 1);
		ck_assert_str_eq(found.module, text("many_%zu", i));
		ck_assert_str_eq(found.symbol, "work");
		ck_assert_uint_eq(found.offset, 1);
	}
	free(data);
	free(work);
	free(m);
	permod_free(pm);
}
END_TEST

/* ---- Meanwhile ------------------------------------------------------------------------------ */

/* A function of a module that stays, and one of the module that comes and goes; atomic. */
static const void *staying, *fleeting;
static int wrong, looks; /* atomic */

static void look_at_both(void)
{
	struct permod_address found;
	const void *address = __atomic_load_n(&fleeting, __ATOMIC_RELAXED);
	int old = errno;
	bool good = permod_addr(staying, &found) == 0 && !strcmp(found.module, "staying") &&
		    !strcmp(found.symbol, "work") && found.offset == 0;

	/* Gone already, or another has its place: but if it is there, all of it. */
	if (address && permod_addr(address, &found) == 0)
		good = good && !strcmp(found.module, "fleeting") && *found.section;
	if (!good || errno != old)
		__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&looks, 1, __ATOMIC_RELAXED);
}

static void handle(int number)
{
	(void)number;
	look_at_both();
}

static void *look_until(void *stop)
{
	while (!__atomic_load_n((int *)stop, __ATOMIC_RELAXED))
		look_at_both();
	return NULL;
}

/* Load and unload at least so often, and until somebody looked. */
static void come_and_go(struct permod *pm, int rounds, void (*begin)(void), void (*end)(void))
{
	size_t size;
	unsigned char *data = read_file(compile("meanwhile.ko", "",
						"int work(void); int work(void) { return 4; }\n"),
					&size);

	wrong = looks = 0;
	fleeting = NULL;
	must(pm, permod_load_memory(pm, "staying", data, size, NULL, 0, NULL));
	staying = permod_symbol(permod_find(pm, "staying"), "work");
	begin();
	for (int i = 0; i < rounds || __atomic_load_n(&looks, __ATOMIC_RELAXED) < 10; i++) {
		struct permod_module *m;

		must(pm, permod_load_memory(pm, "fleeting", data, size, NULL, 0, &m));
		__atomic_store_n(&fleeting, permod_symbol(m, "work"), __ATOMIC_RELAXED);
		must(pm, permod_unload(m, 0));
	}
	end();
	ck_assert_int_eq(wrong, 0);
	free(data);
}

static int usual_rounds(void)
{
	return getenv("PERMOD_LONG") ? 20000 : under_valgrind() ? 20 : 200;
}

static pthread_t threads[3];
static int stop; /* atomic */

static void start_threads(void)
{
	stop = 0;
	for (size_t i = 0; i < COUNT(threads); i++)
		check_that(pthread_create(&threads[i], NULL, look_until, &stop) == 0);
}

static void stop_threads(void)
{
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);
}

START_TEST(threads_look_while_modules_come_and_go)
{
	struct permod *pm = new_context();

	come_and_go(pm, usual_rounds(), start_threads, stop_threads);
	permod_free(pm);
}
END_TEST

static void set_timer(int microseconds)
{
	struct itimerval value = { { 0, microseconds }, { 0, microseconds } };

	check_that(setitimer(ITIMER_REAL, &value, NULL) == 0);
}

static void start_timer(void)
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };

	check_that(sigaction(SIGALRM, &action, NULL) == 0);
	set_timer(pause_between_signals());
}

static void stop_timer(void)
{
	set_timer(0);
}

/* In the thread that loads and unloads, at any instruction of it. */
START_TEST(handler_looks_while_its_thread_loads_and_unloads)
{
	struct permod *pm = new_context();

	come_and_go(pm, usual_rounds(), start_timer, stop_timer);
	permod_free(pm);
}
END_TEST

/* Threads that were looking are not in the child, which unloads all the same. */
START_TEST(child_of_a_fork_does_not_wait_for_threads_it_lacks)
{
	struct permod *pm = new_context();

	come_and_go(pm, 1, start_threads, stop_threads);
	start_threads();
	for (int i = 0; i < 20; i++) {
		int status;
		pid_t child = fork();

		if (child == 0)
			_exit(permod_unload(permod_find(pm, "staying"), 0) ? 2 : 0);
		check_that(child > 0 && waitpid(child, &status, 0) == child);
		ck_assert_int_eq(status, 0);
	}
	stop_threads();
	permod_free(pm);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("address");
	TCase *one = tcase_create("one");
	TCase *more = tcase_create("more");

	tcase_add_loop_test(one, every_function_and_variable_is_found, 0, COUNT(builds));
	tcase_add_test(one, regions_are_named);
	tcase_add_test(one, copies_of_a_variable_tell_their_cpu);
	tcase_add_test(one, init_is_found_while_it_runs_and_gone_afterwards);
	tcase_add_test(one, other_addresses_are_in_no_module);
	tcase_add_test(one, long_names_are_cut);
	tcase_add_test(one, labels_of_assembler_code);
	tcase_add_test(one, thousands_of_symbols);
	tcase_add_test(more, each_of_many_modules_is_found);
	tcase_add_test(more, threads_look_while_modules_come_and_go);
	tcase_add_test(more, handler_looks_while_its_thread_loads_and_unloads);
	if (!under_valgrind())
		tcase_add_test(more, child_of_a_fork_does_not_wait_for_threads_it_lacks);
	tcase_set_timeout(one, 60);
	tcase_set_timeout(more, getenv("PERMOD_LONG") ? 600 : 60);
	suite_add_tcase(suite, one);
	suite_add_tcase(suite, more);
	return run_suite(suite);
}
