/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of a module: states and who is told of them, references, unloading that waits or forces, and
 * modules that load and unload others; the kernel's rules (kernel/module/main.c).
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What modules do in init and exit is to call the host. */
static int (*on_init)(void), (*on_exit_of)(void);

int host_init(void);
int host_init(void)
{
	note("init");
	return on_init ? on_init() : 0;
}
EXPORT_SYMBOL(host_init);

void host_exit(void);
void host_exit(void)
{
	note("exit");
	if (on_exit_of)
		on_exit_of();
}
EXPORT_SYMBOL(host_exit);

static const char *told_module(void)
{
	on_init = on_exit_of = NULL;
	return compile("told.ko", "",
		       "int host_init(void); void host_exit(void);\n"
		       "__attribute__((constructor)) static void a(void) "
		       "{ extern void note(const char *); note(\"constructor\"); }\n"
		       "__attribute__((destructor)) static void z(void) "
		       "{ extern void note(const char *); note(\"destructor\"); }\n"
		       "int init_module(void) { return host_init(); }\n"
		       "void cleanup_module(void) { host_exit(); }\n");
}

static const char *plain_module(const char *name)
{
	return compile(name, "",
		       "int init_module(void) { return 0; }\n"
		       "void cleanup_module(void) {}\n");
}

/* ---- States --------------------------------------------------------------------------------- */

static const char *const state_names[] = {
	[PERMOD_LIVE] = "live", [PERMOD_COMING] = "coming", [PERMOD_GOING] = "going"
};

static int refusal;
static bool got[3];

static int tell(void *arg, struct permod_module *m, enum permod_state state)
{
	note(text("%s%s", state_names[state], (const char *)arg));
	ck_assert_int_eq(permod_state(m), state);
	got[state] = permod_get(m) == 0;
	if (got[state])
		permod_put(m);
	return 0;
}

static int refuse(void *arg, struct permod_module *m, enum permod_state state)
{
	(void)m;
	note(text("%s%s?", state_names[state], (const char *)arg));
	return refusal;
}

START_TEST(notifiers_hear_of_all_states_in_order)
{
	struct permod *pm = new_context();
	const char *path = told_module();
	static char one[] = "1", two[] = "2";
	struct permod_module *m;

	must(pm, permod_notify(pm, tell, one));
	must(pm, permod_notify(pm, tell, two));
	m = load_file(pm, path, NULL);
	ck_assert_str_eq(noted(), "coming1 coming2 constructor init live1 live2");
	ck_assert_int_eq(permod_state(m), PERMOD_LIVE);
	ck_assert(got[PERMOD_COMING] && got[PERMOD_LIVE]);
	must(pm, permod_unnotify(pm, tell, one));
	expect_error(pm, permod_unnotify(pm, tell, one), -ENOENT, "permod_unnotify");
	must(pm, permod_unload(m, 0));
	ck_assert_str_eq(noted(), "exit going2 destructor");
	ck_assert(!got[PERMOD_GOING]);
	permod_free(pm);
}
END_TEST

static int init_fails(void)
{
	return -EIO;
}

START_TEST(init_that_fails_is_told_as_going)
{
	struct permod *pm = new_context();
	const char *path = told_module();
	static char one[] = "1";

	on_init = init_fails;
	must(pm, permod_notify(pm, tell, one));
	expect_error(pm, permod_load(pm, path, NULL, 0, NULL), -EIO, "init", "-5");
	ck_assert_str_eq(noted(), "coming1 constructor init destructor going1");
	ck_assert_ptr_null(permod_find(pm, "told"));
	permod_free(pm);
}
END_TEST

START_TEST(notifier_refuses_a_load_and_those_before_hear_of_it)
{
	struct permod *pm = new_context();
	const char *path = told_module();
	static char one[] = "1", two[] = "2", three[] = "3";

	must(pm, permod_notify(pm, tell, one));
	must(pm, permod_notify(pm, refuse, two));
	must(pm, permod_notify(pm, tell, three));
	refusal = -EPERM;
	expect_error(pm, permod_load(pm, path, NULL, 0, NULL), -EPERM, "told", "notifier");
	ck_assert_str_eq(noted(), "coming1 coming2? going1");
	ck_assert_ptr_null(permod_find(pm, "told"));
	refusal = 0;
	permod_unload(load_file(pm, path, NULL), 0);
	permod_free(pm);
}
END_TEST

static int unload_in_notifier(void *arg, struct permod_module *m, enum permod_state state)
{
	struct permod *pm = arg;

	(void)m;
	if (state == PERMOD_LIVE)
		expect_error(pm, permod_unload_by_name(pm, "plain", 0), -EDEADLK, "plain",
			     "notifier");
	if (state == PERMOD_LIVE)
		must(pm, permod_unnotify(pm, unload_in_notifier, arg));
	return 0;
}

