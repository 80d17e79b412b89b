/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Several threads on one context, and on several: loading, unloading, using, looking. Meant for
 * ThreadSanitizer, too. Check's functions are for one thread: the others count what goes wrong.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#define THREADS 4

static int rounds(int usual)
{
	return under_valgrind() ? usual / 10 : SANITIZED ? usual / 4 : usual;
}

/* What threads share. */
struct work {
	struct permod *pm; /* NULL: each has its own */
	int rounds;
	unsigned char *basic, *percpu, *user;
	size_t basic_size, percpu_size, user_size;
	int wrong; /* atomic */
};

struct worker {
	pthread_t thread;
	struct work *work;
	int number;
};

static void expect(struct work *work, bool condition)
{
	if (!condition)
		__atomic_add_fetch(&work->wrong, 1, __ATOMIC_RELAXED);
}

static void run_threads(struct work *work, void *(*body)(void *))
{
	struct worker worker[THREADS];

	for (int i = 0; i < THREADS; i++) {
		worker[i].work = work;
		worker[i].number = i;
		check_that(pthread_create(&worker[i].thread, NULL, body, &worker[i]) == 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(worker[i].thread, NULL);
	ck_assert_int_eq(work->wrong, 0);
}

static struct work make_work(bool shared)
{
	struct work work = { 0 };

	work.pm = shared ? new_context() : NULL;
	work.basic = read_file(compile("quiet.ko", "",
				       "#include <permod/module.h>\n"
				       "static DEFINE_PER_CPU(long, hits) = 5;\n"
				       "static int step; module_param(step, int, 0444);\n"
				       "static char *words; module_param(words, charp, 0444);\n"
				       "long add(void);\n"
				       "long add(void)\n"
				       "{\n"
				       "	unsigned int cpu; long sum = 0;\n"
				       "	this_cpu_add(hits, step);\n"
				       "	for_each_possible_cpu(cpu)\n"
				       "		sum += per_cpu(hits, cpu) - 5;\n"
				       "	return sum + (words[0] == 'w' ? 0 : 1000);\n"
				       "}\n"
				       "static int __init begin(void) { return step - 7; }\n"
				       "module_init(begin);\n"
				       "static void __exit end(void) {}\n"
				       "module_exit(end);\n"),
			       &work.basic_size);
	work.percpu = read_file(module_file("percpu"), &work.percpu_size);
	work.user = read_file(module_file("percpu_user"), &work.user_size);
	return work;
}

static void free_work(struct work *work)
{
	permod_free(work->pm);
	free(work->basic);
	free(work->percpu);
	free(work->user);
}

/* ---- Loading and unloading ------------------------------------------------------------------ */

/* Load a module of a name of its own, use it, and unload it; again and again. */
static void *load_and_unload(void *arg)
{
	struct worker *worker = arg;
	struct work *work = worker->work;
	struct permod *pm = work->pm;
	char name[32];

	snprintf(name, sizeof(name), "worker_%d", worker->number);
	if (!pm && permod_new(&pm, NULL)) {
		expect(work, false);
		return NULL;
	}
	for (int i = 0; i < work->rounds; i++) {
		struct permod_module *m = NULL;
		long (*add)(void);
		int result = permod_load_memory(pm, name, work->basic, work->basic_size,
						"step=7 words=\"w w\"", 0, &m);

		expect(work, result == 0);
		if (result)
			continue;
		expect(work, permod_find(pm, name) == m);
		add = permod_symbol(m, "add");
		expect(work, add && add() == 7 && add() == 14);
		expect(work, permod_get(m) == 0);
		expect(work, permod_unload(m, 0) == -EBUSY);
		permod_put(m);
		expect(work, permod_unload(m, 0) == 0);
	}
	if (!work->pm)
		permod_free(pm);
	return NULL;
}

START_TEST(threads_load_and_unload_on_one_context)
{
	struct work work = make_work(true);

	work.rounds = rounds(400);
	run_threads(&work, load_and_unload);
	ck_assert_ptr_null(permod_next(work.pm, NULL));
	free_work(&work);
}
END_TEST

START_TEST(threads_load_and_unload_on_contexts_of_their_own)
{
	static struct state before, after;
	struct work work = make_work(false);

	work.rounds = 1;
	run_threads(&work, load_and_unload);
	look(&before);
	work.rounds = rounds(400);
	run_threads(&work, load_and_unload);
	look(&after);
	ck_assert_uint_eq(before.areas, after.areas);
	ck_assert_uint_eq(before.reserved, after.reserved);
	ck_assert_int_eq(before.descriptors, after.descriptors);
	free_work(&work);
}
END_TEST

/* All want the same name: exactly one at a time has it. */
static void *load_the_same(void *arg)
{
	struct worker *worker = arg;
	struct work *work = worker->work;

	for (int i = 0; i < work->rounds; i++) {
		struct permod_module *m = NULL;
		int result = permod_load_memory(work->pm, "same", work->basic, work->basic_size,
						"step=7 words=w", 0, &m);

		expect(work, result == 0 || result == -EEXIST);
		if (result == 0)
			expect(work, permod_unload(m, 0) == 0);
	}
	return NULL;
}

START_TEST(threads_that_want_the_same_name_take_turns)
{
	struct work work = make_work(true);

	work.rounds = rounds(400);
	run_threads(&work, load_the_same);
	ck_assert_ptr_null(permod_next(work.pm, NULL));
	free_work(&work);
}
END_TEST

/* ---- Users come and go while others use the provider ---------------------------------------- */

static void *use_provider(void *arg)
{
	struct worker *worker = arg;
	struct work *work = worker->work;
	char name[32];

	snprintf(name, sizeof(name), "user_%d", worker->number);
	for (int i = 0; i < work->rounds; i++) {
		struct permod_module *m = NULL;
		int result = permod_load_memory(work->pm, name, work->user, work->user_size, NULL,
						0, &m);

		expect(work, result == 0);
		if (result)
			continue;
		((void (*)(long))permod_symbol(m, "user_add"))(1);
		/* In use by this thread's module, if by no other. */
		expect(work, permod_unload(permod_find(work->pm, "percpu"), 0) == -EBUSY);
		expect(work, permod_unload(m, 0) == 0);
	}
	return NULL;
}

START_TEST(provider_stays_while_any_thread_has_a_user)
{
	struct work work = make_work(true);
	struct permod_module *m = NULL;
	const long *counter;
	unsigned int cpu;
	long sum = 0;

	must(work.pm,
	     permod_load_memory(work.pm, "percpu", work.percpu, work.percpu_size, NULL, 0, &m));
	counter = symbol(m, "percpu_counter");
	work.rounds = rounds(200);
	run_threads(&work, use_provider);
	for_each_possible_cpu(cpu)
		sum += *per_cpu_ptr(counter, cpu) - 1000;
	/* user_add(1) adds once itself and twice by percpu_add(). */
	ck_assert_int_eq(sum, 3L * THREADS * work.rounds);
	must(work.pm, permod_unload(m, 0));
	free_work(&work);
}
END_TEST

/* ---- Init while others wait ----------------------------------------------------------------- */

static struct permod *init_context;
static int found_in_init; /* atomic */

/* Another thread finds the module while its init runs. */
int slow_init(void);
int slow_init(void)
{
	while (!__atomic_load_n(&found_in_init, __ATOMIC_ACQUIRE))
		sched_yield();
	return 0;
}
EXPORT_SYMBOL(slow_init);

static void *find_during_init(void *arg)
{
	struct permod_module *m;
	bool coming, busy;

	while (!(m = permod_find(init_context, "slow")))
		sched_yield();
	coming = permod_state(m) == PERMOD_COMING;
	busy = permod_unload(m, 0) == -EBUSY;
	__atomic_store_n(&found_in_init, 1, __ATOMIC_RELEASE);
	return coming && busy ? NULL : arg;
}

/* What needs the module waits for its init. */
static void *load_user_during_init(void *arg)
{
	while (!permod_find(init_context, "slow"))
		sched_yield();
	return permod_load(init_context, arg, NULL, 0, NULL) ? arg : NULL;
}

START_TEST(others_go_on_during_an_init)
{
	struct permod *pm = init_context = new_context();
	const char *path = compile("slow.ko", "",
				   "#include <permod/module.h>\n"
				   "int slow_init(void), slow = 5;\n"
				   "EXPORT_SYMBOL(slow);\n"
				   "int init_module(void) { return slow_init(); }\n"
				   "void cleanup_module(void) {}\n");
	const char *user =
		compile("slow_user.ko", "-fPIC", "extern int slow; int *user = &slow;\n");
	pthread_t finder, loader;
	void *wrong = pm, *unloaded = pm;

	check_that(pthread_create(&finder, NULL, find_during_init, pm) == 0);
	check_that(pthread_create(&loader, NULL, load_user_during_init, (void *)user) == 0);
	load_file(pm, path, NULL);
	pthread_join(finder, &wrong);
	pthread_join(loader, &unloaded);
	ck_assert_ptr_null(wrong);
	ck_assert_ptr_null(unloaded);
	ck_assert_ptr_nonnull(permod_find(pm, "slow_user"));
	permod_free(pm);
}
END_TEST

/* Long enough for those who wait to wake each other often, if they did. */
int nap_init(void);
int nap_init(void)
{
	usleep(200000);
	return 0;
}
EXPORT_SYMBOL(nap_init);

/* How often it went to sleep. */
static void *load_user_of_nap(void *arg)
{
	struct rusage usage;
	long before;

	while (!permod_find(init_context, "nap"))
		usleep(1000);
	getrusage(RUSAGE_THREAD, &usage);
	before = usage.ru_nvcsw;
	if (permod_load(init_context, arg, NULL, 0, NULL))
		return (void *)-1;
	getrusage(RUSAGE_THREAD, &usage);
	return (void *)(usage.ru_nvcsw - before);
}

START_TEST(those_who_wait_do_not_wake_each_other)
{
	struct permod *pm = init_context = new_context();
	const char *path = compile("nap.ko", "",
				   "#include <permod/module.h>\n"
				   "int nap_init(void), nap = 5;\n"
				   "EXPORT_SYMBOL(nap);\n"
				   "int init_module(void) { return nap_init(); }\n"
				   "void cleanup_module(void) {}\n");
	pthread_t user[2];
	char *file[2];
	void *slept[2];

	for (int i = 0; i < 2; i++) {
		file[i] = strdup(compile(i ? "nap_user.ko" : "nap_other.ko", "-fPIC",
					 "extern int nap; static int *user = &nap;\n"
					 "int nap_of(void) { return *user; }\n"));
		check_that(pthread_create(&user[i], NULL, load_user_of_nap, file[i]) == 0);
	}
	load_file(pm, path, NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(user[i], &slept[i]);
	for (int i = 0; i < 2; i++)
		free(file[i]);
	for (int i = 0; i < 2 && !under_valgrind(); i++)
		ck_assert_uint_lt((uintptr_t)slept[i], 200);
	permod_free(pm);
}
END_TEST

struct complainer {
	struct permod *pm;
	const char *path;
	unsigned int wrong;
};

/* Each line is whole, one of the two, and stays while others make lines. */
static void *complain(void *arg)
{
	struct complainer *complainer = arg;

	for (int i = 0; i < 300; i++) {
		bool failed =
			permod_load(complainer->pm, complainer->path, NULL, 0, NULL) == -ENOENT;
		const char *line = permod_error(complainer->pm);
		char *before = strdup(line);

		sched_yield();
		if (!failed || strcmp(before, line) ||
		    (strcmp(line, "/nowhere/a.ko: No such file or directory") &&
		     strcmp(line, "/nowhere/bb-bb.ko: No such file or directory")))
			complainer->wrong++;
		free(before);
	}
	return NULL;
}

START_TEST(lines_of_errors_are_the_threads_that_ask)
{
	struct permod *pm = new_context();
	struct complainer complainers[] = { { pm, "/nowhere/a.ko", 0 },
					    { pm, "/nowhere/bb-bb.ko", 0 } };
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		check_that(pthread_create(&threads[i], NULL, complain, &complainers[i]) == 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(complainers[0].wrong, 0);
	ck_assert_uint_eq(complainers[1].wrong, 0);
	permod_free(pm);
}
END_TEST

static void *unload_plain(void *arg)
{
	return (void *)(intptr_t)permod_unload_by_name(arg, "plain", 0);
}

/* Another thread wants to unload what this one is still loading. */
static int unload_by_another(void *arg, struct permod_module *m, enum permod_state state)
{
	pthread_t thread;
	void *result;

	(void)m;
	if (state != PERMOD_LIVE)
		return 0;
	check_that(pthread_create(&thread, NULL, unload_plain, arg) == 0);
	pthread_join(thread, &result);
	ck_assert_int_eq((intptr_t)result, -EBUSY);
	return 0;
}

START_TEST(module_stays_until_its_load_is_done)
{
	struct permod *pm = new_context();
	const char *path = compile("plain.ko", "",
				   "int init_module(void) { return 0; }\n"
				   "void cleanup_module(void) {}\n");
	struct permod_module *m;

	must(pm, permod_notify(pm, unload_by_another, pm));
	m = load_file(pm, path, NULL);
	ck_assert_ptr_eq(permod_find(pm, "plain"), m);
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}
END_TEST

/* ---- Forks ---------------------------------------------------------------------------------- */

static bool enough; /* atomic */

static void *load_until_enough(void *arg)
{
	while (!__atomic_load_n(&enough, __ATOMIC_RELAXED))
		load_and_unload(arg);
	return NULL;
}

/* In musl's pthread_once() a child waits for a thread that it doesn't have: so there nothing may be the first. */
static void load_first(void)
{
#ifndef __GLIBC__
	struct permod *pm = new_context();

	must(pm, permod_unload(load(pm, "percpu"), 0));
	permod_free(pm);
#endif
}

/* A context that a thread is in is lost to the child, as is the thread; what all contexts share is
 * not. */
START_TEST(child_of_a_fork_loads_in_a_context_of_its_own)
{
	struct work work = make_work(false);
	struct worker loader = { .work = &work }, in_child = { .work = &work, .number = 1 };

	/* AddressSanitizer (GCC 12) leaves the child a heap that the other thread has locked; valgrind
	 * calls the memory that the other thread was about to free a leak of the child. */
	if (SANITIZED || under_valgrind()) {
		free_work(&work);
		return;
	}
	load_first();
	work.rounds = 1;
	enough = false;
	check_that(pthread_create(&loader.thread, NULL, load_until_enough, &loader) == 0);
	for (int i = 0; i < rounds(400); i++) {
		int status = -1;
		pid_t child = fork();

		if (child == 0) {
			alarm(20);
			load_and_unload(&in_child);
			_exit(work.wrong ? 1 : 0);
		}
		check_that(waitpid(child, &status, 0) == child);
		ck_assert_msg(status == 0, "fork %d: status %#x", i, (unsigned int)status);
	}
	__atomic_store_n(&enough, true, __ATOMIC_RELAXED);
	pthread_join(loader.thread, NULL);
	ck_assert_int_eq(work.wrong, 0);
	free_work(&work);
}
END_TEST

static void *load_thread_local_until_enough(void *arg)
{
	while (!__atomic_load_n(&enough, __ATOMIC_RELAXED))
		load_thread_local(arg);
	return NULL;
}

/* For these the dynamic linker opens and closes something, which no fork may come between. */
START_TEST(child_of_a_fork_loads_thread_local_variables)
{
	const char *path = compile_thread_local();
	pthread_t loader;

	if (SANITIZED || under_valgrind())
		return;
	load_first();
	enough = false;
	check_that(pthread_create(&loader, NULL, load_thread_local_until_enough,
				  (void *)(uintptr_t)path) == 0);
	for (int i = 0; i < rounds(100); i++) {
		int status = -1;
		pid_t child = fork();

		if (child == 0) {
			alarm(20);
			load_thread_local(path);
			_exit(0);
		}
		check_that(waitpid(child, &status, 0) == child);
		ck_assert_msg(status == 0, "fork %d: status %#x", i, (unsigned int)status);
	}
	__atomic_store_n(&enough, true, __ATOMIC_RELAXED);
	pthread_join(loader, NULL);
}
END_TEST

#define AT_FORKS "the emulator has locks that it does not hold at forks"

static Suite *make_suite(void)
{
	Suite *suite = suite_create("load_threads");
	TCase *tests = tcase_create("threads");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, threads_load_and_unload_on_one_context);
	tcase_add_test(tests, threads_load_and_unload_on_contexts_of_their_own);
	tcase_add_test(tests, threads_that_want_the_same_name_take_turns);
	tcase_add_test(tests, provider_stays_while_any_thread_has_a_user);
	tcase_add_test(tests, others_go_on_during_an_init);
	tcase_add_test(tests, those_who_wait_do_not_wake_each_other);
	tcase_add_test(tests, lines_of_errors_are_the_threads_that_ask);
	tcase_add_test(tests, module_stays_until_its_load_is_done);
	/* QEMU 7.2 (util/path.c) looks up paths under a lock of its own, which a child finds taken for good. */
	if (emulator()) {
		LEAVE_OUT(child_of_a_fork_loads_in_a_context_of_its_own, AT_FORKS);
		LEAVE_OUT(child_of_a_fork_loads_thread_local_variables, AT_FORKS);
	} else {
		tcase_add_test(tests, child_of_a_fork_loads_in_a_context_of_its_own);
		tcase_add_test(tests, child_of_a_fork_loads_thread_local_variables);
	}
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return run_suite(make_suite());
}
