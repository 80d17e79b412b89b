/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What permod check shows: a linker's map of what loading a file would make of it.  What stands
 * against it, the place and why it is there, sections, symbols from outside, slots and stubs.
 */
#include "tool.h"

#include <string.h>

/* A plan, with how many of each it has. */
struct plan_view {
	const struct permod_plan *plan;
	const struct permod_plan_place *place;
	size_t sections, symbols, slots, problems;
	uintptr_t low, high;
};

static struct plan_view view_of(const struct permod_plan *plan)
{
	struct plan_view view = { .plan = plan };

	if (!plan)
		return view;
	view.place = permod_plan_place(plan);
	permod_plan_interval(plan, &view.low, &view.high);
	while (permod_plan_section(plan, (unsigned int)view.sections))
		view.sections++;
	while (permod_plan_symbol(plan, (unsigned int)view.symbols))
		view.symbols++;
	while (permod_plan_slot(plan, (unsigned int)view.slots))
		view.slots++;
	while (permod_plan_problem(plan, (unsigned int)view.problems))
		view.problems++;
	return view;
}

/* How code reaches a symbol. */
static const char *way_to(const struct permod_plan_symbol *symbol)
{
	static const char *const ways[2][2] = { { "direct", "stub" }, { "GOT", "GOT, stub" } };

	if (!symbol->provider)
		return "-";
	return ways[symbol->got != 0][symbol->stub != 0];
}

static const char *provider_of(const struct permod_plan_symbol *symbol)
{
	if (symbol->provider)
		return symbol->provider;
	return symbol->weak ? "nobody (weak)" : "nobody";
}

/* ---- Cells ---------------------------------------------------------------------------------- */

static const char *address_text(char *buffer, uintptr_t address)
{
	if (!address)
		return "-";
	snprintf(buffer, CELL_TEXT, "0x%zx", (size_t)address);
	return buffer;
}

static const char *number_text(char *buffer, size_t number)
{
	snprintf(buffer, CELL_TEXT, "%zu", number);
	return buffer;
}

/* A site has three columns. */
static const char *site_cell(const struct permod_plan_site *site, size_t column, char *buffer)
{
	if (!site->object)
		return "-";
	if (column == 0)
		return site->type;
	if (column == 1)
		return site->section;
	snprintf(buffer, CELL_TEXT, "+0x%zx", site->offset);
	return buffer;
}

static const char *region_text(const struct permod_plan_section *section)
{
	return section->discarded ? "discarded" : section->region;
}

static const char *section_cell(const void *data, size_t row, size_t column, char *buffer)
{
	static const char *const headings[] = { "object",  "section", "region", "offset",
						"address", "size",    "align" };
	const struct plan_view *view = data;
	const struct permod_plan_section *section;

	if (row == 0)
		return headings[column];
	section = permod_plan_section(view->plan, (unsigned int)row - 1);
	switch (column) {
	case 0:
		return section->object;
	case 1:
		return section->name;
	case 2:
		return region_text(section);
	case 3:
		return section->region[0] == '-' ? "-" : number_text(buffer, section->offset);
	case 4:
		return address_text(buffer, section->address);
	case 5:
		return number_text(buffer, section->size);
	default:
		return number_text(buffer, section->align);
	}
}

static const char *symbol_cell(const void *data, size_t row, size_t column, char *buffer)
{
	static const char *const headings[] = { "symbol", "provider", "address", "reached",
						"uses",	  "first",    "in",	 "at" };
	const struct plan_view *view = data;
	const struct permod_plan_symbol *symbol;

	if (row == 0)
		return headings[column];
	symbol = permod_plan_symbol(view->plan, (unsigned int)row - 1);
	switch (column) {
	case 0:
		return symbol->name;
	case 1:
		return provider_of(symbol);
	case 2:
		return address_text(buffer, symbol->address);
	case 3:
		return way_to(symbol);
	case 4:
		return number_text(buffer, symbol->references);
	default:
		return site_cell(&symbol->first, column - 5, buffer);
	}
}

static const char *slot_cell(const void *data, size_t row, size_t column, char *buffer)
{
	static const char *const headings[] = { "for",	"kind",	 "address", "holds",
						"uses", "first", "in",	    "at" };
	const struct plan_view *view = data;
	const struct permod_plan_slot *slot;

	if (row == 0)
		return headings[column];
	slot = permod_plan_slot(view->plan, (unsigned int)row - 1);
	switch (column) {
	case 0:
		return *slot->symbol ? slot->symbol : "(own)";
	case 1:
		return slot->kind;
	case 2:
		return address_text(buffer, slot->address);
	case 3:
		return address_text(buffer, slot->target);
	case 4:
		return number_text(buffer, slot->references);
	default:
		/* What only a stub uses is no relocation's. */
		return slot->first.object || column != 5
			       ? site_cell(&slot->first, column - 5, buffer)
			       : "its stub";
	}
}

