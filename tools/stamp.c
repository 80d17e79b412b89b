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
 * Nothing else in the file moves.  What is new stands at its end: sections, section names, section
 * table.  So a second time gives the same bytes.  The file is replaced as a whole, when all is
 * written.
 */
#define _GNU_SOURCE
#include "tool.h"

#ifdef HAVE_LIBDW
#include "types.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if __SIZEOF_POINTER__ == 8
#define NATIVE_CLASS ELFCLASS64
#else
#define NATIVE_CLASS ELFCLASS32
#endif
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NATIVE_ORDER ELFDATA2LSB
#else
#define NATIVE_ORDER ELFDATA2MSB
#endif

#define TYPES_SECTION ".permod.types"
#define VERSIONS_SECTION "__versions"
#define SIGNATURE_END "~Module signature appended~\n"

/* An entry of __versions. */
struct version {
	unsigned long crc;
	char name[64 - sizeof(unsigned long)];
};

/* A file in memory, and what is made of it. */
struct object {
	const char *path;
	unsigned char *bytes;
	size_t size;
	mode_t mode;
	ElfW(Ehdr) header;
	ElfW(Shdr) * sections;
	size_t num_sections, names; /* index of the section that has their names */
	struct typed_symbol *symbols;
	size_t num_symbols;
	char *definitions;
};

/* ---- Reading -------------------------------------------------------------------------------- */

static bool refuse(const struct object *object, const char *why)
{
	complain("%s: %s", object->path, why);
	return false;
}

static bool read_open(struct object *object, FILE *file)
{
	struct stat about;

	if (fstat(fileno(file), &about))
		return refuse(object, strerror(errno));
	if (!S_ISREG(about.st_mode))
		return refuse(object, "not a regular file");
	object->mode = about.st_mode & 07777;
	object->size = (size_t)about.st_size;
	object->bytes = allocate(object->size + 1, 1);
	if (fread(object->bytes, 1, object->size, file) != object->size)
		return refuse(object, "can't be read as a whole");
	return true;
}

