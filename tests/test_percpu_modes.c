/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processes and threads that are not as usual: restartable sequences that the system doesn't have, or
 * that another library owns, in the first thread or in a later one; threads made by clone() without
 * the C library; concurrency ids as the index. Each must end in a way that works, with exact sums, or
 * in one line that says what to do.
 *
 * Each scene is a process of its own, as the choice is made once. What must happen before the library
 * is set up is done by a function in .preinit_array, which the variable PERCPU_TEST_EARLY asks for.
 */
#define _GNU_SOURCE
#include <permod/percpu.h>
#include "tests/percpu/helper.h"

#include <check.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define THREADS 4
#define TIMES 200000
#define SIGNATURE 0x53053053 /* x86-64's; another value is another owner's as well */

#define NO_RSEQ_BY_LIBC "GLIBC_TUNABLES=glibc.pthread.rseq=0"

extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

static DEFINE_PER_CPU(unsigned long, hits);
static DEFINE_PER_CPU(uint16_t, short_hits);

/* ---- Before the library --------------------------------------------------------------------- */

/* Another library's area. */
static __thread struct {
	uint32_t word[8];
} __attribute__((aligned(32))) foreign_area;

static long own_thread(void)
{
	return syscall(SYS_rseq, &foreign_area, sizeof(foreign_area), 0, SIGNATURE);
}

static void forbid_rseq(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rseq, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { COUNT(code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &filter))
		_exit(2);
}

static UNUSED void be_early(void)
{
	const char *wanted = getenv("PERCPU_TEST_EARLY");

	if (wanted && !strcmp(wanted, "own") && own_thread())
		_exit(3);
	if (wanted && !strcmp(wanted, "forbid"))
		forbid_rseq();
}

#if !SANITIZED
/* Before the library's constructors, which have priority 101; not all C libraries know .preinit_array. */
__attribute__((section(".init_array.00100"), used)) static void (*const early)(void) = be_early;
#endif

/* ---- Counting ------------------------------------------------------------------------------- */

static void count(void)
{
	for (int i = 0; i < TIMES; i++) {
		this_cpu_inc(hits);
		this_cpu_add_return(short_hits, 3);
	}
}

static void *count_in_thread(void *unused UNUSED)
{
	count();
	return NULL;
}

/* Prints how operations are done, and whether all were. */
static int say_sums(unsigned int counters)
{
	unsigned long sum = 0;
	uint16_t short_sum = 0;
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		sum += per_cpu(hits, cpu);
		short_sum = (uint16_t)(short_sum + per_cpu(short_hits, cpu));
	}
	printf("%s by %s: %s\n", pcpu_ops_name(), pcpu_index_name(),
	       sum == (unsigned long)counters * TIMES && short_sum == (uint16_t)(3 * sum)
		       ? "exact"
		       : "wrong");
	return 0;
}

static int threads_count(void)
{
	pthread_t thread[THREADS];

	for (int i = 0; i < THREADS; i++)
		check_that(!pthread_create(&thread[i], NULL, count_in_thread, NULL));
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	return say_sums(THREADS);
}

static void *own_and_count(void *unused UNUSED)
{
	if (own_thread())
		_exit(4);
	count();
	return NULL;
}

static int foreign_thread_counts(void)
{
	pthread_t thread;

	check_that(!pthread_create(&thread, NULL, own_and_count, NULL));
	pthread_join(thread, NULL);
	return say_sums(1);
}

/* ---- Threads by clone() --------------------------------------------------------------------- */

#define STACK 65536

#if defined(__m68k__)
static long makers_pointer;

/* The kernel has it in the thread's structure, of which QEMU 7.2 makes an empty one for a clone. */
static void take_makers_pointer(void)
{
	syscall(SYS_set_thread_area, makers_pointer);
}
#else
#define take_makers_pointer() ((void)0)
#endif

static int counting_unprepared(void *unused UNUSED)
{
	take_makers_pointer();
	count();
	return 0;
}

#if defined(__x86_64__) && defined(HAVE__DL_ALLOCATE_TLS)
/* The C library's, for memory of a thread as its own ones have. */
void *_dl_allocate_tls(void *memory);

static int counting_prepared(void *unused UNUSED)
{
	if (pcpu_register_thread() || pcpu_register_thread())
		return 1;
	count();
	return 0;
}

/* A thread control block: it points at itself, and has the guards of stack and pointers. */
static void *make_thread_memory(void)
{
	uintptr_t *memory = _dl_allocate_tls(NULL), *mine = __builtin_thread_pointer();

	check_that(memory);
	memory[0] = memory[2] = (uintptr_t)memory;
	memory[5] = mine[5];
	memory[6] = mine[6];
	return memory;
}
#define HAVE_THREAD_MEMORY 1
#else
#define HAVE_THREAD_MEMORY 0
#endif

