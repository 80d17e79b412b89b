/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Symbols: the tables of names, and who defines what.
 *
 * A global name has one struct link_symbol in the whole link, and it is settled object by object:
 * what the next one says either replaces what is known or doesn't.
 *
 *     known \ next     undefined   weak      COMMON       strong
 *     undefined        -           replace   replace      replace
 *     weak             -           -         replace      replace
 *     COMMON           -           -         the larger   replace
 *     strong           -           -         -            error
 *
 * Definitions in discarded sections count as undefined.  Of visibilities the most constraining one
 * wins, whoever says it.  Local symbols stay their object's own.
 */
#include "elf/internal.h"

#define LEAST_SLOTS ((size_t)64)

/* ---- Tables of names ------------------------------------------------------------------------ */

/* Up to 8 bytes as a number. */
static uint64_t get_bytes(const char *bytes, size_t size)
{
	uint64_t value = 0;
	uint32_t low, high;

	if (size == sizeof(value)) {
		memcpy(&value, bytes, sizeof(value));
	} else if (size >= sizeof(low)) {
		memcpy(&low, bytes, sizeof(low));
		memcpy(&high, bytes + size - sizeof(high), sizeof(high));
		value = (uint64_t)high << 32 | low;
	} else if (size) {
		value = (uint64_t)(unsigned char)bytes[0] << 16 |
			(uint64_t)(unsigned char)bytes[size / 2] << 8 |
			(unsigned char)bytes[size - 1];
	}
	return value;
}

/* Whatever two values differ in, it depends on all bits of `hash` what becomes of that. */
static uint64_t mix(uint64_t hash, uint64_t value)
{
	uint64_t mixed = hash ^ value;

	return (mixed >> 32 | mixed << 32) + (uint64_t)(uint32_t)mixed * (mixed >> 32 | 1);
}

/* Begun with a number that whoever makes a file can't know: so no file can have all its names in one
 * slot. */
static uint64_t hash_name(const struct link_names *names, const char *name, size_t size)
{
	uint64_t hash = ((uintptr_t)names ^ size) * 0x9e3779b97f4a7c15;

	for (; size > sizeof(hash); name += sizeof(hash), size -= sizeof(hash))
		hash = mix(hash, get_bytes(name, sizeof(hash)));
	hash = mix(hash, get_bytes(name, size));
	return mix(hash, hash >> 29);
}

static struct link_name *name_of(struct link_symbol *symbol)
{
	return (struct link_name *)symbol;
}

/* The name's slot, or the free one where it would be; NULL if there are no slots at all. */
static struct link_slot *find_slot(const struct link_names *names, const char *name, uint64_t hash)
{
	size_t last = names->size - 1;
	struct link_slot *slot;

	if (!names->size)
		return NULL;
	for (size_t i = (size_t)hash & last;; i = (i + 1) & last) {
		slot = &names->slots[i];
		if (!slot->name || (slot->hash == hash && !strcmp(slot->name->symbol.name, name)))
			return slot;
	}
}

struct link_symbol *link_find_name(const struct link_names *names, const char *name)
{
	const struct link_slot *slot = find_slot(names, name, hash_name(names, name, strlen(name)));

	return slot && slot->name ? &slot->name->symbol : NULL;
}

static int grow(struct link *link, struct link_names *names)
{
	struct link_slot *old = names->slots;
	size_t old_size = names->size, last;

	names->size = old_size ? old_size * 4 : LEAST_SLOTS;
	last = names->size - 1;
	names->slots = link_allocate_array(link, names->size, sizeof(*old));
	if (!names->slots) {
		names->slots = old;
		names->size = old_size;
		return -ENOMEM;
	}
	/* The old ones go with the link. */
	for (size_t i = 0; i < old_size; i++) {
		size_t place = (size_t)old[i].hash & last;

		if (!old[i].name)
			continue;
		while (names->slots[place].name)
			place = (place + 1) & last;
		names->slots[place] = old[i];
	}
	return 0;
}

