/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Takes something of every kind, and then its init fails with the error it was told to. */
#include <permod/module.h>

void note(const char *words);

static int error = -19; /* ENODEV */
module_param(error, int, 0444);

static char *words;
module_param(words, charp, 0444);

DEFINE_PER_CPU(long[100], failing_numbers) = { 1 };
EXPORT_PER_CPU_SYMBOL(failing_numbers);

int basic_add(int number) __attribute__((weak));

__attribute__((constructor)) static void failing_begin(void)
{
	note("constructor");
}

__attribute__((destructor)) static void failing_end(void)
{
	note("destructor");
}

static int __init failing_init(void)
{
	note("init");
	if (basic_add && basic_add(2) != 42)
		note("wrong");
	return error;
}
module_init(failing_init);

static void __exit failing_exit(void)
{
	note("exit");
}
module_exit(failing_exit);

MODULE_LICENSE("GPL");
