/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Per-CPU variables: permod's own have the kernel's names. */
#ifndef PERMOD_KERNEL_PERCPU_H
#define PERMOD_KERNEL_PERCPU_H

#include <linux/preempt.h>
#include <linux/types.h>
#include <linux/init.h>

/** get_cpu_ptr(), get_cpu_var() - this CPU's copy, and stay on this CPU until it is put back. */
#define get_cpu_ptr(pointer) (preempt_disable(), this_cpu_ptr(pointer))
#define put_cpu_ptr(pointer) ((void)(pointer), preempt_enable())
#define get_cpu_var(variable) (*get_cpu_ptr(&(variable)))
#define put_cpu_var(variable) put_cpu_ptr(&(variable))

#endif
