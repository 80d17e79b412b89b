/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host FUNCTION FILE...: load and unload the modules by turns, so that each comes where another was,
 * and at last call a function of the first.
 */
#include <permod/permod.h>

#include <stdio.h>
#include <unistd.h>

/* AddressSanitizer calls it when it has found something; its own stack knows no modules. */
void __asan_on_error(void);
void __asan_on_error(void)
{
	permod_backtrace(STDERR_FILENO);
}

static int load_call_unload(struct permod *pm, const char *file, const char *function)
{
	struct permod_module *m;
	void (*call)(void);

	if (permod_load(pm, file, NULL, 0, &m)) {
		fprintf(stderr, "%s\n", permod_error(pm));
		return 1;
	}
	call = (void (*)(void))permod_symbol(m, function);
	if (call)
		call();
	return !call || permod_unload(m, 0);
}

int main(int argc, char **argv)
{
	struct permod *pm;
	int error;

	if (argc < 3 || permod_new(&pm, NULL))
		return 2;
	error = 0;
	for (int i = 0; i < 20 && !error; i++)
		error = load_call_unload(pm, argv[2 + i % (argc - 2)], "fine");
	if (!error)
		error = load_call_unload(pm, argv[2], argv[1]);
	permod_free(pm);
	return error ? 2 : 0;
}
