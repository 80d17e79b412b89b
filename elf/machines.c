/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of machines.  It is not in libpermod, which needs its own machine only.
 */
#include "elf/machines.h"
#include "elf/arch.h"

#include <string.h>

static const struct link_arch *const machines[] = {
	&link_arch_aarch64,  &link_arch_alpha,	 &link_arch_arm,     &link_arch_hppa,
	&link_arch_i386,     &link_arch_m68k,	 &link_arch_mips,    &link_arch_mips64,
	&link_arch_mips64el, &link_arch_mipsel,	 &link_arch_powerpc, &link_arch_ppc64,
	&link_arch_ppc64le,  &link_arch_riscv,	 &link_arch_s390x,   &link_arch_sh4,
	&link_arch_sparc,    &link_arch_sparc64, &link_arch_x86_64,
};

const struct link_arch *link_find_machine(const char *name)
{
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		if (!strcmp(machines[i]->name, name))
			return machines[i];
	}
	return NULL;
}

const char *link_machine_name(unsigned int number)
{
	return number < sizeof(machines) / sizeof(machines[0]) ? machines[number]->name : NULL;
}
