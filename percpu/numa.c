/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory nodes: each unit's pages come from the node of its CPU, whoever writes them first.
 *
 * A CPU's own first write takes a page from its node anyway.  But initial values, zeroing and
 * per_cpu_ptr() write from other CPUs, and what they write first would stay far from its CPU for
 * ever.  So where CPUs belong to more than one node, each unit is told its node at set-up; the node
 * is preferred, and if it is full another one serves.  Who runs the process with a memory policy
 * (set_mempolicy(2), numactl(8)) has decided otherwise, and is left alone.
 *
 * System calls as they are: libnuma is one more library, and allocates.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NODES_FOLDER "/sys/devices/system/node"
#define WORD_BITS (8 * sizeof(unsigned long))

/* Give a node to the CPUs of a list, which ends at `end` or '\0'; whether it is such a list. */
static bool assign(const char *list, size_t length, unsigned int node, uint16_t *node_of)
{
	uint64_t cpus[PCPU_MAX_CPUS / 64] = { 0 };
	char text[4096];
	unsigned int ids;

	if (length >= sizeof(text))
		return false;
	memcpy(text, list, length);
	text[length] = '\0';
	ids = pcpu_parse_cpus(text, cpus);
	for (unsigned int cpu = 0; cpu < ids; cpu++) {
		if (cpus[cpu / 64] >> (cpu % 64) & 1)
			node_of[cpu] = (uint16_t)node;
	}
	return ids > 0;
}

static void assign_none(uint16_t *node_of)
{
	for (unsigned int cpu = 0; cpu < PCPU_MAX_CPUS; cpu++)
		node_of[cpu] = PCPU_NO_NODE;
}

/* "0-3;4-7": the CPUs of node 0, of node 1.  Returns how many nodes; 0 if it isn't such a list. */
unsigned int pcpu_parse_nodes(const char *list, uint16_t *node_of)
{
	unsigned int node = 0;

	assign_none(node_of);
	for (;; list++) {
		size_t length = strcspn(list, ";");

		if (node == PCPU_MAX_NODES || !assign(list, length, node, node_of))
			return 0;
		node++;
		list += length;
		if (!*list)
			return node;
	}
}

/* As the system tells, in a folder like /sys/devices/system/node.  Returns how many nodes have
 * CPUs; 0 if it can't be told. */
unsigned int pcpu_read_nodes(const char *folder, uint16_t *node_of)
{
	/* A list of nodes has the form of a list of CPUs. */
	uint64_t nodes[PCPU_MAX_CPUS / 64] = { 0 };
	unsigned int ids, count = 0;
	char path[256], text[4096];

	assign_none(node_of);
	snprintf(path, sizeof(path), "%s/has_cpu", folder);
	if (!pcpu_read_file(path, text, sizeof(text)))
		return 0;
	ids = pcpu_parse_cpus(text, nodes);
	for (unsigned int node = 0; node < ids && node < PCPU_MAX_NODES; node++) {
		if (!(nodes[node / 64] >> (node % 64) & 1))
			continue;
		snprintf(path, sizeof(path), "%s/node%u/cpulist", folder, node);
		if (pcpu_read_file(path, text, sizeof(text)) &&
		    assign(text, strlen(text), node, node_of))
			count++;
	}
	return count;
}

const uint16_t *pcpu_find_nodes(unsigned int *count)
{
	/* Too large for the stack of any thread that may be the first here; set-up is done once. */
	static uint16_t node_of[PCPU_MAX_CPUS];
	const char *setting = secure_getenv("PERCPU_NODES");

	if (!setting || !*setting) {
		*count = pcpu_read_nodes(NODES_FOLDER, node_of);
		return node_of;
	}
	*count = pcpu_parse_nodes(setting, node_of);
	if (!*count)
		pcpu_die("the setting PERCPU_NODES=%s is not a list of each node's CPUs such as "
			 "0-3,8-11;4-7,12-15",
			 setting);
	return node_of;
}

static bool has_memory_policy(void)
{
	int mode = MPOL_DEFAULT;

	return syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) || mode != MPOL_DEFAULT;
}

/* A node that isn't there, or isn't allowed, is refused by the system, and nothing is lost. */
static void prefer_node(uintptr_t begin, size_t size, unsigned int node)
{
	unsigned long mask[PCPU_MAX_NODES / WORD_BITS] = { 0 };

	mask[node / WORD_BITS] = 1UL << (node % WORD_BITS);
	syscall(SYS_mbind, begin, size, MPOL_PREFERRED, mask, PCPU_MAX_NODES + 1, 0);
}

/* Neighbours of one node are told together: the kernel has one mapping for them then. */
void pcpu_prefer_nodes(const struct pcpu_space *space, const uint16_t *node_of)
{
	for (unsigned int cpu = 0, end; cpu < space->nr_cpus; cpu = end) {
		for (end = cpu + 1; end < space->nr_cpus && node_of[end] == node_of[cpu]; end++)
			continue;
		if (node_of[cpu] != PCPU_NO_NODE)
			prefer_node(space->units + cpu * space->unit_size,
				    (end - cpu) * space->unit_size, node_of[cpu]);
	}
}

void pcpu_place_units(const struct pcpu_space *space)
{
	const char *setting = secure_getenv("PERCPU_NODES");
	unsigned int count;
	const uint16_t *node_of = pcpu_find_nodes(&count);
	int saved = errno;

	if ((setting && *setting) || (count > 1 && !has_memory_policy()))
		pcpu_prefer_nodes(space, node_of);
	errno = saved;
}
