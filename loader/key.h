/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Static keys within the loader; see key.c. A hook is one, whose word is the pointer to its first entry.
 */
#ifndef LOADER_KEY_H
#define LOADER_KEY_H

#include "loader/internal.h"

#include <permod/key.h>

/* Before a key's word becomes other than 0, and behind that: 0, or why its places can't be jumps. */
int begin_enabling(const void *word);
void end_enabling(void);
/* Its word has become 0. */
void key_is_disabled(const void *word);

/* Whether the program wants places changed. */
bool patches_keys(void);
/* Whether there are places in what is linked. */
bool has_keys(struct link *link);
/* A module's places come, when its code can be run and has not been, and go. */
void add_keys(struct load *load);
void drop_keys(const struct permod_module *module);

/* Held over a fork. */
void lock_keys(void);
void unlock_keys(void);

#endif
