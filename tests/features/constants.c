/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Floating-point and vector constants, in sections of constants that linkers may merge.
 */
#include <stdio.h>
#include <stdint.h>

typedef float four __attribute__((vector_size(16)));
typedef int eight __attribute__((vector_size(32)));
typedef double lots __attribute__((vector_size(64)));

static volatile float x = 1.5f;
static volatile double y = 2.25;
static volatile long double z = 3.125L;
static four v = { 1, 2, 3, 4 };
static eight w = { 1, 2, 3, 4, 5, 6, 7, 8 };
static lots u = { 0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5 };

__attribute__((noinline)) static four add(four value)
{
	return value + (four){ 10, 20, 30, 40 };
}

__attribute__((noinline)) static void twice(lots *value)
{
	*value = *value * (lots){ 2, 2, 4, 4, 8, 8, 16, 16 };
}

void constants(void)
{
	printf("%.9g %.17g %.20Lg\n", x * 3.3f, y * 4.4, z * 5.5L);
	printf("%.9g %.17g\n", x < 1.25f ? 0.1f : 0.2f, -y);
	v = add(v);
	w = w * (eight){ 3, 1, 4, 1, 5, 9, 2, 6 };
	twice(&u);
	printf("%g %g %g %g\n", v[0], v[1], v[2], v[3]);
	for (int i = 0; i < 8; i++)
		printf("%d %g\n", w[i], u[i]);
	printf("%d %d %d\n", (int)((uintptr_t)&v % 16), (int)((uintptr_t)&w % 32),
	       (int)((uintptr_t)&u % 64));
}
