/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An LD_PRELOADed malloc that counts its calls in per-CPU variables, static and dynamic ones, from
 * the first call on: before any constructor, and while libpercpu sets itself up. A call from within
 * libpercpu would never end, and is told.
 */
#define _GNU_SOURCE
#include <permod/percpu.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static DEFINE_PER_CPU(unsigned long, calls) = 3;
static DEFINE_PER_CPU(unsigned long[1000], sizes);
static unsigned long __percpu *bytes;

/* All that was handed out; nothing is ever given back. */
static unsigned long total_calls, total_bytes;
static __thread int inside __attribute__((tls_model("initial-exec")));
static char *room, *room_end;
static int lock;

static void fail(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		_exit(98);
	_exit(99);
}

/* The size lies before the memory. */
static void *take(size_t size, size_t align)
{
	size_t needed = size + align + 32;
	char *memory;

	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		continue;
	if ((size_t)(room_end - room) < needed) {
		size_t more = needed > 1U << 24 ? needed : 1U << 24;

		room = mmap(NULL, more, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (room == MAP_FAILED)
			fail("no memory\n");
		room_end = room + more;
	}
	memory = room + 16;
	memory += (0 - (uintptr_t)memory) & (align - 1);
	room = memory + size + ((0 - size) & 15);
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	memcpy(memory - 16, &size, sizeof(size));
	return memory;
}

/* Whether the library's set-up comes back: in musl pthread_atfork() calls malloc(), when all else is done. */
#ifdef __GLIBC__
#define SETUP_ALLOCATES 0
#else
#define SETUP_ALLOCATES 1
#endif

static void count(size_t size)
{
	if (inside)
		fail("libpercpu called malloc\n");
	inside = !SETUP_ALLOCATES;
	pcpu_image_register(&__pcpu_image);
	inside = 1;
	if (!__atomic_load_n(&bytes, __ATOMIC_ACQUIRE)) {
		unsigned long __percpu *mine = alloc_percpu(unsigned long), *none = NULL;

		if (!mine)
			fail("no per-CPU memory\n");
		if (!__atomic_compare_exchange_n(&bytes, &none, mine, 0, __ATOMIC_ACQ_REL,
						 __ATOMIC_ACQUIRE))
			free_percpu(mine);
	}
	this_cpu_inc(calls);
	this_cpu_inc(sizes[size < 1000 ? size : 999]);
	this_cpu_add(*bytes, size);
	/* Now and then one that is freed at once, so that all ways through the library are gone. */
	if (size % 5 == 0) {
		void __percpu *some = __alloc_percpu(size % 4096 + 1, 1);

		free_percpu(some);
		if (size % 100 == 0)
			pcpu_trim();
	}
	inside = 0;
	__atomic_fetch_add(&total_calls, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&total_bytes, size, __ATOMIC_RELAXED);
}

void *malloc(size_t size)
{
	count(size);
	return take(size, 16);
}

void free(void *memory)
{
	(void)memory;
}

void *calloc(size_t n, size_t size)
{
	return malloc(n * size); /* fresh from the system: zero */
}

void *realloc(void *old, size_t size)
{
	void *memory = malloc(size);
	size_t had;

	if (old) {
		memcpy(&had, (char *)old - 16, sizeof(had));
		memcpy(memory, old, had < size ? had : size);
	}
	return memory;
}

void *aligned_alloc(size_t align, size_t size)
{
	count(size);
	return take(size, align < 16 ? 16 : align);
}

void *memalign(size_t align, size_t size)
{
	return aligned_alloc(align, size);
}

int posix_memalign(void **result, size_t align, size_t size)
{
	*result = aligned_alloc(align, size);
	return 0;
}

/* The sums are exact: said by the last destructor, in the file that is asked for. */
__attribute__((destructor(101))) static void print(void)
{
	unsigned long by_cpu = 0, by_size = 0, bytes_by_cpu = 0;
	unsigned int cpu;
	int report = getenv("ALLOCATOR_REPORT") ? creat(getenv("ALLOCATOR_REPORT"), 0600) : -1;

	if (report < 0)
		return;
	for_each_possible_cpu(cpu) {
		by_cpu += per_cpu(calls, cpu) - 3;
		bytes_by_cpu += *per_cpu_ptr(bytes, cpu);
		for (int i = 0; i < 1000; i++)
			by_size += per_cpu(sizes, cpu)[i];
	}
	if (total_calls == 0 || by_cpu != total_calls || by_size != total_calls ||
	    bytes_by_cpu != total_bytes)
		fail("allocator: the sums are wrong\n");
	if (write(report, "exact\n", 6) < 0)
		_exit(98);
}
