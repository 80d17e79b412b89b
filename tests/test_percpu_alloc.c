/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The per-CPU allocator: sizes, alignments, zeroed memory, exhaustion, chunks that come and go,
 * memory given back, bad pointers, threads and fork.
 *
 * Most run on the process's own space through the public interface.  Where a small space or many
 * CPUs are wanted, a space of the test's own is made with the internal functions; it is compared
 * with a model: a plain array that says which area owns each grain.
 */
#define _GNU_SOURCE
#include "percpu/internal.h"
#include "tests/percpu/helper.h"

#include <check.h>
#include <pthread.h>
#include <sys/mman.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What has been written in all units (KiB). */
static size_t own_memory(void)
{
	struct pcpu_map map;

	pcpu_get_map(&map);
	return memory_in(map.units, map.units + nr_cpu_ids * map.unit_size);
}

static bool is_slow(void)
{
	return SANITIZED || is_emulated();
}

/* xorshift64*: the same numbers in every run. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1d;
}

static struct pcpu_map get_map(void)
{
	struct pcpu_map map;

	pcpu_get_map(&map);
	return map;
}

static void fill_copies(char __percpu *area, size_t size, unsigned char seed)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		memset(per_cpu_ptr(area, cpu), seed + (int)cpu, size);
}

static bool all_bytes_are(const char *bytes, size_t size, unsigned char value)
{
	return size == 0 ||
	       ((unsigned char)bytes[0] == value && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static void check_copies(char __percpu *area, size_t size, unsigned char seed, bool zero)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		unsigned char value = zero ? 0 : (unsigned char)(seed + cpu);

		check_that(all_bytes_are(per_cpu_ptr(area, cpu), size, value));
	}
}

/* ---- Requests ------------------------------------------------------------------------------- */

START_TEST(every_alignment_is_honoured_for_every_size)
{
	static const size_t sizes[] = { 1,  2,	3,   4,	   5,	 7,    8,    12,
					31, 64, 100, 4095, 4096, 4097, 70001 };
	char __percpu *area[COUNT(sizes)][13];

	for (size_t i = 0; i < COUNT(sizes); i++) {
		for (unsigned int shift = 0; shift <= 12; shift++) {
			area[i][shift] = __alloc_percpu(sizes[i], (size_t)1 << shift);
			ck_assert_ptr_nonnull(area[i][shift]);
			ck_assert_uint_eq((uintptr_t)area[i][shift] % ((uintptr_t)1 << shift), 0);
			check_copies(area[i][shift], sizes[i], 0, true);
			fill_copies(area[i][shift], sizes[i], (unsigned char)(i * 13 + shift + 1));
		}
	}
	for (size_t i = 0; i < COUNT(sizes); i++) {
		for (unsigned int shift = 0; shift <= 12; shift++) {
			check_copies(area[i][shift], sizes[i], (unsigned char)(i * 13 + shift + 1),
				     false);
			free_percpu(area[i][shift]);
		}
	}
}
END_TEST

START_TEST(bad_requests_are_einval)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const struct {
		size_t size, align;
	} bad[] = {
		{ 0, 1 },
		{ 0, 8 },
		{ 8, 0 },
		{ 8, 3 },
		{ 8, 12 },
		{ 8, 2 * page },
		{ 8, SIZE_MAX },
		{ 8, (SIZE_MAX >> 1) + 1 },
		{ SIZE_MAX, 1 },
		{ SIZE_MAX - 2, 4 },
		{ PTRDIFF_MAX, 8 },
		{ get_map().unit_size + 1, 8 },
		{ pcpu_max_size() + 1, 1 },
	};
	struct pcpu_map before = get_map(), after;

	for (size_t i = 0; i < COUNT(bad); i++) {
		errno = 0;
		ck_assert_ptr_null(__alloc_percpu(bad[i].size, bad[i].align));
		ck_assert_msg(errno == EINVAL, "size %zu, alignment %zu: errno %d", bad[i].size,
			      bad[i].align, errno);
	}
	errno = 0;
	ck_assert_ptr_null(__alloc_reserved_percpu(0, 1));
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_ptr_null(__alloc_reserved_percpu(before.reserved_size + 1, 1));
	ck_assert_int_eq(errno, ENOMEM);
	after = get_map();
	ck_assert_mem_eq(&before, &after, sizeof(before));
}
END_TEST

START_TEST(null_is_freed_without_effect)
{
	struct pcpu_map before = get_map(), after;

	free_percpu(NULL);
	after = get_map();
	ck_assert_mem_eq(&before, &after, sizeof(before));
}
END_TEST

START_TEST(type_decides_size_and_alignment)
{
	struct wide {
		char c[65];
	} __attribute__((aligned(128)));
	struct pcpu_map before = get_map();
	struct wide __percpu *wide = alloc_percpu(struct wide);
	int(__percpu * array)[5] = alloc_percpu(int[5]);

	ck_assert(wide && array);
	ck_assert_uint_eq((uintptr_t)wide % 128, 0);
	ck_assert_uint_eq(get_map().dynamic_used - before.dynamic_used, 128 + 20);
	free_percpu(wide);
	free_percpu(array);
}
END_TEST

