/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Static per-CPU variables of the program and of shared objects.
 *
 * Each image brings two words, where its variables begin and end; it gets two back, which turn
 * addresses in it into cookies.  The core image, as a rule the program, has the static region; the
 * others get areas of the reserved region, and give them back when they are closed.  The image's
 * own copy holds the initial values.  Once they are copied, its whole pages are made inaccessible:
 * whoever uses such a variable without a macro is told at once.
 */
#include "internal.h"

#include <string.h>
#include <sys/mman.h>

/* Replaced by the first image in look-up order that has per-CPU variables. */
__attribute__((weak)) struct pcpu_image *pcpu_core_image = NULL;

/* Images that have a place; under the lock. */
static struct pcpu_image *images;
/* The core, as it was found at set-up; it is never unloaded, or its place not reused. */
static struct pcpu_image *core;

static size_t image_size(const struct pcpu_image *image)
{
	return (size_t)((uintptr_t)image->end - (uintptr_t)image->begin);
}

size_t pcpu_static_size(void)
{
	return pcpu_core_image ? image_size(pcpu_core_image) : 0;
}

/* The alignment that an image's section is known to have: that of its address, up to a page. */
static size_t image_align(const struct pcpu_image *image)
{
	uintptr_t lowest = (uintptr_t)image->begin & -(uintptr_t)image->begin;

	return lowest < pcpu_core.page ? (size_t)lowest : pcpu_core.page;
}

/* Copy initial values to every possible CPU, where they are not zero: fresh memory is. */
static void copy_values(size_t offset, const char *values, size_t size)
{
	while (size) {
		size_t piece = size < pcpu_core.page ? size : pcpu_core.page;
		size_t i = 0;

		while (i < piece && !values[i])
			i++;
		for (unsigned int cpu = 0; i < piece && cpu < pcpu_core.nr_cpus; cpu++) {
			if (pcpu_is_possible(&pcpu_core, cpu))
				memcpy(pcpu_unit_address(&pcpu_core, cpu, offset), values, piece);
		}
		offset += piece;
		values += piece;
		size -= piece;
	}
}

/* Make the pages that hold nothing but per-CPU variables inaccessible. */
static void close_pages(const struct pcpu_image *image)
{
	uintptr_t begin = ((uintptr_t)image->begin + pcpu_core.page - 1) & ~(pcpu_core.page - 1);
	uintptr_t end = (uintptr_t)image->end & ~(pcpu_core.page - 1);

	if (begin < end)
		mprotect((void *)begin, end - begin, PROT_NONE);
}

static void place(struct pcpu_image *image, size_t offset)
{
	size_t size = image_size(image);

	copy_values(offset, image->begin, size);
	close_pages(image);
	image->displacement = (char *)(pcpu_core.cookies + offset - (uintptr_t)image->begin);
	image->size = (char *)size;
	image->next = images;
	images = image;
}

void pcpu_place_core(void)
{
	core = pcpu_core_image;
	if (!core || !image_size(core))
		return;
	if (image_size(core) > pcpu_core.static_size)
		pcpu_die("setup_per_cpu_areas() left %zu bytes for %zu bytes of static variables",
			 pcpu_core.static_size, image_size(core));
	place(core, 0);
}

/* An area of the reserved region that only the image itself can give back. */
static size_t take_place(const struct pcpu_image *image)
{
	size_t least = ((size_t)PCPU_SMALL + 1) * PCPU_GRAIN, size = image_size(image);
	size_t offset =
		pcpu_take(&pcpu_core, size < least ? least : size, image_align(image), true);

	if (offset != SIZE_MAX)
		pcpu_set_state(&pcpu_core, offset / PCPU_GRAIN, PCPU_PLACE);
	return offset;
}

static void give_place(size_t offset)
{
	pcpu_set_state(&pcpu_core, offset / PCPU_GRAIN, PCPU_LARGE);
	pcpu_give(&pcpu_core, offset);
}

void pcpu_image_register(struct pcpu_image *image)
{
	size_t offset = 0;

	pcpu_setup();
	if (!image_size(image))
		return;
	pcpu_lock();
	if (!image->size) {
		offset = take_place(image);
		if (offset != SIZE_MAX)
			place(image, offset);
	}
	pcpu_unlock();
	if (offset == SIZE_MAX)
		pcpu_die("no room for %zu bytes of a shared object's per-CPU variables in the "
			 "reserved region of %zu; set PERCPU_RESERVED higher",
			 image_size(image), pcpu_core.reserved_size);
}

void pcpu_image_unregister(struct pcpu_image *image)
{
	struct pcpu_image **link = &images;

	/* Every file of the image brings a destructor; and the core's variables must outlive it, as
	 * other destructors may use them. */
	if (!image->size || image == core)
		return;
	pcpu_lock();
	while (*link && *link != image)
		link = &(*link)->next;
	if (*link) {
		*link = image->next;
		give_place((size_t)((uintptr_t)image->begin + (uintptr_t)image->displacement -
				    pcpu_core.cookies));
	}
	pcpu_unlock();
}

uintptr_t pcpu_image_cookie(const volatile void *address)
{
	uintptr_t cookie = (uintptr_t)address;

	pcpu_setup();
	pcpu_lock();
	for (const struct pcpu_image *image = images; image; image = image->next) {
		if (cookie - (uintptr_t)image->begin < image_size(image)) {
			cookie += (uintptr_t)image->displacement;
			break;
		}
	}
	pcpu_unlock();
	return cookie;
}
