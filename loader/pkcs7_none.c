/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What pkcs7.c has, where permod is built without OpenSSL: no context can ask for signatures.
 */
#include "internal.h"

#include <errno.h>

const bool can_verify = false;

int read_certificates(struct certificates *certificates, const void *data, size_t size, char **why)
{
	(void)certificates;
	(void)data;
	(void)size;
	return distrust(why, -ENOSYS,
			"this permod was built without OpenSSL, which reads certificates");
}

void free_certificates(struct certificates *certificates)
{
	(void)certificates;
}

int verify_pkcs7(const struct certificates *certificates, const struct content *content, char **why)
{
	(void)certificates;
	(void)content;
	return distrust(why, -ENOSYS,
			"this permod was built without OpenSSL, which checks signatures");
}

int describe_pkcs7(const unsigned char *data, size_t size, struct permod_signature *signature,
		   unsigned char **value)
{
	(void)data;
	(void)size;
	(void)signature;
	(void)value;
	return -ENOSYS;
}
