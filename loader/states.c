/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The states of modules: telling those who want to know, and waiting for others' modules.
 *
 * Notifiers are the functions of a hook that each context has, so they come and go under threads that
 * load, and a module that leaves one behind is no danger.  The order is the kernel's: coming before
 * parameters and init, live behind init, going behind exit.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct notifier {
	struct permod_hook_entry entry;
	struct notifier *next;
	permod_notifier *function;
	void *arg;
};

/* ---- Telling -------------------------------------------------------------------------------- */

/* Tell the first `most` notifiers, until one refuses; *count is how many agreed. */
static int tell(struct permod_module *module, enum permod_state state, unsigned int most,
		unsigned int *count)
{
	struct permod *pm = module->pm;
	unsigned int depth = begin_callback(pm);
	struct permod_hook_call call = permod_hook_begin(&pm->notifiers);
	int error = 0;

	for (*count = 0; call.entry && *count < most; call = permod_hook_next(call)) {
		permod_notifier *function = (permod_notifier *)call.entry->function;

		error = function(call.entry->context, module, state);
		if (error < 0)
			break;
		++*count;
	}
	permod_hook_end(&call);
	end_callback(pm, depth);
	return error < 0 ? error : 0;
}

int announce(struct permod_module *module, enum permod_state state)
{
	unsigned int count = 0;
	int error;

	if (!__atomic_load_n(&module->pm->notifiers.first, __ATOMIC_RELAXED))
		return 0;
	error = tell(module, state, UINT_MAX, &count);
	if (!error || state != PERMOD_COMING)
		return 0;
	module->state = PERMOD_GOING;
	if (count)
		tell(module, PERMOD_GOING, count, &count);
	return error;
}

int announce_coming(struct load *load)
{
	struct permod_module *module = load->module;
	int error = announce(module, PERMOD_COMING);

	if (error)
		return fail(load->pm, error, "%s: a notifier refused it: %d (%s)", load->path,
			    error, strerror(-error));
	module->announced = true;
	return 0;
}

void announce_going(struct permod_module *module)
{
	struct permod *pm = module->pm;
	char *line = pm->error;

	if (!module->announced)
		return;
	module->announced = false;
	module->state = PERMOD_GOING;
	pm->error = NULL;
	announce(module, PERMOD_GOING);
	keep_error(pm, line);
}

/* ---- Notifiers come and go ------------------------------------------------------------------ */

static void forget_notifier(struct notifier **link)
{
	struct notifier *notifier = *link;

	*link = notifier->next;
	free(notifier);
}

/* Those whose module has gone, or which were taken out by one that ran. */
static void forget_unused(struct permod *pm)
{
	for (struct notifier **link = &pm->notifier; *link;) {
		if (__atomic_load_n(&(*link)->entry.state, __ATOMIC_ACQUIRE) == 0)
			forget_notifier(link);
		else
			link = &(*link)->next;
	}
}

int permod_notify(struct permod *pm, permod_notifier *function, void *arg)
{
	struct notifier *notifier = calloc(1, sizeof(*notifier));
	int error = notifier ? permod_hook_register(&pm->notifiers, &notifier->entry,
						    (void (*)(void))function, arg, 0)
			     : -ENOMEM;

	lock_context(pm);
	forget_unused(pm);
	if (error == -ENOMEM)
		fail_memory(pm);
	else if (error)
		fail(pm, error, "permod_notify(): there is no function");
	if (error) {
		free(notifier);
	} else {
		notifier->function = function;
		notifier->arg = arg;
		notifier->next = pm->notifier;
		pm->notifier = notifier;
	}
	unlock_context(pm);
	return error;
}

int permod_unnotify(struct permod *pm, permod_notifier *function, void *arg)
{
	struct notifier *notifier;
	unsigned int depth;
	int error = -ENOENT;

	lock_context(pm);
	for (notifier = pm->notifier; notifier && error == -ENOENT; notifier = notifier->next) {
		if (notifier->function != function || notifier->arg != arg)
			continue;
		/* Others are in notifiers that want the lock.  The list can change meanwhile. */
		depth = begin_callback(pm);
		error = permod_hook_unregister(&notifier->entry);
		end_callback(pm, depth);
		break;
	}
	forget_unused(pm);
	if (error == -ENOENT)
		fail(pm, error, "permod_unnotify(): there is no such notifier");
	unlock_context(pm);
	return error == -EINPROGRESS ? 0 : error;
}

void forget_notifiers(struct permod *pm)
{
	while (pm->notifier) {
		finish_entry(&pm->notifier->entry);
		forget_notifier(&pm->notifier);
	}
}

/* ---- Waiting -------------------------------------------------------------------------------- */

void tell_change(struct permod *pm)
{
	pm->changes++;
	pthread_cond_broadcast(&pm->changed);
}

bool wait_for_change(struct permod *pm, unsigned long seen)
{
	if (in_callback() || permod_in_hook() || pm->depth != 1)
		return false;
	while (pm->changes == seen) {
		pm->depth = 0;
		pthread_cond_wait(&pm->changed, &pm->lock);
		pm->depth = 1;
	}
	return true;
}

enum permod_state permod_state(struct permod_module *m)
{
	struct permod *pm = m->pm;
	enum permod_state state;

	if (!pm)
		return m->state;
	lock_context(pm);
	state = m->state;
	unlock_context(pm);
	return state;
}
