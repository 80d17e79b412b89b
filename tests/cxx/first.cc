/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module that throws and catches; see host.cc.  With PLAIN it needs no types of the C++ library. */
#include "types.h"

#ifndef PLAIN
#include <stdexcept>
#include <string>
#endif

/* After those of the C++ library, which has other things called __init. */
#include <permod/module.h>

extern "C" {
int throw_and_catch(int value);
void throw_trouble(int value);
int call_back(callback call, int value);
int catch_from(callback call, int value);
int cast(base *object);
base *make(int value);
int count_statics(void);
int throw_in_constructor(void);
extern int ends;
}

int ends;

int throw_and_catch(int value)
{
	guard here(&ends);

#ifndef PLAIN
	try {
		throw std::runtime_error(std::to_string(value));
	} catch (const std::exception &error) {
		value = std::stoi(error.what()) + 1;
	}
#endif
	try {
		throw trouble(value);
	} catch (const other &) {
		return -1;
	} catch (const derived &caught) {
		return caught.value + 1;
	}
}

void throw_trouble(int value)
{
	guard here(&ends);

	throw trouble(value);
}

/* An exception of the host goes through here to the host. */
int call_back(callback call, int value)
{
	guard here(&ends);

	call(value);
	return -1;
}

int catch_from(callback call, int value)
{
	guard here(&ends);

	try {
		call(value);
	} catch (const base &caught) {
		return caught.number() + 1;
	}
	return -1;
}

int cast(base *object)
{
	derived *right = dynamic_cast<derived *>(object);

	return dynamic_cast<other *>(object) ? -1 : right ? right->value : -2;
}

base *make(int value)
{
	return new trouble(value);
}

EXPORT_SYMBOL(throw_trouble);

/* ---- Statics -------------------------------------------------------------------------------- */

static int troubles;

int count_statics(void)
{
	static struct starts {
		int value;

		starts() : value(100)
		{
		}
		~starts()
		{
			ends += 1000;
		}
	} own;

	return ++own.value * 1000 + count_shared();
}

/* A constructor that fails is tried again. */
int throw_in_constructor(void)
{
	struct failing {
		failing()
		{
			if (!troubles++)
				throw trouble(5);
		}
	};

	try {
		static failing never;
	} catch (const trouble &) {
		static failing now;
		return troubles;
	}
	return -1;
}

/* ---- Init: its code is gone once it has returned -------------------------------------------- */

__attribute__((noinline)) static int __init try_in_init(int value)
{
	try {
		if (value)
			throw trouble(value);
	} catch (const trouble &caught) {
		return caught.value;
	}
	return -1;
}

static int __init first_init(void)
{
	return try_in_init(7) == 7 ? 0 : -EINVAL;
}
module_init(first_init);

static void first_exit(void)
{
	try {
		throw_trouble(1);
	} catch (const trouble &) {
	}
}
module_exit(first_exit);