START_TEST(largest_size_can_be_allocated_again_and_again)
{
	size_t most = pcpu_max_size();

	ck_assert_uint_ge(most, get_map().unit_size / 4);
	for (int i = 0; i < 3; i++) {
		char __percpu *area, *small = __alloc_percpu(PCPU_CHUNK, 8);
		unsigned int cpu;

		/* A small chunk that stays empty must not be in the way. */
		ck_assert_ptr_nonnull(small);
		free_percpu(small);
		area = __alloc_percpu(most, 4096);

		ck_assert_ptr_nonnull(area);
		for_each_possible_cpu(cpu) {
			ck_assert_int_eq(*per_cpu_ptr(area, cpu), 0);
			ck_assert_int_eq(*per_cpu_ptr(area + most - 1, cpu), 0);
			*per_cpu_ptr(area, cpu) = *per_cpu_ptr(area + most - 1, cpu) = 1;
		}
		errno = 0;
		ck_assert_ptr_null(__alloc_percpu(most, 1));
		ck_assert_int_eq(errno, ENOMEM);
		/* The first chunk is still there for small ones. */
		small = __alloc_percpu(100, 8);
		ck_assert_ptr_nonnull(small);
		free_percpu(small);
		free_percpu(area);
	}
}
END_TEST

/* In a unit without room for further chunks, the first one's dynamic part is what there is. */
static int scene_tight(void)
{
	size_t most = pcpu_max_size();
	void __percpu *area = __alloc_percpu(most, 1);

	printf("most %zu works %d more %d", most, area != NULL, __alloc_percpu(1, 1) != NULL);
	return 0;
}

START_TEST(largest_size_in_a_tight_unit_is_the_first_chunks)
{
	static const char *const settings[] = { "PERCPU_UNIT=64K", "PERCPU_RESERVED=4K",
						"PERCPU_DYNAMIC=60K", NULL };
	struct outcome outcome = play("tight", settings, 0);

	ck_assert_str_eq(outcome.text, "most 61440 works 1 more 0");
}
END_TEST

/* ---- A model of a small space --------------------------------------------------------------- */

#define MODEL_UNIT (2 * MIB)
#define MODEL_GRAINS (MODEL_UNIT / PCPU_GRAIN)
#define MODEL_AREAS 2000
#define MODEL_CPUS 3

struct model {
	struct pcpu_space space;
	uint16_t owner[MODEL_GRAINS]; /* number of the area plus one; 0: free */
	struct {
		size_t offset, size;
	} area[MODEL_AREAS];  /* size 0: none */
	size_t live, refused; /* refused: dynamic ones */
	uint64_t random;
};

static struct model model;

static void open_model(void)
{
	memset(&model, 0, sizeof(model));
	model.random = 20240607;
	setenv("PERCPU_CPUS", "3", 1);
	ck_assert_int_eq(pcpu_space_init(&model.space, 1000, 30000, PCPU_AUTO, MODEL_UNIT), 0);
	unsetenv("PERCPU_CPUS");
	ck_assert_uint_ge(model.space.nr_cpus, MODEL_CPUS);
}

/* Whether the model sees room: a free gap that does not cross a chunk's slot. */
static bool model_has_room(size_t size, size_t align)
{
	size_t grains = (size + PCPU_GRAIN - 1) / PCPU_GRAIN, slot = PCPU_CHUNK / PCPU_GRAIN;
	size_t step = align > PCPU_GRAIN ? align / PCPU_GRAIN : 1;
	size_t begin = model.space.chunk[0].begin;
	size_t behind = (model.space.chunk[0].end + slot - 1) / slot * slot;

	for (size_t at = (begin + step - 1) / step * step; at + grains <= MODEL_GRAINS;
	     at += step) {
		size_t limit = at < model.space.chunk[0].end ? model.space.chunk[0].end
							     : at / slot * slot + slot;
		size_t i = at;

		if ((at >= model.space.chunk[0].end && at < behind) || at + grains > limit)
			continue;
		while (i < at + grains && !model.owner[i])
			i++;
		if (i == at + grains)
			return true;
	}
	return false;
}

static void model_take(size_t number, size_t size, size_t align, bool reserved)
{
	size_t offset = pcpu_take(&model.space, size, align, reserved);
	size_t low = reserved ? model.space.reserved.begin : model.space.chunk[0].begin;
	size_t high = reserved ? model.space.reserved.end : MODEL_GRAINS;

	if (offset == SIZE_MAX) {
		model.refused += !reserved;
		check_that(reserved || size > PCPU_CHUNK || !model_has_room(size, align));
		return;
	}
	check_that(offset % align == 0);
	check_that(offset >= low * PCPU_GRAIN);
	check_that(offset + size <= high * PCPU_GRAIN);
	for (size_t i = offset / PCPU_GRAIN; i < (offset + size + PCPU_GRAIN - 1) / PCPU_GRAIN;
	     i++) {
		check_that(!model.owner[i]);
		model.owner[i] = (uint16_t)(number + 1);
	}
	for (unsigned int cpu = 0; cpu < model.space.nr_cpus; cpu++) {
		char *bytes = pcpu_unit_address(&model.space, cpu, offset);

		check_that(all_bytes_are(bytes, size, 0));
		memset(bytes, (int)(number * 5 + cpu) % 251 + 1, size);
	}
	model.area[number].offset = offset;
	model.area[number].size = size;
	model.live++;
}

