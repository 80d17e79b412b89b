/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command's own header: read it first.
 *
 * The command is the first user of the library, and uses nothing but its public interface (but for
 * machines that the library is not for).  Each
 * subcommand is a `struct command` in a file of its own; the rest is what several of them need:
 *
 *     main.c     the table of subcommands, help, errors        table.c  aligned columns of text
 *     run.c      permod run: options, the order of things      json.c   writing JSON
 *     modules.c  loading and unloading what run was given      text.c   sizes, lists of CPUs
 *     depend.c   --module-dir: which file has which symbol     info.c   permod info
 *     tree.c     the same if it is a module tree of depmod's
 *     calls.c    calling a function on every CPU               check.c  permod check
 *     show.c     per-CPU variables as a table or as JSON       map.c    permod map
 *     picture.c  the same address space as an SVG picture;     layout.c what is where in it
 *     plan.c     what permod check shows           trust.c  --signatures, --certificate
 *     stamp.c    permod stamp                          types.c  the types of symbols, from DWARF
 *     object.c   an ELF file whose sections change         members.c the same in archives
 *     units.c    types in sections of their own            context.c a context as options want it
 *     foreign.c  permod check --for, which links for other machines by elf/ itself
 *     foreign_options.c, foreign_show.c  its options, and what it shows
 *     just_symbols.c  the symbols of a program for another machine
 *
 * Running out of memory for the command's own purposes ends it at once.
 */
#ifndef TOOLS_TOOL_H
#define TOOLS_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <permod/permod.h>

/* Exit status of every subcommand. */
enum status {
	STATUS_GO_ON = -1, /* of a step: nothing is decided yet */
	STATUS_DONE = 0,
	STATUS_FAILED = 1, /* the module failed, or can't be loaded */
	STATUS_USAGE = 2,
	STATUS_INTERRUPTED = 130, /* as a shell says it of SIGINT */
};

/* ---- main.c --------------------------------------------------------------------------------- */

struct command {
	const char *name;
	const char *synopsis; /* its arguments */
	const char *summary;  /* one line without a full stop */
	const char *help;     /* options and more, lines with newlines */
	bool takes_file;      /* for parse_simple() */
	enum status (*run)(int argc, char **argv);
};

extern const struct command run_command, info_command, check_command, map_command, stamp_command;

