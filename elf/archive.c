/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Archives: which members there are, and which of them are taken.
 *
 *     "!<arch>\n"  { header of 60 bytes | contents | "\n" if their size is odd } ...
 *
 * A member called "/" or "/SYM64/" is the index: how many symbols, for each the offset of the
 * header of the member that defines it (big-endian numbers), and the names.  "//" has long names,
 * which others refer to as "/123".  Without an index, members are read to know what they define.
 *
 * With a root, members are pulled in as ld does it: the one that defines the root, then those that
 * define what is undefined so far, but not weak, and so on.  The list of global names grows at its
 * end while this goes on, so one walk along it is enough, but for names that stop being weak.
 */
#include "elf/internal.h"

#include <stdlib.h>

#define HEADER_BYTES ((size_t)60)
#define NAME_BYTES ((size_t)16)
#define SIZE_OFFSET ((size_t)48)
#define SIZE_DIGITS ((size_t)10)
#define END_OFFSET ((size_t)58)
#define LONGEST_NAME ((size_t)256) /* of a member, in messages; the rest is cut */

static const char magic[] = "!<arch>\n", thin_magic[] = "!<thin>\n";
#define MAGIC_BYTES (sizeof(magic) - 1)

struct member {
	size_t header; /* offset of its header in the archive */
	const unsigned char *data;
	size_t size;
	const char *name; /* not terminated */
	size_t name_size;
	struct link_object *object; /* when read */
	bool entered;
};

struct archive {
	struct link *link;
	const char *name;
	const unsigned char *data;
	size_t size;
	struct member *members; /* by offset */
	size_t count;
	const struct member *index; /* NULL: there is none */
	struct member special[3];   /* the index, its 64-bit form, and the long names */
	struct link_names symbols;  /* what members define; symbol.value is the member's number */
};

enum special { INDEX_32, INDEX_64, LONG_NAMES };

bool link_is_archive(const unsigned char *data, size_t size)
{
	return size >= MAGIC_BYTES &&
	       (!memcmp(data, magic, MAGIC_BYTES) || !memcmp(data, thin_magic, MAGIC_BYTES));
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

/* The member whose header is at `offset`; *next is where the next one is. */
static int read_header(const struct archive *archive, size_t offset, struct member *member,
		       size_t *next)
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
	if (member->size > left)
		return link_fail(
			archive->link, -ENOEXEC,
			"%s: truncated in the member at offset %zu (found %zu bytes, at most "
			"%zu)",
			archive->name, offset, member->size, left);
	member->header = offset;
	member->data = header + HEADER_BYTES;
	member->name = (const char *)header;
	member->name_size = NAME_BYTES;
	while (member->name_size && member->name[member->name_size - 1] == ' ')
		member->name_size--;
	*next = offset + HEADER_BYTES + member->size;
	if (member->size % 2 && *next < archive->size)
		(*next)++;
	return 0;
}

static bool is_named(const struct member *member, const char *name)
{
	return member->name_size == strlen(name) && !memcmp(member->name, name, member->name_size);
}

/* A name of the table of long names ends with "/\n". */
static int find_long_name(const struct archive *archive, struct member *member)
{
	const struct member *names = &archive->special[LONG_NAMES];
	const char *end;
	size_t offset, most;

	if (!parse_number((const unsigned char *)member->name + 1, member->name_size - 1,
			  &offset) ||
	    offset >= names->size)
		return link_fail(
			archive->link, -ENOEXEC,
			"%s: the member at offset %zu has a bad name; the archive is damaged",
			archive->name, member->header);
	most = names->size - offset < LONGEST_NAME ? names->size - offset : LONGEST_NAME;
	member->name = (const char *)names->data + offset;
	end = memchr(member->name, '\n', most);
	member->name_size = end ? (size_t)(end - member->name) : most;
	return 0;
}