static void model_give(size_t number)
{
	size_t offset = model.area[number].offset, size = model.area[number].size;

	for (unsigned int cpu = 0; cpu < model.space.nr_cpus; cpu++)
		check_that(all_bytes_are(pcpu_unit_address(&model.space, cpu, offset), size,
					 (unsigned char)((int)(number * 5 + cpu) % 251 + 1)));
	check_that(!pcpu_give(&model.space, offset));
	/* Freed twice is known even before anything else happens. */
	check_that(pcpu_give(&model.space, offset));
	memset(&model.owner[offset / PCPU_GRAIN], 0,
	       (size + PCPU_GRAIN - 1) / PCPU_GRAIN * sizeof(model.owner[0]));
	model.area[number].size = 0;
	model.live--;
}

/* Mostly small, some of pages, few larger than a chunk. */
static size_t random_size(void)
{
	size_t kind = (size_t)next_random(&model.random) % 1000;
	size_t number = (size_t)next_random(&model.random);

	if (kind < 700)
		return 1 + number % 200;
	if (kind < 950)
		return 1 + number % 5000;
	if (kind < 997)
		return 1 + number % 40000;
	return 1 + number % (3 * PCPU_CHUNK);
}

static void check_model_counters(void)
{
	size_t used = 0, free = 0, empty = 0;

	ck_assert_uint_eq(model.space.areas, model.live);
	for (size_t i = 0; i < MODEL_GRAINS; i++)
		used += model.owner[i] != 0;
	free = model.space.reserved.free;
	used -= model.space.reserved.end - model.space.reserved.begin - free;
	for (size_t i = 0; i < model.space.top; i++) {
		const struct pcpu_chunk *chunk = &model.space.chunk[i];

		if (!chunk->live)
			continue;
		used -= chunk->end - chunk->begin - chunk->free;
		empty += i > 0 && chunk->free == chunk->end - chunk->begin;
	}
	ck_assert_uint_eq(model.space.empty, empty);
	ck_assert_uint_le(empty, 1);
	ck_assert_uint_eq(used, 0);
}

START_TEST(random_operations_agree_with_a_model)
{
	open_model();
	for (int step = 0; step < (is_slow() ? 20000 : 100000); step++) {
		size_t number = (size_t)next_random(&model.random) % MODEL_AREAS;
		uint64_t shift = next_random(&model.random) % 40;

		if (model.area[number].size)
			model_give(number);
		else
			model_take(number, random_size(), (size_t)1 << (shift <= 12 ? shift : 0),
				   number % 50 == 0);
		if (step % 5000 == 0)
			check_model_counters();
	}
	/* It was full now and then, or the test has missed something. */
	ck_assert_uint_gt(model.refused, 20);
	for (size_t number = 0; number < MODEL_AREAS; number++) {
		if (model.area[number].size)
			model_give(number);
	}
	check_model_counters();
	ck_assert_uint_eq(model.space.areas, 0);
	/* All free areas have merged: each chunk is one again. */
	model_take(0, model.space.dynamic_size, 4, false);
	model_take(1, model.space.slots * PCPU_CHUNK, 4096, false);
	model_take(2, model.space.reserved_size, 4, true);
	ck_assert_uint_eq(model.live, 3);
	pcpu_space_exit(&model.space);
}
END_TEST

START_TEST(exhaustion_is_refused_and_recovers)
{
	size_t count = 0;

	open_model();
	for (int round = 0; round < 3; round++) {
		size_t offset, taken = 0;

		/* 1 032 bytes do not divide a chunk: the rest is filled by single grains. */
		while ((offset = pcpu_take(&model.space, 1032, 8, false)) != SIZE_MAX)
			model.area[taken++].offset = offset;
		ck_assert_uint_ge(taken, MODEL_UNIT / 1032 * 3 / 4);
		ck_assert(round == 0 || taken == count);
		count = taken;
		ck_assert_uint_eq(pcpu_take(&model.space, 1032, 8, false), SIZE_MAX);
		while (taken)
			ck_assert_ptr_null(pcpu_give(&model.space, model.area[--taken].offset));
		ck_assert_uint_eq(model.space.areas, 0);
	}
	pcpu_space_exit(&model.space);
}
END_TEST

