/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the dynamic linker finds is a function, or it is not: of libc, of this program, and of
 * libraries that have their constants among their code, with each kind of table of hashes and none
 * that is known.
 */
#define _GNU_SOURCE
#include "loader/internal.h"
#include "tests/percpu/helper.h"

#include <check.h>
#include <dlfcn.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The assembler's are constants, and a function, that lie among the code. */
static const char source[] =
	"__asm__(\".text\\n.globl words, odd, twin\\n.type words, %object\\n.type twin, %object\\n\"\n"
	"        \"words: twin: .long 1, 2, 3\\n.size words, 12\\n.size twin, 12\\nodd: .long 4\\n\"\n"
	"        \".globl both\\n.type both, %function\\nboth: .long 5\\n\");\n"
	"int hidden_one(void) { return 1; }\n"
	"int one(void) { return 1; }\n"
	"__attribute__((weak)) int two(void) { return 2; }\n"
	"static int (*choose(void))(void) { return hidden_one; }\n"
	"int chosen(void)\n"
	"#ifdef HAS_IFUNCS\n"
	"	__attribute__((ifunc(\"choose\")));\n"
	"#else\n"
	"{ return choose()(); }\n"
	"#endif\n"
	"int variable = 1;\n"
	"const int constant = 2;\n";

static const struct {
	const char *name;
	bool function;
} symbols[] = {
	{ "one", true },    { "two", true },	    { "chosen", true },	   { "both", true },
	{ "words", false }, { "twin", false },	    { "variable", false }, { "constant", false },
	{ "one@X", true },  { "words@X_1", false },
};

/* Ways in which libraries are linked. */
static const char *const ways[] = {
	"-Wl,--hash-style=gnu",
	"-Wl,--hash-style=both",
	"-Wl,--hash-style=sysv",
	"-Wl,-z,noseparate-code -Wl,--hash-style=gnu",
	"-Wl,-z,norelro -Wl,--hash-style=gnu",
};

static void *open_library(const char *way)
{
	char folder[] = "/tmp/permod-test.XXXXXX", line[1024], path[64];
	const char *compiler = getenv("CC");
	void *library;
	FILE *file;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/library.c", folder);
	file = fopen(path, "we");
	check_that(file && fputs(source, file) >= 0 && fclose(file) == 0);
	snprintf(path, sizeof(path), "%s/library.so", folder);
	snprintf(line, sizeof(line), "%s -shared -fPIC %s %s -o %s %s/library.c",
		 compiler && *compiler ? compiler : "gcc", way,
		 has_indirect_functions() ? "-DHAS_IFUNCS" : "", path, folder);
	ck_assert_msg(system(line) == 0, "%s", line);
	library = dlopen(path, RTLD_NOW);
	ck_assert_msg(library, "%s", dlerror());
	snprintf(line, sizeof(line), "rm -rf %s", folder);
	ck_assert_int_eq(system(line), 0);
	return library;
}

START_TEST(types_tell_functions_from_constants_in_code)
{
	void *library = open_library(ways[_i]);

	for (size_t i = 0; i < COUNT(symbols); i++) {
		char name[16];
		void *address;

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(symbols[i].name, "@"),
			 symbols[i].name);
		address = dlsym(library, name);
#ifndef __GLIBC__
		/* Other C libraries know no symbols of which a function chooses the address. */
		if (!address && !strcmp(name, "chosen"))
			continue;
#endif
		ck_assert_msg(address, "%s", dlerror());
		ck_assert_msg(names_function(symbols[i].name, (uintptr_t)address) ==
				      symbols[i].function,
			      "%s: %s", ways[_i], symbols[i].name);
	}
	dlclose(library);
}
END_TEST

START_TEST(functions_of_libc_are_such)
{
	static const char *const functions[] = { "printf", "memcpy", "strlen", "gettimeofday" },
				 *const others[] = { "stdout", "environ", "in6addr_any" };

	for (size_t i = 0; i < COUNT(functions); i++)
		ck_assert_msg(names_function(functions[i],
					     (uintptr_t)dlsym(RTLD_DEFAULT, functions[i])),
			      "%s", functions[i]);
	for (size_t i = 0; i < COUNT(others); i++)
		ck_assert_msg(!names_function(others[i], (uintptr_t)dlsym(RTLD_DEFAULT, others[i])),
			      "%s", others[i]);
}
END_TEST

START_TEST(what_is_no_symbol_is_not_read)
{
	static int on_heap_or_stack;
	void *heap = malloc(1);

	ck_assert(!names_function("nothing", 0));
	ck_assert(!names_function("nothing", UINTPTR_MAX));
	ck_assert(!names_function("nothing", (uintptr_t)&on_heap_or_stack));
	ck_assert(!names_function("nothing", (uintptr_t)heap));
	ck_assert(!names_function("", (uintptr_t)&on_heap_or_stack));
	free(heap);
}
END_TEST

int main(void)
{
	SRunner *runner;
	int failed;
	Suite *suite = suite_create("dynamic");
	TCase *tests = tcase_create("dynamic");

	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, types_tell_functions_from_constants_in_code, 0, COUNT(ways));
	tcase_add_test(tests, functions_of_libc_are_such);
	tcase_add_test(tests, what_is_no_symbol_is_not_read);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
