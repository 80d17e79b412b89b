/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the loader has to know of the machine that it runs on, beside how that is linked for (elf/arch/):
 * all of it that several machines have is here; what one has alone is in exidx.c, key.c and shadow.c.
 *
 *     RELOCATE_*            the dynamic relocations by which libc tells where thread-local variables are:
 *                           number of a module, distance from the thread pointer, descriptor (0: has none)
 *     RELOCATION_INFO()     their r_info
 *     MACHINE_ENTRIES()     what the dynamic linker reads of each object's dynamic section without asking
 *                           whether it is there: so many as MACHINE_ENTRY_COUNT, in braces; `got` is where two
 *                           slots are, of which the second has MACHINE_GOT_MARK, `symbols` how many there are
 *     SYMBOL_COUNT          the entry of a dynamic section that has the count of symbols; DT_NULL: none has
 *     TLS_BIAS              what __tls_get_addr() adds to offsets
 *     TLS_FUNCTION          what compilers call beside TLS_GETTER
 *     TLS_GETTER            the dynamic linker's function by which call_tls_getter() has the thread's variable
 *     TLS_READER            what code calls for the thread pointer, which keeps registers that calls may change;
 *                           the C library links it into each image
 *     CODE_SPAN             code jumps by the address's low bits: bytes between addresses that it can't jump
 *                           across, a power of 2; 0: it can jump across all
 *     DATA_RUNS             data is executable, as part of it are jumps of the dynamic linker, and is no code
 *                           for that
 *     RESOLVER_MARK         in the first argument of an IFUNC's resolver: there is a second
 *     LIBGCC_S_SO           the file name of the library with the unwinder of GCC's code
 *     TRAP                  a byte of which instructions are made that nobody survives
 *     program_counter()     of a signal's context: where it came from, 0 if that isn't known
 *     return_address()      and where the function that had just been called would return to, likewise
 *     data_pointer()        what a register has in all code of the process, from which code of programs counts
 *     descriptor_at()       where the address of a function's code is that a pointer leads to; 0: it is
 *                           no pointer, or that address itself
 *     DESCRIPTORS           the name of the section that has those, if they are no part of the loader's stubs
 *     flush_code()          let code be run that was written as data
 *     cpu_model, cpu_features
 *                           what modules get copies of, where the compiler's library looks at the CPU
 *     FLUSH_IS_LOCAL        it does so for the calling thread's CPU only; the others know when the system
 *                           makes pages executable
 */
#ifndef LOADER_ARCH_H
#define LOADER_ARCH_H

#include <elf.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#ifdef HAVE_GNU_LIB_NAMES_H
#include <gnu/lib-names.h>
#else
#define LIBGCC_S_SO "libgcc_s.so.1"
#endif

#if defined(RELOCATE_MODULE)

/* As whoever compiles says: see tests/machines/unnamed.h. */

#elif defined(__x86_64__)

#define RELOCATE_MODULE R_X86_64_DTPMOD64
#define RELOCATE_OFFSET R_X86_64_TPOFF64
#define RELOCATE_DESCRIPTOR R_X86_64_TLSDESC
#define TRAP 0xcc
#define CONTEXT_PC(context) (context)->uc_mcontext.gregs[REG_RIP]
#define CONTEXT_STACK(context) (context)->uc_mcontext.gregs[REG_RSP]

#elif defined(__i386__)

#define RELOCATE_MODULE R_386_TLS_DTPMOD32
#define RELOCATE_OFFSET R_386_TLS_TPOFF
#define RELOCATE_DESCRIPTOR R_386_TLS_DESC
#define TLS_FUNCTION "___tls_get_addr"
#define TRAP 0xcc
#define CONTEXT_PC(context) (context)->uc_mcontext.gregs[REG_EIP]
#define CONTEXT_STACK(context) (context)->uc_mcontext.gregs[REG_ESP]

#elif defined(__aarch64__)

#define RELOCATE_MODULE R_AARCH64_TLS_DTPMOD
#define RELOCATE_OFFSET R_AARCH64_TLS_TPREL
#define RELOCATE_DESCRIPTOR R_AARCH64_TLSDESC
#define RESOLVER_MARK (1UL << 62)
#define CONTEXT_PC(context) (context)->uc_mcontext.pc
#define CONTEXT_RETURN(context) (context)->uc_mcontext.regs[30]

#elif defined(__arm__)

