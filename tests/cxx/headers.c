/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What <permod/permod.h>, <permod/hook.h> and <permod/key.h> have inline, used as C and as C++: to be
 * compiled with all warnings.
 */
#include <permod/permod.h>
#include <permod/hook.h>
#include <permod/key.h>

PERMOD_DECLARE_KEY(tracing);
PERMOD_DEFINE_KEY(tracing);

PERMOD_DECLARE_HOOK(accepted, (void *context, int fd, const char *peer), (context, fd, peer));
PERMOD_DECLARE_INT_HOOK(allowed, (void *context, int fd), (context, fd));
PERMOD_DEFINE_HOOK(accepted);
PERMOD_DEFINE_HOOK(allowed);

static struct permod_hook_entry entry;

static int is_standard(void *context, int fd)
{
	return context || fd < 3;
}

int begin(void);
int begin(void)
{
	int error = permod_register_allowed(&entry, is_standard, NULL, 1);

	return error ? error : permod_key_enable(&permod_key_tracing);
}

int end(void);
int end(void)
{
	return permod_unregister_allowed(&entry);
}

int serve(struct permod_module *module, int fd);
int serve(struct permod_module *module, int fd)
{
	int result = permod_get(module);

	if (result)
		return result;
	if (PERMOD_KEY_ENABLED(tracing) && !permod_in_hook())
		PERMOD_CALL_HOOK(accepted, fd, "somebody");
	result = PERMOD_CALL_HOOK(allowed, fd);
	permod_put(module);
	return result;
}
