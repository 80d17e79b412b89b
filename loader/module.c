/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a module has: its tables of symbols, per-CPU variables, exports and parameters, made when it
 * is loaded, and the functions that look at them.
 */
#define _GNU_SOURCE
#include "internal.h"

#include "loader/arch.h"

#define PERMOD_MODULE
#include <permod/module.h>

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FEW_SYMBOLS 8U /* so many are looked through */

/* ---- Addresses ------------------------------------------------------------------------------ */

uintptr_t cookie_of(const struct permod_module *module, uintptr_t address)
{
	if (module->shared)
		return pcpu_image_cookie((const void *)address);
	if (module->window && address - module->window < module->percpu_size)
		return (uintptr_t)module->percpu + (address - module->window);
	return address;
}

/* The bytes from an address to the end of its part, if that is one of first..last; otherwise 0. */
static size_t bytes_behind(const struct permod_module *module, uintptr_t address,
			   enum link_region first, enum link_region last)
{
	for (size_t region = first; region <= last; region++) {
		const struct module_part *part = &module->part[region];

		if (address - part->address < part->size)
			return part->size - (address - part->address);
	}
	return 0;
}

bool has_code(const struct permod_module *module, uintptr_t address)
{
	return bytes_behind(module, address, LINK_TEXT, LINK_TEXT) ||
	       bytes_behind(module, address, LINK_INIT_TEXT, LINK_INIT_TEXT);
}

#ifdef DESCRIPTORS
/* They are in a section of their own, each at a function's symbol. */
static bool is_descriptor(const struct permod_module *module, uintptr_t address)
{
	const struct symfile *file = module->symfile;
	const ElfW(Shdr) * section;
	const ElfW(Sym) * symbol;

	if (!file || bytes_behind(module, address, LINK_DATA, LINK_DATA) < sizeof(address))
		return false;
	section = find_section_at(file, LINK_DATA, address);
	symbol = find_symbol_at(file, LINK_DATA, address);
	return section && !strcmp(file->names + section->sh_name, DESCRIPTORS) && symbol &&
	       symbol->st_value == address;
}
#else
static bool is_descriptor(const struct permod_module *module, uintptr_t address)
{
	return bytes_behind(module, address, LINK_TEXT, LINK_TEXT) >= sizeof(address);
}
#endif

uintptr_t code_of(const struct permod_module *module, uintptr_t address)
{
	uintptr_t descriptor = descriptor_at(address);

	return is_descriptor(module, descriptor) ? *(const uintptr_t *)descriptor : address;
}

bool outlives_init(const struct permod_module *module, uintptr_t address)
{
	return bytes_behind(module, address, LINK_TEXT, LINK_DATA);
}

bool goes_with_init(const struct permod_module *module, uintptr_t address)
{
	return bytes_behind(module, code_of(module, address), LINK_INIT_TEXT, LINK_INIT_DATA);
}

bool has_address(const struct permod_module *module, uintptr_t address)
{
	for (size_t region = 0; region < LINK_PERCPU; region++) {
		const struct module_part *part = &module->part[region];

		if (address - part->address < part->size)
			return true;
	}
	return false;
}

static bool is_string_in_module(const struct permod_module *module, const char *string)
{
	size_t room = bytes_behind(module, (uintptr_t)string, LINK_TEXT, LINK_DATA);

	return room && *string && strnlen(string, room) < room;
}

/* ---- Symbols and variables ------------------------------------------------------------------ */

/* Tables on their way: first counted, then filled. */
struct tables {
	const struct link *link;
	struct permod_module *module;
	size_t num_symbols, num_variables, num_thread_symbols, names_size;
	char *names; /* the next free byte; NULL while counting */
};

static void fill_symbol(struct tables *tables, struct module_symbol *entry,
			const struct link_symbol *symbol)
{
	uintptr_t address = link_pointer(tables->link, symbol);
	const char *name = tables->names;

	if (symbol->note)
		name = tables->module->symfile->names + symbol->note;
	else
		tables->names = stpcpy(tables->names, symbol->name) + 1;
	*entry = (struct module_symbol){ name, cookie_of(tables->module, address), symbol->size };
}

/* Bytes of a name that is nowhere else. */
static size_t own_name_size(const struct link_symbol *symbol)
{
	return symbol->note ? 0 : strlen(symbol->name) + 1;
}

