/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Publishing of pointers: what trees and lists need to be read while they are changed.  Readers and
 * grace periods are not here. */
#ifndef PERMOD_KERNEL_RCUPDATE_H
#define PERMOD_KERNEL_RCUPDATE_H

#include <linux/compiler.h>
#include <linux/types.h>

#define rcu_assign_pointer(pointer, value) __atomic_store_n(&(pointer), value, __ATOMIC_RELEASE)
#define RCU_INIT_POINTER(pointer, value) WRITE_ONCE(pointer, value)
#define rcu_dereference_raw(pointer) READ_ONCE(pointer)

#endif
