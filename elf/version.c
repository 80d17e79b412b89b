/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names with versions in them, as .symver makes them: "name@VERSION", and "name@@VERSION" for the
 * definition that is the default.  As in a static link, the default is also a definition of "name" and
 * of "name@VERSION", and the others serve only who asks for just that.
 *
 * What is left undefined, "name@VERSION" or "name", the caller finds elsewhere.
 */
#include "elf/internal.h"

/* What a name with "@@" in it stands for, besides itself: without its version, and with one "@". */
int link_version_names(struct link *link, const char *name, const char *names[2])
{
	const char *at = strchr(name, '@');
	char *single;

	names[0] = names[1] = NULL;
	if (!at || at == name || at[1] != '@')
		return 0;
	names[0] = link_copy_string(link, name, (size_t)(at - name));
	single = link_copy_string(link, name, strlen(name) - 1);
	names[1] = single;
	if (!names[0] || !single)
		return -ENOMEM;
	strcpy(single + (at - name), at + 1);
	return 0;
}

int link_enter_versions(struct link *link, const struct link_symbol *definition)
{
	struct link_symbol alias = *definition;
	const char *names[2];
	int error = link_version_names(link, definition->name, names);

	for (int i = 0; i < 2 && names[i] && !error; i++) {
		struct link_symbol *known;

		alias.name = names[i];
		error = link_enter_name(link, &alias, &known);
	}
	return error;
}
