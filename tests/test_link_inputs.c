/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Several objects and archives as one link: which members are taken, and which sections are dropped,
 * compared with what ld does with the same files.
 */
#include "tests/elf/helper.h"

#include <stdint.h>

static uint64_t state, first_state; /* of the random numbers */

/* ---- What ld takes -------------------------------------------------------------------------- */

/* Names of objects, in their order: "main.o lib.a(one.o)". */
static void list_ours(const struct trial *trial, char *names, size_t size)
{
	size_t used = 0;

	names[0] = '\0';
	for (struct link_object *object = trial->link->objects; object;
	     object = link_object_next(object))
		used += (size_t)snprintf(names + used, size - used, "%s%s", used ? " " : "",
					 link_object_name(object));
	check_that(used < size);
}

/* The same as ld tells it: "main.o", "(lib.a)one.o", or "one.o" if the archive is thin. */
static void check_order_of_ld(const struct trial *trial)
{
	FILE *said = fopen("said", "r");
	const struct link_object *object = trial->link->objects;
	char line[256];

	while (fgets(line, sizeof(line), said)) {
		const char *theirs = strchr(line, ')'), *ours;

		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "ld: warning", 11) || (!theirs && strstr(line, ".a")))
			continue;
		theirs = theirs ? theirs + 1 : line;
		ck_assert_msg(object, "ld takes %s too", theirs);
		ours = strchr(link_object_name(object), '(');
		ours = ours ? ours + 1 : link_object_name(object);
		ck_assert_msg(!strncmp(ours, theirs, strlen(theirs)),
			      "ours is %s, ld's %s (round %llu)", ours, theirs,
			      (unsigned long long)first_state);
		object = link_object_next(object);
	}
	fclose(said);
	ck_assert_msg(!object, "ld takes no %s", object ? link_object_name(object) : "");
}

/* Files for thin archives come from here. */
static struct file named[64];
static size_t num_named;

static int read_named(void *arg, const char *by, const char *path, const void **data, size_t *size)
{
	(void)arg;
	(void)by;
	check_that(num_named < COUNT(named));
	if (access(path, R_OK))
		return -ENOENT;
	named[num_named] = read_file(path);
	*data = named[num_named].data;
	*size = named[num_named++].size;
	return 0;
}

static void release_named(void)
{
	while (num_named)
		release(&named[--num_named]);
}

static void add_input(struct trial *trial, const char *name)
{
	struct file *file = &trial->file[trial->files++];

	*file = read_file(name);
	check_ok(trial, link_add_input(trial->link, name, file->data, file->size));
}

