/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Virtual functions, multiple and virtual base classes, pointers to members.
 */
#include <cstdio>

namespace {

struct Base {
	int number = 1;

	virtual ~Base()
	{
		std::puts("base ends");
	}
	virtual int work(int value) = 0;
	virtual int other()
	{
		return number;
	}
};

struct Left : virtual Base {
	int work(int value) override
	{
		return value + 10 + number;
	}
};

struct Right : virtual Base {
	int other() override
	{
		return 200 + number;
	}
};

struct Both final : Left, Right {
	Both()
	{
		number = 5;
	}
	~Both() override
	{
		std::puts("both ends");
	}
	int plain(int value)
	{
		return value * number;
	}
};

__attribute__((noinline)) int call(Base &object, int value)
{
	return object.work(value) + object.other();
}

int (Base::*volatile work)(int) = &Base::work;
int (Both::*const plain)(int) = &Both::plain;
int Base::*number = &Base::number;

}

extern "C" void cxx_virtual()
{
	Base *object = new Both;
	Both both;

	std::printf("%d\n", call(*object, 1000));
	std::printf("%d %d %d\n", (object->*work)(1), (both.*plain)(7), object->*number);
	delete object;
}
