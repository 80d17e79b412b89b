/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calling a function on several CPUs at once: a thread for each, bound to it.  The threads wait at
 * a gate until all of them are there; if one can't be had or bound, the gate opens for nobody.
 *
 * The main thread sleeps meanwhile, looks at the clock, and tells how far it is where somebody
 * watches.  SIGINT makes the threads stop before their next call; a second one ends the process,
 * as a call may never return.
 */
#define _GNU_SOURCE
#include "tool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TICK 0.05	  /* seconds between two looks */
#define PROGRESS_AFTER 1. /* seconds */
#define PROGRESS_EVERY 4  /* ticks */

#define SIGNAL_STACK_BYTES ((size_t)64 << 10)

/* One thread; each has cache lines of its own. */
struct caller {
	uint64_t calls; /* written by the thread alone */
	struct crowd *crowd;
	unsigned int cpu;
	int error; /* why it could not be bound; 0 or an errno */
	pthread_t thread;
} __attribute__((aligned(128)));

enum gate { GATE_CLOSED, GATE_OPEN, GATE_CANCELLED };

/* All threads, and what they share. */
struct crowd {
	void (*function)(void);
	uint64_t limit; /* calls for each */
	struct caller *callers;
	size_t started;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	enum gate gate;
	size_t ready, finished;
};

/* Set when time is over and by SIGINT; read before every call. */
static bool stop, interrupted;

static bool is_set(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_RELAXED);
}

static void set(bool *flag)
{
	__atomic_store_n(flag, true, __ATOMIC_RELAXED);
}

