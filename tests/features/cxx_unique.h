/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What both files bring.
 */
#ifndef CXX_UNIQUE_H
#define CXX_UNIQUE_H

#include <cstdio>

inline int cxx_unique_next()
{
	static int count = 10;

	return ++count;
}

inline int cxx_unique_variable = [] {
	static int times;

	return 100 + ++times;
}();

template <typename T> struct Holder {
	static T value;
};

template <typename T> T Holder<T>::value = T(3) / 2;

#endif
