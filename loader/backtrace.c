/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Backtraces with the names of modules, their sections and symbols, and a handler for crashes that
 * prints one.
 *
 * All this may happen in a signal's handler, of a process that is damaged: text is put together in a
 * buffer on the stack and written at once, a line after another, so that what comes before a second
 * crash is there.  What the C library does is not ours to choose: backtrace() loads the unwinder when
 * it is called first, which is therefore done before; dladdr() takes a lock.  Where it has no such
 * function, ours asks the compiler's unwinder (walk.c).
 */
#define _GNU_SOURCE
#include "internal.h"

#include "loader/arch.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_BACKTRACE
#include <execinfo.h>
#else
#define backtrace walk_stack
#endif

#define MOST_FRAMES 64
#define LINE_BYTES 512

/* ---- Text ----------------------------------------------------------------------------------- */

struct line {
	char text[LINE_BYTES];
	size_t length;
};

static void add_text(struct line *line, const char *text)
{
	/* The last byte is the newline's. */
	while (*text && line->length < LINE_BYTES - 1)
		line->text[line->length++] = *text++;
}

static void add_number(struct line *line, uintptr_t number, unsigned int base, unsigned int width)
{
	char digits[24], *at = digits + sizeof(digits) - 1;

	*at = '\0';
	do {
		*--at = "0123456789abcdef"[number % base];
		number /= base;
	} while (number || (size_t)(digits + sizeof(digits) - 1 - at) < width);
	add_text(line, at);
}

static void add_hex(struct line *line, uintptr_t number)
{
	add_text(line, "0x");
	add_number(line, number, 16, 0);
}

static void write_line(int fd, struct line *line)
{
	const char *at = line->text;
	size_t left;

	line->text[line->length++] = '\n';
	left = line->length;
	while (left) {
		ssize_t written = write(fd, at, left);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return;
		at += written;
		left -= (size_t)written;
	}
}

/* ---- Places --------------------------------------------------------------------------------- */

static void add_name_and_offset(struct line *line, const char *name, uintptr_t offset)
{
	add_text(line, name);
	add_text(line, "+");
	add_hex(line, offset);
}

/* "module:section symbol+0x12" */
static void add_found(struct line *line, const struct permod_address *found)
{
	add_text(line, found->module);
	add_text(line, ":");
	add_text(line, *found->section ? found->section : found->region);
	add_text(line, " ");
	add_name_and_offset(line, found->symbol, found->offset);
}

static bool is_known(uintptr_t address)
{
	struct permod_address found;
	Dl_info info;

	return permod_addr((void *)address, &found) == 0 || dladdr((void *)address, &info);
}

/* Otherwise what dladdr() knows: "libc.so.6 qsort+0x12". */
static void add_place(struct line *line, uintptr_t address, bool is_return)
{
	struct permod_address found;
	const char *file;
	Dl_info info;

	/* It is behind the call, which may be the last instruction of its function. */
	if (permod_addr((void *)(address - is_return), &found) == 0) {
		found.offset += is_return;
		add_found(line, &found);
		return;
	}
	if (!dladdr((void *)(address - is_return), &info) || !info.dli_fname) {
		add_text(line, "?");
		return;
	}
	file = strrchr(info.dli_fname, '/');
	add_text(line, file ? file + 1 : info.dli_fname);
	add_text(line, " ");
	if (info.dli_sname)
		add_name_and_offset(line, info.dli_sname, address - (uintptr_t)info.dli_saddr);
	else
		add_name_and_offset(line, "", address - (uintptr_t)info.dli_fbase);
}

static void print_frame(int fd, unsigned int number, uintptr_t address, bool is_return)
{
	struct line line = { .length = 0 };

	add_text(&line, number < 10 ? " #" : "#");
	add_number(&line, number, 10, 0);
	add_text(&line, " 0x");
	add_number(&line, address, 16, 2 * sizeof(address));
	add_text(&line, " ");
	add_place(&line, address, is_return);
	write_line(fd, &line);
}

/* ---- Backtraces ----------------------------------------------------------------------------- */

/* Make the C library load what backtrace() needs. */
static void prepare(void)
{
	void *frame;

	backtrace(&frame, 1);
}

