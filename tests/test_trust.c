/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Signatures: what is loaded with one, and what is refused, by the name of the cause.
 *
 * Keys, certificates and odd messages are made here by OpenSSL, ordinary ones by the kernel's sign-file
 * in test_trust.sh, where modinfo reads them too.  Values expected are those of the file format.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <fcntl.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/uio.h>

#define DAY 86400L

static const char magic[] = "~Module signature appended~\n";
#define MAGIC_BYTES (sizeof(magic) - 1)
#define TRAILER_BYTES 12

/* ---- Keys and certificates ------------------------------------------------------------------ */

struct identity {
	EVP_PKEY *key;
	X509 *certificate;
};

struct kind {
	const char *name;
	EVP_PKEY *key;
	long begin, end; /* seconds from now */
	const char *usage, *purpose;
};

static void add_extension(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = value ? X509V3_EXT_conf_nid(NULL, NULL, nid, value) : NULL;

	if (!value)
		return;
	check_that(extension && X509_add_ext(certificate, extension, -1));
	X509_EXTENSION_free(extension);
}

static struct identity make_identity(struct kind kind)
{
	static long serial = 0x1234;
	struct identity made = { kind.key ? kind.key : EVP_EC_gen("P-256"), X509_new() };
	X509_NAME *name;

	check_that(made.key && made.certificate);
	X509_set_version(made.certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), serial++);
	X509_gmtime_adj(X509_getm_notBefore(made.certificate), kind.begin ? kind.begin : -DAY);
	X509_gmtime_adj(X509_getm_notAfter(made.certificate), kind.end ? kind.end : DAY);
	name = X509_get_subject_name(made.certificate);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)kind.name, -1,
				   -1, 0);
	X509_set_issuer_name(made.certificate, name);
	X509_set_pubkey(made.certificate, made.key);
	add_extension(made.certificate, NID_key_usage, kind.usage);
	add_extension(made.certificate, NID_ext_key_usage, kind.purpose);
	add_extension(made.certificate, NID_subject_key_identifier, "01:02:03:FE");
	check_that(X509_sign(made.certificate, made.key, EVP_sha256()));
	return made;
}

static struct identity make_named(const char *name)
{
	return make_identity((struct kind){ .name = name });
}

static void free_identity(struct identity *identity)
{
	EVP_PKEY_free(identity->key);
	X509_free(identity->certificate);
}

/* Tests run in processes of their own, or one after the other: what all need is made once. */
static struct identity us, others;

static void set_up(void)
{
	us = make_named("us");
	others = make_named("others");
}

static void tear_down(void)
{
	free_identity(&us);
	free_identity(&others);
}

static int trust(struct permod *pm, X509 *certificate)
{
	unsigned char *der = NULL;
	int size = i2d_X509(certificate, &der), result;

	check_that(size > 0);
	result = permod_trust_memory(pm, "certificate", der, (size_t)size);
	OPENSSL_free(der);
	return result;
}

static struct permod *context(unsigned int policy, const struct identity *trusted)
{
	struct permod_options options = { .size = sizeof(options), .signatures = policy };
	struct permod *pm;

	notes[0] = '\0';
	must(NULL, permod_new(&pm, &options));
	if (trusted)
		must(pm, trust(pm, trusted->certificate));
	return pm;
}

static struct permod *strict_context(void)
{
	return context(PERMOD_SIGNATURES_ENFORCE, &us);
}

/* ---- Signing -------------------------------------------------------------------------------- */

struct bytes {
	unsigned char *data;
	size_t size;
};

static struct bytes read_bytes(const char *path)
{
	struct bytes bytes;

	bytes.data = read_file(path, &bytes.size);
	return bytes;
}

static void append(struct bytes *bytes, const void *data, size_t size)
{
	bytes->data = realloc(bytes->data, bytes->size + size);
	check_that(bytes->data);
	memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
}

#define PLAIN (CMS_BINARY | CMS_DETACHED | CMS_NOCERTS | CMS_NOATTR | CMS_NOSMIMECAP)

static struct bytes make_message(const struct bytes *content, const struct identity *signer,
				 const struct identity *second, const EVP_MD *digest,
				 unsigned int flags)
{
	BIO *bio = BIO_new_mem_buf(content->data, (int)content->size);
	CMS_ContentInfo *message = CMS_sign(NULL, NULL, NULL, bio, flags | CMS_PARTIAL);
	struct bytes made = { NULL, 0 };
	int size;

	check_that(message);
	check_that(CMS_add1_signer(message, signer->certificate, signer->key, digest, flags));
	if (second)
		check_that(
			CMS_add1_signer(message, second->certificate, second->key, digest, flags));
	check_that(CMS_final(message, bio, NULL, flags));
	size = i2d_CMS_ContentInfo(message, &made.data);
	check_that(size > 0);
	made.size = (size_t)size;
	CMS_ContentInfo_free(message);
	BIO_free(bio);
	return made;
}

static void append_trailer(struct bytes *bytes, unsigned char id, size_t size)
{
	const unsigned char trailer[TRAILER_BYTES] = {
		[2] = id,
		[8] = (unsigned char)(size >> 24),
		(unsigned char)(size >> 16),
		(unsigned char)(size >> 8),
		(unsigned char)size,
	};

	append(bytes, trailer, sizeof(trailer));
	append(bytes, magic, MAGIC_BYTES);
}

