/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <permod/percpu.h> - per-CPU variables for user-space programs.
 *
 * A per-CPU variable has one copy for each possible CPU.  Code works on the copy of the CPU it
 * runs on, without atomic instructions and without sharing a cache line; any thread can read the
 * copies of the others.  The names and their meaning are the Linux kernel's
 * (include/linux/percpu.h, include/linux/percpu-defs.h).
 *
 * A per-CPU pointer is a COOKIE: an address that is never dereferenced.  The variable of CPU n is
 * at cookie + per_cpu_offset(n).  Cookies of static variables, of modules' variables and of
 * alloc_percpu() are the same kind of thing:
 *
 *     cookie space (inaccessible)         units, one for each CPU, all alike
 *     +--------+----------+---------+     +--------+----------+---------+
 *     | static | reserved | dynamic | --> | static | reserved | dynamic |  CPU 0
 *     +--------+----------+---------+     +--------+----------+---------+
 *                             per_cpu_offset(1) -> | static | reserved | dynamic |  CPU 1
 *                                                  +--------+----------+---------+
 *
 * The static variables of a program, or of a shared object, lie in that image and not in the
 * cookie space.  The macros below turn their addresses into cookies by a word hidden in the image;
 * a raw `&var` must not be handed to another image's code: hand it pcpu_ptr(&var).  In a module
 * (<permod/module.h>) the loader has made `&var` the cookie already, and no word is needed, unless
 * it was compiled with -fno-pie, which is as a program.
 *
 * Everything here may be used before main(), in constructors of a priority from 101 on, which are
 * all that programs may have, and after it, in destructors and atexit() handlers.  What is called
 * even before its own constructors ran, as a replacement of malloc() is, or code in .preinit_array,
 * calls pcpu_image_register(&__pcpu_image) first.  Nothing here calls malloc().  All this_cpu
 * operations are async-signal-safe and may be used by any number of threads.
 */
#ifndef PERMOD_PERCPU_H
#define PERMOD_PERCPU_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The layout, filled in once by the library, constant afterwards ------------------------- */

/**
 * struct pcpu_layout - what inline code must know.  Read it through the macros.
 * @rseq:	byte offset from the thread pointer to each thread's struct rseq, or to a stand-in
 *		whose CPU number is negative, where the library does the operations: by atomic
 *		instructions, or by sequences of its own, as the C library does not register
 *		threads or concurrency ids are wanted
 * @offset:	for each CPU number below nr_cpu_ids, what to add to a cookie (bytes)
 * @possible:	bit n is set if CPU n is possible; 64 CPUs in a word
 * @cpu_ids:	the highest possible CPU number plus one
 * @num_possible: how many CPUs are possible; less than @cpu_ids if numbers are sparse
 */
struct pcpu_layout {
	char *rseq;
	const uintptr_t *offset;
	const uint64_t *possible;
	unsigned int cpu_ids;
	unsigned int num_possible;
};

extern const struct pcpu_layout pcpu_layout;

/** nr_cpu_ids - CPU numbers are below this; one CPU number may be missing or more. */
#define nr_cpu_ids (pcpu_layout.cpu_ids)

/** num_possible_cpus() - how many CPUs this system can ever have (not: has now, or lets us use). */
#define num_possible_cpus() (pcpu_layout.num_possible)

/** cpu_possible(cpu) - whether a CPU number is one of a possible CPU. */
#define cpu_possible(cpu)                                                                          \
	((unsigned int)(cpu) < nr_cpu_ids &&                                                       \
	 ((pcpu_layout.possible[(unsigned int)(cpu) / 64] >> ((unsigned int)(cpu) % 64)) & 1))

/** for_each_possible_cpu(cpu) - loop over all possible CPUs, in rising order. */
#define for_each_possible_cpu(cpu)                                                                 \
	for ((cpu) = 0; (unsigned int)(cpu) < nr_cpu_ids; (cpu)++)                                 \
		if (!cpu_possible(cpu)) {                                                          \
		} else

/** per_cpu_offset(cpu) - what to add to a cookie to reach the variable of @cpu (bytes). */
#define per_cpu_offset(cpu) (pcpu_layout.offset[cpu])

/* ---- Static variables ----------------------------------------------------------------------- */

/**
 * __percpu - marks a pointer as a per-CPU pointer: `int __percpu *counter`.
 * <permod/percpu_check.h> tells how to have that checked by sparse, clang and gcc.
 */
#include <permod/percpu_check.h>

/*
 * Where variables go.  In a module the sections are the kernel's, and the loader places them.  A
 * program is linked by whatever linker its author has; all of them gather a section whose name is
 * a C identifier and define __start_ and __stop_ symbols for it, so no linker script is needed.
 */
#ifdef PERMOD_MODULE
#define PCPU_SECTION(sub) ".data.percpu" sub
#else
#define PCPU_SECTION(sub) "pcpu_data"
#endif

#define PCPU_CACHE_LINE 64
/* The page, or the smallest of those that systems of this architecture choose from. */
#if defined(__alpha__) || (defined(__sparc__) && (defined(__arch64__) || defined(__sparc_v9__)))
#define PCPU_PAGE 8192
#else
#define PCPU_PAGE 4096
#endif

#define PCPU_DECLARE(type, name, sub)                                                              \
	__attribute__((section(PCPU_SECTION(sub)))) __typeof__(type) __percpu name

/**
 * DEFINE_PER_CPU(type, name) - define a static per-CPU variable.
 *
 * It may be `static`, and may have an initial value, which every CPU's copy starts with.  Any type:
 * DEFINE_PER_CPU(int[4], name) is an array.  DECLARE_PER_CPU() declares one that is defined in
 * another file of the same image.
 *
 * A declared variable belongs to this image; one of another shared object is reached by a cookie
 * that the other hands out.
 */
#define DEFINE_PER_CPU(type, name) PCPU_DECLARE(type, name, "")
#define DECLARE_PER_CPU(type, name) extern PCPU_DECLARE(type, name, "")

/** DEFINE_PER_CPU_SHARED_ALIGNED() - one that starts a cache line, for data others read or write. */
#define DEFINE_PER_CPU_SHARED_ALIGNED(type, name)                                                  \
	__attribute__((aligned(PCPU_CACHE_LINE))) PCPU_DECLARE(type, name, "..shared_aligned")
