/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compressed modules, made by xz, zstd and gzip: they load, under the name that they have without the
 * last ending; what is damaged, cut or too large does not, at no great cost.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <sys/resource.h>

/* With which of the libraries permod was built. */
#ifdef HAVE_LIBLZMA
#define HAS_XZ true
#else
#define HAS_XZ false
#endif
#ifdef HAVE_LIBZSTD
#define HAS_ZSTD true
#else
#define HAS_ZSTD false
#endif
#ifdef HAVE_ZLIB
#define HAS_GZIP true
#else
#define HAS_GZIP false
#endif

static const struct tool {
	const char *name, *command, *ending;
	bool known;
} tools[] = {
	{ "xz", "xz -q", ".xz", HAS_XZ },
	{ "zstd", "zstd -q", ".zst", HAS_ZSTD },
	{ "gzip", "gzip -q", ".gz", HAS_GZIP },
};

struct bytes {
	unsigned char *data;
	size_t size;
};

static struct bytes read_bytes(const char *path)
{
	struct bytes bytes;

	bytes.data = read_file(path, &bytes.size);
	return bytes;
}

/* A file under another name; `more` are options. */
static const char *compress(const struct tool *tool, const char *more, const char *from,
			    const char *name)
{
	const char *path = work_file(text("%s%s", name, tool->ending));

	command(text("%s %s -c <'%s' >'%s'", tool->command, more, from, path));
	return path;
}

static struct permod *bounded(uint64_t file, uint64_t expanded)
{
	struct permod_options options = { .size = sizeof(options),
					  .max_file_size = file,
					  .max_expanded_size = expanded };
	struct permod *pm;

	must(NULL, permod_new(&pm, &options));
	return pm;
}

static int load_bytes(struct permod *pm, const struct bytes *bytes)
{
	struct permod_module *m = NULL;
	int result = permod_load_memory(pm, "trial", bytes->data, bytes->size, NULL, 0, &m);

	if (!result)
		result = permod_unload(m, 0);
	noted();
	return result;
}

START_TEST(compressed_modules_load)
{
	const struct tool *tool = &tools[_i];
	struct permod *pm = new_context();
	struct permod_module *m;

	m = load_file(pm, compress(tool, "", module_file("basic"), "so-named.ko"), NULL);
	ck_assert_str_eq(permod_name(m), "so_named");
	must(pm, permod_unload(m, 0));
	/* The file's beginning counts, not its name. */
	command(text("mv '%s' '%s'", work_file(text("so-named.ko%s", tool->ending)),
		     work_file("other.ko")));
	m = load_file(pm, work_file("other.ko"), NULL);
	ck_assert_str_eq(permod_name(m), "other");
	must(pm, permod_unload(m, 0));
	command(text("cp '%s' '%s'", module_file("basic"),
		     work_file(text("plain.ko%s", tool->ending))));
	m = load_file(pm, work_file(text("plain.ko%s", tool->ending)), NULL);
	ck_assert_str_eq(permod_name(m), "plain");
	permod_free(pm);
}
END_TEST

START_TEST(compressed_shared_objects_load)
{
	const struct tool *tool = &tools[_i];
	const char *source = "int answer(void) { return 42; }\n";
	const char *path = work_file("shared.so");
	struct permod *pm = new_context();
	struct permod_module *m;

	write_file(work_file("shared.c"), source, strlen(source));
	command(text("%s -O2 -fPIC -shared -o '%s' '%s'", setting("CC", "gcc"), path,
		     work_file("shared.c")));
	m = load_file(pm, compress(tool, "", path, "shared.so"), NULL);
	ck_assert_str_eq(permod_name(m), "shared");
	ck_assert_int_eq(((int (*)(void))symbol(m, "answer"))(), 42);
	permod_free(pm);
}
END_TEST

/* Each is a file of its own to the dynamic linker, also if it keeps the last one in memory. */
START_TEST(those_that_stay_in_memory_leave_no_descriptor)
{
	const struct tool *tool = &tools[_i];
	const char *source = "static int count; int next(void) { return ++count; }\n";
	const char *path = work_file("stays.so");
	struct permod *pm = new_context();
	struct state before, after;

	write_file(work_file("stays.c"), source, strlen(source));
	command(text("%s -O2 -fPIC -shared -Wl,-z,nodelete -o '%s' '%s'", setting("CC", "gcc"),
		     path, work_file("stays.c")));
	path = compress(tool, "", path, "stays.so");
	for (int i = 0; i < 4; i++) {
		struct permod_module *m = load_file(pm, path, NULL);

		ck_assert_int_eq(((int (*)(void))symbol(m, "next"))(), 1);
		must(pm, permod_unload(m, 0));
		ck_assert_ptr_nonnull(strstr(permod_error(pm), "-z nodelete"));
		look(i ? &after : &before);
	}
	ck_assert_int_eq(after.descriptors, before.descriptors);
	permod_free(pm);
}
END_TEST

