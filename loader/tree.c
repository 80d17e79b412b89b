/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Module trees, read by libkmod: names and aliases, dependencies, soft dependencies, blacklists, options.
 *
 * A tree is opened for each question and closed again, so that an answer is never older than the
 * tree.  What libkmod is to read is checked before (index.c), as it checks nothing itself.
 *
 * Nothing of the system's comes in.  libkmod is given a folder and settings each time, and what it
 * takes from the kernel's command line without being asked is left out again: it puts that behind
 * everything else, and a second context, without any settings, tells how much it is.
 */
#define _GNU_SOURCE
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libkmod.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Distributions have libkmod as a shared library only: what is made of the archive of this one shall link
 * without it, too. */
#ifndef PIC
#pragma weak kmod_config_get_blacklists
#pragma weak kmod_config_get_options
#pragma weak kmod_config_iter_free_iter
#pragma weak kmod_config_iter_get_key
#pragma weak kmod_config_iter_get_value
#pragma weak kmod_config_iter_next
#pragma weak kmod_list_next
#pragma weak kmod_module_get_dependencies
#pragma weak kmod_module_get_install_commands
#pragma weak kmod_module_get_module
#pragma weak kmod_module_get_name
#pragma weak kmod_module_get_path
#pragma weak kmod_module_get_softdeps
#pragma weak kmod_module_new_from_lookup
#pragma weak kmod_module_unref
#pragma weak kmod_module_unref_list
#pragma weak kmod_new
#pragma weak kmod_set_log_fn
#pragma weak kmod_unref
#define HAS_LIBKMOD (kmod_new != NULL)
#else
#define HAS_LIBKMOD true
#endif

/* Soft dependencies of soft dependencies and so on: modules.dep itself has all that a module needs. */
#define MOST_LEVELS 100U

struct tree {
	struct permod *pm;
	struct permod_steps *steps;
	unsigned int flags;
	char *folder;	    /* that has modules.dep */
	char *dependencies; /* modules.dep.bin */
	size_t dependencies_size;
	struct kmod_ctx *kmod;
	size_t num_options, num_blacklists; /* that are ours to respect */
};

/* A module on its way into the list, and for whose sake. */
struct visit {
	const struct visit *user;
	size_t step;
	const char *name;
	bool soft;     /* the user only wishes for it */
	bool optional; /* so does somebody further up */
	unsigned int level;
};

/* ---- Files ---------------------------------------------------------------------------------- */

static int fail_errno(struct permod *pm, const char *path)
{
	return fail(pm, -errno, "%s: %s", path, strerror(errno));
}

static int read_open_text(struct permod *pm, const char *path, int fd, char **text, size_t *size)
{
	struct stat about;
	ssize_t length = 1;
	size_t done = 0;
	int error;

	if (fstat(fd, &about))
		return fail_errno(pm, path);
	if (!S_ISREG(about.st_mode))
		return fail(pm, -EINVAL, "%s: not a regular file", path);
	error = check_file_size(pm, path, about.st_size);
	if (error)
		return error;
	*size = (size_t)about.st_size;
	*text = malloc(*size + 1);
	if (!*text)
		return fail_memory(pm);
	while (done < *size && length > 0) {
		length = read(fd, *text + done, *size - done);
		if (length < 0 && errno == EINTR)
			length = 1;
		else if (length > 0)
			done += (size_t)length;
	}
	if (length < 0) {
		error = fail_errno(pm, path);
		free(*text);
		*text = NULL;
		return error;
	}
	*size = done;
	(*text)[done] = '\0';
	return 0;
}

/* A whole file, with a NUL behind it, to be freed. */
static int read_text(struct permod *pm, const char *path, char **text, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), error;

	if (fd < 0)
		return fail_errno(pm, path);
	error = read_open_text(pm, path, fd, text, size);
	close(fd);
	return error;
}

