/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A module's life as the host sees it: loading from files, memory and archives, finding it,
 * references, unloading, and contexts.  What modules run meanwhile is in test_init.c.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <elf.h>

/* ---- Loading and unloading ------------------------------------------------------------------ */

START_TEST(load_runs_init_and_unload_runs_exit)
{
	struct permod *pm = new_context();
	struct permod_module *m = load(pm, "basic");
	int (*add)(int) = symbol(m, "basic_add");

	ck_assert_str_eq(noted(), "basic_init");
	ck_assert_int_eq(add(2), 42);
	ck_assert_str_eq(permod_name(m), "load_basic");
	must(pm, permod_unload(m, 0));
	ck_assert_str_eq(noted(), "basic_exit");
	permod_free(pm);
	ck_assert_str_eq(noted(), "");
}
END_TEST

START_TEST(module_pointer_may_be_left_out)
{
	struct permod *pm = new_context();

	must(pm, permod_load(pm, module_file("basic"), NULL, 0, NULL));
	ck_assert_ptr_nonnull(permod_find(pm, "load_basic"));
	permod_free(pm);
	ck_assert_str_eq(noted(), "basic_init basic_exit");
}
END_TEST

START_TEST(load_from_memory_needs_the_buffer_no_longer)
{
	struct permod *pm = new_context();
	struct permod_module *m = NULL;
	char name[] = "from_memory", params[] = "start=100 words=\"some words\"";
	const char *(*plain)(void);
	int (*add)(int);
	size_t size;
	unsigned char *data = read_file(module_file("basic"), &size);

	must(pm, permod_load_memory(pm, name, data, size, params, 0, &m));
	memset(data, 0xcc, size);
	free(data);
	memset(name, '#', sizeof(name) - 1);
	memset(params, '#', sizeof(params) - 1);
	add = symbol(m, "basic_add");
	plain = symbol(m, "basic_plain");
	ck_assert_int_eq(add(1), 101);
	ck_assert_str_eq(plain(), "some words");
	ck_assert_str_eq(permod_name(m), "from_memory");
	ck_assert_ptr_eq(permod_find(pm, "from_memory"), m);
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}
END_TEST

/* An odd address is no reason to fail, or to read misaligned words. */
START_TEST(load_from_memory_at_any_address)
{
	struct permod *pm = new_context();
	size_t size;
	unsigned char *data = read_file(module_file("basic"), &size);
	unsigned char *moved = malloc(size + 7);
	struct permod_module *m;

	for (size_t shift = 0; shift < 8; shift++) {
		memcpy(moved + shift, data, size);
		must(pm, permod_load_memory(pm, "moved", moved + shift, size, NULL, 0, &m));
		must(pm, permod_unload(m, 0));
	}
	free(moved);
	free(data);
	permod_free(pm);
}
END_TEST

/* A file's name, and the module's. */
static const char *const file_names[][2] = {
	{ "two-dashes-here.ko", "two_dashes_here" },
	{ "under_score.o", "under_score" },
	{ "no-ending", "no_ending" },
	{ "CamelCase9.ko", "CamelCase9" },
};

START_TEST(name_is_made_from_the_file)
{
	struct permod *pm = new_context();
	const char *path = work_file(file_names[_i][0]);
	struct permod_module *m;

	command(text("cp '%s' '%s'", module_file("basic"), path));
	m = load_file(pm, path, NULL);
	ck_assert_str_eq(permod_name(m), file_names[_i][1]);
	ck_assert_ptr_eq(permod_find(pm, file_names[_i][1]), m);
	permod_free(pm);
}
END_TEST

