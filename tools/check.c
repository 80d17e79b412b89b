/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * permod check: would a file load into this program?  plan.c shows what comes of it.  Nothing of the
 * file is run.
 */
#include "foreign.h"
#include "tool.h"

#include <getopt.h>
#include <stdlib.h>

/* What the options ask for. */
struct wishes {
	struct parts parts;
	struct tree_place place;
	struct trust trust;
	struct foreign foreign;
	bool json;
};

static void take_option(struct wishes *wishes, int code)
{
	if (code == 'm')
		wishes->place.dir = optarg;
	else if (code == 'C')
		add_config(&wishes->place, optarg);
	else if (!take_foreign_option(&wishes->foreign, code, optarg) &&
		 !take_parts_option(&wishes->parts, code, optarg) &&
		 !take_trust_option(&wishes->trust, code, optarg))
		wishes->json = true;
}

/* Options may stand behind the file too. */
static enum status parse(int argc, char **argv, struct wishes *wishes)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "module-dir", required_argument, NULL, 'm' },
		{ "config", required_argument, NULL, 'C' },
		{ "with", required_argument, NULL, 'w' },
		{ "root", required_argument, NULL, 'r' },
		{ "whole-archive", no_argument, NULL, 'W' },
		{ "gc-sections", no_argument, NULL, 'g' },
		TRUST_OPTIONS,
		FOREIGN_OPTIONS,
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct parts *parts = &wishes->parts;
	enum status status = STATUS_GO_ON;
	int code;

	for (;;) {
		while ((code = next_option(&check_command, argc, argv, options, &status)) != -1)
			take_option(wishes, code);
		if (status != STATUS_GO_ON)
			return status;
		if (optind == argc)
			break;
		if (parts->paths[0])
			return usage_error(&check_command, "too many arguments: '%s'",
					   argv[optind]);
		parts->paths[0] = argv[optind++];
	}
	if (!parts->paths[0])
		return usage_error(&check_command, "no FILE given");
	if (wishes->foreign.machine && (wishes->place.dir || wishes->place.num_config ||
					wishes->trust.policy || wishes->trust.count))
		return usage_error(&check_command, "--module-dir, --config, --signatures and "
						   "--certificate are not for --for");
	status = check_foreign_options(&check_command, &wishes->foreign);
	return status == STATUS_GO_ON ? check_trust(&check_command, &wishes->trust) : status;
}

static int make_plan(struct permod *pm, const struct parts *parts, struct permod_plan **plan)
{
	return permod_plan_files(pm, NULL, parts->paths, parts->count, parts->root, parts->flags,
				 plan);
}

/* A load asks the tree for symbols that nobody has. */
static bool load_needs(struct permod *pm, const struct permod_plan *plan)
{
	const struct permod_plan_symbol *symbol;
	bool loaded = false;

	for (unsigned int i = 0; (symbol = permod_plan_symbol(plan, i)); i++) {
		if (!symbol->provider && !symbol->weak)
			loaded |= load_needed_symbol(pm, symbol->name);
	}
	return loaded;
}

static enum status show(struct permod *pm, const struct parts *parts, bool in_tree, bool json)
{
	struct permod_plan *plan = NULL;
	const char *path = parts->paths[0], *error;
	bool loads = make_plan(pm, parts, &plan) == 0;

	if (!loads && plan && in_tree && load_needs(pm, plan)) {
		permod_plan_free(plan);
		loads = make_plan(pm, parts, &plan) == 0;
	}
	error = loads ? NULL : permod_error(pm);
	if (plan && permod_plan_distrust(plan))
		complain("warning: %s", permod_plan_distrust(plan));
	if (json)
		show_plan_json(stdout, plan, path, error);
	else if (plan)
		show_plan(stdout, plan, path, error);
	else
		complain("%s", error);
	permod_plan_free(plan);
	return loads ? STATUS_DONE : STATUS_FAILED;
}

static enum status check_wishes(struct wishes *wishes)
{
	const char *name = wishes->parts.paths[0];
	enum status status = STATUS_GO_ON;
	struct permod *pm;
	char *path = NULL;

	if (open_context(&wishes->place, &wishes->trust, &pm) != STATUS_DONE)
		return STATUS_FAILED;
	if (is_bare_name(&wishes->place, name))
		status = find_by_name(pm, name, true, &path);
	if (path)
		wishes->parts.paths[0] = path;
	if (status == STATUS_GO_ON)
		status = show(pm, &wishes->parts, wishes->place.dir && is_tree(wishes->place.dir),
			      wishes->json);
	free(path);
	permod_free(pm);
	return status;
}

static enum status check(int argc, char **argv)
{
	struct wishes wishes = { .parts = new_parts(), .place = { .runs_nothing = true } };
	enum status status = parse(argc, argv, &wishes);

	if (status == STATUS_GO_ON)
		status = wishes.foreign.machine
				 ? check_foreign(&wishes.foreign, &wishes.parts, wishes.json)
				 : check_wishes(&wishes);
	free_foreign(&wishes.foreign);
	free(wishes.trust.certificates);
	free(wishes.parts.paths);
	free(wishes.place.config);
	return status;
}

const struct command check_command = {
	.name = "check",
	.synopsis = "[OPTION ...] FILE",
	.summary = "would it load here, or link for another machine? Nothing is run",
	.help = "  --json             print one JSON document\n"
		"  --module-dir DIR   find FILE by its name, and what it needs, in a module tree of depmod\n"
		"  --config PATH      with a module tree: a folder or file as in modprobe.d; repeatable\n"
		"  --with FILE        FILE, an object or archive, belongs to it too; repeatable\n"
		"  --root SYMBOL      of archives, take only what SYMBOL needs\n"
		"  --whole-archive    of archives, take everything\n"
		"  --gc-sections      leave out sections that nothing needs\n"
		"  --signatures WHAT  off, warn or enforce: whether it needs a good signature\n"
		"  --certificate FILE whose signatures are good, PEM or DER; repeatable\n"
		"  --for ARCH         link it for another machine, and run nothing; with it:\n"
		"    --base ADDRESS       where it begins (0x10000000)\n"
		"    --page SIZE          of what the parts of it begin at a multiple\n"
		"    --percpu ADDRESS     where its per-CPU variables would be\n"
		"    --define NAME=ADDRESS  where a symbol is that it lacks; repeatable\n"
		"    --just-symbols PROGRAM  the same for all symbols that PROGRAM has; repeatable\n"
		"    --no-undefined       symbols of which nobody says where they are, are an error\n"
		"    --output FILE        write it there as it would be in memory\n"
		"  ARCH is one of aarch64 alpha arm hppa i386 m68k mips mips64 mips64el mipsel powerpc\n"
		"  ppc64 ppc64le riscv64 s390x sh4 sparc sparc64 x86-64.\n",
	.takes_file = true,
	.run = check,
};
