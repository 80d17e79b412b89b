/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Statics of inline functions and templates, and inline variables: one for both files, though each
 * brings it.
 * matrix: flags -std=c++17
 */
#include "cxx_unique.h"

int *cxx_unique_other(int);
int cxx_unique_bump();

extern "C" void cxx_unique()
{
	std::printf("%d %d %d\n", cxx_unique_next(), cxx_unique_bump(), cxx_unique_next());
	std::printf("%d %d\n", cxx_unique_other(0) == &cxx_unique_variable,
		    cxx_unique_other(1) == &Holder<int>::value);
	std::printf("%d %g\n", Holder<int>::value, Holder<double>::value);
	std::printf("%d\n", cxx_unique_variable);
}
