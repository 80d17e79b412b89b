/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* preempt_disable() binds the thread to its CPU, the outermost preempt_enable() sets it free again. */
#define _GNU_SOURCE
#include <sched.h>

#include <kunit/test.h>

static DEFINE_PER_CPU(unsigned long, visits);

static int cpus(cpu_set_t *mask)
{
	return sched_getaffinity(0, sizeof(*mask), mask) ? -1 : CPU_COUNT(mask);
}

static void stays(struct kunit *test)
{
	cpu_set_t before, within, after;
	int all = cpus(&before);
	unsigned int cpu;

	KUNIT_ASSERT_GT(test, all, 0);
	preempt_disable();
	cpu = smp_processor_id();
	KUNIT_EXPECT_EQ(test, cpus(&within), 1);
	KUNIT_EXPECT_TRUE(test, CPU_ISSET(cpu, &within));
	preempt_disable();
	preempt_enable();
	KUNIT_EXPECT_EQ(test, cpus(&within), 1);
	KUNIT_EXPECT_TRUE(test, CPU_ISSET(cpu, &within));
	preempt_enable();
	KUNIT_EXPECT_EQ(test, cpus(&after), all);
	KUNIT_EXPECT_TRUE(test, CPU_EQUAL(&before, &after));
}

static void has_one_copy(struct kunit *test)
{
	unsigned long *copy = get_cpu_ptr(&visits);
	unsigned long begin = *copy;

	for (int i = 0; i < 1000; i++)
		this_cpu_inc(visits);
	KUNIT_EXPECT_EQ(test, *copy, begin + 1000);
	KUNIT_EXPECT_PTR_EQ(test, copy, this_cpu_ptr(&visits));
	put_cpu_ptr(copy);
}

static struct kunit_case cases[] = { KUNIT_CASE(stays), KUNIT_CASE(has_one_copy), {} };
static struct kunit_suite suite = { .name = "staying", .test_cases = cases };

kunit_test_suite(suite);
MODULE_LICENSE("GPL");
