/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking at files without loading them: permod_file_*() and permod_plan(). What they say is held
 * against the object's own tables, read here, and against what loading then does. At the end, bad
 * files by the thousand: a plan runs nothing of a file, so anything may be tried.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <permod/vermagic.h>

#include <dlfcn.h>
#include <link.h>

int far_data = 1;
EXPORT_SYMBOL(far_data);

/* ---- Files ---------------------------------------------------------------------------------- */

static struct permod_file *open_file(struct permod *pm, const char *path)
{
	struct permod_file *file = NULL;

	must(pm, permod_file_open(pm, path, &file));
	return file;
}

static bool has_info(const struct permod_file *file, const char *expected)
{
	const char *info;

	for (unsigned int i = 0; (info = permod_file_info(file, i)); i++) {
		if (strcmp(info, expected) == 0)
			return true;
	}
	return false;
}

START_TEST(file_tells_its_modinfo)
{
	static const char *const expected[] = {
		"license=GPL",	      "description=for tests", "version=1.5",
		"parmtype=start:int", "parmtype=words:charp",  "vermagic=" PERMOD_VERMAGIC
	};
	struct permod *pm = new_context();
	struct permod_file *file = open_file(pm, module_file("basic"));
	unsigned int count = 0;

	for (size_t i = 0; i < COUNT(expected); i++)
		ck_assert_msg(has_info(file, expected[i]), "no %s", expected[i]);
	while (permod_file_info(file, count))
		count++;
	ck_assert_uint_eq(count, COUNT(expected));
	ck_assert_ptr_null(permod_file_info(file, UINT32_MAX));
	permod_file_close(file);
	/* Nothing was run or loaded. */
	ck_assert_str_eq(noted(), "");
	ck_assert_ptr_null(permod_next(pm, NULL));
	permod_free(pm);
}
END_TEST

START_TEST(file_tells_exports_and_their_licence)
{
	static const char source[] = "#include <permod/module.h>\n"
				     "int free_for_all; EXPORT_SYMBOL(free_for_all);\n"
				     "int gpl_only; EXPORT_SYMBOL_GPL(gpl_only);\n"
				     "DEFINE_PER_CPU(int, percpu_only);\n"
				     "EXPORT_PER_CPU_SYMBOL_GPL(percpu_only);\n"
				     "int not_exported;\n";
	struct permod *pm = new_context();
	struct permod_file *file = open_file(pm, compile("exports.ko", "", source));
	const char *name;
	int found = 0, gpl;

	for (unsigned int i = 0; (name = permod_file_export(file, i, &gpl)); i++) {
		ck_assert_str_eq(permod_file_export(file, i, NULL), name);
		if (strcmp(name, "free_for_all") == 0)
			found += gpl == 0;
		else if (strcmp(name, "gpl_only") == 0 || strcmp(name, "percpu_only") == 0)
			found += gpl == 1 ? 10 : 0;
		else
			found += 100;
	}
	ck_assert_int_eq(found, 21);
	permod_file_close(file);
	file = open_file(pm, module_file("plain"));
	ck_assert_ptr_null(permod_file_export(file, 0, NULL));
	ck_assert_ptr_null(permod_file_info(file, 0));
	permod_file_close(file);
	permod_free(pm);
}
END_TEST

/* The names that `nm -u` prints, but for the linker's own. */
START_TEST(file_tells_what_it_needs)
{
	struct permod *pm = new_context();
	struct permod_file *file = open_file(pm, module_file("user"));
	FILE *nm = popen(text("nm -u '%s'", module_file("user")), "r");
	unsigned int expected = 0, count = 0;
	char line[200], name[100];

	while (fgets(line, sizeof(line), nm)) {
		bool found = false;

		check_that(sscanf(line, " %*s %99s", name) == 1);
		if (strcmp(name, "_GLOBAL_OFFSET_TABLE_") == 0 || strcmp(name, "_gp_disp") == 0 ||
		    strcmp(name, ".TOC.") == 0)
			continue;
		for (unsigned int i = 0; permod_file_undefined(file, i); i++)
			found = found || !strcmp(permod_file_undefined(file, i), name);
		ck_assert_msg(found, "no %s", name);
		expected++;
	}
	pclose(nm);
	for (const char *needed; (needed = permod_file_undefined(file, count)); count++)
		ck_assert_str_ne(needed, "");
	ck_assert_uint_eq(count, expected);
	ck_assert_uint_ge(count, 2);
	permod_file_close(file);
	permod_file_close(NULL);
	permod_free(pm);
}
END_TEST

