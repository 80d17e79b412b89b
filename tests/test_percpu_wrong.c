/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mistakes with per-CPU pointers.  A wrong or already freed pointer that is given to free_percpu()
 * ends the process, in every mode, with one line that names the address and where it lies.  In the
 * checked mode so does a write behind an area's end or after it was freed, and what is read after that
 * is poison.
 *
 * Each mistake is made in a child, whose last words are looked at.
 */
#define _GNU_SOURCE
#include <permod/percpu.h>
#include "tests/percpu/helper.h"

#include <check.h>
#include <pthread.h>
#include <sys/mman.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static DEFINE_PER_CPU(long[20], variable);

/* What the line must name: the children print it first, since they alone know it. */
static void announce(const void *pointer)
{
	dprintf(STDOUT_FILENO, "%p\n", pointer);
}

static void free_wrongly(void *pointer)
{
	announce(pointer);
	free_percpu(pointer);
	_exit(0);
}

/* ---- Pointers that are no area's, or no longer ---------------------------------------------- */

static size_t size; /* of the areas in question */

static void middle(void)
{
	char __percpu *area = __alloc_percpu(size, 4);

	free_wrongly(area + size / 2 / 4 * 4);
}

static void last_byte(void)
{
	char __percpu *area = __alloc_percpu(size, 4);

	free_wrongly(area + size - 1);
}

static void twice_at_once(void)
{
	char __percpu *area = __alloc_percpu(size, 4);

	free_percpu(area);
	free_wrongly(area);
}

/* In the meantime it may have been cleaned, be in another list, in a chunk, or gone; not be used. */
static void twice_after_others(void)
{
	static char __percpu *other[10000];
	char __percpu *area = __alloc_percpu(size, 4);

	for (int i = 0; i < 10000; i++)
		other[i] = __alloc_percpu(i % 2 ? 64 : 300, 4);
	free_percpu(area);
	for (int i = 0; i < 10000; i++)
		free_percpu(other[i]);
	free_wrongly(area);
}

static void twice_after_trim(void)
{
	char __percpu *area = __alloc_percpu(size, 4);

	free_percpu(area);
	pcpu_trim();
	free_wrongly(area);
}

static void *free_once(void *area)
{
	free_percpu(area);
	return NULL;
}

static void *free_again(void *area)
{
	free_wrongly(area);
	return NULL;
}

static void twice_by_threads(void)
{
	char __percpu *area = __alloc_percpu(size, 4);
	pthread_t thread;

	pthread_create(&thread, NULL, free_once, area);
	pthread_join(thread, NULL);
	pthread_create(&thread, NULL, free_again, area);
	pthread_join(thread, NULL);
}

static void twice_in_a_child(void)
{
	char __percpu *area = __alloc_percpu(size, 4);

	free_percpu(area);
	if (!fork())
		free_wrongly(area);
	wait(NULL);
	free_percpu(area);
}

static void between_areas(void)
{
	struct pcpu_map map;

	free_percpu(__alloc_percpu(size, 4));
	pcpu_get_map(&map);
	free_wrongly(
		(void *)(map.cookies + map.static_size + map.reserved_size + map.dynamic_size - 4));
}

static void in_a_unit(void)
{
	char __percpu *area = __alloc_percpu(size, 4);

	free_wrongly(per_cpu_ptr(area, 0));
}

static void static_variable(void)
{
	free_wrongly(pcpu_ptr(&variable));
}

static void in_static_variable(void)
{
	free_wrongly((char *)pcpu_ptr(&variable) + 8);
}

static void reserved_middle(void)
{
	char __percpu *area = __alloc_reserved_percpu(size, 4);

	free_wrongly(area + size / 2 / 4 * 4);
}

static void reserved_twice(void)
{
	char __percpu *area = __alloc_reserved_percpu(size, 4);

	free_percpu(area);
	free_wrongly(area);
}

static void reserved_unused(void)
{
	char __percpu *area = __alloc_reserved_percpu(size, 4);

	free_wrongly(area + (1 << 20));
}

static void heap(void)
{
	free_wrongly(malloc(size));
}

static void stack(void)
{
	long local = 0;

	free_wrongly(&local);
}

static void code(void)
{
	free_wrongly((void *)(uintptr_t)code);
}

static void low(void)
{
	free_wrongly((void *)8);
}

static void high(void)
{
	free_wrongly((void *)(UINTPTR_MAX - 3));
}

static void random_address(void)
{
	free_wrongly((void *)(uintptr_t)0x5a5a5a5a5a5a5a58);
}

