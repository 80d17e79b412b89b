/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * KUnit: runs suites and writes KTAP into the log.
 *
 *     KTAP version 1
 *     1..2
 *         KTAP version 1
 *         # Subtest: a suite
 *         1..1
 *         # a case: EXPECTATION FAILED at file.c:12
 *             Expected found == 3, but ...
 *         not ok 1 a case
 *     not ok 1 a suite
 *
 * A case runs in the thread that loads the module; an assertion that is not met leaves it by
 * longjmp().
 */
#include <kunit/test.h>

/* Memory of a case, in front of what the case has. */
struct kunit_memory {
	struct kunit_memory *next;
	_Alignas(max_align_t) char bytes[];
};

/* ---- Ending and failing --------------------------------------------------------------------- */

void kunit_end_case(struct kunit *test)
{
	longjmp(test->end, 1);
}

void kunit_mark_skipped(struct kunit *test, const char *format, ...)
{
	va_list args;

	if (test->status == KUNIT_FAILURE)
		return;
	va_start(args, format);
	vsnprintf(test->comment, sizeof(test->comment), format, args);
	va_end(args);
	test->status = KUNIT_SKIPPED;
}

static void begin_failure(struct kunit *test, const struct kunit_check *check)
{
	test->status = KUNIT_FAILURE;
	_printk("    # %s: %s FAILED at %s:%d\n", test->name,
		check->assertion ? "ASSERTION" : "EXPECTATION", check->file, check->line);
}

__printf(3, 0) static void end_failure(struct kunit *test, const struct kunit_check *check,
				       const char *format, va_list args)
{
	char text[512];

	if (format) {
		vsnprintf(text, sizeof(text), format, args);
		_printk("        %s\n", text);
	}
	if (check->assertion)
		kunit_end_case(test);
}

/* end_failure() may not return, so there is no va_end() then; it does nothing here. */
void kunit_fail(struct kunit *test, const struct kunit_check *check, const char *format, ...)
{
	va_list args;

	begin_failure(test, check);
	if (check->what)
		_printk("        Expected %s\n", check->what);
	va_start(args, format);
	end_failure(test, check, format, args);
	va_end(args);
}

void kunit_fail_integers(struct kunit *test, const struct kunit_check *check, long long left,
			 long long right, const char *format, ...)
{
	va_list args;

	begin_failure(test, check);
	_printk("        Expected %s %s %s, but %lld (0x%llx) and %lld (0x%llx) were found\n",
		check->left, check->what, check->right, left, left, right, right);
	va_start(args, format);
	end_failure(test, check, format, args);
	va_end(args);
}

void kunit_fail_pointers(struct kunit *test, const struct kunit_check *check, const void *left,
			 const void *right, const char *format, ...)
{
	va_list args;

	begin_failure(test, check);
	_printk("        Expected %s %s %s, but %p and %p were found\n", check->left, check->what,
		check->right, left, right);
	va_start(args, format);
	end_failure(test, check, format, args);
	va_end(args);
}

void kunit_fail_strings(struct kunit *test, const struct kunit_check *check, const char *left,
			const char *right, const char *format, ...)
{
	va_list args;

	begin_failure(test, check);
	_printk("        Expected %s %s %s, but \"%s\" and \"%s\" were found\n", check->left,
		check->what, check->right, left, right);
	va_start(args, format);
	end_failure(test, check, format, args);
	va_end(args);
}

/* ---- Memory --------------------------------------------------------------------------------- */

void *kunit_kmalloc_array(struct kunit *test, size_t count, size_t size, gfp_t flags)
{
	struct kunit_memory *memory;
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes) ||
	    __builtin_add_overflow(bytes, sizeof(*memory), &bytes))
		return NULL;
	memory = kmalloc(bytes, flags);
	if (!memory)
		return NULL;
	memory->next = test->memory;
	test->memory = memory;
	return memory->bytes;
}

