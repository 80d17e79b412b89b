/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loads and unloads a module three times: `host MODULE STAYS`, where STAYS is what the error line says
 * after unloading, or "". */
#define _GNU_SOURCE
#include <permod/permod.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("line %d: not %s: %s\n", __LINE__, #condition, permod_error(pm));   \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

int main(int argc, char **argv)
{
	struct permod *pm = NULL;
	struct permod_variable variable;
	struct permod_module *m;
	char value[PERMOD_TEXT];

	if (argc != 3)
		return 2;
	for (int i = 0; i < 3; i++) {
		unsigned long sum = 0;
		unsigned int cpu;
		int (*hold)(int);

		CHECK(permod_new(&pm, NULL) == 0);
		CHECK(permod_load(pm, argv[1], "step=3 word=\"two words\"", 0, &m) == 0);
		CHECK(permod_load(pm, argv[1], NULL, 0, NULL) == -EEXIST);
		CHECK(permod_parameter(m, "step", value) == 1 && strcmp(value, "3") == 0);
		CHECK(permod_symbol(m, "begin") == NULL && permod_symbol(m, "printf") == NULL);
		((void (*)(void))permod_symbol(m, "work"))();
		CHECK(permod_variable(m, 0, &variable) == 0 && strcmp(variable.name, "hits") == 0);
		CHECK((uintptr_t)permod_symbol(m, "hits") == variable.cookie);
		for_each_possible_cpu(cpu)
			sum += *(unsigned long *)(variable.cookie + per_cpu_offset(cpu)) - 5;
		CHECK(sum == 1);
		CHECK(permod_variable(m, 1, &variable) == 0 && strcmp(variable.name, "steps") == 0);
		CHECK(*(int *)permod_symbol(m, "started") == (*argv[2] ? i : 0) + 1);
		hold = (int (*)(int))permod_symbol(m, "hold");
		CHECK(hold(1) == 1 && permod_unload(m, 0) == -EBUSY && hold(0) == 0);
		CHECK(permod_unload(m, 0) == 0);
		CHECK(*argv[2] ? strstr(permod_error(pm), argv[2]) != NULL
			       : dlopen(argv[1], RTLD_NOLOAD | RTLD_LAZY) == NULL);
		permod_free(pm);
		if (*argv[2])
			break;
	}
	return 0;
}
