/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many relocations a second are done on one core, all passes over them together: reading and
 * checking, finding the place, writing the values?  The object is made here: one symbol in a hundred
 * relocations, and of these a quarter each are addresses in data, distances to data, calls inside the
 * object and calls to what is outside.  The other candidate copies as many bytes of sections and of
 * tables once, which any linker must do at least.  The aim: 30 million a second, 33 ns each.
 *
 * Settings: BENCH_ROUNDS, BENCH_COUNT (relocations).
 */
#include "bench/bench.h"
#include "elf/link.h"

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

static size_t count = 2000000;

/* ---- An object ------------------------------------------------------------------------------ */

enum { NONE, TEXT, DATA, RELA_TEXT, RELA_DATA, SYMTAB, STRTAB, NUM_SECTIONS };
#define NAMES "\0.text\0.data\0.rela.text\0.rela.data\0.symtab\0.strtab"
static const unsigned int name_at[NUM_SECTIONS] = { 0, 1, 7, 13, 24, 35, 43 };

static struct {
	unsigned char *bytes;
	size_t size, text_size, data_size, rela_size;
} object;

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

/* A number for each call, the same in every run. */
static uint32_t next_number(void)
{
	static uint32_t state = 1;

	state = state * 1664525 + 1013904223;
	return state >> 8;
}

static Elf64_Rela make_relocation(size_t i, size_t symbols)
{
	/* Locals come first: the two sections, functions inside, functions outside.  Calls go to what is
	 * near in the source, as they do in programs. */
	uint64_t near = i * (symbols / 2) / count + next_number() % 64;
	uint64_t symbol = i % 4 < 2 ? 1 + i % 4 : 3 + near % (symbols / 2);
	uint64_t type = i % 4 == 0 ? R_X86_64_64 : i % 4 == 1 ? R_X86_64_PC32 : R_X86_64_PLT32;

	if (i % 4 == 3)
		symbol += symbols / 2;
	return (Elf64_Rela){
		.r_offset = i % 4 == 0 ? i / 4 * 8 : i / 4 * 24 + (i % 4) * 8,
		.r_info = ELF64_R_INFO(symbol, type),
		.r_addend = i % 4 == 0	 ? (int64_t)(next_number() % object.text_size)
			    : i % 4 == 1 ? (int64_t)(next_number() % object.data_size)
					 : -4,
	};
}

static void put(size_t *at, const void *bytes, size_t size)
{
	memcpy(object.bytes + *at, bytes, size);
	*at += size;
}

