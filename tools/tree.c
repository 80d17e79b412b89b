/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * --module-dir, if it is a module tree that depmod made: the library knows what needs what, and the
 * command only asks.  (Of a folder without such an index depend.c finds it out.)
 */
#define _GNU_SOURCE
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool is_tree(const char *dir)
{
	static const char *const signs[] = { "modules.dep", "lib/modules" };
	bool is = false;

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]) && !is; i++) {
		char *path = format_text("%s/%s", dir, signs[i]);

		is = access(path, F_OK) == 0;
		free(path);
	}
	return is;
}

void add_config(struct tree_place *place, const char *path)
{
	place->config = reallocate(place->config, place->num_config + 2, sizeof(*place->config));
	place->config[place->num_config++] = path;
	place->config[place->num_config] = NULL;
}

/* The library starts what it loads for a symbol. */
static int request_without_running(struct permod *pm, const char *symbol, void *arg)
{
	(void)arg;
	return load_needed_symbol(pm, symbol) ? 0 : -ENOENT;
}

enum status place_options(const struct tree_place *place, struct permod_options *options)
{
	if (place->dir && is_tree(place->dir)) {
		options->module_dir = place->dir;
		options->config_paths = place->config;
		options->request =
			place->runs_nothing ? request_without_running : permod_request_symbol;
	} else if (place->config) {
		complain("--config: there is no module tree%s%s", place->dir ? " in " : "",
			 place->dir ? place->dir : "; name one by --module-dir");
		return STATUS_FAILED;
	}
	return STATUS_DONE;
}

/* ---- permod run ----------------------------------------------------------------------------- */

static bool is_known(const struct session *session, const struct permod_module *module)
{
	for (size_t i = 0; i < session->num_loaded; i++) {
		if (session->loaded[i].module == module)
			return true;
	}
	return false;
}

/* The file of a module by its name; "" if the tree has none.  To be freed. */
static char *path_of(struct permod *pm, const char *name)
{
	const struct permod_step *step = NULL;
	struct permod_steps *steps;
	char *path;

	if (permod_steps(pm, name, 0, &steps) == 0) {
		for (unsigned int i = 0; (step = permod_step(steps, i)) && !step->asked; i++)
			;
	}
	path = format_text("%s", step ? step->path : "");
	permod_steps_free(steps);
	return path;
}

void collect_modules(struct session *session, const struct permod_module *except)
{
	struct permod_module *module = NULL;

	while ((module = permod_next(session->pm, module))) {
		struct loaded *loaded;

		if (module == except || is_known(session, module))
			continue;
		session->loaded = reallocate(session->loaded, session->num_loaded + 1,
					     sizeof(*session->loaded));
		loaded = &session->loaded[session->num_loaded++];
		*loaded = (struct loaded){ .module = module,
					   .path = path_of(session->pm, permod_name(module)) };
		if (permod_file_open(session->pm, loaded->path, &loaded->file))
			loaded->file = NULL;
	}
}

enum status load_by_name(struct session *session, const char *name, const char *params,
			 unsigned int flags)
{
	struct permod_module *module;
	int error;

	fflush(stdout);
	error = permod_load_by_name(session->pm, name, params, flags, &module);
	fflush(stdout);
	if (error) {
		complain("%s", permod_error(session->pm));
		return STATUS_FAILED;
	}
	collect_modules(session, NULL);
	for (size_t i = 0; i < session->num_loaded; i++)
		session->loaded[i].asked |= session->loaded[i].module == module;
	return STATUS_DONE;
}

/* A step of those that come with a module: what it needs, or a wish of its. */
static bool load_step(struct session *session, const struct permod_step *step)
{
	if (permod_find(session->pm, step->name) ||
	    permod_load_by_name(session->pm, step->name, NULL, 0, NULL) == 0 || step->optional)
		return true;
	complain("%s", permod_error(session->pm));
	return false;
}

static enum status load_asked(struct session *session, const struct permod_step *step,
			      const char *params, struct parts *parts)
{
	char *all = format_text("%s%s%s", step->options, *step->options && params ? " " : "",
				params ? params : "");
	enum status status;

	parts->paths[0] = step->path;
	status = load_parts(session, parts, all, NULL);
	free(all);
	return status;
}

enum status load_parts_by_name(struct session *session, const struct request *request,
			       struct parts *parts)
{
	enum status status = STATUS_DONE;
	const struct permod_step *step;
	struct permod_steps *steps;

	if (permod_steps(session->pm, request->name, 0, &steps)) {
		complain("%s", permod_error(session->pm));
		return STATUS_FAILED;
	}
	fflush(stdout);
	for (unsigned int i = 0; status == STATUS_DONE && (step = permod_step(steps, i)); i++) {
		if (step->asked)
			status = load_asked(session, step, request->params, parts);
		else if (!load_step(session, step))
			status = STATUS_FAILED;
	}
	fflush(stdout);
	collect_modules(session, NULL);
	parts->paths[0] = NULL;
	permod_steps_free(steps);
	return status;
}

bool is_still_there(const struct session *session, const struct permod_module *wanted)
{
	struct permod_module *module = NULL;

	while ((module = permod_next(session->pm, module))) {
		if (module == wanted)
			return true;
	}
	return false;
}

/* ---- permod check and permod info ----------------------------------------------------------- */

/* What a module needs is loaded as if to be used, but nothing of it is run: as it gets no parameters,
 * neither are their operations. */
static enum status load_need(struct permod *pm, const struct permod_step *step)
{
	const char *const paths[] = { step->path };

	if (step->optional || permod_find(pm, step->name) ||
	    permod_load_files(pm, step->name, paths, 1, NULL, NULL, PERMOD_LOAD_NO_INIT, NULL) == 0)
		return STATUS_GO_ON;
	complain("%s", permod_error(pm));
	return STATUS_FAILED;
}

enum status find_by_name(struct permod *pm, const char *name, bool load_needs, char **path)
{
	enum status status = STATUS_GO_ON;
	const struct permod_step *step;
	struct permod_steps *steps;

	if (permod_steps(pm, name, 0, &steps)) {
		complain("%s", permod_error(pm));
		return STATUS_FAILED;
	}
	for (unsigned int i = 0; (step = permod_step(steps, i)) && !step->asked; i++) {
		if (load_needs && status == STATUS_GO_ON)
			status = load_need(pm, step);
	}
	*path = format_text("%s", step ? step->path : "");
	permod_steps_free(steps);
	return status;
}

bool load_needed_symbol(struct permod *pm, const char *symbol)
{
	char *alias = format_text("symbol:%s", symbol);
	const struct permod_step *step;
	struct permod_steps *steps;
	bool loaded = false;

	if (permod_steps(pm, alias, 0, &steps) == 0) {
		loaded = true;
		for (unsigned int i = 0; loaded && (step = permod_step(steps, i)); i++)
			loaded = load_need(pm, step) == STATUS_GO_ON;
		permod_steps_free(steps);
	}
	free(alias);
	return loaded;
}

bool is_bare_name(const struct tree_place *place, const char *name)
{
	return place->dir && is_tree(place->dir) && !strchr(name, '/') && access(name, F_OK) != 0;
}
