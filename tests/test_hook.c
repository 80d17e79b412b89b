/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hooks: the order of calls, functions that come and go, also from inside, and modules that are
 * unloaded under threads that call. Meant for ThreadSanitizer, too. Check's functions are for one
 * thread: the others count what goes wrong.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <permod/hook.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

PERMOD_DECLARE_HOOK(event, (void *context, int value), (context, value));
PERMOD_DEFINE_HOOK(event);
EXPORT_SYMBOL(permod_hook_event);

PERMOD_DECLARE_HOOK(other, (void *context), (context));
PERMOD_DEFINE_HOOK(other);

PERMOD_DECLARE_INT_HOOK(decide, (void *context, const char *what), (context, what));
PERMOD_DEFINE_HOOK(decide);

/* A function's context is not const. */
static void *letter(const char *string)
{
	return (void *)(uintptr_t)string;
}

/* Notes the letter that is its context, and the value. */
static void note_letter(void *context, int value)
{
	note(text("%s%d", (const char *)context, value));
}

/* ---- Order ---------------------------------------------------------------------------------- */

START_TEST(functions_run_by_priority_and_then_by_age)
{
	static struct permod_hook_entry entry[5];

	notes[0] = '\0';
	PERMOD_CALL_HOOK(event, 1);
	ck_assert_str_eq(noted(), "");
	ck_assert(!permod_hook_used(&permod_hook_event));
	ck_assert_int_eq(permod_register_event(&entry[0], note_letter, letter("a"), 0), 0);
	ck_assert_int_eq(permod_register_event(&entry[1], note_letter, letter("b"), 0), 0);
	ck_assert_int_eq(permod_register_event(&entry[2], note_letter, letter("c"), 7), 0);
	ck_assert_int_eq(permod_register_event(&entry[3], note_letter, letter("d"), -7), 0);
	ck_assert_int_eq(permod_register_event(&entry[4], note_letter, letter("e"), 0), 0);
	ck_assert(permod_hook_used(&permod_hook_event));
	PERMOD_CALL_HOOK(event, 2);
	ck_assert_str_eq(noted(), "c2 a2 b2 e2 d2");
	ck_assert_int_eq(permod_unregister_event(&entry[1]), 0);
	ck_assert_int_eq(permod_register_event(&entry[1], note_letter, letter("b"), 0), 0);
	notes[0] = '\0';
	PERMOD_CALL_HOOK(event, 3);
	ck_assert_str_eq(noted(), "c3 a3 e3 b3 d3");
	for (size_t i = 0; i < COUNT(entry); i++)
		ck_assert_int_eq(permod_unregister_event(&entry[i]), 0);
	ck_assert(!permod_hook_used(&permod_hook_event));
}
END_TEST

START_TEST(registering_wrongly_is_an_error)
{
	static struct permod_hook_entry entry;

	ck_assert_int_eq(permod_unregister_event(&entry), -ENOENT);
	ck_assert_int_eq(permod_register_event(&entry, NULL, NULL, 0), -EINVAL);
	ck_assert_int_eq(permod_register_event(&entry, note_letter, letter("a"), 0), 0);
	ck_assert_int_eq(permod_register_event(&entry, note_letter, letter("a"), 0), -EEXIST);
	ck_assert_int_eq(permod_unregister_event(&entry), 0);
	ck_assert_int_eq(permod_unregister_event(&entry), -ENOENT);
}
END_TEST

static int length_if(void *context, const char *what)
{
	note((const char *)context);
	return strcmp(what, context) == 0 ? (int)strlen(what) : 0;
}

