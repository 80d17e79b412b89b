/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Archives: which members there are, and what they define.  Which of them are taken: choose.c.
 *
 *     "!<arch>\n"  { header of 60 bytes | contents | "\n" if their size is odd } ...
 *
 * A member called "/" or "/SYM64/" is the index: how many symbols, for each the offset of the
 * header of the member that defines it (big-endian numbers), and the names.  "//" has long names,
 * which others refer to as "/123".  Without an index, members are read to know what they define.
 *
 * A thin archive begins with "!<thin>\n" and has no contents of members: their names are paths,
 * from the archive's folder on.  "/123:456" is a member of another archive, which has that name,
 * and in which the member's header is at offset 456.
 */
#include "elf/internal.h"

#include <stdio.h>
#include <stdlib.h>

#define HEADER_BYTES ((size_t)60)
#define NAME_BYTES ((size_t)16)
#define SIZE_OFFSET ((size_t)48)
#define SIZE_DIGITS ((size_t)10)
#define END_OFFSET ((size_t)58)
#define LONGEST_NAME ((size_t)4096) /* of a member; the rest is cut */

static const char magic[] = "!<arch>\n", thin_magic[] = "!<thin>\n";
#define MAGIC_BYTES (sizeof(magic) - 1)

enum special { INDEX_32, INDEX_64, LONG_NAMES };

static bool is_thin(const unsigned char *data, size_t size)
{
	return size >= MAGIC_BYTES && !memcmp(data, thin_magic, MAGIC_BYTES);
}

bool link_is_archive(const unsigned char *data, size_t size)
{
	return is_thin(data, size) || (size >= MAGIC_BYTES && !memcmp(data, magic, MAGIC_BYTES));
}

/* ---- Members -------------------------------------------------------------------------------- */

/* Decimal digits and then spaces; false if it is anything else. */
static bool parse_number(const unsigned char *digits, size_t length, size_t *number)
{
	size_t i = 0;

	*number = 0;
	for (; i < length && digits[i] >= '0' && digits[i] <= '9'; i++) {
		if (__builtin_mul_overflow(*number, 10, number) ||
		    __builtin_add_overflow(*number, (size_t)(digits[i] - '0'), number))
			return false;
	}
	if (!i)
		return false;
	while (i < length && digits[i] == ' ')
		i++;
	return i == length;
}

static bool is_named(const struct link_member *member, const char *name)
{
	return member->name_size == strlen(name) && !memcmp(member->name, name, member->name_size);
}

static bool is_special(const struct link_member *member)
{
	return is_named(member, "/") || is_named(member, "//") || is_named(member, "/SYM64/");
}

/* The member whose header is at `offset`; *next is where the next one is. */
static int read_header(const struct link_archive *archive, size_t offset,
		       struct link_member *member, size_t *next)
{
	const unsigned char *header = archive->data + offset;
	size_t left = archive->size - offset;

	if (left < HEADER_BYTES)
		return link_fail(
			archive->link, -ENOEXEC,
			"%s: truncated in the header of a member at offset %zu (found %zu bytes, "
			"at least %zu)",
			archive->name, offset, left, HEADER_BYTES);
	if (header[END_OFFSET] != '`' || header[END_OFFSET + 1] != '\n' ||
	    !parse_number(header + SIZE_OFFSET, SIZE_DIGITS, &member->size))
		return link_fail(archive->link, -ENOEXEC,
				 "%s: no header of a member at offset %zu; the archive is damaged",
				 archive->name, offset);
	left -= HEADER_BYTES;
	member->header = offset;
	member->name = (const char *)header;
	member->name_size = NAME_BYTES;
	while (member->name_size && member->name[member->name_size - 1] == ' ')
		member->name_size--;
	*next = offset + HEADER_BYTES;
	if (archive->thin && !is_special(member))
		return 0;
	if (member->size > left)
		return link_fail(
			archive->link, -ENOEXEC,
			"%s: truncated in the member at offset %zu (found %zu bytes, at most "
			"%zu)",
			archive->name, offset, member->size, left);
	member->data = header + HEADER_BYTES;
	*next += member->size;
	if (member->size % 2 && *next < archive->size)
		(*next)++;
	return 0;
}

