/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is known of a module by address, kept in the form in which debuggers read it: an ELF file in
 * memory, whose sections and symbols have their final addresses, static ones too.
 *
 *     | header | symbols | sections | .eh_frame | debug information | names |
 *
 * Names are copied with all that their object's table of strings has, if most of that is wanted, and the
 * module's other tables use them too.  Its own two tables serve permod_addr().  They are in the order of
 * regions, and within a region of addresses; neighbours of one name are one section.  Only sections that debuggers cannot read where
 * they lie have contents: .eh_frame, and debug information if the objects have any.
 *
 * Per-CPU variables have their cookies for addresses.
 */
#define _GNU_SOURCE
#include "internal.h"

#include "elf/arch.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN sizeof(uint64_t)
#define FEW 32	      /* so many are sorted by insertion */
#define DIGIT_BITS 12 /* of a key, in one pass of sorting */
#define DIGITS 3
/* A key is where a symbol is, region and offset, and then its number. */
#define NUMBER_BITS 28
#define OFFSET_BITS 31
#define NUMBER_MASK (((uint64_t)1 << NUMBER_BITS) - 1)
#define MOST_SECTIONS 0xf000U /* more would need another form of header */
#define MOST_NAME 255U	      /* bytes of a section's name; names in a file may overlap */
#define UNWIND ".eh_frame"
/* All names that an object has are copied as they are, if they are not more than so many bytes for
 * each symbol that is listed. */
#define MOST_NAMES 32

/* A symbol as objects have it: its value is an offset in the region. */
struct item {
	ElfW(Sym) entry;
	struct link_symbol *symbol;
};

/* What an object brings: items, and names that are all of its own or only those of the items. */
struct source {
	const struct link_object *object;
	size_t end;    /* of its items; they begin where the last object's end */
	uint32_t base; /* where its names are copied to, or 0 */
};

/* A section of the file to be: neighbours of one name. */
struct run {
	const char *name;
	enum link_region region;
	uint64_t begin, end; /* offsets in the region */
	bool executable, writable, contents;
};

/* A file on its way; all else is the link's memory. */
struct draft {
	struct load *load;
	bool unwind, debug; /* whether it has .eh_frame, and debug information */
	struct source *sources;
	struct item *items; /* symbols */
	uint64_t *keys;	    /* of items, and behind them room for sorting */
	struct run *runs;
	size_t num_sources, num_symbols, num_runs, num_debug;
	size_t symbol_names; /* bytes, the first is 0 */
	size_t names_size;   /* bytes, with those of sections */
	size_t size;	     /* of the file, bytes */
	size_t used;	     /* of its contents */
	char *next_name;
	struct symfile *file;
};

/* ---- Symbols -------------------------------------------------------------------------------- */

static uint64_t spot_of(enum link_region region, uint64_t offset)
{
	return (uint64_t)region << OFFSET_BITS | offset;
}

static bool is_listed(const struct link_symbol *symbol)
{
	return symbol->section && symbol->section->region <= LINK_PERCPU &&
	       !symbol->section->discarded && *symbol->name;
}

/* A name's place in what is copied from `strings`; 0 if it lies elsewhere. */
static uint32_t place_of(const struct source *source, const char *name, const char *strings,
			 size_t size)
{
	uintptr_t offset = (uintptr_t)name - (uintptr_t)strings;

	return source->base && offset < size ? (uint32_t)(source->base + offset) : 0;
}

/* Names of its own for what has none yet. */
static void name_rest(struct draft *draft, const struct source *source, size_t first)
{
	for (size_t i = first; i < source->end; i++) {
		struct item *item = &draft->items[i];

		if (item->entry.st_name && source->base)
			continue;
		item->entry.st_name = (uint32_t)draft->symbol_names;
		draft->symbol_names += strlen(item->symbol->name) + 1;
	}
}

static void add_item(struct draft *draft, struct link_symbol *symbol, uint32_t name,
		     const struct link_section *section, uint64_t value, uint64_t size)
{
	uint64_t offset = section->offset + value;

	draft->keys[draft->num_symbols] =
		spot_of(section->region, offset) << NUMBER_BITS | draft->num_symbols;
	draft->items[draft->num_symbols++] = (struct item){
		.entry = {
			.st_name = name,
			.st_info = (unsigned char)ELF64_ST_INFO(symbol->bind, symbol->type),
			.st_other = symbol->visibility,
			.st_value = offset,
			.st_size = size,
		},
		.symbol = symbol,
	};
}

