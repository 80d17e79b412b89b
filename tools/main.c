/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command permod: finds the subcommand, tells how to use it, and makes sure at the end that
 * what was written has arrived.
 */
#define _GNU_SOURCE
#include "tool.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const struct command *const commands[] = {
	&run_command, &info_command, &check_command, &map_command, &stamp_command,
};

#define NUM_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void complain_list(const char *subcommand, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void complain_list(const char *subcommand, const char *format, va_list args)
{
	char *text = NULL;

	/* What was written so far comes first where both go to one place. */
	fflush(stdout);
	fprintf(stderr, "permod%s%s: ", subcommand ? " " : "", subcommand ? subcommand : "");
	if (vasprintf(&text, format, args) >= 0)
		print_text(stderr, text);
	fputc('\n', stderr);
	free(text);
}

void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain_list(NULL, format, args);
	va_end(args);
}

enum status usage_error(const struct command *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain_list(command ? command->name : NULL, format, args);
	va_end(args);
	fprintf(stderr, "Try 'permod %s%s--help'.\n", command ? command->name : "",
		command ? " " : "");
	return STATUS_USAGE;
}

void *reallocate(void *memory, size_t count, size_t size)
{
	size_t bytes;

	if (!__builtin_mul_overflow(count, size, &bytes))
		memory = realloc(memory, bytes ? bytes : 1);
	else
		memory = NULL;
	if (memory)
		return memory;
	complain("out of memory");
	exit(STATUS_FAILED);
}

void *allocate(size_t count, size_t size)
{
	void *memory = reallocate(NULL, count, size);

	return memset(memory, 0, count * size);
}

static char *format_list(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

static char *format_list(const char *format, va_list args)
{
	char *text;

	if (vasprintf(&text, format, args) >= 0)
		return text;
	complain("out of memory");
	exit(STATUS_FAILED);
}

char *format_text(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = format_list(format, args);
	va_end(args);
	return text;
}

void append_text(char **text, const char *format, ...)
{
	va_list args;
	char *more, *both;

	va_start(args, format);
	more = format_list(format, args);
	va_end(args);
	both = format_text("%s%s", *text ? *text : "", more);
	free(more);
	free(*text);
	*text = both;
}

/* ---- Options -------------------------------------------------------------------------------- */

static void print_help(const struct command *command)
{
	printf("Usage: permod %s %s\n\n%c%s.\n", command->name, command->synopsis,
	       toupper(command->summary[0]), command->summary + 1);
	if (command->help[0])
		printf("\n%s", command->help);
}

/* getopt_long() has told '?' or ':'; it leaves optopt 0 if there is no such option at all. */
static enum status wrong_option(const struct command *command, int code, char **argv)
{
	const char *text = argv[optind - 1];

	if (code == ':')
		return usage_error(command, "option '%s' needs a value", text);
	if (optopt && strncmp(text, "--", 2) == 0)
		return usage_error(command, "option '%.*s' takes no value", (int)strcspn(text, "="),
				   text);
	if (optopt)
		return usage_error(command, "unknown option '-%c'", optopt);
	return usage_error(command, "unknown option '%s'", text);
}

int next_option(const struct command *command, int argc, char **argv, const struct option *options,
		enum status *status)
{
	int code = getopt_long(argc, argv, "+:h", options, NULL);

	if (code == 'h') {
		print_help(command);
		*status = STATUS_DONE;
		return -1;
	}
	if (code == '?' || code == ':') {
		*status = wrong_option(command, code, argv);
		return -1;
	}
	return code;
}

enum status parse_simple(const struct command *command, int argc, char **argv, bool *json,
			 struct tree_place *place, const char **file)
{
	static const struct option all_options[] = {
		{ "module-dir", required_argument, NULL, 'm' },
		{ "config", required_argument, NULL, 'C' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const struct option *options = place ? all_options : all_options + 2;
	enum status status = STATUS_GO_ON;
	int code;

	*json = false;
	*file = NULL;
	for (;;) {
		while ((code = next_option(command, argc, argv, options, &status)) != -1) {
			*json |= code == 'j';
			if (code == 'm')
				place->dir = optarg;
			else if (code == 'C')
				add_config(place, optarg);
		}
		if (status != STATUS_GO_ON)
			return status;
		if (optind == argc)
			break;
		/* Options may stand behind the file too. */
		if (*file || !command->takes_file)
			return usage_error(command, "too many arguments: '%s'", argv[optind]);
		*file = argv[optind++];
	}
	if (!*file && command->takes_file)
		return usage_error(command, "no FILE given");
	return STATUS_GO_ON;
}

/* ---- The command as a whole ----------------------------------------------------------------- */

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < NUM_COMMANDS; i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}

static enum status show_help(void)
{
	printf("Usage: permod SUBCOMMAND ...\n\n"
	       "Load relocatable ELF objects into a running program, and look at per-CPU memory.\n\n");
	for (size_t i = 0; i < NUM_COMMANDS; i++)
		printf("  %-8s %s\n", commands[i]->name, commands[i]->summary);
	printf("\n"
	       "  permod help SUBCOMMAND    how to use it, also: permod SUBCOMMAND --help\n"
	       "  permod --version          the version, and how per-CPU operations are done\n\n"
	       "Exit status: 0 done, 1 the module failed or could not be loaded, 2 wrong usage.\n");
	return STATUS_DONE;
}

static enum status help_with(int argc, char **argv)
{
	const struct command *command;

	if (argc > 2)
		return usage_error(NULL, "help: too many arguments: '%s'", argv[2]);
	if (argc == 1 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0)
		return show_help();
	command = find_command(argv[1]);
	if (!command)
		return usage_error(NULL, "unknown subcommand '%s'", argv[1]);
	print_help(command);
	return STATUS_DONE;
}

static enum status show_version(void)
{
	printf("permod %s, per-CPU operations: %s\n", permod_version(), pcpu_ops_name());
	return STATUS_DONE;
}

static enum status dispatch(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	const struct command *command;

	opterr = 0;
	switch (getopt_long(argc, argv, "+:hV", options, NULL)) {
	case 'h':
		return show_help();
	case 'V':
		return show_version();
	case -1:
		break;
	default:
		return wrong_option(NULL, '?', argv);
	}
	argc -= optind;
	argv += optind;
	if (argc == 0)
		return usage_error(NULL, "no subcommand given");
	if (strcmp(argv[0], "help") == 0)
		return help_with(argc, argv);
	command = find_command(argv[0]);
	if (!command)
		return usage_error(NULL, "unknown subcommand '%s'", argv[0]);
	optind = 1;
	return command->run(argc, argv);
}

int main(int argc, char **argv)
{
	enum status status = dispatch(argc, argv);

	errno = 0;
	if ((fflush(stdout) || ferror(stdout)) && status == STATUS_DONE) {
		/* Why, nobody knows any more if it was before. */
		complain("can't write the output%s%s", errno ? ": " : "",
			 errno ? strerror(errno) : "");
		return STATUS_FAILED;
	}
	return (int)status;
}
