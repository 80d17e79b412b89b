/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An object with one thing wrong, and the message that says so: a table for test_elf.c.
 *
 * Indices in the messages are those that GNU as gives to the sections and symbols of the source
 * below.
 */
#ifndef TESTS_ELF_DAMAGE_H
#define TESTS_ELF_DAMAGE_H

#include "tests/elf/helper.h"

/* An object in memory, to be damaged. */
struct victim {
	unsigned char *data;
	size_t size;
	Elf64_Ehdr *header;
	Elf64_Shdr *section;
	Elf64_Shdr *text, *rela, *symtab, *strtab, *shstrtab, *group;
	Elf64_Sym *symbol; /* table */
	Elf64_Rela *entry; /* table */
	size_t symbols;
};

static const char victim_source[] =
	".text\n.globl start, data\nstart: call elsewhere\nleaq data(%rip), %rax\n.byte 0\n"
	".data\n.balign 8\ndata: .quad start\n.bss\n.skip 8\n.comm shared, 8, 8\n"
	".section .text.f, \"axG\", @progbits, f, comdat\n.weak f\nf: ret\n";

static Elf64_Shdr *find_header(const struct victim *victim, const char *name)
{
	const char *names =
		(char *)victim->data + victim->section[victim->header->e_shstrndx].sh_offset;

	for (size_t i = 1; i < victim->header->e_shnum; i++) {
		if (!strcmp(names + victim->section[i].sh_name, name))
			return &victim->section[i];
	}
	ck_abort_msg("no section %s", name);
}

static void make_victim(struct victim *victim)
{
	assemble("a", victim_source);
	victim->data = read_bytes("a.o", &victim->size);
	victim->header = (Elf64_Ehdr *)victim->data;
	victim->section = (Elf64_Shdr *)(victim->data + victim->header->e_shoff);
	victim->text = find_header(victim, ".text");
	victim->rela = find_header(victim, ".rela.text");
	victim->symtab = find_header(victim, ".symtab");
	victim->strtab = find_header(victim, ".strtab");
	victim->shstrtab = find_header(victim, ".shstrtab");
	victim->group = find_header(victim, ".group");
	victim->symbol = (Elf64_Sym *)(victim->data + victim->symtab->sh_offset);
	victim->symbols = victim->symtab->sh_size / sizeof(Elf64_Sym);
	victim->entry = (Elf64_Rela *)(victim->data + victim->rela->sh_offset);
}

static Elf64_Sym *last_symbol(const struct victim *victim)
{
	return &victim->symbol[victim->symbols - 1];
}

static Elf64_Sym *common_symbol(const struct victim *victim)
{
	size_t i = 0;

	while (victim->symbol[i].st_shndx != SHN_COMMON)
		i++;
	return &victim->symbol[i];
}

static Elf64_Sym *defined_symbol(const struct victim *victim)
{
	size_t i = victim->symtab->sh_info;

	while (victim->symbol[i].st_shndx == SHN_UNDEF ||
	       victim->symbol[i].st_shndx >= SHN_LORESERVE)
		i++;
	return &victim->symbol[i];
}

#define DAMAGE(name, statement)                                                                    \
	static void name(struct victim *v)                                                         \
	{                                                                                          \
		statement;                                                                         \
	}

DAMAGE(no_magic, memcpy(v->data, "#!/bin/sh\n", 10))
DAMAGE(empty, v->size = 0)
DAMAGE(three_bytes, v->size = 3)
DAMAGE(bitcode, memcpy(v->data, "BC\xc0\xde", 4))
DAMAGE(machine, v->header->e_machine = EM_AARCH64)
DAMAGE(unknown_machine, v->header->e_machine = 4711)
DAMAGE(class, v->data[EI_CLASS] = ELFCLASS32)
DAMAGE(version, v->data[EI_VERSION] = 2)
DAMAGE(shared, v->header->e_type = ET_DYN)
DAMAGE(executable, v->header->e_type = ET_EXEC)
DAMAGE(core, v->header->e_type = ET_CORE)
DAMAGE(odd_type, v->header->e_type = 99)
DAMAGE(cut_identity, v->size = 17)
DAMAGE(cut_header, v->size = 50)
DAMAGE(cut_sections, v->size -= 1)
DAMAGE(cut_half, v->size = 200)
DAMAGE(no_sections, v->header->e_shoff = 0)
DAMAGE(section_header_size, v->header->e_shentsize = 40)
DAMAGE(names_index, v->header->e_shstrndx = 500)
DAMAGE(names_type, v->shstrtab->sh_type = SHT_PROGBITS)
DAMAGE(names_end, v->shstrtab->sh_size -= 1)
DAMAGE(names_empty, v->shstrtab->sh_size = 0)
DAMAGE(section_name, v->text->sh_name = 100000)
DAMAGE(outside, v->text->sh_offset = 100000)
DAMAGE(outside_wrapped, v->text->sh_offset = (uint64_t)-4)
DAMAGE(too_long, v->text->sh_size = (uint64_t)-1)
DAMAGE(alignment, v->text->sh_addralign = 24)
DAMAGE(compressed, v->text->sh_flags |= SHF_COMPRESSED)
DAMAGE(symbol_size, v->symtab->sh_entsize = 16)
DAMAGE(symbols_odd, v->symtab->sh_size -= 1)
DAMAGE(symbol_strings, v->symtab->sh_link = 1)
DAMAGE(symbol_strings_far, v->symtab->sh_link = 1000)
DAMAGE(locals_none, v->symtab->sh_info = 0)
DAMAGE(locals_many, v->symtab->sh_info = 1000)
DAMAGE(strings_end, v->strtab->sh_size -= 1)
DAMAGE(symbol_name, last_symbol(v)->st_name = 0x7fffffff)
DAMAGE(symbol_section, defined_symbol(v)->st_shndx = 900)
DAMAGE(symbol_special, defined_symbol(v)->st_shndx = 0xff03)
DAMAGE(symbol_extended, defined_symbol(v)->st_shndx = SHN_XINDEX)
DAMAGE(symbol_value, defined_symbol(v)->st_value = 1000)
DAMAGE(symbol_local, last_symbol(v)->st_info = ELF64_ST_INFO(STB_LOCAL, STT_NOTYPE))
DAMAGE(symbol_binding, last_symbol(v)->st_info = ELF64_ST_INFO(7, STT_NOTYPE))
DAMAGE(symbol_nameless, last_symbol(v)->st_name = 0)
DAMAGE(common_alignment, common_symbol(v)->st_value = 3)
DAMAGE(common_size, common_symbol(v)->st_size = (uint64_t)1 << 40)
DAMAGE(common_local, do v->symbol[v->symtab->sh_info].st_info = 0;
       while (&v->symbol[v->symtab->sh_info++] != common_symbol(v)))
