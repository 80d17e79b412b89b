/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shared objects as modules: the dynamic linker loads and links them and runs their constructors; the
 * rest of a module's life is as that of others.
 *
 * What a module brings (parameters, exports, init and exit, per-CPU variables) is found by the names
 * of sections and symbols, which the dynamic linker does not look at: they are read from the file.
 * Nothing there is believed that does not lie in what was loaded.  Per-CPU variables are in the hands
 * of libpercpu, as those of every shared object.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* musl keeps for ever what was opened once. */
#ifdef __GLIBC__
#define LIBC_UNLOADS true
#else
#define LIBC_UNLOADS false
#endif

/* What permod_module.shared points to. */
struct shared_object {
	void *handle;
	char *path;
	int sealed;	       /* descriptor of the sealed file that it comes from, or -1 */
	bool nodelete, unique; /* why it may stay in memory */
	bool failed;	       /* to load: the reason is the line to be told */
};

/* The file of one, while it is looked at. */
struct image {
	struct load *load;
	struct permod_module *module;
	Elf *elf;
	size_t names;	   /* index of the section of the sections' names */
	uintptr_t base;	   /* what to add to its addresses */
	size_t variables;  /* index of the section of per-CPU variables, or 0 */
	Elf_Scn *symbols;  /* the larger of its symbol tables, or NULL */
	size_t names_size; /* bytes of the names of symbols that are kept */
	char *texts;	   /* where they go; NULL while they are counted */
};

/* ---- The file ------------------------------------------------------------------------------- */

int is_shared_object(struct permod *pm, const char *path)
{
	struct inputs inputs = { .pm = pm };
	ElfW(Ehdr) header;
	const void *data;
	size_t size;
	int error = read_input(&inputs, path, &data, &size);
	bool whole = !error && size >= sizeof(header);

	if (whole)
		memcpy(&header, data, sizeof(header));
	free_inputs(&inputs);
	if (error)
		return error;
	return whole && memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_type == ET_DYN;
}

static bool is_loaded(const struct image *image, uint64_t address, uint64_t size)
{
	for (size_t region = LINK_TEXT; region <= LINK_DATA; region++) {
		const struct module_part *part = &image->module->part[region];
		uint64_t offset = image->base + address - part->address;

		if (offset < part->size && size <= part->size - offset)
			return true;
	}
	return false;
}

/* Segments by what may be done with them; of those that are only read the last has the strings. */
static int add_segments(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct image *image = arg;

	(void)size;
	if (info->dlpi_addr != image->base)
		return 0;
	for (unsigned int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		enum link_region region = segment->p_flags & PF_X   ? LINK_TEXT
					  : segment->p_flags & PF_W ? LINK_DATA
								    : LINK_RODATA;

		if (segment->p_type == PT_LOAD)
			image->module->part[region] = (struct module_part){
				.address = image->base + segment->p_vaddr,
				.size = segment->p_memsz,
			};
	}
	return 1;
}

/* ---- Sections ------------------------------------------------------------------------------- */

static uintptr_t address_in(const struct image *image, const GElf_Shdr *header)
{
	return image->base + (uintptr_t)header->sh_addr;
}

/* What THIS_MODULE is of a shared object. */
static int tell_itself(const struct image *image, const GElf_Shdr *header)
{
	const struct module itself = { image->module };

	if (header->sh_size != sizeof(itself) || !(header->sh_flags & SHF_WRITE))
		return fail(image->load->pm, -ENOEXEC,
			    "%s: section __permod_module: built against another <permod/module.h>",
			    image->load->path);
	memcpy((void *)address_in(image, header), &itself, sizeof(itself));
	return 0;
}

static int visit_section(struct image *image, Elf_Scn *section)
{
	const char *name;
	GElf_Shdr header;

	if (!gelf_getshdr(section, &header))
		return 0;
	/* The other symbol table has more than that of the dynamic linker, if it is there. */
	if (header.sh_type == SHT_SYMTAB || (header.sh_type == SHT_DYNSYM && !image->symbols))
		image->symbols = section;
	name = elf_strptr(image->elf, image->names, header.sh_name);
	if (!name || !(header.sh_flags & SHF_ALLOC) || header.sh_type == SHT_NOBITS ||
	    !header.sh_size || !is_loaded(image, header.sh_addr, header.sh_size))
		return 0;
	if (strcmp(name, "pcpu_data") == 0)
		image->variables = elf_ndxscn(section);
	if (strcmp(name, "__permod_module") == 0)
		return tell_itself(image, &header);
	return describe_array(image->load, name, (const void *)address_in(image, &header),
			      header.sh_size);
}

static int visit_sections(struct image *image)
{
	Elf_Scn *section = NULL;
	int error = 0;

	while (!error && (section = elf_nextscn(image->elf, section)))
		error = visit_section(image, section);
	return error;
}