START_TEST(freed_neighbours_merge_in_any_order)
{
	static const int orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
					  { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	size_t third, offset[3];

	open_model();
	third = model.space.dynamic_size / 3 / 4 * 4;
	for (int order = 0; order < 6; order++) {
		size_t whole;

		for (int i = 0; i < 3; i++)
			offset[i] = pcpu_take(&model.space, third, 4, false);
		ck_assert_uint_eq(offset[2] - offset[1], third);
		for (int i = 0; i < 3; i++)
			ck_assert_ptr_null(pcpu_give(&model.space, offset[orders[order][i]]));
		whole = pcpu_take(&model.space, 3 * third, 4, false);
		ck_assert_uint_eq(whole, offset[0]);
		ck_assert_ptr_null(pcpu_give(&model.space, whole));
	}
	pcpu_space_exit(&model.space);
}
END_TEST

/* What a chunk remembers of failures must not hide room that is there. */
START_TEST(gap_too_crooked_for_one_request_serves_another)
{
	size_t all, gap;

	open_model();
	all = model.space.slots * PCPU_CHUNK;
	ck_assert_uint_ne(pcpu_take(&model.space, all, 4, false), SIZE_MAX);
	ck_assert_uint_ne(pcpu_take(&model.space, model.space.dynamic_size - 200, 4, false),
			  SIZE_MAX);
	/* 200 bytes are left, up to the end of a page. */
	ck_assert_uint_eq(pcpu_take(&model.space, 8, 4096, false), SIZE_MAX);
	ck_assert_uint_eq(pcpu_take(&model.space, 204, 4, false), SIZE_MAX);
	gap = pcpu_take(&model.space, 200, 8, false);
	ck_assert_uint_ne(gap, SIZE_MAX);
	ck_assert_uint_eq(pcpu_take(&model.space, 1, 1, false), SIZE_MAX);
	ck_assert_ptr_null(pcpu_give(&model.space, gap));
	ck_assert_uint_eq(pcpu_take(&model.space, 200, 8, false), gap);
	pcpu_space_exit(&model.space);
}
END_TEST

START_TEST(many_short_gaps_are_told_from_a_long_one)
{
	size_t grain = 4, line = 128;

	open_model();
	ck_assert_uint_ne(pcpu_take(&model.space, model.space.slots * PCPU_CHUNK, 4, false),
			  SIZE_MAX);
	/* A grain at the start of each line: all that is left is shorter than a line. */
	while (pcpu_take(&model.space, grain, line, false) != SIZE_MAX)
		continue;
	ck_assert_uint_eq(pcpu_take(&model.space, 64, line, false), SIZE_MAX);
	ck_assert_uint_ne(pcpu_take(&model.space, line - grain, grain, false), SIZE_MAX);
	pcpu_space_exit(&model.space);
}
END_TEST

START_TEST(room_freed_in_the_first_chunk_is_used_before_others)
{
	size_t first, second;

	open_model();
	first = pcpu_take(&model.space, model.space.dynamic_size, 4, false);
	second = pcpu_take(&model.space, 64, 4, false);
	ck_assert_uint_ge(second, model.space.first_size);
	ck_assert_ptr_null(pcpu_give(&model.space, first));
	ck_assert_uint_eq(pcpu_take(&model.space, 64, 4, false), first);
	pcpu_space_exit(&model.space);
}
END_TEST

/* A gap far from the freed area's other end is still found: in one chunk, which a guard keeps. */
START_TEST(long_free_areas_merge)
{
	size_t whole = 5 * PCPU_CHUNK - 64, half = whole / 2, first, second, guard, place;

	open_model();
	ck_assert_uint_ne(pcpu_take(&model.space, model.space.dynamic_size, 4, false), SIZE_MAX);
	place = pcpu_take(&model.space, whole, 4, false);
	guard = pcpu_take(&model.space, 64, 4, false);
	ck_assert_uint_eq(guard, place + whole);
	ck_assert_ptr_null(pcpu_give(&model.space, place));
	first = pcpu_take(&model.space, half, 4, false);
	second = pcpu_take(&model.space, half, 4, false);
	ck_assert_uint_eq(first, place);
	ck_assert_uint_eq(second, place + half);
	ck_assert_ptr_null(pcpu_give(&model.space, second));
	ck_assert_ptr_null(pcpu_give(&model.space, first));
	ck_assert_uint_eq(pcpu_take(&model.space, 2 * half, 4, false), place);
	pcpu_space_exit(&model.space);
}
END_TEST

/* ---- Memory: zeroed, given back, not touched ------------------------------------------------ */

START_TEST(recycled_memory_is_zero_on_every_cpu)
{
	static const size_t sizes[] = { 4, 24, 64, 4096, 6000, 65536, 300000 };

	for (size_t i = 0; i < COUNT(sizes); i++) {
		uintptr_t first = 0;
		int recycled = 0;

		/* The first free place; freed areas wait for others before they come back. */
		pcpu_trim();
		for (int round = 0; round < 20000 && recycled < 3; round++) {
			char __percpu *area = __alloc_percpu(sizes[i], 4);

			recycled += (uintptr_t)area == first;
			if (!first)
				first = (uintptr_t)area;
			check_copies(area, sizes[i], 0, true);
			fill_copies(area, sizes[i], 0xa5);
			free_percpu(area);
		}
		ck_assert_msg(recycled == 3, "%zu bytes never came from the same place", sizes[i]);
	}
}
END_TEST

/* Pages that are locked can't be given back; what comes from them again is zero all the same. */
START_TEST(recycled_memory_is_zero_where_it_is_locked)
{
	enum { LOCKED = 32 * 1024 };
	static const size_t sizes[] = { LOCKED, 2 * PCPU_CHUNK };

	for (size_t i = 0; i < COUNT(sizes); i++) {
		char __percpu *area = __alloc_percpu(sizes[i], 4096), *first = area;

		if (mlock(per_cpu_ptr(area, 0), LOCKED))
			return; /* not allowed here */
		fill_copies(area, sizes[i], 0xa5);
		free_percpu(area);
		pcpu_trim();
		area = __alloc_percpu(sizes[i], 4096);
		ck_assert_ptr_eq(area, first);
		check_copies(area, sizes[i], 0, true);
		munlock(per_cpu_ptr(area, 0), LOCKED);
		free_percpu(area);
	}
}
END_TEST

START_TEST(chunks_and_memory_go_back_to_the_system)
{
	enum { ITEMS = 60000, SIZE = 128 };
	static char __percpu *item[ITEMS];
	size_t before = own_memory(), full, after, each = num_possible_cpus() * SIZE;
	struct pcpu_map map = get_map();
	uint64_t random = 7;

	for (int i = 0; i < ITEMS; i++) {
		item[i] = __alloc_percpu(SIZE, 8);
		check_that(item[i]);
		fill_copies(item[i], SIZE, 1);
	}
	full = own_memory();
	ck_assert_uint_ge(full - before, ITEMS * each / KIB);
	ck_assert_uint_ge(get_map().chunks, ITEMS * SIZE / PCPU_CHUNK);
	ck_assert_uint_eq(get_map().dynamic_used - map.dynamic_used, ITEMS * SIZE);
	for (int left = ITEMS; left; left--) {
		size_t victim = (size_t)next_random(&random) % (size_t)left;

		free_percpu(item[victim]);
		item[victim] = item[left - 1];
	}
	after = own_memory();
	/* Some areas wait, and keep the pages and chunks that they are in. */
	ck_assert_uint_lt(after - before, (full - before) / 16);
	ck_assert_uint_eq(get_map().dynamic_used, map.dynamic_used);
	ck_assert_uint_eq(get_map().areas, map.areas);
	pcpu_trim();
	ck_assert_uint_le(own_memory(), before);
	ck_assert_uint_le(get_map().chunks, map.chunks);
}
END_TEST

START_TEST(freed_pages_of_a_large_area_go_back_at_once)
{
	size_t before = own_memory();
	char __percpu *keep = __alloc_percpu(8 * KIB, 8);
	char __percpu *area = __alloc_percpu(8 * MIB, 4096);

	fill_copies(area, 8 * MIB, 3);
	fill_copies(keep, 8 * KIB, 3);
	ck_assert_uint_ge(own_memory() - before, num_possible_cpus() * 8 * KIB);
	free_percpu(area);
	ck_assert_uint_lt(own_memory() - before, 1 * KIB);
	check_copies(keep, 8 * KIB, 3, false);
	free_percpu(keep);
}
END_TEST

/* 256 CPUs, of which one runs: the others' copies cost nothing, even when they are recycled. */
static int scene_many_cpus(void)
{
	enum { ITEMS = 20000 };
	static long __percpu *item[ITEMS];
	size_t before = own_memory(), grown;

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < ITEMS; i++) {
			item[i] = __alloc_percpu(64, 64);
			if (!item[i])
				return 1;
			*per_cpu_ptr(item[i], 1) += 1;
			if (*per_cpu_ptr(item[i], 1) != 1 || *per_cpu_ptr(item[i], 200) != 0)
				return 2;
		}
		for (int i = 0; i < ITEMS && round < 2; i++)
			free_percpu(item[i]);
	}
	grown = own_memory() - before;
	printf("cpus %u grown %zu KiB\n", num_possible_cpus(), grown);
	/* 20 000 items of 64 bytes on one CPU are 1.3 MB, on 256 they would be 328 MB. */
	return num_possible_cpus() == 256 && grown < 4 * KIB ? 0 : 3;
}

