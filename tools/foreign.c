/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * permod check --for ARCH: would a file link for another machine?  It is relocated for an address of
 * that machine, into memory of this one, and nothing of it is run.
 *
 * There is no program that has what the file lacks.  Where such a symbol is, --define and --just-symbols
 * say; all else is taken for functions right behind the file's own block, where everything reaches
 * them, so that only what the file says of itself can go wrong.
 */
#define _GNU_SOURCE
#include "foreign.h"
#include "tool.h"

#include "elf/arch.h"
#include "elf/machines.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_BASE ((uint64_t)0x10000000)
#define EXTERNAL_BYTES 16 /* from one that nobody says anything of to the next */

/* A file in memory; thin archives and linker scripts name more of them. */
struct input {
	struct input *next;
	void *data;
};

struct check {
	struct foreign *wishes;
	struct link *link;
	struct input *inputs;
	struct foreign_result result;
	unsigned char *memory[LINK_REGIONS];
};

/* ---- Reading -------------------------------------------------------------------------------- */

static void note_problem(struct check *check, char *line)
{
	struct foreign_result *result = &check->result;

	result->problems =
		reallocate(result->problems, result->num_problems + 1, sizeof(*result->problems));
	result->problems[result->num_problems++] = line;
}

__attribute__((format(printf, 2, 0))) static void keep_line(void *arg, const char *format,
							    va_list args)
{
	char *line = NULL;

	if (vasprintf(&line, format, args) >= 0)
		note_problem(arg, line);
}

