/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * permod map: the per-CPU address space of this process, drawn with the highest address at the
 * bottom, as the drawing in <permod/percpu.h> but with real numbers.
 */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

#define FEW_UNITS 8 /* more units than that: the first, the last, and a gap */
#define MARGIN 16   /* columns left of a box */

static const char border_units[] = "+--------+----------+---------+";
static const char inside_units[] = "| static | reserved | dynamic |";
static const char border_arena[] = "+-----------------------------+";
static const char inside_arena[] = "|           modules           |";

/* A box of the drawing. */
struct box {
	uintptr_t begin;
	size_t size;
	const char *border, *inside;
	char *label;
};

struct drawing {
	struct box *boxes;
	size_t count;
};

static void add_box(struct drawing *drawing, struct box box)
{
	drawing->boxes = reallocate(drawing->boxes, drawing->count + 1, sizeof(*drawing->boxes));
	drawing->boxes[drawing->count++] = box;
}

static int compare_boxes(const void *a, const void *b)
{
	const struct box *first = a, *second = b;

	return (first->begin > second->begin) - (first->begin < second->begin);
}

static char *cpu_label(unsigned int cpu)
{
	intptr_t offset = (intptr_t)per_cpu_offset(cpu);
	bool negative = offset < 0;

	return format_text("CPU %u: cookie %c 0x%zx", cpu, negative ? '-' : '+',
			   negative ? -(size_t)offset : (size_t)offset);
}

static void add_units(struct drawing *drawing, const struct pcpu_map *map)
{
	unsigned int cpu, seen = 0;

	for_each_possible_cpu(cpu) {
		bool last = ++seen == num_possible_cpus();

		if (seen > FEW_UNITS && !last)
			continue;
		add_box(drawing, (struct box){ map->cookies + per_cpu_offset(cpu), map->unit_size,
					       border_units, inside_units, cpu_label(cpu) });
	}
}

/* The line between two boxes: one if they touch, a gap otherwise. */
static void draw_border(const struct box *above, const struct box *below)
{
	uintptr_t end = above ? above->begin + above->size : 0;
	bool touching = above && below && end == below->begin;

	if (above && !touching)
		printf("%#-*zx%s\n", MARGIN, (size_t)end, above->border);
	if (above && below && !touching)
		printf("%*s. . .\n", MARGIN + 13, "");
	if (below)
		printf("%#-*zx%s\n", MARGIN, (size_t)below->begin, below->border);
}

static void draw(const struct drawing *drawing)
{
	const struct box *above = NULL;
	char buffer[SIZE_TEXT];

	for (size_t i = 0; i < drawing->count; i++) {
		const struct box *box = &drawing->boxes[i];

		draw_border(above, box);
		printf("%*s  %s  %s\n", MARGIN - 2, size_text(buffer, box->size), box->inside,
		       box->label);
		above = box;
	}
	draw_border(above, NULL);
}

/* ---- The regions ---------------------------------------------------------------------------- */

struct region {
	const char *name;
	size_t offset, size, used; /* bytes; the offset is in the unit */
};

#define NUM_REGIONS 3

static void find_regions(const struct pcpu_map *map, struct region *regions)
{
	/* The reserved region begins on a cache line, and the dynamic one right behind it. */
	size_t reserved = (map->static_size + PCPU_CACHE_LINE - 1) & ~(size_t)(PCPU_CACHE_LINE - 1);
	size_t dynamic = reserved + map->reserved_size;

	regions[0] = (struct region){ "static", 0, map->static_size, map->static_size };
	regions[1] =
		(struct region){ "reserved", reserved, map->reserved_size, map->reserved_used };
	regions[2] =
		(struct region){ "dynamic", dynamic, map->unit_size - dynamic, map->dynamic_used };
}

static const char *region_cell(const void *data, size_t row, size_t column, char *buffer)
{
	static const char *const headings[] = { "region", "offset", "size", "used", "free" };
	const struct region *region = (const struct region *)data + row - 1;

	if (row == 0)
		return headings[column];
	switch (column) {
	case 0:
		return region->name;
	case 1:
		snprintf(buffer, CELL_TEXT, "0x%zx", region->offset);
		return buffer;
	case 2:
		return size_text(buffer, region->size);
	case 3:
		return size_text(buffer, region->used);
	default:
		return size_text(buffer, region->size - region->used);
	}
}

