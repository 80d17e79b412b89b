/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The address space: cookies, control and arena next to the C library's data, and the units
 * wherever the system likes.
 *
 * Why next to the C library: code that a compiler makes by default names its own per-CPU
 * variables, and `stderr`, by 32-bit PC-relative relocations.  So cookies, modules and libc must
 * lie within 2 GiB of each other.  In a dynamically linked program libc is far from the program;
 * in a static one it is part of it.  Either way the free gap nearest to it is taken.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef HAVE_GNU_GET_LIBC_VERSION
#include <gnu/libc-version.h>
#else
#include <langinfo.h>
#endif

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* Room that is left at either end of a gap behind libc: for a program's heap, and for the stack. */
#define HEAP_ROOM ((uintptr_t)256 << 20)
/* Larger reservations are better behind libc, if there is room: there the cookies that must be near
 * are next to the arena, and before libc they are at the far end. */
#define FITS_BEFORE (((size_t)1 << 30) * 3 / 2)
/* No mapping is made below this: the system's limit for the first mapping, as a rule. */
#define LOWEST ((uintptr_t)1 << 16)
/* Nor above this: in 64 bits the upper half is the kernel's, whose [vsyscall] is in the map too. */
#define HIGHEST (UINTPTR_MAX > 0xffffffffU ? (uintptr_t)INTPTR_MAX : UINTPTR_MAX)

/* A place inside libc.  Not the address of a function or variable, which can be in the program
 * (a stub, a copy) where that is not position-independent. */
static uintptr_t libc_address(void)
{
#ifdef HAVE_GNU_GET_LIBC_VERSION
	return (uintptr_t)gnu_get_libc_version();
#else
	return (uintptr_t)nl_langinfo(CODESET);
#endif
}

static uintptr_t distance(uintptr_t a, uintptr_t b)
{
	return a > b ? a - b : b - a;
}

/* The best place for `size` bytes found so far. */
struct search {
	uintptr_t anchor;
	size_t size;
	uintptr_t heap; /* where the heap ends, or will begin: no mapping need be there yet */
	size_t behind;	/* how much of it must be near if it lies behind libc */
	uintptr_t best; /* 0: none */
};

/* How far the farthest byte of a place is from libc, of those that must be near. */
static uintptr_t reach(const struct search *search, uintptr_t place)
{
	uintptr_t begin = distance(place, search->anchor);
	uintptr_t end = distance(place + search->behind, search->anchor);

	return begin > end ? begin : end;
}

static void consider_place(struct search *search, uintptr_t place)
{
	if (!search->best || reach(search, place) < reach(search, search->best))
		search->best = place;
}

/* A free gap: its end nearer to libc, with room for a heap at its beginning if that's nearer. */
static void consider_gap(struct search *search, uintptr_t begin, uintptr_t end)
{
	if (begin < LOWEST)
		begin = LOWEST;
	if (end <= begin || end - begin < search->size || end > HIGHEST)
		return;
	if (end <= search->anchor)
		consider_place(search, end - search->size);
	else if (end - begin - search->size >= 2 * HEAP_ROOM)
		consider_place(search, begin + HEAP_ROOM);
}

static void consider_gaps(struct search *search, uintptr_t begin, uintptr_t end)
{
	if (begin < search->heap && search->heap < end) {
		consider_gap(search, begin, search->heap);
		begin = search->heap;
	}
	consider_gap(search, begin, end);
}

/* Hexadecimal digits one at a time; false when `c` is none. */
static bool add_digit(uintptr_t *number, char c)
{
	if (c >= '0' && c <= '9')
		*number = *number * 16 + (uintptr_t)(c - '0');
	else if (c >= 'a' && c <= 'f')
		*number = *number * 16 + (uintptr_t)(c - 'a' + 10);
	else
		return false;
	return true;
}

/*
 * Walk the gaps between the lines "begin-end ..." of the process's map.  The file is read piece by
 * piece, as nothing may be allocated; `field` is where in a line we are: 0 and 1 the numbers, 2 the
 * rest.
 */