static int fail_name(const struct link_archive *archive, const struct link_member *member)
{
	return link_fail(archive->link, -ENOEXEC,
			 "%s: the member at offset %zu has a bad name; the archive is damaged",
			 archive->name, member->header);
}

/* "/123", or "/123:456" in a thin archive; a name of the table ends with "/\n". */
static int find_long_name(const struct link_archive *archive, struct link_member *member)
{
	const struct link_member *names = &archive->special[LONG_NAMES];
	const unsigned char *digits = (const unsigned char *)member->name + 1, *colon, *end;
	size_t length = member->name_size - 1, offset, most;

	colon = archive->thin ? memchr(digits, ':', length) : NULL;
	if (colon) {
		if (!parse_number(colon + 1, (size_t)(digits + length - colon - 1),
				  &member->origin))
			return fail_name(archive, member);
		length = (size_t)(colon - digits);
	}
	if (!parse_number(digits, length, &offset) || offset >= names->size)
		return fail_name(archive, member);
	most = names->size - offset < LONGEST_NAME ? names->size - offset : LONGEST_NAME;
	member->name = (const char *)names->data + offset;
	end = memchr(member->name, '\n', most);
	member->name_size = end ? (size_t)(end - names->data) - offset : most;
	return 0;
}

/* "#1/20": BSD's way, the name is the first 20 bytes of the contents. */
static int find_inner_name(const struct link_archive *archive, struct link_member *member)
{
	size_t size;

	if (!parse_number((const unsigned char *)member->name + 3, member->name_size - 3, &size) ||
	    !member->data || size > member->size)
		return fail_name(archive, member);
	member->name = (const char *)member->data;
	member->name_size = strnlen(member->name, size < LONGEST_NAME ? size : LONGEST_NAME);
	member->data += size;
	member->size -= size;
	return 0;
}

static int find_name(const struct link_archive *archive, struct link_member *member)
{
	int error = 0;

	if (member->name_size > 3 && !memcmp(member->name, "#1/", 3))
		return find_inner_name(archive, member);
	if (member->name_size > 1 && member->name[0] == '/')
		error = find_long_name(archive, member);
	if (!error && member->name_size > 1 && member->name[member->name_size - 1] == '/')
		member->name_size--;
	return error;
}

static int add_member(struct link_archive *archive, const struct link_member *member)
{
	if (is_named(member, "/"))
		archive->special[INDEX_32] = *member;
	else if (is_named(member, "/SYM64/"))
		archive->special[INDEX_64] = *member;
	else if (is_named(member, "//"))
		archive->special[LONG_NAMES] = *member;
	else {
		archive->members[archive->count] = *member;
		return find_name(archive, &archive->members[archive->count++]);
	}
	return 0;
}

static int read_members(struct link_archive *archive)
{
	size_t count = 0;

	for (size_t offset = MAGIC_BYTES; offset < archive->size;) {
		struct link_member member = { 0 };
		int error = read_header(archive, offset, &member, &offset);

		if (error)
			return error;
		count++;
	}
	archive->members = link_allocate_array(archive->link, count, sizeof(*archive->members));
	if (!archive->members)
		return -ENOMEM;
	for (size_t offset = MAGIC_BYTES; offset < archive->size;) {
		struct link_member member = { 0 };
		int error = read_header(archive, offset, &member, &offset);

		if (!error)
			error = add_member(archive, &member);
		if (error)
			return error;
	}
	return 0;
}

int link_read_archive(struct link *link, const char *name, const unsigned char *data, size_t size,
		      struct link_archive **result)
{
	struct link_archive *archive = link_allocate(link, sizeof(*archive));

	if (!archive)
		return -ENOMEM;
	archive->link = link;
	archive->name = name;
	archive->data = data;
	archive->size = size;
	archive->thin = is_thin(data, size);
	*result = archive;
	if (archive->thin && !link->read_file)
		return link_fail(
			link, -ENOEXEC,
			"%s: a thin archive, which only names its members' files; load it from its "
			"file, or make a normal one, by ar without T",
			name);
	return read_members(archive);
}

