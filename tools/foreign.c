/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * permod check --for ARCH: would a file link for another machine?  It is relocated for an address of
 * that machine, into memory of this one, and nothing of it is run.
 *
 * There is no program that has what the file lacks.  What --define names is where that says; all else
 * is taken for functions right behind the file's own block, where everything reaches them, so what the
 * file says of itself alone can go wrong.
 */
#define _GNU_SOURCE
#include "foreign.h"
#include "tool.h"

#include "elf/arch.h"
#include "elf/machines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_BASE ((uint64_t)0x10000000)
#define EXTERNAL_BYTES 16 /* from one that nobody defines to the next */

/* A file in memory; thin archives and linker scripts name more of them. */
struct input {
	struct input *next;
	void *data;
};

/* How many relocations there are of a type. */
struct type_count {
	const char *type;
	size_t count;
};

struct check {
	const struct foreign *wishes;
	struct link *link;
	struct input *inputs;
	char *error; /* the first line */
	char *lines; /* all of them */
	struct type_count *types;
	size_t num_types, relocations;
	const char **undefined;
	size_t num_undefined;
	unsigned char *memory[LINK_REGIONS];
};

/* ---- Options -------------------------------------------------------------------------------- */

static bool parse_number(const char *text, const char *end, uint64_t *number)
{
	char *stop;

	errno = 0;
	*number = strtoull(text, &stop, 0);
	return stop != text && stop == end && !errno && *text != '-';
}

bool take_foreign_option(struct foreign *foreign, int code, const char *value)
{
	const char *equals = value ? strchr(value, '=') : NULL;
	struct foreign_symbol symbol;

	switch (code) {
	case FOREIGN_FOR:
		foreign->machine = value;
		return true;
	case FOREIGN_BASE:
	case FOREIGN_PERCPU:
		if (!parse_number(value, value + strlen(value),
				  code == FOREIGN_BASE ? &foreign->base : &foreign->percpu))
			foreign->wrong = value;
		return true;
	case FOREIGN_DEFINE:
		if (!equals || equals == value ||
		    !parse_number(equals + 1, value + strlen(value), &symbol.address)) {
			foreign->wrong = value;
			return true;
		}
		symbol.name = format_text("%.*s", (int)(equals - value), value);
		foreign->symbols =
			reallocate(foreign->symbols, foreign->count + 1, sizeof(*foreign->symbols));
		foreign->symbols[foreign->count++] = symbol;
		return true;
	default:
		return false;
	}
}

enum status check_foreign_options(const struct command *command, const struct foreign *foreign)
{
	char *names = NULL;

	if (foreign->wrong)
		return usage_error(command, "no address, or NAME=ADDRESS: '%s'", foreign->wrong);
	if (!foreign->machine) {
		if (foreign->base || foreign->percpu || foreign->count)
			return usage_error(command, "--base, --percpu and --define are for --for");
		return STATUS_GO_ON;
	}
	if (link_find_machine(foreign->machine))
		return STATUS_GO_ON;
	for (unsigned int i = 0; link_machine_name(i); i++)
		append_text(&names, " %s", link_machine_name(i));
	usage_error(command, "unknown machine '%s' (known:%s)", foreign->machine, names);
	free(names);
	return STATUS_USAGE;
}

void free_foreign(struct foreign *foreign)
{
	for (size_t i = 0; i < foreign->count; i++)
		free(foreign->symbols[i].name);
	free(foreign->symbols);
}

/* ---- Reading -------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 0))) static void keep_line(void *arg, const char *format,
							    va_list args)
{
	struct check *check = arg;
	char *line = NULL;

	if (vasprintf(&line, format, args) < 0)
		return;
	if (!check->error)
		check->error = format_text("%s", line);
	append_text(&check->lines, "%s\n", line);
	free(line);
}

static int fail_file(struct check *check, const char *path, const char *why)
{
	if (!check->error)
		check->error = format_text("%s: %s", path, why);
	append_text(&check->lines, "%s: %s\n", path, why);
	return -EIO;
}

static int read_open(struct check *check, const char *path, int fd, const void **data, size_t *size)
{
	struct input *input;
	struct stat about;
	size_t have = 0;

	if (fstat(fd, &about))
		return fail_file(check, path, strerror(errno));
	if (!S_ISREG(about.st_mode))
		return fail_file(check, path, "not a regular file");
	input = allocate(1, sizeof(*input));
	input->data = allocate((size_t)about.st_size + 1, 1);
	input->next = check->inputs;
	check->inputs = input;
	while (have < (size_t)about.st_size) {
		ssize_t got = read(fd, (char *)input->data + have, (size_t)about.st_size - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail_file(check, path, strerror(errno));
		if (!got)
			return fail_file(check, path, "became shorter while it was read");
		have += (size_t)got;
	}
	*data = input->data;
	*size = have;
	return 0;
}

static int read_input(void *arg, const char *by, const char *path, const void **data, size_t *size)
{
	struct check *check = arg;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), error;

	(void)by;
	if (fd < 0)
		return fail_file(check, path, strerror(errno));
	error = read_open(check, path, fd, data, size);
	close(fd);
	return error;
}

/* ---- Linking -------------------------------------------------------------------------------- */

