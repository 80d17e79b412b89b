/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pages that small modules share: that they do, that nothing is ever writable and executable, that
 * nothing is left after unloading, and what happens to them in a fork, under a debugger, and in a
 * process that closes what isn't its own.  PERMOD_LONG=1: ten thousand modules instead of 500.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include "loader/pack.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/wait.h>

enum { FEW = 100 };

static char maps[1 << 20];
static unsigned char *image; /* the object that all load */
static size_t image_size;

/* One function, one counter, one constant. */
static const char tiny_source[] = "static unsigned long hits = 1;\n"
				  "const char tiny_name[] = \"tiny\";\n"
				  "unsigned long tick(void);\n"
				  "unsigned long tick(void) { return ++hits; }\n";

/* A context whose modules share no pages. */
static struct permod *whole_pages_context(void)
{
	struct permod *pm;

	ck_assert_int_eq(setenv("PERMOD_PACK", "0", 1), 0);
	pm = new_context();
	ck_assert_int_eq(unsetenv("PERMOD_PACK"), 0);
	return pm;
}

static struct permod_module *load_tiny(struct permod *pm, int number)
{
	struct permod_module *m = NULL;

	must(pm, permod_load_memory(pm, text("tiny_%d", number), image, image_size, NULL, 0, &m));
	return m;
}

static void load_all(struct permod *pm, struct permod_module **modules, int count)
{
	for (int i = 0; i < count; i++)
		modules[i] = load_tiny(pm, i);
}

static unsigned long tick(struct permod_module *m)
{
	return ((unsigned long (*)(void))symbol(m, "tick"))();
}

static uintptr_t page_of(const void *address)
{
	return (uintptr_t)address & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
}

/* How many pages the symbols of so many modules lie in. */
static int count_pages(struct permod_module **modules, int count, const char *name)
{
	int pages = 0;

	for (int i = 0; i < count; i++) {
		uintptr_t page = page_of(symbol(modules[i], name));
		int j = 0;

		while (j < i && page_of(symbol(modules[j], name)) != page)
			j++;
		pages += j == i;
	}
	return pages;
}

/* No mapping is writable and executable, nor is the file of shared pages writable anywhere. */
static int check_maps(const char *when)
{
	struct pcpu_map map;
	int lines = 0;

	pcpu_get_map(&map);
	read_whole("/proc/self/maps", maps, sizeof(maps));
	for (char *line = maps; *line; line = strchr(line, '\n') + 1, lines++) {
		unsigned long begin, end;
		char access[8];

		check_that(sscanf(line, "%lx-%lx %7s", &begin, &end, access) == 3);
		if (others_are_executable() &&
		    (end <= map.arena || begin >= map.arena + map.arena_size))
			continue;
		ck_assert_msg(access[1] != 'w' || access[2] != 'x', "%s: %.100s", when, line);
		ck_assert_msg(access[1] != 'w' || !strstr(text("%.120s", line), "permod-modules") ||
				      strchr(line, '\n') < strstr(line, "permod-modules"),
			      "%s: %.100s", when, line);
	}
	return lines;
}

/* How many files of shared pages are open; the last one's descriptor, -1 if there is none. */
static int count_files(int *last)
{
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;
	int count = 0;

	*last = -1;
	check_that(folder);
	while ((entry = readdir(folder))) {
		char target[64] = "";

		if (readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1) <= 0 ||
		    !strstr(target, "permod-modules"))
			continue;
		*last = atoi(entry->d_name);
		count++;
	}
	closedir(folder);
	return count;
}

static int find_descriptor(void)
{
	int last;

	count_files(&last);
	return last;
}

/* ---- Sharing -------------------------------------------------------------------------------- */

START_TEST(small_modules_share_pages_of_each_kind)
{
	struct permod *pm = new_context();
	struct permod_module *modules[FEW];

	load_all(pm, modules, FEW);
	/* A granule or two each, of 64 in a page. */
	ck_assert_int_le(count_pages(modules, FEW, "tick"), FEW / 20);
	ck_assert_int_le(count_pages(modules, FEW, "tiny_name"), FEW / 4);
	for (int i = 0; i < FEW; i++) {
		ck_assert_str_eq(protection_at((uintptr_t)symbol(modules[i], "tick")), "r-xp");
		ck_assert_str_eq(protection_at((uintptr_t)symbol(modules[i], "tiny_name")), "r--p");
		ck_assert_str_eq(symbol(modules[i], "tiny_name"), "tiny");
	}
	/* Each has a counter of its own. */
	for (int i = 0; i < FEW; i++) {
		for (int j = 0; j <= i; j++)
			ck_assert_uint_eq(tick(modules[i]), (unsigned long)j + 2);
	}
	check_maps("loaded");
	permod_free(pm);
}
END_TEST

