/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Set-up of per-CPU memory: lists of CPUs, the first chunk with every kind of sizes, settings of
 * the environment, and scarce address space.
 *
 * Spaces of the tests' own are made with the internal pcpu_space_init(), as many as wanted in one
 * process; what concerns the process's one space is tried in a new process (a scene).
 */
#define _GNU_SOURCE
#include "percpu/internal.h"
#include "tests/percpu/helper.h"

#include <check.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#define MIB ((size_t)1 << 20)
#define WIDE (UINTPTR_MAX > UINT32_MAX)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t up(size_t size, size_t align)
{
	return (size + align - 1) / align * align;
}

/* ---- Lists of CPUs -------------------------------------------------------------------------- */

/* A list and the numbers in it, written out; -1 ends them. */
static const struct {
	const char *list;
	unsigned int ids;
	int cpus[16];
} good_lists[] = {
	{ "0", 1, { 0, -1 } },
	{ "0\n", 1, { 0, -1 } },
	{ "0-3", 4, { 0, 1, 2, 3, -1 } },
	{ "0-3,8-11\n", 12, { 0, 1, 2, 3, 8, 9, 10, 11, -1 } },
	{ "0,2,4", 5, { 0, 2, 4, -1 } },
	{ "1", 2, { 1, -1 } },
	{ "63-64", 65, { 63, 64, -1 } },
	{ "7-7,3", 8, { 3, 7, -1 } },
	{ "5,5,5", 6, { 5, -1 } },
	{ "0-1,1-2", 3, { 0, 1, 2, -1 } },
	{ "00012", 13, { 12, -1 } },
	{ "0,127-128,8191", 8192, { 0, 127, 128, 8191, -1 } },
};

START_TEST(cpu_list_gives_exactly_its_numbers)
{
	uint64_t found[PCPU_MAX_CPUS / 64] = { 0 }, expected[PCPU_MAX_CPUS / 64] = { 0 };

	for (const int *cpu = good_lists[_i].cpus; *cpu >= 0; cpu++)
		expected[*cpu / 64] |= (uint64_t)1 << (*cpu % 64);
	ck_assert_uint_eq(pcpu_parse_cpus(good_lists[_i].list, found), good_lists[_i].ids);
	ck_assert_mem_eq(found, expected, sizeof(found));
}
END_TEST

static const char *const bad_lists[] = {
	"",
	"\n",
	" ",
	" 0",
	"0 ",
	"x",
	"0x1",
	"-",
	"-1",
	"0-",
	"0-\n",
	"3-1",
	"0,",
	",0",
	"0,,1",
	"0--1",
	"0-1-2",
	"0;1",
	"0-3,x",
	"0,\n",
	"8192",
	"0-8192",
	"4294967296",
	"18446744073709551616",
	"99999999999999999999999999",
	"0-99999999999",
	"\xff",
	"0\t",
	"1.5",
	"0/2",
};

START_TEST(garbage_is_no_cpu_list)
{
	uint64_t guarded[PCPU_MAX_CPUS / 64 + 2] = { 0 };

	guarded[0] = guarded[PCPU_MAX_CPUS / 64 + 1] = 0x5a5a5a5a5a5a5a5a;
	ck_assert_msg(pcpu_parse_cpus(bad_lists[_i], guarded + 1) == 0, "accepted: \"%s\"",
		      bad_lists[_i]);
	ck_assert_uint_eq(guarded[0], 0x5a5a5a5a5a5a5a5a);
	ck_assert_uint_eq(guarded[PCPU_MAX_CPUS / 64 + 1], 0x5a5a5a5a5a5a5a5a);
}
END_TEST

/* ---- The first chunk, with all kinds of sizes ----------------------------------------------- */

enum unit_kind { UNIT_AUTO, UNIT_EXACT, UNIT_ROOMY, UNIT_SMALL, UNIT_ODD, UNIT_HUGE, UNIT_KINDS };

static const size_t static_sizes[] = { 0, 1, 3001, 4097, 3 * MIB + 20 };
static const ptrdiff_t reserved_sizes[] = { 0, 1, 100, 8192, 5000001, PCPU_AUTO };
static const ptrdiff_t dynamic_sizes[] = { 0, 4, 1000, 20003, PCPU_AUTO };

