/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * permod map --svg: where everything is in the picture.
 *
 * A unit is far larger than what is used of it.  So longer STRETCHES of pages that nobody touched are
 * cut out.  All pages of the dynamic region are equally wide, and so are those before it, but modules,
 * which are small, may need wider ones.  Where there are many CPUs, neighbours with the same pages
 * share a row.  Labels above are staggered so that no line to what they name crosses a text.
 */
#include "picture.h"

#include <stdlib.h>
#include <string.h>

double text_width(const char *text)
{
	return (double)print_text(NULL, text) * CHARACTER;
}

/* ---- Across: stretches ---------------------------------------------------------------------- */

/* Pages that are drawn in any case: where a region begins, and what somebody uses or has written. */
static unsigned char *find_worth_seeing(const struct picture *picture)
{
	const struct survey *survey = picture->survey;
	unsigned char *worth = allocate(survey->pages + 1, 1);

	for (size_t i = 0; i < survey->num_chunks; i++)
		worth[survey->chunks[i].offset / picture->page] |= survey->chunks[i].size > 0;
	for (size_t i = 0; i * picture->page < survey->map.static_size; i++)
		worth[i] = 1;
	for (size_t i = 0; i < survey->num_modules; i++) {
		const struct placed *module = &survey->modules[i];

		for (size_t j = module->begin / picture->page; j * picture->page < module->end; j++)
			worth[j] = 1;
	}
	for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++) {
		for (size_t i = 0; survey->resident[cpu] && i < survey->pages; i++)
			worth[i] |= survey->resident[cpu][i];
	}
	return worth;
}

static void add_stretch(struct picture *picture, size_t begin, size_t end, bool cut)
{
	struct stretch *last = picture->stretches + picture->num_stretches;

	if (picture->num_stretches && !cut && !last[-1].cut && begin != picture->dynamic) {
		last[-1].end = end;
		return;
	}
	picture->stretches = reallocate(picture->stretches, picture->num_stretches + 1,
					sizeof(*picture->stretches));
	picture->stretches[picture->num_stretches++] =
		(struct stretch){ .begin = begin, .end = end, .cut = cut };
}

/* Cut out what is longer than a number of pages; returns how many cuts that makes. */
static size_t cut_out(struct picture *picture, const unsigned char *worth, size_t longest)
{
	size_t pages = picture->survey->pages, cuts = 0, end;
	size_t all = picture->survey->map.unit_size / picture->page;

	picture->num_stretches = 0;
	for (size_t begin = 0; begin < all; begin = end) {
		bool seen = begin < pages && worth[begin], cut;

		end = begin + 1;
		while (end < pages && worth[end] == seen && end != picture->dynamic)
			end++;
		if (!seen && end >= pages)
			end = all;
		cut = !seen && end - begin > longest;
		add_stretch(picture, begin, end, cut);
		cuts += cut;
	}
	return cuts;
}

static void find_stretches(struct picture *picture)
{
	const struct pcpu_chunk_stats *dynamic = &picture->survey->chunks[1];
	unsigned char *worth = find_worth_seeing(picture);
	size_t longest = SHORT_STRETCH;

	/* A page in which two regions meet is the first one's. */
	picture->dynamic = (dynamic->offset + picture->page - 1) / picture->page;
	while (cut_out(picture, worth, longest) > MOST_CUTS)
		longest *= 2;
	free(worth);
}

/* How wide pages are: all the same, if the modules don't need more. */
static void choose_scales(struct picture *picture)
{
	double count[2] = { 0, 0 }, width = WIDTH, share;

	for (size_t i = 0; i < picture->num_stretches; i++) {
		const struct stretch *stretch = &picture->stretches[i];

		if (stretch->cut)
			width -= CUT;
		else
			count[stretch->begin >= picture->dynamic] +=
				(double)(stretch->end - stretch->begin);
	}
	if (width < count[0] + count[1])
		width = count[0] + count[1] < MOST_WIDTH ? count[0] + count[1] : MOST_WIDTH;
	share = count[0] > 0 ? width * count[0] / (count[0] + count[1]) : 0;
	if (picture->survey->num_modules && count[0] > 0 && share < width * 0.4)
		share = width * 0.4;
	picture->scale[0] = count[0] > 0 ? share / count[0] : 0;
	picture->scale[1] = count[1] > 0 ? (width - share) / count[1] : 0;
}

double scale_at(const struct picture *picture, size_t page)
{
	return picture->scale[page >= picture->dynamic];
}

static void place_stretches(struct picture *picture)
{
	double x = LEFT;

	choose_scales(picture);
	for (size_t i = 0; i < picture->num_stretches; i++) {
		struct stretch *stretch = &picture->stretches[i];

		stretch->x = x;
		stretch->width = stretch->cut ? CUT
					      : (double)(stretch->end - stretch->begin) *
							scale_at(picture, stretch->begin);
		x += stretch->width;
	}
	picture->right = x;
	picture->width = x < LEFT + WIDTH ? LEFT + WIDTH + RIGHT : x + RIGHT;
}

double x_of(const struct picture *picture, size_t offset)
{
	for (size_t i = 0; i < picture->num_stretches; i++) {
		const struct stretch *stretch = &picture->stretches[i];
		double inside = (double)offset / (double)picture->page - (double)stretch->begin;

		if (offset < stretch->end * picture->page)
			return stretch->x +
			       (stretch->cut ? 0 : inside * scale_at(picture, stretch->begin));
	}
	return picture->right;
}

/* ---- Above: labels -------------------------------------------------------------------------- */

static void add_label(struct labels *labels, double x, size_t most, char *text)
{
	labels->label = reallocate(labels->label, labels->count + 1, sizeof(*labels->label));
	labels->label[labels->count++] = (struct label){ .x = x, .most = most, .text = text };
}

