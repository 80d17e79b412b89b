/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * percpu_ref: life and modes as the kernel's, wrong use is diagnosed, and among threads that are moved
 * and interrupted the release comes exactly once, after the last reference and never before.  Runs
 * in each way that a process can do operations.
 */
#define _GNU_SOURCE
#include <permod/percpu_ref.h>
#include "tests/percpu/torture.h"

static struct percpu_ref ref;
static int released, confirmed;

static void note_release(struct percpu_ref *which)
{
	check_that(which == &ref);
	__atomic_fetch_add(&released, 1, __ATOMIC_SEQ_CST);
}

static void make(unsigned int flags)
{
	__atomic_store_n(&released, 0, __ATOMIC_SEQ_CST);
	confirmed = 0;
	ck_assert_int_eq(percpu_ref_init(&ref, note_release, flags), 0);
}

static size_t variables(void)
{
	struct pcpu_map map;

	pcpu_get_map(&map);
	return map.areas;
}

/* Whether the library has sequences for the machine, and the kernel does its part. */
static bool can_be_percpu(void)
{
#ifdef __x86_64__
	return is_restartable();
#else
	return false;
#endif
}

static bool in_percpu_mode(void)
{
	return !(__atomic_load_n(&ref.mode, __ATOMIC_SEQ_CST) & PCPU_REF_ATOMIC);
}

/* ---- Life ----------------------------------------------------------------------------------- */

START_TEST(killed_count_releases_at_the_last_put)
{
	make(0);
	ck_assert(!percpu_ref_is_dying(&ref) && !percpu_ref_is_zero(&ref));
	percpu_ref_get(&ref);
	percpu_ref_get_many(&ref, 10);
	ck_assert(percpu_ref_tryget(&ref) && percpu_ref_tryget_live(&ref));
	ck_assert(percpu_ref_tryget_many(&ref, 5));
	percpu_ref_put_many(&ref, 17);
	percpu_ref_kill(&ref);
	ck_assert(percpu_ref_is_dying(&ref) && !percpu_ref_is_zero(&ref));
	ck_assert_int_eq(released, 0);
	ck_assert(!percpu_ref_tryget_live(&ref));
	ck_assert(percpu_ref_tryget(&ref) && percpu_ref_tryget_many(&ref, 3));
	percpu_ref_get(&ref);
	percpu_ref_put_many(&ref, 5);
	ck_assert_int_eq(released, 0);
	percpu_ref_put(&ref);
	ck_assert_int_eq(released, 1);
	ck_assert(percpu_ref_is_zero(&ref) && percpu_ref_is_dying(&ref));
	ck_assert(!percpu_ref_tryget(&ref) && !percpu_ref_tryget_live(&ref));
	ck_assert(!percpu_ref_tryget_many(&ref, 2));
	percpu_ref_exit(&ref);
	percpu_ref_exit(&ref);
}
END_TEST

START_TEST(kill_of_the_only_reference_releases)
{
	make(_i ? PERCPU_REF_INIT_ATOMIC : 0);
	percpu_ref_kill(&ref);
	ck_assert_int_eq(released, 1);
	percpu_ref_exit(&ref);
}
END_TEST

/* Slots of single CPUs are negative then. */
START_TEST(reference_may_be_put_on_another_cpu)
{
	unsigned int cpu;
	int held = 0;

	make(0);
	for_each_allowed_cpu(cpu)
	{
		stay_on(cpu);
		percpu_ref_get_many(&ref, 1000);
		held += 1000;
	}
	stay_on(allowed_cpu_after(0));
	percpu_ref_put_many(&ref, (unsigned long)held - 1);
	percpu_ref_kill(&ref);
	ck_assert_int_eq(released, 0);
	percpu_ref_put(&ref);
	ck_assert_int_eq(released, 1);
	percpu_ref_exit(&ref);
}
END_TEST

START_TEST(count_is_in_percpu_mode_where_there_is_one)
{
	make(0);
	ck_assert_int_eq(in_percpu_mode(), can_be_percpu());
	percpu_ref_kill(&ref);
	ck_assert(!in_percpu_mode());
	percpu_ref_exit(&ref);
}
END_TEST

