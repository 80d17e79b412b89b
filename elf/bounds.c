/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * __start_NAME and __stop_NAME: where the sections called NAME begin and end, as ld defines them.
 *
 * Only for names that are C identifiers and that somebody asks for in this way.  All sections of
 * such a name lie together, in one region; per-CPU variables have an order of their own and are left
 * out.  This is done in two steps: which sections there are, and, when it is known which of them
 * are kept, the symbols.
 */
#include "elf/internal.h"

static const char *const prefixes[] = { "__start_", "__stop_" };

/* The section's name in that of the symbol; NULL if it is another symbol. */
static const char *bounded_name(const char *symbol)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t length = strlen(prefixes[i]);

		if (!strncmp(symbol, prefixes[i], length) && symbol[length])
			return symbol + length;
	}
	return NULL;
}

static bool is_identifier(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789_");

	return !name[length] && !(*name >= '0' && *name <= '9');
}

struct link_bounds *link_bounds_of(const struct link *link, const struct link_symbol *symbol)
{
	const char *section = symbol->defined ? NULL : bounded_name(symbol->name);
	const struct link_symbol *name =
		section ? link_find_name(&link->private->bounded, section) : NULL;

	return name ? name->owner : NULL;
}

static int add_section(struct link *link, struct link_section *section)
{
	struct link_symbol *name;
	struct link_bounds *bounds;

	if (section->region >= LINK_PERCPU || section->discarded || section->name[0] == '.')
		return 0;
	if (link_count_name(section->object, section->name))
		return -ENOEXEC;
	name = link_find_name(&link->private->bounded, section->name);
	if (!name)
		return 0;
	bounds = section->bounds = name->owner;
	if (bounds->first)
		bounds->last->next = section;
	else
		bounds->first = section;
	bounds->last = section;
	return 0;
}

static int add_name(struct link *link, const char *section)
{
	bool added;
	struct link_name *name = link_intern(link, &link->private->bounded, section, &added);

	if (name && added)
		name->symbol.owner = link_allocate(link, sizeof(struct link_bounds));
	return name && name->symbol.owner ? 0 : -ENOMEM;
}

int link_find_bounds(struct link *link)
{
	struct link_private *private = link->private;
	int error = 0;

	for (struct link_name *name = private->globals.first; name && !error;
	     name = name->following) {
		const char *section = name->symbol.defined ? NULL : bounded_name(name->symbol.name);

		if (section && is_identifier(section))
			error = add_name(link, section);
	}
	if (!private->bounded.first)
		return error;
	for (struct link_object *object = link->objects; object; object = object->next) {
		for (size_t i = 1; i < object->section_count && !error; i++)
			error = add_section(link, &object->sections[i]);
	}
	return error;
}

/* Leave out what is discarded. */
static void forget_discarded(struct link_bounds *bounds)
{
	struct link_section *section = bounds->first;

	bounds->first = bounds->last = NULL;
	for (; section; section = section->next) {
		if (section->discarded)
			continue;
		if (bounds->last)
			bounds->last->next = section;
		else
			bounds->first = section;
		bounds->last = section;
	}
	if (bounds->last)
		bounds->last->next = NULL;
}

/* Sections of one name go to one region, the one that allows most. */
static int join_regions(struct link *link, const struct link_bounds *bounds)
{
	enum link_region region = bounds->first->region;

	for (const struct link_section *section = bounds->first; section; section = section->next) {
		if (section->region == region)
			continue;
		if (section->region > LINK_DATA || section->region == LINK_TEXT ||
		    region > LINK_DATA || region == LINK_TEXT)
			return link_fail(
				link, -ENOEXEC,
				"%s: section %s: does not fit together with that of %s, "
				"but __start_%s needs all in one place; give them the same "
				"flags",
				section->object->name, section->name, bounds->first->object->name,
				section->name);
		if (region < section->region)
			region = section->region;
	}
	for (struct link_section *section = bounds->first; section; section = section->next)
		section->region = region;
	return 0;
}

static void define(struct link_symbol *symbol, struct link_section *section, uint64_t value)
{
	symbol->object = section->object;
	symbol->section = section;
	symbol->value = value;
	symbol->visibility = STV_HIDDEN;
	symbol->defined = true;
}

int link_define_bounds(struct link *link)
{
	struct link_private *private = link->private;
	int error = 0;

	for (struct link_name *name = private->bounded.first; name && !error;
	     name = name->following) {
		struct link_bounds *bounds = name->symbol.owner;

		forget_discarded(bounds);
		if (bounds->first)
			error = join_regions(link, bounds);
	}
	for (struct link_name *name = private->globals.first;
	     name && private->bounded.first && !error; name = name->following) {
		const struct link_bounds *bounds = link_bounds_of(link, &name->symbol);

		if (!bounds || !bounds->first)
			continue;
		if (!strncmp(name->symbol.name, prefixes[0], strlen(prefixes[0])))
			define(&name->symbol, bounds->first, 0);
		else
			define(&name->symbol, bounds->last, bounds->last->size);
	}
	return error;
}