START_TEST(contexts_of_either_kind_live_together)
{
	struct permod *sharing = new_context(), *whole = whole_pages_context();
	struct permod_module *shared[FEW], *others[8];

	load_all(whole, others, 8);
	load_all(sharing, shared, FEW);
	ck_assert_int_eq(count_pages(others, 8, "tick"), 8);
	ck_assert_int_le(count_pages(shared, FEW, "tick"), FEW / 20);
	for (int i = 0; i < 8; i++)
		ck_assert_uint_eq(tick(others[i]), 2);
	permod_free(sharing);
	for (int i = 0; i < 8; i++)
		ck_assert_uint_eq(tick(others[i]), 3);
	permod_free(whole);
}
END_TEST

START_TEST(last_context_takes_everything_along)
{
	static struct state before, after;
	struct permod *pm, *other;

	look(&before);
	pm = new_context();
	tick(load_tiny(pm, 0));
	other = new_context();
	permod_free(pm);
	tick(load_tiny(other, 0));
	permod_free(other);
	look(&after);
	expect_same(&before, &after, "all are gone");
}
END_TEST

START_TEST(nothing_is_writable_and_executable_at_any_time)
{
	struct permod *pm = new_context();
	struct permod_module *modules[FEW];

	for (int i = 0; i < FEW; i++) {
		modules[i] = load_tiny(pm, i);
		check_maps("loading");
	}
	for (int i = 0; i < FEW; i++) {
		must(pm, permod_unload(modules[i], 0));
		check_maps("unloading");
	}
	permod_free(pm);
}
END_TEST

static bool is_all(const unsigned char *bytes, size_t size, unsigned char value)
{
	while (size && bytes[size - 1] == value)
		size--;
	return !size;
}

START_TEST(unloading_leaves_no_byte)
{
	struct permod *pm = new_context();
	struct permod_module *modules[3];
	struct permod_region region;
	static struct state before, after;
	uintptr_t address[8];
	size_t size[8];
	unsigned int count = 0;
	bool code[8];

	look(&before);
	load_all(pm, modules, 3);
	while (permod_region(modules[1], count, &region) == 0) {
		address[count] = region.address;
		size[count] = region.size;
		code[count] = strchr(region.access, 'x') != NULL;
		count++;
	}
	ck_assert_uint_eq(count, 3);
	must(pm, permod_unload(modules[1], 0));
	for (unsigned int i = 0; i < count; i++)
		ck_assert_msg(is_all((void *)address[i], size[i], code[i] ? TRAP_BYTE : 0),
			      "region %u of what was unloaded has something in it", i);
	ck_assert_uint_eq(tick(modules[0]), 2);
	ck_assert_uint_eq(tick(modules[2]), 2);
	must(pm, permod_unload(modules[0], 0));
	must(pm, permod_unload(modules[2], 0));
	look(&after);
	expect_same(&before, &after, "all are gone");
	permod_free(pm);
}
END_TEST

START_TEST(holes_are_filled_again)
{
	struct permod *pm = new_context();
	struct permod_module *modules[FEW];
	int pages;

	load_all(pm, modules, FEW);
	pages = count_pages(modules, FEW, "tick");
	for (int round = 0; round < 3; round++) {
		for (int i = round; i < FEW; i += 2)
			must(pm, permod_unload(modules[i], 0));
		for (int i = round; i < FEW; i += 2)
			modules[i] = load_tiny(pm, i);
		for (int i = round; i < FEW; i += 2)
			ck_assert_uint_eq(tick(modules[i]), 2);
	}
	ck_assert_int_le(count_pages(modules, FEW, "tick"), pages + 1);
	permod_free(pm);
}
END_TEST

/* ---- Threads -------------------------------------------------------------------------------- */

struct runner {
	pthread_t thread;
	unsigned long (*tick)(void);
	bool enough;
	unsigned long wrong;
};

static void *run_on(void *arg)
{
	struct runner *runner = arg;
	unsigned long last = 1;

	while (!__atomic_load_n(&runner->enough, __ATOMIC_RELAXED)) {
		unsigned long now = runner->tick();

		runner->wrong += now != last + 1;
		last = now;
	}
	return NULL;
}

