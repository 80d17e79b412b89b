/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Static keys: what they say before and after code was patched, under threads, in a child, in modules, and
 * where the system refuses. What the code is, is read from it: 0f 85 begins a branch (Intel's manual, JNE
 * rel32), 66 0f 1f 44 00 00 is the recommended no-operation of that length (ibid., NOP), and for other lengths
 * there is 0f 1f with 0 to 2 prefixes. Check's functions are for one thread: the others count what goes wrong.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <permod/hook.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

PERMOD_DECLARE_KEY(tracing);
PERMOD_DEFINE_KEY(tracing);
EXPORT_SYMBOL(permod_key_tracing);

PERMOD_DECLARE_KEY(other);
PERMOD_DEFINE_KEY(other);

PERMOD_DECLARE_HOOK(event, (void *context, int value), (context, value));
PERMOD_DEFINE_HOOK(event);
EXPORT_SYMBOL(permod_hook_event);

static __attribute__((noinline)) bool is_tracing(void)
{
	return PERMOD_KEY_ENABLED(tracing);
}

static __attribute__((noinline)) bool is_other(void)
{
	return PERMOD_KEY_ENABLED(other);
}

static void add_value(void *context, int value)
{
	__atomic_add_fetch((long *)context, value, __ATOMIC_RELAXED);
}

static __attribute__((noinline)) void call_event(int value)
{
	PERMOD_CALL_HOOK(event, value);
}

static void use_keys(void)
{
	static struct permod_hook_entry entry;
	long sum = 0;

	for (int i = 0; i < 3; i++) {
		ck_assert(!is_tracing() && !is_other());
		ck_assert_int_eq(permod_key_enable(&permod_key_tracing), 0);
		ck_assert(is_tracing() && !is_other());
		ck_assert_int_eq(permod_key_enable(&permod_key_other), 0);
		ck_assert(is_tracing() && is_other());
		ck_assert_int_eq(permod_key_disable(&permod_key_tracing), 0);
		ck_assert(!is_tracing() && is_other());
		ck_assert_int_eq(permod_key_disable(&permod_key_other), 0);
		call_event(100);
		ck_assert_int_eq(permod_register_event(&entry, add_value, &sum, 0), 0);
		call_event(1);
		ck_assert_int_eq(permod_unregister_event(&entry), 0);
		call_event(100);
	}
	ck_assert_int_eq(sum, 3);
}

START_TEST(keys_work_without_patching)
{
	use_keys();
}
END_TEST

#ifdef __x86_64__

static const unsigned char no_operation[] = { 0x66, 0x0f, 0x1f, 0x44, 0, 0 };
static const unsigned char branch[] = { 0x0f, 0x85 };

static const unsigned char *code_of_place(const struct permod_key_place *place)
{
	return (const unsigned char *)&place->code + place->code;
}

static const void *word_of(const struct permod_key_place *place)
{
	return *(const void *const *)(const void *)((const char *)&place->key + place->key);
}

/* Whether there is the no-operation of a branch, or another one. */
static bool is_code(const unsigned char *code, bool whole)
{
	return memcmp(code, whole ? no_operation : no_operation + 1,
		      whole ? sizeof(no_operation) : 2) == 0;
}

/* How many places of a key there are, and how many are no-operations; all others must be jumps. */
static int count_places(const void *word, int *patched)
{
	int count = 0;

	*patched = 0;
	for (const struct permod_key_place *place = __start_permod_keys; place < __stop_permod_keys;
	     place++) {
		if (word_of(place) != word)
			continue;
		count++;
		if (is_code(code_of_place(place) + place->comparison, true)) {
			ck_assert(is_code(code_of_place(place) + (code_of_place(place)[0] == 0x66),
					  false));
			++*patched;
		} else {
			ck_assert_mem_eq(code_of_place(place) + place->comparison, branch, 2);
		}
	}
	return count;
}

static bool crosses_a_line(const void *word)
{
	for (const struct permod_key_place *place = __start_permod_keys; place < __stop_permod_keys;
	     place++) {
		if (word_of(place) == word &&
		    ((uintptr_t)code_of_place(place) % 64 + place->comparison > 64 ||
		     ((uintptr_t)code_of_place(place) + place->comparison) % 64 > 58 ||
		     (uintptr_t)code_of_place(place) % 4096 > 4096 - 16))
			return true;
	}
	return false;
}

/* true: patched; false: valgrind, or a system that doesn't do that, which is told. */
static bool patch(const char *function)
{
	int error = permod_patch_keys();

	if (!error)
		return true;
	ck_assert(error == -EOPNOTSUPP || error == -EPERM || error == -EACCES);
	printf("SKIP: %s: can't patch code: %s\n", function, strerror(-error));
	return false;
}

