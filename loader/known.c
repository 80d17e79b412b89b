/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the dynamic linker said: a context remembers symbols that it was asked for, as long as no
 * library comes or goes.  To look one up costs a microsecond, and to find out whether it is a
 * function can cost more than the rest of a load.
 *
 * A symbol that nobody has is not remembered: a library that is there can become global.
 *
 * The dynamic linker's list of libraries has a lock that the child of a fork may find taken for ever
 * (glibc 2.36): so nobody here walks it but under the lock that is held over forks.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>

/* Then all are forgotten: whoever makes up names must not fill memory. */
#define MOST_KNOWN 65536U
#define FIRST_SIZE 64U

void each_image(int (*visit)(struct dl_phdr_info *image, size_t size, void *arg), void *arg)
{
	lock_shared();
	dl_iterate_phdr(visit, arg);
	unlock_shared();
}

static int count_changes(struct dl_phdr_info *image, size_t size, void *arg)
{
	unsigned long long *changes = arg;

	(void)size;
	*changes = image->dlpi_adds + image->dlpi_subs;
	return 1;
}

static unsigned long long image_changes(void)
{
	unsigned long long changes = 0;

	each_image(count_changes, &changes);
	return changes;
}

void forget_known(struct known_table *table)
{
	for (size_t i = 0; i < table->size; i++) {
		for (struct known *known = table->bucket[i], *next; known; known = next) {
			next = known->next;
			free(known);
		}
	}
	free(table->bucket);
	*table = (struct known_table){ 0 };
}

void check_known(struct known_table *table)
{
	unsigned long long changes = image_changes();

	if (changes != table->changes)
		forget_known(table);
	table->changes = changes;
}

struct known *find_known(const struct known_table *table, const char *name)
{
	uint32_t hash = hash_name(name);
	struct known *known;

	if (!table->size)
		return NULL;
	known = table->bucket[hash & (table->size - 1)];
	while (known && (known->hash != hash || strcmp(known->name, name) != 0))
		known = known->next;
	return known;
}

static void insert(struct known_table *table, struct known *known)
{
	struct known **bucket = &table->bucket[known->hash & (table->size - 1)];

	known->next = *bucket;
	*bucket = known;
}

static bool make_room(struct known_table *table)
{
	struct known_table larger = *table;

	if (table->count < table->size)
		return true;
	larger.size = table->size ? table->size * 4 : FIRST_SIZE;
	larger.bucket = calloc(larger.size, sizeof(struct known *));
	if (!larger.bucket)
		return false;
	for (size_t i = 0; i < table->size; i++) {
		for (struct known *known = table->bucket[i], *next; known; known = next) {
			next = known->next;
			insert(&larger, known);
		}
	}
	free(table->bucket);
	*table = larger;
	return true;
}

struct known *remember(struct known_table *table, const char *name, uintptr_t address)
{
	unsigned long long changes = table->changes;
	size_t size = strlen(name) + 1;
	struct known *known;

	if (table->count >= MOST_KNOWN) {
		forget_known(table);
		table->changes = changes;
	}
	known = make_room(table) ? malloc(sizeof(*known) + size) : NULL;
	if (!known)
		return NULL;
	known->hash = hash_name(name);
	known->address = address;
	known->function = -1;
	memcpy(known->name, name, size);
	insert(table, known);
	table->count++;
	return known;
}
