/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls of all kinds: local, to elsewhere, weak, by pointers, in tail position, with many
 * arguments, by tables, and those that compilers make of operators.
 */
#include <stdarg.h>

extern int outside(int value, ...);
extern void sink(const char *format, long long a, double b, float c);
extern int maybe(int value) __attribute__((weak));
extern int (*chosen)(int value);

struct wide {
	long long a, b, c;
};

extern struct wide make_wide(int value);

__attribute__((noinline)) static int local(int value)
{
	return value * 3 + 1;
}

__attribute__((noinline, cold)) static int rare(int value)
{
	return outside(value, "rare", 1.5);
}

int tail(int value)
{
	return outside(value + 1);
}

int local_tail(int value)
{
	return local(value + 2);
}

int weak_call(int value)
{
	return maybe ? maybe(value) : local(value);
}

int by_pointer(int value)
{
	return chosen(value) + (value > 9 ? rare(value) : 0);
}

int sum(int count, ...)
{
	va_list args;
	int result = 0;

	va_start(args, count);
	while (count-- > 0)
		result += va_arg(args, int);
	va_end(args);
	return result;
}

int many(int value)
{
	struct wide wide = make_wide(value);

	sink("%lld %f", wide.a + wide.b, (double)wide.c / 3, (float)value);
	return sum(9, 1, 2, 3, 4, 5, 6, 7, 8, value) + local(value) + local(value + 1);
}

long long divide(long long a, long long b)
{
	return a / b + a % (b + 1) + (long long)((unsigned long long)a / 7);
}

double mixed(double a, long long b, float c)
{
	return a * (double)b + (double)(long long)(a - 0.5) + (double)c * 1e300;
}

int by_number(int which, int value)
{
	switch (which) {
	case 0:
		return local(value);
	case 1:
		return outside(value);
	case 2:
		return rare(value);
	case 3:
		return value << 3;
	case 4:
		return value ^ 0x5555;
	case 5:
		return tail(value);
	case 6:
		return many(value);
	case 7:
		return -value;
	default:
		return 0;
	}
}

int by_label(const unsigned char *code, int value)
{
	static const void *const labels[] = { &&stop, &&add, &&twice, &&call };

	goto *labels[*code++ & 3];
add:
	value++;
	goto *labels[*code++ & 3];
twice:
	value *= 2;
	goto *labels[*code++ & 3];
call:
	value = outside(value);
	goto *labels[*code++ & 3];
stop:
	return value;
}
