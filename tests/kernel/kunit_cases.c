/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every way in which a KUnit case can end; kunit_cases.ktap is what must be printed. */
#include <kunit/test.h>

#include <stdio.h>

static int inits, exits, suite_exits;

static int init(struct kunit *test)
{
	inits++;
	test->priv = &inits;
	return strcmp(test->name, "never_runs") ? 0 : -ENODEV;
}

static void exit_case(struct kunit *test)
{
	exits += test->priv == &inits;
}

static void passes(struct kunit *test)
{
	int once = 0;

	KUNIT_EXPECT_EQ(test, ++once, 1);
	KUNIT_EXPECT_EQ(test, once, 1);
	KUNIT_EXPECT_NE(test, 1, 2);
	KUNIT_EXPECT_LT(test, -1, 0);
	KUNIT_EXPECT_LE(test, 1, 1);
	KUNIT_EXPECT_GT(test, 2, 1);
	KUNIT_EXPECT_GE(test, 2, 2);
	KUNIT_EXPECT_TRUE(test, 2);
	KUNIT_EXPECT_FALSE(test, NULL);
	KUNIT_EXPECT_PTR_EQ(test, &inits, test->priv);
	KUNIT_EXPECT_PTR_NE(test, &inits, &exits);
	KUNIT_EXPECT_NULL(test, NULL);
	KUNIT_EXPECT_NOT_NULL(test, test);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, test);
	KUNIT_EXPECT_STREQ(test, "a", "a");
	KUNIT_EXPECT_STRNEQ(test, "a", "b");
	KUNIT_ASSERT_EQ(test, 0x100000000LL, 1LL << 32);
}

static void expectations_go_on(struct kunit *test)
{
	const int three = 3;

	KUNIT_EXPECT_EQ(test, three, 4);
	KUNIT_EXPECT_LT_MSG(test, three, -1, "with %s", "words");
	KUNIT_EXPECT_TRUE(test, three == 4);
	KUNIT_EXPECT_FALSE(test, three == 3);
	KUNIT_EXPECT_STREQ(test, "three", "four");
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, ERR_PTR(-ENOMEM));
	KUNIT_FAIL(test, "failed after %d", 6);
}

static void assertions_end(struct kunit *test)
{
	KUNIT_ASSERT_GE(test, 1, 2);
	KUNIT_FAIL(test, "this is not reached");
}

static void skipped(struct kunit *test)
{
	kunit_skip(test, "no %s here", "hardware");
	KUNIT_FAIL(test, "this is not reached");
}

static void never_runs(struct kunit *test)
{
	KUNIT_FAIL(test, "this is not reached");
}

static void memory(struct kunit *test)
{
	char *bytes = kunit_kzalloc(test, 100, GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, bytes);
	KUNIT_EXPECT_EQ(test, (unsigned long)bytes % 16, 0UL);
	for (int i = 0; i < 100; i++)
		KUNIT_EXPECT_EQ(test, bytes[i], 0);
	KUNIT_EXPECT_NULL(test, kunit_kmalloc_array(test, SIZE_MAX, 2, GFP_KERNEL));
}

static const int numbers[] = { 2, 3, 4 };

static void number_name(const int *number, char *name)
{
	sprintf(name, "number %d", *number);
}

KUNIT_ARRAY_PARAM(number, numbers, number_name);

static void is_even(struct kunit *test)
{
	const int *number = test->param_value;

	if (*number == 4)
		kunit_skip(test, "enough");
	KUNIT_EXPECT_EQ_MSG(test, *number % 2, 0, "%d is odd", *number);
}

static void fails_and_skips(struct kunit *test)
{
	KUNIT_FAIL(test, "failed first");
	kunit_skip(test, "too late");
}

static void every_case_had_both(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, inits, 11);
	KUNIT_EXPECT_EQ(test, exits, 10);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(passes),
	KUNIT_CASE(expectations_go_on),
	KUNIT_CASE(assertions_end),
	KUNIT_CASE(skipped),
	KUNIT_CASE(never_runs),
	KUNIT_CASE(memory),
	KUNIT_CASE_PARAM(is_even, number_gen_params),
	KUNIT_CASE(fails_and_skips),
	KUNIT_CASE(every_case_had_both),
	{},
};

static int suite_init(struct kunit_suite *suite)
{
	return strcmp(suite->name, "refused") ? 0 : -EBUSY;
}

static void suite_exit(struct kunit_suite *suite)
{
	(void)suite;
	suite_exits++;
}

static struct kunit_suite every = {
	.name = "every",
	.suite_init = suite_init,
	.suite_exit = suite_exit,
	.init = init,
	.exit = exit_case,
	.test_cases = cases,
};

static struct kunit_suite refused = {
	.name = "refused",
	.suite_init = suite_init,
	.test_cases = cases,
};

static void suite_had_its_exit(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, suite_exits, 1);
}

static struct kunit_case last_cases[] = { KUNIT_CASE(suite_had_its_exit), {} };
static struct kunit_suite last = { .name = "last", .test_cases = last_cases };

static struct kunit_case skipped_cases[] = { KUNIT_CASE(skipped), {} };
static struct kunit_suite nothing = { .name = "nothing", .test_cases = skipped_cases };

kunit_test_suites(&every, &refused, &last, &nothing);
MODULE_LICENSE("GPL");
