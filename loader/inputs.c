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

/* A file that was read, and what of it is loaded. */
struct input {
	struct input *next;
	void *data;
	size_t size; /* of the data */
	struct content content;
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

/* What is in memory already is copied if it is checked: the caller's may change meanwhile. */
static int take_memory(struct inputs *inputs, struct input *input, const void **data, size_t *size)
{
	*data = inputs->data;
	*size = inputs->size;
	if (inputs->pm->signatures == PERMOD_SIGNATURES_OFF)
		return 0;
	input->data = take_buffer(*size ? *size : 1);
	if (!input->data)
		return fail_memory(inputs->pm);
	*data = memcpy(input->data, inputs->data, *size);
	return 0;
}

static int take_file(struct inputs *inputs, struct input *input, const char *path,
		     const void **data, size_t *size)
{
	int error = read_file(inputs->pm, path, &input->data, size);

	*data = input->data;
	return error;
}

int read_raw(struct inputs *inputs, const char *path, const void **data, size_t *size)
{
	struct input *input = calloc(1, sizeof(*input));
	int error;

	if (!input)
		return fail_memory(inputs->pm);
	error = inputs->data ? take_memory(inputs, input, data, size)
			     : take_file(inputs, input, path, data, size);
	if (error) {
		free(input);
		return error;
	}
	input->size = *size;
	input->next = inputs->read;
	inputs->read = input;
	return 0;
}

int read_input(struct inputs *inputs, const char *path, const void **data, size_t *size)
{
	bool first = !inputs->read;
	int error = read_raw(inputs, path, data, size);
	struct content *content;

	if (error)
		return error;
	content = &inputs->read->content;
	error = open_content(inputs->pm, path, *data, *size, content);
	if (error)
		return error;
	*data = content->data;
	*size = content->size;
	if (first) {
		inputs->signature = content->signature;
		inputs->signature_size = content->signature_size;
		inputs->expanded = content->expanded != NULL;
	}
	if (!inputs->distrusted)
		inputs->distrusted = content->distrusted;
	return 0;
}

/* For struct link: a file that a thin archive or a linker script names. */
static int read_named(void *arg, const char *by, const char *path, const void **data, size_t *size)
{
	struct inputs *inputs = arg;
	int error = read_input(inputs, path, data, size);
	char *why = error ? strdup(permod_error(inputs->pm)) : NULL;

	if (why)
		fail(inputs->pm, error, "%s: of what it names, %s", by, why);
	free(why);
	return error;
}

/* A link needs half as many bytes as there are in its files, by experience: of large ones let it have
 * large pages. */
static void lend_memory(struct inputs *inputs, struct link *link, size_t size)
{
	size_t room = in_large_pages(size / 2);

	if (inputs->lent || !room)
		return;
	inputs->lent = take_large(room);
	if (!inputs->lent)
		return;
	inputs->lent_size = room;
	link_lend_memory(link, inputs->lent, room);
}

static int add_file(struct inputs *inputs, struct link *link, const char *path)
{
	const void *data;
	size_t size;
	int error = read_input(inputs, path, &data, &size);

	if (error)
		return error;
	lend_memory(inputs, link, size);
	return link_add_input(link, path, data, size);
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
	for (size_t i = 0; i < inputs->num_paths && !error; i++)
		error = add_file(inputs, link, inputs->paths[i]);
	return error ? error : link_choose(link, inputs->root);
}

void free_inputs(struct inputs *inputs)
{
	struct input *input;

	while ((input = inputs->read)) {
		inputs->read = input->next;
		close_content(&input->content);
		give_buffer(input->data, input->size);
		free(input);
	}
	give_buffer(inputs->lent, inputs->lent_size);
	inputs->lent = NULL;
}