struct request {
	size_t fixed;
	ptrdiff_t reserved, dynamic, unit;
	enum unit_kind kind;
};

#define REQUESTS                                                                                   \
	(int)(COUNT(static_sizes) * COUNT(reserved_sizes) * COUNT(dynamic_sizes) * UNIT_KINDS)

/* An automatic region has its default size, or an eighth of a small unit. */
static size_t automatic(size_t otherwise, size_t unit)
{
	return otherwise < unit / 8 ? otherwise : unit / 8;
}

static bool fits(const struct request *request, size_t unit)
{
	size_t reserved = request->reserved < 0 ? automatic(PCPU_DEFAULT_RESERVED, unit)
						: up((size_t)request->reserved, 4);
	size_t dynamic = request->dynamic < 0 ? automatic(PCPU_DEFAULT_DYNAMIC, unit)
					      : (size_t)request->dynamic / 4 * 4;

	return up(request->fixed, 64) + reserved + dynamic <= unit;
}

/* The smallest unit that holds the regions. */
static size_t least_unit(const struct request *request)
{
	size_t unit = page_size();

	while (!fits(request, unit))
		unit += page_size();
	return unit;
}

static struct request make_request(int number)
{
	unsigned int n = (unsigned int)number;
	struct request request;

	request.kind = n % UNIT_KINDS;
	n /= UNIT_KINDS;
	request.fixed = static_sizes[n % COUNT(static_sizes)];
	n /= COUNT(static_sizes);
	request.reserved = reserved_sizes[n % COUNT(reserved_sizes)];
	n /= COUNT(reserved_sizes);
	request.dynamic = dynamic_sizes[n];
	switch (request.kind) {
	case UNIT_AUTO:
		request.unit = PCPU_AUTO;
		break;
	case UNIT_EXACT:
		request.unit = (ptrdiff_t)least_unit(&request);
		break;
	case UNIT_ROOMY:
		request.unit = (ptrdiff_t)(up(least_unit(&request), PCPU_CHUNK) + 5 * PCPU_CHUNK);
		break;
	case UNIT_SMALL:
		request.unit = (ptrdiff_t)(least_unit(&request) - page_size());
		break;
	case UNIT_ODD:
		request.unit = (ptrdiff_t)(least_unit(&request) + page_size() / 2);
		break;
	default: /* two of them are all addresses of 32 bits, and each CPU has one */
		request.unit = PTRDIFF_MAX - (ptrdiff_t)page_size() + 1;
		break;
	}
	return request;
}

/* Valgrind is too slow for all of them. */
static int request_step(void)
{
	return is_emulated() ? 7 : 1;
}

static int expected_result(const struct request *request)
{
	switch (request->kind) {
	case UNIT_SMALL:
	case UNIT_ODD:
		return -EINVAL;
	case UNIT_HUGE:
		return -ENOMEM;
	default:
		return 0;
	}
}

/* Order, sizes and the rule about the last page's slack. */
static void check_regions(const struct pcpu_space *space, const struct request *request)
{
	size_t reserved_begin = space->reserved.begin * PCPU_GRAIN;
	size_t reserved_end = space->reserved.end * PCPU_GRAIN;
	size_t dynamic_end = space->chunk[0].end * PCPU_GRAIN;

	ck_assert_uint_eq(space->static_size, request->fixed);
	ck_assert_uint_eq(reserved_begin, up(request->fixed, 64));
	ck_assert_uint_eq(space->chunk[0].begin, space->reserved.end);
	ck_assert_uint_eq(reserved_end - reserved_begin, space->reserved_size);
	ck_assert_uint_eq(dynamic_end - reserved_end, space->dynamic_size);
	if (request->reserved >= 0)
		ck_assert_uint_eq(space->reserved_size, up((size_t)request->reserved, 4));
	else
		ck_assert_uint_eq(space->reserved_size,
				  automatic(PCPU_DEFAULT_RESERVED, space->unit_size));
	if (request->dynamic >= 0) {
		ck_assert_uint_eq(space->dynamic_size, (size_t)request->dynamic / 4 * 4);
	} else {
		ck_assert_uint_ge(space->dynamic_size,
				  automatic(PCPU_DEFAULT_DYNAMIC, space->unit_size));
		ck_assert_uint_lt(space->dynamic_size,
				  automatic(PCPU_DEFAULT_DYNAMIC, space->unit_size) + page_size());
		ck_assert_uint_eq(dynamic_end % page_size(), 0);
	}
	ck_assert_uint_eq(space->first_size, up(dynamic_end, page_size()));
	ck_assert_uint_le(space->first_size, space->unit_size);
	if (request->unit >= 0)
		ck_assert_uint_eq(space->unit_size, (size_t)request->unit);
}

