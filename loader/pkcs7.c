/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Signatures and certificates, by OpenSSL: all of it that the loader uses.
 *
 * A signature is a PKCS#7 message without content and without certificates, by one signer, who is one
 * of the certificates that the host named: there are no chains.  What is accepted is a short list, and
 * anything else has a refusal that names it.  pkcs7_none.c is for a permod without OpenSSL.
 *
 * OpenSSL's queue of errors belongs to the host: it is left as it was.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* Of a key: what RSA with 2048 bits has. */
#define LEAST_SECURITY_BITS 112

const bool can_verify = true;

static bool out_of_memory(void)
{
	return ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
}

/* ---- Texts ---------------------------------------------------------------------------------- */

/* The common name of a name, "" if it has none. */
static void name_text(const X509_NAME *name, char *text, size_t size)
{
	int index = name ? X509_NAME_get_index_by_NID(name, NID_commonName, -1) : -1;
	const X509_NAME_ENTRY *entry = index >= 0 ? X509_NAME_get_entry(name, index) : NULL;
	unsigned char *utf8 = NULL;
	size_t length;

	*text = '\0';
	if (!entry || ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry)) < 0)
		return;
	length = strnlen((const char *)utf8, size - 1);
	memcpy(text, utf8, length);
	text[length] = '\0';
	OPENSSL_free(utf8);
}

/* "0A:1B:..." as far as there is room. */
static void number_text(const ASN1_STRING *number, char *text, size_t size)
{
	static const char digits[] = "0123456789ABCDEF";
	const unsigned char *bytes = ASN1_STRING_get0_data(number);
	int length = ASN1_STRING_length(number);
	char *to = text;

	for (int i = 0; i < length && (size_t)(to - text) + 4 <= size; i++) {
		if (i)
			*to++ = ':';
		*to++ = digits[bytes[i] >> 4];
		*to++ = digits[bytes[i] & 15];
	}
	*to = '\0';
}

static void signer_texts(CMS_SignerInfo *signer, struct permod_signature *texts)
{
	ASN1_OCTET_STRING *key = NULL;
	X509_NAME *issuer = NULL;
	ASN1_INTEGER *serial = NULL;

	if (!CMS_SignerInfo_get0_signer_id(signer, &key, &issuer, &serial))
		return;
	name_text(issuer, texts->signer, sizeof(texts->signer));
	if (serial || key)
		number_text(serial ? serial : key, texts->key, sizeof(texts->key));
}

/* What an algorithm is called: "sha256". */
static const char *algorithm_text(const X509_ALGOR *algorithm, char *text, int size)
{
	const ASN1_OBJECT *object;

	X509_ALGOR_get0(&object, NULL, NULL, algorithm);
	OBJ_obj2txt(text, size, object, 0);
	return text;
}

static int algorithm_number(const X509_ALGOR *algorithm)
{
	const ASN1_OBJECT *object;

	X509_ALGOR_get0(&object, NULL, NULL, algorithm);
	return OBJ_obj2nid(object);
}

/* ---- Certificates --------------------------------------------------------------------------- */

static int check_key(X509 *certificate, char **why)
{
	EVP_PKEY *key = X509_get0_pubkey(certificate);
	char name[256];

	name_text(X509_get_subject_name(certificate), name, sizeof(name));
	if (!key || (!EVP_PKEY_is_a(key, "RSA") && !EVP_PKEY_is_a(key, "EC")))
		return distrust(why, -ENOPKG,
				"the key of certificate \"%s\" is none of RSA and ECDSA", name);
	if (EVP_PKEY_get_security_bits(key) < LEAST_SECURITY_BITS)
		return distrust(
			why, -EKEYREJECTED,
			"the key of certificate \"%s\" has %d bits, as strong as %d; at least "
			"%d are wanted: RSA with 2048, ECDSA with 224",
			name, EVP_PKEY_get_bits(key), EVP_PKEY_get_security_bits(key),
			LEAST_SECURITY_BITS);
	return 0;
}