static bool is_of_init(const struct link_section *section)
{
	return section->region >= LINK_INIT_TEXT && section->region <= LINK_INIT_DATA;
}

/* What others may find by name, and what is still there after init. */
static bool is_visible(const struct link *link, const struct link_symbol *symbol)
{
	const struct link_section *code;
	uint64_t offset;

	if (link_find_code(link, symbol, &code, &offset) && is_of_init(code))
		return false;
	if (symbol->external || (symbol->section && is_of_init(symbol->section)))
		return false;
	if (symbol->section && symbol->section->region == LINK_NONE)
		return false;
	return symbol->visibility == STV_DEFAULT || symbol->visibility == STV_PROTECTED;
}

/* Those of threads have a table of their own: what is there is an offset. */
static void visit_symbols(struct tables *tables, struct link *link)
{
	struct link_symbol *symbol = NULL;

	while ((symbol = link_next_defined(link, symbol))) {
		bool of_threads = symbol->section && symbol->section->region == LINK_TLS;
		size_t *count = of_threads ? &tables->num_thread_symbols : &tables->num_symbols;

		if (!is_visible(link, symbol))
			continue;
		if (tables->names)
			fill_symbol(tables,
				    (of_threads ? tables->module->thread_symbols
						: tables->module->symbols) +
					    *count,
				    symbol);
		++*count;
		tables->names_size += own_name_size(symbol);
	}
}

static void visit_variables(struct tables *tables, struct link *link)
{
	struct link_symbol *symbol;

	if (!tables->module->percpu_size)
		return;
	for (struct link_object *object = link->objects; object;
	     object = link_object_next(object)) {
		for (unsigned int i = 0; (symbol = link_object_symbol(object, i)); i++) {
			if (!symbol->section || symbol->section->region != LINK_PERCPU ||
			    symbol->type == STT_SECTION || !symbol->size || !*symbol->name)
				continue;
			if (tables->names)
				fill_symbol(tables,
					    &tables->module->variables[tables->num_variables],
					    symbol);
			tables->num_variables++;
			tables->names_size += own_name_size(symbol);
		}
	}
}

static int compare_names(const void *a, const void *b)
{
	const struct module_symbol *first = a, *second = b;

	return strcmp(first->name, second->name);
}

/* Symbols, then variables, then symbols of threads, then names: one piece of memory.  Symbols, which can
 * be many, are indexed when somebody looks for one. */
static int describe_symbols(struct load *load)
{
	struct permod_module *module = load->module;
	struct tables count = { .link = load->link, .module = module }, fill = count;
	size_t entries;

	visit_symbols(&count, load->link);
	visit_variables(&count, load->link);
	entries = count.num_symbols + count.num_variables + count.num_thread_symbols;
	module->symbols = malloc(entries * sizeof(struct module_symbol) + count.names_size + 1);
	if (!module->symbols)
		return fail_memory(load->pm);
	module->variables = module->symbols + count.num_symbols;
	module->thread_symbols = module->variables + count.num_variables;
	fill.names = (char *)(module->symbols + entries);
	visit_symbols(&fill, load->link);
	visit_variables(&fill, load->link);
	module->num_symbols = fill.num_symbols;
	module->num_variables = fill.num_variables;
	module->num_thread_symbols = fill.num_thread_symbols;
	qsort(module->variables, module->num_variables, sizeof(struct module_symbol),
	      compare_names);
	qsort(module->thread_symbols, module->num_thread_symbols, sizeof(struct module_symbol),
	      compare_names);
	return 0;
}

/* ---- Exports and parameters: tables in the module's memory ----------------------------------- */

/* A section that is an array; the entries are in the module's memory. */
struct array_section {
	const char *name;
	size_t entry_size;
	int (*add)(struct load *load, const void *entry, const struct array_section *from);
	unsigned long flags;
};

static int fail_entry(struct load *load, const struct array_section *from, const char *what)
{
	return fail(load->pm, -ENOEXEC, "%s: section %s: an entry's %s is not in the module",
		    load->path, from->name, what);
}

