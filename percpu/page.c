/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first chunk, page by page: its memory is what a function of the program's maps there.
 *
 * The layout is that of the embedding helper, and so is everything behind the first chunk.  What the
 * allocator wants of a page is that it is zero and stays where it is: it never unmaps one, and zeroes
 * what is freed instead of relying on the system to do so.
 */
#include "internal.h"

#include <errno.h>

/* Call for all pages of the possible CPUs' units; the first error ends it. */
int pcpu_populate(struct pcpu_space *space, pcpu_populate_fn populate, void *data)
{
	struct pcpu_page page = {
		.count = space->first_size / space->page,
		.size = space->page,
	};

	space->provided = true;
	for (page.cpu = 0; page.cpu < space->nr_cpus; page.cpu++) {
		if (!pcpu_is_possible(space, page.cpu))
			continue;
		for (page.index = 0; page.index < page.count; page.index++) {
			int error;

			page.address = pcpu_unit_address(space, page.cpu, page.index * space->page);
			error = populate(&page, data);
			if (error)
				return error;
		}
	}
	return 0;
}

ptrdiff_t pcpu_page_first_chunk(size_t static_size, ptrdiff_t reserved_size, ptrdiff_t dyn_size,
				ptrdiff_t unit_size, pcpu_populate_fn populate, void *data)
{
	ptrdiff_t unit = pcpu_embed_first_chunk(static_size, reserved_size, dyn_size, unit_size);
	int error;

	if (unit < 0)
		return unit;
	pcpu_core.helper = "Paged";
	error = pcpu_populate(&pcpu_core, populate, data);
	if (error) {
		pcpu_space_exit(&pcpu_core);
		return error < 0 ? error : -EINVAL;
	}
	return unit;
}
