/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a module is made of: one or several objects and archives, from files or from memory.
 *
 * They are linked as one.  Of archives those members are taken that something needs; of a module
 * that is itself an archive those that make it a module begin.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A file that was read. */
struct input {
	struct input *next;
	void *data;
	size_t size;
};

/* What modules bring for the loader, and nothing in them refers to. */
static const struct link_root roots[] = {
	{ .name = "init_module", .entry = true },
	{ .name = "cleanup_module" },
	{ .name = ".modinfo", .section = true },
	{ .name = "__param", .section = true },
	{ .name = "__ksymtab", .section = true, .entry = true },
	{ .name = "___ksymtab", .section = true, .entry = true },
};

static int keep_file(struct inputs *inputs, const char *path, const void **data, size_t *size)
{
	struct input *input = calloc(1, sizeof(*input));
	int error =
		input ? read_file(inputs->pm, path, &input->data, size) : fail_memory(inputs->pm);

	if (error) {
		free(input);
		return error;
	}
	input->next = inputs->read;
	inputs->read = input;
	*data = input->data;
	input->size = *size;
	return 0;
}

/* For struct link: a file that a thin archive or a linker script names. */
static int read_named(void *arg, const char *by, const char *path, const void **data, size_t *size)
{
	struct inputs *inputs = arg;
	int error = keep_file(inputs, path, data, size);
	char *why = error ? strdup(permod_error(inputs->pm)) : NULL;

	if (why)
		fail(inputs->pm, error, "%s: of what it names, %s", by, why);
	free(why);
	return error;
}

static int add_file(struct inputs *inputs, struct link *link, const char *path)
{
	const void *data;
	size_t size;
	int error = keep_file(inputs, path, &data, &size);

	return error ? error : link_add_input(link, path, data, size);
}

int add_inputs(struct inputs *inputs, struct link *link)
{
	int error = 0;

	link->roots = roots;
	link->num_roots = sizeof(roots) / sizeof(roots[0]);
	link->whole_archives = inputs->flags & PERMOD_LOAD_WHOLE_ARCHIVE;
	link->gc_sections = inputs->flags & PERMOD_LOAD_GC_SECTIONS;
	link->read_file_arg = inputs;
	link->read_file = inputs->data ? NULL : read_named;
	if (inputs->data)
		error = link_add_input(link, inputs->paths[0], inputs->data, inputs->size);
	for (size_t i = 0; i < inputs->num_paths && !inputs->data && !error; i++)
		error = add_file(inputs, link, inputs->paths[i]);
	return error ? error : link_choose(link, inputs->root);
}

void free_inputs(struct inputs *inputs)
{
	struct input *input;

	while ((input = inputs->read)) {
		inputs->read = input->next;
		give_buffer(input->data, input->size);
		free(input);
	}
}