START_TEST(untouched_cpus_cost_no_memory)
{
	static const char *const settings[] = { "PERCPU_CPUS=256", NULL };
	struct outcome outcome = play("many_cpus", settings, 0);

	ck_assert_msg(ended_well(&outcome), "status %x: %s", outcome.status, outcome.text);
}
END_TEST

/* ---- Bad pointers --------------------------------------------------------------------------- */

static void free_interior(void *unused UNUSED)
{
	char __percpu *area = __alloc_percpu(64, 8);

	free_percpu(area + 32);
}

static void free_unaligned(void *unused UNUSED)
{
	char __percpu *area = __alloc_percpu(64, 8);

	free_percpu(area + 1);
}

static void free_twice(void *unused UNUSED)
{
	char __percpu *area = __alloc_percpu(64, 8);

	free_percpu(area);
	free_percpu(area);
}

static void free_twice_after_chunk_went(void *unused UNUSED)
{
	char __percpu *area = __alloc_percpu(4 * MIB, 8), *other = __alloc_percpu(4 * MIB, 8);

	free_percpu(area);
	free_percpu(other);
	free_percpu(other);
}

static void free_stale_part_of_a_merged_area(void *unused UNUSED)
{
	char __percpu *first = __alloc_percpu(64, 64), *second = __alloc_percpu(64, 64);

	free_percpu(first);
	free_percpu(second);
	pcpu_trim();
	first = __alloc_percpu(128, 64);
	free_percpu(second);
}

