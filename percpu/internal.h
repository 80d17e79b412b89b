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
 * An OFFSET is a distance from the first cookie, and so from the start of any unit.  Memory is
 * handed out in grains of 4 bytes.  Two bitmaps over the whole unit say which grains are allocated
 * and where areas begin; they lie apart from the memory they describe.
 *
 * The dynamic part is cut into CHUNKS.  A chunk is a range of offsets, the same in all units; the
 * first one is what remains of the first chunk's pages behind the reserved region, the others are
 * one slot of PCPU_CHUNK bytes each, or more if one large variable needs them.  The reserved region
 * is a chunk of its own.
 *
 *     setup.c    sizes, the first chunk, one-time initialisation     cpus.c  possible CPUs
 *     reserve.c  the two ranges of address space                     image.c static variables
 *     chunk.c    bitmaps: find, take and give back grains            ops.c   slow paths, rseq
 *     alloc.c    allocation, chunks' life                            map.c   looking at it
 *     ops_*.c    the ways of doing operations: see ops.c
 *
 * Lock: pcpu_lock() guards everything here but what is constant after set-up.  No malloc anywhere.
 */
#ifndef PERCPU_INTERNAL_H
#define PERCPU_INTERNAL_H

#define PCPU_NO_IMAGE
#include <permod/percpu.h>

#include <stdbool.h>

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

/* A range of offsets with free and allocated areas; positions and sizes in grains. */
struct pcpu_chunk {
	size_t begin, end;
	size_t free;	/* how many are free */
	size_t longest; /* no free area is longer than this; it may be shorter */
	size_t first;	/* all before it are allocated */
	size_t dirty;	/* from here on nothing is allocated, and memory is zero */
	bool live;
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
	unsigned int nr_cpus;
	const uint64_t *possible; /* bitmap of nr_cpus bits */
	/* bytes; the last in pages */
	size_t static_size, reserved_size, dynamic_size, first_size;
	size_t slots; /* of chunks behind the first */

	/* under the lock */
	uint64_t *allocated; /* bitmap: grain is allocated */
	uint64_t *bound;     /* bitmap: an area begins or ends here */
	size_t tables_size;  /* bytes of the mapping that holds the bitmaps and `chunk` */
	struct pcpu_chunk reserved;
	struct pcpu_chunk *chunk; /* [0] the first chunk's dynamic part, then one for each slot */
	size_t open;		  /* no chunk before it has a free grain */
	size_t top;		  /* no live chunk from here on */
	size_t empty;		  /* live chunks behind the first without any area */
	size_t areas;		  /* allocated */
};

extern struct pcpu_space pcpu_core;

void pcpu_lock(void);
void pcpu_unlock(void);

/* Set the process's space up if nobody has; every entry point calls it first. */
void pcpu_setup(void);

/* cpus.c: fill a bitmap of PCPU_MAX_CPUS bits; returns the highest number plus one. */
unsigned int pcpu_find_cpus(uint64_t *possible);
unsigned int pcpu_parse_cpus(const char *list, uint64_t *possible);

/* reserve.c: 0 or -ENOMEM. */
int pcpu_reserve(struct pcpu_space *space);
void pcpu_release(struct pcpu_space *space);

/* setup.c: lay a space out and make it usable; sizes as pcpu_embed_first_chunk(). */
int pcpu_space_init(struct pcpu_space *space, size_t static_size, ptrdiff_t reserved_size,
		    ptrdiff_t dyn_size, ptrdiff_t unit_size);
void pcpu_space_exit(struct pcpu_space *space);
size_t pcpu_setting(const char *name, size_t otherwise);

/* chunk.c: positions and sizes in grains.  take() returns the position, or SIZE_MAX. */
void pcpu_chunk_open(struct pcpu_chunk *chunk, size_t begin, size_t end);
size_t pcpu_chunk_take(struct pcpu_space *space, struct pcpu_chunk *chunk, size_t size,
		       size_t align);
bool pcpu_chunk_begins_area(const struct pcpu_space *space, size_t position);
size_t pcpu_chunk_give(struct pcpu_space *space, struct pcpu_chunk *chunk, size_t position);

/* alloc.c: offsets in bytes, SIZE_MAX for none; under the lock. */
size_t pcpu_take(struct pcpu_space *space, size_t size, size_t align, bool reserved);
/* Returns why the offset can't be freed, or NULL. */
const char *pcpu_give(struct pcpu_space *space, size_t offset);

/* image.c: the static variables of the core, once the space is there. */
void pcpu_place_core(void);

/* ops.c: choose between restartable sequences and atomic instructions. */
char *pcpu_choose_operations(void);
extern bool pcpu_restartable; /* the choice; constant after set-up */
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

/* Write one line to standard error and abort: for bugs of the caller that can't be survived. */
__attribute__((noreturn, format(printf, 1, 2))) void pcpu_die(const char *format, ...);

#endif
