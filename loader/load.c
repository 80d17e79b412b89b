/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loading, from top to bottom: a list of steps.  A step leaves what it took in the module (or in
 * the load), so when one fails discard_module() gives back what all before it took.
 *
 * Where a module lies.  Everything that its code reaches only within some distance narrows the
 * interval of addresses at which it can begin; the place is chosen in that interval, in the arena
 * next to the C library if that will do.
 *
 * The window.  Code that is not position-independent (-fno-pie) lies below 2 GiB, and so must all
 * addresses in it; but cookies lie next to the C library.  Such code therefore sees its per-CPU
 * variables in a window of its own, an inaccessible range near it, and makes cookies of these
 * addresses by the hidden words of struct pcpu_image, as programs do.
 */
#define _GNU_SOURCE
#include "internal.h"

#include "loader/arch.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WINDOW_HIGHEST ((uintptr_t)1 << 30)

/* ---- Link ----------------------------------------------------------------------------------- */

/* Symbols that every module has for itself: the loader fills them in. */
static const struct cell {
	const char *name;
	size_t size;
	const void *original; /* a copy of a constant that is out of reach where it is; or NULL */
	size_t original_size;
} cells[] = {
	{ "__this_module", sizeof(struct module), NULL, 0 },
	{ "__dso_handle", sizeof(void *), NULL, 0 },
	{ "__pcpu_image", sizeof(struct pcpu_image), NULL, 0 },
	{ "pcpu_layout", sizeof(struct pcpu_layout), &pcpu_layout, sizeof(struct pcpu_layout) },
#ifdef CPU_FEATURE_WORDS
	{ "__cpu_model", sizeof(cpu_model), cpu_model, sizeof(cpu_model) },
	/* Newer compilers ask for more words than libgcc here has: of what it does not know, no. */
	{ "__cpu_features2", 32, cpu_features, sizeof(cpu_features) },
#endif
};

int add_cells(struct link *link, bool all)
{
	int error = 0;

	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]) && !error; i++) {
		if (all || !cells[i].original)
			error = link_add_cell(link, cells[i].name, cells[i].size);
	}
	return error;
}

int read_and_link(struct load *load)
{
	int error;

	load->link = load->plan ? link_new(report_problem, load) : link_new(report_error, load->pm);
	if (!load->link)
		return fail_memory(load->pm);
	load->link->keep_going = load->plan != NULL;
	load->link->hosted = true;
	load->link->data_pointer = data_pointer();
	load->link->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	if (load->pm->flags & PERMOD_HUGE_TEXT)
		load->link->large_page = LARGE_PAGE;
	error = add_cells(load->link, true);
	if (!error)
		error = add_inputs(&load->inputs, load->link);
	return error ? error : link_layout(load->link);
}

/* ---- Place ---------------------------------------------------------------------------------- */

/* Code names its own static variables by their section: the variable's name tells more. */
const char *bound_name(const struct link_bound *bound)
{
	const struct link_symbol *symbol = bound->symbol, *inside;

	if (symbol->type != STT_SECTION || !symbol->section)
		return symbol->name;
	for (unsigned int i = 0; (inside = link_object_symbol(symbol->object, i)); i++) {
		if (inside->section == symbol->section &&
		    inside->size > bound->target - inside->value)
			return inside->name;
	}
	return symbol->name;
}

static int fail_range(struct load *load, const struct link_bound *low,
		      const struct link_bound *high)
{
	return fail(
		load->pm, -ERANGE,
		"%s: there is no address from which all symbols are in reach: %s (%s at %s+0x%llx) "
		"and %s (%s at %s+0x%llx) are too far apart; compile with -fPIC",
		load->path, bound_name(low), low->type, low->section->name,
		(unsigned long long)low->offset, bound_name(high), high->type, high->section->name,
		(unsigned long long)high->offset);
}

