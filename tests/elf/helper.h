/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of elf/ share: objects made by the assembler and the C compiler in a directory of
 * the test's own, links of them whose messages are kept, and GNU ld as the judge.
 *
 * Files are put into memory right before a page that can't be accessed, and can't be written: so a
 * byte too far, or a byte changed, ends the test.
 */
#ifndef TESTS_ELF_HELPER_H
#define TESTS_ELF_HELPER_H

#include "elf/internal.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PAGE ((uint64_t)4096)

/* An assertion for inner loops: Check's own ones write to a file each time. */
#define check_that(condition)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			ck_abort_msg("not so: %s", #condition);                                    \
	} while (0)

/* ---- Files and commands --------------------------------------------------------------------- */

static char directory[64];

static UNUSED void make_directory(void)
{
	strcpy(directory, "/tmp/test_elf.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chdir(directory), 0);
}

static UNUSED void remove_directory(void)
{
	char command[128];

	snprintf(command, sizeof(command), "cd / && rm -rf '%s'", directory);
	ck_assert_int_eq(system(command), 0);
}

/* Run a shell command in the directory; what it says goes to the file "said". */
__attribute__((format(printf, 1, 2))) static UNUSED bool succeeds(const char *format, ...)
{
	char command[4096] = "exec >said 2>&1; ";
	size_t used = strlen(command);
	va_list args;

	va_start(args, format);
	vsnprintf(command + used, sizeof(command) - used, format, args);
	va_end(args);
	return system(command) == 0;
}

#define run(...)                                                                                   \
	do {                                                                                       \
		if (!succeeds(__VA_ARGS__)) {                                                      \
			int ignored UNUSED = system("cat said >&2");                               \
			ck_abort_msg("a command failed");                                          \
		}                                                                                  \
	} while (0)

static UNUSED const char *compiler(void)
{
	const char *named = getenv("CC");

	return named && *named ? named : "cc";
}

static UNUSED void write_file(const char *name, const void *data, size_t size)
{
	FILE *file = fopen(name, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(data, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
}

struct file {
	unsigned char *data;
	size_t size;
	void *mapping;
	size_t mapping_size;
};

static UNUSED struct file guard(const void *data, size_t size)
{
	size_t whole = (size_t)link_align(size, PAGE);
	struct file file = { .size = size, .mapping_size = whole + PAGE };

	file.mapping = mmap(NULL, file.mapping_size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check_that(file.mapping != MAP_FAILED);
	file.data = (unsigned char *)file.mapping + whole - size;
	if (size)
		memcpy(file.data, data, size);
	check_that(!mprotect(file.mapping, whole ? whole : PAGE, PROT_READ));
	check_that(!mprotect((char *)file.mapping + whole, PAGE, PROT_NONE));
	return file;
}

static UNUSED void release(struct file *file)
{
	munmap(file->mapping, file->mapping_size);
}

/* The bytes of a file, to be freed. */
static UNUSED unsigned char *read_bytes(const char *name, size_t *size)
{
	FILE *file = fopen(name, "r");
	struct stat status;
	unsigned char *data;

	ck_assert_msg(file && !fstat(fileno(file), &status), "no file %s", name);
	*size = (size_t)status.st_size;
	data = malloc(*size + 1);
	ck_assert_ptr_nonnull(data);
	ck_assert_uint_eq(fread(data, 1, *size, file), *size);
	fclose(file);
	return data;
}

static UNUSED struct file read_file(const char *name)
{
	size_t size;
	unsigned char *data = read_bytes(name, &size);
	struct file file = guard(data, size);

	free(data);
	return file;
}

/* Make NAME.o of assembly; GNU as, so that relocations are those that the test means. */
static UNUSED void assemble(const char *name, const char *text)
{
	char source[64];

	snprintf(source, sizeof(source), "%s.s", name);
	write_file(source, text, strlen(text));
	run("as -mrelax-relocations=yes -o %s.o %s.s", name, name);
}

/* Make NAME.o of C. */
static UNUSED void compile(const char *name, const char *flags, const char *text)
{
	char source[64];

	snprintf(source, sizeof(source), "%s.c", name);
	write_file(source, text, strlen(text));
	run("%s -c -O2 %s -o %s.o %s.c", compiler(), flags, name, name);
}

/* ---- Links ---------------------------------------------------------------------------------- */

#define MOST_FILES 8

/* A link with what it needs to live. */
struct trial {
	struct link *link;
	struct file file[MOST_FILES];
	size_t files;
	char message[2048]; /* the last one */
	unsigned int messages;
};

__attribute__((format(printf, 2, 0))) static UNUSED void keep_message(void *arg, const char *format,
								      va_list args)
{
	struct trial *trial = arg;

	vsnprintf(trial->message, sizeof(trial->message), format, args);
	trial->messages++;
	check_that(*trial->message && !strchr(trial->message, '\n'));
}

static UNUSED void start_trial(struct trial *trial)
{
	memset(trial, 0, sizeof(*trial));
	trial->link = link_new(keep_message, trial);
	ck_assert_ptr_nonnull(trial->link);
}

static UNUSED int add_file(struct trial *trial, const char *name, const char *root)
{
	struct file *file = &trial->file[trial->files++];

	*file = read_file(name);
	return link_add_memory(trial->link, name, file->data, file->size, root);
}

#define check_ok(trial, expression)                                                                \
	ck_assert_msg((expression) == 0, "%s: %s", #expression, (trial)->message)

static UNUSED void give_buffers(struct trial *trial)
{
	for (size_t i = 0; i < LINK_REGIONS; i++) {
		struct link_part *part = &trial->link->part[i];

		part->buffer = part->size ? malloc((size_t)part->size) : NULL;
		check_that(!part->size || part->buffer);
		if (part->size)
			memset(part->buffer, 0xa5, (size_t)part->size);
	}
}

static UNUSED void end_trial(struct trial *trial)
{
	for (size_t i = 0; i < LINK_REGIONS; i++)
		free(trial->link->part[i].buffer);
	link_free(trial->link);
	while (trial->files)
		release(&trial->file[--trial->files]);
}

static UNUSED struct link_symbol *symbol_of(struct trial *trial, const char *name)
{
	struct link_symbol *symbol = link_find(trial->link, name);

	ck_assert_msg(symbol, "no symbol %s", name);
	return symbol;
}

static UNUSED struct link_section *section_of(struct trial *trial, const char *name)
{
	struct link_section *section = link_next_section(trial->link, name, NULL);

	ck_assert_msg(section, "no section %s", name);
	return section;
}

/* Link the objects named, up to link_layout(), which has to succeed. */
static UNUSED void lay_out(struct trial *trial, const char *const *names)
{
	start_trial(trial);
	for (; *names; names++)
		check_ok(trial, add_file(trial, *names, NULL));
	check_ok(trial, link_layout(trial->link));
}

#define lay_out_files(trial, ...) lay_out(trial, (const char *const[]){ __VA_ARGS__, NULL })

/* Relocate for these addresses; the result of link_relocate(). */
static UNUSED int relocate_at(struct trial *trial, uint64_t base, uint64_t percpu_address)
{
	for (size_t i = 0; i < LINK_REGIONS; i++)
		free(trial->link->part[i].buffer);
	give_buffers(trial);
	trial->link->base = base;
	trial->link->percpu_address = percpu_address;
	return link_relocate(trial->link);
}

/* ---- GNU ld --------------------------------------------------------------------------------- */

struct external {
	const char *name; /* NULL ends a list */
	uint64_t address;
	bool function;
};

static UNUSED void define_all(struct trial *trial, const struct external *external)
{
	for (; external && external->name; external++)
		link_define(symbol_of(trial, external->name), external->address,
			    external->function);
}

/* Whether a section is one that ld is asked to place: it is loaded and has contents. */
static UNUSED bool is_placed(const struct link_section *section)
{
	return section->region != LINK_NONE && !section->discarded && section->size;
}

/* Where ld's slots must be: the tests have one symbol that needs one. */
static UNUSED uint64_t first_slot(const struct trial *trial)
{
	for (const struct link_name *name = trial->link->private->globals.first; name;
	     name = name->following) {
		if (name->symbol.got_used)
			return link_got_address(trial->link, &name->symbol);
	}
	return trial->link->base + trial->link->block_size;
}

static UNUSED void write_script(const struct trial *trial, const struct external *external)
{
	FILE *script = fopen("script", "w");
	const struct link_section *common = &trial->link->private->common;

	ck_assert_ptr_nonnull(script);
	for (; external && external->name; external++)
		fprintf(script, "%s = 0x%llx;\n", external->name,
			(unsigned long long)external->address);
	fprintf(script, "SECTIONS\n{\n");
	for (struct link_object *object = trial->link->objects; object;
	     object = link_object_next(object)) {
		struct link_section *section;

		for (unsigned int i = 1; (section = link_object_section(object, i)); i++) {
			if (is_placed(section))
				fprintf(script, ".%s_%u 0x%llx : SUBALIGN(1) { %s(%s) }\n",
					link_object_name(object), i,
					(unsigned long long)link_section_address(trial->link,
										 section),
					link_object_name(object), section->name);
		}
	}
	fprintf(script, ".common 0x%llx : { *(COMMON) *(LARGE_COMMON) }\n",
		(unsigned long long)link_section_address(trial->link, common));
	fprintf(script, ".got 0x%llx : { *(.got) }\n", (unsigned long long)first_slot(trial));
	/* ld counts from .got.plt. */
	if (trial->link->private->got_based)
		fprintf(script, ".got.plt 0x%llx : { *(.got.plt) }\n",
			(unsigned long long)link_slot_address(trial->link, 0));
	/* What ld makes for itself goes out of the way. */
	fprintf(script, ". = 0x%llx;\n", (unsigned long long)trial->link->base + 0x1000000);
	fprintf(script,
		".dynsym : { *(.dynsym) } .dynstr : { *(.dynstr) } .hash : { *(.hash) }\n"
		".gnu.hash : { *(.gnu.hash) } .dynamic : { *(.dynamic) }\n"
		".rela.dyn : { *(.rela*) } .got.plt : { *(.got.plt) } .plt : { *(.plt) }\n");
	fprintf(script, "/DISCARD/ : { *(.note*) *(.comment) }\n}\n");
	fclose(script);
}

/* Link the same objects for the same addresses; false if ld refuses. */
static UNUSED bool ld_links(const struct trial *trial, const struct external *external,
			    const char *options)
{
	char objects[512] = "";

	write_script(trial, external);
	for (struct link_object *object = trial->link->objects; object;
	     object = link_object_next(object)) {
		strcat(objects, " ");
		strcat(objects, link_object_name(object));
	}
	return succeeds("ld -static -T script -z max-page-size=4096 -z norelro -z noexecstack "
			"--no-ld-generated-unwind-info --no-warn-rwx-segments -e 0 %s -o linked %s",
			options, objects);
}

static UNUSED const unsigned char *output_section(const unsigned char *data, const char *name,
						  size_t *size)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)data;
	const Elf64_Shdr *section = (const Elf64_Shdr *)(data + header->e_shoff);
	const char *names = (const char *)data + section[header->e_shstrndx].sh_offset;

	for (size_t i = 0; i < header->e_shnum; i++) {
		*size = (size_t)section[i].sh_size;
		if (!strcmp(names + section[i].sh_name, name))
			return section[i].sh_type == SHT_NOBITS ? NULL
								: data + section[i].sh_offset;
	}
	ck_abort_msg("ld made no section %s", name);
}

/* Every loaded section has the bytes that ld gives it. */
static UNUSED void check_against_ld(const struct trial *trial, const struct external *external,
				    const char *options)
{
	unsigned char *output;
	size_t size;

	if (!ld_links(trial, external, options)) {
		int ignored UNUSED = system("cat said >&2");

		ck_abort_msg("ld refuses");
	}
	output = read_bytes("linked", &size);
	for (struct link_object *object = trial->link->objects; object;
	     object = link_object_next(object)) {
		struct link_section *section;

		for (unsigned int i = 1; (section = link_object_section(object, i)); i++) {
			const unsigned char *ours = link_section_buffer(trial->link, section);
			const unsigned char *theirs;
			char name[64];

			if (!is_placed(section) || section->type == SHT_NOBITS)
				continue;
			snprintf(name, sizeof(name), ".%s_%u", link_object_name(object), i);
			theirs = output_section(output, name, &size);
			ck_assert_uint_eq(size, section->size);
			for (size_t at = 0; at < size; at++)
				ck_assert_msg(ours[at] == theirs[at],
					      "%s: %s+0x%zx: %02x, ld: %02x",
					      link_object_name(object), section->name, at, ours[at],
					      theirs[at]);
		}
	}
	free(output);
}

/* For main(): run all tests; returns the exit status. */
static UNUSED int run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