START_TEST(no_init_flag_runs_nothing)
{
	struct permod *pm = new_context();
	struct permod_module *order = NULL, *basic = NULL;

	must(pm, permod_load(pm, module_file("order"), NULL, PERMOD_LOAD_NO_INIT, &order));
	must(pm, permod_load(pm, module_file("basic"), "start=1", PERMOD_LOAD_NO_INIT, &basic));
	ck_assert_str_eq(noted(), "");
	ck_assert_ptr_nonnull(permod_symbol(basic, "basic_add"));
	/* What never began is not ended. */
	must(pm, permod_unload(order, 0));
	must(pm, permod_unload(basic, 0));
	ck_assert_str_eq(noted(), "");
	permod_free(pm);
}
END_TEST

START_TEST(unknown_flags_are_refused)
{
	struct permod_options options = { .size = sizeof(options), .flags = 1U << 30 };
	struct permod *pm = (void *)&options;
	struct permod_module *m;

	ck_assert_int_eq(permod_new(&pm, &options), -EINVAL);
	expect_line(permod_error(NULL), (const char *const[]){ NULL });
	options.flags = 0;
	must(NULL, permod_new(&pm, &options));
	expect_error(pm, permod_load(pm, module_file("basic"), NULL, 1U << 30, NULL), -EINVAL,
		     "flag");
	ck_assert_ptr_null(permod_find(pm, "load_basic"));
	m = load(pm, "basic");
	expect_error(pm, permod_unload(m, 1U << 30), -EINVAL, "flag");
	ck_assert_str_eq(noted(), "basic_init");
	ck_assert_ptr_eq(permod_find(pm, "load_basic"), m);
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}
END_TEST

START_TEST(error_is_empty_at_first_and_kept_for_each_context)
{
	struct permod *one = new_context(), *two = new_context();

	ck_assert_str_eq(permod_error(one), "");
	expect_error(one, permod_load(one, "/nowhere/first.ko", NULL, 0, NULL), -ENOENT,
		     "first.ko");
	ck_assert_str_eq(permod_error(two), "");
	expect_error(two, permod_load(two, "/nowhere/second.ko", NULL, 0, NULL), -ENOENT,
		     "second.ko");
	ck_assert_ptr_nonnull(strstr(permod_error(one), "first.ko"));
	permod_free(one);
	permod_free(two);
	permod_free(NULL);
}
END_TEST

START_TEST(version_is_the_packages)
{
	ck_assert_str_eq(permod_version(), "0.1.0");
}
END_TEST

/* ---- Finding -------------------------------------------------------------------------------- */

START_TEST(next_walks_in_the_order_of_loading)
{
	struct permod *pm = new_context();
	struct permod_module *first, *second, *third;

	ck_assert_ptr_null(permod_next(pm, NULL));
	ck_assert_ptr_null(permod_find(pm, "load_basic"));
	first = load(pm, "order");
	second = load(pm, "basic");
	third = load(pm, "plain");
	ck_assert_ptr_eq(permod_next(pm, NULL), first);
	ck_assert_ptr_eq(permod_next(pm, first), second);
	ck_assert_ptr_eq(permod_next(pm, second), third);
	ck_assert_ptr_null(permod_next(pm, third));
	ck_assert_ptr_eq(permod_find(pm, "load_basic"), second);
	must(pm, permod_unload(second, 0));
	ck_assert_ptr_null(permod_find(pm, "load_basic"));
	ck_assert_ptr_eq(permod_next(pm, first), third);
	must(pm, permod_unload(first, 0));
	ck_assert_ptr_eq(permod_next(pm, NULL), third);
	must(pm, permod_unload(third, 0));
	ck_assert_ptr_null(permod_next(pm, NULL));
	permod_free(pm);
}
END_TEST

START_TEST(symbol_finds_exported_and_global_names_only)
{
	struct permod *pm = new_context();
	struct permod_module *m = load(pm, "basic");
	const int *value = symbol(m, "basic_value");

	ck_assert_int_eq(*value, -5);
	ck_assert_ptr_nonnull(permod_symbol(m, "basic_plain"));
	ck_assert_ptr_nonnull(permod_symbol(m, "basic_add"));
	/* Local, undefined, and unknown ones. */
	ck_assert_ptr_null(permod_symbol(m, "basic_words"));
	ck_assert_ptr_null(permod_symbol(m, "note"));
	ck_assert_ptr_null(permod_symbol(m, "param_ops_int"));
	ck_assert_ptr_null(permod_symbol(m, "basic"));
	ck_assert_ptr_null(permod_symbol(m, ""));
	permod_free(pm);
}
END_TEST

