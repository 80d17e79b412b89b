/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Per-CPU pointers and variables of all kinds, used as they should be: whatever checks types has
 * nothing to say of it. It is a program too, so that it is known to be right.
 */
#include <permod/percpu.h>

#include <string.h>

struct part {
	int number;
	long longs[4];
	struct part *next;
};

static DEFINE_PER_CPU(long, plain) = 1;
static DEFINE_PER_CPU(unsigned char, byte);
static DEFINE_PER_CPU(int[4], vector) = { 1, 2, 3, 4 };
static DEFINE_PER_CPU(int[4][2], matrix);
static __attribute__((aligned(8))) DEFINE_PER_CPU(int[2], pair);
static DEFINE_PER_CPU(struct part, part);
static DEFINE_PER_CPU(struct part[3], parts);
static DEFINE_PER_CPU(struct part *, pointer);
static DEFINE_PER_CPU(long __percpu *, cookie);
static DEFINE_PER_CPU_PAGE_ALIGNED(char[4096], page);
DECLARE_PER_CPU(long, declared);
DEFINE_PER_CPU(long, declared);

static long take_plain(long *p)
{
	return (*p)++;
}

static long take_percpu(long __percpu *p)
{
	this_cpu_inc(*p);
	return p != NULL;
}

static long use_variables(unsigned int cpu)
{
	long sum = per_cpu(plain, cpu) + per_cpu(vector, cpu)[1] + per_cpu(part, cpu).longs[2];
	const long __percpu *constant = &plain;
	const long *c = per_cpu_ptr(constant, cpu);
	int(*row)[2] = per_cpu(matrix, cpu);
	int(*all)[4][2] = &per_cpu(matrix, cpu);
	struct part *p = &per_cpu(part, cpu), *q = per_cpu(parts, cpu),
		    *none = per_cpu(pointer, cpu);

	memset(per_cpu(page, cpu), 0, sizeof(per_cpu(page, cpu)));
	per_cpu(matrix, cpu)[1][1] = 3;
	per_cpu(pointer, cpu) = p;
	this_cpu_write(pointer, p);
	this_cpu_write(byte, 3);
	this_cpu_inc(vector[2]);
	this_cpu_inc(matrix[1][0]);
	this_cpu_add(part.longs[1], this_cpu_read(*constant));
	this_cpu_dec(parts[2].number);
	sum += this_cpu_read(byte) + (int)sizeof(plain);
	sum += *this_cpu_ptr(&plain) + take_plain(&per_cpu(plain, cpu)) + take_percpu(&plain);
	sum += take_plain(per_cpu_ptr(&declared, cpu)) + take_percpu(pcpu_ptr(&declared));
	return sum + *c + (*row)[1] + (*all)[1][1] + p->number + q[1].number + (none != NULL);
}

static long use_pointers(unsigned int cpu)
{
	long __percpu *p = alloc_percpu(long);
	struct part __percpu *s = alloc_percpu(struct part);
	const long __percpu *c = p;
	void __percpu *v = __alloc_percpu(8, 8);
	long sum, *plain_pointer;

	if (!p || !s || v == NULL)
		return -1;
	plain_pointer = per_cpu_ptr(p, cpu);
	*plain_pointer = 4;
	sum = *per_cpu_ptr(c, cpu) + take_percpu(p) + take_percpu(&s->longs[1]);
	memset(per_cpu_ptr(v, cpu), 1, 8);
	per_cpu_ptr(s, cpu)->number = 2;
	*this_cpu_ptr(p) += 3;
	this_cpu_add(*p, this_cpu_read(s->longs[1]));
	this_cpu_sub(s->number, 1);
	this_cpu_and(s->longs[0], 3);
	this_cpu_or(s->longs[0], 4);
	sum += this_cpu_add_return(*p, 1) + this_cpu_xchg(s->number, 3);
	sum += this_cpu_cmpxchg(*p, 1, 2) + this_cpu_cmpxchg(plain, -1L, 2);
	this_cpu_xor(s->longs[0], 1);
	plain_pointer = &sum;
	sum += this_cpu_try_cmpxchg(*p, plain_pointer, 5);
	sum += this_cpu_cmpxchg_double(pair[0], pair[1], 0, 0, 1, 2);
	this_cpu_write(cookie, p);
	p = this_cpu_read(cookie);
	free_percpu(v);
	v = p;
	free_percpu(v);
	free_percpu(s);
	return sum;
}

int main(void)
{
	unsigned int cpu;
	long sum = 0;

	for_each_possible_cpu(cpu)
		sum += use_variables(cpu) + use_pointers(cpu);
	return sum > 0 ? 0 : 1;
}