static int fail_file(struct check *check, const char *path, const char *why)
{
	note_problem(check, format_text("%s: %s", path, why));
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
	input->data = reallocate(NULL, (size_t)about.st_size + 1, 1);
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

static int read_images(struct check *check)
{
	struct foreign *wishes = check->wishes;

	for (size_t i = 0; i < wishes->num_images; i++) {
		const void *data;
		size_t size;
		char *wrong;
		int error = read_input(check, NULL, wishes->images[i], &data, &size);

		if (error)
			return error;
		wrong = read_just_symbols(check->link->arch, wishes->images[i], data, size,
					  &wishes->symbols);
		if (wrong) {
			note_problem(check, wrong);
			return -ENOEXEC;
		}
	}
	return 0;
}

/* ---- Symbols from elsewhere ----------------------------------------------------------------- */

static int compare_externals(const void *a, const void *b)
{
	return strcmp(((const struct foreign_external *)a)->symbol->name,
		      ((const struct foreign_external *)b)->symbol->name);
}

static void collect_externals(struct check *check)
{
	struct foreign_result *result = &check->result;
	struct link_symbol *symbol = NULL;

	while ((symbol = link_next_undefined(check->link, symbol))) {
		result->externals = reallocate(result->externals, result->num_externals + 1,
					       sizeof(*result->externals));
		result->externals[result->num_externals++] =
			(struct foreign_external){ .symbol = symbol };
	}
	if (result->num_externals)
		qsort(result->externals, result->num_externals, sizeof(*result->externals),
		      compare_externals);
	for (size_t i = 0; i < result->num_externals; i++)
		result->externals[i].symbol->note = (uint32_t)i + 1;
}

static void count_type(struct foreign_result *result, const char *type)
{
	size_t i = 0;

	result->relocations++;
	while (i < result->num_types && strcmp(result->types[i].type, type) != 0)
		i++;
	if (i == result->num_types) {
		result->types = reallocate(result->types, i + 1, sizeof(*result->types));
		result->types[result->num_types++] = (struct type_count){ .type = type };
	}
	result->types[i].count++;
}

static void count_use(void *arg, const struct link_use *use)
{
	struct foreign_result *result = arg;
	struct foreign_external *external;

	count_type(result, use->type);
	if (!use->symbol->note)
		return;
	external = &result->externals[use->symbol->note - 1];
	external->called |= use->call;
	if (external->references++)
		return;
	external->type = use->type;
	external->section = use->section->name;
	external->offset = use->offset;
}

/* What was said first counts, that of --define before all others. */
static struct foreign_symbol *find_said(const struct foreign *wishes, const char *name)
{
	for (size_t i = 0; i < wishes->symbols.count; i++) {
		if (!strcmp(wishes->symbols.list[i].name, name))
			return &wishes->symbols.list[i];
	}
	return NULL;
}

/* What is behind the block if nobody said where it is: per-CPU variables, then symbols. */
static uint64_t end_of_block(const struct link *link)
{
	return link->base + link->block_size;
}

static uint64_t first_assumed(const struct check *check)
{
	uint64_t end = end_of_block(check->link);

	if (!check->wishes->has_percpu)
		end += (check->link->part[LINK_PERCPU].size + EXTERNAL_BYTES - 1) / EXTERNAL_BYTES *
		       EXTERNAL_BYTES;
	return end;
}

/* A function may be reached through a stub: what is known as one, or called. */
static void define_externals(struct check *check)
{
	struct foreign_result *result = &check->result;
	uint64_t next = first_assumed(check);

	for (size_t i = 0; i < result->num_externals; i++) {
		struct foreign_external *external = &result->externals[i];
		struct foreign_symbol *said = find_said(check->wishes, external->symbol->name);

		external->said = said;
		if (said) {
			said->used = true;
			link_define(external->symbol, said->address,
				    said->function || external->called);
		} else if (external->symbol->bind == STB_WEAK) {
			continue;
		} else if (check->wishes->complete) {
			note_problem(check,
				     format_text("%s: undefined symbol %s; say where it is by "
						 "--define or --just-symbols",
						 check->result.path, external->symbol->name));
		} else {
			link_define(external->symbol, next, true);
			next += EXTERNAL_BYTES;
		}
	}
}

/* A name that was mistyped would not be noticed otherwise. */
static void warn_of_unused(const struct foreign *wishes)
{
	for (size_t i = 0; i < wishes->symbols.count; i++) {
		const struct foreign_symbol *said = &wishes->symbols.list[i];

		if (!said->used && !strcmp(said->provider, "--define"))
			complain("warning: --define %s: the file does not need it", said->name);
	}
}

/* ---- Symbols of its own --------------------------------------------------------------------- */

static int compare_globals(const void *a, const void *b, void *link)
{
	const struct link_symbol *one = *(const struct link_symbol *const *)a;
	const struct link_symbol *other = *(const struct link_symbol *const *)b;
	uint64_t first = link_symbol_address(link, one);
	uint64_t second = link_symbol_address(link, other);

	return first != second ? (first < second ? -1 : 1) : strcmp(one->name, other->name);
}

static void collect_globals(struct check *check)
{
	struct foreign_result *result = &check->result;
	struct link_symbol *symbol = NULL;

	while ((symbol = link_next_defined(check->link, symbol))) {
		if (!symbol->section || symbol->section->region >= LINK_REGIONS)
			continue;
		result->globals = reallocate(result->globals, result->num_globals + 1,
					     sizeof(struct link_symbol *));
		result->globals[result->num_globals++] = symbol;
	}
	if (result->num_globals)
		qsort_r(result->globals, result->num_globals, sizeof(struct link_symbol *),
			compare_globals, check->link);
}

/* ---- Linking -------------------------------------------------------------------------------- */

static int give_memory(struct check *check)
{
	for (size_t i = 0; i < LINK_REGIONS; i++) {
		struct link_part *part = &check->link->part[i];

		/* What is not written costs nothing. */
		check->memory[i] = calloc((size_t)part->size + 1, 1);
		if (!check->memory[i]) {
			note_problem(check, format_text("%s: no memory for %" PRIu64 " bytes",
							check->result.path, part->size));
			return -ENOMEM;
		}
		part->buffer = check->memory[i];
		part->zeroed = true;
	}
	return 0;
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

/* It, and what is taken to lie behind it, must have addresses. */
static int check_end(struct check *check, uint64_t begin, uint64_t end, const char *option)
{
	const struct link *link = check->link;
	uint64_t bound = link->arch->class == ELFCLASS64 ? UINT64_MAX : (uint64_t)1 << 32;

	if (end <= bound && end >= begin)
		return 0;
	note_problem(
		check,
		format_text("%s: it does not end before the last address of %s (found 0x%" PRIx64
			    ", at most 0x%" PRIx64 "); give a lower %s",
			    check->result.path, link->arch->name, end, bound, option));
	return -ERANGE;
}

static int choose_base(struct check *check)
{
	const struct foreign *wishes = check->wishes;
	struct link *link = check->link;
	uint64_t base = wishes->has_base ? wishes->base : DEFAULT_BASE;

	if (base & (link->block_align - 1) && wishes->has_base) {
		note_problem(check,
			     format_text("%s: it needs a base that is a multiple of 0x%" PRIx64
					 " (found 0x%" PRIx64 "); give another --base",
					 check->result.path, link->block_align, base));
		return -ERANGE;
	}
	link->base = (base + link->block_align - 1) & ~(link->block_align - 1);
	link->percpu_address = wishes->has_percpu ? wishes->percpu : end_of_block(link);
	if (wishes->has_percpu &&
	    check_end(check, wishes->percpu, wishes->percpu + link->part[LINK_PERCPU].size,
		      "--percpu"))
		return -ERANGE;
	return check_end(check, link->base,
			 first_assumed(check) + check->result.num_externals * EXTERNAL_BYTES,
			 "--base");
}

static int lay_out(struct check *check, const struct parts *parts)
{
	struct link *link = check->link;
	int error;

	link->keep_going = true;
	link->page_size = check->wishes->has_page ? check->wishes->page : link->arch->page_size;
	link->read_file = read_input;
	link->read_file_arg = check;
	link->whole_archives = parts->flags & PERMOD_LOAD_WHOLE_ARCHIVE;
	link->gc_sections = parts->flags & PERMOD_LOAD_GC_SECTIONS;
	error = read_images(check);
	if (!error)
		error = add_inputs(check, parts);
	if (!error)
		error = link_layout(link);
	if (!error) {
		collect_externals(check);
		error = choose_base(check);
	}
	return error;
}

static int link_file(struct check *check, const struct parts *parts)
{
	struct link *link = check->link;
	int error = lay_out(check, parts);

	if (error)
		return error;
	check->result.laid_out = true;
	link_each_use(link, count_use, &check->result);
	define_externals(check);
	warn_of_unused(check->wishes);
	collect_globals(check);
	error = give_memory(check);
	if (error || check->result.num_problems)
		return error;
	place_tls(link);
	error = link_relocate(link);
	check->result.relocated = !error;
	return error;
}

/* ---- What comes of it ----------------------------------------------------------------------- */

/* The block as it would be in memory; what is between its parts is zero. */
static bool write_block(const struct link *link, FILE *file)
{
	for (size_t i = 0; i < LINK_PERCPU; i++) {
		const struct link_part *part = &link->part[i];

		if (part->size && (fseeko(file, (off_t)part->offset, SEEK_SET) ||
				   fwrite(part->buffer, (size_t)part->size, 1, file) != 1))
			return false;
	}
	return true;
}

static bool write_output(const struct link *link, const char *path)
{
	FILE *file = fopen(path, "wb");
	bool done = file && write_block(link, file);
	int error = errno;

	if (file && fclose(file) && done) {
		error = errno;
		done = false;
	}
	if (!done)
		complain("%s: %s", path, strerror(error));
	return done;
}

static int compare_types(const void *a, const void *b)
{
	return strcmp(((const struct type_count *)a)->type, ((const struct type_count *)b)->type);
}

static void free_check(struct check *check)
{
	struct foreign_result *result = &check->result;

	while (check->inputs) {
		struct input *input = check->inputs;

		check->inputs = input->next;
		free(input->data);
		free(input);
	}
	for (size_t i = 0; i < LINK_REGIONS; i++)
		free(check->memory[i]);
	for (size_t i = 0; i < result->num_problems; i++)
		free(result->problems[i]);
	free(result->problems);
	free(result->externals);
	free(result->globals);
	free(result->types);
	link_free(check->link);
}

enum status check_foreign(struct foreign *foreign, const struct parts *parts, bool json)
{
	struct check check = { .wishes = foreign, .result.path = parts->paths[0] };
	struct foreign_result *result = &check.result;
	enum status status;

	check.link = link_new_for(link_find_machine(foreign->machine), keep_line, &check);
	if (!check.link) {
		complain("no memory for linking");
		return STATUS_FAILED;
	}
	result->link = check.link;
	result->wishes = foreign;
	if (link_file(&check, parts) && !result->num_problems)
		note_problem(&check, format_text("%s: can't be linked", result->path));
	if (result->num_types)
		qsort(result->types, result->num_types, sizeof(*result->types), compare_types);
	if (json)
		show_foreign_json(result);
	else
		show_foreign(result);
	status = result->num_problems ? STATUS_FAILED : STATUS_DONE;
	if (foreign->output && status == STATUS_DONE && !write_output(check.link, foreign->output))
		status = STATUS_FAILED;
	free_check(&check);
	return status;
}