static void wait_for(volatile pid_t *id)
{
	pid_t value;

	while ((value = __atomic_load_n(id, __ATOMIC_ACQUIRE)))
		syscall(SYS_futex, id, FUTEX_WAIT, value, NULL, NULL, 0);
}

static int clones_count(int (*body)(void *), bool with_memory)
{
	int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
		    CLONE_SYSVSEM | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID;
	static volatile pid_t id[THREADS];

	for (int i = 0; i < THREADS; i++) {
		void *memory = NULL;
		char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);

		check_that(stack != MAP_FAILED);
#if HAVE_THREAD_MEMORY
		if (with_memory)
			memory = make_thread_memory();
#endif
		id[i] = 1;
		check_that(clone(body, stack + STACK, flags | (with_memory ? CLONE_SETTLS : 0),
				 NULL, NULL, memory, &id[i]) > 0);
	}
	for (int i = 0; i < THREADS; i++)
		wait_for(&id[i]);
	return say_sums(THREADS);
}

/* They have the thread pointer of their maker, who waits. */
static int clones_without_memory_count(void)
{
#if defined(__m68k__)
	makers_pointer = syscall(SYS_get_thread_area);
#endif
	return clones_count(counting_unprepared, false);
}

static int clones_with_memory_count(void)
{
#if HAVE_THREAD_MEMORY
	return clones_count(counting_prepared, true);
#else
	return 77;
#endif
}

/* ---- Concurrency ids ------------------------------------------------------------------------ */

/* The number that the kernel wrote is the one that selects the copy. */
static int ids_select(void)
{
#ifdef HAVE_THREAD_POINTER
	const uint32_t *area = (uint32_t *)((char *)__builtin_thread_pointer() +
					    (&__rseq_size ? __rseq_offset : 0));
	cpu_set_t allowed, one;

	sched_getaffinity(0, sizeof(allowed), &allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		unsigned long before;

		if (!CPU_ISSET(cpu, &allowed))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		if (smp_processor_id() != area[6] || area[6] >= nr_cpu_ids)
			return 1;
		before = per_cpu(hits, area[6]);
		this_cpu_inc(hits);
		if (per_cpu(hits, area[6]) != before + 1 ||
		    this_cpu_ptr(&hits) != per_cpu_ptr(&hits, area[6]))
			return 1;
	}
	return 0;
#else
	return 77; /* nor are there sequences */
#endif
}

/* ---- What each scene must end in ------------------------------------------------------------ */

static const struct scene scenes[] = {
	{ "threads", threads_count },
	{ "foreign_thread", foreign_thread_counts },
	{ "clones_without_memory", clones_without_memory_count },
	{ "clones_with_memory", clones_with_memory_count },
	{ "ids", ids_select },
};

static bool kernel_has_rseq(void)
{
	return syscall(SYS_rseq, NULL, 0, 0, 0) < 0 && errno != ENOSYS;
}

/* Sequences of ours, in a process where nothing else stands in the way. */
static bool usual(void)
{
	return kernel_has_rseq() && !SANITIZED && !is_emulated() && pcpu_ops_name()[0] == 'r';
}

#define PLAY(scene, ...) play(scene, (const char *const[]){ __VA_ARGS__, NULL }, 0)

#define EXPECT_TEXT(played, expected)                                                              \
	do {                                                                                       \
		struct outcome seen = played;                                                      \
		ck_assert_msg(ended_well(&seen), "status %#x: %s", seen.status, seen.text);        \
		ck_assert_str_eq(seen.text, expected);                                             \
	} while (0)

/* One line, with all of these pieces, and an abort. */
#define EXPECT_DEATH(played, piece, other_piece)                                                   \
	do {                                                                                       \
		struct outcome seen = played;                                                      \
		ck_assert_msg(died_by(&seen, SIGABRT), "status %#x: %s", seen.status, seen.text);  \
		ck_assert_msg(strstr(seen.text, piece) && strstr(seen.text, other_piece) &&        \
				      strchr(seen.text, '\n') ==                                   \
					      seen.text + strlen(seen.text) - 1,                   \
			      "it says: %s", seen.text);                                           \
	} while (0)

START_TEST(without_rseq_in_the_kernel_operations_are_atomic)
{
	if (!usual())
		return;
	EXPECT_TEXT(PLAY("threads", NO_RSEQ_BY_LIBC, "PERCPU_TEST_EARLY=forbid"),
		    "atomic by cpu: exact\n");
	EXPECT_DEATH(PLAY("threads", NO_RSEQ_BY_LIBC, "PERCPU_TEST_EARLY=forbid",
			  "PERCPU_OPS=rseq"),
		     "PERCPU_OPS=rseq", "no restartable sequences");
}
END_TEST

