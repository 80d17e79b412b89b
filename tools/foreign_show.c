/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What permod check --for shows: what stands against the file, and a linker's map of what became of it.
 */
#include "foreign.h"

#include "elf/arch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const region_names[LINK_REGIONS] = {
	[LINK_TEXT] = "text",
	[LINK_RODATA] = "rodata",
	[LINK_RO_AFTER_INIT] = "ro_after_init",
	[LINK_DATA] = "data",
	[LINK_INIT_TEXT] = "init_text",
	[LINK_INIT_RODATA] = "init_rodata",
	[LINK_INIT_DATA] = "init_data",
	[LINK_PERCPU] = "percpu",
	[LINK_TLS] = "tls",
	[LINK_RSEQ] = "rseq",
};

/* Thread-local ones have none, nor descriptors of restartable sequences. */
static bool has_address(size_t region)
{
	return region <= LINK_PERCPU;
}

static uint64_t region_address(const struct link *link, size_t region)
{
	return region == LINK_PERCPU ? link->percpu_address
				     : link->base + link->part[region].offset;
}

static const char *provider_of(const struct foreign_external *external)
{
	if (external->said)
		return external->said->provider;
	if (!external->symbol->defined)
		return external->symbol->bind == STB_WEAK ? "nobody (weak)" : "nobody";
	return "assumed";
}

static const char *way_to(const struct foreign_result *result,
			  const struct foreign_external *external)
{
	static const char *const ways[2][2] = { { "direct", "stub" }, { "GOT", "GOT, stub" } };
	const struct link_symbol *symbol = external->symbol;

	if (!result->relocated || !symbol->defined)
		return "-";
	return ways[symbol->got_used][symbol->stub_used];
}

/* ---- Cells ---------------------------------------------------------------------------------- */

/* What tables ask for. */
struct view {
	const struct foreign_result *result;
	const struct link_section **sections; /* that are not empty */
	size_t num_sections;
	size_t regions[LINK_REGIONS]; /* those that have something */
	size_t num_regions;
};

static const char *address_text(char *buffer, uint64_t address)
{
	snprintf(buffer, CELL_TEXT, "0x%" PRIx64, address);
	return buffer;
}

static const char *number_text(char *buffer, uint64_t number)
{
	snprintf(buffer, CELL_TEXT, "%" PRIu64, number);
	return buffer;
}

static const char *region_cell(const void *data, size_t row, size_t column, char *buffer)
{
	static const char *const headings[] = { "region", "address", "size" };
	const struct view *view = data;
	const struct link *link = view->result->link;
	size_t region;

	if (row == 0)
		return headings[column];
	region = view->regions[row - 1];
	if (column == 0)
		return region_names[region];
	if (column == 2)
		return number_text(buffer, link->part[region].size);
	return has_address(region) ? address_text(buffer, region_address(link, region)) : "-";
}

static const char *section_cell(const void *data, size_t row, size_t column, char *buffer)
{
	static const char *const headings[] = { "object",  "section", "region",
						"address", "size",    "align" };
	const struct view *view = data;
	const struct link_section *section;

	if (row == 0)
		return headings[column];
	section = view->sections[row - 1];
	switch (column) {
	case 0:
		return link_object_name(section->object);
	case 1:
		return section->name;
	case 2:
		return region_names[section->region];
	case 3:
		return has_address(section->region)
			       ? address_text(buffer,
					      link_section_address(view->result->link, section))
			       : "-";
	case 4:
		return number_text(buffer, section->size);
	default:
		return number_text(buffer, section->align);
	}
}

static const char *external_cell(const void *data, size_t row, size_t column, char *buffer)
{
	static const char *const headings[] = { "needed", "provider", "address", "reached",
						"uses",	  "first",    "in",	 "at" };
	const struct view *view = data;
	const struct foreign_external *external;

	if (row == 0)
		return headings[column];
	external = &view->result->externals[row - 1];
	switch (column) {
	case 0:
		return external->symbol->name;
	case 1:
		return provider_of(external);
	case 2:
		return external->symbol->defined ? address_text(buffer, external->symbol->value)
						 : "-";
	case 3:
		return way_to(view->result, external);
	case 4:
		return number_text(buffer, external->references);
	case 5:
		return external->type ? external->type : "-";
	case 6:
		return external->section ? external->section : "-";
	default:
		snprintf(buffer, CELL_TEXT, "+0x%" PRIx64, external->offset);
		return external->section ? buffer : "-";
	}
}

