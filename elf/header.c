/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What kind of file is it?  The ELF header, and where the section headers are.
 *
 * It is looked at here before anything else is: what is wrong with a whole file deserves a line of its
 * own.
 */
#include "elf/internal.h"

#define TYPE_OFFSET 16	  /* of e_type */
#define MACHINE_OFFSET 18 /* of e_machine */

/* Machines that people really mix up, for messages. */
static const struct {
	unsigned int number;
	const char *name;
} machines[] = {
	{ EM_386, "i386" },	     { EM_X86_64, "x86-64" },
	{ EM_ARM, "arm" },	     { EM_AARCH64, "aarch64" },
	{ EM_RISCV, "riscv" },	     { EM_PPC, "ppc" },
	{ EM_PPC64, "ppc64" },	     { EM_S390, "s390" },
	{ EM_MIPS, "mips" },	     { EM_SPARC, "sparc" },
	{ EM_SPARCV9, "sparc64" },   { EM_BPF, "bpf" },
	{ EM_ALPHA, "alpha" },	     { EM_PARISC, "hppa" },
	{ EM_68K, "m68k" },	     { EM_SH, "sh" },
	{ EM_SPARC32PLUS, "sparc" }, { 258 /* newer than some <elf.h> */, "loongarch" },
};

static const char *machine_name(unsigned int number)
{
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		if (machines[i].number == number)
			return machines[i].name;
	}
	return "another machine";
}

/* A number of the header in the file's own byte order. */
static unsigned int get_half(const unsigned char *data, size_t offset)
{
	if (data[EI_DATA] == ELFDATA2MSB)
		return (unsigned int)data[offset] << 8 | data[offset + 1];
	return (unsigned int)data[offset + 1] << 8 | data[offset];
}

static bool has_magic(const unsigned char *data, size_t size)
{
	return size >= SELFMAG && !memcmp(data, ELFMAG, SELFMAG);
}

bool link_is_bitcode(const unsigned char *data, size_t size)
{
	return size >= 4 &&
	       (!memcmp(data, "BC\xc0\xde", 4) || !memcmp(data, "\xde\xc0\x17\x0b", 4));
}

static bool is_machine(const struct link_arch *arch, unsigned int machine)
{
	return machine == arch->machine || (arch->other_machine && machine == arch->other_machine);
}

bool link_is_object(const struct link *link, const unsigned char *data, size_t size)
{
	return has_magic(data, size) && size >= MACHINE_OFFSET + 2 &&
	       data[EI_CLASS] == link->arch->class && data[EI_DATA] == link->arch->encoding &&
	       get_half(data, TYPE_OFFSET) == ET_REL &&
	       is_machine(link->arch, get_half(data, MACHINE_OFFSET));
}

/* ---- The header ----------------------------------------------------------------------------- */

static int fail_magic(const struct link_object *object)
{
	const unsigned char *data = object->data;

	if (!object->size)
		return link_fail(
			object->link, -ENOEXEC,
			"%s: the file is empty; give a relocatable object, as cc -c makes it",
			object->name);
	if (link_is_bitcode(data, object->size))
		return link_fail(
			object->link, -ENOEXEC,
			"%s: this is LLVM bitcode, not machine code; compile without -flto, or make "
			"an object of it by clang -c -x ir",
			object->name);
	return link_fail(object->link, -ENOEXEC,
			 "%s: not an ELF file (it begins with the byte 0x%02x, not with 0x7f and "
			 "\"ELF\"); give a relocatable object, as cc -c makes it",
			 object->name, data[0]);
}

static int fail_type(const struct link_object *object, unsigned int type)
{
	const char *what = type == ET_DYN ? "a shared object or a position-independent executable"
			   : type == ET_EXEC ? "an executable"
			   : type == ET_CORE ? "a core dump"
					     : "of an unknown type";

	return link_fail(
		object->link, -ENOEXEC,
		"%s: the file is %s (found type %u, need %u); give a relocatable object, as "
		"cc -c makes it",
		object->name, what, type, ET_REL);
}

static size_t least_size(const struct link_arch *arch)
{
	return arch->class == ELFCLASS64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
}

static int fail_truncated(const struct link_object *object)
{
	return link_fail(object->link, -ENOEXEC,
			 "%s: truncated in the ELF header (found %zu bytes, at least %zu)",
			 object->name, object->size, least_size(object->link->arch));
}