static void free_memory(struct kunit *test)
{
	struct kunit_memory *memory;

	while ((memory = test->memory)) {
		test->memory = memory->next;
		kfree(memory);
	}
}

/* ---- Running -------------------------------------------------------------------------------- */

/* "ok 1 NAME", and of a case that was skipped the directive that tells so, and why. */
static void print_result(const char *indent, enum kunit_status status, unsigned int number,
			 const char *name, const char *why)
{
	_printk("%s%s %u %s%s%s%s\n", indent, status == KUNIT_FAILURE ? "not ok" : "ok", number,
		name, status == KUNIT_SKIPPED ? " # SKIP" : "", *why ? " " : "", why);
}

/* One run of a case, with a parameter or without. */
static void run_once(struct kunit_suite *suite, struct kunit_case *one, struct kunit *test)
{
	int error;

	test->status = KUNIT_SUCCESS;
	test->comment[0] = '\0';
	if (setjmp(test->end) == 0) {
		error = suite->init ? suite->init(test) : 0;
		if (error) {
			test->status = KUNIT_FAILURE;
			_printk("    # %s: the suite's init returned %d\n", test->name, error);
		} else if (test->status == KUNIT_SUCCESS) {
			one->run_case(test);
		}
	}
	if (suite->exit && setjmp(test->end) == 0)
		suite->exit(test);
	free_memory(test);
}

static enum kunit_status run_with_parameters(struct kunit_suite *suite, struct kunit_case *one,
					     struct kunit *test)
{
	enum kunit_status status = KUNIT_SKIPPED;
	char name[KUNIT_PARAM_DESC_SIZE];
	unsigned int number = 0;

	_printk("        KTAP version 1\n        # Subtest: %s\n", one->name);
	name[0] = '\0';
	while ((test->param_value = one->generate_params(test->param_value, name))) {
		test->priv = NULL;
		run_once(suite, one, test);
		print_result("        ", test->status, ++number, name, test->comment);
		if (test->status == KUNIT_FAILURE || status == KUNIT_SKIPPED)
			status = test->status;
		name[0] = '\0';
	}
	_printk("        1..%u\n", number);
	return status;
}

static enum kunit_status run_case(struct kunit_suite *suite, struct kunit_case *one,
				  unsigned int number)
{
	struct kunit test = { .name = one->name };
	enum kunit_status status;

	if (one->generate_params) {
		status = run_with_parameters(suite, one, &test);
		test.comment[0] = '\0';
	} else {
		run_once(suite, one, &test);
		status = test.status;
	}
	print_result("    ", status, number, one->name, test.comment);
	return status;
}

/* A suite is skipped if all its cases are. */
static enum kunit_status run_suite(struct kunit_suite *suite)
{
	enum kunit_status status = KUNIT_SKIPPED, found;
	unsigned int count = 0;
	int error;

	while (suite->test_cases[count].run_case)
		count++;
	_printk("    KTAP version 1\n    # Subtest: %s\n    1..%u\n", suite->name, count);
	error = suite->suite_init ? suite->suite_init(suite) : 0;
	if (error) {
		_printk("    # %s: its init returned %d\n", suite->name, error);
		return KUNIT_FAILURE;
	}
	for (unsigned int i = 0; i < count; i++) {
		found = run_case(suite, &suite->test_cases[i], i + 1);
		if (found == KUNIT_FAILURE || status == KUNIT_SKIPPED)
			status = found;
	}
	if (suite->suite_exit)
		suite->suite_exit(suite);
	return status;
}

int kunit_run_suites(struct kunit_suite *const *suites, size_t count)
{
	int result = 0;

	_printk("KTAP version 1\n1..%zu\n", count);
	for (size_t i = 0; i < count; i++) {
		enum kunit_status status = run_suite(suites[i]);

		print_result("", status, (unsigned int)i + 1, suites[i]->name, "");
		if (status == KUNIT_FAILURE)
			result = -EINVAL;
	}
	return result;
}
