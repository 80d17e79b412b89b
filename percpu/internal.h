/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The per-CPU allocator's own header: read it first.
 *
 * Two ranges of address space are reserved when the first user comes:
 *
 *     near libc, inaccessible but for `control`        anywhere, lazily backed
 *     +---------------------+---------+---------+      +--------+--------+-- nr_cpu_ids units
 *     | cookies (unit_size) | control | arena   |      | unit 0 | unit 1 | ...
 *     +---------------------+---------+---------+      +--------+--------+--
 *      static|reserved|dyn   layout,   modules          each: static|reserved|dynamic, unit_size
 *                            offsets
 *     (behind libc, in static programs, the other way round: arena, control, cookies)
 *
 * An OFFSET is a distance from the first cookie, and so from the start of any unit; a POSITION is
 * an offset in grains of 4 bytes, in which memory is handed out.  For each grain of a unit there is
 * a bit that says whether it is taken, and a byte, its state, that says what begins there: an area
 * in use, one that was freed, or nothing.  Both lie apart from the memory that they describe.
 *
 * The dynamic part is cut into CHUNKS.  A chunk is a range of offsets, the same in all units; the
 * first one is what remains of the first chunk's pages behind the reserved region, the others are
 * one slot of PCPU_CHUNK bytes each, or more if one large variable needs them.  The reserved region
 * is a chunk of its own.
 *
 * What is free in a chunk is zero on every CPU.  A freed area is not free yet: it waits until
 * enough of them are together, and is cleaned, on the CPUs where anybody wrote.  Small areas wait
 * in CACHES, one for each CPU, from which they are handed out again without touching a chunk:
 *
 *           take                  alloc_percpu()             free_percpu()
 *     chunk ----> cache, clean -------------------> in use ---------------> cache, dirty
 *       ^              ^                                                        |
 *       +--------------+---------------------- clean ---------------------------+
 *
 *     setup.c    sizes, the first chunk, one-time initialisation     cpus.c  possible CPUs
 *     reserve.c  the two ranges of address space                     image.c static variables
 *     alloc.c    the entries: sizes, the fast and the slow way       ops.c   slow paths, rseq
 *     cache.c    free areas of each CPU; arch/ their sequences       map.c   looking at it
 *     clean.c    zeroing what was freed, where it was written    check.c the checked mode
 *     resident.c which pages are there                           stats.c counting it all
 *     pool.c     chunks' life, which one serves; pages given back
 *     chunk.c    bits and states: find, take and give back grains     numa.c  units' memory nodes
 *     print.c    a line about the set-up                             page.c  a first chunk of given pages
 *     ops_cpu.c, ops_cid.c, ops_atomic.c, ops_emulated.c: the ways of doing operations: see ops.c
 *     structures.h, counter.c, ref.c, list.c, fence.c: structures over per-CPU memory
 *
 * Locks, in this order: one of `busy` (alloc.c) is held by whoever has areas in hand that are in no
 * list; fork() and pcpu_trim() take all of them, and then see all areas.  pcpu_lock() guards
 * everything here but what is constant after set-up; caches need none.  No malloc anywhere.
 */
#ifndef PERCPU_INTERNAL_H
#define PERCPU_INTERNAL_H

#define PCPU_NO_IMAGE
#include <permod/percpu.h>

#include <stdbool.h>

/* Not to be found, or looked for, outside of the library. */
#pragma GCC visibility push(hidden)

#if defined(__alpha__) && !defined(__alpha_bwx__)
#error "compile with -mbwx: without it stores of bytes also write those around them, which other CPUs write"
#endif

#define PCPU_GRAIN 4U
#define PCPU_CHUNK ((size_t)256 << 10) /* bytes of a chunk's slot */
#define PCPU_MAX_CPUS 8192U

