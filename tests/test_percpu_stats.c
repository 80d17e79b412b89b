/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Statistics of per-CPU memory, and which pages are in memory.
 *
 * They are compared with a model: the areas that the test itself allocated, and the pages that
 * /proc/self/pagemap tells, which is read here.  What the library holds back in lists, the model
 * knows only after pcpu_trim(), when there is nothing; then every number must be exact.
 *
 * The numbers are those of a whole process, so each run is a scene in a fresh one.
 */
#define _GNU_SOURCE
#include "percpu/internal.h"
#include "tests/percpu/helper.h"

#include <check.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MOST_CHUNKS 64
#define MOST_AREAS 1024

/* In a scene: say what is wrong, and fail. */
#define need_equal(found, wanted)                                                                  \
	do {                                                                                       \
		size_t found_ = (found), wanted_ = (wanted);                                       \
		if (found_ != wanted_) {                                                           \
			printf("line %d: %s is %zu, not %zu\n", __LINE__, #found, found_,          \
			       wanted_);                                                           \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)
#define need(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("line %d: not so: %s\n", __LINE__, #condition);                     \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

/* ---- The model ------------------------------------------------------------------------------ */

struct area {
	size_t offset, size;
	void __percpu *pointer;
};

static struct area areas[MOST_AREAS];
static size_t num_areas, smallest_ever, largest_ever;
static size_t page_size;
static uintptr_t cookies, units;
static size_t unit_size;
static int pagemap = -1;

static struct pcpu_totals stats;
static struct pcpu_chunk_stats chunks[MOST_CHUNKS];
static size_t num_chunks;

static void begin_model(void)
{
	struct pcpu_map map;

	pcpu_get_map(&map);
	cookies = map.cookies;
	units = map.units;
	unit_size = map.unit_size;
	page_size = (size_t)sysconf(_SC_PAGESIZE);
	pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	need(pagemap >= 0);
}

static void look(void)
{
	num_chunks = pcpu_stats(&stats, chunks, MOST_CHUNKS);
	need(num_chunks <= MOST_CHUNKS);
}

static struct area *add_area(size_t size, size_t align, bool reserved)
{
	void __percpu *pointer =
		reserved ? __alloc_reserved_percpu(size, align) : __alloc_percpu(size, align);
	size_t rounded = (size + 3) & ~(size_t)3;

	need(pointer && num_areas < MOST_AREAS);
	areas[num_areas] = (struct area){ (uintptr_t)pointer - cookies, rounded, pointer };
	if (!smallest_ever || rounded < smallest_ever)
		smallest_ever = rounded;
	if (rounded > largest_ever)
		largest_ever = rounded;
	return &areas[num_areas++];
}

static void remove_area(size_t index)
{
	free_percpu(areas[index].pointer);
	areas[index] = areas[--num_areas];
}

static int compare_sizes(const void *a, const void *b)
{
	size_t first = *(const size_t *)a, second = *(const size_t *)b;

	return (first > second) - (first < second);
}

static int compare_offsets(const void *a, const void *b)
{
	return compare_sizes(&((const struct area *)a)->offset, &((const struct area *)b)->offset);
}

static bool lies_in(const struct area *area, const struct pcpu_chunk_stats *chunk)
{
	return area->offset >= chunk->offset && area->offset < chunk->offset + chunk->size;
}

/* Whether the kernel can tell the common page of zeros from others when it scans. */
static bool knows_zero_page(void)
{
	struct utsname system;
	int major, minor;

	need(uname(&system) == 0 && sscanf(system.release, "%d.%d", &major, &minor) == 2);
	return major > 6 || (major == 6 && minor >= 7);
}

/* Whether the kernel has the page of a unit at an offset: bit 63 of its entry says present, 62
 * swapped out, 56 that no other process maps it, which is never so of the page of zeros. */
static bool is_there(unsigned int cpu, size_t offset)
{
	uint64_t entry;
	uintptr_t address = units + cpu * unit_size + offset;

	need(pread(pagemap, &entry, sizeof(entry), (off_t)(address / page_size * sizeof(entry))) ==
	     sizeof(entry));
	return (entry >> 63 && (entry >> 56 & 1 || !knows_zero_page())) || (entry >> 62 & 1);
}

/* On how many CPUs. */
static size_t count_there(size_t offset)
{
	unsigned int cpu;
	size_t sum = 0;

	for_each_possible_cpu(cpu)
		sum += is_there(cpu, offset);
	return sum;
}

static bool is_page_used(size_t offset)
{
	for (size_t i = 0; i < num_areas; i++) {
		if (areas[i].offset < offset + page_size &&
		    areas[i].offset + areas[i].size > offset)
			return true;
	}
	return false;
}

/* ---- Comparing ------------------------------------------------------------------------------ */

static void check_areas(const struct pcpu_chunk_stats *chunk)
{
	size_t sizes[MOST_AREAS], count = 0, used = 0;

	for (size_t i = 0; i < num_areas; i++) {
		if (!lies_in(&areas[i], chunk))
			continue;
		used += areas[i].size;
		sizes[count++] = areas[i].size;
	}
	qsort(sizes, count, sizeof(*sizes), compare_sizes);
	need_equal(chunk->areas, count);
	need_equal(chunk->used, used);
	need_equal(chunk->used + chunk->idle + chunk->free, chunk->size);
	need_equal(chunk->smallest, count ? sizes[0] : 0);
	need_equal(chunk->median, count ? sizes[(count - 1) / 2] : 0);
	need_equal(chunk->largest, count ? sizes[count - 1] : 0);
}

/* A gap of the model: what lies between two areas, or an area and the chunk's end. */
static void add_gap(struct pcpu_chunk_stats *wanted, size_t begin, size_t end, bool last)
{
	if (begin == end)
		return;
	wanted->fragments++;
	wanted->fragmented += last ? 0 : end - begin;
	if (end - begin > wanted->largest_free)
		wanted->largest_free = end - begin;
}

/* Where nothing is idle, the areas sorted. */
static void check_gaps(const struct pcpu_chunk_stats *chunk)
{
	struct pcpu_chunk_stats wanted = { .free = chunk->size };
	size_t from = chunk->offset;

	for (size_t i = 0; i < num_areas; i++) {
		if (!lies_in(&areas[i], chunk))
			continue;
		add_gap(&wanted, from, areas[i].offset, false);
		wanted.free -= areas[i].size;
		from = areas[i].offset + areas[i].size;
	}
	add_gap(&wanted, from, chunk->offset + chunk->size, true);
	need_equal(chunk->idle, 0);
	need_equal(chunk->free, wanted.free);
	need_equal(chunk->fragments, wanted.fragments);
	need_equal(chunk->fragmented, wanted.fragmented);
	need_equal(chunk->largest_free, wanted.largest_free);
}

static void check_pages(const struct pcpu_chunk_stats *chunk)
{
	size_t end = chunk->offset + chunk->size, resident = 0, empty = 0;

	for (size_t page = (chunk->offset + page_size - 1) / page_size * page_size; page < end;
	     page += page_size) {
		size_t there = count_there(page);

		resident += there;
		if (page + page_size <= end && !is_page_used(page))
			empty += there;
	}
	need_equal(chunk->resident, resident);
	need_equal(chunk->empty, empty);
}

static void check_sums(void)
{
	struct pcpu_totals sum = { 0 };

	for (size_t i = 0; i < num_chunks; i++) {
		sum.areas += chunks[i].areas;
		sum.used += chunks[i].used;
		sum.idle += chunks[i].idle;
		sum.free += chunks[i].free;
		sum.fragments += chunks[i].fragments;
		sum.fragmented += chunks[i].fragmented;
		sum.resident += chunks[i].resident;
		sum.empty += chunks[i].empty;
		need(i == 0 || chunks[i].offset >= chunks[i - 1].offset + chunks[i - 1].size);
		need(chunks[i].kind == (i ? PCPU_DYNAMIC : PCPU_RESERVED));
	}
	need_equal(stats.areas, sum.areas);
	need_equal(stats.areas, num_areas);
	need_equal(stats.used, sum.used);
	need_equal(stats.idle, sum.idle);
	need_equal(stats.free, sum.free);
	need_equal(stats.fragments, sum.fragments);
	need_equal(stats.fragmented, sum.fragmented);
	need_equal(stats.resident, sum.resident);
	need_equal(stats.empty, sum.empty);
	need_equal(stats.chunks, num_chunks - 1);
	need_equal(stats.page, page_size);
	need_equal(stats.smallest, smallest_ever);
	need_equal(stats.largest, largest_ever);
}

/* With what else the library tells. */
static void check_map(void)
{
	struct pcpu_map map;

	pcpu_get_map(&map);
	need_equal(map.areas, stats.areas);
	need_equal(map.reserved_used + map.dynamic_used, stats.used);
	need_equal(map.chunks, stats.chunks);
}

static void compare(bool trimmed)
{
	look();
	qsort(areas, num_areas, sizeof(*areas), compare_offsets);
	for (size_t i = 0; i < num_chunks; i++) {
		check_areas(&chunks[i]);
		check_pages(&chunks[i]);
		if (trimmed)
			check_gaps(&chunks[i]);
	}
	check_sums();
	check_map();
	if (trimmed)
		need_equal(stats.empty, 0);
}

/* ---- Scenes --------------------------------------------------------------------------------- */

static void write_copies(const struct area *area, unsigned int step)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		if (cpu % step == 0)
			memset(per_cpu_ptr((char __percpu *)area->pointer, cpu), 1, area->size);
	}
}

