/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies of constants that are too far away.
 *
 * Code that is not position-independent (-fno-pie) has 32 bits for an address: libraries lie above that.
 * A linker that makes a program of such code puts a copy of a library's variable into the program.  For
 * a module that is right only where nobody can tell the copy from the original, which others go on using:
 *
 * - what the C++ language has of types.  Type information is compared by the names of types, which the
 *   copy has in common with the original; tables of virtual functions are only read.
 * - std::nothrow, which says what it says by its type.
 * - stdin, stdout and stderr, which ISO C lets nobody assign.
 * - the C library's word that there is only one thread, for which no is always a right answer.
 *
 * Others must be constants, in memory that the dynamic linker has made read-only.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>

#define HIGHEST ((uintptr_t)1 << 30)
#define ALIGN 32
#define MOST_SIZE ((size_t)1 << 20)

enum kind {
	CONSTANT,
	VARIABLE, /* which nobody changes */
	FALSE,	  /* the copy is zero, which is right at any time */
};

static const struct {
	const char *begin; /* of the name */
	bool all;	   /* it is the whole name */
	enum kind kind;
} kinds[] = {
	{ "_ZTI", false, CONSTANT }, /* type information */
	{ "_ZTV", false, CONSTANT }, /* virtual functions */
	{ "_ZTT", false, CONSTANT }, /* those of classes with virtual bases, */
	{ "_ZTC", false, CONSTANT }, /* while objects are made */
	{ "_ZSt7nothrow", true, CONSTANT },
	{ "stdin", true, VARIABLE },
	{ "stdout", true, VARIABLE },
	{ "stderr", true, VARIABLE },
	{ "__libc_single_threaded", true, FALSE },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Where something lies, and whether that is read-only. */
struct place {
	uintptr_t begin, end;
	bool constant;
};

static int look_at_image(struct dl_phdr_info *image, size_t size, void *arg)
{
	struct place *place = arg;

	(void)size;
	for (unsigned int i = 0; i < image->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &image->dlpi_phdr[i];
		uintptr_t begin = image->dlpi_addr + segment->p_vaddr;

		if ((segment->p_type == PT_GNU_RELRO ||
		     (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W))) &&
		    place->begin >= begin && place->end <= begin + segment->p_memsz)
			place->constant = true;
	}
	return place->constant;
}

/* Which of the kinds a symbol is, or KINDS. */
static size_t kind_of(const struct link_symbol *symbol)
{
	size_t i = 0;

	while (i < KINDS &&
	       (kinds[i].all ? strcmp(symbol->name, kinds[i].begin) != 0
			     : strncmp(symbol->name, kinds[i].begin, strlen(kinds[i].begin)) != 0))
		i++;
	return i;
}

/* The bytes to be copied, 0 if none may be. */
static size_t size_to_copy(const struct link_symbol *symbol)
{
	struct place place = { .begin = symbol->value };
	const ElfW(Sym) * entry;
	size_t kind;

	if (symbol->owner != &provider_libdl || symbol->tls || symbol->value <= UINT32_MAX)
		return 0;
	kind = kind_of(symbol);
	if (kind == KINDS)
		return 0;
	entry = find_image_symbol(symbol->name, symbol->value);
	if (!entry || ELF64_ST_TYPE(entry->st_info) != STT_OBJECT || entry->st_size > MOST_SIZE)
		return 0;
	place.end = place.begin + entry->st_size;
	if (kinds[kind].kind == CONSTANT)
		each_image(look_at_image, &place);
	return kinds[kind].kind != CONSTANT || place.constant ? entry->st_size : 0;
}

/* Copy all at once, to `base`; or, if that is 0, count bytes. */
static size_t copy_all(struct load *load, uintptr_t base)
{
	size_t used = 0;

	for (size_t i = 0; i < load->num_externals; i++) {
		struct link_symbol *symbol = load->externals[i];
		size_t size = size_to_copy(symbol);

		if (base && size) {
			/* It is memory that nobody has written to. */
			if (kinds[kind_of(symbol)].kind != FALSE)
				memcpy((void *)(base + used),
				       (const void *)(uintptr_t)symbol->value, size);
			link_define(symbol, base + used, false);
		}
		used += round_up(size, ALIGN);
	}
	return used;
}

bool needs_copies(const struct load *load)
{
	for (size_t i = 0; i < load->num_externals; i++) {
		if (load->externals[i]->narrow && size_to_copy(load->externals[i]))
			return true;
	}
	return false;
}

bool use_copies(struct load *load)
{
	struct permod_module *module = load->module;
	size_t page = load->link->page_size, size = round_up(copy_all(load, 0), page);

	if (!size || module->copies_size ||
	    take_block(0, HIGHEST, size, page, false, &module->copies))
		return false;
	module->copies_size = size;
	copy_all(load, module->copies);
	return mprotect((void *)module->copies, size, PROT_READ) == 0;
}
