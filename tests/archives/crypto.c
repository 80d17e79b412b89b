/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Added to libcrypto.a: prints the SHA-256 of a file, as sha256sum(1) does, computed in both of the
 * library's ways: by its function, and by looking an algorithm up by name in its default provider.
 */
#include <permod/module.h>

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *file;
module_param(file, charp, 0444);
static bool quiet;
module_param(quiet, bool, 0444);

static DEFINE_PER_CPU(unsigned long, digests);
static DEFINE_PER_CPU(unsigned long, differences);

static unsigned char *read_file(size_t *size)
{
	FILE *stream = fopen(file, "r");
	unsigned char *data = malloc(1 << 20);

	*size = stream && data ? fread(data, 1, 1 << 20, stream) : 0;
	if (stream)
		fclose(stream);
	return data;
}

void digest(void)
{
	unsigned char one[SHA256_DIGEST_LENGTH], two[EVP_MAX_MD_SIZE];
	size_t size, length = 0;
	unsigned char *data = read_file(&size);

	SHA256(data, size, one);
	if (!EVP_Q_digest(NULL, "SHA256", NULL, data, size, two, &length) ||
	    length != sizeof(one) || memcmp(one, two, sizeof(one)) != 0)
		this_cpu_inc(differences);
	this_cpu_inc(digests);
	free(data);
	for (size_t i = 0; i < sizeof(one) && !quiet; i++)
		printf("%02x", one[i]);
	if (!quiet)
		putchar('\n');
}