#define DECLARE_PER_CPU_SHARED_ALIGNED(type, name)                                                 \
	extern __attribute__((aligned(PCPU_CACHE_LINE)))                                           \
	PCPU_DECLARE(type, name, "..shared_aligned")

/** DEFINE_PER_CPU_ALIGNED() - one that starts a cache line. */
#define DEFINE_PER_CPU_ALIGNED(type, name) DEFINE_PER_CPU_SHARED_ALIGNED(type, name)
#define DECLARE_PER_CPU_ALIGNED(type, name) DECLARE_PER_CPU_SHARED_ALIGNED(type, name)

/** DEFINE_PER_CPU_PAGE_ALIGNED() - one that starts a page. */
#define DEFINE_PER_CPU_PAGE_ALIGNED(type, name)                                                    \
	__attribute__((aligned(PCPU_PAGE))) PCPU_DECLARE(type, name, "..page_aligned")
#define DECLARE_PER_CPU_PAGE_ALIGNED(type, name)                                                   \
	extern __attribute__((aligned(PCPU_PAGE))) PCPU_DECLARE(type, name, "..page_aligned")

/** DEFINE_PER_CPU_READ_MOSTLY() - one that is rarely written: kept apart from those that are. */
#define DEFINE_PER_CPU_READ_MOSTLY(type, name) PCPU_DECLARE(type, name, "..read_mostly")
#define DECLARE_PER_CPU_READ_MOSTLY(type, name) extern PCPU_DECLARE(type, name, "..read_mostly")

/**
 * struct pcpu_image - the hidden words of a program or shared object.
 * @begin:	first byte of its static per-CPU variables, as linked (the load image)
 * @end:	the byte behind the last
 * @size:	@end - @begin once registered, before that 0; a pointer type so that a compiler
 *		knows that writing to an integer variable does not change it
 * @displacement: what to add to an address in the image to get the cookie (bytes)
 * @next:	the library's list
 * @files:	how many of the image's files have begun and not ended
 */
struct pcpu_image {
	char *begin;
	char *end;
	char *size;
	char *displacement;
	struct pcpu_image *next;
	unsigned int files;
};

/**
 * pcpu_image_register() - give an image's static variables their place; called by a constructor
 * that this header puts into every image.  Calling it again does nothing.  Aborts with a message
 * if the reserved region is too small (setting PERCPU_RESERVED).  Thread-safe.
 */
void pcpu_image_register(struct pcpu_image *image);

/** pcpu_image_unregister() - give it back; called by a destructor. */
void pcpu_image_unregister(struct pcpu_image *image);

/*
 * Modules whose code is not position-independent (-fno-pie) lie far below the cookies, and see
 * their variables at addresses near themselves.  Their words are the loader's.
 */
#if defined(PERMOD_MODULE) && !defined(__PIC__) &&                                                 \
	(defined(__x86_64__) || (defined(__sparc__) && defined(__arch64__)))
extern struct pcpu_image __pcpu_image __attribute__((visibility("hidden")));
#define PCPU_IMAGE 1
#define PCPU_IMAGE_BEGIN __pcpu_image.begin
#define PCPU_IMAGE_SIZE (uintptr_t) __pcpu_image.size
/* Variables of other modules are named by their cookies. */
#define PCPU_NAMES_VARIABLE(pointer) 0
#elif defined(PERMOD_MODULE) || defined(PCPU_NO_IMAGE)
#define PCPU_IMAGE 0
#else
#define PCPU_IMAGE 1
extern char __start_pcpu_data[] __attribute__((weak, visibility("hidden")));
extern char __stop_pcpu_data[] __attribute__((weak, visibility("hidden")));

/* The names that linked images have for their section: start, end, and where the initial values
 * are.  The last is the first here: the image is its own load image. */
#define __per_cpu_start __start_pcpu_data
#define __per_cpu_end __stop_pcpu_data
#define __per_cpu_load __start_pcpu_data

#define PCPU_IMAGE_BEGIN __start_pcpu_data
#define PCPU_IMAGE_SIZE ((uintptr_t)__stop_pcpu_data - (uintptr_t)__start_pcpu_data)
#define PCPU_NAMES_VARIABLE(pointer)                                                               \
	(__builtin_object_size((const void *)(uintptr_t)(pointer), 0) != (size_t)-1)

/*
 * PCPU_STRICT, defined in all files of a program or shared object (cc -DPCPU_STRICT), makes each
 * direct access to a static variable trap: `&var` used as a plain pointer, or `var++`.  The place
 * where initial values are is closed once they are copied, and pages that hold something else stay
 * open; so here each file fills pages of its own.  For tests: each file's variables take a page, at
 * least, on every CPU.  What the assembler puts into a later subsection is behind all that the
 * compiler puts into the section.
 */
#if defined(PCPU_STRICT) && (defined(__x86_64__) || defined(__i386__))
__asm__(".pushsection pcpu_data, 8000, \"aw\", %progbits\n\t.balign 4096\n\t.popsection");
#elif defined(PCPU_STRICT)
__asm__(".pushsection pcpu_data, 8000, \"aw\", %progbits\n\t.balign 65536\n\t.popsection");
#endif

/* Every file brings these; the linker keeps one of each in an image. */
extern struct pcpu_image __pcpu_image;
__attribute__((weak, visibility("hidden"))) struct pcpu_image __pcpu_image = {
	__start_pcpu_data, __stop_pcpu_data, NULL, NULL, NULL, 0,
};

/* The first image in the order of symbol look-up, as a rule the program, is the core: its
 * variables form the static region. */
extern struct pcpu_image *pcpu_core_image;
__attribute__((weak, visibility("default"))) struct pcpu_image *pcpu_core_image = &__pcpu_image;

/* In .ctors, where gcc has them for hppa, those of one priority run from the last to the first: there
 * only an earlier one comes first. */
#ifdef __hppa__
#define __PCPU_PRIORITY 100
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wprio-ctor-dtor"
#else
#define __PCPU_PRIORITY 101
#endif

__attribute__((constructor(__PCPU_PRIORITY), used)) static void __pcpu_image_begin(void)
{
	__pcpu_image.files++;
	pcpu_image_register(&__pcpu_image);
}