#define RELOCATE_MODULE R_ARM_TLS_DTPMOD32
#define RELOCATE_OFFSET R_ARM_TLS_TPOFF32
#define TLS_READER "__aeabi_read_tp"
#define TRAP 0xff
#define CONTEXT_PC(context) (context)->uc_mcontext.arm_pc
#define CONTEXT_RETURN(context) (context)->uc_mcontext.arm_lr

#elif defined(__riscv)

#define RELOCATE_MODULE (__riscv_xlen == 64 ? R_RISCV_TLS_DTPMOD64 : R_RISCV_TLS_DTPMOD32)
#define RELOCATE_OFFSET (__riscv_xlen == 64 ? R_RISCV_TLS_TPREL64 : R_RISCV_TLS_TPREL32)
#define TLS_BIAS 0x800
#define CONTEXT_PC(context) (context)->uc_mcontext.__gregs[REG_PC]
#define CONTEXT_RETURN(context) (context)->uc_mcontext.__gregs[REG_RA]

#elif defined(__powerpc64__)

#define RELOCATE_MODULE R_PPC64_DTPMOD64
#define RELOCATE_OFFSET R_PPC64_TPREL64
#define TLS_BIAS 0x8000
#if _CALL_ELF != 2
#define DESCRIPTORS ".opd"
#endif
#define CONTEXT_PC(context) (context)->uc_mcontext.gp_regs[32]
#define CONTEXT_RETURN(context) (context)->uc_mcontext.gp_regs[36]

#elif defined(__powerpc__)

#define RELOCATE_MODULE R_PPC_DTPMOD32
#define RELOCATE_OFFSET R_PPC_TPREL32
#define TLS_BIAS 0x8000
#define CONTEXT_PC(context) (context)->uc_mcontext.uc_regs->gregs[32]
#define CONTEXT_RETURN(context) (context)->uc_mcontext.uc_regs->gregs[36]

#elif defined(__s390x__)

#define RELOCATE_MODULE R_390_TLS_DTPMOD
#define RELOCATE_OFFSET R_390_TLS_TPOFF
#define TLS_GETTER "__tls_get_offset"
#define CONTEXT_PC(context) (context)->uc_mcontext.psw.addr
#define CONTEXT_RETURN(context) (context)->uc_mcontext.gregs[14]

#elif defined(__mips__)

#define RELOCATE_MODULE (_MIPS_SIM == _ABI64 ? R_MIPS_TLS_DTPMOD64 : R_MIPS_TLS_DTPMOD32)
#define RELOCATE_OFFSET (_MIPS_SIM == _ABI64 ? R_MIPS_TLS_TPREL64 : R_MIPS_TLS_TPREL32)
#define TLS_BIAS 0x8000
#if _MIPS_SIM == _ABI64 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* Three types of a byte each are there, and none of them where others have one. */
#define RELOCATION_INFO(symbol, type) ((uint64_t)(symbol) | (uint64_t)(type) << 56)
#endif
/* The part of the GOT that has no symbols is these two, and no symbol has a slot. */
#define MACHINE_ENTRIES(got, symbols)                                                              \
	{ DT_PLTGOT, (got) }, { DT_MIPS_LOCAL_GOTNO, 2 }, { DT_MIPS_GOTSYM, (symbols) },           \
		{ DT_MIPS_SYMTABNO, (symbols) }, { DT_MIPS_BASE_ADDRESS, 0 },                      \
		{ DT_MIPS_RLD_VERSION, 1 },                                                        \
	{                                                                                          \
		DT_MIPS_FLAGS, RHF_NOTPOT                                                          \
	}
#define MACHINE_ENTRY_COUNT 7
/* The second slot is not for a symbol either. */
#define MACHINE_GOT_MARK (UINTPTR_MAX / 2 + 1)
#define SYMBOL_COUNT DT_MIPS_SYMTABNO
#define CODE_SPAN (1UL << 28)
#define TRAP 0xff
#define CONTEXT_PC(context) (context)->uc_mcontext.pc
#define CONTEXT_RETURN(context) (context)->uc_mcontext.gregs[31]

#elif defined(__sparc__)

