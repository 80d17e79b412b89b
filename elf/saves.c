/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions that save and restore registers: compilers call them at the beginning and end of others to have
 * short code (-Os), and expect a copy in each linked file, as calls are not by the usual rules and can't go
 * by a stub.  For powerpc they are in libgcc.a, for ppc64 ld makes them.  Here they are made for both.
 *
 * A family has an entry for each register from which on all are saved or restored, one behind another:
 *
 *     _savegpr_30: stw %r30, -8(%r11)
 *     _savegpr_31: stw %r31, -4(%r11)
 *                  blr
 *
 * They make up the section of an object that is in no file, from the lowest entry on that is asked for.
 */
#include "elf/internal.h"

#include <stdio.h>

#define LAST 31
#define CODE_BYTES 4
#define NAME_BYTES 32

/* The symbol of an entry that is asked for, and that nobody has. */
static struct link_symbol *find_wanted(struct link *link, const struct link_saves *family,
				       unsigned int number)
{
	struct link_symbol *symbol;
	char name[NAME_BYTES];

	snprintf(name, sizeof(name), "%s%u%s", family->prefix, number, family->suffix);
	symbol = link_find(link, name);
	return symbol && !symbol->defined ? symbol : NULL;
}

/* The lowest register; LAST + 1 if no entry is asked for. */
static unsigned int find_lowest(struct link *link, const struct link_saves *family)
{
	unsigned int lowest = LAST + 1;

	for (unsigned int number = LAST; number >= family->first; number--) {
		if (find_wanted(link, family, number))
			lowest = number;
	}
	return lowest;
}

static size_t count_codes(const struct link_saves *family, unsigned int lowest)
{
	size_t count = (size_t)(LAST + 1 - lowest) * (family->before ? 2 : 1);

	if (lowest > LAST)
		return 0;
	for (size_t i = 0; i < LINK_SAVES_END && family->end[i]; i++)
		count++;
	return count;
}

static unsigned char *put(const struct link *link, unsigned char *at, uint32_t code)
{
	link_put(link->arch, at, CODE_BYTES, code);
	return at + CODE_BYTES;
}

/* Write a family, and say where its entries are. */
static int write_family(struct link_object *object, const struct link_saves *family,
			unsigned int lowest, unsigned char **at)
{
	struct link *link = object->link;
	int error = 0;

	for (unsigned int number = lowest; number <= LAST && !error; number++) {
		struct link_symbol *wanted = find_wanted(link, family, number);

		if (wanted) {
			const struct link_symbol said = {
				.name = wanted->name,
				.object = object,
				.section = &object->sections[1],
				.value = (uint64_t)(*at - object->sections[1].data),
				.type = STT_FUNC,
				.bind = STB_GLOBAL,
				.visibility = STV_HIDDEN,
				.defined = true,
			};

			error = link_enter_name(link, &said,
						&object->symbols[object->symbol_count++]);
		}
		if (family->before)
			*at = put(link, *at,
				  family->before - (LAST - number) * family->before_step);
		*at = put(link, *at, family->code - (LAST - number) * family->step);
	}
	for (size_t i = 0; i < LINK_SAVES_END && lowest <= LAST && family->end[i]; i++)
		*at = put(link, *at, family->end[i]);
	return error;
}

static struct link_object *make_object(struct link *link, size_t codes)
{
	struct link_object *object = link_allocate(link, sizeof(*object));
	struct link_symbol *null = link_allocate(link, sizeof(*null));

	if (!object || !null)
		return NULL;
	*null = (struct link_symbol){ .name = "", .object = object, .defined = true };
	object->link = link;
	object->name = "functions that save and restore registers";
	object->section_count = 2;
	object->sections = link_allocate_array(link, 2, sizeof(*object->sections));
	object->symbols = link_allocate_array(link, 1 + codes, sizeof(*object->symbols));
	if (!object->sections || !object->symbols)
		return NULL;
	object->symbols[0] = null;
	object->symbol_count = object->local_count = 1;
	object->sections[0] = (struct link_section){ .object = object, .name = "", .align = 1 };
	object->sections[0].region = LINK_NONE;
	object->sections[1] = (struct link_section){
		.object = object,
		.name = ".text.saves",
		.index = 1,
		.type = SHT_PROGBITS,
		.flags = SHF_ALLOC | SHF_EXECINSTR,
		.size = codes * CODE_BYTES,
		.align = CODE_BYTES,
		.data = link_allocate(link, codes * CODE_BYTES),
		.region = LINK_TEXT,
	};
	return object->sections[1].data ? object : NULL;
}

int link_add_saves(struct link *link)
{
	const struct link_saves *families = link->arch->saves;
	struct link_object *object;
	unsigned char *at;
	size_t codes = 0;
	int error = 0;

	for (const struct link_saves *family = families; family && family->prefix; family++)
		codes += count_codes(family, find_lowest(link, family));
	if (!codes)
		return 0;
	object = make_object(link, codes);
	if (!object)
		return -ENOMEM;
	at = (unsigned char *)(uintptr_t)object->sections[1].data;
	for (const struct link_saves *family = families; family->prefix && !error; family++)
		error = write_family(object, family, find_lowest(link, family), &at);
	link_append_object(object);
	return error;
}