/* Defaults of the address space.  All but what is touched is free. */
#if UINTPTR_MAX > 0xffffffffU
#define PCPU_DEFAULT_UNIT ((size_t)512 << 20)
#define PCPU_DEFAULT_ARENA ((size_t)512 << 20)
#define PCPU_DEFAULT_RESERVED ((size_t)64 << 20)
#else
#define PCPU_DEFAULT_UNIT ((size_t)16 << 20)
#define PCPU_DEFAULT_ARENA ((size_t)64 << 20)
#define PCPU_DEFAULT_RESERVED ((size_t)4 << 20)
#endif
#define PCPU_DEFAULT_DYNAMIC ((size_t)128 << 10)
/* Where address space is scarce the automatic unit is halved, down to this. */
#define PCPU_LEAST_UNIT ((size_t)2 << 20)

/* Positions, and the end of the last chunk, are 32-bit numbers. */
#if UINTPTR_MAX > 0xffffffffU
#define PCPU_MAX_UNIT (((size_t)PCPU_GRAIN << 32) - PCPU_CHUNK)
#else
#define PCPU_MAX_UNIT SIZE_MAX
#endif

/*
 * States of a grain.  A number from 1 to PCPU_SMALL: an area in use of so many grains begins here.
 * PCPU_LARGE: a longer one; its size is in the states behind.  PCPU_FREED is added when an area is
 * freed; PCPU_CLEAN is one in a cache that was cleaned since.
 */
#define PCPU_SMALL 64U /* grains: 256 bytes */
#define PCPU_LARGE 65U
#define PCPU_PLACE 0x60U /* as PCPU_LARGE, the static variables of an image */
#define PCPU_FREED 0x80U
#define PCPU_CLEAN 0xfeU

/* Orders of magnitude of gaps that a chunk keeps apart: 1 to 8, then 10, 12, 14, 16, 20 ... grains. */
#define PCPU_ORDERS 44U

/* A range of offsets with free and allocated areas; positions and sizes in grains. */
struct pcpu_chunk {
	size_t begin, end;
	size_t free;	/* how many are free */
	size_t longest; /* no gap is longer than this; it may be shorter */
	/* All gaps that begin before hint[k] are shorter than that order. */
	uint32_t hint[PCPU_ORDERS];
	/* A request that failed since something was given back; 0: none did. */
	size_t failed_size, failed_align;
	size_t freed;	/* how many were freed since its free pages were given back */
	uint64_t loose; /* parts, of 64, with pages that may be free since then */
	bool live;
};

/* Areas on their way from one list to another; a full list and one more have room. */
#define PCPU_BATCH 2048U
struct pcpu_batch {
	size_t size; /* of each area, in grains; 0: their states say */
	size_t count;
	uint32_t position[PCPU_BATCH + 1];
};

/* One per-CPU address space.  The process has one; tests make more. */
struct pcpu_space {
	/* constant after set-up */
	uintptr_t reservation; /* address of the first range */
	size_t reservation_size;
	uintptr_t cookies;
	uintptr_t control; /* struct pcpu_layout, offsets, possible CPUs; read-only */
	size_t control_size;
	uintptr_t arena;
	size_t arena_size;
	uintptr_t units;
	size_t unit_size; /* also the stride */
	size_t page;
	size_t step;	    /* what units are aligned to: a page, or a huge page */
	const char *helper; /* which made the first chunk, as the kernel calls it */
	bool provided;	    /* the first chunk's pages are the program's own */
	unsigned int nr_cpus;
	const uint64_t *possible; /* bitmap of nr_cpus bits */
	/* bytes; the last in pages */
	size_t static_size, reserved_size, dynamic_size, first_size;
	size_t slots; /* of chunks behind the first */

	/* atomic: CPUs that were seen to have written memory; of these bits none is ever cleared */
	unsigned long *touched;

	/* atomic, each byte changed by the owner of its area alone */
	uint8_t *state;

