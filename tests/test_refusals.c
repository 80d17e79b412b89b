/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files and requests that are refused: each with its error number, and a line that names file,
 * place and cause. Bad files are a good object of which single fields were changed; whatever is
 * refused leaves nothing behind, and the context goes on working.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <elf.h>

/* ---- A good object, to be spoilt ------------------------------------------------------------ */

static const char good_source[] = "extern int outside(int);\n"
				  "int number = 5, zeros[10];\n"
				  "const char *text = \"text\";\n"
				  "int call(int n) { return outside(n) + number + zeros[n]; }\n";

struct object {
	unsigned char *bytes;
	size_t size;
	Elf64_Ehdr *header;
	Elf64_Shdr *sections;
};

int outside(int number);
int outside(int number)
{
	return number;
}
EXPORT_SYMBOL(outside);

static struct object good_object(void)
{
	struct object object;

	object.bytes = read_file(compile("good.ko", "-fPIE", good_source), &object.size);
	object.header = (void *)object.bytes;
	object.sections = (void *)(object.bytes + object.header->e_shoff);
	return object;
}

static const char *section_name(const struct object *object, const Elf64_Shdr *section)
{
	const Elf64_Shdr *names = &object->sections[object->header->e_shstrndx];

	return (const char *)object->bytes + names->sh_offset + section->sh_name;
}

static Elf64_Shdr *section_of(const struct object *object, const char *name)
{
	for (unsigned int i = 1; i < object->header->e_shnum; i++) {
		if (strcmp(section_name(object, &object->sections[i]), name) == 0)
			return &object->sections[i];
	}
	ck_abort_msg("no section %s", name);
	return NULL;
}

static uint16_t index_of(const struct object *object, const char *name)
{
	return (uint16_t)(section_of(object, name) - object->sections);
}

static Elf64_Sym *symbol_of(const struct object *object, const char *name)
{
	const Elf64_Shdr *table = section_of(object, ".symtab");
	const char *names =
		(const char *)object->bytes + object->sections[table->sh_link].sh_offset;
	Elf64_Sym *symbols = (void *)(object->bytes + table->sh_offset);

	for (size_t i = 0; i < table->sh_size / sizeof(*symbols); i++) {
		if (strcmp(names + symbols[i].st_name, name) == 0)
			return &symbols[i];
	}
	ck_abort_msg("no symbol %s", name);
	return NULL;
}

static Elf64_Rela *relocation_of(const struct object *object)
{
	return (void *)(object->bytes + section_of(object, ".rela.text")->sh_offset);
}

/* The file is refused, in whatever way it is given; at most eight parts of the line. */
static void expect_refused(const void *bytes, size_t size, const char *const *parts)
{
	static struct state before, after;
	struct permod *pm = new_context();
	const char *path = work_file("spoilt.ko");
	struct permod_module *m = NULL;
	int result;

	/* Both the list of errors and the first use of things take memory that stays. */
	permod_load(pm, "/nowhere", NULL, 0, NULL);
	write_file(path, bytes, size);
	look(&before);
	result = permod_load(pm, path, NULL, 0, &m);
	ck_assert_msg(result == -ENOEXEC, "%d, \"%s\"", result, permod_error(pm));
	expect_line(permod_error(pm), parts);
	ck_assert_ptr_nonnull(strstr(permod_error(pm), "spoilt.ko"));
	look(&after);
	expect_same(&before, &after, permod_error(pm));
	result = permod_load_memory(pm, "in_memory", bytes, size, NULL, 0, &m);
	ck_assert_int_eq(result, -ENOEXEC);
	expect_line(permod_error(pm), parts);
	ck_assert_ptr_nonnull(strstr(permod_error(pm), "in_memory"));
	ck_assert_ptr_null(permod_next(pm, NULL));
	load(pm, "basic");
	permod_free(pm);
}

/* ---- Not an object of ours ------------------------------------------------------------------ */

