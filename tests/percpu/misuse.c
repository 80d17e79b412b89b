/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mistakes with per-CPU memory that valgrind and AddressSanitizer must report; the argument says
 * which.  "fine" is none.  The result goes to the exit status, so that the compiler keeps all accesses.
 */
#include <permod/percpu.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 52

/* Volatile, so that the compiler keeps it too. */
static char __percpu *volatile kept;

static int use(char __percpu *area)
{
	unsigned int cpu;
	int sum = 0;

	for_each_possible_cpu(cpu) {
		char *copy = per_cpu_ptr(area, cpu);

		for (int i = 0; i < SIZE; i++)
			sum += copy[i];
		memset(copy, 1, SIZE);
	}
	return sum;
}

int main(int argc, char **argv)
{
	const char *mistake = argc == 2 ? argv[1] : "";
	char __percpu *area = __alloc_percpu(SIZE, 4);
	volatile char *copy;
	int sum;

	if (!area)
		return 2;
	copy = per_cpu_ptr(area, 0);
	sum = use(area);
	if (!strcmp(mistake, "overrun")) {
		copy[SIZE] = 1;
	} else if (!strcmp(mistake, "overread")) {
		sum += copy[SIZE] & 1;
	} else if (!strcmp(mistake, "use-after-free")) {
		free_percpu(area);
		copy[3] = 1;
		return 0;
	} else if (!strcmp(mistake, "read-after-free")) {
		free_percpu(area);
		return copy[3] == 55;
	} else if (!strcmp(mistake, "lost")) {
		area = NULL;
		return 0;
	} else if (!strcmp(mistake, "kept")) {
		kept = area;
		return kept == NULL;
	}
	free_percpu(area);
	/* What was freed and comes back may be used. */
	area = __alloc_percpu(SIZE, 4);
	sum += use(area);
	free_percpu(area);
	return sum != 0;
}
