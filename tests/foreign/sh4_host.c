/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program for sh4 without any library, as Debian's C library does not run there: it maps a linked module where that
 * was linked for, each region with the access it needs, calls it, and ends with 0 if the sum is right.
 *
 *     BASE, RUN    where the module begins, and its function run()
 *     PAGE         bytes of each region; text, constants and data follow each other
 *     SUM          what two calls with ROUNDS return in the end
 *     IMAGE        the file's name
 */
int host_scale(int value);
void _start(void);

enum { SYS_EXIT = 1, SYS_OPEN = 5, SYS_MPROTECT = 125, SYS_MMAP2 = 192 };
enum { READ = 1, WRITE = 2, EXECUTE = 4, PRIVATE_FIXED = 0x12 };

/* The number is in r3, arguments are in r4 to r7, r0 and r1: see syscall(2). */
static long call(long number, long a, long b, long c, long d, long e, long f)
{
	register long r3 __asm__("r3") = number;
	register long r4 __asm__("r4") = a;
	register long r5 __asm__("r5") = b;
	register long r6 __asm__("r6") = c;
	register long r7 __asm__("r7") = d;
	register long r0 __asm__("r0") = e;
	register long r1 __asm__("r1") = f;

	__asm__ volatile("trapa #0x16"
			 : "+r"(r0)
			 : "r"(r3), "r"(r4), "r"(r5), "r"(r6), "r"(r7), "r"(r1)
			 : "memory", "r2");
	return r0;
}

int host_scale(int value)
{
	return value * 3;
}

static int run_module(void)
{
	int (*run)(int) = (int (*)(int))RUN;
	long file = call(SYS_OPEN, (long)IMAGE, 0, 0, 0, 0, 0);

	if (file < 0)
		return 2;
	if (call(SYS_MMAP2, BASE, 3 * PAGE, READ | WRITE, PRIVATE_FIXED, file, 0) != BASE)
		return 3;
	if (call(SYS_MPROTECT, BASE, PAGE, READ | EXECUTE, 0, 0, 0) ||
	    call(SYS_MPROTECT, BASE + PAGE, PAGE, READ, 0, 0, 0))
		return 4;
	run(ROUNDS);
	return run(ROUNDS) != SUM;
}

void _start(void)
{
	call(SYS_EXIT, run_module(), 0, 0, 0, 0, 0);
}
