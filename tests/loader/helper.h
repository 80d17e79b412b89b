/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of the loader share: modules to load (built by the Makefile, or compiled while a
 * test runs), errors that are looked at, and what a process has (mappings, descriptors, heap,
 * per-CPU areas), to compare before with after.
 *
 * Modules tell what they do by note(), which this program exports to them; noted() is what they
 * said. automake sets top_srcdir, top_builddir and CC.
 *
 * A test program may be started again to play a scene in a fresh process; see ../percpu/helper.h.
 */
#ifndef TESTS_LOADER_HELPER_H
#define TESTS_LOADER_HELPER_H

#include <permod/permod.h>

#include "tests/loader/heap.h"
#include "tests/percpu/helper.h"

#include <check.h>
#include <link.h>
#include <stdarg.h>
#include <sys/stat.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Texts ---------------------------------------------------------------------------------- */

/* Text that is valid until the function was called 64 more times; not for several threads. */
static inline UNUSED __attribute__((format(printf, 1, 2))) const char *text(const char *format, ...)
{
	static char buffers[64][2048];
	static unsigned int next;
	char *buffer = buffers[next++ % COUNT(buffers)];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(buffer, sizeof(buffers[0]), format, arguments);
	va_end(arguments);
	check_that(length >= 0 && (size_t)length < sizeof(buffers[0]));
	return buffer;
}

static inline UNUSED const char *setting(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

/* ---- What modules tell ---------------------------------------------------------------------- */

static char notes[4096];

void note(const char *words);
void note(const char *words)
{
	size_t length = strlen(notes);

	check_that(length + strlen(words) + 2 < sizeof(notes));
	snprintf(notes + length, sizeof(notes) - length, "%s%s", length ? " " : "", words);
}
EXPORT_SYMBOL(note);

/* What was noted since the last call, with single blanks between. */
static inline UNUSED const char *noted(void)
{
	const char *words = text("%s", notes);

	notes[0] = '\0';
	return words;
}

/* ---- A folder for files that tests make ----------------------------------------------------- */

#define WORK_DIR "PERMOD_TEST_DIR"

static inline const char *work_dir(void)
{
	const char *made = getenv(WORK_DIR);
	char path[256];

	if (made)
		return made;
	snprintf(path, sizeof(path), "%.200s/permod-test.XXXXXX", setting("TMPDIR", "/tmp"));
	if (!mkdtemp(path) || setenv(WORK_DIR, path, 1))
		abort();
	return getenv(WORK_DIR);
}

static inline UNUSED const char *work_file(const char *name)
{
	return text("%s/%s", work_dir(), name);
}

/* Run a command; the test fails if it does. */
static inline void command(const char *line)
{
	int status = system(line);

	ck_assert_msg(status == 0, "status %d: %s", status, line);
}

static inline UNUSED void write_file(const char *path, const void *data, size_t size)
{
	FILE *file = fopen(path, "we");

	check_that(file && fwrite(data, 1, size, file) == size);
	check_that(fclose(file) == 0);
}

/* A whole file in memory, to be freed. */
static inline UNUSED unsigned char *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "re");
	unsigned char *data;
	struct stat status;

	ck_assert_msg(file && fstat(fileno(file), &status) == 0, "%s: %s", path, strerror(errno));
	*size = (size_t)status.st_size;
	data = malloc(*size + 1);
	check_that(data && fread(data, 1, *size, file) == *size);
	fclose(file);
	return data;
}

/* ---- Modules -------------------------------------------------------------------------------- */

/* A module of tests/modules, without "load_" and ".ko". */
static inline UNUSED const char *module_file(const char *name)
{
	return text("%s/tests/modules/load_%s.ko", setting("top_builddir", "."), name);
}

static inline UNUSED const char *module_source(const char *name)
{
	return text("%s/tests/modules/load_%s.c", setting("top_srcdir", "."), name);
}

/* Compile a source as users do, to NAME in the folder; `compiler` is NULL for $CC. */
static inline const char *compile_file(const char *name, const char *compiler, const char *flags,
				       const char *source)
{
	const char *path = work_file(name);

	command(text("%s -O2 -I'%s/include' %s -c -o '%s' '%s'",
		     compiler ? compiler : setting("CC", "gcc"), setting("top_srcdir", "."), flags,
		     path, source));
	return path;
}

/* The same with a source that stands in the test. */
static inline UNUSED const char *compile(const char *name, const char *flags, const char *source)
{
	const char *path = text("%s/%s.c", work_dir(), name);

	write_file(path, source, strlen(source));
	return compile_file(name, NULL, flags, path);
}

/* Whether a compiler ("" is none) knows these flags: some are for one compiler, or one machine. */
static inline UNUSED bool compiles(const char *compiler, const char *flags)
{
	return *compiler &&
	       system(text("echo 'int x;' | %s %s -Werror -x c -c -o /dev/null - 2>/dev/null",
			   compiler, flags)) == 0;
}

