/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Set-up: how large the regions are, the first chunk, and doing it once.
 *
 * The pieces and their names are those of the kernel's set-up of 2009: setup_per_cpu_areas() is
 * the default for everybody, and may be replaced by a program's own; it calls
 * pcpu_embed_first_chunk() with static, reserved, dynamic and unit sizes, each explicit or
 * automatic.
 *
 * It happens when the first user comes, which may be a constructor of a library that is
 * initialised before this one: every entry point asks pcpu_setup() first.
 */
#define _GNU_SOURCE
#include "cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* Modules' variables begin on a cache line of their own. */
#define RESERVED_ALIGN ((size_t)64)

struct pcpu_space pcpu_core;

/* What the header declares constant is filled in here, under its own name in the linker's eyes. */
extern struct pcpu_layout layout_symbol __asm__("pcpu_layout");
struct pcpu_layout layout_symbol;

/* It is held for a moment as a rule: to sleep until it is free would take longer. */
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
static pthread_mutex_t lock = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
#else
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
#endif
static pthread_once_t once = PTHREAD_ONCE_INIT;

void pcpu_lock(void)
{
	pthread_mutex_lock(&lock);
}

bool pcpu_trylock(void)
{
	return pthread_mutex_trylock(&lock) == 0;
}

void pcpu_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

void pcpu_die(const char *format, ...)
{
	char line[512] = "libpercpu: ";
	size_t used = strlen(line);
	va_list args;

	va_start(args, format);
	vsnprintf(line + used, sizeof(line) - used - 1, format, args);
	va_end(args);
	strcat(line, "\n");
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		abort();
	abort();
}

/* A size from the environment: a number, with K, M or G behind it if wanted. */
size_t pcpu_setting(const char *name, size_t otherwise)
{
	const char *text = secure_getenv(name);
	unsigned long long number;
	unsigned int shift = 0;
	char *end;

	if (!text || !*text)
		return otherwise;
	errno = 0;
	number = strtoull(text, &end, 0);
	switch (*end) {
	case 'G':
		shift += 10;
		__attribute__((fallthrough));
	case 'M':
		shift += 10;
		__attribute__((fallthrough));
	case 'K':
		shift += 10;
		end++;
		break;
	}
	if (*text < '0' || *text > '9' || *end || errno || number > (SIZE_MAX >> 1 >> shift))
		pcpu_die("the setting %s=%s is not a number, such as 2, 4096, 64K or 1G", name,
			 text);
	return (size_t)number << shift;
}

/* A setting that is 0 or 1. */
bool pcpu_flag(const char *name, bool otherwise)
{
	size_t value = pcpu_setting(name, otherwise);

	if (value > 1)
		pcpu_die("the setting %s=%zu is neither 0 nor 1", name, value);
	return value;
}

static size_t round_up(size_t size, size_t align)
{
	return (size + align - 1) & ~(align - 1);
}

/* ---- Sizes ---------------------------------------------------------------------------------- */

/* What was asked for; the automatic ones may shrink where address space is scarce. */
struct sizes {
	size_t fixed, reserved, dynamic, unit;
	bool reserved_auto, dynamic_auto, unit_auto;
};

/* Where the parts end, in the space; -EINVAL if they don't fit in the unit, -ENOMEM if
 * that is larger than positions can tell. */
static int lay_out(struct pcpu_space *space, const struct sizes *sizes)
{
	size_t begin = round_up(sizes->fixed, RESERVED_ALIGN), sum;

	space->static_size = sizes->fixed;
	space->reserved_size = round_up(sizes->reserved, PCPU_GRAIN);
	space->dynamic_size = sizes->dynamic & ~(size_t)(PCPU_GRAIN - 1);
	if (__builtin_add_overflow(begin, space->reserved_size, &sum) ||
	    __builtin_add_overflow(sum, space->dynamic_size, &sum) || sum > sizes->unit)
		return -EINVAL;
	if (sizes->unit > PCPU_MAX_UNIT)
		return -ENOMEM;
	space->first_size = round_up(sum, space->page);
	/* Automatic takes the slack of the last page; a number is a number, and none is none. */
	if (sizes->dynamic_auto)
		space->dynamic_size += space->first_size - sum;
	space->unit_size = sizes->unit;
	space->slots = sizes->unit / PCPU_CHUNK;
	sum = round_up(space->first_size, PCPU_CHUNK) / PCPU_CHUNK;
	space->slots = space->slots > sum ? space->slots - sum : 0;
	return 0;
}

/* An automatic region takes no more than an eighth of the unit, which may be small. */
static void limit_regions(struct sizes *sizes)
{
	if (sizes->reserved_auto && sizes->reserved > sizes->unit / 8)
		sizes->reserved = sizes->unit / 8;
	if (sizes->dynamic_auto && sizes->dynamic > sizes->unit / 8)
		sizes->dynamic = sizes->unit / 8;
}

