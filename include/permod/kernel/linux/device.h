/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Declarations that files of the kernel's lib/ need for functions of theirs that deal with devices.
 * There are no devices: a module that calls such a function does not load.  With -ffunction-sections
 * and `permod run --gc-sections` those that nobody calls are left out.
 */
#ifndef PERMOD_KERNEL_DEVICE_H
#define PERMOD_KERNEL_DEVICE_H

#include <linux/slab.h>

struct device;

void *devres_alloc(void (*release)(struct device *device, void *data), size_t size, gfp_t flags);
void devres_add(struct device *device, void *data);
void devres_free(void *data);

#endif
