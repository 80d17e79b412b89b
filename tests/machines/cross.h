/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Relocating for other machines than this one, with each machine's GNU ld as the judge.
 *
 * Objects are linked by elf/ for a place, and by ld for the same: a script tells it where each section
 * of each object is.  All that is loaded must have the same bytes.  ld numbers GOT slots in an order of
 * its own, so what it did is looked at, the same numbers are given to ours, and then code that
 * uses slots must be the same too: no field is left out of the comparison.  Nothing is run, so this
 * needs the machine's binutils and compiler, and neither its libraries nor an emulator.
 */
#ifndef TESTS_MACHINES_CROSS_H
#define TESTS_MACHINES_CROSS_H

#include "elf/machines.h"
#include "tests/elf/helper.h"

#include <gelf.h>

#define BASE ((uint64_t)0x10000000)
#define HIGH_BASE ((uint64_t)0x7f1200000000)
#define EXTERNALS 256	       /* at most, in one test */
#define SLACK ((uint64_t)4096) /* bytes of slots that ld may have more than we */
#define TLS_PLACE                                                                                  \
	((uint64_t)0x800000) /* of what thread-local variables begin with, from the base */

/* Assembly that needs a relocation; symbols x, y are elsewhere. */
struct shape {
	const char *type; /* "R_AARCH64_CALL26" */
	const char *text;
	uint64_t at; /* where the first of them is, if it must be near (BASE + 100) or low; or 0 */
	/* ld makes a shared object: it changes how executables reach thread-local variables.  There is
	 * one such variable, reached in one way. */
	bool shared;
};

#define SHAPE(type, text)                                                                          \
	{                                                                                          \
		type, text, 0, false                                                               \
	}
#define SHAPE_AT(type, at, text)                                                                   \
	{                                                                                          \
		type, text, at, false                                                              \
	}
/* A way of reaching a thread-local variable x, which the text defines in .tbss. */
#define SHAPE_TLS(type, text)                                                                      \
	{                                                                                          \
		type, text, 0, true                                                                \
	}

/* The first and last value of x that fit, as distance from the base where `relative`, and the step to the
 * first that does not.  The field is at the section's beginning. */
struct limit {
	const char *type;
	const char *text;
	bool relative;
	int64_t least, greatest;
	int64_t step;
	bool lax; /* ld cuts off what does not fit */
};

#define LIMIT(type, text, least, greatest, step)                                                   \
	{                                                                                          \
		type, text, false, least, greatest, step, false                                    \
	}
#define LAX_LIMIT(type, text, least, greatest, step)                                               \
	{                                                                                          \
		type, text, false, least, greatest, step, true                                     \
	}
#define DISTANCE(type, text, least, greatest, step)                                                \
	{                                                                                          \
		type, text, true, least, greatest, step, false                                     \
	}
#define LAX_DISTANCE(type, text, least, greatest, step)                                            \
	{                                                                                          \
		type, text, true, least, greatest, step, true                                      \
	}

