/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The smallest page that the architecture has, in whose bounds reads are always good. */
#ifndef PERMOD_KERNEL_PAGE_H
#define PERMOD_KERNEL_PAGE_H

#if defined(__alpha__) || defined(__sparc__)
#define PAGE_SIZE 8192UL
#else
#define PAGE_SIZE 4096UL
#endif

#endif
