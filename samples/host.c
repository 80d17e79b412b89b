/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How to embed permod: load a module, call its function from a thread on every CPU, unload it.
 *
 *     cc -O2 -pthread host.c -o host $(pkg-config --cflags --libs permod)
 *     ./host counter.ko [FUNCTION ["name=value ..."]]
 */
#define _GNU_SOURCE
#include <err.h>
#include <permod/permod.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

static void *call(void *function)
{
	((void (*)(void))function)();
	return NULL;
}

static void call_on_every_cpu(void *function)
{
	pthread_t thread[CPU_SETSIZE];
	cpu_set_t allowed, one;
	int error;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		err(1, "sched_getaffinity");
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		/* A thread begins where the one that makes it may run. */
		if (sched_setaffinity(0, sizeof(one), &one))
			err(1, "CPU %d", cpu);
		error = pthread_create(&thread[cpu], NULL, call, function);
		if (error)
			errx(1, "CPU %d: %s", cpu, strerror(error));
	}
	sched_setaffinity(0, sizeof(allowed), &allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &allowed))
			pthread_join(thread[cpu], NULL);
	}
}

int main(int argc, char **argv)
{
	const char *name = argc > 2 ? argv[2] : "tick", *params = argc > 3 ? argv[3] : NULL;
	struct permod_module *module;
	struct permod_variable variable;
	struct permod *pm;
	void *function;

	if (argc < 2)
		errx(2, "usage: host MODULE [FUNCTION [\"name=value ...\"]]");
	if (permod_new(&pm, NULL))
		errx(1, "%s", permod_error(NULL));
	/* A step that fails leaves nothing behind; permod_free() unloads what there is. */
	if (permod_load(pm, argv[1], params, 0, &module))
		errx(1, "%s", permod_error(pm));
	function = permod_symbol(module, name);
	if (!function)
		errx(1, "%s: no function %s", permod_name(module), name);
	call_on_every_cpu(function);
	for (unsigned int i = 0, cpu; permod_variable(module, i, &variable) == 0; i++) {
		for_each_possible_cpu(cpu)
			printf("CPU %u: the first word of %s is %ld\n", cpu, variable.name,
			       *per_cpu_ptr((long __percpu *)variable.cookie, cpu));
	}
	if (permod_unload(module, 0))
		errx(1, "%s", permod_error(pm));
	permod_free(pm);
	return 0;
}