START_TEST(file_outlives_changes_of_the_context)
{
	struct permod *pm = new_context();
	struct permod_file *file = open_file(pm, module_file("basic")), *second;

	second = open_file(pm, module_file("basic"));
	must(pm, permod_unload(load(pm, "basic"), 0));
	permod_file_close(second);
	ck_assert(has_info(file, "version=1.5"));
	permod_file_close(file);
	permod_free(pm);
}
END_TEST

START_TEST(file_errors_are_those_of_loading)
{
	struct permod *pm = new_context();
	struct permod_file *file = NULL;
	struct permod_plan *plan = NULL;
	const char *bad = work_file("bad.ko");

	write_file(bad, "no object at all", 16);
	expect_error(pm, permod_file_open(pm, "/nowhere.ko", &file), -ENOENT, "/nowhere.ko");
	expect_error(pm, permod_file_open(pm, bad, &file), -ENOEXEC, "bad.ko", "ELF");
	expect_error(pm, permod_file_open(pm, work_dir(), &file), -ENOEXEC, work_dir(),
		     "regular file");
	expect_error(pm, permod_plan(pm, "/nowhere.ko", &plan), -ENOENT, "/nowhere.ko");
	ck_assert_ptr_null(plan);
	expect_error(pm, permod_plan(pm, bad, &plan), -ENOEXEC, "bad.ko", "ELF");
	ck_assert_ptr_null(plan);
	permod_plan_free(NULL);
	permod_free(pm);
}
END_TEST

/* ---- Plans ---------------------------------------------------------------------------------- */

static const struct permod_plan_section *plan_section(const struct permod_plan *plan,
						      const char *name)
{
	const struct permod_plan_section *section;

	for (unsigned int i = 0; (section = permod_plan_section(plan, i)); i++) {
		if (strcmp(section->name, name) == 0)
			return section;
	}
	return NULL;
}

static const struct permod_plan_symbol *plan_symbol(const struct permod_plan *plan,
						    const char *name)
{
	const struct permod_plan_symbol *found;

	for (unsigned int i = 0; (found = permod_plan_symbol(plan, i)); i++) {
		if (strcmp(found->name, name) == 0)
			return found;
	}
	return NULL;
}

/* Every section with SHF_ALLOC and a size, as the file's own table has it. */
START_TEST(plan_has_every_section_of_the_file)
{
	struct permod *pm = new_context();
	struct permod_plan *plan = NULL;
	size_t size;
	unsigned char *bytes = read_file(module_file("percpu"), &size);
	const ElfW(Ehdr) *header = (void *)bytes;
	const ElfW(Shdr) *sections = (void *)(bytes + header->e_shoff);
	const char *names = (char *)bytes + sections[header->e_shstrndx].sh_offset;
	uintptr_t low, high;

	must(pm, permod_plan(pm, module_file("percpu"), &plan));
	permod_plan_interval(plan, &low, &high);
	ck_assert_uint_le(low, high);
	for (unsigned int i = 1; i < header->e_shnum; i++) {
		const char *name = names + sections[i].sh_name;
		const struct permod_plan_section *section = plan_section(plan, name);

		if (!(sections[i].sh_flags & SHF_ALLOC) || sections[i].sh_size == 0 ||
		    sections[i].sh_type == SHT_NOTE)
			continue;
		ck_assert_msg(section, "no %s", name);
#ifdef __riscv
		/* What its assembler leaves for alignment goes as far as it isn't needed. */
		ck_assert_uint_le(section->size, sections[i].sh_size);
#else
		ck_assert_uint_eq(section->size, sections[i].sh_size);
#endif
		ck_assert_uint_eq(section->align, sections[i].sh_addralign);
		ck_assert_uint_ne(section->address, 0);
		ck_assert_uint_eq(section->address % sections[i].sh_addralign, 0);
		if (strstr(name, "percpu"))
			ck_assert_str_eq(section->region, "percpu");
		else if (sections[i].sh_flags & SHF_EXECINSTR)
			ck_assert_ptr_nonnull(strstr(section->region, "text"));
		ck_assert_ptr_nonnull(strstr(section->object, "load_percpu.ko"));
	}
	ck_assert_int_eq(pcpu_classify((void *)plan_section(plan, ".data.percpu")->address, NULL,
				       NULL),
			 PCPU_RESERVED);
	ck_assert_ptr_null(permod_plan_problem(plan, 0));
	permod_plan_free(plan);
	free(bytes);
	permod_free(pm);
}
END_TEST