/* Add files named in a line. */
static void add_inputs(struct trial *trial, const char *names)
{
	char line[256], *name, *rest;

	snprintf(line, sizeof(line), "%s", names);
	for (name = strtok_r(line, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
		add_input(trial, name);
}

/* Objects and archives in a line; ours are compared with ld's, whose archives are a group. */
static void compare_choice(const char *objects, const char *archives, const char *root, bool whole)
{
	struct trial trial;

	start_trial(&trial);
	trial.link->read_file = read_named;
	trial.link->whole_archives = whole;
	add_inputs(&trial, objects);
	add_inputs(&trial, archives);
	check_ok(&trial, link_choose(trial.link, root));
	run("ld -e 0 --unresolved-symbols=ignore-all -z noexecstack -t -t -o linked %s%s %s %s %s %s",
	    root ? "-u " : "", root ? root : "", objects,
	    whole ? "--whole-archive" : "--start-group", archives, whole ? "" : "--end-group");
	check_order_of_ld(&trial);
	end_trial(&trial);
	release_named();
}

/* ---- Generated cases ------------------------------------------------------------------------ */

static unsigned int pick(unsigned int bound)
{
	state = state * 6364136223846793005 + 1442695040888963407;
	return (unsigned int)(state >> 33) % bound;
}

#define NAMES 12
#define MEMBERS 10

/*
 * An object says of a few names that it defines or needs them, in one of several ways.  Strong
 * definitions are its own: `n` of its name, and otherwise weak ones, so that nothing clashes.
 */
static void make_object(const char *name, unsigned int number)
{
	char text[4096] = ".data\n";

	for (unsigned int i = 0; i < 5; i++) {
		char line[128];
		unsigned int symbol = pick(NAMES);

		switch (pick(6)) {
		case 0:
			snprintf(line, sizeof(line), ".weak s%u\n", symbol);
			break;
		case 1:
			snprintf(line, sizeof(line), ".comm c%u, %u, 8\n", symbol,
				 8 * (1 + pick(4)));
			break;
		case 2:
			snprintf(line, sizeof(line), ".quad c%u\n", symbol);
			break;
		default:
			snprintf(line, sizeof(line), ".quad s%u\n", symbol);
			break;
		}
		strcat(text, line);
	}
	if (number < NAMES)
		snprintf(text + strlen(text), 256,
			 ".ifndef s%u\n.endif\n.globl s%u\ns%u: .quad 1\n", number, number, number);
	/* Two that define each COMMON symbol really would clash if both are taken: one is weak. */
	if (number % 3 == 0)
		snprintf(text + strlen(text), 256, ".weak w%u\nw%u: .quad w%u\n", number / 2,
			 number / 2, number / 2 + 1);
	assemble(name, text);
}

static void make_archive(const char *name, unsigned int from, unsigned int count, const char *flags)
{
	char command[1024];
	size_t used =
		(size_t)snprintf(command, sizeof(command), "rm -f %s; ar %s %s", name, flags, name);

	for (unsigned int i = from; i < from + count; i++) {
		char member[16];

		snprintf(member, sizeof(member), "m%u", i);
		make_object(member, i);
		used += (size_t)snprintf(command + used, sizeof(command) - used, " %s.o", member);
	}
	/* Some names are defined by a second member too, some COMMON ones by a real definition. */
	if (pick(2)) {
		unsigned int shared = pick(NAMES);
		char text[256];

		snprintf(text, sizeof(text),
			 ".data\n.globl c%u\nc%u: .quad s%u\n.weak s%u\ns%u: .quad 2\n", shared,
			 shared, pick(NAMES), (shared + 1) % NAMES, (shared + 1) % NAMES);
		snprintf(command + used, sizeof(command) - used, " real%u.o", from);
		snprintf(text + 200, 16, "real%u", from);
		assemble(text + 200, text);
	}
	run("%s", command);
}

START_TEST(generated_archives_give_what_ld_takes)
{
	unsigned int rounds = getenv("PERMOD_LONG") ? 200 : 5;

	for (unsigned int round = 0; round < rounds; round++) {
		state = first_state = 1000 * (uint64_t)_i + round;
		assemble("main", ".data\n.quad s1, s2, c3\n.weak s5\n.comm c4, 8, 8\n");
		make_archive("one.a", 0, MEMBERS / 2, pick(2) ? "rcs" : "rcsT");
		make_archive("two.a", MEMBERS / 2, MEMBERS - MEMBERS / 2, "rcs");
		compare_choice("main.o", "one.a two.a", NULL, false);
		compare_choice("main.o", "two.a one.a", NULL, false);
		compare_choice("", "one.a two.a", "s7", false);
		if (!round)
			compare_choice("main.o", "one.a", NULL, true);
	}
}
END_TEST

/* ---- Cases of their own --------------------------------------------------------------------- */

static const struct {
	const char *main, *one, *two, *taken;
} cases[] = {
	/* COMMON is enough, unless a member defines it. */
	{ ".comm x, 8, 8", ".comm x, 16, 8", ".globl y\ny: .quad 1", "main.o" },
	{ ".comm x, 8, 8", ".comm x, 16, 8", ".globl x\nx: .quad 1", "main.o lib.a(two.o)" },
	{ ".comm x, 8, 8", ".globl x\nx: .quad y", ".globl y\ny: .quad 1",
	  "main.o lib.a(one.o) lib.a(two.o)" },
	{ ".quad x", ".comm x, 16, 8", ".globl x\nx: .quad 1", "main.o lib.a(one.o) lib.a(two.o)" },
	/* Weak needs pull nothing. */
	{ ".weak x\n.quad x", ".globl x\nx: .quad 1", "", "main.o" },
	{ ".weak x\n.quad x, y", ".globl x\nx: .quad 1", ".globl y\ny: .quad x\n",
	  "main.o lib.a(two.o) lib.a(one.o)" },
	/* A weak definition serves, and keeps the strong one away. */
	{ ".quad x", ".weak x\nx: .quad 1", ".globl x\nx: .quad 2", "main.o lib.a(one.o)" },
	{ ".weak x\nx: .quad x", ".globl x\nx: .quad 1", "", "main.o" },
	/* Circles. */
	{ ".quad x", ".globl x\nx: .quad y", ".globl y\ny: .quad x",
	  "main.o lib.a(one.o) lib.a(two.o)" },
};

START_TEST(member_is_taken_as_ld_does)
{
	char names[256], text[256];
	struct trial trial;

	snprintf(text, sizeof(text), ".data\n%s\n", cases[_i].main);
	assemble("main", text);
	snprintf(text, sizeof(text), ".data\n%s\n", cases[_i].one);
	assemble("one", text);
	snprintf(text, sizeof(text), ".data\n%s\n", cases[_i].two);
	assemble("two", text);
	run("rm -f lib.a; ar rcs lib.a one.o two.o");
	compare_choice("main.o", "lib.a", NULL, false);
	start_trial(&trial);
	add_inputs(&trial, "main.o lib.a");
	check_ok(&trial, link_choose(trial.link, NULL));
	list_ours(&trial, names, sizeof(names));
	ck_assert_str_eq(names, cases[_i].taken);
	end_trial(&trial);
}
END_TEST

/* The archives of a group need each other, and the order of objects and archives is free. */
START_TEST(archives_are_searched_until_nothing_comes)
{
	static const char *const orders[] = { "main.o a.a b.a", "a.a main.o b.a",
					      "a.a b.a main.o" };
	char names[256];
	struct trial trial;

	assemble("main", ".data\n.quad x\n");
	assemble("x", ".data\n.globl x\nx: .quad y\n");
	assemble("y", ".data\n.globl y\ny: .quad z\n");
	assemble("z", ".data\n.globl z\nz: .quad 1\n");
	run("rm -f a.a b.a; ar rcs a.a x.o z.o; ar rcs b.a y.o");
	start_trial(&trial);
	add_inputs(&trial, orders[_i]);
	check_ok(&trial, link_choose(trial.link, _i ? "x" : NULL));
	list_ours(&trial, names, sizeof(names));
	ck_assert_str_eq(names, "main.o a.a(x.o) b.a(y.o) a.a(z.o)");
	check_ok(&trial, link_layout(trial.link));
	end_trial(&trial);
}
END_TEST

/* ---- Roots of an archive that comes first --------------------------------------------------- */

static const struct link_root roots[] = { { .name = "begin", .entry = true },
					  { .name = ".told", .section = true } };

static const struct {
	const char *begin; /* of the member b */
	const char *taken;
} beginnings[] = {
	{ ".globl begin\nbegin: .quad c", "lib.a(b.o) lib.a(c.o)" },
	{ ".section .told, \"a\"\n.quad c", "lib.a(b.o) lib.a(c.o)" },
	{ ".section .told.more, \"a\"\n.quad c", "lib.a(b.o) lib.a(c.o)" },
	/* Not these: nothing is in it, it is not loaded, the name is only mentioned. */
	{ ".section .told, \"a\"\n", "lib.a(a.o) lib.a(b.o) lib.a(c.o)" },
	{ ".section .told, \"\"\n.quad 1", "lib.a(a.o) lib.a(b.o) lib.a(c.o)" },
	{ ".quad begin", "lib.a(a.o) lib.a(b.o) lib.a(c.o)" },
};

START_TEST(archive_begins_with_its_roots_or_is_taken_whole)
{
	char names[256], text[256];
	struct trial trial;

	snprintf(text, sizeof(text), ".data\n%s\n", beginnings[_i].begin);
	assemble("a", ".data\n.globl a\na: .quad c\n");
	assemble("b", text);
	assemble("c", ".data\n.globl c\nc: .quad 1\n");
	run("rm -f lib.a; ar rcs lib.a a.o b.o c.o");
	start_trial(&trial);
	trial.link->roots = roots;
	trial.link->num_roots = COUNT(roots);
	add_inputs(&trial, "lib.a");
	check_ok(&trial, link_choose(trial.link, NULL));
	list_ours(&trial, names, sizeof(names));
	ck_assert_str_eq(names, beginnings[_i].taken);
	ck_assert(trial.link->unasked);
	end_trial(&trial);
}
END_TEST

/* Behind an object, an archive's own roots count for nothing. */
START_TEST(second_archive_has_no_roots)
{
	char names[256];
	struct trial trial;

	assemble("main", ".data\n.quad 1\n");
	assemble("b", ".data\n.globl begin\nbegin: .quad 1\n");
	run("rm -f lib.a; ar rcs lib.a b.o");
	start_trial(&trial);
	trial.link->roots = roots;
	trial.link->num_roots = COUNT(roots);
	add_inputs(&trial, "main.o lib.a");
	check_ok(&trial, link_choose(trial.link, NULL));
	list_ours(&trial, names, sizeof(names));
	ck_assert_str_eq(names, "main.o");
	ck_assert(!trial.link->unasked);
	end_trial(&trial);
}
END_TEST

/* ---- Thin, nested and odd archives ---------------------------------------------------------- */

static const struct {
	const char *make, *archive, *names;
} thin[] = {
	{ "ar rcsT lib.a x.o y.o", "lib.a", "lib.a(x.o) lib.a(y.o)" },
	{ "ar rcST lib.a x.o y.o", "lib.a", "lib.a(x.o) lib.a(y.o)" },
	{ "mkdir -p sub; cp x.o y.o sub; ar rcsT sub/lib.a sub/x.o sub/y.o; rm x.o y.o",
	  "sub/lib.a", "sub/lib.a(x.o) sub/lib.a(y.o)" },
	{ "mkdir -p sub; cp x.o sub; ar rcsT sub/lib.a sub/x.o y.o; rm x.o", "sub/lib.a",
	  "sub/lib.a(x.o) sub/lib.a(../y.o)" },
	{ "mkdir -p sub; cp x.o y.o sub; rm x.o y.o; ar rcsT lib.a $PWD/sub/x.o $PWD/sub/y.o",
	  "lib.a", NULL },
	{ "llvm-ar rcsT lib.a x.o y.o", "lib.a", "lib.a(x.o) lib.a(y.o)" },
	{ "ar rcs inner.a x.o y.o; ar rcsT lib.a inner.a; rm x.o y.o", "lib.a", NULL },
	{ "llvm-ar rcs --format=bsd lib.a x.o y.o", "lib.a", "lib.a(x.o) lib.a(y.o)" },
	{ "cp x.o a_name_of_more_than_sixteen.o; ar rcs lib.a a_name_of_more_than_sixteen.o y.o",
	  "lib.a", "lib.a(a_name_of_more_than_sixteen.o) lib.a(y.o)" },
	{ "ar rcs inner.a y.o; ar rcs lib.a x.o inner.a; ar r lib.a y.o", "lib.a",
	  "lib.a(x.o) lib.a(y.o)" },
	/* Scripts. */
	{ "ar rcs inner.a x.o y.o; echo '/* GNU ld script */ OUTPUT_FORMAT(elf64-x86-64) GROUP(inner.a)' "
	  ">lib.a",
	  "lib.a", "inner.a(x.o) inner.a(y.o)" },
	{ "mkdir -p sub; ar rcs sub/in.a x.o; echo 'INPUT ( in.a , ../y.o AS_NEEDED ( no.so ) )' "
	  ">sub/lib.a; echo 'GROUP(sub/lib.a)' >lib.a",
	  "lib.a", "sub/../y.o sub/in.a(x.o)" },
};

START_TEST(members_are_found_wherever_they_are)
{
	char names[512];
	struct trial trial;

	if (strstr(thin[_i].make, "llvm-ar") && !succeeds("command -v llvm-ar"))
		return;
	run("rm -rf sub lib.a inner.a");
	assemble("x", ".data\n.globl x\nx: .quad y\n");
	assemble("y", ".data\n.globl y\ny: .quad 5\n");
	run("%s", thin[_i].make);
	start_trial(&trial);
	trial.link->read_file = read_named;
	add_inputs(&trial, thin[_i].archive);
	check_ok(&trial, link_choose(trial.link, "x"));
	list_ours(&trial, names, sizeof(names));
	if (thin[_i].names)
		ck_assert_str_eq(names, thin[_i].names);
	check_ok(&trial, link_layout(trial.link));
	check_ok(&trial, relocate_at(&trial, 0x10000, 0));
	ck_assert_ptr_nonnull(symbol_of(&trial, "y")->section);
	end_trial(&trial);
	release_named();
}
END_TEST

static const struct {
	const char *make, *inputs, *root;
	int error;
	const char *message;
} wrong[] = {
	{ "ar rcs a.a; ar rcs b.a", "a.a b.a", NULL, -ENOEXEC,
	  "a.a: the archive is empty, there is nothing to load" },
	{ "ar rcs a.a x.o", "x.o a.a", "nothing", -ENOENT,
	  "x.o: neither this nor what is linked with it defines nothing" },
	{ "ar rcs a.a x.o; ar rcs b.a y.o", "a.a b.a", "nothing", -ENOENT,
	  "a.a: neither this nor what is linked with it defines nothing" },
	{ "cp x.o z.o; ar rcs a.a x.o", "z.o a.a y.o x.o", NULL, -EEXIST,
	  "x.o: symbol x: defined already in z.o; rename one of them or make it static" },
	{ "ar rcsT a.a x.o; rm x.o", "y.o a.a", "x", -ENOENT, "" },
	{ "ar rcs inner.a x.o; ar rcsT a.a inner.a; head -c 100 inner.a >cut; mv cut inner.a",
	  "a.a", "x", -ENOEXEC,
	  "inner.a: truncated in the header of a member at offset 78 (found " },
	{ "ar rcs inner.a x.o; ar rcsT a.a inner.a; cp x.o inner.a", "a.a", "x", -ENOEXEC,
	  "a.a: its member at offset " },
	{ "echo 'GROUP ( x.o' >a.a", "a.a", NULL, -ENOEXEC,
	  "a.a: this linker script ends in the middle of a command" },
	{ "echo 'INPUT(-lm)' >a.a", "a.a", NULL, -ENOEXEC,
	  "a.a: a linker script with -lm; only GROUP" },
	{ "echo 'OUTPUT_FORMAT(x) SECTIONS { }' >a.a", "a.a", NULL, -ENOEXEC,
	  "a.a: a linker script with SECTIONS; only GROUP" },
	{ "for i in 1 2 3 4 5 6 7 8 9; do echo \"INPUT(s$((i + 1)).a)\" >s$i.a; done; cp x.o s10.a; "
	  "cp s1.a a.a",
	  "a.a", NULL, -ENOEXEC,
	  "s9.a: a linker script, which only names files (and they name others, and so on); " },
	{ "printf '!<thin>\\n/77             0           0     0     644     8         `\\n' >a.a",
	  "a.a", NULL, -ENOEXEC,
	  "a.a: the member at offset 8 has a bad name; the archive is damaged" },
	{ "printf '!<thin>\\n/0:x            0           0     0     644     8         `\\n' >a.a",
	  "a.a", NULL, -ENOEXEC,
	  "a.a: the member at offset 8 has a bad name; the archive is damaged" },
	{ "printf '!<arch>\\n#1/99           0           0     0     644     8         `\\n12345678' "
	  ">a.a",
	  "a.a", NULL, -ENOEXEC,
	  "a.a: the member at offset 8 has a bad name; the archive is damaged" },
};

START_TEST(wrong_inputs_are_refused)
{
	char line[256], *name, *rest;
	struct trial trial;
	int error = 0;

	run("rm -rf *.a");
	assemble("x", ".data\n.globl x\nx: .quad y\n");
	assemble("y", ".data\n.globl y\ny: .quad 5\n");
	run("%s", wrong[_i].make);
	start_trial(&trial);
	trial.link->read_file = read_named;
	snprintf(line, sizeof(line), "%s", wrong[_i].inputs);
	for (name = strtok_r(line, " ", &rest); name && !error; name = strtok_r(NULL, " ", &rest)) {
		struct file *file = &trial.file[trial.files++];

		*file = read_file(name);
		error = link_add_input(trial.link, name, file->data, file->size);
	}
	if (!error)
		error = link_choose(trial.link, wrong[_i].root);
	ck_assert_int_eq(error, wrong[_i].error);
	ck_assert_msg(!strncmp(trial.message, wrong[_i].message, strlen(wrong[_i].message)), "%s",
		      trial.message);
	end_trial(&trial);
	release_named();
}
END_TEST

/* What GCC keeps for later is no code.  An index made without GCC's plugin doesn't even tell of it. */
START_TEST(archive_without_machine_code_is_refused)
{
	static const char *const makers[] = { "ar", "llvm-ar" };
	struct trial trial;

	if (strcmp(compiler(), "gcc") != 0 || !succeeds("command -v %s", makers[_i]))
		return;
	assemble("main", ".data\n.quad f\n");
	compile("slim", "-flto -fno-fat-lto-objects", "int f(void) { return 1; }");
	run("rm -f lib.a; %s rcs lib.a slim.o", makers[_i]);
	start_trial(&trial);
	add_inputs(&trial, "main.o lib.a");
	ck_assert_int_eq(link_choose(trial.link, NULL), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(trial.message,
				     ": there is no machine code in it, only what "
				     "GCC needs to optimise at link time; compile "
				     "without -flto or with -ffat-lto-objects, or "));
	end_trial(&trial);
	compile("fat", "-flto -ffat-lto-objects", "int f(void) { return 1; }");
	run("rm -f lib.a; %s rcs lib.a fat.o", makers[_i]);
	start_trial(&trial);
	add_inputs(&trial, "main.o lib.a");
	check_ok(&trial, link_choose(trial.link, NULL));
	check_ok(&trial, link_layout(trial.link));
	ck_assert_ptr_nonnull(symbol_of(&trial, "f")->section);
	end_trial(&trial);
}
END_TEST

/* As the message says. */
START_TEST(code_linked_by_gcc_from_what_it_kept_loads)
{
	struct trial trial;

	if (strcmp(compiler(), "gcc") != 0)
		return;
	compile("slim", "-flto -fno-fat-lto-objects", "int f(void) { return 1; }");
	run("gcc -flto -r -flinker-output=nolto-rel -o linked.o slim.o");
	start_trial(&trial);
	add_inputs(&trial, "linked.o");
	check_ok(&trial, link_choose(trial.link, NULL));
	check_ok(&trial, link_layout(trial.link));
	ck_assert_ptr_nonnull(symbol_of(&trial, "f")->section);
	end_trial(&trial);
}
END_TEST

/* ---- Dropping sections ---------------------------------------------------------------------- */

#define SECTIONS 14

/* One section of an object, with a symbol of its name; what it refers to is `to`, one of all. */
static void write_section(FILE *out, const char *object, unsigned int number)
{
	char name[16], flags[32] = "a";
	unsigned int kind = pick(8), to = pick(SECTIONS);
	const char *other = pick(3) ? object : *object == 'a' ? "b" : "a";

	snprintf(name, sizeof(name), "%s%u", object, number);
	strcat(flags, kind < 4 ? "x" : "w");
	if (!pick(12))
		strcat(flags, "R");
	/* ld refuses references to what is about a section that is dropped. */
	if (!pick(8))
		fprintf(out, ".section .o.%s, \"ao\", @progbits, .text.%s0\n.quad %s\n", name,
			object, name);
	if (pick(4))
		fprintf(out, ".section .%s.%s, \"%s\", @progbits\n", kind < 4 ? "text" : "data",
			name, flags);
	else
		fprintf(out, ".section .x.%s, \"%sG\", @progbits, g%s%u, comdat\n", name, flags,
			object, number / 3);
	fprintf(out, ".globl %s\n%s:", name, name);
	if (kind < 3) {
		fprintf(out, " .cfi_startproc\n");
		if (kind)
			fprintf(out, ".cfi_personality 0x1b, %s%u\n", object, SECTIONS - kind);
		if (kind == 2)
			fprintf(out, ".cfi_lsda 0x1b, .Ltable_%s\n", name);
	}
	fprintf(out, " .quad %s%u\n", other, to);
	if (!pick(8))
		fprintf(out, " .quad __start_tab%u\n", pick(3));
	if (!pick(4))
		fprintf(out, " .quad common%u\n", pick(4));
	if (kind < 3)
		fprintf(out, " .cfi_endproc\n");
	if (kind == 2)
		fprintf(out,
			".section .gcc_except_table.%s, \"a\", @progbits\n.Ltable_%s: .quad %s%u\n",
			name, name, object, pick(SECTIONS));
}

static void write_object(const char *object)
{
	char name[16];
	FILE *out;

	snprintf(name, sizeof(name), "%s.s", object);
	out = fopen(name, "w");
	ck_assert_ptr_nonnull(out);
	fprintf(out, ".section .text.%s0, \"ax\", @progbits\n.globl %s0\n%s0: .quad %s1, b2\n",
		object, object, object, object);
	for (unsigned int i = 1; i < SECTIONS; i++)
		write_section(out, object, i);
	for (unsigned int i = 0; i < 3; i++)
		fprintf(out, ".section tab%u, \"a\", @progbits\n.quad %s%u\n", i, object,
			pick(SECTIONS));
	fprintf(out,
		".comm common0, 8, 8\n.comm common1, 8, 8\n.comm common2, 8, 8\n.comm common3, 8, 8\n");
	fclose(out);
	run("as -o %s.o %s.s", object, object);
}

/* Sections that ld drops are those that we discard, and no others. */
static void check_dropped(const struct trial *trial)
{
	FILE *said = fopen("said", "r");
	char line[256];
	unsigned int theirs = 0, ours = 0;

	while (fgets(line, sizeof(line), said)) {
		char *name = strstr(line, "unused section '"), *file = strstr(line, "' in file '");
		const struct link_section *section = NULL;

		if (!name || !file)
			continue;
		name += strlen("unused section '");
		name[strcspn(name, "['")] = '\0';
		file += strlen("' in file '");
		if (!strcmp(name, ".group") || !strcmp(name, "COMMON"))
			continue;
		for (struct link_object *object = trial->link->objects; object;
		     object = link_object_next(object)) {
			if (strncmp(file, link_object_name(object), 3) != 0)
				continue;
			for (unsigned int i = 1; link_object_section(object, i); i++) {
				if (!strcmp(link_object_section(object, i)->name, name))
					section = link_object_section(object, i);
			}
		}
		ck_assert_msg(section, "no section %s", name);
		ck_assert_msg(section->discarded || !section->size, "ld drops %s (round %llu)",
			      name, (unsigned long long)first_state);
		theirs += section->size > 0;
	}
	fclose(said);
	for (struct link_object *object = trial->link->objects; object;
	     object = link_object_next(object)) {
		const struct link_section *section;

		for (unsigned int i = 1; (section = link_object_section(object, i)); i++)
			ours += section->discarded && section->size &&
				/* ld empties it instead */
				strcmp(section->name, ".eh_frame") != 0;
	}
	ck_assert_msg(ours == theirs, "we drop %u, ld %u (round %llu)", ours, theirs,
		      (unsigned long long)first_state);
}

START_TEST(sections_are_dropped_as_ld_does)
{
	unsigned int rounds = getenv("PERMOD_LONG") ? 400 : 20;

	for (unsigned int round = 0; round < rounds; round++) {
		struct trial trial;

		state = first_state = 1000 * (uint64_t)_i + round;
		write_object("a");
		write_object("b");
		start_trial(&trial);
		trial.link->gc_sections = true;
		add_inputs(&trial, "a.o b.o");
		check_ok(&trial, link_choose(trial.link, "a0"));
		check_ok(&trial, link_layout(trial.link));
		check_ok(&trial, relocate_at(&trial, 0x10000, 0));
		run("ld --gc-sections --print-gc-sections --orphan-handling=place -e a0 -o linked a.o "
		    "b.o");
		check_dropped(&trial);
		for (unsigned int i = 0; i < 4; i++) {
			char name[16];
			bool theirs;

			snprintf(name, sizeof(name), "common%u", i);
			theirs = succeeds("nm linked | grep -w %s", name);
			/* ld keeps or drops all those of an object together. */
			ck_assert(theirs || !symbol_of(&trial, name)->defined);
		}
		end_trial(&trial);
	}
}
END_TEST

/* Where nobody says what is needed, names that others can see are; statics and hidden ones are not. */
START_TEST(without_a_root_what_others_see_is_kept)
{
	static const struct {
		const char *name;
		bool kept;
	} expected[] = {
		{ ".text.seen", true },	   { ".text.used", true },  { ".text.alone", false },
		{ ".text.hidden", false }, { ".init_array", true }, { ".text.begin", true },
		{ ".fini_array.5", true }, { ".ctors", true },	    { ".note.it", true },
	};
	struct trial trial;

	assemble("a", ".section .text.seen, \"ax\"\n.globl seen\nseen: call used\n"
		      ".section .text.used, \"ax\"\nused: ret\n"
		      ".section .text.alone, \"ax\"\nalone: call used\n"
		      ".section .text.hidden, \"ax\"\n.globl hid\n.hidden hid\nhid: ret\n"
		      ".section .text.begin, \"ax\"\nbegin: ret\n"
		      ".section .init_array, \"aw\", @init_array\n.quad begin\n"
		      ".section .fini_array.5, \"aw\", @progbits\n.quad begin\n"
		      ".section .ctors, \"aw\"\n.quad begin\n"
		      ".section .note.it, \"a\", @note\n.quad 1\n");
	start_trial(&trial);
	trial.link->gc_sections = true;
	add_inputs(&trial, "a.o");
	check_ok(&trial, link_choose(trial.link, NULL));
	check_ok(&trial, link_layout(trial.link));
	for (size_t i = 0; i < COUNT(expected); i++)
		ck_assert_msg((link_next_section(trial.link, expected[i].name, NULL) != NULL) ==
				      expected[i].kept,
			      "%s", expected[i].name);
	ck_assert_ptr_null(link_next_section(trial.link, ".text.hidden", NULL));
	for (struct link_symbol *symbol = NULL; (symbol = link_next_defined(trial.link, symbol));)
		ck_assert_str_eq(symbol->name, "seen");
	end_trial(&trial);
}
END_TEST

/* A symbol that only a dropped function's unwind entry needs is not needed. */
START_TEST(dropped_functions_need_no_personality)
{
	static const char text[] =
		".section .text.kept, \"ax\"\n.globl kept\nkept: .cfi_startproc\nret\n.cfi_endproc\n"
		".section .text.gone, \"ax\"\n.globl gone\ngone: .cfi_startproc\n"
		".cfi_personality 0x1b, nowhere\nret\n.cfi_endproc\n";
	struct trial trial;
	const struct link_section *frames;
	const unsigned char *bytes;
	uint64_t offset = 0;
	unsigned int records = 0, zeros = 0;

	assemble("a", text);
	start_trial(&trial);
	trial.link->gc_sections = true;
	add_inputs(&trial, "a.o");
	check_ok(&trial, link_choose(trial.link, "kept"));
	check_ok(&trial, link_layout(trial.link));
	ck_assert_ptr_null(link_next_undefined(trial.link, NULL));
	check_ok(&trial, relocate_at(&trial, 0x10000, 0));
	/* Of the two functions' records, that of the dropped one has the address 0. */
	frames = section_of(&trial, ".eh_frame");
	bytes = link_section_buffer(trial.link, frames);
	while (offset < frames->size) {
		uint32_t size, header, address;

		memcpy(&size, bytes + offset, 4);
		memcpy(&header, bytes + offset + 4, 4);
		memcpy(&address, bytes + offset + 8, 4);
		records += header != 0;
		zeros += header && !address;
		offset += 4 + size;
	}
	ck_assert_uint_eq(records, 2);
	ck_assert_uint_eq(zeros, 1);
	end_trial(&trial);
}
END_TEST

START_TEST(root_that_is_not_there_is_refused)
{
	struct trial trial;

	assemble("a", ".text\nret\n");
	start_trial(&trial);
	trial.link->gc_sections = _i == 1;
	add_inputs(&trial, "a.o");
	ck_assert_int_eq(link_choose(trial.link, "nowhere"), -ENOENT);
	ck_assert_str_eq(trial.message,
			 "a.o: neither this nor what is linked with it defines nowhere");
	end_trial(&trial);
}
END_TEST

/* ---- Bounds of sections, and sections that are linked once ---------------------------------- */

START_TEST(sections_of_a_name_lie_between_their_bounds)
{
	struct trial trial;
	const unsigned char *bytes;
	uint64_t start, stop;

	assemble("a",
		 ".data\n.quad __start_tab, __stop_tab\n.weak __start_none\n.quad __start_none\n"
		 ".section tab, \"a\"\n.balign 16\n.quad 1\n.section other, \"aw\"\n.quad 9\n");
	assemble("b", ".data\n.quad 7\n.section other, \"aw\"\n.quad 9\n.section tab, \"aw\"\n"
		      ".balign 16\n.quad 2\n");
	assemble("c", ".section tab, \"aw\", @nobits\n.space 8\n.section tab2, \"aw\"\n.quad 8\n");
	lay_out_files(&trial, "a.o", "b.o", "c.o");
	check_ok(&trial, relocate_at(&trial, 0x10000, 0));
	start = link_symbol_address(trial.link, symbol_of(&trial, "__start_tab"));
	stop = link_symbol_address(trial.link, symbol_of(&trial, "__stop_tab"));
	ck_assert_uint_eq(stop - start, 8 + 8 + 8 + 8); /* one is a gap */
	bytes = link_section_buffer(trial.link, section_of(&trial, "tab"));
	ck_assert_mem_eq(bytes, "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
			 32);
	ck_assert(!symbol_of(&trial, "__start_none")->defined);
	end_trial(&trial);
}
END_TEST

START_TEST(linkonce_section_is_kept_once)
{
	struct trial trial;
	unsigned int copies = 0;

	assemble("a", ".section .gnu.linkonce.t.f, \"ax\"\n.weak f\nf: ret\n.data\n.quad f\n");
	assemble("b", ".section .gnu.linkonce.t.f, \"ax\"\n.weak f\nf: nop\nret\n"
		      ".section .gnu.linkonce.t.g, \"ax\"\n.weak g\ng: ret\n.data\n.quad f\n");
	lay_out_files(&trial, "a.o", "b.o");
	for (struct link_section *section = NULL;
	     (section = link_next_section(trial.link, ".gnu.linkonce.t.f", section));) {
		ck_assert_str_eq(link_object_name(section->object), "a.o");
		copies++;
	}
	ck_assert_uint_eq(copies, 1);
	ck_assert_ptr_nonnull(symbol_of(&trial, "g")->section);
	ck_assert_str_eq(link_object_name(symbol_of(&trial, "f")->object), "a.o");
	end_trial(&trial);
}
END_TEST

/* What ld drops with a function that it has already, and what it keeps. */
START_TEST(what_is_about_a_dropped_section_goes_too)
{
	static const char source[] =
		".section .text.f, \"axG\", @progbits, f, comdat\n.weak f\nf: ret\nlocal: nop\n"
		".section entries, \"awo\", @progbits, .text.f\n.quad local\n"
		".section .sframe, \"a\", @progbits\n.quad local\n.data\n.quad f\n";
	struct trial trial;
	struct link_section *section;

	assemble("a", source);
	assemble("b", source);
	run("ld -e 0 -o linked a.o b.o");
	lay_out_files(&trial, "a.o", "b.o");
	check_ok(&trial, relocate_at(&trial, 0x10000, 0));
	section = section_of(&trial, "entries");
	ck_assert_str_eq(link_object_name(section->object), "a.o");
	ck_assert_ptr_null(link_next_section(trial.link, "entries", section));
	section = link_next_section(trial.link, ".sframe", section_of(&trial, ".sframe"));
	ck_assert_mem_eq(link_section_buffer(trial.link, section), "\0\0\0\0\0\0\0\0", 8);
	end_trial(&trial);
}
END_TEST

START_TEST(notes_about_dropped_sections_are_dropped_as_ld_does)
{
	struct trial trial;

	assemble("a", ".section .text.i, \"ax\"\n.globl a0\na0: ret\n"
		      ".section .text.a, \"axG\", @progbits, a, comdat\n.globl a\na: ret\n"
		      ".section .note.a, \"aG\", @note, a, comdat\n.quad 0\n"
		      ".section .text.b, \"ax\"\n.globl b\nb: ret\n"
		      ".section .note.b, \"ao\", @note, .text.b\n.quad b\n"
		      ".section .note.c, \"a\", @note\n.quad 0\n");
	start_trial(&trial);
	trial.link->gc_sections = true;
	add_inputs(&trial, "a.o");
	check_ok(&trial, link_choose(trial.link, "a0"));
	check_ok(&trial, link_layout(trial.link));
	run("ld --gc-sections --print-gc-sections -e a0 -o linked a.o");
	check_dropped(&trial);
	ck_assert(!section_of(&trial, ".note.c")->discarded);
	end_trial(&trial);
}
END_TEST

START_TEST(absolute_symbol_may_be_defined_twice_alike)
{
	static const char source[] = ".globl it\n.set it, 7\n.data\n.quad it\n";
	struct trial trial;

	assemble("a", source);
	assemble("b", source);
	assemble("c", ".globl it\n.set it, 8\n");
	run("ld -e 0 -o linked a.o b.o");
	lay_out_files(&trial, "a.o", "b.o");
	ck_assert_uint_eq(link_symbol_address(trial.link, symbol_of(&trial, "it")), 7);
	ck_assert(!succeeds("ld -e 0 -o linked a.o c.o"));
	ck_assert_int_eq(add_file(&trial, "c.o", NULL), -EEXIST);
	end_trial(&trial);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("link_inputs");
	TCase *tcase = tcase_create("choice");

	tcase_set_timeout(tcase, 300);
	tcase_add_unchecked_fixture(tcase, make_directory, remove_directory);
	tcase_add_loop_test(tcase, generated_archives_give_what_ld_takes, 0, 3);
	tcase_add_loop_test(tcase, member_is_taken_as_ld_does, 0, COUNT(cases));
	tcase_add_loop_test(tcase, archives_are_searched_until_nothing_comes, 0, 3);
	tcase_add_loop_test(tcase, archive_begins_with_its_roots_or_is_taken_whole, 0,
			    COUNT(beginnings));
	tcase_add_test(tcase, second_archive_has_no_roots);
	tcase_add_loop_test(tcase, members_are_found_wherever_they_are, 0, COUNT(thin));
	tcase_add_loop_test(tcase, wrong_inputs_are_refused, 0, COUNT(wrong));
	tcase_add_loop_test(tcase, archive_without_machine_code_is_refused, 0, 2);
	tcase_add_test(tcase, code_linked_by_gcc_from_what_it_kept_loads);
	tcase_add_loop_test(tcase, sections_are_dropped_as_ld_does, 0, 2);
	tcase_add_test(tcase, without_a_root_what_others_see_is_kept);
	tcase_add_test(tcase, dropped_functions_need_no_personality);
	tcase_add_loop_test(tcase, root_that_is_not_there_is_refused, 0, 2);
	tcase_add_test(tcase, sections_of_a_name_lie_between_their_bounds);
	tcase_add_test(tcase, linkonce_section_is_kept_once);
	tcase_add_test(tcase, what_is_about_a_dropped_section_goes_too);
	tcase_add_test(tcase, notes_about_dropped_sections_are_dropped_as_ld_does);
	tcase_add_test(tcase, absolute_symbol_may_be_defined_twice_alike);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return run_suite(make_suite());
}
