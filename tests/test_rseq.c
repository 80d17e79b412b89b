/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Modules with descriptors of restartable sequences from other headers, which are unloaded while
 * threads that have left such a sequence sleep, run, or are preempted: no thread dies.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <linux/rseq.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

/* The modules are written for x86-64; a library without sequences has no area for the kernel. */
#if defined(__x86_64__) && defined(PCPU_HAVE_SEQUENCES)

/* The sequence is left as those of librseq are: the thread's area goes on pointing at it. */
static const char *const module_text =
	"long count;\n"
	"void leave(unsigned long *rseq_cs);\n"
	"void leave(unsigned long *rseq_cs)\n"
	"{\n"
	"	__asm__ volatile(\n"
	"		\".pushsection __rseq_cs, \\\"aw\\\"\\n\"\n"
	"		\".balign 32\\n\"\n"
	"		\"3: .long 0, 0\\n\"\n"
	"		\".quad 1f, 2f - 1f, 4f\\n\"\n"
	"		\".popsection\\n\"\n"
	"		\".pushsection __rseq_failure, \\\"ax\\\"\\n\"\n"
	"		\".byte 0x0f, 0xb9, 0x3d\\n\"\n"
	"		\".long 0x53053053\\n\"\n"
	"		\"4: jmp 5f\\n\"\n"
	"		\".popsection\\n\"\n"
	"		\"5: leaq 3b(%%rip), %%rax\\n\"\n"
	"		\"movq %%rax, (%0)\\n\"\n"
	"		\"1: addq $1, %1\\n\"\n"
	"		\"2:\\n\"\n"
	"		: : \"r\"(rseq_cs), \"m\"(count) : \"rax\", \"memory\");\n"
	"}\n";

#define SLEEPING 2
#define RUNNING 2
#define THREADS (SLEEPING + RUNNING)

/* From the thread pointer to what the kernel knows of the thread: libc's, or libpercpu's own. */
extern char *pcpu_area;

typedef void leave_function(unsigned long *rseq_cs);

static unsigned long *own_rseq_cs(void)
{
	char *area = (char *)__builtin_thread_pointer() + (ptrdiff_t)pcpu_area;

	ck_assert(pcpu_register_thread() == 0);
	return (unsigned long *)(uintptr_t)(area + offsetof(struct rseq, rseq_cs));
}

static bool has_rseq(void)
{
	return !strcmp(pcpu_ops_name(), "rseq") && !under_valgrind();
}

/* What the threads share. */
static struct {
	leave_function *leave;
	int round; /* atomic; -1: the last one is over */
	int ready; /* atomic: threads that have left the sequence in this round */
	int named; /* atomic: how often a thread's area pointed at the descriptor */
	int pipe[SLEEPING][2];
} work;

static int next_round(int round)
{
	int next;

	while ((next = __atomic_load_n(&work.round, __ATOMIC_ACQUIRE)) == round)
		sched_yield();
	return next;
}

static void leave_sequence(void)
{
	work.leave(own_rseq_cs());
	if (*(volatile unsigned long *)own_rseq_cs())
		__atomic_add_fetch(&work.named, 1, __ATOMIC_RELAXED);
}

/* Sleeps in a system call until the module has gone. */
static void *sleep_behind(void *arg)
{
	const int *pipe = arg;
	char byte;

	for (int round = next_round(0); round > 0; round = next_round(round)) {
		leave_sequence();
		__atomic_add_fetch(&work.ready, 1, __ATOMIC_RELEASE);
		if (read(pipe[0], &byte, 1) != 1)
			return NULL;
	}
	return arg;
}

/* Runs until it is preempted, or gives way. */
static void *run_behind(void *arg)
{
	int round = next_round(0);

	while (round > 0) {
		int now = round;

		leave_sequence();
		__atomic_add_fetch(&work.ready, 1, __ATOMIC_RELEASE);
		while ((round = __atomic_load_n(&work.round, __ATOMIC_ACQUIRE)) == now)
			sched_yield();
	}
	return arg;
}

/* Whether all sleepers are where they block. */
static void let_them_sleep(void)
{
	const struct timespec moment = { 0, 200000 };

	while (__atomic_load_n(&work.ready, __ATOMIC_ACQUIRE) < THREADS)
		sched_yield();
	nanosleep(&moment, NULL);
}

static void wake_sleepers(void)
{
	for (int i = 0; i < SLEEPING; i++)
		check_that(write(work.pipe[i][1], "x", 1) == 1);
}