static void fill(void)
{
	static const size_t sizes[] = { 1, 4, 12, 16, 24, 64, 100, 256, 260, 1000, 5000, 20000 };

	for (size_t i = 0; i < 20 * COUNT(sizes); i++)
		write_copies(add_area(sizes[i % COUNT(sizes)], 4, i % 7 == 0),
			     1 + (unsigned int)(i % 5));
	add_area(300000, 64, false);
	write_copies(add_area(300000, 4096, false), 3);
}

static void free_every(size_t nth)
{
	for (size_t i = num_areas; i-- > 0;) {
		if (i % nth == 0)
			remove_area(i);
	}
}

/* From nothing to much to nothing, looking all the way. */
static int scene_model(void)
{
	size_t most;

	begin_model();
	compare(false);
	fill();
	compare(false);
	most = stats.chunks;
	need(most > 3);
	need(stats.most_areas >= num_areas);
	free_every(3);
	compare(false);
	need(stats.idle > 0);
	need(stats.fragments > num_chunks);
	pcpu_trim();
	compare(true);
	need(stats.fragmented > 0);
	free_every(1);
	compare(false);
	pcpu_trim();
	compare(true);
	need_equal(stats.areas, 0);
	need_equal(stats.resident, 0);
	need_equal(stats.chunks, 1);
	need_equal(stats.most_chunks, most);
	return 0;
}

