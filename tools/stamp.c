/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * permod stamp: record in a file the types of the symbols that it exports and that it needs.
 *
 * Two sections are added, or replaced; neither takes memory when the file is loaded or run:
 *
 *     __versions      as the kernel's: name and checksum of each symbol that is needed, 64 bytes
 *     .permod.types   text: "export NAME CHECKSUM TYPE" and "import NAME CHECKSUM TYPE", a line for
 *                     each symbol, and the definitions that they refer to; see types.c
 *
 * And an object has, as the kernel's modules do, an absolute symbol __crc_NAME for each symbol that it
 * exports, with the checksum as its value: depmod and others read that.
 *
 * Nothing else in the file moves.  What is new stands at its end: sections, tables that grew, section
 * table.  So a second time gives the same bytes.  The file is replaced as a whole, when all is
 * written.
 */
#define _GNU_SOURCE
#include "tool.h"

#ifdef HAVE_LIBDW
#include "members.h"
#include "object.h"
#include "types.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TYPES_SECTION ".permod.types"
#define VERSIONS_SECTION "__versions"
#define CHECKSUM_PREFIX "__crc_"
#define SIGNATURE_END "~Module signature appended~\n"

/* An entry of __versions. */
struct version {
	unsigned long crc;
	char name[64 - sizeof(unsigned long)];
};

/* An object, and what is found of it. */
struct stamp {
	struct object object;
	size_t symtab; /* index of the symbol table that can be added to, or 0 */
	struct typed_symbol *symbols;
	size_t num_symbols;
	char *definitions;
};

/* ---- Symbols -------------------------------------------------------------------------------- */

static void add_symbol(struct stamp *stamp, const char *name, bool exported)
{
	size_t count = stamp->num_symbols;

	/* None that the text could not tell from what follows. */
	if (!*name || strpbrk(name, " \n"))
		return;
	if ((count & (count - 1)) == 0)
		stamp->symbols =
			reallocate(stamp->symbols, count ? count * 2 : 1, sizeof(*stamp->symbols));
	stamp->symbols[stamp->num_symbols++] =
		(struct typed_symbol){ .name = name, .exported = exported };
}

/* Only of what is loaded by others it matters what it needs. */
static bool is_library(const struct object *object)
{
	const ElfW(Ehdr) *header = &object->header;
	ElfW(Phdr) segment;

	if (header->e_type != ET_DYN || header->e_phentsize != sizeof(segment) ||
	    header->e_phoff > object->size ||
	    header->e_phnum > (object->size - header->e_phoff) / sizeof(segment))
		return false;
	for (size_t i = 0; i < header->e_phnum; i++) {
		memcpy(&segment, object->bytes + header->e_phoff + i * sizeof(segment),
		       sizeof(segment));
		if (segment.p_type == PT_INTERP)
			return false;
	}
	return true;
}

/* Of an object what it exports and what it needs; of a program all that modules might use. */
static void take_symbol(struct stamp *stamp, const ElfW(Sym) * symbol, const char *name,
			size_t number)
{
	static const char prefix[] = "__ksymtab_";
	unsigned int type = symbol->st_info & 0xf;
	bool global = symbol->st_info >> 4 != STB_LOCAL;

	(void)number;
	if (stamp->object.header.e_type != ET_REL) {
		if (global && symbol->st_shndx == SHN_UNDEF && is_library(&stamp->object))
			add_symbol(stamp, name, false);
		if (global && symbol->st_shndx != SHN_UNDEF &&
		    (type == STT_FUNC || type == STT_OBJECT || type == STT_TLS ||
		     type == STT_GNU_IFUNC))
			add_symbol(stamp, name, true);
		return;
	}
	if (global && symbol->st_shndx == SHN_UNDEF)
		add_symbol(stamp, name, false);
	else if (symbol->st_shndx < stamp->object.num_sections &&
		 strncmp(name, prefix, strlen(prefix)) == 0 &&
		 strncmp(section_name(&stamp->object, symbol->st_shndx), "__ksymtab", 9) == 0)
		add_symbol(stamp, name + strlen(prefix), true);
}