/* ---- Other machines ------------------------------------------------------------------------- */

/* What memory for code is filled with: see the manuals of the machines for what kills there. */
#if defined(__x86_64__) || defined(__i386__)
#define TRAP_BYTE 0xcc
#elif defined(__arm__) || defined(__mips__) || defined(__m68k__)
#define TRAP_BYTE 0xff
#else
#define TRAP_BYTE 0
#endif

static inline UNUSED int has_executable_stack(struct dl_phdr_info *image, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	for (unsigned int i = 0; i < image->dlpi_phnum; i++) {
		if (image->dlpi_phdr[i].p_type == PT_GNU_STACK)
			return image->dlpi_phdr[i].p_flags & PF_X;
	}
	return 0;
}

/* Whether some memory of the program's is writable and executable, whatever permod does: for MIPS, the C
 * library itself asks for executable stacks. */
static inline UNUSED bool others_are_executable(void)
{
	return under_valgrind() || dl_iterate_phdr(has_executable_stack, NULL);
}

/* A test that has x86-64's assembly or relocations in it: elsewhere it is skipped. */
#ifdef __x86_64__
#define add_x86_64_test(tcase, test) tcase_add_test(tcase, test)
#define knows_flags(flags) true
#else
#define add_x86_64_test(tcase, test)                                                               \
	((void)(test), (void)printf("skipped %s: it is written for x86-64\n", #test))
/* Flags that the compiler has here: those of the tests are x86-64's. */
#define knows_flags(flags) compiles(setting("CC", "gcc"), flags)
#endif

/* A test that can't be meant here. */
#define LEAVE_OUT(test, why) ((void)(test), (void)printf("skipped %s: %s\n", #test, why))

/* ---- Results -------------------------------------------------------------------------------- */

/* A call that must return 0. */
#define must(pm, call)                                                                             \
	do {                                                                                       \
		int must_result = (call);                                                          \
		ck_assert_msg(must_result == 0, "%s: %d, \"%s\"", #call, must_result,              \
			      permod_error(pm));                                                   \
	} while (0)

static inline UNUSED struct permod *new_context(void)
{
	struct permod *pm = NULL;

	/* Valgrind runs all tests in one process. */
	notes[0] = '\0';
	must(NULL, permod_new(&pm, NULL));
	ck_assert_ptr_nonnull(pm);
	return pm;
}

static inline UNUSED struct permod_module *load_file(struct permod *pm, const char *path,
						     const char *params)
{
	struct permod_module *m = NULL;
	int result = permod_load(pm, path, params, 0, &m);

	ck_assert_msg(result == 0 && m, "%s: %d, \"%s\"", path, result, permod_error(pm));
	return m;
}

/* A module with a thread-local variable. */
static inline UNUSED const char *compile_thread_local(void)
{
	return compile("of_threads.ko", "-fPIC",
		       "__thread int number = 3;\n"
		       "int next(void); int next(void) { return ++number; }\n");
}

/* In a context of its own load it, use it, and unload it.  Nothing of Check's: it has a lock, which the
 * child of a fork would find taken. */
static inline UNUSED void load_thread_local(const char *path)
{
	struct permod_module *m = NULL;
	int (*next)(void) = NULL;
	struct permod *pm;

	check_that(permod_new(&pm, NULL) == 0);
	if (permod_load(pm, path, NULL, 0, &m)) {
		fprintf(stderr, "%s\n", permod_error(pm));
		abort();
	}
	next = (int (*)(void))permod_symbol(m, "next");
	check_that(next && next() == 4);
	check_that(permod_unload(m, 0) == 0);
	permod_free(pm);
}

static inline UNUSED struct permod_module *load(struct permod *pm, const char *name)
{
	return load_file(pm, module_file(name), NULL);
}

/* Where the code is that a pointer to a function leads to; or where its symbol is, which is as good. */
static inline UNUSED char *code_at(void *function)
{
#ifdef __hppa__
	if ((uintptr_t)function & 2)
		return *(char **)((char *)function - 2);
#elif defined(__powerpc64__) && _CALL_ELF != 2
	return *(char **)function;
#endif
	return function;
}

/* A function or variable that the module must have. */
static inline UNUSED void *symbol(struct permod_module *m, const char *name)
{
	void *address = permod_symbol(m, name);

	ck_assert_msg(address, "%s: no symbol %s", permod_name(m), name);
	return address;
}

/* In functions' addresses, on 32-bit arm: it tells of the instruction set. */
#ifdef __arm__
#define CODE_BIT 1
#else
#define CODE_BIT 0
#endif

/* Where a function's code is. */
static inline UNUSED char *code_of(struct permod_module *m, const char *name)
{
	return (char *)((uintptr_t)code_at(symbol(m, name)) & ~(uintptr_t)CODE_BIT);
}

/* The result of a call, and the line that explains it: one line that has all these parts. */
#define expect_error(pm, call, error, ...)                                                         \
	do {                                                                                       \
		int error_result = (call);                                                         \
		const char *const error_parts[] = { __VA_ARGS__, NULL };                           \
		ck_assert_msg(error_result == (error), "%s: %d, not %d, \"%s\"", #call,            \
			      error_result, error, permod_error(pm));                              \
		expect_line(permod_error(pm), error_parts);                                        \
	} while (0)

static inline UNUSED void expect_line(const char *line, const char *const *parts)
{
	if (getenv("SHOW_ERRORS"))
		fprintf(stderr, "error: %s\n", line);
	ck_assert_msg(*line && !strchr(line, '\n'), "not one line: \"%s\"", line);
	for (; *parts; parts++)
		ck_assert_msg(strstr(line, *parts), "no \"%s\" in \"%s\"", *parts, line);
}

/* ---- What the process has ------------------------------------------------------------------- */

/* A state of the process; the maps are lines of /proc/self/maps. */
struct state {
	char maps[1 << 17];
	int descriptors;
	size_t heap; /* bytes */
	unsigned int areas;
	size_t reserved; /* bytes */
};

/* Take those lines of maps out that are not ours: the heap's, and those of tools. */
static inline void filter_maps(char *maps, const struct pcpu_map *map)
{
	bool tools = SANITIZED || under_valgrind() || HEAP_IS_MAPPED;
	uintptr_t low = map->cookies < map->arena ? map->cookies : map->arena;
	uintptr_t high = map->cookies < map->arena ? map->arena + map->arena_size
						   : map->cookies + map->unit_size;
	char *to = maps;

	for (char *line = maps, *next; *line; line = next) {
		unsigned long begin, end;
		bool ours;

		next = strchr(line, '\n');
		check_that(next && sscanf(line, "%lx-%lx", &begin, &end) == 2);
		next++;
		ours = tools ? begin < high && end > low
			     : !memmem(line, (size_t)(next - line), "[", 1);
		if (!ours)
			continue;
		memmove(to, line, (size_t)(next - line));
		to += next - line;
	}
	*to = '\0';
}

static inline UNUSED void look(struct state *state)
{
	struct pcpu_map map;

	state->heap = heap_used();
	pcpu_get_map(&map);
	state->areas = map.areas;
	state->reserved = map.reserved_used;
	state->descriptors = 0;
	for (int fd = 0; fd < 1024; fd++)
		state->descriptors += fcntl(fd, F_GETFD) >= 0;
	check_that(read_whole("/proc/self/maps", state->maps, sizeof(state->maps)) + 1 <
		   sizeof(state->maps));
	filter_maps(state->maps, &map);
}

/* An emulator's list of mappings joins those that are one to the machine below, and tells of the first's protection. */
static inline UNUSED bool maps_are_exact(void)
{
	return !emulator();
}

#define add_test_of_maps(tcase, test)                                                              \
	do {                                                                                       \
		if (maps_are_exact())                                                              \
			tcase_add_test(tcase, test);                                               \
		else                                                                               \
			printf("skipped %s: emulators' lists of mappings are not exact\n", #test); \
	} while (0)

/* All but the heap. */
static inline UNUSED void expect_same(const struct state *before, const struct state *after,
				      const char *what)
{
	if (maps_are_exact() && strcmp(before->maps, after->maps)) {
		const char *a = before->maps, *b = after->maps;

		for (const char *p = a, *q = b; *p && *p == *q; p++, q++) {
			if (*p == '\n') {
				a = p + 1;
				b = q + 1;
			}
		}
		ck_abort_msg("%s: mappings were\n%.400s\nand are\n%.400s", what, a, b);
	}
	ck_assert_msg(before->descriptors == after->descriptors, "%s: descriptors %d, were %d",
		      what, after->descriptors, before->descriptors);
	ck_assert_msg(before->areas == after->areas, "%s: per-CPU areas %u, were %u", what,
		      after->areas, before->areas);
	ck_assert_msg(before->reserved == after->reserved, "%s: reserved bytes %zu, were %zu", what,
		      after->reserved, before->reserved);
}

/* ---- The suite ------------------------------------------------------------------------------ */

/* A test that is run alone in a new process by play(), with other settings of the environment. */
struct test_scene {
	const char *name;
	const TTest *test;
};

static inline UNUSED int run_scene(const struct test_scene *scenes, size_t count, const char *name)
{
	Suite *suite = suite_create("scene");
	TCase *tests = tcase_create(name);
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(scenes[i].name, name) == 0)
			tcase_add_test(tests, scenes[i].test);
	}
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_run(runner) != 1 || srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* For main(): run all tests and remove the folder; returns the exit status. */
static inline UNUSED int run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	const char *folder = work_dir();
	int failed;

	/* It looks for leaks whenever a process ends, in all of the per-CPU memory. */
	if (under_valgrind())
		srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (system(text("rm -rf '%s'", folder)))
		failed++;
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
