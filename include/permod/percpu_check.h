/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What tells a per-CPU pointer from a plain one while code is compiled.  Included by
 * <permod/percpu.h>; do not include it.
 *
 * As code is built, `__percpu` is nothing, and a per-CPU pointer has the type of a plain one.  A
 * checking run, whose code is not to be run, sees an address space of its own, as in the kernel:
 *
 *     sparse -I... file.c
 *     gcc -DPCPU_STRICT_TYPES -fsyntax-only file.c           gcc and clang, C, x86
 *
 * Both find the two kinds of pointers mixed: by assignment, argument, result, comparison.  sparse
 * also finds direct accesses, through a per-CPU pointer or to a static variable.  Compilers take
 * these for accesses by the segment register gs, so what is found in
 *
 *     gcc -DPCPU_STRICT_TYPES -O0 -S -o - file.c | grep %gs:
 *
 * is a direct access.  (Not found: by clang, comparisons; by gcc, elements of array variables.)
 *
 * Where an address is meant to become a per-CPU pointer, or the other way round, cast by way of a
 * uintptr_t; sparse wants __force in the cast to the pointer.
 */
#ifndef PERMOD_PERCPU_CHECK_H
#define PERMOD_PERCPU_CHECK_H

/*
 *     __percpu          qualifies what a per-CPU pointer points to, and per-CPU variables
 *     __force           in a cast, for sparse: this is meant
 *     PCPU_PLAIN(ptr)   the type of a plain pointer to what `ptr` points to
 *     PCPU_TYPE(pcp)    the type of the lvalue `pcp` without qualifiers, which a cast drops
 */
#ifdef __CHECKER__

#define __percpu __attribute__((noderef, address_space(__percpu)))
#ifndef __force
#define __force __attribute__((force))
#endif
#define PCPU_PLAIN(ptr) __typeof__(*(ptr)) __attribute__((address_space(0), force)) *
#define PCPU_TYPE(pcp) __typeof__((__typeof__(*(PCPU_PLAIN(&(pcp)))0))0)

#elif defined(PCPU_STRICT_TYPES) && defined(__SEG_GS) && !defined(__cplusplus)

/* No warning of a `void` that the macros below, unevaluated, dereference. */
#pragma GCC system_header

#define __percpu __seg_gs

/*
 * A value has no qualifiers, but an array becomes a pointer.  So for arrays of up to two dimensions
 * the type is put together from that of the elements, and their address is taken by the first one's,
 * as gcc forgets the address space of an array.
 */
#define PCPU_TYPE(pcp) __typeof__(__extension__({ pcp; }))
#define PCPU_IS_ARRAY(x) (!__builtin_types_compatible_p(__typeof__(x), PCPU_TYPE(x)))
#define PCPU_ELEMENT(x) (__builtin_choose_expr(PCPU_IS_ARRAY(x), x, (char *)0)[0])
#define PCPU_ARRAY_OR(x, element)                                                                  \
	__builtin_choose_expr(PCPU_IS_ARRAY(x),                                                    \
			      (__typeof__ (*(element))(*)[sizeof(x) / sizeof(*(element))])0,       \
			      (PCPU_TYPE(x) *)0)
#define PCPU_VECTOR(x) PCPU_ARRAY_OR(x, (PCPU_TYPE(PCPU_ELEMENT(x)) *)0)
#define PCPU_MATRIX(x) PCPU_ARRAY_OR(x, PCPU_VECTOR(PCPU_ELEMENT(x)))
#define PCPU_PLAIN(ptr) __typeof__(PCPU_MATRIX(*(ptr)))
#define PCPU_ADDRESS_OR(x, ptr) __builtin_choose_expr(PCPU_IS_ARRAY(x), &PCPU_ELEMENT(x), ptr)
#define PCPU_FIRST(ptr) PCPU_ADDRESS_OR(*PCPU_ADDRESS_OR(*(ptr), ptr), PCPU_ADDRESS_OR(*(ptr), ptr))

#elif defined(PCPU_STRICT_TYPES)
#error "PCPU_STRICT_TYPES is for C on x86; elsewhere sparse checks"
#else

#define __percpu
#define PCPU_PLAIN(ptr) __typeof__(ptr)
#define PCPU_TYPE(pcp) __typeof__((__typeof__(pcp))(pcp))

#endif

#ifndef __force
#define __force
#endif

#endif
