/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Modules by name: trees that depmod makes, dependencies in order and out again, settings, requests for
 * symbols, and trees that are damaged.
 *
 * What is expected of order and options comes from modprobe --show-depends.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>

#define TREE_VERSION "6.1.0"

/* ---- A tree --------------------------------------------------------------------------------- */

#define HEADER                                                                                     \
	"#include <permod/module.h>\n"                                                             \
	"void note(const char *words);\n"                                                          \
	"MODULE_LICENSE(\"GPL\");\n"
/* What notes when it comes and when it goes, and fails if it is told to. */
#define LIFE(name)                                                                                 \
	"static int step = 1, fail; module_param(step, int, 0444);\n"                              \
	"module_param(fail, int, 0444);\n"                                                         \
	"static int __init start(void) { note(\"" name "\"); return -fail; }\n"                    \
	"static void __exit end(void) { note(\"-" name "\"); }\n"                                  \
	"module_init(start); module_exit(end);\n"

/* top needs mid-dle, and that needs base; wishes are before and after. */
static const struct {
	const char *file;
	const char *source;
} sources[] = {
	{ "base", LIFE("base") "int base_value(void) { return 7; } EXPORT_SYMBOL(base_value);\n"
			       "MODULE_ALIAS(\"pci:v*d0001*\"); MODULE_ALIAS(\"two-of-them\");\n" },
	{ "mid-dle",
	  LIFE("mid") "int base_value(void); int mid_value(void) { return base_value() + step; }\n"
		      "EXPORT_SYMBOL(mid_value); MODULE_SOFTDEP(\"pre: before post: after\");\n" },
	{ "top",
	  LIFE("top") "int mid_value(void); int top_value(void) { return mid_value(); }\n"
		      "int top_step(void) { return step; }\n"
		      "MODULE_ALIAS(\"two-of-them\"); MODULE_ALIAS(\"usb:v*p[0-9]d-x\");\n" },
	{ "before", LIFE("before") "" },
	{ "after", LIFE("after") "" },
	{ "other", LIFE("other") "int base_value(void); int other_value(void)\n"
				 "{ return base_value(); }\n" },
	{ "lonely", LIFE("lonely") "MODULE_SOFTDEP(\"pre: nobody bad-wish\");\n" },
	{ "bad-wish",
	  LIFE("wish") "int nobody_has_this(void); int base_value(void);\n"
		       "int wish(void) { return nobody_has_this() + base_value(); }\n" },
	{ "circle-a", LIFE("a") "MODULE_SOFTDEP(\"pre: circle-b\");\n" },
	{ "circle-b", LIFE("b") "MODULE_SOFTDEP(\"pre: circle-a\");\n" },
};

static const char *tree_folder(const char *tree)
{
	return text("%s/%s/lib/modules/" TREE_VERSION, work_dir(), tree);
}

static void run_depmod(const char *tree)
{
	command(text("PATH=$PATH:/usr/sbin:/sbin depmod -b '%s/%s' " TREE_VERSION " 2>/dev/null",
		     work_dir(), tree));
}

static void make_tree(void)
{
	command(text("mkdir -p '%s/kernel'", tree_folder("tree")));
	for (size_t i = 0; i < COUNT(sources); i++)
		compile(text("tree/lib/modules/" TREE_VERSION "/kernel/%s.ko", sources[i].file), "",
			text("%s%s", HEADER, sources[i].source));
	run_depmod("tree");
}

/* A copy that a test may damage. */
static const char *copy_tree(const char *name)
{
	command(text("cp -r '%s/tree' '%s/%s'", work_dir(), work_dir(), name));
	return work_file(name);
}

/* A file of settings. */
static const char *settings(const char *name, const char *lines)
{
	const char *path = work_file(name);

	write_file(path, lines, strlen(lines));
	return path;
}

static struct permod *open_context(const char *tree, const char *config)
{
	const char *const paths[] = { config, NULL };
	struct permod_options options = { .size = sizeof(options) };
	struct permod *pm;

	options.module_dir = tree;
	options.config_paths = paths;
	notes[0] = '\0';
	must(NULL, permod_new(&pm, &options));
	return pm;
}

static struct permod *open_context_of_tree(void)
{
	return open_context(work_file("tree"), NULL);
}

static struct permod_module *load_name(struct permod *pm, const char *name, const char *params)
{
	struct permod_module *m = NULL;

	must(pm, permod_load_by_name(pm, name, params, 0, &m));
	ck_assert_ptr_nonnull(m);
	return m;
}

static int call(struct permod_module *m, const char *name)
{
	return ((int (*)(void))symbol(m, name))();
}

/* ---- Agreement with modprobe ---------------------------------------------------------------- */

/* What modprobe says, a line for each module: "insmod PATH OPTIONS"; without blanks at the end. */
static const char *ask_modprobe(const char *config, const char *name, const char *flags)
{
	static char answer[8192], line[1024];
	FILE *pipe =
		popen(text("PATH=$PATH:/usr/sbin:/sbin modprobe %s --show-depends -d '%s/tree' "
			   "-S " TREE_VERSION " -C '%s' '%s' 2>&1",
			   flags, work_dir(), config, name),
		      "r");
	size_t size = 0;

	check_that(pipe);
	answer[0] = '\0';
	while (fgets(line, sizeof(line), pipe)) {
		line[strcspn(line, "\n")] = '\0';
		while (*line && line[strlen(line) - 1] == ' ')
			line[strlen(line) - 1] = '\0';
		/* It may come to a module twice. */
		if (!strstr(answer, text("%s\n", line)))
			size += (size_t)snprintf(answer + size, sizeof(answer) - size, "%s\n",
						 line);
	}
	pclose(pipe);
	return answer;
}

