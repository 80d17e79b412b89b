/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whose symbols a module gets: the host's exports, other modules', the libraries'; licences, weak
 * symbols, names that are taken, and how far code of every kind reaches.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/auxv.h>

/* ---- What this program has ------------------------------------------------------------------ */

int host_number = 11;
EXPORT_SYMBOL(host_number);

int host_twice(int number);
int host_twice(int number)
{
	return number * 2;
}
EXPORT_SYMBOL(host_twice);

int host_gpl(void);
int host_gpl(void)
{
	return 4;
}
EXPORT_SYMBOL_GPL(host_gpl);

static int own_twice(int number)
{
	return number * 2 + 1000;
}

static size_t own_strlen(const char *string)
{
	return string[0] == 'a' ? 123 : 0;
}

static const char call_source[] = "int CALLED(int);\n"
				  "int call(int number) { return CALLED(number); }\n";

static const char *caller_of(const char *function)
{
	return compile(text("calls_%s.ko", function), text("-DCALLED=%s", function), call_source);
}

/* The result of calling a function with a number, from a module that is loaded for it. */
static int call_from_module(struct permod *pm, const char *function, int number)
{
	struct permod_module *m = load_file(pm, caller_of(function), NULL);
	int (*call)(int) = symbol(m, "call");
	int result = call(number);

	must(pm, permod_unload(m, 0));
	return result;
}

static struct permod *new_closed_context(void)
{
	struct permod_options options = { .size = sizeof(options), .flags = PERMOD_NO_LIBDL };
	struct permod *pm = NULL;

	must(NULL, permod_new(&pm, &options));
	return pm;
}

/* ---- Exports of the host -------------------------------------------------------------------- */

START_TEST(exports_of_the_program_are_seen_in_every_context)
{
	struct permod *open = new_context(), *closed = new_closed_context();
	const char *source = "extern int host_number;\n"
			     "int *const number_at = &host_number;\n";
	struct permod_module *m;

	ck_assert_int_eq(call_from_module(open, "host_twice", 21), 42);
	ck_assert_int_eq(call_from_module(closed, "host_twice", 21), 42);
	m = load_file(closed, compile("number.ko", "", source), NULL);
	ck_assert_ptr_eq(*(int **)symbol(m, "number_at"), &host_number);
	permod_free(open);
	permod_free(closed);
}
END_TEST

START_TEST(exports_of_a_context_are_its_own)
{
	struct permod *pm = new_context(), *other = new_context();
	struct permod_export exports[] = { { "own_twice", (const void *)own_twice, 0 } };

	must(pm, permod_export(pm, exports, 1));
	/* The array was copied. */
	memset(exports, 0xff, sizeof(exports));
	ck_assert_int_eq(call_from_module(pm, "own_twice", 1), 1002);
	expect_error(other, permod_load(other, caller_of("own_twice"), NULL, 0, NULL), -ENOENT,
		     "own_twice");
	permod_free(pm);
	permod_free(other);
}
END_TEST

START_TEST(many_exports_are_found)
{
	enum { MANY = 3000 };
	static struct permod_export exports[MANY];
	static char names[MANY][24];
	struct permod *pm = new_context();

	for (int i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "many_%d", i);
		exports[i] = (struct permod_export){ names[i], (const void *)own_twice, 0 };
	}
	must(pm, permod_export(pm, exports, MANY / 2));
	must(pm, permod_export(pm, exports + MANY / 2, MANY / 2));
	must(pm, permod_export(pm, exports, 0));
	ck_assert_int_eq(call_from_module(pm, "many_0", 1), 1002);
	ck_assert_int_eq(call_from_module(pm, "many_1499", 2), 1004);
	ck_assert_int_eq(call_from_module(pm, "many_2999", 3), 1006);
	permod_free(pm);
}
END_TEST