static void on_interrupt(int number)
{
	(void)number;
	set(&interrupted);
	set(&stop);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- Stacks for signals ---------------------------------------------------------------------- */

void *open_signal_stack(void)
{
	stack_t stack;

	if (sigaltstack(NULL, &stack) || !(stack.ss_flags & SS_DISABLE))
		return NULL;
	stack = (stack_t){ .ss_sp = allocate(1, SIGNAL_STACK_BYTES),
			   .ss_size = SIGNAL_STACK_BYTES };
	sigaltstack(&stack, NULL);
	return stack.ss_sp;
}

void close_signal_stack(void *memory)
{
	const stack_t none = { .ss_flags = SS_DISABLE };

	if (memory)
		sigaltstack(&none, NULL);
	free(memory);
}

/* ---- The threads ---------------------------------------------------------------------------- */

static int bind_to(unsigned int cpu)
{
	size_t size = CPU_ALLOC_SIZE(cpu + 1);
	cpu_set_t *mask = allocate(1, size);
	int error;

	CPU_SET_S(cpu, size, mask);
	error = sched_setaffinity(0, size, mask) ? errno : 0;
	free(mask);
	return error;
}

static bool pass_gate(struct crowd *crowd)
{
	enum gate gate;

	pthread_mutex_lock(&crowd->lock);
	crowd->ready++;
	pthread_cond_broadcast(&crowd->changed);
	while (crowd->gate == GATE_CLOSED)
		pthread_cond_wait(&crowd->changed, &crowd->lock);
	gate = crowd->gate;
	pthread_mutex_unlock(&crowd->lock);
	return gate == GATE_OPEN;
}

static void *caller_main(void *argument)
{
	struct caller *caller = argument;
	struct crowd *crowd = caller->crowd;
	void *stack;

	caller->error = bind_to(caller->cpu);
	if (!pass_gate(crowd))
		return NULL;
	stack = open_signal_stack();
	for (uint64_t calls = 0; calls < crowd->limit && !is_set(&stop);) {
		crowd->function();
		__atomic_store_n(&caller->calls, ++calls, __ATOMIC_RELAXED);
	}
	close_signal_stack(stack);
	pthread_mutex_lock(&crowd->lock);
	crowd->finished++;
	pthread_cond_broadcast(&crowd->changed);
	pthread_mutex_unlock(&crowd->lock);
	return NULL;
}

/* ---- The main thread ------------------------------------------------------------------------ */

static void start_threads(struct crowd *crowd, const struct calls *calls)
{
	sigset_t interrupt, before;

	/* The main thread takes the signal: the module's system calls are not to fail by it. */
	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	pthread_sigmask(SIG_BLOCK, &interrupt, &before);
	for (size_t i = 0; i < calls->num_cpus; i++) {
		struct caller *caller = &crowd->callers[i];
		int error;

		caller->crowd = crowd;
		caller->cpu = calls->cpus[i];
		error = pthread_create(&caller->thread, NULL, caller_main, caller);
		if (error) {
			caller->error = error;
			break;
		}
		crowd->started++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void open_gate(struct crowd *crowd, enum gate gate)
{
	pthread_mutex_lock(&crowd->lock);
	crowd->gate = gate;
	pthread_cond_broadcast(&crowd->changed);
	pthread_mutex_unlock(&crowd->lock);
}

/* Wait until all are at the gate; false, after a message, if one can't run. */
static bool gather(struct crowd *crowd, const struct calls *calls)
{
	pthread_mutex_lock(&crowd->lock);
	while (crowd->ready < crowd->started)
		pthread_cond_wait(&crowd->changed, &crowd->lock);
	pthread_mutex_unlock(&crowd->lock);
	for (size_t i = 0; i < calls->num_cpus; i++) {
		if (!crowd->callers[i].error)
			continue;
		complain("CPU %u: can't %s a thread: %s", calls->cpus[i],
			 i < crowd->started ? "bind" : "start", strerror(crowd->callers[i].error));
		return false;
	}
	return true;
}

static void join_threads(struct crowd *crowd)
{
	for (size_t i = 0; i < crowd->started; i++)
		pthread_join(crowd->callers[i].thread, NULL);
}

/* One line that is written over again and again; returns its length. */
static int show_progress(const struct crowd *crowd, const struct calls *calls, double elapsed)
{
	uint64_t sum = 0;
	int length;

	for (size_t i = 0; i < calls->num_cpus; i++)
		sum += __atomic_load_n(&crowd->callers[i].calls, __ATOMIC_RELAXED);
	if (calls->count)
		length =
			fprintf(stderr, "\r%.40s: %.0f%%, %llu calls in %.1f s ", calls->name,
				100. * (double)sum / (double)calls->count / (double)calls->num_cpus,
				(unsigned long long)sum, elapsed);
	else
		length = fprintf(stderr, "\r%.40s: %.1f of %g s, %llu calls ", calls->name, elapsed,
				 calls->seconds, (unsigned long long)sum);
	fflush(stderr);
	return length;
}

/* Sleep until a thread has finished, or for a tick or what is left of the time. */
static bool all_finished(struct crowd *crowd, double left)
{
	long nanoseconds = (long)((left < TICK ? left : TICK) * 1e9);
	struct timespec until;
	bool finished;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += nanoseconds > 0 ? nanoseconds : 0;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&crowd->lock);
	if (crowd->finished < crowd->started)
		pthread_cond_timedwait(&crowd->changed, &crowd->lock, &until);
	finished = crowd->finished == crowd->started;
	pthread_mutex_unlock(&crowd->lock);
	return finished;
}

static void watch(struct crowd *crowd, struct calls *calls)
{
	bool watched = isatty(STDERR_FILENO);
	double begin = now(), elapsed = 0;
	int length = 0;

	open_gate(crowd, GATE_OPEN);
	for (unsigned int tick = 0;; tick++) {
		bool timed = !calls->count && !is_set(&stop);

		if (all_finished(crowd, timed ? calls->seconds - elapsed : TICK))
			break;
		elapsed = now() - begin;
		if (!calls->count && elapsed >= calls->seconds)
			set(&stop);
		if (watched && elapsed >= PROGRESS_AFTER && tick % PROGRESS_EVERY == 0)
			length = show_progress(crowd, calls, elapsed);
	}
	calls->elapsed = now() - begin;
	if (length > 0)
		fprintf(stderr, "\r%*s\r", length, "");
}

/* Take SIGINT, unless it is ignored, as it is for a shell's jobs in the background. */
static bool catch_interrupt(struct sigaction *before)
{
	struct sigaction action = { .sa_handler = on_interrupt,
				    .sa_flags = SA_RESTART | (int)SA_RESETHAND };

	sigemptyset(&action.sa_mask);
	if (sigaction(SIGINT, NULL, before) || before->sa_handler == SIG_IGN)
		return false;
	return sigaction(SIGINT, &action, NULL) == 0;
}

static void make_crowd(struct crowd *crowd, const struct calls *calls)
{
	size_t size = calls->num_cpus * sizeof(struct caller);
	pthread_condattr_t monotonic;

	*crowd = (struct crowd){ .function = calls->function,
				 .limit = calls->count ? calls->count : UINT64_MAX,
				 .callers = aligned_alloc(_Alignof(struct caller), size) };
	if (!crowd->callers) {
		complain("out of memory");
		exit(STATUS_FAILED);
	}
	memset(crowd->callers, 0, size);
	pthread_mutex_init(&crowd->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&crowd->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

static void free_crowd(struct crowd *crowd)
{
	pthread_cond_destroy(&crowd->changed);
	pthread_mutex_destroy(&crowd->lock);
	free(crowd->callers);
}

enum status make_calls(struct calls *calls)
{
	struct sigaction before;
	struct crowd crowd;
	bool caught, runnable;

	make_crowd(&crowd, calls);
	caught = catch_interrupt(&before);
	start_threads(&crowd, calls);
	runnable = gather(&crowd, calls);
	if (runnable)
		watch(&crowd, calls);
	else
		open_gate(&crowd, GATE_CANCELLED);
	join_threads(&crowd);
	if (caught)
		sigaction(SIGINT, &before, NULL);
	for (size_t i = 0; i < calls->num_cpus; i++)
		calls->calls[i] = crowd.callers[i].calls;
	calls->interrupted = is_set(&interrupted);
	free_crowd(&crowd);
	return runnable ? STATUS_DONE : STATUS_FAILED;
}
