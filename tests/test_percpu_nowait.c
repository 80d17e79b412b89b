/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PCPU_NOWAIT: allocation in a handler that came in the middle of the allocator, at random and at
 * each instruction of it.  It must never wait, and leave everything right for those it interrupted.
 *
 * Stepping: a traced child does an allocation, a free, or what else is in `regions`; the tracer
 * lets it do an instruction at a time and sends a signal at some, whose handler allocates; the next
 * child gets them at others, until all had one.  The kernel restarts a sequence that was stopped in, so
 * the tracer hides the sequence from it (rseq_cs) while it steps, and shows it again when it sends
 * the signal.
 */
#define _GNU_SOURCE
#include <permod/percpu.h>
#include "tests/percpu/helper.h"

#include <check.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_slow(void)
{
	return SANITIZED || is_emulated();
}

static bool is_long(void)
{
	return getenv("PERMOD_LONG") != NULL;
}

/* In children, which must not use Check's: say what is not so, and end. */
#define expect(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			dprintf(STDERR_FILENO, "line %d: not so: %s\n", __LINE__, #condition);     \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static struct pcpu_map get_map(void)
{
	struct pcpu_map map;

	pcpu_get_map(&map);
	return map;
}

/* ---- What handlers allocate ----------------------------------------------------------------- */

enum { MOST = 4096 };

static struct {
	unsigned char __percpu *area;
	size_t size;
} taken[MOST];
static volatile int taken_count;
static volatile long refused;

static void fill(unsigned char __percpu *area, size_t size, unsigned char seed)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		memset(per_cpu_ptr(area, cpu), seed, size);
}

static bool is_filled(unsigned char __percpu *area, size_t size, unsigned char seed)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		const unsigned char *copy = per_cpu_ptr(area, cpu);

		for (size_t i = 0; i < size; i++) {
			if (copy[i] != seed)
				return false;
		}
	}
	return true;
}

/* Each of the handler's areas has a value of its own, never zero. */
static unsigned char seed_of(int i)
{
	return (unsigned char)(i % 127 + 1);
}

static void allocate_in_handler(int number UNUSED)
{
	static const size_t sizes[] = { 64, 16, 64, 200, 64, 5000, 4 };
	static unsigned int calls;
	int saved = errno, i = taken_count;
	size_t size = sizes[calls++ % COUNT(sizes)];
	unsigned char __percpu *area;

	if (i == MOST)
		return;
	errno = 0;
	area = __alloc_percpu_gfp(size, 4, PCPU_NOWAIT);
	if (area) {
		expect(is_filled(area, size, 0));
		fill(area, size, seed_of(i));
		taken[i].area = area;
		taken[i].size = size;
		taken_count = i + 1;
	} else {
		expect(errno == EAGAIN);
		refused = refused + 1;
	}
	errno = saved;
}

static void block(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGALRM);
	sigprocmask(how, &set, NULL);
}

/* With signals held back: what handlers wrote is still there. */
static void free_taken(void)
{
	for (int i = 0; i < taken_count; i++) {
		expect(is_filled(taken[i].area, taken[i].size, seed_of(i)));
		free_percpu(taken[i].area);
	}
	taken_count = 0;
}

static void stay(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
}

/* ---- What is interrupted -------------------------------------------------------------------- */

enum { HELD = 40 };
static unsigned char __percpu *held[HELD];

static void take_held(int count, size_t size)
{
	for (int i = 0; i < count; i++) {
		held[i] = __alloc_percpu(size, 4);
		expect(held[i]);
	}
}

static void give_held(int count)
{
	for (int i = 0; i < count; i++)
		free_percpu(held[i]);
}

/* Written and looked at between, so that what handlers do in the meantime shows. */
static void check_held(int count, size_t size)
{
	for (int i = 0; i < count; i++) {
		expect(is_filled(held[i], size, 0));
		fill(held[i], size, (unsigned char)(200 + i));
	}
	for (int i = 0; i < count; i++)
		expect(is_filled(held[i], size, (unsigned char)(200 + i)));
}

static void do_take_small(void)
{
	take_held(2, 64);
}

static void do_give_small(void)
{
	give_held(2);
}

static void do_take_until_refill(void)
{
	take_held(HELD, 64);
}

static void do_give_until_full(void)
{
	give_held(HELD);
}

static void do_take_large(void)
{
	take_held(1, 5000);
}

static void do_give_large(void)
{
	give_held(1);
}

static void do_trim(void)
{
	pcpu_trim();
}

