/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A module's life: constructors and init, references, exit and destructors, and taking it apart.
 *
 *     coming --init returned 0--> live --unload--> going --> gone
 *          \--init failed--> gone
 *
 * A module is used by those that were linked against its exports, and referenced by permod_get().
 * Either keeps it.  References are counted for each CPU (percpu_ref) once some were taken: a module that
 * nobody holds, the rule, goes without a fence, which would interrupt all threads.  The count is killed
 * when the module is going, so that nobody can take a reference any more.
 *
 * Constructors, init, exit and destructors run without the context's lock: what they do may take long,
 * and may wait for threads that want the lock.  Others find a module by its state then.
 */
#define _GNU_SOURCE
#include "internal.h"

#include "loader/key.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Weak, so that it is reached through the GOT: otherwise a program with this archive in it would hold
 * the copy that counts, out of reach of modules that name environ. */
extern char **environ __attribute__((weak));

/* ---- Making and unmaking -------------------------------------------------------------------- */

/* By whoever puts the last reference, perhaps a signal's handler.  The memory may be gone by the time of
 * the call; then it wakes nobody. */
static void drained(struct percpu_ref *references)
{
	struct permod_module *module =
		(struct permod_module *)((char *)references -
					 offsetof(struct permod_module, references));
	int *word = &module->drained;

	__atomic_store_n(word, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static bool is_drained(struct permod_module *module)
{
	return __atomic_load_n(&module->drained, __ATOMIC_ACQUIRE);
}

struct permod_module *new_module(struct permod *pm, const char *name)
{
	struct permod_module *module = calloc(1, sizeof(*module));

	if (!module)
		return NULL;
	module->pm = pm;
	module->state = PERMOD_COMING;
	module->thread = pthread_self();
	module->name = strdup(name);
	if (!module->name || percpu_ref_init(&module->references, drained, PERCPU_REF_INIT_LAZY)) {
		free(module->name);
		free(module);
		return NULL;
	}
	return module;
}

/* Modules that were forced out while somebody held a reference, which may yet be put. */
static struct permod_module *held;

void free_module(struct permod_module *module)
{
	if (!percpu_ref_is_dying(&module->references) || is_drained(module)) {
		percpu_ref_exit(&module->references);
		free(module);
		return;
	}
	lock_shared();
	module->next = held;
	held = module;
	unlock_shared();
}

void list_module(struct permod_module *module)
{
	struct permod *pm = module->pm;

	module->previous = pm->last;
	module->next = NULL;
	if (pm->last)
		pm->last->next = module;
	else
		pm->first = module;
	pm->last = module;
	module->listed = true;
}

static void unlist_module(struct permod_module *module)
{
	struct permod *pm = module->pm;

	*(module->previous ? &module->previous->next : &pm->first) = module->next;
	*(module->next ? &module->next->previous : &pm->last) = module->previous;
	module->listed = false;
}

/* Not if there are none: the C library looks through all of the process, and its lock is one that
 * the child of a fork may find taken for ever. */
static void run_handlers(struct permod_module *module)
{
	if (!module->handlers)
		return;
	module->handlers = false;
	finish_handlers(module->dso_handle);
}

/* Who is in its functions may want the lock. */
static void drop_unlocked(struct permod_module *module, has_function *has)
{
	unsigned int depth = begin_callback(module->pm);

	drop_from_hooks(module, has);
	end_callback(module->pm, depth);
}

/* From here on nobody can take a reference. */
static void close_module(struct permod_module *module)
{
	module->state = PERMOD_GOING;
	if (!percpu_ref_is_dying(&module->references))
		percpu_ref_kill(&module->references);
}

void discard_module(struct permod_module *module)
{
	/* Operations of parameters, or init, may have taken one. */
	close_module(module);
	/* Operations of parameters can register some even if nothing is started. */
	drop_thread_exits(module);
	run_handlers(module);
	drop_unlocked(module, has_address);
	free_parameters(module);
	unregister_module(module);
	if (module->listed) {
		unname_module(module);
		unlist_module(module);
	}
	for (size_t i = 0; i < module->num_uses; i++)
		module->uses[i]->num_users--;
	while (module->num_published > 0)
		remove_export(&module->pm->exports, &module->exports[--module->num_published]);
	forget_frames(module);
	drop_keys(module);
	bury_descriptors(module, has_address);
	give_image(module);
	give_descriptors(module);
	give_block(module->window, module->window_size);
	give_block(module->copies, module->copies_size);
	free_percpu(module->percpu);
	close_tls(module->tls);
	close_libraries(module);
	close_shared(module);
	free(module->constructors);
	free(module->destructors);
	free(module->uses);
	free(module->params);
	free(module->exports);
	free(module->symbols);
	free(module->symbol_index);
	free_symfile(module->symfile);
	free_types(module->types);
	free(module->wished_before);
	free(module->wished_after);
	forget_taint(&module->taint);
	free(module->name);
	free_module(module);
}

/* ---- Constructors and destructors ----------------------------------------------------------- */

/* Sections of function pointers, with "." and a priority behind their names if it isn't the last. */
struct call_section {
	const char *name;
	bool constructors;
	bool old;   /* .ctors and .dtors: the other direction, priorities turned round */
	bool first; /* before all others */
};

static const struct call_section call_sections[] = {
	{ ".preinit_array", true, false, true }, { ".init_array", true, false, false },
	{ ".ctors", true, true, false },	 { ".fini_array", false, false, false },
	{ ".dtors", false, true, false },
};

#define LAST_PRIORITY 65535U

static const struct call_section *call_section_of(const struct link_section *section)
{
	for (size_t i = 0; i < sizeof(call_sections) / sizeof(call_sections[0]); i++) {
		size_t length = strlen(call_sections[i].name);
		char end;

		if (strncmp(section->name, call_sections[i].name, length) != 0)
			continue;
		end = section->name[length];
		return end == '\0' || end == '.' ? &call_sections[i] : NULL;
	}
	return NULL;
}

static unsigned int priority_of(const struct link_section *section, const struct call_section *kind)
{
	const char *number = section->name + strlen(kind->name);
	unsigned long priority = *number ? strtoul(number + 1, NULL, 10) : LAST_PRIORITY;

	if (priority > LAST_PRIORITY)
		priority = LAST_PRIORITY;
	if (kind->first)
		return 0;
	/* .ctors without a number is the last too. */
	return 1 + (unsigned int)(kind->old && *number ? LAST_PRIORITY - priority : priority);
}

/* Keep the array behind those of lower or the same priority. */
static int add_call_array(struct call_array **arrays, size_t *count, struct call_array array)
{
	struct call_array *more = reallocarray(*arrays, *count + 1, sizeof(array));
	size_t place = *count;

	if (!more)
		return -ENOMEM;
	while (place > 0 && more[place - 1].priority > array.priority)
		place--;
	memmove(more + place + 1, more + place, (*count - place) * sizeof(array));
	more[place] = array;
	*arrays = more;
	++*count;
	return 0;
}

static int find_calls_of(struct load *load, struct link_object *object)
{
	struct permod_module *module = load->module;
	struct link_section *section;

	for (unsigned int i = 0; (section = link_object_section(object, i)); i++) {
		const struct call_section *kind;
		struct call_array array;

		if (section->region >= LINK_PERCPU || section->discarded || !section->size)
			continue;
		kind = call_section_of(section);
		if (!kind)
			continue;
		array = (struct call_array){
			.function =
				(void (*const *)(int, char **,
						 char **))link_section_buffer(load->link, section),
			.count = section->size / sizeof(void (*)(void)),
			.priority = priority_of(section, kind),
			.backward = kind->old,
		};
		if ((uintptr_t)array.function % sizeof(void (*)(void)))
			return fail(load->pm, -ENOEXEC,
				    "%s: section %s: alignment %llu is too small for function "
				    "pointers",
				    load->path, section->name, (unsigned long long)section->align);
		if (kind->constructors
			    ? add_call_array(&module->constructors, &module->num_constructors,
					     array)
			    : add_call_array(&module->destructors, &module->num_destructors, array))
			return fail_memory(load->pm);
	}
	return 0;
}

/* A function that a module defines under a name of its own, and its code; 0 if there is none. */
static int find_function(struct load *load, const char *name, uintptr_t *address, uintptr_t *code)
{
	const struct link_symbol *symbol = link_find(load->link, name);

	*address = *code = 0;
	if (!symbol || !symbol->defined || symbol->external)
		return 0;
	*code = link_code_address(load->link, symbol);
	if (!symbol->section || !has_code(load->module, *code))
		return fail(load->pm, -ENOEXEC, "%s: %s is not a function", load->path, name);
	*address = link_pointer(load->link, symbol);
	return 0;
}

int find_calls(struct load *load)
{
	struct permod_module *module = load->module;
	uintptr_t init, exit, code;
	int error = find_function(load, "init_module", &init, &code);

	if (!error)
		error = find_function(load, "cleanup_module", &exit, &code);
	if (!error && goes_with_init(module, code))
		error = fail(load->pm, -ENOEXEC,
			     "%s: cleanup_module (module_exit) is freed when init has returned; it "
			     "must not be __init",
			     load->path);
	if (error)
		return error;
	module->init = (int (*)(void))init;
	module->exit = (void (*)(void))exit;
	add_keys(load);
	for (struct link_object *object = load->link->objects; object && !error;
	     object = link_object_next(object))
		error = find_calls_of(load, object);
	return error;
}

static void call_array(const struct call_array *array, bool backward)
{
	static char *no_arguments[] = { NULL };

	for (size_t i = 0; i < array->count; i++) {
		size_t number = backward ? array->count - 1 - i : i;
		void (*function)(int, char **, char **) = array->function[number];

		/* Old tables begin with -1 and end with 0. */
		if (function && (uintptr_t)function != UINTPTR_MAX)
			function(0, no_arguments, environ);
	}
}

static void run_constructors(struct permod_module *module)
{
	for (size_t i = 0; i < module->num_constructors; i++)
		call_array(&module->constructors[i], module->constructors[i].backward);
	module->started = true;
}

static void run_destructors(struct permod_module *module)
{
	drop_thread_exits(module);
	for (size_t i = module->num_destructors; i-- > 0;)
		call_array(&module->destructors[i], !module->destructors[i].backward);
	run_handlers(module);
	module->started = false;
}

/* ---- Start ---------------------------------------------------------------------------------- */

#define LAST_ERRNO 4095 /* the kernel's MAX_ERRNO */

/* What init needed alone goes; what only it may write is closed. */
static int end_init(struct load *load)
{
	struct permod_module *module = load->module;
	int error = protect_region(load, LINK_RO_AFTER_INIT, PROT_READ);
	bool has_init = false;

	if (error)
		return error;
	drop_init_parameters(module);
	forget_init_frames(module);
	for (size_t region = LINK_INIT_TEXT; region <= LINK_INIT_DATA; region++)
		has_init |= module->part[region].size != 0;
	if (has_init)
		bury_descriptors(module, goes_with_init);
	if (has_init)
		drop_unlocked(module, goes_with_init);
	if (has_init)
		unregister_init(load);
	give_init_image(module);
	return 0;
}

static int run_init(struct load *load)
{
	struct permod_module *module = load->module;
	struct permod *pm = module->pm;
	unsigned int depth = begin_callback(pm);
	int result;

	run_constructors(module);
	result = module->init ? module->init() : 0;
	end_callback(pm, depth);
	if (result >= 0)
		return 0;
	/* Destructors may call back: they find a module that is going, and the line is made last. */
	close_module(module);
	depth = begin_callback(pm);
	drop_from_hooks(module, has_address);
	run_destructors(module);
	end_callback(pm, depth);
	return fail(load->pm, result, "%s: its init returned %d (%s)", load->path, result,
		    result < -LAST_ERRNO ? "no error number" : strerror(-result));
}

/* Nobody is in a function of its, and nobody comes, when exit runs. */
static void run_exit(struct permod_module *module)
{
	struct permod *pm = module->pm;
	unsigned int depth = begin_callback(pm);

	drop_from_hooks(module, has_address);
	if (module->exit)
		module->exit();
	end_callback(pm, depth);
	announce_going(module);
	depth = begin_callback(pm);
	run_destructors(module);
	end_callback(pm, depth);
}

int start_module(struct load *load)
{
	struct permod_module *module = load->module;
	bool run = !(load->flags & PERMOD_LOAD_NO_INIT);
	int error = run ? run_init(load) : 0;

	if (error)
		return error;
	/* Of a shared object nothing is freed. */
	error = module->shared ? 0 : end_init(load);
	if (error && run) {
		close_module(module);
		run_exit(module);
	}
	if (error)
		return error;
	/* Modules that init loaded were live before this one. */
	unlist_module(module);
	list_module(module);
	/* Others could unload it while notifiers are told: the load holds it until it is done. */
	percpu_ref_get(&module->references);
	module->state = PERMOD_LIVE;
	tell_change(module->pm);
	announce(module, PERMOD_LIVE);
	return 0;
}

/* ---- What keeps a module -------------------------------------------------------------------- */

bool uses_module(const struct permod_module *user, const struct permod_module *used)
{
	for (size_t i = 0; i < user->num_uses; i++) {
		if (user->uses[i] == used)
			return true;
	}
	return false;
}

bool is_permanent(const struct permod_module *module)
{
	return module->started && module->init && !module->exit;
}

bool has_thread_exits(const struct permod_module *module)
{
	unsigned int threads;

	return count_thread_exits(module, &threads) > 0;
}

/* ---- References ----------------------------------------------------------------------------- */

/* For who does not go by the header. */
int(permod_get)(struct permod_module *m)
{
	return __permod_get(m);
}

void(permod_put)(struct permod_module *m)
{
	__permod_put(m);
}

/* ---- Unloading ------------------------------------------------------------------------------ */

void remove_module(struct permod_module *module)
{
	struct permod *pm = module->pm;

	close_module(module);
	module->thread = pthread_self();
	if (module->started)
		run_exit(module);
	announce_going(module);
	discard_module(module);
	tell_change(pm);
}

/* -EBUSY with the names of the users, if there are any. */
static int check_users(const struct permod_module *module)
{
	struct permod *pm = module->pm;
	char *names = NULL;
	size_t size;
	FILE *stream = NULL;
	unsigned int count = 0;

	if (!module->num_users)
		return 0;
	for (const struct permod_module *user = pm->first; user; user = user->next) {
		if (!uses_module(user, module))
			continue;
		if (!count++)
			stream = open_memstream(&names, &size);
		if (stream)
			fprintf(stream, "%s%s", count > 1 ? ", " : "", user->name);
	}
	/* What its code calls back from is one that is not in the list yet. */
	if (!count)
		return fail(pm, -EBUSY,
			    "%s: can't be unloaded: it is used by a module that is being loaded",
			    module->name);
	if (!stream || fclose(stream)) {
		free(names);
		return fail_memory(pm);
	}
	fail(pm, -EBUSY, "%s: can't be unloaded: it is used by %s; unload that first", module->name,
	     names);
	free(names);
	return -EBUSY;
}

/* Whoever holds a reference may want the lock. */
static void wait_for_references(struct permod_module *module)
{
	unsigned int depth = begin_callback(module->pm);
	int *word = &module->drained;

	while (!is_drained(module))
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	end_callback(module->pm, depth);
}

static void force(struct permod_module *module, const char *reason)
{
	taint(module->pm, module, PERMOD_TAINT_FORCED_UNLOAD, "%s: was unloaded by force: %s",
	      module->name, reason);
}

static int fail_thread_exits(const struct permod_module *module)
{
	unsigned int threads, count = count_thread_exits(module, &threads);

	return fail(module->pm, -EBUSY,
		    "%s: can't be unloaded: %u destructor%s of its thread-local variables will be "
		    "run by %u thread%s; let %s end first",
		    module->name, count, count == 1 ? "" : "s", threads, threads == 1 ? "" : "s",
		    threads == 1 ? "it" : "them");
}

/* Whoever held it may have registered some while it was waited for. */
static int reopen_for_thread_exits(struct permod_module *module)
{
	percpu_ref_reinit(&module->references);
	module->drained = 0;
	module->state = PERMOD_LIVE;
	tell_change(module->pm);
	return fail_thread_exits(module);
}

/* From here on nobody can take a reference, or there are some. */
static int claim(struct permod_module *module, unsigned int flags)
{
	unsigned long others;

	if (flags & PERMOD_UNLOAD_WAIT && !(flags & PERMOD_UNLOAD_FORCE)) {
		close_module(module);
		wait_for_references(module);
		return has_thread_exits(module) ? reopen_for_thread_exits(module) : 0;
	}
	others = percpu_ref_kill_unused(&module->references);
	if (!others) {
		module->drained = 1;
		return 0;
	}
	if (flags & PERMOD_UNLOAD_FORCE) {
		force(module, "somebody held it");
		return 0;
	}
	return fail(module->pm, -EBUSY,
		    "%s: can't be unloaded: somebody holds it (%lu reference%s by permod_get() or "
		    "try_module_get())",
		    module->name, others, others == 1 ? "" : "s");
}

static int check_unload(struct permod_module *module, unsigned int flags)
{
	struct permod *pm = module->pm;
	bool forced = flags & PERMOD_UNLOAD_FORCE;
	unsigned int unknown = flags & ~(PERMOD_UNLOAD_WAIT | PERMOD_UNLOAD_FORCE);

	if (unknown)
		return fail(pm, -EINVAL, "%s: permod_unload(): unknown flags 0x%x", module->name,
			    unknown);
	if (permod_in_hook())
		return fail(pm, -EDEADLK,
			    "%s: can't be unloaded by a function that a hook called, or a "
			    "notifier: others may be waiting for it; let another thread do it",
			    module->name);
	if (module->state != PERMOD_LIVE)
		return fail(pm, -EBUSY, "%s: can't be unloaded while its %s runs", module->name,
			    module->state == PERMOD_COMING ? "init" : "exit");
	if (is_permanent(module) && !forced)
		return fail(
			pm, -EBUSY,
			"%s: can't be unloaded: it has an init and no exit (module_exit), so it "
			"is permanent",
			module->name);
	if (has_thread_exits(module))
		return fail_thread_exits(module);
	return check_users(module);
}

int permod_unload(struct permod_module *m, unsigned int flags)
{
	struct permod *pm = m->pm;
	int error;

	/* It stayed when its context was freed. */
	if (!pm)
		return -EBUSY;
	if (flags & PERMOD_UNLOAD_DEPENDENCIES)
		return unload_with_dependencies(m, flags & ~PERMOD_UNLOAD_DEPENDENCIES);
	lock_context(pm);
	error = check_unload(m, flags);
	if (!error)
		error = claim(m, flags);
	if (!error && is_permanent(m))
		force(m, "it has an init and no exit");
	if (!error)
		remove_module(m);
	unlock_context(pm);
	return error;
}

int permod_unload_by_name(struct permod *pm, const char *name, unsigned int flags)
{
	struct permod_module *module;
	int error;

	lock_context(pm);
	module = find_module(pm, name);
	error = module ? permod_unload(module, flags)
		       : fail(pm, -ENOENT, "%s: no such module is loaded", name);
	unlock_context(pm);
	return error;
}
