/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Has one thing in each kind of section, and tells the host where they are while init runs. */
#include <permod/module.h>

/* The host's: `what` is one of the names below. */
void seen(const char *what, const void *address);

int sections_text(void);
int sections_text(void)
{
	return 3;
}

const int sections_rodata[4] = { 1, 2, 3, 4 };
const void *const sections_relocated = sections_rodata;
int sections_data = 5;
int sections_bss[100];
int sections_once __ro_after_init = 6;
int sections_init_data __initdata = 7;
const int sections_init_const __initconst = 8;

static int __init sections_init(void)
{
	sections_once += 10;
	sections_init_data++;
	seen("init_text", (const void *)sections_init);
	seen("init_data", &sections_init_data);
	seen("init_const", &sections_init_const);
	seen("text", (const void *)sections_text);
	seen("rodata", sections_rodata);
	seen("relocated", &sections_relocated);
	seen("data", &sections_data);
	seen("bss", sections_bss);
	seen("once", &sections_once);
	return sections_init_data == 8 && sections_init_const == 8 && sections_bss[99] == 0 ? 0
											    : -1;
}
module_init(sections_init);

static void __exit sections_exit(void)
{
}
module_exit(sections_exit);