/* What is done while it is stepped through, and how much of which size it has. */
static const struct region {
	const char *name;
	void (*body)(void);
	int takes, gives;
	size_t size;
} regions[] = {
	{ "take small areas", do_take_small, 2, 0, 64 },
	{ "give small areas", do_give_small, 0, 2, 64 },
	{ "take small areas until the list is filled", do_take_until_refill, HELD, 0, 64 },
	{ "give small areas until the list is full", do_give_until_full, 0, HELD, 64 },
	{ "take a large area", do_take_large, 1, 0, 5000 },
	{ "give a large area", do_give_large, 0, 1, 5000 },
	{ "trim", do_trim, 0, 0, 0 },
};

static void do_region(const struct region *region, void (*enter)(void), void (*leave)(void))
{
	if (region->gives) {
		take_held(region->gives, region->size);
		check_held(region->gives, region->size);
	}
	enter();
	region->body();
	leave();
	if (region->takes) {
		check_held(region->takes, region->size);
		give_held(region->takes);
	}
}

static void nothing(void)
{
}

/* ---- At random ------------------------------------------------------------------------------ */

static int scene_timer(void)
{
	struct itimerval often = { { 0, 50 }, { 0, 50 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = allocate_in_handler, .sa_flags = SA_RESTART };
	long wanted = is_long() ? 1000000 : is_slow() ? 300 : 3000, served = 0;
	unsigned int areas;

	if (is_long())
		alarm(36000);
	free_percpu(__alloc_percpu(64, 4));
	areas = get_map().areas;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (size_t i = 0; served + refused < wanted; i++) {
		/* Trimming is rare, as in programs. */
		const struct region *region =
			&regions[i % (i % 400 ? COUNT(regions) - 1 : COUNT(regions))];

		do_region(region, nothing, nothing);
		if (i % 50)
			continue;
		block(SIG_BLOCK);
		served += taken_count;
		free_taken();
		block(SIG_UNBLOCK);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	free_taken();
	expect(get_map().areas == areas);
	expect(served > 0);
	printf("served %ld refused %ld\n", served, (long)refused);
	return 0;
}

static const char *const ways[][2] = {
	{ "PERCPU_CPUS=3" },
	{ "PERCPU_OPS=atomic" },
	{ "PERCPU_CHECK=1" },
};

START_TEST(handlers_allocate_whatever_they_interrupt)
{
	const char *const settings[] = { ways[_i][0], NULL };
	struct outcome outcome = play("timer", settings, 0);

	ck_assert_msg(ended_well(&outcome), "status %x: %s", outcome.status, outcome.text);
}
END_TEST

/* ---- No system call ------------------------------------------------------------------------- */

/* In the strict mode any system call but write() and exit() kills. */
static int scene_strict(void)
{
	static const size_t sizes[] = { 64, 5000, 4, 256, 300000, 64 };
	long served = 0;

	stay();
	free_percpu(__alloc_percpu(64, 4));
	free_percpu(__alloc_percpu(5000, 4));
	expect(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	for (size_t i = 0; i < COUNT(sizes); i++) {
		for (int k = 0; k < 20000; k++) {
			unsigned char __percpu *area = __alloc_percpu_gfp(sizes[i], 4, PCPU_NOWAIT);

			served += area != NULL;
			if (!area)
				break;
		}
	}
	syscall(SYS_exit, served > 20 ? 0 : 1);
	return 1;
}

START_TEST(nowait_makes_no_system_call)
{
	const char *const settings[] = { "PERCPU_UNIT=1M", "PERCPU_RESERVED=4K", ways[_i][0],
					 NULL };
	struct outcome outcome;

	if (is_slow())
		return; /* they make some */
	outcome = play("strict", settings, 0);
	ck_assert_msg(ended_well(&outcome), "status %x: %s", outcome.status, outcome.text);
}
END_TEST

START_TEST(nowait_is_served_from_the_reserve)
{
	static unsigned char __percpu *area[COUNT(regions) * 8];
	static const size_t sizes[] = { 16, 32, 64, 128, 256 };
	struct pcpu_map before;
	size_t got = 0;

	if (strcmp(pcpu_ops_name(), "rseq"))
		return; /* then there is none */
	stay();
	free_percpu(__alloc_percpu(8, 4));
	before = get_map();
	for (size_t i = 0; i < COUNT(sizes); i++) {
		for (int k = 0; k < 8; k++) {
			area[got] = __alloc_percpu_gfp(sizes[i], 4, PCPU_NOWAIT);
			ck_assert_ptr_nonnull(area[got]);
			ck_assert(is_filled(area[got], sizes[i], 0));
			fill(area[got++], sizes[i], 9);
		}
	}
	ck_assert_uint_eq(get_map().areas, before.areas + got);
	while (got)
		free_percpu(area[--got]);
	ck_assert_uint_eq(get_map().areas, before.areas);
}
END_TEST

START_TEST(flags_are_checked)
{
	long __percpu *area = alloc_percpu_gfp(long, 0);

	ck_assert_ptr_nonnull(area);
	ck_assert_uint_eq((uintptr_t)area % __alignof__(long), 0);
	free_percpu(area);
	errno = 0;
	ck_assert_ptr_null(__alloc_percpu_gfp(8, 8, PCPU_NOWAIT << 1));
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_ptr_null(__alloc_percpu_gfp(0, 8, PCPU_NOWAIT));
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_ptr_null(__alloc_percpu_gfp(8, 3, PCPU_NOWAIT));
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

#ifdef __x86_64__

/* ---- At each instruction -------------------------------------------------------------------- */

/* What child and tracer both see. */
struct shared {
	volatile bool inside; /* the child is where signals shall come */
	uint64_t
		*rseq_cs; /* of the child's thread; NULL: the library was built without sequences */
};

static struct shared *shared;

/* The library's: where the area is that the kernel knows; inline code may look at another one. */
extern char *pcpu_area;
extern _Bool pcpu_restartable;

/* The tracer gets the child, or gets it back. */
static void stop(void)
{
	__asm__ volatile("int3" ::: "memory");
}

static void enter(void)
{
	shared->inside = true;
	stop();
}

static void leave(void)
{
	shared->inside = false;
}

static void handle_signal(int number)
{
	allocate_in_handler(number);
	stop();
}

static uint64_t *find_rseq_cs(void)
{
#ifdef PCPU_HAVE_SEQUENCES
	const char *area = pcpu_restartable ? pcpu_area : pcpu_layout.rseq;

	return (uint64_t *)(__pcpu_thread_pointer() + (intptr_t)area + 8);
#else
	return NULL;
#endif
}

/* The child: warm, then once through the region. */
static void be_stepped(const struct region *region)
{
	struct sigaction action = { .sa_handler = handle_signal };
	unsigned int areas;

	stay();
	for (int i = 0; i < 3; i++)
		do_region(region, nothing, nothing);
	areas = get_map().areas;
	shared->rseq_cs = find_rseq_cs();
	sigaction(SIGUSR1, &action, NULL);
	expect(!ptrace(PTRACE_TRACEME, 0, 0, 0));
	raise(SIGSTOP);
	do_region(region, enter, leave);
	free_taken();
	expect(get_map().areas == areas);
	_exit(0);
}

struct sequence {
	uint32_t version, flags;
	uint64_t start, length, abort_address;
};

struct tracer {
	pid_t child;
	long instructions, signals, inside_sequences;
	uint64_t hidden; /* the sequence that the kernel must not see now; 0: none */
	bool spare;	 /* it was interrupted in a sequence, which must first come to its end */
};

static bool peek(const struct tracer *tracer, uint64_t at, void *to, size_t size)
{
	struct iovec here = { to, size }, there = { (void *)at, size };

	return process_vm_readv(tracer->child, &here, 1, &there, 1, 0) == (ssize_t)size;
}

static void set_rseq_cs(const struct tracer *tracer, uint64_t value)
{
	struct iovec here = { &value, sizeof(value) };
	struct iovec there = { shared->rseq_cs, sizeof(value) };

	check_that(process_vm_writev(tracer->child, &here, 1, &there, 1, 0) == sizeof(value));
}

static struct user_regs_struct get_registers(const struct tracer *tracer)
{
	struct user_regs_struct registers;

	check_that(!ptrace(PTRACE_GETREGS, tracer->child, 0, &registers));
	return registers;
}

/* Whether an address is in the sequence that is hidden; else forget it. */
static bool is_in_hidden(struct tracer *tracer, uint64_t at)
{
	struct sequence sequence;

	if (!tracer->hidden)
		return false;
	check_that(peek(tracer, tracer->hidden, &sequence, sizeof(sequence)));
	if (at - sequence.start < sequence.length)
		return true;
	tracer->hidden = 0;
	return false;
}

/* After a step: whether the child has left a sequence, or is in one that it has just begun. */
static void follow_sequence(struct tracer *tracer, uint64_t at)
{
	uint64_t named = 0;

	if (tracer->hidden && !is_in_hidden(tracer, at))
		tracer->spare = false;
	if (!shared->rseq_cs)
		return;
	check_that(peek(tracer, (uintptr_t)shared->rseq_cs, &named, sizeof(named)));
	if (!named)
		return;
	tracer->hidden = named;
	if (is_in_hidden(tracer, at))
		set_rseq_cs(tracer, 0);
}

/* Returns the child's status; it is over if it did not stop. */
static int go_on(const struct tracer *tracer, int how, int signal_number)
{
	int status;

	check_that(!ptrace(how, tracer->child, 0, signal_number));
	check_that(waitpid(tracer->child, &status, 0) == tracer->child);
	return status;
}

static bool is_step(int status)
{
	return WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP;
}

/* Send a signal; its handler runs until it stops, and from there by steps, until it has returned. */
static int interrupt(struct tracer *tracer)
{
	struct user_regs_struct before = get_registers(tracer);
	int status;

	if (is_in_hidden(tracer, before.rip)) {
		set_rseq_cs(tracer, tracer->hidden);
		tracer->spare = true;
		tracer->inside_sequences++;
	}
	tracer->hidden = 0;
	tracer->signals++;
	status = go_on(tracer, PTRACE_CONT, SIGUSR1);
	while (is_step(status) && get_registers(tracer).rsp != before.rsp)
		status = go_on(tracer, PTRACE_SINGLESTEP, 0);
	return status;
}

/* So many instructions are stepped over in all, unless PERMOD_LONG is set. */
#define BUDGET 8000
/* Signals in one go: more than the reserve can serve. */
#define SIGNALS 60
/* From one signal to the next: more than a sequence has, so that it comes to its end. */
#define APART 64

/* A signal at the instructions first, first + step, ... of the region; the child's last status. */
static int trace(struct tracer *tracer, long first, long step)
{
	int status;

	check_that(waitpid(tracer->child, &status, 0) == tracer->child);
	check_that(WIFSTOPPED(status));
	status = go_on(tracer, PTRACE_CONT, 0);
	while (is_step(status) && shared->inside) {
		long n = tracer->instructions++;

		follow_sequence(tracer, get_registers(tracer).rip);
		/* Handlers that use up all there is make the region longer: that must end. */
		if (step && n >= first && (n - first) % step == 0 && !tracer->spare &&
		    tracer->signals < 4 * SIGNALS)
			status = interrupt(tracer);
		if (!is_step(status))
			return status;
		follow_sequence(tracer, get_registers(tracer).rip);
		status = go_on(tracer, PTRACE_SINGLESTEP, 0);
	}
	/* What it does with the areas it does at full speed. */
	return is_step(status) ? go_on(tracer, PTRACE_CONT, 0) : status;
}

static struct tracer trace_child(const struct region *region, long first, long step)
{
	struct tracer tracer = { 0 };
	int status;

	memset(shared, 0, sizeof(*shared));
	tracer.child = fork();
	if (!tracer.child) {
		alarm(CHILD_SECONDS);
		be_stepped(region);
	}
	status = trace(&tracer, first, step);
	ck_assert_msg(WIFEXITED(status) && !WEXITSTATUS(status),
		      "%s, signals at instructions %ld + n * %ld: status %x", region->name, first,
		      step, status);
	return tracer;
}

START_TEST(handlers_allocate_at_each_instruction)
{
	const struct region *region = &regions[_i];
	long instructions, step, most, signals = 0;

	if (is_slow())
		return; /* they can't be stepped through */
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
	instructions = trace_child(region, 0, 0).instructions;
	ck_assert_int_gt(instructions, 10);
	step = instructions / SIGNALS > APART ? instructions / SIGNALS : APART;
	most = is_long() ? step : BUDGET / instructions + 1;
	for (long first = 0; first < step && first < most; first++) {
		/* Spread them if not all are done. */
		long at = most < step ? first * step / most : first;

		signals += trace_child(region, at, step).signals;
	}
	ck_assert_int_ge(signals, step < most ? instructions / 2 : instructions / step);
	if (getenv("VERBOSE"))
		fprintf(stderr, "%s: %ld instructions, %ld signals\n", region->name, instructions,
			signals);
}
END_TEST
#endif

/* ---- All ------------------------------------------------------------------------------------- */

static const struct scene scenes[] = { { "timer", scene_timer }, { "strict", scene_strict } };

int main(int argc, char **argv)
{
	int status = play_named(scenes, COUNT(scenes), argc, argv);
	TCase *tests = tcase_create("nowait");
	SRunner *runner;
	Suite *suite;

	if (status >= 0)
		return status;
	suite = suite_create("percpu_nowait");
	tcase_set_timeout(tests, is_long() ? 7200 : 300);
	tcase_add_loop_test(tests, handlers_allocate_whatever_they_interrupt, 0, COUNT(ways));
	tcase_add_loop_test(tests, nowait_makes_no_system_call, 0, COUNT(ways));
	tcase_add_test(tests, nowait_is_served_from_the_reserve);
	tcase_add_test(tests, flags_are_checked);
#ifdef __x86_64__
	/* Trimming has too many for every day. */
	tcase_add_loop_test(tests, handlers_allocate_at_each_instruction, 0,
			    (int)COUNT(regions) - !is_long());
#endif
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	status = srunner_ntests_failed(runner) ? EXIT_FAILURE : EXIT_SUCCESS;
	srunner_free(runner);
	return status;
}