/* The same as we see it. */
static const char *ask_permod(struct permod *pm, const char *name, unsigned int flags)
{
	static char answer[8192];
	struct permod_steps *steps;
	const struct permod_step *step;
	size_t length = 0;

	answer[0] = '\0';
	if (permod_steps(pm, name, flags, &steps) == 0) {
		for (unsigned int i = 0; (step = permod_step(steps, i)); i++)
			length += (size_t)snprintf(answer + length, sizeof(answer) - length,
						   "insmod %s%s%s\n", step->path,
						   *step->options ? " " : "", step->options);
		permod_steps_free(steps);
	}
	return answer;
}

static const char many_settings[] = "# comment\n"
				    "options top step=3\n"
				    "options mid-dle step=9 \\\n"
				    "	fail=0\n"
				    "options mid_dle step=10\n"
				    "alias foo-bar top\n"
				    "alias wild-* base\n"
				    "options foo_bar step=5\n"
				    "blacklist base\n"
				    "softdep other pre: lonely\n";

START_TEST(order_and_options_are_modprobes)
{
	static const char *const names[] = {
		"top",	   "mid-dle",	  "mid_dle",	      "base",	  "other",
		"foo-bar", "foo_bar",	  "symbol:mid_value", "circle-a", "circle_b",
		"before",  "usb:v1p7d-x", "two-of-them",      "lonely",
	};
	const char *config = settings("many.conf", many_settings);
	struct permod *pm = open_context(work_file("tree"), config);

	for (size_t i = 0; i < COUNT(names); i++) {
		const char *theirs = ask_modprobe(config, names[i], "");

		ck_assert_msg(strncmp(theirs, "insmod ", 7) == 0, "%s: %s", names[i], theirs);
		ck_assert_msg(strcmp(theirs, ask_permod(pm, names[i], 0)) == 0,
			      "%s: modprobe says\n%sand we\n%s", names[i], theirs,
			      ask_permod(pm, names[i], 0));
	}
	permod_free(pm);
}
END_TEST

START_TEST(aliases_respect_blacklists_as_modprobe_does)
{
	const char *config = settings("many.conf", many_settings);
	struct permod *pm = open_context(work_file("tree"), config);
	struct permod_steps *steps;

	/* By an alias nothing is left; by its name it loads; with -b it does not. */
	ck_assert_str_eq(ask_modprobe(config, "pci:v5d0001x", ""), "");
	expect_error(pm, permod_steps(pm, "pci:v5d0001x", 0, &steps), -EPERM, "base", "blacklist");
	expect_error(pm, permod_steps(pm, "wild-thing", 0, &steps), -EPERM, "base", "blacklist");
	ck_assert_str_ne(ask_modprobe(config, "base", ""), "");
	ck_assert_str_ne(ask_permod(pm, "base", 0), "");
	ck_assert_str_eq(ask_modprobe(config, "base", "-b"), "");
	expect_error(pm, permod_load_by_name(pm, "base", NULL, PERMOD_LOAD_BLACKLIST, NULL), -EPERM,
		     "base", "blacklist");
	/* As a dependency it is not barred. */
	load_name(pm, "other", NULL);
	ck_assert_ptr_nonnull(permod_find(pm, "base"));
	permod_free(pm);
}
END_TEST

START_TEST(unknown_names_are_told)
{
	struct permod *pm = open_context_of_tree();

	ck_assert_ptr_nonnull(strstr(ask_modprobe("/dev/null", "nonsense", ""), "not found"));
	expect_error(pm, permod_load_by_name(pm, "nonsense", NULL, 0, NULL), -ENOENT, "nonsense",
		     tree_folder("tree"));
	expect_error(pm, permod_load_by_name(pm, "", NULL, 0, NULL), -ENOENT, tree_folder("tree"));
	expect_error(pm, permod_load_by_name(pm, "a[b", NULL, 0, NULL), -EINVAL, "a[b");
	expect_error(pm, permod_load_by_name(pm, "symbol:nonsense", NULL, 0, NULL), -ENOENT,
		     "symbol:nonsense");
	permod_free(pm);
}
END_TEST

/* ---- Loading and unloading ------------------------------------------------------------------ */

START_TEST(dependencies_come_first)
{
	struct permod *pm = open_context_of_tree();
	struct permod_module *m = load_name(pm, "top", NULL);

	ck_assert_str_eq(noted(), "base before mid after top");
	ck_assert_str_eq(permod_name(m), "top");
	ck_assert_int_eq(call(m, "top_value"), 8);
	expect_error(pm, permod_unload(permod_find(pm, "base"), 0), -EBUSY, "base", "mid_dle, top");
	expect_error(pm, permod_unload(permod_find(pm, "mid_dle"), 0), -EBUSY, "mid_dle", "top");
	permod_free(pm);
	ck_assert_str_eq(noted(), "-top -after -mid -before -base");
}
END_TEST

START_TEST(options_of_settings_come_first)
{
	const char *config =
		settings("options.conf", "options top step=3\noptions mid_dle step=20\n"
					 "options nick step=4\nalias nick top\n");
	struct permod *pm = open_context(work_file("tree"), config);
	struct permod_module *m = load_name(pm, "top", NULL);

	ck_assert_int_eq(call(m, "top_step"), 3);
	ck_assert_int_eq(call(m, "top_value"), 27);
	must(pm, permod_unload(m, 0));
	m = load_name(pm, "top", "step=5");
	ck_assert_int_eq(call(m, "top_step"), 5);
	must(pm, permod_unload(m, 0));
	ck_assert_int_eq(call(load_name(pm, "nick", NULL), "top_step"), 4);
	permod_free(pm);
}
END_TEST

