// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A module in C++: objects with constructors and destructors, virtual functions, templates, and
// inline functions that second.cc has too.  Built without exceptions and run-time type information,
// which need the C++ library, it is as free-standing as one in C.
#include "objects.h"

DEFINE_PER_CPU(long, areas);
DEFINE_PER_CPU(short, corners);
DEFINE_PER_CPU(long, wrong);

namespace
{
class triangle : public shape
{
      public:
	triangle() : shape("triangle")
	{
	}
	int area() const override
	{
		return 6;
	}
	int corners() const override
	{
		return 3;
	}
};

square first_object("first", 3);
triangle second_object;
__attribute__((init_priority(200))) square early_object("early", 1);

// Is set by a constructor, so it shows that these ran before init.
int made = second_object.area() + 1;

// Called through the table of virtual functions, for nobody knows here what it is.
__attribute__((noinline)) void measure(const shape *object)
{
	this_cpu_add(areas, object->area());
	this_cpu_add(corners, object->corners());
}

int start()
{
	printf("init, made %d\n", made);
	return 0;
}

void stop()
{
	puts("exit");
}
} // namespace

module_init(start);
module_exit(stop);

extern "C" {
// 9 + 6 + 1 + 16 = 32 of area, 4 + 3 + 4 + 4 = 15 corners
void work()
{
	measure(&first_object);
	measure(&second_object);
	measure(&early_object);
	measure(&second_shape());
	if (second_count_calls() != count_calls || inline_variable != 17)
		this_cpu_inc(wrong);
}

// By one thread: totals and counters that both objects add to.
void totals()
{
	int before = count_calls();

	if (call_from_second() != before + 1 || count_calls() != before + 2)
		this_cpu_inc(wrong);
	summer<int>::add(1);
	summer<long>::add(1000);
	if (summer<int>::total % 6 != 0)
		this_cpu_inc(wrong);
}
}
