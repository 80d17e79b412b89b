/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * KUnit: suites of test cases, run when the module is loaded.
 *
 * Results go to the log (standard error) in KTAP: "ok 1 name" for each case and each suite, and
 * for each expectation that was not met where it is and what was found.  An expectation
 * (KUNIT_EXPECT_*) lets its case go on, an assertion (KUNIT_ASSERT_*) ends it.  Other than the
 * kernel's, a module of which a case failed fails to load, with -EINVAL, so that whoever loads it
 * sees that.
 */
#ifndef PERMOD_KERNEL_KUNIT_TEST_H
#define PERMOD_KERNEL_KUNIT_TEST_H

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <setjmp.h>

/** KUNIT_PARAM_DESC_SIZE - bytes for the name of a parameter, with its NUL. */
#define KUNIT_PARAM_DESC_SIZE 128

enum kunit_status {
	KUNIT_SUCCESS,
	KUNIT_FAILURE,
	KUNIT_SKIPPED,
};

/**
 * struct kunit - a case that runs.
 * @priv:	for the suite's own use
 * @name:	of the case
 * @param_value: the parameter of this run, if the case has any
 * @status, @comment: the result, and why it was skipped
 * @memory:	what kunit_kmalloc() gave out: freed when the case has ended
 * @end:	where an assertion that is not met goes
 */
struct kunit {
	void *priv;
	const char *name;
	const void *param_value;
	enum kunit_status status;
	char comment[256];
	struct kunit_memory *memory;
	jmp_buf end;
};

/**
 * struct kunit_case - a function of a suite; a list of them ends with an empty one.
 * @run_case:	the test
 * @name:	its name
 * @generate_params: NULL, or gives the parameter after @previous (NULL: the first), and its name;
 *		NULL if there is no more.  The test runs once for each.
 */
struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
	const void *(*generate_params)(const void *previous, char *name);
};

/**
 * struct kunit_suite - cases that belong together.
 * @suite_init, @suite_exit: NULL, or run once before and after all cases; if the first fails (a
 *		negative errno), no case runs, and the suite has failed
 * @init, @exit: NULL, or run before and after each case; if the first fails, so does the case
 */
struct kunit_suite {
	const char name[256];
	int (*suite_init)(struct kunit_suite *suite);
	void (*suite_exit)(struct kunit_suite *suite);
	int (*init)(struct kunit *test);
	void (*exit)(struct kunit *test);
	struct kunit_case *test_cases;
};

#define KUNIT_CASE(function)                                                                       \
	{                                                                                          \
		.run_case = function, .name = #function                                            \
	}
#define KUNIT_CASE_PARAM(function, generator)                                                      \
	{                                                                                          \
		.run_case = function, .name = #function, .generate_params = generator              \
	}

/** KUNIT_ARRAY_PARAM() - the generator NAME_gen_params() of the elements of an array; @get_name
 * (NULL, or a function of an element and a buffer) names each. */
#define KUNIT_ARRAY_PARAM(prefix, array, get_name)                                                 \
	static const void *prefix##_gen_params(const void *previous, char *name)                   \
	{                                                                                          \
		__typeof__(&(array)[0]) next =                                                     \
			previous ? (__typeof__(&(array)[0]))previous + 1 : &(array)[0];            \
		void (*describe)(__typeof__(next), char *) = get_name;                             \
                                                                                                   \
		if (next >= &(array)[ARRAY_SIZE(array)])                                           \
			return NULL;                                                               \
		if (describe)                                                                      \
			describe(next, name);                                                      \
		return next;                                                                       \
	}

/** kunit_run_suites() - run all; 0, or -EINVAL if a case or a suite failed. */
int kunit_run_suites(struct kunit_suite *const *suites, size_t count);

/** kunit_test_suites(&suite, ...) - the suites of this module, once in a module. */
#define kunit_test_suites(...)                                                                     \
	static struct kunit_suite *const kunit_suites[] = { __VA_ARGS__ };                         \
	static int kunit_init(void)                                                                \
	{                                                                                          \
		return kunit_run_suites(kunit_suites, ARRAY_SIZE(kunit_suites));                   \
	}                                                                                          \
	static void kunit_exit(void)                                                               \
	{                                                                                          \
	}                                                                                          \
	module_init(kunit_init);                                                                   \
	module_exit(kunit_exit)
#define kunit_test_suite(suite) kunit_test_suites(&(suite))

/* ---- For cases ------------------------------------------------------------------------------ */

