/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Objects that mean harm, for test_elf.c and test_machines.c: bytes that are changed at random, mostly where headers
 * and tables are, and looking at all that a link hands out then.  The numbers are the same in every run.
 */
#ifndef TESTS_ELF_HARM_H
#define TESTS_ELF_HARM_H

#include "tests/elf/helper.h"

static uint64_t random_state;

static UNUSED uint64_t random_number(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static UNUSED unsigned int rounds(unsigned int some)
{
	const char *setting = getenv("PERMOD_LONG");

	return setting && *setting == '1' ? some * 100 : some;
}

/* Look at everything that a link hands out. */
static UNUSED void look_at(struct link *link)
{
	struct link_symbol *symbol = NULL;
	volatile size_t sum = 0;

	while ((symbol = link_next_defined(link, symbol)))
		sum += strlen(symbol->name) + link_symbol_address(link, symbol) +
		       link_code_address(link, symbol);
	for (struct link_object *object = link->objects; object;
	     object = link_object_next(object)) {
		struct link_section *section;

		sum += strlen(link_object_name(object));
		for (unsigned int i = 0; (symbol = link_object_symbol(object, i)); i++) {
			sum += strlen(symbol->name);
			section = symbol->section;
			if (section && section->region != LINK_NONE)
				check_that(symbol->value <= section->size + link->arch->code_bit);
		}
		for (unsigned int i = 0; (section = link_object_section(object, i)); i++) {
			sum += strlen(section->name);
			check_that(section->align && !(section->align & (section->align - 1)));
			if (section->region == LINK_NONE || section->discarded)
				continue;
			check_that(section->offset + section->size <=
				   link->part[section->region].size);
			for (uint64_t at = 0; section->data && at < section->size; at++)
				sum += section->data[at];
		}
	}
	(void)sum;
}

/* Read a file and lay it out, with what is missing at one of two places, and look at it, as far as it goes. */
static UNUSED int lay_out_harm(struct trial *trial, const struct file *file, const char *root,
			       uint64_t one, uint64_t other, struct link_interval *interval)
{
	struct link_symbol *symbol = NULL, *next;
	int error = link_add_memory(trial->link, "file", file->data, file->size, root);

	if (!error)
		error = link_layout(trial->link);
	if (error)
		return error;
	for (next = link_next_undefined(trial->link, NULL); (symbol = next);) {
		next = link_next_undefined(trial->link, symbol);
		link_define(symbol, random_number() % 2 ? one : other, random_number() % 2);
	}
	look_at(trial->link);
	return link_interval(trial->link, interval);
}

static const uint64_t nasty[] = {
	0,
	1,
	2,
	3,
	4,
	7,
	8,
	0x7f,
	0x80,
	0xff,
	0x100,
	0xfff,
	0x1000,
	0x7fff,
	0x8000,
	0xff00,
	0xfff1,
	0xfff2,
	0xffff,
	0x10000,
	0x7fffffff,
	0x80000000,
	0xffffffff,
	0xfffffff8,
	0x100000000,
	(uint64_t)1 << 62,
	(uint64_t)1 << 63,
	(uint64_t)-1,
	(uint64_t)-8,
	(uint64_t)-64,
};

/* Change a few fields, mostly where headers and tables are. */
static UNUSED void damage(unsigned char *data, size_t size)
{
	static const unsigned int widths[] = { 1, 1, 2, 4, 4, 8 };
	uint64_t count = 1 + random_number() % 4;

	while (count--) {
		size_t at = random_number() % size;
		unsigned int width = widths[random_number() % COUNT(widths)];
		uint64_t value = nasty[random_number() % COUNT(nasty)];

		switch (random_number() % 6) {
		case 0:
			value = random_number();
			break;
		case 1: /* something like it */
			value = data[at] + random_number() % 5 - 2;
			break;
		case 2:
			value = random_number() % (size + 2);
			break;
		}
		if (random_number() % 2)
			at = at / 8 * 8;
		if (random_number() % 8 == 0)
			at = random_number() % (size < 64 ? size : 64);
		for (unsigned int i = 0; i < width && at + i < size; i++)
			data[at + i] = (unsigned char)(value >> 8 * i);
	}
}

#endif
