/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was loaded is gone without trace, and so is what failed to load: mappings, descriptors, heap
 * and per-CPU areas are afterwards as they were.
 *
 * Failures are injected by the linker: --wrap sends the library's calls of malloc(), mmap() and so
 * on through the functions here, which let the n-th call fail, for n = 1, 2, ... until there are
 * not so many calls. Each name below needs its -Wl,--wrap=NAME.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <dlfcn.h>
#include <libelf.h>
#include <sys/mman.h>

/* ---- The failures --------------------------------------------------------------------------- */

static bool armed;
static int calls, fail_at;
static const char *failed; /* the call that failed, or NULL */
static bool writable_code; /* was asked for */

static bool fails(const char *name, int error)
{
	if (!armed || ++calls != fail_at)
		return false;
	failed = name;
	errno = error;
	return true;
}

#define WRAP(type, name, error, failure, parameters, arguments)                                    \
	type __real_##name parameters;                                                             \
	type __wrap_##name parameters;                                                             \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		return fails(#name, error) ? (failure) : __real_##name arguments;                  \
	}

WRAP(void *, malloc, ENOMEM, NULL, (size_t size), (size))
WRAP(void *, calloc, ENOMEM, NULL, (size_t count, size_t size), (count, size))
WRAP(void *, realloc, ENOMEM, NULL, (void *old, size_t size), (old, size))
WRAP(void *, reallocarray, ENOMEM, NULL, (void *old, size_t count, size_t size), (old, count, size))
WRAP(char *, strdup, ENOMEM, NULL, (const char *string), (string))
WRAP(char *, strndup, ENOMEM, NULL, (const char *string, size_t size), (string, size))
WRAP(int, vasprintf, ENOMEM, -1, (char **result, const char *format, va_list list),
     (result, format, list))
int __real_asprintf(char **result, const char *format, ...);
int __wrap_asprintf(char **result, const char *format, ...);
int __wrap_asprintf(char **result, const char *format, ...)
{
	va_list list;
	int length;

	va_start(list, format);
	length = __wrap_vasprintf(result, format, list);
	va_end(list);
	return length;
}

WRAP(FILE *, open_memstream, ENOMEM, NULL, (char **text, size_t *size), (text, size))
WRAP(FILE *, fopen, EMFILE, NULL, (const char *path, const char *mode), (path, mode))
WRAP(ssize_t, read, EIO, -1, (int fd, void *buffer, size_t size), (fd, buffer, size))
WRAP(int, fstat, EIO, -1, (int fd, struct stat *status), (fd, status))
WRAP(Elf *, elf_memory, ENOMEM, NULL, (char *image, size_t size), (image, size))
WRAP(Elf_Data *, elf_getdata, ENOMEM, NULL, (Elf_Scn * section, Elf_Data *data), (section, data))
WRAP(void *, __alloc_reserved_percpu, ENOMEM, NULL, (size_t size, size_t align), (size, align))

WRAP(int, memfd_create, EMFILE, -1, (const char *name, unsigned int flags), (name, flags))
WRAP(ssize_t, write, ENOSPC, -1, (int fd, const void *data, size_t size), (fd, data, size))
WRAP(ssize_t, pwrite, ENOSPC, -1, (int fd, const void *data, size_t size, off_t offset),
     (fd, data, size, offset))
WRAP(int, ftruncate, EINTR, -1, (int fd, off_t size), (fd, size))
WRAP(int, fallocate, ENOSPC, -1, (int fd, int mode, off_t offset, off_t size),
     (fd, mode, offset, size))
WRAP(char *, realpath, ENOMEM, NULL, (const char *path, char *resolved), (path, resolved))
WRAP(ssize_t, readlink, ENOENT, -1, (const char *path, char *buffer, size_t size),
     (path, buffer, size))
WRAP(void *, dlopen, ENOMEM, NULL, (const char *path, int flags), (path, flags))

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	return fails("open", EMFILE) ? -1 : __real_open(path, flags, 0);
}

