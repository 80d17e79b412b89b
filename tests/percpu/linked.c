/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program that is linked with two shared objects with per-CPU variables (plugin.c as first_ and
 * second_), and, without -DNO_OWN, has some itself. All have places of their own before main().
 */
#include <permod/percpu.h>

#include <stdio.h>

long first_sum(void);
long second_sum(void);
void first_count(void);
void *first_cookie(void);
void *second_cookie(void);
int first_is_fresh(void);
int second_is_fresh(void);

#ifndef NO_OWN
static DEFINE_PER_CPU(long, counter) = 11;
#endif

/* After the constructors of the objects. */
static long sum_in_constructor;

__attribute__((constructor)) static void begin(void)
{
	sum_in_constructor = first_sum() + second_sum();
}

int main(void)
{
	if (sum_in_constructor != 200 || !first_is_fresh() || !second_is_fresh())
		return 1;
	first_count();
	if (first_sum() != 102 || second_sum() != 100 || first_cookie() == second_cookie())
		return 2;
#ifndef NO_OWN
	if (per_cpu(counter, 0) != 11 || pcpu_ptr(&counter) == first_cookie())
		return 3;
	if (pcpu_classify(pcpu_ptr(&counter), NULL, NULL) != PCPU_STATIC ||
	    pcpu_classify(first_cookie(), NULL, NULL) != PCPU_RESERVED)
		return 4;
#endif
	return 0;
}