static int compare_symbols(const void *a, const void *b)
{
	const struct typed_symbol *first = a, *second = b;
	int order = strcmp(first->name, second->name);

	return order ? order : second->exported - first->exported;
}

/* In order, each once. */
static void sort_symbols(struct stamp *stamp)
{
	size_t kept = 0;

	if (!stamp->num_symbols)
		return;
	qsort(stamp->symbols, stamp->num_symbols, sizeof(*stamp->symbols), compare_symbols);
	for (size_t i = 1; i < stamp->num_symbols; i++) {
		if (strcmp(stamp->symbols[i].name, stamp->symbols[kept].name) != 0)
			stamp->symbols[++kept] = stamp->symbols[i];
	}
	stamp->num_symbols = kept + 1;
}

typedef void symbol_function(struct stamp *stamp, const ElfW(Sym) * symbol, const char *name,
			     size_t number);

static void each_symbol(struct stamp *stamp, size_t table, symbol_function *visit)
{
	const ElfW(Shdr) *section = &stamp->object.sections[table];

	for (size_t i = 0; i < section->sh_size / sizeof(ElfW(Sym)); i++) {
		ElfW(Sym) symbol;

		memcpy(&symbol, stamp->object.bytes + section->sh_offset + i * sizeof(symbol),
		       sizeof(symbol));
		visit(stamp, &symbol,
		      object_string(&stamp->object, section->sh_link, symbol.st_name), i);
	}
}

/* Of a file that was stamped before: where a checksum is. */
static void find_checksum(struct stamp *stamp, const ElfW(Sym) * symbol, const char *name,
			  size_t number)
{
	static const char prefix[] = CHECKSUM_PREFIX;
	const struct typed_symbol key = { .name = name + strlen(prefix), .exported = true };
	struct typed_symbol *found;

	if (symbol->st_shndx != SHN_ABS || strncmp(name, prefix, strlen(prefix)) != 0)
		return;
	found = bsearch(&key, stamp->symbols, stamp->num_symbols, sizeof(key), compare_symbols);
	if (found)
		found->checksum = number;
}

static bool can_be_extended(const struct stamp *stamp, const ElfW(Shdr) * section)
{
	return section->sh_type == SHT_SYMTAB && section->sh_entsize == sizeof(ElfW(Sym)) &&
	       section->sh_size % sizeof(ElfW(Sym)) == 0 &&
	       section->sh_link < stamp->object.num_sections &&
	       stamp->object.sections[section->sh_link].sh_type == SHT_STRTAB;
}

static void find_symbols(struct stamp *stamp)
{
	for (size_t i = 0; i < stamp->object.num_sections; i++) {
		const ElfW(Shdr) *section = &stamp->object.sections[i];

		if (section->sh_type == SHT_SYMTAB || section->sh_type == SHT_DYNSYM)
			each_symbol(stamp, i, take_symbol);
		if (can_be_extended(stamp, section))
			stamp->symtab = i;
	}
	sort_symbols(stamp);
	if (stamp->symtab && stamp->num_symbols)
		each_symbol(stamp, stamp->symtab, find_checksum);
}

/* ---- What is recorded ----------------------------------------------------------------------- */

static struct bytes make_types(const struct stamp *stamp)
{
	struct bytes text;
	FILE *stream = open_bytes(&text);

	fputs("permod-types 1\n", stream);
	for (size_t i = 0; i < stamp->num_symbols; i++) {
		const struct typed_symbol *symbol = &stamp->symbols[i];

		if (symbol->type)
			fprintf(stream, "%s %s %08x %s\n", symbol->exported ? "export" : "import",
				symbol->name, symbol->crc, symbol->type);
	}
	fputs(stamp->definitions, stream);
	close_bytes(stream);
	return text;
}

/* Longer names than an entry has room for are in the other section alone. */
static struct bytes make_versions(const struct stamp *stamp)
{
	struct bytes table;
	FILE *stream = open_bytes(&table);

	for (size_t i = 0; i < stamp->num_symbols; i++) {
		const struct typed_symbol *symbol = &stamp->symbols[i];
		struct version version = { .crc = symbol->crc };
		size_t length = strlen(symbol->name);

		if (symbol->exported || !symbol->type || length >= sizeof(version.name))
			continue;
		memcpy(version.name, symbol->name, length);
		fwrite(&version, sizeof(version), 1, stream);
	}
	close_bytes(stream);
	return table;
}