START_TEST(call_with_a_result_ends_with_the_first_one)
{
	static struct permod_hook_entry entry[3];
	static char words[][8] = { "one", "three", "seven" };

	notes[0] = '\0';
	ck_assert_int_eq(PERMOD_CALL_HOOK(decide, "three"), 0);
	for (size_t i = 0; i < COUNT(entry); i++)
		ck_assert_int_eq(permod_register_decide(&entry[i], length_if, words[i], 0), 0);
	ck_assert_int_eq(PERMOD_CALL_HOOK(decide, "three"), 5);
	ck_assert_str_eq(noted(), "one three");
	ck_assert(!permod_in_hook());
	notes[0] = '\0';
	ck_assert_int_eq(PERMOD_CALL_HOOK(decide, "two"), 0);
	ck_assert_str_eq(noted(), "one three seven");
	/* Nobody is in it any more: this would wait for ever. */
	for (size_t i = 0; i < COUNT(entry); i++)
		ck_assert_int_eq(permod_unregister_decide(&entry[i]), 0);
}
END_TEST

/* ---- From inside ---------------------------------------------------------------------------- */

static struct permod_hook_entry inside[4];
static int inside_results[4];

/* With value 1, each does something else on its first call. */
static void change_inside(void *context, int value)
{
	const char *name = context;

	note_letter(context, value);
	ck_assert(permod_in_hook());
	if (value != 1)
		return;
	switch (*name) {
	case 'a': /* itself, and the next one */
		inside_results[0] = permod_unregister_event(&inside[0]);
		inside_results[1] = permod_unregister_event(&inside[1]);
		inside_results[2] =
			permod_register_event(&inside[0], change_inside, letter("a"), 9);
		break;
	case 'c': /* one behind it, and one whose turn has passed */
		ck_assert_int_eq(permod_register_event(&inside[3], change_inside, letter("d"), -1),
				 0);
		PERMOD_CALL_HOOK(event, 2);
		break;
	}
}

START_TEST(functions_come_and_go_from_inside)
{
	static char letters[][2] = { "a", "b", "c" };

	notes[0] = '\0';
	for (size_t i = 0; i < COUNT(letters); i++)
		ck_assert_int_eq(permod_register_event(&inside[i], change_inside, letters[i], 0),
				 0);
	PERMOD_CALL_HOOK(event, 1);
	ck_assert_str_eq(noted(), "a1 c1 c2 d2 d1");
	ck_assert_int_eq(inside_results[0], -EINPROGRESS);
	ck_assert_int_eq(inside_results[1], -EINPROGRESS);
	ck_assert_int_eq(inside_results[2], -EBUSY);
	/* Outside they can come again. */
	ck_assert_int_eq(permod_register_event(&inside[0], change_inside, letter("a"), 9), 0);
	ck_assert_int_eq(permod_register_event(&inside[1], change_inside, letter("b"), 9), 0);
	notes[0] = '\0';
	PERMOD_CALL_HOOK(event, 3);
	ck_assert_str_eq(noted(), "a3 b3 c3 d3");
	for (size_t i = 0; i < COUNT(inside); i++)
		ck_assert_int_eq(permod_unregister_event(&inside[i]), 0);
}
END_TEST

/* ---- Waiting -------------------------------------------------------------------------------- */

static sem_t entered, go_on;
static int returned; /* atomic */

static void block(void *context, int value)
{
	(void)context;
	(void)value;
	sem_post(&entered);
	sem_wait(&go_on);
	__atomic_store_n(&returned, 1, __ATOMIC_RELEASE);
}

static void *call_event(void *arg)
{
	PERMOD_CALL_HOOK(event, 1);
	return arg;
}

static void *let_go_on(void *arg)
{
	for (int i = 0; i < 1000; i++)
		sched_yield();
	sem_post(&go_on);
	return arg;
}

