/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What both C++ files of a module include: inline functions, templates and a class with virtual
 * functions.  Compilers put them into each object, and one copy of each must remain.
 */
#ifndef TESTS_LANGUAGES_OBJECTS_H
#define TESTS_LANGUAGES_OBJECTS_H

#include <permod/module.h>

#include <stdio.h>

/* Has one address and one counter in the whole module. */
inline int count_calls()
{
	static int calls;

	return ++calls;
}

template <typename T> struct summer {
	static T total; /* one for each type */

	__attribute__((noinline)) static T add(T value)
	{
		total += value;
		return total;
	}
};
template <typename T> T summer<T>::total = 0;

#if __cplusplus >= 201703L
inline int inline_variable = 17;
#else
static int inline_variable = 17;
#endif

class shape
{
      public:
	explicit shape(const char *label) : name(label)
	{
		printf("%s begins\n", name);
	}
	~shape()
	{
		printf("%s ends\n", name);
	}
	virtual int area() const = 0;
	virtual int corners() const
	{
		return 4;
	}

      protected:
	const char *name;
};

class square : public shape
{
      public:
	square(const char *label, int side) : shape(label), side_(side)
	{
	}
	int area() const override
	{
		return side_ * side_;
	}

      private:
	int side_;
};

extern "C" int call_from_second();
const shape &second_shape();
int (*second_count_calls())();

#endif
