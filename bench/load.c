/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What does it cost to load a small module, call it once and unload it, against dlopen(), dlsym(),
 * a call and dlclose() of the same code as a shared object? Files are in the page cache. The aim:
 * at most 0.8 of dlopen.
 *
 * Settings: BENCH_ROUNDS, BENCH_COUNT (loads in a round), BENCH_DIR (where the modules and shared
 * objects are; bench/ if it isn't set).
 */
#include <permod/permod.h>
#include "bench/bench.h"

#include <dlfcn.h>

static long count = 500;
static struct permod *pm;

static void *must(void *found, const char *what)
{
	if (found)
		return found;
	fprintf(stderr, "%s: %s\n", what, *permod_error(pm) ? permod_error(pm) : dlerror());
	exit(EXIT_FAILURE);
}

static void load_module(const char *path)
{
	struct permod_module *module = NULL;
	void (*tick)(void);

	permod_load(pm, path, NULL, 0, &module);
	must(module, path);
	tick = permod_symbol(module, "tick");
	must(tick, path);
	tick();
	if (permod_unload(module, 0))
		must(NULL, path);
}

static void load_shared(const char *path, int mode)
{
	void *object = must(dlopen(path, mode | RTLD_LOCAL), path);
	void (*tick)(void) = must(dlsym(object, "tick"), path);

	tick();
	if (dlclose(object))
		must(NULL, path);
	/* Otherwise the next dlopen() would find it there. */
	if (dlopen(path, mode | RTLD_LOCAL | RTLD_NOLOAD)) {
		fprintf(stderr, "%s: dlclose() does not unload it\n", path);
		exit(EXIT_FAILURE);
	}
}

static double measure_module(void *path)
{
	double begin = bench_now();

	for (long i = 0; i < count; i++)
		load_module(path);
	return (bench_now() - begin) / (double)count;
}

static double measure_now(void *path)
{
	double begin = bench_now();

	for (long i = 0; i < count; i++)
		load_shared(path, RTLD_NOW);
	return (bench_now() - begin) / (double)count;
}

static double measure_lazy(void *path)
{
	double begin = bench_now();

	for (long i = 0; i < count; i++)
		load_shared(path, RTLD_LAZY);
	return (bench_now() - begin) / (double)count;
}

/* BENCH_DIR/NAME, with a slash in any case, lest dlopen() look elsewhere. */
static char *path_of(const char *name)
{
	const char *folder = getenv("BENCH_DIR") ? getenv("BENCH_DIR") : "bench";
	size_t size = strlen(folder) + strlen(name) + 2;
	char *path = must(malloc(size), "malloc");

	snprintf(path, size, "%s/%s", folder, name);
	return path;
}

static void compare(const char *title, const char *module, const char *shared)
{
	char *module_path = path_of(module), *shared_path = path_of(shared);
	struct bench_candidate candidates[] = {
		{ .name = "dlopen (now), call, dlclose",
		  .measure = measure_now,
		  .argument = shared_path },
		{ .name = "dlopen (lazy), call, dlclose",
		  .measure = measure_lazy,
		  .argument = shared_path },
		{ .name = "permod_load, call, permod_unload",
		  .measure = measure_module,
		  .argument = module_path },
	};
	int rounds = bench_rounds(11);

	bench_run(candidates, 3, rounds);
	bench_report(title, candidates, 3, rounds);
	free(module_path);
	free(shared_path);
}

int main(void)
{
	if (getenv("BENCH_COUNT"))
		count = atol(getenv("BENCH_COUNT"));
	if (count <= 0 || permod_new(&pm, NULL))
		return EXIT_FAILURE;
	compare("a counter and stderr", "load_plain.ko", "load_plain.so");
	compare("a per-CPU counter", "load_percpu.ko", "load_percpu.so");
	permod_free(pm);
	return EXIT_SUCCESS;
}
