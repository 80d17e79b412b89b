// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A module in C++ that uses the C++ library, which the host must have: containers, strings, a
// virtual destructor, run-time type information.  Nothing is thrown.
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

// After the C++ library, which has names of its own like __init.
#include <permod/module.h>

DEFINE_PER_CPU(long, letters);
DEFINE_PER_CPU(long, sums);

namespace
{
struct base {
	virtual ~base() = default;
	virtual long value() const
	{
		return 1;
	}
};

struct derived : base {
	explicit derived(long v) : numbers(4, v)
	{
	}
	long value() const override
	{
		return std::accumulate(numbers.begin(), numbers.end(), 0L);
	}
	std::vector<long> numbers;
};

const std::map<std::string, int> lengths = { { "per", 3 }, { "CPU", 3 }, { "variables", 9 } };
} // namespace

// 3 + 3 + 9 = 15; 4 * 5 + 1 = 21
extern "C" void work()
{
	std::vector<std::unique_ptr<base>> all;
	long sum = 0;

	for (const auto &entry : lengths)
		this_cpu_add(letters, entry.second);
	all.emplace_back(new derived(5));
	all.emplace_back(new base);
	for (const auto &one : all)
		sum += dynamic_cast<const derived *>(one.get()) || one->value() == 1 ? one->value()
										     : 0;
	this_cpu_add(sums, sum);
}
