/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * permod check --for: its options, and what is done with them (foreign.c).
 */
#ifndef TOOLS_FOREIGN_H
#define TOOLS_FOREIGN_H

#include "tool.h"

struct foreign_symbol {
	char *name;
	uint64_t address;
};

/* Zero it for this machine. */
struct foreign {
	const char *machine;		/* --for, or NULL */
	uint64_t base;			/* --base, or 0 */
	uint64_t percpu;		/* --percpu, or 0 */
	struct foreign_symbol *symbols; /* --define */
	size_t count;
	const char *wrong; /* a value that is none, or NULL */
};

/* For the table of options. */
enum { FOREIGN_FOR = 0x300, FOREIGN_BASE, FOREIGN_PERCPU, FOREIGN_DEFINE };
#define FOREIGN_OPTIONS                                                                            \
	{ "for", required_argument, NULL, FOREIGN_FOR },                                           \
		{ "base", required_argument, NULL, FOREIGN_BASE },                                 \
		{ "percpu", required_argument, NULL, FOREIGN_PERCPU },                             \
	{                                                                                          \
		"define", required_argument, NULL, FOREIGN_DEFINE                                  \
	}

/* False if it is another option. */
bool take_foreign_option(struct foreign *foreign, int code, const char *value);
/* When all options are known. */
enum status check_foreign_options(const struct command *command, const struct foreign *foreign);
void free_foreign(struct foreign *foreign);

/* Link for that machine, and show what came of it. */
enum status check_foreign(const struct foreign *foreign, const struct parts *parts, bool json);

#endif