static const char *global_cell(const void *data, size_t row, size_t column, char *buffer)
{
	static const char *const headings[] = { "defined", "region", "address", "size" };
	const struct view *view = data;
	const struct link_symbol *symbol;

	if (row == 0)
		return headings[column];
	symbol = view->result->globals[row - 1];
	switch (column) {
	case 0:
		return symbol->name;
	case 1:
		return region_names[symbol->section->region];
	case 2:
		return has_address(symbol->section->region)
			       ? address_text(buffer,
					      link_symbol_address(view->result->link, symbol))
			       : "-";
	default:
		return number_text(buffer, symbol->size);
	}
}

static const char *type_cell(const void *data, size_t row, size_t column, char *buffer)
{
	static const char *const headings[] = { "relocation", "uses" };
	const struct view *view = data;

	if (row == 0)
		return headings[column];
	if (column == 0)
		return view->result->types[row - 1].type;
	return number_text(buffer, view->result->types[row - 1].count);
}

/* ---- Text ----------------------------------------------------------------------------------- */

/* Its sections are to be freed. */
static struct view view_of(const struct foreign_result *result)
{
	struct view view = { .result = result };
	struct link_section *const *placed;
	size_t count;

	if (!result->laid_out)
		return view;
	placed = link_placed_sections(result->link, &count);
	view.sections = allocate(count, sizeof(*view.sections));
	for (size_t i = 0; i < count; i++) {
		if (placed[i]->size)
			view.sections[view.num_sections++] = placed[i];
	}
	for (size_t i = 0; i < LINK_REGIONS; i++) {
		if (result->link->part[i].size)
			view.regions[view.num_regions++] = i;
	}
	return view;
}

static void print_tables(const struct view *view)
{
	const struct foreign_result *result = view->result;
	const struct table tables[] = {
		{ view->num_regions + 1, 3, "lrr", 1, region_cell, view },
		{ view->num_sections + 1, 6, "lllrrr", 2, section_cell, view },
		{ result->num_externals + 1, 8, "llrlrlll", 1, external_cell, view },
		{ result->num_globals + 1, 4, "llrr", 1, global_cell, view },
		{ result->num_types + 1, 2, "lr", 1, type_cell, view },
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (tables[i].rows == 1)
			continue;
		putchar('\n');
		print_table(stdout, &tables[i], SIZE_MAX);
	}
}

static size_t count_assumed(const struct foreign_result *result)
{
	size_t count = 0;

	for (size_t i = 0; i < result->num_externals; i++)
		count += !result->externals[i].said && result->externals[i].symbol->defined;
	return count;
}

