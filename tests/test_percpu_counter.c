/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * percpu_counter: values by arithmetic, how far the approximate one is off, and exact sums among
 * threads that are moved and interrupted.  Runs in each way that a process can do operations.
 */
#define _GNU_SOURCE
#include <permod/percpu_counter.h>
#include "tests/percpu/torture.h"

static struct percpu_counter counter;

static void make(int64_t amount)
{
	ck_assert_int_eq(percpu_counter_init(&counter, amount), 0);
}

/* ---- One thread ----------------------------------------------------------------------------- */

START_TEST(values_are_those_of_arithmetic)
{
	make(-5);
	ck_assert(percpu_counter_initialized(&counter));
	ck_assert_int_eq(percpu_counter_sum(&counter), -5);
	ck_assert_int_eq(percpu_counter_read(&counter), -5);
	ck_assert_int_eq(percpu_counter_sum_positive(&counter), 0);
	ck_assert_int_eq(percpu_counter_read_positive(&counter), 0);
	percpu_counter_inc(&counter);
	percpu_counter_inc(&counter);
	percpu_counter_dec(&counter);
	percpu_counter_add(&counter, 1000);
	percpu_counter_sub(&counter, 7);
	percpu_counter_add(&counter, 0);
	percpu_counter_add(&counter, INT64_C(-3000000000000));
	ck_assert_int_eq(percpu_counter_sum(&counter), -5 + 1 + 1000 - 7 - INT64_C(3000000000000));
	percpu_counter_sub(&counter, INT64_C(-3000000000000));
	ck_assert_int_eq(percpu_counter_sum(&counter), 989);
	ck_assert_int_eq(percpu_counter_sum_positive(&counter), 989);
	percpu_counter_destroy(&counter);
	ck_assert(!percpu_counter_initialized(&counter));
}
END_TEST

START_TEST(counts_wrap_around)
{
	make(INT64_MAX);
	percpu_counter_inc(&counter);
	ck_assert(percpu_counter_sum(&counter) == INT64_MIN);
	percpu_counter_sub(&counter, INT64_MIN);
	ck_assert_int_eq(percpu_counter_sum(&counter), 0);
	percpu_counter_add(&counter, INT64_MIN);
	percpu_counter_sync(&counter);
	ck_assert(percpu_counter_read(&counter) == INT64_MIN);
	percpu_counter_destroy(&counter);
}
END_TEST

/* The kernel's rule. */
START_TEST(default_batch_is_32_or_twice_the_cpus)
{
	long twice = 2 * sysconf(_SC_NPROCESSORS_ONLN);

	make(0);
	ck_assert_int_eq(counter.batch, twice > 32 ? twice : 32);
	percpu_counter_destroy(&counter);
}
END_TEST

/* What a CPU holds back, with either sign, is less than a batch; then all of it is published. */
START_TEST(cpu_holds_back_less_than_a_batch)
{
	int64_t sign = _i ? -1 : 1, cpus = 0;
	unsigned int cpu;

	make(0);
	for_each_allowed_cpu(cpu)
	{
		stay_on(cpu);
		percpu_counter_add(&counter, sign * (counter.batch - 1));
		ck_assert_int_eq(percpu_counter_read(&counter), 0);
		ck_assert_int_eq(percpu_counter_sum(&counter), sign * ++cpus * (counter.batch - 1));
	}
	percpu_counter_add(&counter, sign);
	ck_assert_int_eq(percpu_counter_read(&counter), sign * counter.batch);
	ck_assert_int_eq(percpu_counter_sum(&counter), sign * (cpus * (counter.batch - 1) + 1));
	percpu_counter_sync(&counter);
	ck_assert_int_eq(percpu_counter_read(&counter), sign * (cpus * (counter.batch - 1) + 1));
	percpu_counter_destroy(&counter);
}
END_TEST

START_TEST(batch_can_be_chosen)
{
	stay_on(allowed_cpu_after(0));
	make(0);
	percpu_counter_add_batch(&counter, 999, 1000);
	ck_assert_int_eq(percpu_counter_read(&counter), 0);
	percpu_counter_add_batch(&counter, 1, 1);
	ck_assert_int_eq(percpu_counter_read(&counter), 1000);
	percpu_counter_add_batch(&counter, 1, 1);
	ck_assert_int_eq(percpu_counter_read(&counter), 1001);
	percpu_counter_add_batch(&counter, INT64_C(1) << 40, INT32_MAX);
	ck_assert_int_eq(percpu_counter_read(&counter), 1001 + (INT64_C(1) << 40));
	counter.batch = 3;
	percpu_counter_add(&counter, 2);
	ck_assert_int_eq(percpu_counter_read(&counter), 1001 + (INT64_C(1) << 40));
	percpu_counter_dec(&counter);
	percpu_counter_add(&counter, 2);
	ck_assert_int_eq(percpu_counter_read(&counter), 1004 + (INT64_C(1) << 40));
	percpu_counter_destroy(&counter);
}
END_TEST

