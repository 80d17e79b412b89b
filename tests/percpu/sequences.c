/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sequences of an architecture's header, with a made-up rseq area instead of the kernel's: this
 * program chooses on which CPU it is.  So they can be tested where the kernel has none, under an
 * emulator.
 *
 * By itself it checks what every operation does, and that the descriptor is no longer named behind
 * it.  Under step.py it checks that an operation is done exactly once, on the right CPU, when it is
 * aborted and the thread moved, at each instruction of each sequence: before the operation is called
 * `test_step` says what is to happen, `test_outcome` tells what did.
 */
#define PCPU_NO_IMAGE
#define PCPU_RSEQ_AREA fake_area
static char *fake_area;
#include <permod/percpu.h>

#include "operations.h"

/* As the kernel's (include/uapi/linux/rseq.h). */
struct {
	uint32_t cpu_id_start, cpu_id;
	uint64_t rseq_cs;
	uint32_t flags, node_id, mm_cid;
} __attribute__((aligned(32))) test_area;

volatile uint32_t test_step, test_outcome, test_other_cpu;

enum { NOT_STEPPED, MOVED_BEFORE, ABORTED, MOVED_BEHIND };
#define NEVER 0xffffffffU

/* The rest of the library: CPUs, of which the variable is used on FIRST and OTHER. */
enum { CPUS = 8, FIRST = 3, OTHER = 6 };
struct place test_copy[CPUS], test_snapshot[CPUS]; /* the second: when the sequence had been left */
static struct place wanted[CPUS];
static uintptr_t offsets[CPUS];
#define COOKIE ((uintptr_t)1 << 20)

const struct pcpu_layout pcpu_layout = { .offset = offsets, .cpu_ids = CPUS };

/* What the last operation that was turned away asked the library for. */
static struct {
	unsigned int calls, code;
	uintptr_t cookie;
	uint64_t a, b;
	bool named;
} slow;

#define SLOW_RESULT 0x123456789abcdef5U

uint64_t pcpu_slow_operation(unsigned int code, uintptr_t cookie, uint64_t a, uint64_t b)
{
	slow.calls++;
	slow.code = code;
	slow.cookie = cookie;
	slow.a = a;
	slow.b = b;
	slow.named |= test_area.rseq_cs != 0;
	return SLOW_RESULT;
}

int pcpu_slow_cmpxchg_double(uintptr_t cookie, uint64_t o1, uint64_t o2, uint64_t n1, uint64_t n2)
{
	return (int)pcpu_slow_operation(0, cookie, o1 ^ o2, n1 ^ n2) == (int)SLOW_RESULT ? 77 : 0;
}

unsigned int pcpu_slow_cpu(void)
{
	slow.calls++;
	return 5;
}

void pcpu_bad_pair(uintptr_t first, uintptr_t distance, size_t size)
{
	printf("not ok pair at %#zx, %zu, %zu\n", (size_t)first, (size_t)distance, size);
	__builtin_trap();
}

static bool stepped;

static void prepare(uint32_t step)
{
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		for (unsigned int i = 0; i < sizeof(test_copy[cpu].byte); i++)
			/* On the first CPU all numbers look negative, on the other none does. */
			test_copy[cpu].byte[i] =
				(unsigned char)(((0x71 - 37 * cpu - 11 * i) & 0x7f) |
						(cpu == FIRST ? 0x80 : 0));
	memcpy(wanted, test_copy, sizeof(wanted));
	memset(&slow, 0, sizeof(slow));
	test_area.cpu_id = FIRST;
	test_area.cpu_id_start = OTHER; /* not to be used */
	test_other_cpu = OTHER;
	test_step = step;
	test_outcome = NOT_STEPPED;
}

/* The CPU that the operation was done on. */
static unsigned int cpu_of_operation(void)
{
	return test_outcome == MOVED_BEFORE || test_outcome == ABORTED ? OTHER : FIRST;
}

static bool goes_on(void)
{
	return test_outcome == MOVED_BEFORE || test_outcome == ABORTED;
}

/* What must be so behind every operation. */
static void check_end(const struct operation *op, bool done_again)
{
	check_that(!memcmp(test_copy, wanted, sizeof(wanted)), op,
		   "memory is not what it should be");
	check_that(test_area.rseq_cs == 0, op, "the descriptor is still named");
	if (test_outcome == MOVED_BEHIND && !done_again)
		check_that(!memcmp(test_snapshot, wanted, sizeof(wanted)), op,
			   "the work is not done where the sequence ends");
}

/* Once as it is; under step.py, from the given step on: moved before the sequence, aborted before each
 * instruction, moved behind it.  Returns in how many places it was aborted. */
static unsigned int try_operation(const struct operation *op, uint64_t value, uint64_t expected,
				  uint32_t step)
{
	const bool watched = stepped && step != NEVER;

	do {
		uint64_t result, right;
		unsigned int cpu;

		prepare(step++);
		result = op->run(COOKIE + op->size, value, expected);
		cpu = cpu_of_operation();
		right = expect(op, &wanted[cpu].byte[op->size], value, expected);
		check_end(op, false);
		check_that(result == right, op, "the result is wrong");
		check_that(slow.calls == 0, op, "the library was called");
	} while (goes_on());
	check_that((test_outcome == MOVED_BEHIND) == watched, op, "the debugger is not at work");
	return step - 2;
}

