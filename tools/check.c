/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * permod check: would a file load into this program?  plan.c shows what comes of it.  Nothing of the
 * file is run.
 */
#include "tool.h"

#include <getopt.h>
#include <stdlib.h>

/* Options may stand behind the file too. */
static enum status parse(int argc, char **argv, struct parts *parts, struct trust *trust,
			 bool *json)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "with", required_argument, NULL, 'w' },
		{ "root", required_argument, NULL, 'r' },
		{ "whole-archive", no_argument, NULL, 'W' },
		{ "gc-sections", no_argument, NULL, 'g' },
		TRUST_OPTIONS,
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	enum status status = STATUS_GO_ON;
	int code;

	for (;;) {
		while ((code = next_option(&check_command, argc, argv, options, &status)) != -1)
			*json |= !take_parts_option(parts, code, optarg) &&
				 !take_trust_option(trust, code, optarg);
		if (status != STATUS_GO_ON)
			return status;
		if (optind == argc)
			break;
		if (parts->paths[0])
			return usage_error(&check_command, "too many arguments: '%s'",
					   argv[optind]);
		parts->paths[0] = argv[optind++];
	}
	return parts->paths[0] ? check_trust(&check_command, trust)
			       : usage_error(&check_command, "no FILE given");
}

static enum status check_parts(const struct parts *parts, const struct trust *trust, bool json)
{
	struct permod_plan *plan = NULL;
	struct permod *pm;
	const char *path = parts->paths[0], *error;
	bool loads;

	if (new_context(&pm, trust) != STATUS_DONE)
		return STATUS_FAILED;
	loads = permod_plan_files(pm, NULL, parts->paths, parts->count, parts->root, parts->flags,
				  &plan) == 0;
	error = loads ? NULL : permod_error(pm);
	if (json)
		show_plan_json(stdout, plan, path, error);
	else if (plan)
		show_plan(stdout, plan, path, error);
	else
		complain("%s", error);
	permod_plan_free(plan);
	permod_free(pm);
	return loads ? STATUS_DONE : STATUS_FAILED;
}

static enum status check(int argc, char **argv)
{
	struct parts parts = new_parts();
	struct trust trust = { 0 };
	bool json = false;
	enum status status = parse(argc, argv, &parts, &trust, &json);

	if (status == STATUS_GO_ON)
		status = check_parts(&parts, &trust, json);
	free(trust.certificates);
	free(parts.paths);
	return status;
}

const struct command check_command = {
	.name = "check",
	.synopsis = "[OPTION ...] FILE",
	.summary = "would it load here? The plan and the reasons; nothing is run",
	.help = "  --json             print one JSON document\n"
		"  --with FILE        FILE, an object or archive, belongs to it too; repeatable\n"
		"  --root SYMBOL      of archives, take only what SYMBOL needs\n"
		"  --whole-archive    of archives, take everything\n"
		"  --gc-sections      leave out sections that nothing needs\n"
		"  --signatures WHAT  off, warn or enforce: whether it needs a good signature\n"
		"  --certificate FILE whose signatures are good, PEM or DER; repeatable\n",
	.takes_file = true,
	.run = check,
};
