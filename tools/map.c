/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * permod map: the per-CPU address space of this process, with the modules that were named.  It is
 * drawn with the highest address at the bottom, as the drawing in <permod/percpu.h> but with real
 * numbers; then come statistics, as the kernel tells them of its own per-CPU memory.  The same as
 * JSON is here too, and as a picture in picture.c.
 */
#include "tool.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FEW_UNITS 8 /* more units than that: the first, the last, and a gap */
#define MARGIN 16   /* columns left of a box */

static const char border_units[] = "+--------+----------+---------+";
static const char inside_units[] = "| static | reserved | dynamic |";
static const char border_arena[] = "+-----------------------------+";
static const char inside_arena[] = "|           modules           |";

/* ---- Looking -------------------------------------------------------------------------------- */

/* All chunks at one moment; there may be more as soon as they have been counted. */
static void survey_chunks(struct survey *survey)
{
	size_t room = 0;

	while ((survey->num_chunks = pcpu_stats(&survey->stats, survey->chunks, room)) > room) {
		room = survey->num_chunks;
		survey->chunks = reallocate(survey->chunks, room, sizeof(*survey->chunks));
	}
}

size_t count_resident(const struct survey *survey, unsigned int cpu)
{
	size_t count = 0;

	for (size_t i = 0; survey->resident[cpu] && i < survey->pages; i++)
		count += survey->resident[cpu][i];
	return count;
}

static void survey_pages(struct survey *survey)
{
	const struct pcpu_chunk_stats *last = &survey->chunks[survey->num_chunks - 1];
	size_t page = survey->stats.page;
	unsigned int cpu;

	survey->pages = (last->offset + last->size + page - 1) / page;
	survey->resident = allocate(nr_cpu_ids, sizeof(*survey->resident));
	for_each_possible_cpu(cpu) {
		survey->resident[cpu] = allocate(survey->pages, 1);
		pcpu_resident(cpu, 0, survey->pages * page, survey->resident[cpu]);
		if (count_resident(survey, cpu))
			continue;
		free(survey->resident[cpu]);
		survey->resident[cpu] = NULL;
	}
}

/* Where the variables are; a module's own are together. */
static void survey_modules(struct survey *survey)
{
	survey->num_modules = survey->session->num_loaded;
	survey->modules = allocate(survey->num_modules, sizeof(*survey->modules));
	for (size_t i = 0; i < survey->num_modules; i++) {
		const struct permod_module *module = survey->session->loaded[i].module;
		struct placed *placed = &survey->modules[i];
		struct permod_variable variable;

		placed->name = permod_name(module);
		for (unsigned int j = 0; permod_variable(module, j, &variable) == 0; j++) {
			size_t begin = variable.cookie - survey->map.cookies;
			size_t end = begin + variable.size;

			placed->begin = j && placed->begin < begin ? placed->begin : begin;
			placed->end = placed->end > end ? placed->end : end;
		}
	}
}

static void free_survey(struct survey *survey)
{
	for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++)
		free(survey->resident[cpu]);
	free(survey->resident);
	free(survey->chunks);
	free(survey->modules);
}

/* ---- The drawing ---------------------------------------------------------------------------- */

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

static char *cpu_label(const struct survey *survey, unsigned int cpu)
{
	intptr_t offset = (intptr_t)per_cpu_offset(cpu);
	size_t resident = count_resident(survey, cpu) * survey->stats.page;
	bool negative = offset < 0;
	char size[SIZE_TEXT];

	return format_text("CPU %u: cookie %c 0x%zx; %s in memory", cpu, negative ? '-' : '+',
			   negative ? -(size_t)offset : (size_t)offset, size_text(size, resident));
}