START_TEST(file_that_cannot_be_read)
{
	struct permod *pm = new_context();
	const char *empty = work_file("empty.ko");

	expect_error(pm, permod_load(pm, "/nowhere/at_all.ko", NULL, 0, NULL), -ENOENT,
		     "/nowhere/at_all.ko", strerror(ENOENT));
	expect_error(pm, permod_load(pm, work_dir(), NULL, 0, NULL), -ENOEXEC, work_dir(),
		     "regular file");
	write_file(empty, "", 0);
	expect_error(pm, permod_load(pm, empty, NULL, 0, NULL), -ENOEXEC, "empty.ko", "empty");
	expect_error(pm, permod_load(pm, text("%s/good.ko", empty), NULL, 0, NULL), -ENOTDIR,
		     strerror(ENOTDIR));
	expect_error(pm, permod_load(pm, "", NULL, 0, NULL), -ENOENT, strerror(ENOENT));
	permod_free(pm);
}
END_TEST

START_TEST(text_is_not_an_object)
{
	static const char words[] = "#!/bin/sh\necho This is a script, and long enough to hold "
				    "an ELF header as well as some sections of it.\n";

	expect_refused(words, sizeof(words) - 1, (const char *const[]){ "ELF", NULL });
	expect_refused(words, 3, (const char *const[]){ "ELF", NULL });
	expect_refused("\177ELF", 4, (const char *const[]){ NULL });
	expect_refused("!<arch>\n", 8, (const char *const[]){ NULL });
}
END_TEST

START_TEST(archive_that_is_damaged)
{
	static const char odd[] = "!<arch>\n"
				  "member.o/       0           0     0     644     999999    `\n"
				  "short";
	static const char hollow[] = "!<arch>\n"
				     "notes.txt/      0           0     0     644     6         `\n"
				     "hello\n";

	expect_refused(odd, sizeof(odd) - 1, (const char *const[]){ NULL });
	expect_refused(hollow, sizeof(hollow) - 1, (const char *const[]){ NULL });
}
END_TEST

START_TEST(program_is_not_relocatable)
{
	size_t size;
	unsigned char *bytes;
	const char *path = work_file("program"), *source = "int main(void) { return 0; }";

	write_file(work_file("program.c"), source, strlen(source));
	command(text("%s -no-pie -o '%s' '%s'", setting("CC", "gcc"), path,
		     work_file("program.c")));
	bytes = read_file(path, &size);
	expect_refused(bytes, size, (const char *const[]){ "relocatable", "an executable", NULL });
	free(bytes);
}
END_TEST

/* ---- Single fields -------------------------------------------------------------------------- */

#define SPOIL(name, ...)                                                                           \
	static void spoil_##name(struct object *o)                                                 \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}

SPOIL(class, o->header->e_ident[EI_CLASS] = ELFCLASS32)
SPOIL(encoding, o->header->e_ident[EI_DATA] = ELFDATA2MSB)
SPOIL(version, o->header->e_ident[EI_VERSION] = 9)
SPOIL(machine, o->header->e_machine = EM_AARCH64)
SPOIL(executable, o->header->e_type = ET_EXEC)
SPOIL(core, o->header->e_type = ET_CORE)
SPOIL(no_sections, o->header->e_shoff = 0)
SPOIL(table_outside, o->header->e_shoff = o->size + 64)
SPOIL(table_overflow, o->header->e_shoff = UINT64_MAX - 63)
SPOIL(table_cut, o->header->e_shoff = o->size - 64)
SPOIL(entry_size, o->header->e_shentsize = 32)
SPOIL(names_index, o->header->e_shstrndx = 999)
SPOIL(names_type, o->header->e_shstrndx = index_of(o, ".text"))
SPOIL(text_outside, section_of(o, ".text")->sh_offset = o->size)
SPOIL(text_long, section_of(o, ".text")->sh_size = o->size)
SPOIL(text_overflow, section_of(o, ".text")->sh_offset = UINT64_MAX - 4)
SPOIL(align_odd, section_of(o, ".text")->sh_addralign = 24)
SPOIL(align_huge, section_of(o, ".text")->sh_addralign = (uint64_t)1 << 40)
SPOIL(bss_huge, section_of(o, ".bss")->sh_size = (uint64_t)1 << 60)
SPOIL(bss_overflow, section_of(o, ".bss")->sh_size = UINT64_MAX - 8)
SPOIL(name_outside, section_of(o, ".text")->sh_name = 1 << 30)
SPOIL(names_unended, Elf64_Shdr *names = &o->sections[o->header->e_shstrndx];
      o->bytes[names->sh_offset + names->sh_size - 1] = 'x')