START_TEST(dead_count_comes_to_life)
{
	make(PERCPU_REF_INIT_DEAD);
	ck_assert(percpu_ref_is_dying(&ref) && percpu_ref_is_zero(&ref) && !in_percpu_mode());
	ck_assert(!percpu_ref_tryget(&ref) && !percpu_ref_tryget_live(&ref));
	for (int i = 1; i <= 3; i++) {
		percpu_ref_reinit(&ref);
		ck_assert(!percpu_ref_is_dying(&ref) && !percpu_ref_is_zero(&ref));
		ck_assert_int_eq(in_percpu_mode(), can_be_percpu());
		ck_assert(percpu_ref_tryget_live(&ref));
		percpu_ref_kill(&ref);
		ck_assert_int_eq(released, i - 1);
		percpu_ref_put(&ref);
		ck_assert_int_eq(released, i);
	}
	percpu_ref_exit(&ref);
}
END_TEST

START_TEST(atomic_mode_lasts_until_it_is_ended)
{
	make(PERCPU_REF_INIT_ATOMIC);
	ck_assert(!in_percpu_mode());
	percpu_ref_get_many(&ref, 3);
	percpu_ref_kill(&ref);
	percpu_ref_resurrect(&ref);
	ck_assert(!in_percpu_mode() && !percpu_ref_is_dying(&ref));
	percpu_ref_switch_to_percpu(&ref);
	ck_assert_int_eq(in_percpu_mode(), can_be_percpu());
	percpu_ref_get(&ref);
	percpu_ref_switch_to_percpu(&ref);
	percpu_ref_switch_to_atomic_sync(&ref);
	ck_assert(!in_percpu_mode());
	percpu_ref_put_many(&ref, 3);
	percpu_ref_kill(&ref);
	/* Of a dead count only the intention is noted. */
	percpu_ref_switch_to_percpu(&ref);
	ck_assert(!in_percpu_mode());
	percpu_ref_resurrect(&ref);
	ck_assert_int_eq(in_percpu_mode(), can_be_percpu());
	percpu_ref_kill(&ref);
	ck_assert_int_eq(released, 0);
	percpu_ref_put(&ref);
	ck_assert_int_eq(released, 1);
	percpu_ref_exit(&ref);
}
END_TEST

START_TEST(lazy_count_goes_to_percpu_mode_when_it_is_used)
{
	make(PERCPU_REF_INIT_LAZY);
	ck_assert(!in_percpu_mode());
	for (int i = 0; i < 500; i++) {
		ck_assert(percpu_ref_tryget_live(&ref));
		percpu_ref_get(&ref);
		ck_assert(percpu_ref_tryget(&ref));
	}
	ck_assert_int_eq(in_percpu_mode(), can_be_percpu());
	ck_assert_uint_eq(percpu_ref_kill_unused(&ref), 1500);
	percpu_ref_put_many(&ref, 1499);
	ck_assert_int_eq(released, 0);
	percpu_ref_kill(&ref);
	ck_assert(!in_percpu_mode());
	ck_assert_int_eq(released, 0);
	percpu_ref_put(&ref);
	ck_assert_int_eq(released, 1);
	percpu_ref_exit(&ref);
}
END_TEST

START_TEST(lazy_count_that_nobody_uses_stays_as_it_is)
{
	make(PERCPU_REF_INIT_LAZY);
	percpu_ref_get(&ref);
	percpu_ref_put(&ref);
	ck_assert(!in_percpu_mode());
	ck_assert_uint_eq(percpu_ref_kill_unused(&ref), 0);
	ck_assert(percpu_ref_is_dying(&ref) && !percpu_ref_tryget_live(&ref));
	percpu_ref_exit(&ref);
}
END_TEST