/* An entry of a thread-local variable has no address of it: the compiler knows none. */
static int find_thread_export(struct load *load, const struct permod_export *declared,
			      uintptr_t *address)
{
	/* A shared object's are the dynamic linker's. */
	const struct link_symbol *symbol =
		load->link ? link_find(load->link, declared->name) : NULL;

	if (!symbol || !symbol->section || symbol->section->region != LINK_TLS ||
	    !load->module->tls)
		return fail(load->pm, -ENOEXEC,
			    "%s: exports %s as a thread-local variable, but has no global one of "
			    "this name",
			    load->path, declared->name);
	*address = link_symbol_address(load->link, symbol);
	return 0;
}

static int add_to_exports(struct load *load, const void *entry, const struct array_section *from)
{
	const struct permod_export *declared = entry;
	struct permod_module *module = load->module;
	uintptr_t address = cookie_of(module, (uintptr_t)declared->address);

	if (!is_string_in_module(module, declared->name))
		return fail_entry(load, from, "name");
	if (declared->flags & PERMOD_EXPORT_NAMESPACE &&
	    !is_string_in_module(module, export_space(declared)))
		return fail_entry(load, from, "namespace");
	if (declared->flags & PERMOD_EXPORT_THREAD && find_thread_export(load, declared, &address))
		return -ENOEXEC;
	if (goes_with_init(module, (uintptr_t)declared->address))
		return fail(load->pm, -ENOEXEC,
			    "%s: section %s: %s is freed when init has returned; what is exported "
			    "must not be __init or __initdata",
			    load->path, from->name, declared->name);
	module->exports[module->num_exports++] = (struct export){
		.name = declared->name,
		.space = export_space(declared),
		.address = address,
		.flags = from->flags |
			 (declared->flags & (PERMOD_EXPORT_GPL | PERMOD_EXPORT_THREAD)),
		.owner = module,
	};
	return 0;
}

static int add_to_params(struct load *load, const void *entry, const struct array_section *from)
{
	const struct kernel_param *declared = entry;
	struct permod_module *module = load->module;

	if (!is_string_in_module(module, declared->name))
		return fail_entry(load, from, "name");
	if (!declared->ops)
		return fail(load->pm, -ENOEXEC, "%s: section %s: parameter %s has no operations",
			    load->path, from->name, declared->name);
	module->params[module->num_params++] = declared;
	return 0;
}

static const struct array_section export_sections[] = {
	{ "__ksymtab", sizeof(struct permod_export), add_to_exports, 0 },
	{ "__ksymtab_gpl", sizeof(struct permod_export), add_to_exports, PERMOD_EXPORT_GPL },
};
static const struct array_section param_section = { "__param", sizeof(struct kernel_param),
						    add_to_params, 0 };

static int check_array(struct load *load, const struct array_section *from, const void *entries,
		       size_t size)
{
	if (size % from->entry_size)
		return fail(load->pm, -ENOEXEC,
			    "%s: section %s: %zu bytes are no multiple of an entry's %zu; it was "
			    "built against another <permod/module.h>",
			    load->path, from->name, size, from->entry_size);
	if ((uintptr_t)entries % _Alignof(void *))
		return fail(load->pm, -ENOEXEC, "%s: section %s: its alignment is too small",
			    load->path, from->name);
	return 0;
}

/* Count the entries of a section in all objects; with `add` also add them. */
static int visit_array(struct load *load, const struct array_section *from, size_t *count, bool add)
{
	struct link_section *section = NULL;
	int error = 0;

	while (!error && (section = link_next_section(load->link, from->name, section))) {
		const char *entry;

		if (section->region >= LINK_PERCPU || section->discarded || !section->size)
			continue;
		entry = (const char *)link_section_buffer(load->link, section);
		error = check_array(load, from, entry, section->size);
		*count += section->size / from->entry_size;
		for (size_t i = 0; add && !error && i < section->size / from->entry_size; i++)
			error = from->add(load, entry + i * from->entry_size, from);
	}
	return error;
}

static int describe_exports(struct load *load)
{
	struct permod_module *module = load->module;
	size_t count = 0, again = 0;
	int error = visit_array(load, &export_sections[0], &count, false);

	if (!error)
		error = visit_array(load, &export_sections[1], &count, false);
	if (error || !count)
		return error;
	module->exports = calloc(count, sizeof(struct export));
	if (!module->exports)
		return fail_memory(load->pm);
	error = visit_array(load, &export_sections[0], &again, true);
	return error ? error : visit_array(load, &export_sections[1], &again, true);
}