/* ---- Text ----------------------------------------------------------------------------------- */

static void print_problem(FILE *out, const char *problem)
{
	fputs("problem: ", out);
	print_text(out, problem);
	putc('\n', out);
}

static void print_bound(FILE *out, const char *what, const struct permod_plan_bound *bound)
{
	if (!bound->symbol)
		return;
	fprintf(out, "  %s set by ", what);
	print_text(out, bound->symbol);
	fprintf(out, ": %s in ", bound->site.type);
	print_text(out, bound->site.object);
	fputs(", ", out);
	print_text(out, bound->site.section);
	fprintf(out, "+0x%zx\n", bound->site.offset);
}

static void print_interval(FILE *out, const struct plan_view *view)
{
	const struct permod_plan_place *place = view->place;

	if (view->low <= view->high)
		fprintf(out, "it could begin anywhere from 0x%zx to 0x%zx\n", (size_t)view->low,
			(size_t)view->high);
	else if (place->low.symbol || place->high.symbol)
		fprintf(out,
			"there is no address at which it could begin: it would have to be at "
			"least 0x%zx and at most 0x%zx\n",
			(size_t)view->low, (size_t)view->high);
	else
		fprintf(out, "no place was looked for\n");
	print_bound(out, "lowest", &place->low);
	print_bound(out, "highest", &place->high);
}

static void print_place(FILE *out, const struct permod_plan_place *place)
{
	char size[SIZE_TEXT], other[SIZE_TEXT];

	if (place->base)
		fprintf(out, "it would begin at 0x%zx (%s)\n", (size_t)place->base, place->reason);
	fprintf(out, "memory: %s in pages of its own", size_text(size, place->size));
	if (place->init_size)
		fprintf(out, ", of which %s go when init has run",
			size_text(size, place->init_size));
	putc('\n', out);
	if (place->percpu_size)
		fprintf(out,
			"per-CPU variables: %zu bytes on each CPU, aligned to %zu; others use %s of "
			"%s\n",
			place->percpu_size, place->percpu_align,
			size_text(size, place->percpu_used),
			size_text(other, place->percpu_reserved));
	if (place->tls_size)
		fprintf(out, "thread-local variables: %zu bytes in each thread, aligned to %zu\n",
			place->tls_size, place->tls_align);
	if (place->features)
		fprintf(out, "its code is fit for:%s%s\n",
			place->features & PERMOD_FEATURE_IBT ? " IBT" : "",
			place->features & PERMOD_FEATURE_SHSTK ? " SHSTK" : "");
	if (place->discarded)
		fprintf(out, "references to discarded sections, which become 0: %zu\n",
			place->discarded);
}

static void print_tables(FILE *out, const struct plan_view *view)
{
	const struct table tables[] = {
		{ view->sections + 1, 7, "lllrrrr", 2, section_cell, view },
		{ view->symbols + 1, 8, "llrlrlll", 1, symbol_cell, view },
		{ view->slots + 1, 8, "llrrrlll", 2, slot_cell, view },
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (tables[i].rows == 1)
			continue;
		putc('\n', out);
		print_table(out, &tables[i], SIZE_MAX);
	}
}

