/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unwind information as unwinders want it.
 *
 * A section .eh_frame is a list of records: CIEs, which say what functions have in common, and FDEs,
 * one for each function, which refer back to a CIE.  (The Linux Standard Base and the DWARF standard
 * have the format.)  Unwinders trust it, and ask it before any other: so it is checked here, and
 * rewritten in its place to two tables, each with an end:
 *
 *     | CIE  FDE FDE  CIE  FDE | 0 |  FDE FDE | 0 |
 *       of the module's code         of code that is freed after init
 *
 * What is left out are the gaps and ends between the objects' sections, which would be ends of the
 * table, and FDEs of functions that are not in the module's text: those of a duplicate that was
 * dropped, and any that could be mistaken for those of somebody else's code.  A CIE may lie in the
 * other table: FDEs find it by its distance.
 *
 * A record that moves takes with it what it says relative to its own place.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How pointers are written: the value's form, and what it is relative to. */
#define FORM_MASK 0x0f
#define FORM_NATIVE 0x00
#define FORM_UNSIGNED_2 0x02
#define FORM_UNSIGNED_4 0x03
#define FORM_UNSIGNED_8 0x04
#define FORM_SIGNED_2 0x0a
#define FORM_SIGNED_4 0x0b
#define FORM_SIGNED_8 0x0c
#define BASE_MASK 0x70
#define BASE_ABSOLUTE 0x00
#define BASE_FIELD 0x10
#define INDIRECT 0x80
#define OMITTED 0xff

/* A pointer in a record. */
struct field {
	size_t offset; /* in the record, bytes */
	uint8_t encoding;
};

/* A record where it was: in a copy of all sections, from which the tables are made. */
struct record {
	const unsigned char *bytes;
	size_t size;
	uint64_t address; /* in the target */
	size_t place;	  /* from the begin of the first section */
	struct field fields[2];
	unsigned int num_fields;
};

/* What FDEs need to know of a CIE. */
struct common {
	size_t place, moved_to; /* from the begin of the first section */
	uint8_t code_encoding, data_encoding;
	bool augmented;
};

struct rewrite {
	struct load *load;
	unsigned char *buffer; /* where the tables are made */
	uint64_t address;      /* of that in the target */
	const unsigned char *copy;
	size_t size;		/* of the sections, bytes */
	size_t done;		/* bytes */
	struct common *commons; /* in order */
	size_t num_commons;
	const struct link_section *section; /* that is looked at */
	bool init;			    /* now the table of code that goes */
	bool has_init;
};

/* ---- Reading -------------------------------------------------------------------------------- */

/* What is left of a record; `bad` once something went beyond its end. */
struct reader {
	const unsigned char *at, *end;
	bool bad;
};

static const unsigned char *take(struct reader *reader, size_t size)
{
	const unsigned char *at = reader->at;

	if ((size_t)(reader->end - at) < size) {
		reader->bad = true;
		return NULL;
	}
	reader->at += size;
	return at;
}

static uint8_t take_byte(struct reader *reader)
{
	const unsigned char *at = take(reader, 1);

	return at ? *at : 0;
}

