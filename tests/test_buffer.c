/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that is written at once: which sizes get large pages, that all of a buffer can be used, and
 * that the address space is afterwards what it was before.
 */
#define _GNU_SOURCE
#include "loader/internal.h"
#include "tests/percpu/helper.h"

#include <check.h>
#include <sys/mman.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* Bytes that are mapped, as the kernel counts them; an emulator tells of those of its own. */
static size_t address_space(void)
{
	char line[256] = "";
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

	if (emulator())
		return 0;
	check_that(fd >= 0 && read(fd, line, sizeof(line) - 1) > 0);
	close(fd);
	return strtoul(line, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

/* A page of 2 MiB is worth it for what fills at least half of it. */
static const struct {
	size_t size, large;
} sizes[] = {
	{ 1, 0 },
	{ 128 * KIB - 1, 0 },
	{ 128 * KIB, 0 },
	{ 128 * KIB + 1, 0 },
	{ MIB - 1, 0 },
	{ MIB, 2 * MIB },
	{ 2 * MIB - 4096, 2 * MIB },
	{ 2 * MIB - 1, 2 * MIB },
	{ 2 * MIB, 2 * MIB },
	{ 2 * MIB + 1, 2 * MIB },
	{ 3 * MIB - 1, 2 * MIB },
	{ 3 * MIB, 4 * MIB },
	{ 7 * MIB + 12345, 8 * MIB },
};

START_TEST(large_pages_are_for_what_fills_half_of_one)
{
	ck_assert_uint_eq(in_large_pages(0), 0);
	for (size_t i = 0; i < COUNT(sizes); i++)
		ck_assert_uint_eq(in_large_pages(sizes[i].size), sizes[i].large);
}
END_TEST

START_TEST(buffers_can_be_used_from_end_to_end)
{
	size_t size = sizes[_i].size;
	unsigned char *buffer = take_buffer(size), *other = take_buffer(size);

	ck_assert_ptr_nonnull(buffer);
	ck_assert_ptr_nonnull(other);
	if (sizes[_i].large)
		ck_assert_uint_eq((uintptr_t)buffer % (2 * MIB), 0);
	memset(buffer, 0x11, size);
	memset(other, 0x22, size);
	for (size_t at = 0; at < size; at++)
		check_that(buffer[at] == 0x11);
	give_buffer(buffer, size);
	for (size_t at = 0; at < size; at++)
		check_that(other[at] == 0x22);
	give_buffer(other, size);
}
END_TEST

/* What is malloc()'s is what leak checkers look at. */
START_TEST(nothing_stays_mapped)
{
	size_t before = address_space();

	for (size_t i = 0; i < COUNT(sizes); i++) {
		size_t size = sizes[i].size;
		void *buffer;

		if (size < 128 * KIB)
			continue;
		buffer = take_buffer(size);
		check_that(buffer);
		check_that(emulator() || address_space() >= before + size);
		give_buffer(buffer, size);
		check_that(address_space() == before);
	}
	give_buffer(NULL, 0);
	give_buffer(NULL, 2 * MIB);
	check_that(address_space() == before);
}
END_TEST

START_TEST(large_memory_is_zeroed_and_untouched)
{
	size_t size = 64 * MIB, before = address_space(), page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *memory = take_large(size), resident = 1;

	check_that(memory && (uintptr_t)memory % (2 * MIB) == 0);
	check_that(!mincore(memory + size - page, page, &resident) && !(resident & 1));
	for (size_t at = 0; at < size; at += 2 * MIB)
		check_that(!memory[at]);
	check_that(!memory[size - 1]);
	memory[size - 1] = 1;
	give_buffer(memory, size);
	check_that(address_space() == before);
}
END_TEST

/* Whoever has less than whole large pages has something else of his behind it. */
START_TEST(nothing_behind_it_is_touched)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), mapped = 2 * MIB - page;
	unsigned char *memory = take_large(2 * MIB), resident = 1;

	ck_assert_ptr_nonnull(memory);
	/* Of which only the kernel without large pages knows nothing. */
	ck_assert(!madvise(memory, 2 * MIB, MADV_NOHUGEPAGE) || errno == EINVAL);
	populate((uintptr_t)memory, mapped - page, mapped);
	ck_assert_int_eq(mincore(memory + mapped, page, &resident), 0);
	ck_assert_int_eq(resident & 1, 0);
	give_buffer(memory, 2 * MIB);
}
END_TEST

START_TEST(too_much_is_refused)
{
	/* Programs of 32 bits may have almost all that they can address. */
	size_t half = SIZE_MAX / 2, most = sizeof(half) > 4 ? half : SIZE_MAX - 4 * MIB;
	size_t before = address_space();

	check_that(!take_buffer(most));
	check_that(!take_large(most & ~(2 * MIB - 1)));
	check_that(address_space() == before);
}
END_TEST

int main(void)
{
	SRunner *runner;
	int failed;
	Suite *suite = suite_create("buffer");
	TCase *tests = tcase_create("buffer");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, large_pages_are_for_what_fills_half_of_one);
	tcase_add_loop_test(tests, buffers_can_be_used_from_end_to_end, 0, COUNT(sizes));
	tcase_add_test(tests, nothing_stays_mapped);
	tcase_add_test(tests, large_memory_is_zeroed_and_untouched);
	tcase_add_test(tests, nothing_behind_it_is_touched);
	tcase_add_test(tests, too_much_is_refused);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