struct machine {
	const char *name;	     /* as link_find_machine() knows it */
	const char *prefix;	     /* of the tools: "aarch64-linux-gnu-" */
	const char *assemble;	     /* options of as */
	const char *compile;	     /* options of the compiler that all have */
	const char *const *variants; /* options of the compiler, a set each; NULL ends */
	const char *link;     /* options of ld: above all those that stop it from changing code */
	bool high;	      /* -fPIC code lies above 4 GiB too */
	bool not_joined;      /* what ld -r makes is not compared; each says why */
	bool counts_from_plt; /* ld takes .got.plt for the GOT's address, not .got */
	bool moves_got;	      /* ld puts slots before the GOT's address, as many as there are */
	bool calls_directly;  /* what is elsewhere is not called by a stub, to be as in ld */
	bool sets_gp;	      /* ld takes the GOT's address from the script, by its first name */
	uint64_t elsewhere;   /* where what compiled code calls is, from the base; 0: anywhere */
	/* Whether a word of ours, at ours[0], does what another does that ld writes in its place. */
	bool (*is_as_good)(const struct trial *trial, const unsigned char *ours,
			   const unsigned char *theirs);
	const char *extra; /* assembly that is linked with compiled code; or NULL */
	/* Distance of an executable's own block of thread-local variables from the thread pointer: its
	 * beginning lies so many bytes above, or its end at it. */
	int64_t tls_bias;
	/* ld is told what is elsewhere by an object, in which functions and others differ. */
	bool has_types;
	bool tls_below;
	const struct shape *shapes;
	size_t num_shapes;
	const struct limit *limits;
	size_t num_limits;
	/* Types that are supported and not compared here, and why: in one text, "R_X: why\n". */
	const char *not_compared;
	/* Assembly that needs as many slots as are in reach, and `more` (0, 1); and what is said of that
	 * one.  NULL: all are in reach. */
	const char *crowd, *crowd_is_told;
	/* What is said of a member of an archive that calls others in ways that leave no link; or NULL. */
	const char *needs_others;
	/* The slot that a stub at an address loads from, as its instructions say; NULL: not looked at. */
	uint64_t (*slot_of_stub)(const unsigned char *stub, uint64_t at);
};

/* What is elsewhere, and where. */
struct world {
	struct external list[EXTERNALS + 1];
	size_t count;
	uint64_t step; /* from one to the next; 0: 16 bytes */
};

/* A copy, of which the GOT's beginning is changed. */
static struct link_arch tried_arch;

static UNUSED void cross_start(struct trial *trial, const struct machine *machine)
{
	const struct link_arch *arch = link_find_machine(machine->name);

	ck_assert_msg(arch, "no machine %s", machine->name);
	tried_arch = *arch;
	arch = &tried_arch;
	memset(trial, 0, sizeof(*trial));
	trial->link = link_new_for(arch, keep_message, trial);
	ck_assert_ptr_nonnull(trial->link);
	trial->link->page_size = arch->page_size;
}

/* Where ld is told to put a section; each thread's copies of one are elsewhere. */
static UNUSED uint64_t place_of(const struct trial *trial, const struct link_section *section)
{
	uint64_t address = link_section_address(trial->link, section);

	return section->region == LINK_TLS ? trial->link->base + TLS_PLACE + address : address;
}

/* Where thread-local variables are, in a program that is module 1. */
static UNUSED void find_tls(struct trial *trial, const struct machine *machine)
{
	const struct link_part *part = &trial->link->part[LINK_TLS];
	int64_t bias = machine->tls_below ? -(int64_t)link_align(part->size, part->align ?: 1)
					  : machine->tls_bias;

	for (struct link_tls *tls = trial->link->tls; tls; tls = tls->next) {
		tls->module = 1;
		if (!tls->symbol)
			continue;
		tls->offset = link_symbol_address(trial->link, tls->symbol);
		tls->thread_offset = tls->offset + (uint64_t)bias;
	}
}

/* Give everything that is missing a place. */
static UNUSED void find_externals(struct trial *trial, const struct machine *machine,
				  struct world *world, uint64_t address)
{
	struct link_symbol *symbol = NULL;

	while ((symbol = link_next_undefined(trial->link, symbol))) {
		check_that(world->count < EXTERNALS);
		world->list[world->count++] =
			(struct external){ symbol->name, address, !machine->calls_directly };
		address += world->step ? world->step : 16;
	}
	define_all(trial, world->list);
}

static UNUSED void cross_buffers(struct trial *trial)
{
	for (size_t i = 0; i < LINK_REGIONS; i++) {
		struct link_part *part = &trial->link->part[i];

		free(part->buffer);
		part->buffer = calloc(1, part->size + 2 * SLACK);
		check_that(part->buffer);
	}
}

static UNUSED int cross_relocate(struct trial *trial, uint64_t base, uint64_t percpu_address)
{
	cross_buffers(trial);
	trial->link->base = base;
	trial->link->percpu_address = percpu_address;
	return link_relocate(trial->link);
}