static char *join_path(const char *folder, const char *name)
{
	char *path = NULL;

	return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

/* ---- Where the tree is ---------------------------------------------------------------------- */

static bool has_file(const char *folder, const char *name)
{
	char *path = join_path(folder, name);
	bool has = path && access(path, F_OK) == 0;

	free(path);
	return has;
}

static int fail_several(struct permod *pm, const char *folder, const char *one, const char *other)
{
	return fail(pm, -EINVAL, "%s: several module trees are in it: name one, %s or %s", folder,
		    one, other);
}

/* The one folder of DIR/lib/modules that has a tree. */
static int find_version(struct permod *pm, const char *folder, char **found)
{
	char *versions = join_path(folder, "lib/modules");
	DIR *stream = versions ? opendir(versions) : NULL;
	struct dirent *entry;
	int error = 0;

	while (stream && !error && (entry = readdir(stream))) {
		char *path = *entry->d_name == '.' ? NULL : join_path(versions, entry->d_name);

		if (path && has_file(path, "modules.dep")) {
			if (*found)
				error = fail_several(pm, folder, *found, path);
			else {
				*found = path;
				path = NULL;
			}
		}
		free(path);
	}
	if (stream)
		closedir(stream);
	free(versions);
	if (!error && !*found)
		return fail(pm, -ENOENT,
			    "%s: no module tree: neither modules.dep nor lib/modules/VERSION/"
			    "modules.dep; make one with depmod -b %s VERSION",
			    folder, folder);
	return error;
}

static int find_folder(struct tree *tree)
{
	struct permod *pm = tree->pm;
	int error;

	if (!pm->module_dir)
		return fail(pm, -ENOENT,
			    "to load modules by name a module tree is needed: set module_dir in "
			    "struct permod_options");
	if (has_file(pm->module_dir, "modules.dep")) {
		tree->folder = strdup(pm->module_dir);
		return tree->folder ? 0 : fail_memory(pm);
	}
	if (access(pm->module_dir, F_OK))
		return fail_errno(pm, pm->module_dir);
	error = find_version(pm, pm->module_dir, &tree->folder);
	return error;
}

/* ---- Is it sound? --------------------------------------------------------------------------- */

/* Indexes that libkmod searches.  What depmod has nothing for is empty, or not there. */
static const struct index_file {
	const char *name;
	bool needed;
} index_files[] = {
	{ "modules.dep.bin", true },
	{ "modules.alias.bin", false },
	{ "modules.symbols.bin", false },
	{ "modules.builtin.bin", false },
	{ "modules.builtin.alias.bin", false },
};

static int check_index_file(struct tree *tree, const struct index_file *file)
{
	char *path = join_path(tree->folder, file->name), *data = NULL;
	size_t size = 0;
	int error;

	if (!path)
		return fail_memory(tree->pm);
	error = read_text(tree->pm, path, &data, &size);
	if (error == -ENOENT && file->needed)
		fail(tree->pm, error, "%s: not there, though modules.dep is; run depmod again",
		     path);
	else if (error == -ENOENT)
		error = 0;
	else if (!error && (size || file->needed))
		error = check_index(tree->pm, path, data, size);
	if (file->needed) {
		tree->dependencies = data;
		tree->dependencies_size = size;
	} else {
		free(data);
	}
	free(path);
	return error;
}

static int check_text_file(struct permod *pm, const char *path)
{
	char *text;
	size_t size;
	int error = read_text(pm, path, &text, &size);

	if (error)
		return error;
	if (strlen(text) != size)
		error = fail(pm, -EINVAL, "%s: not a text: it has a NUL", path);
	else
		error = check_settings(pm, path, text);
	free(text);
	return error;
}

/* Files that libkmod takes of a folder. */
static bool is_settings_file(const char *name)
{
	size_t length = strlen(name);

	return *name != '.' && length > 5 && strcmp(name + length - 5, ".conf") == 0;
}

static int check_text_folder(struct permod *pm, const char *folder, DIR *stream)
{
	struct dirent *entry;
	int error = 0;

	while (!error && (entry = readdir(stream))) {
		char *path;

		if (!is_settings_file(entry->d_name))
			continue;
		path = join_path(folder, entry->d_name);
		error = path ? check_text_file(pm, path) : fail_memory(pm);
		free(path);
	}
	return error;
}

static int check_config(struct permod *pm, const char *path)
{
	struct stat about;
	DIR *stream;
	int error;

	if (stat(path, &about))
		return fail_errno(pm, path);
	if (!S_ISDIR(about.st_mode))
		return check_text_file(pm, path);
	stream = opendir(path);
	if (!stream)
		return fail_errno(pm, path);
	error = check_text_folder(pm, path, stream);
	closedir(stream);
	return error;
}

static int check_tree(struct tree *tree)
{
	const char *const *config = (const char *const *)tree->pm->config_paths;
	char *softdeps = join_path(tree->folder, "modules.softdep");
	int error = 0;

	for (size_t i = 0; i < sizeof(index_files) / sizeof(index_files[0]) && !error; i++)
		error = check_index_file(tree, &index_files[i]);
	if (!error && !softdeps)
		error = fail_memory(tree->pm);
	if (!error && access(softdeps, F_OK) == 0)
		error = check_text_file(tree->pm, softdeps);
	free(softdeps);
	for (; config && *config && !error; config++)
		error = check_config(tree->pm, *config);
	return error;
}

/* ---- libkmod -------------------------------------------------------------------------------- */

/* A library must not write to standard error. */
static void log_nothing(void *data, int priority, const char *file, int line, const char *function,
			const char *format, va_list args)
{
	(void)data, (void)priority, (void)file, (void)line, (void)function, (void)format,
		(void)args;
}

static size_t count_settings(struct kmod_config_iter *settings)
{
	size_t count = 0;

	while (settings && kmod_config_iter_next(settings))
		count++;
	kmod_config_iter_free_iter(settings);
	return count;
}

static int open_kmod(struct tree *tree)
{
	static const char *const no_config[] = { NULL };
	const char *const *config = (const char *const *)tree->pm->config_paths;
	struct kmod_ctx *bare = kmod_new(tree->folder, no_config);

	tree->kmod = kmod_new(tree->folder, config ? config : no_config);
	if (bare && tree->kmod) {
		kmod_set_log_fn(tree->kmod, log_nothing, NULL);
		tree->num_options = count_settings(kmod_config_get_options(tree->kmod)) -
				    count_settings(kmod_config_get_options(bare));
		tree->num_blacklists = count_settings(kmod_config_get_blacklists(tree->kmod)) -
				       count_settings(kmod_config_get_blacklists(bare));
	}
	kmod_unref(bare);
	return bare && tree->kmod ? 0 : fail_memory(tree->pm);
}

static int open_tree(struct tree *tree)
{
	int error = find_folder(tree);

	if (!error)
		error = check_tree(tree);
	return error ? error : open_kmod(tree);
}

static void close_tree(struct tree *tree)
{
	kmod_unref(tree->kmod);
	free(tree->dependencies);
	free(tree->folder);
}

/* ---- Settings of a module ------------------------------------------------------------------- */

/* libkmod's names have '_' where '-' may be given, but for what is in brackets. */
static char *plain_name(const char *name)
{
	char *plain = strdup(name);
	bool open = false;

	for (char *p = plain; p && *p; p++) {
		if (*p == '[' || *p == ']')
			open = *p == '[';
		else if (*p == '-' && !open)
			*p = '_';
	}
	return plain;
}

static bool is_blacklisted(const struct tree *tree, const char *name)
{
	struct kmod_config_iter *settings = kmod_config_get_blacklists(tree->kmod);
	bool found = false;

	for (size_t i = 0; i < tree->num_blacklists && kmod_config_iter_next(settings); i++)
		found |= strcmp(kmod_config_iter_get_key(settings), name) == 0;
	kmod_config_iter_free_iter(settings);
	return found;
}

static int add_options(char **options, const char *more)
{
	char *both;

	if (asprintf(&both, "%s%s%s", *options ? *options : "", *options ? " " : "", more) < 0)
		return -ENOMEM;
	free(*options);
	*options = both;
	return 0;
}

/* All that are set for the module's name, or for the alias by which it was asked for. */
static int find_options(const struct tree *tree, const char *name, const char *alias,
			char **options)
{
	struct kmod_config_iter *settings = kmod_config_get_options(tree->kmod);
	int error = 0;

	for (size_t i = 0; i < tree->num_options && kmod_config_iter_next(settings) && !error;
	     i++) {
		const char *key = kmod_config_iter_get_key(settings);

		if (strcmp(key, name) == 0 || (alias && strcmp(key, alias) == 0))
			error = add_options(options, kmod_config_iter_get_value(settings));
	}
	kmod_config_iter_free_iter(settings);
	return error ? fail_memory(tree->pm) : 0;
}

/* ---- The list ------------------------------------------------------------------------------- */

/* Places in the list. */
struct numbers {
	size_t *number;
	size_t count;
};

static int visit_module(struct tree *tree, struct kmod_module *kmod, struct visit *visit,
			const char *alias);

/* "a -> b -> a". */
static int fail_circle(const struct tree *tree, const struct visit *user, const char *name)
{
	char *text = strdup(name);

	for (const struct visit *visit = user; visit && text; visit = visit->user) {
		char *more = NULL;

		if (asprintf(&more, "%s -> %s", visit->name, text) < 0)
			more = NULL;
		free(text);
		text = more;
		if (strcmp(visit->name, name) == 0)
			break;
	}
	if (!text)
		return fail_memory(tree->pm);
	fail(tree->pm, -ELOOP, "%s/modules.dep: modules need each other: %s", tree->folder, text);
	free(text);
	return -ELOOP;
}

static bool is_open(const struct visit *user, const char *name)
{
	while (user && strcmp(user->name, name) != 0)
		user = user->user;
	return user != NULL;
}

/* Whether all from that one on need each other: a wish on the way would be forgone instead. */
static bool closes_circle(const struct visit *visit)
{
	const char *name = visit->name;

	do {
		if (visit->soft)
			return false;
		visit = visit->user;
	} while (strcmp(visit->name, name) != 0);
	return true;
}

#define NOT_THERE SIZE_MAX

static size_t find_step(const struct permod_steps *steps, const char *name)
{
	for (size_t i = 0; i < steps->count; i++) {
		if (strcmp(steps->step[i].public.name, name) == 0)
			return i;
	}
	return NOT_THERE;
}

/* Somebody needs what was asked for as a wish. */
static void need_step(struct permod_steps *steps, size_t number)
{
	struct step *step = &steps->step[number];

	if (!step->soft)
		return;
	step->soft = false;
	for (size_t i = 0; i < step->num_needs; i++)
		need_step(steps, step->needs[i]);
}

static int add_number(struct tree *tree, struct numbers *numbers, size_t number)
{
	size_t *entry;

	if (number == NOT_THERE)
		return 0;
	entry = grow(&numbers->number, &numbers->count, sizeof(*entry));
	if (!entry)
		return fail_memory(tree->pm);
	*entry = number;
	return 0;
}

static int visit_list(struct tree *tree, struct kmod_list *list, const struct visit *user,
		      bool soft, struct numbers *numbers)
{
	struct kmod_list *entry;
	int error = 0;

	kmod_list_foreach(entry, list)
	{
		struct kmod_module *kmod = kmod_module_get_module(entry);
		struct visit visit = { .user = user,
				       .soft = soft,
				       .optional = soft || user->optional,
				       .level = user->level + 1 };

		error = visit_module(tree, kmod, &visit, NULL);
		kmod_module_unref(kmod);
		/* A wish that can't come true is none. */
		if (error && soft && error != -ENOMEM)
			error = 0;
		else if (!error)
			error = add_number(tree, numbers, visit.step);
		if (error)
			break;
	}
	kmod_module_unref_list(list);
	return error;
}

/* libkmod forgets all of a module's dependencies if one is amiss. */
static int fail_dependencies(const struct tree *tree, const char *name, const char *line)
{
	const char *word = strchr(line, ':');

	for (size_t length = word ? 1 : 0; word && *word; length = strcspn(word, " ")) {
		char *path = NULL;
		bool there;

		word += length + strspn(word + length, " ");
		length = strcspn(word, " ");
		if (asprintf(&path, "%s%s%.*s", *word == '/' ? "" : tree->folder,
			     *word == '/' ? "" : "/", (int)length, word) < 0)
			return fail_memory(tree->pm);
		there = access(path, F_OK) == 0;
		if (!there)
			fail(tree->pm, -ENOENT,
			     "%s: not there, though %s/modules.dep says that %s needs it; run "
			     "depmod again",
			     path, tree->folder, name);
		free(path);
		if (!there)
			return -ENOENT;
	}
	return fail(tree->pm, -EINVAL, "%s/modules.dep: the entry of %s is broken: '%.200s'",
		    tree->folder, name, line);
}

static size_t count_list(const struct kmod_list *list)
{
	size_t count = 0;

	for (const struct kmod_list *entry = list; entry; entry = kmod_list_next(list, entry))
		count++;
	return count;
}

static size_t count_words(const char *text)
{
	size_t count = 0;

	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		text += strcspn(text, " ");
		count++;
	}
	return count;
}