/* A function that has a descriptor is listed twice: there, and where its code is. */
static void collect_object(struct draft *draft, struct link_object *object)
{
	struct source *source = &draft->sources[draft->num_sources++];
	size_t first = draft->num_symbols, size;
	const char *strings = link_object_strings(object, &size);
	struct link_symbol *symbol;

	source->object = object;
	source->base = (uint32_t)draft->symbol_names;
	for (unsigned int i = 0; (symbol = link_object_symbol(object, i)); i++) {
		const struct link_section *code;
		uint64_t offset;
		uint32_t name;

		if (!is_listed(symbol))
			continue;
		name = place_of(source, symbol->name, strings, size);
		if (!link_find_code(draft->load->link, symbol, &code, &offset)) {
			add_item(draft, symbol, name, symbol->section, symbol->value, symbol->size);
			continue;
		}
		add_item(draft, symbol, name, symbol->section, symbol->value, sizeof(uintptr_t));
		add_item(draft, symbol, name, code, offset, symbol->size);
	}
	source->end = draft->num_symbols;
	if ((source->end - first) * MOST_NAMES >= size)
		draft->symbol_names += size;
	else
		source->base = 0;
	name_rest(draft, source, first);
}

static int collect(struct draft *draft)
{
	struct link *link = draft->load->link;
	size_t objects = 0, most = 0, symbols = link->arch->find_code ? 2 : 1;

	for (struct link_object *object = link->objects; object;
	     object = link_object_next(object)) {
		objects++;
		most += symbols * link_object_symbols(object);
	}
	if (most > NUMBER_MASK)
		return -ENOMEM;
	draft->sources = link_allocate(link, objects * sizeof(struct source));
	draft->items = link_allocate(link, most * sizeof(struct item));
	draft->keys = link_allocate(link, most * 2 * sizeof(uint64_t));
	if (!draft->sources || !draft->items || !draft->keys)
		return -ENOMEM;
	draft->symbol_names = 1;
	for (struct link_object *object = link->objects; object;
	     object = link_object_next(object)) {
		collect_object(draft, object);
		if (draft->symbol_names > UINT32_MAX)
			return -ENOMEM;
	}
	return 0;
}

static void sort_few(uint64_t *keys, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		uint64_t key = keys[i];
		size_t place = i;

		for (; place > 0 && keys[place - 1] > key; place--)
			keys[place] = keys[place - 1];
		keys[place] = key;
	}
}

/* By where they are, which is all that counts: numbers are in order, so global symbols stay behind local
 * ones.  There is room for as many keys behind them. */
static void sort_keys(struct draft *draft)
{
	size_t count = draft->num_symbols;
	uint64_t *from = draft->keys, *to = from + count, *other;
	uint32_t start[1U << DIGIT_BITS];

	if (count <= FEW) {
		sort_few(from, count);
		return;
	}
	for (unsigned int digit = 0; digit < DIGITS; digit++) {
		unsigned int shift = NUMBER_BITS + digit * DIGIT_BITS;
		uint32_t sum = 0;

		memset(start, 0, sizeof(start));
		for (size_t i = 0; i < count; i++)
			start[from[i] >> shift & ((1U << DIGIT_BITS) - 1)]++;
		for (size_t i = 0; i < 1U << DIGIT_BITS; i++) {
			uint32_t here = start[i];

			start[i] = sum;
			sum += here;
		}
		for (size_t i = 0; i < count; i++)
			to[start[from[i] >> shift & ((1U << DIGIT_BITS) - 1)]++] = from[i];
		other = from;
		from = to;
		to = other;
	}
	if (from != draft->keys)
		memcpy(draft->keys, from, count * sizeof(*from));
}

/* ---- Sections ------------------------------------------------------------------------------- */

static struct run *add_run(struct draft *draft, enum link_region region, const char *name,
			   uint64_t begin)
{
	struct run *run = &draft->runs[draft->num_runs++];

	*run = (struct run){ .name = name, .region = region, .begin = begin };
	draft->names_size += strnlen(name, MOST_NAME) + 1;
	return run;
}

/* What the linker made itself lies behind the sections of a region. */
static void add_tail(struct draft *draft, enum link_region region)
{
	static const char *const names[LINK_REGIONS] = {
		[LINK_TEXT] = ".plt", [LINK_RODATA] = ".got", [LINK_DATA] = "COMMON"
	};
	const struct run *last = draft->num_runs ? &draft->runs[draft->num_runs - 1] : NULL;
	uint64_t begin = last && last->region == region ? last->end : 0;
	uint64_t size = draft->load->link->part[region].size;
	struct run *run;

	if (begin >= size || !names[region])
		return;
	run = add_run(draft, region, names[region], begin);
	run->end = size;
	run->executable = region == LINK_TEXT;
	run->writable = region == LINK_DATA;
}