START_TEST(plain_object_loads_and_its_globals_are_found)
{
	struct permod *pm = new_context();
	struct permod_module *m = load(pm, "plain");
	int (*count)(int) = symbol(m, "plain_count");
	int (*words)(int, char *, size_t) = symbol(m, "plain_words");
	const int *counter = symbol(m, "plain_counter"), *zeros = symbol(m, "plain_zeros");
	char buffer[40];

	ck_assert_str_eq(symbol(m, "plain_greeting"), "hello");
	ck_assert_ptr_null(permod_symbol(m, "hidden"));
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(zeros[i], 0);
	ck_assert_int_eq(count(5), 5 * 2 + 5);
	ck_assert_int_eq(*counter, 2);
	ck_assert_int_eq(zeros[999], 5);
	ck_assert_int_eq(words(3, buffer, sizeof(buffer)), 0);
	ck_assert_str_eq(buffer, "three/5/0.75");
	ck_assert_int_eq(words(77, buffer, sizeof(buffer)), 0);
	ck_assert_str_eq(buffer, "hello/5/19.25");
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}
END_TEST

/* ---- References ----------------------------------------------------------------------------- */

/*
 * From number 0xff00 on a symbol has its section's number elsewhere; 0xfff1 and 0xfff2 would mean an
 * absolute and a common symbol.
 */
START_TEST(sections_may_be_very_many)
{
	static const char source[] =
		"__asm__(\".macro one_more\\n\"\n"
		"	\".section .data.s\\\\@, \\\"aw\\\"\\n\"\n"
		"	\".if \\\\@ >= 65200\\n.globl d\\\\@\\nd\\\\@: .long \\\\@\\n.endif\\n\"\n"
		"	\".endm\\n.rept 65600\\none_more\\n.endr\\n.text\\n\");\n";
	const char *path = compile("many_sections.o", "", source);
	struct permod *pm = new_context();
	struct permod_module *m;
	size_t size;
	unsigned char *data = read_file(path, &size);

	/* As the number of sections is too large for its field. */
	if (data[EI_CLASS] == ELFCLASS64)
		ck_assert_uint_eq(((Elf64_Ehdr *)(void *)data)->e_shnum, 0);
	else
		ck_assert_uint_eq(((Elf32_Ehdr *)(void *)data)->e_shnum, 0);
	free(data);
	m = load_file(pm, path, NULL);
	for (int i = 65200; i < 65600; i++)
		ck_assert_int_eq(*(int *)symbol(m, text("d%d", i)), i);
	permod_free(pm);
}
END_TEST

START_TEST(unload_refused_while_referenced)
{
	struct permod *pm = new_context();
	struct permod_module *m = load(pm, "basic");

	must(pm, permod_get(m));
	must(pm, permod_get(m));
	expect_error(pm, permod_unload(m, 0), -EBUSY, "load_basic");
	permod_put(m);
	expect_error(pm, permod_unload(m, 0), -EBUSY, "load_basic");
	ck_assert_str_eq(noted(), "basic_init");
	permod_put(m);
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}
END_TEST

START_TEST(unload_refused_while_used_and_the_user_is_named)
{
	struct permod *pm = new_context();
	struct permod_module *basic = load(pm, "basic"), *user = load(pm, "user");
	int (*add)(int) = symbol(user, "user_add");

	ck_assert_int_eq(add(3), 430);
	expect_error(pm, permod_unload(basic, 0), -EBUSY, "load_basic", "load_user");
	ck_assert_int_eq(add(3), 430);
	must(pm, permod_unload(user, 0));
	must(pm, permod_unload(basic, 0));
	ck_assert_str_eq(noted(), "basic_init user_init user_exit basic_exit");
	permod_free(pm);
}
END_TEST