/* An archive in two halves, each a stream of its own, as the tools take it. */
START_TEST(several_streams_are_one_file)
{
	const struct tool *tool = &tools[_i];
	struct bytes whole = read_bytes(module_file("params"));
	const char *first = work_file("first"), *second = work_file("second"), *both;
	struct permod *pm = new_context();

	write_file(first, whole.data, whole.size / 3);
	write_file(second, whole.data + whole.size / 3, whole.size - whole.size / 3);
	compress(tool, "", first, "first");
	compress(tool, "", second, "second");
	both = work_file("both.ko");
	command(text("cat '%s%s' '%s%s' >'%s'", first, tool->ending, second, tool->ending, both));
	load_file(pm, both, NULL);
	permod_free(pm);
	free(whole.data);
}
END_TEST

/* Padding: xz has it in fours, gzip of any length, zstd none. */
START_TEST(what_is_behind_the_end)
{
	static const struct {
		const char *more;
		size_t size;
		bool good[3]; /* xz, zstd, gzip */
	} cases[] = {
		{ "\0\0\0\0", 4, { true, false, true } },
		{ "\0\0\0", 3, { false, false, true } },
		{ "more", 4, { false, false, false } },
		{ "\0\0\0\0more", 8, { false, false, false } },
	};
	struct bytes bytes = read_bytes(compress(&tools[_i], "", module_file("basic"), "m"));
	struct permod *pm = new_context();

	bytes.data = realloc(bytes.data, bytes.size + 8);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct bytes more = { bytes.data, bytes.size + cases[i].size };

		memcpy(bytes.data + bytes.size, cases[i].more, cases[i].size);
		if (cases[i].good[_i])
			must(pm, load_bytes(pm, &more));
		else
			expect_error(pm, load_bytes(pm, &more), -ENOEXEC,
				     text("trial: damaged: its %s data can't", tools[_i].name));
	}
	permod_free(pm);
	free(bytes.data);
}
END_TEST

START_TEST(truncated_files_are_refused)
{
	struct bytes bytes = read_bytes(compress(&tools[_i], "", module_file("basic"), "m"));
	struct permod *pm = new_context();

	for (size_t size = 6; size < bytes.size; size++) {
		struct bytes cut = { bytes.data, size };

		expect_error(pm, load_bytes(pm, &cut), -ENOEXEC, "trial: damaged", "it is cut off");
	}
	permod_free(pm);
	free(bytes.data);
}
END_TEST

/* Of the library's inside: see loader/internal.h. */
int expand(struct permod *pm, const char *path, const void *data, size_t size, void **expanded,
	   size_t *expanded_size);
bool is_compressed(const void *data, size_t size);

/* Some bits mean nothing; what comes out is never anything else, as all three have checksums. */
START_TEST(damaged_files_are_refused)
{
	struct bytes bytes = read_bytes(compress(&tools[_i], "", module_file("basic"), "m"));
	struct bytes plain = read_bytes(module_file("basic"));
	int step = getenv("PERMOD_LONG") ? 1 : 29;
	struct permod *pm = new_context();

	for (size_t i = 0; i < bytes.size; i++) {
		for (int flip = 1; flip < 256; flip += step) {
			void *out = NULL;
			size_t size = 0;

			bytes.data[i] ^= (unsigned char)flip;
			if (is_compressed(bytes.data, bytes.size) &&
			    expand(pm, "it", bytes.data, bytes.size, &out, &size) == 0)
				ck_assert_msg(size == plain.size && !memcmp(out, plain.data, size),
					      "byte %zu, flipped by %#x", i, (unsigned int)flip);
			bytes.data[i] ^= (unsigned char)flip;
			free(out);
		}
	}
	must(pm, load_bytes(pm, &bytes));
	permod_free(pm);
	free(plain.data);
	free(bytes.data);
}
END_TEST

static size_t peak(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (size_t)usage.ru_maxrss << 10;
}

/* Many zeros in few bytes: some megabytes of them are looked at. */
START_TEST(bombs_cost_little)
{
	const struct tool *tool = &tools[_i];
	const char *path = work_file(text("bomb.ko%s", tool->ending));
	const uint64_t bound = 4 << 20;
	struct permod *pm = bounded(0, bound);
	struct permod_module *m;
	size_t before;

	command(text("head -c 64M /dev/zero | %s -c >'%s'", tool->command, path));
	before = peak();
	expect_error(pm, permod_load(pm, path, NULL, 0, &m), -EFBIG, path,
		     "expands to more than 4194304 bytes", "max_expanded_size");
	if (!SANITIZED && !under_valgrind())
		ck_assert_uint_lt(peak() - before, 32 << 20);
	permod_free(pm);
}
END_TEST

