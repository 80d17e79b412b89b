/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parameters: every type with its bounds, arrays, strings, quotes, operations of the module's own,
 * what is refused, and the text that permod_parameter() makes.
 *
 * What is right is the kernel's rule: kstrto*() with base 0, param_set_*() and param_get_*() of
 * kernel/params.c, parse_args() of the same file.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <limits.h>

static struct permod_module *load_params(struct permod *pm, const char *params)
{
	return load_file(pm, module_file("params"), params);
}

static void expect_text(struct permod_module *m, const char *name, const char *expected)
{
	char buffer[PERMOD_TEXT];
	int length;

	memset(buffer, '#', sizeof(buffer));
	length = permod_parameter(m, name, buffer);
	ck_assert_msg(length >= 0, "%s: %d", name, length);
	ck_assert_str_eq(buffer, expected);
	ck_assert_int_eq(length, (int)strlen(expected));
}

/* ---- Numbers -------------------------------------------------------------------------------- */

/* What is given, the variable, and its text afterwards. */
static const struct {
	const char *params, *name, *expected;
} good[] = {
	{ "a_byte=0", "a_byte", "0" },
	{ "a_byte=255", "a_byte", "255" },
	{ "a_byte=0xff", "a_byte", "255" },
	{ "a_byte=+7", "a_byte", "7" },
	{ "a_short=-32768", "a_short", "-32768" },
	{ "a_short=32767", "a_short", "32767" },
	{ "a_short=-0x10", "a_short", "-16" },
	{ "a_ushort=65535", "a_ushort", "65535" },
	{ "an_int=-2147483648", "an_int", "-2147483648" },
	{ "an_int=2147483647", "an_int", "2147483647" },
	{ "an_int=0x7fffffff", "an_int", "2147483647" },
	{ "an_int=0X10", "an_int", "16" },
	{ "an_int=010", "an_int", "8" },
	{ "an_int=-010", "an_int", "-8" },
	{ "an_int=0", "an_int", "0" },
	{ "an_int=00", "an_int", "0" },
	{ "an_int=-0", "an_int", "0" },
	{ "an_int=+5", "an_int", "5" },
	{ "a_uint=4294967295", "a_uint", "4294967295" },
	{ "a_uint=037777777777", "a_uint", "4294967295" },
#if __SIZEOF_LONG__ == 8
	{ "a_long=-9223372036854775808", "a_long", "-9223372036854775808" },
	{ "a_long=9223372036854775807", "a_long", "9223372036854775807" },
	{ "a_ulong=18446744073709551615", "a_ulong", "18446744073709551615" },
#endif
	{ "a_ullong=0xffffffffffffffff", "a_ullong", "18446744073709551615" },
	{ "a_ullong=00001", "a_ullong", "1" },
	/* "%#08x" in the kernel, which sets by base 0. */
	{ "a_hexint=31", "a_hexint", "0x00001f" },
	{ "a_hexint=0xdeadbeef", "a_hexint", "0xdeadbeef" },
	{ "a_bool=y", "a_bool", "Y" },
	{ "a_bool=Y", "a_bool", "Y" },
	{ "a_bool=1", "a_bool", "Y" },
	{ "a_bool=on", "a_bool", "Y" },
	{ "a_bool=ON", "a_bool", "Y" },
	{ "a_bool=yes", "a_bool", "Y" },
	{ "a_bool", "a_bool", "Y" },
	{ "a_bool=1 a_bool=n", "a_bool", "N" },
	{ "a_bool=1 a_bool=N", "a_bool", "N" },
	{ "a_bool=1 a_bool=0", "a_bool", "N" },
	{ "a_bool=1 a_bool=off", "a_bool", "N" },
	{ "a_bool=1 a_bool=Off", "a_bool", "N" },
	{ "a_bool=1 a_bool=no", "a_bool", "N" },
	{ "an_invbool=1", "an_invbool", "Y" },
	{ "an_invbool=n", "an_invbool", "N" },
	{ "an_int=1 an_int=2", "an_int", "2" },
	{ "  an_int=1\t a_byte=2\n", "an_int", "1" },
	{ "an_int=1\n", "an_int", "1" },
	{ "an_int=\"12\"", "an_int", "12" },
	{ "", "an_int", "-4" },
	{ " \t\n ", "an_int", "-4" },
	/* Names: '-' and '_' are the same. */
	{ "an-int=5", "an_int", "5" },
	{ "a-bool", "a_bool", "Y" },
	{ "outer_name=9", "outer_name", "9" },
	{ "outer-name=9", "outer_name", "9" },
	/* Strings. */
	{ "a_charp=word", "a_charp", "word" },
	{ "a_charp=", "a_charp", "" },
	{ "a_charp=a=b=c", "a_charp", "a=b=c" },
	{ "a_charp=a,b", "a_charp", "a,b" },
	{ "a_charp=\"two words\" an_int=1", "a_charp", "two words" },
	{ "\"a_charp=two words\" an_int=1", "a_charp", "two words" },
	{ "a_charp=\"\"", "a_charp", "" },
	{ "a_charp=one a_charp=two", "a_charp", "two" },
	{ "a_string=1234567", "a_string", "1234567" },
	{ "a_string=\"a b\"", "a_string", "a b" },
	{ "a_string=", "a_string", "" },
	/* Arrays. */
	{ "numbers=1", "numbers", "1" },
	{ "numbers=1,-2,0x3,04", "numbers", "1,-2,3,4" },
	{ "numbers=1,2,3,4 numbers=5", "numbers", "5" },
	{ "bytes=1,2", "bytes", "1,2" },
	{ "texts=a,bc,d", "texts", "a,bc,d" },
	{ "texts=\"a b,c\"", "texts", "a b,c" },
	{ "flags=y,0,on", "flags", "Y,N,Y" },
};

