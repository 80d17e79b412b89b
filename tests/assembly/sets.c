/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Things collected in sections, in this file and in a second one (-DSECOND), and gone through by
 * __start_ and __stop_ symbols. As a program it prints what is right.
 */
#include <stdio.h>

#define IN(name) __attribute__((section(#name), used))
#define ENDS(type, name)                                                                           \
	extern type __start_##name[] __attribute__((weak));                                        \
	extern type __stop_##name[] __attribute__((weak, visibility("hidden")))

#ifdef SECOND
static const int third IN(numbers) = 3, fourth IN(numbers) = 4;
static const char far[] IN(letters) = "cd";
static int changes IN(mixed) = 6;
static long alone IN(single) = 7;
#else
static const int first IN(numbers) = 1, second IN(numbers) = 2;
static const char between[100] IN(others) = { 1 };
static const char near[] IN(letters) = "ab";
static const int constant IN(mixed) = 5;

ENDS(const int, numbers);
ENDS(const char, letters);
ENDS(int, mixed);
ENDS(long, single);
ENDS(const char, missing);

static void print(void)
{
	int sum = 0;

	for (const int *number = __start_numbers; number < __stop_numbers; number++)
		printf("number %d\n", *number);
	printf("letters %zu %s\n", (size_t)(__stop_letters - __start_letters), __start_letters);
	for (int *number = __start_mixed; number < __stop_mixed; number++)
		sum += ++*number;
	printf("mixed %d %d\n", (int)(__stop_mixed - __start_mixed), sum);
	printf("single %d %ld\n", (int)(__stop_single - __start_single), __start_single[0]);
	printf("missing %d\n", __start_missing == __stop_missing);
}

#ifdef PROGRAM
int main(void)
{
	print();
	return 0;
}
#else
int init_module(void);
int init_module(void)
{
	print();
	return 0;
}
void cleanup_module(void);
void cleanup_module(void)
{
}
#endif
#endif
