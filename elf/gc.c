/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Dropping sections that nothing needs, as `ld --gc-sections` does.
 *
 * What is needed is marked from the roots on.  Roots are the sections and symbols in `roots`, the root
 * of link_choose(), constructors and destructors, notes, and what is marked SHF_GNU_RETAIN.  If all
 * that does not let anybody in (there is no root and no `entry`), what others can find by name is needed
 * too: global symbols of the objects, or of an archive that came first.
 *
 * What a section that is needed brings along, its `followers`:
 *
 *     - what its relocations refer to; for __start_NAME, all sections called NAME
 *     - the other members of its group
 *     - sections that are about it (SHF_LINK_ORDER)
 *     - its unwind entries, which are records of .eh_frame: what they and their headers (CIEs) refer
 *       to, such as tables of exceptions and personality functions
 *
 * For .eh_frame itself refers to all functions, and must not keep them.  Records of functions that go
 * stay in place, but their relocations go, and their address becomes zero, which unwinders know.
 * .eh_frame sections that are not as expected keep all that they refer to.
 *
 * Descriptors of functions (ppc64's .opd) are in one section for all: what refers to one needs that function
 * alone.  Symbols at those of functions that go are where the functions were, and so are gone, too.
 */
#include "elf/internal.h"

#ifndef SHF_GNU_RETAIN
#define SHF_GNU_RETAIN (1U << 21)
#endif

/* Something that is needed if a section is: another section, or what some relocations refer to. */
struct follower {
	struct follower *next;
	struct link_section *section; /* or NULL */
	const struct link_table *table;
	size_t first, end; /* of the table's entries */
	bool *done;	   /* where that is kept, if others bring them too; or NULL */
};

struct link_mark {
	bool live;
	bool frames; /* .eh_frame, and somebody has looked at its records */
	bool whole;  /* descriptors, and something refers to another part of them */
	struct follower *followers;
};

/* A record of .eh_frame, which belongs to a function, or is a header of such. */
struct frame {
	uint64_t offset;      /* in the section */
	size_t first, end;    /* relocations */
	struct frame *header; /* NULL: it is one */
	const struct link_section *function;
	bool live;
	bool done; /* what it refers to is marked */
};

struct frames {
	struct frames *next;
	struct link_table *table;
	struct frame *frame;
	size_t count;
};

struct collection {
	struct link *link;
	/* Live, but nobody has looked at their followers, or not since they are whole. */
	struct link_section **pending;
	size_t pending_count;
	struct frames *frames;
};

static struct link_mark *mark_of(const struct link_section *section)
{
	return &section->object->marks[section->index];
}

static bool is_candidate(const struct link_section *section)
{
	/* COMMON symbols have no object yet. */
	return section->object && section->index && section->region < LINK_REGIONS &&
	       !section->discarded;
}

/* The function whose descriptor is so far behind a symbol; NULL: there is none. */
static struct link_section *find_function(const struct link *link, const struct link_symbol *symbol,
					  int64_t addend, uint64_t *offset)
{
	struct link_symbol place = *symbol;
	const struct link_section *code;

	place.value += (uint64_t)addend;
	if (!link_find_code(link, &place, &code, offset) || !code->object)
		return NULL;
	return &code->object->sections[code->index];
}

/* ---- Followers ------------------------------------------------------------------------------ */

static int add_follower(struct link_section *section, const struct follower *what)
{
	struct follower *follower = link_allocate(section->object->link, sizeof(*follower));
	struct link_mark *mark = mark_of(section);

	if (!follower)
		return -ENOMEM;
	*follower = *what;
	follower->next = mark->followers;
	mark->followers = follower;
	return 0;
}

static int add_section(struct link_section *section, struct link_section *follower)
{
	return add_follower(section, &(struct follower){ .section = follower });
}

static int add_entries(struct link_section *section, const struct link_table *table, size_t first,
		       size_t end)
{
	return add_follower(section,
			    &(struct follower){ .table = table, .first = first, .end = end });
}

/* Each member of a group brings the next, and the last one the first. */
static int add_group(struct link_object *object, size_t index)
{
	struct link_section *first = NULL, *previous = NULL;
	const unsigned char *bytes;
	uint32_t word;
	size_t count;
	int error = 0;

	bytes = link_read_entries(object, index, LINK_WORD, &count);
	if (!bytes)
		return -ENOEXEC;
	for (size_t i = 1; i < count && !error; i++) {
		memcpy(&word, bytes + i * sizeof(word), sizeof(word));
		if (word >= object->section_count || !is_candidate(&object->sections[word]))
			continue;
		if (previous)
			error = add_section(previous, &object->sections[word]);
		else
			first = &object->sections[word];
		previous = &object->sections[word];
	}
	return error || !previous ? error : add_section(previous, first);
}

/* Sections of which somebody asks for the bounds are known by their names. */
static int add_named(struct link_section *section)
{
	struct link *link = section->object->link;
	struct link_symbol *name = link_find_name(&link->private->bounded, section->name);
	struct follower *follower;

	if (!name)
		return 0;
	follower = link_allocate(link, sizeof(*follower));
	if (!follower)
		return -ENOMEM;
	follower->section = section;
	follower->next = name->owner;
	name->owner = follower;
	return 0;
}

/* ---- Unwind entries ------------------------------------------------------------------------- */

#define FUNCTION_OFFSET 8 /* in a record; before it are its size and where its header is */

static uint32_t get_word(const struct link_section *section, uint64_t offset)
{
	uint32_t word;

	memcpy(&word, section->data + offset, sizeof(word));
	return word;
}

/* How many records there are; 0 if it is not as expected. */
static size_t count_frames(const struct link_table *table)
{
	const struct link_section *section = table->section;
	uint64_t offset = 0;
	size_t count = 0;

	if (!section->data)
		return 0;
	while (section->size - offset >= 4) {
		uint64_t size = get_word(section, offset);

		offset += 4;
		if (!size)
			break;
		if (size < 4 || size > section->size - offset)
			return 0;
		offset += size;
		count++;
	}
	for (size_t i = 1; i < table->count; i++) {
		Elf64_Rela before, entry;

		link_get_entry(table, i - 1, &before);
		link_get_entry(table, i, &entry);
		if (entry.r_offset < before.r_offset)
			return 0;
	}
	return count;
}

/* The header that begins at `offset`; records come in their order. */
static struct frame *find_header(struct frame *frame, size_t count, uint64_t offset)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (frame[middle].offset == offset)
			return frame[middle].header ? NULL : &frame[middle];
		if (frame[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* The section that an entry refers to; NULL if there is none that could be dropped. */
static struct link_section *referred(const struct link_table *table, size_t index)
{
	struct link_object *object = table->section->object;
	const struct link_symbol *symbol;
	Elf64_Rela entry;

	link_get_entry(table, index, &entry);
	if (ELF64_R_SYM(entry.r_info) >= object->symbol_count)
		return NULL;
	symbol = object->symbols[ELF64_R_SYM(entry.r_info)];
	return symbol->section && is_candidate(symbol->section) ? symbol->section : NULL;
}

/* false: it is not as expected. */
static bool read_frames(struct frames *frames)
{
	const struct link_table *table = frames->table;
	const struct link_section *section = table->section;
	uint64_t offset = 0;
	size_t entry_number = 0;

	for (size_t i = 0; i < frames->count; i++) {
		struct frame *frame = &frames->frame[i];
		uint64_t end = offset + 4 + get_word(section, offset);
		uint32_t back = get_word(section, offset + 4);
		Elf64_Rela entry;

		frame->offset = offset;
		frame->first = entry_number;
		for (; entry_number < table->count; entry_number++) {
			link_get_entry(table, entry_number, &entry);
			if (entry.r_offset >= end)
				break;
		}
		frame->end = entry_number;
		if (back) {
			if (back > offset + 4)
				return false;
			frame->header = find_header(frames->frame, i, offset + 4 - back);
			if (!frame->header)
				return false;
		}
		if (back && frame->first < frame->end) {
			link_get_entry(table, frame->first, &entry);
			if (entry.r_offset != offset + FUNCTION_OFFSET)
				return false;
			frame->function = referred(table, frame->first);
		}
		offset = end;
	}
	return entry_number == table->count;
}

/* A function brings the section with its record, and what the record and its header refer to. */
static int add_frames(struct frames *frames)
{
	struct link_table *table = frames->table;
	int error = 0;

	for (size_t i = 0; i < frames->count && !error; i++) {
		const struct frame *frame = &frames->frame[i];
		struct link_section *function =
			frame->function ? referred(table, frame->first) : NULL;

		if (!function)
			continue;
		error = add_section(function, table->section);
		if (!error && frame->end > frame->first + 1)
			error = add_entries(function, table, frame->first + 1, frame->end);
		if (!error && frame->header->end > frame->header->first)
			error = add_follower(function,
					     &(struct follower){ .table = table,
								 .first = frame->header->first,
								 .end = frame->header->end,
								 .done = &frame->header->done });
	}
	return error;
}

static int list_frames(struct collection *collection, struct link_table *table)
{
	struct link_mark *mark = mark_of(table->section);
	struct frames *frames;
	size_t count;

	/* Once is enough: damaged files have any number of tables for one section. */
	count = mark->frames ? 0 : count_frames(table);
	mark->frames = true;
	if (!count)
		return add_entries(table->section, table, 0, table->count);
	frames = link_allocate(collection->link, sizeof(*frames));
	if (!frames)
		return -ENOMEM;
	frames->table = table;
	frames->count = count;
	frames->frame = link_allocate_array(collection->link, count, sizeof(*frames->frame));
	if (!frames->frame)
		return -ENOMEM;
	if (!read_frames(frames))
		return add_entries(table->section, table, 0, table->count);
	frames->next = collection->frames;
	collection->frames = frames;
	return add_frames(frames);
}

/* ---- Marking -------------------------------------------------------------------------------- */

static void mark_section(struct collection *collection, struct link_section *section)
{
	if (!is_candidate(section) || mark_of(section)->live)
		return;
	mark_of(section)->live = true;
	collection->pending[collection->pending_count++] = section;
}

/* All sections of a name of which somebody asks for the bounds. */
static void mark_named(struct collection *collection, struct link_symbol *name)
{
	struct follower *follower = name->owner;

	name->owner = NULL;
	for (; follower; follower = follower->next)
		mark_section(collection, follower->section);
}

static void mark_place(struct collection *collection, const struct link_symbol *symbol,
		       int64_t addend)
{
	struct link_section *section = symbol->section, *function;
	uint64_t offset;

	mark_section(collection, section);
	if (!link_has_descriptors(section) || !is_candidate(section))
		return;
	function = find_function(collection->link, symbol, addend, &offset);
	if (function) {
		mark_section(collection, function);
	} else if (!mark_of(section)->whole) {
		mark_of(section)->whole = true;
		collection->pending[collection->pending_count++] = section;
	}
}

static void mark_symbol(struct collection *collection, struct link_symbol *symbol, int64_t addend)
{
	const struct link_names *bounded = &collection->link->private->bounded;
	const char *name = link_bounded_name(symbol);

	if (link_is_common_symbol(symbol))
		((struct link_name *)symbol)->live = true;
	else if (symbol->section)
		mark_place(collection, symbol, addend);
	else if (name && link_find_name(bounded, name))
		mark_named(collection, link_find_name(bounded, name));
}

static void mark_entries(struct collection *collection, const struct follower *follower)
{
	const struct link_object *object = follower->table->section->object;

	if (follower->done && *follower->done)
		return;
	if (follower->done)
		*follower->done = true;
	for (size_t i = follower->first; i < follower->end; i++) {
		Elf64_Rela entry;

		link_get_entry(follower->table, i, &entry);
		if (ELF64_R_SYM(entry.r_info) < object->symbol_count)
			mark_symbol(collection, object->symbols[ELF64_R_SYM(entry.r_info)],
				    entry.r_addend);
	}
}

static void mark_followers(struct collection *collection)
{
	while (collection->pending_count) {
		struct link_section *section = collection->pending[--collection->pending_count];

		for (const struct follower *follower = mark_of(section)->followers; follower;
		     follower = follower->next) {
			if (follower->section)
				mark_section(collection, follower->section);
			else if (!link_has_descriptors(section) || mark_of(section)->whole)
				mark_entries(collection, follower);
		}
	}
}

/* ---- Roots ---------------------------------------------------------------------------------- */

/* Called by nobody's name: constructors and destructors; and notes. */
static bool is_called(const struct link_section *section)
{
	static const char *const names[] = { ".preinit_array", ".init_array", ".fini_array",
					     ".ctors", ".dtors" };

	/* A note about something else is needed if that is. */
	if (section->type == SHT_NOTE)
		return !(section->flags & (SHF_GROUP | SHF_LINK_ORDER));
	if (section->type == SHT_INIT_ARRAY || section->type == SHT_FINI_ARRAY ||
	    section->type == SHT_PREINIT_ARRAY)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t length = strlen(names[i]);

		if (!strncmp(section->name, names[i], length) &&
		    (!section->name[length] || section->name[length] == '.'))
			return true;
	}
	return !strcmp(section->name, ".init") || !strcmp(section->name, ".fini");
}

static bool mark_root_sections(struct collection *collection)
{
	bool entered = false;

	for (struct link_object *object = collection->link->objects; object;
	     object = object->next) {
		for (size_t i = 1; i < object->section_count; i++) {
			struct link_section *section = &object->sections[i];
			const struct link_root *root = link_root_section(section);

			if (!is_candidate(section) || !section->size)
				continue;
			if (root || is_called(section) || section->flags & SHF_GNU_RETAIN)
				mark_section(collection, section);
			entered |= root && root->entry;
		}
	}
	return entered;
}

static bool is_visible(const struct link_symbol *symbol)
{
	return symbol->visibility == STV_DEFAULT || symbol->visibility == STV_PROTECTED;
}

static void mark_roots(struct collection *collection)
{
	struct link_private *private = collection->link->private;
	bool entered = mark_root_sections(collection) || private->root;
	bool members = private->archives && private->archives->first;

	for (struct link_name *name = private->globals.first; name; name = name->following) {
		const struct link_root *root =
			link_root_symbol(collection->link, name->symbol.name);

		if (!name->symbol.defined || (!root && &name->symbol != private->root))
			continue;
		mark_symbol(collection, &name->symbol, 0);
		entered |= root && root->entry;
	}
	for (struct link_name *name = private->globals.first; name && !entered;
	     name = name->following) {
		struct link_symbol *symbol = &name->symbol;

		if (symbol->defined && is_visible(symbol) && (members || !symbol->object->member))
			mark_symbol(collection, symbol, 0);
	}
}

/* ---- Sweeping ------------------------------------------------------------------------------- */

/* Of a record that goes only the function's address is left. */
static int filter_frames(struct frames *frames)
{
	struct link_table *table = frames->table;
	unsigned char *bytes =
		link_allocate_array(table->section->object->link, table->count, sizeof(Elf64_Rela));
	size_t count = 0;

	if (!bytes)
		return -ENOMEM;
	for (size_t i = 0; i < frames->count; i++) {
		struct frame *frame = &frames->frame[i];

		frame->live |= frame->function && !frame->function->discarded;
		if (frame->header)
			frame->header->live |= frame->live;
	}
	for (size_t i = 0; i < frames->count; i++) {
		const struct frame *frame = &frames->frame[i];
		size_t end = frame->live ? frame->end : frame->first + (frame->header != NULL);

		if (end > frame->end)
			end = frame->end;
		memcpy(bytes + count * sizeof(Elf64_Rela),
		       table->bytes + frame->first * sizeof(Elf64_Rela),
		       (end - frame->first) * sizeof(Elf64_Rela));
		count += end - frame->first;
	}
	table->bytes = bytes;
	table->count = count;
	return 0;
}

static void drop_tables(struct link_object *object)
{
	size_t count = 0;

	for (size_t i = 0; i < object->table_count; i++) {
		struct link_section *section = object->tables[i].section;

		if (section->discarded)
			continue;
		object->tables[count++] = object->tables[i];
		if (section->table == i + 1)
			section->table = (uint32_t)count;
	}
	object->table_count = count;
}

static void drop_descriptor(struct link *link, struct link_symbol *symbol)
{
	struct link_section *function;
	uint64_t offset;

	if (!symbol->section || symbol->type == STT_SECTION ||
	    !link_has_descriptors(symbol->section) || !is_candidate(symbol->section) ||
	    mark_of(symbol->section)->whole)
		return;
	function = find_function(link, symbol, 0, &offset);
	if (!function || mark_of(function)->live)
		return;
	symbol->section = function;
	symbol->value = offset;
}

static void drop_descriptors(struct link *link)
{
	if (!link->arch->descriptors)
		return;
	for (struct link_object *object = link->objects; object; object = object->next) {
		for (size_t i = 1; i < object->local_count; i++)
			drop_descriptor(link, object->symbols[i]);
	}
	for (struct link_name *name = link->private->globals.first; name; name = name->following)
		drop_descriptor(link, &name->symbol);
}

static int sweep(struct collection *collection)
{
	struct link *link = collection->link;
	int error = 0;

	drop_descriptors(link);
	for (struct link_object *object = link->objects; object; object = object->next) {
		for (size_t i = 1; i < object->section_count; i++) {
			if (is_candidate(&object->sections[i]))
				object->sections[i].discarded = !object->marks[i].live;
		}
	}
	for (struct frames *frames = collection->frames; frames && !error; frames = frames->next)
		error = filter_frames(frames);
	for (struct link_object *object = link->objects; object; object = object->next)
		drop_tables(object);
	for (struct link_name *name = link->private->globals.first; name; name = name->following) {
		if (!link_is_common_symbol(&name->symbol) || name->live)
			continue;
		name->symbol.section = NULL;
		name->symbol.value = 0;
		name->symbol.defined = false;
	}
	return error;
}

/* ---- The whole ------------------------------------------------------------------------------ */

static int list_followers(struct link_object *object)
{
	int error = 0;

	object->marks =
		link_allocate_array(object->link, object->section_count, sizeof(*object->marks));
	if (!object->marks)
		return -ENOMEM;
	for (size_t i = 1; i < object->section_count && !error; i++) {
		struct link_section *section = &object->sections[i];

		if (section->type == SHT_GROUP)
			error = add_group(object, i);
		if (!error && is_candidate(section) && link_subject(section))
			error = add_section(link_subject(section), section);
		if (!error && is_candidate(section))
			error = add_named(section);
	}
	return error;
}

/* Unwind entries refer to functions of other objects too, which have marks by then. */
static int list_tables(struct collection *collection, struct link_object *object)
{
	int error = 0;

	for (size_t i = 0; i < object->table_count && !error; i++) {
		struct link_table *table = &object->tables[i];

		if (!strcmp(table->section->name, ".eh_frame"))
			error = list_frames(collection, table);
		else
			error = add_entries(table->section, table, 0, table->count);
	}
	return error;
}

int link_collect(struct link *link)
{
	struct collection collection = { .link = link };
	size_t count = 0;
	int error = 0;

	for (struct link_object *object = link->objects; object && !error; object = object->next) {
		count += object->section_count;
		error = list_followers(object);
	}
	for (struct link_object *object = link->objects; object && !error; object = object->next)
		error = list_tables(&collection, object);
	if (error)
		return error;
	collection.pending = link_allocate_array(link, 2 * count, sizeof(*collection.pending));
	if (!collection.pending)
		return -ENOMEM;
	mark_roots(&collection);
	mark_followers(&collection);
	return sweep(&collection);
}
