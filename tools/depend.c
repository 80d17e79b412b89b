/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * --module-dir: modules by their bare names, and with each of them those that it needs.
 *
 * A file needs another one if it lacks a symbol that neither the program nor a loaded module has,
 * and that other file of the folder exports it.  Which file exports what is found out when the
 * first symbol is missed, by looking into all of them once.
 *
 * What nobody has is left to the loader, which knows what is weak and says which symbols it misses.
 */
#define _GNU_SOURCE
#include "tool.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Endings of module files; of two files with the same name the one whose ending is first counts. */
static const char *const endings[] = { ".ko", ".o", ".a" };

#define NUM_ENDINGS (sizeof(endings) / sizeof(endings[0]))

struct entry {
	char *path;
	char *name; /* as module_name() */
	size_t ending;
};

/* An exported symbol, and which file has it. */
struct provider {
	char *symbol;
	const char *path;
};

struct module_dir {
	const char *path;
	struct entry *entries; /* by name */
	size_t num_entries;
	bool indexed;
	struct provider *providers; /* by symbol; filled when the first is looked for */
	size_t num_providers;
};

/* A file that is to be loaded, and for whose sake. */
struct chain {
	const char *path;
	const char *name;
	const struct chain *user;
};

/* ---- The folder ----------------------------------------------------------------------------- */

static void free_entry(struct entry *entry)
{
	free(entry->path);
	free(entry->name);
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *first = a, *second = b;
	int order = strcmp(first->name, second->name);

	if (order == 0)
		order = (first->ending > second->ending) - (first->ending < second->ending);
	return order ? order : strcmp(first->path, second->path);
}

static void add_entry(struct module_dir *dir, const char *file)
{
	char *plain = format_text("%.*s", (int)(strlen(file) - compression_ending(file)), file);
	const char *dot = strrchr(plain, '.');
	size_t ending = 0;
	struct stat about;
	bool named;
	char *path;

	while (dot && ending < NUM_ENDINGS && strcmp(dot, endings[ending]) != 0)
		ending++;
	named = dot && dot != plain && ending < NUM_ENDINGS;
	free(plain);
	if (!named)
		return;
	path = format_text("%s/%s", dir->path, file);
	/* What is no file, a named pipe say, is not looked into. */
	if (stat(path, &about) || !S_ISREG(about.st_mode)) {
		free(path);
		return;
	}
	dir->entries = reallocate(dir->entries, dir->num_entries + 1, sizeof(*dir->entries));
	dir->entries[dir->num_entries++] = (struct entry){ path, module_name(file), ending };
}

/* Of entries with the same name keep the first. */
static void drop_doubles(struct module_dir *dir)
{
	size_t kept = 0;

	for (size_t i = 0; i < dir->num_entries; i++) {
		if (kept && strcmp(dir->entries[kept - 1].name, dir->entries[i].name) == 0)
			free_entry(&dir->entries[i]);
		else
			dir->entries[kept++] = dir->entries[i];
	}
	dir->num_entries = kept;
}

struct module_dir *open_module_dir(const char *path)
{
	struct module_dir *dir = allocate(1, sizeof(*dir));
	struct dirent *file;
	DIR *stream = opendir(path);

	if (!stream) {
		complain("%s: %s", path, strerror(errno));
		free(dir);
		return NULL;
	}
	dir->path = path;
	while ((file = readdir(stream)))
		add_entry(dir, file->d_name);
	closedir(stream);
	if (dir->num_entries > 0)
		qsort(dir->entries, dir->num_entries, sizeof(*dir->entries), compare_entries);
	drop_doubles(dir);
	return dir;
}

void close_module_dir(struct module_dir *dir)
{
	if (!dir)
		return;
	for (size_t i = 0; i < dir->num_providers; i++)
		free(dir->providers[i].symbol);
	free(dir->providers);
	for (size_t i = 0; i < dir->num_entries; i++)
		free_entry(&dir->entries[i]);
	free(dir->entries);
	free(dir);
}

const char *module_dir_path(const struct module_dir *dir)
{
	return dir->path;
}

const char *find_module(const struct module_dir *dir, const char *name)
{
	/* The name may have a dot that begins no ending. */
	char *file_name = format_text("%s.ko", name);
	char *wanted = module_name(file_name);
	const char *found = NULL;

	for (size_t i = 0; i < dir->num_entries && !found; i++) {
		const struct entry *entry = &dir->entries[i];

		if (strcmp(entry->name, wanted) == 0 ||
		    strcmp(strrchr(entry->path, '/') + 1, name) == 0)
			found = entry->path;
	}
	free(wanted);
	free(file_name);
	return found;
}

/* ---- Who has a symbol ----------------------------------------------------------------------- */

static int compare_providers(const void *a, const void *b)
{
	const struct provider *first = a, *second = b;
	int order = strcmp(first->symbol, second->symbol);

	return order ? order : strcmp(first->path, second->path);
}