/* ---- What ld made --------------------------------------------------------------------------- */

struct output {
	Elf *elf;
	int file;
};

static UNUSED void open_output(struct output *output)
{
	output->file = open("linked", O_RDONLY);
	check_that(output->file >= 0);
	elf_version(EV_CURRENT);
	output->elf = elf_begin(output->file, ELF_C_READ, NULL);
	check_that(output->elf);
}

static UNUSED void close_output(struct output *output)
{
	elf_end(output->elf);
	close(output->file);
}

/* NULL: no such section, or one without contents. */
static UNUSED const unsigned char *section_bytes(const struct output *output, const char *wanted,
						 GElf_Shdr *header)
{
	Elf_Scn *section = NULL;
	size_t names;

	check_that(!elf_getshdrstrndx(output->elf, &names));
	while ((section = elf_nextscn(output->elf, section))) {
		const char *name;

		check_that(gelf_getshdr(section, header));
		name = elf_strptr(output->elf, names, header->sh_name);
		if (name && !strcmp(name, wanted) && header->sh_type != SHT_NOBITS)
			return elf_rawdata(section, NULL)->d_buf;
	}
	return NULL;
}

/* ---- The same slots ------------------------------------------------------------------------- */

/* The number of ld's slot that has an address, counted from `first`; -1: it has none. */
static UNUSED int64_t slot_of(const struct trial *trial, const struct output *output,
			      uint64_t first, uint64_t address)
{
	const struct link_arch *arch = trial->link->arch;
	GElf_Shdr header;
	const unsigned char *bytes = section_bytes(output, ".got", &header);

	for (uint64_t at = 0; bytes && at + arch->got_bytes <= header.sh_size;
	     at += arch->got_bytes) {
		if (link_get(arch, bytes + at, arch->got_bytes) == address &&
		    header.sh_addr + at >= first)
			return (int64_t)((header.sh_addr + at - first) / arch->got_bytes);
	}
	return -1;
}

/* The value of a symbol; 0: there is none. */
static UNUSED uint64_t output_symbol(const struct output *output, const char *wanted)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(output->elf, section))) {
		Elf_Data *data = elf_getdata(section, NULL);
		GElf_Sym symbol;

		check_that(gelf_getshdr(section, &header));
		for (int i = 0; header.sh_type == SHT_SYMTAB && gelf_getsym(data, i, &symbol);
		     i++) {
			if (!strcmp(elf_strptr(output->elf, header.sh_link, symbol.st_name),
				    wanted))
				return symbol.st_value;
		}
	}
	return 0;
}

/* Number our slots as ld did. */
static UNUSED void take_slots(struct trial *trial, const struct machine *machine,
			      const struct output *output)
{
	struct link *link = trial->link;
	uint64_t first = link_slot_address(link, 0);
	uint64_t got = machine->moves_got ? output_symbol(output, "_GLOBAL_OFFSET_TABLE_") : 0;
	struct link_symbol *known = link_find(link, "_GLOBAL_OFFSET_TABLE_");

	if (got) {
		tried_arch.got_bias = (uint32_t)(got - first);
		if (known)
			known->value = got - first;
	}

	for (struct link_object *object = link->objects; object; object = object->next) {
		for (size_t i = 0; i < object->symbol_count; i++) {
			struct link_symbol *symbol = object->symbols[i];
			int64_t number;

			if (!symbol->got || !symbol->got_used)
				continue;
			number = slot_of(trial, output, first, link_symbol_address(link, symbol));
			ck_assert_msg(number >= 0, "ld has no slot for %s", symbol->name);
			check_that((uint64_t)number * link->arch->got_bytes < SLACK);
			symbol->got = (uint32_t)number + 1;
		}
	}
	for (uint32_t i = 0; i < link->private->value_slots; i++) {
		struct link_value *value = &link->private->values[i];
		int64_t number = value->used ? slot_of(trial, output, first, value->value) : 0;

		ck_assert_msg(number >= 0, "ld has no slot that has 0x%llx",
			      (unsigned long long)value->value);
		value->number = (uint32_t)number;
	}
}

