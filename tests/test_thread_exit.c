/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Destructors of thread-local variables: they keep a module until their threads have ended. */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

/* A thread that has asked for two destructors, and waits. */
struct user {
	pthread_t thread;
	int (*add)(void);
	sem_t added, may_end;
	int error;
	struct permod_module *held;
};

static void *use(void *arg)
{
	struct user *user = arg;

	user->error = user->add();
	sem_post(&user->added);
	sem_wait(&user->may_end);
	return NULL;
}

static void start_user(struct user *user, struct permod_module *m)
{
	user->add = (int (*)(void))symbol(m, "threads_add");
	sem_init(&user->added, 0, 0);
	sem_init(&user->may_end, 0, 0);
	check_that(pthread_create(&user->thread, NULL, use, user) == 0);
	sem_wait(&user->added);
	ck_assert_int_eq(user->error, 0);
}

static void end_user(struct user *user)
{
	sem_post(&user->may_end);
	pthread_join(user->thread, NULL);
}

START_TEST(unload_waits_for_threads)
{
	struct permod *pm = new_context();
	struct permod_module *m = load(pm, "threads");
	int *order = symbol(m, "destroyed_order");
	struct user first, second;

	start_user(&first, m);
	expect_error(pm, permod_unload(m, 0), -EBUSY, "threads: can't be unloaded", "2 destructors",
		     "run by 1 thread;");
	start_user(&second, m);
	expect_error(pm, permod_unload(m, 0), -EBUSY, "4 destructors", "run by 2 threads;");
	end_user(&first);
	/* The last is run first. */
	ck_assert_int_eq(*order, 21);
	expect_error(pm, permod_unload(m, 0), -EBUSY, "2 destructors", "run by 1 thread;");
	end_user(&second);
	ck_assert_int_eq(*order, 2121);
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}
END_TEST

/* Asks for destructors while somebody waits for its reference. */
static void *use_when_going(void *arg)
{
	struct user *user = arg;

	while (permod_state(user->held) != PERMOD_GOING)
		sched_yield();
	user->error = user->add();
	permod_put(user->held);
	sem_post(&user->added);
	sem_wait(&user->may_end);
	return NULL;
}

START_TEST(unload_that_waits_is_refused_by_late_destructors)
{
	struct permod *pm = new_context();
	struct permod_module *m = load(pm, "threads");
	struct user user = { .add = (int (*)(void))symbol(m, "threads_add"), .held = m };

	sem_init(&user.added, 0, 0);
	sem_init(&user.may_end, 0, 0);
	must(pm, permod_get(m));
	check_that(pthread_create(&user.thread, NULL, use_when_going, &user) == 0);
	expect_error(pm, permod_unload(m, PERMOD_UNLOAD_WAIT), -EBUSY, "2 destructors",
		     "run by 1 thread;");
	sem_wait(&user.added);
	ck_assert_int_eq(user.error, 0);
	/* It is live, as before. */
	ck_assert_int_eq(permod_state(m), PERMOD_LIVE);
	ck_assert_ptr_eq(permod_find(pm, "load_threads"), m);
	must(pm, permod_get(m));
	expect_error(pm, permod_unload(m, 0), -EBUSY, "destructors");
	end_user(&user);
	expect_error(pm, permod_unload(m, 0), -EBUSY, "1 reference ");
	permod_put(m);
	must(pm, permod_unload(m, PERMOD_UNLOAD_WAIT));
	permod_free(pm);
}
END_TEST

/* A context that is freed leaves such a module in memory, where the destructors find it. */
START_TEST(freed_context_leaves_module)
{
	struct permod *pm = new_context();
	struct permod_module *m = load(pm, "threads");
	struct user user;
	int count = 0;

	((void (*)(int *))symbol(m, "threads_count"))(&count);
	start_user(&user, m);
	permod_free(pm);
	ck_assert_int_eq(count, 0);
	end_user(&user);
	ck_assert_int_eq(count, 2);
}
END_TEST

/* An init that failed has been undone when the load returns. */
START_TEST(failed_init_runs_own)
{
	struct permod *pm = new_context();

	for (int i = 0; i < 2; i++) {
		expect_error(pm, permod_load(pm, module_file("threads"), "fails=1", 0, NULL), -EIO,
			     "its init returned");
		ck_assert_str_eq(noted(), "thread destructor");
	}
	permod_free(pm);
}
END_TEST

static void unload_in_child(void *arg)
{
	struct permod_module *m = arg;

	check_that(permod_unload(m, 0) == 0);
}

static void end_own_in_child(void *arg)
{
	struct permod_module *m = arg;

	check_that(((int (*)(void))symbol(m, "threads_add"))() == 0);
	check_that(permod_unload(m, 0) == -EBUSY);
}

__attribute__((noinline)) static void check_in_child(void (*function)(void *), void *arg)
{
	struct outcome outcome = run_in_child(function, arg);

	ck_assert_msg(ended_well(&outcome), "%s", outcome.text);
}

/* Nobody will run there what threads of the parent had to run. */
START_TEST(child_of_a_fork_lacks_other_threads)
{
	struct permod *pm = new_context();
	struct permod_module *m = load(pm, "threads");
	struct user user;

	start_user(&user, m);
	check_in_child(unload_in_child, m);
	check_in_child(end_own_in_child, m);
	expect_error(pm, permod_unload(m, 0), -EBUSY, "2 destructors", "run by 1 thread;");
	end_user(&user);
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("thread_exit");
	TCase *tests = tcase_create("thread_exit");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, unload_waits_for_threads);
	tcase_add_test(tests, unload_that_waits_is_refused_by_late_destructors);
	tcase_add_test(tests, freed_context_leaves_module);
	tcase_add_test(tests, failed_init_runs_own);
	tcase_add_test(tests, child_of_a_fork_lacks_other_threads);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