/* The name of the module whose path begins a text, to be freed. */
static char *name_in_line(const char *path, size_t length)
{
	const char *begin = path + length;
	char *file, *name;

	while (begin > path && begin[-1] != '/')
		begin--;
	length -= (size_t)(begin - path);
	file = strndup(begin, length);
	if (file)
		file[strcspn(file, ".")] = '\0';
	name = file ? plain_name(file) : NULL;
	free(file);
	return name;
}

/* Before libkmod links modules that need each other: it would never free them. */
static int check_circle(const struct tree *tree, const struct visit *visit, const char *words)
{
	int error = 0;

	for (words += strspn(words, " "); *words && !error; words += strspn(words, " ")) {
		size_t length = strcspn(words, " ");
		char *name = name_in_line(words, length);
		struct visit next = { .user = visit, .name = name };

		if (!name)
			error = fail_memory(tree->pm);
		else if (is_open(visit, name) && closes_circle(&next))
			error = fail_circle(tree, visit, name);
		free(name);
		words += length;
	}
	return error;
}

static int visit_needs(struct tree *tree, struct kmod_module *kmod, const struct visit *visit,
		       struct numbers *needs)
{
	const char *line = find_in_index(tree->dependencies, tree->dependencies_size, visit->name);
	const char *colon = line ? strchr(line, ':') : NULL;
	struct kmod_list *list;
	int error = colon ? check_circle(tree, visit, colon + 1) : 0;

