/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * permod check --for: its options (foreign_options.c), what is done with them (foreign.c,
 * just_symbols.c), and what is shown of that (foreign_show.c).
 */
#ifndef TOOLS_FOREIGN_H
#define TOOLS_FOREIGN_H

#include "tool.h"

struct link_arch;
struct link_symbol;

/* What is said of a symbol that the file lacks. */
struct foreign_symbol {
	char *name;
	uint64_t address;
	const char *provider; /* "--define", or the file of --just-symbols */
	bool function;	      /* of the latter: it is known to be one */
	bool used;
};

struct foreign_symbols {
	struct foreign_symbol *list;
	size_t count;
};

/* Zero it for this machine. */
struct foreign {
	const char *machine; /* --for, or NULL */
	uint64_t base, percpu, page;
	bool has_base, has_percpu, has_page;
	bool complete;			/* --no-undefined */
	struct foreign_symbols symbols; /* --define */
	const char **images;		/* --just-symbols */
	size_t num_images;
	const char *output; /* or NULL */
	const char *wrong;  /* a value that is none, or NULL */
};

/* For the table of options. */
enum {
	FOREIGN_FOR = 0x300,
	FOREIGN_BASE,
	FOREIGN_PERCPU,
	FOREIGN_PAGE,
	FOREIGN_DEFINE,
	FOREIGN_SYMBOLS,
	FOREIGN_COMPLETE,
	FOREIGN_OUTPUT,
};

/* It takes braces in a macro for a block. */
/* clang-format off */
#define FOREIGN_OPTIONS                                                                            \
	{ "for", required_argument, NULL, FOREIGN_FOR },                                           \
	{ "base", required_argument, NULL, FOREIGN_BASE },                                         \
	{ "percpu", required_argument, NULL, FOREIGN_PERCPU },                                     \
	{ "page", required_argument, NULL, FOREIGN_PAGE },                                         \
	{ "define", required_argument, NULL, FOREIGN_DEFINE },                                     \
	{ "just-symbols", required_argument, NULL, FOREIGN_SYMBOLS },                              \
	{ "no-undefined", no_argument, NULL, FOREIGN_COMPLETE },                                   \
	{ "output", required_argument, NULL, FOREIGN_OUTPUT }
/* clang-format on */

/* False if it is another option. */
bool take_foreign_option(struct foreign *foreign, int code, const char *value);
/* When all options are known. */
enum status check_foreign_options(const struct command *command, const struct foreign *foreign);
void free_foreign(struct foreign *foreign);

/* Link for that machine, and show what came of it. */
enum status check_foreign(struct foreign *foreign, const struct parts *parts, bool json);

/* ---- just_symbols.c ------------------------------------------------------------------------- */

/* Add the global symbols that a program has; why not, to be freed, or NULL. */
char *read_just_symbols(const struct link_arch *arch, const char *path, const void *data,
			size_t size, struct foreign_symbols *symbols);

/* ---- foreign_show.c ------------------------------------------------------------------------- */

/* A symbol that the file lacks, and how its code reaches it. */
struct foreign_external {
	struct link_symbol *symbol;
	const struct foreign_symbol *said; /* NULL: nobody says where it is */
	bool called;
	size_t references;
	const char *type, *section; /* of the first of them */
	uint64_t offset;
};

/* How many relocations there are of a type. */
struct type_count {
	const char *type;
	size_t count;
};

struct foreign_result {
	struct link *link;
	const char *path;
	char **problems;
	size_t num_problems;
	bool laid_out, relocated;
	struct foreign_external *externals; /* by name */
	size_t num_externals;
	struct link_symbol **globals; /* by address */
	size_t num_globals;
	struct type_count *types; /* by name */
	size_t num_types, relocations;
	const struct foreign *wishes;
};

void show_foreign(const struct foreign_result *result);
void show_foreign_json(const struct foreign_result *result);

#endif