	/* under the lock */
	uint64_t *allocated; /* bitmap: grain is allocated */
	size_t tables_size;  /* bytes of the mapping that holds all these and `chunk` */
	struct pcpu_chunk reserved;
	struct pcpu_chunk *chunk; /* [0] the first chunk's dynamic part, then one for each slot */
	size_t open;		  /* no chunk before it has a free grain */
	size_t top;		  /* no live chunk from here on */
	size_t empty;		  /* live chunks behind the first without any area */
	size_t areas;		  /* allocated */
	size_t loose;		  /* pages of all chunks' loose parts */
	size_t added;		  /* live chunks behind the first */
	size_t most_areas, most_added;

	/* atomic: sizes of areas that were asked for (grains); 0: none as yet */
	uint32_t smallest, largest;
};

extern struct pcpu_space pcpu_core;

void pcpu_lock(void);
bool pcpu_trylock(void);
void pcpu_unlock(void);

/* Set the process's space up if nobody has; every entry point calls it first. */
void pcpu_setup(void);

/* cpus.c: fill a bitmap of PCPU_MAX_CPUS bits; returns the highest number plus one. */
unsigned int pcpu_find_cpus(uint64_t *possible);
unsigned int pcpu_parse_cpus(const char *list, uint64_t *possible);
bool pcpu_read_file(const char *path, char *text, size_t size);

/* numa.c: the memory node of each CPU number, and how many nodes have CPUs; 0 if it can't be told. */
#define PCPU_MAX_NODES 1024U
#define PCPU_NO_NODE UINT16_MAX
const uint16_t *pcpu_find_nodes(unsigned int *count);
unsigned int pcpu_parse_nodes(const char *list, uint16_t *node_of);
unsigned int pcpu_read_nodes(const char *folder, uint16_t *node_of);
/* Let units have their pages from their nodes. */
void pcpu_prefer_nodes(const struct pcpu_space *space, const uint16_t *node_of);
void pcpu_place_units(const struct pcpu_space *space);

/* reserve.c: 0 or -ENOMEM. */
int pcpu_reserve(struct pcpu_space *space);
void pcpu_release(struct pcpu_space *space);
size_t pcpu_huge_page(void);

/* setup.c: lay a space out and make it usable; sizes as pcpu_embed_first_chunk(). */
int pcpu_space_init(struct pcpu_space *space, size_t static_size, ptrdiff_t reserved_size,
		    ptrdiff_t dyn_size, ptrdiff_t unit_size);
void pcpu_space_exit(struct pcpu_space *space);
size_t pcpu_setting(const char *name, size_t otherwise);
bool pcpu_flag(const char *name, bool otherwise);

/* page.c: let the caller's function provide the first chunk's pages; its first error, or 0. */
int pcpu_populate(struct pcpu_space *space, pcpu_populate_fn populate, void *data);

/* chunk.c: positions and sizes in grains; under the lock. */
void pcpu_chunk_open(struct pcpu_chunk *chunk, size_t begin, size_t end);
/* Take up to `count` areas of `size`; returns how many. */
size_t pcpu_chunk_take(struct pcpu_space *space, struct pcpu_chunk *chunk, size_t size,
		       size_t align, uint32_t *positions, size_t count);
void pcpu_chunk_give(struct pcpu_space *space, struct pcpu_chunk *chunk, size_t begin, size_t end);
/* The next free range from `from` on; false if there is none. */
bool pcpu_chunk_next_free(const struct pcpu_space *space, const struct pcpu_chunk *chunk,
			  size_t from, size_t *begin, size_t *end);

static inline bool pcpu_is_taken(const struct pcpu_space *space, size_t position)
{
	return space->allocated[position / 64] >> (position % 64) & 1;
}

/* chunk.c: states; these need no lock. */
size_t pcpu_area_size(const struct pcpu_space *space, size_t position);
void pcpu_area_begin(struct pcpu_space *space, size_t position, size_t size);
void pcpu_area_end(struct pcpu_space *space, size_t position);