START_TEST(code_runs_on_while_others_come_and_go_in_its_page)
{
	struct permod *pm = new_context();
	struct permod_module *m = load_tiny(pm, -1), *modules[10];
	struct runner runner = { .tick = (unsigned long (*)(void))symbol(m, "tick") };

	check_that(pthread_create(&runner.thread, NULL, run_on, &runner) == 0);
	for (int round = 0; round < (under_valgrind() ? 2 : 50); round++) {
		load_all(pm, modules, COUNT(modules));
		ck_assert(page_of(symbol(modules[0], "tick")) == page_of(symbol(m, "tick")));
		for (size_t i = 0; i < COUNT(modules); i++) {
			ck_assert_uint_eq(tick(modules[i]), 2);
			must(pm, permod_unload(modules[i], 0));
		}
	}
	__atomic_store_n(&runner.enough, true, __ATOMIC_RELAXED);
	pthread_join(runner.thread, NULL);
	ck_assert_uint_eq(runner.wrong, 0);
	permod_free(pm);
}
END_TEST

/* ---- Fork ----------------------------------------------------------------------------------- */

struct family {
	struct permod *pm;
	struct permod_module **modules;
};

static void unload_and_load_in_child(void *arg)
{
	struct family *family = arg;

	for (int i = 0; i < FEW; i++)
		must(family->pm, permod_unload(family->modules[i], 0));
	for (int i = 0; i < FEW; i++)
		check_that(tick(load_tiny(family->pm, FEW + i)) == 2);
	check_maps("in the child");
}

START_TEST(child_changes_nothing_of_the_parents)
{
	struct permod_module *modules[FEW], *more[FEW];
	struct family family = { NULL, modules };
	static struct state before, after;
	unsigned char code[FEW][16];
	struct outcome outcome;
	struct permod *pm;

	look(&before);
	pm = family.pm = new_context();
	load_all(pm, modules, FEW);
	for (int i = 0; i < FEW; i++)
		memcpy(code[i], symbol(modules[i], "tick"), sizeof(code[i]));
	outcome = run_in_child(unload_and_load_in_child, &family);
	ck_assert_msg(ended_well(&outcome), "%s", outcome.text);
	for (int i = 0; i < FEW; i++) {
		ck_assert_mem_eq(code[i], symbol(modules[i], "tick"), sizeof(code[i]));
		ck_assert_uint_eq(tick(modules[i]), 2);
		ck_assert_str_eq(symbol(modules[i], "tiny_name"), "tiny");
	}
	/* After the fork the parent goes on as before. */
	for (int i = 0; i < FEW; i++)
		more[i] = load_tiny(pm, FEW + i);
	ck_assert_int_le(count_pages(more, FEW, "tick"), FEW / 20);
	for (int i = 0; i < FEW; i++) {
		must(pm, permod_unload(modules[i], 0));
		ck_assert_uint_eq(tick(more[i]), 2);
		must(pm, permod_unload(more[i], 0));
	}
	permod_free(pm);
	look(&after);
	expect_same(&before, &after, "all are gone");
}
END_TEST

START_TEST(parent_changes_nothing_of_the_childs)
{
	struct permod *pm = new_context();
	struct permod_module *modules[FEW];
	int status = -1, go[2];
	char word = 0;
	pid_t child;

	load_all(pm, modules, FEW);
	check_that(pipe(go) == 0);
	child = fork();
	if (!child) {
		close(go[1]);
		check_that(read(go[0], &word, 1) == 1);
		for (int i = 0; i < FEW; i++)
			check_that(tick(modules[i]) == 2 &&
				   !strcmp(symbol(modules[i], "tiny_name"), "tiny"));
		_exit(0);
	}
	close(go[0]);
	for (int i = 0; i < FEW; i++)
		must(pm, permod_unload(modules[i], 0));
	for (int i = 0; i < FEW; i++)
		modules[i] = load_tiny(pm, i);
	check_that(write(go[1], &word, 1) == 1);
	check_that(waitpid(child, &status, 0) == child);
	ck_assert_int_eq(status, 0);
	close(go[1]);
	permod_free(pm);
}
END_TEST

enum { CONTEXTS = 20, IN_EACH = 4, MOST_FILES = 8 };

struct families {
	struct permod *pm[CONTEXTS];
	struct permod_module *modules[CONTEXTS][IN_EACH];
};

