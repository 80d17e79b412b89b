/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program whose module calls it back: it writes its stack, and then crashes itself. */
#include <permod/permod.h>

#include <stdio.h>
#include <unistd.h>

void called_back(int crash);

__attribute__((noinline)) void called_back(int crash)
{
	permod_backtrace(STDOUT_FILENO);
	if (crash)
		*(volatile char *)(uintptr_t)(crash + 7) = 0;
}
EXPORT_SYMBOL(called_back);

int main(int argc, char **argv)
{
	struct permod *pm;
	struct permod_module *m;
	void (*call)(int);

	if (argc != 3 || permod_new(&pm, NULL))
		return 1;
	if (permod_load(pm, argv[1], NULL, 0, &m)) {
		fprintf(stderr, "%s\n", permod_error(pm));
		return 1;
	}
	call = (void (*)(int))(uintptr_t)permod_symbol(m, "call_back");
	if (!call || permod_catch_crashes(STDERR_FILENO))
		return 1;
	call(argv[2][0] == '1');
	permod_free(pm);
	return 0;
}
