/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Load one module after another, call its function `go`, and unload it. */
#include <permod/permod.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct permod *pm;
	const char *folder = getenv("FILES"); /* valgrind looks at TMPDIR itself */
	int status = permod_new(&pm, NULL) < 0;

	if (folder)
		setenv("TMPDIR", folder, 1);

	for (int i = 1; i < argc && !status; i++) {
		struct permod_module *m;
		void (*go)(void);

		status = permod_load(pm, argv[i], NULL, 0, &m) < 0;
		if (status) {
			fprintf(stderr, "%s\n", permod_error(pm));
			break;
		}
		go = (void (*)(void))permod_symbol(m, "go");
		if (go)
			go();
		fprintf(stderr, "%s done\n", argv[i]);
		status = permod_unload(m, 0) < 0;
	}
	permod_free(pm);
	return status;
}
