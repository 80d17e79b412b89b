/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Modules as valgrind's tools see them.
 *
 * valgrind has no interface for code that is made at run time.  It reads symbols and debug information
 * of an ELF file when the program has mapped two parts of it, one to be run and one to be written, as
 * the dynamic linker does.  So where valgrind runs the program, the code of a module and its read-only
 * data become mappings of such a file, which has the same bytes and what the symbol file says of them:
 *
 *     | symbol file | more names | sections | segments | code | data |
 *
 * Everything valgrind wants of the file it takes at once, so the file goes again.  Code that only init
 * needs has a file of its own.  Modules must have whole pages for that.  Names are worth no error.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef HAVE_VALGRIND_MEMCHECK_H
#include <valgrind/memcheck.h>
#else
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_MAP_IP_TO_SRCLOC(address, text) ((void)(address), (void)(text))
#define VALGRIND_MAKE_MEM_DEFINED(address, size) ((void)(address), (void)(size))
#endif

bool runs_on_valgrind(void)
{
	return RUNNING_ON_VALGRIND;
}

/* Names that valgrind knows sections by, whatever they are called in the objects. */
static const char more_names[] = ".text\0.rodata\0.bss";
enum { TEXT_NAME = 0, RODATA_NAME = 6, BSS_NAME = 14 };

enum { CODE, DATA, SEGMENTS };
enum { OWN_SECTIONS = 4, SOURCE_BYTES = 64, PATH_BYTES = 512 };

/* A file on its way. */
struct draft {
	const struct permod_module *module;
	const struct symfile *symfile;
	uintptr_t address[SEGMENTS];
	size_t size[SEGMENTS]; /* bytes, not rounded */
	size_t read_only;      /* of the data, bytes */
	bool lent;	       /* the data is a page that stays only until the file is read */
	size_t page;
	ElfW(Phdr) segments[SEGMENTS];
	ElfW(Shdr) * sections;
	int descriptor;
};

/* ---- What is in it -------------------------------------------------------------------------- */

/*
 * All parts behind the code's, up to the last one, are data; the first of them is mapped.  Where there
 * are none, as for init as a rule, a page is lent.
 */