START_TEST(plan_says_who_provides_a_symbol)
{
	static const char source[] = "int basic_add(int), note(const char *), getgid(void);\n"
				     "int maybe(void) __attribute__((weak));\n"
				     "int all(void) { return basic_add(note(\"\")) + getgid() +\n"
				     "  (maybe ? maybe() : 0); }\n";
	struct permod *pm = new_context();
	struct permod_plan *plan = NULL;
	const struct permod_plan_symbol *found;

	load(pm, "basic");
	must(pm, permod_plan(pm, compile("asks.ko", "-fPIC", source), &plan));
	found = plan_symbol(plan, "basic_add");
	ck_assert_str_eq(found->provider, "load_basic");
	ck_assert_ptr_eq((void *)found->address,
			 symbol(permod_find(pm, "load_basic"), "basic_add"));
	ck_assert_int_eq(found->weak, 0);
	found = plan_symbol(plan, "note");
	ck_assert_str_eq(found->provider, "host");
	ck_assert_ptr_eq((void *)found->address, (void *)note);
	/* This program does not call it: on m68k it is known by its stub in those that do. */
	found = plan_symbol(plan, "getgid");
	if (!SANITIZED)
		ck_assert(strstr(found->provider, "libc") || strstr(found->provider, "musl"));
	ck_assert_ptr_eq((void *)found->address, dlsym(RTLD_DEFAULT, "getgid"));
	found = plan_symbol(plan, "maybe");
	ck_assert_ptr_null(found->provider);
	ck_assert_int_eq(found->weak, 1);
	ck_assert_uint_eq(found->address, 0);
/* On i386 and sparc instructions can have the address itself; on hppa and ppc64 a constant
 * has it. */
#if !defined(__i386__) && !defined(__hppa__) && !defined(__powerpc64__) && !defined(__sparc__)
	ck_assert_int_eq(found->got, 1);
#endif
	/* The program is far from its libraries, as a rule, but not where an emulator puts them. */
	found = plan_symbol(plan, "note");
	if (!is_emulated() && sizeof(void *) == 8)
		ck_assert_int_eq(found->stub, 1);
	permod_plan_free(plan);
	/* It holds nobody. */
	must(pm, permod_unload(permod_find(pm, "load_basic"), 0));
	ck_assert_str_eq(noted(), "basic_init basic_exit");
	permod_free(pm);
}
END_TEST

START_TEST(plan_runs_and_keeps_nothing)
{
	static const char *const files[] = { "order", "failing", "percpu", "sections", "plain" };
	struct permod *pm = new_context();
	struct permod_plan *plan = NULL;
	static struct state before, after;

	must(pm, permod_plan(pm, module_file("basic"), &plan));
	permod_plan_free(plan);
	look(&before);
	for (size_t i = 0; i < COUNT(files); i++) {
		/* This program has no seen(). */
		if (strcmp(files[i], "sections") == 0) {
			expect_error(pm, permod_plan(pm, module_file(files[i]), &plan), -ENOENT,
				     "seen");
			ck_assert_ptr_nonnull(plan);
		} else {
			must(pm, permod_plan(pm, module_file(files[i]), &plan));
		}
		permod_plan_free(plan);
	}
	ck_assert_str_eq(noted(), "");
	ck_assert_ptr_null(permod_next(pm, NULL));
	look(&after);
	expect_same(&before, &after, "plans");
	permod_free(pm);
}
END_TEST

START_TEST(plan_finds_a_name_that_is_exported_twice)
{
	struct permod *pm = new_context();
	const char *path = work_file("twice.a");
	struct permod_plan *plan = NULL;

	command(text("rm -f '%s' && ar rcs '%s' '%s' '%s'", path, path,
		     compile("one.o", "",
			     "#include <permod/module.h>\n"
			     "int same = 1, other = 2;\n"
			     "EXPORT_SYMBOL(same);\n"
			     "EXPORT_SYMBOL(other);\n"),
		     compile("two.o", "",
			     "#include <permod/module.h>\n"
			     "extern int same;\n"
			     "EXPORT_SYMBOL(same);\n")));
	for (int i = 0; i < 2; i++) {
		expect_error(pm, permod_plan(pm, path, &plan), -EEXIST, "same", "twice");
		ck_assert_ptr_null(permod_plan_problem(plan, 1));
		permod_plan_free(plan);
	}
	expect_error(pm, permod_load(pm, path, NULL, 0, NULL), -EEXIST, "same", "twice");
	permod_free(pm);
}
END_TEST

