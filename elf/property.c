/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What objects say of their code in notes called .note.gnu.property: that it begins each target of an
 * indirect branch with an instruction for that (IBT), and leaves return addresses alone (SHSTK).  All of
 * a link is fit for what all of its objects are fit for, as ld has it; and an object whose notes are
 * damaged says nothing, as ld has it too.
 *
 *     | size of name | size of properties | type | "GNU" |  property  |  property  | ...
 *                                                        | type | size | bytes | padding |
 *
 * (The psABI and the "Linux Extensions to gABI" have the format.)
 */
#include "elf/internal.h"

#define NOTE_NAME ".note.gnu.property"
#define NOTE_HEADER 12
#define PROPERTY_HEADER 8
#define PROPERTIES_TYPE 5
/* Of the type with features that all must have, the bits that are known. */
#define FEATURES_X86 0xc0000002U
#define KNOWN_X86 (LINK_IBT | LINK_SHSTK)

static uint32_t read_32(const struct link *link, const unsigned char *bytes)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++) {
		int shift = link->arch->encoding == ELFDATA2MSB ? 24 - 8 * i : 8 * i;

		value |= (uint32_t)bytes[i] << shift;
	}
	return value;
}

/* In `size` bytes of properties; false: they are damaged. */
static bool read_properties(const struct link *link, const unsigned char *bytes, uint64_t size,
			    uint32_t *features)
{
	uint64_t align = link->arch->class == ELFCLASS64 ? 8 : 4;

	while (size) {
		uint32_t type, length;

		if (size < PROPERTY_HEADER)
			return false;
		type = read_32(link, bytes);
		length = read_32(link, bytes + 4);
		if (length > size - PROPERTY_HEADER ||
		    link_align(length, align) > size - PROPERTY_HEADER)
			return false;
		if (type == FEATURES_X86) {
			if (length != sizeof(uint32_t))
				return false;
			*features |= read_32(link, bytes + PROPERTY_HEADER);
		}
		bytes += PROPERTY_HEADER + link_align(length, align);
		size -= PROPERTY_HEADER + link_align(length, align);
	}
	return true;
}

static bool read_notes(const struct link *link, const struct link_section *section,
		       uint32_t *features)
{
	uint64_t align = link->arch->class == ELFCLASS64 ? 8 : 4, left = section->size;
	const unsigned char *bytes = section->data;

	while (left) {
		uint64_t name, size;

		if (left < NOTE_HEADER)
			return false;
		name = link_align(NOTE_HEADER + (uint64_t)read_32(link, bytes), align);
		size = read_32(link, bytes + 4);
		if (name > left || size > left - name)
			return false;
		if (read_32(link, bytes + 8) == PROPERTIES_TYPE && read_32(link, bytes) == 4 &&
		    !memcmp(bytes + NOTE_HEADER, "GNU", 4) &&
		    !read_properties(link, bytes + name, size, features))
			return false;
		size = link_align(size, align);
		size = size > left - name ? left - name : size;
		bytes += name + size;
		left -= name + size;
	}
	return true;
}

static uint32_t features_of(const struct link_object *object)
{
	uint32_t features = 0;

	for (size_t i = 1; i < object->section_count; i++) {
		const struct link_section *section = &object->sections[i];

		if (section->type == SHT_NOTE && section->data &&
		    !(section->flags & SHF_COMPRESSED) && !strcmp(section->name, NOTE_NAME) &&
		    !read_notes(object->link, section, &features))
			return 0;
	}
	return features;
}

void link_read_properties(struct link *link)
{
	uint32_t features = link->arch->machine == EM_X86_64 && link->objects ? KNOWN_X86 : 0;

	for (const struct link_object *object = link->objects; object && features;
	     object = object->next)
		features &= features_of(object);
	link->features = features;
}