START_TEST(good_value_is_set_and_shown)
{
	struct permod *pm = new_context();
	struct permod_module *m = load_params(pm, good[_i].params);

	expect_text(m, good[_i].name, good[_i].expected);
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}
END_TEST

/* What is refused, and the parameter and value that the message names. */
static const struct {
	const char *params, *name, *value;
} bad[] = {
	{ "a_byte=256", "a_byte", "256" },
	{ "a_byte=-1", "a_byte", "-1" },
	{ "a_short=32768", "a_short", "32768" },
	{ "a_short=-32769", "a_short", "-32769" },
	{ "a_ushort=65536", "a_ushort", "65536" },
	{ "an_int=2147483648", "an_int", "2147483648" },
	{ "an_int=-2147483649", "an_int", "-2147483649" },
	{ "an_int=0x80000000", "an_int", "0x80000000" },
	{ "a_uint=4294967296", "a_uint", "4294967296" },
	{ "a_uint=-0", "a_uint", "-0" },
	{ "a_long=9223372036854775808", "a_long", "9223372036854775808" },
	{ "a_long=-9223372036854775809", "a_long", "-9223372036854775809" },
	{ "a_ulong=18446744073709551616", "a_ulong", "18446744073709551616" },
	{ "a_ullong=99999999999999999999999", "a_ullong", "99999999999999999999999" },
	{ "a_ullong=0x10000000000000000", "a_ullong", "0x10000000000000000" },
	{ "a_hexint=0x100000000", "a_hexint", "0x100000000" },
	{ "an_int=", "an_int", "" },
	{ "an_int", "an_int", "" },
	{ "an_int=x", "an_int", "x" },
	{ "an_int=1x", "an_int", "1x" },
	{ "an_int=08", "an_int", "08" },
	{ "an_int=0x", "an_int", "0x" },
	{ "an_int=0xg", "an_int", "0xg" },
	{ "an_int=1.5", "an_int", "1.5" },
	{ "an_int=1e3", "an_int", "1e3" },
	{ "an_int=--1", "an_int", "--1" },
	{ "an_int=+-1", "an_int", "+-1" },
	{ "an_int=-", "an_int", "-" },
	{ "an_int=\" 1\"", "an_int", " 1" },
	{ "an_int=\"1 \"", "an_int", "1 " },
	{ "an_int=1,2", "an_int", "1,2" },
	{ "a_bool=", "a_bool", "" },
	{ "a_bool=2", "a_bool", "2" },
	{ "a_bool=maybe", "a_bool", "maybe" },
	{ "a_bool=o", "a_bool", "o" },
	{ "a_bool=ox", "a_bool", "ox" },
	{ "an_invbool=x", "an_invbool", "x" },
	{ "a_charp", "a_charp", "" },
	{ "a_string", "a_string", "" },
	{ "a_string=12345678", "a_string", "12345678" },
	{ "numbers=1,2,3,4,5", "numbers", "1,2,3,4,5" },
	{ "numbers=", "numbers", "" },
	{ "numbers=1,,2", "numbers", "1,,2" },
	{ "numbers=1,", "numbers", "1," },
	{ "numbers=1,x", "numbers", "1,x" },
	{ "numbers", "numbers", "" },
	{ "bytes=1,256", "bytes", "1,256" },
	{ "bytes=1,2,3", "bytes", "1,2,3" },
	{ "flags=y,maybe", "flags", "y,maybe" },
	{ "texts=a,b,c,d", "texts", "a,b,c,d" },
	/* Names that there aren't. */
	{ "nonsense=1", "nonsense", "" },
	{ "nonsense", "nonsense", "" },
	{ "inner_name=1", "inner_name", "" },
	{ "an_in=1", "an_in", "" },
	{ "an_intx=1", "an_intx", "" },
	{ "AN_INT=1", "AN_INT", "" },
	{ "=1", "", "" },
	{ "an_int =1", "an_int", "" },
	{ "an_int=1 a_bool nonsense=7", "nonsense", "" },
};

