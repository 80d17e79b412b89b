/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other file.
 * matrix: flags -std=c++17
 */
#include "cxx_unique.h"

int *cxx_unique_other(int which)
{
	return which ? &Holder<int>::value : &cxx_unique_variable;
}

int cxx_unique_bump()
{
	Holder<int>::value++;
	return cxx_unique_next();
}
