/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Per-CPU variables of every kind, with initial values; and it writes to stderr, as the most common
 * plug-in there is does.
 */
#include <permod/module.h>

#include <stdio.h>

struct percpu_record {
	char tag[3];
	double number;
	const char *words;
};

DEFINE_PER_CPU(long, percpu_counter) = 1000;
EXPORT_PER_CPU_SYMBOL(percpu_counter);
DEFINE_PER_CPU(int[5], percpu_array) = { 1, -2, 3 };
DEFINE_PER_CPU(struct percpu_record, percpu_struct) = { "ab", 2.5, "words" };
DEFINE_PER_CPU(char, percpu_byte) = 'x';
DEFINE_PER_CPU(long[2000], percpu_zeros);
DEFINE_PER_CPU_SHARED_ALIGNED(int, percpu_line) = 64;
DEFINE_PER_CPU_PAGE_ALIGNED(char[4097], percpu_page) = "page";
DEFINE_PER_CPU_READ_MOSTLY(short, percpu_mostly) = -9;
static DEFINE_PER_CPU(unsigned int, percpu_static) = 77;

/* The cookie as this module sees it. */
const void *percpu_cookie(void);
const void *percpu_cookie(void)
{
	return &percpu_counter;
}
EXPORT_SYMBOL(percpu_cookie);

/* A pointer in initialised data. */
long *percpu_pointer = &percpu_counter;

void percpu_add(long number);
void percpu_add(long number)
{
	this_cpu_add(percpu_counter, number);
	this_cpu_add(*percpu_pointer, number);
	this_cpu_inc(percpu_static);
	this_cpu_inc(percpu_zeros[1999]);
	this_cpu_write(percpu_byte, 'y');
}
EXPORT_SYMBOL(percpu_add);

int percpu_say(void);
int percpu_say(void)
{
	return fprintf(stderr, "said on a CPU with %u\n", this_cpu_read(percpu_static) ? 1U : 0U);
}

/* Overwrite everything on every CPU. */
void percpu_spoil(void);
void percpu_spoil(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		per_cpu(percpu_counter, cpu) = -1;
		per_cpu(percpu_static, cpu) = 1;
		per_cpu(percpu_byte, cpu) = 'z';
		per_cpu(percpu_line, cpu) = 1;
		per_cpu(percpu_mostly, cpu) = 1;
		for (int i = 0; i < 5; i++)
			per_cpu(percpu_array, cpu)[i] = 99;
		for (int i = 0; i < 2000; i++)
			per_cpu(percpu_zeros, cpu)[i] = 99;
		for (int i = 0; i < 4097; i++)
			per_cpu(percpu_page, cpu)[i] = 'q';
		per_cpu(percpu_struct, cpu).number = 0;
	}
}

/* How many of the values on all CPUs are not the initial ones. */
int percpu_wrong(void);
int percpu_wrong(void)
{
	unsigned int cpu;
	int wrong = 0;

	for_each_possible_cpu(cpu) {
		const struct percpu_record *record = per_cpu_ptr(&percpu_struct, cpu);
		const int *array = per_cpu(percpu_array, cpu);
		const char *page = per_cpu(percpu_page, cpu);

		wrong += per_cpu(percpu_counter, cpu) != 1000;
		wrong += array[0] != 1 || array[1] != -2 || array[2] != 3 || array[3] || array[4];
		wrong += record->tag[0] != 'a' || record->tag[1] != 'b' || record->tag[2];
		wrong += record->number != 2.5;
		wrong += record->words[0] != 'w' || record->words[4] != 's';
		wrong += per_cpu(percpu_byte, cpu) != 'x';
		for (int i = 0; i < 2000; i++)
			wrong += per_cpu(percpu_zeros, cpu)[i] != 0;
		wrong += per_cpu(percpu_line, cpu) != 64;
		wrong += page[0] != 'p' || page[3] != 'e';
		for (int i = 4; i < 4097; i++)
			wrong += page[i] != 0;
		wrong += per_cpu(percpu_mostly, cpu) != -9;
		wrong += per_cpu(percpu_static, cpu) != 77;
	}
	return wrong;
}

static int __init percpu_init(void)
{
	return percpu_wrong() ? -EIO : 0;
}
module_init(percpu_init);

static void __exit percpu_exit(void)
{
}
module_exit(percpu_exit);

MODULE_LICENSE("GPL");
