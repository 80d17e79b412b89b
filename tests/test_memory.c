/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A module's memory: which section goes where, how it is protected before, during and after init,
 * as the kernel tells it (/proc/self/maps), and where modules are placed.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <dlfcn.h>

static char maps[1 << 18];

/* No mapping of ours may be writable and executable; valgrind has some of its own. */
static void expect_no_writable_code(const char *when)
{
	struct pcpu_map map;
	char *line = maps;

	pcpu_get_map(&map);
	read_whole("/proc/self/maps", maps, sizeof(maps));
	for (; *line; line = strchr(line, '\n') + 1) {
		unsigned long begin, end;
		char access[8];

		check_that(sscanf(line, "%lx-%lx %7s", &begin, &end, access) == 3);
		if (others_are_executable() &&
		    (end <= map.arena || begin >= map.arena + map.arena_size))
			continue;
		ck_assert_msg(!strchr(access, 'w') || !strchr(access, 'x'), "%s: %.100s", when,
			      line);
	}
}

/* ---- What load_sections tells --------------------------------------------------------------- */

static struct sighting {
	const char *what, *during, *after;
	const void *address;
} sightings[] = {
	{ "init_text", "r-xp", "gone", NULL },	{ "init_data", "rw-p", "gone", NULL },
	{ "init_const", "r--p", "gone", NULL }, { "text", "r-xp", "r-xp", NULL },
	{ "rodata", "r--p", "r--p", NULL },	{ "relocated", "r--p", "r--p", NULL },
	{ "data", "rw-p", "rw-p", NULL },	{ "bss", "rw-p", "rw-p", NULL },
	{ "once", "rw-p", "r--p", NULL },
};

static struct sighting *sighting_of(const char *what)
{
	for (size_t i = 0; i < COUNT(sightings); i++) {
		if (strcmp(sightings[i].what, what) == 0)
			return &sightings[i];
	}
	ck_abort_msg("unknown: %s", what);
	return NULL;
}

void seen(const char *what, const void *address);
void seen(const char *what, const void *address)
{
	struct sighting *sighting = sighting_of(what);

	sighting->address = address;
	/* The compiler may put a constant that is an address into .data.rel.ro. */
	ck_assert_msg(strcmp(protection_at((uintptr_t)address), sighting->during) == 0 ||
			      (strcmp(what, "relocated") == 0 &&
			       strcmp(protection_at((uintptr_t)address), "rw-p") == 0),
		      "%s is %s in init", what, protection_at((uintptr_t)address));
	expect_no_writable_code("in init");
}
EXPORT_SYMBOL(seen);

/* Whether there is nothing any more: no memory, or, in a page that others share, no such byte. */
static bool is_gone(uintptr_t address)
{
	const char *access = protection_at(address);
	const unsigned char *bytes = (const unsigned char *)address;

	if (!*access || strcmp(access, "---p") == 0)
		return true;
	return access[2] == 'x' ? bytes[0] == TRAP_BYTE && bytes[1] == bytes[0]
				: !bytes[0] && !bytes[1] && !bytes[2] && !bytes[3];
}

START_TEST(sections_have_the_protection_of_their_kind)
{
	struct permod *pm = new_context();
	struct permod_module *m = load(pm, "sections");

	expect_no_writable_code("after init");
	for (size_t i = 0; i < COUNT(sightings); i++) {
		const struct sighting *sighting = &sightings[i];

		ck_assert_msg(sighting->address, "%s was not seen", sighting->what);
		if (strcmp(sighting->after, "gone") == 0)
			ck_assert_msg(is_gone((uintptr_t)sighting->address), "%s is %s afterwards",
				      sighting->what, protection_at((uintptr_t)sighting->address));
		else
			ck_assert_str_eq(protection_at((uintptr_t)sighting->address),
					 sighting->after);
	}
	ck_assert_int_eq(*(const int *)sighting_of("once")->address, 16);
	must(pm, permod_unload(m, 0));
	for (size_t i = 0; i < COUNT(sightings); i++)
		ck_assert(is_gone((uintptr_t)sightings[i].address));
	permod_free(pm);
}
END_TEST

