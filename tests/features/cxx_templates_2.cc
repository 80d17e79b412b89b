/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other file.
 */
#include "cxx_templates.h"

template int Sum<int>::of(int, int);

int cxx_templates_other(long (*function)(long))
{
	return function == twice<long> ? 1 : static_cast<int>(Sum<double>::of(3, 4));
}
