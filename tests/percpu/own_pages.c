/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program whose first chunk is a file in memory, so that another process can read its per-CPU
 * variables, static and dynamic ones: the child reads them through the file, without mapping it.
 * With -DFAIL the function that provides pages gives up.
 */
#define _GNU_SOURCE
#include <permod/percpu.h>

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static DEFINE_PER_CPU(long, requests) = 1000;
static long __percpu *answers;

static int file = -1;
static size_t chunk; /* bytes of a unit's first chunk, and so of its part of the file */

static int provide(const struct pcpu_page *page, void *data)
{
	off_t offset = (off_t)(page->cpu * page->count + page->index) * (off_t)page->size;

#ifdef FAIL
	if (page->index == 2)
		return -ENOSPC;
#endif
	chunk = page->count * page->size;
	if (ftruncate(file, offset + (off_t)page->size) ||
	    mmap(page->address, page->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file,
		 offset) == MAP_FAILED)
		return -errno;
	return data == &file ? 0 : -EPROTO;
}

int setup_per_cpu_areas(void)
{
	ptrdiff_t unit;

	file = memfd_create("per-CPU variables", 0);
	if (file < 0)
		return -errno;
	unit = pcpu_page_first_chunk(pcpu_static_size(), 8192, 65536, PCPU_AUTO, provide, &file);
	return unit < 0 ? (int)unit : 0;
}

/* The sum over all CPUs of what the file has at a cookie. */
static long read_sum(int from, uintptr_t cookies, const long __percpu *cookie)
{
	long sum = 0, value = 0;
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		if (pread(from, &value, sizeof(value),
			  (off_t)(cpu * chunk + (uintptr_t)cookie - cookies)) != sizeof(value))
			return -1;
		sum += value;
	}
	return sum;
}

/* What runs od may be another machine. */
#define ORDER (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? "little" : "big")

int main(void)
{
	struct pcpu_map map;
	char path[64];
	int status;

	pcpu_get_map(&map);
	answers = alloc_percpu(long);
	if (!answers || map.static_size < sizeof(long) || map.reserved_size != 8192)
		return 1;
	for (int i = 0; i < 100; i++) {
		this_cpu_inc(requests);
		this_cpu_add(*answers, 2);
	}
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), file);
	if (!fork()) {
		execl("/bin/sh", "sh", "-c",
		      "test \"$(od --endian=$2 -A n -t d$1 -N $1 \"$0\" | tr -d ' ')\" -ge 1000",
		      path, sizeof(long) == 8 ? "8" : "4", ORDER, (char *)NULL);
		_exit(127);
	}
	if (wait(&status) < 0 || status)
		return 2;
	if (read_sum(file, map.cookies, pcpu_ptr(&requests)) !=
	    100 + 1000 * (long)num_possible_cpus())
		return 3;
	if (read_sum(file, map.cookies, answers) != 200)
		return 4;
	/* Memory behind the first chunk is the library's. */
	answers = __alloc_percpu(1 << 20, 8);
	if (!answers || (uintptr_t)answers - map.cookies < chunk)
		return 5;
	this_cpu_inc(*answers);
	return pcpu_page_first_chunk(0, 0, 0, PCPU_AUTO, provide, NULL) == -EBUSY ? 0 : 6;
}
