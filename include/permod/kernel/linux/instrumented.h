/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Accesses that the kernel tells its checkers of; here compilers tell theirs. */
#ifndef PERMOD_KERNEL_INSTRUMENTED_H
#define PERMOD_KERNEL_INSTRUMENTED_H

#define instrument_atomic_read(pointer, size) ((void)(pointer))
#define instrument_atomic_write(pointer, size) ((void)(pointer))
#define instrument_atomic_read_write(pointer, size) ((void)(pointer))

#define kcsan_mb() ((void)0)
#define kcsan_release() ((void)0)

#endif