#define kunit_printk(level, test, format, ...)                                                     \
	printk(level "    # %s: " format, (test)->name, ##__VA_ARGS__)
#define kunit_info(test, format, ...) kunit_printk(KERN_INFO, test, format, ##__VA_ARGS__)
#define kunit_warn(test, format, ...) kunit_printk(KERN_WARNING, test, format, ##__VA_ARGS__)
#define kunit_err(test, format, ...) kunit_printk(KERN_ERR, test, format, ##__VA_ARGS__)

/** kunit_mark_skipped() - the result is "skipped", and why, unless the case has failed already;
 * kunit_skip() ends the case as well. */
void kunit_mark_skipped(struct kunit *test, const char *format, ...) __printf(2, 3);
#define kunit_skip(test, format, ...)                                                              \
	do {                                                                                       \
		kunit_mark_skipped(test, format, ##__VA_ARGS__);                                   \
		kunit_end_case(test);                                                              \
	} while (0)

/** kunit_kmalloc() and the others - memory that is freed when the case has ended. */
void *kunit_kmalloc_array(struct kunit *test, size_t count, size_t size, gfp_t flags);
#define kunit_kmalloc(test, size, flags) kunit_kmalloc_array(test, 1, size, flags)
#define kunit_kzalloc(test, size, flags) kunit_kmalloc(test, size, (flags) | __GFP_ZERO)
#define kunit_kcalloc(test, count, size, flags)                                                    \
	kunit_kmalloc_array(test, count, size, (flags) | __GFP_ZERO)

/* ---- Expectations and assertions ------------------------------------------------------------ */

/**
 * struct kunit_check - where something is expected, and what.
 * @assertion:	whether the case ends if it is not so
 * @what:	the condition, as text; of a comparison of two values without them
 * @left, @right: the operands as text, of a comparison
 */
struct kunit_check {
	const char *file;
	int line;
	bool assertion;
	const char *what, *left, *right;
};

/* What the macros call if something is not as expected; @format may be NULL. */
void kunit_fail(struct kunit *test, const struct kunit_check *check, const char *format, ...)
	__printf(3, 4) __attribute__((cold));
void kunit_fail_integers(struct kunit *test, const struct kunit_check *check, long long left,
			 long long right, const char *format, ...) __printf(5, 6)
	__attribute__((cold));
void kunit_fail_pointers(struct kunit *test, const struct kunit_check *check, const void *left,
			 const void *right, const char *format, ...) __printf(5, 6)
	__attribute__((cold));
void kunit_fail_strings(struct kunit *test, const struct kunit_check *check, const char *left,
			const char *right, const char *format, ...) __printf(5, 6)
	__attribute__((cold));
void kunit_end_case(struct kunit *test) __attribute__((noreturn));

#define PERMOD_KUNIT_CHECK(is_assertion, ...)                                                      \
	static const struct kunit_check permod_check = { __FILE__, __LINE__, is_assertion,         \
							 __VA_ARGS__ }

#define PERMOD_KUNIT_IS(test, assertion, wanted, condition, ...)                                   \
	do {                                                                                       \
		PERMOD_KUNIT_CHECK(assertion, #condition " to be " #wanted, NULL, NULL);           \
		bool permod_is = !!(condition);                                                    \
		if (permod_is != (wanted))                                                         \
			kunit_fail(test, &permod_check, __VA_ARGS__);                              \
	} while (0)

#define PERMOD_KUNIT_COMPARE(test, assertion, kind, type, a, op, b, ...)                           \
	do {                                                                                       \
		PERMOD_KUNIT_CHECK(assertion, #op, #a, #b);                                        \
		const __typeof__(a) permod_left = (a);                                             \
		const __typeof__(b) permod_right = (b);                                            \
		if (!(permod_left op permod_right))                                                \
			kunit_fail_##kind(test, &permod_check, (type)permod_left,                  \
					  (type)permod_right, __VA_ARGS__);                        \
	} while (0)

#define PERMOD_KUNIT_STRINGS(test, assertion, a, op, b, ...)                                       \
	do {                                                                                       \
		PERMOD_KUNIT_CHECK(assertion, #op, #a, #b);                                        \
		const char *permod_left = (a);                                                     \
		const char *permod_right = (b);                                                    \
		if (!(strcmp(permod_left, permod_right) op 0))                                     \
			kunit_fail_strings(test, &permod_check, permod_left, permod_right,         \
					   __VA_ARGS__);                                           \
	} while (0)

#define PERMOD_KUNIT_VALID(test, assertion, pointer, ...)                                          \
	do {                                                                                       \
		PERMOD_KUNIT_CHECK(assertion, #pointer " to be no error and not NULL", NULL,       \
				   NULL);                                                          \
		if (IS_ERR_OR_NULL(pointer))                                                       \
			kunit_fail(test, &permod_check, __VA_ARGS__);                              \
	} while (0)

/* The last argument of each macro below is NULL if there is no message. */
#define PERMOD_INTEGERS(test, assertion, a, op, b, ...)                                            \
	PERMOD_KUNIT_COMPARE(test, assertion, integers, long long, a, op, b, __VA_ARGS__)
#define PERMOD_POINTERS(test, assertion, a, op, b, ...)                                            \
	PERMOD_KUNIT_COMPARE(test, assertion, pointers, const void *, a, op, b, __VA_ARGS__)

#define KUNIT_FAIL(test, ...)                                                                      \
	do {                                                                                       \
		PERMOD_KUNIT_CHECK(false, NULL, NULL, NULL);                                       \
		kunit_fail(test, &permod_check, __VA_ARGS__);                                      \
	} while (0)

/* Each as an expectation and as an assertion, without a message and with one (_MSG). */
#define KUNIT_EXPECT_TRUE(t, c) PERMOD_KUNIT_IS(t, false, true, c, NULL)
#define KUNIT_EXPECT_TRUE_MSG(t, c, ...) PERMOD_KUNIT_IS(t, false, true, c, __VA_ARGS__)
#define KUNIT_ASSERT_TRUE(t, c) PERMOD_KUNIT_IS(t, true, true, c, NULL)
#define KUNIT_ASSERT_TRUE_MSG(t, c, ...) PERMOD_KUNIT_IS(t, true, true, c, __VA_ARGS__)
#define KUNIT_EXPECT_FALSE(t, c) PERMOD_KUNIT_IS(t, false, false, c, NULL)
#define KUNIT_EXPECT_FALSE_MSG(t, c, ...) PERMOD_KUNIT_IS(t, false, false, c, __VA_ARGS__)
#define KUNIT_ASSERT_FALSE(t, c) PERMOD_KUNIT_IS(t, true, false, c, NULL)
#define KUNIT_ASSERT_FALSE_MSG(t, c, ...) PERMOD_KUNIT_IS(t, true, false, c, __VA_ARGS__)

#define KUNIT_EXPECT_EQ(t, a, b) PERMOD_INTEGERS(t, false, a, ==, b, NULL)
#define KUNIT_EXPECT_EQ_MSG(t, a, b, ...) PERMOD_INTEGERS(t, false, a, ==, b, __VA_ARGS__)
#define KUNIT_ASSERT_EQ(t, a, b) PERMOD_INTEGERS(t, true, a, ==, b, NULL)
#define KUNIT_ASSERT_EQ_MSG(t, a, b, ...) PERMOD_INTEGERS(t, true, a, ==, b, __VA_ARGS__)
#define KUNIT_EXPECT_NE(t, a, b) PERMOD_INTEGERS(t, false, a, !=, b, NULL)
#define KUNIT_EXPECT_NE_MSG(t, a, b, ...) PERMOD_INTEGERS(t, false, a, !=, b, __VA_ARGS__)
#define KUNIT_ASSERT_NE(t, a, b) PERMOD_INTEGERS(t, true, a, !=, b, NULL)
#define KUNIT_ASSERT_NE_MSG(t, a, b, ...) PERMOD_INTEGERS(t, true, a, !=, b, __VA_ARGS__)
#define KUNIT_EXPECT_LT(t, a, b) PERMOD_INTEGERS(t, false, a, <, b, NULL)
#define KUNIT_EXPECT_LT_MSG(t, a, b, ...) PERMOD_INTEGERS(t, false, a, <, b, __VA_ARGS__)
#define KUNIT_ASSERT_LT(t, a, b) PERMOD_INTEGERS(t, true, a, <, b, NULL)
#define KUNIT_ASSERT_LT_MSG(t, a, b, ...) PERMOD_INTEGERS(t, true, a, <, b, __VA_ARGS__)
#define KUNIT_EXPECT_LE(t, a, b) PERMOD_INTEGERS(t, false, a, <=, b, NULL)
#define KUNIT_EXPECT_LE_MSG(t, a, b, ...) PERMOD_INTEGERS(t, false, a, <=, b, __VA_ARGS__)
#define KUNIT_ASSERT_LE(t, a, b) PERMOD_INTEGERS(t, true, a, <=, b, NULL)
#define KUNIT_ASSERT_LE_MSG(t, a, b, ...) PERMOD_INTEGERS(t, true, a, <=, b, __VA_ARGS__)
#define KUNIT_EXPECT_GT(t, a, b) PERMOD_INTEGERS(t, false, a, >, b, NULL)
#define KUNIT_EXPECT_GT_MSG(t, a, b, ...) PERMOD_INTEGERS(t, false, a, >, b, __VA_ARGS__)
#define KUNIT_ASSERT_GT(t, a, b) PERMOD_INTEGERS(t, true, a, >, b, NULL)
#define KUNIT_ASSERT_GT_MSG(t, a, b, ...) PERMOD_INTEGERS(t, true, a, >, b, __VA_ARGS__)
#define KUNIT_EXPECT_GE(t, a, b) PERMOD_INTEGERS(t, false, a, >=, b, NULL)
#define KUNIT_EXPECT_GE_MSG(t, a, b, ...) PERMOD_INTEGERS(t, false, a, >=, b, __VA_ARGS__)
#define KUNIT_ASSERT_GE(t, a, b) PERMOD_INTEGERS(t, true, a, >=, b, NULL)
#define KUNIT_ASSERT_GE_MSG(t, a, b, ...) PERMOD_INTEGERS(t, true, a, >=, b, __VA_ARGS__)

#define KUNIT_EXPECT_PTR_EQ(t, a, b) PERMOD_POINTERS(t, false, a, ==, b, NULL)
#define KUNIT_EXPECT_PTR_EQ_MSG(t, a, b, ...) PERMOD_POINTERS(t, false, a, ==, b, __VA_ARGS__)
#define KUNIT_ASSERT_PTR_EQ(t, a, b) PERMOD_POINTERS(t, true, a, ==, b, NULL)
#define KUNIT_ASSERT_PTR_EQ_MSG(t, a, b, ...) PERMOD_POINTERS(t, true, a, ==, b, __VA_ARGS__)
#define KUNIT_EXPECT_PTR_NE(t, a, b) PERMOD_POINTERS(t, false, a, !=, b, NULL)
#define KUNIT_EXPECT_PTR_NE_MSG(t, a, b, ...) PERMOD_POINTERS(t, false, a, !=, b, __VA_ARGS__)
#define KUNIT_ASSERT_PTR_NE(t, a, b) PERMOD_POINTERS(t, true, a, !=, b, NULL)
#define KUNIT_ASSERT_PTR_NE_MSG(t, a, b, ...) PERMOD_POINTERS(t, true, a, !=, b, __VA_ARGS__)
#define KUNIT_EXPECT_NULL(t, a) KUNIT_EXPECT_PTR_EQ(t, (const void *)(a), (const void *)NULL)
#define KUNIT_ASSERT_NULL(t, a) KUNIT_ASSERT_PTR_EQ(t, (const void *)(a), (const void *)NULL)
#define KUNIT_EXPECT_NOT_NULL(t, a) KUNIT_EXPECT_PTR_NE(t, (const void *)(a), (const void *)NULL)
#define KUNIT_ASSERT_NOT_NULL(t, a) KUNIT_ASSERT_PTR_NE(t, (const void *)(a), (const void *)NULL)
#define KUNIT_EXPECT_NOT_ERR_OR_NULL(t, a) PERMOD_KUNIT_VALID(t, false, a, NULL)
#define KUNIT_EXPECT_NOT_ERR_OR_NULL_MSG(t, a, ...) PERMOD_KUNIT_VALID(t, false, a, __VA_ARGS__)
#define KUNIT_ASSERT_NOT_ERR_OR_NULL(t, a) PERMOD_KUNIT_VALID(t, true, a, NULL)
#define KUNIT_ASSERT_NOT_ERR_OR_NULL_MSG(t, a, ...) PERMOD_KUNIT_VALID(t, true, a, __VA_ARGS__)

#define KUNIT_EXPECT_STREQ(t, a, b) PERMOD_KUNIT_STRINGS(t, false, a, ==, b, NULL)
#define KUNIT_EXPECT_STREQ_MSG(t, a, b, ...) PERMOD_KUNIT_STRINGS(t, false, a, ==, b, __VA_ARGS__)
#define KUNIT_ASSERT_STREQ(t, a, b) PERMOD_KUNIT_STRINGS(t, true, a, ==, b, NULL)
#define KUNIT_ASSERT_STREQ_MSG(t, a, b, ...) PERMOD_KUNIT_STRINGS(t, true, a, ==, b, __VA_ARGS__)
#define KUNIT_EXPECT_STRNEQ(t, a, b) PERMOD_KUNIT_STRINGS(t, false, a, !=, b, NULL)
#define KUNIT_EXPECT_STRNEQ_MSG(t, a, b, ...) PERMOD_KUNIT_STRINGS(t, false, a, !=, b, __VA_ARGS__)
#define KUNIT_ASSERT_STRNEQ(t, a, b) PERMOD_KUNIT_STRINGS(t, true, a, !=, b, NULL)
#define KUNIT_ASSERT_STRNEQ_MSG(t, a, b, ...) PERMOD_KUNIT_STRINGS(t, true, a, !=, b, __VA_ARGS__)

#endif