/* The two ends that exclude each other; if one is set by no symbol, it is memory itself. */
static int fail_interval(struct load *load)
{
	const struct link_bound *low = &load->interval.low, *high = &load->interval.high;
	const struct link_bound *one = low->symbol ? low : high;

	if (low->symbol && high->symbol)
		return fail_range(load, low, high);
	if (!one->symbol)
		return fail(load->pm, -ERANGE, "%s: too large for the address space", load->path);
	return fail(load->pm, -ERANGE,
		    "%s: %s+0x%llx: %s is out of reach for %s from every address (a base of at "
		    "least 0x%llx and at most 0x%llx would be needed); compile with -fPIC",
		    load->path, one->section->name, (unsigned long long)one->offset,
		    bound_name(one), one->type, (unsigned long long)low->base,
		    (unsigned long long)high->base);
}

static bool is_empty(const struct link_interval *interval)
{
	return interval->low.base > interval->high.base;
}

static bool meets_arena(const struct link_interval *interval)
{
	return !is_empty(interval) && interval->low.base < arena()->begin + arena()->size &&
	       interval->high.base >= arena()->begin;
}

/*
 * Where the program holds copies of libc's variables, these keep a module that names one near the
 * program: away from per-CPU variables, its own or not, and from the data of other modules.  So
 * libc's own are tried, and kept if that helps.
 */
static int find_interval_with_originals(struct load *load)
{
	int error = link_interval(load->link, &load->interval);
	struct link_interval first = load->interval;

	if (error || meets_arena(&first) || !use_originals(load, true))
		return error;
	error = link_interval(load->link, &load->interval);
	if (error || meets_arena(&load->interval) || is_empty(&first))
		return error;
	use_originals(load, false);
	load->interval = first;
	return 0;
}

/* If it has copies, they take the place of originals. */
static int find_interval_with_copies(struct load *load)
{
	if (load->module->copies_size)
		return link_interval(load->link, &load->interval);
	return find_interval_with_originals(load);
}

static int find_interval(struct load *load)
{
	struct link_interval without;
	int error;

	if (needs_copies(load))
		use_copies(load);
	error = find_interval_with_copies(load);
	if (!error && is_empty(&load->interval) && use_own_symbols(load))
		error = find_interval_with_copies(load);
	if (error || !is_empty(&load->interval) || load->interval.high.base > UINT32_MAX)
		return error;
	/* Code with 32 bits for an address may have to be far from what it reaches otherwise.  If that
	 * is no help, what was in the way before is what to tell. */
	without = load->interval;
	if (use_copies(load))
		error = find_interval_with_copies(load);
	if (!error && is_empty(&load->interval))
		load->interval = without;
	return error;
}

static bool needs_window(const struct load *load)
{
	const struct link_symbol *image = link_find(load->link, "__pcpu_image");

	return image && image->needed;
}

static int open_window(struct load *load)
{
	struct permod_module *module = load->module;
	size_t size = round_up(module->percpu_size, load->link->page_size);
	int error =
		take_block(0, WINDOW_HIGHEST, size, load->link->page_size, false, &module->window);

	if (error)
		return fail(
			load->pm, error,
			"%s: no free address space below 1 GiB for %zu bytes, where code without "
			"-fPIE sees its per-CPU variables",
			load->path, size);
	module->window_size = size;
	if (mprotect((void *)module->window, size, PROT_NONE))
		return fail_memory(load->pm);
	load->link->percpu_address = module->window;
	return 0;
}

static int place_variables(struct load *load)
{
	const struct link_part *part = &load->link->part[LINK_PERCPU];
	struct permod_module *module = load->module;
	struct pcpu_map map;

	if (!part->size)
		return 0;
	module->percpu = __alloc_reserved_percpu(part->size, part->align);
	if (!module->percpu) {
		pcpu_get_map(&map);
		return fail(
			load->pm, -ENOSPC,
			"%s: no room for %llu bytes of per-CPU variables in the reserved region "
			"(%zu of %zu bytes are used); set PERCPU_RESERVED higher",
			load->path, (unsigned long long)part->size, map.reserved_used,
			map.reserved_size);
	}
	module->percpu_size = part->size;
	load->link->percpu_address = (uintptr_t)module->percpu;
	return needs_window(load) ? open_window(load) : 0;
}