/* One line on standard error, "permod: " before it. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for wrong usage, and how to get help; returns STATUS_USAGE. */
enum status usage_error(const struct command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

struct option;
/*
 * The next option by getopt_long(): its value, or -1 behind the last.  --help is answered, and
 * wrong options are reported: then *status is set, and -1 returned.
 */
int next_option(const struct command *command, int argc, char **argv, const struct option *options,
		enum status *status);

struct tree_place;
/* For subcommands with no option but --json, and those for @place if it is not NULL, and at most one
 * argument.  STATUS_GO_ON if all is well. */
enum status parse_simple(const struct command *command, int argc, char **argv, bool *json,
			 struct tree_place *place, const char **file);

/* Memory or a message and the end; it is zero. */
void *allocate(size_t count, size_t size) __attribute__((malloc));
void *reallocate(void *memory, size_t count, size_t size);
char *format_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Put more behind a text, which may be NULL as yet. */
void append_text(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- text.c --------------------------------------------------------------------------------- */

/* The length of the valid UTF-8 sequence at @text that is no control character; 0 if there is none. */
size_t printable_length(const char *text);

/*
 * Write a string that comes from a file, with what a terminal would take as a command as \xNN.
 * Returns its width; only that if @out is NULL.
 */
size_t print_text(FILE *out, const char *text);

/* "512 MiB", "1.5 KiB", "12 B". */
#define SIZE_TEXT 32
const char *size_text(char *buffer, uint64_t size);

/* Columns of the terminal that @out is, or 100. */
size_t output_width(FILE *out);

/* A set of CPU numbers; bit n is CPU n. */
struct cpu_set {
	uint64_t *bits;
	unsigned int limit; /* CPU numbers are below this */
};

struct cpu_set cpu_set_new(unsigned int limit);
void cpu_set_free(struct cpu_set *set);
bool cpu_set_has(const struct cpu_set *set, unsigned int cpu);
void cpu_set_add(struct cpu_set *set, unsigned int cpu);
unsigned int cpu_set_count(const struct cpu_set *set);

/* All that are possible; those that this process may run on (of the possible ones). */
struct cpu_set possible_cpus(void);
struct cpu_set allowed_cpus(void);

/*
 * Add the numbers of a list such as "0-2,5"; false if it isn't one.  *too_high becomes the first
 * that the set has no room for, or NO_CPU.
 */
#define NO_CPU UINT32_MAX
bool parse_cpu_list(const char *text, struct cpu_set *set, unsigned int *too_high);
/* The list of a set's numbers; freed by the caller. */
char *cpu_list_text(const struct cpu_set *set);

/* ---- table.c -------------------------------------------------------------------------------- */

#define CELL_TEXT 32

/*
 * Rows and columns of text, asked for cell by cell; row 0 holds the headings.
 * @align:	'l' or 'r' for each column; the last of them for all that follow
 * @repeat:	the first so many columns begin every block, if the table is wider than the output
 * @cell:	the text, in @buffer of CELL_TEXT bytes or elsewhere
 */
struct table {
	size_t rows, columns;
	const char *align;
	size_t repeat;
	const char *(*cell)(const void *data, size_t row, size_t column, char *buffer);
	const void *data;
};

void print_table(FILE *out, const struct table *table, size_t width);

/* ---- json.c --------------------------------------------------------------------------------- */

/*
 * A JSON document on its way out.  Initialise the stream, and how many levels of nesting have a
 * line for each value; what is deeper stays in one line.
 */
struct json {
	FILE *out;
	unsigned int lines;
	unsigned int depth;
	bool filled; /* the innermost object or array has something in it */
};

/* @key is NULL in arrays and for the document itself.  @bracket is '{' or '['. */
void json_begin(struct json *json, const char *key, char bracket);
void json_end(struct json *json, char bracket);
void json_string(struct json *json, const char *key, const char *value);
void json_signed(struct json *json, const char *key, int64_t value);
void json_unsigned(struct json *json, const char *key, uint64_t value);
void json_seconds(struct json *json, const char *key, double value);
void json_bool(struct json *json, const char *key, bool value);
void json_address(struct json *json, const char *key, uint64_t value);

/* ---- trust.c -------------------------------------------------------------------------------- */

/* Zero it to trust everything. */
struct trust {
	unsigned int policy; /* PERMOD_SIGNATURES_* */
	const char **certificates;
	size_t count;
	const char *wrong; /* a policy that is none, or NULL */
};

/* For the table of options. */
enum { TRUST_SIGNATURES = 0x200, TRUST_CERTIFICATE };
#define TRUST_OPTIONS                                                                              \
	{ "signatures", required_argument, NULL, TRUST_SIGNATURES },                               \
	{                                                                                          \
		"certificate", required_argument, NULL, TRUST_CERTIFICATE                          \
	}

/* False if it is another option. */
bool take_trust_option(struct trust *trust, int code, const char *value);
/* When all options are known. */
enum status check_trust(const struct command *command, const struct trust *trust);
/* STATUS_FAILED after a message. */
enum status name_certificates(struct permod *pm, const struct trust *trust);
/* A line for a module that was loaded all the same. */
void warn_of_signature(struct permod *pm, const struct permod_module *module);

/* ---- calls.c -------------------------------------------------------------------------------- */

/*
 * A function to be called on several CPUs at once.
 * @cpus:	in rising order
 * @count:	calls on each CPU; 0: as many as @seconds allow
 * @calls:	receives for each of @cpus how many calls were made
 * @elapsed:	receives how long it took (seconds)
 * @interrupted: receives whether SIGINT ended it
 */
struct calls {
	void (*function)(void);
	const char *name;
	unsigned int *cpus;
	size_t num_cpus;
	uint64_t count;
	double seconds;
	uint64_t *calls;
	double elapsed;
	bool interrupted;
};

/* Call it; STATUS_FAILED, after a message, if a thread can't be had or bound: then none is made. */
enum status make_calls(struct calls *calls);

/*
 * From now on this thread has a stack of its own for the handlers of signals, so that a crash can be
 * told when the thread's other one is full; NULL if it had one already, as sanitizers give it.
 */
void *open_signal_stack(void);
void close_signal_stack(void *memory);

/* ---- tree.c --------------------------------------------------------------------------------- */

/* Where modules are found by name: --module-dir and --config. */
struct tree_place {
	const char *dir;     /* or NULL */
	const char **config; /* with a NULL behind the last; NULL if there are none; to be freed */
	size_t num_config;
	bool runs_nothing; /* of what is loaded from there */
};

struct session;
struct parts;
struct request;

/* Whether depmod made it, so that the library knows it. */
bool is_tree(const char *dir);
void add_config(struct tree_place *place, const char *path);
/* Name it to a context, if it is a tree; STATUS_FAILED after a message. */
enum status place_options(const struct tree_place *place, struct permod_options *options);
/* Whether a word means a module of the tree, and no file. */
bool is_bare_name(const struct tree_place *place, const char *name);
/* Load a module of the tree with what it needs. */
enum status load_by_name(struct session *session, const char *name, const char *params,
			 unsigned int flags);
/* The same if it is made of more than its file, or of a part of it. */
enum status load_parts_by_name(struct session *session, const struct request *request,
			       struct parts *parts);
/* Let the session know of all modules but this one. */
void collect_modules(struct session *session, const struct permod_module *except);
bool is_still_there(const struct session *session, const struct permod_module *wanted);
/* The file of a module of the tree, to be freed; @load_needs loads before what it needs, without
 * running anything.  STATUS_GO_ON, or STATUS_FAILED after a message. */
enum status find_by_name(struct permod *pm, const char *name, bool load_needs, char **path);
/* Load from the tree, in the same way, what has a symbol; false if nothing came of it. */
bool load_needed_symbol(struct permod *pm, const char *symbol);

/* ---- context.c ------------------------------------------------------------------------------ */

/* To be freed by permod_free(); STATUS_FAILED after a message. */
enum status open_context(const struct tree_place *place, const struct trust *trust,
			 struct permod **pm);

/* ---- modules.c, depend.c -------------------------------------------------------------------- */

/* A module on the command line. */
struct request {
	const char *name;
	char *params;
};

/* What a module is made of, as permod_load_files() takes it; paths[0] is the file it is called after. */
struct parts {
	const char **paths;
	size_t count;
	const char *root;
	unsigned int flags;
};

/* The options --with, --root, --whole-archive and --gc-sections; false if it is another. */
bool take_parts_option(struct parts *parts, int code, const char *value);
/* With room for the first path; its paths are to be freed. */
struct parts new_parts(void);

/* A module in memory. */
struct loaded {
	struct permod_module *module;
	char *path;
	struct permod_file *file; /* for its exports; NULL if it can't be had */
	bool asked;		  /* it was not loaded for another one's sake */
};

/* Modules that are loaded together. */
struct session {
	struct permod *pm;
	struct parts last;	/* of the last module, but for its first path */
	struct module_dir *dir; /* --module-dir if it is no tree, or NULL */
	struct tree_place place;
	bool remove_dependencies;
	bool force;	       /* --force */
	struct loaded *loaded; /* in order */
	size_t num_loaded;
};

/* Open a shared library, so that modules find what is in it; STATUS_FAILED after a message. */
enum status use_library(const char *name);

/* Split "MODULE [name=value ...] [-- MODULE ...]"; what is found is freed by free_requests(). */
enum status parse_requests(const struct command *command, char **argv, struct request **requests,
			   size_t *count);
void free_requests(struct request *requests, size_t count);

enum status load_modules(struct session *session, const struct request *requests, size_t count);
/* Unload in reverse order.  All are tried; the session has none then. */
enum status unload_modules(struct session *session);
/* Load one module.  @note is put behind the message of a failure for lack of symbols; may be NULL. */
enum status load_parts(struct session *session, const struct parts *parts, const char *params,
		       const char *note);
/* A function of the modules, the last one's first; NULL after a message.  @owner is its index. */
void *find_function(const struct session *session, const char *name, size_t *owner);

/*
 * With --json nothing but the document may reach standard output: what modules write there goes to
 * standard error.  Returns where the document goes, NULL after a message.
 */
FILE *divert_stdout(void);

/* A module's name as the loader makes it of a file's; freed by the caller. */
char *module_name(const char *path);
/* The length of ".xz", ".zst" or ".gz" at a file name's end, or 0. */
size_t compression_ending(const char *name);

/* Read a folder; NULL after a message. */
struct module_dir *open_module_dir(const char *path);
void close_module_dir(struct module_dir *dir);
/* The file of a module, or NULL. */
const char *find_module(const struct module_dir *dir, const char *name);
const char *module_dir_path(const struct module_dir *dir);
/* Load a module, and before it those files of the folder that have the symbols it lacks. */
enum status load_with_needs(struct session *session, const struct parts *parts, const char *params);

/* ---- show.c --------------------------------------------------------------------------------- */

/* What permod run found out.  @calls is NULL if nothing was called; @owner has the function. */
struct outcome {
	const struct session *session;
	const struct calls *calls;
	size_t owner;
};

void show_tables(FILE *out, const struct outcome *outcome);
void show_json(FILE *out, const struct outcome *outcome);

/* ---- plan.c --------------------------------------------------------------------------------- */

/* What permod check found out about a file.  @error is NULL if it would load; @plan may be NULL for
 * JSON, if the file could not even be read. */
void show_plan(FILE *out, const struct permod_plan *plan, const char *path, const char *error);
void show_plan_json(FILE *out, const struct permod_plan *plan, const char *path, const char *error);

/* ---- map.c, picture.c ----------------------------------------------------------------------- */

/* Where a module's per-CPU variables are: offsets in a unit, from the first to behind the last. */
struct placed {
	const char *name;
	size_t begin, end;
};

/* What permod map found out; sizes as the library tells them. */
struct survey {
	const struct session *session;
	struct pcpu_map map;
	struct pcpu_totals stats;
	struct pcpu_chunk_stats *chunks; /* the reserved region first */
	size_t num_chunks;
	size_t pages; /* of a unit, up to the end of the last chunk */
	unsigned char *
		*resident; /* for each CPU number: a byte for each page; NULL if none is there */
	struct placed *modules;
	size_t num_modules;
};

/* How many pages of a CPU are in memory. */
size_t count_resident(const struct survey *survey, unsigned int cpu);
/* Write a picture to a file; STATUS_FAILED after a message. */
enum status draw_picture(const struct survey *survey, const char *file);

#endif