SPOIL(strings_unended, Elf64_Shdr *strings = section_of(o, ".strtab");
      o->bytes[strings->sh_offset + strings->sh_size - 1] = 'x')
SPOIL(symbol_name, symbol_of(o, "call")->st_name = 1 << 30)
SPOIL(symbol_section, symbol_of(o, "call")->st_shndx = 500)
SPOIL(symbol_value, symbol_of(o, "call")->st_value = 1 << 20)
SPOIL(symbol_reserved, symbol_of(o, "call")->st_shndx = SHN_LORESERVE + 5)
SPOIL(symtab_link, section_of(o, ".symtab")->sh_link = 999)
SPOIL(symtab_link_type, section_of(o, ".symtab")->sh_link = index_of(o, ".text"))
SPOIL(symtab_entry, section_of(o, ".symtab")->sh_entsize = 7)
SPOIL(symtab_size, section_of(o, ".symtab")->sh_size -= 5)
SPOIL(symtab_locals, section_of(o, ".symtab")->sh_info = 9999)
SPOIL(two_symtabs, section_of(o, ".comment")->sh_type = SHT_SYMTAB)
SPOIL(rela_target, section_of(o, ".rela.text")->sh_info = 999)
SPOIL(rela_symtab, section_of(o, ".rela.text")->sh_link = 999)
SPOIL(rela_symtab_type, section_of(o, ".rela.text")->sh_link = index_of(o, ".text"))
SPOIL(rela_entry, section_of(o, ".rela.text")->sh_entsize = 12)
SPOIL(rela_size, section_of(o, ".rela.text")->sh_size -= 3)
SPOIL(offset_outside, relocation_of(o)->r_offset = 1 << 20)
SPOIL(offset_overflow, relocation_of(o)->r_offset = UINT64_MAX - 1)
SPOIL(offset_edge, relocation_of(o)->r_offset = section_of(o, ".text")->sh_size - 3)
SPOIL(symbol_index, relocation_of(o)->r_info = ELF64_R_INFO(60000, R_X86_64_PC32))
SPOIL(unknown_type,
      relocation_of(o)->r_info = ELF64_R_INFO(ELF64_R_SYM(relocation_of(o)->r_info), 250))
SPOIL(copy_type,
      relocation_of(o)->r_info = ELF64_R_INFO(ELF64_R_SYM(relocation_of(o)->r_info), R_X86_64_COPY))
SPOIL(tls_type, relocation_of(o)->r_info = ELF64_R_INFO(ELF64_R_SYM(relocation_of(o)->r_info),
							R_X86_64_TPOFF32))

/* What is done to the object, and what the line says. */
static const struct {
	void (*spoil)(struct object *object);
	const char *parts[4];
} spoilt[] = {
	{ spoil_class, { "word size" } },
	{ spoil_encoding, { "machine" } },
	{ spoil_version, { "version" } },
	{ spoil_machine, { "machine", "x86" } },
	{ spoil_executable, { "relocatable" } },
	{ spoil_core, { "relocatable" } },
	{ spoil_no_sections, { "section" } },
	{ spoil_table_outside, { "section" } },
	{ spoil_table_overflow, { "section" } },
	{ spoil_table_cut, { "section" } },
	{ spoil_entry_size, { "section" } },
	{ spoil_names_index, { "999" } },
	{ spoil_names_type, { "string table" } },
	{ spoil_text_outside, { "section", "outside" } },
	{ spoil_text_long, { "section", "outside" } },
	{ spoil_text_overflow, { "section", "outside" } },
	{ spoil_align_odd, { ".text", "align", "24" } },
	{ spoil_align_huge, { ".text", "align" } },
	{ spoil_bss_huge, { ".bss" } },
	{ spoil_bss_overflow, { ".bss" } },
	{ spoil_name_outside, { "name" } },
	{ spoil_names_unended, { "string table" } },
	{ spoil_strings_unended, { "string table" } },
	{ spoil_symbol_name, { ".symtab", "name" } },
	{ spoil_symbol_section, { ".symtab", "500" } },
	{ spoil_symbol_value, { ".symtab", "1048576" } },
	{ spoil_symbol_reserved, { ".symtab", "65285" } },
	{ spoil_symtab_link, { ".symtab", "999" } },
	{ spoil_symtab_link_type, { "string table" } },
	{ spoil_symtab_entry, { ".symtab", "7" } },
	{ spoil_symtab_size, { ".symtab" } },
	{ spoil_symtab_locals, { ".symtab", "9999" } },
	{ spoil_two_symtabs, { "symbol table" } },
	{ spoil_rela_target, { ".rela.text", "999" } },
	{ spoil_rela_symtab, { ".rela.text", "999" } },
	{ spoil_rela_symtab_type, { ".rela.text", "symbol table" } },
	{ spoil_rela_entry, { ".rela.text", "12" } },
	{ spoil_rela_size, { ".rela.text" } },
	{ spoil_offset_outside, { ".text", "outside" } },
	{ spoil_offset_overflow, { ".text", "outside" } },
	{ spoil_offset_edge, { ".text", "outside" } },
	{ spoil_symbol_index, { ".text", "60000" } },
	{ spoil_unknown_type, { ".text", "relocation", "250" } },
	{ spoil_copy_type, { ".text", "R_X86_64_COPY" } },
	{ spoil_tls_type, { "outside", "thread-local variable, and is none" } },
};

