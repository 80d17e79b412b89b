/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Addresses of labels, and differences of them.
 */
#include <stdio.h>

__attribute__((noinline)) static int interpret(const char *code, int value)
{
	static const void *const places[] = { &&add, &&twice, &&end };
	static const int distances[] = { &&add - &&add, &&twice - &&add, &&end - &&add };

next:
	if (*code & 4)
		goto *(&&add + distances[*code++ & 3]);
	goto *places[(int)*code++];
add:
	value += 7;
	goto next;
twice:
	value *= 2;
	goto next;
end:
	return value;
}

void computed_goto(void)
{
	printf("%d\n", interpret("\0\1\4\5\1\2", 5));
	printf("%d\n", interpret("\4\5\6", 9));
}
