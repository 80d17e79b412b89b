/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Data that refers to things: pointers to functions, into arrays, to strings, across sections.
 */
struct node {
	struct node *next;
	const char *name;
	int (*visit)(struct node *node, int depth);
	long weight;
};

extern struct node outside;
extern int visit_outside(struct node *node, int depth);
extern int table_outside[];

static int visit(struct node *node, int depth)
{
	return node->next && depth < 10 ? node->next->visit(node->next, depth + 1) : depth;
}

static const char *const names[] = { "first", "second", "third" };
static char buffer[300];
int common_or_zero[7];
static struct node nodes[3] = {
	{ &nodes[1], "one", visit, 1 },
	{ &nodes[2], "two", visit_outside, -2 },
	{ &outside, names[0] ? "three" : "none", visit, 3 },
};

int *middle = &common_or_zero[3];
int *beyond = table_outside + 5;
char *const end = buffer + sizeof(buffer);
const char *const *all_names = names;
__attribute__((section(".data.percpu"))) long counter;
__attribute__((section(".data.percpu"))) struct node *current_node = &nodes[1];

int walk(int depth)
{
	buffer[depth & 63]++;
	counter += depth;
	return nodes[0].visit(&nodes[0], depth) + outside.visit(&outside, 0) +
	       table_outside[depth & 7] + *middle + *beyond + all_names[depth & 1][0];
}

void set_weight(int which, long weight)
{
	nodes[which % 3].weight = weight;
	common_or_zero[which & 3] = (int)weight;
	current_node = &nodes[which % 3];
}
