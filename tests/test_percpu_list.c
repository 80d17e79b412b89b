/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * percpu_list: order, taking from other CPUs, and each node in one hand only among threads that are
 * moved and interrupted while others steal and drain; nodes are unmapped as soon as they are popped.
 * Runs in each way that a process can do operations.
 */
#define _GNU_SOURCE
#include <permod/percpu_list.h>
#include "tests/percpu/torture.h"

#include <sys/mman.h>

static struct percpu_list list;

struct item {
	struct percpu_list_node node; /* the first member: an item is where its node is */
	int owner;		      /* 0 in the list, otherwise 1 */
	unsigned long visits;
};

static struct item *item_of(struct percpu_list_node *node)
{
	return (struct item *)(void *)node;
}

static void make(void)
{
	ck_assert_int_eq(percpu_list_init(&list), 0);
}

static size_t length(const struct percpu_list_node *chain)
{
	size_t count = 0;

	for (; chain; chain = chain->next)
		count++;
	return count;
}

/* ---- One thread ----------------------------------------------------------------------------- */

static struct percpu_list_node nodes[100];

START_TEST(last_in_is_first_out)
{
	make();
	stay_on(allowed_cpu_after(0));
	ck_assert_ptr_null(percpu_list_pop(&list));
	for (int i = 0; i < 100; i++)
		percpu_list_push(&list, &nodes[i]);
	for (int i = 99; i >= 50; i--)
		ck_assert_ptr_eq(percpu_list_pop(&list), &nodes[i]);
	percpu_list_push(&list, &nodes[77]);
	ck_assert_ptr_eq(percpu_list_pop(&list), &nodes[77]);
	for (int i = 49; i >= 0; i--)
		ck_assert_ptr_eq(percpu_list_pop(&list), &nodes[i]);
	ck_assert_ptr_null(percpu_list_pop(&list));
	ck_assert_ptr_null(percpu_list_pop_all(&list));
	percpu_list_destroy(&list);
}
END_TEST

static void push_some(int from, int count)
{
	for (int i = from; i < from + count; i++)
		percpu_list_push(&list, &nodes[i]);
}

/* In the order in which single ones would come. */
static void check_chain(const struct percpu_list_node *chain, int from, int count)
{
	for (int i = from + count - 1; i >= from; i--) {
		ck_assert_ptr_eq(chain, &nodes[i]);
		chain = chain->next;
	}
	ck_assert_ptr_null(chain);
}

START_TEST(all_nodes_come_as_a_chain)
{
	make();
	stay_on(allowed_cpu_after(0));
	push_some(0, 10);
	check_chain(percpu_list_pop_all(&list), 0, 10);
	ck_assert_ptr_null(percpu_list_pop(&list));
	push_some(10, 1);
	check_chain(percpu_list_pop_all(&list), 10, 1);
	percpu_list_destroy(&list);
}
END_TEST

START_TEST(each_cpu_has_its_own)
{
	unsigned int cpu, cpus = 0;

	make();
	for_each_allowed_cpu(cpu)
	{
		stay_on(cpu);
		ck_assert_ptr_null(percpu_list_pop(&list));
		if (cpus < 100)
			percpu_list_push(&list, &nodes[cpus++]);
	}
	cpus = 0;
	for_each_allowed_cpu(cpu)
	{
		stay_on(cpu);
		if (cpus < 100)
			ck_assert_ptr_eq(percpu_list_pop(&list), &nodes[cpus++]);
	}
	percpu_list_destroy(&list);
}
END_TEST

/* From another CPU if there is one, and from one's own. */
START_TEST(nodes_can_be_stolen)
{
	unsigned int victim = allowed_cpu_after(0), cpu;

	make();
	for_each_allowed_cpu(cpu)
	{
		stay_on(victim);
		push_some(0, 7);
		stay_on(cpu);
		check_chain(percpu_list_steal(&list, victim), 0, 7);
		ck_assert_ptr_null(percpu_list_steal(&list, victim));
	}
	ck_assert_ptr_null(percpu_list_steal(&list, nr_cpu_ids));
	ck_assert_ptr_null(percpu_list_steal(&list, (unsigned int)-1));
	/* The list is as usable as before. */
	stay_on(victim);
	push_some(0, 3);
	ck_assert_ptr_eq(percpu_list_pop(&list), &nodes[2]);
	check_chain(percpu_list_pop_all(&list), 0, 2);
	percpu_list_destroy(&list);
}
END_TEST

START_TEST(drain_takes_from_every_cpu)
{
	unsigned int cpu;
	size_t pushed = 0;

	make();
	ck_assert_ptr_null(percpu_list_drain(&list));
	for_each_allowed_cpu(cpu)
	{
		stay_on(cpu);
		if (pushed + 5 > 100)
			break;
		push_some((int)pushed, 5);
		pushed += 5;
	}
	ck_assert_uint_eq(length(percpu_list_drain(&list)), pushed);
	ck_assert_ptr_null(percpu_list_drain(&list));
	percpu_list_destroy(&list);
}
END_TEST

