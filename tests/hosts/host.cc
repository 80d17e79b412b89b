// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A host in C++: includes every header that a host includes, and does what host.c does with the
// means of the language.
#include <permod/percpu.h>
#include <permod/permod.h>

#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

extern "C" {
long host_value = 1000;
long host_function(long x);
EXPORT_SYMBOL(host_function);
EXPORT_SYMBOL(host_value);
}
DEFINE_PER_CPU(long, host_hits) = 1;
EXPORT_PER_CPU_SYMBOL(host_hits);

long host_function(long x)
{
	return 3 * x;
}

namespace
{
template <typename T> T sum_of(T __percpu *variable)
{
	unsigned int cpu;
	T sum = 0;

	for_each_possible_cpu(cpu)
		sum += *per_cpu_ptr(variable, cpu);
	return sum;
}

struct context {
	permod *pm = nullptr;

	context()
	{
		if (permod_new(&pm, nullptr) < 0)
			std::exit(2);
	}
	~context()
	{
		permod_free(pm);
	}
};

int use(const char *path)
{
	context all;
	permod_module *module;

	if (permod_load(all.pm, path, nullptr, 0, &module) < 0) {
		std::printf("error: %s\n", permod_error(all.pm));
		return 1;
	}
	auto work = reinterpret_cast<void (*)()>(permod_symbol(module, "work"));
	std::vector<std::thread> threads;
	for (int i = 0; i < 2; i++)
		threads.emplace_back([work] {
			for (int call = 0; call < 10; call++)
				work();
		});
	for (auto &thread : threads)
		thread.join();
	struct permod_variable variable; // there is a function of the same name
	for (unsigned int i = 0; permod_variable(module, i, &variable) == 0; i++)
		std::printf("%s=%ld\n", variable.name,
			    sum_of(reinterpret_cast<long *>(variable.cookie)));
	return 0;
}
} // namespace

int main(int argc, char **argv)
{
	int status = argc == 2 ? use(argv[1]) : 2;
	auto *counter = alloc_percpu(long);

	this_cpu_add(*counter, 2);
	if (sum_of(counter) != 2)
		return 3;
	free_percpu(counter);
	std::printf("host_hits=%ld\nhost_value=%ld\n",
		    sum_of(&host_hits) - long(num_possible_cpus()), host_value);
	return status;
}