static int find_name(const struct archive *archive, struct member *member)
{
	int error = 0;

	if (member->name_size > 1 && member->name[0] == '/')
		error = find_long_name(archive, member);
	if (!error && member->name_size > 1 && member->name[member->name_size - 1] == '/')
		member->name_size--;
	return error;
}

static int add_member(struct archive *archive, const struct member *member)
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

static int read_members(struct archive *archive)
{
	size_t count = 0;

	if (!memcmp(archive->data, thin_magic, MAGIC_BYTES))
		return link_fail(
			archive->link, -ENOEXEC,
			"%s: a thin archive, which only names its members; make a normal one, by "
			"ar without T",
			archive->name);
	for (size_t offset = MAGIC_BYTES; offset < archive->size;) {
		struct member member = { 0 };
		int error = read_header(archive, offset, &member, &offset);

		if (error)
			return error;
		count++;
	}
	archive->members = link_allocate_array(archive->link, count, sizeof(*archive->members));
	if (!archive->members)
		return -ENOMEM;
	for (size_t offset = MAGIC_BYTES; offset < archive->size;) {
		struct member member = { 0 };
		int error = read_header(archive, offset, &member, &offset);

		if (!error)
			error = add_member(archive, &member);
		if (error)
			return error;
	}
	return 0;
}

/* ---- Taking them ---------------------------------------------------------------------------- */

/* Read a member, if it is an object at all: archives may hold anything. */
static int read_member(const struct archive *archive, struct member *member)
{
	struct link *link = archive->link;
	size_t size = strlen(archive->name);
	char *name;

	if (member->object || (!link_is_object(link, member->data, member->size) &&
			       !link_is_bitcode(member->data, member->size)))
		return 0;
	name = link_allocate(link, size + member->name_size + sizeof("()"));
	if (!name)
		return -ENOMEM;
	memcpy(name, archive->name, size);
	name[size++] = '(';
	memcpy(name + size, member->name, member->name_size);
	name[size + member->name_size] = ')';
	return link_read_object(link, name, member->data, member->size, &member->object);
}

static int take_member(const struct archive *archive, struct member *member)
{
	int error;

	if (member->entered)
		return 0;
	member->entered = true;
	error = read_member(archive, member);
	if (error || !member->object)
		return error;
	return link_enter_object(member->object);
}

static int take_all(const struct archive *archive)
{
	const struct link_private *private = archive->link->private;
	const struct link_object *before = private->last;

	for (size_t i = 0; i < archive->count; i++) {
		int error = take_member(archive, &archive->members[i]);

		if (error)
			return error;
	}
	if (private->last == before)
		return link_fail(archive->link, -ENOEXEC,
				 "%s: none of the %zu members is a relocatable object for %s",
				 archive->name, archive->count, archive->link->arch->name);
	return 0;
}

/* ---- What members define -------------------------------------------------------------------- */

/* The first member that defines a name counts. */
static int add_symbol(struct archive *archive, const char *name, size_t member)
{
	bool added;
	struct link_name *entry = link_intern(archive->link, &archive->symbols, name, &added);

	if (!entry)
		return -ENOMEM;
	if (added)
		entry->symbol.value = member;
	return 0;
}

static int compare_members(const void *offset, const void *member)
{
	size_t wanted = *(const size_t *)offset, header = ((const struct member *)member)->header;

	return wanted < header ? -1 : wanted > header;
}

static uint64_t get_big_endian(const unsigned char *bytes, size_t width)
{
	uint64_t number = 0;

	for (size_t i = 0; i < width; i++)
		number = number << 8 | bytes[i];
	return number;
}

static int fail_index(const struct archive *archive)
{
	return link_fail(archive->link, -ENOEXEC,
			 "%s: the index is damaged (%zu bytes); make a new one by ranlib",
			 archive->name, archive->index->size);
}