/* What kind of file is it?  Looks at no more than the first 20 bytes. */
static int check_identity(const struct link_object *object)
{
	const struct link_arch *arch = object->link->arch;
	const unsigned char *data = object->data;
	unsigned int machine;

	if (!has_magic(data, object->size))
		return fail_magic(object);
	if (object->size < MACHINE_OFFSET + 2)
		return fail_truncated(object);
	machine = get_half(data, MACHINE_OFFSET);
	if (!is_machine(arch, machine))
		return link_fail(object->link, -ENOEXEC,
				 "%s: compiled for %s (found machine %u, need %u); compile for %s",
				 object->name, machine_name(machine), machine, arch->machine,
				 arch->name);
	if (data[EI_CLASS] != arch->class && arch->wrong_class)
		return link_fail(object->link, -ENOEXEC,
				 "%s: wrong word size (found ELF class %u, need %u for %s): %s",
				 object->name, data[EI_CLASS], arch->class, arch->name,
				 arch->wrong_class);
	if (data[EI_CLASS] != arch->class)
		return link_fail(
			object->link, -ENOEXEC,
			"%s: wrong word size (found ELF class %u, need %u for %s); compile with "
			"-m%s",
			object->name, data[EI_CLASS], arch->class, arch->name,
			arch->class == ELFCLASS64 ? "64" : "32");
	if (data[EI_DATA] != arch->encoding)
		return link_fail(object->link, -ENOEXEC,
				 "%s: wrong byte order (found encoding %u, need %u for %s)",
				 object->name, data[EI_DATA], arch->encoding, arch->name);
	if (data[EI_VERSION] != EV_CURRENT)
		return link_fail(object->link, -ENOEXEC,
				 "%s: unknown version of ELF (found %u, need %u)", object->name,
				 data[EI_VERSION], EV_CURRENT);
	if (get_half(data, TYPE_OFFSET) != ET_REL)
		return fail_type(object, get_half(data, TYPE_OFFSET));
	return 0;
}

static int fail_header(const struct link_object *object, const char *what, uint64_t found,
		       uint64_t bound)
{
	return link_fail(
		object->link, -ENOEXEC,
		"%s: the ELF header has a bad %s (found %llu, at most %llu); the file is damaged",
		object->name, what, (unsigned long long)found, (unsigned long long)bound);
}

/* Section headers must lie in the file; where there are 65280 sections or more, the first header
 * tells how many, and which one has their names. */
static int check_sections(struct link_object *object, size_t *names)
{
	const size_t header_size = link_entry_size(object->link, LINK_HEADER);
	const unsigned char *bytes;
	Elf64_Ehdr header;
	Elf64_Shdr first;
	uint64_t count, most;
	int error;

	if (object->size < least_size(object->link->arch))
		return fail_truncated(object);
	link_convert_header(object, &header);
	error = object->link->arch->check_flags
			? object->link->arch->check_flags(object, header.e_flags)
			: 0;
	if (error)
		return error;
	if (!header.e_shoff)
		return link_fail(
			object->link, -ENOEXEC,
			"%s: there are no section headers; the file is damaged or stripped of them",
			object->name);
	if (header.e_shentsize != header_size)
		return fail_header(object, "size of a section header", header.e_shentsize,
				   header_size);
	if (header.e_shoff > object->size || object->size - header.e_shoff < header_size)
		return link_fail(
			object->link, -ENOEXEC,
			"%s: truncated: the section headers lie outside the file (found offset "
			"%llu, at most %zu)",
			object->name, (unsigned long long)header.e_shoff, object->size);
	most = (object->size - header.e_shoff) / header_size;
	bytes = link_convert(object->link, LINK_HEADER, object->data + header.e_shoff, 1);
	if (!bytes)
		return -ENOMEM;
	memcpy(&first, bytes, sizeof(first));
	count = header.e_shnum ? header.e_shnum : first.sh_size;
	if (count > most)
		return link_fail(
			object->link, -ENOEXEC,
			"%s: truncated: some of the section headers lie outside the file (found "
			"%llu of them, at most %llu)",
			object->name, (unsigned long long)count, (unsigned long long)most);
	if (!count)
		return link_fail(object->link, -ENOEXEC, "%s: there are no sections", object->name);
	*names = header.e_shstrndx == SHN_XINDEX ? first.sh_link : header.e_shstrndx;
	if (!*names || *names >= count)
		return fail_header(object, "index of the section names", *names, count - 1);
	object->headers = link_convert(object->link, LINK_HEADER, object->data + header.e_shoff,
				       (size_t)count);
	object->section_count = (size_t)count;
	return object->headers ? 0 : -ENOMEM;
}

int link_check_header(struct link_object *object, size_t *names)
{
	int error = check_identity(object);

	return error ? error : check_sections(object, names);
}
