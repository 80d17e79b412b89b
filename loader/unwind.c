/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Letting unwinders know of modules: exceptions, backtrace(), cancelled threads.
 *
 * An unwinder finds the functions of programs and libraries by the dynamic linker's lists, where no
 * module is; to those that were generated it listens by calls of its own.  A process has one
 * unwinder as a rule, and can have two:
 *
 *     libgcc_s            what the C library opens by itself for backtrace() and pthread_cancel(), so
 *                         it is opened here too, for the first module, even if nothing in the program
 *                         is C++; in a static program it is a part of that
 *     LLVM's libunwind    with libc++, say; only if somebody has loaded it
 *
 * The latter can come late: so whenever libraries were loaded since it was last looked for, it is
 * looked for again, and told of all modules.
 */
#define _GNU_SOURCE
#include "internal.h"
#include "loader/arch.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

/* libgcc's memory for a table: crtbegin.o has it in every program, so its size is constant.  It is
 * six words, or seven. */
struct table_memory {
	void *words[8];
};

/* Weak, for static programs; the others may have it or not. */
extern void __register_frame_info(const void *table, struct table_memory *memory)
	__attribute__((weak));
extern void *__deregister_frame_info(const void *table) __attribute__((weak));

/* A module that unwinders know. */
struct unwound {
	struct unwound *previous, *next;
	uintptr_t table[2];
	struct table_memory memory[2];
};

/* What is asked of an unwinder. */
struct libgcc {
	void (*add)(const void *table, struct table_memory *memory);
	void *(*remove)(const void *table);
};

struct libunwind {
	void (*add)(uintptr_t fde);
	void (*remove)(uintptr_t fde);
};

/* Set once, under the shared lock; so is the list. */
static struct libgcc libgcc;
static struct libunwind libunwind;
static struct unwound *all;

/* ---- Finding them --------------------------------------------------------------------------- */

static void *function_of(void *library, const char *name)
{
	return library ? dlsym(library, name) : NULL;
}

/* A static program can open shared objects, with a second C library: nobody there listens to them. */
static bool is_static(void)
{
	return !tls_getter();
}

/* It stays open. */
static struct libgcc find_libgcc(void)
{
	void *library = is_static() ? NULL : dl_open(LIBGCC_S_SO, RTLD_LAZY | RTLD_LOCAL);
	void *add = function_of(library, "__register_frame_info");
	void *remove = function_of(library, "__deregister_frame_info");

	if (add && remove)
		return (struct libgcc){ (void (*)(const void *, struct table_memory *))add,
					(void *(*)(const void *))remove };
	return (struct libgcc){ __register_frame_info, __deregister_frame_info };
}

static int is_libunwind(struct dl_phdr_info *image, size_t size, void *arg)
{
	static const char file[] = "libunwind.so.1";
	const char *slash = image->dlpi_name ? strrchr(image->dlpi_name, '/') : NULL;
	char **path = arg;

	(void)size;
	if (!slash || strncmp(slash + 1, file, sizeof(file) - 1) != 0)
		return 0;
	*path = strdup(image->dlpi_name);
	return 1;
}

/* By its path: for a bare name that nobody has opened, many folders would be searched. */
static void *open_libunwind_by_path(void)
{
	bool locked = lock_dl(); /* nobody closes it meanwhile */
	char *path = NULL;
	void *library;

	each_image(is_libunwind, &path);
	library = path ? dl_open(path, RTLD_LAZY | RTLD_NOLOAD) : NULL;
	unlock_dl(locked);
	free(path);
	return library;
}

static struct libunwind open_libunwind(void)
{
	void *library = is_static() ? NULL : open_libunwind_by_path();
	void *add = function_of(library, "__unw_add_dynamic_fde");
	void *remove = function_of(library, "__unw_remove_dynamic_fde");

	if (add && remove)
		return (struct libunwind){ (void (*)(uintptr_t))add, (void (*)(uintptr_t))remove };
	if (library)
		dl_close(library);
	return (struct libunwind){ NULL, NULL };
}