/* Every file has destructors, and those of the others may still use variables. */
__attribute__((destructor(__PCPU_PRIORITY), used)) static void __pcpu_image_end(void)
{
	if (--__pcpu_image.files == 0)
		pcpu_image_unregister(&__pcpu_image);
}

#ifdef __hppa__
#pragma GCC diagnostic pop
#endif
#endif

/**
 * pcpu_image_cookie() - the cookie of an address in any registered image's section; other values
 * are returned as they are.  For loaders, which meet addresses of other images' variables.
 */
uintptr_t pcpu_image_cookie(const volatile void *address);

/**
 * pcpu_near_layout() - a copy of pcpu_layout next to the cookies, where modules' code reaches it.
 * For loaders.  Read-only memory, valid for ever.
 */
const struct pcpu_layout *pcpu_near_layout(void);

/**
 * __addr_to_pcpu_ptr(address), __pcpu_ptr_to_addr(cookie) - from addresses of variables, as this
 * image's code names them, to cookies, and back; cookies are returned as they are.  (Not so the
 * addresses of other objects that the compiler sees: what it knows the size of is taken for one of
 * this image's variables.  So no function that returns a cookie may have the attribute alloc_size.)
 *
 * A port or program that keeps its variables elsewhere defines both as macros (from a pointer to a
 * uintptr_t, and from a uintptr_t to one) before it includes this header; every other macro uses
 * the first.
 */
#ifdef __addr_to_pcpu_ptr
#define __pcpu_cookie(pointer) __addr_to_pcpu_ptr(pointer)
#else
#define __addr_to_pcpu_ptr(address) __pcpu_cookie(address)
#define __pcpu_ptr_to_addr(cookie) __pcpu_address(cookie)

/*
 * The cookie of a per-CPU pointer: of one into this image's section, or of one that is a cookie.
 *
 * An object whose size the compiler knows is a variable that this image names.  (Nobody tells the
 * compiler the size of what a cookie stands for: __alloc_percpu() must have no alloc_size attribute.)
 * Other pointers are compared with the section's limits, without a branch.  Before the image is
 * registered the displacement is 0.  The empty instructions hide where an address came from: the
 * result is no part of that object.
 */
static inline __attribute__((always_inline)) uintptr_t
__pcpu_cookie(const volatile void __percpu *pointer)
{
	uintptr_t address;

#if PCPU_IMAGE
	uintptr_t displacement = (uintptr_t)__pcpu_image.displacement;

	__asm__("" : "+r"(displacement));
	if (PCPU_NAMES_VARIABLE(pointer))
		return (uintptr_t)pointer + displacement;
#endif
	__asm__("" : "=r"(address) : "0"(pointer));
#if PCPU_IMAGE
	if (address - (uintptr_t)PCPU_IMAGE_BEGIN < PCPU_IMAGE_SIZE)
		address += displacement;
#endif
	return address;
}

static inline __attribute__((always_inline)) uintptr_t __pcpu_address(uintptr_t cookie)
{
#if PCPU_IMAGE
	uintptr_t address = cookie - (uintptr_t)__pcpu_image.displacement;

	if (address - (uintptr_t)__pcpu_image.begin < (uintptr_t)__pcpu_image.size)
		return address;
#endif
	return cookie;
}
#endif

#ifdef PCPU_FIRST
#define __pcpu_cookie(pointer) __pcpu_cookie(PCPU_FIRST(pointer))
#endif

/** pcpu_ptr(ptr) - the cookie of `&var` or of a cookie: what may be handed to other images. */
#define pcpu_ptr(ptr) ((__typeof__(ptr))__pcpu_cookie(ptr))

#if defined(__sparc__) && !defined(__arch64__)
/* Sums of 32 bits may leave a carry in the upper half of a register, which a program of 32 bits does not
 * see; but atomic instructions under QEMU 7.2 do. */
static inline __attribute__((always_inline)) uintptr_t __pcpu_copy_at(uintptr_t cookie,
								      uintptr_t offset)
{
	uintptr_t sum;

	__asm__("srl %1, 0, %0" : "=r"(sum) : "r"(cookie + offset));
	return sum;
}
#else
#define __pcpu_copy_at(cookie, offset) ((cookie) + (offset))
#endif

/** per_cpu_ptr(ptr, cpu) - the address of @cpu's copy, to be used like any other. */
#define per_cpu_ptr(ptr, cpu)                                                                      \
	((PCPU_PLAIN(ptr))__pcpu_copy_at(__pcpu_cookie(ptr), per_cpu_offset(cpu)))

/** per_cpu(var, cpu) - @cpu's copy of a static variable, as an lvalue. */
#define per_cpu(var, cpu) (*per_cpu_ptr(&(var), cpu))

/* ---- Operations ----------------------------------------------------------------------------- */

/*
 * The slow path of every operation: for threads that have no restartable sequences (yet), and for
 * processes that use atomic instructions.  @code is PCPU_CODE(operation, size in bytes).
 */
enum pcpu_operation {
	PCPU_READ,
	PCPU_WRITE,
	PCPU_ADD,
	PCPU_AND,
	PCPU_OR,
	PCPU_XADD,
	PCPU_XCHG,
	PCPU_CMPXCHG,
	PCPU_XOR,
};

#define PCPU_CODE(operation, size) ((unsigned int)(operation)*16 + (unsigned int)(size))

uint64_t pcpu_slow_operation(unsigned int code, uintptr_t cookie, uint64_t a, uint64_t b);

int pcpu_slow_cmpxchg_double(uintptr_t cookie, uint64_t o1, uint64_t o2, uint64_t n1, uint64_t n2);

/** pcpu_slow_cpu() - the CPU number, for threads that have no restartable sequences. */
unsigned int pcpu_slow_cpu(void);

/* A pair of words that this_cpu_cmpxchg_double() can't take: prints why, and aborts. */
__attribute__((noreturn, cold)) void pcpu_bad_pair(uintptr_t first, uintptr_t distance,
						   size_t size);