/* ---- Checksums of exports ------------------------------------------------------------------- */

/* The numbers of sections that have none in a symbol are in a table of as many entries. */
static void extend_numbers(struct stamp *stamp, size_t count)
{
	for (size_t i = 1; i < stamp->object.num_sections; i++) {
		const ElfW(Shdr) *section = &stamp->object.sections[i];

		if (section->sh_type == SHT_SYMTAB_SHNDX && section->sh_link == stamp->symtab)
			extend_section(&stamp->object, i, count * sizeof(ElfW(Word)));
	}
}

static bool is_export(const struct stamp *stamp, size_t i)
{
	return stamp->object.header.e_type == ET_REL && stamp->symbols[i].exported;
}

/* Those of what has no type are 0: if one is there, tools take for exported what has one. */
static void set_checksum(const struct typed_symbol *export, char *entry)
{
	ElfW(Sym) symbol;

	memcpy(&symbol, entry, sizeof(symbol));
	symbol.st_value = export->type ? export->crc : 0;
	memcpy(entry, &symbol, sizeof(symbol));
}

static void add_checksum(struct stamp *stamp, const struct typed_symbol *export, char *entry)
{
	size_t strings = stamp->object.sections[stamp->symtab].sh_link;
	char *name = format_text("%s%s", CHECKSUM_PREFIX, export->name);
	const ElfW(Sym) symbol = {
		.st_name = (ElfW(Word))add_string(&stamp->object, strings, name),
		.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE),
		.st_other = STV_HIDDEN,
		.st_shndx = SHN_ABS,
	};

	free(name);
	memcpy(entry, &symbol, sizeof(symbol));
	set_checksum(export, entry);
}

static void put_checksums(struct stamp *stamp)
{
	size_t missing = 0, typed = 0, end;

	for (size_t i = 0; i < stamp->num_symbols; i++) {
		missing += is_export(stamp, i) && !stamp->symbols[i].checksum;
		typed += is_export(stamp, i) && stamp->symbols[i].type;
	}
	if (!stamp->symtab || !typed)
		return;
	end = stamp->object.sections[stamp->symtab].sh_size / sizeof(ElfW(Sym));
	/* Where nothing is missing, too: then all is where it was the first time. */
	extend_section(&stamp->object, stamp->symtab, missing * sizeof(ElfW(Sym)));
	extend_section(&stamp->object, stamp->object.sections[stamp->symtab].sh_link, 0);
	extend_numbers(stamp, missing);
	for (size_t i = 0; i < stamp->num_symbols; i++) {
		const struct typed_symbol *symbol = &stamp->symbols[i];
		size_t number = symbol->checksum ? symbol->checksum : end;
		char *entry =
			stamp->object.contents[stamp->symtab].data + number * sizeof(ElfW(Sym));

		if (!is_export(stamp, i))
			continue;
		if (symbol->checksum)
			set_checksum(symbol, entry);
		else
			add_checksum(stamp, symbol, entry);
		end += !symbol->checksum;
	}
}

static struct bytes make_image(struct stamp *stamp)
{
	struct object *object = &stamp->object;

	put_checksums(stamp);
	put_section(object, TYPES_SECTION, make_types(stamp), 1);
	put_section(object, VERSIONS_SECTION, make_versions(stamp), sizeof(unsigned long));
	extend_section(object, object->names, 0);
	return write_object(object);
}

/* ---- Files ---------------------------------------------------------------------------------- */

/* A file, and how it is to be stamped. */
struct file {
	const char *path;
	bool verbose;
	unsigned char *bytes;
	size_t size;
	struct stat about;
};

static bool refuse(const struct file *file, const char *why)
{
	complain("%s: %s", file->path, why);
	return false;
}

