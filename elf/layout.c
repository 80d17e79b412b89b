/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where sections lie: each goes to a region by its name and flags, the regions follow each other.
 *
 * In a region, sections with contents come before those without, both in the order of the objects;
 * between them lies the unwind information, so that it is one piece whatever else there is.
 * What the linker itself makes comes last: stubs in the text, GOT slots (and what objects have of such)
 * and cells in the read-only data, and COMMON symbols, as if they were one section without contents, in the data.
 *
 * Per-CPU variables are ordered by what they ask for, so that little is lost to alignment: whole
 * pages, then all others, those mostly read, those in cache lines of their own.  In each of these
 * the most aligned come first.
 */
#include "elf/internal.h"

#include <stdlib.h>

/* ---- Regions -------------------------------------------------------------------------------- */

enum match {
	MATCH_PART,   /* the name, alone or followed by a dot */
	MATCH_PREFIX, /* the name, followed by anything */
};

/* What the name decides.  Where it says read-only, relocations write before it is protected. */
static const struct {
	const char *name;
	enum match match;
	enum link_region region;
} by_name[] = {
	{ ".init.text", MATCH_PART, LINK_INIT_TEXT },
	{ ".init.data", MATCH_PART, LINK_INIT_DATA },
	{ ".init.rodata", MATCH_PART, LINK_INIT_RODATA },
	{ ".data..ro_after_init", MATCH_PART, LINK_RO_AFTER_INIT },
	{ ".data.percpu", MATCH_PART, LINK_PERCPU },
	{ ".data..percpu", MATCH_PART, LINK_PERCPU },
	{ "pcpu_data", MATCH_PART, LINK_PERCPU },
	{ ".data.rel.ro", MATCH_PART, LINK_RODATA },
	{ "__ksymtab", MATCH_PREFIX, LINK_RODATA },
	{ "___ksymtab", MATCH_PREFIX, LINK_RODATA },
	{ "__param", MATCH_PART, LINK_RODATA },
	{ ".preinit_array", MATCH_PART, LINK_RODATA },
	{ ".init_array", MATCH_PART, LINK_RODATA },
	{ ".fini_array", MATCH_PART, LINK_RODATA },
	{ ".ctors", MATCH_PART, LINK_RODATA },
	{ ".dtors", MATCH_PART, LINK_RODATA },
	{ "__pcpu_rseq_cs", MATCH_PART, LINK_RODATA },
	{ "__rseq_cs", MATCH_PART, LINK_RSEQ },
	{ ".modinfo", MATCH_PART, LINK_RODATA },
	{ ".eh_frame", MATCH_PART, LINK_RODATA },
	{ ".toc", MATCH_PART, LINK_RODATA },
};

static bool matches(const char *section, const char *name, enum match match)
{
	size_t length;

	/* Most names differ here. */
	if (section[0] != name[0] || section[1] != name[1])
		return false;
	length = strlen(name);
	if (strncmp(section, name, length) != 0)
		return false;
	return match == MATCH_PREFIX || !section[length] || section[length] == '.';
}

static enum link_region region_of(const struct link_section *section)
{
	bool executable = section->flags & SHF_EXECINSTR;

	if (section->flags & SHF_TLS)
		return LINK_TLS;
	for (size_t i = 0; i < sizeof(by_name) / sizeof(by_name[0]); i++) {
		enum link_region region = by_name[i].region;

		/* Code stays executable, and nothing else becomes it, whatever the name. */
		if (executable == (region == LINK_INIT_TEXT) &&
		    matches(section->name, by_name[i].name, by_name[i].match))
			return region;
	}
	if (executable)
		return LINK_TEXT;
	return section->flags & SHF_WRITE ? LINK_DATA : LINK_RODATA;
}

static int fail_section(const struct link_section *section, const char *what)
{
	return link_fail(section->object->link, -ENOEXEC, "%s: section %s: %s",
			 section->object->name, section->name, what);
}