/* An architecture that is not here, or not in this form, has no sequences: see arch/generic.h. */
#if defined(PCPU_GENERIC)
#include <permod/arch/generic.h>
#elif defined(__x86_64__) && defined(__LP64__)
#include <permod/arch/x86_64.h>
#elif defined(__i386__)
#include <permod/arch/i386.h>
#elif defined(__aarch64__) && defined(__AARCH64EL__) && defined(__LP64__)
#include <permod/arch/aarch64.h>
#elif defined(__arm__) && defined(__ARMEL__) && defined(__ARM_ARCH) && __ARM_ARCH >= 7
#include <permod/arch/arm.h>
#elif defined(__riscv) && defined(__LP64__)
#include <permod/arch/riscv64.h>
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#include <permod/arch/ppc64le.h>
#elif defined(__s390x__)
#include <permod/arch/s390x.h>
#elif defined(__mips_isa_rev) && !defined(__mips16) && !defined(__mips_micromips)
#include <permod/arch/mips.h>
#else
#include <permod/arch/generic.h>
#endif

/* A value of any scalar type as the low bytes of a word, and back.  One case remains; compilers that
 * look at the others are told that they don't touch more than there is. */
static inline __attribute__((always_inline)) uint64_t __pcpu_pack(const void *value, size_t size)
{
	uint8_t v1;
	uint16_t v2;
	uint32_t v4;
	uint64_t v8;

	switch (size) {
	case 1:
		__builtin_memcpy(&v1, value, 1);
		return v1;
	case 2:
		__builtin_memcpy(&v2, value, size < 2 ? size : 2);
		return v2;
	case 4:
		__builtin_memcpy(&v4, value, size < 4 ? size : 4);
		return v4;
	default:
		__builtin_memcpy(&v8, value, size < 8 ? size : 8);
		return v8;
	}
}

static inline __attribute__((always_inline)) void __pcpu_unpack(void *value, uint64_t word,
								size_t size)
{
	uint8_t v1 = (uint8_t)word;
	uint16_t v2 = (uint16_t)word;
	uint32_t v4 = (uint32_t)word;

	switch (size) {
	case 1:
		__builtin_memcpy(value, &v1, 1);
		break;
	case 2:
		__builtin_memcpy(value, &v2, size < 2 ? size : 2);
		break;
	case 4:
		__builtin_memcpy(value, &v4, size < 4 ? size : 4);
		break;
	default:
		__builtin_memcpy(value, &word, size < 8 ? size : 8);
		break;
	}
}

/*
 * Two words as one: words of up to half the largest sequence are one word of twice the size, and only
 * larger ones need an instruction of their own.
 */
static inline __attribute__((always_inline)) uint64_t __pcpu_join(uint64_t first, uint64_t second,
								  size_t size)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return (size < 8 ? first << 8 * size : 0) | second;
#else
	return (size < 8 ? second << 8 * size : 0) | first;
#endif
}

static inline __attribute__((always_inline)) int
__pcpu_cmpxchg_pair(uintptr_t cookie, uintptr_t distance, size_t size, uint64_t o1, uint64_t o2,
		    uint64_t n1, uint64_t n2)
{
	uint64_t old;

	if (__builtin_expect(distance != size || cookie % (2 * size), 0))
		pcpu_bad_pair(cookie, distance, size);
#ifdef PCPU_HAVE_CMPXCHG_DOUBLE
	if (size == 8)
		return __pcpu_cmpxchg_double(cookie, o1, o2, n1, n2);
#endif
	old = __pcpu_join(o1, o2, size);
	return __pcpu_cmpxchg(cookie, 2 * size, old, __pcpu_join(n1, n2, size)) == old;
}

#ifdef __cplusplus
#define PCPU_ASSERT(condition, text) static_assert(condition, text)
#else
#define PCPU_ASSERT(condition, text) _Static_assert(condition, text)
#endif

#define PCPU_ASSERT_SIZE(size)                                                                     \
	PCPU_ASSERT((size) == 1 || (size) == 2 || (size) == 4 || (size) == 8,                      \
		    "a this_cpu operation needs a variable of 1, 2, 4 or 8 bytes")

#ifdef PCPU_HAVE_CMPXCHG_DOUBLE
#define PCPU_LARGEST_PAIR 16
#else
#define PCPU_LARGEST_PAIR PCPU_SEQUENCE_BYTES
#endif
#define PCPU_ASSERT_PAIR(first, second)                                                            \
	PCPU_ASSERT_SIZE(first);                                                                   \
	PCPU_ASSERT((first) == (second),                                                           \
		    "this_cpu_cmpxchg_double() needs two variables of the same size");             \
	PCPU_ASSERT(2 * (first) <= PCPU_LARGEST_PAIR,                                              \
		    "this architecture's this_cpu_cmpxchg_double() takes smaller words only: see " \
		    "PCPU_LARGEST_PAIR")

/* A name for each use of a macro: operations nest without one hiding the other's variables. */
#define PCPU_JOIN(prefix, number) prefix##number
#define PCPU_NAME(prefix, number) PCPU_JOIN(prefix, number)
#define PCPU_UNIQUE(prefix) PCPU_NAME(prefix, __COUNTER__)

/* The operand, converted to the variable's type. */
#define PCPU_VALUE(pcp, name, value)                                                               \
	PCPU_ASSERT_SIZE(sizeof(pcp));                                                             \
	PCPU_TYPE(pcp) name = (PCPU_TYPE(pcp))(value)

#define __pcpu_void_op(operation, pcp, value)                                                      \
	__pcpu_void_op_with(operation, pcp, value, PCPU_UNIQUE(__pcpu_v))
#define __pcpu_void_op_with(operation, pcp, value, v)                                              \
	do {                                                                                       \
		PCPU_VALUE(pcp, v, value);                                                         \
		__pcpu_##operation(__pcpu_cookie(&(pcp)), sizeof(pcp),                             \
				   __pcpu_pack(&v, sizeof(pcp)));                                  \
	} while (0)

#define __pcpu_value_op(operation, pcp, value)                                                     \
	__pcpu_value_op_with(operation, pcp, value, PCPU_UNIQUE(__pcpu_v))
#define __pcpu_value_op_with(operation, pcp, value, v)                                             \
	__extension__({                                                                            \
		PCPU_VALUE(pcp, v, value);                                                         \
		__pcpu_unpack(&v,                                                                  \
			      __pcpu_##operation(__pcpu_cookie(&(pcp)), sizeof(pcp),               \
						 __pcpu_pack(&v, sizeof(pcp))),                    \
			      sizeof(pcp));                                                        \
		v;                                                                                 \
	})

