/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a name that nobody has may have meant: the known name from which it differs by the fewest
 * letters.  Known is what modules and the host export, what the loader has, and what the dynamic
 * linker could find.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <elf.h>
#include <link.h>
#include <string.h>

#define LONGEST (NEAREST_TEXT - 1)

struct search {
	const char *name;
	size_t length;
	size_t best; /* letters by which the best candidate differs */
	char *buffer;
};

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * How many letters must be changed, added, left out or swapped with their neighbours to make one
 * name of the other (the optimal string alignment distance); stops at `limit`.
 */
static size_t difference(const char *a, size_t a_length, const char *b, size_t b_length,
			 size_t limit)
{
	unsigned char rows[3][LONGEST + 1];
	unsigned char *before = rows[0], *last = rows[1], *row = rows[2], *free_row;

	for (size_t j = 0; j <= b_length; j++)
		last[j] = (unsigned char)j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t smallest = row[0] = (unsigned char)i;

		for (size_t j = 1; j <= b_length; j++) {
			size_t cost = last[j - 1] + (a[i - 1] != b[j - 1]);

			cost = least(cost, least((size_t)last[j] + 1, (size_t)row[j - 1] + 1));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				cost = least(cost, (size_t)before[j - 2] + 1);
			row[j] = (unsigned char)cost;
			smallest = least(smallest, cost);
		}
		if (smallest >= limit)
			return limit;
		free_row = before;
		before = last;
		last = row;
		row = free_row;
	}
	return last[b_length];
}

static void consider(void *arg, const char *candidate)
{
	struct search *search = arg;
	size_t length = strnlen(candidate, LONGEST + 1), letters;

	if (length > LONGEST || length + search->best <= search->length ||
	    search->length + search->best <= length)
		return;
	letters = difference(search->name, search->length, candidate, length, search->best);
	if (letters == 0 || letters >= search->best)
		return;
	search->best = letters;
	memcpy(search->buffer, candidate, length + 1);
}

/* ---- What the dynamic linker knows ---------------------------------------------------------- */

static int consider_image(struct dl_phdr_info *image, size_t size, void *arg)
{
	struct image_tables tables;
	uint32_t count;

	(void)size;
	if (!find_image_tables(image, &tables))
		return 0;
	count = count_image_symbols(&tables);
	for (uint32_t i = 1; i < count; i++) {
		if (tables.symbols[i].st_shndx != SHN_UNDEF)
			consider(arg, tables.strings + tables.symbols[i].st_name);
	}
	return 0;
}

/* --------------------------------------------------------------------------------------------- */

bool find_nearest(struct permod *pm, const char *name, char *buffer)
{
	struct search search = { name, strnlen(name, LONGEST + 1), 0, buffer };

	if (search.length > LONGEST)
		return false;
	/* One letter in three may be wrong, three at most; in short names everything is like all. */
	search.best = least(search.length / 3, 3) + 1;
	buffer[0] = '\0';
	for (size_t i = 0; i < pm->exports.size; i++) {
		for (const struct export *export = pm->exports.bucket[i]; export;
		     export = export->next)
			consider(&search, export->name);
	}
	each_program_export(consider, &search);
	for (const struct builtin *b = next_builtin(NULL); b; b = next_builtin(b))
		consider(&search, b->name);
	if (!(pm->flags & PERMOD_NO_LIBDL))
		each_image(consider_image, &search);
	return buffer[0] != '\0';
}
