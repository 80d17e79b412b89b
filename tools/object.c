/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ELF files of which sections get other contents.
 *
 * Nothing else in the file moves: what has other contents stands at its end, then the section table.
 * So what is done twice to a file gives the same bytes as once.
 */
#define _GNU_SOURCE
#include "object.h"

#include "tool.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- Streams -------------------------------------------------------------------------------- */

FILE *open_bytes(struct bytes *bytes)
{
	FILE *stream = open_memstream(&bytes->data, &bytes->size);

	if (stream)
		return stream;
	complain("out of memory");
	exit(STATUS_FAILED);
}

void close_bytes(FILE *stream)
{
	if (fclose(stream) == 0)
		return;
	complain("out of memory");
	exit(STATUS_FAILED);
}

/* ---- Reading -------------------------------------------------------------------------------- */

bool refuse_object(const struct object *object, const char *why)
{
	complain("%s: %s", object->path, why);
	return false;
}

static bool is_inside(const struct object *object, uint64_t offset, uint64_t size)
{
	return offset <= object->size && size <= object->size - offset;
}

static bool check_header(struct object *object)
{
	const unsigned char *ident = object->bytes;
	const ElfW(Ehdr) *header = &object->header;

	if (object->size < sizeof(*header) || memcmp(ident, ELFMAG, SELFMAG) != 0)
		return refuse_object(object,
				     compression_ending(object->path)
					     ? "compressed; stamp it before it is compressed"
					     : "no ELF file; a module is made by 'cc -g -c'");
	if (ident[EI_CLASS] != NATIVE_CLASS || ident[EI_DATA] != NATIVE_ORDER)
		return refuse_object(object, "for another machine");
	memcpy(&object->header, object->bytes, sizeof(object->header));
	if (header->e_type != ET_REL && header->e_type != ET_EXEC && header->e_type != ET_DYN)
		return refuse_object(object, "neither an object, nor a program or shared object");
	return true;
}

static bool read_sections(struct object *object)
{
	const ElfW(Ehdr) *header = &object->header;
	ElfW(Shdr) first;

	if (!header->e_shoff || header->e_shentsize != sizeof(first) ||
	    !is_inside(object, header->e_shoff, sizeof(first)))
		return refuse_object(object, "no section table");
	memcpy(&first, object->bytes + header->e_shoff, sizeof(first));
	object->num_sections = header->e_shnum ? header->e_shnum : first.sh_size;
	object->names = header->e_shstrndx == SHN_XINDEX ? first.sh_link : header->e_shstrndx;
	if (object->num_sections > object->size / sizeof(first) ||
	    !is_inside(object, header->e_shoff, object->num_sections * sizeof(first)) ||
	    object->names >= object->num_sections)
		return refuse_object(object, "its section table is damaged");
	/* Two may be added. */
	object->sections = allocate(object->num_sections + 2, sizeof(first));
	object->contents = allocate(object->num_sections + 2, sizeof(*object->contents));
	memcpy(object->sections, object->bytes + header->e_shoff,
	       object->num_sections * sizeof(first));
	for (size_t i = 0; i < object->num_sections; i++) {
		const ElfW(Shdr) *section = &object->sections[i];

		if (section->sh_type != SHT_NOBITS && section->sh_type != SHT_NULL &&
		    !is_inside(object, section->sh_offset, section->sh_size))
			return refuse_object(object, "a section is not in the file; it is damaged");
	}
	if (object->sections[object->names].sh_type != SHT_STRTAB)
		return refuse_object(object, "its sections have no names; it is damaged");
	return true;
}

bool open_object(struct object *object)
{
	return check_header(object) && read_sections(object);
}

void close_object(struct object *object)
{
	for (size_t i = 0; object->contents && i < object->num_sections; i++)
		free(object->contents[i].data);
	free(object->contents);
	free(object->sections);
}

const char *object_string(const struct object *object, size_t table, size_t offset)
{
	const ElfW(Shdr) * section;
	const char *string;

	if (table >= object->num_sections)
		return "";
	section = &object->sections[table];
	if (section->sh_type != SHT_STRTAB || offset >= section->sh_size)
		return "";
	string = object->contents[table].data ? object->contents[table].data
					      : (const char *)object->bytes + section->sh_offset;
	string += offset;
	return strnlen(string, section->sh_size - offset) < section->sh_size - offset ? string : "";
}

const char *section_name(const struct object *object, size_t index)
{
	return object_string(object, object->names, object->sections[index].sh_name);
}

/* ---- Sections ------------------------------------------------------------------------------- */

char *extend_section(struct object *object, size_t index, size_t size)
{
	ElfW(Shdr) *section = &object->sections[index];
	struct bytes *contents = &object->contents[index];
	size_t old = section->sh_size;
	bool fresh = !contents->data;

	contents->data = reallocate(contents->data, old + size + 1, 1);
	if (fresh)
		memcpy(contents->data, object->bytes + section->sh_offset, old);
	memset(contents->data + old, 0, size + 1);
	section->sh_size = contents->size = old + size;
	return contents->data + old;
}

size_t add_string(struct object *object, size_t table, const char *string)
{
	size_t offset = object->sections[table].sh_size, size = strlen(string) + 1;

	memcpy(extend_section(object, table, size), string, size);
	return offset;
}

void put_section(struct object *object, const char *name, struct bytes contents, size_t align)
{
	size_t index = 1;
	ElfW(Shdr) * section;

	while (index < object->num_sections && strcmp(section_name(object, index), name) != 0)
		index++;
	section = &object->sections[index];
	if (index == object->num_sections) {
		section->sh_name = (ElfW(Word))add_string(object, object->names, name);
		object->num_sections++;
	}
	*section = (ElfW(Shdr)){ .sh_name = section->sh_name,
				 .sh_type = SHT_PROGBITS,
				 .sh_size = contents.size,
				 .sh_addralign = align };
	free(object->contents[index].data);
	object->contents[index] = contents;
}

/* ---- Writing -------------------------------------------------------------------------------- */

/* Where that ends which stays in its place: all but sections with other contents, and the table. */
static size_t end_of_rest(const struct object *object)
{
	const ElfW(Ehdr) *header = &object->header;
	size_t end = sizeof(*header), segments;

	for (size_t i = 1; i < object->num_sections; i++) {
		const ElfW(Shdr) *section = &object->sections[i];
		bool stays = section->sh_type != SHT_NOBITS && section->sh_type != SHT_NULL &&
			     !object->contents[i].data;

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

/* No section that is written here wants more; a damaged one may say that it wants gigabytes. */
#define MOST_ALIGN ((size_t)4096)

static void align_stream(FILE *stream, size_t align)
{
	if (align > MOST_ALIGN)
		align = MOST_ALIGN;
	while (align && (size_t)ftell(stream) % align)
		fputc(0, stream);
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

struct bytes write_object(struct object *object)
{
	struct bytes image;
	FILE *stream = open_bytes(&image);

	fwrite(object->bytes, 1, end_of_rest(object), stream);
	for (size_t i = 1; i < object->num_sections; i++) {
		if (!object->contents[i].data)
			continue;
		align_stream(stream, object->sections[i].sh_addralign);
		object->sections[i].sh_offset = (size_t)ftell(stream);
		fwrite(object->contents[i].data, 1, object->contents[i].size, stream);
	}
	write_table(object, stream, &image);
	return image;
}
