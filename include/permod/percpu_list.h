/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <permod/percpu_list.h> - per-CPU free-lists: what was put back on a CPU last is taken from it first.
 *
 * Each CPU has a list of nodes, linked through a member of the caller's objects.  Pushing and popping
 * are short restartable sequences on the list of the CPU that the thread is on: no atomic
 * instruction, no lock, no cache line of another CPU.
 *
 * No ABA problem, and no stale node: a sequence that is interrupted, by whatever, starts again, so
 * nothing happens to this CPU's list between its load of the head and its store.  Only a thread on
 * another CPU could do that, in percpu_list_steal() and percpu_list_drain(): they close the list,
 * which sequences look at, then fence (membarrier(2)): sequences in flight have ended by then, or
 * start again and see that it is closed; and only then do they look at the nodes.  So a node that was
 * popped, stolen or drained is the caller's alone: it may be freed, even unmapped, at once.
 *
 * While a list is closed, nodes that are pushed on its CPU go to a second list, that is changed by
 * atomic instructions only and taken as a whole, which has no ABA problem either.  A closed list is
 * as good as empty for percpu_list_pop(), but for the second list.
 *
 * Where there are no restartable sequences (pcpu_ops_name(): "atomic"), or the kernel has no such
 * fence (before Linux 5.10), all lists are closed for ever, and only the second ones are used: right,
 * only slower.  There percpu_list_pop() can find nothing although the list has nodes, while another
 * thread, or the code that a signal handler interrupted, is taking one from it.
 *
 * percpu_list_push(), percpu_list_pop() and percpu_list_pop_all() are async-signal-safe, never wait,
 * and may be used by any number of threads.  percpu_list_steal(), percpu_list_drain() and
 * percpu_list_pop_any() take a lock: not for signal handlers.  What a thread wrote to an object
 * before it pushed it is seen by the thread that gets it.  In a child after fork() the lists are
 * copies; but of a second list that another thread had in hand just then, the child has nothing.
 * With PERCPU_INDEX=mm_cid the lists are those of CPU numbers all the same.  ThreadSanitizer is told of that order; of that of chains only if the library is built with it.
 */
#ifndef PERMOD_PERCPU_LIST_H
#define PERMOD_PERCPU_LIST_H

#include <permod/arch/structures.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct percpu_list_node - a member of the caller's objects.
 * @next:	the next node of a chain, NULL at its end; the library's while the node is in a list
 */
struct percpu_list_node {
	struct percpu_list_node *next;
};

/**
 * struct percpu_list_slot - what a CPU has of a list; the library's.
 * @head:	the list; changed by sequences, or by the one who closed it
 * @closed:	not 0: sequences must leave @head alone
 * @second:	the list for that time; changed by atomic instructions
 */
struct percpu_list_slot {
	struct percpu_list_node *head;
	uintptr_t closed;
	struct percpu_list_node *second;
} __attribute__((aligned(32)));

/**
 * struct percpu_list - a list for each CPU; the caller's memory, initialised by percpu_list_init().
 * @slots:	of the library
 */
struct percpu_list {
	struct percpu_list_slot __percpu *slots;
};

/**
 * percpu_list_init() - make empty lists.  Returns 0 or -ENOMEM.
 */
int percpu_list_init(struct percpu_list *list);

/**
 * percpu_list_destroy() - free what percpu_list_init() took.  Nobody may use the list any more.
 * Nodes that are still in it are forgotten: see percpu_list_drain().
 */
void percpu_list_destroy(struct percpu_list *list);

/* For inline code: what it can't do. */
void pcpu_list_push_slow(struct percpu_list *list, struct percpu_list_node *node);
struct percpu_list_node *pcpu_list_pop_slow(struct percpu_list *list);

/** percpu_list_push() - put @node, which must be in no list, on this CPU's list. */
static inline void percpu_list_push(struct percpu_list *list, struct percpu_list_node *node)
{
	PCPU_TSAN_RELEASE(list);
	if (__builtin_expect(!__pcpu_list_push((uintptr_t)list->slots, node), 0))
		pcpu_list_push_slow(list, node);
}

/** percpu_list_pop() - take the node that was pushed last on this CPU; NULL if it has none. */
static inline struct percpu_list_node *percpu_list_pop(struct percpu_list *list)
{
	void *node = __pcpu_list_pop((uintptr_t)list->slots);

	if (__builtin_expect(!node || node == PCPU_LIST_SLOW, 0))
		node = pcpu_list_pop_slow(list);
	PCPU_TSAN_ACQUIRE(list);
	return (struct percpu_list_node *)node;
}

/** percpu_list_pop_all() - take all nodes of this CPU: a chain, linked by @next; NULL if none. */
struct percpu_list_node *percpu_list_pop_all(struct percpu_list *list);

/**
 * percpu_list_steal() - take all nodes of @cpu, whatever CPU this thread is on.
 *
 * Returns a chain; NULL if there is none, or no such CPU.  Takes some microseconds, if there is one.
 * Nodes that are pushed at the same time may be left.
 */
struct percpu_list_node *percpu_list_steal(struct percpu_list *list, unsigned int cpu);

/**
 * percpu_list_drain() - take all nodes of all CPUs: a chain; NULL if there is none.
 *
 * Nodes that are pushed at the same time may be left.  Costs one fence, however many CPUs there are.
 */
struct percpu_list_node *percpu_list_drain(struct percpu_list *list);

/**
 * percpu_list_pop_any() - as percpu_list_pop(), but if this CPU has none, take over those of another
 * CPU, and return one of them.  NULL if there is none anywhere.
 */
struct percpu_list_node *percpu_list_pop_any(struct percpu_list *list);

#ifdef __cplusplus
}
#endif

#endif