static bool read_object(struct object *object)
{
	/* Nobody may ever write to a pipe: the open must not wait for it. */
	int fd = open(object->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	FILE *file;
	bool good;

	if (fd < 0)
		return refuse(object, strerror(errno));
	file = fdopen(fd, "r");
	if (!file) {
		close(fd);
		return refuse(object, strerror(ENOMEM));
	}
	good = read_open(object, file);
	fclose(file);
	return good;
}

static bool is_inside(const struct object *object, uint64_t offset, uint64_t size)
{
	return offset <= object->size && size <= object->size - offset;
}

static bool is_signed(const struct object *object)
{
	size_t length = strlen(SIGNATURE_END);

	return object->size >= length &&
	       memcmp(object->bytes + object->size - length, SIGNATURE_END, length) == 0;
}

static bool check_header(struct object *object)
{
	const unsigned char *ident = object->bytes;
	const ElfW(Ehdr) *header = &object->header;

	if (object->size >= 8 &&
	    (memcmp(ident, "!<arch>\n", 8) == 0 || memcmp(ident, "!<thin>\n", 8) == 0))
		return refuse(object,
			      "an archive; stamp its members before ar(1) puts them together");
	if (object->size < sizeof(*header) || memcmp(ident, ELFMAG, SELFMAG) != 0)
		return refuse(object, compression_ending(object->path)
					      ? "compressed; stamp it before it is compressed"
					      : "no ELF file; a module is made by 'cc -g -c'");
	if (ident[EI_CLASS] != NATIVE_CLASS || ident[EI_DATA] != NATIVE_ORDER)
		return refuse(object, "for another machine");
	memcpy(&object->header, object->bytes, sizeof(object->header));
	if (header->e_type != ET_REL && header->e_type != ET_EXEC && header->e_type != ET_DYN)
		return refuse(object, "neither an object, nor a program or shared object");
	if (is_signed(object))
		return refuse(object, "is signed; stamp it before it is signed");
	return true;
}

static bool read_sections(struct object *object)
{
	const ElfW(Ehdr) *header = &object->header;
	ElfW(Shdr) first;

	if (!header->e_shoff || header->e_shentsize != sizeof(first) ||
	    !is_inside(object, header->e_shoff, sizeof(first)))
		return refuse(object, "no section table");
	memcpy(&first, object->bytes + header->e_shoff, sizeof(first));
	object->num_sections = header->e_shnum ? header->e_shnum : first.sh_size;
	object->names = header->e_shstrndx == SHN_XINDEX ? first.sh_link : header->e_shstrndx;
	if (object->num_sections > object->size / sizeof(first) ||
	    !is_inside(object, header->e_shoff, object->num_sections * sizeof(first)) ||
	    object->names >= object->num_sections)
		return refuse(object, "its section table is damaged");
	/* Two may be added. */
	object->sections = allocate(object->num_sections + 2, sizeof(first));
	memcpy(object->sections, object->bytes + header->e_shoff,
	       object->num_sections * sizeof(first));
	for (size_t i = 0; i < object->num_sections; i++) {
		const ElfW(Shdr) *section = &object->sections[i];

		if (section->sh_type != SHT_NOBITS && section->sh_type != SHT_NULL &&
		    !is_inside(object, section->sh_offset, section->sh_size))
			return refuse(object, "a section is not in the file; it is damaged");
	}
	return true;
}

/* A string of a table; "" if it is not there, or does not end. */
static const char *string_at(const struct object *object, size_t table, size_t offset)
{
	const ElfW(Shdr) * section;
	const char *string;

	if (table >= object->num_sections)
		return "";
	section = &object->sections[table];
	if (section->sh_type != SHT_STRTAB || offset >= section->sh_size)
		return "";
	string = (const char *)object->bytes + section->sh_offset + offset;
	return strnlen(string, section->sh_size - offset) < section->sh_size - offset ? string : "";
}

static const char *section_name(const struct object *object, size_t index)
{
	return string_at(object, object->names, object->sections[index].sh_name);
}

/* ---- Symbols -------------------------------------------------------------------------------- */

static void add_symbol(struct object *object, const char *name, bool exported)
{
	size_t count = object->num_symbols;

	if (!*name)
		return;
	if ((count & (count - 1)) == 0)
		object->symbols = reallocate(object->symbols, count ? count * 2 : 1,
					     sizeof(*object->symbols));
	object->symbols[object->num_symbols++] =
		(struct typed_symbol){ .name = name, .exported = exported };
}

/* Of an object what it exports and what it needs; of a program all that modules might use. */
static void take_symbol(struct object *object, const ElfW(Sym) * symbol, const char *name)
{
	static const char prefix[] = "__ksymtab_";
	unsigned int type = symbol->st_info & 0xf;
	bool global = symbol->st_info >> 4 != STB_LOCAL;

	if (object->header.e_type != ET_REL) {
		if (global && symbol->st_shndx != SHN_UNDEF &&
		    (type == STT_FUNC || type == STT_OBJECT || type == STT_TLS ||
		     type == STT_GNU_IFUNC))
			add_symbol(object, name, true);
		return;
	}
	if (global && symbol->st_shndx == SHN_UNDEF)
		add_symbol(object, name, false);
	else if (symbol->st_shndx < object->num_sections &&
		 strncmp(name, prefix, strlen(prefix)) == 0 &&
		 strncmp(section_name(object, symbol->st_shndx), "__ksymtab", 9) == 0)
		add_symbol(object, name + strlen(prefix), true);
}

static int compare_symbols(const void *a, const void *b)
{
	const struct typed_symbol *first = a, *second = b;
	int order = strcmp(first->name, second->name);

	return order ? order : second->exported - first->exported;
}

/* In order, each once. */
static void sort_symbols(struct object *object)
{
	size_t kept = 0;

	if (!object->num_symbols)
		return;
	qsort(object->symbols, object->num_symbols, sizeof(*object->symbols), compare_symbols);
	for (size_t i = 1; i < object->num_symbols; i++) {
		if (strcmp(object->symbols[i].name, object->symbols[kept].name) != 0)
			object->symbols[++kept] = object->symbols[i];
	}
	object->num_symbols = kept + 1;
}

static void find_symbols(struct object *object)
{
	for (size_t i = 0; i < object->num_sections; i++) {
		const ElfW(Shdr) *section = &object->sections[i];

		if (section->sh_type != SHT_SYMTAB && section->sh_type != SHT_DYNSYM)
			continue;
		for (size_t at = 0; at + sizeof(ElfW(Sym)) <= section->sh_size;
		     at += sizeof(ElfW(Sym))) {
			ElfW(Sym) symbol;

			memcpy(&symbol, object->bytes + section->sh_offset + at, sizeof(symbol));
			take_symbol(object, &symbol,
				    string_at(object, section->sh_link, symbol.st_name));
		}
	}
	sort_symbols(object);
}

/* ---- What is recorded ----------------------------------------------------------------------- */

struct bytes {
	char *data;
	size_t size;
};

static FILE *open_bytes(struct bytes *bytes)
{
	FILE *stream = open_memstream(&bytes->data, &bytes->size);

	if (stream)
		return stream;
	complain("out of memory");
	exit(STATUS_FAILED);
}

static void close_bytes(FILE *stream)
{
	if (fclose(stream) == 0)
		return;
	complain("out of memory");
	exit(STATUS_FAILED);
}

static struct bytes make_types(const struct object *object)
{
	struct bytes text;
	FILE *stream = open_bytes(&text);

	fputs("permod-types 1\n", stream);
	for (size_t i = 0; i < object->num_symbols; i++) {
		const struct typed_symbol *symbol = &object->symbols[i];

		if (symbol->type)
			fprintf(stream, "%s %s %08x %s\n", symbol->exported ? "export" : "import",
				symbol->name, symbol->crc, symbol->type);
	}
	fputs(object->definitions, stream);
	close_bytes(stream);
	return text;
}

/* Longer names than an entry has room for are in the other section alone. */
static struct bytes make_versions(const struct object *object)
{
	struct bytes table;
	FILE *stream = open_bytes(&table);

	for (size_t i = 0; i < object->num_symbols; i++) {
		const struct typed_symbol *symbol = &object->symbols[i];
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

/* ---- Writing -------------------------------------------------------------------------------- */

static size_t find_section(const struct object *object, const char *name)
{
	size_t index = 1;

	while (index < object->num_sections && strcmp(section_name(object, index), name) != 0)
		index++;
	return index;
}

/* Where that ends which stays in its place: all but the sections given, and the table. */
static size_t end_of_rest(const struct object *object, const size_t *moved, size_t num_moved)
{
	const ElfW(Ehdr) *header = &object->header;
	size_t end = sizeof(*header), segments;

	for (size_t i = 1; i < object->num_sections; i++) {
		const ElfW(Shdr) *section = &object->sections[i];
		bool stays = section->sh_type != SHT_NOBITS && section->sh_type != SHT_NULL;

		for (size_t k = 0; k < num_moved; k++)
			stays &= i != moved[k];
		if (stays && section->sh_offset + section->sh_size > end)
			end = section->sh_offset + section->sh_size;
	}
	segments = header->e_phoff + (size_t)header->e_phnum * sizeof(ElfW(Phdr));
	if (header->e_phnum && is_inside(object, header->e_phoff, segments - header->e_phoff)) {
		if (segments > end)
			end = segments;
		for (size_t i = 0; i < header->e_phnum; i++) {
			ElfW(Phdr) segment;

			memcpy(&segment, object->bytes + header->e_phoff + i * sizeof(segment),
			       sizeof(segment));
			if (is_inside(object, segment.p_offset, segment.p_filesz) &&
			    segment.p_offset + segment.p_filesz > end)
				end = segment.p_offset + segment.p_filesz;
		}
	}
	return end;
}

static void align_stream(FILE *stream, size_t align)
{
	while ((size_t)ftell(stream) % align)
		fputc(0, stream);
}

/* Put a section's new bytes at the end, under a name that it has already or at `name` in the table. */
static void write_section(struct object *object, FILE *stream, size_t index, size_t name,
			  const struct bytes *bytes, size_t align)
{
	ElfW(Shdr) *section = &object->sections[index];

	align_stream(stream, align);
	*section = (ElfW(Shdr)){ .sh_name = (ElfW(Word))name,
				 .sh_type = SHT_PROGBITS,
				 .sh_offset = (size_t)ftell(stream),
				 .sh_size = bytes->size,
				 .sh_addralign = align };
	fwrite(bytes->data, 1, bytes->size, stream);
}

static void write_table(struct object *object, FILE *stream, struct bytes *image)
{
	ElfW(Ehdr) header = object->header;
	size_t count = object->num_sections;

	align_stream(stream, sizeof(ElfW(Addr)));
	header.e_shoff = (size_t)ftell(stream);
	header.e_shnum = count < SHN_LORESERVE ? (uint16_t)count : 0;
	object->sections[0].sh_size = count < SHN_LORESERVE ? 0 : count;
	fwrite(object->sections, sizeof(ElfW(Shdr)), count, stream);
	close_bytes(stream);
	memcpy(image->data, &header, sizeof(header));
}

static struct bytes make_image(struct object *object)
{
	static const char *const added[] = { TYPES_SECTION, VERSIONS_SECTION };
	const struct bytes contents[] = { make_types(object), make_versions(object) };
	const ElfW(Shdr) *names = &object->sections[object->names];
	size_t index[2], name[2], moved[3] = { 0, 0, object->names };
	struct bytes image, strings;
	FILE *stream = open_bytes(&strings);

	fwrite(object->bytes + names->sh_offset, 1, names->sh_size, stream);
	for (size_t i = 0; i < 2; i++) {
		index[i] = find_section(object, added[i]);
		name[i] = object->sections[index[i]].sh_name;
		if (index[i] == object->num_sections) {
			index[i] = SIZE_MAX;
			name[i] = (size_t)ftell(stream);
			fwrite(added[i], strlen(added[i]) + 1, 1, stream);
		}
		moved[i] = index[i];
	}
	close_bytes(stream);
	stream = open_bytes(&image);
	fwrite(object->bytes, 1, end_of_rest(object, moved, 3), stream);
	for (size_t i = 0; i < 2; i++)
		write_section(object, stream,
			      index[i] == SIZE_MAX ? object->num_sections++ : index[i], name[i],
			      &contents[i], i ? sizeof(unsigned long) : 1);
	/* The names' own section keeps what else it is. */
	object->sections[object->names].sh_offset = (size_t)ftell(stream);
	object->sections[object->names].sh_size = strings.size;
	fwrite(strings.data, 1, strings.size, stream);
	write_table(object, stream, &image);
	free(strings.data);
	free(contents[0].data);
	free(contents[1].data);
	return image;
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

/* A file beside it takes its place when all is written. */
static bool replace_file(const struct object *object, const char *output, const struct bytes *image)
{
	char *path = realpath(output, NULL), *temporary;
	bool good;
	int fd;

	if (!path)
		path = format_text("%s", output);
	temporary = format_text("%s.XXXXXX", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	good = fd >= 0 && write_all(fd, image->data, image->size) &&
	       fchmod(fd, object->mode) == 0 && fsync(fd) == 0;
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

/* ---- The subcommand ------------------------------------------------------------------------- */

/* What has no type is not compared: that should be known. */
static void tell_untyped(const struct object *object)
{
	char *names = NULL;

	for (size_t i = 0; i < object->num_symbols; i++) {
		const struct typed_symbol *symbol = &object->symbols[i];

		if (!symbol->type && object->header.e_type == ET_REL)
			append_text(&names, "%s%s", names ? ", " : "", symbol->name);
	}
	if (names)
		complain("%s: no types of: %s; IMPORT_SYMBOL() makes compilers tell them",
			 object->path, names);
	free(names);
}

static bool stamp_object(struct object *object, const char *output, bool verbose)
{
	struct bytes image;
	bool good;

	if (!read_object(object) || !check_header(object) || !read_sections(object))
		return false;
	find_symbols(object);
	if (!find_types(object->path, object->symbols, object->num_symbols, &object->definitions))
		return false;
	if (verbose)
		tell_untyped(object);
	image = make_image(object);
	/* What is as it was stays untouched. */
	good = (!output && image.size == object->size &&
		memcmp(image.data, object->bytes, image.size) == 0) ||
	       replace_file(object, output ? output : object->path, &image);
	free(image.data);
	return good;
}

static enum status stamp_file(const char *path, const char *output, bool verbose)
{
	struct object object = { .path = path };
	bool good = stamp_object(&object, output, verbose);

	for (size_t i = 0; i < object.num_symbols; i++)
		free(object.symbols[i].type);
	free(object.symbols);
	free(object.definitions);
	free(object.sections);
	free(object.bytes);
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
