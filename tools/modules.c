/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The modules that permod run and map were given: from words on the command line to modules in memory, in
 * order, and out again in reverse order.
 */
#define _GNU_SOURCE
#include "tool.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum status use_library(const char *name)
{
	if (dlopen(name, RTLD_NOW | RTLD_GLOBAL))
		return STATUS_GO_ON;
	complain("--library '%s': %s", name, dlerror());
	return STATUS_FAILED;
}

/* ---- The command line ----------------------------------------------------------------------- */

/* One "name=value" as permod_load() takes it: a value with blanks is put in double quotes. */
static char *quote_parameter(const char *word)
{
	const char *value = strchr(word, '=');
	size_t quotes = 0, length;

	if (!strpbrk(word, " \t\n"))
		return format_text("%s", word);
	if (!value || strpbrk(word, " \t\n") < value)
		return NULL;
	value++;
	for (const char *p = value; *p; p++)
		quotes += *p == '"';
	length = strlen(value);
	if (!quotes)
		return format_text("%.*s\"%s\"", (int)(value - word), word, value);
	/* It may have been quoted already. */
	if (quotes == 2 && value[0] == '"' && value[length - 1] == '"')
		return format_text("%s", word);
	return NULL;
}

static enum status add_parameter(const struct command *command, struct request *request,
				 const char *word)
{
	char *quoted;

	if (strncmp(word, "--", 2) == 0)
		return usage_error(command, "'%s': options come before the first MODULE", word);
	/* No parameter has such a name; it may be a bool's, which has no value. */
	if (word[strcspn(word, "=./")] != '=' && strpbrk(word, "./"))
		return usage_error(command, "'%s': a further MODULE comes behind '--'", word);
	quoted = quote_parameter(word);
	if (!quoted)
		return usage_error(command,
				   "parameter '%s': blanks can only be in a value that has "
				   "no double quotes",
				   word);
	append_text(&request->params, "%s%s", request->params ? " " : "", quoted);
	free(quoted);
	return STATUS_GO_ON;
}

enum status parse_requests(const struct command *command, char **argv, struct request **requests,
			   size_t *count)
{
	struct request *current = NULL;
	enum status status = STATUS_GO_ON;

	for (*count = 0; *argv && status == STATUS_GO_ON; argv++) {
		if (strcmp(*argv, "--") == 0) {
			if (!current)
				break;
			current = NULL;
		} else if (current) {
			status = add_parameter(command, current, *argv);
		} else {
			*requests = reallocate(*requests, *count + 1, sizeof(**requests));
			current = &(*requests)[(*count)++];
			*current = (struct request){ *argv, NULL };
		}
	}
	if (status == STATUS_GO_ON && !current)
		return usage_error(command, *count ? "no MODULE behind '--'" : "no MODULE given");
	return status;
}

void free_requests(struct request *requests, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(requests[i].params);
	free(requests);
}

/* ---- What a module is made of --------------------------------------------------------------- */

struct parts new_parts(void)
{
	return (struct parts){ .paths = allocate(1, sizeof(const char *)), .count = 1 };
}

bool take_parts_option(struct parts *parts, int code, const char *value)
{
	switch (code) {
	case 'w':
		parts->paths = reallocate(parts->paths, parts->count + 1, sizeof(const char *));
		parts->paths[parts->count++] = value;
		return true;
	case 'W':
		parts->flags |= PERMOD_LOAD_WHOLE_ARCHIVE;
		return true;
	case 'g':
		parts->flags |= PERMOD_LOAD_GC_SECTIONS;
		return true;
	case 'r':
		parts->root = value;
		return true;
	default:
		return false;
	}
}

/* ---- Loading and unloading ------------------------------------------------------------------ */

size_t compression_ending(const char *name)
{
	static const char *const endings[] = { ".xz", ".zst", ".gz" };
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < sizeof(endings) / sizeof(endings[0]); i++) {
		if (strcmp(dot, endings[i]) == 0)
			return strlen(dot);
	}
	return 0;
}

char *module_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = format_text("%s", slash ? slash + 1 : path);
	char *dot = strrchr(name, '.');

	/* "counter.ko.xz" is called as "counter.ko" is. */
	if (dot && dot > name && compression_ending(name)) {
		*dot = '\0';
		dot = strrchr(name, '.');
	}
	if (dot && dot > name)
		*dot = '\0';
	for (char *p = name; *p; p++) {
		if (*p == '-')
			*p = '_';
	}
	return name;
}

static unsigned int load_flags(const struct session *session, const struct parts *parts)
{
	return parts->flags | (session->force ? PERMOD_LOAD_FORCE : 0);
}

