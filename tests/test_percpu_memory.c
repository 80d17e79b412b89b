/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory of per-CPU areas: that it is zero on every possible CPU however it was used before,
 * that as much is resident as was written, that it goes back to the system, and that all of it can
 * be had again once there was no more.
 *
 * How the library finds what is to be zeroed depends on what the system lets it see, and on how many
 * CPUs it believes in; so the same scenes are played in many surroundings.  Only the public
 * interface is used; what is resident, the kernel tells.
 */
#define _GNU_SOURCE
#include <permod/percpu.h>
#include "tests/percpu/helper.h"

#include <check.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* In scenes, which have no Check: say what is not so, and end. */
#define expect(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("line %d: not so: %s\n", __LINE__, #condition);                     \
			fflush(stdout);                                                            \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static bool is_slow(void)
{
	return SANITIZED || is_emulated();
}

/* xorshift64*: the same numbers in every run. */
static uint64_t random_state = 20240611;

static uint64_t next_random(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1d;
}

static struct pcpu_map get_map(void)
{
	struct pcpu_map map;

	pcpu_get_map(&map);
	return map;
}

static bool is_zero(const char *bytes, size_t size)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

static bool is_zero_everywhere(char __percpu *area, size_t size)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		if (!is_zero(per_cpu_ptr(area, cpu), size))
			return false;
	}
	return true;
}

/* Write all copies of few CPUs' machines; of many, eight that change from call to call. */
static void dirty(char __percpu *area, size_t size)
{
	static unsigned int first;
	unsigned int step = nr_cpu_ids > 8 ? nr_cpu_ids / 8 : 1, cpu;

	first++;
	for_each_possible_cpu(cpu) {
		if ((cpu + first) % step == 0)
			memset(per_cpu_ptr(area, cpu), 0xa5, size);
	}
}

/* Which grains were ever handed out: a byte for each, of memory that is there once written. */
static unsigned char *seen;

