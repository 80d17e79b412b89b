/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unwind information as 32-bit arm has it: an index of functions, .ARM.exidx, instead of .eh_frame.
 * ("Exception Handling ABI for the Arm Architecture", EHABI32; elf/exidx.c has a picture.)
 *
 *     | function, its distance from here | 1: can't be unwound; or how, if three bytes tell;  |
 *     |                                  | or the distance to a record in .ARM.extab          |
 *
 * Unwinders trust it, and search it by halves; so after relocation all of it is checked.
 *
 * No call tells an unwinder of a table: for each frame it asks __gnu_Unwind_Find_exidx(), by a symbol, for
 * the one that is about an address.  The C library has that function, and a program may have another, as of
 * any symbol.  So this library has one that knows modules, and asks the C library's of all else.  It is the
 * one that is found if it is looked for here before the C library: in programs that are linked with this
 * library, or start with it in LD_PRELOAD.  Where it is not found, as when dlopen() brought it, backtraces
 * end at modules, and those that throw or catch are refused, for the first exception would be the end.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

/* ---- Checking ------------------------------------------------------------------------------- */

#define ENTRY_BYTES 8
#define CANT_UNWIND 1
#define IS_INLINE ((uint32_t)1 << 31)	 /* the word has instructions, not a distance */
#define PERSONALITY(word) ((word) >> 24) /* which of the ABI's own routines, with IS_INLINE in it */
#define IN_WORD 0x80			 /* needs no more words */
#define IN_WORDS 0x81 /* this, and the next, tell how many more in the byte that follows */

/* An index that is looked at. */
struct walk {
	const struct load *load;
	const unsigned char *buffer; /* of the constants, in which it is */
	uint64_t address, size;	     /* of these */
	uint64_t last;		     /* function */
	size_t number;		     /* of the entry */
};

static int fail_entry(const struct walk *walk, const char *what)
{
	return fail(walk->load->pm, -ENOEXEC,
		    "%s: .ARM.exidx: entry %zu of the module: %s; unwinders could not read it",
		    walk->load->path, walk->number, what);
}

static uint32_t word_at(const struct walk *walk, uint64_t offset)
{
	uint32_t word;

	memcpy(&word, walk->buffer + offset, sizeof(word));
	return word;
}

/* What the 31 bits of a word are the distance of. */
static uint64_t referred(const struct walk *walk, uint64_t offset)
{
	return (uint32_t)(walk->address + offset +
			  (uint32_t)((int32_t)(word_at(walk, offset) << 1) >> 1));
}

/* The entry behind the last code is about what is just behind a region. */
static bool is_in_code(const struct load *load, uint64_t address)
{
	const struct link *link = load->link;

	return address - (link->base + link->part[LINK_TEXT].offset) <=
		       link->part[LINK_TEXT].size ||
	       address - (link->base + link->part[LINK_INIT_TEXT].offset) <=
		       link->part[LINK_INIT_TEXT].size;
}

/* A record: one word of a routine of the ABI's, or the distance to another routine and one of its own; and so
 * many words behind it as that says. */
static int check_record(const struct walk *walk, uint64_t record)
{
	uint64_t offset = record - walk->address, words;
	uint32_t word, more = 0;

	if (record & 3 || offset >= walk->size || walk->size - offset < sizeof(word))
		return fail_entry(walk, "its record is not among the constants");
	words = (walk->size - offset) / sizeof(word) - 1; /* behind the first */
	word = word_at(walk, offset);
	if (!(word & IS_INLINE))
		more = 1 + (words ? word_at(walk, offset + sizeof(word)) >> 24 : 0);
	else if (PERSONALITY(word) == IN_WORDS || PERSONALITY(word) == IN_WORDS + 1)
		more = word >> 16 & 0xff;
	else if (PERSONALITY(word) != IN_WORD)
		return fail_entry(walk, "its record has a form that is not known");
	return words < more ? fail_entry(walk, "its record goes beyond the constants") : 0;
}