static void append_message(struct bytes *bytes, struct bytes *message)
{
	append(bytes, message->data, message->size);
	append_trailer(bytes, 2, message->size);
	OPENSSL_free(message->data);
}

static void sign_with(struct bytes *bytes, const struct identity *signer, const EVP_MD *digest,
		      unsigned int flags)
{
	struct bytes message = make_message(bytes, signer, NULL, digest, flags);

	append_message(bytes, &message);
}

static void sign(struct bytes *bytes)
{
	sign_with(bytes, &us, EVP_sha256(), PLAIN);
}

static struct bytes signed_module(void)
{
	struct bytes bytes = read_bytes(module_file("basic"));

	sign(&bytes);
	return bytes;
}

/* ---- Loading -------------------------------------------------------------------------------- */

static int load_bytes(struct permod *pm, const struct bytes *bytes)
{
	struct permod_module *m = NULL;
	int result = permod_load_memory(pm, "trial", bytes->data, bytes->size, NULL, 0, &m);

	if (!result)
		result = permod_unload(m, 0);
	return result;
}

/* Under all three policies; frees the bytes. */
static void expect_refusal(struct bytes bytes, const struct identity *trusted, int error,
			   const char *cause)
{
	struct permod *pm = context(PERMOD_SIGNATURES_ENFORCE, trusted);
	char letters[PERMOD_TAINT_TEXT];
	struct permod_module *m;

	expect_error(pm, load_bytes(pm, &bytes), error, "trial: ", cause);
	ck_assert_ptr_null(permod_next(pm, NULL));
	ck_assert_uint_eq(permod_taint(pm) & PERMOD_TAINT_UNSIGNED, 0);
	ck_assert_str_eq(noted(), "");
	permod_free(pm);

	pm = context(PERMOD_SIGNATURES_WARN, trusted);
	must(pm, permod_load_memory(pm, "trial", bytes.data, bytes.size, NULL, 0, &m));
	ck_assert_str_eq(permod_taint_text(permod_module_taint(m), letters), "E");
	ck_assert_ptr_nonnull(strstr(permod_taint_reason(pm, m, PERMOD_TAINT_UNSIGNED), cause));
	permod_free(pm);

	pm = context(PERMOD_SIGNATURES_OFF, NULL);
	must(pm, load_bytes(pm, &bytes));
	ck_assert_uint_eq(permod_taint(pm), 0);
	permod_free(pm);
	noted();
	free(bytes.data);
}

static void expect_good(struct bytes bytes, const struct identity *trusted)
{
	for (unsigned int policy = PERMOD_SIGNATURES_OFF; policy <= PERMOD_SIGNATURES_ENFORCE;
	     policy++) {
		struct permod *pm = context(policy, policy ? trusted : NULL);

		must(pm, load_bytes(pm, &bytes));
		ck_assert_uint_eq(permod_taint(pm), 0);
		permod_free(pm);
	}
	free(bytes.data);
}

/* ---- What is good --------------------------------------------------------------------------- */

START_TEST(good_signatures_load)
{
	struct identity rsa = make_identity((struct kind){ .name = "rsa",
							   .key = EVP_RSA_gen(2048),
							   .usage = "digitalSignature",
							   .purpose = "codeSigning" });
	const struct identity *const signers[] = { &us, &rsa };
	const EVP_MD *const digests[] = { EVP_sha256(), EVP_sha384(), EVP_sha512() };
	const unsigned int flags[] = { PLAIN, PLAIN | CMS_USE_KEYID, PLAIN & ~CMS_NOATTR,
				       PLAIN & ~CMS_NOCERTS };

	for (size_t i = 0; i < COUNT(signers) * COUNT(digests) * COUNT(flags); i++) {
		const struct identity *signer = signers[i % COUNT(signers)];
		struct bytes bytes = read_bytes(module_file("basic"));

		sign_with(&bytes, signer, digests[i / 2 % COUNT(digests)], flags[i / 6]);
		expect_good(bytes, signer);
	}
	free_identity(&rsa);
}
END_TEST

START_TEST(certificates_are_pem_or_der)
{
	const char *path = work_file("both.pem");
	struct permod *pm = context(PERMOD_SIGNATURES_ENFORCE, NULL);
	struct bytes bytes = signed_module();
	FILE *file = fopen(path, "we");

	fprintf(file, "Some words before.\n");
	check_that(PEM_write_X509(file, others.certificate) &&
		   PEM_write_X509(file, us.certificate));
	fclose(file);
	expect_error(pm, load_bytes(pm, &bytes), -ENOKEY, "signed by \"us\"", "none of the 0");
	must(pm, permod_trust(pm, path));
	must(pm, load_bytes(pm, &bytes));
	permod_free(pm);
	free(bytes.data);
}
END_TEST

/* ---- What is not ---------------------------------------------------------------------------- */

START_TEST(unsigned_is_refused)
{
	struct bytes bytes = read_bytes(module_file("basic"));

	expect_refusal(bytes, &us, -EKEYREJECTED, "it is not signed");
}
END_TEST

START_TEST(unknown_signer_is_refused)
{
	expect_refusal(signed_module(), &others, -ENOKEY, "signed by \"us\", key ");
}
END_TEST