static void sleep_in_a_function(void)
{
	static struct permod_hook_entry sleeping, another;
	pthread_t caller, helper;

	sem_init(&entered, 0, 0);
	sem_init(&go_on, 0, 0);
	returned = 0;
	notes[0] = '\0';
	ck_assert_int_eq(permod_register_event(&sleeping, block, NULL, 0), 0);
	check_that(pthread_create(&caller, NULL, call_event, NULL) == 0);
	sem_wait(&entered);
	ck_assert_int_eq(permod_register_event(&another, note_letter, letter("x"), 1), 0);
	ck_assert_int_eq(permod_unregister_event(&another), 0);
	ck_assert_int_eq(returned, 0);
	/* Comes behind the one that is blocked: the call finds it although that one is gone by then. */
	ck_assert_int_eq(permod_register_event(&another, note_letter, letter("y"), 0), 0);
	check_that(pthread_create(&helper, NULL, let_go_on, NULL) == 0);
	ck_assert_int_eq(permod_unregister_event(&sleeping), 0);
	ck_assert_int_eq(__atomic_load_n(&returned, __ATOMIC_ACQUIRE), 1);
	pthread_join(caller, NULL);
	pthread_join(helper, NULL);
	ck_assert_str_eq(noted(), "y1");
	ck_assert_int_eq(permod_unregister_event(&another), 0);
}

START_TEST(unregistering_waits_for_a_function_that_sleeps_and_for_no_other)
{
	sleep_in_a_function();
}
END_TEST

static void count_calls(void *context, int value)
{
	__atomic_add_fetch((long *)context, value, __ATOMIC_RELAXED);
}

static void call_within(void *context, int value)
{
	__atomic_add_fetch((long *)context, 1, __ATOMIC_RELAXED);
	if (value)
		PERMOD_CALL_HOOK(event, value - 1);
	else if (permod_in_hook())
		note("in");
}

/* More than a record has room for; twice, as what was taken for that is given back. */
static void call_deeply(void)
{
	static struct permod_hook_entry first, second;
	long count = 0;

	notes[0] = '\0';
	ck_assert_int_eq(permod_register_event(&first, call_within, &count, 1), 0);
	for (int i = 0; i < 2; i++) {
		PERMOD_CALL_HOOK(event, 5 * PERMOD_HOOK_DEPTH);
		ck_assert(!permod_in_hook());
	}
	ck_assert_int_eq(count, 2L * (5 * PERMOD_HOOK_DEPTH + 1));
	ck_assert_str_eq(noted(), "in in");
	/* Each function that is called calls both: 2 + 4 + ... + 2^10. */
	count = 0;
	ck_assert_int_eq(permod_register_event(&second, call_within, &count, 0), 0);
	PERMOD_CALL_HOOK(event, 9);
	ck_assert_int_eq(count, 2046);
	ck_assert_int_eq(permod_unregister_event(&first), 0);
	ck_assert_int_eq(permod_unregister_event(&second), 0);
}

START_TEST(calls_within_each_other_have_no_limit)
{
	call_deeply();
}
END_TEST

static void *call_some(void *arg)
{
	for (int i = 0; i < 100; i++)
		PERMOD_CALL_HOOK(event, 1);
	return arg;
}

/* Each of them has a record for as long as it lives. */
START_TEST(threads_that_have_ended_are_in_no_function)
{
	static struct permod_hook_entry entry;
	long count = 0;
	pthread_t thread[20];

	ck_assert_int_eq(permod_register_event(&entry, count_calls, &count, 0), 0);
	for (int i = 0; i < 10; i++) {
		for (size_t j = 0; j < COUNT(thread); j++)
			check_that(pthread_create(&thread[j], NULL, call_some, NULL) == 0);
		for (size_t j = 0; j < COUNT(thread); j++)
			pthread_join(thread[j], NULL);
	}
	ck_assert_int_eq(permod_unregister_event(&entry), 0);
	ck_assert_int_eq(count, 100L * 10 * (long)COUNT(thread));
}
END_TEST

#ifdef __x86_64__
/* From here on the process has no membarrier(2): as on an old kernel, or in a sandbox. */
static bool lose_fences(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = COUNT(filter), .filter = filter };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

