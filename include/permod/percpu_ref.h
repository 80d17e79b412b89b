/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <permod/percpu_ref.h> - reference counts that cost next to nothing while the object lives.
 *
 * As long as somebody, the owner, is known to hold the initial reference, nobody has to know whether
 * the count is zero, so references are counted in a slot for each CPU: PER-CPU MODE.  Once the owner
 * is about to let go it KILLS the reference count: the slots are summed up into one atomic count
 * (ATOMIC MODE), the initial reference is dropped, and the last one to put its reference calls the
 * release function, exactly once.  Names and meaning are those of the Linux kernel
 * (include/linux/percpu-refcount.h, lib/percpu-refcount.c).
 *
 *     percpu_ref_init()   ->  alive, per-CPU mode, one reference
 *     percpu_ref_kill()   ->  dead, atomic mode; percpu_ref_tryget_live() fails; at 0: release()
 *     percpu_ref_reinit() ->  alive again, if it was made with PERCPU_REF_ALLOW_REINIT
 *
 * How a mode is changed: the mode is read inside the restartable sequence that counts.  The one who
 * changes it writes the mode, then fences (membarrier(2)): sequences in flight have counted by
 * then, or start again and see it.  So there is no grace period to wait for, and when a function
 * here returns, the mode has changed, and the confirmation has been called.  A fence takes some
 * microseconds.
 *
 * Where there are no restartable sequences (pcpu_ops_name(): "atomic"), or the kernel has no such
 * fence (before Linux 5.10), a count is in atomic mode always: right, only slower.
 *
 * Getting and putting is async-signal-safe, never waits, and may be done by any number of threads; a
 * put in a handler may be the last, and then the handler runs the release function.  Everything
 * before a put happens before the release function.  The memory of the structure must be there as
 * long as anybody can call percpu_ref_tryget() or percpu_ref_tryget_live() on it.
 * The functions that change the mode take a lock, may be called by any thread, also in a child after
 * fork(), but not by a signal handler.  Wrong use is reported on standard error, and the process
 * aborts.  ThreadSanitizer is told of what puts order, if the library is built with it.
 */
#ifndef PERMOD_PERCPU_REF_H
#define PERMOD_PERCPU_REF_H

#include <permod/arch/structures.h>

