/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Allocation: a class's own operator new, placement, arrays with destructors, alignment.
 * matrix: flags -std=c++17
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace {

int taken, given;
volatile std::size_t too_large = static_cast<std::size_t>(-1) / 4;

struct Own {
	static void *operator new(std::size_t size)
	{
		taken++;
		return std::malloc(size);
	}
	static void operator delete(void *memory)
	{
		given++;
		std::free(memory);
	}
	virtual ~Own() = default;
};

struct Counted {
	static int alive;

	Counted()
	{
		alive++;
	}
	~Counted()
	{
		alive--;
	}
};

int Counted::alive;

struct alignas(128) Aligned {
	char bytes[128];
};

}

extern "C" void cxx_new()
{
	alignas(Counted) char place[sizeof(Counted)];
	Counted *array = new Counted[5], *placed = new (place) Counted;
	Aligned *aligned = new Aligned;

	delete new Own;
	std::printf("%d %d %d\n", taken, given, Counted::alive);
	placed->~Counted();
	delete[] array;
	std::printf("%d %d\n", Counted::alive,
		    static_cast<int>(reinterpret_cast<std::uintptr_t>(aligned) % 128));
	delete aligned;
	std::printf("%d\n", new (std::nothrow) char[too_large] == nullptr);
}