START_TEST(set_is_exact)
{
	unsigned int cpu;

	make(77);
	for_each_allowed_cpu(cpu)
	{
		stay_on(cpu);
		percpu_counter_add(&counter, 13 + (int)cpu);
	}
	percpu_counter_set(&counter, -1000);
	ck_assert_int_eq(percpu_counter_read(&counter), -1000);
	ck_assert_int_eq(percpu_counter_sum(&counter), -1000);
	percpu_counter_inc(&counter);
	ck_assert_int_eq(percpu_counter_sum(&counter), -999);
	percpu_counter_destroy(&counter);
}
END_TEST

/* Wherever the approximate value could decide wrongly, and beyond. */
START_TEST(compare_is_right_near_and_far)
{
	int64_t reach, sum = 0;
	unsigned int cpu;

	make(0);
	for_each_allowed_cpu(cpu)
	{
		stay_on(cpu);
		percpu_counter_add(&counter, counter.batch - 1);
		sum += counter.batch - 1;
	}
	reach = 2 * counter.batch * (int64_t)num_possible_cpus();
	for (int64_t amount = -reach; amount <= reach; amount++) {
		int expected = sum < amount ? -1 : sum > amount;

		ck_assert_int_eq(percpu_counter_compare(&counter, amount), expected);
		ck_assert_int_eq(__percpu_counter_compare(&counter, amount, 1000), expected);
	}
	ck_assert_int_eq(percpu_counter_compare(&counter, INT64_MIN), 1);
	ck_assert_int_eq(percpu_counter_compare(&counter, INT64_MAX), -1);
	percpu_counter_destroy(&counter);
}
END_TEST

/* Far away, the exact value is not asked for: it would decide otherwise here. */
START_TEST(compare_far_away_is_cheap)
{
	unsigned int cpu = allowed_cpu_after(0);

	make(0);
	stay_on(cpu);
	percpu_counter_add_batch(&counter, 1000000, INT32_MAX);
	ck_assert_int_eq(percpu_counter_compare(&counter, 100000), -1);
	ck_assert_int_eq(__percpu_counter_compare(&counter, 100000, INT32_MAX), 1);
	percpu_counter_destroy(&counter);
}
END_TEST

START_TEST(destroyed_counter_is_left_alone)
{
	struct pcpu_map before, after;

	pcpu_get_map(&before);
	memset(&counter, 0, sizeof(counter));
	percpu_counter_destroy(&counter);
	make(1);
	percpu_counter_destroy(&counter);
	percpu_counter_destroy(&counter);
	pcpu_get_map(&after);
	ck_assert_uint_eq(after.areas, before.areas);
}
END_TEST

/* ---- Threads -------------------------------------------------------------------------------- */

static void *add_one(void *unused UNUSED)
{
	errno = 77;
	percpu_counter_inc(&counter);
	return (void *)(uintptr_t)(errno != 77);
}

START_TEST(each_new_thread_counts)
{
	make(0);
	for (int i = 1; i <= 300; i++) {
		pthread_t thread;
		void *wrong;

		check_that(!pthread_create(&thread, NULL, add_one, NULL));
		pthread_join(thread, &wrong);
		ck_assert(!wrong);
		ck_assert_int_eq(percpu_counter_sum(&counter), i);
	}
	percpu_counter_destroy(&counter);
}
END_TEST