START_TEST(spoilt_field_is_named)
{
	struct object object = good_object();

	spoilt[_i].spoil(&object);
	expect_refused(object.bytes, object.size, spoilt[_i].parts);
	free(object.bytes);
}
END_TEST

START_TEST(object_is_good_before_it_is_spoilt)
{
	struct permod *pm = new_context();
	struct object object = good_object();
	struct permod_module *m = NULL;

	must(pm, permod_load_memory(pm, "good", object.bytes, object.size, NULL, 0, &m));
	ck_assert_int_eq(((int (*)(int))symbol(m, "call"))(2), 7);
	free(object.bytes);
	permod_free(pm);
}
END_TEST

START_TEST(truncated_file_is_refused_at_every_length)
{
	struct permod *pm = new_context();
	struct object object = good_object();
	unsigned char *copy;
	int step = under_valgrind() ? 29 : 1;

	/* The table of sections is at the end of the file. */
	ck_assert_uint_eq(object.header->e_shoff + object.header->e_shnum * sizeof(Elf64_Shdr),
			  object.size);
	for (size_t size = 0; size < object.size; size += (size_t)step) {
		/* Of exactly this size, for ASan to see reads behind it. */
		copy = malloc(size ? size : 1);
		memcpy(copy, object.bytes, size);
		expect_error(pm, permod_load_memory(pm, "cut", copy, size, NULL, 0, NULL), -ENOEXEC,
			     "cut");
		free(copy);
	}
	free(object.bytes);
	permod_free(pm);
}
END_TEST

/* ---- What a module wants and can't have ----------------------------------------------------- */

/* One file of an archive says that it is thread-local, another that it isn't. */
START_TEST(thread_local_variables_are_no_others)
{
	static const char define[] = "int shared = 1;\n";
	static const char use[] = "extern __thread int shared; int get(void) { return shared; }\n";
	struct permod *pm = new_context();
	const char *path = work_file("mixed.a");

	for (int reverse = 0; reverse < 2; reverse++) {
		const char *flags = reverse ? "-fPIC -D__thread=" : "-fPIC";

		command(text("rm -f '%s'", path));
		command(text("ar rcs '%s' '%s' '%s'", path,
			     compile("define.o", reverse ? "-Dint='__thread int'" : "", define),
			     compile("use.o", flags, use)));
		expect_error(pm, permod_load(pm, path, NULL, 0, NULL), -ENOEXEC, "mixed.a(use.o)",
			     "R_X86_64_", "shared", "thread");
	}
	permod_free(pm);
}
END_TEST

/* As old sources declare it; ld says "TLS definition mismatches non-TLS reference". */
START_TEST(thread_local_variable_of_a_library_is_no_plain_variable)
{
	static const char source[] = "extern int errno;\n"
				     "int *get(void) { return &errno; }\n";
	struct permod *pm = new_context();

	expect_error(pm, permod_load(pm, compile("errno.ko", "", source), NULL, 0, NULL), -ENOEXEC,
		     "errno.ko", "errno", "thread-local");
	permod_free(pm);
}
END_TEST

