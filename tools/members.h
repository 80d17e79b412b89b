/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Archives, whose members are changed; see members.c.
 */
#ifndef TOOLS_MEMBERS_H
#define TOOLS_MEMBERS_H

#include "object.h"

bool is_archive(const unsigned char *bytes, size_t size);

/* Make another of a member, which has a name for messages: *image is left alone if it stays as it is.
 * False after a message. */
typedef bool member_function(void *arg, const char *name, const unsigned char *bytes, size_t size,
			     struct bytes *image);

/* The archive with its members changed; false after a message. */
bool rewrite_members(const char *path, const unsigned char *bytes, size_t size,
		     member_function *change, void *arg, struct bytes *image);

#endif
