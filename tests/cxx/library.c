/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Uses a library that the command does not have, and names it if NAMED. */
#include <permod/module.h>

#ifdef NAMED
MODULE_LIBRARY(NAMED);
#endif

static DEFINE_PER_CPU(unsigned long, answers);

int answer(void);
void work(void);

void work(void)
{
	this_cpu_add(answers, answer());
}
