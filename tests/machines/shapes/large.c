/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Offsets that are large: fields far into structures and arrays, of this file and of elsewhere.
 */
struct large {
	char before[70000];
	int value;
	char between[5000];
	short small;
	long long wide;
	double real;
};

extern struct large outside_large, *outside_pointer;
static struct large inside;
static int matrix[40][333];
long long wide_numbers[200];
double real_numbers[100];
short small_numbers[3000];
unsigned char byte_numbers[3];

int read_all(int i)
{
	return outside_large.value + outside_large.small + inside.value + matrix[39][i] +
	       matrix[3][7] + (int)wide_numbers[150] + (int)real_numbers[i & 63] +
	       small_numbers[2001] + byte_numbers[2] + outside_pointer->small;
}

void write_all(int i, double real)
{
	inside.real = real;
	inside.wide = i;
	inside.before[69999] = 1;
	outside_large.real = real * 2;
	outside_large.wide = (long long)i << 33;
	matrix[i % 40][300] = i;
	wide_numbers[199] += i;
	real_numbers[99] -= real;
	small_numbers[2999] = (short)i;
	byte_numbers[1] = 'x';
}

const void *addresses(int i)
{
	static const void *const all[] = { &inside.value, &outside_large.small, &matrix[20][1],
					   &wide_numbers[3], &byte_numbers[2] };

	return i < 5 ? all[i] : &inside.real;
}