START_TEST(free_unloads_users_first_and_minds_no_references)
{
	struct permod *pm = new_context();
	struct permod_module *basic = load(pm, "basic"), *user = load(pm, "user");

	must(pm, permod_get(basic));
	must(pm, permod_get(user));
	permod_free(pm);
	ck_assert_str_eq(noted(), "basic_init user_init user_exit basic_exit");
}
END_TEST

START_TEST(free_follows_use_in_a_chain)
{
	static const char source[] = "#include <permod/module.h>\n"
				     "#define TEXT(name) #name\n"
				     "#define SHOW(name) TEXT(name)\n"
				     "void note(const char *);\n"
				     "int SELF(void), USES(void);\n"
				     "int SELF(void) { return USES() + 1; }\n"
				     "EXPORT_SYMBOL(SELF);\n"
				     "static void leave(void) { USES(); note(SHOW(SELF)); }\n"
				     "module_exit(leave);\n";
	struct permod *pm = new_context();
	int (*last)(void) = NULL;

	for (int i = 1; i <= 5; i++) {
		const char *flags = i == 1 ? "-DSELF=link1 -DUSES=getpid"
					   : text("-DSELF=link%d -DUSES=link%d", i, i - 1);
		struct permod_module *m =
			load_file(pm, compile(text("chain%d.ko", i), flags, source), NULL);

		last = symbol(m, text("link%d", i));
	}
	ck_assert_int_eq(last(), getpid() + 5);
	permod_free(pm);
	ck_assert_str_eq(noted(), "link5 link4 link3 link2 link1");
}
END_TEST

/* A module that hands out a pointer to itself, and one that keeps it. */
START_TEST(module_is_held_by_another_module)
{
	struct permod *pm = new_context();
	struct permod_module *given, *keeper, *twin;
	struct module *(*give)(void), *(*give_twin)(void);
	void (*put)(struct module *);
	bool (*get)(struct module *);

	compile("given.ko", "",
		"#include <permod/module.h>\n"
		"struct module *give(void) { return THIS_MODULE; }\n");
	command(text("cp '%s' '%s'", work_file("given.ko"), work_file("twin.ko")));
	given = load_file(pm, work_file("given.ko"), NULL);
	twin = load_file(pm, work_file("twin.ko"), NULL);
	keeper = load_file(pm,
			   compile("keeper.ko", "",
				   "#include <permod/module.h>\n"
				   "bool get(struct module *m) { return try_module_get(m); }\n"
				   "void put(struct module *m) { module_put(m); }\n"),
			   NULL);
	give = symbol(given, "give");
	give_twin = symbol(twin, "give");
	get = symbol(keeper, "get");
	put = symbol(keeper, "put");
	ck_assert_ptr_nonnull(give());
	ck_assert_ptr_ne(give(), give_twin());
	ck_assert(get(give()));
	ck_assert(get(give()));
	ck_assert(get(NULL));
	must(pm, permod_unload(twin, 0));
	expect_error(pm, permod_unload(given, 0), -EBUSY, "given");
	put(give());
	expect_error(pm, permod_unload(given, 0), -EBUSY, "given");
	put(give());
	put(NULL);
	must(pm, permod_unload(given, 0));
	permod_free(pm);
}
END_TEST

/* ---- Contexts ------------------------------------------------------------------------------- */

