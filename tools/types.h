/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The types of symbols as text, from debug information; see types.c.
 */
#ifndef TOOLS_TYPES_H
#define TOOLS_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes;
struct object;

/* A symbol whose type is wanted. */
struct typed_symbol {
	const char *name;
	bool exported;	 /* else needed */
	bool defined;	 /* the type is a definition's, not a declaration's */
	char *type;	 /* as text; NULL: the file doesn't tell */
	uint32_t crc;	 /* of the type and all that it refers to */
	size_t checksum; /* number of the symbol that tells it to the kernel's tools, or 0 */
};

/*
 * Find the types of symbols, which are in the order of their names, in the debug information of a file.
 * *definitions receives the text of the structures that they refer to; to be freed, as the types are.
 * False after a message, also if the file has no debug information.  `fd` is the file's if it is not to
 * be opened by its path, which is for messages then, or -1; it is closed.
 */
bool find_types(const char *path, int fd, struct typed_symbol *symbols, size_t count,
		char **definitions);

/* ---- units.c -------------------------------------------------------------------------------- */

/* Whether an object has debug information. */
bool has_units(const struct object *object);
/* Make a copy of an object with all its debug information in one place, if that is not so. */
bool gather_units(const struct object *object, struct bytes *image);

#endif
