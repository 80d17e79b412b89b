/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * permod map --svg: a picture of the per-CPU address space.
 *
 *     | labels of regions, of chunks, of modules, each with a line down to where it begins |
 *     | boxes: the modules' variables                                                      |
 *     CPU 0  [ pages of static, reserved, dynamic, to scale ]/cut/[ ... ]/cut/   in memory
 *     CPU 1  [ ...
 *     | offsets; legend; a list of the modules' variables                                  |
 *
 * Pages are to scale, but longer stretches that nobody touched are cut out; each cut tells how much is
 * missing.  See layout.c.
 *
 * No scripts, no fonts of its own, text is text: any browser or viewer shows it, light or dark.
 */
#include "picture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void print_xml(FILE *out, const char *text)
{
	while (*text) {
		size_t length = printable_length(text);
		/* U+FFFE and U+FFFF are no characters of XML. */
		bool valid = length &&
			     !(strncmp(text, "\xef\xbf", 2) == 0 && (unsigned char)text[2] >= 0xbe);

		if (*text == '&')
			fputs("&amp;", out);
		else if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '>')
			fputs("&gt;", out);
		else if (*text == '"')
			fputs("&quot;", out);
		else if (valid)
			fwrite(text, 1, length, out);
		else
			fprintf(out, "\\x%02x", (unsigned char)*text);
		text += valid ? length : 1;
	}
}

