/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What permod run shows: the per-CPU variables of all modules, as tables or as one JSON document.
 *
 * The object file tells name and size of a variable, not its type.  So 1, 2, 4 or 8 bytes are taken
 * for an integer with sign, and anything else for an array of such words as its size and place allow.
 *
 * Table: a row for each possible CPU and one for the sum; a column for each variable, or for each
 * element of a short array; of a long one, only for elements that are not zero everywhere.
 */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

#define FEW_ELEMENTS 8 /* so many are shown even if they are zero */
#define FEW_CPUS 16    /* the same for rows */

/* A variable as elements of one size. */
struct view {
	const char *name;
	uintptr_t cookie;
	size_t size;	     /* bytes, of all */
	size_t element_size; /* 1, 2, 4 or 8 */
	size_t count;
};

static struct view view_of(const struct permod_variable *variable)
{
	struct view view = { variable->name, variable->cookie, variable->size, 1, variable->size };
	size_t size = variable->size, both = variable->size | variable->cookie;

	if (size == 1 || size == 2 || size == 4 || size == 8)
		view.element_size = size;
	else if (both % 8 == 0)
		view.element_size = 8;
	else if (both % 4 == 0)
		view.element_size = 4;
	view.count = size / view.element_size;
	return view;
}

static int64_t read_element(const struct view *view, size_t index, unsigned int cpu)
{
	const char *cookie = (const char *)view->cookie + index * view->element_size;
	const void *address = per_cpu_ptr(cookie, cpu);
	int64_t copy;

	/* A packed variable can't be read at once. */
	if ((uintptr_t)address % view->element_size)
		address = memcpy(&copy, address, view->element_size);
	switch (view->element_size) {
	case 1:
		return __atomic_load_n((const int8_t *)address, __ATOMIC_RELAXED);
	case 2:
		return __atomic_load_n((const int16_t *)address, __ATOMIC_RELAXED);
	case 4:
		return __atomic_load_n((const int32_t *)address, __ATOMIC_RELAXED);
	default:
		return __atomic_load_n((const int64_t *)address, __ATOMIC_RELAXED);
	}
}