/* Another certificate of the same name and number has another key. */
START_TEST(forged_certificate_is_refused)
{
	struct identity forged = make_named("us");
	struct bytes bytes = read_bytes(module_file("basic"));

	X509_set_serialNumber(forged.certificate, X509_get_serialNumber(us.certificate));
	check_that(X509_sign(forged.certificate, forged.key, EVP_sha256()));
	/* It even brings it. */
	sign_with(&bytes, &forged, EVP_sha256(), PLAIN & ~CMS_NOCERTS);
	expect_refusal(bytes, &us, -EKEYREJECTED, "of another content");
	free_identity(&forged);
}
END_TEST

START_TEST(issued_by_trusted_is_refused)
{
	struct identity leaf = make_named("leaf");
	struct bytes bytes = read_bytes(module_file("basic"));

	X509_set_issuer_name(leaf.certificate, X509_get_subject_name(us.certificate));
	check_that(X509_sign(leaf.certificate, us.key, EVP_sha256()));
	sign_with(&bytes, &leaf, EVP_sha256(), PLAIN & ~CMS_NOCERTS);
	expect_refusal(bytes, &us, -ENOKEY, "which none of the 1 trusted");
	free_identity(&leaf);
}
END_TEST

START_TEST(changed_content_is_refused)
{
	/* A name in it that nothing depends on; the signature is for the other one. */
	struct bytes bytes = signed_module();
	unsigned char *found = memmem(bytes.data, bytes.size, ".comment", 8);

	ck_assert_ptr_nonnull(found);
	*found ^= 1;
	expect_refusal(bytes, &us, -EKEYREJECTED, "of another content");
}
END_TEST

START_TEST(certificates_that_must_not_sign_are_refused)
{
	static const struct {
		struct kind kind;
		int error;
		const char *cause;
	} cases[] = {
		{ { .name = "old", .begin = -9 * DAY, .end = -DAY },
		  -EKEYEXPIRED,
		  "certificate of its signer \"old\" expired at " },
		{ { .name = "new", .begin = DAY, .end = 9 * DAY },
		  -EKEYREJECTED,
		  "certificate of its signer \"new\" is not valid before " },
		{ { .name = "crypt", .usage = "keyEncipherment" },
		  -EKEYREJECTED,
		  "\"crypt\" is not for signatures (keyUsage" },
		{ { .name = "web", .purpose = "serverAuth" },
		  -EKEYREJECTED,
		  "\"web\" is not for signing code (extendedKeyUsage" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct identity signer = make_identity(cases[i].kind);
		struct bytes bytes = read_bytes(module_file("basic"));

		/* CMS_add1_signer() looks at what a certificate is for itself: sign as another. */
		X509 *certificate = X509_dup(us.certificate);
		struct identity signs = { signer.key, certificate };

		X509_set_pubkey(certificate, signer.key);
		X509_set_issuer_name(certificate, X509_get_issuer_name(signer.certificate));
		X509_set_serialNumber(certificate, X509_get_serialNumber(signer.certificate));
		check_that(X509_sign(certificate, signer.key, EVP_sha256()));
		sign_with(&bytes, &signs, EVP_sha256(), PLAIN);
		expect_refusal(bytes, &signer, cases[i].error, cases[i].cause);
		X509_free(certificate);
		free_identity(&signer);
	}
}
END_TEST

/* Who renews a certificate keeps the key, and both are trusted for a while, in any order. */
START_TEST(a_renewed_certificate_is_found)
{
	struct identity expired =
		make_identity((struct kind){ "us", us.key, .begin = -2 * DAY, .end = -DAY });
	X509 *certificates[] = { expired.certificate, us.certificate };

	for (int first = 0; first < 2; first++) {
		struct permod *pm = context(PERMOD_SIGNATURES_ENFORCE, NULL);
		struct bytes bytes = read_bytes(module_file("basic"));

		sign_with(&bytes, &us, EVP_sha256(), PLAIN | CMS_USE_KEYID);
		must(pm, trust(pm, certificates[first]));
		must(pm, trust(pm, certificates[!first]));
		must(pm, load_bytes(pm, &bytes));
		permod_free(pm);
		noted();
		free(bytes.data);
	}
	X509_free(expired.certificate);
}
END_TEST

START_TEST(weak_digests_are_refused)
{
	static const struct {
		const EVP_MD *(*digest)(void);
		const char *cause;
	} cases[] = {
		{ EVP_md5, "digest is md5;" },
		{ EVP_sha1, "digest is sha1;" },
		{ EVP_sha224, "digest is sha224;" },
	};
	struct identity rsa = make_identity((struct kind){ .name = "r", .key = EVP_RSA_gen(2048) });

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct bytes bytes = read_bytes(module_file("basic"));

		sign_with(&bytes, &rsa, cases[i].digest(), PLAIN);
		expect_refusal(bytes, &rsa, -ENOPKG, cases[i].cause);
	}
	free_identity(&rsa);
}
END_TEST

START_TEST(content_of_its_own_is_refused)
{
	struct bytes bytes = read_bytes(module_file("basic"));

	sign_with(&bytes, &us, EVP_sha256(), PLAIN & ~(unsigned int)CMS_DETACHED);
	expect_refusal(bytes, &us, -EBADMSG, "content of its own");
}
END_TEST

