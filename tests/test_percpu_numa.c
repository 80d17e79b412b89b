/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where units' memory comes from: the node of each unit's CPU, huge pages, pages that the program
 * provides. Topologies are read from folders that the tests make, whatever machine this is; what the
 * kernel was told is asked of the kernel (get_mempolicy(2), smaps).
 */
#define _GNU_SOURCE
#include "percpu/internal.h"
#include "tests/percpu/helper.h"

#include <check.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define MIB ((size_t)1 << 20)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NONE PCPU_NO_NODE

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* ---- Lists of nodes ------------------------------------------------------------------------- */

/* The nodes of the first CPUs; those behind have none. */
static const struct {
	const char *list;
	unsigned int nodes;
	uint16_t node_of[8];
} good_lists[] = {
	{ "0", 1, { 0, NONE, NONE, NONE, NONE, NONE, NONE, NONE } },
	{ "0-1;2-3", 2, { 0, 0, 1, 1, NONE, NONE, NONE, NONE } },
	{ "0,2,4;1,3,5", 2, { 0, 1, 0, 1, 0, 1, NONE, NONE } },
	{ "7;6;5;4;3;2;1;0", 8, { 7, 6, 5, 4, 3, 2, 1, 0 } },
	{ "0-3,6;4-5", 2, { 0, 0, 0, 0, 1, 1, 0, NONE } },
};

START_TEST(list_gives_each_cpu_its_node)
{
	uint16_t node_of[PCPU_MAX_CPUS];

	ck_assert_uint_eq(pcpu_parse_nodes(good_lists[_i].list, node_of), good_lists[_i].nodes);
	for (unsigned int cpu = 0; cpu < PCPU_MAX_CPUS; cpu++)
		ck_assert_uint_eq(node_of[cpu], cpu < 8 ? good_lists[_i].node_of[cpu] : NONE);
}
END_TEST

static const char *const bad_lists[] = { "",	  ";",	      "0;",  ";0",    "0;;1",
					 "0-1;x", "0 ;1",     "0:1", "0-1|2", "1-0;2",
					 "8192",  "0;0-9999", "none" };

START_TEST(garbage_is_no_list_of_nodes)
{
	uint16_t node_of[PCPU_MAX_CPUS];

	ck_assert_msg(pcpu_parse_nodes(bad_lists[_i], node_of) == 0, "accepted: \"%s\"",
		      bad_lists[_i]);
}
END_TEST

START_TEST(as_many_nodes_as_the_kernel_can_have)
{
	uint16_t node_of[PCPU_MAX_CPUS];
	char *list = calloc(PCPU_MAX_NODES + 1, 8), *end = list;

	for (unsigned int cpu = 0; cpu < PCPU_MAX_NODES; cpu++)
		end += sprintf(end, "%s%u", cpu ? ";" : "", cpu);
	ck_assert_uint_eq(pcpu_parse_nodes(list, node_of), PCPU_MAX_NODES);
	ck_assert_uint_eq(node_of[PCPU_MAX_NODES - 1], PCPU_MAX_NODES - 1);
	sprintf(end, ";%u", PCPU_MAX_NODES);
	ck_assert_uint_eq(pcpu_parse_nodes(list, node_of), 0);
	free(list);
}
END_TEST

/* ---- Folders, as sysfs has them ------------------------------------------------------------- */

static char folder[64];

static void make_folder(void)
{
	strcpy(folder, "/tmp/permod-nodes.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void make_file(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void make_node(unsigned int node, const char *cpulist)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/node%u", folder, node);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "node%u/cpulist", node);
	make_file(path, cpulist);
}

