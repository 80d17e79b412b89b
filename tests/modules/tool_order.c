/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes to standard output through stdio in init, in what is called, and in exit, so that a test
 * sees whether anything is lost or comes at the wrong time.  A parameter tells several of them
 * apart, which is why speak() isn't exported.  With fail=1 its init fails.
 */
#include <permod/module.h>

#include <stdio.h>

static DEFINE_PER_CPU(int, calls);

static char *tag = "module";
module_param(tag, charp, 0444);

static bool fail;
module_param(fail, bool, 0444);
MODULE_PARM_DESC(fail, "let init fail");

void speak(void)
{
	this_cpu_inc(calls);
	printf("%s: called\n", tag);
}

static int __init order_init(void)
{
	printf("%s: init\n", tag);
	return fail ? -ENODEV : 0;
}
module_init(order_init);

static void __exit order_exit(void)
{
	printf("%s: exit\n", tag);
}
module_exit(order_exit);

MODULE_LICENSE("GPL");