/* Cookies, control and arena do not overlap, and neither do the units; the table fits. */
static void check_addresses(const struct pcpu_space *space)
{
	const struct pcpu_layout *layout = (const void *)space->control;
	uintptr_t near_end = space->reservation + space->reservation_size;
	uintptr_t units_end = space->units + space->nr_cpus * space->unit_size;

	if (space->cookies < space->arena) {
		ck_assert_uint_ge(space->control, space->cookies + space->unit_size);
		ck_assert_uint_ge(space->arena, space->control + space->control_size);
		ck_assert_uint_ge(near_end, space->arena + space->arena_size);
	} else {
		ck_assert_uint_ge(space->control, space->arena + space->arena_size);
		ck_assert_uint_ge(space->cookies, space->control + space->control_size);
		ck_assert_uint_ge(near_end, space->cookies + space->unit_size);
	}
	ck_assert(near_end <= space->units || units_end <= space->reservation);
	ck_assert_uint_eq(layout->cpu_ids, space->nr_cpus);
	ck_assert_uint_eq(layout->num_possible, sysconf(_SC_NPROCESSORS_CONF));
	for (unsigned int cpu = 0; cpu < layout->cpu_ids; cpu++)
		ck_assert_uint_eq(space->cookies + layout->offset[cpu],
				  space->units + cpu * space->unit_size);
	ck_assert(is_closed(space->cookies));
	ck_assert(is_closed(space->cookies + space->unit_size - 1));
	ck_assert(is_closed(space->arena));
	ck_assert(is_closed(space->arena + space->arena_size - 1));
	ck_assert_str_eq(protection_at(space->units), "rw-p");
	ck_assert_str_eq(protection_at(units_end - 1), "rw-p");
}

/* All of an area is zero and can be written on every CPU, without showing on another. */
static void use_area(const struct pcpu_space *space, size_t offset, size_t size)
{
	for (unsigned int cpu = 0; cpu < space->nr_cpus; cpu++) {
		char *bytes = pcpu_unit_address(space, cpu, offset);

		ck_assert(bytes[0] == 0 && bytes[size - 1] == 0);
		bytes[0] = bytes[size - 1] = (char)(cpu + 1);
	}
}

static void check_allocation(struct pcpu_space *space)
{
	size_t reserved_begin = space->reserved.begin * PCPU_GRAIN;
	size_t reserved_end = space->reserved.end * PCPU_GRAIN;
	size_t all = space->reserved_size, offset;

	offset = pcpu_take(space, all ? all : 1, 1, true);
	if (all) {
		ck_assert_uint_eq(offset, reserved_begin);
		use_area(space, offset, all);
	}
	/* The region is full, and does not borrow from its neighbour. */
	ck_assert_uint_eq(pcpu_take(space, 1, 1, true), SIZE_MAX);

	all = space->dynamic_size;
	if (all) {
		offset = pcpu_take(space, all, 1, false);
		ck_assert_uint_eq(offset, reserved_end);
		use_area(space, offset, all);
	}
	offset = pcpu_take(space, 8, 8, false);
	if (offset == SIZE_MAX) {
		ck_assert_uint_eq(space->slots, 0);
		return;
	}
	ck_assert_uint_ge(offset, space->first_size);
	ck_assert_uint_le(offset, space->unit_size - 8);
	use_area(space, offset, 8);
	ck_assert_ptr_null(pcpu_give(space, offset));
}

/* Unmap a space and look whether it is gone. */
static void exit_and_check(struct pcpu_space *space)
{
	const uintptr_t places[] = { space->cookies, space->control, space->arena, space->units,
				     (uintptr_t)space->allocated };

	pcpu_space_exit(space);
	for (size_t i = 0; i < COUNT(places); i++)
		ck_assert_str_eq(protection_at(places[i]), "");
}