static void load_in_each(struct families *families)
{
	for (int i = 0; i < CONTEXTS; i++)
		load_all(families->pm[i], families->modules[i], IN_EACH);
}

static void unload_in_each(void *arg)
{
	struct families *families = arg;

	for (int i = 0; i < CONTEXTS; i++) {
		for (int j = 0; j < IN_EACH; j++)
			must(families->pm[i], permod_unload(families->modules[i][j], 0));
	}
}

static void begin_anew_in_child(void *arg)
{
	struct families *families = arg;
	int last;

	ck_assert_int_eq(count_files(&last), 0);
	unload_in_each(families);
	load_in_each(families);
	for (int i = 0; i < CONTEXTS; i++)
		ck_assert_uint_eq(tick(families->modules[i][0]), 2);
	check_maps("in the child");
}

/* Threads with contexts of their own don't write the same file, as far as they can run at once. */
START_TEST(contexts_have_as_many_files_as_there_are_cpus)
{
	int most = num_possible_cpus() < MOST_FILES ? (int)num_possible_cpus() : MOST_FILES, last;
	static struct state before, after;
	static struct families families;
	struct outcome outcome;

	look(&before);
	for (int i = 0; i < CONTEXTS; i++)
		families.pm[i] = new_context();
	ck_assert_int_eq(count_files(&last), most);
	load_in_each(&families);
	ck_assert_int_eq(count_files(&last), most);
	ck_assert_int_eq(page_of(symbol(families.modules[0][0], "tick")) ==
				 page_of(symbol(families.modules[1][0], "tick")),
			 most == 1);
	for (int i = 0; i < CONTEXTS; i++)
		ck_assert_int_eq(count_pages(families.modules[i], IN_EACH, "tick"), 1);
	check_maps("loaded");
	outcome = run_in_child(begin_anew_in_child, &families);
	ck_assert_msg(ended_well(&outcome), "%s", outcome.text);
	for (int i = 0; i < CONTEXTS; i++)
		ck_assert_uint_eq(tick(families.modules[i][IN_EACH - 1]), 2);
	unload_in_each(&families);
	for (int i = 0; i < CONTEXTS; i++)
		permod_free(families.pm[i]);
	look(&after);
	expect_same(&before, &after, "all are gone");
}
END_TEST

/* ---- Without the file, or with a strange one ------------------------------------------------ */

