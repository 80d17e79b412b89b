/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of per-CPU memory share: running a piece of test in a child whose death and last
 * words are looked at, running this program again with another environment, and looking at the
 * address space as the kernel tells it (/proc/self), not as the library does.
 *
 * A test program may be started again with the name of one of its `scenes` as argument: a scene is
 * a function that runs in a fresh process, prints, and returns the exit status.
 */
#ifndef TESTS_PERCPU_HELPER_H
#define TESTS_PERCPU_HELPER_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))
#define CHILD_SECONDS 60

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* An assertion for inner loops: Check's own ones write to a file each time. */
#define check_that(condition)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			ck_abort_msg("not so: %s", #condition);                                    \
	} while (0)

/* The command line that an emulator runs this program by, without the program; NULL if none does. */
static inline UNUSED const char *emulator(void)
{
	const char *command = getenv("EMULATOR");

	return command && *command ? command : NULL;
}

/* ---- Children ------------------------------------------------------------------------------- */

/* How a child ended, and what it wrote to standard output and standard error.  Frames of functions that
 * have one stay below 4 KB: under larger ones QEMU 7.2 fails in casa on sparc, as it does not cut the
 * stack pointer to 32 bits there. */
struct outcome {
	int status;
	char text[3072];
};

/* What QEMU itself says of programs that die. */
static inline void drop_lines(char *text, const char *begin)
{
	char *line, *end;

	while ((line = strstr(text, begin)) && (end = strchr(line, '\n')))
		memmove(line, end + 1, strlen(end + 1) + 1);
}

static inline void collect(struct outcome *outcome, pid_t child, int from)
{
	size_t length = 0;
	char rest[512];
	ssize_t got;

	while ((got = read(from, rest, sizeof(rest))) > 0) {
		size_t room = sizeof(outcome->text) - 1 - length;
		size_t taken = (size_t)got < room ? (size_t)got : room;

		memcpy(outcome->text + length, rest, taken);
		length += taken;
	}
	outcome->text[length] = '\0';
	drop_lines(outcome->text, "qemu: uncaught target signal");
	close(from);
	while (waitpid(child, &outcome->status, 0) < 0 && errno == EINTR)
		continue;
}

/* Fork with the child's output going to a pipe; 0 in the child. */
static inline pid_t fork_to_pipe(int *from)
{
	struct rlimit no_core = { 0, 0 };
	int ends[2];
	pid_t child;

	fflush(NULL);
	if (pipe(ends))
		abort();
	child = fork();
	if (child < 0)
		abort();
	if (child) {
		close(ends[1]);
		*from = ends[0];
		return child;
	}
	signal(SIGABRT, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	setrlimit(RLIMIT_CORE, &no_core);
	alarm(CHILD_SECONDS);
	dup2(ends[1], STDOUT_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

/* Run `body` in a child; a body that returns makes the child exit with status 0. */
static inline UNUSED struct outcome run_in_child(void (*body)(void *), void *argument)
{
	struct outcome outcome;
	int from = -1;
	pid_t child = fork_to_pipe(&from);

	if (!child) {
		body(argument);
		fflush(NULL);
		_exit(0);
	}
	collect(&outcome, child, from);
	return outcome;
}

/* Become a new process of this program; not by the link itself, which valgrind takes for its own. */
static inline UNUSED __attribute__((noreturn)) void run_again(const char *argument)
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (length > 0) {
		path[length] = '\0';
		if (emulator())
			execl("/bin/sh", "sh", "-c", "exec $EMULATOR \"$0\" \"$@\"", path, argument,
			      (char *)NULL);
		else
			execl(path, path, argument, (char *)NULL);
	}
	_exit(127);
}

/* Start this program again to play a scene, with "NAME=value" settings (NULL at the end). */
static inline UNUSED struct outcome play(const char *scene, const char *const *settings,
					 rlim_t address_space)
{
	struct rlimit limit = { address_space, address_space };
	struct outcome outcome;
	int from = -1;
	pid_t child = fork_to_pipe(&from);

	if (!child) {
		for (; settings && *settings; settings++)
			putenv((char *)(uintptr_t)*settings);
		if (address_space && setrlimit(RLIMIT_AS, &limit))
			_exit(126);
		run_again(scene);
	}
	collect(&outcome, child, from);
	return outcome;
}

/* Start this program again with a setting, and PERCPU_TEST_MODE to say so: the choice of operations is
 * made once in a process. */
static inline UNUSED int run_mode(const char *name, const char *variable, const char *value)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		setenv("PERCPU_TEST_MODE", name, 1);
		setenv(variable, value, 1);
		run_again(NULL);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0 ? EXIT_SUCCESS
									       : EXIT_FAILURE;
}

struct scene {
	const char *name;
	int (*play)(void);
};

/* For main(): play the scene that the arguments name; -1 if they name none. */
static inline UNUSED int play_named(const struct scene *scenes, size_t count, int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < count; i++) {
		if (!strcmp(argv[1], scenes[i].name))
			return scenes[i].play();
	}
	return -1;
}