static bool has_room(const struct link_section *section)
{
	return section->region <= LINK_PERCPU && section->size;
}

static int make_runs(struct draft *draft)
{
	size_t count, listed = 0;
	struct link_section *const *placed = link_placed_sections(draft->load->link, &count);
	enum link_region region = LINK_TEXT;
	bool one_a_region;

	for (size_t i = 0; i < count; i++)
		listed += has_room(placed[i]);
	one_a_region = listed > MOST_SECTIONS;
	draft->runs =
		link_allocate(draft->load->link, (listed + LINK_REGIONS) * sizeof(struct run));
	if (!draft->runs)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct link_section *section = placed[i];
		struct run *run;
		const char *name = one_a_region ? region_names[section->region] : section->name;

		if (!has_room(section))
			continue;
		for (; region < section->region; region++)
			add_tail(draft, region);
		run = draft->num_runs ? &draft->runs[draft->num_runs - 1] : NULL;
		if (!run || run->region != section->region || strcmp(run->name, name) != 0) {
			run = add_run(draft, section->region, name, section->offset);
			run->contents = draft->unwind && !strcmp(name, UNWIND);
		}
		run->end = section->offset + section->size;
		run->executable |= !!(section->flags & SHF_EXECINSTR);
		run->writable |= !!(section->flags & SHF_WRITE);
	}
	for (; region < LINK_REGIONS; region++)
		add_tail(draft, region);
	return 0;
}

static size_t align_up(size_t size)
{
	return (size + ALIGN - 1) & ~(ALIGN - 1);
}

/* ---- Writing -------------------------------------------------------------------------------- */

static uintptr_t region_address(const struct permod_module *module, enum link_region region)
{
	return region == LINK_PERCPU ? (uintptr_t)module->percpu : module->part[region].address;
}

static uint32_t write_name(struct draft *draft, const char *name, size_t most)
{
	size_t length = strnlen(name, most);
	char *at = draft->next_name;

	memcpy(at, name, length);
	at[length] = '\0';
	draft->next_name += length + 1;
	return (uint32_t)(at - draft->file->names);
}

/* Room for contents, aligned as a header's are. */
static unsigned char *take_room(struct draft *draft, ElfW(Shdr) * header, uint64_t size)
{
	header->sh_offset = draft->used;
	header->sh_size = size;
	draft->used += align_up((size_t)size);
	return draft->file->bytes + header->sh_offset;
}

static void write_runs(struct draft *draft)
{
	struct symfile *file = draft->file;
	struct load *load = draft->load;
	enum link_region region = LINK_TEXT;

	for (size_t i = 0; i < draft->num_runs; i++) {
		const struct run *run = &draft->runs[i];
		ElfW(Shdr) *header = &file->sections[1 + i];

		for (; region <= run->region; region++)
			file->first_section[region] = (uint32_t)(1 + i);
		*header = (ElfW(Shdr)){
			.sh_name = write_name(draft, run->name, MOST_NAME),
			.sh_type = run->contents ? SHT_PROGBITS : SHT_NOBITS,
			.sh_flags = SHF_ALLOC | (run->executable ? SHF_EXECINSTR : 0U) |
				    (run->writable ? SHF_WRITE : 0U),
			.sh_addr = region_address(load->module, run->region) + run->begin,
			.sh_size = run->end - run->begin,
			.sh_addralign = 1,
		};
		if (run->contents)
			memcpy(take_room(draft, header, header->sh_size),
			       load->link->part[run->region].buffer + run->begin, header->sh_size);
	}
	for (; region <= LINK_REGIONS; region++)
		file->first_section[region] = (uint32_t)(1 + draft->num_runs);
}

static void write_symbols(struct draft *draft)
{
	const struct permod_module *module = draft->load->module;
	struct symfile *file = draft->file;
	enum link_region region = LINK_TEXT;
	size_t run = 0;

	for (size_t i = 0; i < draft->num_symbols; i++) {
		uint64_t spot = draft->keys[i] >> NUMBER_BITS;
		ElfW(Sym) *entry = &file->symbols[1 + i];
		enum link_region here = (enum link_region)(spot >> OFFSET_BITS);

		for (; region <= here; region++)
			file->first_symbol[region] = (uint32_t)(1 + i);
		/* The last section that begins before it. */
		while (run + 1 < draft->num_runs &&
		       spot_of(draft->runs[run + 1].region, draft->runs[run + 1].begin) <= spot)
			run++;
		*entry = draft->items[draft->keys[i] & NUMBER_MASK].entry;
		entry->st_shndx = (uint16_t)(1 + run);
		entry->st_value += region_address(module, here);
	}
	for (; region <= LINK_REGIONS; region++)
		file->first_symbol[region] = (uint32_t)(1 + draft->num_symbols);
}

