/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Exported symbols: a hash table for each context, of its modules and of what permod_export() was
 * given; and one for the program, of its EXPORT_SYMBOL() lines, which all contexts see.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 64
#define PROGRAM_BUCKETS 256U

/* FNV-1a. */
uint32_t hash_name(const char *name)
{
	uint32_t hash = 2166136261U;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619U;
	return hash;
}

const char *export_space(const struct permod_export *export)
{
	return export->flags & PERMOD_EXPORT_NAMESPACE ? export->name + strlen(export->name) + 1
						       : NULL;
}

static struct export **bucket_of(const struct export_table *table, uint32_t hash)
{
	return &table->bucket[hash & (table->size - 1)];
}

struct export *find_export(const struct export_table *table, const char *name)
{
	uint32_t hash = hash_name(name);
	struct export *export;

	if (!table->size)
		return NULL;
	for (export = *bucket_of(table, hash); export; export = export->next) {
		if (export->hash == hash && strcmp(export->name, name) == 0)
			return export;
	}
	return NULL;
}

static void insert(struct export_table *table, struct export *export)
{
	struct export **bucket = bucket_of(table, export->hash);

	export->next = *bucket;
	*bucket = export;
}

int reserve_exports(struct export_table *table, size_t count)
{
	struct export_table larger = { NULL, table->size ? table->size : FIRST_SIZE, table->count };

	while (larger.size < table->count + count)
		larger.size *= 2;
	if (larger.size == table->size)
		return 0;
	larger.bucket = calloc(larger.size, sizeof(struct export *));
	if (!larger.bucket)
		return -ENOMEM;
	for (size_t i = 0; i < table->size; i++) {
		while (table->bucket[i]) {
			struct export *export = table->bucket[i];

			table->bucket[i] = export->next;
			insert(&larger, export);
		}
	}
	free(table->bucket);
	*table = larger;
	return 0;
}

void add_export(struct export_table *table, struct export *export)
{
	export->hash = hash_name(export->name);
	insert(table, export);
	table->count++;
}

void remove_export(struct export_table *table, struct export *export)
{
	struct export **link = bucket_of(table, export->hash);

	while (*link != export)
		link = &(*link)->next;
	*link = export->next;
	table->count--;
}

/* ---- The host's, by call -------------------------------------------------------------------- */

/* Add all, or none. */
static int add_all(struct permod *pm, struct host_exports *added)
{
	for (size_t i = 0; i < added->count; i++) {
		struct export *export = &added->export[i];

		if (!find_export(&pm->exports, export->name)) {
			add_export(&pm->exports, export);
			continue;
		}
		fail(pm, -EEXIST, "permod_export(): %s is exported already", export->name);
		while (i-- > 0)
			remove_export(&pm->exports, &added->export[i]);
		return -EEXIST;
	}
	return 0;
}

static int export_copies(struct permod *pm, const struct permod_export *exports, size_t count)
{
	struct host_exports *added;
	size_t size;
	int error;

	if (__builtin_mul_overflow(count, sizeof(added->export[0]), &size) ||
	    __builtin_add_overflow(size, sizeof(*added), &size))
		return fail_memory(pm);
	if (reserve_exports(&pm->exports, count))
		return fail_memory(pm);
	added = malloc(size);
	if (!added)
		return fail_memory(pm);
	added->count = count;
	for (size_t i = 0; i < count; i++)
		added->export[i] =
			(struct export){ .name = exports[i].name,
					 .address = pcpu_image_cookie(exports[i].address),
					 .space = export_space(&exports[i]),
					 .flags = exports[i].flags };
	error = add_all(pm, added);
	if (error) {
		free(added);
		return error;
	}
	added->next = pm->host_exports;
	pm->host_exports = added;
	return 0;
}

int permod_export(struct permod *pm, const struct permod_export *exports, size_t count)
{
	const unsigned long host_flags = PERMOD_EXPORT_GPL | PERMOD_EXPORT_NAMESPACE;
	int error = 0;

	lock_context(pm);
	for (size_t i = 0; i < count && !error; i++) {
		if (!exports[i].name || !*exports[i].name || exports[i].flags & ~host_flags)
			error = fail(pm, -EINVAL,
				     "permod_export(): entry %zu has no name, or flags that this "
				     "version does not know (%#lx)",
				     i, exports[i].flags);
	}
	if (!error && count)
		error = export_copies(pm, exports, count);
	unlock_context(pm);
	return error;
}

/* ---- The program's, by EXPORT_SYMBOL() ------------------------------------------------------ */

/* By hash; there may be no memory yet when a program's constructors add to it. */
static struct permod_host_export *program_exports[PROGRAM_BUCKETS];

static struct permod_host_export **program_bucket(const char *name)
{
	return &program_exports[hash_name(name) % PROGRAM_BUCKETS];
}

void permod_host_export(struct permod_host_export *node)
{
	struct permod_host_export **bucket = program_bucket(node->symbol.name);

	lock_shared();
	node->next = *bucket;
	__atomic_store_n(bucket, node, __ATOMIC_RELEASE);
	unlock_shared();
}

void permod_host_unexport(struct permod_host_export *node)
{
	struct permod_host_export **link = program_bucket(node->symbol.name);

	lock_shared();
	while (*link && *link != node)
		link = &(*link)->next;
	if (*link)
		__atomic_store_n(link, node->next, __ATOMIC_RELEASE);
	unlock_shared();
}

bool find_program_export(const char *name, struct permod_export *found)
{
	struct permod_host_export **bucket = program_bucket(name);
	const struct permod_host_export *node;

	/* Most loads are done without the lock. */
	if (!__atomic_load_n(bucket, __ATOMIC_ACQUIRE))
		return false;
	lock_shared();
	for (node = *bucket; node && strcmp(node->symbol.name, name) != 0;)
		node = node->next;
	if (node)
		*found = node->symbol;
	unlock_shared();
	return node != NULL;
}

void each_program_export(void (*call)(void *arg, const char *name), void *arg)
{
	lock_shared();
	for (size_t i = 0; i < PROGRAM_BUCKETS; i++) {
		for (const struct permod_host_export *node = program_exports[i]; node;
		     node = node->next)
			call(arg, node->symbol.name);
	}
	unlock_shared();
}