static int compare_labels(const void *a, const void *b)
{
	const struct label *first = a, *second = b;

	return (first->x > second->x) - (first->x < second->x);
}

bool has_room(const struct label *label)
{
	return label->line < label->most;
}

/* From right to left: each is above all those whose lines would cross it. */
static void place_labels(struct picture *picture, struct labels *labels)
{
	if (labels->count)
		qsort(labels->label, labels->count, sizeof(*labels->label), compare_labels);
	for (size_t i = labels->count; i-- > 0;) {
		struct label *label = &labels->label[i];
		double end = label->x + text_width(label->text) + 2 * CHARACTER;

		for (size_t j = i + 1; j < labels->count && labels->label[j].x < end; j++) {
			const struct label *other = &labels->label[j];

			if (has_room(other) && other->line >= label->line)
				label->line = other->line + 1;
		}
		if (!has_room(label))
			continue;
		if (label->line >= labels->lines)
			labels->lines = label->line + 1;
		if (end + EDGE > picture->width)
			picture->width = end + EDGE;
	}
}

static char *chunk_text(const struct survey *survey, size_t index)
{
	const struct pcpu_chunk_stats *chunk = &survey->chunks[index];
	char size[SIZE_TEXT], used[SIZE_TEXT];

	size_text(size, chunk->size);
	size_text(used, chunk->used);
	if (index == 0)
		return format_text("reserved: %s, %s used", size, used);
	if (index > 1 && survey->num_chunks > FEW_CHUNKS)
		return format_text("chunk %zu", index - 1);
	return format_text("%s%zu: %s, %s used", index == 1 ? "dynamic, chunk " : "chunk ",
			   index - 1, size, used);
}

static void label_regions(struct picture *picture)
{
	const struct survey *survey = picture->survey;
	char size[SIZE_TEXT];

	if (survey->map.static_size)
		add_label(&picture->regions, x_of(picture, 0), SIZE_MAX,
			  format_text("static: %s", size_text(size, survey->map.static_size)));
	for (size_t i = 0; i < survey->num_chunks; i++) {
		if (survey->chunks[i].size)
			add_label(&picture->regions, x_of(picture, survey->chunks[i].offset),
				  i < 2 ? SIZE_MAX : CHUNK_LINES, chunk_text(survey, i));
	}
	place_labels(picture, &picture->regions);
}

/* The first characters of a name. */
static char *short_name(const char *name)
{
	size_t count = 0, length = 0, next;

	for (; name[length] && count < MOST_NAME; count++, length += next ? next : 1)
		next = printable_length(name + length);
	return format_text("%.*s%s", (int)length, name, name[length] ? "..." : "");
}

static void label_modules(struct picture *picture)
{
	for (size_t i = 0; i < picture->survey->num_modules; i++) {
		const struct placed *module = &picture->survey->modules[i];
		char *name = short_name(module->name);
		char size[SIZE_TEXT];

		if (module->begin < module->end)
			add_label(&picture->modules, x_of(picture, module->begin), MOST_LINES,
				  format_text("%s: %s", name,
					      size_text(size, module->end - module->begin)));
		free(name);
	}
	place_labels(picture, &picture->modules);
}

static void free_labels(struct labels *labels)
{
	for (size_t i = 0; i < labels->count; i++)
		free(labels->label[i].text);
	free(labels->label);
}

/* ---- Down: rows ----------------------------------------------------------------------------- */

static bool are_alike(const struct survey *survey, unsigned int a, unsigned int b)
{
	const unsigned char *first = survey->resident[a], *second = survey->resident[b];

	return first == second || (first && second && memcmp(first, second, survey->pages) == 0);
}

static void find_rows(struct picture *picture)
{
	const struct survey *survey = picture->survey;
	bool many = num_possible_cpus() > FEW_ROWS;
	unsigned int cpu;

	picture->rows = allocate(num_possible_cpus(), sizeof(*picture->rows));
	for_each_possible_cpu(cpu) {
		struct row *last = picture->rows + picture->num_rows;

		if (many && picture->num_rows && last[-1].last + 1 == cpu &&
		    are_alike(survey, last[-1].last, cpu)) {
			last[-1].last = cpu;
			continue;
		}
		*last = (struct row){ cpu, cpu, count_resident(survey, cpu) };
		picture->num_rows++;
	}
	picture->pitch = 640 / (double)picture->num_rows;
	picture->pitch = picture->pitch < 4 ? 4 : picture->pitch > 28 ? 28 : picture->pitch;
}

/* ---- The whole ------------------------------------------------------------------------------ */

static void widen_for_list(struct picture *picture)
{
	for (size_t i = 0; i < picture->survey->num_modules; i++) {
		double end = LIST_NAME + text_width(picture->survey->modules[i].name) + EDGE;

		if (end > picture->width)
			picture->width = end;
	}
}

void lay_out(struct picture *picture)
{
	find_stretches(picture);
	place_stretches(picture);
	find_rows(picture);
	label_regions(picture);
	label_modules(picture);
	widen_for_list(picture);
	picture->regions_y = 64;
	picture->modules_y = picture->regions_y + (double)picture->regions.lines * LINE + 4;
	picture->rows_y = picture->modules_y;
	if (picture->modules.count)
		picture->rows_y += (double)(picture->modules.lines + 1) * LINE;
	picture->axis_y = picture->rows_y + (double)picture->num_rows * picture->pitch;
	picture->height =
		picture->axis_y + 9 * LINE + (double)(picture->survey->num_modules + 1) * LINE;
}

void free_layout(struct picture *picture)
{
	free_labels(&picture->regions);
	free_labels(&picture->modules);
	free(picture->stretches);
	free(picture->rows);
}