START_TEST(notifier_looks_and_takes_itself_out_but_unloads_nothing)
{
	struct permod *pm = new_context();
	const char *path = told_module();

	load_file(pm, plain_module("plain.ko"), NULL);
	must(pm, permod_notify(pm, unload_in_notifier, pm));
	load_file(pm, path, NULL);
	expect_error(pm, permod_unnotify(pm, unload_in_notifier, pm), -ENOENT, "no such");
	must(pm, permod_unload_by_name(pm, "plain", 0));
	must(pm, permod_unload_by_name(pm, "told", 0));
	expect_error(pm, permod_unload_by_name(pm, "told", 0), -ENOENT, "told");
	permod_free(pm);
}
END_TEST

START_TEST(notifiers_of_a_module_go_with_it)
{
	struct permod *pm = new_context();
	struct permod_module *m = load_file(
		pm,
		compile("hearing.ko", "",
			"void note(const char *);\n"
			"int hear(void *arg, void *m, int state) { note(\"heard\"); return 0; }\n"),
		NULL);

	must(pm, permod_notify(pm, symbol(m, "hear"), NULL));
	load_file(pm, plain_module("plain.ko"), NULL);
	ck_assert_str_eq(noted(), "heard heard");
	must(pm, permod_unload(m, 0));
	noted();
	must(pm, permod_unload_by_name(pm, "plain", 0));
	ck_assert_str_eq(noted(), "");
	permod_free(pm);
}
END_TEST

/* ---- References ----------------------------------------------------------------------------- */

START_TEST(references_refuse_and_are_counted_in_the_line)
{
	struct permod *pm = new_context();
	struct permod_module *m = load_file(pm, told_module(), NULL);

	for (int i = 0; i < 3; i++)
		must(pm, permod_get(m));
	expect_error(pm, permod_unload(m, 0), -EBUSY, "told", "3 references");
	permod_put(m);
	permod_put(m);
	expect_error(pm, permod_unload(m, 0), -EBUSY, "told", "1 reference ");
	ck_assert_int_eq(permod_state(m), PERMOD_LIVE);
	must(pm, permod_get(m));
	permod_put(m);
	permod_put(m);
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}
END_TEST

static struct permod_module *held;
static int waiter_result;

static void *put_when_going(void *arg)
{
	while (permod_state(held) != PERMOD_GOING)
		sched_yield();
	/* No new ones. */
	waiter_result = permod_get(held);
	note("put");
	permod_put(held);
	return arg;
}

START_TEST(unload_waits_for_references)
{
	struct permod *pm = new_context();
	pthread_t thread;

	held = load_file(pm, told_module(), NULL);
	must(pm, permod_get(held));
	noted();
	check_that(pthread_create(&thread, NULL, put_when_going, NULL) == 0);
	must(pm, permod_unload(held, PERMOD_UNLOAD_WAIT));
	pthread_join(thread, NULL);
	ck_assert_int_eq(waiter_result, -EBUSY);
	ck_assert_str_eq(noted(), "put exit destructor");
	ck_assert_ptr_null(permod_find(pm, "told"));
	permod_free(pm);
}
END_TEST

START_TEST(unload_by_force_taints_and_references_can_be_put)
{
	struct permod *pm = new_context();
	struct permod_module *m = load_file(pm, told_module(), NULL);

	must(pm, permod_get(m));
	must(pm, permod_unload(m, PERMOD_UNLOAD_FORCE));
	ck_assert_ptr_null(permod_find(pm, "told"));
	ck_assert(permod_taint(pm) & PERMOD_TAINT_FORCED_UNLOAD);
	ck_assert_int_eq(permod_get(m), -EBUSY);
	permod_put(m);
	permod_free(pm);
}
END_TEST

/* ---- Loads that fail while somebody holds the module ------------------------------------------ */

static struct permod_module *taken;

/* What `__this_module` begins with. */
void host_take(struct permod_module **module);
void host_take(struct permod_module **module)
{
	taken = permod_get(*module) ? NULL : *module;
}
EXPORT_SYMBOL(host_take);

static const char *const taking_text =
	"#include <permod/module.h>\n"
	"void host_take(struct module *); void host_refuse(void); void note(const char *);\n"
	"static int set(const char *value, const struct kernel_param *param)\n"
	"{ host_take(THIS_MODULE); return *value == 'y' ? 0 : -22; }\n"
	"static const struct kernel_param_ops ops = { .set = set };\n"
	"module_param_cb(take, &ops, NULL, 0);\n"
	"int constant __ro_after_init = 1;\n"
	"static int __init begin(void)\n"
	"{ host_take(THIS_MODULE); host_refuse(); return 0; }\n"
	"module_init(begin);\n"
	"static void end(void) { note(\"exit\"); }\n"
	"module_exit(end);\n";