	if (error)
		return error;
	list = kmod_module_get_dependencies(kmod);
	if (line && (!colon || count_words(colon + 1) != count_list(list))) {
		kmod_module_unref_list(list);
		return fail_dependencies(tree, visit->name, line);
	}
	return visit_list(tree, list, visit, false, needs);
}

/* Into the list: all texts are its own. */
static int add_step(struct tree *tree, struct kmod_module *kmod, const struct visit *visit,
		    const char *alias, struct numbers *lists)
{
	const char *path = kmod_module_get_path(kmod);
	const char *command = kmod_module_get_install_commands(kmod);
	struct step *step = grow(&tree->steps->step, &tree->steps->count, sizeof(*step));
	char *options = NULL;
	int error;

	if (!step)
		return fail_memory(tree->pm);
	error = find_options(tree, visit->name, alias, &options);
	*step = (struct step){
		.public = { .name = strdup(visit->name),
			    .path = strdup(path ? path : ""),
			    .options = options ? options : strdup("") },
		.command = command && *command ? strdup(command) : NULL,
		.soft = visit->optional,
		.needs = lists[0].number,
		.num_needs = lists[0].count,
		.before = lists[1].number,
		.num_before = lists[1].count,
	};
	memset(lists, 0, 2 * sizeof(*lists));
	if (!step->public.name || !step->public.path || !step->public.options ||
	    (command && *command && !step->command))
		return fail_memory(tree->pm);
	return error;
}

