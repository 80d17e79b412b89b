/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Thread-local objects with constructors and destructors, of functions and of files.
 */
#include <cstdio>
#include <string>
#include <thread>

namespace {

struct Tells {
	const char *name;
	int count = 0;

	explicit Tells(const char *name) : name(name)
	{
		std::printf("%s begins\n", name);
	}

	~Tells()
	{
		std::printf("%s ends with %d\n", name, count);
	}
};

thread_local Tells outer("outer");
thread_local std::string text = "a text of more than fifteen characters";

void work(int times)
{
	thread_local Tells inner("inner");

	inner.count += times;
	outer.count += 2 * times;
	text += '!';
}

}

extern "C" void cxx_thread_local()
{
	for (int i = 1; i < 3; i++) {
		std::thread([i] {
			work(i);
			work(i);
			std::printf("%zu\n", text.size());
		}).join();
	}
}