START_TEST(loaded_modules_will_do)
{
	struct permod *pm = open_context_of_tree();
	struct permod_module *m = load_name(pm, "mid-dle", "step=4");

	noted();
	ck_assert_int_eq(call(load_name(pm, "top", NULL), "top_value"), 11);
	ck_assert_str_eq(noted(), "top");
	ck_assert_ptr_eq(load_name(pm, "mid_dle", NULL), m);
	expect_error(pm, permod_load_by_name(pm, "mid_dle", "step=4", 0, NULL), -EEXIST, "mid_dle");
	permod_free(pm);
}
END_TEST

START_TEST(dependencies_go_when_asked)
{
	struct permod *pm = open_context_of_tree();
	struct permod_module *m = load_name(pm, "top", NULL);

	noted();
	must(pm, permod_unload(m, 0));
	ck_assert_str_eq(noted(), "-top");
	m = load_name(pm, "top", NULL);
	noted();
	must(pm, permod_unload(m, PERMOD_UNLOAD_DEPENDENCIES));
	ck_assert_str_eq(noted(), "-top -after -mid -before -base");
	ck_assert_ptr_null(permod_next(pm, NULL));
	/* After before, as it was behind. */
	m = load_name(pm, "mid-dle", NULL);
	noted();
	must(pm, permod_unload(m, PERMOD_UNLOAD_DEPENDENCIES));
	ck_assert_str_eq(noted(), "-after -mid -before -base");
	permod_free(pm);
}
END_TEST

START_TEST(dependencies_of_others_stay)
{
	struct permod *pm = open_context_of_tree();
	struct permod_module *top = load_name(pm, "top", NULL),
			     *other = load_name(pm, "other", NULL);

	noted();
	must(pm, permod_unload(top, PERMOD_UNLOAD_DEPENDENCIES));
	ck_assert_str_eq(noted(), "-top -after -mid -before");
	/* What was asked for by its own name was not loaded for another's sake. */
	load_name(pm, "base", NULL);
	must(pm, permod_unload(other, PERMOD_UNLOAD_DEPENDENCIES));
	ck_assert_str_eq(noted(), "-other");
	/* Nor does anything go with what is refused. */
	top = load_name(pm, "top", NULL);
	must(pm, permod_get(top));
	noted();
	ck_assert_int_eq(permod_unload(top, PERMOD_UNLOAD_DEPENDENCIES), -EBUSY);
	ck_assert_str_eq(noted(), "");
	permod_put(top);
	permod_free(pm);
}
END_TEST

START_TEST(failed_load_takes_dependencies_out)
{
	struct permod *pm = open_context_of_tree();
	struct state before, after;
	struct permod_module *m;

	load_name(pm, "base", NULL);
	noted();
	look(&before);
	expect_error(pm, permod_load_by_name(pm, "top", "fail=5", 0, &m), -5, "top", "-5");
	ck_assert_str_eq(noted(), "before mid after top -after -mid -before");
	look(&after);
	expect_same(&before, &after, "a failed load");
	expect_error(pm, permod_load_by_name(pm, "top", "nonsense=5", 0, &m), -EINVAL, "nonsense");
	ck_assert_str_eq(permod_name(permod_next(pm, NULL)), "base");
	ck_assert_ptr_null(permod_next(pm, permod_next(pm, NULL)));
	permod_free(pm);
}
END_TEST

START_TEST(failed_dependency_is_named)
{
	const char *config = settings("failing.conf", "options mid_dle fail=7\n");
	struct permod *pm = open_context(work_file("tree"), config);

	expect_error(pm, permod_load_by_name(pm, "top", NULL, 0, NULL), -7, "top: needs", "mid_dle",
		     "-7");
	ck_assert_ptr_null(permod_next(pm, NULL));
	permod_free(pm);
}
END_TEST

START_TEST(wishes_may_fail)
{
	struct permod *pm = open_context_of_tree();

	/* bad_wish needs base, which is not kept for its sake. */
	load_name(pm, "lonely", NULL);
	ck_assert_str_eq(noted(), "base lonely -base");
	load_name(pm, "circle-a", NULL);
	ck_assert_str_eq(noted(), "b a");
	permod_free(pm);
}
END_TEST

/* Of what is built into a kernel depmod knows the name alone. */
START_TEST(wishes_may_have_no_file)
{
	const char *tree = copy_tree("builtin"), *config;
	struct permod *pm;

	command(text("echo kernel/inside.ko >'%s/modules.builtin'", tree_folder("builtin")));
	run_depmod("builtin");
	config = settings("builtin.conf", "softdep base pre: inside\n"
					  "softdep other pre: after inside post: inside\n");
	pm = open_context(tree, config);
	expect_error(pm, permod_load_by_name(pm, "inside", NULL, 0, NULL), -ENOENT, "no file",
		     "inside");
	load_name(pm, "base", NULL);
	load_name(pm, "other", NULL);
	ck_assert_str_eq(noted(), "base after other");
	permod_free(pm);
}
END_TEST

START_TEST(dependencies_without_symbols_are_kept)
{
	const char *tree = copy_tree("unused");
	struct permod *pm;
	struct permod_module *m;

	/* modules.dep still says that it needs base. */
	compile("unused/lib/modules/" TREE_VERSION "/kernel/other.ko", "",
		text("%s%s", HEADER, LIFE("other")));
	pm = open_context(tree, NULL);
	m = load_name(pm, "other", NULL);
	ck_assert_str_eq(noted(), "base other");
	expect_error(pm, permod_unload(permod_find(pm, "base"), 0), -EBUSY, "base", "other");
	must(pm, permod_unload(m, 0));
	must(pm, permod_unload(permod_find(pm, "base"), 0));
	permod_free(pm);
}
END_TEST

START_TEST(aliases_of_several_load_all)
{
	struct permod *pm = open_context_of_tree();
	struct permod_module *m = load_name(pm, "two-of-them", NULL);

	ck_assert_str_eq(noted(), "base before mid after top");
	/* Both were asked for. */
	must(pm, permod_unload(permod_find(pm, "top"), PERMOD_UNLOAD_DEPENDENCIES));
	ck_assert_str_eq(noted(), "-top -after -mid -before");
	(void)m;
	permod_free(pm);
}
END_TEST

