/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Modules that need each other, for --module-dir: compiled several times with different names.
 * -DEXPORT=name exports a function of that name, -DIMPORT=name calls one, -DWEAK=name calls one if
 * it is there.
 */
#include <permod/module.h>

#include <stdio.h>

#ifdef IMPORT
int IMPORT(void);
#else
#define IMPORT() 0
#endif

#ifdef WEAK
int WEAK(void) __attribute__((weak));
#endif

#ifdef EXPORT
int EXPORT(void);
int EXPORT(void)
{
	return IMPORT() + 1;
}
EXPORT_SYMBOL(EXPORT);
#endif

void show(void);
void show(void)
{
	int depth = IMPORT();

#ifdef WEAK
	if (WEAK)
		depth += WEAK();
#endif
	printf("depth %d\n", depth);
}

MODULE_LICENSE("GPL");