START_TEST(bounds_are_exact)
{
	const char *path = compress(&tools[_i], "", module_file("basic"), "m.ko");
	struct bytes plain = read_bytes(module_file("basic")), packed = read_bytes(path);
	struct permod_module *m;
	struct permod *pm = bounded(packed.size, plain.size);

	must(pm, permod_load(pm, path, NULL, 0, &m));
	permod_free(pm);
	pm = bounded(0, plain.size - 1);
	expect_error(pm, permod_load(pm, path, NULL, 0, &m), -EFBIG,
		     text("more than %zu bytes", plain.size - 1));
	permod_free(pm);
	pm = bounded(packed.size - 1, 0);
	expect_error(pm, permod_load(pm, path, NULL, 0, &m), -EFBIG,
		     text("%zu bytes, at most %zu are read", packed.size, packed.size - 1));
	permod_free(pm);
	free(plain.data);
	free(packed.data);
}
END_TEST

START_TEST(empty_ones_are_refused)
{
	const char *path = work_file("empty.ko");
	struct permod *pm = new_context();
	struct permod_module *m;

	write_file(work_file("empty"), "", 0);
	command(text("%s -c <'%s' >'%s'", tools[_i].command, work_file("empty"), path));
	expect_error(pm, permod_load(pm, path, NULL, 0, &m), -ENOEXEC, "there is nothing in it");
	permod_free(pm);
}
END_TEST

/* What a dictionary or window takes has a bound of its own. */
START_TEST(memory_for_expanding_is_bounded)
{
	struct permod *pm = new_context();
	struct permod_module *m;
	const char *path = compress(&tools[0], "--lzma2=dict=256MiB", module_file("basic"), "m.ko");
	struct bytes window;

	expect_error(pm, permod_load(pm, path, NULL, 0, &m), -EFBIG,
		     "bytes of memory are needed to expand it, and the bound is 134217728");
	/* A frame of zstd that says it has a window of 256 MiB: exponent 28 - 10. */
	window =
		(struct bytes){ (unsigned char[]){ 0x28, 0xb5, 0x2f, 0xfd, 0x00, 18 << 3, 1, 0, 0 },
				9 };
	expect_error(pm, load_bytes(pm, &window), -EFBIG, "more than 128 MiB of memory");
	permod_free(pm);
}
END_TEST

START_TEST(archives_and_their_files_are_compressed)
{
	const struct tool *tool = &tools[_i];
	const char *one = compile("one.o", "", "int two(void); int one(void) { return two(); }");
	const char *two = compile("two.o", "", "int two(void) { return 22; }");
	const char *paths[] = { compress(tool, "", one, "one.o"),
				compress(tool, "", two, "two.o") };
	struct permod *pm = new_context();
	struct permod_module *m;

	must(pm, permod_load_files(pm, "m", paths, 2, NULL, NULL, 0, &m));
	ck_assert_int_eq(((int (*)(void))symbol(m, "one"))(), 22);
	must(pm, permod_unload(m, 0));
	command(text("cd '%s' && rm -f both.a && ar rcs both.a one.o two.o", work_dir()));
	must(pm, permod_load(pm, compress(tool, "", work_file("both.a"), "both.a"), NULL, 0, &m));
	ck_assert_str_eq(permod_name(m), "both");
	permod_free(pm);
}
END_TEST

int main(void)
{
	const TTest *const each[] = {
		compressed_modules_load,
		compressed_shared_objects_load,
		those_that_stay_in_memory_leave_no_descriptor,
		several_streams_are_one_file,
		what_is_behind_the_end,
		truncated_files_are_refused,
		damaged_files_are_refused,
		bombs_cost_little,
		bounds_are_exact,
		empty_ones_are_refused,
		archives_and_their_files_are_compressed,
	};
	Suite *suite = suite_create("compress");
	TCase *tests = tcase_create("compress");

	tcase_set_timeout(tests, 120);
	for (int tool = 0; tool < (int)COUNT(tools); tool++) {
		if (!tools[tool].known)
			printf("skipped all of %s: permod is built without\n", tools[tool].name);
		for (size_t i = 0; i < COUNT(each) && tools[tool].known; i++)
			tcase_add_loop_test(tests, each[i], tool, tool + 1);
	}
	if (HAS_XZ && HAS_ZSTD)
		tcase_add_test(tests, memory_for_expanding_is_bounded);
	else
		LEAVE_OUT(memory_for_expanding_is_bounded, "it is about xz and zstd");
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