static int check_section(const struct link_section *section)
{
	struct link *link = section->object->link;

	if ((section->flags & SHF_WRITE) && (section->flags & SHF_EXECINSTR))
		return fail_section(section, "is writable and executable; permod never maps such "
					     "memory");
	if (section->flags & SHF_COMPRESSED)
		return fail_section(section,
				    "is compressed, but is to be loaded; decompress it with "
				    "objcopy --decompress-debug-sections");
	if (section->size >= LINK_MOST)
		return link_fail(link, -ENOEXEC,
				 "%s: section %s: is too large (found %llu bytes, at most %llu)",
				 section->object->name, section->name,
				 (unsigned long long)section->size,
				 (unsigned long long)LINK_MOST - 1);
	return 0;
}

/* Per-CPU memory is aligned to a page, and so is what is done for thread-local variables. */
static uint64_t most_align(const struct link *link, enum link_region region)
{
	return region < LINK_PERCPU ? LINK_MOST_ALIGN : link_page_size(link);
}

static int check_align(const struct link_section *section)
{
	struct link *link = section->object->link;
	uint64_t most = most_align(link, section->region);

	if (section->align <= most)
		return 0;
	return link_fail(link, -ENOEXEC,
			 "%s: section %s: is aligned to more than is possible (found %llu, at most "
			 "%llu bytes); use a smaller alignment",
			 section->object->name, section->name, (unsigned long long)section->align,
			 (unsigned long long)most);
}

/* Nobody else gives it one. */
static bool needs_executable_stack(const struct link_section *section)
{
	return section->flags & SHF_EXECINSTR && !strcmp(section->name, ".note.GNU-stack") &&
	       !section->object->link->arch->stacks_run;
}

int link_choose_region(struct link_section *section)
{
	int error;

	section->region = LINK_NONE;
	if (needs_executable_stack(section))
		return link_pass(section->object->link,
				 fail_section(section,
					      "asks for an executable stack, as pointers to nested "
					      "functions need it; permod never gives one"));
	if (!(section->flags & SHF_ALLOC) || section->flags & SHF_EXCLUDE)
		return 0;
	error = link_pass(section->object->link, check_section(section));
	if (error || section->size >= LINK_MOST)
		return error;
	section->region = region_of(section);
	error = check_align(section);
	if (error)
		section->region = LINK_NONE;
	return link_pass(section->object->link, error);
}

/* ---- Order ---------------------------------------------------------------------------------- */

static bool is_loaded(const struct link_section *section)
{
	return section->region < LINK_REGIONS && !section->discarded;
}

/* Kinds of one region, as they follow each other.  Objects' own slots are behind the GOT, from which they
 * are reached, and so is small data: constants are behind it too, variables as soon as they can be. */
enum kind {
	KIND_NEAR,
	KIND_NEAR_ZERO,
	KIND_CONTENTS,
	KIND_FRAMES,
	KIND_INDEX,
	KIND_ZERO,
	KIND_SLOTS,
	KINDS
};

static bool is_near(const struct link_section *section)
{
	return section->flags & section->object->link->arch->near_flag;
}

static enum kind kind_of(const struct link_section *section)
{
	if (section->region == LINK_PERCPU)
		return KIND_CONTENTS;
	if (section->region == LINK_RODATA && (is_near(section) || !strcmp(section->name, ".toc")))
		return KIND_SLOTS;
	if (is_near(section))
		return section->type == SHT_NOBITS ? KIND_NEAR_ZERO : KIND_NEAR;
	if (section->type == SHT_NOBITS)
		return KIND_ZERO;
	if (link_is_index(section))
		return KIND_INDEX;
	return section->region == LINK_RODATA && !strcmp(section->name, LINK_FRAMES)
		       ? KIND_FRAMES
		       : KIND_CONTENTS;
}

/* Sections of one region and kind stay in the order of the link. */
static size_t order_key(const struct link_section *section)
{
	return KINDS * (size_t)section->region + kind_of(section);
}

