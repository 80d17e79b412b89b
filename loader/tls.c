/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A module's thread-local variables.
 *
 * Every thread needs a copy of them with their initial values, threads that exist as well as those
 * to come, and only the C library knows the threads.  So it is asked in the one way that it has: a
 * shared object is opened that has nothing but the variables.  This carrier is written here, into
 * memory that has no name, and when it is opened the library fills in a table what code wants to
 * know: its relocations.
 *
 *     +--------+----------+---------+------+---------+-------------+------------+------------------+
 *     | header | segments | dynamic | hash | symbols | relocations | GOT, table | initial values   |
 *     +--------+----------+---------+------+---------+-------------+------------+------------------+
 *                                       base of the      one for     filled in     PT_TLS; the rest
 *                                       block; names     each entry  by libc       is zero
 *
 * The rules are libc's own, then, for whose variables code can use in which way: a distance from the
 * thread pointer is there if the block lies in the memory that each thread begins with, where the
 * library keeps a little room for objects that are opened later.
 *
 * That room is a stack: what is closed while something opened later is still there is lost for good.
 * So such carriers are closed in reverse order: one of a module that is gone waits for those above it.
 */
#define _GNU_SOURCE
#include "internal.h"

#include "elf/arch.h"
#include "loader/arch.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* This library's own, or the program's: a linker defines it.  A carrier's says the same of the machine. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

/*
 * What threads begin with has room for objects that are opened later; musl has none, and may crash where it
 * says so, as the relocation names no symbol.  And what an object needs may be open under that name; musl
 * would open the file again, which is closed.  There the names of blocks are global.
 */
#ifdef __GLIBC__
#define HAS_ROOM true
#define KNOWS_PATHS true
#else
#define HAS_ROOM false
#define KNOWS_PATHS false
#endif

#define HIGH_NUMBER 1000 /* below the usual limit of descriptors */
#define MOST_TRIES 8

struct tls_carrier {
	void *handle;
	uint64_t module; /* the block's number, 0: it has no variables */
	size_t size, align;
	char path[MEMORY_PATH_BYTES]; /* by which other carriers name it */
	char base[24];		      /* its symbol: the begin of the block */
	bool stacked;		      /* it may have a place in what each thread begins with */
	bool closing;		      /* its module is gone */
	struct tls_carrier *below;    /* stacked ones, by age */
};

/* Of all contexts, under the shared lock. */
static struct tls_carrier *newest;

/* One for __tls_get_addr(), as psABIs have it. */
struct tls_index {
	unsigned long module, offset;
};

/* A static program has none, nor may it refer to it: with what else refers to it there, and is made
 * to do without by the linker, that would be an undefined symbol, weak or not. */
tls_getter_function *tls_getter(void)
{
	static tls_getter_function *getter;
	tls_getter_function *found = __atomic_load_n(&getter, __ATOMIC_RELAXED);

	if (!found) {
		found = (tls_getter_function *)dlsym(RTLD_DEFAULT, TLS_GETTER);
		__atomic_store_n(&getter, found, __ATOMIC_RELAXED);
	}
	return found;
}

void *tls_address(const struct tls_carrier *carrier, size_t offset)
{
	struct tls_index index = { (unsigned long)carrier->module, offset - TLS_BIAS };
	tls_getter_function *getter = tls_getter();

	return getter ? call_tls_getter(getter, &index) : NULL;
}

uint64_t tls_module(const struct tls_carrier *carrier)
{
	return carrier->module;
}

/* ---- The stack ------------------------------------------------------------------------------ */

static void stack_carrier(struct tls_carrier *carrier)
{
	carrier->stacked = true;
	lock_shared();
	carrier->below = newest;
	newest = carrier;
	unlock_shared();
}

/* ---- What to ask ---------------------------------------------------------------------------- */

/* A relocation of the carrier, and where its answer goes. */
struct question {
	uint32_t type;
	uint32_t symbol; /* 0: the carrier's own block */
	uint64_t addend;
	uint64_t *answer; /* two of a descriptor */
};