/* ---- Symbols -------------------------------------------------------------------------------- */

static void add_symbol(struct image *image, struct module_symbol *table, size_t *count,
		       const char *name, const GElf_Sym *symbol)
{
	size_t size = strlen(name) + 1;

	image->names_size += size;
	if (image->texts) {
		table[*count] = (struct module_symbol){
			.name = memcpy(image->texts, name, size),
			.address =
				cookie_of(image->module, image->base + (uintptr_t)symbol->st_value),
			.size = symbol->st_size,
		};
		image->texts += size;
	}
	++*count;
}

static void visit_symbol(struct image *image, const char *name, const GElf_Sym *symbol)
{
	struct permod_module *module = image->module;
	unsigned char type = GELF_ST_TYPE(symbol->st_info), bind = GELF_ST_BIND(symbol->st_info);
	unsigned char visibility = GELF_ST_VISIBILITY(symbol->st_other);
	uintptr_t address = image->base + (uintptr_t)symbol->st_value;

	if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx >= SHN_LORESERVE || type > STT_FUNC ||
	    !is_loaded(image, symbol->st_value, symbol->st_size))
		return;
	module->shared->unique |= bind == STB_GNU_UNIQUE;
	if (type == STT_FUNC && strcmp(name, "init_module") == 0)
		module->init = (int (*)(void))address;
	if (type == STT_FUNC && strcmp(name, "cleanup_module") == 0)
		module->exit = (void (*)(void))address;
	if (type == STT_OBJECT && image->variables && symbol->st_shndx == image->variables)
		add_symbol(image, module->variables, &module->num_variables, name, symbol);
	if (bind != STB_LOCAL && (visibility == STV_DEFAULT || visibility == STV_PROTECTED))
		add_symbol(image, module->symbols, &module->num_symbols, name, symbol);
}

static void visit_symbols(struct image *image, Elf_Data *data)
{
	GElf_Shdr header;
	GElf_Sym symbol;

	image->module->num_symbols = image->module->num_variables = 0;
	if (!data || !gelf_getshdr(image->symbols, &header))
		return;
	for (int i = 1; gelf_getsym(data, i, &symbol); i++) {
		const char *name = elf_strptr(image->elf, header.sh_link, symbol.st_name);

		if (name && *name)
			visit_symbol(image, name, &symbol);
	}
}

static int compare_names(const void *a, const void *b)
{
	const struct module_symbol *first = a, *second = b;

	return strcmp(first->name, second->name);
}

/* As of other modules: symbols, variables and their names are one piece of memory. */
static int describe_symbols(struct image *image)
{
	struct permod_module *module = image->module;
	Elf_Data *data = image->symbols ? elf_getdata(image->symbols, NULL) : NULL;
	size_t count;

	if (image->symbols && !data)
		return fail(image->load->pm, -ENOEXEC, "%s: its symbols can't be read: %s",
			    image->load->path, elf_errmsg(-1));
	visit_symbols(image, data);
	count = module->num_symbols + module->num_variables;
	module->symbols = malloc(count * sizeof(struct module_symbol) + image->names_size + 1);
	if (!module->symbols)
		return fail_memory(image->load->pm);
	module->variables = module->symbols + module->num_symbols;
	module->thread_symbols = module->variables; /* none */
	image->texts = (char *)(module->symbols + count);
	visit_symbols(image, data);
	qsort(module->variables, module->num_variables, sizeof(struct module_symbol),
	      compare_names);
	return 0;
}

static int describe_image(struct load *load, struct image *image)
{
	int error;

	image->elf = open_shared_file(load->pm, load->path, load->shared_data, load->shared_size);
	if (!image->elf)
		return -ENOEXEC;
	elf_getshdrstrndx(image->elf, &image->names);
	error = visit_sections(image);
	if (!error)
		error = describe_symbols(image);
	elf_end(image->elf);
	return error;
}

/* ---- Before it is loaded -------------------------------------------------------------------- */

/* What it says of itself. */
struct examination {
	struct load *load;
	bool shared; /* compiled with -DPERMOD_SHARED */
	struct fit fit;
};

static int examine_section(void *arg, const char *name)
{
	struct examination *examination = arg;

	examination->shared |= strcmp(name, "__permod_module") == 0;
	examination->fit.described |= strcmp(name, "__param") == 0;
	return 0;
}

static int examine_info(void *arg, const char *info)
{
	struct examination *examination = arg;

	return check_info(examination->load, &examination->fit, info);
}

