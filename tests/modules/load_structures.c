/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counter, reference count and free-list in a module: inline code of its own, and every function of the
 * library, which the loader must find whatever the host is linked with.
 */
#include <permod/module.h>
#include <permod/percpu_counter.h>
#include <permod/percpu_list.h>
#include <permod/percpu_ref.h>

static struct percpu_counter counter;
static struct percpu_ref ref;
static struct percpu_list list;
static struct percpu_list_node nodes[3];
static int released;

/* What went wrong: the line, or 0. */
int structures_wrong(void);

#define NEED(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return __LINE__;                                                           \
	} while (0)

static int counter_wrong(void)
{
	NEED(percpu_counter_init(&counter, 5) == 0);
	for (int i = 0; i < 1000; i++)
		percpu_counter_add(&counter, i % 3);
	percpu_counter_sub(&counter, 9);
	NEED(percpu_counter_sum(&counter) == 5 + 999 - 9);
	NEED(percpu_counter_compare(&counter, 995) == 0);
	percpu_counter_sync(&counter);
	NEED(percpu_counter_read(&counter) == 995);
	percpu_counter_set(&counter, -1);
	NEED(percpu_counter_sum(&counter) == -1);
	percpu_counter_destroy(&counter);
	return 0;
}

static void note(struct percpu_ref *which)
{
	released += which == &ref;
}

static int ref_wrong(void)
{
	NEED(percpu_ref_init(&ref, note, PERCPU_REF_INIT_DEAD) == 0);
	percpu_ref_reinit(&ref);
	percpu_ref_get(&ref);
	percpu_ref_switch_to_atomic(&ref, NULL);
	NEED(percpu_ref_tryget(&ref) && percpu_ref_tryget_live(&ref));
	percpu_ref_switch_to_percpu(&ref);
	percpu_ref_put_many(&ref, 3);
	percpu_ref_kill(&ref);
	NEED(released == 1 && percpu_ref_is_zero(&ref));
	percpu_ref_resurrect(&ref);
	percpu_ref_kill(&ref);
	NEED(released == 2);
	percpu_ref_exit(&ref);
	return 0;
}

static int length(const struct percpu_list_node *chain)
{
	return chain ? 1 + length(chain->next) : 0;
}

static int list_wrong(void)
{
	int found = 0;

	NEED(percpu_list_init(&list) == 0);
	for (int i = 0; i < 3; i++)
		percpu_list_push(&list, &nodes[i]);
	/* This thread may be moved. */
	found += percpu_list_pop(&list) != NULL;
	found += length(percpu_list_pop_all(&list));
	found += percpu_list_pop_any(&list) != NULL;
	found += length(percpu_list_steal(&list, 0));
	found += length(percpu_list_drain(&list));
	NEED(found == 3);
	percpu_list_destroy(&list);
	return 0;
}

int structures_wrong(void)
{
	int wrong = counter_wrong();

	released = 0;
	if (!wrong)
		wrong = ref_wrong();
	return wrong ? wrong : list_wrong();
}

MODULE_LICENSE("LGPL");
MODULE_DESCRIPTION("uses the structures over per-CPU memory");