START_TEST(bad_value_is_refused_and_named)
{
	struct permod *pm = new_context();
	struct permod_module *m = NULL;
	static struct state before, after;

	must(pm, permod_unload(load_params(pm, NULL), 0));
	look(&before);
	expect_error(pm, permod_load(pm, module_file("params"), bad[_i].params, 0, &m), -EINVAL,
		     "load_params", bad[_i].name, bad[_i].value);
	look(&after);
	expect_same(&before, &after, bad[_i].params);
	ck_assert_ptr_null(permod_find(pm, "load_params"));
	permod_free(pm);
}
END_TEST

START_TEST(untouched_parameters_keep_their_values)
{
	struct permod *pm = new_context();
	struct permod_module *m = load_params(pm, NULL);

	expect_text(m, "a_byte", "1");
	expect_text(m, "a_short", "-2");
	expect_text(m, "a_ushort", "3");
	expect_text(m, "an_int", "-4");
	expect_text(m, "a_uint", "5");
	expect_text(m, "a_long", "-6");
	expect_text(m, "a_ulong", "7");
	expect_text(m, "a_ullong", "8");
	expect_text(m, "a_hexint", "0x000009");
	expect_text(m, "a_charp", "initial");
	expect_text(m, "a_bool", "N");
	/* The variable is true. */
	expect_text(m, "an_invbool", "N");
	expect_text(m, "a_string", "seven");
	permod_free(pm);
}
END_TEST