/* Libraries look for it at start, so another process runs this test again. */
START_TEST(hooks_work_without_a_fence)
{
	pid_t child;
	int status;

	/* It runs the program anew, which is valgrind then. */
	if (under_valgrind()) {
		printf("SKIP: %s: under valgrind\n", __func__);
		return;
	}
	if (getenv("WITHOUT_FENCE")) {
		ck_assert_int_eq(syscall(SYS_membarrier, 0, 0, 0), -1);
		call_deeply();
		sleep_in_a_function();
		return;
	}
	child = fork();
	if (!child) {
		setenv("WITHOUT_FENCE", "1", 1);
		setenv("CK_RUN_CASE", "unfenced", 1);
		if (lose_fences() && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0)
			execl("/proc/self/exe", "test_hook", (char *)NULL);
		_exit(77);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		printf("SKIP: %s: no seccomp filter\n", __func__);
	else
		ck_assert_int_eq(status, 0);
}
END_TEST
#endif

/* ---- Modules -------------------------------------------------------------------------------- */

static struct permod *pm_inside;
static struct permod_module *m_inside;
static int unload_result;

/* What the modules call. */
long host_value(int value);
long host_value(int value)
{
	if (value == 77)
		unload_result = permod_unload(m_inside, 0);
	return value;
}
EXPORT_SYMBOL(host_value);

static const char *const module_text =
	"#include <permod/module.h>\n"
	"#include <permod/hook.h>\n"
	"PERMOD_DECLARE_HOOK(event, (void *context, int value), (context, value));\n"
	"long host_value(int value);\n"
	"static struct permod_hook_entry entry;\n"
	"static long *sum; static int in, forget;\n"
	"module_param(forget, int, 0);\n"
	"long hits; int *inside = &in;\n"
	"static void count(void *context, int value)\n"
	"{\n"
	"	__atomic_add_fetch(&in, 1, __ATOMIC_SEQ_CST);\n"
	"	__atomic_add_fetch((long *)context, host_value(value), __ATOMIC_SEQ_CST);\n"
	"	__atomic_sub_fetch(&in, 1, __ATOMIC_SEQ_CST);\n"
	"}\n"
	"static int __init begin(void)\n"
	"{\n"
	"	return permod_register_event(&entry, count, &hits, 0);\n"
	"}\n"
	"module_init(begin);\n"
	"void (*left)(int, int, long);\n"
	"void notify_left(int, int, long);\n"
	"static void __exit end(void)\n"
	"{\n"
	"	int result = forget ? 0 : permod_unregister_event(&entry);\n"
	"	notify_left(result, __atomic_load_n(&in, __ATOMIC_SEQ_CST), hits);\n"
	"}\n"
	"module_exit(end);\n";

static int left_result, left_inside;
static long left_hits;

void notify_left(int result, int in, long hits);
void notify_left(int result, int in, long hits)
{
	left_result = result;
	left_inside |= in;
	left_hits += hits;
}
EXPORT_SYMBOL(notify_left);

START_TEST(module_counts_and_is_refused_in_its_own_function)
{
	struct permod *pm = new_context();
	const char *path = compile("hooked.ko", "", module_text);

	pm_inside = pm;
	m_inside = load_file(pm, path, NULL);
	unload_result = 0;
	PERMOD_CALL_HOOK(event, 40);
	ck_assert_int_eq(*(long *)symbol(m_inside, "hits"), 40);
	PERMOD_CALL_HOOK(event, 77);
	ck_assert_int_eq(unload_result, -EDEADLK);
	expect_line(permod_error(pm), (const char *const[]){ "hooked", "hook", NULL });
	left_hits = 0;
	must(pm, permod_unload(m_inside, 0));
	ck_assert_int_eq(left_hits, 117);
	/* Unloading was faster than its exit. */
	ck_assert_int_eq(left_result, -ENOENT);
	ck_assert(!permod_hook_used(&permod_hook_event));
	PERMOD_CALL_HOOK(event, 1);
	permod_free(pm);
}
END_TEST

/* As plain `cc -c` makes it: its own variables are near libc, the hook is in the program. */
START_TEST(module_without_fpic_counts_on_each_cpu)
{
	struct permod *pm = new_context();
	struct permod_module *m = load_file(
		pm,
		compile("counting.ko", "-fPIE",
			"#include <permod/module.h>\n"
			"#include <permod/hook.h>\n"
			"PERMOD_DECLARE_HOOK(event, (void *context, int value), (context, value));\n"
			"static DEFINE_PER_CPU(long, hits);\n"
			"static struct permod_hook_entry entry;\n"
			"static void count(void *context, int value) { this_cpu_add(hits, value); }\n"
			"long read_hits(void)\n"
			"{\n"
			"	unsigned int cpu; long sum = 0;\n"
			"	for_each_possible_cpu(cpu)\n"
			"		sum += per_cpu(hits, cpu);\n"
			"	return sum;\n"
			"}\n"
			"int init_module(void) { return permod_register_event(&entry, count, 0, 0); }\n"
			"void cleanup_module(void) {}\n"),
		NULL);
	long (*read_hits)(void) = (long (*)(void))symbol(m, "read_hits");

	PERMOD_CALL_HOOK(event, 40);
	PERMOD_CALL_HOOK(event, 2);
	ck_assert_int_eq(read_hits(), 42);
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}
END_TEST

START_TEST(module_that_forgets_to_unregister_is_taken_out)
{
	struct permod *pm = new_context();
	struct permod_module *m = load_file(pm, compile("hooked.ko", "", module_text), "forget=1");

	must(pm, permod_unload(m, 0));
	ck_assert(!permod_hook_used(&permod_hook_event));
	/* So is one whose init fails. */
	expect_error(
		pm,
		permod_load(pm,
			    compile("failing.ko", "",
				    "#include <permod/module.h>\n"
				    "#include <permod/hook.h>\n"
				    "PERMOD_DECLARE_HOOK(event, (void *context, int value), "
				    "(context, value));\n"
				    "static struct permod_hook_entry entry;\n"
				    "static void f(void *context, int value) {}\n"
				    "int init_module(void)\n"
				    "{ return permod_register_event(&entry, f, 0, 0) - 7; }\n"),
			    NULL, 0, NULL),
		-7, "failing");
	ck_assert(!permod_hook_used(&permod_hook_event));
	/* And a function that is freed behind init. */
	m = load_file(pm,
		      compile("initial.ko", "",
			      "#include <permod/module.h>\n"
			      "#include <permod/hook.h>\n"
			      "PERMOD_DECLARE_HOOK(event, (void *context, int value), "
			      "(context, value));\n"
			      "static struct permod_hook_entry entry;\n"
			      "static void __init f(void *context, int value) {}\n"
			      "int __init init_module(void)\n"
			      "{ return permod_register_event(&entry, f, 0, 0); }\n"
			      "void cleanup_module(void) {}\n"),
		      NULL);
	ck_assert(!permod_hook_used(&permod_hook_event));
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}
END_TEST

static int stop; /* atomic */

static void *call_until_stop(void *arg)
{
	long *sum = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		PERMOD_CALL_HOOK(event, 1);
		++*sum;
	}
	return NULL;
}

