/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Direct access to static per-CPU variables: with -DPCPU_STRICT every one traps, at the beginning, in
 * the middle and at the end of what the image has, in both files (the other with -DSECOND_FILE), and
 * what lies beside it does not. Without -DPCPU_STRICT these small variables share their page with
 * ordinary data, and nothing traps: a check of the test itself.
 *
 * With -DOBJECT it is a shared object, for the program with -DOPEN="path".
 */
#include <permod/percpu.h>

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct place {
	void *address;
	int is_variable;
};

#define PLACES 8
int add_places(struct place *places);

#ifdef SECOND_FILE
int ordinary_before_second = 1;
DEFINE_PER_CPU(long, second_first) = 1;
DEFINE_PER_CPU(char, second_last);
int ordinary_behind_second = 2;

int add_places(struct place *places)
{
	places[0] = (struct place){ &second_first, 1 };
	places[1] = (struct place){ &second_last, 1 };
	places[2] = (struct place){ &ordinary_before_second, 0 };
	places[3] = (struct place){ &ordinary_behind_second, 0 };
	return 4;
}
#else
static int ordinary_before = 3;
static DEFINE_PER_CPU(char, first) = 1;
static DEFINE_PER_CPU_SHARED_ALIGNED(int, aligned) = 2;
static DEFINE_PER_CPU(long, last) = 3;
static int ordinary_behind = 4;

int check_all(void);

/* A child that reads or writes a place; whether it is killed for it. */
static int traps(void *address, int writing)
{
	struct rlimit none = { 0, 0 };
	volatile char *byte = address;
	int status;
	pid_t child = fork();

	if (!child) {
		signal(SIGSEGV, SIG_DFL);
		setrlimit(RLIMIT_CORE, &none);
		if (writing)
			*byte = 1;
		_exit(writing ? 0 : *byte & 0);
	}
	if (waitpid(child, &status, 0) != child)
		return -1;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

int check_all(void)
{
	struct place places[PLACES] = {
		{ &first, 1 },
		{ &aligned, 1 },
		{ &last, 1 },
		{ (char *)&last + sizeof(last) - 1, 1 },
		{ &ordinary_before, 0 },
		{ &ordinary_behind, 0 },
	};
	struct place more[PLACES];
	int count = add_places(more), failures = 0;
	unsigned int cpu;

	for (int i = 0; i < 6 + count; i++) {
		const struct place *place = i < 6 ? &places[i] : &more[i - 6];
#ifdef PCPU_STRICT
		int expected = place->is_variable;
#else
		int expected = 0;
#endif
		for (int writing = 0; writing < 2; writing++) {
			if (traps(place->address, writing) != expected) {
				printf("place %d, writing %d: not %d\n", i, writing, expected);
				failures++;
			}
		}
	}
	/* The right way works as ever. */
	this_cpu_inc(last);
	this_cpu_inc(aligned);
	for_each_possible_cpu(cpu) {
		if (per_cpu(first, cpu) != 1 || per_cpu(aligned, cpu) / 2 != 1)
			failures++;
	}
	return failures;
}

#ifndef OBJECT
int main(void)
{
#ifdef OPEN
	void *object = dlopen(OPEN, RTLD_NOW);
	int (*check_object)(void) = object ? (int (*)(void))dlsym(object, "check_all") : NULL;

	if (!check_object || check_object())
		return 1;
	/* It goes, closed pages and all, and comes again. */
	if (dlclose(object) || !(object = dlopen(OPEN, RTLD_NOW)))
		return 2;
	check_object = (int (*)(void))dlsym(object, "check_all");
	if (!check_object || check_object())
		return 3;
#endif
	return check_all() != 0;
}
#endif
#endif