/* musl loads programs as well, whose code takes itself for the only one. */
static bool is_program(Elf *elf)
{
	size_t count = 0;
	GElf_Phdr header;
	GElf_Dyn entry;

	if (elf_getphdrnum(elf, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		Elf_Data *data = NULL;

		if (gelf_getphdr(elf, (int)i, &header) && header.p_type == PT_DYNAMIC)
			data = elf_getdata_rawchunk(elf, (int64_t)header.p_offset, header.p_filesz,
						    ELF_T_DYN);
		for (int n = 0; data && gelf_getdyn(data, n, &entry); n++) {
			if (entry.d_tag == DT_FLAGS_1 && entry.d_un.d_val & DF_1_PIE)
				return true;
		}
	}
	return false;
}

static int examine_file(struct examination *examination, Elf *elf)
{
	const struct shared_reader reader = { .arg = examination,
					      .section = examine_section,
					      .info = examine_info };
	struct load *load = examination->load;
	int error;

	if (is_program(elf))
		return fail(load->pm, -ENOEXEC,
			    "%s: a program, which can be loaded only by itself; link it with "
			    "-shared",
			    load->path);
	error = read_shared_file(elf, &reader);
	/* Its per-CPU variables would be like others, and using one a crash. */
	if (!error && examination->fit.described && !examination->shared)
		return fail(load->pm, -ENOEXEC,
			    "%s: compiled as a relocatable object; compile all files of a shared "
			    "object with -DPERMOD_SHARED",
			    load->path);
	if (!error)
		error = check_host(load, &examination->fit);
	if (!error && read_shared_types(elf, &load->module->types))
		error = fail_memory(load->pm);
	return error ? error : check_shared_types(load, NULL);
}

/* The dynamic linker runs its constructors: what stands against it is to be known before. */
static int examine_shared(struct load *load)
{
	struct examination examination = { .load = load };
	Elf *elf = open_shared_file(load->pm, load->path, load->shared_data, load->shared_size);
	int error;

	if (!elf)
		return -ENOEXEC;
	error = examine_file(&examination, elf);
	elf_end(elf);
	if (!error)
		taint_by_fit(load, &examination.fit);
	return error;
}

/* ---- The steps of a load -------------------------------------------------------------------- */

static int check_shared(const struct load *load)
{
	if (load->inputs.root || load->flags)
		return fail(load->pm, -EINVAL,
			    "%s: a shared object is loaded as a whole, and its constructors run: "
			    "no flags, no root",
			    load->path);
	if (load->pm->flags & PERMOD_NO_LIBDL)
		return fail(load->pm, -EPERM,
			    "%s: a shared object is linked by the dynamic linker, and the host "
			    "gives its modules nothing but what is exported to them",
			    load->path);
	return 0;
}

static int read_shared(struct load *load)
{
	struct shared_object *shared = calloc(1, sizeof(*shared));
	int error = check_shared(load);

	load->module->shared = shared;
	if (!shared)
		return fail_memory(load->pm);
	shared->sealed = -1;
	return error ? error
		     : read_input(&load->inputs, load->path, &load->shared_data,
				  &load->shared_size);
}

static int fail_sealed(const struct load *load)
{
	return fail(load->pm, -errno, "%s: the file in memory for what was read of it: %s",
		    load->path, strerror(errno));
}

static int fail_changed(const struct load *load)
{
	return fail(load->pm, -EBUSY,
		    "%s: the file in memory for what was read of it was changed by somebody else",
		    load->path);
}

/* Until it was sealed, processes with our rights could write to it, by /proc. */
static int check_sealed(const struct load *load, int descriptor)
{
	size_t size = load->shared_size;
	struct stat about;
	void *seen;
	bool same;

	if (fstat(descriptor, &about))
		return fail_sealed(load);
	if ((uint64_t)about.st_size != size)
		return fail_changed(load);
	seen = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
	if (seen == MAP_FAILED)
		return fail_sealed(load);
	same = memcmp(seen, load->shared_data, size) == 0;
	munmap(seen, size);
	return same ? 0 : fail_changed(load);
}

static int write_sealed(const struct load *load, int descriptor)
{
	const char *data = load->shared_data;
	size_t left = load->shared_size;

	while (left) {
		ssize_t length = write(descriptor, data, left);

		if (length < 0 && errno != EINTR)
			return fail_sealed(load);
		if (length > 0) {
			data += length;
			left -= (size_t)length;
		}
	}
	if (fcntl(descriptor, F_ADD_SEALS,
		  F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
		return fail_sealed(load);
	return check_sealed(load, descriptor);
}

/* Whether the dynamic linker takes the file for one that it has. */
static bool is_open(const struct shared_object *shared)
{
	void *handle = dl_open(shared->path, RTLD_LAZY | RTLD_NOLOAD);

	if (handle)
		dl_close(handle);
	return handle != NULL;
}

/*
 * The dynamic linker reads the file itself, and it may be another by then: where it was checked, or is
 * compressed, it reads what we have read.  The descriptor stays open for debuggers, as it is in the name.
 */
static int seal_shared(struct load *load)
{
	struct shared_object *shared = load->module->shared;
	char path[MEMORY_PATH_BYTES];
	int error;

	if (!may_write(load->shared_size))
		return fail(load->pm, -EFBIG, "%s: no file may become so large (ulimit -f)",
			    load->path);
	snprintf(path, sizeof(path), "%.60s", load->module->name);
	shared->sealed = make_memory_file(path, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (shared->sealed < 0)
		return fail_sealed(load);
	error = name_memory_file(load, shared->sealed, path);
	if (error)
		return error;
	shared->path = strdup(path);
	if (!shared->path)
		return fail_memory(load->pm);
	/* Numbers of inodes can recur, and it goes by these too. */
	if (is_open(shared))
		return fail(load->pm, -EAGAIN,
			    "%s: the C library takes it for another object that is in memory; "
			    "load it again",
			    load->path);
	return write_sealed(load, shared->sealed);
}

/* A name without a slash would be looked for elsewhere. */
static int find_shared(struct load *load)
{
	struct shared_object *shared = load->module->shared;

	if (load->pm->signatures != PERMOD_SIGNATURES_OFF || load->inputs.expanded)
		return seal_shared(load);
	shared->path = realpath(load->path, NULL);
	if (!shared->path)
		return fail(load->pm, -errno, "%s: %s", load->path, strerror(errno));
	return 0;
}

static int open_shared(struct load *load)
{
	struct shared_object *shared = load->module->shared;

	dlerror();
	shared->handle = dl_open(shared->path, RTLD_NOW | RTLD_LOCAL);
	if (!shared->handle)
		return fail(load->pm, -ENOEXEC, "%s: dlopen: %s", load->path, dlerror());
	return 0;
}

/* Those that came with it. */
static int check_libraries(struct load *load)
{
	return check_shared_types(load, load->module->shared->handle);
}

static int describe_shared(struct load *load)
{
	struct shared_object *shared = load->module->shared;
	struct image image = { .load = load, .module = load->module };
	struct link_map *map;

	if (dlinfo(shared->handle, RTLD_DI_LINKMAP, &map))
		return fail(load->pm, -ENOEXEC, "%s: %s", load->path, dlerror());
	image.base = map->l_addr;
	for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++)
		shared->nodelete |=
			entry->d_tag == DT_FLAGS_1 && (entry->d_un.d_val & DF_1_NODELETE);
	each_image(add_segments, &image);
	return describe_image(load, &image);
}

int load_shared(struct load *load)
{
	static int (*const steps[])(struct load *) = {
		read_shared,	 find_shared,	  examine_shared,  taint_by_signature,
		open_shared,	 check_libraries, describe_shared, publish_names,
		announce_coming, set_parameters,  start_module,
	};
	int error = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !error; i++)
		error = steps[i](load);
	if (load->module->shared)
		load->module->shared->failed = error != 0;
	return error;
}

/* ---- The end -------------------------------------------------------------------------------- */

/* The dynamic linker may keep it: that is no failure, but has to be told. */
static void tell_that_it_stays(struct permod *pm, const char *name,
			       const struct shared_object *shared)
{
	fail(pm, 0, "%s: is unloaded, but stays in memory, and will not start afresh: %s", name,
	     shared->nodelete ? "it is linked with -z nodelete"
	     : !LIBC_UNLOADS  ? "this C library unloads none"
	     : shared->unique
		     ? "it has variables that C++ has once in a process; compile with "
		       "-fno-gnu-unique"
		     : "something else in this process uses it, or threads have to end first");
}

/* One of the objects in memory. */
struct listed {
	uintptr_t base;
	char *name; /* NULL without memory for it: then the address must do */
	bool found;
};

static int find_listed(struct dl_phdr_info *image, size_t size, void *arg)
{
	struct listed *listed = arg;

	(void)size;
	listed->found = image->dlpi_addr == listed->base &&
			(!listed->name || !strcmp(image->dlpi_name, listed->name));
	return listed->found;
}

/* Close it; true if it stays in memory. The name is not opened for that: in the child of a fork another
 * file, of the parent, may have it by then. */
static bool close_handle(void *handle)
{
	struct listed listed = { 0, NULL, false };
	struct link_map *map;
	bool known = !dlinfo(handle, RTLD_DI_LINKMAP, &map);

	if (known) {
		listed.base = map->l_addr;
		listed.name = strdup(map->l_name);
	}
	dl_close(handle);
	if (known)
		each_image(find_listed, &listed);
	free(listed.name);
	return listed.found;
}

void close_shared(struct permod_module *module)
{
	struct shared_object *shared = module->shared;

	if (!shared)
		return;
	if (shared->handle && close_handle(shared->handle) && !shared->failed)
		tell_that_it_stays(module->pm, module->name, shared);
	if (shared->sealed >= 0)
		close(shared->sealed);
	free(shared->path);
	free(shared);
	module->shared = NULL;
}