#define __pcpu_read_with(pcp, v)                                                                   \
	__extension__({                                                                            \
		PCPU_ASSERT_SIZE(sizeof(pcp));                                                     \
		PCPU_TYPE(pcp) v;                                                                  \
		__pcpu_unpack(&v, __pcpu_read(__pcpu_cookie(&(pcp)), sizeof(pcp)), sizeof(pcp));   \
		v;                                                                                 \
	})

/* Sums wrap around, signed ones too: they are made without sign. */
#define __pcpu_add_return_with(pcp, value, v)                                                      \
	__extension__({                                                                            \
		PCPU_TYPE(pcp) v = (PCPU_TYPE(pcp))(value);                                        \
		(PCPU_TYPE(pcp))((uint64_t)__pcpu_value_op(xadd, pcp, v) + (uint64_t)v);           \
	})

#define __pcpu_cmpxchg_with(pcp, expected, value, old, v)                                          \
	__extension__({                                                                            \
		PCPU_VALUE(pcp, old, expected);                                                    \
		PCPU_TYPE(pcp) v = (PCPU_TYPE(pcp))(value);                                        \
		__pcpu_unpack(&old,                                                                \
			      __pcpu_cmpxchg(__pcpu_cookie(&(pcp)), sizeof(pcp),                   \
					     __pcpu_pack(&old, sizeof(pcp)),                       \
					     __pcpu_pack(&v, sizeof(pcp))),                        \
			      sizeof(pcp));                                                        \
		old;                                                                               \
	})

#define __pcpu_try_cmpxchg_with(pcp, old, value, expected, at, found)                              \
	__extension__({                                                                            \
		PCPU_TYPE(pcp) *at = (old);                                                        \
		PCPU_TYPE(pcp) expected = *at;                                                     \
		PCPU_TYPE(pcp) found = this_cpu_cmpxchg(pcp, expected, value);                     \
		*at = found;                                                                       \
		__pcpu_pack(&found, sizeof(pcp)) == __pcpu_pack(&expected, sizeof(pcp));           \
	})

#define __pcpu_cmpxchg_double_with(pcp1, pcp2, o1, o2, n1, n2, at, old1, old2, new1, new2)         \
	__extension__({                                                                            \
		PCPU_ASSERT_PAIR(sizeof(pcp1), sizeof(pcp2));                                      \
		const volatile void __percpu *at = &(pcp1);                                        \
		PCPU_TYPE(pcp1) old1 = (PCPU_TYPE(pcp1))(o1);                                      \
		PCPU_TYPE(pcp2) old2 = (PCPU_TYPE(pcp2))(o2);                                      \
		PCPU_TYPE(pcp1) new1 = (PCPU_TYPE(pcp1))(n1);                                      \
		PCPU_TYPE(pcp2) new2 = (PCPU_TYPE(pcp2))(n2);                                      \
		__pcpu_cmpxchg_pair(__pcpu_cookie(at), (uintptr_t) & (pcp2) - (uintptr_t)at,       \
				    sizeof(pcp1), __pcpu_pack(&old1, sizeof(pcp1)),                \
				    __pcpu_pack(&old2, sizeof(pcp1)),                              \
				    __pcpu_pack(&new1, sizeof(pcp1)),                              \
				    __pcpu_pack(&new2, sizeof(pcp1))) != 0;                        \
	})

#define PCPU_NEGATIVE(pcp, value) (-(uint64_t)(PCPU_TYPE(pcp))(value))

/**
 * this_cpu_read(pcp) and the others - one operation on this CPU's copy of a variable.
 *
 * @pcp is an lvalue: a static variable, `*ptr` or `ptr->member` of a per-CPU pointer; 1, 2, 4 or 8
 * bytes, integer or pointer.  Each happens exactly once, on the CPU on which it commits, whatever
 * migrations and signals come between.  None orders other memory accesses.  The operand is
 * converted to the variable's type first, and sums wrap around.
 *
 * The _return forms give the new value, this_cpu_xchg() and this_cpu_cmpxchg() the old one.
 */
#define this_cpu_read(pcp) __pcpu_read_with(pcp, PCPU_UNIQUE(__pcpu_v))
#define this_cpu_write(pcp, value) __pcpu_void_op(write, pcp, value)
#define this_cpu_add(pcp, value) __pcpu_void_op(add, pcp, value)
#define this_cpu_sub(pcp, value) this_cpu_add(pcp, PCPU_NEGATIVE(pcp, value))
#define this_cpu_inc(pcp) this_cpu_add(pcp, 1)
#define this_cpu_dec(pcp) this_cpu_add(pcp, -1)
#define this_cpu_and(pcp, value) __pcpu_void_op(and, pcp, value)
#define this_cpu_or(pcp, value) __pcpu_void_op(or, pcp, value)
#define this_cpu_xor(pcp, value) __pcpu_void_op(xor, pcp, value)
#define this_cpu_add_return(pcp, value) __pcpu_add_return_with(pcp, value, PCPU_UNIQUE(__pcpu_a))
#define this_cpu_sub_return(pcp, value) this_cpu_add_return(pcp, PCPU_NEGATIVE(pcp, value))
#define this_cpu_inc_return(pcp) this_cpu_add_return(pcp, 1)
#define this_cpu_dec_return(pcp) this_cpu_add_return(pcp, -1)
#define this_cpu_xchg(pcp, value) __pcpu_value_op(xchg, pcp, value)
#define this_cpu_cmpxchg(pcp, expected, value)                                                     \
	__pcpu_cmpxchg_with(pcp, expected, value, PCPU_UNIQUE(__pcpu_old), PCPU_UNIQUE(__pcpu_v))

/**
 * this_cpu_try_cmpxchg(pcp, old, value) - write @value if the variable is *@old: for loops.
 *
 * True if it was written.  If not, *@old is what the variable was.
 */
#define this_cpu_try_cmpxchg(pcp, old, value)                                                      \
	__pcpu_try_cmpxchg_with(pcp, old, value, PCPU_UNIQUE(__pcpu_e), PCPU_UNIQUE(__pcpu_at),    \
				PCPU_UNIQUE(__pcpu_f))

