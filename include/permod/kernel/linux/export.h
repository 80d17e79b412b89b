/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Exports: those of <permod/module.h>, or none with -D__DISABLE_EXPORTS: for files that become a part of
 * another module, of which nobody else uses anything.
 */
#ifndef PERMOD_KERNEL_EXPORT_H
#define PERMOD_KERNEL_EXPORT_H

#include <linux/init.h>

#ifdef __DISABLE_EXPORTS
#undef EXPORT_SYMBOL
#define EXPORT_SYMBOL(symbol)
#undef EXPORT_SYMBOL_GPL
#define EXPORT_SYMBOL_GPL(symbol)
#endif

#endif