/* Sums wrap around at 2^64. */
static int64_t add(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* ---- The table ------------------------------------------------------------------------------ */

struct column {
	char *heading;
	int64_t *values; /* one for each possible CPU */
	int64_t sum;
};

/* What becomes the table of one module. */
struct sheet {
	unsigned int *cpus; /* the possible CPUs */
	size_t num_cpus;
	size_t *rows; /* those that are shown, as indices of @cpus */
	size_t num_rows;
	struct column *columns;
	size_t num_columns;
};

static struct column *add_column(struct sheet *sheet, char *heading)
{
	struct column *column;

	sheet->columns =
		reallocate(sheet->columns, sheet->num_columns + 1, sizeof(*sheet->columns));
	column = &sheet->columns[sheet->num_columns++];
	*column = (struct column){ heading, allocate(sheet->num_cpus, sizeof(int64_t)), 0 };
	return column;
}

static void add_element(struct sheet *sheet, const struct view *view, size_t index)
{
	struct column *column;
	char *heading;

	if (view->count > 1)
		heading = format_text("%s[%zu]", view->name, index);
	else
		heading = format_text("%s", view->name);
	column = add_column(sheet, heading);
	for (size_t i = 0; i < sheet->num_cpus; i++) {
		column->values[i] = read_element(view, index, sheet->cpus[i]);
		column->sum = add(column->sum, column->values[i]);
	}
}

static bool is_zero(const struct sheet *sheet, const struct view *view, size_t index)
{
	for (size_t i = 0; i < sheet->num_cpus; i++) {
		if (read_element(view, index, sheet->cpus[i]))
			return false;
	}
	return true;
}

/* Returns how many elements are left out. */
static size_t add_variable(struct sheet *sheet, const struct view *view)
{
	size_t left_out = 0;

	for (size_t i = 0; i < view->count; i++) {
		if (view->count > FEW_ELEMENTS && is_zero(sheet, view, i))
			left_out++;
		else
			add_element(sheet, view, i);
	}
	return left_out;
}

/* How often the function was called, where that is not known beforehand. */
static void add_calls(struct sheet *sheet, const struct calls *calls)
{
	struct column *column = add_column(sheet, format_text("%s()", calls->name));

	for (size_t i = 0, j = 0; i < sheet->num_cpus && j < calls->num_cpus; i++) {
		if (sheet->cpus[i] != calls->cpus[j])
			continue;
		column->values[i] = (int64_t)calls->calls[j++];
		column->sum = add(column->sum, column->values[i]);
	}
}

static void choose_rows(struct sheet *sheet)
{
	sheet->num_rows = 0;
	for (size_t i = 0; i < sheet->num_cpus; i++) {
		bool wanted = sheet->num_cpus <= FEW_CPUS;

		for (size_t j = 0; j < sheet->num_columns && !wanted; j++)
			wanted = sheet->columns[j].values[i] != 0;
		if (wanted)
			sheet->rows[sheet->num_rows++] = i;
	}
}

static const char *sheet_cell(const void *data, size_t row, size_t column, char *buffer)
{
	const struct sheet *sheet = data;
	const struct column *from = &sheet->columns[column - 1];
	bool is_sum = row == sheet->num_rows + 1;
	size_t cpu;

	if (row == 0)
		return column == 0 ? "CPU" : from->heading;
	if (column == 0 && is_sum)
		return "sum";
	cpu = is_sum ? 0 : sheet->rows[row - 1];
	if (column == 0)
		snprintf(buffer, CELL_TEXT, "%u", sheet->cpus[cpu]);
	else
		snprintf(buffer, CELL_TEXT, "%lld",
			 (long long)(is_sum ? from->sum : from->values[cpu]));
	return buffer;
}

static void print_sheet(FILE *out, struct sheet *sheet)
{
	struct table table = { .columns = sheet->num_columns + 1,
			       .align = "r",
			       .repeat = 1,
			       .cell = sheet_cell,
			       .data = sheet };

	if (sheet->num_columns == 0)
		return;
	choose_rows(sheet);
	table.rows = sheet->num_rows + 2;
	print_table(out, &table, output_width(out));
	if (sheet->num_rows < sheet->num_cpus)
		fprintf(out, "(%zu of %zu CPUs have zeros only and are left out)\n",
			sheet->num_cpus - sheet->num_rows, sheet->num_cpus);
}

static void empty_sheet(struct sheet *sheet)
{
	for (size_t i = 0; i < sheet->num_columns; i++) {
		free(sheet->columns[i].heading);
		free(sheet->columns[i].values);
	}
	sheet->num_columns = 0;
}

static void note_left_out(FILE *out, const struct view *view, size_t left_out)
{
	fputc('(', out);
	print_text(out, view->name);
	fprintf(out, ": %zu of %zu elements are zero on every CPU and left out)\n", left_out,
		view->count);
}

/* One module's table; false if there is nothing to show. */
static bool show_module(FILE *out, struct sheet *sheet, const struct permod_module *module,
			const struct calls *calls, const char *caption)
{
	struct permod_variable variable;
	char *notes = NULL;
	size_t size;
	FILE *note = open_memstream(&notes, &size);
	bool filled;

	if (calls)
		add_calls(sheet, calls);
	for (unsigned int i = 0; permod_variable(module, i, &variable) == 0; i++) {
		struct view view = view_of(&variable);
		size_t left_out = add_variable(sheet, &view);

		if (left_out && note)
			note_left_out(note, &view, left_out);
	}
	if (note)
		fclose(note);
	filled = sheet->num_columns > 0 || (notes && *notes);
	if (filled)
		fputs(caption, out);
	print_sheet(out, sheet);
	if (notes)
		fputs(notes, out);
	free(notes);
	empty_sheet(sheet);
	return filled;
}

void show_tables(FILE *out, const struct outcome *outcome)
{
	const struct session *session = outcome->session;
	const struct calls *counted = outcome->calls;
	struct sheet sheet = { .cpus = allocate(num_possible_cpus(), sizeof(*sheet.cpus)),
			       .rows = allocate(num_possible_cpus(), sizeof(*sheet.rows)) };
	const char *between = "";
	bool filled = false;
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		sheet.cpus[sheet.num_cpus++] = cpu;
	/* A number that was asked for, and reached, needs no column. */
	if (counted && counted->count && !counted->interrupted)
		counted = NULL;
	for (size_t i = 0; i < session->num_loaded; i++) {
		const struct permod_module *module = session->loaded[i].module;
		char *caption = format_text("%s%s:\n", between, permod_name(module));

		if (show_module(out, &sheet, module, i == outcome->owner ? counted : NULL,
				session->num_loaded > 1 ? caption : "")) {
			filled = true;
			between = "\n";
		}
		free(caption);
	}
	if (!filled && !outcome->calls)
		fputs("no per-CPU variables\n", out);
	free(sheet.columns);
	free(sheet.rows);
	free(sheet.cpus);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

/* The elements of one CPU, or their sums: a number if there is but one. */
static void json_elements(struct json *json, const char *key, const int64_t *values, size_t count)
{
	if (count == 1) {
		json_signed(json, key, values[0]);
		return;
	}
	json_begin(json, key, '[');
	for (size_t i = 0; i < count; i++)
		json_signed(json, NULL, values[i]);
	json_end(json, '[');
}

static void json_variable(struct json *json, const struct view *view)
{
	int64_t *values = allocate(view->count, sizeof(*values));
	int64_t *sums = allocate(view->count, sizeof(*sums));
	unsigned int cpu;

	json_begin(json, NULL, '{');
	json_string(json, "name", view->name);
	json_unsigned(json, "size", view->size);
	json_unsigned(json, "element_size", view->element_size);
	json_begin(json, "per_cpu", '{');
	for_each_possible_cpu(cpu) {
		char key[CELL_TEXT];

		for (size_t i = 0; i < view->count; i++) {
			values[i] = read_element(view, i, cpu);
			sums[i] = add(sums[i], values[i]);
		}
		snprintf(key, sizeof(key), "%u", cpu);
		json_elements(json, key, values, view->count);
	}
	json_end(json, '{');
	json_elements(json, "sum", sums, view->count);
	json_end(json, '{');
	free(sums);
	free(values);
}

/* The values of the parameters that the module's file declares. */
static void json_parameters(struct json *json, const struct loaded *loaded)
{
	static const char tag[] = "parmtype=";
	char *value = allocate(PERMOD_TEXT, 1);
	const char *info;

	json_begin(json, "parameters", '{');
	for (unsigned int i = 0; loaded->file && (info = permod_file_info(loaded->file, i)); i++) {
		size_t length = strcspn(info + sizeof(tag) - 1, ":");
		char *name;

		if (strncmp(info, tag, sizeof(tag) - 1) != 0)
			continue;
		name = format_text("%.*s", (int)length, info + sizeof(tag) - 1);
		if (permod_parameter(loaded->module, name, value) >= 0)
			json_string(json, name, value);
		free(name);
	}
	json_end(json, '{');
	free(value);
}

static void json_module(struct json *json, const struct loaded *loaded)
{
	struct permod_variable variable;
	char taint[PERMOD_TAINT_TEXT];

	json_begin(json, NULL, '{');
	json_string(json, "name", permod_name(loaded->module));
	json_string(json, "file", loaded->path);
	json_string(json, "taint", permod_taint_text(permod_module_taint(loaded->module), taint));
	json_parameters(json, loaded);
	json_begin(json, "variables", '[');
	for (unsigned int i = 0; permod_variable(loaded->module, i, &variable) == 0; i++) {
		struct view view = view_of(&variable);

		json_variable(json, &view);
	}
	json_end(json, '[');
	json_end(json, '{');
}

static void json_calls(struct json *json, const struct calls *calls)
{
	json_string(json, "function", calls->name);
	json_begin(json, "calls", '{');
	for (size_t i = 0; i < calls->num_cpus; i++) {
		char key[CELL_TEXT];

		snprintf(key, sizeof(key), "%u", calls->cpus[i]);
		json_unsigned(json, key, calls->calls[i]);
	}
	json_end(json, '{');
	json_seconds(json, "seconds", calls->elapsed);
	json_bool(json, "interrupted", calls->interrupted);
}

void show_json(FILE *out, const struct outcome *outcome)
{
	struct json json = { .out = out, .lines = 4 };

	json_begin(&json, NULL, '{');
	if (outcome->calls)
		json_calls(&json, outcome->calls);
	json_begin(&json, "modules", '[');
	for (size_t i = 0; i < outcome->session->num_loaded; i++)
		json_module(&json, &outcome->session->loaded[i]);
	json_end(&json, '[');
	json_end(&json, '{');
}
