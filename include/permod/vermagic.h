/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a module was built for: PERMOD_VERMAGIC, a string.  Included by <permod/module.h>, which puts it
 * into .modinfo as "vermagic=...", where modinfo shows it; do not include it.
 *
 *     permod-1 x86_64 percpu-1
 *
 * The loader refuses a module whose string is not its own: the layout of what the macros of
 * <permod/module.h> leave in sections, the machine, or what code for per-CPU variables takes for granted
 * is another.  Each has a number, which changes with it; versions of permod that differ in nothing of
 * this have the same string.
 */
#ifndef PERMOD_VERMAGIC_H
#define PERMOD_VERMAGIC_H

/** PERMOD_INTERFACE - structures in sections: exports, parameters; names that modules import. */
#define PERMOD_INTERFACE "permod-1"

/** PERMOD_PERCPU_ABI - struct pcpu_layout, struct pcpu_image, offsets, and this_cpu operations. */
#define PERMOD_PERCPU_ABI "percpu-1"

/** PERMOD_MACHINE - the processor and its data model, as compilers name them. */
#if defined(__x86_64__) && defined(__ILP32__)
#define PERMOD_MACHINE "x32"
#elif defined(__x86_64__)
#define PERMOD_MACHINE "x86_64"
#elif defined(__i386__)
#define PERMOD_MACHINE "i386"
#elif defined(__aarch64__) && defined(__AARCH64EB__)
#define PERMOD_MACHINE "aarch64_be"
#elif defined(__aarch64__)
#define PERMOD_MACHINE "aarch64"
#elif defined(__arm__) && defined(__ARM_PCS_VFP)
#define PERMOD_MACHINE "armhf"
#elif defined(__arm__)
#define PERMOD_MACHINE "armel"
#elif defined(__riscv) && __riscv_xlen == 64
#define PERMOD_MACHINE "riscv64"
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define PERMOD_MACHINE "ppc64le"
#elif defined(__powerpc64__)
#define PERMOD_MACHINE "ppc64"
#elif defined(__powerpc__)
#define PERMOD_MACHINE "powerpc"
#elif defined(__s390x__)
#define PERMOD_MACHINE "s390x"
#elif defined(__mips64) && defined(__MIPSEL__)
#define PERMOD_MACHINE "mips64el"
#elif defined(__mips64)
#define PERMOD_MACHINE "mips64"
#elif defined(__mips__) && defined(__MIPSEL__)
#define PERMOD_MACHINE "mipsel"
#elif defined(__mips__)
#define PERMOD_MACHINE "mips"
#elif defined(__sparc__) && defined(__arch64__)
#define PERMOD_MACHINE "sparc64"
#elif defined(__sparc__)
#define PERMOD_MACHINE "sparc"
#elif defined(__alpha__)
#define PERMOD_MACHINE "alpha"
#elif defined(__hppa__)
#define PERMOD_MACHINE "hppa"
#elif defined(__m68k__)
#define PERMOD_MACHINE "m68k"
#elif defined(__sh__)
#define PERMOD_MACHINE "sh"
#else
#define PERMOD_MACHINE "generic"
#endif

#define PERMOD_VERMAGIC PERMOD_INTERFACE " " PERMOD_MACHINE " " PERMOD_PERCPU_ABI

#endif