START_TEST(name_exported_already_adds_none_of_the_array)
{
	struct permod *pm = new_closed_context();
	const struct permod_export first = { "taken", (const void *)own_twice, 0 };
	const struct permod_export more[] = {
		{ "fresh", (const void *)own_twice, 0 },
		{ "taken", (const void *)own_strlen, 0 },
	};
	const struct permod_export twice[] = {
		{ "doubled", (const void *)own_twice, 0 },
		{ "doubled", (const void *)own_twice, 0 },
	};

	must(pm, permod_export(pm, &first, 1));
	expect_error(pm, permod_export(pm, more, 2), -EEXIST, "taken");
	expect_error(pm, permod_load(pm, caller_of("fresh"), NULL, 0, NULL), -ENOENT, "fresh");
	expect_error(pm, permod_export(pm, twice, 2), -EEXIST, "doubled");
	expect_error(pm, permod_load(pm, caller_of("doubled"), NULL, 0, NULL), -ENOENT, "doubled");
	must(pm, permod_export(pm, more, 1));
	ck_assert_int_eq(call_from_module(pm, "fresh", 1), 1002);
	ck_assert_int_eq(call_from_module(pm, "taken", 1), 1002);
	permod_free(pm);
}
END_TEST

START_TEST(export_without_a_name_is_refused)
{
	struct permod *pm = new_context();
	const struct permod_export nameless[] = { { NULL, (const void *)own_twice, 0 },
						  { "", (const void *)own_twice, 0 } };

	expect_error(pm, permod_export(pm, &nameless[0], 1), -EINVAL, "name");
	expect_error(pm, permod_export(pm, &nameless[1], 1), -EINVAL, "name");
	permod_free(pm);
}
END_TEST

/* ---- Libraries ------------------------------------------------------------------------------ */

static const char length_source[] = "unsigned long strlen(const char *);\n"
				    "unsigned long length(const char *s) { return strlen(s); }\n"
				    "unsigned long (*const pointer)(const char *) = strlen;\n";

START_TEST(libraries_are_asked_last)
{
	struct permod *pm = new_context();
	const struct permod_export ours = { "strlen", (const void *)own_strlen, 0 };
	const char *path = compile("length.ko", "-fno-builtin", length_source);
	struct permod_module *m = load_file(pm, path, NULL);
	size_t (*length)(const char *) = symbol(m, "length");
	size_t (**pointer)(const char *) = symbol(m, "pointer");

	ck_assert_uint_eq(length("abc"), 3);
	ck_assert_ptr_eq((void *)*pointer, dlsym(RTLD_DEFAULT, "strlen"));
	must(pm, permod_unload(m, 0));
	must(pm, permod_export(pm, &ours, 1));
	m = load_file(pm, path, NULL);
	length = symbol(m, "length");
	pointer = symbol(m, "pointer");
	ck_assert_uint_eq(length("abc"), 123);
	ck_assert_ptr_eq((void *)*pointer, (void *)own_strlen);
	permod_free(pm);
}
END_TEST

/* A host may have its own of what the loader gives to all: an allocator that counts, say. */
START_TEST(export_comes_before_what_the_loader_has)
{
	struct permod *pm = new_context();
	const struct permod_export ours = { "pcpu_max_size", (const void *)own_twice, 0 };

	must(pm, permod_export(pm, &ours, 1));
	ck_assert_int_eq(call_from_module(pm, "pcpu_max_size", 5), 1010);
	permod_free(pm);
}
END_TEST

/* A library whose function adds a number, open for all. */
static void *open_adder(const char *name, int number)
{
	const char *path = compile(text("%s.o", name), text("-fPIC -DNUMBER=%d", number),
				   "int adder(int); int adder(int n) { return n + NUMBER; }\n");
	void *library;

	command(text("%s -shared -o '%s' '%s'", setting("CC", "gcc"),
		     work_file(text("%s.so", name)), path));
	library = dlopen(work_file(text("%s.so", name)), RTLD_NOW | RTLD_GLOBAL);
	ck_assert_msg(library, "%s", dlerror());
	return library;
}

/* A module gets what dlsym() finds now.  (glibc keeps a library whose symbol dlsym() has given.) */
static void expect_what_dlsym_finds(struct permod *pm)
{
	int (*adder)(int) = (int (*)(int))dlsym(RTLD_DEFAULT, "adder");

	if (adder)
		ck_assert_int_eq(call_from_module(pm, "adder", 1), adder(1));
	else
		expect_error(pm, permod_load(pm, caller_of("adder"), NULL, 0, NULL), -ENOENT,
			     "adder");
}