/* The handle is there until the reference is put, and good for nothing else. */
static void put_taken(void)
{
	ck_assert_ptr_nonnull(taken);
	ck_assert_int_eq(permod_get(taken), -EBUSY);
	permod_put(taken);
	taken = NULL;
}

static bool refusing;

/* From here on the process can make no memory read-only. */
void host_refuse(void);
void host_refuse(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PROT_READ, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = COUNT(filter), .filter = filter };

	if (refusing)
		refusing = !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
			   !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}
EXPORT_SYMBOL(host_refuse);

START_TEST(reference_of_a_refused_parameter_can_be_put)
{
	struct permod *pm = new_context();
	const char *path = compile("taking.ko", "", taking_text);

	expect_error(pm, permod_load(pm, path, "take=no", 0, NULL), -EINVAL, "take");
	put_taken();
	ck_assert_str_eq(noted(), "");
	permod_free(pm);
}
END_TEST

START_TEST(reference_of_an_init_whose_load_fails_can_be_put)
{
	struct permod *pm = new_context();
	const char *path = compile("taking.ko", "", taking_text);
	int error;

	refusing = true;
	error = permod_load(pm, path, NULL, 0, NULL);
	if (!refusing) {
		printf("SKIP: %s: no seccomp filter\n", __func__);
		return;
	}
	expect_error(pm, error, -ENOMEM, "protect");
	ck_assert_str_eq(noted(), "exit");
	put_taken();
	permod_free(pm);
}
END_TEST

START_TEST(module_without_exit_is_permanent_unless_forced)
{
	struct permod *pm = new_context();
	struct permod_module *m =
		load_file(pm, compile("stays.ko", "", "int init_module(void) { return 0; }\n"),
			  NULL);

	expect_error(pm, permod_unload(m, 0), -EBUSY, "permanent");
	expect_error(pm, permod_unload(m, PERMOD_UNLOAD_WAIT), -EBUSY, "permanent");
	ck_assert(!(permod_taint(pm) & PERMOD_TAINT_FORCED_UNLOAD));
	expect_error(pm, permod_unload(m, 0x4000), -EINVAL, "0x4000");
	must(pm, permod_unload(m, PERMOD_UNLOAD_FORCE));
	ck_assert(permod_taint(pm) & PERMOD_TAINT_FORCED_UNLOAD);
	permod_free(pm);
}
END_TEST

START_TEST(force_without_need_does_not_taint_and_users_are_safe)
{
	struct permod *pm = new_context();
	struct permod_module *m = load(pm, "percpu");

	load(pm, "percpu_user");
	expect_error(pm, permod_unload(m, PERMOD_UNLOAD_FORCE | PERMOD_UNLOAD_WAIT), -EBUSY,
		     "percpu_user");
	must(pm, permod_unload_by_name(pm, "load_percpu_user", PERMOD_UNLOAD_FORCE));
	must(pm, permod_unload(m, PERMOD_UNLOAD_FORCE));
	ck_assert_int_eq(permod_taint(pm) & PERMOD_TAINT_FORCED_UNLOAD, 0);
	permod_free(pm);
}
END_TEST

/* ---- Modules that load and unload ----------------------------------------------------------- */

static struct permod *inner;
static const char *inner_path;

static int load_inner(void)
{
	must(inner, permod_load(inner, inner_path, NULL, 0, NULL));
	ck_assert_int_eq(permod_state(permod_find(inner, "told")), PERMOD_COMING);
	expect_error(inner, permod_unload_by_name(inner, "told", 0), -EBUSY, "init");
	expect_error(inner, permod_load(inner, inner_path, NULL, 0, NULL), -EEXIST, "plain");
	return 0;
}

static int unload_inner(void)
{
	ck_assert_int_eq(permod_state(permod_find(inner, "told")), PERMOD_GOING);
	expect_error(inner, permod_unload_by_name(inner, "told", 0), -EBUSY, "exit");
	must(inner, permod_unload_by_name(inner, "plain", 0));
	return 0;
}

START_TEST(init_loads_and_exit_unloads_another)
{
	struct permod *pm = inner = new_context();
	const char *path = told_module();

	inner_path = plain_module("plain.ko");
	on_init = load_inner;
	on_exit_of = unload_inner;
	load_file(pm, path, NULL);
	/* Live is first who was live first. */
	ck_assert_str_eq(permod_name(permod_next(pm, NULL)), "plain");
	must(pm, permod_unload_by_name(pm, "told", 0));
	ck_assert_ptr_null(permod_next(pm, NULL));
	permod_free(pm);
}
END_TEST

/* ---- Many threads --------------------------------------------------------------------------- */

