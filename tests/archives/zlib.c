/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Added to libz.a: deflates and inflates data that any other program can make too, and prints what
 * can be checked outside: checksums, and the deflated data itself as hexadecimal digits.
 *
 * It counts in a per-CPU variable, whose cookie lies elsewhere than the stdout it prints to: code
 * compiled without any option reaches both.
 */
#include <permod/module.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define SIZE 200000

static DEFINE_PER_CPU(unsigned long, round_trips);
static DEFINE_PER_CPU(unsigned long, bad_round_trips);

/* Words of one to eight letters, from a linear congruential generator: random, but compressible. */
static void fill(unsigned char *data)
{
	unsigned int state = 12345;

	for (size_t i = 0; i < SIZE; i++) {
		state = state * 1103515245 + 12345;
		data[i] = (unsigned char)((state >> 16) % 8 ? 'a' + (state >> 20) % 8 : ' ');
	}
}

static unsigned long deflate_and_inflate(const unsigned char *data, int level,
					 unsigned char *packed)
{
	unsigned char *unpacked = malloc(SIZE);
	uLongf packed_size = compressBound(SIZE), size = SIZE;
	bool same = unpacked && compress2(packed, &packed_size, data, SIZE, level) == Z_OK &&
		    uncompress(unpacked, &size, packed, packed_size) == Z_OK && size == SIZE &&
		    memcmp(unpacked, data, SIZE) == 0;

	free(unpacked);
	if (same)
		this_cpu_inc(round_trips);
	else
		this_cpu_inc(bad_round_trips);
	return same ? packed_size : 0;
}

/* Quietly, at every level. */
void round_trip(void)
{
	unsigned char *data = malloc(SIZE), *packed = malloc(compressBound(SIZE));

	fill(data);
	for (int level = 1; level <= 9; level++)
		deflate_and_inflate(data, level, packed);
	free(packed);
	free(data);
}

/* Once, with results. */
void show(void)
{
	unsigned char *data = malloc(SIZE), *packed = malloc(compressBound(SIZE));
	unsigned long size;

	fill(data);
	printf("crc32 %lu\n", crc32(0, data, SIZE));
	printf("adler32 %lu\n", adler32(1, data, SIZE));
	size = deflate_and_inflate(data, 6, packed);
	printf("deflated ");
	for (unsigned long i = 0; i < size; i++)
		printf("%02x", packed[i]);
	putchar('\n');
	free(packed);
	free(data);
}
