/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The architecture that this is compiled for: what link_new() links for.  A new one has a line here, and
 * nothing else of elf/ outside of elf/arch/ asks the compiler what machine it compiles for.
 */
#ifndef ELF_HOST_H
#define ELF_HOST_H

#ifdef __mips__
#include <sgidefs.h> /* names of ABIs */
#endif

#if defined(HOST_ARCH)
/* As whoever compiles says: see tests/machines/unnamed.h. */
#elif defined(__x86_64__) && !defined(__ILP32__)
#define HOST_ARCH (&link_arch_x86_64)
#elif defined(__i386__)
#define HOST_ARCH (&link_arch_i386)
#elif defined(__aarch64__)
#define HOST_ARCH (&link_arch_aarch64)
#elif defined(__alpha__)
#define HOST_ARCH (&link_arch_alpha)
#elif defined(__arm__)
#define HOST_ARCH (&link_arch_arm)
#elif defined(__hppa__) && !defined(__LP64__)
#define HOST_ARCH (&link_arch_hppa)
#elif defined(__s390x__)
#define HOST_ARCH (&link_arch_s390x)
#elif defined(__m68k__)
#define HOST_ARCH (&link_arch_m68k)
#elif defined(__SH4__) && defined(__LITTLE_ENDIAN__)
#define HOST_ARCH (&link_arch_sh4)
#elif defined(__sparc__) && !defined(__arch64__)
#define HOST_ARCH (&link_arch_sparc)
#elif defined(__sparc__)
#define HOST_ARCH (&link_arch_sparc64)
#elif defined(__powerpc__) && !defined(__powerpc64__)
#define HOST_ARCH (&link_arch_powerpc)
#elif defined(__powerpc64__) && !defined(__LITTLE_ENDIAN__)
#define HOST_ARCH (&link_arch_ppc64)
#elif defined(__powerpc64__)
#define HOST_ARCH (&link_arch_ppc64le)
#elif defined(__riscv) && __riscv_xlen == 64
#define HOST_ARCH (&link_arch_riscv)
#elif defined(__mips__) && defined(__MIPSEB__) && _MIPS_SIM == _ABIO32
#define HOST_ARCH (&link_arch_mips)
#elif defined(__mips__) && _MIPS_SIM == _ABIO32
#define HOST_ARCH (&link_arch_mipsel)
#elif defined(__mips__) && defined(__MIPSEB__) && _MIPS_SIM == _ABI64
#define HOST_ARCH (&link_arch_mips64)
#elif defined(__mips__) && _MIPS_SIM == _ABI64
#define HOST_ARCH (&link_arch_mips64el)
#else
#error "elf/: no architecture file for this machine yet; write elf/arch/NAME.c and name it in elf/host.h"
#endif

#endif
