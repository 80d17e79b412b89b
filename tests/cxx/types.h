/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What host.cc and its modules have in common: classes of which each has type information of its own. */
#ifndef TYPES_H
#define TYPES_H

struct base {
	virtual ~base()
	{
	}
	virtual int number() const = 0;
};

struct derived : base {
	int value;

	explicit derived(int v) : value(v)
	{
	}
	int number() const override
	{
		return value;
	}
};

/* Never made, so that a cast to it must fail. */
struct other : base {
	int number() const override
	{
		return -1;
	}
};

/* What is thrown. */
struct trouble : derived {
	explicit trouble(int v) : derived(v)
	{
	}
};

/* Counts its end. */
struct guard {
	int *ends;

	explicit guard(int *counter) : ends(counter)
	{
	}
	~guard()
	{
		++*ends;
	}
};

typedef void (*callback)(int);

struct counter {
	int value;

	counter() : value(100)
	{
	}
	~counter()
	{
		value = -1;
	}
};

/* The compiler makes a symbol of this that the whole process has in common, if it can. */
inline int count_shared()
{
	static counter shared;

	return ++shared.value;
}

#endif
