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
 *     -DNO_FENCE     not to fence between taking an entry out and looking at the slots
 *     -DNO_LOOK      not to look whether what was noted is in the list still
 *     -DNO_READERS   not to wait for readers
 *     -DNO_DRAIN     not to wait until the entry is noted nowhere
 *     -DNO_SEARCH    to go on by `next` although the entry was taken out
 *     -DNO_WAKE      not to wake who waits for a slot
 *     -DNO_SECOND    to sleep without looking again once the thread was told to wake
 *     -DNO_COUNT     to sleep until the thread need not wake anybody, instead of until it has
 *     -DNOT_REFUSED  to let a function unload its own module
 *
 * A thread's stores may be seen late by others, in their order: each caller has a buffer for what it
 * stores in its slots, which the fence empties, and which may empty itself at any time. It is what x86
 * does to a store and a load behind it; that other machines keep a store before a later one, and a load
 * before a later one, is in the code (release and acquire). Readers are liburcu's, and taken as given; so
 * is the futex, whose look at the word and sleeping are one step.
 */
#ifndef CALLERS
#define CALLERS 2
#endif
#define CALLS 1
#define NIL 2

byte first = 0;
byte next[2];
bool linked[2] = true;
bool left[2];	       /* taken out inside a function: somebody else has to end it */
bool mapped[2] = true; /* the module is there */
byte inside[2];	       /* threads in the function */
bool lock;

/* Slots of each caller, two for its call; what it stores goes through a buffer, the oldest first. */
typedef slots { byte held[2] };
slots noted[CALLERS];
chan stores[CALLERS] = [2] of { byte, byte };
bool waited[CALLERS], reading[CALLERS];
byte wakes[CALLERS];

#define LOCK atomic { !lock -> lock = true }
#define UNLOCK lock = false

/* Only who has noted an entry that was in the list afterwards, or is a reader, looks at one. */
#define LOOK(e) assert(mapped[e])

/* Room in the buffer means that the oldest one has become visible, which buffer() does. */
#define NOTE(slot, e) stores[me]!slot, e

/* The oldest store of a caller becomes visible. */
proctype buffer(byte me)
{
	byte slot, e;

end:
	do
	:: atomic { stores[me]?slot, e -> noted[me].held[slot] = e }
	od
}

/* All stores of all callers do. */
inline fence()
{
#ifdef NO_FENCE
	skip
#else
	atomic {
		reader = 0;
		do
		:: reader < CALLERS ->
			do
			:: stores[reader]?slot, e -> noted[reader].held[slot] = e
			:: empty(stores[reader]) -> break
			od;
			reader++
		:: else -> break
		od
	}
#endif
}

inline unlink(m)
{
	linked[m] = false;
	if
	:: first == m -> first = next[m]
	:: else -> next[first] = next[m]
	fi
}

/* Wait until each reader that there is now has ended once; its stores are visible then. */
inline wait_for_readers()
{
#ifdef NO_READERS
	skip
#else
	reader = 0;
	do
	:: reader < CALLERS -> atomic { !reading[reader] -> reader++ }
	:: else -> break
	od;
	fence()
#endif
}

#define HAS_NOTED (noted[reader].held[0] == m || noted[reader].held[1] == m)

/* The waiter sleeps until there has been a wake since it looked how many there were. */
#ifdef NO_COUNT
#define SLEEP !waited[reader]
#else
#define SLEEP wakes[reader] != count
#endif

inline wait_for_callers()
{
	fence();
	reader_to_wait = 0;
	do
	:: reader_to_wait == CALLERS -> break
	:: else ->
		reader = reader_to_wait;
		if
		:: !HAS_NOTED -> reader_to_wait++
		:: else ->
			count = wakes[reader];
			waited[reader] = true;
			fence();
			reader = reader_to_wait;
#ifndef NO_SECOND
			if
			:: !HAS_NOTED
			:: else -> SLEEP
			fi
#else
			SLEEP
#endif
		fi
	od
}

/* A slot was changed: whoever waits looks again. */
inline wake()
{
#ifdef NO_WAKE
	skip
#else
	if
	:: waited[me] -> waited[me] = false; wakes[me]++
	:: else
	fi
#endif
}

/* As a reader: the entry behind `at`, which is out of the list. */
inline search()
{
	reading[me] = true;
	if
#ifdef NO_SEARCH
	:: true -> go_on = next[at]
#else
	:: linked[at] -> go_on = next[at]
	:: else ->
		go_on = first;
		do
		:: go_on != NIL && go_on <= at -> LOOK(go_on); go_on = next[go_on]
		:: else -> break
		od
#endif
	fi;
	NOTE(1 - slot, go_on);
	reading[me] = false
}

proctype caller(byte me)
{
	byte at, go_on, slot, i;

	for (i : 1 .. CALLS) {
		slot = 0;
		at = first;
		NOTE(0, at);
#ifndef NO_LOOK
		if
		:: first == at
		:: else ->
			NOTE(0, NIL);
			wake();
			reading[me] = true;
			at = first;
			NOTE(0, at);
			reading[me] = false
		fi;
#endif
		do
		:: at == NIL -> break
		:: else ->
			/* the function */
			LOOK(at);
			inside[at]++;
			if
			:: at == 0 ->
				LOCK;
				if
				:: linked[0] -> unlink(0); left[0] = true
				:: else
				fi;
				UNLOCK
#ifdef NOT_REFUSED
			:: at == 0 -> noted[me].held[slot] != at
#endif
			:: true
			fi;
			LOOK(at);
			inside[at]--;
			/* the next one */
			LOOK(at);
			go_on = next[at];
			if
			:: go_on != NIL -> NOTE(1 - slot, go_on)
			:: else
			fi;
			if
#ifdef NO_LOOK
			:: true
#else
			:: next[at] != go_on -> search()
			:: else ->
				if
				:: linked[at]
				:: else -> search()
				fi
#endif
			fi;
			NOTE(slot, NIL);
			wake();
			at = go_on;
			slot = 1 - slot
		od;
		NOTE(0, NIL);
		NOTE(1, NIL);
		wake()
	}
}

proctype unloader(byte m)
{
	byte reader, reader_to_wait, count, slot, e;

	LOCK;
	if
	:: linked[m] -> unlink(m)
	:: else -> assert(left[m])
	fi;
	UNLOCK;
	wait_for_readers();
#ifndef NO_DRAIN
	wait_for_callers();
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
			noted[i].held[0] = NIL;
			noted[i].held[1] = NIL;
			run caller(i);
			run buffer(i)
		}
#ifndef ONE_GOES
		run unloader(1);
#endif
		run unloader(0)
	}
}
