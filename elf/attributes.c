/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attributes of an object: what compilers say of how they made it.
 *
 *     'A'  { size  vendor\0  { tag  size  { number  value }... }... }...
 *
 * Sizes are of 4 bytes and count themselves, tags, numbers and most values are of 7 bits a byte (ULEB128).
 * What is about the whole file has tag 1.  From number 32 on odd ones are strings, but for
 * Tag_compatibility, which is both; below, those for the names of processors (4, 5) are.  What does not
 * look so tells nothing: these are hints.
 */
#include "elf/internal.h"

#define FILE_TAG 1
#define FIRST_STRINGS 32
#define COMPATIBILITY 32

/* What is left of some bytes. */
struct rest {
	const unsigned char *data;
	size_t size;
};

static bool get_number(struct rest *rest, uint64_t *value)
{
	unsigned int shift = 0;

	*value = 0;
	while (rest->size) {
		unsigned char byte = *rest->data++;

		rest->size--;
		if (shift < 63)
			*value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

static bool get_string(struct rest *rest, const char **string)
{
	const unsigned char *end = rest->size ? memchr(rest->data, 0, rest->size) : NULL;

	if (!end)
		return false;
	*string = (const char *)rest->data;
	rest->size -= (size_t)(end + 1 - rest->data);
	rest->data = end + 1;
	return true;
}

/* A part of `size` bytes, `used` of which lie before `rest`. */
static bool get_part(const struct link *link, struct rest *rest, size_t used, struct rest *part)
{
	size_t size;

	if (rest->size < sizeof(uint32_t))
		return false;
	size = (size_t)link_get(link->arch, rest->data, sizeof(uint32_t));
	if (size < used + sizeof(uint32_t) || size - used > rest->size)
		return false;
	size -= used;
	*part = (struct rest){ rest->data + sizeof(uint32_t), size - sizeof(uint32_t) };
	rest->data += size;
	rest->size -= size;
	return true;
}

/* An attribute of the whole file; false: there is none. */
static bool find_in_file(struct rest attributes, uint64_t wanted, uint64_t *value)
{
	uint64_t number;

	while (attributes.size && get_number(&attributes, &number)) {
		bool both = number == COMPATIBILITY;
		bool string = number < FIRST_STRINGS ? number == 4 || number == 5 : number & 1;
		const char *ignored;

		if (!string && !get_number(&attributes, value))
			return false;
		if ((string || both) && !get_string(&attributes, &ignored))
			return false;
		if (!string && number == wanted)
			return true;
	}
	return false;
}

static bool find_in_vendor(const struct link *link, struct rest parts, uint64_t wanted,
			   uint64_t *value)
{
	while (parts.size) {
		const unsigned char *begin = parts.data;
		struct rest part;
		uint64_t tag;

		if (!get_number(&parts, &tag) ||
		    !get_part(link, &parts, (size_t)(parts.data - begin), &part))
			return false;
		if (tag == FILE_TAG && find_in_file(part, wanted, value))
			return true;
	}
	return false;
}

static bool find(const struct link *link, struct rest all, const char *vendor, uint64_t wanted,
		 uint64_t *value)
{
	struct rest part;
	const char *name;

	if (!all.size || *all.data != 'A')
		return false;
	all.data++;
	all.size--;
	while (all.size && get_part(link, &all, 0, &part)) {
		if (get_string(&part, &name) && !strcmp(name, vendor) &&
		    find_in_vendor(link, part, wanted, value))
			return true;
	}
	return false;
}

uint64_t link_attribute(const struct link_object *object, uint32_t type, const char *vendor,
			uint64_t number, uint64_t none)
{
	for (size_t i = 1; i < object->section_count; i++) {
		const struct link_section *section = &object->sections[i];
		uint64_t value;

		if (section->type == type && section->data &&
		    find(object->link, (struct rest){ section->data, (size_t)section->size },
			 vendor, number, &value))
			return value;
	}
	return none;
}
