/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Arithmetic for which the compiler calls its own library, and atomic operations.
 */
#include <complex.h>
#include <stdatomic.h>
#include <stdio.h>

static volatile unsigned __int128 large = (unsigned __int128)10000000000000000000U * 1000;
static volatile __int128 negative = -(__int128)(unsigned long)-1 * 3;
static volatile double _Complex a = 1 + 2 * I, b = 3 - 4 * I;
static volatile float _Complex c = 1 + 2 * I;
static volatile long double _Complex d = 1 - 2 * I;
static volatile __float128 third = 1;
static volatile unsigned long bits = 0xf0f0f0f0f0f0f0f1U;
static _Atomic char byte;
static _Atomic short half;
static _Atomic int word = 5;
static _Atomic long number = 1;
static atomic_flag flag = ATOMIC_FLAG_INIT;

static void show(double _Complex value)
{
	printf("%.9g %.9g\n", creal(value), cimag(value));
}

void helpers(void)
{
	printf("%lu %lu %ld %ld\n", (unsigned long)(large / 7777777777777U),
	       (unsigned long)(large % 1001), (long)(negative / 12345), (long)(negative % 77777));
	printf("%.17g %d\n", (double)large, __builtin_popcountl(bits));
	show(a * b);
	show(a / b);
	show(c * c);
	show((double _Complex)(d / a));
	third /= 3;
	printf("%.17g\n", (double)(third * 2));
	byte -= 3;
	half += 300;
	word ^= 0xff;
	printf("%d %d %d\n", byte, half, word);
	printf("%ld", atomic_fetch_add(&number, 5));
	printf(" %ld", atomic_exchange(&number, 50));
	printf(" %d %d\n", atomic_flag_test_and_set(&flag), atomic_flag_test_and_set(&flag));
}
