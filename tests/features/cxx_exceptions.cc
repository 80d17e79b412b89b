/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Exceptions: thrown in one file and caught in another, with destructors in between; by type, by base
 * class, rethrown, kept.
 */
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

void cxx_exceptions_throw(int);

namespace {

struct Tells {
	int number;

	~Tells()
	{
		std::printf("unwound %d\n", number);
	}
};

__attribute__((noinline)) void through(int what)
{
	Tells tells{ what };

	cxx_exceptions_throw(what);
	std::puts("nothing thrown");
}

void rethrow(int what)
{
	try {
		through(what);
	} catch (...) {
		std::puts("once more");
		throw;
	}
}

void look(int what)
{
	try {
		if (what % 2)
			rethrow(what);
		else
			through(what);
	} catch (int value) {
		std::printf("int %d\n", value);
	} catch (const std::out_of_range &error) {
		std::printf("range %s\n", error.what());
	} catch (const std::exception &error) {
		std::printf("exception %s\n", error.what());
	} catch (const std::string &text) {
		std::printf("string %s\n", text.c_str());
	}
}

}

extern "C" void cxx_exceptions()
{
	std::exception_ptr kept;

	for (int what = 0; what < 7; what++)
		look(what);
	try {
		through(2);
	} catch (...) {
		kept = std::current_exception();
	}
	try {
		std::rethrow_exception(kept);
	} catch (const std::exception &error) {
		std::printf("kept %s\n", error.what());
	}
}