START_TEST(commands_are_not_run)
{
	const char *made = work_file("made");
	const char *config =
		settings("command.conf", text("install top touch %s\ninstall ghost touch %s\n"
					      "install before touch %s\nremove top touch %s\n",
					      made, made, made, made));
	struct permod *pm = open_context(work_file("tree"), config);
	struct permod_module *m;

	expect_error(pm, permod_load_by_name(pm, "top", NULL, 0, NULL), -EOPNOTSUPP, "top", "touch",
		     "PERMOD_LOAD_IGNORE_COMMANDS");
	ck_assert_ptr_null(permod_next(pm, NULL));
	noted();
	expect_error(pm, permod_load_by_name(pm, "ghost", NULL, 0, NULL), -EOPNOTSUPP, "ghost");
	expect_error(pm, permod_load_by_name(pm, "ghost", NULL, PERMOD_LOAD_IGNORE_COMMANDS, NULL),
		     -ENOENT, "ghost");
	must(pm, permod_load_by_name(pm, "top", NULL, PERMOD_LOAD_IGNORE_COMMANDS, &m));
	ck_assert_str_eq(noted(), "base before mid after top");
	must(pm, permod_unload(m, 0));
	ck_assert_int_ne(access(made, F_OK), 0);
	permod_free(pm);
}
END_TEST

START_TEST(nothing_runs_for_tools)
{
	struct permod *pm = open_context_of_tree();

	must(pm, permod_load_by_name(pm, "top", NULL, PERMOD_LOAD_NO_INIT, NULL));
	ck_assert_str_eq(noted(), "");
	ck_assert_ptr_nonnull(permod_find(pm, "base"));
	permod_free(pm);
}
END_TEST

/* ---- Several threads ------------------------------------------------------------------------ */

#define THREADS 4
#define ROUNDS 40

struct worker {
	pthread_t thread;
	struct permod *pm;
	const char *name;
	unsigned int failures;
};

/* Each has a module of its own, and they share what these need. */
static void *load_and_unload(void *arg)
{
	struct worker *worker = arg;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct permod_module *m;

		if (permod_load_by_name(worker->pm, worker->name, NULL, 0, &m) ||
		    permod_unload(m, PERMOD_UNLOAD_DEPENDENCIES))
			worker->failures++;
	}
	return NULL;
}

START_TEST(threads_share_dependencies)
{
	static const char *const names[THREADS] = { "top", "other", "second", "third" };
	struct worker workers[THREADS];
	const char *tree = copy_tree("threads");
	struct permod *pm;

	/* What notes is not for several threads. */
	command(text("rm '%s/kernel/'*", tree_folder("threads")));
	compile("threads/lib/modules/" TREE_VERSION "/kernel/base.ko", "",
		HEADER "int base_value(void) { return 7; } EXPORT_SYMBOL(base_value);\n"
		       "MODULE_SOFTDEP(\"pre: wish\");");
	compile("threads/lib/modules/" TREE_VERSION "/kernel/wish.ko", "", HEADER);
	compile("threads/lib/modules/" TREE_VERSION "/kernel/mid.ko", "",
		HEADER "int base_value(void); int mid_value(void) { return base_value(); }\n"
		       "EXPORT_SYMBOL(mid_value);");
	for (size_t i = 0; i < THREADS; i++)
		compile(text("threads/lib/modules/" TREE_VERSION "/kernel/%s.ko", names[i]), "",
			HEADER "int mid_value(void); int value(void) { return mid_value(); }");
	run_depmod("threads");
	pm = open_context(tree, NULL);
	for (size_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .pm = pm, .name = names[i] };
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, load_and_unload,
						&workers[i]),
				 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		ck_assert_msg(!workers[i].failures, "%s: %u of %u failed, \"%s\"", names[i],
			      workers[i].failures, ROUNDS, permod_error(pm));
	}
	/* Whoever was the last took them out. */
	ck_assert_ptr_null(permod_next(pm, NULL));
	permod_free(pm);
}
END_TEST

static struct permod *unload_context;

/* By an exit that runs for the module's sake. */
int unload_wishing(void);
int unload_wishing(void)
{
	return permod_unload_by_name(unload_context, "wishing", 0);
}
EXPORT_SYMBOL(unload_wishing);

START_TEST(module_may_go_while_wishes_go)
{
	const char *tree = copy_tree("going");
	struct permod_module *m;
	struct permod *pm;

	compile("going/lib/modules/" TREE_VERSION "/kernel/wishing.ko", "",
		HEADER LIFE("wishing") "MODULE_SOFTDEP(\"post: tail\");");
	compile("going/lib/modules/" TREE_VERSION "/kernel/tail.ko", "",
		HEADER "int unload_wishing(void);\n"
		       "static int __init start(void) { return 0; }\n"
		       "static void __exit end(void) { unload_wishing(); }\n"
		       "module_init(start); module_exit(end);\n");
	run_depmod("going");
	pm = unload_context = open_context(tree, NULL);
	m = load_name(pm, "wishing", NULL);
	ck_assert_ptr_nonnull(permod_find(pm, "tail"));
	noted();
	expect_error(pm, permod_unload(m, PERMOD_UNLOAD_DEPENDENCIES), -ENOENT, "wishing",
		     "somebody else");
	ck_assert_str_eq(noted(), "-wishing");
	ck_assert_ptr_null(permod_next(pm, NULL));
	permod_free(pm);
}
END_TEST

int take_base_away(void);
int take_base_away(void)
{
	return permod_unload_by_name(unload_context, "base", PERMOD_UNLOAD_FORCE);
}
EXPORT_SYMBOL(take_base_away);