/* Takes over the certificate, if it succeeds. */
static int add_certificate(struct certificates *certificates, X509 *certificate, char **why)
{
	int error = check_key(certificate, why);
	void **entry;

	if (error)
		return error;
	entry = grow(&certificates->list, &certificates->count, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	*entry = certificate;
	return 0;
}

/* Nobody is asked for passwords. */
static int no_password(char *buffer, int size, int writing, void *arg)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

/* DER holds one certificate, PEM any number. */
static X509 *read_one(BIO *bio, bool der)
{
	return der ? d2i_X509_bio(bio, NULL) : PEM_read_bio_X509(bio, NULL, no_password, NULL);
}

static int read_all_certificates(struct certificates *certificates, BIO *bio, bool der, char **why)
{
	size_t before = certificates->count;
	X509 *certificate;
	int error = 0;

	while (!error && (certificate = read_one(bio, der))) {
		error = add_certificate(certificates, certificate, why);
		if (error)
			X509_free(certificate);
		if (der && !error && BIO_pending(bio))
			return distrust(why, -EBADMSG, "there are %zu bytes behind the certificate",
					(size_t)BIO_pending(bio));
		if (der)
			break;
	}
	if (error)
		return error;
	if (!der && certificates->count > before &&
	    ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return distrust(why, -EBADMSG, "it has a certificate that can't be read: %s",
				ERR_reason_error_string(ERR_peek_last_error()));
	if (certificates->count == before)
		return distrust(why, -EBADMSG,
				"there is no certificate in it, neither PEM nor DER: %s",
				ERR_reason_error_string(ERR_peek_last_error()));
	return 0;
}

static void drop_certificates(struct certificates *certificates, size_t count)
{
	while (certificates->count > count)
		X509_free(certificates->list[--certificates->count]);
}

int read_certificates(struct certificates *certificates, const void *data, size_t size, char **why)
{
	/* What begins as a sequence of ASN.1 is DER. */
	bool der = size && *(const unsigned char *)data == 0x30;
	size_t before = certificates->count;
	int error = -ENOMEM;
	BIO *bio;

	if (size > INT_MAX)
		return distrust(why, -EFBIG, "%zu bytes are too many for a certificate", size);
	ERR_set_mark();
	bio = BIO_new_mem_buf(data, (int)size);
	if (bio)
		error = read_all_certificates(certificates, bio, der, why);
	if (error)
		drop_certificates(certificates, before);
	BIO_free(bio);
	ERR_pop_to_mark();
	return error;
}

void free_certificates(struct certificates *certificates)
{
	drop_certificates(certificates, 0);
	free(certificates->list);
}

/* ---- The message ---------------------------------------------------------------------------- */

/* NULL if it is none, or there is more than it. */
static CMS_ContentInfo *parse(const unsigned char *data, size_t size)
{
	const unsigned char *end = data;
	CMS_ContentInfo *message = d2i_CMS_ContentInfo(NULL, &end, (long)size);

	if (message &&
	    (end != data + size || OBJ_obj2nid(CMS_get0_type(message)) != NID_pkcs7_signed)) {
		CMS_ContentInfo_free(message);
		message = NULL;
	}
	return message;
}

static int check_message(CMS_ContentInfo *message, char **why)
{
	int signers = sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(message));

	if (!CMS_is_detached(message) ||
	    OBJ_obj2nid(CMS_get0_eContentType(message)) != NID_pkcs7_data)
		return distrust(
			why, -EBADMSG,
			"its signature brings content of its own, and is not of the file's");
	if (signers != 1)
		return distrust(why, -EBADMSG, "its signature has %d signers; one is wanted",
				signers < 0 ? 0 : signers);
	return 0;
}

static int check_algorithms(CMS_SignerInfo *signer, char **why)
{
	static const int digests[] = { NID_sha256, NID_sha384, NID_sha512 };
	X509_ALGOR *digest, *signature;
	char text[80];
	int name, inside, kind;
	bool good = false;

	CMS_SignerInfo_get0_algs(signer, NULL, NULL, &digest, &signature);
	name = algorithm_number(digest);
	for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++)
		good |= name == digests[i];
	if (!good)
		return distrust(why, -ENOPKG,
				"its signature's digest is %s; sha256, sha384 or sha512 is wanted",
				algorithm_text(digest, text, sizeof(text)));
	kind = algorithm_number(signature);
	if (kind == NID_rsaEncryption)
		return 0;
	/* The others name a digest too: the same, or the one that counts would be another. */
	if (!OBJ_find_sigid_algs(kind, &inside, &kind) || inside != name ||
	    (kind != NID_rsaEncryption && kind != NID_X9_62_id_ecPublicKey))
		return distrust(why, -ENOPKG,
				"its signature's algorithm is %s, for which there is no "
				"use here; RSA or ECDSA is wanted",
				algorithm_text(signature, text, sizeof(text)));
	return 0;
}

