/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Per-CPU memory whose numbers and pages are known: see map_tells_statistics() in test_tool.sh. */
#include <permod/module.h>
#include <unistd.h>

static DEFINE_PER_CPU(int, seven) = 7;
static char __percpu *small[10], *paged, *large;

static int allocate(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	for (int i = 0; i < 10; i++)
		small[i] = __alloc_percpu(100, 4);
	paged = __alloc_percpu(3 * page, page);
	large = __alloc_percpu(300000, 4);
	if (!small[9] || !paged || !large)
		return -ENOMEM;
	*per_cpu_ptr(paged, 0) = 1;
	*per_cpu_ptr(paged + 2 * page, 0) = 1;
	*per_cpu_ptr(large, nr_cpu_ids - 1) = 1;
	return this_cpu_read(seven) == 7 ? 0 : -EINVAL;
}
module_init(allocate);

static void release(void)
{
	for (int i = 0; i < 10; i++)
		free_percpu(small[i]);
	free_percpu(paged);
	free_percpu(large);
}
module_exit(release);

MODULE_LICENSE("GPL");
