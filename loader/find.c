/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Modules by name: with what they need, and out again with it; and symbols that the host is asked for
 * because nobody has them.
 *
 * What is loaded for another one's sake is "on demand": it goes with PERMOD_UNLOAD_DEPENDENCIES when
 * nobody uses it, and at once when the load that wanted it fails.  So that a failed load can tell what
 * came since it began, modules have numbers in the order in which they came.
 *
 * Loads nest, when the host loads a module because it was asked for a symbol, or an init loads one.
 * Each thread has a chain of those that it is in; it has a number, for other threads load meanwhile.
 *
 * The context is not locked all the time, as init and requests run without.  So the modules of a load by
 * name are held by references until it is done.
 */
#define _GNU_SOURCE
#include "tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_REQUESTS 50U /* of this thread, each within the one before */

static __thread struct operation *innermost __attribute__((tls_model("initial-exec")));

/* ---- Operations ----------------------------------------------------------------------------- */

void begin_operation(struct operation *operation, struct permod *pm)
{
	const struct operation *outer = innermost;

	*operation = (struct operation){
		.outer = innermost,
		.pm = pm,
		.chain = outer && outer->pm == pm ? outer->chain : ++pm->arrivals,
		.first = pm->arrivals,
		.on_demand = outer && outer->pm == pm && outer->on_demand,
	};
	innermost = operation;
}

void note_arrival(struct permod_module *module)
{
	module->arrival = ++module->pm->arrivals;
	module->chain = innermost->chain;
	module->on_demand = innermost->on_demand;
}

/* The last one that came on demand since the operation began. */
static struct permod_module *last_arrival(const struct operation *operation)
{
	struct permod_module *module = operation->pm->last;

	while (module && (module->chain != operation->chain ||
			  module->arrival <= operation->first || !module->on_demand))
		module = module->previous;
	return module;
}

/* What can't be unloaded stays. */
static void undo_operation(const struct operation *operation)
{
	struct permod *pm = operation->pm;
	struct permod_module *module;
	char *line = NULL;

	while ((module = last_arrival(operation))) {
		if (!line)
			line = strdup(permod_error(pm));
		module->on_demand = false;
		permod_unload(module, 0);
	}
	if (line)
		fail(pm, 0, "%s", line);
	free(line);
}

void end_operation(struct operation *operation, int error)
{
	if (error)
		undo_operation(operation);
	innermost = operation->outer;
}

/* ---- Symbols that nobody has ---------------------------------------------------------------- */

static bool may_request(const struct permod *pm, const char *symbol)
{
	unsigned int depth = 0;

	for (const struct operation *outer = innermost; outer; outer = outer->outer) {
		if (!outer->symbol)
			continue;
		if (outer->pm == pm && strcmp(outer->symbol, symbol) == 0)
			return false;
		depth++;
	}
	return depth < MOST_REQUESTS;
}

bool request_symbol(struct load *load, const char *symbol)
{
	struct permod *pm = load->pm;
	struct operation operation;
	unsigned int depth;
	int error;

	if (!pm->request || load->plan || !may_request(pm, symbol))
		return false;
	fail(pm, 0, "the host's request() gave no reason");
	begin_operation(&operation, pm);
	operation.symbol = symbol;
	operation.on_demand = true;
	depth = begin_callback(pm);
	error = pm->request(pm, symbol, pm->request_arg);
	end_callback(pm, depth);
	/* What it loaded goes only if this load fails. */
	end_operation(&operation, 0);
	if (!error)
		return true;
	free(load->refused);
	load->refused = NULL;
	if (asprintf(&load->refused, "; the host, asked for %s: %s", symbol, permod_error(pm)) < 0)
		load->refused = NULL;
	return false;
}

int permod_request_symbol(struct permod *pm, const char *symbol, void *arg)
{
	char *alias = NULL;
	int error;

	(void)arg;
	if (asprintf(&alias, "symbol:%s", symbol) < 0)
		return -ENOMEM;
	error = permod_load_by_name(pm, alias, NULL, 0, NULL);
	free(alias);
	return error;
}

/* ---- Steps ---------------------------------------------------------------------------------- */

static void free_steps(struct permod_steps *steps)
{
	for (size_t i = 0; i < steps->count; i++) {
		struct step *step = &steps->step[i];

		free((char *)step->public.name);
		free((char *)step->public.path);
		free((char *)step->public.options);
		free(step->command);
		free(step->needs);
		free(step->before);
		free(step->after);
	}
	free(steps->step);
}

