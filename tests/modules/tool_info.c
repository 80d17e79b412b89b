/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Says everything of itself that a module can say, to compare permod info with modinfo(8). */
#include <permod/module.h>

static int both = 1;
module_param(both, int, 0444);
MODULE_PARM_DESC(both, "has a type: and a description");

static unsigned long typed;
module_param(typed, ulong, 0444);

static int numbers[4];
static unsigned int count;
module_param_array(numbers, int, &count, 0444);
MODULE_PARM_DESC(numbers, "up to four");

static char name[16] = "none";
module_param_string(name, name, sizeof(name), 0444);

void info_all(void);
void info_all(void)
{
}
EXPORT_SYMBOL(info_all);

DEFINE_PER_CPU(long, info_gpl);
EXPORT_PER_CPU_SYMBOL_GPL(info_gpl);

MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Says \"everything\", = and : too");
MODULE_AUTHOR("First Author <first@example.org>");
MODULE_AUTHOR("Second Author");
MODULE_ALIAS("info-one");
MODULE_ALIAS("info-two");
MODULE_VERSION("1.2.3");
MODULE_SOFTDEP("pre: counter");
MODULE_INFO(empty, "");