/* The variables themselves, not what the loader says of them. */
START_TEST(variables_are_set_before_init)
{
	struct permod *pm = new_context();
	struct permod_module *m = load_params(
		pm,
		"an_int=77 numbers=5,6,7 texts=x,yy a_bool an_invbool=1 a_string=abc a_byte=200 "
		"a_charp=\"with blanks\" outer_name=3 flags=1,0,1 bytes=9");
	const int *numbers = symbol(m, "numbers");
	char *const *words = symbol(m, "words");
	const bool *flags = symbol(m, "flags");
	const unsigned char *bytes = symbol(m, "bytes");

	ck_assert_int_eq(*(int *)symbol(m, "init_saw"), 77);
	ck_assert_int_eq(*(int *)symbol(m, "an_int"), 77);
	ck_assert_uint_eq(*(unsigned int *)symbol(m, "num_numbers"), 3);
	ck_assert(numbers[0] == 5 && numbers[1] == 6 && numbers[2] == 7 && numbers[3] == 40);
	ck_assert_uint_eq(*(unsigned int *)symbol(m, "num_words"), 2);
	ck_assert_str_eq(words[0], "x");
	ck_assert_str_eq(words[1], "yy");
	ck_assert_ptr_null(words[2]);
	ck_assert(*(bool *)symbol(m, "a_bool"));
	ck_assert(!*(bool *)symbol(m, "an_invbool"));
	ck_assert(flags[0] && !flags[1] && flags[2]);
	ck_assert(bytes[0] == 9 && bytes[1] == 0);
	ck_assert_str_eq(symbol(m, "a_string"), "abc");
	ck_assert_str_eq(*(char **)symbol(m, "a_charp"), "with blanks");
	ck_assert_uint_eq(*(unsigned char *)symbol(m, "a_byte"), 200);
	ck_assert_int_eq(*(int *)symbol(m, "inner_name"), 3);
	permod_free(pm);
}
END_TEST

/* ---- Long texts ----------------------------------------------------------------------------- */

START_TEST(long_text_arrives_whole_and_is_cut_when_shown)
{
	static const size_t lengths[] = { 1000, 4095, 4096, 4097, 100000 };

	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct permod *pm = new_context();
		char *params = malloc(lengths[i] + 20), *guarded = malloc(PERMOD_TEXT);
		struct permod_module *m = NULL;
		int result;

		memset(params, 'x', lengths[i] + 8);
		memcpy(params, "a_charp=", 8);
		params[lengths[i] + 8] = '\0';
		result = permod_load(pm, module_file("params"), params, 0, &m);
		/* The kernel has a bound of 1024; a text that's too long must be told, not cut. */
		if (result == 0)
			ck_assert_uint_eq(strlen(*(char **)symbol(m, "a_charp")), lengths[i]);
		else
			expect_error(pm, result, -EINVAL, "a_charp");
		if (result == 0 && permod_parameter(m, "a_charp", guarded) >= 0)
			ck_assert_uint_le(strlen(guarded), PERMOD_TEXT - 1);
		free(params);
		free(guarded);
		permod_free(pm);
	}
}
END_TEST

START_TEST(long_array_is_shown_within_the_buffer)
{
	static const char source[] = "#include <permod/module.h>\n"
				     "unsigned long many[1000];\n"
				     "module_param_array(many, ulong, NULL, 0444);\n";
	struct permod *pm = new_context();
	char *params = malloc(30000), *guarded = malloc(PERMOD_TEXT);
	struct permod_module *m;
	size_t length;

	strcpy(params, "many=");
	length = strlen(params);
	for (int i = 0; i < 1000; i++)
		length += (size_t)sprintf(params + length, "%s%d", i ? "," : "", 100000 + i);
	m = load_file(pm, compile("many.ko", "", source), params);
	ck_assert_uint_eq(((unsigned long *)symbol(m, "many"))[999], 100999);
	if (permod_parameter(m, "many", guarded) >= 0)
		ck_assert_uint_le(strlen(guarded), PERMOD_TEXT - 1);
	free(params);
	free(guarded);
	permod_free(pm);
}
END_TEST

/* ---- Operations of the module's own --------------------------------------------------------- */

START_TEST(callbacks_set_show_and_free)
{
	struct permod *pm = new_context();
	struct permod_module *m = load_file(pm, module_file("param_cb"), "point=30:-4");

	ck_assert_str_eq(noted(), "set init");
	expect_text(m, "point", "30:-4");
	must(pm, permod_unload(m, 0));
	ck_assert_str_eq(noted(), "exit free");
	permod_free(pm);
}
END_TEST

