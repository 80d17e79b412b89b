/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unwind information of modules: which functions libgcc's unwinder finds, and which contents of
 * .eh_frame, or on 32-bit arm of .ARM.exidx, are refused.  What is found is asked by the function that the
 * unwinder uses for every frame of an exception.
 */
#define _GNU_SOURCE
#include "loader/arch.h"
#include "tests/loader/helper.h"

#include <dlfcn.h>
#include <pthread.h>

#ifdef __arm__

/* It only says which table, and the unwinder searches that. */
static void *function_at(const void *address)
{
	uintptr_t (*find)(uintptr_t, int *) =
		(uintptr_t(*)(uintptr_t, int *))dlsym(RTLD_DEFAULT, "__gnu_Unwind_Find_exidx");
	const uint32_t *entry, *found = NULL;
	uintptr_t code = (uintptr_t)address & ~(uintptr_t)CODE_BIT, function = 0;
	int count;

	check_that(find != NULL);
	entry = (const uint32_t *)find(code, &count);
	for (int i = 0; entry && i < count; i++, entry += 2) {
		uintptr_t begin = (uintptr_t)entry + (uintptr_t)((int32_t)(*entry << 1) >> 1);

		check_that(begin >= function || !found);
		if (begin > code)
			break;
		found = entry;
		function = begin;
	}
	/* 1: it can't be unwound. */
	return found && found[1] != 1 ? (void *)function : NULL;
}

#else

struct bases {
	void *text, *data, *function;
};

/* Where the function begins that the unwinder believes an address to be in; NULL: in none. */
static void *function_at(const void *address)
{
	const void *(*find)(void *, struct bases *);
	struct bases bases = { NULL, NULL, NULL };
	void *library = dlopen(LIBGCC_S_SO, RTLD_LAZY);

	check_that(library != NULL);
	/* On i386 the C library has one too, and the others call that. */
	find = (const void *(*)(void *, struct bases *))dlsym(RTLD_DEFAULT, "_Unwind_Find_FDE");
	if (!find)
		find = (const void *(*)(void *, struct bases *))dlsym(library, "_Unwind_Find_FDE");
	check_that(find != NULL);
	return find((char *)(uintptr_t)address, &bases) ? bases.function : NULL;
}

#endif

static void expect_found(struct permod_module *m, const char *name, size_t inside)
{
	char *address = code_of(m, name);

	ck_assert_msg(function_at(address + inside) == address, "%s is not found", name);
}

/* Not all machines' compilers make them without being told to. */
#define TABLES "-fasynchronous-unwind-tables"

/* ---- What is found -------------------------------------------------------------------------- */

START_TEST(functions_are_found)
{
	struct permod *pm = new_context();
	struct permod_module *m;
	void *one;

	m = load_file(pm,
		      compile("found.ko", TABLES,
			      "int one(int a); int one(int a) { return a + 1; }\n"
			      "int two(int a); int two(int a) { return a + 2; }\n"),
		      NULL);
	one = code_of(m, "one");
	expect_found(m, "one", 0);
	expect_found(m, "one", 1);
	expect_found(m, "two", 1);
	must(pm, permod_unload(m, 0));
	ck_assert_ptr_null(function_at(one));
	permod_free(pm);
}
END_TEST

static void *in_init;
void tell_address(void *address);
void tell_address(void *address)
{
	in_init = (char *)((uintptr_t)code_at(address) & ~(uintptr_t)CODE_BIT);
	ck_assert_ptr_eq(function_at(in_init), in_init);
}
EXPORT_SYMBOL(tell_address);

