/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What both files bring.
 */
#ifndef CXX_TEMPLATES_H
#define CXX_TEMPLATES_H

#include <cstdio>

template <typename T> struct Sum {
	static T of(T a, T b);
};

template <typename T> T Sum<T>::of(T a, T b)
{
	return a + b;
}

template <typename T> long twice(T value)
{
	return value + value;
}

#endif
