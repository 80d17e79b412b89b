/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program with static per-CPU variables in every form, in two files (the other is compiled with
 * -DSECOND_FILE). tests/test_percpu_static.sh links it by several linkers in several ways. It
 * checks initial values, alignment and separateness of all copies on all CPUs, use before main(),
 * and that misuse is noticed.
 */
#define _GNU_SOURCE
#include <permod/percpu.h>

#include <fcntl.h>
#if __has_include(<gnu/libc-version.h>)
#include <gnu/libc-version.h>
#else
#include <langinfo.h>
#endif
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct item {
	char letter;
	double number;
	struct item *self;
	const char *text;
	int (*function)(const char *);
};

/* In the other file. */
DECLARE_PER_CPU(int, elsewhere);
DECLARE_PER_CPU_SHARED_ALIGNED(long, elsewhere_aligned);
DECLARE_PER_CPU_PAGE_ALIGNED(char[100], elsewhere_paged);
DECLARE_PER_CPU_READ_MOSTLY(unsigned int, elsewhere_read);
int *address_in_second_file(void);
void add_in_second_file(int n);

#ifdef SECOND_FILE
DEFINE_PER_CPU(int, elsewhere) = 1234;
DEFINE_PER_CPU_SHARED_ALIGNED(long, elsewhere_aligned) = 77;
DEFINE_PER_CPU_PAGE_ALIGNED(char[100], elsewhere_paged) = "page";
DEFINE_PER_CPU_READ_MOSTLY(unsigned int, elsewhere_read) = 0xfeed;
static DEFINE_PER_CPU(char, same_name_in_both) = 'b';

int *address_in_second_file(void)
{
	return pcpu_ptr(&elsewhere);
}

void add_in_second_file(int n)
{
	this_cpu_add(elsewhere, n);
	this_cpu_write(same_name_in_both, 'B');
}
#else
static struct item object = { 'o', 0, &object, "object", puts };

DEFINE_PER_CPU(int, plain) = 5;
static DEFINE_PER_CPU(long, file_local) = -7;
static DEFINE_PER_CPU(char, same_name_in_both) = 'a';
DEFINE_PER_CPU(char[3], odd) = { 'x', 'y', 'z' };
DEFINE_PER_CPU(int[4], array) = { 1, 2, 3, 4 };
DEFINE_PER_CPU(short[2][3], matrix) = { { 1, 2, 3 }, { 4, 5, 6 } };
DEFINE_PER_CPU(struct item, structure) = { 's', 2.5, &object, "text", puts };
DEFINE_PER_CPU(struct item *, pointer) = &object;
DEFINE_PER_CPU(const char *, text) = "initial";
DEFINE_PER_CPU(unsigned char, byte) = 200;
DEFINE_PER_CPU(uint64_t, zero);
static int *shadow_of_nothing;
DEFINE_PER_CPU_ALIGNED(int, aligned) = 6;
DEFINE_PER_CPU_SHARED_ALIGNED(struct item, shared_aligned) = { .letter = 'S' };
DEFINE_PER_CPU_PAGE_ALIGNED(char[4096 * 3], paged) = "start of a page";
DEFINE_PER_CPU_READ_MOSTLY(int, read_mostly) = 8;
__attribute__((aligned(256))) DEFINE_PER_CPU(char, aligned_256) = '!';

static int failures;

#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);             \
			failures++;                                                                \
		}                                                                                  \
	} while (0)

/* All variables: where the linker put them, how large they are, how they must be aligned. */
static const struct variable {
	void *address;
	size_t size, align;
} variables[] = {
#define VARIABLE(name, align)                                                                      \
	{                                                                                          \
		(void *)&name, sizeof(name), align                                                 \
	}
	VARIABLE(plain, 4),
	VARIABLE(file_local, _Alignof(long)),
	VARIABLE(odd, 1),
	VARIABLE(array, 4),
	VARIABLE(matrix, 2),
	VARIABLE(structure, _Alignof(struct item)),
	VARIABLE(pointer, _Alignof(void *)),
	VARIABLE(text, _Alignof(void *)),
	VARIABLE(byte, 1),
	VARIABLE(zero, _Alignof(uint64_t)),
	VARIABLE(aligned, 64),
	VARIABLE(shared_aligned, 64),
	VARIABLE(paged, 4096),
	VARIABLE(read_mostly, 4),
	VARIABLE(aligned_256, 256),
	VARIABLE(elsewhere, 4),
	VARIABLE(elsewhere_read, 4),
	VARIABLE(elsewhere_aligned, 64),
	VARIABLE(same_name_in_both, 1),
	{ NULL, 0, 0 },
};