/* And all words that the line must have. */
static const struct mistake {
	const char *name;
	void (*make)(void);
	const char *words[3];
} mistakes[] = {
	{ "middle of an area", middle, { "dynamic", "chunk", "not the start" } },
	{ "last byte of an area", last_byte, { "dynamic", "chunk", "not the start" } },
	{ "freed twice at once", twice_at_once, { "freed already", "dynamic", "chunk" } },
	{ "freed again after others", twice_after_others, { "libpercpu" } },
	{ "freed again after a trim", twice_after_trim, { "allocated" } },
	{ "freed again by a thread", twice_by_threads, { "freed already", "dynamic", "chunk" } },
	{ "freed again in a child", twice_in_a_child, { "freed already", "dynamic", "chunk" } },
	{ "never allocated", between_areas, { "never allocated" } },
	{ "an address in a unit", in_a_unit, { "CPU 0" } },
	{ "a static variable", static_variable, { "static" } },
	{ "within a static variable", in_static_variable, { "static" } },
	{ "within a reserved area", reserved_middle, { "reserved", "not the start" } },
	{ "a reserved area twice", reserved_twice, { "reserved", "freed already" } },
	{ "unused reserved space", reserved_unused, { "reserved", "never allocated" } },
	{ "the heap", heap, { "not a per-CPU pointer" } },
	{ "the stack", stack, { "not a per-CPU pointer" } },
	{ "code", code, { "not a per-CPU pointer" } },
	{ "a low address", low, { "not a per-CPU pointer" } },
	{ "a high address", high, { "not a per-CPU pointer" } },
	{ "a random address", random_address, { "not a per-CPU pointer" } },
};

/* Run by itself, in a process of the right mode; argument: which, and the size. */
static int scene_mistake(void)
{
	size = strtoul(getenv("MISTAKE_SIZE"), NULL, 10);
	mistakes[atoi(getenv("MISTAKE"))].make();
	return 0;
}

static int count_lines(const char *text)
{
	int lines = 0;

	for (; (text = strchr(text, '\n')); text++)
		lines++;
	return lines;
}

static const char *const modes[] = { "PERCPU_CPUS=2", "PERCPU_OPS=atomic", "PERCPU_CHECK=1" };
static const char *const sizes[] = { "MISTAKE_SIZE=64", "MISTAKE_SIZE=5000",
				     "MISTAKE_SIZE=600000" };

static void make_mistake(const struct mistake *mistake, const char *mode, const char *size_setting)
{
	char which[32], address[32] = "";
	const char *settings[] = { which, mode, size_setting, NULL };
	struct outcome outcome;
	const char *line;
	char *end;

	snprintf(which, sizeof(which), "MISTAKE=%d", (int)(mistake - mistakes));
	outcome = play("mistake", settings, 0);
	ck_assert_msg(died_by(&outcome, SIGABRT), "%s, %s, %s: status %x: %s", mistake->name, mode,
		      size_setting, outcome.status, outcome.text);
	end = strchr(outcome.text, '\n');
	ck_assert(end && end - outcome.text < (ptrdiff_t)sizeof(address));
	memcpy(address, outcome.text, (size_t)(end - outcome.text));
	line = end + 1;
	/* Where a child does it, and the parent once more, there are two. */
	ck_assert_msg(count_lines(line) == (mistake->make == twice_in_a_child ? 2 : 1) &&
			      strstr(line, address) && !strncmp(line, "libpercpu: ", 11),
		      "%s, %s, %s: %s", mistake->name, mode, size_setting, outcome.text);
	for (size_t i = 0; i < COUNT(mistake->words) && mistake->words[i]; i++)
		ck_assert_msg(strstr(line, mistake->words[i]) != NULL,
			      "%s, %s, %s lacks \"%s\": %s", mistake->name, mode, size_setting,
			      mistake->words[i], line);
}

START_TEST(wrong_pointer_is_named_and_aborts)
{
	for (size_t mode = 0; mode < COUNT(modes); mode++) {
		for (size_t i = 0; i < COUNT(sizes); i++) {
			/* Tools have their own modes, and reports. */
			if (!(SANITIZED || is_emulated()) || mode == 2)
				make_mistake(&mistakes[_i], modes[mode], sizes[i]);
		}
	}
}
END_TEST

/* ---- The checked mode ------------------------------------------------------------------------ */

static void use(char __percpu *area, size_t many, unsigned char value)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		memset(per_cpu_ptr(area, cpu), value, many);
}

/* Give everything that waits to be cleaned its turn. */
static void clean_all(void)
{
	pcpu_trim();
}

static void within_bounds(size_t bytes)
{
	char __percpu *area = __alloc_percpu(bytes, 1);

	use(area, bytes, 0xff);
	free_percpu(area);
}

static void behind_the_end(size_t bytes)
{
	char __percpu *area = __alloc_percpu(bytes, 1);

	use(area, bytes, 0xff);
	*per_cpu_ptr(area + bytes, nr_cpu_ids - 1) = 1;
	free_percpu(area);
}