START_TEST(plan_of_what_lacks_symbols_tells_all_the_rest)
{
	static const char source[] = "int nobody_has_this(void), nor_that(void);\n"
				     "int all(void) { return nobody_has_this() + nor_that(); }\n";
	struct permod *pm = new_context();
	struct permod_plan *plan = NULL;
	const struct permod_plan_symbol *found;
	char problems[2000] = "";
	const char *problem;

	expect_error(pm, permod_plan(pm, compile("lacks.ko", "", source), &plan), -ENOENT,
		     "lacks.ko: section .text", "nobody_has_this");
	ck_assert_ptr_nonnull(plan);
	for (unsigned int i = 0; (problem = permod_plan_problem(plan, i)); i++) {
		ck_assert_ptr_null(strchr(problem, '\n'));
		strncat(problems, problem, 900);
	}
	ck_assert_ptr_nonnull(strstr(problems, "nobody_has_this"));
	ck_assert_ptr_nonnull(strstr(problems, "nor_that"));
	found = plan_symbol(plan, "nor_that");
	ck_assert_ptr_nonnull(found);
	ck_assert_ptr_null(found->provider);
	ck_assert_int_eq(found->weak, 0);
	ck_assert_ptr_nonnull(plan_section(plan, ".text"));
	permod_plan_free(plan);
	permod_free(pm);
}
END_TEST

START_TEST(plan_without_a_place_has_the_conflict_as_a_problem)
{
	static const char source[] =
		"int get(void) { int a, b;\n"
		"  __asm__ volatile(\"movl far_data(%%rip), %0\" : \"=r\"(a));\n"
		"  __asm__ volatile(\"movl environ(%%rip), %0\" : \"=r\"(b)); return a + b; }\n";
	struct permod *pm = new_context();
	struct permod_plan *plan = NULL;
	uintptr_t distance = (uintptr_t)dlsym(RTLD_DEFAULT, "environ") - (uintptr_t)&far_data;
	uintptr_t low, high;

	if (distance + INT32_MAX > UINT32_MAX) {
		expect_error(pm, permod_plan(pm, compile("torn.ko", "", source), &plan), -ERANGE,
			     "far_data", "environ", "-fPIC");
		ck_assert_ptr_nonnull(plan);
		ck_assert_ptr_nonnull(strstr(permod_plan_problem(plan, 0), "far_data"));
		permod_plan_interval(plan, &low, &high);
		ck_assert_uint_gt(low, high);
		ck_assert_uint_eq(plan_section(plan, ".text")->address, 0);
		permod_plan_free(plan);
	}
	permod_free(pm);
}
END_TEST

/* ---- Everything that is wrong --------------------------------------------------------------- */

/* One problem has all of these texts. */
static void expect_problem(const struct permod_plan *plan, const char *file, const char *what)
{
	const char *problem;

	for (unsigned int i = 0; (problem = permod_plan_problem(plan, i)); i++) {
		if (strstr(problem, file) && strstr(problem, what))
			return;
	}
	ck_abort_msg("no problem of %s: %s", file, what);
}

static unsigned int count_problems(const struct permod_plan *plan)
{
	unsigned int count = 0;

	while (permod_plan_problem(plan, count))
		count++;
	return count;
}

static const char *assemble(const char *name, const char *source)
{
	write_file(work_file("source.s"), source, strlen(source));
	command(text("as -o '%s' '%s'", work_file(name), work_file("source.s")));
	return work_file(name);
}