static inline UNUSED bool died_by(const struct outcome *outcome, int signal_number)
{
	return WIFSIGNALED(outcome->status) && WTERMSIG(outcome->status) == signal_number;
}

static inline UNUSED bool ended_well(const struct outcome *outcome)
{
	return WIFEXITED(outcome->status) && WEXITSTATUS(outcome->status) == 0;
}

/* ---- The address space, as the kernel tells it ---------------------------------------------- */

/* Read a whole file into a buffer without allocating; returns its length. */
static inline size_t read_whole(const char *path, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t got;

	while (fd >= 0 && length < size - 1 &&
	       (got = read(fd, buffer + length, size - 1 - length)) > 0)
		length += (size_t)got;
	if (fd >= 0)
		close(fd);
	buffer[length] = '\0';
	return length;
}

/* The protection, as "rwxp", of the mapping that holds an address; "" if there is none. */
static inline UNUSED const char *protection_at(uintptr_t address)
{
	static char maps[1 << 18];
	static char protection[8];
	char *line = maps;

	read_whole("/proc/self/maps", maps, sizeof(maps));
	for (; *line; line = strchr(line, '\n') + 1) {
		unsigned long begin, end;

		if (sscanf(line, "%lx-%lx %7s", &begin, &end, protection) == 3 &&
		    address >= begin && address < end)
			return protection;
		if (!strchr(line, '\n'))
			break;
	}
	return "";
}

/* Whether nobody can touch an address of ours.  QEMU's map leaves out some of what is inaccessible. */
static inline UNUSED bool is_closed(uintptr_t address)
{
	const char *protection = protection_at(address);

	return !strcmp(protection, "---p") || (emulator() && !*protection);
}

/* How much memory was written in the mappings that begin in a range of addresses (KiB). */
static inline UNUSED size_t memory_in(uintptr_t begin, uintptr_t end)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	size_t sum = 0, amount;
	bool inside = false;
	char line[512];

	if (!smaps)
		abort();
	while (fgets(line, sizeof(line), smaps)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = from >= begin && from < end;
		else if (inside && sscanf(line, "Anonymous: %zu", &amount) == 1)
			sum += amount;
	}
	fclose(smaps);
	return sum;
}

static inline UNUSED bool under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

/* Whether the compiler has IFUNCs, functions that a resolver chooses: some machines have none. */
static inline UNUSED bool has_indirect_functions(void)
{
	const char *compiler = getenv("CC");
	char line[512];

	snprintf(
		line, sizeof(line),
		"echo 'static int a(void) { return 1; } static int (*b(void))(void) { return a; }"
		"int c(void) __attribute__((ifunc(\"b\")));' | %s -x c -c -o /dev/null - 2>/dev/null",
		compiler && *compiler ? compiler : "gcc");
	return system(line) == 0;
}

/* Where things take ten times as long, and what the kernel tells of memory is not about this program's. */
static inline UNUSED bool is_emulated(void)
{
	return under_valgrind() || emulator();
}

/* Microseconds between signals that come all the time: where all is slow, others shall get on in between. */
static inline UNUSED int pause_between_signals(void)
{
	return is_emulated() ? 5000 : 70;
}

#endif
