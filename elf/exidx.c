/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The index of unwind information that some machines have in place of .eh_frame: arm's .ARM.exidx.
 *
 * Each section of code has one of its own, which says so by SHF_LINK_ORDER, with an entry for each
 * function: where that begins, and how to unwind it.  A function reaches to where the next one begins, so
 * unwinders search all entries of a program, or a module, as one table in the order of addresses:
 *
 *     code      .text of a.o   |  .text of b.o, which has no index  |  .text.f of b.o  |  stubs
 *     table     a.o's entries  |  "can't be unwound"                |  b.o's entries   |  "can't be"
 *
 * So sections of the index follow each other as those that they are about do, and code that has none
 * gets an entry, as does what is behind the last code of a region.
 */
#include "elf/internal.h"

#include <stdlib.h>

#define ENTRY_BYTES 8
#define CANT_UNWIND 1

/* Code without an index, from `code` on, or from its end. */
struct link_gap {
	const struct link_section *code;
	bool behind;
	uint64_t offset; /* of the entry, in LINK_RODATA */
};

struct ordered {
	struct link_section *section;
	uint64_t order; /* of its subject */
};

bool link_is_index(const struct link_section *section)
{
	const struct link_arch *arch = section->object->link->arch;

	return arch->index_type && section->type == arch->index_type &&
	       section->region == LINK_RODATA;
}

static bool is_code(const struct link_section *section)
{
	return section->flags & SHF_EXECINSTR;
}

static int compare(const void *a, const void *b)
{
	const struct ordered *first = a, *second = b;

	return first->order < second->order ? -1 : first->order > second->order;
}

static int order(struct link *link, struct link_section **sections, size_t count)
{
	struct link_private *private = link->private;
	struct ordered *ordered;

	ordered = link_allocate_array(link, count, sizeof(*ordered));
	if (!ordered)
		return -ENOMEM;
	/* Offsets are not known yet: until then they are numbers. */
	for (size_t i = 0; i < private->placed_count; i++)
	private->placed[i]->offset = i;
	for (size_t i = 0; i < count; i++) {
		const struct link_section *subject = link_subject(sections[i]);

		if (!subject || subject->region >= LINK_REGIONS || !is_code(subject))
			return link_fail(link, -ENOEXEC,
					 "%s: section %s: is an unwind index, and does not tell of "
					 "which code that is loaded; the file is damaged",
					 sections[i]->object->name, sections[i]->name);
		ordered[i] = (struct ordered){ sections[i], subject->offset };
	}
	qsort(ordered, count, sizeof(*ordered), compare);
	for (size_t i = 0; i < count; i++)
		sections[i] = ordered[i].section;
	return 0;
}

size_t link_count_index(const struct link *link, size_t first)
{
	const struct link_private *private = link->private;
	size_t count = 0;

	while (first + count < private->placed_count &&
	       link_is_index(private->placed[first + count]))
		count++;
	return count;
}

int link_order_index(struct link *link)
{
	struct link_private *private = link->private;
	size_t first = 0;

	while (first < private->placed_count && !link_is_index(private->placed[first]))
		first++;
	return first < private->placed_count
		       ? order(link, private->placed + first, link_count_index(link, first))
		       : 0;
}

static int add_gap(struct link *link, const struct link_section *code, bool behind)
{
	struct link_private *private = link->private;
	struct link_gap *gap = &private->gaps[private->gap_count++];

	gap->code = code;
	gap->behind = behind;
	return link_append(link, LINK_RODATA, ENTRY_BYTES, sizeof(uint32_t), &gap->offset);
}

/* Place the sections of the index that are about `code`, the first of which is *next. */
static int place_about(struct link *link, const struct link_section *code,
		       struct link_section **sections, size_t count, size_t *next)
{
	int error = 0;

	for (; *next < count && link_subject(sections[*next]) == code && !error; (*next)++) {
		struct link_section *section = sections[*next];

		error = link_append(link, section->region, section->size, section->align,
				    &section->offset);
	}
	return error;
}

int link_place_index(struct link *link, struct link_section **sections, size_t count)
{
	struct link_private *private = link->private;
	const struct link_section *last = NULL;
	bool covered = true;
	size_t next = 0;
	int error;

	private->gaps =
		link_allocate_array(link, private->placed_count + 2, sizeof(struct link_gap));
	if (!private->gaps)
		return -ENOMEM;
	error = link_append(link, LINK_RODATA, 0, sizeof(uint32_t), &link->index_offset);
	for (size_t i = 0; i < private->placed_count && !error; i++) {
		const struct link_section *code = private->placed[i];
		bool has_index = next < count && link_subject(sections[next]) == code;

		if (!is_code(code) || (!code->size && !has_index))
			continue;
		/* Between regions there are stubs. */
		if (last && covered && last->region != code->region)
			error = add_gap(link, last, true);
		if (!error && has_index)
			error = place_about(link, code, sections, count, &next);
		else if (!error && covered)
			error = add_gap(link, code, false);
		covered = has_index;
		last = code;
	}
	if (!error && covered && last)
		error = add_gap(link, last, true);
	link->index_size = link->part[LINK_RODATA].size - link->index_offset;
	return error;
}

void link_write_index(struct link *link)
{
	for (size_t i = 0; i < link->private->gap_count; i++) {
		const struct link_gap *gap = &link->private->gaps[i];
		unsigned char *entry = link->part[LINK_RODATA].buffer + gap->offset;
		uint64_t address = link->base + link->part[LINK_RODATA].offset + gap->offset;
		uint64_t code =
			link_section_address(link, gap->code) + (gap->behind ? gap->code->size : 0);

		link_put(link->arch, entry, 4, (code - address) & 0x7fffffff);
		link_put(link->arch, entry + 4, 4, CANT_UNWIND);
	}
}