static int fail_time(const char *name, const ASN1_TIME *time, int error, const char *what,
		     char **why)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long length = 0;

	if (bio && ASN1_TIME_print(bio, time))
		length = BIO_get_mem_data(bio, &text);
	error = distrust(why, error, "the certificate of its signer \"%s\" %s %.*s", name, what,
			 (int)length, text ? text : "");
	BIO_free(bio);
	return error;
}

/* Whether it may sign modules, and may do so now. */
static int check_signer(X509 *certificate, char **why)
{
	const ASN1_TIME *begin = X509_get0_notBefore(certificate);
	const ASN1_TIME *end = X509_get0_notAfter(certificate);
	uint32_t usage = X509_get_key_usage(certificate);
	uint32_t purpose = X509_get_extended_key_usage(certificate);
	char name[256];

	name_text(X509_get_subject_name(certificate), name, sizeof(name));
	/* 0 is a time that can't be read. */
	if (X509_cmp_current_time(begin) >= 0)
		return fail_time(name, begin, -EKEYREJECTED, "is not valid before", why);
	if (X509_cmp_current_time(end) <= 0)
		return fail_time(name, end, -EKEYEXPIRED, "expired at", why);
	/* All are set if there is no such extension. */
	if (!(usage & KU_DIGITAL_SIGNATURE))
		return distrust(
			why, -EKEYREJECTED,
			"the certificate of its signer \"%s\" is not for signatures (keyUsage "
			"without digitalSignature)",
			name);
	if (purpose != UINT32_MAX && !(purpose & (XKU_CODE_SIGN | XKU_ANYEKU)))
		return distrust(why, -EKEYREJECTED,
				"the certificate of its signer \"%s\" is not for signing code "
				"(extendedKeyUsage without codeSigning)",
				name);
	return 0;
}

static int fail_unknown(CMS_SignerInfo *signer, size_t count, char **why)
{
	struct permod_signature texts = { 0 };

	signer_texts(signer, &texts);
	return distrust(
		why, -ENOKEY,
		"it is signed by \"%s\", key %s, which none of the %zu trusted certificates "
		"is",
		texts.signer, texts.key, count);
}

/* The first certificate of the signer that may sign: who renews one keeps the key, and the old one with it.
 * If none may, the last one tells why. */
static int find_signer(const struct certificates *certificates, CMS_SignerInfo *signer,
		       X509 **found, char **why)
{
	bool known = false;
	int error = 0;

	for (size_t i = 0; i < certificates->count; i++) {
		*found = certificates->list[i];
		if (CMS_SignerInfo_cert_cmp(signer, *found) != 0)
			continue;
		free(*why);
		*why = NULL;
		known = true;
		error = check_signer(*found, why);
		if (!error || error == -ENOMEM)
			return error;
	}
	return known ? error : fail_unknown(signer, certificates->count, why);
}

