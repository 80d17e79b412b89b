/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every machine's relocations, byte for byte against its GNU ld: compiled C, assembly for each type,
 * and how far each reaches.  MACHINE names the machine; machines/NAME.h has what is special about it.
 */
#include "tests/machines/cross.h"

#include "tests/machines/aarch64.h"
#include "tests/machines/arm.h"
#include "tests/machines/i386.h"
#include "tests/machines/m68k.h"
#include "tests/machines/mips.h"
#include "tests/machines/parisc.h"
#include "tests/machines/powerpc.h"
#include "tests/machines/ppc64.h"
#include "tests/machines/riscv.h"
#include "tests/machines/s390x.h"
#include "tests/machines/sparc.h"
#include "tests/machines/x86_64.h"

static const struct machine *const machines[] = {
	&aarch64, &arm,	  &hppa,    &i386,    &m68k,  &mips,  &mips64,	&mips64el, &mipsel,
	&powerpc, &ppc64, &ppc64le, &riscv64, &s390x, &sparc, &sparc64, &x86_64,
};

static const char *const sources[] = { "data", "calls", "large" };

static const struct machine *machine; /* that is tested */

/* ---- Assembly ------------------------------------------------------------------------------- */

struct search {
	const char *type;
	bool found;
};

static void look_for(void *arg, const struct link_use *use)
{
	struct search *search = arg;

	search->found |= !strcmp(use->type, search->type);
}

START_TEST(type_is_as_ld_makes_it)
{
	const struct shape *shape = &machine->shapes[_i];
	struct search search = { .type = shape->type };
	struct world world = { 0 };
	struct trial trial;

	cross_assemble(machine, shape->text);
	cross_start(&trial, machine);
	check_ok(&trial, add_file(&trial, "a.o", NULL));
	check_ok(&trial, link_layout(trial.link));
	link_each_use(trial.link, look_for, &search);
	ck_assert_msg(search.found, "no %s was made", shape->type);
	find_externals(&trial, machine, &world, shape->at ? shape->at : BASE + 0x200000);
	find_tls(&trial, machine);
	check_ok(&trial, cross_relocate(&trial, BASE, BASE + 0x100000));
	cross_compare(&trial, machine, world.list, shape->shared);
	end_trial(&trial);
}
END_TEST

static bool is_branch(const char *name)
{
	const struct link_arch *arch = link_find_machine(machine->name);

	for (uint32_t number = 0; number < 1U << 16; number++) {
		const struct link_relocation_type *type = arch->relocation(number);

		if (type && !strcmp(type->name, name))
			return type->kind == LINK_BRANCH;
	}
	ck_abort_msg("no type %s", name);
}

/* Whether x at `address` is in reach, without a stub: we and ld agree. */
static bool reaches(uint64_t address, bool lax, bool function)
{
	struct external list[] = { { "x", address, function }, { 0 } };
	struct trial trial;
	bool ours, stub, theirs;

	cross_start(&trial, machine);
	check_ok(&trial, add_file(&trial, "a.o", NULL));
	check_ok(&trial, link_layout(trial.link));
	define_all(&trial, list);
	ours = cross_relocate(&trial, BASE, BASE + 0x100000) == 0;
	stub = symbol_of(&trial, "x")->stub_used;
	if (stub || (lax && !ours)) {
		end_trial(&trial);
		return false;
	}
	theirs = cross_ld_links(&trial, machine, list, false);
	ck_assert_msg(ours == theirs, "at 0x%llx: ld %s; %s", (unsigned long long)address,
		      theirs ? "does it" : "refuses", trial.message);
	if (ours)
		cross_compare(&trial, machine, list, false);
	end_trial(&trial);
	return ours;
}

START_TEST(type_reaches_its_bounds_and_not_beyond)
{
	const struct limit *limit = &machine->limits[_i];
	uint64_t origin = limit->relative ? BASE : 0;
	bool function = machine->has_types && is_branch(limit->type);

	uint64_t greatest = origin + (uint64_t)limit->greatest;
	uint64_t least = origin + (uint64_t)limit->least, step = (uint64_t)limit->step;

	cross_assemble(machine, limit->text);
	ck_assert_msg(reaches(greatest, limit->lax, function), "greatest");
	ck_assert_msg(reaches(least, limit->lax, function), "least");
	ck_assert_msg(!reaches(greatest + step, limit->lax, function), "beyond");
	ck_assert_msg(!reaches(least - step, limit->lax, function), "below");
}
END_TEST

/* ---- C -------------------------------------------------------------------------------------- */

/* In each variant what is elsewhere has the instruction set of the objects, or nothing of the kind. */
static bool is_thumb(const char *variant)
{
	return link_find_machine(machine->name)->code_bit && !strstr(variant, "-marm");
}

