/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A host in as few lines as show what matters: it uses libc's variables itself, so that it holds
 * copies of them where the linker makes such; it exports a function, a variable and a per-CPU
 * variable; it loads a module, calls the module's work() from two threads, prints the sums of all
 * per-CPU variables and what the module did to the host, and unloads.
 *
 *     host MODULE
 *
 * -DNO_COPIES: don't name libc's variables.  -DEXPORT_LIBC: export what modules use of libc, for
 * programs that have no dynamic linker.
 */
#define _DEFAULT_SOURCE
#include <permod/permod.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLS 10
#define THREADS 2

extern char **environ;

long host_value = 1000;
long host_function(long x);
DEFINE_PER_CPU(long, host_hits) = 1;
static DEFINE_PER_CPU_PAGE_ALIGNED(char[5000], host_block);

long host_function(long x)
{
	return 3 * x;
}

EXPORT_SYMBOL(host_function);
EXPORT_PER_CPU_SYMBOL(host_hits);
#ifdef EXPORT_LIBC
#undef stderr /* in musl a macro, "(stderr)" */
EXPORT_SYMBOL(fputs);
EXPORT_SYMBOL(fwrite);
EXPORT_SYMBOL(puts);
EXPORT_SYMBOL(strncmp);
EXPORT_SYMBOL(stderr);
EXPORT_SYMBOL(environ);
#endif

#ifndef NO_COPIES
/* Read through pointers that the compiler does not know, lest it leave this out. */
static int uses_libc_data(void)
{
	FILE *volatile out = stdout, *volatile error = stderr;
	char **volatile variables = environ;

	return out && error && variables;
}
#endif

static void *call_work(void *work)
{
	for (int i = 0; i < CALLS; i++)
		((void (*)(void))work)();
	return NULL;
}

/* The sum of what was added on all CPUs. */
static void print_sum(const char *name, long __percpu *variable, long begin)
{
	unsigned int cpu;
	long sum = 0;

	for_each_possible_cpu(cpu)
		sum += *per_cpu_ptr(variable, cpu) - begin;
	printf("%s=%ld\n", name, sum);
}

static int fail(struct permod *pm)
{
	printf("error: %s\n", permod_error(pm));
	return 1;
}

int main(int argc, char **argv)
{
	static const struct permod_export exports[] = { { "host_value", &host_value, 0 } };
	struct permod_variable variable;
	struct permod_module *module;
	pthread_t thread[THREADS];
	struct permod *pm;
	void *work;

	/* Only the variable that the program and libc really use has this. */
	setenv("PERMOD_TEST", "set by the host", 1);
#ifndef NO_COPIES
	if (!uses_libc_data())
		return 2;
#endif
	if (argc != 2 || permod_new(&pm, NULL))
		return 2;
	if (permod_export(pm, exports, 1) || permod_load(pm, argv[1], NULL, 0, &module))
		return fail(pm);
	work = permod_symbol(module, "work");
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, call_work, work);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (unsigned int i = 0; permod_variable(module, i, &variable) == 0; i++)
		print_sum(variable.name, (long *)variable.cookie, 0);
	if (permod_unload(module, 0))
		return fail(pm);
	permod_free(pm);
	print_sum("host_hits", &host_hits, 1);
	printf("host_value=%ld\n", host_value);
	return per_cpu(host_block, 0)[4999];
}
