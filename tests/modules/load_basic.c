/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A little of everything: init and exit that tell, a parameter, an export, a per-CPU variable. */
#include <permod/module.h>

void note(const char *words);

int basic_start = 40;
module_param_named(start, basic_start, int, 0444);

static char *basic_words = "no words";
module_param_named(words, basic_words, charp, 0444);

static DEFINE_PER_CPU(long, basic_calls) = 7;

/* For the host alone. */
int basic_value = -5;

int basic_add(int number);
int basic_add(int number)
{
	this_cpu_inc(basic_calls);
	return basic_start + number;
}
EXPORT_SYMBOL(basic_add);

const char *basic_plain(void);
const char *basic_plain(void)
{
	return basic_words;
}

static int __init basic_init(void)
{
	note("basic_init");
	return 0;
}
module_init(basic_init);

static void __exit basic_exit(void)
{
	note("basic_exit");
}
module_exit(basic_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("for tests");
MODULE_VERSION("1.5");
