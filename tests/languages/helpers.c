/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What compilers call without being asked, from a library of their own: arithmetic for which the
 * machine has no instruction.  Operands are volatile, so that nothing is computed beforehand.
 */
#include <permod/module.h>

#include <complex.h>

static DEFINE_PER_CPU(long, right);

static void count(bool is_right)
{
	if (is_right)
		this_cpu_inc(right);
}

static void integers(void)
{
	volatile unsigned __int128 large = (unsigned __int128)10000000000000000000U * 1000;
	volatile __int128 negative = -(__int128)(uint64_t)-1 * 3;
	volatile uint64_t bits = 0xf0f0f0f0f0f0f0f1U;
	volatile unsigned __int128 seven = 7;

	/* 10^22 / 7 and its remainder; -3 (2^64 - 1) */
	count((uint64_t)(large / (seven * 1000000000000U)) == 1428571428);
	count((uint64_t)(large % seven) == 4);
	count((int64_t)(negative / (__int128)(uint64_t)-1) == -3);
	count((int64_t)(negative % (__int128)seven) < 0);
	count(__builtin_popcountll(bits) == 33);
}

static void floating(void)
{
	volatile double _Complex i = _Complex_I, two = 2;
	volatile float _Complex j = _Complex_I;
	volatile unsigned __int128 power = (unsigned __int128)1 << 100;
	volatile double large = 0x1p100;
	volatile __float128 third = 1;

	count(creal(i * i) == -1 && cimag(two * i) == 2);
	count(cimag(two / i) == -2);
	count(crealf(j * j) == -1);
	count((double)power == 0x1p100);
	count((unsigned __int128)large == power);
	third /= 3;
	count((double)(third * 3) == 1.0);
}

void work(void)
{
	integers();
	floating();
}
