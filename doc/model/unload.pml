/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unloading under threads that call a hook, as loader/hook.c does it: is there a path in which a thread
 * is in code, or looks at an entry, of a module that is gone? One on which somebody waits for ever?
 *
 * Two modules have a function each in one hook, 0 before 1. Callers go through the hook; for each
 * module a thread unloads it. A function may sleep at any point, which is what the scheduler does; and one
 * of module 0 may take its own entry out, and then nobody waits.
 *
 *     spin -a unload.pml && gcc -O2 -o pan pan.c && ./pan -m100000     (tests/test_model.sh)
 *
 * Broken on purpose, each must give an error:
 *     -DNO_READERS   not to wait for readers between unlinking and killing the count
 *     -DNO_DRAIN     not to wait until all calls have returned
 *     -DNO_SEARCH    to go on by `next` although the entry was taken out
 *     -DNOT_REFUSED  to let a function unload its own module
 *
 * What is not here: memory that is not sequentially consistent. Readers and unlinking are ordered by liburcu,
 * and counting and killing by the fence of percpu_ref (percpu/ref.c).
 */
#ifndef CALLERS
#define CALLERS 2
#endif
#define CALLS 1
#define NIL 2

byte first = 0;
byte next[2];
bool linked[2] = true;
bool left[2];	      /* taken out inside a function: somebody else has to end it */
bool mapped[2] = true; /* the module is there */
byte calls[2] = 1;     /* references to the entry; the first is the owner's */
bool dead[2];	      /* the count is killed */
bool reading[CALLERS];
byte inside[2];	      /* threads in the function */
bool lock;

#define LOCK atomic { !lock -> lock = true }
#define UNLOCK lock = false

/* Only the thread that is a reader, or has a reference, looks at an entry: it must be there. */
#define LOOK(e) assert(mapped[e])

inline unlink(e)
{
	linked[e] = false;
	if
	:: first == e -> first = next[e]
	:: else -> next[first] = next[e]
	fi
}

/* Wait until each reader that there is now has ended once. */
inline wait_for_readers()
{
#ifdef NO_READERS
	skip
#else
	reader = 0;
	do
	:: reader < CALLERS -> !reading[reader]; reader++
	:: else -> break
	od
#endif
}

/* A reference to the entry, or the one behind it, ..., or NIL; as a reader. */
inline take(e)
{
	do
	:: e == NIL -> break
	:: else ->
		LOOK(e);
		atomic {
			if
			:: !dead[e] -> calls[e]++; break
			:: else
			fi
		}
		LOOK(e);
		e = next[e]
	od
}

inline put(e)
{
	atomic { LOOK(e); calls[e]-- }
}

proctype caller(byte me)
{
	byte at, now, i;

	for (i : 1 .. CALLS) {
		reading[me] = true;
		at = first;
		take(at);
		reading[me] = false;
		do
		:: at == NIL -> break
		:: else ->
			/* the function */
			inside[at]++;
			LOOK(at);
			if
			:: at == 0 ->
				LOCK;
				if
				:: linked[0] -> unlink(0); left[0] = true
				:: else
				fi;
				UNLOCK
#ifdef NOT_REFUSED
			:: at == 0 -> calls[0] == 0
#endif
			:: true
			fi;
			LOOK(at);
			inside[at]--;
			/* the next one */
			now = at;
			reading[me] = true;
			LOOK(now);
			if
#ifdef NO_SEARCH
			:: true -> at = next[now]
#else
			:: linked[now] -> at = next[now]
			:: else ->
				at = first;
				do
				:: at != NIL && at <= now -> LOOK(at); at = next[at]
				:: else -> break
				od
#endif
			fi;
			take(at);
			reading[me] = false;
			put(now)
		od
	}
}

proctype unloader(byte m)
{
	byte reader;

	LOCK;
	if
	:: linked[m] -> unlink(m)
	:: else -> assert(left[m])
	fi;
	UNLOCK;
	wait_for_readers();
	atomic { dead[m] = true; calls[m]-- };
#ifndef NO_DRAIN
	calls[m] == 0;
#endif
	/* exit runs: nobody is in the module, and nobody comes back */
	assert(inside[m] == 0);
	mapped[m] = false
}

init
{
	byte i;

	atomic {
		next[0] = 1;
		next[1] = NIL;
		for (i : 0 .. CALLERS - 1) {
			run caller(i)
		}
		run unloader(0);
		run unloader(1)
	}
}
