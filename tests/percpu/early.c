/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Per-CPU variables at both ends of a process's life. Three things are made of this file:
 *
 *     a shared object, -DOBJECT: two files (the other with -DSECOND_FILE), which use static and
 *         dynamic variables in constructors and destructors of all priorities. It may be initialised
 *         before libpercpu, or opened.
 *     a library below it, -DBELOW: knows nothing of per-CPU variables, and calls back from its
 *         destructor, when the object's are over.
 *     a program: the same in itself. With -DOPEN it opens the object and never closes it.
 *
 * Who finds something wrong says so and ends the process. The program's exit status says that main()
 * was reached; what happens after that is told by a line from each part's last function.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Not stdio, whose own destructors may have run. */
#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			say("wrong: " #condition);                                                 \
			_exit(99);                                                                 \
		}                                                                                  \
	} while (0)

__attribute__((unused)) static void say(const char *text)
{
	char line[200];
	size_t length = strlen(text);

	memcpy(line, text, length);
	line[length] = '\n';
	if (write(STDOUT_FILENO, line, length + 1) < 0)
		_exit(98);
}

void call_at_the_end(void (*function)(void));

#ifdef BELOW

static void (*last_call)(void);

void call_at_the_end(void (*function)(void))
{
	last_call = function;
}

__attribute__((destructor)) static void end(void)
{
	if (last_call)
		last_call();
}

#else
#include <permod/percpu.h>

__attribute__((visibility("hidden"))) DECLARE_PER_CPU(long, shared);

#ifdef SECOND_FILE
/* Its destructors run first, as the files' order is turned round at the end. */
DEFINE_PER_CPU(long, shared) = 7;
static DEFINE_PER_CPU(long[3000], second) = { 1, [2999] = 3 };

__attribute__((constructor(101))) static void begin_101(void)
{
	this_cpu_inc(second[0]);
	this_cpu_add(shared, 100);
}

__attribute__((destructor(101))) static void end_101(void)
{
	this_cpu_inc(second[2999]);
	this_cpu_add(shared, 1000);
}
#else

static DEFINE_PER_CPU(long, counter) = 5;
static long __percpu *dynamic;

static long sum(long __percpu *variable)
{
	long result = 0;
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		result += *per_cpu_ptr(variable, cpu);
	return result;
}

/* How much was added to a variable whose copies began with `initial`. */
static long added(long __percpu *variable, long initial)
{
	return sum(variable) - initial * (long)num_possible_cpus();
}

/* Everything works: static and dynamic variables, operations, looking at it. */
static void use_everything(void)
{
	/* Where the program has none, the object's are the core's. */
	enum pcpu_kind kind = pcpu_core_image == &__pcpu_image ? PCPU_STATIC : PCPU_RESERVED;
	long __percpu *other = alloc_percpu(long);
	long before = sum(&counter);
	struct pcpu_map map;

	EXPECT(other && sum(other) == 0);
	this_cpu_inc(*other);
	EXPECT(sum(other) == 1);
	free_percpu(other);
	this_cpu_inc(counter);
	EXPECT(sum(&counter) == before + 1);
	EXPECT(pcpu_classify(pcpu_ptr(&counter), NULL, NULL) == kind);
	pcpu_get_map(&map);
	EXPECT(map.cookies && map.areas > 0);
	EXPECT(smp_processor_id() < nr_cpu_ids);
	EXPECT(!strcmp(pcpu_ops_name(), "rseq") || !strcmp(pcpu_ops_name(), "atomic"));
}

__attribute__((constructor(101))) static void begin_101(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		EXPECT(per_cpu(counter, cpu) == 5);
	dynamic = alloc_percpu(long);
	EXPECT(dynamic);
	use_everything();
	this_cpu_inc(*dynamic);
}

static void at_exit(void)
{
	use_everything();
	this_cpu_inc(*dynamic);
}

__attribute__((constructor)) static void begin(void)
{
	EXPECT(added(&shared, 7) == 100);
	use_everything();
	this_cpu_inc(*dynamic);
	EXPECT(atexit(at_exit) == 0);
}

__attribute__((destructor)) static void end(void)
{
	EXPECT(added(&shared, 7) == 100);
	use_everything();
	this_cpu_inc(*dynamic);
}

/* The second file's destructors are over, but these variables must be what they were. */
__attribute__((destructor(101))) static void end_101(void)
{
	EXPECT(added(&shared, 7) == 1100);
	use_everything();
	this_cpu_inc(*dynamic);
	EXPECT(sum(dynamic) == 5);
	EXPECT(added(&counter, 5) == 5);
	free_percpu(dynamic);
#ifdef OBJECT
	say("object ended");
#else
	say("program ended");
#endif
}

#ifdef OBJECT
/* Called when everything of this object is over. What its variables say is not told any more, but
 * using them does no harm. */
static void after_all(void)
{
	long __percpu *other = alloc_percpu(long);

	EXPECT(other && sum(other) == 0);
	this_cpu_inc(*other);
	EXPECT(sum(other) == 1);
	free_percpu(other);
	this_cpu_inc(counter);
	say("called after the object's end");
}

__attribute__((constructor)) static void arrange(void)
{
	call_at_the_end(after_all);
}

int object_is_there(void);
int object_is_there(void)
{
	return 1;
}
#else

int object_is_there(void) __attribute__((weak));

int main(void)
{
#ifdef OPEN
	EXPECT(dlopen(OPEN, RTLD_NOW));
#elif defined(LINKED)
	EXPECT(object_is_there());
#endif
	EXPECT(added(&counter, 5) == 2 && sum(dynamic) == 2);
	return 42;
}
#endif
#endif
#endif