START_TEST(where_another_library_owns_the_first_thread_operations_are_atomic)
{
	if (!usual())
		return;
	EXPECT_TEXT(PLAY("threads", NO_RSEQ_BY_LIBC, "PERCPU_TEST_EARLY=own"),
		    "atomic by cpu: exact\n");
}
END_TEST

START_TEST(where_another_library_owns_a_later_thread_the_way_out_is_told)
{
	if (!usual())
		return;
	EXPECT_DEATH(PLAY("foreign_thread", NO_RSEQ_BY_LIBC), "can't have restartable sequences",
		     "set PERCPU_OPS=atomic");
	EXPECT_TEXT(PLAY("foreign_thread", NO_RSEQ_BY_LIBC, "PERCPU_OPS=atomic"),
		    "atomic by cpu: exact\n");
}
END_TEST

START_TEST(threads_without_libc_count_once_they_are_prepared)
{
	if (!usual() || !HAVE_THREAD_MEMORY)
		return;
	EXPECT_TEXT(PLAY("clones_with_memory", "A=b"), "rseq by cpu: exact\n");
	EXPECT_TEXT(PLAY("clones_with_memory", NO_RSEQ_BY_LIBC), "rseq by cpu: exact\n");
	EXPECT_TEXT(PLAY("clones_with_memory", "PERCPU_OPS=atomic"), "atomic by cpu: exact\n");
}
END_TEST

START_TEST(threads_that_share_a_thread_pointer_count_atomically)
{
	if (SANITIZED || under_valgrind())
		return;
	EXPECT_TEXT(PLAY("clones_without_memory", "PERCPU_OPS=atomic"), "atomic by cpu: exact\n");
}
END_TEST

START_TEST(concurrency_ids_select_copies)
{
	if (!usual() || getauxval(AT_RSEQ_FEATURE_SIZE) < 28)
		return;
	EXPECT_TEXT(PLAY("threads", "PERCPU_INDEX=mm_cid"), "rseq by mm_cid: exact\n");
	EXPECT_TEXT(PLAY("threads", "PERCPU_INDEX=mm_cid", NO_RSEQ_BY_LIBC),
		    "rseq by mm_cid: exact\n");
	if (HAVE_THREAD_MEMORY)
		EXPECT_TEXT(PLAY("clones_with_memory", "PERCPU_INDEX=mm_cid"),
			    "rseq by mm_cid: exact\n");
	if (&__rseq_size && __rseq_size)
		EXPECT_TEXT(PLAY("ids", "PERCPU_INDEX=mm_cid"), "");
}
END_TEST

START_TEST(concurrency_ids_are_refused_where_there_are_none)
{
	EXPECT_DEATH(PLAY("threads", "PERCPU_INDEX=mm_cid", "PERCPU_OPS=atomic"),
		     "PERCPU_INDEX=mm_cid", "operations are atomic in this process");
	if (!usual())
		return;
	EXPECT_DEATH(PLAY("threads", "PERCPU_INDEX=mm_cid", NO_RSEQ_BY_LIBC,
			  "PERCPU_TEST_EARLY=own"),
		     "PERCPU_INDEX=mm_cid", "operations are atomic in this process");
}
END_TEST

START_TEST(wrong_settings_are_refused)
{
	EXPECT_DEATH(PLAY("threads", "PERCPU_INDEX=node"), "PERCPU_INDEX=node",
		     "neither cpu nor mm_cid");
	EXPECT_DEATH(PLAY("threads", "PERCPU_OPS=fast"), "PERCPU_OPS=fast",
		     "neither rseq nor atomic");
	EXPECT_TEXT(PLAY("threads", "PERCPU_INDEX=cpu", "PERCPU_OPS=atomic"),
		    "atomic by cpu: exact\n");
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("percpu_modes");
	TCase *tests = tcase_create("modes");
	SRunner *runner;
	int status = play_named(scenes, COUNT(scenes), argc, argv);

	if (status >= 0)
		return status;
	tcase_set_timeout(tests, 300);
	tcase_add_test(tests, without_rseq_in_the_kernel_operations_are_atomic);
	tcase_add_test(tests, where_another_library_owns_the_first_thread_operations_are_atomic);
	tcase_add_test(tests, where_another_library_owns_a_later_thread_the_way_out_is_told);
	tcase_add_test(tests, threads_without_libc_count_once_they_are_prepared);
	tcase_add_test(tests, threads_that_share_a_thread_pointer_count_atomically);
	tcase_add_test(tests, concurrency_ids_select_copies);
	tcase_add_test(tests, concurrency_ids_are_refused_where_there_are_none);
	tcase_add_test(tests, wrong_settings_are_refused);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	status = srunner_ntests_failed(runner);
	srunner_free(runner);
	return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