static void far_behind_the_end(size_t bytes)
{
	char __percpu *area = __alloc_percpu(bytes, 1);

	*per_cpu_ptr(area + bytes + 16, 0) = 1;
	free_percpu(area);
}

static void write_after_free(size_t bytes)
{
	char __percpu *area = __alloc_percpu(bytes, 1);

	use(area, bytes, 0xff);
	free_percpu(area);
	*per_cpu_ptr(area + bytes - 1, nr_cpu_ids - 1) = 1;
}

static void read_after_free(size_t bytes)
{
	char __percpu *area = __alloc_percpu(bytes, 1);
	unsigned int cpu;

	use(area, bytes, 0xff);
	free_percpu(area);
	/* Neither zero, as new memory, nor what was there; the same everywhere. */
	for_each_possible_cpu(cpu) {
		const unsigned char *copy = (unsigned char *)per_cpu_ptr(area, cpu);

		if (copy[0] == 0 || copy[0] == 0xff || memcmp(copy, copy + 1, bytes - 1) != 0)
			_exit(2);
	}
}

static const struct {
	const char *name;
	void (*body)(size_t bytes);
	const char *word; /* of the line it ends with; NULL: it is fine */
} uses[] = {
	{ "within its bounds", within_bounds, NULL },
	{ "behind its end", behind_the_end, "behind its end" },
	{ "some bytes behind", far_behind_the_end, "behind its end" },
	{ "written after it was freed", write_after_free, "after it was freed" },
	{ "read after it was freed", read_after_free, NULL },
};

static int scene_use(void)
{
	uses[atoi(getenv("USE"))].body(strtoul(getenv("USE_SIZE"), NULL, 10));
	clean_all();
	return 0;
}

static const size_t use_sizes[] = { 1, 2, 3, 4, 7, 64, 255, 256, 257, 4096, 100001 };

START_TEST(misuse_is_found_in_the_checked_mode)
{
	for (size_t i = 0; i < COUNT(use_sizes); i++) {
		char which[32], bytes[32], number[32];
		const char *const settings[] = { which, bytes, "PERCPU_CHECK=1", "PERCPU_CPUS=3",
						 NULL };
		struct outcome outcome;

		if (SANITIZED || is_emulated())
			continue; /* they report it themselves: tests/test_percpu_tools.sh */
		snprintf(which, sizeof(which), "USE=%d", _i);
		snprintf(bytes, sizeof(bytes), "USE_SIZE=%zu", use_sizes[i]);
		snprintf(number, sizeof(number), " %zu", use_sizes[i]);
		outcome = play("use", settings, 0);
		if (!uses[_i].word) {
			ck_assert_msg(ended_well(&outcome), "%s, %zu bytes: status %x: %s",
				      uses[_i].name, use_sizes[i], outcome.status, outcome.text);
			continue;
		}
		ck_assert_msg(died_by(&outcome, SIGABRT) && count_lines(outcome.text) == 1 &&
				      strstr(outcome.text, uses[_i].word) &&
				      strstr(outcome.text, "CPU ") && strstr(outcome.text, number),
			      "%s, %zu bytes: status %x: %s", uses[_i].name, use_sizes[i],
			      outcome.status, outcome.text);
	}
}
END_TEST

/* A mode that nobody asked for costs nothing: areas lie side by side. */
START_TEST(areas_have_no_gaps_unless_checked)
{
	struct pcpu_map before, after;
	void __percpu *area;

	if (SANITIZED || is_emulated())
		return; /* they are checked */
	pcpu_get_map(&before);
	area = __alloc_percpu(100, 4);
	pcpu_get_map(&after);
	ck_assert_uint_eq(after.dynamic_used - before.dynamic_used, 100);
	free_percpu(area);
}
END_TEST

/* ---- All ------------------------------------------------------------------------------------- */

static const struct scene scenes[] = { { "mistake", scene_mistake }, { "use", scene_use } };

int main(int argc, char **argv)
{
	int status = play_named(scenes, COUNT(scenes), argc, argv);
	TCase *tests = tcase_create("wrong");
	SRunner *runner;
	Suite *suite;

	if (status >= 0)
		return status;
	suite = suite_create("percpu_wrong");
	tcase_set_timeout(tests, 300);
	tcase_add_loop_test(tests, wrong_pointer_is_named_and_aborts, 0, COUNT(mistakes));
	tcase_add_loop_test(tests, misuse_is_found_in_the_checked_mode, 0, COUNT(uses));
	tcase_add_test(tests, areas_have_no_gaps_unless_checked);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	status = srunner_ntests_failed(runner) ? EXIT_FAILURE : EXIT_SUCCESS;
	srunner_free(runner);
	return status;
}