static void write_to(void *address)
{
	*(volatile int *)address = 1;
}

START_TEST(writing_what_is_read_only_kills)
{
	/* The last is memory of others, where pages are shared. */
	static const char *const names[] = { "once", "rodata", "relocated", "text", "init_data" };
	const char *whole[] = { "1", "0" };

	for (size_t shared = 0; shared < COUNT(whole); shared++) {
		struct permod *pm;

		ck_assert_int_eq(setenv("PERMOD_PACK", whole[shared], 1), 0);
		pm = new_context();
		load(pm, "sections");
		/* Valgrind would tell of each. */
		for (size_t i = 0; i < COUNT(names) - !shared && !under_valgrind(); i++) {
			struct outcome outcome =
				run_in_child(write_to, (void *)sighting_of(names[i])->address);

			ck_assert_msg(died_by(&outcome, SIGSEGV), "%s could be written", names[i]);
		}
		permod_free(pm);
	}
	ck_assert_int_eq(unsetenv("PERMOD_PACK"), 0);
}
END_TEST

START_TEST(without_init_ro_after_init_is_read_only_at_once)
{
	struct permod *pm = new_context();
	struct permod_module *m = NULL;
	const int *once;

	must(pm, permod_load(pm, module_file("sections"), NULL, PERMOD_LOAD_NO_INIT, &m));
	once = symbol(m, "sections_once");
	ck_assert_int_eq(*once, 6);
	ck_assert_str_eq(protection_at((uintptr_t)once), "r--p");
	expect_no_writable_code("without init");
	permod_free(pm);
}
END_TEST

/* ---- Regions -------------------------------------------------------------------------------- */

static bool is_in(const struct permod_region *region, const void *address)
{
	return (uintptr_t)address - region->address < region->size;
}

/* The access of the region that has an address; there may be no second one. */
static const char *region_of(struct permod_module *m, const void *address)
{
	static struct permod_region found;
	struct permod_region region;
	int regions = 0;

	for (unsigned int i = 0; permod_region(m, i, &region) == 0; i++) {
		if (!is_in(&region, address))
			continue;
		found = region;
		regions++;
	}
	ck_assert_int_le(regions, 1);
	return regions ? text("%s %s", found.name, found.access) : "none";
}

START_TEST(regions_tell_the_truth)
{
	struct permod *pm = new_context();
	struct permod_module *m = load(pm, "sections");
	struct permod_region region;
	unsigned int count = 0;

	while (permod_region(m, count, &region) == 0) {
		ck_assert_uint_gt(region.size, 0);
		ck_assert_str_eq(protection_at(region.address), text("%sp", region.access));
		ck_assert_str_eq(protection_at(region.address + region.size - 1),
				 text("%sp", region.access));
		ck_assert_msg(!strstr(region.name, "init ") && strcmp(region.name, "init"),
			      "%s is there", region.name);
		count++;
	}
	ck_assert_uint_ge(count, 3);
	ck_assert_int_eq(permod_region(m, count, &region), -ENOENT);
	ck_assert_int_eq(permod_region(m, UINT32_MAX, &region), -ENOENT);
	ck_assert_str_eq(region_of(m, symbol(m, "sections_text")), "text r-x");
	ck_assert_str_eq(region_of(m, symbol(m, "sections_rodata")), "rodata r--");
	ck_assert_str_eq(region_of(m, symbol(m, "sections_data")), "data rw-");
	ck_assert_str_eq(region_of(m, symbol(m, "sections_bss")), "data rw-");
	ck_assert_ptr_nonnull(strstr(region_of(m, symbol(m, "sections_once")), " r--"));
	ck_assert_str_eq(region_of(m, sighting_of("init_text")->address), "none");
	ck_assert_str_eq(region_of(m, &count), "none");
	permod_free(pm);
}
END_TEST