START_TEST(two_signers_are_refused)
{
	struct bytes bytes = read_bytes(module_file("basic"));
	struct bytes message = make_message(&bytes, &us, &others, EVP_sha256(), PLAIN);

	append_message(&bytes, &message);
	expect_refusal(bytes, &us, -EBADMSG, "2 signers");
}
END_TEST

START_TEST(doubled_signature_is_refused)
{
	struct bytes bytes = signed_module();

	sign(&bytes);
	expect_refusal(bytes, &us, -EBADMSG, "signed twice");
}
END_TEST

START_TEST(bytes_behind_the_signature_are_refused)
{
	struct bytes bytes = signed_module();

	append(&bytes, "\nxy", 3);
	expect_refusal(bytes, &us, -EBADMSG, "3 bytes behind its signature");
}
END_TEST

START_TEST(garbage_as_message_is_refused)
{
	struct bytes bytes = read_bytes(module_file("basic"));
	struct bytes message;

	append(&bytes, "no message", 10);
	append_trailer(&bytes, 2, 10);
	expect_refusal(bytes, &us, -EBADMSG, "10 bytes that are no PKCS#7 message");

	/* One, and more. */
	bytes = read_bytes(module_file("basic"));
	message = make_message(&bytes, &us, NULL, EVP_sha256(), PLAIN);
	append(&bytes, message.data, message.size);
	append(&bytes, "more", 4);
	append_trailer(&bytes, 2, message.size + 4);
	OPENSSL_free(message.data);
	expect_refusal(bytes, &us, -EBADMSG, "that are no PKCS#7 message");
}
END_TEST

START_TEST(wrong_trailers_are_refused)
{
	struct bytes bytes = read_bytes(module_file("basic"));
	const size_t size = bytes.size;

	append_trailer(&bytes, 2, size + 1);
	expect_refusal(bytes, &us, -EBADMSG, "one of them was cut off");
	bytes = read_bytes(module_file("basic"));
	append_trailer(&bytes, 2, UINT32_MAX);
	expect_refusal(bytes, &us, -EBADMSG, "should have 4294967295 bytes");
	bytes = read_bytes(module_file("basic"));
	append_trailer(&bytes, 2, 0);
	expect_refusal(bytes, &us, -EBADMSG, "should have 0 bytes");
	bytes = signed_module();
	bytes.data[bytes.size - MAGIC_BYTES - TRAILER_BYTES + 2] = 1;
	expect_refusal(bytes, &us, -ENOPKG, "of kind 1");
	for (size_t i = 0; i < 8; i++) {
		if (i == 2)
			continue;
		bytes = signed_module();
		bytes.data[bytes.size - MAGIC_BYTES - TRAILER_BYTES + i] = 7;
		expect_refusal(bytes, &us, -EBADMSG, "trailer of its signature is damaged");
	}
}
END_TEST

/* Wherever it is cut: none of it loads, and what is left of a signature is told. */
START_TEST(truncated_is_refused)
{
	struct bytes whole = signed_module(), plain = read_bytes(module_file("basic"));
	struct permod *pm = strict_context();

	for (size_t size = plain.size; size < whole.size; size++) {
		struct bytes cut = { whole.data, size };
		size_t missing = whole.size - size;
		int result = load_bytes(pm, &cut);

		ck_assert_msg(result == -EKEYREJECTED || result == -EBADMSG, "%zu: %d", size,
			      result);
		if (missing <= MAGIC_BYTES - 4)
			expect_error(pm, result, -EBADMSG,
				     text("cut off: the last %zu bytes are missing", missing));
		else if (size == plain.size)
			expect_error(pm, result, -EKEYREJECTED, "not signed");
		else
			expect_error(pm, result, -EKEYREJECTED,
				     text("the %zu bytes behind its table", size - plain.size));
	}
	permod_free(pm);
	free(whole.data);
	free(plain.data);
}
END_TEST

START_TEST(a_signature_alone_is_nothing)
{
	static const unsigned char nothing[1];
	struct bytes bytes = { malloc(1), 0 };
	struct permod *pm = strict_context();

	append_trailer(&bytes, 2, 1);
	expect_error(pm, load_bytes(pm, &bytes), -EBADMSG, "cut off");
	free(bytes.data);
	bytes = (struct bytes){ malloc(1), 0 };
	sign(&bytes);
	expect_error(pm, load_bytes(pm, &bytes), -EBADMSG, "cut off");
	/* Not of nothing, but of little. */
	bytes.size = 0;
	append(&bytes, nothing, 1);
	sign(&bytes);
	expect_error(pm, load_bytes(pm, &bytes), -ENOEXEC, "trial: ");
	free(bytes.data);
	permod_free(pm);
}
END_TEST

/* ---- Certificates --------------------------------------------------------------------------- */

