/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of a link: its memory, its errors, and what callers may look at.
 *
 * Memory comes from blocks that are filled one after another and freed together.  It is zeroed.
 */
#include "elf/host.h"
#include "elf/internal.h"

#include <libelf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define MEMORY_BLOCK ((size_t)32 << 10) /* bytes of an ordinary block of memory */
#define MEMORY_ALIGN _Alignof(max_align_t)
#define LINE_BYTES 1024 /* of a message; longer ones are cut */
/* Nobody reads more of what is wrong with one link. */
#define MOST_LINES 200

struct link_memory {
	struct link_memory *next;
	size_t used, size; /* bytes of `bytes` */
	bool lent;	   /* the caller's */
	_Alignas(max_align_t) unsigned char bytes[];
};

/* Sections that no object has: see layout.c. */
static const struct link_section common_section = {
	.name = "COMMON",
	.index = SHN_COMMON,
	.type = SHT_NOBITS,
	.flags = SHF_ALLOC | SHF_WRITE,
	.align = 1,
	.region = LINK_DATA,
};
static const struct link_section tls_common_section = {
	.name = "TLS COMMON",
	.index = SHN_COMMON,
	.type = SHT_NOBITS,
	.flags = SHF_ALLOC | SHF_WRITE | SHF_TLS,
	.align = 1,
	.region = LINK_TLS,
};
static const struct link_section cell_section = {
	.name = "cells",
	.type = SHT_NOBITS,
	.flags = SHF_ALLOC,
	.align = 16,
	.region = LINK_RODATA,
};
static const struct link_section got_section = {
	.name = ".got",
	.type = SHT_PROGBITS,
	.flags = SHF_ALLOC,
	.align = 1,
	.region = LINK_RODATA,
};

static pthread_once_t libelf_once = PTHREAD_ONCE_INIT;

static void start_libelf(void)
{
	elf_version(EV_CURRENT);
}

/* ---- Memory --------------------------------------------------------------------------------- */

static void *fail_memory(struct link *link)
{
	link_fail(link, -ENOMEM, "no memory for linking");
	return NULL;
}

void link_lend_memory(struct link *link, void *memory, size_t size)
{
	struct link_memory *lent = memory;

	if (size < sizeof(*lent) + MEMORY_BLOCK)
		return;
	lent->size = size - sizeof(*lent);
	lent->lent = true;
	lent->next = link->private->memory;
	link->private->memory = lent;
}

void *link_allocate(struct link *link, size_t size)
{
	struct link_memory *memory = link->private->memory;
	size_t wanted;
	void *piece;

	if (__builtin_add_overflow(size, MEMORY_ALIGN - 1, &wanted))
		return fail_memory(link);
	wanted &= ~(MEMORY_ALIGN - 1);
	if (!memory || memory->size - memory->used < wanted) {
		/* What is large has a block of its own, and does not end the one that is filled. */
		struct link_memory **place =
			memory && wanted > MEMORY_BLOCK ? &memory->next : &link->private->memory;
		size_t bytes = wanted > MEMORY_BLOCK ? wanted : MEMORY_BLOCK;

		if (bytes > SIZE_MAX - sizeof(*memory))
			return fail_memory(link);
		memory = calloc(1, sizeof(*memory) + bytes);
		if (!memory)
			return fail_memory(link);
		memory->size = bytes;
		memory->next = *place;
		*place = memory;
	}
	piece = memory->bytes + memory->used;
	memory->used += wanted;
	return piece;
}

void *link_allocate_array(struct link *link, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		return fail_memory(link);
	return link_allocate(link, bytes);
}

char *link_copy_string(struct link *link, const char *string, size_t size)
{
	char *copy = size < SIZE_MAX ? link_allocate(link, size + 1) : fail_memory(link);

	if (copy)
		memcpy(copy, string, size);
	return copy;
}

/* ---- Life ----------------------------------------------------------------------------------- */

struct link *link_new_for(const struct link_arch *arch,
			  void (*report)(void *arg, const char *format, va_list args),
			  void *report_arg)
{
	struct link *link = calloc(1, sizeof(*link));

	if (!link)
		return NULL;
	link->private = calloc(1, sizeof(*link->private));
	if (!link->private) {
		free(link);
		return NULL;
	}
	pthread_once(&libelf_once, start_libelf);
	link->private->common = common_section;
	link->private->tls_common = link->private->tls_begin = tls_common_section;
	link->private->cell = cell_section;
	link->private->got = got_section;
	link->private->last_indirect = &link->private->indirects;
	link->report = report;
	link->report_arg = report_arg;
	link->arch = arch;
	link->private->got_count = arch->got_reserved;
	return link;
}

struct link *link_new(void (*report)(void *arg, const char *format, va_list args), void *report_arg)
{
	return link_new_for(HOST_ARCH, report, report_arg);
}

void link_free(struct link *link)
{
	struct link_memory *memory, *next;

	if (!link)
		return;
	for (memory = link->private->memory; memory; memory = next) {
		next = memory->next;
		if (!memory->lent)
			free(memory);
	}
	free(link->private);
	free(link);
}

