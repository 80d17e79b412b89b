/* SPDX-License-Identifier: LGPL-2.1-or-later */
void called_back(int crash);
void call_back(int crash);

static volatile int calls;

static __attribute__((noinline)) void pass_on(int crash)
{
	called_back(crash);
	calls++;
}

void call_back(int crash)
{
	pass_on(crash);
	calls++;
}