static void free_wild(void *unused UNUSED)
{
	free_percpu((void *)0x12345678);
}

static void free_heap(void *unused UNUSED)
{
	free_percpu(malloc(100));
}

static void free_a_copy(void *unused UNUSED)
{
	char __percpu *area = __alloc_percpu(64, 8);

	free_percpu(per_cpu_ptr(area, 0));
}

static void free_behind_the_cookies(void *unused UNUSED)
{
	free_percpu((void *)(get_map().cookies + get_map().unit_size));
}

static void free_last_cookie(void *unused UNUSED)
{
	free_percpu((void *)(get_map().cookies + get_map().unit_size - 4));
}

static void free_unused_reserved(void *unused UNUSED)
{
	free_percpu((void *)(get_map().cookies + get_map().reserved_size / 2));
}

static const struct {
	void (*body)(void *);
	const char *reason;
} bad_frees[] = {
	{ free_interior, "not the start of an allocation" },
	{ free_unaligned, "not the start of an allocation" },
	{ free_twice, "freed already" },
	{ free_twice_after_chunk_went, "freed already" },
	{ free_stale_part_of_a_merged_area, "not the start of an allocation" },
	{ free_wild, "not a per-CPU pointer" },
	{ free_heap, "not a per-CPU pointer" },
	{ free_a_copy, "not a per-CPU pointer" },
	{ free_behind_the_cookies, "not a per-CPU pointer" },
	{ free_last_cookie, "allocated" },
	{ free_unused_reserved, "allocated" },
};

START_TEST(bad_pointer_is_named_and_aborts)
{
	struct outcome outcome = run_in_child(bad_frees[_i].body, NULL);

	ck_assert_msg(died_by(&outcome, SIGABRT), "status %x: %s", outcome.status, outcome.text);
	ck_assert_msg(!strncmp(outcome.text, "libpercpu: free_percpu(0x", 25) &&
			      strstr(outcome.text, bad_frees[_i].reason) &&
			      strchr(outcome.text, '\n') == strrchr(outcome.text, '\n'),
		      "message: %s", outcome.text);
}
END_TEST

START_TEST(static_variable_cannot_be_freed)
{
	open_model();
	ck_assert_str_eq(pcpu_give(&model.space, 0), "is a static variable");
	ck_assert_str_eq(pcpu_give(&model.space, 999), "is a static variable");
	/* Between the static variables and the reserved region. */
	ck_assert_str_eq(pcpu_give(&model.space, 1008),
			 "is not allocated: it was freed already, or never allocated");
	pcpu_space_exit(&model.space);
}
END_TEST

/* ---- Regions -------------------------------------------------------------------------------- */

START_TEST(reserved_and_dynamic_never_mix)
{
	struct pcpu_map map = get_map();
	size_t pieces = map.reserved_size / MIB, got = 0;
	static char __percpu *piece[1024], *dynamic;

	ck_assert_uint_le(pieces, COUNT(piece));
	while (got < COUNT(piece) && (piece[got] = __alloc_reserved_percpu(MIB, 64))) {
		ck_assert_int_eq(pcpu_classify(piece[got], NULL, NULL), PCPU_RESERVED);
		ck_assert_int_eq(pcpu_classify(piece[got] + MIB - 1, NULL, NULL), PCPU_RESERVED);
		got++;
	}
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_uint_eq(got, pieces);
	ck_assert_uint_eq(get_map().reserved_used, pieces * MIB);
	ck_assert_uint_eq(get_map().dynamic_used, map.dynamic_used);
	dynamic = __alloc_percpu(100, 4);
	ck_assert_int_eq(pcpu_classify(dynamic, NULL, NULL), PCPU_DYNAMIC);
	free_percpu(dynamic);
	while (got)
		free_percpu(piece[--got]);
	/* Now the reserved region is empty, and still dynamic memory does not come from it. */
	ck_assert_uint_eq(get_map().reserved_used, map.reserved_used);
	dynamic = __alloc_percpu(pcpu_max_size(), 4);
	ck_assert_int_eq(pcpu_classify(dynamic, NULL, NULL), PCPU_DYNAMIC);
	while (got < COUNT(piece) && (piece[got] = __alloc_percpu(512, 8))) {
		ck_assert_int_eq(pcpu_classify(piece[got], NULL, NULL), PCPU_DYNAMIC);
		got++;
	}
	ck_assert_uint_eq(get_map().reserved_used, map.reserved_used);
	while (got)
		free_percpu(piece[--got]);
	free_percpu(dynamic);
}
END_TEST

