/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A machine that nobody has a name for: included before all else (-include) where permod is compiled for
 * arm64, it takes away what tells that machine, for permod's code as for libc's headers.  What is left must
 * build and pass its tests: so nothing but the files for one machine each has any machine in it.
 *
 * Those are needed: how its objects are linked, and what loader/arch.h asks for.
 */
#undef __aarch64__
#undef __AARCH64EL__
#undef __AARCH64_CMODEL_SMALL__
#undef __ARM_64BIT_STATE
#undef __ARM_ARCH
#undef __ARM_ARCH_8A
#undef __ARM_ARCH_ISA_A64
#undef __ARM_ARCH_PROFILE
#undef __ARM_PCS_AAPCS64

#define HOST_ARCH (&link_arch_aarch64)

#define RELOCATE_MODULE R_AARCH64_TLS_DTPMOD
#define RELOCATE_OFFSET R_AARCH64_TLS_TPREL
#define RELOCATE_DESCRIPTOR R_AARCH64_TLSDESC
#define RESOLVER_MARK (1UL << 62)
#define CONTEXT_PC(context) (context)->uc_mcontext.pc
#define CONTEXT_RETURN(context) (context)->uc_mcontext.regs[30]
