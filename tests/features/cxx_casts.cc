/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dynamic_cast and typeid, within one hierarchy and across.
 */
#include <cstdio>
#include <typeinfo>

struct cxx_casts_base {
	virtual ~cxx_casts_base() = default;
};
struct cxx_casts_side {
	virtual ~cxx_casts_side() = default;
	int side = 7;
};

cxx_casts_base *cxx_casts_make(int);

namespace {

struct One : cxx_casts_base {
};

struct Two : cxx_casts_base, cxx_casts_side {
};

void look(cxx_casts_base *object)
{
	cxx_casts_side *side = dynamic_cast<cxx_casts_side *>(object);

	std::printf("%d %d %d %s\n", dynamic_cast<One *>(object) != nullptr,
		    dynamic_cast<Two *>(object) != nullptr, side ? side->side : -1,
		    typeid(*object) == typeid(One) ? "one" : "not one");
	try {
		dynamic_cast<cxx_casts_side &>(*object).side = 8;
	} catch (const std::bad_cast &) {
		std::puts("bad cast");
	}
}

}

extern "C" void cxx_casts()
{
	One one;
	Two two;

	look(&one);
	look(&two);
	for (int i = 0; i < 2; i++) {
		cxx_casts_base *other = cxx_casts_make(i);

		look(other);
		delete other;
	}
	std::printf("%d %s\n", typeid(int) == typeid(one), typeid(cxx_casts_base).name());
}