static void draw_text(const struct picture *picture, double x, double y, const char *class,
		      const char *text)
{
	fprintf(picture->out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
	print_xml(picture->out, text);
	fputs("</text>\n", picture->out);
}

static void draw_line(const struct picture *picture, double x1, double y1, double x2, double y2)
{
	fprintf(picture->out,
		"<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"line\"/>\n", x1, y1,
		x2, y2);
}

/* ---- Above: labels -------------------------------------------------------------------------- */

static void draw_labels(const struct picture *picture, const struct labels *labels, double y,
			double down)
{
	for (size_t i = 0; i < labels->count; i++) {
		const struct label *label = &labels->label[i];
		double top = y + (double)(labels->lines - 1 - label->line) * LINE;

		if (!has_room(label))
			continue;
		draw_line(picture, label->x, top + 3, label->x, down);
		draw_text(picture, label->x + 4, top + LINE - 5, "halo", label->text);
	}
}

static void draw_modules(const struct picture *picture)
{
	double y = picture->rows_y - LINE + 2;

	for (size_t i = 0; i < picture->survey->num_modules; i++) {
		const struct placed *module = &picture->survey->modules[i];
		double x = x_of(picture, module->begin), end = x_of(picture, module->end - 1);
		char size[SIZE_TEXT];

		if (module->begin == module->end)
			continue;
		fprintf(picture->out,
			"<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" "
			"class=\"module m%zu\"><title>",
			x, y, end - x < LEAST_BOX ? LEAST_BOX : end - x, LINE - 5, i % 2);
		print_xml(picture->out, module->name);
		fprintf(picture->out, ": offset 0x%zx, %s</title></rect>\n", module->begin,
			size_text(size, module->end - module->begin));
	}
}

/* ---- Down: rows ----------------------------------------------------------------------------- */

/* The class of a page, and where that ends. */
static const char *region_at(const struct picture *picture, size_t page, size_t *end)
{
	*end = (picture->survey->map.static_size + picture->page - 1) / picture->page;
	if (page < *end)
		return "static";
	*end = picture->dynamic;
	if (page < *end)
		return "reserved";
	*end = SIZE_MAX;
	return "dynamic";
}

/* A run of pages in memory that does not leave its region. */
static void draw_pages(const struct picture *picture, const struct row *row, double y,
		       double height, size_t begin, size_t end)
{
	char size[SIZE_TEXT];
	size_t behind;
	const char *class = region_at(picture, begin, &behind);
	double x = x_of(picture, begin * picture->page);
	double width = (double)(end - begin) * scale_at(picture, begin);

	fprintf(picture->out,
		"<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" class=\"%s\" "
		"data-pages=\"%zu\"><title>CPU %u, offset 0x%zx: %s in memory</title></rect>\n",
		x, y, width < LEAST_RUN ? LEAST_RUN : width, height, class, end - begin, row->first,
		begin * picture->page, size_text(size, (end - begin) * picture->page));
}

static void draw_all_pages(const struct picture *picture, const struct row *row, double y,
			   double height)
{
	const unsigned char *there = picture->survey->resident[row->first];
	size_t end, behind;

	for (size_t begin = 0; there && begin < picture->survey->pages; begin = end) {
		region_at(picture, begin, &behind);
		for (end = begin + 1;
		     end < picture->survey->pages && there[end] == there[begin] && end < behind;
		     end++)
			;
		if (there[begin])
			draw_pages(picture, row, y, height, begin, end);
	}
}

static void draw_row(const struct picture *picture, const struct row *row, double y, double height)
{
	fprintf(picture->out, "<g data-cpus=\"%u\">\n", row->last - row->first + 1);
	for (size_t i = 0; i < picture->num_stretches; i++) {
		const struct stretch *stretch = &picture->stretches[i];

		if (!stretch->cut)
			fprintf(picture->out,
				"<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" "
				"class=\"unit\"/>\n",
				stretch->x, y, stretch->width, height);
	}
	draw_all_pages(picture, row, y, height);
	fputs("</g>\n", picture->out);
}

static void name_row(const struct picture *picture, const struct row *row, double y)
{
	char size[SIZE_TEXT];
	char *name = row->first == row->last ? format_text("CPU %u", row->first)
					     : format_text("CPU %u-%u", row->first, row->last);
	char *amount = row->pages ? format_text("%s%s", size_text(size, row->pages * picture->page),
						row->first == row->last ? "" : " each")
				  : format_text("nothing");

	draw_text(picture, LEFT - 8, y, "right", name);
	draw_text(picture, picture->right + 8, y, row->pages ? "label" : "faint", amount);
	free(name);
	free(amount);
}

static void draw_rows(const struct picture *picture)
{
	double height = picture->pitch > 8 ? picture->pitch - 4 : picture->pitch - 1;
	size_t step = 1;

	while ((double)step * picture->pitch < LINE - 4)
		step++;
	for (size_t i = 0; i < picture->num_rows; i++) {
		double y = picture->rows_y + (double)i * picture->pitch;

		draw_row(picture, &picture->rows[i], y, height);
		if (i % step == 0)
			name_row(picture, &picture->rows[i], y + height / 2 + 4);
	}
}

/* ---- Below: offsets, legend, list ----------------------------------------------------------- */

static void draw_cuts(const struct picture *picture)
{
	char size[SIZE_TEXT];

	for (size_t i = 0; i < picture->num_stretches; i++) {
		const struct stretch *stretch = &picture->stretches[i];

		if (!stretch->cut)
			continue;
		size_text(size, (stretch->end - stretch->begin) * picture->page);
		fprintf(picture->out,
			"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
			"fill=\"url(#hatch)\"><title>%s cut out</title></rect>\n",
			stretch->x, picture->rows_y - 2, stretch->width,
			picture->axis_y - picture->rows_y + 2, size);
		if (text_width(size) <= stretch->width)
			draw_text(picture, stretch->x + stretch->width / 2, picture->axis_y + 30,
				  "faint middle", size);
	}
}

/* Offsets where a stretch begins, and on the way, as far as there is room; returns how far it is
 * taken. */
static double draw_offsets(const struct picture *picture, const struct stretch *stretch,
			   double taken)
{
	double end = stretch->x + stretch->width;
	size_t step = 1;

	while ((double)step * scale_at(picture, stretch->begin) < 14 * CHARACTER)
		step *= 2;
	for (size_t page = stretch->begin; page < stretch->end; page += step) {
		double x = x_of(picture, page * picture->page);
		char text[SIZE_TEXT];

		snprintf(text, sizeof(text), "0x%zx", page * picture->page);
		draw_line(picture, x, picture->axis_y, x, picture->axis_y + 4);
		/* Those on the way leave room for the next stretch's. */
		if (x < taken || (page > stretch->begin && x + text_width(text) > end))
			continue;
		draw_text(picture, x, picture->axis_y + LINE, "label", text);
		taken = x + text_width(text) + CHARACTER;
	}
	return taken;
}

static void draw_axis(const struct picture *picture)
{
	double taken = 0;

	for (size_t i = 0; i < picture->num_stretches; i++) {
		if (!picture->stretches[i].cut)
			taken = draw_offsets(picture, &picture->stretches[i], taken);
	}
}

static void draw_scale(const struct picture *picture, double y)
{
	bool low = picture->scale[0] > 0, high = picture->scale[1] > 0;
	char size[SIZE_TEXT];
	char *text = format_text("A page of %s is ", size_text(size, picture->page));

	if (low)
		append_text(&text, "%.3g pixels wide%s", picture->scale[0],
			    high ? " in static and reserved regions, " : "");
	if (high)
		append_text(&text, "%.3g pixels wide in the dynamic region", picture->scale[1]);
	if (low || high)
		draw_text(picture, LEFT, y, "faint", text);
	draw_text(picture, LEFT, y + LINE, "faint",
		  "Hatched: cut out, as much as is written below it.");
	free(text);
}

static double draw_legend(const struct picture *picture, double y)
{
	static const struct {
		const char *class, *text;
	} entries[] = {
		{ "static", "static" },
		{ "reserved", "reserved" },
		{ "dynamic", "dynamic" },
		{ "unit", "not in memory" },
		{ "module m0", "variables of a module" },
	};
	static const char heading[] = "Pages in memory:";
	double x = LEFT + text_width(heading) + CHARACTER;

	draw_text(picture, LEFT, y, "label", heading);
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		fprintf(picture->out,
			"<rect x=\"%.1f\" y=\"%.1f\" width=\"14\" height=\"12\" class=\"%s\"/>\n",
			x, y - 10, entries[i].class);
		draw_text(picture, x + 20, y, "label", entries[i].text);
		x += 20 + text_width(entries[i].text) + 3 * CHARACTER;
	}
	draw_scale(picture, y + LINE);
	return y + 4 * LINE;
}