/* It closes all the same; what a memory stream had to write is lost. */
int __real_fclose(FILE *file);
int __wrap_fclose(FILE *file);
int __wrap_fclose(FILE *file)
{
	bool fail = fails("fclose", ENOMEM);
	int result = __real_fclose(file);

	return fail ? EOF : result;
}

static void look_at_protection(int protection)
{
	if ((protection & PROT_WRITE) && (protection & PROT_EXEC))
		writable_code = true;
}

void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	look_at_protection(protection);
	/* A mapping that goes back to being inaccessible is part of an undoing. */
	if (protection != PROT_NONE && fails("mmap", ENOMEM))
		return MAP_FAILED;
	return __real_mmap(at, size, protection, flags, fd, offset);
}

int __real_mprotect(void *at, size_t size, int protection);
int __wrap_mprotect(void *at, size_t size, int protection);
int __wrap_mprotect(void *at, size_t size, int protection)
{
	look_at_protection(protection);
	return fails("mprotect", ENOMEM) ? -1 : __real_mprotect(at, size, protection);
}

/* ---- What is tried -------------------------------------------------------------------------- */

/* musl has no room for thread-local variables of code without -fPIC, nor an errno that is one; and keeps all
 * that was opened. */
#ifdef __GLIBC__
#define WITHOUT_PIC 0
#define ERRNO "extern __thread int errno;\n"
#define UNLOADS true
#else
#define WITHOUT_PIC (-ENOSPC)
#define ERRNO "#include <errno.h>\n"
#define UNLOADS false
#endif

int near_data = 3;
EXPORT_SYMBOL(near_data);

/* Files that main() makes: names are constant, as paths must not be made while armed. */
static char archive[300], near_program[300], fixed[300], lacking[300], debugged[300];
static char of_threads[2][300], shared[300], tree[300], settings[300];
static char compressed[300], compressed_shared[300];
static unsigned char *image;
static size_t image_size;

/* Something that is done while calls fail, and that has always the same result if none does. */
struct action {
	const char *name;
	int (*act)(struct permod *pm);
	int expected;
	const char *before; /* a module that is there, by its name in tests/modules */
	const char *made;   /* the module that it makes, or NULL */
};

static char file[8][300]; /* paths of tests/modules */
enum { BASIC, USER, ORDER, PERCPU, PLAIN, PARAMS, FAILING };

static int load_basic(struct permod *pm)
{
	return permod_load(pm, file[BASIC], "start=3 words=\"some words\"", 0, NULL);
}

static int load_user(struct permod *pm)
{
	return permod_load(pm, file[USER], NULL, 0, NULL);
}

static int load_order(struct permod *pm)
{
	return permod_load(pm, file[ORDER], NULL, 0, NULL);
}

static int load_percpu(struct permod *pm)
{
	return permod_load_memory(pm, "load_percpu", image, image_size, NULL, 0, NULL);
}

static int load_params(struct permod *pm)
{
	return permod_load(pm, file[PARAMS], "a_charp=one texts=two,three a_charp=four", 0, NULL);
}

static int load_archive(struct permod *pm)
{
	return permod_load_root(pm, archive, "top", NULL, 0, NULL);
}

static int load_near_program(struct permod *pm)
{
	return permod_load(pm, near_program, NULL, 0, NULL);
}

static int load_fixed(struct permod *pm)
{
	return permod_load(pm, fixed, NULL, 0, NULL);
}

static int load_lacking(struct permod *pm)
{
	return permod_load(pm, lacking, NULL, 0, NULL);
}

static int load_debugged(struct permod *pm)
{
	return permod_load(pm, debugged, NULL, 0, NULL);
}

static int load_of_threads(struct permod *pm)
{
	return permod_load(pm, of_threads[0], NULL, 0, NULL);
}

static int load_of_threads_fixed(struct permod *pm)
{
	return permod_load(pm, of_threads[1], NULL, 0, NULL);
}

static int load_shared_object(struct permod *pm)
{
	return permod_load(pm, shared, NULL, 0, NULL);
}

static int load_compressed(struct permod *pm)
{
	return permod_load(pm, compressed, NULL, 0, NULL);
}