START_TEST(symbols_of_init_are_gone_too)
{
	struct permod *pm = new_context();
	struct permod_module *m = load(pm, "sections");

	/* Its memory is freed: an address would be a trap. */
	ck_assert_ptr_null(permod_symbol(m, "sections_init_data"));
	ck_assert_ptr_null(permod_symbol(m, "sections_init_const"));
	ck_assert_ptr_null(permod_symbol(m, "init_module"));
	permod_free(pm);
}
END_TEST

/* ---- Alignment and size --------------------------------------------------------------------- */

/* alpha's assembler knows no more than 64 KiB. */
#ifdef __alpha__
#define MOST (1U << 16)
#define FLAG_MOST "-DMOST=65536"
#else
#define MOST (1U << 21)
#define FLAG_MOST "-DMOST=2097152"
#endif

START_TEST(sections_keep_their_alignment)
{
	static const char source[] = "char a1 = 1; const char c1 = 1;\n"
				     "int a64 __attribute__((aligned(64))) = 2;\n"
				     "const int c4096 __attribute__((aligned(4096))) = 3;\n"
				     "char b1; int b2048 __attribute__((aligned(2048)));\n"
				     "__attribute__((aligned(512))) int f512(void) { return 5; }\n"
				     "int a65536 __attribute__((aligned(65536))) = 6;\n"
				     "int b2m __attribute__((aligned(MOST)));\n"
				     "typedef float vector __attribute__((vector_size(16)));\n"
				     "void product(vector *v) { *v *= (vector){ 1, 2, 3, 4 }; }\n";
	typedef float vector __attribute__((vector_size(16)));
	struct permod *pm = new_context();
	struct permod_module *m = load_file(pm, compile("aligned.ko", FLAG_MOST, source), NULL);
	void (*product)(vector *) = symbol(m, "product");
	vector result = { 1, 1, 1, 2 };

	product(&result);
	ck_assert_uint_eq((uintptr_t)symbol(m, "a64") % 64, 0);
	ck_assert_uint_eq((uintptr_t)symbol(m, "c4096") % 4096, 0);
	ck_assert_uint_eq((uintptr_t)symbol(m, "b2048") % 2048, 0);
	ck_assert_uint_eq((uintptr_t)code_of(m, "f512") % 512, 0);
	ck_assert_uint_eq((uintptr_t)symbol(m, "a65536") % 65536, 0);
	ck_assert_uint_eq((uintptr_t)symbol(m, "b2m") % MOST, 0);
	ck_assert_int_eq(*(int *)symbol(m, "a64") + *(const int *)symbol(m, "c4096") +
				 *(int *)symbol(m, "b2048") + *(int *)symbol(m, "a65536") +
				 *(int *)symbol(m, "b2m"),
			 2 + 3 + 0 + 6 + 0);
	ck_assert(result[1] > 1.9f && result[1] < 2.1f && result[3] > 7.9f);
	permod_free(pm);
}
END_TEST

#ifdef __alpha__
/* What code has of it is 16 bits of distance from the GOT, whatever else there is. */
START_TEST(small_data_is_near_the_slots)
{
	static const char source[] =
		"static char large[1 << 20] = { 1 }, zero[1 << 20]; extern int printf(const char *, ...);\n"
		"int first = 3; static int *second = &first; static short third; static const long fourth = 5;\n"
		"void *slot(void) { return (void *)printf; }\n"
		"long sum(int i) { third += 7; first++; zero[i]++; large[i]++;\n"
		"	return *second + third + *(volatile const long *)&fourth + zero[i] + large[i]; }\n";
	struct permod *pm = new_context();
	struct permod_module *m =
		load_file(pm,
			  compile("small.ko", "-msmall-data -Wno-builtin-declaration-mismatch",
				  source),
			  NULL);
	long (*sum)(int) = symbol(m, "sum");

	ck_assert_int_eq(sum(0), 4 + 7 + 5 + 1 + 2);
	ck_assert_int_eq(sum(1), 5 + 14 + 5 + 1 + 1);
	permod_free(pm);
}
END_TEST