/* What it needs, what it wishes for before it, itself, what it wishes for behind it. */
static int visit_all(struct tree *tree, struct kmod_module *kmod, struct visit *visit,
		     const char *alias)
{
	struct numbers lists[2] = { { NULL, 0 }, { NULL, 0 } }, after = { NULL, 0 };
	struct kmod_list *pre = NULL, *post = NULL;
	int error = visit_needs(tree, kmod, visit, &lists[0]);

	if (!error)
		kmod_module_get_softdeps(kmod, &pre, &post);
	if (!error)
		error = visit_list(tree, pre, visit, true, &lists[1]);
	if (!error) {
		visit->step = tree->steps->count;
		error = add_step(tree, kmod, visit, alias, lists);
	}
	if (error)
		kmod_module_unref_list(post);
	else
		error = visit_list(tree, post, visit, true, &after);
	free(lists[0].number);
	free(lists[1].number);
	if (error) {
		free(after.number);
		return error;
	}
	tree->steps->step[visit->step].after = after.number;
	tree->steps->step[visit->step].num_after = after.count;
	return 0;
}

static bool has_file_or_command(const struct kmod_module *kmod)
{
	const char *command = kmod_module_get_install_commands(kmod);

	return kmod_module_get_path(kmod) || (command && *command);
}

