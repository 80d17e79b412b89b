/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Thread-local variables of the module's own: with values, zeroed, aligned, in two files; in the
 * thread that there is, and in others.
 * matrix: glibc musl has room for position-independent code only
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

extern __thread int tls_elsewhere;
int tls_bump(int);

static __thread int own = 5;
__thread long tls_global = 7;
static __thread char zero[100];
static __thread int *inside = NULL;
static __thread _Alignas(64) char aligned[64];
static int *main_own;

static void *look(void *unused)
{
	char line[200];
	int length;

	own++;
	tls_global *= 2;
	zero[99]++;
	inside = inside ? inside + 1 : &own;
	length = snprintf(line, sizeof(line), "%d %ld %d %d %d %d %d", own, tls_global, zero[99],
			  tls_elsewhere, tls_bump(10), inside == &own,
			  (int)((uintptr_t)aligned % 64));
	(void)length;
	puts(line);
	if (!main_own)
		main_own = &own;
	else
		printf("another one: %d\n", main_own != &own);
	return unused;
}

void tls(void)
{
	pthread_t thread;

	look(NULL);
	look(NULL);
	for (int i = 0; i < 2; i++) {
		if (pthread_create(&thread, NULL, look, NULL))
			return;
		pthread_join(thread, NULL);
	}
	printf("%d %ld\n", own, tls_global);
}