/* Halve what is automatic; false when that is as small as it may get. */
static bool shrink(struct sizes *sizes)
{
	if (!sizes->unit_auto || sizes->unit <= PCPU_LEAST_UNIT)
		return false;
	sizes->unit /= 2;
	limit_regions(sizes);
	return true;
}

/* Whether this takes more than half of a limited address space. */
static bool is_greedy(const struct pcpu_space *space)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return false;
	return space->unit_size > limit.rlim_cur / 2 / (space->nr_cpus + 2);
}

/* Bits, states and the chunks' descriptions, in one mapping; touched where they are used. */
static int make_tables(struct pcpu_space *space)
{
	size_t grains = space->unit_size / PCPU_GRAIN;
	size_t bits = round_up(grains / 8 + sizeof(uint64_t), space->page);
	size_t states = round_up(grains, space->page);
	size_t touched = round_up(space->nr_cpus, 64) / 8;
	size_t first = round_up(space->static_size, RESERVED_ALIGN) / PCPU_GRAIN;
	size_t behind = first + space->reserved_size / PCPU_GRAIN;
	char *tables;

	space->tables_size =
		bits + states + touched + (space->slots + 1) * sizeof(struct pcpu_chunk);
	tables = mmap(NULL, space->tables_size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (tables == MAP_FAILED)
		return -ENOMEM;
	madvise(tables, space->tables_size, MADV_NOHUGEPAGE);
	space->allocated = (uint64_t *)tables;
	space->state = (uint8_t *)tables + bits;
	space->touched = (unsigned long *)(tables + bits + states);
	space->chunk = (struct pcpu_chunk *)(tables + bits + states + touched);
	pcpu_chunk_open(&space->reserved, first, behind);
	pcpu_chunk_open(&space->chunk[0], behind, behind + space->dynamic_size / PCPU_GRAIN);
	space->open = 0;
	space->top = 1;
	return 0;
}

static int take_space(struct pcpu_space *space)
{
	int error = pcpu_reserve(space);

	if (error)
		return error;
	error = make_tables(space);
	if (error)
		pcpu_release(space);
	return error;
}

/* What inline code reads: layout, offsets, possible CPUs, in pages that nobody can write. */
static int fill_control(struct pcpu_space *space, const uint64_t *possible)
{
	struct pcpu_layout *layout = (struct pcpu_layout *)space->control;
	uintptr_t *offset = (uintptr_t *)(space->control + round_up(sizeof(*layout), 64));
	uint64_t *bits = (uint64_t *)round_up((size_t)(offset + space->nr_cpus), 64);

	if (mprotect(layout, space->control_size, PROT_READ | PROT_WRITE))
		return -ENOMEM;
	*layout = (struct pcpu_layout){ .offset = offset, .possible = bits };
	layout->cpu_ids = space->nr_cpus;
	for (unsigned int cpu = 0; cpu < space->nr_cpus; cpu++) {
		offset[cpu] = space->units + cpu * space->unit_size - space->cookies;
		bits[cpu / 64] |= possible[cpu / 64] & ((uint64_t)1 << (cpu % 64));
		layout->num_possible += (unsigned int)(possible[cpu / 64] >> (cpu % 64)) & 1;
	}
	space->possible = bits;
	return 0;
}

static size_t control_size(const struct pcpu_space *space)
{
	return round_up(sizeof(struct pcpu_layout) + space->nr_cpus * (sizeof(uintptr_t) + 1) + 256,
			space->page);
}

/* Lay out and take the space.  Frugal: leave half of a limited address space to the program. */
static int fit(struct pcpu_space *space, struct sizes sizes, bool frugal)
{
	bool shrunk = false;
	int error;

	space->arena_size = PCPU_DEFAULT_ARENA;
	for (;;) {
		error = lay_out(space, &sizes);
		if (error)
			return shrunk ? -ENOMEM : error;
		if (sizes.unit_auto && space->arena_size > sizes.unit)
			space->arena_size = sizes.unit;
		error = frugal && is_greedy(space) ? -ENOMEM : take_space(space);
		if (error != -ENOMEM || !shrink(&sizes))
			return error;
		shrunk = true;
	}
}

int pcpu_space_init(struct pcpu_space *space, size_t static_size, ptrdiff_t reserved_size,
		    ptrdiff_t dyn_size, ptrdiff_t unit_size)
{
	uint64_t possible[PCPU_MAX_CPUS / 64] = { 0 };
	struct sizes sizes = {
		.fixed = static_size,
		.reserved = reserved_size < 0 ? PCPU_DEFAULT_RESERVED : (size_t)reserved_size,
		.dynamic = dyn_size < 0 ? PCPU_DEFAULT_DYNAMIC : (size_t)dyn_size,
		.unit = unit_size < 0 ? PCPU_DEFAULT_UNIT : (size_t)unit_size,
		.reserved_auto = reserved_size == PCPU_AUTO,
		.dynamic_auto = dyn_size == PCPU_AUTO,
		.unit_auto = unit_size == PCPU_AUTO,
	};
	int error;

	/* For each byte of address space, valgrind has a note to make. */
	if (sizes.unit_auto && pcpu_runs_on_valgrind())
		sizes.unit /= 8;
	if (static_size > PTRDIFF_MAX || reserved_size < PCPU_AUTO || dyn_size < PCPU_AUTO ||
	    unit_size < PCPU_AUTO)
		return -EINVAL;
	memset(space, 0, sizeof(*space));
	space->page = (size_t)sysconf(_SC_PAGESIZE);
	space->nr_cpus = pcpu_find_cpus(possible);
	space->control_size = control_size(space);
	space->step = pcpu_huge_page();
	if (!space->step)
		space->step = space->page;
	if (!sizes.unit_auto && (sizes.unit == 0 || sizes.unit % space->step))
		return -EINVAL;
	/* Large regions enlarge an automatic unit: half of it is for chunks to come. */
	while (sizes.unit_auto && sizes.unit <= PTRDIFF_MAX / 4 &&
	       sizes.fixed / 2 + sizes.reserved / 2 + sizes.dynamic / 2 > sizes.unit / 4)
		sizes.unit *= 2;
	limit_regions(&sizes);
	error = fit(space, sizes, true);
	if (error == -ENOMEM)
		error = fit(space, sizes, false);
	if (error) {
		memset(space, 0, sizeof(*space));
		return error;
	}
	error = fill_control(space, possible);
	if (error)
		pcpu_space_exit(space);
	else
		pcpu_place_units(space);
	return error;
}

void pcpu_space_exit(struct pcpu_space *space)
{
	pcpu_release(space);
	if (space->allocated)
		munmap(space->allocated, space->tables_size);
	memset(space, 0, sizeof(*space));
}

/* ---- The process's own ---------------------------------------------------------------------- */

ptrdiff_t pcpu_embed_first_chunk(size_t static_size, ptrdiff_t reserved_size, ptrdiff_t dyn_size,
				 ptrdiff_t unit_size)
{
	int error;

	if (pcpu_core.units)
		return -EBUSY;
	error = pcpu_space_init(&pcpu_core, static_size, reserved_size, dyn_size, unit_size);
	pcpu_core.helper = "Embedded";
	return error ? error : (ptrdiff_t)pcpu_core.unit_size;
}

static ptrdiff_t size_setting(const char *name)
{
	return (ptrdiff_t)pcpu_setting(name, (size_t)PCPU_AUTO);
}

__attribute__((weak)) int setup_per_cpu_areas(void)
{
	ptrdiff_t size =
		pcpu_embed_first_chunk(pcpu_static_size(), size_setting("PERCPU_RESERVED"),
				       size_setting("PERCPU_DYNAMIC"), size_setting("PERCPU_UNIT"));

	return size < 0 ? (int)size : 0;
}

static const char *hint(int error)
{
	if (error == -EINVAL)
		return ": a unit must hold all regions, and be a multiple of a page, or of a huge page "
		       "where these are asked for";
	if (error == -ENOMEM)
		return ": smaller units, or fewer CPUs, need less address space";
	return "";
}

static void set_up(void)
{
	struct pcpu_layout *near;
	int error = setup_per_cpu_areas();

	if (!error && !pcpu_core.units)
		error = -EINVAL;
	if (error)
		pcpu_die("can't set up per-CPU areas: %s%s (settings PERCPU_UNIT, PERCPU_RESERVED, "
			 "PERCPU_DYNAMIC, PERCPU_HUGE, PERCPU_CPUS)",
			 strerror(-error), hint(error));
	near = (struct pcpu_layout *)pcpu_core.control;
	near->rseq = pcpu_choose_operations();
	layout_symbol = *near;
	mprotect(near, pcpu_core.control_size, PROT_READ);
	pcpu_place_core();
	pcpu_choose_check(&pcpu_core);
	pcpu_cache_init(&pcpu_core);
	if (pcpu_flag("PERCPU_DEBUG", false))
		pcpu_print_setup();
}

/* Not in set_up(): musl's pthread_atfork() calls malloc(), which may have per-CPU variables. */
static void watch_forks(void)
{
	static int watched; /* riscv64 exchanges no bytes */

	if (!__atomic_load_n(&watched, __ATOMIC_RELAXED) &&
	    !__atomic_exchange_n(&watched, 1, __ATOMIC_RELAXED))
		pthread_atfork(pcpu_alloc_before_fork, pcpu_alloc_behind_fork,
			       pcpu_alloc_behind_fork);
}

void pcpu_setup(void)
{
	pthread_once(&once, set_up);
	watch_forks();
}

__attribute__((constructor(101))) static void set_up_early(void)
{
	pcpu_setup();
}

const struct pcpu_layout *pcpu_near_layout(void)
{
	pcpu_setup();
	return (const struct pcpu_layout *)pcpu_core.control;
}