/* ---- Members in files of their own ---------------------------------------------------------- */

/* What is named in another file: a path that counts from that file's folder. */
static char *make_path(struct link *link, const char *beside, const char *name, size_t size)
{
	const char *slash = strrchr(beside, '/');
	size_t folder = slash && name[0] != '/' ? (size_t)(slash - beside) + 1 : 0;
	char *path = link_allocate(link, folder + size + 1);

	if (!path)
		return NULL;
	memcpy(path, beside, folder);
	memcpy(path + folder, name, size);
	return path;
}

int link_read_named(struct link *link, const char *beside, const char *name, size_t size,
		    struct link_symbol **file)
{
	char *path = make_path(link, beside, name, size);
	struct link_name *entry;
	const void *data;
	bool added;
	int error;

	entry = path ? link_intern(link, &link->private->files, path, &added) : NULL;
	if (!entry)
		return -ENOMEM;
	*file = &entry->symbol;
	if (!added && entry->symbol.owner)
		return 0;
	error = link->read_file(link->read_file_arg, beside, path, &data, &size);
	if (error)
		return error;
	entry->symbol.owner = (void *)(uintptr_t)data;
	entry->symbol.size = size;
	return 0;
}

static int read_member_file(const struct link_archive *archive, struct link_member *member)
{
	struct link_symbol *file;
	struct link_archive inner = { .link = archive->link };
	struct link_member found = { 0 };
	size_t next;
	int error;

	error = link_read_named(archive->link, archive->name, member->name, member->name_size,
				&file);
	if (error)
		return error;
	inner.name = file->name;
	member->data = file->owner;
	member->size = (size_t)file->size;
	if (!member->origin)
		return 0;
	inner.data = member->data;
	inner.size = member->size;
	if (!link_is_archive(inner.data, inner.size) || is_thin(inner.data, inner.size) ||
	    member->origin > inner.size)
		return link_fail(archive->link, -ENOEXEC,
				 "%s: its member at offset %zu of %s is not there; make the "
				 "archive anew",
				 archive->name, member->origin, inner.name);
	error = read_header(&inner, member->origin, &found, &next);
	member->data = found.data;
	member->size = found.size;
	return error;
}

/* ---- Members as objects --------------------------------------------------------------------- */

/* "archive(member)", or "archive(other archive+offset)". */
static char *name_member(const struct link_archive *archive, const struct link_member *member)
{
	size_t size = strlen(archive->name) + member->name_size + sizeof("(+18446744073709551615)");
	char *name = link_allocate(archive->link, size);
	int length;

	if (!name)
		return NULL;
	length = snprintf(name, size, "%s(%.*s", archive->name, (int)member->name_size,
			  member->name);
	if (member->origin)
		snprintf(name + length, size - (size_t)length, "+%zu)", member->origin);
	else
		strcpy(name + length, ")");
	return name;
}

int link_read_member(const struct link_archive *archive, struct link_member *member)
{
	struct link *link = archive->link;
	int error = 0;
	char *name;

	if (!member->data)
		error = read_member_file(archive, member);
	if (error || member->object ||
	    (!link_is_object(link, member->data, member->size) &&
	     !link_is_bitcode(member->data, member->size)))
		return error;
	name = name_member(archive, member);
	if (!name)
		return -ENOMEM;
	return link_read_object(link, name, member->data, member->size, &member->object);
}

/* ---- What members define -------------------------------------------------------------------- */

/* A default version is good for those who ask for no version, if nobody else is. */
static int add_versions(struct link *link, struct link_offer *offer, const char *name)
{
	const char *names[2];
	int error = link_version_names(link, name, names);

	for (int i = 0; i < 2 && names[i] && !error; i++) {
		bool added;
		struct link_name *entry =
			link_intern(link, &link->private->offered, names[i], &added);

		if (!entry)
			return -ENOMEM;
		if (!entry->symbol.owner)
			entry->symbol.owner = offer;
	}
	return error;
}

