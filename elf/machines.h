/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All machines that objects can be linked for, by name; for programs that link for others than
 * their own.
 */
#ifndef ELF_MACHINES_H
#define ELF_MACHINES_H

struct link_arch;

/* By name, as `permod check --for` takes it ("aarch64"); NULL: there is none. */
const struct link_arch *link_find_machine(const char *name);

/* The name of one after the other, from 0; NULL at the end. */
const char *link_machine_name(unsigned int number);

#endif