static int visit_module(struct tree *tree, struct kmod_module *kmod, struct visit *visit,
			const char *alias)
{
	const char *line;

	visit->name = kmod_module_get_name(kmod);
	visit->step = find_step(tree->steps, visit->name);
	if (visit->step != NOT_THERE) {
		if (!visit->optional)
			need_step(tree->steps, visit->step);
		return 0;
	}
	/* As a wish of what it needs, or needed by what it wishes for: it comes anyway. */
	if (is_open(visit->user, visit->name))
		return 0;
	if (visit->level > MOST_LEVELS)
		return fail(tree->pm, -ELOOP,
			    "%s: soft dependencies nest too deeply at %s (at most %u levels)",
			    tree->folder, visit->name, MOST_LEVELS);
	if (has_file_or_command(kmod))
		return visit_all(tree, kmod, visit, alias);
	line = find_in_index(tree->dependencies, tree->dependencies_size, visit->name);
	if (line)
		return fail_dependencies(tree, visit->name, line);
	return fail(tree->pm, -ENOENT, "%s: no file is known for module %s", tree->folder,
		    visit->name);
}

/* ---- The question --------------------------------------------------------------------------- */

static int fail_blacklisted(const struct tree *tree, const char *name, const char *module)
{
	return fail(tree->pm, -EPERM, "%s: module %s is blacklisted in the configuration%s", name,
		    module,
		    tree->flags & PERMOD_LOAD_BLACKLIST ? "" : "; it loads by its own name only");
}

/* All modules that an alias means; one that is blacklisted only counts by its own name. */
static int visit_found(struct tree *tree, const char *name, const char *plain,
		       struct kmod_list *list)
{
	const char *blacklisted = NULL;
	bool found = false;
	struct kmod_list *entry;
	int error = 0;

	kmod_list_foreach(entry, list)
	{
		struct kmod_module *kmod = kmod_module_get_module(entry);
		const char *module = kmod_module_get_name(kmod);
		bool by_alias = strcmp(module, plain) != 0;
		struct visit visit = { .user = NULL };

		if ((by_alias || tree->flags & PERMOD_LOAD_BLACKLIST) &&
		    is_blacklisted(tree, module)) {
			blacklisted = module;
		} else {
			error = visit_module(tree, kmod, &visit, by_alias ? plain : NULL);
			if (!error)
				tree->steps->step[visit.step].public.asked = 1;
			found = true;
		}
		kmod_module_unref(kmod);
		if (error)
			return error;
	}
	return found ? 0 : fail_blacklisted(tree, name, blacklisted);
}

static int ask_tree(struct tree *tree, const char *name)
{
	char *plain = plain_name(name);
	struct kmod_list *list = NULL;
	int error;

	if (!plain)
		return fail_memory(tree->pm);
	error = kmod_module_new_from_lookup(tree->kmod, name, &list);
	if (error < 0)
		fail(tree->pm, error, "%s: '%s' can't be looked up: %s", tree->folder, name,
		     strerror(-error));
	else if (!list)
		error = fail(tree->pm, -ENOENT, "%s: no module and no alias is called %s",
			     tree->folder, name);
	else
		error = visit_found(tree, name, plain, list);
	kmod_module_unref_list(list);
	free(plain);
	return error;
}

int find_steps(struct permod *pm, const char *name, unsigned int flags, struct permod_steps *steps)
{
	struct tree tree = { .pm = pm, .steps = steps, .flags = flags };
	int error;

	if (!HAS_LIBKMOD)
		return fail(pm, -ENOSYS,
			    "%s: this program was linked without libkmod, so it knows no module "
			    "trees; load modules by their paths, or link it with "
			    "-Wl,--no-as-needed -lkmod",
			    name);
	error = open_tree(&tree);
	if (!error)
		error = ask_tree(&tree, name);
	close_tree(&tree);
	for (size_t i = 0; i < steps->count; i++)
		steps->step[i].public.optional = steps->step[i].soft;
	return error;
}
