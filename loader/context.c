/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Contexts: sets of modules that see each other, each with its exports and its last error.
 */
#define _GNU_SOURCE
#include "internal.h"

#include "loader/arch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PERMOD_FLAGS (PERMOD_NO_LIBDL | PERMOD_NO_DEBUGGER | PERMOD_HUGE_TEXT)

/* An error line that needs no memory. */
static char no_memory_text[] = "out of memory";
/* Why permod_new() failed last, in any thread. */
static const char *new_error = "";

/* Callbacks that the thread is in. */
static __thread unsigned int callbacks __attribute__((tls_model("initial-exec")));

void lock_context(struct permod *pm)
{
	pthread_mutex_lock(&pm->lock);
	pm->depth++;
}

void unlock_context(struct permod *pm)
{
	pm->depth--;
	pthread_mutex_unlock(&pm->lock);
}

unsigned int begin_callback(struct permod *pm)
{
	unsigned int depth = pm->depth;

	callbacks++;
	for (unsigned int i = 0; i < depth; i++)
		unlock_context(pm);
	return depth;
}

void end_callback(struct permod *pm, unsigned int depth)
{
	callbacks--;
	for (unsigned int i = 0; i < depth; i++)
		lock_context(pm);
}

bool in_callback(void)
{
	return callbacks > 0;
}

/* ---- What all contexts share ---------------------------------------------------------------- */

/* It is held for a moment only: to sleep until it is free would take longer. */
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
#define BRIEF_MUTEX PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
#else
#define BRIEF_MUTEX PTHREAD_MUTEX_INITIALIZER
#endif

static _Alignas(64) pthread_mutex_t shared_lock = BRIEF_MUTEX;
static pthread_once_t shared_once = PTHREAD_ONCE_INIT;

void lock_shared(void)
{
	pthread_mutex_lock(&shared_lock);
}

void unlock_shared(void)
{
	pthread_mutex_unlock(&shared_lock);
}

/* The child of a fork must not find the locks held by a thread that it doesn't have. */

static bool forking_with_dl; /* under the shared lock */

static void before_fork(void)
{
	bool locked = lock_dl_for_fork();

	lock_packs();
	lock_shared();
	lock_hooks();
	forking_with_dl = locked;
}

static void parent_after_fork(void)
{
	bool locked = forking_with_dl;

	unlock_hooks();
	unlock_shared();
	seal_and_unlock_packs();
	unlock_dl(locked);
}

static void child_after_fork(void)
{
	bool locked = forking_with_dl;

	forget_calls_of_others();
	forget_readers();
	forget_exits_of_others();
	forget_dl_threads();
	unlock_shared();
	seal_and_unlock_packs();
	unlock_dl(locked);
}

static void release_nothing(struct percpu_ref *ref)
{
	(void)ref;
}

/* Handlers of libpercpu's have to come first: in the child its locks are free then. */
static void start_watching(void)
{
	struct percpu_ref first;

	if (!percpu_ref_init(&first, release_nothing, 0))
		percpu_ref_exit(&first);
	pthread_atfork(before_fork, parent_after_fork, child_after_fork);
}

void watch_forks(void)
{
	pthread_once(&shared_once, start_watching);
}

/* ---- Errors --------------------------------------------------------------------------------- */

static void set_error(struct permod *pm, char *text)
{
	char *old = pm->error;

	pm->error = text;
	if (old != no_memory_text)
		free(old);
}

void report_error(void *arg, const char *format, va_list args)
{
	char *text;

	if (vasprintf(&text, format, args) < 0)
		text = no_memory_text;
	else
		link_keep_one_line(text);
	set_error(arg, text);
}

void keep_error(struct permod *pm, char *text)
{
	set_error(pm, text);
}

int fail(struct permod *pm, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report_error(pm, format, args);
	va_end(args);
	return error;
}

int fail_memory(struct permod *pm)
{
	set_error(pm, no_memory_text);
	return -ENOMEM;
}

/* What each thread was told last: others may have another error meanwhile, and free the line. */
static pthread_key_t line_key;
static bool has_line_key;
static pthread_once_t line_once = PTHREAD_ONCE_INIT;

static void make_line_key(void)
{
	has_line_key = !pthread_key_create(&line_key, free);
}