static void expect_patched(const void *word, bool patched)
{
	int count, found;

	count = count_places(word, &found);
	ck_assert_int_gt(count, 0);
	if (!patched || !crosses_a_line(word))
		ck_assert_int_eq(found, patched ? count : 0);
}

/* No mapping can be written and executed. */
static void expect_no_writable_code(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[4200], access[5];

	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps)) {
		ck_assert_int_eq(sscanf(line, "%*s %4s", access), 1);
		ck_assert_msg(access[1] != 'w' || access[2] != 'x', "%s", line);
	}
	fclose(maps);
}

START_TEST(patched_code_does_what_it_did)
{
	expect_patched(&permod_key_tracing, false);
	if (!patch(__func__))
		return;
	expect_patched(&permod_key_tracing, true);
	expect_patched(&permod_key_other, true);
	expect_patched(&permod_hook_event, true);
	use_keys();
	expect_patched(&permod_key_tracing, true);
	ck_assert_int_eq(permod_key_enable(&permod_key_tracing), 0);
	expect_patched(&permod_key_tracing, false);
	expect_patched(&permod_key_other, true);
	ck_assert_int_eq(permod_patch_keys(), 0);
	ck_assert(is_tracing());
	expect_no_writable_code();
}
END_TEST

static int stop, wrong;		  /* atomic */
static unsigned int begun, ended; /* atomic: changes of the key */

/* Between two changes every thread sees the last one. */
static void *ask_until_stop(void *arg)
{
	long *asked = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		unsigned int before = __atomic_load_n(&ended, __ATOMIC_SEQ_CST);
		bool enabled = is_tracing();

		if (__atomic_load_n(&begun, __ATOMIC_SEQ_CST) == before && enabled != before % 2)
			__atomic_store_n(&wrong, 1, __ATOMIC_RELAXED);
		++*asked;
	}
	return NULL;
}

