/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks for destructors to be run when the calling thread ends, as compilers do. */
#include <permod/module.h>

int __cxa_thread_atexit(void (*destructor)(void *), void *object, void *dso_handle);
extern void *__dso_handle __attribute__((visibility("hidden")));

static int fails;
module_param(fails, int, 0444);

int destroyed_order;
static int *count;

void threads_count(int *counter);
int threads_add(void);

static void destroy(void *object)
{
	destroyed_order = destroyed_order * 10 + (int)(intptr_t)object;
	if (count)
		__atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
}

/* Counts with the caller's variable, too, which stays when the module has gone. */
void threads_count(int *counter)
{
	count = counter;
}

int threads_add(void)
{
	int error = __cxa_thread_atexit(destroy, (void *)1, &__dso_handle);

	return error ? error : __cxa_thread_atexit(destroy, (void *)2, &__dso_handle);
}

void note(const char *words);

static void note_end(void *object)
{
	note(object);
}

static int __init threads_init(void)
{
	static char words[] = "thread";

	if (!fails)
		return 0;
	return __cxa_thread_atexit(note_end, words, &__dso_handle) ?: -EIO;
}
module_init(threads_init);

static void __exit threads_exit(void)
{
}
module_exit(threads_exit);

__attribute__((destructor)) static void threads_end(void)
{
	if (fails)
		note("destructor");
}