/* Without lists of CPUs the most is exact. */
static int scene_most(void)
{
	begin_model();
	need(strcmp(pcpu_ops_name(), "atomic") == 0);
	for (int i = 0; i < 300; i++)
		add_area(i % 2 ? 8 : 600, 4, i % 3 == 0);
	free_every(2);
	compare(false);
	need_equal(stats.most_areas, 300);
	pcpu_trim();
	for (int i = 0; i < 100; i++)
		add_area(40, 4, false);
	compare(false);
	need_equal(stats.most_areas, 300);
	add_area(PCPU_CHUNK, 4, false);
	remove_area(num_areas - 1);
	need(num_areas < 300);
	free_every(1);
	look();
	need_equal(stats.most_chunks, 2);
	need_equal(stats.most_areas, 300);
	return 0;
}

/* Regions that share pages, and a unit's static variables, by the chunks of which it consists. */
static int scene_shared_pages(void)
{
	begin_model();
	look();
	need_equal(chunks[0].size, 5000);
	need_equal(chunks[1].size, 3000);
	need(chunks[1].offset % page_size != 0);
	write_copies(add_area(5000, 4, true), 1);
	write_copies(add_area(3000, 4, false), 1);
	compare(false);
	need(stats.resident > 0);
	remove_area(1);
	pcpu_trim();
	compare(true);
	return 0;
}

