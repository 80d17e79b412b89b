/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking at files without loading them.
 *
 * A struct permod_file is a linked object whose place was never chosen: it tells names.  A plan goes
 * through the steps of a load as far as nothing of the module has run, notes what stands against it,
 * and gives everything back; it keeps texts and numbers only.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <libelf.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

/* ---- Files ---------------------------------------------------------------------------------- */

struct file_export {
	const char *name;
	bool gpl;
};

/* Names are the link's memory. */
struct permod_file {
	struct inputs inputs;
	struct link *link;
	struct permod_signature signature;
	unsigned char *signature_value; /* what it points to, or NULL */
	const char **info;
	size_t num_info;
	struct file_export *exports;
	size_t num_exports;
	const char **undefined;
	size_t num_undefined;
	struct types *types;
	Elf *elf; /* of a shared object, which has the names then; or NULL */
};

static int add_name(const char ***list, size_t *count, const char *name)
{
	const char **entry = grow(list, count, sizeof(*entry));

	if (!entry)
		return -ENOMEM;
	*entry = name;
	return 0;
}

/* An entry of the export tables is called after the symbol that it exports. */
static int add_file_export(struct permod_file *file, const struct link_symbol *symbol)
{
	static const char prefix[] = "__ksymtab_";
	struct file_export *entry;
	bool gpl;

	if (!symbol->section || strncmp(symbol->name, prefix, sizeof(prefix) - 1) != 0)
		return 0;
	gpl = strcmp(symbol->section->name, "__ksymtab_gpl") == 0;
	if (!gpl && strcmp(symbol->section->name, "__ksymtab") != 0)
		return 0;
	entry = grow(&file->exports, &file->num_exports, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	*entry = (struct file_export){ symbol->name + sizeof(prefix) - 1, gpl };
	return 0;
}

static int list_names(struct permod_file *file)
{
	struct info_cursor cursor = { NULL, 0 };
	struct link_symbol *symbol = NULL;
	const char *info;
	int error = 0;

	while (!error && (info = next_info(file->link, &cursor)))
		error = add_name(&file->info, &file->num_info, info);
	while (!error && (symbol = link_next_undefined(file->link, symbol)))
		error = add_name(&file->undefined, &file->num_undefined, symbol->name);
	for (struct link_object *object = file->link->objects; object && !error;
	     object = link_object_next(object)) {
		for (unsigned int i = 0; !error && (symbol = link_object_symbol(object, i)); i++)
			error = add_file_export(file, symbol);
	}
	return error;
}

/* -ENOMEM, or nothing to complain of: what is no message is told as such. */
static int list_signature(struct permod_file *file)
{
	const struct inputs *inputs = &file->inputs;
	int error;

	if (!inputs->signature)
		return 0;
	strcpy(file->signature.id, "PKCS#7");
	error = describe_pkcs7(inputs->signature, inputs->signature_size, &file->signature,
			       &file->signature_value);
	return error == -ENOMEM ? error : 0;
}

static int open_object(struct permod *pm, struct permod_file *file)
{
	int error;

	file->link = link_new(report_error, pm);
	if (!file->link)
		return fail_memory(pm);
	error = add_cells(file->link, false);
	if (!error)
		error = add_inputs(&file->inputs, file->link);
	if (!error)
		error = link_layout(file->link);
	if (!error &&
	    (list_names(file) || read_types(file->link, &file->types) || list_signature(file)))
		error = fail_memory(pm);
	return error;
}

static int add_shared_info(void *arg, const char *info)
{
	struct permod_file *file = arg;

	return add_name(&file->info, &file->num_info, info);
}

static int add_shared_need(void *arg, const char *name)
{
	struct permod_file *file = arg;

	return add_name(&file->undefined, &file->num_undefined, name);
}

static int add_shared_export(void *arg, const char *name, bool gpl)
{
	struct permod_file *file = arg;
	struct file_export *entry = grow(&file->exports, &file->num_exports, sizeof(*entry));

	if (entry)
		*entry = (struct file_export){ name, gpl };
	return entry ? 0 : -ENOMEM;
}

static int open_shared_object(struct permod *pm, struct permod_file *file)
{
	const struct shared_reader reader = { .arg = file,
					      .info = add_shared_info,
					      .exported = add_shared_export,
					      .needed = add_shared_need };
	const char *path = file->inputs.paths[0];
	const void *data;
	size_t size;
	int error = read_input(&file->inputs, path, &data, &size);

	if (error)
		return error;
	file->elf = open_shared_file(pm, path, data, size);
	if (!file->elf)
		return -ENOEXEC;
	if (read_shared_file(file->elf, &reader) || read_shared_types(file->elf, &file->types) ||
	    list_signature(file))
		error = fail_memory(pm);
	return error;
}

static int open_file(struct permod *pm, struct permod_file *file)
{
	const struct inputs inputs = file->inputs;
	int error = check_request(pm, &inputs), shared;

	if (!error)
		error = open_object(pm, file);
	/* As for a load: only what is no object is looked at again. */
	if (error != -ENOEXEC || inputs.num_paths != 1 || inputs.root || inputs.flags)
		return error;
	shared = is_shared_object(pm, inputs.paths[0]);
	if (shared <= 0)
		return shared ? shared : error;
	link_free(file->link);
	file->link = NULL;
	free_inputs(&file->inputs);
	file->inputs = inputs;
	return open_shared_object(pm, file);
}

int permod_file_open_files(struct permod *pm, const char *const *paths, size_t count,
			   const char *root, unsigned int flags, struct permod_file **file)
{
	struct permod_file *made;
	int error;

	*file = NULL;
	lock_context(pm);
	made = calloc(1, sizeof(*made));
	if (made) {
		made->inputs = (struct inputs){
			.pm = pm, .paths = paths, .num_paths = count, .root = root, .flags = flags
		};
		error = open_file(pm, made);
	} else {
		error = fail_memory(pm);
	}
	if (error)
		permod_file_close(made);
	else
		*file = made;
	unlock_context(pm);
	return error;
}

int permod_file_open(struct permod *pm, const char *path, struct permod_file **file)
{
	return permod_file_open_files(pm, &path, 1, NULL, 0, file);
}

void permod_file_close(struct permod_file *file)
{
	if (!file)
		return;
	link_free(file->link);
	elf_end(file->elf);
	free_inputs(&file->inputs);
	free(file->info);
	free(file->exports);
	free(file->undefined);
	free_types(file->types);
	free(file->signature_value);
	free(file);
}

const char *permod_file_info(const struct permod_file *file, unsigned int index)
{
	return index < file->num_info ? file->info[index] : NULL;
}

const char *permod_file_export(const struct permod_file *file, unsigned int index, int *gpl)
{
	if (index >= file->num_exports)
		return NULL;
	if (gpl)
		*gpl = file->exports[index].gpl;
	return file->exports[index].name;
}

const char *permod_file_undefined(const struct permod_file *file, unsigned int index)
{
	return index < file->num_undefined ? file->undefined[index] : NULL;
}

int permod_file_type(const struct permod_file *file, unsigned int index, struct permod_type *type)
{
	return get_type(file->types, index, type);
}

int permod_file_signature(const struct permod_file *file, struct permod_signature *signature)
{
	*signature = file->signature;
	return *signature->id ? 0 : -ENOENT;
}

/* ---- Plans ---------------------------------------------------------------------------------- */

const char *copy_text(struct permod_plan *plan, const char *text)
{
	char **entry = grow(&plan->texts, &plan->num_texts, sizeof(*entry));

	if (entry)
		*entry = strdup(text);
	plan->incomplete |= !entry || !*entry;
	return entry ? *entry : NULL;
}

/* Whoever fails passes on an error whose line was noted where it was made. */
void note_problem(struct permod_plan *plan, struct permod *pm, int error)
{
	const char *line = permod_error(pm), **entry;
	size_t count = plan->num_problems;

	if (!plan->error)
		plan->error = error;
	if (count > 0 && plan->problems[count - 1] && !strcmp(plan->problems[count - 1], line))
		return;
	entry = grow(&plan->problems, &plan->num_problems, sizeof(*entry));
	plan->incomplete |= !entry;
	if (entry)
		*entry = copy_text(plan, line);
}

void report_problem(void *arg, const char *format, va_list args)
{
	struct load *load = arg;

	report_error(load->pm, format, args);
	note_problem(load->plan, load->pm, 0);
}

static bool is_worth_a_line(const struct link_section *section)
{
	switch (section->type) {
	case SHT_NULL:
	case SHT_SYMTAB:
	case SHT_STRTAB:
	case SHT_RELA:
	case SHT_REL:
	case SHT_GROUP:
	case SHT_SYMTAB_SHNDX:
		return false;
	default:
		return section->size > 0;
	}
}

static void plan_section(struct permod_plan *plan, const struct load *load,
			 const struct link_section *section)
{
	struct permod_plan_section *entry;
	bool loaded = section->region < LINK_REGIONS && !section->discarded;
	bool placed = false;

	/* Thread-local ones each thread has elsewhere. */
	if (section->region == LINK_PERCPU)
		placed = load->module->percpu != NULL;
	else if (section->region < LINK_TLS)
		placed = load->module->part[section->region].size != 0;
	entry = grow(&plan->sections, &plan->num_sections, sizeof(*entry));
	plan->incomplete |= !entry;
	if (!entry)
		return;
	entry->object = copy_text(plan, link_object_name(section->object));
	entry->name = copy_text(plan, section->name);
	entry->region = loaded ? region_names[section->region] : "-";
	entry->size = section->size;
	entry->align = section->align;
	entry->offset = section->offset;
	entry->discarded = section->discarded;
	if (loaded && placed)
		entry->address = cookie_of(load->module, link_section_address(load->link, section));
}

static void plan_sections(struct permod_plan *plan, const struct load *load)
{
	struct link_section *section;

	for (struct link_object *object = load->link->objects; object;
	     object = link_object_next(object)) {
		for (unsigned int i = 0; (section = link_object_section(object, i)); i++) {
			if (is_worth_a_line(section))
				plan_section(plan, load, section);
		}
	}
}

/* The file that has an address, without its folder; the program itself is the host. */
static const char *library_of(uintptr_t address)
{
	Dl_info info, program;
	const char *slash;

	if (!dladdr((void *)address, &info) || !info.dli_fname)
		return "host";
	if (dladdr((void *)getauxval(AT_ENTRY), &program) && program.dli_fbase == info.dli_fbase)
		return "host";
	slash = strrchr(info.dli_fname, '/');
	return slash ? slash + 1 : info.dli_fname;
}

struct block_search {
	uint64_t module;
	const char *name;
};

static int look_at_block(struct dl_phdr_info *image, size_t size, void *arg)
{
	struct block_search *search = arg;

	(void)size;
	if (image->dlpi_tls_modid != search->module)
		return 0;
	search->name = image->dlpi_name;
	return 1;
}

/* The same for thread-local variables, whose addresses are nobody's. */
static const char *library_of_block(uint64_t module)
{
	struct block_search search = { .module = module };
	const char *slash;

	dl_iterate_phdr(look_at_block, &search);
	if (!search.name || !*search.name)
		return "host";
	slash = strrchr(search.name, '/');
	return slash ? slash + 1 : search.name;
}

static const char *provider_of(const struct link_symbol *symbol)
{
	const struct permod_module *owner = symbol->owner;
	void *original;
	Dl_info info;

	if (!owner)
		return NULL;
	if (owner == &provider_host)
		return "host";
	if (owner == &provider_permod)
		return "permod";
	if (owner != &provider_libdl)
		return owner->name;
	if (symbol->tls)
		return library_of_block(symbol->tls->module);
	/* It may be a copy. */
	original = (void *)(uintptr_t)symbol->value;
	if (symbol->value <= UINT32_MAX && !dladdr(original, &info))
		ask_libdl(RTLD_DEFAULT, symbol->name, &original);
	return library_of((uintptr_t)original);
}

static void plan_symbol(struct permod_plan *plan, const struct link_symbol *symbol)
{
	const char *provider = provider_of(symbol);
	struct permod_plan_symbol *entry = grow(&plan->symbols, &plan->num_symbols, sizeof(*entry));

	plan->incomplete |= !entry;
	if (!entry)
		return;
	entry->name = copy_text(plan, symbol->name);
	entry->provider = provider ? copy_text(plan, provider) : NULL;
	entry->address = provider && !symbol->tls ? symbol->value : 0;
	entry->weak = symbol->bind == STB_WEAK;
	entry->got = symbol->got_used;
	entry->stub = symbol->stub_used;
}

/* Put what nobody has next to everything else, to see what else there is to say. */
static void define_missing(struct load *load)
{
	uintptr_t somewhere = (uintptr_t)pcpu_near_layout();

	for (size_t i = 0; i < load->num_externals; i++) {
		struct link_symbol *symbol = load->externals[i];

		if (!symbol->defined && symbol->bind != STB_WEAK)
			link_define(symbol, somewhere, true);
	}
}

/* Until the plan's module is discarded, what it may export is in the table: a name that it exports
 * twice is found there. */
static int plan_exports(struct permod_plan *plan, struct load *load)
{
	struct permod_module *module = load->module;

	if (reserve_exports(&load->pm->exports, module->num_exports))
		return fail_memory(load->pm);
	for (size_t i = 0; i < module->num_exports; i++) {
		struct export *export = &module->exports[module->num_published];
		int error;

		*export = module->exports[i];
		error = check_export(load, export);
		if (error) {
			note_problem(plan, load->pm, error);
			continue;
		}
		add_export(&load->pm->exports, export);
		module->num_published++;
	}
	return 0;
}

static void take_plan_steps(struct permod_plan *plan, struct load *load)
{
	int error;

	if (load->link->flaw)
		note_problem(plan, load->pm, load->link->flaw);
	error = check_fit(load);
	if (error)
		note_problem(plan, load->pm, error);
	error = check_shadow_stack(load);
	if (error)
		note_problem(plan, load->pm, error);
	error = resolve_symbols(load);
	if (error)
		note_problem(plan, load->pm, error);
	error = check_types(load);
	if (error)
		note_problem(plan, load->pm, error);
	note_undefined(plan, load);
	define_missing(load);
	error = load->link->flaw;
	if (!error)
		error = place_module(load);
	if (!error)
		error = relocate_module(load);
	if (!error)
		error = arrange_frames(load);
	if (!error)
		error = find_calls(load);
	if (!error)
		error = describe_module(load);
	if (!error)
		error = plan_exports(plan, load);
	if (error)
		note_problem(plan, load->pm, error);
	plan->low = load->interval.low.base;
	plan->high = load->interval.high.base;
	plan_sections(plan, load);
	for (size_t i = 0; i < load->num_externals; i++)
		plan_symbol(plan, load->externals[i]);
	map_plan(plan, load);
}

static int make_plan(struct permod_plan *plan, struct load *load, const char *name)
{
	int error = check_name(load, name);

	if (error)
		note_problem(plan, load->pm, error);
	load->module = new_module(load->pm, name);
	if (!load->module)
		return fail_memory(load->pm);
	error = read_and_link(load);
	if (!error)
		take_plan_steps(plan, load);
	/* There is no more than problems, but more than one of them. */
	if (error && load->link && load->link->flaw) {
		note_problem(plan, load->pm, error);
		error = 0;
	}
	if (load->inputs.distrusted)
		plan->distrusted = copy_text(plan, load->inputs.distrusted);
	discard_module(load->module);
	free_load(load);
	return error;
}

/* What could not even be read and linked is an error, and no plan. */
static int plan_inputs(struct permod_plan *plan, const struct inputs *inputs, const char *name)
{
	struct permod *pm = inputs->pm;
	struct load load = {
		.pm = pm,
		.flags = inputs->flags,
		.inputs = *inputs,
		.plan = plan,
		.whole_pages = true,
		.interval.low.base = 1, /* none yet */
	};
	char *made = NULL;
	int error = check_request(pm, inputs);

	if (error)
		return error;
	load.path = inputs->paths[0];
	if (!name)
		name = made = name_of_path(load.path);
	error = name ? make_plan(plan, &load, name) : fail_memory(pm);
	free(made);
	if (error == -ENOEXEC && inputs->num_paths == 1 && is_shared_object(pm, load.path) > 0)
		return fail(
			pm, error,
			"%s: a shared object, of which there is no plan: it can be loaded, but the "
			"dynamic linker decides where it goes",
			load.path);
	return !error && plan->incomplete ? fail_memory(pm) : error;
}

int permod_plan_files(struct permod *pm, const char *name, const char *const *paths, size_t count,
		      const char *root, unsigned int flags, struct permod_plan **plan)
{
	const struct inputs inputs = {
		.pm = pm, .paths = paths, .num_paths = count, .root = root, .flags = flags
	};
	struct permod_plan *made = calloc(1, sizeof(*made));
	int error;

	*plan = NULL;
	lock_context(pm);
	error = made ? plan_inputs(made, &inputs, name) : fail_memory(pm);
	if (error) {
		permod_plan_free(made);
	} else {
		*plan = made;
		error = made->error;
		if (error)
			fail(pm, error, "%s", made->problems[0]);
	}
	unlock_context(pm);
	return error;
}

int permod_plan(struct permod *pm, const char *path, struct permod_plan **plan)
{
	return permod_plan_files(pm, NULL, &path, 1, NULL, 0, plan);
}

void permod_plan_free(struct permod_plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->num_texts; i++)
		free(plan->texts[i]);
	free(plan->texts);
	free(plan->sections);
	free(plan->symbols);
	free(plan->slots);
	free(plan->problems);
	free(plan);
}

const struct permod_plan_section *permod_plan_section(const struct permod_plan *plan,
						      unsigned int index)
{
	return index < plan->num_sections ? &plan->sections[index] : NULL;
}

const struct permod_plan_symbol *permod_plan_symbol(const struct permod_plan *plan,
						    unsigned int index)
{
	return index < plan->num_symbols ? &plan->symbols[index] : NULL;
}

const struct permod_plan_slot *permod_plan_slot(const struct permod_plan *plan, unsigned int index)
{
	return index < plan->num_slots ? &plan->slots[index] : NULL;
}

const struct permod_plan_place *permod_plan_place(const struct permod_plan *plan)
{
	return &plan->place;
}

const char *permod_plan_problem(const struct permod_plan *plan, unsigned int index)
{
	return index < plan->num_problems ? plan->problems[index] : NULL;
}

const char *permod_plan_distrust(const struct permod_plan *plan)
{
	return plan->distrusted;
}

void permod_plan_interval(const struct permod_plan *plan, uintptr_t *low, uintptr_t *high)
{
	*low = plan->low;
	*high = plan->high;
}
