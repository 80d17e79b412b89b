/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Modules by address.
 *
 * Every region of every module is a range of addresses, and so are its per-CPU variables, by their
 * cookies.  The ranges of all contexts form one skip list in the order of addresses:
 *
 *     head ------------------------------> range ----------------------> end    the fewest
 *     head ---------> range -------------> range ---------> range -----> end
 *     head -> range -> range -> range -> range -> range -> range ------> end    all of them
 *
 * Whoever changes it holds the shared lock.  Readers take no lock, since they may be a signal's
 * handler: each change is the store of one pointer, before and after which the list is in order.  They
 * are counted, and what is taken out is freed only when those who may still look at it have gone.
 * Two counters take turns, so that new readers do not make a writer wait for ever: one that comes
 * while the writer waits is counted in the other.  A reader may be slow between finding out which
 * counter's turn it is and counting itself; so the writer waits for both in turn.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define MOST_HEIGHT 12 /* a quarter of the ranges of each level is in the next */

struct address_range {
	uintptr_t begin,
		end; /* in the window these are addresses, elsewhere of variables cookies */
	struct permod_module *module;
	enum link_region region;
	unsigned int height;
	struct address_range *following; /* of the same module */
	struct address_range *next[];	 /* by level */
};

static struct address_range *head[MOST_HEIGHT];

/* ---- Readers -------------------------------------------------------------------------------- */

static unsigned int turn; /* of a counter */
static long readers[2];

static unsigned int begin_reading(void)
{
	unsigned int mine = __atomic_load_n(&turn, __ATOMIC_SEQ_CST);

	__atomic_fetch_add(&readers[mine], 1, __ATOMIC_SEQ_CST);
	return mine;
}

static void end_reading(unsigned int mine)
{
	__atomic_fetch_sub(&readers[mine], 1, __ATOMIC_SEQ_CST);
}

static void wait_for_readers(void)
{
	for (int i = 0; i < 2; i++) {
		unsigned int old = turn;

		__atomic_store_n(&turn, !old, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(&readers[old], __ATOMIC_SEQ_CST))
			sched_yield();
	}
}

void forget_readers(void)
{
	readers[0] = readers[1] = 0;
}

/* ---- The list ------------------------------------------------------------------------------- */

static struct address_range *load_link(struct address_range **link)
{
	return __atomic_load_n(link, __ATOMIC_SEQ_CST);
}

static void store_link(struct address_range **link, struct address_range *range)
{
	__atomic_store_n(link, range, __ATOMIC_SEQ_CST);
}

/* The last range that begins below `limit`, or NULL; before[level] is what to change to put one
 * behind it. */
static struct address_range *find_before(uintptr_t limit,
					 struct address_range **before[MOST_HEIGHT])
{
	struct address_range **links = head, *last = NULL;

	for (unsigned int level = MOST_HEIGHT; level-- > 0;) {
		struct address_range *next;

		while ((next = load_link(&links[level])) && next->begin < limit) {
			last = next;
			links = next->next;
		}
		if (before)
			before[level] = &links[level];
	}
	return last;
}

static const struct address_range *find_range(uintptr_t address)
{
	const struct address_range *range =
		address < UINTPTR_MAX ? find_before(address + 1, NULL) : NULL;

	return range && address < range->end ? range : NULL;
}

/* By the address's bits, well mixed: whatever has no pattern will do. */
static unsigned int choose_height(uintptr_t begin)
{
	uint64_t mixed = begin * UINT64_C(0x9e3779b97f4a7c15);
	unsigned int height = 1;

	for (uint64_t bits = mixed >> 32; height < MOST_HEIGHT && !(bits & 3); bits >>= 2)
		height++;
	return height;
}

static int make_range(struct permod_module *module, enum link_region region, uintptr_t begin,
		      size_t size)
{
	unsigned int height = choose_height(begin);
	struct address_range *range;

	if (!size)
		return 0;
	range = malloc(sizeof(*range) + height * sizeof(range->next[0]));
	if (!range)
		return -ENOMEM;
	*range = (struct address_range){
		begin, begin + size, module, region, height, module->ranges
	};
	module->ranges = range;
	return 0;
}

static void put_in(struct address_range *range)
{
	struct address_range **before[MOST_HEIGHT];

	find_before(range->begin, before);
	for (unsigned int level = 0; level < range->height; level++) {
		range->next[level] = *before[level];
		store_link(before[level], range);
	}
}

static void take_out(struct address_range *range)
{
	struct address_range **before[MOST_HEIGHT];

	find_before(range->begin, before);
	for (unsigned int level = range->height; level-- > 0;)
		store_link(before[level], range->next[level]);
}

/* Take out those of a module whose region is one of first..last; they are the caller's to free. */
static struct address_range *take_out_ranges(struct permod_module *module, enum link_region first,
					     enum link_region last)
{
	struct address_range **link = &module->ranges, *removed = NULL, *range;

	while ((range = *link)) {
		if (range->region < first || range->region > last) {
			link = &range->following;
			continue;
		}
		take_out(range);
		*link = range->following;
		range->following = removed;
		removed = range;
	}
	if (removed)
		wait_for_readers();
	return removed;
}

