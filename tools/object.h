/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An ELF file in memory, of which sections get other contents; see object.c.
 */
#ifndef TOOLS_OBJECT_H
#define TOOLS_OBJECT_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct bytes {
	char *data;
	size_t size;
};

struct object {
	const char *path; /* for messages */
	const unsigned char *bytes;
	size_t size;
	ElfW(Ehdr) header;
	ElfW(Shdr) * sections;
	struct bytes *contents;	    /* of each section, if it has others than in the file */
	size_t num_sections, names; /* index of the section that has their names */
};

/* A stream into memory; these functions end the process when there is none. */
FILE *open_bytes(struct bytes *bytes);
void close_bytes(FILE *stream);

/* Complain; returns false. */
bool refuse_object(const struct object *object, const char *why);
/* Have a look at the path's bytes, which the caller keeps; false after a message. */
bool open_object(struct object *object);
/* Free what was made of it, also if it was refused. */
void close_object(struct object *object);

/* A string of a table; "" if it is not there, or does not end. */
const char *object_string(const struct object *object, size_t table, size_t offset);
const char *section_name(const struct object *object, size_t index);

/* A section gets other contents: from here on its old ones, with `size` bytes more, which are zero and
 * which this returns. */
char *extend_section(struct object *object, size_t index, size_t size);
/* Add to a table of strings; returns where it is. */
size_t add_string(struct object *object, size_t table, const char *string);
/* Let a section of this name be there, with these contents, which are the object's now; at most two. */
void put_section(struct object *object, const char *name, struct bytes contents, size_t align);
/* The file with all that. */
struct bytes write_object(struct object *object);

#endif