/* What the macros of <permod/module.h> write, written wrongly. */
static const struct {
	const char *source, *section;
} bad_tables[] = {
	{ "__attribute__((section(\"__ksymtab\"))) long table[3] = { 1, 2, 3 };", "__ksymtab" },
	{ "__attribute__((section(\"__ksymtab\"))) long table[2];", "__ksymtab" },
	{ "__attribute__((section(\"__ksymtab\"), used)) char table[24] = { 1 };", "__ksymtab" },
	{ "__attribute__((section(\"__ksymtab_gpl\"))) long table[3] = { -1, -1, -1 };",
	  "__ksymtab_gpl" },
	{ "__attribute__((section(\"__param\"))) long table[4] = { 1, 2, 3, 4 };", "__param" },
	{ "__attribute__((section(\"__param\"))) long table[4];", "__param" },
	{ "__attribute__((section(\"__param\"))) long table[5] = { 1 };", "__param" },
	/* What goes with init. */
	{ "#include <permod/module.h>\n"
	  "int early(void);\n"
	  "int __init early(void) { return 1; }\n"
	  "EXPORT_SYMBOL(early);",
	  "__ksymtab: early is freed" },
	{ "#include <permod/module.h>\n"
	  "int early __initdata = 1;\n"
	  "EXPORT_SYMBOL_GPL(early);",
	  "__ksymtab_gpl: early is freed" },
	/* A name without an end, at the end of its region. */
	{ "static char name[4096] __attribute__((aligned(4096))) = { [0 ... 4095] = 'x' };\n"
	  "__attribute__((section(\"__param\"))) const void *table[4] = { name, name };",
	  "__param" },
};

START_TEST(bad_table_is_refused_by_its_section)
{
	struct permod *pm = new_context();
	static struct state before, after;
	const char *path = compile("table.ko", "", bad_tables[_i].source);

	permod_load(pm, path, NULL, 0, NULL);
	look(&before);
	expect_error(pm, permod_load(pm, path, "x=1", 0, NULL), -ENOEXEC, "table.ko",
		     bad_tables[_i].section);
	look(&after);
	expect_same(&before, &after, bad_tables[_i].source);
	permod_free(pm);
}
END_TEST

START_TEST(object_without_machine_code_is_refused)
{
	struct permod *pm = new_context();
	const char *path;

	if (strstr(setting("CC", "gcc"), "clang"))
		return;
	path = compile("slim.ko", "-flto -fno-fat-lto-objects", "int number = 1;\n");
	expect_error(pm, permod_load(pm, path, NULL, 0, NULL), -ENOEXEC, "slim.ko", "-flto");
	permod_free(pm);
}
END_TEST

START_TEST(undefined_symbols_are_listed_all_at_once_with_the_nearest_name)
{
	static const char source[] =
		"int missing_one(void), outsid(int), missing_two(void);\n"
		"extern int zzz_unlike_anything, basic_ad(int);\n"
		"int all(void) { return missing_one() + outsid(1) + missing_two()"
		" + zzz_unlike_anything + basic_ad(1); }\n";
	struct permod *pm = new_context();
	static struct state before, after;
	const char *path = compile("missing.ko", "", source);

	load(pm, "basic");
	look(&before);
	expect_error(pm, permod_load(pm, path, NULL, 0, NULL), -ENOENT, "missing.ko", "missing_one",
		     "missing_two", "outside", "basic_add", "zzz_unlike_anything");
	look(&after);
	expect_same(&before, &after, "undefined symbols");
	/* Nobody is held by the attempt. */
	must(pm, permod_unload(permod_find(pm, "load_basic"), 0));
	permod_free(pm);
}
END_TEST