void show_foreign(const struct foreign_result *result)
{
	const struct link *link = result->link;
	struct view view;
	size_t assumed = count_assumed(result);

	print_text(stdout, result->path);
	printf(": %s for %s\n", result->num_problems ? "does not link" : "links", link->arch->name);
	for (size_t i = 0; i < result->num_problems; i++) {
		fputs("problem: ", stdout);
		print_text(stdout, result->problems[i]);
		putchar('\n');
	}
	if (!result->laid_out)
		return;
	view = view_of(result);
	printf("it begins at 0x%" PRIx64 " and takes %" PRIu64 " bytes, in pages of %" PRIu64 "\n",
	       link->base, link->block_size, link->page_size);
	if (assumed)
		printf("symbols of which nobody says where they are: %zu, taken for functions "
		       "right behind it\n",
		       assumed);
	print_tables(&view);
	free(view.sections);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

/* null: it has none. */
static void json_place(struct json *json, bool placed, uint64_t address)
{
	if (placed)
		json_address(json, "address", address);
	else
		json_string(json, "address", NULL);
}

static void json_regions(struct json *json, const struct view *view)
{
	const struct link *link = view->result->link;

	json_begin(json, "regions", '[');
	for (size_t i = 0; i < view->num_regions; i++) {
		size_t region = view->regions[i];

		json_begin(json, NULL, '{');
		json_string(json, "name", region_names[region]);
		json_place(json, has_address(region), region_address(link, region));
		json_unsigned(json, "size", link->part[region].size);
		json_end(json, '{');
	}
	json_end(json, '[');
}

static void json_sections(struct json *json, const struct view *view)
{
	json_begin(json, "sections", '[');
	for (size_t i = 0; i < view->num_sections; i++) {
		const struct link_section *section = view->sections[i];

		json_begin(json, NULL, '{');
		json_string(json, "object", link_object_name(section->object));
		json_string(json, "section", section->name);
		json_string(json, "region", region_names[section->region]);
		json_place(json, has_address(section->region),
			   link_section_address(view->result->link, section));
		json_unsigned(json, "size", section->size);
		json_unsigned(json, "align", section->align);
		json_end(json, '{');
	}
	json_end(json, '[');
}

static void json_first(struct json *json, const struct foreign_external *external)
{
	if (!external->type) {
		json_string(json, "first", NULL);
		return;
	}
	json_begin(json, "first", '{');
	json_string(json, "section", external->section);
	json_unsigned(json, "offset", external->offset);
	json_string(json, "type", external->type);
	json_end(json, '{');
}

static void json_externals(struct json *json, const struct foreign_result *result)
{
	json_begin(json, "symbols", '[');
	for (size_t i = 0; i < result->num_externals; i++) {
		const struct foreign_external *external = &result->externals[i];
		const struct link_symbol *symbol = external->symbol;

		json_begin(json, NULL, '{');
		json_string(json, "name", symbol->name);
		json_string(json, "provider", external->said ? external->said->provider : NULL);
		json_place(json, symbol->defined, symbol->value);
		json_bool(json, "weak", symbol->bind == STB_WEAK);
		json_bool(json, "got", result->relocated && symbol->got_used);
		json_bool(json, "stub", result->relocated && symbol->stub_used);
		json_unsigned(json, "references", external->references);
		json_first(json, external);
		json_end(json, '{');
	}
	json_end(json, '[');
}

static void json_globals(struct json *json, const struct foreign_result *result)
{
	json_begin(json, "defined", '[');
	for (size_t i = 0; i < result->num_globals; i++) {
		const struct link_symbol *symbol = result->globals[i];

		json_begin(json, NULL, '{');
		json_string(json, "name", symbol->name);
		json_string(json, "region", region_names[symbol->section->region]);
		json_place(json, has_address(symbol->section->region),
			   link_symbol_address(result->link, symbol));
		json_unsigned(json, "size", symbol->size);
		json_end(json, '{');
	}
	json_end(json, '[');
}

void show_foreign_json(const struct foreign_result *result)
{
	struct json json = { .out = stdout, .lines = 2 };
	struct view view = view_of(result);

	json_begin(&json, NULL, '{');
	json_string(&json, "filename", result->path);
	json_string(&json, "machine", result->link->arch->name);
	json_bool(&json, "links", !result->num_problems);
	json_begin(&json, "problems", '[');
	for (size_t i = 0; i < result->num_problems; i++)
		json_string(&json, NULL, result->problems[i]);
	json_end(&json, '[');
	if (result->laid_out) {
		json_address(&json, "base", result->link->base);
		json_unsigned(&json, "size", result->link->block_size);
		json_unsigned(&json, "page_size", result->link->page_size);
		json_regions(&json, &view);
		json_sections(&json, &view);
		json_externals(&json, result);
		json_globals(&json, result);
		json_begin(&json, "relocations", '{');
		for (size_t i = 0; i < result->num_types; i++)
			json_unsigned(&json, result->types[i].type, result->types[i].count);
		json_end(&json, '{');
	}
	json_end(&json, '{');
	free(view.sections);
}