/* What must reach the library: all, if the thread has no sequences; 8 bytes, if one store can't. */
static void try_turned_away(const struct operation *op, int32_t cpu_id)
{
	const uint64_t value = 0x5a69788796a5b4c3, expected = 0x0123456789abcdef;
	const uint64_t a = op->code == PCPU_CMPXCHG ? expected : value;
	const unsigned int code = op->code == PCPU_ADD ? PCPU_XADD : op->code;
	bool returns = op->code >= PCPU_XADD && op->code <= PCPU_CMPXCHG;
	uint64_t result, right;

	prepare(NEVER);
	test_area.cpu_id = (uint32_t)cpu_id;
	result = op->run(COOKIE + op->size, value, expected);
	right = low_bytes(SLOW_RESULT + (op->code == PCPU_XADD ? value : 0), op->size);
	check_end(op, false);
	check_that(slow.calls == 1 && !slow.named, op, "the library was not called properly");
	check_that(slow.code == PCPU_CODE(op->code, op->size) ||
			   slow.code == PCPU_CODE(code, op->size),
		   op, "the library was asked for another operation");
	check_that(slow.cookie == COOKIE + op->size, op, "the cookie is wrong");
	if (op->code != PCPU_READ)
		check_that(low_bytes(slow.a, op->size) == low_bytes(a, op->size), op,
			   "the first argument is wrong");
	if (op->code == PCPU_CMPXCHG)
		check_that(low_bytes(slow.b, op->size) == low_bytes(value, op->size), op,
			   "the second argument is wrong");
	if (returns || op->code == PCPU_READ)
		check_that(result == right, op, "the library's result was lost");
}

static void try_size(const struct operation *op)
{
	static const uint64_t values[] = { 0x9182736455463728, 1, UINT64_MAX };
	unsigned int places = 0;

	if (op->size > PCPU_SEQUENCE_BYTES) {
		try_turned_away(op, FIRST);
		return;
	}
	if (op->code != PCPU_CMPXCHG) {
		for (unsigned int i = 1; i < COUNT(values); i++)
			try_operation(op, values[i], 0, NEVER);
		places = try_operation(op, values[0], 0, 0);
	} else {
		prepare(NEVER);
		/* Equal on one CPU, on the other, on none: but for bytes that don't count. */
		for (int i = 0; i < 3; i++) {
			uint64_t is =
				load(&test_copy[i == 0 ? FIRST : OTHER].byte[op->size], op->size);

			if (i == 2)
				is ^= (uint64_t)1 << (8 * op->size - 1);
			if (op->size < 8)
				is |= (uint64_t)0x5a << 8 * op->size;
			places = try_operation(op, 0x9182736455463728, is, 0);
		}
	}
	/* Reading the CPU number, testing it, finding the copy, and the commit. */
	check_that(places >= 4 || !stepped, op, "too few places to abort at");
	try_turned_away(op, -1);
	try_turned_away(op, -2);
}

#ifdef PCPU_HAVE_CMPXCHG_DOUBLE
/* The pair of the two CPUs' copies decides; i says in what the expected pair differs. */
static void try_double(int i)
{
	static const struct operation op = { "cmpxchg_double", 0, 16, NULL };
	struct pair {
		uint64_t first, second;
	} *pair = (void *)(COOKIE + 16), now, is;
	const struct pair new = { 0x9182736455463728, 0x8090a0b0c0d0e0f0 };
	uint32_t step = 0;

	do {
		unsigned int cpu;
		bool done, right, again;

		prepare(step++);
		memcpy(&is, &test_copy[i == 1 ? OTHER : FIRST].byte[16], 16);
		is.first ^= i == 2;
		is.second ^= (uint64_t)(i == 3) << 63;
		done = this_cpu_cmpxchg_double(pair->first, pair->second, is.first, is.second,
					       new.first, new.second);
		cpu = cpu_of_operation();
		/* A store that hangs on a reservation fails under a debugger, and is done again. */
		again = i == 0 && test_outcome == MOVED_BEHIND && !done;
		if (again)
			cpu = OTHER;
		memcpy(&now, &wanted[cpu].byte[16], 16);
		right = now.first == is.first && now.second == is.second;
		if (right)
			memcpy(&wanted[cpu].byte[16], &new, 16);
		check_end(&op, again);
		check_that(done == right, &op, "the result is wrong");
		check_that(slow.calls == 0, &op, "the library was called");
	} while (goes_on());
	check_that((test_outcome == MOVED_BEHIND) == stepped, &op, "the debugger is not at work");
	check_that(step > 5 || !stepped, &op, "too few places to abort at");
	prepare(NEVER);
	test_area.cpu_id = (uint32_t)-1;
	check_that(this_cpu_cmpxchg_double(pair->first, pair->second, is.first, 4, 3, 5), &op,
		   "the library's result was lost");
	check_end(&op, false);
	check_that(slow.calls == 1 && slow.cookie == (uintptr_t)pair && slow.a == (is.first ^ 4) &&
			   slow.b == (3 ^ 5),
		   &op, "the library was not called properly");
}
#endif

static void try_cpu(void)
{
	static const struct operation op = { "smp_processor_id", 0, 4, NULL };

	prepare(NEVER);
	check_that(smp_processor_id() == FIRST && !slow.calls, &op, "the number is wrong");
	test_area.cpu_id = (uint32_t)-1;
	check_that(smp_processor_id() == 5 && slow.calls == 1, &op, "the library was not asked");
	check_end(&op, false);
}

int main(int argc, char **argv)
{
	stepped = argc > 1 && !strcmp(argv[1], "stepped");
	fake_area = (char *)((uintptr_t)&test_area - (uintptr_t)__pcpu_thread_pointer());
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		offsets[cpu] = (uintptr_t)&test_copy[cpu] - COOKIE;
	for (unsigned int i = 0; i < COUNT(operations); i++)
		try_size(&operations[i]);
#ifdef PCPU_HAVE_CMPXCHG_DOUBLE
	for (int i = 0; i < 4; i++)
		try_double(i);
#endif
	try_cpu();
	return report(stepped ? "sequences, aborted" : "sequences");
}