START_TEST(plan_tells_all_problems_of_all_objects_at_once)
{
	struct permod *pm = new_context();
	const char *path = work_file("wrong.a");
	struct permod_plan *plan = NULL;

	command(text("rm -f '%s'", path));
	command(text("ar rcs '%s' '%s'", path,
		     assemble("first.o", ".globl twice\n"
					 "twice: ret\n"
					 "call nobody_has_this\n"
					 ".section .mixed, \"awx\"\n"
					 ".byte 1\n")));
	/* The second one, of a kind that is for linked files, is as wrong as the first. */
	command(text("ar rcs '%s' '%s'", path,
		     assemble("second.o", ".globl twice\n"
					  "twice: ret\n"
					  "call nor_that\n"
					  ".quad 0, 0\n"
					  ".reloc twice, R_X86_64_COPY, wanted\n"
					  ".reloc twice + 1, R_X86_64_COPY, wanted\n"
					  ".reloc twice + 2, R_X86_64_RELATIVE, wanted\n"
					  ".data\n"
					  "wanted: .long 0\n")));
	expect_error(pm, permod_plan(pm, path, &plan), -ENOEXEC, "first.o", ".mixed");
	ck_assert_ptr_nonnull(plan);
	expect_problem(plan, "first.o): section .mixed", "writable and executable");
	expect_problem(plan, "second.o): symbol twice", "defined already in");
	expect_problem(plan, "second.o): section .text+0x0", "R_X86_64_COPY against symbol wanted");
	expect_problem(plan, "second.o): section .text+0x2", "R_X86_64_RELATIVE");
	expect_problem(plan, "first.o): section .text+0x2", "undefined symbol nobody_has_this");
	expect_problem(plan, "second.o): section .text+0x2", "undefined symbol nor_that");
	ck_assert_uint_eq(count_problems(plan), 6);
	/* The rest is told all the same. */
	ck_assert_str_eq(plan_section(plan, ".data")->region, "data");
	ck_assert_ptr_null(plan_symbol(plan, "nor_that")->provider);
	permod_plan_free(plan);
	expect_error(pm, permod_load(pm, path, NULL, 0, NULL), -ENOEXEC, ".mixed");
	permod_free(pm);
}
END_TEST

START_TEST(plan_tells_all_values_that_do_not_fit)
{
	struct permod *pm = new_context();
	struct permod_plan *plan = NULL;

	expect_error(pm,
		     permod_plan(pm,
				 assemble("narrow.o", ".set large, 0x100\n"
						      ".set larger, 0x10000\n"
						      ".globl large, larger\n"
						      ".data\n"
						      "field: .byte 0, 0, 0, 0, 0\n"
						      ".reloc field, R_X86_64_8, large\n"
						      ".reloc field + 3, R_X86_64_16, larger\n"),
				 &plan),
		     -ERANGE, ".data+0x0", "found 256");
	expect_problem(plan, "narrow.o: section .data+0x0: relocation R_X86_64_8", "found 256");
	expect_problem(plan, "narrow.o: section .data+0x3: relocation R_X86_64_16", "found 65536");
	ck_assert_uint_eq(count_problems(plan), 2);
	permod_plan_free(plan);
	permod_free(pm);
}
END_TEST

/* Nobody reads a thousand lines, and nobody wants to be told a thousand times. */
START_TEST(plan_of_what_is_all_wrong_stays_readable)
{
	static const char line[] = ".reloc ., R_X86_64_COPY, wrong%d\n.byte 0\n";
	struct permod *pm = new_context();
	struct permod_plan *plan = NULL;
	char *source = malloc(5000 * sizeof(line)), *end = source;

	for (int i = 0; i < 2000; i++)
		end += sprintf(end, line, i);
	expect_error(pm, permod_plan(pm, assemble("awful.o", source), &plan), -ENOEXEC,
		     "R_X86_64_COPY");
	/* Those after the limit are symbols that nobody defines. */
	ck_assert_uint_ge(count_problems(plan), 10);
	ck_assert_uint_le(count_problems(plan), 300);
	permod_plan_free(plan);
	free(source);
	permod_free(pm);
}
END_TEST

/* ---- The linker's map ----------------------------------------------------------------------- */

static const struct permod_plan_slot *plan_slot(const struct permod_plan *plan, const char *name,
						const char *kind)
{
	const struct permod_plan_slot *slot;

	for (unsigned int i = 0; (slot = permod_plan_slot(plan, i)); i++) {
		if (!strcmp(slot->symbol, name) && !strcmp(slot->kind, kind))
			return slot;
	}
	return NULL;
}

static void expect_site(const struct permod_plan_site *site, const char *section, size_t offset,
			const char *type)
{
	ck_assert_ptr_nonnull(site->object);
	ck_assert_str_eq(site->section, section);
	ck_assert_uint_eq(site->offset, offset);
	ck_assert_str_eq(site->type, type);
}

