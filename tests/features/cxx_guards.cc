/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Variables of functions that are constructed at the first call, also if that is in several threads
 * or throws; destroyed at unload.
 */
#include <cstdio>
#include <pthread.h>

namespace {

int made, failed;

struct Counter {
	int value;

	Counter() : value(++made)
	{
	}

	~Counter()
	{
		std::printf("counter %d ends\n", value);
	}
};

struct Fails {
	Fails()
	{
		if (failed++ < 2)
			throw failed;
	}
};

Counter &counter()
{
	static Counter only;

	return only;
}

void try_it()
{
	static Fails sometimes;
}

void *in_thread(void *)
{
	return &counter();
}

}

extern "C" void cxx_guards()
{
	pthread_t threads[4];
	void *result;
	int same = 0;

	for (pthread_t &thread : threads)
		if (pthread_create(&thread, nullptr, in_thread, nullptr))
			return;
	for (pthread_t thread : threads) {
		pthread_join(thread, &result);
		same += result == &counter();
	}
	std::printf("%d %d\n", made, same);
	for (int i = 0; i < 4; i++) {
		try {
			try_it();
			std::printf("done %d\n", failed);
		} catch (int value) {
			std::printf("failed %d\n", value);
		}
	}
}
