/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What does a call out of a module cost, to the program and to libc, against the same code linked into
 * the program, and in a shared object, which calls through its PLT?
 *
 * A module lies next to libc, so its calls there are direct; the program is out of reach, and these
 * calls go through a stub, which is what a PLT entry is.
 *
 * Settings: BENCH_ROUNDS, BENCH_COUNT (calls a round), BENCH_DIR.
 */
#include <permod/permod.h>
#include "bench/bench.h"

#include <dlfcn.h>

/* See calls_module.c, which is a part of this program, a module, and a shared object. */
long bench_call_program(long count);
long bench_call_libc(long count);

long bench_step(long value);
__attribute__((noinline, noipa)) long bench_step(long value)
{
	return value + 1;
}
EXPORT_SYMBOL(bench_step);

static long count = 20000000;

static double measure(void *function)
{
	long (*run)(long);
	double begin = bench_now();

	memcpy(&run, function, sizeof(run));
	if (run(count) != count) {
		fprintf(stderr, "a call gave a wrong result\n");
		exit(EXIT_FAILURE);
	}
	return (bench_now() - begin) / (double)count;
}

static void *must(void *pointer, const char *error)
{
	if (pointer)
		return pointer;
	fprintf(stderr, "%s\n", error);
	exit(EXIT_FAILURE);
}

static void compare(const char *title, void *program, void *module, void *shared)
{
	struct bench_candidate candidates[] = {
		{ .name = "in the program", .measure = measure, .argument = &program },
		{ .name = "in a module", .measure = measure, .argument = &module },
		{ .name = "in a shared object", .measure = measure, .argument = &shared },
	};
	int rounds = bench_rounds(15);

	bench_run(candidates, 3, rounds);
	bench_report(title, candidates, 3, rounds);
}

int main(void)
{
	const char *folder = getenv("BENCH_DIR") ? getenv("BENCH_DIR") : "bench";
	struct permod_module *module = NULL;
	struct permod *pm = NULL;
	char path[4096];
	void *shared;

	if (getenv("BENCH_COUNT"))
		count = atol(getenv("BENCH_COUNT"));
	snprintf(path, sizeof(path), "%s/calls_module.ko", folder);
	if (count <= 0 || permod_new(&pm, NULL) || permod_load(pm, path, NULL, 0, &module))
		must(NULL, permod_error(pm));
	snprintf(path, sizeof(path), "%s/calls_module.so", folder);
	shared = must(dlopen(path, RTLD_NOW), path);
	compare("a call of a function of the program", (void *)bench_call_program,
		permod_symbol(module, "bench_call_program"),
		must(dlsym(shared, "bench_call_program"), "dlsym"));
	compare("a call of a function of libc", (void *)bench_call_libc,
		permod_symbol(module, "bench_call_libc"),
		must(dlsym(shared, "bench_call_libc"), "dlsym"));
	dlclose(shared);
	permod_free(pm);
	return EXIT_SUCCESS;
}
