/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * this_cpu operations, the slow part: which way this process does them, and the ones that can't be
 * done inline.
 *
 * Inline code knows one way only.  It looks for a CPU number in the thread's rseq area, and calls
 * here if that is negative.  So the choice of a process is the choice of an area:
 *
 *     restartable, registered by libc:  libc's area; negative in threads that libc did not make
 *     restartable, registered here:     a stand-in, always negative; sequences here use our area
 *     atomic instructions:              the stand-in
 *
 * Why a stand-in where we register: a thread's first operation can be in a signal handler, between
 * two instructions of a sequence that has begun without the kernel's knowledge.  (In a thread that
 * neither libc nor we know, the first operation must not be in a handler.)
 *
 * The choice is made once, before the first operation: the two kinds must not meet on a variable.
 */
#define _GNU_SOURCE
/* For the sequences in this file: the area that the kernel knows. */
#define PCPU_RSEQ_AREA pcpu_area
extern char *pcpu_area;
#include "internal.h"

#include <errno.h>
#include <linux/rseq.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RSEQ_SIGNATURE 0x53053053U

/* glibc's, from 2.35 on. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

/* The size that every kernel with rseq takes. */
struct area {
	uint32_t cpu_id_start;
	int32_t cpu_id;
	uint64_t rseq_cs;
	uint32_t flags;
	uint32_t padding[3];
} __attribute__((aligned(32)));

static __thread struct area own_area __attribute__((tls_model("initial-exec"))) = {
	.cpu_id = RSEQ_CPU_ID_UNINITIALIZED,
};
/* Never registered. */
static __thread struct area stand_in __attribute__((tls_model("initial-exec"))) = {
	.cpu_id = RSEQ_CPU_ID_UNINITIALIZED,
};

char *pcpu_area;
bool pcpu_restartable;

static char *thread_pointer(void)
{
#if defined(__x86_64__)
	char *pointer;

	__asm__("movq %%fs:0, %0" : "=r"(pointer));
	return pointer;
#else
	return NULL;
#endif
}

static int register_area(void *area)
{
	return (int)syscall(SYS_rseq, area, sizeof(struct area), 0, RSEQ_SIGNATURE);
}

/* Whether the process has restartable sequences; sets pcpu_area, and *by_libc. */
static bool find_area(bool *by_libc)
{
	*by_libc = &__rseq_size && __rseq_size;
	if (*by_libc) {
		pcpu_area = (char *)__rseq_offset;
		return ((const struct area *)(thread_pointer() + __rseq_offset))->cpu_id >= 0;
	}
	pcpu_area = (char *)((char *)&own_area - thread_pointer());
	/* Fails where the kernel has none, or somebody else owns this thread's. */
	return register_area(&own_area) == 0;
}

/* Returns the offset from the thread pointer to the area that inline code looks at. */
char *pcpu_choose_operations(void)
{
	const char *wanted = secure_getenv("PERCPU_OPS");
	bool by_libc = false;

	if (wanted && strcmp(wanted, "atomic") != 0 && strcmp(wanted, "rseq") != 0)
		pcpu_die("the setting PERCPU_OPS=%s is neither rseq nor atomic", wanted);
#ifdef PERMOD_ARCH_X86_64_H
	if (!wanted || strcmp(wanted, "atomic") != 0)
		pcpu_restartable = find_area(&by_libc);
#endif
	if (!pcpu_restartable && wanted && strcmp(wanted, "rseq") == 0)
		pcpu_die("PERCPU_OPS=rseq: this system or process has no restartable sequences");
	return pcpu_restartable && by_libc ? pcpu_area
					   : (char *)((char *)&stand_in - thread_pointer());
}

const char *pcpu_ops_name(void)
{
	pcpu_setup();
	return pcpu_restartable ? "rseq" : "atomic";
}

static unsigned int current_cpu(void)
{
	unsigned int cpu = 0;

	if (getcpu(&cpu, NULL))
		cpu = 0;
	/* An emulator may tell the number of a CPU that it does not list. */
	return cpu < pcpu_core.nr_cpus ? cpu : cpu % pcpu_core.nr_cpus;
}