START_TEST(name_can_be_loaded_once_in_a_context)
{
	struct permod *pm = new_context(), *other = new_context();
	struct permod_module *m = load(pm, "basic"), *again = NULL, *theirs;
	int *value, *their_value;

	expect_error(pm, permod_load(pm, module_file("basic"), NULL, 0, &again), -EEXIST,
		     "load_basic");
	ck_assert_str_eq(noted(), "basic_init");
	/* Another context has one of its own. */
	theirs = load(other, "basic");
	value = symbol(m, "basic_value");
	their_value = symbol(theirs, "basic_value");
	*value = 1;
	ck_assert_int_eq(*their_value, -5);
	must(pm, permod_unload(m, 0));
	m = load(pm, "basic");
	ck_assert_int_eq(*(int *)symbol(m, "basic_value"), -5);
	permod_free(pm);
	permod_free(other);
}
END_TEST

START_TEST(contexts_do_not_see_each_others_exports)
{
	struct permod *pm = new_context(), *other = new_context();

	load(pm, "basic");
	expect_error(other, permod_load(other, module_file("user"), NULL, 0, NULL), -ENOENT,
		     "basic_add");
	permod_free(pm);
	permod_free(other);
}
END_TEST

/* ---- Archives and joined objects ------------------------------------------------------------ */

/* Four members; `top` needs `middle`, and `loose` would not link. */
static const char *make_archive(void)
{
	const char *members[4][2] = {
		{ "top", "int middle(void); int top(void) { return middle() + 1; }\n" },
		{ "middle", "int bottom; int middle(void) { return bottom += 10; }\n" },
		{ "extra", "int extra(void) { return 99; }\n" },
		{ "loose", "int nobody_has_this(void);\n"
			   "int loose(void) { return nobody_has_this(); }\n" },
	};
	const char *path = work_file("members.a");

	command(text("rm -f '%s'", path));
	for (size_t i = 0; i < COUNT(members); i++)
		command(text("ar rcs '%s' '%s'", path,
			     compile(text("%s.o", members[i][0]), "", members[i][1])));
	return path;
}

START_TEST(archive_is_one_module)
{
	struct permod *pm = new_context();
	const char *path = make_archive();
	struct permod_module *m;
	int (*top)(void);

	expect_error(pm, permod_load(pm, path, NULL, 0, NULL), -ENOENT, "nobody_has_this");
	command(text("ar d '%s' loose.o", path));
	m = load_file(pm, path, NULL);
	ck_assert_str_eq(permod_name(m), "members");
	top = symbol(m, "top");
	ck_assert_int_eq(top(), 11);
	ck_assert_int_eq(top(), 21);
	ck_assert_int_eq(*(int *)symbol(m, "bottom"), 20);
	ck_assert_ptr_nonnull(permod_symbol(m, "extra"));
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}
END_TEST

START_TEST(root_takes_only_the_members_it_needs)
{
	struct permod *pm = new_context();
	const char *path = make_archive();
	struct permod_module *m = NULL;
	int (*top)(void);

	must(pm, permod_load_root(pm, path, "top", NULL, 0, &m));
	top = symbol(m, "top");
	ck_assert_int_eq(top(), 11);
	ck_assert_ptr_null(permod_symbol(m, "extra"));
	ck_assert_ptr_null(permod_symbol(m, "loose"));
	must(pm, permod_unload(m, 0));
	expect_error(pm, permod_load_root(pm, path, "nowhere", NULL, 0, &m), -ENOENT, "nowhere");
	permod_free(pm);
}
END_TEST

START_TEST(objects_joined_by_ld_are_one_module)
{
	struct permod *pm = new_context();
	struct permod_module *m;
	int (*add)(int);

	command(text("%s -r -nostdlib -o '%s' '%s' '%s' '%s'", setting("CC", "gcc"),
		     work_file("joined.ko"), module_file("plain"),
		     compile("uses.o", "",
			     "int basic_add(int), plain_count(int);\n"
			     "int uses(int n) { return basic_add(n) + plain_count(n); }\n"),
		     module_file("basic")));
	m = load_file(pm, work_file("joined.ko"), "start=0");
	add = symbol(m, "uses");
	ck_assert_int_eq(add(1), 1 + (2 + 1));
	ck_assert_str_eq(noted(), "basic_init");
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}
END_TEST

