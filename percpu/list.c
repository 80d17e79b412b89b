/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * percpu_list: the second lists, and taking the nodes of other CPUs.  <permod/percpu_list.h> says why
 * it is sound.
 *
 * A slot is open or closed.  Open: sequences push to, and pop from, `head`.  Closed: `head` is the
 * closer's, and others use `second`: nodes are pushed there by compare-and-exchange, and taken off all
 * together by exchange, so that nobody looks into a node that isn't his.  Slots are closed under
 * pcpu_fence_lock(), or from the beginning where there is no fence.
 */
#define _GNU_SOURCE
#include "structures.h"

#include <permod/percpu_list.h>

/* What the sequences rely on. */
_Static_assert(offsetof(struct percpu_list_slot, head) == 0 &&
		       offsetof(struct percpu_list_slot, closed) == sizeof(void *) &&
		       offsetof(struct percpu_list_node, next) == 0,
	       "sequences of the architectures know these places");

int percpu_list_init(struct percpu_list *list)
{
	int saved = errno;
	unsigned int cpu;

	pcpu_fence_setup();
	list->slots = alloc_percpu(struct percpu_list_slot);
	errno = saved;
	if (!list->slots)
		return -ENOMEM;
	if (!pcpu_fences) {
		for_each_possible_cpu(cpu)
			per_cpu_ptr(list->slots, cpu)->closed = 1;
	}
	return 0;
}

void percpu_list_destroy(struct percpu_list *list)
{
	free_percpu(list->slots);
	list->slots = NULL;
}

/* ---- Second lists --------------------------------------------------------------------------- */

static struct percpu_list_slot *this_slot(const struct percpu_list *list)
{
	return per_cpu_ptr(list->slots, pcpu_cpu_number());
}

