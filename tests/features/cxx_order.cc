/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Objects of two files: constructed in the files' order and in that of their priorities, destroyed in
 * reverse at unload.
 * matrix: flags -std=c++17
 */
#include "cxx_order.h"

int cxx_order_ran;
char cxx_order_text[20];
int cxx_order_count;

static Named second("second");
__attribute__((init_priority(200))) static Named first("first");
static Named third("third");

extern "C" void cxx_order()
{
	cxx_order_ran = 1;
	std::puts(cxx_order_text);
}
