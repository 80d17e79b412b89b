/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What both files use.
 */
#ifndef CXX_ORDER_H
#define CXX_ORDER_H

#include <cstdio>

extern int cxx_order_ran, cxx_order_count;
extern char cxx_order_text[];

class Named
{
	const char *name;

      public:
	explicit Named(const char *name) : name(name)
	{
		cxx_order_text[cxx_order_count++] = *name;
	}

	~Named()
	{
		if (cxx_order_ran)
			std::printf("end of %s\n", name);
	}
};

#endif