static void compare_at(const char *const *objects, uint64_t base, uint64_t first)
{
	struct world world = { 0 };
	struct trial trial;

	cross_start(&trial, machine);
	for (; *objects; objects++)
		check_ok(&trial, add_file(&trial, *objects, NULL));
	if (machine->extra) {
		cross_assemble(machine, machine->extra);
		check_ok(&trial, add_file(&trial, "a.o", NULL));
	}
	check_ok(&trial, link_layout(trial.link));
	find_externals(&trial, machine, &world, first);
	check_ok(&trial, cross_relocate(&trial, base, base + 0x100000));
	cross_compare(&trial, machine, world.list, false);
	end_trial(&trial);
}

START_TEST(compiled_code_is_as_ld_makes_it)
{
	static const char *const objects[] = { "data.o", "calls.o", "large.o", NULL };
	const char *variant = machine->variants[_i];
	const char *top = getenv("top_srcdir");

	ck_assert_uint_eq(COUNT(objects), COUNT(sources) + 1);
	for (size_t i = 0; i < COUNT(sources); i++)
		run("%sgcc %s %s -c -o %s.o %s/tests/machines/shapes/%s.c", machine->prefix,
		    machine->compile, variant, sources[i], top, sources[i]);
	compare_at(objects, BASE, BASE + (machine->elsewhere ?: 0x200000) + is_thumb(variant));
	if (machine->high && strstr(variant, "-fPIC"))
		compare_at(objects, HIGH_BASE, HIGH_BASE + 0x200000);
}
END_TEST

/* ---- The table ------------------------------------------------------------------------------ */

static bool is_compared(const char *type)
{
	size_t length = strlen(type);
	const char *excused = machine->not_compared;

	for (size_t i = 0; i < machine->num_shapes; i++) {
		if (!strcmp(machine->shapes[i].type, type))
			return true;
	}
	for (; excused && *excused; excused = strchr(excused, '\n') + 1) {
		if (!strncmp(excused, type, length) && excused[length] == ':')
			return true;
	}
	return false;
}

/* No type is supported that nobody looked at; and how many there are. */
START_TEST(all_types_that_are_supported_are_compared)
{
	const struct link_arch *arch = link_find_machine(machine->name);
	unsigned int supported = 0, refused = 0;

	for (uint32_t number = 0; number < 1U << 16; number++) {
		const struct link_relocation_type *type = arch->relocation(number);

		/* Some machines have data over the number. */
		if (!type || type->kind == LINK_IGNORED ||
		    (number > 0xff && type == arch->relocation(number & 0xff)))
			continue;
		if (type->kind == LINK_REFUSED) {
			refused++;
			continue;
		}
		supported++;
		ck_assert_msg(is_compared(type->name), "%s is not compared", type->name);
	}
	printf("%s: %u relocation types supported, %zu compared, %zu bounds, %u refused by name\n",
	       machine->name, supported, machine->num_shapes, machine->num_limits, refused);
}
END_TEST

static int count_variants(void)
{
	int count = 0;

	while (machine->variants[count])
		count++;
	return count;
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create(machine->name);
	TCase *tests = tcase_create(machine->name);

	tcase_set_timeout(tests, 300);
	tcase_add_checked_fixture(tests, make_directory, remove_directory);
	tcase_add_loop_test(tests, type_is_as_ld_makes_it, 0, (int)machine->num_shapes);
	tcase_add_loop_test(tests, type_reaches_its_bounds_and_not_beyond, 0,
			    (int)machine->num_limits);
	tcase_add_loop_test(tests, compiled_code_is_as_ld_makes_it, 0, count_variants());
	tcase_add_test(tests, all_types_that_are_supported_are_compared);
	suite_add_tcase(suite, tests);
	return suite;
}

static bool has_tools(void)
{
	char command[128];

	snprintf(command, sizeof(command), "command -v %sgcc >/dev/null", machine->prefix);
	return system(command) == 0;
}

/* Without MACHINE, those whose tools are here, or all if PERMOD_MACHINES says so. */
int main(void)
{
	const char *wanted = getenv("MACHINE"), *demanded = getenv("PERMOD_MACHINES");
	bool demand_all = demanded && !strcmp(demanded, "all");
	int status = EXIT_SUCCESS;

	for (size_t i = 0; i < COUNT(machines); i++) {
		machine = machines[i];
		if (wanted && strcmp(wanted, machine->name) != 0)
			continue;
		if (!wanted && !demand_all && !has_tools()) {
			printf("%s: no %sgcc here: not tested\n", machine->name, machine->prefix);
			continue;
		}
		if (run_suite(make_suite()))
			status = EXIT_FAILURE;
	}
	return status;
}