/**
 * this_cpu_cmpxchg_double(pcp1, pcp2, o1, o2, n1, n2) - write both if both are as expected.
 *
 * @pcp2 lies directly behind @pcp1, is of the same size, and the pair is aligned to the size of both;
 * otherwise the process aborts with a message.  True if the pair was written.  Pairs of words of 8
 * bytes need an instruction that not every architecture has: PCPU_HAVE_CMPXCHG_DOUBLE is defined
 * where it does, and PCPU_LARGEST_PAIR is the size of the largest pair (bytes); larger ones do not
 * compile.  (On x86-64 the instruction is cmpxchg16b, which only CPUs of before 2006 lack; there a
 * pair of 8-byte words ends in SIGILL.)
 */
#define this_cpu_cmpxchg_double(pcp1, pcp2, o1, o2, n1, n2)                                        \
	__pcpu_cmpxchg_double_with(pcp1, pcp2, o1, o2, n1, n2, PCPU_UNIQUE(__pcpu_at),             \
				   PCPU_UNIQUE(__pcpu_a), PCPU_UNIQUE(__pcpu_b),                   \
				   PCPU_UNIQUE(__pcpu_c), PCPU_UNIQUE(__pcpu_d))

/*
 * The forms for callers that the kernel lets skip its protection.  A user-space thread can always
 * be moved and interrupted, so here they are the same.
 */
#define __this_cpu_read(pcp) this_cpu_read(pcp)
#define __this_cpu_write(pcp, value) this_cpu_write(pcp, value)
#define __this_cpu_add(pcp, value) this_cpu_add(pcp, value)
#define __this_cpu_sub(pcp, value) this_cpu_sub(pcp, value)
#define __this_cpu_inc(pcp) this_cpu_inc(pcp)
#define __this_cpu_dec(pcp) this_cpu_dec(pcp)
#define __this_cpu_and(pcp, value) this_cpu_and(pcp, value)
#define __this_cpu_or(pcp, value) this_cpu_or(pcp, value)
#define __this_cpu_xor(pcp, value) this_cpu_xor(pcp, value)
#define __this_cpu_add_return(pcp, value) this_cpu_add_return(pcp, value)
#define __this_cpu_sub_return(pcp, value) this_cpu_sub_return(pcp, value)
#define __this_cpu_inc_return(pcp) this_cpu_inc_return(pcp)
#define __this_cpu_dec_return(pcp) this_cpu_dec_return(pcp)
#define __this_cpu_xchg(pcp, value) this_cpu_xchg(pcp, value)
#define __this_cpu_cmpxchg(pcp, expected, value) this_cpu_cmpxchg(pcp, expected, value)
#define __this_cpu_try_cmpxchg(pcp, old, value) this_cpu_try_cmpxchg(pcp, old, value)
#define __this_cpu_cmpxchg_double(pcp1, pcp2, o1, o2, n1, n2)                                      \
	this_cpu_cmpxchg_double(pcp1, pcp2, o1, o2, n1, n2)
#define raw_cpu_read(pcp) this_cpu_read(pcp)
#define raw_cpu_write(pcp, value) this_cpu_write(pcp, value)
#define raw_cpu_add(pcp, value) this_cpu_add(pcp, value)
#define raw_cpu_sub(pcp, value) this_cpu_sub(pcp, value)
#define raw_cpu_inc(pcp) this_cpu_inc(pcp)
#define raw_cpu_dec(pcp) this_cpu_dec(pcp)
#define raw_cpu_and(pcp, value) this_cpu_and(pcp, value)
#define raw_cpu_or(pcp, value) this_cpu_or(pcp, value)
#define raw_cpu_xor(pcp, value) this_cpu_xor(pcp, value)
#define raw_cpu_add_return(pcp, value) this_cpu_add_return(pcp, value)
#define raw_cpu_sub_return(pcp, value) this_cpu_sub_return(pcp, value)
#define raw_cpu_inc_return(pcp) this_cpu_inc_return(pcp)
#define raw_cpu_dec_return(pcp) this_cpu_dec_return(pcp)
#define raw_cpu_xchg(pcp, value) this_cpu_xchg(pcp, value)
#define raw_cpu_cmpxchg(pcp, expected, value) this_cpu_cmpxchg(pcp, expected, value)
#define raw_cpu_try_cmpxchg(pcp, old, value) this_cpu_try_cmpxchg(pcp, old, value)
#define raw_cpu_cmpxchg_double(pcp1, pcp2, o1, o2, n1, n2)                                         \
	this_cpu_cmpxchg_double(pcp1, pcp2, o1, o2, n1, n2)

/** smp_processor_id() - the CPU this thread is on; it may be on another one the next moment. */
#define smp_processor_id() __pcpu_cpu()
#define raw_smp_processor_id() __pcpu_cpu()

/**
 * this_cpu_ptr(ptr) - the address of this CPU's copy.  The thread may be moved while it holds the
 * address: bind the thread to a CPU, or use an operation above.
 */
#define this_cpu_ptr(ptr) per_cpu_ptr(ptr, __pcpu_cpu())
#define raw_cpu_ptr(ptr) this_cpu_ptr(ptr)

/**
 * pcpu_ops_name() - "rseq" or "atomic": how this process does the operations, chosen once.
 * The setting PERCPU_OPS=atomic in the environment chooses the second.
 */
const char *pcpu_ops_name(void);

/**
 * pcpu_index_name() - "cpu" or "mm_cid": the number that selects a thread's copy, chosen once.
 *
 * The setting PERCPU_INDEX=mm_cid chooses the concurrency id: the kernel numbers those threads of a
 * process that run at one time from 0 on.  Then no more copies are written than threads run at once,
 * however many CPUs there are, and everything here that speaks of a CPU number means that id, which is
 * below nr_cpu_ids too.  Operations are done out of line then, in about ten times the time.
 */
const char *pcpu_index_name(void);

/**
 * pcpu_register_thread() - prepare a thread that the C library did not make, by clone(2) with
 * CLONE_SETTLS, for operations; to be called in it before the first one.
 *
 * Returns 0, or a negative errno if its restartable sequences are somebody else's.  Other threads need
 * not call it.  A thread that shares the thread pointer of another that runs (no CLONE_SETTLS) shares
 * its rseq area: it must not use operations, unless the process does them atomically.
 */
int pcpu_register_thread(void);

/* ---- Dynamic variables ---------------------------------------------------------------------- */

/** PCPU_NOWAIT - a flag of __alloc_percpu_gfp(): do not wait. */
#define PCPU_NOWAIT 1U