/* What a per-CPU variable asks for, behind the name that made it one; the lowest comes first. */
static int percpu_rank(const struct link_section *section)
{
	static const struct {
		const char *name;
		int rank;
	} ranks[] = { { "page_aligned", 0 }, { "read_mostly", 2 }, { "shared_aligned", 3 } };

	for (size_t i = 0; i < sizeof(by_name) / sizeof(by_name[0]); i++) {
		const char *rest;

		if (by_name[i].region != LINK_PERCPU ||
		    !matches(section->name, by_name[i].name, by_name[i].match))
			continue;
		rest = section->name + strlen(by_name[i].name);
		while (*rest == '.')
			rest++;
		for (size_t j = 0; j < sizeof(ranks) / sizeof(ranks[0]); j++) {
			if (!strncmp(rest, ranks[j].name, strlen(ranks[j].name)))
				return ranks[j].rank;
		}
	}
	return 1;
}

struct percpu_section {
	struct link_section *section;
	int rank;
	size_t order;
};

static int compare_percpu(const void *a, const void *b)
{
	const struct percpu_section *first = a, *second = b;
	uint64_t first_align = first->section->align, second_align = second->section->align;

	if (first->rank != second->rank)
		return first->rank < second->rank ? -1 : 1;
	if (first_align != second_align)
		return first_align > second_align ? -1 : 1;
	return first->order < second->order ? -1 : first->order > second->order;
}

static int sort_percpu(struct link *link, struct link_section **sections, size_t count)
{
	struct percpu_section *sorted;

	if (count < 2)
		return 0;
	sorted = link_allocate_array(link, count, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		sorted[i].section = sections[i];
		sorted[i].rank = percpu_rank(sections[i]);
		sorted[i].order = i;
	}
	qsort(sorted, count, sizeof(*sorted), compare_percpu);
	for (size_t i = 0; i < count; i++)
		sections[i] = sorted[i].section;
	return 0;
}

/* List what is loaded in the order in which it will lie. */
static int order_sections(struct link *link)
{
	struct link_private *private = link->private;
	size_t start[KINDS * LINK_REGIONS + 1] = { 0 }, begin;

	for (struct link_object *object = link->objects; object; object = object->next) {
		for (size_t i = 1; i < object->section_count; i++) {
			if (is_loaded(&object->sections[i]))
				start[order_key(&object->sections[i]) + 1]++;
		}
	}
	for (size_t i = 1; i < KINDS * LINK_REGIONS + 1; i++)
		start[i] += start[i - 1];
	private->placed_count = start[KINDS * LINK_REGIONS];
	private->placed =
		link_allocate_array(link, private->placed_count, sizeof(struct link_section *));
	if (!private->placed)
		return -ENOMEM;
	for (struct link_object *object = link->objects; object; object = object->next) {
		for (size_t i = 1; i < object->section_count; i++) {
			if (is_loaded(&object->sections[i]))
			private->placed[start[order_key(&object->sections[i])]++] =
				&object->sections[i];
		}
	}
	/* Each start has moved to its end by now. */
	begin = start[KINDS * LINK_PERCPU - 1];
	return sort_percpu(link, private->placed + begin,
			   start[KINDS * (LINK_PERCPU + 1) - 1] - begin);
}

/* ---- Offsets -------------------------------------------------------------------------------- */

static int fail_size(struct link *link)
{
	return link_fail(link, -ENOEXEC, "%s: too large to load (at most %llu bytes in all)",
			 link->objects->name, (unsigned long long)LINK_MOST - 1);
}

int link_append(struct link *link, enum link_region region, uint64_t size, uint64_t align,
		uint64_t *offset)
{
	struct link_part *part = &link->part[region];

	/* All terms are below 2^32: the sum of sizes never was above LINK_MOST before this. */
	*offset = link_align(part->size, align);
	if (size >= LINK_MOST || *offset + size >= LINK_MOST)
		return fail_size(link);
	part->size = *offset + size;
	if (part->align < align)
		part->align = align;
	return 0;
}