/* What the command line says of a symbol, or the next place behind the block. */
static void define_missing(struct check *check)
{
	const struct foreign *wishes = check->wishes;
	struct link *link = check->link;
	uint64_t next = link->base + link->block_size;
	struct link_symbol *symbol = NULL;

	while ((symbol = link_next_undefined(link, symbol))) {
		size_t i = 0;

		while (i < wishes->count && strcmp(wishes->symbols[i].name, symbol->name) != 0)
			i++;
		if (i < wishes->count) {
			link_define(symbol, wishes->symbols[i].address, true);
			continue;
		}
		check->undefined = reallocate(check->undefined, check->num_undefined + 1,
					      sizeof(*check->undefined));
		check->undefined[check->num_undefined++] = symbol->name;
		link_define(symbol, next, true);
		next += EXTERNAL_BYTES;
	}
}

static void give_memory(struct check *check)
{
	for (size_t i = 0; i < LINK_REGIONS; i++) {
		struct link_part *part = &check->link->part[i];

		check->memory[i] = allocate((size_t)part->size + 1, 1);
		part->buffer = check->memory[i];
		part->zeroed = true;
	}
}

static void count_type(void *arg, const struct link_use *use)
{
	struct check *check = arg;
	size_t i = 0;

	check->relocations++;
	while (i < check->num_types && strcmp(check->types[i].type, use->type) != 0)
		i++;
	if (i == check->num_types) {
		check->types = reallocate(check->types, i + 1, sizeof(*check->types));
		check->types[check->num_types++] = (struct type_count){ .type = use->type };
	}
	check->types[i].count++;
}

/* Thread-local variables are where a program's own would be, as far as anybody can tell. */
static void place_tls(struct link *link)
{
	for (struct link_tls *tls = link->tls; tls; tls = tls->next) {
		tls->module = 1;
		tls->offset = tls->symbol ? link_symbol_address(link, tls->symbol) : 0;
		tls->thread_offset = tls->offset;
	}
}

static int add_inputs(struct check *check, const struct parts *parts)
{
	int error = 0;

	for (size_t i = 0; i < parts->count && !error; i++) {
		const void *data;
		size_t size;

		error = read_input(check, NULL, parts->paths[i], &data, &size);
		if (!error)
			error = link_add_input(check->link, parts->paths[i], data, size);
	}
	return error ? error : link_choose(check->link, parts->root);
}

static int link_file(struct check *check, const struct parts *parts)
{
	const struct foreign *wishes = check->wishes;
	struct link *link = check->link;
	int error;

	link->keep_going = true;
	link->page_size = link->arch->page_size;
	link->read_file = read_input;
	link->read_file_arg = check;
	link->whole_archives = parts->flags & PERMOD_LOAD_WHOLE_ARCHIVE;
	error = add_inputs(check, parts);
	if (!error)
		error = link_layout(link);
	if (error)
		return error;
	link->base = (wishes->base ? wishes->base : DEFAULT_BASE) & ~(link->block_align - 1);
	link->percpu_address = wishes->percpu ? wishes->percpu : link->base + link->block_size;
	define_missing(check);
	link_each_use(link, count_type, check);
	give_memory(check);
	place_tls(link);
	return link_relocate(link);
}

/* ---- Showing -------------------------------------------------------------------------------- */

