// SPDX-License-Identifier: LGPL-2.1-or-later
//
// <permod/percpu.h> from C++: static variables with initial values in namespaces, operations in
// templates, member functions and lambdas, use in constructors before main(), and exceptions.
// Two files of one program share a variable: compiled a second time with -DSECOND_FILE.
#include <permod/percpu.h>

#include <cstdio>
#include <stdexcept>
#include <thread>
#include <vector>

namespace statistics
{
#ifdef SECOND_FILE
DEFINE_PER_CPU(long, from_both) = 3;
#else
DECLARE_PER_CPU(long, from_both);
#endif
void count_in_second_file();
}

#ifdef SECOND_FILE
void statistics::count_in_second_file()
{
	this_cpu_add(from_both, 100);
}
#else

namespace
{
struct Point {
	int x;
	unsigned char kind;
	Point *next;
};

DEFINE_PER_CPU(Point, point) = { 5, 1, nullptr };
DEFINE_PER_CPU_SHARED_ALIGNED(unsigned short, small);
DEFINE_PER_CPU(bool, flag) = true;
enum class Level : int { low = 1, high = 9 };
DEFINE_PER_CPU(Level, level) = Level::low;

template <typename T> T sum_of(T __percpu *counter)
{
	T sum = 0;
	unsigned int cpu;

	for_each_possible_cpu (cpu)
		sum = static_cast<T>(sum + *per_cpu_ptr(counter, cpu));
	return sum;
}

template <typename T> class Counter
{
	T __percpu *counter = alloc_percpu(T);

    public:
	Counter()
	{
		if (!counter)
			throw std::bad_alloc();
	}
	~Counter()
	{
		free_percpu(counter);
	}
	Counter(const Counter &) = delete;
	Counter &operator=(const Counter &) = delete;
	T operator++()
	{
		return this_cpu_inc_return(*counter);
	}
	void add(T n)
	{
		this_cpu_add(*counter, n);
	}
	T sum() const
	{
		return sum_of(counter);
	}
};

// Before main().
struct Early {
	Early()
	{
		this_cpu_add(small, 11);
	}
} early;

int failures;

void expect(bool condition, const char *what)
{
	if (!condition) {
		std::printf("not so: %s\n", what);
		failures++;
	}
}

void count_in_threads()
{
	Counter<unsigned long long> wide;
	Counter<signed char> narrow;
	std::vector<std::thread> threads;

	for (int i = 0; i < 4; i++)
		threads.emplace_back([&] {
			for (int k = 0; k < 10000; k++) {
				++wide;
				narrow.add(-1);
				this_cpu_inc(point.x);
			}
		});
	for (auto &thread : threads)
		thread.join();
	expect(wide.sum() == 40000, "40 000 increments");
	expect(narrow.sum() == static_cast<signed char>(-40000), "40 000 decrements of a byte");
	expect(sum_of(&point.x) == 40000 + 5 * static_cast<int>(num_possible_cpus()),
	       "40 000 increments of a member");
}

int throw_after(int n)
{
	if (this_cpu_add_return(point.kind, n) == 200)
		throw std::runtime_error("200");
	return 0;
}
}

int main()
{
	static Point other;
	unsigned int cpu;

	expect(sum_of(&small) == 11, "a constructor counted");
	for_each_possible_cpu (cpu) {
		expect(per_cpu(point, cpu).x == 5 && !per_cpu(point, cpu).next, "initial values");
		per_cpu(point, cpu).kind = 190;
	}
	count_in_threads();
	try {
		throw_after(10);
		expect(false, "an exception");
	} catch (const std::runtime_error &) {
	}
	for_each_possible_cpu (cpu)
		per_cpu(point, cpu).next = &other;
	expect(this_cpu_xchg(point.next, nullptr) == &other, "exchange of a pointer");
	expect(this_cpu_cmpxchg(level, Level::low, Level::high) == Level::low, "enum class");
	expect(this_cpu_read(flag), "bool");
	statistics::count_in_second_file();
	this_cpu_sub(statistics::from_both, 1);
	expect(sum_of(&statistics::from_both) == 99 + 3 * static_cast<long>(num_possible_cpus()),
	       "a variable of two files");
	return failures != 0;
}
#endif