static int load_compressed_object(struct permod *pm)
{
	return permod_load(pm, compressed_shared, NULL, 0, NULL);
}

static int load_shared_wrongly(struct permod *pm)
{
	return permod_load(pm, shared, "number=1", 0, NULL);
}

static int load_failing(struct permod *pm)
{
	return permod_load(pm, file[FAILING], "words=text", 0, NULL);
}

static int load_bad_parameter(struct permod *pm)
{
	return permod_load(pm, file[PARAMS], "a_charp=text numbers=1,2,x", 0, NULL);
}

static int load_again(struct permod *pm)
{
	return permod_load(pm, file[BASIC], NULL, 0, NULL);
}

/* With what it needs, and out again. */
/* What is no failure then. */
#ifdef HAVE_LIBKMOD
static const int without_libkmod = 0;
#else
static const int without_libkmod = -ENOSYS;
#endif

static int load_by_name(struct permod *pm)
{
	struct permod_module *m;
	int result = permod_load_by_name(pm, "an-alias", "", 0, &m);

	armed = false;
	if (result == 0)
		result = permod_unload(m, PERMOD_UNLOAD_DEPENDENCIES);
	return result == without_libkmod ? 0 : result;
}

static int unload_dependencies(struct permod *pm)
{
	return permod_unload(permod_find(pm, "load_user"), PERMOD_UNLOAD_DEPENDENCIES);
}

static int list_steps(struct permod *pm)
{
	struct permod_steps *steps;
	int result = permod_steps(pm, "an-alias", 0, &steps);

	permod_steps_free(steps);
	return result == without_libkmod ? 0 : result;
}

static int load_requesting(struct permod *pm)
{
	struct permod_module *m;
	int result = permod_load(pm, file[USER], NULL, 0, &m);

	armed = false;
	if (result == 0)
		result = permod_unload(m, PERMOD_UNLOAD_DEPENDENCIES);
	return result;
}

static int request(struct permod *pm, const char *symbol, void *arg)
{
	(void)arg, (void)symbol;
	return permod_load(pm, file[BASIC], NULL, 0, NULL);
}

static int make_plan(struct permod *pm)
{
	struct permod_plan *plan = NULL;
	int result = permod_plan(pm, file[PERCPU], &plan);

	permod_plan_free(plan);
	return result;
}

static int make_bad_plan(struct permod *pm)
{
	struct permod_plan *plan = NULL;
	int result = permod_plan(pm, lacking, &plan);

	permod_plan_free(plan);
	return result;
}

static int open_file(struct permod *pm)
{
	struct permod_file *opened = NULL;
	int result = permod_file_open(pm, file[BASIC], &opened);

	permod_file_close(opened);
	return result;
}

static int export(struct permod *pm)
{
	static const struct permod_export exports[] = { { "one", &near_data, 0 },
							{ "two", &near_data, 0 } };

	return permod_export(pm, exports, COUNT(exports));
}

/* Of a second context, as the first is needed to tell the error. */
static int make_context(struct permod *pm)
{
	struct permod *other = NULL;
	int result = permod_new(&other, NULL);

	(void)pm;
	if (result == 0)
		permod_free(other);
	return result;
}

static int unload(struct permod *pm)
{
	return permod_unload(permod_find(pm, "load_basic"), 0);
}

static int unload_used(struct permod *pm)
{
	return permod_unload(permod_find(pm, "load_basic"), 0);
}