START_TEST(slots_are_freed)
{
	size_t before = variables();

	make(0);
	ck_assert_uint_eq(variables(), before + can_be_percpu());
	percpu_ref_kill(&ref);
	ck_assert_uint_eq(variables(), before);
	percpu_ref_exit(&ref);
	make(PERCPU_REF_ALLOW_REINIT);
	percpu_ref_kill(&ref);
	ck_assert_uint_eq(variables(), before + can_be_percpu());
	percpu_ref_exit(&ref);
	ck_assert_uint_eq(variables(), before);
	make(0);
	percpu_ref_exit(&ref);
	ck_assert_uint_eq(variables(), before);
}
END_TEST

START_TEST(bad_arguments_are_refused)
{
	ck_assert_int_eq(percpu_ref_init(&ref, note_release, 1 << 4), -EINVAL);
	ck_assert_int_eq(percpu_ref_init(&ref, NULL, 0), -EINVAL);
}
END_TEST

/* ---- Confirmation --------------------------------------------------------------------------- */

static void note_kill(struct percpu_ref *which)
{
	confirmed++;
	ck_assert_ptr_eq(which, &ref);
	ck_assert(percpu_ref_is_dying(which) && !percpu_ref_tryget_live(which));
	/* The initial reference is still there. */
	ck_assert(!percpu_ref_is_zero(which) && released == 0);
}

static void note_switch(struct percpu_ref *which)
{
	confirmed++;
	ck_assert_ptr_eq(which, &ref);
	ck_assert(!in_percpu_mode());
	percpu_ref_get(which);
	percpu_ref_put(which);
}

START_TEST(confirmation_comes_before_the_release)
{
	make(_i ? PERCPU_REF_INIT_ATOMIC : PERCPU_REF_ALLOW_REINIT);
	percpu_ref_switch_to_atomic(&ref, note_switch);
	ck_assert_int_eq(confirmed, 1);
	percpu_ref_switch_to_atomic(&ref, note_switch);
	ck_assert_int_eq(confirmed, 2);
	percpu_ref_switch_to_percpu(&ref);
	percpu_ref_kill_and_confirm(&ref, note_kill);
	ck_assert_int_eq(confirmed, 3);
	ck_assert_int_eq(released, 1);
	percpu_ref_exit(&ref);
}
END_TEST

/* ---- Wrong use ------------------------------------------------------------------------------ */

static void kill_twice(void *unused UNUSED)
{
	percpu_ref_get(&ref);
	percpu_ref_kill(&ref);
	percpu_ref_kill(&ref);
}

static void resurrect_the_living(void *unused UNUSED)
{
	percpu_ref_resurrect(&ref);
}

static void reinit_while_held(void *unused UNUSED)
{
	percpu_ref_get(&ref);
	percpu_ref_kill(&ref);
	percpu_ref_reinit(&ref);
}

static void resurrect_without_permission(void *unused UNUSED)
{
	percpu_ref_init(&ref, note_release, 0);
	percpu_ref_kill(&ref);
	percpu_ref_resurrect(&ref);
}

static void switch_without_permission(void *unused UNUSED)
{
	percpu_ref_init(&ref, note_release, 0);
	percpu_ref_switch_to_percpu(&ref);
}

static void put_too_often(void *unused UNUSED)
{
	percpu_ref_put(&ref);
	percpu_ref_put(&ref);
	percpu_ref_kill(&ref);
}

/* The message is `before`, the address, `after`. */
static const struct {
	void (*body)(void *unused);
	const char *before, *after;
	bool in_percpu_mode_only;
} mistakes[] = {
	{ kill_twice, "percpu_ref_kill(", "): the count is dead already", false },
	{ resurrect_the_living, "percpu_ref_resurrect(", "): the count is not dead", false },
	{ reinit_while_held, "percpu_ref_reinit(", "): the count is not zero (references", false },
	{ resurrect_without_permission, "percpu_ref_resurrect(",
	  "): the count was made without PERCPU_REF_ALLOW_REINIT", false },
	{ switch_without_permission, "percpu_ref_switch_to_percpu(",
	  "): the count was made without PERCPU_REF_ALLOW_REINIT", false },
	{ put_too_often, "percpu_ref ", ": -1 references while the initial one is held", true },
};

