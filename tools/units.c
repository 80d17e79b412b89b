/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Debug information of objects in which types have units of their own (-fdebug-types-section).
 *
 * Each such unit is a section of its own, all of one name, in a group by which linkers drop doubles.
 * libdw reads one section of a name.  So it is given a copy of the file in which there is one: the unit
 * of the source first, as others refer to places in it, and the rest behind it; the relocations of each
 * are moved with it.
 */
#include "object.h"
#include "types.h"

#include "tool.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

static const char *const unit_sections[] = { ".debug_info", ".debug_types" };
#define UNIT_SECTIONS (sizeof(unit_sections) / sizeof(unit_sections[0]))

static bool is_units(const struct object *object, size_t index, const char *name)
{
	return object->sections[index].sh_type == SHT_PROGBITS &&
	       strcmp(section_name(object, index), name) == 0;
}

bool has_units(const struct object *object)
{
	struct object looked = *object;
	bool found = !open_object(&looked);

	/* What can't be read is told by whom reads it next. */
	for (size_t i = 1; !found && i < looked.num_sections; i++) {
		const char *name = section_name(&looked, i);

		found = strcmp(name, ".debug_info") == 0 || strcmp(name, ".zdebug_info") == 0;
	}
	close_object(&looked);
	return found;
}

/* Relocations by the section that they are for, as there may be as many as units. */
static size_t *relocations_of(const struct object *object)
{
	size_t *found = allocate(object->num_sections, sizeof(*found));

	for (size_t i = 1; i < object->num_sections; i++) {
		const ElfW(Shdr) *section = &object->sections[i];

		if ((section->sh_type == SHT_RELA || section->sh_type == SHT_REL) &&
		    section->sh_info < object->num_sections)
			found[section->sh_info] = i;
	}
	return found;
}

/* The one that others refer to places in is in no group. */
static size_t find_main(const struct object *object, const char *name)
{
	size_t found = 0;

	for (size_t i = 1; i < object->num_sections; i++) {
		if (!is_units(object, i, name))
			continue;
		if (!(object->sections[i].sh_flags & SHF_GROUP))
			return i;
		found = found ? found : i;
	}
	return found;
}

/* Let places in `size` bytes of relocations be so much farther. */
static void move_places(char *relocations, size_t size, size_t entry_size, size_t distance)
{
	ElfW(Addr) place;

	for (size_t at = 0; at + entry_size <= size; at += entry_size) {
		memcpy(&place, relocations + at, sizeof(place));
		place += distance;
		memcpy(relocations + at, &place, sizeof(place));
	}
}

static size_t entry_size(const ElfW(Shdr) * relocations)
{
	return relocations->sh_type == SHT_RELA ? sizeof(ElfW(Rela)) : sizeof(ElfW(Rel));
}

static void move_relocations(struct object *object, size_t *relocations, size_t main, size_t other,
			     size_t distance)
{
	size_t from = relocations[other], to = relocations[main];
	ElfW(Shdr) *moved = &object->sections[from];
	size_t size = moved->sh_size;
	char *entries;

	if (!from)
		return;
	if (!to) {
		relocations[main] = from;
		moved->sh_info = (ElfW(Word))main;
		moved->sh_flags &= ~(ElfW(Word))SHF_GROUP;
		entries = extend_section(object, from, 0);
		move_places(entries - size, size, entry_size(moved), distance);
		return;
	}
	if (moved->sh_type != object->sections[to].sh_type)
		return;
	entries = extend_section(object, to, size);
	memcpy(entries, object->bytes + moved->sh_offset, size);
	move_places(entries, size, entry_size(moved), distance);
	moved->sh_type = SHT_NULL;
}

static void move_unit(struct object *object, size_t *relocations, size_t main, size_t other)
{
	ElfW(Shdr) *moved = &object->sections[other];
	size_t distance = object->sections[main].sh_size;

	memcpy(extend_section(object, main, moved->sh_size), object->bytes + moved->sh_offset,
	       moved->sh_size);
	move_relocations(object, relocations, main, other, distance);
	moved->sh_type = SHT_NULL;
}

/* Whether there was something to be moved.  What is compressed (-gz) can't be put behind other. */
static bool move_units(struct object *object, size_t *relocations, const char *name)
{
	size_t main = find_main(object, name);
	bool moved = false;

	if (!main || object->sections[main].sh_flags & SHF_COMPRESSED)
		return false;
	if (object->sections[main].sh_flags & SHF_GROUP) {
		object->sections[main].sh_flags &= ~(ElfW(Word))SHF_GROUP;
		if (relocations[main])
			object->sections[relocations[main]].sh_flags &= ~(ElfW(Word))SHF_GROUP;
		moved = true;
	}
	for (size_t i = 1; i < object->num_sections; i++) {
		if (i == main || !is_units(object, i, name) ||
		    object->sections[i].sh_flags & SHF_COMPRESSED)
			continue;
		move_unit(object, relocations, main, i);
		moved = true;
	}
	return moved;
}

bool gather_units(const struct object *object, struct bytes *image)
{
	struct object copy = { .path = object->path, .bytes = object->bytes, .size = object->size };
	bool moved = false;

	if (object->header.e_type == ET_REL && open_object(&copy)) {
		size_t *relocations = relocations_of(&copy);

		for (size_t i = 0; i < UNIT_SECTIONS; i++)
			moved |= move_units(&copy, relocations, unit_sections[i]);
		free(relocations);
		if (moved)
			*image = write_object(&copy);
	}
	close_object(&copy);
	return moved;
}