/* A carrier on its way. */
struct draft {
	struct load *load;
	struct tls_carrier *carrier;
	struct question *questions;
	size_t num_questions;
	const char **symbols; /* undefined ones; the first has number FIRST_UNDEFINED */
	size_t num_symbols;
	struct tls_carrier **needed; /* other modules' */
	size_t num_needed;
};

enum { OWN_SYMBOL = 1, FIRST_UNDEFINED };

static int ask(struct draft *draft, uint32_t type, uint32_t symbol, uint64_t addend,
	       uint64_t *answer)
{
	struct question *question =
		grow(&draft->questions, &draft->num_questions, sizeof(*question));

	if (!question)
		return fail_memory(draft->load->pm);
	*question = (struct question){ type, symbol, addend, answer };
	return 0;
}

static int add_symbol(struct draft *draft, const char *name)
{
	const char **entry = grow(&draft->symbols, &draft->num_symbols, sizeof(*entry));

	if (!entry)
		return fail_memory(draft->load->pm);
	*entry = name;
	return 0;
}

/* Other carriers that are needed by their paths. */
static size_t num_paths(const struct draft *draft)
{
	return KNOWS_PATHS ? draft->num_needed : 0;
}

static int add_needed(struct draft *draft, struct tls_carrier *carrier)
{
	struct tls_carrier **entry;

	for (size_t i = 0; i < draft->num_needed; i++) {
		if (draft->needed[i] == carrier)
			return 0;
	}
	entry = grow(&draft->needed, &draft->num_needed, sizeof(*entry));
	if (!entry)
		return fail_memory(draft->load->pm);
	*entry = carrier;
	return 0;
}

/* Modules export by their block and an offset, everybody else by name. */
static int name_external(struct draft *draft, const struct link_tls *tls, uint32_t *symbol,
			 uint64_t *addend)
{
	const struct permod_module *owner = tls->symbol->owner;
	struct tls_carrier *carrier = is_module(owner) ? owner->tls : NULL;
	int error = 0;

	*addend = carrier ? tls->offset : 0;
	if (carrier)
		error = add_needed(draft, carrier);
	if (!error)
		error = add_symbol(draft, carrier ? carrier->base : tls->symbol->name);
	*symbol = (uint32_t)(FIRST_UNDEFINED + draft->num_symbols - 1);
	return error;
}

static int ask_for(struct draft *draft, struct link_tls *tls)
{
	bool external = tls->symbol && !tls->symbol->section;
	uint64_t addend = 0;
	uint32_t symbol = 0;
	int error = 0;

	/* A plan goes on without what nobody has. */
	if (external && !tls->symbol->owner)
		return 0;
	if (!external) {
		addend = tls->offset =
			tls->symbol ? link_symbol_address(draft->load->link, tls->symbol) : 0;
		if (tls->wanted & LINK_TLS_BY_MODULE)
			error = ask(draft, RELOCATE_MODULE, 0, 0, &tls->module);
	} else if (tls->wanted & (LINK_TLS_BY_OFFSET | LINK_TLS_BY_DESCRIPTOR)) {
		error = name_external(draft, tls, &symbol, &addend);
	}
	if (!error && tls->wanted & LINK_TLS_BY_OFFSET)
		error = ask(draft, RELOCATE_OFFSET, symbol, addend, &tls->thread_offset);
	if (!error && tls->wanted & LINK_TLS_BY_DESCRIPTOR)
		error = ask(draft, RELOCATE_DESCRIPTOR, symbol, addend, tls->descriptor);
	return error;
}

static int ask_all(struct draft *draft)
{
	int error = 0;

	if (draft->carrier->size)
		error = ask(draft, RELOCATE_MODULE, 0, 0, &draft->carrier->module);
	for (struct link_tls *tls = draft->load->link->tls; tls && !error; tls = tls->next)
		error = ask_for(draft, tls);
	return error;
}

/* Whether libc gives the carrier, or another that it names, a place in the stack. */
static bool may_be_stacked(const struct draft *draft)
{
	for (size_t i = 0; i < draft->num_questions; i++) {
		if (draft->questions[i].type != RELOCATE_MODULE)
			return true;
	}
	return false;
}

/* ---- The file ------------------------------------------------------------------------------- */