/* Behind a filter that does nothing: of what is in memory itself OpenSSL 3.0 has a second reader, which it
 * loses where a message names a digest that it does not know. NULL without memory. */
static BIO *new_reader(const struct content *content)
{
	BIO *memory = BIO_new_mem_buf(content->data, (int)content->size);
	BIO *filter = BIO_new(BIO_f_null());

	if (memory && filter)
		return BIO_push(filter, memory);
	BIO_free(memory);
	BIO_free(filter);
	return NULL;
}

static int check_content(CMS_ContentInfo *message, X509 *certificate, const struct content *content,
			 char **why)
{
	const unsigned int flags = CMS_BINARY | CMS_NOINTERN | CMS_NO_SIGNER_CERT_VERIFY;
	STACK_OF(X509) *signers = sk_X509_new_null();
	BIO *bio = new_reader(content);
	int error = -ENOMEM;

	if (signers && bio && sk_X509_push(signers, certificate) > 0) {
		if (CMS_verify(message, signers, NULL, bio, NULL, flags) == 1)
			error = 0;
		else if (!out_of_memory())
			error = distrust(
				why, -EKEYREJECTED,
				"its signature is of another content: it was changed, or cut, "
				"after it was signed");
	}
	BIO_free_all(bio);
	sk_X509_free(signers);
	return error;
}

static int check_parsed(const struct certificates *certificates, CMS_ContentInfo *message,
			const struct content *content, char **why)
{
	CMS_SignerInfo *signer;
	X509 *certificate;
	int error = check_message(message, why);

	if (error)
		return error;
	signer = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(message), 0);
	error = check_algorithms(signer, why);
	if (error)
		return error;
	error = find_signer(certificates, signer, &certificate, why);
	return error ? error : check_content(message, certificate, content, why);
}

int verify_pkcs7(const struct certificates *certificates, const struct content *content, char **why)
{
	CMS_ContentInfo *message;
	int error;

	if (content->size > INT_MAX)
		return distrust(why, -EFBIG,
				"it has %zu bytes; the signature of at most %d can be checked",
				content->size, INT_MAX);
	ERR_set_mark();
	message = parse(content->signature, content->signature_size);
	if (message)
		error = check_parsed(certificates, message, content, why);
	else if (out_of_memory())
		error = -ENOMEM;
	else
		error = distrust(
			why, -EBADMSG,
			"its signature is damaged: %zu bytes that are no PKCS#7 message of "
			"signed data",
			content->signature_size);
	CMS_ContentInfo_free(message);
	ERR_pop_to_mark();
	return error;
}

static int describe_signer(CMS_SignerInfo *signer, struct permod_signature *signature,
			   unsigned char **value)
{
	const ASN1_OCTET_STRING *bytes = CMS_SignerInfo_get0_signature(signer);
	X509_ALGOR *digest;

	CMS_SignerInfo_get0_algs(signer, NULL, NULL, &digest, NULL);
	signer_texts(signer, signature);
	algorithm_text(digest, signature->hash, sizeof(signature->hash));
	signature->size = (size_t)ASN1_STRING_length(bytes);
	*value = malloc(signature->size + 1);
	if (!*value)
		return -ENOMEM;
	signature->data = memcpy(*value, ASN1_STRING_get0_data(bytes), signature->size);
	return 0;
}

int describe_pkcs7(const unsigned char *data, size_t size, struct permod_signature *signature,
		   unsigned char **value)
{
	CMS_ContentInfo *message;
	int error = -EBADMSG;

	ERR_set_mark();
	message = parse(data, size);
	if (message && sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(message)) > 0)
		error = describe_signer(sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(message), 0),
					signature, value);
	CMS_ContentInfo_free(message);
	ERR_pop_to_mark();
	return error;
}
