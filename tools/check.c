/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * permod check: would a file load into this program?  plan.c shows what comes of it.  Nothing of the
 * file is run.
 */
#include "tool.h"

static enum status check(int argc, char **argv)
{
	struct permod_plan *plan = NULL;
	struct permod *pm;
	const char *path, *error;
	bool json, loads;
	enum status status = parse_simple(&check_command, argc, argv, &json, &path);

	if (status != STATUS_GO_ON)
		return status;
	if (permod_new(&pm, NULL)) {
		complain("%s", permod_error(NULL));
		return STATUS_FAILED;
	}
	loads = permod_plan(pm, path, &plan) == 0;
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

const struct command check_command = {
	.name = "check",
	.synopsis = "[--json] FILE",
	.summary = "would it load here? The plan and the reasons; nothing is run",
	.help = "  --json    print one JSON document\n",
	.takes_file = true,
	.run = check,
};