static UNUSED uint64_t place_of_entry(Elf_Data *data, uint32_t type, int index)
{
	GElf_Rela rela;
	GElf_Rel rel;

	if (type == SHT_RELA) {
		check_that(gelf_getrela(data, index, &rela));
		return rela.r_offset;
	}
	check_that(gelf_getrel(data, index, &rel));
	return rel.r_offset;
}

/* The slot of a shared object that something is to be put into when it is loaded. */
static UNUSED int64_t loaded_slot(const struct trial *trial, const struct output *output)
{
	uint64_t first = link_slot_address(trial->link, 0);
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(output->elf, section))) {
		GElf_Shdr header;

		check_that(gelf_getshdr(section, &header));
		if (header.sh_type != SHT_REL && header.sh_type != SHT_RELA)
			continue;
		for (size_t i = 0; i < header.sh_size / header.sh_entsize; i++) {
			uint64_t place =
				place_of_entry(elf_getdata(section, NULL), header.sh_type, (int)i);

			if (place >= first && place < first + SLACK)
				return (int64_t)((place - first) / trial->link->arch->got_bytes);
		}
	}
	return -1;
}

static UNUSED void take_tls_slots(struct trial *trial, const struct output *output)
{
	int64_t number = loaded_slot(trial, output);

	for (struct link_tls *tls = trial->link->tls; tls; tls = tls->next) {
		uint32_t *slots[] = { &tls->module_slot, &tls->offset_slot, &tls->descriptor_slot };

		for (size_t i = 0; i < COUNT(slots); i++) {
			ck_assert_msg(!*slots[i] || number >= 0, "ld has no slot");
			if (*slots[i])
				*slots[i] = (uint32_t)number + 1;
		}
	}
}

/* ---- An index of unwind information --------------------------------------------------------- */

/* Some entries of .ARM.exidx, and where they are. */
struct index {
	const struct link_arch *arch;
	const unsigned char *bytes;
	uint64_t address, size;
	uint32_t before; /* how all that lies before is unwound */
};

/* The address that a word has as a distance of 31 bits. */
static UNUSED uint32_t word_address(const struct index *index, uint64_t at)
{
	uint32_t word = (uint32_t)link_get(index->arch, index->bytes + at, 4);

	return (uint32_t)(index->address + at) + (word | (word & 0x40000000) << 1);
}

static UNUSED uint32_t function_of(const struct index *index, uint64_t at)
{
	return word_address(index, at) & 0x7fffffff;
}

/* How a function is unwound, in the entry itself or elsewhere. */
static UNUSED uint32_t way_to_unwind(const struct index *index, uint64_t at)
{
	uint32_t word = (uint32_t)link_get(index->arch, index->bytes + at + 4, 4);

	return word == 1 || word >> 31 ? word : word_address(index, at + 4);
}

/* What is said of an address: by the last entry that is not behind it. */
static UNUSED uint32_t way_at(const struct index *index, uint32_t address)
{
	uint32_t way = index->before;

	for (uint64_t at = 0; at < index->size && function_of(index, at) <= address; at += 8)
		way = way_to_unwind(index, at);
	return way;
}

/* ld makes one entry of several that are alike, also of several sections, and adds one at the end. */
static UNUSED void compare_index(const struct index *ours, const struct index *theirs)
{
	for (uint64_t at = 0; at < ours->size; at += 8) {
		uint32_t function = function_of(ours, at);

		ck_assert_msg(way_to_unwind(ours, at) == way_at(theirs, function),
			      "0x%x is unwound by 0x%x, ld: 0x%x", function,
			      way_to_unwind(ours, at), way_at(theirs, function));
	}
}

/* ---- Comparing ------------------------------------------------------------------------------ */

