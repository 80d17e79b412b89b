/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which CPUs are possible: those that this system can ever have, not those that are there now or
 * that this process may use.  A CPU that is added later has its unit already.
 */
#include "internal.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
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

static unsigned int read_possible(uint64_t *possible)
{
	char text[4096];
	ssize_t length;
	int fd = open("/sys/devices/system/cpu/possible", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0)
		return 0;
	text[length] = '\0';
	return pcpu_parse_cpus(text, possible);
}

unsigned int pcpu_find_cpus(uint64_t *possible)
{
	unsigned int count = read_possible(possible);
	size_t wanted;

	if (!count) {
		/* Without sysfs: as many as the C library can count, numbered without holes. */
		long configured = sysconf(_SC_NPROCESSORS_CONF);

		wanted = configured > 0 ? (size_t)configured : 1;
	} else {
		wanted = 0;
	}
	/* The setting can only add: a CPU that is there must have its unit. */
	wanted = pcpu_setting("PERCPU_CPUS", wanted);
	if (wanted > PCPU_MAX_CPUS)
		pcpu_die("the setting PERCPU_CPUS=%zu is more than %u", wanted, PCPU_MAX_CPUS);
	for (unsigned int cpu = 0; cpu < wanted; cpu++)
		possible[cpu / 64] |= (uint64_t)1 << (cpu % 64);
	return wanted > count ? (unsigned int)wanted : count;
}
