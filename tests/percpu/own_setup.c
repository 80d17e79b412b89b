/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program with a set-up of its own in place of the library's: explicit sizes, after one try that
 * fails. With -DFAIL it gives up; with -DSKIP it sets nothing up; with -DTOO_SMALL it leaves no
 * room for its own static variables.
 */
#include <permod/percpu.h>

#include <errno.h>

static DEFINE_PER_CPU(long[100], numbers) = { 1, 2, 3, [99] = 100 };
static int calls;

int setup_per_cpu_areas(void)
{
	ptrdiff_t unit;

	calls++;
#if defined(FAIL)
	return -ENODEV;
#elif defined(SKIP)
	return 0;
#elif defined(TOO_SMALL)
	unit = pcpu_embed_first_chunk(8, 4096, 4096, PCPU_AUTO);
	return unit < 0 ? (int)unit : 0;
#endif
	if (pcpu_embed_first_chunk(pcpu_static_size(), 8192, 0, 4096) != -EINVAL)
		return -EPROTO;
	if (pcpu_embed_first_chunk(pcpu_static_size(), 8192, 0, PTRDIFF_MAX / 65536 * 65536) !=
	    -ENOMEM)
		return -EPROTO;
	unit = pcpu_embed_first_chunk(pcpu_static_size(), 8192, 0, 32 << 20);
	return unit < 0 ? (int)unit : 0;
}

int main(void)
{
	struct pcpu_map map;

	pcpu_get_map(&map);
	if (calls != 1 || map.unit_size != 32 << 20 || map.reserved_size != 8192)
		return 1;
	if (map.dynamic_size != 0 || map.static_size < sizeof(numbers))
		return 2;
	if (per_cpu(numbers, 0)[99] != 100 || !__alloc_percpu(100, 8))
		return 3;
	return pcpu_embed_first_chunk(0, 0, 0, PCPU_AUTO) == -EBUSY ? 0 : 4;
}