/* ---- Several files -------------------------------------------------------------------------- */

START_TEST(several_files_are_one_module)
{
	struct permod *pm = new_context();
	const char *archive = make_archive();
	const char *paths[] = { compile("user.o", "",
					"int top(void); int use(void) { return top() * 2; }\n"),
				module_file("basic"), archive };
	struct permod_module *m;
	int (*use)(void), (*add)(int);

	must(pm, permod_load_files(pm, NULL, paths, COUNT(paths), NULL, "start=5", 0, &m));
	ck_assert_str_eq(permod_name(m), "user");
	ck_assert_str_eq(noted(), "basic_init");
	use = symbol(m, "use");
	add = symbol(m, "basic_add");
	ck_assert_int_eq(use(), 22);
	ck_assert_int_eq(add(1), 6);
	/* Members by need, though the second object has an init. */
	ck_assert_ptr_null(permod_symbol(m, "extra"));
	must(pm, permod_unload(m, 0));
	ck_assert_str_eq(noted(), "basic_exit");
	expect_error(pm,
		     permod_load_files(pm, "named", paths, COUNT(paths), NULL, NULL,
				       PERMOD_LOAD_WHOLE_ARCHIVE, NULL),
		     -ENOENT, "nobody_has_this");
	permod_free(pm);
}
END_TEST

START_TEST(bad_lists_of_files_are_refused)
{
	struct permod *pm = new_context();
	const char *same[] = { module_file("plain"), module_file("plain") };
	const char *absent[] = { module_file("plain"), "/nowhere/absent.a" };

	expect_error(pm, permod_load_files(pm, NULL, same, 0, NULL, NULL, 0, NULL), -EINVAL,
		     "at least one file");
	expect_error(pm, permod_load_files(pm, "", same, 1, NULL, NULL, 0, NULL), -EINVAL,
		     "needs a name");
	expect_error(pm,
		     permod_load_files(pm, NULL, same, 1, NULL, NULL,
				       0x40000000 | PERMOD_LOAD_FORCE, NULL),
		     -EINVAL, "unknown flags 0x40000000");
	expect_error(pm, permod_load(pm, "", NULL, 0, NULL), -ENOENT, "\"\": ");
	expect_error(pm, permod_load_files(pm, NULL, same, 2, NULL, NULL, 0, NULL), -EEXIST,
		     "defined already in");
	expect_error(pm, permod_load_files(pm, NULL, absent, 2, NULL, NULL, 0, NULL), -ENOENT,
		     "/nowhere/absent.a: No such file");
	ck_assert_ptr_null(permod_next(pm, NULL));
	permod_free(pm);
}
END_TEST

START_TEST(thin_archive_is_read_from_its_files_but_not_from_memory)
{
	struct permod *pm = new_context();
	const char *path = work_file("thin.a"), *member;
	struct permod_module *m;
	int (*answer)(void);
	unsigned char *data;
	size_t size;

	member = compile("answer.o", "", "int answer(void) { return 42; }\n");
	command(text("rm -f '%s'; ar rcsT '%s' '%s'", path, path, member));
	m = load_file(pm, path, NULL);
	answer = symbol(m, "answer");
	ck_assert_int_eq(answer(), 42);
	must(pm, permod_unload(m, 0));
	data = read_file(path, &size);
	expect_error(pm, permod_load_memory(pm, "thin", data, size, NULL, 0, NULL), -ENOEXEC,
		     "thin: a thin archive, which only names its members' files");
	free(data);
	command(text("rm '%s'", member));
	expect_error(pm, permod_load(pm, path, NULL, 0, NULL), -ENOENT,
		     "thin.a: of what it names, ");
	permod_free(pm);
}
END_TEST

