/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Walking the stack by the compiler's unwinder: for C libraries without backtrace(), as musl.
 *
 * libgcc's unwinder asks for the tables of a place by _dl_find_object() if it was made for a C library
 * that has that; with another one nobody has, but for what is here.  It is as glibc's manual has it, and
 * hidden: only what is linked with this file finds it.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <link.h>
#include <unwind.h>

struct walk {
	void **frames;
	int count, most;
};

/* The first is walk_stack() itself. */
static _Unwind_Reason_Code add_frame(struct _Unwind_Context *context, void *arg)
{
	struct walk *walk = arg;

	if (walk->count >= 0)
		walk->frames[walk->count] = (void *)_Unwind_GetIP(context);
	walk->count++;
	return walk->count < walk->most ? _URC_NO_REASON : _URC_END_OF_STACK;
}

#ifdef NEED_DL_FIND_OBJECT
/* How it begins; what follows is for later, and left alone. */
struct dl_find_object {
	unsigned long long flags;
	void *begin, *end;
	void *link_map;
	void *eh_frame; /* what PT_GNU_EH_FRAME has */
};

int _dl_find_object(void *address, struct dl_find_object *object)
	__attribute__((visibility("hidden")));

struct search {
	uintptr_t address;
	struct dl_find_object found; /* the segment, which is less than the whole image */
};

static int look_into_image(struct dl_phdr_info *image, size_t size, void *arg)
{
	struct search *search = arg;
	struct dl_find_object *found = &search->found;

	(void)size;
	*found = (struct dl_find_object){ 0 };
	for (unsigned int i = 0; i < image->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &image->dlpi_phdr[i];
		uintptr_t begin = image->dlpi_addr + segment->p_vaddr;

		if (segment->p_type == PT_GNU_EH_FRAME) {
			found->eh_frame = (void *)begin;
		} else if (segment->p_type == PT_LOAD &&
			   search->address - begin < segment->p_memsz) {
			found->begin = (void *)begin;
			found->end = (void *)(begin + segment->p_memsz);
		}
	}
	return found->end && found->eh_frame;
}

int _dl_find_object(void *address, struct dl_find_object *object)
{
	struct search search = { .address = (uintptr_t)address };

	if (!dl_iterate_phdr(look_into_image, &search))
		return -1;
	*object = search.found;
	return 0;
}

/* The unwinder ends a process in which it does not find its own caller: a program that was linked with
 * this file, but without --eh-frame-hdr. */
static bool can_walk(void)
{
	struct dl_find_object found;

	return _dl_find_object((void *)walk_stack, &found) == 0;
}
#else
static bool can_walk(void)
{
	return true;
}
#endif

__attribute__((noinline)) int walk_stack(void **frames, int most)
{
	struct walk walk = { frames, -1, most };

	if (!can_walk())
		return 0;
	_Unwind_Backtrace(add_frame, &walk);
	/* Where a thread begins there may be a return address of 0. */
	if (walk.count > 0 && !frames[walk.count - 1])
		walk.count--;
	return walk.count > 0 ? walk.count : 0;
}