int place_module(struct load *load)
{
	int error = place_variables(load);

	if (!error)
		error = find_interval(load);
	if (error)
		return error;
	if (is_empty(&load->interval))
		return fail_interval(load);
	error = place_descriptors(load);
	if (!error && load->link->rseq_address)
		error = find_interval(load);
	if (error)
		return error;
	if (is_empty(&load->interval))
		return fail_interval(load);
	if (!load->link->block_size)
		return 0;
	error = place_image(load);
	if (error)
		return fail(load->pm, error,
			    "%s: no free address space for %llu bytes at 0x%llx..0x%llx",
			    load->path, (unsigned long long)load->link->block_size,
			    (unsigned long long)load->interval.low.base,
			    (unsigned long long)load->interval.high.base);
	return 0;
}

/* ---- Relocate ------------------------------------------------------------------------------- */

static void fill_copy(struct load *load, const struct cell *cell)
{
	unsigned char *bytes;

	if (!link_cell(load->link, cell->name, &bytes))
		return;
	memset(bytes, 0, cell->size);
	memcpy(bytes, cell->original, cell->original_size);
}

static void fill_cells(struct load *load)
{
	struct permod_module *module = load->module;
	struct module this_module = { module };
	struct pcpu_image image = { 0 };
	unsigned char *bytes;
	const struct link_symbol *handle = link_find(load->link, "__dso_handle");

	if (link_cell(load->link, "__this_module", &bytes))
		memcpy(bytes, &this_module, sizeof(this_module));
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
		if (cells[i].original)
			fill_copy(load, &cells[i]);
	}
	if (link_cell(load->link, "__pcpu_image", &bytes)) {
		image.begin = (char *)module->window;
		image.end = (char *)module->window + module->percpu_size;
		image.size = (char *)module->percpu_size;
		image.displacement = (char *)module->percpu - module->window;
		memcpy(bytes, &image, sizeof(image));
	}
	/* A cell, or what an object brought; for code that names none any address of its own will do. */
	module->dso_handle = module;
	if (handle && handle->section && handle->section->region < LINK_TLS) {
		module->dso_handle = (void *)(uintptr_t)link_symbol_address(load->link, handle);
		module->handlers = true;
	}
}

int relocate_module(struct load *load)
{
	struct permod_module *module = load->module;
	struct link *link = load->link;
	int error = open_buffers(load);

	if (error)
		return error;
	if (module->percpu_size) {
		load->percpu_image = malloc(module->percpu_size);
		if (!load->percpu_image)
			return fail_memory(load->pm);
		link->part[LINK_PERCPU].buffer = load->percpu_image;
	}
	fill_cells(load);
	error = open_descriptors(load);
	if (!error)
		error = open_tls(load);
	return error ? error : link_relocate(link);
}

/* Copy the variables' initial values to every possible CPU; what is zero is so already, and pages
 * that nobody writes cost nothing. */
static int copy_variables(struct load *load)
{
	const char *cookie = load->module->percpu;
	size_t left = load->module->percpu_size, page = load->link->page_size;
	const unsigned char *values = load->percpu_image;

	while (left) {
		size_t in_page = page - ((uintptr_t)cookie & (page - 1));
		size_t size = left < in_page ? left : in_page, i = 0;
		unsigned int cpu;

		while (i < size && !values[i])
			i++;
		if (i < size) {
			for_each_possible_cpu(cpu)
				memcpy((char *)((uintptr_t)cookie + per_cpu_offset(cpu)), values,
				       size);
		}
		cookie += size;
		values += size;
		left -= size;
	}
	return 0;
}

int protect_region(struct load *load, size_t region, int protection)
{
	const struct module_part *part = &load->module->part[region];

	if (!part->size)
		return 0;
	if (part->page)
		return 0;
	if (mprotect((void *)part->address, link_part_extent(load->link, (enum link_region)region),
		     protection))
		return fail(load->pm, -errno, "%s: can't protect its memory: %s", load->path,
			    strerror(errno));
	if (protection & PROT_EXEC)
		flush_code(part->address, part->size);
	return 0;
}

/* What the regions are once everything is written; region LINK_RO_AFTER_INIT has its turn later.  The
 * code comes first: it chooses what slots in the read-only data will hold. */