#define THREADS 4

static int wrong;	 /* atomic */
static int inits, exits; /* atomic */

static int count_init(void)
{
	__atomic_add_fetch(&inits, 1, __ATOMIC_RELAXED);
	return 0;
}

int quiet_init(void);
int quiet_init(void)
{
	return count_init();
}
EXPORT_SYMBOL(quiet_init);

void quiet_exit(void);
void quiet_exit(void)
{
	__atomic_add_fetch(&exits, 1, __ATOMIC_RELAXED);
}
EXPORT_SYMBOL(quiet_exit);

/* All want the same module, in and out. */
static void *load_and_unload(void *arg)
{
	int rounds = under_valgrind() ? 10 : 150;

	for (int i = 0; i < rounds; i++) {
		int loaded = permod_load(inner, inner_path, NULL, 0, NULL), unloaded;

		if (loaded && loaded != -EEXIST)
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
		unloaded = permod_unload_by_name(inner, "quiet", 0);
		if (unloaded && unloaded != -ENOENT && unloaded != -EBUSY)
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	}
	return arg;
}

START_TEST(threads_load_and_unload_the_same_module)
{
	struct permod *pm = inner = new_context();
	pthread_t thread[THREADS];

	inner_path = compile("quiet.ko", "",
			     "int quiet_init(void); void quiet_exit(void);\n"
			     "int init_module(void) { return quiet_init(); }\n"
			     "void cleanup_module(void) { quiet_exit(); }\n");
	wrong = inits = exits = 0;
	for (int i = 0; i < THREADS; i++)
		check_that(pthread_create(&thread[i], NULL, load_and_unload, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	ck_assert_int_eq(wrong, 0);
	permod_free(pm);
	ck_assert_int_gt(inits, 0);
	ck_assert_int_eq(inits, exits);
}
END_TEST

/* References that threads take and put at all times: no unload succeeds while one is held. */
static int live; /* atomic: between init and exit */

static int set_live(void)
{
	__atomic_store_n(&live, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static int clear_live(void)
{
	__atomic_store_n(&live, 0, __ATOMIC_SEQ_CST);
	return 0;
}

static int stop; /* atomic */

static void *get_and_put(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		if (permod_get(held))
			continue;
		if (!__atomic_load_n(&live, __ATOMIC_SEQ_CST))
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
		permod_put(held);
	}
	return arg;
}

START_TEST(no_module_goes_while_a_thread_has_a_reference)
{
	int rounds = under_valgrind() ? 5 : 100;

	wrong = 0;
	for (int i = 0; i < rounds; i++) {
		struct permod *pm = new_context();
		const char *path = i ? work_file("told.ko") : told_module();
		pthread_t thread[2];
		int result;

		on_init = set_live;
		on_exit_of = clear_live;
		stop = 0;
		held = load_file(pm, path, NULL);
		/* So that the handle is there until the threads have gone. */
		for (int t = 0; t < 2; t++)
			check_that(pthread_create(&thread[t], NULL, get_and_put, NULL) == 0);
		for (int tries = 0; tries < 50; tries++) {
			result = permod_get(held);
			ck_assert_int_eq(result, 0);
			result = permod_unload(held, 0);
			ck_assert_int_eq(result, -EBUSY);
			permod_put(held);
		}
		__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
		for (int t = 0; t < 2; t++)
			pthread_join(thread[t], NULL);
		must(pm, permod_unload(held, 0));
		noted();
		permod_free(pm);
	}
	ck_assert_int_eq(wrong, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("life");
	TCase *tests = tcase_create("life");

	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, notifiers_hear_of_all_states_in_order);
	tcase_add_test(tests, init_that_fails_is_told_as_going);
	tcase_add_test(tests, notifier_refuses_a_load_and_those_before_hear_of_it);
	tcase_add_test(tests, notifier_looks_and_takes_itself_out_but_unloads_nothing);
	tcase_add_test(tests, notifiers_of_a_module_go_with_it);
	tcase_add_test(tests, references_refuse_and_are_counted_in_the_line);
	tcase_add_test(tests, unload_waits_for_references);
	tcase_add_test(tests, unload_by_force_taints_and_references_can_be_put);
	tcase_add_test(tests, reference_of_a_refused_parameter_can_be_put);
	tcase_add_test(tests, reference_of_an_init_whose_load_fails_can_be_put);
	tcase_add_test(tests, module_without_exit_is_permanent_unless_forced);
	tcase_add_test(tests, force_without_need_does_not_taint_and_users_are_safe);
	tcase_add_test(tests, init_loads_and_exit_unloads_another);
	tcase_add_test(tests, threads_load_and_unload_the_same_module);
	tcase_add_test(tests, no_module_goes_while_a_thread_has_a_reference);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