int permod_steps(struct permod *pm, const char *name, unsigned int flags,
		 struct permod_steps **steps)
{
	struct permod_steps *found = calloc(1, sizeof(*found));
	int error;

	*steps = NULL;
	lock_context(pm);
	error = found ? find_steps(pm, name, flags, found) : fail_memory(pm);
	unlock_context(pm);
	if (error)
		permod_steps_free(found);
	else
		*steps = found;
	return error;
}

const struct permod_step *permod_step(const struct permod_steps *steps, unsigned int index)
{
	return index < steps->count ? &steps->step[index].public : NULL;
}

void permod_steps_free(struct permod_steps *steps)
{
	if (!steps)
		return;
	free_steps(steps);
	free(steps);
}

/* ---- Names of other modules ------------------------------------------------------------------ */

/* Lists of names are texts with this between. */
#define SEPARATOR "\n"

/* The list is freed; NULL without memory. */
static char *append_name(char *names, const char *name)
{
	char *more;

	if (asprintf(&more, "%s%s%s", names, *names ? SEPARATOR : "", name) < 0)
		more = NULL;
	free(names);
	return more;
}

static bool has_name(const char *names, const char *name)
{
	size_t length = strlen(name);

	while (names && *names) {
		size_t word = strcspn(names, SEPARATOR);

		if (word == length && strncmp(names, name, length) == 0)
			return true;
		names += word + (names[word] != '\0');
	}
	return false;
}

static bool is_wished_for(const struct permod_module *module, const struct permod_module *except)
{
	for (const struct permod_module *user = module->pm->first; user; user = user->next) {
		if (user != except && (has_name(user->wished_before, module->name) ||
				       has_name(user->wished_after, module->name)))
			return true;
	}
	return false;
}

/* Whether one came for another's sake, and nobody has to do with it now, but for the one that goes. */
static bool is_unused(const struct permod_module *module, const struct permod_module *going)
{
	return module->on_demand && module->state == PERMOD_LIVE && !module->num_users &&
	       !is_permanent(module) && !is_wished_for(module, going);
}

/* ---- Loading -------------------------------------------------------------------------------- */

/* A load by name on its way. */
struct wanted {
	struct permod *pm;
	const char *name;
	const char *params; /* or NULL */
	unsigned int flags;
	struct permod_steps steps;
};

/* Of what belongs to the module that was asked for alone. */
#define OWN_FLAGS (PERMOD_LOAD_WHOLE_ARCHIVE | PERMOD_LOAD_GC_SECTIONS)
#define NAME_FLAGS (PERMOD_LOAD_BLACKLIST | PERMOD_LOAD_IGNORE_COMMANDS)

static char *list_names(const struct permod_steps *steps, const size_t *numbers, size_t count)
{
	char *names = strdup("");

	for (size_t i = 0; i < count && names; i++)
		names = append_name(names, steps->step[numbers[i]].public.name);
	return names;
}

/* The options of the settings come first: of two values for a parameter the last one counts. */
static char *join_params(const struct wanted *wanted, const struct step *step)
{
	const char *params = step->public.asked && wanted->params ? wanted->params : "";
	char *joined;

	if (asprintf(&joined, "%s%s%s", step->public.options,
		     *step->public.options && *params ? " " : "", params) < 0)
		return NULL;
	return joined;
}

static int fail_unlocked(struct permod *pm)
{
	lock_context(pm);
	fail_memory(pm);
	unlock_context(pm);
	return -ENOMEM;
}

static int load_file_of(const struct wanted *wanted, struct step *step,
			struct permod_module *const *needs, size_t num_needs, const char *params)
{
	struct inputs inputs = {
		.pm = wanted->pm,
		.paths = &step->public.path,
		.num_paths = 1,
		.flags = wanted->flags & ~NAME_FLAGS,
		.needs = needs,
		.num_needs = num_needs,
		.hold = true,
	};

	if (!step->public.asked)
		inputs.flags &= ~OWN_FLAGS;
	return load_inputs(&inputs, step->public.name, params, &step->module);
}