/* Three references to one symbol, one of which wants a slot. */
START_TEST(plan_tells_who_refers_to_a_symbol_and_how)
{
	struct permod *pm = new_context();
	struct permod_plan *plan = NULL;
	const struct permod_plan_section *rodata;
	const struct permod_plan_symbol *found;
	const struct permod_plan_slot *slot;
	uintptr_t getpid_address = (uintptr_t)dlsym(RTLD_DEFAULT, "getpid");

	must(pm, permod_plan(pm,
			     assemble("map.o", ".byte 0x90, 0xe8\n"
					       ".reloc ., R_X86_64_PLT32, getpid - 4\n"
					       ".long 0\n"
					       ".section .rodata, \"a\"\n"
					       ".long getpid@GOTPCREL\n"
					       ".data\n"
					       ".quad 0, getpid\n"),
			     &plan));
	found = plan_symbol(plan, "getpid");
	ck_assert_uint_eq(found->references, 3);
	ck_assert_int_eq(found->got, 1);
	expect_site(&found->first, ".text", 2, "R_X86_64_PLT32");
	slot = plan_slot(plan, "getpid", "got");
	ck_assert_ptr_nonnull(slot);
	ck_assert_uint_eq(slot->references, 1);
	ck_assert_uint_eq(slot->target, getpid_address);
	expect_site(&slot->first, ".rodata", 0, "R_X86_64_GOTPCREL");
	rodata = plan_section(plan, ".rodata");
	ck_assert_uint_gt(slot->address, rodata->address);
	ck_assert_uint_lt(slot->address, rodata->address + 4096);
	ck_assert_ptr_null(plan_slot(plan, "getpid", "stub"));
	permod_plan_free(plan);
	permod_free(pm);
}
END_TEST

/* Code below 2 GiB calls the C library through a stub, and the stub uses a slot. */
START_TEST(plan_tells_stubs_and_what_sets_the_bounds)
{
	struct permod *pm = new_context();
	struct permod_plan *plan = NULL;
	const struct permod_plan_place *place;
	const struct permod_plan_slot *stub;
	uintptr_t low, high;

	must(pm, permod_plan(pm,
			     assemble("fixed.o", "call getpid@PLT\n"
						 "movl $here, %eax\n"
						 ".data\n"
						 ".zero 0x1234\n"
						 "here: .long 0\n"
						 ".size here, 4\n"),
			     &plan));
	/* valgrind has libraries below 2 GiB too. */
	if (!under_valgrind()) {
		stub = plan_slot(plan, "getpid", "stub");
		ck_assert_ptr_nonnull(stub);
		expect_site(&stub->first, ".text", 1, "R_X86_64_PLT32");
		ck_assert_uint_eq(stub->references, 1);
		ck_assert_ptr_null(plan_slot(plan, "getpid", "got")->first.object);
	}
	place = permod_plan_place(plan);
	permod_plan_interval(plan, &low, &high);
	ck_assert_uint_ge(place->base, low);
	ck_assert_uint_le(place->base, high);
	/* Of 32 bits without a sign. */
	ck_assert_uint_lt(high, (uint64_t)1 << 32);
	ck_assert_uint_ge(high, ((uint64_t)1 << 32) - 0x10000);
	ck_assert_ptr_null(place->low.symbol);
	ck_assert_str_eq(place->high.symbol, "here");
	expect_site(&place->high.site, ".text", 6, "R_X86_64_32");
	if (!under_valgrind())
		ck_assert_ptr_nonnull(strstr(place->reason, "below the arena"));
	permod_plan_free(plan);
	permod_free(pm);
}
END_TEST

/* A variable of the module's own by two models; all local ones share a pair of slots. */
START_TEST(plan_tells_slots_of_thread_local_variables)
{
	static const char source[] =
		"#define MODEL(name) __thread __attribute__((tls_model(name)))\n"
		"MODEL(\"global-dynamic\") int general = 1;\n"
		"MODEL(\"initial-exec\") long initial;\n"
		"static MODEL(\"local-dynamic\") int local, second;\n"
		"int get(void) { return general++ + (int)initial++ + local++ + second++; }\n";
	struct permod *pm = new_context();
	struct permod_plan *plan = NULL;
	const struct permod_plan_place *place;
	const struct permod_plan_slot *slot;

	must(pm, permod_plan(pm, compile("models.ko", "-fPIC -ftls-model=global-dynamic", source),
			     &plan));
	place = permod_plan_place(plan);
	ck_assert_uint_eq(place->tls_size, 3 * sizeof(int) + sizeof(long) + sizeof(int));
	ck_assert_uint_eq(place->tls_align, sizeof(long));
	slot = plan_slot(plan, "general", "tls-module");
	ck_assert_ptr_nonnull(slot);
	ck_assert_uint_eq(slot->references, 1);
	ck_assert_str_eq(slot->first.type, "R_X86_64_TLSGD");
	slot = plan_slot(plan, "initial", "tls-offset");
	ck_assert_ptr_nonnull(slot);
	ck_assert_str_eq(slot->first.type, "R_X86_64_GOTTPOFF");
	slot = plan_slot(plan, "", "tls-module");
	ck_assert_ptr_nonnull(slot);
	ck_assert_str_eq(slot->first.type, "R_X86_64_TLSLD");
	permod_plan_free(plan);
	permod_free(pm);
}
END_TEST

