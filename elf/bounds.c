/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `__start_NAME` and `__stop_NAME`: where the sections called NAME begin and end.
 *
 * Programs collect things in sections whose names are C identifiers, and go through them as through an
 * array.  So all sections of a name that somebody asks for lie next to each other, where the first of
 * them would lie; if one of them can be written, all can.  Where there is none the symbols stay
 * undefined, as ld leaves them.
 */
#include "elf/internal.h"

static const char start_prefix[] = "__start_", stop_prefix[] = "__stop_";

/* What such a symbol names; NULL for others. */
const char *link_bounded_name(const struct link_symbol *symbol)
{
	if (symbol->defined || strncmp(symbol->name, "__st", 4) != 0)
		return NULL;
	if (!strncmp(symbol->name, start_prefix, sizeof(start_prefix) - 1))
		return symbol->name + sizeof(start_prefix) - 1;
	if (!strncmp(symbol->name, stop_prefix, sizeof(stop_prefix) - 1))
		return symbol->name + sizeof(stop_prefix) - 1;
	return NULL;
}

static int list_names(struct link *link)
{
	struct link_names *bounded = &link->private->bounded;

	for (struct link_name *name = link->private->globals.first; name; name = name->following) {
		const char *section = link_bounded_name(&name->symbol);
		bool added;

		if (section && *section && !link_intern(link, bounded, section, &added))
			return -ENOMEM;
	}
	return 0;
}

static struct link_symbol *set_of(struct link *link, const struct link_section *section)
{
	if (section->discarded || section->region >= LINK_PERCPU)
		return NULL;
	return link_find_name(&link->private->bounded, section->name);
}

/* Sections of one name may be constant in one object and variable in the next. */
static void choose_regions(struct link *link)
{
	for (int pass = 0; pass < 2; pass++) {
		for (struct link_object *object = link->objects; object; object = object->next) {
			for (size_t i = 1; i < object->section_count; i++) {
				struct link_section *section = &object->sections[i];
				struct link_symbol *set = set_of(link, section);

				if (!set)
					continue;
				if (pass && set->section->region == LINK_DATA &&
				    section->region == LINK_RODATA)
					section->region = LINK_DATA;
				if (!pass && (!set->section || section->region == LINK_DATA))
					set->section = section;
			}
		}
	}
}

int link_list_bounds(struct link *link)
{
	int error = list_names(link);

	if (!error && link->private->bounded.count)
		choose_regions(link);
	return error;
}

/* ---- Order ---------------------------------------------------------------------------------- */

/* A set's members in the list of what is placed, each with the number of the next one. */
struct member {
	size_t next; /* 0: none */
	bool later;  /* it follows its set's first */
};

static void chain_members(struct link *link, struct member *members)
{
	struct link_private *private = link->private;

	for (size_t i = 0; i < private->placed_count; i++) {
		struct link_symbol *set = set_of(link, private->placed[i]);

		/* Elsewhere is what can't be moved: code, and what goes with init. */
		if (!set || (set->defined && set->section->region != private->placed[i]->region))
			continue;
		if (set->defined) {
			members[set->value].next = i;
			members[i].later = true;
		} else {
			set->section = private->placed[i];
			set->defined = true;
		}
		set->value = i; /* of the last so far */
	}
}

static void define_bound(struct link *link, struct link_symbol *symbol)
{
	const char *name = link_bounded_name(symbol);
	const struct link_symbol *set = name ? link_find_name(&link->private->bounded, name) : NULL;
	bool start = symbol->name[sizeof("__st") - 1] == 'a';

	if (!set || !set->defined)
		return;
	symbol->section = start ? set->section : link->private->placed[set->value];
	symbol->value = start ? 0 : symbol->section->size;
	symbol->visibility = STV_HIDDEN;
	symbol->defined = true;
}

int link_gather_bounds(struct link *link)
{
	struct link_private *private = link->private;
	struct link_section **gathered;
	struct member *members;
	size_t count = 0;

	if (!private->bounded.count)
		return 0;
	gathered = link_allocate_array(link, private->placed_count, sizeof(struct link_section *));
	members = link_allocate_array(link, private->placed_count, sizeof(*members));
	if (!gathered || !members)
		return -ENOMEM;
	chain_members(link, members);
	for (struct link_name *name = private->globals.first; name; name = name->following)
		define_bound(link, &name->symbol);
	for (size_t i = 0; i < private->placed_count; i++) {
		size_t at = i;

		if (members[i].later)
			continue;
		do {
			gathered[count++] = private->placed[at];
			at = members[at].next;
		} while (at);
	}
	private->placed = gathered;
	return 0;
}
