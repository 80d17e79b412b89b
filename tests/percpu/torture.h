/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of structures over per-CPU memory share: workers that are moved from CPU to CPU,
 * preempted, and interrupted by signals whose handlers use the same structure; and running the whole
 * program once in each way that a process can do operations:
 *
 *     libc     as libc registered restartable sequences (or not)
 *     own      registered by libpercpu, as libc was told not to
 *     atomic   by atomic instructions
 *     many     as the first, but with 64 possible CPUs at least
 *     cid      as the first, units selected by concurrency ids, where the kernel has them
 */
#ifndef TESTS_PERCPU_TORTURE_H
#define TESTS_PERCPU_TORTURE_H

#include "tests/percpu/helper.h"

#include <permod/percpu.h>

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>

#define WORKERS 4

/* How often a worker does something: all of it with the setting PERMOD_LONG=1.
 * tests/test_percpu_compile.sh builds the tests in many ways, and wants each to be quick. */
static inline UNUSED long rounds(long full)
{
	if (is_emulated())
		return full / 400 + 1;
	if (getenv("PERMOD_LONG"))
		return full;
#ifdef QUICK
	return full / 50 + 1;
#else
	return full / (SANITIZED ? 20 : 5) + 1;
#endif
}

/* ---- CPUs ----------------------------------------------------------------------------------- */

static cpu_set_t allowed;

__attribute__((constructor)) static void find_allowed(void)
{
	sched_getaffinity(0, sizeof(allowed), &allowed);
}

#define for_each_allowed_cpu(cpu)                                                                  \
	for_each_possible_cpu(cpu)                                                                 \
		if (CPU_ISSET(cpu, &allowed))

static inline UNUSED void move_to(pid_t thread, unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(thread, sizeof(set), &set) && !thread)
		ck_abort_msg("can't move to CPU %u", cpu);
}

static inline UNUSED void stay_on(unsigned int cpu)
{
	move_to(0, cpu);
}

static inline unsigned int allowed_cpu_after(unsigned int cpu)
{
	do {
		cpu = (cpu + 1) % CPU_SETSIZE;
	} while (!CPU_ISSET(cpu, &allowed));
	return cpu;
}

/* ---- Workers -------------------------------------------------------------------------------- */

struct worker {
	int number;
	pthread_t thread;
	pid_t id;
	void (*work)(struct worker *me);
	void (*interrupt)(struct worker *me); /* from the signal handler */
	volatile unsigned long interrupts;
	void *data; /* of the test, for work() and interrupt() */
};

static struct worker workers[WORKERS];
static __thread struct worker *self;
static bool workers_finished;

static void handle_signal(int number UNUSED)
{
	int saved = errno;

	if (self) {
		self->interrupt(self);
		self->interrupts++;
	}
	errno = saved;
}

static void *run_worker(void *argument)
{
	struct worker *me = argument;

	__atomic_store_n(&me->id, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	self = me;
	me->work(me);
	self = NULL;
	return NULL;
}

/* For work(): ThreadSanitizer holds signals back until a call that may block. */
static inline UNUSED void let_signals_in(long round)
{
	if (round % 256 == 0)
		usleep(1);
}

/* Move the workers and send them signals. */
static void *harass(void *unused UNUSED)
{
	unsigned int cpu = 0;

	while (!__atomic_load_n(&workers_finished, __ATOMIC_ACQUIRE)) {
		for (int i = 0; i < WORKERS; i++) {
			pid_t id = __atomic_load_n(&workers[i].id, __ATOMIC_ACQUIRE);

			cpu = allowed_cpu_after(cpu);
			if (id) {
				move_to(id, cpu);
				syscall(SYS_tgkill, getpid(), id, SIGUSR2);
			}
		}
		usleep((useconds_t)pause_between_signals() / 2);
		cpu++;
	}
	return NULL;
}

/* Run work() in all workers; `meanwhile`, if not NULL, in this thread. */
static inline UNUSED void torture(void (*work)(struct worker *me),
				  void (*interrupt)(struct worker *me), void (*meanwhile)(void))
{
	struct itimerval often = { { 0, pause_between_signals() }, { 0, pause_between_signals() } };
	struct itimerval never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = handle_signal, .sa_flags = SA_RESTART };
	unsigned long interrupts = 0;
	pthread_t harasser;

	workers_finished = false;
	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	check_that(!pthread_create(&harasser, NULL, harass, NULL));
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < WORKERS; i++) {
		struct worker *w = &workers[i];

		w->number = i;
		w->work = work;
		w->interrupt = interrupt;
		check_that(!pthread_create(&w->thread, NULL, run_worker, w));
	}
	if (meanwhile)
		meanwhile();
	for (int i = 0; i < WORKERS; i++) {
		pthread_join(workers[i].thread, NULL);
		interrupts += workers[i].interrupts;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	__atomic_store_n(&workers_finished, true, __ATOMIC_RELEASE);
	pthread_join(harasser, NULL);
	/* With few rounds, or under an emulator, all may be through before the first signal comes. */
#ifdef QUICK
	(void)interrupts;
#else
	ck_assert(interrupts > 0 || emulator());
#endif
}

/* ---- The ways ------------------------------------------------------------------------------- */

/* How this run is to do operations. */
static inline const char *mode(void)
{
	const char *name = getenv("PERCPU_TEST_MODE");

	return name ? name : "libc";
}

static inline UNUSED bool is_restartable(void)
{
	return !strcmp(pcpu_ops_name(), "rseq");
}

/* To be each suite's first test: the runs are what they are called. */
START_TEST(mode_is_the_one_asked_for)
{
#ifdef PCPU_HAVE_SEQUENCES
	bool none = syscall(SYS_rseq, NULL, 0, 0, 0) < 0 && errno == ENOSYS;

	ck_assert_int_eq(is_restartable(), strcmp(mode(), "atomic") != 0 && !none);
#else
	/* Compiled without them, but for a library that may have them. */
	ck_assert(!is_restartable() || strcmp(mode(), "atomic") != 0);
#endif
	if (!strcmp(mode(), "many"))
		ck_assert_uint_ge(num_possible_cpus(), 64);
}
END_TEST

/* Linux 6.3 and later: the area that the kernel knows is large enough (AT_RSEQ_FEATURE_SIZE). */
static inline bool has_concurrency_ids(void)
{
	return is_restartable() && getauxval(27) >= 28;
}

static inline UNUSED int run_in_all_modes(const char *name, void (*add_tests)(TCase *tests))
{
	TCase *tests = tcase_create(name);
	static char title[64];
	int failed = 0;
	SRunner *runner;
	Suite *suite;

	/* Valgrind has no restartable sequences, so that there is one way only. */
	if (!getenv("PERCPU_TEST_MODE") && !under_valgrind()) {
		failed |= run_mode("atomic", "PERCPU_OPS", "atomic");
		failed |= run_mode("own", "GLIBC_TUNABLES", "glibc.pthread.rseq=0");
		failed |= run_mode("many", "PERCPU_CPUS", "64");
		if (has_concurrency_ids())
			failed |= run_mode("cid", "PERCPU_INDEX", "mm_cid");
	}
	snprintf(title, sizeof(title), "%s, mode %s", name, mode());
	suite = suite_create(title);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, mode_is_the_one_asked_for);
	add_tests(tests);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed |= srunner_ntests_failed(runner) ? EXIT_FAILURE : EXIT_SUCCESS;
	srunner_free(runner);
	return failed;
}

#endif