/* Numbers in the index are `width` bytes each. */
static int read_index(struct archive *archive, size_t width)
{
	const unsigned char *data = archive->index->data;
	const char *name, *end = (const char *)data + archive->index->size;
	uint64_t count;

	if (archive->index->size < width)
		return fail_index(archive);
	count = get_big_endian(data, width);
	if (count > archive->index->size / width - 1)
		return fail_index(archive);
	name = (const char *)data + (count + 1) * width;
	for (uint64_t i = 1; i <= count; i++) {
		size_t offset = (size_t)get_big_endian(data + i * width, width);
		const struct member *member = bsearch(&offset, archive->members, archive->count,
						      sizeof(*member), compare_members);
		const char *stop = memchr(name, '\0', (size_t)(end - name));
		int error;

		if (!member || !stop)
			return fail_index(archive);
		error = add_symbol(archive, name, (size_t)(member - archive->members));
		if (error)
			return error;
		name = stop + 1;
	}
	return 0;
}

static int list_definitions(struct archive *archive, size_t member)
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
			error = add_symbol(archive, name, member);
		if (error)
			return error;
	}
	return 0;
}

/* Make an index of our own. */
static int read_definitions(struct archive *archive)
{
	for (size_t i = 0; i < archive->count; i++) {
		int error = read_member(archive, &archive->members[i]);

		if (!error && archive->members[i].object)
			error = list_definitions(archive, i);
		if (error)
			return error;
	}
	return 0;
}

static int read_symbols(struct archive *archive)
{
	bool wide = archive->special[INDEX_64].data;

	archive->index = &archive->special[wide ? INDEX_64 : INDEX_32];
	if (!archive->index->data)
		return read_definitions(archive);
	return read_index(archive, wide ? 8 : 4);
}

/* ---- Pulling in ----------------------------------------------------------------------------- */

/* Take the member that defines a name, if the link lacks it. */
static int pull(const struct archive *archive, const struct link_symbol *symbol)
{
	const struct link_symbol *found;

	if (symbol->defined || symbol->bind == STB_WEAK)
		return 0;
	found = link_find_name(&archive->symbols, symbol->name);
	return found ? take_member(archive, &archive->members[found->value]) : 0;
}

static int pull_all(const struct archive *archive)
{
	struct link_names *globals = &archive->link->private->globals;
	int error = 0;

	for (struct link_name *name = globals->first; name && !error; name = name->following)
		error = pull(archive, &name->symbol);
	while (globals->upgraded && !error) {
		struct link_name *name = globals->upgraded, *last = globals->last;

		globals->upgraded = name->upgraded;
		error = pull(archive, &name->symbol);
		for (name = last->following; name && !error; name = name->following)
			error = pull(archive, &name->symbol);
	}
	return error;
}

static int fail_root(const struct archive *archive, const char *root)
{
	return link_fail(archive->link, -ENOENT, "%s: no member of the archive defines %s",
			 archive->name, root);
}

/* The index may be wrong: what counts in the end is that the root is there. */
static int pull_root(const struct archive *archive, const char *root)
{
	struct link *link = archive->link;
	const struct link_symbol *known = link_find(link, root);
	const struct link_symbol *found = link_find_name(&archive->symbols, root);
	int error;

	if (known && known->defined)
		return 0;
	if (!found && link_find_name(&archive->symbols, "__gnu_lto_slim"))
		return link_fail(
			link, -ENOEXEC,
			"%s: there is no machine code in its members, only what GCC needs to "
			"optimise at link time; compile without -flto or add -ffat-lto-objects",
			archive->name);
	if (!found)
		return fail_root(archive, root);
	error = take_member(archive, &archive->members[found->value]);
	if (error)
		return error;
	known = link_find(link, root);
	return known && known->defined ? 0 : fail_root(archive, root);
}

int link_add_archive(struct link *link, const char *name, const unsigned char *data, size_t size,
		     const char *root)
{
	struct archive archive = { .link = link, .name = name, .data = data, .size = size };
	int error = read_members(&archive);

	if (error || !root)
		return error ? error : take_all(&archive);
	error = read_symbols(&archive);
	if (!error)
		error = pull_root(&archive, root);
	return error ? error : pull_all(&archive);
}