/* To look costs more than to know whether anything has been loaded. */
static struct libunwind find_libunwind(unsigned long libraries)
{
	static unsigned long seen;

	if (libraries == __atomic_load_n(&seen, __ATOMIC_RELAXED))
		return (struct libunwind){ NULL, NULL };
	__atomic_store_n(&seen, libraries, __ATOMIC_RELAXED);
	return open_libunwind();
}

/* ---- Telling them --------------------------------------------------------------------------- */

static void tell_libgcc(struct unwound *unwound)
{
	for (size_t i = 0; i < 2; i++) {
		if (unwound->table[i])
			libgcc.add((const void *)unwound->table[i], &unwound->memory[i]);
	}
}

/* Of a whole table libunwind wants that each FDE follows its CIE, so it is told of each of them. */
static void each_function(uintptr_t table, void (*call)(uintptr_t fde))
{
	const char *at = (const char *)table;
	uint32_t length, distance;

	for (;; at += sizeof(length) + length) {
		memcpy(&length, at, sizeof(length));
		if (!length)
			return;
		memcpy(&distance, at + sizeof(length), sizeof(distance));
		if (distance)
			call((uintptr_t)at);
	}
}

static void tell_libunwind(const struct unwound *unwound)
{
	for (size_t i = 0; i < 2; i++) {
		if (unwound->table[i])
			each_function(unwound->table[i], libunwind.add);
	}
}

static void forget_table(struct unwound *unwound, size_t number)
{
	uintptr_t table = unwound->table[number];

	if (!table)
		return;
	if (libgcc.remove)
		libgcc.remove((const void *)table);
	if (libunwind.remove)
		each_function(table, libunwind.remove);
	unwound->table[number] = 0;
}

static void list_unwound(struct unwound *unwound)
{
	unwound->next = all;
	if (all)
		all->previous = unwound;
	all = unwound;
}

static void unlist_unwound(struct unwound *unwound)
{
	*(unwound->previous ? &unwound->previous->next : &all) = unwound->next;
	if (unwound->next)
		unwound->next->previous = unwound->previous;
}

int tell_unwinders(struct load *load)
{
	struct permod_module *module = load->module;
	struct unwound *unwound;
	struct libgcc libgcc_found = { NULL, NULL };
	struct libunwind libunwind_found;

	if (!module->frames[0] && !module->frames[1])
		return 0;
	unwound = calloc(1, sizeof(*unwound));
	if (!unwound)
		return fail_memory(load->pm);
	memcpy(unwound->table, module->frames, sizeof(unwound->table));
	module->unwound = unwound;
	if (!__atomic_load_n(&libgcc.add, __ATOMIC_RELAXED))
		libgcc_found = find_libgcc();
	libunwind_found = find_libunwind((unsigned long)load->pm->known.changes);

	lock_shared();
	if (libgcc_found.add && !libgcc.add) {
		libgcc.remove = libgcc_found.remove;
		__atomic_store_n(&libgcc.add, libgcc_found.add, __ATOMIC_RELAXED);
		for (struct unwound *other = all; other; other = other->next)
			tell_libgcc(other);
	}
	if (libunwind_found.add && !libunwind.add) {
		libunwind = libunwind_found;
		for (const struct unwound *other = all; other; other = other->next)
			tell_libunwind(other);
	}
	list_unwound(unwound);
	if (libgcc.add)
		tell_libgcc(unwound);
	if (libunwind.add)
		tell_libunwind(unwound);
	unlock_shared();
	return 0;
}

void forget_init_frames(struct permod_module *module)
{
	if (!module->unwound)
		return;
	lock_shared();
	forget_table(module->unwound, 1);
	unlock_shared();
}

void forget_frames(struct permod_module *module)
{
	if (!module->unwound)
		return;
	lock_shared();
	for (size_t i = 0; i < 2; i++)
		forget_table(module->unwound, i);
	unlist_unwound(module->unwound);
	unlock_shared();
	free(module->unwound);
	module->unwound = NULL;
}
