/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A module's memory: where each of its parts lies, and how what was linked gets there.
 *
 * Parts that are small lie in pages that modules share (pack.c), if from all over the arena everything
 * is in reach.  The others make up a block, in whole pages of the module's own.  What is only read or
 * run is in a shared page written at once, when it is complete; until then it is in a buffer.  In the
 * block everything is written where it is, and protected then.
 *
 * Shared pages that are there already spare the system calls of a block, so a module is faster in them.
 */
#define _GNU_SOURCE
#include "internal.h"

#include "loader/key.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

static const enum pack_kind kind_of[LINK_PERCPU] = {
	[LINK_TEXT] = PACK_TEXT,	   [LINK_RODATA] = PACK_RODATA,
	[LINK_RO_AFTER_INIT] = PACK_KINDS, [LINK_DATA] = PACK_DATA,
	[LINK_INIT_TEXT] = PACK_TEXT,	   [LINK_INIT_RODATA] = PACK_RODATA,
	[LINK_INIT_DATA] = PACK_DATA,
};

/* ---- Where parts lie ------------------------------------------------------------------------ */

/* Whether parts may lie anywhere in the arena.  IFUNCs are chosen by code that sees read-only data
 * before it is complete, which takes pages that can be written. */
static bool may_pack(const struct load *load)
{
	if (load->whole_pages || load->link->close || link_has_indirects(load->link) ||
	    (patches_keys() && has_keys(load->link)) ||
	    (load->link->spanned && !arena_is_in_one_span()))
		return false;
	return load->interval.low.base + load->link->block_size <= arena()->begin &&
	       load->interval.high.base >= arena()->begin + arena()->size;
}

static void pack_part(struct load *load, size_t region)
{
	const struct link_part *part = &load->link->part[region];
	struct module_part *place = &load->module->part[region];

	if (kind_of[region] == PACK_KINDS || part->size > load->link->page_size / 2)
		return;
	place->page = take_packed(load->pm->pack, kind_of[region], part->size, part->align,
				  &place->address);
	if (place->page)
		place->size = part->size;
}

/* Where each part that has no place yet lies in a block, in bytes; returns the block's size. */
static size_t lay_out_rest(const struct load *load, size_t offset[LINK_PERCPU])
{
	const struct link *link = load->link;
	size_t end = 0;

	for (size_t region = 0; region < LINK_PERCPU; region++) {
		size_t align = link->part[region].align;

		if (load->module->part[region].size || !link->part[region].size)
			continue;
		if (align > link->page_size)
			end = round_up(end, align);
		offset[region] = end;
		end += link_part_extent(link, (enum link_region)region);
	}
	return end;
}

/* Pages without contents between parts that are worth a fault for each that is needed. */
#define LEAST_GAP ((size_t)64 << 10)

/* The next run of parts in the block with contents, from `*begin` bytes on: bytes, 0 if there is none. */
static size_t find_run(const struct load *load, const size_t offset[LINK_PERCPU], size_t *begin)
{
	size_t end = 0;

	for (size_t region = 0; region < LINK_PERCPU; region++) {
		size_t filled = load->link->part[region].filled;

		if (load->module->part[region].page || !filled || offset[region] < *begin)
			continue;
		if (!end)
			*begin = offset[region];
		else if (offset[region] - end >= LEAST_GAP)
			break;
		end = offset[region] + filled;
	}
	return end ? end - *begin : 0;
}

/* Have memory for what is written, and none for the rest. */
static void populate_block(const struct load *load, const size_t offset[LINK_PERCPU])
{
	const struct permod_module *module = load->module;
	size_t begin = 0, size;

	for (; (size = find_run(load, offset, &begin)); begin += size)
		populate(module->base + begin, size, module->size - begin);
}

/* Take a block for all parts that have no place yet. */
static int take_rest(struct load *load, uintptr_t low, uintptr_t high)
{
	struct permod_module *module = load->module;
	const struct link *link = load->link;
	size_t offset[LINK_PERCPU], size = lay_out_rest(load, offset), begin = 0;
	size_t large = in_large_pages(find_run(load, offset, &begin));
	int error = -ERANGE;

	if (!size)
		return 0;
	if (large && !begin) {
		size_t align = link->block_align > LARGE_PAGE ? link->block_align : LARGE_PAGE;

		large = size > large ? size : large;
		error = take_block(low, high, large, align, link->spanned, &module->base);
		size = error ? size : large;
	}
	if (error)
		error = take_block(low, high, size, link->block_align, link->spanned,
				   &module->base);
	if (error)
		return error;
	module->size = size;
	for (size_t region = 0; region < LINK_PERCPU; region++) {
		struct module_part *place = &module->part[region];

		if (place->size || !link->part[region].size)
			continue;
		place->address = module->base + offset[region];
		place->size = link->part[region].size;
	}
	/* It is anonymous memory that nobody has touched.  Where the system has no such pages, or is
	 * not to use any, it stays as it is. */
	if (link->large_page && link_part_extent(link, LINK_TEXT) % link->large_page == 0)
		madvise((void *)module->part[LINK_TEXT].address, link_part_extent(link, LINK_TEXT),
			MADV_HUGEPAGE);
	populate_block(load, offset);
	return 0;
}

