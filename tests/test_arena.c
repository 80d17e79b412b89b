/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where modules may lie on machines whose code can't jump across certain borders, and that places in the arena
 * are given and taken back.  The file is compiled here once more, for a machine with many borders.
 */
#define _GNU_SOURCE
#include "loader/arch.h"

#undef CODE_SPAN
#define CODE_SPAN (1UL << 18)
#include "loader/arena.c"
#include "tests/percpu/helper.h"

#include <check.h>

#define BLOCKS 64

/* Of the loader; nothing else runs here. */
void lock_shared(void)
{
}

void unlock_shared(void)
{
}

bool runs_on_valgrind(void)
{
	return false;
}

static struct block {
	uintptr_t base;
	size_t size;
} blocks[BLOCKS];

static bool lies_across(uintptr_t base, size_t size)
{
	return base / CODE_SPAN != (base + size - 1) / CODE_SPAN;
}

/* All of a block can be written, and none has part of another. */
static void check_block(int count)
{
	struct block *new = &blocks[count];

	memset((void *)new->base, count + 1, new->size);
	for (int i = 0; i < count; i++) {
		if (blocks[i].size)
			ck_assert(new->base >= blocks[i].base + blocks[i].size ||
				  new->base + new->size <= blocks[i].base);
	}
}

/* So many have room in any case: one in each whole span. */
static int block_count(void)
{
	size_t spans = arena()->size / CODE_SPAN - 1;

	return spans < BLOCKS ? (int)spans : BLOCKS;
}

static void give_blocks(void)
{
	for (int i = 0; i < block_count(); i++) {
		give_block(blocks[i].base, blocks[i].size);
		blocks[i].size = 0;
	}
}

/* Of all sizes up to a span, so that most would lie across a border if they followed each other. */
static void take_blocks(uintptr_t low, uintptr_t high)
{
	ck_assert_int_ge(block_count(), 4);
	for (int i = 0; i < block_count(); i++) {
		blocks[i].size = ((size_t)i * 37 + 11) % (CODE_SPAN / page) * page + page;
		ck_assert_int_eq(take_block(low, high, blocks[i].size, page, true, &blocks[i].base),
				 0);
		check_block(i);
		ck_assert(!lies_across(blocks[i].base, blocks[i].size));
		ck_assert(blocks[i].base >= low && blocks[i].base <= high);
	}
}

START_TEST(blocks_of_the_arena_lie_across_no_border)
{
	uintptr_t begin = arena()->begin, end = begin + arena()->size;

	for (int round = 0; round < 2; round++) {
		take_blocks(begin, end);
		for (int i = 0; i < block_count(); i++)
			ck_assert(blocks[i].base + blocks[i].size <= end);
		give_blocks();
	}
	for (size_t number = 0; number < pages; number++)
		ck_assert(!is_used(number));
}
END_TEST

START_TEST(blocks_elsewhere_lie_across_no_border)
{
	uintptr_t begin = arena()->begin;

	/* Below it there is more room than these need. */
	take_blocks(LOWEST, begin - 2 * CODE_SPAN);
	give_blocks();
}
END_TEST

/* What is larger than a span lies across one wherever it is. */
START_TEST(larger_blocks_lie_anywhere)
{
	uintptr_t begin = arena()->begin, end = begin + arena()->size, base;

	ck_assert_int_eq(take_block(begin, end, CODE_SPAN + page, page, true, &base), 0);
	ck_assert(lies_across(base, CODE_SPAN + page));
	give_block(base, CODE_SPAN + page);
}
END_TEST

START_TEST(border_in_a_place_leaves_less_of_it)
{
	uintptr_t border = (arena()->begin | (CODE_SPAN - 1)) + 1, base;
	const struct wanted two = { 0, UINTPTR_MAX, 2 * page, CODE_SPAN };
	const struct wanted across = { border - page, border - page, 2 * page, CODE_SPAN };
	const struct wanted behind = { border, border, 2 * page, CODE_SPAN };

	ck_assert_int_eq(reserve(&across, &base), -ERANGE);
	ck_assert_int_eq(reserve(&behind, &base), 0);
	ck_assert_uint_eq(base, border);
	release_range(base, 2 * page);
	/* Who has it for pages that modules share looks at borders himself. */
	ck_assert_int_eq(reserve_range(border - page, border - page, 2 * page, &base), 0);
	ck_assert_uint_eq(base, border - page);
	release_range(base, 2 * page);
	ck_assert_uint_eq(fit_gap(&two, border - page, border + page), 0);
	ck_assert_uint_eq(fit_gap(&two, border - 3 * page, border + page), border - 2 * page);
	ck_assert_uint_eq(fit_gap(&two, border - 3 * page, border + 2 * page), border);
}
END_TEST

START_TEST(block_lies_across_a_border_if_there_is_no_other_place)
{
	uintptr_t border = (arena()->begin | (CODE_SPAN - 1)) + 1, base;

	ck_assert_int_eq(take_block(border - page, border - page, 2 * page, page, true, &base), 0);
	ck_assert_uint_eq(base, border - page);
	give_block(base, 2 * page);
	/* Without jumps it is not minded. */
	ck_assert_int_eq(take_block(border - page, UINTPTR_MAX, 2 * page, page, false, &base), 0);
	ck_assert_uint_eq(base, border - page);
	give_block(base, 2 * page);
}
END_TEST

START_TEST(gap_ends_where_the_stack_may_grow_to)
{
	const struct rlimit limit = { 8 << 20, 8 << 20 };
	const uintptr_t to = (uintptr_t)1 << 30, from = to - (1 << 17);

	ck_assert_int_eq(setrlimit(RLIMIT_STACK, &limit), 0);
	ck_assert_uint_eq(end_of_gap("1-2 rw-p 0 0:0 0 [heap]\n", from, to), from);
	ck_assert_uint_eq(end_of_gap("1-2 rw-p 0 0:0 0 [stack]\n", from, to), to - (9 << 20));
	ck_assert_uint_eq(end_of_gap("1-2 rw-p 0 0:0 0 [stack]\n", to - (10 << 20), to),
			  to - (10 << 20));
	ck_assert_uint_eq(end_of_gap("1-2 rw-p 0 0:0 0 [stack]\n", page, 1 << 20), 0);
}
END_TEST

START_TEST(whole_arena_is_in_no_span)
{
	ck_assert(arena()->size > CODE_SPAN);
	ck_assert(!arena_is_in_one_span());
}
END_TEST

int main(void)
{
	SRunner *runner;
	int failed;
	Suite *suite = suite_create("arena");
	TCase *tests = tcase_create("blocks");

	tcase_add_test(tests, blocks_of_the_arena_lie_across_no_border);
	tcase_add_test(tests, blocks_elsewhere_lie_across_no_border);
	tcase_add_test(tests, larger_blocks_lie_anywhere);
	tcase_add_test(tests, border_in_a_place_leaves_less_of_it);
	tcase_add_test(tests, block_lies_across_a_border_if_there_is_no_other_place);
	tcase_add_test(tests, gap_ends_where_the_stack_may_grow_to);
	tcase_add_test(tests, whole_arena_is_in_no_span);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