static int describe_params(struct load *load)
{
	struct permod_module *module = load->module;
	size_t count = 0, again = 0;
	int error = visit_array(load, &param_section, &count, false);

	if (error || !count)
		return error;
	module->params = calloc(count, sizeof(struct kernel_param *));
	if (!module->params)
		return fail_memory(load->pm);
	return visit_array(load, &param_section, &again, true);
}

/* Make room behind what the table of these entries has. */
static int add_room(struct load *load, const struct array_section *from, size_t count)
{
	struct permod_module *module = load->module;
	bool params = from == &param_section;
	void *more = params ? reallocarray(module->params, module->num_params + count,
					   sizeof(struct kernel_param *))
			    : reallocarray(module->exports, module->num_exports + count,
					   sizeof(struct export));

	if (!more)
		return fail_memory(load->pm);
	if (params)
		module->params = more;
	else
		module->exports = more;
	return 0;
}

static int add_array(struct load *load, const struct array_section *from, const char *entries,
		     size_t size)
{
	int error = check_array(load, from, entries, size);

	if (!error)
		error = add_room(load, from, size / from->entry_size);
	for (size_t at = 0; at < size && !error; at += from->entry_size)
		error = from->add(load, entries + at, from);
	return error;
}

int describe_array(struct load *load, const char *name, const void *entries, size_t size)
{
	const struct array_section *const sections[] = { &export_sections[0], &export_sections[1],
							 &param_section };

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (strcmp(name, sections[i]->name) == 0)
			return add_array(load, sections[i], entries, size);
	}
	return 0;
}

int describe_module(struct load *load)
{
	int error = describe_symbols(load);

	if (!error)
		error = describe_exports(load);
	return error ? error : describe_params(load);
}

/* ---- Looking at it -------------------------------------------------------------------------- */

static struct permod_module **bucket_of(const struct module_table *table, uint32_t hash)
{
	return &table->bucket[hash & (table->size - 1)];
}

struct permod_module *find_module(struct permod *pm, const char *name)
{
	uint32_t hash = hash_name(name);
	struct permod_module *module;

	if (!pm->modules.size)
		return NULL;
	module = *bucket_of(&pm->modules, hash);
	while (module && (module->name_hash != hash || strcmp(module->name, name) != 0))
		module = module->next_named;
	return module;
}

static void insert(struct module_table *table, struct permod_module *module)
{
	struct permod_module **bucket = bucket_of(table, module->name_hash);

	module->next_named = *bucket;
	*bucket = module;
}

int reserve_module_name(struct permod *pm)
{
	struct module_table *table = &pm->modules;
	struct module_table larger = { NULL, table->size ? table->size * 2 : 16, table->count };

	if (table->count < table->size)
		return 0;
	larger.bucket = calloc(larger.size, sizeof(struct permod_module *));
	if (!larger.bucket)
		return -ENOMEM;
	for (struct permod_module *module = pm->first; module; module = module->next)
		insert(&larger, module);
	free(table->bucket);
	*table = larger;
	return 0;
}

void name_module(struct permod_module *module)
{
	module->name_hash = hash_name(module->name);
	insert(&module->pm->modules, module);
	module->pm->modules.count++;
}

void unname_module(struct permod_module *module)
{
	struct permod_module **link = bucket_of(&module->pm->modules, module->name_hash);

	while (*link != module)
		link = &(*link)->next_named;
	*link = module->next_named;
	module->pm->modules.count--;
}

struct permod_module *permod_find(struct permod *pm, const char *name)
{
	struct permod_module *module;

	lock_context(pm);
	module = find_module(pm, name);
	unlock_context(pm);
	return module;
}

struct permod_module *permod_next(struct permod *pm, struct permod_module *m)
{
	struct permod_module *next;

	lock_context(pm);
	next = m ? m->next : pm->first;
	unlock_context(pm);
	return next;
}

const char *permod_name(const struct permod_module *m)
{
	return m->name;
}

/* Chains of symbols by the hash of their names: the first of each chain, then of each symbol the next;
 * numbers + 1. */