START_TEST(pop_any_takes_over_another_cpus_nodes)
{
	unsigned int victim = allowed_cpu_after(0), here = allowed_cpu_after(victim);

	make();
	stay_on(victim);
	push_some(0, 5);
	stay_on(here);
	for (int i = 0; i < 5; i++) {
		ck_assert_ptr_nonnull(percpu_list_pop_any(&list));
		/* From the first on they are this CPU's. */
		ck_assert_uint_eq(length(percpu_list_steal(&list, victim)) * (victim != here), 0);
		if (victim == here)
			break;
	}
	ck_assert_ptr_null(percpu_list_pop_any(&list));
	percpu_list_destroy(&list);
}
END_TEST

START_TEST(memory_is_given_back)
{
	struct pcpu_map before, after;

	pcpu_get_map(&before);
	make();
	percpu_list_destroy(&list);
	percpu_list_destroy(&list);
	pcpu_get_map(&after);
	ck_assert_uint_eq(after.areas, before.areas);
}
END_TEST

/* ---- Threads -------------------------------------------------------------------------------- */

static void *push_and_pop(void *node)
{
	errno = 77;
	percpu_list_push(&list, node);
	return (void *)(uintptr_t)(errno != 77);
}

START_TEST(each_new_thread_pushes)
{
	make();
	for (int i = 0; i < 100; i++) {
		pthread_t thread;
		void *wrong;

		check_that(!pthread_create(&thread, NULL, push_and_pop, &nodes[i]));
		pthread_join(thread, &wrong);
		ck_assert(!wrong);
	}
	ck_assert_uint_eq(length(percpu_list_drain(&list)), 100);
	percpu_list_destroy(&list);
}
END_TEST