START_TEST(many_undefined_symbols_are_counted)
{
	static char source[4096];
	struct permod *pm = new_context();
	size_t used = 0;

	for (int i = 10; i < 35; i++)
		used += (size_t)snprintf(source + used, sizeof(source) - used,
					 "int lacking_%d(void); int use_%d(void);\n"
					 "int use_%d(void) { return lacking_%d(); }\n",
					 i, i, i, i);
	expect_error(pm, permod_load(pm, compile("many.ko", "", source), NULL, 0, NULL), -ENOENT,
		     "many.ko", "undefined symbols: ", "lacking_10", "lacking_29, and 5 more; ");
	ck_assert_ptr_null(strstr(permod_error(pm), "lacking_30"));
	permod_free(pm);
}
END_TEST

START_TEST(names_of_a_file_keep_the_error_one_line)
{
	struct permod *pm = new_context();
	size_t size;
	unsigned char *bytes =
		read_file(compile("lines.ko", "",
				  "int two_lines(void);\nint (*call)(void) = two_lines;\n"),
			  &size);
	char *name = memmem(bytes, size, "two_lines", strlen("two_lines") + 1);

	ck_assert_ptr_nonnull(name);
	memcpy(name, "\033wo\nlines", strlen("two_lines"));
	expect_error(pm, permod_load_memory(pm, "lines", bytes, size, NULL, 0, NULL), -ENOENT,
		     "?wo?lines");
	free(bytes);
	permod_free(pm);
}
END_TEST

START_TEST(symbol_defined_twice_in_an_archive)
{
	struct permod *pm = new_context();
	const char *path = work_file("twice.a");

	command(text("rm -f '%s' && ar rcs '%s' '%s' '%s'", path, path,
		     compile("one.o", "", "int same(void) { return 1; }\n"),
		     compile("two.o", "", "int same(void) { return 2; }\n")));
	expect_error(pm, permod_load(pm, path, NULL, 0, NULL), -EEXIST, "same", "one.o", "two.o");
	permod_free(pm);
}
END_TEST

START_TEST(module_that_is_loaded_already)
{
	struct permod *pm = new_context();
	size_t size;
	unsigned char *bytes = read_file(module_file("plain"), &size);

	load(pm, "basic");
	expect_error(pm, permod_load(pm, module_file("basic"), NULL, 0, NULL), -EEXIST,
		     "load_basic", "already");
	expect_error(pm, permod_load_memory(pm, "load_basic", bytes, size, NULL, 0, NULL), -EEXIST,
		     "load_basic", "already");
	free(bytes);
	permod_free(pm);
}
END_TEST

static struct permod *erring_context;

void make_an_error(void);
void make_an_error(void)
{
	expect_error(erring_context, permod_load(erring_context, "/none/at/all", NULL, 0, NULL),
		     -ENOENT, "/none/at/all");
	note("error");
}
EXPORT_SYMBOL(make_an_error);

START_TEST(init_that_returns_an_error)
{
	struct permod *pm = new_context();

	expect_error(pm, permod_load(pm, module_file("failing"), NULL, 0, NULL), -ENODEV,
		     "load_failing", "init", strerror(ENODEV));
	permod_free(pm);
}
END_TEST

/* What runs after init can have errors of its own, and can't hold the module any more. */
START_TEST(init_that_returns_an_error_has_the_last_word)
{
	static const char source[] = "#include <permod/module.h>\n"
				     "void note(const char *);\n"
				     "void make_an_error(void);\n"
				     "int init_module(void) { return -EDOM; }\n"
				     "__attribute__((destructor)) static void end(void)\n"
				     "{\n"
				     "	make_an_error();\n"
				     "	note(try_module_get(THIS_MODULE) ? \"held\" : \"going\");\n"
				     "}\n";
	struct permod *pm = erring_context = new_context();

	expect_error(pm, permod_load(pm, compile("last.ko", "", source), NULL, 0, NULL), -EDOM,
		     "last", "init", strerror(EDOM));
	ck_assert_str_eq(noted(), "error going");
	permod_free(pm);
}
END_TEST

START_TEST(exit_that_goes_with_init)
{
	static const char source[] = "#include <permod/module.h>\n"
				     "static int __init begin(void) { return 0; }\n"
				     "static void __init end(void) { }\n"
				     "module_init(begin);\n"
				     "module_exit(end);\n";
	struct permod *pm = new_context();

	expect_error(pm, permod_load(pm, compile("early.ko", "", source), NULL, 0, NULL), -ENOEXEC,
		     "early", "module_exit", "__init");
	permod_free(pm);
}
END_TEST

