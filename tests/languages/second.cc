// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The second file of a module in C++: the same inline functions and templates, and an object.
#include "objects.h"

static square object("second file", 4);

const shape &second_shape()
{
	return object;
}

int (*second_count_calls())()
{
	return count_calls;
}

// Every call of totals() adds 1 in the other file and 5 here.
extern "C" int call_from_second()
{
	summer<int>::add(5);
	return count_calls();
}
