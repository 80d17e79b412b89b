/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Archives whose members are changed, as ar(1) of GNU writes them (System V).
 *
 * Members have headers of 60 characters, the last number of which is the size, and begin at even
 * offsets.  "/" or "/SYM64/" is the index: a count and as many offsets of headers, big-endian, of four or
 * eight bytes; these follow their members.  What the index has of names stays: nothing is added that
 * others link to.
 */
#define _GNU_SOURCE
#include "members.h"

#include "tool.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC "!<arch>\n"
#define THIN_MAGIC "!<thin>\n"
#define MAGIC_BYTES (sizeof(MAGIC) - 1)

struct header {
	char name[16], date[12], owner[6], group[6], mode[8], size[10], end[2];
};

/* A member: where it was, and where it is. */
struct move {
	size_t from, to;
};

struct archive {
	const char *path;
	const unsigned char *bytes;
	size_t size;
	const char *names; /* long ones, or NULL */
	size_t names_size;
	struct move *moves; /* in order */
	size_t num_moves;
	size_t index, index_size; /* where the index is in the new one */
	size_t width;		  /* of its offsets; 0: there is none */
};

bool is_archive(const unsigned char *bytes, size_t size)
{
	return size >= MAGIC_BYTES && (memcmp(bytes, MAGIC, MAGIC_BYTES) == 0 ||
				       memcmp(bytes, THIN_MAGIC, MAGIC_BYTES) == 0);
}

static bool damaged(const struct archive *archive, size_t offset)
{
	complain("%s: no member at offset %zu; the archive is damaged", archive->path, offset);
	return false;
}

/* ---- Headers -------------------------------------------------------------------------------- */

static bool read_header(const struct archive *archive, size_t offset, struct header *header,
			size_t *size)
{
	size_t left = archive->size - offset;
	char digits[sizeof(header->size) + 1] = "", *end;

	if (left < sizeof(*header))
		return damaged(archive, offset);
	memcpy(header, archive->bytes + offset, sizeof(*header));
	memcpy(digits, header->size, sizeof(header->size));
	*size = strtoul(digits, &end, 10);
	if (memcmp(header->end, "`\n", 2) != 0 || digits[0] < '0' || digits[0] > '9' ||
	    end[strspn(end, " ")] || *size > left - sizeof(*header))
		return damaged(archive, offset);
	return true;
}

static bool is_named(const struct header *header, const char *name)
{
	size_t length = strlen(name);

	return memcmp(header->name, name, length) == 0 &&
	       (length == sizeof(header->name) || header->name[length] == ' ');
}

/* Others keep their index and names elsewhere. */
static bool is_foreign(const struct header *header)
{
	return memcmp(header->name, "#1/", 3) == 0 || memcmp(header->name, "__.SYMDEF", 9) == 0;
}

/* "ARCHIVE(MEMBER)" for messages; names end with a slash, "/123" is one of the long names. */
static char *name_of_member(const struct archive *archive, const struct header *header)
{
	const char *name = header->name;
	size_t room = sizeof(header->name), at;
	char digits[sizeof(header->name) + 1] = "";

	memcpy(digits, header->name, sizeof(header->name));
	at = strtoul(digits + 1, NULL, 10);
	if (*digits == '/' && at < archive->names_size) {
		name = archive->names + at;
		room = archive->names_size - at;
	}
	for (size_t i = 0; i < room; i++) {
		if (name[i] == '/' || name[i] == '\n')
			room = i;
	}
	return format_text("%s(%.*s)", archive->path, (int)room, name);
}

/* ---- The index ------------------------------------------------------------------------------ */

static size_t read_number(const char *bytes, size_t width)
{
	size_t number = 0;

	while (width--)
		number = number << 8 | (unsigned char)*bytes++;
	return number;
}

static void write_number(char *bytes, size_t width, size_t number)
{
	for (; width--; number >>= 8)
		bytes[width] = (char)(number & 0xff);
}

static int compare_moves(const void *a, const void *b)
{
	const struct move *first = a, *second = b;

	return first->from < second->from ? -1 : first->from > second->from;
}