/* Give COMMON symbols their places in a section of their own. */
static int place_commons(struct link *link, struct link_section *common)
{
	struct link_part *part = &link->part[common->region];
	int error = 0;

	common->object = link->objects;
	for (struct link_name *name = link->private->globals.first; name && !error;
	     name = name->following) {
		struct link_symbol *symbol = &name->symbol;
		uint64_t align = symbol->value;

		if (symbol->section != common)
			continue;
		error = link_append(link, common->region, symbol->size, align, &symbol->value);
		if (!common->size)
			common->offset = symbol->value;
		common->size = part->size - common->offset;
		symbol->value -= common->offset;
		if (common->align < align)
			common->align = align;
	}
	return error;
}

/* What the caller fills in: the last of the read-only data. */
static int place_cells(struct link *link)
{
	struct link_section *cells = &link->private->cell;
	int error = 0;

	cells->object = link->objects;
	for (struct link_cell *cell = link->private->cells; cell && !error; cell = cell->next) {
		struct link_symbol *symbol = link_find(link, cell->name);

		if (!symbol || symbol->defined || !symbol->needed)
			continue;
		error = link_append(link, LINK_RODATA, cell->size, cells->align, &symbol->value);
		if (!cells->size)
			cells->offset = symbol->value;
		cells->size = link->part[LINK_RODATA].size - cells->offset;
		symbol->value -= cells->offset;
		symbol->section = cells;
		symbol->defined = true;
		cell->symbol = symbol;
	}
	return error;
}

/* One of a run of sections of unwind information was placed: there is room behind each, so that there
 * is some behind the last. */
static int extend_frames(struct link *link, const struct link_section *section)
{
	uint64_t offset;

	if (!link->frames_size)
		link->frames_offset = section->offset;
	link->frames_size = section->offset + section->size - link->frames_offset;
	return link_append(link, LINK_RODATA, LINK_FRAMES_ROOM, 1, &offset);
}

/* How many slots without a symbol there can be: two pages more than a region has bytes for, and those that
 * were counted. */
static int count_values(struct link *link, uint64_t *most)
{
	struct link_private *private = link->private;
	uint64_t places = 2;

	*most = private->value_count;
	for (size_t i = 0; i < LINK_REGIONS && private->paged; i++)
		*most += (link->part[i].size >> 16) + 2;
	if (!*most)
		return 0;
	if (*most > LINK_MOST / 4)
		return fail_size(link);
	while (places < 2 * *most)
		places *= 2;
	private->values = link_allocate_array(link, (size_t)places, sizeof(*private->values));
	private->value_slots = (uint32_t)places;
	private->value_most = (uint32_t)*most;
	return private->values ? 0 : -ENOMEM;
}

static int place_got(struct link *link)
{
	struct link_private *private = link->private;
	uint64_t bytes = link->arch->got_bytes, values;
	int error = count_values(link, &values);

	if (!error && (private->got_count > link->arch->got_reserved || private->got_based))
		error = link_append(link, LINK_RODATA, (private->got_count + values) * bytes,
				    link->arch->got_align ? link->arch->got_align : bytes,
				    &private->got_offset);
	private->got.offset = private->got_offset;
	return error;
}

static int place_sections(struct link *link)
{
	struct link_private *private = link->private;
	const struct link_arch *arch = link->arch;
	bool placed_got = false;
	int error = 0;

	link_read_properties(link);
	for (size_t i = 0; i < private->placed_count && !error; i++) {
		struct link_section *section = private->placed[i];

		if (kind_of(section) == KIND_SLOTS && !placed_got) {
			error = place_got(link);
			placed_got = true;
		}
		if (kind_of(section) == KIND_INDEX) {
			size_t count = link_count_index(link, i);

			error = link_place_index(link, private->placed + i, count);
			i += count - 1;
		} else if (!error) {
			error = link_append(link, section->region, section->size, section->align,
					    &section->offset);
		}
		if (!error && section->data)
			link->part[section->region].filled = link->part[section->region].size;
		if (!error && kind_of(section) == KIND_FRAMES)
			error = extend_frames(link, section);
		if (section->region == LINK_TLS && section->data)
			link->tls_initial_size = section->offset + section->size;
	}
	if (!error)
		error = place_commons(link, &private->common);
	if (!error)
		error = place_commons(link, &private->tls_common);
	if (!error && private->stub_count)
		error = link_append(link, LINK_TEXT,
				    (uint64_t) private->stub_count * link_stub_size(link),
				    arch->stub_align, &private->stub_offset);
	if (!error && !placed_got)
		error = place_got(link);
	return error ? error : place_cells(link);
}

