/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Modules in profiles of perf(1), if the environment variable PERMOD_PERF asks for it:
 *
 *     map       a line for each function in /tmp/perf-PID.map, which perf report reads by itself.  It
 *               knows no time: of modules that had the same place one after another it finds either.
 *     jitdump   a record for each function, with its code and the time, in jit-PID.dump in the folder
 *               that JITDUMPDIR names, or /tmp; for perf record -k mono, then perf inject --jit
 *
 * Both formats are described in the kernel's tools/perf/Documentation (jit-interface.txt,
 * jitdump-specification.txt).  Files are opened for each module anew: that leaves no descriptor to the
 * program, and a child of a fork writes to files of its own.  A profile is worth no error.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <elf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
	JIT_CODE_LOAD = 0,
};

#define DUMP_MAGIC 0x4a695444U
#define DUMP_VERSION 1

struct dump_header {
	uint32_t magic, version, total_size, machine, padding, pid;
	uint64_t timestamp, flags;
};

/* One function; its name with a NUL and its code follow. */
struct dump_record {
	uint32_t id, total_size;
	uint64_t timestamp;
	uint32_t pid, tid;
	uint64_t virtual_address, address, size, index;
};

bool knows_profile(void)
{
	static const char *const settings[] = { "", "0", "1", "map", "jitdump" };
	const char *setting = secure_getenv("PERMOD_PERF");

	for (size_t i = 0; setting && i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (!strcmp(setting, settings[i]))
			return true;
	}
	return !setting;
}

bool wants_profile(void)
{
	const char *setting = secure_getenv("PERMOD_PERF");

	return setting && *setting && strcmp(setting, "0") != 0;
}

static bool wants_dump(void)
{
	return !strcmp(secure_getenv("PERMOD_PERF"), "jitdump");
}

/* Nobody else's file, nor what a link in a folder that all may write to leads to. */
static FILE *open_own(const char *path)
{
	int descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	FILE *file = descriptor >= 0 ? fdopen(descriptor, "a") : NULL;

	if (!file && descriptor >= 0)
		close(descriptor);
	return file;
}

/* ---- Functions ------------------------------------------------------------------------------ */

/* Call back for each function, and each label of assembler code, which ends where the next begins. */
static void each_function(const struct permod_module *module,
			  void (*call)(FILE *file, const struct permod_module *module,
				       const char *name, uint64_t address, uint64_t size),
			  FILE *file)
{
	const struct symfile *symbols = module->symfile;

	for (size_t i = 1; i < symbols->first_symbol[LINK_REGIONS]; i++) {
		const ElfW(Sym) *symbol = &symbols->symbols[i];
		const ElfW(Shdr) *section = &symbols->sections[symbol->st_shndx];
		uint64_t end = section->sh_addr + section->sh_size;

		if (!(section->sh_flags & SHF_EXECINSTR))
			continue;
		if (i + 1 < symbols->first_symbol[LINK_REGIONS] &&
		    symbol[1].st_shndx == symbol->st_shndx)
			end = symbol[1].st_value;
		if (symbol->st_size)
			end = symbol->st_value + symbol->st_size;
		if (end > symbol->st_value)
			call(file, module, symbols->names + symbol->st_name, symbol->st_value,
			     end - symbol->st_value);
	}
}

/* ---- The map -------------------------------------------------------------------------------- */

static void write_map_line(FILE *file, const struct permod_module *module, const char *name,
			   uint64_t address, uint64_t size)
{
	fprintf(file, "%llx %llx %s [%s]\n", (unsigned long long)address, (unsigned long long)size,
		name, module->name);
}

static void write_map(const struct permod_module *module)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/tmp/perf-%ld.map", (long)getpid());
	file = open_own(path);
	if (!file)
		return;
	each_function(module, write_map_line, file);
	fclose(file);
}

/* ---- The dump ------------------------------------------------------------------------------- */

/* The process that has begun its dump, and how many functions are in it; under the shared lock. */
static pid_t dumping;
static uint64_t dumped;

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static void write_dump_record(FILE *file, const struct permod_module *module, const char *name,
			      uint64_t address, uint64_t size)
{
	size_t length = strlen(name) + strlen(module->name) + sizeof(" []");
	struct dump_record record = {
		.id = JIT_CODE_LOAD,
		.total_size = (uint32_t)(sizeof(record) + length + size),
		.timestamp = now(),
		.pid = (uint32_t)getpid(),
		.tid = (uint32_t)gettid(),
		.virtual_address = address,
		.address = address,
		.size = size,
		.index = dumped++,
	};

	fwrite(&record, sizeof(record), 1, file);
	fprintf(file, "%s [%s]", name, module->name);
	fputc('\0', file);
	fwrite((const void *)(uintptr_t)address, (size_t)size, 1, file);
}

/* perf learns of the file by a mapping that could be run; it stays. */
static void begin_dump(FILE *file, const struct permod_module *module)
{
	const ElfW(Ehdr) *elf = (const ElfW(Ehdr) *)(const void *)module->symfile->bytes;
	struct dump_header header = {
		.magic = DUMP_MAGIC,
		.version = DUMP_VERSION,
		.total_size = sizeof(header),
		.machine = elf->e_machine,
		.pid = (uint32_t)getpid(),
		.timestamp = now(),
	};

	/* What a process of the same number left there. */
	if (ftruncate(fileno(file), 0))
		return;
	fwrite(&header, sizeof(header), 1, file);
	fflush(file);
	dumping = getpid();
	dumped = 0;
	mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_EXEC, MAP_PRIVATE, fileno(file),
	     0);
}

static void write_dump(const struct permod_module *module)
{
	const char *folder = secure_getenv("JITDUMPDIR");
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/jit-%ld.dump", folder && *folder ? folder : "/tmp",
		 (long)getpid());
	file = open_own(path);
	if (!file)
		return;
	if (dumping != getpid())
		begin_dump(file, module);
	if (dumping == getpid())
		each_function(module, write_dump_record, file);
	fclose(file);
}

void show_to_profiler(const struct permod_module *module)
{
	if (!wants_profile())
		return;
	if (wants_dump())
		write_dump(module);
	else
		write_map(module);
}