#define DATA_RUNS true
#ifdef __arch64__
#define RELOCATE_MODULE R_SPARC_TLS_DTPMOD64
#define RELOCATE_OFFSET R_SPARC_TLS_TPOFF64
#else
#define RELOCATE_MODULE R_SPARC_TLS_DTPMOD32
#define RELOCATE_OFFSET R_SPARC_TLS_TPOFF32
#endif
/* What handlers get is no ucontext_t; registers are named as their function's caller has them. */
#define SIGNAL_CONTEXT(context) ((const struct sigcontext *)(const void *)(context))
#ifdef __arch64__
#define CONTEXT_PC(context) SIGNAL_CONTEXT(context)->sigc_regs.tpc
#define CONTEXT_RETURN(context) (SIGNAL_CONTEXT(context)->sigc_regs.u_regs[15] + 8)
#else
#define CONTEXT_PC(context) SIGNAL_CONTEXT(context)->si_regs.pc
#define CONTEXT_RETURN(context) (SIGNAL_CONTEXT(context)->si_regs.u_regs[15] + 8)
#endif

#elif defined(__alpha__)

#define RELOCATE_MODULE R_ALPHA_DTPMOD64
#define RELOCATE_OFFSET R_ALPHA_TPREL64
#define FLUSH_IS_LOCAL 1
#define CONTEXT_PC(context) (context)->uc_mcontext.sc_pc
#define CONTEXT_RETURN(context) (context)->uc_mcontext.sc_regs[26]

#elif defined(__hppa__)
#define RELOCATE_MODULE R_PARISC_TLS_DTPMOD32
#define RELOCATE_OFFSET R_PARISC_TLS_TPREL32
#define CONTEXT_PC(context) ((context)->uc_mcontext.sc_iaoq[0] & ~3UL)
#define CONTEXT_RETURN(context) ((context)->uc_mcontext.sc_gr[2] & ~3UL)

#elif defined(__m68k__)

#define RELOCATE_MODULE R_68K_TLS_DTPMOD32
#define RELOCATE_OFFSET R_68K_TLS_TPREL32
#define TLS_BIAS 0x8000
#define TRAP 0xff
#define CONTEXT_PC(context) (context)->uc_mcontext.gregs[R_PC]
#define CONTEXT_STACK(context) (context)->uc_mcontext.gregs[R_SP]

#elif defined(__sh__)

#define RELOCATE_MODULE R_SH_TLS_DTPMOD32
#define RELOCATE_OFFSET R_SH_TLS_TPOFF32
#define CONTEXT_PC(context) (context)->uc_mcontext.pc
#define CONTEXT_RETURN(context) (context)->uc_mcontext.pr

#else
#error "loader/arch.h: say here what the loader has to know of this machine"
#endif

#ifndef RELOCATE_DESCRIPTOR
#define RELOCATE_DESCRIPTOR 0
#endif
#ifndef RELOCATION_INFO
#if UINTPTR_MAX > 0xffffffffU
#define RELOCATION_INFO(symbol, type) ELF64_R_INFO((uint64_t)(symbol), type)
#else
#define RELOCATION_INFO(symbol, type) ELF32_R_INFO(symbol, type)
#endif
#endif
#ifndef MACHINE_ENTRIES
#define MACHINE_ENTRIES(got, symbols)                                                              \
	{                                                                                          \
		DT_NULL, 0                                                                         \
	}
#define MACHINE_ENTRY_COUNT 0
#define MACHINE_GOT_MARK 0
#endif
#ifndef SYMBOL_COUNT
#define SYMBOL_COUNT DT_NULL
#endif
#ifndef TLS_GETTER
#define TLS_GETTER "__tls_get_addr"
#endif
#ifndef TLS_BIAS
#define TLS_BIAS 0
#endif
#ifndef CODE_SPAN
#define CODE_SPAN 0UL
#endif
#ifndef DATA_RUNS
#define DATA_RUNS false
#endif
#ifndef RESOLVER_MARK
#define RESOLVER_MARK 0UL
#endif
#ifndef FLUSH_IS_LOCAL
#define FLUSH_IS_LOCAL 0
#endif
#ifndef TRAP
#define TRAP 0
#endif

static inline uintptr_t program_counter(const ucontext_t *context)
{
	(void)context;
	return (uintptr_t)CONTEXT_PC(context);
}

struct tls_index;

#ifdef __s390x__
/* It takes the index by its distance from what %r12 has, and tells that from the thread pointer. */
static inline void *call_tls_getter(void *(*getter)(struct tls_index *), struct tls_index *index)
{
	unsigned long distance;

	__asm__ volatile("lgr %%r13, %%r12\n\t"
			 "lgr %%r12, %[index]\n\t"
			 "lghi %%r2, 0\n\t"
			 "aghi %%r15, -160\n\t"
			 "basr %%r14, %[getter]\n\t"
			 "aghi %%r15, 160\n\t"
			 "lgr %%r12, %%r13\n\t"
			 "lgr %[distance], %%r2"
			 : [distance] "=d"(distance)
			 : [index] "a"(index), [getter] "a"(getter)
			 : "0", "1", "2", "3", "4", "5", "13", "14", "f0", "f1", "f2", "f3", "f4",
			   "f5", "f6", "f7", "cc", "memory");
	return (char *)__builtin_thread_pointer() + distance;
}
#else
static inline void *call_tls_getter(void *(*getter)(struct tls_index *), struct tls_index *index)
{
	return getter(index);
}
#endif