/* Other code may come where it was. */
START_TEST(init_is_found_until_it_has_returned)
{
	struct permod *pm = new_context();
	struct permod_module *m;

	m = load_file(pm,
		      compile("init.ko", TABLES,
			      "#include <permod/module.h>\n"
			      "void tell_address(void *address);\n"
			      "static int early;\n"
			      "__attribute__((noinline)) static int __init deeper(int a)\n"
			      "{ early += a; tell_address(deeper); return early; }\n"
			      "int after(int a); int after(int a) { return a + early; }\n"
			      "static int __init begin(void) { return deeper(1) - 1; }\n"
			      "module_init(begin);\n"
			      "static void __exit end(void) { early = 0; }\n"
			      "module_exit(end);\n"),
		      NULL);
	ck_assert_ptr_nonnull(in_init);
	ck_assert_ptr_null(function_at(in_init));
	expect_found(m, "after", 1);
	permod_free(pm);
}
END_TEST

/* The FDE of a duplicate that was dropped is nobody's. */
START_TEST(duplicates_are_found_once)
{
	const char *source =
		"int shared(int a) __attribute__((weak));\n"
		"__asm__(\".section .text.shared,\\\"axG\\\",@progbits,shared,comdat\\n\"\n"
		"\".weak shared\\n.type shared,@function\\nshared: .cfi_startproc\\n\"\n"
		"\"lea 1(%rdi), %eax\\n ret\\n .cfi_endproc\\n\"\n"
		"\".size shared, . - shared\\n.text\");\n"
		"int NAME(int a); int NAME(int a) { return shared(a) + 1; }\n";
	struct permod *pm = new_context();
	struct permod_module *m;
	const char *archive = work_file("twice.a");

	compile("first.o", "-DNAME=first", source);
	compile("second.o", "-DNAME=second", source);
	command(text("cd '%s' && rm -f twice.a && ar rcs twice.a first.o second.o", work_dir()));
	m = load_file(pm, archive, NULL);
	ck_assert_int_eq(((int (*)(int))symbol(m, "second"))(40), 42);
	expect_found(m, "shared", 1);
	expect_found(m, "first", 1);
	expect_found(m, "second", 1);
	for (unsigned int i = 0;; i++) {
		struct permod_region region;

		if (permod_region(m, i, &region))
			break;
		if (strcmp(region.name, "text") != 0)
			ck_assert_ptr_null(function_at((void *)region.address));
	}
	permod_free(pm);
}
END_TEST

/* ---- Unwinding ------------------------------------------------------------------------------ */

/* Notes what is cleaned up, the last first, when the thread ends in the deepest of its functions. */
#define CLEANUP                                                                                        \
	"void clean(int *number);\nvoid pthread_exit(void *);\n"                                       \
	"static __attribute__((noinline)) void deeper(int n)\n"                                        \
	"{ int x __attribute__((cleanup(clean))) = n; if (n == 3) pthread_exit(0); deeper(n + 1); }\n" \
	"void *begin(void *arg); void *begin(void *arg) { deeper(1); return arg; }\n"

void clean(int *number);
void clean(int *number)
{
	note(text("%d", *number));
}
EXPORT_SYMBOL(clean);

/* It leaves by libc's function, all of whose callers are unwound: C code of programs may have no tables. */
START_TEST(thread_that_ends_in_a_module_is_unwound)
{
	struct permod *pm = new_context();
	struct permod_module *m =
		load_file(pm, compile("unwound.ko", "-fexceptions", CLEANUP), NULL);
	pthread_t thread;

	check_that(!pthread_create(&thread, NULL, (void *(*)(void *))symbol(m, "begin"), NULL));
	check_that(!pthread_join(thread, NULL));
	ck_assert_str_eq(noted(), "3 2 1");
	permod_free(pm);
}
END_TEST

/* ---- Backtraces ----------------------------------------------------------------------------- */

/* A section for one function, so that it is known where that ends. */
#define ALONE __attribute__((noinline, section("permod_test_caller")))
extern char __start_permod_test_caller[], __stop_permod_test_caller[];

static bool seen;
void look_back(void);
void look_back(void)
{
	int (*trace)(void **, int) = (int (*)(void **, int))dlsym(RTLD_DEFAULT, "backtrace");
	void *frames[64];
	int count = trace(frames, (int)COUNT(frames));

	for (int i = 0; i < count; i++)
		seen |= (char *)frames[i] > __start_permod_test_caller &&
			(char *)frames[i] <= __stop_permod_test_caller;
}
EXPORT_SYMBOL(look_back);