/* Files that can't be read are no modules. */
static void index_file(struct module_dir *dir, struct permod *pm, const char *path)
{
	struct permod_file *file;
	const char *symbol;

	if (permod_file_open(pm, path, &file))
		return;
	for (unsigned int i = 0; (symbol = permod_file_export(file, i, NULL)); i++) {
		dir->providers =
			reallocate(dir->providers, dir->num_providers + 1, sizeof(*dir->providers));
		dir->providers[dir->num_providers++] =
			(struct provider){ format_text("%s", symbol), path };
	}
	permod_file_close(file);
}

static void index_folder(struct module_dir *dir, struct permod *pm)
{
	dir->indexed = true;
	for (size_t i = 0; i < dir->num_entries; i++)
		index_file(dir, pm, dir->entries[i].path);
	if (dir->num_providers > 0)
		qsort(dir->providers, dir->num_providers, sizeof(*dir->providers),
		      compare_providers);
}

/* The first of a symbol's providers, and how many there are. */
static const struct provider *find_providers(const struct module_dir *dir, const char *symbol,
					     size_t *count)
{
	size_t low = 0, high = dir->num_providers;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(dir->providers[middle].symbol, symbol) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*count = 0;
	while (low + *count < dir->num_providers &&
	       strcmp(dir->providers[low + *count].symbol, symbol) == 0)
		++*count;
	return &dir->providers[low];
}

static bool file_exports(const struct permod_file *file, const char *symbol)
{
	const char *name;

	for (unsigned int i = 0; file && (name = permod_file_export(file, i, NULL)); i++) {
		if (strcmp(name, symbol) == 0)
			return true;
	}
	return false;
}

static bool is_there(const struct session *session, const char *symbol)
{
	/* A symbol's value may be NULL; then there is no message. */
	dlerror();
	if (dlsym(RTLD_DEFAULT, symbol) || !dlerror())
		return true;
	for (size_t i = 0; i < session->num_loaded; i++) {
		if (file_exports(session->loaded[i].file, symbol))
			return true;
	}
	return false;
}

/* ---- Loading -------------------------------------------------------------------------------- */

static enum status load_link(struct session *session, const struct chain *link,
			     const struct parts *parts, const char *params);

/* "a -> b -> a", from the outermost to @link. */
static void append_chain(char **text, const struct chain *link)
{
	if (link->user) {
		append_chain(text, link->user);
		append_text(text, " -> ");
	}
	append_text(text, "%s", link->name);
}

static bool closes_circle(const struct chain *link)
{
	for (const struct chain *user = link->user; user; user = user->user) {
		if (strcmp(user->name, link->name) == 0)
			return true;
	}
	return false;
}

static enum status load_for(struct session *session, const char *path, const struct chain *user)
{
	char *name = module_name(path), *circle = NULL;
	struct parts parts = { &path, 1, NULL, 0 };
	struct chain link = { path, name, user };
	enum status status = STATUS_FAILED;

	if (closes_circle(&link)) {
		append_chain(&circle, &link);
		complain("%s: modules need each other: %s", user->path, circle);
	} else {
		status = load_link(session, &link, &parts, NULL);
	}
	free(circle);
	free(name);
	return status;
}

/* Load the file that has a symbol; *note collects those that nobody has. */
static enum status load_provider(struct session *session, const struct chain *user,
				 const char *symbol, char **note)
{
	const struct provider *provider;
	size_t count;

	if (!session->dir->indexed)
		index_folder(session->dir, session->pm);
	provider = find_providers(session->dir, symbol, &count);
	if (count == 1)
		return load_for(session, provider->path, user);
	if (count > 1) {
		complain("%s: %s is exported by %s and by %s; give the one to use as a MODULE "
			 "before this one",
			 user->path, symbol, provider[0].path, provider[1].path);
		return STATUS_FAILED;
	}
	if (*note)
		append_text(note, ", %s", symbol);
	else
		append_text(note, "; no module in %s exports %s", session->dir->path, symbol);
	return STATUS_DONE;
}

static enum status load_needs(struct session *session, const struct chain *link,
			      const struct permod_file *file, char **note)
{
	const char *symbol;

	for (unsigned int i = 0; (symbol = permod_file_undefined(file, i)); i++) {
		enum status status;

		if (is_there(session, symbol))
			continue;
		status = load_provider(session, link, symbol, note);
		if (status != STATUS_DONE)
			return status;
	}
	return STATUS_DONE;
}

static enum status load_link(struct session *session, const struct chain *link,
			     const struct parts *parts, const char *params)
{
	struct permod_file *file;
	enum status status;
	char *note = NULL;

	if (permod_file_open_files(session->pm, parts->paths, parts->count, parts->root,
				   parts->flags, &file)) {
		complain("%s", permod_error(session->pm));
		return STATUS_FAILED;
	}
	status = load_needs(session, link, file, &note);
	permod_file_close(file);
	if (status == STATUS_DONE)
		status = load_parts(session, parts, params, note);
	free(note);
	return status;
}

enum status load_with_needs(struct session *session, const struct parts *parts, const char *params)
{
	char *name = module_name(parts->paths[0]);
	struct chain link = { parts->paths[0], name, NULL };
	enum status status = load_link(session, &link, parts, params);

	free(name);
	return status;
}
