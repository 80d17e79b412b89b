/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The types of symbols as text, from debug information; see types.c.
 */
#ifndef TOOLS_TYPES_H
#define TOOLS_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
 * False after a message, also if the file has no debug information.
 */
bool find_types(const char *path, struct typed_symbol *symbols, size_t count, char **definitions);

#endif
