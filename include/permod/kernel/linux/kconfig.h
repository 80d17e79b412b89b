/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's configuration.  Options that an unmodified file asks for and that are not here are
 * off.
 */
#ifndef PERMOD_KERNEL_KCONFIG_H
#define PERMOD_KERNEL_KCONFIG_H

#if __SIZEOF_LONG__ == 8
#define CONFIG_64BIT 1
#endif
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define CONFIG_CPU_BIG_ENDIAN 1
#else
#define CONFIG_CPU_LITTLE_ENDIAN 1
#endif

#define CONFIG_PRINTK 1

/** IS_ENABLED() - whether an option is on: defined as 1, a comma comes between two arguments. */
#define PERMOD_COMMA_1 0,
#define PERMOD_SECOND(first, second, ...) second
#define PERMOD_IS_1(comma) PERMOD_SECOND(comma 1, 0)
#define PERMOD_IS_ON(value) PERMOD_IS_1(PERMOD_COMMA_##value)
#define PERMOD_IS_ON_VALUE(option) PERMOD_IS_ON(option)
#define IS_ENABLED(option) PERMOD_IS_ON_VALUE(option)

#endif