ALONE static void load_and_unload(struct permod *pm, const char *path)
{
	struct permod_module *m = load_file(pm, path, NULL);

	check_that(seen);
	seen = false;
	must(pm, permod_unload(m, 0));
	check_that(seen);
}

/* From init and exit, through the loader, to who called that. */
START_TEST(backtrace_passes_through_the_loader)
{
	struct permod *pm = new_context();

	load_and_unload(
		pm,
		compile("back.ko", TABLES,
			"#include <permod/module.h>\n"
			"void look_back(void);\n"
			"static int __init begin(void) { look_back(); return 0; }\n"
			"module_init(begin);\n"
			"static void __exit end(void) { look_back(); (void)*(volatile char *)\"\"; }\n"
			"module_exit(end);\n"));
	permod_free(pm);
}
END_TEST

/* ---- Contents ------------------------------------------------------------------------------- */

#ifndef __arm__

/* The source of a module whose .eh_frame has these assembler lines for contents. */
static const char *frames(const char *name, const char *lines)
{
	return compile(
		name, "-fno-asynchronous-unwind-tables -fno-unwind-tables",
		text("__asm__(\".section .eh_frame,\\\"a\\\",@progbits\\n\"\n%s\n\".text\");\n"
		     "void function(void); void function(void) {}\n",
		     lines));
}

/* A CIE as compilers make it: relative addresses of four bytes. */
#define CIE                                                                                           \
	"\"1: .long 3f-2f\\n2: .long 0\\n.byte 1\\n.asciz \\\"zR\\\"\\n.uleb128 1\\n.sleb128 -8\\n\"" \
	"\".byte 16\\n.uleb128 1\\n.byte 0x1b\\n.balign 4\\n3:\\n\""
/* The label of the code; where functions have descriptors, compilers have one for these. */
#if defined(__powerpc64__) && _CALL_ELF != 2
#define FUNCTION ".L.function"
#else
#define FUNCTION "function"
#endif

/* How far something is from here: sparc's assembler knows no differences of two sections. */
#ifdef __sparc__
#define FROM_HERE(address) "%r_disp32(" address ")"
#else
#define FROM_HERE(address) address "-."
#endif

/* An FDE of that for some address, so many bytes. */
#define FDE(address, bytes)                                                                        \
	"\"4: .long 6f-5f\\n5: .long 5b-1b\\n\""                                                   \
	"\".long " FROM_HERE(address) "\\n.long " bytes "\\n.uleb128 0\\n.balign 4\\n6:\\n\""

/* Nobody else's functions are spoken of. */
START_TEST(foreign_functions_are_left_out)
{
	struct permod *pm = new_context();
	struct permod_module *m;

	m = load_file(pm, frames("own.ko", CIE FDE(FUNCTION, "1")), NULL);
	expect_found(m, "function", 0);
	must(pm, permod_unload(m, 0));
	/* Beyond the end of the text, of no length, in the data, and then one that is right. */
	m = load_file(pm,
		      frames("foreign.ko", CIE FDE(FUNCTION, "0x1000000") FDE(FUNCTION, "0")
						   FDE("1b", "8") FDE(FUNCTION, "1")),
		      NULL);
	expect_found(m, "function", 0);
	ck_assert_ptr_null(function_at(code_of(m, "function") + 4096));
	permod_free(pm);
}
END_TEST

/* Ends and gaps between are not the end of the table. */
START_TEST(ends_are_skipped)
{
	static const char *const harmless[] = {
		"\"\"", "\".long 0\\n\"", "\".long 0, 0, 0\\n\"", CIE, CIE "\".long 0\\n\"",
	};
	struct permod *pm = new_context();
	struct permod_module *m;

	for (size_t i = 0; i < COUNT(harmless); i++) {
		m = load_file(pm, frames("harmless.ko", harmless[i]), NULL);
		ck_assert_ptr_null(function_at(code_of(m, "function")));
		must(pm, permod_unload(m, 0));
	}
	m = load_file(pm,
		      frames("ends.ko", "\".long 0\\n\"" CIE
					"\".long 0, 0\\n\"" FDE(FUNCTION, "1") "\".long 0\\n\""),
		      NULL);
	expect_found(m, "function", 0);
	permod_free(pm);
}
END_TEST