static int add_offer(struct link_archive *archive, const char *name, size_t member)
{
	struct link *link = archive->link;
	struct link_offer *offer = &archive->offers[archive->offer_count];
	bool added;
	struct link_name *entry = link_intern(link, &link->private->offered, name, &added);

	if (!entry)
		return -ENOMEM;
	offer->archive = archive;
	offer->member = member;
	offer->other = entry->symbol.owner;
	entry->symbol.owner = offer;
	archive->offer_count++;
	return add_versions(link, offer, name);
}

static int compare_members(const void *offset, const void *member)
{
	size_t wanted = *(const size_t *)offset;
	size_t header = ((const struct link_member *)member)->header;

	return wanted < header ? -1 : wanted > header;
}

static uint64_t get_big_endian(const unsigned char *bytes, size_t width)
{
	uint64_t number = 0;

	for (size_t i = 0; i < width; i++)
		number = number << 8 | bytes[i];
	return number;
}

static int fail_index(const struct link_archive *archive, const struct link_member *index)
{
	return link_fail(archive->link, -ENOEXEC,
			 "%s: the index is damaged (%zu bytes); make a new one by ranlib",
			 archive->name, index->size);
}

/* Numbers in the index are `width` bytes each. */
static int read_index(struct link_archive *archive, const struct link_member *index, size_t width)
{
	const unsigned char *data = index->data;
	const char *name, *end = (const char *)data + index->size;
	const struct link_member *member = NULL;
	uint64_t count;

	if (index->size < width)
		return fail_index(archive, index);
	count = get_big_endian(data, width);
	if (count > index->size / width - 1)
		return fail_index(archive, index);
	archive->offers =
		link_allocate_array(archive->link, (size_t)count, sizeof(*archive->offers));
	if (!archive->offers)
		return -ENOMEM;
	name = (const char *)data + (count + 1) * width;
	for (uint64_t i = 1; i <= count; i++) {
		size_t offset = (size_t)get_big_endian(data + i * width, width);
		const char *stop = memchr(name, '\0', (size_t)(end - name));
		int error;

		/* What a member defines is listed together. */
		if (!member || member->header != offset)
			member = bsearch(&offset, archive->members, archive->count, sizeof(*member),
					 compare_members);
		if (!member || !stop)
			return fail_index(archive, index);
		error = add_offer(archive, name, (size_t)(member - archive->members));
		if (error)
			return error;
		name = stop + 1;
	}
	return 0;
}

static int list_definitions(struct link_archive *archive, size_t member)
{
	struct link_object *object = archive->members[member].object;

	for (size_t i = object->local_count; i < object->symbol_count; i++) {
		Elf64_Sym symbol;
		uint32_t section;
		const char *name;
		int error;

		link_get_symbol(object, i, &symbol, &section);
		if (symbol.st_shndx == SHN_UNDEF)
			continue;
		name = object->strings + symbol.st_name;
		error = link_count_name(object, name);
		if (!error)
			error = add_offer(archive, name, member);
		if (error)
			return error;
	}
	return 0;
}

/* Make an index of our own. */
static int read_definitions(struct link_archive *archive)
{
	size_t count = 0;
	int error = 0;

	for (size_t i = 0; i < archive->count && !error; i++) {
		const struct link_member *member = &archive->members[i];

		error = link_read_member(archive, &archive->members[i]);
		if (!error && member->object)
			count += member->object->symbol_count - member->object->local_count;
	}
	if (error)
		return error;
	archive->offers =
		link_allocate_array(archive->link, (size_t)count, sizeof(*archive->offers));
	if (!archive->offers)
		return -ENOMEM;
	for (size_t i = 0; i < archive->count && !error; i++)
		error = archive->members[i].object ? list_definitions(archive, i) : 0;
	return error;
}

int link_read_offers(struct link_archive *archive)
{
	if (archive->special[INDEX_64].data)
		return read_index(archive, &archive->special[INDEX_64], 8);
	if (archive->special[INDEX_32].data)
		return read_index(archive, &archive->special[INDEX_32], 4);
	return read_definitions(archive);
}