/* The load holds what is needed, but somebody takes it away by force before it is used. */
START_TEST(need_that_is_going_is_refused)
{
	const char *tree = copy_tree("taken");
	struct permod *pm;

	compile("taken/lib/modules/" TREE_VERSION "/kernel/taker.ko", "",
		HEADER "int take_base_away(void);\n"
		       "int init_module(void) { return take_base_away(); }\n"
		       "void cleanup_module(void) {}\n");
	compile("taken/lib/modules/" TREE_VERSION "/kernel/needing.ko", "",
		HEADER LIFE("needing") "MODULE_SOFTDEP(\"pre: taker\");\n"
				       "int base_value(void);\n"
				       "int needing(void) { return base_value(); }\n");
	run_depmod("taken");
	/* modules.dep goes on saying that it needs base: no symbol tells that it is gone. */
	compile("taken/lib/modules/" TREE_VERSION "/kernel/needing.ko", "",
		HEADER LIFE("needing") "MODULE_SOFTDEP(\"pre: taker\");\n");
	pm = unload_context = open_context(tree, NULL);
	expect_error(pm, permod_load_by_name(pm, "needing", NULL, 0, NULL), -EBUSY, "needing",
		     "a module that it needs is being unloaded");
	ck_assert_str_eq(noted(), "base -base");
	ck_assert_ptr_null(permod_find(pm, "needing"));
	ck_assert_ptr_null(permod_find(pm, "base"));
	permod_free(pm);
}
END_TEST

/* ---- Nothing of the system's ---------------------------------------------------------------- */

START_TEST(no_tree_is_taken_unasked)
{
	struct permod *pm = new_context();
	struct permod_options options = { .size = offsetof(struct permod_options, module_dir) };

	expect_error(pm, permod_load_by_name(pm, "top", NULL, 0, NULL), -ENOENT, "module_dir");
	permod_free(pm);
	/* What an older program gives. */
	options.module_dir = work_file("tree");
	must(NULL, permod_new(&pm, &options));
	expect_error(pm, permod_load_by_name(pm, "top", NULL, 0, NULL), -ENOENT, "module_dir");
	permod_free(pm);
}
END_TEST

/* libkmod reads options and blacklists there. */
START_TEST(kernel_command_line_does_not_count)
{
	const char *line = settings("cmdline", "top.step=77 modprobe.blacklist=base quiet\n");
	const char *config = settings("some.conf", "options top step=3\nblacklist after\n");
	struct permod *pm = open_context(work_file("tree"), config);

	/* Valgrind runs all tests in one process. */
	if (under_valgrind() || unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(line, "/proc/cmdline", NULL, MS_BIND, NULL)) {
		fprintf(stderr, "skip kernel_command_line_does_not_count: no mounts here\n");
	} else {
		ck_assert_ptr_nonnull(strstr(ask_modprobe(config, "top", ""), "step=3 step=77"));
		ck_assert_ptr_null(strstr(ask_permod(pm, "top", 0), "77"));
		ck_assert_ptr_nonnull(strstr(ask_permod(pm, "top", 0), "step=3"));
		ck_assert_str_ne(ask_permod(pm, "base", PERMOD_LOAD_BLACKLIST), "");
		ck_assert_str_eq(ask_permod(pm, "after", PERMOD_LOAD_BLACKLIST), "");
	}
	permod_free(pm);
}
END_TEST

/* ---- Where the tree is ---------------------------------------------------------------------- */

START_TEST(trees_are_found)
{
	struct permod *pm = open_context(tree_folder("tree"), NULL);

	ck_assert_int_eq(call(load_name(pm, "top", NULL), "top_value"), 8);
	permod_free(pm);
	pm = open_context(work_file("nowhere"), NULL);
	expect_error(pm, permod_load_by_name(pm, "top", NULL, 0, NULL), -ENOENT, "nowhere",
		     "No such file");
	permod_free(pm);
	command(text("mkdir -p '%s/empty/lib/modules/" TREE_VERSION "'", work_dir()));
	pm = open_context(work_file("empty"), NULL);
	expect_error(pm, permod_load_by_name(pm, "top", NULL, 0, NULL), -ENOENT, "empty", "depmod");
	permod_free(pm);
	copy_tree("several");
	command(text("cd '%s/several/lib/modules' && cp -r " TREE_VERSION " 6.2.0", work_dir()));
	pm = open_context(work_file("several"), NULL);
	expect_error(pm, permod_load_by_name(pm, "top", NULL, 0, NULL), -EINVAL, "several",
		     "lib/modules/" TREE_VERSION, "lib/modules/6.2.0");
	permod_free(pm);
}
END_TEST

START_TEST(missing_files_are_told)
{
	const char *tree = copy_tree("missing");
	const char *folder = tree_folder("missing");
	struct permod *pm = open_context(tree, NULL);

	command(text("rm '%s/kernel/base.ko'", folder));
	expect_error(pm, permod_load_by_name(pm, "top", NULL, 0, NULL), -ENOENT,
		     text("%s/kernel/base.ko", folder), "that top needs it", "depmod");
	expect_error(pm, permod_load_by_name(pm, "base", NULL, 0, NULL), -ENOENT, "base");
	command(text("rm '%s/modules.dep.bin'", folder));
	expect_error(pm, permod_load_by_name(pm, "top", NULL, 0, NULL), -ENOENT,
		     text("%s/modules.dep.bin", folder), "depmod");
	command(text("mkdir '%s/modules.dep.bin'", folder));
	expect_error(pm, permod_load_by_name(pm, "top", NULL, 0, NULL), -EINVAL,
		     text("%s/modules.dep.bin", folder));
	permod_free(pm);
}
END_TEST

/* ---- Damage --------------------------------------------------------------------------------- */

static const char *const index_names[] = { "modules.dep.bin", "modules.alias.bin",
					   "modules.symbols.bin" };