static void push_second(struct percpu_list_slot *slot, struct percpu_list_node *node)
{
	node->next = __atomic_load_n(&slot->second, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&slot->second, &node->next, node, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		continue;
}

static struct percpu_list_node *take_second(struct percpu_list_slot *slot)
{
	if (!__atomic_load_n(&slot->second, __ATOMIC_RELAXED))
		return NULL;
	return __atomic_exchange_n(&slot->second, NULL, __ATOMIC_ACQUIRE);
}

/* Two chains as one; takes as long as the first is. */
static struct percpu_list_node *join(struct percpu_list_node *first, struct percpu_list_node *then)
{
	struct percpu_list_node *last = first;

	if (!first)
		return then;
	while (last->next)
		last = last->next;
	last->next = then;
	return first;
}

static struct percpu_list_node *pop_second(struct percpu_list_slot *slot)
{
	struct percpu_list_node *node = take_second(slot), *rest = node ? node->next : NULL;
	struct percpu_list_node *none = NULL;

	/* Give the others back; what was pushed meanwhile comes first, as it should. */
	while (rest && !__atomic_compare_exchange_n(&slot->second, &none, rest, false,
						    __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
		rest = join(take_second(slot), rest);
		none = NULL;
	}
	return node;
}

/* ---- This CPU's list ------------------------------------------------------------------------ */

void pcpu_list_push_slow(struct percpu_list *list, struct percpu_list_node *node)
{
	uintptr_t slots = (uintptr_t)list->slots;

	if (pcpu_fences) {
		if (__pcpu_list_push(slots, node))
			return;
		pcpu_prepare_thread_quietly();
		if (__pcpu_list_push(slots, node))
			return;
	}
	push_second(this_slot(list), node);
}

/* By a sequence of the library's; NULL also if the list is closed. */
static struct percpu_list_node *take_restartably(struct percpu_list *list,
						 void *(*take)(uintptr_t slots))
{
	uintptr_t slots = (uintptr_t)list->slots;
	void *node;

	if (!pcpu_fences)
		return NULL;
	node = take(slots);
	if (node == PCPU_LIST_SLOW) {
		pcpu_prepare_thread_quietly();
		node = take(slots);
	}
	return node == PCPU_LIST_SLOW ? NULL : node;
}

struct percpu_list_node *pcpu_list_pop_slow(struct percpu_list *list)
{
	struct percpu_list_node *node = take_restartably(list, __pcpu_list_pop);

	PCPU_TSAN_ACQUIRE(list);
	return node ? node : pop_second(this_slot(list));
}

struct percpu_list_node *percpu_list_pop_all(struct percpu_list *list)
{
	struct percpu_list_node *chain = take_restartably(list, __pcpu_list_pop_all);

	PCPU_TSAN_ACQUIRE(list);
	return join(take_second(this_slot(list)), chain);
}

/* ---- Other CPUs' lists ---------------------------------------------------------------------- */

static bool has_nodes(const struct percpu_list *list, unsigned int cpu)
{
	const struct percpu_list_slot *slot = per_cpu_ptr(list->slots, cpu);

	return __atomic_load_n(&slot->head, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&slot->second, __ATOMIC_RELAXED);
}

static void close_slot(struct percpu_list_slot *slot)
{
	__atomic_store_n(&slot->closed, 1, __ATOMIC_SEQ_CST);
}

static struct percpu_list_node *empty_and_open(struct percpu_list_slot *slot)
{
	struct percpu_list_node *chain = __atomic_load_n(&slot->head, __ATOMIC_ACQUIRE);

	__atomic_store_n(&slot->head, NULL, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->closed, 0, __ATOMIC_RELEASE);
	return chain;
}

/* The heads of the CPUs from `begin` to before `end`, where there is any node. */
static struct percpu_list_node *take_heads(struct percpu_list *list, unsigned int begin,
					   unsigned int end)
{
	struct percpu_list_node *chain = NULL;
	unsigned int cpu;

	pcpu_fence_lock();
	for (cpu = begin; cpu < end; cpu++) {
		if (cpu_possible(cpu) && has_nodes(list, cpu))
			close_slot(per_cpu_ptr(list->slots, cpu));
	}
	pcpu_fence();
	PCPU_TSAN_ACQUIRE(list);
	for (cpu = begin; cpu < end; cpu++) {
		if (cpu_possible(cpu) && per_cpu_ptr(list->slots, cpu)->closed)
			chain = join(empty_and_open(per_cpu_ptr(list->slots, cpu)), chain);
	}
	pcpu_fence_unlock();
	return chain;
}

static struct percpu_list_node *take_all(struct percpu_list *list, unsigned int begin,
					 unsigned int end)
{
	struct percpu_list_node *chain = NULL;
	unsigned int cpu;
	bool any = false;

	for (cpu = begin; cpu < end; cpu++)
		any |= cpu_possible(cpu) && has_nodes(list, cpu);
	if (any && pcpu_fences)
		chain = take_heads(list, begin, end);
	for (cpu = begin; any && cpu < end; cpu++) {
		if (cpu_possible(cpu))
			chain = join(take_second(per_cpu_ptr(list->slots, cpu)), chain);
	}
	return chain;
}

struct percpu_list_node *percpu_list_steal(struct percpu_list *list, unsigned int cpu)
{
	return cpu_possible(cpu) ? take_all(list, cpu, cpu + 1) : NULL;
}

struct percpu_list_node *percpu_list_drain(struct percpu_list *list)
{
	return take_all(list, 0, nr_cpu_ids);
}

/* The first node of another CPU's; the rest become this CPU's. */
static struct percpu_list_node *take_over(struct percpu_list *list, unsigned int cpu)
{
	struct percpu_list_node *first = percpu_list_steal(list, cpu);
	struct percpu_list_node *node = first ? first->next : NULL;

	while (node) {
		struct percpu_list_node *next = node->next;

		pcpu_list_push_slow(list, node);
		node = next;
	}
	return first;
}

struct percpu_list_node *percpu_list_pop_any(struct percpu_list *list)
{
	struct percpu_list_node *node = pcpu_list_pop_slow(list);
	unsigned int here = pcpu_cpu_number();

	for (unsigned int i = 1; !node && i <= nr_cpu_ids; i++)
		node = take_over(list, (here + i) % nr_cpu_ids);
	return node;
}
