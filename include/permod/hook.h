/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <permod/hook.h> - hooks: places in a program where modules join in.
 *
 * In a header that the program shares with its modules:
 *
 *     PERMOD_DECLARE_HOOK(accepted, (void *context, int fd, const char *peer), (context, fd, peer));
 *
 * In one source file of the program, and where it happens:
 *
 *     PERMOD_DEFINE_HOOK(accepted);
 *     EXPORT_SYMBOL(permod_hook_accepted);
 *
 *     PERMOD_CALL_HOOK(accepted, fd, peer);
 *
 * In a module:
 *
 *     static struct permod_hook_entry entry;
 *     static void count(void *context, int fd, const char *peer) { ... }
 *     ... permod_register_accepted(&entry, count, NULL, 0);
 *
 * A call runs all functions that are registered, the higher priority first, those of the same in the
 * order in which they were registered.  A hook without functions costs a load and a branch; and
 * nothing if the program has called permod_patch_keys() (<permod/key.h>).
 *
 * Functions come and go at any time, while any number of threads call the hook, and also from inside
 * a function that a hook called.  One that is registered while the hook is being called runs in that
 * call if its turn has not passed.  Functions may block for as long as they like, and call the same hook
 * or others.  A thread that calls a hook does no more than note in memory of its own which function it
 * is in: it waits for nobody, needs no registration, may do so in a signal's handler, and in the child
 * of a fork.
 *
 * Unregistering waits until the function has returned in all threads, and so does unloading a
 * module, for what the module has left registered: before its exit runs, all its functions are gone
 * from all hooks, and no thread is in one or comes back.  (That is: those whose code, or whose entry,
 * lies in the module.)  Inside a function that a hook called nobody waits: permod_unregister_*()
 * returns at once, and permod_unload() refuses, with -EDEADLK.
 *
 * A function may leave by a C++ exception, or by the end of its thread, if what called the hook was
 * compiled with -fexceptions; but not by longjmp(3).
 */
#ifndef PERMOD_HOOK_H
#define PERMOD_HOOK_H

#include <stddef.h>

#include <stdbool.h>
#include <stdint.h>

#include <permod/key.h>

#ifdef __cplusplus
/* Functions here have the names of structures, as is usual in C. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#endif

struct permod_hook;

/**
 * struct permod_hook_entry - a function in a hook; the memory of whoever registers it, zero before it is
 * registered for the first time, and there until it is unregistered.  All fields are the library's.
 * @next:	the one that is called after it
 * @hook:	where it is registered, or was
 * @function:	what is called
 * @context:	with what as its first argument
 * @number:	counts all registrations
 * @left:	of those that are being unregistered, the next one
 * @priority:	the higher the earlier
 * @state:	what of all this is valid; PERMOD_HOOK_LINKED while it is in its hook
 */
struct permod_hook_entry {
	struct permod_hook_entry *next;
	struct permod_hook *hook;
	void (*function)(void);
	void *context;
	unsigned long long number;
	struct permod_hook_entry *left;
	int priority;
	int state;
};

#define PERMOD_HOOK_LINKED 1

/**
 * struct permod_hook - a hook; made by PERMOD_DEFINE_HOOK().  All fields are the library's.
 * @first:	the function to be called first, or NULL
 * @name:	of the hook
 * @next:	of those that have functions, the next hook
 */
struct permod_hook {
	struct permod_hook_entry *first;
	const char *name;
	struct permod_hook *next;
};

/* ---- For inline code ------------------------------------------------------------------------ */

/* Calls of hooks within each other that one record has room for. */
#define PERMOD_HOOK_DEPTH 14
#define PERMOD_HOOK_RECORD 256 /* bytes */

/* Where a call notes the entry that it is in, and on its way the next one; both NULL: unused.  By its
 * alignment the address of one slot tells that of the other. */
struct permod_hook_slots {
	struct permod_hook_entry *held[2];
} __attribute__((aligned(2 * sizeof(void *))));

/* A call of a hook: in registers, as a rule. */
struct permod_hook_call {
	struct permod_hook_entry *entry; /* whose function runs; NULL: none */
	uintptr_t slot; /* that has it, and PERMOD_HOOK_SLOW: inline code can't go on */
};

#define PERMOD_HOOK_SLOW ((uintptr_t)1)