static const struct action actions[] = {
	{ "load basic", load_basic, 0, NULL, "load_basic" },
	{ "load user", load_user, 0, "basic", "load_user" },
	{ "load order", load_order, 0, NULL, "load_order" },
	{ "load percpu", load_percpu, 0, NULL, "load_percpu" },
	{ "load params", load_params, 0, NULL, "load_params" },
	{ "load archive", load_archive, 0, NULL, "archive" },
	{ "load near the program", load_near_program, 0, NULL, "near_program" },
	{ "load without PIE", load_fixed, 0, NULL, "fixed" },
	{ "load with debug information", load_debugged, 0, NULL, "debugged" },
	{ "load thread-local variables", load_of_threads, 0, NULL, "threads0" },
	{ "load those without PIC", load_of_threads_fixed, WITHOUT_PIC, NULL, "threads1" },
	{ "load a shared object", load_shared_object, 0, NULL, "shared" },
	{ "load a compressed file", load_compressed, 0, NULL, "packed" },
	{ "load a compressed shared object", load_compressed_object, 0, NULL, "packed_shared" },
	{ "load one with a parameter that it lacks", load_shared_wrongly, -EINVAL, NULL, NULL },
	{ "load what lacks symbols", load_lacking, -ENOENT, NULL, NULL },
	{ "load what fails", load_failing, -ENODEV, NULL, NULL },
	{ "load with a bad parameter", load_bad_parameter, -EINVAL, NULL, NULL },
	{ "load again", load_again, -EEXIST, "basic", NULL },
	{ "load by name", load_by_name, 0, NULL, NULL },
	{ "list what a name means", list_steps, 0, NULL, NULL },
	{ "load what another is requested for", load_requesting, 0, NULL, NULL },
	{ "unload with dependencies", unload_dependencies, 0, "user", NULL },
	{ "plan", make_plan, 0, NULL, NULL },
	{ "plan what lacks symbols", make_bad_plan, -ENOENT, NULL, NULL },
	{ "open a file", open_file, 0, NULL, NULL },
	{ "export", export, 0, NULL, NULL },
	{ "make a context", make_context, 0, NULL, NULL },
	{ "unload", unload, 0, "basic", NULL },
	{ "unload what is used", unload_used, -EBUSY, "user", NULL },
};

/* ---- The n-th call fails -------------------------------------------------------------------- */

static struct permod *prepare(const struct action *action)
{
	const char *const config[] = { settings, NULL };
	struct permod_options options = { .size = sizeof(options) };
	struct permod *pm;

	options.module_dir = tree;
	options.config_paths = config;
	options.request = action->act == load_requesting ? request : NULL;
	notes[0] = '\0';
	must(NULL, permod_new(&pm, &options));

	if (action->before && strcmp(action->before, "user") == 0)
		load(pm, "basic");
	if (action->before)
		load(pm, action->before);
	noted();
	return pm;
}

static void remove_made(struct permod *pm, const struct action *action)
{
	if (action->made)
		must(pm, permod_unload(permod_find(pm, action->made), 0));
}

/* When the file of shared pages can't be written, its empty ones are given back too. */
static bool is_of_file(const char *name)
{
	return strcmp(name, "pwrite") == 0 || strcmp(name, "fallocate") == 0;
}

/* Returns whether there was a call to fail. */
static bool try_with_failure(const struct action *action, int number)
{
	static struct state before, after;
	struct permod *pm = prepare(action);
	const char *what;
	int result;

	look(&before);
	failed = NULL;
	calls = 0;
	fail_at = number;
	armed = true;
	result = action->act(pm);
	armed = false;
	what = text("%s, failing call %d (%s)", action->name, number, failed ? failed : "none");
	ck_assert_msg(!writable_code, "%s: writable and executable", what);
	if (!failed || result == 0) {
		/* A failure that was survived changes nothing. */
		ck_assert_msg(result == action->expected, "%s: %d, \"%s\"", what, result,
			      permod_error(pm));
		if (result == 0)
			remove_made(pm, action);
		permod_free(pm);
		return failed;
	}
	ck_assert_msg(result < 0 && result > -4096, "%s: %d", what, result);
	/* The context of the last action is not the one that was to be made. */
	if (action->act == make_context)
		expect_line(permod_error(NULL), (const char *const[]){ NULL });
	else
		expect_line(permod_error(pm), (const char *const[]){ NULL });
	look(&after);
	if (!is_of_file(failed))
		expect_same(&before, &after, what);
	result = action->act(pm);
	ck_assert_msg(result == action->expected, "%s: afterwards %d, \"%s\"", what, result,
		      permod_error(pm));
	if (result == 0)
		remove_made(pm, action);
	permod_free(pm);
	return true;
}

