/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Uses a function of the module load_basic, and exports one itself. */
#include <permod/module.h>

void note(const char *words);
int basic_add(int number);

int user_add(int number);
int user_add(int number)
{
	return basic_add(number) * 10;
}
EXPORT_SYMBOL(user_add);

static int __init user_init(void)
{
	note("user_init");
	return 0;
}
module_init(user_init);

static void __exit user_exit(void)
{
	/* What it uses must still be there. */
	note(basic_add(2) == 42 ? "user_exit" : "wrong");
}
module_exit(user_exit);

MODULE_LICENSE("GPL");
