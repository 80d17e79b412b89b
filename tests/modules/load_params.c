/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A parameter of every type; the tests look at the variables. */
#include <permod/module.h>

unsigned char a_byte = 1;
module_param(a_byte, byte, 0444);
short a_short = -2;
module_param(a_short, short, 0444);
unsigned short a_ushort = 3;
module_param(a_ushort, ushort, 0444);
int an_int = -4;
module_param(an_int, int, 0444);
unsigned int a_uint = 5;
module_param(a_uint, uint, 0444);
long a_long = -6;
module_param(a_long, long, 0444);
unsigned long a_ulong = 7;
module_param(a_ulong, ulong, 0444);
unsigned long long a_ullong = 8;
module_param(a_ullong, ullong, 0444);
unsigned int a_hexint = 9;
module_param(a_hexint, hexint, 0444);
char *a_charp = "initial";
module_param(a_charp, charp, 0444);
bool a_bool;
module_param(a_bool, bool, 0444);
bool an_invbool = true;
module_param(an_invbool, invbool, 0444);
char a_string[8] = "seven";
module_param_string(a_string, a_string, sizeof(a_string), 0444);

int numbers[4] = { 10, 20, 30, 40 };
unsigned int num_numbers = 99;
module_param_array(numbers, int, &num_numbers, 0444);
unsigned char bytes[2];
module_param_array(bytes, byte, NULL, 0444);
char *words[3];
unsigned int num_words;
module_param_array_named(texts, words, charp, &num_words, 0444);
bool flags[3];
module_param_array(flags, bool, NULL, 0444);

int inner_name = 1;
module_param_named(outer_name, inner_name, int, 0444);
int init_saw;

static int __init params_init(void)
{
	/* Parameters are set before init runs. */
	init_saw = an_int;
	return 0;
}
module_init(params_init);

static void __exit params_exit(void)
{
}
module_exit(params_exit);

MODULE_LICENSE("GPL");