START_TEST(other_files_are_safe_when_a_program_closes_all_descriptors)
{
	struct permod *pm = new_context();
	struct permod_module *modules[FEW];
	int descriptor, other;
	struct stat about;

	load_all(pm, modules, FEW / 2);
	descriptor = find_descriptor();
	ck_assert_int_ge(descriptor, 0);
	other = open(work_file("other"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	check_that(other >= 0 && dup2(other, descriptor) == descriptor);
	for (int i = FEW / 2; i < FEW; i++)
		modules[i] = load_tiny(pm, i);
	for (int i = 0; i < FEW; i++)
		ck_assert_uint_eq(tick(modules[i]), 2);
	for (int i = 0; i < FEW; i++)
		must(pm, permod_unload(modules[i], 0));
	check_that(fstat(other, &about) == 0);
	ck_assert_int_eq(about.st_size, 0);
	/* It is open still: nobody closes what isn't his own. */
	ck_assert_int_eq(fstat(descriptor, &about), 0);
	close(descriptor);
	close(other);
	permod_free(pm);
}
END_TEST

static void load_many(void *arg)
{
	struct permod *pm = arg;
	struct permod_module *modules[FEW];

	load_all(pm, modules, FEW);
	for (int i = 0; i < FEW; i++)
		check_that(tick(modules[i]) == 2);
	for (int i = 0; i < FEW; i++)
		must(pm, permod_unload(modules[i], 0));
}

static void load_with_small_files(void *arg)
{
	const struct rlimit limit = { 1 << 20, 1 << 20 };

	check_that(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	load_many(arg);
}

static void load_without_descriptors(void *arg)
{
	struct rlimit limit;

	/* After a fork there is no file yet. */
	check_that(find_descriptor() < 0);
	check_that(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = 3;
	check_that(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	for (int i = 0; i < FEW; i++)
		check_that(tick(load_tiny(arg, i)) == 2);
}

START_TEST(without_the_file_modules_have_whole_pages)
{
	struct permod *pm = new_context();
	struct outcome outcome = run_in_child(load_with_small_files, pm);

	ck_assert_msg(ended_well(&outcome), "small files: %s", outcome.text);
	/* Valgrind has descriptors of its own. */
	if (!under_valgrind()) {
		outcome = run_in_child(load_without_descriptors, pm);
		ck_assert_msg(ended_well(&outcome), "no descriptors: %s", outcome.text);
	}
	permod_free(pm);
	pm = whole_pages_context();
	load_many(pm);
	permod_free(pm);
}
END_TEST

/* What a debugger does for a breakpoint: the page becomes a copy.  false: the system doesn't let us. */
static bool copy_page(void *address)
{
	int memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	bool copied = memory >= 0 && pwrite(memory, address, 1, (off_t)(uintptr_t)address) == 1;

	if (memory >= 0)
		close(memory);
	return copied;
}

START_TEST(modules_come_into_no_page_that_a_debugger_has_copied)
{
	struct permod_module *modules[FEW];
	static struct state before, after;
	struct permod *pm;

	look(&before);
	pm = new_context();
	load_all(pm, modules, FEW / 2);
	if (!under_valgrind() && copy_page(symbol(modules[0], "tick"))) {
		for (int i = FEW / 2; i < FEW; i++)
			modules[i] = load_tiny(pm, i);
		for (int i = 0; i < FEW; i++)
			ck_assert_uint_eq(tick(modules[i]), 2);
		for (int i = FEW / 2; i < FEW; i++)
			must(pm, permod_unload(modules[i], 0));
	}
	for (int i = 0; i < FEW / 2; i++)
		must(pm, permod_unload(modules[i], 0));
	permod_free(pm);
	look(&after);
	expect_same(&before, &after, "all are gone");
}
END_TEST

/* ---- Sizes ---------------------------------------------------------------------------------- */

struct piece {
	struct pack_page *page;
	enum pack_kind kind;
	uintptr_t address;
	size_t size;
	unsigned char mark;
};

static bool overlap(const struct piece *a, const struct piece *b)
{
	return a->page && b->page && a->address < b->address + b->size &&
	       b->address < a->address + a->size;
}

static void take(struct pack *pack, struct piece *piece, unsigned char mark)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), align = (size_t)1 << rand() % 13;
	unsigned char bytes[1 << 16];

	piece->kind = (enum pack_kind)(rand() % PACK_KINDS);
	piece->size = 1 + (size_t)rand() % (rand() % 4 ? 200 : page);
	piece->mark = mark;
	begin_packed(pack);
	piece->page = take_packed(pack, piece->kind, piece->size, align, &piece->address);
	ck_assert_ptr_nonnull(piece->page);
	ck_assert_uint_eq(piece->address % align, 0);
	ck_assert_uint_le(piece->address % page + piece->size, page);
	memset(bytes, mark, piece->size);
	if (piece->kind != PACK_DATA)
		ck_assert(write_packed(piece->page, piece->address, bytes, piece->size));
	end_packed(pack);
	if (piece->kind != PACK_DATA)
		return;
	if (is_all((void *)piece->address, piece->size, 0))
		memset((void *)piece->address, mark, piece->size);
	else
		ck_abort_msg("data was not zero");
}

static void give(struct piece *piece)
{
	struct pack *pack = pack_of(piece->page);

	begin_packed(pack);
	give_packed(piece->page, piece->address, piece->size);
	end_packed(pack);
	piece->page = NULL;
}

START_TEST(pieces_of_all_sizes_do_not_touch_each_other)
{
	static struct piece pieces[300];
	static struct state before, after;
	struct permod *pm = new_context();
	struct pack *pack = begin_packing();

	srand(1);
	load_tiny(pm, 0);
	look(&before);
	for (int i = 0; i < (under_valgrind() ? 600 : 6000); i++) {
		struct piece *piece = &pieces[(size_t)rand() % COUNT(pieces)];

		if (piece->page) {
			ck_assert(is_all((void *)piece->address, piece->size, piece->mark));
			give(piece);
			continue;
		}
		take(pack, piece, (unsigned char)(1 + i % 255));
		for (size_t j = 0; j < COUNT(pieces); j++)
			ck_assert(&pieces[j] == piece || !overlap(&pieces[j], piece));
	}
	for (size_t i = 0; i < COUNT(pieces); i++) {
		if (!pieces[i].page)
			continue;
		ck_assert(is_all((void *)pieces[i].address, pieces[i].size, pieces[i].mark));
		give(&pieces[i]);
	}
	look(&after);
	expect_same(&before, &after, "all are gone");
	end_packing(pack);
	permod_free(pm);
}
END_TEST

START_TEST(what_is_too_large_or_too_aligned_gets_whole_pages)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct pack *pack = begin_packing();
	uintptr_t address;

	begin_packed(pack);
	ck_assert_ptr_null(take_packed(pack, PACK_DATA, page + 1, 1, &address));
	ck_assert_ptr_null(take_packed(pack, PACK_TEXT, SIZE_MAX, 1, &address));
	ck_assert_ptr_null(take_packed(pack, PACK_DATA, 1, 2 * page, &address));
	end_packed(pack);
	end_packing(pack);
}
END_TEST

START_TEST(large_parts_and_small_ones_of_a_module_find_each_other)
{
	static const char source[] =
		"_Alignas(32) char large[100000] = { 1 }; int small = 2; const char word[] = \"word\";\n"
		"static const int once __attribute__((section(\".data..ro_after_init\"))) = 4;\n"
		"int sum(void); int sum(void) { return large[0] + small + word[0] + once; }\n";
	struct permod *pm = new_context();
	static struct state before, after;
	struct permod_module *m;

	look(&before);
	m = load_file(pm, compile("mixed.ko", "", source), NULL);
	ck_assert_int_eq(((int (*)(void))symbol(m, "sum"))(), 1 + 2 + 'w' + 4);
	ck_assert_uint_eq((uintptr_t)symbol(m, "large") % 32, 0);
	must(pm, permod_unload(m, 0));
	look(&after);
	expect_same(&before, &after, "it is gone");
	permod_free(pm);
}
END_TEST

START_TEST(init_and_its_memory_go_in_shared_pages_too)
{
	static const char source[] =
		"#include <permod/module.h>\n"
		"static int __initdata start = 5; int result;\n"
		"const void *begin_address, *start_address;\n"
		"static int __init begin(void)\n"
		"{ begin_address = (const void *)begin; start_address = &start;\n"
		"  result = start + 1; return 0; }\n"
		"module_init(begin);\n"
		"static void __exit end(void) {}\n"
		"module_exit(end);\n";
	struct permod *pm = new_context();
	struct permod_module *first = load_tiny(pm, 0), *m;
	const unsigned char *code;
	static struct state before, after;
	const int *start;

	look(&before);
	m = load_file(pm, compile("starting.ko", "", source), NULL);
	code = *(const unsigned char **)symbol(m, "begin_address");
	start = *(const int **)symbol(m, "start_address");
	ck_assert_int_eq(*(int *)symbol(m, "result"), 6);
	ck_assert_int_eq(*start, 0);
	ck_assert_uint_eq(*code, TRAP_BYTE);
	must(pm, permod_unload(m, 0));
	look(&after);
	expect_same(&before, &after, "it is gone");
	ck_assert_uint_eq(tick(first), 2);
	permod_free(pm);
}
END_TEST

/* ---- Many ----------------------------------------------------------------------------------- */

static size_t resident(void)
{
	static char status[8192];
	char *line;

	read_whole("/proc/self/smaps_rollup", status, sizeof(status));
	line = strstr(status, "\nRss:");
	check_that(line);
	return strtoul(line + 5, NULL, 10) << 10;
}

START_TEST(many_small_modules_take_little_memory)
{
	int count = getenv("PERMOD_LONG") ? 10000 : 500, lines;
	struct permod *pm = new_context();
	struct permod_module **modules = calloc((size_t)count, sizeof(*modules));
	size_t before;

	check_that(modules);
	tick(load_tiny(pm, -1));
	lines = check_maps("before");
	before = resident();
	load_all(pm, modules, count);
	for (int i = 0; i < count; i++)
		ck_assert_uint_eq(tick(modules[i]), 2);
	if (!SANITIZED && !under_valgrind())
		ck_assert_uint_le((resident() - before) / (size_t)count, 8192);
	ck_assert_int_le(check_maps("with many"), lines + count / 50 + 10);
	ck_assert_ptr_eq(permod_find(pm, text("tiny_%d", count - 1)), modules[count - 1]);
	ck_assert_ptr_null(permod_find(pm, text("tiny_%d", count)));
	for (int i = 0; i < count; i++)
		must(pm, permod_unload(modules[(i + count / 2) % count], 0));
	free(modules);
	permod_free(pm);
	ck_assert_int_lt(find_descriptor(), 0);
}
END_TEST

static int count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	check_that(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

/* Bytes of the arena that are mapped for modules. */
static size_t arena_in_use(void)
{
	struct pcpu_map map;
	size_t sum = 0;

	pcpu_get_map(&map);
	read_whole("/proc/self/maps", maps, sizeof(maps));
	for (char *line = maps; *line; line = strchr(line, '\n') + 1) {
		unsigned long begin, end;
		char access[8];

		check_that(sscanf(line, "%lx-%lx %7s", &begin, &end, access) == 3);
		if (begin - map.arena < map.arena_size && access[0] == 'r')
			sum += end - begin;
	}
	return sum;
}

/* It has an init and no exit, so it is permanent. */
static const char staying_source[] = "#include <permod/module.h>\n"
				     "static int begin(void) { return 0; }\n"
				     "module_init(begin);\n"
				     "const char staying_name[] = \"staying\";\n";

static void leave_module_and_go_on(void *arg)
{
	struct permod *pm = new_context();
	struct permod_module *staying;
	const char *name;
	size_t in_use;
	int count;

	must(pm, permod_load(pm, arg, NULL, 0, &staying));
	name = symbol(staying, "staying_name");
	count = count_descriptors();
	permod_free(pm);
	in_use = arena_in_use();
	check_that(in_use > 0);
	for (int i = 0; i < 3; i++) {
		struct permod_module *m;

		pm = new_context();
		m = load_tiny(pm, i);
		/* They share the page. */
		check_that(page_of(symbol(m, "tiny_name")) == page_of(name));
		check_that(tick(m) == 2 && strcmp(name, "staying") == 0);
		permod_free(pm);
		check_that(count_descriptors() == count);
		check_that(arena_in_use() == in_use);
	}
}

START_TEST(module_that_stays_without_context_keeps_the_file)
{
	const char *path = compile("staying.ko", "", staying_source);
	struct outcome outcome = run_in_child(leave_module_and_go_on, (void *)(uintptr_t)path);

	ck_assert_msg(ended_well(&outcome), "%s", outcome.text);
}
END_TEST

/* The first module brings in what stays: libraries that the loader opens when it needs them. */
static void read_image(void)
{
	struct permod *pm = new_context();

	image = read_file(compile("tiny.ko", "", tiny_source), &image_size);
	load_tiny(pm, 0);
	permod_free(pm);
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("pack");
	TCase *tests = tcase_create("pack");

	tcase_set_timeout(tests, 120);
	tcase_add_unchecked_fixture(tests, read_image, NULL);
	tcase_add_test(tests, small_modules_share_pages_of_each_kind);
	tcase_add_test(tests, contexts_of_either_kind_live_together);
	tcase_add_test(tests, last_context_takes_everything_along);
	tcase_add_test(tests, nothing_is_writable_and_executable_at_any_time);
	tcase_add_test(tests, unloading_leaves_no_byte);
	tcase_add_test(tests, holes_are_filled_again);
	tcase_add_test(tests, code_runs_on_while_others_come_and_go_in_its_page);
	tcase_add_test(tests, child_changes_nothing_of_the_parents);
	tcase_add_test(tests, parent_changes_nothing_of_the_childs);
	tcase_add_test(tests, contexts_have_as_many_files_as_there_are_cpus);
	tcase_add_test(tests, other_files_are_safe_when_a_program_closes_all_descriptors);
	tcase_add_test(tests, without_the_file_modules_have_whole_pages);
	tcase_add_test(tests, modules_come_into_no_page_that_a_debugger_has_copied);
	tcase_add_test(tests, pieces_of_all_sizes_do_not_touch_each_other);
	tcase_add_test(tests, what_is_too_large_or_too_aligned_gets_whole_pages);
	tcase_add_test(tests, large_parts_and_small_ones_of_a_module_find_each_other);
	tcase_add_test(tests, init_and_its_memory_go_in_shared_pages_too);
	tcase_add_test(tests, many_small_modules_take_little_memory);
	tcase_add_test(tests, module_that_stays_without_context_keeps_the_file);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	/* QEMU 7.2 runs what it has translated, though what it was made of was changed by another mapping. */
	if (emulator()) {
		printf("skipped: modules share no pages under an emulator\n");
		return 77;
	}
	return run_suite(make_suite());
}