static int scene_few_wanted(void)
{
	struct pcpu_chunk_stats few[2];

	begin_model();
	fill();
	memset(few, 0x55, sizeof(few));
	look();
	need_equal(pcpu_stats(&stats, few, 1), num_chunks);
	check_sums();
	need(memcmp(&few[0], &chunks[0], sizeof(few[0])) == 0);
	need(few[1].offset == (SIZE_MAX / 255) * 0x55);
	need_equal(pcpu_stats(&stats, NULL, 0), num_chunks);
	check_sums();
	return 0;
}

/* Every page of every unit, up to where there is nothing any more. */
static int scene_resident(void)
{
	static unsigned char pages[1 << 16];
	unsigned int cpu;
	size_t end, sum = 0;

	begin_model();
	fill();
	look();
	end = chunks[num_chunks - 1].offset + chunks[num_chunks - 1].size;
	need(end / page_size < sizeof(pages));
	for_each_possible_cpu(cpu) {
		memset(pages, 0x55, sizeof(pages));
		need_equal((size_t)pcpu_resident(cpu, 0, end, pages), 0);
		for (size_t i = 0; i < end / page_size; i++) {
			need(pages[i] == is_there(cpu, i * page_size));
			sum += pages[i];
		}
		need(pages[(end + page_size - 1) / page_size] == 0x55);
	}
	need_equal(sum, stats.resident + stats.static_resident);
	need(sum > 100);
	return 0;
}

static bool stop;

static void *churn(void *unused UNUSED)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		void __percpu *small[40], *large = __alloc_percpu(30000, 8);

		for (size_t i = 0; i < COUNT(small); i++)
			small[i] = __alloc_percpu(4 + i * 4, 4);
		for (size_t i = 0; i < COUNT(small); i++)
			free_percpu(small[i]);
		free_percpu(large);
	}
	return NULL;
}