/* With the modules that it needs; those that are not loaded were not loaded for a wish's sake. */
static int load_with_needs(const struct wanted *wanted, struct step *step, const char *params)
{
	struct permod_module **needs = calloc(step->num_needs + 1, sizeof(struct permod_module *));
	size_t count = 0;
	int error;

	if (!needs)
		return fail_unlocked(wanted->pm);
	for (size_t i = 0; i < step->num_needs; i++) {
		struct permod_module *module = wanted->steps.step[step->needs[i]].module;

		if (module)
			needs[count++] = module;
	}
	error = load_file_of(wanted, step, needs, count, params);
	free(needs);
	return error;
}

/* It is held, so it is there. */
static void note_wishes(struct permod_module *module, char *before, char *after)
{
	lock_context(module->pm);
	module->wished_before = before;
	module->wished_after = after;
	unlock_context(module->pm);
}

static int load_step(const struct wanted *wanted, struct step *step)
{
	char *params = join_params(wanted, step);
	char *before = list_names(&wanted->steps, step->before, step->num_before);
	char *after = list_names(&wanted->steps, step->after, step->num_after);
	int error = params && before && after ? load_with_needs(wanted, step, params)
					      : fail_unlocked(wanted->pm);

	free(params);
	if (error) {
		free(before);
		free(after);
		return error;
	}
	note_wishes(step->module, before, after);
	return 0;
}

/* The module that has the step's name, once it is live; NULL if there is none. */
static struct permod_module *wait_for_module(const struct wanted *wanted, const struct step *step)
{
	struct permod_module *module;

	do
		module = find_module(wanted->pm, step->public.name);
	while (module && module->state != PERMOD_LIVE &&
	       wait_for_change(wanted->pm, wanted->pm->changes));
	return module;
}

/* One that is loaded already will do, unless it would have to be another. */
static int take_loaded(const struct wanted *wanted, struct step *step, struct permod_module *module)
{
	struct permod *pm = wanted->pm;

	if (module->state != PERMOD_LIVE || permod_get(module))
		return fail(pm, -EBUSY, "%s: module %s is not live: its %s has not returned",
			    wanted->name, module->name,
			    module->state == PERMOD_COMING ? "init" : "exit");
	step->module = module;
	if (step->public.asked && wanted->params && *wanted->params)
		return fail(pm, -EEXIST,
			    "%s: a module named %s is loaded already, and takes no more parameters",
			    wanted->name, module->name);
	return 0;
}

static int check_step(const struct wanted *wanted, const struct step *step)
{
	if (step->command && !(wanted->flags & PERMOD_LOAD_IGNORE_COMMANDS))
		return fail(wanted->pm, -EOPNOTSUPP,
			    "%s: the configuration has a shell command to be run in its place "
			    "(install %s %s), and permod runs none; PERMOD_LOAD_IGNORE_COMMANDS "
			    "loads the module",
			    step->public.name, step->public.name, step->command);
	if (!*step->public.path)
		return fail(wanted->pm, -ENOENT, "%s: the module tree has no file for it",
			    step->public.name);
	return 0;
}

/* 0 if it is loaded already, -EAGAIN if it is to be loaded. */
static int find_loaded(const struct wanted *wanted, struct step *step)
{
	struct permod_module *module;
	int error;

	lock_context(wanted->pm);
	module = wait_for_module(wanted, step);
	error = module ? take_loaded(wanted, step, module) : check_step(wanted, step);
	unlock_context(wanted->pm);
	return error || module ? error : -EAGAIN;
}

static int take_step(const struct wanted *wanted, struct step *step)
{
	int error;

	/* Somebody else may be quicker, and unload it again. */
	do {
		error = find_loaded(wanted, step);
		if (error != -EAGAIN)
			return error;
		error = load_step(wanted, step);
	} while (error == -EEXIST && permod_find(wanted->pm, step->public.name));
	return error;
}

/* Tell for whose sake a module was loaded. */
static int fail_for(const struct wanted *wanted, const struct step *step, int error)
{
	char *line;

	lock_context(wanted->pm);
	line = step->public.asked ? NULL : strdup(permod_error(wanted->pm));
	if (line)
		fail(wanted->pm, error, "%s: needs module %s: %s", wanted->name, step->public.name,
		     line);
	unlock_context(wanted->pm);
	free(line);
	return error;
}

static int take_steps(const struct wanted *wanted)
{
	for (size_t i = 0; i < wanted->steps.count; i++) {
		struct step *step = &wanted->steps.step[i];
		int error = take_step(wanted, step);

		/* Wishes need not come true. */
		if (error && !step->soft)
			return fail_for(wanted, step, error);
	}
	return 0;
}