void show_plan(FILE *out, const struct permod_plan *plan, const char *path, const char *error)
{
	struct plan_view view = view_of(plan);

	print_text(out, path);
	fputs(error ? ": would not load\n" : ": would load\n", out);
	for (unsigned int i = 0; i < view.problems; i++)
		print_problem(out, permod_plan_problem(plan, i));
	if (error && view.problems == 0)
		print_problem(out, error);
	print_interval(out, &view);
	print_place(out, view.place);
	print_tables(out, &view);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void json_site(struct json *json, const char *key, const struct permod_plan_site *site)
{
	if (!site->object) {
		json_string(json, key, NULL);
		return;
	}
	json_begin(json, key, '{');
	json_string(json, "object", site->object);
	json_string(json, "section", site->section);
	json_unsigned(json, "offset", site->offset);
	json_string(json, "type", site->type);
	json_end(json, '{');
}

static void json_sections(struct json *json, const struct plan_view *view)
{
	json_begin(json, "sections", '[');
	for (unsigned int i = 0; i < view->sections; i++) {
		const struct permod_plan_section *section = permod_plan_section(view->plan, i);

		json_begin(json, NULL, '{');
		json_string(json, "object", section->object);
		json_string(json, "section", section->name);
		json_string(json, "region", section->region);
		json_unsigned(json, "offset", section->offset);
		json_address(json, "address", section->address);
		json_unsigned(json, "size", section->size);
		json_unsigned(json, "align", section->align);
		json_bool(json, "discarded", section->discarded != 0);
		json_end(json, '{');
	}
	json_end(json, '[');
}

static void json_symbols(struct json *json, const struct plan_view *view)
{
	json_begin(json, "symbols", '[');
	for (unsigned int i = 0; i < view->symbols; i++) {
		const struct permod_plan_symbol *symbol = permod_plan_symbol(view->plan, i);

		json_begin(json, NULL, '{');
		json_string(json, "name", symbol->name);
		json_string(json, "provider", symbol->provider);
		json_address(json, "address", symbol->address);
		json_bool(json, "weak", symbol->weak != 0);
		json_bool(json, "got", symbol->got != 0);
		json_bool(json, "stub", symbol->stub != 0);
		json_unsigned(json, "references", symbol->references);
		json_site(json, "first", &symbol->first);
		json_end(json, '{');
	}
	json_end(json, '[');
}

static void json_slots(struct json *json, const struct plan_view *view)
{
	json_begin(json, "slots", '[');
	for (unsigned int i = 0; i < view->slots; i++) {
		const struct permod_plan_slot *slot = permod_plan_slot(view->plan, i);

		json_begin(json, NULL, '{');
		json_string(json, "kind", slot->kind);
		json_string(json, "symbol", slot->symbol);
		json_address(json, "address", slot->address);
		json_address(json, "target", slot->target);
		json_unsigned(json, "references", slot->references);
		json_site(json, "first", &slot->first);
		json_end(json, '{');
	}
	json_end(json, '[');
}

static void json_bound(struct json *json, const char *key, const struct permod_plan_bound *bound)
{
	if (!bound->symbol) {
		json_string(json, key, NULL);
		return;
	}
	json_begin(json, key, '{');
	json_string(json, "symbol", bound->symbol);
	json_site(json, "reference", &bound->site);
	json_end(json, '{');
}

static void json_place(struct json *json, const struct plan_view *view)
{
	const struct permod_plan_place *place = view->place;

	json_begin(json, "interval", '{');
	json_address(json, "low", view->low);
	json_address(json, "high", view->high);
	json_bound(json, "low_set_by", &place->low);
	json_bound(json, "high_set_by", &place->high);
	json_end(json, '{');
	json_begin(json, "place", '{');
	json_address(json, "address", place->base);
	json_string(json, "reason", place->reason);
	json_unsigned(json, "size", place->size);
	json_unsigned(json, "init_size", place->init_size);
	json_end(json, '{');
	json_begin(json, "percpu", '{');
	json_unsigned(json, "size", place->percpu_size);
	json_unsigned(json, "align", place->percpu_align);
	json_unsigned(json, "used", place->percpu_used);
	json_unsigned(json, "reserved", place->percpu_reserved);
	json_end(json, '{');
	json_begin(json, "tls", '{');
	json_unsigned(json, "size", place->tls_size);
	json_unsigned(json, "align", place->tls_align);
	json_end(json, '{');
	json_unsigned(json, "discarded_references", place->discarded);
	json_begin(json, "features", '[');
	if (place->features & PERMOD_FEATURE_IBT)
		json_string(json, NULL, "IBT");
	if (place->features & PERMOD_FEATURE_SHSTK)
		json_string(json, NULL, "SHSTK");
	json_end(json, '[');
}

void show_plan_json(FILE *out, const struct permod_plan *plan, const char *path, const char *error)
{
	struct json json = { .out = out, .lines = 2 };
	struct plan_view view = view_of(plan);

	json_begin(&json, NULL, '{');
	json_string(&json, "filename", path);
	json_bool(&json, "loads", !error);
	json_begin(&json, "problems", '[');
	for (unsigned int i = 0; i < view.problems; i++)
		json_string(&json, NULL, permod_plan_problem(plan, i));
	if (error && view.problems == 0)
		json_string(&json, NULL, error);
	json_end(&json, '[');
	if (plan)
		json_place(&json, &view);
	json_sections(&json, &view);
	json_symbols(&json, &view);
	json_slots(&json, &view);
	json_end(&json, '{');
}
