/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions and variables of all kinds, and a table of them as the compiler sees it. */
#include <permod/module.h>

void look_around(const void *address);

/* Sizes of functions are the assembler's: only it knows them. */
struct place {
	const char *name, *section;
	const void *address;
	unsigned long size; /* bytes; 0: a function */
};

static int hidden_number = 5;
long visible_numbers[3] = { 1, 2, 3 };
static char hidden_bytes[100];
int common_number __attribute__((common));
static const short constants[4] = { 1, 2, 3, 4 };
static int once __ro_after_init = 1;

static __attribute__((noinline)) int hidden_function(int n)
{
	return n + hidden_number + hidden_bytes[n] + constants[n & 3] + once + common_number;
}

__attribute__((section(".text.special"), noinline)) int special_function(int n);
int special_function(int n)
{
	return hidden_function(n) * 2;
}

static DEFINE_PER_CPU(long, hidden_counters[5]);
DEFINE_PER_CPU(int, visible_counter) = 3;

const struct place places[] = {
	{ "hidden_number", ".data", &hidden_number, sizeof(hidden_number) },
	{ "visible_numbers", ".data", &visible_numbers, sizeof(visible_numbers) },
	{ "hidden_bytes", ".bss", &hidden_bytes, sizeof(hidden_bytes) },
	{ "common_number", "COMMON", &common_number, sizeof(common_number) },
	{ "constants", ".rodata", &constants, sizeof(constants) },
	{ "once", ".data..ro_after_init", &once, sizeof(once) },
	{ "hidden_function", ".text", (const void *)hidden_function, 0 },
	{ "special_function", ".text.special", (const void *)special_function, 0 },
	{ "hidden_counters", ".data.percpu", &hidden_counters, sizeof(hidden_counters) },
	{ "visible_counter", ".data.percpu", &visible_counter, sizeof(visible_counter) },
	{ NULL, NULL, NULL, 0 },
};

static int __init address_init(void)
{
	look_around((const void *)address_init);
	return special_function(1) < 0;
}
module_init(address_init);

static void __exit address_exit(void)
{
	this_cpu_inc(hidden_counters[1]);
}
module_exit(address_exit);

MODULE_LICENSE("GPL");