/* What a thread notes; the library's memory, which is never given back. */
struct permod_hook_record {
	uint32_t waited; /* atomic: a bit for each slots on which somebody waits */
	uint32_t wakes;	 /* atomic: counts when it woke who waits; they sleep on it */
	int32_t number;	 /* atomic: the thread's, 0: nobody's */
	struct permod_hook_record *below; /* that the thread has filled before, or NULL */
	uintptr_t unused;
	struct permod_hook_slots slots[PERMOD_HOOK_DEPTH];
} __attribute__((aligned(PERMOD_HOOK_RECORD)));

/* Begin with the first function. */
struct permod_hook_call permod_hook_begin(struct permod_hook *hook);
/* What inline code can't do. */
struct permod_hook_call permod_hook_next_slow(struct permod_hook_call call);
void permod_hook_leave_slow(struct permod_hook_call call);
void permod_hook_wake(uintptr_t slot);

static inline struct permod_hook_record *permod_hook_record_of(uintptr_t slot)
{
	return (struct permod_hook_record *)(slot & ~(uintptr_t)(PERMOD_HOOK_RECORD - 1));
}

/* Note an entry in a slot, or NULL; what is looked at afterwards is looked at afterwards. */
static inline void permod_hook_note(uintptr_t slot, struct permod_hook_entry *entry)
{
	__atomic_store_n((struct permod_hook_entry **)slot, entry, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* From here on nobody needs to wait because of what the slot had. */
static inline void permod_hook_clear(uintptr_t slot)
{
	permod_hook_note(slot, NULL);
	if (__builtin_expect(__atomic_load_n(&permod_hook_record_of(slot)->waited,
					     __ATOMIC_RELAXED) != 0,
			     0))
		permod_hook_wake(slot);
}

/* The function runs no more, and none follows. */
static inline void permod_hook_leave(struct permod_hook_call call)
{
	if (__builtin_expect((call.slot & PERMOD_HOOK_SLOW) != 0, 0))
		permod_hook_leave_slow(call);
	else
		permod_hook_clear(call.slot);
}

/*
 * Go on to the next entry.  It is noted first, and then looked whether it is in the list: who takes
 * it out afterwards, and fences, sees the note (loader/callers.h).
 */
static inline struct permod_hook_call permod_hook_next(struct permod_hook_call call)
{
	struct permod_hook_entry *next = __atomic_load_n(&call.entry->next, __ATOMIC_RELAXED);
	uintptr_t slot = call.slot, other = slot ^ sizeof(next);

	if (__builtin_expect((slot & PERMOD_HOOK_SLOW) != 0, 0))
		return permod_hook_next_slow(call);
	if (next)
		permod_hook_note(other, next);
	if (__builtin_expect(__atomic_load_n(&call.entry->next, __ATOMIC_ACQUIRE) != next ||
				     __atomic_load_n(&call.entry->state, __ATOMIC_ACQUIRE) !=
					     PERMOD_HOOK_LINKED,
			     0))
		return permod_hook_next_slow(call);
	if (!next) {
		permod_hook_leave(call);
		call.entry = NULL;
		return call;
	}
	permod_hook_clear(slot);
	call.entry = next;
	call.slot = other;
	return call;
}

/* At the end of a call, also by an exception. */
static inline void permod_hook_end(struct permod_hook_call *call)
{
	if (__builtin_expect(call->entry != NULL, 0))
		permod_hook_leave(*call);
}

/* ---- Registering ---------------------------------------------------------------------------- */

/**
 * permod_hook_register() - what permod_register_NAME() does, which has the function's type.
 * @function:	its address; a code address that stays as long as it is registered
 * @context:	its first argument
 * @priority:	the higher the earlier
 *
 * Returns 0, -EEXIST (the entry is registered already), -EBUSY (it was unregistered inside a function
 * that a hook called, which can't wait for other threads that are in it: and this is such a place
 * too), -EINVAL (no function), or what permod_key_enable() returns if code was patched.  Takes a lock; not async-signal-safe.
 */
int permod_hook_register(struct permod_hook *hook, struct permod_hook_entry *entry,
			 void (*function)(void), void *context, int priority);

/**
 * permod_hook_unregister() - take a function out of its hook.
 *
 * When this has returned 0, no thread is in the function, and the entry's memory can be given another
 * use.  Inside a function that a hook called it does not wait, and returns -EINPROGRESS: the function
 * will not be called any more, but threads may be in it, this one too; the entry must stay.  -ENOENT:
 * it is not registered.  Any thread may call this; not async-signal-safe.
 */
int permod_hook_unregister(struct permod_hook_entry *entry);

/** permod_in_hook() - whether the calling thread is in a function that a hook called. */
bool permod_in_hook(void);

/** permod_hook_used() - whether a hook has functions: to spare the work for a call's arguments. */
static inline bool permod_hook_used(const struct permod_hook *hook)
{
	return __builtin_expect(__atomic_load_n(&hook->first, __ATOMIC_RELAXED) != NULL, 0);
}

/*
 * What is common to both kinds: the types, registering, and the call.  `run` is one statement, and
 * `result` the end.  Who registers reads the hook's address from memory, and not out of code that
 * reaches 2 GiB: the program is farther than that from its modules, and they need not be compiled with
 * -fPIC for that.
 */
#define PERMOD_HOOK(name, type, parameters, run, result)                                           \
	extern struct permod_hook permod_hook_##name;                                              \
	PERMOD_KEY_FUNCTION(permod_used_##name, permod_hook_##name.first)                          \
	typedef type permod_function_##name parameters;                                            \
	static inline __attribute__((unused)) struct permod_hook *permod_hook_of_##name(void)      \
	{                                                                                          \
		static struct permod_hook *const address = &permod_hook_##name;                    \
                                                                                                   \
		return *(struct permod_hook *const volatile *)&address;                            \
	}                                                                                          \
	static inline __attribute__((                                                              \
		unused)) int permod_register_##name(struct permod_hook_entry *entry,               \
						    permod_function_##name *function,              \
						    void *context, int priority)                   \
	{                                                                                          \
		return permod_hook_register(permod_hook_of_##name(), entry,                        \
					    (void (*)(void))function, context, priority);          \
	}                                                                                          \
	static inline __attribute__((unused)) int permod_unregister_##name(                        \
		struct permod_hook_entry *entry)                                                   \
	{                                                                                          \
		return permod_hook_unregister(entry);                                              \
	}                                                                                          \
	static inline __attribute__((unused)) type permod_skip_##name(void)                        \
	{                                                                                          \
		const int permod_result = 0;                                                       \
                                                                                                   \
		(void)permod_result;                                                               \
		result;                                                                            \
	}                                                                                          \
	static inline __attribute__((unused)) type permod_call_##name parameters                   \
	{                                                                                          \
		__attribute__((cleanup(permod_hook_end))) struct permod_hook_call permod_call =    \
			permod_hook_begin(&permod_hook_##name);                                    \
		int permod_result = 0;                                                             \
                                                                                                   \
		for (; permod_call.entry; permod_call = permod_hook_next(permod_call)) {           \
			permod_function_##name *permod_function =                                  \
				(permod_function_##name *)permod_call.entry->function;             \
                                                                                                   \
			context = permod_call.entry->context;                                      \
			run;                                                                       \
			if (permod_result)                                                         \
				break;                                                             \
		}                                                                                  \
		result;                                                                            \
	}                                                                                          \
	extern struct permod_hook permod_hook_##name

/**
 * PERMOD_DECLARE_HOOK(name, parameters, arguments) - declare a hook whose functions return nothing.
 * @parameters:	in parentheses, as functions have them; the first must be `void *context`
 * @arguments:	the same names in parentheses
 */
#define PERMOD_DECLARE_HOOK(name, parameters, arguments)                                           \
	PERMOD_HOOK(name, void, parameters, permod_function arguments, (void)0)

/**
 * PERMOD_DECLARE_INT_HOOK() - the same for functions that return an int: a call ends with the first one
 * that is not 0, and has that value; 0 if there is none.
 */
#define PERMOD_DECLARE_INT_HOOK(name, parameters, arguments)                                       \
	PERMOD_HOOK(name, int, parameters, permod_result = permod_function arguments,              \
		    return permod_result)

/** PERMOD_DEFINE_HOOK(name) - define it: once, outside of functions, where it is declared. */
#define PERMOD_DEFINE_HOOK(name) struct permod_hook permod_hook_##name = { NULL, #name, NULL }

/** PERMOD_CALL_HOOK(name, arguments...) - call all its functions; the arguments are those behind the
 * context, and not evaluated if there are no functions. */
#define PERMOD_CALL_HOOK(name, ...)                                                                \
	(permod_used_##name() ? permod_call_##name(NULL, ##__VA_ARGS__) : permod_skip_##name())

#ifdef __cplusplus
}
#pragma GCC diagnostic pop
#endif

#endif