START_TEST(certificates_that_are_none_are_refused)
{
	struct identity weak =
		make_identity((struct kind){ .name = "weak", .key = EVP_RSA_gen(1024) });
	struct identity odd = make_named("odd");
	EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	struct permod *pm = context(PERMOD_SIGNATURES_ENFORCE, NULL);
	unsigned char *der = NULL;
	int size = i2d_X509(us.certificate, &der);
	FILE *file = fopen(work_file("key.pem"), "we");
	const char *path = work_file("half.pem");

	expect_error(pm, trust(pm, weak.certificate), -EKEYREJECTED, "\"weak\" has 1024 bits");
	X509_set_pubkey(odd.certificate, ed);
	expect_error(pm, trust(pm, odd.certificate), -ENOPKG, "\"odd\" is none of RSA and ECDSA");
	expect_error(pm, permod_trust_memory(pm, "it", "words", 5), -EBADMSG,
		     "it: there is no certificate in it");
	expect_error(pm, permod_trust_memory(pm, "it", "", 0), -EBADMSG, "no certificate");
	for (int i = 1; i < size; i++)
		ck_assert_int_eq(permod_trust_memory(pm, "it", der, (size_t)i), -EBADMSG);
	der = realloc(der, (size_t)size + 1);
	der[size] = 0;
	expect_error(pm, permod_trust_memory(pm, "it", der, (size_t)size + 1), -EBADMSG,
		     "1 bytes behind the certificate");
	expect_error(pm, permod_trust(pm, "/nowhere"), -ENOENT, "/nowhere");
	check_that(PEM_write_PrivateKey(file, us.key, NULL, NULL, 0, NULL, NULL));
	fclose(file);
	expect_error(pm, permod_trust(pm, work_file("key.pem")), -EBADMSG, "no certificate");
	/* A file of which a part is good is not half trusted. */
	file = fopen(path, "we");
	check_that(PEM_write_X509(file, us.certificate));
	fprintf(file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	fclose(file);
	expect_error(pm, permod_trust(pm, path), -EBADMSG, "can't be read");
	{
		struct bytes bytes = signed_module();

		expect_error(pm, load_bytes(pm, &bytes), -ENOKEY, "none of the 0");
		free(bytes.data);
	}
	ck_assert_uint_eq(ERR_peek_error(), 0);
	permod_free(pm);
	OPENSSL_free(der);
	EVP_PKEY_free(ed);
	free_identity(&odd);
	free_identity(&weak);
}
END_TEST

START_TEST(policies_are_three)
{
	struct permod_options options = { .size = sizeof(options), .signatures = 3 };
	struct permod *pm;

	expect_error(NULL, permod_new(&pm, &options), -EINVAL, "PERMOD_SIGNATURES_*");
}
END_TEST

/* Whether an address is in the file of pages that modules share. */
static bool is_shared(const void *address)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	bool shared = false;
	char line[512];

	check_that(maps);
	while (fgets(line, sizeof(line), maps)) {
		unsigned long begin, end;

		check_that(sscanf(line, "%lx-%lx", &begin, &end) == 2);
		if ((uintptr_t)address - begin < end - begin)
			shared = strstr(line, "permod-modules") != NULL;
	}
	fclose(maps);
	return shared;
}

/* Other processes of the user can write to a file by /proc. */
START_TEST(contexts_with_signatures_share_no_pages)
{
	static const unsigned int policies[] = { PERMOD_SIGNATURES_WARN,
						 PERMOD_SIGNATURES_ENFORCE };
	const char *path = compile("shares.o", "", "int which(void) { return 1; }");
	struct bytes bytes = read_bytes(path);
	struct permod_module *m;
	struct permod *pm;

	sign(&bytes);
	for (size_t i = 0; i < COUNT(policies); i++) {
		pm = context(policies[i], &us);
		must(pm, permod_load_memory(pm, "shares", bytes.data, bytes.size, NULL, 0, &m));
		ck_assert(!is_shared(symbol(m, "which")));
		permod_free(pm);
	}
	pm = context(PERMOD_SIGNATURES_OFF, NULL);
	must(pm, permod_load_memory(pm, "shares", bytes.data, bytes.size, NULL, 0, &m));
	/* It would have been seen. */
	if (!under_valgrind())
		ck_assert(is_shared(symbol(m, "which")));
	permod_free(pm);
	free(bytes.data);
}
END_TEST

/* ---- Several files -------------------------------------------------------------------------- */

static void write_signed(const char *path, const char *from)
{
	struct bytes bytes = read_bytes(from);

	sign(&bytes);
	write_file(path, bytes.data, bytes.size);
	free(bytes.data);
}

START_TEST(each_file_of_a_module_is_signed)
{
	const char *one = compile("one.o", "", "int two(void); int one(void) { return two(); }");
	const char *two = compile("two.o", "", "int two(void) { return 22; }");
	const char *good = work_file("one-signed.o"), *also = work_file("two-signed.o");
	const char *paths[] = { good, two };
	struct permod *pm = strict_context();
	struct permod_module *m;

	write_signed(good, one);
	write_signed(also, two);
	expect_error(pm, permod_load_files(pm, "m", paths, 2, NULL, NULL, 0, &m), -EKEYREJECTED,
		     "two.o: it is not signed");
	paths[1] = also;
	must(pm, permod_load_files(pm, "m", paths, 2, NULL, NULL, 0, &m));
	ck_assert_int_eq(((int (*)(void))symbol(m, "one"))(), 22);
	must(pm, permod_unload(m, 0));
	permod_free(pm);
}
END_TEST