/**
 * __alloc_percpu_gfp() - allocate a variable of @size bytes, zero on every possible CPU.
 * @size:	bytes, 1 to pcpu_max_size()
 * @align:	power of two, 1 to a page (bytes)
 * @flags:	0, or PCPU_NOWAIT for callers that must not wait, as GFP_NOWAIT for the kernel's
 *		function of this name: no lock is waited for, and async-signal-safe
 *
 * Returns a cookie, to be freed by free_percpu(), or NULL with errno set: EINVAL for a bad size,
 * alignment or flag, ENOMEM; EAGAIN with PCPU_NOWAIT, if it can't be had at once.
 * Thread-safe, and usable in a child after fork(); async-signal-safe with PCPU_NOWAIT only.
 *
 * Up to 256 bytes are served from a list of the current CPU, in a few ns.  What PCPU_NOWAIT gets is
 * from these lists, or from the pool behind them if nobody uses it at the moment; the other calls
 * keep a reserve of 8 areas each of 16, 32, 64, 128 and 256 bytes there, on CPUs where they run.
 * (Processes without restartable sequences have no such lists.)
 *
 * Memory is taken from the system when a CPU's copy is first written.
 */
void __percpu *__alloc_percpu_gfp(size_t size, size_t align, unsigned int flags);

/** __alloc_percpu() - as __alloc_percpu_gfp() without flags. */
void __percpu *__alloc_percpu(size_t size, size_t align);

/** alloc_percpu(type), alloc_percpu_gfp(type, flags) - allocate one variable of @type. */
#define alloc_percpu(type)                                                                         \
	((__typeof__(type) __percpu *)__alloc_percpu(sizeof(type), __alignof__(type)))
#define alloc_percpu_gfp(type, flags)                                                              \
	((__typeof__(type) __percpu *)__alloc_percpu_gfp(sizeof(type), __alignof__(type), flags))

/**
 * __alloc_reserved_percpu() - as __alloc_percpu(), from the region behind the static variables,
 * which is within reach of modules' code.  For loaders of modules.
 */
void __percpu *__alloc_reserved_percpu(size_t size, size_t align);

/**
 * free_percpu() - free what the functions above returned; NULL is nothing.
 *
 * A pointer that they did not return, or that was freed before, is reported on standard error, and
 * the process aborts: after such a bug no allocator's word is worth anything.
 * Thread-safe; not async-signal-safe.
 */
void free_percpu(void __percpu *ptr);

/**
 * pcpu_trim() - give all free memory back to the system, that in the lists of all CPUs too.
 *
 * Not needed as a rule: what fills pages is given back as it is freed.  Takes microseconds, and
 * interrupts the other threads of the process for a moment (membarrier(2)).  Thread-safe; not
 * async-signal-safe.
 */
void pcpu_trim(void);

/** pcpu_max_size() - the largest size that __alloc_percpu() can serve (bytes). */
size_t pcpu_max_size(void);

/* ---- Set-up --------------------------------------------------------------------------------- */

/** PCPU_AUTO - let pcpu_embed_first_chunk() choose a size. */
#define PCPU_AUTO ((ptrdiff_t)-1)

/**
 * setup_per_cpu_areas() - lay the units out; called once, before anything else.
 *
 * The library has one, which calls pcpu_embed_first_chunk() with automatic sizes.  A program may
 * define its own to choose others; it runs before main() and before constructors, must not use
 * malloc, nor anything else of this header but the two helpers below and pcpu_static_size(), and
 * returns 0 or a negative errno (the process then aborts with a message).
 */
int setup_per_cpu_areas(void);

/**
 * pcpu_embed_first_chunk() - set up the first chunk and the address space for those after it.
 * @static_size:  bytes of the core's static variables; pcpu_static_size() unless in tests
 * @reserved_size: bytes of the region for modules' variables; 0 for none, PCPU_AUTO
 * @dyn_size:	bytes of the first chunk's dynamic part; 0 for none, PCPU_AUTO.  Automatic takes
 *		the slack up to the page boundary too, a number is kept as it is, and 0 stays 0.
 * @unit_size:	bytes of address space for each CPU, all chunks together; PCPU_AUTO
 *
 * Returns the unit size (bytes), or -EINVAL (sizes that do not fit in the unit, or overflow),
 * -ENOMEM, or -EBUSY (set up already).
 */
ptrdiff_t pcpu_embed_first_chunk(size_t static_size, ptrdiff_t reserved_size, ptrdiff_t dyn_size,
				 ptrdiff_t unit_size);

/**
 * struct pcpu_page - a page of the first chunk, to be provided; see pcpu_page_first_chunk().
 * @cpu:	the CPU whose unit it is in
 * @index:	its number in that unit's first chunk, from 0 on
 * @count:	how many pages the first chunk has in each unit
 * @size:	of a page (bytes)
 * @address:	where it is to be; private zeroed memory lies there now, with none of it touched
 */
struct pcpu_page {
	unsigned int cpu;
	size_t index, count, size;
	void *address;
};

/** pcpu_populate_fn - provides a page; 0, or a negative errno.  @data is the caller's. */
typedef int (*pcpu_populate_fn)(const struct pcpu_page *page, void *data);

/**
 * pcpu_page_first_chunk() - as pcpu_embed_first_chunk(), page by page, from memory that you provide.
 * @populate:	called once for each page of each possible CPU, CPU by CPU in rising order, before
 *		anything is written.  It may map (MAP_FIXED) any memory at @address that can be read and
 *		written, is all zero, and stays; or do something to the memory that is there.
 *
 * For memory of a special kind: a file (memfd_create(2)) through which other processes can read the
 * variables, a device's memory, pages that are locked or of a certain node.  Only the first chunk
 * is made of it, so give @dyn_size what is to be allocated in it.  Every page costs a call, and
 * pages that are not neighbours in one file a mapping each (there can be 65 530), so @reserved_size
 * had better be a number too.  What is mapped shared remains so after fork().
 *
 * Errors are those of pcpu_embed_first_chunk(), and @populate's; then nothing is left of it all.
 */
ptrdiff_t pcpu_page_first_chunk(size_t static_size, ptrdiff_t reserved_size, ptrdiff_t dyn_size,
				ptrdiff_t unit_size, pcpu_populate_fn populate, void *data);

/** pcpu_static_size() - bytes of the core image's static variables. */
size_t pcpu_static_size(void);