START_TEST(wrong_use_is_diagnosed)
{
	struct outcome outcome;
	char message[128];

	make(PERCPU_REF_ALLOW_REINIT);
	if (mistakes[_i].in_percpu_mode_only && !in_percpu_mode())
		return;
	outcome = run_in_child(mistakes[_i].body, NULL);
	snprintf(message, sizeof(message), "%s%p%s", mistakes[_i].before, (void *)&ref,
		 mistakes[_i].after);
	ck_assert_msg(died_by(&outcome, SIGABRT), "status %#x: %s", outcome.status, outcome.text);
	ck_assert_msg(strstr(outcome.text, message) != NULL, "%s", outcome.text);
	percpu_ref_exit(&ref);
}
END_TEST

/* ---- Threads -------------------------------------------------------------------------------- */

static void *get_ten_put_nine(void *unused UNUSED)
{
	errno = 77;
	for (int i = 0; i < 5; i++) {
		percpu_ref_get(&ref);
		if (percpu_ref_tryget_live(&ref))
			percpu_ref_put(&ref);
		percpu_ref_get(&ref);
	}
	percpu_ref_put_many(&ref, 9);
	return (void *)(uintptr_t)(errno != 77);
}

START_TEST(each_new_thread_counts)
{
	make(0);
	for (int i = 0; i < 300; i++) {
		pthread_t thread;
		void *wrong;

		check_that(!pthread_create(&thread, NULL, get_ten_put_nine, NULL));
		pthread_join(thread, &wrong);
		ck_assert(!wrong);
	}
	percpu_ref_put_many(&ref, 299);
	percpu_ref_kill(&ref);
	ck_assert_int_eq(released, 0);
	percpu_ref_put(&ref);
	ck_assert_int_eq(released, 1);
	percpu_ref_exit(&ref);
}
END_TEST