static const char *tell_line(const char *line)
{
	char *told, *copy;

	pthread_once(&line_once, make_line_key);
	told = has_line_key ? pthread_getspecific(line_key) : NULL;
	if (told && strcmp(told, line) == 0)
		return told;
	copy = has_line_key ? strdup(line) : NULL;
	if (!copy || pthread_setspecific(line_key, copy)) {
		free(copy);
		return no_memory_text;
	}
	free(told);
	return copy;
}

const char *permod_error(const struct permod *pm)
{
	const char *line;

	if (!pm)
		return __atomic_load_n(&new_error, __ATOMIC_ACQUIRE);
	lock_context((struct permod *)pm);
	line = pm->error && *pm->error ? tell_line(pm->error) : "";
	unlock_context((struct permod *)pm);
	return line;
}

/* ---- Lists ---------------------------------------------------------------------------------- */

/* The list is a pointer of any type, so it is fetched and stored by its bytes. */
void *grow(void *list, size_t *count, size_t size)
{
	void *entries;

	memcpy(&entries, list, sizeof(entries));
	/* Whenever the count is a power of two, the room is doubled. */
	if ((*count & (*count - 1)) == 0)
		entries = reallocarray(entries, *count ? *count * 2 : 1, size);
	if (!entries)
		return NULL;
	memcpy(list, &entries, sizeof(entries));
	return memset((char *)entries + size * (*count)++, 0, size);
}

/* ---- Life ----------------------------------------------------------------------------------- */

static int fail_new(int error, const char *text)
{
	__atomic_store_n(&new_error, text, __ATOMIC_RELEASE);
	return error;
}

/* A caller that is older knows fewer fields, a newer one must not have set those that we don't know. */
static int read_options(const struct permod_options *given, struct permod_options *options)
{
	const size_t least = offsetof(struct permod_options, flags) + sizeof(options->flags);
	const unsigned char *bytes = (const unsigned char *)given;

	*options = (struct permod_options){ 0 };
	if (!given)
		return 0;
	if (given->size < least)
		return fail_new(-EINVAL, "permod_new(): options->size is not "
					 "sizeof(struct permod_options)");
	for (size_t i = sizeof(*options); i < given->size; i++) {
		if (bytes[i])
			return fail_new(-EINVAL, "permod_new(): options has a field that this "
						 "version does not know");
	}
	memcpy(options, given, given->size < sizeof(*options) ? given->size : sizeof(*options));
	if (options->flags & ~PERMOD_FLAGS)
		return fail_new(-EINVAL,
				"permod_new(): options->flags has a flag that this version "
				"does not know");
	if (options->signatures > PERMOD_SIGNATURES_ENFORCE)
		return fail_new(-EINVAL, "permod_new(): options->signatures is none of "
					 "PERMOD_SIGNATURES_*");
	if (options->signatures != PERMOD_SIGNATURES_OFF && !can_verify)
		return fail_new(-ENOSYS, "permod_new(): options->signatures: this permod was built "
					 "without OpenSSL, which checks signatures");
	return 0;
}

/* 0 is for the usual. */
static uint64_t limit_or(uint64_t limit, uint64_t usual)
{
	return limit ? limit : usual;
}

/* Init and exit of modules call back into their context. */
static int init_lock(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attributes;
	int error;

	if (pthread_mutexattr_init(&attributes))
		return -ENOMEM;
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
	error = pthread_mutex_init(lock, &attributes);
	pthread_mutexattr_destroy(&attributes);
	return -error;
}

/* Whether an environment variable is there and neither empty nor 0. */
static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value && strcmp(value, "0") != 0;
}

static void free_list(char **list)
{
	for (char **text = list; text && *text; text++)
		free(*text);
	free(list);
}

static void free_options(struct permod *pm)
{
	free_list(pm->config_paths);
	free(pm->module_dir);
	free_list(pm->licences);
	free(pm->demand);
}

static int copy_string(char **copy, const char *text)
{
	if (!text)
		return 0;
	*copy = strdup(text);
	return *copy ? 0 : -ENOMEM;
}

