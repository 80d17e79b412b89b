/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program that opens shared objects with per-CPU variables (their paths are the arguments) again
 * and again: their variables are new each time, their space in the reserved region comes back, and
 * the program's own variables stay.
 *
 * With -DBARE the program knows nothing of per-CPU variables and is not linked with the library.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

enum { TIMES = 1000, PLUGINS = 4 };

#ifndef BARE
#include <permod/percpu.h>

static DEFINE_PER_CPU(long, own) = 7;

static size_t reserved_used(void)
{
	struct pcpu_map map;

	pcpu_get_map(&map);
	return map.reserved_used;
}

static int own_variable_is(long rounds)
{
	long sum = 0;
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu(own, cpu) - 7;
	return sum == rounds;
}

static void count_own(void)
{
	this_cpu_inc(own);
}

/* The variables of an open object are in the reserved region, and known by their addresses. */
static int is_reserved(const void *cookie)
{
	return pcpu_classify(cookie, NULL, NULL) == PCPU_RESERVED &&
	       pcpu_image_cookie(cookie) == (uintptr_t)cookie;
}
#else
static size_t reserved_used(void)
{
	return 0;
}

static int own_variable_is(long rounds)
{
	return rounds >= 0;
}

static void count_own(void)
{
}

static int is_reserved(const void *cookie)
{
	return cookie != NULL;
}
#endif

static void *find(void *handle, const char *suffix)
{
	char name[64];

	snprintf(name, sizeof(name), "plugin_%s", suffix);
	return dlsym(handle, name);
}

/* Returns what is wrong, or NULL. */
static const char *use(void *handle, int fresh)
{
	void (*count)(void) = (void (*)(void))find(handle, "count");
	long (*sum)(void) = (long (*)(void))find(handle, "sum");
	void *(*cookie)(void) = (void *(*)(void))find(handle, "cookie");
	int (*is_fresh)(void) = (int (*)(void))find(handle, "is_fresh");

	if (!count || !sum || !cookie || !is_fresh)
		return "a function is missing";
	if (!is_reserved(cookie()))
		return "the variable is not in the reserved region";
	if (!fresh)
		return NULL;
	if (!is_fresh())
		return "a variable does not have its initial value";
	for (int i = 0; i < 50; i++)
		count();
	return sum() == 200 ? NULL : "the sum is wrong";
}

static const char *open_and_close(int count, char **paths, int fresh)
{
	void *handle[PLUGINS];
	const char *wrong = NULL;

	for (int i = 0; i < count; i++) {
		handle[i] = dlopen(paths[i], RTLD_NOW | RTLD_LOCAL);
		if (!handle[i])
			return dlerror();
		wrong = wrong ? wrong : use(handle[i], fresh);
	}
	/* In the order of opening and against it. */
	for (int i = 0; i < count; i++)
		dlclose(handle[fresh % 2 ? i : count - 1 - i]);
	return wrong;
}

int main(int argc, char **argv)
{
	size_t before = reserved_used();

	for (int round = 1; round <= TIMES; round++) {
		const char *wrong;
		int fresh = round;

#ifdef BARE
		/* Here the first object becomes the core, and stays. */
		fresh = round == 1;
#endif
		wrong = open_and_close(argc - 1, argv + 1, fresh);
		count_own();
		if (!wrong && reserved_used() != before)
			wrong = "reserved space is missing";
		if (!wrong && !own_variable_is(round))
			wrong = "the program's own variable is wrong";
		if (wrong) {
			printf("round %d: %s\n", round, wrong);
			return 1;
		}
	}
	return 0;
}
