/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which members of archives are taken.
 *
 * Members are pulled in as ld does it, with the same members in the same order as the result, even
 * where several define a name: an archive's index is gone through from its beginning, and a member is
 * taken when its turn comes if the link lacks the name: if that is undefined and not weak, or COMMON
 * while the member really defines it.  What a member needs in turn is looked for in the rest of the
 * index, then again from the beginning.  When an archive has no more to give the next one has its
 * turn, and all have turns until nobody has anything to give.  (ld is not as thorough where a weak
 * name that nobody defines becomes COMMON: it then looks at the rest of the index only.)
 *
 * Walking through the index that often is left out: `now` has the offers of wanted names that lie
 * ahead, `later` those behind, for the next walk.  Names are noticed as they come: the list of global
 * names grows at its end, and those that begin to be wanted afterwards are kept in `upgraded`.
 *
 * Without a root, something has to begin: the objects that were given.  If an archive comes first,
 * its members that have what `roots` tells begin; and if it has none, it is taken as a whole.
 */
#include "elf/internal.h"

/* ---- Queues of offers ----------------------------------------------------------------------- */

static void swap(size_t *a, size_t *b)
{
	size_t kept = *a;

	*a = *b;
	*b = kept;
}

static void push(struct link_queue *queue, size_t number)
{
	size_t *heap = queue->heap, i = queue->count++;

	heap[i] = number;
	for (; i && heap[i] < heap[(i - 1) / 2]; i = (i - 1) / 2)
		swap(&heap[i], &heap[(i - 1) / 2]);
}

static size_t pop(struct link_queue *queue)
{
	size_t *heap = queue->heap, least = heap[0], i = 0, child;

	heap[0] = heap[--queue->count];
	while ((child = 2 * i + 1) < queue->count) {
		child += child + 1 < queue->count && heap[child + 1] < heap[child];
		if (heap[i] <= heap[child])
			break;
		swap(&heap[i], &heap[child]);
		i = child;
	}
	return least;
}

/* ---- Names that are wanted ------------------------------------------------------------------ */

static bool is_wanted(const struct link_symbol *symbol)
{
	return symbol->defined ? link_is_common_symbol(symbol) : symbol->bind != STB_WEAK;
}

static void notice_name(struct link *link, const struct link_symbol *symbol)
{
	const struct link_symbol *name = NULL;

	if (is_wanted(symbol))
		name = link_find_name(&link->private->offered, symbol->name);
	for (struct link_offer *offer = name ? name->owner : NULL; offer; offer = offer->other) {
		struct link_archive *archive = offer->archive;
		size_t number = (size_t)(offer - archive->offers);

		if (offer->queued || archive->members[offer->member].entered)
			continue;
		offer->queued = true;
		offer->symbol = symbol;
		push(number < archive->next ? &archive->later : &archive->now, number);
	}
}

static void notice_names(struct link *link)
{
	struct link_private *private = link->private;
	struct link_names *globals = &private->globals;

	for (;;) {
		struct link_name *name =
			private->noticed ? private->noticed->following : globals->first;

		if (!name)
			break;
		private->noticed = name;
		notice_name(link, &name->symbol);
	}
	for (; globals->upgraded; globals->upgraded = globals->upgraded->upgraded)
		notice_name(link, &globals->upgraded->symbol);
}

/* ---- Taking members ------------------------------------------------------------------------- */

static int take_member(struct link_archive *archive, struct link_member *member)
{
	int error;

	if (member->entered)
		return 0;
	member->entered = true;
	error = link_read_member(archive, member);
	if (error || !member->object)
		return error;
	archive->used = member->object->member = true;
	return link_enter_object(member->object);
}

static int take_all(struct link_archive *archive)
{
	int error = 0;

	for (size_t i = 0; i < archive->count && !error; i++)
		error = take_member(archive, &archive->members[i]);
	return error;
}

/* Names that the member defines, not as COMMON; they are listed when somebody asks. */
static int list_real(struct link_member *member)
{
	struct link_object *object = member->object;

	member->real = link_allocate(object->link, sizeof(*member->real));
	if (!member->real)
		return -ENOMEM;
	for (size_t i = object->local_count; i < object->symbol_count; i++) {
		const char *name;
		Elf64_Sym symbol;
		uint32_t section;
		bool added;

		link_get_symbol(object, i, &symbol, &section);
		if (symbol.st_shndx == SHN_UNDEF || link_is_common(object->link, symbol.st_shndx))
			continue;
		name = object->strings + symbol.st_name;
		if (link_count_name(object, name))
			return -ENOEXEC;
		if (!link_intern(object->link, member->real, name, &added))
			return -ENOMEM;
	}
	return 0;
}

/* A COMMON symbol is good enough, unless the member has more to say of it. */
static int look_at_common(struct link_archive *archive, struct link_member *member,
			  const char *name)
{
	int error = link_read_member(archive, member);

	if (!error && member->object && !member->real)
		error = list_real(member);
	if (error || !member->object || !link_find_name(member->real, name))
		return error;
	return take_member(archive, member);
}

static int look_at(struct link_archive *archive, const struct link_offer *offer)
{
	struct link_member *member = &archive->members[offer->member];

	if (member->entered || !is_wanted(offer->symbol))
		return 0;
	if (link_is_common_symbol(offer->symbol))
		return look_at_common(archive, member, offer->symbol->name);
	return take_member(archive, member);
}

