/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which CPUs are possible: those that this system can ever have, not those that are there now or
 * that this process may use.  A CPU that is added later has its unit already.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Read a number at *text and step over it; UINT_MAX if there is none, or it is too large. */
static unsigned int parse_number(const char **text)
{
	unsigned int number = 0;
	const char *p = *text;

	if (*p < '0' || *p > '9')
		return UINT_MAX;
	for (; *p >= '0' && *p <= '9'; p++) {
		number = number * 10 + (unsigned int)(*p - '0');
		if (number >= PCPU_MAX_CPUS)
			return UINT_MAX;
	}
	*text = p;
	return number;
}

/* "0-3,8-11" as the kernel writes it.  Returns the highest plus one; 0 if it isn't such a list. */
unsigned int pcpu_parse_cpus(const char *list, uint64_t *possible)
{
	unsigned int highest = 0;

	for (;;) {
		unsigned int first = parse_number(&list);
		unsigned int last = first;

		if (first == UINT_MAX)
			return 0;
		if (*list == '-') {
			list++;
			last = parse_number(&list);
			if (last == UINT_MAX || last < first)
				return 0;
		}
		for (unsigned int cpu = first; cpu <= last; cpu++)
			possible[cpu / 64] |= (uint64_t)1 << (cpu % 64);
		if (last >= highest)
			highest = last + 1;
		if (*list == ',') {
			list++;
			continue;
		}
		return *list == '\0' || *list == '\n' ? highest : 0;
	}
}

/* The text of a small file; false if there is none. */
bool pcpu_read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, text, size - 1);
	close(fd);
	if (length <= 0)
		return false;
	text[length] = '\0';
	return true;
}

static unsigned int read_possible(uint64_t *possible)
{
	char text[4096];

	return pcpu_read_file("/sys/devices/system/cpu/possible", text, sizeof(text))
		       ? pcpu_parse_cpus(text, possible)
		       : 0;
}

/*
 * Without sysfs: the kernel tells how many bytes its sets of CPUs have, and no CPU number is beyond
 * that.  Counting CPUs is not enough, as their numbers may have holes.
 */
static unsigned int bound_cpus(void)
{
	unsigned long set[PCPU_MAX_CPUS / 8 / sizeof(unsigned long)];
	long bytes = syscall(SYS_sched_getaffinity, 0, sizeof(set), set);
	long configured;

	if (bytes > 0)
		return (unsigned int)bytes * 8;
	/* glibc's may call malloc. */
	configured = sysconf(_SC_NPROCESSORS_CONF);
	return configured > 0 && configured <= (long)PCPU_MAX_CPUS ? (unsigned int)configured : 1;
}

static unsigned int add_cpus(unsigned int count, uint64_t *possible)
{
	for (unsigned int cpu = 0; cpu < count; cpu++)
		possible[cpu / 64] |= (uint64_t)1 << (cpu % 64);
	return count;
}

unsigned int pcpu_find_cpus(uint64_t *possible)
{
	unsigned int count = read_possible(possible);
	/* The setting can only add: a CPU that is there must have its unit. */
	size_t wanted = pcpu_setting("PERCPU_CPUS", 0);

	if (!count)
		count = add_cpus(bound_cpus(), possible);
	if (wanted > PCPU_MAX_CPUS)
		pcpu_die("the setting PERCPU_CPUS=%zu is more than %u", wanted, PCPU_MAX_CPUS);
	if (wanted > count)
		count = (unsigned int)wanted;
	/* Concurrency ids begin at 0 and have no gaps, whatever CPU numbers do. */
	add_cpus(pcpu_wants_cid() ? count : (unsigned int)wanted, possible);
	return count;
}
