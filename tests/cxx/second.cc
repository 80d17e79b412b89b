/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module that catches what another one throws; see host.cc. */
#include <permod/module.h>

#include "types.h"

extern "C" {
void throw_trouble(int value);
int catch_from_module(int value);
int throw_again(int value);
}

int catch_from_module(int value)
{
	try {
		throw_trouble(value);
	} catch (const trouble &caught) {
		return caught.value + 1;
	}
	return -1;
}

int throw_again(int value)
{
	try {
		throw_trouble(value);
	} catch (const derived &caught) {
		throw;
	}
	return -1;
}
