/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Templates: instantiated in both files, in one for both, and explicitly; inline functions whose
 * address is the same in both.
 */
#include "cxx_templates.h"

int cxx_templates_other(long (*function)(long));

extern template int Sum<int>::of(int, int);

extern "C" void cxx_templates()
{
	std::printf("%d %g\n", Sum<int>::of(2, 3), Sum<double>::of(0.5, 0.25));
	std::printf("%d %d\n", cxx_templates_other(twice<long>), cxx_templates_other(nullptr));
	std::printf("%ld %d\n", twice(21L), twice('A') == 'A' + 'A');
}