/* A thread of a process with restartable sequences that may have none yet. */
static void register_thread(void)
{
	struct area *area = (void *)(thread_pointer() + (ptrdiff_t)pcpu_area);

	if (area->cpu_id < 0 && register_area(area) && area->cpu_id < 0)
		pcpu_die("thread %ld can't have restartable sequences (%s), but others of this "
			 "process do; set PERCPU_OPS=atomic",
			 (long)syscall(SYS_gettid), strerror(errno));
}

/* ---- Atomic instructions on the slot of the current CPU ------------------------------------- */

#define ATOMIC_OPERATIONS(type, bytes)                                                             \
	static uint64_t atomic_##bytes(unsigned int operation, void *slot, uint64_t a, uint64_t b) \
	{                                                                                          \
		type *p = slot, expected = (type)a;                                                \
                                                                                                   \
		switch (operation) {                                                               \
		case PCPU_READ:                                                                    \
			return __atomic_load_n(p, __ATOMIC_RELAXED);                               \
		case PCPU_WRITE:                                                                   \
			__atomic_store_n(p, (type)a, __ATOMIC_RELAXED);                            \
			return 0;                                                                  \
		case PCPU_AND:                                                                     \
			return __atomic_fetch_and(p, (type)a, __ATOMIC_RELAXED);                   \
		case PCPU_OR:                                                                      \
			return __atomic_fetch_or(p, (type)a, __ATOMIC_RELAXED);                    \
		case PCPU_ADD:                                                                     \
		case PCPU_XADD:                                                                    \
			return __atomic_fetch_add(p, (type)a, __ATOMIC_RELAXED);                   \
		case PCPU_XCHG:                                                                    \
			return __atomic_exchange_n(p, (type)a, __ATOMIC_RELAXED);                  \
		default:                                                                           \
			__atomic_compare_exchange_n(p, &expected, (type)b, false,                  \
						    __ATOMIC_RELAXED, __ATOMIC_RELAXED);           \
			return expected;                                                           \
		}                                                                                  \
	}

ATOMIC_OPERATIONS(uint8_t, 1)
ATOMIC_OPERATIONS(uint16_t, 2)
ATOMIC_OPERATIONS(uint32_t, 4)
ATOMIC_OPERATIONS(uint64_t, 8)

static uint64_t do_atomically(unsigned int code, uintptr_t cookie, uint64_t a, uint64_t b)
{
	void *slot = (void *)(cookie + per_cpu_offset(current_cpu()));

	switch (code % 16) {
	case 1:
		return atomic_1(code / 16, slot, a, b);
	case 2:
		return atomic_2(code / 16, slot, a, b);
	case 4:
		return atomic_4(code / 16, slot, a, b);
	default:
		return atomic_8(code / 16, slot, a, b);
	}
}

/* ---- The entries ---------------------------------------------------------------------------- */

/* By a sequence, in a thread that the kernel knows. */
static uint64_t do_restartably(unsigned int code, uintptr_t cookie, uint64_t a, uint64_t b)
{
	size_t size = code % 16;

	switch (code / 16) {
	case PCPU_READ:
		return __pcpu_read(cookie, size);
	case PCPU_WRITE:
		__pcpu_write(cookie, size, a);
		return 0;
	case PCPU_ADD:
		__pcpu_add(cookie, size, a);
		return 0;
	case PCPU_AND:
		__pcpu_and(cookie, size, a);
		return 0;
	case PCPU_OR:
		__pcpu_or(cookie, size, a);
		return 0;
	case PCPU_XADD:
		return __pcpu_xadd(cookie, size, a);
	case PCPU_XCHG:
		return __pcpu_xchg(cookie, size, a);
	default:
		return __pcpu_cmpxchg(cookie, size, a, b);
	}
}

/* Async-signal-safe: a signal handler may be the first in its thread to come here. */
uint64_t pcpu_slow_operation(unsigned int code, uintptr_t cookie, uint64_t a, uint64_t b)
{
	int saved = errno;
	uint64_t result;

	if (pcpu_restartable) {
		register_thread();
		result = do_restartably(code, cookie, a, b);
	} else {
		result = do_atomically(code, cookie, a, b);
	}
	errno = saved;
	return result;
}

unsigned int pcpu_slow_cpu(void)
{
	int saved = errno;
	unsigned int cpu = current_cpu();

	errno = saved;
	return cpu;
}
