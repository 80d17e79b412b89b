/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names with versions in them, as .symver makes them: "name@VERSION", and "name@@VERSION" for the
 * definition that is the default.  As in a static link, the default also serves who asks for "name"
 * or for "name@VERSION", and the others serve only who asks for just that.
 *
 * What is left undefined, "name@VERSION" or "name", the caller finds elsewhere.
 */
#include "elf/internal.h"

/* Let the symbol called by the first `length` bytes of a name, which is made if nobody knows it, be
 * the definition that has a version. */
static int define_alias(struct link *link, const struct link_symbol *definition, const char *name,
			size_t length)
{
	struct link_symbol *alias;
	const char *copy = link_copy_string(link, name, length);
	struct link_name *entry;
	bool added;

	entry = copy ? link_intern(link, &link->private->globals, copy, &added) : NULL;
	if (!entry)
		return -ENOMEM;
	alias = &entry->symbol;
	if (alias->section == definition->section && alias->value == definition->value &&
	    alias->defined)
		return 0;
	if (alias->defined && alias->bind != STB_WEAK && definition->bind != STB_WEAK)
		return link_fail(link, -EEXIST,
				 "%s: symbol %s: defined already in %s, as %s; rename one of them "
				 "or make it static",
				 alias->object->name, copy, definition->object->name,
				 definition->name);
	if (!alias->defined || alias->bind == STB_WEAK)
		link_replace_symbol(alias, definition);
	return 0;
}

static int settle(struct link *link, const struct link_symbol *symbol)
{
	const char *at = strchr(symbol->name, '@');
	size_t length = at ? (size_t)(at - symbol->name) : 0;
	char *single;
	int error;

	if (!length || at[1] != '@' || !symbol->defined)
		return 0;
	error = define_alias(link, symbol, symbol->name, length);
	if (error)
		return error;
	single = link_copy_string(link, symbol->name, strlen(symbol->name));
	if (!single)
		return -ENOMEM;
	memmove(single + length, single + length + 1, strlen(single + length));
	return define_alias(link, symbol, single, strlen(single));
}

int link_settle_versions(struct link *link)
{
	int error = 0;

	/* Names that are made on the way come last, and have no "@@". */
	for (struct link_name *name = link->private->versions ? link->private->globals.first : NULL;
	     name && !error; name = name->following)
		error = settle(link, &name->symbol);
	return error;
}