static void draw_list(const struct picture *picture, double y)
{
	const struct survey *survey = picture->survey;
	char size[SIZE_TEXT];

	if (survey->num_modules)
		draw_text(picture, LEFT, y, "faint", "Modules' variables: offsets in each unit");
	for (size_t i = 0; i < survey->num_modules; i++) {
		const struct placed *module = &survey->modules[i];
		char *text =
			module->begin == module->end
				? format_text("none")
				: format_text("0x%zx-0x%zx, %s", module->begin, module->end - 1,
					      size_text(size, module->end - module->begin));

		y += LINE;
		draw_text(picture, LEFT, y, "label", text);
		draw_text(picture, LIST_NAME, y, "label", module->name);
		free(text);
	}
}

/* ---- The whole ------------------------------------------------------------------------------ */

static const char style[] =
	"<style>\n"
	"text{font-family:ui-monospace,'DejaVu Sans Mono',monospace;font-size:12px;fill:#1f2328}\n"
	".title{font-size:18px;font-weight:bold}.right{text-anchor:end}.middle{text-anchor:middle}\n"
	".faint{fill:#636c76}.halo{stroke:#ffffff;stroke-width:4;paint-order:stroke}.back{fill:#ffffff}.line{stroke:#8c959f;stroke-width:1}\n"
	".unit{fill:#eaeef2;stroke:#afb8c1;stroke-width:.5}\n"
	".static{fill:#8250df}.reserved{fill:#0969da}.dynamic{fill:#bc4c00}\n"
	".module{stroke:#ffffff;stroke-width:.5}.m0{fill:#1a7f37}.m1{fill:#4ac26b}\n"
	"@media (prefers-color-scheme:dark){\n"
	"text{fill:#e6edf3}.faint{fill:#9198a1}.halo{stroke:#0d1117}.back{fill:#0d1117}.line{stroke:#6e7681}\n"
	".unit{fill:#21262d;stroke:#484f58}\n"
	".static{fill:#ab7df8}.reserved{fill:#4493f8}.dynamic{fill:#f0883e}\n"
	".module{stroke:#0d1117}.m0{fill:#3fb950}.m1{fill:#2ea043}\n"
	"}\n"
	"</style>\n"
	"<defs><pattern id=\"hatch\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\">"
	"<path d=\"M-2 2L2-2M0 8L8 0M6 10L10 6\" class=\"line\"/></pattern></defs>\n";

static void begin_picture(const struct picture *picture)
{
	fprintf(picture->out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
		"viewBox=\"0 0 %.0f %.0f\" role=\"img\">\n"
		"<title>Per-CPU address space</title>\n",
		picture->width, picture->height, picture->width, picture->height);
	fputs(style, picture->out);
	fputs("<rect width=\"100%\" height=\"100%\" class=\"back\"/>\n", picture->out);
}

static void draw_title(const struct picture *picture)
{
	const struct pcpu_totals *stats = &picture->survey->stats;
	char unit[SIZE_TEXT], used[SIZE_TEXT], resident[SIZE_TEXT];
	char *text;

	draw_text(picture, EDGE, 30, "title", "Per-CPU address space");
	text = format_text(
		"%u possible CPU%s, each with a unit of %s; variables: %zu, %s; in memory: "
		"%s, of this %zu empty pages",
		num_possible_cpus(), num_possible_cpus() == 1 ? "" : "s",
		size_text(unit, picture->survey->map.unit_size), stats->areas,
		size_text(used, stats->used),
		size_text(resident, (stats->resident + stats->static_resident) * picture->page),
		stats->empty);
	draw_text(picture, EDGE, 52, "faint", text);
	free(text);
}

static void draw(const struct picture *picture)
{
	begin_picture(picture);
	draw_title(picture);
	draw_labels(picture, &picture->regions, picture->regions_y, picture->axis_y);
	draw_labels(picture, &picture->modules, picture->modules_y, picture->rows_y - LINE);
	draw_modules(picture);
	draw_rows(picture);
	draw_cuts(picture);
	draw_axis(picture);
	draw_list(picture, draw_legend(picture, picture->axis_y + 4 * LINE));
	fputs("</svg>\n", picture->out);
}

enum status draw_picture(const struct survey *survey, const char *file)
{
	struct picture picture = {
		.out = fopen(file, "we"),
		.survey = survey,
		.page = survey->stats.page,
	};
	bool failed = !picture.out;

	if (!failed) {
		lay_out(&picture);
		draw(&picture);
		failed = ferror(picture.out) != 0;
		failed |= fclose(picture.out) != 0;
	}
	if (failed)
		complain("can't write %s: %s", file, strerror(errno ? errno : EIO));
	free_layout(&picture);
	return failed ? STATUS_FAILED : STATUS_DONE;
}