enum { SEGMENT_LOAD, SEGMENT_DYNAMIC, SEGMENT_STACK, SEGMENT_RELRO, SEGMENT_TLS, SEGMENTS };

/* What all have; the other parts follow.  Addresses are offsets in the file. */
struct carrier_head {
	ElfW(Ehdr) header;
	ElfW(Phdr) segments[SEGMENTS];
	struct {
		Elf_Symndx buckets, chains, bucket;
	} hash;
};

struct carrier_file {
	unsigned char *bytes;
	size_t size;
	size_t dynamic, symbols, strings, relocations, got, table, values;
	size_t num_dynamic, num_symbols, strings_size;
	bool has_rel; /* relocations have their addends in the table */
};

static size_t relocation_size(const struct carrier_file *file)
{
	return file->has_rel ? sizeof(ElfW(Rel)) : sizeof(ElfW(Rela));
}

#define DYNAMIC_ENTRIES (10 + MACHINE_ENTRY_COUNT) /* without DT_NEEDED */

/* Append `count` things of `size` bytes; returns where. */
static size_t append(struct carrier_file *file, size_t count, size_t size, size_t align)
{
	size_t place = round_up(file->size, align);

	file->size = place + count * size;
	return place;
}

static void lay_out(const struct draft *draft, struct carrier_file *file)
{
	const struct tls_carrier *carrier = draft->carrier;

	file->has_rel = draft->load->link->arch->has_rel;
	file->num_dynamic = DYNAMIC_ENTRIES + num_paths(draft);
	file->num_symbols = FIRST_UNDEFINED + draft->num_symbols;
	file->strings_size = 1 + strlen(carrier->base) + 1;
	for (size_t i = 0; i < draft->num_symbols; i++)
		file->strings_size += strlen(draft->symbols[i]) + 1;
	for (size_t i = 0; i < num_paths(draft); i++)
		file->strings_size += strlen(draft->needed[i]->path) + 1;
	file->size = sizeof(struct carrier_head);
	/* No chain is longer than the symbol that is defined. */
	append(file, file->num_symbols, sizeof(Elf_Symndx), sizeof(Elf_Symndx));
	file->dynamic = append(file, file->num_dynamic, sizeof(ElfW(Dyn)), 8);
	file->symbols = append(file, file->num_symbols, sizeof(ElfW(Sym)), 8);
	file->relocations = append(file, draft->num_questions, relocation_size(file), 8);
	file->got = append(file, 2, sizeof(ElfW(Addr)), 8);
	file->table = append(file, 2 * draft->num_questions, sizeof(ElfW(Addr)), 8);
	file->strings = append(file, file->strings_size, 1, 1);
	file->values = append(file, draft->load->link->tls_initial_size, 1, carrier->align);
}

static void write_segments(const struct draft *draft, const struct carrier_file *file,
			   ElfW(Phdr) * segments)
{
	size_t page = draft->load->link->page_size;
	size_t initial = draft->load->link->tls_initial_size;

	segments[SEGMENT_LOAD] = (ElfW(Phdr)){ .p_type = PT_LOAD,
					       .p_flags = PF_R | PF_W,
					       .p_filesz = file->size,
					       .p_memsz = file->size,
					       .p_align = page };
	segments[SEGMENT_DYNAMIC] = (ElfW(Phdr)){ .p_type = PT_DYNAMIC,
						  .p_flags = PF_R | PF_W,
						  .p_offset = file->dynamic,
						  .p_vaddr = file->dynamic,
						  .p_filesz = file->num_dynamic * sizeof(ElfW(Dyn)),
						  .p_memsz = file->num_dynamic * sizeof(ElfW(Dyn)),
						  .p_align = 8 };
	/* Without it stacks would become executable. */
	segments[SEGMENT_STACK] = (ElfW(Phdr)){ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W };
	/* All of it is read-only when it is relocated. */
	segments[SEGMENT_RELRO] = (ElfW(Phdr)){ .p_type = PT_GNU_RELRO,
						.p_flags = PF_R,
						.p_filesz = file->size,
						.p_memsz = round_up(file->size, page),
						.p_align = 1 };
	segments[SEGMENT_TLS] = (ElfW(Phdr)){ .p_type = PT_TLS,
					      .p_flags = PF_R,
					      .p_offset = file->values,
					      .p_vaddr = file->values,
					      .p_filesz = initial,
					      .p_memsz = draft->carrier->size,
					      .p_align = draft->carrier->align };
}