/* LEB128, of which only the unsigned value of a few bits is of interest here. */
static uint64_t take_number(struct reader *reader)
{
	uint64_t value = 0;
	unsigned int shift = 0;
	uint8_t byte;

	do {
		byte = take_byte(reader);
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return value;
}

static const char *take_string(struct reader *reader)
{
	const unsigned char *at = reader->at;
	const unsigned char *end = memchr(at, 0, (size_t)(reader->end - at));

	if (!end) {
		reader->bad = true;
		return "";
	}
	reader->at = end + 1;
	return (const char *)at;
}

/* Bytes of a pointer; 0 if it is of no kind that is used on this machine. */
static size_t pointer_size(uint8_t encoding)
{
	if ((encoding & BASE_MASK) != BASE_ABSOLUTE && (encoding & BASE_MASK) != BASE_FIELD)
		return 0;
	switch (encoding & FORM_MASK) {
	case FORM_UNSIGNED_2:
	case FORM_SIGNED_2:
		return 2;
	case FORM_UNSIGNED_4:
	case FORM_SIGNED_4:
		return 4;
	case FORM_NATIVE:
		return sizeof(void *);
	case FORM_UNSIGNED_8:
	case FORM_SIGNED_8:
		return 8;
	default:
		return 0;
	}
}

/* The bytes of a pointer as they are, extended as the form says. */
static int64_t read_value(const unsigned char *at, uint8_t encoding)
{
	bool is_signed = (encoding & FORM_MASK) >= FORM_SIGNED_2;
	uint16_t two;
	uint32_t four;
	int64_t eight;

	switch (pointer_size(encoding)) {
	case 2:
		memcpy(&two, at, sizeof(two));
		return is_signed ? (int16_t)two : two;
	case 4:
		memcpy(&four, at, sizeof(four));
		return is_signed ? (int32_t)four : (int64_t)four;
	default:
		memcpy(&eight, at, sizeof(eight));
		return eight;
	}
}

static void write_value(unsigned char *at, uint8_t encoding, int64_t value)
{
	const uint16_t two = (uint16_t)value;
	const uint32_t four = (uint32_t)value;

	switch (pointer_size(encoding)) {
	case 2:
		memcpy(at, &two, sizeof(two));
		break;
	case 4:
		memcpy(at, &four, sizeof(four));
		break;
	default:
		memcpy(at, &value, sizeof(value));
	}
}

static void take_field(struct reader *reader, struct record *record, uint8_t encoding)
{
	size_t size = pointer_size(encoding);

	record->fields[record->num_fields++] = (struct field){
		.offset = (size_t)(reader->at - record->bytes),
		.encoding = encoding,
	};
	if (!size)
		reader->bad = true;
	else
		take(reader, size);
}

/* ---- Errors --------------------------------------------------------------------------------- */

static int fail_record(const struct rewrite *rewrite, const struct record *record, const char *what)
{
	const struct link_section *section = rewrite->section;
	size_t begin = section->offset - rewrite->load->link->frames_offset;

	return fail(rewrite->load->pm, -ENOEXEC,
		    "%s: section %s+0x%zx: %s; unwinders could not read it",
		    link_object_name(section->object), section->name, record->place - begin, what);
}

/* ---- CIEs ----------------------------------------------------------------------------------- */

/* The letters of an augmentation behind its 'z': what the data is that follows. */
static int read_augmentation(const struct rewrite *rewrite, struct record *record,
			     struct reader *reader, const char *letters, struct common *common)
{
	take_number(reader); /* bytes of the data */
	for (; *letters; letters++) {
		switch (*letters) {
		case 'R':
			common->code_encoding = take_byte(reader);
			break;
		case 'L':
			common->data_encoding = take_byte(reader);
			break;
		case 'P':
			if (record->num_fields)
				return fail_record(rewrite, record,
						   "the CIE has two personalities");
			take_field(reader, record, take_byte(reader));
			break;
		case 'S': /* a signal handler's frame */
		case 'B': /* return addresses are signed with the other key (aarch64) */
			break;
		default:
			return fail_record(rewrite, record,
					   "the CIE has an augmentation that is not known");
		}
	}
	return 0;
}

static int read_common(const struct rewrite *rewrite, struct record *record, struct common *common)
{
	struct reader reader = { record->bytes + 8, record->bytes + record->size, false };
	uint8_t version = take_byte(&reader);
	const char *letters = take_string(&reader);
	int error;

	*common = (struct common){
		.place = record->place,
		.moved_to = rewrite->done,
		.code_encoding = FORM_NATIVE,
		.data_encoding = OMITTED,
		.augmented = *letters == 'z',
	};
	if (version != 1 && version != 3)
		return fail_record(rewrite, record, "the CIE has a version other than 1 and 3");
	if (*letters && *letters != 'z')
		return fail_record(rewrite, record,
				   "the CIE has an augmentation that is not known");
	take_number(&reader); /* factors for code and data */
	take_number(&reader);
	if (version == 1)
		take_byte(&reader); /* the column of the return address */
	else
		take_number(&reader);
	error = *letters ? read_augmentation(rewrite, record, &reader, letters + 1, common) : 0;
	if (error)
		return error;
	if (reader.bad)
		return fail_record(rewrite, record, "the CIE is cut off");
	if (!pointer_size(common->code_encoding) || common->code_encoding & INDIRECT ||
	    (common->data_encoding != OMITTED && !pointer_size(common->data_encoding)))
		return fail_record(rewrite, record,
				   "the CIE has a kind of pointers that is not known");
	return 0;
}

static int compare_places(const void *key, const void *entry)
{
	const size_t *place = key;
	const struct common *common = entry;

	return *place < common->place ? -1 : *place > common->place;
}

/* ---- FDEs ----------------------------------------------------------------------------------- */

enum whose { NOBODYS, MODULES, INITS };

static bool is_within(const struct module_part *part, uint64_t address, uint64_t size)
{
	return size && address - part->address < part->size &&
	       size <= part->size - (address - part->address);
}

/* Which code an FDE is for: its first field is an address, and then come bytes. */
static enum whose find_code(const struct rewrite *rewrite, const struct record *record)
{
	const struct permod_module *module = rewrite->load->module;
	const struct field *field = &record->fields[0];
	const unsigned char *at = record->bytes + field->offset;
	uint64_t address = (uint64_t)read_value(at, field->encoding);
	uint64_t size = (uint64_t)read_value(at + pointer_size(field->encoding),
					     field->encoding & FORM_MASK);

	if ((field->encoding & BASE_MASK) == BASE_FIELD)
		address = (uintptr_t)(address + record->address + field->offset);
	if (is_within(&module->part[LINK_TEXT], address, size))
		return MODULES;
	return is_within(&module->part[LINK_INIT_TEXT], address, size) ? INITS : NOBODYS;
}

static int read_function(const struct rewrite *rewrite, struct record *record,
			 const struct common *common)
{
	struct reader reader = { record->bytes + 8, record->bytes + record->size, false };

	take_field(&reader, record, common->code_encoding);
	if (reader.bad || !take(&reader, pointer_size(common->code_encoding)))
		return fail_record(rewrite, record, "the FDE is cut off");
	if (!common->augmented)
		return 0;
	take_number(&reader); /* bytes of the data */
	if (common->data_encoding != OMITTED)
		take_field(&reader, record, common->data_encoding);
	return reader.bad ? fail_record(rewrite, record, "the FDE is cut off") : 0;
}

/* ---- Writing -------------------------------------------------------------------------------- */

/* What a field that is relative to itself says after it moved by so much; 0 says that there is nothing. */
static bool adjust_field(unsigned char *at, uint8_t encoding, uint64_t moved)
{
	int64_t value = read_value(at, encoding);

	if ((encoding & BASE_MASK) != BASE_FIELD || !value)
		return true;
	value = (int64_t)((uint64_t)value - moved);
	write_value(at, encoding, value);
	/* Addresses of as many bytes wrap around. */
	return pointer_size(encoding) == sizeof(void *) || read_value(at, encoding) == value;
}

/* Append the record to the table that is made; *to is its begin. */
static int append(struct rewrite *rewrite, const struct record *record)
{
	unsigned char *to = rewrite->buffer + rewrite->done;
	uint64_t moved = rewrite->address + rewrite->done - record->address;

	memcpy(to, record->bytes, record->size);
	rewrite->done += record->size;
	if (!moved)
		return 0;
	for (unsigned int i = 0; i < record->num_fields; i++) {
		const struct field *field = &record->fields[i];

		if (!adjust_field(to + field->offset, field->encoding, moved))
			return fail_record(rewrite, record, "a pointer is out of reach");
	}
	return 0;
}

static int visit_common(struct rewrite *rewrite, struct record *record)
{
	struct common common, *entry;
	int error;

	if (rewrite->init)
		return 0;
	error = read_common(rewrite, record, &common);
	if (error)
		return error;
	entry = grow(&rewrite->commons, &rewrite->num_commons, sizeof(*entry));
	if (!entry)
		return fail_memory(rewrite->load->pm);
	*entry = common;
	return append(rewrite, record);
}

static int visit_function(struct rewrite *rewrite, struct record *record, uint32_t distance)
{
	size_t place = record->place + 4 - distance;
	const struct common *common = NULL;
	uint32_t new_distance;
	enum whose whose;
	int error;

	if (rewrite->num_commons)
		common = bsearch(&place, rewrite->commons, rewrite->num_commons, sizeof(*common),
				 compare_places);
	if (!common)
		return fail_record(rewrite, record, "the FDE refers to no CIE");
	error = read_function(rewrite, record, common);
	if (error)
		return error;
	whose = find_code(rewrite, record);
	rewrite->has_init |= whose == INITS;
	if (whose != (rewrite->init ? INITS : MODULES))
		return 0;
	new_distance = (uint32_t)(rewrite->done + 4 - common->moved_to);
	error = append(rewrite, record);
	memcpy(rewrite->buffer + rewrite->done - record->size + 4, &new_distance,
	       sizeof(new_distance));
	return error;
}

/* ---- The tables ----------------------------------------------------------------------------- */

/* A record and what is left behind it.  A length of 0 is an end, but not ours. */
static int visit_record(struct rewrite *rewrite, struct record *record, size_t left)
{
	uint32_t length, distance;

	if (left < sizeof(length))
		return fail_record(rewrite, record, "the length is cut off");
	memcpy(&length, record->bytes, sizeof(length));
	record->size = sizeof(length);
	if (!length)
		return 0;
	if (length > left - sizeof(length))
		return fail_record(rewrite, record, "the length goes beyond the section");
	if (length < sizeof(distance))
		return fail_record(rewrite, record, "the length is too small");
	record->size += length;
	memcpy(&distance, record->bytes + sizeof(length), sizeof(distance));
	return distance ? visit_function(rewrite, record, distance) : visit_common(rewrite, record);
}

static int visit_section(struct rewrite *rewrite)
{
	const struct link_section *section = rewrite->section;
	size_t begin = section->offset - rewrite->load->link->frames_offset;
	int error = 0;

	for (size_t at = 0; at < section->size && !error;) {
		struct record record = {
			.bytes = rewrite->copy + begin + at,
			.address = rewrite->address + begin + at,
			.place = begin + at,
		};

		error = visit_record(rewrite, &record, section->size - at);
		at += record.size;
	}
	return error;
}

static int make_table(struct rewrite *rewrite)
{
	struct link_section *section = NULL;
	int error = 0;

	while (!error && (section = link_next_section(rewrite->load->link, LINK_FRAMES, section))) {
		if (section->region != LINK_RODATA || section->discarded || !section->data)
			continue;
		rewrite->section = section;
		error = visit_section(rewrite);
	}
	/* The length 0 is the end. */
	memset(rewrite->buffer + rewrite->done, 0, sizeof(uint32_t));
	rewrite->done += sizeof(uint32_t);
	return error;
}

static int make_tables(struct rewrite *rewrite)
{
	struct permod_module *module = rewrite->load->module;
	size_t begin = 0;
	int error = make_table(rewrite);

	if (!error && rewrite->done > sizeof(uint32_t))
		module->frames[0] = rewrite->address;
	if (!error && rewrite->has_init) {
		begin = rewrite->done;
		rewrite->init = true;
		error = make_table(rewrite);
		module->frames[1] = rewrite->address + begin;
	}
	memset(rewrite->buffer + rewrite->done, 0,
	       rewrite->size + LINK_FRAMES_ROOM - rewrite->done);
	return error;
}

int arrange_frames(struct load *load)
{
	struct link *link = load->link;
	const struct link_part *part = &link->part[LINK_RODATA];
	struct rewrite rewrite = {
		.load = load,
		.buffer = part->buffer + link->frames_offset,
		.address = link->base + part->offset + link->frames_offset,
		.size = link->frames_size,
	};
	unsigned char *copy;
	int error = arrange_index(load);

	if (error || !rewrite.size)
		return error;
	copy = malloc(rewrite.size);
	if (!copy)
		return fail_memory(load->pm);
	memcpy(copy, rewrite.buffer, rewrite.size);
	rewrite.copy = copy;
	error = make_tables(&rewrite);
	free(rewrite.commons);
	free(copy);
	return error;
}