START_TEST(child_of_fork_has_a_copy)
{
	int status;
	pid_t child;

	make();
	percpu_list_push(&list, &nodes[0]);
	child = fork();
	if (!child) {
		percpu_list_push(&list, &nodes[1]);
		_exit(length(percpu_list_drain(&list)) == 2 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(length(percpu_list_drain(&list)), 1);
	percpu_list_destroy(&list);
}
END_TEST

/* Take an item over, and give it back: nobody else may have it in between. */
static void take(struct percpu_list_node *node)
{
	struct item *item = item_of(node);

	check_that(__atomic_exchange_n(&item->owner, 1, __ATOMIC_RELAXED) == 0);
	item->visits++;
}

static void give(struct percpu_list_node *node)
{
	check_that(__atomic_exchange_n(&item_of(node)->owner, 0, __ATOMIC_RELAXED) == 1);
	percpu_list_push(&list, node);
}

static unsigned long give_chain(struct percpu_list_node *chain)
{
	unsigned long count = 0;

	/* The whole chain is ours at once. */
	for (struct percpu_list_node *node = chain; node; node = node->next)
		take(node);
	while (chain) {
		struct percpu_list_node *next = chain->next;

		give(chain);
		chain = next;
		count++;
	}
	return count;
}

enum { ITEMS = 64 };
static struct item items[ITEMS];
static struct percpu_list_node *volatile in_handlers_hand[WORKERS];
static unsigned long visits[WORKERS], handler_visits[WORKERS];

static void pop_and_push(struct worker *me)
{
	struct percpu_list_node *held[3] = { NULL };
	unsigned long *count = &visits[me->number];

	for (long i = 0; i < rounds(1000000); i++) {
		struct percpu_list_node **slot = &held[i % 3];

		if (*slot) {
			give(*slot);
			*slot = NULL;
		} else if ((*slot = percpu_list_pop(&list)) != NULL) {
			take(*slot);
			(*count)++;
		}
		if (i % 1000 == 0)
			*count += give_chain(percpu_list_pop_all(&list));
		let_signals_in(i);
	}
	for (int i = 0; i < 3; i++) {
		if (held[i])
			give(held[i]);
	}
}

/* A handler keeps an item until the next signal. */
static void pop_or_push(struct worker *me)
{
	struct percpu_list_node *node =
		__atomic_exchange_n(&in_handlers_hand[me->number], NULL, __ATOMIC_SEQ_CST);

	if (node) {
		give(node);
		return;
	}
	node = percpu_list_pop(&list);
	if (!node)
		return;
	take(node);
	__atomic_fetch_add(&handler_visits[me->number], 1, __ATOMIC_SEQ_CST);
	node = __atomic_exchange_n(&in_handlers_hand[me->number], node, __ATOMIC_SEQ_CST);
	/* Another signal's handler came between. */
	if (node)
		give(node);
}

static unsigned long main_visits;

/* This thread steals, drains and takes over; the nodes go to whatever CPU it is on. */
static void rob(void)
{
	for (long i = 0; i < rounds(6000); i++) {
		unsigned int cpu = (unsigned int)i % nr_cpu_ids;
		struct percpu_list_node *node;

		if (i % 4 == 0)
			main_visits += give_chain(percpu_list_drain(&list));
		else if (i % 4 == 1)
			main_visits += give_chain(percpu_list_steal(&list, cpu));
		else if ((node = percpu_list_pop_any(&list)) != NULL) {
			take(node);
			give(node);
			main_visits++;
		}
		usleep(10);
	}
}

START_TEST(each_node_is_in_one_hand)
{
	unsigned long counted = 0, visited = 0;
	size_t left = 0;

	make();
	for (int i = 0; i < ITEMS; i++)
		percpu_list_push(&list, &items[i].node);
	torture(pop_and_push, pop_or_push, rob);
	for (int i = 0; i < WORKERS; i++) {
		if (in_handlers_hand[i])
			give(in_handlers_hand[i]);
		counted += visits[i] + handler_visits[i];
	}
	counted += main_visits;
	ck_assert_uint_gt(counted, 0);
	for (struct percpu_list_node *node = percpu_list_drain(&list); node; node = node->next) {
		take(node);
		left++;
	}
	ck_assert_uint_eq(left, ITEMS);
	for (int i = 0; i < ITEMS; i++) {
		ck_assert_int_eq(items[i].owner, 1);
		visited += items[i].visits;
	}
	/* Nobody wrote to an item while another one had it. */
	ck_assert_uint_eq(visited, counted + ITEMS);
	percpu_list_destroy(&list);
}
END_TEST

/*
 * A node that somebody got is unmapped at once, so that one who looks into it later dies.  Nodes are
 * pages, which come and go.
 */
static size_t page_size;
static unsigned long mapped, unmapped;

static void push_new_page(void)
{
	struct percpu_list_node *page =
		mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check_that(page != MAP_FAILED);
	__atomic_fetch_add(&mapped, 1, __ATOMIC_RELAXED);
	percpu_list_push(&list, page);
}

static void unmap_chain(struct percpu_list_node *chain)
{
	while (chain) {
		struct percpu_list_node *next = chain->next;

		munmap(chain, page_size);
		__atomic_fetch_add(&unmapped, 1, __ATOMIC_RELAXED);
		chain = next;
	}
}

static void map_and_unmap(struct worker *me UNUSED)
{
	for (long i = 0; i < rounds(40000); i++) {
		struct percpu_list_node *node;

		push_new_page();
		node = percpu_list_pop(&list);
		if (node) {
			munmap(node, page_size);
			__atomic_fetch_add(&unmapped, 1, __ATOMIC_RELAXED);
		}
		/* Many pops on few nodes: the others are in the middle of one. */
		for (int k = 0; k < 10; k++) {
			node = percpu_list_pop(&list);
			if (node)
				percpu_list_push(&list, node);
		}
		let_signals_in(i);
	}
}

static void unmap_or_map(struct worker *me)
{
	struct percpu_list_node *node = me->interrupts % 2 ? percpu_list_pop(&list) : NULL;

	if (node) {
		munmap(node, page_size);
		__atomic_fetch_add(&unmapped, 1, __ATOMIC_RELAXED);
	} else {
		push_new_page();
	}
}

static void steal_and_unmap(void)
{
	for (long i = 0; i < rounds(6000); i++) {
		if (i % 2)
			unmap_chain(percpu_list_drain(&list));
		else
			unmap_chain(percpu_list_steal(&list, (unsigned int)(i / 2) % nr_cpu_ids));
		usleep(10);
	}
}

START_TEST(popped_nodes_may_be_unmapped)
{
	page_size = (size_t)sysconf(_SC_PAGESIZE);
	make();
	torture(map_and_unmap, unmap_or_map, steal_and_unmap);
	unmap_chain(percpu_list_drain(&list));
	ck_assert_uint_eq(unmapped, mapped);
	percpu_list_destroy(&list);
}
END_TEST

static void add_tests(TCase *tests)
{
	tcase_add_test(tests, last_in_is_first_out);
	tcase_add_test(tests, all_nodes_come_as_a_chain);
	tcase_add_test(tests, each_cpu_has_its_own);
	tcase_add_test(tests, nodes_can_be_stolen);
	tcase_add_test(tests, drain_takes_from_every_cpu);
	tcase_add_test(tests, pop_any_takes_over_another_cpus_nodes);
	tcase_add_test(tests, memory_is_given_back);
	tcase_add_test(tests, each_new_thread_pushes);
	tcase_add_test(tests, child_of_fork_has_a_copy);
	tcase_add_test(tests, each_node_is_in_one_hand);
	tcase_add_test(tests, popped_nodes_may_be_unmapped);
}

int main(void)
{
	return run_in_all_modes("percpu_list", add_tests);
}