static void write_head(const struct draft *draft, const struct carrier_file *file)
{
	struct carrier_head *head = (struct carrier_head *)file->bytes;
	bool has_block = draft->carrier->size > 0;

	head->header = (ElfW(Ehdr)){
		.e_type = ET_DYN,
		.e_machine = __ehdr_start.e_machine,
		.e_version = EV_CURRENT,
		.e_flags = __ehdr_start.e_flags,
		.e_phoff = offsetof(struct carrier_head, segments),
		.e_ehsize = sizeof(ElfW(Ehdr)),
		.e_phentsize = sizeof(ElfW(Phdr)),
		.e_phnum = has_block ? SEGMENTS : SEGMENT_TLS,
	};
	memcpy(head->header.e_ident, __ehdr_start.e_ident, EI_NIDENT);
	write_segments(draft, file, head->segments);
	head->hash.buckets = 1;
	head->hash.chains = (Elf_Symndx)file->num_symbols;
	head->hash.bucket = has_block ? OWN_SYMBOL : STN_UNDEF;
}

/* Append a string; returns its place in the table. */
static size_t add_string(const struct carrier_file *file, size_t *end, const char *string)
{
	size_t place = *end;

	strcpy((char *)file->bytes + file->strings + place, string);
	*end += strlen(string) + 1;
	return place;
}

static void write_dynamic(const struct draft *draft, const struct carrier_file *file,
			  size_t *strings_end)
{
	ElfW(Dyn) *entry = (ElfW(Dyn) *)(file->bytes + file->dynamic);
	const struct {
		int tag;
		size_t value;
	} entries[DYNAMIC_ENTRIES] = {
		{ DT_HASH, offsetof(struct carrier_head, hash) },
		{ DT_STRTAB, file->strings },
		{ DT_SYMTAB, file->symbols },
		{ DT_STRSZ, file->strings_size },
		{ DT_SYMENT, sizeof(ElfW(Sym)) },
		{ file->has_rel ? DT_REL : DT_RELA, file->relocations },
		{ file->has_rel ? DT_RELSZ : DT_RELASZ,
		  draft->num_questions * relocation_size(file) },
		{ file->has_rel ? DT_RELENT : DT_RELAENT, relocation_size(file) },
		{ DT_FLAGS, may_be_stacked(draft) ? DF_STATIC_TLS : 0 },
		MACHINE_ENTRIES(file->got, file->num_symbols),
		/* and { DT_NULL, 0 } */
	};

	((ElfW(Addr) *)(file->bytes + file->got))[1] = MACHINE_GOT_MARK;
	for (size_t i = 0; i < num_paths(draft); i++, entry++) {
		entry->d_tag = DT_NEEDED;
		entry->d_un.d_val = add_string(file, strings_end, draft->needed[i]->path);
	}
	for (size_t i = 0; i < DYNAMIC_ENTRIES; i++, entry++) {
		entry->d_tag = entries[i].tag;
		entry->d_un.d_val = entries[i].value;
	}
}

static void write_symbols(const struct draft *draft, const struct carrier_file *file,
			  size_t *strings_end)
{
	ElfW(Sym) *symbols = (ElfW(Sym) *)(file->bytes + file->symbols);

	symbols[OWN_SYMBOL].st_name =
		(ElfW(Word))add_string(file, strings_end, draft->carrier->base);
	symbols[OWN_SYMBOL].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_TLS);
	symbols[OWN_SYMBOL].st_shndx = draft->carrier->size ? 1 : SHN_UNDEF;
	symbols[OWN_SYMBOL].st_size = draft->carrier->size;
	for (size_t i = 0; i < draft->num_symbols; i++) {
		ElfW(Sym) *symbol = &symbols[FIRST_UNDEFINED + i];

		symbol->st_name = (ElfW(Word))add_string(file, strings_end, draft->symbols[i]);
		symbol->st_info = ELF64_ST_INFO(STB_GLOBAL, STT_TLS);
	}
}

