/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * permod check: would a file load into this program?  Shows where every section would go, who
 * provides every symbol, and what stands against it.  Nothing of the file is run.
 */
#include "tool.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

struct plan_view {
	const struct permod_plan *plan;
	size_t sections, symbols, problems;
};

static struct plan_view view_of(const struct permod_plan *plan)
{
	struct plan_view view = { .plan = plan };

	if (!plan)
		return view;
	while (permod_plan_section(plan, (unsigned int)view.sections))
		view.sections++;
	while (permod_plan_symbol(plan, (unsigned int)view.symbols))
		view.symbols++;
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

/* ---- Text ----------------------------------------------------------------------------------- */

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

static const char *section_cell(const void *data, size_t row, size_t column, char *buffer)
{
	static const char *const headings[] = { "object",  "section", "region",
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
		return section->region;
	case 3:
		return address_text(buffer, section->address);
	case 4:
		return number_text(buffer, section->size);
	default:
		return number_text(buffer, section->align);
	}
}

static const char *symbol_cell(const void *data, size_t row, size_t column, char *buffer)
{
	static const char *const headings[] = { "symbol", "provider", "address", "reached" };
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
	default:
		return way_to(symbol);
	}
}

static void print_plan(const struct plan_view *view)
{
	const struct table sections = { view->sections + 1, 6, "lllrrr", 2, section_cell, view };
	const struct table symbols = { view->symbols + 1, 4, "llrl", 1, symbol_cell, view };
	uintptr_t low, high;

	permod_plan_interval(view->plan, &low, &high);
	if (low <= high)
		printf("it could begin anywhere from 0x%zx to 0x%zx\n", (size_t)low, (size_t)high);
	else
		printf("there is no address at which it could begin\n");
	if (view->sections > 0) {
		putchar('\n');
		print_table(stdout, &sections, SIZE_MAX);
	}
	if (view->symbols > 0) {
		putchar('\n');
		print_table(stdout, &symbols, SIZE_MAX);
	}
}

static void print_check(const struct plan_view *view, const char *path, const char *error)
{
	print_text(stdout, path);
	printf(error ? ": would not load\n" : ": would load\n");
	for (unsigned int i = 0; i < view->problems; i++) {
		printf("problem: ");
		print_text(stdout, permod_plan_problem(view->plan, i));
		putchar('\n');
	}
	if (error && view->problems == 0) {
		printf("problem: ");
		print_text(stdout, error);
		putchar('\n');
	}
	if (view->plan)
		print_plan(view);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void json_sections(struct json *json, const struct plan_view *view)
{
	json_begin(json, "sections", '[');
	for (unsigned int i = 0; i < view->sections; i++) {
		const struct permod_plan_section *section = permod_plan_section(view->plan, i);

		json_begin(json, NULL, '{');
		json_string(json, "object", section->object);
		json_string(json, "section", section->name);
		json_string(json, "region", section->region);
		json_address(json, "address", section->address);
		json_unsigned(json, "size", section->size);
		json_unsigned(json, "align", section->align);
		json_end(json, '{');
	}
	json_end(json, '[');
}

static void json_plan_symbols(struct json *json, const struct plan_view *view)
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
		json_end(json, '{');
	}
	json_end(json, '[');
}

static void json_check(const struct plan_view *view, const char *path, const char *error)
{
	struct json json = { .out = stdout, .lines = 2 };
	uintptr_t low, high;

	json_begin(&json, NULL, '{');
	json_string(&json, "filename", path);
	json_bool(&json, "loads", !error);
	json_begin(&json, "problems", '[');
	for (unsigned int i = 0; i < view->problems; i++)
		json_string(&json, NULL, permod_plan_problem(view->plan, i));
	if (error && view->problems == 0)
		json_string(&json, NULL, error);
	json_end(&json, '[');
	if (view->plan) {
		permod_plan_interval(view->plan, &low, &high);
		json_begin(&json, "interval", '{');
		json_address(&json, "low", low);
		json_address(&json, "high", high);
		json_end(&json, '{');
	}
	json_sections(&json, view);
	json_plan_symbols(&json, view);
	json_end(&json, '{');
}

/* --------------------------------------------------------------------------------------------- */

/* Options may stand behind the file too. */
static enum status parse(int argc, char **argv, struct parts *parts, bool *json)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "with", required_argument, NULL, 'w' },
		{ "root", required_argument, NULL, 'r' },
		{ "whole-archive", no_argument, NULL, 'W' },
		{ "gc-sections", no_argument, NULL, 'g' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	enum status status = STATUS_GO_ON;
	int code;

	for (;;) {
		while ((code = next_option(&check_command, argc, argv, options, &status)) != -1)
			*json |= !take_parts_option(parts, code, optarg);
		if (status != STATUS_GO_ON)
			return status;
		if (optind == argc)
			break;
		if (parts->paths[0])
			return usage_error(&check_command, "too many arguments: '%s'",
					   argv[optind]);
		parts->paths[0] = argv[optind++];
	}
	return parts->paths[0] ? status : usage_error(&check_command, "no FILE given");
}

static enum status check_parts(const struct parts *parts, bool json)
{
	struct permod_plan *plan = NULL;
	struct plan_view view;
	struct permod *pm;
	const char *path = parts->paths[0], *error;
	bool loads;

	if (permod_new(&pm, NULL)) {
		complain("%s", permod_error(NULL));
		return STATUS_FAILED;
	}
	loads = permod_plan_files(pm, NULL, parts->paths, parts->count, parts->root, parts->flags,
				  &plan) == 0;
	error = loads ? NULL : permod_error(pm);
	view = view_of(plan);
	if (json)
		json_check(&view, path, error);
	else if (plan)
		print_check(&view, path, error);
	else
		complain("%s", error);
	permod_plan_free(plan);
	permod_free(pm);
	return loads ? STATUS_DONE : STATUS_FAILED;
}

static enum status check(int argc, char **argv)
{
	struct parts parts = new_parts();
	bool json = false;
	enum status status = parse(argc, argv, &parts, &json);

	if (status == STATUS_GO_ON)
		status = check_parts(&parts, json);
	free(parts.paths);
	return status;
}

const struct command check_command = {
	.name = "check",
	.synopsis = "[OPTION ...] FILE",
	.summary = "would it load here? The plan and the reasons; nothing is run",
	.help = "  --json             print one JSON document\n"
		"  --with FILE        FILE, an object or archive, belongs to it too; repeatable\n"
		"  --root SYMBOL      of archives, take only what SYMBOL needs\n"
		"  --whole-archive    of archives, take everything\n"
		"  --gc-sections      leave out sections that nothing needs\n",
	.takes_file = true,
	.run = check,
};