static void remove_folder(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(nodes_are_read_from_the_system)
{
	static const uint16_t expected[] = { 0, 0, 5, 5, 0, 0, 700, NONE };
	uint16_t node_of[PCPU_MAX_CPUS];

	make_folder();
	/* Node 1 has memory only, and would say so; node 700 is far away. */
	make_file("has_cpu", "0,5,700\n");
	make_node(0, "0-1,4-5\n");
	make_node(1, "\n");
	make_node(5, "2-3\n");
	make_node(700, "6\n");
	ck_assert_uint_eq(pcpu_read_nodes(folder, node_of), 3);
	ck_assert_mem_eq(node_of, expected, sizeof(expected));
	remove_folder();
}
END_TEST

START_TEST(what_the_system_does_not_tell_is_left_out)
{
	uint16_t node_of[PCPU_MAX_CPUS];

	ck_assert_uint_eq(pcpu_read_nodes("/nonexistent", node_of), 0);
	make_folder();
	ck_assert_uint_eq(pcpu_read_nodes(folder, node_of), 0);
	make_file("has_cpu", "\n");
	ck_assert_uint_eq(pcpu_read_nodes(folder, node_of), 0);
	/* Node 0 is gone, node 1 has none any more, node 2 says nonsense. */
	make_file("has_cpu", "0-3\n");
	make_node(1, "\n");
	make_node(2, "0-x\n");
	make_node(3, "1\n");
	ck_assert_uint_eq(pcpu_read_nodes(folder, node_of), 1);
	ck_assert_uint_eq(node_of[0], NONE);
	ck_assert_uint_eq(node_of[1], 3);
	remove_folder();
}
END_TEST

/* ---- What the kernel was told --------------------------------------------------------------- */

/* The node that memory is to come from: of a preferred policy; -1 for no policy, -2 for another. */
static int preferred_node(uintptr_t address)
{
	unsigned long mask[PCPU_MAX_NODES / (8 * sizeof(long))] = { 0 };
	int mode = -1, found = -2;

	if (syscall(SYS_get_mempolicy, &mode, mask, PCPU_MAX_NODES, address, MPOL_F_ADDR))
		return -3;
	if (mode == MPOL_DEFAULT)
		return -1;
	for (int node = 0; mode == MPOL_PREFERRED && node < (int)PCPU_MAX_NODES; node++) {
		if (mask[(size_t)node / (8 * sizeof(long))] >> ((size_t)node % (8 * sizeof(long))) &
		    1)
			found = found == -2 ? node : -2;
	}
	return found;
}

/* Whether the kernel has policies, and whether this node's memory may be used. */
static bool can_prefer(unsigned int node)
{
	unsigned long mask[PCPU_MAX_NODES / (8 * sizeof(long))] = { 0 };
	void *page = mmap(NULL, page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool can;

	mask[node / (8 * sizeof(long))] = 1UL << node % (8 * sizeof(long));
	can = !syscall(SYS_mbind, page, page_size(), MPOL_PREFERRED, mask, PCPU_MAX_NODES + 1, 0);
	munmap(page, page_size());
	return can;
}

/* Print the node that each unit is to be on, at its beginning and end. */
static int scene_nodes(void)
{
	struct pcpu_map map;
	long __percpu *counter = alloc_percpu(long);
	unsigned int cpu;

	pcpu_get_map(&map);
	for_each_possible_cpu(cpu) {
		uintptr_t unit = map.units + cpu * map.unit_size;
		int node = preferred_node(unit);

		*per_cpu_ptr(counter, cpu) = cpu;
		if (preferred_node(unit + map.unit_size - 1) != node)
			return 1;
		printf("%d ", node);
	}
	return 0;
}

/* The same on machines of all kinds: 4 CPUs or more, as many nodes as there are and one more. */
START_TEST(setting_places_units_on_nodes_that_are_there)
{
	static const char *const settings[] = { "PERCPU_CPUS=12", "PERCPU_NODES=0-2,6;3,5;4;;7",
						NULL };
	static const char *const valid[] = { "PERCPU_CPUS=12", "PERCPU_NODES=0-2,6;3,5;4;7", NULL };
	static const int wanted[] = { 0, 0, 0, 1, 2, 1, 0, 3, -1, -1, -1, -1 };
	struct outcome outcome = play("nodes", settings, 0);
	const char *text;

	ck_assert(died_by(&outcome, SIGABRT));
	outcome = play("nodes", valid, 0);
	ck_assert_msg(ended_well(&outcome), "%s", outcome.text);
	text = outcome.text;
	for (size_t cpu = 0; cpu < COUNT(wanted); cpu++) {
		int node = (int)strtol(text, (char **)&text, 10);

		if (preferred_node((uintptr_t)&node) == -3) /* no system call for it here */
			continue;
		ck_assert_int_eq(node, wanted[cpu] >= 0 && can_prefer((unsigned int)wanted[cpu])
					       ? wanted[cpu]
					       : -1);
	}
}
END_TEST

/* Without a setting: with one node nothing is to be done, with several each CPU has its own. */
START_TEST(units_are_placed_as_the_machine_is)
{
	static const char *const settings[] = { "PERCPU_NODES=", NULL };
	uint16_t node_of[PCPU_MAX_CPUS];
	unsigned int cpu, count = pcpu_read_nodes("/sys/devices/system/node", node_of);
	struct outcome outcome = play("nodes", settings, 0);
	const char *text = outcome.text;

	ck_assert(ended_well(&outcome));
	for_each_possible_cpu(cpu) {
		int node = (int)strtol(text, (char **)&text, 10);

		if (preferred_node((uintptr_t)&node) != -3)
			ck_assert_int_eq(node, count > 1 && node_of[cpu] != NONE &&
							       can_prefer(node_of[cpu])
						       ? node_of[cpu]
						       : -1);
	}
}
END_TEST

/* Neighbouring units of a node, and CPUs without one in between. */
START_TEST(runs_of_units_are_placed_together)
{
	uint16_t node_of[PCPU_MAX_CPUS];
	struct pcpu_space space;

	if (!can_prefer(0))
		return;
	ck_assert_int_eq(setenv("PERCPU_CPUS", "40", 1), 0);
	ck_assert_int_eq(pcpu_space_init(&space, 0, 0, 0, (ptrdiff_t)(2 * MIB)), 0);
	for (unsigned int cpu = 0; cpu < PCPU_MAX_CPUS; cpu++)
		node_of[cpu] = cpu / 7 % 2 ? NONE : 0;
	pcpu_prefer_nodes(&space, node_of);
	for (unsigned int cpu = 0; cpu < space.nr_cpus; cpu++) {
		uintptr_t unit = space.units + cpu * space.unit_size;

		ck_assert_int_eq(preferred_node(unit), cpu / 7 % 2 ? -1 : 0);
		ck_assert_int_eq(preferred_node(unit + space.unit_size - 1), cpu / 7 % 2 ? -1 : 0);
	}
	pcpu_space_exit(&space);
	unsetenv("PERCPU_CPUS");
}
END_TEST

/* ---- Huge pages ----------------------------------------------------------------------------- */

/* What smaps says of the mapping that holds an address. */
struct mapping {
	bool huge, never_huge;
	size_t huge_kib;
};

static struct mapping find_mapping(uintptr_t address)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	struct mapping mapping = { 0 };
	bool inside = false;
	char line[512];

	ck_assert_ptr_nonnull(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		unsigned long begin, end;

		if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
			inside = address >= begin && address < end;
		else if (inside && !strncmp(line, "VmFlags:", 8)) {
			mapping.huge = strstr(line, " hg");
			mapping.never_huge = strstr(line, " nh");
		} else if (inside) {
			sscanf(line, "AnonHugePages: %zu", &mapping.huge_kib);
		}
	}
	fclose(smaps);
	return mapping;
}

static bool file_has(const char *path, const char *word)
{
	char text[256];

	read_whole(path, text, sizeof(text));
	return strstr(text, word);
}

#define THP "/sys/kernel/mm/transparent_hugepage/"

START_TEST(huge_pages_on_request)
{
	struct pcpu_space space;
	struct mapping mapping;
	size_t huge;

	if (is_emulated())
		return;
	setenv("PERCPU_HUGE", "1", 1);
	huge = pcpu_huge_page();
	ck_assert_uint_ge(huge, 2 * MIB);
	ck_assert_int_eq(pcpu_space_init(&space, 0, 0, 0, (ptrdiff_t)(huge + page_size())),
			 -EINVAL);
	ck_assert_int_eq(pcpu_space_init(&space, 0, 0, 100, (ptrdiff_t)(4 * huge)), 0);
	for (unsigned int cpu = 0; cpu < space.nr_cpus; cpu++)
		ck_assert_uint_eq((uintptr_t)pcpu_unit_address(&space, cpu, 0) % huge, 0);
	/* The pages before and behind are still there, and closed. */
	ck_assert(is_closed(space.units - 1));
	ck_assert(is_closed(space.units + space.nr_cpus * space.unit_size));
	if (!access(THP "enabled", R_OK)) {
		mapping = find_mapping(space.units);
		ck_assert(mapping.huge && !mapping.never_huge);
		for (unsigned int cpu = 0; cpu < space.nr_cpus; cpu++)
			*pcpu_unit_address(&space, cpu, huge + 1) = 1;
		mapping = find_mapping(space.units);
		/* One may not be had at the moment, but not all of them. */
		if (!file_has(THP "enabled", "[never]") && !SANITIZED)
			ck_assert_uint_ge(mapping.huge_kib, huge >> 10);
	}
	pcpu_space_exit(&space);
	unsetenv("PERCPU_HUGE");
}
END_TEST

START_TEST(no_huge_pages_otherwise)
{
	struct pcpu_space space;
	struct mapping mapping;

	if (access(THP "enabled", R_OK) || is_emulated())
		return;
	ck_assert_int_eq(pcpu_space_init(&space, 0, 0, 100, (ptrdiff_t)(8 * MIB)), 0);
	memset(pcpu_unit_address(&space, 0, 0), 1, 8 * MIB);
	mapping = find_mapping(space.units);
	ck_assert(!mapping.huge && mapping.never_huge);
	ck_assert_uint_eq(mapping.huge_kib, 0);
	pcpu_space_exit(&space);
}
END_TEST

/* Everything works with huge units, in a process of its own. */
static int scene_huge(void)
{
	long __percpu *counter = alloc_percpu(long);
	char __percpu *large = __alloc_percpu(3 * MIB, 64);
	long sum = 0;
	unsigned int cpu;

	for (int i = 0; i < 1000; i++)
		this_cpu_inc(*counter);
	for_each_possible_cpu(cpu) {
		sum += *per_cpu_ptr(counter, cpu);
		memset(per_cpu_ptr(large, cpu), 'x', 3 * MIB);
	}
	free_percpu(large);
	large = __alloc_percpu(3 * MIB, 64);
	for_each_possible_cpu(cpu) {
		for (size_t i = 0; i < 3 * MIB; i++)
			sum += per_cpu_ptr(large, cpu)[i];
	}
	return sum != 1000;
}

START_TEST(setting_huge_serves_a_process)
{
	static const char *const settings[] = { "PERCPU_HUGE=1", NULL };
	static const char *const wrong[] = { "PERCPU_HUGE=1", "PERCPU_UNIT=5M", NULL };
	struct outcome outcome = play("huge", settings, 0);

	ck_assert_msg(ended_well(&outcome), "%s", outcome.text);
	outcome = play("huge", wrong, 0);
	ck_assert(died_by(&outcome, SIGABRT));
	ck_assert_ptr_nonnull(strstr(outcome.text, "PERCPU_HUGE"));
}
END_TEST

/* ---- Pages that the program provides -------------------------------------------------------- */

/* A file in which all units' first chunks follow each other. */
struct backing {
	int fd;
	unsigned int units;
	size_t calls, fail_at, first_size;
	unsigned int last_cpu;
	size_t last_index;
};

static int map_file(const struct pcpu_page *page, void *data)
{
	struct backing *backing = data;
	size_t offset = (page->cpu * page->count + page->index) * page->size;

	if (++backing->calls == backing->fail_at)
		return -EDQUOT;
	/* In order, none left out. */
	if (page->index)
		ck_assert(page->cpu == backing->last_cpu && page->index == backing->last_index + 1);
	else
		ck_assert(backing->calls == 1 || page->cpu > backing->last_cpu);
	backing->last_cpu = page->cpu;
	backing->last_index = page->index;
	backing->first_size = page->count * page->size;
	if (ftruncate(backing->fd, (off_t)(offset + page->size)))
		return -errno;
	if (mmap(page->address, page->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 backing->fd, (off_t)offset) == MAP_FAILED)
		return -errno;
	return 0;
}

static const struct {
	size_t fixed;
	ptrdiff_t reserved, dynamic;
} page_cases[] = {
	{ 0, 0, 4 },	     { 0, 0, PCPU_AUTO },    { 1, 0, 0 },
	{ 100, 1000, 5000 }, { 4096, 0, PCPU_AUTO }, { 5000, 20000, PCPU_AUTO },
	{ 8192, 8192, 0 },   { 3000, 0, 100000 },    { 0, 40000, 0 },
};

/* The same layout as by embedding; what is written is in the file, and what is not, is zero. */
START_TEST(first_chunk_of_pages_from_a_file)
{
	const ptrdiff_t fixed = (ptrdiff_t)page_cases[_i].fixed, unit = (ptrdiff_t)(4 * MIB);
	struct backing backing = { .fd = memfd_create("units", MFD_CLOEXEC) };
	struct pcpu_space embedded, paged;
	size_t offset;

	ck_assert_int_ge(backing.fd, 0);
	ck_assert_int_eq(pcpu_space_init(&embedded, (size_t)fixed, page_cases[_i].reserved,
					 page_cases[_i].dynamic, unit),
			 0);
	ck_assert_int_eq(pcpu_space_init(&paged, (size_t)fixed, page_cases[_i].reserved,
					 page_cases[_i].dynamic, unit),
			 0);
	ck_assert_int_eq(pcpu_populate(&paged, map_file, &backing), 0);
	ck_assert_uint_eq(backing.calls, num_possible_cpus() * (paged.first_size / page_size()));
	ck_assert_uint_eq(paged.first_size, embedded.first_size);
	ck_assert_uint_eq(paged.dynamic_size, embedded.dynamic_size);
	ck_assert_uint_eq(paged.reserved_size, embedded.reserved_size);

	/* All of the first chunk, and then something behind it. */
	for (int round = 0; round < 3; round++) {
		size_t size = paged.dynamic_size;

		offset = size ? pcpu_take(&paged, size, 4, false) : 0;
		ck_assert_uint_ne(offset, SIZE_MAX);
		for (unsigned int cpu = 0; cpu < paged.nr_cpus && size; cpu++) {
			char *bytes = pcpu_unit_address(&paged, cpu, offset), byte = 0;

			if (!pcpu_is_possible(&paged, cpu))
				continue;
			for (size_t i = 0; i < size; i++)
				check_that(bytes[i] == 0);
			memset(bytes, (char)(cpu + 1), size);
			for (size_t i = 0; i<size; i += size> 1000 ? 999 : 1) {
				ck_assert_int_eq(pread(backing.fd, &byte, 1,
						       (off_t)(cpu * paged.first_size + offset +
							       i)),
						 1);
				check_that(byte == (char)(cpu + 1));
			}
		}
		ck_assert_uint_ne(pcpu_take(&paged, 100, 4, false), SIZE_MAX);
		if (size)
			ck_assert_ptr_null(pcpu_give(&paged, offset));
	}
	if (paged.reserved_size) {
		offset = pcpu_take(&paged, paged.reserved_size, 4, true);
		memset(pcpu_unit_address(&paged, 0, offset), 7, paged.reserved_size);
		ck_assert_ptr_null(pcpu_give(&paged, offset));
		ck_assert_uint_eq(pcpu_take(&paged, paged.reserved_size, 4, true), offset);
		for (size_t i = 0; i < paged.reserved_size; i++)
			check_that(*pcpu_unit_address(&paged, 0, offset + i) == 0);
	}
	pcpu_space_exit(&paged);
	pcpu_space_exit(&embedded);
	close(backing.fd);
}
END_TEST

START_TEST(first_error_ends_it)
{
	struct backing backing = { .fd = memfd_create("units", MFD_CLOEXEC), .fail_at = 3 };
	struct pcpu_space space;

	ck_assert_int_eq(pcpu_space_init(&space, 100000, 0, 0, (ptrdiff_t)(4 * MIB)), 0);
	ck_assert_int_eq(pcpu_populate(&space, map_file, &backing), -EDQUOT);
	ck_assert_uint_eq(backing.calls, 3);
	pcpu_space_exit(&space);
	close(backing.fd);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("percpu_numa");
	TCase *tests = tcase_create("numa");

	tcase_set_timeout(tests, 120);
	tcase_add_loop_test(tests, list_gives_each_cpu_its_node, 0, COUNT(good_lists));
	tcase_add_loop_test(tests, garbage_is_no_list_of_nodes, 0, COUNT(bad_lists));
	tcase_add_test(tests, as_many_nodes_as_the_kernel_can_have);
	tcase_add_test(tests, nodes_are_read_from_the_system);
	tcase_add_test(tests, what_the_system_does_not_tell_is_left_out);
	tcase_add_test(tests, setting_places_units_on_nodes_that_are_there);
	tcase_add_test(tests, units_are_placed_as_the_machine_is);
	tcase_add_test(tests, runs_of_units_are_placed_together);
	tcase_add_test(tests, huge_pages_on_request);
	tcase_add_test(tests, no_huge_pages_otherwise);
	tcase_add_test(tests, setting_huge_serves_a_process);
	tcase_add_loop_test(tests, first_chunk_of_pages_from_a_file, 0, COUNT(page_cases));
	tcase_add_test(tests, first_error_ends_it);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(int argc, char **argv)
{
	static const struct scene scenes[] = { { "nodes", scene_nodes }, { "huge", scene_huge } };
	int status = play_named(scenes, COUNT(scenes), argc, argv);
	SRunner *runner;

	if (status >= 0)
		return status;
	runner = srunner_create(make_suite());
	/* Valgrind looks for leaks in all units at the end of each process: one has to do. */
	if (is_emulated())
		srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	status = srunner_ntests_failed(runner) ? EXIT_FAILURE : EXIT_SUCCESS;
	srunner_free(runner);
	return status;
}
