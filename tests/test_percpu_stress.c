/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The allocator under load: threads that move from CPU to CPU take, fill, look at and give back
 * areas of all sizes, each also those of the others; handlers come in between, memory is trimmed,
 * and the process forks.  A model says who owns each grain: a number for each in memory of its own,
 * which is exchanged when an area is taken and given, so that no two areas ever share one.
 *
 * The setting PERMOD_LONG=1 lets it run for long.
 */
#define _GNU_SOURCE
#include <permod/percpu.h>
#include "tests/percpu/helper.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define GRAIN ((size_t)4)
#define MIB ((size_t)1 << 20)

/* In scenes, which have no Check: say what is not so, and end. */
#define expect(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			dprintf(STDERR_FILENO, "line %d: not so: %s\n", __LINE__, #condition);     \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static bool is_slow(void)
{
	return SANITIZED || is_emulated();
}

/* How often something is done: in everyday runs, and with PERMOD_LONG. */
static long times(long usual, long longer)
{
	if (getenv("PERMOD_LONG"))
		return longer;
	return is_slow() ? usual / 20 + 1 : usual;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1d;
}

static struct pcpu_map get_map(void)
{
	struct pcpu_map map;

	pcpu_get_map(&map);
	return map;
}

static cpu_set_t allowed;