__attribute__((noinline)) void permod_backtrace(int fd)
{
	void *frames[MOST_FRAMES];
	int count = backtrace(frames, MOST_FRAMES), old = errno;

	/* Without this function itself. */
	for (int i = 1; i < count; i++)
		print_frame(fd, (unsigned int)(i - 1), (uintptr_t)frames[i], true);
	errno = old;
}

/* From where the signal came; if the unwinder does not find it, this place alone, or, if there is no
 * code of anybody, also what called it, by a pointer that was wrong. */
static void print_crash_frames(int fd, const ucontext_t *context)
{
	void *frames[MOST_FRAMES];
	int count = backtrace(frames, MOST_FRAMES), first = 0;
	uintptr_t pc = program_counter(context);

	while (first < count && (uintptr_t)frames[first] != pc)
		first++;
	print_frame(fd, 0, pc, false);
	for (int i = first + 1; i < count; i++)
		print_frame(fd, (unsigned int)(i - first), (uintptr_t)frames[i], true);
	if (first + 1 >= count && !is_known(pc))
		print_frame(fd, 1, return_address(context), true);
}

/* ---- Crashes -------------------------------------------------------------------------------- */

static const struct {
	int number;
	const char *name;
	bool has_address;
} crash_signals[] = {
	{ SIGSEGV, "SIGSEGV, a bad memory access", true },
	{ SIGBUS, "SIGBUS, a bad memory access", true },
	{ SIGILL, "SIGILL, a bad instruction", false },
	{ SIGFPE, "SIGFPE, a bad division", false },
	{ SIGTRAP, "SIGTRAP, a trap", false },
	{ SIGABRT, "SIGABRT, an abort", false },
};

#define CRASH_SIGNALS (sizeof(crash_signals) / sizeof(crash_signals[0]))

static int crash_fd;
static pid_t crashing; /* the thread that prints, or 0; atomic */

static void print_signal(int number, const siginfo_t *info)
{
	struct line line = { .length = 0 };
	struct permod_address found;

	for (size_t i = 0; i < CRASH_SIGNALS; i++) {
		if (crash_signals[i].number != number)
			continue;
		add_text(&line, "crashed by signal ");
		add_text(&line, crash_signals[i].name);
		if (crash_signals[i].has_address && info->si_code > 0) {
			add_text(&line, " at ");
			add_hex(&line, (uintptr_t)info->si_addr);
			if (permod_addr(info->si_addr, &found) == 0) {
				add_text(&line, " ");
				add_found(&line, &found);
				/* The usual mistake: a cookie was dereferenced. */
				if (found.cpu < 0 && strcmp(found.region, "percpu") == 0)
					add_text(&line,
						 ", a per-CPU variable without this_cpu_*()");
			}
		}
	}
	add_text(&line, ", in:");
	write_line(crash_fd, &line);
}

/* Prints, and lets the signal do what it does without a handler: the instruction is executed again, or
 * the signal is sent again. */
static void handle_crash(int number, siginfo_t *info, void *context)
{
	pid_t none = 0, self = gettid();
	struct sigaction action = { .sa_handler = SIG_DFL };

	if (__atomic_compare_exchange_n(&crashing, &none, self, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE)) {
		print_signal(number, info);
		print_crash_frames(crash_fd, context);
	} else if (none != self) {
		/* Another thread is at it, and ends the process. */
		for (;;)
			pause();
	}
	sigaction(number, &action, NULL);
	if (info->si_code <= 0)
		raise(number);
}

int permod_catch_crashes(int fd)
{
	struct sigaction action = { .sa_sigaction = handle_crash,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

	crash_fd = fd;
	prepare();
	for (size_t i = 0; i < CRASH_SIGNALS; i++) {
		struct sigaction old;

		/* A debugging tool's handler knows more. */
		if (sigaction(crash_signals[i].number, NULL, &old))
			return -errno;
		if (!(old.sa_flags & SA_SIGINFO) && old.sa_handler == SIG_DFL &&
		    sigaction(crash_signals[i].number, &action, NULL))
			return -errno;
	}
	return 0;
}