/* Calls leave it on top of the stack, or in a register. */
static inline uintptr_t return_address(const ucontext_t *context)
{
#if defined(CONTEXT_STACK)
	return *(const uintptr_t *)CONTEXT_STACK(context);
#elif defined(CONTEXT_RETURN)
	return (uintptr_t)CONTEXT_RETURN(context);
#else
	(void)context;
	return 0;
#endif
}

static inline uintptr_t data_pointer(void)
{
	uintptr_t pointer = 0;

#ifdef __hppa__
	__asm__("copy %%r27, %0" : "=r"(pointer));
#endif
	return pointer;
}

static inline uintptr_t descriptor_at(uintptr_t address)
{
#if defined(__hppa__)
	/* Addresses of code that come from the CPU have the privilege level there, which is 3. */
	return (address & 3) == 2 ? address - 2 : 0;
#elif defined(DESCRIPTORS)
	return address;
#else
	(void)address;
	return 0;
#endif
}

/* GCC does nothing for machines whose other compilers are said to do it. */
#if defined(__powerpc__)
#define FLUSH_BYTES 16 /* no line of a cache is shorter */
#define FLUSH_DATA(address) __asm__ volatile("dcbst 0, %0" : : "r"(address) : "memory")
#define FLUSH_CODE(address) __asm__ volatile("icbi 0, %0" : : "r"(address) : "memory")
#define FLUSH_WAIT() __asm__ volatile("sync\n\tisync" : : : "memory")
#elif defined(__sparc__)
#define FLUSH_BYTES 8
#define FLUSH_DATA(address) ((void)(address))
#define FLUSH_CODE(address) __asm__ volatile("flush %0" : : "r"(address) : "memory")
#define FLUSH_WAIT() __asm__ volatile("nop\n\tnop\n\tnop\n\tnop\n\tnop" : : : "memory")
#elif defined(__hppa__)
#define FLUSH_BYTES 16
#define FLUSH_DATA(address) __asm__ volatile("fdc %%r0(%0)" : : "r"(address) : "memory")
#define FLUSH_CODE(address) __asm__ volatile("fic %%r0(%%sr4, %0)" : : "r"(address) : "memory")
#define FLUSH_WAIT()                                                                               \
	__asm__ volatile("sync\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop" : : : "memory")
#elif defined(__sh__)
#include <asm/cachectl.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

static inline void flush_code(uintptr_t begin, size_t size)
{
#if defined(FLUSH_BYTES)
	uintptr_t first = begin & ~(uintptr_t)(FLUSH_BYTES - 1);

	for (uintptr_t at = first; at < begin + size; at += FLUSH_BYTES)
		FLUSH_DATA(at);
	FLUSH_WAIT();
	for (uintptr_t at = first; at < begin + size; at += FLUSH_BYTES)
		FLUSH_CODE(at);
	FLUSH_WAIT();
#elif defined(__alpha__)
	/* PALcode's imb: all of this CPU's. */
	(void)begin;
	(void)size;
	__asm__ volatile("call_pal 0x86" : : : "memory");
#elif defined(__sh__)
	syscall(SYS_cacheflush, begin, size, CACHEFLUSH_D_WB | CACHEFLUSH_I);
#else
	__builtin___clear_cache((char *)begin, (char *)(begin + size));
#endif
}

#if defined(__x86_64__) || defined(__i386__)
/* What libgcc's __cpu_indicator_init() finds out about the CPU.  Each image has its own, so a module
 * gets copies.  How many words the second has depends on libgcc; the first is always there. */
#if !defined(__clang__) && __GNUC__ >= 12
#define CPU_FEATURE_WORDS 3
#else
#define CPU_FEATURE_WORDS 1
#endif
extern const unsigned int cpu_model[4] __asm__("__cpu_model") __attribute__((visibility("hidden")));
extern const unsigned int cpu_features[CPU_FEATURE_WORDS] __asm__("__cpu_features2")
	__attribute__((visibility("hidden")));
#endif

#endif