/* What was asked for by name is there for its own sake from now on; the first is returned. */
static struct permod_module *keep_asked(const struct wanted *wanted, bool on_demand)
{
	struct permod_module *first = NULL;

	for (size_t i = 0; i < wanted->steps.count; i++) {
		const struct step *step = &wanted->steps.step[i];

		if (!step->public.asked)
			continue;
		first = first ? first : step->module;
		step->module->on_demand &= on_demand;
	}
	return first;
}

static void let_go(const struct wanted *wanted)
{
	for (size_t i = 0; i < wanted->steps.count; i++) {
		if (wanted->steps.step[i].module)
			permod_put(wanted->steps.step[i].module);
	}
}

/* What came for the sake of a wish that did not come true. */
static void drop_orphans(const struct wanted *wanted)
{
	for (size_t i = wanted->steps.count; i-- > 0;) {
		const struct step *step = &wanted->steps.step[i];
		struct permod_module *module = find_module(wanted->pm, step->public.name);

		if (step->soft && module && is_unused(module, NULL))
			permod_unload(module, 0);
	}
}

/* With the context locked, but while steps are taken. */
static int load_wanted(struct wanted *wanted, struct permod_module **m)
{
	struct permod *pm = wanted->pm;
	struct permod_module *first = NULL;
	struct operation operation;
	bool on_demand;
	int error = find_steps(pm, wanted->name, wanted->flags, &wanted->steps);

	if (error)
		return error;
	begin_operation(&operation, pm);
	on_demand = operation.on_demand;
	operation.on_demand = true;
	unlock_context(pm);
	error = take_steps(wanted);
	lock_context(pm);
	if (!error)
		first = keep_asked(wanted, on_demand);
	let_go(wanted);
	end_operation(&operation, error);
	if (error)
		return error;
	drop_orphans(wanted);
	if (m)
		*m = first;
	return 0;
}

int permod_load_by_name(struct permod *pm, const char *name, const char *params, unsigned int flags,
			struct permod_module **m)
{
	struct wanted wanted = { .pm = pm, .name = name, .params = params, .flags = flags };
	int error;

	lock_context(pm);
	error = load_wanted(&wanted, m);
	unlock_context(pm);
	free_steps(&wanted.steps);
	return error;
}

/* ---- Unloading ------------------------------------------------------------------------------ */

/* From the last to the first; the string is used up.  These are names, as an exit may unload what it likes. */
static void drop_unused(struct permod *pm, char *names, const struct permod_module *going)
{
	while (*names) {
		char *last = strrchr(names, *SEPARATOR);
		char *name = last ? last + 1 : names;
		struct permod_module *module;

		lock_context(pm);
		module = find_module(pm, name);
		if (module && is_unused(module, going))
			unload_with_dependencies(module, 0);
		unlock_context(pm);
		*(last ? last : name) = '\0';
	}
}

/* In the order in which they came, so what is in front of the module itself. */
static char *names_before(const struct permod_module *module)
{
	char *names = strdup("");

	for (size_t i = 0; i < module->num_uses && names; i++)
		names = append_name(names, module->uses[i]->name);
	if (names && module->wished_before && *module->wished_before)
		names = append_name(names, module->wished_before);
	return names;
}

/* Unless it has gone while others went for its sake. */
static int unload_if_there(struct permod *pm, struct permod_module *module, const char *name,
			   unsigned int flags)
{
	int error;

	lock_context(pm);
	error = find_module(pm, name) == module
			? permod_unload(module, flags)
			: fail(pm, -ENOENT, "%s: somebody else unloaded it meanwhile", name);
	unlock_context(pm);
	return error;
}

int unload_with_dependencies(struct permod_module *module, unsigned int flags)
{
	struct permod *pm = module->pm;
	char *name, *before, *after;
	int error;

	lock_context(pm);
	name = strdup(module->name);
	before = names_before(module);
	after = strdup(module->wished_after ? module->wished_after : "");
	error = name && before && after ? 0 : fail_memory(pm);
	unlock_context(pm);
	if (!error) {
		drop_unused(pm, after, module);
		error = unload_if_there(pm, module, name, flags);
	}
	if (!error)
		drop_unused(pm, before, NULL);
	free(name);
	free(before);
	free(after);
	return error;
}