static void write_relocations(const struct draft *draft, const struct carrier_file *file)
{
	ElfW(Addr) *table = (ElfW(Addr) *)(file->bytes + file->table);

	for (size_t i = 0; i < draft->num_questions; i++) {
		const struct question *question = &draft->questions[i];
		ElfW(Rela) entry = {
			.r_offset = (ElfW(Addr))(file->table + 2 * i * sizeof(*table)),
			.r_info = RELOCATION_INFO(question->symbol, question->type),
			.r_addend = (intptr_t)question->addend,
		};

		/* What has an addend has it behind what else it has. */
		memcpy(file->bytes + file->relocations + i * relocation_size(file), &entry,
		       relocation_size(file));
		if (file->has_rel)
			table[2 * i + (question->type == RELOCATE_DESCRIPTOR)] =
				(ElfW(Addr))question->addend;
	}
}

static int write_file(const struct draft *draft, struct carrier_file *file)
{
	const struct link *link = draft->load->link;
	size_t strings_end = 1;

	lay_out(draft, file);
	file->bytes = calloc(1, file->size);
	if (!file->bytes)
		return fail_memory(draft->load->pm);
	write_head(draft, file);
	write_dynamic(draft, file, &strings_end);
	write_symbols(draft, file, &strings_end);
	write_relocations(draft, file);
	if (link->tls_initial_size)
		memcpy(file->bytes + file->values, link->part[LINK_TLS].buffer,
		       link->tls_initial_size);
	return 0;
}

/* ---- Opening -------------------------------------------------------------------------------- */

/* A debugger that comes later reads what has the number then: one that few programs get to is better. */
static int use_high_number(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_NUMBER);

	if (high < 0)
		return fd;
	close(fd);
	return high;
}

static int fail_file(struct load *load, const char *what)
{
	return fail(load->pm, -errno, "%s: can't %s for its thread-local variables: %s", load->path,
		    what, strerror(errno));
}

static int make_file(struct load *load, const struct carrier_file *file)
{
	size_t done = 0;
	int fd;

	if (!may_write(file->size))
		return fail(load->pm, -EFBIG,
			    "%s: has thread-local variables, for which a file of %zu bytes is "
			    "written, and the limit of this process is less; set RLIMIT_FSIZE "
			    "(ulimit -f) higher",
			    load->path, file->size);
	fd = memfd_create("permod-tls", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	/* Before Linux 6.3 there was no such flag. */
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("permod-tls", MFD_CLOEXEC);
	if (fd < 0)
		return fail_file(load, "make a file in memory (memfd_create)");
	while (done < file->size) {
		ssize_t size = write(fd, file->bytes + done, file->size - done);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0) {
			int error = fail_file(load, "write a file in memory");

			close(fd);
			return error;
		}
		done += (size_t)size;
	}
	return use_high_number(fd);
}

/* Bytes of the stack that modules have, or that wait as their modules are gone. */
static size_t stacked_size(bool closing)
{
	size_t size = 0;

	lock_shared();
	for (const struct tls_carrier *carrier = newest; carrier; carrier = carrier->below)
		size += carrier->closing == closing ? carrier->size : 0;
	unlock_shared();
	return size;
}

/* Whether code wants distances from the thread pointer, to its own variables or to others. */
static bool asks_offset(const struct draft *draft, bool own)
{
	for (size_t i = 0; i < draft->num_questions; i++) {
		if (draft->questions[i].type == RELOCATE_OFFSET &&
		    (draft->questions[i].symbol == 0) == own)
			return true;
	}
	return false;
}