static bool find_parts(struct draft *draft, size_t code, size_t last)
{
	const struct module_part *part = draft->module->part;
	uintptr_t *data = &draft->address[DATA], end = 0;
	void *page;

	if (!part[code].size || part[code].page)
		return false;
	draft->address[CODE] = part[code].address;
	draft->size[CODE] = part[code].size;
	for (size_t region = code + 1; region <= last; region++) {
		if (!part[region].size || part[region].page)
			continue;
		if (!*data) {
			*data = part[region].address;
			draft->size[DATA] = part[region].size;
			draft->read_only = region == code + 1 ? part[region].size : 0;
		}
		end = part[region].address + part[region].size;
	}
	if (!*data) {
		page = mmap(NULL, draft->page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (page == MAP_FAILED)
			return false;
		draft->lent = true;
		*data = (uintptr_t)page;
		draft->size[DATA] = draft->page;
	}
	draft->segments[DATA].p_memsz = end > *data ? end - *data : 0;
	return true;
}

static uint64_t pages(const struct draft *draft, size_t segment)
{
	return round_up(draft->size[segment], draft->page);
}

static void describe_segments(struct draft *draft, uint64_t offset)
{
	for (size_t i = 0; i < SEGMENTS; i++) {
		ElfW(Phdr) *segment = &draft->segments[i];

		segment->p_type = PT_LOAD;
		segment->p_flags = PF_R | (i == CODE ? PF_X : PF_W);
		segment->p_offset = offset;
		segment->p_vaddr = segment->p_paddr = draft->address[i];
		segment->p_filesz = pages(draft, i);
		segment->p_align = draft->page;
		if (segment->p_memsz < segment->p_filesz)
			segment->p_memsz = segment->p_filesz;
		offset += segment->p_filesz;
	}
}

/* From an offset in a segment to another. */
static ElfW(Shdr) describe_section(const struct draft *draft, size_t segment, size_t name,
				   uint64_t begin, uint64_t end)
{
	size_t names = (size_t)(draft->symfile->names - (const char *)draft->symfile->bytes);

	return (ElfW(Shdr)){
		.sh_name = (uint32_t)(draft->symfile->size - names + name),
		.sh_type = name == BSS_NAME ? SHT_NOBITS : SHT_PROGBITS,
		.sh_flags = SHF_ALLOC | (segment == CODE    ? SHF_EXECINSTR
					 : name == BSS_NAME ? SHF_WRITE
							    : 0U),
		.sh_addr = draft->segments[segment].p_vaddr + begin,
		.sh_offset = draft->segments[segment].p_offset + begin,
		.sh_size = end - begin,
		.sh_addralign = 1,
	};
}

static bool is_in_data(const struct draft *draft, const ElfW(Shdr) * section)
{
	return section->sh_addr - draft->segments[DATA].p_vaddr < draft->segments[DATA].p_memsz;
}

/* Beside those of the segments, all that have contents in the symbol file; returns how many. */
static uint16_t describe_sections(struct draft *draft, size_t count)
{
	uint64_t data = draft->segments[DATA].p_memsz;
	ElfW(Shdr) *next = draft->sections + 1;

	*next++ = describe_section(draft, CODE, TEXT_NAME, 0, draft->size[CODE]);
	if (draft->read_only)
		*next++ = describe_section(draft, DATA, RODATA_NAME, 0, draft->read_only);
	if (data > draft->read_only && !draft->lent)
		*next++ = describe_section(draft, DATA, BSS_NAME, draft->read_only, data);
	for (size_t i = 1; i < count; i++) {
		const ElfW(Shdr) *section = &draft->symfile->sections[i];

		if (section->sh_type == SHT_NOBITS ||
		    (section->sh_flags & SHF_ALLOC && !is_in_data(draft, section)))
			continue;
		*next++ = *section;
	}
	/* The last two are symbols and their names. */
	next[-1].sh_size += sizeof(more_names);
	next[-2].sh_link = (uint32_t)(next - draft->sections - 1);
	return (uint16_t)(next - draft->sections);
}

/* ---- Writing -------------------------------------------------------------------------------- */

static bool put(const struct draft *draft, const void *bytes, size_t size, uint64_t offset)
{
	while (size) {
		ssize_t written = pwrite(draft->descriptor, bytes, size, (off_t)offset);

		if (written <= 0)
			return false;
		bytes = (const char *)bytes + written;
		size -= (size_t)written;
		offset += (uint64_t)written;
	}
	return true;
}

/* In the order of addresses, as in any such file. */
static bool put_segments(const struct draft *draft, uint64_t offset)
{
	size_t first = draft->address[CODE] < draft->address[DATA] ? CODE : DATA;
	ElfW(Phdr) segments[SEGMENTS] = { draft->segments[first], draft->segments[!first] };

	return put(draft, segments, sizeof(segments), offset);
}

static bool write_file(struct draft *draft)
{
	const struct symfile *symfile = draft->symfile;
	ElfW(Ehdr) header = *(const ElfW(Ehdr) *)(const void *)symfile->bytes;
	size_t tables = round_up(symfile->size + sizeof(more_names), sizeof(uint64_t));
	size_t sections_size = (OWN_SECTIONS + header.e_shnum) * sizeof(ElfW(Shdr));

	/* Nobody looks at what is between its parts. */
	VALGRIND_MAKE_MEM_DEFINED(symfile->bytes, symfile->size);
	header.e_type = ET_DYN;
	header.e_phoff = tables;
	header.e_phentsize = sizeof(ElfW(Phdr));
	header.e_phnum = SEGMENTS;
	header.e_shoff = tables + sizeof(draft->segments);
	describe_segments(draft, round_up(header.e_shoff + sections_size, draft->page));
	draft->sections = calloc(1, sections_size);
	if (!draft->sections)
		return false;
	header.e_shnum = describe_sections(draft, header.e_shnum);
	header.e_shstrndx = (uint16_t)(header.e_shnum - 1);
	if (!may_write(draft->segments[DATA].p_offset + pages(draft, DATA)) ||
	    !put(draft, symfile->bytes, symfile->size, 0) ||
	    !put(draft, &header, sizeof(header), 0) ||
	    !put(draft, more_names, sizeof(more_names), symfile->size) ||
	    !put_segments(draft, header.e_phoff) ||
	    !put(draft, draft->sections, sections_size, header.e_shoff))
		return false;
	for (size_t i = 0; i < SEGMENTS; i++) {
		if (!put(draft, (const void *)draft->address[i], pages(draft, i),
			 draft->segments[i].p_offset))
			return false;
	}
	return true;
}

/* ---- Showing -------------------------------------------------------------------------------- */

static bool map(const struct draft *draft, size_t segment, int protection)
{
	return mmap((void *)draft->address[segment], pages(draft, segment), protection,
		    MAP_PRIVATE | MAP_FIXED, draft->descriptor,
		    (off_t)draft->segments[segment].p_offset) != MAP_FAILED;
}

/* Newer versions read the file only when they need it: asking for a line makes them. */
static void map_file(const struct draft *draft)
{
	char source[SOURCE_BYTES] = "";

	/* On machines that valgrind does not run on its header's macros use nothing. */
	(void)source;
	if (!map(draft, DATA, PROT_READ | PROT_WRITE))
		return;
	if (draft->read_only)
		mprotect((void *)draft->address[DATA], pages(draft, DATA), PROT_READ);
	if (map(draft, CODE, PROT_READ | PROT_EXEC))
		VALGRIND_MAP_IP_TO_SRCLOC(draft->address[CODE], source);
}

static void show_by_file(struct draft *draft, const char *path)
{
	draft->descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (draft->descriptor < 0)
		return;
	if (write_file(draft))
		map_file(draft);
	close(draft->descriptor);
	unlink(path);
	free(draft->sections);
}

/* Of functions without debug information valgrind tells the file's name. */
static void show_by_folder(struct draft *draft)
{
	const char *folder = secure_getenv("TMPDIR"), *name = draft->module->name;
	char path[PATH_BYTES];
	size_t length = (size_t)snprintf(path, sizeof(path), "%s/permod-XXXXXX",
					 folder && *folder ? folder : "/tmp");

	if (length + 1 + strlen(name) >= sizeof(path) || strchr(name, '/') || !mkdtemp(path))
		return;
	sprintf(path + length, "/%s", name);
	show_by_file(draft, path);
	path[length] = '\0';
	rmdir(path);
}

static void show_code(const struct permod_module *module, size_t code, size_t last)
{
	struct draft draft = { .module = module,
			       .symfile = module->symfile,
			       .page = (size_t)sysconf(_SC_PAGESIZE) };

	if (!find_parts(&draft, code, last))
		return;
	show_by_folder(&draft);
	if (draft.lent)
		munmap((void *)draft.address[DATA], draft.page);
}

void show_to_valgrind(const struct permod_module *module)
{
	if (!RUNNING_ON_VALGRIND || module->pm->flags & PERMOD_NO_DEBUGGER)
		return;
	show_code(module, LINK_TEXT, LINK_DATA);
	show_code(module, LINK_INIT_TEXT, LINK_INIT_DATA);
}