static const char *const region_names[LINK_REGIONS] = {
	[LINK_TEXT] = "text",
	[LINK_RODATA] = "read-only data",
	[LINK_RO_AFTER_INIT] = "read-only after init",
	[LINK_DATA] = "data",
	[LINK_INIT_TEXT] = "init text",
	[LINK_INIT_RODATA] = "init read-only data",
	[LINK_INIT_DATA] = "init data",
	[LINK_PERCPU] = "per-CPU variables",
	[LINK_TLS] = "thread-local variables",
	[LINK_RSEQ] = "restartable sequences",
};

static uint64_t region_address(const struct link *link, size_t region)
{
	if (region == LINK_PERCPU)
		return link->percpu_address;
	return region < LINK_PERCPU ? link->base + link->part[region].offset : 0;
}

static int compare_types(const void *a, const void *b)
{
	return strcmp(((const struct type_count *)a)->type, ((const struct type_count *)b)->type);
}

static void tell_text(const struct check *check, const char *path)
{
	const struct link *link = check->link;

	print_text(stdout, path);
	printf(" for %s: %s\n\n", link->arch->name, check->error ? "does not link" : "links");
	for (size_t i = 0; i < LINK_REGIONS; i++) {
		if (link->part[i].size)
			printf("%-24s 0x%-16llx %10llu bytes\n", region_names[i],
			       (unsigned long long)region_address(link, i),
			       (unsigned long long)link->part[i].size);
	}
	if (check->num_types)
		printf("\n%zu relocations\n", check->relocations);
	for (size_t i = 0; i < check->num_types; i++)
		printf("%10zu  %s\n", check->types[i].count, check->types[i].type);
	if (check->num_undefined)
		printf("\n%zu symbols from elsewhere, taken to be right behind it\n",
		       check->num_undefined);
	for (size_t i = 0; i < check->num_undefined; i++) {
		printf("            ");
		print_text(stdout, check->undefined[i]);
		printf("\n");
	}
}

static void tell_json(const struct check *check, const char *path)
{
	const struct link *link = check->link;
	struct json json = { .out = stdout, .lines = 2 };

	json_begin(&json, NULL, '{');
	json_string(&json, "file", path);
	json_string(&json, "machine", link->arch->name);
	json_bool(&json, "links", !check->error);
	json_string(&json, "error", check->error);
	json_begin(&json, "parts", '[');
	for (size_t i = 0; i < LINK_REGIONS; i++) {
		if (!link->part[i].size)
			continue;
		json_begin(&json, NULL, '{');
		json_string(&json, "name", region_names[i]);
		json_address(&json, "address", (uintptr_t)region_address(link, i));
		json_unsigned(&json, "size", link->part[i].size);
		json_end(&json, '{');
	}
	json_end(&json, '[');
	json_begin(&json, "relocations", '{');
	for (size_t i = 0; i < check->num_types; i++)
		json_unsigned(&json, check->types[i].type, check->types[i].count);
	json_end(&json, '{');
	json_begin(&json, "undefined", '[');
	for (size_t i = 0; i < check->num_undefined; i++)
		json_string(&json, NULL, check->undefined[i]);
	json_end(&json, '[');
	json_end(&json, '{');
}

static void free_check(struct check *check)
{
	while (check->inputs) {
		struct input *input = check->inputs;

		check->inputs = input->next;
		free(input->data);
		free(input);
	}
	for (size_t i = 0; i < LINK_REGIONS; i++)
		free(check->memory[i]);
	link_free(check->link);
	free(check->types);
	free(check->undefined);
	free(check->error);
	free(check->lines);
}

enum status check_foreign(const struct foreign *foreign, const struct parts *parts, bool json)
{
	struct check check = { .wishes = foreign };
	enum status status;
	char *line, *rest;

	check.link = link_new_for(link_find_machine(foreign->machine), keep_line, &check);
	if (!check.link) {
		complain("no memory for linking");
		return STATUS_FAILED;
	}
	if (link_file(&check, parts) && !check.error)
		check.error = format_text("%s: can't be linked", parts->paths[0]);
	qsort(check.types, check.num_types, sizeof(*check.types), compare_types);
	if (json)
		tell_json(&check, parts->paths[0]);
	else if (check.link->objects)
		tell_text(&check, parts->paths[0]);
	for (line = check.lines ? strtok_r(check.lines, "\n", &rest) : NULL; line && !json;
	     line = strtok_r(NULL, "\n", &rest))
		complain("%s", line);
	status = check.error ? STATUS_FAILED : STATUS_DONE;
	free_check(&check);
	return status;
}