/* Questions that reach all indexes. */
static void ask_all(struct permod *pm, size_t *answers)
{
	static const char *const names[] = { "top",	     "mid-dle",
					     "pci:v1d0001x", "symbol:mid_value",
					     "usb:v1p7d-x",  "nonsense" };

	for (size_t i = 0; i < COUNT(names); i++) {
		struct permod_steps *steps;
		int error = permod_steps(pm, names[i], 0, &steps);

		*answers += error == 0;
		ck_assert_msg(error == 0 || *permod_error(pm), "%s: no line", names[i]);
		permod_steps_free(steps);
	}
}

START_TEST(short_indexes_are_refused)
{
	const char *tree = copy_tree("short");
	struct permod *pm = open_context(tree, NULL);

	for (size_t i = 0; i < COUNT(index_names); i++) {
		const char *path = text("%s/%s", tree_folder("short"), index_names[i]);
		struct permod_steps *steps;
		size_t size, answers = 0;
		unsigned char *data = read_file(path, &size);

		/* The root is the last node, and so the end of the file always counts. */
		for (size_t length = i ? 1 : 0; length < size; length++) {
			write_file(path, data, length);
			expect_error(pm, permod_steps(pm, "top", 0, &steps), -EINVAL, path,
				     "depmod");
		}
		write_file(path, data, size);
		ask_all(pm, &answers);
		ck_assert_uint_eq(answers, 5);
		free(data);
	}
	permod_free(pm);
}
END_TEST

/* Each byte, in some ways: a line or an answer, and no crash. */
START_TEST(damaged_indexes_do_no_harm)
{
	const char *tree = copy_tree("damaged");
	struct permod *pm = open_context(tree, NULL);
	unsigned int stride = getenv("PERMOD_LONG") || !under_valgrind() ? 1 : 37;

	for (size_t i = 0; i < COUNT(index_names); i++) {
		const char *path = text("%s/%s", tree_folder("damaged"), index_names[i]);
		size_t size, answers = 0;
		unsigned char *data = read_file(path, &size);

		for (size_t at = 0; at < size; at += stride) {
			static const unsigned char changes[] = { 0xff, 0x80, 0x20, 0x01 };
			unsigned char was = data[at];

			for (size_t k = 0; k < COUNT(changes); k++) {
				data[at] = was ^ changes[k];
				write_file(path, data, size);
				ask_all(pm, &answers);
			}
			data[at] = was;
		}
		write_file(path, data, size);
		ck_assert_uint_gt(answers, 0);
		free(data);
	}
	permod_free(pm);
}
END_TEST

static void put_number(unsigned char *at, uint32_t number)
{
	for (int i = 4; i-- > 0; number >>= 8)
		at[i] = (unsigned char)number;
}

/* Of a sparse file of any size nothing is read. */
START_TEST(large_files_are_refused)
{
	struct permod_options options = { .size = sizeof(options), .max_file_size = 1 << 20 };
	struct permod *pm;

	options.module_dir = copy_tree("large");
	must(NULL, permod_new(&pm, &options));
	load_name(pm, "base", NULL);
	command(text("truncate -s 1000G '%s/modules.symbols.bin'", tree_folder("large")));
	expect_error(pm, permod_load_by_name(pm, "other", NULL, 0, NULL), -EFBIG,
		     "modules.symbols.bin", "max_file_size");
	permod_free(pm);
}
END_TEST

/* What would send libkmod round in circles, or beyond its tables. */
START_TEST(hostile_indexes_are_refused)
{
	static const struct {
		unsigned char root[12]; /* of 24 bytes in all; the root is at 12 */
		const char *why;
	} cases[] = {
		/* its own child */
		{ { 'a', 'a', 0x20, 0, 0, 12 }, "where none can be" },
		/* beyond */
		{ { 'a', 'a', 0x20, 0, 1, 12 }, "where none can be" },
		/* a child in the header */
		{ { 'a', 'a', 0x20, 0, 0, 8 }, "where none can be" },
		/* more children than libkmod has room for */
		{ { 0, 255 }, "range of characters" },
		{ { 'b', 'a' }, "range of characters" },
	};
	const char *tree = copy_tree("hostile");
	struct permod *pm = open_context(tree, NULL);
	const char *path = text("%s/modules.dep.bin", tree_folder("hostile"));
	struct permod_steps *steps;

	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned char data[24] = { 0xb0, 0x07, 0xf4, 0x57, 0, 2, 0, 1 };

		put_number(data + 8, 0x20000000 | 12);
		memcpy(data + 12, cases[i].root, sizeof(cases[i].root));
		write_file(path, data, sizeof(data));
		expect_error(pm, permod_steps(pm, "top", 0, &steps), -EINVAL, path, cases[i].why);
	}
	permod_free(pm);
}
END_TEST

/* Put other bytes in the place of some in a file. */
static void change_bytes(const char *path, const char *from, const char *to)
{
	size_t size;
	unsigned char *data = read_file(path, &size), *at;

	check_that(strlen(from) == strlen(to));
	at = memmem(data, size, from, strlen(from));
	ck_assert_msg(at, "%s: no '%s'", path, from);
	memcpy(at, to, strlen(to));
	write_file(path, data, size);
	free(data);
}