/* The process's first load, too, so there is no round before to get used to things. */
START_TEST(failure_at_any_step_leaves_nothing_behind)
{
	const struct action *action = &actions[_i];
	int step = under_valgrind() ? 3 : 1, number = 1;

	while (try_with_failure(action, number))
		number += step;
	ck_assert_int_lt(number, 5000);
	/* Of what the actions do, allocating is the least. */
	if (action->act != unload && action->act != unload_dependencies)
		ck_assert_int_gt(number, 1);
}
END_TEST

/* How many bytes more are in use after a try; *more tells whether there was a call to fail. */
static ptrdiff_t growth(const struct action *action, int number, bool *more)
{
	size_t before = heap_used();

	*more = try_with_failure(action, number);
	return (ptrdiff_t)(heap_used() - before);
}

/* malloc() may give some bytes more than asked for, as the rest of what it had: that is no leak,
 * which would come again each time. */
START_TEST(failure_at_any_step_leaves_the_heap_as_it_was)
{
	const struct action *action = &actions[_i];
	bool more = true;

	try_with_failure(action, INT32_MAX);
	for (int number = 1; more; number += under_valgrind() ? 5 : 1) {
		ptrdiff_t first = growth(action, number, &more);

		if (first <= 0 || under_valgrind())
			continue;
		if (growth(action, number, &more) > 0 && growth(action, number, &more) > 0)
			ck_abort_msg("%s, failing call %d (%s): %td bytes are lost", action->name,
				     number, failed ? failed : "none", first);
	}
}
END_TEST

/* ---- A thousand times ----------------------------------------------------------------------- */

/* Run an action and undo it, many times, on one context. */
START_TEST(thousand_times_leave_everything_as_it_was)
{
	const struct action *action = &actions[_i];
	static struct state before, after;
	struct permod *pm = prepare(action);
	bool stays = !UNLOADS && action->act == load_compressed_object;
	int rounds = under_valgrind() || stays ? 50 : 1000;

	if (action->act == unload || action->act == unload_dependencies || action->act == export) {
		permod_free(pm);
		return;
	}
	for (int i = 0; i < rounds + 5; i++) {
		int result;

		if (i == 5)
			look(&before);
		result = action->act(pm);
		ck_assert_msg(result == action->expected, "%s: %d, \"%s\"", action->name, result,
			      permod_error(pm));
		if (result == 0)
			remove_made(pm, action);
		noted();
	}
	look(&after);
	expect_same(&before, &after, action->name);
	/* A byte that is lost in each round is a leak; less is the rest of what malloc() had. */
	ck_assert_msg(after.heap < before.heap + (size_t)rounds || under_valgrind(),
		      "%s: %zu bytes in use, were %zu", action->name, after.heap, before.heap);
	ck_assert(!writable_code);
	permod_free(pm);
}
END_TEST

START_TEST(thousand_contexts_leave_everything_as_it_was)
{
	static struct state before, after;
	int rounds = under_valgrind() ? 50 : 1000;

	for (int i = 0; i < rounds + 5; i++) {
		struct permod *pm;

		if (i == 5)
			look(&before);
		pm = new_context();
		must(pm, export(pm));
		must(pm, load_basic(pm));
		must(pm, load_params(pm));
		permod_free(pm);
		noted();
	}
	look(&after);
	expect_same(&before, &after, "contexts");
	ck_assert(after.heap < before.heap + (size_t)rounds || under_valgrind());
}
END_TEST

