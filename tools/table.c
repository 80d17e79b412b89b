/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tables: columns as wide as their widest cell, two blanks between them.  A table that is wider
 * than the output is cut into blocks of whole columns, one below the other, each with the first
 * columns again: nothing is ever left out or cut off.
 */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

#define GAP 2

static size_t *measure(const struct table *table)
{
	size_t *widths = allocate(table->columns, sizeof(*widths));
	char buffer[CELL_TEXT];

	for (size_t column = 0; column < table->columns; column++) {
		for (size_t row = 0; row < table->rows; row++) {
			size_t width =
				print_text(NULL, table->cell(table->data, row, column, buffer));

			if (width > widths[column])
				widths[column] = width;
		}
	}
	return widths;
}

static bool is_right(const struct table *table, size_t column)
{
	size_t known = strlen(table->align);

	return table->align[column < known ? column : known - 1] == 'r';
}

/* @last: nothing follows in this line, so no blanks either. */
static void print_cell(FILE *out, const struct table *table, size_t row, size_t column,
		       size_t column_width, bool last)
{
	char buffer[CELL_TEXT];
	const char *text = table->cell(table->data, row, column, buffer);
	int blanks = (int)(column_width - print_text(NULL, text));
	bool right = is_right(table, column);

	fprintf(out, "%*s", column ? GAP : 0, "");
	if (right)
		fprintf(out, "%*s", blanks, "");
	print_text(out, text);
	if (!right && !last)
		fprintf(out, "%*s", blanks, "");
}

/* The columns from @first up to what fits beside the repeated ones, at least one. */
static size_t end_of_block(const struct table *table, const size_t *widths, size_t first,
			   size_t width)
{
	size_t used = 0, end = first;

	for (size_t column = 0; first > 0 && column < table->repeat; column++)
		used += widths[column] + GAP;
	while (end < table->columns) {
		used += widths[end] + (end ? GAP : 0);
		if (used > width && end > first && end > table->repeat)
			break;
		end++;
	}
	return end;
}

static void print_block(FILE *out, const struct table *table, const size_t *widths, size_t first,
			size_t end)
{
	for (size_t row = 0; row < table->rows; row++) {
		for (size_t column = 0; first > 0 && column < table->repeat; column++)
			print_cell(out, table, row, column, widths[column], false);
		for (size_t column = first; column < end; column++)
			print_cell(out, table, row, column, widths[column], column + 1 == end);
		fputc('\n', out);
	}
}

void print_table(FILE *out, const struct table *table, size_t width)
{
	size_t *widths = measure(table);

	for (size_t first = 0, end; first < table->columns; first = end) {
		end = end_of_block(table, widths, first, width);
		if (first > 0)
			fputc('\n', out);
		print_block(out, table, widths, first, end);
	}
	free(widths);
}