DAMAGE(symbols_twice, v->strtab->sh_type = SHT_SYMTAB)
DAMAGE(relocation_type, v->entry[0].r_info = ELF64_R_INFO(1, 200))
DAMAGE(relocation_symbol, v->entry[0].r_info = ELF64_R_INFO(5000, R_X86_64_64))
DAMAGE(relocation_offset, v->entry[0].r_offset = v->text->sh_size - 3)
DAMAGE(relocation_wrapped, v->entry[0].r_offset = (uint64_t)-2)
DAMAGE(relocation_target, v->rela->sh_info = 1000)
DAMAGE(relocation_symbols, v->rela->sh_link = 1)
DAMAGE(relocation_size, v->rela->sh_entsize = 16)
DAMAGE(relocations_odd, v->rela->sh_size -= 1)
DAMAGE(relocation_kind, v->rela->sh_type = SHT_REL)
DAMAGE(relocations_overlap, v->rela->sh_offset = 0; v->rela->sh_size = v->size)
DAMAGE(sections_overlap, v->text->sh_offset = 0; v->text->sh_size = v->size)
DAMAGE(relocation_empty, v->rela->sh_info = (Elf64_Word)(find_header(v, ".bss") - v->section))
DAMAGE(group_symbol, v->group->sh_info = 1000)
DAMAGE(group_table, v->group->sh_link = 1)
DAMAGE(group_member, ((uint32_t *)(v->data + v->group->sh_offset))[1] = 77)
DAMAGE(group_odd, v->group->sh_size = 7)
DAMAGE(few_indices, v->group->sh_type = SHT_SYMTAB_SHNDX;
       v->group->sh_link = (Elf64_Word)(v->symtab - v->section))
DAMAGE(group_empty, v->group->sh_size = 0)