START_TEST(callback_that_refuses_fails_the_load)
{
	struct permod *pm = new_context();
	struct permod_module *m = NULL;
	int result = permod_load(pm, module_file("param_cb"), "point=nonsense", 0, &m);

	/* -EDOM is what the callback says; the kernel passes it on. */
	ck_assert_msg(result == -EDOM || result == -EINVAL, "%d", result);
	expect_error(pm, result, result, "param_cb", "point", "nonsense");
	ck_assert_ptr_null(strstr(notes, "init"));
	permod_free(pm);
}
END_TEST

START_TEST(callback_decides_whether_it_needs_a_value)
{
	struct permod *pm = new_context();
	struct permod_module *m = load_file(pm, module_file("param_cb"), "switched");
	char buffer[PERMOD_TEXT];

	ck_assert_int_eq(*(int *)symbol(m, "switched"), 1);
	must(pm, permod_unload(m, 0));
	m = load_file(pm, module_file("param_cb"), "switched=x");
	ck_assert_int_eq(*(int *)symbol(m, "switched"), 2);
	/* Nothing shows it. */
	ck_assert_int_lt(permod_parameter(m, "switched", buffer), 0);
	must(pm, permod_unload(m, 0));
	expect_error(pm, permod_load(pm, module_file("param_cb"), "point", 0, NULL), -EINVAL,
		     "param_cb", "point");
	permod_free(pm);
}
END_TEST

/* Handlers go with the code that they are, although init never ran. */
START_TEST(callback_that_registers_a_handler)
{
	static const char source[] =
		"#include <permod/module.h>\n"
		"#include <stdlib.h>\n"
		"void note(const char *);\n"
		"static void handler(void) { note(\"handler\"); }\n"
		"static int set(const char *value, const struct kernel_param *param)\n"
		"{\n"
		"	return *value == 'y' ? atexit(handler) : -EINVAL;\n"
		"}\n"
		"static const struct kernel_param_ops ops = { .set = set };\n"
		"module_param_cb(one, &ops, NULL, 0);\n";
	struct permod *pm = new_context();
	const char *path = compile("handler.ko", "", source);

	expect_error(pm, permod_load(pm, path, "one=y one=n", 0, NULL), -EINVAL, "one");
	ck_assert_str_eq(noted(), "handler");
	must(pm, permod_load(pm, path, "one=y", PERMOD_LOAD_NO_INIT, NULL));
	must(pm, permod_unload(permod_find(pm, "handler"), 0));
	ck_assert_str_eq(noted(), "handler");
	permod_free(pm);
}
END_TEST

/* ---- What goes with init -------------------------------------------------------------------- */

/* In the kernel too, if they have no file. */
START_TEST(parameters_can_be_freed_with_init)
{
	static const char source[] =
		"#include <permod/module.h>\n"
		"#include <string.h>\n"
		"void note(const char *);\n"
		"static int number __initdata; module_param(number, int, 0);\n"
		"static char *word __initdata; module_param(word, charp, 0);\n"
		"static char text[8] __initdata; module_param_string(text, text, sizeof(text), 0);\n"
		"static char *words[2] __initdata; static unsigned int count __initdata;\n"
		"module_param_array(words, charp, &count, 0);\n"
		"static void free_it(void *arg) { note(\"free\"); }\n"
		"static int __init set(const char *value, const struct kernel_param *param)\n"
		"{ return 0; }\n"
		"static const struct kernel_param_ops ops __initconst = {\n"
		"	.set = set, .free = free_it };\n"
		"module_param_cb(own, &ops, NULL, 0);\n"
		"int kept; module_param(kept, int, 0);\n"
		"const char *same_word;\n"
		"static int __init begin(void)\n"
		"{\n"
		"	same_word = word;\n"
		"	note(number == 3 && count == 2 && !strcmp(text, \"t\") ? words[1] : \"\");\n"
		"	return 0;\n"
		"}\n"
		"module_init(begin);\n"
		"static void end(void) { note(same_word); }\n"
		"module_exit(end);\n";
	static const char *const gone[] = { "number", "word", "text", "words", "own" };
	struct permod *pm = new_context();
	struct permod_module *m = load_file(pm, compile("early.ko", "", source),
					    "number=3 word=w text=t words=a,b own=1 kept=4");
	char buffer[PERMOD_TEXT];

	ck_assert_str_eq(noted(), "b free");
	for (size_t i = 0; i < COUNT(gone); i++)
		ck_assert_int_eq(permod_parameter(m, gone[i], buffer), -ENOENT);
	expect_text(m, "kept", "4");
	must(pm, permod_unload(m, 0));
	ck_assert_str_eq(noted(), "w");
	permod_free(pm);
}
END_TEST