static bool read_open(struct file *file, FILE *stream)
{
	if (fstat(fileno(stream), &file->about))
		return refuse(file, strerror(errno));
	if (!S_ISREG(file->about.st_mode))
		return refuse(file, "not a regular file");
	file->size = (size_t)file->about.st_size;
	file->bytes = allocate(file->size + 1, 1);
	if (fread(file->bytes, 1, file->size, stream) != file->size)
		return refuse(file, "can't be read as a whole");
	return true;
}

static bool read_whole(struct file *file)
{
	/* Nobody may ever write to a pipe: the open must not wait for it. */
	int fd = open(file->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	FILE *stream = fd < 0 ? NULL : fdopen(fd, "r");
	bool good;

	if (!stream) {
		int error = errno;

		if (fd >= 0)
			close(fd);
		return refuse(file, strerror(error));
	}
	good = read_open(file, stream);
	fclose(stream);
	return good;
}

static bool write_all(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t written = write(fd, bytes, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		bytes += written;
		size -= (size_t)written;
	}
	return true;
}

/* What replaces a file is its owner's; a copy is whose it is that makes it, and must not run as he. */
static bool copy_rights(const struct file *file, int fd, bool in_place)
{
	const struct stat *about = &file->about;
	mode_t rights = about->st_mode & 07777;

	if (!in_place || fchown(fd, about->st_uid, about->st_gid))
		rights &= 0777;
	return fchmod(fd, rights) == 0;
}

/* A file beside it takes its place when all is written. */
static bool replace_file(const struct file *file, const char *output, const struct bytes *image,
			 bool in_place)
{
	char *path = realpath(output, NULL), *temporary;
	bool good;
	int fd;

	if (!path)
		path = format_text("%s", output);
	temporary = format_text("%s.XXXXXX", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	good = fd >= 0 && write_all(fd, image->data, image->size) &&
	       copy_rights(file, fd, in_place) && fsync(fd) == 0;
	if (fd >= 0)
		good = close(fd) == 0 && good;
	good = good && rename(temporary, path) == 0;
	if (!good)
		complain("%s: can't be written: %s", output, strerror(errno));
	if (!good && fd >= 0)
		unlink(temporary);
	free(temporary);
	free(path);
	return good;
}

/* ---- Stamping ------------------------------------------------------------------------------- */

/* What has no type is not compared: that should be known. */
static void tell_untyped(const struct stamp *stamp)
{
	char *names = NULL;

	for (size_t i = 0; i < stamp->num_symbols; i++) {
		const struct typed_symbol *symbol = &stamp->symbols[i];

		if (!symbol->type && stamp->object.header.e_type == ET_REL)
			append_text(&names, "%s%s", names ? ", " : "", symbol->name);
	}
	if (names)
		complain("%s: no types of: %s; IMPORT_SYMBOL() makes compilers tell them",
			 stamp->object.path, names);
	free(names);
}

/* A descriptor of a file with these bytes; or -1, after a message. */
static int open_copy(const char *path, const char *bytes, size_t size)
{
	int fd = memfd_create("permod-stamp", MFD_CLOEXEC);

	if (fd >= 0 && write_all(fd, bytes, size))
		return fd;
	complain("%s: a copy in memory: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* libdw finds what is in files beside this one by its path. */
static bool find_in_file(struct stamp *stamp, bool member)
{
	const struct object *object = &stamp->object;
	struct bytes gathered = { NULL, 0 };
	int fd = -1;
	bool copy = gather_units(object, &gathered) || member;
	bool good;

	if (copy)
		fd = open_copy(object->path,
			       gathered.data ? gathered.data : (const char *)object->bytes,
			       gathered.data ? gathered.size : object->size);
	free(gathered.data);
	good = (!copy || fd >= 0) && find_types(object->path, fd, stamp->symbols,
						stamp->num_symbols, &stamp->definitions);
	return good;
}

static bool stamp_open(struct stamp *stamp, const struct file *file, bool member,
		       struct bytes *image)
{
	if (!open_object(&stamp->object))
		return false;
	find_symbols(stamp);
	if (!find_in_file(stamp, member))
		return false;
	if (file->verbose)
		tell_untyped(stamp);
	*image = make_image(stamp);
	return true;
}

static bool stamp_object(const struct file *file, const struct object *object, bool member,
			 struct bytes *image)
{
	struct stamp stamp = { .object = *object };
	bool good = stamp_open(&stamp, file, member, image);

	for (size_t i = 0; i < stamp.num_symbols; i++)
		free(stamp.symbols[i].type);
	free(stamp.symbols);
	free(stamp.definitions);
	close_object(&stamp.object);
	return good;
}

/* Members that are none of ours, or tell nothing, stay as they are. */
static bool stamp_member(void *arg, const char *name, const unsigned char *bytes, size_t size,
			 struct bytes *image)
{
	const struct file *file = arg;
	struct object object = { .path = name, .bytes = bytes, .size = size };
	bool good = true;

	if (size < SELFMAG || memcmp(bytes, ELFMAG, SELFMAG) != 0)
		return true;
	if (has_units(&object))
		good = stamp_object(file, &object, true, image);
	else if (file->verbose)
		complain("%s: no debug information", name);
	return good;
}

static bool is_signed(const struct file *file)
{
	size_t length = strlen(SIGNATURE_END);

	return file->size >= length &&
	       memcmp(file->bytes + file->size - length, SIGNATURE_END, length) == 0;
}

/* A device, or a pipe, would be replaced by a file. */
static bool check_output(const char *output)
{
	struct stat about;

	if (!output || stat(output, &about) || S_ISREG(about.st_mode))
		return true;
	complain("%s: not a regular file", output);
	return false;
}

static bool stamp_whole(struct file *file, const char *output)
{
	struct bytes image = { NULL, 0 };
	bool good;

	if (!check_output(output) || !read_whole(file))
		return false;
	if (is_signed(file))
		return refuse(file, "is signed; stamp it before it is signed");
	if (is_archive(file->bytes, file->size))
		good = rewrite_members(file->path, file->bytes, file->size, stamp_member, file,
				       &image);
	else
		good = stamp_object(file,
				    &(struct object){ .path = file->path,
						      .bytes = file->bytes,
						      .size = file->size },
				    false, &image);
	/* What is as it was stays untouched. */
	good = good && ((!output && image.size == file->size &&
			 memcmp(image.data, file->bytes, image.size) == 0) ||
			replace_file(file, output ? output : file->path, &image, !output));
	free(image.data);
	return good;
}

/* ---- The subcommand ------------------------------------------------------------------------- */

static enum status stamp_file(const char *path, const char *output, bool verbose)
{
	struct file file = { .path = path, .verbose = verbose };
	bool good = stamp_whole(&file, output);

	free(file.bytes);
	return good ? STATUS_DONE : STATUS_FAILED;
}

#else

static enum status stamp_file(const char *path, const char *output, bool verbose)
{
	(void)output;
	(void)verbose;
	complain(
		"%s: this permod was built without libdw, which reads debug information: configure "
		"found none, or was told --without-libdw",
		path);
	return STATUS_FAILED;
}

#endif

#include <getopt.h>

static enum status stamp(int argc, char **argv)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	enum status status = STATUS_GO_ON;
	const char *output = NULL;
	bool verbose = false;
	int code;

	while ((code = next_option(&stamp_command, argc, argv, options, &status)) != -1) {
		if (code == 'o')
			output = optarg;
		else
			verbose = true;
	}
	if (status != STATUS_GO_ON)
		return status;
	if (optind == argc)
		return usage_error(&stamp_command, "no FILE given");
	if (output && argc - optind > 1)
		return usage_error(&stamp_command, "--output is for one FILE");
	status = STATUS_DONE;
	for (int i = optind; i < argc; i++) {
		if (stamp_file(argv[i], output, verbose) != STATUS_DONE)
			status = STATUS_FAILED;
	}
	return status;
}

const struct command stamp_command = {
	.name = "stamp",
	.synopsis = "[OPTION]... FILE...",
	.summary = "record the types of symbols in modules and programs, from debug information",
	.help = "  --output FILE  write there, and leave the one FILE as it is\n"
		"  --verbose      tell of which symbols there is no type\n\n"
		"A module that was stamped is loaded only where the symbols that it uses have the types\n"
		"that it was compiled with, as far as who has them was stamped too.\n",
	.takes_file = true,
	.run = stamp,
};