START_TEST(circles_are_told)
{
	const char *tree = copy_tree("circle");
	struct permod *pm = open_context(tree, NULL);
	const char *path = text("%s/modules.dep.bin", tree_folder("circle"));

	/* depmod itself makes no such entry. */
	change_bytes(path, "kernel/mid-dle.ko: kernel/base.ko",
		     "kernel/mid-dle.ko: kernel/top.ko ");
	expect_error(pm, permod_load_by_name(pm, "top", NULL, 0, NULL), -ELOOP, "modules.dep",
		     "top -> mid_dle -> top");
	change_bytes(path, "kernel/mid-dle.ko: kernel/top.ko ",
		     "kernel/mid-dle.ko: kernel/../xx.o");
	expect_error(pm, permod_load_by_name(pm, "top", NULL, 0, NULL), -ENOENT, "../xx.o",
		     "mid_dle");
	change_bytes(path, "kernel/mid-dle.ko: ", "kernel/mid-dle.ko; ");
	expect_error(pm, permod_load_by_name(pm, "mid-dle", NULL, 0, NULL), -EINVAL, "modules.dep",
		     "mid_dle", "broken");
	ck_assert_ptr_null(permod_next(pm, NULL));
	permod_free(pm);
}
END_TEST

START_TEST(broken_settings_are_told)
{
	static const struct {
		const char *lines;
		const char *where, *what;
	} cases[] = {
		{ "alias a b\nnonsense b c\n", "line 2", "nonsense" },
		{ "\n# x\n\noptions\n", "line 4", "options" },
		{ "alias a \\\nb\noptions top", "line 3", "options" },
		{ "alias a[ b", "line 1", "a[" },
		{ "include x y", "line 1", "include" },
		{ "softdep x", "line 1", "softdep" },
	};
	const char *path = settings("broken.conf", "");
	struct permod *pm = open_context(work_file("tree"), path);

	for (size_t i = 0; i < COUNT(cases); i++) {
		write_file(path, cases[i].lines, strlen(cases[i].lines));
		expect_error(pm, permod_load_by_name(pm, "top", NULL, 0, NULL), -EINVAL, path,
			     cases[i].where, cases[i].what);
	}
	write_file(path, "alias a b\0c", 11);
	expect_error(pm, permod_load_by_name(pm, "top", NULL, 0, NULL), -EINVAL, path, "NUL");
	command(text("rm '%s'", path));
	expect_error(pm, permod_load_by_name(pm, "top", NULL, 0, NULL), -ENOENT, path);
	/* A folder: what is no *.conf does not count. */
	command(text("mkdir '%s' && echo nonsense > '%s/a.txt' && echo nonsense > '%s/b.conf'",
		     path, path, path));
	expect_error(pm, permod_load_by_name(pm, "top", NULL, 0, NULL), -EINVAL,
		     text("%s/b.conf", path));
	command(text("rm '%s/b.conf'", path));
	must(pm, permod_load_by_name(pm, "top", NULL, 0, NULL));
	permod_free(pm);
}
END_TEST

/* ---- Requests for symbols ------------------------------------------------------------------- */

static char asked[1024];

/* Keep what was asked for; then do as `arg` says. */
static int request(struct permod *pm, const char *name, void *arg)
{
	int (*answer)(struct permod *, const char *) =
		*(int (**)(struct permod *, const char *))arg;

	snprintf(asked + strlen(asked), sizeof(asked) - strlen(asked), "%s ", name);
	return answer(pm, name);
}

static int (*answer)(struct permod *pm, const char *name);

static struct permod *open_requests(int (*how)(struct permod *pm, const char *name))
{
	struct permod_options options = { .size = sizeof(options) };
	struct permod *pm;

	answer = how;
	options.module_dir = work_file("tree");
	options.request = request;
	options.request_arg = &answer;
	notes[0] = asked[0] = '\0';
	must(NULL, permod_new(&pm, &options));
	return pm;
}

static int answer_by_tree(struct permod *pm, const char *name)
{
	return permod_request_symbol(pm, name, NULL);
}

START_TEST(requested_symbols_are_found)
{
	struct permod *pm = open_requests(answer_by_tree);
	const char *path = text("%s/kernel/top.ko", tree_folder("tree"));
	struct permod_module *m = load_file(pm, path, NULL);

	/* mid-dle is loaded by the tree, so nobody asks for what it needs. */
	ck_assert_str_eq(asked, "mid_value ");
	ck_assert_str_eq(noted(), "base before mid after top");
	ck_assert_int_eq(call(m, "top_value"), 8);
	must(pm, permod_unload(m, PERMOD_UNLOAD_DEPENDENCIES));
	ck_assert_str_eq(noted(), "-top -after -mid -before -base");
	permod_free(pm);
}
END_TEST

START_TEST(refused_requests_are_told)
{
	struct permod *pm = open_requests(answer_by_tree);
	const char *path =
		compile("lacks.ko", "",
			"int nobody_has(void); int mid_value(void);\n"
			"__attribute__((weak)) int perhaps(void);\n"
			"int f(void) { return mid_value() + nobody_has() + (perhaps ? 1 : 0); }");

	expect_error(pm, permod_load(pm, path, NULL, 0, NULL), -ENOENT, "lacks.ko", "nobody_has",
		     "symbol:nobody_has");
	ck_assert_ptr_null(strstr(asked, "perhaps"));
	/* What was loaded for it has gone. */
	ck_assert_ptr_null(permod_next(pm, NULL));
	permod_free(pm);
}
END_TEST

static int answer_nothing(struct permod *pm, const char *name)
{
	(void)pm, (void)name;
	return 0;
}

START_TEST(answers_are_not_believed)
{
	struct permod *pm = open_requests(answer_nothing);
	const char *path = text("%s/kernel/top.ko", tree_folder("tree"));

	expect_error(pm, permod_load(pm, path, NULL, 0, NULL), -ENOENT, "mid_value");
	ck_assert_str_eq(asked, "mid_value ");
	permod_free(pm);
}
END_TEST

/* Files so called as the symbols. */
static int answer_by_file(struct permod *pm, const char *name)
{
	return permod_load(pm, work_file(text("%s.ko", name)), NULL, 0, NULL);
}