static int add_archive(struct link *link, const char *name, const void *data, size_t size)
{
	struct link_private *private = link->private;
	struct link_archive *archive;
	int error = link_read_archive(link, name, data, size, &archive);

	if (error)
		return error;
	archive->first = !link->objects && !private->archives;
	if (private->last_archive)
	private->last_archive->following = archive;
	else private->archives = archive;
	private->last_archive = archive;
	return 0;
}

int link_add_input(struct link *link, const char *name, const void *data, size_t size)
{
	struct link_object *object;
	int error;

	name = link_copy_string(link, name, strlen(name));
	if (!name)
		return -ENOMEM;
	if (link_is_archive(data, size))
		return add_archive(link, name, data, size);
	if (link_is_script(data, size))
		return link_add_script(link, name, data, size);
	error = link_read_object(link, name, data, size, &object);
	return error ? error : link_enter_object(object);
}

int link_add_memory(struct link *link, const char *name, const void *data, size_t size,
		    const char *root)
{
	int error = link_add_input(link, name, data, size);

	return error ? error : link_choose(link, root);
}

int link_add_cell(struct link *link, const char *name, size_t size)
{
	struct link_cell *cell = link_allocate(link, sizeof(*cell));

	if (!cell)
		return -ENOMEM;
	cell->name = link_copy_string(link, name, strlen(name));
	if (!cell->name)
		return -ENOMEM;
	cell->size = size;
	cell->next = link->private->cells;
	link->private->cells = cell;
	return 0;
}

/* ---- Errors --------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void report(struct link *link, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	link->report(link->report_arg, format, args);
	va_end(args);
}

void link_keep_one_line(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++) {
		if (*c < ' ' || *c == 0x7f)
			*c = '?';
	}
}

bool link_is_heard(const struct link *link)
{
	return link->report && (!link->keep_going || link->private->lines < MOST_LINES);
}

int link_fail(struct link *link, int error, const char *format, ...)
{
	char line[LINE_BYTES];
	va_list args;
	int length;

	/* Names can be long: to format what nobody reads would take its time. */
	if (!link_is_heard(link))
		return error;
	link->private->lines++;
	va_start(args, format);
	length = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (length < 0)
		line[0] = '\0';
	link_keep_one_line(line);
	report(link, "%s%s", line, length >= LINE_BYTES ? "..." : "");
	return error;
}

int link_pass(struct link *link, int error)
{
	if (!error || error == -ENOMEM || !link->keep_going)
		return error;
	if (!link->flaw)
		link->flaw = error;
	return 0;
}

/* ---- Looking at it -------------------------------------------------------------------------- */

uint64_t link_cell(struct link *link, const char *name, unsigned char **bytes)
{
	for (struct link_cell *cell = link->private->cells; cell; cell = cell->next) {
		unsigned char *buffer;

		if (!cell->symbol || strcmp(cell->name, name) != 0)
			continue;
		buffer = link_section_buffer(link, &link->private->cell);
		*bytes = buffer ? buffer + cell->symbol->value : NULL;
		return link_symbol_address(link, cell->symbol);
	}
	*bytes = NULL;
	return 0;
}

struct link_section *link_object_section(struct link_object *object, unsigned int index)
{
	return index < object->section_count ? &object->sections[index] : NULL;
}

struct link_symbol *link_object_symbol(struct link_object *object, unsigned int index)
{
	return index < object->defined_count ? object->defined[index] : NULL;
}

size_t link_object_symbols(const struct link_object *object)
{
	return object->defined_count;
}

const char *link_object_strings(const struct link_object *object, size_t *size)
{
	*size = object->strings_size;
	return object->strings;
}

struct link_section *const *link_placed_sections(const struct link *link, size_t *count)
{
	*count = link->private->placed_count;
	return link->private->placed;
}

const char *link_object_name(const struct link_object *object)
{
	return object->name;
}

struct link_object *link_object_next(const struct link_object *object)
{
	return object->next;
}

struct link_section *link_next_section(struct link *link, const char *name,
				       struct link_section *previous)
{
	struct link_object *object = previous ? previous->object : link->objects;
	size_t index = previous ? (size_t)(previous - object->sections) + 1 : 1;

	for (; object; object = object->next, index = 1) {
		for (; index < object->section_count; index++) {
			struct link_section *section = &object->sections[index];

			if (!section->discarded && !strcmp(section->name, name))
				return section;
		}
	}
	return NULL;
}

uint64_t link_section_address(const struct link *link, const struct link_section *section)
{
	if (section->region >= LINK_REGIONS)
		return 0;
	if (section->region == LINK_PERCPU)
		return link->percpu_address + section->offset;
	if (section->region == LINK_TLS)
		return section->offset;
	if (section->region == LINK_RSEQ)
		return link->rseq_address + section->offset;
	return link->base + link->part[section->region].offset + section->offset;
}

uint64_t link_symbol_address(const struct link *link, const struct link_symbol *symbol)
{
	if (!symbol->section)
		return symbol->defined ? symbol->value : 0;
	if (symbol->resolved)
		return link_stub_address(link, symbol);
	return link_section_address(link, symbol->section) + symbol->value;
}

unsigned char *link_section_buffer(const struct link *link, const struct link_section *section)
{
	if (section->region >= LINK_REGIONS || section->discarded ||
	    !link->part[section->region].buffer)
		return NULL;
	return link->part[section->region].buffer + section->offset;
}