/* ---- Looking at it -------------------------------------------------------------------------- */

/** enum pcpu_kind - what an address is; see pcpu_classify(). */
enum pcpu_kind {
	PCPU_NONE,     /* neither a cookie nor inside a unit */
	PCPU_STATIC,   /* of the core's static variables */
	PCPU_RESERVED, /* of a module's or shared object's variables */
	PCPU_DYNAMIC,  /* of __alloc_percpu() */
};

/**
 * pcpu_classify() - tell which region a cookie, or an address inside a unit, belongs to.
 * @address:	any address; not dereferenced
 * @cpu:	if not NULL: set to the CPU whose copy it is, or to -1 for a cookie
 * @cookie:	if not NULL: set to the cookie
 */
enum pcpu_kind pcpu_classify(const volatile void *address, int *cpu, uintptr_t *cookie);

/** struct pcpu_map - the per-CPU address space, as pcpu_get_map() finds it; sizes in bytes. */
struct pcpu_map {
	uintptr_t cookies; /* first address of the cookie space */
	uintptr_t units;   /* first address of CPU 0's unit */
	uintptr_t arena;   /* room for modules, within reach of cookies and of libc */
	size_t arena_size;
	size_t unit_size; /* also the distance from one unit to the next */
	size_t static_size;
	size_t reserved_size;
	size_t reserved_used;
	size_t dynamic_size; /* of the first chunk */
	size_t dynamic_used; /* in all chunks */
	size_t chunk_size;   /* of those after the first, as a rule */
	unsigned int chunks; /* with the first */
	unsigned int areas;  /* dynamic and reserved variables allocated now */
};

/** pcpu_get_map() - fill in @map. */
void pcpu_get_map(struct pcpu_map *map);

/**
 * struct pcpu_chunk_stats - a range of offsets, the same in all units, and the areas allocated in it.
 * Offsets are those in a unit: a cookie's is its distance from pcpu_map's @cookies.  Sizes are in
 * bytes and have been rounded up to a multiple of 4; where allocations are checked (PERCPU_CHECK),
 * an area's size includes the guard gap behind it.
 *
 * The first chunk is the reserved region, the second the dynamic part of the first chunk; both may
 * have size 0.  The others follow in the order of offsets.
 *
 * @kind:	PCPU_RESERVED or PCPU_DYNAMIC
 * @offset:	where it begins
 * @size:	@used + @idle + @free
 * @areas:	how many are allocated
 * @used:	their bytes
 * @idle:	bytes of areas that were freed, or never allocated yet, and lie in the list of some
 *		CPU or wait to be cleaned; pcpu_trim() makes them free
 * @free:	bytes in no area
 * @fragments:	how many free ranges there are
 * @fragmented:	bytes of those with something allocated or idle behind them, as the kernel's sum_frag
 * @largest_free: bytes of the largest free range, the kernel's contig_bytes
 * @smallest, @median, @largest: sizes of the allocated areas, 0 if there are none; half of the areas
 *		are no larger than the median
 * @resident:	pages that lie in the chunk, or begin in it, added up over all CPUs, that are in memory
 *		or swapped out, as pcpu_resident() tells it
 * @empty:	how many of them lie in it as a whole and have no allocated area; the kernel's
 *		empty populated pages.  pcpu_trim() gives them back, unless the program provided them
 */
struct pcpu_chunk_stats {
	enum pcpu_kind kind;
	size_t offset, size;
	size_t areas, used, idle, free;
	size_t fragments, fragmented, largest_free;
	size_t smallest, median, largest;
	size_t resident, empty;
};

/**
 * struct pcpu_totals - the allocator as a whole.  Bytes and pages as in struct pcpu_chunk_stats.
 * @areas, @used, @idle, @free, @fragments, @fragmented, @resident, @empty: sums over all chunks;
 *		exact as of one moment if no other thread allocates or frees meanwhile
 * @most_areas:	the most areas that were out of chunks at a time, allocated or idle: no less than
 *		the most that were allocated, and more by what lists of CPUs held then
 * @chunks, @most_chunks: of dynamic memory, with the first: now and at most; exact
 * @smallest, @largest: sizes of areas allocated up to now.  What was served from the areas that are
 *		kept for PCPU_NOWAIT (of 16, 32, 64, 128 and 256 bytes) and is freed again may be missing
 * @page:	bytes of a page
 * @static_resident: pages that begin in the static region, added up as @resident, of which they are
 *		no part
 */
struct pcpu_totals {
	size_t areas, most_areas;
	size_t used, idle, free;
	size_t fragments, fragmented;
	size_t smallest, largest;
	size_t chunks, most_chunks;
	size_t page;
	size_t static_resident, resident, empty;
};

/**
 * pcpu_stats() - count what is allocated, free and in memory, at one moment.
 * @stats:	filled in
 * @chunks:	an array of the caller's for statistics of each chunk; may be NULL if @count is 0
 * @count:	how many of them it has room for; the others are counted in @stats only
 *
 * Returns how many chunks there are, which may be more than @count, and may change any time.
 * Thread-safe, not async-signal-safe.  It looks at every area and asks the kernel for the pages of
 * every CPU: that takes time, some milliseconds for a thousand CPUs, in which other threads that
 * allocate or free have to wait if their CPU's list does not serve them.
 */
size_t pcpu_stats(struct pcpu_totals *stats, struct pcpu_chunk_stats *chunks, size_t count);

/**
 * pcpu_resident() - which pages of a CPU's unit are there, much as mincore(2).
 * @cpu:	a possible CPU
 * @offset:	in its unit, a multiple of the page size
 * @size:	bytes, rounded up to whole pages
 * @pages:	the caller's, a byte for each page: set to 1 if it is in memory or swapped out, or else 0
 *
 * A page is there as soon as it was written; where it was only read, it is not, but seems so before
 * Linux 6.7.  Where /proc/self/pagemap can't be opened mincore(2) is asked, and what is swapped out
 * is missing.  Takes no lock: outdated as soon as anybody writes.  Returns 0, or -EINVAL if the CPU
 * is not possible or the range is not one of whole pages in a unit.  Thread-safe, not
 * async-signal-safe.
 */
int pcpu_resident(unsigned int cpu, size_t offset, size_t size, unsigned char *pages);

#ifdef __cplusplus
}
#endif

#endif
