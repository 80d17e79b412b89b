/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Handlers that modules register for the end of the process and for forks, by C libraries that let them be
 * taken back: they are listed with a handle, which __cxa_finalize() takes (as glibc does).  For others
 * own_handlers.c does it.
 */
#define _GNU_SOURCE
#include "internal.h"

/* Declared by no header.  (The Itanium C++ ABI has the first and the last.) */
int __cxa_atexit(void (*function)(void *), void *arg, void *dso_handle);
int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
		      void *dso_handle);
void __cxa_finalize(void *dso_handle);

int add_exit_handler(void (*function)(void *), void *arg, void *handle)
{
	return __cxa_atexit(function, arg, handle);
}

int add_fork_handlers(const struct fork_handlers *handlers, void *handle)
{
	return __register_atfork(handlers->prepare, handlers->parent, handlers->child, handle);
}

void finish_handlers(void *handle)
{
	__cxa_finalize(handle);
}