static int fail_open(const struct draft *draft)
{
	struct load *load = draft->load;
	const struct tls_carrier *carrier = draft->carrier;
	const char *reason = dlerror();

	if (!reason)
		reason = "no reason given";
	/* What comes before is the name of the file. */
	if (strncmp(reason, carrier->path, strlen(carrier->path)) == 0)
		reason += strlen(carrier->path) + strspn(reason + strlen(carrier->path), ": ");
	if (asks_offset(draft, true))
		return fail(
			load->pm, -ENOSPC,
			"%s: no room for %zu bytes of thread-local variables, aligned to %zu, "
			"in what the C library keeps for code that is not position-independent "
			"(%s; modules have %zu bytes of it, and %zu bytes wait until modules "
			"that were loaded later are unloaded); compile with -fPIC, or start the "
			"program with GLIBC_TUNABLES=glibc.rtld.optional_static_tls=BYTES",
			load->path, carrier->size, carrier->align, reason, stacked_size(false),
			stacked_size(true));
	if (asks_offset(draft, false))
		return fail(
			load->pm, -ENOSPC,
			"%s: uses thread-local variables of others as if they were in what each "
			"thread begins with (%s); compile with -fPIC "
			"-ftls-model=global-dynamic",
			load->path, reason);
	return fail(load->pm, -ENOMEM,
		    "%s: the C library has no room for %zu bytes of thread-local variables (%s)",
		    load->path, carrier->size, reason);
}

static int fail_room(const struct draft *draft)
{
	return fail(draft->load->pm, -ENOSPC,
		    "%s: no room for %zu bytes of thread-local variables, aligned to %zu, of code "
		    "that is not position-independent: this C library keeps none; compile with "
		    "-fPIC -ftls-model=global-dynamic",
		    draft->load->path, draft->carrier->size, draft->carrier->align);
}

/* A new object, or an old one if libc takes this for it. */
static int open_file(const struct draft *draft, int fd, bool *is_new)
{
	struct tls_carrier *carrier = draft->carrier;
	struct link_map *map;
	int error;

	if (!HAS_ROOM && asks_offset(draft, true))
		return fail_room(draft);
	error = name_memory_file(draft->load, fd, carrier->path);
	if (error)
		return error;
	dlerror();
	carrier->handle =
		dlopen(carrier->path, RTLD_NOW | (KNOWS_PATHS ? RTLD_LOCAL : RTLD_GLOBAL));
	if (!carrier->handle)
		return fail_open(draft);
	*is_new = dlinfo(carrier->handle, RTLD_DI_LINKMAP, &map) == 0 &&
		  strcmp(map->l_name, carrier->path) == 0;
	return 0;
}

static void take_answers(const struct draft *draft, const struct carrier_file *file)
{
	struct link_map *map = NULL;
	const ElfW(Addr) * table;

	dlinfo(draft->carrier->handle, RTLD_DI_LINKMAP, &map);
	table = (const ElfW(Addr) *)(map->l_addr + file->table);
	for (size_t i = 0; i < draft->num_questions; i++) {
		const struct question *question = &draft->questions[i];

		/* A distance can be less than nothing. */
		question->answer[0] = (uint64_t)(intptr_t)table[2 * i];
		if (question->type == RELOCATE_DESCRIPTOR)
			question->answer[1] = table[2 * i + 1];
	}
}

/* libc also takes two files for one whose inodes have the same number, and numbers of files in memory
 * can recur. */
static int open_carrier(const struct draft *draft)
{
	struct carrier_file file = { 0 };
	int error = write_file(draft, &file);
	bool is_new = false;

	for (int i = 0; !error && !is_new && i < MOST_TRIES; i++) {
		int fd = make_file(draft->load, &file);

		if (fd < 0) {
			error = fd;
			break;
		}
		error = open_file(draft, fd, &is_new);
		close(fd);
		if (!error && !is_new) {
			dlclose(draft->carrier->handle);
			draft->carrier->handle = NULL;
		}
	}
	if (!error && !is_new)
		error = fail(draft->load->pm, -EAGAIN,
			     "%s: the C library takes its thread-local variables for others",
			     draft->load->path);
	if (!error)
		take_answers(draft, &file);
	free(file.bytes);
	return error;
}

/* Those of other modules get their place when code first asks for it. */
static int open_in_order(const struct draft *draft)
{
	bool stacked = may_be_stacked(draft), locked = lock_dl();
	int error = open_carrier(draft);

	for (size_t i = 0; !error && i < draft->num_needed; i++) {
		if (!draft->needed[i]->stacked)
			stack_carrier(draft->needed[i]);
	}
	if (!error && stacked && draft->carrier->size)
		stack_carrier(draft->carrier);
	unlock_dl(locked);
	return error;
}

