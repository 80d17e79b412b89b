/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program of hppa that takes the file "image" for what is linked for address BASE, and calls start() and
 * what give() gives.  Arguments, in hexadecimal: addresses of the two and of their GOT, and how many bytes
 * are code.  Its function outside() is at a descriptor for OUTSIDE, and tells what r19 is.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define BASE 0x10000000UL
#define OUTSIDE 0x0fff0000UL
#define MOST 0x100000UL /* bytes of an image */
#define DESCRIPTOR 2	/* a pointer is to one */

extern char outside[];

__asm__(".text\n"
	".globl outside\n"
	"outside:\n"
	"	bv %r0(%r2)\n"
	"	add %r26, %r19, %r28\n");

static void *map(unsigned long address, unsigned long size)
{
	void *memory = mmap((void *)address, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (memory == MAP_FAILED)
		exit(2);
	return memory;
}

int main(int argc, char **argv)
{
	unsigned long descriptors[2][2], *other = map(OUTSIDE, 4096), code;
	int file = open("image", O_RDONLY);
	int (*start)(int, int), (*(*give)(void))(int), (*given)(int), result;

	if (argc != 5 || file < 0 || read(file, map(BASE, MOST), MOST) <= 0)
		return 2;
	for (int i = 0; i < 2; i++) {
		descriptors[i][0] = strtoul(argv[1 + i], NULL, 16);
		descriptors[i][1] = strtoul(argv[3], NULL, 16);
	}
	code = strtoul(argv[4], NULL, 16);
	other[0] = (unsigned long)outside;
	other[1] = 1000;
	if (mprotect((void *)BASE, code, PROT_READ | PROT_EXEC))
		return 2;
	start = (int (*)(int, int))((unsigned long)descriptors[0] + DESCRIPTOR);
	give = (int (*(*)(void))(int))((unsigned long)descriptors[1] + DESCRIPTOR);
	result = start(24, 4);
	given = give();
	/* Nothing of the GOT is left there by chance. */
	__asm__ volatile("copy %%r0, %%r19" : : : "r19");
	printf("%d %d\n", result, given(5));
	return 0;
}