START_TEST(sections_that_nothing_needs_are_left_out)
{
	struct permod *pm = new_context();
	const char *path = compile("sections.o", "-ffunction-sections -fdata-sections",
				   "int table[1000] = { 7 };\n"
				   "int used(void) { return 3; }\n"
				   "int root(void) { return used() + 1; }\n"
				   "int gone(void) { return table[0] + used(); }\n");
	struct permod_module *m;
	struct permod_plan *plan;
	int (*root)(void);
	size_t left_out = 0;

	must(pm, permod_load_root(pm, path, "root", NULL, PERMOD_LOAD_GC_SECTIONS, &m));
	root = symbol(m, "root");
	ck_assert_int_eq(root(), 4);
	ck_assert_ptr_null(permod_symbol(m, "gone"));
	ck_assert_ptr_null(permod_symbol(m, "table"));
	must(pm, permod_unload(m, 0));
	must(pm, permod_plan_files(pm, NULL, &path, 1, "root", PERMOD_LOAD_GC_SECTIONS, &plan));
	for (unsigned int i = 0; permod_plan_section(plan, i); i++) {
		const struct permod_plan_section *section = permod_plan_section(plan, i);

		left_out += (!strcmp(section->name, ".text.gone") ||
			     !strcmp(section->name, ".data.table")) &&
			    !strcmp(section->region, "-");
	}
	ck_assert_uint_eq(left_out, 2);
	permod_plan_free(plan);
	/* Without a root there is none to begin with but what all can see. */
	must(pm, permod_load(pm, path, NULL, PERMOD_LOAD_GC_SECTIONS, &m));
	ck_assert_ptr_nonnull(permod_symbol(m, "gone"));
	expect_error(pm, permod_load_root(pm, path, "absent", NULL, PERMOD_LOAD_GC_SECTIONS, NULL),
		     -EEXIST, "sections");
	permod_free(pm);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("load");
	TCase *life = tcase_create("life");

	tcase_set_timeout(life, 60);
	tcase_add_test(life, load_runs_init_and_unload_runs_exit);
	tcase_add_test(life, module_pointer_may_be_left_out);
	tcase_add_test(life, load_from_memory_needs_the_buffer_no_longer);
	tcase_add_test(life, load_from_memory_at_any_address);
	tcase_add_loop_test(life, name_is_made_from_the_file, 0, COUNT(file_names));
	tcase_add_test(life, no_init_flag_runs_nothing);
	tcase_add_test(life, unknown_flags_are_refused);
	tcase_add_test(life, error_is_empty_at_first_and_kept_for_each_context);
	tcase_add_test(life, version_is_the_packages);
	tcase_add_test(life, next_walks_in_the_order_of_loading);
	tcase_add_test(life, symbol_finds_exported_and_global_names_only);
	tcase_add_test(life, plain_object_loads_and_its_globals_are_found);
	tcase_add_test(life, sections_may_be_very_many);
	tcase_add_test(life, unload_refused_while_referenced);
	tcase_add_test(life, unload_refused_while_used_and_the_user_is_named);
	tcase_add_test(life, free_unloads_users_first_and_minds_no_references);
	tcase_add_test(life, free_follows_use_in_a_chain);
	tcase_add_test(life, module_is_held_by_another_module);
	tcase_add_test(life, name_can_be_loaded_once_in_a_context);
	tcase_add_test(life, contexts_do_not_see_each_others_exports);
	tcase_add_test(life, archive_is_one_module);
	tcase_add_test(life, root_takes_only_the_members_it_needs);
	tcase_add_test(life, objects_joined_by_ld_are_one_module);
	tcase_add_test(life, several_files_are_one_module);
	tcase_add_test(life, bad_lists_of_files_are_refused);
	tcase_add_test(life, thin_archive_is_read_from_its_files_but_not_from_memory);
	tcase_add_test(life, sections_that_nothing_needs_are_left_out);
	suite_add_tcase(suite, life);
	return suite;
}

int main(void)
{
	return run_suite(make_suite());
}