START_TEST(an_archive_has_one_signature)
{
	const char *a = work_file("both.a"), *good = work_file("both-signed.a");
	struct permod *pm = strict_context();
	struct permod_module *m;

	compile("one.o", "", "int two(void); int one(void) { return two(); }");
	compile("two.o", "", "int two(void) { return 22; }");
	command(text("cd '%s' && rm -f both.a && ar rcs both.a one.o two.o", work_dir()));
	expect_error(pm, permod_load(pm, a, NULL, 0, &m), -EKEYREJECTED,
		     "both.a: it is not signed");
	write_signed(good, a);
	must(pm, permod_load(pm, good, NULL, 0, &m));
	ck_assert_int_eq(((int (*)(void))symbol(m, "one"))(), 22);
	permod_free(pm);
	/* Without a policy its signature is no member. */
	pm = new_context();
	must(pm, permod_load(pm, good, NULL, 0, &m));
	permod_free(pm);
}
END_TEST

START_TEST(members_of_thin_archives_are_signed)
{
	const char *thin = work_file("thin.a"), *good = work_file("thin-signed.a");
	struct permod *pm = strict_context();
	struct permod_module *m;
	struct bytes two;

	write_signed(work_file("one.o"),
		     compile("one-plain.o", "", "int two(void); int one(void) { return two(); }"));
	write_signed(work_file("two.o"),
		     compile("two-plain.o", "", "int two(void) { return 22; }"));
	command(text("cd '%s' && rm -f thin.a && ar rcsT thin.a one.o two.o", work_dir()));
	write_signed(good, thin);
	must(pm, permod_load(pm, good, NULL, 0, &m));
	ck_assert_int_eq(((int (*)(void))symbol(m, "one"))(), 22);
	must(pm, permod_unload(m, 0));
	two = read_bytes(work_file("two-plain.o"));
	write_file(work_file("two.o"), two.data, two.size);
	free(two.data);
	expect_error(pm, permod_load(pm, good, NULL, 0, &m), -EKEYREJECTED,
		     "thin-signed.a: ", "two.o: it is not signed");
	permod_free(pm);
}
END_TEST

/* ---- Files that change ---------------------------------------------------------------------- */

/* Let the next call of a function that opens or reads change a file first; see the Makefile. */
static const char *change_path;
static const struct bytes *change_to;
static int change_at, calls;

static void change(void)
{
	if (!change_path || ++calls != change_at)
		return;
	write_file(change_path, change_to->data, change_to->size);
}

void *__real_dlopen(const char *path, int flags);
void *__wrap_dlopen(const char *path, int flags);
void *__wrap_dlopen(const char *path, int flags)
{
	change();
	return __real_dlopen(path, flags);
}

CMS_ContentInfo *__real_d2i_CMS_ContentInfo(CMS_ContentInfo **to, const unsigned char **from,
					    long size);
CMS_ContentInfo *__wrap_d2i_CMS_ContentInfo(CMS_ContentInfo **to, const unsigned char **from,
					    long size);
/* What is being checked has been read, and the check of what it says is to come. */
CMS_ContentInfo *__wrap_d2i_CMS_ContentInfo(CMS_ContentInfo **to, const unsigned char **from,
					    long size)
{
	CMS_ContentInfo *message;

	change();
	message = __real_d2i_CMS_ContentInfo(to, from, size);
	change();
	return message;
}

int __real_CMS_verify(CMS_ContentInfo *message, STACK_OF(X509) * certificates, X509_STORE *store,
		      BIO *content, BIO *out, unsigned int flags);
int __wrap_CMS_verify(CMS_ContentInfo *message, STACK_OF(X509) * certificates, X509_STORE *store,
		      BIO *content, BIO *out, unsigned int flags);
int __wrap_CMS_verify(CMS_ContentInfo *message, STACK_OF(X509) * certificates, X509_STORE *store,
		      BIO *content, BIO *out, unsigned int flags)
{
	int result;

	change();
	result = __real_CMS_verify(message, certificates, store, content, out, flags);
	change();
	return result;
}

/* At every such moment the file becomes another, signed or not: never is it the other that runs,
 * unless it is that which was checked. */
static void change_while_loading(const char *path, const struct bytes *good,
				 const struct bytes *other)
{
	for (change_at = 1;; change_at++) {
		struct permod *pm = strict_context();
		struct permod_module *m;
		int result;

		write_file(path, good->data, good->size);
		calls = 0;
		change_path = path;
		change_to = other;
		result = permod_load(pm, path, NULL, 0, &m);
		change_path = NULL;
		if (result == 0)
			ck_assert_int_eq(((int (*)(void))symbol(m, "which"))(), 1);
		else
			expect_error(pm, result, -EKEYREJECTED, path);
		permod_free(pm);
		if (calls < change_at)
			break;
	}
	ck_assert_int_ge(change_at, 4);
}

START_TEST(a_file_that_changes_is_not_used)
{
	struct bytes good = read_bytes(compile("good.o", "", "int which(void) { return 1; }"));
	struct bytes other = read_bytes(compile("other.o", "", "int which(void) { return 2; }"));

	sign(&good);
	change_while_loading(work_file("changes.o"), &good, &other);
	free(good.data);
	free(other.data);
}
END_TEST

static struct bytes make_shared(const char *name, int value)
{
	const char *source = text("%s/%s.c", work_dir(), name), *path = work_file(name);
	const char *words = text("#include <permod/module.h>\n"
				 "int which(void) { return %d; }\nMODULE_LICENSE(\"GPL\");\n",
				 value);

