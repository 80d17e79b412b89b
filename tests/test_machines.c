/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every machine's relocations, byte for byte against its GNU ld: compiled C, assembly for each type,
 * and how far each reaches.  MACHINE names the machine; machines/NAME.h has what is special about it.
 * With PERMOD_LONG=1 all members of the machine's libc.a too, with 8 each eighth.
 */
#include "tests/elf/harm.h"
#include "tests/machines/cross.h"

#include "tests/machines/aarch64.h"
#include "tests/machines/alpha.h"
#include "tests/machines/arm.h"
#include "tests/machines/i386.h"
#include "tests/machines/m68k.h"
#include "tests/machines/mips.h"
#include "tests/machines/parisc.h"
#include "tests/machines/powerpc.h"
#include "tests/machines/ppc64.h"
#include "tests/machines/riscv.h"
#include "tests/machines/s390x.h"
#include "tests/machines/sh4.h"
#include "tests/machines/sparc.h"
#include "tests/machines/x86_64.h"

static const struct machine *const machines[] = {
	&aarch64, &alpha, &arm,	    &hppa,    &i386,  &m68k, &mips,  &mips64,  &mips64el, &mipsel,
	&powerpc, &ppc64, &ppc64le, &riscv64, &s390x, &sh4,  &sparc, &sparc64, &x86_64,
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

START_TEST(branch_out_of_reach_goes_to_a_stub)
{
	const struct limit *limit = &machine->limits[_i];
	uint64_t beyond = (uint64_t)limit->greatest + (uint64_t)limit->step;
	struct external list[] = { { "x", BASE + beyond, true }, { 0 } };
	struct trial trial;

	if (!is_branch(limit->type))
		return;
	cross_assemble(machine, limit->text);
	cross_start(&trial, machine);
	check_ok(&trial, add_file(&trial, "a.o", NULL));
	check_ok(&trial, link_layout(trial.link));
	define_all(&trial, list);
	check_ok(&trial, cross_relocate(&trial, BASE, BASE + 0x100000));
	ck_assert(symbol_of(&trial, "x")->stub_used);
	end_trial(&trial);
}
END_TEST

START_TEST(too_many_slots_are_told_of)
{
	struct world world = { 0 };
	struct trial trial;
	char text[4096];

	for (int more = 0; more <= 1; more++) {
		snprintf(text, sizeof(text), "more = %d\n%s", more, machine->crowd);
		cross_assemble(machine, text);
		cross_start(&trial, machine);
		check_ok(&trial, add_file(&trial, "a.o", NULL));
		check_ok(&trial, link_layout(trial.link));
		find_externals(&trial, machine, &world, BASE + 0x200000);
		ck_assert_int_eq(cross_relocate(&trial, BASE, BASE + 0x100000), more ? -ERANGE : 0);
		if (more)
			ck_assert_msg(strstr(trial.message, machine->crowd_is_told), "%s",
				      trial.message);
		end_trial(&trial);
		world.count = 0;
	}
}
END_TEST

START_TEST(stub_leads_to_its_slot)
{
	static const struct {
		uint64_t at, slot;
	} places[] = { { BASE, BASE + 0x7ff8 },	    { BASE, BASE + 0x8000 },
		       { BASE + 0x20, BASE - 16 },  { BASE + 12, BASE + 0x12348 },
		       { BASE, BASE + 0x7ffefffc }, { BASE + 0x7fff0000, BASE } };
	const struct link_arch *arch = link_find_machine(machine->name);
	unsigned char stub[64];

	ck_assert_uint_le(arch->stub_bytes, sizeof(stub));
	for (size_t i = 0; i < COUNT(places); i++) {
		ck_assert(arch->write_stub(stub, places[i].at, places[i].slot, false));
		ck_assert_uint_eq(machine->slot_of_stub(stub, places[i].at), places[i].slot);
	}
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

static void compile_sources(const char *variant)
{
	const char *top = getenv("top_srcdir");

	for (size_t i = 0; i < COUNT(sources); i++)
		run("%sgcc %s %s -c -o %s.o %s/tests/machines/shapes/%s.c", machine->prefix,
		    machine->compile, variant, sources[i], top, sources[i]);
}

START_TEST(compiled_code_is_as_ld_makes_it)
{
	static const char *const objects[] = { "data.o", "calls.o", "large.o", NULL };
	static const char *const joined[] = { "joined.o", NULL };
	const char *variant = machine->variants[_i];

	ck_assert_uint_eq(COUNT(objects), COUNT(sources) + 1);
	compile_sources(variant);
	compare_at(objects, BASE, BASE + (machine->elsewhere ?: 0x200000) + is_thumb(variant));
	if (machine->high && strstr(variant, "-fPIC"))
		compare_at(objects, HIGH_BASE, HIGH_BASE + 0x200000);
	if (machine->not_joined)
		return;
	run("%sld %s -r -o joined.o data.o calls.o large.o", machine->prefix, machine->link);
	compare_at(joined, BASE, BASE + (machine->elsewhere ?: 0x200000) + is_thumb(variant));
}
END_TEST

/* ---- Files that mean harm ------------------------------------------------------------------- */

/* Take an object through all of a link, as far as it goes; all it must do is end. */
static void survive(const unsigned char *data, size_t size)
{
	static const struct link_root roots[] = { { .name = "sum", .entry = true } };
	const uint64_t most = 1 << 20;
	struct file file = guard(data, size);
	struct link_interval interval;
	struct trial trial;
	int error;

	cross_start(&trial, machine);
	trial.link->hosted = random_number() % 2;
	if (random_number() % 2) {
		trial.link->gc_sections = true;
		trial.link->roots = roots;
		trial.link->num_roots = COUNT(roots);
	}
	error = lay_out_harm(&trial, &file, NULL, BASE + 0x200000, BASE + 0x70000000, &interval);
	if (!error && trial.link->block_size < most && trial.link->part[LINK_PERCPU].size < most &&
	    trial.link->part[LINK_TLS].size < most) {
		find_tls(&trial, machine);
		error = relocate_at(&trial, random_number() % 2 ? BASE : interval.high.base,
				    BASE + 0x100000);
	}
	check_that(!error == !trial.messages);
	end_trial(&trial);
	release(&file);
}

/* The tables of relocations in a file. */
struct tables {
	GElf_Shdr list[64];
	size_t count;
};

static struct tables find_tables(unsigned char *bytes, size_t size)
{
	struct tables tables = { .count = 0 };
	Elf *elf = elf_memory((char *)bytes, size);
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	check_that(elf);
	while (tables.count < COUNT(tables.list) && (section = elf_nextscn(elf, section))) {
		check_that(gelf_getshdr(section, &header));
		if (header.sh_type == SHT_RELA || header.sh_type == SHT_REL)
			tables.list[tables.count++] = header;
	}
	elf_end(elf);
	return tables;
}

/* Change the type, symbol, place or addend of some relocations. */
static void damage_relocations(unsigned char *bytes, const struct tables *tables)
{
	const struct link_arch *arch = link_find_machine(machine->name);
	unsigned int width = arch->class == ELFCLASS64 ? 8 : 4;
	uint64_t count = 1 + random_number() % 3;

	while (tables->count && count--) {
		const GElf_Shdr *table = &tables->list[random_number() % tables->count];
		unsigned char *at = bytes + table->sh_offset;
		uint64_t value = nasty[random_number() % COUNT(nasty)];

		at += random_number() % (table->sh_size / width) * width;
		if (random_number() % 2)
			value = link_get(arch, at, width) + random_number() % 9 - 4;
		if (random_number() % 2)
			link_put(arch, at, width, value);
		else
			at[random_number() % width] = (unsigned char)random_number();
	}
}

static void survive_damages(const char *name, unsigned int count)
{
	size_t size;
	unsigned char *bytes = read_bytes(name, &size), *copy = malloc(size);
	struct tables tables = find_tables(bytes, size);

	ck_assert_ptr_nonnull(copy);
	random_state = 0x9e3779b97f4a7c15;
	for (unsigned int i = rounds(count); i; i--) {
		memcpy(copy, bytes, size);
		if (i % 2)
			damage_relocations(copy, &tables);
		else
			damage(copy, size);
		survive(copy, size);
	}
	free(copy);
	free(bytes);
}

START_TEST(damaged_shape_does_no_harm)
{
	cross_assemble(machine, machine->shapes[_i].text);
	survive_damages("a.o", 10);
}
END_TEST

START_TEST(damaged_code_does_no_harm)
{
	compile_sources(machine->variants[_i]);
	for (size_t i = 0; i < COUNT(sources); i++) {
		char name[32];

		snprintf(name, sizeof(name), "%s.o", sources[i]);
		survive_damages(name, 20);
	}
}
END_TEST

/* ---- Real code ------------------------------------------------------------------------------ */

static char (*members)[128]; /* of the machine's libc.a */
static int member_count;

static const char *archive(void)
{
	static char path[128];

	snprintf(path, sizeof(path), "/usr/%.*s/lib/libc.a", (int)strlen(machine->prefix) - 1,
		 machine->prefix);
	return path;
}

/* Each step-th; again for each machine. */
static void list_members(int step)
{
	char command[512], line[sizeof(*members)];
	FILE *output;

	member_count = 0;
	if (step < 1)
		step = 1;
	snprintf(command, sizeof(command), "test ! -e %s || %sar t %s", archive(), machine->prefix,
		 archive());
	output = popen(command, "r");
	if (!output)
		return;
	for (int i = 0; fgets(line, sizeof(line), output); i++) {
		if (i % step)
			continue;
		members = realloc(members, (size_t)(member_count + 1) * sizeof(*members));
		check_that(members);
		line[strcspn(line, "\n")] = 0;
		memcpy(members[member_count++], line, sizeof(line));
	}
	pclose(output);
}

/* What ld changes, or has elsewhere, in ways of its own. */
static bool has_own_ways(const struct trial *trial)
{
	return trial->link->tls || link_has_indirects(trial->link);
}

/* ld has its stubs elsewhere. */
static bool has_stubs(const struct trial *trial)
{
	const struct link_object *object = trial->link->objects;
	bool stubs = false;

	for (size_t i = 0; i < object->symbol_count; i++)
		stubs |= object->symbols[i]->stub_used;
	return stubs;
}

static bool needs_others(const struct trial *trial)
{
	return machine->needs_others && strstr(trial->message, machine->needs_others);
}

START_TEST(member_of_libc_is_as_ld_makes_it)
{
	/* No addend leads from one to another: slots are known by what they hold. */
	struct world world = { .step = 0x410 };
	struct trial trial;
	int error;

	/* ld makes one of strings and constants that are alike. */
	run("%sar p %s '%s' > a.o && %sobjcopy --set-section-flags "
	    "'.rodata.*=alloc,load,readonly,data,contents' a.o",
	    machine->prefix, archive(), members[_i], machine->prefix);
	cross_start(&trial, machine);
	ck_assert_msg(!add_file(&trial, "a.o", NULL) && !link_layout(trial.link), "%s: %s",
		      members[_i], trial.message);
	if (!has_own_ways(&trial)) {
		find_externals(&trial, machine, &world,
			       BASE + (machine->elsewhere ?: 0x200000) + is_thumb(""));
		error = cross_relocate(&trial, BASE, BASE + 0x100000);
		ck_assert_msg(!error || needs_others(&trial), "%s: %s", members[_i], trial.message);
		if (!error && !has_stubs(&trial))
			cross_compare(&trial, machine, world.list, false);
	}
	end_trial(&trial);
}
END_TEST

/* ---- The table ------------------------------------------------------------------------------ */

static bool is_compared(const char *type)
{
	for (size_t i = 0; i < machine->num_shapes; i++) {
		if (!strcmp(machine->shapes[i].type, type))
			return true;
	}
	return false;
}

static bool is_excused(const char *type)
{
	size_t length = strlen(type);
	const char *excused = machine->not_compared;

	for (; excused && *excused; excused = strchr(excused, '\n') + 1) {
		if (!strncmp(excused, type, length) && excused[length] == ':')
			return true;
	}
	return false;
}

/* Objects for aarch64 with pointers of 32 bits. */
START_TEST(ilp32_is_refused_by_name)
{
	struct trial trial;

	write_file("a.s", "nop\n", 4);
	run("%sas -mabi=ilp32 -o a.o a.s", machine->prefix);
	cross_start(&trial, machine);
	ck_assert_int_eq(add_file(&trial, "a.o", NULL), -ENOEXEC);
	ck_assert_msg(strstr(trial.message, "it is for ILP32; compile with -mabi=lp64"), "%s",
		      trial.message);
	end_trial(&trial);
}
END_TEST

/* Each row of README's table that is about the machine has these numbers; how many rows there are. */
static unsigned int check_readme(const char *numbers)
{
	char path[512], line[256], name[64];
	unsigned int rows = 0;
	FILE *readme;

	snprintf(path, sizeof(path), "%s/README.md", getenv("top_srcdir"));
	readme = fopen(path, "re");
	ck_assert_ptr_nonnull(readme);
	snprintf(name, sizeof(name), "| `%s` |", machine->name);
	while (fgets(line, sizeof(line), readme)) {
		const char *row = *line == '|' ? strstr(line, name) : NULL;

		if (!row)
			continue;
		rows++;
		ck_assert_msg(!strncmp(row + strlen(name), numbers, strlen(numbers)),
			      "README.md: not \"%s%s\" but %s", name, numbers, line);
	}
	fclose(readme);
	return rows;
}

/* No type is supported that nobody looked at; and how many there are. */
START_TEST(all_types_that_are_supported_are_compared)
{
	const struct link_arch *arch = link_find_machine(machine->name);
	unsigned int supported = 0, compared = 0, refused = 0;
	char numbers[64];

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
		compared += is_compared(type->name);
		ck_assert_msg(is_compared(type->name) || is_excused(type->name),
			      "%s is not compared", type->name);
	}
	printf("%s: %u relocation types supported, %u compared, %zu bounds, %u refused by name\n",
	       machine->name, supported, compared, machine->num_limits, refused);
	snprintf(numbers, sizeof(numbers), " %u | %u | %u |", supported, compared, refused);
	ck_assert_uint_ge(check_readme(numbers), 1);
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
	tcase_add_loop_test(tests, branch_out_of_reach_goes_to_a_stub, 0, (int)machine->num_limits);
	tcase_add_loop_test(tests, compiled_code_is_as_ld_makes_it, 0, count_variants());
	tcase_add_loop_test(tests, damaged_shape_does_no_harm, 0, (int)machine->num_shapes);
	tcase_add_loop_test(tests, damaged_code_does_no_harm, 0, count_variants());
	tcase_add_test(tests, all_types_that_are_supported_are_compared);
	if (machine->crowd)
		tcase_add_test(tests, too_many_slots_are_told_of);
	if (machine->slot_of_stub)
		tcase_add_test(tests, stub_leads_to_its_slot);
	if (machine == &aarch64)
		tcase_add_test(tests, ilp32_is_refused_by_name);
	if (getenv("PERMOD_LONG")) {
		list_members(atoi(getenv("PERMOD_LONG")));
		tcase_add_loop_test(tests, member_of_libc_is_as_ld_makes_it, 0, member_count);
	}
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