static int pack(struct load *load)
{
	int error;

	begin_packed(load->pm->pack);
	for (size_t region = 0; region < LINK_PERCPU; region++) {
		if (load->link->part[region].size)
			pack_part(load, region);
	}
	end_packed(load->pm->pack);
	error = take_rest(load, arena()->begin, arena()->begin + arena()->size);
	if (error)
		give_image(load->module);
	return error;
}

int place_image(struct load *load)
{
	struct permod_module *module = load->module;
	struct link *link = load->link;
	int error;

	if (!may_pack(load) || pack(load)) {
		error = take_rest(load, load->interval.low.base, load->interval.high.base);
		if (error)
			return error;
	}
	link->base = module->base;
	/* Addresses wrap around: that of a part may be below the base. */
	for (size_t region = 0; region < LINK_PERCPU; region++)
		link->part[region].offset = (uint64_t)module->part[region].address - link->base;
	return 0;
}

/* The module's context may be gone. */
static struct pack *pack_of_module(const struct permod_module *module, size_t first, size_t last)
{
	for (size_t region = first; region <= last; region++) {
		if (module->part[region].page)
			return pack_of(module->part[region].page);
	}
	return NULL;
}

static void give_pieces(struct permod_module *module, size_t first, size_t last)
{
	struct pack *pack = pack_of_module(module, first, last);

	if (pack)
		begin_packed(pack);
	for (size_t region = first; region <= last; region++) {
		struct module_part *part = &module->part[region];

		if (part->page)
			give_packed(part->page, part->address, part->size);
		part->page = NULL;
		part->size = 0;
	}
	if (pack)
		end_packed(pack);
}

void give_init_image(struct permod_module *module)
{
	size_t kept = module->size;

	for (size_t region = LINK_INIT_TEXT; region <= LINK_INIT_DATA; region++) {
		const struct module_part *part = &module->part[region];

		/* They are the last in the block. */
		if (part->size && !part->page && part->address - module->base < kept)
			kept = part->address - module->base;
	}
	give_block(module->base + kept, module->size - kept);
	module->size = kept;
	give_pieces(module, LINK_INIT_TEXT, LINK_INIT_DATA);
}

void give_image(struct permod_module *module)
{
	give_block(module->base, module->size);
	module->size = 0;
	give_pieces(module, LINK_TEXT, LINK_INIT_DATA);
}

/* ---- How their bytes get there -------------------------------------------------------------- */

static bool is_written_at_once(const struct module_part *part, size_t region)
{
	return part->page && kind_of[region] != PACK_DATA;
}

int open_buffers(struct load *load)
{
	struct permod_module *module = load->module;
	size_t size = 0;

	for (size_t region = 0; region < LINK_PERCPU; region++) {
		if (is_written_at_once(&module->part[region], region))
			size += module->part[region].size;
	}
	if (size) {
		load->buffers = calloc(1, size);
		if (!load->buffers)
			return fail_memory(load->pm);
	}
	size = 0;
	for (size_t region = 0; region < LINK_PERCPU; region++) {
		const struct module_part *part = &module->part[region];

		load->link->part[region].buffer = (unsigned char *)part->address;
		/* A block is new from the system. */
		load->link->part[region].zeroed = !part->page;
		if (!is_written_at_once(part, region))
			continue;
		load->link->part[region].buffer = load->buffers + size;
		size += part->size;
	}
	return 0;
}

int write_parts(struct load *load)
{
	bool written = true;

	if (!load->buffers)
		return 0;
	begin_packed(load->pm->pack);
	for (size_t region = 0; region < LINK_PERCPU && written; region++) {
		const struct module_part *part = &load->module->part[region];
		unsigned char **buffer = &load->link->part[region].buffer;

		if (!is_written_at_once(part, region))
			continue;
		written = write_packed(part->page, part->address, *buffer, part->size);
		*buffer = (unsigned char *)part->address;
	}
	end_packed(load->pm->pack);
	load->again = !written;
	return written ? 0 : -EAGAIN;
}