static void check_initial_values(unsigned int cpu)
{
	static const int one_to_four[] = { 1, 2, 3, 4 };

	EXPECT(per_cpu(plain, cpu) == 5 + 1000 * (cpu == 0));
	EXPECT(per_cpu(file_local, cpu) == -7);
	EXPECT(per_cpu(same_name_in_both, cpu) == 'a');
	EXPECT(!memcmp(per_cpu(odd, cpu), "xyz", 3));
	EXPECT(!memcmp(per_cpu(array, cpu), one_to_four, sizeof(one_to_four)));
	EXPECT(per_cpu(matrix, cpu)[1][2] == 6 && per_cpu(matrix, cpu)[0][1] == 2);
	EXPECT(per_cpu(structure, cpu).letter == 's' && per_cpu(structure, cpu).number == 2.5);
	EXPECT(per_cpu(structure, cpu).self == &object && per_cpu(structure, cpu).function == puts);
	EXPECT(!strcmp(per_cpu(structure, cpu).text, "text"));
	EXPECT(per_cpu(pointer, cpu) == &object && !strcmp(per_cpu(text, cpu), "initial"));
	EXPECT(per_cpu(byte, cpu) == 200 && per_cpu(zero, cpu) == 0);
	EXPECT(per_cpu(aligned, cpu) == 6 && per_cpu(shared_aligned, cpu).letter == 'S');
	EXPECT(!strcmp(per_cpu(paged, cpu), "start of a page") &&
	       !per_cpu(paged, cpu)[4096 * 3 - 1]);
	EXPECT(per_cpu(read_mostly, cpu) == 8 && per_cpu(aligned_256, cpu) == '!');
	EXPECT(per_cpu(elsewhere, cpu) == 1234 && per_cpu(elsewhere_aligned, cpu) == 77);
	EXPECT(!strcmp(per_cpu(elsewhere_paged, cpu), "page"));
	EXPECT(per_cpu(elsewhere_read, cpu) == 0xfeed);
}

/* A constructor, long before main(): on CPU 0's copy, as the others may not run. */
__attribute__((constructor(102))) static void change_before_main(void)
{
	per_cpu(plain, 0) += 1000;
	this_cpu_inc(zero);
	this_cpu_dec(zero);
	shadow_of_nothing = __alloc_percpu(8, 8);
}

/* The other kinds of addresses. */
static void check_kinds(const struct pcpu_map *map)
{
	void *reserved = __alloc_reserved_percpu(100, 4);
	const void *const neither[] = {
		NULL,
		&object,
		&map,
		"text",
		(const void *)check_initial_values,
		(const void *)map->arena,
		(const void *)(map->cookies - 1),
		(const void *)(map->cookies + map->unit_size),
		(const void *)(map->units - 1),
		(const void *)(map->units + map->unit_size * nr_cpu_ids),
		(const void *)UINTPTR_MAX,
	};
	uintptr_t cookie;
	int on;

	EXPECT(pcpu_classify(per_cpu_ptr(shadow_of_nothing, 0), &on, &cookie) == PCPU_DYNAMIC);
	EXPECT(on == 0 && cookie == (uintptr_t)shadow_of_nothing);
	EXPECT(pcpu_classify(reserved, &on, &cookie) == PCPU_RESERVED);
	EXPECT(on == -1 && cookie == (uintptr_t)reserved);
	free_percpu(reserved);
	for (size_t i = 0; i < sizeof(neither) / sizeof(neither[0]); i++)
		EXPECT(pcpu_classify(neither[i], NULL, NULL) == PCPU_NONE);
}

static void check_places(void)
{
	struct pcpu_map map;
	unsigned int cpu;

	pcpu_get_map(&map);
	for (const struct variable *v = variables; v->address; v++) {
		uintptr_t cookie = (uintptr_t)pcpu_ptr(v->address);

		EXPECT(cookie % v->align == 0);
		EXPECT(cookie >= map.cookies && cookie + v->size <= map.cookies + map.static_size);
		EXPECT(pcpu_image_cookie(v->address) == cookie);
		EXPECT(pcpu_classify((void *)cookie, NULL, NULL) == PCPU_STATIC);
		for_each_possible_cpu(cpu) {
			int on;

			EXPECT((uintptr_t)per_cpu_ptr(v->address, cpu) % v->align == 0);
			EXPECT(pcpu_classify(per_cpu_ptr(v->address, cpu), &on, NULL) ==
			       PCPU_STATIC);
			EXPECT(on == (int)cpu);
		}
	}
	EXPECT(address_in_second_file() == pcpu_ptr(&elsewhere));
	EXPECT(pcpu_static_size() == map.static_size);
	EXPECT((uintptr_t)shadow_of_nothing >= map.cookies + map.static_size);
	check_kinds(&map);
}

static unsigned char mark(const struct variable *v, unsigned int cpu)
{
	return (unsigned char)((v - variables) * 7 + cpu + 1);
}