static uint32_t *make_index(const struct permod_module *module, size_t chains)
{
	uint32_t *first = calloc(chains + module->num_symbols, sizeof(*first));

	for (size_t i = 0; first && i < module->num_symbols; i++) {
		size_t chain = hash_name(module->symbols[i].name) & (chains - 1);

		first[chains + i] = first[chain];
		first[chain] = (uint32_t)(i + 1);
	}
	return first;
}

/* Several threads may be the first: one of them is. */
static const uint32_t *index_of(struct permod_module *module, size_t chains)
{
	uint32_t *index = __atomic_load_n(&module->symbol_index, __ATOMIC_ACQUIRE), *made;

	if (index)
		return index;
	made = make_index(module, chains);
	if (!made || __atomic_compare_exchange_n(&module->symbol_index, &index, made, false,
						 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return made;
	free(made);
	return index;
}

static const struct module_symbol *find_among_few(const struct permod_module *module,
						  const char *name)
{
	for (size_t i = 0; i < module->num_symbols; i++) {
		if (!strcmp(module->symbols[i].name, name))
			return &module->symbols[i];
	}
	return NULL;
}

static const struct module_symbol *find_symbol(struct permod_module *module, const char *name)
{
	const uint32_t *index = NULL;
	size_t chains = 1;

	while (chains < module->num_symbols)
		chains *= 2;
	if (module->num_symbols > FEW_SYMBOLS && module->num_symbols < UINT32_MAX)
		index = index_of(module, chains);
	/* Or there is no memory. */
	if (!index)
		return find_among_few(module, name);
	for (uint32_t i = index[hash_name(name) & (chains - 1)]; i; i = index[chains + i - 1]) {
		if (!strcmp(module->symbols[i - 1].name, name))
			return &module->symbols[i - 1];
	}
	return NULL;
}

void *permod_symbol(struct permod_module *m, const char *name)
{
	const struct module_symbol key = { .name = name };
	const struct module_symbol *symbol;

	for (size_t i = 0; i < m->num_exports; i++) {
		if (strcmp(m->exports[i].name, name) != 0)
			continue;
		if (m->exports[i].flags & PERMOD_EXPORT_THREAD)
			return tls_address(m->tls, m->exports[i].address);
		return (void *)m->exports[i].address;
	}
	symbol = find_symbol(m, name);
	if (symbol)
		return (void *)symbol->address;
	symbol =
		bsearch(&key, m->thread_symbols, m->num_thread_symbols, sizeof(key), compare_names);
	return symbol && m->tls ? tls_address(m->tls, symbol->address) : NULL;
}

int permod_region(const struct permod_module *m, unsigned int index, struct permod_region *region)
{
	for (unsigned int i = LINK_TEXT; i < LINK_PERCPU; i++) {
		const struct module_part *part = &m->part[i];

		if (!part->size || index-- > 0)
			continue;
		*region = (struct permod_region){ .name = region_names[i],
						  .address = part->address,
						  .size = part->size };
		strcpy(region->access, i == LINK_RO_AFTER_INIT && m->state != PERMOD_COMING
					       ? "r--"
					       : region_access[i]);
		return 0;
	}
	return -ENOENT;
}

int permod_variable(const struct permod_module *m, unsigned int index,
		    struct permod_variable *variable)
{
	if (index >= m->num_variables)
		return -ENOENT;
	*variable = (struct permod_variable){ m->variables[index].name, m->variables[index].address,
					      m->variables[index].size };
	return 0;
}

const char *const region_names[LINK_REGIONS] = {
	[LINK_TEXT] = "text",
	[LINK_RODATA] = "rodata",
	[LINK_RO_AFTER_INIT] = "ro_after_init",
	[LINK_DATA] = "data",
	[LINK_INIT_TEXT] = "init.text",
	[LINK_INIT_RODATA] = "init.rodata",
	[LINK_INIT_DATA] = "init.data",
	[LINK_PERCPU] = "percpu",
	[LINK_TLS] = "tls",
	[LINK_RSEQ] = "rseq",
};

const char region_access[LINK_PERCPU][4] = {
	[LINK_TEXT] = "r-x",	  [LINK_RODATA] = "r--",    [LINK_RO_AFTER_INIT] = "rw-",
	[LINK_DATA] = "rw-",	  [LINK_INIT_TEXT] = "r-x", [LINK_INIT_RODATA] = "r--",
	[LINK_INIT_DATA] = "rw-",
};