static void open_seen(void)
{
	seen = mmap(NULL, get_map().unit_size / 4, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	expect(seen != MAP_FAILED);
}

/* Whether the area's first byte belonged to another one before. */
static bool was_seen(const char __percpu *area)
{
	unsigned char *mark = &seen[((uintptr_t)area - get_map().cookies) / 4];
	bool before = *mark;

	*mark = 1;
	return before;
}

/* ---- Zeroed on every CPU, also when recycled ------------------------------------------------ */

static void try_size(size_t size, size_t align, unsigned int *recycled)
{
	char __percpu *area = __alloc_percpu(size, align);

	expect(area);
	expect((uintptr_t)area % align == 0);
	expect(is_zero_everywhere(area, size));
	*recycled += was_seen(area);
	dirty(area, size);
	free_percpu(area);
}

/* Every size up to somewhat more than the largest that caches serve, then some; all alignments. */
static int scene_sizes(void)
{
	static const size_t large[] = { 400, 1000, 1024, 4093, 4096, 4097, 10000, 65536, 300000 };
	size_t most = is_slow() ? 40 : 272, step = nr_cpu_ids > 100 ? 5 : 1;
	unsigned int recycled = 0;

	open_seen();
	for (int round = 0; round < 3; round++) {
		for (size_t align = 1; align <= 4096; align *= 2) {
			for (size_t size = 1; size <= most; size += step)
				try_size(size, align, &recycled);
			for (size_t i = 0; i < COUNT(large); i++)
				try_size(large[i], align, &recycled);
		}
		if (round == 1)
			pcpu_trim();
	}
	expect(recycled > most / step);
	return 0;
}

enum { ITEMS = 600 };

/* A handful of areas, handed to a thread on another CPU that writes all their copies. */
static struct {
	char __percpu *area;
	size_t size;
} item[ITEMS];

/* Few different ones, so that what is freed comes back soon. */
static size_t few_sizes(void)
{
	static const size_t sizes[] = { 20, 64, 64, 200, 300, 5000 };
	uint64_t number = next_random();

	return sizes[number % (number & 0xf0000 ? 4 : COUNT(sizes))];
}

/* On m68k the C library's type is too little aligned for what it is. */
static _Alignas(8) pthread_barrier_t turn;
static bool no_more;

static void bind_to(unsigned int nth)
{
	cpu_set_t allowed, one;

	sched_getaffinity(0, sizeof(allowed), &allowed);
	nth %= (unsigned int)CPU_COUNT(&allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || nth--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

static void *write_remotely(void *unused UNUSED)
{
	bind_to(1);
	for (;;) {
		pthread_barrier_wait(&turn);
		if (no_more)
			return NULL;
		for (int i = 0; i < ITEMS; i++)
			dirty(item[i].area, item[i].size);
		pthread_barrier_wait(&turn);
	}
}

/* The thread that allocates and frees stays on one CPU and writes nothing itself. */
static int scene_remote(void)
{
	unsigned int recycled = 0;
	pthread_t writer;

	open_seen();
	pthread_barrier_init(&turn, NULL, 2);
	expect(!pthread_create(&writer, NULL, write_remotely, NULL));
	bind_to(0);
	for (int round = 0; round < (is_slow() ? 4 : 12); round++) {
		for (int i = 0; i < ITEMS; i++) {
			item[i].size = few_sizes();
			item[i].area = __alloc_percpu(item[i].size, 4);
			expect(item[i].area);
			recycled += was_seen(item[i].area);
			expect(is_zero_everywhere(item[i].area, item[i].size));
		}
		pthread_barrier_wait(&turn);
		pthread_barrier_wait(&turn);
		for (int i = 0; i < ITEMS; i++)
			free_percpu(item[i].area);
		if (round % 4 == 3)
			pcpu_trim();
	}
	no_more = true;
	pthread_barrier_wait(&turn);
	pthread_join(writer, NULL);
	expect(recycled > ITEMS / 2);
	return 0;
}

/* After fork() pages are shared with the parent until written: written they count all the same. */
static int scene_forked(void)
{
	unsigned int recycled = 0;
	int status;
	pid_t child;

	open_seen();
	for (int i = 0; i < ITEMS; i++) {
		item[i].size = few_sizes();
		item[i].area = __alloc_percpu(item[i].size, 4);
		expect(item[i].area);
		was_seen(item[i].area);
		dirty(item[i].area, item[i].size);
	}
	fflush(stdout);
	child = fork();
	expect(child >= 0);
	for (int i = 0; i < ITEMS; i++)
		free_percpu(item[i].area);
	for (int i = 0; i < 12 * ITEMS; i++) {
		size_t size = few_sizes();
		char __percpu *area = __alloc_percpu(size, 4);

		if (i % 4000 == 0)
			pcpu_trim();
		expect(area && is_zero_everywhere(area, size));
		recycled += was_seen(area);
		dirty(area, size);
		free_percpu(area);
	}
	expect(recycled > ITEMS / 4);
	if (!child)
		_exit(0);
	expect(waitpid(child, &status, 0) == child && status == 0);
	return 0;
}

static int play_all(void)
{
	return scene_sizes() || scene_remote() || scene_forked();
}

static const char *const surroundings[][3] = {
	{ "PERCPU_CPUS=1" },
	{ "PERCPU_CPUS=2" },
	{ "PERCPU_CPUS=64" },
	{ "PERCPU_CPUS=300" },
	{ "PERCPU_CPUS=64", "PERCPU_OPS=atomic" },
	{ "PERCPU_CPUS=5", "PERCPU_CHECK=1" },
	{ "PERCPU_CPUS=5", "GLIBC_TUNABLES=glibc.pthread.rseq=0" },
};

static void check_outcome(const struct outcome *outcome)
{
	ck_assert_msg(ended_well(outcome), "status %x: %s", outcome->status, outcome->text);
}

START_TEST(memory_is_zero_on_every_possible_cpu)
{
	struct outcome outcome;

	if (is_slow() && _i != 1 && _i != 6)
		return; /* tools see to each CPU's copy of each area: minutes */
	outcome = play("all", surroundings[_i], 0);
	check_outcome(&outcome);
}
END_TEST

START_TEST(memory_is_zero_where_address_space_is_scarce)
{
	static const char *const settings[] = { "PERCPU_CPUS=4", NULL };
	struct outcome outcome;

	if (is_slow())
		return; /* they need the address space themselves */
	outcome = play("all", settings, 256 * MIB);
	check_outcome(&outcome);
}
END_TEST

/* ---- What the library must see of the system, and can't ------------------------------------- */

/* Let system calls of a number fail, as sandboxes do; with `request`, of ioctl() that one only. */
static void forbid(long number, unsigned int request, int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)number, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, request, 0, request ? 1 : 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { COUNT(code), code };

	expect(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	expect(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

/* _IOWR('f', 16, struct pm_scan_arg), of 96 bytes: Linux 6.7 and later know it. */
#define PAGEMAP_SCAN_REQUEST 0xc0606610U

static int scene_nothing_opened(void)
{
	forbid(SYS_openat, 0, EACCES);
#ifdef SYS_open /* musl's open() is this one */
	forbid(SYS_open, 0, EACCES);
#endif
	expect(open("/proc/self/pagemap", O_RDONLY) < 0);
	return play_all();
}

static int scene_no_scan(void)
{
	forbid(SYS_ioctl, PAGEMAP_SCAN_REQUEST, ENOTTY);
	return play_all();
}

/* As in a container that has nothing in /proc, or lets nobody read it. */
static int scene_hide_proc(void)
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	expect(length > 0);
	path[length] = '\0';
	if (unshare(geteuid() ? CLONE_NEWNS | CLONE_NEWUSER : CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/proc", "tmpfs", 0, NULL)) {
		puts("skipped: not allowed to hide /proc");
		return 0;
	}
	execl(path, path, "without_proc", (char *)NULL);
	return 1;
}

static int scene_without_proc(void)
{
	expect(access("/proc/self", F_OK) < 0);
	return play_all();
}

static const char *const blind_scenes[] = { "nothing_opened", "no_scan", "hide_proc" };

START_TEST(memory_is_zero_where_pages_can_not_be_looked_at)
{
	static const char *const settings[] = { "PERCPU_CPUS=5", NULL };
	struct outcome outcome;

	if (is_slow())
		return; /* they open files themselves */
	outcome = play(blind_scenes[_i], settings, 0);
	check_outcome(&outcome);
}
END_TEST

/* Pages that were written and are on disk now. */
static int scene_paged_out(void)
{
	enum { SIZE = 200 };
	struct pcpu_map map = get_map();
	unsigned int cpu, recycled = 0;

	open_seen();
	for (int i = 0; i < ITEMS; i++) {
		item[i].area = __alloc_percpu(SIZE, 4);
		expect(item[i].area);
		was_seen(item[i].area);
		dirty(item[i].area, SIZE);
	}
	for (int i = 0; i < ITEMS; i++)
		free_percpu(item[i].area);
	for_each_possible_cpu(cpu)
		madvise((char *)map.units + cpu * map.unit_size, 80 * MIB, MADV_PAGEOUT);
	for (int i = 0; i < 12 * ITEMS; i++) {
		char __percpu *area = __alloc_percpu(SIZE, 4);

		expect(area && is_zero_everywhere(area, SIZE));
		recycled += was_seen(area);
		free_percpu(area);
	}
	expect(recycled > 0);
	return 0;
}

static bool has_swap(void)
{
	static char text[4096];

	read_whole("/proc/swaps", text, sizeof(text));
	return strchr(text, '\n') && strchr(text, '\n')[1];
}

START_TEST(memory_is_zero_where_it_was_paged_out)
{
	static const char *const settings[] = { "PERCPU_CPUS=5", NULL };
	struct outcome outcome;

	if (!has_swap())
		return; /* nothing to page out to */
	outcome = play("paged_out", settings, 0);
	check_outcome(&outcome);
}
END_TEST

/* ---- Resident memory ------------------------------------------------------------------------ */

enum { MANY = 50000 };
static cpu_set_t allowed; /* CPUs that the process may run on */
static char __percpu *many[MANY];

/* Bytes of the process that are resident, by its page tables; but none of files, of which the system
 * brings in more than what is touched. */
static size_t resident(void)
{
	static char text[4096];
	const char *line;

	read_whole("/proc/self/smaps_rollup", text, sizeof(text));
	line = strstr(text, "\nAnonymous:");
	expect(line);
	return strtoul(line + strlen("\nAnonymous:"), NULL, 10) * KIB;
}

static size_t grown(size_t start)
{
	size_t now = resident();

	return now > start ? now - start : 0;
}

static void allocate_many(unsigned int writers)
{
	for (int i = 0; i < MANY; i++) {
		many[i] = __alloc_percpu(64, 64);
		expect(many[i]);
		for (unsigned int n = 0; n < writers; n++)
			memset(per_cpu_ptr(many[i], n * nr_cpu_ids / writers), 1, 64);
	}
}

/* Go on on another CPU, as the system may let a thread do at any time. */
static void move_on(void)
{
	static unsigned int last;
	cpu_set_t set;
	int cpu = (int)(last++ % CPU_SETSIZE);

	while (!CPU_ISSET(cpu, &allowed))
		cpu = (int)(last++ % CPU_SETSIZE);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	expect(!sched_setaffinity(0, sizeof(set), &set));
}

static void free_many(int order)
{
	for (int i = MANY - 1; order == 2 && i > 0; i--) {
		uint64_t other = next_random() % (uint64_t)(i + 1);
		char __percpu *kept = many[i];

		many[i] = many[other];
		many[other] = kept;
	}
	for (int i = 0; i < MANY; i++) {
		if (i % 4000 == 0)
			move_on();
		free_percpu(many[order == 1 ? MANY - 1 - i : i]);
	}
}

static int scene_resident(void)
{
	static const unsigned int writers[] = { 1, 2, 4, 16 };
	/* With two, the lists of both may be as long as with one; then they are shorter. But the last areas,
	 * if scattered, each keep a page on all these CPUs: up to a megabyte of pages of those that wait,
	 * and what is kept free and in lists besides. */
	static const size_t most[] = { MIB, 2 * MIB, MIB + MIB / 2, 3 * MIB };
	size_t start, written, peak;

	memset(many, 1, sizeof(many));
	expect(!sched_getaffinity(0, sizeof(allowed), &allowed));
	start = resident();
	start = resident();
	for (size_t i = 0; i < COUNT(writers) && writers[i] <= num_possible_cpus(); i++) {
		for (int order = 0; order < 3; order++) {
			allocate_many(writers[i]);
			written = (size_t)MANY * 64 * writers[i];
			peak = grown(start);
			printf("%u writers, order %d: written %zu KiB, resident %zu", writers[i],
			       order, written / KIB, peak / KIB);
			/* A byte and a bit for each grain are the library's own. */
			expect(peak >= written);
			expect(peak <= written * 5 / 4 + MANY * 64 / 2 + MIB);
			free_many(order);
			printf(", freed %zu\n", grown(start) / KIB);
			expect(grown(start) <= most[i]);
		}
	}
	pcpu_trim();
	expect(grown(start) <= MIB);
	return 0;
}

static const char *const resident_surroundings[][2] = {
	{ "PERCPU_CPUS=256" }, { "PERCPU_CPUS=2" }, /* where it is not asked who has written */
};

START_TEST(resident_is_what_was_written_and_goes_back)
{
	struct outcome outcome;

	if (is_slow())
		return; /* most of what is resident is theirs */
	outcome = play("resident", resident_surroundings[_i], 0);
	check_outcome(&outcome);
}
END_TEST

/* A few areas that stay hold the pages that they are in, and no more. */
static int scene_survivors(void)
{
	size_t start, end;

	memset(many, 1, sizeof(many));
	start = resident();
	allocate_many(1);
	for (int i = 0; i < MANY; i++) {
		if (i % 500)
			free_percpu(many[i]);
	}
	end = grown(start);
	printf("%d survivors: %zu KiB\n", MANY / 500, end / KIB);
	/* The library's own: a byte and a bit for each grain. */
	expect(end <= MANY / 500 * (size_t)sysconf(_SC_PAGESIZE) + MANY * 64 / 4 * 9 / 8 + MIB);
	for (int i = 0; i < MANY; i += 500) {
		expect(*per_cpu_ptr(many[i], 0) == 1);
		free_percpu(many[i]);
	}
	return 0;
}

START_TEST(survivors_hold_only_their_pages)
{
	static const char *const settings[] = { "PERCPU_CPUS=64", NULL };
	struct outcome outcome;

	if (is_slow())
		return;
	outcome = play("survivors", settings, 0);
	check_outcome(&outcome);
}
END_TEST

START_TEST(trim_gives_all_back_and_harms_nothing)
{
	struct pcpu_map before = get_map(), map;
	char __percpu *kept = __alloc_percpu(100, 8);
	size_t units_end = before.units + nr_cpu_ids * before.unit_size, left;

	memset(per_cpu_ptr(kept, 0), 7, 100);
	for (int i = 0; i < ITEMS; i++) {
		item[i].size = 1 + (size_t)next_random() % 3000;
		item[i].area = __alloc_percpu(item[i].size, 4);
		dirty(item[i].area, item[i].size);
	}
	for (int i = 0; i < ITEMS; i++)
		free_percpu(item[i].area);
	pcpu_trim();
	pcpu_trim();
	map = get_map();
	left = memory_in(before.units, units_end);
	ck_assert_uint_le(left, 16);
	ck_assert_uint_eq(map.areas, before.areas + 1);
	ck_assert_uint_eq(*per_cpu_ptr(kept + 99, 0), 7);
	free_percpu(kept);
	pcpu_trim();
	ck_assert_uint_eq(get_map().areas, before.areas);
	ck_assert_uint_eq(get_map().dynamic_used, before.dynamic_used);
}
END_TEST

/* ---- Large areas ---------------------------------------------------------------------------- */

START_TEST(large_sizes_are_zero_again_and_apart)
{
	size_t chunk = get_map().chunk_size, most = pcpu_max_size();
	const size_t sizes[] = { chunk - 1, chunk,	 chunk + 1, 2 * chunk, 2 * chunk + 5,
				 most / 3,  most - 4096, most - 1,  most };

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < COUNT(sizes); i++) {
			size_t size = sizes[i], step = size / 61;
			char __percpu *area = __alloc_percpu(size, 4096);
			char __percpu *next = __alloc_percpu(chunk / 2, 8);
			unsigned int cpu;

			check_that(area);
			check_that(!next || next + chunk / 2 <= area || next >= area + size);
			for_each_possible_cpu(cpu) {
				for (size_t at = 0; at < size; at += step) {
					check_that(*per_cpu_ptr(area + at, cpu) == 0);
					*per_cpu_ptr(area + at, cpu) = 1;
				}
				check_that(*per_cpu_ptr(area + size - 1, cpu) < 2);
				*per_cpu_ptr(area + size - 1, cpu) = 1;
			}
			free_percpu(next);
			free_percpu(area);
		}
	}
}
END_TEST

/* The largest size is one that can be had, in each mode. */
static int scene_largest(void)
{
	size_t most = pcpu_max_size();
	char __percpu *area = __alloc_percpu(most, 4096);

	expect(area);
	*per_cpu_ptr(area + most - 1, 0) = 1;
	free_percpu(area);
	return 0;
}

START_TEST(largest_size_can_be_had_in_each_mode)
{
	struct outcome outcome = play("largest", surroundings[_i], 0);

	check_outcome(&outcome);
}
END_TEST

/* ---- When there is no more ------------------------------------------------------------------ */

enum { MOST_AREAS = 1 << 20 };
static char __percpu *area_of[MOST_AREAS];

static size_t take_all(size_t size)
{
	size_t count = 0;

	errno = 0;
	while (count < MOST_AREAS && (area_of[count] = __alloc_percpu(size, 4)))
		count++;
	expect(errno == ENOMEM);
	for (size_t i = 0; i < count; i += 97) {
		expect(is_zero_everywhere(area_of[i], size));
		dirty(area_of[i], size);
	}
	return count;
}

static void give_all(size_t count, bool backwards)
{
	for (size_t i = 0; i < count; i++)
		free_percpu(area_of[backwards ? count - 1 - i : i]);
}

static int scene_exhausted(void)
{
	static const size_t sizes[] = { 64, 4, 20, 256, 260, 5000, 64 };
	struct pcpu_map before = get_map();
	size_t most = pcpu_max_size();
	void __percpu *whole;

	for (size_t i = 0; i < COUNT(sizes); i++) {
		size_t count = 0;

		for (int round = 0; round < 3; round++) {
			size_t got;

			/* What is freed on one CPU can be had on another. */
			bind_to((unsigned int)round);
			got = take_all(sizes[i]);
			expect(got >= most / sizes[i] * 3 / 4);
			/* All but for a gap here and there. */
			if (round && got + count / 1000 + 1 < count)
				printf("size %zu: %zu areas, then %zu\n", sizes[i], count, got);
			expect(!round || got + count / 1000 + 1 >= count);
			count = got;
			/* One that comes back can be had again. */
			free_percpu(area_of[count / 2]);
			area_of[count / 2] = __alloc_percpu(sizes[i], 4);
			expect(area_of[count / 2]);
			expect(is_zero_everywhere(area_of[count / 2], sizes[i]));
			bind_to((unsigned int)round + 1);
			give_all(count, round & 1);
			expect(get_map().areas == before.areas);
		}
		/* All have merged again, without being told to. */
		whole = __alloc_percpu(most, 4);
		expect(whole);
		free_percpu(whole);
	}
	return 0;
}

static const char *const exhausted_surroundings[][5] = {
	{ "PERCPU_UNIT=1M", "PERCPU_RESERVED=4K", "PERCPU_CPUS=2" },
	{ "PERCPU_UNIT=1M", "PERCPU_RESERVED=4K", "PERCPU_CPUS=2", "PERCPU_OPS=atomic" },
};

START_TEST(exhaustion_is_enomem_and_all_can_be_had_again)
{
	struct outcome outcome;

	if (is_slow())
		return;
	outcome = play("exhausted", exhausted_surroundings[_i], 0);
	check_outcome(&outcome);
}
END_TEST

/* ---- All ------------------------------------------------------------------------------------- */

static const struct scene scenes[] = {
	{ "all", play_all },
	{ "nothing_opened", scene_nothing_opened },
	{ "no_scan", scene_no_scan },
	{ "hide_proc", scene_hide_proc },
	{ "without_proc", scene_without_proc },
	{ "paged_out", scene_paged_out },
	{ "resident", scene_resident },
	{ "survivors", scene_survivors },
	{ "exhausted", scene_exhausted },
	{ "largest", scene_largest },
};

int main(int argc, char **argv)
{
	int status = play_named(scenes, COUNT(scenes), argc, argv);
	TCase *tests = tcase_create("memory");
	SRunner *runner;
	Suite *suite;

	if (status >= 0)
		return status;
	suite = suite_create("percpu_memory");
	tcase_set_timeout(tests, 300);
	tcase_add_loop_test(tests, memory_is_zero_on_every_possible_cpu, 0, COUNT(surroundings));
	tcase_add_test(tests, memory_is_zero_where_address_space_is_scarce);
	tcase_add_loop_test(tests, memory_is_zero_where_pages_can_not_be_looked_at, 0,
			    COUNT(blind_scenes));
	tcase_add_test(tests, memory_is_zero_where_it_was_paged_out);
	tcase_add_loop_test(tests, resident_is_what_was_written_and_goes_back, 0,
			    COUNT(resident_surroundings));
	tcase_add_test(tests, survivors_hold_only_their_pages);
	tcase_add_test(tests, trim_gives_all_back_and_harms_nothing);
	tcase_add_test(tests, large_sizes_are_zero_again_and_apart);
	tcase_add_loop_test(tests, largest_size_can_be_had_in_each_mode, 0, COUNT(surroundings));
	tcase_add_loop_test(tests, exhaustion_is_enomem_and_all_can_be_had_again, 0,
			    COUNT(exhausted_surroundings));
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	status = srunner_ntests_failed(runner) ? EXIT_FAILURE : EXIT_SUCCESS;
	srunner_free(runner);
	return status;
}
