/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shadow stacks: a second stack, which only calls and returns write, tells the CPU where functions must
 * return to.  glibc turns them on for a process whose program and libraries all are fit for that, and
 * then refuses to open a library that is not; the same is right for a module, whose code would be killed
 * where it returns elsewhere.  (Marks of the targets of indirect branches, IBT, are asked for by no
 * Linux in user space so far.)
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __x86_64__
/* Linux 6.6 and later; of the calling thread. */
#define ARCH_SHSTK_STATUS 0x5005
#define ARCH_SHSTK_SHSTK 1UL

static bool has_shadow_stack(void)
{
	unsigned long status = 0;

	return syscall(SYS_arch_prctl, ARCH_SHSTK_STATUS, &status) == 0 &&
	       status & ARCH_SHSTK_SHSTK;
}
#else
static bool has_shadow_stack(void)
{
	return false;
}
#endif

int check_shadow_stack(struct load *load)
{
	const struct link *link = load->link;

	if (link->features & LINK_SHSTK ||
	    (!link->part[LINK_TEXT].size && !link->part[LINK_INIT_TEXT].size) ||
	    !has_shadow_stack())
		return 0;
	return fail(load->pm, -ENOEXEC,
		    "%s: not all of its objects are fit for the shadow stack that this process "
		    "has; compile with -fcf-protection=return (or =full), or start the program "
		    "without (GLIBC_TUNABLES=glibc.cpu.x86_shstk=off)",
		    load->path);
}