/* Shared objects have their slots in both sections. */
static UNUSED void place_slots(FILE *script, const struct trial *trial,
			       const struct machine *machine, bool shared)
{
	unsigned long long first = link_slot_address(trial->link, 0);

	if (shared)
		fprintf(script, ".got 0x%llx : { %s }\n", first,
			machine->counts_from_plt ? "*(.got.plt) *(.got)" : "*(.got) *(.got.plt)");
	else
		fprintf(script, ".got 0x%llx : { *(.got) }\n", first);
	if (!shared && machine->counts_from_plt)
		fprintf(script, ".got.plt 0x%llx : { *(.got.plt) }\n", first);
}

/* "elsewhere.o" */
static UNUSED void assemble_externals(const struct machine *machine,
				      const struct external *external)
{
	bool narrow = link_find_machine(machine->name)->class == ELFCLASS32;
	FILE *source = fopen("elsewhere.s", "w");

	ck_assert_ptr_nonnull(source);
	for (; external && external->name; external++)
		fprintf(source, ".globl %s\n.type %s, %%%s\n%s = 0x%llx\n", external->name,
			external->name, external->function ? "function" : "object", external->name,
			(unsigned long long)(narrow ? (uint32_t)external->address
						    : external->address));
	fclose(source);
	run("%sas -o elsewhere.o elsewhere.s", machine->prefix);
}

/* What the linker itself makes, as ld does, is an object too. */
static UNUSED bool is_file(const struct link_object *object)
{
	return object->data != NULL;
}

/* Its functions are where ours are. */
static UNUSED void define_own(FILE *script, const struct trial *trial, struct link_object *object)
{
	struct link_symbol *symbol;

	for (unsigned int i = 0; (symbol = link_object_symbol(object, i)); i++)
		fprintf(script, "\"%s\" = 0x%llx;\n", symbol->name,
			(unsigned long long)link_symbol_address(trial->link, symbol));
}

static UNUSED bool cross_ld_links(const struct trial *trial, const struct machine *machine,
				  const struct external *external, bool shared)
{
	char objects[1024] = "";
	FILE *script = fopen("script", "w");
	const struct link_section *common = &trial->link->private->common;

	ck_assert_ptr_nonnull(script);
	if (machine->has_types)
		assemble_externals(machine, external);
	for (; external && external->name && !machine->has_types; external++)
		fprintf(script, "\"%s\" = 0x%llx;\n", external->name,
			(unsigned long long)external->address);
	fprintf(script, "SECTIONS\n{\n");
	for (struct link_object *object = trial->link->objects; object;
	     object = link_object_next(object)) {
		struct link_section *section;

		if (!is_file(object)) {
			define_own(script, trial, object);
			continue;
		}
		for (unsigned int i = 1; (section = link_object_section(object, i)); i++) {
			if (is_placed(section))
				fprintf(script, ".%s_%u 0x%llx : SUBALIGN(1) { %s(%s) }\n",
					link_object_name(object), i,
					(unsigned long long)place_of(trial, section),
					link_object_name(object), section->name);
		}
		snprintf(objects + strlen(objects), sizeof(objects) - strlen(objects), " %s",
			 link_object_name(object));
	}
	fprintf(script, ".common 0x%llx : { *(COMMON) *(.scommon) }\n",
		(unsigned long long)link_section_address(trial->link, common));
	place_slots(script, trial, machine, shared);
	for (size_t i = 0; i < COUNT(trial->link->arch->got_symbols); i++) {
		const char *name = trial->link->arch->got_symbols[i];

		if (name && (i == 0 || !machine->sets_gp))
			fprintf(script,
				machine->sets_gp ? "%s = ADDR(.got) + 0x%x;\n"
						 : "PROVIDE(%s = ADDR(.got) + 0x%x);\n",
				name, trial->link->arch->got_bias);
	}
	/* What ld makes for itself goes out of the way. */
	fprintf(script, ". = 0x%llx;\n", (unsigned long long)trial->link->base + 0x1000000);
	fprintf(script,
		".rela.dyn : { *(.rela*) } .rel.dyn : { *(.rel.*) } .got.plt : { *(.got.plt) "
		"} .plt : { *(.plt) }\n");
	fprintf(script, "/DISCARD/ : { *(.note*) *(.comment) *(.MIPS.*) *(.reginfo) *(.pdr) "
			"*(.gnu.attributes) *(.ARM.attributes) *(.riscv.attributes) }\n}\n");
	fclose(script);
	return succeeds("%sld %s -T script -z norelro -z noexecstack --no-check-sections "
			"--traditional-format --no-warn-rwx-segments "
			"-e 0 %s -o linked %s %s",
			machine->prefix, shared ? "-shared -Bsymbolic" : "-static", machine->link,
			objects, machine->has_types ? "elsewhere.o" : "");
}