/* All that the archive has to give; *found if that was anything. */
static int search(struct link_archive *archive, bool *found)
{
	int error = 0;

	notice_names(archive->link);
	while (!error && (archive->now.count || archive->later.count)) {
		struct link_offer *offer;

		if (!archive->now.count) {
			struct link_queue empty = archive->now;

			archive->now = archive->later;
			archive->later = empty;
		}
		archive->next = pop(&archive->now) + 1;
		offer = &archive->offers[archive->next - 1];
		offer->queued = false;
		error = look_at(archive, offer);
		notice_names(archive->link);
		*found = true;
	}
	archive->next = 0;
	return error;
}

static int search_all(struct link *link)
{
	bool found = true;
	int error = 0;

	while (found && !error) {
		found = false;
		for (struct link_archive *archive = link->private->archives; archive && !error;
		     archive = archive->following)
			error = search(archive, &found);
	}
	return error;
}

/* ---- Where it begins ------------------------------------------------------------------------ */

static const struct link_root *find_root(const struct link *link, const char *name, bool section)
{
	for (size_t i = 0; i < link->num_roots; i++) {
		const struct link_root *root = &link->roots[i];

		if (root->section == section &&
		    (section ? !strncmp(name, root->name, strlen(root->name))
			     : !strcmp(name, root->name)))
			return root;
	}
	return NULL;
}

const struct link_root *link_root_symbol(const struct link *link, const char *name)
{
	return find_root(link, name, false);
}

const struct link_root *link_root_section(const struct link_section *section)
{
	if (section->region == LINK_NONE || !section->size)
		return NULL;
	return find_root(section->object->link, section->name, true);
}

static bool has_roots(const struct link_object *object)
{
	for (size_t i = 1; i < object->section_count; i++) {
		if (link_root_section(&object->sections[i]))
			return true;
	}
	for (size_t i = object->local_count; i < object->symbol_count; i++) {
		Elf64_Sym symbol;
		uint32_t section;

		link_get_symbol(object, i, &symbol, &section);
		if (symbol.st_shndx != SHN_UNDEF &&
		    link_root_symbol(object->link, object->strings + symbol.st_name))
			return true;
	}
	return false;
}

static int begin_with(struct link_archive *archive)
{
	int error = 0;

	archive->link->unasked = true;
	for (size_t i = 0; i < archive->count && archive->link->num_roots && !error; i++) {
		struct link_member *member = &archive->members[i];

		error = link_read_member(archive, member);
		if (!error && member->object && has_roots(member->object))
			error = take_member(archive, member);
	}
	return error || archive->used ? error : take_all(archive);
}

/* The root is a name that somebody needs. */
static int want_root(struct link *link, const char *root)
{
	bool added;
	struct link_name *name;

	root = link_copy_string(link, root, strlen(root));
	name = root ? link_intern(link, &link->private->globals, root, &added) : NULL;
	if (!name)
		return -ENOMEM;
	if (added)
		name->symbol.bind = STB_GLOBAL;
	link->private->root = &name->symbol;
	return 0;
}

/* ---- What came of it ------------------------------------------------------------------------ */

static int fail_empty(struct link *link)
{
	const struct link_archive *archive = link->private->archives;

	if (!archive->count)
		return link_fail(link, -ENOEXEC,
				 "%s: the archive is empty, there is nothing to load",
				 archive->name);
	return link_fail(link, -ENOEXEC,
			 "%s: none of the %zu members is a relocatable object for %s",
			 archive->name, archive->count, link->arch->name);
}

static int fail_root(struct link *link, const char *root)
{
	const struct link_archive *archive = link->private->archives;

	if (archive && archive->first && archive == link->private->last_archive)
		return link_fail(link, -ENOENT, "%s: no member of the archive defines %s",
				 archive->name, root);
	return link_fail(link, -ENOENT, "%s: neither this nor what is linked with it defines %s",
			 link->objects ? link->objects->name : archive->name, root);
}

/* Archives of what GCC keeps for later define nothing but this. */
static int check_slim(struct link *link)
{
	const struct link_symbol *slim = link_find_name(&link->private->offered, "__gnu_lto_slim");

	for (struct link_offer *offer = slim ? slim->owner : NULL; offer; offer = offer->other) {
		if (!offer->archive->used)
			return link_fail_slim(link, offer->archive->name);
	}
	return 0;
}

static int prepare(struct link_archive *archive)
{
	struct link *link = archive->link;
	int error;

	if (archive->now.heap)
		return 0;
	error = link_read_offers(archive);
	if (error)
		return error;
	archive->now.heap = link_allocate_array(link, archive->offer_count, sizeof(size_t));
	archive->later.heap = link_allocate_array(link, archive->offer_count, sizeof(size_t));
	return archive->now.heap && archive->later.heap ? 0 : -ENOMEM;
}

static int take(struct link *link, const char *root)
{
	struct link_private *private = link->private;
	int error = 0;

	for (struct link_archive *archive = private->archives; archive && !error;
	     archive = archive->following)
		error = link->whole_archives ? take_all(archive) : prepare(archive);
	link->unasked |= link->whole_archives;
	if (error || link->whole_archives)
		return error;
	if (!root && private->archives->first)
		error = begin_with(private->archives);
	if (!error)
		error = search_all(link);
	return error ? error : check_slim(link);
}

int link_choose(struct link *link, const char *root)
{
	const struct link_symbol *known;
	int error = 0;

	if (root)
		error = want_root(link, root);
	if (!error && link->private->archives)
		error = take(link, root);
	if (error || (link->objects && !root))
		return error;
	known = root ? link_find(link, root) : NULL;
	if (known)
		return known->defined ? 0 : fail_root(link, root);
	return link->private->archives ? fail_empty(link) : 0;
}