static int protect(struct load *load)
{
	int error = write_parts(load);

	if (!error)
		error = protect_region(load, LINK_TEXT, PROT_READ | PROT_EXEC);
	if (!error)
		error = protect_region(load, LINK_INIT_TEXT, PROT_READ | PROT_EXEC);
	if (!error && !(load->flags & PERMOD_LOAD_NO_INIT))
		error = resolve_indirect(load);
	if (!error)
		error = protect_region(load, LINK_RODATA, PROT_READ);
	return error ? error : protect_region(load, LINK_INIT_RODATA, PROT_READ);
}

/* ---- Publish -------------------------------------------------------------------------------- */

int check_export(struct load *load, const struct export *export)
{
	struct permod *pm = load->pm;
	const struct export *other = find_export(&pm->exports, export->name);
	struct permod_export program;

	if (other && other->owner == load->module)
		return fail(pm, -EEXIST, "%s: exports %s twice", load->path, export->name);
	if (other && other->owner)
		return fail(pm, -EEXIST, "%s: exports %s, which module %s exports already",
			    load->path, export->name, other->owner->name);
	if (other || find_program_export(export->name, &program))
		return fail(pm, -EEXIST, "%s: exports %s, which the host exports already",
			    load->path, export->name);
	return 0;
}

int publish_names(struct load *load)
{
	struct permod_module *module = load->module;

	if (reserve_exports(&load->pm->exports, module->num_exports) ||
	    reserve_module_name(load->pm))
		return fail_memory(load->pm);
	/* The host may have loaded one when it was asked for a symbol. */
	if (check_name(load, module->name))
		return -EEXIST;
	while (module->num_published < module->num_exports) {
		struct export *export = &module->exports[module->num_published];
		int error = check_export(load, export);

		if (error)
			return error;
		add_export(&load->pm->exports, export);
		module->num_published++;
	}
	name_module(module);
	list_module(module);
	return 0;
}

static int publish(struct load *load)
{
	int error = publish_names(load);

	if (error)
		return error;
	return register_module(load->module) ? fail_memory(load->pm) : 0;
}

/* ---- All of it ------------------------------------------------------------------------------ */

static int (*const steps[])(struct load *) = {
	read_and_link,	     check_fit,	     check_shadow_stack, resolve_symbols,
	check_types,	     place_module,   relocate_module,	 arrange_frames,
	copy_variables,	     taint_by_info,  taint_by_signature, protect,
	publish_descriptors, tell_unwinders, find_calls,	 make_symfile,
	describe_module,     publish,	     announce_coming,	 set_parameters,
	start_module,
};

/* What is given back is given without the lock: the change may come meanwhile. */
void note_early(struct load *load, const struct permod_module *other)
{
	if (other->state == PERMOD_LIVE)
		return;
	load->early = true;
	load->changes = load->pm->changes;
}

int check_name(struct load *load, const char *name)
{
	const struct permod_module *other = find_module(load->pm, name);

	if (!other)
		return 0;
	note_early(load, other);
	return fail(load->pm, -EEXIST, "%s: a module named %s is loaded already", load->path, name);
}

void free_load(struct load *load)
{
	link_free(load->link);
	free_inputs(&load->inputs);
	free(load->percpu_image);
	free(load->buffers);
	free(load->descriptors);
	free(load->tls_image);
	free(load->externals);
	free(load->owns);
	free(load->refused);
	forget_alike(load);
}

static int link_and_start(struct load *load)
{
	int error = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !error; i++)
		error = steps[i](load);
	return error;
}

static int hold_needs(struct load *load)
{
	for (size_t i = 0; i < load->inputs.num_needs; i++) {
		struct permod_module *need = load->inputs.needs[i];

		/* A reference keeps nobody from unloading it by force, or from waiting to; its name
		 * may be gone. */
		if (need->state != PERMOD_LIVE)
			return fail(load->pm, -EBUSY,
				    "%s: a module that it needs is being unloaded", load->path);
		if (use_module(load->module, need))
			return fail_memory(load->pm);
	}
	return 0;
}

/* Others learn that it goes, and the line that says why stays. */
static void discard_failed(struct permod_module *module)
{
	struct permod *pm = module->pm;
	bool seen = module->listed;

	announce_going(module);
	discard_module(module);
	/* Two that wait for a third one would wake each other for ever. */
	if (seen)
		tell_change(pm);
}