static uintptr_t nearest_gap(uintptr_t anchor, size_t size, size_t behind)
{
	struct search search = { anchor, size, (uintptr_t)syscall(SYS_brk, 0), behind, 0 };
	uintptr_t number[2] = { 0, 0 }, previous_end = 0;
	unsigned int field = 0;
	char piece[4096];
	ssize_t length;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	while ((length = read(fd, piece, sizeof(piece))) > 0) {
		for (ssize_t i = 0; i < length; i++) {
			if (piece[i] == '\n') {
				consider_gaps(&search, previous_end, number[0]);
				previous_end = number[1];
				number[0] = number[1] = 0;
				field = 0;
			} else if (field < 2 && !add_digit(&number[field], piece[i])) {
				field++;
			}
		}
	}
	close(fd);
	return search.best;
}

static uintptr_t map_near_libc(size_t size, size_t behind)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	uintptr_t place = nearest_gap(libc_address(), size, behind);
	void *at = MAP_FAILED;

	if (place)
		at = mmap((void *)place, size, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0);
	/* Somebody was faster, or the map can't be read: the system's choice is near as a rule. */
	if (at == MAP_FAILED)
		at = mmap(NULL, size, PROT_NONE, flags, -1, 0);
	return at == MAP_FAILED ? 0 : (uintptr_t)at;
}

/* The size of a huge page if the setting wants them, else 0. */
size_t pcpu_huge_page(void)
{
	char text[32];
	size_t size = 0;

	if (!pcpu_flag("PERCPU_HUGE", false))
		return 0;
	if (pcpu_read_file("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", text,
			   sizeof(text)))
		size = strtoul(text, NULL, 10);
	return size && !(size & (size - 1)) ? size : (size_t)2 << 20;
}

/* The units, between two pages that nobody can touch. */
static char *map_units(size_t size, size_t page, size_t align)
{
	size_t whole = size + 2 * page + align - page;
	char *map =
		mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *units, *end;

	if (map == MAP_FAILED)
		return NULL;
	units = (char *)(((uintptr_t)map + page + align - 1) & ~(align - 1));
	end = units + size + page;
	if (mprotect(units, size, PROT_READ | PROT_WRITE)) {
		munmap(map, whole);
		return NULL;
	}
	/* What was for alignment. */
	if (map < units - page)
		munmap(map, (size_t)(units - page - map));
	if (end < map + whole)
		munmap(end, (size_t)(map + whole - end));
	return units;
}

/* Needs unit_size, arena_size, control_size and nr_cpus; sets the addresses. */
int pcpu_reserve(struct pcpu_space *space)
{
	size_t units_size, behind;
	char *units;

	space->reservation_size = space->unit_size + space->control_size + space->arena_size;
	if (__builtin_mul_overflow(space->unit_size, (size_t)space->nr_cpus, &units_size) ||
	    units_size > SIZE_MAX - 2 * space->page - space->step)
		return -ENOMEM;
	/* First come the cookies: the units must not take the place next to libc. */
	behind = space->reservation_size;
	if (behind > FITS_BEFORE)
		behind -= space->unit_size - space->static_size - space->reserved_size;
	space->reservation = map_near_libc(space->reservation_size, behind);
	if (!space->reservation)
		return -ENOMEM;
	units = map_units(units_size, space->page, space->step);
	if (!units) {
		munmap((void *)space->reservation, space->reservation_size);
		return -ENOMEM;
	}
	/* Unless asked for: a huge page makes the first byte written cost 2 MiB on every CPU. */
	madvise(units, units_size, space->step > space->page ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	space->units = (uintptr_t)units;
	/* The arena is at the end that is nearer to libc, which all of it must reach; of the cookies
	 * only the static and reserved ones must be near, and they are the first. */
	if (space->reservation < libc_address()) {
		space->cookies = space->reservation;
		space->control = space->cookies + space->unit_size;
		space->arena = space->control + space->control_size;
	} else {
		space->arena = space->reservation;
		space->control = space->arena + space->arena_size;
		space->cookies = space->control + space->control_size;
	}
	return 0;
}

void pcpu_release(struct pcpu_space *space)
{
	munmap((void *)(space->units - space->page),
	       space->unit_size * space->nr_cpus + 2 * space->page);
	munmap((void *)space->reservation, space->reservation_size);
}