enum status load_parts(struct session *session, const struct parts *parts, const char *params,
		       const char *note)
{
	struct loaded *loaded;
	struct permod_module *module;
	int error;

	fflush(stdout);
	error = permod_load_files(session->pm, NULL, parts->paths, parts->count, parts->root,
				  params, load_flags(session, parts), &module);
	fflush(stdout);
	if (error) {
		complain("%s%s", permod_error(session->pm), error == -ENOENT && note ? note : "");
		return STATUS_FAILED;
	}
	/* What was loaded because this one asked for a symbol. */
	if (session->place.dir && !session->dir)
		collect_modules(session, module);
	session->loaded =
		reallocate(session->loaded, session->num_loaded + 1, sizeof(*session->loaded));
	loaded = &session->loaded[session->num_loaded++];
	*loaded = (struct loaded){ .module = module,
				   .path = format_text("%s", parts->paths[0]),
				   .asked = true };
	warn_of_signature(session->pm, module);
	permod_file_open_files(session->pm, parts->paths, parts->count, parts->root, parts->flags,
			       &loaded->file);
	return STATUS_DONE;
}

/* The file that a word on the command line means; NULL after a message. */
static const char *file_of(const struct session *session, const char *name)
{
	struct stat about;
	bool there = stat(name, &about) == 0;
	const char *path;

	if (strchr(name, '/') || (there && !(session->dir && S_ISDIR(about.st_mode))))
		return name;
	if (!session->dir) {
		complain("%s: no such file; a bare name needs --module-dir", *name ? name : "\"\"");
		return NULL;
	}
	path = find_module(session->dir, name);
	if (!path)
		complain("%s: no such module in %s", name, module_dir_path(session->dir));
	return path;
}

/* Whether a module was loaded for another one's sake before its turn came. */
static bool is_loaded(const struct session *session, const char *path)
{
	for (size_t i = 0; i < session->num_loaded; i++) {
		if (strcmp(session->loaded[i].path, path) == 0)
			return true;
	}
	return false;
}

static enum status load_of_tree(struct session *session, const struct request *request,
				struct parts *parts)
{
	if (parts->count == 1 && !parts->root)
		return load_by_name(session, request->name, request->params,
				    load_flags(session, parts));
	return load_parts_by_name(session, request, parts);
}

static enum status load_module(struct session *session, const struct request *request,
			       struct parts *parts)
{
	const char *path;

	if (is_bare_name(&session->place, request->name))
		return load_of_tree(session, request, parts);
	path = file_of(session, request->name);
	if (!path)
		return STATUS_FAILED;
	parts->paths[0] = path;
	if (!session->dir)
		return load_parts(session, parts, request->params, NULL);
	if (!is_loaded(session, path))
		return load_with_needs(session, parts, request->params);
	if (!request->params)
		return STATUS_DONE;
	complain("%s: loaded already, as a module before it needs it; name it first to give it "
		 "parameters",
		 request->name);
	return STATUS_FAILED;
}

enum status load_modules(struct session *session, const struct request *requests, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *path = NULL;
		struct parts parts = { &path, 1, NULL, 0 };
		bool last = i + 1 == count && session->last.count;
		enum status status =
			load_module(session, &requests[i], last ? &session->last : &parts);

		if (status != STATUS_DONE)
			return status;
	}
	return STATUS_DONE;
}

enum status unload_modules(struct session *session)
{
	enum status status = STATUS_DONE;

	while (session->num_loaded > 0) {
		struct loaded *loaded = &session->loaded[--session->num_loaded];

		unsigned int flags = session->remove_dependencies && loaded->asked
					     ? PERMOD_UNLOAD_DEPENDENCIES
					     : 0;

		fflush(stdout);
		if (is_still_there(session, loaded->module) &&
		    permod_unload(loaded->module, flags)) {
			complain("%s", permod_error(session->pm));
			status = STATUS_FAILED;
		}
		fflush(stdout);
		permod_file_close(loaded->file);
		free(loaded->path);
	}
	free(session->loaded);
	session->loaded = NULL;
	return status;
}

FILE *divert_stdout(void)
{
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

	if (out && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0)
		return out;
	complain("can't write the output: %s", strerror(errno));
	return NULL;
}

/* By its code, which is not where a pointer leads to on each machine. */
static bool is_function(const void *address)
{
	struct permod_address found;

	return permod_addr(address, &found) == 0 && !strcmp(found.region, "text");
}

void *find_function(const struct session *session, const char *name, size_t *owner)
{
	bool found = false;

	for (size_t i = session->num_loaded; i-- > 0;) {
		struct permod_module *module = session->loaded[i].module;
		void *address = permod_symbol(module, name);

		if (address && is_function(address)) {
			*owner = i;
			return address;
		}
		found |= address != NULL;
	}
	complain(found ? "%s is no function" : "no function '%s' in what was loaded", name);
	return NULL;
}