/* ---- What is refused ------------------------------------------------------------------------ */

static const struct {
	const char *lines, *message;
} odd[] = {
	{ "\".byte 1, 0\\n\"", "the length is cut off" },
	{ "\".long 2\\n.short 0\\n\"", "the length is too small" },
	{ "\".long 100, 0\\n\"", "the length goes beyond the section" },
	{ "\".long -1, 0, 0, 0\\n\"", "the length goes beyond the section" },
	{ "\".long 4, 4\\n\"", "the FDE refers to no CIE" },
	{ "\".long 4, 0xfffffff0\\n\"", "the FDE refers to no CIE" },
	{ CIE "\".long 4, 1\\n\"", "the FDE refers to no CIE" },
	{ CIE "\"4: .long 8\\n5: .long 5b-1b, 0\\n\"", "the FDE is cut off" },
	{ CIE "\"4: .long 12\\n5: .long 5b-1b, 0, 0\\n\"", "the FDE is cut off" },
	{ "\".long 4, 0\\n\"", "the CIE has a version" },
	{ "\".long 8, 0\\n.byte 2, 0, 0, 0\\n\"", "the CIE has a version" },
	{ "\".long 8, 0\\n.byte 1\\n.ascii \\\"zRS\\\"\\n\"", "the CIE is cut off" },
	{ "\".long 8, 0\\n.byte 1, 0, 0x80, 0x80\\n\"", "the CIE is cut off" },
	{ "\".long 8, 0\\n.byte 1, 0x65, 0x68, 0\\n\"", "augmentation that is not known" },
	{ "\".long 16, 0\\n.byte 1\\n.asciz \\\"zX\\\"\\n.byte 1, 1, 1, 1, 1, 1, 1, 1\\n\"",
	  "augmentation that is not known" },
	{ "\".long 16, 0\\n.byte 1\\n.asciz \\\"zR\\\"\\n.byte 1, 1, 16, 1, 0x9b, 0, 0, 0\\n\"",
	  "a kind of pointers that is not known" },
	{ "\".long 16, 0\\n.byte 1\\n.asciz \\\"zR\\\"\\n.byte 1, 1, 16, 1, 0x31, 0, 0, 0\\n\"",
	  "a kind of pointers that is not known" },
	{ "\".long 16, 0\\n.byte 1\\n.asciz \\\"zP\\\"\\n.byte 1, 1, 16, 9, 0, 0, 0, 0\\n\"",
	  "the CIE is cut off" },
	{ "\".long 20, 0\\n.byte 1\\n.asciz \\\"zPP\\\"\\n"
	  ".byte 1, 1, 16, 10, 3, 0, 0, 0, 0, 3, 0\\n\"",
	  "two personalities" },
};

#define ODD_MODULE(lines) frames("odd.ko", lines)
#define ODD_PLACE "odd.ko: section .eh_frame+0x"

/* Every record of a good section, with each of its bytes changed: it loads or not, and if it does,
 * the unwinder looks through all of it. */
START_TEST(damage_does_no_harm)
{
	struct permod *pm = new_context();
	const char *path =
		frames("damaged.ko",
		       CIE FDE(FUNCTION, "1") FDE(FUNCTION, "1") "\".ascii \\\"the end.\\\"\\n\"");
	static const unsigned char mark[] = { 't', 'h', 'e', ' ', 'e', 'n', 'd', '.' };
	static const unsigned char changes[] = { 0x01, 0x7f, 0x80, 0xff };
	unsigned int loaded = 0, refused = 0;
	unsigned char *data, *end;
	size_t size;

	data = read_file(path, &size);
	end = memmem(data, size, mark, sizeof(mark));
	ck_assert_ptr_nonnull(end);
	memset(end, 0, sizeof(mark));
	for (unsigned char *at = end - 60; at < end; at++) {
		for (size_t i = 0; i < sizeof(changes); i++) {
			struct permod_module *m;

			*at ^= changes[i];
			if (permod_load_memory(pm, "damaged", data, size, NULL, 0, &m)) {
				refused++;
			} else {
				function_at(code_of(m, "function"));
				must(pm, permod_unload(m, 0));
				loaded++;
			}
			*at ^= changes[i];
		}
	}
	free(data);
	ck_assert_uint_gt(loaded, 0);
	ck_assert_uint_gt(refused, 0);
	permod_free(pm);
}
END_TEST