/* Of the pages that a part of the block has to itself. */
static uint64_t part_page(const struct link *link, enum link_region region)
{
	bool large = region == LINK_TEXT && link->large_page &&
		     link->part[region].size >= link->large_page / 2;

	return large ? link->large_page : link_page_size(link);
}

uint64_t link_part_extent(const struct link *link, enum link_region region)
{
	return link_align(link->part[region].size, part_page(link, region));
}

static int place_regions(struct link *link)
{
	uint64_t end = 0;

	link->block_align = link_page_size(link);
	for (size_t i = 0; i < LINK_PERCPU; i++) {
		enum link_region region = (enum link_region)i;
		struct link_part *part = &link->part[i];

		if (region == LINK_INIT_TEXT)
			link->init_offset = end;
		if (part_page(link, region) > link_page_size(link))
			part->align = link->large_page;
		if (part->align > link->block_align)
			link->block_align = part->align;
		if (part->align > link_page_size(link))
			end = link_align(end, part->align);
		part->offset = end;
		end += link_part_extent(link, region);
		if (end >= LINK_MOST)
			return fail_size(link);
	}
	link->block_size = end;
	return 0;
}

/* ---- The whole ------------------------------------------------------------------------------ */

/* "$t", "$d.1", "$xrv64i": what follows in a section, for those who disassemble it. */
static bool is_mapping_symbol(const struct link *link, const struct link_symbol *symbol)
{
	const char *kinds = link->arch->mapping_symbols, *name = symbol->name;

	return kinds && symbol->bind == STB_LOCAL && symbol->type == STT_NOTYPE && name[0] == '$' &&
	       name[1] && strchr(kinds, name[1]) &&
	       (!name[2] || name[2] == '.' || !strncmp(name + 2, "rv", 2));
}

/* Compilers' labels (alpha and mips "$L1", hppa "L$1"), which nobody else knows: assemblers keep them where
 * linkers move code (riscv), or with debug information. An anchor may even be outside of its section. */
static bool is_label(const struct link_symbol *symbol)
{
	const char *name = symbol->name;

	return symbol->bind == STB_LOCAL && !symbol->size &&
	       (!strncmp(name, ".L", 2) || !strncmp(name, "$L", 2) || !strncmp(name, "L$", 2));
}

/* Local and global symbols that the object defines, without those that only name a section or a
 * source file, or what is in it. */
static int list_defined(struct link_object *object)
{
	object->defined = link_allocate_array(object->link, object->symbol_count,
					      sizeof(struct link_symbol *));
	if (!object->defined)
		return -ENOMEM;
	for (size_t i = 1; i < object->symbol_count; i++) {
		struct link_symbol *symbol = object->symbols[i];

		if (!symbol->defined || symbol->object != object || symbol->type == STT_SECTION ||
		    symbol->type == STT_FILE || is_mapping_symbol(object->link, symbol) ||
		    (symbol->section && symbol->section->discarded) || is_label(symbol))
			continue;
		object->defined[object->defined_count++] = symbol;
	}
	return 0;
}

int link_layout(struct link *link)
{
	int error;

	if (!link->objects)
		return link_fail(link, -ENOEXEC, "there is nothing to link");
	error = link_add_saves(link);
	if (!error)
		error = link_list_bounds(link);
	if (!error && link->gc_sections)
		error = link_collect(link);
	for (struct link_object *object = link->objects; object && !error; object = object->next)
		error = list_defined(object);
	if (!error)
		error = order_sections(link);
	link_define_tls_begin(link);
	if (!error)
		error = link_gather_bounds(link);
	if (!error)
		error = link_order_index(link);
	if (!error)
		error = link_scan(link);
	if (!error)
		error = place_sections(link);
	return error ? error : place_regions(link);
}
