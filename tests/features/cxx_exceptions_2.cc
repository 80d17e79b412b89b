/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other file.
 */
#include <stdexcept>
#include <string>
#include <vector>

namespace {

struct Own : std::runtime_error {
	Own() : std::runtime_error("own")
	{
	}
};

}

void cxx_exceptions_throw(int what)
{
	std::vector<int> values(3);

	switch (what) {
	case 1:
		throw 42;
	case 2:
		throw std::logic_error("logic");
	case 3:
		values.at(5) = 1;
		break;
	case 4:
		throw std::string("a string of more than fifteen characters");
	case 5:
		throw Own();
	case 6:
		throw std::bad_alloc();
	}
}
