/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Telling of the set-up, as the kernel does when it boots:
 *
 *     percpu: Embedded 16417 pages/cpu s40 r67108864 d131072 u536870912
 *     percpu: ops rseq, index cpu, cookies 0x..., units 0x..., arena 0x...; CPUs [0] 0-3,8-11 [1] 4-7
 *
 * The first line has the helper that made the first chunk, how many pages that is on each CPU, and
 * the sizes of the static, reserved and dynamic region and of a unit's address space (bytes).  The
 * second has the possible CPUs of each memory node, which may be many, at its end.
 */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* Text that is cut where it gets too long; no stdio streams, which allocate. */
struct text {
	char bytes[4096];
	size_t length;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
	size_t room = sizeof(text->bytes) - text->length;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text->bytes + text->length, room, format, args);
	va_end(args);
	if (length > 0)
		text->length += (size_t)length < room ? (size_t)length : room - 1;
}

/* Whether a CPU is possible and of this node; without nodes, all are of node 0. */
static bool is_of(unsigned int cpu, unsigned int node, const uint16_t *node_of)
{
	unsigned int its = node_of[cpu] == PCPU_NO_NODE ? 0 : node_of[cpu];

	return pcpu_is_possible(&pcpu_core, cpu) && its == node;
}

static void add_node(struct text *text, unsigned int node, const uint16_t *node_of)
{
	unsigned int end, ranges = 0;

	for (unsigned int cpu = 0; cpu < pcpu_core.nr_cpus; cpu = end + 1) {
		end = cpu;
		if (!is_of(cpu, node, node_of))
			continue;
		while (end + 1 < pcpu_core.nr_cpus && is_of(end + 1, node, node_of))
			end++;
		if (ranges++)
			add(text, ",%u", cpu);
		else
			add(text, " [%u] %u", node, cpu);
		if (end > cpu)
			add(text, "-%u", end);
	}
}

static unsigned int highest_node(const uint16_t *node_of)
{
	unsigned int highest = 0;

	for (unsigned int cpu = 0; cpu < pcpu_core.nr_cpus; cpu++) {
		if (node_of[cpu] != PCPU_NO_NODE && node_of[cpu] > highest)
			highest = node_of[cpu];
	}
	return highest;
}

void pcpu_print_setup(void)
{
	struct text text = { .length = 0 };
	unsigned int count;
	const uint16_t *node_of = pcpu_find_nodes(&count);

	add(&text, "percpu: %s %zu pages/cpu s%zu r%zu d%zu u%zu\n", pcpu_core.helper,
	    pcpu_core.first_size / pcpu_core.page, pcpu_core.static_size, pcpu_core.reserved_size,
	    pcpu_core.dynamic_size, pcpu_core.unit_size);
	add(&text, "percpu: ops %s, index %s, cookies %#zx, units %#zx, arena %#zx; CPUs",
	    pcpu_restartable ? "rseq" : "atomic", pcpu_wants_cid() ? "mm_cid" : "cpu",
	    (size_t)pcpu_core.cookies, (size_t)pcpu_core.units, (size_t)pcpu_core.arena);
	for (unsigned int node = 0; node <= highest_node(node_of); node++)
		add_node(&text, node, node_of);
	text.bytes[text.length] = '\n';
	if (write(STDERR_FILENO, text.bytes, text.length + 1) < 0)
		return;
}