static void free_ranges(struct address_range *range)
{
	while (range) {
		struct address_range *following = range->following;

		free(range);
		range = following;
	}
}

/* ---- Modules come and go -------------------------------------------------------------------- */

static int make_ranges(struct permod_module *module)
{
	int error = make_range(module, LINK_PERCPU, (uintptr_t)module->percpu, module->percpu_size);

	if (!error && module->window)
		error = make_range(module, LINK_PERCPU, module->window, module->percpu_size);
	for (size_t region = 0; region < LINK_PERCPU && !error; region++)
		error = make_range(module, (enum link_region)region, module->part[region].address,
				   module->part[region].size);
	return error;
}

int register_module(struct permod_module *module)
{
	int error = make_ranges(module);

	if (error) {
		free_ranges(module->ranges);
		module->ranges = NULL;
		return error;
	}
	lock_shared();
	for (struct address_range *range = module->ranges; range; range = range->following)
		put_in(range);
	show_to_debugger(module);
	/* Others have pages that perf can tell nothing about; to ask the environment takes long. */
	if (module->pm->whole_pages)
		show_to_profiler(module);
	unlock_shared();
	show_to_valgrind(module);
	module->registered = true;
	return 0;
}

void unregister_module(struct permod_module *module)
{
	struct address_range *removed;

	if (!module->registered)
		return;
	lock_shared();
	hide_from_debugger(module);
	removed = take_out_ranges(module, LINK_TEXT, LINK_PERCPU);
	unlock_shared();
	free_ranges(removed);
	module->registered = false;
}

void unregister_init(struct load *load)
{
	struct permod_module *module = load->module;
	struct address_range *removed;

	lock_shared();
	hide_from_debugger(module);
	removed = take_out_ranges(module, LINK_INIT_TEXT, LINK_INIT_DATA);
	drop_init_symbols(load);
	show_to_debugger(module);
	unlock_shared();
	free_ranges(removed);
}

struct permod_module *module_at(uintptr_t address)
{
	const struct address_range *range = find_range(address);

	return range ? range->module : NULL;
}

/* Who unwinds through a module's code keeps it there. */
uintptr_t find_unwind_index(uintptr_t address, size_t *size)
{
	unsigned int mine = begin_reading();
	const struct address_range *range = find_range(address);
	uintptr_t index = 0;

	if (range && (range->region == LINK_TEXT || range->region == LINK_INIT_TEXT)) {
		index = range->module->unwind_index;
		*size = range->module->unwind_index_size;
	}
	end_reading(mine);
	return index;
}

struct permod_module *module_of_handle(const void *dso_handle)
{
	struct permod_module *module;

	lock_shared();
	module = module_at((uintptr_t)dso_handle);
	unlock_shared();
	return module && module->dso_handle == dso_handle ? module : NULL;
}

/* ---- Looking ------------------------------------------------------------------------------- */

static void copy_name(char *to, size_t size, const char *name)
{
	size_t length = strnlen(name, size - 1);

	memcpy(to, name, length);
	memset(to + length, 0, size - length);
}

static void describe(const struct address_range *range, uintptr_t address,
		     struct permod_address *found)
{
	const struct symfile *file = range->module->symfile;
	const ElfW(Shdr) * section;
	const ElfW(Sym) * symbol;

	address = cookie_of(range->module, address);
	section = find_section_at(file, range->region, address);
	symbol = find_symbol_at(file, range->region, address);
	copy_name(found->module, sizeof(found->module), range->module->name);
	copy_name(found->region, sizeof(found->region), region_names[range->region]);
	copy_name(found->section, sizeof(found->section),
		  section ? file->names + section->sh_name : "");
	copy_name(found->symbol, sizeof(found->symbol),
		  symbol ? file->names + symbol->st_name : "");
	found->offset = address - (symbol    ? symbol->st_value
				   : section ? section->sh_addr
					     : range->begin);
	found->size = symbol ? symbol->st_size : section ? section->sh_size : 0;
}

/* Functions are known by their code. */
static const struct address_range *find_code_range(uintptr_t *address)
{
	const struct address_range *range = find_range(*address);
	uintptr_t code = range ? code_of(range->module, *address) : *address;

	if (code == *address)
		return range;
	*address = code;
	return find_range(code);
}

int permod_addr(const volatile void *address, struct permod_address *found)
{
	uintptr_t place = (uintptr_t)address, cookie;
	const struct address_range *range;
	unsigned int mine;
	int cpu;

	if (!load_link(&head[0]))
		return -ENOENT;
	/* Per-CPU variables are known by their cookies. */
	if (pcpu_classify(address, &cpu, &cookie) == PCPU_RESERVED)
		place = cookie;
	else
		cpu = -1;
	mine = begin_reading();
	range = find_code_range(&place);
	if (range) {
		describe(range, place, found);
		found->cpu = cpu;
	}
	end_reading(mine);
	return range ? 0 : -ENOENT;
}
