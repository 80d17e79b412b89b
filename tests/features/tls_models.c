/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Thread-local variables by all models that a compiler may be told to use.
 * matrix: unless gcc .*-mcmodel=large
 * matrix: glibc musl has room for position-independent code only
 */
#include <pthread.h>
#include <stdio.h>

#define MODEL(name) __attribute__((tls_model(name)))

__thread int tls_models_general MODEL("global-dynamic") = 1;
static __thread int local MODEL("local-dynamic") = 20;
static __thread int second_local MODEL("local-dynamic");
__thread int tls_models_initial MODEL("initial-exec") = 300;
static __thread int exec MODEL("local-exec") = 4000;
extern __thread int tls_models_elsewhere MODEL("initial-exec");
extern __thread int tls_models_far MODEL("global-dynamic");

__attribute__((noinline)) static void *bump(void *result)
{
	*(int *)result += tls_models_general++ + local++ + second_local++ + tls_models_initial++ +
			  exec++ + tls_models_elsewhere++ + tls_models_far++;
	return result;
}

void tls_models(void)
{
	pthread_t thread;
	int sum = 0;

	bump(&sum);
	printf("%d\n", sum);
	if (pthread_create(&thread, NULL, bump, &sum))
		return;
	pthread_join(thread, NULL);
	printf("%d\n", sum);
	bump(&sum);
	printf("%d\n", sum);
}