#else

/* A word that is the distance of a place, or of one so many bytes behind it. */
#define BEHIND(place, bytes) ".reloc ., R_ARM_PREL31, " place "\\n.long " bytes "\\n"
#define DISTANCE(place) BEHIND(place, "0")
#define ENTRY(place, how) "\"" DISTANCE(place) how "\"\n"

/* A module of two functions, whose index has these assembler lines for contents. */
static const char *indexed(const char *name, const char *lines)
{
	static const char code[] = "\".text\\n.globl one, two\\n.type one, %function\\n\"\n"
				   "\".type two, %function\\none: code_1: bx lr\\nnop\\n\"\n"
				   "\"two: code_2: bx lr\\nnop\\n\"\n";
	static const char records[] =
		"\".section .ARM.extab,\\\"a\\\",%progbits\\n.balign 4\\n\"\n"
		"\"record: .long 0x80b0b0b0, 0\\nmore: .long 0x81010000, 0\\n\"\n"
		"\"unknown: .long 0x83b0b0b0, 0\\n\"\n"
		"\"theirs: .reloc ., R_ARM_PREL31, code_1\\n.long 0, 0x01b0b0b0, 0\\n\"\n"
		"\"beyond: .reloc ., R_ARM_PREL31, code_1\\n.long 0, 0xffb0b0b0\\n\"\n";

	return compile(name, "",
		       text("__asm__(%s\".section .ARM.exidx,\\\"ao\\\",%%progbits,.text\\n\"\n%s"
			    "%s\".text\");\n",
			    code, lines, records));
}

START_TEST(all_forms_of_entries_are_taken)
{
	static const char *const forms[] = {
		ENTRY("code_1", ".long 0x80b0b0b0\\n"),
		ENTRY("code_1", DISTANCE("record")),
		ENTRY("code_1", DISTANCE("more")),
		ENTRY("code_1", DISTANCE("theirs")),
	};
	struct permod *pm = new_context();

	for (size_t i = 0; i < COUNT(forms); i++) {
		const char *lines = text("%s%s", forms[i], ENTRY("code_2", ".long 1\\n"));
		struct permod_module *m = load_file(pm, indexed("forms.ko", lines), NULL);

		expect_found(m, "one", 0);
		ck_assert_ptr_null(function_at(symbol(m, "two")));
		must(pm, permod_unload(m, 0));
	}
	permod_free(pm);
}
END_TEST

static const struct {
	const char *lines, *message;
} odd[] = {
	{ "\".long 0x80000000, 1\\n\"\n", "does not begin with a distance" },
	{ ENTRY("code_2", ".long 1\\n") ENTRY("code_1", ".long 1\\n"), "not in the order" },
	{ "\"" BEHIND("code_1", "0x100000") ".long 1\\n\"\n", "not in the module's code" },
	{ ENTRY("record", ".long 1\\n"), "not in the module's code" },
	{ ENTRY("code_1", ".long 0x81b0b0b0\\n"), "a form that is not known" },
	{ ENTRY("code_1", DISTANCE("code_1")), "not among the constants" },
	{ ENTRY("code_1", BEHIND("record", "2")), "not among the constants" },
	{ ENTRY("code_1", BEHIND("beyond", "0x1000000")), "not among the constants" },
	{ ENTRY("code_1", DISTANCE("unknown")), "a form that is not known" },
	{ ENTRY("code_1", DISTANCE("beyond")), "goes beyond the constants" },
};

