/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A context as the options of a subcommand want it: the module tree, and whom to trust.
 */
#include "tool.h"

enum status open_context(const struct tree_place *place, const struct trust *trust,
			 struct permod **pm)
{
	struct permod_options options = { .size = sizeof(options) };
	enum status status = place_options(place, &options);

	if (status != STATUS_DONE)
		return status;
	options.signatures = trust->policy;
	if (permod_new(pm, &options)) {
		complain("%s", permod_error(NULL));
		return STATUS_FAILED;
	}
	status = name_certificates(*pm, trust);
	if (status != STATUS_DONE) {
		permod_free(*pm);
		*pm = NULL;
	}
	return status;
}