START_TEST(small_data_of_more_than_its_reach_is_refused)
{
	static const char source[] =
		"__asm__(\".pushsection .sbss, \\\"aws\\\", @nobits; .skip 70000; .popsection\");\n"
		"int last; int get(void) { return last++; }\n";
	struct permod *pm = new_context();
	struct permod_module *m;

	expect_error(pm, permod_load(pm, compile("wide.ko", "-msmall-data", source), NULL, 0, &m),
		     -ERANGE, "wide.ko", "out of reach", "-mlarge-data");
	permod_free(pm);
}
END_TEST
#endif

/* Kibibytes that a line of /proc/self/smaps tells of the mapping that has an address; -1: none. */
static long smaps_of(uintptr_t address, const char *what)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	unsigned long begin, end, value;
	bool inside = false;
	char line[512];
	long found = -1;

	check_that(file != NULL);
	while (found < 0 && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
			inside = address >= begin && address < end;
		else if (inside && !strncmp(line, what, strlen(what)) &&
			 sscanf(line + strlen(what), "%lu", &value) == 1)
			found = (long)value;
	}
	fclose(file);
	return found;
}

static bool has_huge_pages(void)
{
	static char text[200];
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
	bool has = file && fgets(text, sizeof(text), file) && !strstr(text, "[never]");

	if (file)
		fclose(file);
	return has;
}

/* Whether the system has such pages at hand can't be told; if it gave one, it must be there still. */
START_TEST(large_text_is_in_huge_pages_on_request)
{
	static const char source[] =
		"__asm__(\".text; .globl first, last; first: mov $1, %eax; ret\\n\"\n"
		"        \".skip 0x180000, 0x90; last: mov $2, %eax; ret\");\n"
		"int data = 3; int get(void) { return data; }\n";
	static const struct permod_options options = { .size = sizeof(options),
						       .flags = PERMOD_HUGE_TEXT };
	struct permod_module *m = NULL;
	struct permod *pm = NULL;
	uintptr_t first;

	must(NULL, permod_new(&pm, &options));
	must(pm, permod_load(pm, compile("huge_text.ko", "", source), NULL, 0, &m));
	first = (uintptr_t)symbol(m, "first");
	ck_assert_uint_eq(first >> 21 << 21, first & ~(uintptr_t)4095);
	ck_assert_str_eq(protection_at(first), "r-xp");
	ck_assert_int_eq(((int (*)(void))symbol(m, "first"))(), 1);
	ck_assert_int_eq(((int (*)(void))symbol(m, "last"))(), 2);
	ck_assert_int_eq(((int (*)(void))symbol(m, "get"))(), 3);
	/* There its code is mapped from a file; see loader/valgrind.c. */
	ck_assert(smaps_of(first, "Size:") >= 2048 || under_valgrind());
	if (has_huge_pages() && !under_valgrind())
		ck_assert_int_eq(smaps_of(first, "AnonHugePages:") % 2048, 0);
	expect_no_writable_code("with huge pages");
	must(pm, permod_unload(m, 0));
	ck_assert(is_gone(first));
	permod_free(pm);
}
END_TEST