static inline unsigned int pcpu_state(const struct pcpu_space *space, size_t position)
{
	return __atomic_load_n(&space->state[position], __ATOMIC_RELAXED);
}

static inline void pcpu_set_state(struct pcpu_space *space, size_t position, unsigned int state)
{
	__atomic_store_n(&space->state[position], (uint8_t)state, __ATOMIC_RELAXED);
}

/* pool.c: chunks; under the lock. */
size_t pcpu_pool_take(struct pcpu_space *space, size_t size, size_t align, uint32_t *positions,
		      size_t count);
void pcpu_pool_give(struct pcpu_space *space, const struct pcpu_batch *batch);
void pcpu_pool_trim(struct pcpu_space *space);
/* With so many CPUs or fewer, all count as touched: to ask for each is dearer than to treat all. */
#define PCPU_FEW_CPUS 4U
unsigned int pcpu_count_touched(const struct pcpu_space *space); /* needs no lock */
struct pcpu_chunk *pcpu_find_chunk(struct pcpu_space *space, size_t position);

/* pool.c: one area, zeroed when taken and cleaned at once when given back; offsets in bytes,
 * SIZE_MAX for none; under the lock. */
size_t pcpu_take(struct pcpu_space *space, size_t size, size_t align, bool reserved);
/* Returns why the offset can't be freed, or NULL. */
const char *pcpu_give(struct pcpu_space *space, size_t offset);
const char *pcpu_why_not_free(struct pcpu_space *space, size_t offset);

/* clean.c: zero freed areas on every CPU where they may have been written; true if they lie close
 * together.  Needs no lock. */
bool pcpu_clean(struct pcpu_space *space, const struct pcpu_batch *batch);
/* Step over areas that follow each other in memory: their range, from batch->position[i] on, and
 * the index behind them. */
size_t pcpu_next_run(const struct pcpu_space *space, const struct pcpu_batch *batch, size_t i,
		     size_t *begin, size_t *end);

/* resident.c: ranges of pages that are there, as the kernel writes them, from *from on, which
 * becomes where it stopped.  Returns how many; negative before Linux 6.7. */
struct pcpu_pages {
	uint64_t start, end, categories;
};
int pcpu_scan_pages(int pagemap, uintptr_t *from, uintptr_t end, struct pcpu_pages *found,
		    size_t most);
/* /proc's file pagemap, or -1 if there is none, or none of this program's addresses. */
int pcpu_open_pagemap(void);
/* Which of some pages are there, as a bitmap; all if it can't be told.  `pagemap` is that file, or -1. */
void pcpu_find_pages(int pagemap, uintptr_t begin, size_t count, size_t page, uint64_t *there);

/* stats.c: remember the size of an area that somebody got (grains). */
void pcpu_note_size(struct pcpu_space *space, size_t size);

/* fence.c: whether this process can have fences; a fence restarts all sequences that are under way. */
bool pcpu_fence_register(void);
void pcpu_fence(void);

/* check.c: areas with guard gaps; bytes asked for, offsets in bytes.  Taking is under the lock. */
#define PCPU_GUARD ((size_t)16 * PCPU_GRAIN) /* bytes of a gap */
extern bool pcpu_checked;		     /* the mode; constant after set-up */
void pcpu_choose_check(const struct pcpu_space *space);
bool pcpu_runs_on_valgrind(void);
size_t pcpu_checked_take(struct pcpu_space *space, size_t bytes, size_t align);
void pcpu_checked_free(struct pcpu_space *space, size_t position);
void pcpu_checked_clean(struct pcpu_space *space, const struct pcpu_batch *batch);

/* alloc.c: before and behind fork(), so that the child's copy is whole. */
void pcpu_alloc_before_fork(void);
void pcpu_alloc_behind_fork(void);
/* How many areas and grains are free, but in no chunk: in caches, or waiting.  Under the lock. */
void pcpu_idle_sum(size_t *areas, size_t *grains);