START_TEST(code_is_patched_under_threads_that_run_it)
{
	const unsigned int rounds = getenv("PERMOD_LONG") ? 20000 : 400;
	pthread_t thread[3];
	long asked[COUNT(thread)] = { 0 };

	if (!patch(__func__))
		return;
	for (size_t i = 0; i < COUNT(thread); i++)
		check_that(pthread_create(&thread[i], NULL, ask_until_stop, &asked[i]) == 0);
	for (unsigned int i = 1; i <= rounds; i++) {
		__atomic_store_n(&begun, i, __ATOMIC_SEQ_CST);
		check_that(!(i % 2 ? permod_key_enable(&permod_key_tracing)
				   : permod_key_disable(&permod_key_tracing)));
		__atomic_store_n(&ended, i, __ATOMIC_SEQ_CST);
		if (i % 50 == 0)
			sched_yield();
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (size_t i = 0; i < COUNT(thread); i++)
		pthread_join(thread[i], NULL);
	ck_assert_int_eq(wrong, 0);
	expect_patched(&permod_key_tracing, true);
}
END_TEST

START_TEST(child_of_a_fork_has_code_of_its_own)
{
	pid_t child;
	int status;

	if (!patch(__func__))
		return;
	child = fork();
	if (!child)
		_exit(permod_key_enable(&permod_key_tracing) == 0 && is_tracing() && !is_other()
			      ? 42
			      : 1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	ck_assert(!is_tracing());
	expect_patched(&permod_key_tracing, true);
	use_keys();
}
END_TEST

/* From here on a system call fails. */
static bool refuse(int call)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = COUNT(filter), .filter = filter };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

START_TEST(keys_work_where_the_system_refuses)
{
	static const int calls[] = { SYS_memfd_create, SYS_mremap, SYS_membarrier };

	/* The library of RCU, which does not do without what it has found, waits at the program's end there. */
	if (under_valgrind() && calls[_i] == SYS_membarrier) {
		printf("SKIP: %s: membarrier() under valgrind\n", __func__);
		return;
	}
	if (!refuse(calls[_i])) {
		printf("SKIP: %s: no seccomp filter\n", __func__);
		return;
	}
	ck_assert_int_eq(permod_patch_keys(),
			 calls[_i] == SYS_membarrier || under_valgrind() ? -EOPNOTSUPP : -EPERM);
	expect_patched(&permod_key_tracing, false);
	/* liburcu does not do without what it has found. */
	if (calls[_i] != SYS_membarrier)
		use_keys();
	expect_patched(&permod_key_tracing, false);
}
END_TEST

START_TEST(key_stays_disabled_if_its_code_cant_be_changed)
{
	static struct permod_hook_entry entry;
	long sum = 0;

	if (!patch(__func__) || crosses_a_line(&permod_key_tracing) ||
	    crosses_a_line(&permod_hook_event) || !refuse(SYS_mremap))
		return;
	ck_assert_int_eq(permod_key_enable(&permod_key_tracing), -EPERM);
	ck_assert(!is_tracing());
	ck_assert_int_eq(permod_register_event(&entry, add_value, &sum, 0), -EPERM);
	ck_assert(!permod_hook_used(&permod_hook_event));
	call_event(1);
	ck_assert_int_eq(sum, 0);
	ck_assert_int_eq(permod_unregister_event(&entry), -ENOENT);
}
END_TEST

static const char *const module_text =
	"#include <permod/module.h>\n"
	"#include <permod/hook.h>\n"
	"PERMOD_DECLARE_KEY(tracing);\n"
	"PERMOD_DECLARE_KEY(own);\n"
	"PERMOD_DEFINE_KEY(own);\n"
	"PERMOD_DECLARE_HOOK(event, (void *context, int value), (context, value));\n"
	"int ask(void); int ask(void) { return PERMOD_KEY_ENABLED(tracing); }\n"
	"int ask_own(void); int ask_own(void) { return PERMOD_KEY_ENABLED(own); }\n"
	"void call(int); void call(int value) { PERMOD_CALL_HOOK(event, value); }\n"
	"int set(int); int set(int on)\n"
	"{ return on ? permod_key_enable(&permod_key_own) : permod_key_disable(&permod_key_own); }\n"
	"static int __init begin(void) { return PERMOD_KEY_ENABLED(own); }\n"
	"module_init(begin);\n"
	"static void __exit end(void) { }\n"
	"module_exit(end);\n";

/* Whether there is the branch, or the no-operation, in the first bytes of a function. */
static bool begins_with(const unsigned char *code, bool patched)
{
	for (size_t i = 0; i < 32; i++) {
		if (patched ? is_code(code + i, true) : memcmp(code + i, branch, 2) == 0)
			return true;
	}
	return false;
}

static void use_module(struct permod_module *m)
{
	int (*ask)(void) = (int (*)(void))symbol(m, "ask");
	int (*ask_own)(void) = (int (*)(void))symbol(m, "ask_own");
	int (*set)(int) = (int (*)(int))symbol(m, "set");
	void (*call)(int) = (void (*)(int))symbol(m, "call");
	static struct permod_hook_entry entry;
	long sum = 0;

	ck_assert(!ask() && !ask_own());
	ck_assert_int_eq(permod_key_enable(&permod_key_tracing), 0);
	ck_assert(ask() && is_tracing() && !ask_own());
	ck_assert_int_eq(set(1), 0);
	ck_assert(ask_own());
	ck_assert_int_eq(set(0), 0);
	ck_assert_int_eq(permod_key_disable(&permod_key_tracing), 0);
	ck_assert(!ask() && !ask_own());
	call(100);
	ck_assert_int_eq(permod_register_event(&entry, add_value, &sum, 0), 0);
	call(1);
	ck_assert_int_eq(permod_unregister_event(&entry), 0);
	call(100);
	ck_assert_int_eq(sum, 1);
}

START_TEST(modules_have_keys)
{
	struct permod *pm = new_context();
	const char *path = compile("keys.ko", "-O2", module_text);
	struct permod_module *before = load_file(pm, path, NULL), *m;

	use_module(before);
	ck_assert(begins_with(symbol(before, "ask"), false));
	if (!patch(__func__)) {
		permod_free(pm);
		return;
	}
	/* One in pages that it shares stays as it is. */
	use_module(before);
	must(pm, permod_unload(before, 0));
	for (int i = 0; i < 3; i++) {
		m = load_file(pm, path, NULL);
		ck_assert(begins_with(symbol(m, "ask"), true));
		ck_assert(begins_with(symbol(m, "ask_own"), true));
		use_module(m);
		ck_assert_int_eq(permod_key_enable(&permod_key_tracing), 0);
		ck_assert(begins_with(symbol(m, "ask"), false));
		ck_assert(begins_with(symbol(m, "ask_own"), true));
		must(pm, permod_unload(m, 0));
		ck_assert_int_eq(permod_key_disable(&permod_key_tracing), 0);
	}
	expect_no_writable_code();
	permod_free(pm);
}
END_TEST

#else

START_TEST(other_machines_do_not_patch)
{
	ck_assert_int_eq(permod_patch_keys(), -EOPNOTSUPP);
	use_keys();
}
END_TEST

#endif

int main(void)
{
	Suite *suite = suite_create("key");
	TCase *tests = tcase_create("key");

	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, keys_work_without_patching);
#ifdef __x86_64__
	tcase_add_test(tests, patched_code_does_what_it_did);
	tcase_add_test(tests, code_is_patched_under_threads_that_run_it);
	tcase_add_test(tests, child_of_a_fork_has_code_of_its_own);
	tcase_add_loop_test(tests, keys_work_where_the_system_refuses, 0, 3);
	tcase_add_test(tests, key_stays_disabled_if_its_code_cant_be_changed);
	tcase_add_test(tests, modules_have_keys);
#else
	tcase_add_test(tests, other_machines_do_not_patch);
#endif
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