	write_file(source, words, strlen(words));
	command(text("%s -O2 -fPIC -shared -DPERMOD_SHARED -I'%s/include' -o '%s' '%s'",
		     setting("CC", "gcc"), setting("top_srcdir", "."), path, source));
	return read_bytes(path);
}

START_TEST(a_shared_object_that_changes_is_not_used)
{
	struct bytes good = make_shared("good.so", 1), other = make_shared("other.so", 2);

	sign(&good);
	change_while_loading(work_file("changes.so"), &good, &other);
	free(good.data);
	free(other.data);
}
END_TEST

/* Somebody with our rights writes to the file in memory before it is sealed. */
static const struct bytes *overwrite_with;

int __real_fcntl(int descriptor, int command, void *argument);
int __wrap_fcntl(int descriptor, int command, void *argument);
int __wrap_fcntl(int descriptor, int command, void *argument)
{
	if (command == F_ADD_SEALS && overwrite_with) {
		check_that(pwrite(descriptor, overwrite_with->data, overwrite_with->size, 0) ==
			   (ssize_t)overwrite_with->size);
		check_that(ftruncate(descriptor, (off_t)overwrite_with->size) == 0);
	}
	return __real_fcntl(descriptor, command, argument);
}

START_TEST(a_sealed_file_is_what_was_checked)
{
	struct bytes good = make_shared("good.so", 1), other = make_shared("other.so", 2);
	struct bytes shorter;
	const struct bytes *writes[] = { &other, &shorter };
	const char *path = work_file("sealed.so");
	struct permod *pm = strict_context();
	struct permod_module *m;

	sign(&good);
	shorter = (struct bytes){ good.data, good.size / 2 };
	write_file(path, good.data, good.size);
	for (size_t i = 0; i < COUNT(writes); i++) {
		overwrite_with = writes[i];
		expect_error(pm, permod_load(pm, path, NULL, 0, &m), -EBUSY,
			     "sealed.so: ", "changed by somebody else");
		overwrite_with = NULL;
	}
	m = load_file(pm, path, NULL);
	ck_assert_int_eq(((int (*)(void))symbol(m, "which"))(), 1);
	permod_free(pm);
	free(good.data);
	free(other.data);
}
END_TEST

START_TEST(shared_objects_leave_no_descriptor)
{
	struct bytes good = make_shared("good.so", 1), other = make_shared("other.so", 2);
	const char *one = work_file("first.so"), *two = work_file("second.so");
	struct permod *pm = strict_context();
	struct permod_module *m, *n;
	struct state before, after;

	sign(&good);
	sign(&other);
	write_file(one, good.data, good.size);
	write_file(two, other.data, other.size);
	for (int i = 0; i < 3; i++) {
		if (i == 1)
			look(&before);
		m = load_file(pm, one, NULL);
		n = load_file(pm, two, NULL);
		ck_assert_int_eq(((int (*)(void))symbol(m, "which"))(), 1);
		ck_assert_int_eq(((int (*)(void))symbol(n, "which"))(), 2);
		must(pm, permod_unload(m, 0));
		ck_assert_ptr_null(strstr(permod_error(pm), "stays"));
		/* The number is free again. */
		m = load_file(pm, one, NULL);
		ck_assert_int_eq(((int (*)(void))symbol(m, "which"))(), 1);
		must(pm, permod_unload(m, 0));
		must(pm, permod_unload(n, 0));
	}
	look(&after);
	expect_same(&before, &after, "loads");
	write_file(two, other.data, other.size - 1);
	expect_error(pm, permod_load(pm, two, NULL, 0, &n), -EBADMSG, "second.so: ", "cut off");
	permod_free(pm);
	free(good.data);
	free(other.data);
}
END_TEST

/* The caller's memory is another's, who writes to it meanwhile. */
START_TEST(memory_that_changes_is_not_used)
{
	struct bytes good = read_bytes(compile("good.o", "", "int which(void) { return 1; }"));
	struct permod *pm = strict_context();
	struct permod_module *m;

	/* It is kept before it is looked at: so it may be anything when that is done. */
	sign(&good);
	must(pm, permod_load_memory(pm, "m", good.data, good.size, NULL, 0, &m));
	memset(good.data, 0, good.size);
	ck_assert_int_eq(((int (*)(void))symbol(m, "which"))(), 1);
	permod_free(pm);
	free(good.data);
}
END_TEST

/* ---- Hostile files -------------------------------------------------------------------------- */

/*
 * In the message, what comes before the signer's number means nothing but for the kind of content: versions,
 * a list of digests, and how the name is encoded.
 */
static bool means_nothing(const unsigned char *message, size_t size, size_t offset)
{
	static const unsigned char data[] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
					      0xf7, 0x0d, 0x01, 0x07, 0x01 };
	const unsigned char *kind = memmem(message, size, data, sizeof(data)), *name, *encoded;
	size_t length;

	check_that(X509_NAME_get0_der(X509_get_issuer_name(us.certificate), &encoded, &length));
	name = memmem(message, size, encoded, length);
	check_that(kind && name && kind < name);
	if (offset >= (size_t)(kind - message) && offset < (size_t)(kind - message) + sizeof(data))
		return false;
	return offset < (size_t)(name - message) + length;
}