/* With a NULL behind the last. */
static int copy_list(char ***copy, const char *const *list)
{
	size_t count = 0;

	if (!list)
		return 0;
	while (list[count])
		count++;
	*copy = calloc(count + 1, sizeof(char *));
	for (size_t i = 0; *copy && i < count; i++) {
		(*copy)[i] = strdup(list[i]);
		if (!(*copy)[i])
			return -ENOMEM;
	}
	return *copy ? 0 : -ENOMEM;
}

static int copy_options(struct permod *pm, const struct permod_options *options)
{
	pm->flags = options->flags;
	pm->request = options->request;
	pm->request_arg = options->request_arg;
	pm->signatures = options->signatures;
	pm->max_file_size = limit_or(options->max_file_size, PERMOD_MAX_FILE_SIZE);
	pm->max_expanded_size = limit_or(options->max_expanded_size, PERMOD_MAX_EXPANDED_SIZE);
	if (copy_string(&pm->demand, options->host) ||
	    copy_string(&pm->module_dir, options->module_dir))
		return -ENOMEM;
	if (copy_list(&pm->licences, options->licences))
		return -ENOMEM;
	return copy_list(&pm->config_paths, options->config_paths);
}

int permod_new(struct permod **pm, const struct permod_options *given)
{
	struct permod_options options;
	int error = read_options(given, &options);
	const char *setting;
	struct permod *made;

	*pm = NULL;
	if (error)
		return error;
	watch_forks();
	if (!knows_profile())
		return fail_new(-EINVAL, "the environment variable PERMOD_PERF has a value that is "
					 "unknown; it can be map, jitdump, or 0");
	made = calloc(1, sizeof(*made));
	if (!made || init_lock(&made->lock)) {
		free(made);
		return fail_new(-ENOMEM, no_memory_text);
	}
	if (copy_options(made, &options)) {
		free_options(made);
		pthread_mutex_destroy(&made->lock);
		free(made);
		return fail_new(-ENOMEM, no_memory_text);
	}
	pthread_cond_init(&made->changed, NULL);
	made->notifiers.name = "notifiers";
	setting = getenv("PERMOD_PACK");
	if (is_set("PERMOD_NO_DEBUGGER"))
		made->flags |= PERMOD_NO_DEBUGGER;
	/* Other CPUs may have old code of a page that could be run all the time.
	 * perf looks up names for anonymous memory alone, and shared pages are a file's; valgrind does
	 * for files that it can read.  And others with our rights can write to the file by /proc, though
	 * what they wrote would not have been verified. */
	made->whole_pages = FLUSH_IS_LOCAL || (setting && strcmp(setting, "0") == 0) ||
			    wants_profile() || options.signatures != PERMOD_SIGNATURES_OFF ||
			    (!(setting && *setting) && !(made->flags & PERMOD_NO_DEBUGGER) &&
			     runs_on_valgrind());
	made->pack = begin_packing();
	*pm = made;
	return 0;
}

/* The last one that can go. */
static struct permod_module *next_to_go(const struct permod *pm)
{
	struct permod_module *module = pm->last;

	while (module && (module->state == PERMOD_COMING || module->num_users ||
			  is_permanent(module) || has_thread_exits(module)))
		module = module->previous;
	return module;
}

void permod_free(struct permod *pm)
{
	struct permod_module *module;
	struct host_exports *exports;

	if (!pm)
		return;
	lock_context(pm);
	/* An exit may unload others: look anew each time. */
	while ((module = next_to_go(pm)))
		remove_module(module);
	/* The others stay, and what they use. */
	for (module = pm->first; module; module = module->next)
		module->pm = NULL;
	unlock_context(pm);
	forget_notifiers(pm);
	while ((exports = pm->host_exports)) {
		pm->host_exports = exports->next;
		free(exports);
	}
	free(pm->exports.bucket);
	free(pm->modules.bucket);
	forget_known(&pm->known);
	forget_image_types(pm);
	free_options(pm);
	forget_taint(&pm->taint);
	free_certificates(&pm->certificates);
	set_error(pm, NULL);
	pthread_cond_destroy(&pm->changed);
	pthread_mutex_destroy(&pm->lock);
	end_packing(pm->pack);
	free(pm);
}

const char *permod_version(void)
{
	return PACKAGE_VERSION;
}