/* Whatever others do meanwhile, the numbers are those of one moment. */
static int scene_threads(void)
{
	pthread_t threads[3];

	begin_model();
	for (size_t i = 0; i < COUNT(threads); i++)
		need(pthread_create(&threads[i], NULL, churn, NULL) == 0);
	for (int i = 0; i < 100; i++) {
		size_t areas_there = 0, used = 0;

		look();
		for (size_t j = 0; j < num_chunks; j++) {
			need_equal(chunks[j].used + chunks[j].idle + chunks[j].free,
				   chunks[j].size);
			need(chunks[j].smallest <= chunks[j].median);
			need(chunks[j].median <= chunks[j].largest);
			need(chunks[j].empty <= chunks[j].resident);
			areas_there += chunks[j].areas;
			used += chunks[j].used;
		}
		need_equal(stats.areas, areas_there);
		need_equal(stats.used, used);
		need(stats.areas <= COUNT(threads) * 41);
		need(stats.most_areas >= stats.areas);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	pcpu_trim();
	look();
	need_equal(stats.areas, 0);
	need_equal(stats.idle, 0);
	return 0;
}

static const struct scene scenes[] = {
	{ "model", scene_model },
	{ "most", scene_most },
	{ "shared_pages", scene_shared_pages },
	{ "few_wanted", scene_few_wanted },
	{ "resident", scene_resident },
	{ "threads", scene_threads },
};

/* ---- Tests ---------------------------------------------------------------------------------- */

static void play_well(const char *scene, const char *const *settings)
{
	struct outcome outcome;

	setenv("PERCPU_CHECK", "0", 1); /* guard gaps would count as used */
	outcome = play(scene, settings, 0);
	ck_assert_msg(ended_well(&outcome), "%s, %s: %s", scene, settings[0], outcome.text);
}

static const char *const cpu_settings[] = { "PERCPU_CPUS=1", "PERCPU_CPUS=2", "PERCPU_CPUS=64" };

START_TEST(numbers_agree_with_a_model)
{
	const char *const settings[] = { cpu_settings[_i], "PERCPU_RESERVED=1M", NULL };

	play_well("model", settings);
}
END_TEST

START_TEST(numbers_agree_with_a_model_without_lists)
{
	const char *const settings[] = { cpu_settings[_i], "PERCPU_RESERVED=1M",
					 "PERCPU_OPS=atomic", NULL };

	play_well("model", settings);
}
END_TEST

START_TEST(most_is_remembered)
{
	const char *const settings[] = { "PERCPU_OPS=atomic", NULL };

	play_well("most", settings);
}
END_TEST

START_TEST(pages_shared_by_regions_are_counted_once)
{
	const char *const settings[] = { "PERCPU_RESERVED=5000", "PERCPU_DYNAMIC=3000", NULL };

	play_well("shared_pages", settings);
}
END_TEST

START_TEST(caller_decides_how_many_chunks)
{
	const char *const settings[] = { "PERCPU_RESERVED=1M", NULL };

	play_well("few_wanted", settings);
}
END_TEST

START_TEST(resident_pages_are_those_of_the_kernel)
{
	const char *const settings[] = { cpu_settings[_i], "PERCPU_RESERVED=1M", NULL };

	play_well("resident", settings);
}
END_TEST

START_TEST(numbers_are_those_of_one_moment)
{
	const char *const settings[] = { "PERCPU_RESERVED=1M", NULL };

	play_well("threads", settings);
}
END_TEST

START_TEST(bad_ranges_are_einval)
{
	unsigned char pages[2] = { 7, 7 };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct pcpu_map map;

	pcpu_get_map(&map);
	ck_assert_int_eq(pcpu_resident(nr_cpu_ids, 0, page, pages), -EINVAL);
	ck_assert_int_eq(pcpu_resident(0, 1, page, pages), -EINVAL);
	ck_assert_int_eq(pcpu_resident(0, map.unit_size, 1, pages), -EINVAL);
	ck_assert_int_eq(pcpu_resident(0, map.unit_size - page, page + 1, pages), -EINVAL);
	ck_assert_int_eq(pcpu_resident(0, page, SIZE_MAX, pages), -EINVAL);
	ck_assert_int_eq(pcpu_resident(0, SIZE_MAX - page + 1, page, pages), -EINVAL);
	ck_assert_uint_eq(pages[0], 7);
	ck_assert_int_eq(pcpu_resident(0, map.unit_size, 0, pages), 0);
	ck_assert_uint_eq(pages[0], 7);
	ck_assert_int_eq(pcpu_resident(0, map.unit_size - page, page, pages), 0);
	ck_assert_uint_eq(pages[0], 0);
	/* A part of a page is that page, and not the next. */
	ck_assert_int_eq(pcpu_resident(0, map.unit_size - 2 * page, 1, pages), 0);
	ck_assert_uint_eq(pages[1], 7);
}
END_TEST

/* ---- The other ways to ask ------------------------------------------------------------------ */

#define PAGES ((size_t)1200)

/* Some pages written in a fresh range of memory; returns a bitmap of them. */
static char *write_pages(size_t page, uint64_t *written)
{
	char *memory = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ck_assert_ptr_ne(memory, MAP_FAILED);
	madvise(memory, PAGES * page, MADV_NOHUGEPAGE);
	memset(written, 0, (PAGES + 63) / 64 * sizeof(*written));
	for (size_t i = 0; i < PAGES; i += 1 + i % 7) {
		memory[i * page] = 1;
		written[i / 64] |= (uint64_t)1 << (i % 64);
	}
	return memory;
}

START_TEST(pages_are_found_with_and_without_proc)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t written[(PAGES + 63) / 64], found[(PAGES + 63) / 64];
	char *memory = write_pages(page, written);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	pcpu_find_pages(fd, (uintptr_t)memory, PAGES, page, found);
	ck_assert_mem_eq(found, written, sizeof(found));
	pcpu_find_pages(-1, (uintptr_t)memory, PAGES, page, found);
	ck_assert_mem_eq(found, written, sizeof(found));
	close(fd);
	munmap(memory, PAGES * page);
}
END_TEST

