/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Text in and out: strings of unknown origin, sizes, the terminal's width, lists of CPUs.
 *
 * Names and descriptions come out of files that anybody may have written; what reaches a terminal
 * must not be able to steer it.
 */
#define _GNU_SOURCE
#include "tool.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEFAULT_WIDTH 100

/* ---- Strings -------------------------------------------------------------------------------- */

/* The forms of UTF-8: how the first byte looks, and the least number that needs this length. */
static const struct {
	unsigned char mask, mark;
	uint32_t least;
} utf8_forms[] = {
	{ 0x80, 0x00, 0x20 },
	{ 0xe0, 0xc0, 0xa0 }, /* what lies between 0x80 and 0xa0 are control characters */
	{ 0xf0, 0xe0, 0x800 },
	{ 0xf8, 0xf0, 0x10000 },
};

#define NUM_FORMS (sizeof(utf8_forms) / sizeof(utf8_forms[0]))

size_t printable_length(const char *text)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t extra = 0;
	uint32_t number;

	while (extra < NUM_FORMS && (bytes[0] & utf8_forms[extra].mask) != utf8_forms[extra].mark)
		extra++;
	if (extra == NUM_FORMS)
		return 0;
	number = bytes[0] & (unsigned char)~utf8_forms[extra].mask;
	for (size_t i = 1; i <= extra; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		number = number << 6 | (bytes[i] & 0x3f);
	}
	if (number < utf8_forms[extra].least || number == 0x7f || number > 0x10ffff ||
	    (number >= 0xd800 && number < 0xe000))
		return 0;
	return extra + 1;
}

size_t print_text(FILE *out, const char *text)
{
	size_t width = 0;

	while (*text) {
		size_t length = printable_length(text);

		if (out && length)
			fwrite(text, 1, length, out);
		else if (out)
			fprintf(out, "\\x%02x", (unsigned char)*text);
		width += length ? 1 : 4;
		text += length ? length : 1;
	}
	return width;
}

const char *size_text(char *buffer, uint64_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned int unit = 0;
	double number;

	while (unit < 6 && size >> (10 * (unit + 1)))
		unit++;
	number = (double)size / (double)(UINT64_C(1) << (10 * unit));
	/* Exact where it can be. */
	if (size & ((UINT64_C(1) << (10 * unit)) - 1))
		snprintf(buffer, SIZE_TEXT, "%.1f %s", number, units[unit]);
	else
		snprintf(buffer, SIZE_TEXT, "%.0f %s", number, units[unit]);
	return buffer;
}

size_t output_width(FILE *out)
{
	struct winsize size;

	if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return DEFAULT_WIDTH;
}

/* ---- Sets of CPUs --------------------------------------------------------------------------- */

struct cpu_set cpu_set_new(unsigned int limit)
{
	return (struct cpu_set){ allocate(limit / 64 + 1, sizeof(uint64_t)), limit };
}

void cpu_set_free(struct cpu_set *set)
{
	free(set->bits);
	set->bits = NULL;
}

bool cpu_set_has(const struct cpu_set *set, unsigned int cpu)
{
	return cpu < set->limit && (set->bits[cpu / 64] >> (cpu % 64) & 1);
}

void cpu_set_add(struct cpu_set *set, unsigned int cpu)
{
	set->bits[cpu / 64] |= UINT64_C(1) << (cpu % 64);
}

unsigned int cpu_set_count(const struct cpu_set *set)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i <= set->limit / 64; i++)
		count += (unsigned int)__builtin_popcountll(set->bits[i]);
	return count;
}

struct cpu_set possible_cpus(void)
{
	struct cpu_set set = cpu_set_new(nr_cpu_ids);
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		cpu_set_add(&set, cpu);
	return set;
}

struct cpu_set allowed_cpus(void)
{
	struct cpu_set set = cpu_set_new(nr_cpu_ids);
	size_t limit = nr_cpu_ids, size;
	cpu_set_t *mask;

	/* The kernel refuses masks that are shorter than its own. */
	for (;;) {
		size = CPU_ALLOC_SIZE(limit);
		mask = allocate(1, size);
		if (sched_getaffinity(0, size, mask) == 0 || errno != EINVAL || limit > 1 << 20)
			break;
		free(mask);
		limit *= 2;
	}
	for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++) {
		if (CPU_ISSET_S(cpu, size, mask) && cpu_possible(cpu))
			cpu_set_add(&set, cpu);
	}
	free(mask);
	return set;
}

/* A number at *text, stepped over. */
static bool parse_cpu(const char **text, unsigned int *cpu)
{
	char *end;
	unsigned long number;

	if (**text < '0' || **text > '9')
		return false;
	number = strtoul(*text, &end, 10);
	*text = end;
	*cpu = number < NO_CPU ? (unsigned int)number : NO_CPU - 1;
	return true;
}

bool parse_cpu_list(const char *text, struct cpu_set *set, unsigned int *too_high)
{
	unsigned int first, last;

	for (*too_high = NO_CPU;; text++) {
		if (!parse_cpu(&text, &first))
			return false;
		last = first;
		if (*text == '-') {
			text++;
			if (!parse_cpu(&text, &last) || last < first)
				return false;
		}
		if (last >= set->limit && *too_high == NO_CPU)
			*too_high = first > set->limit ? first : set->limit;
		for (unsigned int cpu = first; cpu <= last && cpu < set->limit; cpu++)
			cpu_set_add(set, cpu);
		if (*text != ',')
			return *text == '\0';
	}
}

char *cpu_list_text(const struct cpu_set *set)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	const char *between = "";

	if (!out)
		return format_text("?");
	for (unsigned int cpu = 0; cpu < set->limit; cpu++) {
		unsigned int first = cpu;

		if (!cpu_set_has(set, cpu))
			continue;
		while (cpu_set_has(set, cpu + 1))
			cpu++;
		fprintf(out, cpu > first ? "%s%u-%u" : "%s%u", between, first, cpu);
		between = ",";
	}
	fclose(out);
	return text;
}
