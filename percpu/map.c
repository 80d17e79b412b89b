/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking at the per-CPU address space: what an address is, and how full the regions are.
 */
#include "internal.h"

static size_t used_bytes(const struct pcpu_chunk *chunk)
{
	return (chunk->end - chunk->begin - chunk->free) * PCPU_GRAIN;
}

void pcpu_get_map(struct pcpu_map *map)
{
	size_t idle, idle_grains;

	pcpu_setup();
	pcpu_lock();
	pcpu_idle_sum(&idle, &idle_grains);
	*map = (struct pcpu_map){
		.cookies = pcpu_core.cookies,
		.units = pcpu_core.units,
		.arena = pcpu_core.arena,
		.arena_size = pcpu_core.arena_size,
		.unit_size = pcpu_core.unit_size,
		.static_size = pcpu_core.static_size,
		.reserved_size = pcpu_core.reserved_size,
		.reserved_used = used_bytes(&pcpu_core.reserved),
		.dynamic_size = pcpu_core.dynamic_size,
		.chunk_size = PCPU_CHUNK,
		.areas = (unsigned int)(pcpu_core.areas - idle),
	};
	for (size_t i = 0; i < pcpu_core.top; i++) {
		if (!pcpu_core.chunk[i].live)
			continue;
		map->dynamic_used += used_bytes(&pcpu_core.chunk[i]);
		map->chunks++;
	}
	map->dynamic_used -= idle_grains * PCPU_GRAIN;
	pcpu_unlock();
}

enum pcpu_kind pcpu_classify(const volatile void *address, int *cpu, uintptr_t *cookie)
{
	size_t offset, unit = 0;
	int on = -1;

	pcpu_setup();
	offset = (uintptr_t)address - pcpu_core.cookies;
	if (offset >= pcpu_core.unit_size) {
		offset = (uintptr_t)address - pcpu_core.units;
		unit = offset / pcpu_core.unit_size;
		offset %= pcpu_core.unit_size;
		if (unit >= pcpu_core.nr_cpus || !pcpu_is_possible(&pcpu_core, (unsigned int)unit))
			return PCPU_NONE;
		on = (int)unit;
	}
	if (cpu)
		*cpu = on;
	if (cookie)
		*cookie = pcpu_core.cookies + offset;
	if (offset < pcpu_core.static_size)
		return PCPU_STATIC;
	if (offset / PCPU_GRAIN < pcpu_core.reserved.begin)
		return PCPU_NONE;
	return offset / PCPU_GRAIN < pcpu_core.reserved.end ? PCPU_RESERVED : PCPU_DYNAMIC;
}