START_TEST(classify_tells_region_cpu_and_cookie)
{
	char __percpu *area = __alloc_percpu(100, 8), *reserved = __alloc_reserved_percpu(100, 8);
	uintptr_t cookie;
	unsigned int cpu;
	int on = 77;

	ck_assert_int_eq(pcpu_classify(area + 50, &on, &cookie), PCPU_DYNAMIC);
	ck_assert_int_eq(on, -1);
	ck_assert_uint_eq(cookie, (uintptr_t)area + 50);
	for_each_possible_cpu(cpu) {
		ck_assert_int_eq(pcpu_classify(per_cpu_ptr(area + 99, cpu), &on, &cookie),
				 PCPU_DYNAMIC);
		ck_assert_int_eq(on, (int)cpu);
		ck_assert_uint_eq(cookie, (uintptr_t)area + 99);
		ck_assert_int_eq(pcpu_classify(per_cpu_ptr(reserved, cpu), &on, &cookie),
				 PCPU_RESERVED);
		ck_assert_int_eq(on, (int)cpu);
		ck_assert_uint_eq(cookie, (uintptr_t)reserved);
	}
	free_percpu(area);
	free_percpu(reserved);
}
END_TEST

START_TEST(classify_knows_what_is_not_per_cpu)
{
	struct pcpu_map map = get_map();
	uintptr_t units_end = map.units + nr_cpu_ids * map.unit_size;
	const uintptr_t others[] = {
		0,
		1,
		UINTPTR_MAX,
		(uintptr_t)&map,
		(uintptr_t)get_map,
		map.cookies - 1,
		map.cookies + map.unit_size,
		map.arena,
		map.arena + map.arena_size - 1,
		map.units - 1,
		units_end,
	};

	for (size_t i = 0; i < COUNT(others); i++)
		ck_assert_msg(pcpu_classify((void *)others[i], NULL, NULL) == PCPU_NONE,
			      "%#zx is taken for a per-CPU address", (size_t)others[i]);
	ck_assert_int_eq(pcpu_classify((void *)(units_end - 1), NULL, NULL), PCPU_DYNAMIC);
}
END_TEST

START_TEST(map_counts_what_is_allocated)
{
	struct pcpu_map before = get_map(), map;
	void __percpu *small = __alloc_percpu(101, 1), *large, *reserved;

	map = get_map();
	ck_assert_uint_eq(map.dynamic_used - before.dynamic_used, 104);
	ck_assert_uint_eq(map.areas - before.areas, 1);
	large = __alloc_percpu(3 * map.chunk_size + 1, 8);
	map = get_map();
	ck_assert_uint_eq(map.dynamic_used - before.dynamic_used, 104 + 3 * map.chunk_size + 4);
	ck_assert_uint_eq(map.chunks, before.chunks + 1);
	reserved = __alloc_reserved_percpu(64, 64);
	map = get_map();
	ck_assert_uint_eq(map.reserved_used - before.reserved_used, 64);
	ck_assert_uint_eq(map.areas - before.areas, 3);
	free_percpu(small);
	free_percpu(large);
	free_percpu(reserved);
	map = get_map();
	ck_assert_uint_eq(map.dynamic_used, before.dynamic_used);
	ck_assert_uint_eq(map.reserved_used, before.reserved_used);
	ck_assert_uint_eq(map.areas, before.areas);
	ck_assert_uint_eq(map.static_size, 0);
}
END_TEST

/* ---- Threads and fork ----------------------------------------------------------------------- */

enum { HAMMERS = 4, HELD = 60 };

/* Allocate, fill, check and free at random; returns how often the contents were wrong. */
static void *hammer(void *argument)
{
	char __percpu *held[HELD] = { NULL };
	size_t size[HELD] = { 0 };
	uint64_t random = (uintptr_t)argument * 7919 + 1, wrong = 0;
	int strokes = is_slow() ? 3000 : 20000;

	for (int stroke = 0; stroke < strokes + HELD; stroke++) {
		size_t i = stroke < strokes ? (size_t)next_random(&random) % HELD
					    : (size_t)(stroke - strokes);
		unsigned char seed = (unsigned char)((uintptr_t)argument * HELD + i);
		unsigned int cpu;

		if (held[i]) {
			for_each_possible_cpu(cpu)
				wrong += !all_bytes_are(per_cpu_ptr(held[i], cpu), size[i],
							(unsigned char)(seed + cpu));
			free_percpu(held[i]);
			held[i] = NULL;
		} else if (stroke < strokes) {
			size[i] = 1 + (size_t)next_random(&random) % (stroke % 100 ? 400 : 20000);
			held[i] = __alloc_percpu(size[i], (size_t)1 << next_random(&random) % 8);
			for_each_possible_cpu(cpu)
				wrong += !all_bytes_are(per_cpu_ptr(held[i], cpu), size[i], 0);
			fill_copies(held[i], size[i], seed);
		}
	}
	return (void *)(uintptr_t)wrong;
}