START_TEST(plan_tells_sizes)
{
	static const char source[] = "#include <permod/module.h>\n"
				     "DEFINE_PER_CPU(char[100], some);\n"
				     "DEFINE_PER_CPU(long, more);\n"
				     "int __init init(void) { return 0; }\n"
				     "module_init(init);\n";
	struct permod *pm = new_context();
	struct permod_plan *plan = NULL;
	const struct permod_plan_place *place;
	struct permod_variable variable;
	struct permod_module *other = load(pm, "percpu");
	size_t least = 0, used;

	must(pm, permod_plan(pm, compile("sizes.ko", "", source), &plan));
	place = permod_plan_place(plan);
	ck_assert_uint_ge(place->percpu_size, 100 + sizeof(long));
	ck_assert_uint_le(place->percpu_size, 192);
	ck_assert_uint_ge(place->percpu_align, _Alignof(long));
	ck_assert_uint_eq(place->size % 4096, 0);
	ck_assert_uint_ge(place->init_size, 4096);
	ck_assert_uint_lt(place->init_size, place->size);
	ck_assert_ptr_nonnull(strstr(place->reason, "in the arena"));
	for (unsigned int i = 0; permod_variable(other, i, &variable) == 0; i++)
		least += variable.size;
	ck_assert_uint_ge(place->percpu_used, least);
	used = place->percpu_used;
	permod_plan_free(plan);
	/* It took none itself. */
	must(pm, permod_unload(other, 0));
	must(pm, permod_plan(pm, work_file("sizes.ko"), &plan));
	ck_assert_uint_le(permod_plan_place(plan)->percpu_used, used - least);
	permod_plan_free(plan);
	permod_free(pm);
}
END_TEST

START_TEST(plan_tells_what_is_discarded)
{
	static const char source[] = ".section .text.same, \"axG\", %progbits, same, comdat\n"
				     ".weak same\n"
				     "same: .cfi_startproc\n"
				     "ret\n"
				     ".cfi_endproc\n";
	struct permod *pm = new_context();
	struct permod_plan *plan = NULL;
	const struct permod_plan_section *section;
	const char *path = work_file("comdat.a");
	int kept = 0, discarded = 0;

	command(text("rm -f '%s'", path));
	command(text("ar rcs '%s' '%s'", path, assemble("kept.o", source)));
	command(text("ar rcs '%s' '%s'", path, assemble("dropped.o", source)));
	must(pm, permod_plan(pm, path, &plan));
	for (unsigned int i = 0; (section = permod_plan_section(plan, i)); i++) {
		if (strcmp(section->name, ".text.same") != 0)
			continue;
		kept += !section->discarded && strstr(section->object, "kept.o");
		discarded += section->discarded && strstr(section->object, "dropped.o");
	}
	ck_assert_int_eq(kept, 1);
	ck_assert_int_eq(discarded, 1);
	/* The second one's .eh_frame. */
	ck_assert_uint_eq(permod_plan_place(plan)->discarded, 1);
	permod_plan_free(plan);
	permod_free(pm);
}
END_TEST

START_TEST(module_is_loaded_within_the_planned_interval)
{
	struct permod *pm = new_context();
	struct permod_plan *plan = NULL;
	struct permod_region region;
	struct permod_module *m;
	uintptr_t low, high, base = UINTPTR_MAX;

	must(pm, permod_plan(pm, module_file("percpu"), &plan));
	permod_plan_interval(plan, &low, &high);
	permod_plan_free(plan);
	m = load(pm, "percpu");
	for (unsigned int i = 0; permod_region(m, i, &region) == 0; i++)
		base = region.address < base ? region.address : base;
	ck_assert_uint_ge(base, low);
	ck_assert_uint_le(base, high);
	permod_free(pm);
}
END_TEST

/* ---- Bad files by the thousand -------------------------------------------------------------- */

