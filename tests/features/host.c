/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What runs the features: with permod, modules that it loads; compiled with -DLINKED, what it is
 * linked with, as list.h names it.
 *
 *     host LIST: each line has a feature's name, how it is loaded, a module's files with ":" between
 *                them, and the file for the output
 *
 * Each runs in a process of its own, so that one can crash without harm to others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS 60 /* enough for any of them */
#define MOST_JOBS 1000
#define MOST_FILES 10

#ifdef LINKED

#define FEATURE(name) void name(void);
#include "list.h"
#undef FEATURE

static const struct {
	const char *name;
	void (*function)(void);
} features[] = {
#define FEATURE(name) { #name, name },
#include "list.h"
};

static void run(const char *name, const char *form, char *files)
{
	(void)form;
	(void)files;
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		if (!strcmp(features[i].name, name)) {
			features[i].function();
			exit(0);
		}
	}
	exit(1);
}

#else
#include <permod/permod.h>

/* Without what the feature does not need, or just so. */
static int load(struct permod *pm, const char *name, const char *form, char *files,
		struct permod_module **module)
{
	const char *paths[MOST_FILES];
	size_t count = 0;

	for (char *path = strtok(files, ":"); path && count < MOST_FILES; path = strtok(NULL, ":"))
		paths[count++] = path;
	if (!strcmp(form, "gc"))
		return permod_load_files(pm, name, paths, count, name, NULL,
					 PERMOD_LOAD_GC_SECTIONS, module);
	return permod_load_files(pm, name, paths, count, NULL, NULL, 0, module);
}

static void run(const char *name, const char *form, char *files)
{
	struct permod *pm;
	struct permod_module *module;
	void (*function)(void);

	if (permod_new(&pm, NULL))
		exit(1);
	if (load(pm, name, form, files, &module)) {
		printf("refused: %s\n", permod_error(pm));
		exit(0);
	}
	function = (void (*)(void))permod_symbol(module, name);
	if (!function)
		printf("no function %s\n", name);
	else
		function();
	if (permod_unload(module, 0))
		printf("not unloaded: %s\n", permod_error(pm));
	permod_free(pm);
	exit(0);
}

#endif

static void run_apart(const char *name, const char *form, char *files, const char *output)
{
	int status = 0;
	pid_t child = fork();

	if (!child) {
		if (!freopen(output, "w", stdout))
			exit(1);
		alarm(SECONDS);
		run(name, form, files);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		exit(1);
	if (status) {
		FILE *out = fopen(output, "a");

		if (!out)
			exit(1);
		fprintf(out, "ended with status 0x%x\n", (unsigned int)status);
		fclose(out);
	}
}

int main(int argc, char **argv)
{
	struct job {
		char name[100], form[20], files[1000], output[1000];
	} jobs[MOST_JOBS];
	FILE *list = argc == 2 ? fopen(argv[1], "r") : NULL;
	int count = 0;

	if (!list)
		return 1;
	while (count < MOST_JOBS &&
	       fscanf(list, "%99s %19s %999s %999s", jobs[count].name, jobs[count].form,
		      jobs[count].files, jobs[count].output) == 4)
		count++;
	/* A child that ends would set the position that is shared. */
	fclose(list);
	for (int i = 0; i < count; i++)
		run_apart(jobs[i].name, jobs[i].form, jobs[i].files, jobs[i].output);
	return 0;
}