START_TEST(texts_go_with_the_module_wherever_it_points)
{
	static const char source[] = "#include <permod/module.h>\n"
				     "char *word; module_param(word, charp, 0);\n"
				     "int init_module(void) { word++; return 0; }\n"
				     "void cleanup_module(void) { }\n";
	struct permod *pm = new_context();
	const char *path = compile("moved.ko", "", source);
	static struct state before, after;
	struct permod_module *m;

	for (int i = 0; i < 120; i++) {
		if (i == 20)
			look(&before);
		m = load_file(pm, path, "word=first word=second");
		expect_text(m, "word", "econd");
		must(pm, permod_unload(m, 0));
	}
	look(&after);
	expect_same(&before, &after, "texts");
	/* A hundred texts would be 3 200 bytes at least.  What waits in a thread's cache is counted too. */
	ck_assert_msg(after.heap < before.heap + 1600 || under_valgrind(),
		      "%zu bytes in use, were %zu", after.heap, before.heap);
	permod_free(pm);
}
END_TEST

/* ---- Looking -------------------------------------------------------------------------------- */

START_TEST(parameter_shows_the_present_value)
{
	struct permod *pm = new_context();
	struct permod_module *m = load_params(pm, "an_int=3");
	char buffer[PERMOD_TEXT];

	*(int *)symbol(m, "an_int") = -88;
	expect_text(m, "an_int", "-88");
	ck_assert_int_eq(permod_parameter(m, "nonsense", buffer), -ENOENT);
	ck_assert_int_eq(permod_parameter(m, "inner_name", buffer), -ENOENT);
	ck_assert_int_eq(permod_parameter(m, "", buffer), -ENOENT);
	m = load(pm, "plain");
	ck_assert_int_eq(permod_parameter(m, "an_int", buffer), -ENOENT);
	permod_free(pm);
}
END_TEST

START_TEST(plain_object_takes_no_parameters)
{
	struct permod *pm = new_context();

	expect_error(pm, permod_load(pm, module_file("plain"), "x=1", 0, NULL), -EINVAL,
		     "load_plain", "x");
	must(pm, permod_load(pm, module_file("plain"), "", 0, NULL));
	permod_free(pm);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("params");
	TCase *tests = tcase_create("params");

	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, good_value_is_set_and_shown, 0, COUNT(good));
	tcase_add_loop_test(tests, bad_value_is_refused_and_named, 0, COUNT(bad));
	tcase_add_test(tests, untouched_parameters_keep_their_values);
	tcase_add_test(tests, variables_are_set_before_init);
	tcase_add_test(tests, long_text_arrives_whole_and_is_cut_when_shown);
	tcase_add_test(tests, long_array_is_shown_within_the_buffer);
	tcase_add_test(tests, callbacks_set_show_and_free);
	tcase_add_test(tests, callback_that_refuses_fails_the_load);
	tcase_add_test(tests, callback_decides_whether_it_needs_a_value);
	tcase_add_test(tests, callback_that_registers_a_handler);
	tcase_add_test(tests, parameters_can_be_freed_with_init);
	tcase_add_test(tests, texts_go_with_the_module_wherever_it_points);
	tcase_add_test(tests, parameter_shows_the_present_value);
	tcase_add_test(tests, plain_object_takes_no_parameters);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return run_suite(make_suite());
}