START_TEST(large_module_loads_and_its_zeros_cost_nothing)
{
	static const char source[] = "char zeros[200 << 20]; char numbers[1 << 20] = { 1 };\n"
				     "char *last(void) { return &zeros[(200 << 20) - 1]; }\n";
	const char *path = compile("large.ko", "", source);
	struct permod *pm = new_context();
	size_t before = memory_in(0, UINTPTR_MAX);
	struct permod_module *m = load_file(pm, path, NULL);
	char *zeros = symbol(m, "zeros"), *(*last)(void) = symbol(m, "last");

	ck_assert_ptr_eq(last(), zeros + (200 << 20) - 1);
	ck_assert_int_eq(*last(), 0);
	if (!SANITIZED && !under_valgrind())
		ck_assert_uint_lt(memory_in(0, UINTPTR_MAX), before + (20 << 10));
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}
END_TEST

START_TEST(modules_find_room_elsewhere_when_the_arena_is_full)
{
	static const char source[] = "char zeros[200 << 20];\n"
				     "unsigned long strlen(const char *);\n"
				     "char *last(void) { return &zeros[(200 << 20) - 1]; }\n"
				     "int length(const char *s) { return (int)strlen(s); }\n";
	struct permod *pm = new_context();
	struct pcpu_map map;
	int outside = 0;
	size_t size;
	unsigned char *data = read_file(compile("huge.ko", "-fno-builtin", source), &size);

	pcpu_get_map(&map);
	/* Of 512 MiB. */
	for (int i = 0; i < 4 && !under_valgrind(); i++) {
		struct permod_module *m = NULL;
		char *zeros, *(*last)(void);

		must(pm, permod_load_memory(pm, text("huge_%d", i), data, size, NULL, 0, &m));
		zeros = symbol(m, "zeros");
		last = symbol(m, "last");
		*last() = 'x';
		ck_assert_int_eq(zeros[(200 << 20) - 1], 'x');
		ck_assert_int_eq(((int (*)(const char *))symbol(m, "length"))("four"), 4);
		outside += (uintptr_t)zeros - map.arena >= map.arena_size;
	}
	ck_assert(outside >= 2 || under_valgrind());
	free(data);
	permod_free(pm);
}
END_TEST

/* ---- Placement ------------------------------------------------------------------------------ */

/* Data of the program, which is as a rule far from its libraries. */
int host_data = 3;
EXPORT_SYMBOL(host_data);

static bool is_far(uintptr_t a, uintptr_t b)
{
	return a > b ? a - b > UINT32_MAX / 2 : b - a > UINT32_MAX / 2;
}

/* Whatever the compiler prefers: here the instruction is what it is. */
#define DIRECTLY(name)                                                                             \
	"static int read_" name "(void) { int value;\n"                                            \
	"  __asm__ volatile(\"movl " name "(%%rip), %0\" : \"=r\"(value)); return value; }\n"

START_TEST(module_goes_where_its_data_is)
{
	static const char near_program[] = DIRECTLY("host_data") "int get(void) { return "
								 "read_host_data(); }\n";
	static const char near_library[] = DIRECTLY("environ") "int get(void) { return "
							       "read_environ(); }\n";
	struct permod *pm = new_context();
	struct permod_module *program =
		load_file(pm, compile("at_program.ko", "", near_program), NULL);
	struct permod_module *library =
		load_file(pm, compile("at_library.ko", "", near_library), NULL);
	int low_half;

	ck_assert_int_eq(((int (*)(void))symbol(program, "get"))(), 3);
	memcpy(&low_half, dlsym(RTLD_DEFAULT, "environ"), sizeof(low_half));
	ck_assert_int_eq(((int (*)(void))symbol(library, "get"))(), low_half);
	expect_no_writable_code("near the program");
	must(pm, permod_unload(program, 0));
	must(pm, permod_unload(library, 0));
	permod_free(pm);
}
END_TEST

