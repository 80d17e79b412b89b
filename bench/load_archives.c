/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What does it cost to link and load a library from its static archive, against dlopen() of the same
 * library, which was linked ahead of time, and against LLVM's JITLink, which links the same members
 * (the wall-clock time that llvm-jitlink itself tells, without its start)?  The first is Debian's:
 * libsqlite3-dev, liblua5.4-dev, libssl-dev; what is not installed is left out.  The aims: at most
 * 1.5 of dlopen(), and a tenth of JITLink.
 *
 * Each measurement is in a child of its own, since some libraries never go away again.
 *
 * Settings: BENCH_ROUNDS, CC, LLVM_JITLINK (the program, if it is not one of some usual names).
 */
#include <permod/permod.h>
#include "bench/bench.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct library {
	const char *archive, *shared, *root; /* a symbol that needs most of it */
	char path[512];
};

static struct library libraries[] = {
	{ .archive = "libsqlite3.a", .shared = "libsqlite3.so.0", .root = "sqlite3_exec" },
	{ .archive = "liblua5.4.a", .shared = "liblua5.4.so.0", .root = "luaL_openlibs" },
	{ .archive = "libcrypto.a", .shared = "libcrypto.so.3", .root = "EVP_DigestInit" },
};

static const char *setting(const char *name, const char *otherwise)
{
	return getenv(name) ? getenv(name) : otherwise;
}

/* What a command prints, up to a line. */
static bool ask(const char *command, char *line, size_t size)
{
	FILE *from = popen(command, "r");
	bool got = from && fgets(line, (int)size, from);

	if (from && pclose(from))
		got = false;
	line[got ? strcspn(line, "\n") : 0] = '\0';
	return got;
}

static double load_archive(struct permod *pm, const struct library *library)
{
	struct permod_module *module = NULL;
	double begin = bench_now();

	if (permod_load_root(pm, library->path, library->root, NULL, 0, &module)) {
		fprintf(stderr, "%s\n", permod_error(pm));
		exit(EXIT_FAILURE);
	}
	return bench_now() - begin;
}

/* Debian has a version in the name. */
static const char *find_jitlink(void)
{
	static char name[64];

	if (!*name)
		ask("for name in ${LLVM_JITLINK:-llvm-jitlink llvm-jitlink-19 llvm-jitlink-14}; do "
		    "command -v $name && break; done",
		    name, sizeof(name));
	return name;
}

/* In a child: what comes before the measurement has happened already. */
static double in_child(double (*measure)(const struct library *library),
		       const struct library *library)
{
	double *result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double ns;
	int status;
	pid_t child;

	if (result == MAP_FAILED)
		exit(EXIT_FAILURE);
	child = fork();
	if (!child) {
		*result = measure(library);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		exit(EXIT_FAILURE);
	ns = *result;
	munmap(result, sizeof(*result));
	return ns;
}

static double open_shared(const struct library *library)
{
	double begin = bench_now();

	if (!dlopen(library->shared, RTLD_NOW | RTLD_LOCAL)) {
		fprintf(stderr, "%s\n", dlerror());
		_exit(EXIT_FAILURE);
	}
	return bench_now() - begin;
}

/* The second load of the process, as the first opens libraries that stay. */
static double open_archive(const struct library *library)
{
	struct permod *pm;

	if (permod_new(&pm, NULL))
		_exit(EXIT_FAILURE);
	load_archive(pm, library);
	permod_free(pm);
	if (permod_new(&pm, NULL))
		_exit(EXIT_FAILURE);
	return load_archive(pm, library);
}

static double measure_shared(void *library)
{
	return in_child(open_shared, library);
}

static double measure_archive(void *library)
{
	return in_child(open_archive, library);
}

/* The line "user (..%) system (..%) sum (..%) seconds (..%)  Total". */
static double measure_jitlink(void *arg)
{
	const struct library *library = arg;
	char command[2048], line[512];
	double user, system, sum, seconds;

	snprintf(command, sizeof(command),
		 "cd \"$BENCH_WORK\" && rm -f *.o && ar x '%s' && %s -noexec -phony-externals "
		 "-show-times -entry=%s *.o 2>&1 | grep 'Total$' | tr -d '%%()'",
		 library->path, find_jitlink(), library->root);
	if (!ask(command, line, sizeof(line)) ||
	    sscanf(line, "%lf %*f %lf %*f %lf %*f %lf", &user, &system, &sum, &seconds) != 4)
		return 0;
	return seconds * 1e9;
}

static void compare(struct library *library)
{
	struct bench_candidate candidates[] = {
		{ .name = "dlopen of what was linked before",
		  .measure = measure_shared,
		  .argument = library },
		{ .name = "permod_load_root", .measure = measure_archive, .argument = library },
		{ .name = "LLVM JITLink", .measure = measure_jitlink, .argument = library },
	};
	int rounds = bench_rounds(7), count = 3;
	char command[256];

	snprintf(command, sizeof(command), "%s -print-file-name=%s", setting("CC", "cc"),
		 library->archive);
	if (!ask(command, library->path, sizeof(library->path)) || access(library->path, R_OK)) {
		printf("%s is not installed\n", library->archive);
		return;
	}
	/* Some members are built for the kernel's code model or need what is left out here. */
	if (measure_jitlink(library) <= 0) {
		printf("%s: without llvm-jitlink: not installed, or it can't link this\n",
		       library->archive);
		count = 2;
	}
	bench_run(candidates, count, rounds);
	bench_report(library->archive, candidates, count, rounds);
}

int main(void)
{
	char work[] = "/tmp/permod-bench.XXXXXX", command[128];

	/* What these need themselves is there. */
	if (!dlopen("libm.so.6", RTLD_NOW | RTLD_GLOBAL) || !mkdtemp(work) ||
	    setenv("BENCH_WORK", work, 1))
		return EXIT_FAILURE;
	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++)
		compare(&libraries[i]);
	snprintf(command, sizeof(command), "rm -r '%s'", work);
	return system(command) ? EXIT_FAILURE : EXIT_SUCCESS;
}