START_TEST(child_of_fork_has_a_copy)
{
	int status;
	pid_t child;

	make(PERCPU_REF_ALLOW_REINIT);
	percpu_ref_get(&ref);
	child = fork();
	if (!child) {
		percpu_ref_kill(&ref);
		percpu_ref_put(&ref);
		_exit(released == 1 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(released, 0);
	percpu_ref_put(&ref);
	percpu_ref_kill(&ref);
	ck_assert_int_eq(released, 1);
	percpu_ref_exit(&ref);
}
END_TEST

/*
 * Rounds: an object is made, used by all workers and their handlers, killed by the main thread, and
 * everybody uses it until it is dead.  `alive` is the object: it must be while anybody holds a
 * reference.
 */
static int alive;
static long round_number;
/* On m68k the C library's type is too little aligned for what it is. */
static _Alignas(8) pthread_barrier_t round_begins, round_ends;

static void end_life(struct percpu_ref *which)
{
	note_release(which);
	check_that(__atomic_exchange_n(&alive, 0, __ATOMIC_SEQ_CST) == 1);
}

static void check_alive(void)
{
	check_that(__atomic_load_n(&alive, __ATOMIC_SEQ_CST) == 1);
}

/* As handlers do: a reference if it is to be had. */
static void visit(struct worker *me UNUSED)
{
	if (percpu_ref_tryget(&ref)) {
		check_alive();
		percpu_ref_put(&ref);
	}
}

static void use_until_dead(struct worker *me)
{
	unsigned long i = 0;

	while (percpu_ref_tryget_live(&ref)) {
		check_alive();
		percpu_ref_get_many(&ref, 2);
		/* Some leave with references in hand, which they put late. */
		if (i++ % 64 == (unsigned long)me->number)
			sched_yield();
		check_alive();
		percpu_ref_put(&ref);
		check_alive();
		percpu_ref_put_many(&ref, 2);
	}
}

static void live_through_rounds(struct worker *me)
{
	for (long i = 0; i < round_number; i++) {
		pthread_barrier_wait(&round_begins);
		use_until_dead(me);
		pthread_barrier_wait(&round_ends);
	}
}

static void begin_life(void)
{
	released = 0;
	__atomic_store_n(&alive, 1, __ATOMIC_SEQ_CST);
}

static void kill_in_rounds(void)
{
	for (long i = 0; i < round_number; i++) {
		begin_life();
		if (i)
			percpu_ref_exit(&ref);
		check_that(!percpu_ref_init(&ref, end_life, 0));
		pthread_barrier_wait(&round_begins);
		for (volatile long k = 0; k < i % 1000; k++)
			continue;
		check_alive();
		percpu_ref_kill_and_confirm(&ref, i % 2 ? note_kill : NULL);
		pthread_barrier_wait(&round_ends);
		/* Handlers may still be visiting, but they don't hold it for long. */
		while (!percpu_ref_is_zero(&ref))
			sched_yield();
		while (__atomic_load_n(&alive, __ATOMIC_SEQ_CST))
			sched_yield();
		check_that(__atomic_load_n(&released, __ATOMIC_SEQ_CST) == 1);
	}
}

/* Handlers come at any time, also between rounds, so they need a count that stays. */
static void do_nothing(struct worker *me UNUSED)
{
}

static void run_rounds(void (*interrupt)(struct worker *me), void (*killer)(void))
{
	pthread_barrier_init(&round_begins, NULL, WORKERS + 1);
	pthread_barrier_init(&round_ends, NULL, WORKERS + 1);
	torture(live_through_rounds, interrupt, killer);
	pthread_barrier_destroy(&round_begins);
	pthread_barrier_destroy(&round_ends);
}

START_TEST(release_comes_once_after_the_last_put)
{
	round_number = rounds(3000);
	run_rounds(do_nothing, kill_in_rounds);
	percpu_ref_exit(&ref);
}
END_TEST

/* The same on one count that is made alive again, and handlers use it as well. */
static void kill_and_reinit_in_rounds(void)
{
	for (long i = 0; i < round_number; i++) {
		pthread_barrier_wait(&round_begins);
		for (volatile long k = 0; k < i % 1000; k++)
			continue;
		check_alive();
		percpu_ref_kill(&ref);
		pthread_barrier_wait(&round_ends);
		while (__atomic_load_n(&alive, __ATOMIC_SEQ_CST))
			sched_yield();
		check_that(__atomic_load_n(&released, __ATOMIC_SEQ_CST) == 1);
		begin_life();
		percpu_ref_reinit(&ref);
	}
}

START_TEST(count_lives_again_and_again)
{
	round_number = rounds(3000);
	begin_life();
	ck_assert_int_eq(percpu_ref_init(&ref, end_life, PERCPU_REF_ALLOW_REINIT), 0);
	run_rounds(visit, kill_and_reinit_in_rounds);
	percpu_ref_kill(&ref);
	ck_assert_int_eq(released, 1);
	percpu_ref_exit(&ref);
}
END_TEST

/* While somebody changes the mode, dead and alive, per-CPU and atomic, no reference is lost. */
static void get_and_put(struct worker *me)
{
	long held = 0;

	for (long i = 0; i < rounds(300000); i++) {
		percpu_ref_get_many(&ref, 3);
		held += 3;
		if (percpu_ref_tryget_live(&ref))
			held++;
		if (percpu_ref_tryget(&ref))
			held++;
		if (i % 3) {
			percpu_ref_put_many(&ref, (unsigned long)held - 1);
			held = 1;
		}
		check_that(__atomic_load_n(&released, __ATOMIC_SEQ_CST) == 0);
		let_signals_in(i);
	}
	me->data = (void *)held;
}

static void change_modes(void)
{
	for (long i = 0; i < rounds(3000); i++) {
		percpu_ref_kill(&ref);
		if (i % 5 == 0)
			percpu_ref_switch_to_atomic(&ref, NULL);
		percpu_ref_resurrect(&ref);
		if (i % 3 == 0)
			percpu_ref_switch_to_percpu(&ref);
		if (i % 2 == 0)
			percpu_ref_switch_to_atomic_sync(&ref);
		if (i % 4 == 0)
			percpu_ref_switch_to_percpu(&ref);
		usleep(20);
	}
}

START_TEST(no_reference_is_lost_by_changes_of_mode)
{
	unsigned long held = 0;

	begin_life();
	make(PERCPU_REF_ALLOW_REINIT);
	/* For workers may only get more references if they hold one. */
	percpu_ref_get(&ref);
	torture(get_and_put, visit, change_modes);
	for (int i = 0; i < WORKERS; i++)
		held += (unsigned long)workers[i].data;
	ck_assert_uint_gt(held, 0);
	percpu_ref_kill(&ref);
	percpu_ref_put_many(&ref, held);
	ck_assert_int_eq(released, 0);
	percpu_ref_put(&ref);
	ck_assert_int_eq(released, 1);
	percpu_ref_exit(&ref);
}
END_TEST

/* Once it is confirmed that it is dead, nobody gets a live reference, in whatever mode.  The number is
 * odd from a confirmation to the next resurrection. */
static unsigned long confirmations;

static void count_confirmation(struct percpu_ref *which UNUSED)
{
	__atomic_fetch_add(&confirmations, 1, __ATOMIC_SEQ_CST);
}

static void get_live(struct worker *me UNUSED)
{
	for (long i = 0; i < rounds(300000); i++) {
		unsigned long before = __atomic_load_n(&confirmations, __ATOMIC_SEQ_CST);

		if (percpu_ref_tryget_live(&ref)) {
			check_that(before % 2 == 0 ||
				   before != __atomic_load_n(&confirmations, __ATOMIC_SEQ_CST));
			percpu_ref_put(&ref);
		}
		let_signals_in(i);
	}
}

static void kill_and_resurrect(void)
{
	for (long i = 0; i < rounds(3000); i++) {
		percpu_ref_kill_and_confirm(&ref, count_confirmation);
		usleep(20);
		__atomic_fetch_add(&confirmations, 1, __ATOMIC_SEQ_CST);
		percpu_ref_resurrect(&ref);
		usleep(20);
	}
}

START_TEST(no_live_reference_after_the_confirmation)
{
	make(_i ? PERCPU_REF_INIT_ATOMIC : PERCPU_REF_ALLOW_REINIT);
	percpu_ref_get(&ref);
	torture(get_live, do_nothing, kill_and_resurrect);
	percpu_ref_kill(&ref);
	ck_assert_int_eq(released, 0);
	percpu_ref_put(&ref);
	ck_assert_int_eq(released, 1);
	percpu_ref_exit(&ref);
}
END_TEST

static void add_tests(TCase *tests)
{
	tcase_add_test(tests, killed_count_releases_at_the_last_put);
	tcase_add_loop_test(tests, kill_of_the_only_reference_releases, 0, 2);
	tcase_add_test(tests, reference_may_be_put_on_another_cpu);
	tcase_add_test(tests, count_is_in_percpu_mode_where_there_is_one);
	tcase_add_test(tests, dead_count_comes_to_life);
	tcase_add_test(tests, atomic_mode_lasts_until_it_is_ended);
	tcase_add_test(tests, lazy_count_goes_to_percpu_mode_when_it_is_used);
	tcase_add_test(tests, lazy_count_that_nobody_uses_stays_as_it_is);
	tcase_add_test(tests, slots_are_freed);
	tcase_add_test(tests, bad_arguments_are_refused);
	tcase_add_loop_test(tests, confirmation_comes_before_the_release, 0, 2);
	tcase_add_loop_test(tests, wrong_use_is_diagnosed, 0,
			    (int)(sizeof(mistakes) / sizeof(mistakes[0])));
	tcase_add_test(tests, each_new_thread_counts);
	tcase_add_test(tests, child_of_fork_has_a_copy);
	tcase_add_test(tests, release_comes_once_after_the_last_put);
	tcase_add_test(tests, count_lives_again_and_again);
	tcase_add_test(tests, no_reference_is_lost_by_changes_of_mode);
	tcase_add_loop_test(tests, no_live_reference_after_the_confirmation, 0, 2);
}

int main(void)
{
	return run_in_all_modes("percpu_ref", add_tests);
}