static bool move_index(const struct archive *archive, struct bytes *image)
{
	char *index = image->data + archive->index;
	size_t width = archive->width, count;

	if (!width)
		return true;
	count = archive->index_size < width ? 0 : read_number(index, width);
	if (archive->index_size < width || count > archive->index_size / width - 1) {
		complain("%s: its index is damaged; 'ranlib' makes a new one", archive->path);
		return false;
	}
	for (size_t i = 1; i <= count; i++) {
		const struct move key = { read_number(index + i * width, width), 0 };
		const struct move *found = bsearch(&key, archive->moves, archive->num_moves,
						   sizeof(key), compare_moves);

		if (!found || (width == 4 && found->to > UINT32_MAX)) {
			complain("%s: its index names offset %zu, where no member is, or which "
				 "it has no room for; 'ranlib' makes a new one",
				 archive->path, key.from);
			return false;
		}
		write_number(index + i * width, width, found->to);
	}
	return true;
}

/* ---- Members -------------------------------------------------------------------------------- */

static void note_move(struct archive *archive, size_t from, size_t to)
{
	size_t count = archive->num_moves++;

	if ((count & (count - 1)) == 0)
		archive->moves =
			reallocate(archive->moves, count ? count * 2 : 1, sizeof(*archive->moves));
	archive->moves[count] = (struct move){ from, to };
}

static void write_member(FILE *stream, struct header *header, const void *bytes, size_t size)
{
	char digits[32];

	snprintf(digits, sizeof(digits), "%-10zu", size);
	memcpy(header->size, digits, sizeof(header->size));
	fwrite(header, sizeof(*header), 1, stream);
	fwrite(bytes, 1, size, stream);
	if (size % 2)
		fputc('\n', stream);
}

/* What is no member, but of the archive: true if it is that. */
static bool keep_special(struct archive *archive, const struct header *header, size_t offset,
			 size_t size, size_t to)
{
	if (is_named(header, "//")) {
		archive->names = (const char *)archive->bytes + offset + sizeof(*header);
		archive->names_size = size;
		return true;
	}
	if (!is_named(header, "/") && !is_named(header, "/SYM64/"))
		return false;
	archive->width = is_named(header, "/") ? 4 : 8;
	archive->index = to + sizeof(*header);
	archive->index_size = size;
	return true;
}

static bool move_member(struct archive *archive, FILE *stream, struct header *header, size_t offset,
			size_t size, member_function *change, void *arg)
{
	const unsigned char *bytes = archive->bytes + offset + sizeof(*header);
	struct bytes changed = { NULL, 0 };
	size_t to = (size_t)ftell(stream);
	char *name;
	bool good;

	if (keep_special(archive, header, offset, size, to)) {
		write_member(stream, header, bytes, size);
		return true;
	}
	if (is_foreign(header)) {
		complain("%s: an archive of BSD's kind; stamp its members before they are put "
			 "together",
			 archive->path);
		return false;
	}
	name = name_of_member(archive, header);
	good = change(arg, name, bytes, size, &changed);
	free(name);
	note_move(archive, offset, to);
	if (good)
		write_member(stream, header, changed.data ? changed.data : (const char *)bytes,
			     changed.data ? changed.size : size);
	free(changed.data);
	return good;
}

static bool move_members(struct archive *archive, FILE *stream, member_function *change, void *arg)
{
	struct header header;
	size_t offset = MAGIC_BYTES, size;

	while (offset < archive->size) {
		if (!read_header(archive, offset, &header, &size) ||
		    !move_member(archive, stream, &header, offset, size, change, arg))
			return false;
		offset += sizeof(header) + size;
		offset += size % 2 && offset < archive->size;
	}
	return true;
}

bool rewrite_members(const char *path, const unsigned char *bytes, size_t size,
		     member_function *change, void *arg, struct bytes *image)
{
	struct archive archive = { .path = path, .bytes = bytes, .size = size };
	FILE *stream;
	bool good;

	if (memcmp(bytes, THIN_MAGIC, MAGIC_BYTES) == 0) {
		complain("%s: a thin archive, which has no members in it; stamp the files that it "
			 "names, then make it again",
			 path);
		return false;
	}
	stream = open_bytes(image);
	fwrite(MAGIC, MAGIC_BYTES, 1, stream);
	good = move_members(&archive, stream, change, arg);
	close_bytes(stream);
	good = good && move_index(&archive, image);
	free(archive.moves);
	return good;
}
