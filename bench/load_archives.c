/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What does it cost to link and load a library from its static archive, against dlopen() of the same
 * library, which was linked ahead of time, and against LLVM's JITLink, which links the same members
 * (what llvm-jitlink itself tells, without its start)?  Processor time counts, and page faults are told,
 * which are much of it.  The libraries are Debian's:
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
#include <sys/resource.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct library {
	const char *archive, *shared, *root; /* a symbol that needs most of it */
	char path[512], copy[512];	     /* of the archive; of a copy of the shared library */
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

/* What is measured in a child, for its parent. */
static struct cost {
	double ns;
	long faults;
} * cost;

static struct cost now(void)
{
	struct timespec time;
	struct rusage usage;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	getrusage(RUSAGE_SELF, &usage);
	return (struct cost){ (double)time.tv_sec * 1e9 + (double)time.tv_nsec, usage.ru_minflt };
}

static void tell_cost(struct cost begin)
{
	struct cost end = now();

	*cost = (struct cost){ end.ns - begin.ns, end.faults - begin.faults };
}

static void load_archive(const struct library *library)
{
	struct permod_module *module = NULL;
	struct permod *pm;
	struct cost begin;

	if (permod_new(&pm, NULL))
		_exit(EXIT_FAILURE);
	begin = now();
	if (permod_load_root(pm, library->path, library->root, NULL, 0, &module)) {
		fprintf(stderr, "%s\n", permod_error(pm));
		_exit(EXIT_FAILURE);
	}
	tell_cost(begin);
	permod_free(pm);
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
static double in_child(void (*measure)(const struct library *library),
		       const struct library *library)
{
	int status;
	pid_t child = fork();

	if (!child) {
		measure(library);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		exit(EXIT_FAILURE);
	return cost->ns;
}

static void open_shared(const struct library *library)
{
	struct cost begin = now();

	if (!dlopen(library->copy, RTLD_NOW | RTLD_LOCAL)) {
		fprintf(stderr, "%s\n", dlerror());
		_exit(EXIT_FAILURE);
	}
	tell_cost(begin);
}

/* The first one opens libraries that stay. */
static void load_again(const struct library *library)
{
	load_archive(library);
	load_archive(library);
}

static double measure_shared(void *library)
{
	return in_child(open_shared, library);
}

static double measure_first(void *library)
{
	return in_child(load_archive, library);
}

static double measure_archive(void *library)
{
	return in_child(load_again, library);
}

/* The line "user (..%) system (..%) sum (..%) seconds (..%)  Total". */
static double measure_jitlink(void *arg)
{
	const struct library *library = arg;
	char command[2048], line[512];
	double user, system, sum;

	snprintf(command, sizeof(command),
		 "cd \"$BENCH_WORK\" && rm -f *.o && ar x '%s' && %s -noexec -phony-externals "
		 "-show-times -entry=%s *.o 2>&1 | grep 'Total$' | tr -d '%%()'",
		 library->path, find_jitlink(), library->root);
	if (!ask(command, line, sizeof(line)) ||
	    sscanf(line, "%lf %*f %lf %*f %lf", &user, &system, &sum) != 3)
		return 0;
	return sum * 1e9;
}

static bool find_archive(struct library *library)
{
	char command[256];

	snprintf(command, sizeof(command), "%s -print-file-name=%s", setting("CC", "cc"),
		 library->archive);
	return ask(command, library->path, sizeof(library->path)) && !access(library->path, R_OK);
}

/* The dynamic linker would find this program's own again: of a copy it knows nothing. */
static bool copy_shared(struct library *library)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "cp \"$(%s -print-file-name=%s)\" \"$BENCH_WORK\" && echo \"$BENCH_WORK/%s\"",
		 setting("CC", "cc"), library->shared, library->shared);
	return ask(command, library->copy, sizeof(library->copy));
}

static void compare(struct library *library)
{
	struct bench_candidate candidates[] = {
		{ .name = "dlopen of what was linked before",
		  .measure = measure_shared,
		  .argument = library },
		{ .name = "permod_load_root", .measure = measure_archive, .argument = library },
		{ .name = "the first one of a process",
		  .measure = measure_first,
		  .argument = library },
		{ .name = "LLVM JITLink", .measure = measure_jitlink, .argument = library },
	};
	int rounds = bench_rounds(7), count = 4;

	if (!find_archive(library) || !copy_shared(library)) {
		printf("%s is not installed\n", library->archive);
		return;
	}
	/* Some members are built for the kernel's code model or need what is left out here. */
	if (measure_jitlink(library) <= 0) {
		printf("%s: without llvm-jitlink: not installed, or it can't link this\n",
		       library->archive);
		count = 3;
	}
	bench_run(candidates, count, rounds);
	bench_report(library->archive, candidates, count, rounds);
	for (int i = 0; i < 3; i++) {
		candidates[i].measure(library);
		printf("  %-40s %ld page faults\n", candidates[i].name, cost->faults);
	}
}

int main(void)
{
	char work[] = "/tmp/permod-bench.XXXXXX", command[128];

	cost = mmap(NULL, sizeof(*cost), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (cost == MAP_FAILED)
		return EXIT_FAILURE;
	/* What these need themselves is there. */
	if (!dlopen("libm.so.6", RTLD_NOW | RTLD_GLOBAL) || !mkdtemp(work) ||
	    setenv("BENCH_WORK", work, 1))
		return EXIT_FAILURE;
	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++)
		compare(&libraries[i]);
	snprintf(command, sizeof(command), "rm -r '%s'", work);
	return system(command) ? EXIT_FAILURE : EXIT_SUCCESS;
}
