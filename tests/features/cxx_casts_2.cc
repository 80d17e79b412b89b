/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other file.
 */
struct cxx_casts_base {
	virtual ~cxx_casts_base() = default;
};
struct cxx_casts_side {
	virtual ~cxx_casts_side() = default;
	int side = 7;
};

namespace {

struct Far : cxx_casts_side, cxx_casts_base {
};

}

cxx_casts_base *cxx_casts_make(int with_side)
{
	if (with_side)
		return new Far;
	return new cxx_casts_base;
}
