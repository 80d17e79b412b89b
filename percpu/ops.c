/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * this_cpu operations, the slow part: which way this process does them, and the entries for what
 * can't be done inline.
 *
 * Inline code knows one way only.  It looks for a CPU number in the thread's rseq area, and calls
 * here if that is negative.  So the choice of a process is the choice of an area:
 *
 *     restartable, registered by libc:  libc's area; negative in threads that libc did not make
 *     restartable, registered here:     a stand-in, always negative; sequences here use our area
 *     restartable, by concurrency id:   the stand-in; sequences here use libc's area, or ours
 *     atomic instructions:              the stand-in
 *
 * Why a stand-in where we register: a thread's first operation can be in a signal handler, between
 * two instructions of a sequence that has begun without the kernel's knowledge.  (In a thread that
 * neither libc nor we know, the first operation must not be in a handler.)  Why one for the
 * concurrency id: it is at another place in the area, and inline code that asked where would be slower
 * for everybody; and it is 0, not negative, in a thread that the kernel doesn't know.
 *
 * The choice is made once, before the first operation: no two ways must meet on a variable.  Behind
 * the entries a way is a table of functions: ops_atomic.c, ops_cpu.c, ops_cid.c.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <linux/rseq.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27
#endif

/*
 * A kernel that knows that many bytes of an area writes the concurrency id into every one, as the
 * least that can be registered is 32 bytes.  __rseq_size doesn't tell: some versions of glibc register
 * 32 bytes and say 20, which is what they themselves use.
 */
#define SIZE_WITH_CID 28U

/* glibc's, from 2.35 on. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

/* The size that every kernel with rseq takes. */
struct area {
	uint32_t cpu_id_start;
	int32_t cpu_id;
	uint64_t rseq_cs;
	uint32_t flags;
	uint32_t node_id;
	uint32_t mm_cid;
	uint32_t padding;
} __attribute__((aligned(32)));

/* Never registered. */
static __thread struct area stand_in __attribute__((tls_model("initial-exec"))) = {
	.cpu_id = RSEQ_CPU_ID_UNINITIALIZED,
};

bool pcpu_restartable;
char *pcpu_area; /* what the kernel knows of each thread; byte offset from the thread pointer */

static const struct pcpu_way *way = &pcpu_way_atomic;

/* ---- The kernel's side ---------------------------------------------------------------------- */

#ifdef PCPU_HAVE_SEQUENCES
static __thread struct area own_area __attribute__((tls_model("initial-exec"))) = {
	.cpu_id = RSEQ_CPU_ID_UNINITIALIZED,
};

static struct area *this_area(void)
{
	return (struct area *)(__pcpu_thread_pointer() + (ptrdiff_t)pcpu_area);
}

/*
 * A C library that knows nothing of rseq may unmap the stack of a thread, and these variables with it,
 * while it still runs (musl does, of a detached one): if the kernel finds the area gone it kills the
 * process.  So the area is given back when the thread ends.  One that is taken again by operations in later
 * destructors is given back in the next round of them.
 */
static pthread_key_t exit_key;
static bool leaves_at_exit;

static void leave(void *area)
{
	int saved = errno;

	syscall(SYS_rseq, area, sizeof(own_area), RSEQ_FLAG_UNREGISTER, PCPU_RSEQ_SIGNATURE);
	errno = saved;
}

static void prepare_to_leave(void)
{
	leaves_at_exit = !&__rseq_size && !pthread_key_create(&exit_key, leave);
}

/* 0, or -1 with errno as rseq(2): EBUSY if this very area is registered, EINVAL if another is. */
static int register_area(struct area *area)
{
	if (syscall(SYS_rseq, area, sizeof(*area), 0, PCPU_RSEQ_SIGNATURE))
		return -1;
	/* In a handler, too: where this is needed it is a store into what the thread has. */
	if (leaves_at_exit)
		pthread_setspecific(exit_key, area);
	return 0;
}

static char *offset_of(struct area *area)
{
	return (char *)((char *)area - __pcpu_thread_pointer());
}

static bool libc_registers(void)
{
	return &__rseq_size && __rseq_size;
}

/* Whether the process has restartable sequences; sets pcpu_area. */
static bool find_area(void)
{
	if (libc_registers()) {
		pcpu_area = (char *)__rseq_offset;
		return this_area()->cpu_id >= 0;
	}
	pcpu_area = offset_of(&own_area);
	prepare_to_leave();
	/* Fails where the kernel has none, or somebody else owns this thread's. */
	return register_area(&own_area) == 0;
}

/* A thread of a process with restartable sequences that may have none yet. */
void pcpu_prepare_thread(void)
{
	struct area *area = this_area();
	int saved;

	if (__builtin_expect(area->cpu_id >= 0, 1))
		return;
	saved = errno;
	if (register_area(area) && area->cpu_id < 0)
		pcpu_die("thread %ld can't have restartable sequences (%s), but others of this "
			 "process do; set PERCPU_OPS=atomic",
			 (long)syscall(SYS_gettid), strerror(errno));
	errno = saved;
}

