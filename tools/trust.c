/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a subcommand trusts: --signatures and --certificate.
 */
#include "tool.h"

#include <string.h>

static bool parse_policy(const char *text, unsigned int *policy)
{
	static const char *const names[] = {
		[PERMOD_SIGNATURES_OFF] = "off",
		[PERMOD_SIGNATURES_WARN] = "warn",
		[PERMOD_SIGNATURES_ENFORCE] = "enforce",
	};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], text) == 0) {
			*policy = i;
			return true;
		}
	}
	return false;
}

bool take_trust_option(struct trust *trust, int code, const char *value)
{
	if (code == TRUST_CERTIFICATE) {
		trust->certificates = reallocate(trust->certificates, trust->count + 1,
						 sizeof(*trust->certificates));
		trust->certificates[trust->count++] = value;
		return true;
	}
	if (code != TRUST_SIGNATURES)
		return false;
	trust->wrong = parse_policy(value, &trust->policy) ? trust->wrong : value;
	return true;
}

enum status check_trust(const struct command *command, const struct trust *trust)
{
	if (trust->wrong)
		return usage_error(command, "--signatures '%s': none of off, warn, enforce",
				   trust->wrong);
	if (trust->count && trust->policy == PERMOD_SIGNATURES_OFF)
		return usage_error(command, "--certificate needs --signatures warn or enforce");
	return STATUS_GO_ON;
}

enum status name_certificates(struct permod *pm, const struct trust *trust)
{
	for (size_t i = 0; i < trust->count; i++) {
		if (permod_trust(pm, trust->certificates[i])) {
			complain("%s", permod_error(pm));
			return STATUS_FAILED;
		}
	}
	return STATUS_DONE;
}

void warn_of_signature(struct permod *pm, const struct permod_module *module)
{
	const char *reason = permod_taint_reason(pm, module, PERMOD_TAINT_UNSIGNED);

	if (reason)
		complain("warning: %s", reason);
}