/* print.c: tell of the process's space on standard error. */
void pcpu_print_setup(void);

/* image.c: the static variables of the core, once the space is there. */
void pcpu_place_core(void);

/* ops.c: choose between restartable sequences and atomic instructions. */
char *pcpu_choose_operations(void);
extern bool pcpu_restartable; /* the choice; constant after set-up */
extern char *pcpu_area;	      /* offset from the thread pointer to the area that the kernel knows */
/* For a thread of a process with restartable sequences that may have none yet. */
void pcpu_prepare_thread(void);
/* The CPU that the thread has just been on; below nr_cpus. */
unsigned int pcpu_current_cpu(void);
/* The same, in the quickest way of this process, whatever number selects units. */
unsigned int pcpu_cpu_number(void);
/* Whether units are to be selected by concurrency ids, which have no gaps, instead of CPU numbers. */
bool pcpu_wants_cid(void);

/* One way of doing operations out of line: ops_atomic.c, ops_cpu.c, ops_cid.c. */
struct pcpu_way {
	uint64_t (*operate)(unsigned int code, uintptr_t cookie, uint64_t a, uint64_t b);
	/* Two words of 8 bytes; NULL on architectures that can't. */
	int (*cmpxchg_double)(uintptr_t cookie, uint64_t o1, uint64_t o2, uint64_t n1, uint64_t n2);
	unsigned int (*unit_number)(void);
};

extern const struct pcpu_way pcpu_way_atomic, pcpu_way_cpu, pcpu_way_cid;

/* Whether the compiler has atomic operations of 1 and 2 bytes, and of 8, that need no library of its
 * own; ops_emulated.c has what it lacks. */
#define PCPU_ATOMIC_NARROW (__GCC_ATOMIC_CHAR_LOCK_FREE == 2 && __GCC_ATOMIC_SHORT_LOCK_FREE == 2)
#define PCPU_ATOMIC_8 (__GCC_ATOMIC_LLONG_LOCK_FREE == 2)
uint64_t pcpu_atomic_narrow(unsigned int operation, void *copy, unsigned int bytes, uint64_t a,
			    uint64_t b);
uint64_t pcpu_atomic_8(unsigned int operation, void *copy, uint64_t a, uint64_t b);

/* The address of an offset in a CPU's unit. */
static inline char *pcpu_unit_address(const struct pcpu_space *space, unsigned int cpu,
				      size_t offset)
{
	return (char *)space->units + (size_t)cpu * space->unit_size + offset;
}

static inline bool pcpu_is_possible(const struct pcpu_space *space, unsigned int cpu)
{
	return (space->possible[cpu / 64] >> (cpu % 64)) & 1;
}

/* Sets of CPUs to which threads add at any time; words for which every architecture has atomics. */
#define PCPU_LONG_BITS ((unsigned int)(8 * sizeof(long)))

/* The word that has a CPU as its lowest bit, with those that follow it. */
static inline unsigned long pcpu_set_from(const unsigned long *set, unsigned int cpu)
{
	return __atomic_load_n(&set[cpu / PCPU_LONG_BITS], __ATOMIC_RELAXED) >>
	       (cpu % PCPU_LONG_BITS);
}

static inline bool pcpu_set_has(const unsigned long *set, unsigned int cpu)
{
	return pcpu_set_from(set, cpu) & 1;
}

static inline void pcpu_set_add(unsigned long *set, unsigned int cpu)
{
	if (!pcpu_set_has(set, cpu))
		__atomic_fetch_or(&set[cpu / PCPU_LONG_BITS], 1UL << (cpu % PCPU_LONG_BITS),
				  __ATOMIC_RELAXED);
}

/* Write one line to standard error and abort: for bugs of the caller that can't be survived. */
__attribute__((noreturn, format(printf, 1, 2))) void pcpu_die(const char *format, ...);

#pragma GCC visibility pop

#endif