static void print_heading(void)
{
	struct cpu_set possible = possible_cpus();
	char *list = cpu_list_text(&possible);

	printf("%u possible CPU%s: %s; operations: %s\n\n", num_possible_cpus(),
	       num_possible_cpus() == 1 ? "" : "s", list, pcpu_ops_name());
	free(list);
	cpu_set_free(&possible);
}

static void print_drawing(const struct pcpu_map *map)
{
	struct drawing drawing = { NULL, 0 };

	add_box(&drawing, (struct box){ map->cookies, map->unit_size, border_units, inside_units,
					format_text("cookies, never accessed") });
	add_box(&drawing, (struct box){ map->arena, map->arena_size, border_arena, inside_arena,
					format_text("arena") });
	add_units(&drawing, map);
	qsort(drawing.boxes, drawing.count, sizeof(*drawing.boxes), compare_boxes);
	draw(&drawing);
	for (size_t i = 0; i < drawing.count; i++)
		free(drawing.boxes[i].label);
	free(drawing.boxes);
}

static void print_map(const struct pcpu_map *map)
{
	struct region regions[NUM_REGIONS];
	const struct table table = { NUM_REGIONS + 1, 5, "lr", 1, region_cell, regions };
	char first[SIZE_TEXT], later[SIZE_TEXT];

	print_heading();
	print_drawing(map);
	find_regions(map, regions);
	printf("\nIn the cookies and in each unit:\n");
	print_table(stdout, &table, SIZE_MAX);
	printf("\nThe first chunk has %s of dynamic memory, a further one as a rule %s; "
	       "chunks: %u.\nVariables allocated: %u.\n",
	       size_text(first, map->dynamic_size), size_text(later, map->chunk_size), map->chunks,
	       map->areas);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void json_map(const struct pcpu_map *map)
{
	struct json json = { .out = stdout, .lines = 2 };
	struct region regions[NUM_REGIONS];
	unsigned int cpu;

	find_regions(map, regions);
	json_begin(&json, NULL, '{');
	json_string(&json, "operations", pcpu_ops_name());
	json_address(&json, "cookies", map->cookies);
	json_address(&json, "arena", map->arena);
	json_unsigned(&json, "arena_size", map->arena_size);
	json_unsigned(&json, "unit_size", map->unit_size);
	json_begin(&json, "units", '{');
	for_each_possible_cpu(cpu) {
		char key[CELL_TEXT];

		snprintf(key, sizeof(key), "%u", cpu);
		json_address(&json, key, map->cookies + per_cpu_offset(cpu));
	}
	json_end(&json, '{');
	json_begin(&json, "regions", '[');
	for (size_t i = 0; i < NUM_REGIONS; i++) {
		json_begin(&json, NULL, '{');
		json_string(&json, "name", regions[i].name);
		json_unsigned(&json, "offset", regions[i].offset);
		json_unsigned(&json, "size", regions[i].size);
		json_unsigned(&json, "used", regions[i].used);
		json_end(&json, '{');
	}
	json_end(&json, '[');
	json_unsigned(&json, "first_chunk_size", map->dynamic_size);
	json_unsigned(&json, "chunk_size", map->chunk_size);
	json_unsigned(&json, "chunks", map->chunks);
	json_unsigned(&json, "variables", map->areas);
	json_end(&json, '{');
}

/* --------------------------------------------------------------------------------------------- */

static enum status map(int argc, char **argv)
{
	struct pcpu_map found;
	const char *file;
	bool json;
	enum status status = parse_simple(&map_command, argc, argv, &json, &file);

	if (status != STATUS_GO_ON)
		return status;
	pcpu_get_map(&found);
	if (json)
		json_map(&found);
	else
		print_map(&found);
	return STATUS_DONE;
}

const struct command map_command = {
	.name = "map",
	.synopsis = "[--json]",
	.summary = "the per-CPU address space of this process",
	.help = "  --json    print one JSON document\n",
	.run = map,
};
