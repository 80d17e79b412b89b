/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One wrong use of a per-CPU pointer or variable each, chosen by -DWRONG=number. As code is built, all
 * of them compile, or this would not be a test of the checkers.
 */
#include <permod/percpu.h>

struct part {
	int number;
};

static DEFINE_PER_CPU(long, variable);
static DEFINE_PER_CPU(long[4], vector);

long take_plain(long *p);
long take_percpu(long __percpu *p);
long __percpu *give_percpu(long *p);
long use(long __percpu *percpu, struct part __percpu *part, long *plain);

long __percpu *give_percpu(long *p)
{
#if WRONG == 1
	return p;
#else
	(void)p;
	return &variable;
#endif
}

long use(long __percpu *percpu, struct part __percpu *part, long *plain)
{
	long result = 0;

#if WRONG == 2
	plain = percpu;
#elif WRONG == 3
	percpu = plain;
#elif WRONG == 4
	plain = &variable;
#elif WRONG == 5
	result = take_plain(percpu);
#elif WRONG == 6
	result = take_plain(&variable);
#elif WRONG == 7
	result = take_percpu(plain);
#elif WRONG == 8
	percpu = per_cpu_ptr(percpu, 0);
#elif WRONG == 9
	plain = per_cpu_ptr(plain, 0);
#elif WRONG == 10
	this_cpu_inc(*plain);
#elif WRONG == 11
	free_percpu(plain);
#elif WRONG == 12
	plain = alloc_percpu(long);
#elif WRONG == 13
	result = take_plain(pcpu_ptr(&variable));
#elif WRONG == 14
	result = percpu == plain;
#elif WRONG == 15
	result = *percpu;
#elif WRONG == 16
	*percpu = 1;
#elif WRONG == 17
	part->number = 3;
#elif WRONG == 18
	variable++;
#elif WRONG == 19
	result = variable;
#elif WRONG == 20
	result = vector[2];
#elif WRONG == 21
	result = percpu[1];
#endif
	this_cpu_inc(vector[1]);
	this_cpu_inc(variable);
	return result + (percpu != NULL) + (part != NULL) + (plain != NULL);
}
