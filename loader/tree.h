/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is known of modules by name: from a tree that depmod made, and settings as modprobe.d has
 * them, to a list of steps, one for each module in the order in which they are to be loaded.
 *
 *     tree.c     the list, through libkmod      index.c  is what libkmod would read sound?
 *     no_tree.c  in its place without libkmod   find.c   loading by such a list
 */
#ifndef LOADER_TREE_H
#define LOADER_TREE_H

#include "loader/internal.h"

/* A module to be loaded.  Others are known by their places in the list. */
struct step {
	struct permod_step public; /* its texts are the step's own */
	char *command;		   /* that modprobe would run in the module's place, or NULL */
	bool soft;		   /* nobody but a soft dependency asked for it */
	size_t *needs;		   /* modules that it must keep */
	size_t num_needs;
	size_t *before, *after; /* soft dependencies */
	size_t num_before, num_after;
	struct permod_module *module; /* once it is loaded */
};

struct permod_steps {
	struct step *step;
	size_t count;
};

/* What a name or alias means; PERMOD_LOAD_BLACKLIST.  Freed by permod_steps_free() on errors, too. */
int find_steps(struct permod *pm, const char *name, unsigned int flags, struct permod_steps *steps);

/* -EINVAL if libkmod must not search such an index; -ENOMEM. */
int check_index(struct permod *pm, const char *path, const void *data, size_t size);
/* The first value of a key in a sound index, or NULL. */
const char *find_in_index(const void *data, size_t size, const char *key);
/* -EINVAL if a line of settings is none.  The text, which ends with NUL, is used up. */
int check_settings(struct permod *pm, const char *path, char *text);

#endif