static void make_files(void)
{
	static const char *const names[] = { "basic", "user",	"order",  "percpu",
					     "plain", "params", "failing" };
	const char *top, *middle;

	for (size_t i = 0; i < COUNT(names); i++)
		strcpy(file[i], module_file(names[i]));
	image = read_file(file[PERCPU], &image_size);
	top = compile("top.o", "", "int middle(void); int top(void) { return middle(); }\n");
	middle = compile("middle.o", "", "int middle(void) { return 1; }\n");
	strcpy(archive, work_file("archive.a"));
	command(text("rm -f '%s' && ar rcs '%s' '%s' '%s'", archive, archive, top, middle));
	strcpy(near_program,
	       compile("near_program.ko", "",
		       "int get(void) { int value;\n"
		       "  __asm__ volatile(\"movl near_data(%%rip), %0\" : \"=r\"(value));\n"
		       "  return value; }\n"));
	strcpy(fixed, compile("fixed.ko", "-fno-pie -fno-pic",
			      "#include <permod/module.h>\n"
			      "static DEFINE_PER_CPU(long, hits) = 3;\n"
			      "void tick(void);\n"
			      "void tick(void) { this_cpu_inc(hits); }\n"));
	strcpy(debugged,
	       compile("debugged.ko", "-g -gz",
		       "static int number = 3;\n"
		       "int number_now(void); int number_now(void) { return number++; }\n"));
	for (int i = 0; i < 2; i++)
		strcpy(of_threads[i],
		       compile(text("threads%d.ko", i), i ? "" : "-fPIC",
			       ERRNO "__thread int number = 3;\n"
				     "int number_now(void) { return number++ + errno; }\n"));
	strcpy(shared, work_file("shared.so"));
	command(text("%s -shared -o '%s' '%s'", setting("CC", "gcc"), shared,
		     compile("shared.o", "-fPIC",
			     "#include <permod/module.h>\n"
			     "static int number;\n"
			     "int next(void);\n"
			     "int next(void) { return ++number; }\n"
			     "static int __init begin(void) { return next() - 1; }\n"
			     "static void __exit end(void) { number--; }\n"
			     "module_init(begin); module_exit(end);\n")));
	strcpy(compressed, work_file("packed.ko.gz"));
	command(text("gzip -c '%s' >'%s'", file[BASIC], compressed));
	strcpy(compressed_shared, work_file("packed-shared.so.gz"));
	command(text("gzip -c '%s' >'%s'", shared, compressed_shared));
	strcpy(lacking, compile("lacking.ko", "",
				"int nobody_has_this(void), nor_that(void);\n"
				"int all(void) { return nobody_has_this() + nor_that(); }\n"));
}

/* load_user, which needs load_basic, and wishes for it as well. */
static void make_tree(void)
{
	strcpy(tree, work_file("tree"));
	strcpy(settings, work_file("settings.conf"));
	command(text("mkdir -p '%s/lib/modules/6.1.0' && cp '%s' '%s' '%s/lib/modules/6.1.0' && "
		     "PATH=$PATH:/usr/sbin:/sbin depmod -b '%s' 6.1.0 2>/dev/null",
		     tree, file[BASIC], file[USER], tree, tree));
	command(text("printf 'alias an-* load_user\\noptions load_basic start=1\\n"
		     "softdep load_user pre: load_basic post: none\\n' > '%s'",
		     settings));
}

static void free_files(void)
{
	free(image);
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("leaks");
	TCase *tests = tcase_create("leaks");

	tcase_set_timeout(tests, 120);
	/* Once, in the process that the tests are forked from. */
	tcase_add_unchecked_fixture(tests, make_files, free_files);
	tcase_add_unchecked_fixture(tests, make_tree, NULL);
	tcase_add_loop_test(tests, thousand_times_leave_everything_as_it_was, 0, COUNT(actions));
	tcase_add_test(tests, thousand_contexts_leave_everything_as_it_was);
	tcase_add_loop_test(tests, failure_at_any_step_leaves_nothing_behind, 0, COUNT(actions));
	tcase_add_loop_test(tests, failure_at_any_step_leaves_the_heap_as_it_was, 0,
			    COUNT(actions));
	suite_add_tcase(suite, tests);
	return suite;
}

/* glibc counts as used what waits in a thread's cache: begin again without one. */
static void turn_caches_off(char **argv)
{
	if (SANITIZED || under_valgrind() || getenv("GLIBC_TUNABLES"))
		return;
	setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
	execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
	(void)argc;
	turn_caches_off(argv);
	return run_suite(make_suite());
}