/* A file that does not know the call, as /proc's before Linux 6.7: its entries are read. */
START_TEST(entries_are_read_where_there_is_no_scan)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t address = 0x12340000;
	uint64_t entry[100] = { 0 }, found[2];
	int fd = memfd_create("pagemap", MFD_CLOEXEC);

	entry[0] = (uint64_t)1 << 63;	  /* present */
	entry[70] = (uint64_t)1 << 62;	  /* swapped out */
	entry[71] = ~((uint64_t)3 << 62); /* neither, whatever else it says */
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, entry, sizeof(entry), (off_t)(address / page * sizeof(*entry))),
			 sizeof(entry));
	pcpu_find_pages(fd, address, COUNT(entry), page, found);
	ck_assert_uint_eq(found[0], 1);
	ck_assert_uint_eq(found[1], 1 << (70 - 64));
	/* Behind the file's end nothing is known, so all may be there. */
	pcpu_find_pages(fd, address + 0x10000 * page, 64, page, found);
	ck_assert_uint_eq(found[0], UINT64_MAX);
	close(fd);
}
END_TEST

static void add_tests_of_pages(TCase *tests)
{
	tcase_add_loop_test(tests, numbers_agree_with_a_model, 0, COUNT(cpu_settings));
	tcase_add_loop_test(tests, numbers_agree_with_a_model_without_lists, 0,
			    COUNT(cpu_settings));
	tcase_add_test(tests, most_is_remembered);
	tcase_add_test(tests, pages_shared_by_regions_are_counted_once);
	tcase_add_loop_test(tests, resident_pages_are_those_of_the_kernel, 0, COUNT(cpu_settings));
	tcase_add_test(tests, pages_are_found_with_and_without_proc);
	tcase_add_test(tests, entries_are_read_where_there_is_no_scan);
}

int main(int argc, char **argv)
{
	int status = play_named(scenes, COUNT(scenes), argc, argv);
	SRunner *runner;
	Suite *suite;
	TCase *tests;

	if (status >= 0)
		return status;
	suite = suite_create("percpu_stats");
	tests = tcase_create("stats");
	tcase_set_timeout(tests, 300);
	/* QEMU 7.2's mincore() writes a byte for each of its host's pages: too many where pages are larger. */
	if (emulator() && sysconf(_SC_PAGESIZE) > 4096) {
		printf("skipped: how many pages are there, which the emulator can't tell\n");
	} else {
		tcase_add_test(tests, caller_decides_how_many_chunks);
		tcase_add_test(tests, numbers_are_those_of_one_moment);
	}
	tcase_add_test(tests, bad_ranges_are_einval);
	/* The others compare with pages that the kernel knows of, and an emulator doesn't. */
	if (!emulator())
		add_tests_of_pages(tests);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	status = srunner_ntests_failed(runner) ? EXIT_FAILURE : EXIT_SUCCESS;
	srunner_free(runner);
	return status;
}