START_TEST(threads_allocate_and_free_at_once)
{
	struct pcpu_map before = get_map();
	pthread_t thread[HAMMERS];

	for (uintptr_t i = 0; i < HAMMERS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, hammer, (void *)i), 0);
	for (int i = 0; i < HAMMERS; i++) {
		void *wrong;

		pthread_join(thread[i], &wrong);
		ck_assert_ptr_null(wrong);
	}
	ck_assert_uint_eq(get_map().areas, before.areas);
	ck_assert_uint_eq(get_map().dynamic_used, before.dynamic_used);
}
END_TEST

static bool stop_churning;

static void *churn(void *unused UNUSED)
{
	while (!__atomic_load_n(&stop_churning, __ATOMIC_RELAXED)) {
		void __percpu *small = __alloc_percpu(64, 8), *large = __alloc_percpu(MIB, 8);

		free_percpu(small);
		free_percpu(large);
	}
	return NULL;
}

START_TEST(child_of_fork_allocates_while_a_thread_did)
{
	long __percpu *kept = alloc_percpu(long);
	pthread_t thread;
	int status;

	*per_cpu_ptr(kept, 0) = 42;
	stop_churning = false;
	ck_assert_int_eq(pthread_create(&thread, NULL, churn, NULL), 0);
	for (int i = 0; i < (is_slow() ? 8 : 100); i++) {
		pid_t child = fork();

		if (!child) {
			long __percpu *own;

			alarm(20); /* a lock that nobody will release */
			own = alloc_percpu(long);
			if (!own || *per_cpu_ptr(kept, 0) != 42 || *per_cpu_ptr(own, 0))
				_exit(1);
			*per_cpu_ptr(kept, 0) = 43;
			free_percpu(own);
			free_percpu(kept);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_int_eq(status, 0);
	}
	__atomic_store_n(&stop_churning, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	ck_assert_int_eq(*per_cpu_ptr(kept, 0), 42);
	free_percpu(kept);
}
END_TEST

static void add_tests(TCase *tests)
{
	tcase_add_test(tests, every_alignment_is_honoured_for_every_size);
	tcase_add_test(tests, bad_requests_are_einval);
	tcase_add_test(tests, null_is_freed_without_effect);
	tcase_add_test(tests, type_decides_size_and_alignment);
	tcase_add_test(tests, largest_size_can_be_allocated_again_and_again);
	tcase_add_test(tests, largest_size_in_a_tight_unit_is_the_first_chunks);
	tcase_add_test(tests, random_operations_agree_with_a_model);
	tcase_add_test(tests, exhaustion_is_refused_and_recovers);
	tcase_add_test(tests, freed_neighbours_merge_in_any_order);
	tcase_add_test(tests, gap_too_crooked_for_one_request_serves_another);
	tcase_add_test(tests, many_short_gaps_are_told_from_a_long_one);
	tcase_add_test(tests, room_freed_in_the_first_chunk_is_used_before_others);
	tcase_add_test(tests, long_free_areas_merge);
	tcase_add_test(tests, recycled_memory_is_zero_on_every_cpu);
	tcase_add_test(tests, recycled_memory_is_zero_where_it_is_locked);
	tcase_add_test(tests, chunks_and_memory_go_back_to_the_system);
	tcase_add_test(tests, freed_pages_of_a_large_area_go_back_at_once);
	tcase_add_test(tests, untouched_cpus_cost_no_memory);
	tcase_add_loop_test(tests, bad_pointer_is_named_and_aborts, 0, COUNT(bad_frees));
	tcase_add_test(tests, static_variable_cannot_be_freed);
	tcase_add_test(tests, reserved_and_dynamic_never_mix);
	tcase_add_test(tests, classify_tells_region_cpu_and_cookie);
	tcase_add_test(tests, classify_knows_what_is_not_per_cpu);
	tcase_add_test(tests, map_counts_what_is_allocated);
	tcase_add_test(tests, threads_allocate_and_free_at_once);
	tcase_add_test(tests, child_of_fork_allocates_while_a_thread_did);
}

int main(int argc, char **argv)
{
	static const struct scene scenes[] = { { "tight", scene_tight },
					       { "many_cpus", scene_many_cpus } };
	int status = play_named(scenes, COUNT(scenes), argc, argv);
	SRunner *runner;
	Suite *suite;
	TCase *tests;

	if (status >= 0)
		return status;
	suite = suite_create("percpu_alloc");
	tests = tcase_create("alloc");
	tcase_set_timeout(tests, 300);
	add_tests(tests);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	status = srunner_ntests_failed(runner) ? EXIT_FAILURE : EXIT_SUCCESS;
	srunner_free(runner);
	return status;
}