START_TEST(bad_names_of_memory)
{
	struct permod *pm = new_context();
	size_t size;
	unsigned char *bytes = read_file(module_file("plain"), &size);

	expect_error(pm, permod_load_memory(pm, "", bytes, size, NULL, 0, NULL), -EINVAL, "name");
	free(bytes);
	permod_free(pm);
}
END_TEST

/* ---- Out of per-CPU space: played in a new process ------------------------------------------ */

START_TEST(no_room_for_percpu_variables)
{
	static const char source[] = "#include <permod/module.h>\n"
				     "DEFINE_PER_CPU(char[SIZE], room);\n";
	struct permod *pm = new_context();
	static struct state before, after;
	struct permod_module *m;

	must(pm, permod_unload(load(pm, "basic"), 0));
	look(&before);
	expect_error(pm, permod_load(pm, compile("big.ko", "-DSIZE=5000", source), NULL, 0, NULL),
		     -ENOSPC, "big", "PERCPU_RESERVED", "5000");
	look(&after);
	expect_same(&before, &after, "no room");
	/* Smaller ones fit, until the region is full; and again when room was made. */
	m = load_file(pm, compile("small.ko", "-DSIZE=3000", source), NULL);
	expect_error(pm,
		     permod_load(pm, compile("second.ko", "-DSIZE=3000", source), NULL, 0, NULL),
		     -ENOSPC, "second", "PERCPU_RESERVED");
	must(pm, permod_unload(m, 0));
	load_file(pm, compile("second.ko", "-DSIZE=3000", source), NULL);
	permod_free(pm);
}
END_TEST

START_TEST(full_region_is_told_with_the_setting_that_helps)
{
	const char *const settings[] = { "PERCPU_RESERVED=4096", NULL };
	struct outcome outcome = play("full", settings, 0);

	ck_assert_msg(ended_well(&outcome), "status %d: %s", outcome.status, outcome.text);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("refusals");
	TCase *files = tcase_create("files"), *requests = tcase_create("requests");

	tcase_set_timeout(files, 60);
	tcase_add_test(files, object_is_good_before_it_is_spoilt);
	tcase_add_test(files, file_that_cannot_be_read);
	tcase_add_test(files, text_is_not_an_object);
	tcase_add_test(files, archive_that_is_damaged);
	tcase_add_test(files, program_is_not_relocatable);
	tcase_add_loop_test(files, spoilt_field_is_named, 0, COUNT(spoilt));
	tcase_add_test(files, truncated_file_is_refused_at_every_length);
	suite_add_tcase(suite, files);

	tcase_set_timeout(requests, 60);
	tcase_add_test(requests, thread_local_variables_are_no_others);
#ifdef __GLIBC__
	tcase_add_test(requests, thread_local_variable_of_a_library_is_no_plain_variable);
#else
	LEAVE_OUT(thread_local_variable_of_a_library_is_no_plain_variable,
		  "this C library has no errno that is a variable");
#endif
	tcase_add_loop_test(requests, bad_table_is_refused_by_its_section, 0, COUNT(bad_tables));
	tcase_add_test(requests, object_without_machine_code_is_refused);
	tcase_add_test(requests, undefined_symbols_are_listed_all_at_once_with_the_nearest_name);
	tcase_add_test(requests, many_undefined_symbols_are_counted);
	tcase_add_test(requests, names_of_a_file_keep_the_error_one_line);
	tcase_add_test(requests, symbol_defined_twice_in_an_archive);
	tcase_add_test(requests, module_that_is_loaded_already);
	tcase_add_test(requests, init_that_returns_an_error);
	tcase_add_test(requests, init_that_returns_an_error_has_the_last_word);
	tcase_add_test(requests, exit_that_goes_with_init);
	tcase_add_test(requests, bad_names_of_memory);
	tcase_add_test(requests, full_region_is_told_with_the_setting_that_helps);
	suite_add_tcase(suite, requests);
	return suite;
}

int main(int argc, char **argv)
{
	const struct test_scene scenes[] = { { "full", no_room_for_percpu_variables } };

	if (argc == 2)
		return run_scene(scenes, COUNT(scenes), argv[1]);
	return run_suite(make_suite());
}