/* ---- Closing -------------------------------------------------------------------------------- */

static void free_carrier(struct tls_carrier *carrier)
{
	if (carrier->handle)
		dlclose(carrier->handle);
	free(carrier);
}

static void mark_closing(struct tls_carrier *carrier)
{
	lock_shared();
	carrier->closing = true;
	unlock_shared();
}

/* The newest if its module is gone; NULL otherwise. */
static struct tls_carrier *unstack_carrier(void)
{
	struct tls_carrier *carrier = NULL;

	lock_shared();
	if (newest && newest->closing) {
		carrier = newest;
		newest = carrier->below;
	}
	unlock_shared();
	return carrier;
}

void close_tls(struct tls_carrier *carrier)
{
	bool locked;

	if (!carrier)
		return;
	locked = lock_dl();
	if (carrier->stacked)
		mark_closing(carrier);
	else
		free_carrier(carrier);
	while ((carrier = unstack_carrier()))
		free_carrier(carrier);
	unlock_dl(locked);
}

/* ---- The whole ------------------------------------------------------------------------------ */

/* Sizes are multiples of the alignment, so that what libc takes for it is what it gives back. */
static int new_carrier(struct load *load, struct tls_carrier **carrier)
{
	static unsigned long count;
	const struct link_part *part = &load->link->part[LINK_TLS];

	*carrier = calloc(1, sizeof(**carrier));
	if (!*carrier)
		return fail_memory(load->pm);
	(*carrier)->align = part->align ? part->align : 1;
	(*carrier)->size = round_up(part->size, (*carrier)->align);
	sprintf((*carrier)->base, "permod:%lu", __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED));
	return 0;
}

/* Whether code asks for a block that is empty. */
static bool refers_to_own(const struct link *link)
{
	for (const struct link_tls *tls = link->tls; tls; tls = tls->next) {
		if (!tls->symbol || tls->symbol->section)
			return true;
	}
	return false;
}

static int fill_image(struct load *load)
{
	struct link *link = load->link;

	if (!link->tls_initial_size)
		return 0;
	load->tls_image = malloc(link->tls_initial_size);
	if (!load->tls_image)
		return fail_memory(load->pm);
	link->part[LINK_TLS].buffer = load->tls_image;
	return link_relocate_tls(link);
}

/* ---- For debuggers -------------------------------------------------------------------------- */

/*
 * gdb knows no number for the block of a module that it has read of in memory, so it takes an offset for
 * one in the block with number 1, the program's: as if this were a static program.  That one lies in what
 * each thread begins with, so its offsets reach everything at a fixed distance from the thread pointer:
 * also the module's block, if it lies there.  Only code that uses such distances makes libc tell them;
 * variables of another block are put where gdb will say that nothing can be.
 */
#define NOWHERE (UINTPTR_MAX / 2 + 1) /* no program has an address near this one */

static uint64_t debug_base(const struct link *link, const struct tls_carrier *carrier)
{
	const struct tls_carrier program = { .module = 1 };

	for (const struct link_tls *tls = link->tls; tls && tls_getter(); tls = tls->next) {
		if (tls->wanted & LINK_TLS_BY_OFFSET && (!tls->symbol || tls->symbol->section))
			return (uintptr_t)tls_address(carrier, 0) -
			       (uintptr_t)tls_address(&program, 0);
	}
	return NOWHERE;
}

int open_tls(struct load *load)
{
	struct draft draft = { .load = load };
	int error;

	if (!load->link->part[LINK_TLS].size && !load->link->tls)
		return 0;
	error = fill_image(load);
	if (!error)
		error = new_carrier(load, &draft.carrier);
	if (error)
		return error;
	if (!draft.carrier->size && refers_to_own(load->link))
		draft.carrier->size = 1;
	error = ask_all(&draft);
	if (!error && draft.num_questions)
		error = open_in_order(&draft);
	free(draft.questions);
	free(draft.symbols);
	free(draft.needed);
	if (error || !draft.num_questions) {
		free_carrier(draft.carrier);
		return error;
	}
	load->module->tls = draft.carrier;
	load->link->tls_debug_base = debug_base(load->link, draft.carrier);
	return 0;
}
