/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Constructors and destructors of every priority.  With -DPROGRAM it is a program that prints what
 * the module notes: in that order the system's own linker and libc call them.
 */
#include <permod/module.h>

#ifdef PROGRAM
#include <stdio.h>

static void note(const char *words)
{
	static const char *blank = "";

	printf("%s%s", blank, words);
	blank = " ";
}
#else
void note(const char *words);
#endif

#define TELL(kind, name, ...)                                                                      \
	__attribute__((kind __VA_ARGS__)) static void name(void)                                   \
	{                                                                                          \
		note(#name);                                                                       \
	}

TELL(constructor, begin_plain_1)
TELL(constructor, begin_2000, (2000))
TELL(destructor, end_plain_1)
TELL(constructor, begin_150, (150))
TELL(destructor, end_150, (150))
TELL(destructor, end_2000, (2000))
TELL(constructor, begin_65534, (65534))
TELL(destructor, end_65534, (65534))
TELL(constructor, begin_2000_again, (2000))
TELL(destructor, end_2000_again, (2000))
TELL(constructor, begin_plain_2)
TELL(destructor, end_plain_2)

static int __init order_init(void)
{
	note("order_init");
	return 0;
}
module_init(order_init);

static void __exit order_exit(void)
{
	note("order_exit");
}
module_exit(order_exit);

#ifdef PROGRAM
int main(void)
{
	init_module();
	cleanup_module();
	return 0;
}
#endif