static int make_module(struct load *load, const char *name, int (*take_each_step)(struct load *))
{
	int error = check_name(load, name);

	if (error)
		return error;
	load->module = new_module(load->pm, name);
	if (!load->module)
		return fail_memory(load->pm);
	error = hold_needs(load);
	if (!error)
		error = take_each_step(load);
	if (error)
		discard_failed(load->module);
	free_load(load);
	return error;
}

static int take_steps(struct load *load, const char *name)
{
	struct load first;
	int error, shared;

	load->whole_pages = load->pm->whole_pages;
	first = *load;
	error = make_module(load, name, link_and_start);
	while (error && load->early && wait_for_change(load->pm, load->changes)) {
		*load = first;
		error = make_module(load, name, link_and_start);
	}
	if (load->again) {
		*load = first;
		load->whole_pages = true;
		return make_module(load, name, link_and_start);
	}
	/* Objects are what is loaded as a rule: only what is none is looked at again. */
	if (error != -ENOEXEC || first.inputs.data || first.inputs.num_paths != 1)
		return error;
	shared = is_shared_object(load->pm, load->path);
	if (shared > 0) {
		*load = first;
		return make_module(load, name, load_shared);
	}
	return shared ? shared : error;
}

int check_request(struct permod *pm, const struct inputs *inputs)
{
	const unsigned int known = PERMOD_LOAD_NO_INIT | PERMOD_LOAD_WHOLE_ARCHIVE |
				   PERMOD_LOAD_GC_SECTIONS | PERMOD_LOAD_FORCE;

	if (!inputs->num_paths)
		return fail(pm, -EINVAL, "a module needs at least one file");
	if (inputs->flags & ~known)
		return fail(pm, -EINVAL, "%s: unknown flags 0x%x", inputs->paths[0],
			    inputs->flags & ~known);
	return 0;
}

int load_inputs(const struct inputs *inputs, const char *name, const char *params,
		struct permod_module **m)
{
	struct permod *pm = inputs->pm;
	struct load load = {
		.pm = pm, .params = params, .flags = inputs->flags, .inputs = *inputs
	};
	struct operation operation;
	char *made = NULL;
	int error;

	lock_context(pm);
	begin_operation(&operation, pm);
	error = check_request(pm, inputs);
	if (!error) {
		load.path = inputs->paths[0];
		if (!name)
			name = made = name_of_path(load.path);
		error = name ? take_steps(&load, name) : fail_memory(pm);
		free(made);
	}
	if (!error)
		note_arrival(load.module);
	if (!error && !inputs->hold)
		permod_put(load.module);
	end_operation(&operation, error);
	if (!error && m)
		*m = load.module;
	unlock_context(pm);
	return error;
}

static int fail_name(struct permod *pm, const char *function)
{
	int error;

	lock_context(pm);
	error = fail(pm, -EINVAL, "%s(): a module needs a name", function);
	unlock_context(pm);
	return error;
}

int permod_load_memory(struct permod *pm, const char *name, const void *data, size_t size,
		       const char *params, unsigned int flags, struct permod_module **m)
{
	const struct inputs inputs = { .pm = pm,
				       .paths = &name,
				       .num_paths = 1,
				       .data = data ? data : "",
				       .size = size,
				       .flags = flags };

	return *name ? load_inputs(&inputs, name, params, m) : fail_name(pm, "permod_load_memory");
}

int permod_load_files(struct permod *pm, const char *name, const char *const *paths, size_t count,
		      const char *root, const char *params, unsigned int flags,
		      struct permod_module **m)
{
	const struct inputs inputs = {
		.pm = pm, .paths = paths, .num_paths = count, .root = root, .flags = flags
	};

	if (name && !*name)
		return fail_name(pm, "permod_load_files");
	return load_inputs(&inputs, name, params, m);
}

int permod_load_root(struct permod *pm, const char *path, const char *root, const char *params,
		     unsigned int flags, struct permod_module **m)
{
	return permod_load_files(pm, NULL, &path, 1, root, params, flags, m);
}

int permod_load(struct permod *pm, const char *path, const char *params, unsigned int flags,
		struct permod_module **m)
{
	return permod_load_files(pm, NULL, &path, 1, NULL, params, flags, m);
}