/* Write all copies of all variables, then look at them: none has hit another. */
static void check_separateness(void)
{
	unsigned int cpu;

	for (const struct variable *v = variables; v->address; v++) {
		for_each_possible_cpu(cpu)
			memset(per_cpu_ptr(v->address, cpu), mark(v, cpu), v->size);
	}
	for (const struct variable *v = variables; v->address; v++) {
		for_each_possible_cpu(cpu) {
			const unsigned char *copy = per_cpu_ptr(v->address, cpu);

			for (size_t i = 0; i < v->size; i++) {
				if (copy[i] != mark(v, cpu)) {
					EXPECT(copy[i] == mark(v, cpu));
					return;
				}
			}
		}
	}
}

static void check_operations(void)
{
	int sum = 0;
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		per_cpu(elsewhere, cpu) = 0;
	for (int i = 0; i < 1000; i++) {
		this_cpu_inc(elsewhere);
		add_in_second_file(2);
	}
	for_each_possible_cpu(cpu)
		sum += per_cpu(elsewhere, cpu);
	EXPECT(sum == 3000);
}

/* ---- Misuse, each in a child ---------------------------------------------------------------- */

static void read_directly(void)
{
	_exit(*(volatile char *)&paged[4096 + 100]);
}

static void write_directly(void)
{
	*(volatile char *)&paged[4096 + 100] = 1;
	_exit(0);
}

static void read_cookie(void)
{
	_exit(*(volatile int *)pcpu_ptr(&plain));
}

static void free_static(void)
{
	free_percpu(pcpu_ptr(&plain));
	_exit(0);
}

static bool dies(void (*body)(void), int by)
{
	struct rlimit none = { 0, 0 };
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		int nowhere = open("/dev/null", O_WRONLY);

		signal(by, SIG_DFL);
		dup2(nowhere, STDERR_FILENO);
		setrlimit(RLIMIT_CORE, &none);
		body();
	}
	return waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == by;
}

/* ---- Nearness ------------------------------------------------------------------------------- */

static bool within_reach(uintptr_t a, uintptr_t b)
{
	return (a > b ? a - b : b - a) < (uintptr_t)1 << 31;
}

/*
 * Large units can only be near behind libc, where the stack is now and then too close.  Whether
 * this process has a gap there for all that is reserved, and room for a heap at both its ends.
 */
static bool has_room_behind(uintptr_t libc, const struct pcpu_map *map)
{
	uintptr_t wanted = map->unit_size + map->arena_size + ((uintptr_t)514 << 20);
	FILE *maps = fopen("/proc/self/maps", "re");
	uintptr_t begin, end, last = UINTPTR_MAX;
	bool room = false;

	while (maps && fscanf(maps, "%" SCNxPTR "-%" SCNxPTR "%*[^\n]", &begin, &end) == 2) {
		if (last >= libc && begin > last && begin <= INTPTR_MAX && begin - last >= wanted)
			room = true;
		last = end;
	}
	EXPECT(maps && !fclose(maps));
	return room;
}

/* By the system: musl has no sbrk(). */
static bool heap_can_grow(long size)
{
	long end = syscall(SYS_brk, 0);
	bool grew = syscall(SYS_brk, end + size) == end + size;

	syscall(SYS_brk, end);
	return grew;
}

/* Modules' code reaches from anywhere in the arena to libc, to the cookies of static and of
 * modules' variables, and to the layout, by 32 bits with sign. */
static void check_nearness(void)
{
#if __has_include(<gnu/libc-version.h>)
	uintptr_t libc = (uintptr_t)gnu_get_libc_version(); /* text in libc */
#else
	uintptr_t libc = (uintptr_t)nl_langinfo(CODESET); /* musl's is text in it */
#endif
	struct pcpu_map map;

	pcpu_get_map(&map);
	if (map.cookies < libc && map.unit_size > (size_t)1 << 30 && !has_room_behind(libc, &map))
		return;
	for (int end = 0; end < 2; end++) {
		uintptr_t module = map.arena + (end ? map.arena_size : 0);

		EXPECT(within_reach(libc, module));
		EXPECT(within_reach(map.cookies, module));
		EXPECT(within_reach(map.cookies + map.static_size + map.reserved_size, module));
		EXPECT(within_reach((uintptr_t)pcpu_near_layout(), module));
	}
	/* The heap has room to grow, but for QEMU's, which has libraries right behind it. */
	if (!*getenv("EMULATOR"))
		EXPECT(heap_can_grow(64 << 20));
}

int main(int argc, char **argv)
{
	unsigned int cpu;

	check_nearness();
	if (argc > 1 && !strcmp(argv[1], "near"))
		return failures != 0;
	for_each_possible_cpu(cpu)
		check_initial_values(cpu);
	check_places();
	check_separateness();
	check_operations();
	EXPECT(dies(read_directly, SIGSEGV));
	EXPECT(dies(write_directly, SIGSEGV));
	EXPECT(dies(read_cookie, SIGSEGV));
	EXPECT(dies(free_static, SIGABRT));
	return failures != 0;
}
#endif