static int check_entry(struct walk *walk, uint64_t offset)
{
	uint64_t function = referred(walk, offset);
	uint32_t how = word_at(walk, offset + sizeof(how));

	if (word_at(walk, offset) & IS_INLINE)
		return fail_entry(walk, "it does not begin with a distance");
	if (function < walk->last)
		return fail_entry(walk, "it is not in the order of addresses");
	if (!is_in_code(walk->load, function))
		return fail_entry(walk, "its function is not in the module's code");
	walk->last = function;
	if (how == CANT_UNWIND || PERSONALITY(how) == IN_WORD)
		return 0;
	if (how & IS_INLINE)
		return fail_entry(walk, "it has a form that is not known");
	return check_record(walk, referred(walk, offset + sizeof(how)));
}

/* ---- Being found ---------------------------------------------------------------------------- */

#ifdef __arm__

typedef uintptr_t find_index_function(uintptr_t address, int *entries);

/* A linker's: the program's own, of a static one. */
extern const unsigned char __exidx_start[] __attribute__((weak, visibility("hidden")));
extern const unsigned char __exidx_end[] __attribute__((weak, visibility("hidden")));

static find_index_function *next_function;

/* Early, since an unwinder may be called by a signal's handler. */
__attribute__((constructor)) static void find_next(void)
{
	find_index_function *found =
		(find_index_function *)dlsym(RTLD_NEXT, "__gnu_Unwind_Find_exidx");

	__atomic_store_n(&next_function, found, __ATOMIC_RELAXED);
}

static uintptr_t find_index(uintptr_t address, int *entries)
{
	size_t size = 0;
	uintptr_t index = find_unwind_index(address, &size);
	find_index_function *next;

	if (index) {
		*entries = (int)(size / ENTRY_BYTES);
		return index;
	}
	if (!__atomic_load_n(&next_function, __ATOMIC_RELAXED))
		find_next();
	next = __atomic_load_n(&next_function, __ATOMIC_RELAXED);
	if (next)
		return next(address, entries);
	*entries = (int)((size_t)(__exidx_end - __exidx_start) / ENTRY_BYTES);
	return (uintptr_t)__exidx_start;
}

/* The unwinder's name for it; the C library's is of this version, and so is ours: see libpermod_arm.map.
 * By the name it would be here too whichever is found first. */
extern find_index_function __gnu_Unwind_Find_exidx __attribute__((alias("find_index")));

/* In a static program all is one, and dlsym() finds nothing. */
static bool is_found_by_unwinders(void)
{
	void *found = dlsym(RTLD_DEFAULT, "__gnu_Unwind_Find_exidx");

	return !found || found == (void *)find_index;
}

/* What it needs for exceptions, its own or those that go through it. */
static const struct link_symbol *find_need(const struct load *load)
{
	static const char *const names[] = { "__cxa_throw", "__cxa_rethrow", "__gxx_personality_v0",
					     "__gcc_personality_v0" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct link_symbol *symbol = link_find(load->link, names[i]);

		if (symbol && symbol->needed)
			return symbol;
	}
	return NULL;
}

static int check_unwinder(const struct load *load)
{
	const struct link_symbol *need = find_need(load);

	if (!need || is_found_by_unwinders())
		return 0;
	return fail(
		load->pm, -ENOEXEC,
		"%s: uses exceptions (%s), and this program's unwinder asks the C library for their "
		"tables, which knows no modules; link the program with libpermod, or start it "
		"with LD_PRELOAD=libpermod.so.0",
		load->path, need->name);
}

#else

static int check_unwinder(const struct load *load)
{
	(void)load;
	return 0;
}

#endif

int arrange_index(struct load *load)
{
	const struct link *link = load->link;
	const struct link_part *part = &link->part[LINK_RODATA];
	struct walk walk = {
		.load = load,
		.buffer = part->buffer,
		.address = link->base + part->offset,
		.size = part->size,
	};
	int error = 0;

	if (!link->index_size)
		return 0;
	for (uint64_t done = 0; done < link->index_size && !error; done += ENTRY_BYTES) {
		walk.number = (size_t)(done / ENTRY_BYTES);
		error = check_entry(&walk, link->index_offset + done);
	}
	load->module->unwind_index = (uintptr_t)(walk.address + link->index_offset);
	load->module->unwind_index_size = (size_t)link->index_size;
	return error ? error : check_unwinder(load);
}