START_TEST(requests_end)
{
	struct permod *pm = open_requests(answer_by_file);
	struct permod_plan *plan;

	/* one needs two, and two needs one. */
	compile("one.ko", "",
		HEADER "int two(void); int one(void) { return two(); }\n"
		       "EXPORT_SYMBOL(one);\n");
	compile("two.ko", "",
		HEADER "int one(void); int two(void) { return one(); }\n"
		       "EXPORT_SYMBOL(two);\n");
	expect_error(pm, permod_load(pm, work_file("one.ko"), NULL, 0, NULL), -ENOENT, "one.ko",
		     "two");
	ck_assert_str_eq(asked, "two one ");
	ck_assert_ptr_null(permod_next(pm, NULL));
	/* One that loads the module itself in its place. */
	compile("self.ko", "", HEADER "int self(void); int f(void) { return self(); }\n");
	expect_error(pm, permod_load(pm, work_file("self.ko"), NULL, 0, NULL), -ENOENT, "self");
	/* A plan asks nobody. */
	asked[0] = '\0';
	ck_assert_int_eq(permod_plan(pm, work_file("one.ko"), &plan), -ENOENT);
	permod_plan_free(plan);
	ck_assert_str_eq(asked, "");
	permod_free(pm);
}
END_TEST

/* Each file needs the next one. */
static int answer_deeper(struct permod *pm, const char *name)
{
	const char *path = work_file("deep.ko"), *next = text("deep%02d", atoi(name + 4) + 1);

	change_bytes(path, name, next);
	return permod_load_files(pm, next, &path, 1, NULL, NULL, 0, NULL);
}

START_TEST(requests_have_a_bound)
{
	struct permod *pm = open_requests(answer_deeper);
	const char *path =
		compile("deep.ko", "", "int deep00(void); int f(void) { return deep00(); }");

	expect_error(pm, permod_load(pm, path, NULL, 0, NULL), -ENOENT, "deep00");
	ck_assert_ptr_nonnull(strstr(asked, "deep49 "));
	ck_assert_ptr_null(strstr(asked, "deep50 "));
	ck_assert_ptr_null(permod_next(pm, NULL));
	permod_free(pm);
}
END_TEST

static int answer_by_itself(struct permod *pm, const char *name)
{
	const char *path = compile("twin.ko", "",
				   HEADER "int twin_value(void) { return 1; }\n"
					  "EXPORT_SYMBOL(twin_value);\n");

	(void)name;
	return permod_load(pm, path, NULL, 0, NULL);
}

START_TEST(name_can_be_taken_meanwhile)
{
	struct permod *pm = open_requests(answer_by_itself);
	const char *path = compile("twin.ko", "",
				   HEADER "int twin_value(void); int f(void)\n"
					  "{ return twin_value(); }\n");

	expect_error(pm, permod_load(pm, path, NULL, 0, NULL), -EEXIST, "twin");
	ck_assert_ptr_null(permod_find(pm, "twin"));
	permod_free(pm);
}
END_TEST

/* ---- Without libkmod ------------------------------------------------------------------------ */

static bool has_libkmod(void)
{
	struct permod *pm;
	int error = permod_new(&pm, NULL);

	if (!error)
		error = permod_load_by_name(pm, "x", NULL, 0, NULL);
	permod_free(pm);
	return error != -ENOSYS;
}

/* All that needs it would be left out without a word. */
START_TEST(libkmod_is_used_if_it_is_there)
{
#ifdef HAVE_LIBKMOD
	ck_assert(has_libkmod());
#else
	ck_assert(!has_libkmod());
#endif
}
END_TEST

START_TEST(absence_is_told)
{
	struct permod *pm = open_context_of_tree();
	struct permod_steps *steps;

	expect_error(pm, permod_load_by_name(pm, "top", NULL, 0, NULL), -ENOSYS, "top", "libkmod");
	expect_error(pm, permod_steps(pm, "top", 0, &steps), -ENOSYS, "top", "libkmod");
	ck_assert_ptr_null(steps);
	permod_free(pm);
}
END_TEST

/* --------------------------------------------------------------------------------------------- */

static const TTest **const with_trees[] = {
	&order_and_options_are_modprobes,
	&aliases_respect_blacklists_as_modprobe_does,
	&unknown_names_are_told,
	&dependencies_come_first,
	&options_of_settings_come_first,
	&loaded_modules_will_do,
	&dependencies_go_when_asked,
	&dependencies_of_others_stay,
	&failed_load_takes_dependencies_out,
	&failed_dependency_is_named,
	&wishes_may_fail,
	&wishes_may_have_no_file,
	&dependencies_without_symbols_are_kept,
	&aliases_of_several_load_all,
	&commands_are_not_run,
	&nothing_runs_for_tools,
	&threads_share_dependencies,
	&module_may_go_while_wishes_go,
	&need_that_is_going_is_refused,
	&no_tree_is_taken_unasked,
	&kernel_command_line_does_not_count,
	&trees_are_found,
	&missing_files_are_told,
	&short_indexes_are_refused,
	&damaged_indexes_do_no_harm,
	&large_files_are_refused,
	&hostile_indexes_are_refused,
	&circles_are_told,
	&broken_settings_are_told,
	&requested_symbols_are_found,
	&refused_requests_are_told,
};

int main(void)
{
	Suite *suite = suite_create("find");
	TCase *tests = tcase_create("find");

	tcase_add_unchecked_fixture(tests, make_tree, NULL);
	if (has_libkmod()) {
		for (size_t i = 0; i < COUNT(with_trees); i++)
			tcase_add_test(tests, *with_trees[i]);
	} else {
		tcase_add_test(tests, absence_is_told);
	}
	tcase_add_test(tests, libkmod_is_used_if_it_is_there);
	tcase_add_test(tests, answers_are_not_believed);
	tcase_add_test(tests, requests_end);
	tcase_add_test(tests, requests_have_a_bound);
	tcase_add_test(tests, name_can_be_taken_meanwhile);
	tcase_set_timeout(tests, 120);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