static void add_units(struct drawing *drawing, const struct survey *survey)
{
	const struct pcpu_map *map = &survey->map;
	unsigned int cpu, seen = 0;

	for_each_possible_cpu(cpu) {
		bool last = ++seen == num_possible_cpus();

		if (seen > FEW_UNITS && !last)
			continue;
		add_box(drawing,
			(struct box){ map->cookies + per_cpu_offset(cpu), map->unit_size,
				      border_units, inside_units, cpu_label(survey, cpu) });
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

static void print_drawing(const struct survey *survey)
{
	const struct pcpu_map *map = &survey->map;
	struct drawing drawing = { NULL, 0 };

	add_box(&drawing, (struct box){ map->cookies, map->unit_size, border_units, inside_units,
					format_text("cookies, never accessed") });
	add_box(&drawing, (struct box){ map->arena, map->arena_size, border_arena, inside_arena,
					format_text("arena") });
	add_units(&drawing, survey);
	qsort(drawing.boxes, drawing.count, sizeof(*drawing.boxes), compare_boxes);
	draw(&drawing);
	for (size_t i = 0; i < drawing.count; i++)
		free(drawing.boxes[i].label);
	free(drawing.boxes);
}

/* ---- Statistics ----------------------------------------------------------------------------- */

static const struct count {
	const char *heading; /* also the key in JSON */
	size_t offset;	     /* in struct pcpu_chunk_stats */
	bool bytes;
} counts[] = {
#define COUNT_OF(name, bytes)                                                                      \
	{                                                                                          \
#name, offsetof(struct pcpu_chunk_stats, name), bytes                              \
	}
	COUNT_OF(size, true),	    COUNT_OF(areas, false),	  COUNT_OF(used, true),
	COUNT_OF(idle, true),	    COUNT_OF(free, true),	  COUNT_OF(fragments, false),
	COUNT_OF(fragmented, true), COUNT_OF(largest_free, true), COUNT_OF(smallest, true),
	COUNT_OF(median, true),	    COUNT_OF(largest, true),	  COUNT_OF(resident, false),
	COUNT_OF(empty, false),
#undef COUNT_OF
};

#define NUM_COUNTS (sizeof(counts) / sizeof(counts[0]))

static size_t count_of(const struct pcpu_chunk_stats *chunk, size_t index)
{
	return *(const size_t *)((const char *)chunk + counts[index].offset);
}

static const char *chunk_cell(const void *data, size_t row, size_t column, char *buffer)
{
	const struct pcpu_chunk_stats *chunk = (const struct pcpu_chunk_stats *)data + row - 1;

	if (row == 0)
		return column == 0 ? "chunk" : column == 1 ? "offset" : counts[column - 2].heading;
	if (column == 0 && row == 1)
		return "reserved";
	if (column == 0)
		snprintf(buffer, CELL_TEXT, "%zu", row - 2);
	else if (column == 1)
		snprintf(buffer, CELL_TEXT, "0x%zx", chunk->offset);
	else if (counts[column - 2].bytes)
		size_text(buffer, count_of(chunk, column - 2));
	else
		snprintf(buffer, CELL_TEXT, "%zu", count_of(chunk, column - 2));
	return buffer;
}

static void print_stats(const struct survey *survey)
{
	const struct pcpu_totals *stats = &survey->stats;
	const struct table table = { survey->num_chunks + 1, NUM_COUNTS + 2, "lr", 1, chunk_cell,
				     survey->chunks };
	char first[SIZE_TEXT], second[SIZE_TEXT], third[SIZE_TEXT];

	printf("\nThe first chunk has %s of dynamic memory, a further one as a rule %s; "
	       "chunks: %zu, at most %zu.\n",
	       size_text(first, survey->map.dynamic_size),
	       size_text(second, survey->map.chunk_size), stats->chunks, stats->most_chunks);
	printf("Variables allocated: %zu, at most %zu with those that lists hold", stats->areas,
	       stats->most_areas);
	if (stats->largest)
		printf("; of %s to %s", size_text(first, stats->smallest),
		       size_text(second, stats->largest));
	printf(".\nPages of %s in memory: %zu static, %zu in chunks, of which %zu empty.\n\n",
	       size_text(third, stats->page), stats->static_resident, stats->resident,
	       stats->empty);
	print_table(stdout, &table, output_width(stdout));
}

static const char *module_cell(const void *data, size_t row, size_t column, char *buffer)
{
	static const char *const headings[] = { "module", "offset", "size" };
	const struct placed *module = (const struct placed *)data + row - 1;

	if (row == 0)
		return headings[column];
	switch (column) {
	case 0:
		return module->name;
	case 1:
		if (module->begin == module->end)
			return "-";
		snprintf(buffer, CELL_TEXT, "0x%zx", module->begin);
		return buffer;
	default:
		return size_text(buffer, module->end - module->begin);
	}
}

static void print_survey(const struct survey *survey)
{
	struct region regions[NUM_REGIONS];
	const struct table table = { NUM_REGIONS + 1, 5, "lr", 1, region_cell, regions };
	const struct table modules = { survey->num_modules + 1, 3, "lr", 1, module_cell,
				       survey->modules };

	print_heading();
	print_drawing(survey);
	find_regions(&survey->map, regions);
	printf("\nIn the cookies and in each unit:\n");
	print_table(stdout, &table, SIZE_MAX);
	print_stats(survey);
	if (!survey->num_modules)
		return;
	printf("\nVariables of modules, in the reserved region:\n");
	print_table(stdout, &modules, SIZE_MAX);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void json_regions(struct json *json, const struct pcpu_map *map)
{
	struct region regions[NUM_REGIONS];

	find_regions(map, regions);
	json_begin(json, "regions", '[');
	for (size_t i = 0; i < NUM_REGIONS; i++) {
		json_begin(json, NULL, '{');
		json_string(json, "name", regions[i].name);
		json_unsigned(json, "offset", regions[i].offset);
		json_unsigned(json, "size", regions[i].size);
		json_unsigned(json, "used", regions[i].used);
		json_end(json, '{');
	}
	json_end(json, '[');
}

static void json_units(struct json *json, const struct pcpu_map *map)
{
	unsigned int cpu;

	json_begin(json, "units", '{');
	for_each_possible_cpu(cpu) {
		char key[CELL_TEXT];

		snprintf(key, sizeof(key), "%u", cpu);
		json_address(json, key, map->cookies + per_cpu_offset(cpu));
	}
	json_end(json, '{');
}

static void json_stats(struct json *json, const struct pcpu_totals *stats)
{
	json_begin(json, "stats", '{');
	json_unsigned(json, "areas", stats->areas);
	json_unsigned(json, "most_areas", stats->most_areas);
	json_unsigned(json, "used", stats->used);
	json_unsigned(json, "idle", stats->idle);
	json_unsigned(json, "free", stats->free);
	json_unsigned(json, "fragments", stats->fragments);
	json_unsigned(json, "fragmented", stats->fragmented);
	json_unsigned(json, "smallest", stats->smallest);
	json_unsigned(json, "largest", stats->largest);
	json_unsigned(json, "chunks", stats->chunks);
	json_unsigned(json, "most_chunks", stats->most_chunks);
	json_unsigned(json, "page", stats->page);
	json_unsigned(json, "static_resident", stats->static_resident);
	json_unsigned(json, "resident", stats->resident);
	json_unsigned(json, "empty", stats->empty);
	json_end(json, '{');
}

static void json_chunks(struct json *json, const struct survey *survey)
{
	json_begin(json, "chunk_stats", '[');
	for (size_t i = 0; i < survey->num_chunks; i++) {
		json_begin(json, NULL, '{');
		json_string(json, "region", i ? "dynamic" : "reserved");
		json_unsigned(json, "offset", survey->chunks[i].offset);
		for (size_t j = 0; j < NUM_COUNTS; j++)
			json_unsigned(json, counts[j].heading, count_of(&survey->chunks[i], j));
		json_end(json, '{');
	}
	json_end(json, '[');
}

/* Ranges of pages, as pairs of offset and size. */
static void json_resident(struct json *json, const struct survey *survey)
{
	size_t page = survey->stats.page, end;

	json_begin(json, "resident", '{');
	for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++) {
		const unsigned char *there = survey->resident[cpu];
		char key[CELL_TEXT];

		if (!there)
			continue;
		snprintf(key, sizeof(key), "%u", cpu);
		json_begin(json, key, '[');
		for (size_t i = 0; i < survey->pages; i = end) {
			for (end = i + 1; end < survey->pages && there[end] == there[i]; end++)
				;
			if (!there[i])
				continue;
			json_begin(json, NULL, '[');
			json_unsigned(json, NULL, i * page);
			json_unsigned(json, NULL, (end - i) * page);
			json_end(json, '[');
		}
		json_end(json, '[');
	}
	json_end(json, '{');
}

static void json_modules(struct json *json, const struct survey *survey)
{
	json_begin(json, "modules", '[');
	for (size_t i = 0; i < survey->num_modules; i++) {
		json_begin(json, NULL, '{');
		json_string(json, "name", survey->modules[i].name);
		json_unsigned(json, "offset", survey->modules[i].begin);
		json_unsigned(json, "size", survey->modules[i].end - survey->modules[i].begin);
		json_end(json, '{');
	}
	json_end(json, '[');
}

static void json_survey(FILE *out, const struct survey *survey)
{
	struct json json = { .out = out, .lines = 2 };
	const struct pcpu_map *map = &survey->map;

	json_begin(&json, NULL, '{');
	json_string(&json, "operations", pcpu_ops_name());
	json_address(&json, "cookies", map->cookies);
	json_address(&json, "arena", map->arena);
	json_unsigned(&json, "arena_size", map->arena_size);
	json_unsigned(&json, "unit_size", map->unit_size);
	json_units(&json, map);
	json_regions(&json, map);
	json_unsigned(&json, "first_chunk_size", map->dynamic_size);
	json_unsigned(&json, "chunk_size", map->chunk_size);
	json_unsigned(&json, "chunks", map->chunks);
	json_unsigned(&json, "variables", map->areas);
	json_stats(&json, &survey->stats);
	json_chunks(&json, survey);
	json_resident(&json, survey);
	json_modules(&json, survey);
	json_end(&json, '{');
}

/* ---- The command ---------------------------------------------------------------------------- */

/* What the options ask for. */
struct wishes {
	bool json;
	const char *function; /* to be called first, or NULL */
	const char *picture;  /* a file, or NULL */
	struct tree_place place;
	struct request *modules;
	size_t num_modules;
};

static enum status parse_options(int argc, char **argv, struct wishes *wishes)
{
	static const struct option options[] = {
		{ "call", required_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ "module-dir", required_argument, NULL, 'm' },
		{ "config", required_argument, NULL, 'C' },
		{ "svg", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	enum status status = STATUS_GO_ON;
	int code;

	while ((code = next_option(&map_command, argc, argv, options, &status)) != -1) {
		if (code == 'f')
			wishes->function = optarg;
		else if (code == 'j')
			wishes->json = true;
		else if (code == 'm')
			wishes->place.dir = optarg;
		else if (code == 'C')
			add_config(&wishes->place, optarg);
		else
			wishes->picture = optarg;
	}
	if (status == STATUS_GO_ON && argv[optind])
		status = parse_requests(&map_command, argv + optind, &wishes->modules,
					&wishes->num_modules);
	return status;
}

/* Once on each CPU that this process may run on, so that there is something to see. */
static enum status call(const struct session *session, const char *function)
{
	struct cpu_set allowed = allowed_cpus();
	struct calls calls = { .name = function, .count = 1 };
	enum status status = STATUS_FAILED;
	size_t owner;

	calls.cpus = allocate(nr_cpu_ids, sizeof(*calls.cpus));
	calls.calls = allocate(nr_cpu_ids, sizeof(*calls.calls));
	for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++) {
		if (cpu_set_has(&allowed, cpu))
			calls.cpus[calls.num_cpus++] = cpu;
	}
	calls.function = (void (*)(void))find_function(session, function, &owner);
	if (calls.function)
		status = make_calls(&calls);
	fflush(stdout);
	free(calls.cpus);
	free(calls.calls);
	cpu_set_free(&allowed);
	return status == STATUS_DONE && calls.interrupted ? STATUS_INTERRUPTED : status;
}

static enum status look_and_show(const struct wishes *wishes, const struct session *session,
				 FILE *out)
{
	struct survey survey = { .session = session };
	enum status status = STATUS_DONE;

	pcpu_get_map(&survey.map);
	survey_chunks(&survey);
	survey_pages(&survey);
	survey_modules(&survey);
	if (wishes->picture)
		status = draw_picture(&survey, wishes->picture);
	if (status == STATUS_DONE && wishes->json)
		json_survey(out, &survey);
	else if (status == STATUS_DONE && !wishes->picture)
		print_survey(&survey);
	free_survey(&survey);
	return status;
}

/* With the modules loaded, in a context of their own. */
static enum status load_and_look(const struct wishes *wishes, struct session *session, FILE *out)
{
	const struct trust no_trust = { 0 };
	enum status status, unloaded;

	permod_catch_crashes(STDERR_FILENO);
	if (open_context(&session->place, &no_trust, &session->pm) != STATUS_DONE)
		return STATUS_FAILED;
	status = load_modules(session, wishes->modules, wishes->num_modules);
	if (status == STATUS_DONE && wishes->function)
		status = call(session, wishes->function);
	if (status == STATUS_DONE)
		status = look_and_show(wishes, session, out);
	unloaded = unload_modules(session);
	permod_free(session->pm);
	return unloaded == STATUS_DONE ? status : unloaded;
}

static enum status load_and_show(const struct wishes *wishes, FILE *out)
{
	struct session session = { .place = wishes->place };
	enum status status;

	if (wishes->place.dir && !is_tree(wishes->place.dir)) {
		session.dir = open_module_dir(wishes->place.dir);
		if (!session.dir)
			return STATUS_FAILED;
	}
	status = load_and_look(wishes, &session, out);
	close_module_dir(session.dir);
	return status;
}

static enum status map(int argc, char **argv)
{
	struct wishes wishes = { .json = false };
	enum status status = parse_options(argc, argv, &wishes);
	FILE *out = stdout;

	if (status == STATUS_GO_ON && wishes.json)
		out = divert_stdout();
	if (status == STATUS_GO_ON)
		status = out ? load_and_show(&wishes, out) : STATUS_FAILED;
	if (out && out != stdout && fclose(out)) {
		complain("can't write the output: %s", strerror(errno));
		status = STATUS_FAILED;
	}
	free_requests(wishes.modules, wishes.num_modules);
	free(wishes.place.config);
	return status;
}

const struct command map_command = {
	.name = "map",
	.synopsis = "[OPTION ...] [MODULE [name=value ...] [-- MODULE [name=value ...] ...]]",
	.summary = "the per-CPU address space of this process, with modules loaded",
	.help = "  --call FUNCTION    call FUNCTION of the modules once on each CPU, then look\n"
		"  --config PATH      with a module tree: a folder or file as in modprobe.d; repeatable\n"
		"  --json             print one JSON document; what modules print goes to standard error\n"
		"  --module-dir DIR   find modules named without a folder, and what they need, in DIR\n"
		"  --svg FILE         write a picture to FILE, and no text\n"
		"\n"
		"Each MODULE is loaded as by permod run, and unloaded afterwards.\n",
	.run = map,
};