static void try_plan(struct permod *pm, const char *path, const unsigned char *bytes, size_t size)
{
	struct permod_plan *plan = NULL;
	const struct permod_plan_section *section;
	const struct permod_plan_symbol *found;
	const struct permod_plan_slot *slot;
	int result;

	write_file(path, bytes, size);
	result = permod_plan(pm, path, &plan);
	check_that(result <= 0 && (result == 0 || *permod_error(pm)));
	check_that(result < 0 || plan);
	/* Touch what it hands out. */
	for (unsigned int i = 0; plan && (section = permod_plan_section(plan, i)); i++)
		check_that(strlen(section->name) + strlen(section->object) < 100000);
	for (unsigned int i = 0; plan && (found = permod_plan_symbol(plan, i)); i++)
		check_that(strlen(found->name) < 100000 &&
			   (!found->first.object || *found->first.type));
	for (unsigned int i = 0; plan && (slot = permod_plan_slot(plan, i)); i++)
		check_that(strlen(slot->symbol) < 100000 && slot->address);
	permod_plan_free(plan);
}

/* Each byte, or every few, gets another value.  Without libdl, as looking for names that are nearly
 * those of a broken table takes long among all of libc's. */
START_TEST(flipped_bytes_never_crash)
{
	static const unsigned char masks[] = { 0x01, 0x80, 0xff };
	static const char *const files[] = { "basic", "percpu" };
	struct permod_options options = { .size = sizeof(options), .flags = PERMOD_NO_LIBDL };
	struct permod *pm = NULL, *open = new_context();
	size_t size, step = under_valgrind() ? 97 : getenv("PERMOD_LONG") ? 1 : 7;
	unsigned char *bytes = read_file(module_file(files[_i]), &size);
	char path[300];

	must(NULL, permod_new(&pm, &options));
	snprintf(path, sizeof(path), "%s/flipped.ko", work_dir());
	for (size_t at = 0; at < size; at += step) {
		unsigned char mask = masks[at / step % COUNT(masks)];

		bytes[at] ^= mask;
		try_plan(pm, path, bytes, size);
		bytes[at] ^= mask;
	}
	try_plan(open, path, bytes, size);
	must(open, permod_load(open, path, NULL, 0, NULL));
	free(bytes);
	permod_free(pm);
	permod_free(open);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("plan");
	TCase *files = tcase_create("files"), *plans = tcase_create("plans");

	tcase_set_timeout(files, 60);
	tcase_add_test(files, file_tells_its_modinfo);
	tcase_add_test(files, file_tells_exports_and_their_licence);
	tcase_add_test(files, file_tells_what_it_needs);
	tcase_add_test(files, file_outlives_changes_of_the_context);
	tcase_add_test(files, file_errors_are_those_of_loading);
	suite_add_tcase(suite, files);

	tcase_set_timeout(plans, 60);
	tcase_add_test(plans, plan_has_every_section_of_the_file);
	tcase_add_test(plans, plan_says_who_provides_a_symbol);
	tcase_add_test(plans, plan_runs_and_keeps_nothing);
	tcase_add_test(plans, plan_finds_a_name_that_is_exported_twice);
	tcase_add_test(plans, plan_of_what_lacks_symbols_tells_all_the_rest);
	add_x86_64_test(plans, plan_without_a_place_has_the_conflict_as_a_problem);
	add_x86_64_test(plans, plan_tells_all_problems_of_all_objects_at_once);
	add_x86_64_test(plans, plan_tells_all_values_that_do_not_fit);
	add_x86_64_test(plans, plan_of_what_is_all_wrong_stays_readable);
	add_x86_64_test(plans, plan_tells_who_refers_to_a_symbol_and_how);
	add_x86_64_test(plans, plan_tells_stubs_and_what_sets_the_bounds);
#ifdef __GLIBC__
	add_x86_64_test(plans, plan_tells_slots_of_thread_local_variables);
#else
	LEAVE_OUT(plan_tells_slots_of_thread_local_variables,
		  "this C library keeps no room for thread-local variables of what comes later");
#endif
	tcase_add_test(plans, plan_tells_sizes);
	add_x86_64_test(plans, plan_tells_what_is_discarded);
	tcase_add_test(plans, module_is_loaded_within_the_planned_interval);
	tcase_add_loop_test(plans, flipped_bytes_never_crash, 0, 2);
	suite_add_tcase(suite, plans);
	return suite;
}

int main(void)
{
	return run_suite(make_suite());
}