static void make_object(void)
{
	size_t symbols = count / 100 + 2, strings = sizeof(NAMES) + symbols * 12, at;
	Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_REL,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof(header),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = NUM_SECTIONS,
		.e_shstrndx = STRTAB,
	};
	Elf64_Shdr section[NUM_SECTIONS] = { 0 };
	Elf64_Sym symbol = { 0 };
	char name[32];

	symbols &= ~(size_t)1;
	count &= ~(size_t)3;
	object.text_size = count / 4 * 24 + 64;
	object.data_size = count / 4 * 8 + 64;
	section[TEXT] = (Elf64_Shdr){ .sh_type = SHT_PROGBITS,
				      .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
				      .sh_size = object.text_size };
	section[DATA] = (Elf64_Shdr){ .sh_type = SHT_PROGBITS,
				      .sh_flags = SHF_ALLOC | SHF_WRITE,
				      .sh_size = object.data_size };
	section[RELA_TEXT] = (Elf64_Shdr){ .sh_type = SHT_RELA,
					   .sh_size = count / 4 * 3 * sizeof(Elf64_Rela),
					   .sh_entsize = sizeof(Elf64_Rela),
					   .sh_link = SYMTAB,
					   .sh_info = TEXT };
	section[RELA_DATA] = (Elf64_Shdr){ .sh_type = SHT_RELA,
					   .sh_size = count / 4 * sizeof(Elf64_Rela),
					   .sh_entsize = sizeof(Elf64_Rela),
					   .sh_link = SYMTAB,
					   .sh_info = DATA };
	section[SYMTAB] = (Elf64_Shdr){ .sh_type = SHT_SYMTAB,
					.sh_size = (3 + symbols) * sizeof(symbol),
					.sh_entsize = sizeof(symbol),
					.sh_link = STRTAB,
					.sh_info = 3 };
	section[STRTAB] = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_size = strings };
	object.size = sizeof(header);
	for (size_t i = 1; i < NUM_SECTIONS; i++) {
		section[i].sh_name = name_at[i];
		section[i].sh_addralign = 16;
		object.size = (object.size + 15) & ~(size_t)15;
		section[i].sh_offset = object.size;
		object.size += section[i].sh_size;
	}
	object.size = (object.size + 15) & ~(size_t)15;
	header.e_shoff = object.size;
	object.size += sizeof(section);
	object.rela_size = count * sizeof(Elf64_Rela);
	object.bytes = must(calloc(1, object.size));
	memcpy(object.bytes, &header, sizeof(header));
	memcpy(object.bytes + header.e_shoff, section, sizeof(section));

	at = section[SYMTAB].sh_offset + sizeof(symbol);
	for (uint16_t i = TEXT; i <= DATA; i++) {
		symbol.st_info = ELF64_ST_INFO(STB_LOCAL, STT_SECTION);
		symbol.st_shndx = i;
		put(&at, &symbol, sizeof(symbol));
	}
	memcpy(object.bytes + section[STRTAB].sh_offset, NAMES, sizeof(NAMES));
	for (size_t i = 0; i < symbols; i++) {
		bool inside = i < symbols / 2;

		symbol = (Elf64_Sym){
			.st_name = (uint32_t)(sizeof(NAMES) + i * 12),
			.st_info = ELF64_ST_INFO(STB_GLOBAL, inside ? STT_FUNC : STT_NOTYPE),
			.st_shndx = inside ? TEXT : SHN_UNDEF,
			.st_value = inside ? next_number() % (object.text_size - 16) : 0
		};
		put(&at, &symbol, sizeof(symbol));
		snprintf(name, sizeof(name), "name_%06zu", i);
		memcpy(object.bytes + section[STRTAB].sh_offset + symbol.st_name, name, 12);
	}
	at = section[RELA_TEXT].sh_offset;
	for (size_t i = 0; i < count; i++) {
		Elf64_Rela relocation = make_relocation(i, symbols);

		if (i % 4)
			put(&at, &relocation, sizeof(relocation));
	}
	at = section[RELA_DATA].sh_offset;
	for (size_t i = 0; i < count; i += 4) {
		Elf64_Rela relocation = make_relocation(i, symbols);

		put(&at, &relocation, sizeof(relocation));
	}
}

/* ---- Linking it ----------------------------------------------------------------------------- */

static void tell(void *arg, const char *format, va_list args)
{
	(void)arg;
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

/* Where everything goes; mapped once, as pages are another question. */
static unsigned char *memory;

static double measure_link(void *unused)
{
	double begin = bench_now();
	struct link *link = must(link_new(tell, NULL));
	struct link_symbol *symbol = NULL;
	struct link_interval interval;

	(void)unused;
	if (link_add_memory(link, "bench.o", object.bytes, object.size, NULL) || link_layout(link))
		exit(EXIT_FAILURE);
	while ((symbol = link_next_undefined(link, symbol)))
		link_define(symbol, (uintptr_t)memory & ~(uintptr_t)0xfffffff, true);
	link_interval(link, &interval);
	link->base = (uintptr_t)memory;
	for (size_t i = 0; i < LINK_PERCPU; i++)
		link->part[i].buffer = memory + link->part[i].offset;
	if (link_relocate(link))
		exit(EXIT_FAILURE);
	link_free(link);
	return (bench_now() - begin) / (double)count;
}

static double measure_copy(void *unused)
{
	double begin = bench_now();

	(void)unused;
	memcpy(memory, object.bytes, object.text_size + object.data_size + object.rela_size);
	return (bench_now() - begin) / (double)count;
}

int main(void)
{
	struct bench_candidate candidates[] = {
		{ .name = "copying the same bytes", .measure = measure_copy },
		{ .name = "linking", .measure = measure_link },
	};
	int rounds = bench_rounds(11);

	if (getenv("BENCH_COUNT"))
		count = strtoul(getenv("BENCH_COUNT"), NULL, 10);
	if (count < 1000)
		return EXIT_FAILURE;
	make_object();
	memory = must(aligned_alloc(4096, (2 * object.size + 4095) & ~(size_t)4095));
	memset(memory, 0, 2 * object.size);
	bench_run(candidates, 2, rounds);
	bench_report("a relocation", candidates, 2, rounds);
	printf("  %.1f million a second (at least 30 wanted)\n",
	       1e3 / candidates[1].ns[rounds / 2]);
	free(memory);
	free(object.bytes);
	return EXIT_SUCCESS;
}