/* What a function of the host counts is what all calls were; what is in the modules' is freed while
 * they run. */
START_TEST(modules_go_while_threads_call)
{
	struct permod *pm = new_context();
	static struct permod_hook_entry entry;
	const int rounds = getenv("PERMOD_LONG") ? 2000 : under_valgrind() ? 10 : 100;
	const char *path = compile("hooked.ko", "", module_text);
	long calls[3] = { 0 }, counted = 0, sum = 0;
	pthread_t caller[COUNT(calls)];

	stop = 0;
	left_inside = 0;
	ck_assert_int_eq(permod_register_event(&entry, count_calls, &counted, 0), 0);
	for (size_t i = 0; i < COUNT(caller); i++)
		check_that(pthread_create(&caller[i], NULL, call_until_stop, &calls[i]) == 0);
	for (int i = 0; i < rounds; i++) {
		struct permod_module *m = load_file(pm, path, i % 2 ? "forget=1" : NULL);
		const long *hits = symbol(m, "hits");

		/* Somebody has been in it. */
		while (!__atomic_load_n(hits, __ATOMIC_RELAXED))
			sched_yield();
		must(pm, permod_unload(m, 0));
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (size_t i = 0; i < COUNT(caller); i++) {
		pthread_join(caller[i], NULL);
		sum += calls[i];
	}
	ck_assert_int_eq(left_inside, 0);
	ck_assert_int_eq(counted, sum);
	ck_assert_int_eq(permod_unregister_event(&entry), 0);
	permod_free(pm);
}
END_TEST

/* ---- Forks ---------------------------------------------------------------------------------- */

START_TEST(child_of_a_fork_does_not_wait_for_threads_that_it_lacks)
{
	static struct permod_hook_entry entry;
	pthread_t caller;
	int status;
	pid_t child;

	sem_init(&entered, 0, 0);
	sem_init(&go_on, 0, 0);
	ck_assert_int_eq(permod_register_event(&entry, block, NULL, 0), 0);
	check_that(pthread_create(&caller, NULL, call_event, NULL) == 0);
	sem_wait(&entered);
	child = fork();
	if (!child)
		_exit(permod_unregister_event(&entry) == 0 ? 42 : 1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	sem_post(&go_on);
	pthread_join(caller, NULL);
	ck_assert_int_eq(permod_unregister_event(&entry), 0);
}
END_TEST

static int wait_status;

static void fork_and_count(void *context, int value)
{
	pid_t child = fork();

	(void)value;
	if (!child) {
		/* This thread is in the function, also in the child. */
		if (permod_unregister_event(context) != -EINPROGRESS)
			_exit(1);
		return;
	}
	waitpid(child, &wait_status, 0);
}

START_TEST(child_of_a_fork_inside_returns_from_the_function)
{
	static struct permod_hook_entry entry;
	pid_t self = getpid();

	ck_assert_int_eq(permod_register_event(&entry, fork_and_count, &entry, 0), 0);
	PERMOD_CALL_HOOK(event, 1);
	if (getpid() != self)
		_exit(permod_register_event(&entry, fork_and_count, &entry, 0) == 0 &&
				      permod_unregister_event(&entry) == 0
			      ? 43
			      : 2);
	ck_assert(WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 43);
	ck_assert_int_eq(permod_unregister_event(&entry), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hook");
	TCase *tests = tcase_create("hook");
	TCase *unfenced = tcase_create("unfenced");

	tcase_set_timeout(tests, 300);
	tcase_add_test(tests, functions_run_by_priority_and_then_by_age);
	tcase_add_test(tests, registering_wrongly_is_an_error);
	tcase_add_test(tests, call_with_a_result_ends_with_the_first_one);
	tcase_add_test(tests, functions_come_and_go_from_inside);
	tcase_add_test(tests, unregistering_waits_for_a_function_that_sleeps_and_for_no_other);
	tcase_add_test(tests, calls_within_each_other_have_no_limit);
	tcase_add_test(tests, threads_that_have_ended_are_in_no_function);
	tcase_add_test(tests, module_counts_and_is_refused_in_its_own_function);
	tcase_add_test(tests, module_without_fpic_counts_on_each_cpu);
	tcase_add_test(tests, module_that_forgets_to_unregister_is_taken_out);
	tcase_add_test(tests, modules_go_while_threads_call);
	tcase_add_test(tests, child_of_a_fork_does_not_wait_for_threads_that_it_lacks);
	tcase_add_test(tests, child_of_a_fork_inside_returns_from_the_function);
	suite_add_tcase(suite, tests);
#ifdef __x86_64__
	tcase_set_timeout(unfenced, 300);
	tcase_add_test(unfenced, hooks_work_without_a_fence);
#endif
	suite_add_tcase(suite, unfenced);
	return run_suite(suite);
}
