// SPDX-License-Identifier: LGPL-2.1-or-later
//
// <permod/percpu_counter.h>, <permod/percpu_ref.h> and <permod/percpu_list.h> from C++, in threads.
#include <permod/percpu_counter.h>
#include <permod/percpu_list.h>
#include <permod/percpu_ref.h>

#include <cstdio>
#include <thread>
#include <vector>

namespace
{
struct Node : percpu_list_node {
	long value = 0;
};

struct Session : percpu_ref {
	bool released = false;

	Session()
	{
		percpu_ref_init(
			this, [](percpu_ref *ref) { static_cast<Session *>(ref)->released = true; },
			PERCPU_REF_ALLOW_REINIT);
	}
	~Session()
	{
		percpu_ref_exit(this);
	}
};

constexpr long rounds = 20000, threads = 4, nodes = 8;
percpu_counter counter;
percpu_list list;

void work(Session &session)
{
	for (long i = 0; i < rounds; i++) {
		percpu_ref_get(&session);
		percpu_counter_add(&counter, i);
		if (percpu_list_node *node = percpu_list_pop(&list)) {
			static_cast<Node *>(node)->value++;
			percpu_counter_dec(&counter);
			percpu_list_push(&list, node);
		}
		percpu_ref_put(&session);
	}
}

int failures;

void expect(bool condition, const char *what)
{
	if (condition)
		return;
	std::printf("wrong: %s\n", what);
	failures++;
}
} // namespace

int main()
{
	std::vector<Node> all(nodes);
	std::vector<std::thread> running;
	Session session;
	long visits = 0, left = 0;

	expect(!percpu_counter_init(&counter, 0) && !percpu_list_init(&list), "set-up");
	for (auto &node : all)
		percpu_list_push(&list, &node);
	for (long i = 0; i < threads; i++)
		running.emplace_back(work, std::ref(session));
	for (auto &thread : running)
		thread.join();
	percpu_ref_kill(&session);
	expect(session.released, "release");
	for (percpu_list_node *node = percpu_list_drain(&list); node; node = node->next) {
		visits += static_cast<Node *>(node)->value;
		left++;
	}
	expect(left == nodes, "nodes");
	expect(percpu_counter_sum(&counter) == threads * rounds * (rounds - 1) / 2 - visits, "sum");
	percpu_counter_destroy(&counter);
	percpu_list_destroy(&list);
	return failures != 0;
}