/* And let symbols know where their names are. */
static void write_symbol_names(struct draft *draft)
{
	size_t item = 0;

	for (size_t i = 0; i < draft->num_sources; i++) {
		const struct source *source = &draft->sources[i];
		size_t size = 0;
		const char *strings = link_object_strings(source->object, &size);

		if (source->base && size)
			memcpy(draft->file->names + source->base, strings, size);
		for (; item < source->end; item++) {
			struct link_symbol *symbol = draft->items[item].symbol;

			symbol->note = draft->items[item].entry.st_name;
			if (!place_of(source, symbol->name, strings, size))
				strcpy(draft->file->names + symbol->note, symbol->name);
		}
	}
	draft->next_name = draft->file->names + draft->symbol_names;
}

/* false: there is something in it that nobody can read. */
static bool write_debug(struct draft *draft)
{
	ElfW(Shdr) *header = draft->file->sections + 1 + draft->num_runs;
	const struct link_debug *part = NULL;
	struct link *link = draft->load->link;

	for (; (part = link_next_debug(link, part)); header++) {
		unsigned char *bytes;

		*header = (ElfW(Shdr)){
			.sh_name = write_name(draft, part->name, MOST_NAME),
			.sh_type = SHT_PROGBITS,
			.sh_addralign = part->align,
		};
		bytes = take_room(draft, header, part->size);
		if (link_relocate_debug(link, part, bytes, false))
			return false;
	}
	return true;
}

static void write_tables(struct draft *draft)
{
	struct symfile *file = draft->file;
	ElfW(Ehdr) *header = (ElfW(Ehdr) *)(void *)file->bytes;
	size_t strings = 2 + draft->num_runs + draft->num_debug;

	file->sections[strings - 1] = (ElfW(Shdr)){
		.sh_name = write_name(draft, ".symtab", MOST_NAME),
		.sh_type = SHT_SYMTAB,
		.sh_offset = sizeof(*header),
		.sh_size = (1 + draft->num_symbols) * sizeof(ElfW(Sym)),
		.sh_link = (uint32_t)strings,
		.sh_info = 1,
		.sh_addralign = ALIGN,
		.sh_entsize = sizeof(ElfW(Sym)),
	};
	file->sections[strings] = (ElfW(Shdr)){
		.sh_name = write_name(draft, ".strtab", MOST_NAME),
		.sh_type = SHT_STRTAB,
		.sh_offset = (uint64_t)((unsigned char *)file->names - file->bytes),
		.sh_size = draft->names_size,
		.sh_addralign = 1,
	};
	*header = (ElfW(Ehdr)){
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, draft->load->link->arch->class,
			     draft->load->link->arch->encoding, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = draft->load->link->arch->machine,
		.e_version = EV_CURRENT,
		.e_shoff = (uint64_t)((unsigned char *)file->sections - file->bytes),
		.e_ehsize = sizeof(*header),
		.e_shentsize = sizeof(ElfW(Shdr)),
		.e_shnum = (uint16_t)(strings + 1),
		.e_shstrndx = (uint16_t)strings,
	};
}

/* ---- All of it ------------------------------------------------------------------------------ */

/* Where everything in the file goes. */
static int allocate(struct draft *draft)
{
	const struct link_debug *part = NULL;
	size_t sections, tables;
	struct symfile *file;

	draft->names_size += draft->symbol_names + sizeof(".symtab") + sizeof(".strtab");
	draft->num_debug = 0;
	draft->size = 0;
	for (size_t i = 0; i < draft->num_runs; i++) {
		if (draft->runs[i].contents)
			draft->size += align_up(draft->runs[i].end - draft->runs[i].begin);
	}
	while (draft->debug && (part = link_next_debug(draft->load->link, part))) {
		draft->num_debug++;
		draft->names_size += strlen(part->name) + 1;
		draft->size += align_up((size_t)part->size);
	}
	sections = 3 + draft->num_runs + draft->num_debug;
	tables = sizeof(ElfW(Ehdr)) + (1 + draft->num_symbols) * sizeof(ElfW(Sym)) +
		 sections * sizeof(ElfW(Shdr));
	draft->used = tables;
	draft->size += tables;
	if (draft->names_size > UINT32_MAX)
		return -ENOMEM;
	file = take_buffer(sizeof(*file) + draft->size + draft->names_size);
	if (!file)
		return -ENOMEM;
	*file = (struct symfile){ .size = draft->size + draft->names_size,
				  .num_debug = draft->num_debug };
	file->symbols = (ElfW(Sym) *)(void *)(file->bytes + sizeof(ElfW(Ehdr)));
	file->sections = (ElfW(Shdr) *)(void *)(file->symbols + 1 + draft->num_symbols);
	file->names = (char *)file->bytes + draft->size;
	file->symbols[0] = (ElfW(Sym)){ 0 };
	file->sections[0] = (ElfW(Shdr)){ 0 };
	file->names[0] = '\0';
	draft->file = file;
	return 0;
}