START_TEST(data_too_far_apart_is_refused_with_both_names_and_the_flag)
{
	static const char source[] = DIRECTLY("host_data")
		DIRECTLY("environ") "int get(void) { return read_host_data() + read_environ(); }\n";
	static const char good[] = "extern int host_data; extern char **environ;\n"
				   "int get(void) { return environ ? host_data : 0; }\n";
	struct permod *pm = new_context();
	const char *path = compile("torn.ko", "", source);
	static struct state before, after;
	struct permod_module *m;

	look(&before);
	if (is_far((uintptr_t)&host_data, (uintptr_t)dlsym(RTLD_DEFAULT, "environ"))) {
		expect_error(pm, permod_load(pm, path, NULL, 0, NULL), -ERANGE, "torn", "host_data",
			     "environ", "-fPIC");
		look(&after);
		expect_same(&before, &after, "out of reach");
	}
	/* What the message says helps. */
	m = load_file(pm, compile("torn.ko", "-fPIC", good), NULL);
	ck_assert_int_eq(((int (*)(void))symbol(m, "get"))(), 3);
	permod_free(pm);
}
END_TEST

START_TEST(calls_reach_everything)
{
	static const char source[] = "extern int host_data; int twice(int);\n" DIRECTLY(
		"host_data") "int note(const char *); unsigned long strlen(const char *);\n"
			     "int get(void) { note(\"called\");\n"
			     "  return read_host_data() + (int)strlen(\"four\"); }\n";
	struct permod *pm = new_context();
	struct permod_module *m =
		load_file(pm, compile("calling.ko", "-fno-builtin", source), NULL);

	ck_assert_int_eq(((int (*)(void))symbol(m, "get"))(), 7);
	ck_assert_str_eq(noted(), "called");
	permod_free(pm);
}
END_TEST

START_TEST(many_modules_are_there_at_once)
{
	enum { MANY = 500 };
	struct permod *pm = new_context();
	size_t size;
	unsigned char *data = read_file(module_file("plain"), &size);

	for (int i = 0; i < MANY; i++)
		must(pm, permod_load_memory(pm, text("many_%d", i), data, size, NULL, 0, NULL));
	for (int i = 0; i < MANY; i++)
		*(int *)symbol(permod_find(pm, text("many_%d", i)), "plain_counter") = i;
	for (int i = 0; i < MANY; i++) {
		struct permod_module *m = permod_find(pm, text("many_%d", i));
		int (*count)(int) = symbol(m, "plain_count");

		ck_assert_int_eq(count(1), i + 1 + 1);
	}
	/* Holes are filled again. */
	for (int i = 0; i < MANY; i += 2)
		must(pm, permod_unload(permod_find(pm, text("many_%d", i)), 0));
	for (int i = 0; i < MANY; i += 2)
		must(pm, permod_load_memory(pm, text("many_%d", i), data, size, NULL, 0, NULL));
	free(data);
	permod_free(pm);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("memory");
	TCase *tests = tcase_create("memory");

	tcase_set_timeout(tests, 60);
	add_test_of_maps(tests, sections_have_the_protection_of_their_kind);
	add_test_of_maps(tests, writing_what_is_read_only_kills);
	add_test_of_maps(tests, without_init_ro_after_init_is_read_only_at_once);
	add_test_of_maps(tests, regions_tell_the_truth);
	add_test_of_maps(tests, symbols_of_init_are_gone_too);
	tcase_add_test(tests, sections_keep_their_alignment);
#ifdef __alpha__
	tcase_add_test(tests, small_data_is_near_the_slots);
	tcase_add_test(tests, small_data_of_more_than_its_reach_is_refused);
#endif
	add_x86_64_test(tests, large_text_is_in_huge_pages_on_request);
	tcase_add_test(tests, large_module_loads_and_its_zeros_cost_nothing);
	tcase_add_test(tests, modules_find_room_elsewhere_when_the_arena_is_full);
	add_x86_64_test(tests, module_goes_where_its_data_is);
	add_x86_64_test(tests, data_too_far_apart_is_refused_with_both_names_and_the_flag);
	add_x86_64_test(tests, calls_reach_everything);
	tcase_add_test(tests, many_modules_are_there_at_once);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return run_suite(make_suite());
}