START_TEST(first_chunk_of_given_sizes)
{
	static char before[1 << 18], after[1 << 18];
	struct request request = make_request(_i * request_step());
	struct pcpu_space space;
	int result;

	read_whole("/proc/self/maps", before, sizeof(before));
	result = pcpu_space_init(&space, request.fixed, request.reserved, request.dynamic,
				 request.unit);
	ck_assert_msg(result == expected_result(&request),
		      "static %zu, reserved %td, dynamic %td, unit %td: result %d, not %d",
		      request.fixed, request.reserved, request.dynamic, request.unit, result,
		      expected_result(&request));
	if (result == 0) {
		check_regions(&space, &request);
		check_addresses(&space);
		check_allocation(&space);
		if (request.kind == UNIT_ROOMY)
			ck_assert_uint_ge(space.slots, 3);
		exit_and_check(&space);
	}
	read_whole("/proc/self/maps", after, sizeof(after));
	/* Tools have mappings of their own, which come and go. */
	check_that(SANITIZED || is_emulated() || !strcmp(before, after));
}
END_TEST

START_TEST(sizes_that_overflow_are_refused)
{
	const ptrdiff_t most = PTRDIFF_MAX;
	const ptrdiff_t unit = PTRDIFF_MAX & ~(ptrdiff_t)(page_size() - 1);
	struct pcpu_space space;

	ck_assert_int_eq(pcpu_space_init(&space, SIZE_MAX, 0, 0, PCPU_AUTO), -EINVAL);
	ck_assert_int_eq(pcpu_space_init(&space, (size_t)most + 1, 0, 0, PCPU_AUTO), -EINVAL);
	ck_assert_int_eq(pcpu_space_init(&space, (size_t)most, most, most, PCPU_AUTO), -EINVAL);
	ck_assert_int_eq(pcpu_space_init(&space, (size_t)most, most, most, unit), -EINVAL);
	ck_assert_int_eq(pcpu_space_init(&space, 0, most, 0, (ptrdiff_t)(16 * MIB)), -EINVAL);
	ck_assert_int_eq(pcpu_space_init(&space, 0, 0, most, (ptrdiff_t)(16 * MIB)), -EINVAL);
	ck_assert_int_eq(pcpu_space_init(&space, 0, -2, 0, PCPU_AUTO), -EINVAL);
	ck_assert_int_eq(pcpu_space_init(&space, 0, 0, -2, PCPU_AUTO), -EINVAL);
	ck_assert_int_eq(pcpu_space_init(&space, 0, 0, 0, -2), -EINVAL);
	ck_assert_int_eq(pcpu_space_init(&space, 0, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(pcpu_space_init(&space, 0, 0, 0, unit), -ENOMEM);
	/* Valgrind keeps books on so much, and its memory is not enough. */
	if (WIDE && !is_emulated())
		ck_assert_int_eq(pcpu_space_init(&space, (size_t)1 << (WIDE ? 46 : 0), 0, 0,
						 PCPU_AUTO),
				 -ENOMEM);
}
END_TEST

START_TEST(large_regions_enlarge_an_automatic_unit)
{
	const size_t region = (WIDE ? 700 : 40) * MIB;
	struct pcpu_space space;

	ck_assert_int_eq(pcpu_space_init(&space, 0, (ptrdiff_t)region, 0, PCPU_AUTO), 0);
	/* Room for the region and for as much dynamic memory again. */
	ck_assert_uint_ge(space.unit_size, 2 * region);
	ck_assert_uint_ne(pcpu_take(&space, region / 7 * 6, 1, false), SIZE_MAX);
	ck_assert_uint_ne(pcpu_take(&space, region, 1, true), SIZE_MAX);
	pcpu_space_exit(&space);
}
END_TEST

START_TEST(several_spaces_do_not_touch)
{
	struct pcpu_space space[8];
	size_t offset[8];

	for (int i = 0; i < 8; i++) {
		ck_assert_int_eq(pcpu_space_init(&space[i], 0, 0, PCPU_AUTO, (ptrdiff_t)(8 * MIB)),
				 0);
		offset[i] = pcpu_take(&space[i], 1000, 8, false);
		for (unsigned int cpu = 0; cpu < space[i].nr_cpus; cpu++)
			memset(pcpu_unit_address(&space[i], cpu, offset[i]), 'a' + i, 1000);
	}
	for (int i = 0; i < 8; i++) {
		for (unsigned int cpu = 0; cpu < space[i].nr_cpus; cpu++) {
			const char *bytes = pcpu_unit_address(&space[i], cpu, offset[i]);

			for (int k = 0; k < 1000; k++)
				ck_assert_int_eq(bytes[k], 'a' + i);
		}
		pcpu_space_exit(&space[i]);
	}
}
END_TEST

/* ---- The process's own space: scenes -------------------------------------------------------- */

/* Print what there is, after trying that it works. */
static int scene_layout(void)
{
	struct pcpu_map map;
	unsigned int possible = 0, cpu;
	long __percpu *counter = alloc_percpu(long);
	void *heap = malloc((size_t)1 << 20);

	pcpu_get_map(&map);
	for_each_possible_cpu(cpu) {
		if (counter)
			*per_cpu_ptr(counter, cpu) += cpu + 1;
		possible++;
	}
	printf("cpus %u ids %u loop %u unit %zu reserved %zu dynamic %zu arena %zu alloc %d heap %d\n",
	       num_possible_cpus(), nr_cpu_ids, possible, map.unit_size, map.reserved_size,
	       map.dynamic_size, map.arena_size, counter != NULL, heap != NULL);
	if (counter)
		free_percpu(counter);
	free(heap);
	return 0;
}

/* What scene_layout() printed, as numbers. */
struct printed {
	unsigned int cpus, ids, loop;
	size_t unit, reserved, dynamic, arena;
	int alloc, heap;
};

static struct printed scan_layout(const struct outcome *outcome)
{
	struct printed printed = { 0 };
	const char *text = strstr(outcome->text, "cpus ");

	ck_assert_msg(ended_well(outcome) && text &&
			      sscanf(text,
				     "cpus %u ids %u loop %u unit %zu reserved %zu dynamic %zu "
				     "arena %zu alloc %d heap %d",
				     &printed.cpus, &printed.ids, &printed.loop, &printed.unit,
				     &printed.reserved, &printed.dynamic, &printed.arena,
				     &printed.alloc, &printed.heap) == 9,
		      "status %x: %s", outcome->status, outcome->text);
	return printed;
}

static struct printed layout_with(const char *first, const char *second)
{
	const char *settings[] = { first, second, NULL };
	struct outcome outcome = play("layout", settings, 0);

	return scan_layout(&outcome);
}

START_TEST(setting_cpus_adds_possible_cpus_but_takes_none_away)
{
	static const struct {
		const char *setting;
		unsigned int cpus;
	} cases[] = {
		{ "PERCPU_CPUS=256", 256 }, { "PERCPU_CPUS=0x101", 257 }, { "PERCPU_CPUS=1", 0 },
		{ "PERCPU_CPUS=", 0 },	    { "PERCPU_CPUS=8192", 8192 },
	};
	unsigned int real = (unsigned int)sysconf(_SC_NPROCESSORS_CONF);

	/* The last needs more address space than 32 bits have, and than an emulator keeps books of in time. */
	for (size_t i = 0; i < COUNT(cases) - (!WIDE || emulator()); i++) {
		struct printed printed = layout_with(cases[i].setting, NULL);
		unsigned int cpus = cases[i].cpus ? cases[i].cpus : real;

		ck_assert_uint_eq(printed.cpus, cpus);
		ck_assert_uint_eq(printed.ids, cpus);
		ck_assert_uint_eq(printed.loop, cpus);
		ck_assert_int_eq(printed.alloc, 1);
	}
}
END_TEST

/* Print the layout in a new process that has no sysfs. */
static struct outcome play_without_sysfs(const char *setting)
{
	struct outcome outcome;
	int from = -1;
	pid_t child = fork_to_pipe(&from);

	if (!child) {
		putenv((char *)(uintptr_t)setting);
		if (unshare(CLONE_NEWNS) || mount("none", "/", "", MS_REC | MS_PRIVATE, "") ||
		    mount("none", "/sys", "tmpfs", 0, ""))
			_exit(77);
		run_again("layout");
	}
	collect(&outcome, child, from);
	return outcome;
}

/* No CPU number is beyond the kernel's own sets of CPUs. */
START_TEST(without_sysfs_every_number_the_kernel_can_use_is_possible)
{
	static const char *const cases[] = { "PERCPU_CPUS=", "PERCPU_CPUS=1" };
	unsigned long set[1024];
	long bytes = syscall(SYS_sched_getaffinity, 0, sizeof(set), set);

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct outcome outcome = play_without_sysfs(cases[i]);
		struct printed printed;

		if (WIFEXITED(outcome.status) && WEXITSTATUS(outcome.status) == 77)
			return; /* not allowed here */
		printed = scan_layout(&outcome);
		ck_assert_int_eq(printed.ids, bytes * 8);
		ck_assert_uint_ge(printed.ids, sysconf(_SC_NPROCESSORS_CONF));
		ck_assert_int_eq(printed.alloc, 1);
	}
}
END_TEST

START_TEST(settings_choose_sizes)
{
	struct printed printed = layout_with("PERCPU_UNIT=64M", "PERCPU_RESERVED=12K");

	ck_assert_uint_eq(printed.unit, 64 * MIB);
	ck_assert_uint_eq(printed.reserved, 12 << 10);
	printed = layout_with("PERCPU_DYNAMIC=100000", "PERCPU_RESERVED=0");
	ck_assert_uint_eq(printed.dynamic, 100000);
	ck_assert_uint_eq(printed.reserved, 0);
	printed = layout_with("PERCPU_DYNAMIC=0", "PERCPU_UNIT=0x1000000");
	ck_assert_uint_eq(printed.dynamic, 0);
	ck_assert_uint_eq(printed.unit, 16 * MIB);
	ck_assert_int_eq(printed.alloc, 1);
}
END_TEST

static const struct {
	const char *setting;
	const char *word; /* in the message */
} bad_settings[] = {
	{ "PERCPU_UNIT=abc", "PERCPU_UNIT=abc" },
	{ "PERCPU_UNIT=12Q", "PERCPU_UNIT=12Q" },
	{ "PERCPU_UNIT=1GG", "PERCPU_UNIT=1GG" },
	{ "PERCPU_UNIT=M", "PERCPU_UNIT=M" },
	{ "PERCPU_UNIT=-1", "PERCPU_UNIT=-1" },
	{ "PERCPU_UNIT= 1M", "PERCPU_UNIT= 1M" },
	{ "PERCPU_UNIT=99999999999999999999", "PERCPU_UNIT=99999999999999999999" },
	{ "PERCPU_UNIT=9999999999G", "PERCPU_UNIT=9999999999G" },
	{ "PERCPU_UNIT=1000001", "set up" },
	{ "PERCPU_UNIT=0", "set up" },
	{ "PERCPU_UNIT=100000000G", WIDE ? "set up" : "PERCPU_UNIT=100000000G" },
	{ "PERCPU_RESERVED=x", "PERCPU_RESERVED=x" },
	{ "PERCPU_DYNAMIC=1e6", "PERCPU_DYNAMIC=1e6" },
	{ "PERCPU_CPUS=two", "PERCPU_CPUS=two" },
	{ "PERCPU_CPUS=8193", "8193" },
	{ "PERCPU_OPS=fast", "PERCPU_OPS=fast" },
	{ "PERCPU_NODES=0-1,;2", "PERCPU_NODES=0-1,;2" },
	{ "PERCPU_HUGE=yes", "PERCPU_HUGE=yes" },
};

START_TEST(bad_setting_is_named_and_aborts)
{
	const char *settings[] = { bad_settings[_i].setting, NULL };
	struct outcome outcome = play("layout", settings, 0);

	ck_assert_msg(died_by(&outcome, SIGABRT), "%s: status %x", settings[0], outcome.status);
	ck_assert_msg(!strncmp(outcome.text, "libpercpu: ", 11) &&
			      strstr(outcome.text, bad_settings[_i].word) &&
			      strchr(outcome.text, '\n') == strrchr(outcome.text, '\n'),
		      "%s: not one line that names it: %s", settings[0], outcome.text);
}
END_TEST

/* Reserved 2 pages, dynamic 32: what the kernel's line at boot would say of it. */
START_TEST(debug_setting_prints_the_layout)
{
	static const char *const settings[] = { "PERCPU_DEBUG=1",
						"PERCPU_UNIT=16M",
						"PERCPU_RESERVED=8192",
						"PERCPU_DYNAMIC=128K",
						"PERCPU_CPUS=12",
						"PERCPU_OPS=atomic",
						"PERCPU_NODES=0-3,8-11;4-7",
						NULL };
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	struct outcome outcome = play("layout", settings, 0);
	char expected[256], nodes[256];

	snprintf(expected, sizeof(expected),
		 "percpu: Embedded %zu pages/cpu s0 r8192 d131072 u16777216\n"
		 "percpu: ops atomic, index cpu, cookies 0x",
		 (8192 + 131072) / page_size());
	snprintf(nodes, sizeof(nodes), "; CPUs [0] 0-3,8-%ld [1] 4-7\n", cpus > 12 ? cpus - 1 : 11);
	ck_assert(ended_well(&outcome));
	ck_assert_msg(!strncmp(outcome.text, expected, strlen(expected)), "%s", outcome.text);
	ck_assert_msg(strstr(outcome.text, nodes), "%s", outcome.text);
}
END_TEST

/* CPUs of two nodes in turn, as some machines number them: what doesn't fit is cut at the end. */
START_TEST(debug_setting_survives_any_topology)
{
	static char nodes[10000] = "PERCPU_NODES=";
	const char *settings[] = { "PERCPU_DEBUG=1", WIDE ? "PERCPU_CPUS=8192" : "PERCPU_CPUS=2048",
				   WIDE ? "PERCPU_UNIT=2M" : "PERCPU_UNIT=128K", nodes, NULL };
	char *end = nodes + strlen(nodes);
	struct outcome outcome;

	for (int node = 0; node < 2; node++) {
		for (int cpu = node; cpu < 1200; cpu += 2)
			end += sprintf(end, cpu == node ? "%d" : ",%d", cpu);
		if (!node)
			*end++ = ';';
	}
	outcome = play("layout", settings, 0);
	ck_assert(ended_well(&outcome));
	ck_assert_ptr_nonnull(strstr(outcome.text, ", arena 0x"));
	ck_assert_ptr_nonnull(strstr(outcome.text, "; CPUs [0] 0,2,4,6"));
	ck_assert_ptr_nonnull(strstr(outcome.text, WIDE ? ",1196,1198,1200-8191 [1] 1,3,5"
							: ",1196,1198,1200-2047 [1] 1,3,5"));
}
END_TEST

/* Sanitizers' shadow memory needs terabytes, and valgrind more than the least limits. */
static bool can_limit(void)
{
	return !SANITIZED && !is_emulated();
}

/* Whatever the limit is, there is a layout and room for the rest of the program. */
START_TEST(limited_address_space_gets_a_smaller_unit)
{
	const rlim_t end = (rlim_t)(WIDE ? 4096 : 3072) * MIB;
	size_t smallest = SIZE_MAX, largest = 0;

	if (!can_limit())
		return;
	for (rlim_t limit = 48 * MIB; limit < end; limit += limit / 16) {
		struct outcome outcome = play("layout", NULL, limit);
		struct printed printed = scan_layout(&outcome);

		ck_assert_msg(printed.alloc && printed.heap, "limit %lu: %s", (unsigned long)limit,
			      outcome.text);
		ck_assert_uint_le(printed.cpus * printed.unit + printed.unit + printed.arena,
				  limit);
		ck_assert_uint_lt(printed.reserved, printed.unit);
		smallest = printed.unit < smallest ? printed.unit : smallest;
		largest = printed.unit > largest ? printed.unit : largest;
	}
	ck_assert_uint_lt(smallest, 16 * MIB);
	ck_assert_uint_ge(largest, PCPU_DEFAULT_UNIT / 2);
}
END_TEST

/* Half of the address space is left to the program only if the regions asked for allow it. */
START_TEST(limited_address_space_still_gets_the_regions_asked_for)
{
	static const char *const settings[] = { "PERCPU_RESERVED=80M", NULL };
	struct outcome outcome;
	struct printed printed;

	if (!can_limit())
		return;
	/* Two CPUs, the cookies and the arena take four units; the next smaller one is too small. */
	outcome =
		play("layout", settings, (rlim_t)(num_possible_cpus() + 2) * 128 * MIB + 128 * MIB);
	printed = scan_layout(&outcome);
	ck_assert_uint_eq(printed.reserved, 80 * MIB);
	ck_assert_uint_eq(printed.unit, 128 * MIB);
	ck_assert(printed.alloc && printed.heap);
}
END_TEST

START_TEST(too_little_address_space_says_so)
{
	static const char *const settings[] = { "PERCPU_UNIT=1G", NULL };
	struct outcome outcome;

	if (!can_limit())
		return;
	outcome = play("layout", settings, 512 * MIB);
	ck_assert(died_by(&outcome, SIGABRT));
	ck_assert_ptr_nonnull(strstr(outcome.text, strerror(ENOMEM)));
}
END_TEST

START_TEST(set_up_happens_once)
{
	struct pcpu_map before, after;

	pcpu_get_map(&before);
	ck_assert_int_eq(pcpu_embed_first_chunk(0, PCPU_AUTO, PCPU_AUTO, PCPU_AUTO), -EBUSY);
	pcpu_get_map(&after);
	ck_assert_mem_eq(&before, &after, sizeof(before));
}
END_TEST

START_TEST(layout_copy_near_the_cookies_equals_the_layout)
{
	const struct pcpu_layout *near = pcpu_near_layout();
	struct pcpu_map map;

	pcpu_get_map(&map);
	ck_assert_mem_eq(near, &pcpu_layout, sizeof(*near));
	/* Between cookies and arena. */
	ck_assert_uint_ge((uintptr_t)near, map.cookies < map.arena ? map.cookies : map.arena);
	ck_assert_uint_lt((uintptr_t)near, map.cookies < map.arena ? map.arena : map.cookies);
	ck_assert_str_eq(protection_at((uintptr_t)near), "r--p");
	ck_assert_str_eq(protection_at((uintptr_t)near->offset), "r--p");
	for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++)
		ck_assert_uint_eq(map.cookies + per_cpu_offset(cpu),
				  map.units + cpu * map.unit_size);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("percpu_setup");
	TCase *tests = tcase_create("setup");

	tcase_set_timeout(tests, 120);
	tcase_add_loop_test(tests, cpu_list_gives_exactly_its_numbers, 0, COUNT(good_lists));
	tcase_add_loop_test(tests, garbage_is_no_cpu_list, 0, COUNT(bad_lists));
	tcase_add_loop_test(tests, first_chunk_of_given_sizes, 0, REQUESTS / request_step());
	tcase_add_test(tests, sizes_that_overflow_are_refused);
	tcase_add_test(tests, large_regions_enlarge_an_automatic_unit);
	tcase_add_test(tests, several_spaces_do_not_touch);
	tcase_add_test(tests, setting_cpus_adds_possible_cpus_but_takes_none_away);
	tcase_add_test(tests, without_sysfs_every_number_the_kernel_can_use_is_possible);
	tcase_add_test(tests, settings_choose_sizes);
	tcase_add_loop_test(tests, bad_setting_is_named_and_aborts, 0, COUNT(bad_settings));
	tcase_add_test(tests, debug_setting_prints_the_layout);
	tcase_add_test(tests, debug_setting_survives_any_topology);
	tcase_add_test(tests, limited_address_space_gets_a_smaller_unit);
	tcase_add_test(tests, limited_address_space_still_gets_the_regions_asked_for);
	tcase_add_test(tests, too_little_address_space_says_so);
	tcase_add_test(tests, set_up_happens_once);
	tcase_add_test(tests, layout_copy_near_the_cookies_equals_the_layout);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(int argc, char **argv)
{
	static const struct scene scenes[] = { { "layout", scene_layout } };
	int status = play_named(scenes, COUNT(scenes), argc, argv);
	SRunner *runner;

	if (status >= 0)
		return status;
	runner = srunner_create(make_suite());
	/* Valgrind looks for leaks in all units at the end of each process: one has to do. Not so for QEMU 7.2, which
	 * gives each mapping a lower address than the last, and on hppa dies of an assertion of its own (open_self_maps)
	 * when mappings are read once one of them has got to the end of the address space. */
	if (under_valgrind())
		srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	status = srunner_ntests_failed(runner) ? EXIT_FAILURE : EXIT_SUCCESS;
	srunner_free(runner);
	return status;
}