START_TEST(mutations_do_not_load)
{
	struct bytes whole = signed_module(), plain = read_bytes(module_file("basic"));
	struct permod *pm = strict_context();
	int step = getenv("PERMOD_LONG") ? 1 : 37;
	const size_t message_size = whole.size - plain.size;
	unsigned char *message = malloc(message_size);

	memcpy(message, whole.data + plain.size, message_size);
	for (size_t i = 0; i < message_size; i++) {
		for (int flip = 1; flip < 256; flip += step) {
			int result;

			whole.data[plain.size + i] ^= (unsigned char)flip;
			result = load_bytes(pm, &whole);
			whole.data[plain.size + i] ^= (unsigned char)flip;
			noted();
			/* OpenSSL does not insist on the bit of a tag that says whether it has parts. */
			ck_assert_msg(result || (flip == 0x20 && (message[i] & 0x3e) == 0x30) ||
					      means_nothing(message, message_size, i),
				      "byte %zu of %zu of the signature, flipped by %#x: loads", i,
				      message_size, (unsigned int)flip);
		}
	}
	for (size_t i = 0; i < plain.size; i += 41) {
		whole.data[i] ^= 0x10;
		expect_error(pm, load_bytes(pm, &whole), -EKEYREJECTED, "of another content");
		whole.data[i] ^= 0x10;
	}
	must(pm, load_bytes(pm, &whole));
	ck_assert_uint_eq(ERR_peek_error(), 0);
	permod_free(pm);
	free(message);
	free(whole.data);
	free(plain.data);
}
END_TEST

/* ---- Looking at it -------------------------------------------------------------------------- */

START_TEST(a_signature_is_told)
{
	struct permod *pm = new_context();
	struct permod_signature signature;
	const char *path = work_file("told.ko");
	struct permod_file *file;
	struct bytes bytes = read_bytes(module_file("basic"));

	must(pm, permod_file_open(pm, module_file("basic"), &file));
	ck_assert_int_eq(permod_file_signature(file, &signature), -ENOENT);
	permod_file_close(file);
	sign_with(&bytes, &us, EVP_sha384(), PLAIN | CMS_USE_KEYID);
	write_file(path, bytes.data, bytes.size);
	must(pm, permod_file_open(pm, path, &file));
	must(pm, permod_file_signature(file, &signature));
	ck_assert_str_eq(signature.id, "PKCS#7");
	ck_assert_str_eq(signature.key, "01:02:03:FE");
	ck_assert_str_eq(signature.hash, "sha384");
	ck_assert_uint_eq(signature.data[0], 0x30); /* a sequence, as ECDSA's are */
	permod_file_close(file);
	bytes.size -= MAGIC_BYTES + TRAILER_BYTES;
	append(&bytes, "x", 1);
	append_trailer(&bytes, 2, 10);
	write_file(path, bytes.data, bytes.size);
	must(pm, permod_file_open(pm, path, &file));
	must(pm, permod_file_signature(file, &signature));
	ck_assert_str_eq(signature.id, "PKCS#7");
	ck_assert_uint_eq(signature.size, 0);
	permod_file_close(file);
	permod_free(pm);
	free(bytes.data);
}
END_TEST

START_TEST(plans_and_files_are_checked_too)
{
	struct permod *pm = strict_context();
	struct permod_plan *plan;
	struct permod_file *file;

	expect_error(pm, permod_plan(pm, module_file("basic"), &plan), -EKEYREJECTED, "not signed");
	expect_error(pm, permod_file_open(pm, module_file("basic"), &file), -EKEYREJECTED,
		     "not signed");
	permod_free(pm);
	/* And a plan taints nothing. */
	pm = context(PERMOD_SIGNATURES_WARN, &us);
	must(pm, permod_plan(pm, module_file("basic"), &plan));
	ck_assert_uint_eq(permod_taint(pm), 0);
	permod_plan_free(plan);
	permod_free(pm);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		good_signatures_load,
		certificates_are_pem_or_der,
		unsigned_is_refused,
		unknown_signer_is_refused,
		forged_certificate_is_refused,
		issued_by_trusted_is_refused,
		changed_content_is_refused,
		certificates_that_must_not_sign_are_refused,
		a_renewed_certificate_is_found,
		weak_digests_are_refused,
		content_of_its_own_is_refused,
		two_signers_are_refused,
		doubled_signature_is_refused,
		bytes_behind_the_signature_are_refused,
		garbage_as_message_is_refused,
		wrong_trailers_are_refused,
		truncated_is_refused,
		a_signature_alone_is_nothing,
		certificates_that_are_none_are_refused,
		policies_are_three,
		contexts_with_signatures_share_no_pages,
		each_file_of_a_module_is_signed,
		an_archive_has_one_signature,
		members_of_thin_archives_are_signed,
		a_file_that_changes_is_not_used,
		a_shared_object_that_changes_is_not_used,
		a_sealed_file_is_what_was_checked,
		shared_objects_leave_no_descriptor,
		memory_that_changes_is_not_used,
		mutations_do_not_load,
		a_signature_is_told,
		plans_and_files_are_checked_too,
	};
	Suite *suite = suite_create("trust");
	TCase *tcase = tcase_create("trust");

	tcase_set_timeout(tcase, 300);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	for (size_t i = 0; i < COUNT(tests); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