#ifdef __cplusplus
extern "C" {
#endif

struct percpu_ref;

/** percpu_ref_func_t - a function that is told of a reference count. */
typedef void(percpu_ref_func_t)(struct percpu_ref *ref);

/**
 * enum percpu_ref_flags - for percpu_ref_init(), or'ed.
 * @PERCPU_REF_INIT_ATOMIC:  begin in atomic mode, until percpu_ref_switch_to_percpu(); includes
 *			     PERCPU_REF_ALLOW_REINIT
 * @PERCPU_REF_INIT_DEAD:    begin dead and zero, until percpu_ref_reinit(); includes
 *			     PERCPU_REF_ALLOW_REINIT
 * @PERCPU_REF_ALLOW_REINIT: the count may return to per-CPU mode.  Without it the slots are freed when
 *			     it leaves that mode.
 * @PERCPU_REF_INIT_LAZY:    begin in atomic mode, and go to per-CPU mode when some references have been
 *			     taken; for objects of which most are never held, as these need no fence
 *			     when they are killed.  Includes PERCPU_REF_ALLOW_REINIT.  (Not in Linux.)
 */
enum percpu_ref_flags {
	PERCPU_REF_INIT_ATOMIC = 1 << 0,
	PERCPU_REF_INIT_DEAD = 1 << 1,
	PERCPU_REF_ALLOW_REINIT = 1 << 2,
	PERCPU_REF_INIT_LAZY = 1 << 3,
};

/* The lowest bits of percpu_ref.mode. */
#define PCPU_REF_ATOMIC 1U
#define PCPU_REF_DEAD 2U

/**
 * struct percpu_ref - a reference count; the caller's memory, as a rule within the object that is
 * counted.  All fields are the library's.
 * @mode:	the slots' cookie, and two bits: atomic mode, dead
 * @count:	references that the slots don't have, times 2, and 1 if dead; in per-CPU mode also a
 *		large number, that keeps it from zero
 * @release:	called when the last reference is gone
 * @flags:	as given
 * @lazy:	how many references are to be taken until the count goes to per-CPU mode by itself; 0:
 *		it doesn't
 */
struct percpu_ref {
	uintptr_t mode;
	unsigned long count;
	percpu_ref_func_t *release;
	unsigned int flags;
	unsigned int lazy;
};

/**
 * percpu_ref_init() - make a reference count, alive with one reference: the initial one.
 * @ref:	memory of the caller's; must stay where it is
 * @release:	called once the count is killed and the last reference put, by the thread that puts it.
 *		It may free the memory of @ref after percpu_ref_exit().
 * @flags:	of enum percpu_ref_flags, or 0
 *
 * Returns 0, -EINVAL (unknown flags, no release function) or -ENOMEM.
 */
int percpu_ref_init(struct percpu_ref *ref, percpu_ref_func_t *release, unsigned int flags);

/**
 * percpu_ref_exit() - free what percpu_ref_init() took.  Nobody may get or put references any more.
 * Calling it again does nothing.
 */
void percpu_ref_exit(struct percpu_ref *ref);

/* For inline code: what it can't do. */
void pcpu_ref_get_slow(struct percpu_ref *ref, unsigned long count);
bool pcpu_ref_tryget_slow(struct percpu_ref *ref, unsigned long count);
bool pcpu_ref_tryget_live_slow(struct percpu_ref *ref, unsigned long count);
void pcpu_ref_put_slow(struct percpu_ref *ref, unsigned long count);

/** percpu_ref_get_many() - @count more references, for somebody who holds one already. */
static inline void percpu_ref_get_many(struct percpu_ref *ref, unsigned long count)
{
	if (__builtin_expect(!__pcpu_ref_add(&ref->mode, count), 0))
		pcpu_ref_get_slow(ref, count);
}

/** percpu_ref_get() - one more reference, for somebody who holds one already. */
static inline void percpu_ref_get(struct percpu_ref *ref)
{
	percpu_ref_get_many(ref, 1);
}

/** percpu_ref_tryget_many() - @count references, unless the count is zero: whether it did. */
static inline bool percpu_ref_tryget_many(struct percpu_ref *ref, unsigned long count)
{
	if (__builtin_expect(__pcpu_ref_add(&ref->mode, count), 1))
		return true;
	return pcpu_ref_tryget_slow(ref, count);
}

/** percpu_ref_tryget() - a reference, unless the count is zero: whether it did. */
static inline bool percpu_ref_tryget(struct percpu_ref *ref)
{
	return percpu_ref_tryget_many(ref, 1);
}

/**
 * percpu_ref_tryget_live() - a reference, unless the count was killed: whether it did.
 *
 * At the time of percpu_ref_kill() it may do either; after the confirmation it fails.
 */
static inline bool percpu_ref_tryget_live(struct percpu_ref *ref)
{
	if (__builtin_expect(__pcpu_ref_add(&ref->mode, 1), 1))
		return true;
	return pcpu_ref_tryget_live_slow(ref, 1);
}

/** percpu_ref_put_many() - give @count references back; if they were the last, release. */
static inline void percpu_ref_put_many(struct percpu_ref *ref, unsigned long count)
{
	PCPU_TSAN_RELEASE(ref);
	if (__builtin_expect(!__pcpu_ref_add(&ref->mode, 0 - count), 0))
		pcpu_ref_put_slow(ref, count);
}

/** percpu_ref_put() - give a reference back; if it was the last, release. */
static inline void percpu_ref_put(struct percpu_ref *ref)
{
	percpu_ref_put_many(ref, 1);
}

/**
 * percpu_ref_kill_and_confirm() - drop the initial reference.
 * @confirm:	called, if not NULL, once no percpu_ref_tryget_live() succeeds any more, and before
 *		the initial reference is dropped; by this thread, before the function returns.
 *
 * The release function is called by the last percpu_ref_put(), or here if nobody else holds a
 * reference.  Killing a dead count aborts the process.
 */
void percpu_ref_kill_and_confirm(struct percpu_ref *ref, percpu_ref_func_t *confirm);

/**
 * percpu_ref_kill_unused() - kill the count if nobody but the owner has a reference.
 *
 * Returns 0 if it did: the count is dead and zero, and the release function is not called.  Otherwise
 * how many references others have; then the count is as it was, and percpu_ref_tryget_live() has not
 * failed meanwhile.  Needs PERCPU_REF_ALLOW_REINIT.
 */
unsigned long percpu_ref_kill_unused(struct percpu_ref *ref);

/** percpu_ref_kill() - the same without confirmation. */
static inline void percpu_ref_kill(struct percpu_ref *ref)
{
	percpu_ref_kill_and_confirm(ref, NULL);
}

/**
 * percpu_ref_resurrect() - undo percpu_ref_kill(): alive, with the initial reference again, and in
 * per-CPU mode unless percpu_ref_switch_to_atomic() was the last word.
 *
 * The count must be dead, and made with PERCPU_REF_ALLOW_REINIT.  If other references may be put
 * at this moment, the last of them may release: it's the caller's to know whether that matters.
 */
void percpu_ref_resurrect(struct percpu_ref *ref);

/** percpu_ref_reinit() - the same for a count that must be zero, so that it has one reference then. */
void percpu_ref_reinit(struct percpu_ref *ref);

/**
 * percpu_ref_switch_to_atomic() - atomic mode from now on, also after a resurrection.
 * @confirm:	called, if not NULL, when that is so; by this thread, before the function returns
 *
 * Without PERCPU_REF_ALLOW_REINIT there is no way back.
 */
void percpu_ref_switch_to_atomic(struct percpu_ref *ref, percpu_ref_func_t *confirm);

/** percpu_ref_switch_to_atomic_sync() - the same without confirmation. */
static inline void percpu_ref_switch_to_atomic_sync(struct percpu_ref *ref)
{
	percpu_ref_switch_to_atomic(ref, NULL);
}

/**
 * percpu_ref_switch_to_percpu() - per-CPU mode again; if the count is dead, once it is alive.  Needs
 * PERCPU_REF_ALLOW_REINIT.  Where there is no per-CPU mode it does nothing.
 */
void percpu_ref_switch_to_percpu(struct percpu_ref *ref);

/** percpu_ref_is_dying() - whether the count is dead: killed, and not resurrected. */
static inline bool percpu_ref_is_dying(const struct percpu_ref *ref)
{
	return (__atomic_load_n(&ref->mode, __ATOMIC_ACQUIRE) & PCPU_REF_DEAD) != 0;
}

/** percpu_ref_is_zero() - whether all references are gone; false in per-CPU mode. */
static inline bool percpu_ref_is_zero(const struct percpu_ref *ref)
{
	return (__atomic_load_n(&ref->count, __ATOMIC_ACQUIRE) & ~1UL) == 0;
}

#ifdef __cplusplus
}
#endif

#endif