struct link_name *link_intern(struct link *link, struct link_names *names, const char *name,
			      bool *added)
{
	uint64_t hash = hash_name(names, name, strlen(name));
	struct link_slot *slot = find_slot(names, name, hash);
	struct link_name *entry;

	*added = !slot || !slot->name;
	if (!*added)
		return slot->name;
	if (2 * names->count >= names->size) {
		if (grow(link, names))
			return NULL;
		slot = find_slot(names, name, hash);
	}
	entry = link_allocate(link, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->symbol.name = name;
	*slot = (struct link_slot){ entry, hash };
	if (names->last)
		names->last->following = entry;
	else
		names->first = entry;
	names->last = entry;
	names->count++;
	return entry;
}

struct link_symbol *link_find(struct link *link, const char *name)
{
	return link_find_name(&link->private->globals, name);
}

/* ---- Settling ------------------------------------------------------------------------------- */

bool link_is_common_symbol(const struct link_symbol *symbol)
{
	const struct link_private *private;

	/* A root has no object until somebody defines it. */
	if (!symbol->section)
		return false;
	private = symbol->object->link->private;
	return symbol->section == &private->common || symbol->section == &private->tls_common;
}

/* What an object says of a symbol; for COMMON `value` is the alignment. */
static void read_symbol(struct link_object *object, size_t index, struct link_symbol *said)
{
	Elf64_Sym entry;
	uint32_t number;
	uint64_t begin;

	link_get_symbol(object, index, &entry, &number);
	said->name = object->strings + entry.st_name;
	said->object = object;
	said->value = entry.st_value;
	said->size = entry.st_size;
	said->type = ELF64_ST_TYPE(entry.st_info);
	said->bind = ELF64_ST_BIND(entry.st_info);
	said->visibility = ELF64_ST_VISIBILITY(entry.st_other);
	said->other = entry.st_other;
	said->section = NULL;
	said->defined = entry.st_shndx != SHN_UNDEF;
	if (link_is_common(object->link, entry.st_shndx))
		said->section = said->type == STT_TLS ? &object->link->private->tls_common
						      : &object->link->private->common;
	else if (said->defined && entry.st_shndx != SHN_ABS)
		said->section = &object->sections[number];
	if (!said->defined)
		said->value = 0;
	/* "other = name + 4" in assembler gives the other symbol the size of the first. */
	begin = link_code_value(object->link, said->type, said->value);
	if (said->section && said->section->region < LINK_REGIONS &&
	    said->size > said->section->size - begin && !link_is_common_symbol(said))
		said->size = said->section->size - begin;
}

/* How much a definition counts; the greater replaces the lesser. */
static int weight(const struct link_symbol *symbol)
{
	if (!symbol->defined)
		return 0;
	if (symbol->bind == STB_WEAK)
		return 1;
	return link_is_common_symbol(symbol) ? 2 : 3;
}

static void merge_common(struct link_symbol *known, const struct link_symbol *next)
{
	if (known->size < next->size)
		known->size = next->size;
	if (known->value < next->value)
		known->value = next->value;
}

static void merge_visibility(struct link_symbol *known, uint8_t visibility)
{
	/* STV_INTERNAL is 1, STV_HIDDEN 2, STV_PROTECTED 3: but for the default, less is more. */
	if (visibility != STV_DEFAULT &&
	    (known->visibility == STV_DEFAULT || visibility < known->visibility))
		known->visibility = visibility;
}

/* The name is the same, but in the object that defines it. */
static void replace(struct link_symbol *known, const struct link_symbol *next)
{
	known->name = next->name;
	known->object = next->object;
	known->section = next->section;
	known->value = next->value;
	known->size = next->size;
	known->type = next->type;
	known->bind = next->bind;
	known->other = next->other;
	known->defined = next->defined;
}

/* What was undefined and weak is now something that a member of an archive may be wanted for. */
static void upgrade(struct link *link, struct link_name *name)
{
	struct link_names *globals = &link->private->globals;

	name->upgraded = globals->upgraded;
	globals->upgraded = name;
}

/* A reference that is not weak makes the symbol one that must be there. */
static void strengthen(struct link *link, struct link_name *name, const struct link_symbol *next)
{
	if (name->symbol.bind != STB_WEAK || next->bind == STB_WEAK)
		return;
	name->symbol.bind = next->bind;
	upgrade(link, name);
}

/* One place can have a name twice: with a version, and without.  Absolute ones that are equal do no
 * harm, as headers for assemblers have them. */
static bool is_same_place(const struct link_symbol *known, const struct link_symbol *next)
{
	return known->section == next->section && known->value == next->value;
}

static int merge(struct link *link, struct link_name *name, const struct link_symbol *next)
{
	struct link_symbol *known = &name->symbol;
	int known_weight = weight(known), next_weight = weight(next);

	merge_visibility(known, next->visibility);
	if (known_weight == 3 && next_weight == 3 && !is_same_place(known, next))
		return link_fail(
			link, -EEXIST,
			"%s: symbol %s: defined already in %s; rename one of them or make it "
			"static",
			next->object->name, known->name, known->object->name);
	if (known_weight == 2 && next_weight == 2)
		merge_common(known, next);
	else if (next_weight > known_weight) {
		if (!known_weight && known->bind == STB_WEAK && next_weight == 2)
			upgrade(link, name);
		replace(known, next);
	} else if (!known_weight)
		strengthen(link, name, next);
	return 0;
}

int link_fail_slim(struct link *link, const char *name)
{
	return link_fail(link, -ENOEXEC,
			 "%s: there is no machine code in it, only what GCC needs to optimise at "
			 "link time; compile without -flto or with -ffat-lto-objects, or link it "
			 "first, by gcc -flto -r -flinker-output=nolto-rel",
			 name);
}

int link_enter_name(struct link *link, const struct link_symbol *said, struct link_symbol **known)
{
	bool added;
	struct link_name *name = link_intern(link, &link->private->globals, said->name, &added);

	if (!name)
		return -ENOMEM;
	*known = &name->symbol;
	if (!added)
		return link_pass(link, merge(link, name, said));
	replace(&name->symbol, said);
	name->symbol.visibility = said->visibility;
	return 0;
}

static int enter_global(struct link_object *object, size_t index)
{
	struct link *link = object->link;
	struct link_symbol next = { 0 };
	int error;

	read_symbol(object, index, &next);
	if (link->arch->not_a_symbol && next.type == link->arch->not_a_symbol) {
		object->symbols[index] = object->symbols[0];
		return 0;
	}
	if (next.section && next.section->discarded) {
		next.section = NULL;
		next.value = 0;
		next.defined = false;
	}
	if (!*next.name)
		return link_fail(link, -ENOEXEC, "%s: section %s: global symbol %zu has no name",
				 object->name, object->sections[object->symbol_section].name,
				 index);
	if (!strcmp(next.name, "__gnu_lto_slim"))
		return link_fail_slim(link, object->name);
	if (link_count_name(object, next.name))
		return -ENOEXEC;
	error = link_enter_name(link, &next, &object->symbols[index]);
	if (error || !next.defined)
		return error;
	return link_enter_versions(link, &next);
}

static int enter_local(struct link_object *object, size_t index, struct link_symbol *symbol)
{
	read_symbol(object, index, symbol);
	if (symbol->type == STT_SECTION && symbol->section)
		symbol->name = symbol->section->name;
	object->symbols[index] = symbol;
	return link_count_name(object, symbol->name);
}

static int enter_symbols(struct link_object *object)
{
	struct link_symbol *locals;
	int error = 0;

	/* Relocations without a symbol name number 0, even where there is no symbol table. */
	if (!object->symbol_count)
		object->symbol_count = object->local_count = 1;
	object->symbols = link_allocate_array(object->link, object->symbol_count,
					      sizeof(struct link_symbol *));
	locals = link_allocate_array(object->link, object->local_count, sizeof(*locals));
	if (!object->symbols || !locals)
		return -ENOMEM;
	/* Number 0 is the value 0, and nothing that anybody could define. */
	locals[0] = (struct link_symbol){ .name = "", .object = object, .defined = true };
	object->symbols[0] = &locals[0];
	for (size_t i = 1; i < object->symbol_count && !error; i++)
		error = i < object->local_count ? enter_local(object, i, &locals[i])
						: enter_global(object, i);
	return error;
}

void link_append_object(struct link_object *object)
{
	struct link_private *private = object->link->private;

	if (private->last)
	private->last->next = object;
	else object->link->objects = object;
	private->last = object;
}

int link_enter_object(struct link_object *object)
{
	int error = link_enter_groups(object);

	if (!error)
		error = enter_symbols(object);
	if (!error)
		error = link_read_tables(object);
	if (!error)
		link_append_object(object);
	return error;
}

const char *link_symbol_word(const struct link_symbol *symbol)
{
	return symbol->type == STT_SECTION ? "section" : "symbol";
}

size_t link_most_symbols(const struct link *link)
{
	size_t most = 0;

	for (const struct link_object *object = link->objects; object; object = object->next) {
		if (most < object->symbol_count)
			most = object->symbol_count;
	}
	return most;
}

/* ---- Going through them --------------------------------------------------------------------- */

static struct link_name *name_after(struct link *link, struct link_symbol *previous)
{
	return previous ? name_of(previous)->following : link->private->globals.first;
}

struct link_symbol *link_next_undefined(struct link *link, struct link_symbol *previous)
{
	struct link_name *name = name_after(link, previous);

	while (name && (name->symbol.defined || !name->symbol.needed))
		name = name->following;
	return name ? &name->symbol : NULL;
}

struct link_symbol *link_next_defined(struct link *link, struct link_symbol *previous)
{
	const struct link_section *cells = &link->private->cell, *got = &link->private->got;
	struct link_name *name = name_after(link, previous);

	while (name && (!name->symbol.defined || name->symbol.external ||
			name->symbol.section == cells || name->symbol.section == got ||
			(name->symbol.section && name->symbol.section->discarded)))
		name = name->following;
	return name ? &name->symbol : NULL;
}

void link_define(struct link_symbol *symbol, uint64_t address, bool function)
{
	symbol->section = NULL;
	symbol->value = address;
	symbol->defined = true;
	symbol->external = true;
	symbol->function = function;
}
