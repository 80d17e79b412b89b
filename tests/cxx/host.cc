/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Exceptions, casts and statics across a program and its modules.  Takes first.ko and second.ko. */
#include <permod/permod.h>

#include "types.h"

#include <cstdio>
#include <cstdlib>

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			std::printf("line %d: not %s\n", __LINE__, #condition);                    \
			wrong++;                                                                   \
		}                                                                                  \
	} while (0)

static int wrong;
static permod *pm;

static permod_module *load(const char *path)
{
	permod_module *module;

	if (permod_load(pm, path, nullptr, 0, &module)) {
		std::printf("%s\n", permod_error(pm));
		std::exit(1);
	}
	return module;
}

template <typename function> static function *get(permod_module *module, const char *name)
{
	void *address = permod_symbol(module, name);

	if (!address) {
		std::printf("%s: not there\n", name);
		std::exit(1);
	}
	return reinterpret_cast<function *>(address);
}

static void throw_from_host(int value)
{
	throw trouble(value);
}

static void use_first(permod_module *first)
{
	int *ends = get<int>(first, "ends");
	auto throw_and_catch = get<int(int)>(first, "throw_and_catch");
	auto throw_trouble = get<void(int)>(first, "throw_trouble");
	auto call_back = get<int(callback, int)>(first, "call_back");
	auto catch_from = get<int(callback, int)>(first, "catch_from");
	int caught = 0;

	CHECK(*ends == 0);
	CHECK(throw_and_catch(40) >= 41);
	CHECK(*ends == 1);
	try {
		throw_trouble(5);
	} catch (const trouble &error) {
		caught = error.value;
	}
	CHECK(caught == 5);
	CHECK(*ends == 2);
	try {
		call_back(throw_from_host, 6);
	} catch (const base &error) {
		caught = error.number();
	}
	CHECK(caught == 6);
	CHECK(*ends == 3);
	CHECK(catch_from(throw_from_host, 7) == 8);
	CHECK(*ends == 4);
	CHECK(get<int()>(first, "throw_in_constructor")() == 2);
}

static void cast_across(permod_module *first)
{
	auto cast = get<int(base *)>(first, "cast");
	auto make = get<base *(int)>(first, "make");
	derived here(11);
	base *there = make(12);

	CHECK(cast(&here) == 11);
	CHECK(cast(there) == 12);
	CHECK(dynamic_cast<trouble *>(there) != nullptr);
	CHECK(dynamic_cast<other *>(there) == nullptr);
	delete there;
}

/* A module that is loaded anew begins anew, but for what the program has. */
static void count_statics(permod_module *first)
{
	auto count = get<int()>(first, "count_statics");

#ifdef COUNT
	int begin = count_shared();
#else
	int begin = 100;
#endif
	CHECK(count() == 101001 + begin);
	CHECK(count() == 102002 + begin);
}

int main(int argc, char **argv)
{
	if (argc != 3 || permod_new(&pm, nullptr))
		return 1;
	for (int i = 0; i < 3; i++) {
		permod_module *first = load(argv[1]), *second = load(argv[2]);
		auto throw_again = get<int(int)>(second, "throw_again");
		int caught = 0;

		use_first(first);
		cast_across(first);
		count_statics(first);
		CHECK(get<int(int)>(second, "catch_from_module")(20) == 21);
		try {
			throw_again(30);
		} catch (const trouble &error) {
			caught = error.value;
		}
		CHECK(caught == 30);
		CHECK(permod_unload(second, 0) == 0);
		CHECK(permod_unload(first, 0) == 0);
	}
	permod_free(pm);
	std::printf("%d wrong\n", wrong);
	return wrong != 0;
}