/* What ld writes anew, from what all objects say. */
static UNUSED bool is_ld_s_own(const struct link_section *section)
{
	return !strcmp(section->name, ".reginfo") || !strncmp(section->name, ".MIPS.", 6);
}

static UNUSED bool is_same(const struct trial *trial, const struct machine *machine,
			   const unsigned char *ours, const unsigned char *theirs, size_t at)
{
	size_t word = at & ~(size_t)3;

	return ours[at] == theirs[at] ||
	       (machine->is_as_good && machine->is_as_good(trial, ours + word, theirs + word));
}

/* *unwound: what an index that came before says of what follows. */
static UNUSED void compare_section(const struct trial *trial, const struct machine *machine,
				   const struct output *output, const struct link_section *section,
				   uint32_t *unwound)
{
	const char *object = link_object_name(section->object);
	const unsigned char *ours = link_section_buffer(trial->link, section), *theirs;
	GElf_Shdr header;
	char name[128];

	snprintf(name, sizeof(name), ".%s_%u", object, section->index);
	theirs = section_bytes(output, name, &header);
	if (!theirs && link_is_index(section))
		header.sh_size = 0;
	else
		ck_assert_msg(theirs, "ld made no section %s of %s", name, section->name);
	if (link_is_index(section)) {
		struct index made = { trial->link->arch, theirs, header.sh_addr, header.sh_size,
				      *unwound };

		compare_index(&(struct index){ trial->link->arch, ours, place_of(trial, section),
					       section->size, 0 },
			      &made);
		*unwound = way_at(&made, UINT32_MAX);
		return;
	}
	ck_assert_uint_eq(header.sh_size, section->size);
	ck_assert_uint_eq(header.sh_addr, place_of(trial, section));
	for (size_t at = 0; at < section->size; at++)
		ck_assert_msg(is_same(trial, machine, ours, theirs, at),
			      "%s: %s+0x%zx: %02x, ld: %02x", object, section->name, at, ours[at],
			      theirs[at]);
}

/* Every loaded section has the bytes that ld gives it. */
static UNUSED void cross_compare(struct trial *trial, const struct machine *machine,
				 const struct external *external, bool shared)
{
	struct output output;
	uint32_t unwound = 0;

	if (!cross_ld_links(trial, machine, external, shared)) {
		int ignored UNUSED = system("cat said >&2");

		ck_abort_msg("ld refuses");
	}
	open_output(&output);
	take_slots(trial, machine, &output);
	if (shared)
		take_tls_slots(trial, &output);
	check_ok(trial, link_relocate(trial->link));
	for (struct link_object *object = trial->link->objects; object;
	     object = link_object_next(object)) {
		struct link_section *section;

		for (unsigned int i = 1;
		     is_file(object) && (section = link_object_section(object, i)); i++) {
			if (is_placed(section) && section->type != SHT_NOBITS &&
			    section->type != SHT_NOTE && !is_ld_s_own(section))
				compare_section(trial, machine, &output, section, &unwound);
		}
	}
	close_output(&output);
}

static UNUSED void cross_assemble(const struct machine *machine, const char *text)
{
	write_file("a.s", text, strlen(text));
	run("%sas %s -o a.o a.s", machine->prefix, machine->assemble);
}

#endif