START_TEST(libraries_that_come_and_go_are_noticed)
{
	struct permod *pm = new_context();
	void *one, *ten;

	expect_what_dlsym_finds(pm);
	one = open_adder("adds_1", 1);
	ck_assert_int_eq(call_from_module(pm, "adder", 1), 2);
	ck_assert_int_eq(call_from_module(pm, "adder", 2), 3);
	dlclose(one);
	expect_what_dlsym_finds(pm);
	ten = open_adder("adds_10", 10);
	expect_what_dlsym_finds(pm);
	one = open_adder("adds_1", 1);
	expect_what_dlsym_finds(pm);
	dlclose(ten);
	expect_what_dlsym_finds(pm);
	dlclose(one);
	permod_free(pm);
}
END_TEST

START_TEST(library_that_becomes_global_is_noticed)
{
	struct permod *pm = new_context();
	void *library, *again;

	/* Valgrind runs all tests in one process, in which others have opened such libraries for all. */
	if (under_valgrind()) {
		permod_free(pm);
		return;
	}
	dlclose(open_adder("adds_5", 5));
	library = dlopen(work_file("adds_5.so"), RTLD_NOW | RTLD_LOCAL);
	ck_assert_msg(library, "%s", dlerror());
	expect_error(pm, permod_load(pm, caller_of("adder"), NULL, 0, NULL), -ENOENT, "adder");
	again = dlopen(work_file("adds_5.so"), RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
	ck_assert_ptr_nonnull(again);
	ck_assert_int_eq(call_from_module(pm, "adder", 1), 6);
	dlclose(again);
	dlclose(library);
	permod_free(pm);
}
END_TEST

START_TEST(no_libdl_hides_the_libraries_but_not_the_loader)
{
	struct permod *pm = new_closed_context();
	const char *path = compile("length.ko", "-fno-builtin", length_source);
	struct permod_module *m;

	expect_error(pm, permod_load(pm, path, NULL, 0, NULL), -ENOENT, "length", "strlen");
	/* What the headers' macros need is there: parameters and per-CPU operations. */
	m = load(pm, "basic");
	ck_assert_int_eq(((int (*)(int))symbol(m, "basic_add"))(1), 41);
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}
END_TEST

/* ---- Exports of modules --------------------------------------------------------------------- */

START_TEST(only_exported_symbols_of_a_module_are_seen)
{
	struct permod *pm = new_context();

	load(pm, "basic");
	ck_assert_int_eq(call_from_module(pm, "basic_add", 2), 42);
	expect_error(pm, permod_load(pm, caller_of("basic_plain"), NULL, 0, NULL), -ENOENT,
		     "basic_plain");
	permod_free(pm);
}
END_TEST

START_TEST(exports_end_with_their_module)
{
	struct permod *pm = new_context();
	struct permod_module *m = load(pm, "basic");

	must(pm, permod_unload(m, 0));
	expect_error(pm, permod_load(pm, module_file("user"), NULL, 0, NULL), -ENOENT, "load_user",
		     "basic_add");
	load(pm, "basic");
	load(pm, "user");
	permod_free(pm);
}
END_TEST

START_TEST(symbol_exported_already_is_refused)
{
	struct permod *pm = new_context();
	const char *source = "#include <permod/module.h>\n"
			     "int basic_add(int number);\n"
			     "int basic_add(int number) { return number; }\n"
			     "EXPORT_SYMBOL(basic_add);\n";
	const char *path = compile("rival.ko", "", source);
	const struct permod_export ours = { "basic_add", (const void *)own_twice, 0 };

	load(pm, "basic");
	expect_error(pm, permod_load(pm, path, NULL, 0, NULL), -EEXIST, "rival", "basic_add",
		     "load_basic");
	expect_error(pm, permod_export(pm, &ours, 1), -EEXIST, "basic_add");
	must(pm, permod_unload(permod_find(pm, "load_basic"), 0));
	must(pm, permod_export(pm, &ours, 1));
	expect_error(pm, permod_load(pm, path, NULL, 0, NULL), -EEXIST, "rival", "basic_add",
		     "host");
	ck_assert_str_eq(noted(), "basic_init basic_exit");
	/* What the program exports to all is taken in every context. */
	path = compile("rival.ko", "",
		       "#include <permod/module.h>\n"
		       "int host_twice(int number);\n"
		       "int host_twice(int number) { return number; }\n"
		       "EXPORT_SYMBOL(host_twice);\n");
	expect_error(pm, permod_load(pm, path, NULL, 0, NULL), -EEXIST, "rival", "host_twice",
		     "host");
	permod_free(pm);
}
END_TEST

/* A module's own definition comes before what others export. */
START_TEST(own_definition_comes_first)
{
	struct permod *pm = new_context();
	const char *source =
		"int host_twice(int number) { return number + 5; }\n"
		"unsigned long strlen(const char *s) { return 7; }\n"
		"int both(int number) { return host_twice(number) + (int)strlen(\"\"); "
		"}\n";
	struct permod_module *m = load_file(pm, compile("own.ko", "-fno-builtin", source), NULL);
	int (*both)(int) = symbol(m, "both");

	ck_assert_int_eq(both(1), 13);
	permod_free(pm);
}
END_TEST

/* ---- Licences ------------------------------------------------------------------------------- */

/* By the kernel's rule, license_is_gpl_compatible() in include/linux/license.h. */
static const struct {
	const char *licence; /* NULL: none */
	bool compatible;
} licences[] = {
	{ "GPL", true },	  { "GPL v2", true },	    { "GPL and additional rights", true },
	{ "Dual BSD/GPL", true }, { "Dual MIT/GPL", true }, { "Dual MPL/GPL", true },
	{ "Proprietary", false }, { "gpl", false },	    { "GPL ", false },
	{ "GPLx", false },	  { "BSD", false },	    { "", false },
	{ NULL, false },
};

static const char *licensed(const char *function, int i)
{
	static const char source[] = "#include <permod/module.h>\n"
				     "int CALLED(void);\n"
				     "int call(void);\n"
				     "int call(void) { return CALLED(); }\n"
				     "#ifdef LICENCE\n"
				     "MODULE_LICENSE(LICENCE);\n"
				     "#endif\n";
	const char *flags = text("-DCALLED=%s", function);

	if (licences[i].licence)
		flags = text("-DCALLED=%s '-DLICENCE=\"%s\"'", function, licences[i].licence);
	return compile("licensed.ko", flags, source);
}

static void expect_licence(struct permod *pm, const char *function, int i)
{
	struct permod_module *m;

	if (licences[i].compatible) {
		m = load_file(pm, licensed(function, i), NULL);
		ck_assert_int_eq(((int (*)(void))symbol(m, "call"))(), 4);
		must(pm, permod_unload(m, 0));
	} else {
		expect_error(pm, permod_load(pm, licensed(function, i), NULL, 0, NULL), -EPERM,
			     "licensed", function, "GPL");
	}
}

START_TEST(gpl_exports_are_for_compatible_licences)
{
	struct permod *pm = new_context();
	const struct permod_export given = { "given_gpl", (const void *)host_gpl,
					     PERMOD_EXPORT_GPL };

	expect_licence(pm, "host_gpl", _i);
	must(pm, permod_export(pm, &given, 1));
	expect_licence(pm, "given_gpl", _i);
	load_file(pm,
		  compile("provider.ko", "",
			  "#include <permod/module.h>\n"
			  "int module_gpl(void);\n"
			  "int module_gpl(void) { return 4; }\n"
			  "EXPORT_SYMBOL_GPL(module_gpl);\n"),
		  NULL);
	expect_licence(pm, "module_gpl", _i);
	/* A module that was refused holds nothing. */
	must(pm, permod_unload(permod_find(pm, "provider"), 0));
	permod_free(pm);
}
END_TEST

/* ---- Weak and common symbols ---------------------------------------------------------------- */

static const char weak_source[] = "extern int given_number __attribute__((weak));\n"
				  "int given_twice(int) __attribute__((weak));\n"
				  "int *number(void) { return &given_number; }\n"
				  "int twice(int n) { return given_twice ? given_twice(n) : -1; }\n"
				  "int *const pointer = &given_number;\n"
				  "int __attribute__((weak)) own(void) { return 3; }\n"
				  "int call_own(void) { return own(); }\n";

/* QEMU 7.2 keeps 32 bits of the distance that s390x's larl has, which is up to 4 GiB. */
static bool reaches_null(void)
{
#ifdef __s390x__
	return !emulator();
#else
	return true;
#endif
}

static void expect_weak(struct permod *pm, const char *flags, const void *number, int twice)
{
	struct permod_module *m = load_file(pm, compile("weak.ko", flags, weak_source), NULL);

	ck_assert_ptr_eq(((int *(*)(void))symbol(m, "number"))(), number);
	ck_assert_ptr_eq(*(int **)symbol(m, "pointer"), number);
	ck_assert_int_eq(((int (*)(int))symbol(m, "twice"))(5), twice);
	ck_assert_int_eq(((int (*)(void))symbol(m, "call_own"))(), 3);
	must(pm, permod_unload(m, 0));
}

/* As in the kernel: what it may not use it can do without. */
START_TEST(weak_symbol_is_null_if_the_licence_forbids_it)
{
	const struct permod_export exports[] = {
		{ "given_twice", (const void *)own_twice, PERMOD_EXPORT_GPL },
		{ "given_number", &host_number, PERMOD_EXPORT_GPL },
	};
	struct permod *pm = new_context();

	must(pm, permod_export(pm, exports, 2));
	expect_weak(pm, "-fPIE", NULL, -1);
	permod_free(pm);
}
END_TEST

START_TEST(weak_symbols_are_null_or_what_somebody_has)
{
	static const char *const flags[] = { "-fPIE", "-fPIC", "-fPIE -fno-plt", "-fPIE -O0" };
	const struct permod_export exports[] = { { "given_twice", (const void *)own_twice, 0 },
						 { "given_number", &host_number, 0 } };

	for (size_t i = 0; i < COUNT(flags); i++) {
		struct permod *pm = new_context();

		expect_weak(pm, flags[i], NULL, -1);
		if (reaches_null())
			expect_weak(pm, "-fno-pie", NULL, -1);
		must(pm, permod_export(pm, exports, 2));
		expect_weak(pm, flags[i], &host_number, 1010);
		permod_free(pm);
	}
}
END_TEST

START_TEST(common_symbols_get_zeroed_memory)
{
	struct permod *pm = new_context();
	const char *source = "int shared_number;\n"
			     "char odd[3];\n"
			     "long long aligned_numbers[100] __attribute__((aligned(64)));\n"
			     "int get(void) { return shared_number; }\n";
	struct permod_module *m = load_file(pm, compile("common.ko", "-fcommon", source), NULL);
	int *number = symbol(m, "shared_number");
	const long long *numbers = symbol(m, "aligned_numbers");

	ck_assert_int_eq(*number, 0);
	*number = 9;
	ck_assert_int_eq(((int (*)(void))symbol(m, "get"))(), 9);
	ck_assert_uint_eq((uintptr_t)numbers % 64, 0);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(numbers[i], 0);
	permod_free(pm);
}
END_TEST

/* ---- Reach ---------------------------------------------------------------------------------- */

/* Every way to compile, with the compilers that are there. */
static const char *const ways[] = {
	"",
	"-O0",
	"-O3",
	"-Os",
	"-fPIC",
	"-fPIE",
	"-fno-pie -fno-pic -DNO_STDERR",
	"-fno-plt",
	"-fPIC -fno-plt",
	"-ffunction-sections -fdata-sections",
	"-g",
	"-fcf-protection=none",
	"-fcf-protection=full",
	"-mcmodel=large -fno-pie",
	"-fno-asynchronous-unwind-tables",
	"-fstack-protector-all",
};

static void expect_plain(const char *compiler, const char *flags)
{
	struct permod *pm = new_context();
	struct permod_module *m =
		load_file(pm, compile_file("way.ko", compiler, flags, module_source("plain")),
			  NULL);
	int (*count)(int) = symbol(m, "plain_count");
	int (*words)(int, char *, size_t) = symbol(m, "plain_words");
	char buffer[40];

	ck_assert_int_eq(count(5), 15);
	ck_assert_int_eq(words(1, buffer, sizeof(buffer)), 0);
	ck_assert_str_eq(buffer, "one/3/0.25");
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}

START_TEST(code_of_every_kind_loads)
{
	/* This program uses stderr, too, so that there is a copy of it in its own data. */
	if (!knows_flags(ways[_i]))
		return;
	fflush(stderr);
	expect_plain(NULL, ways[_i]);
	if (*setting("CLANG", ""))
		expect_plain(setting("CLANG", ""), ways[_i]);
}
END_TEST

/* What is short calls functions for that on some machines, which linkers make. */
static const char *const short_ways[] = { "-Os", "-Os -fPIC", "-Os -maltivec" };

/* Of 16 bytes, by -maltivec, which is for powerpc alone; QEMU's first choice of those CPUs has none. */
static bool has_vectors(void)
{
#ifdef __powerpc__
	return getauxval(AT_HWCAP) & 0x10000000;
#else
	return true;
#endif
}

START_TEST(short_code_keeps_registers)
{
	/* 18 values that are needed again behind a call that needs as many: squares from 2 on. */
	const char *source =
		"#define EACH(X) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) \\\n"
		"  X(14) X(15) X(16) X(17) X(18) X(19)\n"
		"#define SET(n) v##n = one * n,\n"
		"#define ADD(n) sum += v##n * n;\n"
		"#define DEFINE(name, kind, what) int name(int depth); \\\n"
		"  static int (*volatile again_##name)(int) = name; \\\n"
		"  int name(int depth) { static volatile kind zero; volatile kind one = zero + 1; \\\n"
		"    kind EACH(SET) sum = zero + (depth ? again_##name(depth - 1) : 0); \\\n"
		"    EACH(ADD) return (int)what; }\n"
		"typedef int four __attribute__((vector_size(16)));\n"
		"DEFINE(ints, int, sum) DEFINE(doubles, double, sum) DEFINE(vectors, four, sum[3])\n";
	static const char *const names[] = { "ints", "doubles", "vectors" };
	struct permod_module *m;
	struct permod *pm;
	int expected = 0;

	if (!compiles(setting("CC", "gcc"), short_ways[_i]) ||
	    (strstr(short_ways[_i], "altivec") && !has_vectors()))
		return;
	pm = new_context();
	m = load_file(pm, compile("short.ko", short_ways[_i], source), NULL);
	for (int i = 2; i <= 19; i++)
		expected += i * i;
	for (size_t i = 0; i < COUNT(names); i++) {
		int (*function)(int) = symbol(m, names[i]);

		for (int depth = 0; depth < 4; depth++)
			ck_assert_int_eq(function(depth), (depth + 1) * expected);
	}
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}
END_TEST

/* Two objects of a module that count each other's number up, and call each other directly and by pointer. */
static const char partner_source[] =
	"#define JOIN(a, b) a##b\n"
	"#define NAME(a, b) JOIN(a, b)\n"
	"extern int NAME(OTHER, _number);\n"
	"int NAME(OTHER, _call)(int), NAME(MY, _call)(int);\n"
	"int NAME(MY, _number) = NUMBER;\n"
	"static int own = 100 * NUMBER;\n"
	"static int (*volatile pointer)(int) = NAME(OTHER, _call);\n"
	"int NAME(MY, _call)(int times)\n"
	"{\n"
	"	int result;\n"
	"	own++;\n"
	"	NAME(OTHER, _number)++;\n"
	"	if (!times)\n"
	"		return own;\n"
	"	result = times % 3 ? NAME(OTHER, _call)(times - 1) : pointer(times - 1);\n"
	"	return result + NAME(MY, _number);\n"
	"}\n";

static const char *const kinds[] = { "", "-fPIC", "-fno-pie -fno-pic -O0" };

static const char *compile_partner(const char *name, const char *other, int number, size_t kind)
{
	return compile(text("%s_%zu.o", name, kind),
		       text("%s -DMY=%s -DOTHER=%s -DNUMBER=%d", kinds[kind], name, other, number),
		       partner_source);
}

static int (*partner_call)(int);

static void *call_partner(void *result)
{
	*(int *)result = partner_call(6);
	return NULL;
}

/* Of partner_call(6) each partner has three calls to the other: the innermost returns the first's own, which is
 * 100 at first, and the outer ones add the numbers, which are 2 and 1 at first, three times each. */
START_TEST(kinds_of_code_work_together)
{
	for (size_t i = 0; i < COUNT(kinds) * COUNT(kinds); i++) {
		const char *const paths[] = {
			compile_partner("one", "two", 1, i % COUNT(kinds)),
			compile_partner("two", "one", 2, i / COUNT(kinds)),
		};
		struct permod *pm = new_context();
		struct permod_module *m;
		pthread_t thread;
		int result = 0;

		must(pm, permod_load_files(pm, "partners", paths, 2, NULL, NULL, 0, &m));
		partner_call = (int (*)(int))symbol(m, "one_call");
		ck_assert_int_eq(partner_call(6), 104 + 3 * (6 + 4));
		ck_assert_int_eq(partner_call(6), 108 + 3 * (10 + 7));
		check_that(!pthread_create(&thread, NULL, call_partner, &result));
		pthread_join(thread, NULL);
		ck_assert_int_eq(result, 112 + 3 * (14 + 10));
		permod_free(pm);
	}
}
END_TEST

START_TEST(cxx_object_loads)
{
	const char *source =
		"struct base { virtual int get() { return 1; } virtual ~base() {} };\n"
		"struct derived : base { int get() override { return number; }\n"
		"  int number; derived() : number(42) {} ~derived() { number = 0; } };\n"
		"static derived global;\n"
		"template <class type> type add(type a, type b) { return a + b; }\n"
		"extern \"C\" int value() { base *b = new derived;\n"
		"  int sum = add(b->get(), global.get()); delete b; return sum; }\n";
	struct permod *pm = new_context();
	const char *path = work_file("cxx.cc");
	struct permod_module *m;

	if (!*setting("CXX", ""))
		return;
	/* The library of C++, which this program was not linked with. */
	if (!dlopen("libstdc++.so.6", RTLD_NOW | RTLD_GLOBAL))
		return;
	write_file(path, source, strlen(source));
	m = load_file(pm, compile_file("cxx.ko", setting("CXX", ""), "", path), NULL);
	ck_assert_int_eq(((int (*)(void))symbol(m, "value"))(), 84);
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}
END_TEST

START_TEST(assembler_object_loads)
{
	const char *source = "\t.globl answer\n\t.type answer, %function\n"
			     "answer:\n\tmovl number(%rip), %eax\n\taddl $1, %eax\n\tret\n"
			     "\t.size answer, . - answer\n"
			     "\t.data\nnumber:\n\t.long 41\n\t.section .note.GNU-stack\n";
	struct permod *pm = new_context();
	const char *path = work_file("answer.s");
	struct permod_module *m;

	write_file(path, source, strlen(source));
	m = load_file(pm, compile_file("answer.ko", NULL, "", path), NULL);
	ck_assert_int_eq(((int (*)(void))symbol(m, "answer"))(), 42);
	permod_free(pm);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("symbols");
	TCase *names = tcase_create("names"), *reach = tcase_create("reach");

	tcase_set_timeout(names, 60);
	tcase_add_test(names, exports_of_the_program_are_seen_in_every_context);
	tcase_add_test(names, exports_of_a_context_are_its_own);
	tcase_add_test(names, many_exports_are_found);
	tcase_add_test(names, name_exported_already_adds_none_of_the_array);
	tcase_add_test(names, export_without_a_name_is_refused);
	tcase_add_test(names, libraries_are_asked_last);
	tcase_add_test(names, libraries_that_come_and_go_are_noticed);
#ifdef __GLIBC__
	tcase_add_test(names, library_that_becomes_global_is_noticed);
#else
	LEAVE_OUT(library_that_becomes_global_is_noticed,
		  "once opened, a library stays in this C library, with its scope");
#endif
	tcase_add_test(names, no_libdl_hides_the_libraries_but_not_the_loader);
	tcase_add_test(names, only_exported_symbols_of_a_module_are_seen);
	tcase_add_test(names, exports_end_with_their_module);
	tcase_add_test(names, symbol_exported_already_is_refused);
	tcase_add_test(names, own_definition_comes_first);
	tcase_add_loop_test(names, gpl_exports_are_for_compatible_licences, 0, COUNT(licences));
	tcase_add_test(names, weak_symbols_are_null_or_what_somebody_has);
	tcase_add_test(names, weak_symbol_is_null_if_the_licence_forbids_it);
	tcase_add_test(names, export_comes_before_what_the_loader_has);
	tcase_add_test(names, common_symbols_get_zeroed_memory);
	suite_add_tcase(suite, names);

	tcase_set_timeout(reach, 60);
	tcase_add_loop_test(reach, code_of_every_kind_loads, 0, COUNT(ways));
	tcase_add_loop_test(reach, short_code_keeps_registers, 0, COUNT(short_ways));
	tcase_add_test(reach, kinds_of_code_work_together);
	tcase_add_test(reach, cxx_object_loads);
	add_x86_64_test(reach, assembler_object_loads);
	suite_add_tcase(suite, reach);
	return suite;
}

int main(void)
{
	return run_suite(make_suite());
}