START_TEST(child_of_fork_has_a_copy)
{
	int status;
	pid_t child;

	make(0);
	percpu_counter_inc(&counter);
	child = fork();
	if (!child) {
		percpu_counter_add(&counter, 1000);
		_exit(percpu_counter_sum(&counter) == 1001 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(percpu_counter_sum(&counter), 1);
	percpu_counter_destroy(&counter);
}
END_TEST

/* What each worker and its handler have begun to add, and have added; both only grow.  Of a size that
 * handlers can change atomically everywhere. */
static struct progress {
	long begun, done;
} progress[WORKERS][2];

static void add_noted(struct progress *mine, long amount)
{
	__atomic_store_n(&mine->begun, mine->begun + amount, __ATOMIC_SEQ_CST);
	percpu_counter_add(&counter, amount);
	__atomic_store_n(&mine->done, mine->done + amount, __ATOMIC_SEQ_CST);
}

static int64_t all_begun(void)
{
	int64_t sum = 0;

	for (int i = 0; i < WORKERS; i++)
		sum += __atomic_load_n(&progress[i][0].begun, __ATOMIC_SEQ_CST) +
		       __atomic_load_n(&progress[i][1].begun, __ATOMIC_SEQ_CST);
	return sum;
}

static int64_t all_done(void)
{
	int64_t sum = 0;

	for (int i = 0; i < WORKERS; i++)
		sum += __atomic_load_n(&progress[i][0].done, __ATOMIC_SEQ_CST) +
		       __atomic_load_n(&progress[i][1].done, __ATOMIC_SEQ_CST);
	return sum;
}

static void add_much(struct worker *me)
{
	for (long i = 0; i < rounds(1000000); i++) {
		add_noted(&progress[me->number][0], i % 7);
		let_signals_in(i);
	}
}

/* Two signals are handled: one can come in the middle of the other. */
static void add_in_handler(struct worker *me)
{
	__atomic_fetch_add(&progress[me->number][1].begun, 100, __ATOMIC_SEQ_CST);
	percpu_counter_add(&counter, 100);
	__atomic_fetch_add(&progress[me->number][1].done, 100, __ATOMIC_SEQ_CST);
}

static int64_t held_back_at_most(void)
{
	return (counter.batch - 1) * (int64_t)num_possible_cpus();
}

/* Every sum lies between what was done before it and what was begun by its end, and none is less
 * than an earlier one. */
static void watch_sums(void)
{
	int64_t last = 0, done, sum;

	for (long i = 0; i < rounds(2000); i++) {
		done = all_done();
		sum = percpu_counter_sum(&counter);
		check_that(sum >= done && sum <= all_begun());
		check_that(sum >= last);
		last = sum;
		usleep(20);
	}
}

START_TEST(no_addition_is_lost_or_seen_twice)
{
	int64_t off;

	make(0);
	torture(add_much, add_in_handler, watch_sums);
	ck_assert_int_eq(percpu_counter_sum(&counter), all_done());
	off = percpu_counter_read(&counter) - all_done();
	ck_assert_int_le(off, held_back_at_most());
	ck_assert_int_ge(off, -held_back_at_most());
	percpu_counter_sync(&counter);
	ck_assert_int_eq(percpu_counter_read(&counter), all_done());
	percpu_counter_destroy(&counter);
}
END_TEST

/* An addition at the time of setting is before it or after it. */
static void set_sometimes(void)
{
	for (long i = 0; i < rounds(200); i++) {
		int64_t done = all_done(), begun, sum, done_then;

		percpu_counter_set(&counter, 5);
		begun = all_begun();
		done_then = all_done();
		sum = percpu_counter_sum(&counter);
		check_that(sum >= 5 + done_then - begun);
		check_that(sum <= 5 + all_begun() - done);
		usleep(200);
	}
}

START_TEST(set_loses_no_addition)
{
	int64_t last;

	make(0);
	torture(add_much, add_in_handler, set_sometimes);
	last = percpu_counter_sum(&counter);
	percpu_counter_sync(&counter);
	ck_assert_int_eq(percpu_counter_read(&counter), last);
	percpu_counter_destroy(&counter);
}
END_TEST

/* Several threads set and read with everything else going on: both values end up the same. */
static void set_and_sync(struct worker *me)
{
	for (long i = 0; i < rounds(20000); i++) {
		percpu_counter_add(&counter, i);
		if (i % 16 == me->number)
			percpu_counter_set(&counter, i);
		if (i % 16 == me->number + WORKERS)
			percpu_counter_sync(&counter);
		let_signals_in(i);
	}
}

START_TEST(setting_by_several_threads_keeps_both_values_together)
{
	make(0);
	torture(set_and_sync, add_in_handler, NULL);
	percpu_counter_sync(&counter);
	ck_assert_int_eq(percpu_counter_read(&counter), percpu_counter_sum(&counter));
	percpu_counter_set(&counter, 3);
	ck_assert_int_eq(percpu_counter_read(&counter), 3);
	ck_assert_int_eq(percpu_counter_sum(&counter), 3);
	percpu_counter_destroy(&counter);
}
END_TEST

static void add_tests(TCase *tests)
{
	tcase_add_test(tests, values_are_those_of_arithmetic);
	tcase_add_test(tests, counts_wrap_around);
	tcase_add_test(tests, default_batch_is_32_or_twice_the_cpus);
	tcase_add_loop_test(tests, cpu_holds_back_less_than_a_batch, 0, 2);
	tcase_add_test(tests, batch_can_be_chosen);
	tcase_add_test(tests, set_is_exact);
	tcase_add_test(tests, compare_is_right_near_and_far);
	tcase_add_test(tests, compare_far_away_is_cheap);
	tcase_add_test(tests, destroyed_counter_is_left_alone);
	tcase_add_test(tests, each_new_thread_counts);
	tcase_add_test(tests, child_of_fork_has_a_copy);
	tcase_add_test(tests, no_addition_is_lost_or_seen_twice);
	tcase_add_test(tests, set_loses_no_addition);
	tcase_add_test(tests, setting_by_several_threads_keeps_both_values_together);
}

int main(void)
{
	return run_in_all_modes("percpu_counter", add_tests);
}
