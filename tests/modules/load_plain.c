/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An object that knows nothing of permod.  -DNO_STDERR leaves the use of far data out. */
#include <stdio.h>
#include <string.h>

int plain_counter = 1;
int plain_zeros[1000];
const char plain_greeting[] = "hello";

static int hidden(int number)
{
	return number * plain_counter;
}

int (*plain_pointer)(int) = hidden;

int plain_count(int number)
{
	plain_zeros[999] += number;
	plain_counter++;
	return plain_pointer(number) + plain_zeros[999];
}

/* A switch with a table of addresses, strings, and calls into libc. */
int plain_words(int number, char *buffer, size_t size)
{
	const char *word;

	switch (number) {
	case 0:
		word = "zero";
		break;
	case 1:
		word = "one";
		break;
	case 2:
		word = "two";
		break;
	case 3:
		word = "three";
		break;
	case 4:
		word = "four";
		break;
	default:
		word = plain_greeting;
		break;
	}
	snprintf(buffer, size, "%s/%d/%.2f", word, (int)strlen(word), number / 4.0);
#ifdef NO_STDERR
	return 0;
#else
	return fprintf(stderr, "%s", "");
#endif
}