START_TEST(no_thread_dies_when_its_descriptor_goes)
{
	const int rounds = getenv("PERMOD_LONG") ? 2000 : 50;
	pthread_t thread[THREADS];
	struct permod *pm;
	const char *path;
	int alive = 0;

	if (!has_rseq())
		return;
	pm = new_context();
	path = compile("foreign.ko", "", module_text);
	for (int i = 0; i < SLEEPING; i++)
		check_that(pipe(work.pipe[i]) == 0 &&
			   !pthread_create(&thread[i], NULL, sleep_behind, work.pipe[i]));
	for (int i = SLEEPING; i < THREADS; i++)
		check_that(pthread_create(&thread[i], NULL, run_behind, &work) == 0);
	for (int round = 1; round <= rounds; round++) {
		struct permod_module *m = load_file(pm, path, NULL);

		work.leave = (leave_function *)(uintptr_t)symbol(m, "leave");
		__atomic_store_n(&work.ready, 0, __ATOMIC_RELEASE);
		__atomic_store_n(&work.round, round, __ATOMIC_RELEASE);
		let_them_sleep();
		ck_assert_int_ge(*(long *)symbol(m, "count"), 1);
		must(pm, permod_unload(m, 0));
		wake_sleepers();
	}
	__atomic_store_n(&work.round, -1, __ATOMIC_RELEASE);
	for (int i = 0; i < THREADS; i++) {
		void *result = NULL;

		pthread_join(thread[i], &result);
		alive += result != NULL;
	}
	ck_assert_int_eq(alive, THREADS);
	/* The kernel may have cleared some, but not all. */
	ck_assert_int_gt(work.named, rounds);
	permod_free(pm);
}
END_TEST

static bool has_signature(const struct rseq_cs *descriptor)
{
	const uint32_t signature = PCPU_RSEQ_SIGNATURE;

	return memcmp((char *)(uintptr_t)descriptor->abort_ip - sizeof(signature), &signature,
		      sizeof(signature)) == 0;
}

START_TEST(slots_are_used_again)
{
	struct rseq_cs *first = NULL;
	struct permod *pm;
	const char *path;

	if (!has_rseq())
		return;
	pm = new_context();
	path = compile("foreign.ko", "", module_text);
	for (int i = 0; i < 300; i++) {
		struct permod_module *m = load_file(pm, path, NULL);
		leave_function *leave = (leave_function *)(uintptr_t)symbol(m, "leave");
		struct rseq_cs *named;
		unsigned long area = 0;

		leave(&area);
		named = (struct rseq_cs *)area;
		if (!first)
			first = named;
		ck_assert_ptr_eq(named, first);
		ck_assert_uint_eq(named->version | named->flags, 0);
		ck_assert_uint_gt(named->post_commit_offset, 0);
		ck_assert(has_signature(named));
		must(pm, permod_unload(m, 0));
		/* A tombstone: no length, and a signature before the abort address. */
		ck_assert_uint_eq(named->post_commit_offset, 0);
		ck_assert(has_signature(named));
	}
	permod_free(pm);
}
END_TEST

#define add_tests_of_threads(tests)                                                                \
	(tcase_add_test(tests, no_thread_dies_when_its_descriptor_goes),                           \
	 tcase_add_test(tests, slots_are_used_again))
#else
#define add_tests_of_threads(tests)                                                                \
	((void)printf("skipped what threads have left: no sequences of x86-64\n"))
#endif

START_TEST(what_is_no_array_of_descriptors_is_refused)
{
	struct permod *pm = new_context();

	expect_error(pm,
		     permod_load(pm,
				 compile("odd.ko", "",
					 "__asm__(\".pushsection __rseq_cs, \\\"aw\\\"\\n\"\n"
					 "\".balign 8\\n .zero 40\\n .popsection\");\n"),
				 NULL, 0, NULL),
		     -ENOEXEC, "odd", "__rseq_cs", "40");
	/* Descriptors of nothing mean nothing. */
	load_file(pm,
		  compile("nothing.ko", "",
			  "__asm__(\".pushsection __rseq_cs, \\\"aw\\\"\\n\"\n"
			  "\".balign 32\\n .fill 8, 8, -1\\n .popsection\");\n"),
		  NULL);
	permod_free(pm);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rseq");
	TCase *tests = tcase_create("rseq");

	tcase_set_timeout(tests, 60);
	add_tests_of_threads(tests);
	tcase_add_test(tests, what_is_no_array_of_descriptors_is_refused);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