/* To the nth of the CPUs that we may use. */
static void move_to(uint64_t nth)
{
	cpu_set_t one;

	nth %= (uint64_t)CPU_COUNT(&allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || nth--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

/* Long runs outlive the time that children have as a rule. */
static void live_long(void)
{
	if (getenv("PERMOD_LONG"))
		alarm(36000);
}

/* ---- The model ------------------------------------------------------------------------------ */

static uint8_t *owned; /* for each grain of the unit: 1 if an area has it */
static uintptr_t cookies;
static size_t unit_size;

static void open_model(void)
{
	struct pcpu_map map = get_map();

	sched_getaffinity(0, sizeof(allowed), &allowed);
	cookies = map.cookies;
	unit_size = map.unit_size;
	live_long();
	owned = mmap(NULL, unit_size / GRAIN, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	expect(owned != MAP_FAILED);
}

static void set_owner(const char __percpu *area, size_t size, uint8_t before, uint8_t after)
{
	size_t first = ((uintptr_t)area - cookies) / GRAIN;

	expect((uintptr_t)area - cookies + size <= unit_size);
	for (size_t i = first; i < first + (size + GRAIN - 1) / GRAIN; i++)
		expect(__atomic_exchange_n(&owned[i], after, __ATOMIC_RELAXED) == before);
}

/* An area with what is written in it, on CPUs `cpu` and the next ones. */
struct held {
	char __percpu *area;
	size_t size;
	unsigned int cpu;
	unsigned char seed;
};

#define WRITTEN 3

static bool has(const char *bytes, size_t size, unsigned char value)
{
	return (unsigned char)bytes[0] == value && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* A new area is nobody's, aligned and zero; now it is ours. */
static void check_new(struct held *held, size_t align, uint64_t random)
{
	unsigned int cpu;

	set_owner(held->area, held->size, 0, 1);
	expect((uintptr_t)held->area % align == 0);
	for_each_possible_cpu(cpu)
		expect(has(per_cpu_ptr(held->area, cpu), held->size, 0));
	held->seed = (unsigned char)(random % 255 + 1);
	held->cpu = (unsigned int)(random >> 8) % nr_cpu_ids;
	for (unsigned int i = 0; i < WRITTEN; i++) {
		cpu = (held->cpu + i) % nr_cpu_ids;
		if (cpu_possible(cpu))
			memset(per_cpu_ptr(held->area, cpu), held->seed, held->size);
	}
}

/* It has kept what was written; now it is nobody's. */
static void check_old(const struct held *held)
{
	for (unsigned int i = 0; i < WRITTEN; i++) {
		unsigned int cpu = (held->cpu + i) % nr_cpu_ids;

		if (cpu_possible(cpu))
			expect(has(per_cpu_ptr(held->area, cpu), held->size, held->seed));
	}
	set_owner(held->area, held->size, 1, 0);
}

/* Mostly small, some of pages, few larger than a chunk. */
static size_t random_size(uint64_t *random)
{
	size_t kind = (size_t)next_random(random) % 1000, number = (size_t)next_random(random);

	if (kind < 850)
		return 1 + number % 256;
	if (kind < 990)
		return 1 + number % 5000;
	if (kind < 999)
		return 1 + number % 40000;
	return 1 + number % 600000;
}

static struct held take(uint64_t *random, unsigned int flags)
{
	uint64_t shift = next_random(random) % 40;
	size_t align = (size_t)1 << (shift <= 12 ? shift : 2);
	struct held held = { .size = random_size(random) };

	held.area = __alloc_percpu_gfp(held.size, align, flags);
	if (held.area)
		check_new(&held, align, next_random(random));
	return held;
}

static void give(const struct held *held)
{
	check_old(held);
	free_percpu(held->area);
}

/* ---- One thread ----------------------------------------------------------------------------- */

static int scene_alone(void)
{
	enum { HELD = 1500 };
	static struct held held[HELD];
	uint64_t random = 99;
	struct pcpu_map before = get_map();

	open_model();
	for (long step = 0; step < times(20000, 10000000); step++) {
		size_t i = (size_t)next_random(&random) % HELD;

		if (step % 300 == 0)
			move_to(next_random(&random));
		if (step % 20000 == 0)
			pcpu_trim();
		if (held[i].area) {
			give(&held[i]);
			held[i].area = NULL;
		} else {
			held[i] = take(&random, 0);
			expect(held[i].area);
		}
	}
	for (size_t i = 0; i < HELD; i++) {
		if (held[i].area)
			give(&held[i]);
	}
	expect(get_map().areas == before.areas);
	expect(get_map().dynamic_used == before.dynamic_used);
	return 0;
}

/* ---- Many threads --------------------------------------------------------------------------- */

enum { WORKERS = 4, SLOTS = 512, RING = 64 };

/* Areas that any thread takes out and gives back; NULL: none. */
static struct held *slot[SLOTS];
static bool finished;

/* What a thread's handler took, for the thread to give back. */
static __thread struct held caught[RING];
static __thread volatile int caught_count;
static __thread volatile bool is_worker;
static long served, refused;

/* Takes small areas without waiting, whatever it interrupts. */
static void catch_signal(int number UNUSED)
{
	static __thread uint64_t random = 5;
	int saved = errno, i = caught_count;

	if (is_worker && i < RING) {
		errno = 0;
		caught[i] = take(&random, PCPU_NOWAIT);
		if (caught[i].area) {
			caught_count = i + 1;
			__atomic_fetch_add(&served, 1, __ATOMIC_RELAXED);
		} else {
			expect(errno == EAGAIN);
			__atomic_fetch_add(&refused, 1, __ATOMIC_RELAXED);
		}
	}
	errno = saved;
}

static void give_caught(void)
{
	sigset_t alarm_only;

	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm_only, NULL);
	while (caught_count) {
		int last = caught_count - 1;

		give(&caught[last]);
		caught_count = last;
	}
	pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
}

static void put_in_slot(struct held *held, size_t i)
{
	struct held *other = __atomic_exchange_n(&slot[i], held, __ATOMIC_ACQ_REL);

	if (other) {
		give(other);
		free(other);
	}
}

static void *work(void *argument)
{
	uint64_t random = (uintptr_t)argument * 7919 + 1;

	is_worker = true;
	for (long step = 0; step < times(8000, 20000000); step++) {
		size_t i = next_random(&random) % SLOTS;
		struct held *held = NULL;

		if (step % 200 == 0)
			move_to(next_random(&random));
		if (step % 16 == 0)
			give_caught();
		if (next_random(&random) % 2) {
			held = malloc(sizeof(*held));
			expect(held);
			*held = take(&random, 0);
			expect(held->area);
		}
		put_in_slot(held, i);
	}
	is_worker = false; /* first: a handler may come in between */
	give_caught();
	return NULL;
}

/* Looks and trims all the time. */
static void *disturb(void *unused UNUSED)
{
	for (long i = 0; !__atomic_load_n(&finished, __ATOMIC_ACQUIRE); i++) {
		struct pcpu_map map = get_map();

		expect(map.cookies == cookies);
		if (i % 20 == 0)
			pcpu_trim();
		usleep(500);
	}
	return NULL;
}

static int scene_threads(void)
{
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = catch_signal, .sa_flags = SA_RESTART };
	pthread_t worker[WORKERS], disturber;
	struct pcpu_map before;
	void __percpu *whole;

	open_model();
	before = get_map();
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (uintptr_t i = 0; i < WORKERS; i++)
		expect(!pthread_create(&worker[i], NULL, work, (void *)i));
	expect(!pthread_create(&disturber, NULL, disturb, NULL));
	for (int i = 0; i < WORKERS; i++)
		pthread_join(worker[i], NULL);
	setitimer(ITIMER_REAL, &never, NULL);
	__atomic_store_n(&finished, true, __ATOMIC_RELEASE);
	pthread_join(disturber, NULL);
	for (size_t i = 0; i < SLOTS; i++)
		put_in_slot(NULL, i);
	expect(get_map().areas == before.areas);
	expect(get_map().dynamic_used == before.dynamic_used);
	/* Nothing was lost: all of it can be had at once, but for a guard gap. */
	whole = __alloc_percpu(pcpu_max_size() - 4096, 4);
	expect(whole);
	free_percpu(whole);
	printf("handlers: served %ld, refused %ld\n", served, refused);
	return 0;
}

/* ---- Made on one CPU, freed on another ------------------------------------------------------ */

enum { BELT = 1024 };
static char __percpu *belt[BELT];
static unsigned long made, freed; /* how many went onto the belt, and off it */

static void *free_what_comes(void *argument)
{
	unsigned long all = (unsigned long)(uintptr_t)argument;

	move_to(1);
	for (unsigned long n = 0; n < all; n++) {
		while (__atomic_load_n(&made, __ATOMIC_ACQUIRE) == n)
			sched_yield();
		expect(*(long *)per_cpu_ptr(belt[n % BELT], 0) == (long)n + 1);
		free_percpu(belt[n % BELT]);
		__atomic_store_n(&freed, n + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static int scene_belt(void)
{
	unsigned long all = (unsigned long)times(100000, 100000000);
	struct pcpu_map before = get_map();
	pthread_t thread;
	size_t most = 0;

	live_long();
	sched_getaffinity(0, sizeof(allowed), &allowed);
	expect(!pthread_create(&thread, NULL, free_what_comes, (void *)(uintptr_t)all));
	move_to(0);
	for (unsigned long n = 0; n < all; n++) {
		char __percpu *area = __alloc_percpu(64, 8);

		expect(area && has(per_cpu_ptr(area, 0), 64, 0));
		*(long *)per_cpu_ptr(area, 0) = (long)n + 1;
		while (n - __atomic_load_n(&freed, __ATOMIC_ACQUIRE) >= BELT)
			sched_yield();
		belt[n % BELT] = area;
		__atomic_store_n(&made, n + 1, __ATOMIC_RELEASE);
		if (n % 10000 == 0) {
			size_t chunks = get_map().chunks;

			most = chunks > most ? chunks : most;
		}
	}
	pthread_join(thread, NULL);
	expect(get_map().areas == before.areas);
	/* What is freed over there comes back: 64 KiB are in use at a time, and some wait. */
	printf("chunks: %zu at most\n", most);
	expect((most - before.chunks) * before.chunk_size <= 2 * MIB);
	return 0;
}

/* ---- fork() --------------------------------------------------------------------------------- */

static void *churn(void *argument)
{
	uint64_t random = (uintptr_t)argument + 1;
	struct held kept = { 0 };

	while (!__atomic_load_n(&finished, __ATOMIC_RELAXED)) {
		struct held held = take(&random, 0);

		expect(held.area);
		if (kept.area)
			give(&kept);
		kept = held;
		if (next_random(&random) % 1000 == 0)
			pcpu_trim();
	}
	if (kept.area)
		give(&kept);
	return NULL;
}

/* In the child: everything works, whatever the parent's threads were at. */
static void be_child(const struct held *kept, bool forks)
{
	struct held held[20];
	uint64_t random = 77;
	int status;

	alarm(30); /* a lock that nobody will release */
	for (int i = 0; i < 20; i++) {
		held[i].size = i % 5 ? 1 + next_random(&random) % 256 : 5000;
		held[i].area = __alloc_percpu(held[i].size, 4);
		expect(held[i].area);
		for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++) {
			expect(!cpu_possible(cpu) ||
			       has(per_cpu_ptr(held[i].area, cpu), held[i].size, 0));
		}
		memset(per_cpu_ptr(held[i].area, 0), i + 1, held[i].size);
	}
	for (int i = 0; i < 20; i++) {
		expect(has(per_cpu_ptr(held[i].area, 0), held[i].size, (unsigned char)(i + 1)));
		free_percpu(held[i].area);
	}
	expect(has(per_cpu_ptr(kept->area, kept->cpu), kept->size, kept->seed));
	memset(per_cpu_ptr(kept->area, kept->cpu), 0, kept->size);
	if (forks) {
		pid_t child = fork();

		if (!child)
			_exit(0);
		expect(waitpid(child, &status, 0) == child && status == 0);
		pcpu_trim();
	}
	free_percpu(kept->area);
	_exit(0);
}

static int scene_forks(void)
{
	pthread_t thread[3];
	struct held kept;
	uint64_t random = 3;
	int status;

	open_model();
	kept.size = 100;
	kept.area = __alloc_percpu(kept.size, 4);
	expect(kept.area);
	check_new(&kept, 4, next_random(&random) % 256);
	for (uintptr_t i = 0; i < COUNT(thread); i++)
		expect(!pthread_create(&thread[i], NULL, churn, (void *)i));
	for (long i = 0; i < times(120, 50000); i++) {
		pid_t child = fork();

		expect(child >= 0);
		if (!child)
			be_child(&kept, i % 20 == 0);
		expect(waitpid(child, &status, 0) == child);
		if (status)
			dprintf(STDERR_FILENO, "fork %ld: status %x\n", i, status);
		expect(status == 0);
	}
	__atomic_store_n(&finished, true, __ATOMIC_RELAXED);
	for (size_t i = 0; i < COUNT(thread); i++)
		pthread_join(thread[i], NULL);
	give(&kept);
	return 0;
}

/* ---- All ------------------------------------------------------------------------------------- */

static const struct scene scenes[] = {
	{ "alone", scene_alone },
	{ "threads", scene_threads },
	{ "belt", scene_belt },
	{ "forks", scene_forks },
};

static const struct {
	const char *scene;
	const char *settings[3];
} runs[] = {
	{ "alone", { "PERCPU_CPUS=1" } },
	{ "alone", { "PERCPU_CPUS=33" } },
	{ "alone", { "PERCPU_OPS=atomic" } },
	{ "alone", { "PERCPU_CHECK=1" } },
	{ "threads", { "PERCPU_CPUS=1" } },
	{ "threads", { "PERCPU_CPUS=33" } },
	{ "threads", { "PERCPU_OPS=atomic" } },
	{ "threads", { "PERCPU_CHECK=1" } },
	{ "threads", { "GLIBC_TUNABLES=glibc.pthread.rseq=0" } },
	{ "belt", { "PERCPU_CPUS=1" } },
	{ "belt", { "PERCPU_OPS=atomic" } },
	{ "forks", { "PERCPU_CPUS=1" } },
	{ "forks", { "PERCPU_OPS=atomic" } },
	{ "forks", { "PERCPU_CHECK=1" } },
};

START_TEST(state_stays_right)
{
	struct outcome outcome;

	if (is_emulated() && strcmp(runs[_i].scene, "alone"))
		return; /* one thread at a time: hours */
	if (is_slow() && strstr(runs[_i].settings[0], "CPUS=33"))
		return; /* tools see to each CPU's copy of each area */
	if (SANITIZED && !strcmp(runs[_i].scene, "forks"))
		return; /* their heap is not whole in a child while threads use it */
	outcome = play(runs[_i].scene, runs[_i].settings, 0);
	ck_assert_msg(ended_well(&outcome), "%s %s: status %x: %s", runs[_i].scene,
		      runs[_i].settings[0], outcome.status, outcome.text);
}
END_TEST

int main(int argc, char **argv)
{
	int status = play_named(scenes, COUNT(scenes), argc, argv);
	TCase *tests = tcase_create("stress");
	SRunner *runner;
	Suite *suite;

	if (status >= 0)
		return status;
	suite = suite_create("percpu_stress");
	tcase_set_timeout(tests, getenv("PERMOD_LONG") ? 36000 : 300);
	tcase_add_loop_test(tests, state_stays_right, 0, COUNT(runs));
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	status = srunner_ntests_failed(runner) ? EXIT_FAILURE : EXIT_SUCCESS;
	srunner_free(runner);
	return status;
}
