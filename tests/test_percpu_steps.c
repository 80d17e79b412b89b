/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A signal, and a move to another CPU, at each instruction of each operation in each size: what is
 * done must be done exactly once, in an order that there can be, on the CPU that it commits on, and
 * no sequence may be left named.
 *
 * A debugger can't step through a restartable sequence: every stop makes the kernel send the thread
 * back to the beginning.  So there are two children.  The "scout" has taken its rseq area away from
 * the kernel and written a number into it; it is stepped through an operation, and tells which
 * instructions that has.  The "subject" is an ordinary process.  A breakpoint stops it before one
 * of these instructions, once for each; there it gets a signal, whose handler does an operation on the
 * same variable, or is moved.  The kernel must see that it is inside a sequence, or it isn't.
 *
 * PERMOD_LONG=1 in the environment tries the instructions outside of sequences for all sizes too.
 *
 * What results are right is told by a model of the operations on plain numbers.  The program runs in
 * each mode: sequences inline, in the library, by concurrency ids, and atomic instructions.
 */
#define _GNU_SOURCE
#include <permod/percpu.h>
#include "tests/percpu/helper.h"

#include <check.h>
#include <linux/rseq.h>
#include <sched.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

/* The children stop thousands of times, each time to be woken: that takes long on a busy machine. */
#define MOST_SECONDS 300
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#ifndef PERMOD_ARCH_X86_64_H
int main(void)
{
	puts("skip: this test knows the breakpoints of x86-64 only\n0 passed, 0 failed");
	return 77;
}
#else

#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27
#endif

extern const unsigned int __rseq_size __attribute__((weak));

/* The library's, which is linked in statically. */
extern char *pcpu_area;
extern _Bool pcpu_restartable;

/* As the kernel sees a sequence (struct rseq_cs). */
struct sequence {
	uint32_t version, flags;
	uint64_t start, length, abort_address;
} __attribute__((aligned(32)));

extern const struct sequence __start___pcpu_rseq_cs[], __stop___pcpu_rseq_cs[];

static const char *mode(void)
{
	const char *name = getenv("PERCPU_TEST_MODE");

	return name ? name : "libc";
}

/* ---- The operations, and a model of them ---------------------------------------------------- */

struct slots {
	uint8_t v1;
	uint16_t v2;
	uint32_t v4;
	uint64_t v8;
	struct {
		uint8_t a, b;
	} __attribute__((aligned(2))) p1;
	struct {
		uint16_t a, b;
	} __attribute__((aligned(4))) p2;
	struct {
		uint32_t a, b;
	} __attribute__((aligned(8))) p4;
	struct {
		uint64_t a, b;
	} __attribute__((aligned(16))) p8;
};

static DEFINE_PER_CPU(struct slots, slots);

enum kind { READ, WRITE, ADD, AND, OR, XOR, ADD_RETURN, XCHG, CMPXCHG, PAIR };

#define START UINT64_C(0xf1e2d3c4b5a69788)
#define BEHIND UINT64_C(0x1c2d3e4f50617283)

/* What an operation has before and behind it. */
struct state {
	uint64_t first, second;
};

#define DEFINE_OPERATION(name, bytes, statement)                                                   \
	static __attribute__((noinline)) uint64_t name##_##bytes(uint64_t v)                       \
	{                                                                                          \
		uint64_t result = 0;                                                               \
		(void)v;                                                                           \
		statement;                                                                         \
		return result;                                                                     \
	}

