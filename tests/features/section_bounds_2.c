/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other file.
 */
struct section_bounds {
	const char *name;
	int value;
};

static const struct section_bounds third
	__attribute__((section("section_bounds_set"), used, aligned(8))) = { "third", 300 };