#define ODD_MODULE(lines) indexed("odd.ko", lines)
#define ODD_PLACE "odd.ko: .ARM.exidx: entry"

/* A program that has the library by dlopen() alone: the unwinder finds libc's function first. */
START_TEST(exceptions_are_refused_where_no_unwinder_would_find_them)
{
	static const char host[] =
		"#include <dlfcn.h>\n#include <stdio.h>\nstruct permod;\n"
		"int main(int argc, char **argv)\n{\n"
		"	void *library = dlopen(\"libpermod.so.0\", RTLD_NOW);\n"
		"	int (*new)(struct permod **, void *) = dlsym(library, \"permod_new\");\n"
		"	int (*load)(struct permod *, const char *, void *, unsigned, void *) =\n"
		"		dlsym(library, \"permod_load\");\n"
		"	const char *(*error)(struct permod *) = dlsym(library, \"permod_error\");\n"
		"	struct permod *pm;\n"
		"	return new(&pm, 0) || (argc > 1 && load(pm, argv[1], 0, 0, 0) && puts(error(pm)) > 0);\n"
		"}\n";
	const char *plain =
		compile("plain.ko", "-funwind-tables", "void f(void); void f(void) {}\n");
	const char *caught =
		compile("caught.ko", "-fexceptions",
			"int rand(void);\nstatic void clean(int *p) { *p = rand(); }\n"
			"int f(void); int f(void)\n"
			"{ int x __attribute__((cleanup(clean))) = 1; return rand(); }\n");
	const char *run = text("LD_LIBRARY_PATH='%s/.libs' %s '%s'", setting("top_builddir", "."),
			       emulator() ? emulator() : "", work_file("host"));

	write_file(work_file("host.c"), host, strlen(host));
	command(text("%s -o '%s' '%s' -ldl", setting("CC", "cc"), work_file("host"),
		     work_file("host.c")));
	command(text("%s '%s'", run, plain));
	command(text("! %s '%s' > '%s'", run, caught, work_file("output")));
	command(text("grep -q 'caught.ko: uses exceptions (__gcc_personality_v0)' '%s'",
		     work_file("output")));
}
END_TEST

#endif

START_TEST(odd_contents_are_refused)
{
	struct permod *pm = new_context();

	expect_error(pm, permod_load(pm, ODD_MODULE(odd[_i].lines), NULL, 0, NULL), -ENOEXEC,
		     ODD_PLACE, odd[_i].message);
	permod_free(pm);
}
END_TEST

static bool add_tests_by_unwinder(TCase *tests)
{
	void *library = dlopen(LIBGCC_S_SO, RTLD_LAZY);

	if (!library)
		return false;
	dlclose(library);
	tcase_add_test(tests, functions_are_found);
	tcase_add_test(tests, init_is_found_until_it_has_returned);
	add_x86_64_test(tests, duplicates_are_found_once);
#ifdef __arm__
	tcase_add_test(tests, all_forms_of_entries_are_taken);
	tcase_add_test(tests, exceptions_are_refused_where_no_unwinder_would_find_them);
#else
	tcase_add_test(tests, foreign_functions_are_left_out);
	tcase_add_test(tests, ends_are_skipped);
	tcase_add_test(tests, damage_does_no_harm);
#endif
	tcase_add_test(tests, thread_that_ends_in_a_module_is_unwound);
	if (dlsym(RTLD_DEFAULT, "backtrace"))
		tcase_add_test(tests, backtrace_passes_through_the_loader);
	else
		LEAVE_OUT(backtrace_passes_through_the_loader, "the C library has no backtrace()");
	return true;
}

int main(void)
{
	Suite *suite = suite_create("frames");
	TCase *tests = tcase_create("frames");

	tcase_set_timeout(tests, 60);
	if (!add_tests_by_unwinder(tests))
		puts("skipped what the unwinder finds: there is no " LIBGCC_S_SO
		     " for this C library");
	tcase_add_loop_test(tests, odd_contents_are_refused, 0, COUNT(odd));
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