static int write_file(struct draft *draft)
{
	int error = collect(draft);

	if (!error)
		error = make_runs(draft);
	if (!error)
		error = allocate(draft);
	if (error)
		return error;
	sort_keys(draft);
	write_symbol_names(draft);
	write_runs(draft);
	write_symbols(draft);
	if (draft->num_debug && !write_debug(draft))
		return -ENOEXEC;
	write_tables(draft);
	return 0;
}

void free_symfile(struct symfile *file)
{
	if (file)
		give_buffer(file, sizeof(*file) + file->size);
}

static int try_to_make(struct load *load, bool unwind, bool debug)
{
	struct draft draft = { .load = load, .unwind = unwind, .debug = debug };
	int error = write_file(&draft);

	if (error)
		free_symfile(draft.file);
	else
		load->module->symfile = draft.file;
	return error;
}

/* Whatever is wrong with debug information, the module does without. */
int make_symfile(struct load *load)
{
	bool debugger = !(load->pm->flags & PERMOD_NO_DEBUGGER);
	struct link *link = load->link;
	uint64_t percpu_address = link->percpu_address;
	int error = debugger ? link_read_debug(link) : -ENOEXEC;

	link->percpu_address = (uintptr_t)load->module->percpu;
	if (!error)
		error = try_to_make(load, true, true);
	if (error == -ENOEXEC)
		error = try_to_make(load, debugger, false);
	link->percpu_address = percpu_address;
	return error ? fail_memory(load->pm) : 0;
}

void drop_init_symbols(struct load *load)
{
	struct symfile *file = load->module->symfile;
	struct link *link = load->link;
	uint64_t percpu_address = link->percpu_address;
	const struct link_debug *part = NULL;
	ElfW(Shdr) *header = file->sections + file->first_section[LINK_REGIONS];

	for (size_t i = file->first_section[LINK_INIT_TEXT];
	     i < file->first_section[LINK_INIT_DATA + 1]; i++) {
		file->sections[i].sh_flags = 0;
		file->sections[i].sh_size = 0;
	}
	for (size_t i = file->first_symbol[LINK_INIT_TEXT];
	     i < file->first_symbol[LINK_INIT_DATA + 1]; i++)
		file->symbols[i] = (ElfW(Sym)){ 0 };
	link->percpu_address = (uintptr_t)load->module->percpu;
	/* It could be done before, so it can be now. */
	for (size_t i = 0; i < file->num_debug && (part = link_next_debug(link, part)); i++)
		link_relocate_debug(link, part, file->bytes + header[i].sh_offset, true);
	link->percpu_address = percpu_address;
}

/* ---- Looking ------------------------------------------------------------------------------- */

/* How many entries behind the nearest are looked at: those in front may be labels in a function. */
#define MOST_STEPS 16

const ElfW(Shdr) *
	find_section_at(const struct symfile *file, enum link_region region, uintptr_t address)
{
	uint32_t first = file->first_section[region], low = first,
		 high = file->first_section[region + 1];

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (file->sections[middle].sh_addr <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == first ||
	    address - file->sections[low - 1].sh_addr >= file->sections[low - 1].sh_size)
		return NULL;
	return &file->sections[low - 1];
}

/* Labels of assembler code have no size: they stand for all that follows and is in nothing else. */
static bool covers(const ElfW(Sym) * symbol, uintptr_t address)
{
	return !symbol->st_size || address - symbol->st_value < symbol->st_size;
}

const ElfW(Sym) *
	find_symbol_at(const struct symfile *file, enum link_region region, uintptr_t address)
{
	uint32_t first = file->first_symbol[region], low = first,
		 high = file->first_symbol[region + 1];

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (file->symbols[middle].st_value <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (uint32_t steps = 0; low > first && steps < MOST_STEPS; steps++) {
		if (covers(&file->symbols[--low], address))
			return &file->symbols[low];
	}
	return NULL;
}