#define DEFINE_OPERATIONS(bytes, type)                                                             \
	DEFINE_OPERATION(read, bytes, result = this_cpu_read(slots.v##bytes))                      \
	DEFINE_OPERATION(write, bytes, this_cpu_write(slots.v##bytes, (type)v))                    \
	DEFINE_OPERATION(add, bytes, this_cpu_add(slots.v##bytes, (type)v))                        \
	DEFINE_OPERATION(and, bytes, this_cpu_and(slots.v##bytes, (type)v))                        \
	DEFINE_OPERATION(or, bytes, this_cpu_or(slots.v##bytes, (type)v))                          \
	DEFINE_OPERATION(xor, bytes, this_cpu_xor(slots.v##bytes, (type)v))                        \
	DEFINE_OPERATION(add_return, bytes, result = this_cpu_add_return(slots.v##bytes, (type)v)) \
	DEFINE_OPERATION(xchg, bytes, result = this_cpu_xchg(slots.v##bytes, (type)v))             \
	DEFINE_OPERATION(cmpxchg, bytes,                                                           \
			 result = this_cpu_cmpxchg(slots.v##bytes, (type)START, (type)v))          \
	DEFINE_OPERATION(pair, bytes,                                                              \
			 result = this_cpu_cmpxchg_double(slots.p##bytes.a, slots.p##bytes.b,      \
							  (type)START, (type)BEHIND, (type)v,      \
							  (type)~v))                               \
	static struct state get_##bytes(enum kind kind, unsigned int cpu)                          \
	{                                                                                          \
		struct slots *copy = per_cpu_ptr(&slots, cpu);                                     \
		struct state state = { copy->v##bytes, 0 };                                        \
		if (kind == PAIR)                                                                  \
			state = (struct state){ copy->p##bytes.a, copy->p##bytes.b };              \
		return state;                                                                      \
	}                                                                                          \
	static void set_##bytes(unsigned int cpu)                                                  \
	{                                                                                          \
		struct slots *copy = per_cpu_ptr(&slots, cpu);                                     \
		copy->v##bytes = copy->p##bytes.a = (type)START;                                   \
		copy->p##bytes.b = (type)BEHIND;                                                   \
	}

DEFINE_OPERATIONS(1, uint8_t)
DEFINE_OPERATIONS(2, uint16_t)
DEFINE_OPERATIONS(4, uint32_t)
DEFINE_OPERATIONS(8, uint64_t)

#define OPERATION(name, kind, bytes)                                                               \
	{                                                                                          \
#name, kind, bytes, name##_##bytes, get_##bytes, set_##bytes                       \
	}
#define SIZES(name, kind)                                                                          \
	OPERATION(name, kind, 1), OPERATION(name, kind, 2), OPERATION(name, kind, 4),              \
		OPERATION(name, kind, 8)

static const struct operation {
	const char *name;
	enum kind kind;
	unsigned int bytes;
	uint64_t (*run)(uint64_t v);
	struct state (*get)(enum kind kind, unsigned int cpu);
	void (*set)(unsigned int cpu);
} operations[] = {
	SIZES(read, READ),
	SIZES(write, WRITE),
	SIZES(add, ADD),
	SIZES(and, AND),
	SIZES(or, OR),
	SIZES(xor, XOR),
	SIZES(add_return, ADD_RETURN),
	SIZES(xchg, XCHG),
	SIZES(cmpxchg, CMPXCHG),
	SIZES(pair, PAIR),
};

/* What the operation does to a plain number; returns its result. */
static uint64_t model(enum kind kind, unsigned int bytes, struct state *state, uint64_t v)
{
	uint64_t mask = bytes == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * bytes) - 1;
	uint64_t old = state->first;

	switch (kind) {
	case READ:
		return old;
	case WRITE:
		state->first = v & mask;
		return 0;
	case ADD:
		state->first = (old + v) & mask;
		return 0;
	case AND:
		state->first &= v;
		return 0;
	case OR:
		state->first |= v & mask;
		return 0;
	case XOR:
		state->first ^= v & mask;
		return 0;
	case ADD_RETURN:
		return state->first = (old + v) & mask;
	case XCHG:
		state->first = v & mask;
		return old;
	case CMPXCHG:
		if (old == (START & mask))
			state->first = v & mask;
		return old;
	default:
		if (old != (START & mask) || state->second != (BEHIND & mask))
			return 0;
		*state = (struct state){ v & mask, ~v & mask };
		return 1;
	}
}

static struct state start_state(const struct operation *operation)
{
	uint64_t mask =
		operation->bytes == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * operation->bytes) - 1;

	return (struct state){ START & mask, operation->kind == PAIR ? BEHIND & mask : 0 };
}

/* What the handler does: the same, or something that a reader would see. */
static const struct operation *handlers_operation(const struct operation *operation)
{
	return operation->kind == READ ? operation + (ADD - READ) * 4 : operation;
}

#define OPERAND UINT64_C(0x1032547698badc67)
#define HANDLERS_OPERAND UINT64_C(0xa5c396f8e1d2b473)

/* ---- The children --------------------------------------------------------------------------- */

/* Memory that tracer and child share. */
static struct report {
	unsigned int operation; /* which one to do; set by the tracer */
	uint64_t result, handlers_result;
	unsigned int handled;
	uint64_t named; /* what was left in rseq_cs, of any area, after any operation */
	struct state copy[64];
} * report;

#define MOST_CPUS (nr_cpu_ids < 64 ? nr_cpu_ids : 64)

static char *area_at(char *offset)
{
	return (char *)__builtin_thread_pointer() + (intptr_t)offset;
}

static uint64_t named_sequence(void)
{
	uint64_t named = *(volatile uint64_t *)(area_at(pcpu_layout.rseq) + 8);

	if (pcpu_restartable)
		named |= *(volatile uint64_t *)(area_at(pcpu_area) + 8);
	return named;
}

static void handle(int signal_number UNUSED)
{
	report->handlers_result =
		handlers_operation(&operations[report->operation])->run(HANDLERS_OPERAND);
	report->handled++;
	report->named |= named_sequence();
}

/* Take the thread's area away from the kernel: it goes on with what is in it. */
static void leave_the_kernel(void)
{
	char *area = area_at(pcpu_area);

	if (syscall(SYS_rseq, area, 32, RSEQ_FLAG_UNREGISTER, PCPU_RSEQ_SIGNATURE))
		_exit(3);
	*(int32_t *)(area + 4) = 0;
}

/* Each round begins with a stop for the tracer. */
static __attribute__((noreturn)) void play_rounds(bool scout)
{
	signal(SIGUSR1, handle);
	alarm(MOST_SECONDS);
	if (ptrace(PTRACE_TRACEME, 0, 0, 0))
		_exit(2);
	/* Once without looking: the dynamic linker may come in between. */
	for (unsigned int i = 0; i < COUNT(operations); i++)
		operations[i].run(0);
	if (scout && pcpu_restartable)
		leave_the_kernel();
	for (;;) {
		const struct operation *operation;
		unsigned int cpu;

		__asm__ volatile("int3" ::: "memory");
		operation = &operations[report->operation];
		for (cpu = 0; cpu < MOST_CPUS; cpu++)
			operation->set(cpu);
		report->handled = 0;
		report->named = 0;
		report->result = operation->run(OPERAND);
		report->named |= named_sequence();
		for (cpu = 0; cpu < MOST_CPUS; cpu++)
			report->copy[cpu] = operation->get(operation->kind, cpu);
	}
}

/* ---- The tracer ----------------------------------------------------------------------------- */

static struct user_regs_struct registers_of(pid_t child)
{
	struct user_regs_struct registers;

	check_that(!ptrace(PTRACE_GETREGS, child, NULL, &registers));
	return registers;
}

static void go_on(pid_t child, int request, int signal_number)
{
	int status;

	check_that(!ptrace(request, child, NULL, (void *)(intptr_t)signal_number));
	check_that(waitpid(child, &status, 0) == child);
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
		ck_abort_msg("the child ended or stopped with status %#x", status);
}

/* Replaces the first byte at an address; returns the word that was there. */
static long plant(pid_t child, uint64_t address)
{
	long word = ptrace(PTRACE_PEEKTEXT, child, (void *)address, NULL);

	check_that(
		!ptrace(PTRACE_POKETEXT, child, (void *)address, (void *)((word & ~0xffL) | 0xcc)));
	return word;
}

/* Go on up to an address; the breakpoint is gone then. */
static void go_to(pid_t child, uint64_t address)
{
	long word = plant(child, address);
	struct user_regs_struct registers;

	go_on(child, PTRACE_CONT, 0);
	registers = registers_of(child);
	if (registers.rip != address + 1)
		ck_abort_msg("stopped at %#llx instead of %#llx", (unsigned long long)registers.rip,
			     (unsigned long long)address);
	registers.rip = address;
	check_that(!ptrace(PTRACE_SETREGS, child, NULL, &registers));
	check_that(!ptrace(PTRACE_POKETEXT, child, (void *)address, (void *)word));
}

static pid_t start_child(bool scout)
{
	int status;
	pid_t child = fork();

	if (!child)
		play_rounds(scout);
	check_that(child > 0 && waitpid(child, &status, 0) == child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		return -1;
	check_that(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
	return child;
}

static void end_child(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* ---- The way through an operation ----------------------------------------------------------- */

static struct way {
	uint64_t address[1000];
	size_t length;
	size_t commit; /* index of the instruction that commits; SIZE_MAX: not a sequence */
	const struct sequence *sequence;
} way;

static const struct sequence *sequence_at(uint64_t address)
{
	for (const struct sequence *s = __start___pcpu_rseq_cs; s < __stop___pcpu_rseq_cs; s++) {
		if (address - s->start < s->length)
			return s;
	}
	return NULL;
}

/* Inline code of threads without sequences looks into one, and turns away before it commits: the
 * last one counts. */
static void explore(pid_t scout, unsigned int which)
{
	uint64_t entry = (uintptr_t)operations[which].run, stack;
	struct user_regs_struct registers;

	report->operation = which;
	go_to(scout, entry);
	registers = registers_of(scout);
	stack = registers.rsp;
	way.length = 0;
	way.commit = SIZE_MAX;
	way.sequence = NULL;
	while (registers.rsp <= stack) {
		const struct sequence *sequence = sequence_at(registers.rip);

		check_that(way.length < COUNT(way.address));
		if (sequence) {
			way.sequence = sequence;
			way.commit = way.length;
		}
		way.address[way.length++] = registers.rip;
		go_on(scout, PTRACE_SINGLESTEP, 0);
		registers = registers_of(scout);
	}
	go_on(scout, PTRACE_CONT, 0);
	check_that(!report->named);
	if (pcpu_restartable)
		ck_assert_msg(way.sequence != NULL, "%s of %u bytes is no sequence",
			      operations[which].name, operations[which].bytes);
	else
		way.commit = SIZE_MAX;
}

/* Instructions that lead to a sequence and away from it are the same for all sizes: where time
 * matters, one size shows what happens there. */
static bool is_of_interest(const struct operation *operation, size_t index)
{
	if (!getenv("PERMOD_LONG") && operation->bytes != 4 && index != way.commit + 1 &&
	    !sequence_at(way.address[index]))
		return false;
	for (size_t i = 0; i < index; i++) {
		if (way.address[i] == way.address[index])
			return false;
	}
	return true;
}

/* ---- What must be so after a round ---------------------------------------------------------- */

static cpu_set_t allowed;

static unsigned int nth_allowed(unsigned int n)
{
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &allowed) && n-- == 0)
			return cpu;
	}
	return 0;
}

static void bind_child(pid_t child, unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	check_that(!sched_setaffinity(child, sizeof(set), &set));
}

static bool same(struct state a, struct state b)
{
	return a.first == b.first && a.second == b.second;
}

/* The only copy that has changed, if one has; -1 if none. */
static int changed_copy(const struct operation *operation)
{
	int changed = -1;

	for (unsigned int cpu = 0; cpu < MOST_CPUS; cpu++) {
		if (same(report->copy[cpu], start_state(operation)))
			continue;
		ck_assert_msg(changed < 0, "%s of %u bytes has changed two copies", operation->name,
			      operation->bytes);
		changed = (int)cpu;
	}
	return changed;
}

/* Whether results and variable are those of one order of the two. */
static bool happened(const struct operation *operation, bool handler_first)
{
	const struct operation *handlers = handlers_operation(operation);
	struct state state = start_state(operation);
	uint64_t result = 0, handlers_result = 0;
	int changed = changed_copy(operation);

	if (handler_first)
		handlers_result = model(handlers->kind, handlers->bytes, &state, HANDLERS_OPERAND);
	result = model(operation->kind, operation->bytes, &state, OPERAND);
	if (!handler_first)
		handlers_result = model(handlers->kind, handlers->bytes, &state, HANDLERS_OPERAND);
	return result == report->result && handlers_result == report->handlers_result &&
	       same(state, changed < 0 ? start_state(operation) : report->copy[changed]);
}

static void check_signalled(const struct operation *operation, size_t index)
{
	bool before = happened(operation, true), behind = happened(operation, false);

	ck_assert_uint_eq(report->handled, 1);
	ck_assert_msg(!report->named,
		      "%s of %u bytes, signal at instruction %zu: a sequence is left",
		      operation->name, operation->bytes, index);
	ck_assert_msg(way.commit == SIZE_MAX ? before || behind
		      : index <= way.commit  ? before
					     : behind,
		      "%s of %u bytes, signal at instruction %zu (commit is %zu): %#lx and %#lx",
		      operation->name, operation->bytes, index, way.commit, (long)report->result,
		      (long)report->handlers_result);
}

static void check_moved(const struct operation *operation, size_t index, unsigned int from,
			unsigned int to)
{
	struct state state = start_state(operation);
	uint64_t result = model(operation->kind, operation->bytes, &state, OPERAND);
	int changed = changed_copy(operation);
	unsigned int place = index <= way.commit ? to : from;

	ck_assert_msg(!report->named,
		      "%s of %u bytes, moved at instruction %zu: a sequence is left",
		      operation->name, operation->bytes, index);
	ck_assert_msg(report->result == result, "%s of %u bytes, moved at instruction %zu: %#lx",
		      operation->name, operation->bytes, index, (long)report->result);
	if (operation->kind == READ) {
		ck_assert_int_eq(changed, -1);
		return;
	}
	ck_assert_msg(changed >= 0 && same(report->copy[changed], state),
		      "%s of %u bytes, moved at instruction %zu: not once", operation->name,
		      operation->bytes, index);
	/* Atomic operations may be on the CPU that the thread was on a moment ago. */
	if (way.commit != SIZE_MAX && strcmp(pcpu_index_name(), "cpu") == 0)
		ck_assert_msg(changed == (int)place,
			      "%s of %u bytes, moved at instruction %zu: on CPU %d, not %u",
			      operation->name, operation->bytes, index, changed, place);
}

/* ---- The tests ------------------------------------------------------------------------------ */

typedef void round_body(pid_t subject, const struct operation *operation, size_t index);

/* A signal before this instruction. */
static void signal_at(pid_t subject, const struct operation *operation, size_t index)
{
	go_to(subject, way.address[index]);
	go_on(subject, PTRACE_CONT, SIGUSR1);
	check_signalled(operation, index);
	/* And in the middle of a restart. */
	if (index != way.commit)
		return;
	go_to(subject, way.address[index]);
	go_to(subject, way.sequence->abort_address);
	go_on(subject, PTRACE_CONT, SIGUSR1);
	check_signalled(operation, index);
}

static void move_at(pid_t subject, const struct operation *operation, size_t index)
{
	unsigned int from = nth_allowed(0), to = nth_allowed(1);

	bind_child(subject, from);
	go_to(subject, way.address[index]);
	bind_child(subject, to);
	go_on(subject, PTRACE_CONT, 0);
	check_moved(operation, index, from, to);
}

static void at_each_instruction(round_body *body)
{
	pid_t scout, subject;

	if (SANITIZED || is_emulated())
		return;
	scout = start_child(true);
	if (scout < 0) {
		puts("skip: this system lets no process trace another");
		return;
	}
	subject = start_child(false);
	/* All on one CPU: they take turns. */
	bind_child(0, nth_allowed(0));
	bind_child(scout, nth_allowed(0));
	bind_child(subject, nth_allowed(0));
	for (unsigned int which = 0; which < COUNT(operations); which++) {
		explore(scout, which);
		for (size_t i = 0; i < way.length; i++) {
			if (is_of_interest(&operations[which], i))
				body(subject, &operations[which], i);
		}
	}
	end_child(scout);
	end_child(subject);
}

START_TEST(signal_at_each_instruction)
{
	at_each_instruction(signal_at);
}
END_TEST

START_TEST(move_at_each_instruction)
{
	if (CPU_COUNT(&allowed) > 1)
		at_each_instruction(move_at);
}
END_TEST

START_TEST(mode_is_the_one_asked_for)
{
	bool kernel_has = syscall(SYS_rseq, NULL, 0, 0, 0) < 0 && errno != ENOSYS;
	bool inline_ones = !strcmp(mode(), "libc") && kernel_has;

	ck_assert_int_eq(pcpu_restartable, strcmp(mode(), "atomic") != 0 && kernel_has);
	if (&__rseq_size && __rseq_size)
		ck_assert_int_eq(pcpu_restartable && pcpu_layout.rseq == pcpu_area, inline_ones);
}
END_TEST

/* ---- The modes ------------------------------------------------------------------------------ */

static int run_suite(void)
{
	static char name[64];
	Suite *suite;
	TCase *tests = tcase_create("steps");
	SRunner *runner;
	int failed;

	snprintf(name, sizeof(name), "percpu_steps, mode %s", mode());
	suite = suite_create(name);
	tcase_set_timeout(tests, MOST_SECONDS);
	tcase_add_test(tests, mode_is_the_one_asked_for);
	tcase_add_test(tests, signal_at_each_instruction);
	tcase_add_test(tests, move_at_each_instruction);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(void)
{
	int failed = 0;

	sched_getaffinity(0, sizeof(allowed), &allowed);
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (report == MAP_FAILED)
		return EXIT_FAILURE;
	if (!getenv("PERCPU_TEST_MODE")) {
		failed |= run_mode("atomic", "PERCPU_OPS", "atomic");
		failed |= run_mode("own", "GLIBC_TUNABLES", "glibc.pthread.rseq=0");
		if (getauxval(AT_RSEQ_FEATURE_SIZE) >= 28)
			failed |= run_mode("mm_cid", "PERCPU_INDEX", "mm_cid");
	}
	return failed | run_suite();
}
#endif