int pcpu_register_thread(void)
{
	pcpu_setup();
	if (!pcpu_restartable || !register_area(this_area()) || errno == EBUSY)
		return 0;
	return -errno;
}
#else
/* Code that was compiled for sequences looks there, and learns that there are none. */
static char *offset_of(struct area *area)
{
#ifdef HAVE_THREAD_POINTER
	return (char *)((uintptr_t)area - (uintptr_t)__builtin_thread_pointer());
#else
	return (char *)area;
#endif
}

static bool libc_registers(void)
{
	return false;
}

static bool find_area(void)
{
	return false;
}

void pcpu_prepare_thread(void)
{
}

int pcpu_register_thread(void)
{
	return 0;
}
#endif

/* ---- The choice ----------------------------------------------------------------------------- */

/* A setting that is one of two words: false for the first, or if there is none; true for the second. */
static bool second_word(const char *name, const char *first, const char *second, bool *given)
{
	const char *text = secure_getenv(name);

	*given = text != NULL;
	if (text && strcmp(text, first) != 0 && strcmp(text, second) != 0)
		pcpu_die("the setting %s=%s is neither %s nor %s", name, text, first, second);
	return text && !strcmp(text, second);
}

bool pcpu_wants_cid(void)
{
	bool given;

	return second_word("PERCPU_INDEX", "cpu", "mm_cid", &given);
}

/* Why the concurrency id can't be had; NULL if it can. */
static const char *lack_of_cid(void)
{
	if (!pcpu_restartable)
		return "they need restartable sequences, and operations are atomic in this process";
	if (getauxval(AT_RSEQ_FEATURE_SIZE) < SIZE_WITH_CID)
		return "this kernel has no concurrency ids (Linux 6.3 and later do)";
	return NULL;
}

/* Returns the offset from the thread pointer to the area that inline code looks at. */
char *pcpu_choose_operations(void)
{
	bool given, atomic = second_word("PERCPU_OPS", "rseq", "atomic", &given);
	const char *lack;

	pcpu_restartable = !atomic && find_area();
	if (given && !atomic && !pcpu_restartable)
		pcpu_die("PERCPU_OPS=rseq: this system or process has no restartable sequences");
#ifdef PCPU_HAVE_SEQUENCES
	way = pcpu_restartable ? &pcpu_way_cpu : &pcpu_way_atomic;
	if (pcpu_wants_cid())
		way = &pcpu_way_cid;
#endif
	lack = pcpu_wants_cid() ? lack_of_cid() : NULL;
	if (lack)
		pcpu_die("PERCPU_INDEX=mm_cid: %s", lack);
	return pcpu_restartable && libc_registers() && !pcpu_wants_cid() ? pcpu_area
									 : offset_of(&stand_in);
}

const char *pcpu_ops_name(void)
{
	pcpu_setup();
	return pcpu_restartable ? "rseq" : "atomic";
}

const char *pcpu_index_name(void)
{
	pcpu_setup();
	return pcpu_wants_cid() ? "mm_cid" : "cpu";
}

/* ---- The entries ---------------------------------------------------------------------------- */

/*
 * Async-signal-safe, and errno is kept: a signal handler may be the first in its thread to come here.
 * Sizes that sequences can't commit at once are done atomically by everybody.
 */
uint64_t pcpu_slow_operation(unsigned int code, uintptr_t cookie, uint64_t a, uint64_t b)
{
	if (!pcpu_restartable || code % 16 > PCPU_SEQUENCE_BYTES)
		return pcpu_way_atomic.operate(code, cookie, a, b);
	pcpu_prepare_thread();
	return way->operate(code, cookie, a, b);
}

int pcpu_slow_cmpxchg_double(uintptr_t cookie, uint64_t o1, uint64_t o2, uint64_t n1, uint64_t n2)
{
	if (pcpu_restartable)
		pcpu_prepare_thread();
	if (!way->cmpxchg_double)
		pcpu_die("this_cpu_cmpxchg_double() of 8-byte words: not on this architecture");
	return way->cmpxchg_double(cookie, o1, o2, n1, n2);
}

unsigned int pcpu_slow_cpu(void)
{
	if (pcpu_restartable)
		pcpu_prepare_thread();
	return way->unit_number();
}

unsigned int pcpu_cpu_number(void)
{
#ifdef PCPU_HAVE_SEQUENCES
	if (pcpu_restartable) {
		pcpu_prepare_thread();
		return pcpu_way_cpu.unit_number();
	}
#endif
	return pcpu_current_cpu();
}

void pcpu_bad_pair(uintptr_t first, uintptr_t distance, size_t size)
{
	if (distance != size)
		pcpu_die(
			"this_cpu_cmpxchg_double() of %zu-byte words that are %td bytes apart; the "
			"second must be directly behind the first",
			size, (ptrdiff_t)distance);
	pcpu_die(
		"this_cpu_cmpxchg_double() of two %zu-byte words at %#zx, which must be a multiple "
		"of %zu: align the pair",
		size, (size_t)first, 2 * size);
}