static const struct {
	void (*damage)(struct victim *victim);
	const char *message; /* its beginning */
} damages[] = {
	{ no_magic,
	  "a.o: not an ELF file (it begins with the byte 0x23, not with 0x7f and \"ELF\"); "
	  "give a relocatable object, as cc -c makes it" },
	{ empty, "a.o: the file is empty; give a relocatable object" },
	{ three_bytes, "a.o: not an ELF file" },
	{ bitcode, "a.o: this is LLVM bitcode, not machine code; compile without -flto" },
	{ machine, "a.o: compiled for aarch64 (found machine 183, need 62); compile for x86-64" },
	{ unknown_machine, "a.o: compiled for another machine (found machine 4711, need 62)" },
	{ class, "a.o: wrong word size (found ELF class 1, need 2 for x86-64); compile with -m64" },
	{ version, "a.o: unknown version of ELF (found 2, need 1)" },
	{ shared, "a.o: the file is a shared object or a position-independent executable "
		  "(found type 3, need 1); give a relocatable object, as cc -c makes it" },
	{ executable, "a.o: the file is an executable (found type 2, need 1)" },
	{ core, "a.o: the file is a core dump (found type 4, need 1)" },
	{ odd_type, "a.o: the file is of an unknown type (found type 99, need 1)" },
	{ cut_identity, "a.o: truncated in the ELF header (found 17 bytes, at least 64)" },
	{ cut_header, "a.o: truncated in the ELF header (found 50 bytes, at least 64)" },
	{ cut_sections,
	  "a.o: truncated: some of the section headers lie outside the file (found " },
	{ cut_half, "a.o: truncated: the section headers lie outside the file (found offset " },
	{ no_sections, "a.o: there are no section headers" },
	{ section_header_size,
	  "a.o: the ELF header has a bad size of a section header (found 40, at most 64)" },
	{ names_index,
	  "a.o: the ELF header has a bad index of the section names (found 500, at most " },
	{ names_type, "a.o: section 10: no string table (found type 1, need 3)" },
	{ names_end, "a.o: section 10: the string table (" },
	{ names_empty, "a.o: section 10: the string table (0 bytes) does not end with a NUL" },
	{ section_name,
	  "a.o: section 2: its name lies outside the string table (found offset 100000, at most " },
	{ outside, "a.o: section 2: lies outside the file (found " },
	{ outside_wrapped, "a.o: section 2: lies outside the file (found " },
	{ too_long,
	  "a.o: section 2: lies outside the file (found 18446744073709551615 bytes at offset " },
	{ alignment, "a.o: section .text: the alignment is not a power of two (found 24)" },
	{ compressed, "a.o: section .text: is compressed, but is to be loaded; " },
	{ symbol_size, "a.o: section .symtab: symbols have a wrong size (found 16, need 24)" },
	{ symbols_odd,
	  "a.o: section .symtab: the size is no multiple of that of an entry (found " },
	{ symbol_strings, "a.o: section 1: no string table (found type 17, need 3)" },
	{ symbol_strings_far,
	  "a.o: section .symtab: bad index of its string table (found 1000, at most 10)" },
	{ locals_none, "a.o: section .symtab: bad number of local symbols (found 0, at most " },
	{ locals_many, "a.o: section .symtab: bad number of local symbols (found 1000, at most " },
	{ strings_end, "a.o: section 9: the string table (" },
	{ symbol_name,
	  "a.o: section .symtab: symbol 5 has a bad name (found 2147483647, at most " },
	{ symbol_section,
	  "a.o: section .symtab: symbol 1 has a bad section (found 900, at most 10)" },
	{ symbol_special,
	  "a.o: section .symtab: symbol 1 has a bad section (found 65283, at most 10)" },
	{ symbol_extended,
	  "a.o: section .symtab: symbol 1 has a bad section: no table of extended indices (found " },
	{ symbol_value,
	  "a.o: section .symtab: symbol 1 has a bad value, outside its section (found 1000, at most 13)" },
	{ symbol_local, "a.o: section .symtab: symbol 5 has a bad place: local ones come first" },
	{ symbol_binding,
	  "a.o: section .symtab: symbol 5 has a bad binding (found 7, at most 10)" },
	{ symbol_nameless, "a.o: section .symtab: global symbol 5 has no name" },
	{ common_alignment,
	  "a.o: section .symtab: symbol 4 has a bad alignment, to be a power of two "
	  "(found 3, at most 2097152)" },
	{ common_size,
	  "a.o: section .symtab: symbol 4 has a bad size (found 1099511627776, at most 2147483647)" },
	{ common_local,
	  "a.o: section .symtab: symbol 4 has a bad section: COMMON is for global symbols "
	  "(found 65522, at most 10)" },
	{ symbols_twice,
	  "a.o: section .strtab: a second symbol table (found at 9, the first is 8)" },
	{ relocation_type, "a.o: section .text+0x1: relocation number 200 against " },
	{ relocation_symbol,
	  "a.o: section .text+0x1: relocation against a symbol that is not there "
	  "(found 5000, at most 5)" },
	{ relocation_offset,
	  "a.o: section .text+0xa: relocation outside its section (found 10, at most 13)" },
	{ relocation_wrapped,
	  "a.o: section .text+0xfffffffffffffffe: relocation outside its section" },
	{ relocation_target, "a.o: section .rela.text: relocations for a section that is not there "
			     "(found 1000, at most 10)" },
	{ relocation_symbols,
	  "a.o: section .rela.text: relocations for another symbol table (found 1, need 8)" },
	{ relocation_size,
	  "a.o: section .rela.text: relocations have a wrong size (found 16, need 24)" },
	{ relocations_odd, "a.o: section .rela.text: the size is no multiple of that of an entry "
			   "(found 47, entries of 24)" },
	{ relocation_kind,
	  "a.o: section .rela.text: relocations of a kind that x86-64 does not use "
	  "(found type 9, need 4)" },
	{ relocations_overlap, "a.o: section .rela.text: overlaps another section (found " },
	{ sections_overlap, "a.o: section .text: overlaps another section (found " },
	{ relocation_empty,
	  "a.o: section .rela.text: relocations for section .bss, which has no contents" },
	{ group_symbol,
	  "a.o: section .group: the group has a bad signature symbol (found 1000, at most 5)" },
	{ group_table, "a.o: section .group: the group has a bad symbol table (found 1, " },
	{ group_member, "a.o: section .group: the group has a bad member (found 77, at most 10)" },
	{ group_odd,
	  "a.o: section .group: the size is no multiple of that of an entry (found 7, entries of 4)" },
	{ few_indices,
	  "a.o: section .group: too few indices for the symbols (found 2, at least 6)" },
	{ group_empty, "a.o: section .group: the group has a bad size (found 0" },
};

#endif
